"""
The files of a YOLO dataset: which image belongs to which labels, how large it is, its id.

Paths in YOLO's lists and settings are those of the machine that wrote them. They are cut from the
left until they name something here (`/home/me/pets/images/1.jpg`, `data/images/1.jpg`); nothing
outside the dataset is ever read.

The labels of `images/train/1.jpg` are in `labels/train/1.txt`, or beside the image. A dataset
without images can have their sizes in `images.meta`: a line `path height width` each.
"""

import re
import shlex
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import Any, NamedTuple

from dvcs.errors import DvcsError, FormatError, InvalidMedia, UsageError
from dvcs.files import Source
from dvcs.files.source import IMAGE_EXTENSIONS
from dvcs.formats._yolo.rows import Reader
from dvcs.model import Annotation, Category, Item, Labels, Media, MediaFile, Origin
from dvcs.names import extension, id_of_file, item_id, label_key, simple_name, strip_extension

META = "images.meta"
LABEL_FOLDERS = ("labels", "annotations", "label", "labeltxt")
VALIDATION = frozenset({"val", "valid", "validation"})
SUBSETS = VALIDATION | {"train", "training", "trainval", "test", "testing", "default", "dev"}
SIZE = re.compile(r"(\d{1,6})\s*[xX×,]\s*(\d{1,6})")  # noqa: RUF001 -- people write it
ABSOLUTE = re.compile(r"/|[A-Za-z]:|~")
LONGEST = 4096
"""Letters of a path; a longer one is none, and cutting it to what exists would take minutes."""


class Record(NamedTuple):
    """One item: its image (which need not be there) and its label file; the image's own name."""

    subset: str
    id: str
    image: str | None
    label: str | None
    name: str = ""


class Size(NamedTuple):
    """Height and width as shown, and the EXIF orientation where it is not 1."""

    height: int
    width: int
    orientation: int | None = None


class Files:
    """The files of a dataset whose settings lie in the folder `base`."""

    def __init__(self, source: Source, base: str = "") -> None:
        self.source = source
        self.base = base
        self._cut: dict[bool, tuple[tuple[str, ...], str]] = {}
        """What was cut from the last path of a list and put before it; absolute ones apart."""
        self._label_folders: dict[str, list[str]] = {}
        self._last: tuple[str, str | None] = ("", None)
        """The last image whose labels were looked for, and where they are."""

    @cached_property
    def texts(self) -> dict[str, str]:
        """All text files by path without extension."""
        return {
            path[:-4]: path for path in self.source.paths if path[-4:] in {".txt", ".TXT", ".Txt"}
        }

    @cached_property
    def _children(self) -> dict[str, dict[str, str]]:
        """The folders in each folder, by their names in lower case."""
        found: dict[str, dict[str, str]] = {}
        for folder in sorted(self.source.folders, reverse=True):
            parent, _, name = folder.rpartition("/")
            found.setdefault(parent, {})[name.lower()] = name
        return found

    def below(self, folder: str) -> list[str]:
        """Return the files in and below a folder, sorted."""
        paths = self.source.paths
        if not folder:
            return list(paths)
        start, end = bisect_left(paths, f"{folder}/"), bisect_left(paths, f"{folder}0")
        return list(paths[start:end])

    def images(self, folder: str) -> list[str]:
        """Return the images in and below a folder, sorted."""
        return [path for path in self.below(folder) if is_image(path)]

    def label_folders(self, folder: str) -> list[str]:
        """Return where the labels of a folder's images may be, the likeliest first."""
        found = self._label_folders.get(folder)
        if found is None:
            found = self._label_folders[folder] = [*self._sibling_folders(folder), folder]
        return found

    def _sibling_folders(self, folder: str) -> Iterator[str]:
        parts = folder.split("/")
        places = [at for at, part in enumerate(parts) if part.lower() == "images"]
        if not places:
            return
        head, tail = "/".join(parts[: places[-1]]), parts[places[-1] + 1 :]
        names = self._children.get(head, {})
        for wanted in LABEL_FOLDERS:
            if wanted in names:
                yield "/".join([*([head] if head else []), names[wanted], *tail])

    def label_of(self, image: str) -> str | None:
        """Return the label file of an image that is there or is not."""
        if self._last[0] == image:  # whether there is one is asked before which it is
            return self._last[1]
        folder, _, name = image.rpartition("/")
        stem = strip_extension(name)
        found = None
        for place in self.label_folders(folder):
            found = self.texts.get(f"{place}/{stem}" if place else stem)
            if found is not None:
                break
        self._last = image, found
        return found

    def locate(self, text: str, exists: Callable[[str], bool]) -> str | None:
        """Return what a path in a file means here, cut until it exists; None where nothing does."""
        parts = split(text) if len(text) <= LONGEST else []
        for drop in range(len(parts)):
            tail = parts[drop:]
            if ".." in tail:
                continue
            path = "/".join(tail)
            for place in dict.fromkeys((f"{self.base}/{path}" if self.base else path, path)):
                if exists(place):
                    return place
        return None

    def listed(self, text: str, folder: str) -> str:
        """
        Return the path of an image in a list; `folder` is where the list is.

        The image need not be there, then what was cut from the one before is cut. Raises
        ValueError for a path that leads out of the dataset, or is too long.
        """
        if len(text) > LONGEST:
            raise ValueError("is too long for a path")
        source, parts = self.source, split(text)
        absolute = ABSOLUTE.match(text) is not None
        cut, place = self._cut.get(absolute, ((), ""))
        known = absolute in self._cut and tuple(parts[: len(cut)]) == cut
        if known:
            path = _joined(place, parts[len(cut) :])
            if path in source or self.label_of(path) is not None:
                return path
        for drop, tail in enumerate(parts[drop:] for drop in range(len(parts))):
            for start in dict.fromkeys(("", self.base, folder)):
                path = _joined(start, tail)
                if ".." not in tail and (path in source or self.label_of(path) is not None):
                    self._cut[absolute] = tuple(parts[:drop]), start
                    return path
        if known:
            parts = parts[len(cut) :]
        elif not absolute and parts[:1] == ["data"]:
            del parts[0]
        if (absolute and not known) or not parts or ".." in parts:
            raise ValueError("leads out of the dataset")
        place = place if known else self.base
        return item_id(_joined(place, parts))

    def leads_out(self, text: str) -> bool:
        """
        Tell whether a path means something outside: absolute elsewhere, or more than one level up.

        One level up is what Roboflow writes, whose paths start from a folder within the dataset.
        """
        parts = split(text)
        name = self.source.name.replace("\\", "/").rstrip("/").rpartition("/")[2]
        if name and name in parts:
            return ".." in parts[parts.index(name) :]
        return bool(ABSOLUTE.match(text)) or ".." in parts[1:]

    def lines(self, path: str) -> list[tuple[int, str]]:
        """Return the lines of a list of images."""
        return self.source.lines(path)


