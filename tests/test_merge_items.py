"""Three versions of one item become one: every kind of conflict, each with its resolutions."""

import pytest

from dvcs.compare import IdTrust
from dvcs.merge import Context, Counts, Decision, Judge, Options, merge_items
from dvcs.model import (
    Bbox,
    Caption,
    Item,
    Label,
    Media,
    MediaFile,
    Points,
    Polygon,
    RotatedBbox,
)

KEPT = IdTrust(equal=10, kept=10)


def box(x, y=0.0, w=10.0, h=10.0, **fields):
    return Bbox(x=float(x), y=float(y), w=float(w), h=float(h), **fields)


def polygon(x, **fields):
    ring = [x, 0.0, x + 10.0, 0.0, x + 10.0, 10.0, x, 10.0]
    return Polygon(parts=[[ring]], **fields)


def item(*notes, **fields):
    return Item(fields.pop("id", "a"), annotations=list(notes), **fields)


def image(letter="a", **fields):
    return Media(files=(MediaFile(ext=".png", sha256=letter * 64),), **fields)


class Merged:
    """A merge of three items, or of three lists of annotations."""

    def __init__(self, base, ours, theirs, decisions=None, *, strategy="three-way", **options):
        sides = [
            one if one is None or isinstance(one, Item) else item(*one)
            for one in (base, ours, theirs)
        ]
        self.judge = Judge(
            {
                key: one if isinstance(one, Decision) else Decision(one)
                for key, one in (decisions or {}).items()
            },
            strategy=strategy,
        )
        self.counts = Counts()
        context = Context(
            judge=self.judge, options=Options(**options), counts=self.counts, trust=(KEPT, KEPT)
        )
        self.item = merge_items(*sides, context)

    @property
    def notes(self):
        return list(self.item.annotations)

    @property
    def conflicts(self):
        return [(one.key, one.kind) for one in self.judge.conflicts if one.decision is None]

    @property
    def open(self):
        (one,) = [one for one in self.judge.conflicts if one.decision is None]
        return one


def decided(base, ours, theirs, key, *choice):
    """Return the annotations after one decision, which must be the only one that is needed."""
    done = Merged(base, ours, theirs, {key: Decision(*choice)})
    assert done.conflicts == []
    return [] if done.item is None else done.notes


# -- what merges by itself -----------------------------------------------------------------------


def test_both_sides_change_different_annotations():
    a, b = box(0, id=1), box(50, id=2)
    done = Merged([a, b], [a.with_(label="cat"), b], [a, b.with_(label="dog")])
    assert [one.label for one in done.notes] == ["cat", "dog"]
    assert done.conflicts == []


def test_both_sides_change_different_fields_of_one_annotation():
    a = box(0, id=1, label="cat", attributes={"pose": "left"})
    ours = a.with_(x=1.0, attributes={"pose": "left", "new": 1})
    theirs = a.with_(label="dog", attributes={})
    done = Merged([a], [ours], [theirs])
    assert done.notes == [box(1, id=1, label="dog", attributes={"new": 1})]
    assert done.conflicts == []


def test_additions_of_both_sides_and_a_deletion():
    a = box(0, id=1)
    done = Merged([a], [a, box(40, id=2)], [box(80, id=3)])
    assert [one.x for one in done.notes] == [40, 80]


def test_a_moved_box_and_a_polygon_drawn_elsewhere():
    a = box(0, id=1)
    done = Merged([a], [box(3, id=1)], [a, polygon(50.0, id=9)])
    assert done.notes == [box(3, id=1), polygon(50.0, id=9)]


def test_order_without_ids_is_that_of_the_files():
    a, b = box(0), box(50)
    done = Merged([a, b], [box(100), a, b], [a, b, box(200)])
    assert [one.x for one in done.notes] == [100, 0, 50, 200]


# -- geometry ------------------------------------------------------------------------------------

