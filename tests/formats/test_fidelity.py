"""What an export loses is converted or left out by the format's record, and told."""

from collections import Counter

import pytest

from dvcs import formats
from dvcs.errors import UnsafeName
from dvcs.files import BytesOrigin, MemorySink, MemorySource
from dvcs.formats import Confidence, Format
from dvcs.formats._fidelity import Fidelity
from dvcs.formats._fitting import fitted
from dvcs.model import (
    VISIBLE,
    AttributeSpec,
    Bbox,
    Caption,
    Category,
    Dataset,
    Item,
    Label,
    Labels,
    Media,
    MediaFile,
    Other,
    Points,
    Polygon,
    PolyLine,
    RotatedBbox,
)
from tests.gallery import HEIGHT, WIDTH, bitmap, image_item, png

TRIANGLE = [[[1.0, 1.0, 9.0, 1.0, 9.0, 9.0]]]


def record(*kinds: str, **fields) -> Format:
    return Format(
        **{
            "name": "yolo",
            "title": "YOLO",
            "url": "",
            "kinds": frozenset(kinds),
            "detect": lambda _: Confidence.LOW,
            "fields": frozenset({"unlabelled"}),
            **fields,
        }
    )


def fit(format: Format, *notes, convert_shapes=True, **fields) -> tuple[list, Fidelity]:
    """Return what is left of the annotations of one item, and the report."""
    fidelity = Fidelity(format.name)
    item = image_item("x", "s", *notes, **fields)
    data = fitted(Dataset.from_items([item]), format, fidelity, convert_shapes=convert_shapes)
    return [note for item in data for note in item.annotations], fidelity


def test_what_can_be_held_is_given_as_it_is():
    notes = [Bbox(1.0, 2.0, 3.0, 4.0, label="cat"), Label(label="dog")]
    item = image_item("x", "s", *notes)
    fidelity = Fidelity("yolo")
    (same,) = fitted(Dataset.from_items([item]), record("bbox", "label"), fidelity)
    assert same is item
    assert fidelity.lossless
    assert fidelity.lines() == []
    assert fidelity.vanished() == []


def test_kinds_are_converted_to_the_first_that_works():
    notes, fidelity = fit(
        record("bbox", "polygon"), bitmap((1, 1, 5, 5)), RotatedBbox(9.0, 9.0, 4.0, 4.0, 5.0)
    )
    assert [note.kind for note in notes] == ["polygon", "polygon"]
    assert fidelity.converted == {("mask", "polygon"): 1, ("rotated_bbox", "polygon"): 1}
    notes, fidelity = fit(record("bbox"), bitmap((1, 1, 5, 5)), Polygon(TRIANGLE))
    assert [note.geometry for note in notes] == [(1.0, 1.0, 4.0, 4.0), (1.0, 1.0, 8.0, 8.0)]
    assert fidelity.lines() == ["1 mask became a box (1 item)", "1 polygon became a box (1 item)"]
    assert not fidelity.lossless


def test_a_format_says_what_it_prefers():
    format = record("bbox", "mask", prefers={"polygon": ("mask", "bbox"), "points": ("bbox",)})
    notes, _ = fit(format, Polygon(TRIANGLE), Points([1.0, 2.0, 3.0, 4.0]))
    assert [note.kind for note in notes] == ["mask", "bbox"]
    notes, fidelity = fit(record("bbox", prefers={"polygon": ()}), Polygon(TRIANGLE))
    assert notes == []
    assert fidelity.dropped == {"polygon": 1}


def test_a_mask_without_the_size_of_the_image_is_the_next_best_or_left_out():
    unknown = Media(files=(MediaFile(ext=".png"),))
    both = record("bbox", "mask", prefers={"polygon": ("mask", "bbox")})
    item = image_item("x", "s", Polygon(TRIANGLE)).with_(media=unknown)
    (got,) = fitted(Dataset.from_items([item]), both, Fidelity("yolo"))
    assert [note.kind for note in got.annotations] == ["bbox"]
    fidelity = Fidelity("yolo")
    only = record("mask", prefers={"polygon": ("mask",)})
    (got,) = fitted(Dataset.from_items([item]), only, fidelity)
    assert got.annotations == []
    assert fidelity.lines() == [
        "1 polygon is left out: masks need the size of the image, which is not known"
    ]


