"""Merging revisions by vote: what comes of it, failed votes as conflicts, branches that move on."""

import json
import os
import sys
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dvcs.errors import RepositoryError, RevisionNotFound, UnknownName, UsageError
from dvcs.merge import Conflict
from dvcs.model import Bbox, Caption, Category, Dataset, Item, Label, Labels, Mask, Polygon
from dvcs.objects.items import is_canonical
from dvcs.repository import Repository
from dvcs.repository.editing import set_items
from dvcs.repository.gc import collect
from dvcs.repository.merges import conflicts, merging
from dvcs.repository.merges.conflicts import Wanted
from dvcs.repository.message import parse
from dvcs.repository.undo import undo
from dvcs.repository.votes import voting
from dvcs.repository.votes.datasets import vote_datasets
from dvcs.repository.votes.plan import MAJORITY
from dvcs.repository.votes.rows import Removals, gathered
from dvcs.repository.working import checkout, copies, worktree
from dvcs.vote import Options, parse_group
from tests.repository import pets
from tests.repository.scenes import check_sound, commit, contents, items, killed, state

WHO = ("ann", "bob", "eve")


def box(x=0.0, label="cat", **fields):
    return Bbox(x=float(x), y=0.0, w=20.0, h=10.0, label=label, **fields)


def item(id, *notes, subset="train", **fields):
    return Item(id=id, subset=subset, annotations=list(notes), **fields)


def plain(note):
    """Return an annotation without the agreement, so that it can be compared."""
    attributes = {name: one for name, one in note.attributes.items() if name != "agreement"}
    return note.with_(attributes=attributes)


class Annotators:
    """A repository with a commit on main, and a branch for each annotator."""

    def __init__(self, repo, held, labels=("cat", "dog")):
        self.repo = repo
        self.root = commit(repo, held, labels=labels)
        for name in WHO:
            repo.create_branch(name, self.root)
        with copies.locked(repo):
            pass  # from then on there is a file for that

    def on(self, branch, *held, remove=()):
        return set_items(
            self.repo, "a", held, remove=remove, message=f"On {branch}", branch=branch
        ).oid

    def each(self, id, *notes):
        """Have each annotator say something of an item: a list of annotations."""
        return [self.on(name, item(id, *held)) for name, held in zip(WHO, notes, strict=True)]

    def vote(self, *revisions, options=None, **how):
        options = Options(quorum=MAJORITY) if options is None else options
        return voting.vote(
            self.repo, voting.Request(revisions=revisions or WHO, options=options, **how)
        )

    def contents(self, revision="main"):
        return {
            f"{subset}/{id}": notes
            for (_, subset, id), notes in contents(self.repo, revision).items()
        }

    def plain(self, place, revision="main"):
        return [plain(note) for note in self.contents(revision)[place]]

    def open(self):
        """Return the names of open conflicts."""
        return [
            f"{place.name}#{one.key}"
            for place in conflicts.load(self.repo).open()
            for one in place.conflicts
        ]

    def decide(self, *names, choice="union", value=None):
        return conflicts.resolve(self.repo, Wanted(names), choice, value)


def kinds(done):
    """Return the findings of a vote: kind, item, voters."""
    return sorted(
        (one.kind, f"{one.subset}/{one.id}", one.voters)
        for source in done.votes.sources
        for one in source.findings
    )


@pytest.fixture
def three(repo) -> Annotators:
    """Items 1, 2 and 3 with a box of a cat each."""
    return Annotators(repo, [item(str(n), box(id=n)) for n in (1, 2, 3)])


@pytest.fixture
def split(three) -> Annotators:
    """Eve alone draws a dog on item 1; all three gave item 2 a label of their own."""
    three.each("1", [box(1, id=1)], [box(1, id=1)], [box(1, id=1), box(90, "dog", id=9)])
    three.each("2", [box(id=2)], [box(id=2, label="dog")], [box(id=2, label="cow")])
    return three


# -- one commit ----------------------------------------------------------------------------------


def test_votes_become_one_commit_of_all_parents(three):
    tips = three.each("1", [box(1, id=1)], [box(2, id=1)], [box(3, "dog", id=1)])
    done = three.vote()
    assert done.status == "merged"
    made = three.repo.store.commit(done.commit)
    assert made.parents == (three.root, *tips)
    said = parse(made.message)
    assert (said.operation, said.subject) == ("merge", "Merge ann, bob and eve by vote")
    assert said.arguments == {
        "strategy": "vote",
        "voters": {name: tip.hex() for name, tip in zip(WHO, tips, strict=True)},
    }
    (kept,) = three.contents()["train/1"]
    assert (kept.x, kept.label, kept.id) == (2.0, "cat", 1)
    assert 0.5 < kept.attributes["agreement"] < 2 / 3
    assert not conflicts.is_under_way(three.repo)
    assert three.vote().status == "up to date"
    check_sound(three.repo)


def test_what_no_voter_changed_stays_as_it_is_and_is_not_read(three, monkeypatch):
    from dvcs.repository.votes import sources as voting_sources

    three.each("1", [box(1, id=1)], [box(1, id=1)], [box(1, id=1)])
    read = []
    original = voting_sources.decode_item
    monkeypatch.setattr(
        voting_sources, "decode_item", lambda *a, **k: read.append(a[1]) or original(*a, **k)
    )
    done = three.vote()
    assert three.contents() == {
        "train/1": [box(1, id=1, attributes={"agreement": 1.0})],
        "train/2": [box(id=2)],
        "train/3": [box(id=3)],
    }
    assert [id for id in read if id] == ["1", "1", "1"]  # some are asked what ids mean
    (source,) = done.votes.sources
    assert (source.items, source.untouched, source.findings) == (1, 2, [])


def test_head_votes_only_if_it_is_named(three):
    three.on("main", item("1", box(4, "dog", id=1)))
    three.on("ann", item("1", box(4, "dog", id=1)))
    three.on("bob", item("1", box(4, "cat", id=1)))
    drop = Options(quorum=2, failed="drop")
    done = three.vote("HEAD", "ann", "bob", options=drop)
    assert [one.name for one in done.votes.seats] == ["HEAD", "ann", "bob"]
    (kept,) = three.contents()["train/1"]
    assert (kept.label, kept.attributes["agreement"]) == ("dog", pytest.approx(2 / 3, abs=1e-3))


