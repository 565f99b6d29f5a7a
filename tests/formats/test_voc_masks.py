"""Masks of Pascal VOC: palettes, greys and colours; instances and objects; what is ignored."""

import random
from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
import pytest

from dvcs import formats
from dvcs.errors import DvcsError, FormatError, InvalidShape
from dvcs.files import MemorySink, MemorySource
from dvcs.formats._voc.labels import color_of, colors_of, original
from dvcs.formats._voc.masks import PALETTE, _without_palette, paint
from dvcs.geometry import masks
from dvcs.media.pixels import decode
from dvcs.model import Bbox, Dataset, Item, Mask
from tests.gallery import bitmap, image_item

MAP = b"background:0,0,0::\ncat:10,20,30::\ndog:40,50,60::\n"
BOX = "<bndbox><xmin>1</xmin><ymin>2</ymin><xmax>4</xmax><ymax>8</ymax></bndbox>"
CLASSES = np.zeros((6, 8), np.uint8)
CLASSES[1:5, 1:4] = 1
CLASSES[1:5, 5:7] = 2
CLASSES[0, :] = 255
INSTANCES = CLASSES.copy()
INSTANCES[3:5, 1:4] = 3
NAMES = ("cat", "dog", "cat", "ignored")
"""Labels of the instances 1, 2 and 3, and of what is ignored."""


def png(pixels: np.ndarray) -> bytes:
    done, data = cv2.imencode(".png", pixels)
    assert done
    return data.tobytes()


def colored(numbers: np.ndarray, colors: Mapping[int, tuple[int, int, int]]) -> bytes:
    pixels = np.zeros((*numbers.shape, 3), np.uint8)
    for number, color in colors.items():
        pixels[numbers == number] = color[::-1]
    return png(pixels)


MAP_COLORS = {0: (0, 0, 0), 1: (10, 20, 30), 2: (40, 50, 60), 255: (224, 224, 192)}
ITEM_COLORS = {number: color_of(number) for number in (0, 1, 2, 3, 255)}


def files(classes: bytes | None, objects: bytes | None, **more: bytes) -> dict[str, bytes]:
    found = {"labelmap.txt": MAP, "ImageSets/Segmentation/train.txt": b"a\n", **more}
    if classes is not None:
        found["SegmentationClass/a.png"] = classes
    if objects is not None:
        found["SegmentationObject/a.png"] = objects
    return found


def xml(*names: str) -> bytes:
    objects = "".join(f"<object><name>{name}</name>{BOX}</object>" for name in names)
    return f"<annotation>{objects}</annotation>".encode()


def read(source: Mapping[str, bytes], format: str = "voc") -> Dataset:
    return formats.read(MemorySource(source), formats.find(format))


def write(*notes: Any, format: str = "voc", **options: Any) -> MemorySink:
    data = Dataset.from_items([image_item("a", "train", *notes)], ["cat", "dog"])
    sink = MemorySink()
    formats.write(data, formats.find(format), sink, **options)
    sink.finish()
    return sink


def pixels_of(note: Mask) -> np.ndarray:
    return masks.decode(note.size, note.counts)


def assert_instances(item: Item) -> None:
    """Assert that an item has the masks of `CLASSES` and `INSTANCES`."""
    found = [note for note in item.annotations if isinstance(note, Mask)]
    assert tuple(note.label for note in found) == NAMES
    for note, number in zip(found, (1, 2, 3, 255), strict=True):
        assert np.array_equal(pixels_of(note), number == INSTANCES)


# -- reading -------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["voc", "voc_segmentation"])
@pytest.mark.parametrize("classes", ["grey", "colour", "alpha"])
@pytest.mark.parametrize("objects", ["grey", "colour", "wide"])
def test_numbers_and_colours_mean_the_same(format: str, classes: str, objects: str):
    spelt = {
        "grey": png(CLASSES),
        "colour": colored(CLASSES, MAP_COLORS),
        "alpha": png(cv2.cvtColor(decode(colored(CLASSES, MAP_COLORS)), cv2.COLOR_BGR2BGRA)),
    }
    numbered = {
        "grey": png(INSTANCES),
        "colour": colored(INSTANCES, ITEM_COLORS),
        "wide": png(INSTANCES.astype(np.uint16)),
    }
    data = read(files(spelt[classes], numbered[objects]), format)
    (item,) = data
    assert_instances(item)
    assert item.annotated is True
    assert item.media is not None
    assert item.media.size == (6, 8)
    assert data.labels.names == ("background", "cat", "dog", "ignored")