def test_nothing_is_converted_where_none_is_wanted():
    notes, fidelity = fit(record("bbox"), Polygon(TRIANGLE), convert_shapes=False)
    assert notes == []
    assert fidelity.dropped == {"polygon": 1}
    assert fidelity.converted == {}


def test_what_is_left_out_is_told_with_its_reason():
    notes, fidelity = fit(
        record("bbox", fields=frozenset()),
        Caption("a"),
        Caption("b"),
        Bbox(1.0, 2.0, 3.0, 4.0),
        Bbox(1.0, 2.0, 3.0, 4.0, label="cat"),
    )
    assert [note.label for note in notes] == ["cat"]
    assert fidelity.lines() == [
        "2 captions are left out (1 item): YOLO cannot hold them",
        "1 box without a label is left out (1 item): YOLO needs labels",
    ]
    assert fidelity.vanished() == ["caption"]
    assert fidelity.report()["dropped"] == {"caption": 2}
    assert fidelity.report()["unlabelled"] == {"bbox": 1}
    assert fidelity.report()["vanished"] == ["caption"]


def test_captions_need_no_label():
    notes, fidelity = fit(record("caption", fields=frozenset()), Caption("a"))
    assert len(notes) == 1
    assert fidelity.lossless


def test_a_kind_has_vanished_only_where_all_of_it_is_gone():
    cases = [
        ((Label(label="a"), Label(label="b")), []),
        ((Label(label="a"), Label()), []),
        ((Label(), Label()), ["label"]),
        (
            (Label(), Caption("x"), Bbox(1.0, 2.0, 3.0, 4.0, label="a")),
            ["bbox", "caption", "label"],
        ),
        ((bitmap((1, 1, 3, 3)),), ["mask"]),
    ]
    for notes, gone in cases:
        _, fidelity = fit(record("label", fields=frozenset()), *notes)
        assert fidelity.vanished() == gone


def test_fields_are_left_in_place_and_counted():
    said = Bbox(
        1.0,
        2.0,
        3.0,
        4.0,
        id=3,
        z_order=1,
        score=0.5,
        track=7,
        attributes={"color": "red", "occluded": True},
        extra={"voc": {"pose": "left"}},
        derived={"coco": {"area": 3.0}},
    )
    notes, fidelity = fit(record("bbox"), said, attributes={"weather": "fog"})
    assert notes == [said]
    assert fidelity.lost_fields == {
        "attributes": 1,
        "id": 1,
        "item.attributes": 1,
        "score": 1,
        "track": 1,
        "z_order": 1,
    }
    assert "the attributes (color, occluded) of 1 annotation are left out" in fidelity.lines()
    assert "the attributes of 1 item are left out" in fidelity.lines()
    fields = frozenset({"unlabelled", "id", "z_order", "score", "track", "item.attributes"})
    format = record("bbox", fields=fields | {"attributes.occluded"})
    _, fidelity = fit(format, said, attributes={"weather": "fog"})
    assert fidelity.lines() == ["the attribute (color) of 1 annotation is left out"]
    _, fidelity = fit(record("bbox", fields=fields | {"attributes"}), said)
    assert fidelity.lossless


def test_a_group_is_lost_only_where_something_was_in_it_together():
    pair = [Bbox(1.0, 2.0, 3.0, 4.0, group=1), Bbox(2.0, 2.0, 3.0, 4.0, group=1)]
    single = Bbox(3.0, 2.0, 3.0, 4.0, group=2)
    assert fit(record("bbox"), *pair, single)[1].lost_fields == {"group": 2}
    assert fit(record("bbox"), single)[1].lossless


def test_an_instance_that_has_the_shape_already_gets_no_second_one():
    box = Bbox(1.0, 1.0, 8.0, 8.0, label="cat", group=1)
    shape = Polygon(TRIANGLE, label="cat", group=1)
    other = Polygon(TRIANGLE, label="dog", group=1)
    notes, fidelity = fit(record("bbox"), box, shape, other)
    assert [note.label for note in notes] == ["cat", "dog"]
    assert fidelity.merged == {"polygon": 1}
    assert any("another shape of the same instance" in line for line in fidelity.lines())
    assert fidelity.vanished() == []


def test_records_of_the_format_and_its_family_are_its_own():
    notes = [Other(name, 1) for name in ("coco", "ms", "yolo", "coc")]
    format = record("bbox", name="coco_stuff", aliases=("ms",))
    kept, fidelity = fit(format, *notes)
    assert [note.format for note in kept] == ["coco", "ms"]
    assert fidelity.dropped == {"other": 2}


