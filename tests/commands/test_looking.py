import json
import time

import pytest

from dvcs.commands._render import stat_lines
from dvcs.compare import Summary
from dvcs.repository import Repository
from tests.commands.cli import coco, dvcs, ok


def test_info_counts_a_revision(repo):
    info = dvcs("info", "--json").json["dvcs.info/1"]
    assert info["items"] == 4
    assert info["annotations"] == 3
    assert info["subsets"] == {"train": 4}
    assert info["labels"] == {"cat": 1, "dog": 2}
    assert info["annotation_types"] == {"bbox": 3}
    assert info["media"]["count"] == 4
    assert info["media"]["bytes"] > 0
    assert info["sources"] == {"pets": {"format": "coco", "items": 4}}
    assert info["commit"] == Repository(repo).resolve().hex()


def test_info_of_an_older_revision_and_of_a_folder_agree(repo):
    old = dvcs("info", "HEAD~1:pets", "--json").json["dvcs.info/1"]
    disk = dvcs("info", "../v1", "--json").json["dvcs.info/1"]
    for name in ("items", "annotations", "subsets", "labels", "annotation_types"):
        assert old[name] == disk[name]
    assert disk["sources"] == {}
    assert disk["format"] == "coco"
    assert dvcs("info", "../v1:coco_instances", "--json").json["dvcs.info/1"]["items"] == 3


def test_info_outside_of_a_repository_says_how_to_name_a_folder(cwd):
    coco(cwd / "pets", {"a": [("cat", 5)]}, images=False)
    assert "hint: for the folder, write './pets'" in dvcs("info", "pets").err


def test_info_aligns_its_numbers(repo):
    assert ok("info", "HEAD~1").split("\n")[1:] == [
        "items                  3",
        "  train                3",
        "  without annotations  1",
        "annotations            3",
        "  bbox                 3",
        "labels                 2",
        "  cat                  2",
        "  dog                  1",
        "media files            3  1.7 KB",
        "",
    ]


def test_info_shows_the_most_frequent_labels_unless_told_all(cwd):
    boxes = [(f"label {n:02}", n) for n in range(30)]
    coco(cwd / "many", {"a": boxes}, images=False)
    text = ok("info", "./many")
    assert "  and 10 more (--all)\n" in text
    assert "label 29" not in text
    assert "label 29" in ok("info", "--all", "./many")


def test_log_for_programs(repo):
    newest, oldest = dvcs("log", "--json").json["dvcs.log/1"]
    assert set(newest) == {
        "commit",
        "parents",
        "author",
        "date",
        "message",
        "operation",
        "arguments",
    }
    assert newest["parents"] == [oldest["commit"]]
    assert newest["author"] == "Ada Tester <ada@example.org>"
    assert newest["date"] == "2023-11-15T23:13:20+01:00"
    assert oldest["message"] == "First version\n\nwith a body"
    assert oldest["operation"] == "import"
    assert oldest["arguments"] == {"format": "coco", "name": "pets", "path": "../v1"}


def test_log_for_people(repo):
    first, second = ok("log").split("\n\ncommit ")
    assert first.split("\n")[1:] == [
        "Author: Ada Tester <ada@example.org>",
        "Date:   Wed Nov 15 23:13:20 2023 +0100",
        "Made by: import (format=coco, name=pets, path=../v2)",
        "",
        "    Second version",
    ]
    assert first.split("\n")[0].endswith(" (HEAD -> main)")
    assert second.endswith("    First version\n\n    with a body\n")


def test_log_knows_ranges_counts_and_paths(repo):
    def subjects(*arguments):
        found = dvcs("log", "--json", *arguments).json["dvcs.log/1"]
        return [one["message"].partition("\n")[0] for one in found]

    assert subjects() == ["Second version", "First version"]
    assert subjects("-n", "1") == ["Second version"]
    assert subjects("HEAD~1..HEAD") == ["Second version"]
    assert subjects("HEAD~1") == ["First version"]
    assert subjects("--", "pets/train/d") == ["Second version"]
    assert subjects("--", "pets/train/c") == ["First version"]
    assert subjects("--", "pets/train/b") == ["Second version", "First version"]
    assert subjects("--", "pets") == ["Second version", "First version"]
    done = dvcs("log", "--", "dogs")
    assert done.code == 3
    assert "there is no source for 'dogs'" in done.err


