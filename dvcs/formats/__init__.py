"""
The formats dvcs reads and writes: a short file each, a row each in `ROWS`.

To add one, copy the nearest file, add its rows here, and put a small sample of it where
`docs/adding.md` says; the conformance tests find it in the table.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from dvcs.errors import FormatError, NotADataset, UnknownName, UsageError
from dvcs.files import Sink, Source
from dvcs.files.source import FolderSource
from dvcs.formats._format import Confidence, Format, Option, Rejected, checked_options, options_of
from dvcs.model import Dataset

if TYPE_CHECKING:
    from dvcs.formats._fidelity import Fidelity

__all__ = [
    "Confidence",
    "Format",
    "Option",
    "Rejected",
    "all_formats",
    "below",
    "best",
    "detect",
    "find",
    "how_to_name",
    "judge",
    "names",
    "options_of",
    "read",
    "shown",
    "write",
]

ROWS: dict[str, str] = {
    # name of the format: module that has its record in `FORMATS`
    "coco": "coco",
    "coco_instances": "coco",
    "coco_person_keypoints": "coco",
    "coco_captions": "coco",
    "coco_labels": "coco",
    "coco_image_info": "coco",
    "coco_panoptic": "coco",
    "coco_stuff": "coco",
    "cvat": "cvat",
    "datumaro": "datumaro",
    "image_dir": "image_dir",
    "voc": "voc",
    "voc_action": "voc",
    "voc_classification": "voc",
    "voc_detection": "voc",
    "voc_layout": "voc",
    "voc_segmentation": "voc",
    "yolo": "yolo",
    "yolo_classify": "yolo_ultralytics",
    "yolo_detect": "yolo_ultralytics",
    "yolo_ndjson": "yolo_ndjson",
    "yolo_obb": "yolo_ultralytics",
    "yolo_pose": "yolo_ultralytics",
    "yolo_segment": "yolo_ultralytics",
}
MOST_BELOW = 8
"""How many datasets in folders are named where a place is none itself."""
MOST_LOOKS = 40


def names() -> list[str]:
    """Return the names of all formats, those of installed plug-ins included."""
    return sorted({*ROWS, *_plugins()})


@cache
def _plugins() -> Mapping[str, Callable[[], Format]]:
    from importlib.metadata import entry_points  # a tenth of the start of a conversion

    return {point.name: point.load for point in entry_points(group="dvcs.formats")}


def find(name: str) -> Format:
    """Return the format of a name or alias. Raises UnknownName, with a suggestion."""
    if name in ROWS:
        module = import_module(f"dvcs.formats.{ROWS[name]}")
        formats: tuple[Format, ...] = module.FORMATS
        return next(one for one in formats if one.name == name)
    if name in _plugins():
        return _plugins()[name]()
    for one in all_formats():
        if name in one.aliases:
            return one
    raise UnknownName("format", name, names())


@cache
def all_formats() -> tuple[Format, ...]:
    """Return all formats in order of name."""
    return tuple(find(name) for name in names())


def judge(source: Source) -> tuple[dict[str, Confidence], dict[str, str]]:
    """
    Return how sure each format is that a place is in it, and why the others say no.

    Where a format finds its own files but cannot read them, a place is not what any would do for: a
    dataset whose settings have a slip of the pen is no folder of images.
    """
    matches, rejections, broken = _judged(source)
    if broken and max(matches.values(), default=Confidence.LOW) == Confidence.LOW:
        reason = f"another fits better, but cannot be read: {next(iter(broken.values()))}"
        rejections = {**rejections, **dict.fromkeys(matches, reason)}
        matches = {}
    return matches, rejections


def _judged(
    source: Source,
) -> tuple[dict[str, Confidence], dict[str, str], dict[str, FormatError]]:
    """Return what formats say of a place, the reasons against it, and what they could not read."""
    if source.focus is None:
        source.find("*")  # a folder that cannot be listed is no reason for each of them
    matches: dict[str, Confidence] = {}
    rejections: dict[str, str] = {}
    broken: dict[str, FormatError] = {}
    for one in all_formats():
        if one.read is None:
            continue
        try:
            matches[one.name] = one.detect(source)
        except Rejected as reason:
            rejections[one.name] = str(reason)
        except FormatError as error:
            rejections[one.name] = str(error)
            broken[one.name] = error
    return matches, rejections, broken


def best(matches: Mapping[str, Confidence]) -> list[str]:
    """Return the names of the formats that fit best: one is the answer, none or several are not."""
    most = max(matches.values(), default=None)
    return [name for name, confidence in matches.items() if confidence == most]


def detect(source: Source) -> Format:
    """Return the one format that a place is in. Raises NotADataset for none and for several."""
    matches, _ = judge(source)
    top = best(matches)
    if len(top) == 1:
        return find(top[0])
    raise _undetected(source, top)


def _undetected(source: Source, top: list[str]) -> NotADataset:
    """Return the error for a place that is in none or in several formats: what is there, if any."""
    place = str(source.name if source.focus is None else source.place(source.focus))
    inside = below(source)
    listed = ", ".join(f"'{folder}' ({name})" for folder, name in inside.items())
    listed += ", ..." if len(inside) == MOST_BELOW else ""
    if not top and (broken := _judged(source)[2]):
        mend = f"mend it, or for its images alone {how_to_name('image_dir')}"
        error = next(iter(broken.values()))
        return NotADataset(
            f"no known format at '{place}', as a file cannot be read: {error}",
            hint=f"{mend}; or name one of its folders: {listed}" if inside else mend,
        )
    whole = f"; if all of it is one dataset, {how_to_name(top[0])}" if top else ""
    first, name = next(iter(inside.items()), ("", ""))
    first = first if place == "." else f"{place.rstrip('/')}/{first}"
    if len(inside) > 1:
        return NotADataset(
            f"'{place}' is no dataset itself, but has some in its folders: {listed}",
            hint=f"name one of them, like '{first}'{whole}",
        )
    folder = f"name its folder '{first}' ({name})"
    if top:
        return NotADataset(
            f"'{place}' could be any of: {', '.join(top)}",
            hint=f"{folder}{whole}" if inside else how_to_name(top[0]),
        )
    why = f"see why with 'dvcs detect-format --show-rejections {shown(place)}'"
    return NotADataset(
        f"no known format at '{place}'",
        hint=folder if inside else f"{why}; 'dvcs formats' lists the formats",
    )


def how_to_name(name: str) -> str:
    """Return how a user names the format of what is read, where it is not found out."""
    return f"name its format: 'import -f {name}', 'convert -if {name}' or './PATH:{name}'"


def shown(path: str) -> str:
    """Return a path as it stands in a command that a user is to type."""
    return f'"{path}"' if " " in path else path


def below(source: Source) -> dict[str, str]:
    """
    Return the datasets in the folders of a place that is none itself, with their formats.

    The uppermost ones, at most `MOST_BELOW`; folders of images alone are none. Only folders on this
    disk are looked into.
    """
    found: dict[str, str] = {}
    if source.focus is not None or not isinstance(source, FolderSource):
        return found
    looks = 0
    folders = sorted(source.folders, key=lambda folder: (folder.count("/"), folder))
    for folder in folders:
        if any(folder.startswith(f"{one}/") for one in found) or len(found) == MOST_BELOW:
            continue
        if looks == MOST_LOOKS or folder.count("/") > 2:
            break
        looks += 1
        matches, _ = judge(FolderSource(source.root / folder))
        top = best(matches)
        if len(top) == 1 and matches[top[0]] > Confidence.LOW:
            found[folder] = top[0]
    return found


def read(source: Source, format: Format, **options: Any) -> Dataset:
    """Return the dataset at a place; its files are read as it is walked."""
    if format.read is None:
        raise UsageError(f"dvcs can write {format.title}, but not read it")
    dataset = format.read(source, **checked_options(format.read, options, f"reading {format.name}"))
    dataset.format = format.name
    return dataset


def write(
    dataset: Dataset, format: Format, sink: Sink, *, convert_shapes: bool = True, **options: Any
) -> "Fidelity":
    """
    Write a dataset; return what was converted and what the format could not hold.

    The sink is not finished: the caller may still refuse for what was lost.
    """
    # 2 ms, which those who only read need not spend.
    from dvcs.formats._fidelity import Fidelity
    from dvcs.formats._fitting import fitted
    from dvcs.formats._label_losses import lost_of_labels
    from dvcs.formats._narrowing import narrowed

    writer = format.write
    if writer is None:
        raise UsageError(f"dvcs can read {format.title}, but not write it")
    checked = checked_options(writer, options, f"writing {format.name}")
    format = narrowed(format, options, _tasks(format, options))
    fidelity = Fidelity(format.name)
    sink.relative = format.relative
    writer(fitted(dataset, format, fidelity, convert_shapes=convert_shapes), sink, **checked)
    fidelity.missing_media = sink.missing_media
    fidelity.notes = sink.notes
    fidelity.converted.update(sink.converted)
    fidelity.merged.update(sink.merged)
    fidelity.lost_fields.update(sink.lost_fields)
    fidelity.lost_fields.update(lost_of_labels(dataset.labels, format))
    return fidelity


def _tasks(format: Format, options: Mapping[str, Any]) -> dict[str, Format]:
    """Return the formats of the tasks that a writer is limited to; it refuses unknown ones."""
    with suppress(UnknownName):
        return {task: find(f"{format.name}_{task}") for task in options.get("tasks") or ()}
    return {}
