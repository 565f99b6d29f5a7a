"""
The media store: images and other files by the SHA-256 of their bytes, which is their Git LFS id.

    media/<ab>/<sha256>          64 KiB and more, as it is, read-only
    media/<ab>/<sha256>.zst      the same, compressed where that saves 5 % (point clouds, BMP, ...)
    media/packs/<name>.pack,idx  smaller files, many in one: see `_media_packs.py`
    media/tmp-*                  an operation that has not been published (or that was killed)

Every file is immutable. Nothing becomes visible before it is durable. Every read checks the
SHA-256 of what it returns, so it gives the right bytes or an error.
"""

import hashlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import partial
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import IO, BinaryIO, Final, Self

from dvcs.errors import CorruptObject, InvalidMedia, MissingObject, RepositoryError
from dvcs.objects import _media_codec as codec
from dvcs.objects import _media_out as out
from dvcs.objects import _media_upkeep as upkeep
from dvcs.objects._durable import TEMP_PREFIX
from dvcs.objects._media_files import SMALL, ZST, Cloner, writing
from dvcs.objects._media_out import Link
from dvcs.objects._media_packs import Entry, MediaPack
from dvcs.objects._media_writer import MediaWriter, StoredMedia

__all__ = ["Link", "MediaStore", "MediaWriter", "StoredMedia"]

LARGEST_READ: Final = 1 << 31
IN_MEMORY: Final = 1 << 23
BATCH: Final = 32
RACY: Final = 2_000_000_000
"""Nanoseconds: a folder that changed so shortly before it was listed may have changed since."""

_SHA256: Final = re.compile("[0-9a-f]{64}")


