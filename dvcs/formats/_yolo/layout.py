"""
Which items an Ultralytics dataset has, and where their images and labels are.

With a `data.yaml`, its keys are the subsets, each a folder, a list file, or several of them; where
Roboflow calls the folder of `val` `valid`, so is the subset. A folder that is missing is looked
for where it usually is; an unused `test:` is no error.

Without one, the names of folders tell: `images/<subset>/`, `<subset>/images/`, or `<subset>/`;
labels are named in `classes.txt`, `obj.names`, or a file of such a name.
"""

from collections.abc import Iterable, Iterator
from functools import cached_property

from dvcs.errors import DvcsError, FormatError, NotADataset, UnsafeName, UsageError
from dvcs.files import Source
from dvcs.formats._yolo.config import LISTS, Config, find_config
from dvcs.formats._yolo.files import (
    ABSOLUTE,
    LABEL_FOLDERS,
    SUBSETS,
    VALIDATION,
    Files,
    Ids,
    Record,
    checked_subset,
    is_image,
    read_names,
    split,
)
from dvcs.formats._yolo.yaml import Node
from dvcs.names import item_id, strip_extension

NOT_LABELS = frozenset(
    (
        *("classes", "labels", "names", "label", "readme", "license", "licence", "notes", "note"),
        *("requirements", "changelog", "train", "val", "valid", "test", "trainval", "info"),
    )
)


