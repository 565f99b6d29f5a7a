"""The XML that expressions are about, what they find, and how wrong ones are told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from dvcs.errors import UsageError
from dvcs.filters import Selected, compile_filter, item_xml
from dvcs.model import (
    Bbox,
    Caption,
    Cuboid3d,
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
    Raster,
    RotatedBbox,
)

LABELS = Labels(["cat", "dog"])
NOTES = [
    Bbox(x=1.0, y=2.0, w=10.0, h=20.0, label="cat", id=7, attributes={"occluded": True}),
    Bbox(x=1.0, y=2.0, w=2.0, h=3.0, label="dog", id=8, attributes={"occluded": False}),
    Polygon(parts=[[[0.0, 0.0, 10.0, 0.0, 0.0, 10.0]]], label="dog", id="b", score=0.5),
    Points(points=[1.0, 2.0, 3.0, 4.0], visibility=[2, 1], label="dog", track=4),
    PolyLine(points=[0.0, 0.0, 5.0, 5.0]),
    Mask(size=(2, 2), counts="04", label="cat"),  # all four pixels
    Caption(caption='two <cats> & a "dog"'),
    Label(label="dog"),
    Ellipse(cx=5.0, cy=5.0, rx=2.0, ry=1.0, angle=0.0),
    RotatedBbox(cx=5.0, cy=5.0, w=2.0, h=4.0, angle=30.0),
    Cuboid3d(position=[1.0, 2.0, 3.0]),
    Raster(meaning="depth", file=MediaFile(ext=".png")),
    Other(format="cvat", record={"skeleton": 1}),
]
ITEM = Item(
    id="street/1",
    subset="train",
    source="coco",
    media=Media(files=(MediaFile(ext=".jpg"),), height=480, width=640),
    annotations=NOTES,
    attributes={"weather": "rain", "frame no": 12, "tags": ["a", "b"]},
    annotated=True,
)


def found(expression, item=ITEM):
    return compile_filter(expression).annotations(item, LABELS)


def kept(expression, item=ITEM):
    return compile_filter(expression).items(item, LABELS)


@pytest.mark.parametrize(
    ("expression", "positions"),
    [
        ("/item/annotation[label='cat']", [0, 5]),
        ("/item/annotation[(label='cat' and area > 99.5) or label!='cat']", [0, 1, 2, 3, 7]),
        ("/item/annotation[occluded='True']", [0]),
        ("/item/annotation[attribute[@name='occluded']='False']", [1]),
        ("/item/annotation[id='b']", [2]),
        ("/item/annotation[id=8]", [1]),
        ("/item/annotation[type='polygon' and area=50]", [2]),
        ("/item/annotation[type='mask' and area=4 and width=2]", [5]),
        ("/item/annotation[area > 6.2 and area < 6.3]", [8]),
        ("/item/annotation[type='rotated_bbox' and area=8 and angle=30]", [9]),
        ("/item/annotation[bbox/w=10 and bbox/area=100]", [2]),
        ("/item/annotation[point/visible='hidden']", [3]),
        ("/item/annotation[count(point)=3]", [2]),
        ("/item/annotation[score < 0.6]", [2]),
        ("/item/annotation[track=4]", [3]),
        ("/item/annotation[contains(caption, '<cats> & a \"dog')]", [6]),
        ("/item/annotation[position/z=3]", [10]),
        ("/item/annotation[meaning='depth']", [11]),
        ("/item/annotation[format='cvat' and contains(record, 'skeleton')]", [12]),
        ("/item/annotation[label_id=1 and group=0]", [1, 2, 3, 7]),
        ("/item/annotation[re:test(label, '^C', 'i')]", [0, 5]),
        ("/item/annotation[last()]", [12]),
        ("//annotation[.//y=10]", [2]),
        ("//y[.=10]/ancestor::annotation", [2]),
        ("/item/annotation[*=10]", [0]),
        ("/item/annotation/label", []),
        ("/item", []),
    ],
)
def test_annotations_are_found(expression, positions):
    assert found(expression) == positions


@pytest.mark.parametrize(
    ("expression", "is_kept"),
    [
        ("/item[image/width > image/height]", True),
        ("/item[image/width < image/height]", False),
        ("/item[subset='train']", True),
        ("/item[source='coco' and annotated='True']", True),
        ("/item[weather='rain' and frame-no=12 and tags='b']", True),
        ("/item[attribute[@name='frame no']=13]", False),
        ("/item[media/kind='image' and media/file/ext='.jpg']", True),
        ("/item[image/path='street/1.jpg' and image/has_data=0]", True),
        ("count(//annotation) > 12", True),
        ("count(//annotation) - 13", False),
        ("number('x')", False),
        ("string(/item/weather)", True),
        ("/item/annotation[label='bird']", False),
    ],
)
def test_items_are_kept(expression, is_kept):
    assert kept(expression) is is_kept


def test_items_and_annotations_are_told_apart():
    assert compile_filter("/item[weather]").selected(ITEM, LABELS) == Selected(True, [])
    assert compile_filter("//annotation[1]").selected(ITEM, LABELS) == Selected(False, [0])
    assert compile_filter("/item[snow]").selected(ITEM, LABELS) == Selected(False, [])
    assert compile_filter("1 = 1").selected(ITEM, LABELS) == Selected(True, [])


def test_attributes_never_stand_for_what_an_annotation_is():
    note = Bbox(x=1.0, y=1.0, w=1.0, h=1.0, label="cat", attributes={"label": "dog", "1 a/b": 3})
    item = Item(id="a", annotations=[note])
    assert found("/item/annotation[label='dog']", item) == []
    assert found("/item/annotation[attribute[@name='label']='dog']", item) == [0]
    assert found("/item/annotation[_1-a_b=3]", item) == [0]


def test_what_is_not_known_is_told_as_such():
    item = Item(id="a", media=Media())
    assert kept("/item[image/width='unknown']", item)
    assert not kept("/item[image/width > 0 or image/width <= 0]", item)
    assert not kept("/item[annotated]", item)


@pytest.mark.parametrize(
    ("expression", "place", "what"),
    [
        ("/item[", 7, "invalid expression"),
        ("/item[label='é' and ]", 21, "invalid expression"),
        ("/item[label='cat]", 18, "unfinished literal"),
        ("/item[lable(1)]", 7, "there is no function 'lable'"),
        ("/item[$x=1]", 7, "there are no variables"),
        ("/a:item", 2, "names have no prefix"),
    ],
)
def test_wrong_expressions_are_told_with_their_place(expression, place, what):
    with pytest.raises(UsageError) as error:
        compile_filter(expression)
    lines = str(error.value).split("\n")
    assert lines[0] == f"the filter is wrong at character {place}: {what}"
    assert lines[2].index("^") == 4 + place - 1


@pytest.mark.parametrize("expression", ["", "  ", "a\0b"])
def test_empty_expressions_are_refused(expression):
    with pytest.raises(UsageError, match="empty"):
        compile_filter(expression)


def test_what_selects_no_annotations_says_so():
    with pytest.raises(UsageError, match="its value is a number"):
        found("count(//annotation)")
    with pytest.raises(UsageError, match="cannot be evaluated: missing"):
        kept("/item[re:test(weather, '(')]")
    with pytest.raises(UsageError, match="too few or too many arguments"):
        kept("/item[re:test('a')]")


TEXT = st.text(max_size=8)


@given(id=TEXT, name=TEXT, value=TEXT, label=TEXT)
def test_any_text_gives_xml_that_says_it(id, name, value, label):
    note = Caption(caption=value, label=label, attributes={name: value})
    item = Item(id=id, subset=value, annotations=[note], attributes={name: [value, 1, None]})
    root = etree.fromstring(item_xml(item, Labels([label])))
    assert len(root.findall("annotation")) == 1
    if value.isprintable():
        assert root.findtext("subset") == value
        assert root.findtext("annotation/caption") == value
    if value.isprintable() and name.isprintable():
        held = {one.get("name"): one.text or "" for one in root.findall("annotation/attribute")}
        assert held == {name: value}


@given(st.sampled_from(["point", "bbox", "area", "attribute", "file", "record", "label"]))
def test_nothing_that_an_expression_names_is_left_out(name):
    document = etree.fromstring(item_xml(ITEM, LABELS))
    for expression in (f"//{name}", f"count(//{name})", f"//annotation[{name}]", f"//{name}/.."):
        there = etree.XPath(expression)(document)
        assert kept(expression) is bool(there)
