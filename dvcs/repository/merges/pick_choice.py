"""Which commits are to be reverted or picked, and what of them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from dvcs.errors import UsageError
from dvcs.objects.gitobjects import Commit
from dvcs.repository.diffing import paired
from dvcs.repository.history import is_ancestor, walk
from dvcs.repository.merges.plan import Selection
from dvcs.repository.merges.underway import Merging
from dvcs.repository.revisions import split_range
from dvcs.repository.snapshot import Snapshot

if TYPE_CHECKING:
    from dvcs.repository import Repository


def chosen(
    repo: "Repository", revisions: str | Sequence[str], *, oldest_first: bool
) -> list[tuple[str, bytes]]:
    """Return the commits that are meant, with what to call them."""
    found: list[tuple[str, bytes]] = []
    for text in (revisions,) if isinstance(revisions, str) else revisions:
        ends = split_range(text)
        if ends is None:
            found.append((text, repo.resolve(text)))
            continue
        if ends[2]:
            raise UsageError(f"'{text}' has two sides", hint="a range to pick is A..B")
        start, end = (repo.resolve(one) for one in ends[:2])
        between = [entry.oid for entry in walk(repo.store, [end], without=[start])]
        if not between:
            raise UsageError(f"there is no commit in '{text}'", hint="see 'dvcs log'")
        in_order = reversed(between) if oldest_first else between
        found += [(oid.hex()[:10], oid) for oid in in_order]
    return found


def refuse_unknown(repo: "Repository", oids: Sequence[bytes], how: Merging) -> None:
    """Raise UsageError for a selector that means nothing of what was changed."""
    selectors = (*how.only, *how.excluded)
    if not selectors:
        return
    changed = [
        (source, one.subset, one.id)
        for oid in oids
        for base, theirs in [ends(repo, msgspec.structs.replace(how, theirs=oid.hex()))]
        for source in sorted(base.sources.keys() | theirs.sources.keys())
        for pair in paired(base, theirs, source)
        for one in pair
        if one is not None
    ]
    who = oids[0].hex()[:10] if len(oids) == 1 else f"{len(oids)} commits"
    for text in selectors:
        one = Selection(only=(text,))
        if not any(one.item(*name) for name in changed):
            raise UsageError(
                f"{who} changed nothing in '{text}'",
                hint=f"items are SOURCE/SUBSET/ID; see 'dvcs show {oids[0].hex()[:10]}'",
            )


def parent(oid: bytes, commit: Commit, mainline: int | None) -> bytes | None:
    """Return what a commit is compared with. Raises UsageError for a merge without `mainline`."""
    parents, short = commit.parents, oid.hex()[:10]
    if mainline is not None:
        if not 1 <= mainline <= len(parents):
            raise UsageError(f"{short} has no parent {mainline}", hint=f"it has {len(parents)}")
        return parents[mainline - 1]
    if len(parents) > 1:
        raise UsageError(
            f"{short} is a merge: what it changed depends on the parent",
            hint="say which counts with -m 1 (the branch that it was merged into) or -m 2",
        )
    return parents[0] if parents else None


def ends(repo: "Repository", merging: Merging) -> tuple[Snapshot, Snapshot]:
    """Return from what to what a commit is to lead here."""
    oid = bytes.fromhex(merging.theirs)
    before = repo.snapshot(parent(oid, repo.store.commit(oid), merging.mainline))
    after = repo.snapshot(oid)
    return (after, before) if merging.operation == "revert" else (before, after)


def heads(repo: "Repository", oids: Sequence[bytes]) -> tuple[str, ...]:
    """Return those of some commits that hold the others: refs to them keep gc away from all."""
    heads: list[bytes] = []
    for oid in oids:
        if not any(is_ancestor(repo.store, oid, one) for one in heads):
            heads = [one for one in heads if not is_ancestor(repo.store, one, oid)] + [oid]
    return tuple(one.hex() for one in heads)
