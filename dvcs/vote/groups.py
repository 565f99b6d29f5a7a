"""Instances: which annotations belong together after a vote, and whether that is what was asked."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations, pairwise

from dvcs.model import Annotation, Item
from dvcs.model.annotations import names_of
from dvcs.vote.options import Group
from dvcs.vote.records import Cluster, Finding

LARGE_GROUP = 64
"""Members beyond which a group is compared along a chain, not each with each."""


def regrouped(
    notes: Sequence[Annotation],
    clusters: Sequence[Cluster],
    items: Sequence[Item | None],
    weights: Sequence[float],
) -> list[Annotation]:
    """
    Return annotations with the groups that the voters gave them, numbered by first appearance.

    Two belong together where most voters (by weight) of those who drew both say so; a tie does.
    """
    groups: list[dict[int, int]] = [{} for _ in notes]
    """Of each annotation: the group in which a voter has it, 0 for none."""
    for cluster in clusters:
        if cluster.result is not None:
            for voter, place in cluster.members:
                item = items[voter]
                if item is not None:
                    groups[cluster.result][voter] = item.annotations[place].group
    root = list(range(len(notes)))

    def top(at: int) -> int:
        while root[at] != at:
            root[at] = at = root[root[at]]
        return at

    for a, b in sorted(_candidates(groups)):
        votes = [
            weights[voter] if group and groups[b][voter] == group else -weights[voter]
            for voter, group in groups[a].items()
            if voter in groups[b]
        ]
        if sum(votes) >= -1e-9:
            low, high = sorted((top(a), top(b)))
            root[high] = low
    sizes: dict[int, int] = {}
    for at in range(len(notes)):
        sizes[top(at)] = sizes.get(top(at), 0) + 1
    numbers: dict[int, int] = {}
    return [
        note.with_(group=numbers.setdefault(top(at), len(numbers) + 1) if sizes[top(at)] > 1 else 0)
        for at, note in enumerate(notes)
    ]


def _candidates(groups: Sequence[dict[int, int]]) -> set[tuple[int, int]]:
    """Return pairs that at least one voter has in one group."""
    together: dict[tuple[int, int], list[int]] = {}
    for at, found in enumerate(groups):
        for voter, group in found.items():
            if group:
                together.setdefault((voter, group), []).append(at)
    pairs: set[tuple[int, int]] = set()
    for members in together.values():
        pairs.update(combinations(members, 2) if len(members) <= LARGE_GROUP else pairwise(members))
    return pairs


def wrong_groups(item: Item, groups: Iterable[Group]) -> Iterator[Finding]:
    """
    Yield the instances of an item that have a label of a declared group, but not those they should.

    An annotation without group is an instance of its own.
    """
    notes = [(at, note) for at, note in enumerate(item.annotations) if note.label is not None]
    instances: dict[tuple[int, int], list[int]] = {}
    for at, note in notes:
        instances.setdefault((note.group, 0 if note.group else at), []).append(at)
    names = names_of(item.annotations)
    for group in groups:
        for places in instances.values():
            found = {label for at in places if (label := item.annotations[at].label) is not None}
            if found.isdisjoint(group.labels):
                continue
            missing = tuple(one for one in group.required if one not in found)
            extra = tuple(sorted(found.difference(group.labels)))
            if missing or extra:
                yield Finding(
                    kind="wrong-group",
                    source=item.source,
                    subset=item.subset,
                    id=item.id,
                    names=tuple(names[at] for at in places),
                    annotation=item.annotations[places[0]],
                    missing=missing,
                    extra=extra,
                )
