"""The numbers of a dataset."""

import json

from hypothesis import given
from hypothesis import strategies as st

from dvcs.model import Bbox, Caption, Dataset, Item, Label, Labels, Media, MediaFile
from dvcs.stats import Info, summarise


def box(**fields):
    return Bbox(x=0.0, y=0.0, w=1.0, h=1.0, **fields)


ITEMS = [
    Item(
        "a",
        subset="train",
        source="voc",
        media=Media(files=(MediaFile(ext=".jpg", size=100, sha256="1" * 64),)),
        annotations=[
            box(label="cat", group=1, attributes={"occluded": True}),
            box(label="cat", group=1, attributes={"occluded": False, "pose": "left"}),
            Caption(caption="a cat"),
        ],
        attributes={"weather": "rain"},
        annotated=True,
    ),
    Item(
        "b",
        subset="train",
        source="voc",
        media=Media(files=(MediaFile(ext=".jpg"), MediaFile(ext=".png", size=11))),
        annotations=[Label(label="dog")],
    ),
    Item("c", subset="val", source="voc", annotated=False),
    Item("d", subset="val", source="coco", media=Media(kind="point_cloud")),
]


def test_the_numbers_of_a_dataset():
    data = Dataset(Labels(["cow", "cat"]), lambda: ITEMS)
    assert summarise(data).report() == {
        "items": 4,
        "annotations": 4,
        "instances": 3,
        "empty": 2,
        "unlabelled": 1,
        "subsets": {"train": 2, "val": 2},
        "sources": {"coco": 1, "voc": 3},
        "labels": {"cow": 0, "cat": 2, "dog": 1},
        "annotation_types": {"bbox": 2, "caption": 1, "label": 1},
        "annotated": {"true": 1, "false": 1, "unknown": 2},
        "attributes": {"occluded": 2, "pose": 1},
        "item_attributes": {"weather": 1},
        "media": {
            "count": 3,
            "bytes": 111,
            "without_size": 1,
            "hashed": 1,
            "absent": 1,
            "kinds": {"image": 2, "point_cloud": 1},
        },
    }


def test_the_report_of_nothing_is_complete_and_json():
    report = summarise(Dataset(Labels(["cow"]), list)).report()
    assert json.loads(json.dumps(report)) == report
    assert report["items"] == 0
    assert report["labels"] == {"cow": 0}
    assert report["annotated"] == {"true": 0, "false": 0, "unknown": 0}
    assert report["media"]["count"] == 0
    assert report.keys() == set(Info.__struct_fields__)


@given(st.integers(0, 4))
def test_the_numbers_of_parts_add_up(cut):
    labels = Labels(["cow", "cat", "dog"])
    first = summarise(Dataset(labels, lambda: ITEMS[:cut]))
    second = summarise(Dataset(labels, lambda: ITEMS[cut:]))
    assert first + second == summarise(Dataset(labels, lambda: ITEMS))
    assert list((first + second).labels) == ["cow", "cat", "dog"]
