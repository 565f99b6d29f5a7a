"""Ultralytics' YOLO: data.yaml in all its forms, the layouts, the tasks."""

import sys

import pytest

from dvcs import formats
from dvcs.errors import DvcsError, FormatError, FormatErrors, NotADataset, UsageError
from dvcs.files import FolderSink, MemorySink, MemorySource, open_source
from dvcs.formats import Confidence
from dvcs.model import (
    Bbox,
    Category,
    Dataset,
    Ellipse,
    Label,
    Labels,
    Mask,
    Points,
    Polygon,
    RotatedBbox,
)
from tests.gallery import HOLE, RING, bitmap, image_item, png

BOX = "0 0.5 0.5 0.5 0.5\n"
YAML = "train: images/train\nval: images/val\nnames: [cat, dog]\n"
BASE = {
    "data.yaml": YAML,
    "images/train/street/1.png": png(1),
    "images/train/2.png": png(2),
    "images/val/3.PNG": png(3),
    "labels/train/street/1.txt": BOX,
    "labels/train/2.txt": "",
}
IDS = [("train", "2"), ("train", "street/1"), ("val", "3")]


def source(files, **options) -> MemorySource:
    encoded = {
        path: data.encode() if isinstance(data, str) else data
        for path, data in files.items()
        if data is not None
    }
    return MemorySource(encoded, **options)


def read(changes=None, task="detect", *, base=None, keep_going: bool = False, **options):
    place = source((BASE if base is None else base) | (changes or {}), keep_going=keep_going)
    data = formats.read(place, formats.find(f"yolo_{task}"), **options)
    return data, list(iter(data)), place


def keys(items):
    return [(item.subset, item.id) for item in items]


def written(data: Dataset, task: str, **options):
    sink = MemorySink()
    fidelity = formats.write(data, formats.find(f"yolo_{task}"), sink, **options)
    return {path: text.decode() for path, text in sink.files.items()}, sink, fidelity


def back(data: Dataset, task: str, **options):
    _, sink, fidelity = written(data, task, **options)
    place = MemorySource(sink.files, media=sink.origins)
    assert formats.detect(place).name == f"yolo_{task}"
    return list(iter(formats.read(place, formats.find(f"yolo_{task}")))), fidelity


# -- data.yaml -----------------------------------------------------------------------------------


def test_reads_items_by_subset():
    data, items, place = read()
    assert data.labels.names == ("cat", "dog")
    assert keys(items) == IDS
    assert [item.annotated for item in items] == [True, True, None]
    assert list(items[1].annotations) == [Bbox(16.0, 12.0, 32.0, 24.0, label="cat")]
    assert items[2].media.files[0].ext == ".PNG"
    assert not place.notes


@pytest.mark.parametrize(
    "text",
    [
        "train: ./images/train/\nval: images/val\ntest:\nnames: [cat, dog]\nnc: 2\n",
        "path: ../datasets/pets\ntrain: images/train\nval: images/val\nnames: {0: cat, 1: dog}\n",
        "path: /home/me/pets\ntrain: images/train\nval: [images/val]\nnames: {1: dog, 0: cat}\n",
        "path: C:\\pets\ntrain: images\\train\nval: images\\val\nnames:\n  '0': cat\n  '1': dog\n",
        "train: ../images/train\nval: ../images/val\ntest: ../images/test\nnames: [cat, dog]\n",
        "train: /kaggle/pets/images/train\nval: /kaggle/pets/images/val\nnames: [cat, dog]\n",
        "train: [images/train/street, images/train]\nval: lists/val.txt\nnames: names.txt\n",
        "train: lists/train.txt\nval: lists/val.txt\nnames: [cat, dog]\n",
        "train: train\nval: val\nnames: [cat, dog]\n",
        "train: images/train\r\nval: images/val\r\nnames: [cat, dog]\r\n",
        "names: [cat, dog]\n",
    ],
)
def test_forms_of_data_yaml_that_mean_the_same(text):
    changes = {
        "data.yaml": text,
        "names.txt": "cat\ndog\n",
        "lists/train.txt": "./images/train/2.png\n/home/me/pets/images/train/street/1.png\n",
        "lists/val.txt": "../images/val/3.PNG\n",
    }
    if "lists/" not in text:
        changes = {"data.yaml": text}
    data, items, _ = read(changes)
    assert data.labels.names == ("cat", "dog")
    if "street" in text:  # the first folder gives the id
        assert sorted(keys(items)) == [("train", "1"), ("train", "2"), ("val", "3")]
    else:
        assert keys(items) == IDS
    assert sum(len(item.annotations) for item in items) == 1


