"""
Bringing edits home: from every format that can hold boxes, and what they cannot say stays.

A dataset with polygons, keypoints, attributes and ids is written out, edited through the format
itself, and committed: one edit must be one change, and all else the same bytes.
"""

import shutil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dvcs import formats
from dvcs.errors import ConflictError
from dvcs.files import FolderSink, open_source
from dvcs.model import (
    Bbox,
    Caption,
    Category,
    Dataset,
    Item,
    Label,
    Labels,
    Mask,
    Media,
    MediaFile,
    Points,
    Polygon,
)
from dvcs.projection import apply_edits, edited_labels, followed
from dvcs.repository import Repository, editing
from dvcs.repository.working import checkout, copies, recording, worktree
from dvcs.repository.working.reading import writing_options
from dvcs.repository.working.rendering import Rendering
from tests.repository import pets

RING = [4.0, 4.0, 24.0, 4.0, 24.0, 9.0, 14.0, 9.0, 14.0, 14.0, 4.0, 14.0]
POLYGON = Polygon(
    parts=[[RING]], label="cat", id=101, attributes={"age": 3, "name": "Tom"}, score=0.5
)
BOX = Bbox(x=30.0, y=20.0, w=20.0, h=10.0, label="dog", id=102, attributes={"leash": True})
EXTRA = Bbox(x=2.0, y=30.0, w=8.0, h=12.0, label="cat", id=103, z_order=2)


def rich(count=3):
    """Return items with more than most formats can say."""
    return [
        Item(
            id=f"street/{n}",
            subset="train",
            media=Media(files=(MediaFile(ext=".png"),), height=48, width=64),
            annotations=[
                POLYGON.with_(id=100 * n + 1),
                BOX.with_(id=100 * n + 2),
                EXTRA.with_(id=100 * n + 3),
                Caption(caption=f"pets {n}", id=100 * n + 4),
            ],
            attributes={"weather": "rain"},
            annotated=True,
        )
        for n in range(1, count + 1)
    ]


LABELS = Labels([Category(name="cat", id=5, color=(1, 2, 3)), Category(name="dog", id=9), "ant"])


class Stored:
    """Bytes of an image."""

    path = None

    def __init__(self, seed):
        self.seed = seed

    def read(self):
        return pets.png(self.seed)


def repository(root):
    """Return a repository with the source `pets`, images included, and no working copy."""
    items = [item.with_(origins=(Stored(n),)) for n, item in enumerate(rich(), 1)]
    repo = Repository.init(root)
    repo.import_dataset(Dataset(LABELS, lambda: items, count=3), name="pets")
    return repo


def rewritten(repo, change):
    """Edit the working copy as another tool would: read its files, change items, write them."""
    copy = copies.load(repo.layout)["pets"]
    folder = repo.root / copy.path
    dataset = worktree.dataset_of(repo, "pets")
    items = [new for item in dataset if (new := change(item)) is not None]
    edited = dataset.derive(lambda: items)
    target = repo.root / ".dvcs" / "edited"
    format = formats.find(copy.format)
    with FolderSink(target) as sink:
        formats.write(edited, format, sink, **writing_options(format, copy.options))
    shutil.rmtree(folder)
    shutil.move(target, folder)


FORMATS = [
    one.name
    for one in formats.all_formats()
    if {"bbox"} <= one.kinds and one.read is not None and one.write is not None
    if "image" in one.media and "unlabelled" not in one.kinds
]


@pytest.fixture(params=FORMATS)
def checked_out(request, tmp_path):
    repo = repository(tmp_path / "repo")
    checkout.checkout_source(repo, "pets", format=request.param)
    return repo


def find(item, label, near):
    """Return the position of the annotation of a label that is nearest to a place."""
    from dvcs.compare import bounds

    found = [
        (abs(box[0] - near), at)
        for at, note in enumerate(item.annotations)
        if note.label == label and (box := bounds(note)) is not None
    ]
    return min(found)[1] if found else None


def of_item(item, n):
    return item.id.rpartition("/")[2] == str(n)


def shown_of(repo, label):
    """Return how the working copy's format shows the first item's annotations of a label."""
    item = next(item for item in worktree.dataset_of(repo, "pets") if of_item(item, 2))
    return [note for note in item.annotations if note.label == label]


def full(repo, n):
    return repo.item("main", "pets", "train", f"street/{n}")


