"""
Reading one item of Pascal VOC: its XML file, its masks, and what lists say of it.

What an XML file says beside its objects (`folder`, `source`, `owner`, ...) stands in the item's
`extra["voc"]` where it is not what a writer would say by itself; None for what is not there. Keys
that begin with `#` are no elements: `#sets` are the lists an item is in, where these are not the
usual ones, `#masks` that it has an image of classes only, `#without` which of the elements of an
object that others expect it does not have, `#instance` the number of a mask that its place does
not tell.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, TypeGuard

from dvcs.convert import convert
from dvcs.files import Source
from dvcs.formats import _xml
from dvcs.formats._voc.find import Entry, Root
from dvcs.formats._voc.labels import (
    ACTION,
    CLASSIFICATION,
    IGNORED,
    IGNORED_COLOR,
    LAYOUT,
    NAME,
    SEGMENTATION,
    TASKS,
    WITH_XML,
    Color,
    colors_of,
)
from dvcs.formats._voc.layouts import Layouts, Quick
from dvcs.formats._voc.lists import names_of_lists
from dvcs.formats._voc.objects import Found, label_text, read_attributes, read_object
from dvcs.model import Annotation, Bbox, Category, Item, Label, Mask, Media, MediaFile
from dvcs.names import extension, unquote

if TYPE_CHECKING:
    from dvcs.formats._voc.masks import Region

FOLDER: Final = "JPEGImages"
"""What a written `<folder>` says."""
FITTING: Final = 0.5
"""IoU of an object's box and the extent of its mask: those of VOC's own lie some pixels apart."""
RELABELLED: Final = (
    "an object has another label in the XML than in the picture of classes, and the XML's was taken"
)
_OTHERS: Final = frozenset({"object", "label"})
_HANDLED: Final = frozenset({"filename", "size", "folder", "segmented"})
_USUAL_SIZE: Final = {"depth": "3"}
_SIDE: Final = re.compile(r"\s*[1-9]\d{0,8}\s*\Z")
_ENDING: Final = re.compile(r"\.\w{1,8}")


class ClassLists:
    """What the lists of classes and actions say, by item id."""

    def __init__(self, roots: Sequence[Root], labels: Sequence[str], tasks: Sequence[str]) -> None:
        self.names: set[str] = set()
        self.seen: set[str] = set()
        """Ids that a list of a class mentions."""
        self.flags: dict[str, dict[str, int]] = {}
        self.actions: dict[str, list[tuple[str, int, bool]]] = {}
        quoted = names_of_lists(labels)
        for root in roots:
            for one in root.class_lists:
                name = quoted.get(one.name) or unquote(one.name)
                if one.folder == "Main" and CLASSIFICATION in tasks:
                    self._add_labels(root, name, one.rows)
                elif one.folder == "Action" and ACTION in tasks:
                    for id, number, flag in one.rows:
                        said = (name, number, flag == 1)
                        self.actions.setdefault(root.name + id, []).append(said)

    def _add_labels(self, root: Root, name: str, rows: Sequence[tuple[str, int, int]]) -> None:
        for id, _, flag in rows:
            self.seen.add(root.name + id)
            if flag >= 0:
                self.names.add(name)
                self.flags.setdefault(root.name + id, {})[name] = flag


class ItemReader:
    """Reads items one by one. `main` says whether items are in a list of `Main` as a rule."""

    def __init__(
        self,
        source: Source,
        tasks: Sequence[str],
        numbered: Sequence[Category],
        shown: ClassLists,
        layouts: Layouts,
        *,
        main: bool,
    ) -> None:
        self.source = source
        self.tasks = frozenset(tasks)
        usual = [TASKS[task] for task in tasks] if len(tasks) == 1 else ["Main"] if main else []
        self._usual_sets = {folder: ["*"] for folder in usual}
        self.numbered = numbered
        self.shown = shown
        self.layouts = layouts

    def item(self, entry: Entry) -> Item | None:
        """Return an item; None for a loose XML file that is not VOC."""
        read = self._read(entry)
        quick = read if isinstance(read, Quick) else None
        root = None if isinstance(read, Quick) else read
        if entry.xml is not None and read is None and entry.root.loose and self.tasks & WITH_XML:
            return None
        extra: dict[str, Any] = {}
        regions, void = self._regions(entry, extra)
        notes = self._labels(entry.id, root)
        head: dict[str, Any] | None = None
        if quick is not None:
            objects, seen, head = quick.notes, set[str](), quick.head
        else:
            objects, seen = self._objects(entry, root, regions, void)
            head = None if root is None else _head(root)
        sizes = [one.size for one in (*regions, void) if one is not None]
        media: Media | None
        if head is None:
            media = _media_alone(entry, sizes[0] if sizes else None)
        else:
            media = _media(entry, head, extra)
            _keep(head, extra, segmented=bool(sizes))
        self._keep_sets(entry, seen, extra)
        origin = None if entry.image is None else self.source.origin(entry.image)
        return Item(
            entry.id,
            entry.subset,
            media,
            notes + objects,
            annotated=True if read is not None or sizes or entry.id in self.shown.seen else None,
            extra={NAME: extra} if extra else {},
            origins=(origin,) if media is not None else (),
        )

    def _read(self, entry: Entry) -> "Quick | _xml.Element | None":
        """Return the root of an XML file, or what it says where it was enough to compare it."""
        if entry.xml is None or not self.tasks & WITH_XML:
            return None
        kept = self.layouts.kept.get(entry.xml)
        masks = SEGMENTATION in self.tasks and (entry.class_mask or entry.object_mask)
        if masks or entry.id in self.shown.actions:  # these say more of single objects
            return self._root(entry, kept if isinstance(kept, bytes) else None)
        if isinstance(kept, Quick):
            return kept
        data = self.source.bytes(entry.xml) if kept is None else kept
        return self.layouts.read(data) or self._root(entry, data)

    def _root(self, entry: Entry, data: bytes | None) -> "_xml.Element | None":
        root = _xml.parse(self.source, str(entry.xml), data)
        if root.tag == "annotation":
            return root
        if not entry.root.loose:
            raise _xml.fail(root, f"the root should be <annotation>, not <{root.tag}>")
        self.source.note("XML files that are not VOC were left alone")
        return None

    def _labels(self, id: str, root: "_xml.Element | None") -> list[Annotation]:
        if CLASSIFICATION not in self.tasks:
            return []
        said: dict[str, dict[str, Any]] = {}
        for element in root.iterchildren("label") if root is not None else ():
            named = element.find("name")
            if named is not None and label_text(named):
                said[label_text(named)] = read_attributes(element)
        flags = self.shown.flags.get(id, {})
        found: list[Annotation] = []
        for name in dict.fromkeys((*sorted(flags), *said)):
            difficult = {"difficult": True} if flags.get(name) == 0 else {}
            found.append(Label(label=name, attributes={**difficult, **said.get(name, {})}))
        return found

    def _regions(self, entry: Entry, extra: dict[str, Any]) -> "tuple[list[Region], Region | None]":
        paths = (entry.class_mask, entry.object_mask)
        if SEGMENTATION not in self.tasks or paths == (None, None):
            return [], None
        from dvcs.formats._voc import masks

        background = self.colors[0, 0, 0]
        classes = objects = None
        if entry.class_mask is not None:
            place = str(self.source.place(entry.class_mask))
            data = self.source.bytes(entry.class_mask)
            classes = masks.read_picture(data, place, self.colors, by_color=True)
        if entry.object_mask is not None:
            place = str(self.source.place(entry.object_mask))
            data = self.source.bytes(entry.object_mask)
            objects = masks.read_picture(data, place, masks.BY_COLOR, by_color=False)
        else:
            extra["#masks"] = ["class"]
        place = str(self.source.place(entry.class_mask or entry.object_mask or ""))
        count = len(self.numbered)
        return masks.regions(classes, objects, place, count=count, background=background)

    @cached_property
    def colors(self) -> dict[Color, int]:
        """What colours in masks of classes mean; black is the background, if that is a label."""
        from dvcs.formats._voc.masks import NOTHING, VOID, number_of

        found = {
            color: VOID if one.name == IGNORED else number_of(position)
            for position, (one, color) in enumerate(
                zip(self.numbered, colors_of(self.numbered), strict=True)
            )
        }
        found.setdefault((0, 0, 0), NOTHING)
        found.setdefault(IGNORED_COLOR, VOID)
        return found

    def _objects(
        self,
        entry: Entry,
        root: "_xml.Element | None",
        regions: "Sequence[Region]",
        void: "Region | None",
    ) -> tuple[list[Annotation], set[str]]:
        """Return the annotations of objects and masks, and the tasks that they are for."""
        left = {one.number: one for one in regions if one.number}
        groups = _Groups()
        notes: list[Annotation] = []
        seen: set[str] = set()
        number = 0
        parts, actions = LAYOUT in self.tasks, ACTION in self.tasks
        elements = list(root.iterchildren("object")) if root is not None else []
        spare, shift = max(len(left) - len(elements), 0) if elements else 0, 0
        for element in elements:
            number += 1
            found = read_object(element, parts=parts, actions=actions)
            if any(isinstance(note, Bbox) for note in found.notes[1:]):
                seen.add(LAYOUT)
            if actions and self._add_actions(entry.id, element, number, found):
                seen.add(ACTION)
            if shift < spare and _fit(left.get(number + shift), found) < FITTING:
                # Objects are missing: those behind them have the numbers that they had before.
                later = range(shift + 1, spare + 1)
                fitting = (n for n in later if _fit(left.get(number + n), found) >= FITTING)
                shift = next(fitting, shift)
            region = left.get(number + shift)
            strange = shift and not _fits(region, found)
            if region is None or strange or not self._is_of(region, found, regions):
                notes += groups.joined(found.notes, found.group)
                continue
            del left[number + shift]
            if self._name(region) not in {None, found.notes[0].label}:
                self.source.note(RELABELLED, example=f"'{entry.id}', object {number}")
            mask = self._mask(region, found.notes[0].label)
            notes += groups.joined(_with_mask(element, found, mask), found.group)
        for region in (*left.values(), *(one for one in regions if not one.number)):
            number += 1
            mask = self._mask(region, self._name(region))
            told = region.number == 0 or (root is None and region.number == number)
            notes.append(mask if told else mask.with_(extra={NAME: {"#instance": region.number}}))
        if void is not None:
            notes.append(self._mask(void, IGNORED))
        if regions or void is not None:
            seen.add(SEGMENTATION)
        return notes, seen

    def _add_actions(self, id: str, element: "_xml.Element", number: int, found: Found) -> bool:
        said = element.find("actions")
        if said is not None:
            return len(said) > 0
        listed = {name: flag for name, at, flag in self.shown.actions.get(id, ()) if at == number}
        for name, flag in listed.items():
            found.notes[0].attributes.setdefault(name, flag)
        return bool(listed)

    def _name(self, region: "Region") -> str | None:
        return None if region.label is None else self.numbered[region.label].name

    def _is_of(self, region: "Region", found: Found, others: "Sequence[Region]") -> bool:
        """
        Tell whether the mask of an object's number is that object.

        It is where both have one label. Where they differ, somebody gave the object another, or
        numbers mean nothing here. Then it is where the box fits the mask, and fits no mask of the
        object's label better.
        """
        label = found.notes[0].label
        if self._name(region) in {None, label}:
            return True
        if not _fits(region, found):
            return False
        fit = _fit(region, found)
        return not any(_fit(one, found) > fit for one in others if self._name(one) == label)

    @staticmethod
    def _mask(region: "Region", label: str | None) -> Mask:
        return Mask(region.size, region.counts, label=label)

    def _keep_sets(self, entry: Entry, seen: set[str], extra: dict[str, Any]) -> None:
        if entry.sets is None:
            return
        usual = self._usual_sets
        if seen and len(self.tasks) > 1:
            usual = {**usual, **{TASKS[task]: ["*"] for task in seen}}
        if entry.sets != usual:
            extra["#sets"] = entry.sets


class _Groups:
    """Numbers groups by first appearance."""

    def __init__(self) -> None:
        self.last = 0
        self.known: dict[int, int] = {}

    def joined(self, notes: list[Annotation], group: int | None) -> list[Annotation]:
        """Return the annotations of one object in one group, if they are in any."""
        if group is None and len(notes) == 1:
            return notes
        number = self.known.get(group) if group is not None else None
        if number is None:
            self.last = number = self.last + 1
            if group is not None:
                self.known[group] = number
        return [note.with_(group=number) for note in notes]


def _fit(region: "Region | None", found: Found, *, inside: bool = False) -> float:
    """Return the IoU of an object's box and a mask's extent, or whether the mask is in the box."""
    from dvcs.formats._voc import masks

    first = found.notes[0]
    boxes = [first] if isinstance(first, Bbox) else convert(first, "bbox", None) or []
    if region is None or not boxes:
        return 0.0
    return float(masks.fit(region, boxes[0])[inside])


def _fits(region: "Region | None", found: Found) -> bool:
    # A box that stands for a mask is around all of it, also what others cover.
    inside = found.of_mask and _fit(region, found, inside=True) > 0
    return inside or _fit(region, found) >= FITTING


def _with_mask(element: "_xml.Element", found: Found, mask: Mask) -> list[Annotation]:
    """Return an object with its mask, or the mask alone where the box is but its extent."""
    if not found.of_mask:
        return [*found.notes, mask]
    extra = {
        key: value for key, value in found.notes[0].extra.get(NAME, {}).items() if key[0] != "#"
    }
    attributes = read_attributes(element)
    return [mask.with_(attributes=attributes, extra={NAME: extra} if extra else {})]


# -- what an XML file says of its image ----------------------------------------------------------


def _head(root: "_xml.Element") -> dict[str, Any]:
    """Return what stands beside the objects and labels as plain values."""
    found: dict[str, Any] = {}
    for child in root:
        if child.tag not in _OTHERS:
            _xml.add_record(found, str(child.tag), _xml.record(child))
    for key, said in root.items():
        found[f"@{str(key).rpartition('}')[2]}"] = str(said)
    return found


def _media(entry: Entry, head: Mapping[str, Any], extra: dict[str, Any]) -> Media | None:
    """Return the image; None where neither a file, nor a name, nor a size is known."""
    height, width = _size(head, extra)
    said = _first(head, "filename")
    if isinstance(said, dict):
        said = said.get("#text", "")
    said = None if said is None else str(said).strip()
    if entry.image is None and not said and height is None:
        if said is not None:
            extra["filename"] = said
        return None
    usual = said == f"{entry.id}.jpg" and entry.image is None
    ext = ".jpg" if usual else _ending(said) if entry.image is None else extension(entry.image)
    if said != entry.id + ext:
        extra["filename"] = said
    return Media(files=(MediaFile(ext=ext),), height=height, width=width)


def _media_alone(entry: Entry, size: tuple[int, int] | None) -> Media:
    ext = ".jpg" if entry.image is None else extension(entry.image)
    height, width = size or (None, None)
    return Media(files=(MediaFile(ext=ext),), height=height, width=width)


def _ending(name: str | None) -> str:
    ending = extension((name or "").replace("\\", "/").rpartition("/")[2])
    return ending if _ENDING.fullmatch(ending) else ".jpg"


def _size(head: Mapping[str, Any], extra: dict[str, Any]) -> tuple[int | None, int | None]:
    said = _first(head, "size")
    if said is None:
        extra["size"] = None
        return None, None
    said = dict(said) if isinstance(said, dict) else {}
    height, width = said.get("height"), said.get("width")
    if _is_side(height) and _is_side(width):
        del said["height"], said["width"]
        if said != _USUAL_SIZE:
            extra["size"] = said
        return int(height), int(width)
    extra["size"] = said
    return None, None


def _is_side(said: Any) -> TypeGuard[str]:
    return isinstance(said, str) and _SIDE.match(said) is not None


def _first(head: Mapping[str, Any], tag: str) -> Any:
    """Return what the first element of a tag says; None where there is none."""
    said = head.get(tag)
    return said[0] if isinstance(said, list) else said


def _keep(head: Mapping[str, Any], extra: dict[str, Any], *, segmented: bool) -> None:
    """Keep what a file says beside its objects and image, where a writer would not say it."""
    for tag, value in (("folder", FOLDER), ("segmented", "1" if segmented else "0")):
        said = head.get(tag)
        if said != value:
            extra[tag] = said
    extra.update((tag, said) for tag, said in head.items() if tag not in _HANDLED)
