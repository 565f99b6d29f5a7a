"""What becomes of COCO's records in the model, one rule at a time, and bad ones."""

import json
import sys
from typing import Any

import pytest

from dvcs import formats
from dvcs.errors import DvcsError, FormatError, FormatErrors, NotADataset, UnsafeName, UsageError
from dvcs.files import open_source
from dvcs.model import Bbox, Caption, Label, Mask, Other, Points, Polygon
from tests.formats.coco_documents import assert_same_document, read, read_files, written

IMAGE = {"id": 1, "file_name": "a.jpg", "height": 10, "width": 20}
CAT = {"id": 3, "name": "cat", "supercategory": "animal"}
SQUARE = [1.0, 1.0, 5.0, 1.0, 5.0, 4.0, 1.0, 4.0]
POLYGON = {
    "id": 7,
    "image_id": 1,
    "category_id": 3,
    "segmentation": [SQUARE],
    "area": 12.0,
    "bbox": [1.0, 1.0, 4.0, 3.0],
    "iscrowd": 0,
}
BOX = {**POLYGON, "segmentation": []}


def document(*records: dict[str, Any], **changes: Any) -> dict[str, Any]:
    whole = {
        "info": {"year": 2026},
        "licenses": [{"id": 1, "name": "x", "url": ""}],
        "images": [IMAGE],
        "annotations": list(records),
        "categories": [CAT],
    }
    return {**whole, **changes}


def without(record: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key not in keys}


def notes_of(*records: dict[str, Any], **changes: Any) -> list[Any]:
    """Read records, check that they come back, and return the annotations."""
    whole = document(*records, **changes)
    dataset = read_files({"annotations/instances_train.json": whole})
    files = written(dataset)
    assert list(files) == ["annotations/instances_train.json"]
    assert_same_document(files["annotations/instances_train.json"], whole)
    return [note for item in dataset for note in item.annotations]


def test_a_polygon_needs_nothing_but_its_area():
    [note] = notes_of(POLYGON)
    assert note == Polygon(parts=[[SQUARE]], label="cat", id=7, derived={"coco": {"area": 12.0}})


def test_rings_are_parts_of_one_polygon():
    [note] = notes_of({**POLYGON, "segmentation": [SQUARE, [0.0, 0.0, 1.0, 0.0, 0.0, 1.0]]})
    assert isinstance(note, Polygon)
    assert [len(part) for part in note.parts] == [1, 1]
    assert note.derived["coco"]["bbox"] == [1.0, 1.0, 4.0, 3.0]


def test_a_box_that_rounding_hides_is_not_kept():
    ring = [150.59, 622.31, 332.77, 133.32, 120.46, 631.9]
    box = [120.46, 133.32, 212.31, 498.58]
    [note] = notes_of({**POLYGON, "segmentation": [ring], "bbox": box})
    assert note.derived == {"coco": {"area": 12.0}}


@pytest.mark.parametrize(
    ("segmentation", "extra"),
    [
        ([], {}),
        (None, {"coco": {"segmentation": None}}),
        ("absent", {"coco": {"dvcs": {"absent": ["segmentation"]}}}),
    ],
)
def test_without_segmentation_it_is_a_box(segmentation, extra):
    record = {**BOX, "segmentation": segmentation}
    if segmentation == "absent":
        del record["segmentation"]
    [note] = notes_of(record)
    assert note == Bbox(x=1.0, y=1.0, w=4.0, h=3.0, label="cat", id=7, extra=extra)


@pytest.mark.parametrize("area", [12.5, 0, None])
def test_an_area_that_is_not_the_boxs_is_kept(area):
    [note] = notes_of({**BOX, "area": area})
    assert note.derived == {"coco": {"area": area}}


@pytest.mark.parametrize("key", ["iscrowd", "area", "bbox", "id", "category_id"])
def test_an_absent_key_stays_absent(key):
    notes_of(without(POLYGON, key))


