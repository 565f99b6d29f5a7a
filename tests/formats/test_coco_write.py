"""Writing COCO: options, ids, datasets that come from elsewhere, and changed ones."""

import json
from typing import Any

import numpy as np
import pytest

from dvcs import formats
from dvcs.errors import DvcsError, UsageError
from dvcs.files import BytesOrigin, MemorySink, MemorySource
from dvcs.geometry import masks
from dvcs.media.pixels import decode, encode
from dvcs.model import (
    Bbox,
    Caption,
    Category,
    Dataset,
    Item,
    Label,
    Labels,
    Mask,
    Media,
    MediaFile,
    Points,
    Polygon,
)
from tests.formats.coco_documents import assert_same_document, read_files, written

SQUARE = [1.0, 1.0, 5.0, 1.0, 5.0, 4.0, 1.0, 4.0]
INNER = [2.0, 2.0, 3.0, 2.0, 3.0, 3.0, 2.0, 3.0]
BOX = Bbox(x=1.0, y=2.0, w=3.0, h=4.0, label="cat")


def media(height: int | None = 10, width: int | None = 20, ext: str = ".jpg") -> Media:
    return Media(files=(MediaFile(ext=ext),), height=height, width=width)


def item(*notes: Any, id: str = "a", **fields: Any) -> Item:
    return Item(**{"id": id, "subset": "train", "media": media(), "annotations": notes, **fields})


def dataset(*items: Item, labels: Any = ("cat", "dog")) -> Dataset:
    return Dataset.from_items(items, labels)


def records(files: dict[str, Any], task: str = "instances") -> list[dict[str, Any]]:
    return files[f"annotations/{task}_train.json"]["annotations"]


def again(files: dict[str, Any]) -> list[Item]:
    return list(read_files({k: v for k, v in files.items() if k.endswith(".json")}))


def test_what_never_was_coco_gets_files_by_what_it_holds():
    files = written(
        dataset(
            item(BOX, Label(label="dog"), Caption(caption="x")),
            item(id="b", annotated=True),
            item(id="c"),
        )
    )
    names = {"instances_train", "labels_train", "captions_train", "image_info_train"}
    assert set(files) == {f"annotations/{name}.json" for name in names}
    assert records(files) == [
        {
            "id": 1,
            "image_id": 1,
            "category_id": 1,
            "segmentation": [],
            "area": 12.0,
            "bbox": [1.0, 2.0, 3.0, 4.0],
            "iscrowd": 0,
        }
    ]
    listed = files["annotations/instances_train.json"]
    assert [image["file_name"] for image in listed["images"]] == ["a.jpg", "b.jpg"]
    assert listed["categories"] == [
        {"id": 1, "name": "cat", "supercategory": ""},
        {"id": 2, "name": "dog", "supercategory": ""},
    ]
    assert [one["id"] for one in files["annotations/image_info_train.json"]["images"]] == [3]
    assert "categories" not in files["annotations/captions_train.json"]
    assert {one.id: one.annotated for one in again(files)} == {"a": True, "b": True, "c": None}


def test_ids_are_kept_and_new_ones_continue_them():
    files = written(
        dataset(
            item(BOX, BOX.with_(id=7), BOX.with_(id="x"), attributes={"id": 40}),
            item(BOX.with_(id=7), BOX.with_(id=3), id="b"),
        )
    )
    assert sorted((one["id"] for one in records(files)), key=str) == [3, 7, 8, 9, "x"]
    assert {one["image_id"] for one in records(files)} == {40, 41}


def test_reindex_numbers_everything_anew():
    files = written(dataset(item(BOX.with_(id=70), attributes={"id": 40})), reindex=True)
    assert records(files)[0]["id"] == 1
    assert records(files)[0]["image_id"] == 1
    assert files["annotations/instances_train.json"]["images"][0]["id"] == 1


def test_labels_keep_their_ids_and_new_ones_get_the_next():
    labels = Labels([Category(name="new"), Category(name="cat", id=90), Category(name="b", id=90)])
    files = written(dataset(item(BOX), labels=labels))
    categories = files["annotations/instances_train.json"]["categories"]
    assert [(one["name"], one["id"]) for one in categories] == [("new", 91), ("cat", 90), ("b", 92)]
    assert records(files)[0]["category_id"] == 90


