"""
COCO's categories as labels, and back.

The labels of a dataset are the union of the categories of its files, by name. What one file says
otherwise than `category_record` would (an id, `isthing`, keypoints where they are not usual) is
kept in the metadata of that file, under the label's key.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from dvcs.errors import FormatError, FormatErrors
from dvcs.formats._coco.records import KEYPOINTS, NAME, NOTES, PANOPTIC, Id
from dvcs.model import Category, Labels
from dvcs.names import label_key

MISSING = object()
MOST_PADDING = 100_000


def category(record: Mapping[str, Any], taken: Iterable[str]) -> Category:
    """
    Return a category record as a label.

    A name that the same file uses for another category gets the id added (`name#id`). Raises
    TypeError with what is wrong where the record has no usable id or name.
    """
    rest = dict(record)
    id, name = rest.pop("id", None), rest.pop("name", None)
    if isinstance(id, bool) or not isinstance(id, int | str):
        raise TypeError(f"its id is {id!r}, not a number or text")
    if not isinstance(name, str):
        raise TypeError(f"its name is {name!r}, not text")
    key = label_key(name)
    if name in taken:
        rest["name"] = name
        key = label_key(name, id)
        name = f"{name}#{id}"
    notes: dict[str, Any] = {}
    if NOTES in rest:
        notes["keys"] = {NOTES: rest.pop(NOTES)}
    parent = rest.pop("supercategory", MISSING)
    if parent is MISSING:
        notes["absent"] = ["supercategory"]
    elif not isinstance(parent, str):
        rest["supercategory"] = parent
    color: Any = rest.get("color")
    if _is_color(color):
        del rest["color"]
    keypoints: Any = rest.get("keypoints")
    skeleton: Any = rest.get("skeleton")
    if _are_texts(keypoints):
        del rest["keypoints"]
        if _are_joints(skeleton, len(keypoints)):
            del rest["skeleton"]
    if notes:
        rest[NOTES] = notes
    return Category(
        name=name,
        key=key,
        id=id,
        parent=parent if isinstance(parent, str) and parent else None,
        color=tuple(color) if _is_color(color) else None,
        keypoints=tuple(keypoints) if "keypoints" not in rest and keypoints else (),
        joints=(
            tuple((a - 1, b - 1) for a, b in skeleton)
            if "skeleton" not in rest and skeleton
            else ()
        ),
        extra={NAME: rest} if rest else {},
    )


def _is_color(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 3
        and all(type(one) is int and 0 <= one <= 255 for one in value)
    )


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, str) for one in value)


def _are_joints(value: Any, count: int) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(
            isinstance(pair, list)
            and len(pair) == 2
            and all(type(one) is int and 1 <= one <= count for one in pair)
            for pair in value
        )
    )


def category_record(label: Category, id: Id, task: str) -> dict[str, Any]:
    """Return a label as a record of a file of `task`."""
    extra = dict(label.extra.get(NAME, {}))
    notes = extra.pop(NOTES, {})
    shared_name = extra.pop("name", None)
    name = label.name
    if shared_name is not None and label.name.startswith(f"{shared_name}#"):
        name = shared_name
    record: dict[str, Any] = {"id": id, "name": name, "supercategory": label.parent or ""}
    if label.color is not None:
        record["color"] = list(label.color)
    if task == PANOPTIC:
        record["isthing"] = 1
    if task == KEYPOINTS and label.keypoints:
        record["keypoints"] = list(label.keypoints)
        record["skeleton"] = [[a + 1, b + 1] for a, b in label.joints]
    record |= extra
    record |= notes.get("keys", {})
    for key in notes.get("absent", ()):
        if key != "supercategory" or not label.parent:
            record.pop(key, None)
    return record


def deviation(record: Mapping[str, Any], usual: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a file says of a category beyond or against what would be written."""
    changed = {
        key: value
        for key, value in record.items()
        if (have := usual.get(key, MISSING)) is MISSING
        or have != value
        or isinstance(have, bool) is not isinstance(value, bool)
    }
    absent = [key for key in usual if key not in record]
    return {
        **({"set": changed} if changed else {}),
        **({"absent": absent} if absent else {}),
    }


