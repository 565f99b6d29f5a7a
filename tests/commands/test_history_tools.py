import json
import sys

import pytest

from dvcs.repository import Repository
from tests.commands.cli import coco, dvcs, ok


def subjects(*arguments):
    return [line.split(" ", 1)[1] for line in ok("log", "--oneline", *arguments).splitlines()]


def test_blame_names_the_commit_of_each_annotation(repo):
    first, second = ok("describe", "--always", "HEAD~1"), ok("describe", "--always")
    lines = ok("blame", "pets/train/a").splitlines()
    assert lines[0].split("  ") == [
        second.strip(),
        "Ada Tester",
        "2023-11-15 23:13",
        "import",
        "bbox cat at 6, 5, 10 x 10",
    ]
    assert lines[1].startswith(first.strip())
    assert lines[1].endswith("bbox dog at 30, 5, 10 x 10")
    report = dvcs("blame", "pets/train/a", "HEAD~1", "--json").json["dvcs.blame/1"]
    assert report["item"] == "pets/train/a"
    assert {one["commit"] for one in report["annotations"]} == {report["commit"]}
    assert report["annotations"][0]["annotation"]["label"] == "cat"
    assert report["annotations"][0]["subject"] == "First version"
    assert report["annotations"][0]["operation"] == "import"


def test_blame_wants_one_item_that_is_there(repo):
    done = dvcs("blame", "pets/train")
    assert done.code == 2
    assert "is not one item" in done.err
    assert dvcs("blame", "pets/train/nope").code == 3
    assert ok("blame", "pets/train/c") == ""


def test_log_of_a_label(repo):
    assert subjects("--label", "cat") == ["(HEAD -> main) Second version", "First version"]
    coco(repo.parent / "v3", {"a": [("cat", 6), ("dog", 50)], "b": [], "c": [], "d": [("dog", 9)]})
    ok("import", "../v3", "-n", "pets", "-m", "Third version")
    assert subjects("--label", "cat") == ["Second version", "First version"]
    assert len(subjects("--label", "dog")) == 3
    assert subjects("--label", "dog", "--", "pets/train/d") == ["Second version"]
    done = dvcs("log", "--label", "bird")
    assert done.code == 2
    assert "no label is called 'bird'" in done.err


def test_log_follows_an_item_that_moved(repo):
    from dvcs.repository.editing import set_items

    with Repository(repo) as held:
        one = held.item("HEAD", "pets", "train", "a")
        set_items(held, "pets", [one.with_(subset="val")], remove=[("train", "a")], message="Split")
    assert subjects("--", "pets/val/a") == ["(HEAD -> main) Split"]
    assert subjects("--follow", "--", "pets/val/a") == [
        "(HEAD -> main) Split",
        "Second version",
        "First version",
    ]
    assert dvcs("log", "--follow", "--", "pets").code == 2


def test_reflog_tells_where_a_branch_was(repo):
    ok("reset", "HEAD~1")
    report = dvcs("reflog", "main", "--json").json["dvcs.reflog/1"]
    assert [(one["name"], one["command"]) for one in report[:2]] == [
        ("main@{0}", "reset HEAD~1"),
        ("main@{1}", "import pets"),
    ]
    lines = ok("reflog", "-n", "2").splitlines()
    assert len(lines) == 2
    assert "HEAD@{0}" in lines[0]
    assert lines[1].endswith("Second version")
    assert dvcs("reflog", "mian").code == 2


def test_describe_names_a_revision_that_can_be_used(repo):
    done = dvcs("describe")
    assert done.code == 3
    assert "dvcs tag NAME" in done.err
    ok("tag", "v1", "HEAD~1")
    text = ok("describe").strip()
    assert text.startswith("v1-1-g")
    assert ok("log", "--oneline", text) == ok("log", "--oneline")
    assert ok("describe", "v1") == "v1\n"
    assert ok("describe", "--long", "v1").startswith("v1-0-g")
    report = dvcs("describe", "--json").json["dvcs.describe/1"]
    assert (report["tag"], report["distance"]) == ("v1", 1)


