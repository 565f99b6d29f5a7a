"""Masks: agreement with pycocotools on valid input, exact outlines, hostile input stopped early."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as coco

from dvcs.errors import InvalidShape
from dvcs.geometry import masks, polygons

shapes = st.tuples(st.integers(1, 12), st.integers(1, 12))
bitmaps = shapes.flatmap(lambda shape: arrays(np.bool_, shape))
several = shapes.flatmap(lambda shape: st.lists(arrays(np.bool_, shape), min_size=1, max_size=4))
rings = st.lists(st.tuples(st.floats(-15, 45), st.floats(-15, 45)), min_size=3, max_size=12).map(
    lambda points: [value for point in points for value in point]
)


def theirs(mask):
    return {"size": list(mask[0]), "counts": mask[1].encode()}


def test_a_small_mask_worked_by_hand():
    bitmap = [[0, 1, 1], [0, 1, 0]]  # columns 00, 11, 10

    assert masks.encode(bitmap) == ((2, 3), masks.counts_from_list([2, 3, 1]))
    assert masks.area((2, 3), [2, 3, 1]) == 3
    assert masks.bbox((2, 3), [2, 3, 1]) == (1, 0, 2, 2)
    assert masks.to_polygon((2, 3), [2, 3, 1]) == [[[1, 0, 3, 0, 3, 1, 2, 1, 2, 2, 1, 2]]]
    np.testing.assert_array_equal(masks.decode((2, 3), [2, 3, 1]), bitmap)


@given(bitmaps)
def test_encode_writes_what_pycocotools_writes_and_decode_reads_it(bitmap):
    size, counts = masks.encode(bitmap)

    assert counts.encode() == coco.encode(np.asfortranarray(bitmap, dtype=np.uint8))["counts"]
    np.testing.assert_array_equal(masks.decode(size, counts), bitmap)


@given(bitmaps)
def test_area_and_bbox_agree_with_pycocotools(bitmap):
    mask = masks.encode(bitmap)

    assert masks.area(*mask) == coco.area(theirs(mask)) == bitmap.sum()
    assert masks.bbox(*mask) == tuple(coco.toBbox(theirs(mask)))


@given(several, st.booleans())
def test_merge_agrees_with_pycocotools(bitmaps, intersect):
    each = [masks.encode(bitmap) for bitmap in bitmaps]

    merged = masks.merge(each, intersect)

    assert merged[1].encode() == coco.merge([theirs(m) for m in each], intersect)["counts"]
    expected = np.all(bitmaps, axis=0) if intersect else np.any(bitmaps, axis=0)
    np.testing.assert_array_equal(masks.decode(*merged), expected)


@given(several)
def test_subtract_leaves_what_no_other_covers(bitmaps):
    first, *others = (masks.encode(bitmap) for bitmap in bitmaps)

    expected = bitmaps[0] & ~np.any([np.zeros_like(bitmaps[0]), *bitmaps[1:]], axis=0)

    assert masks.subtract(first, others) == masks.encode(expected)


@given(several, st.data())
def test_iou_agrees_with_pycocotools_and_with_pixels(bitmaps, data):
    each = [masks.encode(bitmap) for bitmap in bitmaps]
    crowd = data.draw(st.lists(st.booleans(), min_size=len(each), max_size=len(each)))

    result = masks.iou(each, each)
    with_crowd = masks.iou(each[:1], each, crowd)

    np.testing.assert_array_equal(
        result, coco.iou(*[[theirs(m) for m in each]] * 2, [0] * len(each))
    )
    for i, a in enumerate(bitmaps):
        for j, b in enumerate(bitmaps):
            assert result[i, j] == pytest.approx((a & b).sum() / max((a | b).sum(), 1))
    for j, b in enumerate(bitmaps):
        whole = bitmaps[0] if crowd[j] else bitmaps[0] | b
        assert with_crowd[0, j] == pytest.approx((bitmaps[0] & b).sum() / max(whole.sum(), 1))


def test_more_than_255_masks_at_once():
    each = [masks.encode(np.eye(3)) for _ in range(300)]

    assert masks.iou(each, each).shape == (300, 300)
    assert masks.merge(each) == each[0]


@given(st.lists(rings, min_size=1, max_size=3), st.integers(1, 40), st.integers(1, 40))
def test_polygons_without_holes_are_drawn_as_pycocotools_draws_them(outlines, height, width):
    drawn = coco.frPyObjects(outlines, height, width)

    size, counts = masks.from_polygon([[ring] for ring in outlines], (height, width))

    assert size == (height, width)
    assert counts.encode() == coco.merge(drawn)["counts"]


@given(st.tuples(*[st.floats(-5, 30)] * 2, *[st.floats(0, 30)] * 2))
def test_boxes_are_drawn_as_pycocotools_draws_them(box):
    drawn = coco.frPyObjects(np.array([box]), 20, 25)[0]["counts"]

    assert masks.from_box(box, (20, 25))[1].encode() == drawn


def test_holes_are_left_out_and_parts_joined():
    square = [0, 0, 8, 0, 8, 8, 0, 8]
    hole = [2, 2, 6, 2, 6, 6, 2, 6]
    island = [3, 3, 5, 3, 5, 5, 3, 5]
    expected = np.zeros((10, 9), dtype=bool)
    expected[:8, :8] = True
    expected[2:6, 2:6] = False
    expected[3:5, 3:5] = True

    mask = masks.from_polygon([[square, hole], [island]], (10, 9))

    np.testing.assert_array_equal(masks.decode(*mask), expected)
    parts = masks.to_polygon(*mask)
    assert [len(part) for part in parts] == [2, 1]
    assert polygons.area(parts) == 64 - 16 + 4


@given(bitmaps)
def test_the_outline_of_a_mask_draws_exactly_that_mask(bitmap):
    mask = masks.encode(bitmap)

    parts = masks.to_polygon(*mask)

    if bitmap.any():
        assert masks.from_polygon(parts, mask[0]) == mask
        assert polygons.area(parts) == bitmap.sum()
        assert polygons.extent(parts) == masks.bbox(*mask)
    else:
        assert parts == []


@given(bitmaps)
def test_outer_rings_run_clockwise_and_holes_against(bitmap):
    for part in masks.to_polygon(*masks.encode(bitmap)):
        for number, ring in enumerate(part):
            x, y = np.array(ring).reshape(-1, 2).T
            signed = (x * np.roll(y, -1) - np.roll(x, -1) * y).sum() / 2
            assert (signed > 0) == (number == 0)


def test_a_hole_in_an_island_in_a_hole_belongs_to_the_island():
    bitmap = np.ones((9, 9), dtype=bool)
    bitmap[1:8, 1:8] = False
    bitmap[2:7, 2:7] = True
    bitmap[4, 4] = False

    outer, island = masks.to_polygon(*masks.encode(bitmap))

    assert outer == [[0, 0, 9, 0, 9, 9, 0, 9], [1, 1, 1, 8, 8, 8, 8, 1]]
    assert island == [[2, 2, 7, 2, 7, 7, 2, 7], [4, 4, 4, 5, 5, 5, 5, 4]]


def test_pixels_that_meet_at_a_corner_are_parts_of_their_own():
    assert len(masks.to_polygon(*masks.encode(np.eye(4)))) == 4


def test_a_large_noisy_mask_is_traced_and_drawn_again():
    noise = np.random.default_rng(5).random((120, 150)) < 0.5
    mask = masks.encode(noise)

    assert masks.from_polygon(masks.to_polygon(*mask), mask[0]) == mask


@given(rings, rings)
def test_iou_of_polygons_is_that_of_their_masks(a, b):
    drawn = [masks.from_polygon([[ring]], (30, 40)) for ring in (a, b)]

    assert masks.iou_of_polygons([[a]], [[b]], (30, 40)) == masks.iou(drawn[:1], drawn[1:])[0, 0]


SQUARE = [[[0.0, 0.0, 5.0, 0.0, 5.0, 5.0]]]


@pytest.mark.parametrize(
    "parts",
    [
        [],
        [[]],
        [[[]]],
        [[[1, 2, 3, 4]]],
        [[[1, 2, 3, 4, 5, 6, 7]]],
        [[[1, 2, 3, 4, 5, float("nan")]]],
        [[[1, 2, 3, 4, 5, float("inf")]]],
        [[[1, 2, 3, 4, 5, -float("inf")]]],
        [[[0, 0, 1e9, 0, 1e9, 1e9]]],
        [[[0, 0, 3e8, 0, 3e8, 1]]],
        [[[0, 0, 1e308, 1e308, -1e308, 5]]],
        [[[0, 0, 10**400, 1, 2, 2]]],
        [[["a", 0, 1, 1, 2, 2]]],
        [[[None, 0, 1, 1, 2, 2]]],
        [[1, 2, 3, 4, 5, 6]],
        [[[0, 0, 1e5, 0, 0, 1e5] * 40]],
        [*SQUARE, [[0, 0, float("nan"), 1, 2, 2]]],
        [[SQUARE[0][0], [1, 1, 2]]],
    ],
)
def test_hostile_polygons_are_refused_before_they_are_drawn(parts):
    with pytest.raises(InvalidShape):
        masks.from_polygon(parts, (10, 10))


@pytest.mark.parametrize(
    "size",
    [
        (0, 0),
        (0, 5),
        (-1, 5),
        (5,),
        (5, 5, 5),
        "ab",
        (5.0, 5.0),
        (None, 5),
        None,
        (10**6, 10**6),
        (2**40, 2**40),
        (65536, 65536),
    ],
)
def test_hostile_sizes_are_refused(size):
    calls = [
        lambda: masks.check(size, [25]),
        lambda: masks.check(size, "0"),
        lambda: masks.decode(size, "PPYo1"),
        lambda: masks.bbox(size, [0]),
        lambda: masks.from_polygon(SQUARE, size),
        lambda: masks.merge([(size, [25])]),
        lambda: masks.iou([(size, [25])], [(size, [25])]),
    ]
    for call in calls:
        with pytest.raises(InvalidShape):
            call()


def test_masks_of_different_sizes_are_not_mixed():
    a, b = ((2, 3), [2, 4]), ((3, 2), [2, 4])

    for call in (masks.iou, masks.subtract):
        with pytest.raises(InvalidShape, match=r"'2 x 3' and '3 x 2'"):
            call([a], [b]) if call is masks.iou else call(a, [b])
    with pytest.raises(InvalidShape):
        masks.merge([a, b])
    with pytest.raises(InvalidShape):
        masks.merge([])


def test_runs_of_no_length_change_nothing():
    zeros = ((2, 3), [0, 0, 2, 0, 0, 3, 0, 0, 1, 0])
    plain = ((2, 3), [2, 3, 1])

    masks.check(*zeros)
    assert masks.area(*zeros) == 3
    assert masks.iou([zeros], [plain])[0, 0] == 1.0
    assert masks.merge([zeros, zeros]) == masks.merge([plain])
    assert masks.to_polygon(*zeros) == masks.to_polygon(*plain)
    assert masks.normalise(*zeros) == masks.normalise(*plain)


@pytest.mark.parametrize("bitmap", [[1, 0], [[[1]]], [["a"]], np.empty((0, 4)), np.empty((3, 0))])
def test_what_is_no_bitmap_is_refused(bitmap):
    with pytest.raises(InvalidShape):
        masks.encode(bitmap)


def test_crowd_flags_must_fit():
    mask = masks.encode(np.eye(3))

    with pytest.raises(InvalidShape):
        masks.iou([mask], [mask], [True, False])


def test_no_masks_give_an_empty_table():
    assert masks.iou([], [masks.encode(np.eye(2))]).shape == (0, 1)


@given(st.binary(max_size=40))
def test_random_counts_are_refused_or_fit(text):
    try:
        masks.check((6, 7), text)
    except InvalidShape:
        return
    assert masks.area((6, 7), text) == masks.decode((6, 7), text).sum()
    assert masks.iou([((6, 7), text)], [((6, 7), text)])[0, 0] in {0.0, 1.0}
