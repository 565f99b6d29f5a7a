"""YOLO as Darknet has it: obj.data, lists, labels beside the images."""

import pytest

from dvcs import formats
from dvcs.errors import DvcsError, FormatError, FormatErrors, UsageError
from dvcs.files import FolderSink, MemorySink, MemorySource, open_source
from dvcs.model import Bbox, Category, Dataset, Item, Labels, Media, MediaFile
from tests.gallery import image_item, png

YOLO = formats.find("yolo")
BOX = "0 0.5 0.5 0.5 0.5\n"
DATA = "classes = 2\ntrain = data/train.txt\nnames = data/obj.names\nbackup = backup/\n"
BASE = {
    "obj.data": DATA,
    "obj.names": "cat\ndog\n",
    "train.txt": "data/obj_train_data/street/1.png\n",
    "obj_train_data/street/1.png": png(1),
    "obj_train_data/street/1.txt": BOX,
}


def source(files, **options) -> MemorySource:
    encoded = {
        path: data.encode() if isinstance(data, str) else data for path, data in files.items()
    }
    return MemorySource(encoded, **options)


def read(changes=None, *, keep_going: bool = False, **options):
    files = {path: data for path, data in (BASE | (changes or {})).items() if data is not None}
    place = source(files, keep_going=keep_going)
    data = formats.read(place, YOLO, **options)
    return data, list(iter(data)), place


def written(data: Dataset, **options):
    sink = MemorySink()
    fidelity = formats.write(data, YOLO, sink, **options)
    return {path: text.decode() for path, text in sink.files.items()}, sink, fidelity


def test_reads_boxes_labels_and_sizes():
    data, (item,), _ = read()
    assert data.labels.names == ("cat", "dog")
    assert (item.subset, item.id, item.annotated) == ("train", "street/1", True)
    assert item.media.size == (48, 64)
    assert item.file_name == "street/1.png"
    assert item.origins[0].read() == png(1)
    assert list(item.annotations) == [Bbox(16.0, 12.0, 32.0, 24.0, label="cat")]


@pytest.mark.parametrize(
    "listed",
    [
        "obj_train_data/street/1.png",
        "./obj_train_data/street/1.png",
        "/home/me/pets/obj_train_data/street/1.png",
        "C:\\pets\\obj_train_data\\street\\1.png",
        "darknet/data/obj_train_data/street/1.png",
        "../pets/obj_train_data/street/1.png",
    ],
)
def test_paths_of_any_machine_are_cut(listed):
    _, (item,), _ = read({"train.txt": f"{listed}\r\n\r\n"})
    assert (item.id, len(item.annotations)) == ("street/1", 1)


def test_any_key_with_a_list_is_a_subset_and_the_rest_is_not():
    settings = (
        "# made by hand\nclasses=2\ntrain=train.txt\n;\nholdout = lists/b.txt\nresults = results/\n"
        "names=obj.names\neval=coco\n"
    )
    _, items, _ = read(
        {
            "obj.data": settings,
            "lists/b.txt": "obj_train_data/street/1.png\nobj_b/2.jpg\n",
            "obj_b/2.txt": "",
        }
    )
    assert [(item.subset, item.id) for item in items] == [
        ("train", "street/1"),
        ("holdout", "street/1"),
        ("holdout", "2"),
    ]


def test_an_empty_label_file_is_an_answer_and_a_missing_one_is_not():
    lists = "".join(f"data/obj_train_data/{name}.png\n" for name in ("street/1", "2", "3"))
    _, items, _ = read({"train.txt": lists, "obj_train_data/2.txt": "\r\n"})
    assert [(item.id, item.annotated) for item in items] == [
        ("street/1", True),
        ("2", True),
        ("3", None),
    ]


def test_upper_case_extensions_scores_and_carriage_returns():
    _, (item,), _ = read(
        {
            "train.txt": "obj_train_data/A.PNG",
            "obj_train_data/A.PNG": png(2),
            "obj_train_data/A.TXT": "0 0.5 0.5 0.5 0.5 0.75\r\n1 0.5 0.5 5e-1 0.5\r\n",
        }
    )
    assert item.id == "A"
    assert item.media.files[0].ext == ".PNG"
    assert [(note.label, note.score) for note in item.annotations] == [("cat", 0.75), ("dog", None)]


