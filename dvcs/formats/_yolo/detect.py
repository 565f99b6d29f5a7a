"""Which of Ultralytics' tasks a folder is of, by `data.yaml` and the first rows of its labels."""

from collections.abc import Iterator, Sequence
from itertools import islice
from weakref import WeakKeyDictionary

from dvcs.errors import DvcsError, FormatError, NotADataset
from dvcs.files import Source
from dvcs.formats._format import Confidence, Rejected
from dvcs.formats._yolo.layout import Layout
from dvcs.formats._yolo.rows import DOTA_HEADERS, are_numbers, guessed_shape, is_dota

FILES = 40
ROWS = 25
LOOKED_AT = 4000
"""Of how many items the labels are looked for; most of a large dataset may have none."""

_judged: "WeakKeyDictionary[Source, tuple[str, Confidence] | str | FormatError]" = (
    WeakKeyDictionary()
)


def judge(source: Source) -> tuple[str, Confidence]:
    """
    Return the task of a place and how sure that is; Rejected where it is none.

    Raises FormatError where its settings or names cannot be read.
    """
    found = _judged.get(source)
    if found is None:
        notes, errors = source.notes.copy(), list(source.errors)
        try:
            found = _judge(source)
        except Rejected as reason:
            found = str(reason)
        except FormatError as error:
            found = error
        except DvcsError as error:
            found = str(error)
        source.notes, source.errors = notes, errors
        _judged[source] = found
    if isinstance(found, str):
        raise Rejected(found)
    if isinstance(found, FormatError):
        raise found.with_traceback(None)
    return found


def _judge(source: Source) -> tuple[str, Confidence]:
    if source.focus and not source.focus.endswith((".yaml", ".yml")):
        raise Rejected(f"'{source.focus}' is no data.yaml")
    if not any(path.lower().endswith((".yaml", ".yml", ".txt")) for path in source.paths):
        raise Rejected("there is no data.yaml and no label file")
    from dvcs.formats.yolo import find_data

    layout = Layout(source)
    config = layout.config
    if config is None and source.focus:
        raise Rejected(f"'{source.focus}' has neither 'names' nor 'nc'")
    if config is None and find_data(source) is not None:
        raise Rejected("there is no data.yaml, but an obj.data: it is Darknet's YOLO")
    if config is not None and config.task:
        return config.task, Confidence.HIGH
    rows = list(_rows(layout))
    named = config is not None and bool(config.names)
    if named and config is not None and (config.subsets or rows):
        return (_task(rows, bool(config.shape)) if rows else "detect"), Confidence.HIGH
    if not rows:
        raise Rejected(
            "there is no data.yaml with 'names' and subsets, and no label file with rows"
        )
    strange = next((row for row in rows if not _is_row(row)), None)
    if strange is not None:
        raise Rejected(f"'{' '.join(strange)[:60]}' is no row of YOLO")
    return _task(rows, posed=False), Confidence.MEDIUM


def _rows(layout: Layout) -> Iterator[list[str]]:
    """Yield the first rows of some label files."""
    files = 0
    for record in islice(layout.records(), LOOKED_AT):
        if isinstance(record, DvcsError) or record.label is None:
            continue
        try:
            lines = layout.source.lines(record.label)
        except DvcsError as error:
            if layout.config is None:
                raise NotADataset(str(error)) from None
            continue
        found = [line.split() for _, line in lines[:ROWS] if not line.startswith(DOTA_HEADERS)]
        yield from found
        files += bool(found)
        if files == FILES:
            return


def _is_row(parts: Sequence[str]) -> bool:
    """Tell whether a row is a label index and numbers that are parts of an image."""
    if len(parts) < 5 or not parts[0].isdecimal() or not are_numbers(parts):
        return False
    inside = sum(-0.5 <= float(part) <= 2 for part in parts[1:])
    return inside >= 0.9 * (len(parts) - 1)


def _task(rows: list[list[str]], posed: bool) -> str:
    if posed:
        return "pose"
    if any(is_dota(row) for row in rows):
        return "obb"
    counts = {len(row) for row in rows}
    if counts <= {9, 10}:
        return "obb"
    if counts <= {5, 6}:
        return "detect"
    return "pose" if _look_posed(rows, counts) else "segment"


def _look_posed(rows: list[list[str]], counts: set[int]) -> bool:
    """Tell whether rows are a box and keypoints with visibility: all the same, not all absent."""
    if len(counts) != 1 or not all(are_numbers(row) for row in rows):
        return False
    numbers = [list(map(float, row[5:])) for row in rows]
    shapes = {guessed_shape(len(row), row) for row in numbers}
    return all(shape is not None and shape[1] == 3 for shape in shapes) and any(
        flag for row in numbers for flag in row[2::3]
    )