def test_keys_of_names_are_indices():
    data, items, _ = read(
        {
            "data.yaml": "train: images/train\nnames: {7: dog, 2: cat}\n",
            "labels/train/2.txt": "7 .5 .5 1 1",
            "labels/train/street/1.txt": "2 .5 .5 1 1\n",
        }
    )
    assert data.labels == Labels([Category(name="cat", id=2), Category(name="dog", id=7)])
    assert [item.annotations[0].label for item in items] == ["dog", "cat"]


def test_a_name_used_twice_gets_its_index():
    data, _, _ = read({"data.yaml": "train: images/train\nnames: [cat, dog, cat]\n"})
    assert [(one.name, one.key) for one in data.labels] == [
        *(("cat", "cat"), ("dog", "dog"), ("cat#2", "cat#2"))
    ]


def test_without_names_the_count_makes_them():
    data, _, _ = read({"data.yaml": "train: images/train\nnc: 3\n"})
    assert data.labels.names == ("class_0", "class_1", "class_2")


def test_what_else_is_said_is_written_again_but_no_script():
    text = f"{YAML}roboflow: {{version: 3, url: 'x'}}\ndownload: |\n  import os\n"
    data, _, _ = read({"data.yaml": text})
    assert data.metadata["yolo"]["roboflow"] == {"version": 3, "url": "x"}
    files, _, _ = written(data, "detect")
    assert "roboflow:\n  version: 3\n" in files["data.yaml"]
    assert "import os" not in files["data.yaml"]


def test_other_subsets_and_settings_of_other_names():
    text = "train: images/train\nhard cases: images/val\nnames: [cat, dog]\nimgsz: 640\n"
    _, items, _ = read({"data.yaml": None, "pets.yaml": text})
    assert keys(items) == [*IDS[:2], ("hard cases", "3")]
    _, items, _ = read({"cfg/b.yaml": "train: images/val\nnames: [x]\n"}, config_file="cfg/b.yaml")
    assert keys(items) == [("train", "3")]


def test_a_user_may_name_the_yaml(tmp_path):
    with FolderSink(tmp_path / "d") as sink:
        for path, data in BASE.items():
            sink.bytes(path, data if isinstance(data, bytes) else data.encode())
    place = open_source(tmp_path / "d" / "data.yaml")
    assert formats.find("yolo_detect").detect(place) == Confidence.HIGH
    assert keys(formats.read(place, formats.find("yolo_detect"))) == IDS


def test_a_folder_that_is_not_there_is_noted():
    _, items, place = read({"data.yaml": YAML + "test: images/test\n"})
    assert keys(items) == IDS
    assert list(place.notes) == ["data.yaml names 'images/test' for 'test', which is not there"]


def test_images_that_are_listed_in_two_folders_of_a_subset_come_once():
    _, items, _ = read(
        {"data.yaml": "train: [images/train, images/train, images]\nnames: [cat, dog]\n"}
    )
    assert keys(items) == [("train", "2"), ("train", "street/1"), ("train", "val/3")]


