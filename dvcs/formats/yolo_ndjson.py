"""
Ultralytics' NDJSON: a dataset in one file, a JSON object a line.

    <root>/
    ├── dataset.ndjson      {"type": "dataset", "task": "detect", "class_names": {"0": "cat"}}
    │                       {"type": "image", "file": "street/1.jpg", "split": "train",
    │                        "width": 640, "height": 480, "url": "https://...",
    │                        "annotations": {"boxes": [[0, 0.5, 0.4, 0.25, 0.1]]}}
    └── images/
        └── train/street/1.jpg      where images are there; else they are at their `url`

An object is a label index and numbers, as in YOLO's rows, under the key of its task:

    boxes            detect      segments         segment      classification   classify: [0]
    pose             pose        obb              obb

A file has one task: that of its annotations which is furthest down in detect, segment, obb, pose.
Ultralytics reads the first key of an image, which is that of the task. What else there is follows
under the other keys, and labels of images under `labels`, so that nothing is lost.
An image without `annotations` is one that nobody looked at.
"""

from collections.abc import Iterator
from typing import Any, Literal

import msgspec

from dvcs.errors import DvcsError, FormatError, UnsafeName
from dvcs.files import Sink, Source, image_size
from dvcs.files.source import json_error
from dvcs.formats._format import Confidence, Format, Rejected
from dvcs.formats._yolo_files import Ids, Record, Size, Sizes, checked_subset, make_labels
from dvcs.formats._yolo_rows import (
    NAME,
    Reader,
    RowError,
    Task,
    box_numbers,
    corner_numbers,
    pose_numbers,
    ring_numbers,
)
from dvcs.formats._yolo_write import image_extension, keypoint_shape, metadata, numbered, pose_pairs
from dvcs.formats.yolo import ImageSize, KeepIds, SaveScores
from dvcs.formats.yolo_ultralytics import FORMATS as ULTRALYTICS
from dvcs.model import (
    Annotation,
    Bbox,
    Dataset,
    Item,
    Label,
    Media,
    MediaFile,
    Polygon,
    RotatedBbox,
)
from dvcs.names import extension, item_id, simple_name

DATA = "dataset.ndjson"
KEYS: dict[str, Task] = {
    "boxes": "detect",
    "segments": "segment",
    "obb": "obb",
    "pose": "pose",
    "classification": "classify",
}
"""The key of each task's annotations; those furthest down but one say a file's task."""
KEY_OF = {task: key for key, task in KEYS.items()}
LABELS = "labels"
PEEK = 1 << 16
Row = list[float | int]


class Head(msgspec.Struct, frozen=True):
    """The first line."""

    type: Literal["dataset"]
    class_names: dict[str, str] = {}
    kpt_shape: tuple[int, int] | None = None


class Image(msgspec.Struct, frozen=True):
    """Any other line."""

    type: Literal["image"]
    file: str
    split: str = ""
    url: str | None = None
    width: int | None = None
    height: int | None = None
    annotations: dict[str, Any] | None = None


HEAD = msgspec.json.Decoder(Head)
IMAGE = msgspec.json.Decoder(Image)
ROWS = frozenset({"boxes", "segments", "obb", "pose"})


def find_data(source: Source) -> str | None:
    """Return the NDJSON file of a place."""
    if source.focus is not None:
        return source.focus if source.focus.endswith((".ndjson", ".jsonl")) else None
    found = source.find("*.ndjson") or source.find("*/*.ndjson")
    return found[0] if found else None


def detect(source: Source) -> Confidence:
    """Sure where the first line says that it is a dataset."""
    path = find_data(source)
    if path is None:
        raise Rejected("there is no .ndjson file")
    _head(source, path, bytes(source.buffer(path)[:PEEK]).partition(b"\n")[0], complete=False)
    return Confidence.HIGH


def _head(source: Source, path: str, line: bytes, *, complete: bool = True) -> Head:
    try:
        return HEAD.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        if not complete and len(line) == PEEK and line.startswith(b'{"type":'):
            return Head("dataset")
        problem = str(json_error(error, line, source.place(path))).partition(": ")[2]
        raise FormatError(
            f"the first line is no dataset record: {problem}", source.place(path), 1
        ) from None


