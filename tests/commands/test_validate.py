"""`dvcs validate`, and `dvcs.toml` on the command line."""

import json
from pathlib import Path

import pytest

from tests.commands.cli import coco, dvcs, ok

FROZEN = 'frozen = ["train"]\n'


def spoil(folder: Path, width: float = -4.0) -> None:
    """Make the first box of a dataset negative."""
    file = folder / "annotations" / "instances_train.json"
    data = json.loads(file.read_text())
    data["annotations"][0]["bbox"][2] = width
    file.write_text(json.dumps(data))


@pytest.fixture
def bad(work):
    """The working copy `pets` with a negative box, committed, and two sound subsets' worth."""
    spoil(work / "pets")
    ok("commit", "-m", "Spoilt")
    return work


def test_findings_are_listed_by_rule_with_their_places(bad):
    done = dvcs("validate", "-t", "detection")
    assert done.code == 1
    assert done.out.splitlines() == [
        "error NegativeLength: 1",
        "    pets/train/a#1: width is -4",
        "warning FewSamplesInLabel: 1",
        "    the label 'dog' has 1 annotation",
        "1 error, 1 warning in 3 items",
    ]


def test_the_exit_code_follows_the_severity_asked_for(work):
    assert dvcs("validate").code == 0
    assert dvcs("validate", "--fail-on", "warning").code == 1
    assert dvcs("validate", "-f", "warning", "-s", "train").code == 1


def test_a_dataset_without_faults_is_said_to_have_none(cwd):
    coco(cwd / "d", {"a": [("cat", 5), ("dog", 30)], "b": [("cat", 7), ("dog", 9)]})
    assert ok("validate", "./d") == "nothing found in 2 items\n"


def test_a_working_copy_is_validated_before_it_is_committed(work):
    spoil(work / "pets")
    assert dvcs("validate").code == 0
    done = dvcs("validate", "./pets")
    assert done.code == 1
    assert "    train/a#1: width is -4" in done.out


def test_only_the_first_findings_of_a_rule_are_shown_unless_all_are_wanted(cwd):
    coco(cwd / "d", {f"{n}": [("cat", 60)] for n in range(5)})
    said = dvcs("validate", "./d").out
    assert "    ... and 2 more" in said
    assert "'--all' lists every finding" in dvcs("validate", "./d").err
    whole = dvcs("validate", "./d", "--all").out
    assert "... and" not in whole
    assert whole.count("it reaches 6 pixels beyond the image") == 5


def test_json_has_datumaros_keys(bad):
    done = dvcs("validate", "-t", "detection", "--json")
    assert done.code == 1
    found = json.loads(done.out)["dvcs.validate/1"]
    assert found["summary"] == {"errors": 1, "warnings": 1, "infos": 0}
    assert found["validation_reports"][0] == {
        "anomaly_type": "NegativeLength",
        "description": "width is -4",
        "severity": "error",
        "source": "pets",
        "subset": "train",
        "item_id": "a",
        "annotation": {"index": 0, "kind": "bbox", "id": 1, "label": "cat"},
    }
    assert found["datasets"] == [{"name": "pets", "items": 3, "task": "detection", "failed": True}]
    assert found["statistics"]["label_distribution"]["defined_labels"] == {"cat": 2, "dog": 1}


def test_the_report_can_be_written_to_a_file(bad):
    dvcs("validate", "-o", "report.json")
    assert json.loads(Path("report.json").read_text())["dvcs.validate/1"]["summary"]["errors"] == 1


def test_several_sources_are_told_apart(work):
    coco(work / "zoo", {"z": [("ape", 3)]})
    ok("add", "zoo")
    ok("commit", "-m", "zoo")
    done = ok("validate")
    assert "pets\n" in done
    assert "zoo\n" in done
    assert "only the label 'ape' is used" in done
    assert "ape" not in ok("validate", "HEAD:pets")
    found = json.loads(ok("validate", "--json"))["dvcs.validate/1"]
    assert set(found["statistics"]) == {"pets", "zoo"}


def test_thresholds_follow_a_lone_dash_as_in_datumaro(work):
    assert "FewSamplesInLabel" not in ok("validate", "--", "-fs", "0")
    assert "FewSamplesInLabel: 2" in ok("validate", "--", "--few_samples_thr", "2")
    assert "ImbalancedLabels" in ok("validate", "--", "-ir", "2")
    done = dvcs("validate", "--", "-fsx", "1")
    assert done.code == 2
    done = dvcs("validate", "--", "--dominance-ratio-thr", "2")
    assert done.code == 2
    assert "is not in the range" in done.err