def test_log_of_an_item_that_is_gone_still_finds_it(repo):
    coco(repo.parent / "v3", {"a": [("cat", 6)], "c": []})
    ok("import", "../v3", "-n", "pets", "-m", "Third", "--mode", "replace")
    found = dvcs("log", "--json", "--", "pets/train/b").json["dvcs.log/1"]
    assert [one["message"].split("\n")[0] for one in found] == [
        "Third",
        "Second version",
        "First version",
    ]


def test_the_graph_shows_where_lines_of_development_meet(repo):
    with Repository(repo) as held:
        first, second = held.resolve("main~1"), held.resolve("main")
        tree = held.store.commit(second).tree
        from dvcs.objects.gitobjects import Commit, Signature

        def commit(name, seconds, *parents):
            who = Signature("A", "a@b", 1700100000 + seconds, 0)
            with held.store.writer() as writer:
                oid = writer.commit(Commit(tree, parents, who, who, name))
                writer.publish()
            return oid

        left = commit("left", 1, second)
        right = commit("right", 2, second)
        merge = commit("merge", 3, left, right)
        held.create_branch("merged", merge)
        assert first
    lines = ok("log", "--graph", "--oneline", "merged").split("\n")
    assert [line.replace("  ", " ").split(" ")[0:3] for line in lines[:1]]
    shapes = ["".join(c if c in "*|/\\ " else "." for c in line)[:4].rstrip() for line in lines]
    assert shapes[:7] == ["* ..", "|\\", "| *", "* |", "|/", "* ..", "* .."]


def test_log_of_many_commits_is_fast(cwd):
    from dvcs.objects.gitobjects import Commit, Signature

    ok("init")
    coco(cwd / "pets", {f"{n:03}": [("cat", 5)] for n in range(40)}, images=False)
    ok("import", "pets")
    with Repository(cwd) as held, held.store.writer() as writer:
        oid = held.resolve()
        tree = held.store.commit(oid).tree
        for n in range(3000):
            who = Signature("A", "a@b", 1800000000 + n, 0)
            oid = writer.commit(Commit(tree, (oid,), who, who, f"number {n}"))
        writer.publish()
        held.create_branch("long", oid)
    begin = time.perf_counter()
    assert ok("log", "--oneline", "long").count("\n") == 3001
    assert ok("log", "long", "--oneline", "--", "pets/train/007").count("\n") == 1
    assert time.perf_counter() - begin < 5


DIFF_KEYS = {"source", "subset", "id", "status", "annotations"}
CHANGE_KEYS = {"status", "type", "label", "fields", "similarity", "before", "after"}


def test_many_labels_that_became_others_are_not_all_listed():
    became = {f"l{n}": {"cat": n % 3 + 1, "dog": 1} for n in range(20)}
    lines = stat_lines(Summary(relabelled={"": {"cat": 1}, **became}))
    pairs = [line for line in lines if line.startswith(" relabelled ")]
    assert pairs[0] == " relabelled l11 -> cat: 3"
    assert len(pairs) == 20
    more = 60 - sum(int(line.rpartition(" ")[2]) for line in pairs)
    assert f" ... and {more} in 21 other ways: 'dvcs diff --stat --json' lists them" in lines


