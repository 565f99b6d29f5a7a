"""
Reading Pascal VOC: labels first, from names alone; then the walk, an item at a time.

Labels are needed before the walk, and XML files name them. Most files are read by pattern then
(`layouts.py`); of the others the names are searched as bytes, and they are parsed only where that
could mislead. What the first 64 MiB say is kept for the walk, or their bytes are, so that no file
of a usual dataset is read twice.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from dvcs.errors import DvcsError, NotADataset
from dvcs.files import Source
from dvcs.formats import _xml
from dvcs.formats._voc.find import Entry, Root, entries, find_roots, root_known, widened
from dvcs.formats._voc.items import ClassLists, ItemReader
from dvcs.formats._voc.labels import (
    ACTION,
    BACKGROUND,
    CLASSES,
    IGNORED,
    IGNORED_COLOR,
    LABEL_MAPS,
    LAYOUT,
    NAME,
    SEGMENTATION,
    TASKS,
    WITH_XML,
    original,
    parts_of,
    read_label_map,
    with_details,
)
from dvcs.formats._voc.layouts import Layouts
from dvcs.formats._voc.lists import FOLDERS
from dvcs.formats._voc.objects import label_text
from dvcs.model import Category, Dataset, Item, Labels

CACHE: Final = 64 << 20
_NAMES: Final = re.compile(rb"<object>\s*<name>([^<&\x80-\xff]*)</name>")
_PLAIN: Final = re.compile(
    rb"encoding=.(?:utf-8|us-ascii|ascii|iso-8859-1|windows-1252)", re.IGNORECASE
)


def read(source: Source, tasks: Sequence[str] = tuple(TASKS)) -> Dataset:
    """
    Return the dataset of a place, with what belongs to these tasks.

    Raises NotADataset where there are no lists, masks and XML files, FormatError where lists or
    label maps are bad; bad items are reported in the walk.
    """
    source = widened(source)
    roots = find_roots(source)
    folders = [one for one in FOLDERS if one in {TASKS[task] for task in tasks}]
    found = list(entries(source, roots, folders))
    _check(source, roots, folders, found)
    names = _Names(source, tasks)
    if WITH_XML & set(tasks):
        names.scan(entry.xml for entry in found if entry.xml is not None)
    masks = SEGMENTATION in tasks and any(one.class_mask or one.object_mask for one in found)
    listed, numbered = _listed(source, roots, names, masks=masks)
    shown = ClassLists(roots, [one.name for one in listed], tasks)
    metadata = _metadata(roots, folders)
    main = "folders" not in metadata.get(NAME, {})

    def walk() -> Iterator[Item]:
        reader = ItemReader(source, tasks, numbered, shown, names.layouts, main=main)
        return (item for item in source.items(found, reader.item) if item is not None)

    return Dataset(_labels(listed, names, shown), walk, metadata=metadata, decoded=not masks)


def _check(
    source: Source, roots: Sequence[Root], folders: Sequence[str], found: Sequence[Entry]
) -> None:
    """Raise NotADataset for what is not VOC; its empty lists, or a label map alone, are."""
    mapped = bool(source.paths) and set(source.paths) <= set(LABEL_MAPS)
    if source.is_empty_export or mapped:
        return
    place = source.name if source.focus is None else source.place(source.focus)
    if not roots or not any(root.lists or root_known(root) for root in roots):
        raise NotADataset(
            f"there is nothing of Pascal VOC at '{place}'",
            hint="it has Annotations/*.xml, ImageSets/Main/*.txt or SegmentationClass/*.png",
        )
    if not found and not any(folder in root.lists for root in roots for folder in folders):
        listed = ", ".join(sorted({f"ImageSets/{name}" for root in roots for name in root.lists}))
        raise NotADataset(
            f"there is nothing of this task of Pascal VOC at '{place}'",
            hint=f"it has {listed}; for all of it name the format 'voc'" if listed else None,
        )
    if all(root.loose for root in roots):
        _check_loose(source, [path for root in roots for path in root.xmls.values()])


def _check_loose(source: Source, paths: Sequence[str]) -> None:
    """Raise NotADataset where all XML files are of other formats; broken ones may be any's."""
    tags: list[str] = []
    for path in paths:
        try:
            tags.append(str(_xml.parse(source, path).tag))
        except DvcsError:
            return
        if tags[-1] == "annotation":
            return
    raise NotADataset(
        f"no XML file at '{source.name}' is of Pascal VOC: '{paths[0]}' begins with <{tags[0]}>",
        hint="'dvcs detect-format' says what it is",
    )