@pytest.mark.parametrize("key", ["iscrowd", "area", "id", "category_id", "score", "attributes"])
def test_null_stays_null(key):
    notes_of({**BOX, key: None}, {**POLYGON, key: None, "image_id": 1})


def test_crowds_are_an_attribute_and_usually_lists_of_runs():
    crowd = {**POLYGON, "iscrowd": 1, "segmentation": {"size": [10, 20], "counts": [5, 20, 175]}}
    plain = {**crowd, "id": 8, "iscrowd": 0, "segmentation": {"size": [10, 20], "counts": "5d0_5"}}
    first, second = notes_of(crowd, plain)
    assert first.attributes == {"is_crowd": True}
    assert first.extra == {}
    assert isinstance(second, Mask)
    assert (second.attributes, second.extra) == ({}, {})
    assert (first.size, first.counts) == (second.size, second.counts)


def test_the_other_spelling_of_a_mask_is_remembered():
    crowd = {**POLYGON, "iscrowd": 1, "segmentation": {"size": [10, 20], "counts": "5d0_5"}}
    plain = {**crowd, "id": 8, "iscrowd": 0, "segmentation": {"size": [10, 20], "counts": [200, 0]}}
    first, second = notes_of(crowd, plain)
    assert first.extra["coco"]["dvcs"] == {"rle": "text"}
    assert second.extra["coco"]["dvcs"] == {"rle": "list"}


def test_keypoints_are_in_one_group_with_the_shape():
    record = {**POLYGON, "keypoints": [1, 2, 2, 0, 0, 0, 3, 4, 1], "num_keypoints": 2}
    shape, points = notes_of(record)
    assert isinstance(shape, Polygon)
    assert points == Points(
        points=[1.0, 2.0, 0.0, 0.0, 3.0, 4.0],
        visibility=[2, 0, 1],
        label="cat",
        id=7,
        group=shape.group,
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"num_keypoints": 17},
        {"keypoints": [1, 2, 0.8], "num_keypoints": 1},
        {"keypoints": [], "num_keypoints": 0},
        {"keypoints": None},
    ],
)
def test_odd_keypoints_come_back(changes):
    notes_of({**POLYGON, "keypoints": [1, 2, 2], **changes})


def test_keypoints_alone_are_points():
    record = without({**POLYGON, "keypoints": [1, 2, 2, 3, 5, 1]}, "segmentation", "bbox", "area")
    [note] = notes_of(record)
    assert isinstance(note, Points)


def test_captions_and_labels():
    caption = {"id": 1, "image_id": 1, "caption": "a cat"}
    label = {"id": 2, "image_id": 1, "category_id": 3}
    assert notes_of(caption, label) == [
        Caption(caption="a cat", id=1, extra={"coco": {"dvcs": {"tasks": ["instances"]}}}),
        Label(label="cat", id=2, extra={"coco": {"dvcs": {"tasks": ["instances"]}}}),
    ]


def test_unknown_keys_scores_and_attributes_are_kept():
    record = {
        **BOX,
        "score": 0.5,
        "attributes": {"occluded": True, "n": 3, "is_crowd": False},
        "ignore": 0,
        "dvcs": {"a": [1]},
    }
    [note] = notes_of(record)
    assert note.score == 0.5
    assert note.attributes == {"occluded": True, "n": 3}
    assert note.extra["coco"]["ignore"] == 0


@pytest.mark.parametrize("iscrowd", [True, False, 2, None])
def test_odd_crowds_come_back(iscrowd):
    [note] = notes_of({**BOX, "iscrowd": iscrowd})
    assert note.attributes == ({"is_crowd": True} if iscrowd else {})


def test_any_id_is_an_id():
    records = [{**BOX, "id": id} for id in (0, -5, "0", "x", 2**60, 7, 7)]
    notes = notes_of(*records)
    assert [note.id for note in notes] == [0, -5, "0", "x", 2**60, 7, 7]


def test_category_zero_is_a_label():
    whole = {"categories": [{"id": 0, "name": "zero", "supercategory": ""}]}
    [note] = notes_of({**BOX, "category_id": 0}, **whole)
    assert note.label == "zero"


