"""
Overlap of cuboids in space, in plain Python: images of point clouds hold dozens, not thousands.

A cuboid is its centre, its rotation about x, then y, then z (radians) and its size along its own
axes. Two of nearly the same rotation are compared along the axes halfway between them, exactly so
where they are the same, and less by the cosine of each angle between them; others by the upright
boxes around them.
"""

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dvcs.model import Cuboid3d

# Up to this angle (about 15 degrees) two cuboids are compared along common axes.
_NEAR = 0.26


def cuboid_iou(a: "Cuboid3d", b: "Cuboid3d") -> float:
    """Return intersection over union of volumes; 0.0 where a cuboid has none or is malformed."""
    try:
        return _iou(a, b)
    except (ValueError, TypeError, IndexError, OverflowError):
        return 0.0


def cuboid_bounds(note: "Cuboid3d") -> tuple[float, float, float, float]:
    """Return x, y, w, h of the box around a cuboid in its x and y."""
    half_x, half_y, _ = _half_extents(note)
    x, y, _z = note.position
    return x - half_x, y - half_y, 2 * half_x, 2 * half_y


def _iou(a: "Cuboid3d", b: "Cuboid3d") -> float:
    offset = [there - here for here, there in zip(a.position, b.position, strict=True)]
    turns = [
        math.remainder(other - one, math.tau)
        for one, other in zip(a.rotation, b.rotation, strict=True)
    ]
    aligned = 1.0
    if max(map(abs, turns)) <= _NEAR:
        halfway = [one + turn / 2 for one, turn in zip(a.rotation, turns, strict=True)]
        axes = zip(*_matrix(halfway), strict=True)
        offset = [math.fsum(u * v for u, v in zip(axis, offset, strict=True)) for axis in axes]
        halves_a, halves_b = ([abs(side) / 2 for side in note.scale] for note in (a, b))
        aligned = math.prod(map(math.cos, turns))
    else:
        halves_a, halves_b = _half_extents(a), _half_extents(b)
    both = 1.0
    for step, half_a, half_b in zip(offset, halves_a, halves_b, strict=True):
        both *= max(0.0, min(2 * half_a, 2 * half_b, half_a + half_b - abs(step)))
    union = 8 * (math.prod(halves_a) + math.prod(halves_b)) - both
    return aligned * both / union if union > 0 else 0.0


def _half_extents(note: "Cuboid3d") -> list[float]:
    x, y, z = (abs(side) / 2 for side in note.scale)
    return [abs(row[0]) * x + abs(row[1]) * y + abs(row[2]) * z for row in _matrix(note.rotation)]


def _matrix(rotation: "Sequence[float]") -> list[list[float]]:
    """Rows of the matrix that turns about x, then y, then z."""
    (cx, cy, cz), (sx, sy, sz) = map(math.cos, rotation), map(math.sin, rotation)
    return [
        [cz * cy, cz * sy * sx - sz * cx, cz * sy * cx + sz * sx],
        [sz * cy, sz * sy * sx + cz * cx, sz * sy * cx - cz * sx],
        [-sy, cy * sx, cy * cx],
    ]
