"""Merging branches: fast-forward, three-way by trees, conflicts kept, decided and undone."""

import os
import shutil
import sys
import threading

import msgspec
import pytest

from dvcs.errors import DirtyWorkingCopy, RepositoryError, UsageError
from dvcs.merge import Options
from dvcs.model import Bbox, Category, Item, Labels, Media, MediaFile
from dvcs.repository import Repository
from dvcs.repository.editing import set_items
from dvcs.repository.gc import collect
from dvcs.repository.merges import conflicts, merging
from dvcs.repository.merges.conflicts import Wanted
from dvcs.repository.message import parse
from dvcs.repository.undo import undo
from dvcs.repository.working import checkout, worktree
from tests.repository import pets
from tests.repository.scenes import check_sound, commit, contents, items, killed, state


def box(x, **fields):
    return Bbox(x=float(x), y=0.0, w=20.0, h=10.0, **{"label": "cat", **fields})


def item(id, *notes, subset="train", **fields):
    return Item(id=id, subset=subset, annotations=list(notes), **fields)


def media(letter):
    return Media(files=(MediaFile(ext=".png", sha256=letter * 64),))


class Branches:
    """A repository with a commit, and what is done on branches from it."""

    def __init__(self, repo, held, labels=("cat", "dog")):
        self.repo = repo
        self.root = commit(repo, held, labels=labels)

    def on(self, branch, *held, remove=(), start=None):
        """Commit items on a branch, made where it is not there; return the commit."""
        if branch not in self.repo.branches():
            self.repo.create_branch(branch, start or self.root)
        return set_items(
            self.repo, "a", held, remove=remove, message=f"On {branch}", branch=branch
        ).oid

    def labels(self, branch, labels):
        """Commit other labels on a branch."""
        with self.repo.transaction(branch=branch) as change:
            change.set_labels("a", Labels(labels))
            return change.commit("Labels", operation="edit").oid

    def merge(self, revision="topic", **how):
        return merging.merge(self.repo, merging.Request(revision=revision, **how))

    def contents(self, revision="main"):
        return {
            f"{subset}/{id}": notes
            for (_, subset, id), notes in contents(self.repo, revision).items()
        }

    def open(self):
        """Return the names of open conflicts."""
        return [
            f"{place.name}#{one.key}"
            for place in conflicts.load(self.repo).open()
            for one in place.conflicts
        ]

    def decide(self, *names, choice="theirs", value=None):
        return conflicts.resolve(self.repo, Wanted(names), choice, value)


@pytest.fixture
def pair(repo) -> Branches:
    """A commit with items 1, 2, 3 on main; each has a box with an id."""
    return Branches(repo, [item(str(n), box(0, id=n)) for n in (1, 2, 3)])


@pytest.fixture
def clash(pair) -> Branches:
    """Two branches that moved one box to two places, and did something else each."""
    pair.on("main", item("1", box(8, id=1)), item("2", box(1, id=2)))
    pair.on("topic", item("1", box(-8, id=1)), item("3", box(1, id=3)))
    return pair


# -- without conflicts ---------------------------------------------------------------------------


def test_a_branch_that_is_behind_is_fast_forwarded(pair):
    tip = pair.on("topic", item("9", box(3, id=9)))
    done = pair.merge()
    assert (done.status, done.commit, pair.repo.resolve("main")) == ("fast-forward", tip, tip)
    assert pair.merge().status == "up to date"
    assert pair.merge("HEAD~1").status == "up to date"


def test_without_fast_forward_there_is_a_merge_commit(pair):
    tip = pair.on("topic", item("9", box(3, id=9)))
    done = pair.merge(fast_forward=False)
    made = pair.repo.store.commit(done.commit)
    assert made.parents == (pair.root, tip)
    assert made.tree == pair.repo.tree_of(tip)
    assert parse(made.message).operation == "merge"
    assert parse(made.message).subject == "Merge topic"


def test_items_that_one_side_changed_are_taken(pair):
    ours = pair.on("main", item("1", box(5, id=1)), remove=[("train", "3")])
    theirs = pair.on("topic", item("2", box(6, id=2)), item("4", box(7, id=40)))
    done = pair.merge()
    assert done.status == "merged"
    assert pair.contents() == {
        "train/1": [box(5, id=1)],
        "train/2": [box(6, id=2)],
        "train/4": [box(7, id=40)],
    }
    assert pair.repo.store.commit(done.commit).parents == (ours, theirs)
    assert done.counts.taken == 2
    assert not conflicts.is_under_way(pair.repo)
    check_sound(pair.repo)


def test_only_items_that_both_changed_are_opened(pair, monkeypatch):
    from dvcs.repository.merges import sources as merge_sources

    pair.on("main", item("1", box(5, id=1)), item("2", box(5, id=2)))
    pair.on("topic", item("2", box(0, id=2), box(90, id=7)), item("3", box(6, id=3)))
    opened = []
    original = merge_sources.decode_item
    monkeypatch.setattr(
        merge_sources, "decode_item", lambda *a, **k: opened.append(a) or original(*a, **k)
    )
    pair.merge()
    assert len(opened) == 6  # three versions of one item, once as a sample
    assert pair.contents()["train/2"] == [box(5, id=2), box(90, id=7)]


