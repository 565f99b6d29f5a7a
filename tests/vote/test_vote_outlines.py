"""How alike many polygons are, against the exact comparison; what is malformed; what is crowded."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvcs.geometry import polygons as exact
from dvcs.model import Bbox, Item, Points, Polygon
from dvcs.vote import Options, Voter, vote_items
from dvcs.vote import pairs as pairs_module
from dvcs.vote.outlines import MOST_MEMBERS, Sets, iou, outlines, venn
from dvcs.vote.pairs import Block, similar
from dvcs.vote.shapes import Shapes


def alike(*polygons):
    """Return the IoU of each with each, all in one set."""
    found = outlines([Polygon(parts=parts) for parts in polygons])
    assert found.usable.all()
    count = len(polygons)
    every = np.arange(count)
    table = venn(found, Sets(every, np.zeros(count, np.int64), every, 1, count))
    a, b = np.repeat(every, count), np.tile(every, count)
    return iou(table, np.zeros(count * count, np.int64), a, b).reshape(count, count)


def square(x, y, side):
    return [x, y, x + side, y, x + side, y + side, x, y + side]


def test_squares_are_exact_along_the_lines():
    one, moved = [[square(0, 0, 16)]], [[square(8, 0, 16)]]
    small = [[square(0, 0, 8)]]
    table = alike(one, moved, small)
    assert table[0, 1] == pytest.approx(1 / 3, abs=1e-12)
    assert table[0, 2] == pytest.approx(1 / 4, abs=1e-12)
    assert table[1, 2] == 0.0
    assert (table == table.T).all()
    assert (np.diag(table) == 1.0).all()


def test_holes_are_empty_and_parts_that_overlap_are_full():
    ring = [[square(0, 0, 16), square(4, 4, 8)]]
    turned = [[square(0, 0, 16), [4, 4, 4, 12, 12, 12, 12, 4]]]
    hole = [[square(4, 4, 8)]]
    table = alike(ring, hole, [[square(0, 0, 16)]], turned)
    assert table[0].tolist() == pytest.approx([1.0, 0.0, 0.75, 1.0], abs=1e-12)
    twice = [[square(0, 0, 16)], [square(0, 0, 12)]]
    assert alike(twice, [[square(0, 0, 16)]])[0, 1] == 1.0


coordinates = st.integers(0, 200).map(lambda n: n / 4)


@st.composite
def stars(draw):
    """A polygon around its centre, as annotators draw them."""
    x, y = draw(coordinates), draw(coordinates)
    radii = draw(st.lists(st.integers(10, 40), min_size=5, max_size=12))
    step = 2 * math.pi / len(radii)
    return [
        [
            [
                value
                for n, radius in enumerate(radii)
                for value in (x + radius * math.cos(n * step), y + radius * math.sin(n * step))
            ]
        ]
    ]


@given(st.lists(stars(), min_size=2, max_size=MOST_MEMBERS))
def test_it_is_near_the_exact_comparison_whatever_else_is_in_the_set(polygons):
    table = alike(*polygons)
    for i, a in enumerate(polygons):
        assert table[i, i] == 1.0
        for j, b in enumerate(polygons):
            assert table[i, j] == pytest.approx(exact.iou(a, b), abs=0.08)


def test_no_polygons_are_no_trouble():
    found = outlines([])
    assert found.boxes.shape == (0, 4)
    assert similar(Shapes([]), [], 0.5).a.tolist() == []


BROKEN = [
    Polygon(parts=[]),
    Polygon(parts=[[]]),
    Polygon(parts=[[[0.0, 0.0, 1.0, 1.0]]]),
    Polygon(parts=[[[0.0, 0.0, 1.0, 1.0, 5.0]]]),
    Polygon(parts=[[[0.0, 0.0, 9.0, 9.0, 5.0, 5.0]]]),
    Polygon(parts=[[[0.0, 0.0, math.nan, 9.0, 5.0, 0.0]]]),
    Polygon(parts=[[[0.0, 0.0, math.inf, 9.0, 5.0, 0.0]]]),
    Polygon(parts=[[[0.0, 0.0, 1e300, 9.0, 5.0, 1e300]]]),
    Polygon(parts=[[square(0, 0, 9)]] * 60),
    Bbox(x=math.nan, y=0.0, w=1.0, h=1.0),
    Bbox(x=5.0, y=5.0, w=-3.0, h=-2.0),
    Bbox(x=5.0, y=5.0, w=0.0, h=0.0),
    Points(points=[math.nan, 0.0]),
]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("note", BROKEN, ids=repr)
def test_malformed_shapes_vote_as_far_as_they_can(note):
    good = Polygon(parts=[[square(100, 100, 20)]])
    item = Item("i", annotations=[good, note])
    voted = vote_items([item, item], [Voter("a"), Voter("b")])
    assert len(voted.clusters[0].members) == 2
    assert len(voted.item.annotations) in (2, 3)


def test_a_box_with_negative_sides_is_the_box_it_covers():
    one, other = Bbox(x=5.0, y=5.0, w=-3.0, h=-2.0), Bbox(x=2.0, y=3.0, w=3.0, h=2.0)
    items = [Item("i", annotations=[note]) for note in (one, other)]
    assert len(vote_items(items, [Voter("a"), Voter("b")]).clusters) == 1


@pytest.mark.parametrize("shape", ["box", "polygon"])
def test_more_voters_than_outlines_share_a_number_with(shape):
    voters = [Voter(f"v{n:02}") for n in range(12)]

    def note(n):
        if shape == "box":
            return Bbox(x=float(n % 2), y=0.0, w=30.0, h=30.0)
        return Polygon(parts=[[square(n % 2, 0, 30)]])

    items = [Item("i", annotations=[note(n)]) for n in range(12)]
    voted = vote_items(items, voters, Options(quorum=1.0))
    assert [len(one.members) for one in voted.clusters] == [12]
    other = pytest.approx((5 + 6 * 29 / 31) / 11)
    assert voted.clusters[0].scores == (other,) * 12


@pytest.mark.parametrize("kind", ["box", "polygon"])
def test_crowded_items_go_through_a_grid(monkeypatch, kind):
    monkeypatch.setattr(pairs_module, "_MANY", 50)

    def note(n, shift):
        x, y = 20.0 * (n % 10) + shift, 20.0 * (n // 10)
        if kind == "box":
            return Bbox(x=x, y=y, w=15.0, h=15.0)
        return Polygon(parts=[[square(x, y, 15)]])

    items = [Item("i", annotations=[note(n, s) for n in range(60)]) for s in (0.0, 1.0, 2.0)]
    voted = vote_items(items, [Voter(name) for name in "abc"], Options(quorum=1.0))
    assert len(voted.item.annotations) == 60
    assert {len(one.members) for one in voted.clusters} == {3}
    assert voted.findings == ()


@pytest.mark.parametrize("count", [100, 3000])
def test_thousands_of_boxes_in_one_place_take_neither_all_memory_nor_all_day(count):
    notes = [Bbox(x=0.0, y=0.0, w=5.0, h=5.0, id=n + 1) for n in range(count)]
    item = Item("i", annotations=notes)
    voted = vote_items([item, item], [Voter("a"), Voter("b")], Options(quorum=2))
    assert [note.id for note in voted.item.annotations] == list(range(1, count + 1))
    assert len(voted.findings) < count


def test_a_block_with_itself_gives_each_pair_once():
    notes = [
        Bbox(x=0.0, y=0.0, w=10.0, h=10.0),
        Bbox(x=1.0, y=0.0, w=10.0, h=10.0),
        Points(points=[0.0, 0.0, 9.0, 9.0]),
        Points(points=[0.0, 0.0, 9.0, 9.1]),
    ]
    found = similar(Shapes(notes), [Block((0, 4), (0, 4), None)], 0.5)
    assert sorted(zip(found.a.tolist(), found.b.tolist(), strict=True)) == [(0, 1), (2, 3)]
