"""
How alike polygons are, many small sets of them at once.

Comparing two polygons exactly (`dvcs.geometry.polygons.iou`) takes 0.2 ms, and a vote of three on
5,000 images has 100,000 pairs. Here all polygons of a set are cut by the same horizontal lines over
their common extent, and along each line the lengths are exact; one sort and one running sum over
the crossings of all sets give the area that each combination of polygons covers, so all pairs of a
set at once: 3 us a pair. Equal polygons are exactly 1.0 alike.

Off from the exact IoU with 16 lines (1,500 pairs of jagged polygons of 24 points): by 0.006 on
average, 0.04 at most.

A polygon is the union of its parts; a point is inside a part where the outer ring goes around it
and no hole does (non-zero winding; for rings that cross themselves COCO's drawing differs).
"""

from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dvcs.model import Polygon

LINES = 16
MOST_MEMBERS = 6
"""Polygons of one set: their winding numbers share one 64-bit integer, and need 2^n sums."""
MOST_RINGS = 50
"""Rings of one polygon: all may lie above each other, and a winding number has 8 bits."""
FARTHEST = 1e9
"""As the geometry package: beyond it nothing is a place in an image."""

_BITS = 8
# What stands for a winding number of 0, so that one below it does not borrow from its neighbour.
_ZERO = 1 << (_BITS - 1)
# The share of a line's step in a sort key that places along the line use.
_WIDTH = 0.9

_Floats = NDArray[np.float64]
_Indices = NDArray[np.int64]
_Flags = NDArray[np.bool_]


class Outlines(NamedTuple):
    """
    Polygons as arrays.

    `boxes` (N, 4) are x0, y0, x1, y1; `areas` (N,) with holes taken off; `usable` those that are
    polygons: others have no box and no edges. Edges (E,) go from `x0`, `y0` to `x1`, `y1`, those of
    polygon n from `first[n]` to `first[n + 1]`; `turn` is 1 or -1, so that outer rings count up.
    """

    boxes: _Floats
    areas: _Floats
    usable: _Flags
    first: _Indices
    x0: _Floats
    y0: _Floats
    x1: _Floats
    y1: _Floats
    turn: NDArray[np.int64]


def outlines(polygons: Sequence[Polygon]) -> Outlines:
    """Return polygons as arrays; what is malformed, not finite or without area is not usable."""
    count = len(polygons)
    fine = [_is_polygon(one) for one in polygons]
    kept = [one.parts for one, good in zip(polygons, fine, strict=True) if good]
    owner = np.flatnonzero(fine)
    boxes, areas, first = np.zeros((count, 4)), np.zeros(count), np.zeros(count + 1, np.int64)
    if not kept:
        no = np.empty(0)
        return Outlines(boxes, areas, areas > 0, first, no, no, no, no, first[:0])
    rings = [ring for parts in kept for part in parts for ring in part]
    ring_of = np.repeat(owner, [sum(map(len, parts)) for parts in kept])
    hole = np.array([at > 0 for parts in kept for part in parts for at in range(len(part))])
    sizes = np.fromiter(map(len, rings), np.int64, len(rings)) // 2
    flat = np.fromiter(chain.from_iterable(rings), np.float64, int(sizes.sum()) * 2).reshape(-1, 2)
    # A comparison with NaN is false, so this finds it too.
    wild = ~(np.abs(flat) <= FARTHEST).all(axis=1)
    flat[wild] = 0.0
    x0, y0 = np.ascontiguousarray(flat[:, 0]), np.ascontiguousarray(flat[:, 1])
    starts = np.cumsum(sizes) - sizes
    following = np.arange(1, len(x0) + 1)
    following[starts + sizes - 1] = starts
    x1, y1 = x0[following], y0[following]
    # Relative to the first point: far from the origin the products would cancel to noise.
    left, top = np.repeat(x0[starts], sizes), np.repeat(y0[starts], sizes)
    cross = (x0 - left) * (y1 - top) - (x1 - left) * (y0 - top)
    signed = np.add.reduceat(cross, starts) / 2
    areas += np.bincount(ring_of, np.where(hole, -np.abs(signed), np.abs(signed)), count)
    first[1:] = np.cumsum(np.bincount(ring_of, sizes, count))
    at = first[owner]
    for column, values in enumerate((x0, y0)):
        boxes[owner, column] = np.minimum.reduceat(values, at)
        boxes[owner, column + 2] = np.maximum.reduceat(values, at)
    usable = areas > 0
    usable[owner[np.logical_or.reduceat(wild, at)]] = False
    turn = np.where((signed < 0) != hole, -1, 1)
    return Outlines(boxes, areas, usable, first, x0, y0, x1, y1, np.repeat(turn, sizes))