BASE, OURS, THEIRS = box(0, id=1, w=20), box(5, id=1, w=20), box(-5, id=1, w=20)


def test_a_shape_moved_to_two_places_is_a_conflict():
    done = Merged([BASE], [OURS], [THEIRS])
    assert done.conflicts == [("1.geometry", "geometry")]
    assert done.open.base == {"type": "bbox", "x": 0.0, "y": 0.0, "w": 20.0, "h": 10.0}
    assert (done.open.ours["x"], done.open.theirs["x"]) == (5.0, -5.0)
    assert done.notes == [OURS]


@pytest.mark.parametrize(
    ("choice", "value", "places"),
    [
        ("ours", None, [5]),
        ("theirs", None, [-5]),
        ("base", None, [0]),
        ("union", None, [5, -5]),
        ("value", {"x": 2.0, "y": 0.0, "w": 20.0, "h": 10.0}, [2]),
    ],
)
def test_a_geometry_conflict_is_resolved(choice, value, places):
    notes = decided([BASE], [OURS], [THEIRS], "1.geometry", choice, value)
    assert [one.x for one in notes] == places
    assert len({one.id for one in notes}) == len(notes)


def test_a_value_that_is_no_shape_decides_nothing():
    for value in (None, {"x": 1}, {"x": "a", "y": 0, "w": 1, "h": 1}, [1], {"type": "blob"}):
        done = Merged([BASE], [OURS], [THEIRS], {"1.geometry": Decision("value", value)})
        assert done.conflicts == [("1.geometry", "geometry")]


def test_a_value_may_be_of_another_kind():
    shape = {"type": "rotated_bbox", "cx": 1.0, "cy": 2.0, "w": 3.0, "h": 4.0, "angle": 5.0}
    (note,) = decided([BASE], [OURS], [THEIRS], "1.geometry", "value", shape)
    assert note == RotatedBbox(id=1, cx=1.0, cy=2.0, w=3.0, h=4.0, angle=5.0)


def test_nearly_equal_moves_are_settled_and_counted():
    done = Merged([box(0, id=1, w=100)], [box(10, id=1, w=100)], [box(10.5, id=1, w=100)])
    assert done.notes == [box(10, id=1, w=100)]
    assert done.conflicts == []
    assert done.counts.settled == 1


def test_how_nearly_equal_is_told_by_an_option():
    sides = [box(0, id=1, w=100)], [box(10, id=1, w=100)], [box(10.5, id=1, w=100)]
    assert Merged(*sides, agree=0.999).conflicts == [("1.geometry", "geometry")]
    assert Merged([BASE], [OURS], [THEIRS], agree=0.3).conflicts == []


def test_the_same_move_on_both_sides_is_no_conflict():
    done = Merged([BASE], [OURS], [OURS.with_(label="cat")])
    assert done.notes == [OURS.with_(label="cat")]


def test_another_visibility_is_never_settled():
    points = [float(n) for n in range(34)]
    base, ours, theirs = (Points(id=1, points=points, visibility=[v] + [2] * 16) for v in (2, 1, 0))
    assert Merged([base], [ours], [theirs]).conflicts == [("1.geometry", "geometry")]


def test_captions_changed_twice_are_a_conflict_however_alike():
    base, ours, theirs = (
        Caption(id=1, caption=f"a cat on a {mat} mat in the sun") for mat in ("red", "rad", "reed")
    )
    done = Merged([base], [ours], [theirs])
    assert done.conflicts == [("1.geometry", "caption")]
    assert decided([base], [ours], [theirs], "1.geometry", "theirs") == [theirs]


# -- label, attributes, other fields -------------------------------------------------------------


def labelled(*names):
    return [[box(0, id=1, label=name)] for name in names]