def differing(repo):
    before, after = pets.stored(repo, "HEAD~1"), pets.stored(repo)
    return {key for key in before | after if before.get(key) != after.get(key)}


def changed_item():
    return {("train", "street%2F2")}


def test_what_was_written_is_no_change(checked_out):
    assert pets.only(checked_out).state == "clean"
    index = copies.index_path(checked_out.layout, "pets")
    index.unlink()  # so that all is read
    status = pets.only(checked_out)
    assert (status.state, status.changes, status.labels) == ("clean", (), worktree.LabelChanges())


def test_what_another_tool_wrote_alike_is_no_change(checked_out):
    rewritten(checked_out, lambda item: item)
    status = pets.only(checked_out)
    assert (status.state, status.changes, status.labels) == ("clean", (), worktree.LabelChanges())


def test_a_moved_box_is_one_change_and_the_rest_stays(checked_out):
    repo = checked_out
    if not [note for note in shown_of(repo, "dog") if isinstance(note, Bbox)]:
        pytest.skip("shows the box as something else")
    before = full(repo, 2)

    def move(item):
        if not of_item(item, 2):
            return item
        at = find(item, "dog", 30.0)
        notes = list(item.annotations)
        notes[at] = notes[at].with_(x=notes[at].x - 6.0, derived={})
        return item.with_(annotations=notes)

    rewritten(repo, move)
    worktree.commit(repo, message="moved")

    assert differing(repo) == changed_item()
    after = full(repo, 2)
    box = after.annotations[1]
    assert (box.x, box.y, box.w, box.h) == pytest.approx((24.0, 20.0, 20.0, 10.0), abs=1e-3)
    assert box.with_(x=30.0, y=20.0, w=20.0, h=10.0, derived={}) == before.annotations[1].with_(
        derived={}
    )
    others = [note for note in after.annotations if note.id != 202]
    assert others == [note for note in before.annotations if note.id != 202]
    assert after.with_(annotations=(), origins=()) == before.with_(annotations=(), origins=())
    assert pets.only(repo).state == "clean"


def test_another_label_reaches_the_full_shape(checked_out):
    repo = checked_out
    if not shown_of(repo, "cat"):
        pytest.skip("does not show the shape")
    before = full(repo, 2)

    def relabel(item):
        if not of_item(item, 2):
            return item
        at = find(item, "cat", 4.0)
        notes = list(item.annotations)
        notes[at] = notes[at].with_(label="dog")
        return item.with_(annotations=notes)

    rewritten(repo, relabel)
    worktree.commit(repo, message="relabelled")

    assert differing(repo) == changed_item()
    after = full(repo, 2)
    was, now = (
        {note.id: note for note in before.annotations},
        {note.id: note for note in after.annotations},
    )
    changed = [id for id in was if was[id] != now[id]]
    assert len(changed) == 1
    assert now[changed[0]] == was[changed[0]].with_(label="dog")
    assert now.keys() == was.keys()
    assert pets.only(repo).state == "clean"


def test_a_deleted_and_a_new_box(checked_out):
    repo = checked_out
    if not [note for note in shown_of(repo, "dog") if isinstance(note, Bbox)]:
        pytest.skip("shows the box as something else")
    before = full(repo, 2)

    def replace(item):
        if not of_item(item, 2):
            return item
        at = find(item, "dog", 30.0)
        notes = list(item.annotations)
        gone = notes.pop(at)
        new = gone.with_(x=40.0, y=2.0, w=4.0, h=4.0, id=0, group=0, derived={}, extra={})
        return item.with_(annotations=[*notes, new])

    rewritten(repo, replace)
    worktree.commit(repo, message="replaced")

    assert differing(repo) == changed_item()
    after = full(repo, 2)
    kept = [note for note in before.annotations if note.id != 202]
    assert [note for note in after.annotations if note in kept] == kept
    (new,) = [note for note in after.annotations if note not in kept]
    assert (new.x, new.y, new.w, new.h) == pytest.approx((40.0, 2.0, 4.0, 4.0), abs=1e-3)
    assert new.label == "dog"
    assert pets.only(repo).state == "clean"


def test_a_removed_item_is_removed_and_no_other(checked_out):
    repo = checked_out
    rewritten(repo, lambda item: None if of_item(item, 2) else item)
    worktree.commit(repo, message="removed")
    assert differing(repo) == changed_item()
    assert full(repo, 2) is None
    assert pets.only(repo).state == "clean"


