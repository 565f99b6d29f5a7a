"""
Writing Pascal VOC: images, XML files and masks item by item; then lists and the label map.

An `<object>` is an instance. Its mask has the object's number; a mask without a box gets an object
with its extent for a box, so that what is trained on boxes has it too. Where several objects are in
one group otherwise than as parts, `<group>` says so.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from dvcs.errors import DvcsError, UnsafeName
from dvcs.files import Sink, image_size
from dvcs.formats._voc.items import FOLDER
from dvcs.formats._voc.labels import (
    ACTION,
    CLASSIFICATION,
    IGNORED,
    IGNORED_COLOR,
    LAYOUT,
    SEGMENTATION,
    TASKS,
    WITH_XML,
    actions_of,
    colors_of,
    label_map_lines,
    listed,
    parts_of,
    with_background,
    with_details,
)
from dvcs.formats._voc.lists import FOLDERS, ListWriter, id_line
from dvcs.formats._voc.xml import Object, document, is_flag, own
from dvcs.model import Annotation, Bbox, Category, Dataset, Item, Label, Mask, RotatedBbox
from dvcs.names import extension, item_id, simple_name

LABEL_MAP = "labelmap.txt"


class Writer:
    """Writes a dataset. `label_map` are the labels that its map has at least, in order."""

    def __init__(
        self,
        dataset: Dataset,
        sink: Sink,
        tasks: Sequence[str],
        *,
        label_map: Sequence[Category] | None,
        apply_colormap: bool,
        allow_attributes: bool,
        keep_empty: bool,
    ) -> None:
        self.dataset = dataset
        self.sink = sink
        self.tasks = frozenset(tasks)
        self.single = len(self.tasks) == 1
        self.apply_colormap = apply_colormap
        self.allow_attributes = allow_attributes
        self.keep_empty = keep_empty
        said = own(dataset.metadata)
        self.main = "folders" not in said
        unions = said.get("unions")
        self.unions: Mapping[str, Any] = unions if isinstance(unions, Mapping) else {}
        self.labels = _Labels(dataset, label_map)
        self.lists = ListWriter()
        self.ids: dict[str, str] = {}
        """The subset of each id that was written: all share the folders."""

    def write(self) -> None:
        """Write all of it. Raises UnsafeName for names that a line or file cannot hold."""
        for item in self.dataset:
            try:
                self._item(item)
            except DvcsError as error:
                if f"'{item.id}'" in str(error):
                    raise
                error.args = (f"item '{item.id}': {error}",)
                raise
        folders = [one for one in FOLDERS if one in {TASKS[task] for task in self.tasks}]
        self.lists.write(self.sink, folders, self.unions, keep_empty=self.keep_empty)
        lines, lost = self.labels.lines()
        self.sink.lines(LABEL_MAP, lines)
        self.sink.lost_fields.update(["label.parent"] * lost)

    # Items

    def _item(self, item: Item) -> None:
        id = self._id(item)
        said = own(item.extra)
        media = self._media(item, id)
        objects, extra_masks, void = self._objects(item)
        labels = [note for note in item.annotations if isinstance(note, Label)]
        by_class = said.get("#masks") == ["class"] and not any(
            one.mask is not None and (one.note.attributes or one.group) for one in objects
        )
        painted = self._masks(id, objects, extra_masks, void, by_class=by_class)
        if by_class:
            objects = [one for one in objects if not isinstance(one.note, Mask)]
        file = self._xml(item, said, media, labels, objects, painted=painted)
        if file:
            self.sink.text(f"Annotations/{id}.xml", file)
        self._list(item, id, said, objects, painted=painted, alone=not file and media is None)
        if CLASSIFICATION in self.tasks:
            self.lists.add_labels(id, item, labels)

    def _id(self, item: Item) -> str:
        """Return an item's id: below its subset, where another subset has the same."""
        own_id = id = item_id(item.id)
        while self.ids.setdefault(id, item.subset) != item.subset:
            id = f"{simple_name(item.subset, 'subset')}/{id}"
        if id != own_id:
            self.sink.lost_fields["item.id"] += 1
        return id

    def _media(self, item: Item, id: str) -> str | None:
        """Write the image; return its name in the folder of images, if it has one."""
        if item.media is None:
            return None
        first = item.media.files[0] if item.media.files else None
        ext = (first.ext or extension(first.name or "")) if first is not None else ""
        path = f"{FOLDER}/{id}{ext or '.jpg'}"
        return self.sink.media(item, path).removeprefix(f"{FOLDER}/")

    def _objects(self, item: Item) -> tuple[list[Object], list[Mask], list[Mask]]:
        """Return the objects of an item, masks that are of none, and what is ignored."""
        boxes: dict[int, list[Object]] = {}
        parts = self._parts(item) if LAYOUT in self.tasks else {}
        made: dict[int, Object] = {}
        for position, note in enumerate(item.annotations):
            if isinstance(note, Bbox | RotatedBbox) and position not in parts:
                made[position] = Object(note, actions=self._actions(note))
                if note.group:
                    boxes.setdefault(note.group, []).append(made[position])
        for position, whole in parts.items():
            part = item.annotations[position]
            assert isinstance(part, Bbox)  # noqa: S101 -- parts are boxes
            made[whole].parts.append(part)
        numbered: list[Mask] = []
        void: list[Mask] = []
        for position, note in enumerate(item.annotations):
            if not isinstance(note, Mask):
                continue
            if note.label == IGNORED and not note.group and not note.attributes:
                void.append(note)
                continue
            mate = next(
                (
                    one
                    for one in boxes.get(note.group, ())
                    if one.mask is None and one.note.label == note.label
                ),
                None,
            )
            if mate is not None and not note.attributes:
                mate.mask = note
            elif own(note.extra).get("#instance") and not note.attributes and not note.group:
                numbered.append(note)
            else:
                made[position] = Object(note, mask=note)
        objects = [made[position] for position in sorted(made)]
        _mark_groups(objects)
        return objects, numbered, void

    def _parts(self, item: Item) -> dict[int, int]:
        """Return the positions of boxes that are parts, and of what they are parts of."""
        firsts: dict[tuple[int, str], int] = {}
        for position, note in enumerate(item.annotations):
            if isinstance(note, Bbox | RotatedBbox) and note.group and note.label is not None:
                firsts.setdefault((note.group, note.label), position)
        found: dict[int, int] = {}
        for position, note in enumerate(item.annotations):
            if not isinstance(note, Bbox) or not note.group or note.attributes:
                continue
            for whole in self.labels.wholes.get(note.label or "", ()):
                at = firsts.get((note.group, whole))
                if at is not None and at != position and at not in found:
                    found[position] = at
                    self.labels.add_part(whole, note.label or "")
                    break
        owners = set(found.values())
        return {part: whole for part, whole in found.items() if part not in owners}

    def _actions(self, note: Annotation) -> Sequence[str]:
        if ACTION not in self.tasks or not note.attributes or note.label is None:
            return ()
        known = self.labels.actions.get(note.label, ())
        return [name for name in known if is_flag(note.attributes.get(name))]

    # Masks

    def _masks(
        self,
        id: str,
        objects: Sequence[Object],
        extra_masks: Sequence[Mask],
        void: Sequence[Mask],
        *,
        by_class: bool,
    ) -> bool:
        """Write the images of masks; return whether there are any."""
        if SEGMENTATION not in self.tasks:
            return False
        masks = [(one.mask, number) for number, one in enumerate(objects, 1) if one.mask]
        taken = {number for _, number in masks}
        for mask in extra_masks:
            number = own(mask.extra).get("#instance")
            if not isinstance(number, int) or not 0 < number < 65_000 or number in taken:
                number = max(taken, default=len(objects)) + 1
            taken.add(number)
            masks.append((mask, number))
        if not masks and not void:
            return False
        from dvcs.formats._voc.masks import PALETTE, VOID, number_of, paint

        shapes = sorted(masks, key=lambda one: one[0].z_order)
        self.labels.drawn = True
        drawn = [*(mask for mask, _ in shapes), *void]
        voids = [VOID] * len(void)
        classes = [number_of(self.labels.position(mask.label or "")) for mask, _ in shapes] + voids
        numbers = [number_of(number) for _, number in shapes] + voids
        colors = (self.labels.palette(), PALETTE) if self.apply_colormap else (None, None)
        rows = ((classes,), (colors[0],)) if by_class else ((classes, numbers), colors)
        painted = paint([(mask.size, mask.counts) for mask in drawn], *rows)
        if painted.covered:
            self.sink.lost_fields["covered"] += painted.covered
        for (_, number), extent in zip(shapes, painted.extents, strict=False):
            if number <= len(objects):
                objects[number - 1].extent = extent
        if max(*numbers, *classes) > VOID:
            self.sink.note("items have masks of 16 bits, for more than 254 instances or labels")
        for folder, image in zip(
            ("SegmentationClass", "SegmentationObject"), painted.images, strict=False
        ):
            self.sink.bytes(f"{folder}/{id}.png", image)
        return True

    # XML

    def _xml(
        self,
        item: Item,
        said: Mapping[str, Any],
        media: str | None,
        labels: Sequence[Label],
        objects: Sequence[Object],
        *,
        painted: bool,
    ) -> str:
        """Return an item's XML file; '' where it has none, as nothing in it would be news."""
        if not self.tasks & WITH_XML:
            return ""
        known = item.media.size if item.media is not None else None
        told = [one for one in labels if set(one.attributes) - {"difficult"}]
        told = told if CLASSIFICATION in self.tasks and self.allow_attributes else []
        shown = painted or (labels and CLASSIFICATION in self.tasks)
        wanted = objects or told or any(not key.startswith("#") for key in said)
        if not wanted and not (known and item.annotations) and (shown or not item.annotated):
            return ""
        size = known
        if size is None and objects and "size" not in said:
            size = image_size(item)
        return document(
            said,
            media,
            size,
            told,
            objects,
            segmented=painted,
            attributes=self.allow_attributes,
        )

    # Lists

    def _list(
        self,
        item: Item,
        id: str,
        said: Mapping[str, Any],
        objects: Sequence[Object],
        *,
        painted: bool,
        alone: bool,
    ) -> None:
        tasks = {SEGMENTATION} if painted else set()
        if any(one.parts for one in objects):
            tasks.add(LAYOUT)
        acting = [(number, one) for number, one in enumerate(objects, 1) if one.actions]
        if acting:
            tasks.add(ACTION)
        usual = {TASKS[task] for task in tasks} | ({"Main"} if self.main else set())
        sets: Any = said.get("#sets")
        if self.single:
            usual = {TASKS[task] for task in self.tasks}
            sets = {one: sets.get(one) or ["*"] for one in usual} if _is_sets(sets) else None
        elif not _is_sets(sets) or (alone and not sets):
            sets = None
        usual = usual & {TASKS[task] for task in self.tasks} or {"Main"}
        self.lists.add(item.subset, id, sets, usual)
        for number, one in acting:
            for action in one.actions:
                flag = 1 if one.note.attributes[action] is True else -1
                self.lists.add_action(action, item.subset, id_line(id, number, flag))


