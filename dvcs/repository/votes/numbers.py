"""
Ids of annotations over all items of a voted source.

Two annotators who add something take the same next id; in the result one of them gets another.
Where a voter's own items share ids (they count within an item), ids are no identities, and stay.
"""

from collections.abc import Callable, Collection, Iterator, Sequence

from dvcs.merge.numbers import other_text
from dvcs.model import Annotation
from dvcs.repository.merges.places import Place

Id = int | str


class Numbers:
    """
    Learns the ids of voters and of results, item by item; then tells which become others.

    `highest` is asked once, if at all, for the highest number that anything has.
    """

    def __init__(self, voters: int, highest: Callable[[], int] = lambda: 0) -> None:
        self._seen: list[set[Id]] = [set() for _ in range(voters)]
        self._sampled: set[Id] = set()
        self._used: set[Id] = set()
        self._clashes: dict[Place, set[Id]] = {}
        self._local = False
        self._highest = highest
        self._top: int | None = None

    @property
    def fresh(self) -> Callable[[], int] | None:
        """What gives numbers that nothing has; None where ids count within an item."""
        return None if self._local else self._fresh_number

    def sample(self, notes: Sequence[Annotation]) -> None:
        """Learn from an item whether ids are identities; that may be learnt again afterwards."""
        ids = {note.id for note in notes if note.id}
        if not self._sampled.isdisjoint(ids) or any(repeated(notes, ids)):
            self._local = True
        self._sampled |= ids

    def learn(self, voter: int, notes: Sequence[Annotation]) -> None:
        """Learn the ids of an item of a voter."""
        if self._local:
            return
        ids = {note.id for note in notes if note.id}
        seen = self._seen[voter]
        if not seen.isdisjoint(ids) or any(repeated(notes, ids)):
            self._local = True
        seen |= ids

    def settle(self, place: Place, notes: Sequence[Annotation]) -> None:
        """Learn the ids of an item of the result."""
        if self._local:
            return
        ids = {note.id for note in notes if note.id}
        clashing = self._used & ids
        if clashing or any(repeated(notes, ids)):
            self._clashes[place] = clashing
        self._used |= ids

    def clashes(self) -> list[Place]:
        """Return the items of the result with ids that something else has, too."""
        if self._local:
            return []
        self._used = self._used.union(*self._seen)
        return sorted(self._clashes)

    def apply(self, place: Place, notes: Sequence[Annotation]) -> tuple[list[Annotation], int]:
        """Return an item's annotations with their other ids, and how many have another."""
        elsewhere = self._clashes[place]
        new: dict[int, Id] = {}
        result = []
        numbers: dict[tuple[Id, int], Id] = {}
        for at in _later(notes, elsewhere):
            note = notes[at]
            key = note.id, note.group or -1 - at
            if key not in numbers:
                numbers[key] = self._fresh(note.id)
            new[at] = numbers[key]
        for at, note in enumerate(notes):
            result.append(note.with_(id=new[at]) if at in new else note)
        return result, len(new)

    def _fresh(self, id: Id) -> Id:
        if isinstance(id, str):
            name = other_text(id, self._used)
            self._used.add(name)
            return name
        return self._fresh_number()

    def _fresh_number(self) -> int:
        if self._top is None:
            known = (one for ids in (self._used, *self._seen) for one in ids)
            self._top = max((one for one in known if isinstance(one, int)), default=0)
            self._top = max(self._top, self._highest())
        self._top += 1
        return self._top


def repeated(notes: Sequence[Annotation], ids: Collection[Id]) -> Iterator[int]:
    """Yield the places of annotations whose id another object of the item has before them."""
    if len(ids) != sum(1 for note in notes if note.id):
        yield from _later(notes, ())


def _later(notes: Sequence[Annotation], elsewhere: Collection[Id]) -> Iterator[int]:
    """Yield the places of annotations with an id that is another object's; groups are objects."""
    owners: dict[Id, int] = {}
    for at, note in enumerate(notes):
        if not note.id:
            continue
        group = note.group or -1 - at
        if owners.setdefault(note.id, group) != group or note.id in elsewhere:
            yield at
