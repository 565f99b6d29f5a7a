"""Real COCO files: what is read from them, and that an export says the same."""

import json
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from dvcs import formats
from dvcs.errors import FormatErrors
from dvcs.files import MemorySource, open_source
from dvcs.model import Category, Dataset, Labels
from dvcs.objects.items import decode_item, encode_item
from tests.formats.coco_documents import assert_same_document, read, written

# folder, images, annotations by kind, labels
COUNTS = [
    ("taco", 1500, {"polygon": 4784}, 60),
    ("coco_mini", 159, {"polygon": 1350, "caption": 795, "points": 290, "mask": 13}, 80),
    (
        "datumaro/coco_dataset/coco",
        2,
        {"mask": 7, "caption": 3, "label": 3, "points": 3, "bbox": 2, "polygon": 2},
        3,
    ),
    ("datumaro/coco_dataset/coco_roboflow", 2, {"bbox": 1, "polygon": 1, "mask": 1}, 3),
    ("datumaro/coco_dataset/mmdet_coco", 2, {"bbox": 1, "polygon": 1, "mask": 1}, 3),
    ("datumaro/coco_dataset/coco_panoptic", 2, {"mask": 3}, 2),
    ("datumaro/coco_dataset/coco_captions", 2, {"caption": 3}, 0),
    ("datumaro/coco_dataset/coco_image_info", 2, {}, 0),
    ("panopticapi", 6, {"mask": 100}, 133),
    ("lvis_api", 100, {"polygon": 977}, 1230),
    ("review_odm/tests/test_coco_eval", 299, {"bbox": 2298}, 80),
    ("review_odm/toyexample", 20, {"bbox": 24}, 1),
    ("datumaro/roboflow_dataset/coco", 3, {"bbox": 4}, 2),
    ("datumaro/kaggle_dataset/relaxed_coco", 2, {"bbox": 2}, 2),
    ("cocoapi_results", 1245, {"caption": 1000, "bbox": 734, "mask": 734, "points": 125}, 75),
    ("tfds_fake/visual_domain_decathlon/decathlon-1.0", 10, {"label": 7}, 4),
]
ONLY_WITH_KEEP_GOING = [
    ("mmyolo", 8, {"polygon": 2, "bbox": 12, "other": 2}, 2),
    ("fsoco/labels/GFR/coco", 652, {"polygon": 7214, "other": 3}, 4),
    ("tfds_fake/coco", 25, {"polygon": 14, "other": 5}, 133),
]


def round_trip(folder: Path, *, keep_going: bool = False) -> None:
    """Read and write a folder, and compare each document with the one it came from."""
    dataset = read(folder, keep_going=keep_going)
    new = {path: doc for path, doc in written(dataset).items() if path.endswith(".json")}
    old = []
    for path in sorted(folder.rglob("*.json")) + sorted(folder.rglob("*.JSON")):
        document = json.loads(path.read_bytes())
        if is_coco(document):
            old.append(document)
    assert len(new) == len(old)
    for document in old:
        candidates = [one for one in new.values() if fingerprint(one) == fingerprint(document)]
        assert candidates
        for candidate in candidates[:-1]:
            try:
                assert_same_document(candidate, document)
            except AssertionError:
                continue
            break
        else:
            assert_same_document(candidates[-1], document)


def is_coco(document: object) -> bool:
    if isinstance(document, list):
        return "track" not in document[0]
    assert isinstance(document, dict)
    return (
        bool({"images", "annotations", "categories"} & document.keys())
        and "videos" not in document
        and all("filename" not in image for image in document.get("images", ()))
    )


def fingerprint(document: object) -> object:
    if isinstance(document, list):
        return len(document), "caption" in document[0], "bbox" in document[0]
    assert isinstance(document, dict)
    images = document.get("images", [])
    return (
        sorted(document),
        len(document.get("annotations", ())),
        images[0].get("file_name") if images else None,
        len(images),
    )


@pytest.mark.parametrize(("name", "images", "kinds", "labels"), COUNTS)
def test_a_sample_is_read_whole_and_comes_back_the_same(samples, name, images, kinds, labels):
    dataset = read(samples / name)
    items = list(dataset)
    assert len(items) == len(dataset) == images
    assert Counter(note.kind for item in items for note in item.annotations) == kinds
    assert len(dataset.labels) == labels
    round_trip(samples / name)


@pytest.mark.parametrize(("name", "images", "kinds", "labels"), ONLY_WITH_KEEP_GOING)
def test_a_sample_with_bad_records_is_refused_or_kept_whole(samples, name, images, kinds, labels):
    with pytest.raises(FormatErrors):
        list(read(samples / name))
    dataset = read(samples / name, keep_going=True)
    items = list(dataset)
    assert len(items) == images
    assert Counter(note.kind for item in items for note in item.annotations) == kinds
    assert len(dataset.labels) == labels
    round_trip(samples / name, keep_going=True)