def test_the_moved_box_of_a_polygon_is_a_conflict(tmp_path):
    repo = repository(tmp_path)
    checkout.checkout_source(repo, "pets", format="yolo_detect")

    def move(item):
        if not of_item(item, 2):
            return item
        at = find(item, "cat", 4.0)
        notes = list(item.annotations)
        notes[at] = notes[at].with_(x=notes[at].x + 3.0)
        return item.with_(annotations=notes)

    rewritten(repo, move)
    before = pets.stored(repo)
    (conflict,) = pets.only(repo).conflicts
    assert (conflict.subset, conflict.id) == ("train", "street/2")
    with pytest.raises(ConflictError, match="pets/train/street/2: the polygon was shown as a bbox"):
        worktree.commit(repo, message="moved")
    assert pets.stored(repo) == before

    worktree.commit(repo, message="moved", on_conflict="edited")
    (box,) = [note for note in full(repo, 2).annotations if note.id == 201]
    assert isinstance(box, Bbox)
    assert (box.x, box.attributes) == (pytest.approx(7.0, abs=1e-3), {"age": 3, "name": "Tom"})


def test_a_conflict_can_be_decided_for_the_full_shape(tmp_path):
    repo = repository(tmp_path)
    checkout.checkout_source(repo, "pets", format="yolo_detect")
    before = pets.files(tmp_path / "pets")

    def move(item):
        if not of_item(item, 2):
            return item
        at = find(item, "cat", 4.0)
        notes = list(item.annotations)
        notes[at] = notes[at].with_(x=notes[at].x + 3.0)
        return item.with_(annotations=notes)

    rewritten(repo, move)
    assert not worktree.commit(repo, message="moved", on_conflict="kept").changed
    assert pets.only(repo).state == "clean"
    assert pets.files(tmp_path / "pets") == before


def test_an_edited_export_outside_is_brought_back_onto_its_revision(tmp_path):
    repo = repository(tmp_path / "repo")
    first = repo.resolve()
    checkout.checkout_source(repo, "pets", format="yolo_detect")
    outside = tmp_path / "export"
    rewritten(repo, lambda one: None if of_item(one, 3) else one)
    shutil.move(repo.root / "pets", outside)
    editing.set_items(repo, "pets", remove=[("train", "street/1")], message="by others")
    format = formats.find("yolo_detect")
    dataset = formats.read(open_source(outside), format)

    done, found = recording.bring_back(
        repo, "pets", dataset, Rendering(format, {}), revision=first.hex(), message="back"
    )

    assert [(one.id, one.status) for one in found.changes()] == [("street/3", "removed")]
    assert repo.resolve() == done.oid
    assert [one.id for one in repo.dataset()] == ["street/2"]
    assert len(full(repo, 2).annotations) == 4


# -- single items


def item(*notes, **fields):
    return Item(id="1", subset="train", annotations=list(notes), **fields)


def shown(*notes):
    """Return an item as a format without ids and attributes shows it: boxes, rounded."""
    from dvcs.compare import bounds

    boxes = [(note, bounds(note)) for note in notes]
    return item(
        *(
            Bbox(label=note.label, **dict(zip("xywh", map(float, map(round, box)), strict=True)))
            for note, box in boxes
            if box is not None
        )
    )


def test_nothing_edited_gives_the_very_same_annotations():
    whole = item(POLYGON, BOX, EXTRA)
    assert apply_edits(whole, shown(*whole.annotations), shown(*whole.annotations)).item == whole


def test_a_rounded_box_keeps_the_numbers_that_were_not_edited():
    exact = BOX.with_(x=30.25, y=19.75, w=20.5, h=10.25)
    before = shown(exact).annotations[0]
    edited = item(before.with_(x=33.0))
    (after,) = apply_edits(item(exact), item(before), edited).item.annotations
    assert after == exact.with_(x=33.0)


def test_an_instance_goes_as_a_whole_where_one_part_stood_for_it():
    points = Points(points=[5.0, 5.0], visibility=[2], label="cat", group=1, id=1)
    whole = item(POLYGON.with_(group=1), points, BOX)
    visible = item(*shown(POLYGON, BOX).annotations)
    removed = apply_edits(whole, visible, item(visible.annotations[1]))
    assert removed.item.annotations == [BOX]
    relabelled = item(visible.annotations[0].with_(label="dog"), visible.annotations[1])
    result = apply_edits(whole, visible, relabelled).item.annotations
    assert [note.label for note in result] == ["dog", "dog", "dog"]


