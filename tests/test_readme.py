"""
Plays the sessions in README.md and docs/tutorial.md: what they show must come out, word for word.

The blocks of a page are one session in an empty folder. In `console` blocks, what follows `$ ` is
given to the shell; `python` blocks are run as scripts. Ids, dates and the folder are masked, hints
may be left out, and a line `...` stands for any lines. `DVCS_TRANSCRIPTS=accept` writes what came
out into the pages, except into blocks with `...` in them that are right as they are.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.conftest import ROOT

BLOCK = re.compile(r"^```(console|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MASKS = (
    (re.compile(r"\b[0-9a-f]{7,64}\b"), "ID"),
    (re.compile(r"\w{3} \w{3} +\d+ \d\d:\d\d:\d\d \d{4} [+-]\d{4}"), "DATE"),
    (re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d"), "DATE"),
)
ACCEPT = os.environ.get("DVCS_TRANSCRIPTS") == "accept"
MARK = "@@dvcs-page@@"
SCRIPT = "python3 - <<'END OF BLOCK'"
PAGES = ("README.md", "docs/tutorial.md")


class Step(NamedTuple):
    """A command, and the output that the page shows below it."""

    command: str
    shown: list[str]


def steps(block: "re.Match[str]") -> list[Step]:
    if block[1] == "python":
        return [Step(f"{SCRIPT}\n{block[2]}END OF BLOCK", [])]
    found: list[Step] = []
    for line in block[2].split("\n")[:-1]:
        if line.startswith("$ "):
            found.append(Step(line[2:], []))
        else:
            found[-1].shown.append(line)
    return found


def play(commands: list[str], folder: Path) -> list[tuple[str, int]]:
    """Run commands in one shell; return the output of each, and its exit code."""
    script = "".join(f"{{ {one}\n}} 2>&1\nprintf '{MARK}%d\\n' $?\n" for one in commands)
    programs = str(Path(sys.executable).parent)
    environment = {
        **os.environ,
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "DVCS_AUTHOR_DATE": "1700000000 +0100",
        "GIT_PAGER": "cat",
    }
    done = subprocess.run(
        ["bash"],
        input=script,
        cwd=folder,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        check=True,
        timeout=120,
    )
    text = done.stdout.replace(str(folder), "/home/ada")
    parts = re.split(rf"{MARK}(\d+)\n", text)
    return [
        (out if code == "0" else f"{out}[exit code {code}]\n", int(code))
        for out, code in zip(parts[0::2], parts[1::2], strict=False)
    ]


def lines(text: str) -> list[str]:
    """Return lines without empty ones at the end, and, of what succeeded, without hints."""
    found = [one.rstrip() for one in text.rstrip("\n").split("\n")]
    failed = found[-1].startswith("[exit code ")
    return [one for one in found if failed or not one.startswith("  hint: ")]


def masked(text: str) -> str:
    for pattern, name in MASKS:
        text = pattern.sub(name, text)
    return text


def fits(shown: list[str], came: str) -> bool:
    """Tell whether the lines of a page are those that came, where `...` stands for any."""
    parts = [re.escape(masked(line)) for line in lines("\n".join(shown))]
    pattern = "\n".join("(?:.*\n?)*?" if part == re.escape("...") else part for part in parts)
    return re.fullmatch(pattern, masked("\n".join(lines(came)))) is not None


@pytest.mark.skipif(shutil.which("bash") is None, reason="the sessions are for a POSIX shell")
@pytest.mark.skipif(shutil.which("git") is None, reason="Git looks at the repository too")
@pytest.mark.parametrize("page", PAGES)
def test_the_session_goes_as_the_page_shows_it(page, tmp_path):
    path = ROOT / page
    text = path.read_text("utf-8")
    blocks = list(BLOCK.finditer(text))
    told = [step for block in blocks for step in steps(block)]
    came = play([step.command for step in told], tmp_path)
    assert len(came) == len(told)
    wrong = []
    for step, (out, code) in zip(told, came, strict=True):
        if step.command.startswith(SCRIPT):
            assert code == 0, out
        elif not fits(step.shown, out):
            wrong.append((step, out))
    if ACCEPT and wrong:
        path.write_text(accepted(text, blocks, came), "utf-8")
    elif wrong:
        step, out = wrong[0]
        assert f"$ {step.command}\n" + "\n".join(step.shown) == f"$ {step.command}\n{out}"


def accepted(text: str, blocks: "list[re.Match[str]]", came: list[tuple[str, int]]) -> str:
    """Return a page with what came out."""
    results = iter(came)
    for block in blocks:
        shown = []
        for step in steps(block):
            out, _ = next(results)
            kept = step.shown if fits(step.shown, out) else [*lines(out), ""] if out else [""]
            shown += [f"$ {step.command}", *kept]
        if block[1] == "console":
            body = "\n".join(shown).rstrip("\n")
            text = text.replace(block[0], f"```console\n{body}\n```", 1)
    return text
