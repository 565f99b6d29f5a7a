"""
The annotations of one item: what concerns more than one of them.

An instance (the shapes of a group) is deleted, or added on both sides, as a unit. Groups merge as a
partition: two shapes belong together where a side that changed that says so.
"""

from collections.abc import Hashable, Iterable, Sequence
from itertools import combinations, pairwise
from typing import Any, NamedTuple

import msgspec

from dvcs.compare.summary import plain_annotation
from dvcs.merge.annotations import Versions, is_changed, merge_annotation, unmarked
from dvcs.merge.decisions import UNKNOWN, Choice, Context, Counts
from dvcs.merge.numbers import without_collisions
from dvcs.merge.pairing import Entry, Sides, Twins, align
from dvcs.merge.values import merge_order
from dvcs.model import Annotation
from dvcs.model.annotations import names_of

WHOLE: tuple[Choice, ...] = ("ours", "theirs", "base", "union")
LARGE_GROUP = 64
"""Members beyond which a group is compared along a chain, not each with each."""


class Kept(NamedTuple):
    """An annotation of the result, and where it stood."""

    note: Annotation
    base: int | None = None
    ours: int | None = None
    theirs: int | None = None


class Notes:
    """Merges the annotations of one item: three lists in, one out."""

    def __init__(
        self,
        sides: Sides,
        context: Context,
        *,
        size: tuple[int, int] | None = None,
    ) -> None:
        known = [unmarked(note) for note in sides.base]
        self.base, self.marks = [note for note, _ in known], [marks for _, marks in known]
        self.ours, self.theirs = list(sides.ours), list(sides.theirs)
        self.context, self.judge, self.size = context, context.judge, size
        self.entries, self.twins = align(
            Sides(self.base, self.ours, self.theirs), context.options, context.trust, size
        )
        self.kept: dict[Hashable, list[Kept]] = {}

    def merged(self) -> list[Annotation]:
        """Return the merged annotations."""
        deleted = self._deletions()
        names = names_of(self.base)
        for entry in self.entries:
            if entry.base is None or entry.base in deleted:
                continue
            if entry.ours is not None and entry.theirs is not None:
                self._both(entry, names[entry.base])
        self._additions()
        kept = [one for token in self._order() for one in self.kept.get(token, ())]
        notes = without_collisions(
            [one.note for one in kept],
            [None if one.ours is None else self.ours[one.ours].id for one in kept],
            self.context.counts,
            self.context.fresh,
        )
        return _regrouped(kept, notes, (self.base, self.ours, self.theirs))

    # -- on both sides ---------------------------------------------------------------------------

    def _both(self, entry: Entry, anchor: str) -> None:
        assert entry.base is not None  # noqa: S101 - the caller has looked
        assert entry.ours is not None  # noqa: S101
        assert entry.theirs is not None  # noqa: S101
        versions = Versions(
            self.base[entry.base], self.ours[entry.ours], self.theirs[entry.theirs], anchor
        )
        found = merge_annotation(
            versions, self.context, size=self.size, marks=self.marks[entry.base]
        )
        self._keep(entry, found.note)
        if found.double is not None:
            self.kept[_token(entry)].append(Kept(found.double, theirs=entry.theirs))

    def _keep(self, entry: Entry, note: Annotation) -> None:
        self.kept.setdefault(_token(entry), []).append(Kept(note, *entry))

    # -- deleted ---------------------------------------------------------------------------------

    def _deletions(self) -> set[int]:
        """Decide about what a side deleted; return the positions in the base that are settled."""
        settled: set[int] = set()
        names = names_of(self.base)
        for unit in _units(self.base, range(len(self.base))):
            entries = [self.entries[at] for at in unit]
            for side in (1, 2):
                gone = [one for one in entries if one[side] is None]
                # An instance that is gone as a whole is one question, else each part is one.
                asked = [gone] if len(gone) == len(entries) else [[one] for one in gone]
                for part in asked:
                    fresh = [one for one in part if one.base not in settled]
                    if fresh:
                        self._deletion(fresh, side, names)
                        settled.update(one.base for one in fresh if one.base is not None)
        return settled

    def _deletion(self, part: list[Entry], side: int, names: Sequence[str]) -> None:
        other = 3 - side
        notes = self.theirs if other == 2 else self.ours
        changed = [
            one
            for one in part
            if (at := one[other]) is not None
            and one.base is not None
            and (self.marks[one.base] or is_changed(self.base[one.base], notes[at]))
        ]
        if not changed or changed[0].base is None:
            return
        left = [notes[at] for one in part if (at := one[other]) is not None]
        before = [self.base[one.base] for one in part if one.base is not None]
        sides: dict[str, Any] = {"ours" if other == 1 else "theirs": _plain(left)}
        decision = self.judge.ask(
            f"{names[changed[0].base]}.deleted",
            "deleted",
            "deleted",
            base=_plain(before),
            labels={note.label for note in (*left, *before)},
            allowed=WHOLE,
            **sides,
        )
        choice = "ours" if decision is None else decision.choice
        if choice == "base":
            for one in part:
                if one.base is not None:
                    self._keep(Entry(one.base, None, None), self.base[one.base])
        elif choice in ("union", "ours" if other == 1 else "theirs"):
            for one in part:
                if (at := one[other]) is not None:
                    self._keep(one, notes[at])

    # -- added -----------------------------------------------------------------------------------

    def _additions(self) -> None:
        joined, single = _components(self.twins, self.ours, self.theirs, self.entries)
        names = names_of(self.ours)
        for ours, theirs, twins in joined:
            anchor = f"new-{names[min(one.ours for one in twins)]}"
            if any(one.verdict == "conflict" for one in twins):
                self._added_both(ours, theirs, anchor)
                continue
            same = {one.ours: one.theirs for one in twins if one.verdict == "same"}
            for at in ours:
                if at in same:
                    versions = Versions(None, self.ours[at], self.theirs[same[at]], anchor)
                    quiet = msgspec.structs.replace(self.context, counts=Counts())
                    found = merge_annotation(versions, quiet, size=self.size)
                    self.context.counts.united += 1
                    self._keep(Entry(None, at, same[at]), found.note)
                    if found.double is not None:
                        self._keep(Entry(None, None, same[at]), found.double)
                else:
                    single.append(Entry(None, at, None))
            taken = set(same.values())
            single += [Entry(None, None, at) for at in theirs if at not in taken]
        for entry in single:
            if entry.ours is not None:
                self._keep(entry, self.ours[entry.ours])
            elif entry.theirs is not None:
                self._keep(entry, self.theirs[entry.theirs])

    def _added_both(self, ours: list[int], theirs: list[int], anchor: str) -> None:
        notes = [self.ours[at] for at in ours], [self.theirs[at] for at in theirs]
        decision = self.judge.ask(
            f"{anchor}.added",
            "added-both",
            "added",
            ours=_plain(notes[0]),
            theirs=_plain(notes[1]),
            labels={note.label for side in notes for note in side},
            allowed=WHOLE,
        )
        if decision is UNKNOWN:
            return
        choice = "ours" if decision is None else decision.choice
        if choice in ("ours", "union"):
            for at in ours:
                self._keep(Entry(None, at, None), self.ours[at])
        if choice in ("theirs", "union"):
            for at in theirs:
                self._keep(Entry(None, None, at), self.theirs[at])

    # -- order -----------------------------------------------------------------------------------

    def _order(self) -> list[Hashable]:
        tokens: list[dict[int, Hashable]] = [{}, {}, {}]
        for token, held in self.kept.items():
            for one in held:
                for side, at in enumerate((one.base, one.ours, one.theirs)):
                    if at is not None:
                        tokens[side].setdefault(at, token)
        base, ours, theirs = (
            list(dict.fromkeys(token for _, token in sorted(side.items(), key=lambda x: x[0])))
            for side in tokens
        )
        # What was there before and is on neither side any more (`base` was chosen) has its place.
        found = merge_order((), merge_order(base, ours, theirs), base)
        missing = [token for token in self.kept if token not in set(found)]
        return [*found, *missing]


