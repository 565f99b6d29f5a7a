"""Which annotations of two lists may be the same one: all pairs that are similar enough."""

from collections.abc import Callable, Iterable, Sequence
from operator import mul

from dvcs.compare.similarity import FLAT, Box, Size, bounds, similarity
from dvcs.errors import InvalidShape
from dvcs.model import Annotation, Polygon

Edge = tuple[int, int, float]
"""Position in the old list, position in the new list, similarity."""

# Up to this many pairs of shapes, looking at all of them costs less than importing numpy.
_FEW = 4096
# Texts and opaque records have no place by which to find near ones: with more pairs than this
# only equal ones, or those with the same id, are paired.
_MOST_UNPLACED = 100_000
# Lines and points are looked for this share of their extent, and this many pixels, around them.
_REACH, _LEAST_REACH = 0.25, 8.0
# Two outlines can be more alike than the boxes around them; ten times more, only hostile ones.
_BOX_SHARE = 0.1
# Outlines are compared as they are drawn on a grid, which adds up to this part of their likeness.
_DRAWN = 0.9
# Shapes that lie on top of each other by the thousand have more pairs than memory: then only
# pairs of boxes that are more alike are looked at.
_STRICTER = (0.5, 0.7, 0.9, 0.99)


def candidates(
    old: Sequence[Annotation], new: Sequence[Annotation], threshold: float, size: Size = None
) -> list[Edge]:
    """Return all pairs with a similarity above 0 and of at least `threshold`."""
    if len(old) == len(new) == 1:
        value = similarity(old[0], new[0], size)
        return [(0, 0, value)] if value > 0 and value >= threshold else []
    worlds_old, worlds_new = _worlds(old), _worlds(new)
    found: list[Edge] = []
    for world, rows in worlds_old.items():
        cols = worlds_new.get(world)
        if cols is None:
            continue
        look = _IN_WORLD.get(world, _everywhere)
        some_old, some_new = [old[i] for i in rows], [new[j] for j in cols]
        found += [
            (rows[i], cols[j], value)
            for i, j, value in look(some_old, some_new, threshold, size)
            if value > 0 and value >= threshold
        ]
    return found


def _worlds(notes: Sequence[Annotation]) -> dict[str, list[int]]:
    """Positions of annotations by what can be compared with each other."""
    worlds: dict[str, list[int]] = {}
    for at, note in enumerate(notes):
        worlds.setdefault("flat" if note.kind in FLAT else note.kind, []).append(at)
    return worlds


def _everywhere(
    old: Sequence[Annotation], new: Sequence[Annotation], threshold: float, size: Size
) -> Iterable[Edge]:
    if len(old) * len(new) > _MOST_UNPLACED:
        return
    for i, a in enumerate(old):
        for j, b in enumerate(new):
            if a.kind != "caption" or _lengths_allow(a, b, threshold):
                yield i, j, similarity(a, b, size)


def _lengths_allow(a: Annotation, b: Annotation, threshold: float) -> bool:
    """Tell whether two captions can be alike enough: the shorter one may all be in the longer."""
    short, long = sorted((len(a.caption), len(b.caption)))  # type: ignore[attr-defined]
    return bool(2 * short >= threshold * (short + long))


def _by_label(
    old: Sequence[Annotation], new: Sequence[Annotation], _threshold: float, _size: Size
) -> Iterable[Edge]:
    """Labels pair in order: the first of a name with the first, the second with the second."""
    waiting: dict[str | None, list[int]] = {}
    for j in range(len(new) - 1, -1, -1):
        waiting.setdefault(new[j].label, []).append(j)
    for i, note in enumerate(old):
        if waiting.get(note.label):
            yield i, waiting[note.label].pop(), 1.0


def _placed(
    old: Sequence[Annotation], new: Sequence[Annotation], threshold: float, size: Size
) -> Iterable[Edge]:
    if len(old) * len(new) > _FEW:
        return _placed_many(old, new, threshold, size)
    places = [(j, note, box) for j, note in enumerate(new) if (box := _reach(note, size))]
    filled = [_filled(note, box) for _, note, box in places]
    found: list[Edge] = []
    for i, a in enumerate(old):
        box = _reach(a, size)
        if box is None:
            continue
        area = _filled(a, box)
        found += [
            (i, j, similarity(a, b, size))
            for (j, b, other), other_area in zip(places, filled, strict=True)
            if _meet(box, other) and not _unlike(box, area, other, other_area, threshold)
        ]
    return found


