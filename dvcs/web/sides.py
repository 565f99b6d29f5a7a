"""Where a page gets the items of a side: a commit, or datasets that are walked for them."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import groupby
from typing import TYPE_CHECKING, Any, Protocol

from dvcs.compare import plain_annotation
from dvcs.model import Annotation, Dataset, Item, Labels

if TYPE_CHECKING:
    from dvcs.repository import Repository

Key = tuple[str, str, str]
"""Source, subset and id of an item."""

UNTOLD = frozenset({"derived", "extra", "unknown"})
"""Fields of an annotation that a page does not tell of."""


class Side(Protocol):
    """One side of a comparison; `title` is what people call it."""

    title: str

    def items(self, keys: Collection[Key]) -> Iterator[Item]:
        """Yield the items of these names that there are, in any order."""

    def labels(self, source: str) -> Labels:
        """Return the labels of a source; none where it is not there."""


class CommitSide:
    """A commit (None: nothing)."""

    def __init__(self, repo: "Repository", oid: bytes | None, title: str) -> None:
        self.title = title
        self._snapshot = repo.snapshot(oid)
        self._media = repo.media_access

    def items(self, keys: Collection[Key]) -> Iterator[Item]:
        """Yield the items of these names; only they are read."""
        for source, wanted in groupby(sorted(keys), key=lambda key: key[0]):
            if source not in self._snapshot.sources:
                continue
            for _, subset, id in wanted:
                item = self._snapshot.item(source, subset, id, self._media)
                if item is not None:
                    yield item

    def labels(self, source: str) -> Labels:
        """Return the labels of a source."""
        known = source in self._snapshot.sources
        return self._snapshot.labels(source) if known else Labels()


class DatasetSide:
    """Datasets by source ('' for one that has none); walked once for what is asked."""

    def __init__(self, datasets: Mapping[str, Dataset], title: str) -> None:
        self.title = title
        self._datasets = datasets

    def items(self, keys: Collection[Key]) -> Iterator[Item]:
        """Yield the items of these names."""
        wanted = set(keys)
        for source, dataset in self._datasets.items():
            if not any(key[0] == source for key in wanted):
                continue
            for item in dataset:
                if (source, item.subset, item.id) in wanted:
                    yield item.with_(source=source)

    def labels(self, source: str) -> Labels:
        """Return the labels of a source."""
        return self._datasets[source].labels if source in self._datasets else Labels()


class SidesBySource:
    """Sides of which each has sources of its own: working copies were written from many commits."""

    def __init__(self, sides: Mapping[str, Side], title: str) -> None:
        self.title = title
        self._sides = sides

    def items(self, keys: Collection[Key]) -> Iterator[Item]:
        """Yield the items of these names."""
        for source, wanted in groupby(sorted(keys), key=lambda key: key[0]):
            if source in self._sides:
                yield from self._sides[source].items(list(wanted))

    def labels(self, source: str) -> Labels:
        """Return the labels of a source."""
        return self._sides[source].labels(source) if source in self._sides else Labels()


def drawable(note: Annotation) -> dict[str, Any]:
    """Return an annotation as a page draws it and tells of it: without what a format keeps."""
    fields = plain_annotation(note) or {}
    return {name: value for name, value in fields.items() if name not in UNTOLD}


def skeletons(labels: Iterable[Labels]) -> dict[str, Any]:
    """Return names and joints of keypoints by label; what comes first counts."""
    found: dict[str, Any] = {}
    for held in labels:
        for one in held:
            if one.keypoints or one.joints:
                known = {"keypoints": list(one.keypoints), "joints": [list(x) for x in one.joints]}
                found.setdefault(one.name, known)
    return found
