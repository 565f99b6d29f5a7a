"""Two versions of small datasets, made by code, for pages that compare them."""

from pathlib import Path

import numpy as np

from dvcs.compare import diff_datasets
from dvcs.files import BytesOrigin
from dvcs.media.pixels import encode
from dvcs.model import (
    Annotation,
    Bbox,
    Caption,
    Category,
    Dataset,
    Ellipse,
    Item,
    Label,
    Labels,
    Media,
    MediaFile,
    Points,
    Polygon,
    PolyLine,
    RotatedBbox,
)
from dvcs.web.diff_page import Written, write_diff
from dvcs.web.sides import DatasetSide
from tests.gallery import HOLE, RING, bitmap

HEIGHT, WIDTH = 48, 64
LABELS = Labels(
    (
        Category(name="cat"),
        Category(name="dog"),
        Category(name="person", keypoints=("nose", "left", "right"), joints=((0, 1), (0, 2))),
    )
)


def picture(seed: int, height: int = HEIGHT, width: int = WIDTH, ext: str = ".png") -> bytes:
    """Return a picture of a gradient with a square, another one for each seed."""
    rows, columns = np.mgrid[:height, :width]
    shades = [
        (rows * 200 // height + 30 * seed) % 256,
        (columns * 200 // width) % 256,
        np.full((height, width), (70 * seed) % 256),
    ]
    image = np.stack(shades, axis=-1).astype(np.uint8)
    image[height // 3 : height // 2, width // 3 : width // 2] = 240
    return encode(image, ext)


def item(
    id: str, *notes: Annotation, seed: int = 1, data: bytes | None = None, **fields: object
) -> Item:
    """Return an item with a PNG of 48 x 64 pixels."""
    held = picture(seed) if data is None else data
    media = Media(files=(MediaFile(ext=".png"),), height=HEIGHT, width=WIDTH)
    fields = {"subset": "train", "media": media, "origins": (BytesOrigin(lambda: held),), **fields}
    return Item(id, annotations=notes, **fields)


def dataset(*items: Item) -> Dataset:
    return Dataset.from_items(items, LABELS)


EVERYTHING = (
    Bbox(1.5, 2.25, 20.0, 10.0, label="cat", id=1, attributes={"occluded": True}),
    RotatedBbox(30.0, 20.0, 20.0, 10.0, 30.0, label="dog", id=2),
    Ellipse(32.0, 24.0, 10.0, 5.0, 45.0, label="dog", id=3),
    Polygon([[RING, HOLE], [[50.0, 1.0, 60.0, 1.0, 60.0, 9.0]]], label="cat", id=4),
    PolyLine([1.0, 1.0, 20.5, 7.0, 30.0, 1.0], label="cat", id=5),
    Points([15.5, 5.0, 0.0, 0.0, 25.0, 6.5], visibility=[2, 0, 1], label="person", id=6),
    bitmap((30, 4, 40, 20), (35, 25, 50, 40)).with_(label="dog", id=7),
    Caption("a dog & a cat", id=8),
    Label(label="cat", id=9),
)
"""One annotation of each kind that a page draws or tells."""


def write(path: Path, old: Dataset, new: Dataset, **options: object) -> Written:
    """Write the page of what differs."""
    sides = DatasetSide({"": old}, "v1"), DatasetSide({"": new}, "v2")
    return write_diff(path, diff_datasets(old, new), *sides, **options)
