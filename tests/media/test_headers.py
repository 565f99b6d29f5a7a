"""Headers of every kind, against Pillow and against files built byte by byte."""

import io
import struct
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from dvcs.errors import InvalidMedia
from dvcs.media.headers import (
    EXTENSIONS,
    IMAGE_EXTENSIONS,
    ImageHeader,
    extension_of,
    read_header,
)

WIDTH, HEIGHT = 61, 23
ORIENTED = ("JPEG", "PNG", "WEBP", "TIFF")


def picture(kind, mode="RGB", orientation=None, size=(WIDTH, HEIGHT), **options):
    image = Image.effect_mandelbrot(size, (-2, -1, 1, 1), 20).convert(mode)
    if orientation is not None:
        exif = Image.Exif()
        exif[274] = orientation
        options["exif"] = exif
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def segment(marker, payload):
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


class CountingFile(io.BytesIO):
    count = 0

    def read(self, size=-1):
        data = super().read(size)
        self.count += len(data)
        return data


@pytest.mark.parametrize(
    ("kind", "mode", "expected"),
    [
        ("JPEG", "RGB", ("jpeg", 3, 8)),
        ("JPEG", "L", ("jpeg", 1, 8)),
        ("JPEG", "CMYK", ("jpeg", 4, 8)),
        ("PNG", "RGB", ("png", 3, 8)),
        ("PNG", "RGBA", ("png", 4, 8)),
        ("PNG", "L", ("png", 1, 8)),
        ("PNG", "1", ("png", 1, 1)),
        ("PNG", "P", ("png", 3, 8)),
        ("PNG", "I;16", ("png", 1, 16)),
        ("GIF", "P", ("gif", 3, 8)),
        ("BMP", "RGB", ("bmp", 3, 8)),
        ("BMP", "P", ("bmp", 3, 8)),
        ("WEBP", "RGB", ("webp", 3, 8)),
        ("TIFF", "RGB", ("tiff", 3, 8)),
        ("TIFF", "L", ("tiff", 1, 8)),
        ("TIFF", "F", ("tiff", 1, 32)),
        ("PPM", "RGB", ("pnm", 3, 8)),
        ("PPM", "L", ("pnm", 1, 8)),
        ("PPM", "1", ("pnm", 1, 1)),
        ("PPM", "I;16", ("pnm", 1, 16)),
        ("PPM", "F", ("pfm", 1, 32)),
        ("JPEG2000", "RGB", ("jp2", 3, 8)),
    ],
)
def test_kind_size_channels_and_bits_are_those_that_pillow_wrote(kind, mode, expected):
    name, channels, bits = expected
    data = picture(kind, mode)

    assert read_header(data) == ImageHeader(name, WIDTH, HEIGHT, 1, channels, bits)
    assert read_header(io.BytesIO(data)) == read_header(data) == read_header(memoryview(data))


@pytest.mark.parametrize("options", [{"lossless": True}, {"quality": 80}])
@pytest.mark.parametrize(("mode", "channels"), [("RGB", 3), ("RGBA", 4)])
def test_webp_lossy_lossless_and_extended_are_read(options, mode, channels):
    found = read_header(picture("WEBP", mode, **options))

    assert (found.width, found.height) == (WIDTH, HEIGHT)
    assert found.channels in (3, channels)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ORIENTED)
def test_the_size_is_the_one_that_is_shown(kind, orientation):
    data = picture(kind, orientation=orientation)
    shown = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))

    found = read_header(data)

    assert (found.width, found.height) == shown.size
    assert found.orientation == orientation


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_is_none(orientation):
    assert read_header(picture("JPEG", orientation=orientation)).orientation == 1


def test_a_jpeg_with_long_app_segments_is_read_without_reading_them():
    plain = picture("JPEG", orientation=6)
    profile = b"".join(segment(0xE2, b"ICC_PROFILE\0" + bytes(65000)) for _ in range(20))
    file = CountingFile(plain[:2] + profile + plain[2:])

    found = read_header(file)

    assert (found.width, found.height, found.orientation) == (HEIGHT, WIDTH, 6)
    assert file.count < 8192