def _joined(folder: str, parts: list[str]) -> str:
    return "/".join([folder, *parts] if folder else parts)


def split(text: str) -> list[str]:
    """Return the parts of a path as any system writes it, without drive."""
    parts = text.strip().strip("\"'").replace("\\", "/").split("/")
    if parts and re.fullmatch(r"[A-Za-z]:|~", parts[0]):
        del parts[0]
    return [part for part in parts if part not in {"", "."}]


def is_image(path: str) -> bool:
    """Tell whether a file is an image by its name."""
    return extension(path).lower() in IMAGE_EXTENSIONS


# -- labels --------------------------------------------------------------------------------------


def make_labels(
    names: dict[int, str], keypoints: dict[int, tuple[str, ...]] | None = None
) -> tuple[Labels, dict[int, str]]:
    """
    Return labels in the order of their indices, and the name of each index.

    A name that is used twice gets its index added (`name#index`). An index is kept as the label's
    id where it is not the label's position.
    """
    found: dict[str, Category] = {}
    by_index: dict[int, str] = {}
    for position, index in enumerate(sorted(names)):
        name, key = names[index], label_key(names[index])
        if name in found:
            name, key = f"{name}#{index}", label_key(name, index)
        while name in found:
            name, key = f"{name}_", label_key(f"{name}_")
        by_index[index] = name
        found[name] = Category(
            name=name,
            key=key,
            id=index if index != position else None,
            keypoints=(keypoints or {}).get(index, ()),
        )
    return Labels(found.values()), by_index


def read_names(source: Source, path: str) -> dict[int, str]:
    """Return the labels of a text file, a label a line. Raises FormatError where there is none."""
    lines = source.text(path).split("\n")
    names = [line.strip() for line in lines]
    while names and not names[-1]:
        names.pop()
    if "" in names:  # their lines are their indices, so none may be left out
        raise FormatError(
            "a line is empty, so what is the index of the next label?",
            source.place(path),
            names.index("") + 1,
            hint="remove the line, or name a label in it",
        )
    if not names:
        raise FormatError("names no label", source.place(path))
    return dict(enumerate(names))


# -- items ---------------------------------------------------------------------------------------


class Sizes:
    """The sizes of images: of the file, else of `images.meta`, else the one size given."""

    def __init__(self, source: Source, base: str, given: str | None) -> None:
        self._source = source
        self._given = parse_size(given)
        self._meta: dict[str, Size] = {}
        for folder in dict.fromkeys((base, "")):
            path = f"{folder}/{META}" if folder else META
            if path in source:
                self._meta = dict(self._lines(path))
                break

    def _lines(self, path: str) -> Iterator[tuple[str, Size]]:
        for number, line in self._source.lines(path):
            try:
                parts = shlex.split(line) if line[0] in "\"'" else line.rsplit(None, 2)
                name, height, width = parts
                size = Size(int(height), int(width))
            except ValueError:
                size, name = Size(0, 0), ""
            if size.height <= 0 or size.width <= 0:
                raise FormatError(
                    f"expected 'path height width', not '{line[:80]}'",
                    self._source.place(path),
                    number,
                )
            yield name, size

    @property
    def unknown(self) -> bool:
        """Whether only the images themselves could tell."""
        return self._given is None and not self._meta

    def stated(self, record: Record) -> Size | None:
        """Return what `images.meta` says of an image: by its path, or the item's id."""
        if not self._meta:
            return None
        return self._meta.get(record.image or "") or self._meta.get(record.id)

    def of(self, record: Record, origin: Origin | None) -> Size:
        """Return the size of an image. Raises FormatError where nothing tells it."""
        broken = ""
        if origin is not None:
            try:
                return _header(origin)
            except InvalidMedia as error:
                broken = f" ({record.image}: {error})"
        size = self.stated(record) or self._given
        if size is None:
            raise FormatError(
                f"the size of its image is not known{broken}: coordinates are parts of it",
                self._source.place(record.label or record.id),
                hint="put the images there, or say the size of all after a lone '--':"
                " '-- --image-size WIDTHxHEIGHT'",
            )
        return size


