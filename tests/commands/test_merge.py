"""`dvcs merge`, `conflicts` and `resolve`: what they tell, and their exit codes."""

import json
from pathlib import Path

import pytest

from tests.commands.cli import coco, dvcs, ok

FILE = "pets/annotations/instances_train.json"


def move(root: Path, id: int, x: float) -> None:
    """Move a box of the working copy."""
    data = json.loads((root / FILE).read_text())
    note = next(one for one in data["annotations"] if one["id"] == id)
    note["bbox"][0] = x
    (root / FILE).write_text(json.dumps(data))


def box(root: Path, id: int) -> float:
    data = json.loads((root / FILE).read_text())
    return next(one["bbox"][0] for one in data["annotations"] if one["id"] == id)


@pytest.fixture
def branches(work: Path) -> Path:
    """Main and topic moved box 1 to two places; main also moved box 2, and topic box 3."""
    ok("restore")
    ok("checkout", "-b", "topic")
    move(work, 1, 1.0)
    move(work, 3, 9.0)
    ok("commit", "-m", "theirs")
    ok("checkout", "main")
    move(work, 1, 9.0)
    move(work, 2, 33.0)
    ok("commit", "-m", "ours")
    return work


def test_a_merge_from_conflict_to_commit(branches: Path):
    done = dvcs("merge", "topic")
    assert done.code == 1
    assert "1 conflict in 1 place" in done.out
    assert "pets/train/a#1.geometry  geometry changed on both sides" in done.out
    assert "dvcs resolve ITEM[#KEY] --ours" in done.err
    status = ok("status")
    assert "merging 'topic' into 'main': 1 conflict left" in status
    assert "dvcs conflicts" in status
    assert dvcs("conflicts").code == 1
    assert ok("resolve", "pets/train/a#1", "--theirs").startswith("decided 1 conflict; 0 left")
    assert "merging 'topic' into 'main': no conflict left" in ok("status")
    assert "no open conflicts" in ok("conflicts")
    told = ok("merge", "--continue", "-m", "Together")
    assert "Together" in told
    assert "annotations: 2 changed" in told
    assert "1 item taken from theirs" in told
    assert [box(branches, id) for id in (1, 2, 3)] == [1.0, 33.0, 9.0]
    assert json.loads(ok("status", "--json"))["dvcs.status/1"]["merge"] is None


def test_conflicts_as_json_are_filled_in_and_given_back(branches: Path):
    assert dvcs("merge", "topic", "--json").code == 1
    done = dvcs("conflicts", "--json")
    assert done.code == 1
    report = json.loads(done.out)
    (place,) = report["dvcs.conflicts/1"]
    (conflict,) = place["conflicts"]
    assert {name: place[name] for name in ("source", "subset", "id")} == {
        "source": "pets",
        "subset": "train",
        "id": "a",
    }
    assert {name: conflict[name] for name in ("key", "kind", "field")} == {
        "key": "1.geometry",
        "kind": "geometry",
        "field": "geometry",
    }
    assert [conflict[side]["x"] for side in ("base", "ours", "theirs")] == [5.0, 9.0, 1.0]
    conflict["choice"] = "value"
    conflict["value"] = {"x": 4.0, "y": 5.0, "w": 10.0, "h": 10.0}
    file = branches / "decisions.json"
    file.write_text(json.dumps(report))
    assert json.loads(ok("resolve", "--from", file, "--json"))["dvcs.resolve/1"]["left"] == 0
    ok("merge", "--continue")
    assert box(branches, 1) == 4.0


def test_given_up_nothing_has_changed(branches: Path):
    before = ok("log", "--oneline"), (branches / FILE).read_bytes()
    assert dvcs("merge", "topic").code == 1
    ok("merge", "--abort")
    assert (ok("log", "--oneline"), (branches / FILE).read_bytes()) == before
    assert dvcs("merge", "--abort").code == 3
    assert dvcs("conflicts").code == 3


