"""Errors as messages and exit codes: what is wrong, where, and what to try."""

import errno
import os
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path

import click

from dvcs import ui
from dvcs.errors import DvcsError

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


def told(failure: BaseException, *, since: float = 0.0) -> int:
    """Tell of an error in a command that began at a time; return the exit code."""
    if isinstance(failure, SystemExit):
        return failure.code if isinstance(failure.code, int) else 1
    if isinstance(failure, BrokenPipeError):
        return silence()
    if isinstance(failure, KeyboardInterrupt | click.Abort | EOFError):
        return _interrupted(since)
    if os.environ.get("DVCS_DEBUG"):
        ui.say("".join(traceback.format_exception(failure)).rstrip())
    if isinstance(failure, DvcsError):
        ui.error(str(failure), failure.hint)
        return failure.exit_code
    if isinstance(failure, click.ClickException):
        return _usage(failure)
    if isinstance(failure, OSError) and failure.errno:
        return _system(failure)
    if isinstance(failure, MemoryError):
        ui.error("there is not enough memory", "close other programs, or use a smaller dataset")
        return DATA
    return _bug(failure)


def _interrupted(since: float) -> int:
    oplog = sys.modules.get("dvcs.repository.oplog")  # not loaded: nothing can have been done
    done = oplog.Log.latest if oplog is not None else None
    if done is None or done.time < round(since, 3):
        ui.error("interrupted; nothing was changed")
    else:
        ui.error(
            f"interrupted; '{done.command}' is done, what follows it is not",
            "'dvcs status' says how things are, 'dvcs undo' takes it back",
        )
    return INTERRUPTED


def _system(failure: OSError) -> int:
    unknown = (failure.strerror or str(failure)).lower(), "check the path, and that it can be used"
    reason, tip = SYSTEM.get(failure.errno or 0, unknown)
    ui.error(f"'{failure.filename}': {reason}" if failure.filename else reason, tip)
    return DATA


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


def _usage(failure: click.ClickException) -> int:
    ctx = getattr(failure, "ctx", None)
    path = ctx.command_path if ctx is not None else "dvcs"
    tip = f"see '{path} --help'"
    message = failure.format_message()
    if isinstance(failure, click.exceptions.NoArgsIsHelpError):
        ui.say(message)
        return USAGE
    if isinstance(failure, click.NoSuchOption):
        message = f"'{path}' has no option '{failure.option_name}'"
        if failure.possibilities:
            tip = f"did you mean '{failure.possibilities[0]}'?"
    ui.error(message[:1].lower() + message[1:].rstrip("."), tip)
    return USAGE


def _bug(failure: BaseException) -> int:
    last = traceback.extract_tb(failure.__traceback__)[-1:]
    where = f" ({Path(last[0].filename).name}:{last[0].lineno})" if last else ""
    kind = type(failure).__name__
    ui.error(
        f"this is a bug in dvcs: {kind}: {failure}{where}",
        "run it again with DVCS_DEBUG=1 for the details, and report them",
    )
    return BUG
