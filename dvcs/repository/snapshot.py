"""
What one commit holds: sources, their labels and items, read by walking trees and packs.

    <commit tree>
    ├── dataset.json                    layout version
    ├── dvcs.toml                       policy, optional
    └── <source>/
        ├── source.json                 where it came from
        ├── categories.json             labels
        └── items/<subset>/...          `objects/trees.py`
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property, reduce
from heapq import merge
from itertools import groupby
from typing import Any, NamedTuple

import msgspec

from dvcs.errors import CorruptObject, MissingObject, RepositoryError, UnsafeName
from dvcs.model import Dataset, Item, Labels, MediaFile, Origin
from dvcs.names import is_cut, item_id, quote, unquote
from dvcs.objects import trees
from dvcs.objects.canonical import canonical_json
from dvcs.objects.gitobjects import MODE_FILE, MODE_TREE, TreeEntry, decode_tree
from dvcs.objects.items import (
    decode_header,
    decode_item,
    decode_labels,
    key_maps,
)
from dvcs.objects.packs import PackWriter
from dvcs.objects.store import ObjectStore

DATASET, POLICY = b"dataset.json", b"dvcs.toml"
SOURCE, CATEGORIES, ITEMS = b"source.json", b"categories.json", b"items"
VERSION = {"features": [], "version": 1}
SIZE = trees.SIZE
PLAIN = re.compile(r"[A-Za-z0-9_-](?:[A-Za-z0-9_.-]{,100}[A-Za-z0-9_-])?")
"""Names of items that are their ids, and harmless."""
UNSAFE = "somebody put it into the repository by other means than dvcs"


class SourceInfo(msgspec.Struct, frozen=True, omit_defaults=True):
    """
    `source.json`: what a source is beside its items.

    `origin` says where it came from (a path or URL, without credentials); `metadata` is what its
    format said of the whole dataset.
    """

    format: str = ""
    options: dict[str, Any] = {}
    origin: str = ""
    licence: str = ""
    metadata: dict[str, Any] = {}
    extra: dict[str, Any] = {}


class SourceTree(NamedTuple):
    """One source of a commit: the ids of its blobs, and of each subset's folder of items."""

    info: bytes
    labels: bytes
    subsets: Mapping[str, bytes]


class Trees:
    """Reads and writes trees: those of the store, and those that a writer has not published."""

    def __init__(self, store: ObjectStore, writer: PackWriter | None = None) -> None:
        self._store = store
        self._writer = writer

    def tree(self, what: Any) -> Any:
        """Return the entries of a tree by its id; or, given entries, write a tree."""
        if not isinstance(what, bytes):
            if self._writer is None:
                raise RepositoryError("nothing can be written here")
            return self._writer.tree(what)
        if self._writer is not None and (held := self._writer.pending(what)) is not None:
            return decode_tree(held[1])
        return self._store.tree(what)

    def continues(self, oid: bytes) -> int:
        """Return how many blobs follow an item's first."""
        return decode_header(self.blob(oid)).continues

    def blob(self, oid: bytes) -> bytes:
        """Return a blob; one that the writer still holds is published first, which harms nobody."""
        try:
            return self._store.blob(oid)
        except MissingObject:
            if self._writer is None or not self._writer.publish():
                raise
            return self._store.blob(oid)


def read_sources(reader: Trees, root: bytes) -> dict[str, SourceTree]:
    """
    Return the sources of a commit's tree, by name.

    Raises RepositoryError where a newer dvcs wrote a layout that this one does not know.
    """
    found: dict[str, SourceTree] = {}
    for name, mode, oid in reader.tree(root):
        if mode != MODE_TREE:
            continue
        entries: dict[bytes, TreeEntry] = {entry.name: entry for entry in reader.tree(oid)}
        if SOURCE not in entries or CATEGORIES not in entries:
            continue
        subsets: dict[str, bytes] = {}
        if ITEMS in entries:
            for subset, _, tree in reader.tree(entries[ITEMS].oid):
                subsets[unquote(subset.decode(errors="replace"))] = tree
        found[unquote(name.decode(errors="replace"))] = SourceTree(
            entries[SOURCE].oid, entries[CATEGORIES].oid, subsets
        )
    return dict(sorted(found.items()))


def write_root(
    writer: Trees,
    blob: bytes,
    sources: Mapping[str, SourceTree],
    policy: bytes | None,
    others: Iterable[TreeEntry] = (),
) -> bytes:
    """
    Write the tree of a commit.

    `blob` is the id of `dataset.json`, `policy` of `dvcs.toml`; `others` are files and folders
    that are none of dvcs's (a README that somebody put there with Git).
    """
    taken = {DATASET, POLICY, *(quote(name).encode() for name in sources)}
    entries = [TreeEntry(DATASET, MODE_FILE, blob)]
    entries += [entry for entry in others if entry.name not in taken]
    if policy is not None:
        entries.append(TreeEntry(POLICY, MODE_FILE, policy))
    entries += [
        TreeEntry(quote(name).encode(), MODE_TREE, _write_source(writer, source))
        for name, source in sources.items()
    ]
    root: bytes = writer.tree(entries)
    return root


