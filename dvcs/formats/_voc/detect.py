"""Telling Pascal VOC from other XML files, its tasks, and the label maps that users name."""

from pathlib import Path

from dvcs.errors import DvcsError, FormatError, UsageError
from dvcs.files import Source, open_source
from dvcs.formats import _xml
from dvcs.formats._voc.find import Root
from dvcs.formats._voc.labels import (
    ACTIONS,
    CLASSIFICATION,
    PARTS,
    SEGMENTATION,
    TASKS,
    original,
    read_label_map,
    with_details,
)
from dvcs.model import Category


def foreign(source: Source, path: str) -> str | None:
    """Return why a file is not VOC; None where it is."""
    root = _xml.parse(source, path)
    if root.tag != "annotation":
        return f"'{path}' begins with <{root.tag}>, not <annotation>"
    if root.find("imagesize") is not None or root.find("object/deleted") is not None:
        return f"'{path}' is of LabelMe"
    if root.find("object") is not None:
        shapes = ("bndbox", "robndbox", "polygon")
        if not any(root.find(f"object/{shape}") is not None for shape in shapes):
            return f"the objects of '{path}' have no <bndbox>"
    elif not any(root.find(tag) is not None for tag in ("size", "segmented", "filename")):
        return f"'{path}' has neither <object> nor <size>"
    return None


def has_task(root: Root, task: str) -> bool:
    """Tell whether a devkit has lists or files of a task."""
    if task == CLASSIFICATION:
        return any(one.folder == "Main" for one in root.class_lists)
    if task == SEGMENTATION:
        return bool(root.classes)
    return bool(root.xmls) and (not root.lists or TASKS[task] in root.lists)


def label_map_of(name: str) -> list[Category] | None:
    """Return the labels that the option `label_map` asks for; None for those of the dataset."""
    if name == "source":
        return None
    if name == "voc":
        whole = with_details(original(segmentation=True), {"person": PARTS}, {"person": ACTIONS})
        return [one for one in whole if one.parent is None]
    try:
        source = open_source(Path(name))
        if source.focus is None:
            raise UsageError(f"'{name}' is not a file", hint="give a file, or 'voc' or 'source'")
        return read_label_map(source.lines(source.focus), Path(name))
    except FormatError:
        raise
    except DvcsError as error:
        raise UsageError(
            f"cannot read the label map: {error}", hint="give a file, or 'voc' or 'source'"
        ) from None
