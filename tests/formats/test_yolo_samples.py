"""Real YOLO datasets, as other tools wrote them: what they are taken for, what is in them."""

from collections import Counter
from pathlib import Path

import pytest

from dvcs import formats
from dvcs.errors import DvcsError, FormatErrors, NotADataset
from dvcs.files import open_source
from dvcs.model import Bbox, RotatedBbox

STUDIO = "label_studio_converter/data"


def load(path: Path, name: str, *, keep_going: bool = False, **options: object):
    source = open_source(path, keep_going=keep_going)
    data = formats.read(source, formats.find(name), **options)
    return data, list(iter(data)), source


def counted(files: list[Path], names: list[str]) -> Counter[str]:
    """Count labels by the first number of each line."""
    lines = (line.split() for file in files for line in file.read_text().splitlines())
    return Counter(names[int(line[0])] for line in lines if line and "nan" not in line)


def labels_of(items) -> Counter[str]:
    return Counter(note.label for item in items for note in item.annotations)


def lines_of(file: Path) -> list[str]:
    return file.read_text().split()


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("yolo_mark", "yolo"),
        ("yolo_mark/data", "yolo"),
        ("datumaro/yolo_dataset/strict", "yolo"),
        ("datumaro/yolo_dataset/labels", "yolo_detect"),
        ("datumaro/yolo_dataset/annotations", "yolo_detect"),
        ("datumaro/roboflow_dataset/yolo", "yolo_detect"),
        ("datumaro/roboflow_dataset/yolo_obb", "yolo_obb"),
        ("datumaro/kaggle_dataset/relaxed_yolo", "yolo_detect"),
        ("fsoco/labels/eufs", "yolo_detect"),
        ("fsoco/labels/GFR/darknet yolo", "yolo_detect"),
        (f"{STUDIO}/test_import_yolo_data", "yolo_detect"),
        (f"{STUDIO}/test_import_yolo_data_unif_dims", "yolo_detect"),
    ],
)
def test_is_recognised_as_one_format(samples, path, name):
    assert formats.detect(open_source(samples / path)).name == name


@pytest.mark.parametrize(
    "path",
    [
        *("mmyolo", "raccoon", "fsoco/labels/cure", "mmrotate", "bccd", "taco", "tfds_fake"),
        *("datumaro/kitti_dataset/kitti_detection", "datumaro/voc_dataset/voc_dataset1"),
        *("datumaro/mot_dataset/mot_seq", "datumaro/icdar_dataset/text_localization"),
        *("datumaro/dota_dataset", "datumaro/imagenet_txt_dataset", "datumaro/widerface_dataset"),
        *("datumaro/camvid_dataset", "datumaro/kaggle_dataset/image_txt", "datumaro/lfw_dataset"),
    ],
)
def test_other_datasets_are_not_taken_for_yolo(samples, path):
    matches, reasons = formats.judge(open_source(samples / path))
    assert not any(name.startswith("yolo") for name in matches)
    assert reasons["yolo"]
    assert reasons["yolo_detect"]


def test_yolo_mark_lists_the_same_images_for_both_subsets(samples):
    _, items, _ = load(samples / "yolo_mark", "yolo", image_size="1280x720")
    files = sorted((samples / "yolo_mark/data/img").glob("*.txt"))
    wanted = counted(files, ["air", "bird"])
    for subset in ("train", "valid"):
        assert labels_of(item for item in items if item.subset == subset) == wanted
    assert [item.id for item in items[:11]] == [
        *(f"air{number}" for number in range(1, 8)),
        *(f"bird{number}" for number in range(1, 5)),
    ]
    unknown = [item.id for item in items[:11] if item.annotated is None]
    assert unknown == ["air7"]  # it has no label file
    first = items[0].annotations[0]
    assert isinstance(first, Bbox)
    assert first.x == (0.498437 - 0.117188 / 2) * 1280
    assert first.h == 0.168056 * 720


def test_boxes_without_images_need_a_size_and_say_so_once(samples):
    with pytest.raises(DvcsError, match=r"air1\.txt.*not known") as caught:
        load(samples / "yolo_mark", "yolo")
    assert not isinstance(caught.value, FormatErrors)
    assert "--image-size" in caught.value.hint


