import json
import os
import time

import pytest

from dvcs.repository import Repository
from tests.commands.cli import coco, dvcs, ok


def edit(work, change):
    """Change the records of the working copy's annotation file, as a script does."""
    file = work / "pets/annotations/instances_train.json"
    records = json.loads(file.read_text("utf-8"))
    change(records)
    file.write_text(json.dumps(records), "utf-8")


def move(work, to=8):
    edit(work, lambda records: records["annotations"][0]["bbox"].__setitem__(0, to))


def status():
    return dvcs("status", "--json").json["dvcs.status/1"]


def test_a_folder_is_tracked_and_committed(cwd):
    ok("init")
    assert ok("status") == "on branch 'main', no commit yet\n"
    coco(cwd / "pets", {"a": [("cat", 5)], "b": []})
    assert "not tracked: pets/" in ok("status")
    assert ok("add", "pets") == "tracking 'pets' as source 'pets' (COCO)\n"
    assert "pets: new, in no commit yet\n  2 items, 1 annotation\n" in ok("status")
    assert status()["sources"]["pets"]["items"]["added"] == 2
    assert status()["sources"]["pets"]["annotations"]["added"] == 1
    text = ok("commit", "-m", "As found")
    short = Repository(cwd).resolve().hex()[:10]
    assert text == f"[main {short} As found]\n  items: 2 added\n  annotations: 1 added\n"
    assert ok("status") == f"on branch 'main' at {short} As found\nnothing to commit\n"


def test_an_export_beside_the_working_copies_is_nothing_to_track(work):
    ok("export", "-f", "coco", "-o", "out")
    coco(work / "more", {"a": [("cat", 5)]})
    assert status()["untracked"] == ["more"]


def test_status_for_programs(work):
    found = status()
    assert (found["branch"], found["clean"]) == ("main", True)
    move(work)
    found = status()
    assert found["clean"] is False
    source = found["sources"]["pets"]
    assert {name: source["items"][name] for name in ("added", "removed", "changed")} == {
        "added": 0,
        "removed": 0,
        "changed": 1,
    }
    assert source["annotations"] == {"added": 0, "removed": 0, "changed": 1}
    assert source["state"] == "changed"


def test_status_for_people_says_what_to_do_next(work):
    move(work)
    done = dvcs("status")
    assert done.out.split("\n")[1:] == [
        "",
        "pets: changed",
        "  items: 1 changed",
        "  annotations: 1 changed",
        "    ~ pets/train/a",
        "",
    ]
    assert "dvcs commit -m MESSAGE" in done.err
    assert "dvcs restore pets" in done.err


def test_diff_shows_what_is_not_committed(work):
    move(work)
    line = "    ~ bbox cat at 5, 5, 10 x 10: moved by 3.0, 0.0; IoU 0.54\n"
    assert ok("diff") == f"~ pets/train/a\n{line}"
    assert ok("diff", "HEAD") == f"~ pets/train/a\n{line}"
    assert dvcs("diff", "--exit-code").code == 1
    ok("commit", "-m", "Moved")
    assert ok("diff") == ""
    assert ok("diff", "HEAD~1") == f"~ pets/train/a\n{line}"


def test_single_items_are_committed(work):
    move(work)
    edit(work, lambda records: records["annotations"][2]["bbox"].__setitem__(0, 9))
    ok("commit", "-m", "Only b", "pets/train/b")
    assert ok("diff", "--name-only") == "pets/train/a\n"
    assert "pets/train/b" in ok("show")
    assert dvcs("commit", "-m", "x", "pets/train/zzz").code == 2


def test_a_commit_without_changes_or_message(work):
    assert ok("commit", "-m", "Nothing") == "nothing was changed, so there is nothing to commit\n"
    move(work)
    assert dvcs("commit").code == 2
    assert dvcs("commit", "-m", "  ").code == 2
    done = dvcs("commit", "--dry-run")
    assert done.out == "would commit items: 1 changed; annotations: 1 changed\n"
    assert status()["clean"] is False
    report = dvcs("commit", "-m", "Moved", "--json").json["dvcs.commit/1"]
    assert report["summary"]["annotations"]["changed"] == 1
    assert report["commit"] == Repository(work).resolve().hex()


def test_branches_have_their_own_files(work):
    ok("checkout", "-b", "review")
    move(work)
    ok("commit", "-m", "Reviewed")
    text = ok("checkout", "main")
    assert text.startswith("now on branch 'main' at ")
    assert "  pets: " in text
    assert dvcs("info", "./pets:coco", "--json").json["dvcs.info/1"]["annotations"] == 3
    file = work / "pets/annotations/instances_train.json"
    assert json.loads(file.read_text("utf-8"))["annotations"][0]["bbox"][0] == 5.0
    ok("checkout", "review")
    assert json.loads(file.read_text("utf-8"))["annotations"][0]["bbox"][0] == 8.0
    assert ok("checkout", "review") == "everything is as it should be\n"


