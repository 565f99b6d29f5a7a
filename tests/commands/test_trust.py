"""`dvcs trust`, and what other commands say of media that they may not read."""

import shutil
from pathlib import Path

import pytest

from tests.commands.cli import coco, dvcs, ok


@pytest.fixture
def sent(cwd: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository whose items refer to images in `../data`, copied from where it was made."""
    coco(cwd / "data", {"a": [("cat", 5)], "b": [("dog", 7)]})
    (cwd / "made").mkdir()
    ok("-C", "made", "init")
    ok("-C", "made", "import", "data", "-n", "pets", "--media", "reference")
    shutil.copytree(cwd / "made", cwd / "sent")
    monkeypatch.chdir(cwd / "sent")
    return cwd / "sent"


def images(cwd: Path) -> Path:
    return cwd / "data" / "images" / "train"


def test_what_is_trusted_is_listed(sent: Path):
    place = images(sent.parent)
    assert ok("-C", "../made", "trust") == f"folder  {place}\n"
    Path("no.py").write_text("")
    ok("-C", "../made", "hooks", "install", "no.py", "--as", "pre-commit")
    shutil.rmtree(place)
    lines = ok("-C", "../made", "trust", "list").splitlines()
    assert lines == [f"folder  {place}  is not there", "hook    pre-commit"]
    assert dvcs("-C", "../made", "trust", "--json").json["dvcs.trust/1"] == {
        "folders": [str(place)],
        "hooks": [{"name": "pre-commit", "state": "ready"}],
    }
    nothing = dvcs("trust")
    assert (nothing.code, nothing.out) == (0, "")
    assert nothing.err.startswith("nothing is trusted here")


@pytest.mark.parametrize(
    "command",
    [
        ("info",),
        ("export", "-f", "coco", "-o", "../out"),
        ("checkout", "pets"),
        ("diff", "HEAD", "./../data"),
        ("validate",),
    ],
)
def test_each_command_says_once_what_was_left_out(sent: Path, command: tuple[str, ...]):
    place = images(sent.parent)
    err = dvcs(*command).err
    assert err.count("were left out, for you have not allowed this repository to read there") == 1
    assert err.count(f"'dvcs trust add {place}' allows a folder and all below") == 1
    ok("trust", "add", "../data")
    assert "left out" not in dvcs(*command).err


@pytest.mark.parametrize("command", [("log",), ("status",), ("branch",), ("fsck",), ("trust",)])
def test_who_needs_no_media_says_nothing(sent: Path, command: tuple[str, ...]):
    assert "left out" not in dvcs(*command).err


def test_a_folder_is_trusted_until_that_is_taken_back(sent: Path):
    folder = sent.parent / "data"
    said = ok("trust", "add", "../data")
    assert said == f"what is in '{folder}' may be read by this repository\n"
    ok("export", "-f", "coco", "-o", "../out")
    assert len(list((sent.parent / "out").rglob("*.png"))) == 2
    again = dvcs("trust", "remove", "../data/images")
    assert again.code == 2
    assert f"is not trusted itself, but '{folder}' is" in again.err
    ok("trust", "remove", "../data")
    assert dvcs("trust").out == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("add",), "which folder?"),
        (("remove",), "which folder?"),
        (("add", "nowhere"), "there is no folder 'nowhere'"),
        (("add", "."), "'.' is in the working folder"),
        (("list", "x"), "did you mean 'add x'?"),
        (("ad", "x"), "did you mean 'add'?"),
        (("add", "--json", ".."), "--json is for 'dvcs trust list'"),
    ],
)
def test_what_makes_no_sense_is_refused(sent: Path, arguments: tuple[str, ...], said: str):
    done = dvcs("trust", *arguments)
    assert done.code == 2
    assert said in done.err


def test_a_link_names_the_folder_that_it_leads_to(sent: Path):
    Path("inside").symlink_to(sent.parent / "data")
    ok("trust", "add", "inside")
    assert ok("trust").split() == ["folder", str(sent.parent / "data")]
