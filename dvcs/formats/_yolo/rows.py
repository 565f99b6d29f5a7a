"""
A row of a YOLO label file as annotations, and back.

    label cx cy w h [score]                  a box, by its centre
    label x1 y1 x2 y2 x3 y3 ... [score]      a polygon of one ring, three points or more
    label x1 y1 x2 y2 x3 y3 x4 y4 [score]    a rotated box by its corners (task obb)
    label cx cy w h (x y [v])* [score]       a box and its keypoints (task pose)
    x1 y1 x2 y2 x3 y3 x4 y4 name difficult   a rotated box in pixels (task obb, as in DOTA)

Labels are indices, all else is in parts of the image's width and height; numbers that must be
pixels are refused (`limits.py`). Nothing is rounded or cut on reading. How numbers are written says
`numbers.py`, how corners become a rotated box `corners.py`. A box that is exactly the extent of its
keypoints is not an annotation of its own.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from dvcs.formats._yolo.corners import read_corners
from dvcs.formats._yolo.limits import FAR, check_near
from dvcs.formats._yolo.numbers import NAME, RowError, checked, ring_numbers, scaled, spelt
from dvcs.model import (
    ABSENT,
    VISIBLE,
    Annotation,
    Bbox,
    Points,
    Polygon,
    RotatedBbox,
)

Task = Literal["detect", "segment", "obb", "pose", "classify"]
Fail = Callable[[str, int], None]
"""Takes what is wrong with a row, and its line."""

DOTA_HEADERS = ("imagesource:", "gsd:")
HALF = FAR / 2
EXACT = 1e-9
"""Two numbers of rows that differ by less are the same: 10 digits are written."""


class Reader:
    """Reads the rows of one dataset's label files."""

    def __init__(
        self,
        task: Task,
        labels: Mapping[int, str],
        *,
        shape: tuple[int, int] | None = None,
        keypoints: Mapping[str, int] | None = None,
    ) -> None:
        """`shape` is data.yaml's `kpt_shape`, `keypoints` how many of them a label has."""
        self.task = task
        self.labels = labels
        self.shape = shape
        self.keypoints = keypoints or {}
        self._tokens = {str(index): name for index, name in labels.items()}
        self._known = frozenset(labels.values())

    def read(self, text: str, height: int, width: int, fail: Fail) -> list[Annotation]:
        """Return the annotations of a file; bad rows go to `fail` and are left out."""
        notes: list[Annotation] = []
        rows = text.strip()
        if not rows:
            return notes
        labels = self._tokens
        add = notes.append
        try:
            for line in rows.split("\n"):
                token, cx, cy, w, h = line.split()
                middle_x, middle_y = float(cx), float(cy)
                half_w, half_h = float(w) / 2, float(h) / 2
                if middle_x > FAR or middle_y > FAR or half_w > HALF or half_h > HALF:
                    break
                x, y = (middle_x - half_w) * width, (middle_y - half_h) * height
                wide, high = half_w * 2 * width, half_h * 2 * height
                finite = x + y + wide + high
                if finite - finite:
                    break
                add(Bbox(x, y, wide, high, label=labels[token]))
            else:
                if "_" not in text:
                    return notes
        except (ValueError, KeyError):
            pass
        return self._carefully(text, height, width, fail)

    def _carefully(self, text: str, height: int, width: int, fail: Fail) -> list[Annotation]:
        """Read a file that has other rows than boxes, blank lines, or mistakes."""
        notes: list[Annotation] = []
        groups = 0
        read_numbers = _each_number if "_" in text else _numbers
        for number, line in enumerate(text.split("\n"), 1):
            parts = line.split()
            if not parts:
                continue
            try:
                if self.task == "obb" and is_dota(parts):
                    found: list[Annotation] = [self._dota(parts, height, width)]
                elif self.task == "obb" and line.startswith(DOTA_HEADERS):
                    continue
                else:
                    label = self._label(parts[0])
                    numbers = read_numbers(parts[1:])
                    found = self.row(numbers, label, height, width)
            except RowError as error:
                fail(str(error), number)
                continue
            if len(found) > 1:
                groups += 1
                found = [note.with_(group=groups) for note in found]
            notes += found
        return notes

    def _label(self, token: str) -> str:
        name = self._tokens.get(token)
        if name is None:
            index = _number(token)
            if index != int(index):
                raise RowError(f"the label index '{token}' is not a whole number")
            name = self.labels.get(int(index))
        if name is None:
            raise RowError(f"there is no label {token}: {len(self.labels)} labels are named")
        return name

    def row(self, numbers: list[float], label: str, height: int, width: int) -> list[Annotation]:
        """
        Return what the numbers of a row say: one annotation, or a box and its keypoints.

        Raises RowError where they are too many or too few for the task.
        """
        count = len(numbers)
        if count in (4, 5):
            score = numbers[4] if count == 5 else None
            return [_box(numbers, label, height, width, score)]
        if self.task == "pose":
            return self._pose(numbers, label, height, width)
        if count < 6:
            raise RowError(f"a row has a label and 4 or more numbers, not {count}")
        score = numbers.pop() if count % 2 else None
        points = scaled(numbers, height, width)
        check_near(numbers)
        if self.task == "obb" and len(numbers) == 8:
            box = read_corners(numbers, points, label, height, width)
            return [box if score is None else box.with_(score=score)]
        return [Polygon([[points]], label=label, score=score)]

    def _dota(self, parts: list[str], height: int, width: int) -> RotatedBbox:
        name = " ".join(parts[8:-1]) if len(parts) > 9 else parts[8]
        if name not in self._known:
            raise RowError(f"there is no label '{name}'")
        points = [_number(part) for part in parts[:8]]
        note = read_corners(ring_numbers(points, height, width), points, name, height, width)
        if len(parts) == 9:
            return note
        return note.with_(attributes={"difficult": _number(parts[-1]) != 0})

    def _pose(self, numbers: list[float], label: str, height: int, width: int) -> list[Annotation]:
        shape = self.shape or guessed_shape(len(numbers) - 4, numbers[4:])
        if shape is None:
            raise RowError(f"{len(numbers)} numbers are no box and keypoints")
        count, dims = shape
        size = 4 + count * dims
        if len(numbers) not in (size, size + 1):
            raise RowError(
                f"a box and {count} keypoints of {dims} numbers each are {size} numbers,"
                f" not {len(numbers)}"
            )
        score = numbers[size] if len(numbers) > size else None
        box = _box(numbers, label, height, width, score)
        points = self._points(numbers[4:size], dims, label, (height, width))
        if points is None:
            return [box]
        if score is not None:
            points = points.with_(score=score)
        extent = _extent(points)
        if extent is not None and all(
            abs(a - b) <= EXACT * max(height, width)
            for a, b in zip(box.geometry, extent, strict=True)
        ):
            return [points]
        return [box, points]

    def _points(
        self, numbers: list[float], dims: int, label: str, size: tuple[int, int]
    ) -> Points | None:
        """Return keypoints; None where all are absent, as they are for an object without any."""
        height, width = size
        xs, ys = numbers[0::dims], numbers[1::dims]
        flat = [value for x, y in zip(xs, ys, strict=True) for value in (x * width, y * height)]
        checked(flat)
        check_near((*xs, *ys))
        if dims == 2:
            return Points(flat, label=label) if any(flat) else None
        flags = numbers[2::3]
        if not any(flags) and not any(flat):
            return None
        visibility = [int(flag) if flag in (0, 1, 2) else VISIBLE for flag in flags]
        extra = {}
        if visibility != flags:  # what a model predicts: how sure it is of each
            visibility = [VISIBLE if flag > 0 else ABSENT for flag in flags]
            extra = {NAME: {"keypoint_scores": flags}}
        known = self.keypoints.get(label, len(flags))
        if known < len(flags) and not any(flags[known:]) and not any(flat[2 * known :]):
            flat, visibility = flat[: 2 * known], visibility[:known]
        return Points(flat, visibility=visibility, label=label, extra=extra)