def test_a_whole_source_of_the_other_side_is_taken(pair):
    pair.on("topic")
    commit(pair.repo, items(3), source="b", branch="topic")
    pair.on("main", item("1", box(5, id=1)))
    assert pair.merge().status == "merged"
    assert set(pair.repo.snapshot(pair.repo.resolve("main")).sources) == {"a", "b"}


def test_a_large_source_merges_by_its_trees(repo):
    both = Branches(repo, [item(f"{n:04}", box(0, id=n + 1)) for n in range(700)])
    both.on("main", *(item(f"{n:04}", box(1, id=n + 1)) for n in range(0, 700, 2)))
    both.on("topic", *(item(f"{n:04}", box(2, id=n + 1)) for n in range(1, 700, 2)))
    assert both.merge().status == "merged"
    places = [notes[0].x for notes in both.contents().values()]
    assert places == [1.0 + n % 2 for n in range(700)]
    check_sound(repo)


def test_a_dry_run_changes_nothing(clash):
    clash.merge(dry_run=True)  # makes the file of the lock
    before = state(clash.repo)
    done = clash.merge(dry_run=True)
    assert (done.status, len(done.places)) == ("conflicts", 1)
    assert clash.merge(dry_run=True, options=Options(strategy="ours")).status == "merged"
    assert state(clash.repo) == before


def test_another_branch_can_be_merged_into(clash):
    main = clash.repo.resolve("main")
    done = clash.merge("main", into="topic", options=Options(strategy="ours"))
    assert clash.repo.resolve("topic") == done.commit
    assert clash.repo.resolve("main") == main
    assert clash.contents("topic")["train/1"] == [box(-8, id=1)]


def test_squashed_it_has_one_parent(clash):
    ours = clash.repo.resolve("main")
    done = clash.merge(squash=True, options=Options(strategy="theirs"), message="All of it")
    made = clash.repo.store.commit(done.commit)
    assert made.parents == (ours,)
    assert parse(made.message).arguments["theirs"] == clash.repo.resolve("topic").hex()
    assert parse(made.message).subject == "All of it"


def test_histories_without_anything_in_common(pair):
    other = pair.repo.store.commit(pair.root)
    with pair.repo.store.writer() as writer:
        oid = writer.commit(msgspec.structs.replace(other, parents=(), message="alone\n"))
        writer.publish()
    pair.repo.create_branch("topic", oid)
    pair.on("topic", item("8", box(1, id=8)))
    with pytest.raises(RepositoryError, match="no common history"):
        pair.merge()
    assert pair.merge(allow_unrelated=True).status == "merged"
    assert len(pair.contents()) == 4


def test_a_branch_without_commits_takes_all(pair):
    pair.on("topic", item("9", box(3, id=9)))
    pair.repo.move_head("refs/heads/fresh", "checkout fresh")
    done = pair.merge()
    assert done.status == "fast-forward"
    assert pair.repo.resolve("fresh") == pair.repo.resolve("topic")


def test_a_detached_head_merges_where_it_is(clash):
    main = clash.repo.resolve("main")
    clash.repo.move_head(main, "checkout --detach")
    assert clash.merge().status == "conflicts"
    clash.decide("a")
    done = merging.go_on(clash.repo)
    assert clash.repo.refs.head() == done.commit
    assert clash.repo.resolve("main") == main
    clash.repo.move_head(main, "back")
    clash.merge()
    clash.repo.move_head("refs/heads/main", "checkout main")
    with pytest.raises(RepositoryError, match="began on no branch"):
        merging.go_on(clash.repo)


# -- a part of it --------------------------------------------------------------------------------


def test_a_part_is_merged_and_the_rest_later(pair):
    pair.on("main", item("1", box(0, id=1), box(70, id=50)))
    theirs = pair.on("topic", item("2", box(6, id=2)), item("3", box(6, id=3)))
    done = pair.merge(only=("a/train/2",))
    assert len(pair.repo.store.commit(done.commit).parents) == 1
    assert [notes[0].x for notes in pair.contents().values()] == [0, 6, 0]
    done = pair.merge(excluded=("a/train/2",))
    assert [notes[0].x for notes in pair.contents().values()] == [0, 6, 6]
    done = pair.merge()
    assert pair.repo.store.commit(done.commit).parents[1] == theirs
    with pytest.raises(UsageError, match="is in no source"):
        pair.merge("topic", only=("b",))


def test_a_source_may_be_named_with_the_revision(pair):
    pair.on("main", item("1", box(5, id=1)))
    pair.on("topic", item("2", box(6, id=2)))
    commit(pair.repo, items(2), source="b", branch="topic")
    pair.merge("topic:a")
    assert set(pair.repo.snapshot(pair.repo.resolve("main")).sources) == {"a"}
    assert pair.contents()["train/2"] == [box(6, id=2)]


# -- conflicts, kept and decided -----------------------------------------------------------------


