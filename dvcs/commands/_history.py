"""Which commits to show: of a range of revisions, and only those that changed one thing."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from dvcs.commands._selectors import Place, locate
from dvcs.errors import RevisionNotFound, UsageError
from dvcs.repository.history import Entry, merge_bases, walk
from dvcs.repository.revisions import peel, resolve, split_range

if TYPE_CHECKING:
    from dvcs.compare import ItemChange
    from dvcs.model import Category
    from dvcs.repository import Repository
    from dvcs.repository.snapshot import Snapshot


def entries(
    repo: "Repository",
    revisions: Sequence[str],
    paths: Sequence[str],
    *,
    everything: bool,
    follow: bool = False,
    label: str | None = None,
) -> Iterator[Entry]:
    """
    Return the commits of revisions and ranges (none: HEAD), newest first.

    With a path (`SOURCE/SUBSET/ID`), those that changed what it names; with `follow`, also before
    the item was moved or renamed. With a label, those that changed it or annotations of it. Raises
    RevisionNotFound, UsageError.
    """
    if len(paths) > 1:
        raise UsageError("one source or item at a time", hint="name one after '--'")
    tips, without = _ends(repo, revisions)
    if everything:
        tips += [peel(repo, oid) for oid in repo.refs.all().values()]
    if not tips and not revisions:
        tips = [repo.resolve("HEAD")]
    found = walk(repo.store, tips, without=without)
    place = _place(repo, tips, paths[0]) if paths else None
    if follow:
        if place is None or place.id is None:
            raise UsageError("--follow is for one item", hint="name it: -- SOURCE/SUBSET/ID")
        found = _following(repo, found, place)
    elif place is not None:
        found = _touching(repo, found, place)
    return found if label is None else _labelled(repo, tips, found, place, label)


def _ends(repo: "Repository", revisions: Sequence[str]) -> tuple[list[bytes], list[bytes]]:
    tips: list[bytes] = []
    without: list[bytes] = []
    for text in revisions:
        ends = split_range(text)
        if ends is None:
            tips.append(resolve(repo, text))
            continue
        old, new = resolve(repo, ends[0]), resolve(repo, ends[1])
        tips.append(new)
        if ends[2]:
            tips.append(old)
            without += merge_bases(repo.store, old, new)
        else:
            without.append(old)
    return tips, without


def _place(repo: "Repository", tips: Sequence[bytes], path: str) -> Place:
    """Return what a path names in one of the tips; where it is gone there, in any commit."""
    failure: RevisionNotFound | None = None
    for oid in tips:
        try:
            return locate(repo.snapshot(oid), path)
        except RevisionNotFound as error:
            failure = failure or error
    for entry in walk(repo.store, tips):
        try:
            return locate(repo.snapshot(entry.oid), path)
        except RevisionNotFound:
            continue
    raise failure or RevisionNotFound(f"nothing is called '{path}'")


def _touching(repo: "Repository", found: Iterator[Entry], place: Place) -> Iterator[Entry]:
    """Yield commits in which a place is not as in any of their parents; only trees are read."""
    source, subset, id = place

    @lru_cache(maxsize=1 << 16)
    def state(tree: bytes) -> object:
        from dvcs.repository.snapshot import Snapshot

        snapshot = Snapshot(repo.store, tree)
        held = snapshot.sources.get(source)
        if held is None or subset is None:
            return held and (held.info, held.labels, tuple(held.subsets.items()))
        return held.subsets.get(subset) if id is None else snapshot.find(source, subset, id)

    for entry in found:
        now = state(entry.commit.tree)
        before = [state(repo.store.commit(one).tree) for one in entry.commit.parents]
        if now not in before if before else now is not None:
            yield entry


def _following(repo: "Repository", found: Iterator[Entry], place: Place) -> Iterator[Entry]:
    """Yield commits that changed an item, by whatever name it had then."""
    from dvcs.names import quote
    from dvcs.objects.trees import find_anywhere
    from dvcs.repository.blame import Name, name_in
    from dvcs.repository.snapshot import Trees

    source, now = place.source, Name(place.subset or "", place.id or "")
    names: dict[bytes, Name] = {}

    @lru_cache(maxsize=1 << 16)
    def blobs_in(tree: bytes | None, name: Name) -> bytes | None:
        return find_anywhere(Trees(repo.store), tree, quote(name.id).encode())

    def find(snapshot: "Snapshot", name: Name) -> bytes | None:
        held = snapshot.sources.get(source)
        return None if held is None else blobs_in(held.subsets.get(name.subset), name)

    for entry in found:
        name = names.pop(entry.oid, now)
        here = repo.snapshot(entry.oid)
        blobs = find(here, name)
        changed = True if entry.commit.parents else blobs is not None
        for parent in entry.commit.parents:
            there = repo.snapshot(parent)
            before = name
            if there.root == here.root or find(there, name) == blobs:
                changed = False
            elif blobs is not None:
                before = name_in(there, here, source, name) or name
            names.setdefault(parent, before)
        if changed:
            yield entry


def _labelled(
    repo: "Repository",
    tips: Sequence[bytes],
    found: Iterator[Entry],
    place: Place | None,
    label: str,
) -> Iterator[Entry]:
    """Yield commits that changed a label or annotations of it; known by its key in the tips."""
    known = {(source, one.key) for oid in tips for source, one in _labels(repo, oid, label)}
    if not known:
        first = next((held for e in walk(repo.store, tips) if (held := _named(repo, e, label))), ())
        known = set(first)
    if not known:
        raise UsageError(
            f"no label is called '{label}' in this history", hint="'dvcs info' lists the labels"
        )
    for entry in found:
        parents: Sequence[bytes | None] = entry.commit.parents or (None,)
        if all(_touches(repo, old, entry.oid, known, place) for old in parents):
            yield entry


def _named(repo: "Repository", entry: Entry, label: str) -> set[tuple[str, str]]:
    return {(source, one.key) for source, one in _labels(repo, entry.oid, label)}


def _labels(repo: "Repository", oid: bytes | None, name: str) -> "Iterator[tuple[str, Category]]":
    snapshot = repo.snapshot(oid)
    for source in snapshot.sources:
        labels = snapshot.labels(source)
        if name in labels:
            yield source, labels[name]


def _touches(
    repo: "Repository",
    old: bytes | None,
    new: bytes,
    known: "set[tuple[str, str]]",
    place: Place | None,
) -> bool:
    """Tell whether a commit changed, against one parent, labels or annotations of them."""
    from dvcs.repository.diffing import diff

    snapshots = repo.snapshot(old), repo.snapshot(new)
    sources = {source for source, _ in known if place is None or place.source == source}
    names: list[dict[str, set[str]]] = [{}, {}]
    for source in sources:
        before, after = (
            {one.key: one for one in snapshot.labels(source)} if source in snapshot.sources else {}
            for snapshot in snapshots
        )
        keys = {key for other, key in known if other == source}
        if place is None and any(before.get(key) != after.get(key) for key in keys):
            return True
        for held, found in ((before, names[0]), (after, names[1])):
            found[source] = {held[key].name for key in keys if key in held}
    for change in diff(repo, old, new, sources=sources):
        if place is not None and not _is_in(change, place):
            continue
        was, now = (held.get(change.source, set()) for held in names)
        if any(
            (one.before is not None and one.before.label in was)
            or (one.after is not None and one.after.label in now)
            for one in change.annotations
        ):
            return True
    return False


def _is_in(change: "ItemChange", place: Place) -> bool:
    return (place.subset is None or change.subset == place.subset) and (
        place.id is None or change.id == place.id
    )