def _token(entry: Entry) -> Hashable:
    side = next(n for n, at in enumerate(entry) if at is not None)
    return side, entry[side]


def _plain(notes: Sequence[Annotation]) -> Any:
    values = [plain_annotation(note) for note in notes]
    return values[0] if len(values) == 1 else values


def _units(notes: Sequence[Annotation], positions: Iterable[int]) -> list[list[int]]:
    groups: dict[Hashable, list[int]] = {}
    for at in positions:
        groups.setdefault(notes[at].group or ("alone", at), []).append(at)
    return list(groups.values())


def _components(
    twins: Sequence[Twins],
    ours: Sequence[Annotation],
    theirs: Sequence[Annotation],
    entries: Sequence[Entry],
) -> tuple[list[tuple[list[int], list[int], list[Twins]]], list[Entry]]:
    """Return added instances that have twins, with theirs; and what was added on one side only."""
    added = [
        [one.ours for one in entries if one.base is None and one.ours is not None],
        [one.theirs for one in entries if one.base is None and one.theirs is not None],
    ]
    unit_of: list[dict[int, int]] = [{}, {}]
    units: list[tuple[int, list[int]]] = []
    for side, notes in ((0, ours), (1, theirs)):
        for unit in _units(notes, added[side]):
            unit_of[side].update(dict.fromkeys(unit, len(units)))
            units.append((side, unit))
    joined = _Union(len(units))
    near = [one for one in twins if one.verdict != "apart"]
    for one in near:
        joined.join(unit_of[0][one.ours], unit_of[1][one.theirs])
    found: dict[int, tuple[list[int], list[int], list[Twins]]] = {}
    for one in near:
        root = joined.root(unit_of[0][one.ours])
        found.setdefault(root, ([], [], []))[2].append(one)
    single: list[Entry] = []
    for number, (side, unit) in enumerate(units):
        held = found.get(joined.root(number))
        if held is not None:
            (held[0] if side == 0 else held[1]).extend(unit)
        else:
            single += [Entry(None, at, None) if side == 0 else Entry(None, None, at) for at in unit]
    return list(found.values()), single


