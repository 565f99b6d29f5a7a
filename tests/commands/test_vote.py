"""`dvcs merge` of several: what is told, reports, datasets on disk, and what is refused."""

import json
from pathlib import Path

import pytest

from dvcs.repository import Repository
from dvcs.repository.editing import set_items
from tests.commands.cli import coco, dvcs, ok

FILE = "annotations/instances_train.json"
WHO = ("ann", "bob", "eve")


def edit(folder: Path, change) -> None:
    """Change the annotation file of a dataset."""
    data = json.loads((folder / FILE).read_text())
    change({one["id"]: one for one in data["annotations"]}, data["annotations"])
    (folder / FILE).write_text(json.dumps(data))


def ann(notes, _):
    notes[1]["bbox"][0] = 6.0


def bob(notes, _):
    notes[1]["bbox"][0] = 5.5
    notes[2]["category_id"] = 1


def eve(notes, held):
    held.append({**notes[3], "id": 4, "bbox": [40.0, 20.0, 10.0, 10.0]})


EDITS = {"ann": ann, "bob": bob, "eve": eve}


def labels(folder: Path) -> dict[int, str]:
    """Return the labels of a dataset's annotations by id."""
    (file,) = (folder / "annotations").glob("*.json")
    data = json.loads(file.read_text())
    names = {one["id"]: one["name"] for one in data["categories"]}
    return {one["id"]: names[one["category_id"]] for one in data["annotations"]}


@pytest.fixture
def branches(work: Path) -> Path:
    """Three annotators: two moved a box a little, one relabelled another, one added one."""
    ok("restore")
    for name in WHO:
        ok("checkout", "-b", name, "main")
        edit(work / "pets", EDITS[name])
        ok("commit", "-m", name)
    ok("checkout", "main")
    return work


@pytest.fixture
def folders(cwd: Path) -> Path:
    """The same as datasets on disk."""
    for name in WHO:
        coco(cwd / name, {"a": [("cat", 5), ("dog", 30)], "b": [("cat", 7)], "c": []})
        edit(cwd / name, EDITS[name])
    return cwd


TOLD = """\
3 voters: ann, bob, eve; quorum more than half
pets: 2 items voted; 1 item that none changed
  voter  matched  relabelled  missing  alone  mean similarity
  ann          3           0        1      0             0.95
  bob          3           1        1      0             0.97
  eve          3           0        0      1             0.95
  Cohen's kappa   ann    bob    eve
  ann                   0.56   0.56
  bob            0.56         -0.14
  eve            0.56  -0.14
  Fleiss' kappa 0.33 over 4 units
  label  Fleiss' kappa
  cat             0.25
  dog             0.40
findings
  failed-annotation   1 annotation without a quorum
  pets/train/b#v3-4  failed-annotation: bbox cat at 40, 20, 10 x 10; not at ann, bob
"""


def test_failed_votes_go_from_conflict_to_commit(branches: Path):
    done = dvcs("merge", *WHO)
    assert done.code == 1
    assert done.out.startswith(TOLD)
    assert done.out[len(TOLD) :].splitlines() == [
        "1 conflict in 1 place",
        "  pets/train/b#v3-4.presence  drawn by fewer than the quorum",
        "      have    eve",
        "      lack    ann, bob",
        "      theirs  bbox cat at 40, 20, 10 x 10",
    ]
    assert "dvcs merge --continue" in done.err
    assert "merging 'ann, bob and eve' into 'main': 1 conflict left" in ok("status")
    assert dvcs("conflicts").code == 1
    assert labels(branches / "pets") == {1: "cat", 2: "dog", 3: "cat"}
    assert ok("resolve", "pets/train/b", "--union").startswith("decided 1 conflict; 0 left")
    told = ok("merge", "--continue", "-m", "Three opinions", "-o", "report.json")
    assert "Three opinions" in told
    assert "pets: 1 file brought up to date" in told
    assert labels(branches / "pets") == {1: "cat", 2: "dog", 3: "cat", 4: "cat"}
    report = json.loads((branches / "report.json").read_text())["dvcs.vote/1"]
    assert [one["name"] for one in report["voters"]] == list(WHO)
    shown = json.loads(ok("show", "HEAD", "--json"))["dvcs.show/1"]
    assert len(shown["parents"]) == 4
    assert "already up to date" in ok("merge", *WHO)


