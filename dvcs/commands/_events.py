"""
TensorBoard's event files, written without TensorBoard: scalars, texts and images.

A file is a row of records: length (8 bytes, little endian), masked CRC-32C of the length, data,
masked CRC-32C of the data. The data of each is a protocol buffer `Event`. Sources: TensorFlow's
`core/lib/io/record_writer.h`, `core/util/event.proto`, `core/framework/summary.proto` and
`tensor.proto`; protobuf's encoding guide.
"""

import os
import platform
import re
import struct
import time
from functools import cache
from typing import IO

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_STRING_TENSOR = 7
_MASK = 0xA282EAD8


def file_name() -> str:
    """Return the name of a new event file, as TensorBoard expects it."""
    host = re.sub("[^A-Za-z0-9-]", "-", platform.node()) or "localhost"
    return f"events.out.tfevents.{int(time.time())}.{host}.{os.getpid()}.0"


class Events:
    """An event file, written to a binary stream."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._time = time.time()
        self._write(_bytes(3, b"brain.Event:2"))

    def scalar(self, tag: str, value: float, step: int = 0) -> None:
        """Write a number."""
        self._summary(tag, "scalars", _fixed32(2, value), step)

    def text(self, tag: str, words: str, step: int = 0) -> None:
        """Write a text in Markdown."""
        shape = _bytes(2, _bytes(2, _varint(1, 1)))
        tensor = _varint(1, _STRING_TENSOR) + shape + _bytes(8, words.encode(errors="replace"))
        self._summary(tag, "text", _bytes(8, tensor), step)

    def image(self, tag: str, encoded: bytes, height: int, width: int, step: int = 0) -> None:
        """Write an image, encoded as PNG or JPEG, in three colours."""
        image = _varint(1, height) + _varint(2, width) + _varint(3, 3) + _bytes(4, encoded)
        self._summary(tag, "images", _bytes(4, image), step)

    def _summary(self, tag: str, plugin: str, value: bytes, step: int) -> None:
        about = _bytes(9, _bytes(1, _bytes(1, plugin.encode())))
        entry = _bytes(1, tag.encode(errors="replace")) + about + value
        self._write(_varint(2, step) + _bytes(5, _bytes(1, entry)))

    def _write(self, event: bytes) -> None:
        data = _key(1, _FIXED64) + struct.pack("<d", self._time) + event
        length = struct.pack("<Q", len(data))
        for part in (length, _masked(length), data, _masked(data)):
            self._stream.write(part)


# -- protocol buffers ----------------------------------------------------------------------------


def _number(value: int) -> bytes:
    parts = bytearray()
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    parts.append(value)
    return bytes(parts)


def _key(field: int, kind: int) -> bytes:
    return _number(field << 3 | kind)


def _varint(field: int, value: int) -> bytes:
    return _key(field, _VARINT) + _number(value)


def _fixed32(field: int, value: float) -> bytes:
    return _key(field, _FIXED32) + struct.pack("<f", value)


def _bytes(field: int, data: bytes) -> bytes:
    return _key(field, _BYTES) + _number(len(data)) + data


# -- CRC-32C -------------------------------------------------------------------------------------


@cache
def _tables() -> list[list[int]]:
    """Return tables for eight bytes at a time (Castagnoli's polynomial, reflected)."""
    first = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        first.append(value)
    tables = [first]
    for _ in range(7):
        last = tables[-1]
        tables.append([value >> 8 ^ first[value & 255] for value in last])
    return tables


def crc32c(data: bytes) -> int:
    """Return the CRC-32C of bytes (RFC 3720, appendix B.4). 5 ms for 100 KB."""
    t0, t1, t2, t3, t4, t5, t6, t7 = _tables()
    crc = 0xFFFFFFFF
    whole = len(data) // 8 * 8
    for low, high in struct.iter_unpack("<II", data[:whole]):
        low ^= crc  # noqa: PLW2901
        crc = (
            t7[low & 255]
            ^ t6[low >> 8 & 255]
            ^ t5[low >> 16 & 255]
            ^ t4[low >> 24]
            ^ t3[high & 255]
            ^ t2[high >> 8 & 255]
            ^ t1[high >> 16 & 255]
            ^ t0[high >> 24]
        )
    for byte in data[whole:]:
        crc = crc >> 8 ^ t0[(crc ^ byte) & 255]
    return crc ^ 0xFFFFFFFF


def _masked(data: bytes) -> bytes:
    crc = crc32c(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + _MASK) & 0xFFFFFFFF)