def test_a_shape_and_its_keypoints_are_one_record_in_two_files():
    points = Points(points=[1.0, 2.0, 3.0, 4.0], visibility=[2, 0], label="cat", group=1)
    labels = [Category(name="cat", keypoints=("l", "r"), joints=((0, 1),)), Category(name="dog")]
    files = written(dataset(item(BOX.with_(group=1), points, BOX), labels=Labels(labels)))
    [record] = records(files, "person_keypoints")
    assert record["keypoints"] == [1.0, 2.0, 2, 3.0, 4.0, 0]
    assert record["num_keypoints"] == 1
    assert record["bbox"] == [1.0, 2.0, 3.0, 4.0]
    assert len(records(files)) == 2
    assert all("keypoints" not in one for one in records(files))
    assert files["annotations/person_keypoints_train.json"]["categories"] == [
        {
            "id": 1,
            "name": "cat",
            "supercategory": "",
            "keypoints": ["l", "r"],
            "skeleton": [[1, 2]],
        }
    ]
    [one] = again(files)
    assert sorted(note.kind for note in one.annotations) == ["bbox", "bbox", "points"]


def test_points_alone_have_the_box_around_them():
    points = Points(points=[1.0, 2.0, 3.0, 5.0, 9.0, 9.0], visibility=[2, 1, 0], label="cat")
    files = written(dataset(item(points)))
    [record] = records(files, "person_keypoints")
    assert (record["bbox"], record["area"]) == ([1.0, 2.0, 2.0, 3.0], 6.0)
    [one] = again(files)
    assert one.annotations == [points.with_(id=1)]


def test_shapes_of_one_group_and_label_are_one_object():
    one = Polygon(parts=[[SQUARE]], label="cat", group=1, attributes={"a": 1})
    two = Polygon(parts=[[INNER]], label="cat", group=1, attributes={"b": 2})
    box = Bbox(x=0.0, y=0.0, w=9.0, h=9.0, label="cat", group=1)
    other = Bbox(x=0.0, y=0.0, w=1.0, h=1.0, label="dog", group=1)
    [first, second] = records(written(dataset(item(one, two, box, other))))
    assert first["segmentation"] == [SQUARE, INNER]
    assert first["bbox"] == [0.0, 0.0, 9.0, 9.0]
    assert first["attributes"] == {"a": 1, "b": 2}
    assert second["bbox"] == [0.0, 0.0, 1.0, 1.0]


def test_a_polygon_with_a_hole_becomes_a_mask():
    holed = Polygon(parts=[[SQUARE, INNER]], label="cat")
    [record] = records(written(dataset(item(holed))))
    assert record["area"] == 11.0
    assert record["segmentation"]["size"] == [10, 20]
    [record] = records(written(dataset(item(holed)), segmentation_mode="polygons"))
    [ring] = record["segmentation"]
    assert record["area"] == 11.0
    assert masks.area(*masks.from_polygon([[ring]], (10, 20))) == 11


def test_segmentation_modes_convert():
    size, counts = masks.from_polygon([[SQUARE]], (10, 20))
    mask = Mask(size=size, counts=counts, label="cat", attributes={"is_crowd": True})
    polygon = Polygon(parts=[[SQUARE]], label="cat", derived={"coco": {"area": 99.0}})
    [first, second] = records(written(dataset(item(mask, polygon)), segmentation_mode="mask"))
    assert isinstance(first["segmentation"]["counts"], list)
    assert (first["iscrowd"], second["iscrowd"]) == (1, 0)
    assert masks.normalise(size, second["segmentation"]["counts"]) == counts
    [first, second] = records(written(dataset(item(mask, polygon)), segmentation_mode="polygons"))
    assert first["segmentation"] == [masks.to_polygon(size, counts)[0][0]]
    assert second["segmentation"] == [SQUARE]
    assert second["area"] == 99.0


def test_crop_covered_takes_what_others_cover():
    low = Polygon(parts=[[[0.0, 0.0, 8.0, 0.0, 8.0, 8.0, 0.0, 8.0]]], label="cat")
    high = Polygon(parts=[[[4.0, 0.0, 8.0, 0.0, 8.0, 8.0, 4.0, 8.0]]], label="dog", z_order=1)
    hidden = Polygon(parts=[[[5.0, 1.0, 6.0, 1.0, 6.0, 2.0, 5.0, 2.0]]], label="cat")
    found = records(written(dataset(item(high, low, hidden)), crop_covered=True))
    assert sorted((one["category_id"], one["area"]) for one in found) == [(1, 32.0), (2, 32.0)]


def test_attributes_can_be_left_out():
    note = BOX.with_(attributes={"a": [1, "x"], "is_crowd": True})
    assert records(written(dataset(item(note))))[0]["attributes"] == {"a": [1, "x"]}
    [record] = records(written(dataset(item(note)), allow_attributes=False))
    assert "attributes" not in record
    assert record["iscrowd"] == 1


def test_tasks_choose_the_files():
    everything = dataset(item(BOX, Polygon(parts=[[SQUARE]], label="dog"), Caption(caption="x")))
    files = written(everything, tasks=("stuff", "captions"))
    assert set(files) == {"annotations/stuff_train.json", "annotations/captions_train.json"}
    assert [one["category_id"] for one in records(files, "stuff")] == [2]
    assert written(everything, "coco_captions").keys() == {"annotations/captions_train.json"}
    with pytest.raises(UsageError):
        written(everything, tasks=("things",))


