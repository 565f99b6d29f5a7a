"""
YOLO as Darknet reads it: boxes only.

    <root>/
    ├── obj.data                classes = 2
    │                           train = data/train.txt
    │                           valid = data/valid.txt
    │                           names = data/obj.names
    │                           backup = backup/
    ├── obj.names               a label a line; its line is its index
    ├── train.txt               an image a line: data/obj_train_data/street/1.jpg
    ├── valid.txt
    ├── obj_train_data/
    │   └── street/
    │       ├── 1.jpg           the item `street/1` of the subset `train`
    │       └── 1.txt           a box a line: 0 0.5 0.4 0.25 0.1, which are label, centre x and y,
    └── obj_valid_data/         width and height in parts of the image, perhaps a score

Every other key of `obj.data` whose value is a list is a subset, whatever its name. Darknet itself
trains on `train` and tests on `valid`: a subset `val` is written under that key. Images may lie in
any folder; its first part is not in the id. An empty label file says that there is no object, a
missing one that nobody looked.
"""

from collections.abc import Iterator
from typing import Annotated

from dvcs.errors import DvcsError, FormatError, UnsafeName, UsageError
from dvcs.files import Sink, Source
from dvcs.formats._format import Confidence, Format, Rejected
from dvcs.formats._yolo.files import (
    VALIDATION,
    Files,
    Ids,
    Maker,
    Record,
    Sizes,
    checked_subset,
    make_labels,
    read_names,
)
from dvcs.formats._yolo.layout import listed
from dvcs.formats._yolo.rows import Reader
from dvcs.formats._yolo.write import (
    Rows,
    Writer,
    checked_names,
    note_missing,
    numbered,
    other_name,
    stem_of,
)
from dvcs.model import Dataset, Item

DATA = "obj.data"
NAMES = "obj.names"
NOT_SUBSETS = frozenset({"classes", "names", "backup", "labels", "tree", "map", "eval"})
LISTS = (".txt", ".list")
Settings = dict[str, tuple[str, int]]

ImageSize = Annotated[str | None, "WIDTHxHEIGHT of images that are not there"]
KeepIds = Annotated[bool, "use the labels' original ids as indices, with class-N in between"]
SaveScores = Annotated[bool, "write scores as a last column, which trainers do not read"]


def find_data(source: Source) -> str | None:
    """Return the `obj.data` of a place, or a file like it."""
    if source.focus is not None:
        found = [source.focus] if source.focus.endswith(".data") else []
    else:
        found = source.find(f"**/{DATA}") or source.find("**/*.data")
    for path in sorted(found, key=lambda path: path.count("/")):
        try:
            settings = _settings(source, path)
        except FormatError:
            if path.rpartition("/")[2] == DATA:
                return path
            continue
        if "names" in settings or _lists(settings):
            return path
    return None


def detect(source: Source) -> Confidence:
    """Sure where an `obj.data` names labels and lists."""
    path = find_data(source)
    if path is None:
        raise Rejected("there is no obj.data")
    return Confidence.HIGH


def read(source: Source, *, image_size: ImageSize = None) -> Dataset:
    """
    Return the dataset; label files are read as it is walked.

    Raises FormatError for an unreadable `obj.data` or `obj.names`; bad rows and lists are reported.
    """
    data = find_data(source)
    if data is None:
        raise FormatError(
            "there is no obj.data",
            source.name,
            hint="for a folder with data.yaml, or with labels alone, say --format yolo_detect",
        )
    files = Files(source, data.rpartition("/")[0])
    settings = _settings(source, data)
    labels, by_index = make_labels(_names(files, data, settings))
    maker = Maker(source, Reader("detect", by_index), Sizes(source, files.base, image_size))

    def walk() -> Iterator[Item]:
        return maker.items(_records(Files(source, files.base), data, settings))

    return Dataset(labels, walk, decoded=True)


def _settings(source: Source, path: str) -> Settings:
    """Return `key = value` by key, with the line."""
    settings: Settings = {}
    for number, line in source.lines(path):
        if line[0] in "#;":
            continue
        key, equals, value = line.partition("=")
        if not equals or not key.strip():
            raise FormatError(
                f"expected 'key = value', not '{line[:80]}'", source.place(path), number
            )
        settings[key.strip()] = value.strip(), number
    return settings