def test_a_strategy_leaves_no_conflicts(branches: Path):
    done = dvcs("merge", "topic", "-s", "union", "--json")
    payload = done.json["dvcs.merge/1"]
    assert payload["status"] == "merged"
    assert payload["conflicts"] == []
    assert payload["counts"]["taken"] == 1
    assert payload["summary"]["annotations"]["added"] == 1


def test_a_dry_run_says_what_would_be(branches: Path):
    done = dvcs("merge", "topic", "--dry-run")
    assert done.code == 1
    assert "nothing was changed" in done.err
    assert "would be merged without conflicts" in ok("merge", "topic", "-s", "ours", "--dry-run")
    assert dvcs("merge", "--abort").code == 3


def test_a_fast_forward_is_told(work: Path):
    ok("restore")
    ok("checkout", "-b", "topic")
    move(work, 1, 1.0)
    ok("commit", "-m", "theirs")
    ok("checkout", "main")
    assert "would be a fast-forward" in ok("merge", "topic", "--dry-run")
    told = ok("merge", "topic")
    assert "fast-forward" in told
    assert "annotations: 1 changed" in told
    assert box(work, 1) == 1.0
    assert "already up to date" in ok("merge", "topic")


def test_changes_in_working_copies_refuse(branches: Path):
    move(branches, 2, 40.0)
    done = dvcs("merge", "topic")
    assert done.code == 3
    assert "pets/train/a" in done.err
    assert box(branches, 2) == 40.0


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("merge",), 2, "which revision?"),
        (("merge", "topic", "--abort"), 2, "--abort takes no revision"),
        (("merge", "topic", "--continue"), 2, "--continue takes no revision"),
        (("merge", "nothing"), 3, "nothing"),
        (("merge", "topic", "--only", "cows"), 2, "'cows' is in no source"),
        (("merge", "topic", "-iou", "2"), 2, "iou"),
        (("resolve", "--ours"), 2, "which conflicts?"),
        (("resolve", "--all"), 2, "decided how?"),
        (("resolve", "--all", "--ours", "--theirs"), 2, "decide one way"),
        (("resolve", "--all", "--value", "{"), 2, "is no JSON"),
        (("resolve", "--all", "--ours"), 3, "no merge is under way"),
        (("merge", "--continue"), 3, "no merge is under way"),
    ],
)
def test_what_makes_no_sense_is_refused(branches: Path, arguments, code, told):
    done = dvcs(*arguments)
    assert (done.code, told in done.err) == (code, True), done.err


def test_a_choice_that_a_conflict_does_not_have(branches: Path):
    assert dvcs("merge", "topic").code == 1
    done = dvcs("resolve", "--all", "--value", "7")
    assert (done.code, "is no value for geometry" in done.err) == (2, True)
    assert dvcs("resolve", "pets/train/b", "--ours").code == 2
    assert dvcs("conflicts", "--all").code == 1


def test_options_reach_the_merge(branches: Path):
    assert ok("merge", "topic", "--agree-thresh", "0.1")
    assert box(branches, 1) == 9.0
    ok("undo")
    ok("merge", "topic", "--only", "pets/train/b", "-m", "A part")
    assert [box(branches, id) for id in (1, 3)] == [9.0, 9.0]
    assert "A part" in ok("log", "--oneline")


def test_another_branch_gets_the_merge(branches: Path):
    before = box(branches, 1)
    ok("merge", "main", "--into", "topic", "-s", "theirs", "--no-ff")
    assert box(branches, 1) == before
    assert "Merge main into topic" in ok("log", "--oneline", "topic")


def test_labels_of_two_datasets_are_united(work: Path):
    ok("checkout", "-b", "topic")
    coco(work / "v2", {"d": [("fish", 9)]})
    ok("import", "v2", "-n", "water", "-m", "Fish")
    ok("checkout", "main")
    coco(work / "v3", {"e": [("bird", 9)]})
    ok("import", "v3", "-n", "air", "-m", "Birds")
    ok("merge", "topic", "-m", "All of them")
    info = json.loads(ok("info", "--json"))["dvcs.info/1"]
    assert set(info["sources"]) == {"pets", "water", "air"}
