"""
Which format a place is in, told by what is there: every sample of other tools has its one answer.
"""

import json
import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from dvcs import formats
from dvcs.errors import DvcsError, NotADataset
from dvcs.files import MemorySource, open_source
from dvcs.formats import Confidence
from dvcs.formats._exporting import export
from tests.conftest import needs_samples
from tests.gallery import gallery, png

SAMPLES = {
    # folder or file: its format
    "bccd": "voc",
    "bccd/BCCD": "voc",
    "bccd/BCCD/Annotations": "voc",
    "bccd/BCCD/JPEGImages": "image_dir",
    "coco_mini": "coco",
    "coco_mini/annotations": "coco",
    "coco_mini/annotations/captions_val2017.json": "coco",
    "coco_mini/annotations/instances_train2017.json": "coco",
    "cocoapi_results": "coco",
    "datumaro/coco_dataset": "coco",
    "datumaro/coco_dataset/coco": "coco",
    "datumaro/coco_dataset/coco_captions": "coco",
    "datumaro/coco_dataset/coco_image_info": "coco",
    "datumaro/coco_dataset/coco_instances": "coco",
    "datumaro/coco_dataset/coco_labels": "coco",
    "datumaro/coco_dataset/coco_panoptic": "coco",
    "datumaro/coco_dataset/coco_person_keypoints": "coco",
    "datumaro/coco_dataset/coco_roboflow": "coco",
    "datumaro/coco_dataset/coco_stuff": "coco",
    "datumaro/coco_dataset/mmdet_coco": "coco",
    "datumaro/cvat_dataset/for_images": "cvat",
    "datumaro/cvat_dataset/for_video": "cvat",
    "datumaro/datumaro_dataset": "datumaro",
    "datumaro/datumaro_dataset/legacy": "datumaro",
    "datumaro/datumaro_dataset/legacy/annotations": "datumaro",
    "datumaro/image_dir_dataset": "image_dir",
    "datumaro/kaggle_dataset/relaxed_coco": "coco",
    "datumaro/kaggle_dataset/relaxed_voc1": "voc",
    "datumaro/kaggle_dataset/relaxed_voc2": "voc",
    "datumaro/kaggle_dataset/relaxed_yolo": "yolo_detect",
    "datumaro/roboflow_dataset/coco": "coco",
    "datumaro/roboflow_dataset/voc": "voc",
    "datumaro/roboflow_dataset/yolo": "yolo_detect",
    "datumaro/roboflow_dataset/yolo/data.yaml": "yolo_detect",
    "datumaro/roboflow_dataset/yolo_obb": "yolo_obb",
    "datumaro/voc_dataset/voc_dataset1": "voc",
    "datumaro/voc_dataset/voc_dataset2": "voc",
    "datumaro/voc_dataset/voc_dataset3": "voc",
    "datumaro/yolo_dataset/annotations": "yolo_detect",
    "datumaro/yolo_dataset/labels": "yolo_detect",
    "datumaro/yolo_dataset/strict": "yolo",
    "datumaro/yolo_dataset/strict/obj.data": "yolo",
    "fsoco/labels/GFR": "coco",
    "fsoco/labels/GFR/coco": "coco",
    "fsoco/labels/GFR/darknet yolo": "yolo_detect",
    "fsoco/labels/cure": "voc",
    "fsoco/labels/eufs": "yolo_detect",
    "label_studio_converter/data/test_brush": "image_dir",
    "label_studio_converter/data/test_import_yolo_data": "yolo_detect",
    "label_studio_converter/data/test_import_yolo_data_unif_dims": "yolo_detect",
    "lvis_api": "coco",
    "lvis_api/data": "coco",
    "lvis_api/data/lvis_val_100.json": "coco",
    "mmyolo/VOCdevkit": "voc",
    "mmyolo/VOCdevkit/VOC2007": "voc",
    "mmyolo/coco_sample.json": "coco",
    "mmyolo/coco_sample_color.json": "coco",
    "panopticapi": "coco",
    "panopticapi/images_info_examples.json": "coco",
    "panopticapi/panoptic_examples.json": "coco",
    "panopticapi/panoptic_coco_detection_format.json": "coco",
    "raccoon": "voc",
    "raccoon/annotations": "voc",
    "review_odm/tests/test_coco_eval": "coco",
    "review_odm/toyexample/dets_classid_rel_xcycwh": "yolo_detect",
    "review_odm/toyexample/dets_coco_format": "coco",
    "review_odm/toyexample/gts_coco_format": "coco",
    "review_odm/toyexample/gts_vocpascal_format": "voc",
    "taco": "coco",
    "taco/data": "coco",
    "taco/data/annotations.json": "coco",
    "tfds_fake/coco": "coco",
    "tfds_fake/coco2014": "coco",
    "tfds_fake/image_folder": "image_dir",
    "tfds_fake/voc": "voc",
    "tfds_fake/voc/VOCdevkit": "voc",
    "yolo_mark": "yolo",
    "yolo_mark/data": "yolo",
    "yolo_mark/data/img": "yolo_detect",
}
NOTHING = (
    *("fsoco/LICENSE", "lvis_api/data/coco_to_synset.json", "mmyolo/LICENSE", "taco/detector"),
    *("datumaro/yolo_dataset/strict/obj.names", "datumaro/yolo_dataset/strict/train.txt"),
    *("datumaro/voc_dataset/voc_dataset2/labelmap.txt", "review_odm/tests/test_case_1/dets"),
    *("label_studio_converter/data/test_export_yolo/data.json", "review_odm/tests/tube"),
    *("label_studio_converter/pathtrack", "lvis_api/data/README.md", "mmrotate"),
    *("review_odm/toyexample/dets_classname_abs_xywh", "tfds_fake/mnist"),
)
SEVERAL = {
    # a folder of datasets: what some of its folders are
    "fsoco": {"labels/GFR": "coco", "labels/cure": "voc", "labels/eufs": "yolo_detect"},
    "mmyolo": {"VOCdevkit": "voc"},
    "datumaro/roboflow_dataset": {"coco": "coco", "voc": "voc", "yolo_obb": "yolo_obb"},
    "review_odm/toyexample": {"gts_coco_format": "coco", "gts_vocpascal_format": "voc"},
}
TABLED = ("coco", "cvat", "datumaro", "image_dir", "voc", "yolo")
"""Families of which the samples above are; the table of formats may know more."""


