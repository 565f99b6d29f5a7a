"""Three versions of everything that a commit holds become one: source by source, and the policy."""

from typing import Any

from dvcs.merge import Options
from dvcs.repository.merges.bases import Merge, Scratch, Version
from dvcs.repository.merges.places import changes_of
from dvcs.repository.merges.plan import Plan
from dvcs.repository.merges.settings import merged_policy
from dvcs.repository.merges.sources import SourceMerge, Store
from dvcs.repository.snapshot import SourceTree


def merge_versions(
    base: Version, ours: Version, theirs: Version, plan: Plan, store: Store
) -> Version:
    """
    Return the merged version, written to a store; `plan` tells how, and collects conflicts.

    What is open is as in ours.
    """
    sources: dict[str, SourceTree] = {}
    for name in sorted({*base.sources, *ours.sources, *theirs.sources}):
        sides = base.sources.get(name), ours.sources.get(name), theirs.sources.get(name)
        merged = _source(name, sides, plan, store)
        if merged is not None:
            sources[name] = merged
    return Version(sources, _policy(base, ours, theirs, plan, store))


def _source(
    name: str,
    sides: tuple[SourceTree | None, SourceTree | None, SourceTree | None],
    plan: Plan,
    store: Store,
) -> SourceTree | None:
    base, ours, theirs = sides
    whole = plan.select is None or plan.select.whole(name)
    if plan.select is not None and not plan.select.touches(name):
        return ours
    if theirs in (ours, base) or (not whole and theirs is None):
        return ours
    if whole and ours == base:
        if ours is not None and theirs is not None:
            plan.counts.taken += len(changes_of(store.reader, ours, theirs))
        return theirs
    if theirs is not None and (ours is not None or not whole):
        if ours is None and base is not None:
            return None  # deleted here, and not all of it is asked for
        mine = ours if ours is not None else theirs._replace(subsets={})
        merged = SourceMerge(name, (base, mine, theirs), plan, store).merged()
        return merged if ours is not None or merged.subsets else None
    return _deleted(name, sides, plan)


def _deleted(
    name: str,
    sides: tuple[SourceTree | None, SourceTree | None, SourceTree | None],
    plan: Plan,
) -> SourceTree | None:
    base, ours, theirs = sides
    if base is None:
        return ours if ours is not None else theirs
    judge = plan.judge((name, "", ""))
    told: dict[str, Any] = {
        side: "changed" for side, one in (("ours", ours), ("theirs", theirs)) if one is not None
    }
    decision = judge.ask(
        "source.deleted",
        "deleted",
        "deleted",
        base="there",
        allowed=("ours", "theirs", "base", "union"),
        **told,
    )
    plan.note((name, "", ""), judge)
    choice = "ours" if decision is None else decision.choice
    left = ours if ours is not None else theirs
    kept: dict[str, SourceTree | None] = {
        "ours": ours,
        "theirs": theirs,
        "base": base,
        "union": left,
    }
    return kept.get(choice)


def _policy(
    base: Version, ours: Version, theirs: Version, plan: Plan, store: Store
) -> bytes | None:
    if plan.select is not None:
        return ours.policy
    if theirs.policy in (ours.policy, base.policy):
        return ours.policy
    if ours.policy == base.policy:
        return theirs.policy
    judge = plan.judge(("", "", ""))
    texts = [
        None if one.policy is None else store.reader.blob(one.policy)
        for one in (base, ours, theirs)
    ]
    merged = merged_policy(texts[0], texts[1], texts[2], judge)
    plan.note(("", "", ""), judge)
    return None if merged is None else store.add(merged)


def between_bases(options: Options) -> Merge:
    """Return how two merge bases become what they have in common, in memory."""

    def merged(base: Version, one: Version, other: Version, scratch: Scratch) -> Version:
        plan = Plan(options, between_bases=True)
        return merge_versions(base, one, other, plan, Store(scratch, scratch, scratch.add))

    return merged
