"""
Reading CVAT: an item for each `<image>`, and one for each frame of a video's tracks.

Images are streamed. Tracks, which say something of many frames, are read first and held, one file
at a time; what follows from their keyframes is made as the frames are walked.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

from dvcs.errors import DvcsError, UnsafeName
from dvcs.files import Source
from dvcs.files.source import IMAGE_EXTENSIONS
from dvcs.formats import _xml
from dvcs.formats._cvat.find import Document, image_folder_of
from dvcs.formats._cvat.meta import NAME, check_span
from dvcs.formats._cvat.shapes import Reader, track_name
from dvcs.formats._xml import Element
from dvcs.model import Annotation, Item, Labels, Media, MediaFile, Origin, Polygon
from dvcs.names import extension, id_of_file, item_id, simple_name, strip_extension
from dvcs.tracks import Track, is_outside, jumps

JUMPED = "a polygon or line between keyframes with different numbers of points stays as it was"
BEYOND = "a track ends, unseen, after the last frame of its task: that end is left out"
EMPTY = (
    "an image without shapes counts as looked at, as in CVAT's own exports: if the task is not"
    " finished, read it with '-- --unfinished'"
)
TAGS = ("meta", "image", "track")
NOTHING: Mapping[str, Any] = {}
Listed = tuple[int, Annotation | None]


class Picture(NamedTuple):
    """What an item's image is: its name in the XML, its file, height and width, frame, kind."""

    name: str
    found: str | None
    size: tuple[int, int] | None
    frame: int | None
    kind: Any