def test_images_that_were_shared_out_are_taken_together_where_that_is_said(work: Path):
    for name, other in (("ann", "c"), ("bob", "a")):
        ok("branch", name)
        with Repository() as repo:
            set_items(repo, "pets", [], remove=[("train", other)], message=name, branch=name)
    done = dvcs("merge", "ann", "bob", "--quorum", "2", "--dry-run")
    assert (done.code, "pets/train/a#presence" in done.out) == (1, True)
    assert "merge with '--removed keep'" in done.err
    gone = json.loads(ok("merge", "ann", "bob", "--removed", "drop", "--dry-run", "--json"))
    report = gone["dvcs.merge/1"]["vote"]
    assert report["removed"] == "drop"
    found = report["sources"][0]["findings"]
    assert [(one["id"], one["voters"], one["outcome"]) for one in found] == [
        ("a", ["bob"], "dropped"),
        ("c", ["ann"], "dropped"),
    ]
    ok("merge", "ann", "bob", "--quorum", "2", "--failed", "drop")
    with Repository() as repo:
        assert [one.id for one in repo.dataset("main")] == ["a", "b", "c"]


def test_given_up_nothing_has_changed(branches: Path):
    before = ok("log", "--oneline"), (branches / "pets" / FILE).read_bytes()
    assert dvcs("merge", *WHO, "--quorum", "3").code == 1
    ok("merge", "--abort")
    assert (ok("log", "--oneline"), (branches / "pets" / FILE).read_bytes()) == before


def test_the_report_names_item_annotation_and_voters(branches: Path):
    done = dvcs(
        *("merge", *WHO, "--quorum", "2", "-iou", "0.6", "--failed", "drop"),
        *("-g", "cat,dog", "--weight", "ann=2", "--json"),
    )
    payload = done.json["dvcs.merge/1"]
    assert (payload["status"], payload["conflicts"]) == ("merged", [])
    report = payload["vote"]
    commits = json.loads(ok("branch", "--json"))["dvcs.branch/1"]
    tips = {one["name"]: one["commit"] for one in commits}
    assert report["voters"] == [
        {"name": name, "commit": tips[name], "weight": 2.0 if name == "ann" else 1.0}
        for name in WHO
    ]
    assert (report["quorum"], report["iou"], report["failed"]) == (2, 0.6, "drop")
    assert report["findings"] == {"wrong-group": 3, "failed-annotation": 1}
    (source,) = report["sources"]
    assert (source["source"], source["items"], source["untouched"]) == ("pets", 2, 1)
    found = {one["kind"]: one for one in source["findings"]}
    dropped = found["failed-annotation"]
    assert {name: dropped[name] for name in ("source", "subset", "id", "voters", "outcome")} == {
        "source": "pets",
        "subset": "train",
        "id": "b",
        "voters": ["ann", "bob"],
        "outcome": "dropped",
    }
    assert dropped["annotation"]["label"] == "cat"
    assert found["wrong-group"]["names"] == ["3"]
    assert found["wrong-group"]["missing"] == ["dog"]
    matrix = source["agreement"]["matrix"]
    assert [row[n] for n, row in enumerate(matrix)] == [1.0, 1.0, 1.0]
    assert matrix[0][1] == matrix[1][0] == pytest.approx(5 / 9)
    assert labels(branches / "pets") == {1: "cat", 2: "dog", 3: "cat"}


def test_what_is_agreed_on_too_little_is_left_out(branches: Path):
    ok("merge", *WHO, "-oconf", "0.7", "--failed", "drop")
    assert labels(branches / "pets") == {1: "cat", 3: "cat"}