@pytest.mark.parametrize(
    "meta",
    [
        "street/1 48 64\n",
        "obj_train_data/street/1.png 48 64\n",
        "'street/1' 48 64\n",
        '"street/1" 48 64\n',
    ],
)
def test_sizes_may_stand_in_images_meta(meta):
    _, (item,), _ = read({"obj_train_data/street/1.png": None, "images.meta": meta})
    assert item.media.size == (48, 64)
    assert item.origins == (None,)
    assert item.annotations[0].geometry == (16.0, 12.0, 32.0, 24.0)


def test_the_size_of_all_images_may_be_given():
    _, (item,), _ = read({"obj_train_data/street/1.png": None}, image_size="64x48")
    assert item.annotations[0].geometry == (16.0, 12.0, 32.0, 24.0)
    for wrong in ("64", "0x48", "64x-1", "x", "64x48x3"):
        with pytest.raises(UsageError, match="no image size"):
            read(image_size=wrong)


def test_two_images_that_differ_in_the_extension_only_share_their_labels():
    _, items, _ = read(
        {
            "train.txt": "obj_train_data/street/1.png\nobj_train_data/street/1.jpg\n",
            "obj_train_data/street/1.jpg": png(3),
        }
    )
    assert [item.id for item in items] == ["street/1", "street/1.jpg"]
    assert [len(item.annotations) for item in items] == [1, 1]


def test_images_of_two_folders_that_are_called_the_same_keep_their_paths():
    _, items, _ = read(
        {"train.txt": "a/1.png\nb/1.png\n", "a/1.txt": BOX, "b/1.txt": ""}, image_size="2x2"
    )
    assert [item.id for item in items] == ["1", "b/1"]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"obj.names": None}, r"obj\.data:3: there is no file 'data/obj\.names'"),
        ({"obj.names": "cat\n\ndog\n"}, r"obj\.names:2: a line is empty"),
        ({"obj.names": "\n"}, "names no label"),
        ({"obj.data": "train data/train.txt"}, r"obj\.data:1: expected 'key = value'"),
        ({"train.txt": None}, r"obj\.data:2: the list 'data/train\.txt' of 'train' is missing"),
        (
            {"train.txt": "obj_train_data/street/1.png\nobj_train_data/street/1.png\n"},
            r"train\.txt:2: the image 'obj_train_data/street/1\.png' is listed twice",
        ),
        ({"train.txt": "/etc/passwd\n"}, r"train\.txt:1: '/etc/passwd' leads out of the dataset"),
        ({"train.txt": "\n../../x.png\n"}, r"train\.txt:2: '\.\./\.\./x\.png' leads out"),
        (
            {"obj_train_data/street/1.txt": f"{BOX}2 .5 .5 .5 .5\n"},
            r"street/1\.txt:2: there is no label 2",
        ),
        ({"obj_train_data/street/1.txt": "0 1 2 3\n"}, r"street/1\.txt:1: a row has a label and 4"),
        ({"obj_train_data/street/1.txt": b"0 \xff\n"}, r"street/1\.txt:1: is not UTF-8"),
        ({"obj_train_data/street/1.png": b"GIF89a"}, r"street/1\.txt: the size .* damaged|size"),
        ({"images.meta": "x 0 5\n"}, r"images\.meta:1: expected 'path height width'"),
    ],
)
def test_a_bad_file_is_named_with_its_line(changes, why):
    with pytest.raises(DvcsError, match=why):
        read(changes)


def test_what_is_bad_is_left_out_when_told_to_keep_going():
    changes = {
        "train.txt": "obj_train_data/street/1.png\n/etc/passwd\nobj_train_data/2.png\n",
        "obj_train_data/2.png": png(2),
        "obj_train_data/2.txt": f"9 .5 .5 .5 .5\n{BOX}0 nan 1 1 1\n",
    }
    with pytest.raises(FormatErrors, match="3 records cannot be read"):
        read(changes)
    _, items, place = read(changes, keep_going=True)
    assert [(item.id, len(item.annotations)) for item in items] == [("street/1", 1), ("2", 1)]
    assert len(place.errors) == 3


