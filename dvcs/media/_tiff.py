"""
Tags of the first page of a TIFF file, which is also how EXIF is written inside other images.

    II 42 <offset u32>                      MM: the same, big-endian
    II 43 8 0 <offset u64>                  BigTIFF
    <offset>: count, count x (tag u16, type u16, count, value or its offset), next page

Sources: TIFF revision 6.0 section 2, the BigTIFF proposal (Aware Systems), EXIF 2.32 section 4.6.
"""

import struct
from collections.abc import Callable
from typing import Final, NamedTuple

from dvcs.errors import InvalidMedia
from dvcs.media._window import ImageHeader, Window, damaged, header

WIDTH: Final = 256
HEIGHT: Final = 257
BITS: Final = 258
PHOTOMETRIC: Final = 262
STRIP_OFFSETS: Final = 273
ORIENTATION: Final = 274
SAMPLES: Final = 277
STRIP_COUNTS: Final = 279
TILE_OFFSETS: Final = 324
TILE_COUNTS: Final = 325
ORIENTATIONS: Final = range(1, 9)
PALETTE: Final = 3

NUMBERS: Final = {1: "B", 3: "H", 4: "I", 16: "Q"}
"""TIFF's field types that hold unsigned integers, as `struct` codes."""

MOST_TAGS: Final = 4096
MOST_VALUES: Final = 1 << 24

ReadBytes = Callable[[int, int], bytes]


class _Page(NamedTuple):
    """The first page's table of tags: its bytes and where they stand, and how they are to read."""

    order: str
    offset_code: str
    entry: struct.Struct
    inline: int
    start: int
    table: bytes


def _page(at: ReadBytes) -> _Page:
    order = {b"II": "<", b"MM": ">"}.get(at(0, 2))
    if order is None:
        raise damaged("TIFF", "it has no byte order mark")
    (version,) = struct.unpack(f"{order}H", at(2, 2))
    big = version == 43
    if big:
        start, count_code, entry, inline = 8, "Q", struct.Struct(f"{order}HHQ8s"), 8
    else:
        start, count_code, entry, inline = 4, "H", struct.Struct(f"{order}HHI4s"), 4
    offset_code = f"{order}{'Q' if big else 'I'}"
    (page,) = struct.unpack(offset_code, at(start, inline))
    count_size = struct.calcsize(count_code)
    (count,) = struct.unpack(f"{order}{count_code}", at(page, count_size))
    if not 0 < count <= MOST_TAGS:
        raise damaged("TIFF", f"its first page has {count} tags")
    start = page + count_size
    return _Page(order, offset_code, entry, inline, start, at(start, count * entry.size))


def read_tags(at: ReadBytes, wanted: frozenset[int]) -> dict[int, tuple[int, ...]]:
    """
    Return the integer values of the `wanted` tags of the first page.

    `at(offset, count)` gives bytes from the start of the TIFF header or raises `InvalidMedia`.
    """
    order, offset_code, entry, inline, _, table = _page(at)
    found: dict[int, tuple[int, ...]] = {}
    for tag, kind, values, field in entry.iter_unpack(table):
        code = NUMBERS.get(kind)
        if tag not in wanted or tag in found or code is None or not 0 < values <= MOST_VALUES:
            continue
        size = values * struct.calcsize(f"={code}")
        data = field[:size] if size <= inline else at(struct.unpack(offset_code, field)[0], size)
        found[tag] = struct.unpack(f"{order}{values}{code}", data)
    return found


def orientation_place(at: ReadBytes) -> tuple[int, str] | None:
    """Return where the orientation stands that `read_tags` finds, and its `struct` code."""
    order, offset_code, entry, inline, start, table = _page(at)
    for n, (tag, kind, values, field) in enumerate(entry.iter_unpack(table)):
        code = NUMBERS.get(kind)
        if tag == ORIENTATION and code is not None and 0 < values <= MOST_VALUES:
            size = values * struct.calcsize(f"={code}")
            own = start + (n + 1) * entry.size - inline
            place = own if size <= inline else struct.unpack(offset_code, field)[0]
            return place, f"{order}{code}"
    return None


def exif_orientation(window: Window, start: int, size: int) -> int:
    """
    Return the orientation (1-8) that an EXIF block of `size` bytes at `start` states.

    A damaged block counts as none: every viewer shows such an image, as if it were upright. Where
    the file ends within the block, `InvalidMedia` is raised.
    """
    window.at(start + max(size, 1) - 1, 1)
    window.exif = start, size

    def at(offset: int, count: int) -> bytes:
        if offset + count > size:
            raise InvalidMedia("the EXIF block is too short")
        return window.at(start + offset, count)

    try:
        return _orientation(read_tags(at, frozenset({ORIENTATION})))
    except InvalidMedia:
        return 1


def read_tiff(window: Window) -> ImageHeader:
    """Read the first page's size, bits and orientation."""
    tags = read_tags(window.at, frozenset({WIDTH, HEIGHT, BITS, PHOTOMETRIC, ORIENTATION, SAMPLES}))
    if WIDTH not in tags or HEIGHT not in tags:
        raise damaged("TIFF", "its first page does not state its size")
    channels = tags.get(SAMPLES, (1,))[0]
    if tags.get(PHOTOMETRIC) == (PALETTE,):
        channels = 3
    bits = tags.get(BITS, (1,))[0]
    return header("tiff", tags[WIDTH][0], tags[HEIGHT][0], _orientation(tags), channels, bits)


def tiff_data_end(data: bytes) -> int:
    """Return the offset behind the last strip or tile of the first page; 0 = not stated."""
    wanted = frozenset({STRIP_OFFSETS, STRIP_COUNTS, TILE_OFFSETS, TILE_COUNTS})
    tags = read_tags(Window(data).at, wanted)
    ends = [0]
    for offsets, counts in ((STRIP_OFFSETS, STRIP_COUNTS), (TILE_OFFSETS, TILE_COUNTS)):
        pairs = zip(tags.get(offsets, ()), tags.get(counts, ()), strict=False)
        ends.extend(offset + count for offset, count in pairs)
    return max(ends)


def _orientation(tags: dict[int, tuple[int, ...]]) -> int:
    value = tags.get(ORIENTATION, (1,))[0]
    return value if value in ORIENTATIONS else 1