def test_exif_is_found_with_the_thumbnail_behind_it_and_after_sof():
    plain = picture("JPEG")
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x08\0\0\0\0\0\0" + bytes(60000)
    sof = plain.index(b"\xff\xc0")
    after_sof = sof + 2 + int.from_bytes(plain[sof + 2 : sof + 4])
    for place in (2, after_sof):
        found = read_header(plain[:place] + segment(0xE1, exif) + plain[place:])

        assert (found.width, found.height, found.orientation) == (HEIGHT, WIDTH, 8)


def test_damaged_exif_counts_as_none():
    plain = picture("JPEG")
    for payload in (b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0XX*\0\x08\0\0\0"):
        found = read_header(plain[:2] + segment(0xE1, payload) + plain[2:])

        assert (found.width, found.height, found.orientation) == (WIDTH, HEIGHT, 1)


def tiff(order, *, big, width=300, height=200, orientation=1):
    tags = [(256, 3, width), (257, 4, height), (258, 3, 16), (262, 3, 1), (274, 3, orientation)]
    rows = b""
    for tag, kind, value in tags:
        packed = struct.pack(order + ("H" if kind == 3 else "I"), value)
        row = struct.pack(order + ("HHQ" if big else "HHI"), tag, kind, 1)
        rows += row + packed.ljust(8 if big else 4, b"\0")
    mark = b"II" if order == "<" else b"MM"
    if big:
        head = mark + struct.pack(order + "HHHQ", 43, 8, 0, 16) + struct.pack(order + "Q", 5)
    else:
        head = mark + struct.pack(order + "HI", 42, 8) + struct.pack(order + "H", 5)
    return head + rows + bytes(8)


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
def test_tiff_in_both_byte_orders_and_as_bigtiff(order, big):
    assert read_header(tiff(order, big=big)) == ImageHeader("tiff", 300, 200, 1, 1, 16)
    assert read_header(tiff(order, big=big, orientation=6))[1:4] == (200, 300, 6)


def test_bmp_top_down_and_os2():
    top_down = bytearray(picture("BMP"))
    struct.pack_into("<i", top_down, 22, -HEIGHT)
    os2 = b"BM" + bytes(12) + struct.pack("<IHHHH", 12, 7, 5, 1, 24)

    assert read_header(bytes(top_down))[:3] == ("bmp", WIDTH, HEIGHT)
    assert read_header(os2)[:3] == ("bmp", 7, 5)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"P2\n# made by hand\n 7\t5 # size\n255\n0 0", ("pnm", 7, 5, 1, 1, 8)),
        (b"P4 7 5\n", ("pnm", 7, 5, 1, 1, 1)),
        (b"P6\n#" + b"x" * 5000 + b"\n7 5\n65535\n", ("pnm", 7, 5, 1, 3, 16)),
        (
            b"P7\nWIDTH 7\nHEIGHT 5\nDEPTH 4\nMAXVAL 255\nTUPLTYPE RGB_ALPHA\nENDHDR\n",
            ("pnm", 7, 5, 1, 4, 8),
        ),
        (b"PF\n7 5\n-1.0\n", ("pfm", 7, 5, 1, 3, 32)),
        (
            b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 5 +X 7\n",
            ("hdr", 7, 5, 1, 3, 32),
        ),
        (struct.pack(">8I", 0x59A66A95, 7, 5, 24, 105, 1, 0, 0), ("ras", 7, 5, 1, 3, 8)),
        (
            struct.pack(">4sHHIIII", b"\xff\x4f\xff\x51", 47, 0, 17, 9, 10, 4)
            + struct.pack(">IIIIHBBB", 7, 5, 0, 0, 3, 7, 1, 1),
            ("jp2", 7, 5, 1, 3, 8),
        ),
        (
            b"\x76\x2f\x31\x01\x02\0\0\0compression\0compression\0\x01\0\0\0\0"
            b"dataWindow\0box2i\0\x10\0\0\0" + struct.pack("<4i", -1, 0, 5, 4),
            ("exr", 7, 5, 1, 0, 0),
        ),
    ],
)
def test_rarer_kinds(data, expected):
    assert read_header(data) == ImageHeader(*expected)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"<svg xmlns='http://www.w3.org/2000/svg' width='5' height='5'/>",
        b"<!DOCTYPE html>",
        b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0" + bytes(30),
        b"P6 0 5 255\n",
        b"P6 7 5 70000\n",
        b"P6 99999999999 5 255\n",
        b"\xff\xd8\xff\xd9",
        b"\xff\xd8" + b"\xff" * 100_000,
        b"\xff\xd8" + segment(0xE0, b"") * 5000,
        b"BM" + bytes(100),
        b"II*\0\x08\0\0\0\0\0",
        b"II+\0\x08\0\0\0" + b"\xff" * 8,
        b"MM\0*\xff\xff\xff\xff",
        b"\x76\x2f\x31\x01\x02\0\0\0" + b"a\0b\0\xff\xff\xff\xff",
    ],
)
def test_what_is_no_image_is_refused(data):
    with pytest.raises(InvalidMedia):
        read_header(data)
    with pytest.raises(InvalidMedia):
        read_header(io.BytesIO(data))


