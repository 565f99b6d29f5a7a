"""The model: plain values, labels by name and key, and datasets that are recipes."""

import copy

import msgspec
import pytest

from dvcs.model import (
    KINDS,
    AttributeSpec,
    Bbox,
    Caption,
    Category,
    Cuboid3d,
    Dataset,
    Item,
    Label,
    Labels,
    Media,
    MediaFile,
    Points,
    Polygon,
)

BOX = Bbox(1.0, 2.0, 3.0, 4.0, label="cat", attributes={"a": 1})


def test_values_are_frozen_equal_by_value_and_copied_with_changes():
    with pytest.raises(AttributeError):
        BOX.x = 2.0
    moved = BOX.with_(x=2.0)
    assert (moved.x, moved.y, moved.label, BOX.x) == (2.0, 2.0, "cat", 1.0)
    assert moved.with_(x=1.0) == BOX
    assert Bbox(1.0, 2.0, 3.0, 4.0) != BOX
    assert copy.deepcopy(BOX) == BOX


def test_kinds_know_their_names_and_geometry():
    assert {name: cls.kind for name, cls in KINDS.items()} == {name: name for name in KINDS}
    assert len(KINDS) == 12
    assert BOX.geometry == (1.0, 2.0, 3.0, 4.0)
    assert Label(label="x").geometry == ()
    assert Points([1.0, 2.0], [2]).geometry == ([1.0, 2.0], [2])
    for cls in KINDS.values():
        assert set(cls.geometry_fields) <= set(cls.__struct_fields__)


def test_the_default_values_of_two_annotations_are_not_shared():
    first, second = Cuboid3d([1.0, 2.0, 3.0]), Cuboid3d([1.0, 2.0, 3.0])
    assert first.rotation == second.rotation == [0.0, 0.0, 0.0]
    assert first.rotation is not second.rotation
    assert Label().attributes is not Label().attributes


def test_unknown_fields_are_no_part_of_a_value():
    with pytest.raises(TypeError):
        Bbox(1.0, 2.0, 3.0, 4.0, colour="red")
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"type": "bbox", "x": 1, "y": 1, "w": 1, "h": 1, "new": 1}, Bbox)


def test_media_know_their_size_where_both_sides_are_known():
    assert Media(height=2, width=3).size == (2, 3)
    assert Media(height=2).size is None


def test_the_file_name_of_an_item_is_its_own_else_its_id_and_extension():
    assert Item("a/b").file_name == "a/b"
    assert Item("a/b", media=Media()).file_name == "a/b"
    assert Item("a/b", media=Media(files=(MediaFile(ext=".jpg"),))).file_name == "a/b.jpg"
    named = Media(files=(MediaFile(ext=".jpg", name="x/y.jpeg"),))
    assert Item("a/b", media=named).file_name == "x/y.jpeg"
    assert Item("a", "s", source="coco").key == ("coco", "s", "a")


# -- labels --------------------------------------------------------------------------------------


def test_labels_are_found_by_name_and_keep_their_order():
    labels = Labels(["cat", Category(name="c#"), "dog"])
    assert labels.names == ("cat", "c#", "dog")
    assert [one.key for one in labels] == ["cat", "c##", "dog"]
    assert labels.index("dog") == 2
    assert "dog" in labels
    assert "cow" not in labels
    assert labels["c#"].name == "c#"
    assert len(labels) == 3
    with pytest.raises(KeyError):
        labels.index("cow")


def test_a_key_that_is_given_stays():
    renamed = msgspec.structs.replace(Category(name="cat"), name="kitten")
    assert (renamed.name, renamed.key) == ("kitten", "cat")


def test_two_labels_of_one_name_are_refused():
    with pytest.raises(ValueError, match="same name"):
        Labels(["cat", "cat"])


def test_labels_are_equal_by_value():
    spec = AttributeSpec(name="a", type="number")
    assert Labels(["a"], attributes=[spec]) == Labels(["a"], attributes=[spec])
    assert hash(Labels(["a"])) == hash(Labels(["a"]))
    assert Labels(["a"]) != Labels(["a"], attributes=[spec])
    assert Labels(["a", "b"]) != Labels(["b", "a"])
    assert Labels(["a"]) != ["a"]


def test_labels_are_united_in_order():
    ours = Labels([Category(name="cat", color=(1, 2, 3)), "dog"], extra={"a": 1})
    theirs = Labels(["cow", "cat"], attributes=[AttributeSpec(name="x")], extra={"a": 2, "b": 3})
    both = ours.united(theirs)
    assert both.names == ("cat", "dog", "cow")
    assert both["cat"].color == (1, 2, 3)
    assert [spec.name for spec in both.attributes] == ["x"]
    assert both.extra == {"a": 1, "b": 3}
    assert ours.united(Labels(["dog"])) is ours


def test_replaced_keeps_all_but_the_categories():
    labels = Labels(["cat"], attributes=[AttributeSpec(name="x")], extra={"a": 1})
    new = labels.replaced([Category(name="dog")])
    assert (new.names, new.attributes, new.extra) == (("dog",), labels.attributes, labels.extra)


# -- datasets ------------------------------------------------------------------------------------

ITEMS = [
    Item("1", "train", annotations=[BOX]),
    Item("2", "val", annotations=[Caption("x"), Label(label="dog")]),
    Item("3", "train"),
]


def test_a_dataset_is_walked_afresh_each_time():
    walks = []

    def walk():
        walks.append(1)
        return iter(ITEMS)

    data = Dataset(["cat"], walk)
    assert walks == []
    for _ in range(2):
        assert [item for item in data] == ITEMS  # noqa: C416 -- list() asks for the length first
    assert len(walks) == 2
    assert [len(data), len(data)] == [3, 3]
    assert len(walks) == 3


def test_labels_that_items_use_are_declared():
    data = Dataset.from_items(ITEMS, ["cow"])
    assert data.labels.names == ("cow", "cat", "dog")
    assert Dataset.from_items(iter(ITEMS)).count == 3
    given = Labels(["dog", "cat"])
    assert Dataset.from_items(ITEMS, given).labels is given


def test_map_and_select_are_lazy_and_leave_the_dataset_as_it_is():
    seen = []

    def change(item):
        seen.append(item.id)
        return None if item.id == "2" else item.with_(subset="all")

    data = Dataset.from_items(ITEMS, metadata={"coco": {"info": 1}})
    mapped = data.map(change).select(lambda item: item.id != "1")
    assert seen == []
    assert [(item.id, item.subset) for item in mapped] == [("3", "all")]
    assert list(data) == ITEMS
    assert mapped.metadata == {"coco": {"info": 1}}
    assert mapped.labels == data.labels
    assert len(mapped) == 1


def test_subsets_are_datasets():
    subsets = Dataset.from_items(ITEMS).subsets
    assert {name: [item.id for item in part] for name, part in subsets.items()} == {
        "train": ["1", "3"],
        "val": ["2"],
    }


def test_a_derived_dataset_keeps_what_is_not_changed():
    data = Dataset.from_items(ITEMS, metadata={"a": 1})
    data.format = "coco"
    new = data.derive(list, labels=Labels(["x"]), count=0)
    assert (new.format, new.metadata, new.labels.names, len(new)) == ("coco", {"a": 1}, ("x",), 0)


def test_a_polygon_is_parts_of_rings():
    polygon = Polygon([[[0.0, 0.0, 1.0, 0.0, 1.0, 1.0]]])
    assert polygon.geometry == ([[[0.0, 0.0, 1.0, 0.0, 1.0, 1.0]]],)
    assert msgspec.convert(msgspec.to_builtins(polygon), Polygon) == polygon
