"""
Checking every byte of an object store: packs, indexes, loose objects, files that do not belong.

`verify(store)` reports each damage as a `Problem` and raises for none. What is read is what the
hashes say; so all that this adds to reading every object is what reading would not notice: an
object that an index does not list, checksums, leftovers.
"""

import os
import zlib
from collections.abc import Iterator
from pathlib import Path

import msgspec
from isal import igzip_lib

from dvcs.errors import CorruptObject
from dvcs.objects._durable import TEMP_PREFIX
from dvcs.objects.gitobjects import OID_SIZE, Oid, oid_of
from dvcs.objects.pack_reader import DAMAGE, OFS_DELTA, Pack, PackIndex, sha1_of
from dvcs.objects.packs import PACK_TEMP_PREFIXES
from dvcs.objects.store import ObjectStore, read_loose

_PACK_FILES = (".pack", ".idx", ".rev", ".bitmap", ".keep", ".promisor", ".mtimes")
_TEMPORARY = (TEMP_PREFIX, "tmp_", *PACK_TEMP_PREFIXES)


class Problem(msgspec.Struct, frozen=True):
    """Something wrong: with an object, or with a file as a whole (`oid` is None)."""

    oid: Oid | None
    path: Path
    message: str


def verify(store: ObjectStore) -> Iterator[Problem]:
    """
    Yield every problem of a store; none means that each object can be read and is what it says.

    Unfinished files are no problem: another process may be writing them. Costs about 2 s of CPU for
    118,000 blobs of 4.3 kB.
    """
    yield from _check_folders(store)
    # Fresh objects, so that nothing opened or cached earlier hides what is on the disk now.
    names = _listdir(store.pack_folder)
    for name in sorted(names):
        if name.endswith(".pack") and f"{name[:-5]}.idx" in names:
            yield from verify_pack(Pack(store.pack_folder / name))
    for path in store.loose_files():
        oid = bytes.fromhex(path.parent.name + path.name)
        try:
            read_loose(path, oid)
        except CorruptObject:
            yield Problem(oid, path, "loose object is damaged")
        except OSError as error:
            yield Problem(oid, path, f"loose object cannot be read: {error.strerror}")


def verify_pack(pack: Pack) -> Iterator[Problem]:
    """Yield every problem of one pack and its index."""
    try:
        data = pack.data
    except CorruptObject as error:
        yield Problem(None, pack.path, str(error))
        return
    except OSError as error:
        yield Problem(None, pack.path, f"pack cannot be read: {error.strerror}")
        return
    if sha1_of(data, pack.end) != data[pack.end :]:
        yield Problem(None, pack.path, "pack does not have the checksum that ends it")
    try:
        index = pack.index
    except CorruptObject as error:
        yield Problem(None, pack.index_path, str(error))
        return
    except OSError as error:
        yield Problem(None, pack.index_path, f"pack index cannot be read: {error.strerror}")
        return
    yield from _check_index(pack, index)
    yield from _check_entries(pack, index)


def _check_index(pack: Pack, index: PackIndex) -> Iterator[Problem]:
    if not index.is_intact():
        yield Problem(None, index.path, "pack index does not have the checksum that ends it")
    at = len(index.data) - 2 * OID_SIZE
    if index.data[at : at + OID_SIZE] != pack.data[pack.end :]:
        yield Problem(None, index.path, "pack index belongs to another pack")
    count = int.from_bytes(pack.data[8:12], "big")
    if count != index.count:
        message = f"pack of {count} objects has an index of {index.count}"
        yield Problem(None, index.path, message)
    counts = [0] * 256
    before = b""
    for oid in index.oids():
        counts[oid[0]] += 1
        if oid <= before:
            yield Problem(oid, index.path, "pack index is not sorted")
        before = oid
    total = 0
    for byte, listed in enumerate(index.fan_out):
        total += counts[byte]
        if listed != total:
            yield Problem(None, index.path, f"fan-out table of the pack index is wrong at {byte}")
            return


def _check_entries(pack: Pack, index: PackIndex) -> Iterator[Problem]:
    """Check that entries follow each other without gaps, each as its index and hash say."""
    try:
        offsets = index.offsets()
    except DAMAGE:
        yield Problem(None, index.path, "pack index has offsets that lead nowhere")
        return
    order = sorted(range(index.count), key=offsets.__getitem__)
    ends = [offsets[position] for position in order[1:]]
    expected = 12
    for position, end in zip(order, [*ends, pack.end], strict=bool(order)):
        offset, oid = offsets[position], index.oid(position)
        if offset != expected or not offset < end <= pack.end:
            yield Problem(oid, index.path, f"pack has no entry at offset {offset}")
        elif message := _check_entry(pack, oid, index.crc(position), offset, end):
            yield Problem(oid, pack.path, message)
        expected = end
    if not order and pack.end != 12:
        yield Problem(None, pack.path, "pack holds objects that its index does not list")


def _check_entry(pack: Pack, oid: Oid, crc: int, offset: int, end: int) -> str | None:
    """Return what is wrong with one entry; inflates and hashes each object once."""
    raw = pack.data[offset:end]
    if zlib.crc32(raw) != crc:
        return "entry does not have the CRC that the index names"
    try:
        kind, size, start, _ = pack.entry(offset)
        stream = igzip_lib.IgzipDecompressor(igzip_lib.DECOMP_ZLIB)
        data = stream.decompress(raw[start - offset :], size + 1)
        if not stream.eof or stream.unused_data or len(data) != size:
            return "entry has another length than its head says"
        if kind >= OFS_DELTA:
            kind, data = pack.resolve(offset)
    except DAMAGE as error:
        return f"entry is damaged: {error}"
    return None if oid_of(kind, data) == oid else "object is not what its id was made from"


def _check_folders(store: ObjectStore) -> Iterator[Problem]:
    names = _listdir(store.pack_folder)
    for name in sorted(names):
        path = store.pack_folder / name
        stem, suffix = path.stem, path.suffix
        if name.startswith(_TEMPORARY) or name.startswith("multi-pack-index"):
            continue
        if suffix not in _PACK_FILES or not stem.startswith("pack-"):
            yield Problem(None, path, "stray file")
        elif suffix == ".pack" and f"{stem}.idx" not in names:
            yield Problem(None, path, "pack without index; none of its objects can be found")
        elif suffix != ".pack" and f"{stem}.pack" not in names:
            yield Problem(None, path, "left over from a pack that is gone")
    if (store.folder / "info" / "alternates").exists():
        path = store.folder / "info" / "alternates"
        yield Problem(None, path, "names other object folders, which are not read")
    store.refresh()
    loose = set(store.loose_files())
    for name in sorted(_listdir(store.folder) - {"pack", "info"}):
        path = store.folder / name
        if name.startswith(_TEMPORARY):
            continue
        if len(name) != 2 or not path.is_dir():
            yield Problem(None, path, "stray file")
            continue
        for inner in sorted(_listdir(path)):
            if path / inner not in loose and not inner.startswith(_TEMPORARY):
                yield Problem(None, path / inner, "stray file")


def _listdir(folder: Path) -> set[str]:
    try:
        return set(os.listdir(folder))  # noqa: PTH208 - names only
    except OSError:
        return set()
