"""
What comes back from CVAT is what was done there: not the numbers that CVAT gives, nor its labels.

Real datasets are written for CVAT, edited in the XML as CVAT would write it again, as a folder or a
zip, and brought back onto the revision that they were written from.
"""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from dvcs import formats
from dvcs.formats._exporting import STAMP, export
from dvcs.model import Bbox, Dataset, Item, Media, Polygon
from dvcs.repository import Repository
from dvcs.repository.importing import Request
from dvcs.repository.working.onto import import_onto
from tests.conftest import needs_samples

CVAT = ("datumaro", "cvat_dataset")
SAMPLES = {
    "coco": ("coco_mini",),
    "project": (*CVAT, "for_images", "export_project"),
    "task": (*CVAT, "for_images", "export_task"),
    "video": (*CVAT, "for_video"),
}
Tree = Any


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Path, Path]]:
    """A function that returns a repository's folder with a sample, and what is sent to CVAT."""
    made: dict[str, tuple[Path, Path]] = {}

    def of(name: str) -> tuple[Path, Path]:
        if name not in made:
            sample = needs_samples(*SAMPLES[name])
            folder = tmp_path_factory.mktemp(name)
            with Repository.init(folder / "repo") as repo:
                repo.import_dataset(sample, name="data")
                sent = folder / "sent"
                export(repo.dataset("HEAD"), formats.find("cvat"), sent, allow_loss=True)
            (sent / STAMP).unlink()
            made[name] = folder / "repo", sent
        return made[name]

    return of


class Task:
    """A repository, and what CVAT has of it."""

    def __init__(self, repo: Repository, folder: Path) -> None:
        self.repo, self.folder = repo, folder

    def edit(self, change: Callable[[Tree], None]) -> None:
        for path in sorted(self.folder.glob("*.xml")):
            tree = etree.parse(path)
            change(tree.getroot())
            tree.write(path, xml_declaration=True, encoding="utf-8")

    def back(self, data: Path | None = None) -> Any:
        request = Request(data=data or self.folder, dry_run=True)
        return import_onto(self.repo, request, "HEAD").difference

    def changed(self) -> list[tuple[str, str, tuple[str, ...]]]:
        """Return what became of annotations: item, status, fields; nothing else changed."""
        found = self.back()
        assert found.labels == found.old_labels
        assert found.metadata is None
        changes = [one for one in found.changes() if one.is_change]
        assert [one.fields for one in changes if one.fields] == []
        return [(one.id, note.status, note.fields) for one in changes for note in one.annotations]


@pytest.fixture
def sent(written: Callable[[str], tuple[Path, Path]], tmp_path: Path) -> Callable[[str], Task]:
    def of(name: str) -> Task:
        root, folder = written(name)
        shutil.copytree(root, tmp_path / "repo")
        shutil.copytree(folder, tmp_path / "back")
        return Task(Repository(tmp_path / "repo"), tmp_path / "back")

    return of


@pytest.mark.parametrize("name", SAMPLES)
def test_what_nobody_touched_is_nothing_to_record(sent, name: str, tmp_path: Path):
    task = sent(name)
    assert not task.back()
    archive = shutil.make_archive(str(tmp_path / "job"), "zip", task.folder)
    assert not task.back(Path(archive))


def reversed_images(root: Tree) -> None:
    images = root.findall("image")
    for image in images:
        root.remove(image)
    for n, image in enumerate(reversed(images)):
        image.set("id", str(n + 100))
        root.append(image)


def other_groups(root: Tree) -> None:
    for element in root.iter():
        if element.get("group_id"):
            element.set("group_id", str(int(element.get("group_id")) + 77))


def other_tracks(root: Tree) -> None:
    for n, track in enumerate(reversed(root.findall("track"))):
        track.set("id", str(n + 1))


def another_task(root: Tree) -> None:
    """Be what CVAT says of a task that was made anew."""
    for tag, text in {"id": "812", "name": "again", "updated": "2031-01-01"}.items():
        for element in root.findall(f"meta/*/{tag}"):
            element.text = text
    for image in root.findall("image"):
        if image.get("task_id"):
            image.set("task_id", "812")
    etree.SubElement(root.find("meta"), "dumped").text = "2031-01-01 10:00:00.5+00:00"


def all_numbers(root: Tree) -> None:
    for change in (reversed_images, other_groups, other_tracks, another_task):
        change(root)


