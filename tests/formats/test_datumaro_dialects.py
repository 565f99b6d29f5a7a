"""What Datumaro's versions and CVAT write is read for what it says, and comes back."""

import json
from pathlib import Path
from typing import Any

import pytest

from dvcs import formats
from dvcs.errors import DvcsError, FormatError, FormatErrors, NotADataset, UnsafeName
from dvcs.files import FolderSink, MemorySink, MemorySource, open_source
from dvcs.formats._datumaro.find import PEEK
from dvcs.model import (
    Bbox,
    Caption,
    Cuboid3d,
    Dataset,
    Ellipse,
    Item,
    Label,
    Mask,
    MediaFile,
    Other,
    Points,
    Polygon,
    PolyLine,
    Raster,
    RotatedBbox,
)
from tests.gallery import bitmap

DATUMARO = formats.find("datumaro")
ROUND = [0.123456789, 2.0, 3.5, 1e-7, 5.25, 1 / 3]


def labels(*names: str, **more: Any) -> dict[str, Any]:
    records = [{"name": name, "parent": "", "attributes": []} for name in names]
    return {"label": {"labels": records, "attributes": [], **more}}


def document(*items: dict[str, Any], categories: Any = None, **top: Any) -> dict[str, Any]:
    held = labels("a", "b", "c") if categories is None else categories
    return {"info": {}, "categories": held, "items": list(items), **top}


def source(files: dict[str, Any], **options: Any) -> MemorySource:
    held = {
        path: value if isinstance(value, bytes) else json.dumps(value).encode()
        for path, value in files.items()
    }
    return MemorySource(held, **options)


def read(found: dict[str, Any], *, keep_going: bool = False, **files: bytes) -> Dataset:
    place = source({"annotations/train.json": found, **files}, keep_going=keep_going)
    return formats.read(place, DATUMARO)


def one(*notes: dict[str, Any], **more: Any) -> Item:
    """Return the one item with these annotations."""
    return next(iter(read(document({"id": "x", "annotations": list(notes)}, **more))))


def written(data: Dataset) -> dict[str, Any]:
    sink = MemorySink()
    formats.write(data, DATUMARO, sink)
    return {
        path.removeprefix("annotations/").removesuffix(".json"): json.loads(data)
        for path, data in sink.files.items()
    }


DEFAULTS: dict[str, Any] = {
    "attributes": {},
    "group": 0,
    "z_order": 0,
    "label_id": None,
    "id": 0,
    "label_groups": [],
    "parent": "",
    "path": "",
}


def normal(value: Any) -> Any:
    """Return a document without what says no more than its absence, and without our own key."""
    if isinstance(value, dict):
        return {
            key: normal(inner)
            for key, inner in value.items()
            if key != "dvcs" and not (key in DEFAULTS and inner == DEFAULTS[key])
        }
    return [normal(inner) for inner in value] if isinstance(value, list) else value


def assert_comes_back(found: dict[str, Any]) -> None:
    assert normal(written(read(found))["train"]) == normal(found)


# -- samples -------------------------------------------------------------------------------------


def test_the_sample_of_version_1_is_read_for_all_it_says(samples: Path):
    root = samples / "datumaro" / "datumaro_dataset" / "legacy"
    place = open_source(root)
    assert formats.detect(place).name == "datumaro"
    data = formats.read(place, DATUMARO)
    found = {
        path.stem: json.loads(path.read_bytes()) for path in (root / "annotations").glob("*.json")
    }
    items = {(item.subset, item.id): item for item in data}
    assert items.keys() == {
        (name, record["id"]) for name, held in found.items() for record in held["items"]
    }
    assert len(data) == len(items) == 4
    assert data.labels.names == ("car", "bicycle", "tom", "mary")
    for (subset, id), item in items.items():
        record = next(one for one in found[subset]["items"] if one["id"] == id)
        names = [data.labels.names[one["label_id"]] for one in record["annotations"]]
        assert [note.label for note in item.annotations] == names
        assert {type(note) for note in item.annotations} <= {Label}
        assert item.origins[0].read() == (root / "images" / subset / f"{id}.jpg").read_bytes()
        assert item.media.files == (MediaFile(ext=".jpg"),)
        assert item.annotated is None
    assert [note.score for note in items["train", "a"].annotations] == [1.0]
    assert [note.id for note in items["train", "b"].annotations] == [0, 1, 2, 3]