def test_our_side_is_outvoted_where_it_votes(three):
    three.on("main", item("1", box(4, "dog", id=1)))
    three.on("ann", item("1", box(1, "cat", id=1)))
    three.on("bob", item("1", box(1, "cat", id=1)))
    assert three.vote("ann", "main", "bob").status == "merged"
    assert three.plain("train/1") == [box(1, "cat", id=1)]


def test_the_first_of_equals_is_our_side_where_it_votes(three):
    three.on("main", item("1", box(4, id=7)))
    three.on("ann", item("1", box(4, id=8)))
    three.vote("ann", "HEAD")
    assert three.plain("train/1") == [box(4, id=7)]


def test_no_parent_is_there_twice_or_through_another(three):
    tip = three.on("ann", item("1", box(1, id=1)))
    three.repo.create_branch("later", tip)
    later = three.on("later", item("1", box(2, id=1)))
    done = three.vote("ann", "later", "bob", "HEAD~0")
    assert three.repo.store.commit(done.commit).parents == (three.root, later)


def test_another_branch_gets_the_votes(three):
    three.each("1", [box(1, id=1)], [box(1, id=1)], [box(1, id=1)])
    three.repo.create_branch("release", three.root)
    done = three.vote(into="release", message="All of us")
    assert done.branch == "release"
    assert parse(three.repo.store.commit(done.commit).message).subject == "All of us"
    assert three.contents("main")["train/1"] == [box(id=1)]
    assert three.plain("train/1", "release") == [box(1, id=1)]


def test_a_part_has_one_parent(three):
    three.each("1", [box(1, id=1)], [box(1, id=1)], [box(1, id=1)])
    three.each("2", [box(2, id=2)], [box(2, id=2)], [box(2, id=2)])
    done = three.vote(only=("a/train/2",))
    assert three.repo.store.commit(done.commit).parents == (three.root,)
    assert three.contents()["train/1"] == [box(id=1)]
    assert three.plain("train/2") == [box(2, id=2)]


def test_one_source_may_be_named(three):
    commit(three.repo, items(2), source="b", branch="ann")
    three.each("1", [box(1, id=1)], [box(1, id=1)], [box(1, id=1)])
    done = three.vote("ann:a", "bob:a", "eve:a")
    assert [one.name for one in done.votes.seats] == list(WHO)
    assert set(three.repo.snapshot(done.commit).sources) == {"a"}
    with pytest.raises(UsageError, match="different sources"):
        three.vote("ann:a", "bob")


# -- what is voted -------------------------------------------------------------------------------


def test_an_item_that_some_were_not_given_is_told_and_voted_by_the_others(three):
    new = item("4", box(5, id=4))
    three.on("ann", new)
    three.on("bob", new)
    done = three.vote(options=Options(quorum=3))
    assert done.status == "merged"
    assert three.plain("train/4") == [box(5, id=4)]
    assert kinds(done) == [("missing-item", "train/4", ("eve",))]


def test_an_item_that_nobody_annotated_there_votes_for_nothing(three):
    three.each("1", [box(1, id=1)], [box(1, id=1)], [])
    three.on("eve", item("1", annotated=False))
    assert three.vote(options=Options(quorum=1.0)).status == "merged"
    (kept,) = three.contents()["train/1"]
    assert kept.attributes == {"agreement": 1.0}


def test_an_item_that_most_moved_is_in_their_subset(three):
    moved = item("1", box(1, id=1), subset="val")
    for name in ("bob", "eve"):
        three.on(name, moved, remove=[("train", "1")])
    three.on("ann", item("1", box(1, id=1)))
    done = three.vote()
    assert {place for place in three.contents() if place.endswith("/1")} == {"val/1"}
    assert kinds(done) == []


def test_an_item_that_all_removed_is_gone_and_one_that_some_removed_is_told(three):
    for name in WHO:
        three.on(name, remove=[("train", "1")])
    three.on("eve", remove=[("train", "2")])
    done = three.vote()
    assert set(three.contents()) == {"train/2", "train/3"}
    assert kinds(done) == [
        ("deleted-item", "train/1", WHO),
        ("deleted-item", "train/2", ("eve",)),
    ]
    assert [one.outcome for one in done.votes.sources[0].findings] == ["dropped", "kept"]
    three.on("ann", item("1", box(1, id=1)))
    three.vote()
    assert three.plain("train/1") == [box(1, id=1)]


def test_an_item_that_most_removed_is_asked_about_and_who_did_is_named(three):
    for name in ("ann", "eve"):
        three.on(name, remove=[("train", "2")])
    three.on("bob", item("2", box(5, id=2), box(60, id=7)))
    done = three.vote()
    assert kinds(done) == [("deleted-item", "train/2", ("ann", "eve"))]
    assert three.open() == ["a/train/2#presence"]  # and nothing of what is in it
    (place,) = done.places
    (found,) = place.conflicts
    assert (found.have, found.lack) == (("bob",), ("ann", "eve"))
    assert found.summary == "an item removed by some, kept by fewer than the quorum"
    (plain,) = conflicts.report(done.places)[0]["conflicts"]
    assert (plain["have"], plain["lack"]) == (("bob",), ("ann", "eve"))
    three.decide("a/train/2", choice="union")
    done = merging.go_on(three.repo)
    assert done.status == "merged"
    assert three.plain("train/2") == [box(5, id=2), box(60, id=7)]


@pytest.mark.parametrize(
    ("choice", "stays"), [("ours", False), ("theirs", True), ("base", False), ("union", True)]
)
def test_what_was_decided_about_a_removed_item_is_done(three, choice, stays):
    for name in ("ann", "eve"):
        three.on(name, remove=[("train", "2")])
    three.on("bob", item("2", box(5, id=2)))
    three.vote()
    three.decide("a/train/2#presence", choice=choice)
    assert merging.go_on(three.repo).status == "merged"
    assert ("train/2" in three.contents()) == stays
    check_sound(three.repo, warnings=True)