@pytest.mark.parametrize(
    ("choice", "value", "labels"),
    [
        ("ours", None, ["dog"]),
        ("theirs", None, ["cow"]),
        ("base", None, ["cat"]),
        ("union", None, ["dog", "cow"]),
        ("value", "sheep", ["sheep"]),
        ("value", None, [None]),
    ],
)
def test_a_label_conflict_is_resolved(choice, value, labels):
    sides = labelled("cat", "dog", "cow")
    done = Merged(*sides)
    assert done.conflicts == [("1.label", "label")]
    assert done.open.labels == ("cat", "cow", "dog")
    notes = decided(*sides, "1.label", choice, value)
    assert [one.label for one in notes] == labels


def test_two_labels_of_an_image_changed_twice():
    sides = [Label(label="cat")], [Label(label="dog")], [Label(label="cow")]
    assert Merged(*sides).conflicts == [("n1.label", "label")]
    assert decided(*sides, "n1.label", "theirs") == [Label(label="cow")]
    assert decided(*sides, "n1.label", "union") == [Label(label="dog"), Label(label="cow")]


def test_single_labels_added_on_both_sides():
    sides = [], [Label(label="dog")], [Label(label="cow")]
    assert Merged(*sides).conflicts == [("new-n1.added", "added-both")]
    assert decided(*sides, "new-n1.added", "theirs") == [Label(label="cow")]
    assert Merged([], [Label(label="dog")], [Label(label="dog")]).notes == [Label(label="dog")]


def test_several_labels_of_an_image_stand_side_by_side():
    cat, dog, cow = (Label(label=one) for one in ("cat", "dog", "cow"))
    done = Merged([cat], [cat, dog], [cat, cow])
    assert {one.label for one in done.notes} == {"cat", "dog", "cow"}
    assert done.conflicts == []


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "choice", "expected"),
    [
        ({"a": 1}, {"a": 2}, {"a": 3}, "ours", {"a": 2}),
        ({"a": 1}, {"a": 2}, {"a": 3}, "theirs", {"a": 3}),
        ({"a": 1}, {"a": 2}, {"a": 3}, "base", {"a": 1}),
        ({"a": 1}, {}, {"a": 3}, "ours", {}),
        ({}, {"a": True}, {"a": 1}, "theirs", {"a": 1}),
        ({}, {"a": 2}, {"a": 3}, "base", {}),
        ({"a": [1]}, {"a": [1, 2]}, {"a": [1, 3]}, "union", {"a": [1, 2, 3]}),
    ],
)
def test_an_attribute_conflict_is_resolved(base, ours, theirs, choice, expected):
    sides = [[box(0, id=1, attributes=one)] for one in (base, ours, theirs)]
    assert Merged(*sides).conflicts == [("1.attributes.a", "attribute")]
    (note,) = decided(*sides, "1.attributes.a", choice)
    assert note.attributes == expected
    assert [type(one) for one in note.attributes.values()] == [
        type(one) for one in expected.values()
    ]


def test_scalars_have_no_union():
    sides = [[box(0, id=1, attributes={"a": n})] for n in (1, 2, 3)]
    assert Merged(*sides, {"1.attributes.a": "union"}).conflicts != []
    assert Merged(*sides, strategy="union").conflicts == [("1.attributes.a", "attribute")]


@pytest.mark.parametrize(
    ("field", "values"),
    [("score", (0.1, 0.2, 0.3)), ("z_order", (1, 2, 3)), ("track", (1, 2, 3))],
)
def test_other_fields_changed_twice(field, values):
    sides = [[box(0, id=1, **{field: value})] for value in values]
    assert Merged(*sides).conflicts == [(f"1.{field}", field)]
    assert decided(*sides, f"1.{field}", "value", values[0]) == sides[0]
    assert (
        Merged(
            *sides, {f"1.{field}": Decision("value", "x" if field != "track" else [1])}
        ).conflicts
        != []
    )