def test_labels_of_images_that_are_not_there_are_kept():
    _, items, _ = read({"labels/val/gone.txt": BOX}, image_size="64x48")
    assert keys(items) == [*IDS, ("val", "gone")]
    assert items[3].media.files == ()
    assert len(items[3].annotations) == 1


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("train: [1, 2\n", r"data\.yaml:2: is not valid YAML"),
        ("names: [cat]\nnc: many\n", r"data\.yaml:2: 'nc' is no count: 'many'"),
        ("names: [cat]\nnc: -1\n", r"data\.yaml:2: 'nc' is no count"),
        (YAML + "nc: 3\n", r"data\.yaml:4: 'nc' says 3, but there are 2 names"),
        (
            "train: images/train\nnames: {x: cat}\n",
            r"data\.yaml:2: 'x' is not the index of a label",
        ),
        ("train: images/train\nnames: {-1: a}\n", r"'-1' is not the index"),
        ("train: images/train\nnames: [[a]]\n", r"the name of a label is not a text"),
        ("train: images/train\nnames: ['']\n", r"the name of a label is not a text"),
        ("train: images/train\nnames: x.txt\n", r"data\.yaml:2: there is no file 'x\.txt'"),
        (YAML + "kpt_shape: [17]\n", r"data\.yaml:4: 'kpt_shape' is not"),
        (YAML + "kpt_shape: [17, 4]\n", r"'kpt_shape' is not"),
        (YAML + "names: [a]\n", r"data\.yaml:4: has the key 'names' twice"),
        ("train: {a: b}\nval: images/val\nnames: [a]\n", "^$"),
        (
            "names: [a]\ntrain: ../../other/images\nval: images/val\n",
            r"data\.yaml:2: 'train: \.\./",
        ),
        ("names: [a]\ntrain: /data/other\nval: images/val\n", r"leads out of the dataset"),
        ("names: [a]\nvalidate: nowhere.txt\n", r"none of its folders and lists is there"),
    ],
)
def test_bad_settings_are_named_with_their_line(text, why):
    if why == "^$":  # a mapping is no subset
        _, items, _ = read({"data.yaml": text, "labels/val/3.txt": BOX})
        assert keys(items) == [("val", "3")]
        return
    with pytest.raises(DvcsError, match=why):
        read({"data.yaml": text, "labels/train/street/1.txt": ""})


def test_bad_rows_and_lists_are_left_out_when_told_to_keep_going():
    changes = {
        "data.yaml": "train: t.txt\nval: ../../x\nnames: [cat, dog]\n",
        "t.txt": "images/train/2.png\nimages/train/2.png\n/etc/passwd\n../../y.png\n",
        "labels/train/2.txt": f"{BOX}0 1\n2 .5 .5 .5 .5\n",
    }
    with pytest.raises(FormatErrors) as caught:
        read(changes)
    told = str(caught.value)
    for place in ("t.txt:2:", "t.txt:3:", "t.txt:4:", "2.txt:2:", "2.txt:3:", "data.yaml:2:"):
        assert place in told
    _, items, _ = read(changes, keep_going=True)
    assert [(item.id, len(item.annotations)) for item in items] == [("2", 1)]


# -- layouts -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "subset"),
    [
        ("train: ../train/images\nval: ../valid/images\nnc: 1\nnames: ['cat']\n", "valid"),
        ("train: train/images\nval: valid/images\nnc: 1\nnames: ['cat']\n", "valid"),
        ("train: train\nval: valid\nnames: ['cat']\n", "valid"),
        ("train: train/images\nvalid: valid/images\nnames: ['cat']\n", "valid"),
        ("names: ['cat']\n", "valid"),
    ],
)
def test_roboflow(text, subset):
    base = {
        "data.yaml": text,
        "README.roboflow.txt": "about",
        "train/images/a_jpg.rf.0f.jpg": png(1),
        "train/labels/a_jpg.rf.0f.txt": BOX,
        "valid/images/b.jpg": png(2),
        "valid/labels/b.txt": BOX,
    }
    _, items, _ = read(base=base)
    assert keys(items) == [("train", "a_jpg.rf.0f"), (subset, "b")]
    assert [len(item.annotations) for item in items] == [1, 1]


