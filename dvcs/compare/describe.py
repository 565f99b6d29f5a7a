"""A change of an annotation in one short line for people: exact, and without control characters."""

import math
from typing import Any

import msgspec

from dvcs.compare.changes import AnnotationChange
from dvcs.compare.evidence import coordinates
from dvcs.compare.similarity import bounds
from dvcs.model import Annotation

_LONGEST = 60
_AREAS = frozenset({"bbox", "rotated_bbox", "ellipse", "polygon", "mask", "cuboid_3d"})


def describe(change: AnnotationChange) -> str:
    """
    Say what changed: "bbox cat at 10, 20, 30 x 40: moved by 3.0, -1.5, now 12 % wider; IoU 0.83".

    "polygon dog -> cat at 5, 5, 9 x 9", "caption changed: 'a cat' -> 'two cats'", "bbox cat at 10,
    20, 30 x 40: attribute occluded: false -> true", "bbox cat added at 10, 20, 30 x 40". The place
    tells alike annotations apart: the upper left corner, width and height of the box around the
    shape, before it changed, in pixels. Moves are of that corner, or the centre of a turned shape;
    x, then y.
    """
    note = change.annotation
    if change.status != "changed" or change.before is None or change.after is None:
        return f"{_head(note)} {change.status}{_where(note)}"
    before, after, details = change.before, change.after, change.details
    head, said = _head(note), []
    if "type" in details:
        head = f"{before.kind} -> {after.kind}{_label(after.label)}"
        said.append(f"similarity {_share(change.similarity)}")
    elif "geometry" in details:
        if note.kind == "caption":
            said.append(f"changed: {_quoted(before.geometry[0])} -> {_quoted(after.geometry[0])}")
        else:
            said.append(_shape(before, after, change.similarity))
    if "label" in details:
        old, new = details["label"]
        head = head.removesuffix(_label(after.label)) + f" {_name(old)} -> {_name(new)}"
    said += [_field(name, *values) for name, values in details.items() if name not in _TOLD]
    if said and said[0].startswith("changed: "):
        return "; ".join([f"{head} {said[0]}", *said[1:]])
    head += "" if before.kind == "caption" else _where(before)
    return f"{head}: {'; '.join(said)}" if said else head


def describe_annotation(note: Annotation) -> str:
    """Say what an annotation is: "bbox cat at 10, 20, 30 x 40", "caption: 'a cat'"."""
    return f"{_head(note)}{_where(note)}"


_TOLD = frozenset({"type", "geometry", "label"})


def _head(note: Annotation) -> str:
    return note.kind + _label(note.label)


def _label(label: str | None) -> str:
    return "" if label is None else f" {_name(label)}"


def _name(label: str | None) -> str:
    if label is None:
        return "unlabelled"
    return label if label.isprintable() and label else repr(label)


def _where(note: Annotation) -> str:
    if note.kind == "caption":
        return f": {_quoted(note.geometry[0])}"
    box = None if note.kind == "cuboid_3d" else bounds(note)
    if box is None:
        return ""
    x, y, w, h = map(_number, box)
    return f" at {x}, {y}, {w} x {h}"


# -- shapes --------------------------------------------------------------------------------------


def _shape(a: Annotation, b: Annotation, similarity: float | None) -> str:
    if a.geometry == b.geometry:
        return "derived values changed"
    said = _box_changes(a, b)
    if a.kind in ("polygon", "polyline", "points") and (points := _points(a, b)):
        said = [points, *(f"box {one}" if one.startswith("moved") else one for one in said)]
    told = ", ".join(said) or "shape changed"
    measure = "IoU" if a.kind in _AREAS else "OKS" if a.kind == "points" else "similarity"
    return f"{told}; {measure} {_share(similarity)}"


