"""Ultralytics' NDJSON."""

import json

import pytest

from dvcs import formats
from dvcs.errors import DvcsError, FormatError, FormatErrors
from dvcs.files import MemorySink, MemorySource
from dvcs.model import Bbox, Dataset, Item, Label, Media, MediaFile, Points, Polygon, RotatedBbox
from tests.gallery import HOLE, RING, image_item, png

NDJSON = formats.find("yolo_ndjson")
HEAD = {
    "type": "dataset",
    "task": "detect",
    "name": "pets",
    "class_names": {"0": "cat", "1": "dog"},
}
IMAGE = {
    "type": "image",
    "file": "street/1.jpg",
    "url": "https://example.org/1.jpg",
    "width": 200,
    "height": 100,
    "split": "train",
    "annotations": {"boxes": [[1, 0.5, 0.4, 0.25, 0.1]]},
}


def lines(*records) -> bytes:
    return b"".join(
        (record if isinstance(record, bytes) else json.dumps(record).encode()) + b"\n"
        for record in records
    )


def read(*records, files=None, keep_going: bool = False, **options):
    place = MemorySource({"d.ndjson": lines(*records), **(files or {})}, keep_going=keep_going)
    data = formats.read(place, NDJSON, **options)
    return data, list(iter(data)), place


def written(data: Dataset, **options):
    sink = MemorySink()
    fidelity = formats.write(data, NDJSON, sink, **options)
    return [json.loads(line) for line in sink.files["dataset.ndjson"].splitlines()], sink, fidelity


def test_reads_labels_media_and_boxes():
    data, (item,), place = read(HEAD, IMAGE)
    assert formats.detect(place).name == "yolo_ndjson"
    assert data.labels.names == ("cat", "dog")
    assert data.metadata == {"yolo": {"name": "pets"}}
    assert (item.subset, item.id, item.annotated) == ("train", "street/1", True)
    assert item.media == Media(
        files=(MediaFile(ext=".jpg", url="https://example.org/1.jpg"),), height=100, width=200
    )
    assert item.origins == (None,)
    assert list(item.annotations) == [Bbox(75.0, 35.0, 50.0, 10.0, label="dog")]


def test_all_tasks():
    annotations = {
        "segments": [[0, 0, 0, 1, 0, 1, 1]],
        "obb": [[0, 0.4, 0.3, 0.6, 0.3, 0.6, 0.7, 0.4, 0.7]],
        "pose": [[1, 0.5, 0.5, 0.5, 0.5, 0.1, 0.2, 2, 0.3, 0.4, 1]],
        "classification": [1],
    }
    _, (item,), _ = read(HEAD | {"kpt_shape": [2, 3]}, IMAGE | {"annotations": annotations})
    assert [type(note) for note in item.annotations] == [Polygon, RotatedBbox, Bbox, Points, Label]
    assert [note.group for note in item.annotations] == [0, 0, 1, 1, 0]
    assert item.annotations[1].geometry == pytest.approx((100, 50, 40, 40, 0))
    assert item.annotations[3].visibility == [2, 1]


def test_images_nobody_looked_at_and_images_without_objects():
    unseen = {key: value for key, value in IMAGE.items() if key != "annotations"} | {
        "file": "2.jpg"
    }
    _, items, _ = read(HEAD, IMAGE | {"annotations": {}}, unseen)
    assert [item.annotated for item in items] == [True, None]


def test_images_beside_the_file_are_found_and_tell_their_size():
    record = {key: value for key, value in IMAGE.items() if key not in ("width", "height")}
    record |= {"file": "1.png"}
    for path in ("images/train/1.png", "train/1.png", "images/1.png", "1.png"):
        _, (item,), _ = read(HEAD, record, files={path: png(1)})
        assert item.origins[0].read() == png(1)
        assert item.media.size == (48, 64)
        assert item.annotations[0].w == 16
    with pytest.raises(FormatError, match="not known"):
        read(HEAD, record)
    _, (item,), _ = read(HEAD, record, image_size="64x48")
    assert item.annotations[0].w == 16


@pytest.mark.parametrize(
    ("record", "why"),
    [
        (b"{", r"d\.ndjson:2: ends in the middle"),
        (b'{"type": "dataset"}', r"d\.ndjson:2: Invalid enum value"),
        (IMAGE | {"file": "../x.jpg"}, r"d\.ndjson:2: '\.\./x\.jpg' has a part"),
        (IMAGE | {"split": "../x"}, r"d\.ndjson:2: subset"),
        (IMAGE | {"width": -3}, r"d\.ndjson:2: width and height"),
        (IMAGE | {"annotations": {"boxes": 3}}, r"d\.ndjson:2: 'boxes' is no list"),
        (IMAGE | {"annotations": {"other": []}}, r"d\.ndjson:2: 'other' is no list"),
        (IMAGE | {"annotations": {"boxes": [[2, 0, 0, 1, 1]]}}, "there is no label 2"),
        (IMAGE | {"annotations": {"boxes": [[0, 0, 0, 1]]}}, "4 or more numbers, not 3"),
        (IMAGE | {"annotations": {"boxes": [["0", 0, 0, 1, 1]]}}, "is not a label index"),
        (IMAGE | {"annotations": {"boxes": [[True, 0, 0, 1, 1]]}}, "is not a label index"),
        (IMAGE | {"annotations": {"boxes": [[]]}}, "is not a label index"),
        (IMAGE | {"annotations": {"boxes": [[0, 1e308, 0, 1e308, 1]]}}, "a number is too large"),
        (IMAGE | {"annotations": {"boxes": [[0, 10**400, 0, 1, 1]]}}, "large|range"),
    ],
)
def test_a_bad_line_is_named_and_the_rest_is_read(record, why):
    with pytest.raises(DvcsError, match=why):
        read(HEAD, record)
    good = IMAGE | {"file": "2.jpg"}
    _, items, place = read(HEAD, record, good, keep_going=True)
    assert items[-1].id == "2"
    assert len(items[-1].annotations) == 1
    assert len(place.errors) == 1


