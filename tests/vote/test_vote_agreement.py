"""Kappas against textbooks and by hand; counts by voter and label."""

import msgspec
import pytest

from dvcs.model import Bbox, Caption, Item
from dvcs.vote import Agreement, Voter, plain_agreement, vote_items
from dvcs.vote.agreement import cohen_kappa, fleiss_kappa, fleiss_kappa_of

# Fleiss 1971 as commonly reprinted: 10 subjects, 14 raters, 5 categories; kappa 0.210.
TEXTBOOK = """
0 0 0 0 14
0 2 6 4 2
0 0 3 5 6
0 3 9 2 0
2 2 8 1 1
7 7 0 0 0
3 2 6 3 0
2 5 3 2 2
6 5 2 1 0
0 2 2 3 7
"""


def table():
    rows = [list(map(int, line.split())) for line in TEXTBOOK.split("\n") if line]
    return [({str(n): count for n, count in enumerate(row) if count}, 1) for row in rows]


def test_fleiss_kappa_of_the_textbook():
    assert fleiss_kappa(table()) == pytest.approx(0.20993, abs=5e-6)


def test_fleiss_kappa_of_one_rating():
    # By hand: category 1 has 20 of 140 ratings; the sum of n(14 - n) over its rows is
    # 24 + 49 + 33 + 24 + 48 = 178; 1 - 178 / (10 * 14 * 13 * 1/7 * 6/7).
    assert fleiss_kappa_of(table(), "0") == pytest.approx(1 - 178 / (1820 * 6 / 49))


def test_the_mean_of_the_kappas_of_all_ratings_weighed_is_that_of_all():
    shares = [20 / 140, 28 / 140, 39 / 140, 21 / 140, 32 / 140]
    weights = [share * (1 - share) for share in shares]
    kappas = [fleiss_kappa_of(table(), str(n)) for n in range(5)]
    mean = sum(w * k for w, k in zip(weights, kappas, strict=True)) / sum(weights)
    assert mean == pytest.approx(fleiss_kappa(table()))


def test_units_with_fewer_raters_count_with_theirs_and_single_ratings_not():
    rows = [({"a": 2}, 3), ({"a": 1, "b": 2}, 1), ({"b": 1}, 50)]
    # Agreement 1, 1, 1, 1/3; ratings a 7 of 9, b 2 of 9.
    mean, chance = (3 + 1 / 3) / 4, (49 + 4) / 81
    assert fleiss_kappa(rows) == pytest.approx((mean - chance) / (1 - chance))


def test_cohen_kappa_by_hand():
    # 50 grants: both yes 20, both no 15, one only 5 and 10. p = 0.7, e = 0.5.
    rated = {("y", "y"): 20, ("y", "n"): 5, ("n", "y"): 10, ("n", "n"): 15}
    assert cohen_kappa(rated) == pytest.approx(0.4)


def test_where_only_one_rating_is_used_there_is_no_kappa():
    assert cohen_kappa({("y", "y"): 20}) is None
    assert cohen_kappa({}) is None
    assert fleiss_kappa([({"y": 3}, 5)]) is None
    assert fleiss_kappa([]) is None
    assert fleiss_kappa_of([({"y": 3}, 5)], "y") is None


def box(x, label, w=10.0):
    return Bbox(x=float(x), y=0.0, w=w, h=10.0, label=label)


def report(*items):
    voters = [Voter("ann"), Voter("bob"), Voter("eve")]
    agreement = Agreement(voters)
    for ballot in items:
        agreement.add(vote_items(ballot, voters))
    return agreement.report()


def item(*notes, **fields):
    return Item("i", annotations=list(notes), **fields)


def test_counts_and_kappas_of_a_small_vote():
    found = report(
        (
            item(box(0, "cat"), box(100, "dog"), box(200, "cat"), Caption(caption="x")),
            item(box(0, "cat"), box(100, "cat"), box(300, "cow")),
            item(box(0, "cat"), box(100, "dog")),
        )
    )
    assert (found.items, found.units) == (1, 4)
    ann_bob = found.pairs[0]
    assert (ann_bob.first, ann_bob.second) == ("ann", "bob")
    assert (ann_bob.units, ann_bob.both, ann_bob.alike) == (4, 2, 1)
    assert (ann_bob.only_first, ann_bob.only_second) == (1, 1)
    # ann: cat dog cat absent; bob: cat cat absent cow. p = 1/4, e = (2*2 + 1*1) / 16.
    assert ann_bob.kappa == pytest.approx((1 / 4 - 5 / 16) / (1 - 5 / 16))
    assert found.matrix[0][1] == found.matrix[1][0] == ann_bob.kappa
    assert found.matrix[2][2] == 1.0
    # Pairs alike: 3, 1, 1 and 1 of 3 each; ratings: cat 5, dog 2, cow 1, absent 4 of 12.
    chance = (25 + 4 + 1 + 16) / 144
    assert found.fleiss == pytest.approx((1 / 2 - chance) / (1 - chance))
    rows = {(one.voter, one.label): one for one in found.labels}
    assert rows["bob", "dog"].relabelled == rows["bob", "dog"].matched == 1
    assert (rows["ann", "cat"].matched, rows["ann", "cat"].extra) == (1, 1)
    assert (rows["bob", "cat"].missing, rows["eve", "cow"].missing) == (1, 1)
    assert rows["ann", "cat"].mean_similarity == 1.0
    assert rows["bob", "cow"].mean_similarity is None


def test_the_mean_similarity_of_each_voter_is_to_the_others():
    # IoU of widths 10 and 8 is 0.8, of 10 and 10 it is 1.
    found = report((item(box(0, "a")), item(box(0, "a", 8.0)), item(box(0, "a"))))
    assert [one.mean_similarity for one in found.labels] == pytest.approx([0.9, 0.8, 0.9])


def test_who_was_not_assigned_an_item_does_not_rate_it():
    found = report(
        (item(box(0, "cat")), item(box(0, "cat")), None),
        (item(box(0, "cat")), item(box(0, "dog")), item(annotated=False)),
    )
    assert [pair.units for pair in found.pairs] == [2, 0, 0]
    assert found.matrix[0][2] is None
    assert {one.voter for one in found.labels} == {"ann", "bob"}


def test_a_report_is_json():
    plain = plain_agreement(report((item(box(0, "cat")), item(), item(box(0, None)))))
    again = msgspec.json.decode(msgspec.json.encode(plain))
    assert again["voters"] == ["ann", "bob", "eve"]
    assert set(again["label_kappas"]) == {"", "cat"}
