"""
Who last changed each annotation of an item, and in which commit.

The history is walked backwards from a revision. As long as the trees say that the item is the same
in a commit and in its parent, nothing of it is read. Where it is not, its annotations are paired
with those of the parent as a comparison pairs them: what is unchanged, or has but another number or
rounded coordinates, goes on to the parent; the rest was changed here. Annotations are compared by
the keys of their labels, so that a renamed label changes none. Of a merge, each annotation follows
the first parent that has it as it is.
"""

from collections.abc import Iterator, Mapping
from heapq import heappop, heappush
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from dvcs.compare import Knowledge, compare_items, pair_annotations
from dvcs.compare.changes import DEFAULTS, ItemComparison
from dvcs.errors import RevisionNotFound
from dvcs.model import Annotation, Item
from dvcs.objects import trees
from dvcs.objects.gitobjects import Commit
from dvcs.objects.items import decode_item
from dvcs.repository.diffing import paired
from dvcs.repository.snapshot import Snapshot

if TYPE_CHECKING:
    from dvcs.repository import Repository

SAMPLE = 200
"""Changed items of a commit that tell whether it renumbered annotations or rounded coordinates."""


class Name(NamedTuple):
    """What an item is called within its source."""

    subset: str
    id: str


class Blamed(NamedTuple):
    """One annotation, the commit that last changed it, and what the item was called there."""

    annotation: Annotation
    oid: bytes
    commit: Commit
    name: Name


class _Held(NamedTuple):
    """Annotations that are looked for in a commit: position in the result → in the item there."""

    name: Name
    places: dict[int, int]


def blame(repo: "Repository", oid: bytes, source: str, subset: str, id: str) -> list[Blamed]:
    """
    Return for each annotation of an item, in its order, what changed it last.

    Raises RevisionNotFound where the commit has no such item.
    """
    item = repo.item(oid.hex(), source, subset, id)
    if item is None:
        raise RevisionNotFound(
            f"'{source}/{subset}' has no item '{id}' in {oid.hex()[:10]}",
            hint=f"list the items with 'dvcs show {oid.hex()[:10]}:{source}/{subset}'",
        )
    found: dict[int, Blamed] = {}
    everything = {n: n for n in range(len(item.annotations))}
    for at, commit, name, places in _Walk(repo, source).changes(oid, Name(subset, id), everything):
        for place in places:
            found[place] = Blamed(item.annotations[place], at, commit, name)
    return [found[place] for place in sorted(found)]


class _Walk:
    """Goes back through the history of one item."""

    def __init__(self, repo: "Repository", source: str) -> None:
        self._repo = repo
        self._source = source

    def changes(
        self, oid: bytes, name: Name, places: dict[int, int]
    ) -> Iterator[tuple[bytes, Commit, Name, list[int]]]:
        """Yield commits, what the item was called there, and what they changed in it."""
        store = self._repo.store
        waiting: dict[bytes, list[_Held]] = {oid: [_Held(name, places)]}
        heap: list[tuple[int, bytes]] = [(-store.commit(oid).committer.time, oid)]
        while heap:
            _, at = heappop(heap)
            commit = store.commit(at)
            for held in waiting.pop(at, []):
                left = dict(held.places)
                for parent, passed in self._to_parents(commit, held.name, left):
                    if parent not in waiting:
                        heappush(heap, (-store.commit(parent).committer.time, parent))
                    _add(waiting.setdefault(parent, []), passed)
                if left:
                    yield at, commit, held.name, list(left)

    def _to_parents(
        self, commit: Commit, name: Name, left: dict[int, int]
    ) -> Iterator[tuple[bytes, _Held]]:
        """Yield what each parent has unchanged, and take it out of `left`."""
        if not left:
            return
        here = Snapshot(self._repo.store, commit.tree)
        blobs = here.find(self._source, *name)
        before = [(one, self._repo.snapshot(one)) for one in commit.parents]
        for parent, there in before:
            if there.root == here.root or there.find(self._source, *name) == blobs:
                yield parent, _Held(name, dict(left))
                left.clear()
                return
        for parent, there in before:
            origin = name_in(there, here, self._source, name)
            if origin is None or not left:
                continue
            same = self._same(there, origin, here, name)
            passed = {place: same[n] for place, n in left.items() if n in same}
            if passed:
                yield parent, _Held(origin, passed)
                for place in passed:
                    del left[place]

    def _same(self, there: Snapshot, origin: Name, here: Snapshot, name: Name) -> Mapping[int, int]:
        """Return which annotations (by position) are unchanged, and where they were before."""
        was, now = self._item(there, origin), self._item(here, name)
        knowledge = learnt(there, here, self._source)
        comparison = ItemComparison(was, now, DEFAULTS)
        comparison.teach_ids(knowledge.ids)
        comparison.pair(knowledge.ids)
        comparison.teach_rounding(knowledge.rounding)
        knowledge.rounding.decide()
        change = compare_items(was, now, knowledge=knowledge)
        touched = {id(one.after) for one in change.annotations} if change is not None else set()
        media = now.media if now.media is not None else was.media
        size = None if media is None else media.size
        pairs = pair_annotations(was.annotations, now.annotations, ids=knowledge.ids, size=size)
        return {
            one.new: one.old
            for one in pairs
            if one.old is not None
            and one.new is not None
            and id(now.annotations[one.new]) not in touched
        }

    def _item(self, snapshot: Snapshot, name: Name) -> Item:
        """Return the item with the keys of its labels for their names."""
        blobs = snapshot.find(self._source, *name)
        assert blobs is not None  # noqa: S101 - the trees had it
        item = decode_item(snapshot.blobs(blobs), name.id, name.subset)
        return item.with_(source=self._source)


def _add(held: list[_Held], more: _Held) -> None:
    for one in held:
        if one.name == more.name:
            one.places.update(more.places)
            return
    held.append(more)


def name_in(there: Snapshot, here: Snapshot, source: str, name: Name) -> Name | None:
    """
    Return what an item of one snapshot is called in another; None where that does not have it.

    Where the name is not there, the item may have moved from another subset or been renamed, as a
    difference of the two tells.
    """
    if there.find(source, *name) is not None:
        return name
    if source not in there.sources or source not in here.sources:
        return None
    for old, new in paired(there, here, source):
        if old is not None and new is not None and (new.subset, new.id) == name:
            return Name(old.subset, old.id)
    return None


def learnt(before: Snapshot, after: Snapshot, source: str) -> Knowledge:
    """Return what the first changed items tell about ids and rounding in a whole change."""
    knowledge = Knowledge()
    sample = list(islice(_changed(before, after, source), SAMPLE))
    comparisons = [ItemComparison(old, new, DEFAULTS) for old, new in sample]
    for one in comparisons:
        one.teach_ids(knowledge.ids)
    for one in comparisons:
        one.pair(knowledge.ids)
        one.teach_rounding(knowledge.rounding)
    return knowledge


def _changed(before: Snapshot, after: Snapshot, source: str) -> Iterator[tuple[Item, Item]]:
    if source not in before.sources or source not in after.sources:
        return
    old, new = before.sources[source].subsets, after.sources[source].subsets
    for subset in sorted(old.keys() & new.keys()):
        for one in trees.diff(after.reader, old[subset], new[subset]):
            if one.old is not None and one.new is not None:
                was, now = before.blobs(one.old), after.blobs(one.new)
                yield decode_item(was, "", subset), decode_item(now, "", subset)