class MediaStore:
    """The media of one repository. Safe to use from several threads; creates nothing by itself."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.packs_folder = root / "packs"
        self.scratch: Path | None = None
        """Where files are taken in, while nothing is to be written here (nor published)."""
        self.unreadable: dict[str, str] = {}
        """Packs that cannot be opened, by name, and why; their files count as absent."""
        self._packs: dict[str, MediaPack] = {}
        self._listed = (0, 0)
        self._unindexed: set[str] = set()
        self._cloner = Cloner()
        self.refresh()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all files; the store opens them again when it is used."""
        for pack in self._packs.values():
            pack.close()

    def writer(self) -> MediaWriter:
        """Return a context manager that takes files in; see `MediaWriter`."""
        return MediaWriter(self)

    def refresh(self) -> None:
        """Look for packs that other processes have added or replaced."""
        now = time.time_ns()
        try:
            changed = self.packs_folder.stat().st_mtime_ns
            names = {entry.name for entry in os.scandir(self.packs_folder)}
        except (FileNotFoundError, NotADirectoryError):
            changed, names = 0, set()
        except OSError as error:
            raise RepositoryError(f"cannot read '{self.root}': {error.strerror}") from error
        packs: dict[str, MediaPack] = {}
        self.unreadable = {}
        for name in sorted(name[:-4] for name in names if name.endswith(".idx")):
            try:
                known = self._packs.get(name)
                packs[name] = known or MediaPack(self.packs_folder / f"{name}.idx")
            except FileNotFoundError:
                self.unreadable[name] = f"'{name}.pack' or '{name}.idx' is missing"
            except CorruptObject as error:
                self.unreadable[name] = str(error)
        self._packs = packs
        self._unindexed = {n[:-5] for n in names if n.endswith(".pack")} - packs.keys()
        self._listed = (changed, now)

    def forget_packs(self) -> None:
        """Close all packs and look at the folder anew: indexes have been replaced."""
        self.close()
        self._packs = {}
        self.refresh()

    def path_of(self, sha256: str, *, compressed: bool = False) -> Path:
        """Return where a large file is, or would be."""
        return self.root / sha256[:2] / (f"{sha256}{ZST}" if compressed else sha256)

    def packs(self) -> list[MediaPack]:
        """Return the packs that were there at the last refresh."""
        return list(self._packs.values())

    def __contains__(self, sha256: object) -> bool:
        if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
            return False
        if self._find(bytes.fromhex(sha256)) is not None:
            return True
        return self._large(sha256) is not None or self._small(sha256) is not None

    def __iter__(self) -> Iterator[str]:
        """Yield the SHA-256 of every file, sorted."""
        self.refresh()
        for first in range(256):
            found = {digest.hex() for pack in self.packs() for digest in pack.digests(first)}
            with suppress(FileNotFoundError):
                names = os.listdir(self.root / f"{first:02x}")  # noqa: PTH208 - 5 times as fast
                stems = (name.removesuffix(ZST) for name in names)
                found.update(stem for stem in stems if _SHA256.fullmatch(stem))
            yield from sorted(found)

    def size(self, sha256: str) -> int:
        """
        Return a file's size in bytes, uncompressed, as the store states it (not verified).

        Raises:
            MissingObject: it is not in the store.

        """
        packed = self._small(sha256)
        if packed is not None:
            return packed[1].size
        size = self._large_size(sha256)
        if size is None:
            raise self.missing(sha256)
        return size

    def has_sound(self, sha256: str, size: int) -> bool:
        """Tell whether a file need not be stored again: it is there, and of the right size."""
        if size < SMALL:
            found = self._find(bytes.fromhex(sha256))
            return found is not None and found[1].size == size
        try:
            return self._large_size(sha256) == size
        except CorruptObject:
            return False

    def read(self, sha256: str, *, limit: int = LARGEST_READ) -> bytes:
        """
        Return a file's bytes, verified.

        Raises:
            MissingObject: it is not in the store.
            CorruptObject: the stored bytes are not those that it was made from.
            InvalidMedia: there are more than `limit` of them (1 GB of zeros compresses to 30 KB);
                `open` and `copy_to` need no memory for them.

        """
        packed = self._packed(sha256)
        if packed is not None:
            return packed
        pieces: list[bytes] = []
        left = limit
        for piece in self._chunks(sha256):
            left -= len(piece)
            if left < 0:
                raise InvalidMedia(f"media '{sha256}' has more than {limit} bytes")
            pieces.append(piece)
        return b"".join(pieces)

    def open(self, sha256: str) -> BinaryIO:
        """
        Return a readable, seekable file whose bytes have been verified before.

        Raises as `read` does. Holds at most 8 MiB in memory; what is larger and compressed lies in
        an unnamed temporary file.
        """
        packed = self._packed(sha256)
        if packed is not None:
            return BytesIO(packed)
        path = self._large(sha256)
        if path is not None and path.suffix != ZST:
            file = path.open("rb")
            try:
                for _ in self._verified(sha256, out.read_chunks(file)):
                    pass
                file.seek(0)
            except BaseException:
                file.close()
                raise
            return file
        target: IO[bytes] = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 - the caller's
        try:
            for chunk in self._chunks(sha256):
                target.write(chunk)
            target.seek(0)
        except BaseException:
            target.close()
            raise
        return target  # type: ignore[return-value]  # it has all that BinaryIO promises

    def peek(self, sha256: str) -> BinaryIO:
        """
        Return a seekable file for a look at the beginning of a file.

        What is large and not compressed is not verified: that takes reading all of it, so whoever
        goes on to use the bytes has to `read` them. Raises as `read` does.
        """
        if self._small(sha256) is None:
            path = self._large(sha256)
            if path is not None and path.suffix != ZST:
                return path.open("rb", buffering=0)
        return self.open(sha256)

    def copy_to(
        self, sha256: str, target: Path, *, link: Link = "reflink", fresh: bool = False
    ) -> Link:
        """
        Write a file out, replacing `target` at once or not at all; return how it was done.

        With `fresh` there is no file yet, in a folder that nobody looks at: a small one is then
        written under its own name at once, which costs half as much as a file and a rename.

        The folder must exist. "hard" and "symlink" give a read-only file that is part of the
        store; small and compressed files are always copied. Verified before it gets its name. Not
        fsynced: whoever needs that does it.

        Raises as `read` does.
        """
        packed = self._packed(sha256)
        with writing(target):
            if packed is not None:
                return out.create(target, packed) if fresh else out.replace(target, iter((packed,)))
            path = self._large(sha256)
            if path is not None and path.suffix != ZST and link != "copy":
                check = partial(self._verified, sha256)
                if out.link_to(path, target, link, self._cloner, check):
                    return link
            return out.replace(target, self._chunks(sha256))

    def verify(self) -> Iterator[tuple[str | None, Path, str]]:
        """
        Read everything and yield what is wrong: (SHA-256 or None, file, problem).

        Checks every byte of every file against its SHA-256 or checksum, names, and files that do
        not belong here; `tmp-*` may be another process at work and are left alone.
        """
        self.refresh()
        return upkeep.verify(self)

    def remove(self, sha256s: Iterable[str], trash: Path) -> int:
        """
        Move files into the folder `trash`, on the same disk; return how many there were.

        A pack that has some of them is written anew without them, verified and synced; then the
        old one moves. The caller makes sure that nobody stores anything meanwhile.

        Raises:
            CorruptObject: what must stay is damaged; then nothing of that pack was moved.

        """
        self.refresh()
        return upkeep.remove(self, set(sha256s), trash)

    def consolidate(self, *, more_than: int = 20) -> int:
        """
        Merge the small packs if there are `more_than` packs; return how many were merged.

        Writers and readers may be at work meanwhile.
        """
        self.refresh()
        return upkeep.consolidate(self) if len(self._packs) > more_than else 0

    def rebuild_indexes(self) -> int:
        """
        Index packs whose index is absent or damaged, from the packs alone; return how many.

        What a pack holds becomes visible again; packs that are damaged themselves stay as they are.
        """
        self.refresh()
        return upkeep.rebuild_indexes(self)

    def remove_temporaries(self, min_age: float = 86_400.0) -> int:
        """Remove what killed operations left `min_age` seconds ago; return how many there were."""
        before = time.time() - min_age
        count = 0
        for path in self.root.glob(f"{TEMP_PREFIX}*"):
            if path.lstat().st_mtime < before:
                shutil.rmtree(path, ignore_errors=True)
                count += 1
        return count

    def missing(self, sha256: str) -> MissingObject:
        """Return the error for a file that is not here; damaged packs may be why."""
        damaged = [f"'{p.index.path}' is damaged" for p in self.packs() if not p.index_is_whole()]
        damaged.extend(self.unreadable.values())
        damaged.extend(f"'{name}.pack' has no index" for name in sorted(self._unindexed))
        if damaged:
            reason = damaged[0]
            hint = f"it may be in a damaged pack ({reason}); 'dvcs fsck' tells more"
        else:
            hint = "import the files again, or copy it from another copy of the repository"
        return MissingObject(f"media '{sha256}' is not in the store", hint=hint)

    def _find(self, digest: bytes) -> tuple[MediaPack, Entry] | None:
        for pack in self._packs.values():
            with suppress(CorruptObject, FileNotFoundError):  # the latter: merged into another
                entry = pack.find(digest)
                if entry is not None:
                    return pack, entry
        return None

    def _small(self, sha256: str) -> tuple[MediaPack, Entry] | None:
        """Find a file in the packs; look for new ones before saying that it is in none."""
        if _SHA256.fullmatch(sha256) is None:  # what an item says, and that may say anything
            return None
        digest = bytes.fromhex(sha256)
        found = self._find(digest)
        if found is None and self._may_have_new_packs():
            self.refresh()
            found = self._find(digest)
        return found

    def _may_have_new_packs(self) -> bool:
        changed, listed = self._listed
        try:
            now = self.packs_folder.stat().st_mtime_ns
        except OSError:
            return changed != 0
        return now != changed or listed - changed < RACY

    def _packed(self, sha256: str) -> bytes | None:
        for _ in range(3):
            found = self._small(sha256)
            if found is None:
                return None
            try:
                return found[0].read(found[1])
            except FileNotFoundError:  # merged into another pack just now
                self.refresh()
        return None

    def _large(self, sha256: str) -> Path | None:
        if _SHA256.fullmatch(sha256) is None:
            return None
        for compressed in (False, True):
            path = self.path_of(sha256, compressed=compressed)
            if path.is_file() and not path.is_symlink():  # which could name any file of this disk
                return path
        return None

    def _large_size(self, sha256: str) -> int | None:
        path = self._large(sha256)
        if path is None or path.suffix != ZST:
            return None if path is None else path.stat().st_size
        with path.open("rb") as file:
            return codec.frame_size(file)

    def _chunks(self, sha256: str) -> Iterator[bytes]:
        """Yield a large file's bytes; raises at the end if they were not the right ones."""
        path = self._large(sha256)
        if path is None:
            raise self.missing(sha256)
        yield from self._verified(sha256, out.content(path))

    def _verified(self, sha256: str, chunks: Iterator[bytes]) -> Iterator[bytes]:
        digest = hashlib.sha256()
        try:
            for chunk in chunks:
                digest.update(chunk)
                yield chunk
        except CorruptObject as error:
            raise self._corrupt(sha256) from error
        except OSError as error:
            raise CorruptObject(
                f"media '{sha256}' cannot be read from the store: {error.strerror}"
            ) from error
        if digest.hexdigest() != sha256:
            raise self._corrupt(sha256)

    def _corrupt(self, sha256: str) -> CorruptObject:
        return CorruptObject(
            f"media '{sha256}' is damaged in the store",
            hint="copy its file from a backup, or remove that and import the images again",
        )
