"""
Reading a dataset's files: one view of a folder, an archive, or files in memory.

A format never opens a file itself. It asks its source for sorted paths, bytes, text, lines and
images, and reports bad records to it; where they are is shown as `file:line`. Paths are relative,
with `/`. Nothing outside the root is ever read: a symbolic link is followed only within it.
"""

import codecs
import mmap
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from dvcs.errors import DvcsError, FormatError, FormatErrors, NotADataset
from dvcs.files.folders import (
    IGNORED_FOLDERS,
    LINKED,
    NOT_LINK,
    check_inside,
    files_below,
    read_file,
)
from dvcs.files.notes import Notes
from dvcs.files.origins import BytesOrigin, ListedOrigin, PathOrigin
from dvcs.model import Origin
from dvcs.names import extension, relative_path, strip_extension
from dvcs.progress import track

if TYPE_CHECKING:
    import builtins  # `bytes` is a method in here

R = TypeVar("R")
T = TypeVar("T")

IMAGE_EXTENSIONS = frozenset(
    f".{name}"
    for name in (
        *("jpg", "jpeg", "jpe", "jp2", "png", "bmp", "dib", "tif", "tiff", "tga", "webp", "gif"),
        *("pfm", "sr", "ras", "exr", "hdr", "pic", "pbm", "pgm", "ppm", "pxm", "pnm"),
    )
)
NOT_ARCHIVES = frozenset({".json", ".jsonl", ".ndjson", ".txt", ".xml", ".yaml", ".yml"})
"""Files that need not be asked whether they are archives, for which modules would be loaded."""
STAMP = ".dvcs-export.json"
"""The stamp of an export or working copy; no format sees it."""
IGNORED = frozenset({STAMP, ".DS_Store", "Thumbs.db", "desktop.ini"})
MOST_ERRORS = 1000