@pytest.mark.parametrize(
    "change", [reversed_images, other_groups, other_tracks, another_task, all_numbers]
)
@pytest.mark.parametrize("name", SAMPLES)
def test_other_numbers_are_nothing_to_record(sent, name: str, change: Callable[[Tree], None]):
    task = sent(name)
    task.edit(change)
    assert not task.back()


# -- images: one edit, with and without other numbers ----------------------------------------------


def first(root: Tree) -> Tree:
    """Return the first box or outline that stands alone, without attributes of its label."""
    shapes = (one for one in root.iter("box", "polygon") if one.getparent().tag == "image")
    alone = (one for one in shapes if not one.get("group_id") and not one.get("part"))
    return next((one for one in alone if one.get("points") or not len(one)), None)


def shifted(shape: Tree) -> None:
    """Move a shape by a tenth of a pixel to the right."""
    if shape.tag == "box":
        for name in ("xtl", "xbr"):
            shape.set(name, str(float(shape.get(name)) + 0.1))
        return
    points = [one.split(",") for one in shape.get("points").split(";")]
    shape.set("points", ";".join(f"{float(x) + 0.1:.2f},{y}" for x, y in points))


def move(root: Tree) -> None:
    if (shape := first(root)) is not None:
        shifted(shape)
        done(root)


def relabel(root: Tree) -> None:
    if (shape := first(root)) is not None:
        names = [one.text for one in root.iter("name") if one.getparent().tag == "label"]
        shape.set("label", next(name for name in names if name != shape.get("label")))
        done(root)


def delete(root: Tree) -> None:
    if (shape := first(root)) is not None:
        shape.getparent().remove(shape)
        done(root)


def add(root: Tree) -> None:
    if (shape := first(root)) is not None:
        corners = {"xtl": "2", "ytl": "5.5", "xbr": "3.25", "ybr": "6.75"}
        values = {"label": shape.get("label"), "source": "manual", "occluded": "0", "z_order": "0"}
        etree.SubElement(shape.getparent(), "box", {**values, **corners})
        done(root)


def done(root: Tree) -> None:
    """Say that this file was edited, so that no other one is."""
    root.set("edited", "1")


EDITS = {
    move: ("changed", ("geometry",)),
    relabel: ("changed", ("label",)),
    delete: ("removed", ()),
    add: ("added", ()),
}


@pytest.mark.parametrize("renumbered", [False, True])
@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("name", ["coco", "project", "task"])
def test_one_edited_shape_is_one_change(
    sent, name: str, edit: Callable[[Tree], None], renumbered: bool
):
    task = sent(name)
    edited = []

    def change(root: Tree) -> None:
        if renumbered:
            all_numbers(root)
        if not edited:
            edit(root)
            if root.attrib.pop("edited", None):
                edited.append(root)

    task.edit(change)
    assert edited
    ((_, status, fields),) = task.changed()
    assert (status, fields) == EDITS[edit]


# -- videos ------------------------------------------------------------------------------------


def test_a_track_that_was_deleted_renumbers_no_other(sent):
    task = sent("video")
    frames: list[int] = []

    def change(root: Tree) -> None:
        tracks = root.findall("track")
        assert len(tracks) > 2
        frames.extend(int(one.get("frame")) for one in tracks[0] if one.get("outside") != "1")
        root.remove(tracks[0])
        for n, track in enumerate(tracks[1:]):
            track.set("id", str(n))

    task.edit(change)
    changes = task.changed()
    assert {status for _, status, _ in changes} == {"removed"}
    assert len({id for id, _, _ in changes}) == len(changes) >= len(frames) - 1


def test_a_moved_box_of_a_track_is_one_change_whatever_its_number(sent):
    task = sent("video")

    def change(root: Tree) -> None:
        other_tracks(root)
        shape = next(one for one in root.iter("box") if one.get("keyframe") == "1")
        for name in ("xtl", "xbr"):
            shape.set(name, str(float(shape.get(name)) + 1))

    task.edit(change)
    changes = task.changed()
    assert {(status, fields) for _, status, fields in changes} == {("changed", ("geometry",))}


BOX = '<box frame="{0}" keyframe="{1}" outside="0" occluded="0" xtl="{0}" ytl="1" xbr="9" ybr="8"/>'


