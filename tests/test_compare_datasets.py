"""Comparing streams of items and whole datasets."""

import json
import random

import pytest

from dvcs.compare import (
    IdTrust,
    Knowledge,
    Tally,
    compare_pairs,
    diff_datasets,
    match_items,
    plain_annotation,
    renamed_labels,
    report,
    summarise,
)
from dvcs.compare import evidence as evidence_module
from dvcs.model import Bbox, Category, Dataset, Item, Labels, Media, MediaFile, Other, Polygon
from tests.conftest import needs_samples


def box(x, y=0.0, w=10.0, h=10.0, **fields):
    return Bbox(x=float(x), y=float(y), w=float(w), h=float(h), **fields)


def image(id, *notes, subset="train", sha=None, **fields):
    media = Media(files=(MediaFile(ext=".jpg", sha256=sha and sha * 64),))
    return Item(id, subset=subset, media=media, annotations=list(notes), **fields)


def dataset(*items):
    return Dataset.from_items(items)


def statuses(changes):
    return [(one.status, one.subset, one.id) for one in changes]


# -- matching names ------------------------------------------------------------------------------


def test_the_same_id_in_another_subset_has_moved():
    moved, renamed = match_items(
        [("s", "train", "a", 1, None), ("s", "train", "b", 2, None)],
        [("s", "val", "a", 3, None), ("t", "val", "b", 4, None)],
    )
    assert moved == [(("s", "train", "a"), ("s", "val", "a"))]
    assert renamed == []


def test_the_same_contents_or_media_have_been_renamed():
    _, renamed = match_items(
        [("", "train", "a", 1, 10), ("", "train", "b", 2, 20), ("", "train", "c", None, None)],
        [("", "val", "x", 1, 11), ("", "train", "y", 3, 20), ("", "train", "z", None, None)],
    )
    assert renamed == [
        (("", "train", "a"), ("", "val", "x")),
        (("", "train", "b"), ("", "train", "y")),
    ]


def test_identical_contents_are_never_guessed():
    two = [("", "train", "a", 1, 10), ("", "train", "b", 1, 10)]
    assert match_items(two, [("", "train", "x", 1, 10)]) == ([], [])
    assert match_items([("", "train", "x", 1, 10)], two) == ([], [])
    assert match_items(
        [("", "train", "a", 1, None), ("", "test", "a", 2, None)], [("", "val", "a", 3, None)]
    ) == ([], [])


def test_media_tells_what_equal_annotations_do_not():
    _, renamed = match_items(
        [("", "train", "a", 1, 10), ("", "train", "b", 1, 20)],
        [("", "train", "y", 1, 20), ("", "train", "x", 1, 10)],
    )
    assert renamed == [
        (("", "train", "a"), ("", "train", "x")),
        (("", "train", "b"), ("", "train", "y")),
    ]


# -- datasets ------------------------------------------------------------------------------------


def test_a_dataset_does_not_differ_from_itself_in_another_order():
    items = [image(str(at), box(at), box(at + 50, label="cat")) for at in range(20)]
    assert list(diff_datasets(dataset(*items), dataset(*reversed(items)))) == []


def test_every_kind_of_change_of_items():
    old = dataset(
        image("same", box(0)),
        image("edited", box(0), box(50)),
        image("moved", box(0), box(70)),
        image("old name", box(0), sha="a"),
        image("gone", box(0), box(1)),
    )
    new = dataset(
        image("new", box(7, label="cat")),
        image("same", box(0)),
        image("edited", box(0), box(52)),
        image("moved", box(0), box(71), subset="val"),
        image("new name", box(0), box(90), sha="a"),
    )
    changes = list(diff_datasets(old, new))
    assert statuses(changes) == [
        ("changed", "train", "edited"),
        ("moved", "val", "moved"),
        ("renamed", "train", "new name"),
        ("removed", "train", "gone"),
        ("added", "train", "new"),
    ]
    assert [len(one.annotations) for one in changes] == [1, 1, 1, 2, 1]
    summary = summarise(changes)
    assert report(changes)["summary"] == {
        "items": {"added": 1, "removed": 1, "changed": 1, "moved": 1, "renamed": 1},
        "annotations": {"added": 2, "removed": 2, "changed": 2, "renumbered": 0},
    }
    assert summary.labels["cat"].added == 1
    assert summary.labels[""].changed == 2
    assert summary.subsets["val"].items.moved == 1
    assert summary.subsets["val"].annotations.changed == 1
    assert summary.fields == {"geometry": 2}


