"""
Turning a dataset into stored objects: items become blobs, media go into the media store.

All of it streams: items are read, their media taken in, their text hashed and deflated in batches;
what is held is one entry a name. `Ingested` is what trees are made of.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from dvcs.errors import DvcsError, InvalidMedia, RepositoryError, UnsafeName
from dvcs.model import Dataset, Item, Media, MediaFile
from dvcs.names import is_cut, item_id, quote, simple_name
from dvcs.objects.items import encode_item, key_maps
from dvcs.objects.media import MediaWriter, StoredMedia
from dvcs.objects.packs import PackWriter
from dvcs.streams import closed, collector_off

if TYPE_CHECKING:
    from dvcs.media.headers import ImageHeader

MediaMode = Literal["store", "reference", "none"]
BATCH = 256
NORMAL_ORIENTATION = 1


class Ingested(NamedTuple):
    """The items that were stored: blobs by quoted name, for each subset; and what was in them."""

    subsets: dict[str, dict[bytes, bytes]]
    annotations: int
    media_files: int
    media_bytes: int

    @property
    def items(self) -> int:
        """How many items there are."""
        return sum(map(len, self.subsets.values()))


Prepare = Callable[[Item], tuple[str, bytes, list[bytes]]]


class MediaTaker:
    """Takes the media of items into the store (or refers to them), and learns their sizes."""

    def __init__(
        self, mode: MediaMode, writer: Callable[[], MediaWriter], root: Path | None = None
    ) -> None:
        self.mode = mode
        self.files = 0
        self.bytes = 0
        self.notes: Counter[str] = Counter()
        """What is odd about files that were taken in, counted."""
        self._writer = writer
        self._root = root
        self.outside: set[Path] = set()
        """The folders outside of the working folder that items were made to refer to."""

    def take(self, items: Iterable[Item]) -> Iterator[Item]:
        """Yield the items with hash, size, height and width of their media filled in."""
        if self.mode == "none":
            yield from items
            return
        batch: list[Item] = []
        for item in items:
            # One by one where there is nothing to take in: an item is encoded while it is still in
            # the processor's cache, which a batch of 256 is not (2 s of 118,000 items' 16).
            if not batch and not any(item.origins):
                yield item
                continue
            batch.append(item)
            if len(batch) == BATCH:
                yield from self._taken(batch)
                batch = []
        yield from self._taken(batch)

    def _taken(self, batch: list[Item]) -> Iterator[Item]:
        return self._store(batch) if self.mode == "store" else map(self._refer, batch)

    def _store(self, items: list[Item]) -> Iterator[Item]:
        paths = [
            origin.path
            for item in items
            for origin in item.origins
            if origin is not None and origin.path is not None
        ]
        with closed(self._writer().add_files(paths)) as stored:
            for item in items:
                yield self._filled(item, stored) if item.origins else item

    def _filled(self, item: Item, stored: Iterator[StoredMedia]) -> Item:
        assert item.media is not None  # noqa: S101 - origins go with media
        files = list(item.media.files)
        head = b""
        for n, origin in enumerate(item.origins):
            if origin is None:
                continue
            try:
                held = (
                    next(stored)
                    if origin.path is not None
                    else self._writer().add_bytes(origin.read())
                )
            except DvcsError as error:
                error.args = (f"item '{item.id}': {error}",)
                raise
            self.files += 1
            self.bytes += held.size
            was = files[n]
            files[n] = MediaFile(
                role=was.role,
                ext=was.ext,
                name=was.name,
                sha256=held.sha256,
                size=held.size,
                url=was.url,
            )
            head = head or held.head
        return self._judged(item.with_(media=measured(item, tuple(files), head)))

    def _judged(self, item: Item) -> Item:
        """Return an item after noting whether its file says that it is an image."""
        media = item.media
        unread = media is not None and media.kind == "image" and media.size is None and media.files
        if unread and unread[0].ext.lower() != ".tga":  # which have no beginning of their own
            self.notes["files that are named like images do not begin like one"] += 1
        return item

    def _refer(self, item: Item) -> Item:
        if item.media is None or not item.origins:
            return item
        files = list(item.media.files)
        for n, origin in enumerate(item.origins):
            if origin is not None and origin.path is not None:
                try:
                    size = origin.path.stat().st_size
                except OSError as error:
                    raise InvalidMedia(
                        f"item '{item.id}': '{origin.path}' cannot be read: {error.strerror}"
                    ) from error
                files[n] = msgspec.structs.replace(files[n], size=size, url=self._url(origin.path))
                self.files += 1
        return self._judged(item.with_(media=measured(item, tuple(files))))

    def _url(self, path: Path) -> str:
        path = path.resolve()
        if self._root is not None and path.is_relative_to(self._root):
            return path.relative_to(self._root).as_posix()
        self.outside.add(path.parent)
        return path.as_posix()


def measured(item: Item, files: tuple[MediaFile, ...], head: bytes = b"") -> Media:
    """
    Return an item's media with height, width and orientation, read where they are not known.

    `head` is the beginning of the first file, if somebody has just read it.
    """
    media = item.media or Media()
    height, width, turned = media.height, media.width, media.orientation
    if media.kind in ("image", "video_frame") and media.size is None:
        header = _header(item, head)
        if header is not None:
            height, width = header.height, header.width
            turned = header.orientation if header.orientation != NORMAL_ORIENTATION else None
    return Media(
        kind=media.kind,
        files=files,
        height=height,
        width=width,
        frame=media.frame,
        orientation=turned,
    )


def _header(item: Item, head: bytes) -> "ImageHeader | None":
    from dvcs.media.headers import read_header

    if head:
        with suppress(InvalidMedia):
            return read_header(head)
    for origin in item.origins:
        if origin is None:
            continue
        with suppress(InvalidMedia):
            if origin.path is None:
                return read_header(origin.read())
            with origin.path.open("rb", buffering=4096) as file:
                return read_header(file)
    return None


def ingest(
    dataset: Dataset,
    writer: PackWriter,
    taker: MediaTaker,
    *,
    prepare: "Prepare | None" = None,
) -> Ingested:
    """
    Store all items of a dataset; publish nothing.

    `prepare` gives the subset, quoted name and blobs of an item, if not simply its own.

    Raises UnsafeName for names that could lead out of a folder, RepositoryError for two items of
    one name and for labels that the dataset does not declare, and whatever reading it raises.
    """
    keys, _ = key_maps(dataset.labels)
    checked = _Checks(dataset)
    subsets: dict[str, dict[bytes, bytes]] = {}
    waiting: deque[tuple[dict[bytes, bytes], bytes, int]] = deque()

    def plainly(item: Item) -> tuple[str, bytes, list[bytes]]:
        name = quote(item.id)
        blobs = encode_item(item, keys, keep_id=is_cut(name), decoded=dataset.decoded)
        return item.subset, name.encode(), blobs

    prepared = prepare or plainly
    annotations = 0

    def blobs_of(items: Iterator[Item]) -> Iterator[bytes]:
        nonlocal annotations
        for item in items:
            annotations += len(item.annotations)
            subset, key, parts = prepared(item)
            folder = subsets.get(subset)
            if folder is None:
                folder = subsets[subset] = {}
            if key in folder:
                raise RepositoryError(
                    f"two items are called '{subset}/{item.id}'",
                    hint="rename one, or import them as two sources",
                )
            folder[key] = b""
            waiting.append((folder, key, len(parts)))
            yield from parts

    with (
        collector_off(),
        closed(taker.take(map(checked.item, dataset))) as items,
        closed(blobs_of(items)) as blobs,
        closed(writer.blobs(blobs)) as stored,
    ):
        for oid in stored:
            folder, key, count = waiting.popleft()
            folder[key] = oid if count == 1 else oid + b"".join(islice(stored, count - 1))
    return Ingested(subsets, annotations, taker.files, taker.bytes)


class _Checks:
    """What holds for every item before anything of it is stored."""

    def __init__(self, dataset: Dataset) -> None:
        self._labels = frozenset(dataset.labels.names) | {None}
        self._subsets: set[str] = set()

    def item(self, item: Item) -> Item:
        """Return the item with its id as ids are spelt. Raises UnsafeName, RepositoryError."""
        if item.subset not in self._subsets:
            self._subsets.add(_checked_subset(item.subset))
        if not self._labels.issuperset([note.label for note in item.annotations]):
            label = next(n.label for n in item.annotations if n.label not in self._labels)
            raise RepositoryError(
                f"item '{item.id}' has the label '{label}', which its dataset does not declare",
                hint="add it to the dataset's labels",
            )
        if item.media is not None:
            for file in item.media.files:
                if file.name is not None and item_id(file.name) != file.name:
                    raise UnsafeName(f"item '{item.id}': {file.name!r} is not a name for a file")
        id = item_id(item.id)
        return item if id == item.id else item.with_(id=id)


def _checked_subset(name: str) -> str:
    if simple_name(name, "subset") != name:
        raise UnsafeName(f"{name!r} is not a name for a subset", hint="use NFC and '/'")
    return name