def test_a_dry_run_only_tells(branches: Path):
    before = ok("log", "--oneline")
    assert "failed-annotation" in dvcs("merge", *WHO, "--dry-run").out
    assert "would be merged" in ok("merge", *WHO, "--failed", "keep", "--dry-run")
    assert ok("log", "--oneline") == before
    assert dvcs("conflicts").code == 3


def test_head_votes_where_it_is_named(branches: Path):
    told = ok("merge", "HEAD", "ann", "--strategy", "vote", "--quorum", "0")
    assert "2 voters: HEAD, ann; no quorum" in told


def test_changes_in_working_copies_refuse(branches: Path):
    edit(branches / "pets", bob)
    done = dvcs("merge", *WHO, "--failed", "drop")
    assert (done.code, "pets/train/a" in done.err) == (3, True)


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("ann", "bob", "--strategy", "ours"), 2, "merged by vote, not by 'ours'"),
        (("ann", "--strategy", "vote"), 2, "a vote needs two or more"),
        (("ann", "--quorum", "2"), 2, "'--quorum' is for a vote"),
        (("ann", "bob", "--agree-thresh", "0.5"), 2, "'--agree-thresh' does not go with a vote"),
        (("ann", "bob", "--no-ff"), 2, "'--no-ff' does not go with a vote"),
        (("ann", "bob", "eve", "--ff"), 2, "'--ff' does not go with a vote"),
        (("ann", "bob", "--ff-only"), 2, "no option '--ff-only'"),
        (("--continue", "--no-ff"), 2, "'--no-ff' does not go with --continue"),
        (("--continue", "--quorum", "2"), 2, "'--quorum' does not go with --continue"),
        (("--continue", "-s", "ours"), 2, "'--strategy' does not go with --continue"),
        (("--continue", "--abort"), 2, "exclude each other"),
        (("--abort", "--only", "pets"), 2, "'--only' does not go with --continue or --abort"),
        (("--abort", "--dry-run"), 2, "--abort takes no --dry-run"),
        (("--abort", "-m", "x"), 2, "--abort takes no --message"),
        (("ann", "bob", "--no-save-images"), 2, "'--no-save-media' does not go with a vote"),
        (("ann", "bob", "--quorum", "many"), 2, "'many' is not a quorum"),
        (("ann", "bob", "--weight", "eve"), 2, "'eve' gives no weight"),
        (("ann", "bob", "--weight", "eve=2"), 2, "no voter is called 'eve'"),
        (("ann", "bob", "-g", "cat,,dog"), 2, "is not a group of labels"),
        (("ann", "bob", "-g", "cow,hen"), 2, "no label is called 'cow'"),
        (("ann", "ann"), 2, "'ann' votes twice"),
        (("ann", "nobody"), 3, "nobody"),
        (("ann:pets", "bob"), 2, "different sources"),
        (("ann", "bob", "--removed", "keep", "-f", "coco", "-o", "out"), 2, "nobody has removed"),
        (("--continue", "--removed", "keep"), 2, "'--removed' does not go with --continue"),
        (("ann", "--removed", "keep"), 2, "'--removed' is for a vote"),
        (("ann", "bob", "--abort"), 2, "--abort takes no revision"),
        (("ann", "bob", "-f", "coco"), 2, "where to?"),
        (("ann", "bob", "-f", "coco", "-o", "out", "-m", "x"), 2, "'--message' does not go"),
        (("ann", "./nowhere", "-o", "out"), 3, "nowhere"),
    ],
)
def test_what_makes_no_sense_is_refused(branches: Path, arguments, code, told):
    before = ok("log", "--oneline")
    done = dvcs("merge", *arguments)
    assert (done.code, told in done.err) == (code, True), done.err
    assert ok("log", "--oneline") == before
    assert dvcs("merge", "--abort").code == 3


# -- on disk -------------------------------------------------------------------------------------