class Walk:
    """One walk over one file."""

    def __init__(
        self, source: Source, document: Document, labels: Labels, *, unfinished: bool
    ) -> None:
        self._source = source
        self._document = document
        self._unfinished = unfinished
        self._reader = Reader(labels)
        self._videos = any(task.video for task in document.tasks)
        self._tracks: dict[str, list[Track]] = {}
        self._left: dict[str, set[int]] = {}
        """Frames that have shapes of tracks and no image yet, by subset."""
        self._stops: dict[str, int] = {}
        self._pictured: set[str] = set()
        """Subsets whose images are listed."""
        self._taken: dict[str, set[str]] = {}
        self._names: set[tuple[str, str]] = set()
        self._numbers: set[tuple[str, int]] = set()
        self._folders: dict[str, list[str]] = {}

    def items(self) -> Iterator[Item]:
        """Yield the items; bad images and tracks are reported to the source."""
        source, path = self._source, self._document.path
        if self._document.tracked:
            self._read_tracks()

        def records() -> Iterator[Callable[[], Item]]:
            for element in _xml.iterate(source, path, TAGS):
                if element.tag == "image":
                    yield partial(self._image, element)
            for subset in sorted({*self._document.by_subset, *self._tracks}):
                for frame in self._frames(subset):
                    yield partial(self._frame, subset, frame)

        return source.items(records(), lambda make: make())

    # Tracks

    def _read_tracks(self) -> None:
        found: list[tuple[str, str | None, list[Listed]]] = []
        for element in _xml.iterate(self._source, self._document.path, TAGS):
            try:
                if element.tag == "track":
                    subset, task = self._subset(element), element.get("task_id")
                    self._reader.size = self._task_size(subset, task)
                    found.append((subset, task, self._listed(element)))
                elif element.tag == "image":
                    subset, frame = self._subset(element), _xml.integer(element, "@id", 0)
                    self._stops[subset] = max(frame, self._stops.get(subset, 0))
            except DvcsError as error:
                if element.tag == "track":  # images are read later
                    self._source.report(error)
        for subset, _, listed in found:
            last = listed[-1][0] if listed else 0
            self._stops[subset] = max(last, self._stops.get(subset, 0))
        for subset, task, listed in found:
            if listed:
                self._add_track(subset, task, listed)

    def _task_size(self, subset: str, task_id: str | None) -> tuple[int, int] | None:
        """Return the size of the frames of a track's task, where it is told."""
        tasks = self._document.by_subset.get(subset, ())
        mine = [one for one in tasks if one.id and one.id == task_id] or tasks
        sizes = {one.size for one in mine}
        return sizes.pop() if len(sizes) == 1 else None

    def _add_track(self, subset: str, task_id: str | None, listed: list[Listed]) -> None:
        tasks = [one for one in self._document.by_subset.get(subset, ()) if one.frames]
        mine = [one for one in tasks if one.id and one.id == task_id] or tasks
        stop = max((one.frames[-1] for one in mine if one.frames), default=self._stops[subset])
        seen = [
            (frame, note)
            for frame, note in listed
            if frame <= stop or (note is not None and not is_outside(note))
        ]
        if len(seen) < len(listed) and any(note is not None for _, note in listed[len(seen) :]):
            self._source.note(BEYOND)
        if seen:
            self._tracks.setdefault(subset, []).append(Track(seen, stop))
            frames = self._left.setdefault(subset, set())
            frames.update(frame for frame, note in seen if note is not None)

    def _listed(self, element: Element) -> list[Listed]:
        """Return the shapes that a track lists, by frame; attributes once said hold on."""
        track = track_name(_xml.text(element, "@id"))
        label = _xml.text(element, "@label")
        shared = self._track_extra(element)
        listed: list[Listed] = []
        for shape in element:
            frame = _xml.integer(shape, "@frame")
            implied = shape.get("implied") == "1"
            note = None if implied else self._reader.tracked(shape, track, label, shared)
            listed.append((frame, note))
        listed.sort(key=lambda one: one[0])
        if listed:
            line: Any = element.sourceline
            place = self._source.place(self._document.path)
            check_span(listed[0][0], listed[-1][0], place, line)
        for (frame, _), (after, _) in pairwise(listed):
            if frame == after:
                raise _xml.fail(element, f"track '{track}' has two shapes at frame {frame}")
        for (frame, a), (after, b) in pairwise(listed):
            if after - frame > 1 and a is not None and b is not None and jumps(a, b):
                self._source.note(JUMPED)
        return _carried(listed)

    @staticmethod
    def _track_extra(element: Element) -> dict[str, Any]:
        values: dict[Any, Any] = dict(element.items())
        for name in ("id", "label", "task_id", "subset"):
            values.pop(name, None)
        extra: dict[str, Any] = {}
        if (source := values.pop("source", "manual")) != "manual":
            extra["source"] = source
        if values.pop("group_id", None) is not None:
            extra["group_id"] = _xml.integer(element, "@group_id")
        if values:
            extra["track"] = values
        return extra

    def _at(self, subset: str, frame: int) -> list[Annotation]:
        """Return what the tracks say of a frame."""
        near = (one for one in self._tracks.get(subset, ()) if one.first <= frame <= one.stop)
        return [note for track in near if (note := track.at(frame)) is not None]

    def _frames(self, subset: str) -> Iterator[int]:
        """Yield the frames of a subset that have no `<image>` of their own, in order."""
        frames = set(self._left.get(subset, ()))
        if subset not in self._pictured:
            for task in self._document.by_subset.get(subset, ()):
                if task.frames and (task.video or subset in self._tracks):
                    frames.update(self._of_task(subset, task.frames))
            if frames and not any(task.frames for task in self._document.by_subset.get(subset, ())):
                check_span(min(frames), max(frames), self._document.path, None)
                frames.update(range(min(frames), max(frames) + 1))
        yield from sorted(frames)

    def _of_task(self, subset: str, frames: range) -> Iterable[int]:
        """Return a task's frames; where some have images, those without were deleted."""
        pictured = {frame for frame in frames if self._find(frame_name(frame), subset)}
        if not pictured:
            return frames
        return [frame for frame in frames if frame in pictured or self._at(subset, frame)]

    # Items

    def _subset(self, element: Element) -> str:
        name = element.get("subset")
        if name is None or not self._document.project:
            return self._document.subset if name is None else self._checked(element, name)
        return self._checked(element, name)

    @staticmethod
    def _checked(element: Element, name: str) -> str:
        try:
            return simple_name(name, "subset")
        except UnsafeName as error:
            raise _xml.fail(element, str(error), hint=error.hint) from None

    def _find(self, name: str, subset: str) -> str | None:
        """Return the path of an image file, None where there is none."""
        if not self._source.images:
            return None
        folders = self._folders.get(subset)
        if folders is None:
            base = self._document.folder
            usual = [image_folder_of(subset, project=True), f"images/{subset}", "images", subset]
            folders = [*(f"{base}{folder}" for folder in dict.fromkeys(usual)), base[:-1]]
            self._folders[subset] = folders
        return self._source.image(name, folders=folders)

    def _image(self, element: Element) -> Item:
        values: dict[Any, Any] = dict(element.items())
        subset = self._subset(element)
        values.pop("subset", None)
        self._pictured.add(subset)
        frame = _xml.integer(element, "@id", None)
        values.pop("id", None)
        name = values.pop("name", None)
        if name is None:
            if frame is None:
                raise _xml.fail(element, "<image> has neither a name nor an id")
            name = frame_name(frame)
        if (subset, name) in self._names:
            raise _xml.fail(element, f"image '{name}' is listed twice")
        self._names.add((subset, name))
        try:
            found = self._find(name, subset)
            id = self._id(name, found, subset)
        except UnsafeName as error:
            raise _xml.fail(element, str(error), hint=error.hint) from None
        size = self._size(element, values)
        kind = values.pop("kind", None) or (
            "video_frame" if self._is_video(subset, values) else "image"
        )
        extra: dict[str, Any] = {}
        if frame is not None and kind == "image":
            extra["id"] = frame
        self._reader.size = size
        notes = list(self._shapes(element))
        if frame is not None and subset in self._tracks:
            if (subset, frame) in self._numbers:
                raise _xml.fail(element, f"two images are frame {frame}, to which tracks refer")
            self._numbers.add((subset, frame))
            notes += self._at(subset, frame)
            self._left[subset].discard(frame)
        if "task_id" in values:
            extra["task_id"] = values.pop("task_id")
        if values:
            extra["xml"] = values
        picture = Picture(name, found, size, frame, kind)
        return self._item(id, subset, picture, self._grouped(notes), extra)

    def _shapes(self, element: Element) -> Iterator[Annotation]:
        """Yield the shapes of an image; the parts of one polygon, which stand together, as one."""
        parts: list[Polygon] = []
        annotation = self._reader.annotation
        for child in element:
            note = annotation(child)
            part = note.extra[NAME].get("xml", NOTHING).get("part") if note.extra else None
            if parts and not _continues(parts, note, part):
                yield from map(_single, parts)
                parts = []
            if part is None or not isinstance(note, Polygon):
                yield note
            elif parts or part.startswith("1/"):
                parts.append(note)
                if part == f"{len(parts)}/{len(parts)}":
                    yield _single(parts[0]).with_(parts=[one.parts[0] for one in parts])
                    parts = []
            else:
                yield _single(note)
        yield from map(_single, parts)

    def _is_video(self, subset: str, values: Mapping[str, str]) -> bool:
        if not self._videos:
            return False
        tasks = self._document.by_subset.get(subset, ())
        mine = [task for task in tasks if task.id and task.id == values.get("task_id")] or tasks
        return any(task.video for task in mine)

    def _id(self, name: str, found: str | None, subset: str) -> str:
        taken = self._taken.setdefault(subset, set())
        if extension(name).lower() in IMAGE_EXTENSIONS:
            id = id_of_file(name, taken)
        else:  # frames of a video have no extension, and a dot may be a part of the name
            id = item_id(name)
        if found is not None and id in taken:
            id = id_of_file(found, taken)
        taken.add(id)
        return id

    @staticmethod
    def _size(element: Element, values: dict[str, Any]) -> tuple[int, int] | None:
        found = []
        for name in ("height", "width"):
            if name not in values:
                return None
            value = _xml.integer(element, f"@{name}")
            if value <= 0:
                raise _xml.fail(element, f"the {name} of an image should be positive, not {value}")
            found.append(value)
        del values["height"], values["width"]
        return found[0], found[1]

    def _frame(self, subset: str, frame: int) -> Item:
        """Return the item of a frame that has no `<image>`."""
        name = frame_name(frame)
        found = self._find(name, subset)
        tasks = self._document.by_subset.get(subset, ())
        task = next((one for one in tasks if one.frames and frame in one.frames), None)
        size = task.size if task else next((one.size for one in tasks), None)
        extra = {"task_id": task.id} if task and self._document.project and task.id else {}
        notes = self._grouped(self._at(subset, frame))
        taken = self._taken.get(subset, ())
        id = id_of_file(name, taken) if name in taken else name
        picture = Picture(name, found, size, frame, "video_frame")
        return self._item(id, subset, picture, notes, extra)

    def _item(
        self,
        id: str,
        subset: str,
        picture: "Picture",
        notes: list[Annotation],
        extra: dict[str, Any],
    ) -> Item:
        name, found, size, frame, kind = picture
        shown = extension(name).lower() in IMAGE_EXTENSIONS
        ext = extension(found) if found else extension(name) if shown else ""
        files: tuple[MediaFile, ...] = ()
        origins: tuple[Origin | None, ...] = ()
        if ext:
            file_name = (strip_extension(name) if shown else name) + ext
            files = (MediaFile(ext=ext, name=None if file_name == id + ext else file_name),)
            origins = (self._source.origin(found) if found else None,)
            if file_name != name and (kind, name) != ("video_frame", frame_name(frame or 0)):
                extra["name"] = name
        media = None
        if files or size or kind == "video_frame":
            height, width = size or (None, None)
            number = frame if kind == "video_frame" else None
            media = Media(kind=kind, files=files, height=height, width=width, frame=number)
        if not notes and not self._unfinished:
            self._source.note(EMPTY)
        return Item(
            id=id,
            subset=subset,
            media=media,
            annotations=notes,
            annotated=None if not notes and self._unfinished else True,
            extra={NAME: extra} if extra else {},
            origins=origins,
        )

    def _grouped(self, notes: list[Annotation]) -> list[Annotation]:
        """Number the groups of an item from 1; one that has a single member is none."""
        if not self._document.grouped:
            return notes
        ids = [note.extra[NAME].get("group_id", 0) if note.extra else 0 for note in notes]
        if not any(ids):
            return notes
        sizes = Counter(id for id in ids if id)
        numbers = {id: n for n, id in enumerate((i for i in sizes if sizes[i] > 1), 1)}
        return [
            note.with_(group=numbers[id]) if id in numbers else note
            for note, id in zip(notes, ids, strict=True)
        ]


