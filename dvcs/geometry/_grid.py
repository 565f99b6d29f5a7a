"""
Find boxes that may overlap without looking at all pairs.

Boxes are sorted into classes of about equal width and height, so that one box over the whole image
does not make every cell crowded. For two classes, cells are as large as the upper left corners of
two overlapping boxes can lie apart; then a box need be compared only with those of its own cell
and the eight around it. Two boxes of IoU t share at least t of the wider one's width, so corners
lie at most (1 - t) widths apart, and neither width is below t times the other; likewise heights.
"""

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

_Floats = NDArray[np.float64]
_Indices = NDArray[np.int64]
_Pairs = tuple[_Indices, _Indices]

# Pairs handed out at once: about 100 MB of temporary arrays in the caller.
CHUNK = 2**20

# All pairs of two classes, where there are no more than this, are cheaper than a grid.
_FEW = 2**12

# Cells along a side, at most: keeps cell numbers within 64 bits.
_MOST_CELLS = 2**20
_SMALLEST_CLASS = -30


def near(a: _Floats, b: _Floats, min_iou: float) -> Iterator[_Pairs]:
    """
    Yield (rows, cols), up to about `CHUNK` at a time, with every pair of IoU >= `min_iou` and > 0.

    Boxes are (N, 4) and (M, 4), x, y, w, h, all sides > 0. Many pairs yielded will not overlap;
    none comes twice.
    """
    # Small steps between classes make good cells, many classes many pairs of classes: at IoU 0
    # all of them are joined, and a hostile file may have 900.
    base = min(max(1.01 / max(min_iou, 1e-9), 2.02), 4.0 if min_iou > 0.02 else 16.0)
    reach = math.ceil(-math.log(min_iou) / math.log(base) + 0.01) if min_iou else 10**6
    groups_b = _classes(b, base)
    for class_a, rows in _classes(a, base):
        for class_b, cols in groups_b:
            if max(abs(class_a[0] - class_b[0]), abs(class_a[1] - class_b[1])) <= reach:
                yield from _join(a, b, rows, cols, min_iou)


def equal_rows(a: _Floats, b: _Floats, min_iou: float) -> Iterator[_Pairs]:
    """Yield (rows, cols) of all identical boxes; takes what `near` takes."""
    del min_iou  # theirs is 1
    both = np.concatenate([a, b]) + 0.0  # -0.0 is 0.0
    _, which = np.unique(both, axis=0, return_inverse=True)
    ids_a, ids_b = which.ravel()[: len(a)], which.ravel()[len(a) :]
    order = np.argsort(ids_b, kind="stable")
    sorted_ids = ids_b[order]
    low, high = (np.searchsorted(sorted_ids, ids_a, side) for side in ("left", "right"))
    for rows, places in _expand(low, high):
        yield rows, order[places]


def _classes(boxes: _Floats, base: float) -> list[tuple[tuple[int, int], _Indices]]:
    level = np.floor(np.log(boxes[:, 2:]) / math.log(base)).astype(np.int64)
    level = np.maximum(level, _SMALLEST_CLASS)
    known, which = np.unique(level, axis=0, return_inverse=True)
    order = np.argsort(which.ravel(), kind="stable")
    ends = np.bincount(which.ravel(), minlength=len(known)).cumsum()
    members = np.split(order, ends[:-1])
    return [((w, h), rows) for (w, h), rows in zip(known.tolist(), members, strict=True)]


def _join(
    a: _Floats, b: _Floats, rows: _Indices, cols: _Indices, min_iou: float
) -> Iterator[_Pairs]:
    if len(rows) * len(cols) <= _FEW:
        yield np.repeat(rows, len(cols)), np.tile(cols, len(rows))
        return
    corner_a, corner_b = a[rows, :2], b[cols, :2]
    origin = np.minimum(corner_a.min(axis=0), corner_b.min(axis=0))
    reach = np.maximum(corner_a.max(axis=0), corner_b.max(axis=0)) - origin
    side = np.maximum(a[rows, 2:].max(axis=0), b[cols, 2:].max(axis=0))
    cell = np.maximum(side * (1.0001 - min_iou), reach / _MOST_CELLS)
    at_a = ((corner_a - origin) / cell).astype(np.int64) + 1
    at_b = ((corner_b - origin) / cell).astype(np.int64) + 1
    stride = int(max(at_a[:, 0].max(), at_b[:, 0].max())) + 2
    key = at_b[:, 1] * stride + at_b[:, 0]
    order = np.argsort(key, kind="stable")
    key, cols = key[order], cols[order]
    for row in (-1, 0, 1):  # three cells side by side are one range of keys
        middle = (at_a[:, 1] + row) * stride + at_a[:, 0]
        low = np.searchsorted(key, middle - 1, "left")
        high = np.searchsorted(key, middle + 1, "right")
        for which, places in _expand(low, high):
            yield rows[which], cols[places]


def _expand(low: _Indices, high: _Indices) -> Iterator[_Pairs]:
    """Yield (i, place) for all places from low[i] to high[i], about `CHUNK` at a time."""
    some = np.flatnonzero(high > low)
    low, length = low[some], (high - low)[some]
    ends = length.cumsum()
    start = 0
    while start < len(some):
        done = int(ends[start - 1]) if start else 0
        stop = max(int(np.searchsorted(ends, done + CHUNK, "right")), start + 1)
        part = slice(start, stop)
        which = np.repeat(np.arange(start, stop), length[part])
        first = np.repeat(ends[part] - length[part] - done, length[part])
        yield some[which], low[which] + np.arange(len(which)) - first
        start = stop
