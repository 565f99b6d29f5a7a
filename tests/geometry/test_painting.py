"""Masks painted over one another: compared with painting pixel by pixel."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvcs.errors import InvalidShape
from dvcs.geometry import masks
from dvcs.geometry.painting import paint

SIZE = (9, 13)
bitmaps = st.lists(
    st.tuples(st.integers(0, 8), st.integers(0, 12), st.integers(0, 9), st.integers(0, 13)),
    min_size=1,
    max_size=6,
)


@given(bitmaps)
def test_later_masks_are_on_top(boxes):
    painted, drawn = np.zeros(SIZE, int), []
    for number, (y, x, h, w) in enumerate(boxes, 1):
        bitmap = np.zeros(SIZE, bool)
        bitmap[y : y + h, x : x + w] = True
        painted[bitmap] = number
        drawn.append(bitmap)

    canvas = paint([masks.encode(bitmap) for bitmap in drawn])

    assert canvas.size == SIZE
    assert canvas.rows.tolist() == painted.tolist()
    runs = np.split(canvas.pixels, canvas.starts[1:])
    assert all(len(set(run.tolist())) == 1 for run in runs)
    assert all(a[0] != b[0] for a, b in pairwise(runs))
    visible = [(painted == number).sum() for number in range(1, len(drawn) + 1)]
    assert canvas.covered == sum(
        seen != bitmap.sum() for seen, bitmap in zip(visible, drawn, strict=True)
    )
    left = canvas.rows.copy()
    left[canvas.window] = 0
    assert not left.any()
    assert canvas.extents == [masks.bbox(*masks.encode(bitmap)) for bitmap in drawn]


def test_more_masks_than_a_byte_can_number():
    pixels = np.zeros((300, 2), bool)
    drawn = []
    for row in range(300):
        pixels[:] = False
        pixels[row] = True
        drawn.append(masks.encode(pixels))
    canvas = paint(drawn)
    assert canvas.rows.tolist() == [[row + 1, row + 1] for row in range(300)]
    assert canvas.covered == 0


def test_masks_of_one_image_have_one_size():
    one, other = masks.encode(np.ones((2, 3))), masks.encode(np.ones((3, 2)))
    with pytest.raises(InvalidShape, match="different sizes: '2 x 3' and '3 x 2'"):
        paint([one, other])
    with pytest.raises(InvalidShape, match="cover 6 pixels"):
        paint([((2, 4), one[1])])