@pytest.mark.parametrize("colormap", [True, False])
@pytest.mark.parametrize("format", ["voc", "voc_segmentation"])
def test_what_was_read_is_written_and_read_again(format: str, colormap: bool):
    data = read(files(png(CLASSES), png(INSTANCES)), format)
    sink = MemorySink()
    formats.write(data, formats.find(format), sink, apply_colormap=colormap)
    for folder, numbers in (("Class", CLASSES), ("Object", INSTANCES)):
        written = sink.files[f"Segmentation{folder}/a.png"]
        palette, plain = _without_palette(written)
        assert np.array_equal(decode(plain), numbers)
        assert (palette is not None) == colormap
    second = read(sink.files, format)
    (item,) = second
    assert_instances(item)
    assert item == next(iter(data))
    assert second.labels.names == data.labels.names


def test_a_palette_counts_by_its_colours_for_classes():
    sink = write(bitmap((1, 1, 9, 9)).with_(label="dog"))
    lines = sink.files["labelmap.txt"].decode().splitlines()[1:]
    turned = {**sink.files, "labelmap.txt": "\n".join(reversed(lines)).encode()}
    (item,) = read(turned)
    assert [note.label for note in item.annotations] == ["dog"]


def test_palettes_of_few_bits_show_their_numbers():
    import struct
    import zlib

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    rows = b"".join(b"\0" + bytes([0x01, 0x12, 0x20]) for _ in range(2))
    image = b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", struct.pack(">IIBBBBB", 6, 2, 4, 3, 0, 0, 0)),
            chunk(b"PLTE", bytes([0, 0, 0, 10, 20, 30, 40, 50, 60])),
            chunk(b"tRNS", bytes([0, 255, 255])),
            chunk(b"IDAT", zlib.compress(rows)),
            chunk(b"IEND", b""),
        )
    )
    (item,) = read(files(image, image))
    assert [(note.label, pixels_of(note)[0].tolist()) for note in item.annotations] == [
        ("cat", [False, True, True, False, False, False]),
        ("dog", [False, False, False, True, True, False]),
    ]


def test_grey_numbers_are_lines_of_the_label_map():
    numbers = np.array([[0, 1, 2]], np.uint8)
    listed = b"car:0,128,0:: # color index 0\nbus:10,10,128::\n_dummy2:2,2,2::\n"
    data = read({**files(png(numbers), None), "labelmap.txt": listed})
    (item,) = data
    assert [note.label for note in item.annotations] == ["car", "bus", "_dummy2"]
    assert data.labels.names == ("car", "bus", "_dummy2", "ignored")


def test_without_a_label_map_masks_have_the_original_labels():
    numbers = np.array([[0, 15, 20, 255]], np.uint8)
    source = files(png(numbers), png(numbers))
    del source["labelmap.txt"]
    data = read(source)
    (item,) = data
    assert [note.label for note in item.annotations] == ["person", "tvmonitor", "ignored"]
    assert len(data.labels) == 22


def test_the_original_colours_are_vocs():
    assert [color_of(number) for number in (1, 2, 15, 20, 255)] == [
        *((128, 0, 0), (0, 128, 0), (192, 128, 128), (0, 64, 128), (224, 224, 192))
    ]
    categories = original(segmentation=True)
    assert colors_of(categories) == [one.color for one in categories]


def test_classes_alone_are_one_mask_each_and_stay_so():
    data = read(files(png(CLASSES), None))
    (item,) = data
    assert [(note.label, note.id, note.group) for note in item.annotations] == [
        *(("cat", 0, 0), ("dog", 0, 0), ("ignored", 0, 0))
    ]
    assert np.array_equal(pixels_of(item.annotations[0]), CLASSES == 1)
    sink = MemorySink()
    formats.write(data, formats.find("voc"), sink)
    assert "SegmentationObject/a.png" not in sink.files
    (again,) = read(sink.files)
    assert again.annotations == item.annotations