def test_what_formats_said_merges_by_key():
    base, ours, theirs = (
        box(0, id=1, extra={"coco": one})
        for one in ({"a": 1, "id": 1}, {"a": 2, "id": 5}, {"a": 1, "b": 3, "id": 6})
    )
    done = Merged([base], [ours], [theirs])
    assert done.notes[0].extra == {"coco": {"a": 2, "b": 3, "id": 5}}
    assert done.conflicts == []


# -- deleted -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("choice", "places"), [("ours", []), ("theirs", [5]), ("base", [0]), ("union", [5])]
)
def test_deleted_here_and_changed_there(choice, places):
    sides = [BASE], [], [OURS]
    done = Merged(*sides)
    assert done.conflicts == [("1.deleted", "deleted")]
    assert done.notes == []
    assert [one.x for one in decided(*sides, "1.deleted", choice)] == places
    swapped = {"ours": "theirs", "theirs": "ours"}.get(choice, choice)
    assert [one.x for one in decided([BASE], [OURS], [], "1.deleted", swapped)] == places
    assert Merged([BASE], [OURS], []).notes == [OURS]


def test_deleted_on_one_side_and_left_alone_on_the_other():
    assert Merged([BASE], [], [BASE]).notes == []
    assert (
        Merged([BASE, box(90, id=2)], [box(90, id=2)], [BASE.with_(id=7), box(91, id=2)]).conflicts
        == []
    )


def test_an_instance_is_deleted_as_a_whole():
    parts = [polygon(0.0, id=1, group=1), box(0, id=2, group=1)]
    changed = [parts[0].with_(label="cat"), parts[1]]
    done = Merged(parts, [], changed)
    assert done.conflicts == [("1.deleted", "deleted")]
    assert len(done.open.theirs) == 2
    kept = decided(parts, [], changed, "1.deleted", "theirs")
    assert kept == changed
    assert decided(parts, [], changed, "1.deleted", "ours") == []


def test_one_part_of_an_instance_deleted_and_another_changed():
    parts = [polygon(0.0, id=1, group=1), box(0, id=2, group=1)]
    done = Merged(parts, parts[:1], [parts[0].with_(label="cat"), parts[1]])
    assert done.notes == [polygon(0.0, id=1, label="cat")]
    assert done.conflicts == []


def test_an_item_deleted_here_and_changed_there():
    sides = item(BASE), None, item(OURS)
    done = Merged(*sides)
    assert (done.item, done.conflicts) == (None, [("item.deleted", "deleted")])
    assert decided(*sides, "item.deleted", "ours") == []
    assert decided(*sides, "item.deleted", "theirs") == [OURS]
    assert decided(*sides, "item.deleted", "base") == [BASE]
    assert decided(*sides, "item.deleted", "union") == [OURS]


def test_an_item_deleted_here_and_only_renumbered_there():
    done = Merged(item(BASE), None, item(BASE.with_(id=8)))
    assert (done.item, done.conflicts) == (None, [])


# -- added ---------------------------------------------------------------------------------------


def test_the_same_object_added_on_both_sides_becomes_one():
    ours, theirs = box(0, id=5, w=100, label="cat"), box(1, id=5, w=100, label="cat", score=0.5)
    done = Merged([], [ours], [theirs])
    assert done.notes == [ours.with_(score=0.5)]
    assert (done.conflicts, done.counts.united, done.counts.renumbered) == ([], 1, 0)


def test_attributes_of_the_same_object_that_differ_are_a_conflict():
    ours, theirs = (box(0, id=5, attributes={"a": n}) for n in (1, 2))
    sides = [], [ours], [theirs]
    assert Merged(*sides).conflicts == [("new-5.attributes.a", "attribute")]
    assert decided(*sides, "new-5.attributes.a", "theirs") == [theirs]


