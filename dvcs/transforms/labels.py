"""Transforms of the labels."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import msgspec

from dvcs.errors import UsageError
from dvcs.model import Category, Dataset, Item, Labels


def remap_labels(
    dataset: Dataset,
    *,
    mapping: Annotated[Mapping[str, str], "new name of each label; '' deletes it"],
    default: Annotated[Literal["keep", "delete"], "what becomes of labels not named"] = "keep",
) -> Dataset:
    """
    Rename, join and delete labels.

    Labels that get the same name are joined: the first one's properties stay. A deleted label goes
    with its annotations; annotations without a label stay. A label renamed alone keeps its key, so
    that a repository sees a rename and not a new label.
    """
    unknown = [name for name in mapping if name not in dataset.labels]
    if unknown:
        raise UsageError(
            f"no label is called '{unknown[0]}'", hint=f"labels: {', '.join(dataset.labels.names)}"
        )
    names: dict[str, str | None] = {}
    kept: dict[str, Category] = {}
    for one in dataset.labels:
        new = mapping.get(one.name, one.name if default == "keep" else "")
        names[one.name] = new or None
        if new and new not in kept:
            kept[new] = msgspec.structs.replace(one, name=new)
    return _relabelled(dataset, dataset.labels.replaced(kept.values()), names)


def project_labels(
    dataset: Dataset,
    *,
    labels: Annotated[Sequence[str], "the labels of the result, in order"],
) -> Dataset:
    """
    Give a dataset exactly these labels, in this order.

    Labels that it has and that are not named go with their annotations; named ones that it does not
    have are added.
    """
    known = {one.name: one for one in dataset.labels}
    projected = [known.get(name) or Category(name=name) for name in dict.fromkeys(labels)]
    names = {name: name if name in set(labels) else None for name in known}
    return _relabelled(dataset, dataset.labels.replaced(projected), names)


def _relabelled(dataset: Dataset, labels: Labels, names: Mapping[str, str | None]) -> Dataset:
    """Return a dataset with labels renamed; None deletes their annotations."""

    def change(item: Item) -> Item:
        notes = []
        for note in item.annotations:
            if note.label is None:
                notes.append(note)
                continue
            new = names.get(note.label, note.label)
            if new is not None:
                notes.append(note if new == note.label else note.with_(label=new))
        return item.with_(annotations=notes)

    return dataset.map(change, labels=labels)
