import json

import pytest

from dvcs.errors import DirtyWorkingCopy, HookRefused, RepositoryError, UsageError
from dvcs.model import Category, Labels
from dvcs.objects.gitobjects import Commit, Signature
from dvcs.objects.items import encode_labels
from dvcs.repository import Repository, hooks
from dvcs.repository.branches import delete_branch
from dvcs.repository.gc import collect
from dvcs.repository.merges import conflicts, merging, picking
from dvcs.repository.merges.conflicts import Wanted
from dvcs.repository.merges.picking import cherry_pick, revert
from dvcs.repository.message import parse
from dvcs.repository.undo import undo
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
)


def boxes(*places, id="x", subset="train"):
    notes = [box(x, id=n) for n, x in enumerate(places, 1)]
    return item(id, subset).with_(annotations=notes)


def places(repo, name="train/x", revision="HEAD"):
    held = contents(repo, revision)
    return [note.x for note in held["a", *name.split("/", 1)]]


def open_in(done):
    return [f"{place.name}#{one.key}" for place in done.places for one in place.conflicts]


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
    done = revert(repo, "HEAD~1", dry_run=True)
    assert (open_in(done), done.changed) == (["a/train/x#1.geometry"], False)
    assert not conflicts.is_under_way(repo)
    assert open_in(revert(repo, "HEAD~1")) == ["a/train/x#1.geometry"]
    assert repo.resolve() == head
    assert picking.abort(repo, "revert")
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
    assert open_in(cherry_pick(repo, "side")) == ["a/train/0000#item.deleted"]
    picking.abort(repo, "cherry-pick")
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
    assert open_in(revert(repo, "HEAD~1")) == ["a#label:dog.used"]
    picking.abort(repo, "revert")
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


# -- conflicts, kept and decided -----------------------------------------------------------------


@pytest.fixture
def clash(repo):
    """A box that moved twice, so that the first move cannot be reverted without a decision."""
    commit(repo, [boxes(1.0, 40.0), item("y", x=7.0)])
    change_item(repo, boxes(5.0, 40.0))
    change_item(repo, boxes(12.0, 40.0))
    return repo


@pytest.mark.parametrize(
    ("choice", "value", "expected"),
    [
        ("theirs", None, [1.0, 40.0]),
        ("base", None, [5.0, 40.0]),
        ("union", None, [12.0, 40.0, 1.0]),
        ("value", {"x": 3.0, "y": 2.0, "w": 5.0, "h": 5.0}, [3.0, 40.0]),
    ],
)
def test_a_revert_goes_on_when_it_is_decided(clash, choice, value, expected):
    head, wanted = clash.resolve(), clash.resolve("HEAD~1")
    assert open_in(revert(clash, "HEAD~1", message="Back again")) == ["a/train/x#1.geometry"]
    assert open_in(picking.go_on(clash, "revert")) == ["a/train/x#1.geometry"]
    with Repository(clash.root) as again:
        (place,) = conflicts.load(again).open()
        (one,) = place.conflicts
        assert [side["x"] for side in (one.base, one.ours, one.theirs)] == [5.0, 12.0, 1.0]
        assert conflicts.resolve(again, Wanted(("a",)), choice, value).left == 0
        done = picking.go_on(again, "revert")
    assert done.changed
    assert places(clash) == expected
    made = clash.store.commit(clash.resolve())
    assert made.parents == (head,)
    message = parse(made.message)
    assert (message.text, message.operation) == ("Back again", "revert")
    assert message.arguments == {"commit": wanted.hex(), "decisions": 1}
    assert clash.refs.all("refs/dvcs/") == {}
    check_sound(clash)


def test_decided_for_ours_there_is_nothing_to_commit(clash):
    head, refs = clash.resolve(), clash.refs.all()
    revert(clash, "HEAD~1")
    conflicts.resolve(clash, Wanted(("a",)), "ours")
    done = picking.go_on(clash, "revert")
    assert (done.changed, clash.resolve(), clash.refs.all()) == (False, head, refs)


def test_a_pick_with_conflicts_keeps_message_and_author(repo):
    first = commit(repo, items(2))
    repo.create_branch("side", first)
    author = Signature("Bea", "bea@example.org", 1_600_000_000, 120)
    with repo.transaction(branch="side") as change:
        put(change, "a", item("0000", x=3.0), item("0001", x=80.0))
        change.commit("Better", operation="edit", author=author)
    change_item(repo, item("0000", x=-1.0))
    assert open_in(cherry_pick(repo, "side")) == ["a/train/0000#n1.geometry"]
    conflicts.resolve(repo, Wanted(), "theirs")
    picking.go_on(repo, "cherry-pick")
    made = repo.store.commit(repo.resolve())
    assert made.author == author
    assert parse(made.message).text.startswith("Better\n\n(cherry picked from commit ")
    assert repo.tree_of(repo.resolve()) == repo.tree_of(repo.resolve("side"))