def test_bad_records_are_named_by_file_and_id(samples):
    with pytest.raises(FormatErrors) as caught:
        list(read(samples / "fsoco/labels/GFR/coco"))
    assert [error.item for error in caught.value.errors] == [
        "annotation '2614'",
        "annotation '3278'",
        "annotation '3771'",
    ]
    assert "00008.json (annotation '2614'): expected a number, got 'null'" in str(caught.value)


def test_the_two_duplicated_ids_of_taco_are_kept(samples):
    ids = Counter(note.id for item in read(samples / "taco") for note in item.annotations)
    assert sum(count == 2 for count in ids.values()) == 2


def test_objects_of_two_tasks_are_one_instance(samples):
    item = next(item for item in read(samples / "coco_mini") if item.id == "000000535506")
    groups = Counter(note.group for note in item.annotations if note.group)
    assert set(groups.values()) == {2}
    pairs = [note for note in item.annotations if note.group == 1]
    assert [note.kind for note in pairs] == ["polygon", "points"]
    assert pairs[0].id == pairs[1].id == 441444
    assert pairs[0].label == pairs[1].label == "person"


def test_each_walk_starts_afresh(samples):
    dataset = read(samples / "coco_mini")
    first = list(dataset)
    assert first == list(dataset)
    walk = iter(dataset)
    next(walk)
    assert list(dataset) == first


@pytest.mark.parametrize(
    "name", ["coco_mini", "lvis_api", "panopticapi", "mmyolo", "cocoapi_results", "taco"]
)
def test_what_was_stored_comes_back_the_same(samples, name):
    dataset = read(samples / name, keep_going=True)
    metadata = json.loads(json.dumps(dataset.metadata))
    stored = [(item.id, item.subset, encode_item(item)) for item in dataset]
    labels = msgspec.json.decode(
        msgspec.json.encode(dataset.labels.categories), type=tuple[Category, ...]
    )
    again = Dataset(
        Labels(labels),
        lambda: (decode_item(blobs, id, subset) for id, subset, blobs in stored),
        metadata=metadata,
    )
    new, old = written(again), written(dataset)
    assert new.keys() == old.keys()
    for path, document in old.items():
        if path.endswith(".json"):
            assert_same_document(new[path], document)
        else:
            assert new[path] == document


def test_a_panoptic_picture_comes_back_to_the_pixel(samples):
    import numpy as np

    from dvcs.media.pixels import decode

    files = written(read(samples / "panopticapi", "coco_panoptic"), "coco_panoptic")
    for name in ("000000142238.png", "000000439180.png"):
        old = decode((samples / "panopticapi/panoptic_examples" / name).read_bytes())
        new = decode(files[f"annotations/panoptic_examples/{name}"])
        assert np.array_equal(old, new)


def test_masks_of_the_panoptic_format_equal_those_of_the_detection_format(samples):
    subsets = read(samples / "panopticapi").subsets
    by_area = {}
    for name in ("coco_detection_format", "examples"):
        items = [item for item in subsets[name] if item.annotations]
        by_area[name] = {
            (item.id, note.label, note.counts) for item in items for note in item.annotations
        }
    assert by_area["coco_detection_format"] == by_area["examples"]
    assert len(by_area["coco_detection_format"]) == 50


@pytest.mark.parametrize("name", [row[0] for row in (*COUNTS, *ONLY_WITH_KEEP_GOING)])
def test_coco_is_recognised(samples, name):
    matches, _ = formats.judge(open_source(samples / name))
    assert matches["coco"] == max(matches.values())
    assert all(matches[task] < matches["coco"] for task in matches if task.startswith("coco_"))


@pytest.mark.parametrize(
    "name",
    [
        "datumaro/segment_anything_dataset",
        "datumaro/datumaro_dataset",
        "datumaro/voc_dataset",
        "datumaro/vott_json_dataset",
        "label_studio_converter",
        "tfds_fake/coco/karpathy_and_li_splits",
        "review_odm/tests/tube",
    ],
)
def test_other_json_is_not_taken_for_coco(samples, name):
    _, rejections = formats.judge(open_source(samples / name))
    assert "coco" in rejections


def test_images_are_found_in_the_usual_places(samples):
    for name in ("coco", "coco_roboflow", "mmdet_coco"):
        items = list(read(samples / "datumaro/coco_dataset" / name))
        assert [item.origins[0] is not None for item in items] == [True, True]
    items = [item for item in read(samples / "tfds_fake/coco", keep_going=True) if item.media]
    # The same image names stand in the files of several years; each year has a folder.
    assert sum(item.origins[0] is not None for item in items) == 25


def test_reading_from_memory_equals_reading_from_a_folder(samples):
    folder = samples / "coco_mini"
    files = {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.json")
    }
    memory = formats.read(MemorySource(files), formats.find("coco"))
    assert list(memory) == list(read(folder))
