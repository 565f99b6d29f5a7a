"""COCO's run lengths: both spellings, read strictly."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco

from dvcs.errors import InvalidShape
from dvcs.geometry import masks, rle
from dvcs.geometry.extents import box_of_runs

run_lists = st.lists(st.integers(0, 2**28) | st.integers(0, 40), max_size=40)


@pytest.mark.parametrize(
    ("runs", "text"),
    [
        ([], ""),
        ([0], "0"),
        ([15], "?"),
        ([16], "`0"),  # bit 4 would read as a sign: one more character
        ([31], "o0"),
        ([32], "P1"),
        ([6, 1, 40, 4, 5, 4, 5, 4, 21], "61X13mN000`0"),  # the example of COCO's documentation
    ],
)
def test_known_texts(runs, text):
    assert rle.counts_from_list(runs) == text
    assert rle.counts_to_list(text) == runs
    assert rle.counts_to_list(text.encode()) == runs


@given(run_lists)
def test_text_reads_back_as_the_runs_it_was_written_from(runs):
    assert rle.counts_to_list(rle.counts_from_list(runs)) == runs


@given(st.lists(st.integers(1, 3000), min_size=1, max_size=30))
def test_text_is_what_pycocotools_writes(runs):
    size = [1, sum(runs)]
    theirs = coco.frPyObjects({"size": size, "counts": runs}, *size)["counts"]

    assert rle.counts_from_list(runs).encode() == theirs


@given(st.lists(st.integers(0, 3), min_size=1, max_size=12).filter(any))
def test_equal_masks_have_one_normal_text(runs):
    pixels = np.repeat(np.arange(len(runs)) % 2, runs)
    edges = np.flatnonzero(np.diff(pixels, prepend=0))
    shortest = np.diff(edges, prepend=0, append=len(pixels)).tolist()

    assert rle.normalise((len(pixels), 1), runs) == rle.counts_from_list(shortest)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("o", "end within a number"),
        ("61X", "end within a number"),
        ("P0", "longer than needed"),  # 0 in two characters
        ("oO", "longer than needed"),  # -1 in two characters
        ("6\x001", "characters"),
        ("6 1", "characters"),
        ("6p1", "characters"),
        ("61\u00e9", "characters"),
        (b"61\xe9", "characters"),
        ("oooooo0", "beyond the limit"),
        ("O", "length '-1'"),
        ("0O", "length '-1'"),
        ("114I", "length '-6'"),  # the difference to the run two before
    ],
)
def test_texts_that_are_cut_off_too_long_or_negative_are_refused(text, why):
    with pytest.raises(InvalidShape, match=why):
        rle.counts_to_list(text)
    with pytest.raises(InvalidShape, match=why):
        rle.check((4, 4), text)


@pytest.mark.parametrize(
    "counts",
    [
        [],
        "",
        [15],
        [17],
        [16, 16],
        [-1, 17],
        [20, -4],
        [2**63, 1],
        [2**70],
        [2**32 + 16],
        [16.0],
        [None],
        ["16"],
        [[16]],
        [True],
        [float("nan")],
        None,
        16,
        {"a": 1},
    ],
)
def test_runs_that_do_not_cover_every_pixel_once_are_refused(counts):
    with pytest.raises(InvalidShape):
        rle.check((4, 4), counts)


def test_the_error_tells_the_sums():
    with pytest.raises(InvalidShape, match=r"cover 15 pixels, but its size is '4 x 4'"):
        rle.check((4, 4), [5, 10])


def test_numpy_runs_and_sizes_are_taken():
    rle.check(np.array([4, 4]), np.array([3, 13], dtype=np.uint32))


@given(st.lists(st.integers(0, 9), min_size=1, max_size=9), st.integers(1, 6))
def test_the_box_of_runs_is_that_of_the_mask_they_are(lengths, height):
    lengths[-1] += -sum(lengths) % height
    size = (height, sum(lengths) // height)
    box = box_of_runs(size, lengths)
    plain = size[1] > 0 and all(lengths[1:])
    if box is None:
        assert not plain or len(lengths) == 1
    else:
        assert plain
        assert box == masks.bbox(size, lengths)


@pytest.mark.parametrize(
    "lengths", [[], [6], [2, -1, 5], [-1, 7], [2, 3], [2, 3, 2], [2, 0, 4], [2**28, 2**28]]
)
def test_runs_that_are_no_mask_or_an_odd_one_have_no_box(lengths):
    assert box_of_runs((2, 3), lengths) is None
