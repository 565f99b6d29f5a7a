"""
Annotations of one kind as another: what a writer is given where its format lacks a kind.

    from           to
    mask           polygon (outline along pixel edges), bbox, rotated_bbox
    polygon        mask (needs the image's size), bbox, rotated_bbox,
                   polygon of one ring (parts and holes joined by bridges of no width)
    rotated_bbox   polygon, bbox, mask
    ellipse        polygon (72 points), rotated_bbox, bbox, mask
    bbox           polygon, rotated_bbox (angle 0), mask
    polyline       bbox, rotated_bbox
    points         bbox, rotated_bbox (of those that are not absent)

A rotated box is the smallest around all points. Of the four corners of a rectangle it is that
rectangle, its width along the first side.

What is said beside the shape stays: label, id, group, z-order, score, track, attributes, extra.
`derived` goes, since it followed from the shape.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dvcs.errors import InvalidShape
from dvcs.model import (
    ABSENT,
    KINDS,
    Annotation,
    Bbox,
    Ellipse,
    Mask,
    Points,
    Polygon,
    PolyLine,
    Ring,
    RotatedBbox,
)

Size = tuple[int, int] | None
Fields = tuple[Any, ...] | None
"""The values of the geometry's fields, in their order."""

ORDINARY = 1e9
"""Sums of coordinates below this need no closer look: exports make a box of every polygon."""

PREFERENCES: Mapping[str, tuple[str, ...]] = {
    "mask": ("polygon", "bbox"),
    "polygon": ("bbox",),
    "rotated_bbox": ("polygon", "bbox"),
    "ellipse": ("polygon", "mask", "bbox"),
}
"""Into what a kind is converted where a format does not say: the first that it can hold."""


def convert(note: Annotation, kind: str, size: Size) -> list[Annotation] | None:
    """
    Return an annotation as another kind; None where its shape cannot be that.

    `size` is the image's height and width in pixels, which masks need. None comes back without it,
    for pairs of kinds that are not in the table above, and for shapes without an extent (an empty
    mask, a polygon of no points) or that no algorithm can work with (NaN).
    """
    step = _STEPS.get((note.kind, kind))
    if step is None:
        return None
    try:
        fields = step(note, size)
    except InvalidShape:
        return None
    if fields is None:
        return None
    if kind == "bbox":
        # Exports make a box of every polygon. With the same call as below, but its first values
        # spelt out, Python builds it in a quarter of the time.
        x, y, w, h = fields
        return [
            Bbox(
                x,
                y,
                w,
                h,
                label=note.label,
                id=note.id,
                group=note.group,
                z_order=note.z_order,
                score=note.score,
                track=note.track,
                attributes=note.attributes,
                extra=note.extra,
                unknown=note.unknown,
            )
        ]
    return [
        KINDS[kind](
            *fields,
            label=note.label,
            id=note.id,
            group=note.group,
            z_order=note.z_order,
            score=note.score,
            track=note.track,
            attributes=note.attributes,
            extra=note.extra,
            unknown=note.unknown,
        )
    ]


def needs_size(kind: str, target: str) -> bool:
    """Tell whether a conversion needs to know the size of the image."""
    return target == "mask" and kind != "mask" and (kind, target) in _STEPS


def split_parts(note: Polygon) -> list[Polygon]:
    """
    Return a polygon of several parts as one polygon a part, for formats with single parts.

    They share id, group and all else; `derived`, which is of the whole, goes.
    """
    if len(note.parts) <= 1:
        return [note]
    return [note.with_(parts=[part], derived={}) for part in note.parts]


def outer_rings(note: Polygon) -> tuple[list[Ring], int]:
    """Return the outer ring of each part, and how many holes are left out with that."""
    return [part[0] for part in note.parts], sum(len(part) - 1 for part in note.parts)


def _box(points: Sequence[float]) -> Fields:
    if points and len(points) % 2 == 0 and -ORDINARY < sum(points) < ORDINARY:  # no NaN, no inf
        # Outlines come in runs, which sorting finds: 0.4 us for 44 values, min and max take 1.0.
        xs, ys = sorted(points[0::2]), sorted(points[1::2])
        x, y, right, bottom = xs[0], ys[0], xs[-1], ys[-1]
        if x + y > -ORDINARY and right + bottom < ORDINARY:
            return float(x), float(y), float(right - x), float(bottom - y)
    from dvcs.geometry import boxes

    return boxes.extent(points)


def _mask_to_polygon(note: Mask, size: Size) -> Fields:
    from dvcs.geometry import masks

    del size  # a mask knows its own
    parts = masks.to_polygon(note.size, note.counts)
    return (parts,) if parts else None


def _mask_to_bbox(note: Mask, size: Size) -> Fields:
    from dvcs.geometry import masks

    del size
    x, y, w, h = masks.bbox(note.size, note.counts)
    return (x, y, w, h) if w and h else None


