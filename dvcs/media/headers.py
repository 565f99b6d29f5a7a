"""
The kind and size of an image from its first bytes, without decoding it.

    kind   first bytes                       size stands in
    jpeg   FF D8 FF                          SOF segment, behind any number of APP segments
    png    89 "PNG" 0D 0A 1A 0A              IHDR chunk; orientation in eXIf, before IDAT
    gif    "GIF87a", "GIF89a"                logical screen
    bmp    "BM"                              DIB header (negative height = rows top-down)
    webp   "RIFF" .... "WEBP"                VP8, VP8L or VP8X chunk; orientation in EXIF
    tiff   "II" or "MM", 42 or 43 (BigTIFF)  tags of the first page
    pnm    "P1" ... "P7"                     text
    pfm, jp2, ras, hdr, exr                  see `_rasters.py`

The extension of a file is never asked. Sources: ITU-T T.81 annex B, W3C PNG third edition, the
GIF89a specification, Microsoft's BITMAPINFOHEADER, RFC 9649 (WebP) and RFC 6386 (VP8).
"""

import struct
import zlib
from collections.abc import Callable
from itertools import chain
from typing import BinaryIO, Final

from dvcs.errors import InvalidMedia
from dvcs.media import _rasters
from dvcs.media._tiff import exif_orientation, read_tiff
from dvcs.media._window import ImageHeader, Window, damaged, header

__all__ = ["EXTENSIONS", "IMAGE_EXTENSIONS", "ImageHeader", "extension_of", "read_header"]

EXTENSIONS: Final[dict[str, tuple[str, ...]]] = {
    "jpeg": (".jpg", ".jpeg", ".jpe"),
    "png": (".png",),
    "gif": (".gif",),
    "bmp": (".bmp", ".dib"),
    "webp": (".webp",),
    "tiff": (".tif", ".tiff"),
    "pnm": (".ppm", ".pgm", ".pbm", ".pnm", ".pxm", ".pam"),
    "pfm": (".pfm",),
    "jp2": (".jp2",),
    "ras": (".ras", ".sr"),
    "hdr": (".hdr", ".pic"),
    "exr": (".exr",),
}
"""The names' endings of each kind that `read_header` knows, the usual one first."""

IMAGE_EXTENSIONS: Final = frozenset({".tga", *chain.from_iterable(EXTENSIONS.values())})
"""Endings, in lower case, by which a file in a dataset is taken for an image."""

PNG_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
MOST_SEGMENTS: Final = 4096
"""Real files have up to about 300 segments or chunks before their pixels (a large ICC profile)."""


def read_header(source: bytes | bytearray | memoryview | BinaryIO) -> ImageHeader:
    """
    Return kind, size as shown and orientation of an image.

    `source` is the whole image or its beginning as bytes, or a seekable binary file, read from
    offset 0; its position afterwards is undefined. Reads 4 KiB, more only where the header goes on.

    Raises:
        InvalidMedia: no known kind, damaged, or cut off within the header.

    """
    return read_window(Window(source))


def read_window(window: Window) -> ImageHeader:
    """Do what `read_header` does, for callers that want to know where the EXIF block stands."""
    head = window.head
    read = _READERS.get(head[:2])
    if read is None:
        if not head:
            raise InvalidMedia("the image is empty (0 bytes)")
        raise InvalidMedia("not an image of a known kind")
    return read(window)


def extension_of(kind: str) -> str:
    """Return the usual ending of file names for a kind of image, with its dot."""
    return EXTENSIONS[kind][0]


def _read_jpeg(window: Window) -> ImageHeader:
    """Walk the segments up to SOS, as decoders do: EXIF may stand on either side of SOF."""
    head = window.head
    size: tuple[int, int, int, int] | None = None
    orientation = 0
    offset = 2
    for _ in range(MOST_SEGMENTS):
        segment = head[offset : offset + 10]
        if len(segment) < 10:  # marker, length, and what SOF and APP1 start with
            segment = window.some(offset, 10)
            if len(segment) < 4:
                raise damaged("JPEG", "it ends within its header")
        marker = segment[1]
        if segment[0] != 0xFF:
            raise damaged("JPEG", f"there is no marker at byte {offset}")
        if marker == 0xFF:  # any number of these may fill up
            offset += 1
            continue
        length = segment[2] << 8 | segment[3]
        if marker == 0xDA:  # SOS: compressed data follow
            if size is None:
                raise damaged("JPEG", "its pixels come before its size")
            bits, height, width, channels = size
            return header("jpeg", width, height, orientation or 1, channels, bits)
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            if size is not None or length < 8 or len(segment) < 10:
                raise damaged("JPEG", "it states its size twice or not at all")
            size = struct.unpack(">BHHB", segment[4:10])
        elif marker == 0xE1 and not orientation and segment[4:8] == b"Exif":
            orientation = exif_orientation(window, offset + 10, length - 8)
        elif marker < 0xC0 or 0xD0 <= marker <= 0xD9 or length < 2:
            raise damaged("JPEG", f"marker {marker:02X} cannot stand in a header")
        offset += 2 + length
    raise damaged("JPEG", f"it has more than {MOST_SEGMENTS} segments before its pixels")


