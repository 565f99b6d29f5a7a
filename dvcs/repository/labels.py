"""
Labels across versions: which label of a new list is which of the old one, and lists merged by key.

A label's key never changes. A label of the same name keeps its key; one with a new name takes over
the key of a label that is gone and had the same id (a renamed COCO category, a renamed line of a
YOLO list); all others are new.
"""

import msgspec

from dvcs.errors import BranchMoved
from dvcs.model import Category, Labels
from dvcs.names import label_key


def with_known_keys(old: Labels, new: Labels) -> Labels:
    """Return the labels of a new version with the keys that they had in the old one."""
    by_name = {one.name: one for one in old}
    gone = [one for one in old if one.name not in new]
    by_id = {one.id: one for one in gone if one.id is not None}
    keys: dict[str, str] = {}
    for one in new:
        known = by_name.get(one.name) or (by_id.pop(one.id, None) if one.id is not None else None)
        if known is not None:
            keys[one.name] = known.key
    taken = {one.key for one in old}
    result = []
    for one in new:
        key = keys.get(one.name)
        if key is None:
            key = _free(one, taken)
            taken.add(key)
        result.append(msgspec.structs.replace(one, key=key))
    return new.replaced(result)


def _free(one: Category, taken: set[str]) -> str:
    """Return a key for a new label; an old label may have had this name once."""
    key = one.key
    number = 2
    while key in taken:
        key = label_key(one.name, number)
        number += 1
    return key


def united_by_key(first: Labels, second: Labels) -> Labels:
    """Return the labels of both; where both have a key, the first's."""
    known = {one.key for one in first}
    return first.replaced((*first, *(one for one in second if one.key not in known)))


def merge_labels(base: Labels, mine: Labels, theirs: Labels) -> Labels:
    """
    Merge two changes of a list of labels by key: additions of both, changes of either.

    Raises BranchMoved where both changed one label differently, or gave two labels one name.
    """
    old = {one.key: one for one in base}
    ours = {one.key: one for one in mine}
    merged: dict[str, Category] = {}
    for one in theirs:
        before, new = old.get(one.key), ours.get(one.key)
        if new in (before, one):
            merged[one.key] = one
        elif one == before:
            if new is not None:
                merged[one.key] = new
        else:
            raise BranchMoved(f"both sides changed the label '{one.name}' meanwhile")
    there = {one.key for one in theirs}
    for one in mine:
        before = old.get(one.key)
        if before is None:
            merged.setdefault(one.key, one)
        elif one.key not in there and one != before:
            raise BranchMoved(f"one side changed the label '{one.name}', the other removed it")
    names = [one.name for one in merged.values()]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise BranchMoved(f"two labels would be called '{min(twice)}'")
    extra = mine.extra if theirs.extra == base.extra else theirs.extra
    attributes = mine.attributes if theirs.attributes == base.attributes else theirs.attributes
    return Labels(merged.values(), attributes=attributes, extra=extra)
