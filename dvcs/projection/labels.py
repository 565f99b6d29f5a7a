"""Edits of a list of labels, of which a format may have shown some, and in its own order."""

from collections.abc import Iterable
from typing import Any

import msgspec

from dvcs.compare import same
from dvcs.model import AttributeSpec, Category, Labels
from dvcs.projection.mappings import edited_mapping


def edited_labels(
    full: Labels, shown: Labels, edited: Labels, *, keep: Iterable[str] = ()
) -> Labels:
    """
    Apply what changed from `shown` to `edited` to the full labels; labels are the same by key.

    Labels that were shown and are gone are removed, unless their key is in `keep`. The order is
    the edited one where all labels were shown, else new labels come last. Numbers (`id`) are
    applied only where the format had kept them. Attributes that no full label declares were
    declared by the writer, because annotations have them: no edit either, whatever became of them.
    """
    before = {one.key: one for one in shown}
    after = {one.key: one for one in edited}
    kept = set(keep)
    written = _attributes(shown) - _attributes(full)
    result = {
        one.key: _edited_category(one, before.get(one.key), after.get(one.key), written)
        for one in full
        if one.key in after or one.key not in before or one.key in kept
    }
    known = {one.key for one in full}
    names = {one.name for one in result.values()}
    for one in edited:
        if one.key not in known and one.name not in names:
            result[one.key] = one
    if all(name in after for name in result):
        moved = [one.key for one in edited if one.key in before] != [
            one.key for one in shown if one.key in after
        ]
        added = any(name not in known for name in result)
        if moved or added:
            result = {one.key: result[one.key] for one in edited if one.key in result}
    attributes = full.attributes if shown.attributes == edited.attributes else edited.attributes
    extra = edited_mapping(full.extra, shown.extra, edited.extra)
    labels = Labels(result.values(), attributes=attributes, extra=extra)
    return full if labels == full else labels


def _attributes(labels: Labels) -> set[str]:
    """Return the names of all attributes that labels declare."""
    return {
        spec.name
        for specs in (labels.attributes, *(one.attributes for one in labels))
        for spec in specs
    }


def _edited_category(
    full: Category, shown: Category | None, edited: Category | None, written: set[str]
) -> Category:
    if shown is None or edited is None or shown == edited:
        return full
    fields: dict[str, Any] = {}
    for name in ("name", "parent", "display_name", "color", "keypoints", "joints"):
        value = getattr(edited, name)
        if value != getattr(shown, name):
            fields[name] = value
    if shown.attributes != edited.attributes:
        fields["attributes"] = _edited_attributes(full, shown, edited, written)
    if shown.id == full.id:
        fields["id"] = edited.id
    if not same(shown.extra, edited.extra):
        fields["extra"] = dict(edited_mapping(full.extra, shown.extra, edited.extra))
    return msgspec.structs.replace(full, **fields)


def _edited_attributes(
    full: Category, shown: Category, edited: Category, written: set[str]
) -> tuple[AttributeSpec, ...]:
    """Apply what changed in a label's attributes, but for those that the writer declared."""
    specs = {spec.name: spec for spec in full.attributes}
    before = {spec.name: spec for spec in shown.attributes}
    after = {spec.name: spec for spec in edited.attributes}
    for name in dict.fromkeys((*before, *after)):
        by_writer = name in written or (name in before and name not in specs)
        if by_writer or before.get(name) == after.get(name):
            continue
        if name in after:
            specs[name] = after[name]
        else:
            del specs[name]
    moved = [name for name in before if name in after] != [name for name in after if name in before]
    if moved and specs.keys() <= after.keys():
        return tuple(specs[name] for name in after if name in specs)
    return tuple(specs.values())