def test_single_annotations_may_be_refused():
    held = record("bbox", "polygon", holds=lambda note, _: note.kind == "bbox" and note.w > 4)
    notes, fidelity = fit(
        held, Bbox(1.0, 1.0, 5.0, 5.0), Bbox(1.0, 1.0, 2.0, 2.0), Polygon(TRIANGLE)
    )
    assert [note.geometry for note in notes] == [(1.0, 1.0, 5.0, 5.0), (1.0, 1.0, 8.0, 8.0)]
    assert fidelity.dropped == {"bbox": 1}
    assert fidelity.converted == {("polygon", "bbox"): 1}


def test_items_of_other_media_are_left_out_and_frames_lose_their_file():
    box = Bbox(1.0, 2.0, 3.0, 4.0)
    items = [
        Item("cloud", media=Media(kind="point_cloud"), annotations=[box]),
        Item(
            "frame", media=Media(kind="video_frame", height=4, width=5, frame=3), annotations=[box]
        ),
        Item("none", annotations=[box]),
        image_item("image", "s", box),
    ]
    fidelity = Fidelity("yolo")
    got = list(fitted(Dataset.from_items(items), record("bbox"), fidelity))
    assert [item.id for item in got] == ["frame", "none", "image"]
    assert got[0].media == Media(height=4, width=5)
    assert fidelity.lines() == [
        "1 point cloud is left out, with all annotations: YOLO cannot hold it",
        "1 box is left out: YOLO cannot hold it",
        "1 video frame became an image without a file",
    ]
    assert fidelity.left_out == {"point_cloud": 1}


def test_frames_keep_the_pictures_that_they_have():
    video, picture = MediaFile(role="video", ext=".mp4"), MediaFile(ext=".png")
    origins = (None, BytesOrigin(lambda: png(1)))
    facts = {"height": HEIGHT, "width": WIDTH, "orientation": 6}
    both = Media(kind="video_frame", files=(video, picture), frame=3, **facts)
    bare = Media(kind="video_frame", files=(video,), frame=4, **facts)
    items = [
        Item("3", media=both, origins=origins),
        Item("4", media=bare, origins=origins[:1]),
        Item("5", media=both, origins=origins),
    ]
    fidelity = Fidelity("yolo")
    got = list(fitted(Dataset.from_items(items), record("bbox"), fidelity))
    assert [item.media for item in got] == [
        Media(files=(picture,), **facts),
        Media(height=HEIGHT, width=WIDTH),
        Media(files=(picture,), **facts),
    ]
    assert [item.origins for item in got] == [origins[1:], (), origins[1:]]
    assert fidelity.lines() == ["3 video frames became images, 1 without a file"]
    assert not fidelity.lossless


def test_where_a_track_has_ended_there_is_no_object():
    box = Bbox(1.0, 2.0, 3.0, 4.0, label="cat", track=1)
    ended = box.with_(attributes={"outside": True})
    alone = Bbox(5.0, 5.0, 3.0, 4.0, label="cat", attributes={"outside": True})
    line = PolyLine([1.0, 2.0, 3.0, 4.0], label="cat", track=2)
    gone = line.with_(attributes={"outside": True})
    both = {"fields": frozenset({"attributes"})}
    notes, fidelity = fit(record("bbox", **both), box, ended, alone, line, gone)
    assert notes == [box, alone]
    assert fidelity.outside == {"bbox": 1, "polyline": 1}
    assert fidelity.dropped == {"polyline": 1}
    assert fidelity.vanished() == ["polyline"]
    assert "1 box outside the image is left out: YOLO holds no tracks, and there it ends" in (
        fidelity.lines()
    )
    notes, fidelity = fit(record("bbox", **both), ended)
    assert (notes, fidelity.vanished(), fidelity.lossless) == ([], [], False)
    held = record("bbox", fields=frozenset({"attributes", "track"}))
    assert fit(held, box, ended)[0] == [box, ended]


def test_items_touched_are_counted_once_each():
    items = [
        image_item(str(n), "s", *(Polygon(TRIANGLE, id=m) for m in range(3))) for n in range(4)
    ]
    fidelity = Fidelity("yolo")
    for _ in fitted(Dataset.from_items(items), record("bbox", "label"), fidelity):
        pass
    assert fidelity.lines()[0] == "12 polygons became boxes (4 items)"
    assert fidelity.report()["converted"] == [
        {"from": "polygon", "to": "bbox", "count": 12, "items": 4}
    ]


