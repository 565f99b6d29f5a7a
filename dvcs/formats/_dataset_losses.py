"""What a format cannot hold of a dataset as a whole: who made it, and what its licence allows."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

FIELDS: Mapping[str, tuple[str, str]] = {
    "dataset.info": (
        "the description of the dataset (info) is left out",
        "{:,} descriptions of the dataset (info) are left out",
    ),
    "dataset.licenses": (
        "the licence of the dataset is left out",
        "{:,} licences of the dataset are left out",
    ),
}
"""How it is told, by the name it is counted under."""
KEYS: Mapping[str, str] = {
    "info": "dataset.info",
    "license": "dataset.licenses",
    "licenses": "dataset.licenses",
}
"""Under which names formats say it. All else in the metadata is of their files, not of the data."""
DEPTH = 3
"""How deep it stands in a format's metadata: COCO has it for each of its files."""


def lost_of_dataset(metadata: Mapping[str, Any], own: Callable[[str], bool]) -> Counter[str]:
    """
    Return how much of a dataset's metadata a format does not hold, by field as in `FIELDS`.

    `own` tells whether metadata of a format's name are held. What several files say alike is
    counted once.
    """
    found: list[tuple[str, Any]] = []
    for name, said in metadata.items():
        for pair in () if own(name) else _said(said, DEPTH):
            if pair not in found:
                found.append(pair)
    return Counter(field for field, _ in found)


def _said(metadata: Any, depth: int) -> Iterator[tuple[str, Any]]:
    if not isinstance(metadata, Mapping) or not depth:
        return
    for key, value in metadata.items():
        if key in KEYS:
            for one in value if isinstance(value, list) else [value]:
                if _says_something(one):
                    yield KEYS[key], one
        else:
            yield from _said(value, depth - 1)


def _says_something(value: Any) -> bool:
    return any(map(_says_something, value.values())) if isinstance(value, Mapping) else bool(value)


def line(field: str, count: int) -> str:
    """Return what happened to a field of the dataset as a sentence."""
    return FIELDS[field][count != 1].format(count)
