"""Where the bytes of a media file can be had: a file, bytes at hand, or whatever reads them."""

import errno
import os
import shutil
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dvcs.errors import InvalidMedia, MissingObject
from dvcs.model import Item


@dataclass(frozen=True, slots=True)
class PathOrigin:
    """A file on this disk."""

    path: Path

    def read(self) -> bytes:
        """Return the file's bytes."""
        return self.path.read_bytes()


@dataclass(frozen=True, slots=True)
class BytesOrigin:
    """Bytes that somebody fetches when asked: from memory, an archive, a store."""

    fetch: Callable[[], bytes]

    @property
    def path(self) -> Path | None:
        """None: there is no file."""
        return None

    def read(self) -> bytes:
        """Return the bytes."""
        return self.fetch()


def image_size(item: Item) -> tuple[int, int] | None:
    """
    Return the height and width of an item's image as shown, in pixels.

    From its media record; else from the header of the file, if that is at hand; else None.
    """
    if item.media is None:
        return None
    if item.media.size is not None:
        return item.media.size
    from dvcs.media.headers import read_header

    for origin in item.origins:
        if origin is None:
            continue
        try:
            if origin.path is not None:
                with origin.path.open("rb") as file:
                    header = read_header(file)
            else:
                header = read_header(origin.read())
        except (InvalidMedia, MissingObject):
            continue
        return header.height, header.width
    return None


class Copying(ABC):
    """An origin that knows a better way to make a file of its bytes than reading them."""

    __slots__ = ()

    @abstractmethod
    def copy_to(self, target: Path, *, link: str) -> None:
        """Write the bytes to a new file; `link` is reflink, copy, hard or symlink."""


FICLONE = 0x40049409
"""Linux's request to share a file's blocks; they are copied when either file is changed."""

UNSUPPORTED = frozenset(
    (errno.EOPNOTSUPP, errno.EXDEV, errno.ENOTTY, errno.EINVAL, errno.ENOSYS, errno.EPERM)
)


def copy_file(source: Path, target: Path, *, link: str = "reflink") -> None:
    """Make `target`, a new file, from `source`; a reflink falls back to a copy."""
    if link == "hard":
        os.link(source, target)
        return
    if link == "symlink":
        target.symlink_to(source.resolve())
        return
    if link == "reflink" and _reflinked(source, target):
        return
    shutil.copyfile(source, target)


def _reflinked(source: Path, target: Path) -> bool:
    if not sys.platform.startswith("linux"):
        return False
    from fcntl import ioctl

    try:
        with source.open("rb") as old, target.open("wb") as new:
            ioctl(new.fileno(), FICLONE, old.fileno())
    except OSError as error:
        if error.errno in UNSUPPORTED:
            return False
        raise
    return True