def deviating(record: dict[str, Any], deviation: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record with a file's deviation; a name is never taken from there."""
    record |= {key: value for key, value in deviation.get("set", {}).items() if key != "name"}
    for key in deviation.get("absent", ()):
        record.pop(key, None)
    return record


def _changed(label: Category, **fields: Any) -> Category:
    return msgspec.structs.replace(label, **fields)


def _padding(position: int, taken: set[str]) -> Category:
    """Return a label that only fills a position; files do not get it."""
    name = f"class-{position}"
    while name in taken:
        name += "_"
    return Category(name=name, extra={NAME: {NOTES: {"padding": True}}})


class LabelTable:
    """The labels of several files, growing file by file."""

    def __init__(self) -> None:
        self._by_key: dict[str, Category] = {}
        self._names: set[str] = set()

    def add_file(self, records: list[dict[str, Any]], place: Any) -> dict[Id, str]:
        """
        Add a file's categories; return the label name of each id.

        Raises FormatErrors for records without id or name, and for one id given twice.
        """
        names: dict[Id, str] = {}
        stated: set[str] = set()
        errors = []
        for number, record in enumerate(records):
            try:
                one = category(record, stated)
            except TypeError as error:
                errors.append(FormatError(str(error), place, item=f"categories[{number}]"))
                continue
            if one.id in names:
                errors.append(
                    FormatError(
                        f"two categories have the id {one.id!r}",
                        place,
                        item=f"categories[{number}]",
                    )
                )
                continue
            stated.add(record["name"])
            one = self._named(one)
            names[one.id] = one.name  # type: ignore[index]
            self._add(one)
        if len(errors) == 1:
            raise errors[0]
        if errors:
            raise FormatErrors(errors)
        return names

    def add_numbers(self, ids: Iterable[Id]) -> dict[Id, str]:
        """Add labels `category_<id>` for ids of which no file tells the name."""
        names: dict[Id, str] = {}
        for id in sorted(ids, key=lambda one: (isinstance(one, str), one)):
            names[id] = f"category_{id}"
            self._add(Category(name=names[id], id=id))
        return names

    def _named(self, new: Category) -> Category:
        """Return a label under the name that it has here already, else under one that is free."""
        known = self._by_key.get(new.key)
        name = new.name if known is None else known.name
        while known is None and name in self._names:
            name = f"{name}#{new.id}"
        if name == new.name:
            return new
        extra = {NAME: {"name": new.name, **new.extra.get(NAME, {})}}
        return _changed(new, name=name, extra=extra)

    def _add(self, new: Category) -> None:
        known = self._by_key.get(new.key)
        if known is None:
            self._by_key[new.key] = new
            self._names.add(new.name)
        elif new.keypoints and not known.keypoints:
            self._by_key[new.key] = _changed(known, keypoints=new.keypoints, joints=new.joints)

    def labels(self, *, padded: bool = False) -> Labels:
        """
        Return the labels in order; `padded` puts each at the position of its id.

        Positions without a label are filled with `class-N`. Raises TypeError where ids are texts,
        negative, beyond 100,000, or not unique over the files.
        """
        found = list(self._by_key.values())
        if not padded:
            return Labels(found)
        by_id = {one.id: one for one in found}
        ids = [id for id in by_id if isinstance(id, int) and 0 <= id <= MOST_PADDING]
        if len(ids) != len(found):
            raise TypeError("category ids are not unique numbers from 0 to 100000")
        taken = {one.name for one in found}
        padding = (by_id.get(n) or _padding(n, taken) for n in range(max(ids, default=-1) + 1))
        return Labels(padding)

    def by_name(self) -> dict[str, Category]:
        """Return the labels by name."""
        return {one.name: one for one in self._by_key.values()}