def _meet(a: Box, b: Box) -> bool:
    return (
        a[0] <= b[0] + b[2] and b[0] <= a[0] + a[2] and a[1] <= b[1] + b[3] and b[1] <= a[1] + a[3]
    )


def _filled(note: Annotation, box: Box) -> float:
    """Return an area that a polygon covers at least, 0.0 where that takes a closer look."""
    if not isinstance(note, Polygon) or [len(part) for part in note.parts] != [1]:
        return 0.0
    ring = note.parts[0][0]
    xs, ys = ring[0::2], ring[1::2]
    twice = sum(map(mul, xs, ys[1:] + ys[:1])) - sum(map(mul, xs[1:] + xs[:1], ys))
    area = abs(twice) / 2
    # A ring that crosses itself covers more than that; one that goes around several times, less.
    return float(area) if area <= box[2] * box[3] else 0.0


def _unlike(a: Box, area_a: float, b: Box, area_b: float, threshold: float) -> bool:
    """
    Tell whether two polygons cannot reach a similarity, which spares comparing their outlines.

    They have no more in common than the boxes around them. Of 36,000 polygons that were all drawn
    anew a third of the pairs is left, and comparing two takes 0.2 ms.
    """
    if not area_a or not area_b:
        return False
    wide = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    high = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    both = max(wide, 0.0) * max(high, 0.0)
    return both < threshold * _DRAWN * (area_a + area_b - both)


def _placed_many(
    old: Sequence[Annotation], new: Sequence[Annotation], threshold: float, size: Size
) -> Iterable[Edge]:
    """As `_placed`, through a grid; upright boxes among themselves without a step in Python."""
    import numpy as np

    reaches = [
        [(at, box) for at, one in enumerate(side) if (box := _reach(one, size))]
        for side in (old, new)
    ]
    rows, cols = ([at for at, _ in side] for side in reaches)
    a, b = (np.array([box for _, box in side], dtype=np.float64).reshape(-1, 4) for side in reaches)
    boxy_a, boxy_b = (
        np.array([side[at].kind == "bbox" for at in some], dtype=np.bool_)
        for side, some in ((old, rows), (new, cols))
    )
    filled_a, filled_b = (
        [_filled(side[at], box) for at, box in some]
        for side, some in zip((old, new), reaches, strict=True)
    )
    found: list[Edge] = []
    for use_a, use_b, boxes in (
        (boxy_a, boxy_b, True),
        (boxy_a, ~boxy_b, False),
        (~boxy_a, boxy_b | ~boxy_b, False),
    ):
        at_a, at_b = np.flatnonzero(use_a), np.flatnonzero(use_b)
        if not len(at_a) or not len(at_b):
            continue
        least = threshold if boxes else threshold * _BOX_SHARE
        for i, j, value in _near(a[at_a], b[at_b], least):
            m, n = at_a[i], at_b[j]
            row, col = rows[m], cols[n]
            if boxes:
                found.append((row, col, value))
            elif not _unlike(
                reaches[0][m][1], filled_a[m], reaches[1][n][1], filled_b[n], threshold
            ):
                found.append((row, col, similarity(old[row], new[col], size)))
    return found


def _near(a: object, b: object, least: float) -> Iterable[Edge]:
    from dvcs.geometry import boxes

    for bound in (least, *(one for one in _STRICTER if one > least)):
        try:
            rows, cols, values = boxes.candidates(a, b, bound)  # type: ignore[arg-type]
        except InvalidShape:
            continue
        return zip(rows.tolist(), cols.tolist(), values.tolist(), strict=True)
    return ()


def _reach(note: Annotation, size: Size) -> Box | None:
    """Box in which a shape's counterpart must begin: that around it, of thin shapes a wider one."""
    box = bounds(note)
    if box is None or note.kind not in ("points", "polyline"):
        return box
    x, y, w, h = box
    by = max(_REACH * max(w, h), _LEAST_REACH, 0.02 * max(size) if size else 0.0)
    return x - by, y - by, w + 2 * by, h + 2 * by


_Look = Callable[[Sequence[Annotation], Sequence[Annotation], float, Size], Iterable[Edge]]
_IN_WORLD: dict[str, _Look] = {"flat": _placed, "cuboid_3d": _placed, "label": _by_label}
