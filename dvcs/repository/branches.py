"""Branches and tags: made, renamed, moved, deleted; each is one operation that undo takes back."""

from typing import TYPE_CHECKING

from dvcs.errors import RepositoryError, UnknownName, UsageError
from dvcs.objects.gitobjects import Kind
from dvcs.repository import identity, locks
from dvcs.repository.history import is_ancestor
from dvcs.repository.oplog import HEAD, Move, change
from dvcs.repository.policies import policy
from dvcs.repository.refs import HEADS, TAGS, check_name

if TYPE_CHECKING:
    from dvcs.repository import Repository


def create_branch(repo: "Repository", name: str, at: bytes, *, force: bool = False) -> None:
    """
    Make a branch, or with `force` move one that is there.

    Raises UsageError for a name that Git refuses and for the current branch, RepositoryError where
    the name is taken, PolicyViolation where a protected branch would move.
    """
    check_name(name)
    old = repo.refs.read(HEADS + name)
    if old is not None and not force:
        raise RepositoryError(
            f"there is a branch '{name}' already", hint="choose another name, or move it with -f"
        )
    if name == repo.refs.head_branch():
        raise UsageError(f"'{name}' is the current branch", hint="move it with 'dvcs reset'")
    check_free(repo, HEADS, name)
    if old != at:
        policy.check_move(repo, name, "that another branch takes its name")
        change(repo.layout, f"branch {name}", [_move(HEADS + name, old, at)])


def rename_branch(repo: "Repository", old: str, new: str, *, force: bool = False) -> None:
    """Rename a branch; the current one stays the current one. Raises as `create_branch`."""
    check_name(new)
    if old == new:
        return
    current = repo.refs.head_branch() == old
    oid, taken = repo.refs.read(HEADS + old), repo.refs.read(HEADS + new)
    if oid is None and not current:
        raise UnknownName("branch", old, repo.branches())
    if taken is not None and not force:
        raise RepositoryError(
            f"there is a branch '{new}' already", hint="choose another name, or replace it with -f"
        )
    check_free(repo, HEADS, new, without=old)
    policy.check_move(repo, old, "another name for it")
    policy.check_move(repo, new, "that another branch takes its name")
    moves = []
    if oid is not None:
        moves = [_move(HEADS + old, oid, None), _move(HEADS + new, taken, oid)]
    if current:
        moves.append(Move(HEAD, f"ref: {HEADS}{old}", f"ref: {HEADS}{new}"))
    change(repo.layout, f"branch -m {old} {new}", moves)


def delete_branch(repo: "Repository", name: str, *, force: bool = False) -> bytes:
    """
    Delete a branch; return the commit it was at.

    Raises UnknownName, UsageError for the current branch, and without `force` RepositoryError where
    no other branch or tag holds its commits; PolicyViolation for a protected one.
    """
    oid = repo.refs.read(HEADS + name)
    if oid is None:
        raise UnknownName("branch", name, repo.branches())
    if name == repo.refs.head_branch():
        raise UsageError(
            f"'{name}' is the current branch", hint="go to another one with 'dvcs checkout' first"
        )
    if not force and not _is_held(repo, name, oid):
        raise RepositoryError(
            f"branch '{name}' has commits that are in no other branch",
            hint="merge it, or delete it anyway with -D",
        )
    policy.check_move(repo, name, "its removal")
    change(repo.layout, f"branch -d {name}", [_move(HEADS + name, oid, None)])
    return oid


def _is_held(repo: "Repository", name: str, oid: bytes) -> bool:
    head = repo.refs.head_commit()
    others = {tip for other, tip in repo.branches().items() if other != name}
    tips = [*([head] if head else []), *others]
    return any(is_ancestor(repo.store, oid, tip) for tip in tips)


def tags(repo: "Repository") -> dict[str, bytes]:
    """Return the tags by name: commits, or tag objects of annotated ones."""
    return {name.removeprefix(TAGS): oid for name, oid in repo.refs.all(TAGS).items()}


def create_tag(
    repo: "Repository", name: str, at: bytes, *, message: str | None = None, force: bool = False
) -> None:
    """
    Make a tag at a commit; with a message, an annotated one, as Git makes them.

    Raises UsageError for a name that Git refuses, RepositoryError where it is taken.
    """
    check_name(name, "tag")
    old = repo.refs.read(TAGS + name)
    if old is not None and not force:
        raise RepositoryError(
            f"there is a tag '{name}' already", hint="choose another name, or replace it with -f"
        )
    check_free(repo, TAGS, name)
    with locks.shared(repo.layout.writers):
        new = at if message is None else _tag_object(repo, name, at, message)
        if old != new:
            change(repo.layout, f"tag {name}", [_move(TAGS + name, old, new)])


def delete_tag(repo: "Repository", name: str) -> bytes:
    """Delete a tag; return what it was at. Raises UnknownName."""
    oid = repo.refs.read(TAGS + name)
    if oid is None:
        raise UnknownName("tag", name, tags(repo))
    change(repo.layout, f"tag -d {name}", [_move(TAGS + name, oid, None)])
    return oid


def tag_message(repo: "Repository", oid: bytes) -> str | None:
    """Return what an annotated tag says, None for a commit."""
    kind, data = repo.store.read(oid)
    if kind is not Kind.TAG:
        return None
    return data.partition(b"\n\n")[2].decode(errors="replace").strip("\n")


def _tag_object(repo: "Repository", name: str, at: bytes, message: str) -> bytes:
    from dulwich.objects import Commit, Tag

    text = message.strip()
    if not text or "\0" in text:
        raise UsageError("the tag's message is empty", hint="give one with -m, or leave out -m")
    author = identity.author(repo.layout)
    tag = Tag()
    tag.object = (Commit, at.hex().encode())
    tag.name = name.encode()
    tag.tagger = f"{author.name} <{author.email}>".encode()
    tag.tag_time, tag.tag_timezone = author.time, author.zone * 60
    tag.message = text.encode() + b"\n"
    with repo.store.writer() as writer:
        oid = writer.object(Kind.TAG, tag.as_raw_string())
        writer.publish()
    return oid


def check_free(repo: "Repository", prefix: str, name: str, without: str = "") -> None:
    """Refuse a name below another one: Git keeps `a` as a file, `a/b` as one in a folder `a`."""
    for full in repo.refs.all(prefix):
        other = full.removeprefix(prefix)
        if other != without and (other.startswith(f"{name}/") or name.startswith(f"{other}/")):
            raise RepositoryError(
                f"'{name}' and '{other}' cannot both be there", hint="choose another name"
            )


def _move(name: str, old: bytes | None, new: bytes | None) -> Move:
    return Move(name, old.hex() if old else None, new.hex() if new else None)
