"""What becomes of one item that several people annotated."""

import msgspec
import pytest

from dvcs.merge import Decision, Judge
from dvcs.model import (
    Bbox,
    Caption,
    Cuboid3d,
    Ellipse,
    Item,
    Label,
    Labels,
    Mask,
    Media,
    MediaFile,
    Other,
    Points,
    Polygon,
    PolyLine,
    Raster,
    RotatedBbox,
)
from dvcs.vote import Ballot, Options, Voter, parse_group, plain_finding, vote_batch, vote_items

VOTERS = [Voter("ann"), Voter("bob"), Voter("eve")]
TWO = Options(quorum=2)


def box(x=0.0, label="cat", **fields):
    return Bbox(**{"x": float(x), "y": 0.0, "w": 10.0, "h": 10.0, "label": label, **fields})


def item(*notes, **fields):
    return Item("i", annotations=list(notes), **fields)


def vote(*lists, options=TWO, judge=None):
    """Vote about one item; each list is that of a voter, None: not assigned."""
    items = [None if one is None else one if isinstance(one, Item) else item(*one) for one in lists]
    return vote_items(items, VOTERS[: len(items)], options, judge)


def told(voted):
    return [(one.kind, one.voters, one.outcome) for one in voted.findings]


# -- labels and presence -------------------------------------------------------------------------


def test_votes_for_one_shape_decide_its_label():
    voted = vote([box()], [box(label="dog")], [box()])
    (note,) = voted.item.annotations
    assert note == box(attributes={"agreement": 0.667})
    assert voted.findings == ()


def test_what_has_no_quorum_is_a_conflict_that_stays_as_it_is_at_the_first_voter():
    judge = Judge()
    voted = vote([box(0)], [box(100, id=7)], [], judge=judge)
    assert [note.x for note in voted.item.annotations] == [0.0]
    assert told(voted) == [
        ("failed-annotation", ("bob", "eve"), "conflict"),
        ("failed-annotation", ("ann", "eve"), "conflict"),
    ]
    assert [(one.key, one.kind, one.field) for one in judge.conflicts] == [
        ("n1.presence", "vote", "presence"),
        ("v2-7.presence", "vote", "presence"),
    ]
    assert [one.names for one in voted.findings] == [("n1",), ("v2-7",)]
    mine, theirs = judge.conflicts
    assert mine.ours == {"type": "bbox", "label": "cat", "x": 0.0, "y": 0.0, "w": 10.0, "h": 10.0}
    assert mine.theirs is msgspec.UNSET
    assert theirs.ours is msgspec.UNSET
    assert theirs.theirs["x"] == 100.0


@pytest.mark.parametrize(
    ("choice", "first", "second"),
    [("union", 1, 1), ("base", 0, 0), ("ours", 1, 0), ("theirs", 0, 1)],
)
def test_decisions_about_presence(choice, first, second):
    keys = ("n1.presence", "v2-n1.presence")
    judge = Judge({key: Decision(choice) for key in keys})
    voted = vote([box(0)], [box(100)], [], judge=judge)
    assert [note.x for note in voted.item.annotations] == [0.0] * first + [100.0] * second
    outcomes = ["kept" if one else "dropped" for one in (first, second)]
    assert [one.outcome for one in voted.findings] == outcomes


@pytest.mark.parametrize(("failed", "left"), [("drop", []), ("keep", [0.0, 100.0])])
def test_failed_votes_can_be_dropped_or_kept_without_asking(failed, left):
    judge = Judge()
    voted = vote([box(0)], [box(100)], [], options=Options(quorum=2, failed=failed), judge=judge)
    assert [note.x for note in voted.item.annotations] == left
    assert judge.conflicts == []
    assert {one.outcome for one in voted.findings} == {"kept" if left else "dropped"}


