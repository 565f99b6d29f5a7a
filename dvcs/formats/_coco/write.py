"""
Writing COCO: a JSON file per task and subset, streamed.

    annotations/instances_train.json
    annotations/panoptic_train.json  annotations/panoptic_train/1.png
    images/train/1.jpg

Which files there are follows what was read, or else what there is to write.
"""

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from typing import IO, Any

import msgspec
from msgspec import UNSET

from dvcs.files import Sink
from dvcs.formats._coco.fields import NOTHING, Fields, encoded
from dvcs.formats._coco.images import image_record, is_id, other_records
from dvcs.formats._coco.labels import category_record, deviating
from dvcs.formats._coco.output import ENCODE, Numbers, Output, with_key
from dvcs.formats._coco.painter import painted
from dvcs.formats._coco.parse import Instance
from dvcs.formats._coco.records import (
    CAPTIONS,
    IMAGE_INFO,
    INSTANCES,
    KEYPOINTS,
    LABELS,
    NAME,
    NOTES,
    PANOPTIC,
    SHAPE_TASKS,
    STUFF,
    Id,
    default_tasks,
)
from dvcs.formats._coco.shapes import Mode, instances
from dvcs.model import Category, Dataset, Item, Labels, Other
from dvcs.names import quote
from dvcs.progress import track

SPOOL = 1 << 24
"""Bytes that wait in memory before a temporary file is made for them."""
ANY = "*"
ALL, INFO = frozenset({ANY}), frozenset({IMAGE_INFO})


def write(
    dataset: Dataset,
    sink: Sink,
    tasks: Iterable[str] = (),
    *,
    mode: Mode = "guess",
    crop_covered: bool = False,
    allow_attributes: bool = True,
    reindex: bool = False,
    merge_images: bool = False,
) -> None:
    """Write a dataset; see `coco.write`."""
    with ExitStack() as stack:
        export = _Export(
            dataset, sink, stack, frozenset(tasks), attributes=allow_attributes, reindex=reindex
        )
        for item in track(dataset, "writing COCO", dataset.count):
            folder = "images" if merge_images else f"images/{quote(item.subset)}"
            export.add(item, instances(item, mode, sink, crop=crop_covered), folder)
        export.finish()


class _Subset(msgspec.Struct):
    """A subset under way: the tasks that it had, its files, its image records by who lists them."""

    name: str
    known: frozenset[str]
    had: frozenset[str]
    files: dict[str, Output] = {}
    images: dict[frozenset[str], IO[bytes]] = {}


class _Image(msgspec.Struct):
    """The id of an image, or its place among those that wait for one; other ids by task."""

    id: Id | None
    place: int
    ids: dict[str, Id] = {}

    def of(self, task: str, place: int) -> tuple[Any, tuple[int, int]]:
        """Return its id in the file of a task (UNSET: it waits), and the places of both ids."""
        if task in self.ids or not self.place:
            return self.ids.get(task, self.id), (place, 0)
        return UNSET, (place, self.place)