def test_one_thing_is_under_way_at_a_time(clash):
    clash.create_branch("topic", clash.resolve("HEAD~1"))
    change_item(clash, boxes(9.0, 40.0), branch="topic")
    revert(clash, "HEAD~1")
    for action in (
        lambda: revert(clash, "HEAD"),
        lambda: cherry_pick(clash, "topic"),
        lambda: merging.merge(clash, merging.Request(revision="topic")),
    ):
        with pytest.raises(RepositoryError, match="a revert of 'HEAD~1' is under way"):
            action()
    for action in (
        lambda: merging.go_on(clash),
        lambda: merging.abort(clash),
        lambda: picking.go_on(clash, "cherry-pick"),
        lambda: picking.skip(clash, "cherry-pick"),
        lambda: picking.abort(clash, "cherry-pick"),
    ):
        with pytest.raises(RepositoryError, match="is under way, but a revert is") as caught:
            action()
        assert "dvcs revert --continue" in caught.value.hint
    picking.abort(clash, "revert")
    with pytest.raises(RepositoryError, match="no revert is under way"):
        picking.go_on(clash, "revert")
    with pytest.raises(RepositoryError, match="no revert is under way"):
        picking.abort(clash, "revert")


def test_it_goes_on_where_it_began(clash):
    clash.create_branch("topic", clash.resolve("HEAD~1"))
    revert(clash, "HEAD~1")
    clash.move_head("refs/heads/topic", "checkout topic")
    with pytest.raises(RepositoryError, match="began on 'main'") as caught:
        picking.go_on(clash, "revert")
    assert "dvcs checkout main" in caught.value.hint


def test_a_branch_that_moved_on_keeps_the_decisions(clash):
    revert(clash, "HEAD~1")
    conflicts.resolve(clash, Wanted(("a",)), "theirs")
    other = change_item(clash, item("y", x=9.0))
    picking.go_on(clash, "revert")
    assert clash.store.commit(clash.resolve()).parents == (other,)
    assert places(clash) == [1.0, 40.0]
    assert places(clash, "train/y") == [9.0]


def test_undo_brings_the_decisions_back(clash):
    head = clash.resolve()
    revert(clash, "HEAD~1")
    conflicts.resolve(clash, Wanted(("a",)), "theirs")
    picking.go_on(clash, "revert")
    undo(clash)
    assert clash.resolve() == head
    assert conflicts.load(clash, "revert").open() == ()
    picking.go_on(clash, "revert")
    assert places(clash) == [1.0, 40.0]


def test_the_record_of_a_merge_is_as_it_always_was(clash):
    clash.create_branch("topic", clash.resolve("HEAD~1"))
    change_item(clash, boxes(9.0, 40.0), branch="topic")
    merging.merge(clash, merging.Request(revision="topic"))
    theirs = clash.resolve("topic").hex()
    path = clash.layout.state / "merge" / theirs
    record = json.loads(path.read_bytes())
    assert record.keys() >= {"ours", "theirs", "revision", "branch", "places"}
    assert not record.keys() & {"operation", "todo", "heads", "began", "last", "mainline", "stash"}
    assert set(clash.refs.all("refs/dvcs/")) == {"refs/dvcs/merge/ours", "refs/dvcs/merge/theirs"}


def test_a_record_that_is_damaged_can_be_given_up(clash):
    revert(clash, "HEAD~1")
    (record,) = (clash.layout.state / "merge").iterdir()
    record.write_bytes(b"{")
    with pytest.raises(RepositoryError, match="the record of the revert under way cannot be read"):
        picking.go_on(clash, "revert")
    picking.abort(clash, "revert")
    assert not conflicts.is_under_way(clash)


# -- several -------------------------------------------------------------------------------------


@pytest.fixture
def line(repo):
    """Side has four commits: y moves, x moves, z comes, y moves; main has moved x."""
    first = commit(repo, [boxes(1.0, 40.0), item("y", x=7.0)])
    repo.create_branch("side", first)
    change_item(repo, item("y", x=9.0), branch="side")
    change_item(repo, boxes(5.0, 40.0), branch="side")
    change_item(repo, item("z", x=3.0), branch="side")
    change_item(repo, item("y", x=11.0), branch="side")
    change_item(repo, boxes(-3.0, 40.0))
    return repo


