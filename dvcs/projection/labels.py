"""Edits of a list of labels, of which a format may have shown some, and in its own order."""

from collections.abc import Iterable
from typing import Any

import msgspec

from dvcs.compare import same
from dvcs.model import Category, Labels
from dvcs.projection.mappings import edited_mapping


def edited_labels(
    full: Labels, shown: Labels, edited: Labels, *, keep: Iterable[str] = ()
) -> Labels:
    """
    Apply what changed from `shown` to `edited` to the full labels; labels are the same by key.

    Labels that were shown and are gone are removed, unless their key is in `keep`. The order is
    the edited one where all labels were shown, else new labels come last. Numbers (`id`) are
    applied only where the format had kept them.
    """
    before = {one.key: one for one in shown}
    after = {one.key: one for one in edited}
    kept = set(keep)
    result = {
        one.key: _edited_category(one, before.get(one.key), after.get(one.key))
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


def _edited_category(full: Category, shown: Category | None, edited: Category | None) -> Category:
    if shown is None or edited is None or shown == edited:
        return full
    fields: dict[str, Any] = {}
    for name in ("name", "parent", "display_name", "color", "keypoints", "joints", "attributes"):
        value = getattr(edited, name)
        if value != getattr(shown, name):
            fields[name] = value
    if shown.id == full.id:
        fields["id"] = edited.id
    if not same(shown.extra, edited.extra):
        fields["extra"] = dict(edited_mapping(full.extra, shown.extra, edited.extra))
    return msgspec.structs.replace(full, **fields)
