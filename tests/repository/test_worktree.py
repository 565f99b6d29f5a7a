"""Tracking, status and commit of working copies, with real COCO files edited by script."""

import json
import os
import shutil
import sys
import time
import zipfile

import pytest

from dvcs.errors import BranchMoved, FormatError, NotADataset, RepositoryError, UsageError
from dvcs.model import Bbox
from dvcs.repository import Repository, editing
from dvcs.repository.working import checkout, copies, statindex, worktree
from dvcs.repository.working.ignore import load as load_ignore
from tests.repository import pets


@pytest.fixture(params=[True, False], ids=["written by dvcs", "the user's own files"])
def tracked(request, tmp_path):
    return pets.tracked(tmp_path / "repo", written=request.param)


# -- tracking


def test_an_added_folder_is_in_no_commit_until_it_is_committed(tmp_path):
    repo = Repository.init(tmp_path / "repo")
    folder = pets.make(repo.root / "pets")
    before = pets.files(folder)

    assert worktree.add(repo, folder) == "pets"

    status = worktree.status(repo)
    assert (status.branch, status.head, status.clean) == ("main", None, False)
    assert (status.copies[0].state, status.copies[0].format) == ("added", "coco")
    done = worktree.commit(repo, message="first")
    assert done.changed
    assert pets.only(repo).state == "clean"
    assert len(repo.dataset("main")) == 4
    assert pets.files(folder) == before
    assert repo.item("main", "pets", "train", "2").origins[0].read() == pets.png(2)


@pytest.mark.parametrize("place", ["..", ".", ".dvcs/objects", "pets/annotations"])
def test_a_place_that_cannot_be_a_working_copy_is_refused(tmp_path, place):
    repo, _ = pets.tracked(tmp_path / "repo")
    with pytest.raises(UsageError):
        worktree.add(repo, repo.root / place, name="other", format="coco")
    assert list(copies.load(repo.layout)) == ["pets"]


def test_a_folder_around_a_working_copy_is_refused(tmp_path):
    repo = Repository.init(tmp_path)
    pets.make(tmp_path / "data" / "pets")
    worktree.add(repo, tmp_path / "data" / "pets")
    with pytest.raises(UsageError, match="overlaps with 'data/pets'"):
        worktree.add(repo, tmp_path / "data", format="coco")


def test_an_archive_and_an_unknown_folder_are_refused(tmp_path):
    repo = Repository.init(tmp_path)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(pets.JSON, json.dumps(pets.coco()))
    with pytest.raises(UsageError, match="archive"):
        worktree.add(repo, tmp_path / "a.zip")
    (tmp_path / "notes").mkdir()
    with pytest.raises(NotADataset):
        worktree.add(repo, tmp_path / "notes")
    with pytest.raises(UsageError, match="no option"):
        worktree.add(repo, pets.make(tmp_path / "pets"), format="coco", options={"nonsense": 1})


def test_folders_beside_working_copies_are_named(tmp_path):
    repo, _ = pets.tracked(tmp_path)
    (tmp_path / "other").mkdir()
    (tmp_path / "scratch").mkdir()
    (tmp_path / ".dvcsignore").write_text("scratch/\n")
    assert worktree.status(repo).untracked == ("other",)


def test_an_imported_folder_inside_becomes_a_working_copy(tmp_path):
    repo = Repository.init(tmp_path)
    folder = pets.make(tmp_path / "pets")
    repo.import_dataset(folder)
    worktree.track_imported(repo, "pets", folder, format="coco")
    assert pets.only(repo).state == "clean"
    assert copies.load(repo.layout)["pets"].commit == repo.resolve().hex()


def test_an_import_from_outside_does_not(tmp_path):
    repo = Repository.init(tmp_path / "repo")
    folder = pets.make(tmp_path / "pets")
    repo.import_dataset(folder)
    assert not worktree.track_imported(repo, "pets", folder, format="coco")
    assert worktree.status(repo).copies == ()


