"""
Which files of a place are CVAT's, and what each says before its first image or track.

Not all XML files of a folder are looked at: one of a thousand Pascal VOC files, which is none of
ours, speaks for its folder.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cached_property

import msgspec

from dvcs.errors import FormatError, UnsafeName
from dvcs.files import Source
from dvcs.formats import _xml
from dvcs.formats._cvat.labels import read_labels
from dvcs.formats._cvat.meta import Outline, Task, children, is_project, outline, said, tasks
from dvcs.model import Category, Labels
from dvcs.names import quote, simple_name, strip_extension, unquote

PEEK = 4096
TRIES = 5
"""How many XML files of one folder are looked at before it counts as none of CVAT's."""
SNIFFED = 200
ROOT = re.compile(
    rb"<annotations(?:\s[^<>]*)?>\s*(?:<!--.*?-->\s*)*"
    rb"<(?:version|meta|image|track)[\s>/]|<annotations\s*/>",
    re.DOTALL,
)
USED = re.compile(rb"""<(?!attribute\b)\w+\s[^<]*?\blabel=(?:"([^"]*)"|'([^']*)')""")
STANDARD = "annotations"
"""The stem of the file in a zip that CVAT made; any other stem is the name of a subset."""


def candidates(source: Source) -> list[str]:
    """Return the files that are CVAT's, or only look so from outside: the folders' first ones."""
    if source.focus is not None:
        return [source.focus] if looks_like_cvat(source, source.focus) else []
    folders: dict[str, list[str]] = {}
    for path in source.find("**/*.xml"):
        folders.setdefault(path.rpartition("/")[0], []).append(path)
    found: list[str] = []
    looked = 0
    for folder in sorted(folders, key=lambda one: (one.count("/"), one)):
        before = len(found)
        for tried, path in enumerate(folders[folder]):
            if looked >= SNIFFED or (tried >= TRIES and len(found) == before):
                break
            looked += 1
            if looks_like_cvat(source, path):
                found.append(path)
    return found


def looks_like_cvat(source: Source, path: str) -> bool:
    """Tell whether a file's beginning is that of a CVAT export."""
    if not path.lower().endswith(".xml"):
        return False
    head = bytes(source.buffer(path)[:PEEK])
    if b"\0" in head:  # UTF-16
        head = head.decode("utf-16", errors="ignore").encode()
    return ROOT.search(head) is not None


class Document(msgspec.Struct, frozen=True, dict=True):
    """One CVAT file: its meta, tasks and labels, and where its images are."""

    path: str
    version: str
    meta: Outline
    tasks: tuple[Task, ...]
    labels: tuple[Category, ...]
    project: bool
    subset: str
    tracked: bool
    """Whether there may be tracks in it."""
    grouped: bool
    """Whether there may be groups in it."""

    @property
    def folder(self) -> str:
        """The folder that it lies in, with a slash, or ''."""
        return self.path[: self.path.rfind("/") + 1]

    @cached_property
    def by_subset(self) -> Mapping[str, tuple[Task, ...]]:
        """The tasks of each subset."""
        found: dict[str, tuple[Task, ...]] = {}
        for task in self.tasks:
            name = (task.subset or "default") if self.project else self.subset
            found[name] = (*found.get(name, ()), task)
        return found


def read_document(source: Source, path: str, *, alone: bool) -> Document:
    """
    Return what a file says of all its images.

    `alone` says that it is the only one of its name, else its folder is its subset. Raises
    FormatError for what is not CVAT's XML.
    """
    version, meta, element = "", [], None
    for found in _xml.iterate(source, path, ("version", "meta", "image", "track")):
        if found.tag == "version":
            version = (found.text or "").strip()
        elif found.tag == "meta":
            said_here = outline(found)
            meta, element = said_here if isinstance(said_here, list) else [], found
            found_tasks = tuple(tasks(meta, element))
            break
        else:
            found_tasks = ()
            break
    else:
        found_tasks = ()
    del element
    records = _take_labels(meta)
    labels = read_labels(records)
    data = source.buffer(path)
    exotic = b"\0" in bytes(data[:PEEK])
    labels += _undeclared(source, path, bytes(data) if exotic else data, labels)
    return Document(
        path=path,
        version=version,
        meta=meta,
        tasks=found_tasks,
        labels=tuple(labels),
        project=is_project(meta),
        subset=_subset(source, path, meta, alone=alone),
        tracked=exotic or data.find(b"<track") >= 0,
        grouped=exotic or data.find(b"group_id") >= 0,
    )