def test_odd_but_numeric_geometry_is_taken_as_it_is():
    rings = [[[-5.0, 1.0, 300.0, 2.0]], [[1.0, 1.0]], [[]], [[1e300, 0.0, 1.0, 1.0, 2.0, 2.0]]]
    notes = notes_of(
        *({**POLYGON, "id": n, "segmentation": one} for n, one in enumerate(rings, 1)),
        {**BOX, "id": 9, "bbox": [-1, -2, 0, -3]},
    )
    assert [note.kind for note in notes] == ["polygon"] * 4 + ["bbox"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bbox": [1, None, 2, 3]}, "expected a number, got 'null' at 'bbox[1]'"),
        ({"bbox": [1, 2, 3]}, "'bbox' has 3 numbers"),
        ({"bbox": ["1", 2, 3, 4]}, "expected a number, got 'str' at 'bbox[0]'"),
        ({"segmentation": [[1, 2, 3]]}, "an odd count"),
        ({"segmentation": [1, 2, 3, 4]}, "at 'segmentation[0]'"),
        ({"segmentation": [[1, 2, None, 4]]}, "got 'null'"),
        ({"segmentation": {"size": [2, 2], "counts": [1, 2]}}, "cover 3 pixels"),
        ({"segmentation": {"size": [2, 2], "counts": [-1, 5]}}, "length '-1'"),
        ({"segmentation": {"size": [0, 0], "counts": []}}, "no pixels"),
        ({"segmentation": {"size": [2, 2], "counts": "~~"}}, "characters"),
        ({"segmentation": {"size": ["2", 2], "counts": [4]}}, "segmentation.size"),
        ({"keypoints": [1, 2]}, "not x, y and visibility"),
        ({"category_id": 99}, "its category_id 99 is not one of"),
        ({"category_id": 3.5}, "category_id"),
        ({"area": "12"}, "at 'area'"),
        ({"id": [1]}, "at 'id'"),
        ({"attributes": [1]}, "at 'attributes'"),
    ],
)
def test_a_record_that_cannot_be_read_is_refused_by_name_or_kept_verbatim(changes, message):
    whole = document({**BOX, "id": 5}, {**BOX, "id": 17, **changes})
    files = {"annotations/instances_train.json": whole}
    with pytest.raises(FormatError) as caught:
        list(read_files(files))
    place = "annotations[1]" if "id" in changes else "annotation 17"
    assert message in str(caught.value)
    assert f"annotations/instances_train.json ({place})" in str(caught.value)
    dataset = read_files(files, keep_going=True)
    good, bad = next(iter(dataset)).annotations
    assert isinstance(good, Bbox)
    assert bad == Other(format="coco", record=without({**BOX, "id": 17, **changes}, "image_id"))
    assert_same_document(written(dataset)["annotations/instances_train.json"], whole)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": [IMAGE, IMAGE]}, "two images have the id 1"),
        ({"images": [IMAGE, {"id": 2, "file_name": 5}]}, "(images[1]): expected 'str"),
        ({"images": [IMAGE, {"file_name": "b.jpg"}]}, "(images[1]): object missing"),
        ({"images": [IMAGE, {**IMAGE, "id": 2, "height": "480"}]}, "(images[1])"),
        ({"images": [IMAGE, {**IMAGE, "id": 2, "height": 4.5}]}, "not a whole number"),
        ({"images": [IMAGE, 3]}, "(images[1])"),
        ({"annotations": [{**BOX, "image_id": 99}]}, "no image with the id 99"),
        ({"annotations": [without(BOX, "image_id")]}, "(annotations[0])"),
        ({"annotations": [{**BOX, "image_id": None}]}, "(annotations[0])"),
        ({"annotations": [None]}, "(annotations[0])"),
    ],
)
def test_bad_outlines_are_refused_by_place_and_lose_nothing(changes, message):
    whole = document(**{"annotations": [BOX], **changes})
    files = {"annotations/instances_train.json": whole}
    with pytest.raises(DvcsError) as caught:
        list(read_files(files))
    assert message in str(caught.value)
    assert "annotations/instances_train.json" in str(caught.value)
    if "height" in str(changes) or "file_name" in str(changes) or "image_id" in str(changes):
        dataset = read_files(files, keep_going=True)
        assert_same_document(written(dataset)["annotations/instances_train.json"], whole)