def test_mistakes_are_told_with_what_would_do(work):
    done = dvcs("validate", "-s", "trian")
    assert (done.code, "did you mean 'train'?" in done.err) == (2, True)
    done = dvcs("validate", "pets")
    assert "write './pets'" in done.err
    assert dvcs("validate", "HEAD", "HEAD").code == 2
    assert dvcs("validate", "-t", "detect").code == 2


def test_the_rules_are_listed():
    from dvcs.validate import RULES

    assert [line.split()[0] for line in ok("validate", "--rules").splitlines()] == list(RULES)
    listed = json.loads(ok("validate", "--rules", "--json"))["dvcs.rules/1"]
    assert listed["UndefinedLabel"]["severity"] == "error"


def test_the_policy_of_a_revision_says_what_options_do_not(bad):
    Path("dvcs.toml").write_text('[validate.rules]\nNegativeLength = "warning"\n')
    ok("commit", "-m", "policy")
    assert dvcs("validate").code == 0
    assert dvcs("validate", "--fail-on", "warning").code == 1
    assert dvcs("validate", "HEAD~1").code == 1


def test_everything_that_a_revision_holds_is_judged_by_its_policy(bad):
    done = dvcs("validate", "--policy")
    assert (done.code, "has no policy" in done.err) == (2, True)
    Path("dvcs.toml").write_text('allowed-labels = ["cat"]\n[validate]\n')
    ok("commit", "-m", "policy")
    done = dvcs("validate", "--policy")
    assert done.code == 1
    assert done.out.splitlines() == [
        "pets: the label 'dog' is not allowed",
        "pets/train/a#1: bbox 'cat': width is -4 (NegativeLength)",
        "pets/train/a#2: the label 'dog' is not allowed",
        "3 violations of 'dvcs.toml'",
    ]
    found = json.loads(dvcs("validate", "--policy", "--json").out)["dvcs.policy/1"]
    assert found["count"] == 3
    assert dvcs("validate", "--policy", "./pets").code == 2


# -- dvcs.toml -----------------------------------------------------------------------------------


def test_status_commit_and_diff_tell_of_the_policy(work):
    Path("dvcs.toml").write_text(FROZEN)
    assert "dvcs.toml: new, in no commit yet" in ok("status")
    assert json.loads(ok("status", "--json"))["dvcs.status/1"]["policy"]["state"] == "added"
    assert ok("diff").splitlines() == [
        "+ dvcs.toml",
        "    @@ -0,0 +1 @@",
        '    +frozen = ["train"]',
    ]
    assert "would commit dvcs.toml (added)" in ok("commit", "--dry-run")
    said = ok("commit", "-m", "Policy", "dvcs.toml")
    assert "  dvcs.toml added\n" in said
    assert "no differences" not in said
    assert "dvcs.toml" not in ok("status")
    assert "+ dvcs.toml" in ok("show")
    assert "+ dvcs.toml" in ok("diff", "HEAD~1", "HEAD")
    assert dvcs("diff", "--exit-code", "HEAD~1", "HEAD").code == 1
    assert json.loads(ok("diff", "--json", "HEAD~1", "HEAD"))["dvcs.diff/1"]["policy"] == "added"


def test_a_refused_commit_says_which_items_and_why_and_changes_nothing(work):
    Path("dvcs.toml").write_text(FROZEN + "[validate]\n")
    ok("commit", "-m", "Policy")
    tip = ok("log", "--oneline")
    spoil(work / "pets")
    text = (work / "pets" / "annotations" / "instances_train.json").read_text()
    done = dvcs("commit", "-m", "x")
    assert done.code == 1
    assert done.err.splitlines() == [
        "error: 'dvcs.toml' does not allow this commit, for 2 reasons:",
        "  pets/train/a: it is changed, and the subset 'train' is frozen",
        "  pets/train/a#1: bbox 'cat': width is -4 (NegativeLength)",
        "  hint: nothing was changed; mend these, or change 'dvcs.toml' in a commit of its own",
    ]
    assert dvcs("commit", "-m", "x", "--no-verify").code == 1
    assert ok("log", "--oneline") == tip
    assert (work / "pets" / "annotations" / "instances_train.json").read_text() == text
    assert "pets: changed" in ok("status")


