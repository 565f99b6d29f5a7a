"""Images that EXIF turns, taken as they are stored; against Pillow."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from dvcs.errors import InvalidMedia
from dvcs.media.headers import read_header
from dvcs.media.pixels import decode
from dvcs.media.turning import in_frame, may_turn, unturned
from tests.gallery import exif_picture

STORED = (40, 70)
SHOWN = (70, 40)
KINDS = ("JPEG", "PNG", "WEBP", "TIFF")


def stored_pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", KINDS)
def test_an_unturned_image_has_the_same_pixels_and_no_turn(kind: str, orientation: int):
    data = exif_picture(orientation, kind, STORED)
    result = unturned(data)
    header = read_header(result)
    assert (header.height, header.width, header.orientation) == (*STORED, 1)
    assert len(result) == len(data)
    assert (result == data) == (orientation == 1)
    assert Image.open(io.BytesIO(result)).getexif().get(274, 1) == 1
    assert Image.open(io.BytesIO(result)).getexif().get(0x010F, "Maker") == "Maker"
    if kind != "TIFF":  # which Pillow turns by itself as it loads
        difference = np.abs(decode(result)[..., ::-1] - stored_pixels(data))
        assert difference.max() <= (6 if kind in ("JPEG", "WEBP") else 0)
    assert unturned(result) == result


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("orientation", "declared", "turned"),
    [
        (6, STORED, False),
        (8, STORED, False),
        (6, SHOWN, True),
        (6, None, True),
        (6, (41, 70), True),
        (3, STORED, True),
        (1, STORED, True),
    ],
)
def test_the_declared_size_tells_in_which_frame_coordinates_are(
    kind: str, orientation: int, declared: tuple[int, int] | None, turned: bool
):
    data = exif_picture(orientation, kind, STORED)
    assert (in_frame(data, declared) == data) == turned


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_bytes_of_a_photograph_tell_whether_it_may_turn(kind: str):
    for orientation in range(1, 9):
        assert may_turn(exif_picture(orientation, kind, STORED)[:512])
    file = io.BytesIO()
    Image.new("RGB", STORED).save(file, kind, comment=b"not Exif")
    plain = file.getvalue()
    assert may_turn(plain[:512]) == (kind != "JPEG")
    if kind == "JPEG":
        first = exif_picture(6, kind, STORED)
        exif = first[first.index(b"\xff\xe1") :]
        exif = exif[: 2 + int.from_bytes(exif[2:4])]
        behind = plain.index(b"\xff\xdb")
        assert may_turn(plain[:behind] + exif + plain[behind:])
        assert may_turn(plain[:20])


def test_a_square_tells_nothing_so_it_is_taken_as_shown():
    data = exif_picture(6, "JPEG", (40, 40))
    assert in_frame(data, (40, 40)) is data


@pytest.mark.parametrize("kind", [1, 3, 4])
@pytest.mark.parametrize("order", ["<", ">"])
def test_every_way_to_write_the_number_is_understood(order: str, kind: int):
    plain = exif_picture(1, "PNG", STORED)
    plain = plain.replace(plain[33 : plain.index(b"IDAT") - 4], b"")
    mark = b"II" if order == "<" else b"MM"
    number = struct.pack(order + {1: "B", 3: "H", 4: "I"}[kind], 8).ljust(4, b"\0")
    exif = mark + struct.pack(order + "HIHHHI", 42, 8, 1, 274, kind, 1) + number + bytes(4)
    body = b"eXIf" + exif
    chunk = struct.pack(">I", len(exif)) + body + struct.pack(">I", zlib.crc32(body))
    data = plain[:33] + chunk + plain[33:]
    assert read_header(data).orientation == 8
    result = unturned(data)
    assert read_header(result).orientation == 1
    assert next(n for n in range(len(data)) if data[n] != result[n]) < 33 + len(chunk) - 4
    Image.open(io.BytesIO(result)).verify()  # with the checksum of the chunk


def test_what_is_no_image_is_refused():
    with pytest.raises(InvalidMedia):
        unturned(b"no image")
    with pytest.raises(InvalidMedia):
        in_frame(b"no image", (1, 2))