@pytest.mark.parametrize(
    ("choice", "places"), [("ours", [0]), ("theirs", [3]), ("base", []), ("union", [0, 3])]
)
def test_nearly_the_same_object_added_on_both_sides(choice, places):
    sides = [], [box(0, id=5, label="cat")], [box(3, id=5, label="cat")]
    done = Merged(*sides)
    assert done.conflicts == [("new-5.added", "added-both")]
    notes = decided(*sides, "new-5.added", choice)
    assert [one.x for one in notes] == places
    assert len({one.id for one in notes}) == len(notes)


def test_the_same_shape_added_with_two_labels():
    sides = [], [box(0, label="cat")], [box(0, label="dog")]
    assert Merged(*sides).conflicts == [("new-n1.added", "added-both")]


def test_things_of_other_labels_may_overlap():
    done = Merged([], [box(0, label="person")], [box(3, label="bicycle")])
    assert len(done.notes) == 2
    assert done.conflicts == []


def test_what_is_far_apart_was_added_twice_for_good():
    done = Merged([], [box(0, id=5, label="cat")], [box(80, id=5, label="cat")])
    assert [(one.x, one.id) for one in done.notes] == [(0, 5), (80, 6)]
    assert done.counts.renumbered == 1


def test_texts_that_collide_get_a_number():
    done = Merged([], [box(0, id="k")], [box(80, id="k")])
    assert [one.id for one in done.notes] == ["k", "k-2"]


def test_instances_added_on_both_sides_are_one_conflict():
    ours = [polygon(0.0, id=1, group=1, label="cat"), box(0, id=2, group=1, label="cat")]
    theirs = [polygon(3.0, id=1, group=1, label="cat"), box(3, id=2, group=1, label="cat")]
    done = Merged([], ours, theirs)
    assert done.conflicts == [("new-1.added", "added-both")]
    assert decided([], ours, theirs, "new-1.added", "theirs") == theirs
    both = decided([], ours, theirs, "new-1.added", "union")
    assert [one.group for one in both] == [1, 1, 2, 2]


def test_several_captions_stand_side_by_side():
    done = Merged([], [Caption(caption="a cat on a mat")], [Caption(caption="a cat on the mat")])
    assert len(done.notes) == 2
    same = [Caption(caption="a cat")]
    assert Merged([], same, same).notes == same


# -- groups and tracks ---------------------------------------------------------------------------


def test_groups_added_on_both_sides_stay_apart():
    def pair(x):
        return [polygon(x, group=1), box(x + 2, y=2, w=2, h=2, group=1)]

    done = Merged([], pair(0.0), pair(90.0))
    assert [one.group for one in done.notes] == [1, 1, 2, 2]


def test_joined_on_one_side_and_extended_on_the_other():
    a, b, c = box(0, id=1), box(30, id=2), box(60, id=3)
    ours = [a.with_(group=1), b.with_(group=1), c]
    theirs = [a, b, c, box(90, id=4)]
    done = Merged([a, b, c], ours, theirs)
    assert [one.group for one in done.notes] == [1, 1, 0, 0]
    theirs = [a, b.with_(group=1), c.with_(group=1)]
    done = Merged([a, b, c], ours, theirs)
    assert [one.group for one in done.notes] == [1, 1, 1]


def test_taken_apart_on_one_side():
    a, b = box(0, id=1, group=1), box(30, id=2, group=1)
    done = Merged([a, b], [a.with_(group=0), b.with_(group=0)], [a, b.with_(label="cat")])
    assert [(one.group, one.label) for one in done.notes] == [(0, None), (0, "cat")]


def tracked(x, *, keyframe, **fields):
    return box(x, id=1, track=1, attributes={"keyframe": keyframe}, **fields)


def test_interpolated_shapes_never_conflict():
    base, ours, theirs = (tracked(x, keyframe=False) for x in (0, 5, -5))
    assert Merged([base], [ours], [theirs]).conflicts == []
    assert Merged([base], [], [theirs]).notes == []


