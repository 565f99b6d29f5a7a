"""A small COCO dataset made by code, and what tests of working copies do with it."""

import json
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dvcs.repository import Repository
from dvcs.repository.working import worktree

WIDTH, HEIGHT = 64, 48
JSON = "annotations/instances_train.json"


def png(seed: int, width: int = WIDTH, height: int = HEIGHT) -> bytes:
    """Return a grey PNG; other seeds give other bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    rows = b"".join(
        b"\0" + bytes((seed * 7 + x) % 256 for x in range(width)) for _ in range(height)
    )
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", head),
            chunk(b"IDAT", zlib.compress(rows)),
            chunk(b"IEND", b""),
        )
    )


def annotation(id: int, image: int, category: int, x: float, y: float) -> dict[str, Any]:
    """Return an object with a polygon (an L of 20 by 10) and its box."""
    ring = [x, y, x + 20, y, x + 20, y + 5, x + 10, y + 5, x + 10, y + 10, x, y + 10]
    return {
        "id": id,
        "image_id": image,
        "category_id": category,
        "segmentation": [ring],
        "area": 150.0,
        "bbox": [x, y, 20.0, 10.0],
        "iscrowd": 0,
    }


def boxed(id: int, image: int, category: int, x: float, y: float) -> dict[str, Any]:
    """Return an object with a box only."""
    return {
        "id": id,
        "image_id": image,
        "category_id": category,
        "segmentation": [],
        "area": 200.0,
        "bbox": [x, y, 20.0, 10.0],
        "iscrowd": 0,
    }


def coco(count: int = 4) -> dict[str, Any]:
    """Return a COCO file: on each image a polygon of a cat, and a box of a dog."""
    notes = []
    for n in range(1, count + 1):
        notes += [annotation(10 * n + 1, n, 1, 2.0 + n, 3.0), boxed(10 * n + 2, n, 2, 30.0, 30.5)]
    return {
        "info": {"year": 2026},
        "licenses": [],
        "images": [
            {"id": n, "file_name": f"{n}.png", "width": WIDTH, "height": HEIGHT}
            for n in range(1, count + 1)
        ],
        "annotations": notes,
        "categories": [
            {"id": 1, "name": "cat", "supercategory": "pet"},
            {"id": 2, "name": "dog", "supercategory": "pet"},
        ],
    }


def make(folder: Path, count: int = 4) -> Path:
    """Write the dataset to a folder."""
    for n in range(1, count + 1):
        image(folder, n)
    (folder / "annotations").mkdir(parents=True)
    (folder / JSON).write_text(json.dumps(coco(count)))
    return folder


def image(folder: Path, n: int, seed: int | None = None) -> Path:
    """Write an image of the dataset."""
    path = folder / "images" / "train" / f"{n}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(png(n if seed is None else seed))
    return path


def edit(folder: Path, change: Callable[[dict[str, Any]], None], file: str = JSON) -> None:
    """Change the annotation file as a script would."""
    path = folder / file
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))


def note(data: dict[str, Any], id: int) -> dict[str, Any]:
    """Return the annotation of an id."""
    return next(one for one in data["annotations"] if one["id"] == id)


def tracked(root: Path, count: int = 4, *, written: bool = True) -> tuple[Repository, Path]:
    """
    Return a repository with the dataset as a committed working copy `pets`.

    With `written` its files are dvcs's own spelling, else those of `make`.
    """
    from dvcs.repository.working import checkout

    repo = Repository.init(root)
    folder = make(root / "pets", count)
    worktree.add(repo, folder)
    worktree.commit(repo, message="first")
    if written:
        checkout.restore(repo)
    return repo, folder


def only(repo: Repository) -> worktree.CopyStatus:
    """Return the status of the one working copy."""
    (copy,) = worktree.status(repo).copies
    return copy


def files(folder: Path) -> dict[str, bytes]:
    """Return all files below a folder but the stamp, which names the revision."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".dvcs-export.json"
    }


def changes(repo: Repository) -> list[tuple[str, str, list[tuple[str, tuple[str, ...]]]]]:
    """Return the changes of the one working copy: id, status, and of annotations what changed."""
    return [
        (one.id, one.status, [(each.status, each.fields) for each in one.annotations])
        for one in only(repo).changes
    ]


def stored(repo: Repository, revision: str = "HEAD") -> dict[tuple[str, str], bytes]:
    """Return the blobs of all items of a revision."""
    snapshot = repo.snapshot(repo.resolve(revision))
    return {
        (subset, name.decode()): blobs
        for source in snapshot.sources
        for subset in snapshot.sources[source].subsets
        for name, blobs in snapshot.names(source, subset).items()
    }
