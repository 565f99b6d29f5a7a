"""CVAT's shapes, labels and attributes: what hand-made files say, and what is written."""

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvcs import formats
from dvcs.formats._cvat import masks as cvat_masks
from dvcs.formats._cvat.numbers import difference, edges, edges_about, middle, number, pairs, points
from dvcs.geometry import masks
from dvcs.model import (
    Annotation,
    AttributeSpec,
    Bbox,
    Category,
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
from tests.formats.cvat_documents import CVAT, again, images, meaning, read, shapes, source, written

CORNERS = [1.5, 2.0, 1.5, 8.0, 6.25, 2.0, 6.25, 8.0, 9.0, 1.0, 9.0, 7.0, 12.0, 1.0, 12.0, 7.0]
NAMES = (
    *("xtl1", "ytl1", "xbl1", "ybl1", "xtr1", "ytr1", "xbr1", "ybr1"),
    *("xtl2", "ytl2", "xbl2", "ybl2", "xtr2", "ytr2", "xbr2", "ybr2"),
)
CUBOID = "".join(f' {name}="{value:.2f}"' for name, value in zip(NAMES, CORNERS, strict=True))
EVERY_SHAPE = [
    (
        '<box label="car" source="auto" occluded="1" xtl="1.00" ytl="2.00" xbr="4.50" ybr="3.25"'
        ' z_order="2"><attribute name="model">1</attribute><attribute name="speed">30</attribute>'
        '<attribute name="parked">true</attribute></box>'
    ),
    (
        '<box label="car" source="manual" occluded="0" xtl="2.00" ytl="2.00" xbr="6.00" ybr="4.00"'
        ' rotation="30.50" z_order="0"></box>'
    ),
    (
        '<polygon label="road &amp; sky" source="manual" occluded="0"'
        ' points="1.00,1.00;9.12,1.00;9.00,9.30" z_order="-1"></polygon>'
    ),
    (
        '<polyline label="car" source="semi-auto" occluded="0" points="1.00,1.00;9.00,1.00"'
        ' z_order="0"></polyline>'
    ),
    '<points label="car" source="manual" occluded="0" points="3.00,4.50" z_order="0"></points>',
    (
        '<ellipse label="car" source="manual" occluded="0" cx="9.00" cy="5.00" rx="3.00" ry="2.50"'
        ' rotation="350.00" z_order="0"></ellipse>'
    ),
    (
        '<mask label="car" source="manual" occluded="0" rle="1, 2, 3" left="10" top="5" width="3"'
        ' height="2" z_order="0"></mask>'
    ),
    f'<cuboid label="car" source="manual" occluded="0"{CUBOID} z_order="0"></cuboid>',
    (
        '<skeleton label="man" source="manual" z_order="3">'
        '<points label="head" source="manual" outside="0" occluded="0" points="1.00,2.00"></points>'
        '<points label="hand" source="manual" outside="1" occluded="0" points="3.00,4.00">'
        '<attribute name="glove">true</attribute></points>'
        '<points label="foot" source="auto" outside="0" occluded="1" points="5.00,6.00"></points>'
        "</skeleton>"
    ),
    '<tag label="car" source="manual"><attribute name="model">2</attribute></tag>',
]


def test_each_shape_is_read_as_what_it_is():
    seen = {"occluded": False}
    assert shapes(*EVERY_SHAPE) == [
        Bbox(
            x=1.0,
            y=2.0,
            w=3.5,
            h=1.25,
            label="car",
            z_order=2,
            attributes={"occluded": True, "model": "1", "speed": 30, "parked": True},
            extra={"cvat": {"source": "auto"}},
        ),
        RotatedBbox(cx=4.0, cy=3.0, w=4.0, h=2.0, angle=30.5, label="car", attributes=seen),
        Polygon(
            parts=[[[1.0, 1.0, 9.12, 1.0, 9.0, 9.3]]],
            label="road & sky",
            z_order=-1,
            attributes=seen,
        ),
        PolyLine(
            points=[1.0, 1.0, 9.0, 1.0],
            label="car",
            attributes=seen,
            extra={"cvat": {"source": "semi-auto"}},
        ),
        Points(points=[3.0, 4.5], label="car", attributes=seen),
        Ellipse(cx=9.0, cy=5.0, rx=3.0, ry=2.5, angle=350.0, label="car", attributes=seen),
        Mask(
            size=(10, 20),
            counts=masks.encode(by_hand())[1],
            label="car",
            attributes=seen,
            extra={"cvat": {"box": [10, 5, 3, 2]}},
        ),
        Other(
            format="cvat",
            record={"shape": "cuboid", "points": CORNERS},
            label="car",
            attributes=seen,
        ),
        Points(
            points=[1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
            visibility=[2, 0, 1],
            label="man",
            z_order=3,
            attributes=seen,
            extra={
                "cvat": {
                    "elements": {
                        "hand": {"attributes": {"glove": True}},
                        "foot": {"xml": {"source": "auto"}},
                    }
                }
            },
        ),
        Label(label="car", attributes={"model": "2"}),
    ]


def by_hand() -> Any:
    """Return the mask `.## / ...` at (10, 5) of an image of 20 x 10."""
    pixels = np.zeros((10, 20), dtype=bool)
    pixels[5, 11:13] = True
    return pixels


@pytest.mark.parametrize("shape", EVERY_SHAPE, ids=lambda text: re.match(r"<(\w+)", text)[1])
def test_each_shape_is_written_as_it_was(shape: str):
    text = images(shape)
    assert meaning(again(text)) == meaning(text)
    assert again(again(text)) == again(text)


def test_text_is_written_as_cvat_writes_it():
    line = again(images(EVERY_SHAPE[1])).splitlines()[-3].strip()
    assert line == EVERY_SHAPE[1].replace("></box>", "/>")


def test_what_nobody_models_comes_back():
    shape = (
        '<blob label="car" source="manual" occluded="1" z_order="4" wobble="&lt;9&gt;"'
        ' group_id="5">'
        '<lump size="3">a<bit/></lump><attribute name="model">2</attribute></blob>'
        '<box label="car" xtl="1" ytl="2" xbr="3" ybr="4" annotation_type="manual"><note>x</note>'
        "</box>"
    )
    text = images(shape)
    blob, box = shapes(shape)
    assert blob == Other(
        format="cvat",
        record={
            "shape": "blob",
            "xml": {"wobble": "<9>"},
            "children": [["lump", [["@size", "3"], ["#text", "a"], ["bit", ""]]]],
        },
        label="car",
        z_order=4,
        attributes={"occluded": True, "model": "2"},
        extra={"cvat": {"group_id": 5}},
    )
    assert box.extra == {
        "cvat": {"xml": {"annotation_type": "manual"}, "children": [["note", "x"]]}
    }
    assert meaning(again(text)) == meaning(text)


def test_meta_and_images_come_back():
    text = images("", *EVERY_SHAPE).replace(
        '<image id="1" name="1.png" ', '<image id="40" name="a/é.b.png" task_id="7" flipped="1" '
    )
    assert meaning(again(text)) == meaning(text)
    items = read(text)
    assert items[1].id == "a/é.b"
    assert items[1].extra["cvat"] == {"id": 40, "task_id": "7", "xml": {"flipped": "1"}}


def test_images_without_shapes_are_looked_at_unless_the_task_is_unfinished():
    text = images("", *EVERY_SHAPE)
    whole = source(text)
    assert {item.annotated for item in formats.read(whole, CVAT)} == {True}
    ((note, count),) = whole.notes.items()
    assert "'-- --unfinished'" in note
    assert count == 1
    begun = source(text)
    found = [item.annotated for item in formats.read(begun, CVAT, unfinished=True)]
    assert found[:2] == [None, True]
    assert not begun.notes


# -- masks ---------------------------------------------------------------------------------------


@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 3), st.integers(0, 3), st.randoms())
def test_masks_come_back_to_the_pixel(height: int, width: int, top: int, left: int, chance: Any):
    pixels = np.zeros((height + top + 1, width + left + 1), dtype=bool)
    for y in range(height):
        for x in range(width):
            pixels[top + y, left + x] = chance.random() < 0.5
    size, counts = masks.encode(pixels)
    lengths, box = cvat_masks.from_counts(size, counts, None)
    assert sum(lengths) == box[2] * box[3]
    back, tight = cvat_masks.to_counts(lengths, box, size)
    assert back == counts
    assert tight == bool(pixels.any())


