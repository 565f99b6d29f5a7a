"""
Polygons with parts and holes: area, extent, IoU, and polygons made from other shapes.

Forms as in `dvcs.geometry`: parts > rings (outer first, then holes) > flat coordinates. Every
function checks its polygons and raises InvalidShape.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from dvcs.errors import InvalidShape
from dvcs.geometry import _check, masks, rotated
from dvcs.geometry._check import Parts, plain
from dvcs.geometry.boxes import extent as _extent_of_points

__all__ = [
    "Parts",
    "area",
    "check",
    "extent",
    "from_box",
    "from_ellipse",
    "from_rotated_box",
    "iou",
]

# Both shapes are drawn with their common extent this many pixels wide and high, at least half of
# it; up to the larger figure where they are thin.
_GRID, _FINEST = 256, 4096

# Pixels on an outline per pixel of area above which the grid is made finer.
_THIN = 0.08

# Cells on all outlines, beyond which it is not made finer: about 5 ms of drawing.
_LONGEST = 2**18

# Exponent of the largest scale: denormal coordinates must not make it infinite.
_HIGHEST = 1000


def check(parts: Parts) -> None:
    """Raise InvalidShape unless `parts` is a polygon: rings of three or more finite points."""
    _check.parts(parts)


def area(parts: Parts) -> float:
    """
    Return the area in square pixels, exact (shoelace): outer rings less their holes.

    Parts are taken as disjoint, holes as within their ring; orientation does not matter.
    """
    _check.parts(parts)
    return sum(
        abs(_shoelace(rings[0])) - sum(abs(_shoelace(hole)) for hole in rings[1:])
        for rings in parts
    )


def extent(parts: Parts) -> tuple[float, float, float, float]:
    """Return x, y, w, h of the smallest box around all parts."""
    _check.parts(parts)
    return _extent_of_points([value for rings in parts for value in rings[0]])


def iou(a: Parts, b: Parts) -> float:
    """
    Return intersection over union: symmetric, within [0, 1], and 1.0 for equal polygons.

    Both are drawn on one grid that is stretched over their common extent in each direction by a
    power of two, to 128-256 cells, or up to 4096 where the shapes are thin. So polygons whose
    corners lie on the grid (such as whole pixels, in an extent of up to 256) are exact; else each
    area is off by less than one cell for every cell on its outline, the errors of both sides
    cancelling. Measured on rotated boxes against their exact IoU: off by 0.0006 on average, 0.003
    at most; where they are 1/10 to 1/500 as high as long, 0.002 and 0.015.
    """
    _check.parts(a)
    _check.parts(b)
    if a == b:
        return 1.0
    scaled = _on_common_grid(a, b)
    return masks.iou_of_polygons(*scaled) if scaled is not None else 0.0


def from_box(box: Sequence[float]) -> list[list[list[float]]]:
    """Return a box x, y, w, h as a polygon, clockwise from its upper left corner."""
    x, y, w, h = _check.columns([box], 4, "box")[0].tolist()
    return [[[x, y, x + w, y, x + w, y + h, x, y + h]]]


def from_rotated_box(box: Sequence[float]) -> list[list[list[float]]]:
    """Return a rotated box cx, cy, w, h, angle as a polygon, in the order of `rotated.corners`."""
    ring: list[float] = rotated.corners([box])[0].ravel().tolist()
    return [[ring]]


def from_ellipse(
    cx: float, cy: float, rx: float, ry: float, angle: float = 0.0, *, points: int = 72
) -> list[list[list[float]]]:
    """
    Return an ellipse (radii, angle in degrees, clockwise as seen) as a polygon of `points` corners.

    The corners lie on the ellipse; with 72 the area is 0.13 % less than the ellipse's.
    """
    plain((cx, cy, rx, ry, angle), "ellipse")
    if rx < 0 or ry < 0:
        raise InvalidShape(f"an ellipse has the negative radius '{min(rx, ry):g}'")
    if points < 3:
        raise InvalidShape(f"an ellipse cannot be drawn with '{points}' points")
    turn = math.radians(angle)
    cos, sin = math.cos(turn), math.sin(turn)
    ring: list[float] = []
    for step in range(points):
        around = 2 * math.pi * step / points
        along, across = rx * math.cos(around), ry * math.sin(around)
        ring += (cx + along * cos - across * sin, cy + along * sin + across * cos)
    return [[ring]]


def _shoelace(ring: Sequence[float]) -> float:
    # Relative to the first point: far from the origin the products would cancel to noise.
    x0, y0 = ring[0], ring[1]
    points = [(x - x0, y - y0) for x, y in zip(ring[2::2], ring[3::2], strict=True)]
    return 0.5 * math.fsum(x * next_y - next_x * y for (x, y), (next_x, next_y) in pairwise(points))


def _on_common_grid(a: Parts, b: Parts) -> tuple[Parts, Parts, tuple[int, int]] | None:
    """Scale both to cells of a common grid, with its size; None where the extents do not meet."""
    rings = [np.array(ring, dtype=np.float64).reshape(-1, 2) for p in (*a, *b) for ring in p]
    count_a = sum(len(part) for part in a)
    points = np.concatenate(rings)
    cut = sum(len(ring) for ring in rings[:count_a])
    low_a, high_a = points[:cut].min(axis=0), points[:cut].max(axis=0)
    low_b, high_b = points[cut:].min(axis=0), points[cut:].max(axis=0)
    if (np.minimum(high_a, high_b) <= np.maximum(low_a, low_b)).any():
        return None
    low = np.minimum(low_a, low_b)
    span = np.maximum(high_a, high_b) - low
    scale = np.exp2(np.minimum(np.floor(np.log2(_GRID) - np.log2(span)), _HIGHEST))
    scale = scale * _refinement([ring * scale for ring in rings])
    origin = np.floor(low * scale)
    width, height = (np.floor((low + span) * scale) - origin + 1).astype(int).tolist()
    flat = iter([(ring * scale - origin).ravel() for ring in rings])
    shapes: list[Parts] = [[[next(flat) for _ in part] for part in p] for p in (a, b)]
    return shapes[0], shapes[1], (height, width)


def _refinement(rings: list[NDArray[np.float64]]) -> int:
    """Power of two by which the grid must be finer for outlines this long around so little."""
    outline = surface = 0.0
    for ring in rings:
        following = np.roll(ring, -1, axis=0)
        outline += float(np.abs(following - ring).max(axis=1).sum())
        cross = ring[:, 0] * following[:, 1] - ring[:, 1] * following[:, 0]
        surface += abs(float(cross.sum())) / 2
    factor = 1
    most = min(_FINEST // _GRID, _LONGEST / (2 * outline))
    while outline > _THIN * surface * factor and factor <= most / 2:
        factor *= 2
    return factor
