"""What changed in an item and its annotations, and how that is told."""

import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvcs.compare import (
    IdTrust,
    Knowledge,
    Options,
    Rounding,
    compare_items,
    compare_pairs,
    describe,
    is_rounding,
    is_shortened,
    key,
    same,
)
from dvcs.model import (
    Bbox,
    Caption,
    Cuboid3d,
    Item,
    Label,
    Mask,
    Media,
    MediaFile,
    Points,
    Polygon,
    RotatedBbox,
)


def box(x, y=0.0, w=10.0, h=10.0, **fields):
    return Bbox(x=float(x), y=float(y), w=float(w), h=float(h), **fields)


def item(*notes, **fields):
    return Item(fields.pop("id", "a"), annotations=list(notes), **fields)


def compared(old, new, **options):
    """Compare two lists of annotations of which ids and tracks are known to be kept."""
    return compare_items(
        item(*old),
        item(*new),
        options=Options(**options),
        knowledge=Knowledge(IdTrust(equal=10, kept=10)),
    )


def only(old, new, **options):
    change = compared([old], [new], **options)
    assert change.status == "changed"
    assert len(change.annotations) == 1
    return change.annotations[0]


attributes = st.dictionaries(
    st.sampled_from(["occluded", "pose"]),
    st.one_of(st.booleans(), st.integers(0, 1), st.sampled_from([0.0, 1.0, "x", None])),
    max_size=2,
)
notes = st.lists(
    st.one_of(
        st.builds(
            box,
            st.floats(0, 30),
            st.integers(0, 30),
            st.integers(1, 20),
            st.integers(1, 20),
            label=st.sampled_from(["cat", "dog", None]),
            id=st.integers(0, 9),
            group=st.integers(0, 2),
            attributes=attributes,
        ),
        st.builds(Label, label=st.sampled_from(["cat", "dog"]), attributes=attributes),
        st.builds(Caption, caption=st.sampled_from(["a cat", "a cow", "nothing at all"])),
    ),
    max_size=5,
)
items = st.builds(
    Item,
    st.just("a"),
    annotations=notes,
    attributes=attributes,
    annotated=st.sampled_from([True, False, None]),
)


@given(items)
def test_an_item_does_not_differ_from_itself(a):
    assert compare_items(a, a) is None
    assert compare_items(a, a, options=Options(exact=True)) is None


@given(items, items)
def test_what_was_added_one_way_is_removed_the_other_way(a, b):
    exact = Options(exact=True)
    forward, backward = (compare_items(*two, options=exact) for two in ((a, b), (b, a)))
    if forward is None or backward is None:
        assert forward is backward
        return
    assert (forward.status, forward.fields) == (backward.status, backward.fields)
    counts = [
        {status: sum(one.status == status for one in change.annotations) for status in mirror}
        for change, mirror in (
            (forward, ("added", "removed")),
            (backward, ("removed", "added")),
        )
    ]
    assert list(counts[0].values()) == list(counts[1].values())


@given(items, items)
def test_annotations_are_conserved(a, b):
    change = compare_items(a, b, options=Options(exact=True))
    counts = {"added": 0, "removed": 0}
    for one in change.annotations if change else ():
        if one.status in counts:
            counts[one.status] += 1
    assert len(a.annotations) - counts["removed"] == len(b.annotations) - counts["added"]


