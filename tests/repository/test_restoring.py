"""Parts of another revision, taken into the current branch."""

import pytest

from dvcs.errors import DirtyWorkingCopy, RevisionNotFound, UnknownName, UsageError
from dvcs.model import Category, Labels
from dvcs.repository.message import parse
from dvcs.repository.restores.restoring import restore_from
from dvcs.repository.working import checkout, worktree
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
    state,
)


def boxes(*notes, id="x", subset="train"):
    return item(id, subset).with_(annotations=list(notes))


def told(repo, name="train/x", source="a"):
    """Return id, x and label of an item's boxes."""
    held = contents(repo)[(source, *name.split("/", 1))]
    return [(note.id, note.x, note.label) for note in held]


def names(repo):
    return sorted("/".join(key) for key in contents(repo))


@pytest.fixture
def delivery(repo):
    """Main with three items, and a branch `side` with a changed, a gone, a new and a moved one."""
    first = commit(repo, items(4), labels=("cat", "dog"))
    repo.create_branch("side", first)
    with repo.transaction(branch="side") as change:
        drop(change, "a", "train/0001", "train/0002")
        put(change, "a", item("0000", x=50.0), item("0002", "val", x=3.0), item("new", "val"))
        change.commit("Delivery", operation="import")
    return repo


def test_all_of_a_source_is_then_the_same_tree(delivery):
    done = restore_from(delivery, "side", ["a"])
    assert delivery.tree_of(done.committed.oid) == delivery.tree_of(delivery.resolve("side"))
    message = parse(delivery.store.commit(done.committed.oid).message)
    assert message.text == "Restore a from side"
    assert message.operation == "restore"
    assert message.arguments == {"from": delivery.resolve("side").hex(), "items": ["a"]}
    assert not restore_from(delivery, "side", ["a"]).committed.changed
    check_sound(delivery)


def test_a_revision_may_name_the_source(delivery):
    restore_from(delivery, "side:a")
    assert delivery.tree_of(delivery.resolve()) == delivery.tree_of(delivery.resolve("side"))


def test_items_by_name_become_what_they_are_there(delivery):
    done = restore_from(delivery, "side", ["a/train/0000", "a/val/new"], message="Two")
    assert told(delivery, "train/0000") == [(0, 50.0, "cat")]
    assert names(delivery) == [
        "a/train/0000", "a/train/0001", "a/train/0002", "a/train/0003", "a/val/new",
    ]  # fmt: skip
    assert (done.summary.items.changed, done.summary.items.added) == (1, 1)
    assert parse(delivery.store.commit(done.committed.oid).message).text == "Two"


def test_items_by_name_go_where_they_are_not_there(delivery):
    restore_from(delivery, "side", ["a/train/0001"])
    assert "a/train/0001" not in names(delivery)
    assert told(delivery, "train/0000") == [(0, 1.0, "cat")]


def test_what_moved_there_moves_here(delivery):
    restore_from(delivery, "side", ["a/train/0002"])
    assert "a/val/0002" in names(delivery)
    assert "a/train/0002" not in names(delivery)
    assert "a/train/0001" in names(delivery)


def test_subsets_and_patterns(delivery):
    restore_from(delivery, "side", ["a/val"])
    assert {"a/val/new", "a/val/0002"} < set(names(delivery))
    restore_from(delivery, "side", ["*/train/000?"])
    assert delivery.tree_of(delivery.resolve()) == delivery.tree_of(delivery.resolve("side"))


def test_a_dry_run_changes_nothing_and_tells_all(delivery):
    before = state(delivery)
    done = restore_from(delivery, "side", ["a"], dry_run=True)
    assert done.committed.changed
    assert state(delivery) == before
    assert done.summary == restore_from(delivery, "side", ["a"]).summary


def test_a_new_source_comes_with_its_labels(repo):
    first = commit(repo, items(1))
    repo.create_branch("side", first)
    commit(repo, items(3), source="b", labels=("cat", "dog"), branch="side")
    restore_from(repo, "side", ["b/train/0001"])
    assert names(repo) == ["a/train/0000", "b/train/0001"]
    assert repo.snapshot(repo.resolve()).labels("b").names == ("cat", "dog")
    check_sound(repo)


def test_a_source_that_is_not_there_is_not_removed_silently(repo):
    first = commit(repo, items(1))
    repo.create_branch("side", first)
    commit(repo, items(2), source="b")
    with pytest.raises(RevisionNotFound, match="'side' has no source 'b'"):
        restore_from(repo, "side", ["b"])


