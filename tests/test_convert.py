"""Annotations of one kind as another: exact figures, and what is kept beside the shape."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvcs.convert import PREFERENCES, convert, needs_size, outer_rings, split_parts
from dvcs.geometry import masks, polygons
from dvcs.model import (
    KINDS,
    Annotation,
    Bbox,
    Ellipse,
    Label,
    Mask,
    Points,
    Polygon,
    PolyLine,
    RotatedBbox,
)
from tests.gallery import HOLE, RING, bitmap

SIZE = (48, 64)
SQUARE = [10.0, 20.0, 30.0, 20.0, 30.0, 40.0, 10.0, 40.0]


def one(note: Annotation, kind: str, size: tuple[int, int] | None = SIZE) -> Annotation:
    (new,) = convert(note, kind, size) or ()
    assert new.kind == kind
    return new


EXACT = [
    (Polygon([[SQUARE]]), Bbox(10.0, 20.0, 20.0, 20.0)),
    (Polygon([[RING, HOLE], [[0.0, 0.0, 1.0, 0.0, 1.0, 1.0]]]), Bbox(0.0, 0.0, 40.0, 30.75)),
    (Polygon([[[1.0, 2.0, 3.0, 4.0]]]), Bbox(1.0, 2.0, 2.0, 2.0)),
    (Bbox(10.0, 20.0, 20.0, 20.0), Polygon([[SQUARE]])),
    (Bbox(10.0, 20.0, 20.0, 30.0), RotatedBbox(20.0, 35.0, 20.0, 30.0, 0.0)),
    (RotatedBbox(20.0, 35.0, 20.0, 30.0, 0.0), Bbox(10.0, 20.0, 20.0, 30.0)),
    (RotatedBbox(20.0, 30.0, 20.0, 20.0, 0.0), Polygon([[SQUARE]])),
    (Polygon([[SQUARE]]), RotatedBbox(20.0, 30.0, 20.0, 20.0, 0.0)),
    (Ellipse(20.0, 30.0, 4.0, 2.0, 0.0), Bbox(16.0, 28.0, 8.0, 4.0)),
    (Ellipse(20.0, 30.0, 4.0, 2.0, 7.0), RotatedBbox(20.0, 30.0, 8.0, 4.0, 7.0)),
    (PolyLine([1.0, 5.0, 3.0, 2.0]), Bbox(1.0, 2.0, 2.0, 3.0)),
    (Points([1.0, 5.0, 3.0, 2.0]), Bbox(1.0, 2.0, 2.0, 3.0)),
    (Points([1.0, 5.0, 0.0, 0.0, 3.0, 2.0], [2, 0, 1]), Bbox(1.0, 2.0, 2.0, 3.0)),
    (bitmap((3, 4, 20, 30)), Bbox(3.0, 4.0, 17.0, 26.0)),
    (bitmap((3, 4, 20, 30)), Polygon([[[3.0, 4.0, 20.0, 4.0, 20.0, 30.0, 3.0, 30.0]]])),
    (Polygon([[[3.0, 4.0, 20.0, 4.0, 20.0, 30.0, 3.0, 30.0]]]), bitmap((3, 4, 20, 30))),
    (Bbox(3.0, 4.0, 17.0, 26.0), bitmap((3, 4, 20, 30))),
]


@pytest.mark.parametrize(("note", "wanted"), EXACT)
def test_shapes_become_others_exactly(note, wanted):
    new = one(note, wanted.kind)
    for got, figure in zip(new.geometry, wanted.geometry, strict=True):
        assert got == (pytest.approx(figure) if isinstance(figure, float) else figure)
    assert type(new) is type(wanted)


def test_a_turned_box_spans_its_corners():
    box = one(RotatedBbox(0.0, 0.0, 2.0, 2.0, 45.0), "bbox")
    half = math.sqrt(2)
    assert box.geometry == pytest.approx((-half, -half, 2 * half, 2 * half))
    ellipse = one(Ellipse(0.0, 0.0, 4.0, 2.0, 90.0), "bbox")
    assert ellipse.geometry == pytest.approx((-2.0, -4.0, 4.0, 8.0))


def test_a_polygon_with_a_hole_becomes_a_mask_with_one_and_back():
    mask = one(Polygon([[RING, HOLE]]), "mask")
    assert isinstance(mask, Mask)
    pixels = masks.decode(mask.size, mask.counts)
    assert not pixels[15, 25]
    assert pixels[8, 15]
    back = one(mask, "polygon")
    assert [len(part) for part in back.parts] == [2]
    assert one(back, "mask").geometry == mask.geometry


def test_a_mask_of_several_parts_becomes_one_polygon_of_several():
    polygon = one(bitmap((1, 1, 5, 5), (10, 10, 20, 20)), "polygon")
    assert len(polygon.parts) == 2
    assert polygons.area(polygon.parts) == 16 + 100


def test_an_ellipse_becomes_the_same_polygon_each_time():
    ellipse = Ellipse(30.0, 20.0, 12.0, 6.0, 33.0)
    first, second = (one(ellipse, "polygon") for _ in range(2))
    assert first == second
    assert polygons.area(first.parts) == pytest.approx(math.pi * 12 * 6, rel=0.002)
    assert one(ellipse, "mask").geometry == one(first, "mask").geometry


@pytest.mark.parametrize(("note", "wanted"), EXACT)
def test_all_but_the_shape_is_kept_and_what_followed_from_it_goes(note, wanted):
    said = {
        "label": "cat",
        "id": 7,
        "group": 3,
        "z_order": 2,
        "score": 0.5,
        "track": "t",
        "attributes": {"a": [1]},
        "extra": {"coco": {"x": 1}},
    }
    new = one(note.with_(**said, derived={"coco": {"area": 3.5}}), wanted.kind)
    assert {name: getattr(new, name) for name in said} == said
    assert new.derived == {}


@pytest.mark.parametrize(
    ("note", "kind", "size"),
    [
        (Polygon([[SQUARE]]), "mask", None),
        (bitmap(), "polygon", SIZE),
        (bitmap(), "bbox", SIZE),
        (Mask((4, 5), "not a mask"), "polygon", SIZE),
        (Polygon([]), "bbox", SIZE),
        (Polygon([]), "mask", SIZE),
        (Polygon([[[]]]), "bbox", SIZE),
        (Polygon([[[1.0, 2.0, 3.0]]]), "bbox", SIZE),
        (Polygon([[[math.nan] * 6]]), "bbox", SIZE),
        (Polygon([[[math.nan] * 8]]), "rotated_bbox", SIZE),
        (Polygon([[[1.0, 2.0, 3.0, 4.0]]]), "mask", SIZE),
        (Polygon([[[math.nan] * 6]]), "rotated_bbox", SIZE),
        (Polygon([[[1.0, math.inf] * 50]]), "rotated_bbox", SIZE),
        (Polygon([[[1.0, 2.0, 3.0, 4.0, 5.0]]]), "rotated_bbox", SIZE),
        (Polygon([[[1e300, 0.0, 0.0, 1e300, 5.0, 5.0]]]), "rotated_bbox", SIZE),
        (Polygon([]), "rotated_bbox", SIZE),
        (Polygon([[]]), "rotated_bbox", SIZE),
        (Polygon([[[]]]), "rotated_bbox", SIZE),
        (Mask((4, 5), "not a mask"), "rotated_bbox", SIZE),
        (bitmap(), "rotated_bbox", SIZE),
        (PolyLine([]), "rotated_bbox", SIZE),
        (Points([1.0, 2.0], [0]), "rotated_bbox", SIZE),
        (Points([1.0, 2.0], [0]), "bbox", SIZE),
        (Points([]), "bbox", SIZE),
        (Label(label="cat"), "bbox", SIZE),
        (Bbox(1.0, 2.0, 3.0, 4.0), "label", SIZE),
        (Bbox(1.0, 2.0, 3.0, 4.0), "mask", (0, 0)),
        (RotatedBbox(1.0, 2.0, -3.0, 4.0, 0.0), "polygon", SIZE),
        (Ellipse(1.0, 2.0, -3.0, 4.0, 0.0), "polygon", SIZE),
    ],
)
def test_what_cannot_be_is_none(note, kind, size):
    assert convert(note, kind, size) is None


def test_only_masks_need_the_size_of_the_image():
    needing = {(a, b) for a in KINDS for b in KINDS if needs_size(a, b)}
    assert needing == {(kind, "mask") for kind in ("bbox", "ellipse", "polygon", "rotated_bbox")}


def test_every_preference_can_be_done():
    sample = {
        "mask": bitmap((1, 1, 9, 9)),
        "polygon": Polygon([[SQUARE]]),
        "rotated_bbox": RotatedBbox(20.0, 20.0, 9.0, 9.0, 1.0),
        "ellipse": Ellipse(20.0, 20.0, 9.0, 9.0, 1.0),
    }
    for kind, targets in PREFERENCES.items():
        for target in targets:
            assert one(sample[kind], target)


def test_parts_become_polygons_of_their_own():
    parts = [[RING, HOLE], [SQUARE]]
    note = Polygon(parts, label="cat", id=7, group=2, derived={"area": 3})
    first, second = split_parts(note)
    assert [first.parts, second.parts] == [[parts[0]], [parts[1]]]
    assert all(
        (one.label, one.id, one.group, one.derived) == ("cat", 7, 2, {}) for one in (first, second)
    )
    single = Polygon([parts[0]], derived={"area": 3})
    assert split_parts(single) == [single]
    assert outer_rings(note) == ([RING, SQUARE], 1)


@pytest.mark.parametrize(
    ("note", "expected"),
    [
        (Polygon([[[0.0, 0.0, 10.0, 0.0, 10.0, 5.0, 5.0, 6.0, 0.0, 5.0]]]), (5, 3, 10, 6, 0)),
        # The corners of a rectangle, also closed by the first one: its width is the first side.
        (Polygon([[[2.0, 0.0, 4.0, 2.0, 3.0, 3.0, 1.0, 1.0]]]), (2.5, 1.5, 8**0.5, 2**0.5, 45)),
        (
            Polygon([[[2.0, 0.0, 4.0, 2.0, 3.0, 3.0, 1.0, 1.0, 2.0, 0.0]]]),
            (2.5, 1.5, 8**0.5, 2**0.5, 45),
        ),
        (Polygon([[[0.0, 0.0, 4.0, 0.0, 0.0, 3.0]]]), (2, 1.5, 4, 3, 0)),
        # A hole is within; two parts are one box around both.
        (Polygon([[SQUARE, [12.0, 22.0, 14.0, 22.0, 14.0, 24.0]]]), (20, 30, 20, 20, 0)),
        (
            Polygon([[[0.0, 0.0, 1.0, 0.0, 0.0, 1.0]], [[9.0, 9.0, 9.0, 8.0, 8.0, 9.0]]]),
            (4.5, 4.5, 162**0.5, 2**0.5, 45),
        ),
        (bitmap((10, 20, 30, 32)), (20, 26, 20, 12, 0)),
        (PolyLine([0.0, 0.0, 3.0, 3.0, 6.0, 6.0]), (3, 3, 72**0.5, 0, 45)),
        (Points([5.0, 5.0, 90.0, 3.0, 8.0, 8.0], [2, 0, 1]), (6.5, 6.5, 18**0.5, 0, 45)),
        (Points([5.0, 7.0]), (5, 7, 0, 0, 0)),
    ],
)
def test_the_smallest_rotated_box_is_around_all_of_a_shape(note, expected):
    new = one(note.with_(label="cat", id=7), "rotated_bbox")

    assert new.geometry == pytest.approx(expected, abs=1e-9)
    assert (new.label, new.id) == ("cat", 7)


@given(
    st.tuples(
        *(st.floats(0, 40), st.floats(0, 30), st.floats(1, 20), st.floats(1, 15), st.floats(0, 360))
    )
)
def test_a_rotated_box_comes_back_from_its_polygon(values):
    polygon = one(RotatedBbox(*values), "polygon")
    back = one(polygon, "rotated_bbox")
    again = one(back, "polygon")
    assert polygons.area(again.parts) == pytest.approx(polygons.area(polygon.parts), rel=1e-6)
    assert back.geometry[:4] == pytest.approx(values[:4], abs=1e-6)
