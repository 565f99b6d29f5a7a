"""
Writing label files, for all dialects of YOLO: rows, indices, sizes, and what is beside them.

An item that nobody annotated has no label file, one without objects an empty one. Where images are
not written, their sizes are, to `images.meta`: without them the rows mean nothing.
"""

import shlex
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from dvcs.errors import DvcsError, UsageError
from dvcs.files import Sink, image_size
from dvcs.formats._yolo.corners import corner_numbers
from dvcs.formats._yolo.files import META
from dvcs.formats._yolo.limits import LEAST, LEFT_OUT, MOST, is_left_out
from dvcs.formats._yolo.numbers import NAME, ring_numbers
from dvcs.formats._yolo.rows import Task, box_numbers, pose_numbers, row
from dvcs.model import Annotation, Bbox, Dataset, Item, Labels, Points, Polygon, RotatedBbox
from dvcs.names import extension, item_id, simple_name, strip_extension

LARGEST_INDEX = 100_000
FOUR = "%.10g %.10g %.10g %.10g"
"""The numbers of a box, as `row` writes them."""


def numbered(labels: Labels, *, keep_ids: bool) -> dict[int, str]:
    """
    Return the labels by index: in their order, or by original ids with `class-N` in between.

    Raises UsageError where the ids cannot be indices.
    """
    if not keep_ids:
        return dict(enumerate(labels.names))
    found: dict[int, str] = {}
    for position, label in enumerate(labels):
        id = position if label.id is None else label.id
        if not isinstance(id, int) or not 0 <= id <= LARGEST_INDEX or id in found:
            raise UsageError(
                f"the label '{label.name}' has the id {id!r}, which cannot be its index",
                hint="leave out --keep-ids after the '--'",
            )
        found[id] = label.name
    taken = set(found.values())
    for index in range(max(found, default=-1) + 1):
        name = f"class-{index}"
        while index not in found and name in taken:
            name += "_"
        found.setdefault(index, name)
    return dict(sorted(found.items()))


def other_name(subset: str) -> str:
    """Return the hint for a subset that a format cannot have."""
    return (
        "rename it where the dataset comes from, choose another format, or rename it in Python:"
        f" dataset.transform('map_subsets', mapping={{'{subset}': 'NEW'}})"
    )


def checked_names(names: Mapping[int, str]) -> list[str]:
    """Return labels for a file of a line each. Raises UsageError for one that it cannot hold."""
    for name in names.values():
        if name != name.strip() or not name or len(name.splitlines()) != 1:
            raise UsageError(
                f"the label {name!r} cannot stand in a file of a label a line",
                hint="rename it, or export to yolo_detect",
            )
    return list(names.values())