def test_a_policy_that_cannot_be_read_is_told_of_by_status_and_commit(work):
    Path("dvcs.toml").write_text("no-leaks = true\nfrozn = []\n")
    told = "dvcs.toml:2:1: there is no key 'frozn'"
    assert f"  {told} (did you mean 'frozen'?)" in ok("status")
    done = dvcs("commit", "-m", "x")
    assert done.code == 3
    assert done.err.splitlines() == [f"error: {told}", "  hint: did you mean 'frozen'?"]


def test_an_edit_is_taken_back_and_a_checkout_writes_it(work):
    Path("dvcs.toml").write_text(FROZEN)
    ok("commit", "-m", "Policy")
    Path("dvcs.toml").write_text("no-leaks = true\n")
    done = dvcs("checkout", "HEAD~1")
    assert done.code == 3
    assert "in no commit: dvcs.toml" in done.err
    assert "dvcs.toml: written" in ok("restore", "dvcs.toml")
    assert "dvcs.toml: removed" in ok("checkout", "HEAD~1")
    assert not Path("dvcs.toml").exists()
    assert "dvcs.toml: written" in ok("checkout", "main")
    assert Path("dvcs.toml").read_text() == FROZEN


def test_items_are_committed_without_the_policy_and_with_it(work):
    Path("dvcs.toml").write_text("no-leaks = true\n")
    spoil(work / "pets", 12.0)
    assert "dvcs.toml" not in ok("commit", "-m", "x", "pets/train/a")
    spoil(work / "pets", 13.0)
    said = ok("commit", "-m", "x", "pets/train/a", "dvcs.toml")
    assert "dvcs.toml added" in said
    assert "items: 1 changed" in said


def test_a_report_that_cannot_be_written_leaves_the_old_one(bad, monkeypatch):
    Path("report.json").write_text("old")

    def full(*arguments):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("dvcs.objects._durable.write_all", full)
        done = dvcs("validate", "-o", "report.json")
    assert done.code == 2
    assert "'report.json' cannot be written: No space left on device" in done.err
    assert Path("report.json").read_text() == "old"
    assert dvcs("validate", "-o", "nowhere/report.json").code == 2


@pytest.mark.parametrize(
    "options",
    [("-t", "detection"), ("-o", "x.json"), ("-f", "warning"), ("--rules",), ("--", "-fs", "3")],
)
def test_what_a_policy_says_itself_is_no_option(bad, options):
    Path("dvcs.toml").write_text(FROZEN)
    ok("commit", "-m", "policy")
    done = dvcs("validate", "--policy", *options)
    assert (done.code, done.out) == (2, "")
    assert not Path("x.json").exists()


def test_the_first_violations_are_listed_and_all_on_demand(cwd):
    ok("init")
    coco(cwd / "v", {f"{n:02}": [("cat", 5)] for n in range(30)})
    Path("dvcs.toml").write_text('allowed-labels = ["dog"]\n')
    ok("commit", "-m", "policy")
    Path("dvcs.toml").unlink()
    ok("commit", "-m", "no policy")
    ok("import", "v", "-n", "v")
    Path("dvcs.toml").write_text('allowed-labels = ["dog"]\n')
    ok("commit", "-m", "policy")
    told = dvcs("validate", "--policy").out.splitlines()
    assert told[-2:] == ["... and 11 more", "31 violations of 'dvcs.toml'"]
    assert len(told) == 22
    assert len(dvcs("validate", "--policy", "--all").out.splitlines()) == 32


def test_a_policy_that_changed_is_no_difference_of_none(work, tmp_path):
    ok("restore")
    Path("dvcs.toml").write_text(FROZEN)
    ok("commit", "-m", "policy")
    assert ok("diff", "--stat", "HEAD~1", "HEAD") == " dvcs.toml added\n"
    assert ok("show", "--stat").splitlines()[-1] == " dvcs.toml added"
    done = dvcs("diff", "HEAD~1", "HEAD", "-f", "simple", "-o", tmp_path / "drawn")
    assert "no differences" not in done.err
    assert " dvcs.toml added" in (tmp_path / "drawn" / "summary.txt").read_text()
