"""
Numbers of tracks in a file that a tool wrote anew: which of them stand for which that were shown.

Annotation tools number the tracks of a file from 0, so one that is deleted renumbers all behind it.
Shapes that are equal but for their track tell which is which. Only where all of them agree, in both
directions, is it the same track under another number; a shape that went from one track to another
is an edit.
"""

from collections.abc import Mapping
from typing import Any

from dvcs.compare.equality import key_without_track
from dvcs.model import Annotation, Item
from dvcs.projection.mappings import unnumbered

Sequence = tuple[str, str]
"""The frames that share the numbers of tracks: subset and folder."""
Number = Any


class Tracks:
    """What equal shapes tell of the numbers of tracks; items with those that were shown."""

    def __init__(self) -> None:
        self._shown: dict[Sequence, dict[Number, set[Number]]] = {}
        self._numbers: dict[Sequence, dict[Number, Number]] | None = None
        self._top = 0

    def keep(self, item: Item) -> None:
        """Learn from an item that is as it was shown."""
        for note in item.annotations:
            if note.track is not None:
                self._vote(_sequence(item), note.track, {note.track})

    def learn(self, shown: Item, edited: Item) -> None:
        """Learn from an item, as it was shown and as it is now."""
        tracks: dict[bytes, set[Number]] = {}
        for note in shown.annotations:
            if note.track is not None:
                self._see(note.track)
                tracks.setdefault(_key(note), set()).add(note.track)
        for note in edited.annotations:
            if note.track is not None:
                found = tracks.get(_key(note), set())
                self._vote(_sequence(edited), note.track, found if len(found) == 1 else set())

    def renumbered(self, item: Item) -> Item:
        """Return an edited item, its tracks numbered as they were shown."""
        if self._numbers is None:
            self._numbers = {name: self._decided(votes) for name, votes in self._shown.items()}
        numbers: Mapping[Number, Number] = self._numbers.get(_sequence(item), {})
        if not any(note.track in numbers for note in item.annotations):
            return item
        return item.with_(
            annotations=[
                note.with_(track=numbers.get(note.track, note.track)) for note in item.annotations
            ]
        )

    def _vote(self, sequence: Sequence, edited: Number, shown: set[Number]) -> None:
        self._see(edited)
        self._shown.setdefault(sequence, {}).setdefault(edited, set()).update(shown)

    def _see(self, number: Number) -> None:
        if isinstance(number, int):
            self._top = max(self._top, number)

    def _decided(self, votes: Mapping[Number, set[Number]]) -> dict[Number, Number]:
        """Return the numbers that stand for others: those shown for those of the edited file."""
        claimed: dict[Number, int] = {}
        for found in votes.values():
            for one in found:
                claimed[one] = claimed.get(one, 0) + 1
        same = {
            edited: one
            for edited, found in votes.items()
            for one in found
            if len(found) == 1 and claimed[one] == 1
        }
        taken = set(same.values())
        for edited in votes:
            if edited not in same and edited in taken:  # a new track has the number of another
                self._top += 1
                same[edited] = self._top
        return {edited: shown for edited, shown in same.items() if edited != shown}


def _sequence(item: Item) -> Sequence:
    return item.subset, item.id.rpartition("/")[0]


def _key(note: Annotation) -> bytes:
    return key_without_track(note.with_(extra=unnumbered(note.extra)) if note.extra else note)
