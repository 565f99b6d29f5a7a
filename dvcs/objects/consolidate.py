"""
Making one pack out of many small ones, as `git gc --auto` does, without inflating them anew.

Each commit adds a pack, and each pack costs a search per object looked for. Once there are more
than `max_packs`, the smallest are merged, geometrically: a pack stays where it is at least twice as
large as all smaller ones that are merged together. So few packs remain, their number grows with the
logarithm of the size, and so does how often a byte is copied.

The order makes it safe to be killed, or to lose power, at any point, and readers never miss an
object: the new pack is written, checked object by object and durable before the first old file
moves; until then, and if it ends there, objects are merely stored twice. A reader that finds an old
pack gone looks for new packs once.
"""

import os
import zlib
from array import array
from bisect import bisect_left
from contextlib import suppress
from pathlib import Path

from dvcs.errors import CorruptObject
from dvcs.objects._durable import fsync_dir, make_dirs
from dvcs.objects.gitobjects import Oid
from dvcs.objects.pack_reader import DAMAGE, OFS_DELTA, BaseCache, Pack
from dvcs.objects.packs import Encoded, FinishedPack, PackFile, entry_header, install
from dvcs.objects.store import ObjectStore
from dvcs.objects.verify import verify_pack

_LEAVE_ALONE = (".keep", ".promisor", ".mtimes")
_CACHES = "multi-pack-index"


def consolidate(store: ObjectStore, *, trash: Path, max_packs: int = 20) -> list[Path]:
    """
    Merge small packs where there are more than `max_packs`; return the new pack, if any.

    The old files move to `trash`, which must be on the same file system. The caller sees to it that
    only one process does this at a time; readers and writers may go on.

    Raises:
        CorruptObject: a pack to be merged is damaged; nothing has changed then.
    """
    store.refresh()
    packs = choose([pack for pack in store.packs() if not _is_kept(pack)], max_packs)
    if not packs:
        return []
    merged = _merge(store.pack_folder, packs)
    try:
        _check(merged, packs)
        paths = install(store.pack_folder, [merged])
    finally:
        merged.discard()
    retire(store, [pack for pack in packs if pack.path not in paths], trash)
    return paths


def choose(packs: list[Pack], max_packs: int) -> list[Pack]:
    """Return which packs to merge: none while there are few, else the smallest, at least two."""
    if len(packs) <= max_packs:
        return []
    sizes = {pack: pack.path.stat().st_size for pack in packs}
    ordered = sorted(packs, key=sizes.__getitem__)
    # From the largest down, find where a pack is less than twice its smaller neighbour; all below
    # are merged, and the packs above as long as the result would break the progression again.
    split = len(ordered) - 1
    while split > 0 and sizes[ordered[split]] >= 2 * sizes[ordered[split - 1]]:
        split -= 1
    total = sum(sizes[pack] for pack in ordered[: split + 1])
    while split + 1 < len(ordered) and sizes[ordered[split + 1]] < 2 * total:
        split += 1
        total += sizes[ordered[split]]
    return ordered[: split + 1] if split > 0 else []


def _is_kept(pack: Pack) -> bool:
    return any(pack.path.with_suffix(suffix).exists() for suffix in _LEAVE_ALONE)


class _Copied:
    """Where the entries of one pack went: two numbers an object, instead of dictionary entries."""

    def __init__(self, pack: Pack) -> None:
        self.pack = pack
        index = pack.index
        try:
            offsets = index.offsets()
        except DAMAGE as error:
            raise CorruptObject(f"pack index '{index.path}' is damaged") from error
        self.order = array("L", sorted(range(index.count), key=offsets.__getitem__))
        self.old = array("Q", (offsets[position] for position in self.order))
        self.new = array("Q")

    def moved(self, offset: int) -> int:
        """Return the new offset of the entry that was at `offset`."""
        at = bisect_left(self.old, offset)
        if at >= len(self.new) or self.old[at] != offset:
            raise CorruptObject(f"'{self.pack.path}' has a delta without its base")
        return self.new[at]

    def find(self, oid: Oid) -> int | None:
        """Return the new offset of an object."""
        offset = self.pack.find(oid)
        return None if offset is None else self.moved(offset)