@pytest.mark.parametrize(
    ("old", "new", "fields", "text"),
    [
        (
            box(10, w=100, h=100, label="cat"),
            box(13, -1.5, 112, 100, label="cat"),
            ("geometry",),
            "bbox cat at 10, 0, 100 x 100: moved by 3.0, -1.5, now 12 % wider; IoU 0.82",
        ),
        (box(0, label="cat"), box(0, label="dog"), ("label",), "bbox cat -> dog at 0, 0, 10 x 10"),
        (box(0), box(0, label="dog"), ("label",), "bbox unlabelled -> dog at 0, 0, 10 x 10"),
        (
            box(0, attributes={"occluded": False}),
            box(0, attributes={"occluded": True}),
            ("attributes",),
            "bbox at 0, 0, 10 x 10: attribute occluded: false -> true",
        ),
        (
            box(0, attributes={"n": 1, "old": "x"}),
            box(0, attributes={"n": True, "new": 0}),
            ("attributes",),
            (
                "bbox at 0, 0, 10 x 10: attribute n: 1 -> true; attribute old removed, was 'x'; "
                "attribute new added: 0"
            ),
        ),
        (
            box(0, score=0.5),
            box(0, score=0.75),
            ("score",),
            "bbox at 0, 0, 10 x 10: score: 0.5 -> 0.75",
        ),
        (box(0, z_order=1), box(0), ("z_order",), "bbox at 0, 0, 10 x 10: z_order: 1 -> 0"),
        (box(0, track=1), box(0, track=2), ("track",), "bbox at 0, 0, 10 x 10: track: 1 -> 2"),
        (
            box(0, extra={"f": {"x": 1}}),
            box(0, extra={"f": {"x": 2}}),
            ("extra",),
            "bbox at 0, 0, 10 x 10: format's own fields changed",
        ),
        (
            box(0, derived={"area": 100.0}),
            box(0, derived={"area": 90.0}),
            ("geometry",),
            "bbox at 0, 0, 10 x 10: derived values changed",
        ),
        (
            Polygon(parts=[[[0.0, 0.0, 10.0, 0.0, 10.0, 10.0, 0.0, 10.0]]], label="cat"),
            box(0, label="cat"),
            ("type", "geometry"),
            "polygon -> bbox cat at 0, 0, 10 x 10: similarity 1.00",
        ),
        (
            Polygon(parts=[[[0.0, 0.0, 8.0, 0.0, 8.0, 8.0, 0.0, 8.0]]], label="cat"),
            Polygon(parts=[[[0.0, 0.0, 8.0, 0.0, 8.0, 8.0, 2.0, 8.0]]], label="dog"),
            ("geometry", "label"),
            "polygon cat -> dog at 0, 0, 8 x 8: 1 of 4 points moved; IoU 0.88",
        ),
        (
            Polygon(parts=[[[0.0, 0.0, 8.0, 0.0, 8.0, 8.0, 0.0, 8.0]]], label="cat"),
            Polygon(parts=[[[2.0, 0.0, 10.0, 0.0, 10.0, 8.0, 2.0, 8.0]]], label="cat"),
            ("geometry",),
            "polygon cat at 0, 0, 8 x 8: moved by 2.0, 0.0; IoU 0.60",
        ),
        (
            Polygon(parts=[[[0.0, 0.0, 8.0, 0.0, 8.0, 8.0, 0.0, 8.0]]], label="cat"),
            Polygon(parts=[[[1.0, 0.0, 8.0, 0.0, 8.0, 8.0, 1.0, 8.0]]], label="cat"),
            ("geometry",),
            (
                "polygon cat at 0, 0, 8 x 8: 2 of 4 points moved, box moved by 1.0, 0.0, "
                "now 12 % narrower; IoU 0.88"
            ),
        ),
        (
            Points(points=[0.0, 0.0, 90.0, 90.0], visibility=[2, 2]),
            Points(points=[0.0, 0.0, 90.0, 90.0], visibility=[2, 1]),
            ("geometry",),
            "points at 0, 0, 90 x 90: visibility of 1 changed; OKS 1.00",
        ),
        (
            Caption(caption="a cat"),
            Caption(caption="a cat\x1b[31m"),
            ("geometry",),
            r"caption changed: 'a cat' -> 'a cat\x1b[31m'",
        ),
        (Label(label="cat"), Label(label="dog"), ("label",), "label cat -> dog"),
        (
            RotatedBbox(cx=5.0, cy=5.0, w=10.0, h=6.0, angle=350.0),
            RotatedBbox(cx=5.0, cy=5.0, w=10.0, h=6.0, angle=5.0),
            ("geometry",),
            "rotated_bbox at -0.4, 1.2, 10.9 x 7.6: turned by 15 degrees; IoU 0.79",
        ),
        (
            Cuboid3d(position=[0.0, 0.0, 0.0], scale=[4.0, 2.0, 2.0]),
            Cuboid3d(position=[0.5, 0.0, 0.0], scale=[4.0, 2.0, 2.0]),
            ("geometry",),
            "cuboid_3d: moved by 0.5, 0, 0; IoU 0.78",
        ),
        (
            Mask(size=(4, 4), counts="022000000"),
            Mask(size=(4, 4), counts="031000000"),
            ("geometry",),
            "mask at 0, 0, 4 x 2: now 50 % taller; IoU 0.67",
        ),
    ],
)
def test_fields_and_words_of_a_change(old, new, fields, text):
    change = only(old, new)
    assert change.fields == fields
    assert describe(change) == text


