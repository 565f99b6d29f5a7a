"""
Headers of the simpler and rarer kinds: PNM and PAM, PFM, JPEG 2000, Sun raster, Radiance, OpenEXR.

Sources: Netpbm's pnm, pam and pfm pages, ITU-T T.800 annexes A and I, the rasterfile(5) manual,
G. Ward's description of Radiance pictures, "OpenEXR File Layout".
"""

import re
import struct
from typing import Final

from dvcs.media._window import ImageHeader, Window, damaged, header

LONGEST_TEXT: Final = 1 << 16
"""Comments may make a textual header long; real ones stay below a few hundred bytes."""

_GAP: Final = rb"(?:[ \t\r\n\v\f]|#[^\r\n]*[\r\n])+"
_PNM: Final = re.compile(
    rb"P([1-6])" + _GAP + rb"(\d{1,10})" + _GAP + rb"(\d{1,10})(?:" + _GAP + rb"(\d{1,5}))?[\s#]"
)
_PFM: Final = re.compile(rb"P([Ff])\s+(\d{1,10})\s+(\d{1,10})\s+([-+0-9.eE]{1,32})\s")
_RADIANCE: Final = re.compile(rb"\n\n-Y (\d{1,10}) \+X (\d{1,10})\n")


def read_pnm(window: Window) -> ImageHeader:
    """Read P1 to P6: magic, width, height and, except for bitmaps, the largest value."""
    found = _match(window, _PNM)
    if found is None:
        raise damaged("PNM", "its header is not magic, width, height, maximum")
    magic, width, height = int(found[1]), int(found[2]), int(found[3])
    if magic in (1, 4):
        return header("pnm", width, height, channels=1, bits=1)
    if found[4] is None or not 0 < int(found[4]) < 1 << 16:
        raise damaged("PNM", "its largest value is not in 1 to 65535")
    return header("pnm", width, height, 1, 3 if magic in (3, 6) else 1, _bits(int(found[4])))


def read_pam(window: Window) -> ImageHeader:
    """Read P7: lines of a name and a value, in any order, up to ENDHDR."""
    text = window.some(0, LONGEST_TEXT).partition(b"\nENDHDR")
    if not text[1] or not text[0].startswith(b"P7\n"):
        raise damaged("PAM", "its header does not end")
    fields = {}
    for line in text[0].split(b"\n"):
        name, _, value = line.partition(b" ")
        if name in (b"WIDTH", b"HEIGHT", b"DEPTH", b"MAXVAL"):
            value = value.strip()
            if not value.isdigit() or len(value) > 10:
                raise damaged("PAM", f"{name.decode()} is not a number")
            fields[name] = int(value)
    if len(fields) < 4 or not 0 < fields[b"MAXVAL"] < 1 << 16:
        raise damaged("PAM", "its header lacks a field")
    bits = _bits(fields[b"MAXVAL"])
    return header("pnm", fields[b"WIDTH"], fields[b"HEIGHT"], 1, fields[b"DEPTH"], bits)


def read_pfm(window: Window) -> ImageHeader:
    """Read a map of 32-bit floats: PF has three channels, Pf one."""
    found = _match(window, _PFM)
    if found is None:
        raise damaged("PFM", "its header is not magic, width, height, scale")
    channels = 3 if found[1] == b"F" else 1
    return header("pfm", int(found[2]), int(found[3]), 1, channels, 32)


def read_jp2(window: Window) -> ImageHeader:
    """Read JPEG 2000 in its box format: box `ihdr` is the first one inside `jp2h`."""
    if window.at(0, 12) != b"\x00\x00\x00\x0cjP  \r\n\x87\n":
        raise damaged("JPEG 2000", "it has no signature box")
    offset = 12
    for _ in range(16):
        size, name = struct.unpack(">I4s", window.at(offset, 8))
        if name == b"jp2h":
            box = window.at(offset + 8, 22)
            if box[4:8] != b"ihdr":
                break
            height, width, channels, bits = struct.unpack(">IIHB", box[8:19])
            return header("jp2", width, height, 1, channels, (bits & 0x7F) + 1)
        if size < 8:  # 0 and 1 stand only before the pixels
            break
        offset += size
    raise damaged("JPEG 2000", "it has no image header box")


def read_codestream(window: Window) -> ImageHeader:
    """Read bare JPEG 2000: SIZ gives the reference grid, of which the image is a part."""
    start = window.at(0, 43)
    if start[:4] != b"\xff\x4f\xff\x51":
        raise damaged("JPEG 2000", "it does not begin with SIZ")
    right, bottom, left, top = struct.unpack(">IIII", start[8:24])
    channels, bits = struct.unpack(">HB", start[40:43])
    return header("jp2", right - left, bottom - top, 1, channels, (bits & 0x7F) + 1)


def read_sun(window: Window) -> ImageHeader:
    """Read a Sun raster file: eight big-endian integers."""
    magic, width, height, depth = struct.unpack(">IIII", window.at(0, 16))
    if magic != 0x59A66A95 or depth not in (1, 8, 24, 32):
        raise damaged("Sun raster", f"its pixels have {depth} bits")
    return header("ras", width, height, 1, 1 if depth == 1 else 3, 1 if depth == 1 else 8)


def read_radiance(window: Window) -> ImageHeader:
    """Read a Radiance picture: text lines, an empty one, then the resolution."""
    text = window.some(0, LONGEST_TEXT)
    found = _RADIANCE.search(text)
    if found is None or not text.startswith((b"#?RADIANCE", b"#?RGBE")):
        raise damaged("Radiance", "its header states no resolution '-Y height +X width'")
    return header("hdr", int(found[2]), int(found[1]), 1, 3, 32)


def read_exr(window: Window) -> ImageHeader:
    """Read OpenEXR: attributes of name, type, size and value; `dataWindow` is the stored area."""
    if window.at(0, 4) != b"\x76\x2f\x31\x01":
        raise damaged("OpenEXR", "it has no signature")
    offset = 8
    for _ in range(256):
        names = window.some(offset, 512).split(b"\x00", 2)
        if len(names) < 3 or not names[0]:
            break
        offset += len(names[0]) + len(names[1]) + 2
        (size,) = struct.unpack("<I", window.at(offset, 4))
        if names[0] == b"dataWindow" and size == 16:
            left, top, right, bottom = struct.unpack("<4i", window.at(offset + 4, 16))
            return header("exr", right - left + 1, bottom - top + 1)
        offset += 4 + size
    raise damaged("OpenEXR", "it states no data window")


def _match(window: Window, pattern: re.Pattern[bytes]) -> re.Match[bytes] | None:
    found = pattern.match(window.head)
    if found is None and len(window.head) >= len(window.some(0, LONGEST_TEXT)):
        return None
    return found or pattern.match(window.some(0, LONGEST_TEXT))


def _bits(largest: int) -> int:
    return 8 if largest < 1 << 8 else 16
