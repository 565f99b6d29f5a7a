import pytest

from dvcs.errors import RevisionNotFound
from dvcs.model import Category, Labels
from dvcs.objects.items import encode_labels
from dvcs.repository.blame import blame
from tests.repository.scenes import box, change_item, commit, drop, item, put


def who(repo, name="train/x", revision="HEAD"):
    subset, _, id = name.partition("/")
    found = blame(repo, repo.resolve(revision), "a", subset, id)
    return [(one.annotation.x, one.oid) for one in found]


def boxes(*places, id="x", subset="train", **more):
    notes = [box(x, id=n, **more) for n, x in enumerate(places, 1)]
    return item(id, subset).with_(annotations=notes)


def test_each_annotation_has_the_commit_that_changed_it_last(repo):
    first = commit(repo, [boxes(1.0, 40.0), item("y")])
    second = change_item(repo, boxes(1.0, 42.0))
    third = change_item(repo, boxes(1.0, 42.0, 80.0))
    change_item(repo, item("y", x=5.0))
    assert who(repo) == [(1.0, first), (42.0, second), (80.0, third)]
    assert who(repo, revision="HEAD~2") == [(1.0, first), (42.0, second)]


def test_another_label_is_a_change_and_the_new_name_of_one_is_none(repo):
    labels = Labels([Category(name="cat", id=1), Category(name="dog", id=2)])
    first = commit(repo, [boxes(1.0, 40.0)], labels=labels)
    named = Labels([Category(name="feline", key="cat", id=1), Category(name="dog", id=2)])
    with repo.transaction() as change:
        blob = change.writer.blob(encode_labels(named))
        change.sources["a"] = change.sources["a"]._replace(labels=blob)
        change.commit("Rename", operation="edit")
    assert who(repo) == [(1.0, first), (40.0, first)]
    notes = [box(1.0, "cat", id=1), box(40.0, "dog", id=2)]
    relabelled = change_item(repo, item("x").with_(annotations=notes))
    found = blame(repo, repo.resolve(), "a", "train", "x")
    assert [(one.annotation.label, one.oid) for one in found] == [
        ("feline", first),
        ("dog", relabelled),
    ]


def test_other_ids_and_rounded_coordinates_are_no_change(repo):
    held = [boxes(1.26, 40.33, 70.1234, id=name) for name in "xyz"]
    first = commit(repo, held)
    renumbered = [
        one.with_(annotations=[note.with_(id=note.id + 100) for note in one.annotations])
        for one in held
    ]
    commit(repo, renumbered)
    rounded = [
        one.with_(annotations=[note.with_(x=round(note.x, 1)) for note in one.annotations])
        for one in renumbered
    ]
    commit(repo, rounded)
    assert who(repo) == [(1.3, first), (40.3, first), (70.1, first)]
    moved = change_item(repo, boxes(9.0, 40.3, 70.1))
    assert who(repo) == [(9.0, moved), (40.3, first), (70.1, first)]


def test_an_item_is_followed_to_another_subset_and_name(repo):
    first = commit(repo, [boxes(1.0, 40.0), item("y", x=7.0)])
    with repo.transaction() as change:
        drop(change, "a", "train/x")
        put(change, "a", boxes(1.0, 42.0, subset="val"))
        second = change.commit("Split", operation="edit").oid
    with repo.transaction() as change:
        drop(change, "a", "val/x")
        put(change, "a", boxes(1.0, 42.0, subset="val", id="z"))
        change.commit("Rename", operation="edit")
    assert who(repo, "val/z") == [(1.0, first), (42.0, second)]
    found = blame(repo, repo.resolve(), "a", "val", "z")
    assert [one.name for one in found] == [("train", "x"), ("val", "x")]


def test_of_a_merge_each_annotation_follows_the_side_that_has_it(repo):
    first = commit(repo, [boxes(1.0, 40.0, 80.0)])
    repo.create_branch("side", first)
    ours = change_item(repo, boxes(2.0, 40.0, 80.0))
    theirs = change_item(repo, boxes(1.0, 40.0, 85.0), branch="side")
    with repo.transaction() as change:
        put(change, "a", boxes(2.0, 41.0, 85.0))
        merge = change.commit("Merge", operation="merge", parents=(ours, theirs)).oid
    assert who(repo) == [(2.0, ours), (41.0, merge), (85.0, theirs)]


def test_an_item_that_came_back_is_new(repo):
    commit(repo, [boxes(1.0), item("y")])
    with repo.transaction() as change:
        drop(change, "a", "train/x")
        change.commit("Remove", operation="edit")
    back = change_item(repo, boxes(1.0))
    assert who(repo) == [(1.0, back)]


def test_only_commits_that_change_the_item_are_opened(repo, monkeypatch):
    commit(repo, [boxes(1.0), *(item(f"{n:03}", x=n) for n in range(300))])
    for n in range(5):
        change_item(repo, item(f"{n:03}", x=500.0 + n))
    read = []
    blob = type(repo.store).blob

    def noted(store, oid):
        read.append(oid)
        return blob(store, oid)

    monkeypatch.setattr(type(repo.store), "blob", noted)
    assert len(who(repo)) == 1
    held = repo.snapshot(repo.resolve()).find("a", "train", "x")
    others = {repo.snapshot(repo.resolve()).find("a", "train", f"{n:03}") for n in range(300)}
    assert held in read
    assert not others & set(read)


def test_an_item_that_is_not_there_is_told(repo):
    commit(repo, [item("y")])
    with pytest.raises(RevisionNotFound, match="has no item 'x'"):
        who(repo)
