"""
CVAT's labels: `<label>` elements as categories with typed attributes, and back.

A skeleton's keypoints are labels with a `<parent>`, its joints the lines of an `<svg>`; here they
are the keypoints and joints of one category. What a category does not say (a label's type, the
drawing, attributes of keypoints, an unusual order) is kept in its extra.
"""

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any, cast

import msgspec

from dvcs.formats._cvat.meta import NAME, Outline, children, said
from dvcs.model import AttributeSpec, Category, Labels

Specs = Mapping[str, str]
"""The input type of each declared attribute of a label."""
TYPES = frozenset({"text", "number", "checkbox", "select", "radio"})
COLOR = re.compile(r"#([0-9a-fA-F]{2})([0-9a-fA-F]{2})([0-9a-fA-F]{2})\Z")
INTEGER = re.compile(r"-?\d{1,18}\Z")
FLOAT = re.compile(r"-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\Z")
NODE = re.compile(r"<circle\b[^>]*>")
EDGE = re.compile(r"<line\b[^>]*>")
DRAWN = re.compile(r'\bdata-([a-z-]+)="([^"]*)"')
BOOLS = {"true": True, "false": False}


# -- values of attributes ------------------------------------------------------------------------


def typed(text: str, kind: str) -> Any:
    """Return a value by its input type; '' is not declared, so that the text itself tells."""
    if kind == "checkbox":
        return BOOLS.get(text.lower(), text)
    if kind == "number":
        return _number(text)
    if kind == "":
        return BOOLS.get(text) if text in BOOLS else _number(text)
    return text


def _number(text: str) -> int | float | str:
    if INTEGER.match(text):
        return int(text)
    if FLOAT.match(text) and math.isfinite(value := float(text)):
        return value
    return text


def value_text(value: Any, kind: str) -> tuple[str, bool]:
    """Return a value as text, and whether that is JSON because the plain text would be another."""
    if isinstance(value, bool):
        text = "true" if value else "false"
    else:
        text = value if isinstance(value, str) else repr(value)
    back = typed(text, kind)
    if type(back) is type(value) and back == value:
        return text, False
    return msgspec.json.encode(value).decode(), True


def kind_of(value: Any) -> str:
    """Return the input type that suits an attribute that nobody declared, by a value of it."""
    if isinstance(value, bool):
        return "checkbox"
    return "number" if isinstance(value, int | float) else "text"


# -- reading -------------------------------------------------------------------------------------


def read_labels(records: Iterable[str | Outline]) -> list[Category]:
    """Return the categories of `<label>` outlines; the first one of a name counts."""
    lists = [record for record in records if isinstance(record, list)]
    tops = {_name(one, "name") for one in lists if not _name(one, "parent")}
    below: dict[str, list[Outline]] = {}
    found: dict[str, Outline] = {}
    for record in lists:
        name, parent = _name(record, "name"), _name(record, "parent")
        if parent in tops:
            below.setdefault(parent, []).append(record)
        elif name:
            found.setdefault(name, record)
    return [_category(record, below.get(name, [])) for name, record in found.items()]


def _name(record: Outline, tag: str) -> str:
    """Return a name as it stands, but for the line breaks of a pretty-printed file."""
    text = next((value for key, value in record if key == tag), "")
    text = text if isinstance(text, str) else ""
    return text.strip() if "\n" in text else text


def _category(record: Outline, below: list[Outline]) -> Category:
    color = COLOR.match(said(record, "color") or "")
    extra: dict[str, Any] = {}
    for tag in ("type", "svg"):
        text = said(record, tag)
        if text:
            extra[tag] = text
    names = tuple(_name(one, "name") for one in below)
    category = Category(
        name=_name(record, "name"),
        color=cast("tuple[int, int, int]", tuple(int(part, 16) for part in color.groups()))
        if color
        else None,
        keypoints=names,
        joints=_joints(extra.get("svg", ""), names),
        attributes=tuple(_spec(one) for one in _attribute_records(record)),
    )
    elements = {
        name: one
        for name, one in zip(names, below, strict=True)
        if one != _element_record(name, category.name)
    }
    if elements:
        extra["elements"] = elements
    category = msgspec.structs.replace(category, extra={NAME: extra} if extra else {})
    if label_record(category) != record:
        kept = {NAME: {**extra, "record": record}}
        category = msgspec.structs.replace(category, extra=kept)
    return category


def _attribute_records(record: str | Outline) -> list[str | Outline]:
    return [one for group in children(record, "attributes") for one in children(group, "attribute")]


def _spec(record: str | Outline) -> AttributeSpec:
    kind = said(record, "input_type") or ""
    kind = kind if kind in TYPES else ""
    default, values = said(record, "default_value"), said(record, "values") or ""
    parts = values.split("\n")
    if len(parts) == 1 and default not in parts and default in (words := values.split()):
        parts = words  # written by hand: CVAT puts each on a line of its own
    return AttributeSpec(
        name=_name(record, "name") if isinstance(record, list) else "",
        type=cast("Any", kind),
        values=tuple(typed(one, kind) for one in parts) if values else (),
        default=None if default is None else typed(default, kind),
        mutable=(said(record, "mutable") or "").lower() == "true",
    )