@pytest.mark.parametrize(
    ("files", "found"),
    [
        (["classes.txt", "images/1.png", "labels/1.txt"], [("default", "1")]),
        (["classes.txt", "1.png", "1.txt"], [("default", "1")]),
        (["obj.names", "Images/1.png", "Annotations/1.txt"], [("default", "1")]),
        (["classes.txt", "images/val/1.png", "labels/val/1.txt"], [("val", "1")]),
        (["classes.txt", "val/images/1.png", "val/labels/1.txt"], [("val", "1")]),
        (["classes.txt", "test/1.png", "test/1.txt"], [("test", "1")]),
        (["classes.txt", "set/images/1.png", "set/labels/1.txt"], [("default", "set/1")]),
        (["team-classes.txt", "day/1.png", "day/1.txt"], [("default", "day/1")]),
        (["labels/classes.txt", "images/1.png", "labels/1.txt"], [("default", "1")]),
        (["voc.names", "readme.txt", "1.png", "1.txt", "2.png"], [("default", n) for n in "12"]),
    ],
)
def test_folders_without_settings(files, found):
    contents = {".png": png(1), ".txt": BOX, "sses.txt": "cat\ndog\n", ".names": "cat\ndog\n"}
    base = {
        path: next(data for end, data in reversed(contents.items()) if path.endswith(end))
        for path in files
    }
    base = {path: "about\n" if "readme" in path else data for path, data in base.items()}
    place = source(base)
    assert formats.detect(place).name == "yolo_detect"
    data, items, _ = read(base=base)
    assert keys(items) == found
    assert data.labels.names == ("cat", "dog")
    assert [note.label for note in items[0].annotations] == ["cat"]


def test_labels_may_be_named_by_an_option():
    base = {"1.png": png(1), "1.txt": BOX, "meta/things.txt": "cat\n"}
    with pytest.raises(NotADataset, match="what their indices mean"):
        read(base=base)
    data, _, _ = read(base=base, labels_file="meta/things.txt")
    assert data.labels.names == ("cat",)
    with pytest.raises(UsageError, match=r"no file 'x\.txt'"):
        read(base=base, labels_file="x.txt")
    with pytest.raises(UsageError, match=r"no file 'x\.yaml'"):
        read(config_file="x.yaml")
    with pytest.raises(FormatError, match="neither 'names' nor 'nc'"):
        read({"x.yaml": "a: 1\n"}, config_file="x.yaml")


# -- detection -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "rows", "task"),
    [
        (YAML, BOX, "detect"),
        (YAML, "0 .5 .5 .5 .5 .9\n" + BOX, "detect"),
        (YAML, "0 0 0 1 0 1 1\n", "segment"),
        (YAML, BOX + "0 0 0 1 0 1 1 .5 .5\n", "segment"),
        (YAML, "0 0 0 1 0 1 1 0 1\n", "obb"),
        (YAML, "0 0 0 1 0 1 1 0 1\n0 0 0 1 0 1 1 0 1 .5 .5\n", "segment"),
        (YAML, "1 1 9 1 9 9 1 9 cat 0\n", "obb"),
        (YAML + "kpt_shape: [1, 3]\n", "0 .5 .5 .5 .5 .1 .1 2\n", "pose"),
        (YAML + "kpt_shape: [2, 2]\n", "0 .5 .5 .5 .5 .1 .1 .2 .2\n", "pose"),
        (YAML, "0 .5 .5 .5 .5 .1 .1 2 .2 .2 1 0 0 0\n", "pose"),
        (YAML + "task: segment\n", BOX, "segment"),
        (YAML, "", "detect"),
    ],
)
def test_the_task_is_told_by_settings_and_rows(settings, rows, task):
    files = BASE | {"data.yaml": settings, "labels/train/street/1.txt": rows}
    matches, _ = formats.judge(source(files))
    assert {name for name in matches if name.startswith("yolo")} == {f"yolo_{task}"}
    assert matches[f"yolo_{task}"] == Confidence.HIGH


@pytest.mark.parametrize(
    "files",
    [
        {"1.png": png(1), "1.txt": "a photo of a cat\n"},
        {"1.png": png(1), "1.txt": "1 2 3\n"},
        {"1.png": png(1), "1.txt": "7 120 300 20 40\n"},
        {"1.png": png(1), "1.txt": ""},
        {"model.yaml": "nc: 80\nbackbone: [[-1, 1, Conv, [64]]]\n", "1.png": png(1)},
        {"docker.yaml": "names: [a]\n"},
        {"images/1.png": png(1)},
    ],
)
def test_other_folders_are_not_taken_for_it(files):
    matches, _ = formats.judge(source(files))
    assert not any(name.startswith("yolo") for name in matches)


def test_judging_leaves_no_notes_behind():
    place = source(BASE | {"data.yaml": YAML + "test: images/test\nnc: 5\n"})
    formats.judge(place)
    assert not place.notes
    assert not place.errors


# -- writing -------------------------------------------------------------------------------------


