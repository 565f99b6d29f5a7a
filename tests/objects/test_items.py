"""The canonical text of items: pinned bytes, and equal bytes for equal values."""

import hashlib
import json
import math
from types import MappingProxyType

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvcs.errors import CorruptObject
from dvcs.model import (
    AttributeSpec,
    Bbox,
    Caption,
    Category,
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
from dvcs.objects import items

JPG = Media(files=(MediaFile(ext=".jpg"),), height=480, width=640)

PINNED = {
    "nothing known": (Item("x"), b"{}\n"),
    "media only": (
        Item("x", media=JPG, annotated=False),
        (
            b'{"annotated":false,"media":{"files":[{"ext":".jpg","role":"image"}],"height":480,'
            b'"kind":"image","width":640}}\n'
        ),
    ),
    "attributes and extra": (
        Item("x", attributes={"b": 1, "a": [1.0, None, "é"]}, extra={"coco": {"license": 3}}),
        '{"attributes":{"a":[1.0,null,"é"],"b":1},"extra":{"coco":{"license":3}}}\n'.encode(),
    ),
    "boxes": (
        Item(
            "x",
            annotations=[
                Bbox(1.0, 2.5, 30.0, 1e-7, label="cat", id=7, attributes={"is_crowd": False}),
                RotatedBbox(1.0, 2.0, 3.0, 4.0, 45.0, score=0.5),
                Ellipse(1e22, 2.0, 3.0, 4.0, 0.1, z_order=-1),
            ],
        ),
        (
            b"{}\n"
            b'{"attributes":{"is_crowd":false},"h":1e-7,"id":7,"label":"cat","type":"bbox","w":30.0,'
            b'"x":1.0,"y":2.5}\n'
            b'{"angle":45.0,"cx":1.0,"cy":2.0,"h":4.0,"score":0.5,"type":"rotated_bbox","w":3.0}\n'
            b'{"angle":0.1,"cx":1e22,"cy":2.0,"rx":3.0,"ry":4.0,"type":"ellipse","z_order":-1}\n'
        ),
    ),
    "shapes": (
        Item(
            "x",
            annotations=[
                Polygon([[[0.0, 0.0, 1.0, 0.0, 1.0, 1.0]]], group=5, derived={"area": 0.5}),
                Points([1.0, 2.0, 3.0, 4.0], [2, 0], group=5, track="t"),
                PolyLine([1.0, 2.0, 3.0, 4.0]),
                Mask((2, 3), "06"),
            ],
        ),
        (
            b"{}\n"
            b'{"derived":{"area":0.5},"group":1,"parts":[[[0.0,0.0,1.0,0.0,1.0,1.0]]],'
            b'"type":"polygon"}\n'
            b'{"group":1,"points":[1.0,2.0,3.0,4.0],"track":"t","type":"points","visibility":[2,0]}\n'
            b'{"points":[1.0,2.0,3.0,4.0],"type":"polyline"}\n'
            b'{"counts":"06","size":[2,3],"type":"mask"}\n'
        ),
    ),
    "the rest": (
        Item(
            "x",
            annotations=[
                Label(label="c##"),
                Caption('a "b" \\ \n é \u2028 🐈'),
                Cuboid3d([1.0, 2.0, 3.0]),
                Raster("depth", MediaFile(ext=".png", sha256="ab", size=3)),
                Other("cvat", {"b": [1, 2.5], "a": None}),
            ],
        ),
        b"{}\n"
        b'{"label":"c##","type":"label"}\n'
        + '{"caption":"a \\"b\\" \\\\ \\n é \u2028 🐈","type":"caption"}\n'.encode()
        + b'{"position":[1.0,2.0,3.0],"rotation":[0.0,0.0,0.0],"scale":[1.0,1.0,1.0],'
        b'"type":"cuboid_3d"}\n'
        b'{"file":{"ext":".png","role":"image","sha256":"ab","size":3},"meaning":"depth",'
        b'"type":"raster"}\n'
        b'{"format":"cvat","record":{"a":null,"b":[1,2.5]},"type":"other"}\n',
    ),
}
HASHES = {
    "nothing known": "0967ef424bce6791893e9a57bb952f80fd536e93",
    "media only": "95202a454dd013bad32e46b52e3b876cc4461baf",
    "attributes and extra": "f628a6b93da598c2b1fb0f93e7aa877bcdeb2c14",
    "boxes": "b9829970dd3c10e7c2c06da702bd3bd8f95e2f61",
    "shapes": "1c659b466f311f239fb8e0623b568b57a9229f1a",
    "the rest": "d55df4033b488c30de45719c7170498dc7d9fc58",
}


@pytest.mark.parametrize("name", PINNED)
def test_the_bytes_are_pinned(name):
    item, text = PINNED[name]
    assert items.encode_item(item) == [text]
    assert items.is_canonical([text])


@pytest.mark.parametrize("name", HASHES)
def test_the_git_ids_are_pinned(name):
    (blob,) = items.encode_item(PINNED[name][0])
    assert (
        hashlib.sha1(b"blob %d\0" % len(blob) + blob, usedforsecurity=False).hexdigest()
        == HASHES[name]
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, b"0.0"),
        (-0.0, b"0.0"),
        (1.0, b"1.0"),
        (0.1, b"0.1"),
        (1 / 3, b"0.3333333333333333"),
        (0.00001, b"0.00001"),
        (1e-7, b"1e-7"),
        (5e-324, b"5e-324"),
        (2.0**53, b"9007199254740992.0"),
        (1e15, b"1000000000000000.0"),
        (1e16, b"1e16"),
        (123456789012345680.0, b"1.2345678901234568e17"),
        (1.7976931348623157e308, b"1.7976931348623157e308"),
        (1, b"1"),
        (True, b"true"),
        (-(2**63), b"-9223372036854775808"),
        (2**64 - 1, b"18446744073709551615"),
    ],
)
def test_the_spelling_of_numbers_is_pinned(value, text):
    assert items.canonical_json({"a": value}) == b'{"a":%b}' % text
    note = Bbox(1.0, 2.0, 3.0, 4.0, attributes={"a": value})
    assert b'{"attributes":{"a":%b},"h"' % text in items.encode_annotations([note])