def test_the_sample_of_version_1_comes_back(samples: Path, tmp_path: Path):
    root = samples / "datumaro" / "datumaro_dataset" / "legacy"
    with FolderSink(tmp_path / "out") as sink:
        formats.write(formats.read(open_source(root), DATUMARO), DATUMARO, sink)
    old = sorted(path.relative_to(root) for path in root.rglob("*.*"))
    assert (
        sorted(path.relative_to(tmp_path / "out") for path in (tmp_path / "out").rglob("*.*"))
        == old
    )
    for path in old:
        new, was = tmp_path / "out" / path, root / path
        if path.suffix == ".json":
            documents = normal(json.loads(new.read_bytes())), normal(json.loads(was.read_bytes()))
            assert documents[0] == documents[1]
        else:
            assert new.read_bytes() == was.read_bytes()


@pytest.mark.parametrize("part", ["sources/source1", "sources/source2", "dataset"])
def test_the_datasets_in_a_project_of_version_0_1_are_read(samples: Path, part: str):
    root = samples / "datumaro" / "compat" / "v0.1" / "project" / part
    place = open_source(root)
    assert formats.detect(place).name == "datumaro"
    (path,) = (root / "annotations").glob("*.json")
    found = json.loads(path.read_bytes())
    data = formats.read(place, DATUMARO)
    (item,) = data
    assert (item.subset, item.id) == (path.stem, found["items"][0]["id"])
    position = found["items"][0]["annotations"][0]["label_id"]
    assert list(item.annotations) == [Label(label="ab"[position])]
    assert normal(written(data)[path.stem]) == normal(found)
    assert formats.detect(open_source(path)).name == "datumaro"
    assert [one.id for one in formats.read(open_source(path), DATUMARO)] == [item.id]


def test_a_whole_project_is_several_datasets(samples: Path):
    place = open_source(samples / "datumaro" / "compat" / "v0.1" / "project")
    with pytest.raises(NotADataset, match=r"several Datumaro datasets: dataset/, sources/source1/"):
        formats.read(place, DATUMARO)
    with pytest.raises(formats.Rejected, match="several"):
        DATUMARO.detect(place)


def test_no_other_sample_is_taken_for_datumaro(samples: Path):
    for name in (
        "coco_dataset",
        "vott_json_dataset",
        "segment_anything_dataset",
        "mpii_json_dataset",
    ):
        for folder in sorted((samples / "datumaro" / name).iterdir()):
            if folder.is_dir():
                with pytest.raises(formats.Rejected):
                    DATUMARO.detect(open_source(folder))


# -- kinds of annotations ------------------------------------------------------------------------

