"""
Datasets, on disk or in memory, merged by vote without a repository: one dataset, and the report.

All of them are held in memory. There is nobody to ask and nowhere to keep a conflict, so votes that
fail are dropped or kept, and told.
"""

from collections.abc import Mapping, Sequence
from itertools import islice

from dvcs.errors import UsageError
from dvcs.merge import Counts, Judge
from dvcs.model import Annotation, Dataset, Item
from dvcs.objects.items import key_maps
from dvcs.progress import track
from dvcs.repository.merges.places import Place
from dvcs.repository.votes.numbers import Numbers
from dvcs.repository.votes.plan import Seat, check_groups, check_votes, options_of
from dvcs.repository.votes.report import SourceVotes, Votes
from dvcs.repository.votes.rows import Row, gathered
from dvcs.repository.votes.sources import BATCH, has_tracks
from dvcs.streams import collector_off
from dvcs.vote import Ballot, Options, Tracks, Voted, Voter, unite_labels, vote_batch


def vote_datasets(
    datasets: Sequence[tuple[str, Dataset]], options: Options
) -> tuple[Dataset, Votes]:
    """
    Return what named datasets agree on, and the report.

    Metadata, format, and what the datasets say differently of a label are those of the first. An
    item is the same one by subset and id, else by its id where each has it in one subset only.
    Raises UsageError where options name no voter or label, for `failed="conflict"`, and for
    `removed`: without a past nobody has removed anything.
    """
    if options.failed == "conflict":
        raise UsageError(
            "datasets on disk have no place for conflicts",
            hint="choose '--failed drop' or '--failed keep'; or import them, and merge branches",
        )
    if options.removed is not None:
        raise UsageError(
            "nobody has removed anything from a dataset on disk",
            hint="leave out '--removed': who does not have an item was not given it",
        )
    if len(datasets) < 2:
        raise UsageError("a vote needs two datasets or more", hint="name all that vote")
    check_votes(options, [name for name, _ in datasets])
    with collector_off():
        voting = _Vote(datasets, options)
        items = voting.voted()
    first = datasets[0][1]
    merged = Dataset(
        voting.labels,
        lambda: items,
        metadata=first.metadata,
        format=first.format,
        count=len(items),
        subset_names=sorted({item.subset for item in items}),
    )
    seats = tuple(Seat(name=name, commit="") for name, _ in datasets)
    return merged, Votes(seats=seats, options=options, sources=(voting.votes,))


class _Vote:
    """The vote of some datasets."""

    def __init__(self, datasets: Sequence[tuple[str, Dataset]], options: Options) -> None:
        self.voters = [Voter(name, dataset.labels) for name, dataset in datasets]
        united = unite_labels(self.voters)
        self.labels = united.labels
        check_groups(options.groups, self.labels.names)
        self.options = options_of(options, self.voters, self.labels)
        self.names = key_maps(self.labels)[1]
        self.votes = SourceVotes.begun("", self.voters, self.names, united.differences)
        self.numbers = Numbers(len(self.voters))
        self.held = [
            self._read(voter, dataset, _keys(dataset, other))
            for voter, ((_, dataset), other) in enumerate(zip(datasets, united.keys, strict=True))
        ]

    def _read(self, voter: int, dataset: Dataset, keys: Mapping[str, str]) -> dict[Place, Item]:
        found: dict[Place, Item] = {}
        doing = f"reading '{self.voters[voter].name}'"
        for item in track(dataset, doing, dataset.count):
            notes = _relabelled(item.annotations, keys)
            self.numbers.learn(voter, notes)
            found[item.subset, item.id.encode()] = item.with_(annotations=notes, source="")
        return found

    def voted(self) -> list[Item]:
        """Return the items that the datasets agree on, in order of subset and id."""
        rows = gathered(self.held)
        found: dict[Place, Item] = {}
        counts, tracks = Counts(), Tracks(self.voters)
        tracked: list[tuple[Place, Ballot, Voted]] = []
        stream = iter(track(rows, "voting", len(rows)))
        while batch := list(islice(stream, BATCH)):
            ballots = [self._ballot(row) for row in batch]
            fresh = self.numbers.fresh
            done = vote_batch(ballots, self.voters, self.options, counts=counts, fresh=fresh)
            for row, ballot, voted in zip(batch, ballots, done, strict=True):
                if has_tracks(ballot):
                    tracks.learn(ballot, voted)
                    tracked.append((row.place, ballot, voted))
                self.votes.add(voted)
                self.numbers.settle(row.place, voted.item.annotations)
                found[row.place] = voted.item
        for place, ballot, voted in tracked:
            found[place] = tracks.renamed(ballot, voted)
        self.votes.renumbered = counts.renumbered
        for place in self.numbers.clashes():
            notes, count = self.numbers.apply(place, found[place].annotations)
            self.votes.renumbered += count
            found[place] = found[place].with_(annotations=notes)
        return [
            item.with_(annotations=_relabelled(item.annotations, self.names))
            for item in found.values()
        ]

    def _ballot(self, row: Row) -> Ballot:
        items = (
            None if place is None else held[place]
            for place, held in zip(row.at, self.held, strict=True)
        )
        subset = row.place[0]
        return Ballot(
            tuple(one if one is None else one.with_(subset=subset) for one in items), Judge()
        )


def _keys(dataset: Dataset, other: Mapping[str, str]) -> dict[str, str]:
    """Return the keys of labels by name, where they differ."""
    found = {one.name: other.get(one.key, one.key) for one in dataset.labels}
    return {name: key for name, key in found.items() if name != key}


def _relabelled(notes: Sequence[Annotation], names: Mapping[str, str]) -> Sequence[Annotation]:
    if not names:
        return notes
    return [
        note.with_(label=names[note.label])
        if note.label is not None and note.label in names
        else note
        for note in notes
    ]
