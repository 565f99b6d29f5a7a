"""`dvcs import --onto`: what an annotation tool sends back becomes just its edits."""

import shutil

import pytest

from tests.commands.cli import dvcs, ok


@pytest.fixture
def sent(repo):
    """A folder that was exported from HEAD as for a tool that drops the stamp."""
    ok("export", "-f", "yolo", "-o", "../sent")
    folder = repo.parent / "sent"
    (folder / ".dvcs-export.json").unlink()
    return folder


def relabelled(folder):
    path = min(one for one in folder.rglob("*.txt") if "obj_" in one.as_posix())
    label, rest = path.read_text().split(maxsplit=1)
    path.write_text(f"{1 - int(label)} {rest}")


def test_only_the_edits_are_recorded(repo, sent):
    relabelled(sent)
    text = ok("import", "../sent", "--onto", "HEAD", "--dry-run")
    assert text.startswith("would bring back 'pets' (yolo)\n")
    text = ok("import", "../sent", "--onto", "HEAD", "-m", "From the tool")
    assert text.startswith("brought back 'pets' (yolo) as ")
    assert "items: 1 changed" in text
    assert "annotations: 1 changed" in text
    assert "From the tool" in ok("log")
    said = dvcs("import", "../sent", "--onto", "HEAD", "--json").json["dvcs.import/1"]
    assert (said["changed"], said["commit"], said["source"]) == (False, None, "pets")
    assert "nothing to record" in ok("import", "../sent", "--onto", "HEAD")


def test_a_zip_can_be_brought_back(repo, sent):
    relabelled(sent)
    shutil.make_archive(str(repo.parent / "back"), "zip", sent)
    said = dvcs("import", "../back.zip", "--onto", "HEAD:pets", "--json").json["dvcs.import/1"]
    assert said["changed"]
    assert said["format"] == "yolo"
    assert said["summary"]["annotations"]["changed"] == 1


def test_it_says_what_it_cannot_do(repo, sent):
    done = dvcs("import", "../sent", "--onto", "HEAD", "--mode", "new")
    assert done.code == 2
    assert "has no --mode new" in done.err
    assert dvcs("import", "../sent", "--onto", "nowhere").code != 0
