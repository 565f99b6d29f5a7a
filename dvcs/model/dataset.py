"""Items and datasets: what is known of one image, and a way to walk many of them."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Self

import msgspec

from dvcs.model.annotations import Annotation
from dvcs.model.labels import Category, Labels
from dvcs.model.media import Media, Origin


class Item(msgspec.Struct, frozen=True):
    """
    One image (point cloud, frame, ...) and what is known of it.

    `(source, subset, id)` names it. `annotated` tells an image without objects (True) from one
    that nobody looked at (False); None is unknown. `origins` goes with `media.files`: where their
    bytes are, None where they are not to be had.
    """

    id: str
    subset: str = "default"
    media: Media | None = None
    annotations: Sequence[Annotation] = ()
    attributes: Mapping[str, Any] = {}
    annotated: bool | None = None
    extra: Mapping[str, Any] = {}
    source: str = ""
    origins: tuple[Origin | None, ...] = ()

    def with_(self, **changes: Any) -> "Item":
        """Return a copy with some fields changed."""
        return msgspec.structs.replace(self, **changes)

    @property
    def key(self) -> tuple[str, str, str]:
        """What names the item, in the order in which a dataset is walked."""
        return self.source, self.subset, self.id

    @property
    def file_name(self) -> str:
        """The path of its first media file in a dataset: as it was, else the id and extension."""
        if self.media is None or not self.media.files:
            return self.id
        first = self.media.files[0]
        return first.name if first.name is not None else self.id + first.ext


Boxed = tuple[Item, Mapping[str, int]]
"""
An item with boxes in place of polygons and masks, and how many there were of these, by kind.

Only of such as have a label and no group. Their boxes are what `convert` makes of them.
"""


class Dataset:
    """
    Labels, metadata, and a way to walk the items: a recipe, not a container.

    Nothing is read until it is walked, and each walk calls `walk` afresh. Items come in the order
    (source, subset, id) where a dataset comes out of a repository, else in the order of its files.
    `metadata` is what a format said of the whole dataset, under the format's name (COCO's `info`
    and `licenses`); `format` is the name of the format it was read from.
    """

    def __init__(
        self,
        labels: Labels | Iterable[str],
        walk: Callable[[], Iterable[Item]],
        *,
        metadata: Mapping[str, Any] | None = None,
        format: str = "",
        count: int | None = None,
        subset_names: Sequence[str] | None = None,
        decoded: bool = False,
        boxed: Callable[[], Iterable["Boxed"]] | None = None,
    ) -> None:
        self.labels = labels if isinstance(labels, Labels) else Labels(labels)
        self.metadata: Mapping[str, Any] = metadata or {}
        self.format = format
        self.count = count
        """How many items there are, where that is known without a walk."""
        self.subset_names = subset_names
        """The names of the subsets, where they are known without a walk."""
        self.decoded = decoded
        """
        Whether all values of all annotations have the types that the model declares, because a
        typed decoder of JSON or a reader that checked each number made them: no int for a float, no
        NaN, nothing of numpy's.
        """
        self.boxed = boxed
        """A walk that makes boxes of outlines as it reads them, where that is quicker."""
        self._walk = walk

    @classmethod
    def from_items(
        cls,
        items: Iterable[Item],
        labels: Labels | Iterable[str] = (),
        *,
        metadata: Mapping[str, Any] | None = None,
    ) -> "Dataset":
        """Return a dataset of these items; labels that are used but not given are added."""
        held = list(items)
        known = labels if isinstance(labels, Labels) else Labels(labels)
        used = dict.fromkeys(
            note.label for item in held for note in item.annotations if note.label is not None
        )
        missing = [Category(name=name) for name in used if name not in known]
        if missing:
            known = known.replaced((*known.categories, *missing))
        return cls(known, lambda: held, metadata=metadata, count=len(held))

    def __iter__(self) -> Iterator[Item]:
        return iter(self._walk())

    def __len__(self) -> int:
        if self.count is None:
            self.count = sum(1 for _ in self)
        return self.count

    def __repr__(self) -> str:
        count = "?" if self.count is None else self.count
        return f"Dataset({count} items, {len(self.labels)} labels)"

    def derive(
        self,
        walk: Callable[[], Iterable[Item]],
        *,
        labels: Labels | None = None,
        count: int | None = None,
        subset_names: Sequence[str] | None = None,
    ) -> Self:
        """Return a dataset with another walk, and everything else kept."""
        return type(self)(
            self.labels if labels is None else labels,
            walk,
            metadata=self.metadata,
            format=self.format,
            count=count,
            subset_names=subset_names,
        )

    def map(self, change: Callable[[Item], Item | None], labels: Labels | None = None) -> Self:
        """Return a dataset that passes each item through `change`; None drops the item."""

        def walk() -> Iterator[Item]:
            return (new for item in self if (new := change(item)) is not None)

        return self.derive(walk, labels=labels)

    def select(self, keep: Callable[[Item], bool]) -> Self:
        """Return a dataset of the items for which `keep` is true."""
        return self.derive(lambda: (item for item in self if keep(item)))

    @property
    def subsets(self) -> dict[str, Self]:
        """A dataset for each subset, in order of name. Walks once to find them."""
        names = self.subset_names or sorted({item.subset for item in self})
        return {name: self.select(lambda item, n=name: item.subset == n) for name in names}  # type: ignore[misc]
