"""
One HTML file that holds everything it needs: styles, scripts, data.

Data are JSON in blocks that no browser runs, with `<`, `>` and `&` written as escapes, so that no
text in them can end a block. The policy allows the page its own script and style by hash, and
pictures from itself or the folder beside it; nothing else is loaded or run, whatever the data say.
"""

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any, NamedTuple

from dvcs.errors import UsageError
from dvcs.objects._durable import write_atomic

COMMON = ("dom.js", "shapes.js", "view.js", "rail.js", "frame.js")
_ESCAPES = {ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&\u2028\u2029"}


class Block(NamedTuple):
    """Data of a page: found by `id`; JSON, or plain text of harmless characters."""

    id: str
    data: bytes
    kind: str = "application/json"


def json_block(id: str, value: Any) -> Block:
    """Return plain values as a block."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Block(id, text.translate(_ESCAPES).encode("utf-8", "replace"))


def check_target(path: Path, *, force: bool = False) -> None:
    """Raise UsageError where a page must not, or cannot, be written."""
    if path.is_dir() or path.is_symlink():
        what = "a folder" if path.is_dir() else "a symbolic link"
        raise UsageError(f"'{path}' is {what}", hint="name a new file, like 'page.html'")
    if path.exists() and not force:
        raise UsageError(f"'{path}' exists", hint="choose another name, or replace it with --force")
    if not path.parent.is_dir():
        raise UsageError(f"there is no folder '{path.parent}'", hint="make it first")


def write_page(path: Path, title: str, scripts: Iterable[str], blocks: Iterable[Block]) -> int:
    """
    Write a page that runs `COMMON` and `scripts`, files of `static/`; return its size in bytes.

    Whoever opens the file sees the old page or the new one, never a part.
    """
    data = b"".join(_page(title, scripts, blocks))
    write_atomic(path, data)
    return len(data)


def _page(title: str, scripts: Iterable[str], blocks: Iterable[Block]) -> Iterator[bytes]:
    style = _static("page.css")
    code = "\n".join(_static(name) for name in (*COMMON, *scripts))
    code = f'"use strict";\n(() => {{\n{code}\n}})();\n'
    marker = "\0data\0"
    page = Template(_static("page.html")).substitute(
        policy=escape(_policy(code, style)),
        title=escape(title.encode("utf-8", "replace").decode()),
        style=style,
        script=code,
        data=marker,
    )
    before, _, after = page.partition(marker)
    yield before.encode()
    for block in blocks:
        yield f'<script type="{block.kind}" id="{escape(block.id)}">'.encode()
        yield block.data
        yield b"</script>\n"
    yield after.encode()


def _static(name: str) -> str:
    return files("dvcs.web").joinpath("static", name).read_text("utf-8")


def _policy(script: str, style: str) -> str:
    """Return the page's content security policy."""
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {_hash(script)}",
            f"style-src {_hash(style)}",
            # Of a page that was opened from a disk, browsers do not agree what 'self' is.
            "img-src 'self' data: file:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
