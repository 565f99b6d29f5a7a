"""Rotated boxes: corners and back, IoU exact whatever way a rectangle is written."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvcs.errors import InvalidShape
from dvcs.geometry import boxes, rotated

rectangles = st.tuples(
    st.floats(-500, 500),
    st.floats(-500, 500),
    st.floats(0.1, 300),
    st.floats(0.1, 300),
    st.floats(-720, 720),
)


def test_corners_turn_clockwise_as_seen():
    np.testing.assert_allclose(
        rotated.corners([[10, 10, 4, 2, 0], [10, 10, 4, 2, 90]]),
        [[[8, 9], [12, 9], [12, 11], [8, 11]], [[11, 8], [11, 12], [9, 12], [9, 8]]],
    )


@given(rectangles)
def test_corners_lead_back_to_the_box(box):
    found = rotated.from_corners(rotated.corners([box])[0])

    assert found[:4] == pytest.approx(box[:4], abs=1e-6)
    turn = (found[4] - box[4]) % 360
    assert min(turn, 360 - turn) < 1e-5
    assert 0 <= found[4] < 360


def test_four_points_of_no_rectangle_get_the_smallest_box():
    assert rotated.from_corners([0, 0, 10, 0, 10, 4, 1, 5]) == pytest.approx((5, 2.5, 10, 5, 0))
    assert rotated.from_corners([0, 0, 0, 0, 0, 0, 0, 0]) == (0, 0, 0, 0, 0)
    assert rotated.from_corners([0, 0, 3, 0, 6, 0, 9, 0]) == pytest.approx((4.5, 0, 9, 0, 0))


@given(rectangles)
def test_one_rectangle_written_in_several_ways_has_iou_of_1(box):
    cx, cy, w, h, angle = box
    ways = [
        (cx, cy, w, h, angle + 180),
        (cx, cy, w, h, angle - 360),
        (cx, cy, h, w, angle + 90),
        (cx, cy, h, w, angle - 90),
    ]

    assert (rotated.iou([box], ways) == 1.0).all()


@given(st.lists(st.tuples(*[st.integers(-20, 20)] * 2, *[st.integers(1, 30)] * 2), max_size=6))
def test_boxes_at_angle_0_have_the_iou_of_upright_boxes(some):
    turned = [(x + w / 2, y + h / 2, w, h, 0) for x, y, w, h in some]

    np.testing.assert_allclose(rotated.iou(turned, turned), boxes.iou(some, some), atol=1e-9)


def test_a_square_turned_by_45_degrees_shares_an_octagon():
    octagon = 8 * (2**0.5 - 1)  # of side 2: area 4 * 2 * (sqrt 2 - 1)

    value = rotated.iou([[0, 0, 2, 2, 0]], [[0, 0, 2, 2, 45]])[0, 0]

    assert value == pytest.approx(octagon / 4 / (2 - octagon / 4))


def test_a_box_within_a_turned_box():
    assert rotated.iou([[5, 5, 1, 1, 17]], [[5, 5, 8, 8, 60]])[0, 0] == pytest.approx(1 / 64)


@given(rectangles, rectangles)
def test_iou_is_symmetric_and_a_share(a, b):
    there, back = rotated.iou([a], [b])[0, 0], rotated.iou([b], [a])[0, 0]

    assert there == pytest.approx(back, abs=1e-9)
    assert 0 <= there <= 1


def test_iou_agrees_with_counting_points():
    rng = np.random.default_rng(4)
    a, b = [50, 50, 60, 30, 25], [60, 45, 40, 50, -10]
    points = rng.random((200_000, 2)) * 120 - 5

    def within(box):
        turn = np.radians(box[4])
        x, y = (points - box[:2]).T
        along, down = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
        return (np.abs(along) <= box[2] / 2) & (np.abs(down) <= box[3] / 2)

    counted = (within(a) & within(b)).sum() / (within(a) | within(b)).sum()

    assert rotated.iou([a], [b])[0, 0] == pytest.approx(counted, abs=0.01)


def test_the_table_is_the_pairs():
    rng = np.random.default_rng(8)
    a = np.column_stack([rng.random((30, 2)) * 100, rng.random((30, 2)) * 60, rng.random(30) * 360])
    b = a[::-1] + 1

    table = rotated.iou(a, b)

    rows, cols = np.indices(table.shape).reshape(2, -1)
    np.testing.assert_allclose(table.ravel(), rotated.iou_of_pairs(a[rows], b[cols]), atol=1e-12)


def test_boxes_without_area_equal_only_themselves():
    line = [[5, 5, 4, 0, 30]]

    assert rotated.iou(line, [[5, 5, 4, 0, 210], [5, 5, 0, 4, 120]]).tolist() == [[1, 1]]
    assert rotated.iou(line, [[5, 5, 4, 0, 31], [5, 5, 4, 4, 30]]).tolist() == [[0, 0]]


def test_extents():
    np.testing.assert_allclose(
        rotated.extent([[10, 10, 4, 2, 90], [0, 0, 2, 2, 45]]),
        [[9, 8, 2, 4], [-(2**0.5), -(2**0.5), 8**0.5, 8**0.5]],
    )
    assert rotated.extent_of_ellipse(0, 0, 3, 1, 90) == pytest.approx((-1, -3, 2, 6))


@pytest.mark.parametrize(
    "bad", [[[0, 0, 1, 1]], [[0, 0, 1, 1, float("nan")]], [[0, 0, -1, 1, 0]], [[0, 0, 1e300, 1, 0]]]
)
def test_what_is_no_rotated_box_is_refused(bad):
    for call in (rotated.corners, rotated.extent, lambda box: rotated.iou(box, [[0, 0, 1, 1, 0]])):
        with pytest.raises(InvalidShape):
            call(bad)


@pytest.mark.parametrize("bad", [[0, 0, 1, 1], [0, 0, 1, 1, 2, 2, 3, float("nan")], ["a"] * 8])
def test_what_are_no_four_points_is_refused(bad):
    with pytest.raises(InvalidShape):
        rotated.from_corners(bad)


def test_none_at_all():
    assert rotated.iou([], [[0, 0, 1, 1, 0]]).shape == (0, 1)
    assert rotated.iou([], []).shape == (0, 0)
