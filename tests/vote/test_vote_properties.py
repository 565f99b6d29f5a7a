"""What holds for every vote, whoever votes in whatever order."""

from collections import Counter

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvcs.compare import similarity
from dvcs.merge import Judge
from dvcs.model import Bbox, Caption, Item, Label, Mask, Points, Polygon, PolyLine
from dvcs.objects.items import decode_item, encode_item
from dvcs.vote import AGREEMENT, Ballot, Options, Voter, vote_batch, vote_items
from dvcs.vote.batch import BATCH

NAMES = ["ann", "bob", "eve", "joe"]
VOTERS = [Voter(name) for name in NAMES]

places = st.integers(0, 5).map(lambda n: n * 2.5)
labels = st.sampled_from(["cat", "dog", None])
common = {
    "label": labels,
    "group": st.integers(0, 2),
    "attributes": st.dictionaries(st.sampled_from("ab"), st.sampled_from([1, True]), max_size=2),
}
boxes = st.builds(Bbox, x=places, y=places, w=st.just(10.0), h=st.just(12.0), **common)
polygons = st.builds(
    lambda x, y, **rest: Polygon(
        parts=[[[x, y, x + 12.0, y, x + 14.0, y + 9.0, x, y + 12.0]]], **rest
    ),
    x=places,
    y=places,
    **common,
)
others = st.one_of(
    st.builds(Label, label=labels),
    st.builds(Caption, caption=st.sampled_from(["a cat", "a cow", "nothing at all"])),
    st.builds(lambda x: PolyLine(points=[x, 0.0, x + 9.0, 9.0]), x=places),
    st.builds(lambda x: Points(points=[x, 0.0, x + 9.0, 9.0]), x=places),
    st.builds(Mask, size=st.just((4, 4)), counts=st.sampled_from(["52203", "`0", "44400"])),
)


@st.composite
def items(draw):
    """An item as it comes out of a repository."""
    notes = draw(st.lists(boxes | polygons | others, max_size=6))
    if draw(st.booleans()):
        notes = [note.with_(id=n + 1) for n, note in enumerate(notes)]
    annotated = draw(st.sampled_from([True, None, False]))
    return decode_item(encode_item(Item("i", annotations=notes, annotated=annotated)), "i", "s")


ballots = st.lists(st.none() | items(), min_size=1, max_size=4).filter(any)
quorums = st.sampled_from([None, 1, 2, 0.5, 1.0])


def vote(ballot, options=None, voters=None):
    return vote_items(ballot, VOTERS[: len(ballot)] if voters is None else voters, options)


def without_agreement(note):
    attributes = {name: one for name, one in note.attributes.items() if name != AGREEMENT}
    return note.with_(attributes=attributes)


def members(voted, names):
    return {
        frozenset((names[voter], place) for voter, place in one.members) for one in voted.clusters
    }


@given(items(), quorums)
def test_who_agree_get_what_they_agree_on(item, quorum):
    voted = vote([item] * 3, Options(quorum=quorum, close=1.0))
    assert [without_agreement(note) for note in voted.item.annotations] == item.annotations
    assert {note.attributes[AGREEMENT] for note in voted.item.annotations} <= {1.0}
    assert voted.item.with_(annotations=[]) == item.with_(annotations=[])
    assert voted.findings == ()


@given(ballots, quorums)
def test_each_annotation_is_a_vote_for_exactly_one(ballot, quorum):
    voted = vote(ballot, Options(quorum=quorum))
    found = Counter(place for one in voted.clusters for place in one.members)
    every = {
        (voter, place)
        for voter, item in enumerate(ballot)
        if item is not None
        for place in range(len(item.annotations))
    }
    assert found == Counter(every)
    for one in voted.clusters:
        voters = [voter for voter, _ in one.members]
        assert voters == sorted(set(voters))
        assert all(0 <= score <= 1 for score in one.scores)
    results = [one.result for one in voted.clusters if one.result is not None]
    assert sorted(results) == list(range(len(voted.item.annotations)))