RECORDS: list[tuple[dict[str, Any], Any]] = [
    ({"type": "label", "label_id": 1, "id": 5}, Label(label="b", id=5)),
    ({"type": "caption", "caption": "é"}, Caption("é")),
    (
        {"type": "bbox", "bbox": ROUND[:4], "label_id": 0, "z_order": -2},
        Bbox(*ROUND[:4], label="a", z_order=-2),
    ),
    ({"type": "polygon", "points": ROUND}, Polygon([[ROUND]])),
    ({"type": "polyline", "points": ROUND}, PolyLine(ROUND)),
    ({"type": "points", "points": ROUND[:4]}, Points(ROUND[:4])),
    (
        {"type": "points", "points": ROUND[:4], "visibility": [0, 1]},
        Points(ROUND[:4], [0, 1]),
    ),
    (
        {"type": "mask", "rle": {"counts": bitmap((1, 2, 3, 4)).counts, "size": [48, 64]}},
        bitmap((1, 2, 3, 4)),
    ),
    (
        {
            "type": "cuboid_3d",
            "position": ROUND[:3],
            "rotation": [0, 0, 1.5],
            "scale": [1, 2, 3],
            "label_id": 2,
        },
        Cuboid3d(ROUND[:3], [0.0, 0.0, 1.5], [1.0, 2.0, 3.0], label="c"),
    ),
    (
        {"type": "ellipse", "points": [1, 2, 5, 8]},
        Ellipse(3.0, 5.0, 2.0, 3.0, 0.0, extra={"datumaro": {"type": "ellipse"}}),
    ),
    (
        {"type": "rotated_bbox", "points": [1, 2, 5, 8, 30]},
        RotatedBbox(1.0, 2.0, 5.0, 8.0, 30.0, extra={"datumaro": {"type": "rotated_bbox"}}),
    ),
    (
        {"type": "depth_annotation", "image": {"path": "d/1.png"}, "id": 3},
        Raster(
            meaning="depth",
            file=MediaFile(name="d/1.png"),
            id=3,
            extra={"datumaro": {"type": "depth_annotation"}},
        ),
    ),
    (
        {"type": "hash_key", "hash_key": [1, 2], "label_id": 1, "id": 2},
        Other("datumaro", {"type": "hash_key", "hash_key": [1, 2]}, label="b", id=2),
    ),
    (
        {"type": "feature_vector", "vector": [0.1, 2]},
        Other("datumaro", {"type": "feature_vector", "vector": [0.1, 2]}),
    ),
    (
        {"type": "tabular", "values": {"a": 1, "b": None}},
        Other("datumaro", {"type": "tabular", "values": {"a": 1, "b": None}}),
    ),
    (
        {"type": "cuboid_2d", "points": [[1.5, 2]] * 8, "label_id": 0, "z_order": 1, "y_3d": 4},
        Other(
            "datumaro",
            {"type": "cuboid_2d", "points": [[1.5, 2]] * 8, "y_3d": 4},
            label="a",
            z_order=1,
        ),
    ),
    (
        {"type": "bbox", "bbox": [1, 2, 3, 4], "object_id": 7, "note": [1, None]},
        Bbox(1.0, 2.0, 3.0, 4.0, extra={"datumaro": {"object_id": 7, "note": [1, None]}}),
    ),
    (
        {"type": "label", "label_id": 0, "attributes": {"score": 0.5, "track_id": 3, "x": [1]}},
        Label(label="a", score=0.5, track=3, attributes={"x": [1]}),
    ),
    (
        {"type": "label", "attributes": {"score": "high", "track_id": None}},
        Label(attributes={"score": "high", "track_id": None}),
    ),
]


@pytest.mark.parametrize(("record", "note"), RECORDS, ids=lambda one: str(one)[:40])
def test_each_kind_of_annotation_is_read_and_comes_back(record: dict[str, Any], note: Any):
    assert list(one(record).annotations) == [note]
    assert_comes_back(document({"id": "x", "annotations": [record]}))


def test_all_kinds_in_one_item_come_back_in_order():
    found = document({"id": "x", "annotations": [record for record, _ in RECORDS]})
    (item,) = read(found)
    assert list(item.annotations) == [note for _, note in RECORDS]
    assert_comes_back(found)


def test_corners_of_an_ellipse_come_back_to_the_last_digit():
    corners = [0.1, 0.3, 0.7, 0.9]
    record = {"type": "ellipse", "points": corners}
    (note,) = one(record).annotations
    assert note.cx - note.rx != corners[0]
    assert_comes_back(document({"id": "x", "annotations": [record]}))


def test_counts_of_a_mask_may_be_a_list():
    runs = [3, 5, 4]
    (note,) = one({"type": "mask", "rle": {"counts": runs, "size": [3, 4]}}).annotations
    assert note == Mask((3, 4), "354")


def test_null_is_as_good_as_absent_and_3_0_as_3():
    record = {
        **dict.fromkeys(("id", "attributes", "group", "z_order")),
        "type": "bbox",
        "bbox": [1, 2, 3, 4],
        "label_id": 2.0,
    }
    assert list(one(record).annotations) == [Bbox(1.0, 2.0, 3.0, 4.0, label="c")]


def test_groups_are_numbered_within_the_item_and_come_back_as_they_were():
    groups = [0, 17, 4, 17, 9, 4]
    notes = [{"type": "label", "label_id": 0, "group": group} for group in groups]
    found = document({"id": "x", "annotations": notes})
    (item,) = read(found)
    assert [note.group for note in item.annotations] == [0, 1, 2, 1, 0, 2]
    assert_comes_back(found)


