"""What a Repository passes on: each verb of the command line is one call."""

from pathlib import Path

import pytest

from dvcs.errors import UsageError
from dvcs.merge import Options
from dvcs.repository import Repository
from dvcs.repository.working import worktree
from tests.repository import pets
from tests.repository.scenes import change_item, contents, item, items
from tests.repository.scenes import commit as committed


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    """A repository whose branches `main` and `topic` changed another item each."""
    repo = Repository.init(tmp_path / "repo")
    committed(repo, items(3))
    repo.create_branch("topic", repo.resolve())
    change_item(repo, item("0000", x=5.5))
    change_item(repo, item("0001", x=6.5), branch="topic")
    return repo


def places(repo: Repository, revision: str = "HEAD") -> list[float]:
    return [notes[0].x for notes in contents(repo, revision).values()]


def test_merging_and_taking_it_back(repo: Repository):
    tip = repo.resolve()
    assert repo.merge("topic", dry_run=True).status == "merged"
    assert repo.merge("topic", message="Both").status == "merged"
    assert places(repo) == [5.5, 6.5, 3.0]
    assert repo.undo().command == "merge topic"
    assert repo.resolve() == tip


def test_merging_with_options_into_another_branch(repo: Repository):
    change_item(repo, item("0000", x=4.5), branch="topic")
    done = repo.merge("main", into="topic", options=Options(strategy="theirs"), squash=True)
    assert done.status == "merged"
    assert places(repo, "topic") == [5.5, 6.5, 3.0]
    assert len(repo.store.commit(done.commit).parents) == 1


def test_a_fast_forward_can_be_declined(repo: Repository):
    repo.create_branch("old", repo.resolve("main~1"))
    assert repo.merge("main", into="old", fast_forward=False).status == "merged"


def test_reverting_and_picking(repo: Repository):
    assert repo.revert("HEAD", message="Back").changed
    assert places(repo) == [1.0, 2.0, 3.0]
    assert repo.cherry_pick("topic").changed
    assert places(repo) == [1.0, 6.5, 3.0]
    (blamed,) = repo.blame("a", "train", "0001")
    assert blamed.oid == repo.resolve()
    (blamed,) = repo.blame("a", "train", "0001", "main~2")
    assert blamed.oid == repo.resolve("main~3")


def test_working_copies(tmp_path: Path):
    repo, folder = pets.tracked(tmp_path / "root", count=2)
    pets.edit(folder, lambda data: pets.note(data, 12)["bbox"].__setitem__(0, 35.0))
    assert [one.state for one in repo.status().copies] == ["changed"]
    assert repo.stash("pets", message="aside") is not None
    assert repo.status().clean
    assert repo.stash_pop().stash.message == "On main: aside"
    worktree.commit(repo, message="second")
    assert repo.checkout("main~1", create="old").branch == "old"
    assert repo.checkout("main").commit == repo.resolve("main")
    assert repo.status().clean


def test_a_patch_goes_from_one_repository_to_another(repo: Repository, tmp_path: Path):
    with Repository.init(tmp_path / "other") as other:
        committed(other, items(3), source="b")
        lines = list(repo.patch("main~1", "main"))
        assert other.apply(lines, sources={"a": "b"}, dry_run=True).committed.changed
        assert places(other) == [1.0, 2.0, 3.0]
        (tmp_path / "x.patch").write_bytes(b"".join(lines))
        done = other.apply(tmp_path / "x.patch", sources={"a": "b"}, exact=True, message="Mine")
        assert places(other) == [5.5, 2.0, 3.0]
        assert other.store.commit(done.committed.oid).message.startswith("Mine\n")
        other.apply(str(tmp_path / "x.patch"), sources={"a": "b"}, reverse=True)
        assert places(other) == [1.0, 2.0, 3.0]
        with pytest.raises(UsageError, match=r"nope\.patch' cannot be read"):
            other.apply(tmp_path / "nope.patch")


def test_a_patch_of_one_source_has_nothing_else(repo: Repository):
    with repo.transaction() as change:
        change.sources["b"] = change.sources["a"]
        change.commit("Copy", operation="edit")
    assert [line for line in repo.patch("HEAD~1", "HEAD:a") if b'"item"' in line] == []
    assert [line for line in repo.patch("HEAD~1", sources=["b"]) if b'"item"' in line] != []


def test_a_part_of_another_revision_is_restored(repo: Repository):
    change_item(repo, item("0002", x=9.5), branch="topic")
    assert repo.restore_from("topic", "a/train/0001", dry_run=True).committed.changed
    assert places(repo) == [5.5, 2.0, 3.0]
    repo.restore_from("topic", "a/train/0001", message="One")
    assert places(repo) == [5.5, 6.5, 3.0]
    repo.restore_from("topic", expression="/item[id='0002']")
    assert places(repo) == [5.5, 6.5, 9.5]
    repo.restore_from("topic", labels=["cat"])
    assert places(repo, "HEAD") == places(repo, "topic")