# -- groups --------------------------------------------------------------------------------------


class _Union:
    """Sets that are joined."""

    def __init__(self, count: int) -> None:
        self._parent = list(range(count))

    def root(self, at: int) -> int:
        while self._parent[at] != at:
            self._parent[at] = at = self._parent[self._parent[at]]
        return at

    def join(self, one: int, other: int) -> None:
        a, b = sorted((self.root(one), self.root(other)))
        self._parent[b] = a


def _regrouped(
    kept: Sequence[Kept],
    notes: Sequence[Annotation],
    sides: tuple[Sequence[Annotation], Sequence[Annotation], Sequence[Annotation]],
) -> list[Annotation]:
    """Return notes with merged groups, numbered by first appearance."""
    base, ours, theirs = (
        [None if at is None else side[at].group for at in places]
        for side, places in zip(
            sides,
            (
                [one.base for one in kept],
                [one.ours for one in kept],
                [one.theirs for one in kept],
            ),
            strict=True,
        )
    )
    if not any(any(side) for side in (base, ours, theirs)):
        return list(notes)
    joined = _Union(len(kept))
    for a, b in _candidates(ours, theirs, base):
        if _together(*((side[a], side[b]) for side in (base, ours, theirs))):
            joined.join(a, b)
    sizes: dict[int, int] = {}
    for at in range(len(kept)):
        sizes[joined.root(at)] = sizes.get(joined.root(at), 0) + 1
    numbers: dict[int, int] = {}
    result = []
    for at, note in enumerate(notes):
        root = joined.root(at)
        group = numbers.setdefault(root, len(numbers) + 1) if sizes[root] > 1 else 0
        result.append(note if note.group == group else msgspec.structs.replace(note, group=group))
    return result


def _candidates(*sides: Sequence[int | None]) -> set[tuple[int, int]]:
    pairs: set[tuple[int, int]] = set()
    for side in sides:
        groups: dict[int, list[int]] = {}
        for at, group in enumerate(side):
            if group:
                groups.setdefault(group, []).append(at)
        for members in groups.values():
            pairs.update(
                combinations(members, 2) if len(members) <= LARGE_GROUP else pairwise(members)
            )
    return pairs


Groups = tuple[int | None, int | None]
"""The groups of two annotations on one side; None where one is not there."""


def _together(base: Groups, ours: Groups, theirs: Groups) -> bool:
    """Tell whether two annotations belong together after the merge."""
    b, o, t = (
        None if one is None or other is None else one == other != 0
        for one, other in (base, ours, theirs)
    )
    if o is None or t is None:
        known = o if o is not None else t
        return bool(b if known is None else known)
    if b is None:
        return o or t
    return t if o == b else o
