"""
Changes of working copies put aside: each time a commit under `refs/dvcs/stash/`, on no branch.

    refs/dvcs/stash/1, 2, ...       the highest is the newest, which people call 0

Such a commit is what `commit` would have made; its parent is HEAD at that time. To take it up
again, what it changed is made on the version that each copy was written from (`grafting.py`), and
the files are written so; their records still name that version, so it is a change again. The ref
goes last: whoever is killed in between has the changes twice, never not at all.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from dvcs.errors import ConflictError, RepositoryError, UsageError
from dvcs.objects.gitobjects import Commit
from dvcs.repository import copies, locks, oplog
from dvcs.repository.carrying import carry_out, finish_pending, rewrite_now
from dvcs.repository.copies import Copy, CopyChange
from dvcs.repository.examining import Examined, clean_copies, examine
from dvcs.repository.grafting import graft
from dvcs.repository.message import parse
from dvcs.repository.oplog import Move, Operation
from dvcs.repository.placing import rebased_stamp
from dvcs.repository.recording import recorded_as

if TYPE_CHECKING:
    from dvcs.repository import Repository

STASHES = "refs/dvcs/stash/"


class Stash(NamedTuple):
    """Changes put aside; `number` counts from the newest, 0."""

    number: int
    ref: str
    oid: bytes
    commit: Commit

    @property
    def message(self) -> str:
        """What was said of them."""
        return parse(self.commit.message).text


def stashes(repo: "Repository") -> list[Stash]:
    """Return what was put aside, the newest first."""
    found = [(ref, oid) for ref, oid in repo.refs.all(STASHES).items() if _number(ref)]
    found.sort(key=lambda one: -_number(one[0]))
    return [Stash(n, ref, oid, repo.store.commit(oid)) for n, (ref, oid) in enumerate(found)]


def _number(ref: str) -> int:
    text = ref.removeprefix(STASHES)
    return int(text) if text.isdecimal() else 0


def get(repo: "Repository", number: int = 0) -> Stash:
    """Return one of them. Raises UsageError where there is none of that number."""
    found = stashes(repo)
    if number >= len(found):
        what = f"there is no stash {number}" if found else "nothing was put aside"
        raise UsageError(what, hint="'dvcs stash list' shows what there is")
    return found[number]


def push(
    repo: "Repository", sources: Sequence[str] | None = None, *, message: str | None = None
) -> Stash | None:
    """
    Put the changes of working copies (of these sources) aside; the copies become clean.

    Returns None where nothing was changed. Copies that are in no commit yet are left alone. Raises
    UsageError for a source without a working copy, ConflictError for edits that cannot be brought
    back, BranchMoved where HEAD has another version of a source and both changed the same.
    """
    with copies.locked(repo):
        finish_pending(repo)
        changed = _changed(repo, sources)
        if not changed:
            return None
        existing = stashes(repo)
        ref = f"{STASHES}{_number(existing[0].ref) + 1 if existing else 1}"
        _put_aside(repo, changed, ref, _text(repo, message), "stash push")
    return get(repo)


def _changed(repo: "Repository", sources: Sequence[str] | None) -> list[Examined]:
    known = copies.load(repo.layout).values()
    chosen = known if sources is None else [copies.get(repo, one) for one in dict.fromkeys(sources)]
    found = [examine(repo, copy) for copy in chosen]
    return [one for one in found if one.state == "changed"]


def _text(repo: "Repository", message: str | None) -> str:
    branch = repo.refs.head_branch() or "no branch"
    if message:
        return f"On {branch}: {message}"
    head = repo.resolve("HEAD")
    subject = parse(repo.store.commit(head).message).subject
    return f"Changes on {branch}: {head.hex()[:10]} {subject}"


def _put_aside(
    repo: "Repository",
    changed: Sequence[Examined],
    ref: str,
    message: str,
    command: str,
    *,
    undoes: Operation | None = None,
    known_as: bytes | None = None,
) -> None:
    """
    Make the commit, let a ref hold it, and have the copies as they were written.

    `known_as` is a commit that is taken instead where it holds the same.
    """
    for one in changed:
        if one.difference is not None:
            try:
                one.difference.refuse_conflicts()
            except ConflictError as error:
                raise ConflictError(
                    str(error), hint="take these edits back, or decide with 'dvcs commit'"
                ) from None
    with repo.transaction() as change:
        for one in changed:
            recorded_as(repo, change, one, partial=False)
        names = [one.copy.source for one in changed]
        oid = change.aside(message, operation="stash", arguments={"sources": names})
        if known_as is not None and repo.tree_of(oid) == repo.tree_of(known_as):
            oid = known_as
        carry_out(
            repo,
            command,
            [Move(ref, None, oid.hex())],
            [
                CopyChange(one.copy, msgspec.structs.replace(one.copy, written=True))
                for one in changed
            ],
            force=True,
            doing=command,
            undoes=None if undoes is None else undoes.id,
        )


def pop(repo: "Repository", number: int = 0) -> Stash:
    """
    Make what was put aside again a change of the working copies, and forget it.

    Raises UsageError where there is none of that number; DirtyWorkingCopy where a copy concerned
    has changes; RepositoryError where a source has no working copy; ConflictError where its version
    has changed in the same places. Then nothing has changed, and it stays.
    """
    with copies.locked(repo):
        finish_pending(repo)
        found = get(repo, number)
        back = [Move(found.ref, found.oid.hex(), None)]
        touched = _lay(repo, found.oid, "stash pop")
        oplog.change(repo.layout, "stash pop", back, copies=_logged(touched))
    return found


def _logged(touched: Sequence[Copy]) -> dict[str, tuple[str | None, str | None]]:
    return {copy.source: (copy.commit, copy.commit) for copy in touched}


def _lay(repo: "Repository", oid: bytes, doing: str) -> list[Copy]:
    """Make what a stash changed in the files of the working copies; return these."""
    parents = repo.store.commit(oid).parents
    base, theirs = repo.snapshot(parents[0] if parents else None), repo.snapshot(oid)
    names = base.sources.keys() | theirs.sources.keys()
    touched = [
        _present(repo, one)
        for one in sorted(names)
        if base.sources.get(one) != theirs.sources.get(one)
    ]
    clean_copies(repo, touched, doing=f"'{doing}'")
    changes: list[CopyChange] = []
    records: list[Copy] = []
    with locks.shared(repo.layout.writers):  # keeps gc away until the copies are written
        for copy in touched:
            home = _home(repo, copy)
            with repo.transaction(base=home.base) as change:
                graft(change, base, theirs, sources=(copy.source,), doing=f"'{doing}'")
                if change.sources == change.before.sources:
                    continue  # it is in there already
                made = change.aside(doing, operation="stash")
            new = msgspec.structs.replace(copy, commit=made.hex(), written=True)
            changes.append(CopyChange(copy, new))
            records.append(msgspec.structs.replace(home, written=True))
        rewrite_now(repo, changes)
    for record in records:
        copies.save(repo.layout, record)
        rebased_stamp(repo, record)
    return touched


def _home(repo: "Repository", copy: Copy) -> Copy:
    """Return the record of a copy, without what a pop that was killed at the end left in it."""
    commit = None if copy.base is None else repo.store.commit(copy.base)
    if commit is None or parse(commit.message).operation != "stash" or not commit.parents:
        return copy
    return msgspec.structs.replace(copy, commit=commit.parents[0].hex())


def _present(repo: "Repository", source: str) -> Copy:
    copy = copies.load(repo.layout).get(source)
    if copy is None or copy.absent or copy.commit is None:
        raise RepositoryError(
            f"'{source}' has no working copy here to take up the changes",
            hint=f"make one with 'dvcs checkout {source}', or go to a branch that has the source",
        )
    return copy


def drop(repo: "Repository", number: int = 0) -> Stash:
    """Forget what was put aside. Raises UsageError where there is none of that number."""
    found = get(repo, number)
    oplog.change(repo.layout, "stash drop", [Move(found.ref, found.oid.hex(), None)])
    return found


def take_back(
    repo: "Repository", operation: Operation, back: Sequence[Move], name: str, *, dry_run: bool
) -> None:
    """
    Undo a push (the changes come back to the files) or a pop (they are put aside again).

    For who holds the copies' lock. What was changed since a pop is put aside too. Raises as `push`
    and `pop`.
    """
    (move,) = back
    if dry_run:
        return
    if move.new is None:
        assert move.old is not None  # noqa: S101 - a stash that was made
        touched = _lay(repo, bytes.fromhex(move.old), name)
        oplog.change(repo.layout, name, back, copies=_logged(touched), undoes=operation.id)
        return
    oid = bytes.fromhex(move.new)
    known = copies.load(repo.layout)
    changed = _changed(repo, [one for one in operation.copies if one in known])
    if changed:
        text = parse(repo.store.commit(oid).message).text
        _put_aside(repo, changed, move.name, text, name, undoes=operation, known_as=oid)
    else:
        oplog.change(repo.layout, name, back, undoes=operation.id)
