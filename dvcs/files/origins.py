"""Where the bytes of a media file can be had: a file, bytes at hand, or whatever reads them."""

import errno
import os
import sys
from abc import abstractmethod
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import msgspec

from dvcs.errors import InvalidMedia, MissingObject
from dvcs.model import Item, Origin

if TYPE_CHECKING:
    from dvcs.media.headers import ImageHeader


class PathOrigin(msgspec.Struct, frozen=True):
    """A file on this disk."""

    path: Path

    def read(self) -> bytes:
        """Return the file's bytes."""
        return self.path.read_bytes()


class BytesOrigin(msgspec.Struct, frozen=True):
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


class Unturned(msgspec.Struct, frozen=True):
    """An image that EXIF turns, as it is without: `dvcs.media.turning` says when it is wanted."""

    origin: Origin

    @property
    def path(self) -> Path | None:
        """None: no file is like this."""
        return None

    def read(self) -> bytes:
        """Return the bytes."""
        from dvcs.media.turning import unturned

        return unturned(self.origin.read())


def unturned_header(item: Item, index: int = 0) -> "ImageHeader | None":
    """
    Return the header of an item's image if EXIF turns it, and its declared size is that before.

    None for all others, among them those that are not at hand; they are not opened where the
    declared size tells enough.
    """
    size = item.media.size if item.media is not None else None
    origin = item.origins[index] if index < len(item.origins) else None
    if size is None or size[0] == size[1] or origin is None:
        return None
    from dvcs.media.headers import read_header
    from dvcs.media.turning import lies_unturned, may_turn

    try:
        if isinstance(origin, ListedOrigin) and not may_turn(_start(origin.file)):
            return None  # 4 us of the 10 that its header takes
        with opened(origin) as file:
            header = read_header(file)
    except (InvalidMedia, MissingObject, OSError):
        return None  # whoever wants its bytes will say so
    return header if lies_unturned(header, size) else None


def _start(file: str) -> bytes:
    descriptor = os.open(file, os.O_RDONLY | BINARY)
    try:
        return os.read(descriptor, FIRST)
    finally:
        os.close(descriptor)


def opened(origin: Origin) -> BinaryIO:
    """Return a file for a look at the beginning of what an origin gives."""
    if isinstance(origin, Peeking):
        return origin.peek()
    if isinstance(origin, ListedOrigin):
        return open(origin.file, "rb", buffering=0)  # noqa: PTH123 -- a path costs 3 us more
    path = origin.path
    return BytesIO(origin.read()) if path is None else path.open("rb", buffering=0)


class Peeking:
    """An origin that can show the beginning of its bytes without reading all of them."""

    __slots__ = ()

    @abstractmethod
    def peek(self) -> BinaryIO:
        """Return a seekable file for a look at the beginning."""


class Copying:
    """An origin that knows a better way to make a file of its bytes than reading them."""

    __slots__ = ()

    @abstractmethod
    def copy_to(self, target: Path, *, link: str) -> None:
        """Write the bytes to a new file; `link` is reflink, copy, hard or symlink."""


class ListedOrigin(msgspec.Struct, frozen=True):
    """A file on this disk, one of thousands: to make an object of each path would take 5 us."""

    file: str

    @property
    def path(self) -> Path:
        """Where it is."""
        return Path(self.file)

    def read(self) -> bytes:
        """Return the file's bytes."""
        return self.path.read_bytes()


FICLONE = 0x40049409
"""Linux's request to share a file's blocks; they are copied when either file is changed."""
UNSUPPORTED = frozenset(
    (errno.EOPNOTSUPP, errno.EXDEV, errno.ENOTTY, errno.EINVAL, errno.ENOSYS, errno.EPERM)
)
BINARY = getattr(os, "O_BINARY", 0)
FIRST = 512
"""Bytes of a photograph that mostly tell whether there is EXIF in it."""
NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | BINARY
CHUNK = 1 << 20

_cannot_share: set[tuple[int, int]] = set()
"""Pairs of devices between which files have not shared blocks, so that nobody asks for each."""


def copy_file(source: Path | str, target: Path | str, *, link: str = "reflink") -> None:
    """
    Make `target`, a new file, from `source`; a reflink falls back to a copy.

    The kernel copies: around that, `shutil.copyfile` spends 80 us a file in calls of its own, as
    much as a photograph takes, this 10. Raises OSError, also where there is a `target`.
    """
    if link == "hard":
        os.link(source, target)
        return
    if link == "symlink":
        Path(target).symlink_to(Path(source).resolve())
        return
    old = os.open(source, os.O_RDONLY | BINARY)
    try:
        new = os.open(target, NEW_FILE, 0o666)
        try:
            if link != "reflink" or not _shared(old, new):
                _copied(old, new)
        finally:
            os.close(new)
    finally:
        os.close(old)


def _shared(old: int, new: int) -> bool:
    """Have an empty file share the blocks of another; False where that cannot be."""
    if not sys.platform.startswith("linux"):
        return False
    from fcntl import ioctl

    devices = (os.fstat(old).st_dev, os.fstat(new).st_dev)
    if devices in _cannot_share:
        return False
    try:
        ioctl(new, FICLONE, old)
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise
        if error.errno == errno.EOPNOTSUPP:
            _cannot_share.add(devices)
        return False
    return True


def _copied(old: int, new: int) -> None:
    """Copy the rest of a file to another, in the kernel where that can be."""
    if sys.platform.startswith("linux"):
        try:
            while os.copy_file_range(old, new, CHUNK << 6):
                pass
        except OSError as error:
            if error.errno not in UNSUPPORTED:
                raise
        else:
            return
    while chunk := os.read(old, CHUNK):
        left = memoryview(chunk)
        while left:
            left = left[os.write(new, left) :]
