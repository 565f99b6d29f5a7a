"""Where an export goes: nothing that dvcs did not write is written over."""

import json
import os
import sys
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from dvcs import formats
from dvcs.errors import DirtyWorkingCopy, UsageError
from dvcs.files import BytesOrigin
from dvcs.files.sink import EPOCH
from dvcs.formats._exporting import STAMP, Exported, export, refuse_overlap
from dvcs.formats._stamps import read_stamp
from dvcs.model import Bbox, Dataset
from tests.gallery import image_item, png

VOC = formats.find("voc")


def boxes(*labels: str) -> Dataset:
    notes = [Bbox(1.0, 2.0, 3.0 + n, 4.0, label=label) for n, label in enumerate(labels)]
    return Dataset.from_items([image_item("1", "train", *notes)], list(labels))


def again(target: Path, *labels: str) -> Exported:
    return export(boxes(*labels), VOC, target, update=True)


@pytest.mark.parametrize("name", ["out", "out.zip"])
def test_an_update_knows_the_export_that_was_there(name: str, tmp_path: Path):
    target = tmp_path / name
    assert again(target, "cat").files
    stamp = read_stamp(target)
    assert stamp is not None
    assert (stamp.format, stamp.labels) == ("voc", ("cat",))
    assert not again(target, "cat", "dog").relabelled
    assert again(target, "dog", "cat").relabelled
    after = read_stamp(target)
    assert after is not None
    assert (after.format, after.labels, after.files) == ("voc", ("dog", "cat"), stamp.files)
    assert after.sums.keys() == {one for one in after.files if not one.endswith(".png")}


def test_an_update_writes_over_nothing_but_exports(tmp_path: Path):
    own = tmp_path / "VOC2012"
    export(boxes("cat"), VOC, own)
    (own / ".dvcs-export.json").unlink()
    before = {path: path.read_bytes() for path in own.rglob("*") if path.is_file()}
    archive = tmp_path / "own.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("notes.txt", "mine")
    text = tmp_path / "text.zip"
    text.write_text("mine")
    damaged = tmp_path / "damaged.zip"
    again(damaged, "cat")
    damaged.write_bytes(damaged.read_bytes()[:-30])
    for target in (own, archive, text, damaged):
        kept = target.read_bytes() if target.is_file() else b""
        with pytest.raises(UsageError, match="is no earlier export") as error:
            again(target, "dog")
        assert error.value.hint
        assert not target.is_file() or target.read_bytes() == kept
    assert {path: path.read_bytes() for path in own.rglob("*") if path.is_file()} == before


def test_an_update_may_make_a_folder_or_fill_an_empty_one(tmp_path: Path):
    (tmp_path / "empty").mkdir()
    for name in ("empty", "new"):
        assert again(tmp_path / name, "cat").changed


@pytest.mark.parametrize("name", ["out.tar", "out.tar.gz", "out.TGZ", "out.7z"])
def test_archives_other_than_zips_are_refused(name: str, tmp_path: Path):
    with pytest.raises(UsageError, match="writes folders and zips, but no") as error:
        export(boxes("cat"), VOC, tmp_path / name)
    assert "ends in '.zip'" in (error.value.hint or "")
    assert list(tmp_path.iterdir()) == []


# -- what somebody changed in an export ------------------------------------------------------------

XML = "Annotations/1.xml"
PNG = "JPEGImages/1.png"


def exported(target: Path) -> dict[str, bytes]:
    """Export a dataset; return what is there."""
    export(boxes("cat"), VOC, target)
    return held(target)


def held(target: Path) -> dict[str, bytes]:
    if target.is_file():
        with zipfile.ZipFile(target) as archive:
            return {name: archive.read(name) for name in archive.namelist()}
    return {
        path.relative_to(target).as_posix(): path.read_bytes()
        for path in target.rglob("*")
        if path.is_file()
    }


def relabelled(target: Path) -> None:
    path = target / XML
    path.write_text(path.read_text().replace("cat", "cow"))


def in_a_list(target: Path) -> None:
    (target / "ImageSets/Main/train.txt").write_text("1\n\n")


def without_labels(target: Path) -> None:
    (target / XML).unlink()


def another_image(target: Path) -> None:
    path = target / PNG
    path.write_bytes(path.read_bytes() + b"\0")
    later = (target / STAMP).stat().st_mtime_ns + 1_000_000_000  # disks may count in seconds
    os.utime(path, ns=(later, later))


CHANGES = {
    relabelled: XML,
    in_a_list: "ImageSets/Main/train.txt",
    without_labels: XML,
    another_image: PNG,
}


