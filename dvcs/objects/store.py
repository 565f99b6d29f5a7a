"""
All objects of a repository: packs and loose ones, whoever wrote them, each read verified.

    store = ObjectStore(git_dir)
    store.read(oid)                 # kind and bytes
    store.blobs(oids)               # many, in the order asked, by two threads
    with store.writer() as writer:  # see packs.py

CPU seconds for reading 118,000 blobs (509 MB) back and verifying them: about 2; dulwich's
`get_raw`, which does not verify, 5.0.

Objects are only added, or moved into another pack; so what was found once is found again, after
one look for new packs. Alternates (`objects/info/alternates`) are not followed: a repository that
came from elsewhere must not name other folders to read.
"""

import os
import re
import zlib
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from heapq import merge
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from dvcs.errors import CorruptObject, MissingObject
from dvcs.objects.gitobjects import (
    KIND_NAMES,
    KINDS,
    Commit,
    Kind,
    Oid,
    TreeEntry,
    decode_commit,
    decode_tree,
    oid_of,
)
from dvcs.objects.pack_reader import DAMAGE, MAX_OBJECT, BaseCache, Pack
from dvcs.objects.packs import ROLL_AT, PackWriter

if TYPE_CHECKING:
    from concurrent.futures import Future

_BATCH_OBJECTS, _BATCH_BYTES = 256, 8 << 20
_FAN_OUT = re.compile(r"[0-9a-f]{2}\Z")
_LOOSE_NAME = re.compile(r"[0-9a-f]{38}\Z")
_HEAD = re.compile(rb"(commit|tree|blob|tag) ([0-9]{1,19})\0")


