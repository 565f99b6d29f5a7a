"""
Links in `.dvcs`: refused, for whoever sent a repository would decide where dvcs reads and writes.

    .dvcs/state/copies -> /home/me       stages would be written, and removed, there
    .dvcs/state/lock -> ../../.bashrc    a lock is emptied by who holds it

dvcs makes none in its own folder. What Git may have there and dvcs never goes through (`hooks`,
say) is not looked at, nor are the hooks' own files: those are bound to what they hold.
"""

import os
from contextlib import suppress
from pathlib import Path

from dvcs.errors import RepositoryError
from dvcs.files.folders import is_link
from dvcs.repository.locks import told

TOP = frozenset({"HEAD", "config", "packed-refs", "objects", "refs", "media", "state"})
"""What dvcs uses of `.dvcs` itself."""
INNER = ("state", "state/copies", "objects", "objects/pack", "media", "media/packs", "refs")
"""Folders in which nothing may be a link; about 600 names at most, which take 0.3 ms."""

LARGE = frozenset({".dvcs", "media", "objects"})
"""What somebody may want to have on another disk."""


def refuse(git: Path) -> None:
    """Raise RepositoryError where `.dvcs`, or what dvcs reads and writes in it, is a link."""
    if is_link(git):
        raise _error(git)
    for folder in ("", *INNER):
        # What may be entered and not listed is an error too: links would not be seen in it.
        with told(git / folder), suppress(FileNotFoundError, NotADirectoryError):
            with os.scandir(git / folder) as entries:
                names = [one.name for one in entries if is_link(one)]
            for name in names:
                if folder or name in TOP:
                    raise _error(git / folder / name)


def refuse_between(git: Path, path: Path) -> None:
    """Raise RepositoryError where a folder on the way from `.dvcs` to a file in it is a link."""
    for folder in path.parents:
        if folder == git:
            return
        if is_link(folder):
            raise _error(folder)


def _error(path: Path) -> RepositoryError:
    hint = "whoever made it may lead dvcs anywhere; put there what it leads to, or remove it"
    if path.name in LARGE:
        hint = (
            "put there what it leads to; for a larger disk, move the whole working folder to it and"
            " make that a link, or mount the disk at this place (mount --bind)"
        )
    return RepositoryError(
        f"'{path}' is a link, and dvcs follows none in its own folder", hint=hint
    )