@pytest.mark.parametrize(
    ("options", "stays"),
    [
        (Options(quorum=MAJORITY, removed="drop"), False),
        (Options(quorum=MAJORITY, removed="keep"), True),
        (Options(quorum=1, removed="drop"), True),
        (Options(quorum=None, removed="drop"), True),
        (Options(quorum=None), True),
        (Options(quorum=2, failed="keep", removed="drop"), False),
        (Options(quorum=2, failed="drop"), True),  # nothing goes unasked
        (Options(quorum=2, failed="keep"), True),
    ],
)
def test_a_removed_item_needs_a_quorum_as_an_annotation_does(three, options, stays):
    for name in ("bob", "eve"):
        three.on(name, remove=[("train", "2")])
    assert three.vote(options=options).status == "merged"
    assert ("train/2" in three.contents()) == stays


def test_removals_are_asked_about_though_failed_votes_are_dropped_where_that_is_said(three):
    for name in ("bob", "eve"):
        three.on(name, remove=[("train", "2")])
    three.each("1", [box(1, id=1)], [box(1, id=1)], [box(1, id=1), box(90, "dog", id=9)])
    three.vote(options=Options(quorum=2, failed="drop", removed="conflict"))
    assert three.open() == ["a/train/2#presence"]


def shared_out(three):
    """Cut branches to what each is to do: ann has 1 and 2, bob 2 and 3; both have done it."""
    three.on("ann", item("1", box(1, id=1)), item("2", box(5, id=2)), remove=[("train", "3")])
    three.on("bob", item("3", box(3, id=3)), item("2", box(5, id=2)), remove=[("train", "1")])


@pytest.mark.parametrize(
    "options",
    [
        Options(quorum=2, failed="drop"),
        Options(quorum=2, failed="keep"),
        Options(quorum=2, removed="keep"),
    ],
)
def test_what_was_shared_out_by_removing_the_rest_is_all_there_again(three, options):
    shared_out(three)
    done = three.vote("ann", "bob", options=options)
    assert done.status == "merged"
    assert {place: [note.x for note in notes] for place, notes in three.contents().items()} == {
        "train/1": [1.0],
        "train/2": [5.0],
        "train/3": [3.0],
    }
    assert kinds(done) == [
        ("deleted-item", "train/1", ("bob",)),
        ("deleted-item", "train/3", ("ann",)),
    ]
    assert done.votes.report()["removed"] == "keep"


def test_what_was_shared_out_is_asked_about_by_default(three):
    shared_out(three)
    done = three.vote("ann", "bob")
    assert done.votes.report()["removed"] == "conflict"
    assert three.open() == ["a/train/1#presence", "a/train/3#presence"]


def test_the_share_of_who_does_not_vote_yet_is_left_alone(three):
    shared_out(three)
    for name in ("ann", "bob"):
        three.on(name, remove=[("train", "2")])
    three.on("ann", item("1", box(1, id=1), box(60, id=2)))
    done = three.vote("ann", "bob", options=Options(quorum=2, removed="keep"))
    assert kinds(done)[1] == ("deleted-item", "train/2", ("ann", "bob"))
    assert {one.outcome for one in done.votes.sources[0].findings} == {"kept"}
    ids = {place: [note.id for note in notes] for place, notes in three.contents().items()}
    assert (ids["train/2"], ids["train/3"]) == ([2], [3])
    assert len({id for held in ids.values() for id in held}) == 4
    three.on("eve", item("2", box(7, id=2)), remove=[("train", "1"), ("train", "3")])
    assert three.vote("HEAD", "eve", options=Options(removed="keep")).status == "merged"
    assert {place: len(notes) for place, notes in three.contents().items()} == {
        "train/1": 2,
        "train/2": 2,  # neither box is most of it
        "train/3": 1,
    }
    check_sound(three.repo)


SUBSETS = st.sets(st.sampled_from(["train", "val", "test"]))
THREE = st.lists(SUBSETS, min_size=3, max_size=3)


@given(now=THREE, past=THREE | SUBSETS.map(lambda one: [one] * 3), order=st.permutations(range(3)))
def test_who_is_named_first_does_not_matter_for_removals(now, past, order):
    def removed(order):
        held = [{(subset, b"1"): b"" for subset in now[voter]} for voter in order]
        had = [[{(subset, b"1"): b"" for subset in past[voter]}] for voter in order]
        rows = gathered(held)
        found = Removals(rows, held, had)
        told = {
            (frozenset((voter, at) for voter, at in zip(order, row.at, strict=True) if at)): {
                order[n] for n in found.of(row)
            }
            for row in rows
        }
        return told, {place: {order[n] for n in who} for place, _, who in found.by_all()}

    assert removed(order) == removed(range(3))


def test_what_all_removed_is_told_also_where_the_id_is_another_items():
    def removed(now, past):
        held = [{(subset, b"1"): b"" for subset in one} for one in now]
        had = [[{(subset, b"1"): b"" for subset in one}] for one in past]
        found = Removals(gathered(held), held, had).by_all()
        return {place[0]: voters for place, _, voters in found}

    train, both = ["train"], ["train", "val"]
    assert removed([[], []], [train, train]) == {"train": [0, 1]}
    assert removed([[], []], [train, []]) == {"train": [0]}
    assert removed([["val"], ["val"]], [both, both]) == {"train": [0, 1]}
    assert removed([["val"], ["val"]], [train, train]) == {}  # moved
    assert removed([["val"], []], [train, train]) == {}
    assert removed([["val"], []], [["val"], train]) == {}  # counts as removed there, by its id
    assert removed([train, []], [train, train]) == {}


def test_how_removals_count_survives_a_restart_and_is_in_the_commit(three):
    shared_out(three)
    assert three.vote("ann", "bob", commit=False, options=Options(removed="keep")).status == "ready"
    made = merging.go_on(three.repo)
    said = parse(three.repo.store.commit(made.commit).message)
    assert said.arguments["removed"] == "keep"
    assert len(three.contents()) == 3


