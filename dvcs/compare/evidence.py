"""
What one comparison as a whole tells about ids, tracks and rounding, learnt from its first items.

Whether an id means anything between two revisions cannot be seen in one item: tools renumber all
annotations of a delivery, or none. So the items that come first (`SAMPLE`) are held back, their
equal annotations counted, then their pairs; from there on everything streams, and memory stays
bounded. A comparison with fewer changed items than that is decided on all of them.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from dvcs.compare.equality import key_without_track
from dvcs.model import Annotation, Item

SAMPLE = 2_000
"""Item pairs looked at before the first change is told."""
SAMPLE_ANNOTATIONS = 100_000
"""Annotations among them after which the sample is large enough: 135 MB for boxes, both sides."""

ENOUGH = 10_000
"""Pairs of different geometry after which it is clear whether coordinates were rounded."""

# Coordinates are rounded to whole numbers or up to this many decimals; more needs no excuse.
MOST_DECIMALS = 3
# Differences that no one made: x + (x2 - x1) is not x2 in floating point.
NOISE = 1e-6

# What tools write of a coordinate: CVAT, Datumaro and others 2 or 3 decimals of a pixel, tools for
# YOLO 6 of the image's side. A box then has its centre and size rounded, so its corners are off by
# as much again. No hand moves a shape by so little.
PIXEL_DECIMALS = (2, 3)
FRACTION = 2e-6

_Track = int | str
_Sequence = tuple[str, str, str]


class IdTrust:
    """
    How many equal annotations kept their id, and their track, from old to new.

    `kept` of `equal` pairs with an id on both sides kept it. A caller who knows of items that are
    the same byte for byte, and so were not compared, may count each as one that kept its ids.
    """

    def __init__(self, equal: int = 0, kept: int = 0) -> None:
        self.equal, self.kept = equal, kept
        self.tracks_equal, self.tracks_kept = 0, 0
        self._tracks: dict[tuple[_Sequence, bool, _Track], _Track] = {}

    @property
    def ids(self) -> bool | None:
        """Whether most ids were kept; None where nothing tells."""
        return self.kept * 2 > self.equal if self.equal else None

    @property
    def tracks(self) -> bool:
        """Whether tracks mean the same on both sides: unless most were renumbered."""
        return self.tracks_kept * 2 > self.tracks_equal or not self.tracks_equal

    def learn(self, pairs: Iterable[tuple[Annotation, Annotation]]) -> None:
        """Count pairs of equal annotations."""
        for old, new in pairs:
            if old.id and new.id:
                self.equal += 1
                self.kept += old.id == new.id

    def learn_tracks(self, old: Iterable[Annotation], new: Iterable[Annotation]) -> None:
        """Count the tracks of annotations that are equal but for their track."""
        tracks: dict[bytes, list[_Track]] = {}
        for note in new:
            if note.track is not None:
                tracks.setdefault(key_without_track(note), []).append(note.track)
        if not tracks:
            return
        for note in old:
            if note.track is not None and (found := tracks.get(key_without_track(note))):
                self.tracks_equal += 1
                self.tracks_kept += note.track in found

    def renamed_track(self, item: Item, old: _Track | None, new: _Track | None) -> bool:
        """
        Tell whether a shape's other track is but another number of the same track.

        So where most tracks were renumbered, and these two numbers of one sequence (the items of a
        folder) always stood for each other.
        """
        if old is None or new is None or self.tracks:
            return False
        sequence = (item.source, item.subset, item.id.rpartition("/")[0])
        forward = self._tracks.setdefault((sequence, True, old), new)
        backward = self._tracks.setdefault((sequence, False, new), old)
        return forward == new and backward == old


class Rounding:
    """
    To how many decimals the new side was rounded, if it was: `decimals`, else None.

    A delivery counts as rounded to k decimals (0 to 3) where of the pairs whose coordinates differ
    at least two, and more than half, are exactly the old ones rounded to k. Which way ties went
    does not matter. The other direction, a new side that is finer than the old, is a change.
    """

    def __init__(self, decimals: int | None = None) -> None:
        self.decimals = decimals
        self._different = 0
        self._explained = [0] * (MOST_DECIMALS + 1)

    def learn(self, old: Annotation, new: Annotation) -> None:
        """Count a pair, if it is of one kind and its geometry differs, up to `ENOUGH`."""
        if self._different >= ENOUGH or type(old) is not type(new) or old.geometry == new.geometry:
            return
        rings = coordinates(new)
        if not rings:
            return
        self._different += 1
        if not all(abs(at - round(at, MOST_DECIMALS)) <= NOISE for ring in rings for at in ring):
            return
        for decimals in range(MOST_DECIMALS + 1):
            if is_rounding(old, new, decimals):
                self._explained[decimals] += 1

    def decide(self) -> None:
        """Set `decimals` from what was counted: the finest rounding that explains the most."""
        most = max(self._explained)
        if most >= 2 and most * 2 > self._different:
            self.decimals = max(
                at for at, explained in enumerate(self._explained) if explained == most
            )

    def explains(self, old: Annotation, new: Annotation) -> bool:
        """Tell whether two shapes differ by no more than rounding or floating point noise."""
        return is_rounding(old, new, self.decimals)


def coordinates(note: Annotation) -> list[list[float]]:
    """Return the coordinates of an annotation as lists, one for each ring; none for bitmaps."""
    kind = note.kind
    if kind == "polygon":
        return [ring for part in note.parts for ring in part]  # type: ignore[attr-defined]
    if kind in ("polyline", "points"):
        return [note.points]  # type: ignore[attr-defined]
    if kind in ("bbox", "rotated_bbox", "ellipse"):
        return [list(note.geometry)]
    if kind == "cuboid_3d":
        return list(note.geometry)
    return []


def is_rounding(old: Annotation, new: Annotation, decimals: int | None) -> bool:
    """
    Tell whether `new` has the coordinates of `old`, rounded to `decimals` places; None: unrounded.

    Differences up to `NOISE` are none. A box may have its corners rounded instead of its width and
    height. What a format derived from the shape (its area) may differ by as much as that causes.
    """
    return _are_alike(old, new, lambda a, b: _near(a, b, decimals)) and _derived_near(
        old, new, 0.0 if decimals is None else 10.0**-decimals
    )


def is_shortened(old: Annotation, new: Annotation, size: tuple[int, int] | None) -> bool:
    """
    Tell whether `new` is `old` as a tool writes it that keeps fewer digits, or the very same shape.

    `size` is that of the image (h, w): without it, only decimals of a pixel are thought of.
    """
    if any(is_rounding(old, new, decimals) for decimals in (None, *PIXEL_DECIMALS)):
        return True
    slack = FRACTION * max(size or (0,))
    # What only one of them has is what a file says of a shape that it cannot hold exactly.
    derived = old.derived.keys() != new.derived.keys() or _derived_near(old, new, slack)
    return derived and _are_alike(old, new, lambda a, b: abs(a - b) <= slack)


def _are_alike(old: Annotation, new: Annotation, near: Callable[[float, float], bool]) -> bool:
    """Tell whether two shapes have the same coordinates, but for what is near."""
    if type(old) is not type(new):
        return False
    if old.geometry == new.geometry:
        return True
    before, after = coordinates(old), coordinates(new)
    if not before or list(map(len, before)) != list(map(len, after)):
        return False
    if old.kind == "polygon" and [len(part) for part in old.parts] != [  # type: ignore[attr-defined]
        len(part)
        for part in new.parts  # type: ignore[attr-defined]
    ]:
        return False
    if getattr(old, "visibility", None) != getattr(new, "visibility", None):
        return False
    corners = _CORNERS.get(old.kind)
    return _all_near(before, after, near) or (
        corners is not None and _all_near(corners(before), corners(after), near)
    )


def _corners(boxes: list[list[float]]) -> list[list[float]]:
    return [[x, y, x + w, y + h] for x, y, w, h in boxes]


def _turned(boxes: list[list[float]]) -> list[list[float]]:
    """Return the corners: of a short side an angle says less than its digits."""
    found = []
    for cx, cy, w, h, angle in boxes:
        ux, uy = math.cos(math.radians(angle)) / 2, math.sin(math.radians(angle)) / 2
        found.append([cx - w * ux + h * uy, cy - w * uy - h * ux, cx + w * ux, cy + w * uy, w, h])
    return found


_CORNERS = {"bbox": _corners, "rotated_bbox": _turned}


def _all_near(
    old: list[list[float]], new: list[list[float]], near: Callable[[float, float], bool]
) -> bool:
    return all(
        near(a, b)
        for one, other in zip(old, new, strict=True)
        for a, b in zip(one, other, strict=True)
    )


def _near(old: float, new: float, decimals: int | None) -> bool:
    step = abs(new - old)
    if step <= NOISE:
        return True
    if decimals is None:
        return False
    return step <= 0.5000001 * 10.0**-decimals and abs(new - round(new, decimals)) <= NOISE


def _derived_near(old: Annotation, new: Annotation, unit: float) -> bool:
    if old.derived == new.derived:
        return True
    # Moving an outline by half a unit changes the area by half a unit along all of it.
    slack = unit * max(1.0, _outline(old)) if old.geometry != new.geometry or unit else 0.0
    return _values_near(old.derived, new.derived, slack, unit)


def _values_near(old: Any, new: Any, slack: float, unit: float) -> bool:
    if isinstance(old, bool) or isinstance(new, bool):
        return old is new
    if isinstance(old, int | float) and isinstance(new, int | float):
        return abs(new - old) <= slack + NOISE * max(1.0, abs(old))
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return old.keys() == new.keys() and all(
            _values_near(old[name], new[name], slack, unit) for name in old
        )
    if isinstance(old, list | tuple) and isinstance(new, list | tuple):
        # Coordinates, such as a box: as far off as two rounded numbers.
        return len(old) == len(new) and all(
            _values_near(a, b, unit, unit) for a, b in zip(old, new, strict=True)
        )
    return bool(old == new)


def _outline(note: Annotation) -> float:
    """About the length of an outline, generously: sums of steps in x and in y."""
    rings = coordinates(note)
    if note.kind == "polygon":
        return sum(abs(ring[at] - ring[at - 2]) for ring in rings for at in range(len(ring)))
    if note.kind in ("bbox", "rotated_bbox", "ellipse"):
        return 4 * (abs(rings[0][2]) + abs(rings[0][3]))
    return 0.0
