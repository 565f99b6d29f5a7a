"""
Media packs: many small files in one, immutable, found through a sorted index.

    <name>.pack   "DVCSMPAK", version u32, zero u32
                  entries: stored size u32 (top bit: a zstd frame), size u32, stored bytes
                  SHA-256 of all before it
    <name>.idx    "DVCSMIDX", version u32, count u32, size of the pack u64, its SHA-256
                  fan-out: 256 x u32, entries whose first byte is at most that
                  count x SHA-256 of the content, sorted
                  count x (offset of the stored bytes u32, stored size u32 as above, size u32)
                  SHA-256 of all before it

Integers are little-endian. `<name>` is the first 40 digits of the pack's own SHA-256. A pack counts
only with its index, which is renamed into place last. Files are read with `pread`, not mapped: a
bad sector or a cut-off file below a mapping ends the process without a word.
"""

import hashlib
import os
import struct
import threading
import weakref
from bisect import bisect_left
from collections.abc import Callable, Iterator
from itertools import accumulate
from pathlib import Path
from typing import Final, NamedTuple

from dvcs.errors import CorruptObject
from dvcs.objects import _media_codec as codec
from dvcs.objects._durable import create_temp, write_all

VERSION: Final = 1
PACK_MAGIC: Final = b"DVCSMPAK"
INDEX_MAGIC: Final = b"DVCSMIDX"
COMPRESSED: Final = 1 << 31
ROLL: Final = 1 << 28
"""A pack is closed when it has reached this size, so that rewriting one stays cheap."""

LARGEST_ENTRY: Final = 1 << 20
PACK_HEAD: Final = struct.Struct("<8sII")
ENTRY_HEAD: Final = struct.Struct("<II")
INDEX_HEAD: Final = struct.Struct("<8sIIQ32s")
FANOUT: Final = struct.Struct("<256I")
RECORD: Final = struct.Struct("<III")
DIGEST: Final = 32
FLUSH: Final = 1 << 20
READ: Final = 1 << 22


class Entry(NamedTuple):
    """Where a small file stands in a pack: `stored` bytes at `offset`, `size` when unpacked."""

    digest: bytes
    offset: int
    stored: int
    compressed: bool
    size: int


_Row = tuple[bytes, int, int, int]
"""SHA-256, offset, stored size with its flag, size: a line of the index."""


class PackWriter:
    """Writes one pack and its index as temporary files into `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._fd, self.path = create_temp(folder)
        self._hash = hashlib.sha256()
        self._buffer = bytearray(PACK_HEAD.pack(PACK_MAGIC, VERSION, 0))
        self._entries: list[_Row] = []
        self.size = len(self._buffer)

    def add(self, digest: bytes, stored: bytes, size: int, *, compressed: bool) -> None:
        """Append a file: its SHA-256, its bytes as they are to be stored, its true size."""
        flagged = len(stored) | COMPRESSED if compressed else len(stored)
        self._buffer += ENTRY_HEAD.pack(flagged, size)
        self._buffer += stored
        self._entries.append((digest, self.size + ENTRY_HEAD.size, flagged, size))
        self.size += ENTRY_HEAD.size + len(stored)
        if len(self._buffer) >= FLUSH:
            self._flush()

    def close(self) -> tuple[str, Path, Path]:
        """End the pack; return its name and the temporary files of pack and index, not fsynced."""
        self._flush()
        checksum = self._hash.digest()
        write_all(self._fd, checksum)
        self.abort()
        index = _write_index(self._folder, self._entries, self.size + DIGEST, checksum)
        return checksum.hex()[:40], self.path, index

    def abort(self) -> None:
        """Close the file; what removes the folder removes it."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _flush(self) -> None:
        self._hash.update(self._buffer)
        write_all(self._fd, self._buffer)
        self._buffer = bytearray()


def _write_index(folder: Path, entries: list[_Row], size: int, checksum: bytes) -> Path:
    """Write the index of a pack of `size` bytes as a temporary file."""
    entries.sort()
    counts = [0] * 256
    for entry in entries:
        counts[entry[0][0]] += 1
    head = INDEX_HEAD.pack(INDEX_MAGIC, VERSION, len(entries), size, checksum)
    parts = [head, FANOUT.pack(*accumulate(counts))]
    parts.extend(entry[0] for entry in entries)
    parts.extend(RECORD.pack(*entry[1:]) for entry in entries)
    index = b"".join(parts)
    fd, path = create_temp(folder)
    try:
        write_all(fd, index + hashlib.sha256(index).digest())
    finally:
        os.close(fd)
    return path


