"""
Reading Datumaro: the files of a dataset one after another, an item at a time.

A file is mapped and cut into raw items by one pass of the JSON decoder; each is decoded when the
walk comes to it, so that what is held is one item and the places of the others.
"""

import codecs
import mmap
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import msgspec
from msgspec import UNSET, Raw

from dvcs.errors import DvcsError, FormatError, InvalidShape, UnsafeName
from dvcs.files import Source
from dvcs.files.source import json_error
from dvcs.formats._datumaro.find import places, root_of
from dvcs.formats._datumaro.labels import Table, read_labels, union, with_keypoints
from dvcs.formats._datumaro.media import (
    BadMedia,
    Finder,
    Found,
    folder_of,
    name_of,
    read_media,
)
from dvcs.formats._datumaro.notes import annotate, annotate_loosely
from dvcs.formats._datumaro.ours import BadRecord, joined, regrouped
from dvcs.formats._datumaro.records import (
    DOCUMENT,
    ITEM,
    ITEM_KEYS,
    MEDIA_KEYS,
    NAME,
    OBJECT,
    OURS,
    PARTS,
    RAWS,
    RECORD,
    SKELETON,
    UNREADABLE,
    Document,
    ItemRecord,
    Kept,
    Record,
    SkeletonRecord,
    checksum,
    said,
    to_note,
)
from dvcs.model import Annotation, Dataset, Item, Labels, Media, Other
from dvcs.names import item_id, simple_name

RELEASE = 1 << 14


