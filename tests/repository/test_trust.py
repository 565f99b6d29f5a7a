"""What a user allows a repository: whose decision it is, which repository it is about."""

import json
import os
import shutil
import sys
import threading
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from dvcs.commands import run
from dvcs.errors import RepositoryError, UsageError
from dvcs.repository import Repository, config, hooks, identity, trust
from tests.repository.scenes import commit, items


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder outside of the repository."""
    (tmp_path / "data" / "images").mkdir(parents=True)
    return tmp_path / "data"


def record(repo: Repository) -> dict[str, Any]:
    """Return what the user's file says of a repository."""
    held: dict[str, Any] = json.loads(trust.user_file().read_bytes())["repositories"]
    return held[str(repo.root)]


def trusted_hook(repo: Repository) -> None:
    path = hooks.folder(repo.layout) / "pre-commit.py"
    path.write_text("")
    trust.trust(repo.layout, "hooks/pre-commit.py", path)


# -- what is held --------------------------------------------------------------------------------


def test_a_folder_covers_those_below_and_takes_their_place(repo: Repository, folder: Path):
    trust.allow(repo.layout, [folder / "images", folder / "masks"])
    assert trust.folders(repo.layout) == (folder / "images", folder / "masks")
    written = trust.user_file().stat().st_mtime_ns
    trust.allow(repo.layout, [folder / "images" / "deep"])
    assert trust.user_file().stat().st_mtime_ns == written
    trust.allow(repo.layout, [folder])
    assert trust.folders(repo.layout) == (folder,)


def test_what_was_allowed_can_be_taken_back(repo: Repository, folder: Path):
    trusted_hook(repo)
    trust.allow(repo.layout, [folder, folder.parent / "more"])
    token = record(repo)["token"]
    with pytest.raises(UsageError, match=f"is not trusted itself, but '{folder}' is"):
        trust.disallow(repo.layout, [folder / "images"])
    trust.disallow(repo.layout, [folder])
    assert trust.folders(repo.layout) == (folder.parent / "more",)
    with pytest.raises(UsageError, match="is not trusted itself"):
        trust.disallow(repo.layout, [folder])
    trust.disallow(repo.layout, [folder.parent / "more"])
    trust.distrust(repo.layout, "hooks/pre-commit.py")
    assert record(repo) == {"token": token}
    trust.allow(repo.layout, [folder])
    assert (repo.layout.state / trust.TOKENS).read_text() == f"{token}\n"


def test_the_file_is_the_users_own(repo: Repository, folder: Path, home: Path):
    trust.allow(repo.layout, [folder])
    assert trust.user_file().is_relative_to(home)
    if os.name != "nt":
        assert trust.user_file().stat().st_mode & 0o777 == 0o600
    text = b"".join(one.read_bytes() for one in repo.layout.git.rglob("*") if one.is_file())
    assert os.fsencode(folder) not in text


# -- which repository ----------------------------------------------------------------------------


def test_a_copy_elsewhere_may_nothing(repo: Repository, folder: Path, tmp_path: Path):
    trusted_hook(repo)
    trust.allow(repo.layout, [folder])
    shutil.copytree(repo.root, tmp_path / "copy")
    with Repository(tmp_path / "copy") as copy:
        assert trust.folders(copy.layout) == ()
        assert trust.known(copy.layout, "hooks/pre-commit.py") is None
    shutil.move(repo.root, tmp_path / "moved")
    with Repository(tmp_path / "moved") as moved:
        assert trust.folders(moved.layout) == ()
        trust.allow(moved.layout, [folder])
        assert trust.folders(moved.layout) == (folder,)
    shutil.move(tmp_path / "moved", repo.root)
    assert trust.folders(repo.layout) == (folder,)


def test_another_repository_at_the_same_place_may_nothing(
    repo: Repository, folder: Path, tmp_path: Path
):
    other = Repository.init(tmp_path / "other")
    trusted_hook(other)
    trust.allow(other.layout, [tmp_path / "theirs"])
    trusted_hook(repo)
    trust.allow(repo.layout, [folder])
    shutil.rmtree(repo.root)
    shutil.copytree(other.root, repo.root)
    with Repository(repo.root) as sent:
        assert trust.folders(sent.layout) == ()
        assert [one.state for one in hooks.found(sent.layout)] == ["not trusted"]
        trust.allow(sent.layout, [tmp_path / "new"])
        # What was decided about the one that was there before is gone for good.
        assert trust.folders(sent.layout) == (tmp_path / "new",)
        assert trust.known(sent.layout, "hooks/pre-commit.py") is None


def test_a_sender_cannot_prepare_what_is_decided_later(
    repo: Repository, folder: Path, tmp_path: Path
):
    tokens = repo.layout.state / trust.TOKENS
    tokens.write_text("0" * 32 + "\n")
    trust.allow(repo.layout, [folder])
    assert record(repo)["token"] != "0" * 32
    first = tokens.read_text()
    shutil.rmtree(repo.root)
    with Repository.init(repo.root) as second:
        (second.layout.state / trust.TOKENS).write_text(first.splitlines()[0] + "\n")
        assert trust.folders(second.layout) == ()


def test_users_who_share_a_repository_decide_each_for_themselves(
    repo: Repository, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    trust.allow(repo.layout, [folder])
    with monkeypatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(tmp_path / "second"))
        assert trust.folders(repo.layout) == ()
        trust.allow(repo.layout, [tmp_path / "b"])
        assert trust.folders(repo.layout) == (tmp_path / "b",)
    assert trust.folders(repo.layout) == (folder,)