def test_three_labels_of_one_shape_are_a_conflict_about_the_label():
    lists = [box(id=3)], [box(label="dog")], [box(label="cow")]
    judge = Judge()
    voted = vote(*lists, judge=judge)
    (conflict,) = judge.conflicts
    assert (conflict.key, conflict.kind, conflict.field) == ("3.label", "vote", "label")
    assert conflict.ours == {"ann": "cat"}
    assert conflict.theirs == {"bob": "dog", "eve": "cow"}
    assert conflict.allowed == ("ours", "value")
    assert conflict.labels == ("cat", "cow", "dog")
    assert voted.item.annotations[0].label == "cat"
    (finding,) = voted.findings
    assert [(one.value, one.voters) for one in finding.votes] == [
        ("cat", ("ann",)),
        ("dog", ("bob",)),
        ("cow", ("eve",)),
    ]
    decided = vote(*lists, judge=Judge({"3.label": Decision("value", "cow")}))
    assert decided.item.annotations[0].label == "cow"
    assert decided.findings[0].outcome == "kept"


def test_a_label_that_nobody_knows_decides_nothing():
    voters = [Voter("ann", Labels(["cat"])), Voter("bob", Labels(["dog"]))]
    judge = Judge({"n1.label": Decision("value", "horse")})
    vote_items([item(box()), item(box(label="dog"))], voters, TWO, judge)
    assert judge.conflicts[0].decision is None


def test_two_against_one_label_may_be_theirs_alone():
    judge = Judge({"n1.label": Decision("theirs")})
    voted = vote([box()], [box(label="dog")], None, judge=judge)
    assert judge.conflicts[0].allowed == ("ours", "theirs", "value")
    assert voted.item.annotations[0].label == "dog"


def test_a_tie_is_nobodys_victory_even_without_a_quorum():
    judge = Judge()
    vote([box()], [box(label="dog")], options=Options(), judge=judge)
    assert [one.key for one in judge.conflicts] == ["n1.label"]


@pytest.mark.parametrize(("failed", "labels"), [("keep", ["cat"]), ("drop", [])])
def test_a_failed_label_keeps_the_leading_one_or_drops_the_annotation(failed, labels):
    voted = vote([box()], [box(label="dog")], options=Options(quorum=2, failed=failed))
    assert [note.label for note in voted.item.annotations] == labels
    assert voted.findings[0].kind == "failed-label"


def test_weights_choose_between_values_and_the_quorum_counts_heads():
    lists = [box()], [box(label="dog")], [box(label="dog")]
    heavy = {"ann": 3.0}
    assert vote(*lists, options=Options(weights=heavy)).item.annotations[0].label == "cat"
    judge = Judge()
    vote(*lists, options=Options(weights=heavy, quorum=2), judge=judge)
    assert [one.key for one in judge.conflicts] == ["n1.label"]


def test_without_a_quorum_nothing_is_lost():
    voted = vote([box(0)], [box(100)], [box(200), box(0)], options=Options())
    assert [note.x for note in voted.item.annotations] == [0.0, 100.0, 200.0]
    assert {one.kind for one in voted.findings} == {"missing-annotation"}


# -- who votes -----------------------------------------------------------------------------------


def test_an_item_that_somebody_was_not_given_needs_no_vote_of_theirs():
    voted = vote([box()], None, None)
    assert voted.item.annotations[0].attributes == {"agreement": 1.0}
    assert told(voted) == [("missing-item", ("bob", "eve"), "kept")]
    assert voted.assigned == (True, False, False)


def test_who_did_not_look_does_not_vote_on_absence():
    voted = vote([box()], [box()], item(annotated=False), options=Options(quorum=3))
    assert voted.item.annotations[0].attributes == {"agreement": 1.0}
    assert told(voted) == []
    looked = vote([box()], [box()], item(annotated=True), options=Options(quorum=3))
    assert told(looked) == [("failed-annotation", ("eve",), "conflict")]


def test_what_somebody_drew_who_has_not_finished_counts():
    draft = item(box(), annotated=False)
    voted = vote([box()], draft, [], options=TWO)
    assert voted.item.annotations[0].attributes == {"agreement": 0.667}
    assert told(voted) == [("missing-annotation", ("eve",), "kept")]


def test_the_first_who_has_the_item_gives_its_name_and_ids():
    first, second = (Item("i", "train", annotations=[box(id=n)]) for n in (4, 9))
    voted = vote_items([None, second, first], VOTERS, TWO)
    assert voted.item.key == ("", "train", "i")
    assert voted.item.annotations[0].id == 9