def test_branches_that_have_a_revision(repo):
    ok("branch", "old", "HEAD~1")
    names = dvcs("branch", "--contains", "HEAD", "--json").json["dvcs.branch/1"]
    assert [one["name"] for one in names] == ["main"]
    assert [line.split()[0] for line in ok("branch", "--contains", "old").splitlines()] == [
        "*",
        "old",
    ]
    assert dvcs("branch", "--contains", "HEAD", "-d", "old").code == 2


def move(work, x, id=1):
    path = work / "pets" / "annotations" / "instances_train.json"
    data = json.loads(path.read_text())
    next(one for one in data["annotations"] if one["id"] == id)["bbox"][0] = x
    path.write_text(json.dumps(data))


def test_stash_from_the_command_line(work):
    assert "nothing to put aside" in ok("stash")
    move(work, 9.0)
    text = ok("stash", "-m", "a cat")
    assert text.splitlines() == [
        "put aside: On main: a cat",
        "  items: 1 changed",
        "  annotations: 1 changed",
    ]
    assert ok("status", "--json").count('"clean"') >= 1
    (one,) = dvcs("stash", "list", "--json").json["dvcs.stash/1"]
    assert (one["number"], one["message"]) == (0, "On main: a cat")
    assert ok("stash", "list").endswith("On main: a cat\n")
    assert "moved by 4.0" in ok("stash", "show")
    shown = dvcs("stash", "show", "stash@{0}", "--json").json["dvcs.stash.show/1"]
    assert shown["summary"]["annotations"]["changed"] == 1
    assert ok("stash", "pop").startswith("took up again: On main: a cat")
    assert "moved by 4.0" in ok("diff")
    ok("stash")
    assert ok("stash", "drop").startswith("dropped: Changes on main: ")
    assert ok("stash", "list") == ""


def test_stash_says_what_it_does_not_understand(work):
    for arguments, message in (
        (("pop",), "nothing was put aside"),
        (("pop", "x"), "'x' is not the number of a stash"),
        (("list", "1"), "'list' takes nothing more"),
        (("pop", "-m", "x"), "'pop' takes no message"),
        (("push", "nope"), "'nope' has no working copy"),
        (("psuh",), "psuh"),
    ):
        done = dvcs("stash", *arguments)
        assert done.code == 2, arguments
        assert message in done.err


def test_a_stash_in_conflict_is_kept(work):
    move(work, 9.0)
    ok("stash")
    move(work, 20.0)
    ok("commit", "-m", "elsewhere")
    done = dvcs("stash", "pop")
    assert done.code == 1
    assert "pets/train/a#1.geometry" in done.out
    assert "'dvcs stash pop --continue'" in done.err
    assert len(dvcs("stash", "list", "--json").json["dvcs.stash/1"]) == 1
    assert "taking up 'Changes on main: " in ok("status")
    assert dvcs("stash", "pop", "--continue").code == 1
    ok("stash", "pop", "--abort")
    assert dvcs("stash", "pop").code == 1
    assert "go on with 'dvcs stash pop --continue'" in dvcs("resolve", "--all", "--theirs").err
    assert ok("stash", "pop", "--continue").startswith("took up again: Changes on main: ")
    assert ok("stash", "list") == ""
    assert "moved by -11.0" in ok("diff")


def test_a_pop_is_ended_on_its_own(work):
    for arguments, message in (
        (("stash", "--continue"), "--continue stands alone"),
        (("stash", "pop", "0", "--abort"), "--abort stands alone"),
    ):
        done = dvcs(*arguments)
        assert (done.code, message in done.err) == (2, True)
    for flag in ("--continue", "--abort"):
        done = dvcs("stash", "pop", flag)
        assert (done.code, "no stash pop is under way" in done.err) == (3, True)