def test_tokens_of_others_never_hide_what_is_decided_now(
    repo: Repository, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = repo.layout.state / trust.TOKENS
    path.write_text("".join(f"{n:032x}\n" for n in range(40_000)))
    trust.allow(repo.layout, [folder])
    assert trust.folders(repo.layout) == (folder,)
    with path.open("a") as file:
        file.writelines(f"{n:032x}\n" for n in range(30_000))
    assert trust.folders(repo.layout) == (folder,)
    with monkeypatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(tmp_path / "container"))
        trust.allow(repo.layout, [folder])
        assert trust.folders(repo.layout) == (folder,)
    assert trust.folders(repo.layout) == (folder,)


@pytest.mark.parametrize("torn", [b"abc", b"\xff\0", b"0" * 31])
def test_a_torn_line_of_tokens_harms_no_other(repo: Repository, folder: Path, torn: bytes):
    (repo.layout.state / trust.TOKENS).write_bytes(torn)
    trust.allow(repo.layout, [folder])
    assert trust.folders(repo.layout) == (folder,)


def test_lost_tokens_cost_the_decision_and_nothing_else(repo: Repository, folder: Path):
    trust.allow(repo.layout, [folder])
    (repo.layout.state / trust.TOKENS).unlink()
    assert trust.folders(repo.layout) == ()
    trust.allow(repo.layout, [folder])
    assert trust.folders(repo.layout) == (folder,)


@pytest.mark.parametrize("token", ["", "0", "\n", "{", "x" * 32])
def test_a_token_that_is_none_is_not_known(repo: Repository, folder: Path, token: str):
    trust.allow(repo.layout, [folder])
    text = trust.user_file().read_text()
    trust.user_file().write_text(text.replace(record(repo)["token"], json.dumps(token)[1:-1]))
    (repo.layout.state / trust.TOKENS).write_text("x" * 32 + "\n\n{0")
    assert trust.folders(repo.layout) == ()


def test_what_an_older_dvcs_wrote_trusts_nothing_and_is_written_anew(
    repo: Repository, folder: Path
):
    path = trust.user_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"version": 1, "trusted": {str(repo.root): {"hooks/x": "0" * 64}}}))
    assert trust.known(repo.layout, "hooks/x") is None
    trust.allow(repo.layout, [folder])
    assert list(json.loads(path.read_bytes())) == ["version", "repositories"]


# -- several at once -----------------------------------------------------------------------------


def _allow(root: Path, folders: list[Path]) -> None:
    with Repository(root) as repo:
        for one in folders:
            trust.allow(repo.layout, [one])


def test_of_decisions_made_at_once_none_is_lost(repo: Repository, tmp_path: Path):
    others = [Repository.init(tmp_path / f"r{n}") for n in range(3)]
    wanted = {one.root: [tmp_path / f"{one.root.name}-{n}" for n in range(8)] for one in others}
    jobs = [(root, folders[start::2]) for root, folders in wanted.items() for start in (0, 1)]
    with ProcessPoolExecutor(len(jobs)) as pool:
        for done in [pool.submit(_allow, *job) for job in jobs]:
            done.result()
    for one in others:
        assert set(trust.folders(one.layout)) == set(wanted[one.root])
        assert len((one.layout.state / trust.TOKENS).read_text().splitlines()) == 1


def test_a_reader_never_sees_half_a_file(repo: Repository, tmp_path: Path):
    trust.allow(repo.layout, [tmp_path / "first"])
    stop = threading.Event()
    seen: list[bool] = []

    def look() -> None:
        while not stop.is_set():
            seen.append(tmp_path / "first" in trust.folders(repo.layout))

    reader = threading.Thread(target=look)
    reader.start()
    for n in range(40):
        trust.allow(repo.layout, [tmp_path / str(n)])
    stop.set()
    reader.join()
    assert seen
    assert all(seen)


# -- users without a home ------------------------------------------------------------------------


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user of whom the system knows nothing, as in a container that is run as any number."""
    pwd = pytest.importorskip("pwd")

    def unknown(_: int) -> None:
        raise KeyError

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    for name in ("HOME", "XDG_CONFIG_HOME", "USERPROFILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("homeless")
def test_a_user_without_a_home_can_work_and_is_told_what_cannot_be_kept(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("GIT_CONFIG_GLOBAL")
    with Repository.init(tmp_path / "repo") as repo:
        commit(repo, items(2))
        assert identity.author(repo.layout).name == "Ada Tester"
        assert config.get(repo.layout, "user.name") is None
        assert run(["-C", str(repo.root), "config", "--list"]) == 0
        assert run(["config", "--global", "user.name", "Ada"]) == 3
        with pytest.raises(RepositoryError, match="has no home folder") as caught:
            trust.allow(repo.layout, [folder])
        assert caught.value.hint == "name a folder with the variable HOME or XDG_CONFIG_HOME"
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
        trust.allow(repo.layout, [folder])
        assert trust.folders(repo.layout) == (folder,)


def test_settings_are_not_taken_from_where_somebody_happens_to_be(
    repo: Repository, home: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("XDG_CONFIG_HOME", ".config")
    monkeypatch.chdir(repo.root)
    assert trust.user_file() == home / ".config" / "dvcs" / "trust.json"


@pytest.mark.skipif(os.name == "nt", reason="no such rights")
def test_a_home_that_cannot_be_written_is_told(repo: Repository, folder: Path, home: Path):
    (home / ".config" / "dvcs").write_text("in the way")
    with pytest.raises(RepositoryError, match="cannot be written or read"):
        trust.allow(repo.layout, [folder])
    assert trust.folders(repo.layout) == ()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_a_folder_whose_name_is_no_text_is_told(repo: Repository, tmp_path: Path):
    odd = tmp_path / os.fsdecode(b"\xff")
    with pytest.raises(RepositoryError, match="not UTF-8"):
        trust.allow(repo.layout, [odd])
