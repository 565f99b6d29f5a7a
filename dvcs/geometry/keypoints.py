"""
Object keypoint similarity (OKS), as COCO evaluates poses: https://cocodataset.org/#keypoints-eval.

Each point adds exp(-d^2 / (2 area (2 sigma)^2)), d the distance of its two places. COCO's sum is
divided by the number of points that count, so it lies in [0, 1].
"""

import math
from collections.abc import Sequence

from dvcs.errors import InvalidShape
from dvcs.geometry import _check

# Where nobody measured how far annotators differ on a point: the value CVAT takes.
DEFAULT_SIGMA = 0.09

# How far annotators differ on each of COCO's 17 points of a person, from its evaluation code.
COCO_PERSON_SIGMAS = (
    *(0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072),
    *(0.062, 0.062, 0.107, 0.107, 0.087, 0.087, 0.089, 0.089),
)


def oks(
    points_a: Sequence[float],
    points_b: Sequence[float],
    visibility_a: Sequence[int],
    visibility_b: Sequence[int],
    area: float,
    *,
    sigmas: Sequence[float] | None = None,
) -> float:
    """
    Return the similarity of two sets of keypoints, in [0, 1]; symmetric.

    Points are flat x0, y0, x1, y1, ...; visibility is 0 (absent), 1 (hidden) or 2 (visible), one
    each. `area` is the object's in square pixels: where both have one, give the mean. `sigmas` has
    one value a point, else all are `DEFAULT_SIGMA`.

    Points absent from both do not count; absent from one, they count 0. With no point that counts
    the two say the same: 1.0. Sets of different length have 0. Without area (or with a sigma of 0)
    only points in the same place count 1. Raises InvalidShape.
    """
    count = len(visibility_a)
    _check_points(points_a, visibility_a)
    _check_points(points_b, visibility_b)
    _check.plain((area,), "keypoint area")
    if len(visibility_b) != count:
        return 0.0
    if sigmas is not None and len(sigmas) != count:
        raise InvalidShape(f"'{len(sigmas)}' sigmas were given for '{count}' keypoints")
    total, considered = 0.0, 0
    for i, (seen_a, seen_b) in enumerate(zip(visibility_a, visibility_b, strict=True)):
        if not seen_a and not seen_b:
            continue
        considered += 1
        if seen_a and seen_b:
            dx = points_a[2 * i] - points_b[2 * i]
            dy = points_a[2 * i + 1] - points_b[2 * i + 1]
            sigma = DEFAULT_SIGMA if sigmas is None else sigmas[i]
            total += _nearness(dx * dx + dy * dy, 2 * area * (2 * sigma) ** 2)
    return total / considered if considered else 1.0


def _nearness(square: float, scale: float) -> float:
    if not square:
        return 1.0
    return math.exp(-square / scale) if scale > 0 else 0.0


def _check_points(points: Sequence[float], visibility: Sequence[int]) -> None:
    if len(points) != 2 * len(visibility):
        raise InvalidShape(
            f"'{len(points)}' coordinates do not fit '{len(visibility)}' keypoint visibilities"
        )
    _check.plain(points, "keypoint")