def _joints(svg: str, names: tuple[str, ...]) -> tuple[tuple[int, int], ...]:
    """Return the joints that a skeleton's drawing has, as positions in its keypoints."""
    places = {}
    for number, node in enumerate(NODE.findall(svg)):
        drawn = dict(DRAWN.findall(node))
        name = drawn.get("label-name")
        place = names.index(name) if name in names else number
        if "node-id" in drawn and place < len(names):
            places[drawn["node-id"]] = place
    edges = [dict(DRAWN.findall(edge)) for edge in EDGE.findall(svg)]
    return tuple(
        (places[one["node-from"]], places[one["node-to"]])
        for one in edges
        if one.get("node-from") in places and one.get("node-to") in places
    )


def specs(category: Category, shared: Iterable[AttributeSpec] = ()) -> dict[str, str]:
    """Return the input types of a label's attributes."""
    return {spec.name: spec.type for spec in (*shared, *category.attributes)}


def element_specs(category: Category) -> dict[str, dict[str, str]]:
    """Return the input types of the attributes of each keypoint that declares some."""
    elements = category.extra.get(NAME, {}).get("elements", {})
    found = {
        name: {spec.name: str(spec.type) for spec in map(_spec, _attribute_records(record))}
        for name, record in elements.items()
    }
    return {name: kinds for name, kinds in found.items() if kinds}


# -- writing -------------------------------------------------------------------------------------


def label_records(labels: Iterable[Category]) -> Outline:
    """Return the content of `<labels>`: each label, and after it the keypoints of a skeleton."""
    found: Outline = []
    for category in labels:
        extra = category.extra.get(NAME, {})
        found.append(["label", _kept_record(category) or label_record(category)])
        elements = extra.get("elements", {})
        for name in category.keypoints:
            record = elements.get(name) or _element_record(name, category.name)
            found.append(["label", _renamed(record, "parent", category.name)])
    return found


def _kept_record(category: Category) -> Outline | None:
    """Return the label as the file had it, where it still says what the category does."""
    extra = category.extra.get(NAME, {})
    if "record" not in extra:
        return None
    record = _renamed(extra["record"], "name", category.name)
    read = _category(record, [])
    same = (read.color, read.attributes) == (category.color, category.attributes)
    drawing = said(record, "svg") or ""
    joints = not drawing or _joints(drawing, category.keypoints) == category.joints
    return record if same and joints else None


def _renamed(record: Outline, tag: str, name: str) -> Outline:
    return [[key, name if key == tag else value] for key, value in record]


def label_record(category: Category) -> Outline:
    """Return the outline of one `<label>` as CVAT writes it."""
    extra = category.extra.get(NAME, {})
    record: Outline = [["name", category.name]]
    if category.color is not None:
        record.append(["color", "#{:02x}{:02x}{:02x}".format(*category.color)])
    kind = extra.get("type") or ("skeleton" if category.keypoints else "")
    if kind:
        record.append(["type", kind])
    attributes = [["attribute", _spec_record(spec)] for spec in category.attributes]
    record.append(["attributes", attributes or ""])
    if category.keypoints:
        drawing = extra.get("svg", "")
        if not drawing or _joints(drawing, category.keypoints) != category.joints:
            drawing = _drawing(category)
        record.append(["svg", drawing])
    elif extra.get("svg"):
        record.append(["svg", extra["svg"]])
    return record


def _spec_record(spec: AttributeSpec) -> Outline:
    return [
        ["name", spec.name],
        ["mutable", str(spec.mutable)],
        ["input_type", spec.type or "text"],
        ["default_value", "" if spec.default is None else _plain(spec.default)],
        ["values", "\n".join(map(_plain, spec.values))],
    ]


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else repr(value)


def _element_record(name: str, parent: str) -> Outline:
    return [["name", name], ["type", "points"], ["attributes", ""], ["parent", parent]]


def _drawing(category: Category) -> str:
    """Return a drawing of a skeleton that has none: its keypoints on a circle."""
    count = len(category.keypoints)
    angles = [2 * math.pi * n / count for n in range(count)]
    spots = [(round(50 + 40 * math.sin(a), 2), round(50 - 40 * math.cos(a), 2)) for a in angles]
    lines = [
        f'<line x1="{spots[a][0]}" y1="{spots[a][1]}" x2="{spots[b][0]}" y2="{spots[b][1]}"'
        f' data-type="edge" data-node-from="{a + 1}" data-node-to="{b + 1}"></line>'
        for a, b in category.joints
        if max(a, b) < count  # else they join what is not there
    ]
    circles = [
        f'<circle r="0.75" cx="{x}" cy="{y}" data-type="element node" data-element-id="{n}"'
        f' data-node-id="{n}" data-label-id="{n}"></circle>'
        for n, (x, y) in enumerate(spots, 1)
    ]
    return "".join(lines + circles)


def united(lists: Iterable[list[Category]]) -> Labels:
    """Return the labels of several files as one list."""
    labels = Labels()
    for categories in lists:
        labels = labels.united(Labels(categories))
    return labels
