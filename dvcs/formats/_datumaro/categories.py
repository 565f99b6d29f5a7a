"""Labels as Datumaro's categories; see `labels.py`, which reads them."""

from collections.abc import Mapping
from typing import Any

import msgspec

from dvcs.errors import FormatError
from dvcs.formats._datumaro.labels import (
    KINDS,
    PLAIN,
    Ours,
    are_joints,
    is_color,
    read_labels,
    renamed_groups,
    stated_name,
)
from dvcs.formats._datumaro.records import NAME, OURS
from dvcs.model import Category, Labels


def write_labels(labels: Labels, metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return `categories` for a file; `metadata` is that of other formats."""
    own = _mapping(labels.extra.get(NAME))
    names = {one.key: one.name for one in labels}
    part: dict[str, Any] = {
        "labels": [_label_record(one) for one in labels],
        "attributes": [spec.name for spec in labels.attributes],
    }
    rest = _mapping(own.get("label"))
    part |= {key: value for key, value in rest.items() if key not in (*part, OURS)}
    if "label_groups" in part:
        part["label_groups"] = renamed_groups(part["label_groups"], names)
    categories: dict[str, Any] = {"label": part}
    colors = [
        {"label_id": at, "r": one.color[0], "g": one.color[1], "b": one.color[2]}
        for at, one in enumerate(labels)
        if one.color is not None and is_color(one.color)
    ] + _outside(own.get("colormap"), len(labels))
    if colors:
        categories["mask"] = {"colormap": colors}
    points = [
        _points_record(one, at)
        for at, one in enumerate(labels)
        if (one.keypoints or one.joints) and not _implied(one)
    ] + _outside(own.get("points"), len(labels))
    if points:
        categories["points"] = {"items": points}
    others = _mapping(own.get("categories"))
    categories |= {key: value for key, value in others.items() if key not in KINDS}
    _add_ours(categories, labels, metadata)
    return categories


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _outside(records: Any, count: int) -> list[Any]:
    """Return records about positions that are no label; not those that have become one."""
    if not isinstance(records, list):
        return []
    return [
        one
        for one in records
        if isinstance(one, dict)
        and type(one.get("label_id")) is int
        and not 0 <= one["label_id"] < count
    ]


def _implied(label: Category) -> bool:
    """Tell whether keypoints are only what the elements of a skeleton are called."""
    own = _mapping(label.extra.get(NAME))
    return "points" in own and own["points"] is None and not label.joints


def _label_record(label: Category) -> dict[str, Any]:
    own = _mapping(label.extra.get(NAME))
    return {
        "name": stated_name(label),
        "parent": label.parent or "",
        "attributes": [spec.name for spec in label.attributes],
        **{k: v for k, v in own.items() if k not in (*PLAIN, "points", OURS)},
    }


def _points_record(label: Category, position: int) -> dict[str, Any]:
    rest = _mapping(_mapping(label.extra.get(NAME)).get("points"))
    joints = label.joints if are_joints(label.joints, label.keypoints) else ()
    return {
        "label_id": position,
        "labels": list(label.keypoints),
        "joints": [[a + 1, b + 1] for a, b in joints],
        **{k: v for k, v in rest.items() if k not in ("label_id", "labels")},
    }


def _add_ours(categories: dict[str, Any], labels: Labels, metadata: Mapping[str, Any]) -> None:
    """Read what was made, and say under `dvcs` what would come back otherwise."""
    part = categories["label"]
    back = _readable(categories)
    for one, was, record in zip(labels, back or (None,) * len(labels), part["labels"], strict=True):
        fields = _difference(one, was)
        if fields:
            record[OURS] = fields
    ours = Ours(metadata=dict(metadata))
    if back is None or back.attributes != labels.attributes:
        ours.attributes = labels.attributes
    known = back.extra if back is not None else {}
    ours.extra = {k: v for k, v in labels.extra.items() if k not in known or known[k] != v}
    said_more = msgspec.to_builtins(ours)
    if said_more:
        part[OURS] = said_more


def _readable(categories: dict[str, Any]) -> Labels | None:
    try:
        return read_labels(categories, "")[0]
    except FormatError:
        return None


def _difference(label: Category, back: Category | None) -> dict[str, Any]:
    held: dict[str, Any] = msgspec.to_builtins(label)
    if back is None:
        return held
    fields: dict[str, Any] = {}
    for name in Category.__struct_fields__:
        new, old = getattr(label, name), getattr(back, name)
        if name == "extra":
            changed = {k: v for k, v in new.items() if k not in old or old[k] != v}
            if changed:
                fields[name] = changed
        elif new != old or type(new) is not type(old):
            fields[name] = held.get(name, msgspec.to_builtins(new))
    return fields
