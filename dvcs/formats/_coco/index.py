"""
One COCO file, taken apart but not yet read: where each image's annotations stand.

The file is mapped and cut into raw records by one pass of the JSON decoder (455 MB: 0.4 s, 50 MB
of memory); of each annotation only its image is looked at (0.4 s more). Annotations of one image
are a linked list in two arrays, because they may stand anywhere in the file.
"""

import codecs
import mmap
from array import array
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from operator import lt
from typing import Any

import msgspec
from msgspec import UNSET, Raw, UnsetType

from dvcs.errors import DvcsError, FormatError, UnsafeName
from dvcs.files import Source
from dvcs.files.source import json_error
from dvcs.formats._coco.records import HEAD, IMAGE_HEAD, OBJECT, UNREADABLE, Head, Id, said
from dvcs.names import item_id
from dvcs.streams import collector_off


class Document(msgspec.Struct, forbid_unknown_fields=True):
    """A whole file; records stay raw."""

    images: list[Raw] | UnsetType = UNSET
    annotations: list[Raw] | UnsetType = UNSET
    categories: list[Raw] | UnsetType = UNSET
    info: Raw | UnsetType = UNSET
    licenses: Raw | UnsetType = UNSET


_DOCUMENT = msgspec.json.Decoder(Document)
_RESULTS = msgspec.json.Decoder(list[Raw])
_PARTS = msgspec.json.Decoder(dict[str, Raw])
_INT64 = 1 << 63
_RAWS = msgspec.json.Decoder(list[Raw])


class Image(msgspec.Struct):
    """An image record: its id, its name as the file has it, and as an item may have it."""

    id: Id
    stated: str | None
    name: str