def test_revert_from_the_command_line(work):
    move(work, 9.0)
    ok("commit", "-m", "A better cat")
    assert "can be reverted" in ok("revert", "HEAD", "--dry-run")
    lines = ok("revert", "HEAD").splitlines()
    assert lines[0].endswith('Revert "A better cat"]')
    assert lines[1:] == ["  items: 1 changed", "  annotations: 1 changed"]
    assert dvcs("status").code == 0
    assert "nothing to revert" in ok("revert", "HEAD~1")
    ok("undo")
    (report,) = dvcs("revert", "HEAD", "--json").json["dvcs.revert/1"]
    assert report["changed"]
    assert report["summary"]["annotations"]["changed"] == 1
    move(work, 30.0)
    done = dvcs("revert", "HEAD")
    assert done.code == 3
    assert "would lose changes" in done.err


def test_a_revert_in_conflict_names_the_place_and_the_way_out(work):
    move(work, 9.0)
    ok("commit", "-m", "one")
    move(work, 20.0)
    ok("commit", "-m", "two")
    assert dvcs("revert", "--dry-run", "HEAD~1").code == 1
    done = dvcs("revert", "HEAD~1")
    assert done.code == 1
    assert "cannot revert" in done.out
    assert "pets/train/a#1.geometry  geometry changed on both sides" in done.out
    assert "then 'dvcs revert --continue'; or give it up with 'dvcs revert --abort'" in done.err
    assert "reverting 'HEAD~1' on 'main': 1 conflict left" in ok("status")
    doing = json.loads(ok("status", "--json"))["dvcs.status/1"]["merge"]
    assert (doing["operation"], doing["open"], doing["left"]) == ("revert", 1, 0)
    done = dvcs("merge", "--continue")
    assert (done.code, "dvcs revert --continue" in done.err) == (3, True)
    ok("revert", "--abort")
    ok("revert", "-X", "theirs", "HEAD~1")
    assert "bbox cat at 5, 5, 10 x 10" in ok("blame", "pets/train/a")
    ok("undo")
    assert dvcs("revert", "HEAD~1", "--json").code == 1
    ok("resolve", "--all", "--base")
    assert "no open conflicts in the revert of 'HEAD~1'" in ok("conflicts")
    assert "annotations: 1 changed" in ok("revert", "--continue")
    assert "bbox cat at 9, 5, 10 x 10" in ok("blame", "pets/train/a")


def test_a_range_is_picked_up_to_a_conflict_and_on(work):
    ok("branch", "side")
    for x, id in ((9.0, 1), (33.0, 2), (11.0, 1)):
        move(work, x, id)
        ok("commit", "-m", f"{id} at {x}")
    ok("branch", "work")
    ok("checkout", "side")
    move(work, 31.0, 2)
    ok("commit", "-m", "Here")
    done = dvcs("cherry-pick", "side..work")
    assert done.code == 1
    assert "1 at 9.0]" in done.out
    assert "cannot pick" in done.out
    assert "  1 commit to go after it" in done.out
    assert "'dvcs cherry-pick --skip' leaves this one out" in done.err
    assert "on 'side': 1 conflict left, 1 commit after it" in ok("status")
    (report,) = json.loads(dvcs("cherry-pick", "--continue", "--json").out)["dvcs.cherry-pick/1"]
    assert [place["id"] for place in report["conflicts"]] == ["a"]
    assert "1 at 11.0]" in ok("cherry-pick", "--skip")
    ok("undo")
    assert dvcs("cherry-pick", "--abort").code == 0
    assert dvcs("cherry-pick", "side..work").code == 1
    ok("resolve", "--all", "--theirs")
    told = ok("cherry-pick", "--continue")
    assert [line.split(" ", 2)[2] for line in told.splitlines() if line[0] == "["] == [
        "2 at 33.0]",
        "1 at 11.0]",
    ]
    assert ok("diff", "work", "HEAD") == ""


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("revert",), 2, "which commit?"),
        (("cherry-pick",), 2, "which commit?"),
        (("revert", "--continue", "--abort"), 2, "--continue and --abort exclude each other"),
        (("revert", "--continue", "HEAD"), 2, "--continue takes no COMMIT"),
        (("cherry-pick", "--abort", "--only", "pets"), 2, "--abort takes no --only"),
        (("cherry-pick", "--skip", "--dry-run"), 2, "--skip has no dry run"),
        (("cherry-pick", "--skip"), 3, "no cherry-pick is under way"),
        (("revert", "--continue"), 3, "no revert is under way"),
        (("revert", "HEAD..HEAD"), 2, "there is no commit in 'HEAD..HEAD'"),
    ],
)
def test_picks_that_make_no_sense_are_refused(work, arguments, code, message):
    done = dvcs(*arguments)
    assert (done.code, message in done.err) == (code, True), done.err


