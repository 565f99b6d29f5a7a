"""Lines and text on pictures, looked at pixel by pixel."""

import numpy as np
import pytest

from dvcs.media import drawing

RED = (255, 0, 0)


def painted(picture):
    """Return where a picture is more red than blue by half, as a set of (x, y)."""
    ys, xs = np.nonzero(picture[..., 2].astype(int) - picture[..., 0] > 120)
    return set(zip(xs.tolist(), ys.tolist(), strict=True))


def test_a_box_is_drawn_on_the_pixels_that_it_bounds():
    picture = drawing.blank(20, 20, (0, 0, 0))
    # edges through the centres of pixels
    drawing.outline(picture, [4.5, 4.5, 12.5, 4.5, 12.5, 8.5, 4.5, 8.5], RED, thickness=1)
    found = painted(picture)
    assert {(4, 4), (12, 4), (12, 8), (4, 8), (8, 4), (4, 6)} <= found
    assert (8, 6) not in found
    assert min(x for x, _ in found) == 4
    assert max(y for _, y in found) == 8


def test_an_open_line_stays_open_and_is_scaled():
    picture = drawing.blank(40, 40, (0, 0, 0))
    ring = [2.25, 2.25, 10.25, 2.25, 10.25, 10.25]
    drawing.outline(picture, ring, RED, scale=2.0, closed=False, thickness=1)
    found = painted(picture)
    assert {(4, 4), (20, 4), (20, 20)} <= found
    assert (12, 12) not in found


def test_dashes_have_gaps():
    whole, dashed = (drawing.blank(30, 200, (0, 0, 0)) for _ in range(2))
    line = [5.5, 10.5, 190.5, 10.5]
    drawing.outline(whole, line, RED, closed=False, thickness=1)
    drawing.outline(dashed, line, RED, closed=False, thickness=1, dashed=True)
    share = len(painted(dashed)) / len(painted(whole))
    assert 0.4 < share < 0.75


@pytest.mark.parametrize("dashed", [False, True])
@pytest.mark.parametrize(
    "ring", [[], [1.0], [1.0, 2.0], [float("nan")] * 4, [1e300, 0.0, -1e300, 5.0], [3.0] * 8]
)
def test_shapes_that_are_none_do_no_harm(ring, dashed):
    picture = drawing.blank(10, 10)
    drawing.outline(picture, ring, RED, dashed=dashed)
    drawing.dots(picture, ring, RED)


def test_text_stays_inside_and_below_it_is_wrapped():
    picture = drawing.blank(40, 120)
    drawing.text(picture, "a label", 500, 500, RED)
    assert painted(picture)
    tall = drawing.beneath(picture, [("word " * 12, RED), ("", RED)])
    lines = (tall.shape[0] - 40) / drawing.TEXT_HEIGHT
    assert tall.shape[1] == 120
    assert lines == int(lines)
    assert lines >= 4


def test_a_table_is_darkest_where_most_is():
    picture = drawing.table(["cat", "dog"], [[9, 1], [0, 4]])
    height, width = picture.shape[:2]
    left = width - 1 - 2 * 34
    cells = [
        [picture[34 * (row + 1) + 5, left + 34 * column + 30].sum() for column in (0, 1)]
        for row in (0, 1)
    ]
    assert cells[0][0] < cells[0][1]
    assert cells[1][1] < cells[1][0]
    assert height == 3 * 34


def test_grey_images_can_be_drawn_on():
    assert drawing.in_color(np.zeros((4, 5), np.uint8)).shape == (4, 5, 3)
    assert drawing.in_color(np.zeros((4, 5, 3), np.uint8)).shape == (4, 5, 3)
