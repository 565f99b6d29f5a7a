"""
Rewrites of working copies as operations: refs and files together, finished by whoever finds them.

    1. all copies are examined, and all new files staged; what is dirty refuses, nothing has changed
    2. `state/copies/pending` says durably what will be done
    3. refs move, by compare-and-swap (`oplog.py`)
    4. files are put in place, each looked at once more (`rewriting.py`); records follow
    5. `pending` goes

Whoever is killed before 3 has changed nothing; after it, the next command finishes the rewrite
(`recover`). What a person edited in between is kept, and then is a change like any other.
"""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from dvcs.errors import DirtyWorkingCopy, RepositoryError
from dvcs.repository import oplog
from dvcs.repository.oplog import HEAD, Move, Operation
from dvcs.repository.policies import policy_file
from dvcs.repository.policies.policy_file import PolicyChange
from dvcs.repository.refs import HEADS
from dvcs.repository.working import copies
from dvcs.repository.working.copies import Copy, CopyChange, Pending, Remembered
from dvcs.repository.working.examining import clean_copies
from dvcs.repository.working.placing import apply, rebased_stamp
from dvcs.repository.working.rewriting import Mode, Plan, plan
from dvcs.repository.working.statindex import Index

if TYPE_CHECKING:
    from dvcs.repository import Repository

PolicyMode = Literal["follow", "restore", "keep"]
"""
What becomes of `dvcs.toml`: the version where HEAD goes, if it goes elsewhere; that of HEAD in any
case; or it stays.
"""
SAME_TIME = 5.0
"""Seconds by which clocks may differ between what is pending and what the log says."""


class Rewritten(NamedTuple):
    """What was done to one working copy: paths in it. `kept` were changed meanwhile, and left."""

    source: str
    path: str
    written: tuple[str, ...]
    removed: tuple[str, ...]
    kept: tuple[str, ...]
    losses: tuple[str, ...]
    """What its format cannot hold, as sentences."""


class CheckedOut(NamedTuple):
    """Where HEAD is after an operation, and what became of the working copies."""

    branch: str | None
    commit: bytes | None
    copies: tuple[Rewritten, ...]
    moved: bool
    """Whether a ref or HEAD moved (would move, in a dry run)."""
    policy: policy_file.Done = ""
    """What was done to `dvcs.toml`."""


def towards(
    repo: "Repository",
    oid: bytes | None,
    *,
    all_of_them: bool = False,
    keep_added: bool = False,
) -> list[CopyChange]:
    """
    Return what working copies have to become for a commit: those whose source differs there.

    With `all_of_them`, also those that are of that version already, so that changes are taken back.
    One that was added and is in no commit stays, with `keep_added`; else DirtyWorkingCopy is raised
    where the commit has a source of its name.
    """
    snapshot = repo.snapshot(oid)
    changes = []
    for copy in copies.load(repo.layout).values():
        tree = snapshot.sources.get(copy.source)
        if copy.commit is None:
            if tree is not None and not keep_added:
                raise DirtyWorkingCopy(
                    f"'{copy.path}' was added as '{copy.source}' and is in no commit, and there"
                    " is a source of that name there",
                    hint="commit it first, or forget it with 'dvcs remove'",
                )
            continue
        if tree is None:
            if not copy.absent:
                changes.append(CopyChange(copy, msgspec.structs.replace(copy, absent=True)))
            continue
        assert oid is not None  # noqa: S101 - a source is in a commit
        if all_of_them or copy.absent or copies.base_tree(repo, copy) != tree:
            new = msgspec.structs.replace(copy, commit=oid.hex(), absent=False, written=True)
            changes.append(CopyChange(copy, new))
    return changes


def carry_out(
    repo: "Repository",
    command: str,
    moves: Iterable[Move],
    changes: Sequence[CopyChange],
    *,
    doing: str,
    force: bool = False,
    dry_run: bool = False,
    undoes: str | None = None,
    policy: PolicyMode = "follow",
) -> CheckedOut:
    """
    Move refs and rewrite working copies as one operation; for who holds the copies' lock.

    Raises DirtyWorkingCopy and BranchMoved; nothing has changed then.
    """
    wanted = tuple(move for move in moves if move.old != move.new)
    toml = _planned_policy(repo, wanted, policy, force=force, doing=doing)
    plans = _planned(repo, changes, force=force, doing=doing)
    try:
        if dry_run:
            done: policy_file.Done = "" if toml is None else "written" if toml.new else "removed"
            return _outcome(repo, plans, moved=bool(wanted), after=wanted, policy=done)
        if not wanted and not changes and toml is None:
            return _outcome(repo, plans, moved=False)
        what = Pending(
            command=command,
            time=time.time(),
            moves=wanted,
            changes=tuple(changes),
            agreed={made.copy.source: made.agreed for made in plans},
            policy=toml,
        )
        copies.begin(repo.layout, what)
        try:
            operation = oplog.change(
                repo.layout, command, wanted, copies=_logged(changes), undoes=undoes
            )
        except BaseException:
            copies.end(repo.layout)
            raise
        done = _finish(repo, plans, changes, toml)
        _remember(repo, operation, changes)
        copies.end(repo.layout)
        return _outcome(repo, plans, moved=bool(wanted), policy=done)
    finally:
        for one in plans:
            one.discard()


