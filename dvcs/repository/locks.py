"""
Locks between processes, released by the system when their holder dies.

`exclusive` is held for the moment in which the journal is written and refs move; `shared` by
every writer for its whole operation, against gc, which takes the same file alone. Readers need
neither. A file of the holder (process, start time, host, boot) serves the message only.

Whoever writes holds one of them, so this is also where what the operating system refuses (a full
disk, a read-only one) becomes an error that says what to do.
"""

import errno
import json
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path

from dvcs.errors import Locked, RepositoryError
from dvcs.objects._durable import NEW_FILE_MODE

_READING: ContextVar[tuple[Path, ...]] = ContextVar("reading", default=())
PATIENCE = 60.0
"""Seconds to wait for a lock; what is done under one takes milliseconds."""
FLAGS = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
"""No link is followed: whoever holds a lock empties the file."""

if os.name == "nt":
    import msvcrt

    def _try(fd: int, *, shared: bool) -> bool:
        del shared  # Windows locks byte ranges for one holder only
        try:
            os.lseek(fd, 1 << 30, os.SEEK_SET)
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        except OSError:
            return False
        return True

else:
    import fcntl

    def _try(fd: int, *, shared: bool) -> bool:
        try:
            fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            return False
        return True


@contextmanager
def exclusive(path: Path, *, patience: float = PATIENCE) -> Iterator[None]:
    """
    Hold a lock alone.

    Raises Locked, naming the holder, after `patience` seconds, and RepositoryError for what the
    operating system refuses meanwhile.
    """
    with told(path), _held(path, shared=False, patience=patience) as fd:
        if fd is None:
            yield
            return
        with suppress(OSError):  # a full disk must not keep anybody from locking
            os.ftruncate(fd, 0)
            os.write(fd, json.dumps(owner()).encode())
        try:
            yield
        finally:
            # What was to be done is done: an interrupt now would only say that it was not.
            with suppress(OSError, KeyboardInterrupt):
                os.ftruncate(fd, 0)


@contextmanager
def shared(path: Path, *, patience: float = PATIENCE) -> Iterator[None]:
    """Hold a lock together with others who share it. Raises as `exclusive`."""
    with told(path), _held(path, shared=True, patience=patience):
        yield


@contextmanager
def reading(folder: Path) -> Iterator[None]:
    """Below a folder that cannot be written, share locks of files that are there meanwhile."""
    token = _READING.set((*_READING.get(), folder))
    try:
        yield
    finally:
        _READING.reset(token)


@contextmanager
def _held(path: Path, *, shared: bool, patience: float) -> Iterator[int | None]:
    """Hold a lock; yield the file's descriptor, None where there is no file to be locked."""
    flags = FLAGS
    if any(path.is_relative_to(folder) for folder in _READING.get()):
        if not path.is_file():
            yield None
            return
        flags, shared = FLAGS & ~(os.O_RDWR | os.O_CREAT) | os.O_RDONLY, True
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
    fd = os.open(path, flags, NEW_FILE_MODE)
    try:
        deadline = time.monotonic() + patience
        pause = 0.001
        while not _try(fd, shared=shared):
            if time.monotonic() > deadline:
                raise Locked(
                    f"another process is writing to this repository{_describe(path)}",
                    hint="wait for it to end, or stop it",
                )
            time.sleep(pause)
            pause = min(pause * 1.5, 0.05)
        yield fd
    finally:
        os.close(fd)


HINTS = {
    errno.ENOSPC: "the disk is full: make room, and run the command again",
    errno.EDQUOT: "your quota of this disk is used up: make room, and run the command again",
    errno.EROFS: "the disk is read-only",
    errno.EACCES: "this user may not write there",
    errno.EPERM: "this user may not write there",
    errno.EIO: "check the disk, then run 'dvcs fsck'",
    errno.ENOLCK: "this file system has no locks; keep the repository on another one",
    errno.EMFILE: "raise the limit of open files with 'ulimit -n 4096'",
}


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Turn what the operating system refuses into RepositoryError; `path` is what is written."""
    try:
        yield
    except (BrokenPipeError, ConnectionError, TimeoutError):
        raise  # not the disk's
    except OSError as error:
        where = os.fsdecode(error.filename) if error.filename is not None else path
        raise RepositoryError(
            f"'{where}' cannot be written or read: {error.strerror or error}",
            hint=HINTS.get(error.errno or 0, "nothing was changed"),
        ) from error


def owner() -> dict[str, str | int]:
    """Return what identifies this process."""
    return {
        "pid": os.getpid(),
        "started": _start_time(),
        "host": platform.node(),
        "boot": _boot_id(),
    }


def _start_time() -> str:
    with suppress(OSError, IndexError):
        return Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]
    return ""


def _boot_id() -> str:
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return ""


def _describe(path: Path) -> str:
    try:
        record = json.loads(path.read_bytes())
        return f" (process {record['pid']} on {record['host']})"
    except (OSError, ValueError, KeyError, TypeError):
        return ""