def test_items_say_that_somebody_looked():
    assert vote(item(annotated=False), item(annotated=True)).item.annotated is True
    assert vote(item(annotated=False), item()).item.annotated is None
    assert vote(item(annotated=False), item(annotated=False)).item.annotated is False


def media(sha, **fields):
    return Media(files=(MediaFile(ext=".jpg", sha256=sha and sha * 64),), **fields)


def test_annotations_of_another_picture_do_not_vote():
    lists = [item(box(), media=media("a")), item(box(50), media=media("b"))]
    judge = Judge()
    voted = vote(*lists, judge=judge)
    assert [note.x for note in voted.item.annotations] == [0.0]
    assert told(voted) == [("media", ("bob",), "conflict")]
    assert [one.key for one in judge.conflicts] == ["media"]
    other = vote(*lists, judge=Judge({"media": Decision("theirs")}))
    assert [note.x for note in other.item.annotations] == [50.0]
    assert other.item.media == media("b")


def test_what_one_voter_knows_of_the_media_all_do():
    voted = vote(item(media=media(None, width=5)), item(media=media("a", height=4)))
    assert voted.item.media == media("a", width=5, height=4)


def test_item_attributes_are_voted():
    lists = [
        item(attributes={"a": 1, "b": 1}),
        item(attributes={"a": 2}),
        item(attributes={"a": 2}),
    ]
    voted = vote(*lists)
    assert voted.item.attributes == {"a": 2}


def test_a_ballot_without_an_item_or_a_place_for_each_voter_is_refused():
    with pytest.raises(ValueError, match="at least one item"):
        vote(None, None)
    with pytest.raises(ValueError, match="one place for each voter"):
        list(vote_batch([Ballot((item(),), Judge())], VOTERS))


# -- what is kept --------------------------------------------------------------------------------


def test_the_most_central_shape_is_kept_as_it_is_with_the_first_id():
    left, middle, right = box(0, id=1), box(1, id=2, score=0.3, extra={"f": {"x": 1}}), box(2, id=3)
    (note,) = vote([left], [middle], [right]).item.annotations
    assert note.with_(attributes={}) == middle.with_(id=1)
    # 9 of 11 with both.
    assert note.attributes == {"agreement": round(9 / 11, 3)}


def test_of_two_the_first_voters_shape_is_kept_or_the_heavier_ones():
    lists = [box(0)], [box(1)]
    assert vote(*lists).item.annotations[0].x == 0.0
    heavy = Options(quorum=2, weights={"bob": 2.0})
    assert vote(*lists, options=heavy).item.annotations[0].x == 1.0


def test_the_score_stays_and_the_highest_z_order_counts():
    voted = vote([box(score=0.9, z_order=1)], [box(score=0.2, z_order=5)], [box(score=0.1)])
    (note,) = voted.item.annotations
    assert (note.score, note.z_order) == (0.9, 5)


def test_ids_that_meet_are_renumbered():
    voted = vote([box(0, id=1)], [box(100, id=1), box(0, id=5)], options=Options())
    assert [(note.x, note.id) for note in voted.item.annotations] == [(0.0, 1), (100.0, 2)]


def test_attributes_are_voted_and_the_kept_shapes_own_do_not_come_back():
    notes = [box(1, attributes={"a": 2, "agreement": 0.1}), box(0, attributes={"a": 1})]
    voted = vote([notes[0]], [notes[1]], [box(2, attributes={"a": 1})])
    assert voted.item.annotations[0].x == 1.0
    assert voted.item.annotations[0].attributes == {"a": 1, "agreement": round(9 / 11, 3)}
    assert voted.findings == ()


def test_ignored_attributes_are_neither_voted_nor_kept():
    options = Options(quorum=2, ignored_attributes=frozenset({"a"}))
    lists = [[box(attributes={"a": n, "b": True})] for n in range(3)]
    voted = vote(*lists, options=options)
    assert voted.item.annotations[0].attributes == {"b": True, "agreement": 1.0}
    assert voted.findings == ()