def _planned_policy(
    repo: "Repository", moves: Sequence[Move], mode: PolicyMode, *, force: bool, doing: str
) -> PolicyChange | None:
    """Return what becomes of `dvcs.toml`. Raises DirtyWorkingCopy."""
    if mode == "keep" or (mode == "follow" and not moves):
        return None
    now, then = repo.refs.head_commit(), _commit_after(repo, moves)
    if mode == "follow" and now == then:
        return None
    return policy_file.plan(repo, repo.snapshot(then).policy, force=force, doing=doing)


def _commit_after(repo: "Repository", moves: Sequence[Move]) -> bytes | None:
    """Return the commit that HEAD is at when refs have moved."""
    refs = {move.name: move.new for move in moves}
    head = repo.refs.head()
    here = refs.get(HEAD) or (f"ref: {head}" if isinstance(head, str) else head.hex())
    if not here.startswith("ref: "):
        return bytes.fromhex(here)
    name = here.removeprefix("ref: ")
    if name not in refs:
        return repo.refs.read(name)
    new = refs[name]
    return None if new is None else bytes.fromhex(new)


def _planned(
    repo: "Repository", changes: Sequence[CopyChange], *, force: bool, doing: str
) -> list[Plan]:
    present = [one.old for one in changes if one.old is not None and not one.old.absent]
    clean: Mapping[str, bool] = {}
    if force:
        clean = {copy.source: _was_clean(repo, copy) for copy in present}
    else:
        clean = clean_copies(repo, present, doing=doing)
    plans: list[Plan] = []
    try:
        for one in changes:
            source = _source(one)
            is_clean = clean.get(source, False)
            plans.append(plan(repo, one.old, one.new, clean=is_clean, mode=Mode(force=force)))
    except BaseException:
        for made in plans:
            made.discard()
        raise
    return plans


def _was_clean(repo: "Repository", copy: Copy) -> bool:
    """Tell whether the last look found a copy to be just its base; single files may be newer."""
    tree = copies.base_tree(repo, copy)
    index = Index.load(copies.index_path(repo.layout, copy.source))
    return tree is not None and index.verified == copies.token(copy, tree)


def _finish(
    repo: "Repository",
    plans: Sequence[Plan],
    changes: Sequence[CopyChange],
    policy: PolicyChange | None = None,
) -> policy_file.Done:
    """Put files in place and write records. What fails here is finished by the next command."""
    try:
        for made, one in zip(plans, changes, strict=True):
            apply(made)
            _record(repo, one)
        return "" if policy is None else policy_file.put(repo, policy)
    except OSError as error:
        raise RepositoryError(
            f"working copies could not be written to the end ({error.strerror or error})",
            hint="when that is put right, any dvcs command here finishes it",
        ) from None


def _record(repo: "Repository", one: CopyChange) -> None:
    if one.new is not None:
        copies.save(repo.layout, one.new)
    elif one.old is not None:
        copies.forget(repo.layout, one.old.source)


def rewrite_now(
    repo: "Repository",
    changes: Sequence[CopyChange],
    *,
    force: bool = False,
    policy: PolicyChange | None = None,
    records: Sequence[Copy] = (),
) -> None:
    """
    Rewrite working copies as a part of an operation that is in the log already.

    `records` are what copies are compared with then, where that is not what was written.
    """
    plans = _planned(repo, changes, force=force, doing="this")
    what = Pending(
        command="rewrite",
        time=time.time(),
        changes=tuple(changes),
        agreed={made.copy.source: made.agreed for made in plans},
        policy=policy,
        records=tuple(records),
    )
    copies.begin(repo.layout, what)
    _finish(repo, plans, changes, policy)
    _compare_with(repo, records)
    copies.end(repo.layout)


def _compare_with(repo: "Repository", records: Sequence[Copy]) -> None:
    for record in records:
        copies.save(repo.layout, record)
        rebased_stamp(repo, record)


@contextmanager
def removing(repo: "Repository", copy: Copy, *, force: bool) -> Iterator[None]:
    """
    Remove a working copy together with its source: the block commits that.

    Raises DirtyWorkingCopy where it has changes and not `force`; then the block is not entered.
    """
    changes = [CopyChange(copy, None)]
    plans = _planned(repo, changes, force=force, doing=f"removing '{copy.source}'")
    what = Pending(
        command="remove",
        time=time.time(),
        changes=tuple(changes),
        agreed={made.copy.source: made.agreed for made in plans},
        removed=copy.source,
    )
    copies.begin(repo.layout, what)
    try:
        yield
    except BaseException:
        copies.end(repo.layout)
        raise
    _finish(repo, plans, changes)
    attach(repo, repo.refs.head_commit(), changes)
    copies.end(repo.layout)


