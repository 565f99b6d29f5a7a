"""
Writing tracks: their keyframes, and what does not follow from them.

Of the shapes of a track, those that a reader made between keyframes are left out where they still
follow from them. Where one was changed since, it becomes a keyframe, and the others around it are
listed as they are. An object that is gone in the next frame, without being said to be outside, is
ended there by a shape that is marked as implied: it is no annotation when it is read.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from dvcs.formats._cvat.meta import NAME
from dvcs.formats._cvat.text import Shapes, rest_text
from dvcs.formats._xml import quoted
from dvcs.model import Annotation, Item
from dvcs.tracks import MADE, between, follows, is_outside, made

Key = tuple[str, int | str, str, str, str, str, str]
Seen = tuple[int, Annotation]


class Tracks:
    """The tracks of one subset."""

    def __init__(self) -> None:
        self._found: dict[Key, list[Seen]] = {}
        self._groups: dict[Key, int] = {}
        self.frames: set[int] = set()
        """Frames at which there is something."""
        self.listed: set[int] = set()
        """Those of them at which a shape will surely be listed."""

    def add(
        self, item: Item, frame: int, note: Annotation, group: int | None, task_id: str
    ) -> None:
        """Take an annotation in. One of another label, kind or folder is another `<track>`."""
        assert note.track is not None  # noqa: S101 -- for the type checker
        extra = note.extra.get(NAME, {})
        kind = note.kind.removeprefix("rotated_") + ("s" if extra.get("order") else "")
        source = str(extra.get("source", "manual"))
        rest = rest_text({"xml": extra.get("track")})
        sequence = item.id.rpartition("/")[0]
        key = (sequence, note.track, note.label or "", kind, source, task_id, rest)
        if group is not None:
            self._groups.setdefault(key, group)
        seen = self._found.setdefault(key, [])
        if any(at == frame for at, _ in seen[-1:]):  # two of one track in one frame
            key = (sequence, note.track, note.label or "", kind, source, task_id, f"{rest} ")
            while any(at == frame for at, _ in self._found.get(key, [])[-1:]):
                key = (*key[:-1], f"{key[-1]} ")
            seen = self._found.setdefault(key, [])
        seen.append((frame, note))
        self.frames.add(frame)
        if not note.extra.get(NAME, {}).get(MADE):
            self.listed.add(frame)

    def lines(
        self, shapes: Shapes, frames_of: Callable[[str], Sequence[int]], subset: str
    ) -> Iterator[str]:
        """Yield the `<track>` elements; `frames_of` gives the frames of a task's items in order."""
        frames: dict[str, Sequence[int]] = {}
        for key in sorted(self._found, key=_order):
            seen = sorted(self._found[key], key=lambda one: one[0])
            _, track, label, _, source, task_id, rest = key
            if task_id not in frames:
                frames[task_id] = frames_of(task_id)
            head = f"  <track id={quoted(str(track))} label={shapes.quoted(label or None)}"
            head += f" source={quoted(source)}"
            if task_id:
                head += f" task_id={quoted(task_id)}"
            if subset:
                head += f" subset={quoted(subset)}"
            if key in self._groups:
                head += f' group_id="{self._groups[key]}"'
            inner = "".join(
                shapes.tracked(note, "    ", frame, keyframe=keyframe, ends=ends)
                for frame, note, keyframe, ends in _shapes(seen, frames[task_id])
            )
            yield f"{head}{rest.rstrip()}>\n{inner}  </track>\n"


def _order(key: Key) -> tuple[Any, ...]:
    track = key[1]
    number = track if isinstance(track, int) else 0
    return isinstance(track, str), number, str(track), key


def _shapes(
    seen: list[Seen], frames: Sequence[int]
) -> Iterator[tuple[int, Annotation, bool, bool]]:
    """Yield the shapes to list: frame, annotation, whether it is a keyframe, whether it ends."""
    for run in _runs(seen, frames):
        yield from ((frame, note, keyframe, False) for frame, note, keyframe in _listed(run))
        frame, note = run[-1]
        after = bisect_right(frames, frame)
        if after < len(frames) and not is_outside(note) and not _goes_on(seen, frames[after]):
            yield frames[after], note, True, True


def _goes_on(seen: list[Seen], frame: int) -> bool:
    return any(at == frame for at, _ in seen)


def _runs(seen: list[Seen], frames: Sequence[int]) -> Iterator[list[Seen]]:
    """Yield the stretches of frames in which an object is seen without a gap."""
    run: list[Seen] = []
    for frame, note in seen:
        if run and (is_outside(run[-1][1]) or _between(frames, run[-1][0], frame)):
            yield run
            run = []
        run.append((frame, note))
    if run:
        yield run


def _between(frames: Sequence[int], start: int, end: int) -> bool:
    """Tell whether there is an item between two frames."""
    at = bisect_right(frames, start)
    return at < len(frames) and frames[at] < end


def _listed(run: list[Seen]) -> Iterator[tuple[int, Annotation, bool]]:
    """Yield what of one stretch must be listed, and whether as a keyframe."""
    fixed = [n for n, (_, note) in enumerate(run) if n == 0 or not _is_made(note)]
    for n, start in enumerate(fixed):
        frame, note = run[start]
        yield frame, note, start == 0 or note.attributes.get("keyframe", True) is not False
        end = fixed[n + 1] if n + 1 < len(fixed) else len(run)
        after = run[end] if end < len(run) else None
        gap = run[start + 1 : end]
        fits = [_follows(one, run[start], after) for one in gap]
        if not all(fits):
            for (at, changed), fit in zip(gap, fits, strict=True):
                yield at, changed, not fit


def _is_made(note: Annotation) -> bool:
    extra = note.extra.get(NAME)
    return bool(extra and extra.get(MADE)) and note.attributes.get("keyframe") is False


def _follows(one: Seen, before: Seen, after: Seen | None) -> bool:
    frame, note = one
    start, first = before
    if after is None:
        return follows(note, made(first))
    return follows(note, between(first, after[1], (frame - start) / (after[0] - start)))
