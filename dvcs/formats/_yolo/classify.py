"""
Ultralytics' classification: a folder a label.

    <root>/
    ├── data.yaml                   names: {0: cat, 1: dog}; train: train; task: classify
    └── train/
        ├── labels.json             only where the folders do not say it all:
        │                           {"x/1": {"path": "cat/x/1.jpg", "labels": ["cat", "dog"]}}
        ├── cat/1.jpg               the item `cat/1` of the subset `train`
        └── no_label/2.jpg          an item without a label

Ultralytics needs the folders only. `labels.json` is CVAT's: ids that do not begin with the label,
several labels (the image is in the folder of each), no label, images that are not there.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from dvcs.errors import DvcsError, FormatError, NotADataset, UnsafeName
from dvcs.files import Sink, Source
from dvcs.formats._yolo.config import Config, find_config
from dvcs.formats._yolo.files import (
    SUBSETS,
    Files,
    Ids,
    Record,
    checked_subset,
    is_image,
    make_item,
    make_labels,
    split,
)
from dvcs.formats._yolo.numbers import NAME
from dvcs.formats._yolo.settings import DATA, note_missing, settings, subset_key
from dvcs.formats._yolo.write import image_extension
from dvcs.model import Dataset, Item, Label
from dvcs.names import extension, item_id, quote, simple_name, strip_extension, unquote

LABELS = "labels.json"
NO_LABEL = "no_label"


class Entry(NamedTuple):
    """What `labels.json` says of an item: its image below the subset's folder, and its labels."""

    path: str
    labels: list[str]


def is_classify(source: Source) -> bool:
    """Tell whether a subset has a `labels.json` as this format has it."""
    return any(_is_listing(source, path) for path in source.find(f"*/{LABELS}"))


def _is_listing(source: Source, path: str) -> bool:
    try:
        value = source.json(path)
    except FormatError:
        return False
    first = next(iter(value.values()), None) if isinstance(value, dict) else None
    return isinstance(first, dict) and isinstance(first.get("labels"), list)


def read(source: Source) -> Dataset:
    """
    Return the dataset: an item for each image, labelled by its folder or `labels.json`.

    Raises NotADataset where there is no image and no `labels.json`, FormatError where that or
    `data.yaml` cannot be read.
    """
    config = find_config(source) or Config("")
    folders = _subset_folders(source, config)
    listings = {subset: _listing(source, folder) for subset, folder in folders.items()}
    _check(source, config, folders, listings)
    names = config.names or dict(enumerate(_label_names(source, folders, listings)))
    labels, _ = make_labels(names)
    known = frozenset(labels.names)

    def walk() -> Iterator[Item]:
        def make(one: tuple[Record, list[str]] | DvcsError) -> Item:
            if isinstance(one, DvcsError):
                raise one
            record, found = one
            path = record.image or ""
            for label in found:
                if label not in known:
                    raise FormatError(f"there is no label '{label}'", source.place(path))
            origin = source.origin(path) if path in source else None
            notes = [Label(label=label) for label in found]
            return make_item(record, None, origin, list(notes), annotated=bool(notes) or None)

        return source.items(_records(source, folders, listings), make)

    return Dataset(labels, walk, metadata={NAME: config.rest} if config.rest else None)


def _check(
    source: Source,
    config: Config,
    folders: dict[str, str],
    listings: dict[str, dict[str, Entry]],
) -> None:
    """Raise NotADataset for what is not of this task, or has nothing in it that it could be."""
    if config.task not in {"", "classify"}:
        raise NotADataset(
            f"'{source.place(config.path)}' says that its task is {config.task}",
            hint=f"name its format 'yolo_{config.task}'",
        )
    empty = bool(config.path) and (bool(folders) or not config.subsets)
    if empty or source.is_empty_export or any(listings.values()):
        return
    files = Files(source)
    if not any(next(iter(files.images(folder)), None) for folder in folders.values()):
        raise NotADataset(
            f"there are no images at '{source.name}' in folders that could be labels",
            hint="an image is at <subset>/<label>/<name>, such as train/cat/1.jpg",
        )


def _subset_folders(source: Source, config: Config) -> dict[str, str]:
    """Return the folder of each subset; the whole place where its folders are labels."""
    files = Files(source, config.base)
    if config.subsets:
        found = {}
        for key, node in config.subsets.items():
            text = node.value if isinstance(node.value, str) else ""
            place = files.locate(text, source.folders.__contains__)
            if place is not None:
                found[checked_subset(key)] = place
            elif split(text):
                source.note(f"data.yaml names '{text}' for '{key}', which is not there")
        return found
    top = sorted({folder.partition("/")[0] for folder in source.folders})
    if any(folder.lower() in SUBSETS or f"{folder}/{LABELS}" in source for folder in top):
        return {checked_subset(folder): folder for folder in top}
    return {source.subset or "default": ""}


