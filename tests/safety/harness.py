"""
Faults on purpose: processes killed, interrupted or refused by the system at a chosen event.

An action runs in a forked child that counts what it does to the file system. At the event of a
given number it is killed (`killed`), interrupted, or the call fails. A loop over the numbers until
the action runs through covers every event. `SCALE` makes all random tests larger:
`DVCS_SAFETY_SCALE=20 pytest tests/safety` is a night's run.
"""

import errno
import os
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from dvcs.errors import DvcsError
from dvcs.repository import Repository

SCALE = float(os.environ.get("DVCS_SAFETY_SCALE", "1"))
EVENTS = frozenset(
    {
        "open",
        "os.chmod",
        "os.link",
        "os.mkdir",
        "os.remove",
        "os.rename",
        "os.rmdir",
        "os.symlink",
        "os.truncate",
        "os.utime",
    }
)
CALLS = ("fsync", "write", "ftruncate")
REFUSABLE = (*CALLS, "open", "mkdir", "replace", "rename", "unlink", "rmdir", "truncate", "chmod")
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
DONE, ERROR, BUG, INTERRUPTED = 0, 3, 70, 130


def scaled(count: int) -> int:
    """Return a number of repetitions as `DVCS_SAFETY_SCALE` wants it."""
    return max(1, int(count * SCALE))


class Ended(NamedTuple):
    """How a child ended: its exit code (negative: the signal), and what it wrote to the pipe."""

    code: int
    said: bytes


Say = Callable[[bytes], Any]
Action = Callable[[Repository], Any]
"""What a child does with a repository; what it returns is written to the pipe: acknowledged."""


class Counter:
    """Counts events and does something at one of them, once (or from there on)."""

    def __init__(self, at: int, act: Callable[[], None], *, always: bool = False) -> None:
        self.left = at
        self.act = act
        self.always = always

    def count(self) -> None:
        self.left -= 1
        if self.left == 0 or (self.always and self.left < 0):
            self.act()

    def hook(self, event: str, args: tuple[Any, ...]) -> None:
        """Audit what changes the file system, before it happens."""
        if event in EVENTS and (event != "open" or _writes(args)):
            self.count()


def _writes(args: tuple[Any, ...]) -> bool:
    flags = args[2]
    return isinstance(flags, int) and bool(flags & WRITING)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def run_in_child(work: Callable[[Say], None], timeout: int = 60) -> Ended:
    """Run something in a forked child, which may write to a pipe; kill it after `timeout` s."""
    receive, send = os.pipe()
    write = os.write  # the real one: what the child says is not an event
    pid = os.fork()
    if pid == 0:
        code = BUG
        try:
            os.close(receive)
            signal.alarm(timeout)
            work(lambda data: write(send, data))
            code = DONE
        except KeyboardInterrupt:
            code = INTERRUPTED
        except DvcsError as error:
            write(send, str(error).encode())
            code = ERROR
        except BaseException:  # noqa: BLE001 - told by the exit code
            write(send, traceback.format_exc().encode())
        finally:
            os._exit(code)
    os.close(send)
    with os.fdopen(receive, "rb") as pipe:
        said = pipe.read()
    _, status = os.waitpid(pid, 0)
    return Ended(os.waitstatus_to_exitcode(status), said)


def killed(root: Path, action: Action, at: int) -> Ended:
    """Do something with a repository and be killed at the event of that number."""

    def work(say: Say) -> None:
        counter = Counter(at, die)
        sys.addaudithook(counter.hook)
        _wrap_calls(counter)
        with Repository(root) as repo:
            result = action(repo)
        _say(say, result)

    return run_in_child(work)


def events_of(root: Path, action: Action) -> int:
    """Do something with a repository; return how many events it has at which `killed` can kill."""

    def work(say: Say) -> None:
        counter = Counter(0, die)
        sys.addaudithook(counter.hook)
        _wrap_calls(counter)
        with Repository(root) as repo:
            action(repo)
        say(str(-counter.left).encode())

    ended = run_in_child(work)
    assert ended.code == DONE, ended.said.decode()
    return int(ended.said)


def calls_of(root: Path, action: Action) -> int:
    """Do something with a repository; return how many of its calls `refused` can refuse."""

    def work(say: Say) -> None:
        counter = Counter(0, die)
        for name in REFUSABLE:
            _refuse(name, counter)
        with Repository(root) as repo:
            action(repo)
        say(str(-counter.left).encode())

    ended = run_in_child(work)
    assert ended.code == DONE, ended.said.decode()
    return int(ended.said)


def spread(most: int, count: int) -> list[int]:
    """Return numbers of events from 1 to `most`: all of them, or so many that are spread evenly."""
    if count >= most:
        return list(range(1, most + 1))
    return sorted({1 + n * (most - 1) // (count - 1) for n in range(count)})


def _say(say: Say, result: Any) -> None:
    """Acknowledge: from here on it may not be lost."""
    say(result.hex().encode() if isinstance(result, bytes) else b"done")


def _wrap_calls(counter: Counter) -> None:
    """Count calls that raise no audit event; a write is killed in its middle, too."""
    real = {name: getattr(os, name) for name in CALLS}

    def fsync(fd: int) -> None:
        counter.count()
        real["fsync"](fd)
        counter.count()

    def write(fd: int, data: Any) -> int:
        counter.left -= 1
        if counter.left == 0:
            real["write"](fd, bytes(data)[: len(data) // 2])
            counter.act()
        return int(real["write"](fd, data))

    def ftruncate(fd: int, size: int) -> None:
        counter.count()
        real["ftruncate"](fd, size)

    os.fsync, os.write, os.ftruncate = fsync, write, ftruncate  # type: ignore[assignment]


def interrupted(root: Path, action: Action, at: int) -> Ended:
    """Do something with a repository and get SIGINT at the event of that number."""

    def work(say: Say) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        counter = Counter(at, lambda: os.kill(os.getpid(), signal.SIGINT))
        sys.addaudithook(counter.hook)
        _wrap_calls(counter)
        with Repository(root) as repo:
            result = action(repo)
        counter.left = 0  # too late
        _say(say, result)

    return run_in_child(work)


def refused(
    root: Path, action: Action, at: int, code: int = errno.EIO, *, always: bool = False
) -> Ended:
    """Do something with a repository; the call of that number fails (and, `always`, all later)."""

    def work(say: Say) -> None:
        def fail() -> None:
            raise OSError(code, os.strerror(code))

        counter = Counter(at, fail, always=always)
        for name in REFUSABLE:
            _refuse(name, counter)
        with Repository(root) as repo:
            result = action(repo)
        _say(say, result)

    return run_in_child(work)


def _refuse(name: str, counter: Counter) -> None:
    real = getattr(os, name)

    def call(*args: Any, **more: Any) -> Any:
        if name != "open" or args[1] & WRITING:
            counter.count()
        return real(*args, **more)

    setattr(os, name, call)


@contextmanager
def copied(prepared: Path) -> Iterator[Path]:
    """Give a copy of a prepared folder, in memory where that is possible; it goes afterwards."""
    memory = Path("/dev/shm")  # noqa: S108 - only to be fast
    place = memory if memory.is_dir() and os.access(memory, os.W_OK) else None
    folder = Path(tempfile.mkdtemp(prefix="dvcs-safety-", dir=place))
    try:
        root = folder / "root"
        shutil.copytree(prepared, root, symlinks=True)
        yield root
    finally:
        shutil.rmtree(folder, ignore_errors=True)