def read(source: Source, *, image_size: ImageSize = None) -> Dataset:
    """
    Return the dataset. Raises FormatError where the first line is not that of a dataset.

    Other lines that cannot be read are reported when the dataset is walked.
    """
    path = find_data(source)
    if path is None:
        raise FormatError("there is no .ndjson file", source.name)
    first = _lines(source, path)[0][1]
    head = _head(source, path, first)
    shape = head.kpt_shape
    if shape is not None and not (shape[0] > 0 and shape[1] in (2, 3)):
        raise FormatError("'kpt_shape' is not a number of keypoints and 2 or 3", path, 1)
    if not all(key.isdecimal() and len(key) < 8 for key in head.class_names):
        raise FormatError("a key of 'class_names' is no index", source.place(path), 1)
    labels, names = make_labels({int(key): name for key, name in head.class_names.items()})
    try:
        rest = msgspec.json.decode(first)
    except UnicodeDecodeError:  # in a key that the typed decoder passes over
        raise FormatError("the first line is not UTF-8", source.place(path), 1) from None
    for key in ("type", "task", "class_names", "kpt_shape"):
        rest.pop(key, None)

    def walk() -> Iterator[Item]:
        readers = {key: Reader(KEYS[key], names, shape=shape) for key in ROWS}
        parser = _Parser(source, path, readers, names, Sizes(source, "", image_size))
        return source.items(_lines(source, path)[1:], parser.item)

    return Dataset(labels, walk, metadata={NAME: rest} if rest else None)


def _lines(source: Source, path: str) -> list[tuple[int, bytes]]:
    data = source.bytes(path).removeprefix(b"\xef\xbb\xbf")
    lines = [
        (n, line) for n, line in enumerate(data.split(b"\n"), 1) if line and not line.isspace()
    ]
    return lines or [(1, b"")]


class _Parser:
    """Makes items of lines."""

    def __init__(
        self,
        source: Source,
        path: str,
        readers: dict[str, Reader],
        names: dict[int, str],
        sizes: Sizes,
    ) -> None:
        self.source = source
        self.path = path
        self.place = source.place(path)
        self.readers = readers
        self.names = names
        self.sizes = sizes
        self.ids = Ids()

    def item(self, numbered_line: tuple[int, bytes]) -> Item:
        """Return the item of a line. Raises FormatError."""
        number, line = numbered_line
        try:
            image = IMAGE.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            problem = str(json_error(error, line, self.place)).partition(": ")[2]
            raise FormatError(problem, self.place, number) from None
        try:
            subset = checked_subset(image.split or self.source.subset or "default")
            name = item_id(image.file)
        except UnsafeName as error:
            raise FormatError(str(error), self.place, number) from None
        if not self.ids.new(subset, name):
            problem = f"the image '{name}' is listed twice for '{subset}'"
            raise FormatError(problem, self.place, number)
        record = Record(subset, self.ids.give(subset, name, name), self._found(subset, name), None)
        size = Size(image.height, image.width) if image.height and image.width else None
        if size is not None and min(size[:2]) <= 0:
            raise FormatError("width and height are not those of an image", self.place, number)
        origin = self.source.origin(record.image) if record.image else None
        if size is None and any(image.annotations or {}):
            size = self.sizes.of(record._replace(label=self.path), origin)
        notes = self._notes(image.annotations or {}, size or Size(1, 1), number)
        ext = extension(name)
        kept = name if name != record.id + ext else None
        return Item(
            record.id,
            subset,
            Media(
                files=(MediaFile(ext=ext, name=kept, url=image.url),),
                height=size.height if size else None,
                width=size.width if size else None,
                orientation=size.orientation if size else None,
            ),
            notes,
            annotated=True if image.annotations is not None else None,
            origins=(origin,),
        )

    def _found(self, subset: str, name: str) -> str | None:
        places = (f"images/{subset}/{name}", f"{subset}/{name}", f"images/{name}", name)
        return next((path for path in places if path in self.source), None)

    def _notes(self, said: dict[str, Any], size: Size, number: int) -> list[Annotation]:
        notes: list[Annotation] = []
        groups = 0
        for key, rows in said.items():
            if not isinstance(rows, list) or key not in {*ROWS, "classification", LABELS}:
                raise FormatError(f"'{key[:40]}' is no list of annotations", self.place, number)
            for row in rows:
                try:
                    found = self._row(key, row, size)
                except RowError as error:
                    self.source.report(FormatError(f"{key}: {error}", self.place, number))
                    continue
                if len(found) > 1:
                    groups += 1
                    found = [note.with_(group=groups) for note in found]
                notes += found
        return notes

    def _row(self, key: str, row: Any, size: Size) -> list[Annotation]:
        values = row if isinstance(row, list) else [row]
        if not values or not all(type(one) in (int, float) for one in values):
            raise RowError(f"{str(row)[:60]!r} is not a label index and numbers")
        name = self.names.get(int(values[0])) if values[0] == int(values[0]) else None
        if name is None:
            raise RowError(f"there is no label {values[0]}: {len(self.names)} labels are named")
        if key not in ROWS:
            return [Label(label=name)]
        try:
            numbers = [float(one) for one in values[1:]]
        except OverflowError:
            raise RowError("a number is too large") from None
        return self.readers[key].row(numbers, name, size.height, size.width)