def scan(pack: Path) -> tuple[list[_Row], int, bytes]:
    """
    Return what the index of a pack holds, from the pack alone: rows, size, checksum.

    Raises:
        CorruptObject: the pack is damaged.

    """
    file = _ReadOnlyFile(pack)
    end = pack.stat().st_size - DIGEST
    try:
        if end < PACK_HEAD.size or hash_range(file, end) != file.at(end, DIGEST):
            raise CorruptObject(f"'{pack}' is damaged")
        rows: list[_Row] = []
        offset = PACK_HEAD.size
        while offset < end:
            flagged, size = ENTRY_HEAD.unpack(file.at(offset, ENTRY_HEAD.size))
            offset += ENTRY_HEAD.size
            stored = file.at(offset, flagged & ~COMPRESSED)
            data = codec.decompress(stored, size) if flagged & COMPRESSED else stored
            rows.append((hashlib.sha256(data).digest(), offset, flagged, size))
            offset += len(stored)
        return rows, end + DIGEST, file.at(end, DIGEST)
    finally:
        file.close()


def rebuild_index(pack: Path) -> Path:
    """Write the index of a pack anew, as a temporary file beside it; raises as `scan` does."""
    return _write_index(pack.parent, *scan(pack))


def hash_range(file: "_ReadOnlyFile", end: int) -> bytes:
    """Return the SHA-256 of a file's first `end` bytes."""
    digest = hashlib.sha256()
    for start in range(0, end, READ):
        digest.update(file.at(start, min(READ, end - start)))
    return digest.digest()


