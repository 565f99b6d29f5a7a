"""
Pascal VOC, with all its tasks, and loose folders of XML files in its dialects.

    <root>/                        or <root>/VOCdevkit/VOC2012/
    ├── labelmap.txt               label:color_rgb:parts:actions, where labels are not VOC's 20
    ├── Annotations/
    │   └── 2007_000027.xml        boxes, parts, actions, attributes
    ├── ImageSets/
    │   ├── Main/
    │   │   ├── train.txt          an id a line: the items of the subset `train`
    │   │   └── cat_train.txt      id and -1, 0 (only difficult ones) or 1: labels of images
    │   ├── Layout/train.txt       those with parts
    │   ├── Action/train.txt       those with actions
    │   └── Segmentation/train.txt those with masks
    ├── JPEGImages/
    │   └── 2007_000027.jpg
    ├── SegmentationClass/
    │   └── 2007_000027.png        a label's number, or its colour, a pixel; 255 is ignored
    └── SegmentationObject/
        └── 2007_000027.png        an instance's number: that of its <object>, from 1

Coordinates are kept as they stand, never shifted by one. Without `ImageSets`, XML files may lie
anywhere, beside their images or in `annotations/`: an item's id is the name of its XML file, since
<filename> is often wrong. A list that only joins others (`trainval`) is no subset. Items without an
XML file, mask or list of a class are ones that nobody looked at.

Where the label of an object is not that of its mask in the image of classes, the XML's is taken,
and told.

`voc_<task>` reads and writes one task alone. Masks that cover others win by z-order; more than 254
labels or instances make images of 16 bits. An id that several subsets have is written as
`<subset>/<id>` for all but the first, since they share these folders.
"""

from collections.abc import Mapping
from typing import Annotated

from dvcs.errors import UsageError
from dvcs.files import Sink, Source
from dvcs.formats._format import Confidence, Format, Rejected
from dvcs.formats._voc import read as reading
from dvcs.formats._voc.detect import foreign, has_task, label_map_of
from dvcs.formats._voc.find import find_roots, widened
from dvcs.formats._voc.labels import (
    ACTION,
    ACTIONS,
    CLASSIFICATION,
    DETECTION,
    LAYOUT,
    SEGMENTATION,
    TASKS,
)
from dvcs.formats._voc.write import Writer
from dvcs.model import Dataset

URL = "http://host.robots.ox.ac.uk/pascal/VOC/voc2012/htmldoc/devkit_doc.html"
PEEKED = 5
NAMES = {"action_classification": ACTION, "person_layout": LAYOUT}
"""Other names of tasks."""

Colormap = Annotated[bool, "paint masks in colours; else numbers in grey"]
LabelMap = Annotated[str, "labels in the map: 'source', 'voc', or a file like labelmap.txt"]
Attributes = Annotated[bool, "write attributes that VOC has no element for"]
Empty = Annotated[bool, "write lists of subsets even if they are empty"]
Tasks = Annotated[tuple[str, ...], f"tasks to write: {', '.join(TASKS)}"]


def detect(source: Source) -> Confidence:
    """Sure where there are lists in `ImageSets`, or XML files with VOC's elements."""
    source = widened(source)
    roots = find_roots(source)
    if any(root.lists for root in roots):
        return Confidence.HIGH
    paths = [path for root in roots for path in root.xmls.values()]
    if not paths:
        if any(root.classes for root in roots):
            return Confidence.MEDIUM
        raise Rejected("there are no lists in ImageSets/Main and no XML files")
    for path in paths[:PEEKED]:
        reason = foreign(source, path)
        if reason is not None:
            raise Rejected(reason)
    return Confidence.HIGH


def read(source: Source) -> Dataset:
    """Return the dataset of a place. Raises FormatError where lists or label maps are bad."""
    return reading.read(source)