class _File(msgspec.Struct):
    """One annotation file, taken apart."""

    path: str
    folder: str
    subset: str
    raws: list[Raw]
    buffer: "bytes | mmap.mmap" = b""
    labels: Labels = msgspec.field(default_factory=Labels)
    top: dict[str, Any] = {}
    others: dict[str, Any] = {}

    def release(self) -> None:
        """Let go of the pages of the mapped file: they come back when they are looked at."""
        if isinstance(self.buffer, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
            self.buffer.madvise(mmap.MADV_DONTNEED)


def _opened(source: Source, path: str) -> _File:
    """Take a file apart. Raises FormatError where it is not JSON of Datumaro's outline."""
    buffer = source.buffer(path)
    data = bytes(buffer[3:]) if buffer[:3] == codecs.BOM_UTF8 else buffer
    place = source.place(path)
    try:
        document, rest = _document(data)
        held = {key: getattr(document, key) for key in Document.__struct_fields__}
        top = {
            key: msgspec.json.decode(value)
            for key, value in {**held, **rest}.items()
            if value is not UNSET and key != "items"
        }
    except UNREADABLE as error:
        raise json_error(error, data, place) from None
    if "categories" not in top or document.items is UNSET:
        key = "items" if "categories" in top else "categories"
        raise FormatError(f"has no '{key}'", place, hint="is this a Datumaro file?")
    stem = path.rpartition("/")[2][: -len(".json")]
    ours = top.pop(OURS, None)
    subset = ours.get("subset", stem) if isinstance(ours, dict) else stem
    file = _File(path, stem, _subset_name(subset, place), document.items, buffer=data)
    file.labels, file.others = read_labels(top.pop("categories"), place)
    file.top = top
    _name_skeletons(file)
    file.release()
    return file


def _document(data: "bytes | mmap.mmap") -> tuple[Document, dict[str, Raw]]:
    try:
        return DOCUMENT.decode(data), {}
    except msgspec.ValidationError:
        parts = PARTS.decode(data)
        known: dict[str, Any] = {
            key: parts.pop(key) for key in Document.__struct_fields__ if key in parts
        }
        if "items" in known:
            known["items"] = RAWS.decode(known["items"])
        return Document(**known), parts


def _subset_name(subset: Any, place: Any) -> str:
    if not isinstance(subset, str):
        raise FormatError(f"its subset is {subset!r}", place)
    try:
        return simple_name(subset, "subset")
    except UnsafeName as error:
        raise UnsafeName(f"{place}: {error}", hint=error.hint) from None


def _name_skeletons(file: _File) -> None:
    """Name the keypoints of labels that only the elements of their skeletons tell."""
    nameless = (
        {at for at, one in enumerate(file.labels) if one.name in Table(file.labels).elements}
        if any(one.parent for one in file.labels)
        else set()
    )
    labels = file.labels
    if not any(one.parent for one in labels) or file.buffer.find(f'"{SKELETON}"'.encode()) < 0:
        return
    elements = Table(labels).elements
    nameless = {at for at, one in enumerate(labels) if one.name in elements and not one.keypoints}
    if not nameless:
        return
    used: set[int] = set()
    for raw in file.raws:
        try:
            record = ITEM.decode(raw)
        except UNREADABLE:
            continue
        records: list[Any] = record.annotations or []
        used.update(one.label_id or 0 for one in records if isinstance(one, SkeletonRecord))
    file.labels = with_keypoints(labels, used & nameless)


# -- the dataset ---------------------------------------------------------------------------------


def read(source: Source) -> Dataset:
    """Return the Datumaro dataset at a source; see `datumaro.read`."""
    paths = places(source)
    files = [_opened(source, path) for path in paths]
    labels, differing = union([file.labels for file in files])
    if differing:
        source.note("labels that two files describe differently, of which the first is taken")
    metadata: dict[str, Any] = {}
    tops = {}
    for file in files:
        metadata |= file.others
        empty = {} if file.raws else {"empty": True}
        tops[file.subset] = {**file.top, **empty}
    if len(tops) != len(files):
        raise FormatError(f"two files are of the subset '{files[-1].subset}'", source.name)
    metadata[NAME] = {"files": tops}
    count = sum(len(file.raws) for file in files)
    opened = [files]
    del files, file

    def walk() -> Iterator[Item]:
        # What `read` took apart serves the first walk, and is let go of as that goes on.
        ready = opened.pop() if opened else []

        def each() -> Iterator[_File]:
            for path in paths:
                yield ready.pop(0) if ready else _opened(source, path)

        return _items(source, each())

    return Dataset(labels, walk, metadata=metadata, count=count)


def _items(source: Source, files: Iterable[_File]) -> Iterator[Item]:
    def records() -> Iterator[tuple[_ItemReader, int, Raw]]:
        for file in files:
            reader = _ItemReader(source, file)
            for number, raw in enumerate(file.raws):
                yield reader, number, raw
                if not number % RELEASE:
                    file.release()

    def parse(record: tuple[_ItemReader, int, Raw]) -> Item:
        reader, number, raw = record
        return reader.item(number, raw)

    return source.items(records(), parse)


class _ItemReader:
    """Makes items of the records of one file."""

    def __init__(self, source: Source, file: _File) -> None:
        self._report: Callable[[DvcsError], None] = source.report
        self._file = file
        self._place = source.place(file.path)
        self._table = Table(file.labels)
        self._finder = Finder(source, root_of(file.path), file.folder)
        self._ids: set[str] = set()

    def item(self, number: int, raw: Raw) -> Item:
        """Return an item. Raises FormatError and UnsafeName for what none can be made of."""
        rest: dict[str, Any] = {}
        raws: list[Raw] | None = None
        try:
            record = ITEM.decode(raw)
        except UNREADABLE:
            record, raws, rest = self._loosely(number, raw)
        id = self._id(record.id, number, rest)
        where = f"item '{id}'"
        records, notes = self._notes(record, raws, raw, where)
        media, origins, extra = self._media(record, id, where)
        rest |= extra
        ours = record.dvcs
        held: dict[str, Any] = {NAME: rest} if rest else {}
        if ours is None:
            annotations = self._whole(records, notes, (), where)
            return Item(
                id,
                self._file.subset,
                media,
                annotations,
                record.attr or {},
                extra=held,
                origins=origins,
            )
        if ours.media is not None and ours.check == checksum(_plain_media(record)):
            media, origins = self._restored(ours.media, id)
        return Item(
            id,
            self._file.subset,
            media,
            self._whole(records, notes, ours.annotations, where),
            record.attr or {},
            ours.annotated,
            {k: v for k, v in {**held, **ours.extra}.items() if v is not None},
            origins=origins,
        )

    def _loosely(self, number: int, raw: Raw) -> tuple[ItemRecord, list[Raw], dict[str, Any]]:
        """Take a record apart that has unknown keys, or annotations that need a closer look."""
        where = f"items[{number}]"
        try:
            parts = PARTS.decode(raw)
            annotations = parts.pop("annotations", None)
            raws = [] if annotations in (None, b"null") else RAWS.decode(annotations)
            fields = {key: msgspec.json.decode(value) for key, value in parts.items()}
            known = {key: value for key, value in fields.items() if key in ITEM_KEYS}
            record = msgspec.convert(known, ItemRecord)
        except UNREADABLE as error:
            raise FormatError(said(error), self._place, item=where) from None
        return record, raws, {key: fields[key] for key in fields if key not in ITEM_KEYS}

    def _id(self, stated: str | int, number: int, rest: dict[str, Any]) -> str:
        try:
            id = item_id(str(stated))
        except UnsafeName as error:
            raise UnsafeName(
                f"{self._place} (items[{number}]): id {error}", hint=error.hint
            ) from None
        if id != stated:
            rest["id"] = stated
        if id in self._ids:
            raise FormatError(f"two items have the id '{id}'", self._place, item=f"items[{number}]")
        self._ids.add(id)
        return id

    # Annotations

    def _notes(
        self, record: ItemRecord, raws: list[Raw] | None, raw: Raw, where: str
    ) -> tuple[list[Record | None], list[Annotation]]:
        """Return the annotations of an item with their records; None with one that is no good."""
        table = self._table
        records: list[Any] = record.annotations or []
        if raws is None:
            try:
                return records, [annotate(one, table) for one in records]
            except (BadRecord, InvalidShape):
                raws = RAWS.decode(PARTS.decode(raw)["annotations"])
        found: list[Record | None] = []
        notes: list[Annotation] = []
        for at, one in enumerate(raws):
            try:
                kept, note = self._note(one)
            except (BadRecord, InvalidShape) as error:
                place = f"{where}, annotations[{at}]"
                self._report(FormatError(str(error), self._place, item=place, hint=error.hint))
                verbatim = _verbatim(one)
                if verbatim is None:
                    continue
                kept, note = None, Other(NAME, verbatim)
            found.append(kept)
            notes.append(note)
        return found, notes

    def _note(self, one: Raw) -> tuple[Record, Annotation]:
        try:
            record = RECORD.decode(one)
        except UNREADABLE as error:
            try:
                return annotate_loosely(OBJECT.decode(one), self._table)
            except UNREADABLE:
                raise BadRecord(said(error)) from None
        return record, annotate(record, self._table)

    def _whole(
        self,
        records: list[Record | None],
        notes: list[Annotation],
        kept: Iterable[Kept],
        where: str,
    ) -> list[Annotation]:
        """Join the rings of polygons, put in what the dialect has no record for, number groups."""
        stated: list[Any] = [None] * len(notes)
        if any([one is None or one.dvcs is not None for one in records]):  # noqa: C419 -- half the time
            notes, stated = _joined(records, notes)
        for one in kept:
            try:
                note = to_note(one.note)
            except msgspec.ValidationError as error:
                item = f"{where}, {OURS}.annotations"
                self._report(FormatError(said(error), self._place, item=item))
                continue
            at = min(max(one.at, 0), len(notes))
            notes.insert(at, note)
            stated.insert(at, one.group)
        if any([note.group for note in notes]):  # noqa: C419 -- likewise
            return regrouped(notes, stated)
        return notes

    # Media

    def _media(self, record: ItemRecord, id: str, where: str) -> Found:
        try:
            return read_media(_plain_media(record), id, self._file.folder, self._finder)
        except BadMedia as error:
            raise FormatError(str(error), self._place, item=where) from None

    def _restored(self, media: Media, id: str) -> tuple[Media, tuple[Any, ...]]:
        """Return media as dvcs wrote them; of files that are here, bytes tell their own hash."""
        files, origins = [], []
        for index, file in enumerate(media.files):
            try:
                name = item_id(name_of(media, index, id))
            except UnsafeName as error:
                raise UnsafeName(f"{self._place} (item '{id}'): {error}", hint=error.hint) from None
            folder = folder_of(media, index, self._file.folder, id)
            found = self._finder.exactly(f"{folder}/{name}")
            here = found is not None
            files.append(msgspec.structs.replace(file, sha256=None, size=None) if here else file)
            origins.append(found)
        return msgspec.structs.replace(media, files=tuple(files)), tuple(origins)


def _joined(
    records: list[Record | None], notes: list[Annotation]
) -> tuple[list[Annotation], list[Any]]:
    whole: list[Annotation] = []
    stated: list[Any] = []
    at = 0
    while at < len(notes):
        one = records[at]
        ours = one.dvcs if one is not None else None
        stated.append(ours.get("group") if ours else None)
        note, count = joined(records, notes, at) if ours else (notes[at], 1)
        whole.append(note)
        at += count
    return whole, stated


def _plain_media(record: ItemRecord) -> Mapping[str, Any]:
    return {key: value for key in MEDIA_KEYS if (value := getattr(record, key)) is not UNSET}


def _verbatim(one: Raw) -> dict[str, Any] | None:
    """Return a record as it stands, None where it is not even an object."""
    try:
        return OBJECT.decode(one)
    except UNREADABLE:
        return None