def test_swapped_datasets_mirror_their_changes():
    old = dataset(image("a", box(0)), image("b", box(0)))
    new = dataset(image("a", box(0), box(50)), image("c", box(0), box(90)))
    forward, backward = (summarise(diff_datasets(*two)) for two in ((old, new), (new, old)))
    assert forward.items.added == backward.items.removed == 1
    assert forward.annotations.added == backward.annotations.removed
    assert forward.items.changed == backward.items.changed == 1


def test_a_name_that_comes_twice_is_not_dropped():
    changes = list(diff_datasets(dataset(), dataset(image("a", box(0)), image("a", box(9)))))
    assert statuses(changes) == [("added", "train", "a")] * 2


def test_a_label_that_only_changed_its_name_changes_nothing():
    old = Dataset(Labels([Category(name="cat")]), lambda: [image("a", box(0, label="cat"))])
    new = Dataset(
        Labels([Category(name="feline", key="cat")]), lambda: [image("a", box(0, label="feline"))]
    )
    assert renamed_labels(old.labels, new.labels) == {"cat": "feline"}
    assert list(diff_datasets(old, new)) == []


# -- what the whole comparison tells -------------------------------------------------------------


def far_edits(renumber):
    """Forty images of one box that jumped and one that stayed."""
    old = [image(str(at), box(0, id=2 * at + 1), box(50, id=2 * at + 2)) for at in range(40)]
    new = [
        image(str(at), box(900, id=renumber(2 * at + 1)), box(50, id=renumber(2 * at + 2)))
        for at in range(40)
    ]
    return zip(old, new, strict=True)


def test_ids_pair_what_jumped_where_the_comparison_keeps_ids():
    kept = summarise(compare_pairs(far_edits(lambda id: id)))
    assert (kept.annotations.changed, kept.annotations.added) == (40, 0)
    renumbered = summarise(compare_pairs(far_edits(lambda id: 81 - id)))
    assert (renumbered.annotations.changed, renumbered.annotations.added) == (0, 40)
    assert renumbered.annotations.renumbered == 40


def test_what_the_caller_knows_counts():
    pair = (image("a", box(0, id=1)), image("a", box(900, id=1)))
    assert summarise(compare_pairs([pair])).annotations.added == 1
    knowledge = Knowledge(IdTrust(equal=10, kept=10))
    assert summarise(compare_pairs([pair], knowledge=knowledge)).annotations.changed == 1


def test_only_a_sample_is_held_back(monkeypatch):
    monkeypatch.setattr("dvcs.compare.datasets.SAMPLE", 5)
    drawn = []

    def pairs():
        for at in range(50):
            drawn.append(at)
            yield image(str(at), box(0, id=1)), image(str(at), box(1, id=1))

    stream = compare_pairs(pairs())
    next(stream)
    assert len(drawn) == 5
    assert len(list(stream)) == 49
    assert evidence_module.SAMPLE == 2_000


# -- reports -------------------------------------------------------------------------------------


def test_the_report_has_its_shape():
    old = dataset(image("a", box(0, label="cat", id=3)))
    new = dataset(image("a", box(2, label="dog", id=3, attributes={"x": True})))
    result = report(diff_datasets(old, new))
    assert json.loads(json.dumps(result)) == result
    assert result == {
        "summary": {
            "items": {"added": 0, "removed": 0, "changed": 1, "moved": 0, "renamed": 0},
            "annotations": {"added": 0, "removed": 0, "changed": 1, "renumbered": 0},
        },
        "items": [
            {
                "source": "",
                "subset": "train",
                "id": "a",
                "status": "changed",
                "annotations": [
                    {
                        "status": "changed",
                        "type": "bbox",
                        "label": "dog",
                        "fields": ["geometry", "label", "attributes"],
                        "similarity": pytest.approx(2 / 3),
                        "before": {
                            "type": "bbox",
                            "id": 3,
                            "label": "cat",
                            "x": 0.0,
                            "y": 0.0,
                            "w": 10.0,
                            "h": 10.0,
                        },
                        "after": {
                            "type": "bbox",
                            "id": 3,
                            "label": "dog",
                            "attributes": {"x": True},
                            "x": 2.0,
                            "y": 0.0,
                            "w": 10.0,
                            "h": 10.0,
                        },
                    }
                ],
            }
        ],
    }
    added = report(diff_datasets(dataset(), new))["items"][0]["annotations"][0]
    assert (added["status"], added["before"], added["similarity"]) == ("added", None, None)


