"""
Rules about one item: they need the item and the labels, and nothing else.

Whatever is off costs nothing; what is on is decided once, in the constructor.
"""

from collections.abc import Hashable, Iterator
from typing import Any

from dvcs.files import unturned_header
from dvcs.model import (
    Annotation,
    AttributeSpec,
    Cuboid3d,
    Item,
    Label,
    Labels,
    Mask,
    Points,
    Polygon,
    PolyLine,
)
from dvcs.validate.findings import Finding, of_item, place
from dvcs.validate.rules import COUNTED, FREE_ATTRIBUTES, RULES, UNLABELLED, Options, Severity
from dvcs.validate.shapes import faults, is_sound_box, outside

PLAIN_KINDS = frozenset({"label", "caption", "other", "raster"})


class ItemRules:
    """The rules about one item, for a list of labels."""

    def __init__(self, labels: Labels, options: Options) -> None:
        self._labels = labels
        self._options = options
        self._on = {
            name: level
            for name, rule in RULES.items()
            if rule.scope == "item" and (level := options.severity(name)) is not None
        }
        self._counted = COUNTED[options.task]
        self._declared = {one.name: _specs(labels, one.attributes) for one in labels}
        self._everywhere = _specs(labels, ())

    def check(self, item: Item) -> Iterator[Finding]:
        """Yield what is found in an item. Annotations that the task does not count are skipped."""
        notes = [
            (n, note)
            for n, note in enumerate(item.annotations)
            if self._counted is None or note.kind in self._counted
        ]
        if not notes and item.annotated is not True and "MissingAnnotation" in self._on:
            what = f"annotation for {self._options.task}" if self._options.task else "annotation"
            said = f"the item has no {what}"
            yield of_item("MissingAnnotation", self._on["MissingAnnotation"], said, item)
        if level := self._on.get("UnturnedSize"):
            yield from _unturned(item, level)
        if level := self._on.get("MultiLabelAnnotations"):
            yield from _several_labels(item, notes, level)
        for n, note in notes:
            for rule, said in self._of_note(item, note):
                yield of_item(rule, self._on[rule], said, item, at=place(n, note))
        if len(notes) > 1 and (level := self._on.get("DuplicateAnnotation")):
            yield from _duplicates(item, notes, level)

    def _of_note(self, item: Item, note: Annotation) -> Iterator[tuple[str, str]]:
        """Yield rules that an annotation breaks, of those that are on, and how."""
        if note.label is None:
            if note.kind not in UNLABELLED and "MissingLabel" in self._on:
                yield "MissingLabel", f"the {note.kind} has no label"
        elif note.label not in self._labels and "UndefinedLabel" in self._on:
            yield "UndefinedLabel", f"the label '{note.label}' is not declared"
        yield from self._attributes(note)
        if note.kind in PLAIN_KINDS:
            return
        found = [] if is_sound_box(note) else list(faults(note))
        yield from (one for one in found if one[0] in self._on)
        size = item.media.size if item.media is not None else None
        if found or size is None or "OutsideImage" not in self._on:
            return
        if note.attributes.get("outside") is True:
            return
        said = outside(note, size, self._options.tolerance)
        if said is not None:
            yield "OutsideImage", said

    def _attributes(self, note: Annotation) -> Iterator[tuple[str, str]]:
        declared = self._everywhere
        if note.label is not None:
            declared = self._declared.get(note.label, declared)
        if not declared:
            return
        for name, value in note.attributes.items():
            spec = declared.get(name)
            if spec is None:
                if name not in FREE_ATTRIBUTES and "UndefinedAttribute" in self._on:
                    yield "UndefinedAttribute", f"the attribute '{name}' is not declared"
            elif "InvalidAttributeValue" in self._on and not _allowed(spec, value):
                known = ", ".join(map(str, spec.values))
                yield "InvalidAttributeValue", f"'{name}' is '{value}', and can be: {known}"
        if "MissingAttribute" in self._on:
            for name, spec in declared.items():
                if name not in note.attributes and spec.default is None:
                    yield "MissingAttribute", f"the attribute '{name}' is missing"


def _specs(labels: Labels, own: tuple[AttributeSpec, ...]) -> dict[str, AttributeSpec]:
    return {spec.name: spec for spec in (*labels.attributes, *own)}


def _allowed(spec: AttributeSpec, value: Any) -> bool:
    if spec.type not in ("select", "radio") or not spec.values:
        return True
    known = {str(one) for one in spec.values}
    return all(str(one) in known for one in (value if isinstance(value, list) else [value]))


def _several_labels(
    item: Item, notes: list[tuple[int, Annotation]], level: Severity
) -> Iterator[Finding]:
    names = dict.fromkeys(note.label for _, note in notes if isinstance(note, Label))
    if len(names) > 1:
        listed = ", ".join(f"'{name}'" for name in names)
        said = f"the item has {len(names)} labels: {listed}"
        yield of_item("MultiLabelAnnotations", level, said, item)


def _unturned(item: Item, level: Severity) -> Iterator[Finding]:
    """Yield where the image, if it is at hand, is shown on another side than is declared."""
    if not item.origins:
        return
    header = unturned_header(item)
    if header is not None:
        said = (
            f"the size is declared as {header.height} x {header.width}, and EXIF (orientation"
            f" {header.orientation}) has the image shown as {header.width} x {header.height}:"
            " programs that honour EXIF see the shapes elsewhere"
        )
        yield of_item("UnturnedSize", level, said, item)


def _duplicates(
    item: Item, notes: list[tuple[int, Annotation]], level: Severity
) -> Iterator[Finding]:
    """Yield annotations that say what an earlier one says; ids, groups and attributes aside."""
    seen: dict[Hashable, tuple[int, Annotation]] = {}
    for n, note in notes:
        if note.kind in ("other", "raster") or _says_nothing(note):
            continue
        first = seen.setdefault(_meaning(note), (n, note))
        if first[0] == n:
            continue
        other = place(*first)
        what = {"label": "label", "caption": "caption"}.get(note.kind, "label and shape")
        said = f"the same {what} as #{other.key}"
        yield of_item("DuplicateAnnotation", level, said, item, at=place(n, note), related=other)


def _says_nothing(note: Annotation) -> bool:
    """Tell of keypoints that are all absent: COCO lists them for every person."""
    return isinstance(note, Points) and bool(note.visibility) and not any(note.visibility)


def _meaning(note: Annotation) -> Hashable:
    """Return what annotations that say the same have alike."""
    shape: Hashable
    if isinstance(note, Polygon):
        shape = tuple(tuple(map(tuple, part)) for part in note.parts)
    elif isinstance(note, PolyLine):
        shape = tuple(note.points)
    elif isinstance(note, Points):
        shape = tuple(note.points), tuple(note.visibility)
    elif isinstance(note, Mask):
        shape = tuple(note.size), note.counts
    elif isinstance(note, Cuboid3d):
        shape = tuple(note.position), tuple(note.rotation), tuple(note.scale)
    else:
        shape = note.geometry
    return note.kind, note.label, note.track, shape