def test_conflicts_are_kept_and_change_nothing_else(clash):
    main = clash.repo.resolve("main")
    done = clash.merge()
    assert done.status == "conflicts"
    assert clash.open() == ["a/train/1#1.geometry"]
    assert clash.repo.resolve("main") == main
    with Repository(clash.repo.root) as again:
        assert conflicts.is_under_way(again)
        report = conflicts.report(conflicts.load(again).open())
    (place,) = report
    (one,) = place.pop("conflicts")
    assert place == {"source": "a", "subset": "train", "id": "1"}
    assert (one["kind"], one["field"], one["ours"]["x"], one["theirs"]["x"], one["base"]["x"]) == (
        "geometry",
        "geometry",
        8.0,
        -8.0,
        0.0,
    )
    with pytest.raises(RepositoryError, match="is under way"):
        clash.merge()
    check_sound(clash.repo)


def test_a_merge_that_is_not_decided_cannot_go_on(clash):
    clash.merge()
    main = clash.repo.resolve("main")
    assert merging.go_on(clash.repo).status == "conflicts"
    assert clash.repo.resolve("main") == main


@pytest.mark.parametrize(
    ("choice", "value", "expected"),
    [
        ("ours", None, [8]),
        ("theirs", None, [-8]),
        ("base", None, [0]),
        ("union", None, [8, -8]),
        ("value", {"x": 3.0, "y": 0.0, "w": 5.0, "h": 5.0}, [3]),
    ],
)
def test_decided_conflicts_are_committed(clash, choice, value, expected):
    ours, theirs = clash.repo.resolve("main"), clash.repo.resolve("topic")
    clash.merge(message="Both")
    assert clash.decide("a/train/1", choice=choice, value=value).left == 0
    done = merging.go_on(clash.repo)
    assert done.status == "merged"
    made = clash.repo.store.commit(done.commit)
    assert (made.parents, parse(made.message).subject) == ((ours, theirs), "Both")
    found = clash.contents()
    assert [one.x for one in found["train/1"]] == expected
    assert [found[name][0].x for name in ("train/2", "train/3")] == [1, 1]
    ids = [one.id for notes in found.values() for one in notes]
    assert len(set(ids)) == len(ids)
    assert not conflicts.is_under_way(clash.repo)
    check_sound(clash.repo)


def test_a_decision_that_makes_no_sense_is_refused(clash):
    clash.merge()
    with pytest.raises(UsageError, match="is no value for geometry"):
        clash.decide("a/train/1", choice="value", value=7)
    with pytest.raises(UsageError, match="no conflict is meant"):
        clash.decide("a/train/2")
    assert len(clash.open()) == 1


def test_a_decision_may_be_changed(clash):
    clash.merge()
    clash.decide("a")
    clash.decide("a/train/1#1", choice="base")
    merging.go_on(clash.repo)
    assert clash.contents()["train/1"] == [box(0, id=1)]


def test_conflicts_are_chosen_by_item_key_label_and_kind(repo):
    both = Branches(repo, [item("x#1", box(0, id=1), box(50, id=2)), item("y", box(0, id=3))])
    for branch, label, x in (("main", "dog", 8), ("topic", "cow", -8)):
        both.on(
            branch,
            item("x#1", box(x, id=1, label=label), box(50 + x, id=2)),
            item("y", box(x, id=3)),
        )
    both.merge()
    every = both.open()
    assert every == [
        "a/train/x#1#1.label",
        "a/train/x#1#1.geometry",
        "a/train/x#1#2.geometry",
        "a/train/y#3.geometry",
    ]

    def left(*names, **how):
        merged = conflicts.load(repo)
        wanted = Wanted(names, **how)
        return [
            f"{p.name}#{c.key}" for p in merged.places for c in p.conflicts if wanted.means(p, c)
        ]

    assert left("a/train/x#1") == every[:3]
    assert left("a/train/x#1#1") == every[:2]
    assert left("a/train/x#1#1.geometry") == every[1:2]
    assert left("a/*/y") == every[3:]
    assert left("a/train/y#3") == every[3:]
    assert left(labels=("cow",)) == every[:2]
    assert left(kinds=("label",)) == every[:1]
    assert left("a", kinds=("geometry",), labels=("cat",)) == every[1:]
    assert left("a/train/z") == left("a/train/x#1#9") == []


def test_decisions_come_from_a_list(clash):
    clash.merge()
    report = conflicts.report(conflicts.load(clash.repo).open())
    report[0]["conflicts"][0]["choice"] = "theirs"
    assert conflicts.resolve_from(clash.repo, {"dvcs.conflicts/1": report}).left == 0
    report[0]["conflicts"][0]["choice"] = "both"
    with pytest.raises(UsageError, match="'both' is no choice"):
        conflicts.resolve_from(clash.repo, report)
    report[0]["conflicts"][0] |= {"key": "nothing", "choice": "ours"}
    with pytest.raises(UsageError, match="there is no conflict 'a/train/1#nothing'"):
        conflicts.resolve_from(clash.repo, report)
    for bad in (7, [1], {"a": 1}, [{"conflicts": [{"choice": "ours"}]}]):
        with pytest.raises(UsageError, match="no list of conflicts"):
            conflicts.resolve_from(clash.repo, bad)


