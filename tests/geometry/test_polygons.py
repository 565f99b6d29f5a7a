"""Polygons: exact areas with holes, symmetric IoU within its stated error."""

import math
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvcs.errors import InvalidShape
from dvcs.geometry import polygons, rotated

SQUARE_10 = [[[0, 0, 10, 0, 10, 10, 0, 10]]]
SQUARE_20 = [[[0, 0, 20, 0, 20, 20, 0, 20]]]
HOLE = [5, 5, 15, 5, 15, 15, 5, 15]

numbers = st.integers(0, 400).map(lambda v: v / 8) | st.floats(-1e6, 1e6)
triangles = st.lists(numbers, min_size=6, max_size=6)
shapes = st.lists(triangles.map(lambda ring: [ring]), min_size=1, max_size=3)


def test_area_subtracts_holes_and_adds_parts_whatever_their_direction():
    ring = SQUARE_20[0][0]
    backwards = [v for i in range(len(ring) - 2, -1, -2) for v in ring[i : i + 2]]

    assert polygons.area(SQUARE_20) == polygons.area([[backwards]]) == 400
    assert polygons.area([[ring, HOLE]]) == polygons.area([[backwards, HOLE]]) == 300
    assert polygons.area([[ring, HOLE], [[30, 0, 34, 0, 30, 3]]]) == 306


def test_area_is_exact_far_from_the_origin():
    far = [v + 2**29 for v in SQUARE_20[0][0]]

    assert polygons.area([[far]]) == 400


def test_extent_spans_all_parts():
    assert polygons.extent([SQUARE_10[0], [[-5, 3, 30, 2.5, 7, 40]]]) == (-5, 0, 35, 40)


def test_a_small_square_in_a_large_one_has_a_quarter_both_ways():
    assert polygons.iou(SQUARE_10, SQUARE_20) == 0.25
    assert polygons.iou(SQUARE_20, SQUARE_10) == 0.25


def test_iou_knows_holes_and_parts():
    ring = SQUARE_20[0][0]
    halves = [[[0, 0, 10, 0, 10, 20, 0, 20]], [[10, 0, 20, 0, 20, 20, 10, 20]]]

    assert polygons.iou([[ring, HOLE]], SQUARE_20) == 300 / 400
    assert polygons.iou([[ring, HOLE]], [[HOLE]]) == 0
    assert polygons.iou(halves, SQUARE_20) == 1.0
    assert polygons.iou([*SQUARE_20, *SQUARE_10], SQUARE_20) == 1.0


def test_polygons_that_touch_or_are_apart_have_none():
    beside = [[[10, 0, 20, 0, 20, 10, 10, 10]]]

    assert polygons.iou(SQUARE_10, beside) == 0
    assert polygons.iou(SQUARE_10, [[[1e6, 1e6, 1e6 + 1, 1e6, 1e6, 1e6 + 1]]]) == 0


@given(shapes)
def test_a_polygon_equals_itself(shape):
    assert polygons.iou(shape, shape) == 1.0


@given(shapes, shapes)
def test_iou_is_symmetric_and_a_share(a, b):
    value = polygons.iou(a, b)

    assert value == polygons.iou(b, a)
    assert 0 <= value <= 1


@pytest.mark.parametrize(("thin", "bound", "mean"), [(0.7, 0.005, 0.001), (0.004, 0.03, 0.004)])
def test_iou_is_as_near_to_the_exact_one_as_documented(thin, bound, mean):
    rng = np.random.default_rng(11)
    a = np.stack([*rng.uniform(0, 900, (2, 150)), *[rng.uniform(50, 300, 150)] * 2], axis=1)
    a[:, 3] *= thin
    a = np.column_stack([a, rng.uniform(0, 360, 150)])
    b = a + rng.normal(0, 0.1, a.shape) * np.stack([a[:, 3]] * 4 + [20 * a[:, 3] / a[:, 2]], axis=1)
    exact = rotated.iou_of_pairs(a, b)

    drawn = [
        polygons.iou(polygons.from_rotated_box(x), polygons.from_rotated_box(y))
        for x, y in zip(a.tolist(), b.tolist(), strict=True)
    ]

    errors = np.abs(exact - drawn)
    assert errors.max() < bound
    assert errors.mean() < mean