def _merge(folder: Path, packs: list[Pack]) -> FinishedPack:
    """Copy every object of `packs` once, as deflated as it is."""
    out = PackFile(folder)
    try:
        done: list[_Copied] = []
        for pack in packs:
            copied = _Copied(pack)
            _copy(copied, done, out)
            done.append(copied)
    except BaseException:
        out.discard()
        raise
    return out.finish()


def _copy(copied: _Copied, done: list[_Copied], out: PackFile) -> None:
    """
    Copy the entries of one pack in their order, so that an OFS_DELTA follows its base.

    A base may have been copied from an earlier pack instead; as every chain then stays in that
    pack or those before it, no circle can arise.
    """
    pack, index = copied.pack, copied.pack.index
    ends = [*copied.old[1:], pack.end]
    for position, offset, end in zip(copied.order, copied.old, ends, strict=bool(copied.order)):
        oid = index.oid(position)
        found = next((at for other in done if (at := other.find(oid)) is not None), None)
        if found is None:
            raw = pack.data[offset:end]
            crc = index.crc(position)
            if zlib.crc32(raw) != crc:
                raise CorruptObject(f"object {oid.hex()} in '{pack.path}' is damaged")
            entry = _rebased(copied, raw, offset, out.size)
            found = out.append(Encoded(oid, crc if entry is raw else zlib.crc32(entry), entry))
        copied.new.append(found)


def _rebased(copied: _Copied, raw: bytes, offset: int, target: int) -> bytes:
    """Return an entry with the distance to its base corrected."""
    try:
        kind, size, start, base = copied.pack.entry(offset)
    except DAMAGE as error:
        raise CorruptObject(f"'{copied.pack.path}' is damaged at {offset}") from error
    if kind != OFS_DELTA or not isinstance(base, int):
        return raw
    distance = target - copied.moved(offset - base)
    return entry_header(kind, size) + _encode_distance(distance) + raw[start - offset :]


def _encode_distance(distance: int) -> bytes:
    out = [distance & 0x7F]
    while distance := distance >> 7:
        distance -= 1
        out.append(0x80 | (distance & 0x7F))
    return bytes(reversed(out))


def _check(merged: FinishedPack, packs: list[Pack]) -> None:
    """Raise CorruptObject unless the new pack is sound and has every object of the old ones."""
    new = Pack(merged.pack, BaseCache(), index=merged.index_file)
    for problem in verify_pack(new):
        raise CorruptObject(
            f"packs cannot be merged: {problem.message}"
            + (f" ({problem.oid.hex()})" if problem.oid else ""),
            hint="'dvcs fsck' tells which objects are damaged",
        )
    for pack in packs:
        for oid in pack.index.oids():
            if new.find(oid) is None:
                raise CorruptObject(f"packs cannot be merged: object {oid.hex()} got lost")


def retire(store: ObjectStore, packs: list[Pack], trash: Path) -> None:
    """Move old packs away, each index first, so that what remains is never half a pack."""
    make_dirs(trash)
    folder = store.pack_folder
    names = [pack.path.stem for pack in packs]
    packs.clear()
    store.close()  # Windows moves no file that is open
    files = [path for path in folder.iterdir() if path.name.startswith(_CACHES)]
    for name in names:
        files += sorted(folder.glob(f"{name}.*"), key=lambda path: path.suffix != ".idx")
    for path in files:
        # Another process may have it open on Windows: then it stays, and objects are there twice.
        with suppress(FileNotFoundError, PermissionError):
            os.replace(path, trash / path.name)  # noqa: PTH105 - says what it does
    fsync_dir(trash)
    fsync_dir(folder)
    store.refresh()