@pytest.mark.parametrize(
    ("selector", "told_hint"),
    [
        ("b", "sources and subsets: a, a/train, a/val"),
        ("a/trian", "did you mean 'a/train'?"),
        ("a/train/nope", "'dvcs show REV:a/train'"),
        ("a/train/nope#1", "'dvcs show REV:a/train'"),
        ("a/train/000", "did you mean 'a/train/000"),
        ("x*", "sources and subsets"),
    ],
)
def test_unknown_names_are_refused_with_a_hint(delivery, selector, told_hint):
    with pytest.raises(RevisionNotFound, match="neither here nor there") as error:
        restore_from(delivery, "side", [selector])
    assert told_hint in (error.value.hint or "")


def test_what_makes_no_sense_is_refused(delivery):
    with pytest.raises(UsageError, match="nothing says what to take"):
        restore_from(delivery, "side")
    with pytest.raises(UnknownName, match="no label is called 'bird'"):
        restore_from(delivery, "side", labels=["bird"])
    with pytest.raises(UsageError, match="at once"):
        restore_from(delivery, "side", labels=["cat"], expression="//annotation")
    with pytest.raises(UsageError, match="wrong at character 7"):
        restore_from(delivery, "side", expression="/item[")
    with pytest.raises(UsageError, match="leaves nothing to look for"):
        restore_from(delivery, "side", ["a/train/0000#n1"], labels=["cat"])
    with pytest.raises(UsageError, match="no annotation 'n7'") as error:
        restore_from(delivery, "side", ["a/train/0000#n7"])
    assert error.value.hint == "its annotations: n1"


# -- annotations ---------------------------------------------------------------------------------


@pytest.fixture
def edited(repo):
    """An item with a cat, a dog and a cat; on `side` all are moved, one relabelled, one added."""
    first = commit(
        repo,
        [boxes(box(1.0, id=1), box(40.0, "dog", id=2), box(80.0, id=3)), item("y", x=7.0)],
        labels=("cat", "dog"),
    )
    repo.create_branch("side", first)
    with repo.transaction(branch="side") as change:
        notes = [box(2.0, id=1), box(41.0, "cat", id=2), box(120.0, id=9)]
        put(change, "a", boxes(*notes), boxes(box(5.0, id=20), box(9.0, "dog", id=21), id="z"))
        change.commit("Delivery", operation="import")
    return repo


def test_one_annotation_by_its_id(edited):
    restore_from(edited, "side", ["a/train/x#1"])
    assert told(edited) == [(1, 2.0, "cat"), (2, 40.0, "dog"), (3, 80.0, "cat")]


def test_an_annotation_that_is_not_there_goes_by_its_id(edited):
    done = restore_from(edited, "side", ["a/train/x#3"])
    assert told(edited) == [(1, 1.0, "cat"), (2, 40.0, "dog")]
    assert done.summary.annotations.removed == 1


def test_an_annotation_that_is_new_there_comes_by_its_id(edited):
    restore_from(edited, "side", ["a/train/x#9", "a/train/x#2"])
    assert told(edited) == [(1, 1.0, "cat"), (2, 41.0, "cat"), (3, 80.0, "cat"), (9, 120.0, "cat")]


def test_an_id_whose_box_moved_far_is_still_that_annotation(edited):
    with edited.transaction(branch="side") as change:
        put(change, "a", boxes(box(2.0, id=1), box(41.0, "cat", id=2), box(300.0, id=3)))
        change.commit("Far", operation="edit")
    restore_from(edited, "side", ["a/train/x#3"])
    assert told(edited) == [(1, 1.0, "cat"), (2, 40.0, "dog"), (3, 300.0, "cat")]


def test_annotations_without_ids_by_number(repo):
    first = commit(repo, [boxes(box(1.0), box(40.0), box(80.0))])
    repo.create_branch("side", first)
    change_item(repo, boxes(box(2.0), box(41.0), box(81.0)), branch="side")
    restore_from(repo, "side", ["a/train/x#n2"])
    assert told(repo) == [(0, 1.0, "cat"), (0, 41.0, "cat"), (0, 80.0, "cat")]


def test_a_label_takes_pairs_of_which_either_has_it(edited):
    restore_from(edited, "side", labels=["dog"])
    assert told(edited) == [(1, 1.0, "cat"), (2, 41.0, "cat"), (3, 80.0, "cat")]
    # the new item comes with what has the label
    assert told(edited, "train/z") == [(21, 9.0, "dog")]
    assert told(edited, "train/y") == [(0, 7.0, "cat")]


def test_an_expression_replaces_what_it_finds_here(edited):
    restore_from(edited, "side", expression="/item/annotation[label='cat' and x > 60]")
    assert told(edited) == [(1, 1.0, "cat"), (2, 40.0, "dog"), (9, 120.0, "cat")]
    assert names(edited) == ["a/train/x", "a/train/y"]