def _polygon_to_bbox(note: Polygon, size: Size) -> Fields:
    del size
    if len(note.parts) == 1 and note.parts[0]:
        return _box(note.parts[0][0])
    return _box([value for part in note.parts for value in part[0]])


def _polygon_to_one_ring(note: Polygon, size: Size) -> Fields:
    from dvcs.geometry import bridging

    del size
    return ([[bridging.one_ring(note.parts)]],)


def _polygon_to_rotated(note: Polygon, size: Size) -> Fields:
    del size
    return _smallest([part[0] for part in note.parts if part])


def _mask_to_rotated(note: Mask, size: Size) -> Fields:
    from dvcs.geometry import masks

    del size
    return _smallest([part[0] for part in masks.to_polygon(note.size, note.counts)])


def _smallest(rings: Sequence[Ring]) -> Fields:
    """Return the smallest rotated box around all points of rings."""
    if len(rings) == 1:
        ring = rings[0]
        if len(ring) == 10 and ring[:2] == ring[8:]:  # closed by its first point
            ring = ring[:8]
        if len(ring) == 8:
            from dvcs.geometry import rotated

            return _rotated(rotated.from_corners(ring))
    from dvcs.geometry import enclosing

    return enclosing.smallest_box(rings)


def _drawn(parts: list[list[Ring]], size: Size) -> Fields:
    from dvcs.geometry import masks

    if size is None:
        return None
    return masks.from_polygon(parts, size)


def _outline(note: Annotation) -> list[list[Ring]]:
    from dvcs.geometry import polygons

    if isinstance(note, RotatedBbox):
        return polygons.from_rotated_box(note.geometry)
    if isinstance(note, Ellipse):
        return polygons.from_ellipse(*note.geometry)
    return polygons.from_box(note.geometry)


def _outline_to_bbox(note: RotatedBbox, size: Size) -> Fields:
    del size
    return _box(_outline(note)[0][0])


def _ellipse_to_bbox(note: Ellipse, size: Size) -> Fields:
    from dvcs.geometry import rotated

    del size
    return rotated.extent_of_ellipse(*note.geometry)


def _rotated(values: Sequence[float]) -> Fields:
    return tuple(map(float, values))


def _ellipse_to_rotated(note: Ellipse, size: Size) -> Fields:
    del size
    return _rotated((note.cx, note.cy, 2 * note.rx, 2 * note.ry, note.angle))


def _bbox_to_rotated(note: Bbox, size: Size) -> Fields:
    del size
    return _rotated((note.x + note.w / 2, note.y + note.h / 2, note.w, note.h, 0.0))


def _polyline_to_bbox(note: PolyLine, size: Size) -> Fields:
    del size
    return _box(note.points)


def _polyline_to_rotated(note: PolyLine, size: Size) -> Fields:
    del size
    return _smallest([note.points])


def _points_to_bbox(note: Points, size: Size) -> Fields:
    del size
    return _box(_present(note))


def _points_to_rotated(note: Points, size: Size) -> Fields:
    del size
    return _smallest([_present(note)])


def _present(note: Points) -> list[float]:
    """Return those points, flat, that are not absent."""
    pairs = list(zip(note.points[0::2], note.points[1::2], strict=False))
    seen = note.visibility or [ABSENT + 1] * len(pairs)
    return [
        value for pair, flag in zip(pairs, seen, strict=False) if flag != ABSENT for value in pair
    ]


_STEPS: dict[tuple[str, str], Callable[[Any, Size], Fields]] = {
    ("mask", "polygon"): _mask_to_polygon,
    ("mask", "bbox"): _mask_to_bbox,
    ("mask", "rotated_bbox"): _mask_to_rotated,
    ("polygon", "mask"): lambda note, size: _drawn(note.parts, size),
    ("polygon", "bbox"): _polygon_to_bbox,
    ("polygon", "polygon"): _polygon_to_one_ring,
    ("polygon", "rotated_bbox"): _polygon_to_rotated,
    ("rotated_bbox", "polygon"): lambda note, _: (_outline(note),),
    ("rotated_bbox", "bbox"): _outline_to_bbox,
    ("rotated_bbox", "mask"): lambda note, size: _drawn(_outline(note), size),
    ("ellipse", "polygon"): lambda note, _: (_outline(note),),
    ("ellipse", "rotated_bbox"): _ellipse_to_rotated,
    ("ellipse", "bbox"): _ellipse_to_bbox,
    ("ellipse", "mask"): lambda note, size: _drawn(_outline(note), size),
    ("bbox", "polygon"): lambda note, _: (_outline(note),),
    ("bbox", "rotated_bbox"): _bbox_to_rotated,
    ("bbox", "mask"): lambda note, size: _drawn(_outline(note), size),
    ("polyline", "bbox"): _polyline_to_bbox,
    ("polyline", "rotated_bbox"): _polyline_to_rotated,
    ("points", "bbox"): _points_to_bbox,
    ("points", "rotated_bbox"): _points_to_rotated,
}