def _listing(source: Source, folder: str) -> dict[str, Entry]:
    path = f"{folder}/{LABELS}" if folder else LABELS
    if path not in source:
        return {}
    value: Any = source.json(path)
    if not isinstance(value, dict):
        raise FormatError("is not an object of items", source.place(path))
    return {id: _entry(source, path, id, one) for id, one in value.items()}


def _entry(source: Source, path: str, id: str, value: Any) -> Entry:
    match value:
        case {"path": str(image), "labels": list(labels)}:
            pass
        case _:
            raise FormatError(
                "is not an object with 'path' and 'labels'", source.place(path), item=id
            )
    if not all(isinstance(label, str) and label for label in labels):
        raise FormatError("a label is not a text", source.place(path), item=id)
    return Entry(image, list(labels))


def _label_names(
    source: Source, folders: dict[str, str], listings: dict[str, dict[str, Entry]]
) -> list[str]:
    found = {
        label for listing in listings.values() for one in listing.values() for label in one.labels
    }
    for subset, folder in folders.items():
        if not listings[subset]:
            images = (path for path in Files(source).below(folder) if is_image(path))
            names = (_below(folder, path) for path in images)
            found.update(name.partition("/")[0] for name in names if "/" in name)
    found.discard(NO_LABEL)
    return sorted(found)


def _below(folder: str, path: str) -> str:
    return path[len(folder) + 1 :] if folder else path


def _records(
    source: Source, folders: dict[str, str], listings: dict[str, dict[str, Entry]]
) -> Iterator[tuple[Record, list[str]] | DvcsError]:
    files = Files(source)
    for subset, folder in folders.items():
        ids, done = Ids(), set()
        listing = f"{folder}/{LABELS}" if folder else LABELS
        for id, entry in listings[subset].items():
            try:
                name = item_id(entry.path)
                image = f"{folder}/{name}" if folder else name
                record = Record(subset, item_id(id), image, None, name)
            except UnsafeName as error:
                yield FormatError(str(error), source.place(listing), item=id)
                continue
            done.add(image)
            rest, ext = name.partition("/")[2], extension(name)
            for label in entry.labels:
                place = _join(folder, quote(label))
                done.update((f"{place}/{rest}", f"{place}/{_name(record.id, label)}{ext}"))
            yield record._replace(name=""), entry.labels
        for image in files.images(folder):
            if image in done:
                continue
            name = _below(folder, image)
            label = name.partition("/")[0] if "/" in name else NO_LABEL
            labels = [] if label == NO_LABEL else [unquote(label)]
            yield Record(subset, ids.give(subset, name, name), image, None, name), labels


def _join(*parts: str) -> str:
    return "/".join(part for part in parts if part)


def write(dataset: Dataset, sink: Sink) -> None:
    """Write the images into a folder for each label, of several labels into each of theirs."""
    subsets: dict[str, dict[str, Entry]] = {}
    plain: dict[str, bool] = {}
    for item in dataset:
        subset = simple_name(item.subset, "subset")
        entries = subsets.setdefault(subset, {})
        id = item_id(item.id)
        labels = list(dict.fromkeys(note.label for note in item.annotations if note.label))
        paths = [f"{quote(label)}/{_name(id, label)}" for label in labels or [NO_LABEL]]
        ext = image_extension(item)
        if item.media is not None and item.media.files:
            written = [_below(subset, sink.media(item, f"{subset}/{one}{ext}")) for one in paths]
        else:
            written = [one + ext for one in paths]
        entries[id] = Entry(written[0], labels)
        there = bool(item.origins) and item.origins[0] is not None and sink.save_media
        told = there and strip_extension(written[0]) == id and len(labels) == 1
        plain[subset] = plain.get(subset, True) and told and quote(labels[0]) == labels[0]
    for subset, entries in subsets.items():
        if not plain[subset]:
            sink.json(
                f"{subset}/{LABELS}",
                {id: entry._asdict() for id, entry in entries.items()},
                indent=1,
            )
    folders = {subset_key(subset, subsets): subset for subset in subsets}
    note_missing(sink, folders)
    names = dict(enumerate(dataset.labels.names))
    sink.text(DATA, settings(dataset, names, folders, {"task": "classify"}))


def _name(id: str, label: str) -> str:
    """Return the name of an item in the folder of a label, which may be the id's first part."""
    return id.removeprefix(f"{quote(label)}/")