def test_an_image_listed_twice_is_told():
    with pytest.raises(
        FormatError, match=r"d\.ndjson:3: the image 'street/1\.jpg' is listed twice"
    ):
        read(HEAD, IMAGE, IMAGE)


@pytest.mark.parametrize(
    "head",
    [b"", b"{}", b"[]", IMAGE, HEAD | {"class_names": {"x": "cat"}}, HEAD | {"kpt_shape": [1, 5]}],
)
def test_a_file_without_a_dataset_line_is_refused(head):
    with pytest.raises(FormatError):
        read(head, IMAGE)


def test_other_files_are_not_taken_for_it():
    for files in ({"a.ndjson": b'{"a": 1}\n'}, {"a.ndjson": b""}, {"a.json": lines(HEAD)}):
        with pytest.raises((formats.Rejected, FormatError)):
            NDJSON.detect(MemorySource(files))


def test_writes_one_task_and_loses_nothing():
    notes = [
        Bbox(16.0, 12.0, 32.0, 24.0, label="dog", score=0.5),
        Polygon([[RING, HOLE]], label="cat"),
        Label(label="dog"),
    ]
    data = Dataset.from_items([image_item("a/1", "train", *notes)], ["cat", "dog"])
    (head, image), sink, fidelity = written(data, save_scores=True)
    assert head == {"type": "dataset", "task": "segment", "class_names": {"0": "cat", "1": "dog"}}
    assert list(image["annotations"]) == ["segments", "boxes", "labels"]
    assert image["annotations"]["boxes"] == [[1, 0.5, 0.5, 0.5, 0.5, 0.5]]
    assert image["annotations"]["labels"] == [1]
    assert (image["file"], image["split"], image["width"]) == ("a/1.png", "train", 64)
    assert list(sink.origins) == ["images/train/a/1.png"]
    assert fidelity.converted == {("polygon", "polygon"): 1}


@pytest.mark.parametrize(
    ("notes", "task", "key"),
    [
        ([Label(label="cat")], "classify", "classification"),
        ([Bbox(1.0, 2.0, 3.0, 4.0, label="cat"), Label(label="cat")], "detect", "boxes"),
        ([RotatedBbox(9.0, 9.0, 3.0, 4.0, 9.0, label="cat")], "obb", "obb"),
        ([Points([1.0, 2.0], label="cat")], "pose", "pose"),
        ([], "detect", "boxes"),
    ],
)
def test_the_task_is_that_of_the_annotations(notes, task, key):
    data = Dataset.from_items([image_item("1", "train", *notes)], ["cat"])
    (head, image), sink, _ = written(data)
    assert head["task"] == task
    assert next(iter(image["annotations"])) == key
    (item,) = formats.read(MemorySource(sink.files, media=sink.origins), NDJSON)
    assert [note.kind for note in item.annotations] == [note.kind for note in notes]


def test_what_the_first_line_said_comes_back():
    data, _, _ = read(HEAD | {"description": "x", "version": 3}, IMAGE)
    (head, image), _, _ = written(data)
    assert head == HEAD | {"description": "x", "version": 3}
    assert image["url"] == IMAGE["url"]


def test_shapes_of_an_image_of_unknown_size_are_refused_but_labels_are_not():
    item = Item("x", "train", None, [Label(label="cat")])
    written(Dataset.from_items([item]))
    with pytest.raises(DvcsError, match="item 'x': the size"):
        written(Dataset.from_items([item.with_(annotations=[Bbox(1, 2, 3, 4, label="cat")])]))


def test_several_bad_rows_are_all_named():
    rows = [[9, 0, 0, 1, 1], [0, 0, 0, 1, 1], [8, 0, 0, 1, 1]]
    with pytest.raises(FormatErrors, match="2 records"):
        read(HEAD, IMAGE | {"annotations": {"boxes": rows}})


@pytest.mark.parametrize("rest", [b'"task": 1e999', b'"x": "\xff"', b'"x": ' + b"[" * 5000])
def test_a_first_line_that_is_odd_in_what_nobody_reads_is_told(rest):
    head = b'{"type": "dataset", "class_names": {"0": "a"}, ' + rest + b"}\n"
    with pytest.raises(FormatError, match=r"d\.ndjson:1: the first line is no dataset record"):
        formats.read(MemorySource({"d.ndjson": head}), NDJSON)
