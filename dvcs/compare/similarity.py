"""
How alike two annotations are, from 0 to 1: symmetric, and 1.0 where they have the same geometry.

Labels and attributes do not count. Boxes are compared in plain Python, without numpy: in most
comparisons one box of an image has changed. Shapes that no algorithm can work with (two points
called a polygon, a broken mask) are compared by the boxes around them, so a damaged annotation
never stops a comparison.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any

from dvcs.compare.cuboids import cuboid_bounds, cuboid_iou
from dvcs.errors import InvalidShape
from dvcs.model import (
    Annotation,
    Bbox,
    Caption,
    Cuboid3d,
    Ellipse,
    Label,
    Mask,
    Other,
    Points,
    Polygon,
    PolyLine,
    Raster,
    RotatedBbox,
)

Box = tuple[float, float, float, float]
"""x, y, w, h."""
Size = tuple[int, int] | None
"""Height and width of the image, where known."""

FLAT = frozenset({"bbox", "rotated_bbox", "ellipse", "polygon", "polyline", "points", "mask"})
"""Kinds that lie in the image, so that any two of them can be compared."""
_OUTLINED = frozenset({"rotated_bbox", "ellipse", "polygon", "mask"})

# As the geometry package: beyond it nothing is a place in an image.
_FARTHEST = 1e9
# A single point has no extent to measure a distance by: this share of the image's longer side
# stands for it (half alike at 2 % of that side), or this many pixels.
_POINT_SHARE, _POINT_EXTENT = 0.1, 50.0
# Comparing texts letter by letter takes time by the product of their lengths: 40,000 take 1 ms.
_LONG_TEXT = 40_000


def similarity(a: Annotation, b: Annotation, size: Size = None) -> float:
    """
    Return how alike two annotations are, in [0, 1]; symmetric; 1.0 for equal geometry.

    * boxes, rotated boxes, ellipses, polygons, masks: intersection over union of the shapes; a box
      and another shape, a line or points: of the boxes around them (a converter to boxes keeps
      just these);
    * points: object keypoint similarity, the area being that around both; another number of points:
      of the boxes around them;
    * lines: their mean distance, see `dvcs.geometry.polylines`;
    * cuboids: intersection over union in space;
    * captions: share of the text in common; labels: 1.0 for the same label; rasters: 0.5 for the
      same meaning with other content; opaque records: share of equal entries.

    `size` (h, w) of the image gives single points a scale. Kinds that do not compare give 0.0.
    """
    if type(a) is not type(b):
        return _across(a, b) if a.kind in FLAT and b.kind in FLAT else 0.0
    if a.geometry == b.geometry and a.kind != "label":
        return 1.0
    if isinstance(a, Bbox):
        return box_iou(bounds(a), bounds(b))
    if isinstance(a, Points):
        return _oks(a, b, size)
    return _SAME_KIND[a.kind](a, b)


def bounds(note: Annotation) -> Box | None:
    """
    Return x, y, w, h of the box around an annotation, sides >= 0; None where it has no place.

    A cuboid's is the box around it in its x and y.
    """
    try:
        box = _BOUNDS[note.kind](note)
    except (InvalidShape, ValueError, TypeError, IndexError, OverflowError):
        return None
    if box is None:
        return None
    x, y, w, h = box
    if w < 0:
        x, w = x + w, -w
    if h < 0:
        y, h = y + h, -h
    # A comparison with NaN is false, so this refuses it too.
    if abs(x) <= _FARTHEST and abs(y) <= _FARTHEST and w <= _FARTHEST and h <= _FARTHEST:
        return x, y, w, h
    return None


def box_iou(a: Box | None, b: Box | None) -> float:
    """Return the IoU of two boxes; 0.0 for no box; boxes without area: 1.0 where identical."""
    if a is None or b is None:
        return 0.0
    if a == b:
        return 1.0
    ax, ay, aw, ah = a
    bx, by, bw, bh = b
    wide = min(aw, bx + bw - ax) if ax >= bx else min(bw, ax + aw - bx)
    high = min(ah, by + bh - ay) if ay >= by else min(bh, ay + ah - by)
    if wide <= 0 or high <= 0:
        return 0.0
    both = wide * high
    return both / (aw * ah + bw * bh - both)


def text_similarity(a: str, b: str) -> float:
    """Return the share of two texts that is common: by letters, of long texts by words."""
    if a == b:
        return 1.0
    if len(a) * len(b) > _LONG_TEXT:
        return _common_words(a, b)
    # The matcher's result depends on the order of its arguments.
    first, second = sorted((a, b))
    return SequenceMatcher(None, first, second, autojunk=False).ratio()


def _common_words(a: str, b: str) -> float:
    counts: dict[str, int] = {}
    first, second = a.split(), b.split()
    for word in first:
        counts[word] = counts.get(word, 0) + 1
    common = 0
    for word in second:
        if counts.get(word, 0):
            counts[word] -= 1
            common += 1
    total = len(first) + len(second)
    return 2 * common / total if total else 0.0


# -- by kind -------------------------------------------------------------------------------------


def _across(a: Annotation, b: Annotation) -> float:
    """Similarity of two kinds of shapes."""
    if a.kind in _OUTLINED and b.kind in _OUTLINED:
        return _outlined(a, b)
    return box_iou(bounds(a), bounds(b))


def _outlined(a: Annotation, b: Annotation) -> float:
    """IoU of two shapes of which none is an upright box: as masks if one is, else as polygons."""
    from dvcs.geometry import masks, polygons, rotated

    try:
        if isinstance(a, RotatedBbox) and isinstance(b, RotatedBbox):
            return float(rotated.iou_of_pairs([a.geometry], [b.geometry])[0])
        if isinstance(a, Mask) or isinstance(b, Mask):
            frame = a.size if isinstance(a, Mask) else b.size if isinstance(b, Mask) else (0, 0)
            return float(masks.iou([_as_mask(a, frame)], [_as_mask(b, frame)])[0, 0])
        # The grid on which polygons are drawn is the same either way round, but for the order.
        return polygons.iou(_as_parts(a), _as_parts(b))
    except InvalidShape:
        return box_iou(bounds(a), bounds(b))


def _as_mask(note: Annotation, size: tuple[int, int]) -> tuple[tuple[int, int], str]:
    from dvcs.geometry import masks

    if isinstance(note, Mask):
        return note.size, note.counts
    return masks.from_polygon(_as_parts(note), size)


def _as_parts(note: Annotation) -> list[list[list[float]]]:
    from dvcs.geometry import polygons

    if isinstance(note, RotatedBbox):
        return polygons.from_rotated_box(note.geometry)
    if isinstance(note, Ellipse):
        return polygons.from_ellipse(*note.geometry)
    if isinstance(note, Polygon):
        return note.parts
    raise InvalidShape(f"a {note.kind} has no outline")


def _oks(a: Annotation, b: Annotation, size: Size) -> float:
    assert isinstance(a, Points)  # noqa: S101 -- for the type checker
    assert isinstance(b, Points)  # noqa: S101
    around = [box for box in (bounds(a), bounds(b)) if box is not None]
    if len(a.points) != len(b.points):
        return box_iou(bounds(a), bounds(b))
    from dvcs.geometry import keypoints

    # Collinear points have no area, but they have an extent.
    extents = [box[2] * box[3] or max(box[2], box[3]) ** 2 for box in around]
    area = sum(extents) / len(extents) if extents else 0.0
    if not area:
        area = (_POINT_SHARE * max(size) if size else _POINT_EXTENT) ** 2
    try:
        return keypoints.oks(a.points, b.points, _visibility(a), _visibility(b), area)
    except InvalidShape:
        return 0.0


def _visibility(note: Points) -> Sequence[int]:
    return note.visibility or [2] * (len(note.points) // 2)


def _lines(a: Annotation, b: Annotation) -> float:
    from dvcs.geometry import polylines

    assert isinstance(a, PolyLine)  # noqa: S101 -- for the type checker
    assert isinstance(b, PolyLine)  # noqa: S101
    try:
        return polylines.similarity(a.points, b.points)
    except InvalidShape:
        return box_iou(bounds(a), bounds(b))


def _captions(a: Annotation, b: Annotation) -> float:
    assert isinstance(a, Caption)  # noqa: S101 -- for the type checker
    assert isinstance(b, Caption)  # noqa: S101
    return text_similarity(a.caption, b.caption)


def _others(a: Annotation, b: Annotation) -> float:
    """Share of the entries of two opaque records that are equal, for records of one format."""
    assert isinstance(a, Other)  # noqa: S101 -- for the type checker
    assert isinstance(b, Other)  # noqa: S101
    first, second = a.record, b.record
    if a.format != b.format or not isinstance(first, Mapping) or not isinstance(second, Mapping):
        return 0.0
    names = first.keys() | second.keys()
    equal = sum(name in first and name in second and first[name] == second[name] for name in names)
    return equal / len(names) if names else 1.0


def _rasters(a: Annotation, b: Annotation) -> float:
    assert isinstance(a, Raster)  # noqa: S101 -- for the type checker
    assert isinstance(b, Raster)  # noqa: S101
    return 0.5 if a.meaning == b.meaning else 0.0


def _cuboids(a: Annotation, b: Annotation) -> float:
    assert isinstance(a, Cuboid3d)  # noqa: S101 -- for the type checker
    assert isinstance(b, Cuboid3d)  # noqa: S101
    return cuboid_iou(a, b)


_SAME_KIND: dict[str, Callable[[Annotation, Annotation], float]] = {
    Label.kind: lambda a, b: float(a.label == b.label),
    Caption.kind: _captions,
    RotatedBbox.kind: _outlined,
    Ellipse.kind: _outlined,
    Polygon.kind: _outlined,
    Mask.kind: _outlined,
    PolyLine.kind: _lines,
    Raster.kind: _rasters,
    Cuboid3d.kind: _cuboids,
    Other.kind: _others,
}


# -- boxes around --------------------------------------------------------------------------------


def _around(points: Sequence[float]) -> Box | None:
    if not points:
        return None
    xs, ys = points[0::2], points[1::2]
    x, y = min(xs), min(ys)
    return x, y, max(xs) - x, max(ys) - y


def _around_points(note: Any) -> Box | None:
    """Box around the points that are there: an absent one stands at 0, 0 by convention."""
    if not note.visibility or all(note.visibility):
        return _around(note.points)
    there = [at for at, seen in enumerate(note.visibility) if seen]
    return _around([note.points[2 * at + axis] for at in there for axis in (0, 1)])


def _around_rotated(note: Any) -> Box:
    turn = math.radians(note.angle)
    cos, sin = abs(math.cos(turn)), abs(math.sin(turn))
    w, h = note.w * cos + note.h * sin, note.w * sin + note.h * cos
    return note.cx - w / 2, note.cy - h / 2, w, h


def _around_ellipse(note: Any) -> Box:
    from dvcs.geometry import rotated

    return rotated.extent_of_ellipse(*note.geometry)


def _around_mask(note: Any) -> Box | None:
    from dvcs.geometry import masks

    box = masks.bbox(note.size, note.counts)
    return box if box[2] else None


def _nowhere(_note: Any) -> None:
    return None


_BOUNDS: dict[str, Callable[[Any], Box | None]] = {
    Label.kind: _nowhere,
    Caption.kind: _nowhere,
    Bbox.kind: lambda note: (note.x, note.y, note.w, note.h),
    RotatedBbox.kind: _around_rotated,
    Ellipse.kind: _around_ellipse,
    Polygon.kind: lambda note: _around(
        [value for rings in note.parts for ring in rings[:1] for value in ring]
    ),
    PolyLine.kind: lambda note: _around(note.points),
    Points.kind: _around_points,
    Mask.kind: _around_mask,
    Raster.kind: _nowhere,
    Cuboid3d.kind: cuboid_bounds,
    Other.kind: _nowhere,
}