def is_dota(parts: Sequence[str]) -> bool:
    """Tell whether a row is DOTA's: eight numbers, a name that is none, perhaps how difficult."""
    return len(parts) > 8 and are_numbers(parts[:8]) and not are_numbers(parts[8:9])


def are_numbers(parts: Sequence[str]) -> bool:
    """Tell whether texts are numbers."""
    try:
        for part in parts:
            float(part)
    except ValueError:
        return False
    return True


def guessed_shape(count: int, numbers: Sequence[float] = ()) -> tuple[int, int] | None:
    """Return how many keypoints `count` numbers are, and of how many numbers each, if any."""
    if count > 0 and count % 3 == 0 and all(flag in (0, 1, 2) for flag in numbers[2::3]):
        return count // 3, 3
    return (count // 2, 2) if count > 0 and count % 2 == 0 else None


def _numbers(parts: list[str]) -> list[float]:
    try:
        numbers = list(map(float, parts))
        total = sum(numbers)
        if total - total == 0:
            return numbers
    except ValueError:
        pass
    return _each_number(parts)


def _each_number(parts: list[str]) -> list[float]:
    """Return numbers, and say which is none; `float` takes underscores for digits."""
    return [_number(part) for part in parts]


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise RowError(f"'{text[:40]}' is not a number") from None
    if not math.isfinite(number):
        raise RowError(f"'{text[:40]}' is not a finite number")
    if "_" in text:
        raise RowError(f"'{text[:40]}' is not a number")
    return number


def _box(
    numbers: Sequence[float], label: str, height: int, width: int, score: float | None
) -> Bbox:
    cx, cy, w, h = numbers[:4]
    x, y, w, h = checked(
        [(cx - w / 2) * width, (cy - h / 2) * height, w / 2 * 2 * width, h / 2 * 2 * height]
    )
    check_near(numbers[:4])
    return Bbox(x, y, w, h, label=label, score=score)


def _extent(points: Points) -> tuple[float, float, float, float] | None:
    flags = points.visibility or [VISIBLE] * (len(points.points) // 2)
    xs = [x for x, flag in zip(points.points[0::2], flags, strict=True) if flag != ABSENT]
    ys = [y for y, flag in zip(points.points[1::2], flags, strict=True) if flag != ABSENT]
    if not xs:
        return None
    return min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)


# -- writing -------------------------------------------------------------------------------------


def row(index: int, numbers: Sequence[float], score: float | None = None) -> str:
    """Return a row of numbers in parts of the image."""
    values = numbers if score is None else [*numbers, score]
    return f"{index} {spelt(values)}"


def box_numbers(note: Bbox, height: int, width: int) -> list[float]:
    """Return centre, width and height of a box in parts of the image."""
    w, h = note.w, note.h
    return [(note.x + w / 2) / width, (note.y + h / 2) / height, w / width, h / height]


def pose_numbers(
    box: Bbox | None, points: Points | None, shape: tuple[int, int], height: int, width: int
) -> list[float]:
    """Return a box and its keypoints; those that are not there are zeros."""
    extent = (0.0, 0.0, 0.0, 0.0)
    if box is not None:
        extent = (box.x, box.y, box.w, box.h)
    elif points is not None:
        extent = _extent(points) or extent
    numbers = box_numbers(Bbox(*extent), height, width)
    count, dims = shape
    found: list[float] = []
    if points is not None:
        flat = ring_numbers(points.points, height, width)
        flags: Sequence[float] = points.visibility or [VISIBLE] * (len(flat) // 2)
        flags = points.extra.get(NAME, {}).get("keypoint_scores", flags)
        for x, y, flag in zip(flat[0::2], flat[1::2], flags, strict=False):
            found += (x, y, flag)[:dims]
    return [*numbers, *found, *[0.0] * (count * dims - len(found))]
