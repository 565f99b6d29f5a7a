"""
Reading COCO: all files of a dataset together, an item for each image.

Files of one subset are about the same images: an image is the same by its file name, an object by
its id and its geometry. What an image record says beyond the model is `item.extra["coco"]`, with
these notes under `dvcs`:

    files       the tasks whose files list the image, where those are not the usual ones
    records     for a task, the whole record where it differs from that of the first file
    lists       for a top-level list about images, the entries about this one
    labels      for a key with category ids (LVIS), the keys of those labels
    absent      `file_name`, where the name came from the URL or the id
    duplicate   another image of its file has the same id
"""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from dvcs.errors import DvcsError, FormatError, InvalidShape, UsageError
from dvcs.files import Source
from dvcs.formats._coco.open import CocoFile, Opener, Subset
from dvcs.formats._coco.panoptic import PanopticParser
from dvcs.formats._coco.parse import BadRecord, Instance
from dvcs.formats._coco.records import (
    IMAGE_INFO,
    KEYPOINTS,
    NAME,
    NOTES,
    OBJECT,
    UNREADABLE,
    Id,
    default_tasks,
)
from dvcs.model import Annotation, Boxed, Dataset, Item, Media, MediaFile, Origin, Other
from dvcs.names import extension, strip_extension
from dvcs.progress import track

CATEGORY_LISTS = ("neg_category_ids", "not_exhaustive_category_ids")
"""Keys of LVIS's images that hold category ids."""
RELEASE = 1 << 14


def read(
    source: Source,
    tasks: Sequence[str] = (),
    *,
    keep_original_category_ids: bool = False,
    strip_prefix: str = "",
    labels: str | None = None,
) -> Dataset:
    """Return the COCO dataset at a source; see `coco.read`."""
    opener = Opener(source, tasks, strip_prefix, labels)
    subsets = opener.open()
    try:
        found = opener.table.labels(padded=keep_original_category_ids)
    except TypeError as error:
        raise UsageError(
            f"the original category ids cannot be kept: {error}",
            hint="leave out --keep-original-category-ids after the '--'",
        ) from None
    metadata = {NAME: {"files": opener.metadata(subsets)}}
    opened = [subsets]
    del subsets

    def taken() -> list[Subset]:
        # What `read` took apart serves the first walk, and is let go of when that ends.
        return opened.pop() if opened else opener.open()

    def walk() -> Iterator[Item]:
        return _Reader(source, strip_prefix).items(taken())

    def boxed() -> Iterator[Boxed]:
        reader = _Reader(source, strip_prefix, boxed=True)
        for item in reader.items(taken()):
            yield item, reader.boxes

    count = sum(len(subset.ids) for subset in opened[0])
    return Dataset(found, walk, metadata=metadata, count=count, decoded=True, boxed=boxed)