def test_walks_that_overlap_or_break_off_count_nothing_twice():
    items = [image_item(str(n), "s", Caption("x")) for n in range(5)]
    fidelity = Fidelity("yolo")
    data = fitted(Dataset.from_items(items), record("bbox"), fidelity)
    assert fidelity.dropped == Counter()
    first, second = iter(data), iter(data)
    next(first), next(second), next(second)
    for _ in data:
        pass
    list(first)
    next(iter(data))
    assert fidelity.dropped == {"caption": 5}
    assert [len(part) for part in data.subsets.values()] == [5]
    assert fidelity.dropped == {"caption": 5}


def test_media_that_are_missing_outlive_a_walk():
    fidelity = Fidelity("yolo")
    fidelity.missing_media = 2
    list(fitted(Dataset.from_items([]), record("bbox"), fidelity))
    assert fidelity.lines() == ["2 media files are not at hand and could not be written"]
    assert not fidelity.lossless


@pytest.mark.parametrize("lossless", [True, False])
def test_no_writer_is_given_a_name_that_leads_out(lossless):
    format = record("bbox", lossless=lossless)
    for item in (Item("../x"), Item("x", "../val"), Item("")):
        with pytest.raises(UnsafeName):
            list(fitted(Dataset.from_items([item]), format, Fidelity("yolo")))


def test_a_lossless_format_is_given_everything():
    notes = [Other("x", {}), Caption("c"), Points([1.0, 2.0], [VISIBLE], id=3)]
    kept, fidelity = fit(record(lossless=True), *notes)
    assert kept == notes
    assert fidelity.lossless


@pytest.mark.parametrize(
    ("subsets", "told"),
    [
        (("default",), []),
        (("train",), ["the subset of 1 item is left out"]),
        (("train", "val"), ["the subset became a part of the ids of 2 items"]),
    ],
)
def test_a_folder_of_images_tells_of_subsets(subsets, told):
    items = [image_item("1", one).with_(annotated=None) for one in subsets]
    fidelity = formats.write(Dataset.from_items(items), formats.find("image_dir"), MemorySink())
    assert fidelity.lines() == told
    assert fidelity.lossless == (told == [])


# -- labels --------------------------------------------------------------------------------------

KNOWN = Labels(
    (
        Category(name="cat", color=(1, 2, 3), parent="animal", display_name="Cat"),
        Category(name="person", keypoints=("nose", "eye"), joints=((0, 1),), color=(9, 8, 7)),
        Category(name="dog", attributes=(AttributeSpec(name="breed", type="text", default=""),)),
        Category(name="animal"),
    )
)
UNHELD = {
    "yolo": "parent display_name color keypoints joints attributes",
    "yolo_pose": "parent display_name color joints attributes",
    "voc": "parent display_name keypoints joints attributes",
    "coco": "display_name attributes",
    "coco_instances": "display_name attributes keypoints joints",
    "cvat": "parent display_name",
    "datumaro": "",
}


@pytest.mark.parametrize("name", sorted(UNHELD))
def test_what_is_lost_of_labels_is_told(name: str):
    points = Points([1.0, 2.0, 3.0, 4.0], visibility=[2, 2], label="person", group=1)
    box = Bbox(1.0, 1.0, 9.0, 9.0, label="person", group=1)
    data = Dataset.from_items([image_item("1", "train", box, points)], KNOWN)
    sink = MemorySink()
    format = formats.find(name)
    fidelity = formats.write(data, format, sink)
    sink.finish()
    told = {one[6:] for one in fidelity.lost_fields if one.startswith("label.")}
    assert told == set(UNHELD[name].split())
    read = formats.read(MemorySource(sink.files, media=sink.origins), format)
    found = {one.name: one for one in read.labels}
    assert told == {
        field
        for one in KNOWN
        for field in ("parent", "display_name", "color", "keypoints", "joints", "attributes")
        if getattr(found[one.name], field) != getattr(one, field) and getattr(one, field)
    }


