"""
Folders of items as Git trees: split where they are large, walked, compared and changed cheaply.

    items/train/                    up to 256 items: flat
        street%2F1.jsonl
    items/val/                      more: split 32 ways by the SHA-1 of the id, 5 bits a level,
        a/ b/ ... 7/                RFC 4648 base32 in lower case, most significant bits first
            3/
                000123.jsonl        an item
                huge.jsonl          an item of more than 4 MiB ...
                huge.1.jsonl        ... goes on here (its first line says `"continues":1`)

Whether a folder is split depends only on how many items are in it, so the same items have the same
tree whoever wrote them in whatever order, and one more item never moves the others by the
thousand. Readers accept an item at any depth; the next write puts it right.

In here an item is a *name* (its quoted id) and its *blobs*: their 20-byte ids in a row.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

from dvcs.names import unquote

LEAF_LIMIT = 256
FILE, FOLDER = 0o100644, 0o040000
SUFFIX = b".jsonl"
BASE32 = b"abcdefghijklmnopqrstuvwxyz234567"
BITS = 5
DEEPEST = 160 // BITS
SIZE = 20
NUMBERED = re.compile(rb"(.+)\.([1-9][0-9]*)\Z", re.DOTALL)

Entry = tuple[bytes, int, bytes]
"""Name, mode and 20-byte id of one entry of a tree."""
Items = dict[bytes, bytes]
"""The items of a folder: blobs by name."""


class Reader(Protocol):
    """What reads trees; `continues` tells by an item's first blob how many more it has."""

    def tree(self, oid: bytes) -> Sequence[Entry]:
        """Return the entries of a tree."""

    def continues(self, oid: bytes) -> int:
        """Return how many blobs follow an item's first."""


class Writer(Protocol):
    """What writes trees."""

    def tree(self, entries: Iterable[Entry]) -> bytes:
        """Write a tree; return its id."""


class Changed(NamedTuple):
    """One item that two folders do not have alike; None where a side does not have it."""

    name: bytes
    old: bytes | None
    new: bytes | None


# -- writing -------------------------------------------------------------------------------------


def write(writer: Writer, items: Mapping[bytes, bytes], depth: int = 0) -> bytes:
    """Write a folder of items; return its tree's id."""
    if len(items) <= LEAF_LIMIT or depth >= DEEPEST:
        return writer.tree(_leaf(items))
    return _split(writer, [(digest(name), name, blobs) for name, blobs in items.items()], depth)


def _split(writer: Writer, items: list[tuple[int, bytes, bytes]], depth: int) -> bytes:
    """Write a folder with more items than fit into one."""
    shift = 160 - BITS * (depth + 1)
    buckets: dict[int, list[tuple[int, bytes, bytes]]] = {}
    for one in items:
        buckets.setdefault(one[0] >> shift & 31, []).append(one)
    entries = []
    for n, held in buckets.items():
        if len(held) <= LEAF_LIMIT or depth + 1 >= DEEPEST:
            oid = writer.tree(_leaf({name: blobs for _, name, blobs in held}))
        else:
            oid = _split(writer, held, depth + 1)
        entries.append((BASE32[n : n + 1], FOLDER, oid))
    return writer.tree(entries)


def digest(name: bytes) -> int:
    """Return the SHA-1 of the id that a quoted name stands for, as a number of 160 bits."""
    id = unquote(name.decode()).encode()
    return int.from_bytes(hashlib.sha1(id, usedforsecurity=False).digest())


def bucket(name: bytes, depth: int) -> int:
    """Return which of the 32 folders of a level an item belongs in: 5 bits of its id's SHA-1."""
    return digest(name) >> (160 - BITS * (depth + 1)) & 31


