"""Small pictures: their size, orientation, depth, and what must not be in them."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dvcs.errors import DvcsError, InvalidMedia
from dvcs.files import BytesOrigin
from dvcs.media.pixels import encode
from dvcs.model import Item, Media, MediaFile
from dvcs.web.pictures import Picture, Pictures, small


def opened(picture: Picture) -> np.ndarray:
    return np.array(Image.open(io.BytesIO(picture.data)))


def jpeg(width: int, height: int, *, orientation: int = 1) -> bytes:
    """Return a JPEG, black at the left and white at the right as stored, with EXIF data."""
    ramp = np.broadcast_to(np.linspace(0, 255, width).astype(np.uint8), (height, width))
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "Maker of cameras"
    file = io.BytesIO()
    Image.fromarray(ramp).save(file, "jpeg", quality=95, exif=exif)
    return file.getvalue()


def test_a_large_image_is_made_smaller_and_says_how_large_it_was():
    picture = small(jpeg(3000, 1500))
    assert (picture.ext, picture.size) == (".jpg", (1500, 3000))
    assert opened(picture).shape == (512, 1024)


def test_an_image_that_lies_on_its_side_is_put_upright():
    picture = small(jpeg(400, 200, orientation=6))
    assert picture.size == (400, 200)
    pixels = opened(picture).astype(int)
    assert pixels[:20].mean() < 20
    assert pixels[-20:].mean() > 235


def test_an_image_with_a_size_declared_before_its_turn_stays_as_it_is_stored():
    picture = small(jpeg(400, 200, orientation=6), (200, 400))
    assert picture.size == (200, 400)
    pixels = opened(picture).astype(int)
    assert pixels[:, :20].mean() < 20
    assert pixels[:, -20:].mean() > 235


def test_what_a_camera_wrote_is_left_out():
    data = jpeg(400, 200)
    assert b"Maker of cameras" in data
    assert b"Maker of cameras" not in small(data).data


def test_small_images_keep_each_pixel():
    image = np.random.default_rng(1).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    picture = small(encode(image, ".png"))
    assert picture.ext == ".png"
    assert (opened(picture)[:, :, ::-1] == image).all()


def test_deep_float_and_transparent_images_become_eight_bits():
    deep = np.array([[0, 1000], [2000, 4000]], dtype=np.uint16)
    assert opened(small(encode(deep, ".png"))).tolist() == [[0, 63], [127, 255]]
    values = np.array([[-1.0, 0.0], [1.0, 3.0]], dtype=np.float32)
    assert opened(small(encode(values, ".tiff"))).tolist() == [[0, 63], [127, 255]]
    clear = np.zeros((2, 2, 4), dtype=np.uint8)
    clear[0, 0, 3] = 255
    assert opened(small(encode(clear, ".png")))[:, :, 0].tolist() == [[0, 255], [255, 255]]


@pytest.mark.parametrize("data", [b"", b"GIF89a", b"\x89PNG\r\n\x1a\n" + b"\0" * 40, b"<svg/>"])
def test_what_is_no_image_is_refused(data: bytes):
    with pytest.raises(InvalidMedia):
        small(data)


def item(id: str, read, **fields: object) -> Item:
    media = Media(files=(MediaFile(ext=".png"),), **fields)
    return Item(id, media=media, origins=(BytesOrigin(read),))


def test_pictures_come_in_order_each_kept_once(tmp_path: Path):
    images = [encode(np.full((4, 4), n % 3 * 80, dtype=np.uint8), ".png") for n in range(30)]
    held = Pictures(tmp_path / "p.html")
    found = list(held.of((n, item(str(n), lambda n=n: images[n])) for n in range(30)))
    assert [n for n, _ in found] == list(range(30))
    assert len({shown.name for _, shown in found}) == len(held.names) == len(list(held.blocks()))
    assert [shown.name for _, shown in found[:3]] == [shown.name for _, shown in found[3:6]]
    assert found[0][1].size == (4, 4)
    assert held.address is None


def test_what_cannot_be_read_says_why_and_does_not_stop_the_rest(tmp_path: Path):
    def broken() -> bytes:
        raise DvcsError("the disk has a hole")

    def gone() -> bytes:
        return (tmp_path / "gone.png").read_bytes()

    good = encode(np.zeros((4, 4), dtype=np.uint8), ".png")
    held = Pictures(tmp_path / "p.html")
    things = [
        ("broken", item("1", broken, height=7, width=9)),
        ("gone", item("2", gone)),
        ("good", item("3", lambda: good)),
        ("none", None),
        ("cloud", item("4", lambda: good, kind="point_cloud")),
        ("video", Item("5", media=Media(kind="video_frame", files=(MediaFile(ext=".mp4"),)))),
    ]
    shown = dict(held.of(things))
    assert shown["broken"].why == "the image cannot be read: the disk has a hole"
    assert shown["broken"].size == (7, 9)
    assert "gone.png" in shown["gone"].why
    assert shown["good"].name
    assert shown["none"].why == "the item has no media"
    assert shown["cloud"].why.startswith("a point cloud")
    assert shown["video"].why.startswith("a frame of a video")
    assert held.failed == 2


def test_many_bytes_go_to_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from dvcs.web import pictures

    monkeypatch.setattr(pictures, "EMBEDDED", 25)
    held = Pictures(tmp_path / "a b.html")
    names = [held.add(Picture(bytes([n]) * 10, ".png", (1, 1))) for n in range(2)]
    assert (held.address, held.folder.exists()) == (None, False)
    names += [held.add(Picture(bytes([n]) * 10, ".png", (1, 1))) for n in range(2, 5)]
    assert held.address == "a%20b_files/"
    assert {one.name for one in held.folder.iterdir()} == set(names)
    assert list(held.blocks()) == []
