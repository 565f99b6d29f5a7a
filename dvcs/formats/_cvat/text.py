"""
Annotations as CVAT's elements: the shapes of an image, and those of a track.

    <box label="car" source="manual" occluded="0" xtl="1.50" ... z_order="0">
      <attribute name="model">a</attribute>
    </box>

Attributes of the XML that CVAT does not know, and skips, carry what its shapes cannot say:
`part="1/2"` a polygon of several parts, `visibility` that of plain points, `implied` the end of a
track that nobody said, `track_id` the track of what stands in an image, `type="json"` a value
that none of CVAT's input types holds.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from dvcs.errors import UnsafeName
from dvcs.formats._cvat.labels import element_specs, kind_of, specs, value_text
from dvcs.formats._cvat.meta import NAME, Outline, write_outline
from dvcs.formats._cvat.numbers import edges, edges_about, number, points
from dvcs.formats._cvat.shapes import CORNERS
from dvcs.formats._xml import Writer, escape, quoted
from dvcs.model import (
    ABSENT,
    HIDDEN,
    VISIBLE,
    Annotation,
    AttributeSpec,
    Bbox,
    Ellipse,
    Label,
    Labels,
    Mask,
    Other,
    Points,
    Polygon,
    PolyLine,
    RotatedBbox,
)

NOTHING: Mapping[str, Any] = {}
NAMES = re.compile(r"[^\W\d][\w.-]*\Z")
FLAGS = frozenset({"occluded", "outside", "keyframe"})
Texts = list[tuple[str, str]]
"""Pieces of geometry as elements: their tag and attributes, several for a polygon of parts."""


class Shapes:
    """Writes annotations of a file, and notes which attributes nobody declared."""

    def __init__(self, labels: Labels, *, allow_undeclared: bool) -> None:
        self.labels = labels
        self._labels = {one.name: one for one in labels}
        self._kinds = {one.name: specs(one, labels.attributes) for one in labels}
        self._elements = {one.name: element_specs(one) for one in labels if one.keypoints}
        self._allow = allow_undeclared
        self._quoted: dict[str | None, str] = {None: '""'}
        self._heads: dict[str | None, str] = {}
        self.found: dict[str, list[AttributeSpec]] = {}
        """Attributes that were used and not declared, by label."""

    def quoted(self, label: str | None) -> str:
        """Return a label as the value of an attribute."""
        text = self._quoted.get(label)
        if text is None:
            text = self._quoted[label] = quoted(label or "")
        return text

    def element(self, note: Annotation, indent: str, group: int | None) -> str:
        """Return the lines of an annotation of an image."""
        silent = note.track is None and not note.attributes and NAME not in note.extra
        if silent and isinstance(note, Bbox | Polygon):
            return self._plain(note, indent, group)
        extra = note.extra.get(NAME, NOTHING)
        attributes = note.attributes
        tag = "tag" if isinstance(note, Label) else ""
        occluded = attributes.get("occluded") is True
        head = (
            f" label={self.quoted(note.label)} source={quoted(str(extra.get('source', 'manual')))}"
        )
        if not tag and (occluded or not self.is_skeleton(note)):
            head += f' occluded="{int(occluded)}"'
        tail = "" if tag and not note.z_order else f' z_order="{note.z_order}"'
        if group is not None:
            tail += f' group_id="{group}"'
        if note.track is not None:
            tail += f" track_id={quoted(str(note.track))}"
        if extra:
            tail += rest_text(extra)
        flags = (
            frozenset({"occluded"}) if not tag and type(attributes.get("occluded")) is bool else ()
        )
        inner = self._inner(note, indent + "  ", flags, mutable=False)
        shapes = [("tag", "")] if tag else self.geometry(note)
        texts = []
        for tag, text in shapes:
            below = self._parts(note, tag, indent + "  ", None) + inner
            texts.append(_element(indent, tag, f"{head}{text}{tail}", below))
        return "".join(texts)

    def _plain(self, note: Bbox | Polygon, indent: str, group: int | None) -> str:
        """Return the lines of a shape of which nothing else is said, in half the time."""
        head = self._heads.get(note.label)
        if head is None:
            head = f' label={self.quoted(note.label)} source="manual" occluded="0"'
            self._heads[note.label] = head
        tail = f' z_order="{note.z_order}"' + ("" if group is None else f' group_id="{group}"')
        shapes = _box(note) if isinstance(note, Bbox) else _polygon(note)
        return "".join([f"{indent}<{tag}{head}{text}{tail}/>\n" for tag, text in shapes])

    def tracked(
        self, note: Annotation, indent: str, frame: int, *, keyframe: bool, ends: bool = False
    ) -> str:
        """Return the lines of a shape of a track; `ends` says that the object is gone here."""
        attributes = note.attributes
        extra = note.extra.get(NAME, NOTHING)
        outside = ends or attributes.get("outside") is True
        head = f' frame="{frame}" keyframe="{int(keyframe)}"'
        occluded = attributes.get("occluded") is True
        if not self.is_skeleton(note):
            head += f' outside="{int(outside)}" occluded="{int(occluded)}"'
        else:
            gone = outside and not ends and any(getattr(note, "visibility", ()))
            head += ' outside="1"' * gone + ' occluded="1"' * occluded
        tail = f' z_order="{note.z_order}"' + (' implied="1"' if ends else "")
        if extra:
            tail += rest_text(extra)
        flags = frozenset(name for name in FLAGS if type(attributes.get(name)) is bool)
        inner = self._inner(note, indent + "  ", flags, mutable=True)
        texts = []
        for tag, text in self.geometry(note):
            below = self._parts(note, tag, indent + "  ", keyframe, outside=ends) + inner
            texts.append(_element(indent, tag, f"{head}{text}{tail}", below))
        return "".join(texts)

    # Attributes

    def _inner(self, note: Annotation, indent: str, flags: Iterable[str], *, mutable: bool) -> str:
        """Return the elements inside a shape: its attributes, in the order of their declaration."""
        extra = note.extra.get(NAME, NOTHING)
        others = extra.get("children")
        if len(note.attributes) <= len(tuple(flags)) and not others:
            return ""
        kinds = self._kinds.get(note.label or "", NOTHING)
        names = [name for name in note.attributes if name not in flags]
        order = {name: n for n, name in enumerate(kinds)}
        names.sort(key=lambda name: order.get(name, len(order)))
        lines = []
        for name in names:
            value = note.attributes[name]
            kind = kinds.get(name)
            if kind is None:
                kind = self._undeclared(note.label, name, value, mutable=mutable)
            lines.append(_attribute(indent, name, value, kind))
        if others:
            lines.append(_children(indent, others))
        return "".join(lines)

    def _undeclared(self, label: str | None, name: str, value: Any, *, mutable: bool) -> str:
        """Return the input type of an attribute that nobody declared, and have it declared."""
        if self._allow or label is None or label not in self._labels:
            return ""
        kind = kind_of(value)
        default = False if kind == "checkbox" else None
        spec = AttributeSpec(name=name, type=kind, default=default, mutable=mutable)  # type: ignore[arg-type]
        self.found.setdefault(label, []).append(spec)
        self._kinds[label][name] = kind
        return kind

    # Geometry

    def is_skeleton(self, note: Annotation) -> bool:
        """Tell whether points are the keypoints of their label."""
        if not isinstance(note, Points):
            return False
        label = self._labels.get(note.label or "")
        names = label.keypoints if label is not None else ()
        if "order" in note.extra.get(NAME, NOTHING):
            return len(_order(note, names)) == len(note.points) // 2
        return bool(names) and len(names) == len(note.points) // 2

    def geometry(self, note: Annotation) -> Texts:
        """Return what a shape is called and its coordinates as XML attributes."""
        if self.is_skeleton(note):
            return [("skeleton", "")]
        return _GEOMETRY[type(note)](note)

    def _parts(
        self,
        note: Annotation,
        tag: str,
        indent: str,
        keyframe: bool | None,
        *,
        outside: bool = False,
    ) -> str:
        """Return the elements that a shape consists of: a skeleton's points, or those verbatim."""
        if isinstance(note, Points) and tag == "skeleton":
            return self._keypoints(note, indent, keyframe, outside=outside)
        if isinstance(note, Other):
            return _children(indent, note.record.get("children", ()))
        return ""

    def _keypoints(self, note: Points, indent: str, keyframe: bool | None, *, outside: bool) -> str:
        extra = note.extra.get(NAME, NOTHING)
        label = self._labels.get(note.label or "")
        names = _order(note, label.keypoints if label is not None else ())
        wanted = [name for name in extra.get("order", names) if name in names] or list(names)
        kinds = self._elements.get(note.label or "", NOTHING)
        source = extra.get("source", "manual")
        lines = []
        for name in wanted:
            at = list(names).index(name)
            flag = note.visibility[at] if at < len(note.visibility) else VISIBLE
            rest = extra.get("elements", NOTHING).get(name, NOTHING)
            hidden = flag == HIDDEN or rest.get("occluded", False)
            gone = int(outside or flag == ABSENT)
            where = points(note.points[2 * at : 2 * at + 2])
            more = dict(rest.get("xml", NOTHING))
            text = f" label={self.quoted(name)}"
            if keyframe is None:
                text += f" source={quoted(str(more.pop('source', source)))}"
            else:
                text += f' keyframe="{more.pop("keyframe", int(keyframe))}"'
            text += f' outside="{gone}" occluded="{int(hidden)}" points="{where}"'
            text += rest_text({"xml": more})
            declared = kinds.get(name, NOTHING)
            inner = "".join(
                _attribute(indent + "  ", key, value, declared.get(key, ""))
                for key, value in rest.get("attributes", NOTHING).items()
            )
            inner += _children(indent + "  ", rest.get("children", ()))
            lines.append(_element(indent, "points", text, inner))
        return "".join(lines)


