"""
Which annotation of an item's old state is which of its new state.

In this order: instances whose parts are all equal; shapes of the same track; instances by what
their parts have in common, and within two paired instances their parts; what is left by similarity,
of one kind first, then across kinds; the same id, where ids are known to mean something; a label
that is the only one on both sides.

Similar pairs are an assignment problem. What is maximised is the sum of similarity *above the
threshold*: leaving two annotations unpaired is worth the threshold, so one good pair is not broken
up for two that barely pass (0.95 for 0.53 and 0.5). The same label, kind or id adds a little.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence

import msgspec

from dvcs.compare.candidates import Edge, candidates
from dvcs.compare.equality import key
from dvcs.compare.evidence import IdTrust, Rounding
from dvcs.compare.similarity import FLAT, Size, bounds, box_iou, similarity
from dvcs.model import Annotation, Label

THRESHOLD = 0.5
"""Similarity from which two annotations may be the same one."""

# What speaks for a pair besides its similarity; together below half the range above the threshold.
_SAME_LABEL, _SAME_KIND, _EQUAL, _SAME_ID, _SAME_ID_UNTOLD = 0.05, 0.05, 0.05, 0.1, 0.02
_BARELY = 1e-6
# Overlap of bounding boxes above which an equal id and kind leave no doubt: with the same label,
# and without.
_NEARLY = 0.6
_ALMOST = 0.9
# Parts of one track hold their instances together more than any similarity.
_SAME_TRACK = 2.0


class Pair(msgspec.Struct, frozen=True):
    """
    Positions of one annotation in the old and the new list; None where it is not there.

    `similarity` is 1.0 for the same geometry, 0.0 where there is no counterpart; of a pair that was
    never in doubt, that of the bounding boxes.
    """

    old: int | None
    new: int | None
    similarity: float = 0.0


def pair_annotations(
    old: Sequence[Annotation],
    new: Sequence[Annotation],
    *,
    threshold: float = THRESHOLD,
    ids: IdTrust | None = None,
    size: Size = None,
) -> list[Pair]:
    """
    Pair the annotations of an item's old and new state; each is in exactly one pair.

    Pairs come in the order of `old`, then those only in `new`. `ids` is what the whole comparison
    tells about ids and tracks; without it, this item's equal annotations tell. `size` is that of
    the image (h, w). Symmetric: swapped lists give swapped pairs, but for ties.
    """
    pairing = Pairing(old, new, threshold=threshold, size=size)
    if ids is None:
        ids = IdTrust()
        pairing.teach(ids)
    pairing.finish(ids)
    return pairing.pairs()


class Pairing:
    """
    The pairing of one item, in two steps: equal annotations at once, the rest by `finish`.

    In between the equal pairs can teach an `IdTrust` what the whole comparison needs to know.
    `partner` maps positions in `old` to those in `new`, `scores` to similarities, `equal` are the
    positions in `old` whose partner says the same.
    """

    def __init__(
        self,
        old: Sequence[Annotation],
        new: Sequence[Annotation],
        *,
        threshold: float = THRESHOLD,
        size: Size = None,
    ) -> None:
        self.old, self.new, self.threshold, self.size = old, new, threshold, size
        self.partner: dict[int, int] = {}
        self.scores: dict[int, float] = {}
        self.equal: set[int] = set()
        self._free_old, self._free_new = (
            dict.fromkeys(range(len(old))),
            dict.fromkeys(range(len(new))),
        )
        self._keys_old, self._keys_new = list(map(key, old)), list(map(key, new))
        self._edges: list[Edge] | None = None
        self._ids = IdTrust()
        if old and new:
            self._pair_equal(_instances(old, self._free_old), _instances(new, self._free_new))

    def teach(self, ids: IdTrust) -> None:
        """Tell an `IdTrust` what became of the ids and tracks of equal annotations."""
        ids.learn((self.old[i], self.new[self.partner[i]]) for i in self.equal)
        if any(note.track is not None for note in self.old):
            ids.learn_tracks(self.old, self.new)

    def teach_rounding(self, rounding: Rounding) -> None:
        """Tell a `Rounding`, when all are paired, how the coordinates of pairs differ."""
        for i, j in self.partner.items():
            if i not in self.equal:
                rounding.learn(self.old[i], self.new[j])

    def finish(self, ids: IdTrust) -> None:
        """Pair what is not equal."""
        self._ids = ids
        if not self._free_old or not self._free_new:
            return
        self._pair_tracks()
        self._pair_obvious()
        self._pair_instances()
        self._pair_equal([[i] for i in self._free_old], [[j] for j in self._free_new])
        self._take_best(self._open_edges())
        if self._free_old and self._free_new:
            self._pair_ids()
            self._pair_sole()

    def pairs(self) -> list[Pair]:
        """Return all pairs, and what has none."""
        both = [
            Pair(i, self.partner[i], self.scores[i]) if i in self.partner else Pair(i, None)
            for i in range(len(self.old))
        ]
        return both + [Pair(None, j) for j in self._free_new]

    @property
    def removed(self) -> list[int]:
        """Positions in `old` without a partner."""
        return list(self._free_old)

    @property
    def added(self) -> list[int]:
        """Positions in `new` without a partner."""
        return list(self._free_new)

    # -- steps -----------------------------------------------------------------------------------

    def _pair_equal(self, units_old: list[list[int]], units_new: list[list[int]]) -> None:
        """Pair instances with equal parts, as multisets: those of the same ids, then in order."""
        keys_old, keys_new = self._keys_old, self._keys_new
        for with_ids in (True, False):
            waiting: dict[Hashable, list[list[int]]] = {}
            for unit in reversed(units_new):
                if unit[0] in self._free_new:
                    name = _signature(unit, keys_new, self.new if with_ids else None)
                    waiting.setdefault(name, []).append(unit)
            for unit in units_old:
                if not waiting:
                    return
                if unit[0] not in self._free_old:
                    continue
                name = _signature(unit, keys_old, self.old if with_ids else None)
                if found := waiting.get(name):
                    other = found.pop()
                    for i, j in zip(
                        sorted(unit, key=lambda i: (keys_old[i], str(self.old[i].id))),
                        sorted(other, key=lambda j: (keys_new[j], str(self.new[j].id))),
                        strict=True,
                    ):
                        self._take(i, j, 1.0)
                        self.equal.add(i)

    def _pair_tracks(self) -> None:
        if not self._ids.tracks:
            return
        old = _only(self.old, self._free_old, _track_name)
        new = _only(self.new, self._free_new, _track_name)
        for name, i in old.items():
            if (j := new.get(name)) is not None:
                self._take(i, j, similarity(self.old[i], self.new[j], self.size))

    def _pair_obvious(self) -> None:
        """
        Pair what has the same id and kind and lies nearly where it lay, where ids were kept.

        The assignment would pair them too; but it needs the similarity of all candidates, and that
        of two polygons takes 0.2 ms.
        """
        if not self._ids.ids:
            return
        old = _only(self.old, self._free_old, _id_name)
        new = _only(self.new, self._free_new, _id_name)
        sole = len(self._free_old) == len(self._free_new) == 1
        for name, i in old.items():
            j = new.get(name)
            if j is None:
                continue
            a, b = self.old[i], self.new[j]
            if sole:  # by their similarity or, if there is none, by their id
                self._take(i, j, box_iou(bounds(a), bounds(b)))
                return
            if a.kind != b.kind or a.group or b.group:
                continue
            overlap = box_iou(bounds(a), bounds(b))
            if overlap >= (_NEARLY if a.label == b.label else _ALMOST):
                self._take(i, j, overlap)

    def _pair_instances(self) -> None:
        """Pair instances of several parts by the parts that they share, then their parts."""
        tracked = {i: j for i, j in self.partner.items() if i not in self.equal}
        units_old = _instances(self.old, sorted([*self._free_old, *tracked]))
        units_new = _instances(self.new, sorted([*self._free_new, *tracked.values()]))
        if len(units_old) == len(self._free_old) + len(tracked) and (
            len(units_new) == len(self._free_new) + len(tracked)
        ):
            return
        unit_old = {i: at for at, unit in enumerate(units_old) for i in unit}
        unit_new = {j: at for at, unit in enumerate(units_new) for j in unit}
        shared: dict[tuple[int, int], list[Edge]] = {}
        for edge in self._open_edges():
            shared.setdefault((unit_old[edge[0]], unit_new[edge[1]]), []).append(edge)
        for i, j in tracked.items():
            shared.setdefault((unit_old[i], unit_new[j]), []).append((i, j, _SAME_TRACK))
        weighed = [(u, v, self._in_common(parts)) for (u, v), parts in shared.items()]
        for u, v in assign(len(units_old), len(units_new), weighed):
            self._pair_parts(units_old[u], units_new[v], shared[u, v])

    def _pair_parts(self, unit: list[int], other: list[int], parts: list[Edge]) -> None:
        """Pair the parts of two paired instances; of a kind that both have once, in any case."""
        self._take_best(parts)
        kinds = [
            _only(notes, [at for at in some if at in free], lambda note: note.kind)
            for notes, some, free in (
                (self.old, unit, self._free_old),
                (self.new, other, self._free_new),
            )
        ]
        for kind, i in kinds[0].items():
            if (j := kinds[1].get(kind)) is not None:
                self._take(i, j, similarity(self.old[i], self.new[j], self.size))

    def _pair_ids(self) -> None:
        """Pair what has the same id and nothing else in common, where ids were kept."""
        if not self._ids.ids:
            return
        old = _only(self.old, range(len(self.old)), _id_name)
        new = _only(self.new, range(len(self.new)), _id_name)
        for name, i in old.items():
            j = new.get(name)
            if j is not None and i in self._free_old and j in self._free_new:
                self._take(i, j, box_iou(bounds(self.old[i]), bounds(self.new[j])))

    def _pair_sole(self) -> None:
        """Pair the one label of both sides, and the one raster of a meaning, whatever they say."""
        old, new = (_only(notes, range(len(notes)), _sole_name) for notes in (self.old, self.new))
        for name, i in old.items():
            j = new.get(name)
            if j is not None and i in self._free_old and j in self._free_new:
                self._take(i, j, similarity(self.old[i], self.new[j], self.size))

    # -- helpers ---------------------------------------------------------------------------------

    def _take(self, i: int, j: int, score: float) -> None:
        self.partner[i] = j
        self.scores[i] = score
        del self._free_old[i], self._free_new[j]
        if self._keys_old[i] == self._keys_new[j]:
            self.equal.add(i)

    def _open_edges(self) -> list[Edge]:
        """Candidate pairs of what is free; similarities are computed once."""
        if not self._free_old or not self._free_new:
            return []
        if self._edges is None:
            rows, cols = list(self._free_old), list(self._free_new)
            found = candidates(
                [self.old[i] for i in rows], [self.new[j] for j in cols], self.threshold, self.size
            )
            self._edges = [(rows[i], cols[j], value) for i, j, value in found]
        return [
            edge for edge in self._edges if edge[0] in self._free_old and edge[1] in self._free_new
        ]

    def _take_best(self, edges: list[Edge]) -> None:
        """Pair by the largest sum of gains: within each kind, then what is left across kinds."""
        for across in (False, True):
            values = {
                (i, j): value
                for i, j, value in edges
                if (self.old[i].kind != self.new[j].kind) is across
                and i in self._free_old
                and j in self._free_new
            }
            if values:
                weighed = [(i, j, self._gain(i, j, value)) for (i, j), value in values.items()]
                for i, j in assign(len(self.old), len(self.new), weighed):
                    self._take(i, j, values[i, j])

    def _in_common(self, parts: list[Edge]) -> float:
        """What pairing two instances is worth: the best of their parts' pairs, each part once."""
        gains = [(self._gain(*edge), edge[0], edge[1]) for edge in parts]
        if len(gains) == 1:
            return gains[0][0]
        total = 0.0
        used: set[int] = set()
        for gain, i, j in sorted(gains, key=lambda one: (-one[0], one[1] + one[2], one[1])):
            if i not in used and ~j not in used:
                used |= {i, ~j}
                total += gain
        return total

    def _gain(self, i: int, j: int, value: float) -> float:
        """What pairing two annotations is worth above leaving them apart."""
        a, b = self.old[i], self.new[j]
        gain = value - self.threshold + _BARELY
        if a.label == b.label:
            gain += _SAME_LABEL
        if a.kind == b.kind:
            gain += _SAME_KIND
        if self._keys_old[i] == self._keys_new[j]:
            gain += _EQUAL
        if a.id and a.id == b.id and self._ids.ids is not False:
            gain += _SAME_ID if self._ids.ids else _SAME_ID_UNTOLD
        return gain


