"""
Taking back the last operation: refs go back to where they were, and so do working copies.

A checkout that is undone is rewritten from the commit before. A `commit` of a working copy that is
undone leaves its files as they are: what was recorded is a change again. Taking back that changes
were put aside lays them on the files again, and the other way round. Undoing an undo does the
operation again. Nothing is lost by either: the operation log holds both sides.
"""

from typing import TYPE_CHECKING

import msgspec

from dvcs.errors import RepositoryError
from dvcs.repository import oplog, stash
from dvcs.repository.oplog import Log, Move, Operation
from dvcs.repository.policies import policy_file
from dvcs.repository.policies.policy_file import PolicyChange
from dvcs.repository.refs import BISECT, REMOTES
from dvcs.repository.stash import STASHES
from dvcs.repository.working import copies
from dvcs.repository.working.carrying import carry_out, finish_pending
from dvcs.repository.working.copies import Copy, CopyChange, Remembered

if TYPE_CHECKING:
    from dvcs.repository import Repository


def undo(repo: "Repository", *, dry_run: bool = False) -> Operation:
    """
    Take back the last operation that moved a branch, a tag or HEAD, or rewrote a working copy.

    Returns what was taken back. Raises RepositoryError where there is nothing to undo, BranchMoved
    where a ref is no longer where the operation put it, DirtyWorkingCopy where changes that are in
    no commit would be lost; nothing has changed then.
    """
    with copies.locked(repo):
        finish_pending(repo)
        operation = _last(repo)
        back = [Move(move.name, move.new, move.old) for move in reversed(operation.moves)]
        if operation.copies and any(move.name.startswith(STASHES) for move in back):
            stash.take_back(repo, operation, back, _name(operation), dry_run=dry_run)
            return operation
        remembered = copies.recall(repo.layout, operation.id)
        if remembered is not None and not remembered.rewrote:
            _unrecord(repo, operation, back, remembered, dry_run=dry_run)
            return operation
        changes = _backwards(repo, remembered)
        carry_out(
            repo,
            _name(operation),
            back,
            changes,
            doing=f"undoing '{operation.command}'",
            dry_run=dry_run,
            undoes=operation.id,
        )
    return operation


def _name(operation: Operation) -> str:
    """Return what taking an operation back is called in the log."""
    if operation.undoes is not None and operation.command.startswith("undo "):
        return f"redo {operation.command.removeprefix('undo ')}"
    return f"undo {operation.command.removeprefix('redo ')}"


def _last(repo: "Repository") -> Operation:
    for operation in reversed(Log(repo.layout).operations()):
        own = [move for move in operation.moves if not move.name.startswith((REMOTES, BISECT))]
        if own or operation.copies:
            return operation
    raise RepositoryError("there is nothing to undo", hint="'dvcs log' shows what there is")


def _unrecord(
    repo: "Repository",
    operation: Operation,
    back: list[Move],
    remembered: Remembered,
    *,
    dry_run: bool,
) -> None:
    """Take back a commit of working copies, or do it again; their files are not touched."""
    known = copies.load(repo.layout)
    changes = []
    for one in remembered.changes:
        now = known.get((one.new or one.old).source)  # type: ignore[union-attr]
        if now is not None and one.new is not None and one.old is not None and _same(now, one.new):
            changes.append(CopyChange(now, one.old))
    if dry_run:
        return
    toml = _unrecorded(repo, remembered.policy)
    done = oplog.change(
        repo.layout,
        _name(operation),
        back,
        copies={
            one.old.source: (one.old.commit, one.new.commit)
            for one in changes
            if one.old is not None and one.new is not None
        },
        undoes=operation.id,
    )
    for one in changes:
        if one.new is not None:
            copies.save(repo.layout, one.new)
    if toml is not None:
        policy_file.settle(repo.layout, toml.new)
    what = Remembered(changes=tuple(changes), rewrote=False, policy=toml)
    copies.remember(repo.layout, done.id, what)


def _unrecorded(repo: "Repository", change: PolicyChange | None) -> PolicyChange | None:
    """Return what becomes of the base of `dvcs.toml`; nothing where it has gone its own way."""
    if change is None or policy_file.look(repo).base != change.new:
        return None
    return PolicyChange(change.new, change.old)


def _same(now: Copy, then: Copy) -> bool:
    return now.commit == then.commit and now.path == then.path and now.absent == then.absent


def _backwards(repo: "Repository", remembered: Remembered | None) -> list[CopyChange]:
    """Return what becomes of the working copies that an operation rewrote: as before it."""
    known = copies.load(repo.layout)
    changes: list[CopyChange] = []
    for one in remembered.changes if remembered is not None else ():
        now = known.get((one.new or one.old).source)  # type: ignore[union-attr]
        if (now is None) != (one.new is None) or (
            now is not None and one.new is not None and not _same(now, one.new)
        ):
            continue  # it has gone its own way since
        before = one.old
        if before is not None and not before.absent:
            before = msgspec.structs.replace(before, written=True)
        changes.append(CopyChange(now, before))
    return changes
