"""
Writing Datumaro: an annotation file for each subset, streamed, and the media beside it.

    annotations/train.json
    images/train/street/1.jpg
    point_clouds/train/1.pcd  related_images/train/1/image_0.jpg
    videos/train/1.mp4
"""

import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import IO, Any

import msgspec

from dvcs.errors import LossError, UnsafeName
from dvcs.files import Sink
from dvcs.formats._datumaro.categories import write_labels
from dvcs.formats._datumaro.fields import NotePen, file_groups
from dvcs.formats._datumaro.labels import Table
from dvcs.formats._datumaro.media import (
    CLOUD,
    RELATED,
    VIDEO,
    BadMedia,
    folder_of,
    media_record,
    name_of,
    own_extra,
    read_media,
    without_ext,
)
from dvcs.formats._datumaro.records import (
    ENCODE,
    ITEM_KEYS,
    NAME,
    OURS,
    Kept,
    Ours,
    checksum,
)
from dvcs.model import Annotation, Dataset, Item, Media, Polygon
from dvcs.names import item_id, quote
from dvcs.progress import track

VERSION = "1.0"
MEDIA_TYPES = {"image": 2, "video_frame": 4, "point_cloud": 6, "multi_image": 7}
"""Datumaro's numbers for kinds of media."""


def write(dataset: Dataset, sink: Sink, *, ellipses: bool = False) -> None:
    """Write a dataset; see `datumaro.write`."""
    with ExitStack() as stack:
        export = _Export(dataset, sink, stack, ellipses=ellipses)
        for item in track(dataset, "writing Datumaro", dataset.count):
            export.add(item)
        export.finish()


class _File:
    """One annotation file under way."""

    def __init__(self, out: IO[bytes]) -> None:
        self._out = out
        self._count = 0
        self.ids: set[str] = set()

    def begin(self, top: Mapping[str, Any]) -> None:
        """Write what comes before the items."""
        self._out.write(b"{")
        for key, value in top.items():
            self._out.write(b"%b:%b,\n" % (ENCODE(key), ENCODE(value)))
        self._out.write(b'"items":[')

    def add(self, record: bytes) -> None:
        """Write an item."""
        self._out.write(b",\n" + record if self._count else b"\n" + record)
        self._count += 1

    def finish(self) -> None:
        """Write what comes after the items."""
        self._out.write(b"\n]}\n" if self._count else b"]}\n")