def test_keys_are_in_the_order_of_their_bytes():
    keys = ["z", "é", "\U0001d4b3", "\uffff", "A", "", "a", "a b", "aa"]
    text = items.canonical_json(dict.fromkeys(keys, 0))
    assert list(json.loads(text)) == sorted(keys, key=str.encode)


# -- equal values, equal bytes -------------------------------------------------------------------

BOX = Bbox(1.0, 2.0, 3.0, 0.0, label="cat", id=7, score=1.0, group=0)
SAME_BOX = [
    Bbox(1, 2, 3, 0, label="cat", id=7, score=1),
    Bbox(1.0, 2.0, 3.0, -0.0, label="cat", id=7, score=1.0),
    Bbox(np.float64(1), np.float32(2), np.int64(3), np.uint8(0), label="cat", id=7, score=1.0),
    Bbox(1.0, 2.0, 3.0, 0.0, label=np.str_("cat"), id=np.int64(7), score=np.float32(1)),
    Bbox(True, 2.0, 3.0, False, label="cat", id=7, score=True),
    Bbox(1.0, 2.0, 3.0, 0.0, label="cat", id=7, score=1.0, group=np.int64(0), z_order=np.int8(0)),
]


@pytest.mark.parametrize("note", SAME_BOX)
def test_equal_boxes_have_equal_bytes(note):
    wanted = items.encode_annotations([BOX])
    assert items.encode_annotations([note]) == wanted
    assert items.encode_annotation(note) + b"\n" == wanted
    assert items.encode_annotations([Label(), note]) == b'{"type":"label"}\n' + wanted


RING = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
SAME_SHAPES = [
    (Polygon([[RING]]), Polygon([[list(range(6))]])),
    (Polygon([[RING]]), Polygon([[np.arange(6)]])),
    (Polygon([[RING]]), Polygon(np.arange(6.0).reshape(1, 1, 6))),
    (Polygon([[RING]]), Polygon((((-0.0, 1, 2.0, np.float32(3), 4, 5),),))),
    (PolyLine(RING), PolyLine(tuple(range(6)))),
    (Points(RING, [2, 1, 0]), Points(np.arange(6), np.array([2, 1, 0]))),
    (Points(RING, [2, 1, 0]), Points(RING, (2.0, True, 0))),
    (Points(RING), Points(RING, np.array([], dtype=int))),
    (Mask((4, 5), "0d0"), Mask([4, 5], "0d0")),
    (Mask((4, 5), "0d0"), Mask(np.array([4, 5]), np.str_("0d0"))),
    (Cuboid3d([1.0, 2.0, 3.0]), Cuboid3d([1, 2, 3], (0, 0, -0.0), np.ones(3))),
    (Caption("x"), Caption(np.str_("x"))),
    (Raster("depth", MediaFile(size=3)), Raster("depth", MediaFile(size=np.int64(3)))),
    (Other("x", {"a": [1, 2]}), Other("x", MappingProxyType({"a": (1, np.int64(2))}))),
]