def subjects(repo, count):
    return [
        parse(repo.store.commit(repo.resolve(f"HEAD~{n}")).message).subject for n in range(count)
    ]


def test_a_range_is_picked_from_the_oldest_on(line):
    assert len(cherry_pick(line, "main..side", strategy="theirs").picked) == 4
    assert subjects(line, 4) == ["Change y", "Change z", "Change x", "Change y"]
    assert contents(line) == contents(line, "side")
    assert not cherry_pick(line, ["side~1", "side"]).changed
    with pytest.raises(UsageError, match=r"no commit in 'side..side'"):
        cherry_pick(line, "side..side")
    with pytest.raises(UsageError, match="has two sides"):
        cherry_pick(line, "main...side")


def test_a_range_is_reverted_from_the_newest_on(line):
    line.move_head("refs/heads/side", "checkout side")
    done = revert(line, "HEAD~3..HEAD")
    assert [one.changed for one in done.picked] == [True, True, True]
    assert subjects(line, 3) == ['Revert "Change x"', 'Revert "Change z"', 'Revert "Change y"']
    assert line.tree_of(line.resolve()) == line.tree_of(line.resolve("HEAD~6"))
    with pytest.raises(UsageError, match="one message for 2 commits"):
        revert(line, "HEAD~2..HEAD", message="Both")


def test_what_is_left_is_done_when_the_conflict_is_decided(line):
    tip = line.resolve("side")
    done = cherry_pick(line, "main..side")
    assert (len(done.picked), open_in(done), done.left) == (1, ["a/train/x#1.geometry"], 2)
    assert places(line, "train/y") == [9.0]
    delete_branch(line, "side", force=True)
    collect(line, dry_run=False, keep_days=0.0, trash_days=0.0)
    conflicts.resolve(line, Wanted(), "theirs")
    done = picking.go_on(line, "cherry-pick")
    assert (len(done.picked), done.places) == (3, ())
    assert line.tree_of(line.resolve()) == line.tree_of(tip)
    assert line.refs.all("refs/dvcs/") == {}
    check_sound(line)


def test_the_one_in_conflict_is_left_out(line):
    cherry_pick(line, "main..side")
    done = picking.skip(line, "cherry-pick")
    assert len(done.picked) == 2
    assert subjects(line, 3) == ["Change y", "Change z", "Change y"]
    assert (places(line), places(line, "train/y")) == ([-3.0, 40.0], [11.0])
    cherry_pick(line, "side~2")
    assert picking.skip(line, "cherry-pick").picked == ()
    assert not conflicts.is_under_way(line)


def test_a_second_conflict_stops_again(line):
    change_item(line, item("y", x=6.0))
    done = cherry_pick(line, "main..side")
    assert (done.picked, open_in(done), done.left) == ((), ["a/train/y#n1.geometry"], 3)
    conflicts.resolve(line, Wanted(), "ours")
    done = picking.go_on(line, "cherry-pick")
    assert (len(done.picked), open_in(done), done.left) == (1, ["a/train/x#1.geometry"], 2)
    conflicts.resolve(line, Wanted(), "base")
    done = picking.go_on(line, "cherry-pick")
    assert (len(done.picked), open_in(done), done.left) == (2, ["a/train/y#n1.geometry"], 0)
    conflicts.resolve(line, Wanted(), "theirs")
    picking.go_on(line, "cherry-pick")
    assert (places(line), places(line, "train/y")) == ([1.0, 40.0], [11.0])


def test_given_up_the_commits_made_so_far_go_too(line):
    head = line.resolve()
    cherry_pick(line, "main..side")
    assert line.resolve() != head
    assert picking.abort(line, "cherry-pick")
    assert (line.resolve(), line.refs.all("refs/dvcs/")) == (head, {})
    undo(line)
    assert conflicts.load(line, "cherry-pick").open()
    other = change_item(line, item("new"))
    assert not picking.abort(line, "cherry-pick")
    assert line.resolve() == other
    assert not conflicts.is_under_way(line)


def test_all_is_looked_at_before_anything_is_done(line):
    head = line.resolve()
    ours, theirs = line.resolve("side"), line.resolve("side~1")
    with line.transaction(branch="side") as change:
        put(change, "a", item("w"))
        change.commit("Merge", operation="merge", parents=(ours, theirs))
    with pytest.raises(UsageError, match="is a merge"):
        cherry_pick(line, ["side~1", "side"])
    with pytest.raises(UsageError, match="2 commits changed nothing in 'a/test'"):
        cherry_pick(line, ["side~2", "side~1"], only=["a/test"])
    with pytest.raises(UsageError, match="is for one commit"):
        cherry_pick(line, ["side~2", "side~1"], dry_run=True)
    assert line.resolve() == head