def _order(note: Points, names: Iterable[str]) -> tuple[str, ...]:
    """Return the names of a skeleton's points: its label's keypoints, else those it came with."""
    order = note.extra.get(NAME, NOTHING).get("order", ())
    found = tuple(names)
    return found if not order or set(order) == set(found) else tuple(order)


def _box(note: Bbox) -> Texts:
    left, right = edges(note.x, note.w)
    top, bottom = edges(note.y, note.h)
    return [("box", f' xtl="{left}" ytl="{top}" xbr="{right}" ybr="{bottom}"')]


def _rotated(note: RotatedBbox) -> Texts:
    left, right = edges_about(note.cx, note.w)
    top, bottom = edges_about(note.cy, note.h)
    corners = f' xtl="{left}" ytl="{top}" xbr="{right}" ybr="{bottom}"'
    return [("box", f'{corners} rotation="{number(note.angle)}"')]


def _ellipse(note: Ellipse) -> Texts:
    text = "".join(f' {name}="{number(getattr(note, name))}"' for name in ("cx", "cy", "rx", "ry"))
    return [("ellipse", text + (f' rotation="{number(note.angle)}"' if note.angle else ""))]


def _polygon(note: Polygon) -> Texts:
    if len(note.parts) == 1:
        return [("polygon", f' points="{points(note.parts[0][0])}"')]
    count = len(note.parts)
    return [
        ("polygon", f' points="{points(part[0])}" part="{n}/{count}"')
        for n, part in enumerate(note.parts, 1)
    ]