def judged(path: Path) -> tuple[list[str], dict[str, Confidence], dict[str, str]]:
    with closing(open_source(path)) as source:
        matches, rejections = formats.judge(source)
    return formats.best(matches), matches, rejections


@pytest.mark.parametrize("path", sorted(SAMPLES))
def test_a_sample_has_its_one_format(path: str):
    best, matches, rejections = judged(needs_samples(*path.split("/")))
    assert best == [SAMPLES[path]]
    assert matches.keys() | rejections.keys() == set(formats.names())
    assert all(rejections.values())


@pytest.mark.parametrize("path", NOTHING)
def test_what_is_in_none_of_these_formats_is_in_none(path: str):
    best, _, rejections = judged(needs_samples(*path.split("/")))
    assert [name for name in best if name.startswith(TABLED)] == []
    assert {name for name in formats.names() if name.startswith(TABLED)} <= rejections.keys()


@pytest.mark.parametrize("path", sorted(SEVERAL))
def test_a_folder_of_several_datasets_is_told_with_its_folders(path: str):
    folder = needs_samples(*path.split("/"))
    best, _, _ = judged(folder)
    assert len(best) > 1
    with closing(open_source(folder)) as source:
        found = formats.below(source)
        assert found.items() >= SEVERAL[path].items()
        with pytest.raises(NotADataset) as error:
            formats.detect(source)
    told, hint = str(error.value), error.value.hint or ""
    if len(found) > 1:
        assert told.startswith(f"'{folder}' is no dataset itself, but has some in its folders: ")
        assert f"name one of them, like '{folder}/{next(iter(found))}'" in hint
    else:
        assert told.startswith(f"'{folder}' could be any of: ")
        ((inner, name),) = found.items()
        assert hint.startswith(f"name its folder '{folder}/{inner}' ({name}); if all of it is")
    for inner, name in SEVERAL[path].items():
        assert len(found) == 1 or f"'{inner}' ({name})" in told
    assert f"'import -f {best[0]}'" in hint


