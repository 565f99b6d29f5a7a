"""Upright boxes: exact IoU by hand and against pycocotools, overlapping pairs, hostile input."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco

from dvcs.errors import InvalidShape
from dvcs.geometry import boxes, pairing

coordinates = st.integers(-40, 40).map(lambda value: value / 4)
sides = st.integers(0, 60).map(lambda value: value / 4)
box = st.tuples(coordinates, coordinates, sides, sides)
box_lists = st.lists(box, max_size=12)


def test_iou_of_boxes_worked_by_hand():
    a = [[0, 0, 10, 10], [0, 0, 4, 2]]
    b = [[5, 0, 10, 10], [0, 0, 20, 20], [10, 0, 5, 5], [0, 1, 4, 2]]

    expected = [[50 / 150, 0.25, 0.0, 8 / 100], [0.0, 8 / 400, 0.0, 4 / 12]]

    np.testing.assert_allclose(boxes.iou(a, b), expected)
    np.testing.assert_allclose(boxes.iou_of_pairs(a, b[:2]), [50 / 150, 8 / 400])


@given(st.lists(st.tuples(*[st.floats(0, 1e6)] * 2, *[st.floats(1e-3, 1e6)] * 2), min_size=1))
def test_a_box_has_iou_of_exactly_1_with_itself(some):
    assert (boxes.iou_of_pairs(some, some) == 1.0).all()


@given(box_lists, box_lists)
def test_iou_is_symmetric_to_the_last_bit(a, b):
    assert (boxes.iou(a, b) == boxes.iou(b, a).T).all()


@given(st.lists(box, min_size=1, max_size=9), st.lists(box, min_size=1, max_size=9))
def test_iou_agrees_with_pycocotools_where_boxes_have_area(a, b):
    a, b = ([row for row in rows if row[2] * row[3]] or [(0, 0, 1, 1)] for rows in (a, b))
    theirs = coco.iou(np.array(a, dtype=float), np.array(b, dtype=float), [0] * len(b))

    np.testing.assert_allclose(boxes.iou(a, b), theirs, atol=1e-12)


def test_boxes_without_area_match_identical_ones_only():
    flat = [[3, 3, 0, 0], [3, 3, 5, 0], [-0.0, 0, 0, 0]]
    others = [[3, 3, 0, 0], [3, 3, 5, 0], [0, 0, 0, 0], [0, 0, 9, 9], [3, 3, 4, 0]]

    expected = np.zeros((3, 5))
    expected[[0, 1, 2], [0, 1, 2]] = 1

    np.testing.assert_array_equal(boxes.iou(flat, others), expected)


@pytest.mark.parametrize("least", [0.0, 0.01, 0.1, 0.3, 0.5, 0.9, 1.0])
def test_the_grid_finds_exactly_the_pairs_that_the_whole_table_has(least):
    rng = np.random.default_rng(7)
    a = np.concatenate([rng.random((400, 2)) * 300, 10 ** (rng.random((400, 2)) * 4 - 1.5)], axis=1)
    a[:4] = [0, 0, 300, 300]
    a[4:20, 2] = 0
    b = np.abs(a * rng.normal(1, 0.05, a.shape))
    b[10:60] = a[10:60]
    table = boxes.iou(a, b)

    rows, cols, iou = boxes.candidates(a, b, least)

    expected = np.nonzero((table > 0) & (table >= least))
    np.testing.assert_array_equal([rows, cols], expected)
    np.testing.assert_array_equal(iou, table[expected])


@given(box_lists, box_lists, st.sampled_from([0.0, 0.25, 0.5, 1.0]))
def test_few_boxes_and_many_are_searched_alike(a, b, least):
    rows, cols, iou = boxes.candidates(a, b, least)

    padding = [[1e6 + 50 * i, -1e6, 1, 1] for i in range(250)]
    far = [[-1e6, 1e6 + 50 * i, 1, 1] for i in range(250)]
    many = boxes.candidates([*a, *padding], [*b, *far], least)

    for few_found, many_found in zip((rows, cols, iou), many, strict=True):
        np.testing.assert_array_equal(few_found, many_found)


def test_100_000_boxes_against_as_many_take_seconds():
    rng = np.random.default_rng(3)
    count = 100_000
    a = np.concatenate([rng.random((count, 2)) * 8000, rng.random((count, 2)) * 30 + 3], axis=1)
    a[:20] = [0, 0, 8000, 8000]
    a[20:40, :2], a[20:40, 2:] = 0, [8000, 0.5]
    a[-3000:] = 0
    b = np.abs(a + rng.normal(0, 0.3, a.shape) * (a[:, 2:3] > 0))
    order = rng.permutation(count)

    start = time.process_time()
    pairs = pairing.pair_boxes(a, b[order], 0.5)
    took = time.process_time() - start

    right = sum(order[j] == i for i, j, _ in pairs if i < count - 3000)
    assert right > 0.98 * (count - 3000)
    assert sum(i >= count - 3000 for i, _, _ in pairs) == 3000
    assert took < 10


def test_too_many_overlapping_pairs_are_refused_instead_of_filling_memory():
    same = np.tile([0.0, 0, 10, 10], (5900, 1))

    with pytest.raises(InvalidShape, match="more than 33554432 pairs"):
        boxes.candidates(same, same, 0.5)


def test_the_extent_of_points():
    assert boxes.extent([3, 4, -1, 10, 2.5, 0]) == (-1, 0, 4, 10)
    assert boxes.extent([7, 8]) == (7, 8, 0, 0)


@pytest.mark.parametrize(
    "bad",
    [
        [[0, 0, 1]],
        [0, 0, 1, 1],
        [[0, 0, 1, float("nan")]],
        [[0, float("inf"), 1, 1]],
        [[0, 0, -1, 1]],
        [[1e10, 0, 1, 1]],
        [["a", 0, 1, 1]],
        [[0, 0, 1, 1], [0, 0, 1]],
        [[10**400, 0, 1, 1]],
        [[None, 0, 1, 1]],
    ],
)
def test_boxes_that_are_none_are_refused(bad):
    for call in (boxes.iou, boxes.iou_of_pairs, boxes.candidates):
        with pytest.raises(InvalidShape):
            call(bad, [[0, 0, 1, 1]])
        with pytest.raises(InvalidShape):
            call([[0, 0, 1, 1]], bad)


@pytest.mark.parametrize(
    "bad", [[], [1], [1, 2, 3], [1, float("nan")], [1, -float("inf")], ["a", 2]]
)
def test_points_that_are_none_have_no_extent(bad):
    with pytest.raises(InvalidShape):
        boxes.extent(bad)


@pytest.mark.parametrize("least", [-0.1, 1.5, float("nan")])
def test_a_smallest_iou_outside_0_to_1_is_refused(least):
    with pytest.raises(InvalidShape):
        boxes.candidates([[0, 0, 1, 1]], [[0, 0, 1, 1]], least)


def test_no_boxes_give_empty_results():
    assert boxes.iou([], [[0, 0, 1, 1]]).shape == (0, 1)
    assert [len(each) for each in boxes.candidates([], [])] == [0, 0, 0]
