"""
COCO, with all its tasks, and results files.

    annotations/
        instances_train2017.json            <task>_<subset>.json
        person_keypoints_train2017.json
        captions_train2017.json
        panoptic_train2017.json
        panoptic_train2017/000000000009.png     colours are segments
    images/
        train2017/000000000009.jpg          or images/ alone

Other layouts are read too: one JSON file beside its images, `_annotations.coco.json` in the folder
of each subset (Roboflow), any file names, lists of detections. All files of a subset are about the
same images, and come back from an export as they were: ids, unknown keys, both spellings of masks.

Tasks: instances, person_keypoints, captions, labels (an image's categories, Datumaro's extension),
image_info, panoptic, stuff. `coco_<task>` reads and writes that task alone.
"""

from typing import Annotated, Literal

from dvcs.errors import UsageError
from dvcs.files import Sink, Source
from dvcs.formats._coco import read as reading
from dvcs.formats._coco import write as writing
from dvcs.formats._coco.find import PEEK, candidates, looks_like_coco
from dvcs.formats._coco.records import TASKS, standard_name
from dvcs.formats._format import Confidence, Format, Rejected
from dvcs.model import Annotation, Dataset, Item

URL = "https://cocodataset.org/#format-data"
Keep = Annotated[bool, "put labels at the positions of their ids, with class-N in between"]
Prefix = Annotated[str, "leading part of file names to cut off"]
Names = Annotated[
    str | None,
    "file in the dataset with the labels of a results file: COCO, or a name a line for ids from 1",
]
Segmentation = Annotated[
    Literal["guess", "polygons", "mask"], "write shapes as they are, all as polygons, or as masks"
]
Crop = Annotated[bool, "cut off what the shapes above cover"]
Attributes = Annotated[bool, "write attributes"]
Reindex = Annotated[bool, "number images and annotations anew"]
Merge = Annotated[bool, "put the images of all subsets into one folder"]
Tasks = Annotated[tuple[str, ...], f"tasks to write: {', '.join(TASKS)}"]


def detect(source: Source) -> Confidence:
    """Say how sure it is that a place is COCO; Rejected where no JSON file looks like it."""
    found = [
        path for path in candidates(source) if looks_like_coco(bytes(source.buffer(path)[:PEEK]))
    ]
    if not found:
        raise Rejected("no JSON file has images, annotations or categories as COCO does")
    # Other formats have files like COCO's deep inside (Mapillary Vistas: of its panoptic masks).
    sure = any(path.count("/") <= 2 or "coco" in path.lower() for path in found)
    return Confidence.HIGH if sure else Confidence.MEDIUM


def read(
    source: Source,
    *,
    keep_original_category_ids: Keep = False,
    strip_prefix: Prefix = "",
    labels: Names = None,
) -> Dataset:
    """
    Return the dataset of a source.

    Raises FormatError where a file is not JSON of COCO's outline or its categories are unusable;
    bad images and annotations are reported when the dataset is walked.
    """
    return reading.read(
        source,
        keep_original_category_ids=keep_original_category_ids,
        strip_prefix=strip_prefix,
        labels=labels,
    )


def write(
    dataset: Dataset,
    sink: Sink,
    *,
    segmentation_mode: Segmentation = "guess",
    crop_covered: Crop = False,
    allow_attributes: Attributes = True,
    reindex: Reindex = False,
    merge_images: Merge = False,
    tasks: Tasks = (),
) -> None:
    """Write a dataset, by default the same files as it was read from. Raises UsageError."""
    for task in tasks:
        if task not in TASKS:
            raise UsageError(f"there is no task '{task}'", hint=f"tasks: {', '.join(TASKS)}")
    writing.write(
        dataset,
        sink,
        tasks,
        mode=segmentation_mode,
        crop_covered=crop_covered,
        allow_attributes=allow_attributes,
        reindex=reindex,
        merge_images=merge_images,
    )


SHAPES = frozenset({"bbox", "polygon", "mask"})
PREFERS = {"rotated_bbox": ("polygon",), "ellipse": ("polygon",)}
TO_MASKS = {"polygon": ("mask",), "rotated_bbox": ("polygon",), "ellipse": ("polygon",)}
FIELDS = frozenset({"id", "group", "score", "attributes", "unlabelled"})
LOSES = {
    "reindex": {"id": frozenset[str]()},
    "allow_attributes": {"attributes": frozenset({"attributes.is_crowd"})},
}
OF_LABELS = frozenset({"name", "parent", "color", "keypoints", "joints"})

COCO = Format(
    name="coco",
    title="COCO",
    url=URL,
    kinds=SHAPES | {"points", "caption", "label"},
    fields=FIELDS,
    labels=OF_LABELS,
    loses=LOSES,
    within={"stuff": frozenset({"polygon"})},
    prefers=PREFERS,
    detect=detect,
    read=read,
    write=write,
    aliases=("ms_coco", "mscoco"),
)


def _has_points(note: Annotation, item: Item) -> bool:
    """Tell whether an annotation is of an instance with points: keypoint files hold no others."""
    return note.kind == "points" or any(
        other.kind == "points" and other.group == note.group != 0 for other in item.annotations
    )


def _task_format(task: str, title: str, kinds: frozenset[str]) -> Format:
    """Return the format of one task alone."""

    def detect_task(source: Source) -> Confidence:
        if not any((standard_name(path) or ("",))[0] == task for path in candidates(source)):
            raise Rejected(f"no file is called {task}_<subset>.json")
        detect(source)
        return Confidence.LOW

    def read_task(
        source: Source,
        *,
        keep_original_category_ids: Keep = False,
        strip_prefix: Prefix = "",
        labels: Names = None,
    ) -> Dataset:
        return reading.read(
            source,
            (task,),
            keep_original_category_ids=keep_original_category_ids,
            strip_prefix=strip_prefix,
            labels=labels,
        )

    def write_task(
        dataset: Dataset,
        sink: Sink,
        *,
        segmentation_mode: Segmentation = "guess",
        crop_covered: Crop = False,
        allow_attributes: Attributes = True,
        reindex: Reindex = False,
        merge_images: Merge = False,
    ) -> None:
        writing.write(
            dataset,
            sink,
            (task,),
            mode=segmentation_mode,
            crop_covered=crop_covered,
            allow_attributes=allow_attributes,
            reindex=reindex,
            merge_images=merge_images,
        )

    return Format(
        name=f"coco_{task}",
        title=f"COCO {title}",
        url=URL,
        kinds=kinds,
        fields=FIELDS,
        labels=OF_LABELS,
        loses=LOSES,
        prefers=TO_MASKS if kinds == {"mask"} else PREFERS,
        holds=_has_points if "points" in kinds else None,
        annotated="never" if task == "image_info" else "always",
        detect=detect_task,
        read=read_task,
        write=write_task,
    )


FORMATS = (
    COCO,
    _task_format("instances", "instances", SHAPES),
    _task_format("person_keypoints", "keypoints", SHAPES | {"points"}),
    _task_format("captions", "captions", frozenset({"caption"})),
    _task_format("labels", "labels of images", frozenset({"label"})),
    _task_format("image_info", "image information", frozenset()),
    _task_format("panoptic", "panoptic segmentation", frozenset({"mask"})),
    _task_format("stuff", "stuff segmentation", frozenset({"mask"})),
)