def test_groups_of_two_files_that_were_merged_are_told_apart():
    left, right = (
        one(*[{"type": "label", "label_id": at, "group": 17} for _ in range(2)]).annotations
        for at in (0, 1)
    )
    merged = [*left, *(note.with_(group=2) for note in right)]
    new = written(Dataset.from_items([Item("x", "train", annotations=merged)]))["train"]
    groups = [note["group"] for note in new["items"][0]["annotations"]]
    assert groups == [17, 17, 2, 2]


# -- skeletons, as CVAT writes them --------------------------------------------------------------


def skeleton(*elements: tuple[int, list[float], int], **more: Any) -> dict[str, Any]:
    return {
        "type": "skeleton",
        "label_id": 0,
        "elements": [
            {
                **dict.fromkeys(("id", "group", "z_order"), 0),
                "type": "points",
                "label_id": label_id,
                "points": points,
                "visibility": [seen],
            }
            for label_id, points, seen in elements
        ],
        **more,
    }


def body(*, named: bool) -> dict[str, Any]:
    held = labels("body", "tail", "head", "leg")
    for record in held["label"]["labels"][1:]:
        record["parent"] = "body"
    if named:
        held["points"] = {
            "items": [
                {"label_id": 0, "labels": ["head", "leg", "tail"], "joints": [[1, 2], [2, 3]]}
            ]
        }
    return held


def test_a_skeleton_is_points_in_the_order_of_its_keypoints():
    record = skeleton((1, [1, 2], 2), (3, [3, 4], 1), (2, [5.5, 6], 2), id=4)
    found = document({"id": "x", "annotations": [record]}, categories=body(named=True))
    data = read(found)
    ((note,),) = (item.annotations for item in data)
    assert (note.points, note.visibility) == ([5.5, 6.0, 3.0, 4.0, 1.0, 2.0], [2, 1, 2])
    assert (note.label, note.id) == ("body", 4)
    assert data.labels["body"].keypoints == ("head", "leg", "tail")
    assert data.labels["body"].joints == ((0, 1), (1, 2))
    assert_comes_back(found)


def test_a_skeleton_names_its_keypoints_where_the_categories_do_not():
    found = document(
        {"id": "x", "annotations": [skeleton((1, [1, 2], 2), (2, [3, 4], 0), (3, [5, 6], 1))]},
        categories=body(named=False),
    )
    data = read(found)
    assert data.labels["body"].keypoints == ("tail", "head", "leg")
    ((note,),) = (item.annotations for item in data)
    assert note.extra == {"datumaro": {"type": "skeleton"}}
    assert_comes_back(found)


def test_what_the_elements_of_a_skeleton_say_more_comes_back():
    record = skeleton((3, [1, 2], 2), (2, [3, 4], 0))
    record["elements"][0] |= {"id": 9, "attributes": {"blurred": True}, "group": 3}
    found = document({"id": "x", "annotations": [record]}, categories=body(named=True))
    ((note,),) = (item.annotations for item in read(found))
    assert (note.points, note.visibility) == ([3.0, 4.0, 1.0, 2.0, 0.0, 0.0], [0, 2, 0])
    assert_comes_back(found)


def test_a_skeleton_of_foreign_elements_is_kept_with_the_names_of_their_labels():
    record = skeleton((1, [1, 2], 2), (0, [3, 4], 2))
    found = document({"id": "x", "annotations": [record]}, categories=body(named=True))
    data = read(found)
    ((note,),) = (item.annotations for item in data)
    assert [element["label"] for element in note.record["elements"]] == ["tail", "body"]
    assert_comes_back(found)


def test_a_parent_alone_makes_no_keypoints():
    held = labels("animal", "dog")
    held["label"]["labels"][1]["parent"] = "animal"
    found = document({"id": "x", "annotations": [{"type": "caption", "caption": '"skeleton"'}]})
    data = read({**found, "categories": held})
    assert data.labels["animal"].keypoints == ()
    assert data.labels["dog"].parent == "animal"


# -- categories ----------------------------------------------------------------------------------