@pytest.mark.parametrize(
    ("path", "head"),
    [
        ("fsoco", "is no dataset itself, but has some in its folders:"),
        ("datumaro/compat/v0.1", "is no dataset itself, but has some in its folders:"),
        ("mmyolo", "could be any of: coco, voc"),
        ("datumaro/compat", "is in no format that dvcs knows"),
        ("review_odm", "is no dataset itself, but has some in its folders:"),
    ],
)
def test_the_command_lists_datasets_in_folders_and_how_to_look_at_one(path, head):
    folder = needs_samples(*path.split("/"))
    done = dvcs("detect-format", folder)
    assert (done.stdout, done.returncode) == ("", 1)
    first, *others = done.stderr.splitlines()
    assert first == f"'{folder}' {head}"
    with closing(open_source(folder)) as source:
        found = formats.below(source)
    for inner, name in found.items():
        assert any(line.split() == [inner, name] for line in others)
    look = f"look at one with 'dvcs detect-format {folder}/{next(iter(found))}'"
    assert f"  hint: {look}" in others
    assert not any("--format" in line or "--show-rejections" in line for line in others)


@pytest.mark.parametrize("path", ["datumaro/mot_dataset", "datumaro/vott_json_dataset"])
def test_images_beside_annotations_of_an_unknown_format_are_told_as_such(path):
    folder = needs_samples(*path.split("/"))
    done = dvcs("detect-format", folder)
    assert (done.stdout, done.returncode) == ("image_dir\n", 0)
    assert f"these are the images in '{folder}' alone" in done.stderr
    assert "see why with --show-rejections" in done.stderr


def test_a_folder_of_images_and_nothing_else_is_told_in_a_word():
    done = dvcs("detect-format", needs_samples("bccd", "BCCD", "JPEGImages"))
    assert (done.stdout, done.stderr, done.returncode) == ("image_dir\n", "", 0)


def test_images_with_a_dataset_in_a_folder_are_told_with_it():
    done = dvcs("detect-format", needs_samples("label_studio_converter"))
    assert done.stdout == "image_dir\n"
    assert "of its folders, this one is a dataset:\n  data  yolo_detect\n" in done.stderr


@pytest.mark.parametrize(
    "path",
    [
        "datumaro/coco_dataset/coco",
        "datumaro/voc_dataset/voc_dataset1",
        "datumaro/yolo_dataset/strict",
        "datumaro/cvat_dataset/for_images",
        "datumaro/datumaro_dataset/legacy",
    ],
)
@pytest.mark.parametrize("kind", ["zip", "tar", "gztar"])
def test_an_archive_is_what_its_folder_is(path: str, kind: str, tmp_path: Path):
    folder = needs_samples(*path.split("/"))
    packed = shutil.make_archive(str(tmp_path / "packed"), kind, folder)
    assert judged(Path(packed))[0] == [SAMPLES[path]]
    above = shutil.make_archive(str(tmp_path / "above"), kind, folder.parent, folder.name)
    assert judged(Path(above))[0] == [SAMPLES[path]]