def _is_sets(value: Any) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(names, list) and all(isinstance(name, str) and name for name in names)
        for names in value.values()
    )


def _mark_groups(objects: Sequence[Object]) -> None:
    """Note the group of objects that share it with others."""
    seen: dict[int, list[Object]] = {}
    for one in objects:
        if one.note.group:
            seen.setdefault(one.note.group, []).append(one)
    for mates in seen.values():
        if len(mates) > 1:
            for one in mates:
                one.group = one.note.group


class _Labels:
    """The labels that are written: their numbers in masks, parts and actions."""

    def __init__(self, dataset: Dataset, label_map: Sequence[Category] | None) -> None:
        own_lines = listed(dataset.labels)
        given = list(label_map or ())
        known = {one.name for one in given}
        self.known = [*given, *(one for one in own_lines if one.name not in known)]
        for one in self.known:
            if not one.name:
                raise UnsafeName("a label has an empty name", hint="rename it")
        self.numbered = with_background(self.known)
        if not any(one.name == IGNORED for one in self.known):
            self.numbered.append(Category(name=IGNORED, color=IGNORED_COLOR))
        self._positions = {one.name: n for n, one in enumerate(self.numbered)}
        self.drawn = False
        self._palette: bytes | None = None
        self._parts: dict[str, set[str]] = {}
        self._parents = [(one.name, one.parent) for one in dataset.labels if one.parent]
        every = {one.name: one for one in (*self.known, *dataset.labels)}
        self.actions = {name: actions_of(one) for name, one in every.items() if actions_of(one)}
        self.wholes: dict[str, list[str]] = {}
        for one in every.values():
            for part in parts_of(one):
                self.wholes.setdefault(part, []).append(one.name)
            if one.parent is not None and one.parent in every:
                self.wholes.setdefault(one.name, []).append(one.parent)

    def position(self, name: str) -> int:
        """Return the position of a label; one that has no line (a part) gets the next."""
        position = self._positions.get(name)
        if position is None:
            position = self._positions[name] = len(self.numbered)
            self.numbered.append(Category(name=name))
            self._palette = None
        return position

    def add_part(self, whole: str, part: str) -> None:
        """Note that a label is a part of another."""
        self._parts.setdefault(whole, set()).add(part)

    def palette(self) -> bytes:
        """Return the palette of images of classes: 256 colours, the last of what is ignored."""
        if self._palette is None:
            colors = colors_of(self.numbered)
            ignored = colors[self._positions[IGNORED]]
            filled = [*colors[:255], *([(0, 0, 0)] * (255 - len(colors))), ignored]
            self._palette = bytes(part for color in filled for part in color)
        return self._palette

    def lines(self) -> tuple[list[str], int]:
        """
        Return the lines of the label map: colours stand there if masks were painted.

        And how many labels have a parent of which they are no part there.
        """
        base = self.numbered if self.drawn else self.known
        full = with_details(base, self._parts, {})[: len(base)]
        told = {(one.name, part) for one in full for part in parts_of(one)}
        lost = sum(1 for name, whole in self._parents if (whole, name) not in told)
        return label_map_lines(full, colors_of(self.numbered) if self.drawn else None), lost