def test_masks_as_high_as_the_image_come_back():
    pixels = np.ones((3, 4), dtype=bool)
    size, counts = masks.encode(pixels)
    assert cvat_masks.from_counts(size, counts, None) == ([0, 12], (0, 0, 4, 3))
    assert cvat_masks.to_counts([0, 12], (0, 0, 4, 3), size) == (counts, True)


def test_a_box_around_a_mask_that_is_too_large_is_kept():
    shape = '<mask label="car" rle="5, 1, 3" left="4" top="2" width="3" height="3"/>'
    (mask,) = shapes(shape)
    assert mask.extra == {"cvat": {"box": [4, 2, 3, 3]}}
    assert 'rle="5, 1, 3" left="4" top="2" width="3" height="3"' in again(images(shape))


# -- numbers -------------------------------------------------------------------------------------

FINITE = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e12, max_value=1e12)
HUNDREDTHS = st.integers(-(10**7), 10**7).map(lambda n: n / 100)


@given(FINITE | HUNDREDTHS, FINITE | HUNDREDTHS)
def test_boxes_come_back_exactly(low: float, size: float):
    first, second = edges(low, size)
    assert float(first) == low
    assert difference(first, second) == size
    first, second = edges_about(low, size)
    assert middle(first, second) == low
    assert difference(first, second) == size


