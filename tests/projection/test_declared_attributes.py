"""Attributes of labels: those that a writer declares because annotations have them are no edit."""

import pytest

from dvcs.model import AttributeSpec, Category, Labels
from dvcs.projection import edited_labels

AGE = AttributeSpec(name="age", type="number")
BREED = AttributeSpec(name="breed", type="select", values=("a", "b"))
CROWD = AttributeSpec(name="is_crowd", type="checkbox", default=False)
FULL = Labels([Category(name="cat", attributes=(AGE, BREED)), Category(name="dog", id=7)])


def labels(cat: tuple[AttributeSpec, ...], dog: tuple[AttributeSpec, ...] = ()) -> Labels:
    return Labels([Category(name="cat", attributes=cat), Category(name="dog", attributes=dog)])


@pytest.mark.parametrize(
    ("shown", "edited"),
    [
        (labels((AGE, BREED, CROWD)), labels((AGE, BREED))),
        (labels((AGE, BREED, CROWD)), labels((AGE, BREED), (CROWD,))),
        (labels((AGE, BREED, CROWD)), labels((AGE, BREED, CROWD), (CROWD,))),
        (labels((AGE, BREED), (AGE,)), labels((AGE, BREED))),
        (labels((AGE,)), labels((AGE,))),
    ],
)
def test_what_the_writer_declared_is_no_edit(shown: Labels, edited: Labels):
    assert edited_labels(FULL, shown, edited) == FULL


COLOUR = AttributeSpec(name="colour", type="text")
MORE = AttributeSpec(name="breed", type="select", values=("a", "b", "c"))


@pytest.mark.parametrize(
    ("shown", "edited", "cat", "dog"),
    [
        ((AGE, BREED, CROWD), labels((AGE, BREED, CROWD, COLOUR)), (AGE, BREED, COLOUR), ()),
        ((AGE, BREED), labels((AGE, MORE)), (AGE, MORE), ()),
        ((AGE, BREED, CROWD), labels((AGE, CROWD)), (AGE,), ()),
        ((AGE, BREED), labels((BREED, AGE)), (BREED, AGE), ()),
        ((AGE, BREED), labels((AGE, BREED), (AGE,)), (AGE, BREED), (AGE,)),
    ],
)
def test_what_somebody_declared_is_an_edit(shown, edited, cat, dog):
    after = edited_labels(FULL, labels(shown), edited)
    assert [one.attributes for one in after] == [cat, dog]
    assert after["dog"].id == 7
