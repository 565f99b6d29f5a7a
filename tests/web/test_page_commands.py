"""`dvcs diff --html` and `dvcs conflicts --html`: what they compare, write, refuse and tell."""

import json
import re
from pathlib import Path

import pytest

from dvcs.repository import Repository
from dvcs.web.diff_page import write_diff
from dvcs.web.sides import CommitSide
from tests.commands.cli import coco, dvcs, ok


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a committed working copy `pets` of three images."""
    monkeypatch.chdir(tmp_path)
    ok("init")
    coco(tmp_path / "pets", {"a": [("cat", 5), ("dog", 30)], "b": [("cat", 7)], "c": []})
    ok("add", "pets")
    ok("commit", "-m", "As found")
    return tmp_path


def block(page: Path, id: str) -> dict:
    """Return the data of a page as it was written."""
    found = re.search(rf'<script [^>]*id="{id}">(.*?)</script>', page.read_text("utf-8"))
    assert found is not None
    return json.loads(found[1])


def edit(root: Path) -> None:
    """Move a box, and take an image away, in the working copy."""
    file = root / "pets/annotations/instances_train.json"
    data = json.loads(file.read_text())
    data["annotations"][0]["bbox"][0] = 9.0
    data["annotations"] = [one for one in data["annotations"] if one["id"] != 3]
    data["images"] = [one for one in data["images"] if one["file_name"] != "b.png"]
    file.write_text(json.dumps(data))
    (root / "pets/images/train/b.png").unlink()


def test_working_copies_are_compared_with_pictures_from_the_repository(work: Path):
    edit(work)
    done = dvcs("diff", "--html", "p.html", "--exit-code")
    assert done.code == 1, done.err
    assert re.fullmatch(r"wrote 'p.html' \([\d.]+ KB\): 2 changed items\n", done.out)
    index = block(work / "p.html", "index")
    assert (index["before"], index["after"]) == ("last commit", "working copies")
    assert [(one["name"], one["status"]) for one in index["items"]] == [
        ("pets/train/a", "changed"),
        ("pets/train/b", "removed"),
    ]
    first, second = (block(work / "p.html", f"item-{n}") for n in (0, 1))
    assert [one["x"] for one in (first["changes"][0]["before"], first["changes"][0]["after"])] == [
        5.0,
        9.0,
    ]
    assert [one["label"] for one in first["same"]] == ["dog"]
    assert first["picture"]
    assert second["picture"]  # of the removed one too
    assert first["size"] == [48, 64]


@pytest.mark.parametrize(
    ("sides", "titles"),
    [
        (["HEAD"], ("HEAD", "working copies")),
        (["HEAD~1", "HEAD"], ("HEAD~1", "HEAD")),
        (["HEAD~1..HEAD"], ("HEAD~1", "HEAD")),
        (["HEAD~1:pets", "./pets:coco"], ("HEAD~1:pets", "./pets:coco")),
    ],
)
def test_whatever_diff_compares_becomes_a_page(work: Path, sides: list[str], titles):
    edit(work)
    if sides != ["HEAD"]:
        ok("commit", "-m", "Edited")
    ok("diff", "--html", "p.html", *sides)
    index = block(work / "p.html", "index")
    assert (index["before"], index["after"]) == titles
    assert index["totals"]["annotations"]["changed"] == 1
    assert {one["status"] for one in index["items"]} == {"changed", "removed"}
    items = [block(work / "p.html", f"item-{n}") for n in range(2)]
    assert all(one["picture"] for one in items)


def test_added_items_bring_their_pictures(work: Path):
    coco(work / "more", {"a": [("cat", 5), ("dog", 30)], "b": [("cat", 7)], "n": [("dog", 1)]})
    ok("diff", "--html", "p.html", "HEAD:pets", "./more:coco")
    index = block(work / "p.html", "index")
    at = [one["status"] for one in index["items"]].index("added")
    assert block(work / "p.html", f"item-{at}")["picture"]


def test_changes_of_labels_are_told(work: Path):
    file = work / "pets/annotations/instances_train.json"
    data = json.loads(file.read_text())
    data["categories"].append({"id": 3, "name": "cyclist"})
    file.write_text(json.dumps(data))
    ok("diff", "--html", "p.html")
    assert block(work / "p.html", "index")["notes"] == ["label added: cyclist"]


def test_what_does_not_fit_is_counted_and_told(work: Path):
    edit(work)
    done = dvcs("diff", "--html", "p.html", "--max-items", 1, "--no-embed")
    assert "1 changed item" in done.out
    assert "1 changed item more are counted, but not shown" in done.err
    assert "its pictures are in 'p_files'" in done.err
    assert block(work / "p.html", "index")["left_out"] == 1
    assert len(list((work / "p_files").iterdir())) == 1
    ok("diff", "--html", "p.html", "--max-items", 0, "--force")
    assert block(work / "p.html", "index")["left_out"] == 0
    assert not (work / "p_files").exists()


def test_a_missing_picture_is_told(work: Path):
    edit(work)
    for path in (work / ".dvcs" / "media").rglob("*"):
        if path.is_file():
            path.unlink()
    done = dvcs("diff", "--html", "p.html")
    assert done.code == 0, done.err
    assert "2 pictures could not be read; the page says why" in done.err
    assert block(work / "p.html", "item-0")["why"].startswith("the image cannot be read: ")


def test_mistakes_are_refused(work: Path):
    edit(work)
    ok("diff", "--html", "p.html")
    there = (work / "p.html").read_bytes()
    done = dvcs("diff", "--html", "p.html")
    assert (done.code, "'p.html' exists" in done.err, "--force" in done.err) == (2, True, True)
    assert (work / "p.html").read_bytes() == there
    done = dvcs("diff", "--html", "q.html", "--json")
    assert (done.code, "--html is a form of its own" in done.err) == (2, True)
    done = dvcs("diff", "--html", "none/q.html")
    assert (done.code, "there is no folder 'none'" in done.err) == (2, True)
    assert not (work / "q.html").exists()
    assert dvcs("conflicts", "--html", "q.html").code == 3  # nothing is under way


def test_the_python_api_writes_the_same_page(work: Path):
    edit(work)
    ok("commit", "-m", "Edited")
    with Repository() as repo:
        old, new = repo.resolve("HEAD~1"), repo.resolve("HEAD")
        sides = CommitSide(repo, old, "HEAD~1"), CommitSide(repo, new, "HEAD")
        done = write_diff(work / "api.html", repo.diff("HEAD~1", "HEAD"), *sides)
    ok("diff", "--html", "cli.html", "HEAD~1", "HEAD")
    assert (work / "api.html").read_bytes() == (work / "cli.html").read_bytes()
    assert (done.items, done.pictures, done.folder) == (2, 2, None)