def test_tasks_of_a_coco_dataset_stay_apart():
    def document(*found: dict[str, Any]) -> dict[str, Any]:
        return {
            "images": [{"id": 1, "file_name": "a.jpg", "height": 10, "width": 20}],
            "annotations": list(found),
            "categories": [{"id": 1, "name": "cat", "supercategory": ""}],
        }

    record = {"image_id": 1, "category_id": 1, "area": 12.0, "iscrowd": 0, "bbox": [1, 1, 4, 3]}
    files = {
        "annotations/instances_train.json": document({**record, "id": 1, "segmentation": [SQUARE]}),
        "annotations/stuff_train.json": document({**record, "id": 1, "segmentation": [INNER]}),
    }
    source = read_files(files)
    new = written(source, tasks=("stuff",))
    assert_same_document(new["annotations/stuff_train.json"], files["annotations/stuff_train.json"])
    assert len(new) == 1


def test_images_are_written_by_subset_or_merged():
    origin = BytesOrigin(lambda: b"jpeg")
    data = dataset(item(origins=(origin,)), item(id="x/b", subset="val", origins=(origin,)))
    for merged, paths in (
        (False, {"images/train/a.jpg", "images/val/x/b.jpg"}),
        (True, {"images/a.jpg", "images/x/b.jpg"}),
    ):
        sink = MemorySink()
        formats.write(data, formats.find("coco"), sink, merge_images=merged)
        assert set(sink.origins) == paths
        source = MemorySource(sink.files, media=sink.origins)
        found = list(formats.read(source, formats.find("coco")))
        assert [one.origins[0] is not None for one in found] == [True, True]
    sink = MemorySink(image_ext=".png", save_media=False)
    formats.write(data, formats.find("coco"), sink)
    document = json.loads(sink.files["annotations/image_info_val.json"])
    assert document["images"][0]["file_name"] == "x/b.png"


def test_sizes_come_from_the_image_where_no_record_says_them():
    data = encode(np.zeros((3, 5, 3), np.uint8), ".png")
    unsized = item(BOX, media=media(None, None, ".png"), origins=(BytesOrigin(lambda: data),))
    image = written(dataset(unsized))["annotations/instances_train.json"]["images"][0]
    assert (image["height"], image["width"]) == (3, 5)
    image = written(dataset(item(BOX, media=None)))["annotations/instances_train.json"]["images"][0]
    assert image == {"id": 1, "file_name": "a.jpg"}


def test_panoptic_pictures_are_painted():
    low = Polygon(parts=[[[0.0, 0.0, 8.0, 0.0, 8.0, 8.0, 0.0, 8.0]]], label="cat", id=70000)
    size, counts = masks.from_box((4, 0, 8, 8), (10, 20))
    high = Mask(size=size, counts=counts, label="dog", z_order=1)
    files = written(dataset(item(low, high)), "coco_panoptic")
    [record] = records(files, "panoptic")
    assert record["file_name"] == "a.png"
    assert record["segments_info"] == [
        {"id": 70000, "category_id": 1, "area": 32.0, "bbox": [0, 0, 4, 8], "iscrowd": 0},
        {"id": 1, "category_id": 2, "area": 64.0, "bbox": [4, 0, 8, 8], "iscrowd": 0},
    ]
    picture = decode(files["annotations/panoptic_train/a.png"])
    assert picture[0, 0].tolist() == [1, 17, 112]  # 70000 = 112 + 17 * 256 + 1 * 65536, as BGR
    assert picture[0, 4].tolist() == [0, 0, 1]
    assert picture[9, 0].tolist() == [0, 0, 0]
    source = MemorySource(
        {k: v if isinstance(v, bytes) else json.dumps(v).encode() for k, v in files.items()}
    )
    [one] = formats.read(source, formats.find("coco"))
    assert [(note.label, note.id) for note in one.annotations] == [("cat", 70000), ("dog", 1)]
    assert (one.annotations[1].size, one.annotations[1].counts) == (size, counts)


def test_colours_that_no_segment_lists_come_back():
    picture = np.zeros((4, 4, 3), np.uint8)
    picture[0, :] = (0, 0, 5)
    picture[1, :2] = (0, 1, 0)
    segment = {"id": 5, "category_id": 1, "area": 4, "bbox": [0, 0, 4, 1], "iscrowd": 0}
    document = {
        "images": [{"id": 1, "file_name": "a.jpg", "height": 4, "width": 4}],
        "annotations": [
            {"image_id": 1, "file_name": "p/a.png", "segments_info": [segment], "more": 1}
        ],
        "categories": [{"id": 1, "name": "cat", "supercategory": "", "isthing": 0}],
    }
    files = {
        "annotations/panoptic_train.json": document,
        "annotations/panoptic_train/p/a.png": encode(picture, ".png"),
    }
    source = read_files(files)
    [one] = source
    assert [(note.label, note.id) for note in one.annotations] == [("cat", 5), (None, 256)]
    new = written(source)
    assert_same_document(new["annotations/panoptic_train.json"], document)
    assert np.array_equal(decode(new["annotations/panoptic_train/p/a.png"]), picture)


