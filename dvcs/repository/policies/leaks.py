"""
The same media in two subsets, found at the cost of what a commit changes.

    state/leaks/<tree>      digests of all media of one subset, sorted, `WIDTH` bytes each

A subset's list follows from that of the tree before and the items that differ; only the first
commit after `no-leaks` was switched on reads the first lines of all items (118,000: about 2
seconds). The lists are named by what they were made of, so they can neither be stale nor wrong;
whoever deletes them loses time only.
"""

import hashlib
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple, overload

from dvcs.model import Media
from dvcs.names import unquote
from dvcs.objects import trees
from dvcs.objects._durable import temp_name
from dvcs.objects.items import decode_header

if TYPE_CHECKING:
    from pathlib import Path

    from dvcs.repository.policies.view import View

WIDTH = 16
KEPT = 32
LIST = re.compile(r"[0-9a-f]{40}")
"""How a list is called; what has another name was not written here, and is not touched."""
MANY = 1000
"""Digests from which on a set is made instead of searching for each."""


class Place(NamedTuple):
    """A subset of a source, with the id of its tree."""

    source: str
    subset: str
    tree: bytes


class Fresh(NamedTuple):
    """An item that changed, with the digests of its media."""

    place: Place
    id: str
    digests: tuple[bytes, ...]


class Leak(NamedTuple):
    """A changed item whose media another item, of another subset, has too."""

    fresh: Fresh
    digest: bytes
    other: str


def digests(media: Media | None) -> tuple[bytes, ...]:
    """Return what tells media apart, where that is known: by hash, else by URL."""
    found = []
    for file in media.files if media is not None else ():
        known = file.sha256 or file.url
        if known and media is not None:
            frame = "" if media.frame is None else f"|{media.frame}"
            found.append(hashlib.sha256(f"{known}{frame}".encode()).digest()[:WIDTH])
    return tuple(found)


class _Rows(Sequence[bytes]):
    """Digests in a row, as a sequence that can be searched."""

    def __init__(self, data: bytes | bytearray) -> None:
        self.data = data

    def __len__(self) -> int:
        return len(self.data) // WIDTH

    @overload
    def __getitem__(self, at: int) -> bytes: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[bytes]: ...
    def __getitem__(self, at: int | slice) -> bytes | Sequence[bytes]:
        if isinstance(at, slice):
            return [self[n] for n in range(*at.indices(len(self)))]
        return bytes(self.data[at * WIDTH : (at + 1) * WIDTH])

    def __contains__(self, digest: object) -> bool:
        if not isinstance(digest, bytes):
            return False
        at = bisect_left(self, digest)
        return at < len(self) and self[at] == digest


class Leaks:
    """The media of all subsets of one commit."""

    def __init__(self, view: "View", folder: "Path") -> None:
        self._view = view
        self._folder = folder
        self._lists: dict[bytes, _Rows] = {}

    def find(self, places: Sequence[Place], fresh: Sequence[Fresh]) -> Iterator[Leak]:
        """Yield the fresh items whose media is in another subset too."""
        by_subset: dict[str, list[Fresh]] = {}
        for one in fresh:
            by_subset.setdefault(one.place.subset, []).append(one)
        for subset, held in by_subset.items():
            for other in places:
                if other.subset != subset:
                    yield from self._between(held, other)

    def _between(self, held: Sequence[Fresh], other: Place) -> Iterator[Leak]:
        rows: _Rows | set[bytes] = self.list(other.tree)
        if len(held) > MANY:
            rows = set(rows)
        hits = [(one, d) for one in held for d in one.digests if d in rows]
        if not hits:
            return
        wanted = {digest for _, digest in hits}
        names = {d: name for name, d in self._walk(other.tree) if d in wanted}
        for one, digest in hits:
            name = unquote(names[digest].decode(errors="replace")) if digest in names else "?"
            yield Leak(one, digest, f"{other.source}/{other.subset}/{name}")

    def list(self, tree: bytes) -> _Rows:
        """Return the digests of a subset, from its list or its items."""
        if tree not in self._lists:
            data = self._load(tree)
            if data is None:
                data = b"".join(sorted(digest for _, digest in self._walk(tree)))
                self._save(tree, data)
            self._lists[tree] = _Rows(data)
        return self._lists[tree]

    def follow(self, old: bytes | None, new: bytes) -> None:
        """Make the list of a tree out of that of the tree before, where there is one."""
        if new in self._lists or old == new or self._load(new) is not None:
            return
        before = None if old is None else self._load(old)
        if before is None:
            return
        changed = list(trees.diff(self._view.reader, old, new))
        gone = self._of((one.name, one.old) for one in changed if one.old)
        come = self._of((one.name, one.new) for one in changed if one.new)
        data = _updated(before, [one for _, one in gone], [one for _, one in come])
        self._save(new, data)
        self._lists[new] = _Rows(data)

    def _walk(self, tree: bytes) -> Iterator[tuple[bytes, bytes]]:
        yield from self._of(trees.walk(self._view.reader, tree))

    def _of(self, items: Iterable[tuple[bytes, bytes]]) -> Iterator[tuple[bytes, bytes]]:
        """Yield name and digest of the media of items."""
        stream = iter(items)
        while batch := list(islice(stream, 4096)):
            firsts = self._view.blobs([blobs[: trees.SIZE] for _, blobs in batch])
            for (name, _), blob in zip(batch, firsts, strict=True):
                for digest in digests(decode_header(blob).media):
                    yield name, digest

    def _load(self, tree: bytes) -> bytes | None:
        with suppress(OSError):
            data = (self._folder / tree.hex()).read_bytes()
            check, body = data[:WIDTH], data[WIDTH:]
            if hashlib.sha256(body).digest()[:WIDTH] == check and len(body) % WIDTH == 0:
                return body
        return None

    def _save(self, tree: bytes, data: bytes) -> None:
        """Keep a list for the next commit; a disk that does not take it costs time only."""
        with suppress(OSError):
            self._folder.mkdir(exist_ok=True)
            check = hashlib.sha256(data).digest()[:WIDTH]
            beside = self._folder / temp_name()
            beside.write_bytes(check + data)
            beside.replace(self._folder / tree.hex())
            kept = [path for path in self._folder.iterdir() if LIST.fullmatch(path.name)]
            kept.sort(key=lambda path: path.stat().st_mtime_ns)
            for path in kept[:-KEPT]:
                path.unlink(missing_ok=True)


def _updated(before: bytes, gone: Sequence[bytes], come: Sequence[bytes]) -> bytes:
    """Return a list without one of each that is gone, and with those that have come."""
    if len(gone) + len(come) > MANY:
        held = Counter(_Rows(before))
        held.subtract(gone)
        held.update(come)
        return b"".join(sorted(held.elements()))
    data = bytearray(before)
    for digest in gone:
        at = bisect_left(_Rows(data), digest) * WIDTH
        if data[at : at + WIDTH] == digest:
            del data[at : at + WIDTH]
    for digest in come:
        at = bisect_left(_Rows(data), digest) * WIDTH
        data[at:at] = digest
    return bytes(data)