def test_a_folder_of_another_kind_is_refused_with_a_hint():
    with pytest.raises(FormatError, match=r"no obj\.data") as caught:
        formats.read(source({"data.yaml": "names: [a]\n"}), YOLO)
    assert "yolo_detect" in caught.value.hint


def items(*notes, subset="train", **fields):
    return Dataset.from_items([image_item("a/1", subset, *notes, **fields)], ["cat", "dog"])


def test_the_files_it_writes():
    files, sink, fidelity = written(items(Bbox(16.0, 12.0, 32.0, 24.0, label="dog")))
    assert files == {
        "obj_train_data/a/1.txt": "1 0.5 0.5 0.5 0.5\n",
        "train.txt": "data/obj_train_data/a/1.png\n",
        "obj.names": "cat\ndog\n",
        "obj.data": (
            "classes = 2\ntrain = data/train.txt\nnames = data/obj.names\nbackup = backup/\n"
        ),
    }
    assert list(sink.origins) == ["obj_train_data/a/1.png"]
    assert list(fidelity.notes) == [
        "Darknet looks for the subset 'valid', which this dataset does not have"
    ]


def test_a_subset_for_validation_gets_the_key_that_darknet_knows():
    files, _, _ = written(items(subset="val"), add_path_prefix=False)
    assert "valid = val.txt\n" in files["obj.data"]
    (item,) = formats.read(source(files), YOLO)
    assert item.subset == "val"


def test_scores_are_written_on_demand_only():
    data = items(Bbox(16.0, 12.0, 32.0, 24.0, label="cat", score=0.5))
    files, _, fidelity = written(data)
    assert files["obj_train_data/a/1.txt"] == "0 0.5 0.5 0.5 0.5\n"
    assert fidelity.lost_fields == {"score": 1}
    files, _, fidelity = written(data, save_scores=True)
    assert files["obj_train_data/a/1.txt"] == "0 0.5 0.5 0.5 0.5 0.5\n"
    assert fidelity.lossless


def test_original_ids_as_indices():
    labels = Labels([Category(name="cat", id=3), Category(name="dog", id=1)])
    data = Dataset(labels, items(Bbox(16.0, 12.0, 32.0, 24.0, label="cat")).__iter__)
    files, _, _ = written(data, keep_ids=True)
    assert files["obj.names"] == "class-0\ndog\nclass-2\ncat\n"
    assert files["obj_train_data/a/1.txt"].startswith("3 ")
    for bad in ("x", -1, 10**9):
        broken = Labels([Category(name="cat", id=bad)])
        with pytest.raises(UsageError, match="cannot be its index"):
            written(Dataset(broken, list), keep_ids=True)


def test_names_that_no_line_can_hold_are_refused():
    for name in (" cat", "a\nb", "a\u2028b"):
        with pytest.raises(UsageError, match="a label a line"):
            written(Dataset([name], list))
    with pytest.raises(UsageError, match="cannot have a subset 'names'"):
        written(items(subset="names"))


def test_boxes_of_an_image_of_unknown_size_are_refused():
    item = Item(
        "x", "train", Media(files=(MediaFile(ext=".jpg"),)), [Bbox(1, 2, 3, 4, label="cat")]
    )
    with pytest.raises(DvcsError, match="item 'x': the size of its image is not known"):
        written(Dataset.from_items([item]))


def test_annotations_alone_come_back_with_their_sizes(tmp_path):
    notes = [Bbox(16.0, 12.0, 32.0, 24.0, label="dog")]
    with FolderSink(tmp_path / "out", save_media=False) as sink:
        formats.write(items(*notes), YOLO, sink)
    assert not list((tmp_path / "out").rglob("*.png"))
    (item,) = formats.read(open_source(tmp_path / "out"), YOLO)
    assert item.media.size == (48, 64)
    assert list(item.annotations) == notes
