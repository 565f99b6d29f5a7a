"""
Which numbers rows may have: above some Ultralytics takes no image, far above they are pixels.

Ultralytics (`verify_image_label` in `ultralytics/data/utils.py`, 8.3) leaves out an image, with a
warning among many, where a number of its labels is above 1.01 or below -0.01; versions of before
2025 where it is above 1 or below 0. It looks at centre, width and height: of outlines and rotated
boxes at those of their extent, of poses at no box above 1, but at each keypoint.
"""

from collections.abc import Sequence
from typing import Final

from dvcs.formats._yolo.numbers import RowError

LEAST: Final = -0.01
MOST: Final = 1.01
LEFT_OUT: Final = (
    "Ultralytics leaves out an image of which a label reaches too far out of it"
    f" (numbers above {MOST:g} or below {LEAST:g})"
)
FAR: Final = 32.0
"""
From here on a number is one of pixels. A shape that many images away from its own is of no use, and
slips of scale (an image made smaller, its labels not) stay far below. In rows of pixels the larger
numbers are above, unless a box is small and in the corner.
"""


def is_left_out(task: str, numbers: Sequence[float], dims: int = 3) -> bool:
    """
    Tell whether Ultralytics leaves out an image because of a row with these numbers.

    A score may follow them; `dims` is how many numbers a keypoint has.
    """
    if task == "pose":
        points = numbers[4:]
        most = max([*points[0::dims], *points[1::dims]], default=0.0)
        return most > MOST or min(numbers) < LEAST
    if task in {"segment", "obb"}:
        even = len(numbers) // 2 * 2
        xs, ys = numbers[0:even:2], numbers[1:even:2]
        left, right, top, bottom = min(xs), max(xs), min(ys), max(ys)
        numbers = ((left + right) / 2, (top + bottom) / 2, right - left, bottom - top)
    return max(numbers[:4]) > MOST or min(numbers[:4]) < LEAST


def check_near(numbers: Sequence[float]) -> None:
    """Raise RowError for coordinates that are no parts of an image, but pixels."""
    most = max(numbers, default=0.0)
    if most > FAR:
        raise RowError(
            f"the number {most:g} is no part of an image: are these pixels? YOLO's are divided by"
            " the image's width and height, and are from 0 to 1"
        )
