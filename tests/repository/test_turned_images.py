"""
Images that EXIF turns, with sizes declared before the turn, in exports and working copies.

A format whose coordinates are parts of the image's size has them without the turn: other bytes than
are stored, which are no change.
"""

import io
import json
from pathlib import Path

import pytest
from PIL import Image

from dvcs.repository import Repository
from dvcs.repository.exporting import export_revision, identify
from dvcs.repository.importing import Request
from dvcs.repository.working import checkout, worktree
from dvcs.repository.working.onto import import_onto
from tests.gallery import exif_picture
from tests.repository import pets

FORMATS = ("yolo", "yolo_detect", "yolo_segment", "yolo_ndjson")
BOX = [1.25, 2.5, 10.0, 7.5]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three photographs of which EXIF turns two; the sizes of all are as they are stored."""
    root = tmp_path / "photos"
    (root / "images/train").mkdir(parents=True)
    (root / "annotations").mkdir()
    for n, orientation in enumerate((1, 6, 8), 1):
        (root / f"images/train/{n}.jpg").write_bytes(exif_picture(orientation, seed=n))
    data = pets.coco(3)
    data["images"] = [
        {"id": n, "file_name": f"{n}.jpg", "width": 100, "height": 60} for n in (1, 2, 3)
    ]
    data["annotations"] = [
        {"id": n, "image_id": n, "category_id": 1, "bbox": BOX, "area": 75.0, "iscrowd": 0}
        for n in (1, 2, 3)
    ]
    (root / pets.JSON).write_text(json.dumps(data))
    return root


@pytest.fixture
def repo(tmp_path: Path, folder: Path) -> Repository:
    repo = Repository.init(tmp_path / "repo")
    repo.import_dataset(folder, format="coco", name="pets")
    return repo


def boxes(repo: Repository) -> list[list[float]]:
    return [
        [note.x, note.y, note.w, note.h]
        for item in repo.dataset("main:pets")
        for note in item.annotations
    ]


@pytest.mark.parametrize("ext", [None, ".png"])
@pytest.mark.parametrize("name", [*FORMATS, "coco", "voc"])
def test_an_untouched_export_has_nothing_to_record(
    repo: Repository, tmp_path: Path, name: str, ext: str | None
):
    target = tmp_path / "out"
    done = export_revision(repo, "main:pets", target, format=name, image_ext=ext)
    notes = [n for note, n in done.fidelity.notes.items() if "EXIF" in note]
    assert notes == ([2] if name in FORMATS or ext else [])
    before = repo.resolve()
    found = identify(repo, target)
    assert (found.changed, found.missing, found.added) == ((), (), ())
    import_onto(repo, Request(data=target), "main:pets")
    assert repo.resolve() == before
    export_revision(repo, "main:pets", target, format=name, image_ext=ext, update=True)
    assert identify(repo, target) == found


@pytest.mark.parametrize("name", FORMATS)
def test_a_working_copy_is_clean_and_an_edit_is_one_in_the_declared_frame(
    repo: Repository, name: str
):
    copy = repo.root / "work"
    checkout.checkout_source(repo, "pets", into=copy, format=name)
    assert pets.only(repo).state == "clean"
    for path in copy.rglob("*.jpg"):
        assert Image.open(io.BytesIO(path.read_bytes())).size == (100, 60)
        assert Image.open(io.BytesIO(path.read_bytes())).getexif()[274] == 1
        path.touch()
    assert pets.only(repo).state == "clean"
    if name != "yolo_detect":
        return
    row = copy / "labels/train/2.txt"
    numbers = row.read_text().split()
    row.write_text(" ".join([*numbers[:1], str(float(numbers[1]) + 0.1), *numbers[2:]]) + "\n")
    worktree.commit(repo, message="moved")
    assert boxes(repo) == [BOX, pytest.approx([11.25, 2.5, 10.0, 7.5], abs=1e-4), BOX]
    shas = {one.media.files[0].sha256 for one in repo.dataset("main:pets") if one.media}
    old = {one.media.files[0].sha256 for one in repo.dataset("main~1:pets") if one.media}
    assert shas == old


def test_unturned_images_go_with_their_items_and_come_back(repo: Repository, folder: Path):
    first = repo.resolve()
    copy = repo.root / "work"
    pets.edit(
        folder,
        lambda data: data.update(images=data["images"][:1], annotations=data["annotations"][:1]),
    )
    (folder / "images/train/2.jpg").unlink()
    (folder / "images/train/3.jpg").unlink()
    repo.import_dataset(folder, format="coco", name="pets", mode="replace")
    checkout.checkout(repo, first.hex())
    checkout.checkout_source(repo, "pets", into=copy, format="yolo_detect")
    before = pets.files(copy)
    checkout.checkout(repo, "main")
    assert [path.name for path in copy.rglob("*.jpg")] == ["1.jpg"]
    assert pets.only(repo).state == "clean"
    checkout.checkout(repo, first.hex())
    assert pets.files(copy) == before
    checkout.checkout_source(repo, "pets", format="coco")
    assert (copy / "images/train/2.jpg").read_bytes() == exif_picture(6, seed=2)
    assert pets.only(repo).state == "clean"
