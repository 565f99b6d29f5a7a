"""Polylines: length, and a similarity that does not mind how the line was clicked."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dvcs.errors import InvalidShape
from dvcs.geometry import _check

_Floats = NDArray[np.float64]

# Mean distance, as a share of the diagonal of both lines' extent, at which nothing is alike.
TOLERANCE = 0.1

# Both lines are compared at this many places, evenly spread over their length.
_PLACES = 64


def check(points: Sequence[float]) -> None:
    """Raise InvalidShape unless `points` is flat x0, y0, x1, y1, ..., one point or more, finite."""
    if not len(points) or len(points) % 2:
        raise InvalidShape(f"'{len(points)}' coordinates are no polyline: they come in pairs x, y")
    _check.plain(points, "polyline")


def length(points: Sequence[float]) -> float:
    """Return the length of a polyline in pixels."""
    check(points)
    return math.fsum(
        math.hypot(points[i] - points[i - 2], points[i + 1] - points[i - 1])
        for i in range(2, len(points), 2)
    )


def similarity(a: Sequence[float], b: Sequence[float], tolerance: float = TOLERANCE) -> float:
    """
    Return how alike two polylines are, in [0, 1]: symmetric, 1.0 for equal ones.

    Both are read at 64 places evenly spread over their length, so extra points on a straight
    stretch change nothing. It is 1 - d / (tolerance * diagonal), at least 0: d is the mean distance
    of corresponding places, diagonal that of the box around both lines. Direction matters little:
    of the two directions the better one counts.
    """
    check(a)
    check(b)
    if not tolerance > 0:
        raise InvalidShape(f"the tolerance of polylines is '{tolerance}', not above 0")
    first, second = (np.array(line, dtype=np.float64).reshape(-1, 2) for line in (a, b))
    both = np.concatenate([first, second])
    scale = tolerance * math.hypot(*(both.max(axis=0) - both.min(axis=0)).tolist())
    if not scale:
        return 1.0  # all points are one
    places_a, places_b = _spread(first), _spread(second)
    mean = min(
        float(np.hypot(*(places_a - other).T).mean()) for other in (places_b, places_b[::-1])
    )
    return max(0.0, 1.0 - mean / scale)


def _spread(line: _Floats) -> _Floats:
    """Points of a line at equal distances along it, shape (_PLACES, 2)."""
    steps = np.hypot(*np.diff(line, axis=0).T)
    along = np.concatenate([[0.0], steps.cumsum()])
    at = np.linspace(0.0, along[-1], _PLACES)
    return np.stack([np.interp(at, along, line[:, 0]), np.interp(at, along, line[:, 1])], axis=1)