def test_changes_are_not_lost_by_going_elsewhere(work):
    move(work)
    ok("commit", "-m", "Moved")
    move(work, to=11)
    done = dvcs("checkout", "HEAD~1")
    assert done.code == 3
    assert "pets/train/a" in done.err
    assert dvcs("checkout", "--dry-run", "-f", "HEAD~1").code == 0
    assert status()["clean"] is False
    done = dvcs("checkout", "-f", "HEAD~1")
    assert done.out.startswith("now on no branch, at ")
    assert "dvcs checkout -b NAME" in done.err
    assert status()["clean"] is True
    assert status()["branch"] is None


def test_a_working_copy_can_have_another_place_and_format(repo):
    ok("checkout", "pets", "--into", "work/pets", "--no-save-images")
    assert (repo / "work/pets/annotations/instances_train.json").is_file()
    assert not (repo / "work/pets/images").exists()
    ok("checkout", "pets", "--format", "coco_instances")
    assert status()["sources"]["pets"]["format"] == "coco_instances"
    ok("checkout", "HEAD~1", "--", "pets")
    assert dvcs("diff", "HEAD~1", "--exit-code").code == 0
    assert "pets: of another revision" in ok("status")


def test_without_a_name_checkout_writes_what_has_no_copy(repo):
    assert "hint: write a working copy with 'dvcs checkout SOURCE'" in dvcs("status").err
    assert "  pets: " in ok("checkout")
    assert (repo / "pets/images/train/a.png").is_file()
    assert dvcs("checkout").code == 2


def test_a_misspelt_place_to_go_is_answered_with_the_nearest(repo):
    assert "did you mean 'pets'?" in dvcs("checkout", "pest").err
    assert "did you mean 'main'?" in dvcs("checkout", "mian").err


def test_restore_takes_changes_back(work):
    move(work)
    done = dvcs("restore", "--dry-run", "--json").json["dvcs.restore/1"]
    assert "annotations/instances_train.json" in done["copies"][0]["written"]
    assert "  pets: 1 file written\n" in ok("restore", "pets")
    assert status()["clean"] is True
    assert dvcs("restore", "cats").code == 2


def test_reset_moves_the_branch(work):
    move(work)
    ok("commit", "-m", "Moved")
    ok("reset", "HEAD~1")
    assert ok("log", "--oneline").count("\n") == 1
    assert status()["sources"]["pets"]["behind"] is True
    ok("reset", "--hard")
    assert status()["sources"]["pets"]["behind"] is False
    assert dvcs("reset", "nowhere").code == 3


def test_undo_takes_back_and_does_again(work):
    move(work)
    ok("commit", "-m", "Moved")
    assert "commit pets" in ok("undo", "--list", "-n", "1")
    assert ok("undo", "--dry-run").startswith("would take back 'commit pets'\n  main: ")
    assert ok("undo").startswith("took back 'commit pets'\n  main: ")
    assert ok("log", "--oneline").count("\n") == 1
    assert status()["clean"] is False
    ok("undo")
    assert ok("log", "--oneline").count("\n") == 2
    operations = dvcs("undo", "--list", "--json").json["dvcs.operations/1"]
    assert operations[0]["undoes"] == operations[1]["id"]
    assert operations[1]["undoes"] == operations[2]["id"]
    assert operations[2]["command"] == "commit pets"


def test_undo_brings_a_deleted_branch_back(work):
    ok("branch", "side")
    ok("branch", "-d", "side")
    ok("undo")
    assert "side" in ok("branch")


def test_a_source_is_removed_with_its_working_copy(work):
    assert ok("remove", "--dry-run", "pets") == "would remove 'pets' with 3 items\n"
    move(work)
    assert dvcs("remove", "pets").code == 3
    ok("restore")
    assert ok("remove", "pets").startswith("removed 'pets' with 3 items as ")
    assert not (work / "pets/annotations").exists()
    assert dvcs("info", "--json").json["dvcs.info/1"]["items"] == 0
    assert "did you mean" in dvcs("remove", "pet", "-C", ".").err or dvcs("remove", "pet").code == 2
    ok("undo")
    assert status()["clean"] is True
    assert (work / "pets/annotations").exists()


def test_a_source_that_was_never_committed_is_forgotten_only(cwd):
    ok("init")
    coco(cwd / "pets", {"a": [("cat", 5)]})
    ok("add", "pets")
    assert ok("remove", "pets") == "'pets' is not tracked any more; its files stay\n"
    assert (cwd / "pets/annotations").exists()


