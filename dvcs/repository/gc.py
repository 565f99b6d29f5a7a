"""
Removing what nothing needs any more.

Roots are all refs, HEAD, what working copies were made from, and where refs were in the last 30
days (so that `undo` works). It refuses on a damaged repository, for there it cannot know what is
needed. New packs are durable and verified before the old ones move to the trash; the trash is
emptied after two weeks. Alone with the repository: it waits for writers and keeps them out.
"""

import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from dvcs.errors import RepositoryError
from dvcs.objects.prune import prune
from dvcs.repository import absent, locks, oplog, upkeep
from dvcs.repository.reachability import Reachable, past_roots, roots

if TYPE_CHECKING:
    from dvcs.repository import Repository

KEEP_OPERATIONS = 30.0
"""Days for which what an operation replaced is kept."""
KEEP_TRASH = upkeep.KEEP_TRASH
"""Days after which the trash is emptied."""


class Collected(NamedTuple):
    """What gc removed, or would remove."""

    objects: int
    media: int
    media_bytes: int
    trash_bytes: int
    """Bytes in the trash that are old enough to go for good."""
    unneeded_media: tuple[str, ...]


def collect(
    repo: "Repository",
    *,
    dry_run: bool = True,
    keep_days: float = KEEP_OPERATIONS,
    trash_days: float = KEEP_TRASH,
) -> Collected:
    """
    Move unneeded objects and media to the trash, and empty what is old of it.

    Raises RepositoryError on a damaged repository; nothing was changed then. A read-only look with
    `dry_run`.
    """
    if dry_run:
        return _collect(repo, dry_run=True, keep_days=keep_days, trash_days=trash_days)
    with locks.exclusive(repo.layout.writers), oplog.locked(repo.layout):
        return _collect(repo, dry_run=False, keep_days=keep_days, trash_days=trash_days)


def _collect(
    repo: "Repository", *, dry_run: bool, keep_days: float, trash_days: float
) -> Collected:
    repo.store.refresh()
    repo.media.refresh()
    if not dry_run:
        absent.settled(repo)
    needed = _needed(repo, time.time() - keep_days * upkeep.DAY)
    objects = sum(1 for oid in repo.store if oid not in needed.objects)
    media = sorted(sha256 for sha256 in repo.media if sha256 not in needed.named_media)
    size = sum(repo.media.size(sha256) for sha256 in media)
    freed = sum(_size(path) for path in upkeep.old_trash(repo, trash_days))
    if not dry_run:
        upkeep.remove_leftovers(repo)
        if objects or media:
            trash = upkeep.new_trash(repo)
            if objects:
                prune(repo.store, needed.objects, trash)
            if media:
                repo.media.remove(media, trash)
        upkeep.empty_trash(repo, trash_days)
    return Collected(objects, len(media), size, freed, tuple(media))


def _needed(repo: "Repository", since: float) -> Reachable:
    reachable = Reachable(repo)
    for oid in roots(repo).values():
        reachable.add(oid)
    for oid in past_roots(repo, since):
        if oid in repo.store:
            reachable.add(oid)
    first = next((one.message for one in reachable.troubles if one.is_error), None)
    for name, reason in repo.media.unreadable.items():
        first = first or f"media pack '{name}': {reason}"
    never = absent.known(repo.layout)
    for sha256 in sorted(reachable.media):
        is_lost = sha256 not in repo.media and sha256 not in never
        if first is None and is_lost and repo.layout.media.exists():
            first = f"media file {sha256} is missing"
    if first is not None:
        raise RepositoryError(
            f"the repository is damaged, so nothing is removed: {first}",
            hint="see 'dvcs fsck'",
        )
    return reachable


def _size(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(one.stat().st_size for one in path.rglob("*") if one.is_file())
