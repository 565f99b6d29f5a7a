"""
A vote computed: what the voters agree on, and that brought into our branch.

The voters' versions become one (`sources.py`). Where our side votes, or has not moved on,
that is the result. Else the branch has changes that nobody voted on: then it is merged three-way,
as any other revision, from what the voters started from. Where they started from different commits,
that is what a vote of those comes to. Conflicts of that merge have `merge:` before their key.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from dvcs.merge import Decision, Options
from dvcs.repository.history import ancestors, is_ancestor, merge_bases
from dvcs.repository.merges.bases import Scratch, Version, base_version, version_of
from dvcs.repository.merges.plan import ItemConflicts, Plan, Where
from dvcs.repository.merges.sources import Store
from dvcs.repository.merges.trees import between_bases, merge_versions
from dvcs.repository.policies.policy import policy_of
from dvcs.repository.snapshot import dataset_json, write_root
from dvcs.repository.votes.plan import (
    Voting,
    check_groups,
    voting_of,
    with_thresholds,
)
from dvcs.repository.votes.report import Votes
from dvcs.repository.votes.sources import Elector, Poll, vote_versions

if TYPE_CHECKING:
    from dvcs.repository import Repository
    from dvcs.repository.merges.underway import Merging
    from dvcs.repository.transaction import Transaction

MERGE = "merge:"
"""Before the keys of conflicts between what was voted and our branch."""


def voted(
    repo: "Repository", change: "Transaction", merging: "Merging"
) -> tuple[bytes, Plan, Votes]:
    """
    Return the tree of a vote, what was found on the way, and the report.

    Raises UsageError where its options name labels that no source has.
    """
    voting = voting_of(merging)
    ours = bytes.fromhex(merging.ours)
    snapshot = repo.snapshot(ours)
    mine = version_of(snapshot)
    scratch = Scratch(repo.store, change.trees)
    store = Store(scratch, change.trees, change.writer.blob)
    select = merging.selection
    told, decided = _split(merging.by_where())
    electors = _electors(repo, ours, voting, scratch)
    policy = policy_of(repo, ours)
    options = voting.options if policy is None else with_thresholds(voting.options, policy.iou)
    check_groups(options.groups, _labels(repo, voting))
    poll = Poll(options, Plan(merging.options, told, select), mine)
    agreed = vote_versions(electors, poll, store)
    plan = Plan(merging.options, decided, select)
    before = _before(repo, ours, electors, poll, scratch)
    if select is not None or any(
        mine.sources.get(name) != before.sources.get(name) for name in agreed.sources
    ):
        change.writer.publish()  # what was voted is read again
    version = merge_versions(before, mine, agreed, plan, store)
    plan.found = _together(poll.plan.found, plan.found)
    plan.labels = {**poll.plan.labels, **plan.labels}
    layout = change.writer.blob(dataset_json())
    root = write_root(change.trees, layout, version.sources, version.policy, snapshot.others)
    votes = Votes(seats=voting.seats, options=options, sources=tuple(poll.found))
    return root, plan, votes


def _electors(repo: "Repository", ours: bytes, voting: Voting, scratch: Scratch) -> list[Elector]:
    """Return the voters: our side first, if it votes, then in the order in which they are named."""
    known: dict[tuple[bytes, ...], Version] = {}
    found = []
    for seat in voting.seats:
        commit = bytes.fromhex(seat.commit)
        bases = tuple(merge_bases(repo.store, ours, commit))
        if bases not in known:
            known[bases] = base_version(repo.store, list(bases), scratch, between_bases(Options()))
        now = version_of(repo.snapshot(commit))
        found.append(Elector(seat.name, now, known[bases], commit, bases))
    found = [_with_earlier(repo, one, found) for one in found]
    own = _own(repo, ours, found)
    return found if own is None else [own, *(one for one in found if one is not own)]


def _with_earlier(repo: "Repository", one: Elector, electors: Sequence[Elector]) -> Elector:
    """Return a voter with its earlier pasts, where it is its own past: else it removed nothing."""
    if one.bases != (one.commit,):
        return one
    known = set(ancestors(repo.store, [one.commit]))
    earlier = {
        other.bases: other.before
        for other in electors
        if other.bases and other.bases != one.bases and known.issuperset(other.bases)
    }
    return one._replace(earlier=tuple(earlier.values()))


def _own(repo: "Repository", ours: bytes, electors: Sequence[Elector]) -> Elector | None:
    """Return the voter who is our side: our branch, or what it grew from."""
    own = [one for one in electors if is_ancestor(repo.store, one.commit, ours)]
    for one in own:
        later = (other.commit for other in own if other.commit != one.commit)
        if not any(is_ancestor(repo.store, one.commit, commit) for commit in later):
            return one
    return None


def _before(
    repo: "Repository", ours: bytes, electors: Sequence[Elector], poll: Poll, scratch: Scratch
) -> Version:
    """Return what our side has changed since the vote was asked for: the base of that merge."""
    own = _own(repo, ours, electors)
    if own is not None:
        return own.now  # as it voted
    if len({one.bases for one in electors}) == 1:
        return electors[0].before
    # Each started from its last vote, say: then from what that vote came to.
    bases = {base for one in electors for base in one.bases}
    common = base_version(repo.store, _common(repo, bases), scratch, between_bases(Options()))
    past = [one._replace(now=one.before, before=common) for one in electors]
    virtual = Poll(poll.options, Plan(poll.plan.options), poll.ours, wanted=poll.voted)
    return vote_versions(past, virtual, Store(scratch, scratch, scratch.add))


def _common(repo: "Repository", commits: Iterable[bytes]) -> list[bytes]:
    """Return the best common ancestors of all of some commits."""
    every = [set(ancestors(repo.store, [one])) for one in commits]
    shared = set.intersection(*every) if every else set()
    parents = {parent for oid in shared for parent in repo.store.commit(oid).parents}
    return sorted(shared - set(ancestors(repo.store, parents)))


def _split(
    decisions: Mapping[Where, Mapping[str, Decision]],
) -> tuple[dict[Where, dict[str, Decision]], dict[Where, dict[str, Decision]]]:
    """Return the decisions about votes, and those about the merge of their result."""
    votes: dict[Where, dict[str, Decision]] = {}
    merges: dict[Where, dict[str, Decision]] = {}
    for where, held in decisions.items():
        for key, one in held.items():
            if key.startswith(MERGE):
                merges.setdefault(where, {})[key.removeprefix(MERGE)] = one
            else:
                votes.setdefault(where, {})[key] = one
    return votes, merges


def _together(
    votes: Sequence[ItemConflicts], merges: Sequence[ItemConflicts]
) -> list[ItemConflicts]:
    """Return the conflicts of both, those of one item together."""
    found = {one.where: one for one in votes}
    for one in merges:
        renamed = tuple(
            msgspec.structs.replace(each, key=MERGE + each.key) for each in one.conflicts
        )
        before = found[one.where].conflicts if one.where in found else ()
        found[one.where] = ItemConflicts(one.where, (*before, *renamed))
    return sorted(found.values())


def _labels(repo: "Repository", voting: Voting) -> dict[str, None]:
    """Return the labels of all voters' sources."""
    found: dict[str, None] = {}
    for seat in voting.seats:
        snapshot = repo.snapshot(bytes.fromhex(seat.commit))
        for source in snapshot.sources:
            found.update(dict.fromkeys(snapshot.labels(source).names))
    return found
