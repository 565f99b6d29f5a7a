"""
One XML file of Pascal VOC as annotations: objects, their parts, actions and attributes.

    <annotation>
      <folder>JPEGImages</folder> <filename>1.jpg</filename>
      <size> <width>640</width> <height>480</height> <depth>3</depth> </size>
      <segmented>0</segmented>
      <object>
        <name>person</name> <pose>Left</pose>
        <truncated>0</truncated> <occluded>1</occluded> <difficult>0</difficult>
        <bndbox> <xmin>1</xmin> <ymin>2</ymin> <xmax>3.5</xmax> <ymax>4</ymax> </bndbox>
        <part> <name>head</name> <bndbox>...</bndbox> </part>
        <actions> <jumping>1</jumping> </actions>
        <attributes> <attribute> <name>age</name> <value>7</value> </attribute> </attributes>
      </object>
    </annotation>

Coordinates are taken as they stand. Beside VOC's own elements, these are understood: `robndbox` (a
centre, a size and an angle in radians, from roLabelImg), `polygon` (`x1`, `y1`, ..., or `pt`s),
`attributes` (Datumaro's), and three of dvcs's own: `<type>mask</type>` in an object whose box is
only the extent of its mask, `<group>` where several objects belong together, and `<label>` for
what a list of classes cannot say of an image's label. All else is kept in `extra["voc"]`.
"""

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from dvcs.formats import _xml
from dvcs.formats._voc.labels import NAME
from dvcs.formats._xml import Element
from dvcs.model import Annotation, Bbox, Polygon, RotatedBbox

FLAGS: Final = ("truncated", "difficult", "occluded")
_BOOLS: Final = {"0": False, "1": True, "false": False, "true": True, "no": False, "yes": True}
SHAPES: Final = frozenset({"bndbox", "robndbox", "polygon"})
EXPECTED: Final = ("pose", "truncated", "difficult")
"""Elements that are written with these values unless an annotation says otherwise."""
_INTEGER: Final = re.compile(r"-?(?:0|[1-9]\d{0,17})\Z")
_FLOAT: Final = re.compile(r"-?\d+(?:\.\d*(?:[eE][+-]?\d+)?|[eE][+-]?\d+)\Z")


class Found(NamedTuple):
    """An object: its annotations, the first of which stands for it, and what joins it to others."""

    notes: list[Annotation]
    of_mask: bool
    group: int | None


def flag_value(tag: str, text: str) -> Any:
    """Return what `<pose>` or one of the flags says: a bool, any other text as it stands."""
    return text if tag == "pose" else _BOOLS.get(text.strip().lower(), text)


def label_text(element: Element) -> str:
    """Return a name as it stands; where it goes over lines, without the blanks around it."""
    text = element.text or ""
    return text.strip() if "\n" in text else text


def read_object(element: Element, *, parts: bool, actions: bool) -> Found:
    """Return an `<object>`; parts and actions if they are wanted. Raises FormatError."""
    name = None
    attributes: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    shapes: dict[str, Element] = {}
    pieces: list[Element] = []
    for child in element:
        tag: Any = child.tag
        if tag == "name" and name is None:
            name = label_text(child)
        elif tag == "pose" or tag in FLAGS:
            attributes[tag] = flag_value(tag, child.text or "")
        elif tag in SHAPES and tag not in shapes:
            shapes[tag] = child
        elif tag == "part":
            pieces.append(child)
        elif tag != "actions":
            _rest(child, tag, attributes, extra)
        elif actions:
            attributes.update(_actions(child))
    if not name:
        raise _xml.fail(element, "<object> has no <name>")
    missing = [one for one in EXPECTED if one not in attributes]
    if missing:
        extra["#without"] = missing
    of_mask, group = _joined(extra)
    notes = _shapes(element, shapes, name, attributes, extra)
    if parts:
        notes += [_part(piece) for piece in pieces]
    return Found(notes, of_mask, group)


def _joined(extra: dict[str, Any]) -> tuple[bool, int | None]:
    """Take out of `extra` whether an object is of a mask, and the number of its group."""
    group = None
    if extra:
        if isinstance(extra.get("group"), str) and _INTEGER.match(extra["group"]):
            group = int(extra.pop("group"))
        if extra.get("type") == "mask":
            del extra["type"]
            return True, group
    return False, group


def _rest(child: Element, tag: str, attributes: dict[str, Any], extra: dict[str, Any]) -> None:
    if tag in SHAPES:
        raise _xml.fail(child, f"<object> has more than one <{tag}>")
    if tag == "attributes":
        attributes.update(_attributes(child))
    else:
        _xml.add_record(extra, tag, _xml.record(child))


def _shapes(
    element: Element,
    shapes: Mapping[str, Element],
    name: str,
    attributes: dict[str, Any],
    extra: dict[str, Any],
) -> list[Annotation]:
    said: dict[str, Any] = {"label": name, "attributes": attributes}
    found: list[Annotation] = []
    if "robndbox" in shapes:
        if extra.get("type") == "robndbox":
            del extra["type"]
        if "bndbox" not in shapes:
            extra["bndbox"] = None
        found.append(_rotated(shapes["robndbox"], said, extra))
    elif "bndbox" in shapes:
        x, y, w, h, derived = read_box(shapes["bndbox"], extra)
        kept = {NAME: extra} if extra else {}
        found.append(Bbox(x, y, w, h, extra=kept, derived=derived, **said))
    if "polygon" in shapes:
        kept = {NAME: extra} if extra and not found else {}
        ring = _ring(shapes["polygon"])
        found.append(
            Polygon([[ring]], label=name, attributes={} if found else attributes, extra=kept)
        )
    if not found:
        raise _xml.fail(element, "<object> has no <bndbox>")
    return found


