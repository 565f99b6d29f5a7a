"""
CVAT's shapes as annotations: `<box>`, `<polygon>`, `<skeleton>`, ... of an image or a track.

Whatever an element says beyond what is modelled is kept in the annotation's extra, so that it is
written again.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from dvcs.errors import InvalidShape
from dvcs.formats import _xml
from dvcs.formats._cvat.labels import Specs, element_specs, specs, typed
from dvcs.formats._cvat.meta import NAME, outline
from dvcs.formats._cvat.numbers import difference, floats, integers, middle, pairs
from dvcs.formats._xml import Element
from dvcs.model import (
    ABSENT,
    HIDDEN,
    VISIBLE,
    Annotation,
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

SHAPES = ("box", "polygon", "polyline", "points", "ellipse", "mask", "cuboid", "skeleton")
CORNERS = tuple(
    f"{axis}{corner}{side}" for side in "12" for corner in ("tl", "bl", "tr", "br") for axis in "xy"
)
"""The corners of a cuboid: `xtl1`, `ytl1`, `xbl1`, ... `ybr2`, as CVAT counts them."""
PLAIN = ("label", "source", "occluded", "points", "z_order")
"""What CVAT says of each polygon."""
FLAGS = {"0": False, "1": True}
NOTHING: Mapping[str, Any] = {}
Size = tuple[int, int] | None
Values = dict[str, str]
Built = tuple[type[Annotation], dict[str, Any]]


class Reader:
    """Reads the shapes of one file: knows its labels, and what they declare."""

    def __init__(self, labels: Labels) -> None:
        shared = labels.attributes
        self._specs: dict[str, Specs] = {one.name: specs(one, shared) for one in labels}
        self._specs[""] = {}
        self._keypoints = {one.name: one.keypoints for one in labels}
        self._elements = {one.name: element_specs(one) for one in labels if one.keypoints}
        self.size: Size = None
        """Height and width of the image whose shapes are read, where they are known."""

    def annotation(self, el: Element) -> Annotation:
        """Return a shape or tag of an image."""
        values: Values = dict(el.items())  # type: ignore[arg-type]
        if len(values) == len(PLAIN) and el.tag == "polygon" and not len(el):
            plain = self._plain(values)
            if plain is not None:
                return plain
        label = values.pop("label", "") or _xml.text(el, "@label")
        track = values.pop("track_id", None)
        attributes: dict[str, Any] = {}
        if el.tag != "tag":
            occluded = FLAGS.get(values.pop("occluded", "0"))
            attributes["occluded"] = _xml.flag(el, "@occluded") if occluded is None else occluded
        cls, fields, extra = self._built(el, values, label, attributes)
        if track is not None:
            fields["track"] = track_name(track)
        return cls(
            label=label or None,
            attributes=attributes,
            extra={NAME: extra} if extra else {},
            **fields,
        )

    def _plain(self, values: Values) -> Polygon | None:
        """Return a polygon of which nothing unusual is said, in half the time; None for others."""
        try:
            label, source, occluded, text, depth = (values[name] for name in PLAIN)
            points = pairs(text)
        except (KeyError, ValueError):
            return None
        flag = FLAGS.get(occluded)
        if not label or label not in self._specs or source != "manual" or depth != "0":
            return None
        if flag is None:
            return None
        return Polygon([[points]], label=label, attributes={"occluded": flag})

    def tracked(
        self, el: Element, track: int | str, label: str, shared: Mapping[str, Any]
    ) -> Annotation:
        """Return a shape of a track, which says the label and what its shapes share as extra."""
        values: Values = dict(el.items())  # type: ignore[arg-type]
        del values["frame"]
        attributes: dict[str, Any] = {
            "occluded": _flag(el, "occluded", values.pop("occluded", "0")),
            "outside": _flag(el, "outside", values.pop("outside", "0")),
            "keyframe": _flag(el, "keyframe", values.pop("keyframe", "1")),
        }
        cls, fields, extra = self._built(el, values, label, attributes)
        if el.tag == "skeleton" and not any(fields.get("visibility", (VISIBLE,))):
            attributes["outside"] = True
        extra = {**shared, **extra}
        return cls(
            label=label or None,
            track=track,
            attributes=attributes,
            extra={NAME: extra} if extra else {},
            **fields,
        )

    def _built(
        self, el: Element, values: Values, label: str, attributes: dict[str, Any]
    ) -> tuple[type[Annotation], dict[str, Any], dict[str, Any]]:
        """Return a shape's kind, own fields and extra; what is left of `values` is in the last."""
        kinds = self._specs.get(label)
        if kinds is None:
            raise _xml.fail(
                el,
                f"label '{label[:80]}' is not declared",
                hint="declare it in <meta>, or write the file as UTF-8",
            )
        build = _BUILD.get(el.tag)
        if build is None:
            cls, fields = _verbatim(el, values)
        else:
            cls, fields = build(self, el, values, label)
        extra: dict[str, Any] = fields.pop("extra", None) or {}
        if len(el):
            inner = el.tag == "skeleton" or build is None
            _children(el, kinds, attributes, extra, inner=inner)
        if (source := values.pop("source", "manual")) != "manual":
            extra["source"] = source
        if (depth := values.pop("z_order", "0")) != "0":
            fields["z_order"] = _integer(el, "z_order", depth)
        if values:
            if (group := values.pop("group_id", None)) is not None:
                extra["group_id"] = _integer(el, "group_id", group)
            if values:
                extra["xml"] = values
        return cls, fields, extra

    # Kinds of shapes: each takes what it uses out of `values`

    def _box(self, el: Element, values: Values, label: str) -> Built:
        del label
        left, top, right, bottom = _take(el, values, ("xtl", "ytl", "xbr", "ybr"))
        try:
            x, y, _, _ = floats(f"{left},{top},{right},{bottom}")
        except ValueError:
            raise _bad_numbers(el, ("xtl", "ytl", "xbr", "ybr")) from None
        w, h = difference(left, right), difference(top, bottom)
        angle = _angle(el, values)
        if angle:
            cx, cy = middle(left, right), middle(top, bottom)
            return RotatedBbox, {"cx": cx, "cy": cy, "w": w, "h": h, "angle": angle}
        return Bbox, {"x": x, "y": y, "w": w, "h": h}

    def _polygon(self, el: Element, values: Values, label: str) -> Built:
        del label
        return Polygon, {"parts": [[_points(el, values)]]}

    def _polyline(self, el: Element, values: Values, label: str) -> Built:
        del label
        return PolyLine, {"points": _points(el, values)}

    def _plain_points(self, el: Element, values: Values, label: str) -> Built:
        del label
        points = _points(el, values)
        fields: dict[str, Any] = {"points": points}
        if "visibility" in values:
            fields["visibility"] = _visibility(el, values.pop("visibility"), len(points) // 2)
        return Points, fields

    def _ellipse(self, el: Element, values: Values, label: str) -> Built:
        del label
        names = ("cx", "cy", "rx", "ry")
        try:
            found = floats(",".join(_take(el, values, names)))
        except ValueError:
            raise _bad_numbers(el, names) from None
        return Ellipse, {**dict(zip(names, found, strict=True)), "angle": _angle(el, values)}

    def _cuboid(self, el: Element, values: Values, label: str) -> Built:
        del label
        try:
            found = floats(",".join(_take(el, values, CORNERS)))
        except ValueError:
            raise _bad_numbers(el, CORNERS) from None
        return Other, {"format": NAME, "record": {"shape": "cuboid", "points": found}}

    def _mask(self, el: Element, values: Values, label: str) -> Built:
        from dvcs.formats._cvat import masks

        del label
        lengths, *box = _take(el, values, ("rle", "left", "top", "width", "height"))
        try:
            left, top, width, height = integers(",".join(box))
            runs = integers(lengths)
        except ValueError:
            raise _xml.fail(el, "<mask> should have integers for its runs and box") from None
        place = (left, top, width, height)
        size = self.size or (top + height, left + width)
        try:
            counts, tight = masks.to_counts(runs, place, size)
        except InvalidShape as error:
            raise _xml.fail(el, str(error), hint=error.hint) from None
        extra = {} if tight else {"box": list(place)}
        return Mask, {"size": size, "counts": counts, "extra": extra}

    def _tag(self, el: Element, values: Values, label: str) -> Built:
        del el, values, label
        return Label, {}

    def _skeleton(self, el: Element, values: Values, label: str) -> Built:
        """Return a skeleton as the points of its label's keypoints, in their order."""
        found: dict[str, Element] = {}
        for child in el:
            name = child.get("label")
            if child.tag == "attribute":
                continue
            if child.tag != "points" or name is None or name in found:
                return _verbatim(el, values)
            found[name] = child
        keypoints = self._keypoints.get(label, ())
        fits = found and found.keys() == set(keypoints)
        names = keypoints if fits else tuple(found)
        kinds = self._elements.get(label, NOTHING)
        points: list[float] = []
        visibility: list[int] = []
        elements: dict[str, Any] = {}
        for name in names:
            x, y, flag, rest = _keypoint(found[name], el, kinds.get(name, NOTHING))
            points += (x, y)
            visibility.append(flag)
            if rest:
                elements[name] = rest
        extra: dict[str, Any] = {"elements": elements} if elements else {}
        if not fits or list(found) != list(keypoints):
            extra["order"] = list(found)
        return Points, {"points": points, "visibility": visibility, "extra": extra}


_BUILD: dict[Any, Callable[[Reader, Element, Values, str], Built]] = {
    "box": Reader._box,  # noqa: SLF001 -- the table of its own methods
    "polygon": Reader._polygon,  # noqa: SLF001
    "polyline": Reader._polyline,  # noqa: SLF001
    "points": Reader._plain_points,  # noqa: SLF001
    "ellipse": Reader._ellipse,  # noqa: SLF001
    "cuboid": Reader._cuboid,  # noqa: SLF001
    "mask": Reader._mask,  # noqa: SLF001
    "skeleton": Reader._skeleton,  # noqa: SLF001
    "tag": Reader._tag,  # noqa: SLF001
}


def _children(
    el: Element, kinds: Specs, attributes: dict[str, Any], extra: dict[str, Any], *, inner: bool
) -> None:
    """Read what stands inside a shape; `inner` says that all but attributes are read elsewhere."""
    for child in el:
        if child.tag == "attribute":
            name = child.get("name")
            if name is None:
                raise _xml.fail(child, "<attribute> has no attribute 'name'")
            attributes[name] = value_of(child, kinds.get(name, ""))
        elif not inner:
            extra.setdefault("children", []).append([str(child.tag), outline(child)])


def value_of(el: Element, kind: str) -> Any:
    """Return the value of an `<attribute>`; `type="json"` marks what no input type can hold."""
    text = el.text or ""
    if el.get("type") == "json":
        try:
            return msgspec.json.decode(text)
        except (msgspec.MsgspecError, RecursionError):
            raise _xml.fail(el, f"'{text[:50]}' is not JSON, as it says it is") from None
    return typed(text, kind)


def track_name(text: str) -> int | str:
    """Return the name of a track: a number, where it is one as Python writes it."""
    return int(text) if len(text) <= 18 and text.isdecimal() and str(int(text)) == text else text


def _verbatim(el: Element, values: Values) -> Built:
    """Return a shape that nobody models as it stands, children included."""
    known = {"source", "group_id", "z_order", "track_id"}
    said = {name: values.pop(name) for name in tuple(values) if name not in known}
    record = {"shape": str(el.tag), "xml": said, "children": _outlines(el)}
    return Other, {"format": NAME, "record": record}


def _outlines(el: Element) -> list[Any]:
    return [[str(child.tag), outline(child)] for child in el if child.tag != "attribute"]


def _keypoint(el: Element, skeleton: Element, kinds: Specs) -> tuple[float, float, int, Values]:
    """Return a skeleton's element as a point, its visibility, and what else it says."""
    values: Values = dict(el.items())  # type: ignore[arg-type]
    del values["label"]
    points = _points(el, values)
    if len(points) != 2:
        raise _xml.fail(el, "an element of a skeleton should be one point")
    outside = _flag(el, "outside", values.pop("outside", "0"))
    occluded = _flag(el, "occluded", values.pop("occluded", "0"))
    rest: dict[str, Any] = {}
    if outside and occluded:
        rest["occluded"] = True
    if values.get("source", "manual") == skeleton.get("source", "manual"):
        values.pop("source", None)
    if values.get("keyframe", "1") == skeleton.get("keyframe", "1"):
        values.pop("keyframe", None)
    if values:
        rest["xml"] = values
    attributes: dict[str, Any] = {}
    others: dict[str, Any] = {}
    _children(el, kinds, attributes, others, inner=False)
    if attributes:
        rest["attributes"] = attributes
    flag = ABSENT if outside else HIDDEN if occluded else VISIBLE
    return points[0], points[1], flag, {**rest, **others}


def _take(el: Element, values: Values, names: Iterable[str]) -> list[str]:
    try:
        return [values.pop(name) for name in names]
    except KeyError as error:
        raise _xml.fail(el, f"<{el.tag}> has no attribute '{error.args[0]}'") from None


def _points(el: Element, values: Values) -> list[float]:
    text = values.pop("points", None)
    if text is None:
        raise _xml.fail(el, f"<{el.tag}> has no attribute 'points'")
    try:
        return pairs(text)
    except ValueError:
        raise _xml.fail(
            el, f"'points' should be finite numbers 'x,y;x,y', not '{text[:50]}'"
        ) from None


def _bad_numbers(el: Element, names: Iterable[str]) -> Exception:
    for name in names:
        _xml.number(el, f"@{name}")  # raises, and names the one that is none
    return _xml.fail(el, f"<{el.tag}> has coordinates that are no numbers")


def _angle(el: Element, values: Values) -> float:
    if "rotation" not in values:
        return 0.0
    del values["rotation"]
    return _xml.number(el, "@rotation")


def _flag(el: Element, name: str, text: str) -> bool:
    found = FLAGS.get(text)
    return _xml.flag(el, f"@{name}") if found is None else found


def _integer(el: Element, name: str, text: str) -> int:
    return int(text) if len(text) < 10 and text.isdecimal() else _xml.integer(el, f"@{name}")


def _visibility(el: Element, text: str, count: int) -> list[int]:
    try:
        found = integers(text) if text else []
    except ValueError:
        found = [-1]
    if found and (len(found) != count or not {ABSENT, HIDDEN, VISIBLE}.issuperset(found)):
        raise _xml.fail(el, f"'visibility' should be 0, 1 or 2 for each point, not '{text[:50]}'")
    return found
