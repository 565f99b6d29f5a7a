"""
Takes files into the media store: all of an operation, or nothing.

Until `publish` everything lies in one folder `tmp-...` of the store, which leaving the `with` block
removes. `publish` syncs the files, renames them, syncs the folders: about five fsyncs for any
number of small files, one more for each large one.
"""

import hashlib
import os
import shutil
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, NamedTuple, Self

import zstandard

from dvcs.errors import InvalidMedia
from dvcs.objects import _media_codec as codec
from dvcs.objects._durable import create_temp, make_dirs, temp_name, write_all
from dvcs.objects._media_files import (
    BUFFER,
    SMALL,
    STORED_MODE,
    Cloner,
    fill,
    fsync_all,
    hash_from_start,
    open_regular,
    writing,
)
from dvcs.objects._media_packs import ROLL, PackWriter

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

    from dvcs.objects.media import MediaStore

BATCH: Final = 32
"""Files that a thread takes at a time; their small ones wait in memory, at most 2 MiB."""


HEAD: Final = 4096
"""Bytes of a file's beginning that are handed on, so that nobody opens it again for its header."""


class StoredMedia(NamedTuple):
    """SHA-256 (64 hexadecimal digits), size in bytes and first bytes of a file in the store."""

    sha256: str
    size: int
    head: bytes = b""


class _Taken(NamedTuple):
    """A file that was read: small, with its bytes; large, where it lies now; or known already."""

    sha256: str
    size: int
    data: bytes | None = None
    path: Path | None = None
    compressed: bool = False
    head: bytes = b""


class _Buffer(threading.local):
    def __init__(self) -> None:
        self.view = memoryview(bytearray(BUFFER))