def test_all_that_categories_say_comes_back():
    groups = [{"name": "g", "group_type": "exclusive", "labels": ["a", "no label"]}]
    held = labels("a", "b", attributes=["occluded"], label_groups=groups, hint={"x": 1})
    held["label"]["labels"][0] |= {"attributes": ["size", "age"], "svg": "<svg/>"}
    held["mask"] = {"colormap": [{"label_id": n, "r": n, "g": 2, "b": 255} for n in (0, 1, 9)]}
    held["points"] = {
        "items": [
            {"label_id": 1, "labels": ["p", "q"], "joints": [[2, 1]], "positions": [[0.5, 1]]},
            {"label_id": 0, "labels": ["p"], "joints": [[0, 1]]},
        ]
    }
    held["points"]["items"].reverse()
    held["tabular"] = {"items": [{"name": "n", "dtype": "int"}]}
    found = document({"id": "x", "annotations": []}, categories=held)
    data = read(found)
    a, b = data.labels
    assert (a.color, b.color) == ((0, 2, 255), (1, 2, 255))
    assert (b.keypoints, b.joints) == (("p", "q"), ((1, 0),))
    assert (a.keypoints, a.joints) == (("p",), ())
    assert [spec.name for spec in a.attributes] == ["size", "age"]
    assert [spec.name for spec in data.labels.attributes] == ["occluded"]
    assert_comes_back(found)


def test_label_groups_follow_a_label_that_is_renamed():
    groups = [{"name": "g", "group_type": "inclusive", "labels": ["a"]}]
    data = read(document(categories=labels("a", label_groups=groups)))
    (old,) = data.labels
    renamed = data.labels.replaced([type(old)(name="new", key=old.key, extra=old.extra)])
    new = written(data.derive(list, labels=renamed))["train"]
    assert new["categories"]["label"]["label_groups"][0]["labels"] == ["new"]


def test_two_labels_of_one_name_are_told_apart():
    held = labels("cat", "1", "dog", "1")
    held["label"]["labels"][1]["parent"], held["label"]["labels"][3]["parent"] = "cat", "dog"
    note = {"type": "label", "label_id": 3}
    found = document({"id": "x", "annotations": [note]}, categories=held)
    data = read(found)
    assert data.labels.names == ("cat", "1", "dog", "1#3")
    assert [one.key for one in data.labels] == ["cat", "1", "dog", "1#3"]
    assert [note.label for item in data for note in item.annotations] == ["1#3"]
    assert_comes_back(found)


def test_files_that_number_labels_differently_are_read_by_name():
    note = {"type": "label", "label_id": 0}
    files = {
        "annotations/a.json": document(
            {"id": "x", "annotations": [note]}, categories=labels("a", "b")
        ),
        "annotations/b.json": document(
            {"id": "x", "annotations": [note]}, categories=labels("c", "a")
        ),
    }
    data = formats.read(source(files), DATUMARO)
    assert data.labels.names == ("a", "b", "c")
    assert [(item.subset, item.annotations[0].label) for item in data] == [("a", "a"), ("b", "c")]
    new = written(data)
    assert new["b"]["items"][0]["annotations"][0]["label_id"] == 2


def test_a_file_may_have_no_labels_at_all():
    found = document(
        {"id": "x", "annotations": [{"type": "caption", "caption": "y"}]}, categories={}
    )
    assert [len(item.annotations) for item in read(found)] == [1]
    assert len(read(found).labels) == 0


# -- items and media -----------------------------------------------------------------------------


def test_unknown_keys_come_back_everywhere():
    found = document(
        {
            "id": "x/é",
            "annotations": [],
            "attr": {"frame": 3, "deep": {"a": [1, None]}},
            "image": {"path": "x/é.png", "size": [3, 4], "exif": 1},
            "own": [1.5],
        },
        infos={"author": "me"},
        dm_format_version="1.0",
        media_type=2,
        anything={"else": 1},
    )
    data = read(found)
    (item,) = data
    assert item.attributes == {"frame": 3, "deep": {"a": [1, None]}}
    assert item.media.size == (3, 4)
    assert item.extra == {"datumaro": {"own": [1.5], "image": {"exif": 1}}}
    assert_comes_back(found)