def test_given_up_everything_is_as_it_was(clash):
    refs = clash.repo.refs.all()
    clash.merge()
    assert clash.repo.refs.all() != refs
    merging.abort(clash.repo)
    assert clash.repo.refs.all() == refs
    for action in (merging.abort, merging.go_on, conflicts.load):
        with pytest.raises(RepositoryError, match="no merge is under way"):
            action(clash.repo)


def test_not_committed_it_waits(pair):
    pair.on("main", item("1", box(5, id=1)))
    pair.on("topic", item("2", box(6, id=2)))
    main = pair.repo.resolve("main")
    assert pair.merge(commit=False).status == "ready"
    assert pair.repo.resolve("main") == main
    assert merging.go_on(pair.repo, message="Now").status == "merged"
    assert parse(pair.repo.store.commit(pair.repo.resolve("main")).message).subject == "Now"


def test_a_branch_that_moved_on_is_merged_as_it_is_now(clash):
    clash.merge()
    clash.decide("a")
    clash.on("main", item("2", box(2, id=2)))
    done = merging.go_on(clash.repo)
    assert done.status == "merged"
    assert [notes[0].x for notes in clash.contents().values()] == [-8, 2, 1]
    clash.on("main", item("3", box(9, id=3)), start=None)


def test_new_conflicts_on_the_way_are_kept(clash):
    clash.merge()
    clash.decide("a")
    clash.on("main", item("3", box(-7, id=3)))
    assert merging.go_on(clash.repo).status == "conflicts"
    assert clash.open() == ["a/train/3#3.geometry"]
    assert conflicts.load(clash.repo).ours == clash.repo.resolve("main").hex()
    clash.decide("a/train/3", choice="ours")
    assert merging.go_on(clash.repo).status == "merged"
    assert [notes[0].x for notes in clash.contents().values()] == [-8, 1, -7]


def test_undo_takes_a_merge_back_and_resumes_it(clash):
    main = clash.repo.resolve("main")
    clash.merge()
    clash.decide("a")
    merged = merging.go_on(clash.repo).commit
    undo(clash.repo)
    assert clash.repo.resolve("main") == main
    assert conflicts.load(clash.repo).open() == ()
    again = merging.go_on(clash.repo)
    assert clash.repo.tree_of(again.commit) == clash.repo.tree_of(merged)
    undo(clash.repo)
    undo(clash.repo)
    assert clash.repo.resolve("main") in (main, again.commit)


def test_gc_keeps_the_sides_of_a_merge(clash):
    clash.merge()
    topic = clash.repo.resolve("topic")
    from dvcs.repository.branches import delete_branch

    delete_branch(clash.repo, "topic", force=True)
    collect(clash.repo, dry_run=False, keep_days=0, trash_days=0)
    assert topic in clash.repo.store
    clash.decide("a")
    assert merging.go_on(clash.repo).status == "merged"
    check_sound(clash.repo)


def test_a_damaged_record_can_be_given_up(clash):
    clash.merge()
    (record,) = (clash.repo.layout.state / "merge").iterdir()
    record.write_bytes(b"{")
    with pytest.raises(RepositoryError, match="cannot be read"):
        merging.go_on(clash.repo)
    merging.abort(clash.repo)
    assert clash.merge().status == "conflicts"


# -- labels --------------------------------------------------------------------------------------


def test_a_rename_on_one_side_applies_to_the_other(pair):
    pair.labels("main", [Category(key="cat", name="feline"), "dog"])
    pair.on("topic", item("4", box(3, id=40)))
    assert pair.merge().status == "merged"
    assert {one.label for notes in pair.contents().values() for one in notes} == {"feline"}


def test_labels_of_both_sides_are_declared(pair):
    pair.on("main", item("1", box(0, id=1, label="bird")))
    pair.on("topic", item("2", box(0, id=2, label="fish")))
    pair.merge()
    snapshot = pair.repo.snapshot(pair.repo.resolve("main"))
    assert snapshot.labels("a").names == ("cat", "dog", "bird", "fish")


@pytest.mark.parametrize(
    ("choice", "value", "labels", "found"),
    [
        ("ours", None, ("cat",), [["cat"], [], ["cat"]]),
        ("theirs", None, ("cat", "dog"), [["cat"], ["dog"], ["cat"]]),
        ("base", None, ("cat", "dog"), [["cat"], ["dog"], ["cat"]]),
        ("value", "cat", ("cat",), [["cat"], ["cat"], ["cat"]]),
    ],
)
def test_a_deleted_label_that_the_other_side_uses(pair, choice, value, labels, found):
    pair.labels("main", ["cat"])
    pair.on("topic", item("2", box(0, id=2, label="dog")))
    done = pair.merge()
    assert done.status == "conflicts"
    assert pair.open() == ["a#label:dog.used"]
    pair.decide(choice=choice, value=value)
    done = merging.go_on(pair.repo)
    assert done.status == "merged"
    snapshot = pair.repo.snapshot(pair.repo.resolve("main"))
    assert snapshot.labels("a").names == labels
    assert [[one.label for one in notes] for notes in pair.contents().values()] == found
    assert done.counts.dropped == (choice == "ours")
    check_sound(pair.repo)


