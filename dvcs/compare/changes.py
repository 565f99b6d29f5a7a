"""
What changed in an item and in each of its annotations: values that say it, and how they are found.

Not a change, but counted: other ids or renumbered tracks (`renumbered`), coordinates that were only
rounded (`rounded`), shapes interpolated between keyframes (`interpolated`), and media facts that
were not known before (`filled`). `Options.exact` makes changes of the second and third.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from dvcs.compare.equality import same, without_ids
from dvcs.compare.evidence import IdTrust, Rounding
from dvcs.compare.media import media_changes
from dvcs.compare.pairing import THRESHOLD, Pairing
from dvcs.compare.similarity import similarity
from dvcs.model import Annotation, Item
from dvcs.tracks import is_interpolated

Details = dict[str, tuple[Any, Any]]
"""What was and what is, by field; an attribute is `attributes.NAME`; UNSET where there is none."""

ItemStatus = Literal["added", "removed", "changed", "moved", "renamed", "unchanged"]


class AnnotationChange(msgspec.Struct, frozen=True, kw_only=True):
    """
    One annotation that was added, removed or changed.

    `fields` are those that changed, of `type`, `geometry` (and what a format derived from it),
    `label`, `attributes`, `score`, `track`, `z_order`, `group`, `extra`; `details` has the values,
    each attribute by itself. `size` is that of the image (h, w).
    """

    status: Literal["added", "removed", "changed"]
    before: Annotation | None = None
    after: Annotation | None = None
    fields: tuple[str, ...] = ()
    details: Details = {}
    size: tuple[int, int] | None = None

    @property
    def similarity(self) -> float | None:
        """
        The similarity of the shapes, 1.0 where they are the same, None where one side is missing.

        Computed when asked for: that of two polygons takes 0.2 ms, and a summary needs none.
        """
        if self.before is None or self.after is None:
            return None
        return similarity(self.before, self.after, self.size)

    @property
    def annotation(self) -> Annotation:
        """The annotation as it is now, or was last."""
        note = self.after if self.after is not None else self.before
        assert note is not None  # noqa: S101 -- one side is always there
        return note


class ItemChange(msgspec.Struct, frozen=True, kw_only=True):
    """
    What changed in one item; `source`, `subset` and `id` are the new ones where there is a new one.

    `previous` is what it was called before, of an item that moved to another subset or was renamed.
    `fields` are those of the item itself, of `media`, `attributes`, `annotated`, `extra` and
    `order` (of annotations that have no ids to order them); `details` has their values. `status` is
    `unchanged` where there is only something to count: `renumbered`, `rounded` and `interpolated`
    annotations; `item_renumbered`, another number of the item in its format; `filled`, facts about
    the media that were learnt.
    """

    source: str
    subset: str
    id: str
    status: ItemStatus
    previous: tuple[str, str, str] | None = None
    annotations: tuple[AnnotationChange, ...] = ()
    fields: tuple[str, ...] = ()
    details: Details = {}
    renumbered: int = 0
    rounded: int = 0
    interpolated: int = 0
    item_renumbered: bool = False
    filled: bool = False

    @property
    def is_change(self) -> bool:
        """Whether it is more than other numbers and newly learnt facts."""
        return self.status != "unchanged"


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """
    How to compare.

    `threshold` is the similarity from which two annotations may be the same one. `exact` shows
    rounded coordinates and interpolated shapes as changes. `labels` says what labels of the old
    side are called now, where only their name changed. With `partial_media`, media facts that the
    new side does not know (a folder of labels without images) are no change.
    """

    threshold: float = THRESHOLD
    exact: bool = False
    labels: Mapping[str, str] = {}
    partial_media: bool = False


class Knowledge:
    """What the comparison as a whole has shown: about ids and tracks, and about rounding."""

    def __init__(self, ids: IdTrust | None = None, rounding: Rounding | None = None) -> None:
        self.ids = IdTrust() if ids is None else ids
        self.rounding = Rounding() if rounding is None else rounding


DEFAULTS = Options()


def compare_items(
    old: Item | None,
    new: Item | None,
    *,
    options: Options = DEFAULTS,
    knowledge: Knowledge | None = None,
) -> ItemChange | None:
    """
    Return what changed from `old` to `new`; None where nothing did, not even a number.

    Without an old item the new one was added, and all its annotations; likewise removed. Items of
    different names have moved (the same id in another subset) or were renamed. `knowledge` is what
    the whole comparison has shown (see `compare_pairs`); without it, this pair alone is asked.
    """
    if old is None or new is None:
        return _one_sided(old, new)
    comparison = ItemComparison(old, new, options)
    if knowledge is None:
        knowledge = Knowledge()
        comparison.teach_ids(knowledge.ids)
        comparison.pair(knowledge.ids)
        comparison.teach_rounding(knowledge.rounding)
        knowledge.rounding.decide()
    else:
        comparison.pair(knowledge.ids)
    return comparison.result(knowledge)


def _one_sided(old: Item | None, new: Item | None) -> ItemChange | None:
    item = new if new is not None else old
    if item is None:
        return None
    status: Literal["added", "removed"] = "removed" if new is None else "added"
    return ItemChange(
        source=item.source,
        subset=item.subset,
        id=item.id,
        status=status,
        annotations=tuple(_appeared(note, status) for note in item.annotations),
    )


def _appeared(note: Annotation, status: Literal["added", "removed"]) -> AnnotationChange:
    if status == "added":
        return AnnotationChange(status=status, after=note)
    return AnnotationChange(status=status, before=note)


class ItemComparison:
    """One item's comparison in steps, so that many items can teach before the first is told."""

    def __init__(self, old: Item, new: Item, options: Options) -> None:
        self.old, self.new, self.options = old, new, options
        notes = old.annotations
        if names := options.labels:
            # Compared under the new names, told as they were.
            notes = [
                note if note.label is None else note.with_(label=names.get(note.label, note.label))
                for note in notes
            ]
        media = new.media if new.media is not None else old.media
        self._pairing = Pairing(
            notes,
            new.annotations,
            threshold=options.threshold,
            size=None if media is None else media.size,
        )
        self._notes = notes

    def teach_ids(self, ids: IdTrust) -> None:
        """Tell what became of the ids of equal annotations."""
        self._pairing.teach(ids)

    def pair(self, ids: IdTrust) -> None:
        """Pair the annotations that are not equal."""
        self._pairing.finish(ids)

    def teach_rounding(self, rounding: Rounding) -> None:
        """Tell how the coordinates of pairs differ."""
        self._pairing.teach_rounding(rounding)

    def result(self, knowledge: Knowledge) -> ItemChange | None:
        """Return what changed; None if nothing did."""
        old, new, pairing = self.old, self.new, self._pairing
        changes: list[AnnotationChange] = []
        renumbered = rounded = interpolated = 0
        groups = self._regrouped()
        for i, j in sorted(pairing.partner.items()):
            a, b = self._notes[i], new.annotations[j]
            if i in pairing.equal and i not in groups:
                renumbered += _numbers_differ(a, b)
                continue
            details, notes_apart = self._details(a, b, knowledge)
            if i in groups:
                details["group"] = (a.group, b.group)
            if details:
                changes.append(_changed(old.annotations[i], b, details, pairing.size))
            rounded += notes_apart == "rounded" and not details
            interpolated += notes_apart == "interpolated" and not details
            renumbered += not details and _numbers_differ(a, b)
        for i in pairing.removed:
            if self._is_interpolated(old.annotations[i]):
                interpolated += 1
            else:
                changes.append(_appeared(old.annotations[i], "removed"))
        for j in pairing.added:
            if self._is_interpolated(new.annotations[j]):
                interpolated += 1
            else:
                changes.append(_appeared(new.annotations[j], "added"))
        return self._item_change(
            tuple(changes), renumbered=renumbered, rounded=rounded, interpolated=interpolated
        )

    # -- annotations -----------------------------------------------------------------------------

    def _details(
        self, a: Annotation, b: Annotation, knowledge: Knowledge
    ) -> tuple[Details, Literal["", "rounded", "interpolated"]]:
        """Values that differ, and why a difference of geometry is not among them."""
        details: Details = {}
        excuse: Literal["", "rounded", "interpolated"] = ""
        if a.kind != b.kind:
            details["type"] = (a.kind, b.kind)
        if a.kind != b.kind or a.geometry != b.geometry or not same(a.derived, b.derived):
            if self._is_interpolated(a) and self._is_interpolated(b):
                excuse = "interpolated"
            elif not self.options.exact and knowledge.rounding.explains(a, b):
                excuse = "rounded"
            else:
                details["geometry"] = (_geometry(a), _geometry(b))
        for name in ("label", "score", "z_order"):
            if getattr(a, name) != getattr(b, name):
                details[name] = (getattr(a, name), getattr(b, name))
        if a.track != b.track and not knowledge.ids.renamed_track(self.new, a.track, b.track):
            details["track"] = (a.track, b.track)
        details |= _mapping_details("attributes", a.attributes, b.attributes)
        extra = without_ids(a.extra), without_ids(b.extra)
        if not same(*extra) or not same(a.unknown, b.unknown):
            details["extra"] = ({**extra[0], **a.unknown}, {**extra[1], **b.unknown})
        return details, excuse

    def _is_interpolated(self, note: Annotation) -> bool:
        """Tell whether a shape was made up between keyframes and so follows from them."""
        return not self.options.exact and is_interpolated(note)

    def _regrouped(self) -> set[int]:
        """
        Positions in `old` of annotations that are now together with others than before.

        Only paired ones count: when the keypoints of a person are removed, the outline that stays
        has not changed.
        """
        before, after = self._notes, self.new.annotations
        partner = self._pairing.partner
        if not any(before[i].group or after[j].group for i, j in partner.items()):
            return set()
        old_groups: dict[int, set[int]] = {}
        new_groups: dict[int, set[int]] = {}
        for i, j in partner.items():
            # The group of one that is alone is a number of its own.
            old_groups.setdefault(before[i].group or ~i, set()).add(i)
            new_groups.setdefault(after[j].group or ~i, set()).add(i)
        return {
            i
            for i, j in partner.items()
            if old_groups[before[i].group or ~i] != new_groups[after[j].group or ~i]
        }

    # -- the item --------------------------------------------------------------------------------

    def _item_change(
        self, changes: tuple[AnnotationChange, ...], **counts: int
    ) -> ItemChange | None:
        old, new = self.old, self.new
        details, filled = media_changes(old, new, partial=self.options.partial_media)
        details |= _mapping_details("attributes", old.attributes, new.attributes)
        if old.annotated != new.annotated:
            details["annotated"] = (old.annotated, new.annotated)
        numbered = False
        if (old.extra or new.extra) and not same(dict(old.extra), dict(new.extra)):
            extra = without_ids(old.extra), without_ids(new.extra)
            numbered = same(*extra)
            if not numbered:
                details["extra"] = extra
        if order := self._reordered():
            details["order"] = order
        status: ItemStatus = "changed" if changes or details else "unchanged"
        renamed = old.key != new.key
        if renamed:
            moved = old.id == new.id and old.source == new.source
            status = "moved" if moved else "renamed"
        elif status == "unchanged" and not (any(counts.values()) or numbered or filled):
            return None
        return ItemChange(
            source=new.source,
            subset=new.subset,
            id=new.id,
            status=status,
            previous=old.key if renamed else None,
            annotations=changes,
            fields=tuple(dict.fromkeys(name.partition(".")[0] for name in details)),
            details=details,
            item_renumbered=numbered,
            filled=filled,
            **counts,
        )

    def _reordered(self) -> tuple[list[int], list[int]] | None:
        """
        Old and new order of the paired annotations, as positions in the new list, if they differ.

        Only where annotations stand in the order of their file on both sides: where they have ids,
        these order them.
        """
        places = [j for _, j in sorted(self._pairing.partner.items())]
        ordered = sorted(places)
        if places == ordered or _ids_order(self._notes) or _ids_order(self.new.annotations):
            return None
        return places, ordered


def _changed(
    a: Annotation, b: Annotation, details: Details, size: tuple[int, int] | None
) -> AnnotationChange:
    return AnnotationChange(
        status="changed",
        before=a,
        after=b,
        fields=tuple(dict.fromkeys(name.partition(".")[0] for name in details)),
        details=details,
        size=size,
    )


def _numbers_differ(a: Annotation, b: Annotation) -> bool:
    """Tell whether two annotations that say the same are numbered differently."""
    return a.id != b.id or a.track != b.track or not same(a.extra, b.extra)


def _ids_order(notes: Sequence[Annotation]) -> bool:
    ids = {note.id for note in notes}
    return 0 not in ids and len(ids) == len(notes)


def _geometry(note: Annotation) -> dict[str, Any]:
    values: dict[str, Any] = {name: getattr(note, name) for name in note.geometry_fields}
    if note.derived:
        values["derived"] = note.derived
    return values


def _mapping_details(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Details:
    if not old and not new:
        return {}
    details: Details = {}
    for at in {**old, **new}:
        before, after = old.get(at, msgspec.UNSET), new.get(at, msgspec.UNSET)
        if before is msgspec.UNSET or after is msgspec.UNSET or not same(before, after):
            details[f"{name}.{at}"] = (before, after)
    return details
