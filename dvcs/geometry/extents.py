"""Boxes around shapes, of plain lists: readers of one file need not load NumPy for them (80 ms)."""

from collections.abc import Sequence
from itertools import accumulate

MAX_PIXELS = 2**28
"""268 megapixels: the largest mask that is ever unpacked (one byte a pixel)."""


def box_of_runs(
    size: tuple[int, int], lengths: Sequence[int]
) -> tuple[float, float, float, float] | None:
    """
    Return x, y, w, h of the smallest box around a mask's foreground, as `masks.bbox` does.

    `size` is (h, w), `lengths` the runs as a list (see `dvcs.geometry.rle`). None for a mask that
    has no foreground, runs of length 0 after the first, or runs that do not fit the size.
    """
    height, width = size
    edges = list(accumulate(lengths))
    if len(edges) < 2 or min(lengths[1:]) < 1 or lengths[0] < 0:
        return None
    if height < 1 or edges[-1] != height * width or edges[-1] > MAX_PIXELS:
        return None
    starts, lasts = edges[0::2], [end - 1 for end in edges[1::2]]
    left, right = starts[0] // height, lasts[-1] // height + 1
    tops, bottoms = [], []
    for start, last in zip(starts, lasts, strict=False):
        top, bottom = start % height, last % height
        if bottom - top != last - start:  # goes on in the next column
            return float(left), 0.0, float(right - left), float(height)
        tops.append(top)
        bottoms.append(bottom)
    top, bottom = min(tops), max(bottoms) + 1
    return float(left), float(top), float(right - left), float(bottom - top)
