"""
Numbers of a comparison, and its report as plain values for JSON.

The report's shape:

    {"summary": {"items": {"added", "removed", "changed", "moved", "renamed"},
                 "annotations": {"added", "removed", "changed", "renumbered"}},
     "items": [{"source", "subset", "id", "status",
                "annotations": [{"status", "type", "label", "fields", "similarity",
                                 "before", "after"}]}]}

`before` and `after` are annotations as they are stored, with `type`, or null. Keys beyond these
appear where there is something to say: `previous` of a moved or renamed item, `fields` of the item
itself, and `rounded` annotations in the summary.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from dvcs.compare.changes import AnnotationChange, ItemChange
from dvcs.compare.equality import plain
from dvcs.model import Annotation, Other


class ItemCounts(msgspec.Struct, frozen=True):
    """How many items were added, removed, ...; each item counts once."""

    added: int = 0
    removed: int = 0
    changed: int = 0
    moved: int = 0
    renamed: int = 0

    def __add__(self, other: "ItemCounts") -> "ItemCounts":
        return ItemCounts(*map(sum, zip(_values(self), _values(other), strict=True)))


class AnnotationCounts(msgspec.Struct, frozen=True):
    """How many annotations were added, removed, changed; and of the rest, only numbered anew."""

    added: int = 0
    removed: int = 0
    changed: int = 0
    renumbered: int = 0
    rounded: int = 0

    def __add__(self, other: "AnnotationCounts") -> "AnnotationCounts":
        return AnnotationCounts(*map(sum, zip(_values(self), _values(other), strict=True)))


class SubsetCounts(msgspec.Struct, frozen=True):
    """The numbers of one subset."""

    items: ItemCounts = ItemCounts()
    annotations: AnnotationCounts = AnnotationCounts()

    def __add__(self, other: "SubsetCounts") -> "SubsetCounts":
        return SubsetCounts(self.items + other.items, self.annotations + other.annotations)


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """
    The numbers of a comparison; summaries of its parts can be added.

    `labels` has added, removed and changed annotations by label, "" for none; a relabelled one
    counts under its new label, and in `relabelled` as {old: {new: n}}. `subsets` is by the new
    subset of an item. `fields` is how often each field changed. `items_renumbered` and
    `items_filled` count items that have another number in their format, or media facts learnt.
    """

    items: ItemCounts = ItemCounts()
    annotations: AnnotationCounts = AnnotationCounts()
    labels: dict[str, AnnotationCounts] = {}
    subsets: dict[str, SubsetCounts] = {}
    relabelled: dict[str, dict[str, int]] = {}
    fields: dict[str, int] = {}
    interpolated: int = 0
    items_renumbered: int = 0
    items_filled: int = 0

    def __bool__(self) -> bool:
        """Whether anything changed, beyond numbers and newly learnt facts."""
        return any(_values(self.items))

    def __add__(self, other: "Summary") -> "Summary":
        tally = Tally()
        tally.merge(self)
        tally.merge(other)
        return tally.summary()


class Tally:
    """Counts item changes one by one; `summary()` at any time."""

    def __init__(self) -> None:
        self._items: dict[str, dict[str, int]] = {}
        self._annotations: dict[str, dict[str, int]] = {}
        self._labels: dict[str, dict[str, int]] = {}
        self._relabelled: dict[str, dict[str, int]] = {}
        self._fields: dict[str, int] = {}
        self._others = {"interpolated": 0, "items_renumbered": 0, "items_filled": 0}

    def add(self, change: ItemChange) -> None:
        """Count one item's change."""
        items = self._items.setdefault(change.subset, {})
        notes = self._annotations.setdefault(change.subset, {})
        if change.is_change:
            _count(items, change.status)
        for one in change.annotations:
            _count(notes, one.status)
            _count(self._labels.setdefault(one.annotation.label or "", {}), one.status)
            for name in one.fields:
                _count(self._fields, name)
            if "label" in one.fields:
                old, new = one.details["label"]
                _count(self._relabelled.setdefault(old or "", {}), new or "")
        _count(notes, "renumbered", change.renumbered)
        _count(notes, "rounded", change.rounded)
        for name, number in (
            ("interpolated", change.interpolated),
            ("items_renumbered", change.item_renumbered),
            ("items_filled", change.filled),
        ):
            _count(self._others, name, number)

    def merge(self, other: Summary) -> None:
        """Count what another summary has counted."""
        for subset, counts in other.subsets.items():
            _merge(self._items.setdefault(subset, {}), msgspec.structs.asdict(counts.items))
            notes = msgspec.structs.asdict(counts.annotations)
            _merge(self._annotations.setdefault(subset, {}), notes)
        for label, numbers in other.labels.items():
            _merge(self._labels.setdefault(label, {}), msgspec.structs.asdict(numbers))
        for label, targets in other.relabelled.items():
            _merge(self._relabelled.setdefault(label, {}), targets)
        _merge(self._fields, other.fields)
        _merge(self._others, {name: getattr(other, name) for name in self._others})

    def summary(self) -> Summary:
        """Return the numbers so far."""
        subsets = {
            subset: SubsetCounts(ItemCounts(**items), AnnotationCounts(**self._annotations[subset]))
            for subset, items in sorted(self._items.items())
        }
        total = sum(subsets.values(), SubsetCounts())
        return Summary(
            items=total.items,
            annotations=total.annotations,
            labels={name: AnnotationCounts(**one) for name, one in sorted(self._labels.items())},
            subsets={name: one for name, one in subsets.items() if one != SubsetCounts()},
            relabelled={
                name: dict(sorted(one.items())) for name, one in sorted(self._relabelled.items())
            },
            fields=dict(sorted(self._fields.items())),
            **self._others,
        )


