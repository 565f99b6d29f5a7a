"""
The files below a folder: listed and read without following a link out of it.

A symbolic link to a file within the folder is followed, one that leads out of it is refused, and so
is one to a folder, which could lead in circles.
"""

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from stat import S_ISREG

from dvcs.errors import FormatError

IGNORED_FOLDERS = frozenset({".dvcs", ".git", "__MACOSX", ".ipynb_checkpoints"})
"""Folders that no format sees."""
JUNCTION = 0xA0000003
"""Windows' IO_REPARSE_TAG_MOUNT_POINT: a folder that leads elsewhere, which anybody may make."""
READ = 1 << 24
NOT_LINK = getattr(os, "O_NOFOLLOW", 0)
LINKED = frozenset({errno.ELOOP, errno.EMLINK, errno.ENOTDIR})
"""What systems say of a link that they were told not to follow."""


def is_link(path: "os.DirEntry[str] | Path") -> bool:
    """Tell whether a path is a symbolic link or a junction, wherever it leads."""
    if path.is_symlink():
        return True
    if os.name != "nt":
        return False
    try:
        found = path.lstat() if isinstance(path, Path) else path.stat(follow_symlinks=False)
    except OSError:
        return False
    return bool(getattr(found, "st_reparse_tag", 0) == JUNCTION)


def real_path(path: str | Path) -> Path:
    """Return where a path leads; unlike `Path.resolve`, links in a circle are no error to it."""
    return Path(os.path.realpath(path))  # noqa: TID251 - what `resolve` is made of


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


def read_plain_file(path: str | Path, most: int) -> bytes:
    """
    Return the bytes of a file that somebody sent, of which nothing is known yet.

    Raises OSError for a link, and for what is no file: reading a pipe would wait for ever, a device
    never end. Raises OSError too where there is more than `most`.
    """
    descriptor = os.open(path, os.O_RDONLY | NOT_LINK | getattr(os, "O_NONBLOCK", 0))
    with open(descriptor, "rb") as file:  # noqa: PTH123 - of a descriptor
        if is_link(Path(path)) or not S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "is no plain file", str(path))
        data = file.read(most + 1)
    if len(data) > most:
        raise OSError(errno.EFBIG, f"has more than {most:,} bytes", str(path))
    return data


def files_below(
    folder: Path,
    prefix: str,
    real: Path,
    links: set[str],
    refused: dict[str, FormatError] | None = None,
) -> Iterator[str]:
    """
    Yield files by relative path; a link is followed to a file within the root `real` only.

    Those that are links are added to `links`. Raises FormatError for links that are not followed
    and folders that cannot be listed; with `refused`, what is below the first folder of these is
    put there instead, by path.
    """
    try:
        with os.scandir(folder) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        problem = FormatError(f"cannot be listed ({error.strerror})", folder)
        if refused is None or not prefix:
            raise problem from None
        refused[prefix[:-1]] = problem
        return
    for entry in found:
        path = f"{prefix}{entry.name}"
        if is_link(entry):
            try:
                is_file = _leads_to_file(folder / entry.name, real, path)
            except FormatError as error:
                if refused is None:
                    raise
                refused[path] = error
                continue
            if is_file:
                links.add(path)
                yield path
        elif entry.is_dir():
            if entry.name not in IGNORED_FOLDERS:
                yield from files_below(folder / entry.name, f"{path}/", real, links, refused)
        elif entry.is_file():
            yield path


def _leads_to_file(local: Path, real: Path, path: str) -> bool:
    """Tell whether a link leads to a file within the root. Raises FormatError for a folder."""
    target = check_inside(local, real, path)
    if target.is_dir():
        kind = "symbolic link" if local.is_symlink() else "junction"
        raise FormatError(f"is a {kind} to a folder", local, hint="replace it by a copy")
    return target.is_file()


def check_inside(local: Path, real: Path, path: str) -> Path:
    """Return what a file is when links are followed. Raises FormatError where that is outside."""
    target = real_path(local)
    if not target.is_relative_to(real):
        raise FormatError(
            "is a symbolic link that leads out of the dataset", local, hint="replace it by a copy"
        )
    if not target.exists():
        raise FormatError("is a symbolic link to nothing", local, hint=f"remove {path}")
    return target