class MediaWriter:
    """Use as `with store.writer() as writer: writer.add_file(path); writer.publish()`."""

    def __init__(self, store: "MediaStore") -> None:
        self._store = store
        self._staging = (store.scratch or store.root) / temp_name()
        self._sizes: dict[str, int] = {}
        self._large: dict[str, tuple[Path, bool]] = {}
        self._packer: PackWriter | None = None
        self._packs: list[tuple[str, Path, Path]] = []
        self._known_in: set[Path] = set()
        self._cloner = Cloner()
        self._buffer = _Buffer()
        self._lock = threading.Lock()
        self._pool: tuple[int, ThreadPoolExecutor] | None = None
        store.refresh()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()
        self._forget()

    def add_bytes(self, data: bytes) -> StoredMedia:
        """Take in the bytes of a file."""
        with writing(self._store.root):
            return self._keep(self._take_bytes(memoryview(data)))

    def add_file(self, path: Path | str) -> StoredMedia:
        """
        Take in a file; what is returned describes the bytes that were stored, whatever happens to
        the file meanwhile.

        Raises:
            UnsafeName: it is a symbolic link.
            InvalidMedia: it is absent, not a regular file, or cannot be read.

        """
        with writing(self._store.root):
            return self._keep(self._take(path))

    def add_files(self, paths: Iterable[Path | str], threads: int = 2) -> Iterator[StoredMedia]:
        """
        Take in many files, through threads; yield what was stored, in the order of `paths`.

        Raises as `add_file` does, at the place of the file in question. Memory stays below about
        12 MiB for each thread.
        """
        remaining = iter(paths)
        pending: deque[Future[list[_Taken]]] = deque()
        pool = self._threads(threads)
        with writing(self._store.root):
            try:
                while True:
                    while len(pending) <= threads and (batch := list(islice(remaining, BATCH))):
                        pending.append(pool.submit(self._take_batch, batch))
                    if not pending:
                        return
                    for taken in pending.popleft().result():
                        yield self._keep(taken)
            finally:
                from concurrent.futures import wait

                for future in pending:
                    if not future.cancel():
                        wait([future])

    def _threads(self, count: int) -> "ThreadPoolExecutor":
        """Return the pool, kept from call to call: to start threads takes longer than 32 files."""
        if self._pool is None or self._pool[0] != count:
            from concurrent.futures import ThreadPoolExecutor  # 3 ms, for large work alone

            self._stop()
            self._pool = count, ThreadPoolExecutor(count, "media")
        return self._pool[1]

    def _stop(self) -> None:
        if self._pool is not None:
            self._pool[1].shutdown()
            self._pool = None

    def publish(self) -> None:
        """Make everything durable and visible. The writer can then be used again."""
        with writing(self._store.root):
            if self._packer is not None:
                self._packs.append(self._packer.close())
                self._packer = None
            if self._packs or self._large:
                self._publish()
            # What another process has renamed but not yet synced must be durable, too.
            fsync_all((), sorted(folder for folder in self._known_in if folder.is_dir()))
        self._forget()
        self._store.refresh()

    def _publish(self) -> None:
        store = self._store
        renames: list[tuple[Path, Path]] = []
        for sha256, (path, compressed) in self._large.items():
            renames.append((path, store.path_of(sha256, compressed=compressed)))
        for name, pack, index in self._packs:
            renames.append((pack, store.packs_folder / f"{name}.pack"))
            renames.append((index, store.packs_folder / f"{name}.idx"))
        fsync_all(source for source, _ in renames)
        folders = sorted({target.parent for _, target in renames})
        make_dirs(store.root)
        for folder in folders:
            folder.mkdir(exist_ok=True)
        for source, target in renames:
            source.replace(target)
        for sha256, (_, compressed) in self._large.items():
            # One representation for each hash: a damaged one of the other kind may be there.
            store.path_of(sha256, compressed=not compressed).unlink(missing_ok=True)
        fsync_all((), [*folders, store.root])

    def _forget(self) -> None:
        if self._packer is not None:
            self._packer.abort()
            self._packer = None
        self._packs.clear()
        self._large.clear()
        self._sizes.clear()
        self._known_in.clear()
        shutil.rmtree(self._staging, ignore_errors=True)

    def _folder(self) -> Path:
        if not self._staging.is_dir():
            make_dirs(self._staging.parent)
            self._staging.mkdir(exist_ok=True)
        return self._staging

    def _keep(self, taken: _Taken) -> StoredMedia:
        """Note a file that was read; only the thread that owns the writer comes here."""
        sha256, size = taken.sha256, taken.size
        if sha256 in self._sizes:
            if taken.path is not None:  # another thread wrote the same at the same time
                taken.path.unlink()
            return StoredMedia(sha256, size, taken.head)
        if taken.data is not None:
            self._keep_small(taken.data, sha256)
        elif taken.path is not None:
            self._large[sha256] = (taken.path, taken.compressed)
        self._sizes[sha256] = size
        return StoredMedia(sha256, size, taken.head)

    def _keep_small(self, data: bytes, sha256: str) -> None:
        if self._store.has_sound(sha256, len(data)):
            self._known_in.add(self._store.packs_folder)
            return
        if self._packer is not None and self._packer.size >= ROLL:
            self._packs.append(self._packer.close())
            self._packer = None
        if self._packer is None:
            self._packer = PackWriter(self._folder())
        frame = codec.compress(data) if codec.may_compress(data) else None
        self._packer.add(
            bytes.fromhex(sha256), frame or data, len(data), compressed=frame is not None
        )

    def _take_batch(self, paths: list[Path | str]) -> list[_Taken]:
        return [self._take(path) for path in paths]

    def _take(self, path: Path | str) -> _Taken:
        fd, size = open_regular(path)
        try:
            if size < SMALL:
                data = os.read(fd, SMALL)
                if len(data) == size:
                    head = data[:HEAD]
                    return _Taken(hashlib.sha256(data).hexdigest(), size, data, head=head)
                os.lseek(fd, 0, os.SEEK_SET)  # it is changing: take what is there when it ends
            head = os.read(fd, HEAD)
            return self._take_large(fd, size, path, head)._replace(head=head)
        finally:
            os.close(fd)

    def _take_bytes(self, data: memoryview) -> _Taken:
        sha256 = hashlib.sha256(data).hexdigest()
        if len(data) < SMALL:
            return _Taken(sha256, len(data), bytes(data), head=bytes(data[:HEAD]))
        if self._is_known(sha256, len(data)):
            return _Taken(sha256, len(data), head=bytes(data[:HEAD]))
        frame = None
        if codec.may_compress(data) and codec.compress(data[: codec.SAMPLE]) is not None:
            writer = codec.FrameWriter(len(data))
            frame = writer.add(data) + writer.finish()
        fd, path = create_temp(self._folder(), mode=STORED_MODE)
        try:
            write_all(fd, data if frame is None else frame)
        finally:
            os.close(fd)
        return _Taken(sha256, len(data), None, path, frame is not None, bytes(data[:HEAD]))

    def _take_large(self, fd: int, size: int, path: Path | str, head: bytes) -> _Taken:
        """Clone if possible, else copy; the hash is always that of the copy."""
        buffer = self._buffer.view
        if codec.may_compress(head):
            os.lseek(fd, 0, os.SEEK_SET)
            sample = fill(fd, buffer[: codec.SAMPLE])
            if codec.compress(buffer[:sample]) is not None:
                os.lseek(fd, 0, os.SEEK_SET)
                return self._copy(fd, size, path, compressed=True)
        os.lseek(fd, 0, os.SEEK_SET)
        if not self._cloner.may_clone(fd):
            return self._copy(fd, size, path, compressed=False)
        target, temp = create_temp(self._folder(), mode=STORED_MODE)
        try:
            cloned = self._cloner.clone(fd, target)
            sha256, size = hash_from_start(target, buffer)
        finally:
            os.close(target)
        if cloned and size >= SMALL and not self._is_known(sha256, size):
            return _Taken(sha256, size, None, temp)
        temp.unlink()
        if cloned and size >= SMALL:
            return _Taken(sha256, size)
        return self._copy(fd, size, path, compressed=False)

    def _copy(self, fd: int, size: int, path: Path | str, *, compressed: bool) -> _Taken:
        """Copy from the current position; what fits into the buffer is written only if unknown."""
        buffer = self._buffer.view
        count = fill(fd, buffer)
        if count < len(buffer):
            return self._take_bytes(buffer[:count])
        digest = hashlib.sha256()
        total = 0
        frame = codec.FrameWriter(size) if compressed else None
        target, temp = create_temp(self._folder(), mode=STORED_MODE)
        try:
            while count:
                total += count
                digest.update(buffer[:count])
                write_all(target, frame.add(buffer[:count]) if frame else buffer[:count])
                count = fill(fd, buffer)
            if frame:
                write_all(target, frame.finish())
        except zstandard.ZstdError as error:
            raise InvalidMedia(f"'{path}' changed while it was read") from error
        finally:
            os.close(target)
        sha256 = digest.hexdigest()
        if self._is_known(sha256, total):
            temp.unlink()
            return _Taken(sha256, total)
        return _Taken(sha256, total, None, temp, compressed)

    def _is_known(self, sha256: str, size: int) -> bool:
        """Tell whether a large file need not be written; called from any thread."""
        if sha256 in self._sizes:
            return True
        if not self._store.has_sound(sha256, size):
            return False
        with self._lock:
            self._known_in.add(self._store.path_of(sha256).parent)
        return True
