"""
From run lengths to outlines along pixel edges, exactly.

Works on the runs, never on pixels, so it costs what the outline is long. In each pixel column,
the places where the mask changes are unit pieces of horizontal outline. At a corner of the pixel
lattice a piece from the left and a piece to the right either continue each other, or a horizontal
line of the outline ends there. So along a lattice row the ends pair up two by two into horizontal
lines, along a lattice column into vertical ones, and rings alternate between the two.

Where two pixels meet only at a corner the ring stays with its pixel: parts are 4-connected, so no
outer ring touches itself.
"""

from itertools import pairwise

import msgspec
import numpy as np
from numpy.typing import NDArray

from dvcs.geometry.rle import Runs, intervals

_Bits = NDArray[np.bool_]


class _Ends(msgspec.Struct, frozen=True):
    """
    Ends of horizontal outline, by lattice column, then row; i and i ^ 1 share a vertical line.

    `right`: the line goes to the right from here; `opens`: it has mask below it.
    """

    x: Runs
    y: Runs
    right: _Bits
    opens: _Bits


def trace(height: int, runs: Runs) -> list[list[list[float]]]:
    """
    Parts (each: outer ring, then holes) of a mask given by its runs without zero runs.

    Outer rings run clockwise as seen, holes against; both start at their leftmost, topmost corner.
    Parts are ordered by that corner, column by column.
    """
    edges = _horizontal_edges(height, runs)
    ends = _line_ends(height, edges)
    across = np.empty(len(ends.x), dtype=np.int64)
    by_row = np.lexsort((ends.right, ends.x, ends.y))
    across[by_row[0::2]] = by_row[1::2]
    across[by_row[1::2]] = by_row[0::2]
    order, first, owner = _follow(across.tolist(), ends.opens.tolist())
    flat = np.stack([ends.x, ends.y], axis=1).astype(np.float64)[order].ravel().tolist()
    starts = [*first, len(order)]
    rings = [flat[2 * a : 2 * b] for a, b in pairwise(starts)]
    heads = np.array([order[i] for i in first], dtype=np.int64)
    return _nest(rings, _enclosing(height, edges, ends, heads, owner), ends.opens[heads].tolist())


def _horizontal_edges(height: int, runs: Runs) -> Runs:
    """Sorted keys column * (height + 1) + y of the changes in each column, opening, closing, ..."""
    start, end = intervals(runs)
    first, last = start // height, (end - 1) // height
    spans = last - first + 1
    which = np.repeat(np.arange(len(start)), spans)
    column = np.arange(len(which)) - np.repeat(spans.cumsum() - spans, spans) + first[which]
    top = np.where(column == first[which], start[which] % height, 0)
    bottom = np.where(column == last[which], (end[which] - 1) % height + 1, height)
    keys: Runs = np.stack([top, bottom], axis=1) + column[:, None] * (height + 1)
    return keys.ravel()


def _line_ends(height: int, edges: Runs) -> _Ends:
    count = len(edges)
    key = np.concatenate([edges, edges + height + 1])
    right = np.arange(2 * count) < count
    opens = np.arange(2 * count) % 2 == 0
    # Where four lines meet, the end that belongs to the pixel above sorts first, so that it
    # pairs upwards: a right line that closes lies under a pixel, one that opens above one.
    rank = np.where(right, np.where(opens, 2, 0), 1)
    order = np.argsort(4 * key + rank, kind="stable")
    key, right, opens = key[order], right[order], opens[order]
    passing = (key[1:] == key[:-1]) & (opens[1:] == opens[:-1])
    keep = np.ones(2 * count, dtype=np.bool_)
    keep[1:] &= ~passing
    keep[:-1] &= ~passing
    key = key[keep]
    return _Ends(key // (height + 1), key % (height + 1), right[keep], opens[keep])


def _follow(across: list[int], opens: list[bool]) -> tuple[list[int], list[int], list[int]]:
    """
    Walk all rings: ends in order of walking, where each ring starts therein, the ring of each end.

    A ring is met first at its leftmost, topmost corner, where its lines go right and down; it is
    an outer ring when that corner has mask inside.
    """
    order: list[int] = []
    first: list[int] = []
    owner = [-1] * len(across)
    for head in range(len(across)):
        if owner[head] >= 0:
            continue
        ring, here = len(first), head
        first.append(len(order))
        while owner[here] < 0:
            there = across[here] if opens[head] else here ^ 1
            owner[here] = owner[there] = ring
            order += (here, there)
            here = there ^ 1 if opens[head] else across[there]
    return order, first, owner


def _enclosing(height: int, edges: Runs, ends: _Ends, heads: Runs, owner: list[int]) -> list[int]:
    """Return the ring met first when going up from the pixel left of each ring's first corner."""
    if ends.opens[heads].all():
        return [-1] * len(heads)
    above = np.searchsorted(edges, (ends.x[heads] - 1) * (height + 1) + ends.y[heads], "right") - 1
    column, row = np.divmod(edges[np.maximum(above, 0)], height + 1)
    lines = np.flatnonzero(ends.right)
    width = int(ends.x.max()) + 1
    lines = lines[np.argsort(ends.y[lines] * width + ends.x[lines], kind="stable")]
    at = np.searchsorted(ends.y[lines] * width + ends.x[lines], row * width + column, "right") - 1
    owners: list[int] = np.asarray(owner)[lines[at]].tolist()
    return owners


def _nest(
    rings: list[list[float]], enclosing: list[int], outer: list[bool]
) -> list[list[list[float]]]:
    parts: list[list[list[float]]] = []
    part_of: list[int] = []
    for ring, near, is_outer in zip(rings, enclosing, outer, strict=True):
        if is_outer:
            part_of.append(len(parts))
            parts.append([ring])
        else:  # the ring above a hole is its outer ring or an earlier hole of the same part
            part_of.append(part_of[near])
            parts[part_of[near]].append(ring)
    return parts
