"""Importing: new sources, new versions of known ones, and what is refused."""

import hashlib
import json
import shutil
from contextlib import suppress
from pathlib import Path

import pytest

from dvcs.errors import DvcsError, RepositoryError, UnsafeName, UsageError
from dvcs.model import Bbox, Category, Dataset, Item, Labels, Media, MediaFile
from dvcs.repository import Repository, importing
from tests.repository.scenes import (
    box,
    check_sound,
    coco,
    commit,
    contents,
    dataset,
    git,
    item,
    items,
    png,
    state,
)


def ids(repo: Repository) -> list[str]:
    return [f"{subset}/{id}" for _, subset, id in contents(repo)]


def test_a_dataset_on_disk_becomes_a_source(repo: Repository, tmp_path: Path):
    done = repo.import_dataset(coco(tmp_path / "pets", 3, large=1))
    snapshot = repo.snapshot(done.oid)
    assert list(snapshot.sources) == ["pets"]
    info = snapshot.info("pets")
    assert (info.format, info.origin) == ("coco", "pets")
    held = list(repo.dataset())
    assert [one.id for one in held] == ["0000", "0001", "0002"]
    assert [one.annotations[0].label for one in held] == ["cat", "dog", "cat"]
    for n, one in enumerate(held):
        data = png(n) + (b"\0" * 70_000 if n == 0 else b"")
        assert one.origins[0].read() == data
        assert (one.media.height, one.media.width) == (4, 4)
        assert one.media.files[0].size == len(data)
    check_sound(repo)
    assert "Import pets" in git(repo, "log", "-1", "--format=%B")


def test_the_same_dataset_again_is_no_commit(repo: Repository, tmp_path: Path):
    folder = coco(tmp_path / "pets")
    first = repo.import_dataset(folder)
    before = state(repo)
    again = repo.import_dataset(folder)
    assert (again.oid, again.changed) == (first.oid, False)
    assert state(repo) == before


def test_a_new_version_stores_only_what_changed(repo: Repository, tmp_path: Path):
    folder = coco(tmp_path / "pets", 200)
    repo.import_dataset(folder)
    before = {path: path.stat().st_size for path in repo.layout.git.rglob("*") if path.is_file()}
    document = json.loads((folder / "annotations" / "instances_train.json").read_text())
    document["annotations"][7]["bbox"][0] = 3.5
    (folder / "annotations" / "instances_train.json").write_text(json.dumps(document))
    repo.import_dataset(folder)
    new = {
        path: path.stat().st_size
        for path in repo.layout.git.rglob("*")
        if path.is_file() and path not in before
    }
    assert sum(new.values()) < 20_000
    assert not any(path.is_relative_to(repo.layout.media) for path in new)
    changed = git(repo, "diff", "--name-only", "HEAD~1", "HEAD").split()
    assert [path.rsplit("/", 1)[1] for path in changed] == ["0007.jsonl"]


def test_known_items_that_are_missing_make_it_refuse(repo: Repository, tmp_path: Path):
    repo.import_dataset(coco(tmp_path / "pets", 8))
    before = state(repo)
    shutil.rmtree(tmp_path / "pets")
    coco(tmp_path / "pets", 1, first=7)
    with pytest.raises(RepositoryError, match="lacks 7 known items") as caught:
        repo.import_dataset(tmp_path / "pets")
    assert "train/0000" in str(caught.value)
    assert "--mode update keeps them, --mode replace removes them" in (caught.value.hint or "")
    assert state(repo) == before
    repo.import_dataset(tmp_path / "pets", mode="update")
    assert len(ids(repo)) == 8
    repo.import_dataset(tmp_path / "pets", mode="replace")
    assert ids(repo) == ["train/0007"]
    check_sound(repo)


def test_an_item_that_is_in_two_subsets_is_missed_in_each(repo: Repository):
    commit(repo, [item("x", "train"), item("x", "val"), item("y", "train")])
    with pytest.raises(RepositoryError, match=r"lacks 1 known item \(val/x\)"):
        repo.import_dataset(dataset([item("x", "train"), item("y", "train")]), name="a")
    repo.import_dataset(dataset([item("x", "test"), item("x", "val"), item("y")]), name="a")
    assert ids(repo) == ["test/x", "train/y", "val/x"]


