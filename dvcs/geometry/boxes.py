"""
Upright boxes x, y, w, h: IoU of all pairs, of given pairs, and of those pairs that overlap.

Boxes without area (a side of 0) overlap nothing; two of them have IoU 1 where they are identical.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dvcs.errors import InvalidShape
from dvcs.geometry import _check
from dvcs.geometry._grid import equal_rows, near

# 33 million pairs are 800 MB; 5,800 boxes that all overlap each other reach it.
MAX_PAIRS = 2**25

# Up to this many pairs, computing all of them is faster than looking for those that meet.
_FEW = 2**15

_Floats = NDArray[np.float64]
_Indices = NDArray[np.int64]


def check(boxes: ArrayLike) -> _Floats:
    """Return boxes as float64 of shape (N, 4); InvalidShape if not finite or with a side < 0."""
    array = _check.columns(boxes, 4, "box")
    if len(array) and array[:, 2:].min() < 0:
        raise InvalidShape(f"a box has a side of '{array[:, 2:].min():g}' pixels")
    return array


def iou(a: ArrayLike, b: ArrayLike) -> _Floats:
    """Return IoU of each of `a` (N, 4) with each of `b` (M, 4), shape (N, M); symmetric."""
    return _iou(check(a)[:, None], check(b)[None])


def iou_of_pairs(a: ArrayLike, b: ArrayLike) -> _Floats:
    """Return IoU of `a[i]` with `b[i]`, shape (N,), for two arrays (N, 4)."""
    first, second = check(a), check(b)
    if len(first) != len(second):
        raise InvalidShape(
            f"'{len(first)}' boxes cannot be compared with '{len(second)}' one by one"
        )
    return _iou(first, second)


def candidates(
    a: ArrayLike, b: ArrayLike, min_iou: float = 0.0
) -> tuple[_Indices, _Indices, _Floats]:
    """
    Return rows, cols, iou of all pairs with IoU > 0 and >= `min_iou`, ordered by row, then col.

    Looks only where boxes can meet, through grids of several sizes: time grows with the boxes and
    the pairs near each other, memory with the pairs found. Raises InvalidShape above `MAX_PAIRS`.
    """
    first, second = check(a), check(b)
    least = _check.share(min_iou, "the smallest IoU")
    if len(first) * len(second) <= _FEW:
        table = _iou(first[:, None], second[None])
        rows, cols = np.nonzero((table > 0) & (table >= least))
        return rows, cols, table[rows, cols]
    found = [(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))]
    total = 0
    for rows, cols in _possible(first, second, least):
        value = _iou(first[rows], second[cols])
        keep = (value > 0) & (value >= least)
        found.append((rows[keep], cols[keep], value[keep]))
        total += len(found[-1][0])
        if total > MAX_PAIRS:
            raise InvalidShape(
                f"more than {MAX_PAIRS} pairs of boxes overlap",
                hint="are the same boxes listed many times? else ask for a higher IoU",
            )
    all_rows, all_cols, values = (np.concatenate(each) for each in zip(*found, strict=True))
    order = np.lexsort((all_cols, all_rows))
    return all_rows[order], all_cols[order], values[order]


def extent(points: Sequence[float]) -> tuple[float, float, float, float]:
    """Return x, y, w, h of the smallest box around flat points x0, y0, x1, y1, ..."""
    if not len(points) or len(points) % 2:
        raise InvalidShape(f"'{len(points)}' coordinates are no points: they come in pairs x, y")
    _check.plain(points, "shape")
    xs, ys = points[0::2], points[1::2]
    x, y = min(xs), min(ys)
    return float(x), float(y), float(max(xs) - x), float(max(ys) - y)


def without_area(boxes: _Floats) -> NDArray[np.bool_]:
    """Return which of checked boxes (N, 4) have no area."""
    flat: NDArray[np.bool_] = boxes[:, 2] * boxes[:, 3] == 0
    return flat


def _possible(a: _Floats, b: _Floats, least: float) -> Iterator[tuple[_Indices, _Indices]]:
    """Pairs worth computing: boxes near each other, and identical ones without area."""
    flat_a, flat_b = without_area(a), without_area(b)
    for search, use_a, use_b in ((near, ~flat_a, ~flat_b), (equal_rows, flat_a, flat_b)):
        rows, cols = np.flatnonzero(use_a), np.flatnonzero(use_b)
        if len(rows) and len(cols):
            for i, j in search(a[rows], b[cols], least):
                yield rows[i], cols[j]


def _iou(a: _Floats, b: _Floats) -> _Floats:
    """IoU of boxes in the last axis, the others broadcast."""
    wide = _shared(a[..., 0], a[..., 2], b[..., 0], b[..., 2])
    high = _shared(a[..., 1], a[..., 3], b[..., 1], b[..., 3])
    both = wide * high
    area_a, area_b = a[..., 2] * a[..., 3], b[..., 2] * b[..., 3]
    union = area_a + area_b - both
    result = np.divide(both, union, out=np.zeros_like(union), where=union > 0)
    if not (area_a.all() and area_b.all()):
        result[(area_a == 0) & (area_b == 0) & (a == b).all(axis=-1)] = 1.0
    return result


def _shared(start_a: _Floats, side_a: _Floats, start_b: _Floats, side_b: _Floats) -> _Floats:
    """
    Length that two intervals share.

    Measured from the one that starts first: so it is the same, to the last bit, whichever comes
    first here, and an interval shares exactly its length with itself.
    """
    step = start_b - start_a
    before = step >= 0
    first, second = np.where(before, side_a, side_b), np.where(before, side_b, side_a)
    shared: _Floats = np.maximum(np.minimum(second, first - np.abs(step)), 0.0)
    return shared
