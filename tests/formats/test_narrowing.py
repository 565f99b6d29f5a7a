"""What options of a writer leave out is told like what its format cannot hold."""

from pathlib import Path

import pytest

from dvcs import formats
from dvcs.errors import LossError, UsageError
from dvcs.files import MemorySink, MemorySource
from dvcs.formats._exporting import export
from dvcs.formats._fidelity import Fidelity
from dvcs.model import Annotation, Bbox, Caption, Dataset, Item, Label, Points, Polygon
from tests.gallery import LABELS, bitmap, image_item

RING = [2.0, 3.0, 12.0, 3.0, 12.0, 9.0]
NOTES: list[Annotation] = [
    Bbox(2.0, 3.0, 10.0, 6.0, label="cat", id=1, attributes={"occluded": True, "coat": "red"}),
    Polygon([[RING]], label="person", id=2, group=1),
    Points([3.0, 4.0], visibility=[2], label="person", id=2, group=1),
    bitmap((30, 4, 40, 20)).with_(label="dog", id=3, attributes={"is_crowd": True}),
    Label(label="cat", id=4, attributes={"difficult": True}),
    Caption("a cat", id=5),
]
DATA = Dataset.from_items([image_item("1", "train", *NOTES)], LABELS)


def back(name: str, **options: object) -> tuple[Item, Fidelity]:
    """Return what a format reads of what it wrote with options, and what was told."""
    sink, format = MemorySink(), formats.find(name)
    fidelity = formats.write(DATA, format, sink, **options)
    sink.finish()
    (item,) = formats.read(MemorySource(sink.files, media=sink.origins), format)
    return item, fidelity


def kinds(item: Item) -> list[str]:
    return sorted(note.kind for note in item.annotations)


@pytest.mark.parametrize(
    ("name", "tasks", "held", "dropped"),
    [
        (
            "coco",
            ("instances", "labels"),
            ["bbox", "label", "mask", "polygon"],
            {"points": 1, "caption": 1},
        ),
        (
            "coco",
            ("person_keypoints", "captions"),
            ["caption", "points", "polygon"],
            {"bbox": 1, "label": 1, "mask": 1},
        ),
        (
            "coco",
            ("panoptic",),
            ["mask", "mask"],
            {"bbox": 1, "label": 1, "points": 1, "caption": 1},
        ),
        ("coco", ("image_info",), [], dict.fromkeys([note.kind for note in NOTES], 1)),
        ("voc", ("detection",), ["bbox", "bbox", "bbox"], {"label": 1, "points": 1, "caption": 1}),
        (
            "voc",
            ("segmentation", "classification"),
            ["label", "mask", "mask"],
            {"bbox": 1, "points": 1, "caption": 1},
        ),
    ],
)
def test_tasks_that_are_not_written_are_told(name, tasks, held, dropped):
    item, fidelity = back(name, tasks=tasks)
    assert kinds(item) == held
    assert fidelity.dropped == dropped
    titles = " and ".join(formats.find(f"{name}_{task}").title for task in tasks)
    assert f"1 caption is left out (1 item): {titles} cannot hold it" in fidelity.lines() or (
        "captions" in tasks
    )


@pytest.mark.parametrize("name", ["coco", "voc"])
def test_all_tasks_together_hold_what_the_format_holds(name):
    tasks = tuple(one[len(name) + 1 :] for one in formats.names() if one.startswith(f"{name}_"))
    item, fidelity = back(name, tasks=tasks)
    whole, usual = back(name)
    assert set(kinds(item)) == set(kinds(whole))
    assert (fidelity.dropped, fidelity.converted) == (usual.dropped, usual.converted)


@pytest.mark.parametrize(
    ("name", "options"), [("coco", {"tasks": ("captions",)}), ("voc", {"tasks": ("detection",)})]
)
def test_tasks_that_lose_all_of_a_kind_need_a_word(name, options, tmp_path: Path):
    with pytest.raises(LossError, match="would vanish"):
        export(DATA, formats.find(name), tmp_path / "out", options=options)
    with pytest.raises(UsageError, match="there is no task 'detecton'"):
        export(DATA, formats.find(name), tmp_path / "out", options={"tasks": ("detecton",)})
    assert list(tmp_path.iterdir()) == []


def test_other_names_of_tasks_are_known():
    item, fidelity = back("voc", tasks=("action_classification", "person_layout"))
    assert kinds(item) == ["bbox", "bbox", "bbox"]
    assert fidelity.dropped["label"] == 1


@pytest.mark.parametrize(
    ("name", "lost", "count"),
    [("coco", {"coat", "occluded", "difficult"}, 2), ("voc", {"coat"}, 1)],
)
def test_attributes_that_are_not_wanted_are_told(name, lost, count):
    item, fidelity = back(name, allow_attributes=False)
    assert lost <= set(fidelity.lost_attributes)
    assert fidelity.lost_fields["attributes"] >= count
    found = {key for note in item.annotations for key in note.attributes}
    assert found & set(fidelity.lost_attributes) == set()
    wanted, usual = back(name)
    assert usual.lost_fields["attributes"] == 0
    assert lost <= {key for note in wanted.annotations for key in note.attributes}


def test_new_numbers_are_told():
    _, fidelity = back("coco", reindex=True)
    assert fidelity.lost_fields["id"] == 6
    assert back("coco", reindex=False)[1].lost_fields["id"] == 0


def test_what_is_cropped_is_told():
    note = Polygon([[RING]], label="cat", z_order=1)
    data = Dataset.from_items(
        [image_item("1", "train", note, bitmap((0, 0, 64, 6)).with_(label="dog", z_order=2))],
        LABELS,
    )
    for crop in (False, True):
        fidelity = formats.write(data, formats.find("coco"), MemorySink(), crop_covered=crop)
        assert fidelity.lost_fields["covered"] == int(crop)