def one(*notes, id="a/1", subset="train", labels=("cat", "dog")):
    return Dataset.from_items([image_item(id, subset, *notes)], labels)


def test_the_files_of_detect():
    data = one(Bbox(16.0, 12.0, 32.0, 24.0, label="dog"))
    files, sink, fidelity = written(data, "detect")
    assert files == {
        "labels/train/a/1.txt": "1 0.5 0.5 0.5 0.5\n",
        "data.yaml": "train: images/train\nnc: 2\nnames:\n  0: cat\n  1: dog\ntask: detect\n",
    }
    assert list(sink.origins) == ["images/train/a/1.png"]
    assert list(fidelity.notes) == [
        "Ultralytics looks for the subset 'val', which this dataset does not have"
    ]


@pytest.mark.parametrize(
    "format", ["yolo", "yolo_ndjson", "yolo_detect", "yolo_segment", "yolo_obb", "yolo_pose"]
)
def test_an_image_that_ultralytics_leaves_out_is_told(format):
    # 64 x 48 pixels
    outside = Bbox(60.0, 40.0, 16.0, 20.0, label="dog")
    inside = Bbox(10.0, 10.0, 10.0, 10.0, label="cat")
    items = [image_item(id, "train", inside, outside) for id in ("1", "2")]
    items.append(image_item("3", "val", inside))
    found = formats.write(
        Dataset.from_items(items, ["cat", "dog"]), formats.find(format), MemorySink()
    )
    told = {note: count for note, count in found.notes.items() if "leaves out" in note}
    if format in {"yolo", "yolo_pose"}:  # Darknet has other rules; of poses only points count
        assert told == {}
        return
    ((note, count),) = told.items()
    assert note.endswith("(numbers above 1.01 or below -0.01): 'train/1'")
    assert count == 2


def test_subsets_keep_their_names_and_ultralytics_finds_its_keys():
    items = [image_item("1", name) for name in ("valid", "extra", "train")]
    files, _, fidelity = written(Dataset.from_items(items), "detect")
    assert files["data.yaml"].startswith(
        "train: images/train\nval: images/valid\nextra: images/extra\n"
    )
    assert not fidelity.notes
    found, _ = back(Dataset.from_items(items), "detect")
    assert sorted(keys(found)) == [("extra", "1"), ("train", "1"), ("valid", "1")]
    both = Dataset.from_items([image_item("1", name) for name in ("val", "valid")])
    assert "val: images/val\nvalid: images/valid\n" in written(both, "detect")[0]["data.yaml"]
    for name in ("names", "path"):
        with pytest.raises(UsageError, match="cannot have a subset"):
            written(one(subset=name), "detect")


def test_items_without_annotations():
    seen, unseen = image_item("1", "train"), image_item("2", "train").with_(annotated=None)
    files, _, _ = written(Dataset.from_items([seen, unseen]), "detect")
    assert files["labels/train/1.txt"] == ""
    assert "labels/train/2.txt" not in files


def test_original_ids_and_scores():
    labels = Labels([Category(name="cat", id=2), Category(name="dog", id=0)])
    note = Bbox(16.0, 12.0, 32.0, 24.0, label="cat", score=0.25)
    data = Dataset(labels, lambda: [image_item("1", "train", note)])
    files, _, fidelity = written(data, "detect", keep_ids=True, save_scores=True)
    assert files["labels/train/1.txt"] == "2 0.5 0.5 0.5 0.5 0.25\n"
    assert "names:\n  0: dog\n  1: class-1\n  2: cat\n" in files["data.yaml"]
    assert fidelity.lossless
    assert written(data, "detect")[2].lost_fields == {"score": 1}


def test_detect_makes_boxes_of_all_shapes():
    notes = [
        Polygon([[RING, HOLE]], label="cat"),
        bitmap((3, 4, 20, 30)).with_(label="dog"),
        RotatedBbox(30.0, 20.0, 20.0, 10.0, 90.0, label="cat"),
        Ellipse(32.0, 24.0, 10.0, 5.0, 0.0, label="dog"),
        Points([1.0, 2.0, 11.0, 12.0], label="cat"),
    ]
    (item,), fidelity = back(one(*notes), "detect")
    assert [note.geometry for note in item.annotations] == [
        pytest.approx(box)
        for box in [
            *((10.5, 5.25, 29.5, 25.5), (3, 4, 17, 26), (25, 10, 10, 20)),
            *((22, 19, 20, 10), (1, 2, 10, 10)),
        ]
    ]
    assert sum(fidelity.converted.values()) == 5
    assert not fidelity.dropped