def test_labels_that_have_no_place_are_told_by_name():
    data = Dataset.from_items([image_item("1", "train", Caption("a cat"))], KNOWN)
    for name in ("image_dir", "coco_captions"):
        fidelity = formats.write(data, formats.find(name), MemorySink())
        assert "the names of 4 labels are left out" in fidelity.lines()
        assert not fidelity.lossless
    data = Dataset.from_items([image_item("1", "train", Bbox(1.0, 1.0, 2.0, 2.0))], KNOWN)
    pose = formats.write(data, formats.find("coco_person_keypoints"), MemorySink())
    assert pose.lost_fields["label.name"] == 3
    spec = AttributeSpec(name="weather")
    common = Dataset.from_items([], Labels(["a", "b"], attributes=(spec,)))
    fidelity = formats.write(common, formats.find("yolo"), MemorySink())
    assert fidelity.lines() == ["the declared attributes of 2 labels are left out"]
    assert fidelity.report()["lost_fields"] == {"label.attributes": 2}


@pytest.mark.parametrize("count", [0, 1, 2])
def test_each_sentence_is_right_for_none_for_one_and_for_several(count):
    fidelity = Fidelity("yolo", "YOLO")
    fidelity.converted.update({("polygon", "bbox"): count, ("polygon", "polygon"): count})
    fidelity.converted.update({("points", "ellipse"): count})
    for counter in (fidelity.left_out, fidelity.dropped, fidelity.unlabelled, fidelity.merged):
        counter["image"] = count
    fidelity.outside["bbox"] = count
    lost = ("attributes", "covered", "group", "id", "score", "track", "z_order")
    fidelity.lost_fields.update(dict.fromkeys(lost, count))
    fidelity.lost_fields.update(dict.fromkeys(("item.attributes", "item.id"), count))
    fidelity.lost_fields["item.subset"] = count
    of_labels = ("name", "parent", "display_name", "color", "keypoints", "joints", "attributes")
    fidelity.lost_fields.update({f"label.{one}": count for one in of_labels})
    fidelity.lost_attributes["color"] = count
    assert fidelity.lines() == TOLD[count]
    assert fidelity.lossless is (count == 0)
    assert fidelity.report()["dropped"] == ({"image": count} if count else {})
    assert fidelity.report()["lost_fields"] == (dict(fidelity.lost_fields) if count else {})


TOLD = {
    0: [],
    1: [
        "1 image is left out, with all annotations: YOLO cannot hold it",
        "1 image is left out: YOLO cannot hold it",
        "1 image without a label is left out: YOLO needs labels",
        "1 box outside the image is left out: YOLO holds no tracks, and there it ends",
        "1 image is left out: another shape of the same instance stands for it",
        "1 polygon became a box",
        "1 polygon became a polygon of one ring",
        "1 set of points became an ellipse",
        "the attribute (color) of 1 annotation is left out",
        "the covered parts of 1 annotation are left out",
        "the group of 1 annotation is left out",
        "the id of 1 annotation is left out",
        "the score of 1 annotation is left out",
        "the track of 1 annotation is left out",
        "the z-order of 1 annotation is left out",
        "the attributes of 1 item are left out",
        "the subset became a part of the id of 1 item",
        "the subset of 1 item is left out",
        "the name of 1 label is left out",
        "the parent of 1 label is left out",
        "the display name of 1 label is left out",
        "the colour of 1 label is left out",
        "the keypoint names of 1 label are left out",
        "the joints of 1 label are left out",
        "the declared attributes of 1 label are left out",
    ],
    2: [
        "2 images are left out, with all annotations: YOLO cannot hold them",
        "2 images are left out: YOLO cannot hold them",
        "2 images without a label are left out: YOLO needs labels",
        "2 boxes outside the image are left out: YOLO holds no tracks, and there they end",
        "2 images are left out: another shape of the same instance stands for them",
        "2 polygons became boxes",
        "2 polygons became polygons of one ring",
        "2 sets of points became ellipses",
        "the attributes (color) of 2 annotations are left out",
        "the covered parts of 2 annotations are left out",
        "the groups of 2 annotations are left out",
        "the ids of 2 annotations are left out",
        "the scores of 2 annotations are left out",
        "the tracks of 2 annotations are left out",
        "the z-orders of 2 annotations are left out",
        "the attributes of 2 items are left out",
        "the subset became a part of the ids of 2 items",
        "the subsets of 2 items are left out",
        "the names of 2 labels are left out",
        "the parents of 2 labels are left out",
        "the display names of 2 labels are left out",
        "the colours of 2 labels are left out",
        "the keypoint names of 2 labels are left out",
        "the joints of 2 labels are left out",
        "the declared attributes of 2 labels are left out",
    ],
}


