"""
Tracks across the items of a sequence: which of several voters are the same object.

A vote about one frame knows nothing of the others, and its result has the track of the first voter
who drew the object there. Where that voter overlooked it in one frame, it would have another track
there. So tracks are united when all items are counted:

    tracks = Tracks(voters)
    for ballot, voted in ...: tracks.learn(ballot, voted)
    for ballot, voted in ...: item = tracks.renamed(ballot, voted)

Two tracks are one where they most often are votes for the same shape, one of each voter at most.
"""

from collections.abc import Iterator, Sequence

from dvcs.merge.numbers import other_text
from dvcs.model import Item
from dvcs.vote.options import Voter
from dvcs.vote.records import Ballot, Cluster, Voted

Track = tuple[int, int | str]
"""A voter's number, and what that voter calls the track."""


class Tracks:
    """What the voters call the tracks of one source, and what they are called in the result."""

    def __init__(self, voters: Sequence[Voter]) -> None:
        self._count = len(voters)
        self._together: dict[tuple[Track, Track], int] = {}
        self._seen: dict[Track, None] = {}
        self._names: dict[Track, int | str] | None = None

    @property
    def known(self) -> bool:
        """Whether any annotation has a track; else there is nothing to rename."""
        return bool(self._seen)

    def learn(self, ballot: Ballot, voted: Voted) -> None:
        """Learn which tracks were votes for one shape."""
        self._names = None
        for cluster in voted.clusters:
            tracks = list(_tracks(ballot, cluster))
            self._seen.update(dict.fromkeys(tracks))
            for at, one in enumerate(tracks):
                for other in tracks[at + 1 :]:
                    self._together[one, other] = self._together.get((one, other), 0) + 1

    def renamed(self, ballot: Ballot, voted: Voted) -> Item:
        """Return the item of a vote with the tracks of the result."""
        if not self._seen:
            return voted.item
        if self._names is None:
            self._names = self._united()
        notes = list(voted.item.annotations)
        for cluster in voted.clusters:
            first = next(_tracks(ballot, cluster), None)
            if cluster.result is not None and first is not None:
                note = notes[cluster.result]
                notes[cluster.result] = note.with_(track=self._names[first])
        return voted.item.with_(annotations=notes)

    def _united(self) -> dict[Track, int | str]:
        """Return what each track is called: as the first voter does who drew it."""
        joined: dict[Track, dict[int, Track]] = {one: {one[0]: one} for one in self._seen}
        ranked = sorted(self._together.items(), key=lambda one: (-one[1], _rank(one[0])))
        for (a, b), _ in ranked:
            one, other = joined[a], joined[b]
            if one.keys().isdisjoint(other):
                one.update(other)
                joined.update(dict.fromkeys(other.values(), one))
        names: dict[Track, int | str] = {}
        taken: set[int | str] = set()
        every = {track for _, track in self._seen}
        top = max((one for one in every if isinstance(one, int)), default=0)
        for track in sorted(self._seen, key=lambda one: one[0]):
            held = joined[track]
            if track in names:
                continue
            name = held[min(held)][1]
            if name in taken and isinstance(name, str):
                name = other_text(name, every)
            elif name in taken:
                top += 1
                name = top
            every.add(name)
            taken.add(name)
            names.update(dict.fromkeys(held.values(), name))
        return names


def _tracks(ballot: Ballot, cluster: Cluster) -> Iterator[Track]:
    for voter, place in cluster.members:
        item = ballot.items[voter]
        if item is not None and (track := item.annotations[place].track) is not None:
            yield voter, track


def _rank(pair: tuple[Track, Track]) -> tuple[int, str, int, str]:
    (a, one), (b, other) = pair
    return a, str(one), b, str(other)
