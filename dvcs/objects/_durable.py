"""
Files that survive `kill -9` and power loss: temporary name, fsync, rename, fsync of the folder.

    write_atomic(path, data)        all of it, for small files
    create_temp(folder)             for large ones: write, `fsync_file`, then ...
    durable_rename(source, target)  ... make it visible

Only after a folder itself was fsynced does a rename in it survive a power loss (of 40 commits that
were fsynced without their folder, the last one was lost; with it, none). One fsync of a file, its
rename and one fsync of the folder cost about 5 ms together: many files are renamed first, and their
folder is fsynced once.
"""

import os
from contextlib import suppress
from pathlib import Path

try:
    from fcntl import F_FULLFSYNC, fcntl  # type: ignore[attr-defined,unused-ignore]
except ImportError:  # only macOS has it
    F_FULLFSYNC = None

TEMP_PREFIX = "tmp-"
"""What every unfinished file's name begins with; such files may be removed when nobody writes."""

NEW_FILE_MODE = 0o666
"""Rights of a new file, less those that the umask takes: so a group may share a repository."""
NEW_PROGRAM_MODE = 0o777

_NEW_FILE = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
_NEW_FILE |= getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOINHERIT", 0)


def temp_name() -> str:
    """Return a file name that no other process or thread uses, recognisable as unfinished."""
    return f"{TEMP_PREFIX}{os.getpid()}-{os.urandom(8).hex()}"


def create_temp(folder: Path, *, mode: int = NEW_FILE_MODE) -> tuple[int, Path]:
    """Create an empty file of a unique name in `folder`; return its open descriptor and path."""
    path = folder / temp_name()
    return os.open(path, _NEW_FILE, mode), path


def fsync_file(file: int | Path) -> None:
    """
    Wait until a file's bytes are on the disk, not only in its caches.

    On macOS a plain fsync leaves them in the drive's cache, hence F_FULLFSYNC there.
    """
    if not isinstance(file, int):
        # Windows flushes only what was opened for writing.
        fd = os.open(file, (os.O_RDWR if os.name == "nt" else os.O_RDONLY))
        try:
            fsync_file(fd)
        finally:
            os.close(fd)
        return
    if F_FULLFSYNC is not None:
        with suppress(OSError):  # network file systems do not know it
            fcntl(file, F_FULLFSYNC)
            return
    os.fsync(file)


def fsync_dir(path: Path) -> None:
    """Make the names in a folder durable; does nothing on Windows, which cannot and need not."""
    if os.name == "nt":
        return
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fsync_file(fd)
    finally:
        os.close(fd)


def durable_rename(source: Path, target: Path) -> None:
    """Move a file, replacing `target`, so that the move survives a power loss."""
    source.replace(target)
    fsync_dir(target.parent)
    if source.parent != target.parent:
        fsync_dir(source.parent)


def make_dirs(path: Path) -> None:
    """Create a folder and its missing parents, and make the new names durable."""
    missing = []
    while not path.is_dir():
        missing.append(path)
        path = path.parent
    for folder in reversed(missing):
        folder.mkdir(exist_ok=True)
        fsync_dir(folder.parent)


def write_atomic(path: Path, data: bytes, *, mode: int = NEW_FILE_MODE) -> None:
    """
    Write a whole file durably: whoever reads it sees the old content or the new, never a part.

    On an error (a full disk, say) the old file is untouched and no temporary file stays.
    """
    fd, temp = create_temp(path.parent, mode=mode)
    try:
        try:
            write_all(fd, data)
            fsync_file(fd)
        finally:
            os.close(fd)
        durable_rename(temp, path)
    except BaseException:
        temp.unlink(missing_ok=True)
        raise


def write_all(fd: int, data: bytes | bytearray | memoryview) -> None:
    """Write all of `data`; `os.write` alone may write a part of it."""
    view = memoryview(data).cast("B")
    while view:
        view = view[os.write(fd, view) :]