@pytest.mark.parametrize(("note", "same"), SAME_SHAPES)
def test_equal_shapes_have_equal_bytes(note, same):
    assert items.encode_annotations([same]) == items.encode_annotations([note])


@pytest.mark.parametrize(
    ("value", "same"),
    [
        ([1, 2], (1, 2)),
        ([1, 2], np.array([1, 2])),
        ([1, 2, 3], {3, 2, 1}),
        (["a", "b"], frozenset("ba")),
        (1.5, np.float32(1.5)),
        (True, np.bool_(True)),
        (0.0, -0.0),
        ({"b": [1.0], "a": None}, MappingProxyType({"a": None, "b": (np.float64(1),)})),
    ],
)
def test_equal_attributes_have_equal_bytes(value, same):
    def spelt(held):
        note = Label(attributes={"x": held}, extra={"f": {"y": held}}, derived={"z": held})
        item = Item("x", attributes={"x": held}, extra={"f": {"y": held}}, annotations=[note])
        return items.encode_item(item)

    assert spelt(same) == spelt(value)


def test_equal_media_have_equal_bytes():
    odd = Media(files=[MediaFile(ext=".jpg")], height=np.int64(480), width=np.uint16(640))
    assert items.encode_item(Item("x", media=odd)) == items.encode_item(Item("x", media=JPG))
    odd = Item("x", media=JPG, annotated=np.bool_(True))
    assert items.encode_item(odd) == items.encode_item(odd.with_(annotated=True))


def test_an_int_attribute_is_not_a_float():
    one, other = (items.encode_annotations([Label(attributes={"a": v})]) for v in (1, 1.0))
    assert one != other
    assert type(items.decode_annotations(one)[0].attributes["a"]) is int
    assert type(items.decode_annotations(other)[0].attributes["a"]) is float


# -- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, np.float32("nan"), "x", None])
def test_coordinates_that_are_no_numbers_are_refused(bad):
    for note in (
        Bbox(1.0, bad, 3.0, 4.0),
        Polygon([[[1.0, bad, 3.0, 4.0, 5.0, 6.0]]]),
        Points([1.0, bad]),
        PolyLine([bad, 1.0]),
        Cuboid3d([1.0, 2.0, bad]),
    ):
        item = Item("street/1", annotations=[Label(), note])
        with pytest.raises(items.Uncanonical, match="item 'street/1'"):
            items.encode_item(item)


@pytest.mark.parametrize(
    "bad",
    [math.nan, math.inf, b"bytes", object(), 2**64, -(2**63) - 1, "\ud800", {1: 2}, 1j, [set]],
)
def test_values_that_json_cannot_hold_are_refused(bad):
    for item in (
        Item("i", attributes={"a": bad}),
        Item("i", extra={"f": {"a": [bad]}}),
        Item("i", annotations=[Label(attributes={"a": bad})]),
        Item("i", annotations=[Label(extra={"f": [bad]})]),
        Item("i", annotations=[Other("x", {"a": bad})]),
    ):
        with pytest.raises(items.Uncanonical, match="item 'i'"):
            items.encode_item(item)


@pytest.mark.parametrize(
    "note",
    [
        Label(id=1.5),
        Label(label=3),
        Label(score="high"),
        Label(track=[1]),
        Mask((4, 5), b"0d0"),
        Mask((4, 5.5), "0d0"),
        Polygon([1.0, 2.0]),
        Points(None),
        Points([1.0, 2.0], ["x"]),
        Caption(7),
        Label(label="\udcff"),
    ],
)
def test_fields_of_another_type_are_refused(note):
    with pytest.raises(items.Uncanonical):
        items.encode_item(Item("i", annotations=[note]))