def test_a_table_of_a_difference_for_programs(repo):
    table = dvcs("diff", "HEAD~1", "HEAD", "--stat", "--json").json["dvcs.diff/1"]
    whole = dvcs("diff", "HEAD~1", "HEAD", "--json").json["dvcs.diff/1"]
    assert table["summary"] == whole["summary"]
    assert "items" not in table
    assert set(table["subsets"]) == {one["subset"] for one in whole["items"]}
    for of, counts in (("annotations", table["by_label"].values()), ("items", None)):
        parts = counts or [one["items"] for one in table["subsets"].values()]
        for key in ("added", "removed", "changed"):
            assert sum(one[key] for one in parts) == whole["summary"][of][key]


def test_diff_for_programs(repo):
    diff = dvcs("diff", "HEAD~1", "HEAD", "--json").json["dvcs.diff/1"]
    assert diff["summary"] == {
        "items": {"added": 1, "removed": 0, "changed": 2, "moved": 0, "renamed": 0},
        "annotations": {"added": 1, "removed": 1, "changed": 1, "renumbered": 0},
    }
    items = {one["id"]: one for one in diff["items"]}
    assert {name: one["status"] for name, one in items.items()} == {
        "a": "changed",
        "b": "changed",
        "d": "added",
    }
    for one in diff["items"]:
        assert set(one) >= DIFF_KEYS
        assert all(set(change) >= CHANGE_KEYS for change in one["annotations"])
    (change,) = items["a"]["annotations"]
    assert change["status"] == "changed"
    assert change["fields"] == ["geometry"]
    assert (change["before"]["x"], change["after"]["x"]) == (5.0, 6.0)
    assert change["similarity"] == pytest.approx(90 / 110)


def test_diff_for_people(repo):
    done = dvcs("diff", "HEAD~1", "HEAD")
    assert done.code == 0
    assert done.out.split("\n") == [
        "~ pets/train/a",
        "    ~ bbox cat at 5, 5, 10 x 10: moved by 1.0, 0.0; IoU 0.82",
        "~ pets/train/b",
        "    - bbox cat removed at 7, 5, 10 x 10",
        "+ pets/train/d",
        "    + 1 annotation: 1 bbox",
        "",
    ]
    assert done.err == "items: 1 added, 2 changed\nannotations: 1 added, 1 removed, 1 changed\n"


def test_diff_names_counts_and_has_an_exit_code(repo):
    names = ["pets/train/a", "pets/train/b", "pets/train/d"]
    assert ok("diff", "--name-only", "HEAD~1..HEAD").split() == names
    assert " train   +1 ~2  +1 -1 ~1\n" in ok("diff", "--stat", "HEAD~1", "HEAD")
    assert dvcs("diff", "--exit-code", "HEAD~1", "HEAD").code == 1
    assert dvcs("diff", "--exit-code", "HEAD", "HEAD").code == 0
    assert dvcs("diff", "HEAD", "HEAD").err == "no differences\n"
    assert dvcs("diff", "HEAD", "HEAD", "HEAD").code == 2
    assert dvcs("diff", "HEAD~1", "HEAD", "--", "cats").code == 2


def test_diff_pairs_by_the_similarity_that_is_asked_for(repo):
    strict = dvcs("diff", "HEAD~1", "HEAD", "-iou", "0.9", "--json").json["dvcs.diff/1"]
    assert strict["summary"]["annotations"]["changed"] in (0, 1)


def test_diff_takes_datasets_on_disk_for_revisions(repo):
    done = dvcs("diff", "HEAD~1:pets", "../v2", "--json").json["dvcs.diff/1"]
    inside = dvcs("diff", "HEAD~1", "HEAD", "--json").json["dvcs.diff/1"]
    assert done["summary"] == inside["summary"]
    assert dvcs("diff", "HEAD", "../v2", "--exit-code").code == 0
    (repo / "v3").mkdir()
    assert "  hint: for the folder, write './v3'" in dvcs("diff", "HEAD", "v3").err


def test_diff_of_folders_needs_no_repository(cwd):
    coco(cwd / "v1", {"a": [("cat", 5)]}, images=False)
    coco(cwd / "v2", {"a": [("cat", 6)]}, images=False)
    assert "~ train/a\n" in ok("diff", "./v1", "./v2:coco")
    assert dvcs("diff", "./v1", "main").code == 3


