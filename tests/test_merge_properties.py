"""What holds for every merge of items, whatever their history."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvcs.compare import IdTrust, compare_items, key
from dvcs.merge import Context, Counts, Decision, Judge, Options, merge_items
from dvcs.merge.pairing import Sides, align
from dvcs.model import Bbox, Caption, Item, Label, Media, MediaFile
from dvcs.objects.items import decode_item, encode_item

KEPT = IdTrust(equal=10, kept=10)

boxes = st.builds(
    Bbox,
    x=st.integers(0, 6).map(lambda n: n * 40.0),
    y=st.just(0.0),
    w=st.just(20.0),
    h=st.just(20.0),
    label=st.sampled_from(["cat", "dog"]),
    group=st.integers(0, 2),
    attributes=st.dictionaries(st.sampled_from("ab"), st.integers(0, 2), max_size=2),
)
others = st.builds(Label, label=st.sampled_from(["cat", "dog"])) | st.builds(
    Caption, caption=st.sampled_from(["a cat", "a cow", "nothing"])
)
media = st.none() | st.builds(
    lambda sha, width: Media(files=(MediaFile(ext=".png", sha256=sha * 64),), width=width),
    st.sampled_from("ab"),
    st.none() | st.just(5),
)


def canonical(one):
    """Return an item as it is stored: sorted, groups numbered."""
    return None if one is None else decode_item(encode_item(one), one.id, one.subset)


@st.composite
def states(draw):
    """An item whose annotations have ids."""
    notes = [
        one.with_(id=n + 1) for n, one in enumerate(draw(st.lists(boxes | others, max_size=4)))
    ]
    attributes = draw(st.dictionaries(st.sampled_from("xy"), st.integers(0, 2), max_size=2))
    return canonical(Item("i", annotations=notes, attributes=attributes, media=draw(media)))


@st.composite
def changes(draw, note):
    """An annotation as somebody left it; None: deleted."""
    what = draw(st.sampled_from(["keep", "keep", "move", "relabel", "set", "delete"]))
    if what == "delete":
        return None
    if what == "move" and isinstance(note, Bbox):
        return note.with_(x=note.x + draw(st.sampled_from([-6.0, 0.25, 6.0])))
    if what == "relabel" and note.label is not None:
        return note.with_(label=draw(st.sampled_from(["cow", "pig"])))
    if what == "set":
        return note.with_(attributes={**note.attributes, "a": draw(st.integers(3, 5))})
    return note


@st.composite
def edited(draw, base):
    """A state of an item made from another: moves, relabels, deletions, additions."""
    notes = [changed for one in base.annotations if (changed := draw(changes(one))) is not None]
    notes += [
        draw(boxes | others).with_(id=10 + n, group=0) for n in range(draw(st.integers(0, 2)))
    ]
    attributes = {**base.attributes, **draw(st.just({}) | st.just({"x": 7}) | st.just({"y": 8}))}
    return canonical(base.with_(annotations=notes, attributes=attributes))


@st.composite
def histories(draw):
    base = draw(states())
    return base, draw(edited(base)), draw(edited(base))


def merge(base, ours, theirs, *, strategy="three-way", decisions=None):
    judge, counts = Judge(decisions, strategy=strategy), Counts()
    context = Context(judge=judge, options=Options(), counts=counts, trust=(KEPT, KEPT))
    return canonical(merge_items(base, ours, theirs, context)), judge.conflicts, counts


def contents(one):
    """Return what the annotations say, without numbers and order."""
    return Counter() if one is None else Counter(map(key, one.annotations))


@given(states(), states())
def test_merged_with_itself_nothing_changes(a, base):
    assert merge(base, a, a)[:2] == (a, [])
    assert merge(None, a, a)[:2] == (a, [])


@given(histories())
def test_a_side_without_changes_gives_the_other_side(history):
    base, ours, _ = history
    assert merge(base, base, ours)[:2] == (ours, [])
    assert merge(base, ours, base)[:2] == (ours, [])
    assert merge(base, None, base)[:2] == (None, [])
    assert merge(base, base, None)[:2] == (None, [])


@given(histories())
def test_the_sides_may_change_places(history):
    base, ours, theirs = history
    one, conflicts, counts = merge(base, ours, theirs)
    other, swapped, _ = merge(base, theirs, ours)
    assert Counter(x.kind for x in conflicts) == Counter(x.kind for x in swapped)
    if not conflicts and not counts.settled and not counts.united:
        assert contents(one) == contents(other)


@given(histories())
def test_sides_change_places_with_their_strategies(history):
    base, ours, theirs = history
    one, conflicts, counts = merge(base, ours, theirs, strategy="theirs")
    other, _, _ = merge(base, theirs, ours, strategy="ours")
    assert all(x.decision is not None for x in conflicts)
    if not counts.settled and not counts.united:
        assert contents(one) == contents(other)


@given(histories())
def test_no_annotation_disappears_without_a_conflict_or_a_deletion(history):
    base, ours, theirs = history
    merged, conflicts, counts = merge(base, ours, theirs)
    if conflicts:
        merged, left, counts = merge(base, ours, theirs, strategy="union")
        assert {x.kind for x in left if x.decision is None} <= {"attribute", "media"}
    if ours == theirs or any(one.kind == "media" for one in conflicts):
        return
    sides = Sides(base.annotations, ours.annotations, theirs.annotations)
    entries, _ = align(sides, Options(), (KEPT, KEPT))
    lasting = [one for one in entries if one.base is None or None not in one]
    assert len(merged.annotations) >= len(lasting) - counts.united


@given(histories())
def test_changes_that_do_not_touch_are_both_there(history):
    base, ours, theirs = history
    merged, conflicts, counts = merge(base, ours, theirs)
    if conflicts or counts.settled or counts.united or counts.renumbered:
        return
    before, mine, yours = contents(base), contents(ours), contents(theirs)
    if not (mine - before) & (yours - before) and not (before - mine) & (before - yours):
        # A change of both sides to one annotation is told apart by what is left of its old state.
        expected = before - (before - mine) - (before - yours) + (mine - before) + (yours - before)
        assert contents(merged).total() >= expected.total()
    for name in {*ours.attributes, *theirs.attributes}:
        expected = {side.attributes.get(name) for side in (ours, theirs)}
        assert merged.attributes[name] in expected


@given(histories(), st.sampled_from(["ours", "theirs"]))
def test_deciding_all_one_way_is_that_strategy(history, choice):
    base, ours, theirs = history
    _, conflicts, _ = merge(base, ours, theirs)
    decisions = {one.key: Decision(choice) for one in conflicts}
    by_hand, left, _ = merge(base, ours, theirs, decisions=decisions)
    assert all(one.decision is not None for one in left)
    assert by_hand == merge(base, ours, theirs, strategy=choice)[0]


@given(histories())
def test_decisions_are_independent_of_each_other(history):
    base, ours, theirs = history
    _, conflicts, _ = merge(base, ours, theirs)
    keys = [one.key for one in conflicts]
    assert len(set(keys)) == len(keys)
    for n, name in enumerate(keys):
        decisions = {name: Decision("theirs")}
        _, again, _ = merge(base, ours, theirs, decisions=decisions)
        assert [one.key for one in again] == keys
        assert [one.decision is not None for one in again] == [m == n for m in range(len(keys))]


@given(histories())
def test_a_merge_merged_once_more_changes_nothing(history):
    base, ours, theirs = history
    merged, conflicts, _ = merge(base, ours, theirs)
    if not conflicts:
        again, left, _ = merge(theirs, merged, theirs)
        assert (again, left) == (merged, [])


@given(histories())
def test_ids_stay_unique(history):
    for strategy in ("three-way", "union"):
        merged, _, _ = merge(*history, strategy=strategy)
        ids = [one.id for one in merged.annotations]
        assert len(set(ids)) == len(ids)


@given(histories())
def test_bases_that_disagree_leave_a_base_that_decides_nothing(history):
    """Merge bases merged are a base in which what they disagree about is unknown."""
    root, one, other = history
    judge = Judge(between_bases=True)
    virtual = merge_items(root, one, other, Context(judge=judge, trust=(KEPT, KEPT)))
    virtual = canonical(virtual)
    for side in (one, other):
        merged, conflicts, _ = merge(virtual, side, side)
        assert (merged, conflicts) == (side, [])
    plain, conflicts, _ = merge(root, one, other)
    if not conflicts:
        assert compare_items(plain, virtual) is None or virtual is None


def test_a_field_that_bases_disagree_about_has_no_base():
    def sides(*labels):
        return [
            Item("i", annotations=[Bbox(x=0.0, y=0.0, w=9.0, h=9.0, id=1, label=one)])
            for one in labels
        ]

    root, one, other = sides("cat", "dog", "cow")
    judge = Judge(between_bases=True)
    virtual = canonical(merge_items(root, one, other, Context(judge=judge, trust=(KEPT, KEPT))))
    for theirs, ours in ((one, other), (one, sides("pig")[0])):
        _, conflicts, _ = merge(virtual, ours, theirs)
        assert [x.key for x in conflicts] == ["1.label"]
        assert "base" not in conflicts[0].allowed
    moved = one.with_(annotations=[one.annotations[0].with_(x=3.0)])
    assert merge(virtual, moved, one)[:2] == (moved, [])


@pytest.mark.parametrize("count", [3000])
def test_many_annotations_take_no_time(count):
    base = Item(
        "i",
        annotations=[
            Bbox(x=n * 20.0, y=0.0, w=9.0, h=9.0, id=n + 1, group=n // 100 + 1)
            for n in range(count)
        ],
    )
    ours, theirs = (
        base.with_(annotations=[one.with_(label=label) for one in base.annotations])
        for label in ("cat", "dog")
    )
    merged, conflicts, _ = merge(base, ours, theirs)
    assert len(conflicts) == len(merged.annotations) == count
