"""
Fitting items to what a format can hold: converted where the field expects it, else left out.

A writer is given only what its format's record says it can hold (`fitted`); what became of the
rest is counted in a `Fidelity`.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any

from dvcs.convert import PREFERENCES, convert, needs_size
from dvcs.formats._dataset_losses import lost_of_dataset
from dvcs.formats._fidelity import Fidelity
from dvcs.formats._format import Format
from dvcs.model import KINDS, Annotation, Dataset, Item, Media, Other
from dvcs.names import item_id
from dvcs.tracks import is_outside

_ABSENT: Mapping[str, Any] = {"id": 0, "z_order": 0, "score": None, "track": None}
"""The values of fields that say nothing."""
OUTLINES = frozenset({"bbox", "rotated_bbox", "ellipse", "polygon", "mask"})
"""Kinds that say where all of an object is."""
LABELLESS = frozenset({"caption", "other", "raster"})
"""Kinds of which nobody expects a label, so that they need not be told apart as unlabelled."""


def fitted(
    dataset: Dataset, format: Format, fidelity: Fidelity, *, convert_shapes: bool = True
) -> Dataset:
    """
    Return a dataset that gives a writer what its format can hold, and counts the rest.

    What it cannot hold becomes the first of `format.prefers` (else of `PREFERENCES`) that works, or
    is left out; so are annotations without a label, unless the format holds `unlabelled` ones.
    Fields beside geometry and label are given as they are, and counted where the writer will not
    write them; what stands in `extra` and `derived` under other formats' names is no loss, but
    who made a dataset and what its licences allow is.

    The dataset may be walked several times: `fidelity` has the counts of the last whole walk.
    Raises UnsafeName for an id or subset that would lead out of a folder.
    """
    fidelity.title = format.title
    if format.lossless:
        return dataset.map(_safe)
    fitter = _Fitter(format, convert_shapes=convert_shapes)

    def walk() -> Iterator[Item]:
        tally = Fidelity(format.name, format.title)
        tally.lost_fields.update(lost_of_dataset(dataset.metadata, fitter.own))
        quicker = dataset.boxed if fitter.takes_boxes else None
        for item, boxes in quicker() if quicker is not None else ((one, {}) for one in dataset):
            new = fitter.fit(_safe(item), tally, boxes)
            if new is not None:
                yield new
        fidelity.take(tally)

    return dataset.derive(walk, subset_names=dataset.subset_names)


def _safe(item: Item) -> Item:
    """Return an item whose names may reach a disk. Raises UnsafeName."""
    item_id(item.id)
    item_id(item.subset)
    return item


class _Fitter:
    """Fits items to one format."""

    def __init__(self, format: Format, *, convert_shapes: bool) -> None:
        self.kinds = format.kinds
        self.media = format.media
        self.holds = format.holds
        self.annotated = format.annotated
        self.names = {format.name, *format.aliases}
        self.family = format.name
        self.fields = format.fields
        self.attributes = frozenset(
            field.removeprefix("attributes.")
            for field in format.fields
            if field.startswith("attributes.")
        )
        self.targets: dict[str, tuple[str, ...]] = {}
        for kind in KINDS:
            wanted = format.prefers.get(kind, PREFERENCES.get(kind, ()))
            self.targets[kind] = tuple(one for one in wanted if one in format.kinds)
        if not convert_shapes:
            self.targets = dict.fromkeys(KINDS, ())
        held = {kind for kind in KINDS if kind in self.kinds or self.targets[kind]}
        self.needs_label = set() if "unlabelled" in format.fields else held - LABELLESS
        self.shortcuts: dict[str, str] = {}
        """What labelled annotations in no group become first, where only their kind tells."""
        if format.holds is None:
            first = {kind: targets[0] for kind, targets in self.targets.items() if targets}
            self.shortcuts = {**first, **{kind: kind for kind in self.kinds}}
        self.takes_boxes = {self.shortcuts.get(kind) for kind in ("polygon", "mask")} == {"bbox"}
        """Whether a reader may make boxes of outlines and masks itself."""

    def fit(self, item: Item, tally: Fidelity, boxes: Mapping[str, int]) -> Item | None:
        """
        Return an item as the format can hold it; None where it cannot.

        `boxes` are those that the reader has made already, by the kind that they were.
        """
        seen = _kinds(item, boxes)
        for kind, count in seen.items():
            tally.seen[kind] += count
        media = item.media
        if media is not None and media.kind not in self.media:
            if media.kind != "video_frame" or "image" not in self.media:
                tally.left_out[media.kind] += 1
                tally.dropped.update(seen)
                return None
            tally.frames += 1
            item = _still(item, media)
            tally.unpictured += not any(item.origins)
        self._count_item(item, tally)
        touched: set[tuple[str, ...]] = set()
        notes: list[Annotation] = []
        became = {(kind, "bbox"): count for kind, count in boxes.items()}
        size = media.size if media is not None else None
        shown = item.annotations if "track" in self.fields else _seen(item, tally)
        for note in shown:
            # Most annotations of a dataset are of one kind and meet the same fate, which is found
            # here: a call and three counters for each would double the time of an export of boxes.
            target = self.shortcuts.get(note.kind)
            if target is None or note.group or note.label is None:
                notes += self._fit_note(note, item, tally, touched)
            elif target == note.kind:
                notes.append(note)
            elif new := convert(note, target, size):
                notes += new
                pair = (note.kind, target)
                became[pair] = became.get(pair, 0) + 1
            else:
                notes += self._fit_note(note, item, tally, touched)
        for pair, count in became.items():
            tally.converted[pair] += count
            touched.add(("new", *pair))
        for one in touched:
            tally.items[one] += 1
        self._count_fields(notes, tally)
        if len(notes) == len(item.annotations) and all(
            a is b for a, b in zip(notes, item.annotations, strict=True)
        ):
            return item
        return item.with_(annotations=notes)

    def _fit_note(
        self, note: Annotation, item: Item, tally: Fidelity, touched: set[tuple[str, ...]]
    ) -> Sequence[Annotation]:
        kind = note.kind
        if isinstance(note, Other) and self.own(note.format):
            return (note,)
        if note.label is None and kind in self.needs_label:
            tally.unlabelled[kind] += 1
            touched.add(("none", kind))
            return ()
        if kind in self.kinds and self._holds(note, item):
            return (note,)
        size = item.media.size if item.media is not None else None
        for target in self.targets[kind]:
            if note.group and target != kind and self._stands(target, note, item):
                tally.merged[kind] += 1
                return ()
            new = convert(note, target, size)
            if new and self.holds is not None and not self.holds(new[0], item):
                new = convert(new[0], target, size)  # a mask's polygon, its rings joined to one
            if new and (self.holds is None or all(self.holds(one, item) for one in new)):
                tally.converted[kind, target] += 1
                touched.add(("new", kind, target))
                return new
        tally.dropped[kind] += 1
        touched.add(("drop", kind))
        if size is None and any(needs_size(kind, target) for target in self.targets[kind]):
            tally.unsized[kind] += 1
        return ()

    def _stands(self, target: str, note: Annotation, item: Item) -> bool:
        """
        Tell whether the annotation's instance has one of the kind `target` of its own.

        For keypoints, whose extent is less than the object's, one that becomes so will do.
        """
        kinds = {target}
        if note.kind == "points":
            kinds |= {kind for kind in OUTLINES if kind in self.kinds or self.targets[kind]}
        return any(
            other.group == note.group and other.kind in kinds and other.label == note.label
            for other in item.annotations
        )

    def _holds(self, note: Annotation, item: Item) -> bool:
        return self.holds is None or self.holds(note, item)

    def own(self, name: str) -> bool:
        """Tell whether a format's name is this one's: itself, an alias, or its family (`coco`)."""
        return name in self.names or self.family.startswith(f"{name}_")

    def _count_item(self, item: Item, tally: Fidelity) -> None:
        """Count what is said of an item itself and will not be written."""
        if item.attributes and "item.attributes" not in self.fields:
            tally.lost_fields["item.attributes"] += 1
        if item.annotations or self.annotated == "held":
            return
        if item.annotated and self.annotated == "never":
            tally.lost_fields["item.annotated"] += 1
        elif not item.annotated and self.annotated == "always":
            tally.lost_fields["item.unannotated"] += 1

    def _count_fields(self, notes: list[Annotation], tally: Fidelity) -> None:
        lost, fields = tally.lost_fields, self.fields
        if "attributes" not in fields:
            for note in notes:
                if note.attributes:
                    names = [name for name in note.attributes if name not in self.attributes]
                    if names:
                        lost["attributes"] += 1
                        tally.lost_attributes.update(names)
        for field, absent in _ABSENT.items():
            if field not in fields:
                found = list(map(attrgetter(field), notes))
                if count := len(found) - found.count(absent):
                    lost[field] += count
        groups = [note.group for note in notes if note.group]
        if groups and "group" not in fields:
            joined = sum(size for size in Counter(groups).values() if size > 1)
            if joined:
                lost["group"] += joined


def _kinds(item: Item, boxes: Mapping[str, int]) -> dict[str, int]:
    """Count an item's annotations by kind: by the one they were, where a reader made them boxes."""
    kinds = [note.kind for note in item.annotations]
    found = {kind: kinds.count(kind) for kind in set(kinds)}
    for kind, count in boxes.items():
        found[kind] = found.get(kind, 0) + count
        found["bbox"] -= count
    return {kind: count for kind, count in found.items() if count}


def _seen(item: Item, tally: Fidelity) -> Sequence[Annotation]:
    """Return the annotations of what is to be seen: not where a track says that it has ended."""
    gone = [note.kind for note in item.annotations if note.track is not None and is_outside(note)]
    if not gone:
        return item.annotations
    tally.outside.update(gone)
    return [note for note in item.annotations if note.track is None or not is_outside(note)]


def _still(item: Item, media: Media) -> Item:
    """Return a frame of a video as an image: the picture of it, where it has one of its own."""
    at = next((n for n, file in enumerate(media.files) if file.role == "image"), None)
    here = slice(0) if at is None else slice(at, at + 1)
    turned = None if at is None else media.orientation
    image = Media(
        files=media.files[here], height=media.height, width=media.width, orientation=turned
    )
    return item.with_(media=image, origins=item.origins[here])