class _ReadOnlyFile:
    """A file that several threads read at offsets; opened when it is first needed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = -1
        self._lock = threading.Lock()
        self._close: Callable[[], object] | None = None

    def at(self, offset: int, count: int) -> bytes:
        """Return exactly `count` bytes, else raise `CorruptObject`; `FileNotFoundError` if gone."""
        try:
            if self._fd < 0:
                self._open()
            data = self._pread(offset, count)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise CorruptObject(f"'{self.path}' cannot be read: {error.strerror}") from error
        if len(data) != count:
            raise CorruptObject(f"'{self.path}' is cut off")
        return data

    def close(self) -> None:
        """Close the file; reading opens it again."""
        self._fd = -1
        if self._close is not None:
            self._close()

    def _open(self) -> None:
        with self._lock:
            if self._fd < 0:
                fd = os.open(self.path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
                self._close = weakref.finalize(self, os.close, fd)
                self._fd = fd

    def _pread(self, offset: int, count: int) -> bytes:
        if hasattr(os, "pread"):
            return os.pread(self._fd, count, offset)
        with self._lock:
            os.lseek(self._fd, offset, os.SEEK_SET)
            return os.read(self._fd, count)


class MediaPack:
    """A pack and its index, for reading. Opening reads 1 KiB, looking up a few more."""

    def __init__(self, index: Path) -> None:
        self.name = index.stem
        self.index = _ReadOnlyFile(index)
        self.pack = _ReadOnlyFile(index.with_suffix(".pack"))
        magic, version, self.count, self.size, self.checksum = INDEX_HEAD.unpack(
            self.index.at(0, INDEX_HEAD.size)
        )
        if magic != INDEX_MAGIC or version != VERSION:
            raise CorruptObject(f"'{index}' is not a media index of version {VERSION}")
        self._fanout = (0, *FANOUT.unpack(self.index.at(INDEX_HEAD.size, FANOUT.size)))
        self._digests = INDEX_HEAD.size + FANOUT.size
        self._records = self._digests + self.count * DIGEST
        self._index_size = self._records + self.count * RECORD.size + DIGEST
        if list(self._fanout) != sorted(self._fanout) or self._fanout[-1] != self.count:
            raise CorruptObject(f"'{index}' is damaged")
        if index.stat().st_size != self._index_size:
            raise CorruptObject(f"'{index}' is cut off or damaged")
        if self.pack.path.stat().st_size != self.size:
            raise CorruptObject(f"'{self.pack.path}' does not have the size that its index states")

    def close(self) -> None:
        """Close the files; they are opened again when needed."""
        self.index.close()
        self.pack.close()

    def find(self, digest: bytes) -> Entry | None:
        """Return where a file stands, if it is here."""
        first, last = self._fanout[digest[0] : digest[0] + 2]
        digests = self._digests_between(first, last)
        position = bisect_left(
            range(last - first), digest, key=lambda n: digests[n * DIGEST : n * DIGEST + DIGEST]
        )
        if digests[position * DIGEST : position * DIGEST + DIGEST] != digest:
            return None
        record = self.index.at(self._records + (first + position) * RECORD.size, RECORD.size)
        return _entry(digest, *RECORD.unpack(record))

    def digests(self, first_byte: int) -> list[bytes]:
        """Return the SHA-256 of all files that begin with this byte."""
        data = self._digests_between(*self._fanout[first_byte : first_byte + 2])
        return [data[start : start + DIGEST] for start in range(0, len(data), DIGEST)]

    def entries(self) -> Iterator[Entry]:
        """Yield all entries, by their offset in the pack."""
        digests = self._digests_between(0, self.count)
        table = self.index.at(self._records, self.count * RECORD.size)
        records = enumerate(RECORD.iter_unpack(table))
        for position, record in sorted(records, key=lambda pair: pair[1][0]):
            yield _entry(digests[position * DIGEST : (position + 1) * DIGEST], *record)

    def index_is_whole(self) -> bool:
        """Tell whether the index is as it was written; costs 2 ms for 60,000 files."""
        end = self._index_size - DIGEST
        return hashlib.sha256(self.index.at(0, end)).digest() == self.index.at(end, DIGEST)

    def read_stored(self, entry: Entry) -> bytes:
        """Return an entry's bytes as they are stored, not yet verified."""
        limit = self.size - DIGEST
        if entry.size > LARGEST_ENTRY or entry.offset + entry.stored > limit:
            raise CorruptObject(f"'{self.index.path}' is damaged")
        return self.pack.at(entry.offset, entry.stored)

    def read(self, entry: Entry) -> bytes:
        """
        Return the file's bytes, verified.

        Raises:
            CorruptObject: they are not those that were stored.

        """
        data = unpack(entry, self.read_stored(entry))
        if data is None:
            raise CorruptObject(
                f"media '{entry.digest.hex()}' is damaged in '{self.pack.path}'",
                hint="copy the pack from a backup, or from another copy of the repository",
            )
        return data

    def verify(self) -> Iterator[tuple[str | None, Path, str]]:
        """Read everything and yield (SHA-256 or None, file, problem); see `MediaStore.verify`."""
        if not self.index_is_whole():
            yield None, self.index.path, "the checksum of the index is wrong"
        if self.name != self.checksum.hex()[:40]:
            yield None, self.index.path, "the name is not that of its content"
        end = self.size - DIGEST
        if not hash_range(self.pack, end) == self.pack.at(end, DIGEST) == self.checksum:
            yield None, self.pack.path, "the checksum of the pack is wrong"
        for entry in self.entries():
            head = ENTRY_HEAD.pack(entry.stored | COMPRESSED * entry.compressed, entry.size)
            try:
                whole = self.pack.at(max(entry.offset - len(head), 0), len(head)) == head
                whole = whole and unpack(entry, self.read_stored(entry)) is not None
            except CorruptObject:
                whole = False
            if not whole:
                yield entry.digest.hex(), self.pack.path, "the stored bytes are damaged"

    def _digests_between(self, first: int, last: int) -> bytes:
        return self.index.at(self._digests + first * DIGEST, (last - first) * DIGEST)


def unpack(entry: Entry, stored: bytes) -> bytes | None:
    """Return the content of an entry, or None if it is not what its SHA-256 says."""
    try:
        data = codec.decompress(stored, entry.size) if entry.compressed else stored
    except CorruptObject:
        return None
    if len(data) != entry.size or hashlib.sha256(data).digest() != entry.digest:
        return None
    return data


def _entry(digest: bytes, offset: int, flagged: int, size: int) -> Entry:
    return Entry(digest, offset, flagged & ~COMPRESSED, flagged >= COMPRESSED, size)
