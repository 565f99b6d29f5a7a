"""
Images that EXIF turns, with sizes that were declared before the turn or after it.

Whatever is written, boxes and pixels are of one frame: who reads both
finds each object where it is.
"""

import io
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from dvcs import formats
from dvcs.files import BytesOrigin, MemorySink, MemorySource, PathOrigin, open_source
from dvcs.formats._exporting import export
from dvcs.formats._fidelity import Fidelity
from dvcs.model import Bbox, Dataset, Item, Media, MediaFile, Points, Polygon, RotatedBbox
from tests.gallery import exif_picture

STORED, SHOWN = (60, 100), (100, 60)
NOTES = {
    "yolo": Bbox(1.25, 2.5, 10.0, 7.5, label="cat"),
    "yolo_detect": Bbox(1.25, 2.5, 10.0, 7.5, label="cat"),
    "yolo_ndjson": Bbox(1.25, 2.5, 10.0, 7.5, label="cat"),
    "yolo_obb": RotatedBbox(30.0, 20.0, 10.0, 7.5, 30.0, label="cat"),
    "yolo_pose": Points([10.0, 20.0], [2], label="cat"),
    "yolo_segment": Polygon([[[5.0, 5.0, 25.0, 5.0, 25.0, 20.0]]], label="cat"),
}
ABSOLUTE = ("coco", "cvat", "datumaro", "voc")


def dataset(format: str, size: tuple[int, int] | None, *datas: bytes) -> Dataset:
    height, width = size or (None, None)
    media = Media(files=(MediaFile(ext=".jpg"),), height=height, width=width)
    items = [
        Item(str(n), "train", media, [NOTES.get(format, NOTES["yolo"])], annotated=True)
        for n in range(len(datas))
    ]
    pairs = zip(items, datas, strict=True)
    return Dataset.from_items(
        [item.with_(origins=(BytesOrigin(lambda data=data: data),)) for item, data in pairs],
        ["cat"],
    )


def written(data: Dataset, name: str, **options: object) -> tuple[list[Item], Fidelity, bytes]:
    """Return what a format reads of what it wrote, and the first image."""
    sink = MemorySink(**options)
    format = formats.find(name)
    fidelity = formats.write(data, format, sink)
    items = list(formats.read(MemorySource(sink.files, media=sink.origins), format))
    origin = items[0].origins[0] if items[0].origins else None
    return items, fidelity, b"" if origin is None else origin.read()


def assert_close(note: object, other: object) -> None:
    numbers = [
        np.ravel([*note.parts[0][0]] if isinstance(note, Polygon) else list(note.geometry[:4]))
        if not isinstance(note, Points)
        else np.ravel(note.points)
        for note in (note, other)
    ]
    assert numbers[0] == pytest.approx(numbers[1], abs=1e-4)


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
@pytest.mark.parametrize("name", NOTES)
def test_boxes_come_back_where_the_size_was_declared_before_the_turn(name: str, orientation: int):
    picture = exif_picture(orientation)
    items, fidelity, image = written(dataset(name, STORED, picture, picture), name)
    assert_close(items[0].annotations[0], NOTES[name])
    assert [one.media.size for one in items if one.media is not None] == [STORED] * 2
    shown = ImageOps.exif_transpose(Image.open(io.BytesIO(image)))  # as whoever trains sees it
    assert shown.size == STORED[::-1]
    assert cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_COLOR).shape[:2] == STORED
    (told,) = [(n, note) for note, n in fidelity.notes.items() if "EXIF" in note]
    assert told[0] == 2
    assert told[1].endswith("'0' is 100 x 60")


@pytest.mark.parametrize("name", NOTES)
@pytest.mark.parametrize(("orientation", "size"), [(6, SHOWN), (6, None), (3, STORED), (1, STORED)])
def test_all_other_images_are_copied_as_they_are(
    name: str, orientation: int, size: tuple[int, int] | None
):
    picture = exif_picture(orientation)
    items, fidelity, image = written(dataset(name, size, picture), name)
    assert_close(items[0].annotations[0], NOTES[name])
    assert image == picture
    assert not [note for note in fidelity.notes if "EXIF" in note]


@pytest.mark.parametrize("name", ABSOLUTE)
def test_formats_that_state_the_size_copy_the_image_as_it_is(name: str):
    items, _, image = written(dataset(name, STORED, exif_picture(6)), name)
    assert image == exif_picture(6)
    assert items[0].media is not None
    assert items[0].media.size == STORED


@pytest.mark.parametrize("name", [*NOTES, *ABSOLUTE])
@pytest.mark.parametrize("size", [STORED, SHOWN])
def test_images_encoded_anew_have_the_declared_size(
    name: str, size: tuple[int, int], tmp_path: Path
):
    done = export(
        dataset(name, size, exif_picture(6)), formats.find(name), tmp_path / "out", image_ext=".png"
    )
    with closing(open_source(tmp_path / "out")) as source:
        (item,) = formats.read(source, formats.find(name))
        assert item.origins[0] is not None
        with Image.open(io.BytesIO(item.origins[0].read())) as image:
            assert image.size == size[::-1]
            assert image.getexif().get(274, 1) == 1
        assert_close(item.annotations[0], NOTES.get(name, NOTES["yolo"]))
    assert bool([one for one in done.fidelity.notes if "EXIF" in one]) == (size == STORED)


def test_without_images_the_declared_size_is_what_counts(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("dvcs.media.headers.read_header", None)
    data = dataset("yolo_detect", STORED, exif_picture(6))
    (item,), fidelity, _ = written(data, "yolo_detect", save_media=False)
    assert_close(item.annotations[0], NOTES["yolo"])
    assert not [note for note in fidelity.notes if "EXIF" in note]


def test_no_header_is_read_where_coordinates_do_not_depend_on_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setattr("dvcs.media.headers.read_header", None)
    for name in ABSOLUTE:
        export(dataset(name, STORED, exif_picture(6)), formats.find(name), tmp_path / name)
    square = dataset("yolo_detect", (50, 50), exif_picture(6))
    export(square, formats.find("yolo_detect"), tmp_path / "square")


@pytest.mark.parametrize("link", ["hard", "symlink"])
def test_an_unturned_copy_is_never_written_through_a_link(link: str, tmp_path: Path):
    path = tmp_path / "a.jpg"
    path.write_bytes(exif_picture(6))
    (item,) = dataset("yolo_detect", STORED, b"")
    data = Dataset.from_items([item.with_(origins=(PathOrigin(path),))], ["cat"])
    export(data, formats.find("yolo_detect"), tmp_path / "out", link=link)
    assert path.read_bytes() == exif_picture(6)
    copy = tmp_path / "out/images/train/0.jpg"
    assert not copy.is_symlink()
    assert Image.open(io.BytesIO(copy.read_bytes())).getexif()[274] == 1
