"""
Checks and rewrites the media store: verify, remove, consolidate.

No old file goes before its replacement is written, synced, and read back entirely.
"""

import errno
import hashlib
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from dvcs.errors import CorruptObject
from dvcs.objects import _media_codec as codec
from dvcs.objects._durable import TEMP_PREFIX, fsync_dir, make_dirs, temp_name
from dvcs.objects._media_files import BUFFER, fsync_all, hash_from_start, writing
from dvcs.objects._media_packs import ROLL, MediaPack, PackWriter, rebuild_index, scan, unpack
from dvcs.progress import track

if TYPE_CHECKING:
    from dvcs.objects.media import MediaStore

Problem = tuple[str | None, Path, str]

_LARGE: Final = re.compile(r"([0-9a-f]{64})(\.zst)?")
_FOLDER: Final = re.compile(r"[0-9a-f]{2}")


def verify(store: "MediaStore") -> Iterator[Problem]:
    """Yield what is wrong anywhere in the store; see `MediaStore.verify`."""
    if not store.root.is_dir():
        return
    buffer = memoryview(bytearray(BUFFER))
    folders: list[Path] = []
    for path in sorted(store.root.iterdir()):
        if path.name.startswith(TEMP_PREFIX):
            continue
        if path.is_symlink() or not path.is_dir():
            yield None, path, "this file does not belong here"
        elif _FOLDER.fullmatch(path.name):
            folders.append(path)
        elif path != store.packs_folder:
            yield None, path, "this folder does not belong here"
    files = [path for folder in folders for path in sorted(folder.iterdir())]
    for path in track(files, "verifying media", len(files), "files"):
        try:
            yield from _verify_large(path, buffer)
        except OSError as error:
            yield None, path, f"it cannot be read: {error.strerror}"
    yield from _verify_packs(store)


def _verify_large(path: Path, buffer: memoryview) -> Iterator[Problem]:
    name = _LARGE.fullmatch(path.name)
    if name is None or name[1][:2] != path.parent.name or path.is_symlink() or not path.is_file():
        yield None, path, "this file does not belong here"
        return
    sha256, suffix = name.groups()
    if suffix and path.with_suffix("").exists():
        yield sha256, path, "the file is stored twice"
    with path.open("rb", buffering=0) as file:
        if not suffix:
            if hash_from_start(file.fileno(), buffer)[0] != sha256:
                yield sha256, path, "the stored bytes are damaged"
            return
        digest = hashlib.sha256()
        try:
            for chunk in codec.read_frame(file):
                digest.update(chunk)
            whole = digest.hexdigest() == sha256
        except CorruptObject:
            whole = False
        if not whole:
            yield sha256, path, "the stored bytes are damaged"
        elif not codec.seal_is_whole(file):
            yield sha256, path, "the checksum of the compressed bytes is wrong"


def _verify_packs(store: "MediaStore") -> Iterator[Problem]:
    if not store.packs_folder.is_dir():
        return
    packs = {pack.name: pack for pack in store.packs()}
    for name, reason in sorted(store.unreadable.items()):
        yield None, store.packs_folder / f"{name}.idx", reason
    for path in sorted(store.packs_folder.iterdir()):
        known = path.stem in packs or path.stem in store.unreadable
        if path.suffix == ".pack" and not known:
            # An operation that was killed may leave one, whole; see `rebuild_indexes`.
            try:
                scan(path)
            except CorruptObject:
                yield None, path, "the pack has no index and is damaged"
        elif path.suffix not in (".pack", ".idx") or path.is_symlink() or not path.is_file():
            yield None, path, "this file does not belong here"
    for pack in track(packs.values(), "verifying media packs", len(packs), "packs"):
        try:
            yield from pack.verify()
        except CorruptObject as error:
            yield None, pack.pack.path, str(error)
        except OSError as error:
            yield None, pack.pack.path, f"it cannot be read: {error.strerror}"


