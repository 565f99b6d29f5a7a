"""
Single files of the media store: taken in, cloned, copied out and made durable, without Python
touching the bytes more often than needed.

`<ab>/<sha256>` is a file as it is, `<ab>/<sha256>.zst` a sealed frame (see `_media_codec.py`).
"""

import errno
import hashlib
import os
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from dvcs.errors import InvalidMedia, RepositoryError, UnsafeName
from dvcs.objects._durable import fsync_dir, fsync_file

ZST: Final = ".zst"
SMALL: Final = 1 << 16
"""Files below this size go into packs."""

BUFFER: Final = 1 << 22
FLUSHERS: Final = 8
"""Threads that wait for fsync: ext4 commits what waits at the same time in one go."""

STORED_MODE: Final = 0o444 if os.name == "posix" else 0o666
"""Stored files are read-only, as hard links to them may be handed out. Windows: cannot rename."""

_OPEN: Final = (
    os.O_RDONLY
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)  # a named pipe must not hang us
)
_FICLONE: Final = 0x40049409
_CANNOT: Final = frozenset({errno.EXDEV, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOTTY, errno.EPERM})

CAN_CLONE: Final = sys.platform == "linux"
if sys.platform == "linux":
    from fcntl import ioctl


def open_regular(path: Path | str) -> tuple[int, int]:
    """
    Open a file of the user's for reading; return its descriptor and size.

    Raises:
        UnsafeName: it is a symbolic link.
        InvalidMedia: it is absent, no regular file, or cannot be read.

    """
    try:
        if not hasattr(os, "O_NOFOLLOW") and stat.S_ISLNK(os.lstat(path).st_mode):
            raise OSError(errno.ELOOP, "is a link")  # noqa: TRY301
        fd = os.open(path, _OPEN)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EMLINK):
            raise UnsafeName(f"'{path}' is a symbolic link, which is not followed") from error
        raise InvalidMedia(f"'{path}' cannot be read: {error.strerror}") from error
    state = os.fstat(fd)
    if not stat.S_ISREG(state.st_mode):
        os.close(fd)
        raise InvalidMedia(f"'{path}' cannot be read: it is not a regular file")
    return fd, state.st_size


class Cloner:
    """Copies files by reference where the file system can (btrfs, XFS, ZFS, bcachefs)."""

    def __init__(self) -> None:
        self._refused: set[int] = set()

    def may_clone(self, source: int) -> bool:
        """Tell whether trying is worth it: once refused, a file system is not asked again."""
        return CAN_CLONE and os.fstat(source).st_dev not in self._refused

    def clone(self, source: int, target: int) -> bool:
        """Make the open file `target` share the bytes of `source`; False if that is impossible."""
        if not self.may_clone(source):
            return False
        try:
            ioctl(target, _FICLONE, source)
        except OSError as error:
            if error.errno not in _CANNOT:
                raise
            self._refused.add(os.fstat(source).st_dev)
            return False
        return True


def fill(fd: int, buffer: memoryview) -> int:
    """Read until the buffer is full or the file ends; return the number of bytes."""
    count = 0
    while count < len(buffer):
        more = os.readv(fd, [buffer[count:]]) if hasattr(os, "readv") else _read(fd, buffer[count:])
        if not more:
            break
        count += more
    return count


def _read(fd: int, buffer: memoryview) -> int:
    data = os.read(fd, len(buffer))
    buffer[: len(data)] = data
    return len(data)


def pieces(fd: int, buffer: memoryview) -> Iterator[memoryview]:
    """Yield a file's bytes from its current position; each piece is valid until the next."""
    while count := fill(fd, buffer):
        yield buffer[:count]
        if count < len(buffer):
            return


def hash_from_start(fd: int, buffer: memoryview) -> tuple[str, int]:
    """Return SHA-256 and size of an open file."""
    os.lseek(fd, 0, os.SEEK_SET)
    digest = hashlib.sha256()
    size = 0
    for piece in pieces(fd, buffer):
        digest.update(piece)
        size += len(piece)
    return digest.hexdigest(), size


def fsync_all(files: Iterable[Path], folders: Iterable[Path] = ()) -> None:
    """
    Make many files durable, then the names in folders.

    On macOS plain fsync leaves data in the drive's cache, so one full flush follows at the end.
    """
    files = list(files)
    if len(files) == 1:
        fsync_file(files[0])
    elif files:
        from concurrent.futures import ThreadPoolExecutor  # 3 ms, for large work alone

        with ThreadPoolExecutor(FLUSHERS, thread_name_prefix="fsync") as pool:
            list(pool.map(_plain_fsync, files))
        fsync_file(files[-1])
    for folder in folders:
        fsync_dir(folder)


def _plain_fsync(path: Path) -> None:
    # Windows flushes only what was opened for writing.
    fd = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what the operating system refuses into an error that says where to."""
    try:
        yield
    except OSError as error:
        hint = None
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            hint = "free some space and run the command again; nothing was recorded"
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            hint = "this user may not write there"
        raise RepositoryError(
            f"cannot write to '{path}': {error.strerror or error}", hint=hint
        ) from error