def test_one_annotation_file_can_be_a_working_copy(tmp_path):
    repo = Repository.init(tmp_path)
    (tmp_path / "pets.json").write_text(json.dumps(pets.coco()))
    assert worktree.add(repo, tmp_path / "pets.json", format="coco", subset="train") == "pets"
    worktree.commit(repo, message="first")
    pets.edit(tmp_path, lambda data: pets.note(data, 12).update(category_id=1), "pets.json")
    assert pets.changes(repo) == [("1", "changed", [("changed", ("label",))])]
    worktree.commit(repo, message="second")
    after = (tmp_path / "pets.json").read_bytes()
    checkout.checkout(repo, "HEAD~1")
    assert json.loads((tmp_path / "pets.json").read_bytes())["annotations"][1]["category_id"] == 2
    assert pets.only(repo).state == "clean"
    checkout.checkout(repo, "main")
    assert pets.only(repo).state == "clean"
    assert len(json.loads(after)["annotations"]) == 8


def test_untracking_keeps_files_and_source(tmp_path):
    repo, folder = pets.tracked(tmp_path)
    before = pets.files(folder)
    worktree.untrack(repo, "pets")
    assert worktree.status(repo).copies == ()
    assert pets.files(folder) == before
    assert len(repo.dataset()) == 4


# -- what counts as a change


def move_box(data):
    pets.note(data, 12)["bbox"][0] += 4


def relabel(data):
    pets.note(data, 21)["category_id"] = 2


def delete(data):
    data["annotations"].remove(pets.note(data, 31))


def add_box(data):
    data["annotations"].append(pets.boxed(99, 4, 1, 5.0, 35.0))


def set_size(data):
    data["images"][1]["width"] = 65


EDITS = {
    "a moved box": (move_box, [("1", "changed", [("changed", ("geometry",))])]),
    "another label": (relabel, [("2", "changed", [("changed", ("label",))])]),
    "a deleted annotation": (delete, [("3", "changed", [("removed", ())])]),
    "a new annotation": (add_box, [("4", "changed", [("added", ())])]),
    "another size": (set_size, [("2", "changed", [])]),
}


@pytest.mark.parametrize("edit", EDITS)
def test_one_edit_is_one_change_and_all_else_stays(tracked, edit):
    repo, folder = tracked
    change, expected = EDITS[edit]
    before = stored = pets.stored(repo)
    pets.edit(folder, change)
    assert pets.changes(repo) == expected

    assert worktree.commit(repo, message=edit).changed

    after = pets.stored(repo)
    differing = {key for key in before | after if before.get(key) != after.get(key)}
    assert differing == {("train", expected[0][0])}
    assert pets.only(repo).state == "clean"
    assert not worktree.commit(repo, message="nothing").changed
    assert pets.stored(repo, "HEAD~1") == stored


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / pets.JSON).touch(),
        lambda folder: pets.edit(folder, lambda data: data["annotations"].reverse()),
        lambda folder: (folder / pets.JSON).write_text(
            json.dumps(json.loads((folder / pets.JSON).read_text()), indent=3)
        ),
        lambda folder: pets.edit(
            folder, lambda data: [one.update(id=one["id"] + 1000) for one in data["annotations"]]
        ),
        lambda folder: os.utime(folder / "images" / "train" / "1.png", (1, 1)),
    ],
    ids=["touched", "another order", "another layout", "other ids", "an image touched"],
)
def test_what_says_the_same_is_no_change(tracked, change):
    repo, folder = tracked
    change(folder)
    assert pets.only(repo).state == "clean"
    assert not worktree.commit(repo, message="nothing").changed


