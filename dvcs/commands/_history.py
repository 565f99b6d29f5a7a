"""Which commits to show: of a range of revisions, and only those that changed one thing."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from dvcs.commands._selectors import Place, locate
from dvcs.errors import RevisionNotFound, UsageError
from dvcs.repository.history import Entry, merge_bases, walk
from dvcs.repository.revisions import peel, resolve, split_range

if TYPE_CHECKING:
    from dvcs.repository import Repository


def entries(
    repo: "Repository", revisions: Sequence[str], paths: Sequence[str], *, everything: bool
) -> Iterator[Entry]:
    """
    Return the commits of revisions and ranges (none: HEAD), newest first.

    With a path (`SOURCE/SUBSET/ID`), those that changed what it names. Raises RevisionNotFound,
    UsageError.
    """
    if len(paths) > 1:
        raise UsageError("one source or item at a time", hint="name one after '--'")
    tips, without = _ends(repo, revisions)
    if everything:
        tips += [peel(repo, oid) for oid in repo.refs.all().values()]
    if not tips and not revisions:
        tips = [repo.resolve("HEAD")]
    found = walk(repo.store, tips, without=without)
    return _touching(repo, found, _place(repo, tips, paths[0])) if paths else found


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
