"""
From any format to any other: everything that went in comes out, or stands in the report.
"""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

from dvcs import formats
from dvcs.errors import LossError
from dvcs.files import MemorySink, MemorySource
from dvcs.formats import Format
from dvcs.formats._exporting import export
from dvcs.formats._fidelity import Fidelity
from dvcs.model import Annotation, Bbox, Dataset, Item, Label, Labels, Mask, Polygon
from tests.conftest import needs_samples
from tests.gallery import LABELS, bitmap, gallery, image_item

TWO_WAY = [
    one.name
    for one in formats.all_formats()
    if one.read is not None and one.write is not None and "image" in one.media
]


def whole() -> Dataset:
    """Return the gallery's items of which every format can say something."""
    held = [item for item in gallery() if item.media is not None and item.media.size is not None]
    return Dataset.from_items(held, LABELS)


def converted(data: Dataset, name: str) -> tuple[Dataset, MemorySink, Fidelity]:
    """Return what a format reads of what it wrote."""
    format = formats.find(name)
    sink = MemorySink()
    fidelity = formats.write(data, format, sink)
    sink.finish()
    return formats.read(MemorySource(sink.files, media=sink.origins), format), sink, fidelity


@pytest.fixture(scope="module")
def read_as() -> dict[str, Dataset]:
    """The gallery as each format reads it back."""
    return {name: converted(whole(), name)[0] for name in TWO_WAY}


def kinds(items: Iterable[Item]) -> Counter[str]:
    return Counter(note.kind for item in items for note in item.annotations)


@pytest.mark.parametrize("second", TWO_WAY)
@pytest.mark.parametrize("first", TWO_WAY)
def test_what_went_in_comes_out_or_is_counted(read_as, first: str, second: str):
    data, format = read_as[first], formats.find(second)
    items = list(data)
    back, sink, fidelity = converted(data, second)
    left = kinds(items)
    for (old, new), count in fidelity.converted.items():
        left[old] -= count
        left[new] += count
    left -= fidelity.dropped + fidelity.unlabelled + fidelity.merged
    assert fidelity.lossless == (fidelity.lines() == [])

    got = list(back)
    assert len(got) == len([item for item in items if any(item.origins) or not needs_file(format)])
    if not fidelity.lost_fields["covered"]:
        assert kinds(got) == left
    _, again, same = converted(data, second)
    assert again.files == sink.files
    assert same.report() == fidelity.report()


def needs_file(format: Format) -> bool:
    """Tell whether a format is of files of images only."""
    return format.name == "image_dir"


@pytest.mark.parametrize("name", TWO_WAY)
def test_what_a_format_read_it_holds(read_as, name: str):
    data = read_as[name]
    _, _, fidelity = converted(data, name)
    assert fidelity.converted == fidelity.dropped == fidelity.unlabelled == {}
    assert set(fidelity.lost_fields) <= {"id", "group"}