def test_an_image_added_removed_and_replaced(tracked):
    repo, folder = tracked

    def change(data):
        data["images"] = [one for one in data["images"] if one["id"] != 2]
        data["annotations"] = [one for one in data["annotations"] if one["image_id"] != 2]
        data["images"].append({"id": 7, "file_name": "7.png", "width": 64, "height": 48})

    pets.edit(folder, change)
    pets.image(folder, 7)
    (folder / "images" / "train" / "2.png").unlink()
    pets.image(folder, 3, seed=33)
    assert {(one.id, one.status) for one in pets.only(repo).changes} == {
        ("2", "removed"),
        ("3", "changed"),
        ("7", "added"),
    }

    worktree.commit(repo, message="images")

    assert repo.item("main", "pets", "train", "2") is None
    assert repo.item("main", "pets", "train", "3").origins[0].read() == pets.png(33)
    assert repo.item("main", "pets", "train", "7").origins[0].read() == pets.png(7)
    assert repo.item("main~1", "pets", "train", "3").origins[0].read() == pets.png(3)
    assert pets.only(repo).state == "clean"


def test_a_renamed_image_is_the_same_item(tracked):
    repo, folder = tracked
    pets.edit(folder, lambda data: data["images"][0].update(file_name="one.png"))
    images = folder / "images" / "train"
    (images / "1.png").rename(images / "one.png")
    (change,) = pets.only(repo).changes
    assert (change.id, change.status, change.previous) == (
        "one",
        "renamed",
        ("pets", "train", "1"),
    )
    worktree.commit(repo, message="renamed")
    assert [note.id for note in repo.item("main", "pets", "train", "one").annotations] == [11, 12]
    assert repo.item("main", "pets", "train", "1") is None


def test_an_absent_image_does_not_remove_the_stored_one(tracked):
    repo, folder = tracked
    shutil.rmtree(folder / "images")
    assert pets.only(repo).state == "clean"
    pets.edit(folder, move_box)
    worktree.commit(repo, message="moved")
    assert repo.item("main", "pets", "train", "1").origins[0].read() == pets.png(1)


def test_a_renamed_category_changes_no_item(tracked):
    repo, folder = tracked
    before = pets.stored(repo)
    pets.edit(folder, lambda data: data["categories"][0].update(name="kitten"))
    status = pets.only(repo)
    assert (status.state, status.labels.renamed, status.changes) == (
        "changed",
        (("cat", "kitten"),),
        (),
    )
    worktree.commit(repo, message="renamed")
    assert pets.stored(repo) == before
    assert repo.dataset().labels.names == ("kitten", "dog")
    assert {one.label for item in repo.dataset() for one in item.annotations} == {"kitten", "dog"}
    assert pets.only(repo).state == "clean"


def test_a_new_category_in_front_changes_no_item(tracked):
    repo, folder = tracked
    before = pets.stored(repo)
    pets.edit(
        folder,
        lambda data: data["categories"].insert(0, {"id": 9, "name": "ant", "supercategory": ""}),
    )
    assert pets.only(repo).labels == worktree.LabelChanges(added=("ant",))
    worktree.commit(repo, message="ants")
    assert pets.stored(repo) == before
    assert repo.dataset().labels.names == ("ant", "cat", "dog")


def test_a_removed_category_goes_with_its_annotations(tracked):
    repo, folder = tracked

    def change(data):
        del data["categories"][1]
        data["annotations"] = [one for one in data["annotations"] if one["category_id"] == 1]

    pets.edit(folder, change)
    assert pets.only(repo).labels.removed == ("dog",)
    worktree.commit(repo, message="no dogs")
    assert repo.dataset().labels.names == ("cat",)
    assert pets.only(repo).state == "clean"


def test_what_the_file_says_of_the_dataset_is_committed(tracked):
    repo, folder = tracked
    pets.edit(folder, lambda data: data["info"].update(year=2027))
    status = pets.only(repo)
    assert (status.state, status.metadata_changed, status.changes) == ("changed", True, ())
    worktree.commit(repo, message="a new year")
    assert "2027" in json.dumps(dict(repo.dataset().metadata))
    assert pets.only(repo).state == "clean"


