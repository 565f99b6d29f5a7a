"""No pair of shapes that are similar enough is passed over, however little is looked at."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dvcs.compare import candidates as looking
from dvcs.compare import similarity
from dvcs.model import Bbox, Polygon

coordinates = st.integers(0, 12).map(float)
rings = st.lists(st.tuples(coordinates, coordinates), min_size=3, max_size=6).map(
    lambda points: [value for point in points for value in point]
)
polygons = st.lists(rings, min_size=1, max_size=2).flatmap(
    lambda some: st.sampled_from(
        [Polygon(parts=[[ring] for ring in some]), Polygon(parts=[some]), Polygon(parts=[some[:1]])]
    )
)
shapes = polygons | st.builds(
    Bbox, x=coordinates, y=coordinates, w=st.just(4.0), h=st.sampled_from([0.0, 3.0, 9.0])
)
SQUARE = [0.0, 0.0, 9.0, 0.0, 9.0, 9.0, 0.0, 9.0]
TWICE_AROUND = Polygon(parts=[[SQUARE * 2]])
EIGHT = Polygon(parts=[[[0.0, 0.0, 9.0, 9.0, 9.0, 0.0, 0.0, 9.0]]])


@pytest.mark.parametrize("few", [0, 4096], ids=["many", "few"])
@given(st.lists(shapes, max_size=4), st.lists(shapes, max_size=4), st.sampled_from([0.1, 0.5, 0.9]))
@settings(max_examples=80)
@example([TWICE_AROUND], [Polygon(parts=[[SQUARE]])] * 2, 0.5)
@example([EIGHT] * 2, [Polygon(parts=[[SQUARE]])], 0.5)
def test_all_pairs_that_are_similar_enough_are_found(few, old, new, threshold):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(looking, "_FEW", few)
        found = {(i, j): value for i, j, value in looking.candidates(old, new, threshold)}
    expected = {
        (i, j): value
        for i, a in enumerate(old)
        for j, b in enumerate(new)
        if (value := similarity(a, b)) >= threshold
    }
    assert found == pytest.approx(expected)


def test_polygons_far_from_alike_are_not_compared(monkeypatch):
    compared = []
    monkeypatch.setattr(looking, "similarity", lambda *two: compared.append(two) or 0.0)
    small = [[[value / 4 for value in SQUARE]]]
    looking.candidates(
        [Polygon(parts=[[SQUARE]])] * 2, [Polygon(parts=small), Polygon(parts=[[SQUARE]])], 0.5
    )
    assert len(compared) == 2