def test_an_attribute_without_a_quorum_is_a_finding_and_a_conflict():
    lists = [[box(id=2, attributes={"a": value})] for value in (1, True, 1.0)]
    judge = Judge()
    voted = vote(*lists, judge=judge)
    (conflict,) = judge.conflicts
    assert (conflict.key, conflict.field) == ("2.attributes.a", "attributes.a")
    assert voted.item.annotations[0].attributes["a"] == 1
    (finding,) = voted.findings
    assert (finding.kind, finding.field, finding.outcome) == ("failed-attribute", "a", "conflict")
    assert [type(one.value) for one in finding.votes] == [int, bool, float]
    chosen = vote(*lists, judge=Judge({"2.attributes.a": Decision("value", "x")}))
    assert chosen.item.annotations[0].attributes["a"] == "x"
    dropped = vote(*lists, options=Options(quorum=2, failed="drop"))
    assert dropped.item.annotations[0].attributes == {"agreement": 1.0}


def test_with_a_quorum_absence_is_a_vote_and_without_one_it_is_none():
    lists = [[box(attributes={"occluded": True})], [box()], [box()]]
    assert vote(*lists).item.annotations[0].attributes == {"agreement": 1.0}
    kept = vote(*lists, options=Options()).item.annotations[0].attributes
    assert kept == {"occluded": True, "agreement": 1.0}


def test_what_agrees_too_little_is_dropped_and_told():
    options = Options(min_agreement=0.5)
    voted = vote([box(0), box(100)], [box(0)], [], options=options)
    assert [note.x for note in voted.item.annotations] == [0.0]
    low = voted.findings[-1]
    assert (low.kind, low.voters, low.similarity) == ("low-agreement", ("ann",), 0.333)


def test_what_a_person_decided_is_not_dropped_for_its_low_agreement():
    options = Options(quorum=2, min_agreement=0.5)
    judge = Judge({"n1.presence": Decision("union")})
    voted = vote([box()], [], [], options=options, judge=judge)
    assert [note.attributes for note in voted.item.annotations] == [{"agreement": 0.333}]
    keep = Options(quorum=2, min_agreement=0.5, failed="keep")
    assert vote([box()], [], [], options=keep).item.annotations == []


@pytest.mark.parametrize("quorum", [None, 3])
def test_conflicts_about_values_name_all_who_have_what_they_are_of(quorum):
    judge = Judge()
    voted = vote(
        item(box(id=5), attributes={"lit": True}),
        item(box(id=7, attributes={"a": 1}), box(50, id=5), attributes={"lit": False}),
        item(box(id=8, attributes={"a": 2})),
        options=Options(quorum=quorum),
        judge=judge,
    )
    told = {one.key: (one.have, one.lack) for one in judge.conflicts}
    everyone = ("ann", "bob", "eve"), ()
    assert (told["5.attributes.a"], told["item.attributes.lit"]) == (everyone, everyone)
    found = [one.voters for one in voted.findings if one.kind == "failed-attribute"]
    assert found == [("ann", "bob", "eve")] * 2


# -- kinds ---------------------------------------------------------------------------------------

RING = [0.0, 0.0, 40.0, 0.0, 40.0, 30.0, 0.0, 30.0]
FRAME = (60, 60)


@pytest.mark.parametrize(
    "note",
    [
        box(),
        Polygon(parts=[[RING]]),
        Polygon(
            parts=[[RING, [5.0, 5.0, 5.0, 9.0, 9.0, 9.0]], [[50.0, 0.0, 60.0, 0.0, 55.0, 9.0]]]
        ),
        Polygon(parts=[[[0.0, 0.0, 5.0, 5.0, 9.0, 9.0]]]),
        RotatedBbox(cx=20.0, cy=20.0, w=30.0, h=10.0, angle=30.0),
        Ellipse(cx=20.0, cy=20.0, rx=15.0, ry=8.0, angle=10.0),
        PolyLine(points=[0.0, 0.0, 20.0, 5.0, 40.0, 40.0]),
        Points(points=[1.0, 1.0, 20.0, 20.0], visibility=[2, 1]),
        Points(points=[0.0, 0.0], visibility=[0]),
        Mask(size=(4, 4), counts="52203"),
        Mask(size=(4, 4), counts="`0"),
        Cuboid3d(position=[1.0, 2.0, 3.0], scale=[2.0, 2.0, 2.0]),
        Caption(caption="a cat on a mat"),
        Raster(meaning="depth", file=MediaFile(ext=".png", sha256="a" * 64)),
        Other(format="via", record={"x": [1, 2]}),
        Other(format="via", record=[1]),
        Label(label="cat"),
    ],
    ids=lambda note: note.kind,
)
def test_every_kind_votes(note):
    note = note.with_(label=note.label or "cat")
    voted = vote([note], [note], [note], options=Options(quorum=1.0))
    assert voted.item.annotations == [note.with_(attributes={"agreement": 1.0})]
    assert voted.findings == ()
    assert len(voted.clusters[0].members) == 3