def test_a_shape_between_keyframes_that_becomes_one_is_a_change(tmp_path: Path):
    boxes = "".join(BOX.format(frame, int(frame in (0, 4))) for frame in range(5))
    text = (
        "<annotations><version>1.1</version><meta><task><size>5</size><mode>interpolation</mode>"
        "<original_size><width>64</width><height>48</height></original_size>"
        "<labels><label><name>cat</name></label></labels></task></meta>"
        f'<track id="0" label="cat">{boxes}</track></annotations>'
    )
    (tmp_path / "video").mkdir()
    (tmp_path / "video" / "annotations.xml").write_text(text)
    with Repository.init(tmp_path / "repo") as repo:
        repo.import_dataset(tmp_path / "video", name="data")
        export(repo.dataset("HEAD"), formats.find("cvat"), tmp_path / "sent")
        (tmp_path / "sent" / STAMP).unlink()
        task = Task(repo, tmp_path / "sent")
        assert task.changed() == []

        def change(root: Tree) -> None:
            shape = root.find(".//box[@frame='2']")
            shape.set("keyframe", "1")
            shape.set("xtl", "6")

        task.edit(change)
        assert task.changed() == [("frame_000002", "changed", ("geometry", "attributes"))]


@pytest.mark.parametrize("name", ["coco", "project"])
def test_coordinates_with_two_decimals_are_no_edit(sent, name: str):
    task = sent(name)

    def shorten(root: Tree) -> None:
        for shape in root.iter():
            for key in ("xtl", "ytl", "xbr", "ybr", "points"):
                if key in shape.attrib:
                    text = re.sub(r"\d+\.\d+", lambda m: f"{float(m[0]):.2f}", shape.get(key))
                    shape.set(key, text)

    before = [path.read_bytes() for path in task.folder.glob("*.xml")]
    task.edit(shorten)
    assert before != [path.read_bytes() for path in task.folder.glob("*.xml")]
    assert task.changed() == []
    files = len(before)
    task.edit(relabel)  # one shape in each file
    changes = task.changed()
    assert {(status, fields) for _, status, fields in changes} == {("changed", ("label",))}
    assert 1 <= len(changes) <= files


def test_a_new_track_gets_a_number_of_its_own(sent):
    task = sent("video")

    def change(root: Tree) -> None:
        old = root.findall("track")
        for n, track in enumerate(old):
            track.set("id", str(n + 1))
        new = etree.fromstring(etree.tostring(next(one for one in old if len(one.findall("box")))))
        new.set("id", "0")
        for shape in new:
            for name in ("xtl", "xbr"):
                shape.set(name, str(float(shape.get(name)) + 9))
        root.append(new)

    task.edit(change)
    found = task.back()
    assert {note.status for one in found.changes() for note in one.annotations} == {"added"}
    before = {n.track for one in found.items for n in one.before.annotations}
    after = {n.track for one in found.items for n in one.after.annotations}
    assert len(after) == len(before) + 1


# -- groups ------------------------------------------------------------------------------------


def test_who_belongs_together_is_an_edit_and_survives(sent, tmp_path: Path):
    task = sent("coco")
    chosen: list[str] = []

    def change(root: Tree) -> None:
        other_groups(root)
        for image in root.findall("image"):
            alone = [one for one in image.findall("polygon") if not one.get("group_id")]
            if len(alone) > 1 and not chosen:
                for shape in alone[:2]:
                    shape.set("group_id", "9000")
                chosen.append(image.get("name"))

    task.edit(change)
    assert chosen
    done = import_onto(task.repo, Request(data=task.folder), "HEAD")
    assert len(done.difference.items) == 1
    item = done.difference.items[0].after
    groups = [note.group for note in item.annotations if note.group]
    assert max(groups.count(one) for one in groups) >= 2
    assert not import_onto(task.repo, Request(data=task.folder), "HEAD").committed.changed


# -- attributes that only an unchanged item has ------------------------------------------------


def test_attributes_of_items_that_read_as_they_are_stored_are_no_edit(tmp_path: Path):
    def frame(n: int, **attributes: str) -> Item:
        box = Bbox(5.0, 6.0, 7.0, 8.0, label="cat", attributes={"occluded": False, **attributes})
        media = Media(kind="video_frame", frame=n, height=48, width=64)
        return Item(
            id=f"frame_{n:06d}", subset="train", media=media, annotations=[box], annotated=True
        )

    repo = Repository.init(tmp_path / "repo")
    repo.import_dataset(Dataset.from_items([frame(0, colour="red"), frame(1)], ["cat"]), name="d")
    export(repo.dataset("HEAD"), formats.find("cvat"), tmp_path / "sent")
    task = Task(repo, tmp_path / "sent")
    assert not task.back()
    task.edit(lambda root: list(root.iter("box"))[1].set("xtl", "4"))
    assert task.changed() == [("frame_000001", "changed", ("geometry",))]


