"""Painting the segments of an item into one panoptic picture: the reverse of `panoptic.py`."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dvcs.formats._coco.fields import NOTHING
from dvcs.formats._coco.panoptic import MOST, Painted, picture_name
from dvcs.formats._coco.parse import CROWD, Instance
from dvcs.formats._coco.records import NAME, NOTES, Id
from dvcs.formats._coco.shapes import as_mask
from dvcs.model import Annotation, Item, Mask

if TYPE_CHECKING:
    from dvcs.geometry.painting import Canvas


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

    from dvcs.geometry import painting

    shapes = [as_mask(one.shape, item) for one in segments]
    numbers = _numbers(shapes)
    size = shapes[0].size
    order = sorted(range(len(shapes)), key=lambda at: shapes[at].z_order)
    canvas = painting.paint([_within(shapes[at], size) for at in order])
    colors = np.array([0, *(numbers[at] for at in order)], dtype=np.uint32)
    values = colors[canvas.pixels[canvas.starts]]
    first = np.diff(values, prepend=values[0] + 1) != 0  # what has the colour 0 is as no segment
    seen = Painted(canvas.size, canvas.starts[first], values[first])
    rest: dict[str, Any] = {}
    infos = []
    for shape, number in zip(shapes, numbers, strict=True):
        notes = shape.extra.get(NAME, NOTHING).get(NOTES, NOTHING)
        rest |= notes.get("picture", NOTHING)
        if not notes.get("unlisted"):
            infos.append(_info(shape, number, seen, ids))
    name = rest.get("file_name") or picture_name(item.file_name)
    record = {**rest, "file_name": name, "segments_info": infos}
    return record, _picture(canvas, colors), canvas.covered


def _within(mask: Mask, size: tuple[int, int]) -> tuple[tuple[int, int], str]:
    """Return a mask in a size: as it is, else cut off and filled up at the right and bottom."""
    if tuple(mask.size) == tuple(size):
        return mask.size, mask.counts
    import numpy as np

    from dvcs.geometry import masks

    bitmap = masks.decode(mask.size, mask.counts)[: size[0], : size[1]]
    pixels = np.zeros(size, dtype=np.bool_)
    pixels[: bitmap.shape[0], : bitmap.shape[1]] = bitmap
    return masks.encode(pixels)


def _picture(canvas: "Canvas", colors: Any) -> bytes:
    """Return a PNG in colours, the red one that of a number's lowest 8 bits."""
    import numpy as np

    from dvcs.media import png

    height, width = canvas.size
    rows = np.zeros((height, 1 + 3 * width), dtype=np.uint8)  # each after its filter, 0
    window = canvas.window
    pixels = np.ascontiguousarray(canvas.rows[window])
    for channel in range(3):
        table = (colors >> 8 * channel & 255).astype(np.uint8)
        if table.any():
            rows[:, 1 + channel :: 3][window] = table[pixels]
    return png.from_rows(rows, canvas.size, png.COLORS)


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
