"""
Keeping the stores in good order without being asked: small packs are joined now and then, and what
killed processes left is removed.
"""

import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from dvcs.errors import CorruptObject, RepositoryError
from dvcs.objects._durable import TEMP_PREFIX, make_dirs
from dvcs.objects.packs import PACK_TEMP_PREFIXES
from dvcs.repository import locks

if TYPE_CHECKING:
    from dvcs.repository import Repository

MAX_PACKS = 50
"""As Git's `gc.autoPackLimit`."""
DAY = 86_400.0
KEEP_TRASH = 14.0
"""Days after which the trash is emptied."""
KEEP_JOINED = 1.0
"""Days for which packs are kept whose contents were verified in a new pack."""
JOINED = "-joined"
GITS_PAUSE = 600.0
"""Seconds in which Git, which knows nothing of our locks, may still bring a pack its index."""
WRITTEN = 600.0
"""
Seconds after which a small file is not being written any more. Records of working copies and of
what is under way are written without the lock that keeps upkeep away.
"""


def tidy(repo: "Repository") -> None:
    """
    Join small packs where there are many, and remove what killed processes left.

    Never waits: it is a no-op where another process does the same or collects garbage. Other
    writers may go on, as nothing that they saw in an old pack is lost by joining it. It never
    fails: what called it is done, and acknowledged.
    """
    with suppress(RepositoryError, OSError, KeyboardInterrupt):
        joinable, left = _is_due(repo), next(leftovers(repo), None)
        if joinable:
            with (
                locks.shared(repo.layout.writers, patience=0),
                locks.exclusive(repo.layout.upkeep, patience=0),
            ):
                join_packs(repo)
        if joinable or left:
            with locks.exclusive(repo.layout.writers, patience=0):
                remove_leftovers(repo)
                empty_trash(repo)


def _is_due(repo: "Repository") -> bool:
    return max(len(repo.store.packs()), len(repo.media.packs())) > MAX_PACKS


def join_packs(repo: "Repository") -> None:
    """Join small packs of objects and of media; who calls holds the lock `upkeep`."""
    from dvcs.objects.consolidate import consolidate

    trash = new_trash(repo, JOINED)
    with suppress(CorruptObject):  # nothing changed; `fsck` tells what is damaged
        consolidate(repo.store, max_packs=MAX_PACKS, trash=trash)
    with suppress(CorruptObject):
        repo.media.consolidate(more_than=MAX_PACKS)
    with suppress(OSError):  # where it was not needed
        trash.rmdir()


def new_trash(repo: "Repository", suffix: str = "") -> Path:
    """Make a folder in the trash, named for the time."""
    folder = repo.layout.trash / f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}{suffix}"
    make_dirs(folder)
    return folder


def old_trash(repo: "Repository", days: float = KEEP_TRASH) -> list[Path]:
    """
    Return what lies in the trash for longer than that, and joined packs after a day.

    A repository may have come from anywhere: where the trash is a link, its target is not ours.
    """
    trash = repo.layout.trash
    own = repo.layout.git.resolve() / trash.relative_to(repo.layout.git)
    if not trash.is_dir() or trash.resolve() != own:
        return []
    now = time.time()
    return [
        path
        for path in sorted(trash.iterdir())
        if path.lstat().st_mtime
        < now - DAY * (min(days, KEEP_JOINED) if path.name.endswith(JOINED) else days)
    ]


def empty_trash(repo: "Repository", days: float = KEEP_TRASH) -> None:
    """Remove what lies in the trash for longer than that."""
    for path in old_trash(repo, days):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def leftovers(repo: "Repository") -> Iterator[Path]:
    """
    Yield what killed processes left: unfinished files, and packs without an index.

    They are leftovers only where nobody writes: then they may be removed.
    """
    git = repo.layout.git
    state = repo.layout.state
    copies = repo.layout.copies
    for folder in (git, state, state / "merge", state / "leaks", copies, copies / "undo"):
        if folder.is_dir():
            yield from (path for path in folder.glob(f"{TEMP_PREFIX}*") if _is_left(path))
    if repo.media.root.is_dir():
        yield from repo.media.root.glob(f"{TEMP_PREFIX}*")
    for folder, pause in ((repo.store.pack_folder, GITS_PAUSE), (repo.media.packs_folder, 0.0)):
        if folder.is_dir():
            yield from _unfinished_packs(folder, pause)


def _is_left(path: Path) -> bool:
    with suppress(FileNotFoundError):
        return path.stat().st_mtime < time.time() - WRITTEN
    return False


def _unfinished_packs(folder: Path, pause: float) -> Iterator[Path]:
    now = time.time()
    names = {path.name for path in folder.iterdir()}
    ours = tuple(prefix + TEMP_PREFIX for prefix in PACK_TEMP_PREFIXES)
    for name in sorted(names):
        path = folder / name
        is_orphan = name.endswith(".pack") and f"{name[:-5]}.idx" not in names
        if name.startswith((*ours, TEMP_PREFIX)):
            yield path
        elif is_orphan or name.startswith(PACK_TEMP_PREFIXES):
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < now - (pause if is_orphan else DAY):
                    yield path


def remove_leftovers(repo: "Repository") -> int:
    """Remove what killed processes left; who calls holds the lock `writers` alone."""
    count = 0
    for path in list(leftovers(repo)):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        elif path.suffix == ".pack":
            path.replace(new_trash(repo) / path.name)
        else:
            path.unlink(missing_ok=True)
        count += 1
    return count