def test_datasets_on_disk_become_one_outside_of_any_repository(folders: Path):
    done = dvcs("merge", "./ann", "./bob:coco", folders / "eve", "-f", "coco", "-o", "out")
    assert done.code == 1  # something was found
    assert "wrote 'out' as COCO: 1 annotation file, 3 media files" in done.out
    assert "what was found is in 'out/merge_report.json'" in done.out
    assert "3 voters: ann, bob, eve; quorum more than half" in done.out
    assert "not at ann, bob; dropped" in done.out
    assert labels(folders / "out") == {1: "cat", 2: "dog", 3: "cat"}
    assert (folders / "out/images/train/a.png").read_bytes() == (
        folders / "ann/images/train/a.png"
    ).read_bytes()
    report = json.loads((folders / "out/merge_report.json").read_text())["dvcs.vote/1"]
    assert report["findings"] == {"failed-annotation": 1}
    assert report["sources"][0]["source"] is None
    assert report["voters"][0] == {"name": "ann", "commit": None, "weight": 1.0}
    assert ok("detect-format", "out").split() == ["coco"]
    assert not (folders / ".dvcs").exists()


def test_other_formats_and_their_options(folders: Path):
    arguments = ("merge", "./ann", "./bob", "./eve", "-o", "out", "--failed", "keep")
    assert dvcs(*arguments, "-f", "voc", "--allow-loss", "--no-save-images").code == 1
    assert not list((folders / "out").rglob("*.png"))
    assert len(list((folders / "out/Annotations").glob("*.xml"))) == 3
    assert dvcs(*arguments[:-4], "-o", "yolo", "-f", "yolo", "--", "--save-media").code == 1
    assert len(list((folders / "yolo").rglob("*.png"))) == 3
    assert "Options for writing" in ok(*arguments, "-f", "coco", "--", "--help")


def test_a_zip_votes_and_is_written(folders: Path):
    ok("convert", "-i", "bob", "-f", "coco", "-o", "bob.zip")
    done = dvcs("merge", "./ann", "bob.zip", "eve", "-o", "x")
    assert (done.code, "for a folder, write './eve'" in done.err) == (2, True)
    assert dvcs("merge", "./ann", "bob.zip", "./eve", "-o", "out.zip").code == 1
    assert (folders / "out.zip").is_file()
    report = json.loads((folders / "out.merge_report.json").read_text())["dvcs.vote/1"]
    assert [one["name"] for one in report["voters"]] == list(WHO)


def test_nothing_found_is_exit_code_0(folders: Path):
    coco(folders / "zoe", {"a": [("cat", 5.2), ("dog", 30)], "b": [("cat", 7)], "c": []})
    coco(folders / "ida", {"a": [("cat", 5.1), ("dog", 30)], "b": [("cat", 7)], "c": []})
    payload = dvcs("merge", "./zoe", "./ida", "-o", "out", "--json").json["dvcs.vote/1"]
    assert payload["findings"] == {}
    assert payload["sources"][0]["agreement"]["matrix"] == [[1.0, 1.0], [1.0, 1.0]]


def test_nothing_is_written_over(folders: Path):
    (folders / "out").mkdir()
    (folders / "out/mine.txt").write_text("mine")
    done = dvcs("merge", "./ann", "./bob", "-o", "out")
    assert done.code == 2
    assert [path.name for path in (folders / "out").iterdir()] == ["mine.txt"]
    assert dvcs("merge", "./ann", "./bob", "-o", "new", "--dry-run").code == 1
    assert not (folders / "new").exists()
    done = dvcs("merge", "./ann", "./bob", "-o", "new", "--failed", "conflict")
    assert (done.code, "no place for conflicts" in done.err) == (2, True)


def test_revisions_and_folders_vote_together(branches: Path):
    coco(branches / "more", {"a": [("cat", 5), ("dog", 30)], "b": [("cat", 7)], "c": []})
    before = ok("log", "--oneline")
    done = dvcs("merge", "ann:pets", "bob", "./more", "-f", "coco", "-o", "out")
    assert "3 voters: ann:pets, bob, more" in done.out
    assert labels(branches / "out") == {1: "cat", 2: "dog", 3: "cat"}
    assert ok("log", "--oneline") == before


