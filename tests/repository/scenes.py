"""Repositories and datasets for tests, Git as the second opinion on them, and whole reads."""

import json
import os
import signal
import struct
import subprocess
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from dvcs.model import Bbox, Dataset, Item, Labels, Media, MediaFile
from dvcs.names import quote
from dvcs.objects.items import encode_item, key_maps
from dvcs.repository import Repository
from dvcs.repository.fsck import Finding, fsck
from dvcs.repository.transaction import Transaction


def git(repo: Repository | Path, *arguments: str, data: bytes | None = None) -> str:
    """Run Git on a repository of dvcs; return what it prints, fail where it does."""
    folder = repo.layout.git if isinstance(repo, Repository) else repo
    done = subprocess.run(
        ["git", *arguments], cwd=folder, input=data, capture_output=True, check=False
    )
    assert done.returncode == 0, f"git {arguments}: {done.stderr.decode()}{done.stdout.decode()}"
    return done.stdout.decode()


def box(x: float = 1.0, label: str = "cat", **more) -> Bbox:
    """Return a box of 10 by 20."""
    return Bbox(x=x, y=2.0, w=10.0, h=20.0, label=label, **more)


def item(id: str, subset: str = "train", x: float = 1.0, **more) -> Item:
    """Return an item with one box at `x`."""
    return Item(id=id, subset=subset, annotations=[box(x)], **more)


def items(count: int, subset: str = "train", x: float = 1.0) -> list[Item]:
    """Return items called 0000, 0001, ..."""
    return [item(f"{n:04}", subset, x + n) for n in range(count)]


def dataset(held: Iterable[Item], labels: Labels | Iterable[str] = ("cat",), **more) -> Dataset:
    """Return a dataset of items."""
    return Dataset.from_items(held, labels, **more)


def commit(
    repo: Repository, held: Iterable[Item], message: str = "a change", source: str = "a", **more
) -> bytes:
    """Commit items as the whole contents of a source; return the commit."""
    labels = more.pop("labels", ("cat",))
    return repo.commit(dataset(held, labels), message=message, source=source, **more).oid


def put(change: Transaction, source: str, *held: Item) -> None:
    """Set single items in a transaction."""
    keys, _ = key_maps(change.before.labels(source))
    changes: dict[str, dict[bytes, bytes]] = {}
    for one in held:
        blobs = b"".join(change.writer.blob(part) for part in encode_item(one, keys))
        changes.setdefault(one.subset, {})[quote(one.id).encode()] = blobs
    change.change_items(source, changes)


def drop(change: Transaction, source: str, *names: str) -> None:
    """Remove single items, given as `subset/id`, in a transaction."""
    for name in names:
        subset, _, id = name.partition("/")
        change.change_items(source, {subset: {quote(id).encode(): None}})


def change_item(repo: Repository, one: Item, source: str = "a", **more) -> bytes:
    """Commit one changed item; return the commit."""
    with repo.transaction(**more) as change:
        put(change, source, one)
        return change.commit(f"Change {one.id}", operation="edit").oid


def contents(repo: Repository, revision: str = "HEAD") -> dict[tuple[str, str, str], list]:
    """Return the annotations of every item of every source, by (source, subset, id)."""
    snapshot = repo.snapshot(repo.resolve(revision))
    return {
        one.key: list(one.annotations)
        for source in snapshot.sources
        for one in snapshot.dataset(source, repo.media_access)
    }


def files(folder: Path) -> dict[str, bytes]:
    """Return all files below a folder and what is in them."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def state(repo: Repository) -> dict[str, bytes]:
    """Return what must not change when an operation fails: all but locks, which are rewritten."""
    locks = ("state/lock", "state/writers", "state/upkeep")
    return {name: data for name, data in files(repo.layout.git).items() if name not in locks}


def findings(repo: Repository, severity: str = "error") -> list[Finding]:
    """Return what fsck finds."""
    return [one for one in fsck(repo) if one.severity == severity]


def check_sound(repo: Repository, *, warnings: bool = False) -> None:
    """Fail where fsck or Git find anything (with `warnings`: anything but warnings)."""
    found = [one for one in fsck(repo) if not warnings or one.severity == "error"]
    assert not found, found
    git(repo, "fsck", "--full", "--strict", "--no-dangling")


def png(shade: int, size: int = 4) -> bytes:
    """Return a grey PNG; other shades give other bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)

    rows = (b"\0" + bytes([shade % 256]) * size) * size
    head = struct.pack(">IIBBBBB", size, size, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"tEXt", b"shade\0%d" % shade)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def coco(folder: Path, count: int = 3, *, large: int = 0, x: float = 1.0, first: int = 0) -> Path:
    """Write a COCO dataset of images with a box each; the first `large` are above 64 KiB."""
    (folder / "annotations").mkdir(parents=True, exist_ok=True)
    images = folder / "images" / "train"
    images.mkdir(parents=True, exist_ok=True)
    numbers = range(first, first + count)
    for n in numbers:
        data = png(n) + (bytes([n % 256]) * 70_000 if n < first + large else b"")
        (images / f"{n:04}.png").write_bytes(data)
    document = {
        "images": [
            {"id": n + 1, "file_name": f"{n:04}.png", "width": 4, "height": 4} for n in numbers
        ],
        "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
        "annotations": [
            {
                "id": n + 1,
                "image_id": n + 1,
                "category_id": 1 + n % 2,
                "bbox": [x, 1.0, 2.0, 2.0],
                "area": 4.0,
                "iscrowd": 0,
            }
            for n in numbers
        ],
    }
    (folder / "annotations" / "instances_train.json").write_text(json.dumps(document), "utf-8")
    return folder


def stored_item(repo: Repository, id: str, data: bytes, subset: str = "train") -> Item:
    """Return an item whose media is put into the store now."""
    with repo.media.writer() as writer:
        held = writer.add_bytes(data)
        writer.publish()
    file = MediaFile(ext=".png", sha256=held.sha256, size=held.size)
    return item(id, subset, media=Media(files=(file,), height=4, width=4))


def killed(root: Path, action: Callable[[Repository], object], at: int) -> bool:
    """Do something in a child that is killed before its n-th change of a file; tell if it was."""
    pid = os.fork()
    if pid == 0:
        try:
            left = at
            for name in ("rename", "replace", "unlink", "fsync"):
                original = getattr(os, name)

                def stepping(*args: Any, original: Any = original, **kwargs: Any) -> Any:
                    nonlocal left
                    left -= 1
                    if left < 0:
                        os.kill(os.getpid(), signal.SIGKILL)
                    return original(*args, **kwargs)

                setattr(os, name, stepping)
            with Repository(root) as repo:
                action(repo)
        except BaseException:  # noqa: BLE001 - the child must not go on in the parent's test
            os._exit(3)
        os._exit(0)
    _, code = os.waitpid(pid, 0)
    assert not os.WIFEXITED(code) or os.WEXITSTATUS(code) == 0
    return os.WIFSIGNALED(code)