@pytest.mark.parametrize(
    "changes",
    [
        {"categories": [CAT, CAT]},
        {"categories": [{"name": "x"}]},
        {"categories": [{"id": 1}]},
        {"categories": [{"id": True, "name": "x"}]},
        {"categories": [{"id": 1, "name": 5}]},
        {"categories": "cat"},
        {"images": {}},
        {"annotations": None},
    ],
)
def test_unusable_lists_are_refused_at_once(changes):
    with pytest.raises((FormatError, FormatErrors)):
        read_files({"annotations/instances_train.json": document(**changes)})


@pytest.mark.parametrize(
    "name", ["../a.jpg", "/a.jpg", "C:\\a.jpg", "a/../b.jpg", "a\0.jpg", "a//b.jpg", "..\\x.jpg"]
)
def test_unsafe_file_names_are_refused(name):
    whole = document(images=[{**IMAGE, "file_name": name}])
    with pytest.raises(UnsafeName, match=r"instances_train\.json \(images\[0\]\)") as caught:
        list(read_files({"annotations/instances_train.json": whole}))
    assert "strip-prefix" in caught.value.hint


def test_a_leading_path_can_be_cut():
    whole = document(images=[{**IMAGE, "file_name": "/data/set/a/b.jpg"}])
    files = {"annotations/instances_train.json": whole}
    [item] = read_files(files, strip_prefix="/data/set/")
    assert (item.id, item.file_name) == ("a/b", "a/b.jpg")
    assert "file_name" not in item.extra["coco"]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b'{"images": [',
        b'{"images": [], "annotations": [{"bbox": [NaN]}]}',
        b'{"images": [], "annotations": ' + b"[" * 100_000,
        b'{"images": [{"id": 1, "file_name": "\\ud800"}], "annotations": []}',
        b"\xff\xfe{\x00}\x00",
        b"3",
        b'{"images": [], "annotations": []} x',
    ],
)
def test_broken_json_is_a_format_error(data):
    with pytest.raises((FormatError, NotADataset)):
        list(read_files({"annotations/instances_train.json": data}))


def test_a_syntax_error_names_its_line():
    data = b'{"images": [],\n"annotations": [\n{"id": 1,, }]}'
    with pytest.raises(FormatError, match=r"instances_train\.json:3"):
        read_files({"annotations/instances_train.json": data})


def test_a_byte_order_mark_is_no_matter():
    import json

    data = b"\xef\xbb\xbf" + json.dumps(document(BOX)).encode()
    [item] = read_files({"annotations/instances_train.json": data})
    assert len(item.annotations) == 1


def test_categories_keep_what_they_say():
    categories = [
        {"id": "b", "name": "x", "supercategory": "top", "color": [1, 2, 3], "isthing": 1},
        {"id": 9, "name": "x", "supercategory": None},
        {"id": 2, "name": "p#q", "keypoints": ["l", "r"], "skeleton": [[1, 2]]},
        {"id": 5, "name": "odd", "supercategory": "", "color": "red", "skeleton": [[0, 1]]},
    ]
    whole = document(categories=categories)
    dataset = read_files({"annotations/instances_train.json": whole})
    labels = dataset.labels
    assert [(one.name, one.key, one.id) for one in labels] == [
        ("x", "x", "b"),
        ("x#9", "x#9", 9),
        ("p#q", "p##q", 2),
        ("odd", "odd", 5),
    ]
    assert (labels["x"].parent, labels["x"].color) == ("top", (1, 2, 3))
    assert (labels["p#q"].keypoints, labels["p#q"].joints) == (("l", "r"), ((0, 1),))
    assert_same_document(written(dataset)["annotations/instances_train.json"], whole)


