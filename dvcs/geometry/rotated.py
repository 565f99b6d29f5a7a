"""
Rotated boxes cx, cy, w, h, angle: corners, extent, IoU by exact convex clipping.

The angle is in degrees, clockwise as seen (y grows downwards), about the centre. One rectangle can
be written in several ways (180 degrees further, or 90 with w and h exchanged); all are equal here.
"""

import math
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dvcs.errors import InvalidShape
from dvcs.geometry import _check

_Floats = NDArray[np.float64]

# Equal rectangles come out of sines and divisions equal to about 1e-15; so near counts as equal.
_ROUNDING = 1e-9

# A box whose area is not smaller by this share is no better: along a side of 0.1 pixels far from
# the origin, rounding makes a rectangle of 300 pixels larger by some 1e-9.
_AS_GOOD = 1e-6

# Pairs clipped at once: 60 MB of temporary arrays.
_CHUNK = 2**15


def check(boxes: ArrayLike) -> _Floats:
    """Return boxes as float64 of shape (N, 5); InvalidShape if not finite or with a side < 0."""
    array = _check.columns(boxes, 5, "rotated box")
    if len(array) and array[:, 2:4].min() < 0:
        raise InvalidShape(f"a rotated box has a side of '{array[:, 2:4].min():g}' pixels")
    return array


def corners(boxes: ArrayLike) -> _Floats:
    """
    Return the corners of boxes (N, 5), shape (N, 4, 2), clockwise as seen.

    The first is the one that is the upper left corner at angle 0.
    """
    array = check(boxes)
    turn = np.radians(array[:, 4])
    along = np.stack([np.cos(turn), np.sin(turn)], axis=1) * array[:, 2:3] / 2
    down = np.stack([-np.sin(turn), np.cos(turn)], axis=1) * array[:, 3:4] / 2
    offsets = np.stack([-along - down, along - down, along + down, down - along], axis=1)
    result: _Floats = array[:, None, :2] + offsets
    return result


def from_corners(points: ArrayLike) -> tuple[float, float, float, float, float]:
    """
    Return cx, cy, w, h, angle of the smallest rotated box around four points, flat or (4, 2).

    For the corners of a rectangle it is that rectangle: w along the side from the first to the
    second point, angle in [0, 360). For others one side lies along two of the points, as it does
    for every smallest box.
    """
    array = _check.numbers(points, "rotated box")
    if array.size != 8:
        raise InvalidShape(f"a rotated box has 4 corners, '{array.size / 2:g}' were given")
    array = array.reshape(4, 2)
    middle = array.mean(axis=0)
    smallest = math.inf
    best = (float(middle[0]), float(middle[1]), 0.0, 0.0, 0.0)
    # Sides first: the side from the first corner is kept where others are as good.
    for i, j in sorted(combinations(range(4), 2), key=lambda pair: (pair[1] - pair[0]) % 2 == 0):
        dx, dy = (array[j] - array[i]).tolist()
        length = math.hypot(dx, dy)
        if not length:
            continue
        frame = np.array([[dx, -dy], [dy, dx]]) / length
        there = (array - middle) @ frame
        low, high = there.min(axis=0), there.max(axis=0)
        w, h = (high - low).tolist()
        if w * h < smallest * (1 - _AS_GOOD):
            smallest = w * h
            cx, cy = (middle + frame @ ((low + high) / 2)).tolist()
            angle = math.degrees(math.atan2(dy, dx)) % 360
            best = cx, cy, w, h, angle if angle < 360 else 0.0
    return best


def extent(boxes: ArrayLike) -> _Floats:
    """Return the upright boxes x, y, w, h around rotated boxes (N, 5), shape (N, 4)."""
    points = corners(boxes)
    low = points.min(axis=1)
    return np.concatenate([low, points.max(axis=1) - low], axis=1)


def extent_of_ellipse(
    cx: float, cy: float, rx: float, ry: float, angle: float = 0.0
) -> tuple[float, float, float, float]:
    """Return x, y, w, h around an ellipse given by its radii and angle, exactly."""
    _check.plain((cx, cy, rx, ry, angle), "ellipse")
    turn = math.radians(angle)
    half_w = math.hypot(rx * math.cos(turn), ry * math.sin(turn))
    half_h = math.hypot(rx * math.sin(turn), ry * math.cos(turn))
    return cx - half_w, cy - half_h, 2 * half_w, 2 * half_h