def test_a_label_deleted_by_theirs_and_used_by_ours(pair):
    pair.on("topic")
    pair.labels("topic", ["cat"])
    pair.on("main", item("2", box(0, id=2, label="dog")))
    assert pair.merge().status == "conflicts"
    pair.decide(choice="theirs")
    merging.go_on(pair.repo)
    assert pair.contents()["train/2"] == []


def test_two_labels_of_one_name_become_one(pair):
    pair.labels("main", [Category(key="cat", name="beast"), "dog"])
    pair.on("topic")
    pair.labels("topic", ["cat", "dog", "beast"])
    pair.on("topic", item("2", box(0, id=2, label="beast")))
    pair.merge()
    assert pair.open() == ["a#label:beast.name-taken"]
    pair.decide(choice="union")
    merging.go_on(pair.repo)
    snapshot = pair.repo.snapshot(pair.repo.resolve("main"))
    assert snapshot.labels("a").names == ("beast", "dog")
    assert {one.label for notes in pair.contents().values() for one in notes} == {"beast"}


def test_a_label_conflict_is_told_and_decided_by_names(pair):
    pair.labels("main", [Category(key="cat", name="feline"), "dog"])
    pair.on("main", item("1", box(0, id=1, label="dog")))
    pair.on("topic", item("1", box(0, id=1, label="cow")))
    pair.merge()
    ((conflict,),) = [place.conflicts for place in conflicts.load(pair.repo).open()]
    assert (conflict.base, conflict.ours, conflict.theirs) == ("feline", "dog", "cow")
    assert set(conflict.labels) == {"cow", "dog", "feline"}
    with pytest.raises(UsageError, match="no label is called 'cat'"):
        pair.decide(choice="value", value="cat")
    pair.decide(choice="value", value="feline")
    merging.go_on(pair.repo)
    assert pair.contents()["train/1"] == [box(0, id=1, label="feline")]


# -- items: moved, deleted, media ----------------------------------------------------------------


def test_a_change_follows_an_item_to_its_new_subset(pair):
    pair.on("main", item("1", box(0, id=1), subset="val"), remove=[("train", "1")])
    pair.on("topic", item("1", box(5, id=1)))
    assert pair.merge().status == "merged"
    found = pair.contents()
    assert (found["val/1"], "train/1" in found) == ([box(5, id=1)], False)


def test_a_move_of_theirs_is_taken_with_our_change(pair):
    pair.on("main", item("1", box(5, id=1)))
    pair.on("topic", item("1", box(0, id=1), subset="val"), remove=[("train", "1")])
    assert pair.merge().status == "merged"
    found = pair.contents()
    assert (found["val/1"], "train/1" in found) == ([box(5, id=1)], False)


def test_a_change_follows_a_renamed_item(repo):
    both = Branches(repo, [item("old", box(0, id=1), media=media("a")), item("x")])
    both.on("main", item("new", box(0, id=1), media=media("a")), remove=[("train", "old")])
    both.on("topic", item("old", box(5, id=1), media=media("a")))
    assert both.merge().status == "merged"
    assert both.contents() == {"train/new": [box(5, id=1)], "train/x": []}


@pytest.mark.parametrize(
    ("choice", "place"), [("ours", "val/1"), ("theirs", "test/1"), ("base", "train/1")]
)
def test_an_item_moved_to_two_subsets(pair, choice, place):
    for branch, subset in (("main", "val"), ("topic", "test")):
        pair.on(branch, item("1", box(0, id=1), subset=subset), remove=[("train", "1")])
    pair.merge()
    assert pair.open() == ["a/val/1#item.moved"]
    pair.decide(choice=choice)
    merging.go_on(pair.repo)
    assert sorted(pair.contents()) == sorted([place, "train/2", "train/3"])


def test_an_item_moved_to_where_the_other_side_put_another_one(repo):
    both = Branches(repo, [item("1", box(0, id=1), media=media("a"))])
    both.on("main", item("1", box(50, id=9), subset="val", media=media("b")))
    both.on(
        "topic", item("1", box(0, id=1), subset="val", media=media("a")), remove=[("train", "1")]
    )
    both.merge()
    assert both.open() == ["a/val/1#media"]
    both.decide(choice="ours")
    merging.go_on(repo)
    assert both.contents() == {"val/1": [box(50, id=9)]}


@pytest.mark.parametrize(("choice", "found"), [("ours", False), ("theirs", True), ("base", True)])
def test_an_item_deleted_here_and_changed_there(pair, choice, found):
    pair.on("main", remove=[("train", "1")])
    pair.on("topic", item("1", box(5, id=1)))
    pair.merge()
    assert pair.open() == ["a/train/1#item.deleted"]
    pair.decide(choice=choice)
    merging.go_on(pair.repo)
    assert ("train/1" in pair.contents()) == found
    check_sound(pair.repo)