def test_an_item_that_moved_to_another_subset_is_not_missing(repo: Repository):
    commit(repo, [item("x", "train"), item("y", "train")])
    repo.import_dataset(dataset([item("x", "val"), item("y", "train")]), name="a")
    assert ids(repo) == ["train/y", "val/x"]


def test_a_mode_new_refuses_a_known_source(repo: Repository):
    commit(repo, items(1))
    with pytest.raises(UsageError, match="there is a source 'a' already"):
        repo.import_dataset(dataset(items(1)), name="a", mode="new")


def test_media_that_are_absent_now_stay(repo: Repository, tmp_path: Path):
    folder = coco(tmp_path / "pets", 2)
    repo.import_dataset(folder)
    shutil.rmtree(folder / "images")
    document = json.loads((folder / "annotations" / "instances_train.json").read_text())
    document["annotations"][0]["bbox"][0] = 2.0
    (folder / "annotations" / "instances_train.json").write_text(json.dumps(document))
    repo.import_dataset(folder)
    first, second = repo.dataset()
    assert first.annotations[0].x == 2.0
    assert [first.origins[0].read(), second.origins[0].read()] == [png(0), png(1)]
    check_sound(repo)


def test_media_not_wanted_are_not_stored(repo: Repository, tmp_path: Path):
    repo.import_dataset(coco(tmp_path / "pets", 2), media="none")
    assert list(repo.media) == []
    assert [one.origins for one in repo.dataset()] == [(), ()]


def test_media_referred_to_are_read_where_they_are(repo: Repository):
    folder = coco(repo.root / "pets", 2)
    repo.import_dataset(folder, media="reference")
    assert list(repo.media) == []
    first, _ = repo.dataset()
    assert first.media.files[0].url == "pets/images/train/0000.png"
    assert first.media.files[0].size == len(png(0))
    assert first.origins[0].read() == png(0)


def test_ids_of_annotations_are_kept_unless_told(repo: Repository):
    def version(start: int, shift: float = 0.0) -> Dataset:
        notes = [box(10.0 * n + shift, id=start + n) for n in range(5)]
        return dataset([Item(id="x", subset="train", annotations=notes)])

    repo.import_dataset(version(1), name="a")
    repo.import_dataset(version(100, 0.5), name="a")
    (held,) = contents(repo).values()
    assert [(note.id, note.x) for note in held] == [(n + 1, 10.0 * n + 0.5) for n in range(5)]
    repo.import_dataset(version(100), name="a", take_ids=True)
    (held,) = contents(repo).values()
    assert [note.id for note in held] == [100, 101, 102, 103, 104]


def test_an_id_that_is_taken_is_not_given_twice(repo: Repository):
    first = Item(id="x", subset="train", annotations=[box(0.0, id=1), box(200.0, id=2)])
    repo.import_dataset(dataset([first]), name="a")
    # What was 1 is called 7 now, and there is a new 1.
    second = Item(id="x", subset="train", annotations=[box(500.0, id=1), box(1.0, id=7)])
    repo.import_dataset(dataset([second]), name="a")
    (held,) = contents(repo).values()
    assert {note.x: note.id for note in held}[1.0] == 1
    assert len({note.id for note in held}) == 2


def test_a_subset_that_the_format_does_not_know_is_the_previous_one(repo: Repository):
    commit(repo, [item("x", "train"), item("y", "val")])
    repo.import_dataset(
        dataset([item("x", "default", 5.0), item("y", "default"), item("z", "default")]), name="a"
    )
    assert ids(repo) == ["default/z", "train/x", "val/y"]


def test_what_was_annotated_stays_annotated(repo: Repository):
    commit(repo, [item("x", annotated=True)])
    repo.import_dataset(dataset([item("x", x=9.0)]), name="a")
    (one,) = repo.dataset()
    assert (one.annotated, one.annotations[0].x) == (True, 9.0)


