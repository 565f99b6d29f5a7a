"""
Lines and text on pictures, by OpenCV: what `diff -o DIR` draws annotations with.

A picture is an array of shape (height, width, 3), uint8, in the order BGR, drawn on in place.
Colours are (red, green, blue). Coordinates are the continuous ones of the whole package: pixel
(0, 0) covers [0, 1] x [0, 1].

This module imports OpenCV and NumPy: import it where it is used.
"""

import math
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from dvcs.media import pixels  # noqa: F401 - it says how OpenCV is to be loaded

# isort: split
import cv2

Picture = NDArray[Any]
Color = tuple[int, int, int]
Ring = Sequence[float]

_SHIFT: Final = 4
_DASH: Final = 7.0
"""Length of a dash and of the gap after it, in pixels."""
_FARTHEST: Final = 30_000
"""Coordinates beyond are cut: OpenCV counts in sixteenths of a pixel, in 32 bits."""
_MOST_DASHES: Final = 20_000
_FONT: Final = cv2.FONT_HERSHEY_SIMPLEX
TEXT_HEIGHT: Final = 18


def blank(height: int, width: int, color: Color = (240, 240, 240)) -> Picture:
    """Return a picture of one colour."""
    return np.full((height, width, 3), color[::-1], np.uint8)


def in_color(image: Picture) -> Picture:
    """Return an image of 8 bits, with one channel or three, as a picture that can be drawn on."""
    if image.ndim == 2 or image.shape[2] == 1:
        return cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    return np.ascontiguousarray(image)


def outline(
    picture: Picture,
    ring: Ring,
    color: Color,
    *,
    scale: float = 1.0,
    closed: bool = True,
    thickness: int = 2,
    dashed: bool = False,
) -> None:
    """Draw a line through x0, y0, x1, y1, ..., each times `scale`; back to the start if closed."""
    points = _points(ring, scale)
    if len(points) < 2:
        return
    pieces = [points]
    if dashed:
        pieces = _dashes(np.vstack([points, points[:1]]) if closed else points)
    lines = [np.round(piece * (1 << _SHIFT)).astype(np.int32) for piece in pieces]
    whole = closed and not dashed
    cv2.polylines(picture, lines, whole, color[::-1], thickness, cv2.LINE_AA, _SHIFT)


def dots(
    picture: Picture, ring: Ring, color: Color, *, scale: float = 1.0, radius: float = 3.0
) -> None:
    """Draw a dot at each of x0, y0, x1, y1, ..."""
    for x, y in np.round(_points(ring, scale) * (1 << _SHIFT)).astype(int).tolist():
        size = round(radius * (1 << _SHIFT))
        cv2.circle(picture, (x, y), size, color[::-1], -1, cv2.LINE_AA, _SHIFT)


def text(picture: Picture, words: str, x: float, y: float, color: Color) -> None:
    """Write a line of text in white on a bar of a colour, its upper left corner near x, y."""
    (width, _), _ = cv2.getTextSize(words, _FONT, 0.45, 1)
    height, right = picture.shape[:2]
    left = max(0, min(round(x), right - width - 6))
    top = max(0, min(round(y), height - TEXT_HEIGHT))
    corner = (left + width + 6, top + TEXT_HEIGHT)
    cv2.rectangle(picture, (left, top), corner, color[::-1], -1)
    ink = (255, 255, 255) if sum(color) < 450 else (0, 0, 0)
    cv2.putText(picture, words, (left + 3, top + 13), _FONT, 0.45, ink, 1, cv2.LINE_AA)


def beneath(picture: Picture, words: Iterable[tuple[str, Color]]) -> Picture:
    """Return a picture with lines of text below it, wrapped to its width."""
    fitting = max(12, (picture.shape[1] - 6) // 9)
    lines = [
        (line, color) for whole, color in words for line in textwrap.wrap(whole, fitting) or [""]
    ]
    bar = blank(TEXT_HEIGHT * len(lines), picture.shape[1], (255, 255, 255))
    for n, (line, color) in enumerate(lines):
        text(bar, line, 0, n * TEXT_HEIGHT, color)
    return np.vstack([picture, bar])


def table(rows: Sequence[str], numbers: Sequence[Sequence[int]]) -> Picture:
    """
    Return a picture of a square table: rows by name, columns by the same numbers, from 1.

    A cell is the darker the larger its share of its row.
    """
    side = 34
    widest = max((cv2.getTextSize(one, _FONT, 0.45, 1)[0][0] for one in rows), default=0)
    left, count = min(widest + 50, 400), len(rows)
    picture = blank((count + 1) * side, left + count * side + 1, (255, 255, 255))
    for i, name in enumerate(rows):
        _word(picture, f"{i + 1}  {name}", 4, (i + 1) * side + 22)
        _word(picture, str(i + 1), left + i * side + 8, 22)
        total = sum(numbers[i]) or 1
        for j, number in enumerate(numbers[i]):
            x, y = left + j * side, (i + 1) * side
            share = number / total
            shade = (255, round(255 - 140 * share), round(255 - 220 * share))
            cv2.rectangle(picture, (x, y), (x + side, y + side), shade, -1)
            cv2.rectangle(picture, (x, y), (x + side, y + side), (200, 200, 200), 1)
            if number:
                _word(picture, _short(number), x + 3, y + 22)
    return picture


def _word(picture: Picture, words: str, x: int, y: int) -> None:
    cv2.putText(picture, words, (x, y), _FONT, 0.4, (0, 0, 0), 1, cv2.LINE_AA)


def _short(number: int) -> str:
    return str(number) if number < 10_000 else f"{number // 1000}k"


def _points(ring: Ring, scale: float) -> NDArray[np.float64]:
    values = np.asarray(ring[: len(ring) // 2 * 2], np.float64).reshape(-1, 2) * scale
    # The centre of OpenCV's pixel 0 is at 0, ours is at 0.5.
    return np.clip(np.nan_to_num(values), -_FARTHEST, _FARTHEST) - 0.5


def _dashes(points: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Cut a line into dashes; a very long one stays whole."""
    steps = np.hypot(*np.diff(points, axis=0).T)
    ends = np.concatenate([[0.0], np.cumsum(steps)])
    total = float(ends[-1])
    if not math.isfinite(total) or total > _MOST_DASHES * _DASH:
        return [points]
    starts = np.arange(0.0, total, 2 * _DASH)
    pieces = []
    for start in starts.tolist():
        stop = min(start + _DASH, total)
        between = points[(ends > start) & (ends < stop)]
        edges = [[np.interp(at, ends, points[:, k]) for k in (0, 1)] for at in (start, stop)]
        pieces.append(np.vstack([edges[:1], between, edges[1:]]))
    return pieces