def test_a_file_that_cannot_be_read_is_told_with_its_place(tracked):
    repo, folder = tracked
    (folder / pets.JSON).write_text('{"images": [\n  {"id": 1, "file_name": 3}')
    status = pets.only(repo)
    assert status.state == "unreadable"
    assert pets.JSON in status.error
    assert not worktree.status(repo).clean
    with pytest.raises((FormatError, NotADataset)):
        worktree.commit(repo, message="broken")


# -- files that are none of our business


def test_files_that_the_format_does_not_read_are_listed_and_left(tracked):
    repo, folder = tracked
    (folder / "README.md").write_text("about pets")
    (folder / "images" / "draft.psd").write_text("?")
    assert pets.only(repo).unread == ("README.md", "images/draft.psd")
    (folder / ".dvcsignore").write_text("*.psd\n.dvcsignore\n")
    assert pets.only(repo).unread == ("README.md",)
    assert pets.only(repo).state == "clean"


def test_ignored_images_are_not_items(tmp_path):
    repo = Repository.init(tmp_path)
    for n in (1, 2, 3):
        pets.image(tmp_path / "shots", n)
    (tmp_path / ".dvcsignore").write_text("shots/**/2.png\n")
    worktree.add(repo, tmp_path / "shots")
    worktree.commit(repo, message="first")
    assert [item.id for item in repo.dataset()] == ["images/train/1", "images/train/3"]


@pytest.mark.parametrize(
    ("pattern", "path", "folder", "expected"),
    [
        ("*.psd", "a/b.psd", False, True),
        ("*.psd", "a/b.png", False, False),
        ("/a", "a", True, True),
        ("/a", "b/a", True, False),
        ("a/", "a", False, False),
        ("a/", "b/a", True, True),
        ("a/*/c", "a/b/c", False, True),
        ("a/*/c", "a/b/b/c", False, False),
        ("a/**/c", "a/b/b/c", False, True),
        ("a/**", "a/b/c", False, True),
        ("[!x]?.txt", "ab.txt", False, True),
        ("[!x]?.txt", "xb.txt", False, False),
        ("a\n!a", "a", False, False),
        ("# a\n\na", "a", False, True),
        (r"\#a", "#a", False, True),
    ],
)
def test_patterns_mean_what_they_mean_in_git(tmp_path, pattern, path, folder, expected):
    (tmp_path / ".dvcsignore").write_text(pattern)
    assert load_ignore(tmp_path, tmp_path).ignores(path, folder=folder) is expected


def test_patterns_of_the_root_count_in_a_working_copy(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / ".dvcsignore").write_text("/a/b/x\n/c\n*.tmp\n")
    rules = load_ignore(tmp_path, tmp_path / "a" / "b")
    assert [rules.ignores(one, folder=False) for one in ("x", "c", "y/z.tmp")] == [
        True,
        False,
        True,
    ]


# -- the stat index


def opened(root, action):
    """Return the files below a folder that an action opens."""
    seen = []
    active = True

    def hook(event, args):
        if active and event == "open" and isinstance(args[0], str | bytes | os.PathLike):
            path = os.fsdecode(args[0])
            if path.startswith(str(root)) and not path.endswith(".dvcsignore"):
                seen.append(path)

    sys.addaudithook(hook)
    action()
    active = False
    return seen


def test_status_of_an_untouched_folder_opens_no_file_of_it(tracked):
    repo, folder = tracked
    (folder / "README.md").write_text("about pets")
    time.sleep(0.02)
    assert pets.only(repo).state == "clean"
    assert opened(folder, lambda: worktree.status(repo)) == []


def test_a_touched_file_that_holds_the_same_is_hashed_once(tracked):
    repo, folder = tracked
    image = folder / "images" / "train" / "1.png"
    os.utime(image, (1, 1))
    time.sleep(0.02)
    assert {*opened(folder, lambda: worktree.status(repo))} == {str(image)}
    assert opened(folder, lambda: worktree.status(repo)) == []


