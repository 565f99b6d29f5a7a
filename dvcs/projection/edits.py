"""Applying edits to the annotations and facts of one item."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from dvcs.compare import (
    IdTrust,
    Pair,
    Rounding,
    is_rounding,
    is_shortened,
    key,
    pair_annotations,
    same,
)
from dvcs.model import Annotation, Item
from dvcs.projection.mappings import edited_mapping, edited_value, same_numbers, unnumbered
from dvcs.projection.media import edited_media
from dvcs.projection.parts import rejoined
from dvcs.projection.shapes import followed, shown_as, with_shape

Rule = Literal["refuse", "edited", "kept"]
"""What becomes of a conflict: told, and nothing done; the edited shape wins; the full one stays."""
SHARED = ("label", "score", "track", "z_order")
GROUPS = frozenset({"group_id"})


class Conflict(NamedTuple):
    """An edit that the full annotation cannot follow."""

    annotation: Annotation
    """The full annotation."""
    edited: Annotation | None
    """What it was made in the poorer rendering; None where it was removed."""
    reason: str


class Applied(NamedTuple):
    """The full item with the edits; what could not be applied."""

    item: Item
    conflicts: tuple[Conflict, ...]


def apply_edits(
    full: Item,
    projected: Item,
    edited: Item,
    *,
    rule: Rule = "refuse",
    ids: IdTrust | None = None,
    rounding: Rounding | None = None,
) -> Applied:
    """
    Apply what changed from `projected` to `edited` to the full item.

    `projected` is what the files showed of `full`. The result has the name of `full`; annotations
    that were not edited are its very own. Its `origins` are those of media files that were changed
    or added, None for the others. Only numbers that differ (ids) are no edit. `ids` is what the
    whole comparison of shown and edited items tells about ids; `rounding`, to how many decimals
    whoever sends them rounds: coordinates that only lost digits are no edit. Without, they are.
    """
    notes = _Notes(full, projected, edited, rule=rule, ids=ids, rounding=rounding)
    annotations = notes.result()
    annotated = edited_value(full.annotated, projected.annotated, edited.annotated)
    if edited.annotated and annotations and not full.annotations:
        annotated = True  # where all empty items are read as looked at, this one is now
    media, origins = edited_media(full, projected, edited)
    item = full.with_(
        annotations=annotations,
        attributes=edited_mapping(full.attributes, projected.attributes, edited.attributes),
        extra=edited_mapping(full.extra, projected.extra, edited.extra, depth=1),
        annotated=annotated,
        media=media,
        origins=origins,
    )
    return Applied(item, tuple(notes.conflicts))


def learn_rounding(
    rounding: Rounding, projected: Item, edited: Item, *, ids: IdTrust | None = None
) -> None:
    """Learn from an item, as it was shown and as it is now, how its coordinates were rounded."""
    size = _size(projected) or _size(edited)
    notes, known = rejoined(projected.annotations, edited.annotations, size=size)
    old, new = _unnumbered(projected.annotations), _unnumbered(notes)
    for pair in _paired(old, new, known, ids, size):
        if pair.old is not None and pair.new is not None:
            rounding.learn(old[pair.old], new[pair.new])


class _Notes:
    """The annotations of one item, while edits are applied to them."""

    def __init__(
        self,
        full: Item,
        projected: Item,
        edited: Item,
        *,
        rule: Rule,
        ids: IdTrust | None,
        rounding: Rounding | None,
    ) -> None:
        self.full, self.shown, self.edited = (
            list(side.annotations) for side in (full, projected, edited)
        )
        self.rule, self.ids, self.rounding = rule, ids, rounding
        self.size = _size(full) or _size(edited)
        self.conflicts: list[Conflict] = []
        self.now: dict[int, Annotation | None] = dict(enumerate(self.full))
        self.added: list[Annotation] = []

    def result(self) -> Sequence[Annotation]:
        """Return the full annotations with the edits."""
        if not self.shown and not self.edited:
            return self.full
        self.edited, known = rejoined(self.shown, self.edited, size=self.size)
        shown, edited = _unnumbered(self.shown), _unnumbered(self.edited)
        pairs = _paired(shown, edited, known, self.ids, self.size)
        if _nothing_changed(shown, edited, pairs):
            return self.full
        full_of = shown_as(self.full, self.shown, size=self.size)
        pieces: dict[int, list[int]] = {}
        for at, f in full_of.items():
            pieces.setdefault(f, []).append(at)
        self._remove(pairs, full_of, pieces)
        for pair in pairs:
            if pair.old is not None and pair.new is not None and pair.old in full_of:
                self._edit(pair.old, pair.new, full_of[pair.old], pieces)
        self._regroup(pairs, full_of)
        self._add(pairs, full_of)
        kept = [note for note in self.now.values() if note is not None]
        return [*kept, *self.added]

    # Removed

    def _remove(
        self, pairs: list[Pair], full_of: dict[int, int], pieces: dict[int, list[int]]
    ) -> None:
        gone = {pair.old for pair in pairs if pair.new is None and pair.old is not None}
        if not gone:
            return
        for f, shown in pieces.items():
            removed = [at for at in shown if at in gone]
            if len(removed) == len(shown):
                self.now[f] = None
            elif removed:
                self._conflict(f, None, "one of the shapes that stood for it was removed")
        groups: dict[int, list[int]] = {}
        for f, note in enumerate(self.full):
            if note.group:
                groups.setdefault(note.group, []).append(f)
        visible = set(full_of.values())
        for members in groups.values():
            seen = [f for f in members if f in visible]
            if seen and all(self.now[f] is None for f in seen):
                for f in members:
                    self.now[f] = None

    # Changed

    def _edit(self, p: int, e: int, f: int, pieces: dict[int, list[int]]) -> None:
        shown, note = self.shown[p], self.now[f]
        edited = self.edited[e]
        edited = edited.with_(extra=same_numbers(shown.extra, edited.extra))
        if note is None or (shown.kind == edited.kind and key(shown) == key(edited)):
            return
        changes: dict[str, Any] = {
            name: getattr(edited, name)
            for name in SHARED
            if getattr(shown, name) != getattr(edited, name)
        }
        for name in ("attributes", "unknown"):
            before, after = getattr(shown, name), getattr(edited, name)
            if not same(before, after):
                changes[name] = edited_mapping(getattr(note, name), before, after)
        if not same(shown.extra, edited.extra):
            changes["extra"] = edited_mapping(note.extra, shown.extra, edited.extra, depth=1)
        if "label" in changes:
            self._relabel_instance(f, note.label, changes["label"], pieces)
        note = note.with_(**changes) if changes else note
        if not self._is_rounded(shown, edited):
            note = self._reshaped(f, note, shown, edited, alone=len(pieces[f]) == 1)
        self.now[f] = note

    def _is_rounded(self, shown: Annotation, edited: Annotation) -> bool:
        if self.rounding is None:  # what is nearer no format writes differently
            return is_rounding(shown, edited, None)
        return self.rounding.explains(shown, edited) or is_shortened(shown, edited, self.size)

    def _relabel_instance(
        self, f: int, old: str | None, new: str | None, pieces: dict[int, list[int]]
    ) -> None:
        """Give parts of an instance that nobody saw the label of the one that stood for them."""
        group = self.full[f].group
        for other, note in self.now.items():
            hidden = note is not None and note.group == group and other not in pieces
            if group and note is not None and hidden and note.label == old:
                self.now[other] = note.with_(label=new)

    def _reshaped(
        self, f: int, note: Annotation, shown: Annotation, edited: Annotation, *, alone: bool
    ) -> Annotation:
        full = self.full[f]
        if alone:
            fitting = followed(full, shown, edited)
            if fitting is not None:
                return with_shape(note, fitting)
            what = f"the {full.kind} was shown as a {shown.kind}, and cannot follow its edit"
            if full.kind == shown.kind:
                what = f"the {full.kind} was shown simplified, and cannot follow its edit"
        else:
            what = f"the {full.kind} was shown as several shapes, and cannot follow the edit of one"
        self._conflict(f, edited, what)
        if self.rule == "edited" and alone:
            return with_shape(note, edited)
        return note

    def _conflict(self, f: int, edited: Annotation | None, reason: str) -> None:
        if self.rule == "refuse":
            self.conflicts.append(Conflict(self.full[f], edited, reason))
        elif self.rule == "edited" and edited is None:
            self.now[f] = None

    # Groups, and what was added

    def _regroup(self, pairs: list[Pair], full_of: dict[int, int]) -> None:
        """Apply what changed in who belongs together, among what was shown before and after."""
        paired = {pair.old: pair.new for pair in pairs if pair.old is not None}
        paired_old = {pair.new: pair.old for pair in pairs if pair.new is not None}
        before = _partners(self.shown, range(len(self.shown)))
        after = _partners(self.edited, range(len(self.edited)))
        top = max((note.group for note in self.full), default=0)
        numbers: dict[int, int] = {}
        for p, e in paired.items():
            if e is None or p not in full_of:
                continue
            was = {paired[q] for q in before[p]} - {None}
            now = {at for at in after[e] if paired_old[at] is not None}
            note = self.now[full_of[p]]
            if was == now or note is None:
                continue
            group = self.edited[e].group
            new = numbers.setdefault(group, top + len(numbers) + 1) if group and now else 0
            # The number that a file gave to the old group is none of the new one.
            extra = unnumbered(note.extra, GROUPS) if new else note.extra
            self.now[full_of[p]] = note.with_(group=new, extra=extra)

    def _add(self, pairs: list[Pair], full_of: dict[int, int]) -> None:
        new = [pair.new for pair in pairs if pair.old is None and pair.new is not None]
        # A shape of the projection that stands for nothing full (which no writer makes) and was
        # kept is new as well.
        new += [
            pair.new
            for pair in pairs
            if pair.new is not None and pair.old is not None and pair.old not in full_of
        ]
        if not new:
            return
        groups, members = self._groups_now(pairs, full_of)
        taken = {note.id for note in self.now.values() if note is not None}
        numbers = (one.id for one in (*self.full, *self.edited) if isinstance(one.id, int))
        top = max((*numbers, 0))
        top_group = max((note.group for note in self.now.values() if note is not None), default=0)
        for at in sorted(new):
            note = self.edited[at]
            if note.id and note.id in taken:
                top += 1
                note = note.with_(id=top)
            taken.add(note.id)
            if note.group:
                if not groups.get(note.group):
                    top_group += 1
                    groups[note.group] = top_group
                    for f in members.get(note.group, ()):  # they were in none
                        old = self.now[f]
                        self.now[f] = None if old is None else old.with_(group=top_group)
                note = note.with_(group=groups[note.group])
            self.added.append(note)

    def _groups_now(
        self, pairs: list[Pair], full_of: dict[int, int]
    ) -> tuple[dict[int, int], dict[int, list[int]]]:
        """Return, by edited group, the group of the full annotations in it, and their places."""
        groups: dict[int, int] = {}
        members: dict[int, list[int]] = {}
        for pair in pairs:
            if pair.old in full_of and pair.new is not None:
                f = full_of[pair.old]
                note = self.now[f]
                group = self.edited[pair.new].group
                if note is not None and group:
                    groups.setdefault(group, note.group)
                    members.setdefault(group, []).append(f)
        return groups, members


def _paired(
    shown: Sequence[Annotation],
    edited: Sequence[Annotation],
    known: Mapping[int, int],
    ids: IdTrust | None,
    size: tuple[int, int] | None,
) -> list[Pair]:
    """Pair what was shown with what it is now; of some that is known."""
    if not known:
        return pair_annotations(shown, edited, ids=ids, size=size)
    taken = set(known.values())
    old = [at for at in range(len(shown)) if at not in known]
    new = [at for at in range(len(edited)) if at not in taken]
    found = pair_annotations(
        [shown[at] for at in old], [edited[at] for at in new], ids=ids, size=size
    )
    return [
        *(Pair(*one) for one in known.items()),
        *(
            Pair(
                None if pair.old is None else old[pair.old],
                None if pair.new is None else new[pair.new],
            )
            for pair in found
        ),
    ]


def _size(item: Item) -> tuple[int, int] | None:
    return None if item.media is None else item.media.size


def _unnumbered(notes: Sequence[Annotation]) -> list[Annotation]:
    """Return annotations without what only numbers them in a file."""
    return [note.with_(extra=unnumbered(note.extra)) if note.extra else note for note in notes]


def _nothing_changed(
    shown: Sequence[Annotation], edited: Sequence[Annotation], pairs: Sequence[Pair]
) -> bool:
    for pair in pairs:
        if pair.old is None or pair.new is None:
            return False
        if key(shown[pair.old]) != key(edited[pair.new]):
            return False
    where = {pair.old: pair.new for pair in pairs if pair.old is not None}
    before = _partners(shown, range(len(shown)))
    after = _partners(edited, range(len(edited)))
    return all({where[q] for q in before[p]} == after[e] for p, e in where.items() if e is not None)


def _partners(notes: Sequence[Annotation], positions: Iterable[int]) -> dict[int, set[int]]:
    """Return, for each position, the others of its group."""
    groups: dict[int, set[int]] = {}
    for at in positions:
        if notes[at].group:
            groups.setdefault(notes[at].group, set()).add(at)
    return {at: groups[note.group] - {at} if note.group else set() for at, note in enumerate(notes)}