@given(ballots)
def test_all_members_of_a_cluster_are_alike(ballot):
    for one in vote(ballot).clusters:
        if one.kind == "label":
            continue
        notes = [ballot[voter].annotations[place] for voter, place in one.members]
        for at, note in enumerate(notes):
            # Outlines are compared along a few lines here.
            assert all(similarity(note, other) > 0.45 for other in notes[at + 1 :])


@given(st.data(), ballots)
def test_the_order_of_the_voters_changes_no_cluster_and_no_agreement(data, ballot):
    order = data.draw(st.permutations(range(len(ballot))))
    options = Options(quorum=2, failed="drop")
    one = vote(ballot, options)
    other = vote([ballot[at] for at in order], options, [VOTERS[at] for at in order])
    assert members(one, NAMES) == members(other, [NAMES[at] for at in order])
    # Of two shapes that are equally central the first voter's is kept, and what is too close to it
    # follows from that.
    kept, again = (
        Counter((note.label, note.attributes[AGREEMENT]) for note in voted.item.annotations)
        for voted in (one, other)
    )
    assert kept == again
    kinds, again = (
        Counter(
            (found.kind, tuple(sorted(found.voters)))
            for found in voted.findings
            if found.kind != "too-close"
        )
        for voted in (one, other)
    )
    assert kinds == again


@given(ballots, st.sampled_from([None, 0, 1]))
def test_without_a_quorum_every_cluster_is_in_the_result(ballot, quorum):
    voted = vote(ballot, Options(quorum=quorum, failed="keep"))
    assert len(voted.item.annotations) == len(voted.clusters)
    labels = {note.label for note in voted.item.annotations}
    assert labels <= {note.label for item in ballot if item for note in item.annotations}


@given(ballots, quorums)
def test_ballots_are_not_changed(ballot, quorum):
    before = msgspec.json.encode(ballot)
    vote(ballot, Options(quorum=quorum))
    assert msgspec.json.encode(ballot) == before


@given(ballots, quorums, st.sampled_from(["conflict", "drop", "keep"]))
def test_results_can_be_stored_and_ids_are_unique_where_they_were(ballot, quorum, failed):
    voted = vote(ballot, Options(quorum=quorum, failed=failed))
    again = decode_item(encode_item(voted.item), "i", "s")
    assert len(again.annotations) == len(voted.item.annotations)
    unique = all(
        len({note.id for note in item.annotations}) == len(item.annotations)
        for item in ballot
        if item is not None
    )
    ids = [note.id for note in voted.item.annotations if note.id]
    assert not unique or len(set(ids)) == len(ids)


@given(st.lists(ballots.filter(lambda one: len(one) == 2), min_size=1, max_size=5))
def test_many_at_once_are_counted_as_one_by_one(several):
    together = vote_batch([Ballot(tuple(one), Judge()) for one in several], VOTERS[:2])
    assert list(together) == [vote(one) for one in several]


@pytest.mark.parametrize("count", [0, 1, BATCH - 1, BATCH, BATCH + 1])
def test_nothing_is_lost_between_batches(count):
    note = Bbox(x=0.0, y=0.0, w=5.0, h=5.0)
    found = vote_batch(
        (Ballot((Item(f"{n}", annotations=[note]),), Judge()) for n in range(count)), VOTERS[:1]
    )
    assert [one.item.id for one in found] == [f"{n}" for n in range(count)]


def test_one_id_that_two_voters_gave_to_different_things_stays_with_one():
    def boxed(*ids):
        return [Bbox(0.0, 0.0, 10.0, 12.0, label="cat", id=id) for id in ids]

    ballot = [
        Item("i", subset="s", annotated=True),
        Item(
            "i",
            subset="s",
            annotated=True,
            annotations=[*boxed(1), Label(label="cat", id=2), *boxed(3)],
        ),
        Item("i", subset="s", annotated=True, annotations=boxed(1, 2, 3)),
    ]
    ids = [note.id for note in vote(ballot, Options(quorum=None)).item.annotations]
    assert len(ids) == 4
    assert len(set(ids)) == 4