@pytest.mark.parametrize("name", [one.name for one in formats.all_formats() if one.read])
def test_a_file_beside_a_dataset_is_asked_about_alone(name: str, tmp_path: Path):
    format = formats.find(name)
    if format.write is None:
        pytest.skip(f"{name} cannot be written")
    held = gallery(format.media).select(lambda item: item.media is not None)
    export(held, format, tmp_path / "data", allow_loss=True)
    for file in ("LICENSE", "README.md", "notes.txt", "other.json", "other.xml", "other.yaml"):
        path = tmp_path / "data" / file
        path.write_text({".json": '{"a": 1}', ".xml": "<a/>"}.get(path.suffix, "a: text\n"))
        best, _, rejections = judged(path)
        assert best == []
        assert name in rejections


def test_one_image_is_a_dataset_of_that_image(tmp_path: Path):
    export(gallery(), formats.find("image_dir"), tmp_path / "data", allow_loss=True)
    path = next((tmp_path / "data").rglob("1.png"))
    assert judged(path)[0] == ["image_dir"]
    with closing(open_source(path)) as source:
        assert [item.id for item in formats.read(source, formats.detect(source))] == ["1"]


def dvcs(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "dvcs", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_command_names_the_format_and_says_why_not_the_others(tmp_path: Path):
    export(gallery(), formats.find("voc"), tmp_path / "data", allow_loss=True)
    done = dvcs("detect-format", tmp_path / "data", "--show-rejections")
    assert (done.stdout, done.returncode) == ("voc\n", 0)
    assert "there is no obj.data" in done.stderr
    assert "no JSON file has images, annotations or categories as COCO does" in done.stderr


def test_the_command_helps_where_several_fit(tmp_path: Path):
    for name in ("voc", "coco"):
        export(gallery(), formats.find(name), tmp_path / "data" / name, allow_loss=True)
    done = dvcs("detect-format", tmp_path / "data", "--json")
    said = json.loads(done.stdout)["dvcs.detect-format/1"]
    assert done.returncode == 1
    assert sorted(said["detected"]) == ["coco", "voc"]
    assert said["folders"] == {"coco": "coco", "voc": "voc"}
    text = dvcs("convert", "-i", tmp_path / "data", "-f", "yolo", "-o", tmp_path / "out")
    assert text.returncode == 3
    assert "'coco' (coco), 'voc' (voc)" in text.stderr


def test_the_command_helps_where_none_fits(tmp_path: Path):
    (tmp_path / "notes.txt").write_text("nothing here\n")
    done = dvcs("detect-format", tmp_path)
    assert (done.stdout, done.returncode) == ("", 1)
    assert "--show-rejections" in done.stderr
    with closing(open_source(tmp_path)) as source, pytest.raises(DvcsError) as error:
        formats.detect(source)
    assert "--show-rejections" in (error.value.hint or "")


def test_a_file_in_no_format_is_named(tmp_path: Path):
    (tmp_path / "notes.txt").write_text("a cat")
    with closing(open_source(tmp_path / "notes.txt")) as source, pytest.raises(NotADataset) as told:
        formats.detect(source)
    assert str(told.value) == f"no known format at '{(tmp_path / 'notes.txt').as_posix()}'"


@pytest.mark.parametrize(
    ("path", "text", "why"),
    [
        ("data.yaml", "train: images\nnames: [cat\n", r"data\.yaml:3: is not valid YAML"),
        ("1.xml", "<annotation><object><name>cat</name>", r"1\.xml:1: is not valid XML"),
        ("data.ndjson", '{"type": "dataset", "class_names": 3}', "is no dataset record"),
    ],
)
def test_what_cannot_be_read_is_no_folder_of_images(path, text, why):
    place = MemorySource({path: text.encode(), "images/1.png": png(1)})
    matches, rejections = formats.judge(place)
    assert matches == {}
    assert rejections["image_dir"].startswith("another fits better, but cannot be read")
    with pytest.raises(NotADataset, match=f"as a file cannot be read: .*{why}") as error:
        formats.detect(place)
    assert "'import -f image_dir'" in (error.value.hint or "")
    assert len(list(formats.read(place, formats.find("image_dir")))) == 1
