"""Lists of labels and settings, merged by key."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvcs.merge import Counts, Decision, Judge, merge_labels, merge_order, merge_settings
from dvcs.merge.labels import fates, still_used
from dvcs.merge.settings import to_toml
from dvcs.model import AttributeSpec, Category, Labels


def merged(base, ours, theirs, decisions=None, strategy="three-way"):
    judge = Judge(
        {
            key: one if isinstance(one, Decision) else Decision(one)
            for key, one in (decisions or {}).items()
        },
        strategy=strategy,
    )
    sides = [one if isinstance(one, Labels) else Labels(one) for one in (base, ours, theirs)]
    counts = Counts()
    found = merge_labels(*sides, judge, counts)
    return found, [one.key for one in judge.conflicts if one.decision is None], counts


def named(key, name, **fields):
    return Category(key=key, name=name, **fields)


def test_additions_of_both_sides_are_united():
    found, conflicts, _ = merged(["a"], ["a", "b"], ["n", "a", "c"])
    assert found.labels.names == ("n", "a", "b", "c")
    assert conflicts == []


def test_a_new_order_is_taken_over():
    found, _, _ = merged(["a", "b", "c"], ["a", "b", "c", "d"], ["c", "a", "b"])
    assert found.labels.names == ("c", "a", "b", "d")


def test_a_rename_and_another_field_of_one_label():
    found, conflicts, _ = merged(
        ["cat"], [named("cat", "feline")], [named("cat", "cat", color=(1, 2, 3))]
    )
    assert found.labels.categories == (named("cat", "feline", color=(1, 2, 3)),)
    assert conflicts == []


@pytest.mark.parametrize(
    ("choice", "name"), [("ours", "feline"), ("theirs", "kitten"), ("base", "cat")]
)
def test_a_label_renamed_twice(choice, name):
    sides = ["cat"], [named("cat", "feline")], [named("cat", "kitten")]
    assert merged(*sides)[1] == ["label:cat.name"]
    found, conflicts, _ = merged(*sides, {"label:cat.name": choice})
    assert (found.labels.names, conflicts) == ((name,), [])


def test_a_parent_follows_the_rename_of_its_label():
    base = [named("animal", "animal")]
    ours = [named("animal", "beast")]
    theirs = [named("animal", "animal"), named("cat", "cat", parent="animal")]
    found, conflicts, _ = merged(base, ours, theirs)
    assert found.labels["cat"].parent == "beast"
    assert conflicts == []


def test_numbers_that_both_sides_gave_are_no_identities():
    found, conflicts, counts = merged(
        [named("a", "a", id=1)],
        [named("a", "a", id=1), named("b", "b", id=2)],
        [named("a", "a", id=1), named("c", "c", id=2)],
    )
    assert {one.name: one.id for one in found.labels} == {"a": 1, "b": 2, "c": 3}
    assert (conflicts, counts.renumbered) == ([], 1)


def test_one_label_added_on_both_sides_with_other_colours():
    sides = [], [named("a", "a", id=1, color=(1, 1, 1))], [named("a", "a", id=2, color=(2, 2, 2))]
    assert merged(*sides)[1] == ["label:a.color"]
    found, _, _ = merged(*sides, {"label:a.color": "theirs"})
    assert found.labels.categories == (named("a", "a", id=1, color=(2, 2, 2)),)


@pytest.mark.parametrize(
    ("choice", "names", "replaced"),
    [
        ("ours", {"cat": "dog", "dog": "dog_2"}, {}),
        ("theirs", {"cat": "dog_2", "dog": "dog"}, {}),
        ("union", {"cat": "dog"}, {"dog": "cat"}),
        (Decision("value", "hound"), {"cat": "dog", "dog": "hound"}, {}),
    ],
)
def test_two_labels_that_would_have_one_name(choice, names, replaced):
    sides = ["cat"], [named("cat", "dog")], ["cat", "dog"]
    assert merged(*sides)[1] == ["label:dog.name-taken"]
    found, conflicts, _ = merged(*sides, {"label:dog.name-taken": choice})
    assert {one.key: one.name for one in found.labels} == names
    assert (dict(found.replaced), conflicts) == (replaced, [])


@pytest.mark.parametrize(
    ("choice", "names"), [("ours", ()), ("theirs", ("cat",)), ("base", ("cat",))]
)
def test_deleted_here_and_changed_there(choice, names):
    sides = ["cat"], [], [named("cat", "cat", color=(1, 2, 3))]
    assert merged(*sides)[1] == ["label:cat.deleted"]
    found, conflicts, _ = merged(*sides, {"label:cat.deleted": choice})
    assert (found.labels.names, conflicts) == (names, [])


def test_a_deleted_label_that_is_used():
    found, conflicts, _ = merged(["cat", "dog"], ["dog"], ["cat", "dog", "cow"])
    assert (found.labels.names, list(found.deleted), conflicts) == (("dog", "cow"), ["cat"], [])
    used = {"cat": ["a/train/1", "a/train/2"]}
    ours = Labels(["dog"])
    outcomes = {}
    for name, one in {
        "open": None,
        "ours": Decision("ours"),
        "theirs": Decision("theirs"),
        "value": Decision("value", "dog"),
        "bad": Decision("value", "cat"),
    }.items():
        judge = Judge({"label:cat.used": one} if one else {})
        becomes = fates(found, ours, judge)
        labels = still_used(found, used, ours, judge)
        (conflict,) = judge.conflicts
        assert conflict.theirs == {"used": 2, "items": ["a/train/1", "a/train/2"]}
        outcomes[name] = labels.names, becomes, conflict.decision is None
    kept = ("dog", "cow", "cat")
    assert outcomes == {
        "open": (kept, {}, True),
        "ours": (("dog", "cow"), {"cat": None}, False),
        "theirs": (kept, {}, False),
        "value": (("dog", "cow"), {"cat": "dog"}, False),
        "bad": (kept, {}, True),
    }


def test_declared_attributes_merge_by_name():
    def specs(*names):
        return Labels(["a"], attributes=[AttributeSpec(name=one) for one in names])

    found, conflicts, _ = merged(specs("x"), specs("x", "y"), specs("x", "z"))
    assert [one.name for one in found.labels.attributes] == ["x", "y", "z"]
    assert conflicts == []


names = st.sampled_from("abcdef")
lists = st.lists(
    st.builds(named, names, names, id=st.integers(1, 3), parent=st.none() | names),
    max_size=5,
    unique_by=(lambda one: one.key, lambda one: one.name),
).map(Labels)


@given(lists, lists)
def test_a_side_without_changes_gives_the_other_side(a, b):
    for sides, expected in (((a, a, b), b), ((a, b, a), b), ((a, b, b), b)):
        found, conflicts, _ = merged(*sides)
        assert (found.labels, conflicts) == (expected, [])


@given(lists, lists, lists, st.sampled_from(["three-way", "ours", "theirs", "union"]))
def test_names_and_keys_stay_unique_whatever_is_decided(a, b, c, strategy):
    found, _, _ = merged(a, b, c, strategy=strategy)
    keys = [one.key for one in found.labels]
    assert len(set(keys)) == len(keys)
    assert set(keys) | found.deleted.keys() | found.replaced.keys() >= {one.key for one in c}


@given(lists, lists, lists)
def test_the_sides_may_change_places(a, b, c):
    one, other = merged(a, b, c), merged(a, c, b)
    assert {x.key for x in one[0].labels} == {x.key for x in other[0].labels} or one[1] or other[1]
    assert bool(one[1]) == bool(other[1])


tokens = st.lists(st.integers(0, 9), max_size=8, unique=True)


@given(tokens, tokens, tokens)
def test_an_order_has_all_of_both_sides_once(a, b, c):
    found = merge_order(a, b, c)
    assert sorted(found) == sorted({*b, *c})
    assert merge_order(a, a, c)[: len(c)] == c or not set(a) <= set(c)


# -- settings ------------------------------------------------------------------------------------


def test_settings_merge_by_key():
    judge = Judge()
    base = {"validate": {"task": "detection", "level": 1}, "frozen": ["val"]}
    ours = {"validate": {"task": "detection", "level": 2}, "frozen": ["val"], "new": True}
    theirs = {"validate": {"task": "all", "level": 1}, "frozen": ["val", "test"]}
    found = merge_settings(base, ours, theirs, judge, place="dvcs.toml")
    assert found == {
        "validate": {"task": "all", "level": 2},
        "frozen": ["val", "test"],
        "new": True,
    }
    assert judge.conflicts == []


@pytest.mark.parametrize(
    ("choice", "value"), [("ours", 2), ("theirs", 3), ("base", 1), ("value", 9)]
)
def test_a_setting_changed_twice(choice, value):
    sides = {"a": {"b": 1}}, {"a": {"b": 2}}, {"a": {"b": 3}}
    judge = Judge()
    merge_settings(*sides, judge, place="dvcs.toml")
    assert [one.key for one in judge.conflicts] == ["dvcs.toml:a.b"]
    judge = Judge({"dvcs.toml:a.b": Decision(choice, 9)})
    assert merge_settings(*sides, judge, place="dvcs.toml") == {"a": {"b": value}}


keys = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=4)
values = st.recursive(
    st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False, allow_infinity=False) | keys,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(keys, values, max_size=4))
def test_what_is_written_as_toml_reads_back(settings):
    assert tomllib.loads(to_toml(settings)) == settings