def test_datumaro_writes_the_same_data_in_three_layouts(samples):
    folder = samples / "datumaro/yolo_dataset"
    _, strict, _ = load(folder / "strict", "yolo")
    _, labels, _ = load(folder / "labels", "yolo_detect")
    _, annotations, _ = load(folder / "annotations", "yolo_detect")
    assert [(item.subset, item.id) for item in labels] == [("train", "1"), ("val", "1")]
    assert strict[0].with_(origins=()) == labels[0].with_(origins=())
    assert annotations[0].with_(subset="train", origins=()) == strict[0].with_(origins=())
    assert [note.label for note in strict[0].annotations] == ["label_2", "label_4"]
    box = strict[0].annotations[0]
    assert strict[0].media.size == (10, 15)
    assert box.geometry == pytest.approx((0, 2, 4, 2), abs=1e-5)


def test_roboflow_keeps_the_names_of_its_folders(samples):
    data, items, source = load(samples / "datumaro/roboflow_dataset/yolo", "yolo_detect")
    assert data.labels.names == ("label_0", "label_1")
    assert [(item.subset, item.id) for item in items] == [
        ("train", "train_001"),
        ("train", "train_002"),
        ("val", "val_001"),
    ]
    assert labels_of(items) == {"label_0": 2, "label_1": 2}
    assert not source.notes


def test_roboflow_obb_has_rows_of_dota(samples):
    _, items, _ = load(samples / "datumaro/roboflow_dataset/yolo_obb", "yolo_obb")
    boxes = [note for item in items for note in item.annotations]
    assert all(isinstance(box, RotatedBbox) for box in boxes)
    assert [box.label for box in boxes] == ["label_0", "label_1", "label_0", "label_1"]
    # 0 0, 0 2, 2 2, 2 0: the first side goes down, so the angle is a quarter turn
    assert boxes[0].geometry == (1.0, 1.0, 2.0, 2.0, 90.0)
    assert boxes[0].attributes == {"difficult": False}
    assert boxes[3].geometry == (5.5, 3.5, 3.0, 9.0, 90.0)


def test_label_studio_writes_sixteen_digits_and_none_is_lost(samples):
    folder = samples / STUDIO / "test_import_yolo_data"
    data, items, _ = load(folder, "yolo_detect")
    files = sorted((folder / "labels").glob("*.txt"))
    assert labels_of(items) == counted(files, lines_of(folder / "classes.txt"))
    assert data.labels.names == ("closed_door", "opened_door", "bus", "number")
    sizes = {item.id: item.media.size for item in items}
    assert sizes["img_1"] == (329, 640)
    assert sizes["img_6"] == (720, 1280)
    box = items[0].annotations[0]
    assert box.w == 0.9640625 * 640
    assert box.y == (0.46200607902735563 - 0.8693009118541033 / 2) * 329


def test_a_team_that_names_its_labels_in_a_file_of_its_own(samples):
    folder = samples / "fsoco/labels/eufs"
    data, items, _ = load(folder, "yolo_detect", image_size="1280x720")
    names = (folder / "eufs-classes.txt").read_text().split()
    files = sorted((folder / "eufs_2019").glob("*.txt"))
    assert list(data.labels.names) == names
    assert labels_of(items) == counted(files, names)
    assert len(items) == len(files) == 1094
    assert all(item.annotated for item in items)
    empty = {f"eufs_2019/{file.stem}" for file in files if not file.read_text().strip()}
    assert {item.id for item in items if not item.annotations} == empty


def test_rows_with_nan_are_named_and_the_rest_is_read(samples):
    folder = samples / "fsoco/labels/GFR"
    with pytest.raises(
        FormatErrors, match=r"00190\.txt:13: 'nan' is not a finite number"
    ) as caught:
        load(folder, "yolo_detect", image_size="1280x720")
    assert len(caught.value.errors) == 3
    _, items, source = load(folder, "yolo_detect", keep_going=True, image_size="1280x720")
    names = (folder / "gfr-classes.txt").read_text().split()
    files = sorted((folder / "darknet yolo").rglob("*.txt"))
    assert labels_of(items) == counted(files, names)
    assert len(source.errors) == 3


@pytest.mark.parametrize(
    "path", ["datumaro/kaggle_dataset/relaxed_yolo", "fsoco/labels/GFR/darknet yolo"]
)
def test_labels_without_names_are_refused_with_a_hint(samples, path):
    with pytest.raises(NotADataset, match="what their indices mean") as caught:
        load(samples / path, "yolo_detect")
    assert "--labels-file" in caught.value.hint
