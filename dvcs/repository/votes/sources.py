"""
Several voters' versions become one version: source by source, item by item.

What no voter changed since its own past was not voted on, and is taken over unopened, as the first
voter has it: a source, or an item in one. Every other item is voted, also one that all voters
changed to the same.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import NamedTuple

import msgspec

from dvcs.merge import Counts
from dvcs.model import Item, Labels, Other
from dvcs.names import is_cut, unquote
from dvcs.objects import trees
from dvcs.objects.items import decode_item, decode_labels, encode_item, encode_labels, key_maps
from dvcs.progress import track
from dvcs.repository.merges.bases import Scratch, Version
from dvcs.repository.merges.numbers import highest
from dvcs.repository.merges.places import Place, Spot, changes_of, id_of
from dvcs.repository.merges.plan import Plan
from dvcs.repository.merges.sources import Store
from dvcs.repository.snapshot import SIZE, SourceTree
from dvcs.repository.votes.numbers import Numbers
from dvcs.repository.votes.plan import options_of
from dvcs.repository.votes.report import SourceVotes
from dvcs.repository.votes.rows import Removals, Row, gathered, is_untouched
from dvcs.streams import collector_off
from dvcs.vote import Ballot, Finding, Options, Tracks, Voted, Voter, unite_labels, vote_batch

SAMPLE = 100
"""Items that are asked what ids mean."""
BATCH = 1024
"""Items that are voted together: numpy needs many pairs at once."""


class Elector(NamedTuple):
    """
    One voter: its version, and the common past of that and our side; its commit, and of that.

    What our side has already is its own past. What it had before is in `earlier`: pasts of others.
    """

    name: str
    now: Version
    before: Version
    commit: bytes
    bases: tuple[bytes, ...]
    earlier: tuple[Version, ...] = ()


class Poll(msgspec.Struct):
    """
    How to vote and what was decided; collects conflicts (in the plan) and findings.

    `voted` are the places, by source, of items that are voted; with `wanted`, only those are.
    """

    options: Options
    plan: Plan
    ours: Version
    found: list[SourceVotes] = []
    voted: dict[str, set[Place]] = {}
    wanted: Mapping[str, set[Place]] | None = None


def vote_versions(electors: Sequence[Elector], poll: Poll, store: Store) -> Version:
    """
    Return what voters agree on, written to a store.

    A source, its description and the policy that the voters do not have alike are as on our side,
    or as the first voter has them; only labels and items are voted. A source that a voter does not
    have was not assigned to it. Raises UsageError where options name labels that are not there.
    """
    sources: dict[str, SourceTree] = {}
    for name in sorted({name for one in electors for name in one.now.sources}):
        held = [one for one in electors if name in one.now.sources]
        versions = [one.now.sources[name] for one in held]
        absent = tuple(one.name for one in electors if name not in one.now.sources)
        select = poll.plan.select
        same = all(one == versions[0] for one in versions)
        past = {id(one.before): one.before.sources.get(name) for one in held}.values()
        unwanted = poll.wanted is not None and name not in poll.wanted
        if len(held) == 1 or unwanted or (same and all(one == versions[0] for one in past)):
            sources[name] = versions[0]
            if absent:
                voters = tuple(one.name for one in held)
                poll.found.append(SourceVotes(source=name, voters=voters, absent=absent))
        elif select is None or select.touches(name):
            with collector_off():
                voting = _SourceVote(name, held, poll, store)
                sources[name] = voting.voted()
            voting.votes.absent = absent
            poll.found.append(voting.votes)
    policies = {one.now.policy for one in electors}
    policy = policies.pop() if len(policies) == 1 else poll.ours.policy
    return Version(sources, policy)


class _SourceVote:
    """The vote of one source."""

    def __init__(self, name: str, held: Sequence[Elector], poll: Poll, store: Store) -> None:
        self.name, self.poll, self.store = name, poll, store
        self.reader: Scratch = store.reader
        self.trees = [one.now.sources[name] for one in held]
        self.before = [one.before.sources.get(name) for one in held]
        self.own = any(one.bases == (one.commit,) for one in held)
        self.earlier = [
            [past.sources[name] for past in one.earlier if name in past.sources] for one in held
        ]
        self.voters = [
            Voter(one.name, decode_labels(self.reader.blob(tree.labels)))
            for one, tree in zip(held, self.trees, strict=True)
        ]
        united = unite_labels(self.voters)
        self.labels: Labels = united.labels
        self.other_keys = united.keys
        self.names = key_maps(self.labels)[1]
        self.options = options_of(poll.options, self.voters, self.labels)
        self.votes = SourceVotes.begun(name, self.voters, self.names, united.differences)
        self.numbers = Numbers(len(held), lambda: highest(self.reader, self.trees))
        self.tracks = Tracks(self.voters)
        self.tracked: list[tuple[Row, Ballot, Voted]] = []
        self.changes: dict[str, dict[bytes, bytes | None]] = {}

    def voted(self) -> SourceTree:
        """Return the source as the voters agree on it."""
        rows = self._rows()
        self._sample()
        stream = iter(track(rows, f"voting on '{self.name}'", len(rows)))
        while batch := list(islice(stream, BATCH)):
            self._vote(batch)
        self._retrack()
        self._renumber()
        self.poll.plan.labels[self.name] = self.labels
        first = self.trees[0]
        blob = first.labels
        if self.labels != self.voters[0].labels:
            blob = self.store.add(encode_labels(self.labels))
        return SourceTree(self._info(), blob, self._subsets())

    def _info(self) -> bytes:
        infos = {one.info for one in self.trees}
        if len(infos) == 1:
            return infos.pop()
        ours = self.poll.ours.sources.get(self.name)
        return self.trees[0].info if ours is None else ours.info

    # -- which items -----------------------------------------------------------------------------

    def _rows(self) -> list[Row]:
        """Return the items that are voted."""
        self.held, past, left = self._places()
        rows = gathered(self.held)
        removals = Removals(rows, self.held, [[had] for had in past])
        self.removals = removals
        if any(self.earlier):
            earlier = [[_places(self.reader, tree) for tree in held] for held in self.earlier]
            every = [[had, *more] for had, more in zip(past, earlier, strict=True)]
            self.removals = Removals(rows, self.held, every)
        if self.poll.wanted is None:
            self._removed_by_all()
        select = self.poll.plan.select
        if select is not None:
            rows = [row for row in rows if select.item(self.name, row.place[0], self._told(row))]
        voted = [row for row in rows if not is_untouched(row, self.held, past, removals)]
        wanted = self.poll.wanted
        if wanted is not None:
            places = wanted.get(self.name, set())
            voted = [row for row in voted if not places.isdisjoint(self.removals.near(row))]
        self.votes.untouched = len(rows) - len(voted) + left
        self.poll.voted[self.name] = {place for row in voted for place in self.removals.near(row)}
        return voted

    def _removed_by_all(self) -> None:
        """Tell what all voters removed; keep it where removals are not to count."""
        select = self.poll.plan.select
        keys = {None, *(one.key for one in self.labels)}
        for place, blobs, voters in self.removals.by_all():
            id = id_of(self.reader, Spot(place, blobs))
            if select is not None and not select.item(self.name, place[0], id):
                continue
            keep = self.options.removed == "keep" and not self.own
            if keep:
                texts = [self.reader.blob(one) for one in _oids(blobs)]
                notes = decode_item(texts, id, place[0]).annotations
                keep = keys.issuperset(note.label for note in notes)
            if keep:
                self.numbers.settle(place, notes)
                self.changes.setdefault(place[0], {})[place[1]] = blobs
            found = Finding(
                kind="deleted-item",
                source=self.name,
                subset=place[0],
                id=id,
                voters=tuple(self.voters[voter].name for voter in voters),
                outcome="kept" if keep else "dropped",
            )
            self.votes.findings.append(found)

    def _places(self) -> tuple[list[dict[Place, bytes]], list[Mapping[Place, bytes]], int]:
        """
        Return what voters have where, and had; and how many items are not even looked at.

        Where all come from one tree, that is only what any of them changed.
        """
        first = self.before[0]
        if first is None or any(tree != first for tree in chain(self.before, *self.earlier)):
            known = {
                id(tree): {} if tree is None else _places(self.reader, tree) for tree in self.before
            }
            held = [_places(self.reader, tree) for tree in self.trees]
            return held, [known[id(tree)] for tree in self.before], 0
        changes = [changes_of(self.reader, first, tree) for tree in self.trees]
        before = {
            place: old for one in changes for place, (old, _) in one.items() if old is not None
        }
        held = []
        for one in changes:
            now = {**before, **{place: new for place, (_, new) in one.items() if new is not None}}
            for place, (_, new) in one.items():
                if new is None:
                    del now[place]
            held.append(now)
        count = sum(trees.count(self.reader, oid) for oid in first.subsets.values())
        return held, [before] * len(held), count - len(before)

    def _blobs_of(self, row: Row) -> list[bytes | None]:
        return [
            None if place is None else blobs[place]
            for place, blobs in zip(row.at, self.held, strict=True)
        ]

    def _id(self, row: Row) -> str:
        """Return the id of an item; '' for a cut one, where each voter's text has it."""
        quoted = row.place[1].decode(errors="replace")
        return "" if is_cut(quoted) else unquote(quoted)

    def _told(self, row: Row) -> str:
        """Return the id of an item, also of a cut one."""
        blobs = next(one for one in self._blobs_of(row) if one is not None)
        return id_of(self.reader, Spot(row.place, blobs))

    def _sample(self) -> None:
        """Find out from some items whether ids count within an item."""
        walks = (trees.walk(self.reader, oid) for oid in self.trees[0].subsets.values())
        held = [blobs for _, blobs in islice(chain.from_iterable(walks), SAMPLE)]
        texts = self.reader.texts([oid for blobs in held for oid in _oids(blobs)])
        for blobs in held:
            item = decode_item([texts[one] for one in _oids(blobs)], "", "")
            self.numbers.sample(item.annotations)

    # -- voting ----------------------------------------------------------------------------------

    def _vote(self, batch: Sequence[Row]) -> None:
        held = [self._blobs_of(row) for row in batch]
        texts = self.reader.texts([oid for one in held for b in one if b for oid in _oids(b)])
        ballots = []
        for row, blobs in zip(batch, held, strict=True):
            id = self._id(row)
            items = tuple(
                None if one is None else self._decoded(voter, row.place[0], id, one, texts)
                for voter, one in enumerate(blobs)
            )
            id = id or next(item.id for item in items if item is not None)
            judge = self.poll.plan.judge((self.name, row.place[0], id))
            ballots.append(Ballot(items, judge, self.removals.of(row)))
        counts = Counts()
        done = vote_batch(
            ballots, self.voters, self.options, counts=counts, fresh=self.numbers.fresh
        )
        for row, ballot, voted in zip(batch, ballots, done, strict=True):
            item = voted.item
            if not voted.gone and has_tracks(ballot):
                self.tracks.learn(ballot, voted)
                self.tracked.append((row, ballot, voted))
            self.poll.plan.note((self.name, item.subset, item.id), ballot.judge, self.names)
            self.votes.add(voted)
            if voted.gone:
                self._put(row, None)
                continue
            self.numbers.settle(row.place, item.annotations)
            self._put(row, self._stored(row.place, item))
        self.votes.renumbered += counts.renumbered

    def _decoded(
        self, voter: int, subset: str, id: str, blobs: bytes, texts: Mapping[bytes, bytes]
    ) -> Item:
        """Return an item of a voter: labels as united keys, in the subset of the result."""
        parts = [texts[one] for one in _oids(blobs)]
        item = decode_item(parts, id, subset, self.other_keys[voter])
        self.numbers.learn(voter, item.annotations)
        return item.with_(source=self.name)

    def _stored(self, place: Place, item: Item) -> bytes:
        keep_id = is_cut(place[1].decode(errors="replace"))
        # What was read from lines can be written as it is; looking for what cannot costs a tenth.
        known = not any(type(note) is Other or note.unknown for note in item.annotations)
        parts = encode_item(item, keep_id=keep_id, decoded=known)
        return b"".join(self.store.add(part) for part in parts)

    def _retrack(self) -> None:
        """Give each object one track in all items, whoever drew it where."""
        for row, ballot, voted in self.tracked:
            item = self.tracks.renamed(ballot, voted)
            if item.annotations != voted.item.annotations:
                self._put(row, self._stored(row.place, item))

    def _renumber(self) -> None:
        """Give annotations of the result whose id another one has a number of their own."""
        for place in self.numbers.clashes():
            blobs = self.changes[place[0]][place[1]]
            if blobs is None:
                continue
            item = decode_item([self.reader.blob(one) for one in _oids(blobs)], "", place[0])
            notes, count = self.numbers.apply(place, item.annotations)
            self.votes.renumbered += count
            self.changes[place[0]][place[1]] = self._stored(place, item.with_(annotations=notes))

    # -- the result ------------------------------------------------------------------------------

    def _put(self, row: Row, blobs: bytes | None) -> None:
        """Have an item at its place, or not at all; elsewhere the first voter's is gone."""
        first = row.at[0]
        if first is not None and first != row.place:
            self.changes.setdefault(first[0], {}).setdefault(first[1], None)
        self.changes.setdefault(row.place[0], {})[row.place[1]] = blobs

    def _subsets(self) -> dict[str, bytes]:
        subsets = dict(self.trees[0].subsets)
        for subset, changes in self.changes.items():
            old = subsets.pop(subset, None)
            tree = trees.update(self.reader, self.store.writer, old, changes)
            if tree is not None:
                subsets[subset] = tree
        return dict(sorted(subsets.items()))


def has_tracks(ballot: Ballot) -> bool:
    """Tell whether any voter has a track in an item."""
    return any(
        item is not None and any(note.track is not None for note in item.annotations)
        for item in ballot.items
    )


def _places(reader: Scratch, tree: SourceTree) -> dict[Place, bytes]:
    return {
        (subset, name): blobs
        for subset, oid in tree.subsets.items()
        for name, blobs in trees.walk(reader, oid)
    }


def _oids(blobs: bytes) -> Iterator[bytes]:
    for at in range(0, len(blobs), SIZE):
        yield blobs[at : at + SIZE]
