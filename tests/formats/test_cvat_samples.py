"""CVAT's own exports: counted a second time with lxml alone, and written back as they were."""

from collections import Counter
from pathlib import Path

import pytest
from lxml import etree

from dvcs import formats
from dvcs.files import MemorySink, open_source
from dvcs.model import AttributeSpec, Bbox, Points, Polygon, PolyLine
from tests.conftest import needs_samples
from tests.formats.cvat_documents import CVAT, meaning

FILES = {
    "for_images/export_task": "train.xml",
    "for_images/export_project": "annotations.xml",
    "for_video": "annotations.xml",
}
KINDS = {"box": "bbox", "tag": "label"}


@pytest.fixture(params=FILES)
def sample(request: pytest.FixtureRequest) -> Path:
    return needs_samples("datumaro", "cvat_dataset", request.param)


def xml_of(sample: Path) -> Path:
    return next(sample.glob("*.xml"))


def test_is_detected_as_cvat_and_nothing_else(sample: Path):
    assert formats.detect(open_source(sample)).name == "cvat"
    assert CVAT.detect(open_source(xml_of(sample))) is formats.Confidence.HIGH


def test_every_shape_is_read(sample: Path):
    root = etree.parse(xml_of(sample)).getroot()
    listed = Counter(
        KINDS.get(shape.tag, shape.tag)
        for holder in root.iter("image", "track")
        for shape in holder
    )
    items = list(formats.read(open_source(sample), CVAT))
    assert Counter(note.kind for item in items for note in item.annotations) == listed
    labels = [element.text for element in root.iterfind("./meta//labels/label/name")]
    assert list(formats.read(open_source(sample), CVAT).labels.names) == labels


def test_every_image_is_found(sample: Path):
    items = list(formats.read(open_source(sample), CVAT))
    pictures = {path for path in sample.rglob("*") if path.suffix in {".jpg", ".png"}}
    assert {one.path for item in items for one in item.origins if one is not None} == pictures
    assert len(items) == len(pictures)


def test_comes_back_as_it_was(sample: Path):
    sink = MemorySink()
    fidelity = formats.write(formats.read(open_source(sample), CVAT), CVAT, sink)
    assert fidelity.lossless
    assert list(sink.files) == [xml_of(sample).name]
    assert meaning(sink.files[xml_of(sample).name]) == meaning(xml_of(sample))
    assert set(sink.origins) == {
        path.relative_to(sample).as_posix() for path in sample.rglob("images/**/*.*")
    }


def test_the_task_of_images_says_this():
    source = open_source(needs_samples("datumaro", "cvat_dataset", "for_images", "export_task"))
    dataset = formats.read(source, CVAT)
    one, two = dataset
    assert (one.id, one.subset, one.media and one.media.size) == ("img0", "train", (8, 8))
    assert list(one.annotations) == [
        Bbox(
            x=0.0,
            y=2.0,
            w=4.0,
            h=2.0,
            label="label1",
            z_order=1,
            attributes={"occluded": True, "a1": True, "a2": "v3", "a3": "0003", "a4": 2.4},
        ),
        PolyLine(points=[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0], attributes={"occluded": False}),
    ]
    assert (two.id, two.subset, two.media and two.media.size) == ("img1", "train", (10, 10))
    assert list(two.annotations) == [
        Polygon(
            parts=[[[1.0, 2.0, 3.0, 4.0, 6.0, 5.0]]], z_order=1, attributes={"occluded": False}
        ),
        Points(
            points=[1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
            label="label2",
            z_order=2,
            attributes={"occluded": False},
        ),
    ]
    assert dataset.labels["label1"].attributes == (
        AttributeSpec(name="a1", type="checkbox", values=(False, True), default=False),
        AttributeSpec(name="a2", type="radio", values=("v1", "v2", "v3"), default="v1"),
        AttributeSpec(name="a3", type="text", values=("0001 0002 0003",), default="0000"),
        AttributeSpec(name="a4", type="number", values=("2.4 1 -5.6",), default=0),
    )


def test_the_project_has_its_subsets():
    source = open_source(needs_samples("datumaro", "cvat_dataset", "for_images", "export_project"))
    items = list(formats.read(source, CVAT))
    assert [(item.subset, item.id) for item in items] == [
        (subset, id) for subset in ("Test", "Train", "Validation") for id in ("img0", "img1")
    ]
    assert [len(item.annotations) for item in items] == [2] * 6
    assert items[2].annotations == items[0].annotations


def test_the_video_has_its_frames():
    dataset = formats.read(
        open_source(needs_samples("datumaro", "cvat_dataset", "for_video")), CVAT
    )
    items = {item.id: item for item in dataset}
    assert list(items) == ["frame_000010", "frame_000013", "frame_000016"]
    media = items["frame_000013"].media
    assert media is not None
    assert (media.kind, media.frame, media.size) == ("video_frame", 13, (20, 25))
    box, points, line = items["frame_000013"].annotations
    assert box == Bbox(
        x=7.0,
        y=6.0,
        w=7.0,
        h=2.0,
        label="II",
        track=0,
        attributes={"occluded": False, "outside": True, "keyframe": True},
    )
    assert points.attributes["hgl"] == "jk"
    assert (line.track, line.attributes["outside"]) == (2, False)
    assert dataset.labels["klhg"].attributes == (
        AttributeSpec(name="hgl", type="select", values=("jk", "hgkf"), default="jk", mutable=True),
    )
