"""Where an export goes: nothing that dvcs did not write is written over."""

import zipfile
from pathlib import Path

import pytest

from dvcs import formats
from dvcs.errors import UsageError
from dvcs.formats._exporting import Exported, Stamp, export, read_stamp
from dvcs.model import Bbox, Dataset
from tests.gallery import image_item

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
    assert read_stamp(target) == Stamp(format="voc", labels=("dog", "cat"), files=stamp.files)


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
