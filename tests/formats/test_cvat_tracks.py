"""CVAT's tracks: every frame between keyframes, and the keyframes alone in what is written."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvcs import formats
from dvcs.files import MemorySink, MemorySource
from dvcs.model import (
    Annotation,
    Bbox,
    Dataset,
    Ellipse,
    Item,
    Label,
    Mask,
    Media,
    Other,
    Points,
    Polygon,
    PolyLine,
    RotatedBbox,
)
from tests.formats.cvat_documents import CVAT, again, images, meaning, read, source, video, written


def box(frame: int, left: float, *, more: str = "", outside: int = 0, keyframe: int = 1) -> str:
    return (
        f'<box frame="{frame}" keyframe="{keyframe}" outside="{outside}" occluded="0"'
        f' xtl="{left:.2f}" ytl="2.00" xbr="{left + 4:.2f}" ybr="6.00" z_order="0"{more}></box>'
    )


def track(*shapes: str, id: int = 0, label: str = "car", more: str = "") -> str:
    return f'<track id="{id}" label="{label}" source="manual"{more}>{"".join(shapes)}</track>'


def shape(tag: str, frame: int, rest: str, *, outside: int = 0) -> str:
    return (
        f'<{tag} frame="{frame}" keyframe="1" outside="{outside}" occluded="0" {rest}'
        f' z_order="0"></{tag}>'
    )


def at(items: list[Item], track: int = 0) -> dict[int, Annotation]:
    """Return what of a track stands at each frame."""
    return {
        item.media.frame: note
        for item in items
        for note in item.annotations
        if note.track == track and item.media is not None and item.media.frame is not None
    }


# -- reading -------------------------------------------------------------------------------------


def test_two_keyframes_give_all_frames_between():
    items = read(video(track(box(0, 1.0), box(10, 6.0))))
    assert [item.id for item in items] == [f"frame_{n:06d}" for n in range(11)]
    for n, note in at(items).items():
        assert note.geometry == (1.0 + n / 2, 2.0, 4.0, 4.0)
        assert note.attributes["keyframe"] is (n in (0, 10))
        assert note.attributes["outside"] is False
    assert at(items)[5] == Bbox(
        x=3.5,
        y=2.0,
        w=4.0,
        h=4.0,
        label="car",
        track=0,
        attributes={"occluded": False, "outside": False, "keyframe": False},
        extra={"cvat": {"interpolated": True}},
    )
    assert items[5].media == Media(kind="video_frame", height=10, width=20, frame=5)


def test_without_a_task_the_keyframes_bound_the_frames():
    text = f"<annotations><version>1.1</version>{track(box(3, 1.0), box(5, 2.0))}</annotations>"
    items = read(text)
    assert [item.id for item in items] == ["frame_000003", "frame_000004", "frame_000005"]
    assert at(items)[4].geometry == (1.5, 2.0, 4.0, 4.0)


def test_the_last_keyframe_holds_to_the_end_of_the_task():
    items = read(video(track(box(2, 1.0)), stop=5))
    assert {n: note.attributes["keyframe"] for n, note in at(items).items()} == {
        2: True,
        3: False,
        4: False,
        5: False,
    }
    assert len(items) == 6


def test_an_object_that_is_outside_is_away_until_the_next_keyframe():
    items = read(
        video(track(box(0, 1.0), box(3, 4.0, outside=1), box(6, 1.0), box(8, 1.0, outside=1)))
    )
    seen = at(items)
    assert sorted(seen) == [0, 1, 2, 3, 6, 7, 8]
    assert [n for n in seen if seen[n].attributes["outside"]] == [3, 8]
    assert seen[1].geometry == (2.0, 2.0, 4.0, 4.0)


def test_frames_of_a_task_go_in_steps():
    items = read(video(track(box(10, 1.0), box(22, 5.0)), start=10, stop=24, step=4))
    assert [item.media.frame for item in items if item.media] == [10, 14, 18, 22]
    assert [note.geometry[0] for note in at(items).values()] == [1.0, 1.0 + 4 / 3, 1.0 + 8 / 3, 5.0]


def test_listed_shapes_between_keyframes_count_as_they_are():
    text = video(track(box(0, 1.0), box(1, 9.0, keyframe=0), box(2, 3.0, outside=1)))
    (zero, one, two) = at(read(text)).values()
    assert (zero.geometry[0], one.geometry[0], two.geometry[0]) == (1.0, 9.0, 3.0)
    assert (one.attributes["keyframe"], one.extra) == (False, {})
    assert meaning(again(text)) == meaning(text)


@pytest.mark.parametrize(
    ("first", "last", "angle"),
    [(10, 30, 20.0), (350, 10, 0.0), (10, 350, 0.0), (0, 90, 45.0), (270, 0, 315.0)],
)
def test_boxes_turn_the_shorter_way(first: int, last: int, angle: float):
    shapes = [box(0, 1.0, more=f' rotation="{first}"'), box(2, 3.0, more=f' rotation="{last}"')]
    middle = at(read(video(track(*shapes), stop=2)))[1]
    if angle:
        assert middle.geometry == (4.0, 4.0, 4.0, 4.0, angle)
        assert isinstance(middle, RotatedBbox)
    else:
        assert middle.geometry == (2.0, 2.0, 4.0, 4.0)
        assert isinstance(middle, Bbox)


RLE = 'rle="0, 4" top="1" width="2" height="2"'
CORNERS = [float(n) for n in range(16)]


def cuboid(shift: float) -> str:
    names = [f"{a}{c}{s}" for s in "12" for c in ("tl", "bl", "tr", "br") for a in "xy"]
    return " ".join(f'{name}="{value + shift}"' for name, value in zip(names, CORNERS, strict=True))


@pytest.mark.parametrize(
    ("tag", "first", "last", "middle"),
    [
        ("polygon", 'points="0,0;4,0;4,4"', 'points="2,0;6,0;6,8"', [[[1, 0, 5, 0, 5, 6]]]),
        ("polygon", 'points="0,0;4,0;4,4"', 'points="2,0;6,0;6,8;1,1"', [[[0, 0, 4, 0, 4, 4]]]),
        ("polyline", 'points="0,0;4,0"', 'points="2,0;6,8"', [1, 0, 5, 4]),
        ("points", 'points="0,0"', 'points="2,4"', [1, 2]),
        ("points", 'points="0,0;1,1"', 'points="2,4;3,3"', [0, 0, 1, 1]),
        ("ellipse", 'cx="1" cy="2" rx="3" ry="4"', 'cx="3" cy="4" rx="5" ry="2"', (2, 3, 4, 3, 0)),
        ("mask", f'{RLE} left="1"', f'{RLE} left="3"', ((10, 20), ";220h5")),
        ("cuboid", cuboid(0), cuboid(2), [value + 1 for value in CORNERS]),
    ],
)
def test_shapes_move_as_cvat_moves_them(tag: str, first: str, last: str, middle: Any):
    text = video(track(shape(tag, 0, first), shape(tag, 2, last)), stop=2)
    start, note, end = at(read(text)).values()
    assert type(start) is type(note) is type(end)
    if isinstance(note, Polygon | PolyLine | Points):
        assert note.geometry[0] == middle
    elif isinstance(note, Other):
        assert note.record["points"] == middle
    elif isinstance(note, Mask):
        assert note.geometry == start.geometry != end.geometry
    else:
        assert isinstance(note, Ellipse)
        assert note.geometry == middle
    assert meaning(again(text)) == meaning(text)


def test_polygons_whose_corners_cannot_be_matched_are_noted():
    three, four = 'points="0,0;4,0;4,4"', 'points="2,0;6,0;6,8;1,1"'
    text = video(track(shape("polygon", 0, three), shape("polygon", 2, four)), stop=2)
    place = source(text)
    list(formats.read(place, CVAT))
    assert [re.search("different numbers of points", note) is not None for note in place.notes] == [
        True
    ]


def skeleton(frame: int, *elements: tuple[str, int, str], keyframe: int = 1) -> str:
    inner = "".join(
        f'<points label="{name}" keyframe="1" outside="{outside}" occluded="0" points="{xy}"/>'
        for name, outside, xy in elements
    )
    return f'<skeleton frame="{frame}" keyframe="{keyframe}" z_order="0">{inner}</skeleton>'


def test_skeletons_move_by_element_and_leave_when_all_are_outside():
    text = video(
        track(
            skeleton(0, ("head", 0, "1,1"), ("hand", 1, "2,2"), ("foot", 0, "3,3")),
            skeleton(2, ("head", 0, "3,1"), ("hand", 0, "4,2"), ("foot", 0, "5,5")),
            skeleton(4, ("head", 1, "3,1"), ("hand", 1, "4,2"), ("foot", 1, "5,5")),
            label="man",
        ),
        stop=5,
    )
    seen = at(read(text))
    assert sorted(seen) == [0, 1, 2, 3, 4]
    assert seen[1].geometry == ([2.0, 1.0, 3.0, 2.0, 4.0, 4.0], [2, 0, 2])
    assert seen[4].attributes["outside"] is True
    assert meaning(again(text)) == meaning(text)


def test_attributes_hold_until_they_are_said_again():
    def speeding(frame: int, speed: int | None) -> str:
        said = "" if speed is None else f'<attribute name="speed">{speed}</attribute>'
        return box(frame, 1.0).replace("></box>", f">{said}</box>")

    seen = at(read(video(track(speeding(0, 30), speeding(2, None), speeding(4, 50)), stop=5)))
    assert [note.attributes["speed"] for note in seen.values()] == [30, 30, 30, 30, 50, 50]


def test_tags_and_shapes_of_images_stand_beside_tracks():
    body = '<tag label="car" source="manual"></tag>'
    text = images("", body, "").replace(
        "</annotations>", track(box(0, 1.0), box(2, 3.0)) + "</annotations>"
    )
    zero, one, two = read(text)
    assert [note.kind for note in one.annotations] == ["label", "bbox"]
    assert one.annotations[1].geometry == (2.0, 2.0, 4.0, 4.0)
    assert (zero.id, two.id, one.media and one.media.kind) == ("0", "2", "image")
    assert meaning(again(text)) == meaning(text)


def test_frames_that_were_deleted_are_none():
    pictures = [f"images/frame_{n:06d}.png" for n in (0, 1, 4)]
    items = read(video(track(box(0, 1.0), box(2, 1.0, outside=1)), stop=4), *pictures)
    assert [item.id for item in items] == [f"frame_{n:06d}" for n in (0, 1, 2, 4)]
    assert [len(item.origins) for item in items] == [1, 1, 0, 1]


def test_an_unseen_end_after_the_task_is_noted():
    place = source(video(track(box(0, 1.0), box(5, 1.0, outside=1)), stop=4))
    items = list(formats.read(place, CVAT))
    assert len(items) == 5
    assert len(at(items)) == 5
    assert [note for note in place.notes if "after the last frame" in note]


PROJECT = """<annotations><version>1.1</version><meta><project><tasks>
<task><id>1</id><size>3</size><mode>interpolation</mode><subset>a</subset><start_frame>0</start_frame>
<stop_frame>2</stop_frame></task>
<task><id>2</id><size>2</size><mode>interpolation</mode><subset>a</subset><start_frame>0</start_frame>
<stop_frame>1</stop_frame></task>
<task><id>3</id><size>2</size><mode>interpolation</mode><subset>b</subset><start_frame>0</start_frame>
<stop_frame>1</stop_frame></task>
</tasks><labels><label><name>car</name></label></labels></project></meta>
{}</annotations>"""


def test_tasks_of_a_project_follow_each_other_and_end_their_tracks():
    text = PROJECT.format(
        track(box(0, 1.0), id=0, more=' task_id="1" subset="a"')
        + track(box(3, 1.0), id=1, more=' task_id="2" subset="a"')
        + track(box(0, 1.0), id=2, more=' task_id="3" subset="b"')
    )
    items = read(text)
    found = [
        (item.subset, item.id[-1], [note.track for note in item.annotations]) for item in items
    ]
    assert found == [
        *(("a", "0", [0]), ("a", "1", [0]), ("a", "2", [0]), ("a", "3", [1]), ("a", "4", [1])),
        *(("b", "0", [2]), ("b", "1", [2])),
    ]
    assert items[3].extra == {"cvat": {"task_id": "2"}}
    assert meaning(again(text)) == meaning(text)


# -- writing -------------------------------------------------------------------------------------


def keyframes(text: str) -> list[tuple[int, int, int]]:
    """Return frame, keyframe and outside of each shape of the tracks of a file."""
    found = re.findall(r'<\w+ frame="(\d+)" keyframe="(\d)" outside="(\d)"', text)
    return [(int(a), int(b), int(c)) for a, b, c in found]


def test_only_keyframes_are_written():
    text = video(track(box(0, 1.0), box(10, 6.0)))
    assert keyframes(again(text)) == [(0, 1, 0), (10, 1, 0)]
    assert meaning(again(text)) == meaning(text)


def test_a_shape_that_was_moved_becomes_a_keyframe_and_the_others_stay():
    dataset = formats.read(
        source(video(track(box(0, 1.0), box(4, 5.0), box(6, 5.0)), stop=6)), CVAT
    )

    def moved(item: Item) -> Item:
        if item.id != "frame_000002":
            return item
        (note,) = item.annotations
        return item.with_(annotations=[note.with_(x=9.0)])

    changed = dataset.map(moved)
    text = written(changed).files["annotations.xml"].decode()
    assert keyframes(text) == [(0, 1, 0), (1, 0, 0), (2, 1, 0), (3, 0, 0), (4, 1, 0), (6, 1, 0)]
    back = read(text)
    assert [note.geometry for note in at(back).values()] == [
        note.geometry for note in at(list(changed)).values()
    ]


def test_frames_that_were_left_out_stay_out():
    dataset = formats.read(source(video(track(box(0, 1.0), box(10, 6.0)))), CVAT)
    some = dataset.select(lambda item: item.id[-1] in "23457")
    text = written(some).files["annotations.xml"].decode()
    back = read(text)
    assert [item.id for item in back] == [item.id for item in some]
    assert [item.media for item in back] == [item.media for item in some]
    assert [note.geometry for note in at(back).values()] == [
        note.geometry for note in at(list(some)).values()
    ]


def frames(
    count: int, make: Callable[[int], list[Annotation]], kind: Any = "video_frame"
) -> Dataset:
    items = []
    for n in range(count):
        media = Media(kind=kind, height=10, width=20, frame=n if kind == "video_frame" else None)
        items.append(Item(f"frame_{n:06d}", "clip", media, make(n)))
    return Dataset.from_items(items)


def test_an_object_that_goes_is_ended_and_the_end_is_no_annotation():
    def make(n: int) -> list[Annotation]:
        return [Bbox(x=1.0, y=1.0, w=2.0, h=2.0, label="a", track="x y")] if n in (1, 2, 5) else []

    sink = written(frames(7, make))
    text = sink.files["clip.xml"].decode()
    assert keyframes(text) == [(1, 1, 0), (2, 1, 0), (3, 1, 1), (5, 1, 0), (6, 1, 1)]
    assert "<image" not in text
    back = list(formats.read(source(text, path="clip.xml"), CVAT))
    assert [len(item.annotations) for item in back] == [0, 1, 1, 0, 0, 1, 0]
    assert [item.media for item in back] == [item.media for item in frames(7, make)]
    assert back[5].annotations[0].track == "x y"
    assert back[0].subset == "clip"


def test_tracks_of_images_stand_beside_them():
    def make(n: int) -> list[Annotation]:
        return [Bbox(x=1.0, y=1.0, w=2.0, h=2.0, label="a", track=3), Label(label="a", track=3)]

    data = frames(2, make, kind="image")
    text = written(data).files["clip.xml"].decode()
    assert len(re.findall("<image ", text)) == 2
    assert keyframes(text) == [(0, 1, 0), (1, 1, 0)]
    back = list(formats.read(source(text, path="clip.xml"), CVAT))
    assert [sorted(note.kind for note in item.annotations) for item in back] == [
        ["bbox", "label"]
    ] * 2
    assert {note.track for item in back for note in item.annotations} == {3}


def test_two_objects_of_one_track_in_one_frame_are_two_tracks():
    def make(n: int) -> list[Annotation]:
        return [Bbox(x=float(x), y=1.0, w=2.0, h=2.0, label="a", track=3) for x in range(3)]

    back = list(
        formats.read(source(written(frames(2, make)).files["clip.xml"], path="clip.xml"), CVAT)
    )
    assert [[note.geometry[0] for note in item.annotations] for item in back] == [
        [0.0, 1.0, 2.0]
    ] * 2


def test_a_label_or_kind_that_changes_makes_another_track():
    def make(n: int) -> list[Annotation]:
        if n < 2:
            return [Bbox(x=1.0, y=1.0, w=2.0, h=2.0, label="a" if n else "b", track=3)]
        return [PolyLine(points=[1.0, 1.0, 2.0, 2.0], label="a", track=3)]

    data = frames(4, make)
    text = written(data).files["clip.xml"].decode()
    assert len(re.findall('<track id="3"', text)) == 3
    back = list(formats.read(source(text, path="clip.xml"), CVAT))
    assert [[(n.kind, n.label, n.geometry) for n in item.annotations] for item in back] == [
        [(n.kind, n.label, n.geometry) for n in item.annotations] for item in data
    ]


def test_sequences_in_folders_have_tracks_of_their_own():
    items = [
        Item(
            f"{folder}/{n}",
            "s",
            Media(height=10, width=20),
            [Bbox(x=float(n), y=1.0, w=2.0, h=2.0, label="a", track=1)],
        )
        for folder in ("one", "two")
        for n in range(2)
    ]
    text = written(Dataset.from_items(items)).files["s.xml"].decode()
    assert len(re.findall('<track id="1"', text)) == 2
    back = list(formats.read(source(text, path="s.xml"), CVAT))
    assert [(item.id, [note.geometry for note in item.annotations]) for item in back] == [
        (item.id, [note.geometry for note in item.annotations]) for item in items
    ]


STATES = st.lists(
    st.tuples(st.sampled_from("abc-"), st.integers(0, 400), st.integers(0, 400), st.booleans()),
    min_size=1,
    max_size=12,
)


@given(STATES)
def test_whatever_a_track_does_comes_back(states: list[tuple[str, int, int, bool]]):
    def make(n: int) -> list[Annotation]:
        kind, x, y, occluded = states[n]
        shared: dict[str, Any] = {
            "label": "a",
            "track": 1,
            "attributes": {"occluded": occluded, "outside": kind == "c", "keyframe": True},
        }
        if kind == "-":
            return []
        if kind == "b":
            return [Ellipse(cx=x / 7, cy=y / 100, rx=3.0, ry=1.0, angle=float(x % 360), **shared)]
        return [Bbox(x=x / 100, y=y / 3, w=1.1, h=2.2, **shared)]

    data = frames(len(states), make)
    text = written(data).files["clip.xml"].decode()
    back = list(formats.read(source(text, path="clip.xml"), CVAT))
    assert [list(item.annotations) for item in back] == [list(item.annotations) for item in data]
    dataset = formats.read(source(text, path="clip.xml"), CVAT)
    assert written(dataset).files["clip.xml"].decode() == text


def test_a_polygon_of_several_parts_in_a_track_is_a_mask_of_its_frame():
    parts = [[[1.0, 1.0, 9.0, 1.0, 9.0, 9.0]], [[15.0, 15.0, 19.0, 15.0, 19.0, 19.0]]]
    note = Polygon(parts=parts, label="car", track=1)
    frames = [
        Item(
            id=f"frame_{n:06d}",
            subset="train",
            media=Media(kind="video_frame", frame=n, height=48, width=64),
            annotations=[note],
            annotated=True,
        )
        for n in range(2)
    ]
    sink = MemorySink()
    fidelity = formats.write(Dataset.from_items(frames, ["car"]), CVAT, sink)
    assert fidelity.converted == {("polygon", "mask"): 2}
    back = MemorySource(sink.files, name="x")
    masks = [one for item in formats.read(back, CVAT) for one in item.annotations]
    assert [(one.kind, one.size, one.track) for one in masks] == [("mask", (48, 64), 1)] * 2