@pytest.mark.parametrize(
    ("path", "file", "name"),
    [
        ("a.png", "images/train/a.png", None),
        ("a.png", "images/a.png", None),
        ("train/a.png", "images/train/a.png", None),
        ("other.png", "images/train/other.png", "other.png"),
        ("", "images/train/a.jpg", None),
        (None, "images/train/a.bmp", None),
        ("/home/me/pics/a.png", "images/train/a.png", None),
        ("C:\\pics\\a.png", "images/train/a.png", None),
        ("../a.png", "images/train/a.png", None),
        ("a.png", "images/train/a.jpg", None),
    ],
)
def test_an_image_is_found_where_versions_put_it(path: str | None, file: str, name: str | None):
    image = {} if path is None else {"path": path}
    found = document({"id": "a", "annotations": [], "image": {**image, "size": [1, 2]}})
    (item,) = read(found, **{file: b"pixels"})
    assert item.origins[0].read() == b"pixels"
    assert item.media.files[0].ext == Path(file).suffix
    assert item.media.files[0].name == name


@pytest.mark.parametrize(
    "path", ["/abs/a.png", "../a.png", "https://h.org/a.png", "train/b.png", ""]
)
def test_the_path_of_an_image_that_is_not_there_comes_back(path: str):
    found = document({"id": "a", "annotations": [], "image": {"path": path, "size": [1, 2]}})
    (item,) = read(found)
    assert set(item.origins) <= {None}
    assert item.media.size == (1, 2)
    assert_comes_back(found)


@pytest.mark.parametrize(
    "media",
    [
        {"media": {"path": ""}},
        {"media": {"path": "a.jpg"}},
        {"media": {"path": "a.xyz", "more": 1}},
        {"image": {"path": "a.jpg"}, "media": {"path": "a.jpg"}},
        {"image": {"path": "a.jpg"}, "media": {"path": "b.jpg"}},
        {"point_cloud": {"path": "a.pcd"}},
        {
            "point_cloud": {"path": "deep/a.pcd", "fields": "xyz"},
            "related_images": [{"path": "image_0.jpg", "size": [3, 4]}, {"path": "b.png"}],
        },
        {"video": {"path": "v.mp4", "step": 2, "start_frame": 5, "end_frame": 99}},
        {"video_frame": {"video_path": "v.mp4", "frame_index": 7}},
    ],
    ids=str,
)
def test_every_medium_comes_back(media: dict[str, Any]):
    assert_comes_back(document({"id": "a", "annotations": [], **media}))


def test_point_clouds_and_their_images_are_found():
    record = {
        "id": "s/1",
        "annotations": [],
        "point_cloud": {"path": "s/1.pcd"},
        "related_images": [{"path": "image_0.jpg"}, {"path": "x.png"}],
    }
    (item,) = read(
        document(record),
        **{
            "point_clouds/train/s/1.pcd": b"cloud",
            "related_images/train/s/1/image_0.jpg": b"fork",
            "images/train/x.png": b"version 1",
        },
    )
    assert [one.read() for one in item.origins] == [b"cloud", b"fork", b"version 1"]
    assert [file.role for file in item.media.files] == [
        *("point_cloud", "related_image", "related_image")
    ]
    assert (item.media.kind, item.file_name) == ("point_cloud", "s/1.pcd")


def test_frames_of_one_video_share_its_file():
    records = [
        {"id": f"f{n}", "annotations": [], "video_frame": {"video_path": "v.mp4", "frame_index": n}}
        for n in (0, 5)
    ]
    data = read(document(*records, media_type=4), **{"videos/train/v.mp4": b"video"})
    assert [(item.media.kind, item.media.frame) for item in data] == [
        *(("video_frame", 0), ("video_frame", 5))
    ]
    sink = MemorySink()
    formats.write(data, DATUMARO, sink)
    assert sorted(sink.origins) == ["videos/train/v.mp4"]


def test_a_file_without_items_comes_back():
    files = {"annotations/a.json": document(), "annotations/b.json": document({"id": "x"})}
    data = formats.read(source(files), DATUMARO)
    assert [item.subset for item in data] == ["b"]
    assert normal(written(data)) == normal(
        {"a": document(), "b": document({"id": "x", "annotations": []})}
    )


