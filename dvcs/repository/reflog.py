"""
Where a branch, a tag or HEAD has been: what `NAME@{0}`, `NAME@{1}`, ... stand for, and why.

It is read from the operation log. What plain Git moved shows as a value without an operation.
"""

from typing import TYPE_CHECKING, NamedTuple

from dvcs.errors import UnknownName
from dvcs.repository.oplog import HEAD, SYMBOLIC, Log, Operation
from dvcs.repository.refs import HEADS, REMOTES, TAGS

if TYPE_CHECKING:
    from dvcs.repository import Repository


class Past(NamedTuple):
    """Where something was: a commit (None: it was not there), and the operation that put it."""

    commit: bytes | None
    operation: Operation | None


def reflog(repo: "Repository", name: str = HEAD) -> list[Past]:
    """
    Return where a ref was, newest first; position n is what the revision `NAME@{n}` means.

    `name` is HEAD, a branch, or a ref's full name. Raises UnknownName where there is no such branch
    and never was.
    """
    log = Log(repo.layout)
    if name in (HEAD, "@"):
        return _with_now(_of_head(repo, log), repo.refs.head_commit())
    full = name if name.startswith("refs/") else HEADS + name
    found = _of_ref(log, full)
    now = repo.refs.read(full)
    if now is None and not found:
        raise UnknownName("branch", name, _known(repo, log))
    return _with_now(found, now)


def _known(repo: "Repository", log: Log) -> list[str]:
    moved = {move.name for one in log.operations() for move in one.moves}
    return sorted(
        one.removeprefix(HEADS)
        for one in {*repo.refs.all(HEADS), *moved}
        if one.startswith(HEADS) and not one.startswith((REMOTES, TAGS))
    )


def _with_now(found: list[Past], now: bytes | None) -> list[Past]:
    if now is not None and (not found or found[0].commit != now):
        found.insert(0, Past(now, None))
    return found


def _of_ref(log: Log, full: str) -> list[Past]:
    found: list[Past] = []
    old: str | None = None
    for operation in log.operations():
        for move in operation.moves:
            if move.name != full:
                continue
            if not found or old != move.old:  # its beginning, or Git moved it in between
                found.append(Past(_oid(move.old), None))
            found.append(Past(_oid(move.new), operation))
            old = move.new
    return found[::-1]


def _of_head(repo: "Repository", log: Log) -> list[Past]:
    """Replay where HEAD was, by its own moves and those of the branch that it was on."""
    operations = log.operations()
    moves = [move for operation in operations for move in operation.moves]
    now = repo.refs.head()
    here = SYMBOLIC + now if isinstance(now, str) else now.hex()
    head = next((move.old for move in moves if move.name == HEAD), here) or here
    at: dict[str, str | None] = {}
    for move in moves:
        at.setdefault(move.name, move.old)

    def value() -> bytes | None:
        if not head.startswith(SYMBOLIC):
            return _oid(head)
        name = head.removeprefix(SYMBOLIC)
        return _oid(at[name]) if name in at else repo.refs.read(name)

    found = [Past(value(), None)]
    for operation in operations:
        for move in operation.moves:
            at[move.name] = move.new
        head = at.get(HEAD) or head
        if found[-1].commit != value():
            found.append(Past(value(), operation))
    return found[::-1]


def _oid(value: str | None) -> bytes | None:
    return None if value is None else bytes.fromhex(value)
