"""
What becomes of the shapes of an item before they are written: instances, segmentation, cropping.

COCO has no holes: the rings of a `segmentation` are a union. So a polygon with holes becomes a
mask, or, where polygons are asked for, each hole is joined to its outer ring by a seam that is
walked there and back; by the even-odd rule and by area that is the same shape.
"""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal

from dvcs.files import Sink
from dvcs.formats._coco.fields import signed_area
from dvcs.formats._coco.parse import Instance
from dvcs.formats._coco.records import NAME, NOTES
from dvcs.model import Annotation, Bbox, Item, Mask, Points, Polygon

Mode = Literal["guess", "polygons", "mask"]
Size = tuple[int, int]


def instances(item: Item, mode: Mode, sink: Sink, *, crop: bool = False) -> list[Instance]:
    """
    Return the instances of an item: shapes of one group and label are one, with their keypoints.

    `mode` chooses what shapes are written as: `guess` keeps each what it is, `polygons` and `mask`
    convert. `crop` takes from each shape what later ones (by z-order) cover. What is converted or
    joined, and groups that COCO's instances cannot express, are counted in `sink`.
    """
    notes = item.annotations
    if crop:
        whole = set(map(id, notes))
        notes = _cropped(item, notes)
        if cut := len(whole) - sum(id(note) in whole for note in notes):
            sink.lost_fields["covered"] += cut
    simple = mode == "guess" and not any(note.group for note in notes)
    found = [Instance(note) for note in notes] if simple else _grouped(item, notes, mode)
    if not simple:
        _count_groups(notes, found, sink)
    for one in found:
        shape = one.shape
        if isinstance(shape, Polygon) and any(len(part) != 1 for part in shape.parts):
            one.shape = _without_holes(shape, item, mode)
        elif mode == "mask" and isinstance(shape, Polygon):
            one.shape = as_mask(shape, item)
        elif mode == "polygons" and isinstance(shape, Mask):
            one.shape = _without_holes(_as_polygon(shape), item, mode)
        if shape is not one.shape and shape.kind != one.shape.kind:
            sink.converted[shape.kind, one.shape.kind] += 1
    return found


def _count_groups(notes: Sequence[Annotation], found: list[Instance], sink: Sink) -> None:
    """Count what was joined to other shapes of its instance, and what no longer has a group."""
    left = Counter(one.shape.kind for one in found)
    left.update(one.points.kind for one in found if one.points is not None)
    sink.merged.update(Counter(note.kind for note in notes) - left)
    sizes = Counter(note.group for note in notes if note.group)
    instances = Counter(one.shape.group for one in found)
    torn = sum(size for group, size in sizes.items() if size > 1 and instances[group] > 1)
    if torn:
        sink.lost_fields["group"] += torn


def _grouped(item: Item, notes: Sequence[Annotation], mode: Mode) -> list[Instance]:
    found: list[Instance] = []
    buckets: dict[tuple[int, str | None], list[Annotation]] = {}
    order: list[list[Annotation]] = []
    for note in notes:
        if note.group and isinstance(note, Bbox | Polygon | Mask | Points):
            bucket = buckets.setdefault((note.group, note.label), [])
            if not bucket:
                order.append(bucket)
            bucket.append(note)
        else:
            order.append([note])
    for bucket in order:
        found += [Instance(bucket[0])] if len(bucket) == 1 else _united(item, bucket, mode)
    return found


def _united(item: Item, notes: list[Annotation], mode: Mode) -> list[Instance]:
    """Return what a group of one label is: one shape with keypoints, and what does not fit in."""
    shapes = [note for note in notes if isinstance(note, Polygon | Mask)]
    boxes = [note for note in notes if isinstance(note, Bbox)]
    points = [note for note in notes if isinstance(note, Points)]
    if shapes:
        shape: Annotation = _merged(item, shapes, mode)
        box = boxes.pop(0) if boxes else None
        if isinstance(box, Bbox):
            shape = _completed(shape, box)
    elif boxes:
        shape = boxes.pop(0)
    else:
        shape = points.pop(0)
    keypoints = points.pop(0) if points else None
    if keypoints is not None and not shape.id:
        shape = shape.with_(id=keypoints.id)
    return [Instance(shape, keypoints), *map(Instance, (*boxes, *points))]


def _completed(shape: Annotation, box: Bbox) -> Annotation:
    """Return a shape that has the box of its group, and what is known of that alone."""
    derived = shape.derived.get(NAME, {})
    if "bbox" not in derived:
        derived = {**derived, "bbox": [box.x, box.y, box.w, box.h]}
    return shape.with_(
        id=shape.id or box.id,
        score=box.score if shape.score is None else shape.score,
        attributes={**box.attributes, **shape.attributes},
        derived={**shape.derived, NAME: derived},
    )


