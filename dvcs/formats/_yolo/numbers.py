"""
Numbers in rows of YOLO label files: parts of the image's width and height, and their spelling.

They are written with 10 significant digits, small ones with 10 decimals: on an image of 10,000
pixels that is a millionth of a pixel.
"""

import math
from collections.abc import Sequence
from decimal import Decimal

NAME = "yolo"
"""Under this name YOLO's own things stand in `extra`, `derived` and the metadata."""
FORMS: dict[int, str] = {}
"""How so many numbers are written."""
DECIMALS = 10
"""The most decimals of corners, and of numbers that `%g` would write with an exponent."""


class RowError(ValueError):
    """A row is not what its task promises; the message says why."""


def checked(numbers: list[float]) -> list[float]:
    """Return finite numbers. Raises RowError for others: some are, times the image's size."""
    total = sum(numbers)
    if total - total != 0 and not all(map(math.isfinite, numbers)):
        raise RowError("a number is too large")
    return numbers


def scaled(numbers: Sequence[float], height: int, width: int) -> list[float]:
    """Return flat points in pixels. Raises RowError for what is too large."""
    found = [0.0] * len(numbers)
    found[0::2] = [x * width for x in numbers[0::2]]
    found[1::2] = [y * height for y in numbers[1::2]]
    return checked(found)


def ring_numbers(points: Sequence[float], height: int, width: int) -> list[float]:
    """Return flat points in parts of the image."""
    numbers = [0.0] * len(points)
    numbers[0::2] = [x / width for x in points[0::2]]
    numbers[1::2] = [y / height for y in points[1::2]]
    return numbers


def spelt(values: Sequence[float]) -> str:
    """Return numbers as they stand in a row."""
    # The old way of formatting is twice as fast, and rows are most of an export's work.
    form = FORMS.get(len(values))
    if form is None:
        form = FORMS[len(values)] = " ".join(["%.10g"] * len(values))
    text = form % tuple(values)
    return " ".join(map(_fixed, values)) if "e" in text or "-0" in text else text


def _fixed(value: float) -> str:
    """Return a number without an exponent, which not every trainer reads."""
    text = f"{value:.10g}"
    if "e-" in text:  # what turning a box leaves in place of 0 is 0
        text = f"{value:.{DECIMALS}f}".rstrip("0").rstrip(".")
    elif "e" in text:
        text = f"{Decimal(text):f}"
    return "0" if text == "-0" else text
