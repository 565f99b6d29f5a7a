"""
Writing a dataset's files: what all sinks do, and one in memory.

A format writes paths with `/`, in any order; every path is checked. A folder is staged beside its
target and moved there when all is written, so an error, Ctrl-C or a full disk leaves the target as
it was. The same calls make the same bytes.
"""

import io
import os
import zlib
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import msgspec

from dvcs.errors import DvcsError, MissingObject, UnsafeName
from dvcs.files.notes import Notes
from dvcs.files.origins import Unturned, unturned_header
from dvcs.model import Item, Origin
from dvcs.names import extension, item_id, strip_extension

EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest date that a zip can hold: members do not tell when they were written."""
UNTURNED = (
    "an image is written without the turn that its EXIF orientation asks for, because its size is"
    " declared unturned, and so its coordinates are"
)
Sum = tuple[int, int]
"""Size and CRC-32 of a file."""


def sum_of(data: bytes) -> Sum:
    """Return the size and CRC-32 of what a file holds."""
    return len(data), zlib.crc32(data)


class Sink(ABC):
    """
    Files to write a dataset to. A context manager: `finish` on success, `abandon` on an error.

    `save_media` says whether media are written, `image_ext` (with its dot) re-encodes images,
    `link` is how media come from where they are: reflink, copy, hard or symlink.
    """

    def __init__(
        self, *, save_media: bool = True, image_ext: str | None = None, link: str = "reflink"
    ) -> None:
        self.save_media = save_media
        self.image_ext = image_ext
        self.link = link
        self.relative = False
        """Whether coordinates are parts of the size that whoever reads an image finds in it."""
        self.written: dict[str, bool] = {}
        """What was written, in order; whether it is media."""
        self.missing_media = 0
        """How many media files should have been written and were not to be had."""
        self.notes = Notes()
        """What whoever uses the files should know, by message, counted."""
        self.converted: Counter[tuple[str, str]] = Counter()
        """Annotations that the writer itself made another kind of, by both kinds."""
        self.merged: Counter[str] = Counter()
        """Annotations, by kind, that the writer made one with others of their instance."""
        self.lost_fields: Counter[str] = Counter()
        """Fields that it could not write of some annotations, though of most it can."""
        self.sums: dict[str, Sum] = {}
        """What files are that are no copies of media, in sinks that keep account of it."""
        self._folders: set[str] = set()

    # What a kind of sink provides

    @abstractmethod
    def _open(self, path: str) -> AbstractContextManager[IO[bytes]]: ...

    def _write(self, path: str, data: bytes) -> None:
        with self._open(path) as file:
            file.write(data)

    def _media(self, path: str, origin: Origin) -> None:
        self._write(path, origin.read())

    def _wrote(self, path: str, data: bytes | None = None) -> None:  # noqa: B027 -- as above
        """Keep account of a file that was made; `data` is what is in it, where that is known."""

    def _complete(self) -> None:  # noqa: B027 -- files in memory are visible at once
        """Make what was written visible."""

    def abandon(self) -> None:  # noqa: B027 -- likewise
        """Leave everything as it was."""

    # What formats call

    @contextmanager
    def open(self, path: str) -> Iterator[IO[bytes]]:
        """Write a file as a binary stream."""
        checked = self._checked(path, media=False)
        with self._open(checked) as file:
            yield file
        self._wrote(checked)

    def bytes(self, path: str, data: bytes) -> None:
        """Write a file."""
        checked = self._checked(path, media=False)
        self._write(checked, data)
        self._wrote(checked, data)

    def text(self, path: str, text: str) -> None:
        """Write a text file as UTF-8."""
        self.bytes(path, text.encode())

    def lines(self, path: str, lines: Iterable[str]) -> None:
        """Write a text file of lines, each ended by a newline."""
        self.text(path, "".join(f"{line}\n" for line in lines))

    def json(self, path: str, value: Any, *, indent: int = 0) -> None:
        """Write a JSON file; keys stay in their order."""
        data = msgspec.json.encode(value)
        self.bytes(path, msgspec.json.format(data, indent=indent) if indent else data)

    def note(self, message: str, count: int = 1, *, example: str = "") -> None:
        """Note something odd but harmless, to be told at the end; once for each example."""
        self.notes.add(message, count, example)

    def media_path(self, path: str) -> str:
        """Return the path under which an image will be written: re-encoded ones change it."""
        return strip_extension(path) + self.image_ext if self.image_ext else path

    def media(self, item: Item, path: str, index: int = 0) -> str:
        """
        Write one media file of an item, if media are written and this one is to be had.

        Returns the path it has, or would have.
        """
        path = self.media_path(path)
        if not self.save_media:
            return path
        origin = item.origins[index] if index < len(item.origins) else None
        if origin is None:
            self.missing_media += 1
            return path
        checked = self._checked(path, media=True)
        try:
            if self.image_ext and _extension_of(item, index).lower() != self.image_ext.lower():
                self._reencoded(item, checked, self._in_frame(item, index, origin))
            elif self.relative and (framed := self._in_frame(item, index, origin)) is not origin:
                self._media(checked, framed)
                self._wrote(checked)
            else:
                self._media(checked, origin)
        except MissingObject:
            self.missing_media += 1
            del self.written[checked]
        return path

    def _in_frame(self, item: Item, index: int, origin: Origin) -> Origin:
        """Return an image as the coordinates on it are, which may be unturned."""
        header = unturned_header(item, index)
        if header is None:
            return origin
        self.note(UNTURNED, example=f"'{item.id}' is {header.height} x {header.width}")
        return Unturned(origin)

    def _reencoded(self, item: Item, path: str, origin: Origin) -> None:
        from dvcs.media.pixels import decode, encode

        try:
            data = encode(decode(origin.read()), extension(path))
        except DvcsError as error:
            error.args = (f"item '{item.id}': {error}",)
            raise
        self._write(path, data)
        self._wrote(path, data)

    def _checked(self, path: str, *, media: bool) -> str:
        checked = item_id(path)
        if checked in self.written:
            raise UnsafeName(
                f"two items would be written to '{checked}'",
                hint="rename one, or export the subsets or sources one by one",
            )
        self._check_folders(checked)
        self.written[checked] = media
        return checked

    def _check_folders(self, path: str) -> None:
        clash = path if path in self._folders else None
        folder = path.rpartition("/")[0]
        while folder and folder not in self._folders:
            clash = folder if folder in self.written else clash
            self._folders.add(folder)
            folder = folder.rpartition("/")[0]
        if clash:
            raise UnsafeName(f"'{clash}' would be a file and a folder", hint="rename one item")

    def finish(self) -> None:
        """Make everything visible. If that fails, nothing is."""
        try:
            self._complete()
        except BaseException:
            self.abandon()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.finish()
        else:
            self.abandon()


class MemorySink(Sink):
    """Files in memory; media stay where they are and are only named."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.files: dict[str, bytes] = {}
        self.origins: dict[str, Origin] = {}

    @contextmanager
    def _open(self, path: str) -> Iterator[IO[bytes]]:
        buffer = io.BytesIO()
        yield buffer
        self.files[path] = buffer.getvalue()

    def _media(self, path: str, origin: Origin) -> None:
        self.origins[path] = origin


def beside(target: Path) -> Path:
    """Return a free name beside a target, for what is to become it."""
    return target.parent / f".{target.name}.dvcs-{os.getpid()}-{os.urandom(4).hex()}"


def _extension_of(item: Item, index: int) -> str:
    if item.media is None or index >= len(item.media.files):
        return ""
    file = item.media.files[index]
    return file.ext or extension(file.name or "")
