"""
Binary masks as COCO run lengths: pixels in and out, area, IoU, set operations, polygons.

A mask is a pair `(size, counts)`: size (h, w), counts COCO's compressed text or a list of runs (see
`dvcs.geometry.rle`). All functions check what they are given and raise InvalidShape; none unpacks
pixels but `encode` and `decode`. Results carry the text that COCO itself would write.

This is the only module that calls pycocotools: for IoU and for drawing polygons, where results
must be COCO's to the pixel. It ends the process on NaN, on coordinates whose fivefold leaves 32
bits and on sizes without pixels, its `area` fails on 256 masks and more, and its `merge` writes
past a buffer where runs are empty; so nothing reaches it unchecked, and the rest is done here.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pycocotools import mask as _coco

from dvcs.errors import InvalidShape
from dvcs.geometry import _check
from dvcs.geometry.extents import MAX_PIXELS
from dvcs.geometry.rle import (
    Counts,
    Runs,
    Size,
    check,
    check_size,
    counts_from_list,
    counts_to_list,
    from_toggles,
    intervals,
    normalise,
    runs,
    spell,
)
from dvcs.geometry.tracing import trace

__all__ = [
    "MAX_OUTLINE",
    "MAX_PIXELS",
    "Mask",
    "area",
    "bbox",
    "bbox_of_intervals",
    "check",
    "counts_from_list",
    "counts_to_list",
    "decode",
    "encode",
    "from_box",
    "from_polygon",
    "iou",
    "iou_of_polygons",
    "merge",
    "normalise",
    "subtract",
    "to_polygon",
]

# COCO draws an outline as points 1/5 pixel apart, 16 bytes each: 3.3 million pixels, 256 MiB.
MAX_OUTLINE = 2**24
_STEPS = 5

# Five times this, and the difference of two such, stay within 32 bits.
_FARTHEST = 2e8

Mask = tuple[Size, Counts]
Text = tuple[tuple[int, int], str]


def encode(bitmap: ArrayLike) -> Text:
    """Return `(size, counts)` of a bitmap of shape (h, w); what is not zero is foreground."""
    pixels = np.asarray(bitmap)
    if pixels.ndim != 2 or pixels.dtype.kind not in "biuf":
        raise InvalidShape(f"a mask has two dimensions, but the bitmap is {pixels.shape}")
    size = check_size(pixels.shape)
    line = pixels.astype(np.bool_, copy=False).ravel(order="F")
    edges = np.flatnonzero(line[1:] != line[:-1]) + 1
    if line[0]:
        edges = np.insert(edges, 0, 0)
    return size, spell(from_toggles(edges, line.size))


def decode(size: Size, counts: Counts) -> NDArray[np.bool_]:
    """Return the pixels, shape (h, w), bool, in column-major order; h * w bytes."""
    lengths = runs(size, counts)
    height, width = check_size(size)
    values = np.arange(len(lengths)) % 2 == 1
    return np.repeat(values, lengths).reshape(width, height).T


def area(size: Size, counts: Counts) -> int:
    """Return the number of foreground pixels."""
    return int(runs(size, counts)[1::2].sum())


def bbox(size: Size, counts: Counts) -> tuple[float, float, float, float]:
    """Return x, y, w, h of the smallest box around the foreground; zeros for an empty mask."""
    return bbox_of_intervals(check_size(size)[0], *intervals(runs(size, counts)))


def bbox_of_intervals(height: int, start: Runs, end: Runs) -> tuple[float, float, float, float]:
    """Return the same of what `rle.intervals` gave for an image of this height."""
    if not len(start):
        return 0.0, 0.0, 0.0, 0.0
    left, right = start[0] // height, (end[-1] - 1) // height + 1
    if (start // height != (end - 1) // height).any():  # goes on in the next column
        top, bottom = 0, height
    else:
        top, bottom = (start % height).min(), ((end - 1) % height).max() + 1
    return float(left), float(top), float(right - left), float(bottom - top)


def iou(
    a: Sequence[Mask], b: Sequence[Mask], crowd: Sequence[bool] | None = None
) -> NDArray[np.float64]:
    """
    Return intersection over union of each of `a` with each of `b`, shape (len(a), len(b)).

    Where `crowd` is true for one of `b`, it is COCO's: intersection over the area of the one of
    `a`. Two empty masks have 0, as with COCO. All masks must have one size.
    """
    crowd = [False] * len(b) if crowd is None else crowd
    if len(crowd) != len(b):
        raise InvalidShape(f"'{len(crowd)}' crowd flags were given for '{len(b)}' masks")
    _common_size([*a, *b])
    if not len(a) or not len(b):
        return np.zeros((len(a), len(b)))
    return _iou([_record(m) for m in a], [_record(m) for m in b], crowd)


def merge(masks: Sequence[Mask], intersect: bool = False) -> Text:
    """Return the union of masks of one size, or their intersection."""
    size = _common_size(masks)
    if size is None:
        raise InvalidShape("there is no mask to merge")
    lengths = [runs(*mask) for mask in masks]
    return size, spell(_cover(lengths, [1] * len(masks), len(masks) if intersect else 1))


def subtract(mask: Mask, others: Sequence[Mask]) -> Text:
    """Return what of `mask` none of `others` covers; all of one size."""
    size = _common_size([mask, *others])
    assert size is not None  # noqa: S101 -- there is one mask at least
    lengths = [runs(*each) for each in (mask, *others)]
    return size, spell(_cover(lengths, [1] + [-1] * len(others), 1))


def from_polygon(parts: _check.Parts, size: Size) -> Text:
    """
    Draw a polygon (see `dvcs.geometry`) as COCO does, holes left out, into a mask of `size`.

    What lies outside the image is cut off. Each ring is filled by the even-odd rule.
    """
    _check.parts(parts)
    height, width = check_size(size)
    return (height, width), _draw(parts, height, width).decode("ascii")


def from_box(box: Sequence[float], size: Size) -> Text:
    """Draw a box x, y, w, h into a mask of `size`, as COCO does."""
    x, y, w, h = _check.columns([box], 4, "box")[0].tolist()
    return from_polygon([[[x, y, x, y + h, x + w, y + h, x + w, y]]], size)


def to_polygon(size: Size, counts: Counts) -> list[list[list[float]]]:
    """
    Return the outline along pixel edges as parts with holes; no part for an empty mask.

    Drawn again by `from_polygon` it is the same mask. Parts are 4-connected.
    """
    lengths = runs(size, counts)
    return trace(check_size(size)[0], lengths) if len(lengths) > 1 else []


def iou_of_polygons(a: _check.Parts, b: _check.Parts, size: Size) -> float:
    """Return the IoU of two polygons drawn into masks of `size`; 0 if no pixel is in both."""
    height, width = check_size(size)
    drawn: list[dict[str, object]] = [
        {"size": [height, width], "counts": _draw(parts, height, width)} for parts in (a, b)
    ]
    return float(_iou(drawn[:1], drawn[1:], [False])[0, 0])


def _draw(parts: _check.Parts, height: int, width: int) -> bytes:
    """Counts of checked parts; one ring alone goes straight through."""
    rings = [ring for part in parts for ring in part]
    _check_outlines(rings)
    texts: list[bytes] = [drawn["counts"] for drawn in _coco.frPyObjects(rings, height, width)]
    if len(texts) == 1:
        return texts[0]
    size, shapes, at = (height, width), [], 0
    for part in parts:
        outer, *holes = (runs(size, text) for text in texts[at : at + len(part)])
        at += len(part)
        shapes.append(_cover([outer, *holes], [1] + [-1] * len(holes), 1) if holes else outer)
    return spell(_cover(shapes, [1] * len(shapes), 1)).encode("ascii")


def _check_outlines(rings: Iterable[Sequence[float]]) -> None:
    for ring in rings:
        # No step is longer than twice the largest coordinate: that settles it for most rings in a
        # tenth of the time.
        farthest = max(map(abs, ring))
        if farthest <= _FARTHEST and (_STEPS * farthest + 1) * len(ring) <= MAX_OUTLINE:
            continue
        points = np.asarray(ring, dtype=np.float64).reshape(-1, 2)
        if np.abs(points).max() > _FARTHEST:
            raise InvalidShape(
                f"coordinate '{np.abs(points).max():g}' of a polygon is too far outside its image"
            )
        steps = np.abs(np.diff(points, axis=0, append=points[:1])).max(axis=1)
        if _STEPS * steps.sum() + 2 * len(points) > MAX_OUTLINE:
            raise InvalidShape(
                f"a polygon's outline of '{steps.sum():.0f}' pixels is too long to be drawn",
                hint="simplify the polygon, or check that its coordinates are pixels",
            )


def _iou(
    a: list[dict[str, object]], b: list[dict[str, object]], crowd: Sequence[bool]
) -> NDArray[np.float64]:
    result: NDArray[np.float64] = _coco.iou(a, b, [int(flag) for flag in crowd])
    return result


def _record(mask: Mask) -> dict[str, object]:
    """Return pycocotools' form of a mask, safe to hand over: checked, and free of zero runs."""
    return {"size": list(check_size(mask[0])), "counts": normalise(*mask).encode("ascii")}


def _common_size(masks: Sequence[Mask]) -> tuple[int, int] | None:
    sizes = {check_size(size) for size, _ in masks}
    if len(sizes) > 1:
        (h, w), (other_h, other_w) = sorted(sizes)[:2]
        raise InvalidShape(f"masks of different sizes: '{h} x {w}' and '{other_h} x {other_w}'")
    return next(iter(sizes), None)


def _cover(lengths: Sequence[Runs], weights: Sequence[int], least: int) -> Runs:
    """Return the runs of the pixels where the weights of the masks covering them reach `least`."""
    if len(lengths) == 1:
        return lengths[0]
    start, end = zip(*(intervals(each) for each in lengths), strict=True)
    weight = np.repeat(weights, [len(each) for each in start])
    place = np.concatenate([*start, *end])
    order = np.argsort(place, kind="stable")
    place = place[order]
    level = np.concatenate([weight, -weight])[order].cumsum()
    final = np.ones(len(place), dtype=np.bool_)  # after all changes at one place
    final[:-1] = place[1:] != place[:-1]
    place, inside = place[final], level[final] >= least
    changes = np.diff(inside, prepend=False)
    return from_toggles(place[changes], int(lengths[0].sum()))