@pytest.mark.parametrize("change", CHANGES)
def test_an_update_refuses_what_was_changed_by_hand(change: Callable[[Path], None], tmp_path: Path):
    target = tmp_path / "out"
    written = exported(target)
    change(target)
    before = held(target)
    with pytest.raises(DirtyWorkingCopy, match=f"made in '.*out': {CHANGES[change]}$") as error:
        again(target, "cat")
    assert "--force" in (error.value.hint or "")
    assert "dvcs import" not in (error.value.hint or "")
    assert held(target) == before
    assert sorted(one.name for one in tmp_path.iterdir()) == ["out"]
    export(boxes("cat"), VOC, target, update=True, force=True)
    assert held(target) == written
    again(target, "dog")


def test_a_file_of_ones_own_is_not_written_over(tmp_path: Path):
    target = tmp_path / "out"
    exported(target)
    (target / "Annotations/2.xml").write_text("mine")
    (target / "notes.txt").write_text("mine")
    again(target, "dog")
    two = [image_item(one, "train", Bbox(1.0, 2.0, 3.0, 4.0, label="dog")) for one in "12"]
    with pytest.raises(DirtyWorkingCopy, match=r"out': Annotations/2\.xml$"):
        export(Dataset.from_items(two, ["dog"]), VOC, target, update=True)
    assert (target / "Annotations/2.xml").read_text() == "mine"


def test_a_changed_file_that_would_go_is_kept(tmp_path: Path):
    target = tmp_path / "out"
    exported(target)
    relabelled(target)
    with pytest.raises(DirtyWorkingCopy):
        export(Dataset.from_items([], ["cat"]), VOC, target, update=True)
    assert b"cow" in (target / XML).read_bytes()


def test_an_edit_that_the_update_makes_too_is_none(tmp_path: Path):
    target = tmp_path / "out"
    exported(target)
    other = exported(tmp_path / "other")
    again(tmp_path / "other", "dog")
    other = held(tmp_path / "other")
    (target / XML).write_bytes(other[XML])
    again(target, "dog")
    assert held(target) == other


def test_updates_follow_each_other_without_a_word(tmp_path: Path):
    target = tmp_path / "out"
    exported(target)
    for labels in (("dog",), ("dog", "cat"), ("cat",), ("cat",)):
        again(target, *labels)
    os.utime(target / XML)  # touched, and as it was
    again(target, "dog")


def test_an_image_that_another_update_wrote_is_no_edit(tmp_path: Path):
    target = tmp_path / "out"
    for seed in (1, 2, 3):
        item = image_item("1", "train", Bbox(1.0, 2.0, 3.0, 4.0, label="cat"))
        new = item.with_(origins=(BytesOrigin(partial(png, seed)),))
        export(Dataset.from_items([new], ["cat"]), VOC, target, update=True)
        assert (target / PNG).read_bytes() == png(seed)


@pytest.mark.parametrize("stamped", [True, False])
def test_older_stamps_tell_by_the_time(stamped: bool, tmp_path: Path):
    target = tmp_path / "out"
    exported(target)
    stamp = target / STAMP
    value = json.loads(stamp.read_text())
    del value["dvcs.export/1"]["sums"]
    stamp.write_text(json.dumps(value))
    if stamped:
        again(target, "dog")
        return
    relabelled(target)
    later = stamp.stat().st_mtime_ns + 1_000_000
    os.utime(target / XML, ns=(later, later))
    with pytest.raises(DirtyWorkingCopy):
        again(target, "dog")


@pytest.mark.parametrize("name", [XML, PNG, "notes.txt"])
def test_an_update_of_a_zip_refuses_what_was_changed_in_it(name: str, tmp_path: Path):
    target = tmp_path / "out.zip"
    written = exported(target)
    again(target, "cat")
    with zipfile.ZipFile(target, "w") as archive:
        for member, data in written.items():
            archive.writestr(zipfile.ZipInfo(member, EPOCH), data)
        again_before = dict(written)
    again(target, "cat")
    again_before[name] = again_before.get(name, b"") + b"\n"
    with zipfile.ZipFile(target, "w") as archive:
        for member, data in again_before.items():
            archive.writestr(member if member == name else zipfile.ZipInfo(member, EPOCH), data)
    with pytest.raises(DirtyWorkingCopy, match=f"out.zip': {name}$"):
        again(target, "cat")
    assert held(target) == again_before
    export(boxes("cat"), VOC, target, update=True, force=True)
    assert held(target) == written


def test_a_dataset_is_not_written_over_itself(tmp_path: Path):
    own = tmp_path / "own"
    exported(own)
    names = [own, own / ".." / "own"]
    if sys.platform != "win32":  # links need a privilege there
        (tmp_path / "link").symlink_to(own, target_is_directory=True)
        names.append(tmp_path / "link")
    for source in names:
        with pytest.raises(UsageError, match="is where the dataset is read from") as error:
            refuse_overlap(source, own)
        assert error.value.hint
    with pytest.raises(UsageError, match=r"the dataset is read from '.*1\.xml', in '.*own'"):
        refuse_overlap(own / XML, own)
    with pytest.raises(UsageError, match="would be part of the dataset"):
        refuse_overlap(own, own / "below")
    refuse_overlap(own, tmp_path / "own2")