@pytest.mark.parametrize("order", list(permutations(WHO)))
def test_an_item_that_one_moved_and_two_removed_is_asked_about(three, order):
    three.on("ann", item("1", box(id=1), subset="val"), remove=[("train", "1")])
    for name in ("bob", "eve"):
        three.on(name, remove=[("train", "1")])
    done = three.vote(*order, options=Options(quorum=2))
    removed = tuple(name for name in order if name != "ann")
    assert kinds(done) == [("deleted-item", "val/1", removed)]
    assert three.open() == ["a/val/1#presence"]
    three.decide("a/val/1", choice="union")
    merging.go_on(three.repo)
    assert {place for place in three.contents() if place.endswith("/1")} == {"val/1"}


@pytest.mark.parametrize("order", list(permutations(WHO)))
def test_a_removal_counts_in_whatever_order_others_moved_or_kept_the_item(three, order):
    three.on("ann", item("1", box(id=1), subset="val"), remove=[("train", "1")])
    three.on("bob", remove=[("train", "1")])
    three.on("eve", item("1", box(1, id=1)))
    done = three.vote(*order, options=Options(quorum=3))
    assert [(kind, voters) for kind, _, voters in kinds(done)] == [("deleted-item", ("bob",))]
    assert [one.rpartition("#")[2] for one in three.open()] == ["presence"]


def test_a_removal_counts_where_all_others_moved_the_item(three):
    """Also where another item has the id, and where voters started from different commits."""
    three.on("main", item("1", box(9, id=9), subset="test"))
    for name in WHO:
        merging.merge(three.repo, merging.Request(revision="main", into=name))
    three.on("main", item("2", box(9, id=2)))
    merging.merge(three.repo, merging.Request(revision="main", into="eve"))
    for name in ("ann", "eve"):
        three.on(name, item("1", box(id=1), subset="val"), remove=[("train", "1")])
    three.on("bob", remove=[("train", "1")])
    done = three.vote(options=Options(quorum=3))
    assert kinds(done) == [("deleted-item", "val/1", ("bob",))]
    assert three.open() == ["a/val/1#presence"]


def test_who_removed_what_is_found_by_place_by_origin_and_by_a_single_id():
    def removed(now, past):
        held = [{(subset, b"1"): b"" for subset in one} for one in now]
        had = [[{(subset, b"1"): b"" for subset in one}] for one in past]
        rows = gathered(held)
        found = Removals(rows, held, had)
        return {row.place[0]: sorted(found.of(row)) for row in rows}

    train, both = ["train"], ["train", "val"]
    assert removed([train, []], [train, train]) == {"train": [1]}
    assert removed([["val"], []], [train, train]) == {"val": [1]}
    assert removed([train, []], [train, []]) == {"train": []}
    # Where pasts differ, an id is the same item if nobody has it twice.
    assert removed([["val"], []], [["val"], train]) == {"val": [1]}
    assert removed([both, []], [both, train]) == {"train": [1], "val": []}
    # Another item of that id is there, and not concerned.
    assert removed([["test", "val"], ["test"], ["test", "val"]], [["test", "train"]] * 3) == {
        "test": [],
        "val": [1],
    }
    assert removed([both, ["val"]], [both, both]) == {"train": [1], "val": []}
    assert removed([["val"], ["train"], []], [train, train, both]) == {"val": [2]}


def test_a_removal_on_our_side_counts_where_it_votes(three):
    three.on("main", remove=[("train", "1")])
    three.on("ann", item("1", box(5, id=1)))
    done = three.vote("main", "ann", "eve", options=Options(quorum=2))
    assert done.status == "merged"  # two of three have it
    assert kinds(done) == [("deleted-item", "train/1", ("main",))]
    assert "train/1" in three.contents()


@pytest.mark.parametrize("order", [("main", "ann", "eve"), ("eve", "main", "ann")])
def test_what_our_side_removed_does_not_come_back_unasked(three, order):
    three.on("main", remove=[("train", "1")])
    three.on("ann", item("1", box(5, id=1)))
    done = three.vote(*order, options=Options(quorum=3))
    assert kinds(done) == [("deleted-item", "train/1", ("main",))]
    assert three.open() == ["a/train/1#presence"]
    (place,) = done.places
    assert place.conflicts[0].lack == ("main",)
    three.decide("a/train/1", choice="ours")
    merging.go_on(three.repo)
    assert set(three.contents()) == {"train/2", "train/3"}


def test_what_our_side_removed_and_nobody_changed_stays_away(three):
    three.on("main", remove=[("train", "1")])
    three.on("ann", item("2", box(5, id=2)))
    done = three.vote("ann", "main", "eve", options=Options(quorum=2))
    assert kinds(done) == []
    assert set(three.contents()) == {"train/2", "train/3"}


def test_our_side_was_not_given_what_came_later(three):
    """Neither what only others have, nor what is in the past of another, later voter."""
    three.on("ann", item("4", box(id=4)))
    three.repo.create_branch("old", three.root)
    three.on("main", item("5", box(id=5)))
    merging.merge(three.repo, merging.Request(revision="main", into="eve"))
    three.on("eve", item("5", box(1, id=5)))
    done = three.vote("old", "ann", "eve", options=Options(quorum=1))
    assert kinds(done) == [
        ("missing-item", "train/4", ("old", "eve")),
        ("missing-item", "train/5", ("old", "ann")),
    ]


def test_the_whole_name_of_a_conflict_means_that_one_only():
    keys = ("presence", "presence.label", "7.label", "7.presence")
    found = tuple(Conflict(key=one, kind="vote", field="label") for one in keys)
    place = conflicts.Place(source="a", subset="train", id="1", conflicts=found)

    def meant(name):
        return [one.key for one in found if Wanted((name,)).means(place, one)]

    assert meant("a/train/1#presence") == ["presence"]
    assert meant("a/train/1#7") == ["7.label", "7.presence"]
    assert meant("a/train/1") == list(keys)


