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
from typing import Any

import msgspec

from dvcs.errors import DvcsError, FormatError
from dvcs.files import Sink, Source, image_size
from dvcs.formats._format import Confidence, Format, Rejected
from dvcs.formats._yolo.corners import corner_numbers
from dvcs.formats._yolo.files import Sizes, make_labels
from dvcs.formats._yolo.limits import LEFT_OUT, is_left_out
from dvcs.formats._yolo.ndjson_lines import (
    KEYS,
    LABELS,
    PEEK,
    ROWS,
    Parser,
    head_of,
    lines_of,
    rest_of,
)
from dvcs.formats._yolo.numbers import NAME, ring_numbers
from dvcs.formats._yolo.rows import Reader, Task, box_numbers, pose_numbers
from dvcs.formats._yolo.write import image_extension, keypoint_shape, metadata, numbered, pose_pairs
from dvcs.formats.yolo import ImageSize, KeepIds, SaveScores
from dvcs.formats.yolo_ultralytics import FORMATS as ULTRALYTICS
from dvcs.model import Annotation, Bbox, Dataset, Item, Label, Polygon, RotatedBbox
from dvcs.names import item_id, simple_name

DATA = "dataset.ndjson"
KEY_OF = {task: key for key, task in KEYS.items()}


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
    head_of(source, path, bytes(source.buffer(path)[:PEEK]).partition(b"\n")[0], complete=False)
    return Confidence.HIGH


def read(source: Source, *, image_size: ImageSize = None) -> Dataset:
    """
    Return the dataset. Raises FormatError where the first line is not that of a dataset.

    Other lines that cannot be read are reported when the dataset is walked.
    """
    path = find_data(source)
    if path is None:
        raise FormatError(
            "there is no .ndjson file",
            source.name,
            hint="for a folder with data.yaml name the format 'yolo_detect'",
        )
    first = lines_of(source, path)[0][1]
    head = head_of(source, path, first)
    shape = head.kpt_shape
    if shape is not None and not (shape[0] > 0 and shape[1] in (2, 3)):
        raise FormatError(
            "'kpt_shape' is not a number of keypoints and 2 or 3", source.place(path), 1
        )
    if not all(key.isdecimal() and len(key) < 8 for key in head.class_names):
        raise FormatError("a key of 'class_names' is no index", source.place(path), 1)
    labels, names = make_labels({int(key): name for key, name in head.class_names.items()})
    rest = rest_of(source, path, first)

    def walk() -> Iterator[Item]:
        readers = {key: Reader(KEYS[key], names, shape=shape) for key in ROWS}
        parser = Parser(source, path, readers, names, Sizes(source, "", image_size))
        return source.items(lines_of(source, path)[1:], parser.item)

    return Dataset(labels, walk, metadata={NAME: rest} if rest else None)


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
            if any(
                is_left_out(KEYS[key], one[1:], shape[1])
                for key in ROWS & rows.keys()
                for one in rows[key]
            ):
                sink.note(LEFT_OUT, example=f"'{item.subset}/{item.id}'")
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
                hint="read it with its images, or choose a format that needs no sizes, like coco",
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
        relative=True,
        aliases=("ultralytics_ndjson", "ndjson"),
    ),
)
