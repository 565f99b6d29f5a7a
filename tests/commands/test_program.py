import json
import os
import subprocess
import sys
import time
from importlib import import_module

import pytest

from dvcs.commands import ALIASES, MODULES, SUMMARIES, program
from tests.commands.cli import coco, dvcs, ok
from tests.conftest import ROOT


def find(name):
    command = program.get_command(None, name)
    assert command is not None
    return command


@pytest.mark.parametrize("name", SUMMARIES)
def test_the_table_and_the_help_say_the_same(name):
    first = (find(name).help or "").partition("\n\n")[0]
    assert " ".join(first.split()).rstrip(".") == SUMMARIES[name]


@pytest.mark.parametrize("name", SUMMARIES)
def test_every_help_has_examples_that_the_command_understands(name):
    text = ok(name, "--help")
    assert "\nExamples:\n" in text
    for example in find(name).examples:
        assert f"dvcs {name}" in example
        assert f"\n  {example}\n" in f"{text}\n"


def test_a_command_is_loaded_when_it_is_called_only():
    code = (
        "import sys, dvcs.commands as c\n"
        "assert c.run(['--help']) == 0\n"
        "loaded = [m for m in sys.modules if m.startswith('dvcs.commands.')]\n"
        "print(sorted(loaded), file=sys.stderr)\n"
        "assert all('._' in one for one in loaded), loaded\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, capture_output=True)


def test_help_is_grouped_and_names_every_command():
    text = ok("--help")
    assert text.index("Start:") < text.index("  init ") < text.index("Data in:")
    for name, summary in SUMMARIES.items():
        assert f"  {name} " in text
        assert summary in text


def test_every_module_of_a_command_is_in_the_table():
    files = {path.stem for path in (ROOT / "dvcs" / "commands").glob("[a-z]*.py")}
    assert files == {MODULES.get(name, name.replace("-", "_")) for name in SUMMARIES}


def test_aliases_lead_to_commands():
    assert all(program.get_command(None, alias) is find(name) for alias, name in ALIASES.items())


@pytest.mark.parametrize(
    ("arguments", "message", "tip"),
    [
        (["statsu"], "no command is called 'statsu'", "did you mean 'status'?"),
        (["info", "--jsn"], "'dvcs info' has no option '--jsn'", "did you mean '--json'?"),
        (["formats", "cooc"], "no format is called 'cooc'", "did you mean 'coco'?"),
        (["completion", "tcsh"], "'tcsh' is not one of", "see 'dvcs completion --help'"),
        (["help", "revision"], "no command or topic is called 'revision'", "'revisions'"),
        (["import"], "missing argument 'PATH'", "see 'dvcs import --help'"),
    ],
)
def test_misspelt_names_are_answered_with_the_nearest(arguments, message, tip):
    done = dvcs(*arguments)
    assert done.code == 2
    assert done.out == ""
    assert message in done.err
    assert tip in done.err
    assert done.err.startswith("error: ")


def test_every_command_takes_the_repository_before_or_after_its_name(tmp_path):
    ok("init", tmp_path / "a")
    assert dvcs("-C", tmp_path / "a", "branch").out == "* main    (no commit yet)\n"
    assert dvcs("branch", "-p", tmp_path / "a").out == "* main    (no commit yet)\n"
    assert dvcs("-C", tmp_path, "branch").code == 3


def test_without_a_repository_the_error_says_how_to_make_one(cwd):
    done = dvcs("log")
    assert done.code == 3
    assert "error: there is no dvcs repository in '.'" in done.err
    assert "  hint: make one with 'dvcs init'" in done.err


def test_without_a_command_the_help_is_shown():
    done = dvcs()
    assert done.code == 2
    assert done.err.startswith("Usage: dvcs")


def test_create_is_init(cwd):
    ok("create", "pets")
    assert (cwd / "pets" / ".dvcs" / "HEAD").is_file()
    assert dvcs("init", "pets").code == 2


def test_quiet_leaves_results_and_errors_only(cwd):
    done = dvcs("-q", "init")
    assert (done.code, done.out, done.err) == (0, "", "")
    assert dvcs("-q", "init").err.startswith("error: ")


def test_colours_come_when_asked_for_only(repo):
    assert "\x1b" not in ok("log", "--oneline")
    assert "\x1b[33m" in ok("--color", "always", "log", "--oneline")


def test_a_bug_is_called_one(monkeypatch, cwd):
    def broken(*arguments):
        raise ZeroDivisionError("oh")

    monkeypatch.setattr(import_module("dvcs.repository").Repository, "init", broken)
    done = dvcs("init")
    assert done.code == 70
    assert "error: this is a bug in dvcs: ZeroDivisionError: oh (test_program.py:" in done.err
    assert "Traceback" not in done.err
    monkeypatch.setenv("DVCS_DEBUG", "1")
    assert "Traceback" in dvcs("init").err


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (28, "error: '/data/x': the disk is full\n  hint: make room"),
        (30, "error: '/data/x': the disk is read-only\n"),
        (13, "error: '/data/x': the system does not allow it\n"),
        (20, "error: '/data/x': not a directory\n"),
    ],
)
def test_what_the_system_refuses_is_no_bug(monkeypatch, cwd, number, message):
    def refused(*arguments):
        raise OSError(number, os.strerror(number), "/data/x")

    monkeypatch.setattr(import_module("dvcs.repository").Repository, "init", refused)
    done = dvcs("init")
    assert done.code == 3
    assert message in done.err