def test_segment_writes_one_ring_for_each_instance():
    parts = [[RING, HOLE], [[50.0, 1.0, 60.0, 1.0, 60.0, 9.0]]]
    notes = [
        Polygon(parts, label="cat"),
        Polygon([[RING]], label="dog"),
        Bbox(1.0, 2.0, 3.0, 4.0, label="dog"),
        bitmap((30, 4, 40, 20), (50, 25, 60, 40)).with_(label="cat"),
    ]
    (item,), fidelity = back(one(*notes), "segment")
    assert [type(note) for note in item.annotations] == [Polygon] * 4
    assert all([len(part) for part in note.parts] == [1] for note in item.annotations)
    assert len(item.annotations[0].parts[0][0]) // 2 == 4 + 4 + 3 + 4
    assert item.annotations[1].parts[0][0] == pytest.approx(RING)
    assert fidelity.converted == {
        ("polygon", "polygon"): 1,
        ("bbox", "polygon"): 1,
        ("mask", "polygon"): 1,
    }
    assert "1 polygon became a polygon of one ring (1 item)" in fidelity.lines()


def test_obb_keeps_angles():
    notes = [
        RotatedBbox(30.0, 20.0, 20.0, 10.0, 30.0, label="cat"),
        RotatedBbox(30.0, 20.0, 20.0, 10.0, -30.0, label="cat"),
        Bbox(1.0, 2.0, 3.0, 4.0, label="dog"),
        Polygon([[RING]], label="dog"),
        Polygon([[[1.0, 1.0, 9.0, 1.0, 9.25, 9.0]]], label="dog"),
    ]
    (item,), fidelity = back(one(*notes), "obb")
    assert [note.geometry for note in item.annotations] == [
        pytest.approx(box, abs=1e-6)
        for box in [
            *((30, 20, 20, 10, 30), (30, 20, 20, 10, 330)),
            *((2.5, 4, 3, 4, 0), (25.25, 18, 29.5, 25.5, 0)),
            (7.0634760998, 3.000946522, 11.4918449343, 5.5691666872, 44.1185960085),
        ]
    ]
    assert all(note.derived == {} for note in item.annotations)
    assert fidelity.dropped == {}
    assert fidelity.converted == {("bbox", "rotated_bbox"): 1, ("polygon", "rotated_bbox"): 2}


def test_obb_has_a_box_around_any_shape():
    notes = [
        bitmap((3, 4, 20, 30)).with_(label="cat"),
        Polygon([[RING, HOLE], [[50.0, 8.0, 60.0, 8.0, 60.0, 20.0]]], label="dog", group=1),
        Points([55.0, 9.0, 56.0, 12.0], label="dog", group=1),
        Ellipse(30.0, 20.0, 8.0, 4.0, 30.0, label="cat"),
    ]
    (item,), fidelity = back(one(*notes), "obb")
    assert [note.geometry for note in item.annotations] == [
        pytest.approx(box, abs=1e-6)
        for box in [(11.5, 17, 17, 26, 0), (35.25, 18, 49.5, 25.5, 0), (30, 20, 16, 8, 30)]
    ]
    assert fidelity.dropped == {}
    assert fidelity.merged == {"points": 1}
    assert fidelity.vanished() == []


PERSON = Labels([Category(name="person", keypoints=("nose", "left eye", "right eye")), "dog"])