# -- detection -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b'{"categories":{},"items":[]}',
        b'\xef\xbb\xbf {"items" : [ ] , "info": {"categories": []}, "categories" :\n{ } }',
        json.dumps(document(*({"id": str(n), "annotations": []} for n in range(5000)))).encode(),
        json.dumps(document(categories=labels(*map(str, range(5000))))).encode(),
        json.dumps(
            {"items": [{"id": "x", "annotations": [], "attr": {"a": "x" * PEEK}}], "categories": {}}
        ).encode(),
    ],
    ids=len,
)
def test_a_file_is_known_by_its_keys(data: bytes):
    assert DATUMARO.detect(source({"annotations/a.json": data})) == formats.Confidence.HIGH
    assert DATUMARO.detect(source({"a.json": data})) == formats.Confidence.MEDIUM


@pytest.mark.parametrize(
    "data",
    [
        b"{}",
        b"[]",
        b"",
        b'{"categories":[],"items":[]}',
        b'{"categories":{"label":{}}}',
        b'{"images":[],"annotations":[],"categories":[{"id":1,"name":"items"}]}',
        b'{"a":{"categories":{},"items":[]}}',
        b'"categories":{},"items":[]',
        b"[" * 100_000,
    ],
)
def test_other_json_is_not_taken_for_datumaro(data: bytes):
    with pytest.raises(formats.Rejected):
        DATUMARO.detect(source({"annotations/a.json": data}))


# -- bad records ---------------------------------------------------------------------------------

BAD: list[tuple[dict[str, Any], str]] = [
    ({"type": "label", "label_id": 3}, "label_id 3 is not one of the file's 3 labels"),
    ({"type": "label", "label_id": -1}, "label_id -1 is not one"),
    ({"type": "label", "label_id": "0"}, "expected `int | null`, got `str`"),
    ({"type": "label", "label_id": True}, "got `bool`"),
    ({"type": "bbox", "bbox": [1, 2, 3]}, "of length 4"),
    ({"type": "bbox", "bbox": [1, 2, 3, None]}, "expected `float`, got `null`"),
    ({"type": "bbox"}, "missing required field `bbox`"),
    ({"type": "polygon", "points": [1, 2, 3]}, "3 numbers, an odd count"),
    ({"type": "points", "points": [1, 2], "visibility": [1, 1]}, "1 points have 2 values"),
    ({"type": "points", "points": [1, 2], "visibility": [3]}, "invalid enum value 3"),
    ({"type": "mask", "rle": {"counts": "354", "size": [3, 3]}}, "cover 12 pixels"),
    ({"type": "mask", "rle": {"counts": "x", "size": [3, 3]}}, "characters that COCO"),
    ({"type": "caption", "caption": 5}, "expected `str`"),
    ({"type": "cuboid_3d", "position": [1, 2]}, "of length 3"),
    ({"type": 5}, "its type is 5"),
    ({"id": 5}, "its 'type' is missing"),
    ({"type": "label", "attributes": [1]}, "expected `object | null`"),
    ({"type": "label", "dvcs": {"score": "x"}}, "'dvcs': expected `float"),
]


@pytest.mark.parametrize(("record", "message"), BAD, ids=[message for _, message in BAD])
def test_a_bad_annotation_is_an_error_with_its_place(record: dict[str, Any], message: str):
    good = {"type": "label", "label_id": 0}
    found = document({"id": "y", "annotations": [good, record]})
    with pytest.raises(FormatError, match=message) as caught:
        list(read(found))
    assert "train.json (item 'y', annotations[1])" in str(caught.value)