# -- polygons of several parts, which CVAT shows as shapes in a group ------------------------------


def square(x: float, y: float) -> list[float]:
    """Return a ring of 20 pixels, its corners finer than CVAT writes them."""
    return [x + 0.12345, y, x + 20.0, y + 0.66667, x + 20.0, y + 20.0, x, y + 20.0]


TREE = Polygon([[square(10, 10)], [square(40, 10)], [square(70, 10)]], label="tree", id=1)
HEDGE = Polygon([[square(10, 60)], [square(40, 60)]], label="hedge", id=2, group=1)
GATE = Bbox(60.0, 60.0, 20.0, 20.0, label="gate", id=3, group=1)
ROCKS = [Polygon([[square(x, 120)]], label="rock", id=at, group=2) for at, x in ((4, 10), (5, 40))]
OBJECTS = [TREE, HEDGE, GATE, *ROCKS]
MARKED = pytest.mark.parametrize("marked", [False, True])


@pytest.fixture
def garden(tmp_path: Path) -> Task:
    """What CVAT has of polygons of several parts, alone and in a group, and of a mere group."""
    media = Media(height=200, width=200)
    items = [
        Item(id=name, subset="train", media=media, annotations=OBJECTS, annotated=True)
        for name in ("a", "b")
    ]
    repo = Repository.init(tmp_path / "repo")
    repo.import_dataset(Dataset.from_items(items, ["tree", "hedge", "gate", "rock"]), name="d")
    export(repo.dataset("HEAD"), formats.find("cvat"), tmp_path / "sent")
    (tmp_path / "sent" / STAMP).unlink()
    return Task(repo, tmp_path / "sent")


def as_cvat(root: Tree) -> None:
    """Be as CVAT writes it: two decimals, no marks that only we know, other groups."""
    for shape in root.iter("polygon"):
        shape.attrib.pop("part", None)
        points = [one.split(",") for one in shape.get("points").split(";")]
        shape.set("points", ";".join(f"{float(x):.2f},{float(y):.2f}" for x, y in points))
    other_groups(root)


def parts_of(root: Tree, label: str) -> list[Tree]:
    return root.find("image").findall(f"polygon[@label='{label}']")


def edit_parts(task: Task, change: Callable[[Tree], None], *, marked: bool) -> None:
    """Change what CVAT has; where it is marked, our marks are as we wrote them."""

    def both(root: Tree) -> None:
        if not marked:
            as_cvat(root)
        change(root)

    task.edit(both)


def after_import(task: Task) -> tuple[Any, ...]:
    """Bring back; return the annotations of the edited image. The other one is as it was."""
    done = import_onto(task.repo, Request(data=task.folder), "HEAD")
    found = {item.id: tuple(item.annotations) for item in task.repo.dataset("HEAD")}
    assert found["b"] == tuple(OBJECTS)
    assert len(done.difference.items) == 1
    return found["a"]


@MARKED
def test_parts_that_nobody_touched_are_nothing_to_record(garden: Task, marked: bool):
    edit_parts(garden, lambda root: None, marked=marked)
    assert garden.changed() == []


@MARKED
@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("old", [TREE, HEDGE], ids=["alone", "grouped"])
def test_the_label_of_parts_is_that_of_their_polygon(
    garden: Task, old: Polygon, count: int, marked: bool
):
    def change(root: Tree) -> None:
        for part in parts_of(root, old.label)[-count:]:
            part.set("label", "rock")

    edit_parts(garden, change, marked=marked)
    assert garden.changed() == [("a", "changed", ("label",))]
    wanted = [note.with_(label="rock") if note is old else note for note in OBJECTS]
    assert after_import(garden) == tuple(wanted)


@MARKED
@pytest.mark.parametrize("n", [0, 1, 2])
def test_a_moved_part_changes_its_polygon_and_no_other_part(garden: Task, n: int, marked: bool):
    edit_parts(garden, lambda root: shifted(parts_of(root, "tree")[n]), marked=marked)
    assert garden.changed() == [("a", "changed", ("geometry",))]
    new, *others = after_import(garden)
    assert others == OBJECTS[1:]
    assert [at for at in range(3) if new.parts[at] != TREE.parts[at]] == [n]
    assert new.parts[n][0][0] == pytest.approx(TREE.parts[n][0][0] + 0.1, abs=0.01)
    assert new.with_(parts=TREE.parts) == TREE