@given(st.lists(FINITE | HUNDREDTHS, min_size=1).map(lambda values: values + values))
def test_points_come_back_exactly(values: list[float]):
    assert pairs(points(values)) == values


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.0, "1.00"), (0.125, "0.125"), (1 / 3, "0.3333333333333333"), (1e300, "1e+300")],
)
def test_numbers_have_two_decimals_or_as_many_as_it_takes(value: float, text: str):
    assert number(value) == text


def test_hundredths_stay_hundredths():
    (box,) = shapes('<box label="car" xtl="479.49" ytl="0.10" xbr="497.10" ybr="0.40"/>')
    assert isinstance(box, Bbox)
    assert (box.w, box.h) == (17.61, 0.3)
    assert edges(479.49, 17.61) == ("479.49", "497.10")


# -- labels and attributes -----------------------------------------------------------------------


def test_labels_say_all_that_cvat_says():
    text = images()
    labels = formats.read(source(text), CVAT).labels
    assert labels.names == ("car", "road & sky", "man")
    assert labels["car"].color == (250, 50, 183)
    assert labels["car"].attributes == (
        AttributeSpec(name="model", type="select", values=("1", "2"), default="1"),
        AttributeSpec(name="speed", type="number", values=(0, 100, 1), default=0, mutable=True),
        AttributeSpec(name="parked", type="checkbox", values=(False,), default=False, mutable=True),
    )
    assert labels["man"].keypoints == ("head", "hand", "foot")
    assert labels["man"].joints == ((0, 2),)
    assert meaning(again(text)) == meaning(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(("1", 1), ("-2.5", -2.5), ("2.", 2.0), ("1e3", 1000.0), ("nan", "nan"), ("", "")),
        *(("1_0", "1_0"), (" 1", " 1"), ("9" * 30, 1e30), ("true", "true"), ("inf", "inf")),
    ],
)
def test_numbers_of_attributes_are_as_written(text: str, value: Any):
    shape = f'<tag label="car"><attribute name="speed">{text}</attribute></tag>'
    (tag,) = shapes(shape)
    assert tag.attributes == {"speed": value}
    assert type(tag.attributes["speed"]) is type(value)


def test_a_select_of_numbers_stays_text():
    (tag,) = shapes('<tag label="car"><attribute name="model">1</attribute></tag>')
    assert tag.attributes == {"model": "1"}


VALUES = [True, False, 3, -1.5, "x", "12", "true", "", " lead", "a\nb", None, [1, "b"], 2.0, "<&>"]


@pytest.mark.parametrize("allow", [False, True])
def test_attributes_that_nobody_declared_come_back(allow: bool):
    items = [
        image(n, Bbox(x=1.0, y=1.0, w=2.0, h=2.0, label="cat", attributes={"a": value}))
        for n, value in enumerate(VALUES)
    ]
    sink = written(Dataset.from_items(items), allow_undeclared_attrs=allow)
    dataset = formats.read(source(sink.files["annotations.xml"]), CVAT)
    got = [item.annotations[0].attributes["a"] for item in dataset]
    assert got == VALUES
    assert [type(one) for one in got] == [type(one) for one in VALUES]
    declared = AttributeSpec(name="a", type="checkbox", default=False)
    assert dataset.labels["cat"].attributes == (() if allow else (declared,))


def image(number: int, *notes: Annotation) -> Item:
    media = Media(files=(MediaFile(ext=".png"),), height=10, width=20)
    return Item(f"{number:03}", "default", media, notes)


def test_attributes_are_written_in_the_order_of_their_declaration():
    note = Label(label="car", attributes={"z": "1", "parked": True, "speed": 2, "model": "1"})
    labels = formats.read(source(images()), CVAT).labels
    text = written(Dataset.from_items([image(1, note)], labels)).files["annotations.xml"].decode()
    names = re.findall(r'<attribute name="(\w+)">', text)
    assert names == ["model", "speed", "parked", "z"]


def test_a_label_is_written_as_it_is_now():
    dataset = formats.read(source(images(EVERY_SHAPE[0])), CVAT)
    car, *rest = dataset.labels
    new = Category(name="bus", key=car.key, color=(1, 2, 3), extra=car.extra)
    labels = dataset.labels.replaced([new, *rest])
    back = formats.read(
        source(written(dataset.derive(list, labels=labels)).files["annotations.xml"]), CVAT
    )
    assert back.labels["bus"].color == (1, 2, 3)
    assert back.labels["bus"].attributes == ()