def test_endless_nesting_is_refused():
    deep: list = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(items.Uncanonical, match="nested"):
        items.encode_item(Item("i", attributes={"a": deep}))


# -- order and groups ----------------------------------------------------------------------------


def test_annotations_are_in_order_of_id_where_all_have_one():
    notes = [Label(label=str(n), id=n) for n in (10, 2, 33, 4)]
    assert [note.id for note in items.ordered(notes)] == [2, 4, 10, 33]
    mixed = [Label(id="b"), Label(id=10), Label(id="a"), Label(id=9)]
    assert [note.id for note in items.ordered(mixed)] == [9, 10, "a", "b"]


@pytest.mark.parametrize("ids", [(3, 0, 1), (3, 1, 3), (0, 0, 0)])
def test_annotations_stay_as_they_are_where_not_all_have_an_id(ids):
    notes = [Label(id=one) for one in ids]
    assert [note.id for note in items.ordered(notes)] == list(ids)


def test_groups_are_numbered_by_first_appearance():
    notes = [
        Label(label=name, group=group)
        for name, group in zip("abcdef", (9, 0, 4, 9, 7, 4), strict=True)
    ]
    assert [note.group for note in items.ordered(notes)] == [1, 0, 2, 1, 0, 2]


@given(st.permutations(range(1, 8)), st.lists(st.integers(0, 3), min_size=7, max_size=7))
def test_the_order_and_the_numbers_of_groups_do_not_matter(order, groups):
    notes = [Label(label=str(n), id=n, group=group) for n, group in enumerate(groups, 1)]
    wanted = items.encode_item(Item("x", annotations=notes))
    other = {0: 0, 1: 30, 2: 10, 3: 20}
    shuffled = [notes[n - 1].with_(group=other[groups[n - 1]]) for n in order]
    assert items.encode_item(Item("x", annotations=shuffled)) == wanted


# -- back again ----------------------------------------------------------------------------------

numbers = st.floats(allow_nan=False, allow_infinity=False).map(lambda value: value + 0.0)
scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | numbers | st.text()
tables = st.dictionaries(st.text(), scalars | st.lists(scalars, max_size=3), max_size=3)
shared = {
    "label": st.none() | st.text(),
    "id": st.integers(-(2**63), 2**64 - 1) | st.text(),
    "z_order": st.integers(-5, 5),
    "score": st.none() | numbers,
    "track": st.none() | st.integers(0, 9) | st.text(),
    "attributes": tables,
    "derived": tables,
    "extra": st.dictionaries(st.sampled_from(["coco", "voc"]), tables, max_size=2),
}
rings = st.lists(numbers, max_size=8)
notes = st.one_of(
    st.builds(Label, **shared),
    st.builds(Caption, st.text(), **shared),
    st.builds(Bbox, numbers, numbers, numbers, numbers, **shared),
    st.builds(RotatedBbox, numbers, numbers, numbers, numbers, numbers, **shared),
    st.builds(Polygon, st.lists(st.lists(rings, max_size=2), max_size=2), **shared),
    st.builds(Points, rings, st.lists(st.integers(0, 2), max_size=4), **shared),
    st.builds(PolyLine, rings, **shared),
    st.builds(Mask, st.tuples(st.integers(1, 9), st.integers(1, 9)), st.text(), **shared),
    st.builds(Cuboid3d, rings, rings, rings, **shared),
    st.builds(Other, st.just("x"), tables, **shared),
)


@given(st.lists(notes, max_size=4), tables, st.none() | st.booleans())
def test_decoding_gives_what_was_encoded(held, attributes, annotated):
    item = Item(
        "x", "s", JPG, items.ordered(held), attributes=attributes, annotated=annotated, extra={}
    )
    blobs = items.encode_item(item)
    back = items.decode_item(blobs, "x", "s")
    assert back == item.with_(annotations=list(item.annotations))
    assert items.encode_item(back) == blobs
    assert items.is_canonical(blobs)


@given(st.lists(notes, min_size=1, max_size=4))
def test_each_line_is_one_annotation(held):
    lines = items.encode_annotations(held)
    assert lines.endswith(b"\n")
    assert [items.decode_annotation(line) for line in lines.splitlines()[: len(held)]]
    assert lines == b"".join(items.encode_annotation(note) + b"\n" for note in held)
    assert lines.count(b"\n") == len(held)


