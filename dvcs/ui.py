"""
Talking to a person at a terminal: results on stdout, everything else on stderr.

    out, page, table, emit_json        results
    say, warn, hint, error             everything else
    paint, visible                     colours; what data may not do to a terminal
    number, plural, size               numbers for people

Text from data never reaches the terminal as it is: control characters are made visible where it is
written out, and only the colours that `paint` marked become escape sequences. Without a terminal
the same text comes without colours.
"""

import json
import os
import re
import shlex
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import chain, islice
from typing import IO, Any, Literal, NoReturn

import click

from dvcs.errors import UsageError

ColorMode = Literal["auto", "always", "never"]
Rows = Iterable[Sequence[str]]

ROLES: Mapping[str, str] = {
    "added": "32",
    "removed": "31",
    "changed": "33",
    "moved": "36",
    "commit": "33",
    "branch": "1;32",
    "tag": "1;33",
    "remote": "1;31",
    "head": "1;36",
    "title": "1",
    "name": "36",
    "dim": "2",
    "error": "1;31",
    "warning": "33",
    "hint": "36",
    "good": "32",
}
"""What a piece of text is → the parameters of the terminal's colour sequence."""

WIDEST = 60
"""Columns that a column of a table has at most."""
_NONCE = os.urandom(4).hex()
_MARK = re.compile(rf"\x02{_NONCE}(\w*)\x03")
_CONTROL = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
_NOT_IN_JSON = re.compile(r"[\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_LESS = "FRX"


class _Settings:
    quiet = False
    color: ColorMode = "auto"
    emitted = False


def configure(*, quiet: bool = False, color: ColorMode = "auto") -> None:
    """Begin a command: set what the options `--quiet` and `--color` say."""
    _Settings.emitted = False
    _Settings.quiet = quiet
    _Settings.color = color


def has_emitted() -> bool:
    """Tell whether this command has written its JSON: there is one document only."""
    return _Settings.emitted


def is_quiet() -> bool:
    """Tell whether only results and errors are wanted."""
    return _Settings.quiet


# Text


def visible(text: str) -> str:
    r"""Return text with control characters and invisible marks shown (`\x1b`); lines stay lines."""
    return _CONTROL.sub(_escaped, text)


def one_line(text: str) -> str:
    """Return text as one line: line ends and tabs are shown too."""
    return visible(text).replace("\n", "\\n").replace("\t", "\\t")


def _escaped(match: "re.Match[str]") -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def paint(text: str, role: str) -> str:
    """Mark text to be coloured where it is shown, and where that shows colours; see `ROLES`."""
    return f"{_mark(role)}{text}{_mark('')}"


def plain(text: str) -> str:
    """Return text without the marks of `paint`."""
    return _MARK.sub("", text)


def rendered(text: str, *, color: bool) -> str:
    """Return text as a terminal may have it: visible, with the sequences of its colours."""
    parts = _MARK.split(text)
    shown = [visible(parts[0])]
    for role, rest in zip(parts[1::2], parts[2::2], strict=True):
        if color:
            shown.append(f"\x1b[{ROLES.get(role, '0')}m")
        shown.append(visible(rest))
    return "".join(shown)


def colors(stream: IO[str]) -> bool:
    """Tell whether a stream gets colours: `--color`, FORCE_COLOR, NO_COLOR, then a terminal."""
    if _Settings.color != "auto":
        return _Settings.color == "always"
    if os.environ.get("FORCE_COLOR"):
        return True
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return is_terminal(stream)


def is_terminal(stream: IO[str]) -> bool:
    """Tell whether a stream is a terminal."""
    try:
        return stream.isatty()
    except ValueError:
        return False


def _write(text: str, stream: IO[str]) -> None:
    click.echo(rendered(text, color=colors(stream)), file=stream, color=True)


# Results


def out(text: str = "") -> None:
    """Write a result."""
    _write(text, sys.stdout)


def emit_json(kind: str, payload: Any) -> None:
    """Write a result for programs: `{"dvcs.info/1": payload}`."""
    _Settings.emitted = True
    text = json.dumps({kind: payload}, indent=2, ensure_ascii=False, default=_plain_value)
    # Inside JSON every such character stands in a text, where it may be spelt as an escape.
    click.echo(_NOT_IN_JSON.sub(lambda match: f"\\u{ord(match[0]):04x}", text))


def _plain_value(value: Any) -> Any:
    import msgspec

    return msgspec.to_builtins(value)


def page(lines: Iterable[str]) -> None:
    """Write a result line by line; on a terminal, through a pager what does not fit on it."""
    command = _pager()
    if command is None:
        for line in lines:
            out(line)
        return
    stream = iter(lines)
    first = list(islice(stream, shutil.get_terminal_size().lines - 1))
    more = next(stream, None)
    if more is None:
        for line in first:
            out(line)
        return
    _feed(command, chain(first, [more], stream))


def _pager() -> list[str] | None:
    if not is_terminal(sys.stdout) or not is_terminal(sys.stdin):
        return None
    chosen = os.environ.get("DVCS_PAGER", os.environ.get("PAGER", "less"))
    command = shlex.split(chosen, posix=os.name != "nt")
    if not command or command[0] == "cat" or shutil.which(command[0]) is None:
        return None
    return command


def _feed(command: list[str], lines: Iterable[str]) -> None:
    import subprocess  # 3 ms, for those who read at a terminal

    color = colors(sys.stdout)
    environment = {"LESS": _LESS, "LV": "-c", **os.environ}
    sys.stdout.flush()
    # The pager is the user's own choice, as Git's is.
    with subprocess.Popen(  # noqa: S603
        command, stdin=subprocess.PIPE, env=environment, encoding="utf-8", errors="backslashreplace"
    ) as pager:
        assert pager.stdin is not None  # noqa: S101 - it is a pipe
        with suppress(BrokenPipeError, KeyboardInterrupt):
            for line in lines:
                pager.stdin.write(rendered(line, color=color) + "\n")
        with suppress(BrokenPipeError):
            pager.stdin.close()
        while True:
            with suppress(KeyboardInterrupt):  # less ends by itself; Ctrl-C stops what it shows
                pager.wait()
                return


def table(rows: Rows, *, header: Sequence[str] = (), right: Iterable[int] = ()) -> list[str]:
    """
    Return the lines of a table: columns of equal width, two spaces apart.

    `right` are the columns that are aligned to the right. A cell that is far wider than a column
    can be shifts its own line only. Lines are cut to the width of the terminal, if there is one.
    """
    cells = [[_cell(cell) for cell in row] for row in rows]
    if header:
        cells.insert(0, [paint(cell, "dim") for cell in header])
    if not cells:
        return []
    to_the_right = frozenset(right)
    count = max(map(len, cells))
    widths = [_column([width(row[n]) for row in cells if n < len(row)]) for n in range(count)]
    lines = []
    for row in cells:
        while row and not width(row[-1]):
            row.pop()
        padded = []
        for n, cell in enumerate(row):
            space = " " * (widths[n] - width(cell))
            last = n == len(row) - 1 and n not in to_the_right
            padded.append(space + cell if n in to_the_right else cell + ("" if last else space))
        lines.append(fit("  ".join(padded)))
    return lines


def _column(widths: Sequence[int]) -> int:
    """Return how wide a column is: one label of thousands of letters must not widen every line."""
    return max((one for one in widths if one <= WIDEST), default=WIDEST)


def _cell(text: str) -> str:
    parts = enumerate(_MARK.split(text))
    return "".join(_mark(part) if n % 2 else one_line(part) for n, part in parts)


def _mark(role: str) -> str:
    return f"\x02{_NONCE}{role}\x03"


def width(text: str) -> int:
    """Return how many columns text takes on a terminal."""
    bare = plain(text)
    if bare.isascii():
        return len(bare)
    from unicodedata import combining, east_asian_width

    return sum(
        0 if combining(char) else 2 if east_asian_width(char) in "WF" else 1 for char in bare
    )


def fit(line: str) -> str:
    """Return a line no wider than the terminal; as it is where there is none."""
    if not is_terminal(sys.stdout):
        return line
    room = shutil.get_terminal_size().columns
    if width(line) <= room:
        return line
    kept: list[str] = []
    used = 0
    for n, part in enumerate(_MARK.split(line)):
        if n % 2:
            kept.append(_mark(part))
            continue
        for char in part:
            used += width(char)
            if used < room:
                kept.append(char)
    return "".join(kept) + "…"


# Everything else


def say(text: str = "") -> None:
    """Tell what happens, unless told to be quiet."""
    if not _Settings.quiet:
        _write(text, sys.stderr)


def hint(text: str) -> None:
    """Say what to try next, unless told to be quiet."""
    say(f"  {paint('hint:', 'hint')} {text}")


def warn(text: str) -> None:
    """Tell of something that is not as it should be, even if told to be quiet."""
    _write(f"{paint('warning:', 'warning')} {text}", sys.stderr)


def error(text: str, tip: str | None = None) -> None:
    """Tell why nothing came of it, and what to try."""
    _write(f"{paint('error:', 'error')} {text}", sys.stderr)
    if tip:
        _write(f"  {paint('hint:', 'hint')} {tip}", sys.stderr)


def stderr_of_programs() -> IO[str] | None:
    """Return where programs that are run may write as they please; None: there is no such place."""
    try:
        sys.stderr.fileno()
    except (OSError, ValueError, AttributeError):
        return None
    return sys.stderr


def confirm(question: str, instead: str) -> bool:
    """Ask before something is lost; without a terminal raise UsageError: say it by `instead`."""
    if not is_terminal(sys.stdin) or not is_terminal(sys.stderr):
        _not_asked(question, instead)
    return click.confirm(rendered(question, color=colors(sys.stderr)), err=True)


def _not_asked(question: str, instead: str) -> NoReturn:
    raise UsageError(f"cannot ask here: {question}", hint=f"say it with {instead}")


# Numbers


def number(value: int) -> str:
    """Return a number with its thousands set off: 118,287."""
    return f"{value:,}"


def plural(value: int, one: str, many: str | None = None) -> str:
    """Return a number and its noun: `1 item`, `118,287 items`, `2 boxes`."""
    return f"{value:,} {one if value == 1 else many or f'{one}s'}"


def size(value: int) -> str:
    """Return a number of bytes for people: 812 bytes, 4.6 KB, 1.2 GB (powers of 1000)."""
    if value < 1000:
        return plural(value, "byte")
    amount = float(value)
    for unit in ("KB", "MB", "GB", "TB"):
        amount /= 1000
        if amount < 999.5 or unit == "TB":
            break
    return f"{amount:.0f} {unit}" if amount >= 99.5 else f"{amount:.1f} {unit}"


def listed(names: Iterable[str], most: int = 5) -> str:
    """Return names as people list them: `a, b, c and 12 more`."""
    held = list(names)
    if len(held) <= most:
        return ", ".join(held)
    return f"{', '.join(held[:most])} and {len(held) - most:,} more"


def signed(added: int, removed: int, changed: int) -> str:
    """Return counts of a difference: `+3 -2 ~1`, in their colours; `=` where all are zero."""
    parts = (("+", added, "added"), ("-", removed, "removed"), ("~", changed, "changed"))
    shown = [paint(f"{sign}{count:,}", role) for sign, count, role in parts if count]
    return " ".join(shown) or "="
