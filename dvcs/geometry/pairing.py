"""
Pair two sets of shapes so that the sum of their similarities is the largest possible.

The candidates form a sparse graph that falls into many small components; each is an assignment
problem of its own. Trivial ones are read off, small ones solved here (importing scipy takes 0.3 s,
more than a whole diff), larger ones by scipy: dense, or sparse where a table would be too large.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dvcs.errors import InvalidShape
from dvcs.geometry import boxes

_Floats = NDArray[np.float64]
_Indices = NDArray[np.int64]
_Edge = tuple[int, int, float]

# Steps (rows^2 * columns) that the solver in Python may take: 16 x 16 in 0.6 ms.
_SMALL = 4096

# Edges of a component up to which plain Python sees first whether it is a star.
_FEW = 64

# Edges beyond which scipy's search for components pays for its import.
_MANY = 2**17

# Cells of the largest table for scipy's dense solver: 32 MB.
_DENSE = 2**22

# By this much scores may be bent to break ties; nearer scores count as equal.
_TIE = 1e-9


def pair(
    count_a: int,
    count_b: int,
    rows: ArrayLike,
    cols: ArrayLike,
    scores: ArrayLike,
    *,
    minimum: float = 0.0,
) -> list[_Edge]:
    """
    Return pairs (i, j, score), each i and j at most once, with the largest possible sum of scores.

    `rows[k]`, `cols[k]`, `scores[k]` say that i of `count_a` and j of `count_b` may be paired;
    scores below `minimum`, and those of 0 or less, may not. Sorted by i. Deterministic: of
    equally good solutions the one with more pairs, then with lower indices, then in order (first
    with first) is taken, exactly so in components of up to about 30 nodes.
    Raises InvalidShape for indices out of range or scores that are not finite.
    """
    i, j, score = _check(count_a, count_b, rows, cols, scores)
    keep = (score > 0) & (score >= minimum)
    if not keep.all():
        i, j, score = i[keep], j[keep], score[keep]
    degree_i, degree_j = np.bincount(i, minlength=1), np.bincount(j, minlength=1)
    alone = (degree_i[i] == 1) & (degree_j[j] == 1)
    pairs = _edges(i[alone], j[alone], score[alone])
    if not alone.all():
        rest = ~alone
        i, j, score = i[rest], j[rest], score[rest]
        for few in _components(i, j):
            pairs += _solve(i[few], j[few], score[few])
        pairs.sort()
    return pairs


def pair_boxes(a: ArrayLike, b: ArrayLike, min_iou: float = 0.0) -> list[_Edge]:
    """
    Return pairs (i, j, IoU) of boxes x, y, w, h, (N, 4) and (M, 4), with the largest sum of IoU.

    Only pairs that overlap with an IoU of at least `min_iou` are made.
    """
    first, second = boxes.check(a), boxes.check(b)
    flat_a, flat_b = boxes.without_area(first), boxes.without_area(second)
    pairs = _pair_equal(first, np.flatnonzero(flat_a), second, np.flatnonzero(flat_b))
    rows, cols = np.flatnonzero(~flat_a), np.flatnonzero(~flat_b)
    i, j, score = boxes.candidates(first[rows], second[cols], min_iou)
    return sorted(pairs + pair(len(first), len(second), rows[i], cols[j], score))


def _pair_equal(a: _Floats, rows: _Indices, b: _Floats, cols: _Indices) -> list[_Edge]:
    """
    Pair identical boxes, the first with the first, without a table of all of them.

    A converter that writes zeros for every box would make it millions of cells.
    """
    waiting: dict[tuple[float, ...], list[int]] = {}
    for j, box in zip(reversed(cols.tolist()), reversed(b[cols].tolist()), strict=True):
        waiting.setdefault(tuple(box), []).append(j)
    pairs: list[_Edge] = []
    for i, box in zip(rows.tolist(), a[rows].tolist(), strict=True):
        if same := waiting.get(tuple(box)):
            pairs.append((i, same.pop(), 1.0))
    return pairs


def _check(
    count_a: int, count_b: int, rows: ArrayLike, cols: ArrayLike, scores: ArrayLike
) -> tuple[_Indices, _Indices, _Floats]:
    i, j = (np.asarray(index, dtype=np.int64).ravel() for index in (rows, cols))
    score = np.asarray(scores, dtype=np.float64).ravel()
    if not len(i) == len(j) == len(score):
        raise InvalidShape(f"'{len(i)}' rows, '{len(j)}' columns, '{len(score)}' scores to pair")
    for index, count in ((i, count_a), (j, count_b)):
        if len(index) and not 0 <= index.min() <= index.max() < count:
            raise InvalidShape(f"a pair names a shape that is not among '{count}'")
    if not np.isfinite(score).all():
        raise InvalidShape("the score of a pair is not a finite number")
    return i, j, score


def _edges(i: _Indices, j: _Indices, score: _Floats) -> list[_Edge]:
    return list(zip(i.tolist(), j.tolist(), score.tolist(), strict=True))


def _components(i: _Indices, j: _Indices) -> list[_Indices]:
    """Positions of the edges of each connected component."""
    if len(i) > _MANY:
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        first_b, last = int(i.max()) + 1, int(j.max()) + 1
        graph = coo_array((np.ones(len(i)), (i, j + first_b)), shape=(first_b + last,) * 2)
        label = connected_components(graph, directed=False)[1][i]
    else:
        label = np.array(_roots(i.tolist(), j.tolist()))
    order = np.argsort(label, kind="stable")
    starts = np.flatnonzero(np.diff(label[order])) + 1
    return np.split(order, starts)


def _roots(i: list[int], j: list[int]) -> list[int]:
    """Name of the component of each edge, by union-find."""
    parent: dict[int, int] = {}

    def root(node: int) -> int:
        while (above := parent.setdefault(node, node)) != node:
            parent[node] = node = parent[above]
        return node

    for row, col in zip(i, j, strict=True):
        parent[root(row)] = root(~col)  # ~col: a node of the other side
    return [root(row) for row in i]


def _solve(i: _Indices, j: _Indices, score: _Floats) -> list[_Edge]:
    """Assign within one component."""
    if len(i) <= _FEW:
        edges = _edges(i, j, score)
        rows, cols = sorted({row for row, _, _ in edges}), sorted({col for _, col, _ in edges})
        if len(rows) == 1 or len(cols) == 1:
            return [min(edges, key=lambda edge: (-edge[2], edge[0], edge[1]))]
    order = np.lexsort((-score, j, i))
    i, j, score = i[order], j[order], score[order]
    new = np.ones(len(i), dtype=np.bool_)  # of an edge listed twice, the better one
    new[1:] = (i[1:] != i[:-1]) | (j[1:] != j[:-1])
    i, j, score = i[new], j[new], score[new]
    rows_of, r = np.unique(i, return_inverse=True)
    cols_of, c = np.unique(j, return_inverse=True)
    size = len(rows_of), len(cols_of)
    bent = _break_ties(r, c, score, size)
    few, many = sorted(size)
    if few * few * many <= _SMALL:
        column = _assign_small(r, c, bent, size)
    elif few * many <= _DENSE:
        column = _assign_dense(r, c, bent, size)
    else:
        column = _assign_sparse(r, c, bent, size)
    chosen = column[r] == c
    return _edges(i[chosen], j[chosen], score[chosen])


def _break_ties(r: _Indices, c: _Indices, score: _Floats, size: tuple[int, int]) -> _Floats:
    """
    Add so little to each score that it only decides between equals, at most `_TIE` in all.

    Low indices are worth most; then r * c, whose sum is largest when low goes with low.
    """
    nodes = sum(size)
    unit = _TIE / (2.0 * nodes**3 * min(size))
    return score + unit * ((nodes - r - c) * float(nodes) ** 2 + r * c)


def _assign_small(r: _Indices, c: _Indices, score: _Floats, size: tuple[int, int]) -> _Indices:
    """Return the column of each row, solved on plain lists; rows^2 * columns steps."""
    if size[0] > size[1]:
        row_of = _assign_small(c, r, score, size[::-1])
        column = np.full(size[0], -1, dtype=np.int64)
        column[row_of] = np.arange(size[1])
        return column
    table = np.zeros(size)
    table[r, c] = -score
    return np.array(_hungarian(table.tolist(), *size), dtype=np.int64)


def _hungarian(cost: list[list[float]], rows: int, cols: int) -> list[int]:
    """
    Return the column of each row with the least sum of costs, rows <= columns.

    Hungarian method with shortest augmenting paths: rows join one by one, each by the cheapest
    chain of reassignments; prices keep all reduced costs at 0 or above (Jonker and Volgenant 1987).
    """
    row_price, col_price = [0.0] * rows, [0.0] * cols
    taken_by = [-1] * cols
    for new in range(rows):
        distance, came_from = [math.inf] * cols, [-1] * cols
        open_cols = list(range(cols))
        closed: list[int] = []
        row, col, reached = new, -1, 0.0
        while True:
            offset = reached - row_price[row]
            for c in open_cols:
                if (d := cost[row][c] - col_price[c] + offset) < distance[c]:
                    distance[c], came_from[c] = d, col
            col = min(open_cols, key=distance.__getitem__)
            reached = distance[col]
            row = taken_by[col]
            if row < 0:
                break
            open_cols.remove(col)
            closed.append(col)
        row_price[new] += reached
        for c in closed:
            row_price[taken_by[c]] += reached - distance[c]
            col_price[c] -= reached - distance[c]
        while col >= 0:
            before = came_from[col]
            taken_by[col] = taken_by[before] if before >= 0 else new
            col = before
    column = [-1] * rows
    for c, row in enumerate(taken_by):
        if row >= 0:
            column[row] = c
    return column


def _assign_dense(r: _Indices, c: _Indices, score: _Floats, size: tuple[int, int]) -> _Indices:
    from scipy.optimize import linear_sum_assignment

    table = np.zeros(size)
    table[r, c] = score
    rows, cols = linear_sum_assignment(table, maximize=True)
    column = np.full(size[0], -1, dtype=np.int64)
    column[rows] = cols
    return column


def _assign_sparse(r: _Indices, c: _Indices, score: _Floats, size: tuple[int, int]) -> _Indices:
    """
    Assign without a table: every row also has a column of its own, meaning "none", of score 0.

    All rows then are assigned, so adding the same amount to all costs, which must not be 0,
    changes nothing.
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import min_weight_full_bipartite_matching

    none = np.arange(size[0])
    costs = score.max() + 1 - np.concatenate([score, np.zeros(size[0])])
    places = np.concatenate([r, none]), np.concatenate([c, size[1] + none])
    graph = csr_array((costs, places), shape=(size[0], size[0] + size[1]))
    column: _Indices = min_weight_full_bipartite_matching(graph)[1].astype(np.int64)
    return column