def _merged(item: Item, shapes: Sequence[Annotation], mode: Mode) -> Annotation:
    first = shapes[0]
    if len(shapes) == 1:
        return first
    attributes: dict[str, Any] = {}
    for shape in reversed(shapes):
        attributes |= shape.attributes
    id = next((shape.id for shape in shapes if shape.id), 0)
    polygons = [shape for shape in shapes if isinstance(shape, Polygon)]
    if len(polygons) == len(shapes):
        parts = [part for shape in polygons for part in shape.parts]
        return first.with_(parts=parts, id=id, attributes=attributes, derived={})
    if mode == "polygons":
        every = [_as_polygon(one) if isinstance(one, Mask) else one for one in shapes]
        return _merged(item, every, mode).with_(id=id, attributes=attributes)
    from dvcs.geometry import masks

    drawn = [as_mask(shape, item) for shape in shapes]
    size, counts = masks.merge([(mask.size, mask.counts) for mask in drawn])
    return drawn[0].with_(size=size, counts=counts, id=id, attributes=attributes, derived={})


def size_of(item: Item, shape: Annotation | None = None) -> Size:
    """Return height and width of an item's image, else of the smallest one that holds a shape."""
    from dvcs.files import image_size

    size = image_size(item)
    if size is not None and min(size) > 0:
        return size
    if isinstance(shape, Mask):
        return shape.size
    if isinstance(shape, Polygon):
        xs = [x for part in shape.parts for ring in part for x in ring[::2]]
        ys = [y for part in shape.parts for ring in part for y in ring[1::2]]
        return max(1, math.ceil(max(ys, default=1))), max(1, math.ceil(max(xs, default=1)))
    return 1, 1


def as_mask(shape: Annotation, item: Item) -> Mask:
    """Return a polygon as a mask of the image's size; the same annotation else."""
    if isinstance(shape, Mask):
        return shape
    from dvcs.geometry import masks

    assert isinstance(shape, Polygon)  # noqa: S101 -- the callers' kinds
    size = size_of(item, shape)
    parts = [part for part in shape.parts if part and all(len(ring) >= 6 for ring in part)]
    counts = masks.from_polygon(parts, size)[1] if parts else _empty(size)
    return Mask(size=size, counts=counts, **_shared(shape))


def _empty(size: Size) -> str:
    from dvcs.geometry import rle

    return rle.counts_from_list([size[0] * size[1]])


def _as_polygon(mask: Mask) -> Polygon:
    from dvcs.geometry import masks

    return Polygon(parts=masks.to_polygon(mask.size, mask.counts), **_shared(mask))


def _shared(note: Annotation) -> dict[str, Any]:
    """Return the fields that stay when a shape becomes another kind; areas and spellings go."""
    extra = dict(note.extra)
    if NAME in extra:
        coco = dict(extra[NAME])
        notes = {key: value for key, value in coco.pop(NOTES, {}).items() if key != "rle"}
        extra[NAME] = {**coco, NOTES: notes} if notes else coco
    return {
        "label": note.label,
        "id": note.id,
        "group": note.group,
        "z_order": note.z_order,
        "score": note.score,
        "track": note.track,
        "attributes": note.attributes,
        "extra": extra,
    }


def _without_holes(shape: Polygon, item: Item, mode: Mode) -> Annotation:
    if mode != "polygons" and any(len(part) > 1 for part in shape.parts):
        return as_mask(shape, item)
    parts = [[_seamed(part)] for part in shape.parts if part]
    return shape.with_(parts=parts)


def _seamed(part: list[list[float]]) -> list[float]:
    """Return one ring that goes around the outer ring and, by seams from its start, each hole."""
    outer, *holes = part
    ring = list(outer)
    for hole in holes:
        # Walked against the outer ring, a hole counts against its area.
        if (signed_area(hole) > 0) is (signed_area(outer) > 0):
            hole = [c for n in range(len(hole) - 2, -1, -2) for c in hole[n : n + 2]]  # noqa: PLW2901
        ring += [*outer[:2], *hole, *hole[:2]]
    return [*ring, *outer[:2]] if holes else ring


def _cropped(item: Item, notes: Sequence[Annotation]) -> list[Annotation]:
    """Take from each polygon and mask what those above cover; what is covered whole goes."""
    from dvcs.geometry import masks

    shapes = [n for n, note in enumerate(notes) if isinstance(note, Polygon | Mask)]
    shapes.sort(key=lambda n: notes[n].z_order)
    drawn = {n: as_mask(notes[n], item) for n in shapes}
    result: list[Annotation | None] = list(notes)
    for place, n in enumerate(shapes):
        mask = drawn[n]
        later = (drawn[m] for m in shapes[place + 1 :])
        above = [(one.size, one.counts) for one in later if one.size == mask.size]
        if not above:
            continue
        _, counts = masks.subtract((mask.size, mask.counts), above)
        if counts == masks.normalise(mask.size, mask.counts):
            continue
        cut = mask.with_(counts=counts, derived={})
        result[n] = None if not masks.area(cut.size, counts) else cut
        if isinstance(notes[n], Polygon) and result[n] is not None:
            result[n] = _as_polygon(cut)
    return [note for note in result if note is not None]
