"""Labels across versions: keys stay with what they mean."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvcs.errors import BranchMoved
from dvcs.model import Category, Labels
from dvcs.repository.labels import merge_labels, united_by_key, with_known_keys


def keyed(*labels: tuple[str, str] | tuple[str, str, int]) -> Labels:
    """Return labels of key, name and perhaps id."""
    return Labels(
        Category(key=one[0], name=one[1], id=one[2] if len(one) > 2 else None) for one in labels
    )


def pairs(labels: Labels) -> list[tuple[str, str]]:
    return [(one.key, one.name) for one in labels]


def test_the_same_name_keeps_its_key_at_any_place():
    old = keyed(("cat", "feline", 1), ("dog", "dog", 2))
    new = keyed(("new", "new", 1), ("dog", "dog", 2), ("feline", "feline", 3))
    assert pairs(with_known_keys(old, new)) == [("new", "new"), ("dog", "dog"), ("cat", "feline")]


def test_a_new_name_with_the_id_of_a_label_that_is_gone_is_a_rename():
    old = keyed(("cat", "cat", 1), ("dog", "dog", 2))
    new = keyed(("feline", "feline", 1), ("dog", "dog", 2))
    assert pairs(with_known_keys(old, new)) == [("cat", "feline"), ("dog", "dog")]


def test_names_that_changed_places_are_no_renames():
    old = keyed(("cat", "cat", 1), ("dog", "dog", 2))
    new = keyed(("dog", "dog", 1), ("cat", "cat", 2))
    assert pairs(with_known_keys(old, new)) == [("dog", "dog"), ("cat", "cat")]


def test_without_ids_nothing_is_guessed():
    assert pairs(with_known_keys(Labels(["cat"]), Labels(["feline"]))) == [("feline", "feline")]


def test_a_name_used_again_for_something_new_gets_another_key():
    old = keyed(("cat", "feline", 1))
    new = keyed(("feline", "feline", 1), ("cat", "cat", 2))
    assert pairs(with_known_keys(old, new)) == [("cat", "feline"), ("cat#2", "cat")]
    third = keyed(("a", "feline", 1), ("b", "tom", 2), ("cat", "cat", 3))
    assert pairs(with_known_keys(with_known_keys(old, new), third)) == [
        ("cat", "feline"),
        ("b", "tom"),
        ("cat#2", "cat"),
    ]
    fourth = keyed(("feline", "feline", 1), ("tom", "tom", 2))
    assert pairs(with_known_keys(with_known_keys(old, new), fourth)) == [
        ("cat", "feline"),
        ("cat#2", "tom"),
    ]


NAMES = st.lists(st.sampled_from("abcdefg#"), unique=True)


@given(NAMES, NAMES, NAMES)
def test_keys_stay_unique_and_names_as_given(first, second, third):
    labels = Labels(first)
    for names in (second, third, first):
        numbered = Labels(Category(name=name, id=n) for n, name in enumerate(names))
        labels = with_known_keys(labels, numbered)
        assert labels.names == tuple(names)
        assert len({one.key for one in labels}) == len(names)


def test_an_update_keeps_labels_that_the_new_version_lacks():
    new = keyed(("dog", "hound"))
    old = keyed(("cat", "cat"), ("dog", "dog"))
    assert pairs(united_by_key(new, old)) == [("dog", "hound"), ("cat", "cat")]


BASE = keyed(("cat", "cat"), ("dog", "dog"))


@pytest.mark.parametrize(
    ("mine", "theirs", "expected"),
    [
        ([("cat", "cat"), ("dog", "dog")], [("dog", "dog")], [("dog", "dog")]),
        ([("dog", "dog")], [("cat", "cat"), ("dog", "dog")], [("dog", "dog")]),
        (
            [("cat", "x"), ("dog", "dog")],
            [("cat", "cat"), ("dog", "y")],
            [("cat", "x"), ("dog", "y")],
        ),
        (
            [("cat", "cat"), ("dog", "dog"), ("m", "m")],
            [("t", "t"), ("cat", "cat"), ("dog", "dog")],
            [("t", "t"), ("cat", "cat"), ("dog", "dog"), ("m", "m")],
        ),
        ([("cat", "x")], [("cat", "x"), ("dog", "dog")], [("cat", "x")]),
        (
            [("cat", "cat"), ("dog", "dog"), ("n", "n")],
            [("cat", "cat"), ("dog", "dog"), ("n", "n")],
            [("cat", "cat"), ("dog", "dog"), ("n", "n")],
        ),
    ],
)
def test_changes_of_both_sides_are_merged(mine, theirs, expected):
    assert pairs(merge_labels(BASE, keyed(*mine), keyed(*theirs))) == expected


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        ([("cat", "x"), ("dog", "dog")], [("cat", "y"), ("dog", "dog")]),
        ([("cat", "x"), ("dog", "dog")], [("dog", "dog")]),
        ([("dog", "dog")], [("cat", "x"), ("dog", "dog")]),
        ([("cat", "z"), ("dog", "dog")], [("cat", "cat"), ("dog", "z")]),
        ([("cat", "cat"), ("dog", "dog"), ("n", "n", 1)], [("n", "n", 2)]),
    ],
)
def test_what_cannot_be_merged_is_refused(mine, theirs):
    with pytest.raises(BranchMoved):
        merge_labels(BASE, keyed(*mine), keyed(*theirs))
