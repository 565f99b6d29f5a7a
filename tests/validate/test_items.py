"""Rules about one item: what breaks each, what does not, and how it is told."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvcs.errors import MissingObject, UnknownName, UsageError
from dvcs.files import BytesOrigin
from dvcs.model import (
    AttributeSpec,
    Bbox,
    Caption,
    Category,
    Cuboid3d,
    Dataset,
    Ellipse,
    Item,
    Label,
    Labels,
    Mask,
    Media,
    MediaFile,
    Other,
    Points,
    Polygon,
    PolyLine,
    RotatedBbox,
)
from dvcs.validate import RULES, ItemRules, Options, validate_items
from tests.gallery import exif_picture

LABELS = Labels(["cat", "dog"])
IMAGE = Media(height=48, width=64)


def box(x=1.0, y=2.0, w=10.0, h=8.0, **fields):
    return Bbox(x=x, y=y, w=w, h=h, **{"label": "cat", **fields})


def found(*notes, labels=LABELS, media=IMAGE, annotated=None, **options):
    """Return rule, annotation and description of what is found in one item."""
    item = Item(id="1", subset="train", media=media, annotations=notes, annotated=annotated)
    return [
        (one.anomaly_type, one.annotation.key if one.annotation else None, one.description)
        for one in validate_items([item], labels, Options(**options))
    ]


def test_a_sound_item_has_no_findings():
    assert found(box(), box(x=20.0, label="dog", id=7)) == []


def test_a_label_that_is_not_declared_is_an_error():
    (one,) = validate_items(
        [Item(id="a/1", subset="val", source="pets", annotations=[box(label="cow", id=12)])], LABELS
    )
    assert (one.anomaly_type, one.severity) == ("UndefinedLabel", "error")
    assert one.where == "pets/val/a/1#12"
    assert one.description == "the label 'cow' is not declared"


def test_an_annotation_without_a_label_is_told_and_does_no_harm():
    assert found(box(label=None), Caption(caption="a cat"), task=None) == [
        ("MissingLabel", "n1", "the bbox has no label")
    ]


def test_annotations_with_the_same_id_are_told_apart_by_their_place():
    told = found(box(w=-1.0), box(h=0.0), box(w=-2.0, h=-3.0))
    assert told == [
        ("NegativeLength", "n1", "width is -1"),
        ("NegativeLength", "n2", "height is 0"),
        ("NegativeLength", "n3", "width is -2, height is -3"),
    ]


def test_a_box_of_less_than_a_pixel_is_not_negative():
    assert found(box(w=0.5, h=0.25)) == []


@pytest.mark.parametrize(
    ("note", "rule", "said"),
    [
        (box(x=math.nan), "InvalidValue", "x is nan"),
        (box(w=math.inf), "InvalidValue", "width is inf"),
        (
            RotatedBbox(cx=9.0, cy=9.0, w=0.0, h=2.0, angle=3.0, label="cat"),
            "NegativeLength",
            "width is 0",
        ),
        (
            Ellipse(cx=9.0, cy=9.0, rx=1.0, ry=-2.0, angle=0.0, label="cat"),
            "NegativeLength",
            "ry is -2",
        ),
        (
            Polygon(parts=[[[1.0, 1.0, 2.0, 2.0]]], label="cat"),
            "InvalidShape",
            "an outline needs three points",
        ),
        (
            Polygon(parts=[[[1.0, 1.0, 2.0, 2.0, 3.0, 1.0, 4.0]]], label="cat"),
            "InvalidShape",
            "7 coordinates are no points: they come in pairs x, y",
        ),
        (
            Polygon(parts=[], label="cat"),
            "InvalidShape",
            "a polygon has a part without an outline",
        ),
        (
            Polygon(parts=[[[1.0, 1.0, math.inf, 2.0, 3.0, 1.0]]], label="cat"),
            "InvalidValue",
            "coordinates are inf",
        ),
        (
            PolyLine(points=[1.0, 2.0], label="cat"),
            "InvalidShape",
            "a polyline needs two points",
        ),
        (
            Points(points=[1.0, 2.0, 3.0, 4.0], visibility=[2], label="cat"),
            "InvalidShape",
            "2 points have 1 visibilities",
        ),
        (Mask(size=(48, 64), counts="0"), "InvalidShape", None),
        (
            Cuboid3d(position=[0.0, 0.0, 0.0], scale=[1.0, 0.0, 1.0], label="cat"),
            "NegativeLength",
            "width is 0",
        ),
    ],
)
def test_faults_of_shapes_are_errors(note, rule, said):
    told = [one for one in found(note) if one[0] != "MissingLabel"]
    assert [one[0] for one in told] == [rule]
    assert RULES[rule].severity == "error"
    if said is not None:
        assert told[0][2] == said


def test_an_empty_mask_has_no_extent():
    from dvcs.geometry import masks

    size, counts = masks.encode([[0, 0], [0, 0]])
    empty = Mask(size=size, counts=counts, label="cat")
    media = Media(height=2, width=2)
    assert found(empty, media=media) == [("NegativeLength", "n1", "the mask is empty")]


def test_shapes_beyond_their_image_are_told_with_how_far():
    assert found(box(x=60.0)) == [
        ("OutsideImage", "n1", "it reaches 6 pixels beyond the image, of 64 x 48")
    ]
    assert found(box(x=80.0)) == [
        ("OutsideImage", "n1", "it lies wholly outside of the image, of 64 x 48 pixels")
    ]
    assert found(box(x=54.5)) == []  # within the tolerance of a pixel
    assert found(box(x=54.5), tolerance=0)[0][0] == "OutsideImage"
    assert found(box(x=80.0), media=None) == []
    assert found(box(x=80.0, attributes={"outside": True})) == []


def test_absent_keypoints_at_the_origin_are_not_outside():
    note = Points(points=[-5.0, -5.0, 3.0, 4.0], visibility=[0, 2], label="cat")
    assert found(note) == []


def test_a_mask_must_be_of_its_images_size():
    from dvcs.geometry import masks

    size, counts = masks.from_box([1.0, 1.0, 5.0, 5.0], (32, 64))
    assert found(Mask(size=size, counts=counts, label="cat")) == [
        ("OutsideImage", "n1", "the mask is of 64 x 32 pixels, not 64 x 48")
    ]


def test_a_turned_box_is_measured_by_its_corners():
    def turned(angle):
        return RotatedBbox(cx=32.0, cy=6.0, w=40.0, h=10.0, angle=angle, label="cat")

    assert found(turned(0.0)) == []
    (one,) = found(turned(90.0))
    assert one[2] == "it reaches 14 pixels beyond the image, of 64 x 48"


def test_the_same_label_and_shape_twice_is_a_duplicate_whatever_the_ids():
    told = found(box(id=3), box(id=9, group=1, z_order=4, score=0.5), box(label="dog"))
    assert told == [("DuplicateAnnotation", "9", "the same label and shape as #3")]


def test_alike_things_that_are_no_duplicates():
    absent = Points(points=[0.0, 0.0], visibility=[0], label="cat")
    assert found(absent, absent.with_(id=2)) == []
    record = Other(format="x", record={})
    assert found(record, record) == []
    assert found(box(track=1), box(track=2)) == []


def test_a_duplicate_names_the_other_annotation():
    notes = [box(), Label(label="dog"), Label(label="dog")]
    (one,) = validate_items([Item(id="1", annotations=notes)], LABELS)
    assert one.description == "the same label as #n2"
    assert (one.related.index, one.related.kind) == (1, "label")


def test_polygons_are_duplicates_only_where_all_of_them_is_the_same():
    ring = [1.0, 1.0, 9.0, 1.0, 9.0, 9.0]
    one = Polygon(parts=[[ring]], label="cat")
    other = Polygon(parts=[[ring], [[20.0, 1.0, 29.0, 1.0, 29.0, 9.0]]], label="cat")
    assert found(one, other) == []
    assert [rule for rule, _, _ in found(one, other, other)] == ["DuplicateAnnotation"]


def test_an_item_without_annotations_is_missing_them_unless_somebody_looked():
    assert found() == [("MissingAnnotation", None, "the item has no annotation")]
    assert found(annotated=True) == []
    assert found(annotated=False)[0][0] == "MissingAnnotation"


def test_a_task_counts_its_own_kinds_only():
    assert found(box(), task="classification") == [
        ("MissingAnnotation", None, "the item has no annotation for classification")
    ]
    assert found(Label(label="cow"), box(), task="detection") == []
    ring = [1.0, 1.0, 9.0, 1.0, 9.0, 9.0]
    assert found(Polygon(parts=[[ring]], label="cat"), task="detection") == []


def test_several_labels_are_an_error_of_classification_only():
    notes = Label(label="cat"), Label(label="dog")
    assert found(*notes, task="classification") == [
        ("MultiLabelAnnotations", None, "the item has 2 labels: 'cat', 'dog'")
    ]
    assert found(*notes) == []


def specs(*names, **fields):
    cat = Category(name="cat", attributes=tuple(AttributeSpec(name=n, **fields) for n in names))
    return Labels([cat, "dog"])


def test_attributes_are_compared_with_what_is_declared():
    labels = specs("breed")
    assert found(box(attributes={"breed": "manx"}), labels=labels) == []
    assert found(box(attributes={"bred": "manx"}), labels=labels) == [
        ("UndefinedAttribute", "n1", "the attribute 'bred' is not declared"),
        ("MissingAttribute", "n1", "the attribute 'breed' is missing"),
    ]


def test_attributes_of_formats_and_of_datasets_that_declare_none_are_no_fault():
    labels = specs("breed", default="x")
    assert found(box(attributes={"occluded": True, "is_crowd": False}), labels=labels) == []
    assert found(box(attributes={"anything": 1})) == []


def test_attributes_declared_for_all_labels_count_for_each():
    labels = Labels(["cat"], attributes=[AttributeSpec(name="seen")])
    assert found(box(), labels=labels) == [
        ("MissingAttribute", "n1", "the attribute 'seen' is missing")
    ]


def test_values_are_compared_with_those_declared():
    labels = specs("sex", type="select", values=("f", "m"))
    assert found(box(attributes={"sex": "f"}), labels=labels) == []
    assert found(box(attributes={"sex": "x"}), labels=labels) == [
        ("InvalidAttributeValue", "n1", "'sex' is 'x', and can be: f, m")
    ]


def test_levels_of_rules_can_be_changed():
    item = Item(id="1", annotations=[box(), box()])
    options = Options(levels={"DuplicateAnnotation": "error"})
    assert [one.severity for one in validate_items([item], LABELS, options)] == ["error"]
    options = Options(levels={"DuplicateAnnotation": "off"})
    assert list(validate_items([item], LABELS, options)) == []


def test_an_unknown_rule_and_a_senseless_threshold_are_refused():
    with pytest.raises(UnknownName, match="no rule is called 'Duplicates'"):
        Options(levels={"Duplicates": "off"})
    with pytest.raises(UsageError, match="'dominance' is 3"):
        Options(dominance=3)


NUMBERS = st.floats(allow_nan=True, allow_infinity=True)
SHAPES = st.one_of(
    st.builds(Bbox, x=NUMBERS, y=NUMBERS, w=NUMBERS, h=NUMBERS),
    st.builds(RotatedBbox, cx=NUMBERS, cy=NUMBERS, w=NUMBERS, h=NUMBERS, angle=NUMBERS),
    st.builds(Ellipse, cx=NUMBERS, cy=NUMBERS, rx=NUMBERS, ry=NUMBERS, angle=NUMBERS),
    st.builds(Polygon, parts=st.lists(st.lists(st.lists(NUMBERS, max_size=8), max_size=2))),
    st.builds(PolyLine, points=st.lists(NUMBERS, max_size=6)),
    st.builds(
        Points,
        points=st.lists(NUMBERS, max_size=6),
        visibility=st.lists(st.integers(0, 2), max_size=3),
    ),
    st.builds(
        Mask,
        size=st.tuples(st.integers(-1, 5), st.integers(-1, 5)),
        counts=st.text("0123456789:;<=>?@PQRST", max_size=8),
    ),
    st.builds(
        Cuboid3d,
        position=st.lists(NUMBERS, max_size=4),
        rotation=st.lists(NUMBERS, max_size=4),
        scale=st.lists(NUMBERS, max_size=4),
    ),
)


@given(st.lists(SHAPES, max_size=4))
def test_no_shape_whatever_its_numbers_stops_validation(notes):
    item = Item(id="1", media=IMAGE, annotations=notes)
    rules = ItemRules(Labels(), Options(task=None))
    for one in rules.check(item):
        assert one.anomaly_type in RULES
        assert one.description


@given(st.lists(SHAPES, max_size=4), st.sampled_from(["detection", "segmentation"]))
def test_no_shape_whatever_its_numbers_stops_the_rules_about_sizes(notes, task):
    notes = [note.with_(label="cat") for note in notes]
    items = [Item(id=str(n), annotations=notes) for n in range(4)]
    from dvcs.validate import validate

    report = validate(Dataset.from_items(items), Options(task=task))
    assert report.statistics["item_count"] == 4


def absent() -> bytes:
    raise MissingObject("it is not here")


@pytest.mark.parametrize(
    ("orientation", "size", "is_found"),
    [
        (6, (60, 100), True),
        (8, (60, 100), True),
        (6, (100, 60), False),
        (6, (None, None), False),
        (3, (60, 100), False),
        (None, (60, 100), False),
    ],
)
def test_a_size_that_was_declared_before_exif_turns_the_image_is_found(orientation, size, is_found):
    media = Media(files=(MediaFile(ext=".jpg"),), height=size[0], width=size[1])
    origin = BytesOrigin(absent if orientation is None else lambda: exif_picture(orientation))
    item = Item(id="1", subset="train", media=media, annotations=[box()], origins=(origin,))
    said = [one.description for one in validate_items([item], LABELS)]
    assert bool(said) == is_found
    if said:
        assert said[0].startswith("the size is declared as 100 x 60, and EXIF (orientation")
        assert "60 x 100" in said[0]
    off = Options(levels={"UnturnedSize": "off"})
    assert not list(validate_items([item], LABELS, off))
