"""The lines of Ultralytics' NDJSON: what they have, and the items that they are."""

from pathlib import PurePosixPath
from typing import Any, Literal

import msgspec

from dvcs.errors import FormatError, UnsafeName
from dvcs.files import Source
from dvcs.files.source import json_error
from dvcs.formats._yolo.files import Ids, Record, Size, Sizes, checked_subset
from dvcs.formats._yolo.numbers import RowError
from dvcs.formats._yolo.rows import Reader, Task
from dvcs.model import Annotation, Item, Label, Media, MediaFile
from dvcs.names import extension, item_id

KEYS: dict[str, Task] = {
    "boxes": "detect",
    "segments": "segment",
    "obb": "obb",
    "pose": "pose",
    "classification": "classify",
}
"""The key of each task's annotations; those furthest down but one say a file's task."""
ROWS = frozenset({"boxes", "segments", "obb", "pose"})
LABELS = "labels"
PEEK = 1 << 16
"""Bytes of the first line that are enough to tell what it is."""


class Head(msgspec.Struct, frozen=True):
    """The first line."""

    type: Literal["dataset"]
    class_names: dict[str, str] = {}
    kpt_shape: tuple[int, int] | None = None


class Image(msgspec.Struct, frozen=True):
    """Any other line."""

    type: Literal["image"]
    file: str
    split: str = ""
    url: str | None = None
    width: int | None = None
    height: int | None = None
    annotations: dict[str, Any] | None = None


HEAD = msgspec.json.Decoder(Head)
OF_HEAD = frozenset({"task", *Head.__struct_fields__})
BROKEN = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What a line raises that is no JSON, or not that of a record."""
IMAGE = msgspec.json.Decoder(Image)


def head_of(source: Source, path: str, line: bytes, *, complete: bool = True) -> Head:
    """Return the first line; of a part of it (not `complete`) only whether it begins like one."""
    try:
        return HEAD.decode(line)
    except BROKEN as error:
        if not complete and len(line) == PEEK and line.startswith(b'{"type":'):
            return Head("dataset")
        raise _no_head(error, line, source.place(path)) from None


def rest_of(source: Source, path: str, line: bytes) -> dict[str, Any]:
    """Return what else the first line says."""
    try:
        said: dict[str, Any] = msgspec.json.decode(line)
    except BROKEN as error:  # in what the typed decoder passes over
        raise _no_head(error, line, source.place(path)) from None
    return {key: value for key, value in said.items() if key not in OF_HEAD}


def _no_head(error: Exception, line: bytes, place: PurePosixPath) -> FormatError:
    problem = str(json_error(error, line, place)).partition(": ")[2]
    return FormatError(f"the first line is no dataset record: {problem}", place, 1)


def lines_of(source: Source, path: str) -> list[tuple[int, bytes]]:
    """Return the lines that are not empty, with their numbers from 1; at least one."""
    data = source.bytes(path).removeprefix(b"\xef\xbb\xbf")
    lines = [
        (n, line) for n, line in enumerate(data.split(b"\n"), 1) if line and not line.isspace()
    ]
    return lines or [(1, b"")]


class Parser:
    """Makes items of lines."""

    def __init__(
        self,
        source: Source,
        path: str,
        readers: dict[str, Reader],
        names: dict[int, str],
        sizes: Sizes,
    ) -> None:
        self.source = source
        self.path = path
        self.place = source.place(path)
        self.readers = readers
        self.names = names
        self.sizes = sizes
        self.ids = Ids()

    def item(self, numbered_line: tuple[int, bytes]) -> Item:
        """Return the item of a line. Raises FormatError."""
        number, line = numbered_line
        try:
            image = IMAGE.decode(line)
        except BROKEN as error:
            problem = str(json_error(error, line, self.place)).partition(": ")[2]
            raise FormatError(problem, self.place, number) from None
        try:
            subset = checked_subset(image.split or self.source.subset or "default")
            name = item_id(image.file)
        except UnsafeName as error:
            raise FormatError(str(error), self.place, number) from None
        if not self.ids.new(subset, name):
            problem = f"the image '{name}' is listed twice for '{subset}'"
            raise FormatError(problem, self.place, number)
        record = Record(subset, self.ids.give(subset, name, name), self._found(subset, name), None)
        size = Size(image.height, image.width) if image.height and image.width else None
        if size is not None and min(size[:2]) <= 0:
            raise FormatError("width and height are not those of an image", self.place, number)
        origin = self.source.origin(record.image) if record.image else None
        if size is None and any(image.annotations or {}):
            size = self.sizes.of(record._replace(label=self.path), origin)
        notes = self._notes(image.annotations or {}, size or Size(1, 1), number)
        ext = extension(name)
        kept = name if name != record.id + ext else None
        return Item(
            record.id,
            subset,
            Media(
                files=(MediaFile(ext=ext, name=kept, url=image.url),),
                height=size.height if size else None,
                width=size.width if size else None,
                orientation=size.orientation if size else None,
            ),
            notes,
            annotated=True if image.annotations is not None else None,
            origins=(origin,),
        )

    def _found(self, subset: str, name: str) -> str | None:
        places = (f"images/{subset}/{name}", f"{subset}/{name}", f"images/{name}", name)
        return next((path for path in places if path in self.source), None)

    def _notes(self, said: dict[str, Any], size: Size, number: int) -> list[Annotation]:
        notes: list[Annotation] = []
        groups = 0
        for key, rows in said.items():
            if not isinstance(rows, list) or key not in {*ROWS, "classification", LABELS}:
                raise FormatError(f"'{key[:40]}' is no list of annotations", self.place, number)
            for row in rows:
                try:
                    found = self._row(key, row, size)
                except RowError as error:
                    self.source.report(FormatError(f"{key}: {error}", self.place, number))
                    continue
                if len(found) > 1:
                    groups += 1
                    found = [note.with_(group=groups) for note in found]
                notes += found
        return notes

    def _row(self, key: str, row: Any, size: Size) -> list[Annotation]:
        values = row if isinstance(row, list) else [row]
        if not values or not all(type(one) in (int, float) for one in values):
            raise RowError(f"{str(row)[:60]!r} is not a label index and numbers")
        name = self.names.get(int(values[0])) if values[0] == int(values[0]) else None
        if name is None:
            raise RowError(f"there is no label {values[0]}: {len(self.names)} labels are named")
        if key not in ROWS:
            return [Label(label=name)]
        try:
            numbers = [float(one) for one in values[1:]]
        except OverflowError:
            raise RowError("a number is too large") from None
        return self.readers[key].row(numbers, name, size.height, size.width)