def test_a_renamed_label_changes_one_line(repo: Repository):
    def version(name: str) -> Dataset:
        labels = Labels([Category(name=name, id=1), Category(name="dog", id=2)])
        return Dataset(labels, lambda: [Item(id="x", annotations=[box(label=name)])])

    repo.import_dataset(version("cat"), name="a")
    repo.import_dataset(version("feline"), name="a")
    assert git(repo, "diff", "--name-only", "HEAD~1", "HEAD").split() == ["a/categories.json"]
    assert [one.annotations[0].label for one in repo.dataset()] == ["feline"]
    assert [one.annotations[0].label for one in repo.dataset("HEAD~1")] == ["cat"]


def test_labels_that_an_update_lacks_stay(repo: Repository):
    commit(
        repo,
        [item("x"), Item(id="y", subset="train", annotations=[box(label="dog")])],
        labels=("cat", "dog"),
    )
    repo.import_dataset(dataset([item("x", x=3.0)]), name="a", mode="update")
    assert repo.dataset().labels.names == ("cat", "dog")
    assert [one.annotations[0].label for one in repo.dataset()] == ["cat", "dog"]


def test_an_undeclared_label_is_refused(repo: Repository):
    before = state(repo)
    bad = Dataset(["cat"], lambda: [item("x"), Item(id="y", annotations=[box(label="dog")])])
    with pytest.raises(RepositoryError, match="item 'y' has the label 'dog'"):
        repo.import_dataset(bad, name="a")
    assert state(repo) == before


def test_two_items_of_one_name_are_refused(repo: Repository):
    with pytest.raises(RepositoryError, match="two items are called 'train/x'"):
        repo.import_dataset(dataset([item("x"), item("y"), item("x")]), name="a")


def test_an_error_in_the_middle_of_a_dataset_changes_nothing(repo: Repository):
    def walk():
        yield from items(600)
        raise RepositoryError("bad")

    commit(repo, items(1), source="b")
    before = state(repo)
    with pytest.raises(RepositoryError, match="bad"):
        repo.import_dataset(Dataset(["cat"], walk), name="a")
    assert state(repo) == before


def test_a_dry_run_changes_nothing(repo: Repository, tmp_path: Path):
    before = state(repo)
    request = importing.Request(data=coco(tmp_path / "pets", 3, large=1), dry_run=True)
    done = importing.run(repo, request)
    assert (done.items, done.media_files, done.new) == (3, 3, True)
    assert state(repo) == before


def test_a_source_is_named_for_its_folder_or_as_told(repo: Repository, tmp_path: Path):
    repo.import_dataset(coco(tmp_path / "pets"))
    repo.import_dataset(coco(tmp_path / "pets"), name="other/name")
    assert list(repo.snapshot(repo.resolve("HEAD")).sources) == ["other/name", "pets"]
    assert "other%2Fname/" in git(repo, "ls-tree", "--name-only", "-r", "HEAD")
    assert [one.source for one in repo.dataset("HEAD:other/name")] == ["other/name"] * 3
    check_sound(repo)


# -- names ---------------------------------------------------------------------------------------

UNSAFE = [
    "../x",
    "a/../../x",
    "/abs",
    "C:\\x",
    "\\\\srv\\x",
    "..\\x",
    "a\0b",
    "",
    ".",
    "a//b",
    "a/",
]
STRANGE = ["con", "aux.txt", "a:b", "trailing.", "trailing ", " lead", "new\nline", "\x1b[31m"]
STRANGE += [".hidden", ".git/config", ".dvcs/hooks/x", "GIT~1", "\u202ex", "%2E%2E", "a%2Fb"]
STRANGE += ["é", "x" * 300]


@pytest.mark.parametrize("where", ["id", "subset", "source", "file", "branch"])
def test_names_that_could_leave_their_folder_are_refused(repo: Repository, where: str):
    commit(repo, items(1), source="b")
    before = state(repo)
    for name in [*UNSAFE, "\udcff"]:
        if where == "source" and not name:
            continue  # no name: the source's own
        one = item("x")
        if where == "id":
            one = one.with_(id=name)
        elif where == "subset":
            one = one.with_(subset=name)
        elif where == "file":
            one = one.with_(media=Media(files=(MediaFile(name=name),)))
        source = name if where == "source" else "a"
        branch = name if where == "branch" else None
        with pytest.raises((UnsafeName, UsageError)):
            repo.commit(dataset([one]), message="x", source=source, branch=branch)
        assert state(repo) == before, name


