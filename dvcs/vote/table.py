"""The annotations of a batch of items side by side: clusters, and what lies too close."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from dvcs.compare.similarity import FLAT, Size
from dvcs.model import Annotation, Item
from dvcs.vote.ballots import Members
from dvcs.vote.clusters import Nodes, cluster
from dvcs.vote.options import Options
from dvcs.vote.pairs import Block, similar
from dvcs.vote.records import Cluster
from dvcs.vote.shapes import Shapes

_PLACED = FLAT | {"cuboid_3d"}
_DIGITS = 4


class Table:
    """
    The annotations of a batch, item by item, in each voter by voter.

    Voters stand in order of their names, whatever order they were given in, so that what decides
    between equals does not depend on it.
    """

    def __init__(
        self, batch: Sequence[Sequence[Item | None]], names: Sequence[str], options: Options
    ) -> None:
        self.options = options
        self.notes: list[Annotation] = []
        self.sizes = [_size(items) for items in batch]
        self.starts: list[dict[int, int]] = []
        """Of each item: where the annotations of each voter begin."""
        self.runs: list[list[tuple[int, int]]] = []
        """Of each item: where those of each voter begin and end, in order of their names."""
        order = sorted(range(len(names)), key=lambda voter: names[voter])
        held: list[tuple[int, int, int]] = []
        for at, items in enumerate(batch):
            starts, runs = {}, []
            for voter in order:
                item = items[voter]
                if item is not None and item.annotations:
                    begin = starts[voter] = len(self.notes)
                    self.notes += item.annotations
                    runs.append((begin, len(self.notes)))
                    held.append((at, voter, len(item.annotations)))
            self.starts.append(starts)
            self.runs.append(runs)
        columns = np.array(held, dtype=np.int64).reshape(-1, 3)
        item_of, voter_of = (np.repeat(columns[:, n], columns[:, 2]) for n in (0, 1))
        self.nodes = Nodes(self.notes, item_of, voter_of)
        self.shapes = Shapes(self.notes)

    def clusters(self) -> Iterator[list[Members]]:
        """Yield for each item its clusters, in the order of the first voter's annotations."""
        options = self.options
        least = min([options.threshold, *options.label_thresholds.values()])
        edges = similar(self.shapes, list(self._blocks()), least)
        found, scores = cluster(self.nodes, edges, options.threshold, options.label_thresholds)
        by_item: list[list[list[int]]] = [[] for _ in self.starts]
        items, voters = self.nodes.item.tolist(), self.nodes.voter.tolist()
        for members in found:
            by_item[items[members[0]]].append(members)
        notes = self.notes
        for starts, clusters in zip(self.starts, by_item, strict=True):
            told = [
                Members(
                    [(voters[node], node - starts[voters[node]]) for node in members],
                    [notes[node] for node in members],
                    [scores[node] for node in members],
                )
                for members in clusters
            ]
            told.sort(key=lambda one: one.places[0])
            yield told

    def too_close(
        self, counted: Sequence[Sequence[Cluster]]
    ) -> Iterator[list[tuple[int, int, float]]]:
        """
        Yield for each item which annotations of its result are more alike than they should be.

        Takes the clusters of each item as they were counted; yields positions in the result, for
        each annotation only the one before it that is most like it.
        """
        nodes: list[int] = []
        owner: list[tuple[int, int]] = []
        blocks: list[Block] = []
        for at, clusters in enumerate(counted):
            begin, starts = len(nodes), self.starts[at]
            for one in clusters:
                voter, place = one.members[one.central]
                node = starts[voter] + place
                if one.result is not None and self.notes[node].kind in _PLACED:
                    nodes.append(node)
                    owner.append((at, one.result))
            if len(nodes) > begin + 1:
                run = begin, len(nodes)
                blocks.append(Block(run, run, self.sizes[at]))
        found: list[list[tuple[int, int, float]]] = [[] for _ in counted]
        if blocks and self.options.close < 1:
            some = self.shapes.take(nodes)
            for a, b, value in zip(
                *(column.tolist() for column in similar(some, blocks, self.options.close)),
                strict=True,
            ):
                if value > self.options.close and some.notes[a].kind == some.notes[b].kind:
                    (at, one), (_, other) = owner[a], owner[b]
                    found[at].append((min(one, other), max(one, other), round(value, _DIGITS)))
        for close in found:
            best: dict[int, tuple[int, int, float]] = {}
            for pair in sorted(close, key=lambda one: (-one[2], one)):
                best.setdefault(pair[1], pair)
            yield sorted(best.values())

    def _blocks(self) -> Iterator[Block]:
        """Yield which annotations to compare: those of each two voters of an item."""
        for size, runs in zip(self.sizes, self.runs, strict=True):
            for n, first in enumerate(runs):
                for second in runs[n + 1 :]:
                    yield Block(first, second, size)


def _size(items: Iterable[Item | None]) -> Size:
    """Return the height and width of an item's image, from the first voter who knows."""
    for item in items:
        if item is not None and item.media is not None and item.media.size is not None:
            return item.media.size
    return None
