"""
Revert and cherry-pick: what commits changed, taken back or made again where HEAD is.

    revert, cherry_pick     one commit or several, each becomes a commit
    go_on, skip             when the conflicts of one are decided; without it
    abort                   give up, the commits made so far too

Each is a graft (`grafting.py`) of the difference between a commit and its parent, computed anew
when it goes on. Working copies of the sources concerned must be clean, and become what the new
commit says. From the first that stops (by conflicts, or because policy or a hook refuses it) on,
what is left to do is recorded (`underway.py`) together with each commit; before that, whoever is
killed has whole commits and no more.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from dvcs.errors import DvcsError, RepositoryError, UsageError
from dvcs.merge import Counts, Options, Strategy
from dvcs.objects.gitobjects import Signature
from dvcs.repository import oplog
from dvcs.repository.merges.grafting import graft
from dvcs.repository.merges.pick_choice import chosen, ends, heads, parent, refuse_unknown
from dvcs.repository.merges.plan import Plan
from dvcs.repository.merges.underway import (
    Kind,
    Merging,
    Place,
    begin,
    load,
    refs_to,
    refuse_second,
    save,
    settle,
    under_way,
)
from dvcs.repository.merges.underway import abort as give_up
from dvcs.repository.message import parse
from dvcs.repository.oplog import HEAD, Move
from dvcs.repository.refs import HEADS
from dvcs.repository.working import checkout, copies
from dvcs.repository.working.carrying import carry_out, finish_pending, towards

if TYPE_CHECKING:
    from dvcs.repository import Repository

__all__ = ["Picked", "Picks", "abort", "cherry_pick", "go_on", "revert", "skip"]


class Picked(NamedTuple):
    """One commit that was reverted or picked (`theirs`), and where the branch is after it."""

    theirs: bytes
    oid: bytes
    changed: bool
    """Whether there was anything to do; where not, no commit was made."""
    counts: Counts


class Picks(NamedTuple):
    """
    What became of a revert or cherry-pick.

    `picked` is what was done, in order. `places` are the open conflicts of the one that comes next,
    `stopped`; `left` counts the commits after that. `oid` is where the branch is.
    """

    operation: Kind
    picked: tuple[Picked, ...]
    oid: bytes
    places: tuple[Place, ...] = ()
    stopped: bytes | None = None
    left: int = 0

    @property
    def changed(self) -> bool:
        """Whether any commit was made (in a dry run: would be)."""
        return any(one.changed for one in self.picked)


def revert(
    repo: "Repository",
    revisions: str | Sequence[str],
    *,
    message: str | None = None,
    mainline: int | None = None,
    strategy: Strategy = "three-way",
    dry_run: bool = False,
) -> Picks:
    """
    Commit the opposite of what commits changed, one by one.

    `revisions` are commits or ranges (`A..B`, the newest is reverted first). `mainline` is the
    parent (from 1) with which merges are compared. What was changed since stays open, in `places`:
    then the revert is under way, unless `strategy` (`ours`: HEAD, `theirs`: the reverted state)
    decides. Raises RevisionNotFound; UsageError for a merge without `mainline`; DirtyWorkingCopy;
    RepositoryError where something is under way; PolicyViolation; HookRefused. Nothing has changed
    then, but for commits that were made before the one that is refused: then it is under way.
    """
    wanted = chosen(repo, revisions, oldest_first=False)
    if message and len(wanted) > 1:
        raise UsageError(
            f"one message for {len(wanted)} commits", hint="leave out --message, or revert one"
        )
    how = Merging(
        operation="revert",
        ours="",
        theirs="",
        revision="",
        branch=None,
        message=message,
        mainline=mainline,
        options=Options(strategy=strategy),
    )
    return _start(repo, how, wanted, dry_run=dry_run)


def cherry_pick(
    repo: "Repository",
    revisions: str | Sequence[str],
    *,
    only: Sequence[str] = (),
    without: Sequence[str] = (),
    mainline: int | None = None,
    strategy: Strategy = "three-way",
    dry_run: bool = False,
) -> Picks:
    """
    Commit what other commits changed, with their messages and authors.

    `revisions` are commits or ranges (`A..B`, the oldest is picked first). `only` and `without`
    choose changes by `SOURCE`, `SOURCE/SUBSET`, `SOURCE/SUBSET/ID` or patterns with `*`; labels of
    a source that is chosen in part come along. Returns and raises as `revert`, and UsageError where
    nothing was changed in what is chosen.
    """
    wanted = chosen(repo, revisions, oldest_first=True)
    how = Merging(
        operation="cherry-pick",
        ours="",
        theirs="",
        revision="",
        branch=None,
        only=tuple(only),
        excluded=tuple(without),
        mainline=mainline,
        options=Options(strategy=strategy),
    )
    refuse_unknown(repo, [oid for _, oid in wanted], how)
    return _start(repo, how, wanted, dry_run=dry_run)


def go_on(
    repo: "Repository", kind: Kind, *, message: str | None = None, dry_run: bool = False
) -> Picks:
    """
    Commit the revert or cherry-pick under way, if its conflicts are decided, and do what is left.

    Raises as `revert`, and RepositoryError where none is under way, or another branch is the
    current one than when it began.
    """
    merging = _resumed(repo, kind)
    merging = msgspec.structs.replace(merging, message=message or merging.message)
    return _run(repo, merging, dry_run=dry_run, recorded=True)


def skip(repo: "Repository", kind: Kind) -> Picks:
    """Leave out the commit at which a revert or cherry-pick has stopped, and do what is left."""
    merging = _resumed(repo, kind)
    if not merging.todo:
        oplog.change(repo.layout, f"{kind} --skip", refs_to(repo, None))
        return Picks(kind, (), _head(repo))
    head = _head(repo)
    after = _next(merging, head, before=head)
    begin(repo, after)
    return _run(repo, after, recorded=True)


def abort(repo: "Repository", kind: Kind) -> bool:
    """
    Give up the revert or cherry-pick under way, with the commits that it has made so far.

    Returns whether all is as before it began: where somebody else has moved the branch since, it
    stays where it is. Raises RepositoryError where none is under way; DirtyWorkingCopy.
    """
    with copies.locked(repo):
        finish_pending(repo)
        settle(repo)
        try:
            merging = load(repo, kind)
        except RepositoryError:
            if under_way(repo) != kind:
                raise
            give_up(repo, kind)  # its record is damaged
            return False
        head = repo.refs.head_commit()
        here = merging.branch == repo.refs.head_branch()
        if not here or head is None or head.hex() != merging.last or merging.began is None:
            give_up(repo, kind)
            return merging.last == merging.began
        moves = refs_to(repo, None)
        began = bytes.fromhex(merging.began)
        if began != head:
            name = HEAD if merging.branch is None else HEADS + merging.branch
            moves.append(Move(name, head.hex(), merging.began))
        changes = towards(repo, began) if began != head else []
        carry_out(repo, f"{kind} --abort", moves, changes, doing=f"giving up the {kind}")
    return True


# -- one after the other -------------------------------------------------------------------------


def _head(repo: "Repository") -> bytes:
    head = repo.refs.head_commit()
    if head is None:
        raise RepositoryError("there is no commit here yet", hint="go to a branch that has some")
    return head


def _start(
    repo: "Repository", how: Merging, wanted: list[tuple[str, bytes]], *, dry_run: bool
) -> Picks:
    if dry_run and len(wanted) > 1:
        raise UsageError("--dry-run is for one commit", hint="the second may build on the first")
    settle(repo)
    refuse_second(repo)
    head = _head(repo)
    for _, oid in wanted:
        parent(oid, repo.store.commit(oid), how.mainline)
    oids = [oid for _, oid in wanted]
    merging = msgspec.structs.replace(
        how,
        ours=head.hex(),
        theirs=oids[0].hex(),
        revision=wanted[0][0],
        branch=repo.refs.head_branch(),
        todo=tuple(oid.hex() for oid in oids[1:]),
        heads=heads(repo, oids[1:]),
        began=head.hex(),
        last=head.hex(),
    )
    return _run(repo, merging, dry_run=dry_run)


def _resumed(repo: "Repository", kind: Kind) -> Merging:
    settle(repo)
    merging = load(repo, kind)
    if merging.branch != repo.refs.head_branch():
        began = f"'{merging.branch}'" if merging.branch else "no branch"
        back = merging.branch or merging.ours[:10]
        raise RepositoryError(
            f"the {kind} began on {began}, and that is not the current one now",
            hint=f"go back with 'dvcs checkout {back}', or give it up: 'dvcs {kind} --abort'",
        )
    return merging


def _next(merging: Merging, tip: bytes, *, before: bytes) -> Merging:
    """
    Return what comes after the commit in hand.

    `before` is where the branch was before that was done: elsewhere than it was left, somebody else
    has moved it, and to give up must not take that back.
    """
    first, *todo = merging.todo
    return msgspec.structs.replace(
        merging,
        ours=tip.hex(),
        last=tip.hex(),
        began=merging.began if before.hex() == merging.last else None,
        theirs=first,
        revision=first[:10],
        todo=tuple(todo),
        message=None,
        places=(),
        decisions={},
        labels={},
    )


def _run(
    repo: "Repository", merging: Merging, *, dry_run: bool = False, recorded: bool = False
) -> Picks:
    """Do the commit in hand and those after it, up to the first that has conflicts."""
    picked: list[Picked] = []
    while True:
        try:
            with repo.gate.postponing():
                one, found = _apply(repo, merging, dry_run=dry_run, recorded=recorded)
        except DvcsError as error:
            if picked:
                if not recorded:
                    begin(repo, merging)
                error.hint = _stopped(merging, len(picked), error.hint)
            raise
        places, kind = found.open(), merging.operation
        if places:
            if not dry_run:
                begin(repo, found)
            stopped = bytes.fromhex(merging.theirs)
            return Picks(kind, tuple(picked), one.oid, places, stopped, len(merging.todo))
        picked.append(one)
        if not merging.todo:
            return Picks(kind, tuple(picked), one.oid)
        before = _before(repo, one.oid, made=one.changed and not dry_run)
        merging = _next(merging, one.oid, before=before)


def _before(repo: "Repository", oid: bytes, *, made: bool) -> bytes:
    """Return where the branch was before it came to a commit, if that was `made` now."""
    return repo.store.commit(oid).parents[0] if made else oid


def _stopped(merging: Merging, count: int, hint: str | None) -> str:
    """Return what helps where a commit is refused and some were made before it."""
    made = "1 commit was" if count == 1 else f"{count} commits were"
    helps = (hint or "").removeprefix("nothing was changed; ")
    return (
        f"{helps}{'; ' * bool(helps)}{made} made before this one: go on with"
        f" 'dvcs {merging.operation} --continue' (or --skip), or take all back with --abort"
    )


def _apply(
    repo: "Repository", merging: Merging, *, dry_run: bool, recorded: bool
) -> tuple[Picked, Merging]:
    """
    Do one commit, unless it has conflicts; return it with what was found.

    What is `recorded` becomes the next commit's, or ends, in the operation that moves the branch.
    """
    base, theirs = ends(repo, merging)
    names = base.sources.keys() | theirs.sources.keys()
    touched = [one for one in names if base.sources.get(one) != theirs.sources.get(one)]
    checkout.require_clean(repo, touched, doing=f"the {merging.operation}")
    plan = Plan(merging.options, merging.by_where(), merging.selection)
    oid = bytes.fromhex(merging.theirs)
    with repo.transaction() as change:
        graft(change, base, theirs, plan)
        tip = change.base or b""
        found = msgspec.structs.replace(merging, ours=tip.hex()).with_found(plan)
        before = change.before
        differs = (change.sources, change.policy) != (before.sources, before.policy)
        if found.open() or dry_run or not differs:
            if recorded and not (found.open() or dry_run):
                _advance(repo, found, tip)
            return Picked(oid, tip, differs, plan.counts), found

        def moves(made: bytes) -> list[Move]:
            """Return what becomes of the record, once the commit's id is known."""
            before = _before(repo, made, made=True)
            after = _next(found, made, before=before) if found.todo else None
            save(repo, after or found)
            return refs_to(repo, after)

        text, author = _message(repo, found)
        done = change.commit(
            text,
            operation=merging.operation,
            arguments=_arguments(found),
            command=f"{merging.operation} {merging.theirs[:10]}",
            author=author,
            moves=moves if recorded else None,
        )
    if recorded and not done.changed:  # somebody else has just done the same
        _advance(repo, found, done.oid)
    checkout.update_copies(repo)
    return Picked(oid, done.oid, done.changed, plan.counts), found


