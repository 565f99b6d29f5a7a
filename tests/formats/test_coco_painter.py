"""Pictures of panoptic segments: every pixel as when each mask is painted as a bitmap."""

import random

import numpy as np
import pytest

from dvcs.formats._coco.painter import painted
from dvcs.formats._coco.parse import Instance
from dvcs.geometry import masks
from dvcs.media.pixels import decode
from dvcs.model import Item, Mask, Media, Polygon


def blob(chance, size, **fields):
    bitmap = np.zeros(size, bool)
    for _ in range(chance.randint(0, 4)):
        y, x = chance.randrange(size[0]), chance.randrange(size[1])
        bitmap[y : y + chance.randint(1, 30), x : x + chance.randint(1, 30)] = True
    return Mask(*masks.encode(bitmap), label="a", **fields)


def oracle(shapes, ids):
    """Paint bitmaps into the image of the first mask."""
    height, width = shapes[0].size
    picture = np.zeros((height, width), np.uint32)
    areas = {}
    for shape, id in sorted(zip(shapes, ids, strict=True), key=lambda one: one[0].z_order):
        bitmap = masks.decode(shape.size, shape.counts)[:height, :width]
        picture[: bitmap.shape[0], : bitmap.shape[1]][bitmap] = id
        areas[id] = bitmap.sum()
    return picture, sum((picture == id).sum() != area for id, area in areas.items())


@pytest.mark.parametrize(
    ("count", "sizes", "ids"),
    [
        (1, [(40, 60)], [7]),
        (5, [(40, 60)], [1, 2, 3, 4, 5]),
        (6, [(61, 33)], [2**24 - 1, 255, 256, 65536, 123456, 9]),
        (4, [(40, 60), (50, 20), (30, 90)], [1, 2, 3, 4]),
        (300, [(40, 60)], list(range(1000, 1300))),
    ],
)
def test_pictures_have_the_pixels_of_bitmaps(count, sizes, ids):
    for seed in range(5):
        chance = random.Random(seed)
        shapes = [
            blob(chance, sizes[n % len(sizes)], id=ids[n], z_order=chance.randint(0, 2))
            for n in range(count)
        ]
        picture, hidden = oracle(shapes, ids)

        record, data, covered = painted(
            Item("x", media=Media(height=sizes[0][0], width=sizes[0][1])),
            [Instance(shape) for shape in shapes],
            {"a": 3},
        )

        image = decode(data).astype(np.uint32)
        assert image.ndim == 3
        assert (image[..., 2] + (image[..., 1] << 8) + (image[..., 0] << 16) == picture).all()
        assert covered == hidden
        for info in record["segments_info"]:
            mine = picture == info["id"]
            assert info["area"] == mine.sum()
            assert info["bbox"] == list(masks.bbox(*masks.encode(mine)))


def test_a_segment_of_the_color_0_is_as_none():
    left = np.zeros((4, 6), bool)
    left[:, :3] = True
    shapes = [
        Mask(*masks.encode(left), label="a", extra={"coco": {"id": 0}}),
        Mask(*masks.encode(np.zeros((4, 6))), label="a", id=5),
        Polygon([[[4.0, 0.0, 6.0, 0.0, 6.0, 2.0, 4.0, 2.0]]], label="a", id=6),
    ]
    item = Item("x", media=Media(height=4, width=6))
    record, data, covered = painted(item, [Instance(shape) for shape in shapes], {"a": 3})
    assert decode(data)[..., 2].tolist() == [[0, 0, 0, 0, 6, 6]] * 2 + [[0] * 6] * 2
    areas = {info["id"]: info["area"] for info in record["segments_info"]}
    assert areas == {0: 20, 5: 0, 6: 4}
    assert covered == 0