def test_pose_keeps_instances_and_visibility():
    notes = [
        Bbox(1.0, 2.0, 30.0, 40.0, label="person", group=1),
        Points([5.0, 6.0, 0.0, 0.0, 9.0, 9.0], [2, 0, 1], label="person", group=1),
        Points([5.0, 6.0, 7.0, 8.0, 9.0, 10.0], [2, 2, 2], label="person"),
        Bbox(1.0, 2.0, 3.0, 4.0, label="dog"),
    ]
    data = Dataset(PERSON, lambda: [image_item("1", "train", *notes)])
    files, _, _ = written(data, "pose")
    assert "kpt_shape:\n- 3\n- 3\nkpt_names:\n  0:\n  - nose\n" in files["data.yaml"]
    rows = [line.split() for line in files["labels/train/1.txt"].splitlines()]
    assert [len(row) for row in rows] == [14, 14, 14]
    assert rows[2][5:] == ["0"] * 9
    (item,), fidelity = back(data, "pose")
    assert [(note.kind, note.group, note.label) for note in item.annotations] == [
        *(("bbox", 1, "person"), ("points", 1, "person")),
        *(("points", 0, "person"), ("bbox", 0, "dog")),
    ]
    for new, old in zip(item.annotations, notes, strict=True):
        assert new.geometry[0] == pytest.approx(old.geometry[0])
    assert item.annotations[1].visibility == [2, 0, 1]
    assert fidelity.lossless


def test_pose_of_points_without_visibility_and_a_map_for_flips():
    text = YAML + "kpt_shape: [2, 2]\nflip_idx: [1, 0]\n"
    data, items, _ = read(
        {"data.yaml": text, "labels/train/2.txt": "0 .5 .5 .5 .5 .1 .2 .3 .4"}, "pose"
    )
    assert items[0].annotations[1].visibility == []
    files, _, _ = written(data, "pose")
    assert files["labels/train/2.txt"] == "0 0.5 0.5 0.5 0.5 0.1 0.2 0.3 0.4\n"
    assert "kpt_shape:\n- 2\n- 2\n" in files["data.yaml"]
    assert "flip_idx:\n- 1\n- 0\n" in files["data.yaml"]
    assert "flip_idx" not in written(data, "detect")[0]["data.yaml"]


def test_what_was_read_is_written_to_the_same_rows():
    rows = "0 0.123456 0.234567 0.345678 0.456789\n1 0.1 0.2 0.30000001 0.4\n"
    data, _, _ = read({"labels/train/2.txt": rows})
    assert written(data, "detect")[0]["labels/train/2.txt"] == rows
    corners = "0 0.123456 0.234567 0.345678 0.456789 0.5 0.6 0.1 0.9\n"
    data, _, _ = read({"labels/train/2.txt": corners, "labels/train/street/1.txt": ""}, "obb")
    assert written(data, "obb")[0]["labels/train/2.txt"] == corners


def test_images_that_are_not_written_are_listed_with_their_sizes():
    data = one(Bbox(16.0, 12.0, 32.0, 24.0, label="dog"))
    sink = MemorySink(save_media=False)
    formats.write(data, formats.find("yolo_detect"), sink)
    assert sink.files["train.txt"] == b"./images/train/a/1.png\n"
    assert sink.files["images.meta"] == b"images/train/a/1.png 48 64\n"
    assert sink.files["data.yaml"].startswith(b"train: train.txt\n")
    (item,) = formats.read(MemorySource(sink.files), formats.find("yolo_detect"))
    assert (item.id, item.media.size, item.file_name) == ("a/1", (48, 64), "a/1.png")


def test_darknet_and_ultralytics_hold_the_same_boxes():
    data = one(
        Bbox(1 / 3, 0.1, 30.7, 40.123456789, label="dog"), Bbox(1.0, 2.0, 3.0, 4.0, label="cat")
    )
    sink = MemorySink()
    formats.write(data, formats.find("yolo"), sink)
    (darknet,) = formats.read(MemorySource(sink.files, media=sink.origins), formats.find("yolo"))
    (ultralytics,), _ = back(data, "detect")
    assert darknet.with_(origins=()) == ultralytics.with_(origins=())


# -- classify ------------------------------------------------------------------------------------

CLASSES = {
    "train/cat/1.png": png(1),
    "train/cat/deep/2.png": png(2),
    "train/dog/1.png": png(3),
    "val/dog/3.png": png(4),
    "val/no_label/4.png": png(5),
}


