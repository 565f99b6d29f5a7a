"""
The transforms: functions from dataset to dataset, a row each in `ROWS`.

A transform's keyword-only parameters are its options, its docstring is its help. Put a new one
into the module of its kin and its row here. All are lazy: items change as they are walked.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from dvcs.errors import UnknownName
from dvcs.model import Dataset

Transform = Callable[..., Dataset]

ROWS: dict[str, str] = {
    # name of the transform: module that has a function of that name
    "boxes_to_masks": "shapes",
    "map_subsets": "subsets",
    "masks_to_polygons": "shapes",
    "polygons_to_masks": "shapes",
    "project_labels": "labels",
    "remap_labels": "labels",
    "shapes_to_boxes": "shapes",
}


def find(name: str) -> Transform:
    """Return the transform of a name. Raises UnknownName, with a suggestion."""
    if name not in ROWS:
        raise UnknownName("transform", name, ROWS)
    module = import_module(f"dvcs.transforms.{ROWS[name]}")
    transform: Transform = getattr(module, name)
    return transform


def apply(dataset: Dataset, name: str, **options: Any) -> Dataset:
    """Return a dataset passed through the transform of a name."""
    return find(name)(dataset, **options)
