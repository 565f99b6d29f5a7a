"""Pairing: the best total against brute force, all solvers alike, ties by lower indices."""

import itertools
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dvcs.errors import InvalidShape
from dvcs.geometry import pairing

tables = st.tuples(st.integers(1, 6), st.integers(1, 6)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=st.sampled_from([0, 0, 0.2, 0.5, 0.7, 1]))
)


def pair_table(table, **options):
    rows, cols = np.indices(table.shape).reshape(2, -1)
    return pairing.pair(*table.shape, rows, cols, table.ravel(), **options)


def best_total(table):
    table = table if table.shape[0] <= table.shape[1] else table.T
    orders = itertools.permutations(range(table.shape[1]), table.shape[0])
    return max(sum(table[i, j] for i, j in enumerate(order)) for order in orders)


def test_the_best_total_wins_over_the_best_pair():
    table = np.array([[0.9, 0.8], [0.8, 0.0]])

    assert pair_table(table) == [(0, 1, 0.8), (1, 0, 0.8)]


@given(tables)
def test_the_total_is_that_of_brute_force(table):
    pairs = pair_table(table)

    assert sum(score for _, _, score in pairs) == pytest.approx(best_total(table), abs=1e-9)
    assert len({i for i, _, _ in pairs}) == len({j for _, j, _ in pairs}) == len(pairs)
    assert all(table[i, j] == score > 0 for i, j, score in pairs)
    assert pairs == sorted(pairs)


@pytest.mark.parametrize("shape", [(7, 7), (30, 45), (45, 30), (60, 60)])
@pytest.mark.parametrize("density", [0.1, 0.5, 1.0])
def test_all_solvers_find_the_same(shape, density):
    rng = np.random.default_rng(int(density * 100) + shape[0])
    table = rng.random(shape) * (rng.random(shape) < density)
    r, c = np.nonzero(table)

    totals = []
    for solver in (pairing._assign_small, pairing._assign_dense, pairing._assign_sparse):
        column = solver(r, c, table[r, c], shape)
        chosen = [(i, j) for i, j in enumerate(column.tolist()) if 0 <= j < shape[1]]
        assert len({j for _, j in chosen}) == len(chosen)
        totals.append(sum(table[i, j] for i, j in chosen))

    assert totals[1:] == pytest.approx(totals[:1] * 2)


@pytest.mark.parametrize("limit", ["_SMALL", "_DENSE"])
def test_pairs_do_not_depend_on_the_solver(monkeypatch, limit):
    rng = np.random.default_rng(2)
    table = np.round(rng.random((14, 16)), 1)
    expected = pair_table(table)

    monkeypatch.setattr(pairing, "_SMALL", 0)
    monkeypatch.setattr(pairing, limit, 0)

    assert pair_table(table) == expected


def test_components_are_the_same_however_they_are_found(monkeypatch):
    rng = np.random.default_rng(6)
    table = rng.random((60, 60)) * (rng.random((60, 60)) < 0.02)
    expected = pair_table(table)

    monkeypatch.setattr(pairing, "_MANY", 0)

    assert pair_table(table) == expected


@pytest.mark.parametrize(
    "shape", [(1, 1), (1, 4), (4, 1), (2, 2), (3, 5), (5, 3), (12, 12), (15, 15)]
)
def test_equals_pair_in_order_and_low_indices_first(shape):
    few = min(shape)

    assert pair_table(np.ones(shape)) == [(i, i, 1.0) for i in range(few)]


def test_of_equal_totals_the_one_with_more_pairs_is_taken():
    table = np.array([[0.5, 1.0], [0.0, 0.5]])

    assert pair_table(table) == [(0, 0, 0.5), (1, 1, 0.5)]


def test_scores_below_the_minimum_are_no_pairs():
    table = np.array([[0.9, 0.8], [0.8, 0.3]])

    assert pair_table(table, minimum=0.85) == [(0, 0, 0.9)]
    assert pair_table(np.zeros((2, 2))) == []
    assert pairing.pair(0, 0, [], [], []) == []


def test_of_a_pair_named_twice_the_better_score_counts():
    assert pairing.pair(2, 2, [0, 0, 1, 0], [0, 0, 1, 1], [0.3, 0.6, 0.5, 0.1]) == [
        (0, 0, 0.6),
        (1, 1, 0.5),
    ]


def test_boxes_pair_by_iou():
    a = [[0, 0, 10, 10], [100, 0, 10, 10], [0, 0, 0, 0], [7, 7, 0, 0], [7, 7, 0, 0]]
    b = [[7, 7, 0, 0], [101, 0, 10, 10], [0, 0, 10, 12], [200, 0, 5, 5], [7, 7, 0, 0]]

    assert pairing.pair_boxes(a, b, 0.5) == [
        (0, 2, pytest.approx(100 / 120)),
        (1, 1, pytest.approx(90 / 110)),
        (3, 0, 1.0),
        (4, 4, 1.0),
    ]


@pytest.mark.timeout(60)
def test_crowded_boxes_of_one_large_component_end():
    rng = np.random.default_rng(9)
    a = np.column_stack([rng.random((1000, 2)) * 200, rng.random((1000, 2)) * 100 + 50])

    pairs = pairing.pair_boxes(a, a + rng.random(a.shape), 0.0)

    assert [j for _, j, _ in pairs] == list(range(1000))


def test_5000_boxes_that_a_converter_left_at_zero_pair_at_once():
    zeros = np.zeros((5000, 4))

    assert pairing.pair_boxes(zeros, zeros) == [(i, i, 1.0) for i in range(5000)]


def test_small_components_need_no_scipy():
    code = (
        "import sys; from dvcs.geometry import pairing; "
        "pairing.pair(3, 3, [0, 0, 1, 1, 2], [0, 1, 0, 1, 1], [.9, .8, .8, .1, .3]); "
        "sys.exit('scipy' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("rows", "cols", "scores"),
    [
        ([0], [0], [float("nan")]),
        ([0], [0], [float("inf")]),
        ([2], [0], [0.5]),
        ([0], [-1], [0.5]),
        ([0, 1], [0], [0.5]),
        ([0], [0], [0.5, 0.5]),
    ],
)
def test_impossible_candidates_are_refused(rows, cols, scores):
    with pytest.raises(InvalidShape):
        pairing.pair(2, 2, rows, cols, scores)