def test_adding_asks_for_what_it_needs(cwd):
    ok("init")
    (cwd / "odd").mkdir()
    (cwd / "odd" / "x.txt").write_text("x")
    assert dvcs("add", "odd").code == 3
    assert dvcs("add", "nowhere").code == 3
    coco(cwd / "pets", {"a": [("cat", 5)]})
    assert ok("add", "pets", "--dry-run") == "would track 'pets' as source 'pets' (COCO)\n"
    assert dvcs("add", "pets", "--", "--nonsense").code == 2
    ok("add", "pets", "-n", "cats", "--", "--strip-prefix", "x")
    assert dvcs("add", "pets").code == 2


@pytest.mark.parametrize("arguments", [[], ["--json"]])
def test_status_of_an_untouched_folder_reads_no_file(work, monkeypatch, arguments):
    ok("status")
    file = work / "pets/annotations/instances_train.json"
    file.chmod(0)
    try:
        done = dvcs("status", *arguments)
    finally:
        file.chmod(0o644)
    assert done.code == 0
    assert "cannot be read" not in done.out


def test_the_demo_tells_a_whole_story(cwd):
    begin = time.perf_counter()
    text = ok("demo", "tour")
    assert time.perf_counter() - begin < 30
    for line in (
        "$ dvcs add scenes\n",
        "$ dvcs commit -m 'Corrections by Ada'\n",
        "    ~ bbox person -> cyclist at 32, 100, 16 x 50\n",
        '      ours    "yellow"\n      theirs  "off"\n',
        "decided 1 conflict; 0 left\n",
        " Ben ",
        "3 voters: kim, lee, max; quorum 2\n",
        "wrote 'changes.html'",
        "The repository is in 'tour'",
    ):
        assert line in text
    assert ok("-C", "tour", "fsck") == "everything is sound\n"
    assert dvcs("-C", "tour", "status", "--json").json["dvcs.status/1"]["clean"] is True
    assert dvcs("-C", "tour", "show", "main:scenes/train/train_01").out.count('state: "off"') == 1
    assert os.environ["DVCS_AUTHOR_NAME"] == "Ada Tester"
    assert dvcs("demo", "tour").code == 2


def test_the_demo_draws_its_data_alone(cwd):
    assert ok("demo", "--only-data", "street") == (
        "drew 12 street scenes with 70 annotations in 'street', in COCO's format\n"
    )
    assert sorted(path.name for path in cwd.iterdir()) == ["street"]
    assert ok("detect-format", "street") == "coco\n"


def test_the_demo_finds_a_folder_of_its_own_each_time(cwd):
    ok("demo", "--only-data")
    ok("demo", "--only-data")
    assert sorted(path.name for path in cwd.iterdir()) == ["dvcs-demo", "dvcs-demo-2"]


def test_a_renamed_label_is_told_by_everything_that_tells_changes(work):
    file = work / "pets/annotations/instances_train.json"
    file.write_text(file.read_text("utf-8").replace('"cat"', '"kitten"'), "utf-8")
    shown = "~ pets\n    ~ label cat renamed to kitten\n"
    assert ok("diff") == shown
    assert dvcs("diff", "--exit-code").code == 1
    assert "label renamed: cat -> kitten" in ok("status")
    assert "label renamed: cat -> kitten" in ok("commit", "--dry-run")
    assert ok("commit", "-m", "Kittens").endswith("\n  label renamed: cat -> kitten\n")
    assert ok("diff", "HEAD~1", "HEAD") == shown
    assert ok("diff", "HEAD~1") == shown
    assert ok("show").endswith(f"\n{shown}")
    for told in (
        ok("show", "--stat"),
        ok("log", "--stat", "-n", 1),
        ok("diff", "--stat", "HEAD~1.."),
    ):
        assert told.endswith(" label renamed: cat -> kitten\n")
    renamed = {"pets": {"added": [], "removed": [], "renamed": [["cat", "kitten"]], "changed": []}}
    assert dvcs("diff", "HEAD~1", "--json").json["dvcs.diff/1"]["labels"] == renamed
    assert dvcs("show", "--json").json["dvcs.show/1"]["labels"] == renamed


def test_added_and_removed_labels_are_told_of_datasets_on_disk(cwd):
    coco(cwd / "one", {"a": [("cat", 5)]})
    coco(cwd / "two", {"a": [("dog", 5)]})
    told = ok("diff", "./one", "./two")
    assert told.startswith("~ labels\n    + label dog added\n    - label cat removed\n~ train/a\n")


def test_no_repository_is_made_inside_a_repository_s_own_folder(work):
    done = dvcs("init", work / ".dvcs" / "objects")
    assert done.code == 2
    assert "is inside a repository's own folder" in done.err


def test_a_source_where_a_revision_is_wanted_is_explained(work):
    (work / "pets").rename(work / "gone")
    done = dvcs("export", "pets", "-f", "coco", "-o", "out")
    assert "hint: for the source, write 'HEAD:pets'" in done.err