@pytest.mark.parametrize(
    ("weight", "message"),
    [("anne=2", "no voter is called 'anne'"), ("ann=nan", "not above 0"), ("ann=-1", "above 0")],
)
def test_weights_on_disk_are_those_of_voters(folders, weight, message):
    done = dvcs("merge", "./ann", "./bob", "-f", "coco", "-o", "merged", "--weight", weight)
    assert done.code == 2
    assert message in done.err
    assert not Path("merged").exists()


def test_failed_votes_are_decided_by_what_their_names_end_with(branches):
    assert dvcs("merge", *WHO).code == 1
    done = dvcs("resolve", "--kind", "geometry", "--ours")
    assert done.code == 2
    assert "kinds here: " in done.err
    assert "presence, vote" in done.err
    assert ok("resolve", "--kind", "presence", "--theirs").startswith("decided 1 conflict;")


@pytest.mark.parametrize("value", ["[]", "{}", '[["cat"]]', "7", '"nope"'])
def test_a_label_becomes_a_label_only(work, value):
    ok("restore")
    for name, label in (("ann", 1), ("bob", 2)):
        ok("checkout", "-b", name, "main")
        edit(work / "pets", lambda notes, _, label=label: notes[1].update(category_id=label))
        ok("commit", "-m", name) if label == 2 else None
    ok("checkout", "main")
    assert dvcs("merge", "ann", "bob", "--quorum", "2").code == 1
    done = dvcs("resolve", "--kind", "label", "--value", value)
    assert (done.code, "no label is called" in done.err) == (2, True)


@pytest.mark.parametrize("place", [{"id": {"a": 1}}, {"source": [1]}, {"conflicts": [{"key": []}]}])
def test_a_list_of_decisions_that_is_none_is_refused(branches, place):
    assert dvcs("merge", *WHO).code == 1
    (held, *_) = json.loads(dvcs("conflicts", "--json").out)["dvcs.conflicts/1"]
    for one in (*held["conflicts"], *place.get("conflicts", ())):
        one["choice"] = "ours"
    Path("bad.json").write_text(json.dumps({"dvcs.conflicts/1": [{**held, **place}]}))
    done = dvcs("resolve", "--from", "bad.json")
    assert (done.code, "that is no list of conflicts" in done.err) == (2, True)


def test_undo_tells_of_a_merge_under_way_in_words(branches):
    assert dvcs("merge", *WHO).code == 1
    assert ok("undo").splitlines()[1:] == ["  merge: not under way any more"]
    assert ok("undo").splitlines()[1:] == ["  merge: under way again"]
    listed = ok("undo", "--list")
    assert "    merge begun\n" in listed
    assert "dvcs/merge" not in listed


def test_what_only_a_value_decides_is_told(branches):
    for name, category in (("x", 1), ("y", 2)):
        ok("checkout", "-b", name, "main")
        edit(
            Path("pets"),
            lambda _, held, n=category: held.append(
                {**held[0], "id": 9, "category_id": n, "bbox": [40.0, 20.0, 10.0, 10.0]}
            ),
        )
        ok("commit", "-m", name)
    ok("checkout", "main")
    assert dvcs("merge", "HEAD", "x", "y", "--quorum", "2").code == 1
    assert "no quorum for one label; only --value decides it" in dvcs("conflicts").out


def test_a_report_that_cannot_be_written_is_refused_before_the_merge(branches):
    before = ok("log", "--oneline")
    Path("file").write_text("")
    for place in (".", "file/report.json"):
        done = dvcs("merge", *WHO, "--failed", "drop", "-o", place)
        assert (done.code, f"'{place}'" in done.err) == (2, True)
    assert ok("log", "--oneline") == before
    assert "merging" not in ok("status")


def test_decisions_that_are_no_text_are_refused(branches):
    assert dvcs("merge", *WHO).code == 1
    Path("bad.json").write_bytes(b"\xff{")
    done = dvcs("resolve", "--from", "bad.json")
    assert (done.code, "'bad.json' is no JSON" in done.err) == (2, True)
