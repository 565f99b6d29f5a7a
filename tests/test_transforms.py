"""Transforms: labels, subsets and shapes change as told, and nothing else does."""

import pytest

from dvcs import transforms
from dvcs.errors import DvcsError, UnknownName, UsageError
from dvcs.model import (
    Annotation,
    Bbox,
    Caption,
    Category,
    Dataset,
    Ellipse,
    Item,
    Labels,
    Mask,
    Media,
    MediaFile,
    Points,
    Polygon,
    PolyLine,
    RotatedBbox,
)
from tests.gallery import HEIGHT, WIDTH, bitmap, gallery, image_item

LABELS = Labels(
    [Category(name="cat", id=5, color=(1, 2, 3)), Category(name="dog", parent="pet"), "ant"]
)
BOX = Bbox(2.0, 3.0, 10.0, 5.0, label="cat", id=7, group=2, z_order=3, score=0.5, track=4)
RING = [10.0, 5.0, 40.0, 5.0, 40.0, 30.0, 10.0, 30.0]
HOLE = [20.0, 10.0, 20.0, 20.0, 30.0, 20.0, 30.0, 10.0]


def one(*notes: Annotation, **fields: object) -> Dataset:
    return Dataset.from_items([image_item("1", "train", *notes, **fields)], LABELS)


def notes(dataset: Dataset, name: str, **options: object) -> list[Annotation]:
    changed = transforms.apply(dataset, name, **options)
    assert changed.labels == dataset.labels or name.endswith("labels")
    return [note for item in changed for note in item.annotations]


def said(note: Annotation) -> dict[str, object]:
    """Return all that is said of an annotation beside its shape."""
    own = {*note.geometry_fields, "derived"}
    return {name: getattr(note, name) for name in note.__struct_fields__ if name not in own}


def test_every_row_has_its_function():
    for name in transforms.ROWS:
        assert transforms.find(name).__doc__
    with pytest.raises(UnknownName, match="no transform") as error:
        transforms.find("shapes_to_box")
    assert error.value.hint == "did you mean 'shapes_to_boxes'?"


@pytest.mark.parametrize("name", sorted(transforms.ROWS))
def test_nothing_is_read_before_the_walk_and_each_walk_is_the_same(name: str):
    walks = []

    def walk() -> list[Item]:
        walks.append(1)
        return [image_item("1", "train", BOX)]

    options = {
        "map_subsets": {"mapping": {"train": "val"}},
        "project_labels": {"labels": ["dog"]},
        "remap_labels": {"mapping": {"cat": "dog"}},
    }.get(name, {})
    changed = transforms.apply(Dataset(LABELS, walk), name, **options)
    assert walks == []
    first, second = ([item.with_(origins=()) for item in changed] for _ in range(2))
    assert first == second
    assert len(first) == 1


# -- labels and subsets --------------------------------------------------------------------------


def test_labels_are_renamed_joined_and_deleted():
    data = one(*(BOX.with_(label=name) for name in ("cat", "dog", "ant")), Caption("a cat"))
    changed = transforms.apply(data, "remap_labels", mapping={"cat": "animal", "dog": "animal"})
    assert changed.labels.names == ("animal", "ant")
    assert changed.labels["animal"].key == "cat"
    assert changed.labels["animal"].color == (1, 2, 3)
    assert [note.label for item in changed for note in item.annotations] == [
        *("animal", "animal", "ant"),
        None,
    ]
    left = transforms.apply(data, "remap_labels", mapping={"dog": "dog"}, default="delete")
    assert left.labels.names == ("dog",)
    assert [note.label for item in left for note in item.annotations] == ["dog", None]
    with pytest.raises(UsageError, match="no label is called 'cow'"):
        transforms.apply(data, "remap_labels", mapping={"cow": "animal"})


def test_labels_are_projected_to_a_list():
    data = one(*(BOX.with_(label=name) for name in ("cat", "dog", "ant")))
    changed = transforms.apply(data, "project_labels", labels=["dog", "bee", "cat"])
    assert changed.labels.names == ("dog", "bee", "cat")
    assert changed.labels["dog"].parent == "pet"
    assert [note.label for item in changed for note in item.annotations] == ["cat", "dog"]


def test_subsets_are_renamed_and_joined():
    items = [image_item(str(n), subset) for n, subset in enumerate(("train", "a", "b"))]
    changed = transforms.apply(
        Dataset.from_items(items), "map_subsets", mapping={"a": "test", "b": "test"}
    )
    assert [(item.id, item.subset) for item in changed] == [
        *(("0", "train"), ("1", "test"), ("2", "test"))
    ]


# -- shapes --------------------------------------------------------------------------------------


