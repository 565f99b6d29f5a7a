"""
Painting masks over one another: whose pixel is whose, found from run lengths.

Masks are never unpacked: a photograph of 12 million pixels with three small objects costs one pass
over its pixels, not six.
"""

from collections.abc import Sequence
from operator import add
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dvcs.errors import InvalidShape
from dvcs.geometry import rle
from dvcs.geometry.masks import bbox_of_intervals

_Numbers = NDArray[np.unsignedinteger[Any]]


class Canvas(NamedTuple):
    """Masks painted over one another."""

    size: tuple[int, int]
    """Height and width."""
    pixels: _Numbers
    """For each pixel, column by column, the number of the mask on top, from 1; 0 for none."""
    starts: rle.Runs
    """Where in `pixels` each run of equal ones begins."""
    covered: int
    """How many masks are covered by others, in part or whole."""
    extents: list[tuple[float, float, float, float]]
    """x, y, w, h around each mask, as it was before others covered it."""

    @property
    def rows(self) -> _Numbers:
        """The numbers of the pixels by row, shape (h, w); a view."""
        height, width = self.size
        return self.pixels.reshape(width, height).T

    @property
    def window(self) -> tuple[slice, slice]:
        """The rows and columns outside of which there is nothing: often most of a photograph."""
        boxes = [box for box in self.extents if box[2]]
        if not boxes:
            return slice(0), slice(0)
        x, y, w, h = zip(*boxes, strict=True)
        right, bottom = (max(map(add, *pair)) for pair in ((x, w), (y, h)))
        return slice(int(min(y)), int(bottom)), slice(int(min(x)), int(right))


def paint(masks: Sequence[tuple[tuple[int, int], rle.Counts]]) -> Canvas:
    """
    Paint masks, at least one, later ones over earlier.

    Numbers are uint8 where 255 masks or fewer are painted, else uint32. Raises InvalidShape where
    the masks' sizes differ or their runs do not add up.
    """
    sizes = {tuple(size) for size, _ in masks}
    if len(sizes) > 1:
        (h, w), (other_h, other_w) = sorted(sizes)[:2]
        raise InvalidShape(f"masks of different sizes: '{h} x {w}' and '{other_h} x {other_w}'")
    height, width = rle.check_size(sizes.pop())
    numbers: type[np.unsignedinteger[Any]] = np.uint8 if len(masks) < 256 else np.uint32
    pixels = np.zeros(height * width, dtype=numbers)
    areas, extents = [0], []
    for number, (size, counts) in enumerate(masks, 1):
        starts, ends = rle.intervals(rle.runs(size, counts))
        extents.append(bbox_of_intervals(height, starts, ends))
        areas.append(int((ends - starts).sum()))
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
            pixels[start:end] = number
    starts = np.concatenate(([0], np.flatnonzero(pixels[1:] != pixels[:-1]) + 1))
    lengths = np.diff(starts, append=pixels.size)
    seen = np.bincount(pixels[starts], lengths, minlength=len(areas))
    covered = int(np.count_nonzero(seen[1:] != areas[1:]))
    return Canvas((height, width), pixels, starts, covered, extents)
