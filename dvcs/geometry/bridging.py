"""
A polygon of parts and holes as one ring, for formats that know nothing else.

Rings are joined by bridges of no width, there and back along the same line, between the two
nearest corners. Holes run against their outer ring. So the one ring covers exactly what the rings
did, whether it is filled by the even-odd or by the non-zero rule; only its outline is longer.
"""

from collections.abc import Sequence
from operator import mul

import numpy as np

from dvcs.geometry import _check
from dvcs.geometry._check import Parts

AT_ONCE = 1 << 18
"""Pairs of corners that are compared at once: 4 MB of differences."""


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
    # A few dozen corners: arrays of them take five times as long.
    x, y = ring[0], ring[1]
    xs, ys = [one - x for one in ring[0::2]], [one - y for one in ring[1::2]]
    return bool(sum(map(mul, xs, ys[1:])) > sum(map(mul, xs[1:], ys)))


def _reversed(ring: Sequence[float]) -> list[float]:
    return [value for at in range(len(ring) - 2, -1, -2) for value in ring[at : at + 2]]


def _joined(ring: list[float], other: list[float]) -> list[float]:
    """Go along `ring` to the corner nearest to `other`, around that and back, and on."""
    a, b = np.array(ring).reshape(-1, 2), np.array(other).reshape(-1, 2)
    nearest, at, start = np.inf, 0, 0
    step = max(1, AT_ONCE // len(a))
    for begin in range(0, len(b), step):
        distances = np.square(a - b[begin : begin + step, None]).sum(axis=2)
        place = int(distances.argmin())
        if distances.flat[place] < nearest:
            nearest = float(distances.flat[place])
            start, at = begin + place // len(a), place % len(a)
    i, j = 2 * at, 2 * start
    return [*ring[: i + 2], *other[j:], *other[: j + 2], *ring[i:]]
