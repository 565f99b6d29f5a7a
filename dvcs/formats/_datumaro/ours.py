"""
What dvcs itself has said of an annotation, under the key `dvcs` of its record in a Datumaro file.

It has the fields of the annotation that the record cannot say, its `type` in the model where that
is another, and

    check       a number that the shape has as long as it is as written; else the fields that
                are or follow from the shape no longer hold
    rings, ring in how many rings a polygon is written; which one of them this is, from 1
    group       what `extra["datumaro"]["group"]` would be, 0 for none
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from dvcs.errors import DvcsError
from dvcs.formats._datumaro.records import NAME, OURS, Record, checksum, said, to_note
from dvcs.model import KINDS, Annotation, Points, Polygon, PolyLine

CONTROL = frozenset({"check", "rings", "ring", "group"})
FOLLOWS = frozenset(
    {"type", "derived", *(n for one in KINDS.values() for n in one.geometry_fields)}
)
"""What holds only as long as the shape is as written."""


class BadRecord(DvcsError):
    """One annotation that cannot be read; where it stands is added by the caller."""


def pairs(points: list[float]) -> list[float]:
    """Return flat coordinates. Raises BadRecord where there is an odd number of them."""
    if len(points) & 1:
        raise BadRecord(f"'points' has {len(points)} numbers, an odd count")
    return points


def restored(note: Annotation, ours: dict[str, Any]) -> Annotation:
    """Return an annotation with what its record says under `dvcs`."""
    fields = {name: value for name, value in ours.items() if name not in CONTROL}
    if not fields or "rings" in ours:  # a polygon of several rings waits for the others
        return note
    return _applied(note, fields, ours.get("check"))


def _applied(note: Annotation, fields: dict[str, Any], check: Any) -> Annotation:
    if len(fields) == 1 and isinstance(derived := fields.get("derived"), dict):
        # What files that were COCO's have for each annotation: a third of the time of the rest.
        return note.with_(derived=derived) if check == checksum(note.geometry) else note
    stands = FOLLOWS.isdisjoint(fields) or check == checksum(note.geometry)
    fields = {name: value for name, value in fields.items() if stands or name not in FOLLOWS}
    kind = str(fields.get("type", note.kind))
    names: Sequence[str] = KINDS[kind].__struct_fields__ if kind in KINDS else ()
    base = {name: getattr(note, name) for name in note.__struct_fields__ if name in names}
    extra = fields.get("extra", {})
    if not isinstance(extra, dict):
        raise BadRecord(f"'{OURS}.extra' is not an object")
    newer = {name: fields.pop(name) for name in list(fields) if name not in (*names, "type")}
    held = {name: value for name, value in {**note.extra, **extra}.items() if value is not None}
    merged = {**base, **fields, "extra": held, "type": kind}
    if newer:
        merged["unknown"] = {**newer, **base.get("unknown", {})}
    try:
        new = to_note(msgspec.to_builtins(merged))
    except msgspec.ValidationError as error:
        raise BadRecord(f"'{OURS}': {said(error)}") from None
    _check(new)
    return new


def _check(note: Annotation) -> None:
    if isinstance(note, Polygon):
        for ring in (ring for part in note.parts for ring in part):
            pairs(ring)
    elif isinstance(note, PolyLine | Points):
        pairs(note.points)


def joined(
    records: Sequence[Record | None], notes: Sequence[Annotation], start: int
) -> tuple[Annotation, int]:
    """
    Return the polygon whose first ring is at `start`, and how many of the records it is made of.

    Rings that are no longer there, or no longer in their order, are not part of it.
    """
    first = notes[start]
    ours = _ours(records[start])
    wanted = ours.get("rings")
    if not isinstance(first, Polygon) or type(wanted) is not int:
        return first, 1
    end = start + 1
    while (
        end - start < wanted
        and end < len(records)
        and _ours(records[end]).get("ring") == end - start
        and isinstance(notes[end], Polygon)
    ):
        end += 1
    parts = [part for note in notes[start:end] for part in note.parts]  # type: ignore[attr-defined]
    whole = first.with_(parts=parts)
    fields = {name: value for name, value in ours.items() if name not in CONTROL}
    if not fields:
        return whole, end - start
    return _applied(whole, fields, ours.get("check")), end - start


def _ours(record: Record | None) -> dict[str, Any]:
    return (record.dvcs if record is not None else None) or {}


def regrouped(notes: list[Annotation], stated: Sequence[Any]) -> list[Annotation]:
    """
    Return annotations with their groups numbered from 1, by first appearance; one alone has none.

    The file's number, where it is another, is kept; `stated` says what is to be kept instead.
    """
    sizes: dict[int, int] = {}
    for note in notes:
        sizes[note.group] = sizes.get(note.group, 0) + 1
    numbers: dict[int, int] = {}
    result = []
    for note, keep in zip(notes, stated, strict=True):
        number = note.group
        group = numbers.setdefault(number, len(numbers) + 1) if number and sizes[number] > 1 else 0
        if keep is None:
            keep = number if number != group else 0  # noqa: PLW2901
        new = note if group == number else note.with_(group=group)
        if keep and type(keep) is int:
            held = {**new.extra.get(NAME, {}), "group": keep}
            new = new.with_(extra={**new.extra, NAME: held})
        result.append(new)
    return result
