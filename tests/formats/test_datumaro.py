"""Everything that the model can say comes back from Datumaro files that dvcs wrote."""

import json
import re
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dvcs import formats
from dvcs.errors import DvcsError, LossError, UnsafeName
from dvcs.files import BytesOrigin, MemorySink, MemorySource
from dvcs.model import (
    Annotation,
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
    Raster,
    RotatedBbox,
)
from dvcs.objects.items import regrouped
from tests.gallery import HOLE, LABELS, RING, bitmap, gallery, image_item, png

DATUMARO = formats.find("datumaro")
COMMON = {"label", "caption", "bbox", "polygon", "polyline", "points", "mask", "cuboid_3d"}
"""The types that all versions since 0.3 read."""


def written(data: Dataset, **options: Any) -> MemorySink:
    sink = MemorySink()
    formats.write(data, DATUMARO, sink, **options)
    sink.finish()
    return sink


def back(data: Dataset, **options: Any) -> Dataset:
    sink = written(data, **options)
    return formats.read(MemorySource(sink.files, media=sink.origins), DATUMARO)


def document(data: Dataset, subset: str = "default", **options: Any) -> Any:
    return json.loads(written(data, **options).files[f"annotations/{subset}.json"])


def of(*notes: Annotation, labels: Labels = LABELS) -> Dataset:
    return Dataset.from_items([image_item("x", "default", *notes)], labels)


def notes_back(notes: Sequence[Annotation], **options: Any) -> list[Annotation]:
    return list(next(iter(back(of(*notes), **options))).annotations)


def records(*notes: Annotation, **options: Any) -> list[dict[str, Any]]:
    return document(of(*notes), **options)["items"][0]["annotations"]


def without_origins(data: Dataset) -> list[Item]:
    return [item.with_(origins=(), annotations=list(item.annotations), source="") for item in data]


