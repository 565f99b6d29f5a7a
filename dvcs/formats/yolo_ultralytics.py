"""
YOLO as Ultralytics reads it: detect, segment, pose, obb, classify.

    <root>/
    ├── data.yaml                   names: {0: cat, 1: dog}
    │                               train: images/train      a folder, a list file, or several
    │                               val: images/val
    │                               kpt_shape: [17, 3]       of pose
    ├── images/
    │   └── train/street/1.jpg      the item `street/1` of the subset `train`
    └── labels/
        └── train/street/1.txt      a row an object, see below

    detect      0 0.5 0.4 0.25 0.1              label, centre x and y, width, height
    segment     0 0.1 0.1 0.9 0.1 0.9 0.8       label, points of one ring
    obb         0 x1 y1 x2 y2 x3 y3 x4 y4       label, corners of a rotated box
    pose        0 0.5 0.4 0.25 0.1 x y v ...    label, box, keypoints with visibility
    classify    <root>/train/cat/1.jpg          a folder a label, no label files

All numbers are parts of the image's width and height; a last column may be a score. Rows of boxes
and of polygons may stand in one file, whatever the task. An empty label file says that there is no
object, a missing one that nobody looked.

Read as well: `train/images`, `train/labels` (Roboflow, also with DOTA's `labelTxt`); paths from
other machines; folders without data.yaml that name their labels in classes.txt or obj.names.
Written: `task` in data.yaml, so that the folder says itself what it is; a list in place of a
folder where images are not written; polygons of several rings as one ring with bridges; of obb, the
smallest rotated box around any shape.

Of classify, the id is `<label>/<name>`, unless `labels.json` beside the label folders says more:
it holds items with several labels or none, as CVAT's does.
"""

from collections.abc import Callable, Iterator
from typing import Annotated, Any

from dvcs.errors import NotADataset
from dvcs.files import Sink, Source
from dvcs.formats._format import Confidence, Format, Rejected
from dvcs.formats._yolo import classify
from dvcs.formats._yolo.config import Config
from dvcs.formats._yolo.detect import judge
from dvcs.formats._yolo.files import Maker, Sizes, make_labels
from dvcs.formats._yolo.layout import Layout
from dvcs.formats._yolo.numbers import NAME
from dvcs.formats._yolo.rows import Reader, Task
from dvcs.formats._yolo.settings import DATA, keypoints, note_missing, settings, subset_key
from dvcs.formats._yolo.write import Rows, Writer, keypoint_shape, numbered
from dvcs.formats.yolo import ImageSize, KeepIds, SaveScores
from dvcs.model import Annotation, Dataset, Item, Polygon

URL = "https://docs.ultralytics.com/datasets/"

ConfigFile = Annotated[str | None, "settings in the dataset, where they are not in data.yaml"]
LabelsFile = Annotated[str | None, "text file in the dataset that names the labels, one a line"]


def _reader(task: Task) -> Callable[..., Dataset]:
    def read(
        source: Source,
        *,
        config_file: ConfigFile = None,
        labels_file: LabelsFile = None,
        image_size: ImageSize = None,
    ) -> Dataset:
        """
        Return the dataset; label files are read as it is walked.

        Raises NotADataset where nothing names the labels, FormatError for bad settings; bad rows,
        lists and paths are reported.
        """
        layout = Layout(source, config_file, labels_file)
        config = layout.config or Config("")
        if config.task == "classify":
            raise NotADataset(
                f"'{source.place(config.path)}' says that its task is classify",
                hint="name its format 'yolo_classify'",
            )
        labels, by_index = make_labels(layout.names(), config.keypoints)
        counts = {label.name: len(label.keypoints) for label in labels if label.keypoints}
        rows = Reader(task, by_index, shape=config.shape, keypoints=counts)
        maker = Maker(source, rows, Sizes(source, config.base, image_size))

        def walk() -> Iterator[Item]:
            return maker.items(layout.records())

        metadata = {NAME: config.rest} if config.rest else None
        return Dataset(labels, walk, metadata=metadata, decoded=True)

    return read