def test_an_annotation_called_as_a_conflict_of_the_item_is_decided_by_itself(three):
    three.on("ann", item("1", box(id=1), box(90, id="item"), box(200, id="presence")))
    three.on("ann", item("2", box(5, id="item"), box(90, "dog", id="presence")))
    for name in ("bob", "eve"):
        three.on(name, remove=[("train", "2")])
    done = three.vote(options=Options(quorum=2))
    assert three.open() == [
        "a/train/1#item.presence",
        "a/train/1#presence.presence",
        "a/train/2#presence",
    ]
    assert [one.summary for place in done.places for one in place.conflicts] == [
        "drawn by fewer than the quorum",
        "drawn by fewer than the quorum",
        "an item removed by some, kept by fewer than the quorum",
    ]
    three.decide("a/train/1#item", choice="base")
    three.decide("a/train/1#presence", choice="union")
    three.decide("a/train/2#presence", choice="union")
    merging.go_on(three.repo)
    assert [note.id for note in three.plain("train/1")] == [1, "presence"]
    assert [note.id for note in three.plain("train/2")] == ["item", "presence"]


def test_conflicts_of_a_vote_name_who_has_it_and_who_lacks_it(split):
    split.on("ann", item("3", annotated=False))
    split.on("bob", item("3", box(3, id=3)))
    split.on("eve", item("3"))
    done = split.vote()
    told = {
        f"{place.id}#{one.key}": (one.have, one.lack)
        for place in done.places
        for one in place.conflicts
    }
    assert told == {
        "1#v3-9.presence": (("eve",), ("ann", "bob")),
        "2#2.label": (("ann", "bob", "eve"), ()),
        "3#v2-3.presence": (("bob",), ("eve",)),  # ann did not look
    }


def test_items_of_one_id_in_several_subsets_are_several():
    rows = gathered(
        [
            [("train", b"1"), ("val", b"1"), ("train", b"2")],
            [("test", b"1"), ("val", b"2")],
            [("val", b"2")],
        ]
    )
    assert rows == [
        (("test", b"1"), (None, ("test", b"1"), None)),
        (("train", b"1"), (("train", b"1"), None, None)),
        (("val", b"1"), (("val", b"1"), None, None)),
        (("val", b"2"), (("train", b"2"), ("val", b"2"), ("val", b"2"))),
    ]


def test_ids_that_count_within_an_item_stay(three):
    """As formats have it that number the objects of each image from 1."""
    for n in (1, 2, 3):
        notes = [box(id=1), box(50, id=2)]
        three.each(str(n), notes, notes, notes)
    done = three.vote()
    assert {note.id for notes in three.contents().values() for note in notes} == {1, 2}
    assert done.votes.sources[0].renumbered == 0


def test_all_that_voters_have_alike_stays_canonical(three):
    notes = [
        box(1, id=1, attributes={"n": 1, "share": 0.5, "tags": ["a"], "-": -0.0}),
        Polygon(parts=[[[0.0, 0.0, 8.0, 0.0, 8.0, 8.0]]], label="dog", id=2, group=1),
        Mask(size=(4, 4), counts="04L", label="dog", id=3, group=1),
        Label(label="cat", id=4),
        Caption(caption="two pets", id=5),
    ]
    three.each("1", notes, notes, notes)
    done = three.vote()
    assert three.plain("train/1") == notes
    snapshot = three.repo.snapshot(done.commit)
    assert is_canonical(snapshot.blobs(snapshot.find("a", "train", "1") or b""))


def test_sources_of_one_voter_only_are_taken_over(three):
    three.each("1", [box(1, id=1)], [box(1, id=1)], [box(1, id=1)])
    commit(three.repo, items(2), source="b", branch="ann")
    done = three.vote()
    assert {name: one.absent for name in "ab" for one in done.votes.sources if one.source == name}
    assert [(one.source, one.absent) for one in done.votes.sources] == [
        ("a", ()),
        ("b", ("bob", "eve")),
    ]
    assert set(three.repo.snapshot(done.commit).sources) == {"a", "b"}


def test_ids_that_two_annotators_gave_to_other_things_are_kept_apart(three):
    three.on("ann", item("1", box(id=1), box(50, id=10)))
    three.on("bob", item("2", box(id=2), box(60, id=10)))
    three.on("eve", item("3", box(id=3), box(70, id=10)))
    done = three.vote(options=Options(quorum=None))
    ids = [note.id for notes in three.contents().values() for note in notes]
    assert sorted(ids) == [1, 2, 3, 10, 11, 12]
    assert done.votes.sources[0].renumbered == 2


def test_new_ids_are_those_of_nothing_else(three):
    """The item with the highest id of all is one that nobody touched."""
    three.on("main", item("3", box(id=3), box(300, id=70)))
    for name in WHO:
        merging.merge(three.repo, merging.Request(revision="main", into=name))
    three.on("ann", item("1", box(id=1), box(50, id=10)))
    three.on("bob", item("1", box(id=1), box(100, id=10)))
    three.on("eve", item("2", box(id=2), box(70, id=10)))
    three.vote(options=Options(quorum=None))
    ids = [note.id for notes in three.contents().values() for note in notes]
    assert sorted(ids) == [1, 2, 3, 10, 70, 71, 72]


def test_tracks_are_the_same_objects_in_all_frames(three):
    def frame(n, *tracks):
        return item(f"clip/{n}", *(box(40 * x, id=0, track=track) for x, track in tracks))

    three.on("ann", frame(1, (0, 1)), frame(2, (0, 1), (2, 2)))
    three.on("bob", frame(1, (0, 7), (2, 8)), frame(2, (0, 7), (2, 8)))
    three.vote("ann", "bob", options=Options(quorum=None))
    tracks = {
        place: {note.x: note.track for note in notes}
        for place, notes in three.contents().items()
        if "clip" in place
    }
    assert tracks == {
        "train/clip/1": {0.0: 1, 80.0: 2},
        "train/clip/2": {0.0: 1, 80.0: 2},
    }