def _write_source(writer: Trees, source: SourceTree) -> bytes:
    entries = [(SOURCE, MODE_FILE, source.info), (CATEGORIES, MODE_FILE, source.labels)]
    if source.subsets:
        subsets = [(quote(name).encode(), MODE_TREE, tree) for name, tree in source.subsets.items()]
        entries.append((ITEMS, MODE_TREE, writer.tree(subsets)))
    written: bytes = writer.tree(entries)
    return written


class Snapshot:
    """The contents of one commit's tree. Everything is read when asked for."""

    def __init__(self, store: ObjectStore, root: bytes | None) -> None:
        self.store = store
        self.root = root
        self.reader = Trees(store)

    @cached_property
    def sources(self) -> dict[str, SourceTree]:
        """The sources by name."""
        if self.root is None:
            return {}
        self._check_version()
        return read_sources(self.reader, self.root)

    def _check_version(self) -> None:
        entry = self._entry(DATASET)
        try:
            layout = json.loads(self.store.blob(entry)) if entry else None
        except ValueError:
            layout = None
        if not isinstance(layout, dict) or "version" not in layout:
            raise CorruptObject(
                "the commit is not one of dvcs: it has no readable 'dataset.json'",
                hint="was it made by plain Git?",
            )
        unknown = layout["version"] != VERSION["version"] or layout.get("features")
        if unknown:
            raise RepositoryError(
                "the commit was written by a newer dvcs", hint="install a newer dvcs"
            )

    def _entry(self, name: bytes) -> bytes | None:
        if self.root is None:
            return None
        return next((oid for one, _, oid in self.reader.tree(self.root) if one == name), None)

    @cached_property
    def others(self) -> list[TreeEntry]:
        """Files and folders of the commit that are none of dvcs's."""
        if self.root is None:
            return []
        own = {DATASET, POLICY, *(quote(name).encode() for name in self.sources)}
        return [entry for entry in self.reader.tree(self.root) if entry.name not in own]

    @cached_property
    def policy(self) -> bytes | None:
        """The id of `dvcs.toml`."""
        return self._entry(POLICY)

    def info(self, source: str) -> SourceInfo:
        """Return a source's `source.json`."""
        try:
            return msgspec.json.decode(self.store.blob(self.sources[source].info), type=SourceInfo)
        except msgspec.MsgspecError as error:
            raise CorruptObject(f"'{source}/source.json' cannot be read: {error}") from None

    def labels(self, source: str) -> Labels:
        """Return a source's labels."""
        return decode_labels(self.store.blob(self.sources[source].labels))

    def names(self, source: str, subset: str) -> dict[bytes, bytes]:
        """Return the items of one subset: blobs by quoted name, sorted by id."""
        found = trees.walk(self.reader, self.sources[source].subsets.get(subset))
        return dict(sorted(found, key=lambda pair: unquote(pair[0].decode(errors="replace"))))

    def find(self, source: str, subset: str, id: str) -> bytes | None:
        """Return the blobs of one item, None where it is not there."""
        held = self.sources.get(source)
        tree = held.subsets.get(subset) if held else None
        return trees.find_anywhere(self.reader, tree, quote(id).encode())

    def count(self, source: str) -> int:
        """Count the items of a source without reading one."""
        return sum(trees.count(self.reader, tree) for tree in self.sources[source].subsets.values())

    def blobs(self, held: bytes) -> list[bytes]:
        """Return the bytes of an item's blobs."""
        return [self.store.blob(held[n : n + SIZE]) for n in range(0, len(held), SIZE)]

    def item(self, source: str, subset: str, id: str, media: "MediaAccess") -> Item | None:
        """Return one item, None where it is not there."""
        held = self.find(source, subset, id)
        if held is None:
            return None
        _, names = key_maps(self.labels(source))
        item = decode_item(self.blobs(held), id, subset, names)
        return media.bind(item.with_(source=source))

    def dataset(self, source: str, media: "MediaAccess") -> Dataset:
        """Return one source as a dataset, walked in the order (subset, id)."""
        info = self.info(source)
        labels = self.labels(source)
        _, names = key_maps(labels)

        def walk() -> Iterator[Item]:
            for subset in sorted(self.sources[source].subsets):
                held = self.names(source, subset)
                yield from self._items(source, subset, held, names, media)

        return Dataset(
            labels,
            walk,
            metadata=info.metadata,
            format=info.format,
            count=self.count(source),
            subset_names=sorted(self.sources[source].subsets),
        )

    def selected(
        self, source: str, items: Mapping[str, Mapping[bytes, bytes]], media: "MediaAccess"
    ) -> Dataset:
        """Return some items of a source, given by subset and name, as a dataset."""
        info = self.info(source)
        labels = self.labels(source)
        _, names = key_maps(labels)

        def walk() -> Iterator[Item]:
            for subset in sorted(items):
                yield from self._items(source, subset, items[subset], names, media)

        count = sum(map(len, items.values()))
        return Dataset(labels, walk, metadata=info.metadata, format=info.format, count=count)

    def _items(
        self,
        source: str,
        subset: str,
        held: Mapping[bytes, bytes],
        names: Mapping[str, str],
        media: "MediaAccess",
    ) -> Iterator[Item]:
        for name, blobs in self.read_blobs(held):
            id = _id_of(name)
            item = decode_item(blobs, id, subset, names)
            if not id:
                _safe(item.id)
            yield media.bind(msgspec.structs.replace(item, source=source))

    def read_blobs(self, held: Mapping[bytes, bytes]) -> Iterator[tuple[bytes, Sequence[bytes]]]:
        """Yield name and blobs' bytes of many items, in bulk."""
        oids = (blobs[n : n + SIZE] for blobs in held.values() for n in range(0, len(blobs), SIZE))
        stream = self.store.blobs(oids)
        for name, blobs in held.items():
            yield name, [next(stream) for _ in range(len(blobs) // SIZE)]
        next(stream, None)  # its threads end here: an interrupt in a collected generator is lost


def _id_of(name: bytes) -> str:
    """
    Return the id of an item by its name; '' for a cut one, where it stands inside.

    Raises UnsafeName for an id that no dvcs would have written, as it leads out of its folder.
    """
    quoted = name.decode(errors="replace")
    if PLAIN.fullmatch(quoted):
        return quoted
    return "" if is_cut(quoted) else _safe(unquote(quoted))


def _safe(id: str) -> str:
    if "\\" in id:
        raise UnsafeName(f"{id!r} has a backslash", hint=UNSAFE)
    try:
        item_id(id)
    except UnsafeName as error:
        raise UnsafeName(str(error), hint=UNSAFE) from None
    return id


class MediaAccess:
    """Finds the bytes of media: in the store, else where a record says they are."""

    def bind(self, item: Item) -> Item:
        """Return the item with its origins."""
        if item.media is None:
            return item
        origins = tuple(self.origin(file) for file in item.media.files)
        return msgspec.structs.replace(item, origins=origins) if any(origins) else item

    def origin(self, file: MediaFile) -> Origin | None:
        """Return where the bytes of a file can be had, None where they cannot."""
        del file
        return None


def join(datasets: Iterable[Dataset]) -> Dataset:
    """
    Return several sources as one dataset: labels by name, equal items united.

    Items of the same subset and id are united where their media are the same. Raises
    RepositoryError where they are not.
    """
    held = list(datasets)
    if len(held) == 1:
        return held[0]
    labels = Labels()
    metadata: dict[str, Any] = {}
    for one in held:
        labels = labels.united(one.labels)
        metadata = {**one.metadata, **metadata}

    def walk() -> Iterator[Item]:
        for _, same in groupby(merge(*held, key=_order), key=_order):
            yield reduce(_united, same)

    return Dataset(labels, walk, metadata=metadata)


def _order(item: Item) -> tuple[str, str]:
    """Return what a source is walked by: the subset, and the id as far as its name tells it."""
    return item.subset, unquote(quote(item.id))


def _united(first: Item, second: Item) -> Item:
    one, other = _media_key(first), _media_key(second)
    if one is not None and other is not None and one != other:
        raise RepositoryError(
            f"'{first.source}' and '{second.source}' both have an item '{first.subset}/{first.id}',"
            " with different media",
            hint="name one source (REV:SOURCE), or keep them apart with --prefix-source",
        )
    top = max((note.group for note in first.annotations), default=0)
    moved = [
        note.with_(group=note.group + top) if note.group else note for note in second.annotations
    ]
    return first.with_(
        annotations=[*first.annotations, *moved],
        attributes={**second.attributes, **first.attributes},
        extra={**second.extra, **first.extra},
        media=first.media if one is not None or second.media is None else second.media,
        origins=first.origins if one is not None or not second.origins else second.origins,
        annotated=first.annotated or second.annotated,
    )


def _media_key(item: Item) -> tuple[str | None, ...] | None:
    if item.media is None or not any(file.sha256 for file in item.media.files):
        return None
    return tuple(file.sha256 for file in item.media.files)


def dataset_json() -> bytes:
    """Return the contents of `dataset.json`."""
    return canonical_json(VERSION) + b"\n"