def _advance(repo: "Repository", merging: Merging, tip: bytes) -> None:
    """Go on to the next commit where the one in hand changed nothing, or end."""
    if merging.todo:
        begin(repo, _next(merging, tip, before=tip))
    else:
        oplog.change(repo.layout, f"{merging.operation} (nothing left)", refs_to(repo, None))


def _message(repo: "Repository", merging: Merging) -> tuple[str, Signature | None]:
    """Return the new commit's message, and its author if that is another than who commits."""
    commit = repo.store.commit(bytes.fromhex(merging.theirs))
    said = parse(commit.message)
    if merging.operation == "revert":
        text = f'Revert "{said.subject}"\n\nThis reverts commit {merging.theirs}.'
        return merging.message or text, None
    text = f"{merging.message or said.text}\n\n(cherry picked from commit {merging.theirs})"
    return text, commit.author


def _arguments(merging: Merging) -> Mapping[str, Any]:
    arguments: dict[str, Any] = {"commit": merging.theirs, "mainline": merging.mainline}
    if merging.operation == "cherry-pick":
        arguments["only"] = list(merging.only) or None
        arguments["except"] = list(merging.excluded) or None
    decided = sum(len(held) for held in merging.decisions.values())
    return {**arguments, "decisions": decided} if decided else arguments