def test_items_without_objects_are_told_where_they_look_like_ones_that_nobody_looked_at():
    items = [
        image_item("objects", "s", Bbox(1.0, 2.0, 3.0, 4.0, label="cat")),
        image_item("captioned", "s", Caption("left out, but somebody looked")),
        *(image_item(f"empty {n}", "s") for n in range(3)),
        image_item("unseen", "s").with_(annotated=None),
        image_item("refused", "s").with_(annotated=False),
    ]

    def told(annotated: str) -> tuple[list[str], dict]:
        fidelity = Fidelity("yolo")
        format = record("bbox", "caption", annotated=annotated)
        data = fitted(Dataset.from_items(items, labels=["cat"]), format, fidelity)
        assert len(list(data)) == 7
        assert fidelity.lossless == (annotated == "held")
        return fidelity.lines(), fidelity.report()["lost_fields"]

    assert told("held") == ([], {})
    assert told("never") == (
        ["3 items without objects cannot be told from those that nobody looked at"],
        {"item.annotated": 3},
    )
    assert told("always") == (
        ["2 items that nobody looked at cannot be told from those without objects"],
        {"item.unannotated": 2},
    )


@pytest.mark.parametrize(
    ("format", "tasks", "lost"),
    [
        ("coco", (), {}),
        ("coco", ("instances",), {"item.unannotated": 1}),
        ("coco", ("image_info",), {"item.annotated": 1}),
        ("coco", ("image_info", "instances"), {"item.unannotated": 1}),
        ("voc", ("segmentation",), {"item.annotated": 1}),
        ("voc", ("segmentation", "detection"), {}),
    ],
)
def test_tasks_that_are_chosen_say_whether_items_were_looked_at(format, tasks, lost):
    items = [image_item("empty", "s"), image_item("unseen", "s").with_(annotated=None)]
    sink = MemorySink()
    fidelity = formats.write(Dataset.from_items(items), formats.find(format), sink, tasks=tasks)
    assert fidelity.lost_fields == lost
    sink.finish()
    source = MemorySource(sink.files, media=sink.origins)
    back = {item.id: item.annotated is True for item in formats.read(source, formats.find(format))}
    assert back["empty"] is ("item.annotated" not in lost)
    assert back["unseen"] is ("item.unannotated" in lost)


def test_who_made_a_dataset_and_its_licences_are_told_once():
    info = {"description": "A", "year": 2019}
    about = {
        "task": "captions",
        "subset": "s",
        "info": info,
        "licenses": [{"id": 1}, {"id": 2}],
        "lists": ["x"],
    }
    empty = {"info": {"url": None, "version": ""}, "licenses": [], "license": None}
    nothing = {"task": "labels", "subset": "s", **empty}
    metadata = {"coco": {"files": {"a": about, "b": {**about, "task": "labels"}, "c": nothing}}}

    def told(format: str, metadata: dict) -> list[str]:
        data = Dataset(Labels(), lambda: iter([image_item("x", "s")]), metadata=metadata)
        fidelity = formats.write(data, formats.find(format), MemorySink())
        assert fidelity.lossless == (not fidelity.lines())
        return fidelity.lines()

    assert told("yolo_detect", metadata) == [
        "2 licences of the dataset are left out",
        "the description of the dataset (info) is left out",
    ]
    assert told("coco", metadata) == told("coco_instances", metadata) == []
    assert told("datumaro", metadata) == []
    assert told("coco", {"yolo": {"license": "AGPL-3.0", "author": "B"}}) == [
        "the licence of the dataset is left out"
    ]
    assert told("yolo_obb", {"yolo": {"license": "AGPL-3.0"}}) == []
    assert told("voc", {"coco": {"files": {"c": nothing}}, "cvat": {"files": 3}}) == []


def test_keypoints_are_no_second_box_of_an_object():
    whole, nose = Polygon(TRIANGLE, label="cat", group=1), Points([2.0, 2.0], label="cat", group=1)
    other = Points([5.0, 5.0, 9.0, 9.0], label="cat", group=2)
    prefers = {"points": ("bbox",)}
    notes, fidelity = fit(record("bbox", prefers=prefers), nose, whole, other)
    assert [note.geometry for note in notes] == [(1.0, 1.0, 8.0, 8.0), (5.0, 5.0, 4.0, 4.0)]
    assert fidelity.merged == {"points": 1}
    notes, _ = fit(record("bbox", prefers={**prefers, "polygon": ()}), nose, whole)
    assert [note.geometry for note in notes] == [(2.0, 2.0, 0.0, 0.0)]