def _metadata(roots: Sequence[Root], folders: Sequence[str]) -> dict[str, Any]:
    """Return what is of the whole: which lists there are, and which of them only join others."""
    named = [folder for folder in folders if any(root.lists.get(folder) for root in roots)]
    unions: dict[str, dict[str, list[str]]] = {}
    for root in roots:
        for folder, joined in root.unions.items():
            if folder in folders and joined:
                unions.setdefault(folder, {}).update(joined)
    found: dict[str, Any] = {}
    if unions:
        found["unions"] = unions
    if named and "Main" not in named and "Main" in folders:
        found["folders"] = named
    return {NAME: found} if found else {}


# -- labels --------------------------------------------------------------------------------------


class _Names:
    """The names of labels, parts and actions in XML files; and what is kept of the files."""

    def __init__(self, source: Source, tasks: Sequence[str]) -> None:
        self.source = source
        self.parts_wanted, self.actions_wanted = LAYOUT in tasks, ACTION in tasks
        self.labels: set[str] = set()
        self.parts: dict[str, set[str]] = {}
        self.actions: dict[str, set[str]] = {}
        self.layouts = Layouts()
        self._room = CACHE

    def scan(self, paths: Iterable[str]) -> None:
        """Take the names of files; those that cannot be read are reported by the walk."""
        seen: set[bytes] = set()
        for path in paths:
            try:
                data = self.source.bytes(path)
                # What cannot be kept for the walk is looked at for its names alone.
                quick = self.layouts.read(data) if len(data) <= self._room else None
                if quick is not None:
                    self.labels.update([str(note.label) for note in quick.notes])
                elif self.layouts.curious or (names := _quick(data)) is None:
                    self._parse(path, data)
                else:
                    seen.update(names)
            except DvcsError:
                continue
            if len(data) <= self._room:
                self._room -= len(data)
                self.layouts.kept[path] = data if quick is None else quick
        for name in seen:
            text = name.decode("ascii")
            self.labels.add(text.strip() if "\n" in text else text)
        self.labels.discard("")

    def _parse(self, path: str, data: bytes) -> None:
        root = _xml.parse(self.source, path, data)
        self.layouts.learn(root)
        for element in root.iterchildren("object", "label"):
            name = element.find("name")
            if name is None:
                continue
            label = label_text(name)
            self.labels.add(label)
            for part in element.iterfind("part/name") if self.parts_wanted else ():
                self.parts.setdefault(label, set()).add(label_text(part))
            for action in element.iterfind("actions/*") if self.actions_wanted else ():
                self.actions.setdefault(label, set()).add(str(action.tag))


def _quick(data: bytes) -> list[bytes] | None:
    """Return the names of objects, None where only a parser can tell."""
    found = _NAMES.findall(data)
    simple = (
        len(found) == data.count(b"<object")
        and b"<part" not in data
        and b"<actions" not in data
        and b"<label" not in data
        and b"<!--" not in data
        and b"\r" not in data
        and data[1:2] != b"\0"
        and (b"encoding" not in data[:100] or _PLAIN.search(data[:100]) is not None)
    )
    return found if simple else None


def _listed(
    source: Source, roots: Sequence[Root], names: "_Names", *, masks: bool
) -> tuple[list[Category], list[Category]]:
    """Return the labels of the label map, or those that stand for it; and those that masks mean."""
    found: dict[str, Category] = {}
    for root in roots:
        path = next((f"{root.prefix}{n}" for n in LABEL_MAPS if f"{root.prefix}{n}" in source), "")
        if path:
            for one in read_label_map(source.lines(path), source.place(path)):
                found.setdefault(one.name, one)
    listed = list(found.values())
    if listed:
        mapped = {BACKGROUND, IGNORED, *found, *(part for one in listed for part in parts_of(one))}
        for name in sorted(names.labels - mapped):
            source.note("a label of objects is not in labelmap.txt", example=f"'{name}'")
        if masks and IGNORED not in found:
            return [*listed, Category(name=IGNORED, color=IGNORED_COLOR)], listed
        return listed, listed
    fitting = names.labels <= {*CLASSES, BACKGROUND, IGNORED}
    special = masks or not names.labels.isdisjoint({BACKGROUND, IGNORED})
    if masks or (fitting and names.labels):
        listed = original(segmentation=special)
    return listed, listed


def _labels(listed: Sequence[Category], names: _Names, shown: ClassLists) -> Labels:
    """Return all labels: the listed ones, others by name, parts last."""
    used = {*names.labels, *shown.names}
    if not listed and used and used <= set(CLASSES):
        listed = original(segmentation=False)
    known = {one.name for one in listed}
    categories = [*listed, *(Category(name=name) for name in sorted(used - known))]
    return Labels(with_details(categories, names.parts, names.actions))
