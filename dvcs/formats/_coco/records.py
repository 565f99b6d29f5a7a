"""
The records of COCO files as types, the tasks, and what a file's name says.

`STRICT` reads what nearly every annotation of an instances file is, and nothing else: it fails on
any key that is missing, unknown or unusual. `RECORD` reads the rest. Two decoders, because what
is rare must cost nothing where it does not occur (870,000 annotations: 1.1 s, with all checks).

Format: https://cocodataset.org/#format-data and #format-results.
"""

import re
from functools import lru_cache
from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from dvcs.names import unquote

INSTANCES, KEYPOINTS, CAPTIONS, LABELS = "instances", "person_keypoints", "captions", "labels"
IMAGE_INFO, PANOPTIC, STUFF = "image_info", "panoptic", "stuff"
TASKS = (INSTANCES, KEYPOINTS, CAPTIONS, LABELS, IMAGE_INFO, PANOPTIC, STUFF)
SHAPE_TASKS = (INSTANCES, KEYPOINTS, STUFF)
NAME = "coco"
"""Under this name COCO's own things stand in `extra`, `derived` and the metadata."""
NOTES = "dvcs"
"""Within them, this key holds what dvcs has to remember of a record's spelling."""

Id = int | str
UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What decoders raise for bad records."""
Number = int | float


class Rle(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """Run lengths: `size` is (height, width), `counts` compressed text or a list."""

    size: tuple[int, int]
    counts: str | list[int]


class Plain(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """An annotation with polygons and nothing unusual."""

    id: int
    image_id: Id
    category_id: Id
    segmentation: list[list[float]]
    area: float
    bbox: tuple[float, float, float, float]
    iscrowd: Literal[0]


class Runs(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """Run lengths that are not compressed."""

    size: tuple[int, int]
    counts: list[int]


class Crowded(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """The annotation of a crowd, with nothing unusual."""

    id: int
    image_id: Id
    category_id: Id
    segmentation: Runs
    area: float
    bbox: tuple[float, float, float, float]
    iscrowd: Literal[1]


class Record(msgspec.Struct, gc=False):
    """Any annotation: every key may be absent."""

    id: Id | UnsetType | None = UNSET
    category_id: Id | UnsetType | None = UNSET
    segmentation: list[list[float]] | Rle | UnsetType | None = UNSET
    area: float | UnsetType | None = UNSET
    bbox: list[float] | UnsetType | None = UNSET
    iscrowd: int | float | bool | UnsetType | None = UNSET
    keypoints: list[float] | UnsetType | None = UNSET
    num_keypoints: int | float | UnsetType | None = UNSET
    score: float | UnsetType | None = UNSET
    caption: str | UnsetType | None = UNSET
    attributes: dict[str, Any] | UnsetType | None = UNSET


KNOWN = frozenset({*Record.__struct_fields__, "image_id"})


class Head(msgspec.Struct, gc=False):
    """What must be known of an annotation before it is read."""

    image_id: Id
    id: Any = None
    category_id: Any = None


class ImageHead(msgspec.Struct, gc=False):
    """What must be known of an image before it is read."""

    id: Id
    file_name: str | None = None
    coco_url: Any = None
    height: int | float | None = None
    width: int | float | None = None


STRICT = msgspec.json.Decoder(Plain)
CROWDED = msgspec.json.Decoder(Crowded)
RECORD = msgspec.json.Decoder(Record)
HEAD = msgspec.json.Decoder(Head)
IMAGE_HEAD = msgspec.json.Decoder(ImageHead)
OBJECT: msgspec.json.Decoder[dict[str, Any]] = msgspec.json.Decoder(dict[str, Any])
PARTS = msgspec.json.Decoder(dict[str, msgspec.Raw])
VALUE = msgspec.json.Decoder()

SHAPE_KEYS = ("category_id", "segmentation", "area", "bbox", "iscrowd")
POINT_KEYS = ("keypoints", "num_keypoints")
WRITTEN = {
    # the keys that a record of each kind has unless it says otherwise, beside id and image_id
    "polygon": SHAPE_KEYS,
    "mask": SHAPE_KEYS,
    "bbox": SHAPE_KEYS,
    "points": (*SHAPE_KEYS, *POINT_KEYS),
    "label": ("category_id",),
    "caption": ("caption",),
}
WRITTEN_IN_RESULTS = {
    "polygon": ("category_id", "segmentation"),
    "mask": ("category_id", "segmentation"),
    "bbox": ("category_id", "bbox"),
    "points": ("category_id", "keypoints"),
    "label": ("category_id",),
    "caption": ("caption",),
}


def standard_name(path: str) -> tuple[str, str | None] | None:
    """
    Return task and subset of a standard file name, None for any other.

    `annotations/instances_my_sub.json` is of task `instances` and subset `my_sub`,
    `instances.json` of no subset.
    """
    stem = path.rpartition("/")[2][: -len(".json")]
    for task in TASKS:
        if stem == task:
            return task, None
        if stem.startswith(f"{task}_") and len(stem) > len(task) + 1:
            return task, unquote(stem[len(task) + 1 :])
    return None


@lru_cache(256)
def default_tasks(kind: str, has_points: bool, known: frozenset[str]) -> frozenset[str]:
    """
    Return the tasks whose files hold an annotation, unless it says otherwise.

    `known` are the tasks of its subset's files (empty: a dataset that never was COCO). As in COCO
    itself, an object with keypoints stands in the files of both `instances` and `person_keypoints`.
    """
    if kind == "caption":
        return frozenset({CAPTIONS})
    if kind == "label":
        return frozenset({LABELS})
    if has_points:
        both = frozenset({KEYPOINTS} if kind == "points" else {INSTANCES, KEYPOINTS})
        return (both & known) or both
    shapes = [task for task in (*SHAPE_TASKS, PANOPTIC) if task in known]
    if INSTANCES in shapes or len(shapes) != 1:
        return frozenset({INSTANCES})
    return frozenset(shapes)


def side(length: float) -> float:
    """
    Return a length rounded to 10 decimals.

    That hides what a subtraction adds: of coordinates with two decimals the very number comes out
    that files have. Below 900,000 as `round` does, in a quarter of its time.
    """
    return (length * 1e10 + 0.5) // 1.0 / 1e10


def extent(rings: list[list[float]]) -> tuple[float, float, float, float] | None:
    """Return x, y, width and height of rings as files state them; None where there is no point."""
    if len(rings) == 1:
        xs, ys = rings[0][::2], rings[0][1::2]
    else:
        xs = [x for ring in rings for x in ring[::2]]
        ys = [y for ring in rings for y in ring[1::2]]
    if not ys:
        return None
    xs.sort()
    ys.sort()
    return xs[0], ys[0], side(xs[-1] - xs[0]), side(ys[-1] - ys[0])


def said(error: Exception) -> str:
    """Return what a decoder complained about as part of a sentence."""
    text = str(error).replace("`$.", "`").replace(" - at ", " at ").replace("`", "'")
    text = re.sub(r"'array'", "a list", text.replace("'object'", "an object"))
    text = re.sub(r"'(?:int \| )?float[^']*'", "a number", text)
    return text[:1].lower() + text[1:]
