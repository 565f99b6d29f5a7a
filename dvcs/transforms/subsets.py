"""Transforms of what belongs to which subset."""

from collections.abc import Mapping
from typing import Annotated

from dvcs.model import Dataset


def map_subsets(
    dataset: Dataset,
    *,
    mapping: Annotated[Mapping[str, str], "new name of each subset"],
) -> Dataset:
    """Rename subsets; those that get the same name are joined."""
    return dataset.map(lambda item: item.with_(subset=mapping.get(item.subset, item.subset)))
