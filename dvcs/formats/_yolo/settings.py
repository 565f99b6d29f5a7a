"""Writing the `data.yaml` of an Ultralytics dataset."""

from collections.abc import Container
from typing import Any

from dvcs.errors import UsageError
from dvcs.files import Sink
from dvcs.formats._yolo import write
from dvcs.formats._yolo.config import SETTINGS
from dvcs.formats._yolo.files import VALIDATION
from dvcs.formats._yolo.write import metadata, other_name
from dvcs.formats._yolo.yaml import dump
from dvcs.model import Dataset, Labels

DATA = "data.yaml"
NOT_AGAIN = frozenset({"download", "path"})
"""Keys that are not written again: a script that Ultralytics would run, the writer's own folder."""


def subset_key(subset: str, subsets: Container[str]) -> str:
    """Return the key of a subset in data.yaml: `val` where only one is for validation."""
    if subset in VALIDATION and not any(one in subsets for one in VALIDATION - {subset}):
        return "val"
    if subset in SETTINGS or subset == "<<":
        raise UsageError(f"data.yaml cannot have a subset '{subset}'", hint=other_name(subset))
    return subset


def note_missing(sink: Sink, subsets: dict[str, str]) -> None:
    """Note which of the subsets that Ultralytics needs are not there."""
    missing = [key for key in ("train", "val") if subsets and key not in subsets]
    write.note_missing(sink, "Ultralytics", missing)


def settings(
    dataset: Dataset, names: dict[int, str], subsets: dict[str, str], extra: dict[str, Any]
) -> str:
    """Return data.yaml: subsets, names, what is of the task, and what was said when it was read."""
    order = {"train": 0, "val": 1, "test": 2}
    sorted_subsets = dict(sorted(subsets.items(), key=lambda pair: order.get(pair[0], 3)))
    rest = metadata(dataset)
    shape = extra.get("kpt_shape")
    if shape is None or len(rest.get("flip_idx") or ()) != shape[0]:
        rest.pop("flip_idx", None)
    said = {**sorted_subsets, "nc": len(names), "names": names, **extra}
    again = {key: rest[key] for key in rest if key not in said and key not in NOT_AGAIN}
    return dump({**said, **again})


def keypoints(labels: Labels, names: dict[int, str], shape: tuple[int, int]) -> dict[str, Any]:
    """Return what data.yaml says of keypoints: their number, and their names by label."""
    named = {
        index: list(labels[name].keypoints)
        for index, name in names.items()
        if name in labels and labels[name].keypoints
    }
    found: dict[str, Any] = {"kpt_shape": list(shape)}
    return {**found, "kpt_names": named} if named else found
