"""
Opening the COCO files of a dataset: their tasks, labels and images, and which images are the same.

Files of one subset are about the same images: an image is the same by its file name.
"""

from array import array
from collections.abc import Sequence
from typing import Any

import msgspec

from dvcs.files import Source
from dvcs.formats._coco.find import ImageFinder, Place, places, told_apart
from dvcs.formats._coco.index import Image, Index, read_index
from dvcs.formats._coco.labels import LabelTable, category_record, deviation
from dvcs.formats._coco.panoptic import PanopticParser, is_panoptic
from dvcs.formats._coco.parse import Parser
from dvcs.formats._coco.records import (
    CAPTIONS,
    IMAGE_INFO,
    INSTANCES,
    KEYPOINTS,
    LABELS,
    PANOPTIC,
    RECORD,
    UNREADABLE,
    Id,
    default_tasks,
)
from dvcs.model import Category
from dvcs.names import id_of_file, strip_extension


class CocoFile(msgspec.Struct):
    """One file, ready to be walked."""

    place: Place
    index: Index
    task: str
    labels: dict[Id, str] = {}
    keys: dict[Id, str] = {}
    parser: Parser | PanopticParser = msgspec.field(default_factory=lambda: Parser({}))
    plain: bool = False
    """Whether its polygons need no note of their task."""
    finder: ImageFinder | None = None

    @property
    def name(self) -> str:
        return f"{self.task}_{self.place.subset}"


class Subset(msgspec.Struct):
    """The files of one subset, and where in each of them an item's image is (-1: nowhere)."""

    name: str
    files: list[CocoFile]
    ids: list[str] = []
    rows: "list[array[int]]" = []

    @property
    def known(self) -> frozenset[str]:
        return frozenset(file.task for file in self.files)