def test_captions_cluster_by_their_text():
    voted = vote(
        [Caption(caption="a cat on a mat"), Caption(caption="nobody is here")],
        [Caption(caption="a cat on the mat")],
        [Caption(caption="a fat cat on a mat")],
    )
    assert [note.caption for note in voted.item.annotations] == ["a cat on a mat", "nobody is here"]
    assert told(voted) == [("failed-annotation", ("bob", "eve"), "conflict")]


def test_opaque_records_are_votes_for_one_only_where_they_are_the_same():
    lists = [[Other(format="via", record={"x": n, "y": 1, "z": 2})] for n in (1, 1, 2)]
    voted = vote(*lists, options=Options(quorum=2, failed="drop"))
    assert [note.record["x"] for note in voted.item.annotations] == [1]


def test_a_box_and_a_polygon_of_one_object_are_votes_for_it():
    polygon = Polygon(parts=[[RING]], label="cat")
    around = Bbox(x=0.0, y=0.0, w=40.0, h=30.0, label="cat")
    voted = vote([polygon], [around], [polygon])
    assert voted.item.annotations == [polygon.with_(attributes={"agreement": 1.0})]


def test_the_same_kind_pairs_before_another_one():
    # The box is the extent of its author's polygon, the boxes are 0.9 alike.
    lists = [
        [Polygon(parts=[[ring]], label="cat"), Bbox(x=x, y=0.0, w=40.0, h=30.0, label="cat")]
        for x, ring in ((0.0, [v + 2 * (1 - n % 2) for n, v in enumerate(RING)]), (2.0, RING))
    ]
    voted = vote(*lists)
    assert [one.members for one in voted.clusters] == [((0, 0), (1, 0)), ((0, 1), (1, 1))]


def test_points_and_boxes_around_them_are_not_votes_for_one():
    points = Points(points=[0.0, 0.0, 10.0, 10.0], label="cat")
    voted = vote([points], [box()], options=Options())
    assert [note.kind for note in voted.item.annotations] == ["points", "bbox"]


def test_the_one_label_of_an_image_is_voted():
    voted = vote([Label(label="cat")], [Label(label="dog")], [Label(label="cat")])
    assert voted.item.annotations == [Label(label="cat", attributes={"agreement": 0.667})]
    assert voted.findings == ()


def test_of_several_labels_each_is_voted_by_itself():
    voted = vote(
        [Label(label="cat"), Label(label="dog")],
        [Label(label="cat")],
        [Label(label="cow"), Label(label="dog")],
        options=Options(quorum=2, failed="drop"),
    )
    assert [note.label for note in voted.item.annotations] == ["cat", "dog"]


def test_labels_have_thresholds_of_their_own():
    lists = [box(0)], [box(5)]  # a third is common
    assert len(vote(*lists, options=Options()).clusters) == 2
    loose = Options(label_thresholds={"cat": 0.3})
    assert len(vote(*lists, options=loose).clusters) == 1
    strict = Options(threshold=0.3, label_thresholds={"cat": 0.5})
    assert len(vote(*lists, options=strict).clusters) == 2


def test_one_good_pair_is_not_broken_up_for_two_that_barely_pass():
    # IoU of ann's second with bob's first 0.98; the two other pairs that could be made 0.44, 0.54.
    voted = vote([box(0), box(4)], [box(3.9), box(7)], options=Options(threshold=0.3))
    assert [one.members for one in voted.clusters] == [((0, 0),), ((0, 1), (1, 0)), ((1, 1),)]


