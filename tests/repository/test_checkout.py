"""Checkout, reset, restore and removal of working copies: bytes, refusals, and kills in between."""

import json
import os
import shutil
import signal
import sys
from pathlib import Path

import pytest

from dvcs.errors import DirtyWorkingCopy, Locked, RepositoryError, RevisionNotFound, UsageError
from dvcs.repository import Repository, importing, undo
from dvcs.repository.refs import HEADS
from dvcs.repository.working import checkout, copies, worktree
from tests.repository import pets


def second_version(data):
    pets.note(data, 12)["bbox"][0] += 4
    data["images"] = [one for one in data["images"] if one["id"] != 4]
    data["annotations"] = [one for one in data["annotations"] if one["image_id"] != 4]
    data["images"].append({"id": 7, "file_name": "7.png", "width": 64, "height": 48})
    data["annotations"].append(pets.boxed(71, 7, 1, 5.0, 5.0))


@pytest.fixture
def two(tmp_path):
    """A repository with two versions, which differ in a box and two images."""
    repo, folder = pets.tracked(tmp_path / "repo")
    commit_second(repo, folder)
    return repo, folder


def commit_second(repo, folder):
    pets.edit(folder, second_version)
    pets.image(folder, 7)
    pets.image(folder, 3, seed=33)
    (folder / "images" / "train" / "4.png").unlink()
    worktree.commit(repo, message="second")
    checkout.restore(repo)