class Index(msgspec.Struct):
    """
    The records of one file.

    `images` and `heads` go together; a head is None where the record cannot be read (it is in
    `errors`). `keys` are top-level keys that COCO does not know, `by_image` those of them that are
    lists of records about images. `orphans` are annotations whose image is not in the file.
    """

    images: list[Raw]
    records: list[Raw]
    heads: list[Image | None] = []
    top: dict[str, Any] = {}
    """`info` and `licenses`, where the file has them."""
    categories: list[dict[str, Any]] = []
    absent: list[str] = []
    keys: dict[str, Any] = {}
    by_image: dict[str, dict[int, list[Any]]] = {}
    orphans: list[int] = []
    lost_images: list[int] = []
    duplicates: frozenset[Id] = frozenset()
    """Ids that more than one annotation has."""
    twice: set[Id] = set()
    """Ids that more than one image has."""
    category_ids: set[Id] = set()
    results: bool = False
    errors: list[DvcsError] = []
    buffer: "bytes | mmap.mmap" = b""
    first: "array[int]" = msgspec.field(default_factory=lambda: array("i"))
    """The first annotation of each image, -1 where there is none."""
    following: "array[int]" = msgspec.field(default_factory=lambda: array("i"))
    """For each annotation the next one of the same image, or -1."""

    def of_image(self, position: int) -> Iterator[int]:
        """Return the positions of an image's annotations, in the order of the file."""
        at = self.first[position]
        while at >= 0:
            yield at
            at = self.following[at]

    def release(self) -> None:
        """Let go of the pages of the mapped file: they come back when they are looked at."""
        if isinstance(self.buffer, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
            self.buffer.madvise(mmap.MADV_DONTNEED)


def read_index(source: Source, path: str, strip_prefix: str = "") -> Index:
    """
    Take a file apart. Raises FormatError where it is not JSON of COCO's outline.

    What is wrong with single records goes to the index's `errors`.
    """
    buffer = source.buffer(path)
    data = bytes(buffer[3:]) if buffer[:3] == codecs.BOM_UTF8 else buffer
    with collector_off():
        try:
            index = _taken_apart(data)
        except UNREADABLE as error:
            raise json_error(error, data, source.place(path)) from None
        index.buffer = data
        place = source.place(path)
        if not index.results:
            _read_images(index, place, strip_prefix)
        _link(index, place)
        index.release()
    return index


def _taken_apart(data: "bytes | mmap.mmap") -> Index:
    if data[:64].lstrip()[:1] == b"[":
        return Index([], _RESULTS.decode(data), results=True)
    keys: dict[str, Any] = {}
    try:
        document = _DOCUMENT.decode(data)
    except msgspec.ValidationError:
        parts = _PARTS.decode(data)
        known = {key: parts.pop(key) for key in Document.__struct_fields__ if key in parts}
        lists = ("images", "annotations", "categories")
        values: dict[str, Any] = {
            key: _listed(key, raw) if key in lists else raw for key, raw in known.items()
        }
        document = Document(**values)
        keys = {key: msgspec.json.decode(raw) for key, raw in parts.items()}
    held = {key: getattr(document, key) for key in Document.__struct_fields__}
    raws = {key: [] if held[key] is UNSET else held[key] for key in ("images", "annotations")}
    index = Index(raws["images"], raws["annotations"], keys=keys)
    index.absent = [key for key, value in held.items() if value is UNSET]
    for key in ("info", "licenses"):
        if held[key] is not UNSET:
            index.top[key] = msgspec.json.decode(held[key])
    if held["categories"] is not UNSET:
        index.categories = [OBJECT.decode(raw) for raw in held["categories"]]
    return index


def _listed(key: str, raw: Raw) -> list[Raw]:
    try:
        return _RAWS.decode(raw)
    except msgspec.ValidationError as error:
        raise msgspec.ValidationError(f"'{key}': {said(error)}") from None


def _read_images(index: Index, place: Any, strip_prefix: str) -> None:
    for number, raw in enumerate(index.images):
        try:
            index.heads.append(_image(raw, strip_prefix))
        except UNREADABLE as error:
            index.errors.append(FormatError(said(error), place, item=f"images[{number}]"))
        except UnsafeName as error:
            index.errors.append(
                UnsafeName(f"{place} (images[{number}]): file_name {error}", hint=error.hint)
            )
        if len(index.heads) == number:
            index.heads.append(None)
            index.lost_images.append(number)


def _image(raw: Raw, strip_prefix: str) -> Image:
    head = IMAGE_HEAD.decode(raw)
    OBJECT.decode(raw)  # what the head leaves out must be readable too
    for side in (head.height, head.width):
        if side is not None and side != int(side):
            raise msgspec.ValidationError(f"a side of {side} pixels is not a whole number")
    name = head.file_name
    if name is None and isinstance(head.coco_url, str):
        name = head.coco_url.rpartition("/")[2]
    name = name or str(head.id)
    if strip_prefix:
        name = name.replace("\\", "/").removeprefix(strip_prefix)
    return Image(head.id, head.file_name, item_id(name))


def _link(index: Index, place: Any) -> None:
    """Find the image of each annotation, and the ids that stand twice."""
    positions: dict[Id, int] = {}
    for number, image in enumerate(index.heads):
        if image is not None and positions.setdefault(image.id, number) != number:
            index.twice.add(image.id)
            index.errors.append(
                FormatError(
                    f"two images have the id {image.id!r}",
                    place,
                    item=f"images[{positions[image.id]}] and images[{number}]",
                )
            )
    index.first = array("i", [-1]) * len(index.heads)
    owners = array("i", [-1]) * len(index.records)
    ids, others = array("q"), []
    categories = index.category_ids if not index.categories else None
    for number, raw in enumerate(index.records):
        try:
            head = HEAD.decode(raw)
        except UNREADABLE as error:
            _orphaned(index, number, FormatError(said(error), place, item=f"annotations[{number}]"))
            continue
        owner = positions.get(head.image_id)
        if owner is None:
            owner = _without_image(index, positions, head, number, place)
            if owner < 0:
                continue
        owners[number] = owner
        if type(head.id) is int and -_INT64 <= head.id < _INT64:
            ids.append(head.id)
        elif type(head.id) is str:
            others.append(head.id)
        if categories is not None and _is_id(head.category_id):
            categories.add(head.category_id)
    index.duplicates = _twice(ids, others)
    _lists_about_images(index, positions)
    first = index.first
    following = index.following = array("i", [-1]) * len(owners)
    for number in range(len(owners) - 1, -1, -1):
        owner = owners[number]
        if owner >= 0:
            following[number] = first[owner]
            first[owner] = number


def _without_image(
    index: Index, positions: dict[Id, int], head: Head, number: int, place: Any
) -> int:
    """Return the new image of a detection; report an annotation whose image is unknown (-1)."""
    if index.results:
        return _named_by_id(index, positions, head.image_id, place)
    about = f"annotation {head.id!r}" if _is_id(head.id) else f"annotations[{number}]"
    message = f"there is no image with the id {head.image_id!r}"
    _orphaned(index, number, FormatError(message, place, item=about))
    return -1


def _orphaned(index: Index, number: int, error: FormatError) -> None:
    index.errors.append(error)
    index.orphans.append(number)


def _named_by_id(index: Index, positions: dict[Id, int], image_id: Id, place: Any) -> int:
    """Return the position of an image that only detections speak of: it is named by its id."""
    try:
        name = item_id(str(image_id))
    except UnsafeName as error:
        raise UnsafeName(f"{place}: image_id {error}", hint=error.hint) from None
    positions[image_id] = len(index.heads)
    index.heads.append(Image(image_id, None, name))
    index.first.append(-1)
    return positions[image_id]


def _twice(numbers: "array[int]", texts: list[str]) -> frozenset[Id]:
    """Return the ids that come more than once. Rising numbers, as most files have, cost nothing."""
    found: set[Id] = {id for id, count in Counter(texts).items() if count > 1}
    if not all(map(lt, numbers, islice(numbers, 1, None))):
        import numpy as np

        ids = np.sort(np.frombuffer(numbers, np.int64))
        found.update(ids[1:][ids[1:] == ids[:-1]].tolist())
    return frozenset(found)


def _lists_about_images(index: Index, positions: dict[Id, int]) -> None:
    """Hand top-level lists of records about images (TACO's `scene_annotations`) to the images."""
    for key, value in list(index.keys.items()):
        if not isinstance(value, list) or not value:
            continue
        if not all(isinstance(one, dict) and _is_id(one.get("image_id")) for one in value):
            continue
        if not all(one["image_id"] in positions for one in value):
            continue
        table: dict[int, list[Any]] = {}
        for one in value:
            table.setdefault(positions[one.pop("image_id")], []).append(one)
        index.by_image[key] = table
        del index.keys[key]


def _is_id(id: Any) -> bool:
    return type(id) is int or type(id) is str