def test_with_keep_going_bad_annotations_are_kept_as_they_stand():
    found = document({"id": "y", "annotations": [record for record, _ in BAD]})
    data = read(found, keep_going=True)
    (item,) = data
    assert [note.record for note in item.annotations] == [record for record, _ in BAD]
    assert {(type(note), note.format) for note in item.annotations} == {(Other, "datumaro")}
    new = written(data)["train"]
    assert new["items"][0]["annotations"] == []  # other readers would fail
    assert [list(one.annotations) for one in read(new)] == [list(item.annotations)]


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ({"annotations": []}, "missing required field `id`"),
        ({"id": None}, "expected `int | str`"),
        ({"id": "x", "annotations": {}}, "expected `array"),
        ({"id": "x", "attr": []}, "expected `object | null`"),
        ({"id": "x", "image": [1]}, "'image' is not what it should be"),
        ({"id": "x", "image": {"path": 5}}, "a path is 5"),
        ({"id": "x", "image": {"size": [1]}}, "'size' is"),
        ({"id": "x", "image": {"size": [1.5, 2]}}, "whole numbers of pixels"),
        ({"id": "x", "image": {"path": "a"}, "point_cloud": {"path": "b"}}, "cannot have both"),
        ({"id": "x", "video_frame": {"video_path": "v"}}, "'frame_index' is None"),
        ({"id": "x", "point_cloud": {"path": "b"}, "related_images": [{}]}, "without a path"),
        ({"id": "first"}, "two items have the id 'first'"),
        (5, "expected `object`"),
    ],
)
def test_a_bad_item_is_an_error_and_the_others_are_read(item: Any, message: str):
    found = document({"id": "first"}, item, {"id": "last"})
    with pytest.raises(FormatError, match=message):
        list(read(found))
    assert [one.id for one in read(found, keep_going=True)] == ["first", "last"]


@pytest.mark.parametrize("id", ["../x", "/x", "", "a//b", "C:/x", "..\\x", "x\0"])
def test_an_unsafe_id_is_refused_with_its_place(id: str):
    with pytest.raises(UnsafeName, match=r"train\.json \(items\[0\]\): id "):
        list(read(document({"id": id, "annotations": []})))


def test_ids_are_normalised_and_come_back():
    found = document({"id": "e\u0301\\1", "annotations": []})
    (item,) = read(found)
    assert item.id == "é/1"
    assert_comes_back(found)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'{"categories":{},"items":[{"id":"a","image":{"size":[1,NaN]}}]}', "not valid JSON"),
        (b'{"categories":{},"items":[{"id":"a"', "truncated JSON"),
        (b'{"categories":{},"items":{}}', "expected `array`|Expected `array`"),
        (b'{"categories":[],"items":[]}', "'categories' is not an object"),
        (b'{"categories":{"label":[]},"items":[]}', "is not an object"),
        (
            b'{"categories":{"label":{"labels":[{}]},"items":[]},"items":[]}',
            "required field `name`",
        ),
        (b'{"categories":{"label":{"labels":[1]}},"items":[]}', r"labels\[0\]"),
        (b'{"categories":{"mask":{"colormap":[{"label_id":"x"}]}},"items":[]}', r"colormap\[0\]"),
        (b'{"categories":{"points":{"items":[{"label_id":0}]}},"items":[]}', r"points\[0\]"),
        (b'{"categories":{}}', "has no 'items'"),
        (b'{"items":[]}', "has no 'categories'"),
    ],
)
def test_a_damaged_file_is_an_error_with_its_name(data: bytes, message: str):
    place = source({"annotations/a.json": data}, focus="annotations/a.json")
    with pytest.raises(FormatError, match=message) as caught:
        list(formats.read(place, DATUMARO))
    assert "annotations/a.json" in str(caught.value)


def test_all_bad_records_are_told_together():
    found = document(*({"id": str(n), "annotations": [{"type": "bbox"}]} for n in range(30)))
    with pytest.raises(FormatErrors, match="30 records cannot be read"):
        list(read(found))


def test_nothing_of_ours_that_is_made_up_breaks_the_reader():
    for ours in (
        *({"type": "nothing"}, {"type": []}, {"rings": "x"}, {"rings": -1}, {"ring": {}}),
        *({"extra": 5}, {"derived": 5, "check": "x"}, {"group": "x"}, {"score": "x"}),
        *({"parts": [[1]], "check": 0}, {"unknown": {"a": 1}}, {"new field": [1]}),
    ):
        record = {"type": "polygon", "points": [0, 0, 1, 0, 1, 1], "group": 3, "dvcs": ours}
        found = document({"id": "x", "annotations": [record]})
        try:
            ((note,),) = (item.annotations for item in read(found))
        except DvcsError:
            continue
        assert note.kind == "polygon"
