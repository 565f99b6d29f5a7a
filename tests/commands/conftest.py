"""Places to run dvcs in."""

from pathlib import Path

import pytest

from tests.commands.cli import coco, ok


@pytest.fixture
def cwd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, in which dvcs runs."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with two versions of `pets`, a day apart, imported from `../v1` and `../v2`."""
    folder = tmp_path / "repo"
    folder.mkdir()
    monkeypatch.chdir(folder)
    ok("init")
    coco(tmp_path / "v1", {"a": [("cat", 5), ("dog", 30)], "b": [("cat", 7)], "c": []})
    coco(tmp_path / "v2", {"a": [("cat", 6), ("dog", 30)], "b": [], "c": [], "d": [("dog", 9)]})
    monkeypatch.setenv("DVCS_AUTHOR_DATE", "1700000000 +0100")
    ok("import", "../v1", "-n", "pets", "-m", "First version\n\nwith a body")
    monkeypatch.setenv("DVCS_AUTHOR_DATE", "1700086400 +0100")
    ok("import", "../v2", "-n", "pets", "-m", "Second version")
    return folder


@pytest.fixture
def work(cwd: Path) -> Path:
    """A repository with a committed working copy `pets` of three images."""
    ok("init")
    coco(cwd / "pets", {"a": [("cat", 5), ("dog", 30)], "b": [("cat", 7)], "c": []})
    ok("add", "pets")
    ok("commit", "-m", "As found")
    return cwd
