"""
Tracks of sequences: what stands at a frame, between keyframes too.

Between two keyframes boxes and ellipses move linearly and turn the shorter way, and so do the
keypoints of skeletons and the corners of polygons and lines; sets of several points and masks stay
as they were until the next keyframe. Polygons and lines whose numbers of corners differ stay, too
(CVAT matches their corners by length along the outline). The last keyframe holds to the end of the
task. Where one is `outside`, the object is away until the next. These are CVAT's rules
(https://docs.cvat.ai/docs/manual/advanced/track-mode-advanced/); other formats have none.

Readers of formats make the shapes between keyframes so, and a merge makes them anew.
"""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from dvcs.model import (
    Annotation,
    Bbox,
    Ellipse,
    Item,
    Other,
    Points,
    Polygon,
    PolyLine,
    RotatedBbox,
)

NAME = "cvat"
"""The format under whose name shapes are marked."""

MADE = "interpolated"
"""The mark of a shape that no file lists: it follows from the keyframes around it."""
CLOSE = 1e-6
"""Shapes closer than this many pixels to what follows from the keyframes need not be listed."""


class Track:
    """The listed shapes of one track, in order of their frames; None where it ends unseen."""

    __slots__ = ("first", "frames", "notes", "stop")

    def __init__(self, listed: Sequence[tuple[int, Annotation | None]], stop: int) -> None:
        self.frames = [frame for frame, _ in listed]
        self.notes = [note for _, note in listed]
        self.first = self.frames[0]
        last = self.notes[-1]
        ends = last is None or is_outside(last)
        self.stop = self.frames[-1] if ends else max(stop, self.frames[-1])
        """The last frame at which there may be something."""

    def at(self, frame: int) -> Annotation | None:
        """Return what stands at a frame: what is listed, or follows from the keyframes."""
        index = bisect_right(self.frames, frame) - 1
        note = self.notes[index] if index >= 0 else None
        if note is None or self.frames[index] == frame:
            return note
        if is_outside(note):
            return None
        after = self.notes[index + 1] if index + 1 < len(self.notes) else None
        if after is None:
            return made(note)
        start, end = self.frames[index], self.frames[index + 1]
        return between(note, after, (frame - start) / (end - start))


def frame_of(item: Item) -> int | None:
    """Return the number of an item's frame; None where it is none of a sequence."""
    if item.media is not None and item.media.frame is not None:
        return item.media.frame
    extra = item.extra.get(NAME)
    number = extra.get("id") if isinstance(extra, dict) else None
    return number if isinstance(number, int) else None


def is_interpolated(note: Annotation) -> bool:
    """Tell whether a shape was made up between keyframes and so follows from them."""
    return note.track is not None and note.attributes.get("keyframe") is False


def is_outside(note: Annotation) -> bool:
    """Tell whether a shape only says that its object is not seen."""
    return note.attributes.get("outside") is True


def made(note: Annotation, **geometry: Any) -> Annotation:
    """Return the shape of a keyframe as it stands at a later frame."""
    return note.with_(
        attributes={**note.attributes, "keyframe": False},
        extra={**note.extra, NAME: {**note.extra.get(NAME, {}), MADE: True}},
        derived={},
        **geometry,
    )


def between(a: Annotation, b: Annotation, part: float) -> Annotation:
    """Return what stands after `part` (0 to 1) of the way from one keyframe to the next."""
    if isinstance(a, Bbox | RotatedBbox) and isinstance(b, Bbox | RotatedBbox):
        return _between_boxes(a, b, part)
    if isinstance(a, Ellipse) and isinstance(b, Ellipse):
        values = _mix(a.geometry[:4], b.geometry[:4], part)
        angle = _turn(a.angle, b.angle, part)
        return made(a, **dict(zip(("cx", "cy", "rx", "ry"), values, strict=True)), angle=angle)
    if moves(a, b):
        values = _mix(corners(a), corners(b), part)
        if isinstance(a, Polygon):
            return made(a, parts=[[values]])
        if isinstance(a, Other):
            return made(a, record={**a.record, "points": values})
        return made(a, points=values)
    return made(a)


def moves(a: Annotation, b: Annotation) -> bool:
    """Tell whether a shape with corners moves towards another one, corner by corner."""
    if a.kind != b.kind or len(corners(a)) != len(corners(b)) or not corners(a):
        return False
    if isinstance(a, Points):
        return len(a.points) == 2 or bool(a.visibility)
    return isinstance(a, Polygon | PolyLine | Other)


def jumps(a: Annotation, b: Annotation) -> bool:
    """Tell whether CVAT would move one shape towards another where `between` keeps the first."""
    return a.kind == b.kind and isinstance(a, Polygon | PolyLine) and not moves(a, b)


def corners(note: Annotation) -> list[float]:
    """Return the points of a shape made of them, one ring of a polygon; else an empty list."""
    if isinstance(note, Polygon):
        return note.parts[0][0] if len(note.parts) == 1 and len(note.parts[0]) == 1 else []
    if isinstance(note, PolyLine | Points):
        return note.points
    if isinstance(note, Other) and isinstance(note.record, dict):
        points = note.record.get("points")
        return points if isinstance(points, list) else []
    return []


def _between_boxes(a: Bbox | RotatedBbox, b: Bbox | RotatedBbox, part: float) -> Annotation:
    if isinstance(a, Bbox) and isinstance(b, Bbox):
        x, y, w, h = _mix(a.geometry, b.geometry, part)
        return made(a, x=x, y=y, w=w, h=h)
    first, second = turned(a), turned(b)
    cx, cy, w, h = _mix(first[:4], second[:4], part)
    angle = _turn(first[4], second[4], part)
    fields = {name: getattr(a, name) for name in SHARED}
    if angle:
        return made(RotatedBbox(cx=cx, cy=cy, w=w, h=h, angle=angle, **fields))
    return made(Bbox(x=cx - w / 2, y=cy - h / 2, w=w, h=h, **fields))


SHARED = ("label", "id", "group", "z_order", "score", "track", "attributes", "extra", "unknown")


def turned(note: Bbox | RotatedBbox) -> tuple[float, float, float, float, float]:
    """Return a box's centre, size and angle."""
    if isinstance(note, RotatedBbox):
        return note.cx, note.cy, note.w, note.h, note.angle
    return note.x + note.w / 2, note.y + note.h / 2, note.w, note.h, 0.0


def _mix(a: Sequence[float], b: Sequence[float], part: float) -> list[float]:
    return [x + (y - x) * part for x, y in zip(a, b, strict=True)]


def _turn(a: float, b: float, part: float) -> float:
    """Return an angle on the shorter way from one to another, 0 to 360 degrees."""
    way = (b - a + 180) % 360 - 180
    return (a + way * part + 360) % 360 if way else a


def follows(note: Annotation, wanted: Annotation) -> bool:
    """Tell whether a shape is, all in all, the one that follows from the keyframes."""
    if note.kind != wanted.kind or len(corners(note)) != len(corners(wanted)):
        return False
    if (note.label, note.z_order, note.attributes) != (
        wanted.label,
        wanted.z_order,
        wanted.attributes,
    ):
        return False
    if isinstance(note, Points) and note.visibility != getattr(wanted, "visibility", None):
        return False
    mine, theirs = (corners(one) or _numbers(one) for one in (note, wanted))
    if mine and theirs:
        return all(abs(x - y) <= CLOSE for x, y in zip(mine, theirs, strict=True))
    return note.geometry == wanted.geometry


def _numbers(note: Annotation) -> Sequence[float]:
    return note.geometry if isinstance(note, Bbox | RotatedBbox | Ellipse) else ()
