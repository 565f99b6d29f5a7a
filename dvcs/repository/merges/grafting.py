"""
What changed from one version to another, made on a third: for revert, cherry-pick and stash.

It is a three-way merge (`trees.py`) with a base that is said instead of found. What only one
side touched is taken by trees and blobs. What cannot be decided stays as it is on our side, and is
collected as conflicts.
"""

from collections.abc import Collection
from typing import TYPE_CHECKING

from dvcs.errors import ConflictError
from dvcs.repository.merges.bases import Scratch, Version, version_of
from dvcs.repository.merges.plan import Plan
from dvcs.repository.merges.sources import Store
from dvcs.repository.merges.trees import merge_versions
from dvcs.repository.merges.underway import name_of
from dvcs.repository.snapshot import Snapshot

if TYPE_CHECKING:
    from dvcs.repository.transaction import Transaction

SHOWN = 10


def graft(
    change: "Transaction",
    base: Snapshot,
    theirs: Snapshot,
    plan: Plan,
    *,
    sources: Collection[str] | None = None,
) -> None:
    """
    Make in a transaction what changed from `base` to `theirs` (of these sources).

    `plan` tells how, and collects conflicts; while one is open, nothing is to be committed.
    """
    scratch = Scratch(change.repo.store, change.trees)
    ours = Version(change.sources, change.policy)
    sides = [version_of(base), ours, version_of(theirs)]
    if sources is not None:
        sides = [_of(one, sources, change.policy) for one in sides]
    store = Store(scratch, change.trees, change.writer.blob)
    merged = merge_versions(sides[0], sides[1], sides[2], plan, store)
    kept = {} if sources is None else {n: t for n, t in ours.sources.items() if n not in sources}
    change.sources = {**kept, **merged.sources}
    change.policy = merged.policy


def _of(version: Version, sources: Collection[str], policy: bytes | None) -> Version:
    """Return the part of a version that concerns some sources only."""
    return Version({n: t for n, t in version.sources.items() if n in sources}, policy)


def refuse_open(plan: Plan, doing: str) -> None:
    """Raise ConflictError, naming places, where a graft left something open: all or nothing."""
    found = [
        f"{name_of(found.where)}: {one.key} ({one.kind})"
        for found in plan.found
        for one in found.conflicts
        if one.decision is None
    ]
    if not found:
        return
    lines = found[:SHOWN]
    if len(found) > SHOWN:
        lines.append(f"... and {len(found) - SHOWN} more")
    places = f"{len(found)} place{'s' * (len(found) != 1)}"
    raise ConflictError(
        "\n  ".join([f"{doing} is in conflict with what was changed since, in {places}:", *lines]),
        hint="nothing was changed; change these places by hand",
    )
