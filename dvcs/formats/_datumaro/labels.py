"""
Datumaro's categories as labels.

    "label"   labels in order (name, parent, names of attributes), groups of labels
    "mask"    colours by the position of a label
    "points"  names of keypoints by the position of a label, and joints between them, from 1

What else there is (`tabular`, colours of positions that are no label) is kept in the `extra` of
the labels. Where two labels have the same name, as elements of two skeletons may, the second is
called `name#position`. What the dialect has no place for stands under `dvcs`: of a label the
fields of its `Category`, beside the labels their `attributes`, `extra` and the dataset's metadata.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

import msgspec

from dvcs.errors import FormatError
from dvcs.formats._datumaro.records import NAME, OURS, said
from dvcs.model import AttributeSpec, Category, Labels
from dvcs.names import label_key

KINDS = frozenset({"label", "mask", "points"})
PLAIN = ("name", "parent", "attributes")


class _Label(msgspec.Struct):
    name: str
    parent: str | None = None
    attributes: list[str] | None = None
    dvcs: dict[str, Any] | None = None


class _Color(msgspec.Struct, forbid_unknown_fields=True):
    label_id: int
    r: int
    g: int
    b: int


class _Keypoints(msgspec.Struct):
    label_id: int
    labels: list[str]
    joints: list[tuple[int, int]] = []


class Ours(msgspec.Struct, omit_defaults=True):
    """What dvcs says of all labels, and of the dataset."""

    attributes: tuple[AttributeSpec, ...] | None = None
    extra: dict[str, Any] = {}
    metadata: dict[str, Any] = {}


class Table:
    """The labels of one file by position, and which of them are the elements of a skeleton."""

    def __init__(self, labels: Iterable[Category]) -> None:
        self.categories = tuple(labels)
        self.names = [one.name for one in self.categories]
        self.positions = {name: position for position, name in enumerate(self.names)}

    @cached_property
    def elements(self) -> Mapping[str, list[int]]:
        """
        For each label the positions of its elements, in the order of its keypoints.

        Those that have it as their parent; where it has keypoints, only if they are called so.
        """
        children: dict[str, list[int]] = defaultdict(list)
        for position, one in enumerate(self.categories):
            if one.parent:
                children[one.parent].append(position)
        found: dict[str, list[int]] = {}
        for one in self.categories:
            mine = children.get(one.name)
            if mine is None:
                continue
            if one.keypoints:
                by_name = {stated_name(self.categories[at]): at for at in mine}
                if set(by_name) != set(one.keypoints) or len(mine) != len(one.keypoints):
                    continue
                mine = [by_name[name] for name in one.keypoints]
            found[one.name] = mine
        return found


def stated_name(label: Category) -> str:
    """Return the name that a label has in a file: without the number that tells two apart."""
    name = label.extra.get(NAME, {}).get("name") if label.extra else None
    if isinstance(name, str) and label.name.startswith(f"{name}#"):
        number = label.name.removeprefix(f"{name}#").rstrip("_")
        return name if number.isdecimal() else label.name
    return label.name


def read_labels(categories: Any, place: Any) -> tuple[Labels, dict[str, Any]]:
    """
    Return the labels of a file's `categories`, and the metadata of other formats.

    Raises FormatError, naming what of the categories is not as it should be.
    """
    if not isinstance(categories, dict):
        raise FormatError("'categories' is not an object", place)
    part = _object(categories.get("label"), "categories.label", place)
    ours: Ours = _converted(part.get(OURS) or {}, Ours, f"categories.label.{OURS}", place)
    labels = _labels(part.get("labels"), place)
    extra: dict[str, Any] = {}
    labels = _colored(labels, categories.get("mask"), extra, place)
    labels = _pointed(labels, categories.get("points"), extra, place)
    keys = {one.name: one.key for one in labels}
    rest = {key: value for key, value in part.items() if key not in ("labels", "attributes", OURS)}
    if rest.get("label_groups"):
        rest["label_groups"] = renamed_groups(rest["label_groups"], keys)
    else:
        rest.pop("label_groups", None)
    others = {key: value for key, value in categories.items() if key not in KINDS}
    extra |= {name: value for name, value in (("label", rest), ("categories", others)) if value}
    raw = part.get("attributes") or []
    specs = [AttributeSpec(name=one) for one in _converted(raw, list[str], "attributes", place)]
    described = []
    for position, one in enumerate(labels):
        said_more = _object((part["labels"][position]).get(OURS), OURS, place)
        described.append(_with(one, said_more, position, place) if said_more else one)
    return _table(described, ours, specs, extra, place), ours.metadata


def _table(
    described: list[Category],
    ours: Ours,
    specs: list[AttributeSpec],
    extra: dict[str, Any],
    place: Any,
) -> Labels:
    attributes = specs if ours.attributes is None else ours.attributes
    held = {**({NAME: extra} if extra else {}), **ours.extra}
    try:
        return Labels(described, attributes=attributes, extra=held)
    except ValueError as error:
        raise FormatError(f"{error}", place, item="categories.label") from None


def _with(label: Category, fields: dict[str, Any], position: int, place: Any) -> Category:
    base = {name: getattr(label, name) for name in label.__struct_fields__}
    extra = {**label.extra, **_object(fields.get("extra"), "extra", place)}
    new: Category = _converted(
        msgspec.to_builtins({**base, **fields, "extra": extra}),
        Category,
        f"categories.label.labels[{position}].{OURS}",
        place,
    )
    return new


def _labels(records: Any, place: Any) -> list[Category]:
    if records is None:
        return []
    if not isinstance(records, list):
        raise FormatError("'labels' is not a list", place, item="categories.label")
    taken: set[str] = set()
    found = []
    for position, record in enumerate(records):
        where = f"categories.label.labels[{position}]"
        label: _Label = _converted(record, _Label, where, place)
        rest = {key: value for key, value in record.items() if key not in (*PLAIN, OURS)}
        name, key = label.name, label_key(label.name)
        if name in taken:
            rest["name"] = name
            name, key = f"{name}#{position}", label_key(name, position)
            while name in taken:
                name, key = f"{name}_", f"{key}_"
        taken.add(name)
        found.append(
            Category(
                name=name,
                key=key,
                parent=label.parent or None,
                attributes=tuple(AttributeSpec(name=one) for one in label.attributes or ()),
                extra={NAME: rest} if rest else {},
            )
        )
    return found


def _colored(
    labels: list[Category], part: Any, extra: dict[str, Any], place: Any
) -> list[Category]:
    left = []
    for number, record in enumerate(_listed(part, "mask", "colormap", place)):
        try:
            one = msgspec.convert(record, _Color)
        except msgspec.ValidationError as error:
            raise FormatError(
                said(error), place, item=f"categories.mask.colormap[{number}]"
            ) from None
        color = (one.r, one.g, one.b)
        if 0 <= one.label_id < len(labels) and is_color(color):
            labels[one.label_id] = msgspec.structs.replace(labels[one.label_id], color=color)
        else:
            left.append(record)
    if left:
        extra["colormap"] = left
    return labels


def _pointed(
    labels: list[Category], part: Any, extra: dict[str, Any], place: Any
) -> list[Category]:
    left = []
    for number, record in enumerate(_listed(part, "points", "items", place)):
        one: _Keypoints = _converted(record, _Keypoints, f"categories.points[{number}]", place)
        if not 0 <= one.label_id < len(labels):
            left.append(record)
            continue
        known = ("label_id", "labels", "joints")
        rest = {key: value for key, value in record.items() if key not in known}
        joints = tuple((a - 1, b - 1) for a, b in one.joints)
        if not are_joints(joints, one.labels):
            rest["joints"] = [list(joint) for joint in one.joints]
            joints = ()
        label = labels[one.label_id]
        held = label.extra.get(NAME, {})
        labels[one.label_id] = msgspec.structs.replace(
            label,
            keypoints=tuple(one.labels),
            joints=joints,
            extra={NAME: {**held, "points": rest}} if rest else label.extra,
        )
    if left:
        extra["points"] = left
    return labels


def is_color(color: tuple[int, ...]) -> bool:
    """Tell whether a colour is one of eight bits a channel."""
    return all(type(value) is int and 0 <= value <= 255 for value in color)


def are_joints(joints: Iterable[tuple[int, int]], names: Sequence[str]) -> bool:
    """Tell whether joints are between keypoints that there are."""
    return all(0 <= end < len(names) for joint in joints for end in joint)


def with_keypoints(table: Labels, skeletons: Iterable[int]) -> Labels:
    """Return labels with the names of their elements as keypoints, at these positions."""
    labels = list(table)
    elements = Table(labels).elements
    for position in skeletons:
        one = labels[position]
        if not one.keypoints and one.name in elements:
            names = tuple(stated_name(labels[at]) for at in elements[one.name])
            labels[position] = msgspec.structs.replace(
                one,
                keypoints=names,
                extra={**one.extra, NAME: {**one.extra.get(NAME, {}), "points": None}},
            )
    return table.replaced(labels)


def renamed_groups(groups: Any, names: Mapping[str, str]) -> Any:
    """Return groups of labels with other names for the labels: a key stays when a name changes."""
    if not isinstance(groups, list):
        return groups
    return [
        {**one, "labels": [names.get(name, name) for name in one["labels"]]}
        if isinstance(one, dict) and _are_texts(one.get("labels"))
        else one
        for one in groups
    ]


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _listed(part: Any, kind: str, key: str, place: Any) -> list[Any]:
    found = _object(part, f"categories.{kind}", place).get(key) or []
    if not isinstance(found, list):
        raise FormatError(f"'{key}' is not a list", place, item=f"categories.{kind}")
    return found


def _object(value: Any, where: str, place: Any) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise FormatError("is not an object", place, item=where)
    return value


def _converted(value: Any, type: Any, where: str, place: Any) -> Any:
    try:
        return msgspec.convert(value, type)
    except msgspec.ValidationError as error:
        raise FormatError(said(error), place, item=where) from None


def union(tables: Sequence[Labels]) -> tuple[Labels, list[str]]:
    """Return the labels of several files, and the names of those that they describe differently."""
    whole = tables[0] if tables else Labels()
    differing: dict[str, None] = {}
    for table in tables[1:]:
        if table == whole:
            continue
        differing |= dict.fromkeys(
            one.name for one in table if one.name in whole and whole[one.name] != one
        )
        whole = whole.united(table)
    return whole, list(differing)
