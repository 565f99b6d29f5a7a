"""
CVAT for images 1.1 and CVAT for video 1.1, of tasks, jobs and projects.

    annotations.xml                    as CVAT exports it; the subset is the task's, else `default`
    train.xml                          or a file a subset, <subset>.xml
    images/
        street/1.jpg                   or images/train/street/1.jpg, as of a project
        frame_000000.png               a frame of a video

A project's annotations.xml names the subset of each image and track. Several annotations.xml in
folders are a subset each, by the folder's name. Zips that CVAT made are read as they are.

Boxes (turned ones, too), polygons, lines, points, ellipses, masks, tags and skeletons are
annotations; a skeleton is the keypoints of its label. Cuboids have no kind in the model and are
kept as they are. Tracks have an annotation for each frame; those between keyframes are made, as
CVAT does it, and have `keyframe: false`. An object that leaves is an annotation with
`outside: true` at the keyframe that says so. Attributes have the type that the label declares.

A task lists all of its images, and CVAT's own exports to other formats hold them all: those
without shapes count as looked at, and as having no objects. `--unfinished` reads a task that is
still being annotated: nobody looked at them yet.

Tracks are written with their keyframes; attributes that no label declares are declared. Numbers
have two decimals as CVAT's, or as many as it takes. What CVAT's shapes cannot say (polygons of
several parts, the visibility of plain points) stands in XML attributes that CVAT skips. It shows
such parts as polygons in a group; brought back onto the revision that they were written from, they
are one polygon again. Polygons with holes become masks, as do those of several parts in tracks.

Format: https://docs.cvat.ai/docs/manual/advanced/xml_format/
"""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any

from dvcs.errors import NotADataset
from dvcs.files import Sink, Source
from dvcs.formats._cvat import read as reading
from dvcs.formats._cvat import write as writing
from dvcs.formats._cvat.find import (
    Document,
    all_labels,
    candidates,
    image_folder,
    read_document,
)
from dvcs.formats._cvat.meta import NAME, VERSION
from dvcs.formats._format import Confidence, Format, Rejected
from dvcs.model import Annotation, Dataset, Item, Points, Polygon, PolyLine, RotatedBbox

Reindex = Annotated[bool, "number images and frames anew, from 0"]
Unfinished = Annotated[bool, "images without shapes are ones that nobody looked at yet"]
Undeclared = Annotated[bool, "write attributes that no label declares without declaring them"]


def detect(source: Source) -> Confidence:
    """A file says by its root and first element that it is CVAT's."""
    if not candidates(source):
        raise Rejected("no XML file has <annotations> with CVAT's version, meta, images or tracks")
    return Confidence.HIGH


def read(source: Source, *, unfinished: Unfinished = False) -> Dataset:
    """
    Return the dataset of a source; images and tracks are read when it is walked.

    Raises FormatError where a file is not CVAT's XML, or its meta or labels cannot be used.
    """
    paths = candidates(source)
    if not paths:
        raise NotADataset(
            f"no XML file at '{source.name}' is CVAT's", hint="its root should be <annotations>"
        )
    usual = [path for path in paths if path.rpartition("/")[2].lower() == "annotations.xml"]
    alone = len(usual) <= 1
    documents = [read_document(source, path, alone=alone) for path in paths]
    labels = all_labels(documents)

    def walk() -> Iterator[Item]:
        for document in documents:
            yield from reading.Walk(source, document, labels, unfinished=unfinished).items()

    files = {document.path: _about(source, document, documents) for document in documents}
    return Dataset(labels, walk, metadata={NAME: {"files": files}})


def _about(source: Source, document: Document, documents: Sequence[Document]) -> dict[str, Any]:
    """Return what must be known to write a file again as it was."""
    about: dict[str, Any] = {"meta": document.meta, "subset": document.subset}
    if document.version != VERSION:
        about["version"] = document.version
    if document.project:
        about["project"] = True
        del about["subset"]
    keys = [label.key for label in document.labels]
    if any([label.key for label in other.labels] != keys for other in documents):
        about["labels"] = keys
    folders = {
        subset: folder
        for subset in {*document.by_subset, *((document.subset,) * (not document.project))}
        if (folder := image_folder(source, document, subset)) is not None
    }
    if folders:
        about["images"] = folders
    return about


def write(
    dataset: Dataset,
    sink: Sink,
    *,
    reindex: Reindex = False,
    allow_undeclared_attrs: Undeclared = False,
) -> None:
    """Write a dataset, by default to the same files as it was read from."""
    writing.write(dataset, sink, reindex=reindex, allow_undeclared=allow_undeclared_attrs)


def _holds(note: Annotation, item: Item) -> bool:
    """
    Tell whether a shape has an element.

    Polygons with holes and shapes of no points have none, nor have the parts of one polygon in a
    track, which has one shape a frame; a box with the rotation 0 is upright.
    """
    del item
    if isinstance(note, RotatedBbox):
        return note.angle != 0
    if isinstance(note, Polygon):
        most = 1 if note.track is not None else len(note.parts)
        return 0 < len(note.parts) <= most and all(
            len(part) == 1 and part[0] for part in note.parts
        )
    return bool(note.points) if isinstance(note, Points | PolyLine) else True


FORMATS = (
    Format(
        name=NAME,
        title="CVAT",
        url="https://docs.cvat.ai/docs/manual/advanced/xml_format/",
        kinds=frozenset(
            {
                *("label", "bbox", "rotated_bbox", "polygon", "polyline", "points", "mask"),
                "ellipse",
            }
        ),
        media=frozenset({"image", "video_frame"}),
        fields=frozenset({"group", "z_order", "track", "attributes", "unlabelled"}),
        labels=frozenset({"name", "color", "keypoints", "joints", "attributes"}),
        prefers={"polygon": ("mask", "bbox"), "rotated_bbox": ("bbox",)},
        holds=_holds,
        annotated="always",
        detect=detect,
        read=read,
        write=write,
        aliases=("cvat_xml",),
    ),
)