def _take_labels(meta: Outline) -> list[str | Outline]:
    """Return the outlines of all labels; the first `<labels>` becomes a place for the dataset's."""
    records: list[str | Outline] = []
    first = True
    stack: list[Outline] = [meta]
    while stack:
        at = stack.pop(0)
        for pair in at:
            if pair[0] == "labels":
                records += children(pair[1], "label")
                if first:
                    pair[1], first = None, False
            elif isinstance(pair[1], list):
                stack.append(pair[1])
    return records


def _undeclared(
    source: Source, path: str, data: object, declared: Sequence[Category]
) -> list[Category]:
    """
    Return the labels that shapes have and nobody declared, in order of use.

    A quick look at the text finds nothing in most files (25 MB: 60 ms); only if there may be some
    is the file parsed for them.
    """
    known = {one.name for one in declared}
    keypoints = {name for one in declared for name in one.keypoints}
    used = {a or b for a, b in USED.findall(data)}  # type: ignore[call-overload]
    spelt = {name.encode() for name in known | keypoints} | {b""}
    if used <= spelt and b"\0" not in bytes(data[:PEEK]):  # type: ignore[index]
        return []
    found: dict[str, None] = {}
    for element in _xml.iterate(source, path, ("image", "track")):
        shapes = [element] if element.tag == "track" else element
        for shape in shapes:
            name = shape.get("label")
            if name and name not in known:
                found[name] = None
    for name in found:
        source.note(f"label '{name[:80]}' is used in {path} but not declared")
    return [Category(name=name) for name in found]


def file_of(subset: str) -> str:
    """Return the name of a subset's file; quoted as `names.quote` does it, and `annotations`."""
    stem = quote(subset)
    if stem.lower() == STANDARD:
        stem = f"%{ord(stem[0]):02X}{stem[1:]}"
    return f"{stem}.xml"


def _subset(source: Source, path: str, meta: Outline, *, alone: bool) -> str:
    stem = strip_extension(path.rpartition("/")[2])
    if stem.lower() == STANDARD:
        folder = path.rpartition("/")[0]
        unit = next((one for tag in ("task", "job") for one in children(meta, tag)), "")
        name = said(unit, "subset") or ""
        if name in ("", "default"):
            name = source.subset or "default" if alone else folder or "default"
    else:
        name = unquote(stem)
        if file_of(name) != f"{stem}.xml":  # no name that we gave: its signs are its own
            name = stem
    try:
        return simple_name(name, "subset")
    except UnsafeName as error:
        raise FormatError(str(error), source.place(path), hint=error.hint) from None


def all_labels(documents: Sequence[Document]) -> Labels:
    """Return the labels of all files as one list."""
    labels = Labels()
    for document in documents:
        labels = labels.united(Labels(document.labels))
    return labels


def image_folder_of(subset: str, *, project: bool) -> str:
    """Return the usual folder of a subset's images, beside its file."""
    return "images" if subset == "default" and not project else f"images/{quote(subset)}"


def image_folder(source: Source, document: Document, subset: str) -> str | None:
    """Return where a subset's images are, where that is not the usual place; None if it is."""
    folders, base = source.folders, document.folder
    usual = image_folder_of(subset, project=document.project)
    if f"{base}{usual}" in folders:
        return None
    for folder in ("images", f"images/{subset}", subset):
        if f"{base}{folder}" in folders:
            return None if folder == usual else folder
    beside = (path[len(base) :] for path in source.images if path.startswith(base))
    return "" if any("/" not in path for path in beside) else None
