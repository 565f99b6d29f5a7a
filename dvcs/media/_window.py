"""What all header readers share: the record they return and bounded reading at an offset."""

from typing import BinaryIO, Final, NamedTuple

from dvcs.errors import InvalidMedia

HEAD: Final = 4096
"""Bytes read at first. Most headers end within 1 KiB; one page costs no more to read than less."""

LARGEST_OFFSET: Final = 1 << 62
LARGEST_SIDE: Final = (1 << 31) - 1


class ImageHeader(NamedTuple):
    """
    What the first bytes of an image say.

    `width` and `height` are in pixels, of the image as it is shown: where the orientation (1-8,
    EXIF tag 274) says that it lies on its side, they are already swapped. `channels` counts
    samples per pixel, colour of a palette as 3, `bits` those of one sample; 0 = not known.
    """

    kind: str
    width: int
    height: int
    orientation: int = 1
    channels: int = 0
    bits: int = 0


class Window:
    """
    A file or bytes, read at absolute offsets, a little at a time.

    `exif` is where the EXIF block stands that a reader has looked into: its offset and length.
    """

    __slots__ = ("_data", "_source", "exif", "head")

    def __init__(self, source: "bytes | bytearray | memoryview | BinaryIO") -> None:
        self.exif: tuple[int, int] | None = None
        if isinstance(source, (bytes, bytearray, memoryview)):
            self._source: BinaryIO | None = None
            self._data: bytes | bytearray | memoryview = source
            self.head = bytes(source[:HEAD])
        else:
            self._source = source
            self._data = b""
            source.seek(0)
            self.head = source.read(HEAD)

    def some(self, offset: int, count: int) -> bytes:
        """Return up to `count` bytes; fewer only where the file ends."""
        end = offset + count
        if end <= len(self.head):
            return self.head[offset:end]
        if offset > LARGEST_OFFSET:
            return b""
        if self._source is None:
            return bytes(self._data[offset:end])
        self._source.seek(offset)
        return self._source.read(count)

    def at(self, offset: int, count: int) -> bytes:
        """Return exactly `count` bytes, or raise `InvalidMedia`."""
        data = self.some(offset, count)
        if len(data) != count:
            raise InvalidMedia("the image ends within its header")
        return data


def damaged(kind: str, reason: str) -> InvalidMedia:
    """Return the error for an image that begins like `kind`."""
    return InvalidMedia(f"not a valid {kind} image: {reason}")


def header(  # noqa: PLR0917 - the order of ImageHeader's fields
    kind: str, width: int, height: int, orientation: int = 1, channels: int = 0, bits: int = 0
) -> ImageHeader:
    """Return an `ImageHeader` from the sides as stored; refuse what no image can have."""
    if not (0 < width <= LARGEST_SIDE and 0 < height <= LARGEST_SIDE):
        raise damaged(kind, f"its size is {width} x {height}")
    if orientation >= 5:  # 5 to 8 are those that swap rows and columns
        width, height = height, width
    return ImageHeader(kind, width, height, orientation, channels, bits)