class Source(ABC):
    """
    Files to read a dataset from.

    `name` is what to call the place in messages. `focus` is the one file that the user named,
    where it is not the whole place. With `keep_going`, a bad record is noted in `errors` and left
    out (or kept verbatim); without, all of them are raised together when the walk ends.
    `subset` is the name for items whose format gives them none.
    """

    def __init__(
        self,
        name: str,
        *,
        focus: str | None = None,
        keep_going: bool = False,
        subset: str | None = None,
    ) -> None:
        self.name = name
        self.focus = focus
        self.keep_going = keep_going
        self.subset = subset
        self.errors: list[DvcsError] = []
        self.notes = Notes()
        """What was odd but harmless, by message, counted."""
        self.tolerant = False
        """
        Whether what cannot be read matters only to who asks for it by name (`in`, `image`): for
        formats whose one file, the one that the user named, tells all others. Else, a folder that
        is not listed whole is an error.
        """
        self.refused: dict[str, FormatError] = {}
        """Links out and folders that cannot be listed, where they were tolerated."""

    # What a kind of source provides

    @abstractmethod
    def _list(self) -> Iterable[str]: ...

    @abstractmethod
    def _read(self, path: str) -> "builtins.bytes": ...

    def local(self, path: str) -> Path | None:
        """Return where a file lies on this disk, None where it does not."""
        del path
        return None

    def close(self) -> None:  # noqa: B027 -- most have nothing open
        """Let go of what is open."""

    # Paths

    @cached_property
    def paths(self) -> tuple[str, ...]:
        """All files, sorted; dvcs's own, Git's and the system's left out."""
        ignored: dict[str, bool] = {}
        found = []
        for path in self._list():
            folder, _, name = path.rpartition("/")
            hidden = ignored.get(folder)
            if hidden is None:
                hidden = ignored[folder] = not IGNORED_FOLDERS.isdisjoint(folder.split("/"))
            if not (hidden or name in IGNORED or name.startswith("._")):
                found.append(path)
        found.sort()
        return tuple(found)

    @cached_property
    def is_empty_export(self) -> bool:
        """Whether dvcs wrote here and had nothing to write: its stamp lies here alone."""
        return not self.paths and STAMP in self._list()

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self.paths)

    def __contains__(self, path: object) -> bool:
        return path in self._known

    def find(self, pattern: str) -> list[str]:
        """
        Return the files that match a glob pattern, sorted; `**` crosses folders.

        `*` and `?` do not; letter case does not matter. `annotations/*.json`, `**/*.xml`,
        `ImageSets/Main/*.txt`.
        """
        regex = _glob(pattern)
        return [path for path in self.paths if regex.match(path)]

    @cached_property
    def folders(self) -> frozenset[str]:
        """All folders that have a file in or below them."""
        found: set[str] = set()
        # What was refused may have been a folder.
        for path in chain(self.paths, (f"{one}/" for one in self.refused)):
            folder = path.rpartition("/")[0]
            while folder and folder not in found:
                found.add(folder)
                folder = folder.rpartition("/")[0]
        return frozenset(found)

    @cached_property
    def images(self) -> dict[str, str]:
        """The image files by path without extension; the first of several with that stem."""
        found: dict[str, str] = {}
        for path in self.paths:
            if extension(path).lower() in IMAGE_EXTENSIONS:
                found.setdefault(strip_extension(path), path)
        return found

    # Contents

    def bytes(self, path: str) -> bytes:
        """Return a file's bytes. Raises FormatError where it is missing or cannot be read."""
        return self._guarded(path, lambda: self._read(path))

    def _guarded(self, path: str, read: Callable[[], R]) -> R:
        try:
            return read()
        except FileNotFoundError:
            raise FormatError("the file is missing", self.place(path)) from None
        except OSError as error:
            reason = error.strerror or str(error)
            raise FormatError(f"cannot be read ({reason})", self.place(path)) from None

    def buffer(self, path: str) -> "builtins.bytes | mmap.mmap":
        """Return a file's contents for one pass over a large file: mapped, where that can be."""
        local = self.local(path)
        if local is None:
            return self.bytes(path)

        def mapped() -> "builtins.bytes | mmap.mmap":
            with local.open("rb") as file:
                if os.fstat(file.fileno()).st_size == 0:
                    return b""
                return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

        return self._guarded(path, mapped)

    def text(self, path: str) -> str:
        """Return a file as text: UTF-8, with or without BOM, any line ends; UTF-16 with BOM."""
        data = self.bytes(path)
        encoding = "utf-8-sig"
        if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            encoding = "utf-16"
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            raise FormatError(
                f"is not UTF-8 text (byte {error.start})", self.place(path), line
            ) from None
        return text.replace("\r\n", "\n").replace("\r", "\n")

    def lines(self, path: str) -> list[tuple[int, str]]:
        """Return a text file's lines that are not blank, stripped, with their numbers from 1."""
        return [
            (n, stripped)
            for n, line in enumerate(self.text(path).split("\n"), 1)
            if (stripped := line.strip())
        ]

    def json(self, path: str, type: Any = Any) -> Any:
        """
        Return a JSON file as `type` (a msgspec type; default: plain values).

        Raises FormatError with the line of a syntax error, or the place (`$.images[3].id`) of a
        value that `type` does not allow.
        """
        data = self.bytes(path).removeprefix(codecs.BOM_UTF8)
        try:
            return msgspec.json.decode(data, type=type)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise json_error(error, data, self.place(path)) from None

    def place(self, path: str) -> PurePosixPath:
        """Return a path as messages show it: from where the user stands, if he named a folder."""
        return PurePosixPath(self.name, path)

    # Media

    def origin(self, path: str) -> Origin:
        """Return where the bytes of a media file can be had."""
        local = self.local(path)
        return BytesOrigin(lambda: self.bytes(path)) if local is None else PathOrigin(local)

    def image(self, path: str, *, folders: Iterable[str] = ("",)) -> str | None:
        """
        Return the path of an image that a file names, looked for in these folders in turn.

        First by its very name, then with another extension. None where there is no such image.
        Raises UnsafeName for a name that leads out of the dataset.
        """
        wanted = str(relative_path(path))
        tried = [f"{folder}/{wanted}" if folder else wanted for folder in folders]
        exact = next((one for one in tried if one in self._known), None)
        found = exact or next(
            (found for one in tried if (found := self.images.get(strip_extension(one)))), None
        )
        if found is None and self.refused:
            for one in tried:
                self.refuse(one)
        return found

    def refuse(self, path: str) -> None:
        """Raise what kept a path, or a folder above it, from being read."""
        while path and self.refused:
            if path in self.refused:
                raise self.refused[path]
            path = path.rpartition("/")[0]

    # Bad records

    def report(self, error: DvcsError) -> None:
        """Note a bad record; it is raised with all others when the walk ends, or left out."""
        self.errors.append(error)
        if not self.keep_going and len(self.errors) >= MOST_ERRORS:
            self.finish()

    def note(self, message: str, count: int = 1, *, example: str = "") -> None:
        """Note something odd but harmless, to be told at the end; once for each example."""
        self.notes.add(message, count, example)

    def finish(self) -> None:
        """End a walk: raise what was reported, unless told to keep going."""
        if self.errors and not self.keep_going:
            errors, self.errors = self.errors, []
            if len(errors) == 1:
                raise errors[0]
            raise FormatErrors(errors, hint="mend them, or import the rest with --keep-going")

    def items(self, records: Iterable[T], parse: Callable[[T], R], doing: str = "") -> Iterator[R]:
        """Parse records one by one; a DvcsError of one is reported, and the walk goes on."""
        for record in track(records, doing or f"reading {self.name}"):
            try:
                parsed = parse(record)
            except DvcsError as error:
                self.report(error)
                continue
            yield parsed
        self.finish()