def test_an_expression_may_find_items(delivery):
    restore_from(delivery, "side", expression="/item[subset='val' or id='0001']")
    assert names(delivery) == ["a/train/0000", "a/train/0003", "a/val/0002", "a/val/new"]
    assert told(delivery, "train/0000") == [(0, 1.0, "cat")]


def test_names_and_an_expression_go_together(edited):
    restore_from(edited, "side", ["a/train/z"], expression="//annotation[label='cat']")
    assert told(edited, "train/z") == [(20, 5.0, "cat")]
    assert told(edited)[0] == (1, 1.0, "cat")


def test_ids_persist_where_the_other_side_renumbered(repo):
    first = commit(repo, [boxes(box(1.0, id=1), box(40.0, id=2)), boxes(box(5.0, id=3), id="y")])
    repo.create_branch("side", first)
    with repo.transaction(branch="side") as change:
        put(
            change, "a", boxes(box(2.0, id=101), box(41.0, id=102)), boxes(box(5.0, id=103), id="y")
        )
        change.commit("Renumbered", operation="import")
    restore_from(repo, "side", ["a/train/x#102"])
    assert told(repo) == [(1, 1.0, "cat"), (2, 41.0, "cat")]


def test_new_numbers_are_given_where_something_else_has_them(repo):
    first = commit(repo, [boxes(box(1.0, id=1)), boxes(box(5.0, id=2), id="y")])
    repo.create_branch("side", first)
    change_item(repo, boxes(box(1.0, id=1), box(90.0, id=3)), branch="side")
    change_item(repo, boxes(box(5.0, id=2), box(60.0, id=3), id="y"))
    restore_from(repo, "side", ["a/train/x"])
    assert told(repo) == [(1, 1.0, "cat"), (4, 90.0, "cat")]
    assert told(repo, "train/y") == [(2, 5.0, "cat"), (3, 60.0, "cat")]


def test_groups_go_on(repo):
    pair = [box(1.0, id=1, group=1), box(3.0, "dog", id=2, group=1)]
    other = [box(100.0, id=3, group=2), box(104.0, "dog", id=4, group=2)]
    labels = ("cat", "dog")
    first = commit(repo, [boxes(*pair, box(200.0, id=5))], labels=labels)
    repo.create_branch("side", first)
    change_item(repo, boxes(*other, *pair, box(200.0, id=5)), branch="side")
    restore_from(repo, "side", expression="//annotation[x >= 100]")
    held = contents(repo)["a", "train", "x"]
    assert {note.id: note.group for note in held} == {1: 1, 2: 1, 3: 2, 4: 2, 5: 0}


def test_labels_are_known_by_key_and_by_name(repo):
    first = commit(repo, [item("x"), item("y")], labels=("cat", "dog"))
    repo.create_branch("side", first)
    with repo.transaction(branch="side") as change:
        cow, bird = Category(name="cow", key="cow#9"), Category(name="bird")
        change.set_labels("a", Labels([Category(name="cat"), Category(name="dog"), cow, bird]))
        change.commit("Labels", operation="edit")
    change_item(repo, boxes(box(1.0, "cow"), box(40.0, "bird"), box(80.0, "dog")), branch="side")
    with repo.transaction() as change:
        renamed = Category(name="hound", key="dog")
        change.set_labels("a", Labels([Category(name="cat"), renamed, Category(name="cow")]))
        change.commit("Labels", operation="edit")
    done = restore_from(repo, "side", ["a/train/x"])
    assert done.labels == ("bird",)
    assert [label for _, _, label in told(repo)] == ["cow", "bird", "hound"]
    assert repo.snapshot(repo.resolve()).labels("a").names == ("cat", "hound", "cow", "bird")
    assert not restore_from(repo, "side", ["a/train/x"]).committed.changed


def test_working_copies_follow_and_dirty_ones_refuse(tmp_path):
    repo, folder = pets.tracked(tmp_path / "work")
    pets.edit(folder, lambda data: pets.note(data, 12).update(bbox=[31.0, 30.5, 20.0, 10.0]))
    pets.edit(folder, lambda data: pets.note(data, 22).update(bbox=[33.0, 30.5, 20.0, 10.0]))
    worktree.commit(repo, message="second")
    checkout.reset(repo, "HEAD~1", hard=True)
    restore_from(repo, "HEAD@{1}", ["pets/train/2"])
    assert not pets.changes(repo)
    text = (folder / pets.JSON).read_text()
    assert "33.0" in text
    assert "31.0" not in text
    pets.edit(folder, lambda data: pets.note(data, 31).update(category_id=2))
    with pytest.raises(DirtyWorkingCopy, match="3"):
        restore_from(repo, "HEAD@{2}", ["pets/train/1"])
    repo.close()
