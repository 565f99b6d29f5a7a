"""
What the policy looks at: a commit's tree that may not be published yet, and what differs in it.

Trees tell what differs; only items that do are opened.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import islice
from typing import NamedTuple

import msgspec

from dvcs.errors import CorruptObject, MissingObject
from dvcs.model import Item, Labels
from dvcs.names import unquote
from dvcs.objects import trees
from dvcs.objects.items import decode_item, decode_labels, key_maps
from dvcs.objects.store import ObjectStore
from dvcs.repository.snapshot import POLICY, SIZE, SourceInfo, SourceTree, Trees, read_sources

BATCH = 4096
"""Items whose blobs are fetched together."""


class Changed(NamedTuple):
    """One item that two trees do not have alike: its blobs, None where a side has none."""

    source: str
    subset: str
    name: bytes
    old: bytes | None
    new: bytes | None


class View:
    """One commit's tree (None: of no commit), read through a reader of unpublished objects."""

    def __init__(self, store: ObjectStore, reader: Trees, root: bytes | None) -> None:
        self.store = store
        self.reader = reader
        self.root = root
        self.entries: dict[bytes, bytes] = (
            {} if root is None else {name: oid for name, _, oid in reader.tree(root)}
        )

    @property
    def policy(self) -> bytes | None:
        """The id of `dvcs.toml`."""
        return self.entries.get(POLICY)

    @property
    def others(self) -> dict[bytes, bytes]:
        """Everything but `dvcs.toml`."""
        return {name: oid for name, oid in self.entries.items() if name != POLICY}

    @cached_property
    def sources(self) -> dict[str, SourceTree]:
        """The sources by name."""
        return {} if self.root is None else read_sources(self.reader, self.root)

    def subsets(self, source: str) -> dict[str, bytes]:
        """Return the trees of a source's subsets; none of a source that is not there."""
        return dict(self.sources[source].subsets) if source in self.sources else {}

    def labels(self, source: str) -> Labels:
        """Return a source's labels; none of a source that is not there."""
        if source not in self.sources:
            return Labels()
        return decode_labels(self.reader.blob(self.sources[source].labels))

    def info(self, source: str) -> SourceInfo:
        """Return a source's `source.json`."""
        try:
            return msgspec.json.decode(self.reader.blob(self.sources[source].info), type=SourceInfo)
        except msgspec.MsgspecError as error:
            raise CorruptObject(f"'{source}/source.json' cannot be read: {error}") from None

    def blobs(self, oids: Sequence[bytes]) -> list[bytes]:
        """Return many blobs, in bulk where they are all published."""
        try:
            return list(self.store.blobs(oids, threads=1))
        except MissingObject:
            return [self.reader.blob(oid) for oid in oids]

    def items(self, changed: "Sequence[Changed]") -> Iterator[tuple[Changed, Item]]:
        """Yield what items are on the new side; those that are not there are left out."""
        names: dict[str, dict[str, str]] = {}
        stream = iter(one for one in changed if one.new is not None)
        while batch := list(islice(stream, BATCH)):
            held = [one.new or b"" for one in batch]
            blobs = iter(
                self.blobs([o[n : n + SIZE] for o in held for n in range(0, len(o), SIZE)])
            )
            for one, oids in zip(batch, held, strict=True):
                texts = [next(blobs) for _ in range(len(oids) // SIZE)]
                if one.source not in names:
                    names[one.source] = key_maps(self.labels(one.source))[1]
                item = decode_item(texts, id_of(one.name), one.subset, names[one.source])
                yield one, item.with_(source=one.source)


def changes(before: View, after: View) -> list[Changed]:
    """Return the items that differ from one view to another, source by source."""
    found: list[Changed] = []
    for source in sorted(before.sources.keys() | after.sources.keys()):
        if before.sources.get(source) == after.sources.get(source):
            continue
        old, new = before.subsets(source), after.subsets(source)
        for subset in sorted(old.keys() | new.keys()):
            found += (
                Changed(source, subset, one.name, one.old, one.new)
                for one in trees.diff(after.reader, old.get(subset), new.get(subset))
            )
    return found


def id_of(name: bytes) -> str:
    """Return the id that a name in a tree stands for."""
    return unquote(name.decode(errors="replace"))
