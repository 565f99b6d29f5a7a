"""Labels: the names that annotations carry, what they mean, and which attributes go with them."""

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any, Literal

import msgspec

from dvcs.names import label_key

Scalar = str | int | float | bool | None
Value = Scalar | list[Scalar]


class AttributeSpec(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """A declared attribute: its values' type, what it may be, and what it is when not said."""

    name: str
    type: Literal["", "text", "number", "checkbox", "select", "radio"] = ""
    values: tuple[Scalar, ...] = ()
    default: Scalar = None
    mutable: bool = False


class Category(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """
    One label: its `key` never changes, its `name` is what people and formats see.

    `id` is its number in the file that it came from; `parent` is a label's name or a group's;
    `color` is red, green, blue; `joints` are pairs of positions in `keypoints`, from 0.
    """

    name: str
    key: str = ""
    id: int | str | None = None
    parent: str | None = None
    display_name: str | None = None
    color: tuple[int, int, int] | None = None
    keypoints: tuple[str, ...] = ()
    joints: tuple[tuple[int, int], ...] = ()
    attributes: tuple[AttributeSpec, ...] = ()
    extra: dict[str, Any] = {}

    def __post_init__(self) -> None:
        if not self.key:
            msgspec.structs.force_setattr(self, "key", label_key(self.name))


class Labels:
    """
    The labels of a dataset in order, found by name.

    Names are unique, and so are keys. `attributes` are declared for all labels.
    """

    def __init__(
        self,
        categories: Iterable[Category | str] = (),
        *,
        attributes: Iterable[AttributeSpec] = (),
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        self.categories = tuple(
            Category(name=one) if isinstance(one, str) else one for one in categories
        )
        self.attributes = tuple(attributes)
        self.extra = dict(extra or {})
        self._index = {one.name: n for n, one in enumerate(self.categories)}
        if len(self._index) != len(self.categories):
            raise ValueError("two labels have the same name")

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names in order."""
        return tuple(one.name for one in self.categories)

    def __len__(self) -> int:
        return len(self.categories)

    def __iter__(self) -> Iterator[Category]:
        return iter(self.categories)

    def __contains__(self, name: object) -> bool:
        return name in self._index

    def __getitem__(self, name: str) -> Category:
        return self.categories[self._index[name]]

    def index(self, name: str) -> int:
        """Return the position of a label. Raises KeyError where no label is called so."""
        return self._index[name]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Labels):
            return NotImplemented
        return (self.categories, self.attributes, self.extra) == (
            other.categories,
            other.attributes,
            other.extra,
        )

    def __hash__(self) -> int:
        return hash(self.names)

    def __repr__(self) -> str:
        return f"Labels({list(self.names)!r})"

    def replaced(self, categories: Iterable[Category]) -> "Labels":
        """Return labels with other categories and everything else kept."""
        return Labels(categories, attributes=self.attributes, extra=self.extra)

    def united(self, other: "Labels") -> "Labels":
        """Return these labels and those of `other` that these do not have, in order."""
        added = [one for one in other.categories if one.name not in self._index]
        if not added and not other.attributes and not other.extra:
            return self
        known = {spec.name for spec in self.attributes}
        specs = [spec for spec in other.attributes if spec.name not in known]
        return Labels(
            (*self.categories, *added),
            attributes=(*self.attributes, *specs),
            extra={**other.extra, **self.extra},
        )