class Layout:
    """An Ultralytics dataset: settings, labels, and records of its items."""

    def __init__(
        self, source: Source, config_file: str | None = None, labels_file: str | None = None
    ) -> None:
        self.source = source
        if config_file is not None and config_file not in source:
            raise UsageError(f"there is no file '{config_file}' in '{source.name}'")
        self.config = find_config(source, config_file)
        if config_file is not None and self.config is None:
            raise FormatError("has neither 'names' nor 'nc'", source.place(config_file))
        self.files = Files(source, self.config.base if self.config else "")
        self._labels_file = labels_file

    @cached_property
    def names_file(self) -> str | None:
        """The text file that names the labels, where `data.yaml` does not."""
        return find_names(self.source)

    def names(self) -> dict[int, str]:
        """Return the names of the label indices. Raises NotADataset where nothing tells them."""
        if self._labels_file is not None:
            if self._labels_file not in self.source:
                raise UsageError(f"there is no file '{self._labels_file}' in '{self.source.name}'")
            return read_names(self.source, self._labels_file)
        if self.config is not None:
            return self.config.names
        if self.names_file is not None:
            return read_names(self.source, self.names_file)
        if not self.files.texts:
            raise NotADataset(
                f"there is no data.yaml and no label file at '{self.source.name}'",
                hint="labels are text files beside images/, in labels/",
            )
        raise NotADataset(
            f"'{self.source.name}' has label files, but nothing says what their indices mean",
            hint="put a classes.txt there, a label a line, or name such a file after a lone '--':"
            " '-- --labels-file FILE'",
        )

    def records(self) -> Iterator[Record | DvcsError]:
        """Yield the items, subset by subset."""
        if self.config is not None and self.config.subsets:
            return self._configured(self.config)
        return self._scanned()

    # With settings

    def _configured(self, config: Config) -> Iterator[Record | DvcsError]:
        ids, found = Ids(), False
        for key, node in config.subsets.items():
            for text in self._texts(config, key, node):
                if isinstance(text, DvcsError):
                    yield text
                    continue
                path = self._place(key, text, config)
                if path is None:
                    missing = self._missing(config, key, node, text)
                    if missing is not None:
                        found = True
                        yield missing
                    continue
                found = True
                yield from self._subset(_subset_name(key, text, path), path, ids)
        if not found and not all(node.empty for node in config.subsets.values()):
            raise FormatError(
                "none of its folders and lists is there",
                self.source.place(config.path),
                hint="are these the settings of this dataset? name others after a lone '--':"
                " '-- --config-file FILE'",
            )

    def _texts(self, config: Config, key: str, node: Node) -> Iterator[str | DvcsError]:
        values = node.value if isinstance(node.value, list) else [node]
        for one in values:
            if isinstance(one, Node) and isinstance(one.value, str):
                if not one.empty and one.value.strip():
                    yield one.value
                continue
            place = self.source.place(config.path)
            yield FormatError(f"'{key}' is not a path or a list of paths", place, node.line)

    def _place(self, key: str, text: str, config: Config) -> str | None:
        """Return the folder or list that a path in `data.yaml` means."""
        if text.lower().endswith(LISTS):
            joined = text if ABSOLUTE.match(text) else f"{config.root}/{text}"
            return self.files.locate(joined, self.source.__contains__)
        base = config.base
        for tail in folder_tails(text, config.root, self.source.name):
            for path in dict.fromkeys(("/".join([*split(base), *tail]), "/".join(tail))):
                if not path or self._exists(path):
                    return path
        if self.files.leads_out(text):
            return None
        for name in (key, *sorted(VALIDATION if key in VALIDATION else ())):
            for usual in (f"images/{name}", f"{name}/images"):
                path = f"{base}/{usual}" if base else usual
                if self._exists(path):
                    return path
        return None

    def _exists(self, path: str) -> bool:
        folders = self.source.folders
        return path in folders or any(one in folders for one in self.files.label_folders(path))

    def _missing(self, config: Config, key: str, node: Node, text: str) -> DvcsError | None:
        if self.files.leads_out(text):
            return FormatError(
                f"'{key}: {text}' leads out of the dataset",
                self.source.place(config.path),
                node.line,
                hint="give a path from the folder of that file",
            )
        name = config.path.rpartition("/")[2]
        self.source.note(f"{name} names '{text}' for '{key}', which is not there")
        return None

    def _subset(self, subset: str, path: str, ids: Ids) -> Iterator[Record | DvcsError]:
        try:
            checked_subset(subset)
        except UnsafeName as error:
            yield error
            return
        if path.lower().endswith(LISTS):
            yield from listed(self.files, path, subset, ids)
            return
        if f"{path}/images" in self.source.folders and not any(
            is_image(one) and "/" not in one[len(path) + 1 :] for one in self.files.below(path)
        ):
            path = f"{path}/images"
        images = self.files.images(path)
        used = set()
        for image in images:
            label = self.files.label_of(image)
            used.add(label)
            yield from self._record(Record(subset, "", image, label), path, ids)
        for folder in self.files.label_folders(path):
            for label in self.files.below(folder):
                if label not in used and self._is_orphan(label, beside=folder == path):
                    used.add(label)
                    yield from self._record(Record(subset, "", None, label), folder, ids)

    def _is_orphan(self, path: str, *, beside: bool) -> bool:
        """Tell whether a text file has the labels of an image that is not there."""
        stem = strip_extension(path)
        if self.files.texts.get(stem) != path:
            return False
        return not beside or not _is_about(stem)

    def _record(self, record: Record, folder: str, ids: Ids) -> Iterator[Record | DvcsError]:
        """Yield a record of a file in a folder with its id."""
        path = record.image or record.label or ""
        if not ids.new(record.subset, path):
            return  # two of the subset's folders overlap
        name = path[len(folder) + 1 :] if folder else path
        try:
            yield record._replace(id=ids.give(record.subset, name, path), name=name)
        except UnsafeName as error:
            yield error

    # Without

    def _scanned(self) -> Iterator[Record | DvcsError]:
        """Yield items by what the folders are called."""
        default = self.source.subset or "default"
        images: dict[tuple[str, str], list[tuple[str, str]]] = {}
        for path in self.source.paths:
            if is_image(path):
                subset, name = place_of(path, default)
                images.setdefault((subset, strip_extension(name)), []).append((name, path))
        labels = self._label_files(images.keys(), default)
        if not images and not labels and self.config is None:
            raise NotADataset(
                f"there is no image and no label file at '{self.source.name}'",
                hint="labels are text files beside images/, in labels/",
            )
        ids = Ids()
        for key in sorted(images.keys() | labels.keys()):
            label = labels.get(key)
            for name, path in images.get(key, [(key[1], "")]):
                try:
                    id = ids.give(key[0], name if path else f"{name}.txt", path or name)
                except UnsafeName as error:
                    yield error
                    continue
                yield Record(key[0], id, path or None, label, name)

    def _label_files(
        self, images: Iterable[tuple[str, str]], default: str
    ) -> dict[tuple[str, str], str]:
        known = set(images)
        found = {}
        for stem, path in self.files.texts.items():
            key = place_of(stem, default)
            if path in (self.names_file, self._labels_file):
                continue
            if key in known or self._holds_labels(stem):
                found[key] = path
        return found

    def _holds_labels(self, stem: str) -> bool:
        *folders, name = stem.lower().split("/")
        if any(folder in LABEL_FOLDERS for folder in folders):
            return name not in {"classes", "readme"}
        return not _is_about(stem)