def test_bad_pictures_are_told_by_name():
    document = {
        "images": [{"id": 1, "file_name": "a.jpg"}],
        "annotations": [{"image_id": 1, "file_name": "a.png", "segments_info": []}],
        "categories": [],
    }
    path = "annotations/panoptic_train.json"
    with pytest.raises(DvcsError, match=r"there is no picture 'a\.png'"):
        list(read_files({path: document}))
    with pytest.raises(DvcsError, match=r"panoptic_train/a\.png"):
        list(read_files({path: document, "annotations/panoptic_train/a.png": b"x"}))
    document["annotations"][0]["file_name"] = "../a.png"
    with pytest.raises(DvcsError, match=r"\.\./a\.png"):
        list(read_files({path: document}))


def test_changes_are_written():
    record = {
        "id": 5,
        "image_id": 9,
        "category_id": 4,
        "segmentation": [SQUARE],
        "area": 77.0,
        "bbox": [0, 0, 20, 10],
        "iscrowd": True,
    }
    document = {
        "images": [{"id": 9, "file_name": "a\\b.jpg", "height": 10, "width": 20}],
        "annotations": [record],
        "categories": [{"id": 4, "name": "cat", "supercategory": "x"}],
    }
    source = read_files({"annotations/instances_train.json": document})
    labels = source.labels.replaced([Category(name="dog", id=4, parent="y"), Category(name="new")])

    def change(one: Item) -> Item:
        moved = one.annotations[0].with_(parts=[[INNER]], label="new", derived={}, attributes={})
        return one.with_(id="z", media=media(), annotations=[moved])

    new = written(source.map(change, labels))["annotations/instances_train.json"]
    assert new["annotations"] == [
        {
            "id": 5,
            "image_id": 9,
            "category_id": 5,
            "segmentation": [INNER],
            "area": 1.0,
            "bbox": [2.0, 2.0, 1.0, 1.0],
            "iscrowd": 0,
        }
    ]
    assert new["images"] == [{"id": 9, "file_name": "z.jpg", "height": 10, "width": 20}]
    assert new["categories"] == [
        {"id": 4, "name": "dog", "supercategory": "y"},
        {"id": 5, "name": "new", "supercategory": ""},
    ]


def test_a_split_takes_info_and_licences_along():
    document = {
        "info": {"year": 1},
        "licenses": [{"id": 1}],
        "images": [{"id": n, "file_name": f"{n}.jpg"} for n in (1, 2)],
        "annotations": [],
        "categories": [],
    }
    source = read_files({"annotations/instances_all.json": document})
    split = source.map(lambda one: one.with_(subset=f"s{one.id}"))
    files = written(split)
    assert set(files) == {"annotations/instances_s1.json", "annotations/instances_s2.json"}
    for name in ("s1", "s2"):
        new = files[f"annotations/instances_{name}.json"]
        assert new["info"] == {"year": 1}
        assert new["licenses"] == [{"id": 1}]
        assert len(new["images"]) == 1


def test_what_json_cannot_hold_is_an_error():
    with pytest.raises(DvcsError, match="not finite"):
        written(dataset(item(BOX.with_(x=float("nan")))))


def test_a_subset_of_any_name_comes_back():
    odd = item(BOX, subset="a/b:c")
    files = written(dataset(odd))
    assert set(files) == {"annotations/instances_a%2Fb%3Ac.json"}
    assert [one.subset for one in again(files)] == ["a/b:c"]


def test_equal_datasets_give_equal_bytes():
    data = dataset(item(BOX, BOX.with_(id=4)), item(id="b", annotated=False))
    first, second = MemorySink(), MemorySink()
    formats.write(data, formats.find("coco"), first)
    formats.write(data, formats.find("coco"), second)
    assert first.files == second.files


def test_keypoints_alone_stand_in_the_files_of_both_tasks():
    record = {"id": 1, "image_id": 1, "category_id": 1, "keypoints": [3, 4, 2], "num_keypoints": 1}
    document = {
        "images": [{"id": 1, "file_name": "a.jpg"}],
        "annotations": [record],
        "categories": [{"id": 1, "name": "cat"}],
    }
    files = {
        f"annotations/{task}_train.json": document for task in ("instances", "person_keypoints")
    }
    new = written(read_files(files))
    for path, document in files.items():
        assert_same_document(new[path], document)
