"""
The smallest rotated box around a shape: convex hull, then one side along each edge of it.

One side of the smallest rectangle around points lies along an edge of their convex hull (Freeman
and Shapira, 1975), so it is enough to turn a rectangle around the hull once (Toussaint's rotating
calipers, 1983). The hull is Andrew's monotone chain (1979). Both in plain Python: outlines of
annotations have some twenty points, for which an array costs more than it saves.
"""

import math
from collections.abc import Iterable, Sequence

from dvcs.errors import InvalidShape
from dvcs.geometry import _check

Point = tuple[float, float]
RotatedBox = tuple[float, float, float, float, float]

# Areas that differ by less are equal: sides of one rectangle come out of divisions so different.
_AS_GOOD = 1e-9

# More points than this are thinned with arrays first: a million within a square in 0.2 s, not 2 s.
_MANY = 2000
_ROUNDS = 12


def smallest_box(rings: Sequence[Sequence[float]]) -> RotatedBox | None:
    """
    Return cx, cy, w, h, angle of the smallest rotated box around all points of flat rings.

    The angle is in degrees, in [0, 90), clockwise as seen, and the smallest where several boxes are
    as good. Points on a line have a box with a side of 0, one point has two such sides; None for
    rings without a point. Raises InvalidShape for coordinates that are not finite or not in pairs.
    """
    points = [point for ring in rings for point in _pairs(ring)]
    if not points:
        return None
    # Distances within the shape keep their digits wherever it lies.
    x, y = points[0]
    outline = convex_hull([(a - x, b - y) for a, b in points])
    if len(outline) == 1:
        return x, y, 0.0, 0.0, 0.0
    turns = _turns(outline)
    enough = min(area for area, _ in turns) * (1 + _AS_GOOD)
    _, (ux, uy) = min(
        (math.atan2(turn[1], turn[0]), turn) for area, turn in turns if area <= enough
    )
    along = [a * ux + b * uy for a, b in outline]
    down = [b * ux - a * uy for a, b in outline]
    left, right, top, bottom = min(along), max(along), min(down), max(down)
    u, v = (left + right) / 2, (top + bottom) / 2
    angle = math.degrees(math.atan2(uy, ux)) + 0.0  # no -0.0
    return x + u * ux - v * uy, y + u * uy + v * ux, right - left, bottom - top, angle


def convex_hull(points: Sequence[Point]) -> list[Point]:
    """
    Return the corners of the convex hull of points, clockwise as seen, from the leftmost one.

    Of points on one line only both ends are corners, of equal points there is one.
    """
    if len(points) > _MANY:
        points = _thinned(points)
    places = sorted(set(points))
    if len(places) < 3:
        return places
    upper, lower = _chain(places), _chain(reversed(places))
    return upper[:-1] + lower[:-1]


def _pairs(ring: Sequence[float]) -> Sequence[Point]:
    if len(ring) % 2:
        raise InvalidShape(f"'{len(ring)}' coordinates are no points: they come in pairs x, y")
    _check.plain(ring, "shape")
    values = list(map(float, ring))
    return list(zip(values[0::2], values[1::2], strict=True))


def _chain(places: Iterable[Point]) -> list[Point]:
    """Return those of sorted points that the outline on one side turns around."""
    kept: list[Point] = []
    for x, y in places:
        while len(kept) > 1:
            (ax, ay), (bx, by) = kept[-2], kept[-1]
            if (bx - ax) * (y - ay) > (by - ay) * (x - ax):
                break
            kept.pop()
        kept.append((x, y))
    return kept


def _thinned(points: Sequence[Point]) -> list[Point]:
    """
    Return fewer points with the same hull.

    Between its two neighbours from left to right, a point that lies on or within their line is no
    corner; a few rounds of that leave few, unless most points are corners.
    """
    import numpy as np

    array = np.unique(np.array(points, dtype=np.float64), axis=0)
    found = []
    for side in (1, -1):
        some = array
        for _ in range(_ROUNDS):
            if len(some) < 3:
                break
            (ax, ay), (bx, by), (cx, cy) = some[:-2].T, some[1:-1].T, some[2:].T
            keep = side * ((bx - ax) * (cy - ay) - (by - ay) * (cx - ax)) > 0
            if keep.all():
                break
            some = np.concatenate([some[:1], some[1:-1][keep], some[-1:]])
        found += some.tolist()
    return [(x, y) for x, y in found]


def _turns(outline: Sequence[Point]) -> list[tuple[float, Point]]:
    """
    Return the area of the box along each edge of a convex outline, and which way it is turned.

    That is a direction of length 1 to the right and not up: one of the box's four sides.
    """
    count = len(outline)
    ring = [*outline, *outline]
    right = down = left = 0
    found: list[tuple[float, Point]] = []
    for at in range(count):
        (ax, ay), (bx, by) = ring[at], ring[at + 1]
        length = math.hypot(bx - ax, by - ay)
        ux, uy = (bx - ax) / length, (by - ay) / length
        # The farthest corners along the edge, across it, and against it follow one another.
        right = _climb(ring, max(right, at + 1), at + count, ux, uy)
        down = _climb(ring, max(down, right), at + count, -uy, ux)
        left = _climb(ring, max(left, down), at + count, -ux, -uy)
        w = (ring[right][0] - ring[left][0]) * ux + (ring[right][1] - ring[left][1]) * uy
        h = (ring[down][1] - ay) * ux - (ring[down][0] - ax) * uy
        for _ in range(3):
            if ux > 0 and uy >= 0:
                break
            ux, uy = uy, -ux
        found.append((abs(w * h), (ux, uy)))
    return found


def _climb(ring: Sequence[Point], at: int, last: int, ux: float, uy: float) -> int:
    """Return the corner from which the next one lies no farther in a direction."""
    while at < last and (
        (ring[at + 1][0] - ring[at][0]) * ux + (ring[at + 1][1] - ring[at][1]) * uy > 0
    ):
        at += 1
    return at
