"""Decoding against Pillow, and everything that OpenCV would let pass."""

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from dvcs.errors import InvalidMedia, UnknownName
from dvcs.media.headers import read_header
from dvcs.media.pixels import decode, encode, resize


def noise(width=61, height=23):
    """Return smooth colours, as (height, width, RGB): JPEG keeps them within a few values."""
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([x * 4, y * 11, (x + y) * 3], axis=-1).astype(np.uint8)


def saved(kind, image=None, orientation=None, **options):
    if orientation is not None:
        exif = Image.Exif()
        exif[274] = orientation
        options["exif"] = exif
    file = io.BytesIO()
    (image or Image.fromarray(noise())).save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    ("kind", "options", "tolerance"),
    [
        ("JPEG", {"quality": 100, "subsampling": 0}, 6),
        ("PNG", {}, 0),
        ("WEBP", {"lossless": True}, 0),
        ("TIFF", {}, 0),
        ("TIFF", {"compression": "tiff_lzw"}, 0),
    ],
)
def test_pixels_are_upright_in_every_orientation(kind, options, tolerance, orientation):
    data = saved(kind, orientation=orientation, **options)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB"))

    found = decode(data)

    header = read_header(data)
    assert found.shape == (header.height, header.width, 3)
    assert found.flags.c_contiguous
    difference = np.abs(found[..., ::-1].astype(int) - expected.astype(int))
    assert difference.max() <= tolerance


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM", "GIF"])
def test_a_palette_or_grey_image_keeps_its_values(kind):
    grey = noise()[..., 0]

    found = decode(saved(kind, Image.fromarray(grey)))

    expected = grey if found.ndim == 2 else np.repeat(grey[..., None], 3, axis=2)
    assert (found == expected).all()


def test_sixteen_bits_stay_sixteen():
    depth = (np.arange(23 * 61, dtype=np.uint16) * 37).reshape(23, 61)

    for kind in ("PNG", "TIFF"):
        found = decode(saved(kind, Image.fromarray(depth)))
        assert found.dtype == np.uint16
        assert (found == depth).all()


def test_a_bomb_of_74_bytes_is_refused_before_decoding():
    def chunk(name, payload):
        body = name + payload
        return struct.pack(">I", len(payload)) + body + struct.pack(">I", zlib.crc32(body))

    data = b"\x89PNG\r\n\x1a\n" + chunk(
        b"IHDR", struct.pack(">IIBBBBB", 30000, 30000, 8, 2, 0, 0, 0)
    )
    data += chunk(b"IDAT", zlib.compress(bytes(9))) + chunk(b"IEND", b"")

    with pytest.raises(InvalidMedia, match="30000 x 30000") as caught:
        decode(data)
    assert "max_pixels" in caught.value.hint


def test_the_limit_can_be_set():
    data = saved("PNG")

    assert decode(data, max_pixels=61 * 23).shape == (23, 61, 3)
    with pytest.raises(InvalidMedia, match="61 x 23"):
        decode(data, max_pixels=61 * 23 - 1)


WHOLE = {
    "JPEG": saved("JPEG", quality=95),
    "progressive JPEG": saved("JPEG", quality=95, progressive=True),
    "PNG": saved("PNG"),
    "GIF": saved("GIF"),
    "BMP": saved("BMP"),
    "WebP": saved("WEBP"),
    "lossless WebP": saved("WEBP", lossless=True),
    "TIFF": saved("TIFF"),
    "LZW TIFF": saved("TIFF", compression="tiff_lzw"),
    "PPM": saved("PPM"),
    "JPEG 2000": saved("JPEG2000"),
}


@pytest.mark.parametrize("name", WHOLE)
def test_no_truncated_image_becomes_a_picture(name):
    data = WHOLE[name]
    whole = decode(data)
    for size in sorted({*range(0, len(data), max(len(data) // 60, 1)), len(data) - 1}):
        try:
            found = decode(data[:size])
        except InvalidMedia:
            continue
        # What is cut off may be padding or the trailer behind the pixels.
        assert (found == whole).all(), size


@pytest.mark.parametrize("name", WHOLE)
def test_bytes_behind_the_image_do_no_harm(name):
    assert (decode(WHOLE[name] + b"<html>trailing</html>") == decode(WHOLE[name])).all()


def test_a_flipped_bit_in_a_png_is_always_noticed():
    data = WHOLE["PNG"]
    for place in range(8, len(data), 7):
        broken = bytearray(data)
        broken[place] ^= 0x10
        with pytest.raises(InvalidMedia):
            decode(bytes(broken))


@settings(max_examples=300, deadline=None)
@given(
    name=st.sampled_from(sorted(WHOLE)),
    changes=st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255)), min_size=1, max_size=5),
)
def test_damage_gives_an_image_of_the_stated_size_or_a_clear_error(name, changes):
    data = bytearray(WHOLE[name])
    for place, value in changes:
        data[place % len(data)] = value
    try:
        found = decode(bytes(data), max_pixels=1 << 20)
    except InvalidMedia:
        return
    header = read_header(bytes(data))
    assert found.shape[:2] == (header.height, header.width)


@pytest.mark.parametrize("ext", [".png", ".bmp", ".tif", ".ppm", "PNG"])
def test_lossless_kinds_give_back_what_was_encoded(ext):
    image = noise()

    assert (decode(encode(image, ext)) == image).all()


def test_quality_changes_a_jpeg():
    image = cv2.GaussianBlur(noise(200, 200), (31, 31), 10)

    assert len(encode(image, ".jpg", 30)) < len(encode(image, ".jpg", 95))
    assert np.abs(decode(encode(image, ".jpeg")).astype(int) - image).mean() < 3


@pytest.mark.parametrize(
    ("ext", "dtype"),
    [(".jpg", "uint16"), (".webp", "float32"), (".png", "float32"), (".bmp", "bool")],
)
def test_values_that_a_kind_would_clip_are_refused(ext, dtype):
    with pytest.raises(InvalidMedia, match=dtype):
        encode(np.zeros((4, 5), dtype), ext)


def test_encoding_into_an_unknown_kind_says_so():
    with pytest.raises(UnknownName, match="jgp"):
        encode(noise(), ".jgp")


def test_shapes_that_are_no_image_are_refused():
    for shape in ((0, 5, 3), (4, 5, 7), (4,)):
        with pytest.raises(InvalidMedia):
            encode(np.zeros(shape, np.uint8), ".png")


def test_resize_averages_when_shrinking_and_keeps_classes_when_told():
    mask = np.zeros((8, 8), np.uint8)
    mask[:, 4:] = 200

    assert resize(mask, 2, 2).tolist() == [[0, 200], [0, 200]]
    assert set(np.unique(resize(mask, 13, 5, "nearest"))) == {0, 200}
    assert resize(noise(), 122, 46).shape == (46, 122, 3)
    with pytest.raises(InvalidMedia):
        resize(mask, 0, 5)
    with pytest.raises(InvalidMedia):
        resize(mask, 1 << 20, 1 << 20)
