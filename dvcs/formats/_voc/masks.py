"""
Masks of Pascal VOC as images: one of classes, one of instances, of the same size.

A pixel's value is the number of its label (its line in the label map, from 0), or of its instance
(from 1, 0 for none); 255 is `ignored`: borders of objects and doubtful areas. In images of 16 bits
the numbers go on after that: position 255 is number 256. The image is a PNG with a palette, in grey
(numbers as they are, 16 bits where 8 do not do), or in colours. Masks are read and painted as runs
along columns, never as a bitmap each.

This module imports NumPy and, when an image is read, OpenCV: import it where it is used.
"""

import struct
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from dvcs.errors import FormatError, InvalidMedia
from dvcs.formats._voc.labels import Color, color_of
from dvcs.geometry import painting, rle
from dvcs.geometry.masks import bbox
from dvcs.media import png
from dvcs.model import Annotation

VOID: Final = 255
NOTHING: Final = -1
"""What black means where no label is the background."""
COLORS: Final = tuple(color_of(number) for number in range(256))
BY_COLOR: Final[Mapping[Color, int]] = {color: number for number, color in enumerate(COLORS)}
PALETTE: Final = bytes(part for color in COLORS for part in color)
"""The palette of images of instances."""
Array = np.ndarray[Any, np.dtype[Any]]


class Region(NamedTuple):
    """One instance, or all of a class: its number, the number of its label, its run lengths."""

    number: int
    label: int | None
    size: tuple[int, int]
    counts: str


class Picture(NamedTuple):
    """An image as runs along its columns: where each begins, and its number."""

    size: tuple[int, int]
    starts: Array
    values: Array


# -- reading -------------------------------------------------------------------------------------


def read_picture(
    data: bytes, place: str, colors: Mapping[Color, int], *, by_color: bool
) -> Picture:
    """
    Return an image of numbers; `colors` says which a colour means.

    With `by_color`, a palette's colours count before its indices. Raises FormatError for colours
    that mean nothing, and for what is no image.
    """
    from dvcs.media.pixels import decode

    palette, data = _without_palette(data)
    try:
        image = decode(data)
    except InvalidMedia as error:
        raise FormatError(f"{error}", place, hint=error.hint) from None
    if image.ndim == 3 and palette is None:
        codes = image[:, :, 2].astype(np.uint32) << 16
        codes |= image[:, :, 1].astype(np.uint32) << 8
        codes |= image[:, :, 0]
    elif image.ndim == 3:
        codes = image[:, :, 0].astype(np.uint32)
    else:
        codes = image
    if codes.dtype.kind not in "ui":
        raise FormatError("a mask should hold whole numbers", place)
    starts, found = _runs(codes)
    kinds, inverse = np.unique(found, return_inverse=True)
    if palette is not None:
        numbers = [_index(int(one), palette, colors, by_color=by_color) for one in kinds]
    elif image.ndim == 3:
        numbers = _numbers(kinds.tolist(), colors, place)
    else:
        numbers = kinds.tolist()
    values = np.array(numbers, dtype=np.int64)[inverse.ravel()]
    return Picture((int(codes.shape[0]), int(codes.shape[1])), starts, values)


def _runs(codes: Array) -> tuple[Array, Array]:
    flat = codes.ravel(order="F")
    starts = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    starts = np.concatenate([[0], starts])
    return starts, flat[starts]


def _index(number: int, palette: bytes, colors: Mapping[Color, int], *, by_color: bool) -> int:
    if not by_color or 3 * number + 3 > len(palette):
        return number
    red, green, blue = palette[3 * number : 3 * number + 3]
    return colors.get((red, green, blue), number)


def _numbers(codes: Sequence[int], colors: Mapping[Color, int], place: str) -> list[int]:
    wanted = [(code >> 16, code >> 8 & 255, code & 255) for code in codes]
    if all(red == green == blue for red, green, blue in wanted) and any(
        color not in colors for color in wanted
    ):
        return [red for red, _, _ in wanted]  # grey numbers in three channels
    for color in wanted:
        if color not in colors:
            raise FormatError(
                f"the colour {color} is not in the label map",
                place,
                hint="add a label with this colour to labelmap.txt",
            )
    return [colors[color] for color in wanted]