def as_if_in_the_same_tick(repo, path, *, racy):
    """Have the index believe that a file was like this when it was looked at."""
    place = copies.index_path(repo.layout, "pets")
    index = statindex.Index.load(place)
    (key,) = [one for one in index.stats if path.as_posix().endswith(one)]
    stat = statindex.stat_of(path)
    index.stats[key] = stat
    index.save(place, stat[1] if racy else max(stat[1:3]) + 1)


def test_a_change_in_the_tick_of_the_last_look_is_seen(tracked):
    repo, folder = tracked
    time.sleep(0.02)
    worktree.status(repo)
    image = pets.image(folder, 1, seed=200)
    pets.edit(folder, lambda data: pets.note(data, 12)["bbox"].__setitem__(0, 31.0))
    as_if_in_the_same_tick(repo, image, racy=False)
    as_if_in_the_same_tick(repo, folder / pets.JSON, racy=False)
    assert pets.only(repo).state == "clean"  # what stats alone tell
    as_if_in_the_same_tick(repo, image, racy=True)
    as_if_in_the_same_tick(repo, folder / pets.JSON, racy=True)
    assert [(one.id, one.status) for one in pets.only(repo).changes] == [("1", "changed")]


@pytest.mark.parametrize("damage", ["missing", "empty", "flipped", "foreign"])
def test_a_damaged_index_is_built_anew(tracked, damage):
    repo, folder = tracked
    pets.edit(folder, relabel)
    path = copies.index_path(repo.layout, "pets")
    worktree.status(repo)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes({"empty": b"", "flipped": data, "foreign": b"\0" * 64}[damage])
    assert pets.changes(repo) == [("2", "changed", [("changed", ("label",))])]


# -- committing some of it


def test_only_chosen_items_are_recorded(tracked):
    repo, folder = tracked
    pets.edit(folder, move_box)
    pets.edit(folder, relabel)
    pets.edit(folder, delete)

    worktree.commit(repo, message="one", items=["pets/train/2"])

    assert repo.item("main", "pets", "train", "2").annotations[0].label == "dog"
    assert repo.item("main", "pets", "train", "1").annotations[1].x == 30.0
    assert [one.id for one in pets.only(repo).changes] == ["1", "3"]
    worktree.commit(repo, message="the rest", items=["pets/train"])
    assert pets.only(repo).state == "clean"
    assert len(repo.item("main", "pets", "train", "3").annotations) == 1


def test_an_item_that_was_not_changed_is_no_choice(tracked):
    repo, folder = tracked
    pets.edit(folder, relabel)
    with pytest.raises(UsageError, match="nothing was changed in 'pets/train/1'"):
        worktree.commit(repo, message="one", items=["pets/train/1"])
    with pytest.raises(UsageError, match="'dogs' has no working copy"):
        worktree.commit(repo, message="one", sources=["dogs"])


def test_only_chosen_sources_are_recorded(tmp_path):
    repo, folder = pets.tracked(tmp_path)
    other = pets.make(tmp_path / "others")
    worktree.add(repo, other)
    worktree.commit(repo, message="others")
    pets.edit(folder, relabel)
    pets.edit(other, move_box)
    worktree.commit(repo, message="one", sources=["others"])
    states = {one.source: one.state for one in worktree.status(repo).copies}
    assert states == {"pets": "changed", "others": "clean"}


def test_a_missing_folder_is_told_and_not_taken_for_a_deletion(tracked):
    repo, folder = tracked
    shutil.rmtree(folder)
    assert pets.only(repo).state == "missing"
    assert not worktree.commit(repo, message="nothing").changed
    with pytest.raises(RepositoryError, match="is missing"):
        worktree.commit(repo, message="nothing", sources=["pets"])
    checkout.restore(repo, ["pets"])
    assert pets.only(repo).state == "clean"
    assert (folder / "images" / "train" / "4.png").read_bytes() == pets.png(4)


# -- the branch moved meanwhile


