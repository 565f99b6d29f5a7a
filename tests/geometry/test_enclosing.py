"""The smallest rotated box around points: compared with brute force and with OpenCV."""

import math
import random

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvcs.errors import InvalidShape
from dvcs.geometry import rotated
from dvcs.geometry.enclosing import convex_hull, smallest_box

anywhere = st.floats(-2000, 2000).map(lambda value: round(value, 6))
whole = st.integers(-8, 8).map(float)
some = st.lists(st.tuples(anywhere, anywhere), min_size=1, max_size=40)
coarse = st.lists(st.tuples(whole, whole), min_size=1, max_size=40)
outlines = some | coarse


def flat(points):
    return [value for point in points for value in point]


def seen_from(box, points):
    """Return points as distances along and across a box from its centre."""
    cx, cy, _, _, angle = box
    turn = math.radians(angle)
    x, y = (np.array(points) - (cx, cy)).T
    return np.stack(
        [x * math.cos(turn) + y * math.sin(turn), y * math.cos(turn) - x * math.sin(turn)]
    )


def area_at(angle, points):
    along, across = seen_from((0, 0, 0, 0, angle), points)
    return np.ptp(along) * np.ptp(across)


def extent(points):
    return max(np.ptp(np.array(points), axis=0).max(), 1e-9)


@given(outlines)
def test_all_points_lie_within_and_each_side_is_touched(points):
    box = smallest_box([flat(points)])

    there = np.abs(seen_from(box, points)).max(axis=1)
    assert there == pytest.approx(np.array(box[2:4]) / 2, abs=1e-6 * extent(points))
    assert 0 <= box[4] < 90


@given(outlines)
def test_no_upright_or_turned_box_is_smaller(points):
    box = smallest_box([flat(points)])

    slack = 1e-6 * extent(points) ** 2
    assert box[2] * box[3] <= min(area_at(n / 4, points) for n in range(360)) + slack


@given(outlines, st.floats(-1000, 1000), st.floats(-1000, 1000), st.floats(0, 360))
def test_a_shape_that_is_moved_or_turned_has_a_box_as_large(points, dx, dy, angle):
    area = math.prod(smallest_box([flat(points)])[2:4])
    turned = seen_from((dx, dy, 0, 0, angle), points).T.tolist()

    slack = 1e-6 * extent(points) ** 2
    assert math.prod(smallest_box([flat(turned)])[2:4]) == pytest.approx(area, abs=slack)


@given(some, st.randoms(use_true_random=False))
def test_the_order_of_points_and_their_rings_do_not_matter(points, chance):
    shuffled = chance.sample(points, len(points)) + points[:3]

    box = smallest_box([flat(points)])
    other = smallest_box([flat(shuffled[:5]), flat(shuffled[5:])])

    corners, others = (np.sort(rotated.corners([one])[0], axis=0) for one in (box, other))
    assert others == pytest.approx(corners, abs=1e-6 * extent(points)) or other[2] * other[
        3
    ] == pytest.approx(box[2] * box[3], rel=1e-8)


@given(outlines)
def test_opencv_finds_no_smaller_one(points):
    _, sides, _ = cv2.minAreaRect(np.array(points, dtype=np.float32))

    found = smallest_box([flat(points)])

    slack = 1e-3 * extent(points) ** 2  # it computes with 32 bits
    assert found[2] * found[3] <= math.prod(sides) + slack
    if len(convex_hull(points)) > 2:
        assert found[2] * found[3] == pytest.approx(math.prod(sides), abs=slack)


@given(coarse)
def test_the_hull_is_that_of_opencv(points):
    hull = convex_hull(points)

    theirs = cv2.convexHull(np.array(points, dtype=np.int32)).reshape(-1, 2)
    assert set(hull) >= set(map(tuple, theirs.astype(float).tolist())) or len(theirs) < 3
    assert hull[0] == min(points)
    turns = [
        (bx - ax) * (cy - by) - (by - ay) * (cx - bx)
        for (ax, ay), (bx, by), (cx, cy) in zip(
            hull, hull[1:] + hull[:1], hull[2:] + hull[:2], strict=False
        )
    ]
    assert len(hull) < 3 or all(turn > 0 for turn in turns)


def test_of_boxes_as_good_the_one_turned_least_is_taken():
    circle = [(math.cos(n * math.pi / 4), math.sin(n * math.pi / 4)) for n in range(8)]

    assert smallest_box([flat(circle)])[4] == pytest.approx(22.5)
    assert smallest_box([[0, 0, 2, 0, 2, 2, 0, 2, 0, 1]]) == (1, 1, 2, 2, 0)


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ([3, 4], (3, 4, 0, 0, 0)),
        ([3, 4, 3, 4, 3, 4], (3, 4, 0, 0, 0)),
        ([0, 0, 4, 0, 2, 0], (2, 0, 4, 0, 0)),
        ([0, 0, 0, 4, 0, 2], (0, 2, 0, 4, 0)),
        ([0, 0, 1, 1, 3, 3], (1.5, 1.5, 18**0.5, 0, 45)),
        ([0, 0, 5e-324, 0, 0, 5e-324], (0, 0, 5e-324, 5e-324, 0)),
        ([1e9, 1e9, -1e9, 1e9, -1e9, -1e9, 1e9, -1e9, 0, 0], (0, 0, 2e9, 2e9, 0)),
    ],
)
def test_shapes_without_an_area_and_very_large_ones(points, expected):
    assert smallest_box([points]) == pytest.approx(expected)


@pytest.mark.parametrize(
    "points", [[math.nan, 0, 1, 1], [0, math.inf, 1, 1], [0, 1, 2], [1e300, 0, 0, 0], ["a", 1]]
)
def test_what_is_no_point_is_refused(points):
    with pytest.raises(InvalidShape):
        smallest_box([points])
    assert smallest_box([]) is None
    assert smallest_box([[], []]) is None


@pytest.mark.timeout(60)
def test_very_many_points_are_as_good_as_few():
    chance = random.Random(3)
    spread = [(chance.random() * 900, chance.random() * 500) for _ in range(200_000)]
    ring = [(math.cos(n / 5e3) * 100, math.sin(n / 5e3) * 70) for n in range(31_416)]

    for points in (spread, ring):
        box = smallest_box([flat(points)])
        assert box[2] * box[3] <= area_at(0, points) * (1 + 1e-9)
        assert np.abs(seen_from(box, points)).max(axis=1) == pytest.approx(
            np.array(box[2:4]) / 2, rel=1e-6
        )


@pytest.mark.parametrize("size", [3, 12, 5000])
def test_thinning_loses_no_corner(size):
    chance = random.Random(size)
    points = [(chance.randint(-size, size), chance.randint(-size, size)) for _ in range(3000)]
    few = [point for point in points if chance.random() < 0.3]
    few += [(x, y) for x, y in points if x * x + y * y > 0.9 * size * size][:1500]

    def hull(some):
        at = cv2.convexHull(np.array(some, dtype=np.int32)).reshape(-1, 2).tolist()
        return convex_hull([tuple(map(float, point)) for point in at])

    assert convex_hull(points) == hull(points)
    assert convex_hull(few) == hull(few)
