"""
Which annotations of an item are votes for the same one.

A cluster holds one annotation of each voter at most, and every two of its members are at least the
threshold alike. Labels do not separate: who calls the same shape a dog votes about its label.

Nearly all clusters stand alone: all voters' versions of one object, alike, and like nothing else.
What is left is joined by falling similarity, the pairs first that the best assignment between two
voters makes: so one good pair is not broken up for two that barely pass, and a box not taken by a
crowded neighbour. Pairs of one kind come before pairs across kinds. A pair of the same label, or
that says the same altogether, counts as a little more alike.

Whole-image labels cluster by what they say. Where no voter gives more than one they are votes for
the one label of the image.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dvcs.compare import key
from dvcs.compare.pairing import assign
from dvcs.model import Annotation
from dvcs.vote.pairs import Edges, components

_Indices = NDArray[np.int64]

_SAME_LABEL, _EQUAL = 0.05, 0.05
# A pair that barely passes is still better than none.
_BARELY = 1e-6
# Similarities nearer than this are one: sums differ in the last bits with the order of voters.
_DIGITS = 9


class Nodes(NamedTuple):
    """Annotations of many items, with the item and the voter of each, all in order of the item."""

    notes: Sequence[Annotation]
    item: _Indices
    voter: _Indices


class Joined(NamedTuple):
    """
    Clusters: positions in the nodes, of each in order of the voters; by first position.

    `score` of each node is its mean similarity to the others of its cluster, 1.0 of one alone.
    """

    clusters: list[list[int]]
    score: list[float]


def cluster(
    nodes: Nodes, edges: Edges, threshold: float, label_thresholds: Mapping[str, float]
) -> Joined:
    """Return the clusters of all nodes; each node is in exactly one."""
    edges = _with_labels(nodes, _strict(nodes, edges, threshold, label_thresholds))
    least = min([threshold, *label_thresholds.values()])
    count = len(nodes.notes)
    part = components(count, edges.a, edges.b)
    root = part.copy()
    for members, among in _unclear(edges, part):
        for joined in _joined(nodes, members, among, least):
            root[joined] = joined[0]
    inside = root[edges.a] == root[edges.b]
    a, b, value = (column[inside] for column in edges)
    others = np.bincount(root, minlength=count)[root] - 1
    total = np.bincount(a, value, count) + np.bincount(b, value, count)
    score = np.where(others > 0, total / np.maximum(others, 1), 1.0).round(_DIGITS)
    order = np.lexsort((nodes.voter, root))
    starts = np.flatnonzero(np.diff(root[order], prepend=-1))
    ordered, cuts = order.tolist(), [*starts.tolist(), count]
    found = [ordered[cuts[n] : cuts[n + 1]] for n in range(len(starts))]
    return Joined(found, score.tolist())


def _strict(
    nodes: Nodes, edges: Edges, threshold: float, label_thresholds: Mapping[str, float]
) -> Edges:
    """Return the edges that reach the threshold of both labels."""
    if not label_thresholds:
        return edges
    least = np.array(
        [label_thresholds.get(note.label or "", threshold) for note in nodes.notes],
        dtype=np.float64,
    )
    keep = edges.value >= np.maximum(least[edges.a], least[edges.b])
    return Edges(edges.a[keep], edges.b[keep], edges.value[keep])


def _unclear(
    edges: Edges, part: _Indices
) -> Iterable[tuple[list[int], list[tuple[int, int, float]]]]:
    """Yield connected nodes that are no cluster as they are, with the edges among them."""
    size = np.bincount(part, minlength=len(part))
    links = np.bincount(part[edges.a], minlength=len(part))
    # One voter's annotations are never linked with each other, so this finds them too.
    unclear = links != size * (size - 1) // 2
    roots = np.flatnonzero(unclear)
    if not len(roots):
        return
    members: dict[int, list[int]] = {at: [] for at in roots.tolist()}
    for node in np.flatnonzero(unclear[part]).tolist():
        members[int(part[node])].append(node)
    among: dict[int, list[tuple[int, int, float]]] = {at: [] for at in members}
    some = unclear[part[edges.a]]
    columns = (column[some].tolist() for column in edges)
    for a, b, value in zip(*columns, strict=True):
        among[int(part[a])].append((a, b, value))
    for at, found in members.items():
        yield found, among[at]


def _joined(
    nodes: Nodes, members: list[int], edges: list[tuple[int, int, float]], least: float
) -> list[list[int]]:
    """Return the clusters of a few nodes; what is less than `least` alike is worth nothing."""
    notes, voter = nodes.notes, nodes.voter
    keys = {node: key(notes[node]) for node in members}
    gain = {}
    for a, b, value in edges:
        one, other = notes[a], notes[b]
        gain[a, b] = (
            round(value - least, _DIGITS)
            + _BARELY
            + _SAME_LABEL * (one.label == other.label)
            + _EQUAL * (keys[a] == keys[b])
        )
    across = {(a, b): notes[a].kind != notes[b].kind for a, b in gain}
    best = _best(gain, across, {node: int(voter[node]) for node in members})
    ranked = sorted(gain, key=lambda pair: (across[pair], pair not in best, -gain[pair], pair))
    cluster_of = {node: [node] for node in members}
    for a, b in ranked:
        left, right = cluster_of[a], cluster_of[b]
        if left is right or {int(voter[n]) for n in left} & {int(voter[n]) for n in right}:
            continue
        if all((x, y) in gain or (y, x) in gain for x in left for y in right):
            left += right
            cluster_of.update(dict.fromkeys(right, left))
    return list({id(found): found for found in cluster_of.values()}.values())


def _best(
    gain: Mapping[tuple[int, int], float],
    across: Mapping[tuple[int, int], bool],
    voter: Mapping[int, int],
) -> set[tuple[int, int]]:
    """Return the pairs that the best assignment between each two voters makes, kind by kind."""
    between: dict[tuple[bool, int, int], list[tuple[int, int]]] = {}
    for pair in gain:
        a, b = pair
        between.setdefault((across[pair], voter[a], voter[b]), []).append(pair)
    best = set()
    for pairs in between.values():
        rows = sorted({a for a, _ in pairs})
        cols = sorted({b for _, b in pairs})
        row, col = ({node: n for n, node in enumerate(some)} for some in (rows, cols))
        weighed = [(row[a], col[b], gain[a, b]) for a, b in pairs]
        best |= {(rows[i], cols[j]) for i, j in assign(len(rows), len(cols), weighed)}
    return best


# -- labels of the whole image -------------------------------------------------------------------


def _with_labels(nodes: Nodes, edges: Edges) -> Edges:
    """Add the edges between labels of the whole image."""
    places = [at for at, note in enumerate(nodes.notes) if note.kind == "label"]
    if not places:
        return edges
    by_item: dict[int, dict[int, list[int]]] = {}
    for at in places:
        by_item.setdefault(int(nodes.item[at]), {}).setdefault(int(nodes.voter[at]), []).append(at)
    found: list[tuple[int, int]] = []
    for lists in by_item.values():
        single = all(len(some) == 1 for some in lists.values())
        seats: dict[object, list[int]] = {}
        for some in lists.values():
            count: dict[str | None, int] = {}
            for at in some:
                label = nodes.notes[at].label
                count[label] = count.get(label, 0) + 1
                seats.setdefault(None if single else (label, count[label]), []).append(at)
        found += [
            (a, b) for seat in seats.values() for n, a in enumerate(seat) for b in seat[n + 1 :]
        ]
    if not found:
        return edges
    a, b = np.array(found, dtype=np.int64).reshape(-1, 2).T
    ends = np.concatenate([edges.a, a]), np.concatenate([edges.b, b])
    return Edges(*ends, np.concatenate([edges.value, np.ones(len(found))]))
