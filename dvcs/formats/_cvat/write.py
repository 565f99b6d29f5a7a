"""
Writing CVAT: an XML file a subset, or one for all subsets of what was a project.

Images go to a temporary file as they come, for what must stand before them (the labels with the
attributes that are used, the frames) is known only in the end. Annotations of tracks are held and
follow the images. A video whose frames are those of its task needs no `<image>` at all.
"""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import IO, Any

import msgspec

from dvcs.files import Sink
from dvcs.files.source import IMAGE_EXTENSIONS
from dvcs.formats._cvat.find import file_of, image_folder_of
from dvcs.formats._cvat.labels import label_records
from dvcs.formats._cvat.meta import NAME, VERSION, Outline, Task, new_meta, tasks, write_outline
from dvcs.formats._cvat.read import frame_name
from dvcs.formats._cvat.subset import Groups, Subset, is_frame, parts_of
from dvcs.formats._cvat.text import Shapes, rest_text
from dvcs.formats._xml import Writer, quoted
from dvcs.model import Category, Dataset, Item, Label
from dvcs.names import extension, item_id, strip_extension
from dvcs.progress import track

SPOOL = 1 << 24
"""Bytes that wait in memory before a temporary file is made for them."""
SEVERAL = (
    "CVAT shows a polygon of several parts as polygons in a group: bring back what was edited there"
    " with 'dvcs import ZIP --onto REV', which makes them one again"
)
NOTHING: Mapping[str, Any] = {}


def write(
    dataset: Dataset, sink: Sink, *, reindex: bool = False, allow_undeclared: bool = False
) -> None:
    """Write a dataset; see `cvat.write`."""
    with ExitStack() as stack:
        export = _Export(dataset, sink, stack, reindex=reindex, allow_undeclared=allow_undeclared)
        for item in track(dataset, "writing CVAT", dataset.count):
            export.add(item)
        export.finish()


class _Export:
    """A dataset on its way into files."""

    def __init__(
        self,
        dataset: Dataset,
        sink: Sink,
        stack: ExitStack,
        *,
        reindex: bool,
        allow_undeclared: bool,
    ) -> None:
        self._sink = sink
        self._stack = stack
        self._labels = dataset.labels
        self._reindex = reindex
        self._allow = allow_undeclared
        self._about: Mapping[str, Any] = dataset.metadata.get(NAME, NOTHING).get("files", NOTHING)
        self._files: dict[str, _File] = {}
        self._by_subset: dict[str, _File] = {}
        self._several = 0

    def add(self, item: Item) -> None:
        """Write an item's image and media, and hold what its tracks say."""
        file = self._by_subset.get(item.subset)
        if file is None:
            file = self._by_subset[item.subset] = self._file(item.subset)
        file.add(item)
        self._several += sum(parts_of(note) > 1 for note in item.annotations)

    def finish(self) -> None:
        """Complete all files; there is one even where there are no items, for the labels."""
        for path, about in self._about.items():
            if path not in self._files:
                self._file(about.get("subset", "default"))
        if not self._files:
            self._file("default")
        for file in self._files.values():
            file.finish()
        if self._several:
            self._sink.note(SEVERAL, self._several)

    def _file(self, subset: str) -> "_File":
        path = self._path(subset)
        if path not in self._files:
            about = self._about.get(path, NOTHING)
            labels = self._listed(about.get("labels"))
            shapes = Shapes(self._labels, allow_undeclared=self._allow)
            self._files[path] = _File(
                path,
                about,
                self._sink,
                self._spool(),
                shapes=shapes,
                labels=labels,
                reindex=self._reindex,
            )
        return self._files[path]

    def _listed(self, keys: list[str] | None) -> list[Category]:
        """Return the labels of one of several files: its own, and those that are in none."""
        if keys is None:
            return list(self._labels)
        others = {key for about in self._about.values() for key in about.get("labels", ())}
        return [one for one in self._labels if one.key in keys or one.key not in others]

    def _spool(self) -> IO[bytes]:
        return self._stack.enter_context(tempfile.SpooledTemporaryFile(SPOOL))

    def _path(self, subset: str) -> str:
        """Return the file of a subset: the one it came from, its project's, or one of its name."""
        for path, about in self._about.items():
            if about.get("subset") == subset:
                return path
        projects = [path for path, about in self._about.items() if about.get("project")]
        if projects:
            return projects[0]
        if subset == "default":
            return "annotations.xml"
        return file_of(subset)