def parse_size(text: str | None) -> Size | None:
    """Return an option WIDTHxHEIGHT. Raises UsageError."""
    if text is None:
        return None
    match = SIZE.fullmatch(text.strip())
    if match is None or not int(match[1]) or not int(match[2]):
        raise UsageError(f"'{text}' is no image size", hint="write '-- --image-size 640x480'")
    return Size(int(match[2]), int(match[1]))


def _header(origin: Origin) -> Size:
    from dvcs.media.headers import read_header

    if origin.path is None:
        header = read_header(origin.read())
    else:
        with origin.path.open("rb") as file:
            header = read_header(file)
    return Size(header.height, header.width, header.orientation if header.orientation > 1 else None)


class Maker:
    """Makes items of records."""

    def __init__(self, source: Source, rows: Reader, sizes: Sizes) -> None:
        self.source = source
        self.rows = rows
        self.sizes = sizes

    def items(self, records: Iterable[Record | DvcsError]) -> Iterator[Item]:
        """
        Yield the items of records; what cannot be read is reported to the source.

        Raises FormatError at once where there is no image and nothing else tells a size.
        """
        if not self.source.images and self.sizes.unknown:
            records = self._without_rows(records)
        return self.source.items(records, self.item)

    def _without_rows(self, records: Iterable[Record | DvcsError]) -> Iterator[Record | DvcsError]:
        for record in records:
            if isinstance(record, Record) and record.label and self.source.lines(record.label):
                self.sizes.of(record, None)
            yield record

    def item(self, record: Record | DvcsError) -> Item:
        """Return one item. Raises what stands in place of a record."""
        if isinstance(record, DvcsError):
            raise record
        source, image, label = self.source, record.image, record.label
        origin = source.origin(image) if image is not None and image in source else None
        size: Size | None = None
        notes: list[Annotation] = []
        if label is not None:
            text = source.text(label)
            if text and not text.isspace():
                size = self.sizes.of(record, origin)
                notes = self._annotations(text, size, label)
        if size is None:
            size = self.sizes.stated(record)
        return make_item(record, size, origin, notes, annotated=True if label is not None else None)

    def _annotations(self, text: str, size: Size, label: str) -> list[Annotation]:
        def fail(problem: str, line: int) -> None:
            self.source.report(FormatError(problem, self.source.place(label), line))

        return self.rows.read(text, size.height, size.width, fail)


def make_item(
    record: Record,
    size: Size | None,
    origin: Origin | None,
    notes: list[Annotation],
    *,
    annotated: bool | None,
) -> Item:
    """Return an item of a record."""
    known: dict[str, Any] = {}
    if size is not None:
        known = {"height": size.height, "width": size.width, "orientation": size.orientation}
    files: tuple[MediaFile, ...] = ()
    if record.image is not None:
        ext = extension(record.image)
        name = record.name if record.name != record.id + ext else None
        files = (MediaFile(ext=ext, name=name or None),)
    return Item(
        record.id,
        record.subset,
        Media(files=files, **known),
        notes,
        annotated=annotated,
        origins=(origin,) if files else (),
    )


class Ids:
    """Gives the images of a dataset their ids, and finds those that are listed twice."""

    def __init__(self) -> None:
        self._taken: dict[str, dict[str, str]] = {}
        self._seen: set[tuple[str, str]] = set()

    def new(self, subset: str, path: str) -> bool:
        """Note a file of a subset; False where the subset has it already."""
        before = len(self._seen)
        self._seen.add((subset, path))
        return len(self._seen) > before

    def give(self, subset: str, name: str, path: str) -> str:
        """
        Return the id of the image that is called `name` in its subset and lies at `path`.

        Of two that differ in the extension only the second keeps its full name; of two in
        different folders its whole path.
        """
        taken = self._taken.setdefault(subset, {})
        id = id_of_file(name, taken)
        stem, own = strip_extension(path), strip_extension(name)
        if id != own and taken[own] != stem:
            id = id_of_file(path, taken)
        taken[id] = stem
        return id


def checked_subset(name: str) -> str:
    """Return a subset's name. Raises UnsafeName."""
    return simple_name(name, "subset")
