"""
Files that working copies leave alone: patterns of `.dvcsignore`, as Git reads `.gitignore`.

    *.psd          any file or folder of that kind, anywhere below
    /drafts/       the folder `drafts` beside the `.dvcsignore` only
    raw/**/tmp     `tmp` anywhere below `raw`
    !keep.psd      ... but not this one; the last pattern that matches decides

What lies in an ignored folder is ignored too, whatever later patterns say.
"""

import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from dvcs.errors import RepositoryError
from dvcs.files.folders import real_path

NAME = ".dvcsignore"


class _Rule(NamedTuple):
    regex: "re.Pattern[str]"
    prefix: str
    """The way from the folder of the rule's file to the one where paths begin."""
    ignores: bool
    folders_only: bool


class Ignore:
    """Patterns for paths relative to one folder; false where there are none."""

    def __init__(self, rules: Iterable[_Rule] = ()) -> None:
        self._rules = tuple(rules)

    def __bool__(self) -> bool:
        return bool(self._rules)

    def ignores(self, path: str, *, folder: bool) -> bool:
        """Tell whether a `/`-path is ignored; whoever walks does not enter ignored folders."""
        for rule in reversed(self._rules):
            if (folder or not rule.folders_only) and rule.regex.match(rule.prefix + path):
                return rule.ignores
        return False


def load(root: Path, folder: Path) -> Ignore:
    """
    Return what is ignored below `folder`, a folder in (or at) the working folder `root`.

    Each `.dvcsignore` on the way counts for what is below it, the nearest one last. Raises
    RepositoryError for one that is a link out of the working folder.
    """
    rules: list[_Rule] = []
    relative = folder.relative_to(root)
    for depth in range(len(relative.parts) + 1):
        place = root.joinpath(*relative.parts[:depth])
        below = "".join(f"{part}/" for part in relative.parts[depth:])
        file = place / NAME
        if file.is_symlink() and not real_path(file).is_relative_to(root):
            raise RepositoryError(
                f"'{file}' is a link that leads out of the working folder",
                hint="put the file itself there",
            )
        with suppress(OSError):
            text = file.read_text("utf-8-sig", errors="replace") if file.is_file() else ""
            rules += [rule for line in text.splitlines() if (rule := _rule(line, below))]
    return Ignore(rules)


def _rule(line: str, below: str) -> _Rule | None:
    """Return the rule of a line, None where it says nothing."""
    text = line.rstrip("\r\n")
    while text.endswith(" ") and not text.endswith("\\ "):
        text = text[:-1]
    if not text or text.startswith("#"):
        return None
    ignores = not text.startswith("!")
    if not ignores:
        text = text[1:]
    folders_only = text.endswith("/")
    text = text.rstrip("/")
    if not text:
        return None
    anchored = "/" in text
    pattern = _translated(text.lstrip("/"))
    if not anchored:
        pattern = f"(?:.*/)?{pattern}"
    return _Rule(re.compile(rf"(?:{pattern})\Z", re.DOTALL), below, ignores, folders_only)


def _translated(pattern: str) -> str:
    parts = []
    for part in pattern.split("/"):
        if part == "**":
            parts.append("(?:.*/)?")
        else:
            parts.append(_segment(part) + "/")
    text = "".join(parts)
    return text.removesuffix("/") if not pattern.endswith("**") else text + ".+"


def _segment(part: str) -> str:
    out = []
    at = 0
    while at < len(part):
        char = part[at]
        at += 1
        if char == "*":
            out.append("[^/]*")
        elif char == "?":
            out.append("[^/]")
        elif char == "\\" and at < len(part):
            out.append(re.escape(part[at]))
            at += 1
        elif char == "[" and (end := part.find("]", at + 1)) > 0:
            body = part[at:end].replace("\\", "\\\\")
            if body[0] in "!^":
                body = f"^{body[1:]}"
            out.append(f"[{body}]")
            at = end + 1
        else:
            out.append(re.escape(char))
    return "".join(out)
