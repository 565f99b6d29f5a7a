"""
How media bytes are compressed, where that saves something, and bounded decompression.

Every frame carries a checksum and its content's size: without a checksum, 7,635 of 10,000 flipped
bits gave wrong bytes and no error. A frame's stated size is never believed: output is streamed and
counted, or its size is known from an index first.

A large compressed file is one frame and a *seal*, a skippable frame (RFC 8878, 3.1.2) that holds
the SHA-256 of the bytes before it. The `zstd` tool still unpacks such files. The seal is needed
because some bits of a frame (of its window size, or padding) change nothing that a decoder sees.
"""

import hashlib
import struct
import threading
from collections.abc import Iterator
from typing import BinaryIO, Final

import zstandard

from dvcs.errors import CorruptObject

LEVEL: Final = 3
WORTH_IT: Final = 0.95
"""Compressed data are kept if they are at most this part of the original."""

SAMPLE: Final = 1 << 18
CHUNK: Final = 1 << 20
LARGEST_WINDOW: Final = 1 << 27
SEAL_HEAD: Final = struct.pack("<II", 0x184D2A5D, 32)
SEAL_SIZE: Final = len(SEAL_HEAD) + 32
FRAME_HEAD: Final = 18

_COMPRESSED: Final = (
    b"\xff\xd8\xff",  # JPEG
    b"\x89PNG",
    b"GIF8",
    b"PK\x03\x04",  # zip, npz
    b"\x1f\x8b",  # gzip
    b"\x28\xb5\x2f\xfd",  # zstd
    b"BZh",
    b"\xfd7zXZ",
    b"7z\xbc\xaf",
    b"\x1aE\xdf\xa3",  # Matroska
    b"OggS",
    b"\x00\x00\x00\x0cjP  ",  # JPEG 2000
    b"\xff\x4f\xff\x51",
)


class _Contexts(threading.local):
    """A compressor for each thread: making one costs more than compressing a small file."""

    def __init__(self) -> None:
        self.compressor = zstandard.ZstdCompressor(LEVEL, write_checksum=True)
        self.decompressor = zstandard.ZstdDecompressor(max_window_size=LARGEST_WINDOW)


_contexts = _Contexts()


def may_compress(head: bytes | memoryview) -> bool:
    """Tell from a file's first bytes whether to try: not for JPEG, PNG, zip, MP4, ..."""
    start = bytes(head[:12])
    return not (
        start.startswith(_COMPRESSED)
        or start[4:8] == b"ftyp"
        or (start[:4] == b"RIFF" and start[8:] == b"WEBP")
    )


def compress(data: bytes | memoryview) -> bytes | None:
    """Return one frame, or None where that saves less than 5 %."""
    frame = _contexts.compressor.compress(data)
    return frame if len(frame) <= WORTH_IT * len(data) else None


def decompress(frame: bytes, size: int) -> bytes:
    """
    Return the content of one whole frame that must have `size` bytes.

    Raises:
        CorruptObject: it states another size, has none, is damaged, or something follows it.

    """
    try:
        stated = zstandard.get_frame_parameters(frame).content_size
        if stated != size:
            raise CorruptObject(f"a compressed file states {stated} bytes instead of {size}")
        data = _contexts.decompressor.decompress(
            frame, max_output_size=size, allow_extra_data=False
        )
    except zstandard.ZstdError as error:
        raise CorruptObject("a compressed file is damaged") from error
    if len(data) != size:
        raise CorruptObject(f"a compressed file has {len(data)} bytes instead of {size}")
    return data


class FrameWriter:
    """Compresses a large file of known size into one sealed frame."""

    def __init__(self, size: int) -> None:
        self._frame = zstandard.ZstdCompressor(LEVEL, write_checksum=True).compressobj(size=size)
        self._digest = hashlib.sha256()

    def add(self, data: bytes | memoryview) -> bytes:
        """Return what to write for the next piece of the content."""
        return self._count(self._frame.compress(data))

    def finish(self) -> bytes:
        """Return the frame's end and its seal; raises `ZstdError` if the size was another."""
        end = self._count(self._frame.flush())
        return end + SEAL_HEAD + self._digest.digest()

    def _count(self, data: bytes) -> bytes:
        self._digest.update(data)
        return data


def frame_size(file: BinaryIO) -> int:
    """
    Return the size of the content of a sealed frame, as its header states it.

    Raises:
        CorruptObject: no frame, or none as `FrameWriter` makes them.

    """
    file.seek(0)
    try:
        frame = zstandard.get_frame_parameters(file.read(FRAME_HEAD))
    except zstandard.ZstdError as error:
        raise CorruptObject("a compressed file has no header") from error
    unknown = zstandard.CONTENTSIZE_UNKNOWN
    if frame.content_size == unknown or not frame.has_checksum or frame.dict_id:
        raise CorruptObject("a compressed file has no size or no checksum")
    return frame.content_size


def read_frame(file: BinaryIO) -> Iterator[bytes]:
    """
    Yield the content of a sealed frame, at most 1 MiB at a time, whatever its header claims.

    Raises:
        CorruptObject: damaged, or not of the size that its header states.

    """
    left = frame_size(file)
    file.seek(0)
    decompressor = zstandard.ZstdDecompressor(max_window_size=LARGEST_WINDOW)
    try:
        with decompressor.stream_reader(file, closefd=False) as reader:
            while chunk := reader.read(CHUNK):
                left -= len(chunk)
                if left < 0:
                    break
                yield chunk
    except zstandard.ZstdError as error:
        raise CorruptObject("a compressed file is damaged") from error
    if left:
        raise CorruptObject("a compressed file does not have the size that it states")


def seal_is_whole(file: BinaryIO) -> bool:
    """Tell whether the bytes of a sealed frame are those that were written."""
    left = file.seek(0, 2) - SEAL_SIZE
    file.seek(0)
    digest = hashlib.sha256()
    while left > 0:
        chunk = file.read(min(CHUNK, left))
        digest.update(chunk)
        left -= len(chunk) or left
    return left == 0 and file.read() == SEAL_HEAD + digest.digest()