def test_boxes_become_masks():
    turned = RotatedBbox(32.0, 24.0, 10.0, 4.0, 90.0, label="dog")
    ring = Polygon([[RING]], label="cat")
    first, second, same = notes(one(BOX, turned, ring), "boxes_to_masks")
    assert isinstance(first, Mask)
    assert first == bitmap((2, 3, 12, 8)).with_(**said(BOX))
    assert second.geometry == bitmap((30, 19, 34, 29)).geometry
    assert same is ring


def test_polygons_become_masks_with_their_holes():
    polygon = Polygon([[RING, HOLE]], label="cat", id=9, attributes={"a": 1})
    (mask, box) = notes(
        one(polygon.with_(derived={"coco": {"area": 1.0}}), BOX), "polygons_to_masks"
    )
    whole, hole = bitmap((10, 5, 40, 30)), bitmap((20, 10, 30, 20))
    from dvcs.geometry import masks

    expected = masks.decode(*whole.geometry) & ~masks.decode(*hole.geometry)
    assert (masks.decode(*mask.geometry) == expected).all()
    assert said(mask) == said(polygon)
    assert mask.derived == {}
    assert box is BOX


def test_masks_become_polygons_and_back():
    mask = bitmap((3, 4, 20, 30), (30, 30, 40, 40)).with_(label="cat", id=3, group=1)
    (polygon,) = notes(one(mask), "masks_to_polygons")
    assert isinstance(polygon, Polygon)
    assert len(polygon.parts) == 2
    assert said(polygon) == said(mask)
    assert notes(one(polygon), "polygons_to_masks") == [mask]


def test_an_empty_mask_stays_what_it_is():
    empty = bitmap().with_(label="cat")
    assert notes(one(empty), "masks_to_polygons") == [empty]
    assert notes(one(empty), "shapes_to_boxes") == [empty]


def test_all_shapes_become_boxes():
    shapes = [
        bitmap((3, 4, 20, 30)),
        Polygon([[RING, HOLE], [[50.0, 1.0, 60.0, 1.0, 60.0, 9.0]]]),
        PolyLine([1.0, 1.0, 20.0, 7.0]),
        Points([5.0, 6.0, 0.0, 0.0, 9.0, 8.0], [2, 0, 1]),
        Ellipse(32.0, 24.0, 10.0, 5.0, 0.0),
        RotatedBbox(32.0, 24.0, 10.0, 4.0, 90.0),
    ]
    told = {"label": "cat", "id": 4, "attributes": {"occluded": True}, "score": 0.25}
    found = notes(one(BOX, *(shape.with_(**told) for shape in shapes)), "shapes_to_boxes")
    assert found[0] is BOX
    assert [note.geometry for note in found[1:]] == [
        (3.0, 4.0, 17.0, 26.0),
        (10.0, 1.0, 50.0, 29.0),
        (1.0, 1.0, 19.0, 6.0),
        (5.0, 6.0, 4.0, 2.0),
        pytest.approx((22.0, 19.0, 20.0, 10.0)),
        pytest.approx((30.0, 19.0, 4.0, 10.0)),
    ]
    assert all(said(note) == said(found[1]) for note in found[1:])
    assert said(found[1]) == said(shapes[0].with_(**told))


def test_an_instance_becomes_one_box():
    ring = Polygon([[RING]], label="cat", group=1)
    points = Points([12.0, 8.0], [2], label="cat", group=1)
    alone = Points([12.0, 8.0, 14.0, 9.0], [2, 2], label="cat", group=2)
    found = notes(one(ring, points, alone), "shapes_to_boxes")
    assert [note.geometry for note in found] == [(10.0, 5.0, 30.0, 25.0), (12.0, 8.0, 2.0, 1.0)]


@pytest.mark.parametrize("name", ["boxes_to_masks", "polygons_to_masks"])
def test_masks_need_the_size_of_the_image(name: str):
    media = Media(files=(MediaFile(ext=".png"),))
    notes_ = (BOX, Polygon([[RING]]))
    data = one(*notes_).map(lambda item: item.with_(media=media, origins=(None,)))
    with pytest.raises(DvcsError, match="item '1': the size of its image is not known") as error:
        list(transforms.apply(data, name))
    assert error.value.hint
    from_header = one(*notes_).map(lambda item: item.with_(media=media))
    (item,) = transforms.apply(from_header, name)
    assert [note.size for note in item.annotations if isinstance(note, Mask)] == [(HEIGHT, WIDTH)]


def test_items_without_such_shapes_are_the_very_same():
    item = image_item("1", "train", Caption("a"), Points([1.0, 2.0]))
    for name in ("boxes_to_masks", "polygons_to_masks", "masks_to_polygons"):
        (same,) = transforms.apply(Dataset.from_items([item]), name)
        assert same is item


def test_the_gallery_has_no_other_shapes_than_boxes_afterwards():
    data = gallery().select(lambda item: item.media is not None)
    kinds = {note.kind for note in notes(data, "shapes_to_boxes")}
    assert kinds == {"bbox", "label", "caption", "other"}
