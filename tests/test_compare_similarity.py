"""How alike two annotations are."""

import math
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvcs.compare import bounds, box_iou, similarity, text_similarity
from dvcs.model import (
    Bbox,
    Caption,
    Cuboid3d,
    Ellipse,
    Label,
    Mask,
    MediaFile,
    Other,
    Points,
    Polygon,
    PolyLine,
    Raster,
    RotatedBbox,
)

coordinate = st.floats(-50, 450).map(lambda value: round(value, 2))
side = st.floats(0.5, 300).map(lambda value: round(value, 2))
angle = st.floats(-180, 180).map(lambda value: round(value, 1))
flat = st.lists(coordinate, min_size=6, max_size=12).map(lambda one: one[: len(one) // 2 * 2])
triple = st.tuples(*[st.floats(0.5, 9)] * 3).map(list)
turns = st.tuples(*[st.floats(-3, 3)] * 3).map(list)
shapes = st.one_of(
    st.builds(Bbox, x=coordinate, y=coordinate, w=side, h=side),
    st.builds(RotatedBbox, cx=coordinate, cy=coordinate, w=side, h=side, angle=angle),
    st.builds(Ellipse, cx=coordinate, cy=coordinate, rx=side, ry=side, angle=angle),
    st.builds(Polygon, parts=flat.map(lambda ring: [[ring]])),
    st.builds(PolyLine, points=flat),
    st.builds(Points, points=flat),
    st.builds(Caption, caption=st.text(max_size=20)),
    st.builds(Label, label=st.sampled_from(["a", "b"])),
    st.builds(Cuboid3d, position=triple, rotation=turns, scale=triple),
)

SQUARE = Bbox(x=0.0, y=0.0, w=10.0, h=10.0)
SQUARE_POLYGON = Polygon(parts=[[[0.0, 0.0, 10.0, 0.0, 10.0, 10.0, 0.0, 10.0]]])
# A mask of 4 x 4 pixels: rows 0 and 1 of all columns.
HALF_MASK = Mask(size=(4, 4), counts="022000000")


@given(shapes, shapes)
def test_similarity_is_symmetric_and_between_0_and_1(a, b):
    value = similarity(a, b)
    assert 0 <= value <= 1 + 1e-12
    assert math.isclose(value, similarity(b, a), rel_tol=1e-9, abs_tol=1e-9)


@given(shapes)
def test_equal_annotations_have_similarity_1_whatever_else_differs(a):
    assert similarity(a, a.with_(id=7, score=0.5, attributes={"x": 1})) == 1.0


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (SQUARE, Bbox(x=5.0, y=0.0, w=10.0, h=10.0), 1 / 3),
        (SQUARE, Bbox(x=10.0, y=0.0, w=10.0, h=10.0), 0.0),
        (SQUARE, Bbox(x=0.0, y=0.0, w=20.0, h=20.0), 0.25),
        (SQUARE, SQUARE_POLYGON, 1.0),
        (SQUARE, RotatedBbox(cx=5.0, cy=5.0, w=10.0, h=10.0, angle=90.0), 1.0),
        (SQUARE_POLYGON, RotatedBbox(cx=5.0, cy=5.0, w=10.0, h=10.0, angle=0.0), 1.0),
        (SQUARE, Points(points=[0.0, 0.0, 10.0, 10.0]), 1.0),
        (SQUARE, PolyLine(points=[0.0, 0.0, 10.0, 20.0]), 0.5),
        (HALF_MASK, Polygon(parts=[[[0.0, 0.0, 4.0, 0.0, 4.0, 2.0, 0.0, 2.0]]]), 1.0),
        (HALF_MASK, Polygon(parts=[[[0.0, 0.0, 4.0, 0.0, 4.0, 4.0, 0.0, 4.0]]]), 0.5),
        (HALF_MASK, Bbox(x=0.0, y=0.0, w=4.0, h=2.0), 1.0),
        (Label(label="a"), Label(label="a"), 1.0),
        (Label(label="a"), Label(label="b"), 0.0),
        (Label(label="a"), SQUARE, 0.0),
        (Caption(caption="abcd"), Caption(caption="abxy"), 0.5),
        (Points(points=[0.0] * 4), Points(points=[0.0] * 6), 1.0),
        (Points(points=[0.0, 0.0, 9.0, 9.0]), Points(points=[50.0, 50.0, 59.0, 59.0]), 0.0),
        (
            Cuboid3d(position=[0.0, 0.0, 0.0], scale=[2.0, 2.0, 2.0]),
            Cuboid3d(position=[1.0, 0.0, 0.0], scale=[2.0, 2.0, 2.0]),
            1 / 3,
        ),
        (
            Cuboid3d(position=[0.0, 0.0, 0.0], scale=[4.0, 2.0, 2.0]),
            Cuboid3d(position=[0.0, 0.0, 0.0], scale=[2.0, 4.0, 2.0], rotation=[0, 0, math.pi / 2]),
            1.0,
        ),
        (
            Other(format="f", record={"a": 1, "b": 2}),
            Other(format="f", record={"a": 1, "b": 3}),
            0.5,
        ),
        (
            Raster(meaning="depth", file=MediaFile(sha256="1" * 64)),
            Raster(meaning="depth", file=MediaFile(sha256="2" * 64)),
            0.5,
        ),
    ],
)
def test_similarity_of(a, b, expected):
    assert similarity(a, b) == pytest.approx(expected, abs=1e-9)
    assert similarity(b, a) == pytest.approx(expected, abs=1e-9)


