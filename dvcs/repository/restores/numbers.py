"""
Numbers of what `restore --from` adds: where something else here has an id already, it gets another.

Only items that differ between both revisions can have numbers that the other does not know, so only
these are read; all of both, once, where a number is needed that nothing has.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from dvcs.merge.numbers import other_text
from dvcs.model import Annotation, Item
from dvcs.objects import trees
from dvcs.repository.snapshot import SIZE, Snapshot

NUMBER = re.compile(rb'"id":([0-9]{1,15})[,}]')
BATCH = 4096
LARGEST = 1 << 53
Key = int | str
Place = tuple[str, str]
"""Subset and id of an item."""


class Numbers:
    """The numbers of one source: learnt from what stays, then given to what comes."""

    def __init__(self, here: Snapshot, there: Snapshot, source: str) -> None:
        self._here, self._there, self._source = here, there, source
        self._owners: dict[Key, Place | None] = {}
        """Where an id is, of what stays; None: in several items."""
        self._images: set[tuple[str, Any]] = set()
        self._per_item = False
        self._top: int | None = None
        self.renumbered = 0

    def learn(self, item: Item | None) -> None:
        """Take note of an item that differs there and stays as it is here, or in part."""
        if item is None:
            return
        for id in {note.id for note in item.annotations if note.id}:
            self._per_item |= id in self._owners
            self._owners[id] = None if id in self._owners else (item.subset, item.id)
        self._images |= _image_ids(item)

    def whole(self, here: Item | None, there: Item) -> Item:
        """Return an item that comes as a whole, its numbers others where they are taken."""
        notes = self.added(there.annotations, range(len(there.annotations)), None)
        item = there if notes is there.annotations else there.with_(annotations=notes)
        if here is not None or self._images.isdisjoint(_image_ids(item)):
            return item
        extra = dict(item.extra)
        for name, number in _image_ids(item) & self._images:
            new = self.fresh() if isinstance(number, int) else other_text(number, {number})
            extra[name] = {**extra[name], "id": new}
            self.renumbered += 1
        return item.with_(extra=extra)

    def added(
        self, notes: Sequence[Annotation], fresh: Iterable[int], place: Place | None
    ) -> Sequence[Annotation]:
        """
        Return annotations of which those at some positions are new, with free numbers.

        `place` is the item that they are added to, None for one that comes as a whole.
        """
        new = set(fresh)
        own = {note.id for at, note in enumerate(notes) if at not in new}
        result = list(notes)
        changed = False
        for at in sorted(new):
            id = notes[at].id
            elsewhere = not self._per_item and self._owners.get(id, place) != place
            if id and (id in own or elsewhere):
                other = other_text(id, own) if isinstance(id, str) else self.fresh()
                result[at] = notes[at].with_(id=other)
                changed = True
                self.renumbered += 1
            own.add(result[at].id)
        return result if changed else notes

    def fresh(self) -> int:
        """Return a number that nothing has, here or there."""
        if self._top is None:
            self._top = max(_highest(one, self._source) for one in (self._here, self._there))
        self._top += 1
        return self._top


def _image_ids(item: Item) -> set[tuple[str, Any]]:
    """Return the numbers that formats gave to an item."""
    return {
        (name, record["id"])
        for name, record in item.extra.items()
        if isinstance(record, dict) and isinstance(record.get("id"), int | str)
    }


def _highest(snapshot: Snapshot, source: str) -> int:
    found = 0
    if source not in snapshot.sources:
        return found
    for tree in snapshot.sources[source].subsets.values():
        oids = [blobs[:SIZE] for _, blobs in trees.walk(snapshot.reader, tree)]
        for start in range(0, len(oids), BATCH):
            for text in snapshot.store.blobs(oids[start : start + BATCH], threads=1):
                numbers = map(int, NUMBER.findall(text))
                found = max(found, max((n for n in numbers if n < LARGEST), default=0))
    return found