def test_added_and_removed_annotations_are_told_with_their_place():
    change = compared([box(500, 20, label="cat")], [Label(label="x\ny")])
    assert [describe(one) for one in change.annotations] == [
        "bbox cat removed at 500, 20, 10 x 10",
        "label 'x\\ny' added",
    ]
    assert [one.similarity for one in change.annotations] == [None, None]


def test_details_have_each_value_before_and_after():
    change = only(
        box(0, attributes={"a": 1, "b": 2}, label="cat"),
        box(2, attributes={"b": 3}, label="dog"),
    )
    assert change.details["label"] == ("cat", "dog")
    assert change.details["attributes.a"] == (1, msgspec.UNSET)
    assert change.details["attributes.b"] == (2, 3)
    assert change.details["geometry"] == (
        {"x": 0.0, "y": 0.0, "w": 10.0, "h": 10.0},
        {"x": 2.0, "y": 0.0, "w": 10.0, "h": 10.0},
    )
    assert change.similarity == pytest.approx(2 / 3)
    assert (change.before.label, change.after.label) == ("cat", "dog")


# -- numbers -------------------------------------------------------------------------------------


def test_other_ids_are_counted_and_no_change():
    old = [box(40 * at, id=at + 1) for at in range(5)]
    new = [note.with_(id=note.id + 100) for note in reversed(old)]
    change = compare_items(item(*old), item(*new))
    assert (change.status, change.annotations, change.renumbered) == ("unchanged", (), 5)
    assert not change.is_change


def test_other_group_numbers_are_nothing_but_another_partition_is():
    old = [box(0, group=1), box(40, group=1), box(80, group=2), box(120, group=2)]
    renumbered = [note.with_(group=note.group + 7) for note in old]
    assert compare_items(item(*old), item(*renumbered)) is None
    apart = [old[0], old[1], old[2].with_(group=0), old[3].with_(group=0)]
    change = compare_items(item(*old), item(*apart))
    assert [one.fields for one in change.annotations] == [("group",)] * 2
    assert change.annotations[0].details == {"group": (2, 0)}


def test_what_stays_of_an_instance_has_not_changed():
    change = compare_items(item(box(0, group=1), box(40, group=1)), item(box(0)))
    assert [one.status for one in change.annotations] == ["removed"]


def test_ids_in_a_formats_record_are_numbers_too():
    a = item(box(0, extra={"coco": {"id": 1, "x": 1}}), extra={"coco": {"id": 5, "license": 1}})
    b = item(box(0, extra={"coco": {"id": 2, "x": 1}}), extra={"coco": {"id": 6, "license": 1}})
    change = compare_items(a, b)
    assert (change.status, change.renumbered, change.item_renumbered) == ("unchanged", 1, True)
    c = b.with_(extra={"coco": {"id": 6, "license": 2}})
    assert compare_items(a, c).fields == ("extra",)


def test_renumbered_tracks_are_counted_where_they_stand_for_each_other():
    def frames(numbers):
        return [
            item(*(box(60 * n, 2 * at, track=numbers[n]) for n in range(3)), id=f"video/{at}")
            for at in range(4)
        ]

    old, new = frames([1, 2, 3]), frames([7, 8, 9])
    changes = list(compare_pairs(zip(old, new, strict=True)))
    assert [(one.status, one.renumbered) for one in changes] == [("unchanged", 3)] * 4
    # In the last frame two objects have swapped their numbers: that is a change.
    new[3] = item(*frames([8, 7, 9])[3].annotations, id="video/3")
    changes = list(compare_pairs(zip(old, new, strict=True)))
    assert [len(one.annotations) for one in changes] == [0, 0, 0, 2]
    assert {one.fields for one in changes[3].annotations} == {("track",)}


def test_one_other_track_among_kept_ones_is_a_change():
    old = [box(40 * at, track=at) for at in range(5)]
    new = [*old[:4], old[4].with_(track=9)]
    change = compare_items(item(*old), item(*new))
    assert [one.fields for one in change.annotations] == [("track",)]


