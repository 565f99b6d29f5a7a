"""PNGs of masks, as OpenCV reads them."""

import cv2
import numpy as np
import pytest

from dvcs.media import png
from dvcs.media.pixels import decode


@pytest.mark.parametrize(
    ("shape", "dtype", "kind", "bits"),
    [
        ((7, 5), np.uint8, png.GREY, 8),
        ((7, 5), np.dtype(">u2"), png.GREY, 16),
        ((1, 9, 3), np.uint8, png.COLORS, 8),
    ],
)
def test_pixels_come_back(shape, dtype, kind, bits):
    pixels = np.random.default_rng(1).integers(0, 2**bits, shape).astype(dtype)

    data = png.from_rows(png.rows_of(pixels), shape[:2], kind, bits=bits)

    found = decode(data)
    assert (found[..., ::-1] if kind == png.COLORS else found).tolist() == pixels.tolist()
    assert found.dtype == (np.uint16 if bits == 16 else np.uint8)


def test_a_palette_gives_numbers_colors():
    rows = png.rows_of(np.array([[0, 1], [2, 1]], np.uint8))
    data = png.from_rows(rows, (2, 2), png.PALETTE, palette=bytes([0, 0, 0, 255, 0, 0, 1, 2, 3]))

    colors = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)

    assert colors.tolist() == [[[0, 0, 0], [255, 0, 0]], [[1, 2, 3], [255, 0, 0]]]