def identity(folder):
    return {
        path.relative_to(folder).as_posix(): (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_going_back_and_forth_gives_the_same_bytes(two):
    repo, folder = two
    second = pets.files(folder)
    checkout.checkout(repo, "HEAD~1")
    first = pets.files(folder)
    assert "images/train/4.png" in first
    assert "images/train/7.png" not in first
    assert first["images/train/3.png"] == pets.png(3)
    for revision, expected in (("main", second), ("main~1", first), ("main", second)):
        checkout.checkout(repo, revision)
        assert pets.files(folder) == expected
        assert pets.only(repo).state == "clean"


def test_only_files_that_differ_are_touched(two):
    repo, folder = two
    before = identity(folder)
    done = checkout.checkout(repo, "HEAD~1")
    after = identity(folder)
    assert {path for path in before if before[path] == after.get(path)} == {
        "images/train/1.png",
        "images/train/2.png",
    }
    (copy,) = done.copies
    assert set(copy.removed) == {"images/train/7.png"}
    assert set(copy.written) == {
        ".dvcs-export.json",
        pets.JSON,
        "images/train/3.png",
        "images/train/4.png",
    }


def test_a_checkout_of_an_equal_tree_touches_nothing(two):
    repo, folder = two
    repo.create_branch("same", repo.resolve())
    before = identity(folder)
    done = checkout.checkout(repo, "same")
    assert (done.branch, done.copies) == ("same", ())
    assert identity(folder) == before


def test_users_own_files_are_respelt_once_and_kept_in_the_trash(tmp_path):
    repo, folder = pets.tracked(tmp_path / "repo", written=False)
    own = (folder / pets.JSON).read_bytes()
    pets.edit(folder, second_version)
    worktree.commit(repo, message="second")
    edited = (folder / pets.JSON).read_bytes()
    checkout.checkout(repo, "HEAD~1")
    assert pets.only(repo).state == "clean"
    assert json.loads((folder / pets.JSON).read_bytes())["images"] == json.loads(own)["images"]
    kept = [path.read_bytes() for path in repo.layout.trash.rglob("*.json")]
    assert kept == [edited]


def test_changes_refuse_and_are_named(two):
    repo, folder = two
    pets.edit(folder, lambda data: pets.note(data, 21).update(category_id=2))
    before = pets.files(folder)
    with pytest.raises(DirtyWorkingCopy, match="pets/train/2"):
        checkout.checkout(repo, "HEAD~1")
    assert pets.files(folder) == before
    assert repo.refs.head_branch() == "main"
    with pytest.raises(DirtyWorkingCopy):
        checkout.require_clean(repo)


def test_changes_go_along_where_the_source_is_the_same(two):
    repo, folder = two
    pets.edit(folder, lambda data: pets.note(data, 21).update(category_id=2))
    checkout.checkout(repo, "HEAD", create="work")
    assert repo.refs.head_branch() == "work"
    assert [one.id for one in pets.only(repo).changes] == ["2"]


def test_force_overwrites_and_keeps_what_was_there_in_the_trash(two):
    repo, folder = two
    checkout.checkout(repo, "HEAD~1")
    first = pets.files(folder)
    checkout.checkout(repo, "main")
    pets.edit(folder, lambda data: pets.note(data, 21).update(category_id=2))
    pets.image(folder, 1, seed=99)
    edited = pets.files(folder)
    checkout.checkout(repo, "HEAD~1", force=True)
    assert pets.files(folder) == first
    assert pets.only(repo).state == "clean"
    kept = {path.read_bytes() for path in repo.layout.trash.rglob("*.*") if path.is_file()}
    assert {edited[pets.JSON], pets.png(99)} <= kept


def test_files_of_others_are_left_alone(two):
    repo, folder = two
    (folder / "README.md").write_text("about pets")
    (folder / "notes.json").write_text('{"todo": []}')
    (folder / "images" / "train" / "draft.psd").write_text("?")
    checkout.checkout(repo, "HEAD~1")
    assert (folder / "README.md").read_text() == "about pets"
    assert (folder / "notes.json").read_text() == '{"todo": []}'
    assert (folder / "images" / "train" / "draft.psd").exists()
    assert pets.only(repo).state == "clean"


def test_a_file_in_the_way_that_is_in_no_commit_refuses(two):
    repo, folder = two
    mine = folder / "images" / "train" / "4.png"
    mine.write_bytes(b"my own")
    before = pets.files(folder)
    with pytest.raises(DirtyWorkingCopy, match=r"images/train/4\.png"):
        checkout.checkout(repo, "HEAD~1")
    assert pets.files(folder) == before
    assert repo.refs.head_branch() == "main"
    mine.write_bytes(pets.png(4))  # just what would be written
    checkout.checkout(repo, "HEAD~1")
    assert pets.only(repo).state == "clean"


def test_a_link_out_of_the_folder_is_not_written_through(two, tmp_path):
    repo, folder = two
    outside = tmp_path / "outside"
    shutil.move(folder / "images", outside)
    (folder / "images").symlink_to(outside)
    status = pets.only(repo)
    assert (status.state, "symbolic link" in status.error) == ("unreadable", True)
    before = pets.files(outside)
    with pytest.raises(DirtyWorkingCopy):
        checkout.checkout(repo, "HEAD~1")
    assert pets.files(outside) == before


def test_a_source_goes_and_comes_back_with_its_branch(two):
    repo, _ = two
    other = pets.make(repo.root / "others")
    worktree.add(repo, other)
    worktree.commit(repo, message="others")
    checkout.restore(repo)
    before = pets.files(other)
    checkout.checkout(repo, "HEAD~1")
    assert not other.exists()
    assert [one.state for one in worktree.status(repo).copies] == ["absent", "clean"]
    assert worktree.status(repo).clean
    checkout.checkout(repo, "main")
    assert pets.files(other) == before
    assert worktree.status(repo).clean


def test_a_folder_added_and_not_committed_stays(two):
    repo, _ = two
    other = pets.make(repo.root / "others")
    worktree.add(repo, other)
    before = pets.files(other)
    checkout.checkout(repo, "HEAD~1")
    assert pets.files(other) == before
    assert {one.source: one.state for one in worktree.status(repo).copies} == {
        "others": "added",
        "pets": "clean",
    }


def test_a_dry_run_changes_nothing(two):
    repo, folder = two
    before, state = identity(folder), pets.files(repo.layout.copies)
    done = checkout.checkout(repo, "HEAD~1", dry_run=True)
    assert (done.branch, done.commit) == (None, repo.resolve("main~1"))
    assert "images/train/7.png" in done.copies[0].removed
    assert identity(folder) == before
    assert pets.files(repo.layout.copies).keys() == state.keys()
    assert repo.refs.head_branch() == "main"


def test_what_cannot_be_gone_to_says_so(two):
    repo, _ = two
    with pytest.raises(RevisionNotFound):
        checkout.checkout(repo, "nowhere")
    with pytest.raises(UsageError, match="names one source"):
        checkout.checkout(repo, "main:pets")
    with pytest.raises(RepositoryError, match="already"):
        checkout.checkout(repo, "HEAD", create="main")


# -- one source


def test_a_new_working_copy_is_written_into_a_folder(tmp_path):
    repo = Repository.init(tmp_path / "repo")
    repo.import_dataset(pets.make(tmp_path / "pets"))
    done = checkout.checkout_source(repo, "pets", into=repo.root / "data" / "pets")
    assert done.copies[0].path == "data/pets"
    status = pets.only(repo)
    assert (status.state, status.path, status.format) == ("clean", "data/pets", "coco")
    assert (repo.root / "data/pets/images/train/3.png").read_bytes() == pets.png(3)
    with pytest.raises(UsageError, match="already"):
        checkout.checkout_source(repo, "pets", into=repo.root / "elsewhere")


def test_a_folder_that_is_not_empty_is_not_taken(tmp_path):
    repo = Repository.init(tmp_path / "repo")
    repo.import_dataset(pets.make(tmp_path / "pets"))
    (repo.root / "pets").mkdir()
    (repo.root / "pets" / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="not empty"):
        checkout.checkout_source(repo, "pets")
    assert worktree.status(repo).copies == ()


def test_the_format_of_a_working_copy_changes_and_changes_back(two):
    repo, folder = two
    before = pets.files(folder)
    done = checkout.checkout_source(repo, "pets", format="image_dir")
    assert any("left out" in line for line in done.copies[0].losses)
    assert not (folder / "annotations").exists()
    assert pets.only(repo).state == "clean"
    checkout.checkout_source(repo, "pets", format="coco")
    assert pets.files(folder) == before
    assert pets.only(repo).state == "clean"


@pytest.mark.parametrize("link", ["copy", "hard", "symlink", "reflink"])
def test_media_come_by_any_kind_of_link(tmp_path, link):
    repo = Repository.init(tmp_path / "repo")
    folder = pets.make(tmp_path / "pets")
    large = pets.png(5, 400, 400) + bytes(100_000)  # beyond what is packed
    (folder / "images" / "train" / "1.png").write_bytes(large)
    repo.import_dataset(folder)
    checkout.checkout_source(repo, "pets", link=link)
    image = repo.root / "pets" / "images" / "train" / "1.png"
    assert image.read_bytes() == large
    assert image.is_symlink() == (link == "symlink")
    assert pets.only(repo).state == "clean"
    pets.edit(repo.root / "pets", lambda data: pets.note(data, 12).update(category_id=1))
    worktree.commit(repo, message="second")
    checkout.checkout(repo, "HEAD~1")
    assert pets.only(repo).state == "clean"


def test_annotations_alone_can_be_checked_out(tmp_path):
    repo = Repository.init(tmp_path / "repo")
    repo.import_dataset(pets.make(tmp_path / "pets"))
    checkout.checkout_source(repo, "pets", save_media=False)
    folder = repo.root / "pets"
    assert set(pets.files(folder)) == {pets.JSON}
    assert pets.only(repo).state == "clean"
    pets.edit(folder, lambda data: pets.note(data, 12).update(category_id=1))
    assert pets.changes(repo) == [("1", "changed", [("changed", ("label",))])]
    worktree.commit(repo, message="second")
    assert repo.item("main", "pets", "train", "1").origins[0].read() == pets.png(1)
    assert pets.only(repo).state == "clean"


def test_restore_takes_changes_back(two):
    repo, folder = two
    before = pets.files(folder)
    pets.edit(folder, lambda data: data["annotations"].clear())
    pets.image(folder, 1, seed=99)
    checkout.restore(repo, ["pets"])
    assert pets.files(folder) == before
    assert pets.only(repo).state == "clean"


# -- reset and remove


def test_reset_moves_the_branch_and_keeps_files(two):
    repo, folder = two
    before = pets.files(folder)
    second = repo.resolve()
    checkout.reset(repo, "HEAD~1")
    assert repo.resolve() == repo.resolve("main") != second
    assert pets.files(folder) == before
    status = pets.only(repo)
    assert (status.state, status.behind) == ("clean", True)


def test_a_hard_reset_rewrites_changed_copies(two):
    repo, folder = two
    checkout.checkout(repo, "main~1")
    first = pets.files(folder)
    checkout.checkout(repo, "main")
    pets.edit(folder, lambda data: data["annotations"].clear())
    checkout.reset(repo, "HEAD~1", hard=True)
    assert pets.files(folder) == first
    assert pets.only(repo).state == "clean"
    pets.edit(folder, lambda data: data["annotations"].clear())
    checkout.reset(repo, "HEAD", hard=True)
    assert pets.files(folder) == first


def test_a_removed_source_takes_its_clean_copy_along(two):
    repo, folder = two
    (folder / "README.md").write_text("about pets")
    done = checkout.remove_source(repo, "pets", message="no more pets")
    assert repo.resolve() == done.oid
    assert dict(repo.snapshot(done.oid).sources) == {}
    assert pets.files(folder) == {"README.md": b"about pets"}
    assert worktree.status(repo).copies == ()


def test_a_changed_copy_keeps_its_source_from_being_removed(two):
    repo, folder = two
    pets.edit(folder, lambda data: pets.note(data, 21).update(category_id=2))
    before, head = pets.files(folder), repo.resolve()
    with pytest.raises(DirtyWorkingCopy):
        checkout.remove_source(repo, "pets")
    assert (pets.files(folder), repo.resolve()) == (before, head)
    with pytest.raises(UsageError, match="there is no source 'dogs'"):
        checkout.remove_source(repo, "dogs")


def test_forgetting_a_folder_that_was_only_added_keeps_its_files(two):
    repo, _ = two
    other = pets.make(repo.root / "others")
    worktree.add(repo, other)
    assert not checkout.remove_source(repo, "others").changed
    assert len(pets.files(other)) == 5
    assert [one.source for one in worktree.status(repo).copies] == ["pets"]


# -- killed in between

EVENTS = frozenset({"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate", "os.link"})


def killed(root: Path, action, at: int) -> bool:
    """Do something in a child that is killed before its n-th change of a folder; tell if it was."""
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        return os.WIFSIGNALED(status)
    count = 0

    def hook(event, args):
        nonlocal count
        if event in EVENTS and str(args[0]).startswith(str(root)):
            count += 1
            if count == at:
                os.kill(os.getpid(), signal.SIGKILL)

    try:
        with Repository(root) as repo:
            sys.addaudithook(hook)
            action(repo)
    finally:
        os._exit(0)


def go(repo):
    checkout.checkout(repo, "other")


def force(repo):
    checkout.checkout(repo, "other", force=True)


def set_back(repo):
    checkout.reset(repo, "main~1", hard=True)


def change_format(repo):
    checkout.checkout_source(repo, "pets", format="image_dir")


def commit(repo):
    worktree.commit(repo, message="third")


def remove(repo):
    checkout.remove_source(repo, "pets")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A folder to copy: two versions, the branch `other` at the first."""
    root = tmp_path_factory.mktemp("kill") / "repo"
    repo, folder = pets.tracked(root, count=3)
    commit_second_small(repo, folder)
    repo.create_branch("other", repo.resolve("main~1"))
    repo.close()
    return root


def commit_second_small(repo, folder):
    pets.edit(folder, lambda data: pets.note(data, 12)["bbox"].__setitem__(0, 35.0))
    pets.image(folder, 3, seed=33)
    worktree.commit(repo, message="second")
    checkout.restore(repo)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills a forked process")
@pytest.mark.parametrize("action", [go, force, set_back, change_format, remove, commit])
def test_whoever_is_killed_is_finished_by_the_next_command(prepared, tmp_path, action):
    reference: dict[str, bytes] = {}
    for at in range(1, 400):
        root = tmp_path / str(at)
        shutil.copytree(prepared, root, symlinks=True)
        if action is commit:
            pets.edit(root / "pets", lambda data: pets.note(data, 21).update(category_id=2))
        before = pets.files(root / "pets")
        with Repository(root) as repo:
            old = repo.refs.head(), repo.resolve()
        was_killed = killed(root, action, at)
        with Repository(root) as repo:
            status = worktree.status(repo)
            assert status.unfinished == ""
            assert copies.pending(repo.layout) is None
            if action is commit:
                assert pets.files(root / "pets") == before
                worktree.commit(repo, message="third")
                assert repo.item("main", "pets", "train", "2").annotations[0].label == "dog"
            elif (repo.refs.head(), repo.resolve()) == old and action is not change_format:
                assert pets.files(root / "pets") == before
            action_again(repo, action)
            assert worktree.status(repo).clean
            checkout.restore(repo)
            assert not list(repo.layout.copies.glob("stage-*"))
            final = pets.files(root / "pets")
        shutil.rmtree(root)
        if not was_killed:
            break
        if at > 1:
            assert final == reference
        reference = final
    assert not was_killed
    assert at > 5
    assert final == reference


def action_again(repo, action):
    if action is commit or (action is remove and not repo.snapshot(repo.resolve()).sources):
        return
    if action is set_back and repo.resolve() == repo.resolve("other"):
        return
    action(repo)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills a forked process")
def test_edits_made_after_a_kill_are_kept_and_are_changes(prepared, tmp_path):
    edited = 0
    for at in range(1, 200):
        root = tmp_path / str(at)
        shutil.copytree(prepared, root, symlinks=True)
        was_killed = killed(root, go, at)
        image = root / "pets" / "images" / "train" / "3.png"
        if not was_killed:
            break
        image.write_bytes(pets.png(111))
        with Repository(root) as repo:
            status = worktree.status(repo)
            assert status.unfinished == ""
            assert image.read_bytes() == pets.png(111)
            assert [one.id for one in status.copies[0].changes] == ["3"]
            edited += repo.refs.head() == HEADS + "other"
        shutil.rmtree(root)
    assert edited > 3


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a second process")
def test_a_rewrite_by_another_process_is_no_unfinished_one_to_finish(two):
    repo, _ = two
    copies.begin(repo.layout, copies.Pending(command="checkout x", time=0.0))
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        with copies.locked(Repository(repo.root)):
            os.write(writing, b"x")
            signal.pause()
    os.read(reading, 1)
    try:
        assert "another process" in worktree.status(repo).unfinished
        with pytest.raises(Locked):
            checkout.recover(repo, patience=0)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert worktree.status(repo).unfinished == ""


def delivery(folder, tmp_path):
    """A copy of the working copy, elsewhere, with one box moved."""
    shutil.copytree(folder, tmp_path / "delivery")
    pets.edit(tmp_path / "delivery", lambda data: pets.note(data, 12)["bbox"].__setitem__(0, 17.0))
    return tmp_path / "delivery"


def test_an_imported_version_renews_the_clean_working_copy(tmp_path):
    repo, folder = pets.tracked(tmp_path / "repo")
    new = delivery(folder, tmp_path)
    done = importing.run(repo, importing.Request(data=new, name="pets", format="coco"))
    assert done.renewed == ("pets",)
    assert pets.note(json.loads((folder / pets.JSON).read_text()), 12)["bbox"][0] == 17.0
    assert pets.changes(repo) == []
    undo.undo(repo)
    assert pets.note(json.loads((folder / pets.JSON).read_text()), 12)["bbox"][0] != 17.0


def test_an_import_refuses_where_it_would_have_to_overwrite_edits(tmp_path):
    repo, folder = pets.tracked(tmp_path / "repo")
    new = delivery(folder, tmp_path)
    pets.edit(folder, lambda data: pets.note(data, 12)["bbox"].__setitem__(0, 3.0))
    before = repo.resolve()
    with pytest.raises(DirtyWorkingCopy):
        importing.run(repo, importing.Request(data=new, name="pets", format="coco"))
    assert repo.resolve() == before
    assert pets.note(json.loads((folder / pets.JSON).read_text()), 12)["bbox"][0] == 3.0