def test_interpolated_shapes_are_no_change_by_themselves():
    between = {"keyframe": False}
    old = item(box(0, track=1, attributes=between), box(80, track=2, attributes=between))
    new = item(box(2, track=1, attributes=between))
    change = compare_items(old, new)
    assert (change.status, change.interpolated) == ("unchanged", 2)
    exact = compare_items(old, new, options=Options(exact=True))
    assert [one.status for one in exact.annotations] == ["changed", "removed"]


# -- rounding ------------------------------------------------------------------------------------


def fine_boxes(count=20):
    draw = random.Random(2)
    return [
        box(40 * at + draw.random(), draw.random(), 20 + draw.random(), 20 + draw.random(), id=at)
        for at in range(count)
    ]


def rounded(note, digits):
    return note.with_(**{name: round(getattr(note, name), digits) for name in "xywh"})


@pytest.mark.parametrize("digits", [0, 1, 2, 3])
def test_a_rounded_delivery_shows_only_what_was_edited(digits):
    old = fine_boxes()
    new = [rounded(note, digits).with_(id=100 - note.id) for note in old]
    new[3] = new[3].with_(x=new[3].x + 4)
    new[7] = new[7].with_(label="cat")
    change = compare_items(item(*old), item(*reversed(new)))
    assert sorted(one.fields for one in change.annotations) == [("geometry",), ("label",)]
    assert change.rounded == 18
    exact = compare_items(item(*old), item(*new), options=Options(exact=True))
    assert len(exact.annotations) == 20


def test_rounded_corners_are_rounded_boxes():
    old = fine_boxes()
    new = [
        note.with_(
            x=round(note.x, 1),
            y=round(note.y, 1),
            w=round(note.x + note.w, 1) - round(note.x, 1),
            h=round(note.y + note.h, 1) - round(note.y, 1),
        )
        for note in old
    ]
    assert compare_items(item(*old), item(*new)).rounded == 20


def test_finer_coordinates_than_before_are_a_change():
    old = fine_boxes()
    change = compare_items(item(*(rounded(note, 1) for note in old)), item(*old))
    assert len(change.annotations) == 20


def test_a_single_edit_to_a_round_number_is_a_change():
    old = fine_boxes()
    new = [*old[:19], rounded(old[19], 0)]
    assert len(compare_items(item(*old), item(*new)).annotations) == 1


def test_noise_of_floating_point_is_no_change_but_counted():
    change = compare_items(item(box(0.1 + 0.2)), item(box(0.3)))
    assert (change.status, change.rounded) == ("unchanged", 1)


def test_derived_values_may_be_off_by_what_rounding_causes():
    old = box(0.123, 0.456, 10.789, 20.123, derived={"area": 10.789 * 20.123})
    new = rounded(old, 1).with_(derived={"area": 10.8 * 20.1})
    assert is_rounding(old, new, 1)
    assert not is_rounding(old, new.with_(derived={"area": 100.0}), 1)
    assert not is_rounding(old, rounded(old, 1).with_(derived={}), 1)


def test_rounding_is_learnt_from_the_whole_comparison():
    old = fine_boxes()
    lonely = [
        (item(note, id=str(note.id)), item(rounded(note, 2), id=str(note.id))) for note in old
    ]
    assert [one.rounded for one in compare_pairs(lonely)] == [1] * 20
    assert len(compare_items(*lonely[0]).annotations) == 1
    known = Knowledge(rounding=Rounding(2))
    assert compare_items(*lonely[0], knowledge=known).rounded == 1


# -- the item ------------------------------------------------------------------------------------


def image(sha=None, size=None, width=None, ext=".jpg", **fields):
    files = (MediaFile(ext=ext, sha256=sha, size=size),)
    return Item("a", media=Media(files=files, width=width), **fields)


def test_learning_facts_about_media_is_a_fill():
    known = image("1" * 64, 20, 640)
    change = compare_items(image(), known)
    assert (change.status, change.filled, change.details) == ("unchanged", True, {})
    assert compare_items(Item("a"), known).filled
    assert compare_items(image(), image()) is None


def test_other_bytes_are_a_change_of_media():
    change = compare_items(image("1" * 64, 20, 640), image("2" * 64, 21, 640))
    assert change.fields == ("media",)
    assert change.details == {
        "media.sha256": ("1" * 64, "2" * 64),
        "media.size": (20, 21),
    }


