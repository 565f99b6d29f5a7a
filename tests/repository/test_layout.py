"""Making and finding repositories."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dvcs.errors import CorruptObject, NotARepository, RepositoryError, UsageError
from dvcs.repository import Repository, layout
from tests.repository.scenes import check_sound, commit, files, findings, git, items


def test_a_new_repository_is_a_bare_one_of_git(tmp_path: Path):
    repo = Repository.init(tmp_path / "deep" / "inside")
    assert git(repo, "rev-parse", "--is-bare-repository") == "true\n"
    assert git(repo, "config", "gc.auto") == "0\n"
    assert git(repo, "config", "receive.autogc") == "false\n"
    assert (repo.layout.git / ".gitignore").read_bytes() == b"*\n"
    assert repo.refs.head_branch() == "main"
    assert repo.refs.head_commit() is None
    assert repo.branches() == {}
    check_sound(repo)


def test_a_repository_in_a_git_checkout_is_left_alone_by_git(tmp_path: Path):
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    Repository.init(tmp_path)
    assert git(tmp_path, "status", "--porcelain") == ""


def test_init_twice_is_refused_and_changes_nothing(tmp_path: Path):
    repo = Repository.init(tmp_path)
    commit(repo, items(2))
    before = files(tmp_path)
    with pytest.raises(UsageError, match="there is a repository"):
        Repository.init(tmp_path)
    assert files(tmp_path) == before


@pytest.mark.parametrize("what", ["file", "link", "folder"])
def test_init_does_not_replace_what_is_called_so(tmp_path: Path, what: str):
    place = tmp_path / ".dvcs"
    if what == "file":
        place.write_text("mine")
    elif what == "folder":
        place.mkdir()
        (place / "mine").write_text("mine")
    else:
        place.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError):
        Repository.init(tmp_path)
    assert not (tmp_path / "elsewhere").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == [".dvcs"]


def test_what_a_killed_init_left_goes_with_the_next(tmp_path: Path):
    left = tmp_path / ".dvcs.tmp-99999-abc"
    (left / "objects").mkdir(parents=True)
    (left / "HEAD").write_text("ref: refs/heads/main\n")
    with pytest.raises(NotARepository):
        Repository(tmp_path)
    Repository.init(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".dvcs"]


def test_of_many_at_once_one_init_succeeds(tmp_path: Path):
    def attempt(_) -> str:
        try:
            Repository.init(tmp_path)
        except UsageError:
            return "refused"
        return "made"

    with ThreadPoolExecutor(8) as pool:
        results = sorted(pool.map(attempt, range(8)))
    assert results == ["made", *["refused"] * 7]
    check_sound(Repository(tmp_path))


def test_a_repository_is_found_from_anywhere_inside(tmp_path: Path):
    repo = Repository.init(tmp_path)
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    for start in (below, tmp_path / ".dvcs", tmp_path / ".dvcs" / "refs" / "heads"):
        assert Repository(start).root == repo.root


def test_an_inner_repository_is_found_first(tmp_path: Path):
    Repository.init(tmp_path)
    inner = Repository.init(tmp_path / "inner")
    assert Repository(tmp_path / "inner").root == inner.root


def test_where_there_is_none_that_is_said(tmp_path: Path):
    with pytest.raises(NotARepository, match="no dvcs repository") as caught:
        Repository(tmp_path)
    assert caught.value.hint == "make one with 'dvcs init'"


def test_a_lost_head_is_damage_and_not_another_repository(tmp_path: Path):
    Repository.init(tmp_path)
    inner = Repository.init(tmp_path / "inner")
    (inner.layout.git / "HEAD").unlink()
    found = Repository(tmp_path / "inner")
    assert found.root == inner.root
    with pytest.raises(CorruptObject, match="'HEAD' is missing"):
        found.refs.head()


def test_what_a_newer_dvcs_made_is_refused(tmp_path: Path):
    repo = Repository.init(tmp_path)
    (repo.layout.state / "version").write_text("2\n")
    with pytest.raises(RepositoryError, match="does not know") as caught:
        Repository(tmp_path)
    assert caught.value.hint == "install a newer dvcs"


def test_a_clone_by_git_is_a_repository(tmp_path: Path):
    repo = Repository.init(tmp_path / "one")
    commit(repo, items(3))
    (tmp_path / "two").mkdir()
    git(tmp_path, "clone", "-q", "--bare", "one/.dvcs", "two/.dvcs")
    copy = Repository(tmp_path / "two")
    assert len(copy.dataset()) == 3
    commit(copy, items(4))
    assert len(copy.dataset()) == 4
    assert copy.resolve("main~1") == repo.resolve("main")
    assert findings(copy) == []


def test_init_in_a_place_that_cannot_be_written_says_so(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RepositoryError, match="cannot be written"):
        Repository.init(tmp_path / "file" / "below")


@pytest.mark.skipif(sys.platform == "win32", reason="no such signal")
def test_init_killed_anywhere_leaves_nothing_or_everything(tmp_path: Path):
    events = 0
    while True:
        folder = tmp_path / str(events)
        pid = os.fork()
        if not pid:
            left = events

            def hook(event: str, _: object) -> None:
                nonlocal left
                if event in {"open", "os.mkdir", "os.rename"}:
                    left -= 1
                    if left < 0:
                        os._exit(9)

            sys.addaudithook(hook)
            layout.create(folder)
            os._exit(0)
        _, status = os.waitpid(pid, 0)
        if not (folder / ".dvcs").exists():
            Repository.init(folder)
        check_sound(Repository(folder))
        assert {path.name for path in folder.iterdir()} == {".dvcs"}
        if not status:
            break
        events += 1
    assert events > 20
