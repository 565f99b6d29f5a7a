"""
What must be known of a whole CVAT file before its beginning can be written: frames and groups.

A reader finds the frames of a video by its task alone where each of them is there, looks like one
and has no shapes but those of tracks; else every item needs an `<image>`.
"""

from collections.abc import Mapping
from typing import Any

from dvcs.formats._cvat.meta import NAME, Outline, Task, new_meta
from dvcs.formats._cvat.read import frame_name
from dvcs.formats._cvat.runs import Tracks
from dvcs.model import Annotation, Item, Polygon

NOTHING: Mapping[str, Any] = {}


def is_frame(item: Item) -> bool:
    """Tell whether an item is a frame of a video."""
    return item.media is not None and item.media.kind == "video_frame"


class Groups:
    """Numbers of groups in a file: the ones they came with, where those still hold."""

    def __init__(self) -> None:
        self._next = 1
        self._taken: dict[int, int] = {}
        self._made: set[int] = set()

    def of(self, item: Item) -> list[int | None]:
        """Return the group id of each annotation of an item."""
        notes = item.annotations
        if not any(note.group or NAME in note.extra for note in notes):
            return [self._new() if parts_of(note) > 1 else None for note in notes]
        groups: dict[int, list[Annotation]] = {}
        for note in notes:
            if note.group:
                groups.setdefault(note.group, []).append(note)
        numbers: dict[int, int | None] = {}
        fresh = []
        for group, members in groups.items():
            ids = {_group_id(one) for one in members}
            only = ids.pop() if len(ids) == 1 else None
            if only:
                numbers[group] = self._kept(only)
            elif len(members) == 1 and parts_of(members[0]) == 1:
                numbers[group] = None
            else:
                fresh.append(group)
        for note in notes:  # before new numbers are given
            if not note.group and (id := _group_id(note)):
                self._kept(id)
        numbers.update((group, self._new()) for group in fresh)
        return [self._number(note, numbers) for note in notes]

    def _number(self, note: Annotation, numbers: Mapping[int, int | None]) -> int | None:
        if note.group:
            return numbers[note.group]
        id = _group_id(note)
        if id is not None:
            return self._kept(id) if id else 0
        return self._new() if parts_of(note) > 1 else None

    def _kept(self, id: int) -> int:
        if id not in self._taken:
            self._taken[id] = self._new() if id in self._made else id
        return self._taken[id]

    def _new(self) -> int:
        while self._next in self._taken or self._next in self._made:
            self._next += 1
        self._made.add(self._next)
        return self._next


def _group_id(note: Annotation) -> int | None:
    id = note.extra.get(NAME, NOTHING).get("group_id")
    return id if isinstance(id, int) else None


def parts_of(note: Annotation) -> int:
    """Return of how many parts an annotation is: 1, but for a polygon of several."""
    return len(note.parts) if isinstance(note, Polygon) else 1


class Subset:
    """What of a subset must be known in the end: its frames and tracks."""

    def __init__(self, name: str, folder: str, tasks: list[Task]) -> None:
        self.name = name
        self.folder = folder
        self.tracks = Tracks()
        self.pictured: set[int] = set()
        """Frames of which the image is written."""
        self._tasks = tasks
        self._video = any(task.video for task in tasks) if tasks else None
        self._names: dict[int, str] = {}
        self._next = 0
        self._plain = True
        self._sizes: set[tuple[int, int] | None] = set()
        self._ids: set[str] = set()

    def number(self, item: Item, *, reindex: bool) -> int:
        """Return a number for an item that no other one of the subset has."""
        frame = None if reindex else _frame(item)
        if frame is None or frame in self._names:
            frame = self._next
            while frame in self._names:
                frame += 1
        self._names[frame] = item.id
        self._next = max(self._next, frame + 1)
        return frame

    def is_video(self, item: Item, extra: Mapping[str, Any]) -> bool:
        """Tell whether a reader takes the items of a task for frames of a video."""
        if self._video is None:  # a new task: what its first item is
            self._video = is_frame(item)
        mine = [one for one in self._tasks if one.id and one.id == str(extra.get("task_id"))]
        return any(one.video for one in mine) if mine else self._video

    def see(self, item: Item, frame: int, name: str, *, plain: bool) -> None:
        """Note whether an item is a frame that needs no `<image>`."""
        self.is_video(item, item.extra.get(NAME, NOTHING))
        self._sizes.add(item.media.size if item.media is not None else None)
        if not (plain and is_frame(item) and name == item.id == frame_name(frame)):
            self._plain = False

    def frames(self, task_id: str = "") -> list[int]:
        """Return the numbers of all items in order, or those of a task that knows its frames."""
        for task in self._tasks:
            if task_id and task.id == task_id and task.frames:
                return [frame for frame in sorted(self._names) if frame in task.frames]
        return sorted(self._names)

    @property
    def needs_images(self) -> bool:
        """Whether a reader would not find just these items without a list of them."""
        if not self._plain or not self._video or len(self._sizes) > 1:
            return True
        if self._tasks and {task.size for task in self._tasks} != self._sizes:
            return True
        told = [task.frames for task in self._tasks if task.frames]
        wanted = set(self._names)
        if not self._tasks:
            return self._range() is None
        implied = {frame for frames in told for frame in frames}
        if self.tracks.frames - wanted or wanted - implied - self.tracks.listed:
            return True
        return implied != wanted and not (self.pictured and wanted <= self.pictured)

    def _range(self) -> range | None:
        """Return the frames as a range, where they are one."""
        frames = self.frames()
        if not frames:
            return None
        step = frames[1] - frames[0] if len(frames) > 1 else 1
        found = range(frames[0], frames[-1] + 1, step)
        return found if list(found) == frames else None

    def new_meta(self) -> Outline:
        """Return the meta of a task of these items."""
        size = next(iter(self._sizes), None) if len(self._sizes) == 1 else None
        frames = self._range() if self._video else None
        return new_meta(self.name, frames, len(self._names), size, video=bool(self._video))


def _frame(item: Item) -> int | None:
    """Return the frame number that an item came with."""
    number: Any = item.media.frame if item.media is not None else None
    if number is None:
        number = item.extra.get(NAME, NOTHING).get("id", item.attributes.get("frame"))
    return number if type(number) is int and number >= 0 else None
