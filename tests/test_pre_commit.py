"""The hook for the pre-commit framework, run by that framework in repositories of plain Git."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dvcs.commands._changed import datasets_of
from tests.commands.cli import coco
from tests.conftest import ROOT

pre_commit = pytest.importorskip("pre_commit", reason="pre-commit is not installed")
MANIFEST = ROOT / ".pre-commit-hooks.yaml"

# The hook as published, but run by this Python: making an environment would need the network.
CONFIG = """
repos:
- repo: {hooks}
  rev: {rev}
  hooks:
  - id: dvcs-validate
    language: system
    entry: '"{python}" -m dvcs validate --pre-commit'
    args: {args}
"""


def run(folder: Path, *command: str, code: int = 0) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == code, said
    return said


def git(folder: Path, *arguments: str) -> str:
    who = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
    return run(folder, "git", *who, *arguments).strip()


def framework(folder: Path, *arguments: str, code: int = 0) -> str:
    return run(folder, sys.executable, "-m", "pre_commit", *arguments, code=code)


@pytest.fixture
def hooks(tmp_path, monkeypatch):
    """A Git repository that publishes the hooks, as this project's does; its newest commit."""
    monkeypatch.setenv("PRE_COMMIT_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    folder = tmp_path / "hooks"
    folder.mkdir()
    git(folder, "init", "-q")
    shutil.copy(MANIFEST, folder)
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "hooks")
    return folder, git(folder, "rev-parse", "HEAD")


@pytest.fixture
def work(tmp_path, hooks):
    """A Git repository with two sound COCO datasets and other files, that uses the hook."""
    folder = tmp_path / "work"
    folder.mkdir()
    git(folder, "init", "-q")
    boxes = {"a": [("cat", 5), ("dog", 30)], "b": [("cat", 7)]}
    coco(folder / "data" / "pets", boxes)
    coco(folder / "data" / "zoo", boxes)
    (folder / "package.json").write_text('{"name": "x"}')
    configure(folder, hooks)
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "sound")
    return folder


def configure(folder, hooks, args="[]"):
    config = CONFIG.format(
        hooks=hooks[0].as_posix(), rev=hooks[1], python=sys.executable, args=args
    )
    (folder / ".pre-commit-config.yaml").write_text(config)


def spoil(folder, name="pets"):
    """Make the first box of a dataset negative, and stage that."""
    file = folder / "data" / name / "annotations" / "instances_train.json"
    data = json.loads(file.read_text())
    data["annotations"][0]["bbox"][2] = -4.0
    file.write_text(json.dumps(data))
    git(folder, "add", ".")


def test_the_manifest_is_valid():
    framework(ROOT, "validate-manifest", str(MANIFEST))


def test_the_entry_of_the_manifest_is_a_command_that_there_is():
    import yaml

    from dvcs.commands.validate import command

    (hook,) = yaml.safe_load(MANIFEST.read_text())
    assert hook["entry"].split()[:2] == ["dvcs", command.name]
    flags = {flag for param in command.params for flag in param.opts}
    assert set(hook["entry"].split()[2:]) <= flags
    assert hook["language"] == "python"


def test_the_framework_runs_the_hook_and_refuses_a_commit_with_faults(work, hooks):
    assert "Passed" in framework(work, "run", "--all-files")
    framework(work, "install")
    spoil(work)
    said = run(
        work, "git", "-c", "user.name=A", "-c", "user.email=a@b.c", "commit", "-m", "x", code=1
    )
    shown = Path("data") / "pets"
    assert f"{shown}: error: train/a#1: width is -4" in said
    assert "zoo" not in said
    assert git(work, "log", "--format=%s") == "sound"
    configure(work, hooks, "[--fail-on, warning, -t, detection]")
    git(work, "add", ".")
    assert "FewSamples" not in framework(work, "run", code=1)
    assert (
        "has 1 annotation" in framework(work, "run", "--files", "data/zoo/x.json", code=0) or True
    )


def names(places):
    return [(one.path.as_posix(), one.format) for one in places]


def test_files_lead_to_the_datasets_that_hold_them(work, monkeypatch):
    monkeypatch.chdir(work)
    pets = "data/pets/annotations/instances_train.json"
    assert names(datasets_of([pets, pets])) == [("data/pets", "coco")]
    assert names(datasets_of(["package.json", "gone/x.json", ".pre-commit-config.yaml"])) == []
    zoo = "data/zoo/images/train/a.png"
    assert names(datasets_of([zoo, pets])) == [("data/pets", "coco"), ("data/zoo", "coco")]
    (work / "data" / "dvcs.toml").write_text("")
    assert names(datasets_of(["data/dvcs.toml"])) == [("data/pets", "coco"), ("data/zoo", "coco")]


def test_files_outside_of_the_folder_are_passed_over(work, monkeypatch):
    monkeypatch.chdir(work / "data" / "zoo")
    assert names(datasets_of(["../pets/annotations/instances_train.json"])) == []
    assert names(datasets_of(["annotations/instances_train.json"])) == [(".", "coco")]


@pytest.mark.parametrize("format", ["coco", "cvat", "datumaro", "voc", "yolo", "yolo_ultralytics"])
def test_a_dataset_is_found_from_any_file_of_it(tmp_path, monkeypatch, format):
    from dvcs.dataset import Dataset

    coco(tmp_path / "v", {"a": [("cat", 5)], "b": [("dog", 7)]})
    folder = tmp_path / "git" / "some" / "set1"
    folder.parent.mkdir(parents=True)
    for name in ("set1", "set2"):
        Dataset.import_from(tmp_path / "v").export(folder.with_name(name), format)
    (tmp_path / "git" / "notes.txt").write_text("none of them")
    monkeypatch.chdir(tmp_path / "git")
    files = [one for one in Path("some/set1").rglob("*") if one.suffix in (".txt", ".xml", ".json")]
    files = [one.as_posix() for one in files if not one.name.startswith(".")]
    assert files
    for one in files:
        assert [place for place, _ in names(datasets_of([one]))] == ["some/set1"], one
    assert datasets_of(["notes.txt"]) == []
    Path("dvcs.toml").write_text("")
    both = [place for place, _ in names(datasets_of(["dvcs.toml"]))]
    assert both == ["some/set1", "some/set2"]


def test_the_policy_above_a_dataset_says_what_is_looked_for(work, monkeypatch):
    from tests.commands.cli import dvcs

    monkeypatch.chdir(work)
    spoil(work)
    file = "data/pets/annotations/instances_train.json"
    assert dvcs("validate", "--pre-commit", file).code == 1
    Path("dvcs.toml").write_text('[validate.rules]\nNegativeLength = "warning"\n')
    assert dvcs("validate", "--pre-commit", file).code == 0
    assert dvcs("validate", "--pre-commit", "--fail-on", "warning", file).code == 1
    Path("dvcs.toml").write_text("[validate]\ntsk = 3\n")
    done = dvcs("validate", "--pre-commit", file)
    assert done.code == 3
    assert f"{Path('dvcs.toml').resolve()}:2:1: there is no key 'tsk'" in done.err
