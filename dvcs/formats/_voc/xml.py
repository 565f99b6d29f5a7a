"""
One XML file of Pascal VOC from annotations: what `objects.py` and `items.py` read.

Files are joined from strings. Elements that most readers of VOC expect (`pose`, `truncated`,
`difficult`) are written for every object, also where an annotation does not have them.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from dvcs.convert import convert
from dvcs.errors import InvalidShape
from dvcs.formats._voc.items import FOLDER
from dvcs.formats._voc.labels import NAME
from dvcs.formats._voc.objects import FLAGS, typed_value
from dvcs.formats._xml import Writer, escape
from dvcs.model import Annotation, Bbox, Label, Mask, RotatedBbox

NOTHING: Mapping[str, Any] = {}
_USUAL = {"depth": "3"}
"""What `<size>` says beside the sides, unless a file said otherwise."""
_BOOLEAN = frozenset({"0", "1", "true", "false", "yes", "no"})


class Object(msgspec.Struct):
    """What becomes one `<object>`: a box with its parts, its mask, or a mask alone."""

    note: Annotation
    parts: list[Bbox] = []
    mask: Mask | None = None
    group: int = 0
    extent: tuple[float, float, float, float] | None = None
    """x, y, w, h around a mask, where that is known already."""
    actions: Sequence[str] = ()
    """The attributes that are actions."""


def own(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return VOC's part of `extra` or `derived`."""
    found = value.get(NAME, NOTHING) if value else NOTHING
    return found if isinstance(found, Mapping) else NOTHING


def document(
    said: Mapping[str, Any],
    file_name: str | None,
    size: tuple[int, int] | None,
    labels: Iterable[Label],
    objects: Iterable[Object],
    *,
    segmented: bool,
    attributes: bool,
) -> str:
    """Return a file. `said` is the item's `extra["voc"]`; `size` the image's height and width."""
    writer = Writer()
    marks = {key[1:]: value for key, value in said.items() if key.startswith("@")}
    writer.start("annotation", marks)
    for tag, value in (
        ("folder", said.get("folder", FOLDER)),
        ("filename", said.get("filename", file_name)),
    ):
        if value is not None:
            writer.record(tag, value)
    _size(writer, said.get("size", _USUAL), size)
    segment = said.get("segmented", "1" if segmented else "0")
    if segment is not None:
        writer.record("segmented", segment)
    for tag, value in said.items():
        if tag[:1] not in {"", "@", "#"} and tag not in _HEAD:
            writer.record(tag, value)
    for label in labels:
        writer.start("label")
        writer.leaf("name", label.label)
        _attributes(writer, label.attributes)
        writer.end()
    for one in objects:
        _object(writer, one, attributes=attributes)
    writer.end()
    return writer.take()


_HEAD = frozenset({"folder", "filename", "size", "segmented"})


def _size(writer: Writer, rest: Any, size: tuple[int, int] | None) -> None:
    if rest is None or (size is None and rest is _USUAL):
        return
    writer.start("size")
    if size is not None:
        writer.leaf("width", size[1])
        writer.leaf("height", size[0])
    for tag, value in rest.items() if isinstance(rest, dict) else ():
        if size is None or tag not in {"width", "height"}:
            writer.record(tag, value)
    writer.end()


def _object(writer: Writer, one: Object, *, attributes: bool) -> None:
    note = one.note
    extra = own(note.extra)
    if isinstance(note, Bbox) and not (
        note.attributes or extra or note.derived or one.parts or one.group
    ):
        writer.lines.append(_simple(note))
        return
    writer.start("object")
    writer.lines.append(f"    <name>{escape(note.label or '')}</name>")
    if isinstance(note, Mask):
        from dvcs.geometry import masks

        rest: Mapping[str, Any] = note.attributes
        writer.lines.append(_PLAIN)
        writer.lines.append("    <type>mask</type>")
        extent = one.extent or masks.bbox(note.size, note.counts)
        _box(writer, Bbox(*extent), None)
    else:
        rest = _said(writer, note, extra, one.actions)
        if isinstance(note, RotatedBbox):
            _rotated(writer, note, extra)
        else:
            _box(writer, note, extra.get("bndbox"))
    for part in one.parts:
        _part(writer, part)
    if one.actions:
        writer.start("actions")
        for name in one.actions:
            writer.leaf(name, _flag(note.attributes[name]))
        writer.end()
    if rest and attributes:
        _attributes(writer, rest)
    if one.group:
        writer.leaf("group", one.group)
    for tag, value in extra.items():
        if tag[:1] not in {"", "@", "#"} and tag != "bndbox":
            writer.record(tag, value)
    writer.end()


