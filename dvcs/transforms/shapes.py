"""
Transforms of shapes into shapes of other kinds.

What is said beside the shape stays: label, id, group, z-order, score, track, attributes. What a
format derived from the old shape goes. A shape that cannot become the other kind, because it has no
extent (an empty mask, a polygon of no points), stays what it is.
"""

from collections.abc import Collection

from dvcs.convert import convert
from dvcs.errors import DvcsError
from dvcs.files import image_size
from dvcs.model import Annotation, Dataset, Item

BOXES = frozenset({"bbox", "rotated_bbox"})
OUTLINES = frozenset({"bbox", "rotated_bbox", "ellipse", "mask", "polygon"})
LOOSE = frozenset({"points", "polyline"})


def boxes_to_masks(dataset: Dataset) -> Dataset:
    """
    Make masks of boxes, upright and rotated: the pixels whose centres are inside.

    Raises DvcsError for an item of which the size of the image is not known.
    """
    return dataset.map(lambda item: _converted(item, BOXES, "mask"))


def polygons_to_masks(dataset: Dataset) -> Dataset:
    """
    Make masks of polygons, by COCO's rules about pixels; holes stay open.

    Raises DvcsError for an item of which the size of the image is not known.
    """
    return dataset.map(lambda item: _converted(item, {"polygon"}, "mask"))


def masks_to_polygons(dataset: Dataset) -> Dataset:
    """Make polygons of masks, along the edges of pixels; a mask's parts and holes are kept."""
    return dataset.map(lambda item: _converted(item, {"mask"}, "polygon"))


def shapes_to_boxes(dataset: Dataset) -> Dataset:
    """
    Make upright boxes around masks, polygons, lines, points, ellipses and rotated boxes.

    An instance (one group, one label) with an outline and keypoints becomes one box, around its
    outline.
    """

    def change(item: Item) -> Item:
        outlined = {
            (note.group, note.label)
            for note in item.annotations
            if note.group and note.kind in OUTLINES
        }
        notes = [
            note
            for note in item.annotations
            if note.kind not in LOOSE or (note.group, note.label) not in outlined
        ]
        kept = item if len(notes) == len(item.annotations) else item.with_(annotations=notes)
        return _converted(kept, (OUTLINES | LOOSE) - {"bbox"}, "bbox")

    return dataset.map(change)


def _converted(item: Item, kinds: Collection[str], target: str) -> Item:
    """Return an item whose annotations of some kinds are of another."""
    if not any(note.kind in kinds for note in item.annotations):
        return item
    size = None
    if target == "mask":
        size = image_size(item)
        if size is None:
            raise DvcsError(
                f"item '{item.id}': the size of its image is not known, and masks need it",
                hint="read it with its images, or leave it out with select()",
            )
    notes: list[Annotation] = []
    for note in item.annotations:
        new = convert(note, target, size) if note.kind in kinds else None
        notes += new or (note,)
    return item.with_(annotations=notes)