def test_original_category_ids_can_be_positions():
    dataset = read_files(
        {"annotations/instances_train.json": document(BOX)}, keep_original_category_ids=True
    )
    assert dataset.labels.names == ("class-0", "class-1", "class-2", "cat")
    assert next(iter(dataset)).annotations[0].label == "cat"
    new = written(dataset)["annotations/instances_train.json"]
    assert new["categories"] == [CAT]
    text = document(categories=[{"id": "a", "name": "a"}])
    with pytest.raises(UsageError):
        read_files({"annotations/instances_train.json": text}, keep_original_category_ids=True)


def test_images_keep_what_they_say():
    images = [
        {**IMAGE, "license": 3, "coco_url": "u", "date_captured": None, "more": {"a": [1]}},
        {"id": 2, "file_name": "sub\\b.png"},
        {"id": 3, "file_name": "e\u0301.jpg", "height": None, "width": 5},
        {"id": 4, "coco_url": "http://host/train/c.jpg", "height": 1, "width": 1},
        {"id": 5, "file_name": "noext"},
        {"id": "t", "file_name": ".hidden", "dvcs": 1},
    ]
    whole = document(images=images)
    dataset = read_files({"annotations/instances_train.json": whole})
    items = list(dataset)
    assert [item.id for item in items] == ["a", "sub/b", "é", "c", "noext", ".hidden"]
    assert items[0].extra == {
        "coco": {"id": 1, "license": 3, "coco_url": "u", "date_captured": None, "more": {"a": [1]}}
    }
    assert (items[0].media.height, items[0].media.width) == (10, 20)
    assert items[0].media.files[0].ext == ".jpg"
    assert_same_document(written(dataset)["annotations/instances_train.json"], whole)


def test_an_image_listed_twice_is_two_items():
    whole = document(BOX, images=[IMAGE, {**IMAGE, "id": 2}, {**IMAGE, "id": 4}])
    dataset = read_files({"annotations/instances_train.json": whole})
    assert [item.id for item in dataset] == ["a", "a.jpg", "a.jpg (2)"]
    assert_same_document(written(dataset)["annotations/instances_train.json"], whole)


def test_top_level_keys_and_lists_about_images_are_kept():
    whole = document(
        BOX,
        scenes=[{"image_id": 1, "kind": "street"}, {"image_id": 1, "kind": "night"}],
        type="instances",
        numbers=[1, 2],
    )
    dataset = read_files({"annotations/instances_train.json": whole})
    [item] = dataset
    assert item.extra["coco"]["dvcs"]["lists"] == {
        "scenes": [{"kind": "street"}, {"kind": "night"}]
    }
    assert_same_document(written(dataset)["annotations/instances_train.json"], whole)
    bare = {"images": [IMAGE], "annotations": [BOX], "categories": [CAT]}
    dataset = read_files({"annotations/instances_train.json": bare})
    assert_same_document(written(dataset)["annotations/instances_train.json"], bare)


def test_lists_of_categories_in_images_follow_the_labels():
    images = [{**IMAGE, "neg_category_ids": [3], "not_exhaustive_category_ids": []}]
    dataset = read_files({"annotations/instances_train.json": document(images=images)})
    [item] = dataset
    assert item.extra["coco"]["dvcs"]["labels"] == {
        "neg_category_ids": ["cat"],
        "not_exhaustive_category_ids": [],
    }


def test_annotated_is_what_a_task_file_lists():
    whole = document()
    [item] = read_files({"annotations/instances_train.json": whole})
    assert item.annotated is True
    [item] = read_files({"annotations/image_info_train.json": whole})
    assert item.annotated is None
    del whole["annotations"]
    [item] = read_files({"annotations/test.json": whole})
    assert item.annotated is None


def test_a_file_without_categories_gets_numbered_labels():
    dataset = read_files({"x.json": document(BOX, categories=[])})
    assert dataset.labels.names == ("category_3",)