def test_an_instance_joins_the_object_of_its_number_and_label():
    source = files(
        png(CLASSES), png(INSTANCES), **{"Annotations/a.xml": xml("cat", "cat", "cat", "dog")}
    )
    (item,) = read(source)
    first, mask, second, third, other, fourth, alone, void = item.annotations
    assert isinstance(first, Bbox)
    assert isinstance(mask, Mask)
    assert first.group == mask.group == 1
    assert (third.group, other.group) == (2, 2)
    assert [note.group for note in (second, fourth, alone, void)] == [0, 0, 0, 0]
    assert (alone.label, void.label) == ("dog", "ignored")
    assert np.array_equal(pixels_of(alone), INSTANCES == 2)
    sink = MemorySink()
    formats.write(read(source), formats.find("voc"), sink)
    assert np.array_equal(
        decode(_without_palette(sink.files["SegmentationObject/a.png"])[1]), INSTANCES
    )
    assert sink.files["Annotations/a.xml"].count(b"<object>") == 4
    (again,) = read(sink.files)
    assert again == item


def boxed(*objects: tuple[str, tuple[int, int, int, int]], of_mask: bool = False) -> bytes:
    """Return an XML file of names and corners."""
    kind = "<type>mask</type>" if of_mask else ""
    found = (
        f"<object><name>{name}</name>{kind}<bndbox><xmin>{left}</xmin><ymin>{top}</ymin>"
        f"<xmax>{right}</xmax><ymax>{bottom}</ymax></bndbox></object>"
        for name, (left, top, right, bottom) in objects
    )
    return f"<annotation>{''.join(found)}</annotation>".encode()


@pytest.mark.parametrize("of_mask", [False, True])
def test_an_object_with_another_label_than_its_mask_keeps_it(of_mask: bool):
    objects = [("dog", (1, 1, 4, 3)), ("cat", (5, 1, 7, 6)), ("cat", (1, 3, 4, 5))]
    document = boxed(*objects, of_mask=of_mask)
    source = MemorySource(
        files(png(CLASSES), png(INSTANCES), **{"Annotations/a.xml": document}), name="d"
    )
    data = formats.read(source, formats.find("voc"))
    (item,) = data
    found = [note for note in item.annotations if isinstance(note, Mask)]
    assert [note.label for note in found] == ["dog", "cat", "cat", "ignored"]
    boxes = [note for note in item.annotations if isinstance(note, Bbox)]
    assert [note.label for note in boxes] == ([] if of_mask else ["dog", "cat", "cat"])
    for number, note in enumerate(found[:3], 1):
        assert np.array_equal(pixels_of(note), number == INSTANCES)
    assert list(data) == [item]
    ((message, count),) = source.notes.items()
    assert count == 2, "walks do not add up"
    assert "another label in the XML" in message
    assert message.endswith("'a', object 1")


def test_numbers_that_do_not_agree_join_nothing():
    objects = [("dog", (5, 1, 7, 5)), ("cat", (1, 1, 4, 3)), ("dog", (0, 0, 1, 1))]
    swapped = boxed(*objects, of_mask=True)
    source = MemorySource(
        files(png(CLASSES), png(INSTANCES), **{"Annotations/a.xml": swapped}), name="d"
    )
    (item,) = formats.read(source, formats.find("voc"))
    found = [(type(note), note.label) for note in item.annotations]
    assert found[:3] == [(Bbox, "dog"), (Bbox, "cat"), (Bbox, "dog")]
    assert found[3:] == [(Mask, name) for name in ("cat", "dog", "cat", "ignored")]
    assert not source.notes