@pytest.mark.parametrize("name", TWO_WAY)
def test_strict_writes_nothing_where_something_would_be_lost(name: str, tmp_path: Path):
    format, target = formats.find(name), tmp_path / "out"
    _, _, fidelity = converted(whole(), name)
    if fidelity.lossless:
        assert export(whole(), format, target, strict=True).fidelity.lossless
        return
    for out in (target, tmp_path / "out.zip"):
        with pytest.raises(LossError, match="would not hold everything"):
            export(whole(), format, out, strict=True, allow_loss=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", TWO_WAY)
def test_kinds_that_would_vanish_need_a_word(name: str, tmp_path: Path):
    format, target = formats.find(name), tmp_path / "out"
    _, _, fidelity = converted(whole(), name)
    if fidelity.vanished():
        with pytest.raises(LossError, match="would vanish") as error:
            export(whole(), format, target)
        assert "--allow-loss" in (error.value.hint or "")
        assert list(tmp_path.iterdir()) == []
    done = export(whole(), format, target, allow_loss=True)
    assert target.is_dir()
    assert done.fidelity.report() == fidelity.report()


@pytest.mark.parametrize("name", TWO_WAY)
def test_an_update_writes_only_what_changed(name: str, tmp_path: Path):
    format, target = formats.find(name), tmp_path / "out"
    export(whole(), format, target, allow_loss=True)
    before = stats(target)
    again = export(whole(), format, target, allow_loss=True, update=True)
    assert again.changed == 0
    assert stats(target) == before

    held = list(whole())
    box = held[0].annotations[0]
    assert isinstance(box, Bbox)
    notes = [box.with_(x=box.x + 1.0), *held[0].annotations[1:], Label(label="dog", id=99)]
    changed = Dataset.from_items([held[0].with_(annotations=notes), *held[1:]], LABELS)
    done = export(changed, format, target, allow_loss=True, update=True)
    after = stats(target)
    touched = {path for path in after if after[path] != before.get(path)} - {STAMP}
    assert touched == set() or done.changed == len(touched | (before.keys() - after.keys()))
    assert [path for path in touched if path.endswith(".png") and "Segm" not in path] == (
        [path for path in touched if path.startswith("train/dog/")]
    )
    fresh = tmp_path / "fresh"
    export(changed, format, fresh, allow_loss=True)
    assert contents(fresh) == contents(target)


STAMP = ".dvcs-export.json"


def stats(folder: Path) -> dict[str, int]:
    return {
        path.relative_to(folder).as_posix(): path.stat().st_mtime_ns
        for path in folder.rglob("*")
        if path.is_file()
    }


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


# -- groups -------------------------------------------------------------------------------------


RING = [2.0, 3.0, 12.0, 3.0, 12.0, 9.0]
GROUPS: dict[str, list[Annotation]] = {
    "of two labels": [
        Bbox(2.0, 3.0, 10.0, 6.0, label="cat", group=1),
        Bbox(20.0, 3.0, 10.0, 6.0, label="dog", group=1),
    ],
    "of two boxes": [
        Bbox(2.0, 3.0, 10.0, 6.0, label="cat", group=1),
        Bbox(20.0, 3.0, 10.0, 6.0, label="cat", group=1),
    ],
    "of two polygons": [
        Polygon([[RING]], label="cat", group=1),
        Polygon([[[value + 20.0 for value in RING]]], label="cat", group=1),
    ],
    "of a box and a polygon": [
        Bbox(2.0, 3.0, 10.0, 6.0, label="cat", group=1),
        Polygon([[RING]], label="cat", group=1),
    ],
    "of two masks": [
        bitmap((2, 3, 12, 9)).with_(label="cat", group=1),
        bitmap((22, 3, 32, 9)).with_(label="dog", group=1),
    ],
}


@pytest.mark.parametrize("group", sorted(GROUPS))
@pytest.mark.parametrize("name", TWO_WAY)
def test_a_group_comes_back_or_is_counted(name: str, group: str):
    notes = GROUPS[group]
    data = Dataset.from_items([image_item("1", "train", *notes)], LABELS)
    back, _, fidelity = converted(data, name)
    (item,) = back
    together = len(item.annotations) > 1 and len({note.group for note in item.annotations}) == 1
    if not (together and item.annotations[0].group):
        gone = fidelity.dropped.total() + fidelity.merged.total()
        assert gone >= len(notes) - 1 or fidelity.lost_fields["group"] == len(notes)


# -- what the commands tell ----------------------------------------------------------------------


def dvcs(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "dvcs", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def boxes(labels: Iterable[str], subset: str = "test") -> Dataset:
    note = Bbox(1.0, 2.0, 3.0, 4.0, label="dog")
    return Dataset.from_items([image_item("1", subset, note)], Labels(labels))


def test_a_conversion_tells_what_users_of_the_files_should_know(tmp_path: Path):
    export(boxes(["cat", "dog"]), formats.find("coco"), tmp_path / "in")
    done = dvcs("convert", "-i", tmp_path / "in", "-f", "yolo", "-o", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert "note: Darknet looks for the subsets 'train' and 'valid'" in done.stderr
    done = dvcs("convert", "-i", tmp_path / "in", "-f", "yolo", "-o", tmp_path / "o", "--json")
    (said,) = json.loads(done.stdout).values()
    (note,) = said["fidelity"]["notes"]
    assert note.startswith("Darknet looks for")
    assert said["relabelled"] is False


def test_an_update_tells_of_other_label_indices(tmp_path: Path):
    for n, labels in enumerate((["cat", "dog"], ["cat", "dog", "ant"], ["ant", "cat", "dog"])):
        export(boxes(labels), formats.find("coco"), tmp_path / f"in{n}")
    told = []
    for n in range(3):
        convert = ("convert", "-i", tmp_path / f"in{n}", "-f", "yolo_detect", "-o")
        done = dvcs(*convert, tmp_path / "out", "--update")
        assert done.returncode == 0, done.stderr
        told.append("label indices are not those" in done.stderr)
    assert told == [False, False, True]
    done = dvcs("convert", "-i", tmp_path / "in0", "-f", "yolo", "-o", tmp_path / "out", "--update")
    assert "label indices are not those" in done.stderr


# -- the same data in two formats ----------------------------------------------------------------


def facts(data: Dataset) -> dict[str, list[tuple[str, str | None, tuple[float, ...]]]]:
    """Return boxes, rounded to pixels, by the name of the image."""
    return {
        item.id.rpartition("/")[2]: sorted(
            (note.kind, note.label, tuple(round(float(value)) for value in note.geometry))
            for note in item.annotations
            if isinstance(note, Bbox)
        )
        for item in data
    }


def opened(*parts: str, format: str) -> Dataset:
    from dvcs.files import open_source

    return formats.read(open_source(needs_samples(*parts)), formats.find(format))


def test_boxes_of_one_dataset_in_coco_and_voc_are_the_same():
    coco = facts(opened("review_odm", "toyexample", "gts_coco_format", format="coco"))
    voc = facts(opened("review_odm", "toyexample", "gts_vocpascal_format", format="voc"))
    assert coco.keys() == voc.keys()
    near = 0
    for name, wanted in coco.items():
        assert [one[:2] for one in wanted] == [one[:2] for one in voc[name]]
        near += len(wanted)
    assert near > 10


def test_roboflow_says_the_same_in_coco_voc_and_yolo():
    coco = facts(opened("datumaro", "roboflow_dataset", "coco", format="coco"))
    voc = facts(opened("datumaro", "roboflow_dataset", "voc", format="voc"))
    yolo = facts(opened("datumaro", "roboflow_dataset", "yolo", format="yolo_detect"))
    assert coco.keys() == voc.keys() == yolo.keys()


@pytest.mark.parametrize("name", ["voc", "voc_segmentation", "coco_panoptic"])
def test_what_one_mask_covers_of_another_is_lost(name: str, tmp_path: Path):
    below, above = bitmap((2, 3, 12, 9)), bitmap((8, 3, 20, 9))
    notes = [mask.with_(label="cat", z_order=z) for z, mask in enumerate((below, above))]
    covered = Dataset.from_items([image_item("1", "train", *notes)], LABELS)
    with pytest.raises(LossError, match="the covered parts of 1 annotation are left out"):
        export(covered, formats.find(name), tmp_path / "out", strict=True)
    (item,) = converted(covered, name)[0]
    masks = [note for note in item.annotations if isinstance(note, Mask)]
    assert {note.counts for note in masks} == {bitmap((2, 3, 8, 9)).counts, above.counts}
