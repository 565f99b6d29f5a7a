"""
Plays the sessions in `*.md` beside this file: what is shown after `$ dvcs ...` must come out.

```python blocks prepare files (`coco`, `edit` are at hand). Ids of commits are numbered as they
appear. `DVCS_TRANSCRIPTS=accept` writes what came out into the files instead.
"""

import json
import os
import re
import shlex
from pathlib import Path

import pytest

from tests.commands.cli import coco, dvcs

FOLDER = Path(__file__).parent
BLOCK = re.compile(r"^```(console|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ID = re.compile(r"\b[0-9a-f]{40}\b|\b[0-9a-f]{10}\b")
TIME = re.compile(r"\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\b")
ACCEPT = os.environ.get("DVCS_TRANSCRIPTS") == "accept"


def edit(path, change):
    """Change a JSON file."""
    records = json.loads(Path(path).read_text("utf-8"))
    change(records)
    Path(path).write_text(json.dumps(records), "utf-8")


class Session:
    def __init__(self, folder):
        self.folder = folder
        self.ids = {}
        self.names = {"coco": lambda path, boxes: coco(Path(path), boxes), "edit": edit}

    def play(self, block):
        kind, text = block[1], block[2]
        if kind == "python":
            exec(compile(text, "transcript", "exec"), self.names)  # noqa: S102 - our own files
            return block[0]
        shown = []
        for line in text.split("\n"):
            if not line.startswith("$ "):
                continue
            words = shlex.split(line[2:])
            assert words[0] == "dvcs"
            done = dvcs(*words[1:])
            shown.append(line)
            output = self.plain(done.out + done.err).rstrip("\n")
            shown += output.split("\n") if output else []
            if done.code:
                shown.append(f"[exit code {done.code}]")
            shown.append("")
        return "```console\n" + "\n".join(shown).rstrip("\n") + "\n```"

    def plain(self, text):
        text = text.replace(str(self.folder), "/home/ada")
        return ID.sub(self._numbered, TIME.sub("2026-01-01 12:00:00", text))

    def _numbered(self, match):
        short = self.ids.setdefault(match[0][:10], f"{len(self.ids) + 1:010}")
        return short if len(match[0]) == 10 else short + "0" * 30


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.md")), ids=lambda path: path.stem)
def test_the_session_goes_as_it_is_told(path, cwd, monkeypatch):
    monkeypatch.setenv("DVCS_AUTHOR_DATE", "1700000000 +0100")
    told = path.read_text("utf-8")
    session = Session(cwd)
    came = BLOCK.sub(session.play, told)
    if ACCEPT:
        path.write_text(came, "utf-8")
    else:
        assert came == told