def _without_palette(data: bytes) -> tuple[bytes | None, bytes]:
    """
    Return the palette of a PNG, and the PNG without it, so that decoded it shows the numbers.

    One of 8 bits is called grey; for less, where decoding would scale grey values, number n gets
    the colour (n, n, n).
    """
    if not data.startswith(png.SIGNATURE) or data[12:16] != b"IHDR" or data[25:26] != b"\x03":
        return None, data
    whole = data[24:25] == b"\x08"
    at, pieces, palette = 8, [png.SIGNATURE], b""
    while at + 12 <= len(data):
        (size,) = struct.unpack(">I", data[at : at + 4])
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + size]
        if kind == b"PLTE":
            palette = body
            if not whole:
                count = min(len(body) // 3, 256)
                pieces.append(png.chunk(kind, bytes(n for n in range(count) for _ in range(3))))
        elif kind == b"IHDR" and whole:
            pieces.append(png.chunk(kind, body[:9] + b"\0" + body[10:]))
        elif kind != b"tRNS":
            pieces.append(data[at : at + 12 + size])
        at += 12 + size
    return palette, b"".join(pieces)


def regions(
    classes: Picture | None, objects: Picture | None, place: str, *, count: int, background: int
) -> tuple[list[Region], Region | None]:
    """
    Return the instances of an item by number, and what is ignored.

    Without an image of objects, each class is one region without a number (0); without one of
    classes, labels are None. `count` is how many labels there are (FormatError for more),
    `background` the position of that label, NOTHING where there is none.
    """
    if classes is not None and objects is not None and classes.size != objects.size:
        raise FormatError(
            f"masks of classes and objects differ in size: {classes.size} and {objects.size}", place
        )
    if classes is not None:
        classes = classes._replace(values=_positions(classes.values))
        wrong = classes.values[classes.values >= count]
        if wrong.size:
            raise FormatError(
                f"number {int(wrong[0])} is not of a label: there are {count}",
                place,
                hint="name all labels in labelmap.txt, a line for each number from 0",
            )
    if objects is not None:
        objects = objects._replace(values=_positions(objects.values))
    if classes is None:
        assert objects is not None  # noqa: S101 -- the caller has one of the two
        labels = np.full_like(objects.values, NOTHING)
        return _cut(objects.size, objects.starts, objects.values, labels, none=0)
    if objects is None:
        found, void = _cut(
            classes.size, classes.starts, classes.values, classes.values, none=background
        )
        return [one._replace(number=0) for one in found], void
    starts = np.union1d(classes.starts, objects.starts)
    numbers = objects.values[np.searchsorted(objects.starts, starts, "right") - 1]
    labels = classes.values[np.searchsorted(classes.starts, starts, "right") - 1]
    numbers = np.where((labels == _VOID) & (numbers == 0), _VOID, numbers)
    return _cut(classes.size, starts, numbers, labels, none=0)


_VOID: Final = -2
"""What is ignored, while numbers are positions: those have no gap at 255."""


def _positions(values: Array) -> Array:
    return np.where(values == VOID, _VOID, values - (values > VOID))


def _cut(
    size: tuple[int, int], starts: Array, numbers: Array, labels: Array, *, none: int
) -> tuple[list[Region], Region | None]:
    """Return a region for each number but `none` and NOTHING, labelled as most of its pixels."""
    total = size[0] * size[1]
    ends = np.append(starts[1:], total)
    found, void = [], None
    for number in np.unique(numbers).tolist():
        if number in {none, NOTHING}:
            continue
        chosen = numbers == number
        edges = np.stack([starts[chosen], ends[chosen]], axis=1).ravel()
        # Where a class changes inside an instance, one run ends where the next begins.
        touching = np.flatnonzero(edges[2::2] == edges[1:-1:2])
        edges = np.delete(edges, np.concatenate([2 * touching + 1, 2 * touching + 2]))
        counts = rle.spell(rle.from_toggles(edges, total))
        if number == _VOID:
            void = Region(VOID, None, size, counts)
            continue
        known = chosen & (labels >= 0)
        label = None
        if known.any():
            label = int(np.bincount(labels[known], (ends - starts)[known]).argmax())
        found.append(Region(number, label, size, counts))
    return found, void


def fit(region: Region, box: Annotation) -> tuple[float, bool]:
    """Return the IoU of a box and a mask's extent, and whether the mask lies in the box."""
    left, top, w, h = bbox(region.size, region.counts)
    x, y, width, height = box.geometry
    common_w = min(left + w, x + width) - max(left, x)
    common_h = min(top + h, y + height) - max(top, y)
    common = max(common_w, 0.0) * max(common_h, 0.0)
    whole = w * h + width * height - common
    return (common / whole if whole > 0 else 0.0), common_w >= w and common_h >= h


def number_of(position: int) -> int:
    """Return the value of a label's position or of an instance: all but 255."""
    return position if position < VOID else position + 1


# -- painting ------------------------------------------------------------------------------------


class Painted(NamedTuple):
    """PNGs; how many masks are covered in part or whole; x, y, w, h around each."""

    images: list[bytes]
    covered: int
    extents: list[tuple[float, float, float, float]]


def paint(
    masks: Sequence[tuple[tuple[int, int], str]],
    values: Sequence[Sequence[int]],
    palettes: Sequence[bytes | None],
) -> Painted:
    """
    Paint masks, later ones over earlier, a PNG for each row of `values`: each mask's number in it.

    Numbers above 255 make a grey image of 16 bits; a palette of None one of 8. Raises InvalidShape
    where the masks' sizes differ.
    """
    canvas = painting.paint(masks)
    (height, width), pixels = canvas.size, canvas.pixels
    # A row of a PNG begins with a byte that says how it is filtered: 0 for not at all, which each
    # table leaves as it is, as it does the background.
    raw = bytearray(height * (width + 1) * pixels.itemsize)
    rows = np.frombuffer(raw, dtype=pixels.dtype).reshape(height, width + 1)
    window = canvas.window
    rows[:, 1:][window] = canvas.rows[window]
    images, natural = [], list(range(1, len(masks) + 1))
    for row, palette in zip(values, palettes, strict=True):
        wide = max(row) > 255
        body: bytes | bytearray
        if wide or pixels.dtype != np.uint8:
            table = np.array([0, *row], dtype=">u2" if wide else np.uint8)
            body = png.rows_of(table[rows[:, 1:]])
        elif row == natural:
            body = raw
        else:  # of single bytes three times as fast
            body = raw.translate(bytes([0, *row]).ljust(256, b"\0"))
        if wide or palette is None:
            images.append(png.from_rows(body, canvas.size, png.GREY, bits=16 if wide else 8))
        else:
            images.append(png.from_rows(body, canvas.size, png.PALETTE, palette=palette))
    return Painted(images, canvas.covered, canvas.extents)