def test_a_keyframe_stands_above_an_interpolated_shape():
    base, key, other = (
        tracked(0, keyframe=False),
        tracked(5, keyframe=True),
        tracked(-5, keyframe=False),
    )
    for sides in ((base, key, other), (base, other, key)):
        done = Merged(*([one] for one in sides))
        assert done.notes == [key]
        assert done.conflicts == []


# -- media and the item --------------------------------------------------------------------------


def test_media_replaced_on_both_sides_is_one_conflict_of_the_whole_item():
    base, ours, theirs = (
        item(box(n * 30, id=1), media=image(letter)) for n, letter in enumerate("abc")
    )
    done = Merged(base, ours, theirs)
    assert done.conflicts == [("media", "media")]
    assert done.item == ours
    for choice, expected in (("ours", ours), ("theirs", theirs), ("base", base)):
        assert Merged(base, ours, theirs, {"media": choice}).item == expected


def test_two_media_added_under_one_name():
    ours, theirs = item(box(0), media=image("b")), item(box(50), media=image("c"))
    assert Merged(None, ours, theirs).conflicts == [("media", "media")]
    assert Merged(None, ours, theirs, {"media": "theirs"}).item == theirs


def test_an_item_added_on_both_sides():
    ours, theirs = item(box(0), media=image()), item(box(50), media=image())
    done = Merged(None, ours, theirs)
    assert [one.x for one in done.notes] == [0, 50]
    assert done.conflicts == []


def test_media_missing_on_one_side_is_filled():
    bare = Media(files=(MediaFile(ext=".png"),))
    known = image(height=4, width=5)
    done = Merged(item(), item(box(0), media=bare), item(media=known))
    assert done.item.media == known
    assert done.counts.filled == 0
    done = Merged(
        item(media=bare),
        item(box(0), media=Media(files=bare.files, width=5)),
        item(media=image(height=4)),
    )
    assert done.item.media == image(height=4, width=5)
    assert done.counts.filled == 1


def test_media_replaced_on_one_side_and_annotated_on_the_other():
    done = Merged(item(media=image("a")), item(media=image("b")), item(box(0), media=image("a")))
    assert done.item == item(box(0), media=image("b"))


def test_a_file_renamed_twice_is_a_conflict_of_its_name():
    def named(name):
        return item(media=Media(files=(MediaFile(ext=".png", sha256="a" * 64, name=name),)))

    sides = named("a.png"), named("b.png"), named("c.png")
    assert Merged(*sides).conflicts == [("media.name", "media")]
    assert Merged(*sides, {"media.name": "theirs"}).item == sides[2]


def test_attributes_of_an_item_conflict_by_key():
    sides = [item(attributes={"weather": one, "n": 1}) for one in ("sun", "rain", "snow")]
    assert Merged(*sides).conflicts == [("item.attributes.weather", "attribute")]
    for n, choice in enumerate(("base", "ours", "theirs")):
        assert Merged(*sides, {"item.attributes.weather": choice}).item == sides[n]


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "expected"),
    [
        (None, True, False, True),
        (None, False, True, True),
        (True, False, True, False),
        (True, True, None, None),
        (False, None, True, True),
    ],
)
def test_who_looked_at_an_image_has_looked_at_it(base, ours, theirs, expected):
    sides = [
        item(annotated=one, attributes={name: 1})
        for name, one in (("x", base), ("y", ours), ("z", theirs))
    ]
    assert Merged(*sides).item.annotated is expected


# -- strategies ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("strategy", "places"), [("ours", [5]), ("theirs", [-5]), ("union", [5, -5])]
)
def test_a_strategy_decides_conflicts_only(strategy, places):
    done = Merged([BASE], [OURS], [THEIRS, box(90, id=2)], strategy=strategy)
    assert done.conflicts == []
    assert sorted(one.x for one in done.notes) == sorted([*places, 90])


def test_a_decision_stands_above_the_strategy():
    done = Merged([BASE], [OURS], [THEIRS], {"1.geometry": "base"}, strategy="theirs")
    assert [one.x for one in done.notes] == [0]