@pytest.mark.parametrize("where", ["id", "subset", "source", "label"])
def test_strange_names_are_kept_as_they_are(repo: Repository, where: str):
    for name in STRANGE:
        one = item("x")
        if where == "id":
            one = one.with_(id=name)
        elif where == "subset":
            one = one.with_(subset=name)
        elif where == "label":
            one = one.with_(annotations=[box(label=name)])
        labels = (name,) if where == "label" else ("cat",)
        source = name if where == "source" else "a"
        if where in ("subset", "source") and len(name) > 200:
            with pytest.raises(UnsafeName, match="too long"):
                commit(repo, [one], source=source)
            continue
        commit(repo, [one], source=source, labels=labels)
        (held,) = repo.dataset(f"HEAD:{source}")
        assert (held.id, held.subset, held.annotations) == (one.id, one.subset, one.annotations)
        assert held.source == source
    check_sound(repo)


def test_names_that_differ_only_in_case_or_form_are_kept_apart(repo: Repository):
    names = ["A", "a", "straße", "STRASSE", "x", "x."]
    commit(repo, [item(name, x=float(n)) for n, name in enumerate(names)])
    assert {key[2]: held[0].x for key, held in contents(repo).items()} == {
        name: float(n) for n, name in enumerate(names)
    }
    check_sound(repo)


COCO_NAMES = ["../../evil.png", "/etc/passwd", "C:/x.png", "..\\..\\evil.png", "a\0.png"]


def test_a_file_on_disk_with_unsafe_names_is_refused(repo: Repository, tmp_path: Path):
    folder = coco(tmp_path / "pets", 2)
    file = folder / "annotations" / "instances_train.json"
    document = json.loads(file.read_text())
    (tmp_path / "evil.png").write_bytes(png(9))
    before = state(repo)
    for name in COCO_NAMES:
        document["images"][0]["file_name"] = name
        file.write_text(json.dumps(document))
        with pytest.raises(DvcsError):
            repo.import_dataset(folder)
        assert state(repo) == before, name


def test_values_that_cannot_be_stored_are_refused_with_their_item(repo: Repository):
    bad = Bbox(x=float("nan"), y=0.0, w=1.0, h=1.0, label="cat")
    before = state(repo)
    with pytest.raises(DvcsError, match="item 'y'"):
        commit(repo, [item("x"), Item(id="y", annotations=[bad])])
    assert state(repo) == before


def test_links_out_of_a_dataset_are_not_followed(repo: Repository, tmp_path: Path):
    secret = tmp_path / "secret.png"
    secret.write_bytes(png(77))
    folder = coco(tmp_path / "pets", 2)
    image = folder / "images" / "train" / "0000.png"
    image.unlink()
    image.symlink_to(secret)
    with suppress(DvcsError):
        repo.import_dataset(folder)
    assert hashlib.sha256(png(77)).hexdigest() not in repo.media


def test_an_update_reports_what_was_read_and_not_what_it_keeps(repo: Repository):
    commit(repo, [item("x"), item("y")])
    request = importing.Request(data=dataset([item("x", x=2.0)]), name="a", mode="update")
    done = importing.run(repo, request)
    assert (done.items, done.annotations) == (1, 1)
    assert len(list(repo.dataset())) == 2


def test_two_revisions_are_compared_by_name(repo: Repository):
    repo.import_dataset(dataset([item("x", x=1.0)]), name="a")
    repo.import_dataset(dataset([item("x", x=2.0)]), name="a")
    repo.import_dataset(dataset([item("z")]), name="b")
    told = [(one.status, one.source, one.id) for one in repo.diff("HEAD~2")]
    assert told == [("changed", "a", "x"), ("added", "b", "z")]
    assert [one.source for one in repo.diff("HEAD~2:a", "HEAD")] == ["a"]
