"""
Writing packs: the new objects of an operation as a stream, never deltified, deflated by isal.

    with store.writer() as writer:
        for oid in writer.blobs(lines): ...      # two threads hash and deflate
        commit = writer.commit(Commit(...))
        writer.publish()                         # durable and visible; without it nothing stays

CPU seconds for 118,000 blobs of 4.3 kB (509 MB), all of hashing, deflating and indexing:
dulwich's writer 25, the same loop with zlib level 1 8.7, with isal level 1 under 4.

The count in a pack's header is known only at its end, and the trailing SHA-1 covers it. So nothing
is hashed while writing: at the end the count is patched in and the file hashed once as it is read
back from the page cache. That is one pass of SHA-1, as any other way would need, and it checks on
the way, by a CRC, that the file holds what was written.

Format: the Git documentation, `gitformat-pack`.
"""

import filecmp
import hashlib
import os
import struct
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import accumulate, chain
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, Self

from isal import isal_zlib

from dvcs.errors import CorruptObject
from dvcs.objects._durable import fsync_dir, fsync_file, make_dirs, temp_name
from dvcs.objects.gitobjects import Commit, Kind, Oid, encode_commit, encode_tree, oid_of

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

PACK_TEMP_PREFIXES = ("tmp_pack_", "tmp_idx_")
"""
What unfinished files in `objects/pack` begin with: Git ignores these names too and its `prune`
removes them. (Elsewhere unfinished files begin with `_durable.TEMP_PREFIX`.)
"""

ROLL_AT = 64 << 20
"""A pack ends before it exceeds this many bytes (a single larger object has one of its own)."""

_MAX_OBJECTS = 1 << 19
_BATCH_OBJECTS, _BATCH_BYTES = 256, 1 << 20
_WORTH_A_THREAD = 1024
_WORTH_THREADS = 16 << 20
"""Bytes stored before a thread is started for more: starting it takes 3 ms."""
_BATCHES_UNDER_WAY = 4
_THREADS = 1  # whoever makes the blobs takes longer; a second one only costs (0.3 s of 19 s)
_LEVEL = 1
_CHUNK = 1 << 20

_ENTRY = struct.Struct(">20sLQ")


class Encoded(NamedTuple):
    """An object ready for a pack; `entry` is empty for one that is already stored."""

    oid: Oid
    crc: int
    entry: bytes


class FinishedPack(NamedTuple):
    """A complete pack and its index, durable under temporary names."""

    pack: Path
    index_file: Path
    checksum: bytes

    def discard(self) -> None:
        """Remove both files, as far as they are still there."""
        _remove(self.pack)
        _remove(self.index_file)


def entry_header(kind: int, size: int) -> bytes:
    """Return the variable-length head of a pack entry: 3 bits of kind, then the inflated size."""
    byte, size = (kind << 4) | (size & 15), size >> 4
    out = bytearray()
    while size:
        out.append(byte | 0x80)
        byte, size = size & 0x7F, size >> 7
    out.append(byte)
    return bytes(out)


def encode(kind: int, data: bytes, oid: Oid) -> Encoded:
    """Return an object as a pack entry. Lets other threads run while it deflates."""
    entry = entry_header(kind, len(data)) + isal_zlib.compress(data, _LEVEL)
    return Encoded(oid, zlib.crc32(entry), entry)


