import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvcs.errors import InvalidShape
from dvcs.geometry import masks, polygons
from dvcs.geometry.bridging import one_ring

OUTER = [10.0, 5.0, 40.0, 5.0, 40.0, 30.0, 10.0, 30.0]
HOLE = [20.0, 10.0, 20.0, 20.0, 30.0, 20.0, 30.0, 10.0]
OTHER = [50.0, 1.0, 60.0, 1.0, 60.0, 9.0]


def reverse(ring):
    return [value for at in range(len(ring) - 2, -1, -2) for value in ring[at : at + 2]]


def signed_area(ring):
    points = list(zip(ring[0::2], ring[1::2], strict=True))
    return (
        sum(
            x0 * y1 - x1 * y0
            for (x0, y0), (x1, y1) in zip(points, points[1:] + points[:1], strict=True)
        )
        / 2
    )


def test_one_ring_stays_as_it_is():
    assert one_ring([[OUTER]]) == OUTER


@pytest.mark.parametrize("outer", [OUTER, reverse(OUTER)])
@pytest.mark.parametrize("hole", [HOLE, reverse(HOLE)])
@pytest.mark.parametrize("other", [OTHER, reverse(OTHER)])
def test_the_ring_covers_what_the_rings_did_whichever_way_they_turn(outer, hole, other):
    ring = one_ring([[outer, hole], [other]])
    assert abs(signed_area(ring)) == 30 * 25 - 10 * 10 + 10 * 8 / 2
    size, counts = masks.from_polygon([[ring]], (48, 64))
    assert masks.area(size, counts) == masks.area(
        *masks.from_polygon([[outer, hole], [other]], (48, 64))
    )


def test_the_bridge_goes_between_the_two_nearest_corners():
    square = [0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 1.0]
    there = [3.0, 0.5, 5.0, 0.0, 5.0, 1.0]
    ring = one_ring([[square], [there]])
    assert ring[2:6] == [1.0, 0.0, 3.0, 0.5]
    assert len(ring) == len(square) + len(there) + 4


@given(st.lists(st.integers(3, 9), min_size=1, max_size=6))
def test_parts_beside_each_other_keep_their_area(corners):
    parts = [
        [
            [
                value
                for step in range(count)
                for value in (
                    50.0 * number + 20 * math.cos(2 * math.pi * step / count),
                    20 * math.sin(2 * math.pi * step / count),
                )
            ]
        ]
        for number, count in enumerate(corners)
    ]
    assert abs(signed_area(one_ring(parts))) == pytest.approx(polygons.area(parts))


@pytest.mark.parametrize(
    "parts", [[], [[]], [[[1.0, 2.0]]], [[[1.0, 2.0, 3.0, math.nan, 1.0, 1.0]]]]
)
def test_what_is_no_polygon_is_refused(parts):
    with pytest.raises(InvalidShape):
        one_ring(parts)
