"""
Images that EXIF turns, though the coordinates on them are those of the image as it is stored.

An image can say, by its EXIF orientation, that it lies on its side and is to be turned when it is
shown. Some annotation tools turn it and some do not, and the size that a dataset declares tells
which did: one that did not states the sides as they are stored. Then coordinates, and masks, are
right for the unturned image only, and whoever is to use both needs it so.

Where nothing tells (no declared size, a square, a size that is neither), an image is taken as it is
shown.
"""

import struct
import zlib
from typing import Final

from dvcs.errors import InvalidMedia
from dvcs.media._tiff import orientation_place
from dvcs.media._window import ImageHeader, Window
from dvcs.media.headers import read_window

TURNED: Final = range(5, 9)
"""The orientations that swap rows and columns."""
MARKER: Final = 0xFF
APPLICATION: Final = frozenset((*range(0xE0, 0xF0), 0xFE))
"""The segments of a JPEG that programs add, and comments."""


def lies_unturned(header: ImageHeader, size: tuple[int, int] | None) -> bool:
    """Tell whether a declared size (height, width) is that of an image before EXIF turns it."""
    return (
        header.orientation in TURNED
        and header.width != header.height
        and size == (header.width, header.height)
    )


def may_turn(start: bytes) -> bool:
    """
    Tell by the first bytes of an image whether EXIF may turn it; always True of all but JPEG.

    There EXIF stands before all tables, in the very first segment if it keeps to its standard.
    """
    at = 2
    while start.startswith(b"\xff\xd8") and at + 4 <= len(start) and start[at] == MARKER:
        if start[at + 1] not in APPLICATION:
            return False
        if start[at + 4 : at + 8] == b"Exif":
            return True
        at += 2 + int.from_bytes(start[at + 2 : at + 4])
    return True


def unturned(data: bytes) -> bytes:
    """
    Return an image whose orientation is 1, and all else, pixels included, as it was.

    Raises InvalidMedia where it is no image.
    """
    window = Window(data)
    header = read_window(window)
    start, size = (0, len(data)) if header.kind == "tiff" else window.exif or (0, 0)
    if header.orientation == 1 or not size:
        return data

    def at(offset: int, count: int) -> bytes:
        if offset + count > size:
            raise InvalidMedia("the EXIF block is too short")
        return window.at(start + offset, count)

    found = orientation_place(at)
    if found is None:
        return data
    place, code = found
    result = bytearray(data)
    struct.pack_into(code, result, start + place, 1)
    if header.kind == "png":  # a chunk: length, name, data, checksum of the latter two
        struct.pack_into(">I", result, start + size, zlib.crc32(result[start - 4 : start + size]))
    return bytes(result)


def in_frame(data: bytes, size: tuple[int, int] | None) -> bytes:
    """
    Return an image as the coordinates on it are: unturned where its declared size says so.

    Raises InvalidMedia where it is no image.
    """
    if size is None or size[0] == size[1]:
        return data
    return unturned(data) if lies_unturned(read_window(Window(data)), size) else data