def moved_on(repo, id, x):
    """Have somebody else move the box of an item on the branch."""
    item = repo.item("main", "pets", "train", id)
    polygon, box = item.annotations
    assert isinstance(box, Bbox)
    return editing.set_items(
        repo, "pets", [item.with_(annotations=[polygon, box.with_(x=x)])], message="by others"
    )


def test_a_copy_is_compared_with_its_base_and_not_with_head(tracked):
    repo, _ = tracked
    moved_on(repo, "4", 1.0)
    status = pets.only(repo)
    assert (status.state, status.behind, status.changes) == ("clean", True, ())
    checkout.update_copies(repo)
    assert (pets.only(repo).state, pets.only(repo).behind) == ("clean", False)


def test_changes_of_other_items_are_merged_and_written_to_the_copy(tracked):
    repo, folder = tracked
    theirs = moved_on(repo, "4", 1.0)
    pets.edit(folder, relabel)

    done = worktree.commit(repo, message="mine")

    assert repo.store.commit(done.oid).parents == (theirs.oid,)
    assert repo.item("main", "pets", "train", "4").annotations[1].x == 1.0
    assert repo.item("main", "pets", "train", "2").annotations[0].label == "dog"
    status = pets.only(repo)
    assert (status.state, status.behind) == ("clean", False)
    boxes = json.loads((folder / pets.JSON).read_text())["annotations"]
    assert next(one for one in boxes if one["id"] == 42)["bbox"][0] == 1.0


def test_changes_of_the_same_item_are_refused(tracked):
    repo, folder = tracked
    theirs = moved_on(repo, "1", 1.0)
    pets.edit(folder, move_box)
    before = pets.files(folder)
    with pytest.raises(BranchMoved, match="pets/train/1"):
        worktree.commit(repo, message="mine")
    assert repo.resolve() == theirs.oid
    assert pets.files(folder) == before
    assert pets.only(repo).state == "changed"


def test_the_same_change_on_both_sides_is_no_commit(tracked):
    repo, folder = tracked
    theirs = moved_on(repo, "1", 34.0)
    pets.edit(folder, move_box)
    assert not worktree.commit(repo, message="mine").changed
    assert repo.resolve() == theirs.oid
    status = pets.only(repo)
    assert (status.state, status.behind) == ("clean", False)


def test_a_part_committed_onto_a_moved_branch_leaves_the_rest_a_change(tracked):
    repo, folder = tracked
    moved_on(repo, "4", 1.0)
    pets.edit(folder, move_box)
    pets.edit(folder, relabel)
    worktree.commit(repo, message="a part", items=["pets/train/2"])
    status = pets.only(repo)
    assert ([one.id for one in status.changes], status.behind) == (["1"], True)
    worktree.commit(repo, message="the rest")
    assert (pets.only(repo).state, pets.only(repo).behind) == ("clean", False)
    assert repo.item("main", "pets", "train", "4").annotations[1].x == 1.0
    assert repo.item("main", "pets", "train", "1").annotations[1].x == 34.0


# -- from code


def test_items_are_set_and_removed_without_files(tmp_path):
    repo, _ = pets.tracked(tmp_path)
    item = repo.item("main", "pets", "train", "1")
    new = item.with_(id="new", annotations=[Bbox(x=1.0, y=1.0, w=2.0, h=2.0, label="bird")])
    before = pets.stored(repo)

    editing.set_items(repo, "pets", [new], remove=[("train", "2")], message="edit")

    after = pets.stored(repo)
    assert before.keys() - after.keys() == {("train", "2")}
    assert after.keys() - before.keys() == {("train", "new")}
    assert all(after[key] == before[key] for key in before.keys() & after.keys())
    assert repo.dataset().labels.names == ("cat", "dog", "bird")
    assert repo.item("main", "pets", "train", "new").annotations[0].label == "bird"
    with pytest.raises(UsageError, match="has no item 'train/2'"):
        editing.set_items(repo, "pets", remove=[("train", "2")], message="again")