def keypoint_shape(dataset: Dataset) -> tuple[int, int]:
    """Return how many keypoints an object has at most, and whether with visibility (3) or not."""
    most = max((len(label.keypoints) for label in dataset.labels), default=0)
    flagged = found = False
    for item in dataset:
        for note in item.annotations:
            if isinstance(note, Points):
                found = True
                most = max(most, len(note.points) // 2)
                flagged = flagged or bool(note.visibility)
    return most, 2 if found and not flagged else 3


class Rows:
    """Makes the rows of items."""

    def __init__(
        self,
        task: Task,
        names: Mapping[int, str],
        *,
        shape: tuple[int, int] = (0, 3),
        save_scores: bool = False,
    ) -> None:
        self.task = task
        self.shape = shape
        self.save_scores = save_scores
        self._index = {name: index for index, name in names.items()}
        self.left_out = False
        """Whether Ultralytics leaves out the image of the rows that were made last."""
        self._box_rows = {name: f"{index} {FOUR}" for index, name in names.items()}

    def of(self, item: Item) -> list[str]:
        """Return an item's rows. Raises DvcsError where the size of its image is not known."""
        self.left_out = False
        if not item.annotations:
            return []
        size = image_size(item)
        if size is None or not all(size):
            raise DvcsError(
                f"item '{item.id}': the size of its image is not known,"
                " and YOLO's coordinates are parts of it",
                hint="read it with its images, or choose a format that needs no sizes, like coco",
            )
        if self.task == "pose":
            return self._poses(item, *size)
        if self.task == "detect" and not self.save_scores:
            rows = self._boxes(item, *size)
            if rows is not None:
                return rows
        return [
            self._row(note, _numbers(note, *size), self._score(note)) for note in item.annotations
        ]

    def _row(self, note: Annotation, numbers: list[float], score: float | None) -> str:
        self.left_out = self.left_out or is_left_out(self.task, numbers, self.shape[1])
        return row(self._index[note.label or ""], numbers, score)

    def _boxes(self, item: Item, height: int, width: int) -> list[str] | None:
        """Return rows of boxes alone, in half the time; None where a number needs a closer look."""
        forms = self._box_rows
        rows: list[str] = []
        for note in item.annotations:
            if not isinstance(note, Bbox):
                return None
            w, h = note.w, note.h
            x, y = (note.x + w / 2) / width, (note.y + h / 2) / height
            w, h = w / width, h / height
            if not (LEAST <= x <= MOST and LEAST <= y <= MOST and w <= MOST and h <= MOST):
                self.left_out = True
            rows.append(forms[note.label or ""] % (x, y, w, h))
        text = "".join(rows)
        return None if "e" in text or "-0" in text else rows

    def _score(self, note: Annotation) -> float | None:
        return note.score if self.save_scores else None

    def _poses(self, item: Item, height: int, width: int) -> list[str]:
        rows = []
        for box, points in pose_pairs(item):
            note = box or points
            if note is not None and (isinstance(box, Bbox) or box is None):
                numbers = pose_numbers(box, points, self.shape, height, width)
                rows.append(self._row(note, numbers, self._score(note)))
        return rows


def pose_pairs(item: Item) -> Iterator[tuple[Annotation | None, Points | None]]:
    """Yield each annotation, a box with the keypoints of its group, keypoints left over alone."""
    mates: dict[tuple[int, str | None], list[Points]] = {}
    for note in item.annotations:
        if isinstance(note, Points) and note.group:
            mates.setdefault((note.group, note.label), []).append(note)
    pairs = {}
    for note in item.annotations:
        if isinstance(note, Bbox) and mates.get((note.group, note.label)):
            pairs[id(note)] = mates[note.group, note.label].pop(0)
    paired = {id(points) for points in pairs.values()}
    for note in item.annotations:
        if not isinstance(note, Points):
            yield note, pairs.get(id(note))
        elif id(note) not in paired:
            yield None, note


def torn_groups(item: Item) -> int:
    """Return how many annotations are in groups that are more than a box with its keypoints."""
    sizes = Counter(note.group for note in item.annotations if note.group)
    if max(sizes.values(), default=0) < 2:
        return 0
    rows = Counter(box.group for box, _ in pose_pairs(item) if box is not None)
    rows.update(points.group for box, points in pose_pairs(item) if box is None and points)
    return sum(size for group, size in sizes.items() if size > 1 and rows[group] > 1)


def _numbers(note: Annotation, height: int, width: int) -> list[float]:
    if isinstance(note, Bbox):
        return box_numbers(note, height, width)
    if isinstance(note, RotatedBbox):
        return corner_numbers(note, height, width)
    if isinstance(note, Polygon):
        return ring_numbers(note.parts[0][0], height, width)
    raise TypeError(note.kind)  # the record of the format says that it gets no other


class Writer:
    """Writes images and labels, and keeps lists of them by subset."""

    def __init__(
        self,
        sink: Sink,
        rows: Rows,
        place: Callable[[str, str], tuple[str, str]],
        *,
        ultralytics: bool = True,
    ) -> None:
        """
        `place` returns the paths of image (without extension) and labels, of subset and id.

        With `ultralytics`, images that it leaves out are noted.
        """
        self.ultralytics = ultralytics
        self.sink = sink
        self.rows = rows
        self.images: dict[str, list[str]] = {}
        """The paths of the images by subset, in order, whether they are written or not."""
        self.unwritten: dict[str, int] = {}
        """How many images of a subset are not written."""
        self._place = place
        self._meta: list[str] = []

    def write(self, dataset: Dataset) -> None:
        """Write all items."""
        subsets: dict[str, str] = {}
        for item in dataset:
            subset = subsets.get(item.subset)
            if subset is None:
                subset = subsets[item.subset] = simple_name(item.subset, "subset")
            stem, label = self._place(subset, item_id(item.id))
            image = self._image(item, stem)
            self.images.setdefault(subset, []).append(image)
            if item.annotations or item.annotated:
                lines = self.rows.of(item)
                if self.rows.task == "pose" and (torn := torn_groups(item)):
                    self.sink.lost_fields["group"] += torn
                if self.rows.left_out and self.ultralytics:
                    self.sink.note(LEFT_OUT, example=f"'{item.subset}/{item.id}'")
                self.sink.bytes(label, ("\n".join(lines) + "\n").encode() if lines else b"")
        if self._meta:
            self.sink.lines(META, self._meta)

    def _image(self, item: Item, stem: str) -> str:
        path = stem + image_extension(item)
        there = bool(item.origins) and item.origins[0] is not None
        if item.media is not None and item.media.files:
            path = self.sink.media(item, path)
        if not there or not self.sink.save_media:
            self.unwritten[item.subset] = self.unwritten.get(item.subset, 0) + 1
            size = image_size(item)
            if size is not None:
                name = path if path[0] not in "\"'" and path == path.strip() else shlex.quote(path)
                self._meta.append(f"{name} {size[0]} {size[1]}")
        return path


def image_extension(item: Item) -> str:
    """Return the extension of an item's image as it is, else `.jpg`."""
    if item.media is None or not item.media.files:
        return ".jpg"
    file = item.media.files[0]
    return file.ext or extension(file.name or "") or ".jpg"


def note_missing(sink: Sink, trainer: str, missing: Sequence[str]) -> None:
    """Note which of the subsets that a trainer needs are not there."""
    if missing:
        wanted = " and ".join(f"'{key}'" for key in missing)
        subsets = "subset" if len(missing) == 1 else "subsets"
        sink.note(f"{trainer} looks for the {subsets} {wanted}, which this dataset does not have")


def metadata(dataset: Dataset) -> dict[str, Any]:
    """Return what was said of the dataset beside labels and subsets, where it came from YOLO."""
    found = dataset.metadata.get(NAME, {})
    return dict(found) if isinstance(found, Mapping) else {}


def stem_of(path: str) -> str:
    """Return a file's name without folder and extension."""
    return strip_extension(path.rpartition("/")[2])