def _writer(task: Task) -> Callable[..., None]:
    def write(
        dataset: Dataset, sink: Sink, *, keep_ids: KeepIds = False, save_scores: SaveScores = False
    ) -> None:
        """Write data.yaml, images and labels. Raises UsageError for subsets that are settings."""
        names = numbered(dataset.labels, keep_ids=keep_ids)
        shape = keypoint_shape(dataset) if task == "pose" else (0, 3)
        rows = Rows(task, names, shape=shape, save_scores=save_scores)
        writer = Writer(sink, rows, _place)
        writer.write(dataset)
        subsets: dict[str, str] = {}
        for subset, images in writer.images.items():
            path = f"images/{subset}"
            if writer.unwritten.get(subset):
                path = f"{subset}.txt"
                sink.lines(path, (f"./{image}" for image in images))
            subsets[subset_key(subset, writer.images)] = path
        note_missing(sink, subsets)
        extra: dict[str, Any] = {"task": task}
        if task == "pose":
            extra |= keypoints(dataset.labels, names, shape)
        sink.text(DATA, settings(dataset, names, subsets, extra))

    return write


def _place(subset: str, id: str) -> tuple[str, str]:
    return f"images/{subset}/{id}", f"labels/{subset}/{id}.txt"


def _detector(task: Task) -> Callable[[Source], Confidence]:
    def detect(source: Source) -> Confidence:
        """Tell by data.yaml and the first rows of the labels."""
        if task == "classify" and source.focus is None and classify.is_classify(source):
            return Confidence.HIGH
        found, confidence = judge(source)
        if found != task:
            raise Rejected(f"its task is {found}")
        return confidence

    return detect


def _one_ring(note: Annotation, item: Item) -> bool:
    del item
    return not isinstance(note, Polygon) or [len(part) for part in note.parts] == [1]


TO_BOX = dict.fromkeys(("mask", "polygon", "rotated_bbox", "ellipse", "points"), ("bbox",))
RING = ("polygon",)
SCORES = {"save_scores": "score"}

FORMATS = (
    Format(
        name="yolo_detect",
        title="YOLO (Ultralytics), detect",
        url=f"{URL}detect/",
        kinds=frozenset({"bbox"}),
        prefers=TO_BOX,
        optional=SCORES,
        detect=_detector("detect"),
        read=_reader("detect"),
        write=_writer("detect"),
        relative=True,
        aliases=(
            *("yolo_ultralytics", "yolo_ultralytics_detection", "yolov8", "yolov8_detection"),
            *("ultralytics", "yolov5", "yolo11", "yolo_loose", "roboflow_yolo"),
        ),
    ),
    Format(
        name="yolo_segment",
        title="YOLO (Ultralytics), segment",
        url=f"{URL}segment/",
        kinds=frozenset({"polygon"}),
        prefers=dict.fromkeys(("mask", "polygon", "rotated_bbox", "ellipse", "bbox"), RING),
        holds=_one_ring,
        optional=SCORES,
        detect=_detector("segment"),
        read=_reader("segment"),
        write=_writer("segment"),
        relative=True,
        aliases=("yolov8_segmentation", "yolo_segmentation", "yolo_ultralytics_segmentation"),
    ),
    Format(
        name="yolo_pose",
        title="YOLO (Ultralytics), pose",
        url=f"{URL}pose/",
        kinds=frozenset({"bbox", "points"}),
        fields=frozenset({"group"}),
        labels=frozenset({"name", "keypoints"}),
        prefers=dict.fromkeys(("mask", "polygon", "rotated_bbox", "ellipse"), ("bbox",)),
        optional=SCORES,
        detect=_detector("pose"),
        read=_reader("pose"),
        write=_writer("pose"),
        relative=True,
        aliases=("yolov8_pose", "yolo_keypoints", "yolo_ultralytics_pose"),
    ),
    Format(
        name="yolo_obb",
        title="YOLO (Ultralytics), obb",
        url=f"{URL}obb/",
        kinds=frozenset({"rotated_bbox"}),
        prefers=dict.fromkeys(("bbox", "polygon", "mask", "ellipse", "points"), ("rotated_bbox",)),
        optional=SCORES,
        detect=_detector("obb"),
        read=_reader("obb"),
        write=_writer("obb"),
        relative=True,
        aliases=(
            *("yolov8_oriented_boxes", "yolo_oriented_boxes", "yolov8_obb"),
            *("yolo_ultralytics_oriented_boxes", "roboflow_yolo_obb"),
        ),
    ),
    Format(
        name="yolo_classify",
        title="YOLO (Ultralytics), classify",
        url=f"{URL}classify/",
        kinds=frozenset({"label"}),
        detect=_detector("classify"),
        read=classify.read,
        write=classify.write,
        annotated="never",
        aliases=("yolov8_classification", "yolo_classification", "yolo_ultralytics_classification"),
    ),
)