def test_a_polygon_that_was_shown_in_two_parts_needs_both_to_go():
    two = POLYGON.with_(parts=[[RING], [[40.0, 4.0, 50.0, 4.0, 50.0, 9.0]]])
    visible = item(*(two.with_(parts=[part], id=0) for part in two.parts))
    one = apply_edits(item(two), visible, item(visible.annotations[0]))
    assert len(one.conflicts) == 1
    assert apply_edits(item(two), visible, item()).item.annotations == []


def test_a_simplified_polygon_cannot_follow():
    holed = POLYGON.with_(parts=[[RING, [6.0, 6.0, 8.0, 6.0, 8.0, 8.0]]])
    visible = item(holed.with_(parts=[[RING]]))
    moved = item(holed.with_(parts=[[[value + 1 for value in RING]]]))
    assert apply_edits(item(holed), visible, moved).conflicts[0].annotation == holed
    kept = apply_edits(item(holed), visible, moved, rule="kept")
    assert (kept.item.annotations, kept.conflicts) == ([holed], ())


def test_attributes_are_edited_one_by_one():
    whole = item(BOX.with_(attributes={"a": 1, "b": 2, "hidden": 3}))
    visible = item(BOX.with_(attributes={"a": 1, "b": 2}))
    edited = item(BOX.with_(attributes={"a": 5, "c": 7}))
    (after,) = apply_edits(whole, visible, edited).item.annotations
    assert after.attributes == {"a": 5, "hidden": 3, "c": 7}


def test_a_new_annotation_gets_an_id_of_its_own():
    whole = item(BOX.with_(id=7), EXTRA.with_(id=8))
    visible = item(BOX.with_(id=1), EXTRA.with_(id=2))
    new = BOX.with_(id=7, x=2.0, y=2.0, w=3.0, h=3.0)
    after = apply_edits(whole, visible, item(*visible.annotations, new)).item.annotations
    assert [note.id for note in after] == [7, 8, 9]


def test_a_label_of_an_image_changes():
    whole = item(Label(label="cat", id=4, score=0.5), BOX)
    after = apply_edits(whole, item(Label(label="cat")), item(Label(label="dog")))
    assert after.item.annotations == [Label(label="dog", id=4, score=0.5), BOX]


def test_a_mask_that_was_shown_as_it_is_follows():
    mask = Mask(size=(4, 4), counts="04", label="cat", id=3)
    edited = mask.with_(counts="14", id=0)
    assert followed(mask, mask.with_(id=0), edited).counts == "14"


COORDINATE = st.integers(0, 200)
BOXES = st.lists(
    st.builds(
        Bbox,
        x=COORDINATE.map(float),
        y=COORDINATE.map(float),
        w=st.integers(1, 60).map(float),
        h=st.integers(1, 60).map(float),
        label=st.sampled_from(["cat", "dog"]),
    ),
    max_size=6,
)


@given(BOXES, BOXES)
@settings(max_examples=150)
def test_where_all_is_shown_the_edited_state_comes_out(before, after):
    whole = [note.with_(id=n, attributes={"n": n}) for n, note in enumerate(before, 1)]
    result = apply_edits(item(*whole), item(*before), item(*after), rule="edited").item

    def plain(notes):
        return sorted((n.x, n.y, n.w, n.h, n.label) for n in notes)

    assert plain(result.annotations) == plain(after)
    ids = [note.id for note in result.annotations if note.attributes]
    assert len(set(ids)) == len(ids)


def test_labels_that_were_shown_in_another_order_with_other_numbers():
    whole = Labels([Category(name="a", id=10), Category(name="b", id=20), Category(name="c")])
    visible = Labels([Category(name="b", id=0), Category(name="a", id=1)])
    edited = Labels(
        [Category(name="b", id=0), Category(name="A", key="a", id=1), Category(name="d", id=2)]
    )
    after = edited_labels(whole, visible, edited)
    assert [(one.key, one.name, one.id) for one in after] == [
        ("a", "A", 10),
        ("b", "b", 20),
        ("c", "c", None),
        ("d", "d", 2),
    ]
    gone = edited_labels(whole, visible, Labels([Category(name="b", id=0)]))
    assert gone.names == ("b", "c")
    kept = edited_labels(whole, visible, Labels([Category(name="b", id=0)]), keep=["a"])
    assert kept.names == ("a", "b", "c")