def write(
    dataset: Dataset,
    sink: Sink,
    *,
    apply_colormap: Colormap = True,
    label_map: LabelMap = "source",
    allow_attributes: Attributes = True,
    keep_empty: Empty = False,
    tasks: Tasks = (),
) -> None:
    """Write a dataset, by default for all tasks. Raises UsageError and UnsafeName."""
    chosen = tuple(NAMES.get(task, task) for task in tasks) or tuple(TASKS)
    for task in chosen:
        if task not in TASKS:
            raise UsageError(f"there is no task '{task}'", hint=f"tasks: {', '.join(TASKS)}")
    Writer(
        dataset,
        sink,
        chosen,
        label_map=label_map_of(label_map),
        apply_colormap=apply_colormap,
        allow_attributes=allow_attributes,
        keep_empty=keep_empty,
    ).write()


BOXES = frozenset({"bbox", "rotated_bbox"})
FIELDS = frozenset({"attributes", "group"})
ELEMENTS = ("difficult", "truncated", "occluded", "pose", *ACTIONS)
LOSES = {
    "allow_attributes": {"attributes": frozenset(f"attributes.{one}" for one in ELEMENTS)},
}
OF_LABELS = frozenset({"name", "parent", "color"})
TO_MASKS = {"polygon": ("mask", "bbox"), "ellipse": ("rotated_bbox",)}
TO_BOXES = {"mask": ("bbox",), "ellipse": ("rotated_bbox",)}

VOC = Format(
    name="voc",
    title="Pascal VOC",
    url=URL,
    kinds=BOXES | {"label", "mask"},
    fields=FIELDS,
    labels=OF_LABELS,
    loses=LOSES,
    prefers=TO_MASKS,
    detect=detect,
    read=read,
    write=write,
    aliases=("pascal_voc", "pascal"),
)


def _task_format(
    task: str,
    title: str,
    kinds: frozenset[str],
    fields: frozenset[str],
    prefers: Mapping[str, tuple[str, ...]],
) -> Format:
    """Return the format of one task alone."""

    def detect_task(source: Source) -> Confidence:
        detect(source)
        if not any(has_task(root, task) for root in find_roots(widened(source))):
            raise Rejected(f"there is nothing of the task '{task}'")
        return Confidence.LOW

    def read_task(source: Source) -> Dataset:
        return reading.read(source, (task,))

    def write_task(
        dataset: Dataset,
        sink: Sink,
        *,
        apply_colormap: Colormap = True,
        label_map: LabelMap = "source",
        allow_attributes: Attributes = True,
        keep_empty: Empty = False,
    ) -> None:
        write(
            dataset,
            sink,
            apply_colormap=apply_colormap,
            label_map=label_map,
            allow_attributes=allow_attributes,
            keep_empty=keep_empty,
            tasks=(task,),
        )

    return Format(
        name=f"voc_{task}",
        title=f"Pascal VOC {title}",
        url=URL,
        kinds=kinds,
        fields=fields,
        labels=OF_LABELS,
        loses=LOSES,
        prefers=prefers,
        annotated="never" if task == SEGMENTATION else "held",
        detect=detect_task,
        read=read_task,
        write=write_task,
        aliases=tuple(f"voc_{name}" for name, own in NAMES.items() if own == task),
    )


FORMATS = (
    VOC,
    _task_format(
        CLASSIFICATION,
        "image classification",
        frozenset({"label"}),
        frozenset({"attributes.difficult"}),
        {},
    ),
    _task_format(DETECTION, "object detection", BOXES, FIELDS, TO_BOXES),
    _task_format(
        SEGMENTATION,
        "segmentation",
        frozenset({"mask"}),
        frozenset(),
        {"polygon": ("mask",), "ellipse": ()},
    ),
    _task_format(ACTION, "action classification", BOXES, FIELDS, TO_BOXES),
    _task_format(LAYOUT, "person layout", BOXES, FIELDS, TO_BOXES),
)
