"""
Errors as messages and exit codes: what is wrong, where, and what to try.

With `--json` a program gets them as a document of its own, `dvcs.error/1`, whatever the command;
the message is on stderr all the same. A command that has written its document adds none.
"""

import errno
import os
import re
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click

from dvcs import ui
from dvcs.errors import DvcsError, FormatErrors, PolicyViolation, UsageError

USAGE, DATA, BUG, INTERRUPTED, UNREAD = 2, 3, 70, 130, 141

SYSTEM: Mapping[int, tuple[str, str]] = {
    errno.ENOSPC: ("the disk is full", "make room, and run the command again"),
    errno.EDQUOT: ("your quota of this disk is used up", "make room, and run the command again"),
    errno.EROFS: ("the disk is read-only", "use a place that can be written"),
    errno.EACCES: ("the system does not allow it", "check who owns it and its permissions"),
    errno.EPERM: ("the system does not allow it", "check who owns it and its permissions"),
    errno.EMFILE: ("too many files are open", "raise the limit with 'ulimit -n 4096'"),
    errno.ENAMETOOLONG: ("the name is too long for this disk", "use a shorter path"),
    errno.EIO: ("the disk reports an error", "check the disk, then run 'dvcs fsck'"),
}
"""What a system says that is nobody's bug, in words, and what to try."""
TAKE_OWN_OPTIONS = frozenset(
    {"add", "convert", "diff", "export", "import", "info", "merge", "validate"}
)
"""Commands after which own options of formats stand."""
WORDS = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
"""Where the words of a name begin: Not|A|Repository."""


class _Said(NamedTuple):
    """What is said of an error: the exit code, what kind it is, a sentence, and what to try."""

    code: int
    kind: str
    message: str
    tip: str | None = None


def told(failure: BaseException, *, since: float = 0.0, as_json: bool = False) -> int:
    """Tell of an error in a command that began at a time; return the exit code."""
    if isinstance(failure, SystemExit):
        return failure.code if isinstance(failure.code, int) else 1
    if isinstance(failure, BrokenPipeError):
        return silence()
    if isinstance(failure, click.exceptions.NoArgsIsHelpError):
        ui.say(failure.format_message())
        return USAGE
    said = _said(failure, since)
    ui.error(said.message, said.tip)
    if as_json and not ui.has_emitted():
        ui.emit_json("dvcs.error/1", _document(failure, said))
    return said.code


def wants_json(failure: BaseException, arguments: Sequence[str]) -> bool:
    """Tell whether a command line that makes no sense, and so was not read, asks for JSON."""
    if not isinstance(failure, click.UsageError | UsageError):
        return False
    own = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return "--json" in own


def _document(failure: BaseException, said: _Said) -> dict[str, Any]:
    findings: list[dict[str, str]] = []
    count = 0
    if isinstance(failure, PolicyViolation):
        findings = [{"place": place, "reason": reason} for place, reason in failure.violations]
        count = failure.count
    elif isinstance(failure, FormatErrors):
        findings = [{"place": "", "reason": str(one)} for one in failure.errors]
        count = len(findings)
    return {
        "kind": said.kind,
        "message": said.message,
        "hint": said.tip,
        "exit_code": said.code,
        "findings": findings,
        "count": count,
    }


def _said(failure: BaseException, since: float) -> _Said:
    if isinstance(failure, KeyboardInterrupt | click.Abort | EOFError):
        return _interrupted(since)
    if os.environ.get("DVCS_DEBUG"):
        ui.say("".join(traceback.format_exception(failure)).rstrip())
    if isinstance(failure, DvcsError):
        return _Said(failure.exit_code, _kind(failure), str(failure), failure.hint)
    if isinstance(failure, click.ClickException):
        return _usage(failure)
    if isinstance(failure, OSError) and failure.errno:
        return _system(failure)
    if isinstance(failure, MemoryError):
        tip = "close other programs, or use a smaller dataset"
        return _Said(DATA, "system-error", "there is not enough memory", tip)
    return _bug(failure)


def _kind(failure: DvcsError) -> str:
    """Return what kind of error it is: `policy-violation`; names of classes, as others say it."""
    kind = UsageError if isinstance(failure, UsageError) else type(failure)
    return WORDS.sub("-", kind.__name__).lower()


def _interrupted(since: float) -> _Said:
    oplog = sys.modules.get("dvcs.repository.oplog")  # not loaded: nothing can have been done
    done = oplog.Log.latest if oplog is not None else None
    if done is None or done.time < round(since, 3):
        return _Said(INTERRUPTED, "interrupted", "interrupted; nothing was changed")
    return _Said(
        INTERRUPTED,
        "interrupted",
        f"interrupted; '{done.command}' is done, what follows it is not",
        "'dvcs status' says how things are, 'dvcs undo' takes it back",
    )


def _system(failure: OSError) -> _Said:
    unknown = (failure.strerror or str(failure)).lower(), "check the path, and that it can be used"
    reason, tip = SYSTEM.get(failure.errno or 0, unknown)
    message = f"'{failure.filename}': {reason}" if failure.filename else reason
    return _Said(DATA, "system-error", message, tip)


def silence() -> int:
    """Have nothing more written to a pipe that nobody reads."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            os.dup2(nowhere, stream.fileno())
        except (OSError, ValueError):
            continue
    os.close(nowhere)
    return UNREAD


def _usage(failure: click.ClickException) -> _Said:
    ctx = getattr(failure, "ctx", None)
    path = ctx.command_path if ctx is not None else "dvcs"
    tip = f"see '{path} --help'"
    message = failure.format_message()
    if isinstance(failure, click.NoSuchOption):
        message = f"'{path}' has no option '{failure.option_name}'"
        if failure.possibilities:
            tip = f"did you mean '{failure.possibilities[0]}'?"
        tip = _elsewhere(failure.option_name, ctx) or tip
    return _Said(USAGE, "usage-error", message[:1].lower() + message[1:].rstrip("."), tip)


def _elsewhere(flag: str, ctx: click.Context | None) -> str | None:
    """Return where an option stands that a command does not have itself."""
    if ctx is None or ctx.parent is None:
        return None
    if any(flag in one.opts for one in ctx.find_root().command.params):
        return f"'{flag}' stands before the command: 'dvcs {flag} {ctx.info_name} ...'"
    if ctx.info_name == "validate":
        from dvcs.commands._validating import is_threshold

        if is_threshold(flag):
            return f"thresholds stand after a lone '--': '-- {flag}'"
    if ctx.info_name in TAKE_OWN_OPTIONS:
        from dvcs.commands._options import has_own

        if has_own(flag):
            return f"own options of a format stand after a lone '--': '-- {flag}'"
    return None


def _bug(failure: BaseException) -> _Said:
    last = traceback.extract_tb(failure.__traceback__)[-1:]
    where = f" ({Path(last[0].filename).name}:{last[0].lineno})" if last else ""
    kind = type(failure).__name__
    return _Said(
        BUG,
        "bug",
        f"this is a bug in dvcs: {kind}: {failure}{where}",
        "run it again with DVCS_DEBUG=1 for the details, and report them",
    )