def test_iou_does_not_depend_on_scale_or_place():
    small = [[[v / 1024 for v in SQUARE_10[0][0]]]]
    large = [[[v / 1024 for v in SQUARE_20[0][0]]]]
    moved = [[[v * 4096 + 2**20 for v in shape[0][0]]] for shape in (SQUARE_10, SQUARE_20)]

    assert polygons.iou(small, large) == 0.25
    assert polygons.iou([moved[0]], [moved[1]]) == 0.25


def test_shapes_without_area_equal_only_themselves():
    line = [[[0, 0, 5, 5, 10, 10]]]

    assert polygons.iou(line, line) == 1.0
    assert polygons.iou(line, SQUARE_10) < 0.02


def test_a_scribble_of_thousands_of_points_is_compared_in_bounded_time():
    rng = np.random.default_rng(1)
    a, b = ([[(rng.random(6000) * 1000).tolist()]] for _ in range(2))

    start = time.process_time()

    # even-odd of so many crossings is half in, half out: a third of the union is shared
    assert polygons.iou(a, b) == pytest.approx(1 / 3, abs=0.1)
    assert time.process_time() - start < 2


def test_boxes_become_polygons():
    assert polygons.from_box([1, 2, 3, 4]) == [[[1, 2, 4, 2, 4, 6, 1, 6]]]
    assert polygons.from_rotated_box([5, 5, 4, 2, 0]) == [[[3, 4, 7, 4, 7, 6, 3, 6]]]
    turned = polygons.from_rotated_box([5, 5, 4, 2, 90])
    np.testing.assert_allclose(turned[0][0], [6, 3, 6, 7, 4, 7, 4, 3])


def test_an_ellipse_becomes_a_polygon_of_nearly_its_area():
    parts = polygons.from_ellipse(100, 50, 30, 10)

    assert len(parts[0][0]) == 144
    assert polygons.extent(parts) == pytest.approx((70, 40, 60, 20))
    assert polygons.area(parts) == pytest.approx(math.pi * 300, rel=0.0014)
    turned = polygons.from_ellipse(100, 50, 30, 10, 30)
    assert polygons.extent(turned) == pytest.approx(
        rotated.extent_of_ellipse(100, 50, 30, 10, 30), abs=0.05
    )


@pytest.mark.parametrize(
    "parts",
    [
        [],
        [[]],
        [[[]]],
        [[[0, 0, 1, 1]]],
        [[[0, 0, 1, 1, 2]]],
        [[[0, 0, 1, 1, 2, 2, 3]]],
        [[[0, 0, 1, 1, 2, float("nan")]]],
        [[[0, 0, 1, 1, 2, float("inf")]]],
        [[[0, 0, 1, 1, 2, 1e10]]],
        [[[0, 0, 1, 1, 2, "x"]]],
        [[0, 0, 1, 1, 2, 2]],
        [[[0, 0, 9, 0, 9, 9], [1, 1]]],
    ],
)
def test_what_is_no_polygon_is_refused(parts):
    calls = [polygons.check, polygons.area, polygons.extent, lambda p: polygons.iou(p, SQUARE_10)]
    for call in calls:
        with pytest.raises(InvalidShape):
            call(parts)


@pytest.mark.parametrize("bad", [(0, 0, -1, 1), (0, 0, 1, float("nan")), (0, float("inf"), 1, 1)])
def test_what_is_no_ellipse_is_refused(bad):
    with pytest.raises(InvalidShape):
        polygons.from_ellipse(*bad)