class _Reader:
    """Makes items of the files of a source; with `boxed`, boxes of usual outlines and crowds."""

    def __init__(self, source: Source, strip_prefix: str, *, boxed: bool = False) -> None:
        self.source = source
        self._prefix = strip_prefix
        self._boxed = boxed
        self.boxes: dict[str, int] = {}
        """How many boxes of the last item were of which kind."""

    def items(self, subsets: list[Subset]) -> Iterator[Item]:
        """Walk the items, subset by subset, in the order of the files."""
        for subset in subsets:
            for file in subset.files:
                for error in file.index.errors:
                    self.source.report(error)
            numbers = track(range(len(subset.ids)), f"reading {subset.name}", len(subset.ids))
            for number in numbers:
                if number % RELEASE == RELEASE - 1:
                    for file in subset.files:
                        file.index.release()
                yield self._item(subset, number)
        subsets.clear()
        self.source.finish()

    def _item(self, subset: Subset, number: int) -> Item:
        self.boxes = {}
        if len(subset.files) == 1:
            present = [(subset.files[0], subset.rows[0][number])]
        else:
            present = [
                (file, position)
                for file, row in zip(subset.files, subset.rows, strict=True)
                if (position := row[number]) >= 0
            ]
        file, position = present[0]
        media, origins, extra = self._image(subset.ids[number], file, position)
        annotated = False
        for one, _ in present:
            if one.task != IMAGE_INFO and "annotations" not in one.index.absent:
                annotated = True
        if len(subset.files) > 1:
            self._note_files(subset, present, annotated, extra)
            notes = self._joined(subset, present)
        else:
            notes = self._of_file(subset, file, position)
        if NOTES in extra and not extra[NOTES]:
            del extra[NOTES]
        return Item(
            id=subset.ids[number],
            subset=subset.name,
            media=media,
            annotations=notes,
            annotated=annotated or None,
            extra={NAME: extra},
            origins=origins,
        )

    def _image(
        self, id: str, file: CocoFile, position: int
    ) -> tuple[Media | None, tuple[Origin | None, ...], dict[str, Any]]:
        """Return the media of an image, where its bytes are, and what else its record says."""
        index = file.index
        image = index.heads[position]
        assert image is not None  # noqa: S101 -- rows never lead to a bad image
        if index.results:
            return None, (), {"id": image.id}
        extra = OBJECT.decode(index.images[position])
        notes: dict[str, Any] = {}
        if NOTES in extra:
            notes["keys"] = {NOTES: extra.pop(NOTES)}
        height, width = _side(extra, "height"), _side(extra, "width")
        stated = extra.pop("file_name", None)
        path = file.finder.find(image.name) if file.finder is not None else None
        ext = extension(image.name)
        name = image.name
        if path is not None and extension(path) != ext:
            self.source.note("images that have another extension than their record says")
            ext = extension(path)
            name = strip_extension(name) + ext
        elif stated is None:
            notes["absent"] = ["file_name"]
        elif stated != name and not (self._prefix and name.endswith(image.name)):
            extra["file_name"] = stated
        if image.id in index.twice:
            notes["duplicate"] = True
        for key, table in index.by_image.items():
            if position in table:
                notes.setdefault("lists", {})[key] = table[position]
        for key in CATEGORY_LISTS:
            ids = extra.get(key)
            if isinstance(ids, list) and all(
                isinstance(one, int | str) and one in file.keys for one in ids
            ):
                notes.setdefault("labels", {})[key] = [file.keys[one] for one in extra.pop(key)]
        extra[NOTES] = notes
        files = (MediaFile(ext=ext, name=None if name == id + ext else name),)
        origin = self.source.origin(path) if path is not None else None
        return Media(files=files, height=height, width=width), (origin,), extra

    def _note_files(
        self,
        subset: Subset,
        present: list[tuple[CocoFile, int]],
        annotated: bool,
        extra: dict[str, Any],
    ) -> None:
        """Note which files list an image, and what they say of it differently."""
        notes = extra.setdefault(NOTES, {})
        listing = frozenset(file.task for file, _ in present if not file.index.results)
        usual = subset.known if annotated else frozenset({IMAGE_INFO})
        if listing != usual and not any(file.index.results for file in subset.files):
            notes["files"] = sorted(listing)
        first, position = present[0]
        if first.index.results:
            return
        base = OBJECT.decode(first.index.images[position])
        for file, other in present[1:]:
            if file.index.results:
                continue
            for key, table in file.index.by_image.items():
                if other in table:
                    notes.setdefault("lists", {})[key] = table[other]
            record = OBJECT.decode(file.index.images[other])
            if record != base:
                notes.setdefault("records", {})[file.task] = record

    # Annotations

    def _of_file(self, subset: Subset, file: CocoFile, position: int) -> list[Annotation]:
        """Return the annotations of an image that only one file knows."""
        notes: list[Annotation] = []
        if isinstance(file.parser, PanopticParser) or not file.plain:
            group = 0
            for one in self._instances(file, position):
                group = _append(notes, one, frozenset({file.task}), subset.known, group)
            return notes
        parser, raws, group = file.parser, file.index.records, 0
        plain = parser.box if self._boxed else parser.plain
        usual = crowds = 0
        at, following = file.index.first[position], file.index.following
        while at >= 0:
            note = plain(raws[at])
            if note is not None:
                notes.append(note)
                usual += 1
            elif self._boxed and (note := parser.crowd_box(raws[at])) is not None:
                notes.append(note)
                crowds += 1
            else:
                for one in self._read(file, at, position):
                    group = _append(notes, one, frozenset({file.task}), subset.known, group)
            at = following[at]
        if self._boxed:
            counts = ("polygon", usual), ("mask", crowds)
            self.boxes = {kind: count for kind, count in counts if count}
        return notes

    def _joined(self, subset: Subset, present: list[tuple[CocoFile, int]]) -> list[Annotation]:
        """Return the annotations of an image from several files; the same object only once."""
        found: list[tuple[Instance, set[str]]] = []
        by_id: dict[Id, tuple[Instance, set[str]]] = {}
        for file, position in present:
            for one in self._instances(file, position):
                known = by_id.get(one.shape.id) if one.shape.id else None
                if known is not None and _joins(*known, one, file.task):
                    continue
                entry = (one, {file.task})
                found.append(entry)
                if one.shape.id:
                    by_id.setdefault(one.shape.id, entry)
        notes: list[Annotation] = []
        group = 0
        for one, tasks in found:
            group = _append(notes, one, frozenset(tasks), subset.known, group)
        return notes

    def _instances(self, file: CocoFile, position: int) -> Iterator[Instance]:
        for at in file.index.of_image(position):
            note = file.parser.plain(file.index.records[at])
            if note is not None:
                yield Instance(note)
            else:
                yield from self._read(file, at, position)

    def _read(self, file: CocoFile, at: int, position: int) -> Iterator[Instance]:
        """Read one record; where that is impossible, report it and keep it as it stands."""
        raw = file.index.records[at]
        try:
            if isinstance(file.parser, PanopticParser):
                image = file.index.heads[position]
                yield from file.parser.segments(raw, image.name if image else "")
            else:
                yield file.parser.parse(raw)
        except (BadRecord, InvalidShape) as error:
            self.source.report(
                FormatError(
                    str(error),
                    self.source.place(file.place.path),
                    item=_which(raw, at),
                    hint=error.hint,
                )
            )
            record = _verbatim(raw)
            if record is not None:
                yield Instance(Other(format=NAME, record=record))
        except DvcsError as error:
            self.source.report(error)