def test_media_replaced_on_both_sides(repo):
    both = Branches(repo, [item("1", box(0, id=1), media=media("a"))])
    both.on("main", item("1", box(5, id=1), media=media("b")))
    both.on("topic", item("1", box(-5, id=1), media=media("c")))
    both.merge()
    assert both.open() == ["a/train/1#media"]
    both.decide(choice="theirs")
    merging.go_on(repo)
    assert repo.item("main", "a", "train", "1").media == media("c")
    assert both.contents() == {"train/1": [box(-5, id=1)]}


def test_a_source_deleted_here_and_changed_there(pair):
    pair.on("topic", item("1", box(5, id=1)))
    checkout.remove_source(pair.repo, "a")
    pair.merge()
    assert pair.open() == ["a#source.deleted"]
    pair.decide(choice="theirs")
    merging.go_on(pair.repo)
    assert pair.contents()["train/1"] == [box(5, id=1)]


# -- numbers -------------------------------------------------------------------------------------


def test_ids_that_both_sides_gave_are_no_identities(pair):
    pair.on("main", item("1", box(0, id=1), box(50, id=10), box(300, id=11)))
    pair.on("topic", item("2", box(0, id=2), box(60, id=10)))
    pair.on("topic", item("1", box(0, id=1), box(90, id=11)))
    done = pair.merge()
    assert done.status == "merged"
    found = pair.contents()
    assert [one.x for one in found["train/1"]] == [0, 50, 300, 90]
    assert [one.x for one in found["train/2"]] == [0, 60]
    ids = [one.id for notes in found.values() for one in notes]
    assert len(set(ids)) == len(ids) == 7
    assert [one.id for one in found["train/1"]][:3] == [1, 10, 11]
    assert done.counts.renumbered == 2


def test_ids_that_count_within_an_item_stay(repo):
    both = Branches(repo, [item(str(n), box(0, id=1), box(50, id=2)) for n in range(3)])
    both.on("main", item("0", box(0, id=1), box(50, id=2), box(90, id=3)))
    both.on("topic", item("1", box(0, id=1), box(50, id=2), box(90, id=3)))
    assert both.merge().counts.renumbered == 0
    assert [[one.id for one in notes] for notes in both.contents().values()] == [
        [1, 2, 3],
        [1, 2, 3],
        [1, 2],
    ]


def test_numbers_of_images_that_both_sides_gave(pair):
    def image(name, number):
        return item(name, box(0, id=number * 10), extra={"coco": {"id": number}})

    pair.on("main", image("x", 7))
    pair.on("topic", image("y", 7), image("z", 8))
    assert pair.merge().counts.renumbered >= 1
    numbers = {id: pair.repo.item("main", "a", "train", id).extra["coco"]["id"] for id in "xyz"}
    assert (numbers["x"], numbers["z"]) == (7, 8)
    assert len(set(numbers.values())) == 3


def test_tracks_that_both_sides_began(repo):
    def frame(n, *tracks):
        return item(f"video/{n}", *(box(30 * t, track=t) for t in tracks))

    both = Branches(repo, [frame(n, 1) for n in range(4)])
    both.on("main", frame(0, 1, 2), frame(1, 1, 2))
    theirs = [
        item(f"video/{n}", box(30, track=1), box(200, track=2, label="dog")) for n in (1, 2, 3)
    ]
    both.on("topic", *theirs)
    assert both.merge().status == "merged"
    tracks = {
        name: {(one.track, one.label) for one in notes} for name, notes in both.contents().items()
    }
    assert tracks == {
        "train/video/0": {(1, "cat"), (2, "cat")},
        "train/video/1": {(1, "cat"), (2, "cat"), (3, "dog")},
        "train/video/2": {(1, "cat"), (3, "dog")},
        "train/video/3": {(1, "cat"), (3, "dog")},
    }


def test_a_track_that_both_sides_drew_is_one(repo):
    def frame(n, *notes):
        return item(f"video/{n}", box(300, track=1), *notes)

    both = Branches(repo, [frame(n) for n in range(4)])
    both.on("main", *(frame(n, box(n, track=2)) for n in (0, 1)))
    both.on("topic", *(frame(n, box(n, track=3), box(90, track=2)) for n in (0, 1, 2, 3)))
    assert both.merge().status == "merged"
    tracks = [{(one.x, one.track) for one in notes} for notes in both.contents().values()]
    assert tracks == [{(300, 1), (n, 2), (90, 4)} for n in range(4)]


# -- settings ------------------------------------------------------------------------------------


def policy(repo, branch, text):
    with repo.transaction(branch=branch) as change:
        change.policy = change.writer.blob(text.encode())
        return change.commit("Policy", operation="edit").oid


def test_policies_merge_by_key(pair):
    pair.on("topic")
    policy(pair.repo, "main", "[validate]\nfail-on = 'error'\n")
    policy(pair.repo, "topic", "frozen = ['val']\n[validate]\ntask = 'detection'\n")
    assert pair.merge().status == "merged"
    snapshot = pair.repo.snapshot(pair.repo.resolve("main"))
    assert snapshot.store.blob(snapshot.policy) == (
        b'frozen = ["val"]\n\n[validate]\nfail-on = "error"\ntask = "detection"\n'
    )


