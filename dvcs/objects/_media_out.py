"""
Writes files of the media store out: beside the target first, verified, then renamed over it.

A link that stands at the target is replaced, never written through.
"""

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Final, Literal

from dvcs.objects import _media_codec as codec
from dvcs.objects._durable import create_temp, temp_name, write_all
from dvcs.objects._media_files import ZST, Cloner

Link = Literal["reflink", "copy", "hard", "symlink"]
"""How a file comes out of the store; what is impossible becomes a copy."""

Check = Callable[[Iterator[bytes]], Iterator[bytes]]
"""Passes a file's bytes through; raises `CorruptObject` at their end if they are wrong."""

CHUNK: Final = 1 << 20
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


def replace(target: Path, chunks: Iterator[bytes]) -> Link:
    """Write a file beside `target`, then give it that name, if nothing is raised meanwhile."""
    fd, temp = create_temp(target.parent, mode=0o666)
    try:
        try:
            for chunk in chunks:
                write_all(fd, chunk)
        finally:
            os.close(fd)
        temp.replace(target)
    except BaseException:
        temp.unlink(missing_ok=True)
        raise
    return "copy"


def create(target: Path, data: bytes) -> Link:
    """Write a file that does not exist yet. Raises FileExistsError where it does."""
    fd = os.open(target, _NEW, 0o666)
    try:
        write_all(fd, data)
    finally:
        os.close(fd)
    return "copy"


def link_to(path: Path, target: Path, link: Link, cloner: Cloner, check: Check) -> bool:
    """Make `target` share the bytes of a stored file, verified; False if that is impossible."""
    temp = target.parent / temp_name()
    try:
        if link == "reflink":
            done = _clone(path, temp, cloner, check)
        else:
            for _ in check(content(path)):
                pass
            done = _link(path, temp, link)
        if done:
            temp.replace(target)
        return done
    finally:
        temp.unlink(missing_ok=True)


def _clone(path: Path, temp: Path, cloner: Cloner, check: Check) -> bool:
    with path.open("rb", buffering=0) as source:
        if not cloner.may_clone(source.fileno()):
            return False
        with temp.open("x+b", buffering=0) as target:
            if not cloner.clone(source.fileno(), target.fileno()):
                return False
            target.seek(0)
            for _ in check(read_chunks(target)):
                pass
    return True


def _link(path: Path, temp: Path, link: Link) -> bool:
    try:
        if link == "hard":
            temp.hardlink_to(path)
        else:
            temp.symlink_to(path.absolute())
    except NotImplementedError:
        return False
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise
        return False
    return True


def content(path: Path) -> Iterator[bytes]:
    """Yield a large file's bytes, uncompressed, not yet verified."""
    with path.open("rb", buffering=0) as file:
        yield from codec.read_frame(file) if path.suffix == ZST else read_chunks(file)


def read_chunks(file: IO[bytes]) -> Iterator[bytes]:
    """Yield an open file's bytes, 1 MiB at a time."""
    while chunk := file.read(CHUNK):
        yield chunk