def _box_changes(a: Annotation, b: Annotation) -> list[str]:
    """How a shape moved, turned and grew."""
    if a.kind == "cuboid_3d":
        return _cuboid_changes(a, b)
    said = []
    if a.kind in ("rotated_bbox", "ellipse"):
        (ax, ay, aw, ah, turn), (bx, by, bw, bh, turned) = a.geometry, b.geometry
        turn = math.remainder(turned - turn, 360)
    else:
        box, other = bounds(a), bounds(b)
        if box is None or other is None:
            return []
        (ax, ay, aw, ah), (bx, by, bw, bh) = box, other
        turn = 0.0
    if (ax, ay) != (bx, by):
        said.append(f"moved by {_offset(bx - ax, by - ay)}")
    if turn:
        said.append(f"turned by {_number(turn)} degrees")
    sizes = [_growth(aw, bw, "wider", "narrower"), _growth(ah, bh, "taller", "shorter")]
    if sizes := [one for one in sizes if one]:
        said.append(f"now {' and '.join(sizes)}")
    return said


def _cuboid_changes(a: Annotation, b: Annotation) -> list[str]:
    said = []
    (place, turn, size), (placed, turned, sized) = a.geometry, b.geometry
    if place != placed:
        steps = (new - old for old, new in zip(place, placed, strict=False))
        said.append(f"moved by {', '.join(_number(step) for step in steps)}")
    if turn != turned:
        said.append("turned")
    if size != sized:
        said.append(f"size {_numbers(size)} -> {_numbers(sized)}")
    return said


def _points(a: Annotation, b: Annotation) -> str:
    """How many of a shape's points moved, came or went, or are seen differently."""
    before, after = (_places(note) for note in (a, b))
    if len(before) != len(after):
        return f"{len(before)} -> {len(after)} points"
    steps = {_step(one, other) for one, other in zip(before, after, strict=True)}
    moved = sum(one != other for one, other in zip(before, after, strict=True))
    # Where all went the same way, the box around them tells it.
    said = [f"{moved} of {len(before)} points moved"] if moved and len(steps) > 1 else []
    if a.kind == "points":
        seen = [note.visibility or [2] * len(before) for note in (a, b)]  # type: ignore[attr-defined]
        changed = sum(one != other for one, other in zip(*seen, strict=False))
        if changed:
            said.append(f"visibility of {changed} changed")
    return ", ".join(said)


def _step(place: tuple[float, float], other: tuple[float, float]) -> tuple[float, float]:
    return round(other[0] - place[0], 6), round(other[1] - place[1], 6)


def _places(note: Annotation) -> list[tuple[float, float]]:
    return [
        place for ring in coordinates(note) for place in zip(ring[0::2], ring[1::2], strict=False)
    ]


def _growth(before: float, after: float, more: str, less: str) -> str:
    if before == after or not before > 0:
        return ""
    percent = abs(after / before - 1) * 100
    if percent < 1e-6:  # what floating point makes of a shape that only moved
        return ""
    text = f"{percent:.0f}" if percent >= 0.95 else f"{percent:.1g}"
    return f"{text} % {more if after > before else less}"


# -- values --------------------------------------------------------------------------------------


def _field(name: str, old: Any, new: Any) -> str:
    section, _, at = name.partition(".")
    what = f"attribute {_name(at)}" if section == "attributes" else section
    if name == "group":
        return "grouped differently"
    if name == "extra":
        return "format's own fields changed"
    if old is msgspec.UNSET:
        return f"{what} added: {_value(new)}"
    if new is msgspec.UNSET:
        return f"{what} removed, was {_value(old)}"
    return f"{what}: {_value(old)} -> {_value(new)}"


def _value(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _quoted(value)
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def _quoted(text: object) -> str:
    text = str(text)
    return repr(text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}...")


def _offset(x: float, y: float) -> str:
    digits = 1 if max(abs(x), abs(y)) >= 0.1 else 4
    return ", ".join(f"{step + 0.0:.{digits}f}" for step in (x, y))


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0") if abs(value) >= 0.1 or not value else f"{value:.2g}"


def _numbers(values: Any) -> str:
    return " x ".join(map(_number, values))


def _share(value: float | None) -> str:
    """A similarity that never looks like 1 where it is less."""
    value = 0.0 if value is None else value
    return "1.00" if value == 1 else f"{min(value, 0.99):.2f}" if value >= 0.99 else f"{value:.2f}"