def test_long_ids_stand_in_the_first_line():
    (blob,) = items.encode_item(Item("x" * 300), keep_id=True)
    assert items.decode_item([blob], "xx~", "s").id == "x" * 300
    assert items.is_canonical([blob])


def test_labels_are_keys_in_the_text():
    labels = Labels([Category(name="dog", key="cat"), Category(name="cat", key="cat#2"), "c#"])
    keys, names = items.key_maps(labels)
    item = Item("x", "s", annotations=[Label(label=name) for name in ("dog", "cat", "c#", "new")])
    (blob,) = items.encode_item(item, keys)
    assert [json.loads(line)["label"] for line in blob.splitlines()[1:]] == [
        *("cat", "cat#2", "c##", "new")
    ]
    assert items.decode_item([blob], "x", "s", names) == item


# -- what a newer dvcs wrote ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        b'{"h":4.0,"new":[1,{"b":2}],"type":"bbox","w":3.0,"x":1.0,"y":2.0}',
        b'{"a":1,"type":"sphere","z":{"q":[null]}}',
        b'{"type":"sphere"}',
        b'{"format":"dvcs","record":{"type":"x"},"type":"othr"}',
        b'{"label":"cat"}',
        b'{"h":4.0,"type":"bbox","unknown":{"a":1},"w":3.0,"x":1.0,"y":2.0}',
        b'{"h":4.0,"type":"bbox","unknown":7,"w":3.0,"x":1.0,"y":2.0}',
        b'{"type":["polygon"]}',
    ],
)
def test_unknown_keys_and_kinds_are_carried_verbatim(line):
    blob = b"{}\n" + b'{"type":"label"}\n' + line + b"\n" + b'{"caption":"x","type":"caption"}\n'
    item = items.decode_item([blob], "x", "s")
    assert items.encode_item(item) == [blob]
    assert items.is_canonical([blob])
    (alone,) = items.decode_annotations(line + b"\n")
    assert items.encode_annotation(alone) == line


def test_an_annotation_with_unknown_keys_can_be_changed():
    (note,) = items.decode_annotations(b'{"h":4.0,"new":1,"type":"bbox","w":3.0,"x":1.0,"y":2.0}\n')
    assert isinstance(note, Bbox)
    assert items.encode_annotation(note.with_(x=9.0)) == (
        b'{"h":4.0,"new":1,"type":"bbox","w":3.0,"x":9.0,"y":2.0}'
    )


@pytest.mark.parametrize("key", ["new", "unknown", "zzz"])
def test_unknown_keys_of_the_first_line_are_carried_verbatim(key):
    blob = items.canonical_json({"annotated": True, "extra": {"coco": {"a": 1}}, key: {"a": [1]}})
    item = items.decode_item([blob + b"\n"], "x", "s")
    assert item.annotated is True
    assert items.encode_item(item.with_(annotated=False)) == [
        items.canonical_json({"annotated": False, "extra": {"coco": {"a": 1}}, key: {"a": [1]}})
        + b"\n"
    ]


# -- hand-made and damaged text ------------------------------------------------------------------


@pytest.mark.parametrize(
    "blob",
    [
        b'{ }\n{"type":"label"}\n',
        b'{}\n{"type":"label"}',
        b'{}\n\n{"type":"label"}\n',
        b'{}\n{"type":"bbox","x":1,"y":2,"w":3,"h":4}\n',
        b'{}\n{"id":2,"type":"label"}\n{"id":1,"type":"label"}\n',
        b'{}\n{"group":3,"type":"label"}\n',
        b'{}\n{"type":"label","z_order":0}\n',
        b"{}\r\n",
    ],
)
def test_text_that_is_valid_but_not_canonical_is_read_and_told(blob):
    items.decode_item([blob], "x", "s")
    assert not items.is_canonical([blob])