def write(
    dataset: Dataset, sink: Sink, *, keep_ids: KeepIds = False, save_scores: SaveScores = False
) -> None:
    """Write one NDJSON file, and the images in a folder for each subset."""
    names = numbered(dataset.labels, keep_ids=keep_ids)
    index = {name: number for number, name in names.items()}
    used = {note.kind for item in dataset for note in item.annotations}
    task: Task = "classify" if used == {"label"} else "detect"
    kinds = (("polygon", "segment"), ("rotated_bbox", "obb"), ("points", "pose"))
    for kind, other in kinds:
        task = other if kind in used else task  # type: ignore[assignment]
    shape = keypoint_shape(dataset)
    class_names = {str(number): name for number, name in names.items()}
    head: dict[str, Any] = {"type": "dataset", "task": task, "class_names": class_names}
    if "points" in used:
        head["kpt_shape"] = shape
    head |= {key: value for key, value in metadata(dataset).items() if key not in head}
    encode = msgspec.json.encode
    with sink.open(DATA) as file:
        file.write(encode(head) + b"\n")
        for item in dataset:
            rows = _rows(item, index, task, shape, save_scores=save_scores)
            file.write(encode(_image(item, rows, sink)) + b"\n")


def _image(item: Item, rows: dict[str, list[Any]], sink: Sink) -> dict[str, Any]:
    subset, id = simple_name(item.subset, "subset"), item_id(item.id)
    path = f"images/{subset}/{id}{image_extension(item)}"
    url = None
    if item.media is not None and item.media.files:
        path = sink.media(item, path)
        url = item.media.files[0].url
    said: dict[str, Any] = {"type": "image", "file": path.removeprefix(f"images/{subset}/")}
    if url:
        said["url"] = url
    size = image_size(item)
    if size is not None:
        said |= {"width": size[1], "height": size[0]}
    said["split"] = subset
    if item.annotations or item.annotated:
        said["annotations"] = rows
    return said


def _rows(
    item: Item, index: dict[str, int], task: Task, shape: tuple[int, int], *, save_scores: bool
) -> dict[str, list[Any]]:
    """Return an item's annotations by key, that of the task first."""
    rows: dict[str, list[Any]] = {KEY_OF[task]: []}
    if not item.annotations:
        return rows
    size = image_size(item)
    for box, points in pose_pairs(item):
        note: Annotation | None = box or points
        if note is None:
            continue
        if not isinstance(note, Label) and (size is None or not all(size)):
            raise DvcsError(
                f"item '{item.id}': the size of its image is not known,"
                " and YOLO's coordinates are parts of it",
                hint="import it with its images, or leave it out with a filter",
            )
        height, width = size or (1, 1)
        match note:
            case Label():
                key = "classification" if task == "classify" else LABELS
                rows.setdefault(key, []).append(index[note.label or ""])
                continue
            case Polygon():
                key, numbers = "segments", ring_numbers(note.parts[0][0], height, width)
            case RotatedBbox():
                key, numbers = "obb", corner_numbers(note, height, width)
            case Bbox() if points is None and task != "pose":
                key, numbers = "boxes", box_numbers(note, height, width)
            case _:
                pair = box if isinstance(box, Bbox) else None, points
                key, numbers = "pose", pose_numbers(*pair, shape, height, width)
        score = [note.score] if save_scores and note.score is not None else []
        rows.setdefault(key, []).append([index[note.label or ""], *numbers, *score])
    return rows


_SEGMENT = next(one for one in ULTRALYTICS if one.name == "yolo_segment")

FORMATS = (
    Format(
        name="yolo_ndjson",
        title="Ultralytics NDJSON",
        url="https://docs.ultralytics.com/datasets/detect/#ultralytics-ndjson-format",
        kinds=frozenset({"label", "bbox", "polygon", "rotated_bbox", "points"}),
        prefers={"mask": ("polygon",), "polygon": ("polygon",), "ellipse": ("polygon",)},
        holds=_SEGMENT.holds,
        optional=_SEGMENT.optional,
        detect=detect,
        read=read,
        write=write,
        aliases=("ultralytics_ndjson", "ndjson"),
    ),
)