def _instances(notes: Sequence[Annotation], positions: Iterable[int]) -> list[list[int]]:
    """Positions by group, in order of the first; what has no group is alone."""
    groups: dict[int, list[int]] = {}
    units = []
    for at in positions:
        group = notes[at].group
        if group and group in groups:
            groups[group].append(at)
        else:
            units.append(unit := [at])
            if group:
                groups[group] = unit
    return units


def _signature(
    unit: list[int], keys: Sequence[bytes], notes: Sequence[Annotation] | None
) -> Hashable:
    """What equal instances have in common; with `notes`, their ids too."""
    if len(unit) == 1:
        return keys[unit[0]] if notes is None else (keys[unit[0]], notes[unit[0]].id)
    if notes is None:
        return tuple(sorted(keys[at] for at in unit))
    return tuple(sorted((keys[at], str(notes[at].id)) for at in unit))


def _only(
    notes: Sequence[Annotation],
    positions: Iterable[int],
    name_of: Callable[[Annotation], Hashable],
) -> dict[Hashable, int]:
    """Positions of the annotations that alone have their name, by it; None is no name."""
    found: dict[Hashable, int] = {}
    twice = set()
    for at in positions:
        name = name_of(notes[at])
        if name is not None and found.setdefault(name, at) != at:
            twice.add(name)
    return {name: at for name, at in found.items() if name not in twice}


def _world(note: Annotation) -> str:
    return "flat" if note.kind in FLAT else note.kind


def _track_name(note: Annotation) -> Hashable:
    return None if note.track is None else (note.track, _world(note))


def _id_name(note: Annotation) -> Hashable:
    return (note.id, _world(note)) if note.id else None


def _sole_name(note: Annotation) -> Hashable:
    return note.kind if isinstance(note, Label) else getattr(note, "meaning", None)


def assign(rows: int, cols: int, edges: list[Edge]) -> list[tuple[int, int]]:
    """
    Choose pairs with the largest sum of weights, each row and column at most once.

    Where no two edges compete nothing is loaded; numpy takes 0.2 s, more than most comparisons.
    """
    if len({i for i, _, _ in edges}) == len(edges) == len({j for _, j, _ in edges}):
        return [(i, j) for i, j, _ in edges]
    if len({i for i, _, _ in edges}) == 1 or len({j for _, j, _ in edges}) == 1:
        best = min(edges, key=lambda edge: (-edge[2], edge[0] + edge[1]))
        return [best[:2]]
    from dvcs.geometry import pairing

    i, j, weight = zip(*edges, strict=True)
    return [(row, col) for row, col, _ in pairing.pair(rows, cols, i, j, weight)]