@pytest.mark.parametrize(
    "blob",
    [
        *(b"", b"\n", b"x\n", b"[]\n", b"{\n", b"\xff\n", b'{"media":7}\n', b'{"annotated":"x"}\n'),
        *(b"{}\n[]\n", b"{}\n{\n", b'{}\n{"type":"bbox","x":1.0}\n', b"{}\nnull\n", b"{}\n\xff\n"),
        *(b'{}\n{"type":"bbox","x":"a","y":1,"w":1,"h":1}\n', b"{}\n" + b"[" * 100_000),
        *(b'{"continues":1}\n', b"{}\n" + b'{"a":' * 100_000, b'{}\n{"type":"label"}x\n'),
        b'{}\n{"caption":"x","type":"caption"}\n{"caption":7,"type":"caption"}\n',
    ],
)
def test_damaged_text_is_an_error(blob):
    with pytest.raises(CorruptObject):
        items.decode_item([blob], "x", "s")


@given(st.binary(max_size=60))
def test_bytes_of_any_kind_never_surprise(junk):
    blob = PINNED["shapes"][1]
    for text in (junk, b"{}\n" + junk, blob + junk, blob[:100] + junk + blob[100:]):
        try:
            items.decode_item([text], "x", "s")
        except CorruptObject as error:
            assert str(error)  # noqa: PT017 -- either is right


def test_a_line_without_a_kind_is_not_taken_for_its_neighbours_kind():
    lines = b'{"caption":"a","type":"caption"}\n{"caption":"b"}\n{"caption":"c","type":"caption"}\n'
    notes = items.decode_annotations(lines)
    assert [note.kind for note in notes] == ["caption", "other", "caption"]
    assert items.encode_annotations(notes) == lines


# -- large items ---------------------------------------------------------------------------------


def test_an_item_of_more_than_4_mib_goes_on_in_further_blobs(monkeypatch):
    monkeypatch.setattr(items, "PART_LIMIT", 1000)
    held = [Caption("é" * (n % 90), id=n) for n in range(1, 100)]
    item = Item("x", "s", JPG, held)
    blobs = items.encode_item(item)
    assert len(blobs) > 5
    assert items.decode_header(blobs[0]).continues == len(blobs) - 1
    assert all(len(blob) <= 1000 for blob in blobs[1:])
    assert all(blob.endswith(b"\n") for blob in blobs)
    assert items.decode_item(blobs, "x", "s") == item
    assert items.is_canonical(blobs)
    with pytest.raises(CorruptObject, match="further"):
        items.decode_item(blobs[:-1], "x", "s")


def test_a_line_above_the_limit_stays_whole(monkeypatch):
    monkeypatch.setattr(items, "PART_LIMIT", 100)
    held = [Caption("x" * 500, id=n) for n in (1, 2, 3)]
    blobs = items.encode_item(Item("x", annotations=held))
    assert [blob.count(b"\n") for blob in blobs] == [2, 1, 1]
    assert items.decode_item(blobs, "x", "default").annotations == held


def test_the_limit_is_4_mib():
    held = [Caption("x" * (1 << 20), id=n) for n in (1, 2, 3)]
    assert len(items.encode_item(Item("x", annotations=held))) == 1
    blobs = items.encode_item(Item("x", annotations=[*held, held[0].with_(id=4)]))
    assert [blob.count(b"\n") for blob in blobs] == [4, 1]
    assert max(map(len, blobs)) < 4 << 20


# -- labels --------------------------------------------------------------------------------------


def test_labels_come_back_and_stand_one_a_line():
    labels = Labels(
        [
            Category(name="cat", color=(1, 2, 3), id=7, parent="animal"),
            Category(name="person", keypoints=("nose", "eye"), joints=((0, 1),)),
            Category(
                name="c#", attributes=(AttributeSpec(name="a", type="select", values=("x",)),)
            ),
        ],
        attributes=[AttributeSpec(name="occluded", type="checkbox", default=False)],
        extra={"coco": {"info": 1}},
    )
    text = items.encode_labels(labels)
    assert items.decode_labels(text) == labels
    assert text.count(b"\n") == 5
    assert msgspec.json.decode(text)["labels"][2]["key"] == "c##"


def test_no_labels():
    assert items.encode_labels(Labels()) == b'{"labels":[\n]}\n'
    assert items.decode_labels(b'{"labels":[\n]}\n') == Labels()


@pytest.mark.parametrize(
    "text", [b"", b"[]", b'{"labels":[{}]}', b'{"labels":[{"name":"a"},{"name":"a"}]}', b"\xff"]
)
def test_damaged_labels_are_an_error(text):
    with pytest.raises(CorruptObject, match="categories"):
        items.decode_labels(text)
