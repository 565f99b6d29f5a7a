"""Lists of labels of several voters as one."""

import pytest

from dvcs.errors import ConflictError
from dvcs.model import AttributeSpec, Category, Labels
from dvcs.vote import Voter, unite_labels


def unite(*lists):
    return unite_labels([Voter(f"v{n + 1}", Labels(one)) for n, one in enumerate(lists)])


def test_the_order_is_the_first_voters_then_what_others_add():
    labels, keys, differences = unite(["cat", "dog"], ["bird", "dog"], ["cow", "bird"])
    assert labels.names == ("cat", "dog", "bird", "cow")
    assert keys == ({}, {}, {})
    assert differences == ()


def test_a_renamed_label_is_the_same_and_the_difference_is_told():
    renamed = Category(name="kitty", key="cat")
    labels, keys, differences = unite(["cat"], [renamed], ["cat"])
    assert labels.names == ("cat",)
    assert keys == ({}, {}, {})
    (told,) = differences
    assert (told.key, told.field) == ("cat", "name")
    assert [(vote.value, vote.voters) for vote in told.votes] == [
        ("cat", ("v1", "v3")),
        ("kitty", ("v2",)),
    ]


def test_labels_of_one_name_and_two_keys_are_one():
    labels, keys, _ = unite(["cat"], [Category(name="cat", key="animal")])
    assert [one.key for one in labels] == ["cat"]
    assert keys == ({}, {"animal": "cat"})


def test_a_name_that_a_voter_gave_to_another_label_does_not_unite_two_of_its_labels():
    swapped = [Category(name="kitty", key="cat"), Category(name="cat", key="lion")]
    labels, keys, _ = unite(["cat"], swapped)
    assert [(one.key, one.name) for one in labels] == [("cat", "cat"), ("lion", "cat-2")]
    assert keys == ({}, {})


def test_what_the_first_voter_does_not_say_others_do():
    plain, rich = Category(name="cat"), Category(name="cat", id=7, color=(1, 2, 3), parent="animal")
    labels = unite([plain], [rich]).labels
    assert labels["cat"] == rich


def test_numbers_of_different_labels_stay_different():
    labels = unite([Category(name="cat", id=1)], [Category(name="dog", id=1)]).labels
    assert [one.id for one in labels] == [1, 2]


def test_other_keypoints_of_one_label_are_refused():
    one = Category(name="man", keypoints=("head", "foot"))
    other = Category(name="man", keypoints=("foot", "head"))
    with pytest.raises(ConflictError, match="'man' has other keypoints at 'v2' than at 'v1'"):
        unite([one], [other])
    assert unite([one], [Category(name="man")]).labels["man"] == one


def test_declared_attributes_and_extra_are_united():
    first = Labels(["cat"], attributes=[AttributeSpec(name="a")], extra={"coco": {"x": 1}})
    second = Labels(["cat"], attributes=[AttributeSpec(name="b")], extra={"coco": {"x": 2, "y": 3}})
    labels = unite_labels([Voter("v1", first), Voter("v2", second)]).labels
    assert [one.name for one in labels.attributes] == ["a", "b"]
    assert labels.extra == {"coco": {"x": 1, "y": 3}}