def test_a_single_point_is_measured_by_the_size_of_its_image():
    a, b = Points(points=[100.0, 100.0]), Points(points=[110.0, 100.0])
    assert similarity(a, b, (480, 640)) == pytest.approx(math.exp(-100 / (2 * 64**2 * 0.18**2)))
    assert similarity(a, b, (4800, 6400)) > similarity(a, b, (480, 640))


def test_absent_keypoints_do_not_widen_the_box_around_the_others():
    note = Points(points=[0.0, 0.0, 50.0, 60.0, 70.0, 90.0], visibility=[0, 2, 1])
    assert bounds(note) == (50.0, 60.0, 20.0, 30.0)


@pytest.mark.parametrize(
    "broken",
    [
        Polygon(parts=[[[1.0, 2.0, 3.0]]]),
        Polygon(parts=[]),
        Polygon(parts=[[[math.nan] * 6]]),
        Mask(size=(4, 4), counts="zzz"),
        Bbox(x=math.nan, y=0.0, w=1.0, h=1.0),
        Bbox(x=0.0, y=0.0, w=math.inf, h=1.0),
        Points(points=[1.0, 2.0, 3.0], visibility=[2]),
        PolyLine(points=[1.0]),
        Cuboid3d(position=[1.0]),
        RotatedBbox(cx=0.0, cy=0.0, w=-4.0, h=2.0, angle=0.0),
    ],
)
def test_shapes_that_nobody_can_draw_compare_without_error(broken):
    for other in (SQUARE, SQUARE_POLYGON, HALF_MASK, broken.with_(label="x")):
        assert 0 <= similarity(broken, other) <= 1
        assert 0 <= similarity(other, broken) <= 1


def test_boxes_without_area_are_alike_only_where_identical():
    assert box_iou((1.0, 1.0, 0.0, 5.0), (1.0, 1.0, 0.0, 5.0)) == 1.0
    assert box_iou((1.0, 1.0, 0.0, 5.0), (0.0, 0.0, 9.0, 9.0)) == 0.0
    assert box_iou(None, (0.0, 0.0, 9.0, 9.0)) == 0.0


def test_long_texts_are_compared_by_words():
    a = "word " * 300
    assert text_similarity(a, a + "other " * 300) == pytest.approx(2 / 3)


def test_comparing_boxes_loads_no_numpy():
    code = (
        "import sys\n"
        "from dvcs.compare import compare_items\n"
        "from dvcs.model import Bbox, Item\n"
        "boxes = [Bbox(x=20.0 * i, y=0.0, w=15.0, h=15.0, id=i + 1) for i in range(7)]\n"
        "moved = [*boxes[:6], boxes[6].with_(x=121.0)]\n"
        "change = compare_items(Item('a', annotations=boxes), Item('a', annotations=moved))\n"
        "assert change.annotations[0].fields == ('geometry',)\n"
        "assert not {'numpy', 'scipy', 'cv2', 'pycocotools'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
