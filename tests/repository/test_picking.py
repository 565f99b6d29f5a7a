import pytest

from dvcs.errors import ConflictError, DirtyWorkingCopy, UsageError
from dvcs.model import Category, Labels
from dvcs.objects.gitobjects import Commit, Signature
from dvcs.objects.items import encode_labels
from dvcs.repository import checkout, worktree
from dvcs.repository.message import parse
from dvcs.repository.picking import cherry_pick, revert
from dvcs.repository.undo import undo
from tests.repository import pets
from tests.repository.scenes import (
    box,
    change_item,
    check_sound,
    commit,
    contents,
    drop,
    item,
    items,
    put,
)


def boxes(*places, id="x", subset="train"):
    notes = [box(x, id=n) for n, x in enumerate(places, 1)]
    return item(id, subset).with_(annotations=notes)


def places(repo, name="train/x", revision="HEAD"):
    held = contents(repo, revision)
    return [note.x for note in held["a", *name.split("/", 1)]]


def test_revert_takes_back_one_commit_and_keeps_what_came_after(repo):
    commit(repo, items(3))
    change_item(repo, item("0000", x=50.0))
    change_item(repo, item("0001", x=60.0))
    done = revert(repo, "HEAD~1")
    assert done.changed
    assert places(repo, "train/0000") == [1.0]
    assert places(repo, "train/0001") == [60.0]
    message = parse(repo.store.commit(done.oid).message)
    assert message.text.startswith('Revert "Change 0000"\n\nThis reverts commit ')
    assert message.operation == "revert"
    assert message.arguments == {"commit": repo.resolve("HEAD~2").hex()}
    check_sound(repo)


def test_reverting_all_gives_the_same_tree(repo):
    first = commit(repo, items(3))
    change_item(repo, item("0000", x=50.0))
    with repo.transaction() as change:
        drop(change, "a", "train/0001")
        put(change, "a", item("new"))
        change.commit("Other items", operation="edit")
    revert(repo, "HEAD")
    revert(repo, "HEAD~2")
    assert repo.tree_of(repo.resolve()) == repo.tree_of(first)
    assert not revert(repo, "HEAD~2").changed


def test_items_changed_since_are_merged_annotation_by_annotation(repo):
    commit(repo, [boxes(1.0, 40.0, 80.0)])
    change_item(repo, boxes(5.0, 40.0, 80.0))
    change_item(repo, boxes(5.0, 40.0, 88.0))
    revert(repo, "HEAD~1")
    assert places(repo) == [1.0, 40.0, 88.0]


def test_what_was_changed_again_is_a_conflict_that_changes_nothing(repo):
    commit(repo, [boxes(1.0, 40.0)])
    change_item(repo, boxes(5.0, 40.0))
    head = change_item(repo, boxes(12.0, 40.0))
    with pytest.raises(ConflictError, match=r"in 1 place:\n  a/train/x: "):
        revert(repo, "HEAD~1")
    assert repo.resolve() == head
    assert not revert(repo, "HEAD~1", strategy="ours").changed
    revert(repo, "HEAD~1", strategy="theirs")
    assert places(repo) == [1.0, 40.0]


def test_a_pick_follows_an_item_that_moved_here(repo):
    first = commit(repo, [boxes(1.0, 40.0), item("y", x=7.0)])
    repo.create_branch("side", first)
    change_item(repo, boxes(1.0, 42.0), branch="side")
    with repo.transaction() as change:
        drop(change, "a", "train/x")
        put(change, "a", boxes(1.0, 40.0, 80.0, subset="val"))
        change.commit("Split", operation="edit")
    cherry_pick(repo, "side")
    assert places(repo, "val/x") == [1.0, 42.0, 80.0]
    assert ("a", "train", "x") not in contents(repo)


def test_a_picked_move_takes_what_was_changed_here_along(repo):
    first = commit(repo, [boxes(1.0, 40.0), item("y", x=7.0)])
    repo.create_branch("side", first)
    with repo.transaction(branch="side") as change:
        drop(change, "a", "train/x")
        put(change, "a", boxes(1.0, 40.0, subset="val"))
        change.commit("Split", operation="edit")
    change_item(repo, boxes(1.0, 44.0))
    cherry_pick(repo, "side")
    assert places(repo, "val/x") == [1.0, 44.0]
    assert ("a", "train", "x") not in contents(repo)
    check_sound(repo)


def test_a_picked_removal_of_what_was_changed_here_is_a_conflict(repo):
    first = commit(repo, items(2))
    repo.create_branch("side", first)
    with repo.transaction(branch="side") as change:
        drop(change, "a", "train/0000")
        change.commit("Remove", operation="edit")
    change_item(repo, item("0000", x=90.0))
    with pytest.raises(ConflictError, match=r"a/train/0000: item\.deleted"):
        cherry_pick(repo, "side")
    assert not cherry_pick(repo, "side", strategy="ours").changed
    cherry_pick(repo, "side", strategy="theirs")
    assert set(contents(repo)) == {("a", "train", "0001")}


def test_a_pick_keeps_message_and_author(repo):
    first = commit(repo, items(2))
    repo.create_branch("side", first)
    with repo.transaction(branch="side") as change:
        put(change, "a", item("0000", x=70.0))
        author = Signature("Bea", "bea@example.org", 1_600_000_000, 120)
        change.commit("Better", operation="edit", author=author)
    done = cherry_pick(repo, "side")
    made: Commit = repo.store.commit(done.oid)
    assert made.author == author
    assert made.committer != author
    assert made.parents == (first,)
    assert parse(made.message).text.startswith("Better\n\n(cherry picked from commit ")