class PackFile:
    """One pack being written under a temporary name in `folder`."""

    def __init__(self, folder: Path) -> None:
        name = temp_name()
        self._pack = folder / (PACK_TEMP_PREFIXES[0] + name)
        self._index = folder / (PACK_TEMP_PREFIXES[1] + name)
        self._file = self._pack.open("x+b", buffering=_CHUNK)
        self._file.write(b"PACK\0\0\0\2\0\0\0\0")
        self._crc = 0
        # 73 bytes an object; as tuples of Python objects it would be three times that.
        self._entries: list[bytes] = []
        self.size = 12

    @property
    def count(self) -> int:
        """How many objects it holds."""
        return len(self._entries)

    def append(self, encoded: Encoded) -> int:
        """Write an entry; return its offset. Whether it is there already, the caller knows."""
        offset = self.size
        self._file.write(encoded.entry)
        self._crc = isal_zlib.crc32(encoded.entry, self._crc)
        self._entries.append(_ENTRY.pack(encoded.oid, encoded.crc, offset))
        self.size = offset + len(encoded.entry)
        return offset

    def finish(self) -> FinishedPack:
        """
        Complete pack and index and make both durable, still under temporary names.

        Raises:
            CorruptObject: the disk gives back other bytes than were written.
        """
        try:
            with self._file as file:
                file.seek(8)
                file.write(struct.pack(">L", self.count))
                checksum = self._reread()
                file.seek(0, os.SEEK_END)
                file.write(checksum)
                file.flush()
                fsync_file(file.fileno())
            with self._index.open("xb") as index:
                index.write(encode_index(self._entries, checksum))
                index.flush()
                fsync_file(index.fileno())
            for path in (self._pack, self._index):
                path.chmod(path.stat().st_mode & 0o444)  # as Git does: what the umask leaves of it
        except BaseException:
            self.discard()
            raise
        self._entries = []
        return FinishedPack(self._pack, self._index, checksum)

    def _reread(self) -> bytes:
        """Return the SHA-1 of all that was written, after comparing it with what was meant."""
        self._file.seek(0)
        start = self._file.read(12)
        digest = hashlib.sha1(start, usedforsecurity=False)
        crc, size = 0, 12
        while chunk := self._file.read(_CHUNK):
            digest.update(chunk)
            crc = isal_zlib.crc32(chunk, crc)
            size += len(chunk)
        if crc != self._crc or size != self.size:
            raise CorruptObject(
                f"'{self._pack}' does not hold what was just written to it",
                hint="check the disk; nothing was committed",
            )
        return digest.digest()

    def discard(self) -> None:
        """Remove what was written."""
        with suppress(OSError):  # a full disk refuses the buffered rest: closed all the same
            self._file.close()
        _remove(self._pack)
        _remove(self._index)


def encode_index(entries: list[bytes], checksum: bytes) -> bytes:
    """
    Return the bytes of a pack's index, version 2; sorts `entries` (20 bytes of id, CRC, offset).

    Equal to what `git index-pack` makes. Offsets from 2 GiB on stand in a table of their own.
    """
    entries.sort()
    counts = [0] * 256
    for entry in entries:
        counts[entry[0]] += 1
    offsets: list[bytes] = []
    large: list[bytes] = []
    for entry in entries:
        offset = entry[24:]
        if offset < b"\0\0\0\0\x80":
            offsets.append(offset[4:])
        else:
            offsets.append(struct.pack(">L", 1 << 31 | len(large)))
            large.append(offset)
    parts = chain(
        (b"\xfftOc\0\0\0\2", struct.pack(">256L", *accumulate(counts))),
        (entry[:20] for entry in entries),
        (entry[20:24] for entry in entries),
        offsets,
        large,
        (checksum,),
    )
    data = b"".join(parts)
    return data + hashlib.sha1(data, usedforsecurity=False).digest()


def install(folder: Path, packs: Iterable[FinishedPack]) -> list[Path]:
    """
    Make finished packs visible, in their order, and their names durable; return the .pack paths.

    An index is renamed after its pack, as readers look for indexes.
    """
    paths = []
    for done in packs:
        path = folder / f"pack-{done.checksum.hex()}.pack"
        index = path.with_suffix(".idx")
        if _is_same(done.pack, path) and _is_same(done.index_file, index):
            # Someone wrote the very same pack meanwhile; a fresh time keeps it from pruning.
            done.discard()
            with suppress(OSError):
                os.utime(path)
        else:
            try:
                done.pack.replace(path)
                done.index_file.replace(index)
            except BaseException:
                if not done.pack.exists() and not index.exists():  # no reader has seen it
                    _remove(path)
                raise
        paths.append(path)
    if paths:
        fsync_dir(folder)
    return paths