def _lists(settings: Settings) -> dict[str, tuple[str, int]]:
    return {
        key: (value, line)
        for key, (value, line) in settings.items()
        if key not in NOT_SUBSETS and value.lower().endswith(LISTS)
    }


def _names(files: Files, data: str, settings: Settings) -> dict[int, str]:
    source, place = files.source, files.source.place(data)
    named, line = settings.get("names", (NAMES, 1))
    path = files.locate(named, source.__contains__)
    if path is None:
        raise FormatError(
            f"there is no file '{named}' with the names of the labels",
            place,
            line,
            hint="put it beside obj.data, a label a line",
        )
    if settings.get("classes", ("", 0))[0] == "0" and not source.lines(path):
        return {}
    return read_names(source, path)


def _records(files: Files, data: str, settings: Settings) -> Iterator[Record | DvcsError]:
    source, ids = files.source, Ids()
    for key, (value, line) in _lists(settings).items():
        path = files.locate(value, source.__contains__)
        if path is None:
            leads_out = " leads out of the dataset and" if files.leads_out(value) else ""
            problem = f"the list '{value}' of '{key}'{leads_out} is missing"
            yield FormatError(problem, source.place(data), line)
            continue
        stem = stem_of(path)
        subset = stem if key in VALIDATION and stem in VALIDATION else key
        try:
            checked_subset(subset)
        except UnsafeName as error:
            yield FormatError(str(error), source.place(data), line)
            continue
        yield from listed(files, path, subset, ids)


def write(
    dataset: Dataset,
    sink: Sink,
    *,
    add_path_prefix: Annotated[bool, "begin paths with data/, as Darknet's examples do"] = True,
    keep_ids: KeepIds = False,
    save_scores: SaveScores = False,
) -> None:
    """Write lists, labels and images. Raises UsageError for names that Darknet cannot hold."""
    names = numbered(dataset.labels, keep_ids=keep_ids)
    lines = checked_names(names)

    def place(subset: str, id: str) -> tuple[str, str]:
        stem = f"obj_{subset}_data/{id}"
        return stem, f"{stem}.txt"

    rows = Rows("detect", names, save_scores=save_scores)
    writer = Writer(sink, rows, place, ultralytics=False)
    writer.write(dataset)
    prefix = "data/" if add_path_prefix else ""
    settings = [f"classes = {len(names)}"]
    for subset, images in writer.images.items():
        key = _key(subset, writer.images)
        sink.lines(f"{subset}.txt", (f"{prefix}{image}" for image in images))
        settings.append(f"{key} = {prefix}{subset}.txt")
    missing = [key for key in ("train", "valid") if f"{key} =" not in "\n".join(settings)]
    note_missing(sink, "Darknet", missing if writer.images else ())
    settings += [f"names = {prefix}{NAMES}", "backup = backup/"]
    sink.lines(NAMES, lines)
    sink.lines(DATA, settings)


def _key(subset: str, subsets: dict[str, list[str]]) -> str:
    """Return the key of a subset. Raises UsageError for one that is not a key."""
    if subset in VALIDATION and not any(one in subsets for one in VALIDATION - {subset}):
        return "valid"
    if subset in NOT_SUBSETS or not subset.isprintable() or "=" in subset or subset[0] in "#; ":
        raise UsageError(f"obj.data cannot have a subset '{subset}'", hint=other_name(subset))
    return subset


FORMATS = (
    Format(
        name="yolo",
        title="YOLO (Darknet)",
        url="https://github.com/AlexeyAB/darknet#how-to-train-to-detect-your-custom-objects",
        kinds=frozenset({"bbox"}),
        optional={"save_scores": "score"},
        prefers=dict.fromkeys(("mask", "polygon", "rotated_bbox", "ellipse", "points"), ("bbox",)),
        detect=detect,
        read=read,
        write=write,
        relative=True,
        aliases=("darknet", "yolo_darknet", "yolo_strict"),
    ),
)