class _File:
    """One XML file on its way."""

    def __init__(
        self,
        path: str,
        about: Mapping[str, Any],
        sink: Sink,
        spool: IO[bytes],
        *,
        shapes: Shapes,
        labels: list[Category],
        reindex: bool,
    ) -> None:
        self._path = path
        self._about = about
        self._sink = sink
        self._spool = spool
        self._shapes = shapes
        self._labels = labels
        self._reindex = reindex
        self._project = bool(about.get("project"))
        self._used: set[str] = set()
        self._subsets: dict[str, Subset] = {}
        self._groups = Groups()

    def add(self, item: Item) -> None:
        """Write one item."""
        subset = self._subsets.get(item.subset)
        if subset is None:
            subset = self._subsets[item.subset] = Subset(
                item.subset, self._folder(item.subset), self._tasks(item.subset)
            )
        frame = subset.number(item, reindex=self._reindex)
        extra: Mapping[str, Any] = item.extra.get(NAME, NOTHING)
        name = self._media(item, subset, frame, extra)
        lines = []
        groups = self._groups.of(item)
        for note, group in zip(item.annotations, groups, strict=True):
            if note.label is not None:
                self._used.add(note.label)
            if note.track is not None and not isinstance(note, Label):
                subset.tracks.add(item, frame, note, group, str(extra.get("task_id", "")))
            else:
                lines.append(self._shapes.element(note, "    ", group))
        subset.see(item, frame, name, plain=not lines and not extra.get("xml"))
        self._spool.write(self._image(item, frame, name, extra, "".join(lines)).encode())

    def _folder(self, subset: str) -> str:
        base = self._path[: self._path.rfind("/") + 1]
        kept = self._about.get("images", {}).get(subset)
        if kept is not None:
            return f"{base}{kept}".rstrip("/")
        return f"{base}{image_folder_of(subset, project=self._project)}"

    def _tasks(self, subset: str) -> list[Task]:
        found = tasks(self._about.get("meta", []), None)
        if self._project:
            return [one for one in found if (one.subset or "default") == subset]
        return found if self._about.get("subset") == subset else []

    def _media(self, item: Item, subset: Subset, frame: int, extra: Mapping[str, Any]) -> str:
        """Write an item's image; return the name that the XML gives it."""
        file_name = name = item_id(_file_name(item))
        if item.media is not None and item.media.files:
            folder = subset.folder
            path = f"{folder}/{file_name}" if folder else file_name
            written = self._sink.media(item, path)
            name = written[len(folder) + 1 :] if folder else written
            if self._sink.save_media and item.origins[:1] not in ((), (None,)):
                subset.pictured.add(frame)
        if name == file_name:
            if "name" in extra and strip_extension(str(extra["name"])) in (item.id, extra["name"]):
                return str(extra["name"])
            if is_frame(item) and item.id == frame_name(frame):
                return item.id
        return name

    def _image(
        self, item: Item, frame: int, name: str, extra: Mapping[str, Any], inner: str
    ) -> str:
        head = f'  <image id="{frame}" name={quoted(name)}'
        if self._project:
            head += f" subset={quoted(item.subset)}"
        if "task_id" in extra:
            head += f" task_id={quoted(str(extra['task_id']))}"
        media = item.media
        if media is not None and media.size is not None:
            head += f' width="{media.width}" height="{media.height}"'
        kind = media.kind if media is not None else "image"
        if (kind == "video_frame") != self._subsets[item.subset].is_video(item, extra):
            head += f' kind="{kind}"'
        head += rest_text(extra)
        return f"{head}>\n{inner}  </image>\n"

    # The end

    def finish(self) -> None:
        """Write the file."""
        with_images = any(one.needs_images for one in self._subsets.values())
        body = "".join(
            lines
            for subset in self._subsets.values()
            for lines in subset.tracks.lines(
                self._shapes, subset.frames, subset.name * self._project
            )
        )
        with self._sink.open(self._path) as out:
            out.write(self._head().encode())
            if with_images:
                self._spool.seek(0)
                while chunk := self._spool.read(1 << 20):
                    out.write(chunk)
            out.write(body.encode())
            out.write(b"</annotations>\n")

    def _head(self) -> str:
        writer = Writer(declaration=True)
        writer.start("annotations")
        version = self._about.get("version", VERSION)
        if version:
            writer.leaf("version", version)
        write_outline(writer, "meta", self._meta())
        return writer.take()

    def _meta(self) -> Outline:
        """Return the meta as it was read, or a new one, with the labels in their place."""
        meta = self._about.get("meta")
        if not meta:
            subset = next(iter(self._subsets.values()), None)
            meta = subset.new_meta() if subset else new_meta("default", None, 0, None, video=False)
        records = label_records(self._all_labels())
        filled, done = _with_labels(meta, records)
        if not done and records:
            filled = _put_labels(filled, records)
        return filled

    def _all_labels(self) -> Iterator[Category]:
        """Yield the labels of the file, with the attributes that were used and not declared."""
        have = {one.name for one in self._labels}
        known = {one.name: one for one in self._shapes.labels}
        more = [known[name] for name in sorted(self._used - have) if name in known]
        shared = self._shapes.labels.attributes
        for label in (*self._labels, *more):
            names = {spec.name for spec in label.attributes}
            added = [
                spec
                for spec in (*shared, *self._shapes.found.get(label.name, ()))
                if spec.name not in names
            ]
            yield (
                msgspec.structs.replace(label, attributes=(*label.attributes, *added))
                if added
                else label
            )


def _with_labels(value: Outline, records: Outline) -> tuple[Outline, bool]:
    """Return an outline with the labels at the place that `None` marks."""
    found: Outline = []
    done = False
    for tag, inner in value:
        new = inner
        if tag == "labels" and inner is None:
            new, done = records or "", True
        elif isinstance(inner, list):
            new, below = _with_labels(inner, records)
            done = done or below
        found.append([tag, new])
    return found, done


def _put_labels(meta: Outline, records: Outline) -> Outline:
    """Return a meta that had no labels with some."""
    for place, (tag, inner) in enumerate(meta):
        if tag in ("task", "job", "project") and isinstance(inner, list):
            return [*meta[:place], [tag, [*inner, ["labels", records]]], *meta[place + 1 :]]
    return [["task", [["labels", records]]], *meta]


def _file_name(item: Item) -> str:
    """Return the name of an item's image: as it was, unless the item was renamed since."""
    name, id = item.file_name, item.id
    if id in (name, strip_extension(name)) or id.startswith(f"{name} ("):
        return name if id != name or not _bare(item) else f"{id}.jpg"
    ext = item.media.files[0].ext if item.media is not None and item.media.files else ""
    return id + ext


def _bare(item: Item) -> bool:
    """Tell whether an id without a file would lose its end, as that looks like an extension."""
    if item.media is not None and item.media.files:
        return False
    return extension(item.id).lower() in IMAGE_EXTENSIONS