def test_show_tells_what_a_commit_changed(repo):
    text = ok("show")
    assert "    Second version\n" in text
    assert "~ pets/train/a\n    ~ bbox cat at 5, 5, 10 x 10: moved by 1.0, 0.0; IoU 0.82\n" in text
    payload = dvcs("show", "--json").json["dvcs.show/1"]
    assert payload["message"] == "Second version"
    assert payload["summary"]["items"]["added"] == 1


def test_show_prints_items_and_lists_folders(repo):
    item = dvcs("show", "HEAD:pets/train/a", "--json").json["dvcs.item/1"]
    assert [(one["type"], one["label"], one["x"]) for one in item["annotations"]] == [
        ("bbox", "cat", 6.0),
        ("bbox", "dog", 30.0),
    ]
    assert (item["media"]["width"], item["media"]["height"]) == (64, 48)
    text = ok("show", "HEAD~1:pets/train/a")
    assert text.startswith("pets/train/a\nimage, 64 x 48\n  a.png  ")
    assert "  bbox cat  x=5.0  y=5.0  w=10.0  h=10.0  id=1" in text
    assert ok("show", "HEAD:pets").split() == [f"pets/train/{name}" for name in "abcd"]
    assert dvcs("show", "HEAD:pets/train", "--json").json["dvcs.items/1"][0] == "pets/train/a"


@pytest.mark.parametrize(
    ("what", "message", "tip"),
    [
        ("HEAD:pets/train/aa", "'pets/train' has no item 'aa'", "did you mean 'a'?"),
        ("HEAD:pets/val/a", "'pets' has no subset for 'val/a'", "its subsets: train"),
        ("HEAD:dogs", "there is no source for 'dogs'", "sources: pets"),
        ("mian", "no branch, tag or commit is called 'mian'", "did you mean 'main'?"),
    ],
)
def test_what_is_not_there_is_answered_with_what_is(repo, what, message, tip):
    done = dvcs("show", what)
    assert done.code == 3
    assert message in done.err
    assert tip in done.err


def test_fsck_of_a_sound_repository_and_of_a_damaged_one(repo):
    assert ok("fsck") == "everything is sound\n"
    assert dvcs("fsck", "--json").json["dvcs.fsck/1"] == {"sound": True, "findings": []}
    pack = max((repo / ".dvcs/media/packs").glob("*.pack"))
    data = bytearray(pack.read_bytes())
    data[len(data) // 2] ^= 0xFF
    pack.chmod(0o644)
    pack.write_bytes(data)
    done = dvcs("fsck")
    assert done.code == 1
    assert "error: media/packs/" in done.out
    assert "stored bytes are damaged" in done.out
    report = json.loads(dvcs("fsck", "--json").out)["dvcs.fsck/1"]
    assert report["sound"] is False
    assert {"severity", "where", "message", "items", "commits"} <= set(report["findings"][0])


def test_gc_removes_nothing_unless_told(repo):
    ok("branch", "dead", "HEAD")
    assert ok("gc") == "there is nothing to remove\n"
    report = dvcs("gc", "--json").json["dvcs.gc/1"]
    assert report["dry_run"] is True
    assert (report["objects"], report["media"]) == (0, 0)


def test_doctor_names_versions_and_the_repository(repo):
    facts = dvcs("doctor", "--json").json["dvcs.doctor/1"]
    assert facts["program"]["dvcs"]
    assert facts["program"]["numpy"] != "MISSING"
    assert facts["repository"]["folder"] == str(repo)
    assert facts["repository"]["identity"] == "Ada Tester <ada@example.org>"
    assert facts["repository"]["lock"] == "free"


@pytest.mark.parametrize("topic", ["revisions", "exit-codes", "environment", "json", "options"])
def test_topics_are_explained(topic):
    assert len(ok("help", topic)) > 100
    assert ok("help", "import") == ok("import", "--help")
