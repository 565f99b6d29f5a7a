"""
CVAT's masks: row by row within a box, the first run of background; and back from COCO's columns.

    rle="1, 2, 3" left="10" top="5" width="3" height="2"      .##
                                                              ...   at (10, 5)

Import it only where there is a mask: it needs numpy.
"""

from collections.abc import Sequence

import numpy as np

from dvcs.errors import InvalidShape
from dvcs.geometry import rle

Box = tuple[int, int, int, int]
"""Left, top, width, height."""


def to_counts(lengths: Sequence[int], box: Box, size: tuple[int, int]) -> tuple[str, bool]:
    """
    Return a mask's COCO counts for an image of `size` (height, width), and if its box is tight.

    Raises InvalidShape where the box is not within the image or the runs do not fill it.
    """
    left, top, width, height = box
    rows, columns = rle.check_size(size)
    if min(box) < 0 or not width or not height or left + width > columns or top + height > rows:
        raise InvalidShape(
            f"a mask's box '{left}, {top}, {width} x {height}' is not within the image"
            f" of {columns} x {rows} pixels"
        )
    if min(lengths, default=0) < 0 or max(lengths, default=0) > width * height:
        raise InvalidShape("a run of a mask is longer than its box, or negative")
    if sum(lengths) != width * height:
        raise InvalidShape(
            f"the runs of a mask cover {sum(lengths)} pixels, but its box is {width} x {height}"
        )
    padded = np.zeros((height + 2, width), dtype=np.bool_)
    pixels = padded[1:-1]
    pixels[:] = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths).reshape(height, width)
    sides = (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1])
    changes = np.ascontiguousarray((padded[1:] != padded[:-1]).T)  # one line a column
    column, row = np.divmod(np.flatnonzero(changes), height + 1)
    places = (left + column) * rows + top + row
    # A run that goes on at the top of the next column ends and starts at one place: no edge.
    edge = np.ones(len(places), dtype=np.bool_)
    twice = places[1:] == places[:-1]
    edge[1:][twice] = False
    edge[:-1][twice] = False
    counts = rle.spell(rle.from_toggles(places[edge].astype(np.int64), rows * columns))
    return counts, all(side.any() for side in sides)


def from_counts(size: tuple[int, int], counts: str, box: Box | None) -> tuple[list[int], Box]:
    """Return CVAT's runs and their box: the smallest one, or `box` where that holds the mask."""
    rows, _ = rle.check_size(size)
    start, end = rle.intervals(rle.runs(size, counts))
    if not len(start):
        left, top, width, height = box or (0, 0, 1, 1)
        return [width * height], (left, top, width, height)
    first, last = int(start[0]) // rows, int(end[-1] - 1) // rows + 1
    steps = np.zeros((last - first) * rows + 1, dtype=np.int8)
    steps[start - first * rows] = 1
    steps[end - first * rows] = -1
    pixels = steps[:-1].cumsum(dtype=np.int8).reshape(last - first, rows).T
    filled = np.flatnonzero(pixels.any(axis=1))
    high, low = int(filled[0]), int(filled[-1]) + 1
    if box is None or not _holds(box, (first, high, last - first, low - high), size):
        box = (first, high, last - first, low - high)
    left, top, width, height = box
    line = np.zeros((height, width), dtype=np.int8)
    line[high - top : low - top, first - left : last - left] = pixels[high:low]
    flat = line.ravel()
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    lengths = np.diff(edges, prepend=0, append=flat.size).tolist()
    return ([0, *lengths] if flat[0] else lengths), box


def _holds(box: Box, inner: Box, size: tuple[int, int]) -> bool:
    left, top, width, height = box
    return (
        0 <= left <= inner[0]
        and 0 <= top <= inner[1]
        and inner[0] + inner[2] <= left + width <= size[1]
        and inner[1] + inner[3] <= top + height <= size[0]
    )