def iou(a: ArrayLike, b: ArrayLike) -> _Floats:
    """
    Return IoU of each of `a` (N, 5) with each of `b` (M, 5), shape (N, M).

    Only pairs whose upright extents meet are clipped. See `iou_of_pairs`.
    """
    first, second = check(a), check(b)
    result = np.zeros((len(first), len(second)))
    around_a, around_b = extent(first)[:, None], extent(second)[None]
    step = around_b[..., :2] - around_a[..., :2]
    meets = ((step <= around_a[..., 2:]) & (-step <= around_b[..., 2:])).all(axis=-1)
    rows, cols = np.nonzero(meets)
    result[rows, cols] = iou_of_pairs(first[rows], second[cols])
    return result


def iou_of_pairs(a: ArrayLike, b: ArrayLike) -> _Floats:
    """
    Return IoU of `a[i]` with `b[i]`, shape (N,), for two arrays (N, 5).

    Exact and symmetric up to rounding; within 1e-9 of 1 it is 1.0. Boxes without area have 0, but
    1.0 where their corners are the same.
    """
    first, second = check(a), check(b)
    if len(first) != len(second):
        raise InvalidShape(
            f"'{len(first)}' rotated boxes cannot be compared with '{len(second)}' one by one"
        )
    shared = [
        _intersection(first[at : at + _CHUNK], second[at : at + _CHUNK])
        for at in range(0, len(first), _CHUNK)
    ]
    both = np.concatenate([np.empty(0), *shared])
    area_a, area_b = first[:, 2] * first[:, 3], second[:, 2] * second[:, 3]
    both = np.minimum(both, np.minimum(area_a, area_b))
    union = area_a + area_b - both
    result: _Floats = np.divide(both, union, out=np.zeros_like(union), where=union > 0)
    result[result > 1 - _ROUNDING] = 1.0
    flat = np.flatnonzero((area_a == 0) & (area_b == 0))
    result[flat] = _same_corners(first[flat], second[flat])
    return result


def _intersection(a: _Floats, b: _Floats) -> _Floats:
    """Area that pairs share: the corners of b, seen from a, clipped by a's four sides."""
    turn = np.radians(a[:, 4])
    cos, sin = np.cos(turn)[:, None], np.sin(turn)[:, None]
    offset = corners(b) - a[:, None, :2]
    x, y = offset[..., 0], offset[..., 1]
    points = np.stack([x * cos + y * sin, y * cos - x * sin], axis=-1)
    for axis in (0, 1):
        half = a[:, 2 + axis, None] / 2
        for sign in (1, -1):
            points = _clip(points, half - sign * points[..., axis])
    following = np.roll(points, -1, axis=1)
    cross = points[..., 0] * following[..., 1] - points[..., 1] * following[..., 0]
    area: _Floats = np.abs(cross.sum(axis=1)) / 2
    return area


def _clip(points: _Floats, inside: _Floats) -> _Floats:
    """
    Cut convex polygons (N, n, 2) by a line (Sutherland and Hodgman), giving (N, n + 2, 2).

    `inside` (N, n) is each point's distance from the line, negative outside. Unused places repeat
    the first point, so they add no area. A cut adds one point; the second place is for rounding
    that makes a side along the line cross it.
    """
    following, next_inside = np.roll(points, -1, axis=1), np.roll(inside, -1, axis=1)
    keep = inside >= 0
    crosses = keep != (next_inside >= 0)
    share = np.divide(inside, inside - next_inside, out=np.zeros_like(inside), where=crosses)
    cuts = points + share[..., None] * (following - points)
    count, size = inside.shape
    places = np.stack([points, cuts], axis=2).reshape(count, 2 * size, 2)
    used = np.stack([keep, crosses], axis=2).reshape(count, 2 * size)
    order = np.argsort(~used, axis=1, kind="stable")[:, : size + 2]
    result = np.take_along_axis(places, order[..., None], axis=1)
    unused = np.arange(order.shape[1]) >= used.sum(axis=1)[:, None]
    return np.where(unused[..., None], result[:, :1], result)


def _same_corners(a: _Floats, b: _Floats) -> _Floats:
    first, second = corners(a), corners(b)
    near = _ROUNDING * (1 + np.abs(first).max(axis=(1, 2), initial=0.0))
    turned = [np.abs(first - np.roll(second, k, axis=1)).max(axis=(1, 2)) for k in range(4)]
    same: _Floats = (np.min(turned, axis=0) <= near).astype(np.float64)
    return same