def _polyline(note: PolyLine) -> Texts:
    return [("polyline", f' points="{points(note.points)}"')]


def _points(note: Points) -> Texts:
    seen = f' visibility="{",".join(map(str, note.visibility))}"' if note.visibility else ""
    return [("points", f' points="{points(note.points)}"{seen}')]


def _mask(note: Mask) -> Texts:
    from dvcs.formats._cvat import masks

    box = note.extra.get(NAME, NOTHING).get("box")
    lengths, place = masks.from_counts(note.size, note.counts, tuple(box) if box else None)
    left, top, width, height = place
    text = f' rle="{", ".join(map(str, lengths))}" left="{left}" top="{top}"'
    return [("mask", f'{text} width="{width}" height="{height}"')]


def _other(note: Other) -> Texts:
    record = note.record
    try:
        if record["shape"] == "cuboid" and "points" in record:
            pairs = zip(CORNERS, record["points"], strict=True)
            return [("cuboid", "".join(f' {name}="{number(value)}"' for name, value in pairs))]
        return [(xml_name(record["shape"]), rest_text(record))]
    except (KeyError, TypeError, ValueError, AttributeError):
        raise UnsafeName(
            f"{str(record)[:80]!r} is no record of a CVAT shape", hint="remove that annotation"
        ) from None


_GEOMETRY: dict[type[Annotation], Callable[[Any], Texts]] = {
    Bbox: _box,
    RotatedBbox: _rotated,
    Ellipse: _ellipse,
    Polygon: _polygon,
    PolyLine: _polyline,
    Points: _points,
    Mask: _mask,
    Other: _other,
}


def rest_text(extra: Mapping[str, Any]) -> str:
    """Return the attributes of an element that nobody models."""
    values = extra.get("xml")
    if not values:
        return ""
    return "".join(f" {xml_name(key)}={quoted(str(value))}" for key, value in values.items())


def xml_name(name: str) -> str:
    """Return the name of an element or attribute without a namespace. Raises UnsafeName."""
    local = name.rpartition("}")[2]
    if not NAMES.match(local):
        raise UnsafeName(f"{name[:80]!r} cannot be a name in XML", hint="remove or rename it")
    return local


def _attribute(indent: str, name: str, value: Any, kind: str) -> str:
    text, marked = value_text(value, kind)
    mark = ' type="json"' if marked else ""
    return f"{indent}<attribute name={quoted(name)}{mark}>{escape(text)}</attribute>\n"


def _children(indent: str, others: Outline | tuple[()]) -> str:
    if not others:
        return ""
    writer = Writer()
    for tag, value in others:
        write_outline(writer, tag, value)
    return "".join(f"{indent}{line}\n" for line in writer.lines)


def _element(indent: str, tag: str, head: str, inner: str) -> str:
    if not inner:
        return f"{indent}<{tag}{head}/>\n"
    return f"{indent}<{tag}{head}>\n{inner}{indent}</{tag}>\n"