@pytest.mark.parametrize("gone", [0, 1, 2])
def test_an_object_that_was_removed_leaves_the_masks_of_the_others_alone(gone: int):
    objects = [("cat", (1, 1, 4, 3)), ("dog", (5, 1, 7, 6)), ("cat", (1, 3, 4, 5))]
    document = boxed(*(one for n, one in enumerate(objects) if n != gone), of_mask=True)
    (item,) = read(files(png(CLASSES), png(INSTANCES), **{"Annotations/a.xml": document}))
    masks = [note for note in item.annotations if note.label != "ignored"]
    numbers = [n for n in (1, 2, 3) if n != gone + 1] + [gone + 1]
    assert [note.label for note in masks] == [objects[n - 1][0] for n in numbers]
    for note, number in zip(masks, numbers, strict=True):
        assert np.array_equal(pixels_of(note), number == INSTANCES)
    assert [note.extra.get("voc", {}).get("#instance") for note in masks] == [None, None, gone + 1]


def test_objects_that_are_fewer_and_in_another_order_take_no_mask_of_another():
    document = boxed(("dog", (5, 1, 7, 5)), ("cat", (1, 1, 4, 3)), of_mask=True)
    (item,) = read(files(png(CLASSES), png(INSTANCES), **{"Annotations/a.xml": document}))
    found = [(type(note), note.label) for note in item.annotations]
    assert found[:2] == [(Mask, "dog"), (Bbox, "cat")]
    assert found[2:] == [(Mask, name) for name in ("cat", "cat", "ignored")]


def test_a_covered_mask_lies_in_the_box_of_its_object():
    numbers = INSTANCES.copy()
    numbers[2:5, 1:4] = 3  # most of the first
    document = boxed(("dog", (1, 1, 4, 5)), of_mask=True)
    (item,) = read(files(png(CLASSES), png(numbers), **{"Annotations/a.xml": document}))
    assert [(type(note), note.label) for note in item.annotations[:1]] == [(Mask, "dog")]


def test_instances_without_classes_are_labelled_by_their_objects():
    source = files(None, png(INSTANCES), **{"Annotations/a.xml": xml("cat", "dog")})
    (item,) = read(source)
    found = [note.label for note in item.annotations if isinstance(note, Mask)]
    assert found == ["cat", "dog", None, "ignored"]


@pytest.mark.parametrize(
    ("classes", "objects", "reason"),
    [
        (colored(CLASSES, {1: (10, 20, 31)}), png(INSTANCES), r"Class/a\.png: the colour \(10, 20"),
        (
            png(CLASSES + 3),
            png(INSTANCES),
            r"Class/a\.png: number 3 is not of a label: there are 3",
        ),
        (png(CLASSES[:3]), png(INSTANCES), r"differ in size: \(3, 8\) and \(6, 8\)"),
        (png(CLASSES)[:60], png(INSTANCES), r"Class/a\.png: "),
        (png(CLASSES), b"GIF89a", r"Object/a\.png: "),
        (
            png(CLASSES),
            colored(INSTANCES, {1: (1, 2, 3)}),
            r"Object/a\.png: the colour \(1, 2, 3\)",
        ),
    ],
)
def test_bad_masks_are_refused_by_name(classes: bytes, objects: bytes, reason: str):
    with pytest.raises(FormatError, match=reason):
        list(read(files(classes, objects)))


def test_damaged_masks_give_an_error_of_ours():
    sink = write(bitmap((1, 1, 9, 9)).with_(label="dog"))
    chance = random.Random(5)
    for path in ("SegmentationClass/a.png", "SegmentationObject/a.png"):
        for _ in range(100):
            data = bytearray(sink.files[path])
            for _ in range(chance.randint(1, 4)):
                data[chance.randrange(len(data))] = chance.randrange(256)
            try:
                items = list(read({**sink.files, path: bytes(data)}))
            except DvcsError:
                continue
            assert len(items) == 1


# -- writing -------------------------------------------------------------------------------------


def test_a_mask_without_a_box_gets_an_object_with_its_extent():
    sink = write(bitmap((3, 4, 20, 30)).with_(label="cat", attributes={"is_crowd": True}))
    text = sink.files["Annotations/a.xml"].decode()
    for line in ("<segmented>1<", "<xmin>3<", "<ymin>4<", "<xmax>20<", "<ymax>30<"):
        assert line in text
    (item,) = read(sink.files)
    (mask,) = item.annotations
    assert isinstance(mask, Mask)
    assert mask.attributes == {"is_crowd": True}
    bare = {path: data for path, data in sink.files.items() if not path.startswith("Segm")}
    (item,) = read(bare)
    assert [note.kind for note in item.annotations] == ["bbox"]


