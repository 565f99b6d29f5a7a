"""
One dataset of everything, made by code: what the conformance tests write and read back.

Coordinates are odd on purpose (thirds, halves, beyond the border); no two annotations of an item
are equal; ids are unique over the dataset where they are given.
"""

import io
import struct
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image

from dvcs.files import BytesOrigin
from dvcs.geometry import masks
from dvcs.model import (
    Annotation,
    Bbox,
    Caption,
    Category,
    Cuboid3d,
    Dataset,
    Ellipse,
    Item,
    Label,
    Labels,
    Mask,
    Media,
    MediaFile,
    Other,
    Points,
    Polygon,
    PolyLine,
    RotatedBbox,
)

HEIGHT, WIDTH = 48, 64
LABELS = Labels(
    (
        Category(name="cat", color=(200, 30, 30)),
        Category(name="dog", parent="animal"),
        Category(name="animal"),
        Category(
            name="person", keypoints=("nose", "left eye", "right eye"), joints=((0, 1), (0, 2))
        ),
        Category(name="never used"),
    )
)
RING = [10.5, 5.25, 40.0, 5.25, 40.0, 30.75, 10.5, 30.75]
HOLE = [20.0, 10.0, 20.0, 20.0, 30.0, 20.0, 30.0, 10.0]


def png(seed: int, height: int = HEIGHT, width: int = WIDTH) -> bytes:
    """Return a grey image, another one for each seed."""
    rows = b"".join(
        b"\0" + bytes((x * seed + y * 7) % 256 for x in range(width)) for y in range(height)
    )
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    body = b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


def image_item(
    id: str,
    subset: str,
    *notes: Annotation,
    seed: int = 1,
    name: str | None = None,
    **fields: object,
) -> Item:
    """Return an item with a PNG of 48 x 64 pixels."""
    file = MediaFile(ext=".png", name=name)
    media = Media(files=(file,), height=HEIGHT, width=WIDTH)
    origin = BytesOrigin(lambda: png(seed))
    return Item(id, subset, media, notes, annotated=True, origins=(origin,), **fields)


def bitmap(*boxes: tuple[int, int, int, int]) -> Mask:
    """Return a mask of the image's size with these boxes (x0, y0, x1, y1) set."""
    import numpy as np

    pixels = np.zeros((HEIGHT, WIDTH), dtype=bool)
    for x0, y0, x1, y1 in boxes:
        pixels[y0:y1, x0:x1] = True
    size, counts = masks.encode(pixels)
    return Mask(size, counts)


def _items() -> Iterator[Item]:
    yield image_item(
        "street/1",
        "train",
        Bbox(1.5, 2.25, 20.0, 10.0, label="cat", id=11),
        Bbox(1 / 3, 0.1, 30.7, 40.123456789, label="dog", id=12, attributes={"occluded": True}),
        Label(label="animal", id=13),
        seed=1,
    )
    yield image_item(
        "street/2",
        "train",
        Polygon([[[1.5, 1.0, 9.0, 1.0, 9.25, 9.0]]], label="dog", id=21),
        Polygon([[RING, HOLE]], label="cat", id=22),
        Polygon(
            [[[1.0, 40.0, 5.0, 40.0, 5.0, 44.0]], [[50.0, 1.0, 60.0, 1.0, 60.0, 9.0]]],
            label="cat",
            id=23,
            z_order=2,
        ),
        seed=2,
    )
    yield image_item(
        "deep/er/é ñ 3",
        "val",
        bitmap((3, 4, 20, 30)).with_(label="cat", id=31, attributes={"is_crowd": True}),
        bitmap((30, 4, 40, 20), (35, 25, 50, 40)).with_(label="dog", id=32),
        Caption('a dog, a cat & a "person" <here>, é', id=33),
        seed=3,
    )
    yield image_item(
        "with space.and dots",
        "val",
        Polygon([[[12.0, 2.0, 30.0, 2.0, 30.0, 40.0, 12.0, 40.0]]], label="person", id=41, group=1),
        Points(
            [15.5, 5.0, 0.0, 0.0, 25.0, 6.5],
            visibility=[2, 0, 1],
            label="person",
            id=41,
            group=1,
        ),
        Points([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], visibility=[2, 2, 2], label="person", id=42),
        PolyLine([1.0, 1.0, 20.5, 7.0, 30.0, 1.0], label="cat", id=43),
        RotatedBbox(30.0, 20.0, 20.0, 10.0, 30.0, label="dog", id=44),
        Ellipse(32.0, 24.0, 10.0, 5.0, 45.0, label="dog", id=45),
        seed=4,
    )
    yield image_item(
        "7",
        "val",
        Bbox(5.0, 5.0, 10.0, 10.0, label="cat", score=0.875, track=3, id=51),
        Bbox(25.0, 5.0, 10.0, 10.0, id=52),
        Other("no such format", {"anything": [1, 2.5, None]}, id=53),
        seed=5,
        attributes={"weather": "fog", "hour": 7},
    )
    yield image_item("empty", "train", seed=6)
    yield Item("not stored", "val", Media(files=(MediaFile(ext=".jpg"),), height=40, width=30))
    yield Item("no media", "val", None, (Bbox(1.0, 2.0, 3.0, 4.0, label="dog", id=61),))


def _clouds() -> Iterator[Item]:
    for number in (1, 2):
        cuboid = Cuboid3d(
            [1.0 * number, 2.5, 0.125], [0.0, 0.0, 0.5], [4.0, 2.0, 1.5], label="cat", track=number
        )
        media = Media(kind="point_cloud", files=(MediaFile(role="point_cloud", ext=".pcd"),))
        origin = BytesOrigin(lambda: b"# .PCD v.7\nPOINTS 0\n")
        yield Item(f"{number:06}", "default", media, (cuboid,), annotated=True, origins=(origin,))


def gallery(media: frozenset[str] = frozenset({"image"})) -> Dataset:
    """Return the dataset of images, or of point clouds for formats that have no images."""
    if "image" not in media and "point_cloud" in media:
        return Dataset(LABELS, _clouds)
    return Dataset(LABELS, _items)


def exif_picture(
    orientation: int, kind: str = "JPEG", size: tuple[int, int] = (60, 100), seed: int = 0
) -> bytes:
    """Return an image of a stored (height, width) that says by EXIF how it is to be turned."""
    y, x = np.mgrid[0 : size[0], 0 : size[1]]
    pixels = np.stack([x * 2, y * 3, x + y + seed], axis=-1).astype(np.uint8)
    exif = Image.Exif()
    exif[274], exif[0x010F] = orientation, "Maker"
    options = {"quality": 100} if kind == "JPEG" else {"lossless": True} if kind == "WEBP" else {}
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, exif=exif, **options)
    return file.getvalue()
