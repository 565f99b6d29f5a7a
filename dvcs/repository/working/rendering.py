"""
What files show of stored items: they are written through a format and read again, in memory.

Media are not copied: each file is a mark that says whose it is, and reads the stored bytes if the
format asks for them. So a read item is known for what it was, whatever the format calls it.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import msgspec

from dvcs import formats
from dvcs.errors import NotADataset
from dvcs.files import MemorySink, MemorySource, Unturned
from dvcs.files.origins import Peeking, opened
from dvcs.files.sink import Sum, sum_of
from dvcs.files.source import STAMP
from dvcs.formats._format import Format
from dvcs.model import Dataset, Item, Media, MediaFile, Origin
from dvcs.names import quote, strip_extension
from dvcs.repository.snapshot import Snapshot
from dvcs.repository.working.reading import reading_options, writing_options

if TYPE_CHECKING:
    from pathlib import Path

    from dvcs.repository import Repository

Name = tuple[str, bytes]
"""Subset and quoted id of an item."""


class Rendering(NamedTuple):
    """
    How a source was written out.

    `exact`: what reading gave at the time is just what was stored (a dataset in its own files), so
    nothing needs to be projected. `renumbered`: who sends it back may number tracks anew.
    `image_ext`: images of other extensions were encoded anew; `sums` tells which are still what
    was written then, and so no edits.
    """

    format: Format
    options: Mapping[str, Any]
    subset: str | None = None
    save_media: bool = True
    exact: bool = False
    renumbered: bool = False
    convert_shapes: bool = True
    image_ext: str = ""
    sums: Mapping[str, Sum] = {}


class Rendered(NamedTuple):
    """
    What reading gave: the dataset, and its items with the names of the stored ones.

    `media` are the paths at which the format put the media of a stored item.
    """

    dataset: Dataset
    items: list[tuple[Name, Item]]
    media: Mapping[Name, list[str]]


def rendered(
    repo: "Repository",
    base: Snapshot,
    source: str,
    chosen: Mapping[str, Mapping[bytes, bytes]],
    how: Rendering,
) -> Rendered | None:
    """
    Return what the files show of some stored items, given by subset and name.

    None where the format can make nothing of them. Raises what writing and reading raise.
    """
    tags: dict[Name, Media] = {}
    stored = base.selected(source, chosen, repo.media_access)
    tagged = stored.map(lambda item: _tagged(item, tags))
    try:
        return _write_and_read(tagged, source, how, chosen, tags)
    except NotADataset:
        return None


def _write_and_read(
    dataset: Dataset,
    source_name: str,
    how: Rendering,
    chosen: Mapping[str, Mapping[bytes, bytes]],
    tags: Mapping[Name, Media],
) -> Rendered:
    sink = MemorySink(save_media=how.save_media)
    options = writing_options(how.format, how.options)
    formats.write(dataset, how.format, sink, convert_shapes=how.convert_shapes, **options)
    source = MemorySource(
        {**sink.files, STAMP: b"{}"}, media=sink.origins, name=f"'{source_name}'", subset=how.subset
    )
    read = formats.read(source, how.format, **reading_options(how.format, how.options))
    where: dict[bytes, Name | None] = {}
    for subset, names in chosen.items():
        for name in names:
            where[name] = None if name in where else (subset, name)
    found = []
    for item in read:
        whose = _tag_of(item)
        if whose is None:
            own = item.subset, quote(item.id).encode()
            whose = own if own[1] in chosen.get(item.subset, {}) else where.get(own[1])
        if whose is not None:
            found.append((whose, _as_shown(item, tags.get(whose))))
    source.finish()
    media: dict[Name, list[str]] = {}
    for path, origin in sink.origins.items():
        owner = _name_of(origin)
        if owner is not None:
            media.setdefault(owner, []).append(path)
    return Rendered(read, found, media)


class _Tagged(Peeking):
    """The bytes of a stored item's media, and whose they are."""

    __slots__ = ("_origin", "name")

    def __init__(self, origin: Origin, name: Name) -> None:
        self._origin = origin
        self.name = name

    @property
    def path(self) -> "Path | None":
        return self._origin.path

    def read(self) -> bytes:
        return self._origin.read()

    def peek(self) -> BinaryIO:
        return opened(self._origin)


def _tagged(item: Item, tags: dict[Name, Media]) -> Item:
    name = item.subset, quote(item.id).encode()
    if item.media is not None:
        tags[name] = item.media
    if not item.origins:
        return item
    return item.with_(
        origins=tuple(None if one is None else _Tagged(one, name) for one in item.origins)
    )


def _tag_of(item: Item) -> Name | None:
    return next((name for one in item.origins if (name := _name_of(one)) is not None), None)


def _name_of(origin: Origin | None) -> Name | None:
    """Return whose media an origin gives."""
    inner = origin.origin if isinstance(origin, Unturned) else origin
    return inner.name if isinstance(inner, _Tagged) else None


def _as_shown(item: Item, stored: Media | None) -> Item:
    """Return a projected item with the media facts that reading real files would have given."""
    media = item.media
    if media is None or stored is None:
        return item.with_(origins=())
    files: list[MediaFile] = []
    for n, file in enumerate(media.files):
        origin = item.origins[n] if n < len(item.origins) else None
        if isinstance(origin, Unturned):
            data = origin.read()
            digest = hashlib.sha256(data).hexdigest()
            files.append(msgspec.structs.replace(file, sha256=digest, size=len(data)))
        elif origin is not None and n < len(stored.files):
            was = stored.files[n]
            files.append(msgspec.structs.replace(file, sha256=was.sha256, size=was.size))
        else:
            files.append(file)
    fields: dict[str, Any] = {"files": tuple(files)}
    if media.size is None and any(item.origins):
        fields |= {
            "height": stored.height,
            "width": stored.width,
            "orientation": stored.orientation,
        }
    return item.with_(media=msgspec.structs.replace(media, **fields), origins=())


def with_neighbours(
    base: Snapshot, names: Mapping[str, Mapping[bytes, bytes]], wanted: set[Name]
) -> set[Name]:
    """
    Return items, and all frames of the sequences in which some of them have tracks.

    Alone, the shape of a track would be where it begins, and so be shown as a keyframe.
    """
    sequences = {
        (subset, _folder(name))
        for subset, held in names.items()
        for name, parts in base.read_blobs(
            {name: blobs for name, blobs in held.items() if (subset, name) in wanted}
        )
        if any(b'"track":' in part for part in parts)
    }
    return wanted | {
        (subset, name)
        for subset, held in names.items()
        for name in held
        if (subset, _folder(name)) in sequences
    }


def _folder(name: bytes) -> bytes:
    return name.rpartition(b"%2F")[0]


def is_encoded_anew(stored: Item, read: Item, paths: Sequence[str], how: Rendering) -> bool:
    """
    Tell whether an item's image is the stored one as it was encoded for a format, so no edit.

    `paths` are where the format puts it. What somebody put in its place has another sum.
    """
    files = stored.media.files if stored.media is not None else ()
    if not how.image_ext or all(one.ext.lower() == how.image_ext.lower() for one in files):
        return False
    written = [how.sums.get(strip_extension(path) + how.image_ext) for path in paths]
    there = [sum_of(one.read()) for one in read.origins if one is not None]
    if not there:
        return True
    if len(there) != len(written) or not any(written):
        return False
    return all(was in (None, now) for was, now in zip(written, there, strict=True))