def test_only_chosen_items_are_picked(repo):
    first = commit(repo, items(3))
    repo.create_branch("side", first)
    labels = Labels([Category(name=name) for name in ("cat", "dog", "cow")])
    assert repo.snapshot(first).labels("a").names == ("cat",)
    with repo.transaction(branch="side") as change:
        change.set_labels("a", labels)
        dog = item("0000").with_(annotations=[box(4.0, "dog")])
        cow = item("0001").with_(annotations=[box(5.0, "cow")])
        put(change, "a", dog, cow, item("new", "val"))
        change.commit("Relabel", operation="edit")
    cherry_pick(repo, "side", only=["a/train"], without=["a/train/0001"])
    held = contents(repo)
    assert held["a", "train", "0000"][0].label == "dog"
    assert held["a", "train", "0001"][0].label == "cat"
    assert ("a", "val", "new") not in held
    assert "dog" in repo.snapshot(repo.resolve()).labels("a").names
    with pytest.raises(UsageError, match="changed nothing in 'a/test'"):
        cherry_pick(repo, "side", only=["a/test"])
    cherry_pick(repo, "side")
    assert contents(repo) == contents(repo, "side")


def test_a_label_that_is_used_since_is_not_taken_back_unasked(repo):
    commit(repo, items(2))
    with repo.transaction() as change:
        change.set_labels("a", Labels([Category(name="cat"), Category(name="dog")]))
        change.commit("A new label", operation="edit")
    change_item(repo, item("0000").with_(annotations=[box(4.0, "dog")]))
    with pytest.raises(ConflictError, match=r"a: label:dog\.used"):
        revert(repo, "HEAD~1")
    assert not revert(repo, "HEAD~1", strategy="ours").changed
    revert(repo, "HEAD~1", strategy="theirs")
    assert repo.snapshot(repo.resolve()).labels("a").names == ("cat",)
    assert contents(repo)["a", "train", "0000"] == []
    check_sound(repo)


def test_numbers_that_both_gave_to_what_they_added_are_told_apart(repo):
    first = commit(repo, [boxes(1.0, id="x"), item("y").with_(annotations=[box(2.0, id=2)])])
    repo.create_branch("side", first)
    change_item(repo, boxes(1.0, id="x").with_(annotations=[box(1.0, id=1), box(50.0, id=3)]))
    added = item("y").with_(annotations=[box(2.0, id=2), box(60.0, id=3)])
    change_item(repo, added, branch="side")
    cherry_pick(repo, "side")
    numbers = [note.id for notes in contents(repo).values() for note in notes]
    assert len(set(numbers)) == 4


def test_a_renamed_label_is_renamed_back(repo):
    commit(repo, items(2))
    named = Labels([Category(name="feline", key="cat")])
    with repo.transaction() as change:
        blob = change.writer.blob(encode_labels(named))
        change.sources["a"] = change.sources["a"]._replace(labels=blob)
        change.commit("Rename", operation="edit")
    change_item(repo, item("0001", x=9.0).with_(annotations=[box(9.0, "feline")]))
    revert(repo, "HEAD~1")
    assert {note.label for notes in contents(repo).values() for note in notes} == {"cat"}
    check_sound(repo)


def test_whole_sources_come_and_go(repo):
    commit(repo, items(2))
    second = commit(repo, items(1), source="b")
    revert(repo, second.hex())
    assert list(repo.snapshot(repo.resolve()).sources) == ["a"]
    cherry_pick(repo, second.hex())
    assert list(repo.snapshot(repo.resolve()).sources) == ["a", "b"]


def test_of_a_merge_the_parent_must_be_said(repo):
    first = commit(repo, items(2))
    repo.create_branch("side", first)
    ours = change_item(repo, item("0000", x=50.0))
    theirs = change_item(repo, item("0001", x=60.0), branch="side")
    with repo.transaction() as change:
        put(change, "a", item("0001", x=60.0))
        change.commit("Merge", operation="merge", parents=(ours, theirs))
    with pytest.raises(UsageError, match="is a merge"):
        revert(repo, "HEAD")
    with pytest.raises(UsageError, match="has no parent 3"):
        revert(repo, "HEAD", mainline=3)
    revert(repo, "HEAD", mainline=1)
    assert places(repo, "train/0000") == [50.0]
    assert places(repo, "train/0001") == [2.0]


def test_working_copies_follow_and_undo_takes_them_back(tmp_path):
    repo, folder = pets.tracked(tmp_path / "repo")
    before = pets.files(folder)
    pets.edit(folder, lambda data: pets.note(data, 12)["bbox"].__setitem__(0, 35.0))
    worktree.commit(repo, message="second")
    checkout.restore(repo)
    head, after = repo.resolve(), pets.files(folder)
    pets.edit(folder, lambda data: pets.note(data, 22)["bbox"].__setitem__(0, 3.0))
    with pytest.raises(DirtyWorkingCopy):
        revert(repo, "HEAD")
    checkout.restore(repo)
    revert(repo, "HEAD", dry_run=True)
    assert repo.resolve() == head
    revert(repo, "HEAD")
    assert pets.files(folder) == before
    assert pets.only(repo).state == "clean"
    undo(repo)
    assert repo.resolve() == head
    assert pets.files(folder) == after
