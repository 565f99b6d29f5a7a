"""
Changes of working copies put aside: each time a commit under `refs/dvcs/stash/`, on no branch.

    refs/dvcs/stash/1, 2, ...       the highest is the newest, which people call 0

Such a commit is what `commit` would have made; its parent is HEAD at that time. To take it up
again, what it changed is made on the version that each copy was written from
(`merges/grafting.py`), and the files are written so; their records name that version again at the
end of the rewrite, which whoever finds it unfinished finishes, so it is a change. The ref goes
last: whoever is killed in between has the changes twice, never not at all.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from dvcs.errors import ConflictError, RepositoryError, UsageError
from dvcs.merge import Options
from dvcs.objects.gitobjects import Commit
from dvcs.repository import locks, oplog
from dvcs.repository.merges import underway
from dvcs.repository.merges.grafting import graft, refuse_open
from dvcs.repository.merges.plan import Plan
from dvcs.repository.merges.underway import Merging, Place
from dvcs.repository.message import parse
from dvcs.repository.oplog import Move, Operation
from dvcs.repository.working import copies
from dvcs.repository.working.carrying import carry_out, finish_pending, rewrite_now
from dvcs.repository.working.copies import Copy, CopyChange
from dvcs.repository.working.examining import Examined, clean_copies, examine
from dvcs.repository.working.recording import recorded_as

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
        if known_as is not None and _same(repo, oid, known_as):
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


class Popped(NamedTuple):
    """What became of a pop: the stash, and the conflicts that it waits for (then it is kept)."""

    stash: Stash
    places: tuple[Place, ...] = ()


def _same(repo: "Repository", oid: bytes, other: bytes) -> bool:
    """Tell whether two stashes change the same versions to the same."""
    one, two = repo.store.commit(oid), repo.store.commit(other)
    return (one.tree, one.parents) == (two.tree, two.parents)


def pop(repo: "Repository", number: int = 0) -> Popped:
    """
    Make what was put aside again a change of the working copies, and forget it.

    Where their version has changed in the same places, the pop is under way until these are
    decided; files stay as they are. Raises UsageError where there is none of that number;
    DirtyWorkingCopy where a copy concerned has changes; RepositoryError where a source has no
    working copy, or something is under way. Then nothing has changed, and it stays.
    """
    with copies.locked(repo):
        finish_pending(repo)
        underway.settle(repo)
        underway.refuse_second(repo)
        found = get(repo, number)
        merging = Merging(
            operation="stash pop",
            ours=repo.resolve("HEAD").hex(),
            theirs=found.oid.hex(),
            revision=found.message.partition("\n")[0],
            branch=repo.refs.head_branch(),
            stash=found.ref,
        )
        return _pop(repo, found, merging)


def go_on(repo: "Repository") -> Popped:
    """
    Take up what the pop under way is about, if its conflicts are decided.

    Raises as `pop`, and RepositoryError where none is under way.
    """
    with copies.locked(repo):
        finish_pending(repo)
        underway.settle(repo)
        merging = underway.load(repo, "stash pop")
        found = next((one for one in stashes(repo) if one.oid.hex() == merging.theirs), None)
        if found is None:
            raise RepositoryError(
                "what was put aside is gone", hint="give it up with 'dvcs stash pop --abort'"
            )
        return _pop(repo, found, merging)


def abort(repo: "Repository") -> None:
    """Give up the pop under way: what was put aside stays. Raises RepositoryError."""
    underway.abort(repo, "stash pop")


def _pop(repo: "Repository", found: Stash, merging: Merging) -> Popped:
    plan = Plan(merging.options, merging.by_where())
    with locks.shared(repo.layout.writers):  # keeps gc away until the copies are written
        laid = _computed(repo, found.oid, "stash pop", plan)
        merging = merging.with_found(plan)
        if places := merging.open():
            underway.begin(repo, merging)
            return Popped(found, places)
        _write(repo, laid)
    ends = underway.refs_to(repo, None)
    if ends:
        underway.save(repo, merging)
    back = [Move(found.ref, found.oid.hex(), None), *ends]
    oplog.change(repo.layout, "stash pop", back, copies=_logged(laid.touched))
    return Popped(found)


def _logged(touched: Sequence[Copy]) -> dict[str, tuple[str | None, str | None]]:
    return {copy.source: (copy.commit, copy.commit) for copy in touched}


class _Laid(NamedTuple):
    """What a stash makes of working copies: those concerned, and what is to be written."""

    touched: list[Copy]
    changes: list[CopyChange]
    records: list[Copy]


def _computed(repo: "Repository", oid: bytes, doing: str, plan: Plan) -> _Laid:
    """Compute what a stash makes of the working copies; `plan` collects conflicts."""
    parents = repo.store.commit(oid).parents
    base, theirs = repo.snapshot(parents[0] if parents else None), repo.snapshot(oid)
    names = base.sources.keys() | theirs.sources.keys()
    touched = [
        _present(repo, one)
        for one in sorted(names)
        if base.sources.get(one) != theirs.sources.get(one)
    ]
    clean_copies(repo, touched, doing=f"'{doing}'")
    laid = _Laid(touched, [], [])
    for copy in touched:
        with repo.transaction(base=copy.base) as change:
            graft(change, base, theirs, plan, sources=(copy.source,))
            if change.sources == change.before.sources or plan.is_open:
                continue  # it is in there already, or is not to be written yet
            made = change.aside(doing, operation="stash")
        new = msgspec.structs.replace(copy, commit=made.hex(), written=True)
        laid.changes.append(CopyChange(copy, new))
        laid.records.append(msgspec.structs.replace(copy, written=True))
    return laid


def _write(repo: "Repository", laid: _Laid) -> None:
    """Make what a stash changed in the files of the working copies."""
    rewrite_now(repo, laid.changes, records=laid.records)


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

    For who holds the copies' lock. What was changed since a pop is put aside too, and so are the
    decisions that it took: there is nothing left to decide then. Raises as `push` and `pop`, and
    ConflictError where what comes back does not fit any more.
    """
    back = [one for one in back if one.name.startswith(STASHES)]
    (move,) = back
    if dry_run:
        return
    if move.new is None:
        assert move.old is not None  # noqa: S101 - a stash that was made
        plan = Plan(Options())
        with locks.shared(repo.layout.writers):  # keeps gc away until the copies are written
            laid = _computed(repo, bytes.fromhex(move.old), name, plan)
            refuse_open(plan, f"'{name}'")
            _write(repo, laid)
        oplog.change(repo.layout, name, back, copies=_logged(laid.touched), undoes=operation.id)
        return
    oid = bytes.fromhex(move.new)
    known = copies.load(repo.layout)
    changed = _changed(repo, [one for one in operation.copies if one in known])
    if changed:
        text = parse(repo.store.commit(oid).message).text
        _put_aside(repo, changed, move.name, text, name, undoes=operation, known_as=oid)
    else:
        oplog.change(repo.layout, name, back, undoes=operation.id)