def test_a_setting_that_both_changed(pair):
    pair.on("topic")
    policy(pair.repo, "main", "frozen = ['a']\n")
    policy(pair.repo, "topic", "frozen = ['b']\n")
    pair.merge()
    assert pair.open() == [".#dvcs.toml:frozen"]
    pair.decide(".#dvcs.toml:frozen", choice="theirs")
    merging.go_on(pair.repo)
    snapshot = pair.repo.snapshot(pair.repo.resolve("main"))
    assert snapshot.store.blob(snapshot.policy) == b"frozen = ['b']\n"


# -- histories merged crosswise ------------------------------------------------------------------


def join(repo, one, other, branch, held):
    """Commit a merge of two commits by hand, with just these items."""
    with repo.transaction(branch=branch, base=one) as change:
        from tests.repository.scenes import put

        put(change, "a", *held)
        return change.commit("Joined", operation="merge", parents=(one, other)).oid


def crossed(pair, first, second):
    """Make two branches that have merged each other's past: main and topic, as given."""
    one = pair.on("main", item("1", box(0, id=1, label="dog")))
    other = pair.on("topic", item("2", box(0, id=2, label="dog")))
    join(pair.repo, one, other, "main", first)
    join(pair.repo, other, one, "topic", second)


def test_crosswise_merges_give_the_right_result(pair):
    both = [item(str(n), box(0, id=n, label="dog")) for n in (1, 2)]
    crossed(pair, both, both)
    pair.on("main", item("1", box(0, id=1, label="cow")))
    pair.on("topic", item("2", box(5, id=2, label="dog")))
    assert pair.merge().status == "merged"
    found = pair.contents()
    assert found["train/1"] == [box(0, id=1, label="cow")]
    assert found["train/2"] == [box(5, id=2, label="dog")]
    check_sound(pair.repo)


def test_what_bases_disagree_about_has_no_base(pair):
    one = pair.on("main", item("1", box(0, id=1, label="dog")))
    other = pair.on("topic", item("1", box(0, id=1, label="cow")))
    join(pair.repo, one, other, "main", [item("1", box(0, id=1, label="dog"))])
    join(pair.repo, other, one, "topic", [item("1", box(7, id=1, label="cow"))])
    pair.merge()
    ((conflict,),) = [place.conflicts for place in conflicts.load(pair.repo).open()]
    assert (conflict.key, conflict.base) == ("1.label", msgspec.UNSET)
    assert "base" not in conflict.allowed
    pair.decide(choice="ours")
    merging.go_on(pair.repo)
    assert pair.contents()["train/1"] == [box(7, id=1, label="dog")]


# -- working copies ------------------------------------------------------------------------------


def edited(folder, id, x):
    pets.edit(folder, lambda data: pets.note(data, id).update(bbox=[x, 30.5, 20.0, 10.0]))


@pytest.fixture
def tracked(tmp_path):
    """A repository with a working copy; topic moved the box of image 1, main that of image 2."""
    repo, folder = pets.tracked(tmp_path / "repo")
    first = repo.resolve("HEAD")
    edited(folder, 22, 31.0)
    worktree.commit(repo, message="ours")
    checkout.checkout(repo, first.hex(), create="topic")
    edited(folder, 12, 33.0)
    worktree.commit(repo, message="theirs")
    checkout.checkout(repo, "main")
    yield repo, folder
    repo.close()


def places(folder):
    import json

    data = json.loads((folder / pets.JSON).read_text())
    return {one["id"]: one["bbox"][0] for one in data["annotations"] if one["id"] % 10 == 2}


def test_clean_working_copies_become_what_was_merged(tracked):
    repo, folder = tracked
    before = pets.files(folder)
    assert places(folder) == {12: 30.0, 22: 31.0, 32: 30.0, 42: 30.0}
    done = merging.merge(repo, merging.Request(revision="topic"))
    assert done.status == "merged"
    assert places(folder) == {12: 33.0, 22: 31.0, 32: 30.0, 42: 30.0}
    assert worktree.status(repo).clean
    undo(repo)
    assert pets.files(folder) == before
    assert worktree.status(repo).clean


def test_working_copies_with_changes_refuse(tracked):
    repo, folder = tracked
    edited(folder, 32, 44.0)
    before = pets.files(folder), state(repo)
    with pytest.raises(DirtyWorkingCopy, match="pets/train/3"):
        merging.merge(repo, merging.Request(revision="topic"))
    assert pets.files(folder) == before[0]


def test_changes_of_a_source_that_theirs_left_alone_stay(tracked):
    repo, folder = tracked
    commit(repo, items(2), source="b", branch="other")
    repo.create_branch("more", repo.resolve("main"))
    commit(repo, items(3), source="c", branch="more")
    worktree_changes = 44.0
    edited(folder, 32, worktree_changes)
    assert merging.merge(repo, merging.Request(revision="more")).status == "fast-forward"
    done = merging.merge(repo, merging.Request(revision="other"))
    assert done.status == "merged"
    assert places(folder)[32] == worktree_changes
    (copy,) = worktree.status(repo).copies
    assert (copy.state, copy.behind) == ("changed", False)
    assert worktree.commit(repo, message="kept").changed


