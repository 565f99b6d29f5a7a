"""Object keypoint similarity worked by hand, and against COCO's own evaluation."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools.cocoeval import COCOeval

from dvcs.errors import InvalidShape
from dvcs.geometry import keypoints

NAN = float("nan")


def test_similarity_worked_by_hand():
    # sigma 0.09, area 100: d = 3, 4 -> 25 / (2 * 100 * 0.18^2)
    value = keypoints.oks([0, 0, 10, 10], [3, 4, 10, 10], [2, 2], [2, 1], 100)

    assert value == pytest.approx((math.exp(-25 / 6.48) + 1) / 2)


def test_the_sum_is_divided_by_the_points_that_count():
    points = [0, 0, 5, 5, 9, 9, 3, 3]

    assert keypoints.oks(points, points, [2, 1, 2, 2], [2, 2, 1, 2], 50) == 1.0
    assert keypoints.oks(points, points, [2, 0, 2, 0], [2, 2, 2, 0], 50) == pytest.approx(2 / 3)
    assert keypoints.oks(points, points, [0] * 4, [0] * 4, 50) == 1.0
    assert keypoints.oks([], [], [], [], 50) == 1.0


def test_sets_of_different_length_have_nothing_in_common():
    assert keypoints.oks([1, 1], [1, 1, 2, 2], [2], [2, 2], 50) == 0.0


@pytest.mark.parametrize("area", [0, -3])
def test_without_area_only_equal_places_count(area):
    assert keypoints.oks([1, 1, 2, 2], [1, 1, 2, 3], [2, 2], [2, 2], area) == 0.5


@given(
    st.lists(st.tuples(*[st.floats(0, 200)] * 4), min_size=17, max_size=17),
    st.floats(10, 1e5),
)
def test_similarity_agrees_with_cocos_evaluation(places, area):
    a = [v for ax, ay, _, _ in places for v in (ax, ay)]
    b = [v for _, _, bx, by in places for v in (bx, by)]
    evaluation = COCOeval(iouType="keypoints")
    evaluation.params.imgIds, evaluation.params.catIds = [1], [1]
    truth = np.column_stack([np.array(a).reshape(-1, 2), [2] * 17]).ravel().tolist()
    found = np.column_stack([np.array(b).reshape(-1, 2), [2] * 17]).ravel().tolist()
    evaluation._gts[1, 1] = [{"keypoints": truth, "area": area, "bbox": [0, 0, 1, 1]}]
    evaluation._dts[1, 1] = [{"keypoints": found, "score": 1}]

    ours = keypoints.oks(a, b, [2] * 17, [2] * 17, area, sigmas=keypoints.COCO_PERSON_SIGMAS)

    assert ours == pytest.approx(evaluation.computeOks(1, 1)[0, 0], abs=1e-9)
    assert ours == keypoints.oks(
        b, a, [2] * 17, [2] * 17, area, sigmas=keypoints.COCO_PERSON_SIGMAS
    )


@pytest.mark.parametrize(
    ("points", "visibility", "area", "sigmas"),
    [
        ([1, 2, 3], [2, 2], 5, None),
        ([1, 2], [2, 2], 5, None),
        ([1, NAN], [2], 5, None),
        ([1, math.inf], [2], 5, None),
        ([1, 2], [2], NAN, None),
        ([1, 2], [2], math.inf, None),
        ([1, 2], [2], 5, [0.1, 0.2]),
        (["a", 2], [2], 5, None),
    ],
)
def test_what_are_no_keypoints_is_refused(points, visibility, area, sigmas):
    with pytest.raises(InvalidShape):
        keypoints.oks(points, points, visibility, visibility, area, sigmas=sigmas)