def _is_polygon(note: Polygon) -> bool:
    parts = note.parts
    if len(parts) == 1 and len(parts[0]) == 1:
        return _is_ring(parts[0][0])
    rings = [ring for part in parts for ring in part]
    return bool(rings) and all(parts) and len(rings) <= MOST_RINGS and all(map(_is_ring, rings))


def _is_ring(ring: Sequence[float]) -> bool:
    return len(ring) >= 6 and not len(ring) % 2


class Sets(NamedTuple):
    """
    Sets of polygons: polygon `members[k]` is number `slot[k]`, from 0, of set `set_of[k]`.

    There are `total` sets, of `slots` polygons at most.
    """

    members: _Indices
    set_of: _Indices
    slot: _Indices
    total: int
    slots: int


def venn(found: Outlines, sets: Sets) -> _Floats:
    """
    Return the area that each combination of polygons of a set covers, shape (total, 2^slots).

    Column 0b101 is what the polygons 0 and 2 cover and 1 does not. Up to `MOST_MEMBERS` slots; all
    polygons must be usable.
    """
    members, set_of = sets.members, sets.set_of
    low, high = np.full((sets.total, 2), np.inf), np.full((sets.total, 2), -np.inf)
    np.minimum.at(low, set_of, found.boxes[members, :2])
    np.maximum.at(high, set_of, found.boxes[members, 2:])
    span = high - low
    counts = found.first[members + 1] - found.first[members]
    owner = np.repeat(np.arange(len(members)), counts)
    edges = np.repeat(found.first[members] - (np.cumsum(counts) - counts), counts)
    edges += np.arange(len(owner))
    # From here a line has the number of its place and lies at whole y, and x goes from 0 to 1.
    top = np.repeat(low[set_of, 1], counts)
    scale = np.repeat(LINES / span[set_of, 1], counts)
    y0, y1 = ((y[edges] - top) * scale - 0.5 for y in (found.y0, found.y1))
    lines0, lines1 = np.ceil(y0), np.ceil(y1)
    crossings = np.abs(lines1 - lines0).astype(np.int64)
    hit = np.flatnonzero(crossings)
    y0, y1, edges, owner = y0[hit], y1[hit], edges[hit], owner[hit]
    where = set_of[owner]
    crossings = crossings[hit]
    x0, x1 = ((x[edges] - low[where, 0]) / span[where, 0] for x in (found.x0, found.x1))
    slope = (x1 - x0) / (y1 - y0)
    lines = np.minimum(lines0[hit], lines1[hit])
    x = x0 + (lines - y0) * slope
    step = np.where(y1 > y0, -1, 1) * found.turn[edges]
    delta = step << (_BITS * sets.slot[owner])
    # One number sorts by set, line and place on it.
    key = where * (LINES + 1) + lines + _WIDTH * x
    along = 1 + _WIDTH * slope
    nth = np.arange(int(crossings.sum())) - np.repeat(np.cumsum(crossings) - crossings, crossings)
    key = np.repeat(key, crossings) + nth * np.repeat(along, crossings)
    order = np.argsort(key)
    return _areas(key[order], np.cumsum(np.repeat(delta, crossings)[order]), sets, span)


def _areas(key: _Floats, winding: _Indices, sets: Sets, span: _Floats) -> _Floats:
    """Return the areas, from all crossings in order and the winding numbers behind each."""
    combinations = 1 << sets.slots
    if len(key) < 2:
        return np.zeros((sets.total, combinations))
    zero = sum(_ZERO << (_BITS * slot) for slot in range(sets.slots))
    shifted = winding[:-1] + zero
    inside = np.zeros(len(shifted), np.int64)
    for slot in range(sets.slots):
        number = (shifted >> (_BITS * slot)) & ((1 << _BITS) - 1)
        inside |= (number != _ZERO).astype(np.int64) << slot
    where = (key[:-1] / (LINES + 1)).astype(np.int64)
    table = np.bincount(
        where * combinations + inside, np.diff(key), sets.total * combinations
    ).reshape(sets.total, combinations)
    table[:, 0] = 0.0
    scaled: _Floats = table * (span[:, :1] * span[:, 1:] / (_WIDTH * LINES))
    return scaled


def iou(table: _Floats, sets: _Indices, a: _Indices, b: _Indices) -> _Floats:
    """Return the IoU of polygons `a[k]` and `b[k]` (slots) of `sets[k]`, from a `venn` table."""
    codes = np.arange(table.shape[1])
    slots = int(np.log2(table.shape[1]))
    result = np.zeros(len(sets))
    for i in range(slots):
        for j in range(slots):
            some = np.flatnonzero((a == i) & (b == j))
            if not len(some):
                continue
            in_i, in_j = (codes >> i) & 1, (codes >> j) & 1
            both = table[sets[some]] @ (in_i & in_j).astype(np.float64)
            either = table[sets[some]] @ (in_i | in_j).astype(np.float64)
            result[some] = np.divide(both, either, out=np.zeros(len(some)), where=either > 0)
    return result