_PNG_CHANNELS: Final = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}


def _read_png(window: Window) -> ImageHeader:
    start = window.at(0, 33)
    if start[:8] != PNG_SIGNATURE or start[8:16] != b"\x00\x00\x00\rIHDR":
        raise damaged("PNG", "it does not begin with IHDR")
    width, height, bits, colour, crc = struct.unpack(">IIBB3xI", start[16:])
    if zlib.crc32(start[12:29]) != crc:
        raise damaged("PNG", "the checksum of IHDR is wrong")
    channels = _PNG_CHANNELS.get(colour)
    if channels is None:
        raise damaged("PNG", f"there is no colour type {colour}")
    orientation = 1
    offset = 33
    for _ in range(MOST_SEGMENTS):
        length, name = struct.unpack(">I4s", window.at(offset, 8))
        if name == b"eXIf":
            orientation = exif_orientation(window, offset + 8, length)
            break
        if name in (b"IDAT", b"IEND"):
            break
        offset += 12 + length
    return header("png", width, height, orientation, channels, bits)


def _read_gif(window: Window) -> ImageHeader:
    start = window.at(0, 13)
    if start[:6] not in (b"GIF87a", b"GIF89a"):
        raise damaged("GIF", "its version is unknown")
    width, height = struct.unpack("<HH", start[6:10])
    return header("gif", width, height, channels=3, bits=8)


def _read_bmp(window: Window) -> ImageHeader:
    (size,) = struct.unpack("<I", window.at(14, 4))
    if size == 12:  # OS/2 1.x
        width, height, _, depth = struct.unpack("<HHHH", window.at(18, 8))
    elif 16 <= size <= 1024:  # known ones are 16, 40, 52, 56, 64, 108, 124
        width, height, _, depth = struct.unpack("<iiHH", window.at(18, 12))
    else:
        raise damaged("BMP", f"its header has {size} bytes")
    if depth not in (0, 1, 2, 4, 8, 16, 24, 32):  # 0: the pixels are a JPEG or PNG
        raise damaged("BMP", f"its pixels have {depth} bits")
    channels, bits = (4, 8) if depth == 32 else (3, 5 if depth == 16 else 8)
    return header("bmp", width, abs(height), channels=channels, bits=bits)


def _read_webp(window: Window) -> ImageHeader:
    start = window.at(0, 30)
    if start[:4] != b"RIFF" or start[8:12] != b"WEBP":
        raise damaged("WebP", "this RIFF file holds something else")
    name = start[12:16]
    if name == b"VP8 ":
        if start[20] & 1 or start[23:26] != b"\x9d\x01\x2a":
            raise damaged("WebP", "it does not begin with a key frame")
        width, height = struct.unpack("<HH", start[26:30])
        return header("webp", width & 0x3FFF, height & 0x3FFF, 1, 3, 8)
    if name == b"VP8L":
        if start[20] != 0x2F:
            raise damaged("WebP", "its lossless data have no signature")
        bits = int.from_bytes(start[21:25], "little")
        alpha = bits >> 28 & 1
        return header("webp", (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, 1, 3 + alpha, 8)
    if name == b"VP8X":
        width = int.from_bytes(start[24:27], "little") + 1
        height = int.from_bytes(start[27:30], "little") + 1
        orientation = _webp_orientation(window) if start[20] & 0x08 else 1
        return header("webp", width, height, orientation, 4 if start[20] & 0x10 else 3, 8)
    raise damaged("WebP", "its first chunk is unknown")


def _webp_orientation(window: Window) -> int:
    """Walk the chunks: EXIF stands behind the pixels."""
    end = 8 + int.from_bytes(window.at(4, 4), "little")
    offset = 12
    for _ in range(MOST_SEGMENTS):
        if offset + 14 > end:
            break
        chunk = window.at(offset, 14)
        size = int.from_bytes(chunk[4:8], "little")
        if chunk[:4] == b"EXIF":
            # The standard wants the bare block; some writers put JPEG's prefix before it.
            skip = 6 if chunk[8:14] == b"Exif\x00\x00" else 0
            return exif_orientation(window, offset + 8 + skip, size - skip)
        offset += 8 + size + (size & 1)
    return 1


_READERS: Final[dict[bytes, Callable[[Window], ImageHeader]]] = {
    b"\xff\xd8": _read_jpeg,
    b"\x89P": _read_png,
    b"GI": _read_gif,
    b"BM": _read_bmp,
    b"RI": _read_webp,
    b"II": read_tiff,
    b"MM": read_tiff,
    **dict.fromkeys((b"P1", b"P2", b"P3", b"P4", b"P5", b"P6"), _rasters.read_pnm),
    b"P7": _rasters.read_pam,
    b"PF": _rasters.read_pfm,
    b"Pf": _rasters.read_pfm,
    b"\x00\x00": _rasters.read_jp2,
    b"\xff\x4f": _rasters.read_codestream,
    b"\x59\xa6": _rasters.read_sun,
    b"#?": _rasters.read_radiance,
    b"\x76\x2f": _rasters.read_exr,
}
