"""
The files below a folder: listed and read without following a link out of it.

A symbolic link to a file within the folder is followed, one that leads out of it is refused, and so
is one to a folder, which could lead in circles.
"""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

from dvcs.errors import FormatError

IGNORED_FOLDERS = frozenset({".dvcs", ".git", "__MACOSX", ".ipynb_checkpoints"})
"""Folders that no format sees."""
READ = 1 << 24
NOT_LINK = getattr(os, "O_NOFOLLOW", 0)
LINKED = frozenset({errno.ELOOP, errno.EMLINK, errno.ENOTDIR})
"""What systems say of a link that they were told not to follow."""


def read_file(path: str) -> bytes:
    """Return the bytes of a file that is no link."""
    descriptor = os.open(path, os.O_RDONLY | NOT_LINK)
    try:
        size = os.fstat(descriptor).st_size
        parts = [os.read(descriptor, size + 1)]
        while parts[-1] and sum(map(len, parts)) != size:
            parts.append(os.read(descriptor, READ))
        return parts[0] if len(parts) == 1 else b"".join(parts)
    finally:
        os.close(descriptor)


def files_below(folder: Path, prefix: str, real: Path, links: set[str]) -> Iterator[str]:
    """Yield files by relative path. A link is followed to a file or folder within the root only."""
    try:
        with os.scandir(folder) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise FormatError(f"cannot be listed ({error.strerror})", folder) from None
    for entry in found:
        path = f"{prefix}{entry.name}"
        if entry.is_symlink():
            target = check_inside(folder / entry.name, real, path)
            if target.is_file():
                links.add(path)
                yield path
            elif target.is_dir():
                raise FormatError(
                    "is a symbolic link to a folder",
                    folder / entry.name,
                    hint="replace it by a copy",
                )
        elif entry.is_dir():
            if entry.name not in IGNORED_FOLDERS:
                yield from files_below(folder / entry.name, f"{path}/", real, links)
        elif entry.is_file():
            yield path


def check_inside(local: Path, real: Path, path: str) -> Path:
    """Return what a file is when links are followed. Raises FormatError where that is outside."""
    target = local.resolve()
    if not target.is_relative_to(real):
        raise FormatError(
            "is a symbolic link that leads out of the dataset", local, hint="replace it by a copy"
        )
    if not target.exists():
        raise FormatError("is a symbolic link to nothing", local, hint=f"remove {path}")
    return target
