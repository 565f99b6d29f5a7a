"""
Merging another revision into a branch.

    merge      begin one: fast-forward, or three-way; commit it, or keep its conflicts
    go_on      commit one whose conflicts are decided (`conflicts.py` takes decisions)
    abort      give one up

A merge is computed anew each time, from its two sides and the decisions so far; nothing of it is
stored before it is whole. So a branch that moved on meanwhile is merged as it is now, with the same
decisions, and a process that is killed leaves either nothing or all.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec

from dvcs.errors import RepositoryError, RevisionNotFound, UsageError
from dvcs.merge import Counts, Options
from dvcs.objects.gitobjects import Commit
from dvcs.repository import identity, oplog
from dvcs.repository.gate import Proposal
from dvcs.repository.history import is_ancestor, merge_bases
from dvcs.repository.merges.bases import (
    Scratch,
    base_version,
    version_of,
)
from dvcs.repository.merges.plan import Plan
from dvcs.repository.merges.sources import Store
from dvcs.repository.merges.trees import between_bases, merge_versions
from dvcs.repository.merges.underway import (
    Merging,
    Place,
    abort,
    begin,
    is_under_way,
    load,
    refs_to,
    refuse_second,
    save,
    settle,
)
from dvcs.repository.message import with_trailer
from dvcs.repository.oplog import HEAD, Move
from dvcs.repository.refs import HEADS
from dvcs.repository.snapshot import Trees, dataset_json, write_root
from dvcs.repository.working import copies
from dvcs.repository.working.carrying import Rewritten, carry_out, finish_pending, towards
from dvcs.repository.working.examining import clean_copies

if TYPE_CHECKING:
    from dvcs.repository import Repository
    from dvcs.repository.transaction import Transaction
    from dvcs.repository.votes.report import Votes

__all__ = ["Merged", "Request", "abort", "go_on", "is_under_way", "load", "merge"]

Status = Literal["up to date", "fast-forward", "merged", "ready", "conflicts"]


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """
    What to merge and how.

    `revision` may name one source (`REV:SOURCE`). `into` is a branch (default: the current one).
    With `only` or `excluded` the commit has one parent: a later merge brings the rest. `squash`
    makes such a commit of everything. `fast_forward` False makes a merge commit in any case.
    `commit` False stops before it, and `go_on` makes it.
    """

    revision: str
    into: str | None = None
    message: str | None = None
    options: Options = Options()
    only: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    fast_forward: bool = True
    squash: bool = False
    commit: bool = True
    dry_run: bool = False
    allow_unrelated: bool = False


class Merged(NamedTuple):
    """
    What a merge came to.

    `commit` is where the branch is now (in a dry run and with conflicts: still). `places` are the
    open conflicts.
    """

    status: Status
    branch: str | None
    commit: bytes
    ours: bytes | None
    theirs: bytes
    counts: Counts
    places: tuple[Place, ...] = ()
    copies: tuple[Rewritten, ...] = ()
    votes: "Votes | None" = None
    """What was found, where it was merged by vote."""


class _Computed(NamedTuple):
    """A merge that was computed: its tree, and what was found on the way."""

    root: bytes
    plan: Plan
    votes: "Votes | None" = None


def merge(repo: "Repository", request: Request) -> Merged:
    """
    Merge a revision into a branch.

    Working copies without changes become what the branch is then. Raises RevisionNotFound,
    UsageError, DirtyWorkingCopy, BranchMoved, PolicyViolation, HookRefused, and RepositoryError
    where a merge is under way or the two have no common history; nothing has changed then.
    """
    with copies.locked(repo):
        finish_pending(repo)
        settle(repo)
        refuse_second(repo)
        found = repo.parse(request.revision)
        if found.source is not None:
            request = msgspec.structs.replace(request, only=(*request.only, found.source))
        branch = request.into if request.into is not None else repo.refs.head_branch()
        ours = tip_of(repo, branch)
        if ours is None and request.into is not None:
            raise RevisionNotFound(
                f"there is no branch '{branch}'", hint=f"make it with 'dvcs branch {branch}'"
            )
        check_selection(repo, request.only, request.excluded, found.oid)
        bases = [] if ours is None else merge_bases(repo.store, ours, found.oid)
        if found.oid in bases:
            return Merged("up to date", branch, ours or found.oid, ours, found.oid, Counts())
        partly = request.only or request.excluded or request.squash
        plain = request.fast_forward and request.commit and not partly
        if ours is None and not plain:
            raise UsageError(
                "there is no commit here yet that could be merged with",
                hint=f"merge all of '{request.revision}': the branch begins with it",
            )
        if ours is None or (ours in bases and plain):
            return _forward(repo, request, branch, ours, found.oid)
        if not bases and not request.allow_unrelated:
            raise RepositoryError(
                f"'{request.revision}' has no common history with this branch",
                hint="merge it all the same with --allow-unrelated-histories",
            )
        merging = Merging(
            ours=ours.hex(),
            theirs=found.oid.hex(),
            revision=request.revision,
            branch=branch,
            message=request.message,
            options=request.options,
            only=request.only,
            excluded=request.excluded,
            squash=request.squash,
        )
        require_clean(repo, merging)
        return run(repo, merging, commit=request.commit, dry_run=request.dry_run)


def go_on(repo: "Repository", *, message: str | None = None, dry_run: bool = False) -> Merged:
    """
    Commit the merge under way, if all its conflicts are decided.

    Where its branch has moved on, that is merged instead, with the decisions made so far. Raises as
    `merge`, and RepositoryError where no merge is under way.
    """
    with copies.locked(repo):
        finish_pending(repo)
        settle(repo)
        merging = load(repo, "merge")
        if merging.branch is None and repo.refs.head_branch() is not None:
            raise RepositoryError(
                "the merge began on no branch, and one is the current one now",
                hint=f"go back with 'dvcs checkout {merging.ours[:10]}', or give it up",
            )
        tip = tip_of(repo, merging.branch)
        if tip is None:
            raise RepositoryError(
                f"the branch '{merging.branch}' is gone", hint="give the merge up: --abort"
            )
        merging = msgspec.structs.replace(
            merging, ours=tip.hex(), message=message or merging.message
        )
        require_clean(repo, merging)
        return run(repo, merging, commit=True, dry_run=dry_run)


def tip_of(repo: "Repository", branch: str | None) -> bytes | None:
    """Return where a branch is; None: HEAD."""
    return repo.refs.head_commit() if branch is None else repo.refs.read(HEADS + branch)


def check_selection(
    repo: "Repository", only: Iterable[str], excluded: Iterable[str], theirs: bytes
) -> None:
    """Raise UsageError for a selector of a source that neither side has."""
    known = {*repo.snapshot(theirs).sources, *repo.snapshot(repo.refs.head_commit()).sources}
    for one in (*only, *excluded):
        if "*" not in one and not any(one == name or one.startswith(f"{name}/") for name in known):
            raise UsageError(
                f"'{one}' is in no source",
                hint=f"items are SOURCE/SUBSET/ID; sources: {', '.join(sorted(known)) or 'none'}",
            )


def require_clean(repo: "Repository", merging: Merging) -> None:
    """Refuse early where a working copy that the merge would rewrite has changes."""
    if not _is_current(repo, merging.branch):
        return
    ours = bytes.fromhex(merging.ours)
    sources = set().union(
        *(_coming(repo, ours, bytes.fromhex(one)) for one in (merging.theirs, *merging.heads))
    )
    concerned = [
        copy
        for copy in copies.load(repo.layout).values()
        if copy.commit is not None and copy.source in sources
    ]
    clean_copies(repo, concerned, doing="the merge")


def _coming(repo: "Repository", ours: bytes, theirs: bytes) -> set[str]:
    """Return the sources that theirs has not as ours, nor as both had them."""
    bases: list[bytes | None] = [*merge_bases(repo.store, ours, theirs)] or [None]
    mine, yours, *before = (repo.snapshot(one).sources for one in (ours, theirs, *bases))
    return {
        name
        for name in {*mine, *yours}
        if yours.get(name) != mine.get(name)
        and any(yours.get(name) != one.get(name) for one in before)
    }


def _is_current(repo: "Repository", branch: str | None) -> bool:
    return branch == repo.refs.head_branch()


# -- fast-forward --------------------------------------------------------------------------------


def _forward(
    repo: "Repository", request: Request, branch: str | None, ours: bytes | None, theirs: bytes
) -> Merged:
    moves = [_branch_move(branch, ours, theirs)]
    commit = repo.store.commit(theirs)
    new = Proposal("merge", branch, ours, commit.parents, commit.tree)
    if not request.dry_run:
        repo.gate.forward(new, theirs, Trees(repo.store))
    changes = towards(repo, theirs) if _is_current(repo, branch) else []
    done = carry_out(
        repo,
        f"merge {request.revision}",
        moves,
        changes,
        doing="the merge",
        dry_run=request.dry_run,
    )
    if not request.dry_run:
        repo.gate.after_merge(new, theirs)
    at = (ours or theirs) if request.dry_run else theirs
    return Merged("fast-forward", branch, at, ours, theirs, Counts(), copies=done.copies)


def _branch_move(branch: str | None, old: bytes | None, new: bytes) -> Move:
    name = HEAD if branch is None else HEADS + branch
    return Move(name, None if old is None else old.hex(), new.hex())


# -- three-way -----------------------------------------------------------------------------------


def run(repo: "Repository", merging: Merging, *, commit: bool, dry_run: bool) -> Merged:
    """Compute a merge; commit it where nothing is open, else keep what is."""
    ours, theirs = bytes.fromhex(merging.ours), bytes.fromhex(merging.theirs)
    with repo.transaction(branch=merging.branch, base=ours) as change:
        done = _computed(repo, change, merging)
        merging = merging.with_found(done.plan)
        places = merging.open()
        common = merging.branch, ours, ours, theirs, done.plan.counts, places
        if merging.is_partial and not places and done.root == repo.tree_of(ours):
            if not dry_run and (ends := refs_to(repo, None)):
                oplog.change(repo.layout, f"merge {merging.revision} (nothing left)", ends)
            return Merged("up to date", *common, votes=done.votes)
        if places or not commit:
            status: Status = "conflicts" if places else "ready"
            if not dry_run:
                begin(repo, merging)
            return Merged(status, *common, votes=done.votes)
        if dry_run:
            return Merged("merged", *common, votes=done.votes)
        oid, new = _commit(repo, change, merging, done.root)
        moved = [*refs_to(repo, None), _branch_move(merging.branch, ours, oid)]
        if moved[:-1]:
            save(repo, merging)
        changes = towards(repo, oid) if _is_current(repo, merging.branch) else []
        command = f"merge {merging.revision}"
        carried = carry_out(repo, command, moved, changes, doing="the merge")
    repo.after_commit()
    repo.gate.after_merge(new, oid, squash=len(new.parents) == 1)
    return Merged(
        "merged",
        merging.branch,
        oid,
        ours,
        theirs,
        done.plan.counts,
        copies=carried.copies,
        votes=done.votes,
    )


def _computed(repo: "Repository", change: "Transaction", merging: Merging) -> _Computed:
    if merging.voting is not None:
        from dvcs.repository.votes.round import voted

        return _Computed(*voted(repo, change, merging))
    scratch = Scratch(repo.store, change.trees)
    ours, theirs = bytes.fromhex(merging.ours), bytes.fromhex(merging.theirs)
    plan = Plan(merging.options, merging.by_where(), merging.selection)
    bases = merge_bases(repo.store, ours, theirs)
    version = merge_versions(
        base_version(repo.store, bases, scratch, between_bases(merging.options)),
        version_of(repo.snapshot(ours)),
        version_of(repo.snapshot(theirs)),
        plan,
        Store(scratch, change.trees, change.writer.blob),
    )
    layout = change.writer.blob(dataset_json())
    others = repo.snapshot(ours).others
    root = write_root(change.trees, layout, version.sources, version.policy, others)
    return _Computed(root, plan)


def _commit(
    repo: "Repository", change: "Transaction", merging: Merging, root: bytes
) -> tuple[bytes, Proposal]:
    """Make the commit, if policy and hooks have nothing against it; no branch moves yet."""
    ours = bytes.fromhex(merging.ours)
    parents = _parents(repo, merging)
    signature = identity.author(repo.layout)

    def write(text: str) -> bytes:
        whole = with_trailer(text, "merge", _arguments(merging))
        oid = change.writer.commit(Commit(root, parents, signature, signature, whole))
        change.writer.publish()
        return oid

    new = Proposal("merge", merging.branch, ours, parents, root)
    oid, _ = repo.gate.admit(new, message_of(merging), write, change.trees, hook="pre-merge")
    return oid, new


def _parents(repo: "Repository", merging: Merging) -> tuple[bytes, ...]:
    """Return the parents of a merge's commit; of several others, none that another one has."""
    ours = bytes.fromhex(merging.ours)
    if merging.is_partial:
        return (ours,)
    if merging.voting is None:
        return ours, bytes.fromhex(merging.theirs)
    sides = tuple(dict.fromkeys((ours, *(bytes.fromhex(one) for one in merging.heads))))
    return tuple(
        one
        for one in sides
        if one == ours
        or not any(one != other and is_ancestor(repo.store, one, other) for other in sides)
    )


def message_of(merging: Merging) -> str:
    """Return the message of the merge's commit: the user's, else what was merged."""
    if merging.message:
        return merging.message
    into = "" if merging.branch in (None, "main") else f" into {merging.branch}"
    part = " (a part)" if merging.selection is not None else ""
    how = " by vote" if merging.voting is not None else ""
    return f"Merge {merging.revision}{into}{how}{part}"


def _arguments(merging: Merging) -> Mapping[str, Any]:
    options, defaults = merging.options, Options()
    arguments: dict[str, Any] = {
        name: getattr(options, name)
        for name in ("threshold", "agree", "strategy")
        if getattr(options, name) != getattr(defaults, name)
    }
    if merging.is_partial:
        arguments["theirs"] = merging.theirs
    for name in ("only", "excluded"):
        if getattr(merging, name):
            arguments[name] = list(getattr(merging, name))
    decided = sum(len(held) for held in merging.decisions.values())
    if decided:
        arguments["decisions"] = decided
    if merging.voting is not None:
        from dvcs.repository.votes.plan import described

        return {**arguments, **described(merging)}
    return {**arguments, "revision": merging.revision}