class PackWriter:
    """
    Collects new objects and publishes them together. Not to be shared by threads.

    `known` tells whether the store has an object, `published` is called after packs became
    visible. The store reads nothing of it before `publish`; what follows that goes into new packs.
    """

    def __init__(
        self,
        folder: Path,
        known: Callable[[Oid], bool],
        published: Callable[[], None],
        *,
        roll_at: int = ROLL_AT,
    ) -> None:
        self._folder = folder
        self._known = known
        self._published = published
        self._roll_at = roll_at
        self._seen: set[Oid] = set()
        self._pending: dict[Oid, tuple[Kind, bytes]] = {}
        self._open: PackFile | None = None
        self._rolled: list[Future[FinishedPack]] = []
        self._pool: ThreadPoolExecutor | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def blob(self, data: bytes) -> Oid:
        """Store a blob unless it is there; return its id."""
        return self.object(Kind.BLOB, data)

    def tree(self, entries: Iterable[tuple[bytes, int, Oid]]) -> Oid:
        """Store a tree, its entries given in any order; errors as `encode_tree`."""
        return self.object(Kind.TREE, encode_tree(entries))

    def commit(self, commit: Commit) -> Oid:
        """Store a commit; errors as `encode_commit`."""
        return self.object(Kind.COMMIT, encode_commit(commit))

    def object(self, kind: Kind, data: bytes) -> Oid:
        """Store an object of any kind, its bytes as they are, unless it is there; return its id."""
        encoded = self._encode(kind, data)
        if encoded.entry and kind is not Kind.BLOB:
            self._pending[encoded.oid] = (kind, data)
        self._append(encoded)
        return encoded.oid

    def pending(self, oid: Oid) -> tuple[Kind, bytes] | None:
        """Return a tree, commit or tag that was stored here and is not yet published."""
        return self._pending.get(oid)

    def blobs(self, datas: Iterable[bytes]) -> Iterator[Oid]:
        """
        Store many blobs; yield their ids in the same order.

        Another thread hashes and deflates in batches; some MiB of `datas` are held at a time. Lazy:
        what is not asked for is not stored.
        """
        under_way: deque[Future[list[Encoded]]] = deque()
        so_far = 0
        try:
            for batch in _batches(datas):
                size = sum(map(len, batch))
                so_far += size
                small = so_far < _WORTH_THREADS or size < _WORTH_A_THREAD * len(batch)
                if small and not under_way:
                    # hashlib and isal let other threads run only for more than some KiB, so that
                    # threads would only get into each other's way.
                    yield from map(self.blob, batch)
                    continue
                under_way.append(self._threads().submit(self._encode_blobs, batch))
                if len(under_way) >= _BATCHES_UNDER_WAY:
                    yield from self._take(under_way.popleft())
            while under_way:
                yield from self._take(under_way.popleft())
        finally:
            for future in under_way:
                future.cancel()

    def publish(self) -> list[Path]:
        """
        Make everything stored so far durable and visible to readers; return the new packs.

        Raises:
            CorruptObject: the disk gives back other bytes than were written; nothing is published.
        """
        packs = [future.result() for future in self._rolled]
        if self._open is not None:
            last, self._open = self._open, None
            packs.append(last.finish())
        try:
            paths = install(self._folder, packs)
        finally:
            for pack in packs:
                pack.discard()
        self._rolled, self._seen, self._pending = [], set(), {}
        if paths:
            self._published()
        return paths

    def close(self) -> None:
        """Remove what was not published, and stop the threads."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=False)
            self._pool = None
        for future in self._rolled:
            if future.exception() is None:
                future.result().discard()
        if self._open is not None:
            self._open.discard()
        self._open, self._rolled, self._seen, self._pending = None, [], set(), {}

    def _encode(self, kind: int, data: bytes) -> Encoded:
        oid = oid_of(kind, data)
        if oid in self._seen or self._known(oid):
            return Encoded(oid, 0, b"")
        return encode(kind, data, oid)

    def _encode_blobs(self, batch: list[bytes]) -> list[Encoded]:
        return [self._encode(Kind.BLOB, data) for data in batch]

    def _take(self, future: "Future[list[Encoded]]") -> Iterator[Oid]:
        for encoded in future.result():
            self._append(encoded)
            yield encoded.oid

    def _append(self, encoded: Encoded) -> None:
        if not encoded.entry or encoded.oid in self._seen:
            return
        pack = self._open
        if pack is not None and (
            pack.size + len(encoded.entry) + 20 > self._roll_at or pack.count >= _MAX_OBJECTS
        ):
            # In another thread, so that hashing and fsync do not hold up the work.
            self._rolled.append(self._threads().submit(pack.finish))
            pack = self._open = None
        if pack is None:
            make_dirs(self._folder)
            pack = self._open = PackFile(self._folder)
        pack.append(encoded)
        self._seen.add(encoded.oid)

    def _threads(self) -> "ThreadPoolExecutor":
        if self._pool is None:
            from concurrent.futures import ThreadPoolExecutor  # 3 ms, for large work alone

            self._pool = ThreadPoolExecutor(_THREADS, "dvcs-pack")
        return self._pool


def _batches(datas: Iterable[bytes]) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    size = 0
    for data in datas:
        batch.append(data)
        size += len(data)
        if len(batch) >= _BATCH_OBJECTS or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _is_same(path: Path, other: Path) -> bool:
    return other.exists() and filecmp.cmp(path, other, shallow=False)


def _remove(path: Path) -> None:
    """Remove a file that may be read-only (which Windows minds) or gone."""
    with suppress(FileNotFoundError):
        if os.name == "nt":
            path.chmod(0o644)
        path.unlink()
