"""Undo: every operation is taken back and can be done again, files included."""

import pytest

from dvcs.errors import DirtyWorkingCopy, RepositoryError
from dvcs.repository import Repository, editing
from dvcs.repository.undo import undo
from dvcs.repository.working import checkout, copies, worktree
from tests.repository import pets


def state(repo):
    """Return all that an operation may change: refs, HEAD, files, what copies are of."""
    folder = repo.root / "pets"
    trees = {name: copies.base_tree(repo, copy) for name, copy in copies.load(repo.layout).items()}
    return repo.refs.all(), repo.refs.head(), pets.files(folder), trees


@pytest.fixture
def two(tmp_path):
    repo, folder = pets.tracked(tmp_path / "repo")
    pets.edit(folder, lambda data: pets.note(data, 12)["bbox"].__setitem__(0, 35.0))
    pets.image(folder, 3, seed=33)
    worktree.commit(repo, message="second")
    checkout.restore(repo)
    return repo, folder


def edit_and_update(repo):
    editing.set_items(repo, "pets", remove=[("train", "4")], message="x")
    assert checkout.update_copies(repo) == ("pets",)


OPERATIONS = {
    "checkout": lambda repo: checkout.checkout(repo, "main~1"),
    "checkout of a new branch": lambda repo: checkout.checkout(repo, "HEAD", create="work"),
    "hard reset": lambda repo: checkout.reset(repo, "main~1", hard=True),
    "reset": lambda repo: checkout.reset(repo, "main~1"),
    "removal": lambda repo: checkout.remove_source(repo, "pets"),
    "another format": lambda repo: checkout.checkout_source(repo, "pets", format="image_dir"),
    "branch": lambda repo: repo.create_branch("work", repo.resolve()),
    "edit": lambda repo: editing.set_items(repo, "pets", remove=[("train", "4")], message="x"),
    "edit written to the copy": edit_and_update,
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_is_taken_back_and_done_again(two, name):
    repo, _ = two
    before = state(repo)
    OPERATIONS[name](repo)
    after = state(repo)
    assert after != before

    taken = undo(repo)

    assert state(repo) == before
    assert pets.only(repo).state == "clean"
    redone = undo(repo)
    assert redone.undoes == taken.id
    assert state(repo) == after
    undo(repo)
    assert state(repo) == before
    assert pets.only(repo).state == "clean"


def test_an_undone_commit_is_a_change_again(two):
    repo, folder = two
    pets.edit(folder, lambda data: pets.note(data, 21).update(category_id=2))
    before, files = repo.resolve(), pets.files(folder)
    done = worktree.commit(repo, message="third")

    undo(repo)

    assert repo.resolve() == before
    assert pets.files(folder) == files
    assert pets.changes(repo) == [("2", "changed", [("changed", ("label",))])]
    undo(repo)
    assert repo.resolve() == done.oid
    assert pets.files(folder) == files
    assert pets.only(repo).state == "clean"


def test_the_first_commit_is_taken_back(tmp_path):
    repo = Repository.init(tmp_path)
    folder = pets.make(tmp_path / "pets")
    worktree.add(repo, folder)
    worktree.commit(repo, message="first")
    before = pets.files(folder)
    undo(repo)
    assert repo.refs.head_commit() is None
    assert pets.only(repo).state == "added"
    assert pets.files(folder) == before
    undo(repo)
    assert pets.only(repo).state == "clean"


def test_a_new_working_copy_goes_again(tmp_path):
    repo = Repository.init(tmp_path / "repo")
    repo.import_dataset(pets.make(tmp_path / "pets"))
    checkout.checkout_source(repo, "pets")
    undo(repo)
    assert worktree.status(repo).copies == ()
    assert not (repo.root / "pets").exists()


def test_changes_that_would_be_lost_refuse(two):
    repo, folder = two
    checkout.checkout(repo, "main~1")
    pets.edit(folder, lambda data: pets.note(data, 21).update(category_id=2))
    before = state(repo)
    with pytest.raises(DirtyWorkingCopy, match="pets/train/2"):
        undo(repo)
    assert state(repo) == before


def test_a_dry_run_tells_what_would_be_taken_back(two):
    repo, _ = two
    checkout.checkout(repo, "main~1")
    before = state(repo)
    assert undo(repo, dry_run=True).command == "checkout main~1"
    assert state(repo) == before


def test_without_an_operation_there_is_nothing_to_undo(tmp_path):
    with pytest.raises(RepositoryError, match="nothing to undo"):
        undo(Repository.init(tmp_path))


def test_undone_commits_stay_until_the_log_forgets_them(two):
    from dvcs.repository.gc import collect

    repo, folder = two
    pets.image(folder, 1, seed=77)
    done = worktree.commit(repo, message="third")
    checkout.reset(repo, "HEAD~1", hard=True)
    collect(repo, dry_run=False)
    undo(repo)
    assert repo.resolve() == done.oid
    assert (folder / "images" / "train" / "1.png").read_bytes() == pets.png(77)
