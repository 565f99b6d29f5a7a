"""Annotations that both sides have alike are not even decoded, and nothing is missed by that."""

import gc

from hypothesis import example, given, settings
from hypothesis import strategies as st

from dvcs.compare import IdTrust, Knowledge, compare_items
from dvcs.compare.summary import item_report
from dvcs.model import Bbox, Dataset, Item, Label
from dvcs.objects.items import decode_item, encode_item
from dvcs.repository import Repository
from dvcs.repository.diffing import _without_common_lines
from tests.test_merge_properties import canonical, edited, states

CAT = Bbox(1.0, 2.0, 3.0, 4.0, label="cat")
NAMES = [Label(label="cat", id=1), Label(label="cat", id=2)]
OTHER = Label(label="dog", id=10)
DOG = CAT.with_(x=200.0, label="dog")


def _with_few_ids(side: Item) -> Item:
    notes = [note.with_(id=note.id % 3 + 1) for note in side.annotations]
    return canonical(side.with_(annotations=notes))


@st.composite
def versions(draw):
    old = draw(states())
    new = draw(edited(old))
    if draw(st.integers(0, 3)) == 0:  # ids that several annotations have
        old, new = map(_with_few_ids, (old, new))
    if draw(st.integers(0, 3)) == 0:  # ids that say nothing
        anonymous = draw(st.sampled_from([old, new]))
        notes = [note.with_(id=0) for note in anonymous.annotations]
        bare = canonical(anonymous.with_(annotations=notes))
        return (bare, new) if anonymous is old else (old, bare)
    return old, new


def changed(old: Item, new: Item):
    change = compare_items(old, new, knowledge=Knowledge(IdTrust(equal=10, kept=10)))
    return None if change is None else item_report(change)


@given(versions())
@settings(max_examples=500)
@example((Item("i", annotations=[CAT.with_(id=1)]), Item("i", annotations=[CAT.with_(id=1)])))
@example((Item("i", annotations=[CAT, CAT]), Item("i", annotations=[CAT])))
@example((Item("i", annotations=NAMES), Item("i", annotations=[NAMES[0], OTHER])))
def test_what_is_left_tells_the_same_difference(sides):
    texts = [encode_item(side) for side in sides]
    *left, count = _without_common_lines(*texts)
    old, new = (decode_item(blobs, "i", "default") for blobs in left)
    assert len(old.annotations) + count == len(sides[0].annotations)
    assert len(new.annotations) + count == len(sides[1].annotations)
    assert changed(old, new) == changed(*map(canonical, sides))


def test_what_belongs_together_stays_together():
    pair = [CAT.with_(id=1, group=1), DOG.with_(id=2, group=1)]
    alone = DOG.with_(id=3, x=900.0)
    old, new = (
        encode_item(Item("i", annotations=notes))
        for notes in ([*pair, alone], [pair[0], pair[1].with_(label="cow"), alone])
    )
    assert _without_common_lines(old, new) == (old, new, 0)
    moved = encode_item(Item("i", annotations=[*pair, alone.with_(x=901.0)]))
    *_, count = _without_common_lines(old, moved)
    assert count == 2


def test_who_gets_changes_keeps_the_garbage_collector(tmp_path):
    with Repository.init(tmp_path / "r") as repo:
        for version in range(2):
            notes = [CAT.with_(id=1), DOG.with_(id=2, x=200.0 + version)]
            items = [Item(str(n), annotations=notes) for n in range(200)]
            repo.import_dataset(Dataset.from_items(items), name="a", mode=None)
        changes = repo.diff("HEAD~1", "HEAD")
        assert next(changes).status == "changed"
        assert gc.isenabled()
        assert sum(1 for _ in changes) == 199
