"""A `.dvcs` that somebody sent may have links in it: what they lead to is left alone."""

import os
import sys
from pathlib import Path

import msgspec
import pytest

from dvcs.errors import RepositoryError
from dvcs.repository import Repository, editing, upkeep
from dvcs.repository.merges.merging import Request, merge
from dvcs.repository.sealing import sealed
from dvcs.repository.working import checkout, copies, worktree
from tests.repository import pets
from tests.repository.scenes import box, change_item, commit, item, items

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")


@pytest.fixture
def letters(tmp_path: Path) -> Path:
    """Return a folder with files of the user's, old and many."""
    folder = tmp_path / "letters"
    folder.mkdir()
    for n in range(600):
        (folder / f"{n}.txt").touch()
        os.utime(folder / f"{n}.txt", (n, n))
    return folder


def count(folder: Path) -> int:
    return len(list(folder.glob("*.txt")))


def as_if_killed(repo: Repository) -> None:
    left = repo.layout.git / "tmp-1-a"
    left.touch()
    os.utime(left, (0, 0))


@pytest.mark.parametrize("linked", ["state/trash", "state"])
def test_a_trash_that_is_a_link_is_not_emptied(repo: Repository, letters: Path, linked: str):
    place = repo.layout.git / linked
    target = letters
    if linked == "state":
        place.rename(letters.parent / "state")
        target = letters.parent / "state"
        letters.rename(target / "trash")
    place.symlink_to(target)
    as_if_killed(repo)
    commit(repo, items(2))
    assert not (repo.layout.git / "tmp-1-a").exists()
    assert count(repo.layout.trash) == 600


def test_a_link_in_the_trash_goes_and_its_target_stays(repo: Repository, letters: Path):
    repo.layout.trash.mkdir()
    link = repo.layout.trash / "20200101T000000"
    link.symlink_to(letters)
    os.utime(link, (0, 0), follow_symlinks=False)
    upkeep.empty_trash(repo)
    assert not link.is_symlink()
    assert count(letters) == 600


def test_only_records_of_merges_are_forgotten(repo: Repository, letters: Path):
    (repo.layout.state / "merge").symlink_to(letters)
    first = commit(repo, [item("x").with_(annotations=[box(1.0, id=1)])])
    repo.create_branch("side", first)
    change_item(repo, item("x").with_(annotations=[box(5.0, id=1)]), branch="side")
    change_item(repo, item("x").with_(annotations=[box(15.0, id=1)]))
    assert merge(repo, Request(revision="side")).status == "conflicts"
    assert count(letters) == 600


def test_only_records_of_operations_are_forgotten(repo: Repository, letters: Path):
    (repo.layout.copies / "undo").symlink_to(letters)
    copies.remember(repo.layout, "0" * 12, copies.Remembered())
    assert count(letters) == 600


def moved_on(repo: Repository) -> None:
    """Have HEAD say something else of the working copy, which follows."""
    before = repo.item("HEAD", "pets", "train", "2")
    assert before is not None
    editing.set_items(repo, "pets", [before.with_(annotations=[])], message="None")
    checkout.update_copies(repo)


@pytest.mark.parametrize("path", ["../outside", "pets/../../outside", "/outside", ".dvcs/x", ""])
def test_a_record_of_a_place_elsewhere_is_damaged(tmp_path: Path, path: str):
    repo, folder = pets.tracked(tmp_path / "repo")
    (copy,) = copies.load(repo.layout).values()
    folder.rename(tmp_path / "outside")
    record = msgspec.to_builtins(copy) | {"path": path}
    (repo.layout.copies / "pets.json").write_bytes(sealed(msgspec.json.encode(record)))
    before = pets.files(tmp_path / "outside")
    with pytest.raises(RepositoryError, match="cannot be read"):
        moved_on(repo)
    assert pets.files(tmp_path / "outside") == before


def test_a_rewrite_under_way_of_a_place_elsewhere_is_none(tmp_path: Path):
    repo, _ = pets.tracked(tmp_path / "repo")
    (copy,) = copies.load(repo.layout).values()
    record = msgspec.to_builtins(copy) | {"path": "../outside"}
    what = {"command": "rewrite", "time": 0.0, "changes": [[None, record]]}
    (repo.layout.copies / "pending").write_bytes(sealed(msgspec.json.encode(what)))
    assert copies.pending(repo.layout) is None
    assert worktree.status(repo).clean
    assert not (tmp_path / "outside").exists()


def test_nothing_is_written_through_a_link_above_a_working_copy(tmp_path: Path):
    repo = Repository.init(tmp_path / "repo")
    pets.make(repo.root / "data" / "pets")
    worktree.add(repo, repo.root / "data" / "pets")
    worktree.commit(repo, message="first")
    (repo.root / "data").rename(tmp_path / "outside")
    (repo.root / "data").symlink_to(tmp_path / "outside")
    before = pets.files(tmp_path / "outside" / "pets")
    moved_on(repo)
    assert pets.files(tmp_path / "outside" / "pets") == before