def test_labels_are_united_by_key(three):
    renamed = Labels([Category(name="kitten", key="cat"), Category(name="dog")])
    for name in WHO:
        with three.repo.transaction(branch=name) as change:
            change.set_labels("a", renamed)
            change.commit("Rename", operation="edit")
    three.each(
        "1",
        [box(1, "kitten", id=1)],
        [box(1, "dog", id=1)],
        [box(1, "cow", id=1)],
    )
    assert three.vote().status == "conflicts"
    (place,) = conflicts.load(three.repo).open()
    (one,) = place.conflicts
    assert (one.ours, one.theirs) == ({"ann": "kitten"}, {"bob": "dog", "eve": "cow"})
    with pytest.raises(UsageError, match="no label is called 'cat'"):
        three.decide(choice="value", value="cat")
    three.decide(choice="value", value="kitten")
    merging.go_on(three.repo)
    assert three.plain("train/1") == [box(1, "kitten", id=1)]
    assert three.repo.snapshot(three.repo.resolve()).labels("a").names == ("kitten", "dog", "cow")


# -- options -------------------------------------------------------------------------------------


def test_weights_decide_between_labels(three):
    three.each("1", [box(1, id=1)], [box(1, "dog", id=1)], [box(1, "dog", id=1)])
    three.vote(options=Options(quorum=1, weights={"ann": 3.0}))
    assert three.plain("train/1") == [box(1, "cat", id=1)]


@pytest.mark.parametrize(("quorum", "left"), [(None, 2), (2, 1), (0.5, 1), (MAJORITY, 1), (3, 0)])
def test_a_quorum_is_a_count_or_a_share(three, quorum, left):
    three.each("1", [box(1, id=1)], [box(1, id=1)], [box(50, "dog", id=1)])
    three.vote(options=Options(quorum=quorum, failed="drop"))
    assert len(three.contents()["train/1"]) == left


def policy(three, text, branch="main"):
    with three.repo.transaction(branch=branch) as change:
        change.policy = change.writer.blob(text.encode())
        return change.commit("Policy", operation="edit").oid


def test_the_policy_has_thresholds_of_labels(three):
    policy(three, "[merge.iou]\ncat = 0.9\nzebra = 0.2\n")
    three.each("1", [box(1, id=1)], [box(4, id=1)], [box(8, "dog", id=1)])
    done = three.vote(options=Options(quorum=None))
    assert len(three.contents()["train/1"]) == 3
    assert done.votes.report()["label_iou"] == {"cat": 0.9, "zebra": 0.2}


def test_what_all_voters_changed_in_the_policy_is_taken(three):
    for name in WHO:
        policy(three, "licence = false\n", branch=name)
    done = three.vote()
    blob = three.repo.snapshot(done.commit).policy
    assert three.repo.store.blob(blob) == b"licence = false\n"


def test_groups_are_checked_in_the_result(three):
    pair = [box(1, id=1, group=1), box(50, "dog", id=4, group=1)]
    three.each("1", pair, pair, [box(1, id=1)])
    done = three.vote(options=Options(quorum=2, groups=(parse_group("cat,dog"),)))
    assert [one for one in kinds(done) if one[0] == "wrong-group"] == []
    three.each("2", [box(2, id=2)], [box(2, id=2)], [box(2, id=2)])
    done = three.vote(options=Options(quorum=2, groups=(parse_group("cat,dog"),)))
    (found,) = [one for one in done.votes.sources[0].findings if one.kind == "wrong-group"]
    assert (found.id, found.missing) == ("2", ("dog",))


