"""What every function here asks of coordinates before it computes: numbers, finite, not absurd."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dvcs.errors import InvalidShape

# Beyond this a product of two sides, or five times a coordinate in 32 bits, stops being a number.
MAX_COORDINATE = 1e9

Parts = Sequence[Sequence[Sequence[float]]]


def columns(values: ArrayLike, width: int, what: str) -> NDArray[np.float64]:
    """
    Return `values` as a float64 array of shape (N, width), finite and within `MAX_COORDINATE`.

    An empty sequence is N = 0. Raises InvalidShape; `what` names one row in the message.
    """
    array = numbers(values, what)
    if array.size == 0:
        return array.reshape(0, width)
    if array.ndim != 2 or array.shape[1] != width:
        raise InvalidShape(f"a {what} has {width} numbers, but the array is {array.shape}")
    return array


def numbers(values: ArrayLike, what: str) -> NDArray[np.float64]:
    """Return `values` as a float64 array of any shape, finite and within `MAX_COORDINATE`."""
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise InvalidShape(f"the coordinates of a {what} are not all numbers") from None
    # One pass refuses NaN too: no comparison with it is true.
    if array.size and not np.abs(array).max() <= MAX_COORDINATE:
        raise _unusable(array, what)
    return array


def plain(values: Sequence[float], what: str) -> Sequence[float]:
    """Check a flat sequence without making an array of it (a dozen numbers: 1 us, numpy 6)."""
    try:
        total = math.fsum(map(abs, values))
    except (TypeError, ValueError, OverflowError):
        raise InvalidShape(f"the coordinates of a {what} are not all finite numbers") from None
    if not total <= MAX_COORDINATE:  # also NaN; a long ring may exceed it in sum only
        numbers(values, what)
    return values


def parts(value: Parts) -> None:
    """
    Check a polygon: at least one part, a ring in each, three points or more in each ring.

    Raises InvalidShape.
    """
    if not len(value) or not all(len(rings) for rings in value):
        raise InvalidShape(
            "a polygon has no ring", hint="each part is a list of rings, the outer one first"
        )
    for rings in value:
        for points in rings:
            ring(points)


def ring(points: Sequence[float]) -> None:
    """Check one flat ring: an even number of finite coordinates, three points or more."""
    try:
        count = len(points)
    except TypeError:
        raise InvalidShape(
            "a ring of a polygon is not a list", hint="a polygon is parts > rings > coordinates"
        ) from None
    if count % 2:
        raise InvalidShape(f"a polygon ring has {count} coordinates, an odd number")
    if count < 6:
        raise InvalidShape(f"a polygon ring has {count // 2} points, at least 3 are needed")
    plain(points, "polygon")


def share(value: float, what: str) -> float:
    """Check a number between 0 and 1, such as a smallest IoU."""
    if not 0 <= value <= 1:
        raise InvalidShape(f"{what} is '{value}', not between 0 and 1")
    return float(value)


def _unusable(array: NDArray[np.float64], what: str) -> InvalidShape:
    bad = array[~(np.abs(array) <= MAX_COORDINATE)].flat[0]
    if math.isfinite(bad):
        return InvalidShape(
            f"coordinate '{bad:g}' of a {what} is beyond {MAX_COORDINATE:g} pixels",
        )
    return InvalidShape(f"coordinate '{bad}' of a {what} is not a finite number")