def test_classify_reads_folders():
    data, items, _ = read(base=CLASSES, task="classify")
    assert data.labels.names == ("cat", "dog")
    assert keys(items) == [
        *(("train", "cat/1"), ("train", "cat/deep/2"), ("train", "dog/1")),
        *(("val", "dog/3"), ("val", "no_label/4")),
    ]
    assert [[note.label for note in item.annotations] for item in items] == [
        *(["cat"], ["cat"], ["dog"], ["dog"], []),
    ]
    assert items[4].annotated is None
    only_labels, found, _ = read(base={"cat/1.png": png(1), "dog/2.png": png(2)}, task="classify")
    assert only_labels.labels.names == ("cat", "dog")
    assert keys(found) == [("default", "cat/1"), ("default", "dog/2")]


def test_classify_writes_what_it_read_as_it_was():
    data, _, _ = read(base=CLASSES, task="classify")
    _, sink, _ = written(data.select(lambda item: bool(item.annotations)), "classify")
    assert sorted(sink.written) == sorted(
        ["data.yaml", *(path for path in CLASSES if "no_label" not in path)]
    )


def test_classify_keeps_ids_and_several_labels_in_a_listing():
    items = [
        image_item("x/1", "train", Label(label="cat"), Label(label="dog"), seed=1),
        image_item("cat/2", "train", Label(label="cat"), seed=2),
        image_item("3", "train", seed=3).with_(annotated=None),
        image_item("4", "val", Label(label="a/b"), seed=4),
    ]
    data = Dataset.from_items(items, ["cat", "dog", "a/b"])
    files, sink, _ = written(data, "classify")
    assert sorted(sink.origins) == [
        *("train/cat/2.png", "train/cat/x/1.png", "train/dog/x/1.png", "train/no_label/3.png"),
        "val/a%2Fb/4.png",
    ]
    assert '"x/1": {' in files["train/labels.json"]
    found, fidelity = back(data, "classify")
    assert [(item.subset, item.id, [n.label for n in item.annotations]) for item in found] == [
        (item.subset, item.id, [note.label for note in item.annotations]) for item in items
    ]
    assert fidelity.lossless


@pytest.mark.parametrize("labels", [("cat",), ("cat", "dog"), ()])
def test_classify_reads_all_subsets_that_it_wrote(labels):
    notes = [Label(label=label) for label in labels]
    subsets = ("Test", "Train", "dev", "images", "train", "x y")
    data = Dataset.from_items(
        [image_item("cat/1", one, *notes, seed=n) for n, one in enumerate(subsets)], ["cat", "dog"]
    )
    items, _ = back(data, "classify")
    assert sorted(keys(items)) == [(subset, "cat/1") for subset in subsets]
    assert {tuple(note.label for note in item.annotations) for item in items} == {labels}


def test_settings_of_classify_are_no_subsets_unless_they_name_folders():
    text = "author: somebody\nlicense: cat\nnames: [cat, dog]\ntask: classify\ndev: val\n"
    data, items, _ = read({"data.yaml": text}, "classify", base=CLASSES)
    assert keys(items) == [("dev", "dog/3"), ("dev", "no_label/4")]
    assert data.metadata == {"yolo": {"author": "somebody", "license": "cat"}}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"1": {"path": "../x.png", "labels": []}}', r"labels\.json \(1\).*'\.\.'"),
        ('{"1": {"path": "a.png"}}', r"labels\.json \(1\): is not an object with"),
        ('{"1": {"path": "a.png", "labels": [3]}}', r"a label is not a text"),
        ("[]", "is not an object of items"),
    ],
)
def test_a_bad_listing_is_refused(text, why):
    with pytest.raises(DvcsError, match=why):
        read(base=CLASSES | {"train/labels.json": text}, task="classify")


def test_masks_need_no_pixels_to_be_boxes():
    (item,), _ = back(one(Mask((48, 64), bitmap((3, 4, 20, 30)).counts, label="cat")), "detect")
    assert item.annotations[0].geometry == pytest.approx((3, 4, 17, 26))


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_labels_behind_a_link_are_no_missing_labels(tmp_path):
    (tmp_path / "yl" / "images" / "train").mkdir(parents=True)
    (tmp_path / "yl" / "labels").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "yl" / "labels" / "train").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "yl" / "data.yaml").write_text("train: images/train\nnames: [cat]\n")
    for place in (tmp_path / "yl", tmp_path / "yl" / "data.yaml"):
        with pytest.raises(FormatError, match="train: is a symbolic link"):
            list(formats.read(open_source(place), formats.find("yolo_detect")))