def typed(value: Any) -> Any:
    """Return plain values with true and 1 told apart, and 1 and 1.0 not."""
    if isinstance(value, dict):
        return {key: typed(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [typed(one) for one in value]
    return (type(value).__name__, value) if isinstance(value, bool | str | None) else value


# -- all that the model has ----------------------------------------------------------------------


@pytest.mark.parametrize("media", [frozenset({"image"}), frozenset({"point_cloud"})])
def test_the_gallery_comes_back_whole(media: frozenset[str]):
    data = gallery(media)
    key = lambda item: (item.subset, item.id)  # noqa: E731 -- short
    wanted = sorted(without_origins(data), key=key)
    got = back(data)
    assert sorted(without_origins(got), key=key) == wanted
    assert got.labels == data.labels


NUMBERS = st.floats(-1e6, 1e6, allow_nan=False) | st.sampled_from(
    [0.1, 1 / 3, 1e-300, 1e300, -0.5, 123456789.123456789]
)
NAMES = st.sampled_from(LABELS.names) | st.none()
TEXTS = st.text(st.characters(codec="utf-8"), max_size=8)
SCALARS = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(-1e9, 1e9) | TEXTS
ATTRIBUTES = st.dictionaries(
    TEXTS | st.sampled_from(["score", "track_id", "occluded", "dvcs"]), SCALARS, max_size=3
)
WORDS = st.sampled_from(
    ["type", "group", "elements", "points", "id", "dvcs", "label_id", "object_id", "check", "image"]
)
EXTRAS = st.dictionaries(
    st.sampled_from(["coco", "datumaro", "dvcs"]),
    st.dictionaries(WORDS, SCALARS | st.sampled_from(["ellipse", "skeleton"]), max_size=3),
    max_size=2,
)


def flat(least: int, most: int = 5) -> st.SearchStrategy[list[float]]:
    pairs = st.lists(st.tuples(NUMBERS, NUMBERS), min_size=least, max_size=most)
    return pairs.map(lambda held: [value for pair in held for value in pair])


SHAPES: dict[type[Annotation], dict[str, st.SearchStrategy[Any]]] = {
    Label: {},
    Caption: {"caption": TEXTS},
    Bbox: dict.fromkeys(Bbox.geometry_fields, NUMBERS),
    RotatedBbox: dict.fromkeys(RotatedBbox.geometry_fields, NUMBERS),
    Ellipse: {
        **dict.fromkeys(Ellipse.geometry_fields, NUMBERS),
        "angle": NUMBERS | st.just(0.0),
    },
    Polygon: {
        "parts": st.lists(st.lists(flat(3), min_size=1, max_size=3), min_size=1, max_size=3)
        | st.sampled_from([[], [[]], [[[]]], [[[1.0, 2.0]]], [[RING, HOLE]], [[RING], [HOLE]]])
    },
    PolyLine: {"points": flat(0)},
    Points: {"points": flat(0), "visibility": st.just([])},
    Mask: {"size": st.just((48, 64)), "counts": st.just(bitmap((1, 2, 9, 9)).counts)},
    Cuboid3d: dict.fromkeys(Cuboid3d.geometry_fields, st.lists(NUMBERS, min_size=3, max_size=3)),
    Raster: {
        "meaning": st.sampled_from(["depth", "soft_mask"]),
        "file": st.builds(
            MediaFile, role=TEXTS, ext=st.just(".png"), name=TEXTS | st.none(), sha256=st.none()
        ),
    },
    Other: {
        "format": st.sampled_from(["coco", "datumaro", "dvcs"]),
        "record": SCALARS
        | st.dictionaries(WORDS, SCALARS, max_size=3)
        | st.sampled_from(
            [
                {"type": "bbox", "bbox": [1, 2, 3, 4]},
                {"type": "hash_key", "hash_key": [1, 2]},
                {"type": "skeleton", "elements": [{"label": "cat"}]},
            ]
        ),
    },
}


@st.composite
def any_note(draw: st.DrawFn) -> Annotation:
    kind = draw(st.sampled_from(list(SHAPES)))
    shape = {name: draw(values) for name, values in SHAPES[kind].items()}
    if kind is Points:
        count = len(shape["points"]) // 2
        shape["visibility"] = draw(
            st.just([]) | st.lists(st.integers(0, 2), min_size=count, max_size=count)
        )
    return kind(
        **shape,
        label=draw(NAMES),
        id=draw(st.just(0) | st.integers(-5, 2**60) | TEXTS),
        group=draw(st.integers(0, 3)),
        z_order=draw(st.integers(-2, 2)),
        score=draw(st.none() | st.floats(0, 1)),
        track=draw(st.none() | st.integers(0, 9) | TEXTS),
        attributes=draw(ATTRIBUTES),
        derived=draw(st.just({}) | EXTRAS),
        extra=draw(st.just({}) | EXTRAS),
        unknown=draw(st.just({}) | st.dictionaries(WORDS, SCALARS, max_size=1)),
    )


@given(st.lists(any_note(), max_size=5))
@settings(max_examples=250)
@example([Polygon([[RING, HOLE], [[50.0, 1.0, 60.0, 1.0, 60.0, 9.0]]], id="a", derived={"x": {}})])
@example([Other("datumaro", {"type": "skeleton", "elements": [{"label": "cat"}]}, label="cat")])
@example([Ellipse(1.0, 2.0, 3.0, 4.0, 30.0), Points([1.0, 2.0]), Bbox(1.0, 2.0, 3.0, 4.0)])
def test_every_annotation_comes_back_as_it_was(notes: list[Annotation]):
    wanted = regrouped(notes)
    got = notes_back(wanted)
    assert got == wanted
    assert list(map(_plain, got)) == list(map(_plain, wanted))


def _plain(note: Annotation) -> Any:
    return typed({name: getattr(note, name) for name in note.__struct_fields__ if name != "file"})


FILES = st.builds(
    MediaFile,
    role=st.sampled_from(["image", "video", "point_cloud", "related_image", "mask"]),
    ext=st.sampled_from(["", ".jpg", ".pcd", ".mp4"]),
    name=st.none() | st.sampled_from(["a.jpg", "b/c.png", "default/x.jpg", "x.jpg", "x"]),
    sha256=st.none() | st.just("0" * 64),
    size=st.none() | st.integers(0, 9),
    url=st.none() | st.just("https://example.org/x.jpg"),
)
SIDES = st.none() | st.integers(0, 5000)
MEDIA = st.none() | st.builds(
    Media,
    kind=st.sampled_from(["image", "multi_image", "point_cloud", "video_frame"]),
    files=st.lists(FILES, max_size=3).map(tuple),
    height=SIDES,
    width=SIDES,
    frame=st.none() | st.integers(0, 9),
    orientation=st.none() | st.integers(1, 8),
)


@given(
    MEDIA,
    st.just({}) | EXTRAS,
    ATTRIBUTES,
    st.sampled_from([None, True, False]),
    st.sampled_from(["default", "a/b", "c d", "é", "con"]),
)
@settings(max_examples=150)
def test_every_item_without_files_comes_back_as_it_was(
    media: Media | None,
    extra: dict[str, Any],
    attributes: dict[str, Any],
    annotated: bool | None,
    subset: str,
):
    count = len(media.files) if media else 0
    item = Item("x", subset, media, [], attributes, annotated, extra, origins=(None,) * count)
    sink = MemorySink()
    formats.write(Dataset.from_items([item], LABELS), DATUMARO, sink)
    (got,) = formats.read(MemorySource(sink.files), DATUMARO)
    assert got == item


WORD = st.text("ab#é", min_size=1, max_size=3)


@st.composite
def any_labels(draw: st.DrawFn) -> Labels:
    names = draw(st.lists(WORD, unique=True, max_size=4))
    held = []
    for number, name in enumerate(names):
        held.append(
            Category(
                name=name,
                key=draw(st.just("") | st.just(f"key {number}")),
                id=draw(st.none() | st.integers() | WORD),
                parent=draw(st.none() | st.sampled_from([*names, ""])),
                display_name=draw(st.none() | WORD),
                color=draw(st.none() | st.tuples(*[st.integers(-1, 256)] * 3)),
                keypoints=draw(st.lists(WORD, max_size=3).map(tuple)),
                joints=draw(
                    st.lists(st.tuples(st.integers(-1, 3), st.integers(0, 3)), max_size=2).map(
                        tuple
                    )
                ),
                attributes=draw(st.lists(SPECS, max_size=2).map(tuple)),
                extra=draw(st.just({}) | EXTRAS | st.just({"datumaro": {"name": "a"}})),
            )
        )
    return Labels(held, attributes=draw(st.lists(SPECS, max_size=2)), extra=draw(EXTRAS))


SPECS = st.builds(
    AttributeSpec,
    name=WORD,
    type=st.sampled_from(["", "select"]),
    values=st.lists(WORD, max_size=2).map(tuple),
    default=st.none() | WORD,
    mutable=st.booleans(),
)


@given(any_labels(), st.just({}) | st.just({"coco": {"info": {"year": 2017}}}))
@settings(max_examples=150)
def test_all_labels_and_metadata_come_back_as_they_were(labels: Labels, metadata: dict[str, Any]):
    got = back(Dataset.from_items([Item("x")], labels, metadata=metadata))
    assert got.labels == labels
    assert {name: one for name, one in got.metadata.items() if name != "datumaro"} == metadata


def test_media_files_of_all_roles_come_back():
    files = {
        "cloud": (("point_cloud", "point_cloud"), ("related_image", None), ("related_image", "r")),
        "frame": (("video", "v"),),
        "frame2": (("video", "v"),),
        "many": (("image", None), ("image", None)),
    }
    kinds = {"cloud": "point_cloud", "frame": "video_frame", "frame2": "video_frame"}
    items = []
    for id, roles in files.items():
        held = tuple(MediaFile(role=role, ext=".png", name=n and f"{n}.png") for role, n in roles)
        frame = 7 if "frame" in id else None
        media = Media(kind=kinds.get(id, "multi_image"), files=held, frame=frame)
        origins = tuple(BytesOrigin(lambda n=n: png(n + 1)) for n in range(len(roles)))
        items.append(Item(id, media=media, origins=origins))
    data = Dataset.from_items(items)
    got = back(data)
    assert without_origins(got) == without_origins(data)
    for old, new in zip(items, got, strict=True):
        assert [one.read() for one in new.origins] == [one.read() for one in old.origins]
    paths = {path for path, is_media in written(data).written.items() if is_media}
    assert "point_clouds/default/point_cloud.png" in paths
    assert "related_images/default/cloud/r.png" in paths
    assert "videos/default/v.png" in paths
    assert len(paths) == 6


def test_a_hash_is_not_written_of_a_file_that_is_written_too():
    media = Media(files=(MediaFile(ext=".png", sha256="0" * 64, size=3),))
    item = Item("x", media=media, origins=(BytesOrigin(lambda: b"other"),))
    assert "sha256" not in json.dumps(document(Dataset.from_items([item])))
    without = Dataset.from_items([item.with_(origins=(None,))])
    assert document(without)["items"][0]["dvcs"]["media"]["files"][0]["sha256"] == "0" * 64


# -- what other readers see ----------------------------------------------------------------------


def test_writes_only_types_that_every_version_reads():
    data = gallery()
    for subset in ("train", "val"):
        found = document(data, subset)
        types = {note["type"] for item in found["items"] for note in item["annotations"]}
        assert types <= COMMON
        for item in found["items"]:
            for note in item["annotations"]:
                assert {"id", "type", "attributes", "group"} <= note.keys()
                assert type(note["id"]) is int


def test_a_polygon_of_parts_is_written_as_polygons_of_one_group():
    note = Polygon([[RING], [[50.0, 1.0, 60.0, 1.0, 60.0, 9.0]]], label="cat", id=5)
    first, second = records(note)
    assert first["points"] == RING
    assert second["points"] == [50.0, 1.0, 60.0, 1.0, 60.0, 9.0]
    assert first["group"] == second["group"] != 0
    assert first["id"] == second["id"] == 5
    assert first["dvcs"] == {"rings": 2, "group": 0}
    assert second["dvcs"] == {"ring": 1}


def test_a_hole_is_joined_to_its_ring_so_that_the_area_is_right():
    (record,) = records(Polygon([[RING, HOLE]]))
    xs, ys = record["points"][0::2], record["points"][1::2]
    area = sum(
        xs[n] * ys[(n + 1) % len(xs)] - xs[(n + 1) % len(xs)] * ys[n] for n in range(len(xs))
    )
    assert abs(area) / 2 == pytest.approx(29.5 * 25.5 - 100)


def test_an_ellipse_is_a_polygon_or_on_request_an_ellipse():
    note = Ellipse(10.0, 20.0, 3.0, 4.0, 0.0)
    (record,) = records(note)
    assert record["type"] == "polygon"
    assert len(record["points"]) == 144
    (record,) = records(note, ellipses=True)
    assert (record["type"], record["points"]) == ("ellipse", [7.0, 16.0, 13.0, 24.0])
    assert notes_back([note], ellipses=True) != []


def test_scores_and_tracks_are_written_as_the_attributes_that_plugins_know():
    (record,) = records(Bbox(1.0, 2.0, 3.0, 4.0, score=0.5, track=7, attributes={"a": 1}))
    assert record["attributes"] == {"a": 1, "score": 0.5, "track_id": 7}
    assert "dvcs" not in record


def test_plain_annotations_have_no_key_of_ours():
    for note in (
        Bbox(1 / 3, 2.0, 3.0, 4.0, label="cat", id=1, attributes={"occluded": True}),
        Polygon([[RING]], label="dog", z_order=3),
        Points([1.0, 2.0], [2], label="person"),
        bitmap((1, 1, 5, 5)),
        Caption("x"),
        Label(label="cat"),
    ):
        (record,) = records(note)
        assert "dvcs" not in record


def test_the_top_of_a_file_is_what_version_1_writes():
    found = document(of(Label(label="cat")))
    assert list(found) == ["dm_format_version", "media_type", "infos", "categories", "items"]
    assert (found["dm_format_version"], found["media_type"]) == ("1.0", 2)
    assert found["categories"]["mask"]["colormap"] == [{"label_id": 0, "r": 200, "g": 30, "b": 30}]
    assert found["categories"]["points"]["items"] == [
        {
            "label_id": 3,
            "labels": ["nose", "left eye", "right eye"],
            "joints": [[1, 2], [1, 3]],
        }
    ]
    cloud = json.loads(
        written(gallery(frozenset({"point_cloud"}))).files["annotations/default.json"]
    )
    assert cloud["media_type"] == 6


# -- somebody else changed what stands beside our key --------------------------------------------


def edited(note: Annotation, change: Any) -> list[Annotation]:
    found = document(of(note))
    change(found["items"][0]["annotations"])
    files = {"annotations/default.json": json.dumps(found).encode()}
    (item,) = formats.read(MemorySource(files), DATUMARO)
    return list(item.annotations)


def test_a_shape_that_was_edited_is_the_edited_one():
    note = Ellipse(10.0, 20.0, 3.0, 4.0, 30.0, label="cat", derived={"coco": {"area": 1.0}})
    square = [0.0, 0.0, 1.0, 0.0, 1.0, 1.0]

    def change(records: list[dict[str, Any]]) -> None:
        records[0]["points"] = square

    assert edited(note, change) == [Polygon([[square]], label="cat")]


def test_a_box_that_was_moved_loses_what_followed_from_it_only():
    note = Bbox(1.0, 2.0, 3.0, 4.0, id="a", derived={"coco": {"area": 9.0}}, extra={"x": {"y": 1}})

    def change(records: list[dict[str, Any]]) -> None:
        records[0]["bbox"][0] = 1.5

    assert edited(note, change) == [Bbox(1.5, 2.0, 3.0, 4.0, id="a", extra={"x": {"y": 1}})]


def test_a_polygon_that_lost_a_part_is_made_of_the_others():
    parts = [[[0.0, 0.0, n, 0.0, n, 1.0]] for n in (1.0, 2.0, 3.0)]
    assert edited(Polygon(parts, label="cat"), lambda held: held.pop()) == [
        Polygon(parts[:2], label="cat")
    ]
    alone, *others = edited(Polygon(parts, label="cat"), lambda held: held.pop(1))
    assert alone.parts == parts[:1]
    assert [one.parts for one in others] == [parts[2:]]


def test_a_polygon_with_holes_keeps_them_only_while_its_ring_is_as_written():
    note = Polygon([[RING, HOLE]])
    assert edited(note, lambda held: None) == [note]

    def change(records: list[dict[str, Any]]) -> None:
        records[0]["points"][0] += 1

    (new,) = edited(note, change)
    assert len(new.parts[0]) == 1


# -- refused -------------------------------------------------------------------------------------


def test_nan_is_refused_when_written():
    with pytest.raises(LossError, match="'x' has a number that is not finite"):
        written(of(Bbox(float("nan"), 0.0, 1.0, 1.0)))


def test_two_items_of_one_name_are_refused_when_written():
    items = [Item("x", source="a"), Item("x", source="b")]
    with pytest.raises(UnsafeName, match="two items of the subset 'default' have the id 'x'"):
        written(Dataset.from_items(items))


def test_options_are_known_by_their_names():
    with pytest.raises(DvcsError, match=re.escape("--nothing")):
        written(of(), nothing=1)
