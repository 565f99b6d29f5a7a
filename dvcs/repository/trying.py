"""
Dry runs on a disk that cannot be written: what they make on the way goes to a temporary folder.

    with trying(repo):
        merging.merge(repo, Request(revision="topic", dry_run=True))

A dry run computes what would be done: it makes objects, lays out files of working copies, and
takes the locks that keep others from changing what it reads. Where the repository can be written,
all that is as always. Where it cannot, new objects, media and files lie in a temporary folder, and
locks are shared ones of files that are there, opened for reading: nobody is kept waiting by them,
and who can write there (another user) is kept from removing what is read.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from dvcs.repository import locks

if TYPE_CHECKING:
    from dvcs.repository import Repository


@contextmanager
def trying(repo: "Repository", *, dry_run: bool = True) -> Iterator[None]:
    """Let a dry run go on where the repository cannot be written; nothing else in the block may."""
    if not dry_run or repo.scratch is not None or is_writable(repo):
        yield
        return
    with (
        TemporaryDirectory(prefix="dvcs-", ignore_cleanup_errors=True) as name,
        locks.reading(repo.layout.git),
    ):
        _use(repo, Path(name))
        try:
            yield
        finally:
            repo.store.close()
            _use(repo, None)


def is_writable(repo: "Repository") -> bool:
    """
    Tell whether this user may write there, and the disk lets anybody.

    Another user's locks may be closed to this one though the folder is not.
    """
    layout = repo.layout
    if not os.access(layout.state if layout.state.is_dir() else layout.git, os.W_OK):
        return False
    taken = (layout.lock, layout.writers, layout.copies / "lock")
    return all(os.access(one, os.W_OK) for one in taken if one.exists())


def _use(repo: "Repository", folder: Path | None) -> None:
    repo.scratch = repo.media.scratch = folder
    repo.store.scratch = None if folder is None else folder / "packs"
    repo.store.refresh()