class FolderSource(Source):
    """A folder on this disk."""

    def __init__(self, root: Path, **options: Any) -> None:
        super().__init__(str(root), **options)
        self.root = root
        self._prefix = str(root / "_")[:-1]
        self._real = root.resolve()
        self._links: set[str] = set()

    def _list(self) -> Iterator[str]:
        refused = self.refused if self.tolerant and self.focus is not None else None
        yield from files_below(self.root, "", self._real, self._links, refused)

    def __contains__(self, path: object) -> bool:
        # A user who names one file in a folder of thousands need not wait for a listing.
        if self.focus is not None and "_known" not in self.__dict__:
            return isinstance(path, str) and self.local(path) is not None
        if path in self._known:
            return True
        if isinstance(path, str):
            self.refuse(path)
        return False

    def _read(self, path: str) -> bytes:
        if NOT_LINK and "paths" in self.__dict__ and path in self._known:
            # Formats of a file an image read thousands of them: a link that took the place of a
            # listed file is refused by the same call that opens it.
            try:
                return read_file(f"{self.root}/{path}")
            except OSError as error:
                if error.errno not in LINKED:
                    raise
        local = self.root / path
        if (".." in path and ".." in path.split("/")) or not local.is_file():
            raise FileNotFoundError(path)
        check_inside(local, self._real, path)
        return local.read_bytes()

    def _listed(self, path: str) -> bool:
        return "paths" in self.__dict__ and path in self._known and path not in self._links

    def origin(self, path: str) -> Origin:
        return ListedOrigin(f"{self._prefix}{path}") if self._listed(path) else super().origin(path)

    def local(self, path: str) -> Path | None:
        local = self.root / path
        if self._listed(path):
            return local  # it was looked at when the folder was listed; once more costs 60 µs
        if (".." in path and ".." in path.split("/")) or not local.is_file():
            return None
        if local.is_symlink() or "_known" not in self.__dict__ or path not in self._known:
            check_inside(local, self._real, path)
        return local


class MemorySource(Source):
    """Files in memory, as a `MemorySink` holds them."""

    def __init__(
        self,
        files: Mapping[str, bytes],
        *,
        media: Mapping[str, Origin] | None = None,
        name: str = "memory",
        **options: Any,
    ) -> None:
        super().__init__(name, **options)
        self._files = files
        self._media = media or {}

    def _list(self) -> Iterable[str]:
        return {*self._files, *self._media}

    def _read(self, path: str) -> bytes:
        if path in self._media:
            return self._media[path].read()
        if path not in self._files:
            raise FileNotFoundError(path)
        return self._files[path]

    def origin(self, path: str) -> Origin:
        return self._media.get(path) or super().origin(path)


def open_source(path: Path, **options: Any) -> Source:
    """
    Open a dataset on disk: a folder, a zip or tar, or one annotation file within its folder.

    Raises NotADataset where there is nothing, UnsafeName and FormatError for archives that are
    damaged or would leave their folder.
    """
    if path.is_dir():
        return FolderSource(path, **options)
    if not path.exists():
        raise NotADataset(f"there is no file or folder '{path}'", hint="check the path")
    if path.suffix.lower() not in NOT_ARCHIVES:
        from dvcs.files.archive import open_archive

        archive = open_archive(path, **options)
        if archive is not None:
            return archive
    if path.parent.name.lower() == "annotations" and path.suffix.lower() == ".json":
        # The images are beside this folder, not in it, in COCO as in Datumaro.
        root = path.parent.parent
        return FolderSource(root, focus=f"{path.parent.name}/{path.name}", **options)
    return FolderSource(path.parent, focus=path.name, **options)


def json_error(error: Exception, data: "bytes | mmap.mmap", place: PurePosixPath) -> FormatError:
    """Return what is wrong with JSON, with the line where the parser says the byte."""
    text = str(error) or type(error).__name__
    if isinstance(error, RecursionError):
        return FormatError("is nested too deeply", place)
    if isinstance(error, UnicodeDecodeError):
        return FormatError("is not UTF-8 text", place, _line(data, error.start))
    if "truncated" in text:
        if not bytes(data[:64]).strip():
            return FormatError("is empty", place, 1)
        hint = "it was not copied, downloaded or written to its end"
        return FormatError(
            "ends in the middle (truncated JSON)", place, _line(data, len(data)), hint=hint
        )
    match = re.search(r"byte (\d+)", text)
    if match and isinstance(error, msgspec.DecodeError):
        line = _line(data, int(match[1]))
        return FormatError(text.replace("JSON is malformed", "is not valid JSON"), place, line)
    return FormatError(text, place)


def _line(data: "bytes | mmap.mmap", end: int) -> int:
    return bytes(data[:end]).count(b"\n") + 1


def _glob(pattern: str) -> "re.Pattern[str]":
    wild = {"**/": "(?:.*/)?", "*": "[^/]*", "?": "[^/]"}
    parts = re.split(r"(?:(?<=/)|\A)(\*\*/)|([*?])", pattern)
    regex = "".join(wild.get(part) or re.escape(part) for part in parts if part)
    return re.compile(regex + r"\Z", re.IGNORECASE | re.DOTALL)