def test_working_copies_wait_for_the_decision(tmp_path):
    repo, folder = pets.tracked(tmp_path / "repo")
    for x in (35.0, 25.0):
        pets.edit(folder, lambda data, x=x: pets.note(data, 12)["bbox"].__setitem__(0, x))
        worktree.commit(repo, message=f"at {x}")
    checkout.restore(repo)
    before = pets.files(folder)
    assert open_in(revert(repo, "HEAD~1")) == ["pets/train/1#12.geometry"]
    assert pets.files(folder) == before
    conflicts.resolve(repo, Wanted(), "theirs")
    picking.go_on(repo, "revert")
    assert pets.only(repo).state == "clean"
    assert b"30.0" in (folder / pets.JSON).read_bytes()
    undo(repo)
    assert pets.files(folder) == before
    repo.close()


def refused_at(n):
    """Return a hook that refuses when it is asked for the nth time (from 0)."""
    return (
        "import sys\nfrom pathlib import Path\npath = Path('asked')\n"
        "count = len(path.read_text()) if path.exists() else 0\n"
        f"path.write_text('x' * (count + 1))\nsys.exit(count == {n})\n"
    )


def test_a_pick_that_is_refused_after_others_is_under_way(repo):
    first = commit(repo, items(3))
    repo.create_branch("side", first)
    for n in range(3):
        change_item(repo, item(f"000{n}", x=50.0 + n), branch="side")
    script = repo.root.parent / "hook.py"
    script.write_text(refused_at(1))
    hooks.install(repo.layout, script, "pre-commit")
    with pytest.raises(HookRefused) as refused:
        cherry_pick(repo, "main..side")
    assert "nothing was changed" not in refused.value.hint
    assert "1 commit was made before this one" in refused.value.hint
    assert places(repo, "train/0000") == [50.0]
    assert len(picking.go_on(repo, "cherry-pick").picked) == 2
    assert [places(repo, f"train/000{n}") for n in range(3)] == [[50.0], [51.0], [52.0]]
    assert not conflicts.is_under_way(repo)
    check_sound(repo)


def test_a_pick_that_is_refused_first_changes_nothing(repo):
    first = commit(repo, items(3))
    repo.create_branch("side", first)
    change_item(repo, item("0000", x=50.0), branch="side")
    change_item(repo, item("0001", x=50.0), branch="side")
    script = repo.root.parent / "hook.py"
    script.write_text(refused_at(0))
    hooks.install(repo.layout, script, "pre-commit")
    with pytest.raises(HookRefused) as refused:
        cherry_pick(repo, "main..side")
    assert refused.value.hint.startswith("nothing was changed")
    assert (repo.resolve(), conflicts.is_under_way(repo)) == (first, False)


@pytest.mark.parametrize("way", ["continue", "skip"])
def test_giving_up_keeps_a_commit_that_somebody_made_between_two_conflicts(repo, way):
    first = commit(repo, [boxes(1.0), boxes(1.0, id="y"), boxes(1.0, id="z")])
    repo.create_branch("side", first)
    for id in ("x", "y"):
        change_item(repo, boxes(5.0, id=id), branch="side")
        change_item(repo, boxes(15.0, id=id))
    assert cherry_pick(repo, "main..side").left == 1
    change_item(repo, boxes(44.0, id="z"))
    if way == "continue":
        conflicts.resolve(repo, Wanted(), "theirs")
        assert picking.go_on(repo, "cherry-pick").places
    else:
        assert picking.skip(repo, "cherry-pick").places
    head = repo.resolve()
    assert not picking.abort(repo, "cherry-pick")
    assert repo.resolve() == head
    assert places(repo, "train/z") == [44.0]
    assert not conflicts.is_under_way(repo)


def test_what_is_under_way_is_not_replaced_by_what_began_at_the_same_time(repo):
    first = commit(repo, [boxes(1.0)])
    repo.create_branch("side", first)
    change_item(repo, boxes(5.0), branch="side")
    head = change_item(repo, boxes(15.0)).hex()
    merging.merge(repo, merging.Request(revision="side"))
    late = conflicts.Merging(
        operation="revert", ours=head, theirs=head, revision="HEAD", branch="main"
    )
    with pytest.raises(RepositoryError, match="a merge of 'side' is under way"):
        conflicts.begin(repo, late)
    assert conflicts.under_way(repo) == "merge"
    assert not repo.refs.all("refs/dvcs/revert/")
