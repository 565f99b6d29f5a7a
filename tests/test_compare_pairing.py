"""Which annotation is which."""

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvcs.compare import IdTrust, pair_annotations
from dvcs.model import Bbox, Caption, Label, Mask, Points, Polygon

LABELS = ("cat", "dog", "cow")
KEPT, RENUMBERED = IdTrust(equal=100, kept=99), IdTrust(equal=100, kept=3)


def box(x, y=0.0, w=10.0, h=10.0, **fields):
    return Bbox(x=float(x), y=float(y), w=float(w), h=float(h), **fields)


def pairs(old, new, **options):
    return [(one.old, one.new) for one in pair_annotations(old, new, **options)]


some_boxes = st.lists(
    st.builds(
        box,
        st.integers(0, 30),
        st.integers(0, 30),
        st.integers(1, 20),
        st.integers(1, 20),
        label=st.sampled_from(LABELS),
        id=st.integers(0, 4),
        group=st.integers(0, 2),
    ),
    max_size=6,
)
notes = st.lists(
    st.one_of(
        st.builds(box, st.integers(0, 30), label=st.sampled_from(LABELS), group=st.integers(0, 2)),
        st.builds(Label, label=st.sampled_from(LABELS)),
        st.builds(Caption, caption=st.sampled_from(["a cat", "a cow", "nothing at all"])),
    ),
    max_size=6,
)


@given(st.one_of(some_boxes, notes), st.one_of(some_boxes, notes))
def test_every_annotation_is_in_exactly_one_pair(old, new):
    found = pair_annotations(old, new)
    assert sorted(one.old for one in found if one.old is not None) == list(range(len(old)))
    assert sorted(one.new for one in found if one.new is not None) == list(range(len(new)))
    assert all(0 <= one.similarity <= 1 for one in found)


@given(st.one_of(some_boxes, notes))
def test_a_list_pairs_with_itself(old):
    assert all(one.similarity == 1.0 for one in pair_annotations(old, old))
    assert all(None not in pair for pair in pairs(old, old))


@given(some_boxes, some_boxes)
def test_swapped_lists_pair_as_many(old, new):
    forward, backward = pairs(old, new), pairs(new, old)
    assert sum(None not in pair for pair in forward) == sum(None not in pair for pair in backward)


def crowd(count, seed=5):
    """Boxes of a dense scene, none of them twice."""
    draw = random.Random(seed)
    return [
        box(
            draw.uniform(0, 1900),
            draw.uniform(0, 1000),
            draw.uniform(15, 90),
            draw.uniform(15, 90),
            label=draw.choice(LABELS),
            id=at + 1,
        )
        for at in range(count)
    ]


def test_a_renumbered_shuffled_jittered_crowd_pairs_right():
    draw = random.Random(7)
    old = crowd(739)
    numbers = list(range(1, 740))
    draw.shuffle(numbers)
    new = [
        note.with_(
            id=number,
            x=note.x + draw.uniform(-2, 2),
            y=note.y + draw.uniform(-2, 2),
            w=note.w + draw.uniform(-2, 2),
            h=note.h + draw.uniform(-2, 2),
        )
        for note, number in zip(old, numbers, strict=True)
    ]
    order = list(range(739))
    draw.shuffle(order)
    found = pairs(old, [new[at] for at in order])
    right = sum(j is not None and order[j] == i for i, j in found if i is not None)
    assert right >= 738


def test_one_good_pair_is_not_broken_up_for_two_that_barely_pass():
    old = [box(0, w=10), box(0, w=20)]
    new = [box(0, w=10.5), box(0, w=5)]
    assert pairs(old, new) == [(0, 0), (1, None), (None, 1)]


def test_duplicates_pair_as_a_multiset_and_by_their_ids():
    old = [box(0, id=1), box(0, id=2), box(0, id=3)]
    new = [box(0, id=3), box(0, id=1)]
    assert pairs(old, new) == [(0, 1), (1, None), (2, 0)]


def test_an_id_alone_pairs_only_where_ids_were_kept():
    old, new = [box(0, id=1)], [box(500, id=1)]
    assert pairs(old, new, ids=KEPT) == [(0, 0)]
    assert pairs(old, new, ids=RENUMBERED) == [(0, None), (None, 0)]
    assert pairs(old, new) == [(0, None), (None, 0)]
    still = [box(50 * at, 80, id=at + 2) for at in range(3)]
    assert pairs(old + still, new + still)[0] == (0, 0)


def test_equal_ids_decide_between_equals_where_ids_were_kept():
    old = [box(0, id=1), box(2, id=2)]
    new = [box(1, id=2), box(1, y=0.5, id=1)]
    assert pairs(old, new, ids=KEPT) == [(0, 1), (1, 0)]


def test_an_id_of_several_annotations_tells_nothing():
    old, new = [box(0, id=1), box(40, id=1)], [box(500, id=1)]
    assert pairs(old, new, ids=KEPT) == [(0, None), (1, None), (None, 0)]


