"""`dvcs hooks`, `--no-verify`, and how a refusal is told."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dvcs.repository import hook_samples, hooks
from tests.commands.cli import dvcs, ok
from tests.conftest import ROOT

NO = "import sys; print('not today'); sys.exit(7)"
posix = pytest.mark.skipif(os.name == "nt", reason="a script needs a shell")


def write(name: str, text: str = NO) -> Path:
    path = Path(name)
    path.write_text(text)
    return path


def test_the_list_shows_all_hooks_and_what_is_there(work: Path):
    write(".dvcs/state/hooks/post-commit.py")
    ok("hooks", "install", write("no.py"), "--as", "pre-commit")
    lines = ok("hooks").splitlines()
    assert [line.split()[0] for line in lines] == list(hooks.NAMES)
    assert lines[0].split() == ["pre-commit", "ready", ".dvcs/state/hooks/pre-commit.py"]
    assert lines[2].split()[1:] == ["not", "trusted", ".dvcs/state/hooks/post-commit.py"]
    assert lines[1].split(maxsplit=1)[1] == "given the message of a commit; may change or refuse it"
    assert "'dvcs hooks trust post-commit' lets it run" in dvcs("hooks").err
    found = dvcs("hooks", "--json").json["dvcs.hooks/1"]
    assert [(one["name"], one["state"]) for one in found] == [
        ("pre-commit", "ready"),
        ("post-commit", "not trusted"),
    ]
    assert found[0]["sha256"] == found[0]["trusted_sha256"]
    assert (len(found[1]["sha256"]), found[1]["trusted_sha256"]) == (64, None)


@pytest.mark.parametrize(
    "command",
    [
        ("commit", "-m", "x"),
        ("import", "../more", "-n", "more"),
        ("remove", "pets", "--force"),
        ("revert", "HEAD"),
        ("cherry-pick", "topic"),
        ("merge", "topic", "--no-ff"),
    ],
    ids=lambda one: one[0],
)
def test_what_a_hook_refuses_ends_with_1_and_no_verify_does_it(work: Path, command):
    from tests.commands.cli import coco

    coco(work.parent / "more", {"m": [("cat", 1)]})
    ok("checkout", "-b", "topic")
    if command[0] != "revert":
        text = Path("pets/annotations/instances_train.json")
        text.write_text(text.read_text().replace("30,", "31,"))
        ok("commit", "-m", "Topic")
        ok("checkout", "main")
    if command[0] in ("commit", "remove"):
        text = Path("pets/annotations/instances_train.json")
        text.write_text(text.read_text().replace("7.0", "8.0").replace("7,", "8,"))
    for name in ("pre-commit", "pre-merge"):
        ok("hooks", "install", write("no.py"), "--as", name)
    before = ok("log", "--all", "--json")
    done = dvcs(*command)
    assert done.code == 1, done
    assert "refused the " in done.err
    assert "--no-verify" in done.err
    assert ok("log", "--all", "--json") == before
    assert dvcs(*command, "--no-verify").code == 0
    assert ok("log", "--all", "--json") != before


def test_what_a_hook_says_reaches_the_terminal(work: Path):
    ok("hooks", "install", write("no.py"), "--as", "pre-commit")
    more = [sys.executable, "-m", "dvcs", "remove", "pets"]
    done = subprocess.run(more, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == (
        "not today\n"
        "error: the hook 'pre-commit' refused the remove (exit code 7)\n"
        "  hint: nothing was changed; mend what it complains about, or leave the hooks out with"
        " --no-verify\n"
    )


def test_a_hook_that_is_not_trusted_says_how_to_trust_it(work: Path):
    write(".dvcs/state/hooks/pre-commit.py")
    done = dvcs("remove", "pets")
    assert done.code == 1
    assert "the hook 'pre-commit' is not trusted, so it was not run" in done.err
    assert "'dvcs hooks trust pre-commit' lets it run; or leave the hooks out" in done.err
    assert ok("hooks", "trust", "pre-commit").startswith(
        "trusted .dvcs/state/hooks/pre-commit.py as it is now (SHA-256 "
    )
    assert "(exit code 7)" in dvcs("remove", "pets").err
    ok("hooks", "distrust", "pre-commit")
    assert "is not trusted" in dvcs("remove", "pets").err
    assert ok("hooks", "remove", "pre-commit") == "removed .dvcs/state/hooks/pre-commit.py\n"
    ok("remove", "pets")


def test_what_follows_a_commit_is_a_warning(work: Path):
    ok("hooks", "install", write("no.py"), "--as", "post-commit")
    done = dvcs("remove", "pets")
    assert done.code == 0
    assert "warning: the hook 'post-commit' failed (exit code 7)\n  not today\n" in done.err


def test_a_try_runs_the_hook_on_a_revision(work: Path):
    text = "import os, sys; print('try', *sys.argv[1:], os.environ['DVCS_COMMIT'])"
    tip = ok("log", "--json").split('"commit": "')[1][:40]
    for name in hooks.NAMES:
        ok("hooks", "install", write("x.py", text), "--as", name)
        done = dvcs("hooks", "run", name, "main")
        assert (done.code, done.out) == (0, f"'{name}' agrees\n")
        assert done.err.split()[-1] == tip
    ok("hooks", "install", write("no.py"), "--as", "pre-commit", "--force")
    done = dvcs("hooks", "run", "pre-commit")
    assert (done.code, done.out) == (1, "'pre-commit' ended with exit code 7\n")


def test_samples_are_installed_by_name(work: Path):
    out = ok("hooks", "install", "removals")
    assert out.count("installed 'pre-") == 2
    assert dvcs("hooks", "run", "pre-merge").code == 0
    manual = (ROOT / "docs" / "hooks.md").read_text("utf-8")
    help_text = ok("hooks", "--help")
    for name, one in hook_samples.SAMPLES.items():
        assert f"    {name:8}  {one.summary}\n" in help_text
        assert f"| `{name}` | {', '.join(f'`{each}`' for each in one.hooks)} | " in manual


@pytest.mark.parametrize(
    ("arguments", "why", "tip"),
    [
        (("lst",), "no action is called 'lst'", "did you mean 'list'?"),
        (("install", "nothing"), "there is no file 'nothing'", "these are shipped: removals"),
        (("install",), "which file?", "name one"),
        (("install", "no.py"), "which hook is 'no.py' to be?", "--as: pre-commit"),
        (("install", "no.py", "--as", "commit"), "no hook is called 'commit'", "did you mean"),
        (("run", "pre-commit"), "there is no hook 'pre-commit' here", "--as pre-commit"),
        (("trust",), "which hook?", "'dvcs hooks' lists"),
        (("list", "--force"), "--force is for 'dvcs hooks install'", "leave it out"),
        (("run", "x", "--json"), "--json is for 'dvcs hooks list'", "reports nothing"),
        (("list", "x"), "'list' takes nothing more", "--help"),
        (("run", "a", "b", "c"), "which hook?", "dvcs hooks run pre-commit"),
    ],
)
def test_mistakes_are_answered(work: Path, arguments, why: str, tip: str):
    write("no.py")
    done = dvcs("hooks", *arguments)
    assert done.code == 2
    assert bool(done.out) == ("--json" in arguments)
    assert why in done.err
    assert tip in done.err


@posix
def test_every_variable_is_documented(work: Path):
    ok("hooks", "install", write("x", "#!/bin/sh\nenv\n"), "--as", "pre-commit")
    done = subprocess.run(
        [sys.executable, "-m", "dvcs", "hooks", "run", "pre-commit"],
        capture_output=True,
        text=True,
        check=True,
    )
    names = {line.partition("=")[0] for line in done.stderr.splitlines()}
    own = {name for name in names if name.startswith("DVCS_")} - set(os.environ)
    manual = (ROOT / "docs" / "hooks.md").read_text("utf-8")
    assert own == {line.split("`")[1] for line in manual.splitlines() if line[:7] == "| `DVCS"}
    for name in hooks.NAMES:
        assert f"\n| `{name}` | " in manual
