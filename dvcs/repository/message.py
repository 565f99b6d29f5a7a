"""
Commit messages: the user's text, and one trailer block that says how the commit was made.

    Cats only

    Dvcs-Operation: transform remap_labels
    Dvcs-Arguments: {"default":"delete","mapping":{"cat":"animal"}}
"""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from dvcs.errors import UsageError
from dvcs.objects.canonical import canonical_json

OPERATION, ARGUMENTS = "Dvcs-Operation", "Dvcs-Arguments"
OWN = "Dvcs-"
TRAILER = re.compile(r"[A-Za-z][A-Za-z0-9-]*: ")
INLINE = 4096
"""Bytes of arguments beyond which only their SHA-256 is kept."""


class Message(NamedTuple):
    """A commit's message, taken apart."""

    text: str
    operation: str
    arguments: Mapping[str, Any]

    @property
    def subject(self) -> str:
        """The first line."""
        return self.text.partition("\n")[0]


def with_trailer(text: str, operation: str, arguments: Mapping[str, Any]) -> str:
    """Return a commit's whole message. Raises UsageError for an empty text."""
    body = "\n".join(line.rstrip() for line in text.replace("\r\n", "\n").split("\n")).strip()
    if not body:
        raise UsageError("the commit message is empty", hint="give one with -m")
    lines = [f"{OPERATION}: {operation}"]
    given = {name: value for name, value in arguments.items() if value is not None}
    if given:
        data = canonical_json(given)
        if len(data) > INLINE:
            data = canonical_json({"sha256": hashlib.sha256(data).hexdigest()})
        lines.append(f"{ARGUMENTS}: {data.decode()}")
    return body + ("\n" if _ends_in_trailers(body) else "\n\n") + "\n".join(lines) + "\n"


def _ends_in_trailers(body: str) -> bool:
    """Tell whether a text ends in trailers (`Signed-off-by: ...`): then ours go with them."""
    _, found, last = body.rpartition("\n\n")
    return bool(found) and all(
        TRAILER.match(line) and not line.startswith(OWN) for line in last.split("\n")
    )


def parse(message: str) -> Message:
    """Take a commit's message apart; one without our trailer has no operation."""
    text, _, last = message.rstrip("\n").rpartition("\n\n")
    fields: dict[str, str] = {}
    others = []
    for line in last.split("\n"):
        name, colon, value = line.partition(": ")
        if colon and name in (OPERATION, ARGUMENTS):
            fields[name] = value
        else:
            others.append(line)
    if OPERATION not in fields or not all(map(TRAILER.match, others)):
        return Message(message.strip("\n"), "", {})
    try:
        arguments = json.loads(fields.get(ARGUMENTS, "{}"))
    except (ValueError, RecursionError):
        arguments = {}
    if others:
        text = f"{text}\n\n" + "\n".join(others)
    return Message(
        text.strip("\n"), fields[OPERATION], arguments if isinstance(arguments, dict) else {}
    )