def summarise(changes: Iterable[ItemChange]) -> Summary:
    """Return the numbers of all changes."""
    tally = Tally()
    for change in changes:
        tally.add(change)
    return tally.summary()


def _values(counts: ItemCounts | AnnotationCounts) -> tuple[int, ...]:
    return msgspec.structs.astuple(counts)


def _count(numbers: dict[str, int], name: str, by: int = 1) -> None:
    if by:
        numbers[name] = numbers.get(name, 0) + by


def _merge(numbers: dict[str, int], more: dict[str, int]) -> None:
    for name, by in more.items():
        _count(numbers, name, by)


# -- as plain values -----------------------------------------------------------------------------


def report(changes: Iterable[ItemChange]) -> dict[str, Any]:
    """Return the whole report; for what is too long to hold, use `Tally` and `item_report`."""
    tally = Tally()
    items = []
    for change in changes:
        tally.add(change)
        if change.is_change:
            items.append(item_report(change))
    return {"summary": summary_report(tally.summary()), "items": items}


def summary_report(summary: Summary) -> dict[str, Any]:
    """Return the numbers as the report has them."""
    return {
        "items": msgspec.structs.asdict(summary.items),
        "annotations": _notes_report(summary.annotations),
    }


def table_report(summary: Summary) -> dict[str, Any]:
    """Return the numbers by subset and by label ("" for none), and what became another label."""
    return {
        "subsets": {
            name: {
                "items": msgspec.structs.asdict(one.items),
                "annotations": _notes_report(one.annotations),
            }
            for name, one in summary.subsets.items()
        },
        "by_label": {name: _notes_report(one) for name, one in summary.labels.items()},
        "relabelled": summary.relabelled,
    }


def _notes_report(counts: AnnotationCounts) -> dict[str, int]:
    told: dict[str, int] = msgspec.structs.asdict(counts)
    if not told["rounded"]:
        del told["rounded"]
    return told


def item_report(change: ItemChange) -> dict[str, Any]:
    """Return one item's change as the report has it."""
    result: dict[str, Any] = {
        "source": change.source,
        "subset": change.subset,
        "id": change.id,
        "status": change.status,
        "annotations": [_annotation_report(one) for one in change.annotations],
    }
    if change.previous is not None:
        result["previous"] = dict(zip(("source", "subset", "id"), change.previous, strict=True))
    if change.fields:
        result["fields"] = list(change.fields)
    return result


def _annotation_report(change: AnnotationChange) -> dict[str, Any]:
    note = change.annotation
    return {
        "status": change.status,
        "type": note.kind,
        "label": note.label,
        "fields": list(change.fields),
        "similarity": change.similarity,
        "before": plain_annotation(change.before),
        "after": plain_annotation(change.after),
    }


def plain_annotation(note: Annotation | None) -> dict[str, Any] | None:
    """Return an annotation as plain values, defaults left out."""
    if note is None:
        return None
    if isinstance(note, Other) and note.format == "dvcs" and isinstance(note.record, dict):
        return note.record
    fields: dict[str, Any] = msgspec.to_builtins(note.with_(unknown={}), enc_hook=plain)
    return {**fields, **note.unknown}