def test_results_take_their_labels_from_a_file_beside_them():
    results = [{"image_id": 42, "category_id": 3, "bbox": [1, 2, 3, 4], "score": 0.5}]
    files = {"annotations/instances_val.json": document(BOX), "results.json": results}
    dataset = read_files(files)
    assert dataset.labels.names == ("cat",)
    [item] = [item for item in dataset if item.id == "42"]
    assert item.annotations == [Bbox(x=1.0, y=2.0, w=3.0, h=4.0, label="cat", score=0.5)]
    alone = read_files({"results.json": results})
    assert alone.labels.names == ("category_3",)
    new = written(alone)
    assert_same_document(new["annotations/instances_default.json"], results)


def test_results_take_their_labels_from_a_named_file():
    results = [{"image_id": 42, "category_id": 2, "bbox": [1, 2, 3, 4], "score": 0.5}]
    files = {"results.json": results, "names.txt": b"cat\ndog\n"}
    assert read_files(files, labels="names.txt").labels.names == ("cat", "dog")


@pytest.mark.parametrize(
    ("path", "subset"),
    [
        ("annotations/instances_my_sub.json", "my_sub"),
        ("instances_train2017.json", "train2017"),
        ("valid/_annotations.coco.json", "valid"),
        ("data/annotations.json", "default"),
        ("annotations/person_keypoints_a.json", "a"),
        ("annotations/instances.json", "default"),
    ],
)
def test_the_subset_is_in_the_name(path, subset):
    [item] = read_files({path: document(BOX)})
    assert item.subset == subset


def test_files_of_one_subset_and_task_are_told_apart():
    other = document(images=[{**IMAGE, "file_name": "b.jpg"}])
    items = list(read_files({"x/train.json": document(BOX), "x/val.json": other}))
    assert [(item.subset, item.id) for item in items] == [("train", "a"), ("val", "b")]
    items = list(
        read_files({"p/instances_a.json": document(BOX), "q/instances_a.json": document(BOX)})
    )
    assert [item.subset for item in items] == ["p_instances_a", "q_instances_a"]


def test_a_task_format_reads_only_its_files():
    files = {
        "annotations/instances_a.json": document(BOX),
        "annotations/captions_a.json": document(
            {"id": 1, "image_id": 1, "caption": "x"}, categories=[]
        ),
    }
    [item] = read_files(files, "coco_captions")
    assert [note.kind for note in item.annotations] == ["caption"]
    [item] = read_files({"stuff.json": document(BOX)}, "coco_stuff")
    assert len(item.annotations) == 1
    with pytest.raises(NotADataset):
        read_files(files, "coco_panoptic")


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_images_are_found_beside_the_file_that_was_named(tmp_path):
    images = [{"id": n, "file_name": f"{n}.jpg"} for n in range(4)]
    named = {"images": images, "annotations": [], "categories": []}
    (tmp_path / "labels.json").write_text(json.dumps(named))
    (tmp_path / "0.jpg").write_bytes(b"")
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "1.jpg").write_bytes(b"")
    (tmp_path / "unrelated").symlink_to("/nowhere")
    items = {item.id: item for item in read(tmp_path / "labels.json")}
    assert {id for id, item in items.items() if any(item.origins)} == {"0", "1"}
    (tmp_path / "images" / "2.jpg").symlink_to("/dev/null")
    with pytest.raises(FormatError, match=r"images/2\.jpg: is a symbolic link that leads out"):
        list(read(tmp_path / "labels.json"))
    (tmp_path / "images" / "2.jpg").unlink()
    source = open_source(tmp_path / "labels.json")
    list(formats.read(source, formats.find("coco")))
    message = "images were not found, and 'unrelated' beside them cannot be read"
    assert source.notes == {message: 2}
    (tmp_path / "images").rename(tmp_path.parent / "pictures")
    (tmp_path / "images").symlink_to(tmp_path.parent / "pictures")
    with pytest.raises(FormatError, match=r"images: is a symbolic link that leads out"):
        list(read(tmp_path / "labels.json"))