class _Export:
    """A dataset on its way into files."""

    def __init__(
        self,
        dataset: Dataset,
        sink: Sink,
        stack: ExitStack,
        requested: frozenset[str],
        *,
        attributes: bool,
        reindex: bool,
    ) -> None:
        self._sink = sink
        self._stack = stack
        self._requested = requested
        self._labels: Labels = dataset.labels
        self._attributes = attributes
        self._reindex = reindex
        self._about: Mapping[str, Any] = dataset.metadata.get(NAME, {}).get("files", {})
        self._subsets: dict[str, _Subset] = {}
        self._ids_of_images = Numbers()
        self._ids = Numbers()
        listed = [about.get("labels") for about in self._about.values()]
        every = None in listed or not listed
        self._listed = set() if every else {key for keys in listed for key in keys}

    # Subsets and files

    def _subset(self, name: str) -> _Subset:
        if name not in self._subsets:
            had = {one["task"] for one in self._about.values() if one["subset"] == name}
            known = had or {one["task"] for one in self._about.values()}
            subset = _Subset(name, frozenset(known), frozenset(had))
            self._subsets[name] = subset
            for task in self._requested or had:
                self._file(subset, task)
        return self._subsets[name]

    def _file(self, subset: _Subset, task: str) -> Output:
        if task not in subset.files:
            about = self._about_file(subset.name, task)
            fields = Fields(
                self._category_ids(about), task, bool(about.get("results")), self._attributes
            )
            out = self._stack.enter_context(self._sink.open(Output.path(task, subset.name)))
            subset.files[task] = Output(
                task, subset.name, about, fields, out=out, waiting=self._spool()
            )
        return subset.files[task]

    def _spool(self) -> IO[bytes]:
        return self._stack.enter_context(tempfile.SpooledTemporaryFile(SPOOL))

    def _about_file(self, subset: str, task: str) -> Mapping[str, Any]:
        """Return what is known of a file, or of a similar one: a split keeps its `info`."""
        for about in self._about.values():
            if (about["task"], about["subset"]) == (task, subset):
                return about  # type: ignore[no-any-return]
        similar = [about for about in self._about.values() if about["task"] == task]
        if similar:
            return {k: v for k, v in similar[0].items() if k not in ("empty", "orphans")}
        for about in self._about.values():
            return {key: about[key] for key in ("info", "licenses") if key in about}
        return {}

    # Categories

    def _category_ids(self, about: Mapping[str, Any]) -> dict[str, Id]:
        """Return the category id of each label: that of the file, its usual one, or a new one."""
        deviations = about.get("categories", {})
        members = set(about.get("labels", ()))
        ids: dict[str, Id] = {}
        taken: set[Id] = set()
        for label in sorted(self._labels, key=lambda one: one.key not in members):
            id = deviations.get(label.key, {}).get("set", {}).get("id", label.id)
            if id is not None and id not in taken:
                ids[label.name] = id
                taken.add(id)
        highest = max((id for id in taken if isinstance(id, int)), default=0)
        for label in self._labels:
            if label.name not in ids:
                highest += 1
                ids[label.name] = highest
        return ids

    def _categories(self, output: Output) -> list[dict[str, Any]]:
        about, task = output.about, output.task
        keys = about.get("labels")
        if keys is None:
            order = [label for label in self._labels if self._usual(label, task, about)]
        else:
            by_key = {label.key: label for label in self._labels}
            order = [by_key[key] for key in keys if key in by_key]
            if task not in (CAPTIONS, IMAGE_INFO) and keys and self._listed:
                order += [one for one in self._labels if one.key not in self._listed]
        have = {label.name for label in order}
        order += [one for one in self._labels if one.name in output.used and one.name not in have]
        deviations = about.get("categories", {})
        return [
            deviating(
                category_record(label, output.fields.ids[label.name], task),
                {**deviations.get(label.key, {}), "id": None},
            )
            | {"id": output.fields.ids[label.name]}
            for label in order
        ]

    @staticmethod
    def _usual(label: Category, task: str, about: Mapping[str, Any]) -> bool:
        if _is_padding(label):
            return False
        if "task" in about:
            return True
        return task not in (CAPTIONS, IMAGE_INFO) and (task != KEYPOINTS or bool(label.keypoints))

    # Items

    def add(self, item: Item, found: list[Instance], folder: str) -> None:
        """Write one item: its image, its record, its annotations."""
        subset = self._subset(item.subset)
        name = self._media(item, folder)
        ids = next((one.fields.ids for one in subset.files.values()), {})
        record = image_record(item, name, self._labels, ids)
        placed = [(one, self._tasks(one, subset)) for one in found]
        listing = self._listing(item, subset)
        if ANY not in listing:
            listing = listing.union(*(tasks for _, tasks in placed))
        image = self._image(item, subset, listing, record)
        segments: list[Instance] = []
        for one, tasks in placed:
            if PANOPTIC in tasks and one.shape.kind != "other":
                segments.append(one)
                tasks -= {PANOPTIC}
            if tasks:
                self._annotation(subset, one, tasks, image)
        if segments:
            self._picture(subset, item, segments, image)
        notes = item.extra.get(NAME, NOTHING).get(NOTES, NOTHING)
        for key, entries in notes.get("lists", NOTHING).items():
            for output in subset.files.values():
                if key in output.about.get("lists", ()):
                    output.lists.setdefault(key, []).extend(
                        (image.place, {"image_id": image.id, **entry}) for entry in entries
                    )

    def _media(self, item: Item, folder: str) -> str:
        """Write an item's image; return its name within the folder."""
        if item.media is None:
            return f"{item.id}.jpg"
        return self._sink.media(item, f"{folder}/{item.file_name}").removeprefix(f"{folder}/")

    def _image(
        self, item: Item, subset: _Subset, listing: frozenset[str], record: dict[str, Any]
    ) -> _Image:
        """Give an image its id, and list its record for the files of the tasks in `listing`."""
        coco = item.extra.get(NAME, NOTHING)
        notes = coco.get(NOTES, NOTHING)
        id: Any = None if self._reindex else coco.get("id", item.attributes.get("id"))
        others = {} if self._reindex else other_records(notes, record)
        others = {task: other for task, other in others.items() if task in subset.known}
        tasks = subset.known | listing if ANY in listing else listing
        spaces = [f"{task}_{subset.name}" for task in tasks if task not in others]
        again = bool(notes.get("duplicate"))
        known = is_id(id) and self._ids_of_images.take(id, spaces, again=again)
        image = _Image(id if known else None, 0 if known else self._ids_of_images.wait())
        for task, other in others.items():
            image.ids[task] = other["id"]
            self._ids_of_images.take(other["id"], [f"{task}_{subset.name}"], again=True)
            self._list(subset, frozenset({task}), ENCODE(other), 0)
        if others:
            listing = listing.difference(others).union(f"-{task}" for task in others)
        data = encoded(record, ENCODE, f"item '{item.id}'")
        line = data if image.place else with_key("id", image.id, data)
        self._list(subset, listing, line, image.place)
        return image

    def _list(self, subset: _Subset, listing: frozenset[str], line: bytes, place: int) -> None:
        spool = subset.images.get(listing)
        if spool is None:
            spool = subset.images[listing] = self._spool()
        spool.write(b"%d %b\n" % (place, line))

    def _listing(self, item: Item, subset: _Subset) -> frozenset[str]:
        """Return the tasks whose files list an image, whatever annotations it has."""
        files = item.extra.get(NAME, NOTHING).get(NOTES, NOTHING).get("files")
        asked = not self._requested or not self._requested.isdisjoint(files or ())
        if files and asked and subset.had.issuperset(files):
            return frozenset(files)
        return ALL if item.annotations or item.annotated or self._requested else INFO

    # Annotations

    def _tasks(self, one: Instance, subset: _Subset) -> frozenset[str]:
        """Return the tasks in whose files an instance is written."""
        shape = one.shape
        if isinstance(shape, Other) and shape.format != NAME:
            return frozenset()
        notes = shape.extra.get(NAME, NOTHING).get(NOTES, NOTHING)
        stated = notes.get("tasks")
        own = (
            frozenset(stated) if stated else default_tasks(shape.kind, one.has_points, subset.known)
        )
        if not self._requested:
            return own
        new = self._requested - subset.known
        return (own & self._requested) | {task for task in new if _eligible(one, task)}

    def _annotation(
        self, subset: _Subset, one: Instance, tasks: frozenset[str], image: _Image
    ) -> None:
        shape = one.shape
        outputs = [self._file(subset, task) for task in sorted(tasks)]
        id, place = self._annotation_id(one, outputs)
        for output in outputs:
            if shape.label is not None:
                output.used.add(shape.label)
            record = output.fields.record(one, tasks)
            if isinstance(shape, Other) and id is not UNSET:
                record.pop("id", None)
            data = encoded(record, ENCODE, f"annotation {shape.id!r}")
            output.add(data, id, *image.of(output.task, place))

    def _annotation_id(self, one: Instance, outputs: list[Output]) -> tuple[Any, int]:
        """Return the id of an instance, or UNSET and its place among those that wait (0: none)."""
        shape = one.shape
        extra = shape.extra.get(NAME, NOTHING)
        notes = extra.get(NOTES, NOTHING)
        given: Any = shape.id
        if isinstance(shape, Other):
            given = shape.record.get("id") if isinstance(shape.record, dict) else None
            if not is_id(given):
                return UNSET, 0
        if not self._reindex:
            spaces = [output.name for output in outputs]
            again = bool(notes.get("duplicate")) or isinstance(shape, Other)
            if given and self._ids.take(given, spaces, again=again):
                return given, 0
            if not given and "id" in extra:
                return extra["id"], 0
        results = all(output.fields.results for output in outputs)
        if not given and (results or "id" in notes.get("absent", ())):
            return UNSET, 0
        return UNSET, self._ids.wait()

    def _picture(
        self, subset: _Subset, item: Item, segments: list[Instance], image: _Image
    ) -> None:
        """Write the picture of an item's segments, and their record."""
        output = self._file(subset, PANOPTIC)
        folder = Output.path(PANOPTIC, subset.name)[: -len(".json")]
        record, picture, covered = painted(item, segments, output.fields.ids)
        if covered:
            self._sink.lost_fields["covered"] += covered
        self._sink.bytes(f"{folder}/{record['file_name']}", picture)
        output.used.update(one.shape.label for one in segments if one.shape.label is not None)
        data = encoded(record, ENCODE, f"item '{item.id}'")
        output.add(data, UNSET, *image.of(PANOPTIC, 0))

    # The end

    def finish(self) -> None:
        """Number what waited, and complete all files."""
        for about in self._about.values():
            if about.get("empty") and (not self._requested or about["task"] in self._requested):
                self._file(self._subset(about["subset"]), about["task"])
        for subset in self._subsets.values():
            self._complete(subset)
        named: set[str] = set()
        posed: set[str] = set()
        for subset in self._subsets.values():
            for output in subset.files.values():
                records = self._categories(output)
                labels = {id: name for name, id in output.fields.ids.items()}
                named.update(labels[one["id"]] for one in records)
                posed.update(labels[one["id"]] for one in records if "keypoints" in one)
                images = self._images(subset, output.task)
                output.finish(images, records, self._ids, self._ids_of_images)
        self._count_labels(named, posed)

    def _count_labels(self, named: set[str], posed: set[str]) -> None:
        """Count the labels that are in no file, and those whose keypoints are in none."""
        lost: list[str] = []
        for label in self._labels:
            if label.name not in named:
                lost += [] if _is_padding(label) else ["name"]
            elif label.name not in posed and label.keypoints:
                lost += ["keypoints", "joints"] if label.joints else ["keypoints"]
        self._sink.lost_fields.update(f"label.{one}" for one in lost)

    def _complete(self, subset: _Subset) -> None:
        """Make sure that some file lists each image."""
        if self._requested or (subset.files and INFO not in subset.images):
            return
        if INFO in subset.images:
            self._file(subset, IMAGE_INFO)
        if ALL in subset.images and not subset.files.keys() - {IMAGE_INFO}:
            shapes = [task for task in SHAPE_TASKS if task in subset.known]
            self._file(subset, shapes[0] if shapes else INSTANCES)

    def _images(self, subset: _Subset, task: str) -> Iterator[bytes]:
        """Return the image records of one file."""
        for listing, spool in subset.images.items():
            everywhere = ANY in listing and (
                task != IMAGE_INFO or task in subset.had or task in self._requested
            )
            if f"-{task}" in listing or not (everywhere or task in listing):
                continue
            spool.seek(0)
            for line in spool:
                place, data = line.rstrip(b"\n").split(b" ", 1)
                number = self._ids_of_images.number(int(place))
                yield with_key("id", number, data) if int(place) else data


def _is_padding(label: Category) -> bool:
    """Tell whether a label only stands for an id that no category has."""
    return bool(label.extra.get(NAME, NOTHING).get(NOTES, NOTHING).get("padding"))


def _eligible(one: Instance, task: str) -> bool:
    """Tell whether the files of a task can hold an instance."""
    kind = one.shape.kind
    if task == KEYPOINTS:
        return one.has_points
    if task in (STUFF, PANOPTIC):
        return kind in ("polygon", "mask")
    if task == INSTANCES:
        return kind in ("polygon", "mask", "bbox", "other")
    return (kind, task) in (("label", LABELS), ("caption", CAPTIONS))