class ObjectStore:
    """
    The objects below a Git directory's `objects/`. Threads may share it.

    Opening costs nothing; folders are listed and packs opened when first needed.
    """

    def __init__(self, git_dir: Path) -> None:
        self.folder = git_dir / "objects"
        self.pack_folder = self.folder / "pack"
        self.scratch: Path | None = None
        """Where new packs go, and are read from too, while nothing is to be written here."""
        self._packs: tuple[Pack, ...] | None = None
        self._loose: frozenset[str] = frozenset()
        self._last: Pack | None = None
        self._cache = BaseCache()
        self._lock = Lock()

    def read(self, oid: Oid) -> tuple[Kind, bytes]:
        """
        Return an object's kind and bytes, verified.

        Raises:
            MissingObject: it is nowhere, even after a look for new packs.
            CorruptObject: every copy of it is damaged, or an index that may have named it is.
        """
        if last := self._last:  # most reads: what the second half does, faster
            with suppress(CorruptObject, FileNotFoundError):
                offset = last.find(oid)
                if offset is not None:
                    return last.read(oid, offset)
        damage: list[CorruptObject] = []
        if found := self._read(oid, damage):
            return found
        self.refresh()
        damage.clear()
        if found := self._read(oid, damage):
            return found
        if damage:
            raise damage[0]
        self._check_indexes()
        raise MissingObject(
            f"object {oid.hex()} is missing from '{self.folder}'",
            hint="copy it from a backup, or from another copy of the repository",
        )

    def blob(self, oid: Oid) -> bytes:
        """Return a blob; errors as `read`, and CorruptObject for an object of another kind."""
        return self._read_as(Kind.BLOB, oid)

    def tree(self, oid: Oid) -> list[TreeEntry]:
        """Return a tree's entries in Git's order; errors as `blob` and `decode_tree`."""
        return decode_tree(self._read_as(Kind.TREE, oid))

    def commit(self, oid: Oid) -> Commit:
        """Return a commit; errors as `blob` and `decode_commit`."""
        return decode_commit(self._read_as(Kind.COMMIT, oid))

    def blobs(self, oids: Iterable[Oid], *, threads: int = 2) -> Iterator[bytes]:
        """
        Return many blobs, verified, in the order asked; errors as `blob`.

        Lazy, some MiB ahead. The threads inflate and hash in parallel.
        """
        from concurrent.futures import ThreadPoolExecutor  # 3 ms, for large work alone

        oids = iter(oids)
        under_way: deque[tuple[list[Oid], Future[list[bytes]]]] = deque()
        with ThreadPoolExecutor(threads, "dvcs-read") as pool:
            try:
                while True:
                    while len(under_way) < 2 * threads and (
                        batch := list(islice(oids, _BATCH_OBJECTS))
                    ):
                        under_way.append((batch, pool.submit(self._read_batch, batch)))
                    if not under_way:
                        return
                    batch, future = under_way.popleft()
                    done = future.result()
                    yield from done
                    # A batch stops early where blobs are large, so that memory stays bounded.
                    yield from map(self.blob, batch[len(done) :])
            finally:
                for _, future in under_way:
                    future.cancel()

    def has(self, oid: Oid) -> bool:
        """
        Return whether an object is in what was listed last, without looking for new packs.

        For writers: an object taken for new is stored twice, which does no harm.
        """
        packs = self._listed()
        last = self._last
        if last is not None and _contains(last, oid):
            return True
        for pack in packs:
            if pack is not last and _contains(pack, oid):
                self._last = pack
                return True
        return bool(self._loose) and self._loose_path(oid) is not None

    def __contains__(self, oid: Oid) -> bool:
        """Return whether an object is stored, after a look for new packs if need be."""
        if self.has(oid):
            return True
        self.refresh()
        return self.has(oid)

    def __iter__(self) -> Iterator[Oid]:
        """
        Yield the id of each object once, sorted.

        Raises:
            CorruptObject: an index is damaged.
        """
        before = None
        for oid in merge(*self._sorted_ids()):
            if oid != before:
                yield oid
            before = oid

    def starting_with(self, prefix: str) -> list[Oid]:
        """Return the ids whose hex begins with `prefix` (two digits or more), sorted."""
        found: set[Oid] = set()
        for pack in self._listed():
            with suppress(FileNotFoundError):
                found.update(pack.index.starting_with(prefix))
        for path in self.loose_files():
            if (path.parent.name + path.name).startswith(prefix):
                found.add(bytes.fromhex(path.parent.name + path.name))
        return sorted(found)

    def packs(self) -> tuple[Pack, ...]:
        """Return the packs listed last, newest first."""
        return self._listed()

    def loose_files(self) -> Iterator[Path]:
        """Yield the files of loose objects (by Git's naming; what they hold is not looked at)."""
        for name in sorted(self._loose):
            with suppress(FileNotFoundError):
                for entry in sorted(os.listdir(self.folder / name)):  # noqa: PTH208 - names only
                    if _LOOSE_NAME.match(entry):
                        yield self.folder / name / entry

    def refresh(self) -> None:
        """Look for packs and loose objects that came, went or were repaired."""
        with self._lock:
            held = {pack.path.name: pack for pack in self._packs or () if not pack.is_damaged}
            listed = []
            for folder in (self.pack_folder, *([self.scratch] if self.scratch else [])):
                with suppress(FileNotFoundError), os.scandir(folder) as entries:
                    names = {entry.name: entry for entry in entries}
                    for name, entry in names.items():
                        if name.endswith(".pack") and f"{name[:-5]}.idx" in names:
                            with suppress(FileNotFoundError):
                                listed.append((-entry.stat().st_mtime_ns, name, folder))
            with suppress(FileNotFoundError), os.scandir(self.folder) as entries:
                self._loose = frozenset(e.name for e in entries if _FAN_OUT.match(e.name))
            self._last = None
            self._packs = tuple(
                held.get(name) or Pack(folder / name, self._cache)
                for _, name, folder in sorted(listed)
            )

    def writer(self, *, roll_at: int = ROLL_AT) -> PackWriter:
        """Return a writer of new objects; packs end before they exceed `roll_at` bytes."""
        self.refresh()
        folder = self.scratch or self.pack_folder
        return PackWriter(folder, self.has, self.refresh, roll_at=roll_at)

    def close(self) -> None:
        """Let go of all files, as soon as no thread reads them. The store stays usable."""
        with self._lock:
            self._packs = self._last = None
            self._cache.clear()

    def _listed(self) -> tuple[Pack, ...]:
        packs = self._packs
        if packs is None:
            self.refresh()
            packs = self._packs
        return packs or ()

    def _read_as(self, kind: Kind, oid: Oid) -> bytes:
        found, data = self.read(oid)
        if found is not kind:
            raise CorruptObject(
                f"object {oid.hex()} is a {found.name.lower()}, not a {kind.name.lower()}"
            )
        return data

    def _read_batch(self, batch: list[Oid]) -> list[bytes]:
        done: list[bytes] = []
        size = 0
        for oid in batch:
            done.append(data := self._read_as(Kind.BLOB, oid))
            size += len(data)
            if size > _BATCH_BYTES:
                break
        return done

    def _read(self, oid: Oid, damage: list[CorruptObject]) -> tuple[Kind, bytes] | None:
        """Return the first good copy of an object; collect why others are not."""
        for pack in self._listed():
            try:
                offset = pack.find(oid)
                if offset is not None:
                    found = pack.read(oid, offset)
                    self._last = pack
                    return found
            except FileNotFoundError:
                continue  # moved into another pack since
            except CorruptObject as error:
                damage.append(error)
        path = self._loose_path(oid) if self._loose else None
        if path is None:
            return None
        try:
            return read_loose(path, oid)
        except FileNotFoundError:
            return None
        except CorruptObject as error:
            damage.append(error)
            return None

    def _loose_path(self, oid: Oid) -> Path | None:
        name = oid.hex()
        if name[:2] not in self._loose:
            return None
        path = self.folder / name[:2] / name[2:]
        # A link could name any file of this disk.
        return path if path.is_file() and not path.is_symlink() else None

    def _sorted_ids(self) -> list[Iterator[Oid]]:
        while True:
            self.refresh()
            try:
                packed = [pack.index.oids() for pack in self.packs()]
            except FileNotFoundError:
                continue  # moved into another pack since
            loose = (bytes.fromhex(path.parent.name + path.name) for path in self.loose_files())
            return [*packed, loose]

    def _check_indexes(self) -> None:
        """Raise CorruptObject where an id cannot be found because an index is damaged."""
        for pack in self._listed():
            with suppress(FileNotFoundError):
                if not pack.index.is_intact():
                    raise CorruptObject(
                        f"pack index '{pack.index.path}' is damaged; objects cannot be found",
                        hint="'git index-pack' on the pack beside it makes it anew",
                    )


def read_loose(path: Path, oid: Oid) -> tuple[Kind, bytes]:
    """
    Return a loose object, verified.

    Raises:
        CorruptObject: the file is not what `oid` was made from.
        FileNotFoundError: there is none.
    """
    cause: Exception | None = None
    raw = path.read_bytes()
    try:
        stream = zlib.decompressobj()
        start = stream.decompress(raw, 64)
        if head := _HEAD.match(start):
            kind, size = KINDS[KIND_NAMES.index(head[1])], int(head[2])
            if size <= MAX_OBJECT:
                data = start[head.end() :]
                data += stream.decompress(stream.unconsumed_tail, size - len(data) + 1)
                if kind and len(data) == size and oid_of(kind, data) == oid and _is_whole(stream):
                    return kind, data
    except DAMAGE as error:
        cause = error
    raise CorruptObject(
        f"loose object {oid.hex()} in '{path}' is damaged",
        hint="'dvcs fsck' lists all that is damaged",
    ) from cause


def _contains(pack: Pack, oid: Oid) -> bool:
    try:
        return pack.index.find(oid) is not None
    except (CorruptObject, FileNotFoundError):
        return False


def _is_whole(stream: "zlib._Decompress") -> bool:
    return stream.eof and not stream.unused_data