class Opener:
    """
    Opens the files of a source.

    `table` has the labels of the files that were opened last.
    """

    def __init__(
        self, source: Source, tasks: Sequence[str], strip_prefix: str, labels: str | None
    ) -> None:
        self.source = source
        self.table = LabelTable()
        self._tasks = tasks
        self._prefix = strip_prefix
        self._labels = labels

    def open(self) -> list[Subset]:
        """Take all files apart, and find out which images are the same."""
        self.table = LabelTable()
        found = []
        for place in places(self.source, self._tasks):
            index = read_index(self.source, place.path, self._prefix)
            found.append(CocoFile(place, index, _task(place, index)))
        told = told_apart([_with_task(file) for file in found])
        for file, place in zip(found, told, strict=True):
            file.place = place
        self._label(found)
        subsets: dict[str, Subset] = {}
        for file in found:
            subsets.setdefault(file.place.subset, Subset(file.place.subset, [])).files.append(file)
        for subset in subsets.values():
            subset.files.sort(key=lambda file: file.task == IMAGE_INFO)
            self._match_images(subset)
            for file in subset.files:
                self._equip(file, subset)
        return list(subsets.values())

    def _label(self, files: list[CocoFile]) -> None:
        """Find the label of each category id, of results in the other files."""
        shared: dict[Id, str] = self._given_labels()
        for file in files:
            if file.index.categories:
                file.labels = self.table.add_file(
                    file.index.categories, self.source.place(file.place.path)
                )
                self._note_shared(file)
                shared = {**file.labels, **shared}
        for file in files:
            if file.index.categories or file.task == CAPTIONS:
                continue
            ids = file.index.category_ids
            file.labels = {id: shared[id] for id in ids if id in shared}
            missing = ids - shared.keys()
            if missing:
                file.labels |= self.table.add_numbers(missing)
                self.source.note("category ids that no file names became labels", len(missing))
        keys = {name: one.key for name, one in self.table.by_name().items()}
        for file in files:
            file.keys = {id: keys[name] for id, name in file.labels.items()}

    def _note_shared(self, file: CocoFile) -> None:
        """Note categories that are called as another one of their file."""
        for record in file.index.categories:
            id, name = record["id"], record["name"]
            if file.labels[id] != name:
                self.source.note(
                    "two categories share a name",
                    example=f"'{name}', of which that with the id {id} is now '{file.labels[id]}'",
                )

    def _given_labels(self) -> dict[Id, str]:
        """Read the file of the option `labels`: COCO with categories, or a name a line from 1."""
        if self._labels is None:
            return {}
        if self._labels.lower().endswith(".json"):
            index = read_index(self.source, self._labels)
            return self.table.add_file(index.categories, self.source.place(self._labels))
        lines = enumerate((line for _, line in self.source.lines(self._labels)), 1)
        records = [{"id": n, "name": line, "supercategory": ""} for n, line in lines]
        return self.table.add_file(records, self.source.place(self._labels))

    def _match_images(self, subset: Subset) -> None:
        """Number the items of a subset, and note where in each file their images are."""
        by_name: dict[str, list[int]] = {}
        numbers: list[Id] = []
        alone = len(subset.files) == 1
        taken: set[str] = set()
        for file in subset.files:
            row = array("i", [-1]) * len(subset.ids)
            used: set[int] = set()
            for position, image in enumerate(file.index.heads):
                if image is None:
                    continue
                at = None if alone else _same(by_name.get(image.name, ()), numbers, image.id, used)
                if at is not None:
                    used.add(at)
                    row[at] = position
                    continue
                id = id_of_file(image.name, taken)
                self._note_name(file, image, id)
                taken.add(id)
                if not alone:
                    by_name.setdefault(image.name, []).append(len(subset.ids))
                    numbers.append(image.id)
                    used.add(len(subset.ids))
                subset.ids.append(id)
                row.append(position)
            subset.rows.append(row)
        for row in subset.rows:
            row.extend([-1] * (len(subset.ids) - len(row)))

    def _note_name(self, file: CocoFile, image: Image, id: str) -> None:
        """Note an image that is not called as its record says, or of which that says no name."""
        if not image.stated and image.name == str(image.id):
            self.source.note(
                "an image has no 'file_name', its id is its name",
                example=f"item '{id}' of '{file.place.path}'",
            )
        stem = strip_extension(image.name)
        if id != stem:
            heads = (one for one in file.index.heads if one is not None)
            other = next((one.name for one in heads if strip_extension(one.name) == stem), stem)
            self.source.note(
                "two images share a name", example=f"'{other}' and '{image.name}', now item '{id}'"
            )

    def _equip(self, file: CocoFile, subset: Subset) -> None:
        if file.task == PANOPTIC:
            file.parser = PanopticParser(self.source, file.place.path, file.labels)
        else:
            file.parser = Parser(file.labels, file.index.duplicates, file.index.results)
            usual = default_tasks("polygon", False, subset.known)
            file.plain = usual == {file.task} and not file.index.results
        file.finder = ImageFinder(self.source, file.place)

    def metadata(self, subsets: list[Subset]) -> dict[str, Any]:
        """Return what must be remembered of each file, by task and subset."""
        labels = self.table.by_name()
        return {
            file.name: self._about(file, subset, labels)
            for subset in subsets
            for file in subset.files
        }

    def _about(self, file: CocoFile, subset: Subset, labels: dict[str, Category]) -> dict[str, Any]:
        index = file.index
        about: dict[str, Any] = {"task": file.task, "subset": subset.name, **index.top}
        if index.results:
            return {**about, "results": True}
        if index.absent:
            about["absent"] = index.absent
        if index.keys:
            about["keys"] = index.keys
        if index.by_image:
            about["lists"] = list(index.by_image)
        if not subset.ids:
            about["empty"] = True
        names = [file.labels[record["id"]] for record in index.categories]
        if names != list(labels):
            about["labels"] = [labels[name].key for name in names]
        deviations = {}
        for record, name in zip(index.categories, names, strict=True):
            label = labels[name]
            id = label.id if label.id is not None else record["id"]
            if deviates := deviation(record, category_record(label, id, file.task)):
                deviations[label.key] = deviates
        if deviations:
            about["categories"] = deviations
        if self.source.keep_going and (orphans := _orphans(index)):
            about["orphans"] = orphans
        return about


def _task(place: Place, index: Index) -> str:
    """Return the task of a file: what its name says, if that can be, else what is in it."""
    first = index.records[0] if index.records else None
    panoptic = first is not None and is_panoptic(first)
    if panoptic:
        return PANOPTIC
    if place.task is not None and (place.task != PANOPTIC or first is None):
        return place.task
    if first is None:
        return IMAGE_INFO if "annotations" in index.absent else INSTANCES
    try:
        record = RECORD.decode(first)
    except UNREADABLE:
        return INSTANCES
    if isinstance(record.caption, str):
        return CAPTIONS
    if record.keypoints or any(one.get("keypoints") for one in index.categories):
        return KEYPOINTS
    return INSTANCES if record.segmentation or record.bbox else LABELS


def _with_task(file: CocoFile) -> Place:
    place = file.place
    if place.task == file.task:
        return place
    return Place(place.path, file.task, place.subset, named=False)


def _same(candidates: Sequence[int], numbers: list[Id], id: Id, used: set[int]) -> int | None:
    """Return which of the items with an image's name is that image: the one with its id, or all."""
    free = [one for one in candidates if one not in used]
    equal = [one for one in free if numbers[one] == id]
    if equal:
        return equal[0]
    return free[0] if len(candidates) == 1 and free else None


def _orphans(index: Index) -> dict[str, list[Any]]:
    """Return records that belong to no item, so that they come back on export."""
    found: dict[str, list[Any]] = {}
    for name, raws, numbers in (
        ("images", index.images, index.lost_images),
        ("annotations", index.records, index.orphans),
    ):
        for number in numbers:
            try:
                found.setdefault(name, []).append(msgspec.json.decode(raws[number]))
            except UNREADABLE:
                continue
    return found