def test_a_crowded_neighbour_takes_nobodys_box():
    # The best single pair is ann's second with bob's first, 0.74; it would leave two alone.
    voted = vote([box(0), box(4)], [box(2.5), box(6)], options=Options(threshold=0.3))
    assert [one.members for one in voted.clusters] == [((0, 0), (1, 0)), ((0, 1), (1, 1))]


def test_all_members_of_a_cluster_are_alike_not_only_neighbours():
    # 0.6 from one to the next, a third between the outer two.
    voted = vote([box(0)], [box(2.5)], [box(5)], options=Options())
    assert [one.members for one in voted.clusters] == [((0, 0), (1, 0)), ((2, 0),)]


def test_whom_a_shape_between_two_joins_does_not_depend_on_the_order_of_the_voters():
    ann, bob, eve = (item(box(x)) for x in (0, 2.5, 5))
    voted = vote_items([eve, bob, ann], VOTERS[::-1], Options())
    assert [one.members for one in voted.clusters] == [((0, 0),), ((1, 0), (2, 0))]


def test_of_two_shapes_in_one_place_those_of_one_label_belong_together():
    lists = [box(), box(label="dog")], [box(0.5, label="dog"), box(0.5)]
    voted = vote(*lists)
    assert [one.labels for one in voted.clusters] == [("cat", "cat"), ("dog", "dog")]


def test_of_two_shapes_in_one_place_those_that_say_the_same_belong_together():
    lists = [box(score=0.5), box(score=0.7)], [box(score=0.7), box(score=0.5)]
    assert [one.members for one in vote(*lists).clusters] == [((0, 0), (1, 1)), ((0, 1), (1, 0))]


# -- instances and checks ------------------------------------------------------------------------


def test_instances_are_voted_as_most_have_them():
    pair = [box(0, group=4), box(100, group=4)]
    apart = [box(0), box(100)]
    assert [note.group for note in vote(pair, pair, apart).item.annotations] == [1, 1]
    assert [note.group for note in vote(pair, apart, apart).item.annotations] == [0, 0]
    assert [note.group for note in vote(apart, pair).item.annotations] == [1, 1]


def test_a_part_that_some_overlooked_stays_in_its_instance():
    whole = [box(0, group=1), box(100, group=1)]
    voted = vote(whole, [box(0)], whole)
    assert [note.group for note in voted.item.annotations] == [1, 1]


def test_results_that_are_nearly_the_same_are_told():
    voted = vote([box(0, id=1), box(1, id=2)], [box(0), box(1)], [box(0), box(1)])
    close = voted.findings[-1]
    assert (close.kind, close.names, close.similarity) == ("too-close", ("1", "2"), 0.8182)
    assert close.other.x == 1.0


def test_results_of_two_kinds_or_just_as_alike_as_allowed_are_not_told():
    around = Bbox(x=0.0, y=0.0, w=40.0, h=30.0)
    notes = [Polygon(parts=[[RING]]), around, box(100), box(105, w=5.0)]
    assert vote(notes, notes, options=Options(quorum=2, close=0.5)).findings == ()


def test_groups_of_labels_are_checked_in_the_result():
    notes = [
        box(0, "person", group=1, id=1),
        box(100, "head", group=1, id=2),
        box(200, "person", group=2, id=3),
        box(300, "hat", group=2, id=4),
        box(400, "hat", id=5),
        box(500, "hand", id=6),
    ]
    options = Options(groups=(parse_group("person,hand?,head"),))
    voted = vote(notes, notes, options=options)
    assert [(one.names, one.missing, one.extra) for one in voted.findings] == [
        (("3", "4"), ("head",), ("hat",)),
        (("6",), ("person", "head"), ()),
    ]
    assert {one.kind for one in voted.findings} == {"wrong-group"}


def test_findings_are_json():
    voted = vote([box(attributes={"a": 1})], [box(attributes={"a": 2})], None)
    plain = [plain_finding(one) for one in voted.findings]
    plain = msgspec.json.decode(msgspec.json.encode(plain))
    assert plain[0]["kind"] == "missing-item"
    assert plain[1]["votes"] == [
        {"value": 1, "voters": ["ann"]},
        {"value": 2, "voters": ["bob"]},
    ]
    assert plain[1]["annotation"]["type"] == "bbox"
    assert plain[1]["names"] == ["n1"]
