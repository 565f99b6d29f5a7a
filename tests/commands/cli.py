"""Runs dvcs in this process, as `main` does, and makes small datasets for it."""

import contextlib
import io
import json
from pathlib import Path
from typing import Any, NamedTuple

from dvcs.commands import run
from tests.gallery import png


class Result(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert self.code == 0, self.err
        return json.loads(self.out)


def dvcs(*arguments: object) -> Result:
    """Run a command; return its exit code, and what it wrote to stdout and stderr."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run([str(one) for one in arguments])
    return Result(code, out.getvalue(), err.getvalue())


def ok(*arguments: object) -> str:
    """Run a command that must succeed; return its stdout."""
    done = dvcs(*arguments)
    assert done.code == 0, done.err
    return done.out


def coco(folder: Path, boxes: dict[str, list[tuple[str, float]]], *, images: bool = True) -> Path:
    """
    Write a COCO dataset: for each image, labels and x of its boxes, 10 wide and high at y = 5.

    The ids of annotations count from 1 over all images; subset `train`, image size 64 x 48.
    """
    names = sorted({label for held in boxes.values() for label, _ in held})
    records: dict[str, list[dict[str, Any]]] = {
        "images": [],
        "annotations": [],
        "categories": [{"id": n, "name": name} for n, name in enumerate(names, 1)],
    }
    (folder / "annotations").mkdir(parents=True, exist_ok=True)
    (folder / "images" / "train").mkdir(parents=True, exist_ok=True)
    for n, (image, held) in enumerate(boxes.items(), 1):
        record = {"id": n, "file_name": f"{image}.png", "width": 64, "height": 48}
        records["images"].append(record)
        if images:
            (folder / "images" / "train" / f"{image}.png").write_bytes(png(n))
        for label, x in held:
            records["annotations"].append(
                {
                    "id": len(records["annotations"]) + 1,
                    "image_id": n,
                    "category_id": names.index(label) + 1,
                    "bbox": [x, 5.0, 10.0, 10.0],
                    "area": 100.0,
                    "iscrowd": 0,
                }
            )
    file = folder / "annotations" / "instances_train.json"
    file.write_text(json.dumps(records, indent=1), "utf-8")
    return folder