def test_more_than_254_instances_are_written_with_16_bits_and_told():
    notes = [
        bitmap((2 * (n % 30), 2 * (n // 30), 2 * (n % 30) + 1, 2 * (n // 30) + 1))
        for n in range(300)
    ]
    sink = write(*(note.with_(label="cat") for note in notes))
    assert sink.notes == {"items have masks of 16 bits, for more than 254 instances or labels": 1}
    image = decode(sink.files["SegmentationObject/a.png"])
    assert image.dtype == np.uint16
    assert 255 not in image
    (item,) = read(sink.files)
    assert [note.geometry for note in item.annotations] == [note.geometry for note in notes]


def test_more_than_254_labels_keep_their_numbers():
    names = [f"label {n}" for n in range(400)]
    note = bitmap((1, 1, 9, 9)).with_(label="label 399")
    other = bitmap((20, 20, 30, 30)).with_(label="label 254")
    data = Dataset.from_items([image_item("a", "train", note, other)], names)
    sink = MemorySink()
    formats.write(data, formats.find("voc"), sink)
    found = read(sink.files)
    (item,) = found
    assert [one.label for one in item.annotations] == ["label 399", "label 254"]
    assert found.labels.names == ("background", *names, "ignored")


def test_covered_masks_are_counted():
    below = bitmap((0, 0, 20, 20)).with_(label="cat", z_order=1)
    above = bitmap((10, 0, 30, 20)).with_(label="dog", z_order=2)
    sink = write(above, below)
    assert sink.lost_fields == {"covered": 1}
    (item,) = read(sink.files)
    found = {note.label: pixels_of(note) for note in item.annotations}
    assert found["dog"].sum() == 400
    assert found["cat"].sum() == 200


def test_masks_of_different_sizes_are_refused():
    size, counts = masks.encode(np.ones((3, 3), bool))
    with pytest.raises(InvalidShape, match="item 'a': masks of different sizes"):
        write(bitmap((0, 0, 20, 20)).with_(label="cat"), Mask(size, counts, label="dog"))


def test_colours_are_the_datasets_own_and_all_differ():
    sink = write(bitmap((0, 0, 20, 20)).with_(label="cat"))
    lines = sink.files["labelmap.txt"].decode().splitlines()
    assert lines == [
        "# label:color_rgb:parts:actions",
        "background:0,0,0::",
        "cat:128,0,0::",
        "dog:0,128,0::",
        "ignored:224,224,192::",
    ]
    image = decode(sink.files["SegmentationClass/a.png"])
    assert image[5, 5].tolist() == [0, 0, 128]
    assert image[40, 40].tolist() == [0, 0, 0]


@pytest.mark.parametrize("count", [3, 300])
def test_painted_masks_cover_each_other_and_know_their_extents(count: int):
    chance = random.Random(count)
    pixels = np.zeros((count, 9, 7), np.uint8)
    for one in pixels:
        x, y = chance.randrange(7), chance.randrange(9)
        one[y : y + chance.randrange(1, 4), x : x + chance.randrange(1, 4)] = 1
    drawn = [masks.encode(one) for one in pixels]
    values = [number + (number > 254) for number in range(1, count + 1)]
    painted = paint(drawn, (values, [7] * count), (PALETTE, None))
    expected = np.zeros((9, 7), np.int64)
    for value, one in zip(values, pixels, strict=True):
        expected[one == 1] = value
    first, second = painted.images
    palette, grey = _without_palette(first)
    assert np.array_equal(decode(grey), expected)
    assert (palette == PALETTE) is (count < 255)
    assert np.array_equal(decode(second), np.where(expected > 0, 7, 0))
    assert painted.extents == [masks.bbox(*one) for one in drawn]
    whole = [
        np.array_equal(expected[one == 1] == v, one[one == 1] == 1)
        for v, one in zip(values, pixels, strict=True)
    ]
    assert painted.covered == whole.count(False)