def test_ctrl_c_is_told_and_has_its_exit_code(monkeypatch, cwd):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(import_module("dvcs.repository").Repository, "init", interrupted)
    done = dvcs("init")
    assert (done.code, done.out) == (130, "")
    assert done.err.strip() == "error: interrupted; nothing was changed"


def process(*arguments, cwd, **options):
    return subprocess.run(
        [sys.executable, "-m", "dvcs", *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **options,
    )


def test_the_process_leaves_with_the_exit_code(cwd):
    assert process("init", cwd=cwd).returncode == 0
    assert process("init", cwd=cwd).returncode == 2
    assert process("log", cwd=cwd).returncode == 3
    done = process("--version", cwd=cwd)
    assert done.stdout.startswith("dvcs ")


@pytest.mark.skipif(os.name == "nt", reason="needs a POSIX shell")
def test_a_reader_that_leaves_early_is_no_error(repo):
    command = f"{sys.executable} -m dvcs show --json | head -c 20; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", command],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stderr == ""
    assert done.stdout.endswith(("0\n", "141\n"))
    closed = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m dvcs log | true; echo ${{PIPESTATUS[0]}}"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert closed.stderr == ""


@pytest.mark.skipif(os.name == "nt", reason="signals differ")
def test_ctrl_c_of_a_real_process_changes_nothing(cwd):
    import signal

    ok("init")
    os.mkfifo(cwd / "endless.json")
    running = subprocess.Popen(
        [sys.executable, "-m", "dvcs", "import", "endless.json", "-f", "coco", "--json"],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    time.sleep(1.0)
    if running.poll() is None:
        running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=30)
    assert running.returncode in (130, 3)
    assert "Traceback" not in err
    assert json.loads(out)["dvcs.error/1"]["exit_code"] == running.returncode
    assert process("fsck", cwd=cwd).returncode == 0


def test_help_starts_fast():
    def seconds(*command):
        times = []
        for _ in range(5):
            begin = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
            times.append(time.perf_counter() - begin)
        return min(times)

    least = seconds(sys.executable, "-c", "import click")
    assert seconds(sys.executable, "-m", "dvcs", "--help") < least + 0.1


def complete(line, point, cwd):
    done = subprocess.run(
        [sys.executable, "-m", "dvcs"],
        cwd=cwd,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "_DVCS_COMPLETE": "bash_complete",
            "COMP_WORDS": line,
            "COMP_CWORD": str(point),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    return [one.partition(",")[2] for one in done.stdout.splitlines()]


def test_shells_complete_commands_branches_formats_and_sources(repo):
    ok("branch", "spotted")
    ok("tag", "spring")
    assert complete("dvcs im", 1, repo) == ["import"]
    assert set(complete("dvcs log sp", 2, repo)) == {"spotted", "spring"}
    assert complete("dvcs export -f image_d", 3, repo) == ["image_dir"]
    assert complete("dvcs import x -n pe", 4, repo) == ["pets"]
    assert complete("dvcs branch -d sp", 3, repo) == ["spotted"]
    assert complete("dvcs checkout pe", 2, repo) == ["pets"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_for_a_shell_calls_dvcs(shell, cwd):
    script = ok("completion", shell)
    assert "_DVCS_COMPLETE" in script
    assert f"{shell}_complete" in script


def test_names_from_data_cannot_steer_a_terminal(cwd):
    ok("init")
    coco(cwd / "pets", {"a\x1b[2J": [("c\x1b]0;x\x07at", 5.0)]}, images=False)
    ok("import", "pets")
    for arguments in (["show"], ["show", "--stat"], ["info"], ["show", "HEAD:pets"]):
        text = ok(*arguments)
        assert "\x1b" not in text
        assert "\x07" not in text
    assert r"a\x1b[2J" in ok("show", "HEAD:pets")
