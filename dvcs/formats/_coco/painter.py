"""Painting the segments of an item into one panoptic picture: the reverse of `panoptic.py`."""

from collections.abc import Mapping
from typing import Any

from dvcs.formats._coco.fields import NOTHING
from dvcs.formats._coco.panoptic import MOST, Painted, picture_name
from dvcs.formats._coco.parse import CROWD, Instance
from dvcs.formats._coco.records import NAME, NOTES, Id
from dvcs.formats._coco.shapes import as_mask
from dvcs.model import Annotation, Item, Mask


def painted(
    item: Item, segments: list[Instance], ids: Mapping[str, Id]
) -> tuple[dict[str, Any], bytes, int]:
    """
    Return the record of an item's segments, without its image, their picture as PNG, and how many
    of them are covered by others, in part or whole.

    Where segments overlap the later one, by z-order, is seen. Colours are the segments' ids, where
    they are numbers below 2^24 that no other segment of the image has.
    """
    import numpy as np

    from dvcs.geometry import masks
    from dvcs.media.pixels import encode

    shapes = [as_mask(one.shape, item) for one in segments]
    numbers = _numbers(shapes)
    size = shapes[0].size
    picture = np.zeros(size, np.uint32)
    areas: dict[int, int] = {}
    for shape, number in sorted(zip(shapes, numbers, strict=True), key=lambda one: one[0].z_order):
        bitmap = masks.decode(shape.size, shape.counts)[: size[0], : size[1]]
        picture[: bitmap.shape[0], : bitmap.shape[1]][bitmap] = number
        areas[number] = int(bitmap.sum())
    covered = sum(int((picture == number).sum()) != area for number, area in areas.items())
    image = np.stack([picture >> 16, picture >> 8 & 255, picture & 255], axis=2).astype(np.uint8)
    seen = Painted(image)
    rest: dict[str, Any] = {}
    infos = []
    for shape, number in zip(shapes, numbers, strict=True):
        notes = shape.extra.get(NAME, NOTHING).get(NOTES, NOTHING)
        rest |= notes.get("picture", NOTHING)
        if not notes.get("unlisted"):
            infos.append(_info(shape, number, seen, ids))
    name = rest.get("file_name") or picture_name(item.file_name)
    return {**rest, "file_name": name, "segments_info": infos}, encode(image, ".png"), covered


def _numbers(shapes: list[Mask]) -> list[int]:
    """Return the colour of each segment: its id where that can be, else the next that is free."""
    taken: set[int] = set()
    numbers: list[int | None] = []
    for shape in shapes:
        id: Any = shape.id or shape.extra.get(NAME, NOTHING).get("id")
        usable = type(id) is int and 0 <= id < MOST and id not in taken
        numbers.append(id if usable else None)
        if usable:
            taken.add(id)
    free = (number for number in range(1, MOST) if number not in taken)
    return [next(free) if number is None else number for number in numbers]


def _info(shape: Annotation, number: int, seen: Painted, ids: Mapping[str, Id]) -> dict[str, Any]:
    _, area, box = seen.take(number)
    extra = dict(shape.extra.get(NAME, NOTHING))
    notes = extra.pop(NOTES, NOTHING)
    derived = shape.derived.get(NAME, NOTHING)
    crowd = bool(shape.attributes.get(CROWD))
    record = {
        "id": number,
        "category_id": None if shape.label is None else ids[shape.label],
        "area": derived.get("area", area),
        "bbox": derived.get("bbox", box),
        "iscrowd": int(crowd),
    }
    if bool(extra.get("iscrowd")) != crowd:
        extra.pop("iscrowd", None)
    record |= {key: value for key, value in extra.items() if key not in ("id", "segmentation")}
    record |= notes.get("keys", NOTHING)
    for key in notes.get("absent", ()):
        if key in ("area", "bbox") or (key == "iscrowd" and not crowd):
            record.pop(key, None)
        elif key == "category_id" and shape.label is None:
            del record[key]
    return record
