"""Numbers that a tool gives anew: of images and groups, and of tracks."""

from dvcs.model import Bbox, Item
from dvcs.projection import Tracks, apply_edits, same_numbers


def box(x: float, track: int | None = None, **fields) -> Bbox:
    return Bbox(x=x, y=2.0, w=3.0, h=4.0, label="cat", track=track, **fields)


def frame(n: int, *notes: Bbox, folder: str = "a") -> Item:
    return Item(id=f"{folder}/{n}", subset="train", annotations=list(notes))


def numbers(tracks: Tracks, *items: Item) -> list[list[int | None]]:
    return [[note.track for note in tracks.renumbered(item).annotations] for item in items]


def learnt(shown: list[Item], edited: list[Item]) -> Tracks:
    tracks = Tracks()
    for one, other in zip(shown, edited, strict=True):
        tracks.learn(one, other)
    return tracks


def test_tracks_behind_a_deleted_one_are_known_again():
    shown = [frame(n, box(n, 0), box(n + 20, 1), box(n + 40, 2)) for n in (1, 2, 3)]
    edited = [frame(n, box(n + 20, 0), box(n + 40, 1)) for n in (1, 2, 3)]
    assert numbers(learnt(shown, edited), *edited) == [[1, 2]] * 3


def test_a_new_track_does_not_take_over_the_number_of_another():
    shown = [frame(1, box(1, 0), box(20, 1))]
    edited = [frame(1, box(1, 1), box(20, 2), box(40, 0))]
    assert numbers(learnt(shown, edited), *edited) == [[0, 1, 3]]


def test_shapes_that_change_places_are_an_edit():
    shown = [frame(n, box(n, 5), box(n + 20, 7)) for n in range(4)]
    edited = [*shown[:2], *(frame(n, box(n, 7), box(n + 20, 5)) for n in (2, 3))]
    assert numbers(learnt(shown, edited), *edited) == [[5, 7], [5, 7], [7, 5], [7, 5]]


def test_an_item_that_is_as_it_was_holds_its_numbers():
    shown, edited = frame(2, box(2, 0)), frame(2, box(2, 4))
    assert numbers(learnt([shown], [edited]), edited) == [[0]]
    for kept in (0, 4):
        tracks = learnt([shown], [edited])
        tracks.keep(frame(1, box(9, kept)))
        assert numbers(tracks, edited) == [[4]]


def test_each_folder_numbers_its_own_tracks():
    shown = [frame(1, box(1, 0)), frame(1, box(1, 0), folder="b")]
    edited = [frame(1, box(1, 3)), frame(1, box(1, 0), folder="b")]
    assert numbers(learnt(shown, edited), *edited) == [[0], [0]]


def test_shapes_that_are_alike_tell_nothing():
    shown = [frame(1, box(1, 0), box(1, 1))]
    edited = [frame(1, box(1, 4), box(1, 5))]
    assert numbers(learnt(shown, edited), *edited) == [[4, 5]]


def test_names_of_tracks_are_kept_and_no_track_is_none():
    shown = [frame(1, box(1, 2), box(9))]
    edited = [frame(1, box(1, 3), box(9))]
    assert numbers(learnt(shown, edited), *edited) == [[2, None]]


def test_only_numbers_are_those_that_were_shown():
    shown = {"cvat": {"id": 1, "name": "a"}, "coco": {"license": 3}}
    edited = {"cvat": {"id": 9, "name": "b", "task_id": "4"}, "coco": {"license": 5}, "x": 1}
    assert same_numbers(shown, edited) == {
        "cvat": {"id": 1, "name": "b", "task_id": "4"},
        "coco": {"license": 5},
        "x": 1,
    }
    assert same_numbers({"cvat": {"id": 1}}, {"cvat": 3}) == {"cvat": 3}


def grouped(*members: tuple[float, int, int]) -> Item:
    """Return an item of boxes: x, group, and the number that the file gives the group."""
    notes = [
        box(x, group=group, extra={"cvat": {"group_id": number} if number else {}})
        for x, group, number in members
    ]
    return frame(1, *notes)


def test_another_number_of_a_group_is_no_edit():
    full = grouped((1, 1, 5), (20, 1, 5), (40, 2, 6), (60, 2, 6))
    edited = grouped((1, 1, 8), (20, 1, 8), (40, 2, 5), (60, 2, 5))
    assert apply_edits(full, full, edited).item == full


def test_a_shape_that_goes_to_another_group_has_no_old_number():
    full = grouped((1, 1, 5), (20, 1, 5), (40, 2, 6), (60, 2, 6))
    edited = grouped((1, 1, 8), (20, 2, 9), (40, 2, 9), (60, 2, 9))
    first, *others = apply_edits(full, full, edited).item.annotations
    assert first.group == 0
    assert {note.group for note in others} == {3}
    assert [note.extra["cvat"] for note in others] == [{}, {}, {}]