def test_a_skeleton_of_another_format_gets_a_drawing():
    person = Category(name="p", keypoints=("a", 'b"<', "c"), joints=((0, 1), (2, 1)))
    note = Points(points=[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], visibility=[2, 1, 0], label="p")
    sink = written(Dataset.from_items([image(1, note)], Labels([person])))
    dataset = formats.read(source(sink.files["annotations.xml"]), CVAT)
    assert dataset.labels["p"].keypoints == person.keypoints
    assert dataset.labels["p"].joints == person.joints
    ((got,),) = [item.annotations for item in dataset]
    assert got.geometry == note.geometry


def test_a_skeleton_whose_elements_are_mixed_up_comes_back():
    shape = (
        '<skeleton label="man" source="manual" z_order="0">'
        '<points label="foot" outside="0" occluded="0" points="5.00,6.00"/>'
        '<points label="head" outside="1" occluded="1" points="1.00,2.00"/>'
        '<points label="hand" outside="0" occluded="0" points="3.00,4.00"/></skeleton>'
        '<skeleton label="man" source="manual" z_order="0">'
        '<points label="tail" outside="0" occluded="0" points="5.00,6.00"/></skeleton>'
    )
    first, second = shapes(shape)
    assert first.geometry == ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [0, 2, 2])
    assert second.geometry == ([5.0, 6.0], [2])
    assert meaning(again(images(shape))) == meaning(images(shape))


# -- groups and parts ----------------------------------------------------------------------------


def test_groups_are_numbered_in_their_image_and_written_as_they_were():
    shape = '<points label="car" points="1,{0}" group_id="{1}"/>'
    bodies = [
        "".join(shape.format(n, group) for n, group in enumerate(groups))
        for groups in ([7, 9, 7, 0], [9, 9, 7])
    ]
    text = images(*bodies)
    one, two = read(text)
    assert [note.group for note in one.annotations] == [1, 0, 1, 0]
    assert [note.group for note in two.annotations] == [1, 1, 0]
    assert meaning(again(text)) == meaning(text)


def test_new_groups_get_numbers_of_their_own():
    dataset = formats.read(source(images('<points label="car" points="1,1" group_id="1"/>')), CVAT)
    more = [Points(points=[n, n], label="car", group=3) for n in (2.0, 3.0)]
    joined = dataset.map(lambda item: item.with_(annotations=[*item.annotations, *more]))
    text = written(joined).files["annotations.xml"].decode()
    assert re.findall(r'points="(.)\.00.*group_id="(\d+)"', text) == [
        ("1", "1"),
        ("2", "2"),
        ("3", "2"),
    ]


def test_parts_of_a_polygon_are_polygons_of_one_group_and_come_back_as_one():
    parts = [[[1.0, 1.0, 2.0, 1.0, 2.0, 2.0]], [[5.0, 5.0, 6.0, 5.0, 6.0, 6.0]]]
    notes = [Polygon(parts=parts, label="a"), Polygon(parts=parts[:1], label="a")]
    sink = written(Dataset.from_items([image(1, *notes)]))
    text = sink.files["annotations.xml"].decode()
    assert re.findall(r'<polygon .*part="(.*?)"', text) == ["1/2", "2/2"]
    assert len(re.findall(r'group_id="1"', text)) == 2
    ((note, count),) = sink.notes.items()
    assert "import ZIP --onto REV" in note
    assert count == 1
    (item,) = read(text)
    assert [note.geometry for note in item.annotations] == [note.geometry for note in notes]
    edited = re.sub(r"    <polygon .*2/2.*\n", "", text)  # as if someone had removed one in CVAT
    (item,) = read(edited)
    assert [note.geometry for note in item.annotations] == [(parts[:1],)] * 2


@pytest.mark.parametrize(
    ("old", "new"), [('label="a"', 'label="b"'), ('occluded="0"', 'occluded="1"')]
)
def test_a_part_that_says_something_of_its_own_is_a_polygon(old: str, new: str):
    parts = [[[1.0, 1.0, 2.0, 1.0, 2.0, 2.0]], [[5.0, 5.0, 6.0, 5.0, 6.0, 6.0]]]
    note = Polygon(parts=parts, label="a", attributes={"occluded": False})
    sink = written(Dataset.from_items([image(1, note)], labels=["a", "b"]))
    text = sink.files["annotations.xml"].decode()
    head, first, second = text.rpartition("<polygon ")
    (item,) = read(head + first + second.replace(old, new, 1))
    one, other = item.annotations
    assert (one.parts, other.parts) == (parts[:1], parts[1:])
    assert one.group == other.group != 0
    assert (one.label, one.attributes) != (other.label, other.attributes)
