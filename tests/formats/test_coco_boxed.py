"""Boxes made while COCO is read are those that a conversion makes of what was read."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dvcs
from dvcs import formats
from dvcs.formats._fidelity import Fidelity
from dvcs.formats._fitting import fitted
from dvcs.model import Bbox, Dataset, Item
from tests.conftest import needs_samples
from tests.formats.coco_documents import read, read_files
from tests.formats.test_coco_documents import boxes, documents, numbers, runs, unknown

PATH = "annotations/instances_train.json"
far = st.sampled_from([1e9, -1e9, 5e8, 1e300, -1e300])
rings = st.lists(st.tuples(numbers | far, numbers | far), min_size=1, max_size=5).map(
    lambda points: [value for point in points for value in point]
)
usual = {"id": st.integers(1, 9), "category_id": st.sampled_from([0, 1]), "area": numbers}
outlines = st.fixed_dictionaries(
    {**usual, "bbox": boxes, "iscrowd": st.just(0), "segmentation": st.lists(rings, max_size=3)}
)
crowds = st.fixed_dictionaries(
    {**usual, "bbox": boxes, "iscrowd": st.just(1), "segmentation": runs()}
)


@st.composite
def mostly_usual(draw: Any) -> dict[str, Any]:
    document = draw(documents())
    images = [image["id"] for image in document["images"]]
    for record in draw(st.lists(outlines | crowds, min_size=1, max_size=6)):
        more = draw(unknown) if draw(st.integers(0, 5)) == 0 else {}
        place = draw(st.integers(0, len(document["annotations"])))
        image = draw(st.sampled_from(images))
        document["annotations"].insert(place, {"image_id": image, **record, **more})
    return document


def given_to(name: str, dataset: Dataset, *, boxed: bool) -> tuple[list[Item], dict[str, Any]]:
    """Return what a writer of a format gets of a dataset, and the report."""
    if not boxed:
        dataset.boxed = None
    fidelity = Fidelity(name)
    items = list(fitted(dataset, formats.find(name), fidelity))
    return items, vars(fidelity)


def assert_same(boxed: Dataset, plain: Dataset, name: str) -> None:
    assert boxed.boxed is not None
    items, told = given_to(name, boxed, boxed=True)
    others, expected = given_to(name, plain, boxed=False)
    for item, other in zip(items, others, strict=True):
        assert item.with_(origins=()) == other.with_(origins=())
    assert told == expected


@given(mostly_usual(), st.sampled_from(["yolo", "voc_detection", "yolo_segment", "cvat"]))
@settings(max_examples=300)
def test_made_up_documents(document, name):
    files = {PATH: document}
    assert_same(read_files(files, keep_going=True), read_files(files, keep_going=True), name)


@given(mostly_usual(), documents())
@settings(max_examples=50)
def test_files_of_two_tasks(first, second):
    files = {PATH: first, "annotations/person_keypoints_train.json": second}
    files["annotations/instances_val.json"] = first
    assert_same(read_files(files, keep_going=True), read_files(files, keep_going=True), "yolo")


@pytest.mark.parametrize("name", ["coco_mini", "taco", "lvis_api", "mmyolo", "tfds_fake/coco"])
def test_samples(name):
    path = needs_samples(*name.split("/"))
    assert_same(read(path, keep_going=True), read(path, keep_going=True), "yolo")


def test_the_datasets_of_the_api_know_the_quicker_way():
    boxed = read_files({PATH: {"images": [], "annotations": [], "categories": []}})
    assert dvcs.Dataset.of(boxed).boxed is boxed.boxed
    assert dvcs.Dataset.of(boxed).map(lambda item: item).boxed is None


def test_usual_outlines_and_crowds_are_boxes_at_once():
    record = {"id": 1, "image_id": 1, "category_id": 1, "area": 12.0, "bbox": [1, 2, 3, 4]}
    crowd = {"size": [2, 3], "counts": [2, 3, 1]}
    document = {
        "images": [{"id": 1, "file_name": "a.jpg", "height": 10, "width": 10}],
        "annotations": [
            {**record, "segmentation": [[1, 2, 4, 2, 4, 6]], "iscrowd": 0},
            {**record, "id": 2, "segmentation": crowd, "iscrowd": 1},
            {**record, "id": 3, "segmentation": crowd, "iscrowd": 0},
        ],
        "categories": [{"id": 1, "name": "cat"}],
    }
    boxed = read_files({PATH: document}).boxed
    assert boxed is not None
    ((item, counts),) = boxed()
    assert counts == {"polygon": 1, "mask": 1}
    assert item.annotations[:2] == [
        Bbox(1.0, 2.0, 3.0, 4.0, label="cat", id=1),
        Bbox(1.0, 0.0, 2.0, 2.0, label="cat", id=2, attributes={"is_crowd": True}),
    ]
    assert item.annotations[2].kind == "mask"