def test_what_only_has_another_number_is_in_the_summary_alone():
    old = dataset(image("a", box(0.12345, id=1), box(50.12345, id=2)))
    new = dataset(image("a", box(0.12, id=7), box(50.12, id=8)))
    result = report(diff_datasets(old, new))
    assert result["items"] == []
    assert result["summary"]["annotations"] == {
        "added": 0,
        "removed": 0,
        "changed": 0,
        "renumbered": 2,
        "rounded": 2,
    }


def test_moved_items_say_where_they_were():
    a = image("a", box(0))
    result = report(diff_datasets(dataset(a), dataset(a.with_(subset="val"))))
    assert result["items"] == [
        {
            "source": "",
            "subset": "val",
            "id": "a",
            "status": "moved",
            "annotations": [],
            "previous": {"source": "", "subset": "train", "id": "a"},
        }
    ]


def test_what_a_newer_dvcs_wrote_is_reported_as_it_stands():
    assert plain_annotation(Other(format="dvcs", record={"type": "new", "x": 1})) == {
        "type": "new",
        "x": 1,
    }
    assert plain_annotation(box(0, unknown={"y2": 1}))["y2"] == 1


def test_summaries_of_parts_add_up_to_the_whole():
    old = [image(str(at), box(at, label="cat", id=at + 1)) for at in range(6)]
    new = [image(str(at), box(2 * at, label="dog" if at % 2 else "cat")) for at in range(2, 8)]
    changes = list(diff_datasets(dataset(*old), dataset(*new)))
    whole = summarise(changes)
    assert summarise(changes[:3]) + summarise(changes[3:]) == whole
    assert whole.relabelled["cat"]["dog"] >= 1
    assert bool(whole)
    assert not Tally().summary()


# -- real data -----------------------------------------------------------------------------------


def coco_items(path):
    """Read boxes and outlines of a COCO file, each annotation an instance of its outline."""
    data = json.loads(path.read_text("utf-8"))
    names = {one["id"]: one["name"] for one in data["categories"]}
    found = {one["id"]: [] for one in data["images"]}
    for one in data["annotations"]:
        parts = [[[float(v) for v in ring]] for ring in one["segmentation"]]
        found[one["image_id"]].append(
            Polygon(
                parts=parts,
                label=names[one["category_id"]],
                id=one["id"] + 1,
                derived={"area": one["area"]},
            )
        )
    return [
        Item(one["file_name"], annotations=found[one["id"]], extra={"coco": {"id": one["id"]}})
        for one in data["images"]
    ]


def redelivered(item, draw):
    notes = [
        note.with_(
            id=draw.randrange(10**6),
            parts=[[[round(v, 1) for v in ring] for ring in part] for part in note.parts],
        )
        for note in item.annotations
    ]
    draw.shuffle(notes)
    return item.with_(annotations=notes, extra={"coco": {"id": draw.randrange(10**6)}})


def test_a_renumbered_rounded_shuffled_delivery_shows_only_the_edits():
    old = coco_items(needs_samples("taco", "data", "annotations.json"))
    draw = random.Random(4)
    new = [redelivered(item, draw) for item in old]
    assert sum(len(item.annotations) for item in old) > 4000
    edited = [at for at, item in enumerate(new) if len(item.annotations) >= 3][:3]
    one, two, three = (list(new[at].annotations) for at in edited)
    one[0] = one[0].with_(label="something else")
    del two[1]
    ring = list(three[2].parts[0][0])
    ring[0] += 30.0
    three[2] = three[2].with_(parts=[[ring], *three[2].parts[1:]])
    for at, notes in zip(edited, (one, two, three), strict=True):
        new[at] = new[at].with_(annotations=notes)
    draw.shuffle(new)
    changes = [one for one in diff_datasets(dataset(*old), dataset(*new)) if one.is_change]
    told = {one.id: [(a.status, a.fields) for a in one.annotations] for one in changes}
    assert told == {
        old[edited[0]].id: [("changed", ("label",))],
        old[edited[1]].id: [("removed", ())],
        old[edited[2]].id: [("changed", ("geometry",))],
    }