def test_forgotten_facts_are_a_change_unless_media_is_partial():
    known = image("1" * 64, 20, 640)
    assert compare_items(known, image()).fields == ("media",)
    assert compare_items(known, Item("a")).fields == ("media",)
    partial = Options(partial_media=True)
    assert compare_items(known, image(), options=partial) is None
    assert compare_items(known, Item("a"), options=partial) is None
    assert compare_items(known, image("2" * 64), options=partial).fields == ("media",)


def test_a_file_name_that_follows_from_the_id_may_be_spelt_out():
    spelt = Item("a", media=Media(files=(MediaFile(ext=".jpg", name="a.jpg"),)))
    assert compare_items(image(), spelt) is None
    other = Item("a", media=Media(files=(MediaFile(ext=".jpg", name="b.jpg"),)))
    assert compare_items(image(), other).details == {"media.name": ("a.jpg", "b.jpg")}


def test_fields_of_the_item_itself():
    change = compare_items(
        image(attributes={"a": 1}, annotated=None), image(attributes={"a": 1.0}, annotated=True)
    )
    assert change.fields == ("attributes", "annotated")
    assert change.details == {"attributes.a": (1, 1.0), "annotated": (None, True)}


def test_order_counts_where_no_ids_order():
    change = compare_items(item(box(0), box(40)), item(box(40), box(0)))
    assert (change.status, change.fields, change.annotations) == ("changed", ("order",), ())
    assert (
        compare_items(item(box(0, id=1), box(40, id=2)), item(box(40, id=2), box(0, id=1))) is None
    )


def test_a_missing_side_is_added_or_removed_with_all_its_annotations():
    added = compare_items(None, item(box(0), box(40)))
    assert (added.status, [one.status for one in added.annotations]) == ("added", ["added"] * 2)
    removed = compare_items(item(box(0)), None)
    assert (removed.status, removed.annotations[0].after) == ("removed", None)
    assert compare_items(None, None) is None


def test_other_names_are_moved_or_renamed():
    a = item(box(0), subset="train")
    moved = compare_items(a, a.with_(subset="val"))
    assert (moved.status, moved.subset, moved.previous) == ("moved", "val", ("", "train", "a"))
    renamed = compare_items(a, a.with_(id="b", annotations=[]))
    assert (renamed.status, len(renamed.annotations)) == ("renamed", 1)


def test_a_renamed_label_changes_no_annotation():
    labels = {"cat": "feline"}
    assert compared([box(0, label="cat")], [box(0, label="feline")], labels=labels) is None
    change = only(box(0, label="cat"), box(0, label="dog"), labels=labels)
    assert change.before.label == "cat"


# -- equality ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("a", "b", "equal"),
    [
        (1, 1.0, False),
        (1, True, False),
        (0, False, True),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
        ([1, 2], [2, 1], False),
        ({"a": {"b": 1}}, {"a": {"b": True}}, False),
        ("x", "x", True),
        (None, None, True),
    ],
)
def test_json_values_are_the_same(a, b, equal):
    assert same(a, b) is equal


def test_a_key_leaves_out_numbers_only():
    note = box(0, id=1, group=2, label="cat", attributes={"b": 1, "a": 2})
    assert key(note) == key(box(0, id=9, label="cat", attributes={"a": 2, "b": 1}))
    assert key(note) != key(note.with_(attributes={"a": 2, "b": True}))
    assert key(note) != key(note.with_(track=1))
    assert isinstance(key(box(0, attributes={"x": object(), "y": 2**70, "z": "\ud800"})), bytes)


@pytest.mark.parametrize(
    ("new", "size", "short"),
    [
        ((10.123456, 20.5, 30.25, 40.123456), None, True),
        ((10.12, 20.5, 30.25, 40.12), None, True),
        ((10.123, 20.5, 30.25, 40.123), None, True),
        ((10.1, 20.5, 30.2, 40.1), None, False),
        ((10.12, 20.51, 30.25, 40.12), None, False),
        ((10.12355, 20.5001, 30.25, 40.1234), None, False),
        ((10.12355, 20.5001, 30.25, 40.1234), (600, 800), True),
        ((10.126, 20.5, 30.25, 40.1234), (600, 800), False),
    ],
)
def test_what_tools_write_with_fewer_digits(new, size, short):
    old = Bbox(10.123456, 20.5, 30.25, 40.123456)
    assert is_shortened(old, Bbox(*new), size) is short
