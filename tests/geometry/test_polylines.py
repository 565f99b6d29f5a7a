"""Polylines: length and similarity."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvcs.errors import InvalidShape
from dvcs.geometry import polylines

lines = st.lists(st.tuples(st.floats(-100, 100), st.floats(-100, 100)), min_size=1, max_size=8).map(
    lambda points: [v for point in points for v in point]
)


def test_length():
    assert polylines.length([0, 0, 3, 4, 3, 10]) == 11
    assert polylines.length([5, 5]) == 0


def test_a_shifted_line_loses_by_its_distance():
    # parallel, 1 apart, diagonal of both sqrt(100^2 + 1)
    value = polylines.similarity([0, 0, 100, 0], [0, 1, 100, 1])

    assert value == pytest.approx(1 - 1 / (0.1 * 10001**0.5))
    assert polylines.similarity([0, 0, 100, 0], [0, 1, 100, 1], 0.01) == pytest.approx(0, abs=1e-4)


@given(lines)
def test_a_line_equals_itself_its_reverse_and_itself_with_more_points(line):
    reverse = [v for i in range(len(line) - 2, -1, -2) for v in line[i : i + 2]]

    assert polylines.similarity(line, line) == 1.0
    assert polylines.similarity(line, reverse) == pytest.approx(1.0, abs=1e-9)
    assert polylines.similarity([0, 0, 8, 0, 8, 8], [0, 0, 3, 0, 8, 0, 8, 8]) == 1.0


@given(lines, lines)
def test_similarity_is_symmetric_and_a_share(a, b):
    value = polylines.similarity(a, b)

    assert value == pytest.approx(polylines.similarity(b, a), abs=1e-9)
    assert 0 <= value <= 1


def test_lines_far_apart_have_nothing_in_common():
    assert polylines.similarity([0, 0, 10, 0], [500, 0, 510, 0]) == 0
    assert polylines.similarity([0, 0], [1, 0]) == 0


@pytest.mark.parametrize(
    "bad", [[], [1], [1, 2, 3], [1, float("nan")], [float("inf"), 1], ["a", 1]]
)
def test_what_is_no_polyline_is_refused(bad):
    with pytest.raises(InvalidShape):
        polylines.similarity(bad, [0, 0, 1, 1])
    with pytest.raises(InvalidShape):
        polylines.length(bad)


def test_a_tolerance_of_nothing_is_refused():
    with pytest.raises(InvalidShape):
        polylines.similarity([0, 0, 1, 1], [0, 0, 1, 1], 0)
