"""
Which items of several voters are the same one, and who has removed it.

Only places are looked at, and ids of blobs.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from dvcs.repository.merges.places import Place


class Row(NamedTuple):
    """One item: where it is to be, and where each voter has it (None: not there)."""

    place: Place
    at: tuple[Place | None, ...]


def gathered(held: Sequence[Iterable[Place]]) -> list[Row]:
    """
    Return the items of all voters, sorted by place.

    An item is the same one by subset and id; else by its id, where each voter has it in one subset
    only. Then it is in the subset where most have it, of several the first voter's.
    """
    found: dict[Place, list[Place | None]] = {}
    for voter, places in enumerate(held):
        for place in places:
            found.setdefault(place, [None] * len(held))[voter] = place
    by_id: dict[bytes, list[Place]] = {}
    for place, at in found.items():
        if None in at:
            by_id.setdefault(place[1], []).append(place)
    for alike in by_id.values():
        if len(alike) > 1:
            _unite(found, alike)
    return [Row(place, tuple(found[place])) for place in sorted(found)]


def _unite(found: dict[Place, list[Place | None]], places: Sequence[Place]) -> None:
    """Have items of one id in several subsets be one, where no voter has it twice."""
    columns = list(zip(*(found[place] for place in places), strict=True))
    if any(sum(one is not None for one in column) > 1 for column in columns):
        return
    united = [next((one for one in column if one is not None), None) for column in columns]
    best = max(places, key=lambda place: (united.count(place), -united.index(place)))
    for place in places:
        del found[place]
    found[best] = united


class Removals:
    """
    Tells who has removed an item: had it, and has it nowhere.

    `past` are the pasts of each voter, one or several. What others moved to another subset is
    found where it came from; or by its id, where there is one item of that id only.
    """

    def __init__(
        self,
        rows: Iterable[Row],
        held: Sequence[Mapping[Place, bytes]],
        past: Sequence[Collection[Mapping[Place, bytes]]],
    ) -> None:
        self._past = past
        self._gone = [_gone(had, now) for had, now in zip(past, held, strict=True)]
        names = {name for gone in self._gone for name in gone}
        self._rows: dict[bytes, list[Row]] = {}
        for row in rows:
            if row.place[1] in names:
                self._rows.setdefault(row.place[1], []).append(row)

    def of(self, row: Row) -> frozenset[int]:
        """Return the voters who have removed an item."""
        name = row.place[1]
        gone = {
            voter: places
            for voter, (at, held) in enumerate(zip(row.at, self._gone, strict=True))
            if at is None and (places := held.get(name))
        }
        if not gone:
            return frozenset()
        near, single = self.near(row), len(self._rows[name]) == 1
        return frozenset(
            voter
            for voter, places in gone.items()
            if not near.isdisjoint(places) or (single and len(places) == 1)
        )

    def by_all(self) -> Iterator[tuple[Place, bytes, list[int]]]:
        """Yield what nobody has any more: where it was, its blobs, the voters who removed it."""
        found: dict[Place, list[int]] = {}
        for voter, gone in enumerate(self._gone):
            for name, places in gone.items():
                rows = self._rows.get(name, ())
                if len(places) == 1 and any(voter in self.of(row) for row in rows):
                    continue  # that is what counts there, maybe by the id alone
                for place in places.difference(*map(self.near, rows)):
                    found.setdefault(place, []).append(voter)
        for place, voters in sorted(found.items()):
            yield place, next(had[place] for had in self._past[voters[0]] if place in had), voters

    def near(self, row: Row) -> set[Place]:
        """Return all places where an item is, is to be, and was before a voter moved it."""
        found = {row.place}
        for place, gone, past in zip(row.at, self._gone, self._past, strict=True):
            if place is None:
                continue
            found.add(place)
            origins = gone.get(place[1], ())
            if len(origins) == 1 and not any(place in had for had in past):
                found |= set(origins)
        return found


def _gone(
    past: Collection[Mapping[Place, bytes]], now: Mapping[Place, bytes]
) -> dict[bytes, set[Place]]:
    """Return, by name, the places where a voter had an item and has none."""
    found: dict[bytes, set[Place]] = {}
    for had in past:
        for place in had.keys() - now.keys():
            found.setdefault(place[1], set()).add(place)
    return found


def is_untouched(
    row: Row,
    held: Sequence[Mapping[Place, bytes]],
    past: Sequence[Mapping[Place, bytes]],
    removals: Removals,
) -> bool:
    """Tell whether each voter has an item as it was in its past: nobody voted on it."""
    for place, now, before in zip(row.at, held, past, strict=True):
        if place is not None and before.get(place) != now[place]:
            return False
    return not removals.of(row)
