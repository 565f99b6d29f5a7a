"""
Revision expressions, as Git writes them: what they mean here.

    main  v1.0  HEAD  origin/main       a branch, a tag, where we are, a remote's branch
    3f2a91c                             the beginning of a commit's id, 4 digits or more
    main~2  main^  main^2               ancestors: the second before, the first or second parent
    main@{1}                            where main was one move ago
    main:source                         one source of it
    v1.0-2-g3f2a91c                     what 'dvcs describe' wrote
"""

import re
from typing import TYPE_CHECKING, NamedTuple

from dvcs.errors import RepositoryError, RevisionNotFound
from dvcs.objects.gitobjects import Kind
from dvcs.repository.oplog import Log
from dvcs.repository.refs import HEADS, REMOTES, TAGS

if TYPE_CHECKING:
    from dvcs.repository import Repository

PREFIX = re.compile(r"[0-9a-f]{4,40}\Z", re.IGNORECASE)
STEP = re.compile(r"\^\{(?:commit)?\}|\^([0-9]{0,9})|~([0-9]{0,9})|@\{([0-9]{1,9})\}")
DESCRIBED = re.compile(r".+-[0-9]+-g([0-9a-f]{4,40})\Z")
TARGET = re.compile(rb"object ([0-9a-f]{40})\n")
LONGEST_CHAIN = 10_000


class Revision(NamedTuple):
    """A commit, and the source of it that was named, if one was."""

    oid: bytes
    source: str | None


def parse(repo: "Repository", expression: str) -> Revision:
    """Return the commit (and source) that an expression names. Raises RevisionNotFound."""
    text, colon, source = expression.partition(":")
    oid = resolve(repo, text or "HEAD")
    if colon and not source:
        raise RevisionNotFound(f"'{expression}' names no source", hint="write REV:SOURCE")
    if source:
        sources = repo.snapshot(oid).sources
        if source not in sources:
            raise RevisionNotFound(
                f"{oid.hex()[:10]} has no source '{source}'",
                hint=f"its sources: {', '.join(sources) or 'none'}",
            )
    return Revision(oid, source or None)


def resolve(repo: "Repository", expression: str) -> bytes:
    """Return the commit that an expression without a source names. Raises RevisionNotFound."""
    match = STEP.search(expression)
    name = expression[: match.start()] if match else expression
    position = len(name)
    if match and match[3] is not None:
        oid = _past(repo, name, int(match[3]))
        position = match.end()
    else:
        oid = _named(repo, name or "HEAD")
    while position < len(expression):
        step = STEP.match(expression, position)
        if step is None or step[3] is not None:
            raise RevisionNotFound(
                f"'{expression}' is not a revision", hint="see 'dvcs help revisions'"
            )
        oid = _stepped(repo, oid, step, expression)
        position = step.end()
    return oid


def _named(repo: "Repository", name: str) -> bytes:
    refs = repo.refs
    if name in ("HEAD", "@"):
        oid = refs.head_commit()
        if oid is None:
            raise RevisionNotFound(
                f"branch '{refs.head_branch()}' has no commit yet",
                hint="make one with 'dvcs import' or 'dvcs add' and 'dvcs commit'",
            )
        return oid
    candidates = [name] if name.startswith("refs/") else []
    candidates += [TAGS + name, HEADS + name, REMOTES + name, f"{REMOTES}{name}/HEAD"]
    found = next((oid for one in candidates if (oid := refs.read(one)) is not None), None)
    if found is None and PREFIX.match(name):
        found = _by_prefix(repo, name.lower())
    if found is None and (described := DESCRIBED.match(name)):
        found = _by_prefix(repo, described[1])
    if found is None:
        raise RevisionNotFound(
            f"no branch, tag or commit is called '{name}'", hint=_suggest(repo, name)
        )
    return peel(repo, found)


def peel(repo: "Repository", oid: bytes) -> bytes:
    """Return the commit that a tag object points at, a commit as it is."""
    for _ in range(LONGEST_CHAIN):
        kind, data = repo.store.read(oid)
        if kind is Kind.COMMIT:
            return oid
        target = TARGET.match(data) if kind is Kind.TAG else None
        if target is None:
            break
        oid = bytes.fromhex(target[1].decode())
    raise RevisionNotFound(f"{oid.hex()[:10]} is not a commit")


def _by_prefix(repo: "Repository", prefix: str) -> bytes | None:
    if not repo.store.starting_with(prefix):
        repo.store.refresh()  # another process may have made it
    found = [
        oid
        for oid in repo.store.starting_with(prefix)
        if repo.store.read(oid)[0] in (Kind.COMMIT, Kind.TAG)
    ]
    if len(found) > 1:
        raise RevisionNotFound(
            f"'{prefix}' could be any of {len(found)} commits", hint="give more digits"
        )
    return found[0] if found else None


def _past(repo: "Repository", name: str, count: int) -> bytes:
    """Return where a branch (or HEAD) was, `count` moves ago."""
    refs, log = repo.refs, Log(repo.layout)
    branch = refs.head_branch()
    if name in ("HEAD", "@") or (not name and branch is None):
        values, now = log.head_values(), refs.head_commit()
    else:
        full = name if name.startswith("refs/") else HEADS + (name or branch or "")
        values, now = log.values(full), refs.read(full)
    newest = now.hex() if now else None
    if newest is not None and values[:1] != [newest]:
        values.insert(0, newest)  # Git moved it last
    if count >= len(values) or values[count] is None:
        moved = sum(value is not None for value in values[1:])
        raise RevisionNotFound(
            f"'{name or branch or 'HEAD'}' has moved only {moved} times", hint="see 'dvcs reflog'"
        )
    return bytes.fromhex(values[count] or "")


def _stepped(repo: "Repository", oid: bytes, step: "re.Match[str]", expression: str) -> bytes:
    if step[2] is not None:
        for _ in range(int(step[2] or 1)):
            oid = _parent(repo, oid, 1, expression)
        return oid
    if step[1] is None or step[1] == "0":
        return oid
    return _parent(repo, oid, int(step[1] or 1), expression)


def _parent(repo: "Repository", oid: bytes, number: int, expression: str) -> bytes:
    parents = repo.store.commit(oid).parents
    if number > len(parents):
        what = "is the first commit" if not parents else f"has {len(parents)} parents"
        raise RevisionNotFound(f"'{expression}' goes too far: {oid.hex()[:10]} {what}")
    return parents[number - 1]


def _suggest(repo: "Repository", name: str) -> str:
    from difflib import get_close_matches

    known = [one.removeprefix(HEADS).removeprefix(TAGS) for one in repo.refs.all()]
    near = get_close_matches(name, known, n=1)
    if near:
        return f"did you mean '{near[0]}'?"
    return f"branches and tags: {', '.join(known[:10]) or 'none yet'}"


def split_range(expression: str) -> tuple[str, str, bool] | None:
    """Return the ends of `a..b` or `a...b` and whether it has three dots, else None."""
    if expression.startswith(("./", "../", "/")):
        return None
    for dots in ("...", ".."):
        left, found, right = expression.partition(dots)
        if found:
            if ".." in right or right.startswith("."):
                raise RepositoryError(f"'{expression}' is not a range of revisions")
            return left or "HEAD", right or "HEAD", dots == "..."
    return None