@pytest.mark.parametrize(
    ("revisions", "options", "error", "told"),
    [
        (("ann",), {}, UsageError, "two revisions or more"),
        (("ann", "ann"), {}, UsageError, "'ann' votes twice"),
        (("ann", "nobody"), {}, RevisionNotFound, "nobody"),
        (("ann", "bob"), {"weights": {"eve": 2.0}}, UnknownName, "eve"),
        (("ann", "bob"), {"groups": (parse_group("zebra,horse"),)}, UnknownName, "zebra"),
        (("ann", "bob"), {"quorum": 1.5}, UsageError, "quorum"),
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(three, revisions, options, error, told):
    three.each("1", [box(1, id=1)], [box(2, id=1)], [box(3, id=1)])
    before = state(three.repo)
    with pytest.raises(error, match=told):
        three.vote(*revisions, options=Options(**options))
    assert state(three.repo) == before


def test_a_revision_of_another_history_is_refused_unless_allowed(three, tmp_path):
    with Repository.init(tmp_path / "other") as other:
        commit(other, [item("1", box(1, id=1))], labels=("cat",))
        blobs = other.store.commit(other.resolve())
        with three.repo.store.writer() as writer:
            from dvcs.objects.gitobjects import Commit

            oid = writer.commit(
                Commit(three.repo.tree_of(three.root), (), blobs.author, blobs.committer, "Alone")
            )
            writer.publish()
    three.repo.create_branch("alien", oid)
    three.on("ann", item("1", box(1, id=1)))
    with pytest.raises(RepositoryError, match="'alien' has no common history"):
        three.vote("ann", "alien")
    assert three.vote("ann", "alien", allow_unrelated=True).status == "merged"


# -- failed votes --------------------------------------------------------------------------------


def test_failed_votes_are_conflicts_until_they_are_decided(split):
    before = split.contents()
    done = split.vote()
    assert done.status == "conflicts"
    assert split.contents() == before
    assert kinds(done) == [
        ("failed-annotation", "train/1", ("ann", "bob")),
        ("failed-label", "train/2", ("ann", "bob", "eve")),
    ]
    split.repo.close()
    with Repository(split.repo.root) as again:  # as after a restart
        split.repo = again
        assert split.open() == ["a/train/1#v3-9.presence", "a/train/2#2.label"]
        with pytest.raises(RepositoryError, match="a merge of 'ann, bob and eve' is under way"):
            split.vote()
        assert merging.go_on(again).status == "conflicts"
        split.decide("a/train/1", choice="union")
        split.decide("a/train/2#2.label", choice="value", value="dog")
        assert split.open() == []
        made = merging.go_on(again, message="Decided")
        assert len(again.store.commit(made.commit).parents) == 4
        assert split.plain("train/1") == [box(1, id=1), box(90, "dog", id=9)]
        assert split.plain("train/2") == [box(id=2, label="dog")]
        check_sound(again)


def test_a_choice_against_it_leaves_it_out(split):
    split.vote()
    split.decide("a/train/1", choice="base")
    split.decide("a/train/2", choice="ours")
    merging.go_on(split.repo)
    assert split.plain("train/1") == [box(1, id=1)]
    assert split.plain("train/2") == [box(id=2)]


@pytest.mark.parametrize(("failed", "left"), [("drop", (1, 0)), ("keep", (2, 1))])
def test_failed_votes_can_be_dropped_or_kept_at_once(split, failed, left):
    done = split.vote(options=Options(quorum=2, failed=failed))
    assert done.status == "merged"
    assert (len(split.plain("train/1")), len(split.plain("train/2"))) == left


def test_given_up_all_is_as_it_was(split):
    before = split.contents(), dict(split.repo.refs.all())
    split.vote()
    assert dict(split.repo.refs.all()) != before[1]
    merging.abort(split.repo)
    assert (split.contents(), dict(split.repo.refs.all())) == before
    assert not conflicts.is_under_way(split.repo)


def test_undo_takes_it_back_and_it_can_go_on(split):
    split.vote()
    split.decide("a/train/1", choice="union")
    split.decide("a/train/2", choice="ours")
    merging.go_on(split.repo)
    undo(split.repo)
    assert split.contents()["train/1"] == [box(id=1)]
    assert merging.go_on(split.repo).status == "merged"
    assert len(split.plain("train/1")) == 2


def test_voters_are_held_while_the_merge_is_under_way(split):
    split.vote()
    for name in WHO:
        with split.repo.transaction(branch=name) as change:
            change.commit("Gone", operation="edit", parents=(split.root,), allow_empty=True)
    collect(split.repo, dry_run=False)
    split.decide("a/train/1", choice="union")
    split.decide("a/train/2", choice="ours")
    assert merging.go_on(split.repo).status == "merged"


def test_a_dry_run_changes_nothing(split):
    before = state(split.repo)
    assert split.vote(dry_run=True).status == "conflicts"
    done = split.vote(dry_run=True, options=Options(quorum=2, failed="drop"))
    assert (done.status, done.commit) == ("merged", split.root)
    assert state(split.repo) == before


def test_it_can_stop_before_the_commit(three):
    three.each("1", [box(1, id=1)], [box(1, id=1)], [box(1, id=1)])
    assert three.vote(commit=False).status == "ready"
    assert three.contents()["train/1"] == [box(id=1)]
    assert merging.go_on(three.repo).status == "merged"
    assert three.plain("train/1") == [box(1, id=1)]


# -- who moved on --------------------------------------------------------------------------------


def test_what_the_branch_changed_meanwhile_stays(three):
    three.each("1", [box(1, id=1)], [box(1, id=1)], [box(1, id=1)])
    ours = three.on("main", item("2", box(9, id=2)))
    done = three.vote()
    assert three.repo.store.commit(done.commit).parents[0] == ours
    assert three.plain("train/1") == [box(1, id=1)]
    assert three.contents()["train/2"] == [box(9, id=2)]


def test_the_same_box_on_both_sides_is_a_conflict_of_the_merge(split):
    split.each("3", [box(2, id=3)], [box(2, id=3)], [box(2, id=3)])
    split.on("main", item("3", box(-9, id=3)), item("1", box(id=1), box(200, id=77)))
    assert split.vote(options=Options(quorum=2)).status == "conflicts"
    assert split.open() == [
        "a/train/1#v3-9.presence",
        "a/train/2#2.label",
        "a/train/3#merge:3.geometry",
    ]
    split.decide("a/train/1", choice="union")
    split.decide("a/train/2", choice="ours")
    split.decide("a/train/3#merge:3.geometry", choice="theirs")
    assert split.open() == []
    merging.go_on(split.repo)
    assert split.plain("train/1") == [box(1, id=1), box(90, "dog", id=9), box(200, id=77)]
    assert split.plain("train/3") == [box(2, id=3)]


def test_a_branch_that_moves_while_votes_are_decided_is_merged_as_it_is_then(split):
    split.vote()
    split.decide("a/train/1", choice="union")
    split.decide("a/train/2", choice="ours")
    split.on("main", item("3", box(9, id=3)))
    assert merging.go_on(split.repo).status == "merged"
    assert split.contents()["train/3"] == [box(9, id=3)]
    assert len(split.plain("train/1")) == 2


def test_annotators_go_on_from_their_own_branches(three):
    three.each("1", [box(1, id=1)], [box(2, id=1)], [box(3, id=1)])
    three.each("2", [box(1, id=2)], [box(1, id=2)], [box(1, id=2)])
    three.vote()
    first = three.contents()
    three.each("1", [box(5, id=1)], [box(5, id=1)], [box(5, id=1)])
    assert three.vote().status == "merged"
    assert three.contents() == {
        **first,
        "train/1": [box(5, id=1, attributes={"agreement": 1.0})],
    }


def test_an_annotator_who_started_later_votes_with_the_others(three):
    three.on("main", item("3", box(7, id=3)))
    three.repo.create_branch("zoe", three.repo.resolve("main"))
    for name in ("ann", "bob", "zoe"):
        three.on(name, item("1", box(1, id=1)))
    assert three.vote("ann", "bob", "zoe").status == "merged"
    assert three.plain("train/1") == [box(1, id=1)]
    assert three.contents()["train/3"] == [box(7, id=3)]


# -- working copies ------------------------------------------------------------------------------


@pytest.fixture
def copied(tmp_path):
    """A repository with a working copy, and three branches that each moved the same box."""
    repo, folder = pets.tracked(tmp_path / "work")
    for n, name in enumerate(WHO):
        repo.create_branch(name, repo.resolve("main"))
        checkout.checkout(repo, name)

        def move(data, x=2.5 + n / 4):
            note = pets.note(data, 22)
            note["bbox"][0] = x + 28

        pets.edit(folder, move)
        worktree.commit(repo, message=name)
        checkout.checkout(repo, "main")
    yield repo, folder
    repo.close()


def box_of(folder):
    return pets.note(json.loads((folder / pets.JSON).read_text()), 22)["bbox"][0]


def test_clean_copies_follow(copied):
    repo, folder = copied
    done = voting.vote(repo, voting.Request(revisions=WHO))
    assert (done.status, box_of(folder)) == ("merged", 30.75)
    assert [copy.path for copy in done.copies] == ["pets"]
    assert worktree.status(repo).clean


def do_vote(repo):
    voting.vote(repo, voting.Request(revisions=WHO))


def do_clash(repo):
    voting.vote(repo, voting.Request(revisions=WHO, options=Options(quorum=3, threshold=0.99)))


@pytest.mark.skipif(not hasattr(os, "fork") or sys.platform == "win32", reason="forks")
@pytest.mark.parametrize("action", [do_vote, do_clash])
def test_whoever_is_killed_leaves_all_or_nothing(copied, action):
    repo, folder = copied
    ours = repo.resolve("main")
    repo.close()
    at, seen = 0, set()
    while killed(repo.root, action, at):
        with Repository(repo.root) as after:
            assert worktree.status(after).clean
            under_way = conflicts.is_under_way(after)
            moved = after.resolve("main") != ours
            seen.add((moved, under_way))
            assert box_of(folder) == (30.75 if moved else 30.0)
            if under_way:
                assert conflicts.load(after).open()
                merging.abort(after)
            elif moved:
                undo(after)
        at += 3
    assert at > 3
    assert seen <= {(False, False), (True, False) if action is do_vote else (False, True)}


# -- without a repository ------------------------------------------------------------------------


def test_datasets_come_to_the_same_as_branches(three):
    notes = {
        "ann": [[box(1, id=1), Caption(caption="a pet", id=5)], [box(id=2)]],
        "bob": [[box(2, "dog", id=1), Caption(caption="a pet!", id=5)], []],
        "eve": [[box(3, id=1), box(90, id=7)], [box(1, id=2)]],
    }
    for name, (first, second) in notes.items():
        three.on(name, item("1", *first), item("2", *second))
    options = Options(quorum=2, failed="drop")
    names = [(name, three.repo.dataset(name)) for name in WHO]
    merged, votes = vote_datasets(names, options)
    done = three.vote(options=options)
    told = {f"{one.subset}/{one.id}": list(one.annotations) for one in merged}
    voted = three.contents()
    for place in ("train/1", "train/2"):
        assert told[place] == voted[place]
    (alone,), (held,) = votes.sources, done.votes.sources
    assert [one.kind for one in alone.findings] == [one.kind for one in held.findings]
    assert (alone.items, held.items) == (3, 2)


def test_datasets_have_labels_by_name_whatever_their_keys(three):
    labels = Labels([Category(name="kitten", key="cat")])
    first = Dataset.from_items([item("1", box(1, "kitten", id=1))], labels)
    second = Dataset.from_items([item("1", box(1, "cat", id=1))], ["cat"])
    merged, votes = vote_datasets([("a", first), ("b", second)], Options(quorum=2, failed="drop"))
    ((note,),) = [one.annotations for one in merged]
    assert (note.label, merged.labels.names) == ("kitten", ("kitten",))
    assert json.loads(json.dumps(votes.report()))["sources"][0]["labels"] == [
        {
            "label": "kitten",
            "field": "name",
            "votes": [
                {"value": "kitten", "voters": ["a"]},
                {"value": "cat", "voters": ["b"]},
            ],
        }
    ]
    assert list(votes.sources[0].agreed().label_kappas) == ["kitten"]


def test_datasets_have_no_place_for_conflicts():
    held = [(name, Dataset.from_items([item("1", box(1))])) for name in "ab"]
    with pytest.raises(UsageError, match="no place for conflicts"):
        vote_datasets(held, Options())
    with pytest.raises(UsageError, match="two datasets or more"):
        vote_datasets(held[:1], Options(failed="drop"))
    with pytest.raises(UsageError, match="nobody has removed anything"):
        vote_datasets(held, Options(failed="drop", removed="drop"))


def test_sources_are_never_changed():
    held = {name: [item("1", box(n, id=1), box(50 * n, id=2))] for n, name in enumerate(WHO)}
    before = {name: [one.with_() for one in kept] for name, kept in held.items()}
    datasets = [(name, Dataset.from_items(kept)) for name, kept in held.items()]
    vote_datasets(datasets, Options(failed="keep", quorum=2))
    assert held == before


POSITIONS = st.sampled_from([0, 1, 50, 100])
NOTES = st.lists(
    st.builds(box, POSITIONS, st.sampled_from(["cat", "dog"]), id=st.integers(1, 9)),
    max_size=3,
    unique_by=lambda note: note.id,
)
OPINIONS = st.lists(st.none() | NOTES, min_size=3, max_size=3)


@settings(max_examples=25, deadline=None)
@given(
    said=st.lists(OPINIONS, min_size=2, max_size=2),
    quorum=st.sampled_from([None, 2, 3]),
    failed=st.sampled_from(["drop", "keep"]),
)
def test_branches_and_datasets_agree_whatever_was_said(tmp_path_factory, said, quorum, failed):
    """None: that annotator left the item as it was."""
    options = Options(quorum=quorum, failed=failed)
    with Repository.init(tmp_path_factory.mktemp("repo")) as repo:
        three = Annotators(repo, [item(str(n), box(200 * n, id=n)) for n in (1, 2)])
        for n, opinions in enumerate(said, 1):
            for name, notes in zip(WHO, opinions, strict=True):
                if notes is not None:
                    three.on(name, item(str(n), *notes))
        merged, _ = vote_datasets([(name, repo.dataset(name)) for name in WHO], options)
        before = three.contents()
        changed = {
            place
            for name in WHO
            for place, notes in three.contents(name).items()
            if notes != before[place]
        }
        three.vote(options=options)
        expected = {f"{one.subset}/{one.id}": ordered(one.annotations) for one in merged}
        assert {place: ordered(notes) for place, notes in three.contents().items()} == {
            place: expected[place] if place in changed else ordered(notes)
            for place, notes in before.items()
        }


def ordered(notes):
    """Return annotations without what their order and numbers depend on."""
    return sorted((note.x, note.label, note.attributes.get("agreement")) for note in notes)