def rebuild_indexes(store: "MediaStore") -> int:
    """Write absent and damaged indexes anew, where the packs are whole."""
    count = 0
    if not store.packs_folder.is_dir():
        return 0
    whole = {pack.name for pack in store.packs() if pack.index_is_whole()}
    with writing(store.packs_folder):
        for path in sorted(store.packs_folder.glob("*.pack")):
            if path.stem in whole:
                continue
            with suppress(CorruptObject):
                temp = rebuild_index(path)
                fsync_all([temp])
                temp.replace(path.with_suffix(".idx"))
                count += 1
        fsync_dir(store.packs_folder)
    store.forget_packs()
    return count


def remove(store: "MediaStore", sha256s: set[str], trash: Path) -> int:
    """Move files to the trash; see `MediaStore.remove`."""
    removed: set[str] = set()
    with writing(store.root):
        trash.mkdir(parents=True, exist_ok=True)
        for pack in store.packs():
            gone = {digest.hex() for first in range(256) for digest in pack.digests(first)}
            gone &= sha256s
            if gone:
                _rewrite(store, [pack], gone, trash)
                removed |= gone
        folders = set()
        for sha256 in sha256s:
            for path in (store.path_of(sha256), store.path_of(sha256, compressed=True)):
                with suppress(FileNotFoundError):
                    path.replace(trash / path.name)
                    folders.add(path.parent)
                    removed.add(sha256)
        for folder in (trash, *sorted(folders)):
            fsync_dir(folder)
    store.refresh()
    return len(removed)


def consolidate(store: "MediaStore") -> int:
    """Merge all packs below half the size at which packs are closed."""
    packs = [pack for pack in store.packs() if pack.size < ROLL // 2]
    if len(packs) < 2:
        return 0
    count = len(packs)
    with writing(store.root):
        try:
            _rewrite(store, packs, set(), None)
        except FileNotFoundError:  # another process is merging the same packs: leave it to that
            count = 0
    store.refresh()
    return count


def _rewrite(
    store: "MediaStore", packs: list[MediaPack], drop: set[str], trash: Path | None
) -> None:
    """Write some packs anew, without what is to be dropped, then put the old ones away."""
    staging = store.root / temp_name()
    make_dirs(staging)
    try:
        names = _publish(store, list(_copy(packs, drop, staging)))
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    for pack in packs:
        if pack.name in names:
            continue
        pack.close()
        for path in (pack.index.path, pack.pack.path):  # the index first: without it no pack counts
            with suppress(FileNotFoundError):
                if trash is None:
                    path.unlink()
                else:
                    path.replace(trash / path.name)
    fsync_dir(store.packs_folder)


def _copy(
    packs: Iterable[MediaPack], drop: set[str], staging: Path
) -> Iterator[tuple[str, Path, Path]]:
    """Copy entries as they are stored, each verified and once; yield new packs, not yet synced."""
    seen: set[bytes] = set()
    writer: PackWriter | None = None
    try:
        for pack in packs:
            for entry in pack.entries():
                if entry.digest in seen or entry.digest.hex() in drop:
                    continue
                stored = pack.read_stored(entry)
                if unpack(entry, stored) is None:
                    raise CorruptObject(
                        f"media '{entry.digest.hex()}' is damaged in '{pack.pack.path}'",
                        hint="copy the pack from a backup, or from another copy of the repository",
                    )
                seen.add(entry.digest)
                writer = writer or PackWriter(staging)
                writer.add(entry.digest, stored, entry.size, compressed=entry.compressed)
                if writer.size >= ROLL:
                    yield writer.close()
                    writer = None
        if writer is not None:
            yield writer.close()
    finally:
        if writer is not None:
            writer.abort()


def _publish(store: "MediaStore", written: list[tuple[str, Path, Path]]) -> set[str]:
    """Sync and read back new packs, then give them their names; return these."""
    fsync_all(path for _, *paths in written for path in paths)
    for name, temp_pack, temp_index in written:
        index = temp_index.with_name(f"{name}.idx")
        pack = temp_pack.with_name(f"{name}.pack")
        temp_index.replace(index)
        temp_pack.replace(pack)
        opened = MediaPack(index)
        problem = next(opened.verify(), None)
        opened.close()
        if problem is not None:
            raise OSError(errno.EIO, f"what was written reads back wrong: {problem[2]}")
        for path in (pack, index):
            os.replace(path, store.packs_folder / path.name)  # noqa: PTH105
    fsync_dir(store.packs_folder)
    return {name for name, _, _ in written}