def folder_tails(text: str, root: str, name: str) -> Iterator[list[str]]:
    """
    Yield the parts of what a folder may be called here, the likeliest first.

    A path of another machine is cut until it names something, at best behind this dataset's name;
    a relative one only of the folder `root`, from which its writer meant it, and of `..`.
    """
    parts = split(text)
    if ABSOLUTE.match(text):
        here = split(name)[-1:]
        if here and here[0] in parts:
            yield parts[len(parts) - parts[::-1].index(here[0]) :]
        yield from (parts[drop:] for drop in range(len(parts)) if parts[drop:] != ["images"])
        return
    while parts[:1] == [".."]:
        del parts[0]
    if ".." in parts:
        return
    prefix = [part for part in split(root) if part != ".."]
    yield from ([*prefix[drop:], *parts] for drop in range(len(prefix) + 1))
    if parts[:1] == ["data"]:
        yield parts[1:]


def _is_about(stem: str) -> bool:
    """Tell by its name whether a text file is about the dataset, not about one image."""
    name = stem.rpartition("/")[2].lower()
    return name.partition(".")[0] in NOT_LABELS or name.endswith(("classes", "labels", "names"))


def find_names(source: Source) -> str | None:
    """Return the file that names labels: `classes.txt`, `obj.names`, `team-classes.txt`, ..."""
    for pattern in ("classes.txt", "obj.names", "*.names", "*classes.txt", "labels.txt"):
        found = source.find(pattern) or source.find(f"*/{pattern}")
        if len(found) == 1 or (found and "*" not in pattern):
            return found[0]
    return None


def place_of(path: str, default: str) -> tuple[str, str]:
    """Return the subset of a file, and its name in it, by the folders on its path."""
    parts = path.split("/")
    kinds = {"images", *LABEL_FOLDERS}
    at = next((n for n in range(len(parts) - 2, -1, -1) if parts[n].lower() in kinds), None)
    if at is None:
        if len(parts) > 1 and parts[0].lower() in SUBSETS:
            return parts[0], "/".join(parts[1:])
        return default, path
    after = parts[at + 1 :]
    if len(after) > 1 and after[0].lower() in SUBSETS:
        return after[0], "/".join(after[1:])
    if at and parts[at - 1].lower() in SUBSETS:
        return parts[at - 1], "/".join(after)
    return default, "/".join([*parts[:at], *after])


def listed(files: Files, path: str, subset: str, ids: Ids) -> Iterator[Record | DvcsError]:
    """Yield the items of a list of images."""
    folder = path.rpartition("/")[0]
    source = files.source
    for number, text in source.lines(path):
        try:
            image = files.listed(text, folder)
            name = name_of(image, subset, files.base)
            id = ids.give(subset, name, image) if ids.new(subset, image) else None
        except ValueError as error:
            yield FormatError(f"'{text[:80]}' {error}", source.place(path), number)
        except UnsafeName as error:
            yield FormatError(str(error), source.place(path), number)
        else:
            if id is not None:
                yield Record(subset, id, image, files.label_of(image), name)
                continue
            problem = f"the image '{text[:80]}' is listed twice for '{subset}'"
            yield FormatError(problem, source.place(path), number)


def name_of(image: str, subset: str, base: str = "") -> str:
    """Return what a listed image is called within its subset, in a dataset in the folder `base`."""
    path = image.removeprefix(f"{base}/") if base else image
    for folder in (f"obj_{subset}_data/", f"images/{subset}/"):  # a subset may be several folders
        if path.startswith(folder):
            return item_id(path.removeprefix(folder))
    parts = path.split("/")
    at = next((n for n in range(len(parts) - 2, -1, -1) if parts[n].lower() == "images"), None)
    if at is None:
        # obj_train_data/ and the like; one folder is that of the images, as Darknet has it.
        return "/".join(parts[1:] if len(parts) > 1 else parts)
    after = parts[at + 1 :]
    if len(after) > 1 and (after[0] == subset or after[0].lower().startswith(subset.lower())):
        del after[0]
    return item_id("/".join(after))


def _subset_name(key: str, text: str, path: str) -> str:
    """Return the subset that a key means: Roboflow's `val` is the folder `valid`."""
    if key in VALIDATION:
        parts = [strip_extension(part) for part in path.split("/")]
        other = next((part for part in reversed(parts) if part in VALIDATION), key)
        return other if path else _last(text, key)
    return key


def _last(text: str, key: str) -> str:
    return next((part for part in reversed(split(text)) if part in VALIDATION), key)
