"""
What stands above the images and tracks of a CVAT file: `<meta>`, its tasks and their frames.

An export is of a task, a job, or a project with several tasks; `<meta>` is kept as an outline,
nested lists of `[tag, text or outline]`, in which `<labels>` is only a place: the labels are the
dataset's.
"""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from dvcs.errors import FormatError
from dvcs.formats._xml import Element, Writer, escape, fail

NAME, VERSION = "cvat", "1.1"
Outline = list[list[Any]]

MAX_FRAMES = 2_000_000
"""More frames than a task has (18 hours at 30 a second); a hostile file can name 10**18."""
STEP = re.compile(r"\s*step\s*=\s*(\d{1,9})\s*")


def outline(element: Element) -> str | Outline:
    """Return an element as its text, or as its attributes (`@name`), text and children in order."""
    if not len(element) and not element.attrib:
        text = element.text or ""
        return "" if text.isspace() else text
    found: Outline = [[f"@{key!s}", str(value)] for key, value in element.items()]
    if element.text and not element.text.isspace():
        found.append(["#text", element.text])
    return found + [[str(child.tag), outline(child)] for child in element]


def write_outline(writer: Writer, tag: str, value: str | Outline) -> None:
    """Write what `outline` returned."""
    if isinstance(value, str):
        writer.leaf(tag, value)
        return
    attributes = {key[1:]: text for key, text in value if key.startswith("@")}
    content = "".join(text for key, text in value if key == "#text")
    children = [(key, inner) for key, inner in value if key[0] not in "@#"]
    if not children:
        writer.leaf(tag, content, attributes)
        return
    writer.start(tag, attributes)
    if content:
        writer.lines.append(escape(content.strip()))
    for key, inner in children:
        write_outline(writer, key, inner)
    writer.end()


def said(value: str | Outline | None, *path: str) -> str | None:
    """Return the text at a path of tags in an outline; None where it is not said."""
    for tag in path:
        if not isinstance(value, list):
            return None
        value = next((inner for key, inner in value if key == tag), None)
    return value.strip() if isinstance(value, str) else None


def children(value: str | Outline | None, tag: str) -> list[str | Outline]:
    """Return the outlines of all children of one tag."""
    return [inner for key, inner in value if key == tag] if isinstance(value, list) else []


class Task(NamedTuple):
    """What matters of a task: whether it is a video, its frames, and the size of each of them."""

    id: str
    subset: str
    video: bool
    frames: range | None
    size: tuple[int, int] | None


def is_project(meta: Outline) -> bool:
    """Tell whether an export is of a project, which names the subset of each image and track."""
    return bool(children(meta, "project"))


def tasks(meta: Outline, element: Element | None) -> list[Task]:
    """
    Return the tasks of an export; those of one subset of a project count their frames on.

    Raises FormatError, at the line of `element`, for numbers that no task has.
    """
    found: list[Task] = []
    offsets: dict[str, int] = {}
    project = is_project(meta)
    shared = _size(meta)
    try:
        for unit in _units(meta):
            subset = said(unit, "subset") or ""
            offset = offsets.get(subset, 0) if project else 0
            frames, span = _frames(unit, offset)
            offsets[subset] = offset + span
            video = said(unit, "mode") == "interpolation"
            size = _size(unit) or shared
            found.append(Task(said(unit, "id") or "", subset, video, frames, size))
    except ValueError as error:
        if element is None:
            return found
        raise fail(element, f"<meta> {error}") from None
    return found


def _units(meta: Outline) -> Iterator[str | Outline]:
    for tag in ("task", "job"):
        yield from children(meta, tag)
    for project in children(meta, "project"):
        for group in children(project, "tasks"):
            yield from children(group, "task")


def _whole(unit: str | Outline, *path: str) -> int | None:
    text = said(unit, *path)
    if not text:
        return None
    if not re.fullmatch(r"\d{1,18}", text):
        raise ValueError(f"says '{text[:50]}' for <{path[-1]}>, which should be a number")
    return int(text)


def _size(unit: str | Outline) -> tuple[int, int] | None:
    width, height = (_whole(unit, "original_size", tag) for tag in ("width", "height"))
    return (height, width) if height and width else None


def _frames(unit: str | Outline, offset: int) -> tuple[range | None, int]:
    """Return the frames of a task, and how far it moves those of the next one of a project."""
    step_text = STEP.fullmatch(said(unit, "frame_filter") or "")
    step = max(1, int(step_text[1])) if step_text else 1
    start, stop, size = (_whole(unit, tag) for tag in ("start_frame", "stop_frame", "size"))
    first = start or 0
    if stop is not None:
        count = max(0, (stop - first) // step + 1)
    elif size is not None:
        count = size
    else:
        return None, 0
    if count > MAX_FRAMES:
        raise ValueError(f"says that there are {count} frames, more than {MAX_FRAMES}")
    first += offset
    return range(first, first + count * step, step), (start or 0) + step * (size or count)


def check_span(first: int, last: int, place: object, line: int | None) -> None:
    """Raise FormatError where shapes are so far apart that no video is that long."""
    if last - first >= MAX_FRAMES:
        raise FormatError(f"its frames span more than {MAX_FRAMES}", str(place), line)


def new_meta(
    subset: str, frames: range | None, count: int, size: tuple[int, int] | None, *, video: bool
) -> Outline:
    """Return the outline of a task for a file that CVAT did not write."""
    task: Outline = [["size", str(count)], ["mode", "interpolation" if video else "annotation"]]
    task.append(["subset", subset])
    if frames:
        task += [["start_frame", str(frames[0])], ["stop_frame", str(frames[-1])]]
        task.append(["frame_filter", f"step={frames.step}" if frames.step > 1 else ""])
    task.append(["labels", None])
    if video and size is not None:
        task.append(["original_size", [["width", str(size[1])], ["height", str(size[0])]]])
    return [["task", task]]