def attach(repo: "Repository", oid: bytes | None, changes: Sequence[CopyChange]) -> None:
    """Have undo take back a rewrite together with the operation that moved a ref to a commit."""
    operation = last_operation(repo, oid) if oid is not None else None
    if operation is None or not changes:
        return
    before = copies.recall(repo.layout, operation.id)
    merged = {_source(one): one for one in (before.changes if before is not None else ())}
    for one in changes:
        known = merged.get(_source(one))
        merged[_source(one)] = one if known is None else CopyChange(known.old, one.new)
    copies.remember(repo.layout, operation.id, Remembered(changes=tuple(merged.values())))


def _source(one: CopyChange) -> str:
    copy = one.old or one.new
    return "" if copy is None else copy.source


def _remember(repo: "Repository", operation: Operation, changes: Sequence[CopyChange]) -> None:
    if changes:
        copies.remember(repo.layout, operation.id, Remembered(changes=tuple(changes)))


def _logged(changes: Sequence[CopyChange]) -> dict[str, tuple[str | None, str | None]]:
    """Return what the operation log says of working copies: the commits they are of."""
    return {
        _source(one): (
            None if one.old is None or one.old.absent else one.old.commit,
            None if one.new is None or one.new.absent else one.new.commit,
        )
        for one in changes
    }


def _outcome(
    repo: "Repository",
    plans: Sequence[Plan],
    *,
    moved: bool,
    after: Sequence[Move] = (),
    policy: policy_file.Done = "",
) -> CheckedOut:
    """Return what was done; of a dry run, `after` which refs would have moved."""
    branch, commit = repo.refs.head_branch(), _commit_after(repo, after)
    for move in after:
        if move.name == HEAD and move.new is not None:
            name = move.new.removeprefix("ref: ")
            branch = None if name == move.new else name.removeprefix(HEADS)
    done = tuple(
        Rewritten(
            made.copy.source,
            made.copy.path,
            tuple(sorted(made.writes.keys() - set(made.kept))),
            tuple(sorted(made.removals.keys() - set(made.kept))),
            tuple(made.kept),
            tuple(made.fidelity.lines()),
        )
        for made in plans
    )
    return CheckedOut(branch, commit, done, moved, policy)


def last_operation(repo: "Repository", oid: bytes) -> Operation | None:
    """Return the newest operation that moved a ref to a commit."""
    for operation in reversed(oplog.Log(repo.layout).operations()):
        if any(move.new == oid.hex() for move in operation.moves):
            return operation
    return None


# -- after a kill --------------------------------------------------------------------------------


def recover(repo: "Repository", *, patience: float | None = None) -> bool:
    """
    Finish a rewrite that was killed; tell whether there was one.

    Raises Locked where another process is at it, and whatever keeps the rewrite from its end.
    """
    if copies.pending(repo.layout) is None:
        return False
    wait = {} if patience is None else {"patience": patience}
    with copies.locked(repo, **wait):
        return finish_pending(repo)


def finish_pending(repo: "Repository") -> bool:
    """As `recover`, for who holds the copies' lock."""
    what = copies.pending(repo.layout)
    if what is None:
        copies.clear_stages(repo.layout)
        return False
    copies.clear_stages(repo.layout)
    operation = _begun(repo, what)
    head = repo.refs.head_commit()
    if what.removed and what.removed in repo.snapshot(head).sources:
        copies.end(repo.layout)
        return False
    if what.moves and operation is None:
        copies.end(repo.layout)
        return False
    known = copies.load(repo.layout)
    for one in what.changes:
        source = _source(one)
        recorded = known.get(source) == one.new and one.new is not None and not one.new.absent
        if recorded and one.old != one.new:  # of the same record, only its files tell
            continue
        clean = one.old is not None and _was_clean(repo, one.old)
        mode = Mode(keep=True, agreed=what.agreed.get(source, {}))
        made = plan(repo, one.old, one.new, clean=clean, mode=mode)
        _finish(repo, [made], [one])
    if what.policy is not None:
        _finish(repo, [], [], what.policy)
    _compare_with(repo, what.records)
    if operation is not None and copies.recall(repo.layout, operation.id) is None:
        _remember(repo, operation, what.changes)
    copies.end(repo.layout)
    return True


def _begun(repo: "Repository", what: Pending) -> Operation | None:
    """Return the operation of what is pending, if it moved its refs (they may have moved on)."""
    with oplog.locked(repo.layout) as log:
        for operation in reversed(log.operations()):
            if operation.time < what.time - SAME_TIME:
                break
            if operation.moves == what.moves and operation.command == what.command:
                return operation
    return None
