"""What a dataset holds, in numbers, from one walk over its items; memory stays bounded."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

import msgspec

from dvcs.model import Dataset, Item


class MediaInfo(msgspec.Struct, frozen=True, kw_only=True):
    """
    Files of media by what is known of them: `count` files, `bytes` the sum of the known sizes.

    `without_size` counts files whose size is unknown, `hashed` those whose SHA-256 is known,
    `kinds` items by the kind of their media, `absent` items without any.
    """

    count: int = 0
    bytes: int = 0
    without_size: int = 0
    hashed: int = 0
    absent: int = 0
    kinds: dict[str, int] = {}


class Info(msgspec.Struct, frozen=True, kw_only=True):
    """
    The numbers of a dataset; those of its parts can be added.

    `labels` has the annotations of each label, in the order of the dataset's labels, 0 where a
    label is declared and not used; `unlabelled` are annotations without a label. `instances` counts
    each group of an item once. `annotated` says of how many items it is known whether someone
    looked at them: keys `true`, `false`, `unknown`; `empty` are items without annotations.
    """

    items: int = 0
    annotations: int = 0
    instances: int = 0
    empty: int = 0
    unlabelled: int = 0
    subsets: dict[str, int] = {}
    sources: dict[str, int] = {}
    labels: dict[str, int] = {}
    annotation_types: dict[str, int] = {}
    annotated: dict[str, int] = {}
    attributes: dict[str, int] = {}
    item_attributes: dict[str, int] = {}
    media: MediaInfo = MediaInfo()

    def __add__(self, other: "Info") -> "Info":
        return msgspec.convert(_added(msgspec.to_builtins(self), msgspec.to_builtins(other)), Info)

    def report(self) -> dict[str, Any]:
        """Return the numbers as plain values for JSON, keyed as the fields are."""
        result: dict[str, Any] = msgspec.to_builtins(self)
        return result


def summarise(dataset: Dataset) -> Info:
    """Return the numbers of a dataset. Walks it once."""
    counts = _Counts(name for name in dataset.labels.names)
    for item in dataset:
        counts.add(item)
    return counts.info()


_ANNOTATED = {True: "true", False: "false", None: "unknown"}


class _Counts:
    def __init__(self, labels: Iterable[str]) -> None:
        self.labels: Counter[str | None] = Counter(dict.fromkeys(labels, 0))
        self.numbers: Counter[str] = Counter()
        self.subsets: Counter[str] = Counter()
        self.sources: Counter[str] = Counter()
        self.types: Counter[str] = Counter()
        self.annotated: Counter[str] = Counter()
        self.attributes: Counter[str] = Counter()
        self.item_attributes: Counter[str] = Counter()
        self.media_kinds: Counter[str] = Counter()
        self.media: Counter[str] = Counter()

    def add(self, item: Item) -> None:
        notes = item.annotations
        self.numbers["items"] += 1
        self.numbers["annotations"] += len(notes)
        self.numbers["empty"] += not notes
        self.subsets[item.subset] += 1
        self.sources[item.source] += 1
        self.annotated[_ANNOTATED[item.annotated]] += 1
        self.item_attributes.update(item.attributes.keys())
        self.labels.update([note.label for note in notes])
        self.types.update([note.kind for note in notes])
        groups = [note.group for note in notes if note.group]
        self.numbers["instances"] += len(notes) - len(groups) + len(set(groups))
        for note in notes:
            if note.attributes:
                self.attributes.update(note.attributes.keys())
        self._add_media(item)

    def _add_media(self, item: Item) -> None:
        if item.media is None:
            self.media["absent"] += 1
            return
        self.media_kinds[item.media.kind] += 1
        for file in item.media.files:
            self.media["count"] += 1
            if file.size is None:
                self.media["without_size"] += 1
            else:
                self.media["bytes"] += file.size
            self.media["hashed"] += file.sha256 is not None

    def info(self) -> Info:
        unlabelled = self.labels.pop(None, 0)
        return Info(
            **self.numbers,
            unlabelled=unlabelled,
            subsets=_sorted(self.subsets),
            sources=_sorted(self.sources),
            labels={name: count for name, count in self.labels.items() if name is not None},
            annotation_types=_sorted(self.types),
            annotated={name: self.annotated[name] for name in _ANNOTATED.values()},
            attributes=_sorted(self.attributes),
            item_attributes=_sorted(self.item_attributes),
            media=MediaInfo(**self.media, kinds=_sorted(self.media_kinds)),
        )


def _sorted(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items()))


def _added(one: Any, other: Any) -> Any:
    """Add numbers, and mappings of numbers name by name."""
    if isinstance(one, dict):
        return {
            name: _added(one[name], other[name])
            if name in one and name in other
            else one.get(name, other.get(name))
            for name in {**one, **other}
        }
    return one + other