def test_another_label_still_pairs_but_the_same_label_is_preferred():
    assert pairs([box(0, label="cat")], [box(1, label="dog")]) == [(0, 0)]
    new = [box(1, label="dog"), box(1, label="cat")]
    assert pairs([box(0, label="cat")], new) == [(0, 1), (None, 0)]


def test_a_polygon_replaced_by_its_box_pairs_across_kinds():
    polygon = Polygon(parts=[[[0.0, 0.0, 10.0, 0.0, 0.0, 10.0]]], label="cat")
    assert pairs([polygon], [box(0, label="cat")]) == [(0, 0)]
    both = [box(0, label="cat"), polygon.with_(parts=[[[0.0, 0.0, 10.0, 0.0, 0.0, 9.0]]])]
    assert pairs([polygon], both) == [(0, 1), (None, 0)]


def person(x, group, shift=0.0, pose=0.0):
    x += shift
    return [
        Polygon(parts=[[[x, 0.0, x + 40, 0.0, x + 40, 90.0, x, 90.0]]], label="p", group=group),
        Points(points=[x + 5 + pose, 5.0, x + 30 - pose, 80.0 - 2 * pose], label="p", group=group),
    ]


def test_instances_pair_before_their_parts():
    # The keypoints are wholly new, yet they belong to the person whose outline stayed.
    old = [*person(0.0, 1), *person(30.0, 2)]
    new = [*person(30.0, 1, pose=12.0), *person(0.0, 2, pose=12.0)]
    assert pairs(old, new) == [(0, 2), (1, 3), (2, 0), (3, 1)]


def test_equal_parts_follow_their_instance():
    old = [box(0, group=1), box(50, group=1), box(0, group=2), box(90, group=2)]
    new = [old[2], old[3], old[0], old[1].with_(x=52.0)]
    assert pairs(old, new) == [(0, 2), (1, 3), (2, 0), (3, 1)]


def test_a_part_that_left_its_instance_is_still_found():
    old = [box(0, group=1), box(50, group=1)]
    new = [box(0), box(51)]
    assert pairs(old, new) == [(0, 0), (1, 1)]


def test_tracks_pair_before_similarity():
    old = [box(0, track=1), box(100, track=2)]
    new = [box(98, track=1), box(2, track=2)]
    assert pairs(old, new) == [(0, 0), (1, 1)]


def test_renumbered_tracks_are_no_reason_to_pair():
    still = [box(200 + 40 * at, track=at + 10) for at in range(3)]
    old = [box(0, track=1), box(100, track=2), *still]
    new = [box(98, track=1), box(2, track=2), *(one.with_(track=one.track + 5) for one in still)]
    assert pairs(old, new)[:2] == [(0, 1), (1, 0)]


def test_the_one_label_of_both_sides_is_the_same_one():
    assert pairs([Label(label="cat")], [Label(label="dog")]) == [(0, 0)]
    two = [Label(label="cat"), Label(label="dog")]
    three = [Label(label="cat"), Label(label="cow")]
    assert pairs(two, three) == [(0, 0), (1, None), (None, 1)]


def test_captions_pair_by_their_text():
    old = [Caption(caption="a cat on a mat"), Caption(caption="two dogs at the beach")]
    new = [Caption(caption="two dogs on the beach"), Caption(caption="nothing to be seen, fog")]
    assert pairs(old, new) == [(0, None), (1, 0), (None, 1)]


def test_an_empty_mask_and_a_box_that_is_not_finite_stay_alone():
    old = [Mask(size=(4, 4), counts="`0"), box(float("inf"))]
    assert pairs(old, [box(0)]) == [(0, None), (1, None), (None, 0)]


@pytest.mark.parametrize("shuffled", [False, True])
def test_a_hundred_thousand_boxes_in_one_image_pair_right(shuffled):
    draw = random.Random(3)
    old = [
        box(draw.uniform(0, 20000), draw.uniform(0, 20000), 40, 40, id=at + 1)
        for at in range(100_000)
    ]
    new = [note.with_(x=note.x + 1.5, id=200_000 - note.id) for note in old]
    if shuffled:
        draw.shuffle(new)
    start = time.perf_counter()
    found = pair_annotations(old, new)
    assert time.perf_counter() - start < 10  # 1 to 2 s on two busy cores
    right = sum(
        old[one.old].id == 200_000 - new[one.new].id for one in found if one.new is not None
    )
    assert right >= 99_990


def test_thousands_of_shapes_on_one_spot_do_not_exhaust_memory():
    old = [box(0.001 * at) for at in range(6000)]
    new = [box(0.001 * at + 0.0003) for at in range(6000)]
    assert all(None not in pair for pair in pairs(old[:300], new[:300]))
    assert len(pairs(old, old)) == 6000