def _part(element: Element) -> Bbox:
    extra: dict[str, Any] = {}
    name, box = None, None
    for child in element:
        if child.tag == "name" and name is None:
            name = label_text(child)
        elif child.tag == "bndbox" and box is None:
            box = child
        elif child.tag == "bndbox":
            raise _xml.fail(child, "<part> has more than one <bndbox>")
        else:
            _xml.add_record(extra, str(child.tag), _xml.record(child))
    if not name or box is None:
        raise _xml.fail(element, f"<part> has no <{'bndbox' if name else 'name'}>")
    x, y, w, h, derived = read_box(box, extra)
    return Bbox(x, y, w, h, label=name, derived=derived, extra={NAME: extra} if extra else {})


def read_box(
    element: Element, extra: dict[str, Any]
) -> tuple[float, float, float, float, dict[str, Any]]:
    """
    Return x, y, w, h and what they do not say: corners that x + w does not give back exactly.

    Whatever else is in the element goes to `extra`. Raises FormatError.
    """
    texts: dict[Any, Any] = {child.tag: child.text for child in element}
    try:
        left, top = float(texts["xmin"]), float(texts["ymin"])
        right, bottom = float(texts["xmax"]), float(texts["ymax"])
    except (KeyError, TypeError, ValueError):
        left = right = math.nan
        top = bottom = math.nan
    if not math.isfinite(left + top + right + bottom) or "_" in "".join(
        text or "" for text in texts.values()
    ):
        left, top = _xml.number(element, "xmin"), _xml.number(element, "ymin")
        right, bottom = _xml.number(element, "xmax"), _xml.number(element, "ymax")
    if len(element) != 4:
        rest = {**_xml.record(element)}
        for name in ("xmin", "ymin", "xmax", "ymax"):
            if isinstance(rest.pop(name), list):
                raise _xml.fail(element, f"<bndbox> has more than one <{name}>")
        extra["bndbox"] = rest
    w, h = right - left, bottom - top
    if not math.isfinite(w + h):
        raise _xml.fail(element, "<bndbox> is larger than any number")
    return left, top, w, h, derived_corners(left, top, right, bottom)


def derived_corners(left: float, top: float, right: float, bottom: float) -> dict[str, Any]:
    """Return the corners that x + w and y + h do not give back to the last bit."""
    derived = {}
    if left + (right - left) != right:
        derived["xmax"] = right
    if top + (bottom - top) != bottom:
        derived["ymax"] = bottom
    return {NAME: derived} if derived else {}


def _rotated(element: Element, said: dict[str, Any], extra: dict[str, Any]) -> RotatedBbox:
    cx, cy, w, h, radians = (_xml.number(element, name) for name in ("cx", "cy", "w", "h", "angle"))
    angle = math.degrees(radians)
    if not math.isfinite(angle):
        raise _xml.fail(element, "<robndbox> is turned by more than any number")
    derived = {} if math.radians(angle) == radians else {NAME: {"angle": radians}}
    kept = {NAME: extra} if extra else {}
    return RotatedBbox(cx, cy, w, h, angle, derived=derived, extra=kept, **said)


def _ring(element: Element) -> list[float]:
    points = list(element.iterchildren("pt", "point"))
    if points:
        ring = [_xml.number(point, axis) for point in points for axis in ("x", "y")]
    else:
        count = sum(1 for child in element if str(child.tag).startswith("x"))
        ring = [_xml.number(element, f"{axis}{n}") for n in range(1, count + 1) for axis in "xy"]
    if len(ring) < 6:
        raise _xml.fail(element, f"<polygon> has {len(ring) // 2} points, at least 3 are needed")
    return ring


def _actions(element: Element) -> Iterable[tuple[str, Any]]:
    for child in element:
        text = child.text or ""
        yield str(child.tag), _BOOLS.get(text.strip().lower(), text)


def _attributes(element: Element) -> Iterable[tuple[str, Any]]:
    for child in element.iterchildren("attribute"):
        name = child.find("name")
        value = child.find("value")
        if name is None:
            raise _xml.fail(child, "<attribute> has no <name>")
        if value is not None:
            yield name.text or "", _value(value)


def read_attributes(element: Element) -> dict[str, Any]:
    """Return the attributes of an element that has `<attributes>`."""
    found = element.find("attributes")
    return {} if found is None else dict(_attributes(found))


# -- values of attributes ------------------------------------------------------------------------


def _value(element: Element) -> Any:
    text = element.text or ""
    kind = element.get("type")
    if kind == "text":
        return text
    if kind == "json":
        try:
            return msgspec.json.decode(text)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            raise _xml.fail(element, f"the value '{text[:50]}' is not JSON") from None
    return plain_value(text)


def plain_value(text: str) -> Any:
    """Return what a value without a type means: a bool, an int, a float, else the text."""
    if text in {"true", "True"}:
        return True
    if text in {"false", "False"}:
        return False
    if _INTEGER.match(text):
        return int(text)
    if _FLOAT.match(text):
        number = float(text)
        return number if math.isfinite(number) else text
    return text


def typed_value(value: Any) -> tuple[str, str | None]:
    """Return an attribute's value as text, and the type to say where the text alone misleads."""
    if isinstance(value, bool):
        return ("true" if value else "false"), None
    text = value if isinstance(value, str) else repr(value)
    back = plain_value(text)
    if type(back) is type(value) and back == value:
        return text, None
    if isinstance(value, str):
        return text, "text"
    return msgspec.json.encode(value).decode(), "json"