_PLAIN = """    <pose>Unspecified</pose>
    <truncated>0</truncated>
    <difficult>0</difficult>"""


def _simple(box: Bbox) -> str:
    """Return a box of which nothing is said but its label: in one piece, in a third of the time."""
    return f"""  <object>
    <name>{escape(box.label or "")}</name>
{_PLAIN}
    <bndbox>
      <xmin>{number(box.x)}</xmin>
      <ymin>{number(box.y)}</ymin>
      <xmax>{number(box.x + box.w)}</xmax>
      <ymax>{number(box.y + box.h)}</ymax>
    </bndbox>
  </object>"""


def _said(
    writer: Writer, note: Annotation, extra: Mapping[str, Any], actions: Sequence[str]
) -> Mapping[str, Any]:
    """Write the attributes that have an element of their own; return the others."""
    said = note.attributes
    if not said and "#without" not in extra:
        writer.lines.append(_PLAIN)
        return said
    without = extra.get("#without") or ()
    rest = {name: value for name, value in said.items() if name not in _ELEMENTS}
    for name in actions:
        del rest[name]
    pose = said.get("pose")
    if isinstance(pose, str):
        writer.lines.append(f"    <pose>{escape(pose)}</pose>")
    elif pose is not None:
        rest["pose"] = pose
    elif "pose" not in without:
        writer.lines.append("    <pose>Unspecified</pose>")
    for name in FLAGS:
        value = said.get(name)
        if is_flag(value):
            writer.lines.append(f"    <{name}>{escape(_flag(value))}</{name}>")
            continue
        if value is not None:
            rest[name] = value
        if name != "occluded" and name not in without:
            writer.lines.append(f"    <{name}>{int(bool(value))}</{name}>")
    return rest


_ELEMENTS = frozenset({"pose", *FLAGS})


def is_flag(value: Any) -> bool:
    """Tell whether an element of 0 and 1 gives a value back: a bool, or any other text."""
    return isinstance(value, bool) or (
        isinstance(value, str) and value.strip().lower() not in _BOOLEAN
    )


def _flag(value: Any) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)


def _box(writer: Writer, box: Annotation, more: Any) -> None:
    if not isinstance(box, Bbox):
        return
    left, top, right, bottom = box.x, box.y, box.x + box.w, box.y + box.h
    if box.derived:
        derived = own(box.derived)
        right, bottom = derived.get("xmax", right), derived.get("ymax", bottom)
    indent = "  " * writer.depth
    writer.lines.append(
        f"{indent}<bndbox>\n"
        f"{indent}  <xmin>{number(left)}</xmin>\n"
        f"{indent}  <ymin>{number(top)}</ymin>\n"
        f"{indent}  <xmax>{number(right)}</xmax>\n"
        f"{indent}  <ymax>{number(bottom)}</ymax>"
    )
    if isinstance(more, dict):
        for tag, value in more.items():
            writer.record(tag, value)
    writer.lines.append(f"{indent}</bndbox>")


def _part(writer: Writer, part: Bbox) -> None:
    extra = own(part.extra)
    writer.start("part")
    writer.leaf("name", part.label)
    _box(writer, part, extra.get("bndbox"))
    for tag, value in extra.items():
        if tag[:1] not in {"", "@", "#"} and tag != "bndbox":
            writer.record(tag, value)
    writer.end()


def _rotated(writer: Writer, box: RotatedBbox, extra: Mapping[str, Any]) -> None:
    """Write a rotated box, and for those who do not know it its extent, unless it had none."""
    if extra.get("bndbox", True) is not None:
        _box(writer, (convert(box, "bbox", None) or [box])[0], None)
    if "type" not in extra:
        writer.leaf("type", "robndbox")
    radians = own(box.derived).get("angle", math.radians(box.angle))
    writer.start("robndbox")
    for name in ("cx", "cy", "w", "h"):
        writer.leaf(name, number(getattr(box, name)))
    writer.leaf("angle", number(radians))
    writer.end()


def number(value: float) -> str:
    """Return a coordinate as the shortest text that reads back; whole ones without a point."""
    value = float(value)  # callers of the API give whole numbers too
    if value.is_integer() and abs(value) < 1 << 53:
        return str(int(value))
    if not math.isfinite(value):
        raise InvalidShape(f"coordinate '{value}' of a box is not a finite number")
    return repr(value)


def _attributes(writer: Writer, attributes: Mapping[str, Any]) -> None:
    writer.start("attributes")
    for name, value in attributes.items():
        text, kind = typed_value(value)
        writer.start("attribute")
        writer.leaf("name", name)
        writer.leaf("value", text, {"type": kind} if kind else None)
        writer.end()
    writer.end()