def _leaf(items: Mapping[bytes, bytes]) -> Iterator[Entry]:
    for name, blobs in items.items():
        number = NUMBERED.match(name)
        if number and len(items.get(number[1], b"")) > SIZE:
            # An item called `x.1` beside a continued `x`: its own name is spelt `x%2E1`.
            name = number[1] + b"%2E" + number[2]  # noqa: PLW2901
        yield name + SUFFIX, FILE, blobs[:SIZE]
        for n in range(1, len(blobs) // SIZE):
            yield b"%b.%d%b" % (name, n, SUFFIX), FILE, blobs[n * SIZE : (n + 1) * SIZE]


# -- reading -------------------------------------------------------------------------------------


def walk(reader: Reader, oid: bytes | None) -> Iterator[tuple[bytes, bytes]]:
    """Yield the name and blobs of every item in a folder, in the tree's order."""
    if oid is None:
        return
    folders, items = folder(reader, oid)
    yield from items.items()
    for _, below in folders:
        yield from walk(reader, below)


def folder(reader: Reader, oid: bytes) -> tuple[list[tuple[bytes, bytes]], Items]:
    """Return a tree's subfolders and the items that lie directly in it."""
    return _sorted_out(reader, reader.tree(oid))


def _sorted_out(
    reader: Reader, entries: Sequence[Entry]
) -> tuple[list[tuple[bytes, bytes]], Items]:
    folders: list[tuple[bytes, bytes]] = []
    files: Items = {}
    numbered = False
    for name, mode, held in entries:
        if mode == FOLDER:
            folders.append((name, held))
        elif name.endswith(SUFFIX):
            stem = name[: -len(SUFFIX)]
            files[stem] = held
            numbered = numbered or (b"." in stem and NUMBERED.match(stem) is not None)
    return folders, _continued(reader, files) if numbered else _unescaped(files)


def _continued(reader: Reader, files: Items) -> Items:
    """Join the blobs of items that go on in further files."""
    items = dict(files)
    bases = {match[1] for stem in files if (match := NUMBERED.match(stem)) and match[1] in files}
    for base in sorted(bases):
        for n in range(1, reader.continues(files[base]) + 1):
            items[base] += items.pop(b"%b.%d" % (base, n), b"")
    return _unescaped(items)


def _unescaped(items: Items) -> Items:
    if not any(b"%2E" in name for name in items):
        return items
    return {_canonical_name(name): blobs for name, blobs in items.items()}


def _canonical_name(name: bytes) -> bytes:
    """Undo the spelling `x%2E1` of an item `x.1`; other quoted dots are the name's own."""
    base, _, number = name.rpartition(b"%2E")
    return base + b"." + number if base and number.isdigit() and number[:1] != b"0" else name


def find(reader: Reader, oid: bytes | None, name: bytes) -> bytes | None:
    """Return the blobs of one item, None where the folder does not have it."""
    depth = 0
    while oid is not None:
        folders, items = folder(reader, oid)
        if name in items:
            return items[name]
        if not folders:
            return None
        here = BASE32[bucket(name, depth) :][:1]
        oid = dict(folders).get(here)
        depth += 1
    return None


def find_anywhere(reader: Reader, oid: bytes | None, name: bytes) -> bytes | None:
    """As `find`, but also at a depth where no dvcs would have put the item."""
    found = find(reader, oid, name)
    if found is not None or oid is None:
        return found
    return next((blobs for other, blobs in walk(reader, oid) if other == name), None)


def count(reader: Reader, oid: bytes | None, limit: int | None = None) -> int:
    """Count the items of a folder, no further than beyond `limit`."""
    if oid is None:
        return 0
    entries = reader.tree(oid)
    if all(mode == FILE and b"." not in name[: -len(SUFFIX)] for name, mode, _ in entries):
        return sum(name.endswith(SUFFIX) for name, _, _ in entries)
    folders, items = _sorted_out(reader, entries)
    total = len(items)
    for _, below in folders:
        if limit is not None and total > limit:
            break
        total += count(reader, below, None if limit is None else limit - total)
    return total


# -- comparing -----------------------------------------------------------------------------------


def diff(reader: Reader, old: bytes | None, new: bytes | None) -> Iterator[Changed]:
    """Yield the items that differ, walking both trees together; equal folders are not opened."""
    if old == new:
        return
    old_entries = reader.tree(old) if old is not None else []
    new_entries = reader.tree(new) if new is not None else []
    quick = _leaf_diff(old_entries, new_entries)
    if quick is not None:
        yield from quick
        return
    old_folders, old_items = _sorted_out(reader, old_entries)
    new_folders, new_items = _sorted_out(reader, new_entries)
    if bool(old_folders) != bool(new_folders) or (old_folders and (old_items or new_items)):
        # One side is split and the other is not, or items lie at an unusual depth.
        yield from _unlike(dict(walk(reader, old)), dict(walk(reader, new)))
        return
    yield from _unlike(old_items, new_items)
    before, after = dict(old_folders), dict(new_folders)
    for name in sorted(before.keys() | after.keys()):
        yield from diff(reader, before.get(name), after.get(name))


def _leaf_diff(old: Sequence[Entry], new: Sequence[Entry]) -> Iterator[Changed] | None:
    """
    Compare two folders that have items only; None where it takes a closer look.

    A change of 1 % touches all of 1,000 folders: sets find the one entry of a hundred that differs
    in a fifth of the time that it takes to look at each.
    """
    differing = {entry[0] for entry in set(old) ^ set(new)}
    plain = all(mode == FILE for entries in (old, new) for _, mode, _ in entries)
    if not plain or any(b"%2E" in name or name.count(b".") > 1 for name in differing):
        return None
    before, after = (
        {
            name[: -len(SUFFIX)]: oid
            for name, _, oid in entries
            if name in differing and name.endswith(SUFFIX)
        }
        for entries in (old, new)
    )
    return _unlike(before, after)


def _unlike(old: Items, new: Items) -> Iterator[Changed]:
    for name in sorted(old.keys() | new.keys()):
        was, now = old.get(name), new.get(name)
        if was != now:
            yield Changed(name, was, now)


# -- changing ------------------------------------------------------------------------------------


def update(
    reader: Reader,
    writer: Writer,
    oid: bytes | None,
    changes: Mapping[bytes, bytes | None],
    depth: int = 0,
) -> bytes | None:
    """
    Return the id of a folder with some items set (blobs) or removed (None); None when it is empty.

    Only the folders on the way to a change are read and written.
    """
    if not changes:
        return oid
    folders, items = folder(reader, oid) if oid is not None else ([], {})
    if not folders:
        return _rewritten(writer, _applied(items, changes), depth)
    if items or any(len(name) != 1 for name, _ in folders):
        held = dict(walk(reader, oid))
        return _rewritten(writer, _applied(held, changes), depth)
    buckets: dict[bytes, dict[bytes, bytes | None]] = {}
    for name, blobs in changes.items():
        here = BASE32[bucket(name, depth) :][:1]
        buckets.setdefault(here, {})[name] = blobs
    below = dict(folders)
    for here, part in buckets.items():
        new = update(reader, writer, below.pop(here, None), part, depth + 1)
        if new is not None:
            below[here] = new
    if not _more_than_a_leaf(reader, below.values(), removed=None in changes.values()):
        # What is left fits into one folder again; the parts just written are not used.
        held = {name: blobs for one in below.values() for name, blobs in walk(reader, one)}
        return _rewritten(writer, held, depth)
    return writer.tree((name, FOLDER, held) for name, held in below.items())


def _applied(items: Items, changes: Mapping[bytes, bytes | None]) -> Items:
    merged = dict(items)
    for name, blobs in changes.items():
        if blobs is None:
            merged.pop(name, None)
        else:
            merged[name] = blobs
    return merged


def _rewritten(writer: Writer, items: Items, depth: int) -> bytes | None:
    return write(writer, items, depth) if items else None


def _more_than_a_leaf(reader: Reader, folders: Iterable[bytes], *, removed: bool) -> bool:
    if not removed:  # it was split before and has lost nothing
        return True
    total = 0
    for one in folders:
        total += count(reader, one, LEAF_LIMIT - total)
        if total > LEAF_LIMIT:
            return True
    return False