def test_cherry_pick_from_the_command_line(work):
    ok("branch", "side")
    move(work, 9.0)
    ok("commit", "-m", "One")
    move(work, 33.0, id=2)
    ok("commit", "-m", "Two")
    ok("branch", "work")
    ok("checkout", "side")
    lines = ok("cherry-pick", "work~1", "work").splitlines()
    assert [line.split(" ", 2)[2] for line in lines if line.startswith("[")] == ["One]", "Two]"]
    assert ok("diff", "work", "HEAD") == ""
    assert "nothing to pick" in ok("cherry-pick", "work")
    done = dvcs("cherry-pick", "--only", "pets/val", "work")
    assert done.code == 2
    assert "changed nothing in 'pets/val'" in done.err
    ok("undo")
    (report,) = dvcs("cherry-pick", "--json", "--only", "pets/train/a", "work").json[
        "dvcs.cherry-pick/1"
    ]
    assert report["summary"]["items"]["changed"] == 1
    assert "cherry picked from commit" in ok("show", "HEAD")


@pytest.fixture
def many(work):
    """The working copy in five versions."""
    for n in range(1, 5):
        move(work, 9.0 + n)
        ok("commit", "-m", f"Version {n}")
    return work


def test_bisect_by_hand(many):
    done = ok("bisect", "start", "main", "HEAD~4").splitlines()
    assert done[0].startswith("test now: ")
    assert done[1] == "  4 suspects, about 2 steps left"
    ok("bisect", "bad")
    text = ok("bisect", "good")
    assert text.splitlines()[0].endswith("Version 2")
    assert text.splitlines()[1:] == ["  items: 1 changed", "  annotations: 1 changed"]
    report = dvcs("bisect", "skip", "--json", "HEAD").json["dvcs.bisect/1"]
    assert report["status"] == "found"
    assert report["first_bad"]["message"] == "Version 2"
    assert "now on branch 'main'" in ok("bisect", "reset")
    assert dvcs("bisect", "good").code == 3


def test_bisect_run(many):
    ok("bisect", "start", "main", "HEAD~4")
    code = (
        "import json, sys; print('looked'); data = json.load(open(sys.argv[1]));"
        "sys.exit(data['annotations'][0]['bbox'][0] >= 12)"
    )
    words = [sys.executable, "-c", code, "pets/annotations/instances_train.json"]
    report = dvcs("bisect", "--json", "run", *words).json["dvcs.bisect/1"]
    assert report["first_bad"]["message"] == "Version 3"
    assert "the first bad commit is" in ok("bisect", "run", *words)
    ok("bisect", "reset")
    assert "Examples:" in ok("bisect", "run", "--help")


def test_bisect_where_all_is_skipped_is_a_finding(many):
    ok("bisect", "start", "main", "HEAD~4")
    ok("bisect", "skip")
    ok("bisect", "skip")
    done = dvcs("bisect", "skip")
    assert done.code == 1
    assert "only skipped commits are left" in done.out
    assert "Version 4" in done.out
    assert dvcs("bisect", "run").code == 2
