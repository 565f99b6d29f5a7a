"""With `--json`, whatever goes wrong is one JSON document too."""

import json
from pathlib import Path

import pytest

from tests.commands.cli import coco, dvcs, ok

WAYS = {
    "commit": ("commit", "-m", "x"),
    "import": ("import", "more", "-n", "pets", "--mode", "replace"),
    "remove": ("remove", "pets"),
    "revert": ("revert", "seven"),
    "cherry-pick": ("cherry-pick", "topic"),
    "merge": ("merge", "topic"),
    "apply": ("apply", "topic.patch"),
    "restore": ("restore", "--from", "topic", "pets/train/a"),
}


def document(*command: object) -> dict:
    """Run a command that fails, and return the one document that it writes."""
    done = dvcs(*command)
    (key,) = found = json.loads(done.out)
    assert key == "dvcs.error/1"
    said = found[key]
    assert said["exit_code"] == done.code != 0
    assert f"error: {said['message']}" in done.err
    return said


def edit(old: str, new: str) -> None:
    text = Path("pets/annotations/instances_train.json")
    text.write_text(
        text.read_text().replace(f"{old}.0", f"{new}.0").replace(f" {old},", f" {new},")
    )


@pytest.fixture
def topic(work: Path) -> Path:
    """A branch with another version of `pets`, a patch of it, and `seven`, to be reverted."""
    coco(work / "more", {"a": [("cat", 1)], "e": [("cat", 1)]})
    ok("checkout", "-b", "topic")
    edit("30", "31")
    ok("commit", "-m", "Topic")
    ok("diff", "HEAD~1", "HEAD", "-f", "patch", "-o", "topic.patch")
    ok("checkout", "main")
    edit("7", "8")
    ok("commit", "-m", "Eight")
    ok("tag", "seven")
    return work


@pytest.mark.parametrize("way", WAYS)
def test_a_refusal_by_policy_is_json(topic: Path, way: str):
    Path("dvcs.toml").write_text('frozen = ["train"]\n')
    ok("commit", "-m", "Frozen")
    if way == "commit":
        edit("30", "32")
    before = ok("log", "--all", "--oneline")
    said = document(*WAYS[way], "--json")
    assert (said["kind"], said["exit_code"]) == ("policy-violation", 1)
    assert said["count"] == len(said["findings"]) > 0
    for one in said["findings"]:
        assert one["place"].startswith("pets")
        assert "frozen" in one["reason"]
    assert ok("log", "--all", "--oneline") == before


@pytest.mark.parametrize("way", WAYS)
def test_a_refusal_by_a_hook_is_json(topic: Path, way: str):
    if way == "commit":
        edit("30", "32")
    Path("no.py").write_text("import sys; print('not today'); sys.exit(7)")
    for name in ("pre-commit", "pre-merge"):
        ok("hooks", "install", "no.py", "--as", name)
    said = document(*WAYS[way], "--json")
    assert (said["kind"], said["exit_code"]) == ("hook-refused", 1)
    assert "not today" in said["message"]
    assert "--no-verify" in said["hint"]
    assert said["findings"] == []


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        (("log", "nope", "--json"), "revision-not-found"),
        (("log", "--json", "--jsn"), "usage-error"),
        (("log", "--json", "-n", "many"), "usage-error"),
        (("export", "--json", "-f", "cocoa"), "usage-error"),
        (("lgo", "--json"), "usage-error"),
        (("import", "nowhere", "--json"), "not-a-dataset"),
    ],
)
def test_other_errors_are_json(work: Path, command, kind):
    said = document(*command)
    assert said["kind"] == kind
    assert said["hint"]


def test_the_bad_places_of_a_dataset_are_findings(cwd: Path):
    ok("init")
    folder = coco(cwd / "bad", {"a": [("cat", 1)], "b": [("cat", 1)]})
    path = folder / "annotations/instances_train.json"
    path.write_text(path.read_text().replace('"image_id": ', '"image_id": 9'))
    said = document("import", "bad", "--json")
    assert "image" in said["message"]


@pytest.mark.parametrize(
    "command", [("log", "nope"), ("log", "--jsn"), ("export", "-f", "cocoa", "--", "--json")]
)
def test_who_asks_for_no_json_gets_none(work: Path, command):
    done = dvcs(*command)
    assert done.code != 0
    assert done.out == ""


def test_a_document_that_is_there_gets_no_second(work: Path):
    done = dvcs("apply", "../nope.patch", "--json")
    assert len(json.loads(done.out)) == 1
    ok("checkout", "-b", "topic")
    edit("30", "32")
    ok("commit", "-m", "x")
    ok("checkout", "main")
    edit("30", "29")
    ok("commit", "-m", "y")
    done = dvcs("merge", "topic", "--json")
    assert done.code == 1
    assert list(json.loads(done.out)) == ["dvcs.merge/1"]
