"""
Polygons of several parts that a tool sends back as several polygons.

Annotation tools have no such polygon: they show each part as a shape of its own, all of them in one
group, and know nothing of what they were. So shapes that stand for the parts of a polygon that was
shown, and are in one group, are that polygon again: whole, moved, relabelled, or without a part.
Shapes that were shown as a group of separate polygons stay so.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from dvcs.compare import is_shortened, pair_annotations, same
from dvcs.model import Annotation, Polygon

FIELDS = ("label", "score", "track", "z_order")
GONE = object()
Size = tuple[int, int] | None


class Rejoined(NamedTuple):
    """What was edited, its polygons whole again; `known` says which of the shown ones they are."""

    notes: list[Annotation]
    known: Mapping[int, int]


def rejoined(
    shown: Sequence[Annotation], edited: Sequence[Annotation], *, size: Size = None
) -> Rejoined:
    """
    Return edited annotations with the shapes that stand for parts of a shown polygon as one.

    Parts that are in no common group any more, or that were edited so that they contradict each
    other (two labels), are shapes of their own now.
    """
    lost = _lost(shown, edited, size) if _may_be_parts(edited) else []
    if not lost:
        return Rejoined(list(edited), {})
    pieces = _pieces(shown, edited, lost, size)
    sizes = Counter(note.group for note in edited if note.group)
    whole: dict[int, tuple[int, Annotation]] = {}
    """What stands in the place of an edited shape: the shown polygon it is, and that anew."""
    absorbed: set[int] = set()
    for at in lost:
        ours = _together(pieces[at], edited)
        new = _whole(shown[at], ours, edited) if ours else None
        if new is None:
            continue
        places = sorted(ours.values())
        if sizes[new.group] == len(places):  # nobody but the parts
            new = new.with_(group=0)
        whole[places[0]] = at, new
        absorbed.update(places[1:])
    notes: list[Annotation] = []
    known: dict[int, int] = {}
    for e, note in enumerate(edited):
        if e in whole:
            at, new = whole[e]
            known[at] = len(notes)
            notes.append(new)
        elif e not in absorbed:
            notes.append(note)
    return Rejoined(notes, known)


def _may_be_parts(edited: Iterable[Annotation]) -> bool:
    return any(isinstance(note, Polygon) and len(note.parts) == 1 for note in edited)


def _lost(shown: Sequence[Annotation], edited: Sequence[Annotation], size: Size) -> list[int]:
    """Return the positions of shown polygons of several parts that are not there as such."""
    several = [at for at, note in enumerate(shown) if _count(note) > 1]
    if not several:
        return []
    there = [note for note in edited if _count(note) > 1]
    pairs = pair_annotations([shown[at] for at in several], there, size=size)
    return [several[pair.old] for pair in pairs if pair.old is not None and pair.new is None]


def _pieces(
    shown: Sequence[Annotation], edited: Sequence[Annotation], lost: Sequence[int], size: Size
) -> dict[int, dict[int, int]]:
    """Return, for each shown polygon of `lost`, which edited shape each of its parts is now."""
    apart: list[Annotation] = []
    whose: list[tuple[int, int] | None] = []
    top = max((note.group for note in shown), default=0)
    chosen = frozenset(lost)
    for at, note in enumerate(shown):
        if at not in chosen or not isinstance(note, Polygon):
            apart.append(note)
            whose.append(None)
            continue
        top += 1
        for n, part in enumerate(note.parts):
            apart.append(note.with_(parts=[part], group=note.group or top, derived={}))
            whose.append((at, n))
    found: dict[int, dict[int, int]] = {at: {} for at in lost}
    for pair in pair_annotations(apart, edited, size=size):
        one = None if pair.old is None else whose[pair.old]
        if one is not None and pair.new is not None and _count(edited[pair.new]) == 1:
            found[one[0]][one[1]] = pair.new
    return found


def _together(places: Mapping[int, int], edited: Sequence[Annotation]) -> dict[int, int]:
    """Return those parts that are in one group: the most of them; or the only one there is."""
    if len(places) < 2:
        return dict(places)
    groups = Counter(edited[e].group for e in places.values() if edited[e].group)
    if not groups:
        return {}
    group = groups.most_common(1)[0][0]
    return {n: e for n, e in places.items() if edited[e].group == group}


def _whole(
    shown: Annotation, places: Mapping[int, int], edited: Sequence[Annotation]
) -> Annotation | None:
    """Return the polygon that edited shapes are the parts of; None where they contradict it."""
    changes: dict[str, Any] = {}
    attributes: dict[str, Any] = {}
    parts: list[Any] = []
    for n in sorted(places):
        note = edited[places[n]]
        for name in FIELDS:
            before, after = getattr(shown, name), getattr(note, name)
            if before != after and changes.setdefault(name, after) != after:
                return None
        for name in {*shown.attributes, *note.attributes}:
            now = note.attributes.get(name, GONE)
            if _same(shown.attributes.get(name, GONE), now):
                continue
            if not _same(attributes.setdefault(name, now), now):
                return None
        parts.append(_part(shown, n, note))
    merged = {**shown.attributes, **attributes}
    changes["attributes"] = {name: at for name, at in merged.items() if at is not GONE}
    first = edited[places[min(places)]]
    return first.with_(parts=parts, derived=shown.derived, **changes)


def _part(shown: Any, n: int, note: Any) -> Any:
    """Return a part as it is now; as it was shown, where it was only rounded."""
    was = Polygon([shown.parts[n]])
    now = Polygon(note.parts)
    return shown.parts[n] if is_shortened(was, now, None) else note.parts[0]


def _same(one: Any, other: Any) -> bool:
    """Tell whether two attributes are alike, absent ones included."""
    return one is other if GONE in (one, other) else same(one, other)


def _count(note: Annotation) -> int:
    return len(note.parts) if isinstance(note, Polygon) else 0