def test_conflicts_leave_working_copies_alone(tracked):
    repo, folder = tracked
    checkout.checkout(repo, "topic")
    edited(folder, 22, 25.0)
    worktree.commit(repo, message="a clash")
    checkout.checkout(repo, "main")
    before = pets.files(folder)
    done = merging.merge(repo, merging.Request(revision="topic"))
    assert (done.status, pets.files(folder)) == ("conflicts", before)
    merging.abort(repo)
    assert pets.files(folder) == before
    assert worktree.status(repo).clean
    merging.merge(repo, merging.Request(revision="topic"))
    conflicts.resolve(repo, Wanted(), "theirs")
    assert merging.go_on(repo).status == "merged"
    assert places(folder) == {12: 33.0, 22: 25.0, 32: 30.0, 42: 30.0}
    assert worktree.status(repo).clean


def test_a_fast_forward_brings_working_copies_along(tracked):
    repo, folder = tracked
    merging.merge(repo, merging.Request(revision="topic"))
    checkout.checkout(repo, "topic")
    done = merging.merge(repo, merging.Request(revision="main"))
    assert done.status == "fast-forward"
    assert places(folder)[22] == 31.0
    assert worktree.status(repo).clean


# -- killed in between ---------------------------------------------------------------------------


def do_merge(repo):
    merging.merge(repo, merging.Request(revision="topic"))


def do_go_on(repo):
    merging.go_on(repo)


@pytest.mark.skipif(not hasattr(os, "fork") or sys.platform == "win32", reason="forks")
@pytest.mark.parametrize("action", ["merge", "conflicts", "continue"])
def test_whoever_is_killed_leaves_a_repository_that_works(tracked, tmp_path, action):
    repo, folder = tracked
    if action != "merge":
        checkout.checkout(repo, "topic")
        edited(folder, 22, 25.0)
        worktree.commit(repo, message="a clash")
        checkout.checkout(repo, "main")
    if action == "continue":
        do_merge(repo)
        conflicts.resolve(repo, Wanted(), "theirs")
    ours, theirs = repo.resolve("main"), repo.resolve("topic")
    repo.close()
    at, outcomes = 0, set()
    while True:
        root = tmp_path / "copy"
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(tmp_path / "repo", root, symlinks=True)
        was_killed = killed(root, do_go_on if action == "continue" else do_merge, at)
        with Repository(root) as again:
            status = worktree.status(again)
            tip = again.resolve("main")
            outcomes.add((tip != ours, conflicts.is_under_way(again)))
            assert all(one.state == "clean" for one in status.copies)
            if tip != ours:
                assert again.store.commit(tip).parents == (ours, theirs)
                assert status.clean
            if conflicts.is_under_way(again):
                conflicts.resolve(again, Wanted(), "theirs")
                merging.go_on(again)
            elif tip == ours:
                done = merging.merge(again, merging.Request(revision="topic"))
                if done.status == "conflicts":
                    conflicts.resolve(again, Wanted(), "theirs")
                    merging.go_on(again)
            assert len(again.store.commit(again.resolve("main")).parents) == 2
            assert worktree.status(again).clean
            assert places(root / "pets")[12] == 33.0
            if at % 10 == 0:
                check_sound(again, warnings=True)
        if not was_killed:
            break
        at += 3
    assert at > 9
    expected = {
        "merge": {(False, False), (True, False)},
        "conflicts": {(False, False), (False, True)},
        "continue": {(False, True), (True, False)},
    }
    assert outcomes == expected[action]


@pytest.mark.parametrize(
    "how", [{"only": ("a",)}, {"squash": True}, {"fast_forward": False}, {"commit": False}]
)
def test_what_is_no_fast_forward_needs_a_commit_to_be_merged_with(repo, how):
    commit(repo, items(2))
    repo.move_head("refs/heads/new", "checkout new")
    with pytest.raises(UsageError, match="no commit here yet"):
        merging.merge(repo, merging.Request(revision="main", **how))
    assert repo.refs.head_commit() is None
    assert merging.merge(repo, merging.Request(revision="main")).status == "fast-forward"


def test_decisions_that_are_made_at_once_are_all_kept(repo):
    ids = [f"i{n}" for n in range(6)]
    scene = Branches(repo, [item(id, box(1, id=1)) for id in ids])
    scene.on("topic", *(item(id, box(5, id=1)) for id in ids))
    scene.on("main", *(item(id, box(9, id=1)) for id in ids))
    assert len(scene.merge().places) == len(ids)
    together = threading.Barrier(len(ids))

    def decide(id):
        with Repository(repo.root) as own:
            together.wait()
            conflicts.resolve(own, Wanted((f"a/train/{id}",)), "ours")

    threads = [threading.Thread(target=decide, args=(id,)) for id in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert conflicts.load(repo).open() == ()
