"""
Edits made by a script in the files of a poorer format come back as just those edits.

Each rich source (polygons, keypoints, captions, attributes, ids, groups) is checked out in each
format that shows less of it; text of its files is changed as a script would; the commit must have
exactly that change, and every other item the same bytes.
"""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from dvcs import formats
from dvcs.errors import ConflictError, RepositoryError, UsageError
from dvcs.formats._exporting import export
from dvcs.model import Bbox, Dataset, Item, Media, Polygon
from dvcs.repository import Repository
from dvcs.repository.importing import Request
from dvcs.repository.working import checkout, worktree
from dvcs.repository.working.onto import import_onto
from tests.conftest import needs_samples
from tests.gallery import LABELS, gallery
from tests.repository import pets

SHIFT = 3.0
WIDTH = 64.0
SOURCES = ("coco", "datumaro", "cvat")


def held() -> Dataset:
    """Return the gallery's items of which the image's size is known."""
    items = [one for one in gallery() if one.media is not None and one.media.size is not None]
    return Dataset.from_items(items, LABELS)


@pytest.fixture(scope="session")
def rich(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A function that returns a folder with a repository whose source `pets` is of a format."""
    made: dict[str, Path] = {}

    def of(source: str) -> Path:
        if source not in made:
            folder = tmp_path_factory.mktemp(source)
            export(held(), formats.find(source), folder / "files", allow_loss=True)
            with Repository.init(folder / "repo") as repo:
                repo.import_dataset(folder / "files", format=source, name="pets")
            made[source] = folder / "repo"
        return made[source]

    return of


def opened(rich: Callable[[str], Path], source: str, target: Path) -> Repository:
    """Return a copy of a repository, for one test alone."""
    shutil.copytree(rich(source), target)
    return Repository(target)


# -- what scripts do -----------------------------------------------------------------------------


def one_file(folder: Path, ending: str) -> Path:
    (path,) = [one for one in folder.rglob("*") if one.as_posix().endswith(ending)]
    return path


def in_text(path: Path, change: Callable[[str], str]) -> None:
    before = path.read_text(encoding="utf-8")
    after = change(before)
    assert after != before
    path.write_text(after, encoding="utf-8")


def in_rows(folder: Path, change: Callable[[list[str]], list[str]]) -> None:
    """Change the row of the cat in the label file of street/1."""

    def rows(text: str) -> str:
        lines = [line.split() for line in text.splitlines()]
        at = next(n for n, line in enumerate(lines) if line[0] == "0")
        lines[at] = change(lines[at])
        return "".join(f"{' '.join(line)}\n" for line in lines)

    in_text(one_file(folder, "street/1.txt"), rows)


def yolo_label(folder: Path) -> None:
    in_rows(folder, lambda row: ["1", *row[1:]])


def yolo_move(folder: Path) -> None:
    def moved(row: list[str]) -> list[str]:
        for n in range(1, 8 if len(row) == 9 else 2, 2):  # all corners, or the centre
            row[n] = str(float(row[n]) + SHIFT / WIDTH)
        return row

    in_rows(folder, moved)


def in_ndjson(folder: Path, change: Callable[[list[float]], None]) -> None:
    def lines(text: str) -> str:
        records = [json.loads(line) for line in text.splitlines()]
        record = next(one for one in records if one.get("file") == "street/1.png")
        rows = [row for one in record["annotations"].values() for row in one]
        change(next(row for row in rows if row[0] == 0))
        return "".join(json.dumps(one) + "\n" for one in records)

    in_text(one_file(folder, "dataset.ndjson"), lines)


def ndjson_label(folder: Path) -> None:
    in_ndjson(folder, lambda row: row.__setitem__(0, 1))


def ndjson_move(folder: Path) -> None:
    in_ndjson(folder, lambda row: row.__setitem__(1, row[1] + SHIFT / WIDTH))


def voc_label(folder: Path) -> None:
    path = one_file(folder, "Annotations/street/1.xml")
    in_text(path, lambda text: text.replace("<name>cat</name>", "<name>dog</name>", 1))


def shifted(match: re.Match[str]) -> str:
    return f"{match[1]}{float(match[2]) + SHIFT}{match[3]}"


def voc_move(folder: Path) -> None:
    path = one_file(folder, "Annotations/street/1.xml")
    in_text(path, lambda text: re.sub(r"(<xmin>)(1\.5)(</xmin>)", shifted, text))
    in_text(path, lambda text: re.sub(r"(<xmax>)(21\.5)(</xmax>)", shifted, text))


def cvat_label(folder: Path) -> None:
    def change(text: str) -> str:
        before, mark, after = text.partition('name="street/1')
        return before + mark + after.replace('label="cat"', 'label="dog"', 1)

    in_text(one_file(folder, "train.xml"), change)


def cvat_move(folder: Path) -> None:
    path = one_file(folder, "train.xml")
    in_text(path, lambda text: re.sub(r'(xtl=")(1\.50*)(")', shifted, text))
    in_text(path, lambda text: re.sub(r'(xbr=")(21\.50*)(")', shifted, text))


def in_coco(task: str, key: str, value: object, subset: str = "train", label: str = "") -> "Edit":
    """Return an edit of one record (of a label) in a COCO file."""

    def edit(folder: Path) -> None:
        def change(text: str) -> str:
            data = json.loads(text)
            ids = {one["name"]: one["id"] for one in data.get("categories", ())}
            records = data["annotations"]
            if task == "panoptic":
                records = [one for record in records for one in record["segments_info"]]
            chosen = next(one for one in records if not label or one["category_id"] == ids[label])
            chosen[key] = ids[value] if key == "category_id" else value
            return json.dumps(data)

        in_text(one_file(folder, f"annotations/{task}_{subset}.json"), change)

    return edit


def coco_move(folder: Path) -> None:
    def change(text: str) -> str:
        data = json.loads(text)
        chosen = next(one for one in data["annotations"] if one["bbox"][:2] == [1.5, 2.25])
        chosen["bbox"][0] += SHIFT
        return json.dumps(data)

    in_text(one_file(folder, "annotations/instances_train.json"), change)


def coco_keypoint(folder: Path) -> None:
    def change(text: str) -> str:
        data = json.loads(text)
        chosen = next(one for one in data["annotations"] if one["keypoints"][0] == 15.5)
        chosen["keypoints"][0] += SHIFT
        return json.dumps(data)

    in_text(one_file(folder, "annotations/person_keypoints_val.json"), change)


def voc_mask_label(folder: Path) -> None:
    """Paint a cat in the colour of dogs."""
    import cv2
    import numpy as np

    path = one_file(folder, "SegmentationClass/street/2.png")
    image = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    colours = {line.split(":")[0]: line.split(":")[1] for line in labelmap(folder)}
    dog, cat = ([int(n) for n in reversed(colours[name].split(","))] for name in ("dog", "cat"))
    image[(image == dog).all(axis=2)] = cat
    path.write_bytes(cv2.imencode(".png", image)[1].tobytes())


def labelmap(folder: Path) -> list[str]:
    return [line for line in (folder / "labelmap.txt").read_text().splitlines() if line[0] != "#"]


def voc_list(folder: Path) -> None:
    """Say that there is no animal in street/1: the label goes."""
    path = one_file(folder, "ImageSets/Main/animal_train.txt")
    in_text(path, lambda text: text.replace("street/1  1", "street/1 -1"))


def classify_label(folder: Path) -> None:
    path = one_file(folder, "train/labels.json")
    in_text(path, lambda text: text.replace('"animal"', '"dog"').replace("animal/", "dog/"))
    (folder / "train/dog/street").mkdir(parents=True)
    old = folder / "train/animal/street/1.png"
    old.rename(folder / "train/dog/street/1.png")


Edit = Callable[[Path], None]
CAT = ("street/1", ("bbox", "cat"))
RELABELLED: dict[str, tuple[Edit, str, tuple[str, str], str]] = {
    # format: the edit, and what it is an edit of: item, kind and label, which field
    **dict.fromkeys(
        ("yolo", "yolo_detect", "yolo_segment", "yolo_pose", "yolo_obb"),
        (yolo_label, *CAT, "label"),
    ),
    "yolo_ndjson": (ndjson_label, *CAT, "label"),
    "yolo_classify": (classify_label, "street/1", ("label", "animal"), "label"),
    **dict.fromkeys(
        ("voc", "voc_action", "voc_detection", "voc_layout"), (voc_label, *CAT, "label")
    ),
    "voc_classification": (voc_list, "street/1", ("label", "animal"), ""),
    "voc_segmentation": (voc_mask_label, "street/2", ("polygon", "dog"), "label"),
    "cvat": (cvat_label, *CAT, "label"),
    "datumaro": (lambda folder: None, *CAT, ""),
    "coco": (in_coco("instances", "category_id", "dog", label="cat"), *CAT, "label"),
    "coco_instances": (in_coco("instances", "category_id", "dog", label="cat"), *CAT, "label"),
    "coco_person_keypoints": (
        coco_keypoint,
        "with space.and dots",
        ("points", "person"),
        "geometry",
    ),
    "coco_captions": (
        in_coco("captions", "caption", "two dogs", "val"),
        "deep/er/é ñ 3",
        ("caption", ""),
        "geometry",
    ),
    "coco_labels": (
        in_coco("labels", "category_id", "dog"),
        "street/1",
        ("label", "animal"),
        "label",
    ),
    "coco_panoptic": (
        in_coco("panoptic", "category_id", "cat", "train", label="dog"),
        "street/2",
        ("polygon", "dog"),
        "label",
    ),
    "coco_stuff": (
        in_coco("stuff", "category_id", "cat", "train", label="dog"),
        "street/2",
        ("polygon", "dog"),
        "label",
    ),
}
MOVED: dict[str, Edit] = {
    **dict.fromkeys(("yolo", "yolo_detect", "yolo_segment", "yolo_pose", "yolo_obb"), yolo_move),
    "yolo_ndjson": ndjson_move,
    **dict.fromkeys(("voc", "voc_action", "voc_detection", "voc_layout"), voc_move),
    "cvat": cvat_move,
    "coco": coco_move,
    "coco_instances": coco_move,
}
NOT_SHOWN = {("cvat", "coco_captions")}
POORER = sorted(
    one.name
    for one in formats.all_formats()
    if one.read is not None and one.write is not None and "image" in one.media and one.kinds
    if not one.lossless
)


def test_every_format_has_an_edit():
    assert [name for name in POORER if name not in RELABELLED] == []


def changes(repo: Repository) -> list[tuple[str, list[tuple[str, tuple[str, ...]]]]]:
    """Return what the last commit changed: items, and of their annotations what."""
    found = [one for one in repo.diff("HEAD~1", "HEAD") if one.is_change]
    assert all(one.fields == () for one in found)
    return [(one.id, [(note.status, note.fields) for note in one.annotations]) for one in found]


def differing(repo: Repository) -> set[tuple[str, str]]:
    before, after = pets.stored(repo, "HEAD~1"), pets.stored(repo)
    return {key for key in before | after if before.get(key) != after.get(key)}


def item_of(repo: Repository, id: str, revision: str = "HEAD"):
    return next(item for item in repo.dataset(revision) if item.id == id)


def plain(item) -> dict[str, object]:
    """Return all that is said of an item beside its annotations."""
    return {name: getattr(item, name) for name in item.__struct_fields__ if name not in SKIPPED}


SKIPPED = ("annotations", "origins")


@pytest.mark.parametrize("format", POORER)
@pytest.mark.parametrize("source", SOURCES)
def test_one_edit_in_the_files_is_one_change(rich, source: str, format: str, tmp_path: Path):
    repo = opened(rich, source, tmp_path / "repo")
    folder = repo.root / "copy"
    checkout.checkout_source(repo, "pets", format=format, into=folder)
    assert pets.only(repo).state == "clean"
    if (source, format) in NOT_SHOWN:
        return
    edit, id, (kind, label), field = RELABELLED[format]
    if format == source and source == "cvat":
        assert kind == "bbox"
    before = item_of(repo, id)
    at = next(
        n
        for n, note in enumerate(before.annotations)
        if note.kind == kind and (note.label or "") == label
    )

    edit(folder)
    status = pets.only(repo)
    assert (status.state, status.conflicts) == ("changed", ())
    worktree.commit(repo, message="edited")

    wanted = [("changed", (field,))] if field else [("removed", ())]
    assert changes(repo) == [(id, wanted)]
    assert len(differing(repo)) == 1
    after = item_of(repo, id)
    assert plain(after) == plain(before)
    if field:
        new = after.annotations[at]
        fields = {"label"} if field == "label" else set(new.geometry_fields)
        same = {name for name in new.__struct_fields__ if name not in fields | {"derived"}}
        old = before.annotations[at]
        assert {n: getattr(new, n) for n in same} == {n: getattr(old, n) for n in same}
        assert new != old
    rest = [note for n, note in enumerate(before.annotations) if n != at]
    assert [note for note in after.annotations if note in rest] == rest
    assert pets.only(repo).state == "clean"


@pytest.mark.parametrize("source", SOURCES)
def test_another_name_of_a_painted_object_is_one_change(rich, source: str, tmp_path: Path):
    repo = opened(rich, source, tmp_path / "repo")
    folder = repo.root / "copy"
    checkout.checkout_source(repo, "pets", format="voc", into=folder)
    before = item_of(repo, "street/2")
    path = one_file(folder, "Annotations/street/2.xml")
    assert "<type>mask</type>" in path.read_text()
    in_text(path, lambda text: text.replace("<name>dog</name>", "<name>cat</name>", 1))

    worktree.commit(repo, message="edited")

    assert changes(repo) == [("street/2", [("changed", ("label",))])]
    after = item_of(repo, "street/2")
    (at,) = (n for n, note in enumerate(after.annotations) if note not in before.annotations)
    assert before.annotations[at].label == "dog"
    assert after.annotations[at] == before.annotations[at].with_(label="cat")
    assert len(after.annotations) == len(before.annotations)
    assert pets.only(repo).state == "clean"


@pytest.mark.parametrize("format", sorted(MOVED))
@pytest.mark.parametrize("source", SOURCES)
def test_a_box_moved_in_the_files_moves_and_nothing_else(
    rich, source: str, format: str, tmp_path: Path
):
    repo = opened(rich, source, tmp_path / "repo")
    folder = repo.root / "copy"
    checkout.checkout_source(repo, "pets", format=format, into=folder)
    before = item_of(repo, "street/1")

    MOVED[format](folder)
    worktree.commit(repo, message="moved")

    assert changes(repo) == [("street/1", [("changed", ("geometry",))])]
    assert len(differing(repo)) == 1
    after = item_of(repo, "street/1")
    old, new = before.annotations[0], after.annotations[0]
    assert isinstance(old, Bbox)
    assert isinstance(new, Bbox)
    assert new.geometry == pytest.approx((4.5, 2.25, 20.0, 10.0), abs=1e-6)
    assert new.with_(x=old.x, y=old.y, w=old.w, h=old.h, derived=old.derived) == old
    assert after.annotations[1:] == before.annotations[1:]
    assert plain(after) == plain(before)
    assert pets.only(repo).state == "clean"


# -- what comes back from outside ----------------------------------------------------------------


def sent(repo: Repository, format: str, target: Path, **how: object) -> Path:
    """Export HEAD as for an annotation tool, which drops the stamp."""
    export(repo.dataset("HEAD"), formats.find(format), target, allow_loss=True, **how)
    if target.is_dir():
        (target / ".dvcs-export.json").unlink()
    return target


def request(path: Path, **fields: object) -> Request:
    return Request(data=path, **fields)


@pytest.mark.parametrize("format", sorted(MOVED))
def test_a_folder_without_a_stamp_is_imported_onto_its_revision(rich, format: str, tmp_path: Path):
    repo = opened(rich, "datumaro", tmp_path / "repo")
    folder = sent(repo, format, tmp_path / "sent")
    before = item_of(repo, "street/1")
    MOVED[format](folder)

    done = import_onto(repo, request(folder, format=format), "HEAD")

    assert done.committed.changed
    assert done.name == "pets"
    assert changes(repo) == [("street/1", [("changed", ("geometry",))])]
    assert item_of(repo, "street/1").annotations[1:] == before.annotations[1:]
    assert not import_onto(repo, request(folder, format=format), "HEAD").committed.changed


def test_a_box_moved_in_a_zip_from_cvat_is_one_change(rich, tmp_path: Path):
    repo = opened(rich, "coco", tmp_path / "repo")
    folder = sent(repo, "cvat", tmp_path / "sent", save_media=False)
    cvat_move(folder)
    archive = shutil.make_archive(str(tmp_path / "job"), "zip", folder)

    done = import_onto(repo, request(Path(archive)), "HEAD:pets")

    assert done.format == "cvat"
    assert changes(repo) == [("street/1", [("changed", ("geometry",))])]
    assert item_of(repo, "street/1").annotations[0].id == 11
    assert item_of(repo, "street/1").media == item_of(repo, "street/1", "HEAD~1").media


def test_it_is_merged_with_what_others_committed_meanwhile(rich, tmp_path: Path):
    from dvcs.repository import editing

    repo = opened(rich, "coco", tmp_path / "repo")
    repo.create_branch("sent", repo.resolve())
    folder = sent(repo, "yolo", tmp_path / "sent")
    editing.set_items(repo, "pets", remove=[("val", "7")], message="by others")
    yolo_label(folder)

    import_onto(repo, request(folder, mode="replace"), "sent")

    assert changes(repo) == [("street/1", [("changed", ("label",))])]
    assert "7" not in {item.id for item in repo.dataset()}


def test_missing_items_need_a_decision(rich, tmp_path: Path):
    repo = opened(rich, "coco", tmp_path / "repo")
    folder = sent(repo, "voc", tmp_path / "sent")
    voc_label(folder)
    for path in [one for one in folder.rglob("street/2.*") if one.is_file()]:
        path.unlink()
    for path in folder.rglob("ImageSets/*/*.txt"):
        lines = path.read_text().splitlines()
        path.write_text("".join(f"{one}\n" for one in lines if "street/2" not in one))

    with pytest.raises(RepositoryError, match=r"lacks 1 item .*train/street/2") as error:
        import_onto(repo, request(folder), "HEAD")
    assert "--mode update" in (error.value.hint or "")
    dry = import_onto(repo, request(folder, mode="replace", dry_run=True), "HEAD")
    assert not dry.committed.changed
    assert len(dry.difference.items) == 2
    import_onto(repo, request(folder, mode="update"), "HEAD")
    assert changes(repo) == [("street/1", [("changed", ("label",))])]
    import_onto(repo, request(folder, mode="replace"), "HEAD")
    assert "street/2" not in {item.id for item in repo.dataset()}


def test_an_edit_that_a_polygon_cannot_follow_is_a_conflict_until_decided(rich, tmp_path: Path):
    repo = opened(rich, "coco", tmp_path / "repo")
    folder = sent(repo, "yolo", tmp_path / "sent")
    path = one_file(folder, "street/2.txt")
    in_text(path, lambda text: text.replace(text.split()[1], str(float(text.split()[1]) + 0.02), 1))

    with pytest.raises(ConflictError, match="street/2"):
        import_onto(repo, request(folder), "HEAD")
    assert not import_onto(repo, request(folder), "HEAD", rule="kept").committed.changed
    import_onto(repo, request(folder), "HEAD", rule="edited")
    assert [id for id, _ in changes(repo)] == ["street/2"]
    assert "bbox" in {note.kind for note in item_of(repo, "street/2").annotations}


def test_an_import_onto_says_which_source_it_needs(rich, tmp_path: Path):
    repo = opened(rich, "coco", tmp_path / "repo")
    folder = sent(repo, "yolo", tmp_path / "sent")
    repo.import_dataset(folder, name="other")
    with pytest.raises(UsageError, match="several sources") as error:
        import_onto(repo, request(folder), "HEAD")
    assert "other, pets" in (error.value.hint or "")
    assert not import_onto(repo, request(folder, name="pets"), "HEAD").committed.changed
    with pytest.raises(UsageError, match="two sources"):
        import_onto(repo, request(folder, name="pets"), "HEAD:other")
    with pytest.raises(UsageError, match="--mode new"):
        import_onto(repo, request(folder, mode="new"), "HEAD:pets")


# -- at scale ------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("format", ["yolo_detect", "voc_detection"])
def test_one_label_of_taco_is_one_change(format: str, tmp_path: Path):
    taco = needs_samples("taco", "data")
    repo = Repository.init(tmp_path / "repo")
    repo.import_dataset(taco, name="taco")
    folder = repo.root / "copy"
    checkout.checkout_source(repo, "taco", format=format, into=folder)
    assert pets.only(repo).state == "clean"
    if format == "voc_detection":
        path = one_file(folder, "Annotations/batch_10/000000.xml")
        in_text(
            path,
            lambda text: re.sub(r"<name>[^<]*</name>", "<name>Cigarette</name>", text, count=1),
        )
    else:
        path = one_file(folder, "batch_10/000000.txt")
        in_text(path, lambda text: "59 " + text.split(maxsplit=1)[1])

    worktree.commit(repo, message="relabelled")

    ((id, notes),) = changes(repo)
    assert id == "batch_10/000000"
    assert notes == [("changed", ("label",))]
    assert len(differing(repo)) == 1
    after = item_of(repo, id)
    changed = [note for note in after.annotations if note.label == "Cigarette"]
    assert [note.kind for note in changed] == ["polygon"]
    assert [note.id for note in after.annotations] == [
        note.id for note in item_of(repo, id, "HEAD~1").annotations
    ]


def test_digits_that_no_format_means_are_no_edits(tmp_path: Path):
    outlines = [
        [[[10.0, 10.0, 40.0, 14.0, 38.0, 30.0, 9.0, 26.0]]],
        [[[5.0, 40.0, 60.0, 40.5, 60.0, 40.75, 5.0, 40.25]]],  # of which the box is thin
        [[[50.0, 3.0, 60.0, 5.0, 58.0, 9.0, 55.0, 12.0, 51.0, 8.0]]],
    ]
    notes = [Polygon(parts=one, label="cat", id=n) for n, one in enumerate(outlines, 1)]
    item = Item("a", "train", Media(height=64, width=64), notes)
    with Repository.init(tmp_path / "repo") as repo:
        repo.import_dataset(Dataset.from_items([item]), name="pets")
        export(Dataset.from_items([item]), formats.find("yolo_obb"), tmp_path / "out")
        path = one_file(tmp_path / "out", "a.txt")
        rows = [row.split() for row in path.read_text().splitlines()]
        jitter = (" ".join([r[0], *(f"{float(x) + 2e-11:.12f}" for x in r[1:])]) for r in rows)
        path.write_text("".join(f"{row}\n" for row in jitter))
        request = Request(data=tmp_path / "out", format="yolo_obb", name="pets")
        assert not import_onto(repo, request, "HEAD").committed.changed