@MARKED
@pytest.mark.parametrize("old", [TREE, HEDGE], ids=["alone", "grouped"])
@pytest.mark.parametrize("n", [0, 1])
def test_a_deleted_part_leaves_a_polygon_of_the_others(
    garden: Task, old: Polygon, n: int, marked: bool
):
    def change(root: Tree) -> None:
        part = parts_of(root, old.label)[n]
        part.getparent().remove(part)

    edit_parts(garden, change, marked=marked)
    assert garden.changed() == [("a", "changed", ("geometry",))]
    left = old.with_(parts=[part for at, part in enumerate(old.parts) if at != n])
    assert after_import(garden) == tuple(left if note is old else note for note in OBJECTS)


@MARKED
@pytest.mark.parametrize("old", [TREE, HEDGE], ids=["alone", "grouped"])
def test_a_polygon_of_which_all_parts_are_deleted_is_removed(
    garden: Task, old: Polygon, marked: bool
):
    def change(root: Tree) -> None:
        for part in parts_of(root, old.label):
            part.getparent().remove(part)

    edit_parts(garden, change, marked=marked)
    assert garden.changed() == [("a", "removed", ())]
    found = after_import(garden)
    assert [note.id for note in found] == [note.id for note in OBJECTS if note is not old]


@MARKED
def test_a_part_taken_out_of_the_group_is_a_polygon_of_its_own(garden: Task, marked: bool):
    edit_parts(garden, lambda root: parts_of(root, "tree")[2].set("group_id", "0"), marked=marked)
    found = after_import(garden)
    assert found[0] == TREE.with_(parts=TREE.parts[:2])
    (new,) = found[len(OBJECTS) :]
    assert (new.kind, new.label, len(new.parts), new.group) == ("polygon", "tree", 1, 0)


def test_parts_with_labels_of_their_own_are_polygons_of_their_own(garden: Task):
    def change(root: Tree) -> None:
        for part, label in zip(parts_of(root, "tree"), ("rock", "gate", "tree"), strict=True):
            part.set("label", label)

    edit_parts(garden, change, marked=False)
    statuses = [status for _, status, _ in garden.changed()]
    assert sorted(statuses) in (["added", "added", "changed"], ["added"] * 3 + ["removed"])


@MARKED
def test_a_shape_drawn_anew_beside_parts_is_no_part(garden: Task, marked: bool):
    def change(root: Tree) -> None:
        part = parts_of(root, "tree")[-1]
        new = etree.fromstring(etree.tostring(part))
        new.attrib.pop("part", None)
        new.set("points", "1.00,1.00;8.00,1.00;8.00,8.00")
        part.getparent().append(new)

    edit_parts(garden, change, marked=marked)
    found = after_import(garden)
    assert [note.with_(group=0) for note in found[:-1]] == [n.with_(group=0) for n in OBJECTS]
    assert found[-1].group == found[0].group != 0


# -- coordinates finer than CVAT's, and images without shapes --------------------------------------


def test_coordinates_that_cvat_only_rounded_stay_as_they_are(garden: Task):
    edit_parts(garden, lambda root: shifted(parts_of(root, "rock")[0]), marked=False)
    assert garden.changed() == [("a", "changed", ("geometry",))]
    found = after_import(garden)
    assert [note for note in found if note.id != ROCKS[0].id] == [
        note for note in OBJECTS if note.id != ROCKS[0].id
    ]


@pytest.mark.parametrize("looked", [True, False, None])
def test_an_image_without_shapes_is_looked_at_once_it_has_some(tmp_path: Path, looked: bool | None):
    media = Media(height=200, width=200)
    items = [
        Item(id="a", subset="train", media=media, annotations=[GATE], annotated=True),
        *(Item(id=id, subset="train", media=media, annotated=looked) for id in ("b", "c")),
    ]
    repo = Repository.init(tmp_path / "repo")
    repo.import_dataset(Dataset.from_items(items, ["gate"]), name="d")
    export(repo.dataset("HEAD"), formats.find("cvat"), tmp_path / "sent")
    task = Task(repo, tmp_path / "sent")
    assert not task.back()

    def change(root: Tree) -> None:
        images = root.findall("image")
        images[1].append(etree.fromstring(etree.tostring(images[0].find("box"))))

    task.edit(change)
    import_onto(repo, Request(data=task.folder), "HEAD")
    found = {item.id: item.annotated for item in repo.dataset("HEAD")}
    assert found == {"a": True, "b": True, "c": looked}