def frame_name(frame: int) -> str:
    """Return the name that CVAT gives a frame of a video."""
    return f"frame_{frame:06d}"


def _carried(listed: list[Listed]) -> list[Listed]:
    """Return shapes with the attributes of the ones before them that they do not repeat."""
    held: dict[str, Any] = {}
    found: list[Listed] = []
    for frame, note in listed:
        if note is None:
            found.append((frame, note))
            continue
        held = {**held, **note.attributes}
        same = len(held) == len(note.attributes)
        found.append((frame, note if same else note.with_(attributes=dict(held))))
    return found


def _continues(parts: list[Polygon], note: Annotation, part: str | None) -> bool:
    """Tell whether a shape is the next part of a polygon: one that was edited is its own."""
    first = parts[0]
    return (
        part == f"{len(parts) + 1}/{_total(first)}"
        and isinstance(note, Polygon)
        and (note.label, note.z_order, note.track) == (first.label, first.z_order, first.track)
        and note.attributes == first.attributes
        and note.extra[NAME].get("group_id") == first.extra[NAME].get("group_id")
    )


def _total(note: Annotation) -> str:
    return str(note.extra[NAME]["xml"]["part"]).partition("/")[2]


def _single(note: Polygon) -> Polygon:
    """Return a polygon without its mark as a part."""
    extra = dict(note.extra[NAME])
    rest = {key: value for key, value in extra.pop("xml").items() if key != "part"}
    if rest:
        extra["xml"] = rest
    return note.with_(extra={NAME: extra} if extra else {})
