"""
How well a vote finds back what annotators were given: two COCO files, before and after.

    python benchmarks/vote_quality.py BASE.json MERGED.json

An annotation is back where the result has one of the same label, and an IoU of their boxes of 0.5
or more, on the same image; each counts once, the most alike first. Writes the percentage of the
base that is back, and that of the result that has no annotation of the base, of whatever label.
"""

import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

ALIKE = 0.5
Held = dict[str, list[tuple[str, list[float]]]]


def read(path: Path) -> Held:
    """Return labels and boxes by the stem of the image's name."""
    data: dict[str, Any] = json.loads(path.read_text("utf-8"))
    labels = {one["id"]: one["name"] for one in data["categories"]}
    images = {one["id"]: Path(one["file_name"]).stem for one in data["images"]}
    held: Held = defaultdict(list)
    for one in data["annotations"]:
        held[images[one["image_id"]]].append((labels[one["category_id"]], one["bbox"]))
    return held


def overlaps(one: list[list[float]], other: list[list[float]]) -> "np.ndarray[Any, Any]":
    """Return the IoU of each box (x, y, width, height) with each other."""
    a, b = np.array(one)[:, None], np.array(other)[None]
    low = np.maximum(a[..., :2], b[..., :2])
    high = np.minimum(a[..., :2] + a[..., 2:], b[..., :2] + b[..., 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=-1)
    both = np.prod(a[..., 2:], axis=-1) + np.prod(b[..., 2:], axis=-1) - shared
    found: np.ndarray[Any, Any] = shared / np.maximum(both, 1e-9)
    return found


def paired(base: Held, merged: Held, *, labelled: bool) -> int:
    """Count annotations of two datasets that are the same one."""
    count = 0
    for name, old in base.items():
        new = merged.get(name)
        if not new:
            continue
        alike = overlaps([box for _, box in old], [box for _, box in new])
        if labelled:
            same = np.array([[a == b for b, _ in new] for a, _ in old])
            alike = np.where(same, alike, 0)
        alike[alike < ALIKE] = 0
        rows, columns = linear_sum_assignment(-alike)
        count += int(np.count_nonzero(alike[rows, columns]))
    return count


def main() -> None:
    """Compare two files."""
    base, merged = (read(Path(one)) for one in sys.argv[1:3])
    total = sum(map(len, base.values()))
    found = sum(map(len, merged.values()))
    back = paired(base, merged, labelled=True) / total
    new = 1 - paired(base, merged, labelled=False) / found
    print(f"{100 * back:.2f} % of the base back, {100 * new:.2f} % not in it")


if __name__ == "__main__":
    main()