@pytest.mark.parametrize(("width", "height"), [(0, 10), (10, 0), (2**31, 1), (2**32 - 1, 1)])
def test_impossible_sizes_are_refused(width, height):
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = (
        b"\x89PNG\r\n\x1a\n\0\0\0\r"
        + chunk
        + struct.pack(">I", zlib.crc32(chunk))
        + b"\0\0\0\0IDAT"
    )

    with pytest.raises(InvalidMedia, match=f"{width} x {height}"):
        read_header(data)


def test_a_flipped_bit_in_ihdr_is_noticed():
    data = bytearray(picture("PNG"))
    data[18] ^= 1

    with pytest.raises(InvalidMedia, match="checksum"):
        read_header(bytes(data))


SEEDS = {
    "jpeg": picture("JPEG", orientation=6),
    "png": picture("PNG", orientation=6),
    "gif": picture("GIF", "P"),
    "bmp": picture("BMP"),
    "webp": picture("WEBP"),
    "webp extended": picture("WEBP", "RGBA", orientation=6),
    "webp lossless": picture("WEBP", lossless=True),
    "tiff": picture("TIFF", orientation=6),
    "bigtiff": tiff(">", big=True),
    "pnm": picture("PPM"),
    "jp2": picture("JPEG2000"),
    "exr": b"\x76\x2f\x31\x01\x02\0\0\0dataWindow\0box2i\0\x10\0\0\0"
    + struct.pack("<4i", 0, 0, 5, 4),
}


@pytest.mark.parametrize("name", SEEDS)
def test_every_truncation_is_an_error_or_gives_the_right_answer(name):
    data = SEEDS[name]
    whole = read_header(data)
    errors = 0
    for size in range(len(data)):
        try:
            assert read_header(data[:size])[:4] == whole[:4]
        except InvalidMedia:
            errors += 1
    assert errors > 10


@settings(max_examples=1500, deadline=None)
@given(
    name=st.sampled_from(sorted(SEEDS)),
    changes=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=8),
)
def test_damage_never_raises_anything_else(name, changes):
    data = bytearray(SEEDS[name])
    for place, value in changes:
        data[place % len(data)] = value
    try:
        found = read_header(bytes(data))
    except InvalidMedia:
        return
    assert found.width > 0
    assert found.height > 0


def test_every_kind_has_a_usual_ending_and_datasets_may_have_all_of_them():
    assert extension_of("jpeg") == ".jpg"
    assert extension_of("tiff") == ".tif"
    assert all(ending in IMAGE_EXTENSIONS for endings in EXTENSIONS.values() for ending in endings)
    assert {".jpe", ".dib", ".tga", ".sr", ".pic", ".pxm"} < IMAGE_EXTENSIONS