def _side(record: dict[str, Any], key: str) -> int | None:
    """Take a side out of an image record; one that is null stays there."""
    value = record.get(key)
    if value is None:
        return None
    del record[key]
    return int(value)


def _joins(known: Instance, tasks: set[str], one: Instance, task: str) -> bool:
    """
    Join an instance of another task's file to one with the same id, if they are the same object.

    Where the files state areas or boxes that differ, say by rounding, each gets its own back.
    """
    shape, other = known.shape, one.shape
    if task in tasks or (known.points is not None and known.points != one.points):
        return False
    # Keypoints are written into the file of their task only: elsewhere they must not have been.
    elsewhere = known if task == KEYPOINTS else one
    if KEYPOINTS in (task, *tasks) and elsewhere.points is not None:
        return False
    if shape != other:
        stated, others = shape.derived.get(NAME, {}), other.derived.get(NAME, {})
        by_task = stated.get("in", {})
        if {*stated} - {"in"} != {*others} or shape.with_(derived=other.derived) != other:
            return False
        differing = {key: value for key, value in others.items() if stated[key] != value}
        known.shape = shape.with_(derived={NAME: {**stated, "in": {**by_task, task: differing}}})
    known.points = known.points or one.points
    tasks.add(task)
    return True


def _append(
    notes: list[Annotation],
    one: Instance,
    tasks: frozenset[str],
    known: frozenset[str],
    group: int,
) -> int:
    """Add an instance to an item's annotations; return the number of the last group."""
    shape, points = one.shape, one.points
    if tasks != default_tasks(shape.kind, one.has_points, known):
        extra = shape.extra.get(NAME, {})
        spelling = {**extra.get(NOTES, {}), "tasks": sorted(tasks)}
        shape = shape.with_(extra={NAME: {**extra, NOTES: spelling}})
    if points is None:
        notes.append(shape)
        return group
    group += 1
    notes += (shape.with_(group=group), points.with_(group=group))
    return group


def _which(raw: msgspec.Raw, at: int) -> str:
    record = _verbatim(raw)
    id = record.get("id") if record else None
    return f"annotation {id!r}" if isinstance(id, int | str) else f"annotations[{at}]"


def _verbatim(raw: msgspec.Raw) -> dict[str, Any] | None:
    """Return a record as it stands, but for its image: that is the item's business."""
    try:
        record = OBJECT.decode(raw)
    except UNREADABLE:
        return None
    record.pop("image_id", None)
    return record
