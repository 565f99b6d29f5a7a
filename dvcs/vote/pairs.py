"""
Which annotations of one item are alike enough to be votes for the same one: many items at once.

Boxes and polygons, nearly all there is, never take a step in Python for a pair: first the boxes
around, then an upper bound of the IoU from the areas, and only what could still reach the threshold
is compared by outline. All other kinds are compared pair by pair by `dvcs.compare.similarity`.

Annotations of different kinds are compared where both are areas (a box and a polygon of the same
object) and the boxes around them are alike enough.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dvcs.compare import bounds, key, same, similarity
from dvcs.compare.candidates import candidates
from dvcs.compare.similarity import Size
from dvcs.errors import InvalidShape
from dvcs.geometry import boxes
from dvcs.model import Annotation
from dvcs.vote.outlines import MOST_MEMBERS, Sets, iou, venn
from dvcs.vote.shapes import BOX, Shapes

_Floats = NDArray[np.float64]
_Indices = NDArray[np.int64]

# Pairs of one block beyond which those that meet are looked for through a grid.
_MANY = 2**18
# Two outlines can be more alike than the boxes around them; ten times more, only hostile ones.
_BOX_SHARE = 0.1
# Shapes that lie on top of each other by the thousand have more pairs than can be looked at: then
# only pairs of boxes that are more alike are; as many as this, which take 4 s to be joined.
_MOST = 2**19
_STRICTER = (0.5, 0.7, 0.9, 0.99)


class Block(NamedTuple):
    """Two runs [start, end) of annotations of one item, to be compared each with each."""

    first: tuple[int, int]
    second: tuple[int, int]
    size: Size


class Edges(NamedTuple):
    """Pairs of annotations, by position, and how alike they are."""

    a: _Indices
    b: _Indices
    value: _Floats


def similar(shapes: Shapes, blocks: Sequence[Block], threshold: float) -> Edges:
    """
    Return all pairs that are at least `threshold` alike.

    Of a block of one run with itself each pair comes once. Labels are not compared, opaque records
    only with equal ones.
    """
    rows, cols, overlap = _meeting(shapes, blocks, threshold * _BOX_SHARE)
    found = [*_areas(shapes, rows, cols, overlap, threshold)]
    some = [edge for block in blocks for edge in _elsewhere(shapes, block, threshold)]
    if some:
        a, b, values = zip(*some, strict=True)
        found.append(Edges(np.array(a), np.array(b), np.array(values)))
    return Edges(*(np.concatenate(column) for column in zip(*found, strict=True)))


def _areas(
    shapes: Shapes, rows: _Indices, cols: _Indices, overlap: _Floats, threshold: float
) -> Iterator[Edges]:
    """Yield pairs of areas: by their boxes, by their outlines, and one by one."""
    code_a, code_b = shapes.code[rows], shapes.code[cols]
    by_box = (code_a == BOX) | (code_b == BOX)
    yield _chosen(by_box & (overlap >= threshold), rows, cols, overlap)
    by_outline = shapes.outlined[rows] & shapes.outlined[cols]
    most = _most(shapes, rows, cols, overlap)
    some = np.flatnonzero(by_outline & (most >= threshold))
    values = _alike(shapes, rows[some], cols[some])
    yield _chosen(values >= threshold, rows[some], cols[some], values)
    least = np.where(code_a == code_b, threshold * _BOX_SHARE, threshold)
    some = np.flatnonzero(~by_box & ~by_outline & (overlap >= least))
    rows, cols = rows[some], cols[some]
    notes = shapes.notes
    values = np.array(
        [similarity(notes[i], notes[j]) for i, j in zip(rows.tolist(), cols.tolist(), strict=True)],
        dtype=np.float64,
    )
    yield _chosen(values >= threshold, rows, cols, values)


def _chosen(which: NDArray[np.bool_], rows: _Indices, cols: _Indices, values: _Floats) -> Edges:
    return Edges(rows[which], cols[which], values[which])


def _most(shapes: Shapes, rows: _Indices, cols: _Indices, overlap: _Floats) -> _Floats:
    """Return the largest IoU that two polygons of these areas can have in these boxes."""
    extent = shapes.box[:, 2] * shapes.box[:, 3]
    shared = overlap * (extent[rows] + extent[cols]) / (1 + overlap)
    one, other = shapes.area[rows], shapes.area[cols]
    both = np.minimum(shared, np.minimum(one, other))
    either = one + other - both
    result: _Floats = np.divide(both, either, out=np.zeros(len(both)), where=either > 0)
    return result


# -- boxes that meet -----------------------------------------------------------------------------


def _meeting(
    shapes: Shapes, blocks: Sequence[Block], least: float
) -> tuple[_Indices, _Indices, _Floats]:
    """Return all pairs of placed areas in a block, and the IoU of their boxes."""
    count = np.array([one.first[1] - one.first[0] for one in blocks], dtype=np.int64)
    other = np.array([one.second[1] - one.second[0] for one in blocks], dtype=np.int64)
    many = count * other > _MANY
    small = np.flatnonzero(~many & (count * other > 0))
    start = np.array([one.first[0] for one in blocks], dtype=np.int64)[small]
    begin = np.array([one.second[0] for one in blocks], dtype=np.int64)[small]
    pairs = (count * other)[small]
    block = np.repeat(np.arange(len(small)), pairs)
    nth = np.arange(len(block)) - (np.cumsum(pairs) - pairs)[block]
    width = other[small][block]
    rows, cols = start[block] + nth // width, begin[block] + nth % width
    itself = (start == begin)[block]
    use = shapes.placed[rows] & shapes.placed[cols] & ~(itself & (rows >= cols))
    rows, cols = rows[use], cols[use]
    overlap = boxes.iou_of_pairs(shapes.box[rows], shapes.box[cols])
    use = (overlap > 0) & (overlap >= least)
    found = [(rows[use], cols[use], overlap[use])]
    found += [_through_grid(shapes, blocks[at], least) for at in np.flatnonzero(many).tolist()]
    rows, cols, overlap = (np.concatenate(column) for column in zip(*found, strict=True))
    return rows, cols, overlap


def _through_grid(shapes: Shapes, block: Block, least: float) -> tuple[_Indices, _Indices, _Floats]:
    """Return what `_meeting` does, for many; of boxes that nearly all are alike, the equal ones."""
    first, second = (start + np.flatnonzero(shapes.placed[start:end]) for start, end in block[:2])
    itself = block.first == block.second
    counts = [Counter(map(tuple, shapes.box[side].tolist())) for side in (first, second)]
    hopeless = sum(times * counts[1][box] for box, times in counts[0].items()) > _MOST
    for bound in () if hopeless else (least, *(one for one in _STRICTER if one > least)):
        try:
            rows, cols, values = boxes.candidates(shapes.box[first], shapes.box[second], bound)
        except InvalidShape:
            continue
        if len(rows) <= _MOST:
            rows, cols = first[rows], second[cols]
            use = rows < cols if itself else np.ones(len(rows), np.bool_)
            return rows[use], cols[use], values[use]
    waiting: dict[bytes, list[int]] = {}
    for at in reversed([] if itself else second.tolist()):
        waiting.setdefault(key(shapes.notes[at]), []).append(at)
    equal = [
        (at, held.pop()) for at in first.tolist() if (held := waiting.get(key(shapes.notes[at])))
    ]
    rows, cols = np.array(equal, dtype=np.int64).reshape(-1, 2).T
    return rows, cols, np.ones(len(rows))


# -- polygons ------------------------------------------------------------------------------------


def _alike(shapes: Shapes, rows: _Indices, cols: _Indices) -> _Floats:
    """
    Return the IoU of pairs of polygons.

    Polygons that are connected by pairs are cut together, where they are few: as a rule those that
    the voters drew around one object.
    """
    if not len(rows):
        return np.empty(0)
    nodes, ends = np.unique(np.concatenate([rows, cols]), return_inverse=True)
    a, b = ends[: len(rows)], ends[len(rows) :]
    part = components(len(nodes), a, b)
    _, part, sizes = np.unique(part, return_inverse=True, return_counts=True)
    numbers, size = shapes.number[nodes], sizes[part]
    values = np.zeros(len(rows))
    # Every place in a set costs a pass over all crossings, and most sets are of three or fewer.
    for least, most in ((2, 3), (4, MOST_MEMBERS)):
        together = np.flatnonzero((size[a] >= least) & (size[a] <= most))
        if len(together):
            members = np.flatnonzero((size >= least) & (size <= most))
            _, place = np.unique(part[members], return_inverse=True)
            set_of, slot = np.zeros((2, len(nodes)), np.int64)
            set_of[members], slot[members] = place, _numbered(place)
            sets = Sets(numbers[members], place, slot[members], int(place.max()) + 1, most)
            i, j = a[together], b[together]
            values[together] = iou(venn(shapes.outlines, sets), set_of[i], slot[i], slot[j])
    apart = np.flatnonzero(size[a] > MOST_MEMBERS)
    if len(apart):
        each = np.arange(len(apart))
        members = np.concatenate([numbers[a[apart]], numbers[b[apart]]])
        slot = np.repeat([0, 1], len(apart))
        table = venn(shapes.outlines, Sets(members, np.tile(each, 2), slot, len(apart), 2))
        values[apart] = iou(table, each, slot[: len(apart)], slot[len(apart) :])
    return values


def components(count: int, a: _Indices, b: _Indices) -> _Indices:
    """Return for each of `count` nodes the lowest one that edges a-b connect it with."""
    found = np.arange(count)
    while True:
        low = np.minimum(found[a], found[b])
        lower = found.copy()
        np.minimum.at(lower, a, low)
        np.minimum.at(lower, b, low)
        lower = lower[lower]
        if (lower == found).all():
            return found
        found = lower


def _numbered(set_of: _Indices) -> _Indices:
    """Return the number of each member in its set, from 0."""
    order = np.argsort(set_of, kind="stable")
    ordered = set_of[order]
    first = np.searchsorted(ordered, ordered, "left")
    result = np.empty(len(set_of), np.int64)
    result[order] = np.arange(len(set_of)) - first
    return result


# -- everything else -----------------------------------------------------------------------------


def _elsewhere(shapes: Shapes, block: Block, threshold: float) -> Iterator[tuple[int, int, float]]:
    """Yield pairs of what is no area: points, lines, captions, cuboids, ...; within one kind."""
    sides = [
        [n for n in range(start, end) if not shapes.placed[n] and shapes.notes[n].kind != "label"]
        for start, end in block[:2]
        if not shapes.placed[start:end].all()
    ]
    if len(sides) < 2 or not all(sides):
        return
    old, new = ([shapes.notes[at] for at in side] for side in sides)
    itself = block.first == block.second
    seen = set()
    for i, j, value in candidates(old, new, threshold, block.size):
        if old[i].kind == new[j].kind and (value == 1.0 or old[i].kind != "other"):
            seen.add((i, j))
            if not itself or i < j:
                yield sides[0][i], sides[1][j], value
    # What has no place at all (points that are all absent) is found by being the same.
    nowhere = [n for n, note in enumerate(new) if bounds(note) is None]
    for i, note in enumerate(old):
        if nowhere and bounds(note) is None:
            for j in nowhere:
                if _are_same(note, new[j]) and (i, j) not in seen and (not itself or i < j):
                    yield sides[0][i], sides[1][j], 1.0


def _are_same(a: Annotation, b: Annotation) -> bool:
    return a.kind == b.kind and a.kind != "label" and same(a.geometry, b.geometry)