class _Export:
    """A dataset on its way into files."""

    def __init__(self, dataset: Dataset, sink: Sink, stack: ExitStack, *, ellipses: bool) -> None:
        self._sink = sink
        self._stack = stack
        self._files: dict[str, _File] = {}
        own = dataset.metadata.get(NAME)
        about = own.get("files") if isinstance(own, dict) else None
        self._about: dict[str, Any] = about if isinstance(about, dict) else {}
        others = {name: value for name, value in dataset.metadata.items() if name != NAME}
        if isinstance(own, dict) and own.keys() - {"files"}:
            others[NAME] = own
        self._categories = write_labels(dataset.labels, others)
        self._pen = NotePen(Table(dataset.labels), ellipses=ellipses)

    def add(self, item: Item) -> None:
        """Write an item and its media."""
        file = self._files.get(item.subset) or self._begin(item.subset, item.media)
        if item.id in file.ids:
            raise UnsafeName(
                f"two items of the subset '{item.subset}' have the id '{item.id}'",
                hint="rename one, or export the sources one by one",
            )
        file.ids.add(item.id)
        record = self._record(item)
        try:
            data = ENCODE(record)
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise LossError(
                f"item '{item.id}' has a value that JSON cannot hold: {error}"
            ) from None
        if b"null" in data and _has_no_number(record):
            raise LossError(
                f"item '{item.id}' has a number that is not finite, which JSON cannot hold",
                hint="find it with 'dvcs validate'",
            )
        file.add(data)

    def finish(self) -> None:
        """Write the subsets that were empty when they were read, and end all files."""
        for subset, about in self._about.items():
            if subset not in self._files and isinstance(about, dict) and about.get("empty"):
                self._begin(subset, None)
        if not self._files:
            self._begin("default", None)
        for file in self._files.values():
            file.finish()

    def _begin(self, subset: str, media: Media | None) -> _File:
        stem = quote(subset)
        path = f"annotations/{stem}.json"
        file = _File(self._stack.enter_context(self._sink.open(path)))
        self._files[subset] = file
        about = self._about.get(subset)
        if not isinstance(about, dict) or not about.keys() - {"empty"}:
            kind = media.kind if media is not None else "image"
            about = {"dm_format_version": VERSION, "media_type": MEDIA_TYPES[kind], "infos": {}}
        top = {key: value for key, value in about.items() if key not in ("items", "empty", OURS)}
        if stem != subset:
            top[OURS] = {"subset": subset}
        top.pop("categories", None)
        file.begin({**top, "categories": self._categories})
        return file

    # Items

    def _record(self, item: Item) -> dict[str, Any]:
        own = own_extra(item.extra)
        stated = own.get("id")
        ours = Ours(annotated=item.annotated)
        annotations, ours.annotations = self._annotations(item.annotations)
        record: dict[str, Any] = {
            "id": stated if _is_same_id(stated, item.id) else item.id,
            "annotations": annotations,
        }
        if item.attributes:
            record["attr"] = item.attributes
        plain, back = self._media(item, own, ours)
        record |= plain
        for key, value in own.items():
            if key not in back and key not in ITEM_KEYS:
                record[key] = value
                back[key] = value
        if record["id"] != item.id:
            back["id"] = stated
        extra = {key: value for key, value in item.extra.items() if key != NAME}
        if own != back or (NAME in item.extra and not own):
            extra[NAME] = item.extra.get(NAME)
        ours.extra = extra
        said_more = msgspec.to_builtins(ours)
        if said_more:
            record[OURS] = said_more
        return record

    def _annotations(self, notes: Sequence[Annotation]) -> tuple[list[dict[str, Any]], list[Kept]]:
        several = [isinstance(note, Polygon) and len(note.parts) > 1 for note in notes]
        groups: list[tuple[int, int | None]]
        if any(several) or any([note.group or note.extra for note in notes]):  # noqa: C419
            groups = file_groups(notes, several=several)
        else:
            groups = [(0, None)] * len(notes)
        records: list[dict[str, Any]] = []
        kept = []
        for at, (note, (number, stated)) in enumerate(zip(notes, groups, strict=True)):
            made = self._pen.records(note, number, stated)
            if made:
                records += made
            else:
                fields = {**msgspec.to_builtins(note), "type": note.kind, "group": number}
                kept.append(Kept(at=at, note=fields, group=stated))
        return records, kept

    # Media

    def _media(
        self, item: Item, own: Mapping[str, Any], ours: Ours
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """
        Write an item's media; return what its record says of them, and what a reader would keep.

        What it would not find out goes to `ours`.
        """
        media, names = item.media, []
        folder = quote(item.subset)
        written = self._sink.save_media and any(one is not None for one in item.origins)
        if media is not None:
            media = self._adjusted(media, item)
            for index in range(len(media.files)):
                name = name_of(media, index, item.id)
                names.append(name)
                path = f"{folder_of(media, index, folder, item.id)}/{name}"
                self._write_file(item, media, index, path)
        plain = media_record(media, own, folder, names, written=written)
        try:
            back, _, extra = read_media(plain, item.id, folder, None)
        except BadMedia:  # what others made of `extra`
            plain = media_record(media, {}, folder, names, written=written)
            back, _, extra = read_media(plain, item.id, folder, None)
        if media is not None and back != media:
            ours.media = media
            ours.check = checksum(plain)
        return plain, extra

    def _adjusted(self, media: Media, item: Item) -> Media:
        """Return media as they will be here: re-encoded, and with no hash of files that are."""
        if not self._sink.save_media:
            return media
        here = [
            at < len(item.origins) and item.origins[at] is not None
            for at in range(len(media.files))
        ]
        files = tuple(
            msgspec.structs.replace(file, sha256=None, size=None)
            if present and (file.sha256 is not None or file.size is not None)
            else file
            for file, present in zip(media.files, here, strict=True)
        )
        media = msgspec.structs.replace(media, files=files)
        ext = self._sink.image_ext
        if ext and files and _is_image(media, 0) and here[0]:
            media = without_ext(media, ext)
        return media

    def _write_file(self, item: Item, media: Media, index: int, path: str) -> None:
        if (
            self._sink.save_media
            and media.files[index].role == VIDEO
            and path in self._sink.written
        ):
            return  # the frames of a video share its file
        if self._sink.image_ext is None or _is_image(media, index):
            self._sink.media(item, path, index)
            return
        origin = item.origins[index] if index < len(item.origins) else None
        if self._sink.save_media and origin is not None:
            self._sink.bytes(path, origin.read())
        elif self._sink.save_media:
            self._sink.missing_media += 1


def _is_image(media: Media, index: int) -> bool:
    return media.kind != "point_cloud" and media.files[index].role not in (VIDEO, CLOUD, RELATED)


def _is_same_id(stated: Any, id: str) -> bool:
    if not isinstance(stated, str | int) or isinstance(stated, bool):
        return False
    try:
        return item_id(str(stated)) == id
    except UnsafeName:
        return False


def _has_no_number(value: Any) -> bool:
    """Tell whether there is a NaN or infinity anywhere in a record."""
    if isinstance(value, float):
        return not math.isfinite(value)
    if isinstance(value, Mapping):
        return any(map(_has_no_number, value.values()))
    if isinstance(value, list | tuple):
        return any(map(_has_no_number, value))
    return False
