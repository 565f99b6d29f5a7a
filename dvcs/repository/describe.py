"""
A revision by the nearest tag before it, as `git describe` writes it: `v1.0-2-g3f2a91c0de`.

Of the tags that a commit holds, the one is taken after which the fewest commits came; at the same
commit an annotated one before others.
"""

from typing import TYPE_CHECKING, NamedTuple

from dvcs.errors import RevisionNotFound
from dvcs.objects.gitobjects import Kind
from dvcs.repository.branches import tags
from dvcs.repository.history import ancestors, walk
from dvcs.repository.revisions import peel

if TYPE_CHECKING:
    from dvcs.repository import Repository

CANDIDATES = 10
"""Tags that are looked at closely: the newest ones of the history."""


class Described(NamedTuple):
    """A commit by a tag: `distance` commits are in it and not in the tag."""

    oid: bytes
    tag: str
    distance: int


def describe(repo: "Repository", oid: bytes) -> Described:
    """Return the nearest tag of a commit. Raises RevisionNotFound where there is none."""
    names = _tags(repo)
    best: Described | None = None
    looked_at = 0
    everything: set[bytes] | None = None
    for entry in walk(repo.store, [oid]):
        tag = names.get(entry.oid)
        if tag is None:
            continue
        if entry.oid == oid:
            return Described(oid, tag, 0)
        everything = everything or set(ancestors(repo.store, [oid]))
        distance = len(everything - set(ancestors(repo.store, [entry.oid])))
        if best is None or distance < best.distance:
            best = Described(oid, tag, distance)
        looked_at += 1
        if looked_at == CANDIDATES:
            break
    if best is None:
        raise RevisionNotFound(
            f"no tag is in the history of {oid.hex()[:10]}",
            hint="make one with 'dvcs tag NAME', or ask for the commit alone with --always",
        )
    return best


def _tags(repo: "Repository") -> dict[bytes, str]:
    """Return the tag of each tagged commit."""
    found: dict[bytes, tuple[bool, str]] = {}
    for name, oid in sorted(tags(repo).items(), reverse=True):
        commit = peel(repo, oid)
        annotated = repo.store.read(oid)[0] is Kind.TAG
        if commit not in found or annotated or not found[commit][0]:
            found[commit] = annotated, name
    return {commit: name for commit, (_, name) in found.items()}
