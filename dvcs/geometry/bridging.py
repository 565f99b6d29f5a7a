"""
A polygon of parts and holes as one ring, for formats that know nothing else.

Rings are joined by bridges of no width, there and back along the same line, between the two
nearest corners. Holes run against their outer ring. So the one ring covers exactly what the rings
did, whether it is filled by the even-odd or by the non-zero rule; only its outline is longer.
"""

from collections.abc import Sequence

import numpy as np

from dvcs.geometry import _check
from dvcs.geometry._check import Parts


def one_ring(parts: Parts) -> list[float]:
    """
    Return the ring of all parts and holes. Raises InvalidShape for what is no polygon.

    A polygon of one ring is returned as it is; else outer rings turn as the first one does.
    """
    _check.parts(parts)
    rings = [(ring, bool(number)) for part in parts for number, ring in enumerate(part)]
    first = list(rings[0][0])
    clockwise = _clockwise(first)
    for ring, is_hole in rings[1:]:
        turned = _clockwise(ring) == (clockwise is is_hole)
        first = _joined(first, _reversed(ring) if turned else list(ring))
    return first


def _clockwise(ring: Sequence[float]) -> bool:
    x, y = np.array(ring[0::2]), np.array(ring[1::2])
    x, y = x - x[0], y - y[0]
    return bool((x * np.roll(y, -1) - y * np.roll(x, -1)).sum() > 0)


def _reversed(ring: Sequence[float]) -> list[float]:
    return [value for at in range(len(ring) - 2, -1, -2) for value in ring[at : at + 2]]


def _joined(ring: list[float], other: list[float]) -> list[float]:
    """Go along `ring` to the corner nearest to `other`, around that and back, and on."""
    a, b = np.array(ring).reshape(-1, 2), np.array(other).reshape(-1, 2)
    nearest, at, start = np.inf, 0, 0
    for position, corner in enumerate(b):
        distances = np.square(a - corner).sum(axis=1)
        place = int(distances.argmin())
        if distances[place] < nearest:
            nearest, at, start = float(distances[place]), place, position
    i, j = 2 * at, 2 * start
    return [*ring[: i + 2], *other[j:], *other[: j + 2], *ring[i:]]
