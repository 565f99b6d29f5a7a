"""
Programs of the user's own that run before and after what changes a repository.

    .dvcs/state/hooks/
    ├── pre-commit          executable; its first line says what runs it: `#!/bin/sh`
    ├── commit-msg.py       run by the Python that runs dvcs, on every system
    └── post-merge.bat      on Windows: .exe, .bat, .cmd or .py

The names, arguments and exit codes are Git's. Hooks are local: no clone, fetch or push carries
them. A hook runs only when the user trusts it, as it is (`trust.py`); `docs/hooks.md` tells what
each gets. When they run is decided in `gate.py`.
"""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal, NamedTuple

from dvcs.errors import HookRefused, RepositoryError, UnknownName, UsageError
from dvcs.objects._durable import NEW_PROGRAM_MODE, make_dirs, write_atomic
from dvcs.repository import trust
from dvcs.repository.layout import NAME
from dvcs.repository.locks import told

if TYPE_CHECKING:
    import subprocess

    from dvcs.repository.layout import Layout

NAMES: Mapping[str, str] = {
    "pre-commit": "before a commit is recorded; may refuse it",
    "commit-msg": "given the message of a commit; may change or refuse it",
    "post-commit": "after a commit",
    "pre-merge": "before a merge or fast-forward is recorded; may refuse it",
    "post-merge": "after a merge or fast-forward",
    "pre-push": "before anything is sent to a remote; may refuse it (nothing is sent yet)",
    "post-checkout": "after another revision or working copy was written",
}
"""The hooks, with when they run."""
ALIASES: Mapping[str, str] = {"pre-merge-commit": "pre-merge"}
"""What Git calls some of them; a file of either name is found."""
SUFFIXES = (".py", ".exe", ".bat", ".cmd") if os.name == "nt" else ("", ".py")
PYTHON = ".py"
PATIENCE = 1.0
"""Seconds that an interrupted hook has to end by itself, and then when it is told to."""
TOLD = frozenset(
    f"DVCS_{what}" for what in ("OPERATION", "BRANCH", "BEFORE", "COMMIT", "TREE", "PARENTS")
)
"""Variables that say what a hook is asked about."""
SHOWN = 20

State = Literal["ready", "not trusted", "changed", "not executable", "not runnable", "unknown"]


class Hook(NamedTuple):
    """
    A file in the folder of hooks.

    `state`: `ready`; `not trusted`, or `changed` since it was; `not executable` (POSIX: no x bit);
    `not runnable` (Windows: without a suffix); `unknown`: its name is that of no hook.
    """

    name: str
    path: Path
    state: State

    @property
    def key(self) -> str:
        """What it is called in the user's record of trust."""
        return f"hooks/{self.path.name}"


class Outcome(NamedTuple):
    """How a hook ended: its exit code (negative: a signal), and its output where that was kept."""

    code: int
    output: str

    @property
    def how(self) -> str:
        """The exit code in words."""
        return f"exit code {self.code}" if self.code >= 0 else f"ended by signal {-self.code}"


def folder(layout: "Layout") -> Path:
    """Return where hooks are."""
    return layout.state / "hooks"


def check_name(name: str) -> str:
    """Return a hook's name, for Git's name of one too. Raises UnknownName."""
    name = ALIASES.get(name, name)
    if name not in NAMES:
        raise UnknownName("hook", name, NAMES)
    return name


# -- finding -------------------------------------------------------------------------------------


def found(layout: "Layout") -> list[Hook]:
    """Return the hooks that there are, by name, then other files in their folder."""
    held = sorted(_files(layout), key=lambda one: (_place(one[0]), one[1].name))
    return [Hook(name or path.name, path, _state(layout, name, path)) for name, path in held]


def find(layout: "Layout", name: str) -> Hook | None:
    """
    Return the hook of a name, None where there is none.

    Raises RepositoryError where several files would be it.
    """
    paths = [path for one, path in _files(layout) if one == name]
    if len(paths) > 1:
        listed = ", ".join(sorted(path.name for path in paths))
        raise RepositoryError(
            f"there are several files for the hook '{name}': {listed}",
            hint=f"keep one of them in '{folder(layout)}'",
        )
    return Hook(name, paths[0], _state(layout, name, paths[0])) if paths else None


def present(layout: "Layout", *names: str) -> bool:
    """Tell whether there is a file for one of these hooks."""
    return any(name in names for name, _ in _files(layout))


def _files(layout: "Layout") -> Iterator[tuple[str, Path]]:
    """Yield name ('' where it is none) and path of each file; as Git does, samples are none."""
    with suppress(FileNotFoundError, NotADirectoryError):
        for entry in sorted(folder(layout).iterdir()):
            if entry.name.startswith(".") or entry.name.endswith((".sample", "~")):
                continue
            stem = entry.stem if entry.suffix in {*SUFFIXES, ".exe", ".bat", ".cmd"} else entry.name
            name = ALIASES.get(stem, stem)
            yield (name if name in NAMES else ""), entry


def _place(name: str) -> int:
    return list(NAMES).index(name) if name else len(NAMES)


def _state(layout: "Layout", name: str, path: Path) -> State:
    if not name:
        return "unknown"
    if path.suffix not in SUFFIXES:
        return "not runnable"
    if path.suffix == "" and not os.access(path, os.X_OK):
        return "not executable"
    trusted = trust.known(layout, f"hooks/{path.name}")
    if trusted is None:
        return "not trusted"  # and never opened
    try:
        return "ready" if trust.digest(path) == trusted else "changed"
    except RepositoryError:
        return "changed"


# -- installing ----------------------------------------------------------------------------------


def install(layout: "Layout", source: Path, name: str, *, force: bool = False) -> Hook:
    """
    Copy a script or program to be a hook, executable and trusted.

    A Python script without a first line `#!` keeps its suffix, as programs of Windows do. Raises
    UnknownName, UsageError where there is one already and not `force`, RepositoryError.
    """
    name = check_name(name)
    data = trust.read(source)
    suffix = source.suffix.lower()
    if os.name != "nt" and (suffix != PYTHON or data.startswith(b"#!")):
        suffix = ""
    if suffix not in SUFFIXES:
        raise UsageError(
            f"'{source}' cannot be run on this system",
            hint=f"use a file that ends in {', '.join(SUFFIXES)}",
        )
    target = folder(layout) / f"{name}{suffix}"
    others = [path for one, path in _files(layout) if one == name]
    if others and not force:
        raise UsageError(
            f"there is a hook '{name}' already: '{others[0]}'", hint="replace it with --force"
        )
    with told(target):
        make_dirs(target.parent)
        write_atomic(target, data, mode=NEW_PROGRAM_MODE)
        for path in others:
            if path != target:
                path.unlink()
                trust.distrust(layout, f"hooks/{path.name}")
    trust.trust_bytes(layout, f"hooks/{target.name}", data)
    return Hook(name, target, "ready")


def remove(layout: "Layout", name: str) -> Path:
    """Remove a hook, and that it was trusted; return its path. Raises UsageError for none."""
    hook = get(layout, name)
    with told(hook.path):
        hook.path.unlink()
    trust.distrust(layout, hook.key)
    return hook.path


def get(layout: "Layout", name: str) -> Hook:
    """Return the hook of a name. Raises UnknownName, and UsageError where there is none."""
    name = check_name(name)
    hook = find(layout, name)
    if hook is None:
        raise UsageError(
            f"there is no hook '{name}' here",
            hint=f"install one: dvcs hooks install FILE --as {name}",
        )
    return hook


# -- running -------------------------------------------------------------------------------------


def require_ready(hook: Hook) -> None:
    """Raise HookRefused for a hook that may not run, saying what to do."""
    name = hook.name
    if hook.state == "not trusted":
        raise HookRefused(
            f"the hook '{name}' is not trusted, so it was not run: '{hook.path}'",
            hint=f"read it; then 'dvcs hooks trust {name}' lets it run",
        )
    if hook.state == "changed":
        raise HookRefused(
            f"the hook '{name}' was changed since you trusted it, so it was not run: '{hook.path}'",
            hint=f"read it; then 'dvcs hooks trust {name}' lets it run",
        )
    if (ignored := why_ignored(hook)) is not None:
        raise HookRefused(ignored[0], hint=ignored[1])


def why_ignored(hook: Hook) -> tuple[str, str] | None:
    """Return why a file is passed over as if it were not there, and what helps; None: it is not."""
    if hook.state == "not executable":
        what = f"the hook '{hook.name}' was left out, for it is not executable"
        return what, f"chmod +x {_relative(hook)}"
    if hook.state == "not runnable":
        what = f"the hook '{hook.name}' was left out: this system cannot run '{hook.path.name}'"
        return what, f"give it one of the endings {', '.join(SUFFIXES)}"
    return None


def _relative(hook: Hook) -> str:
    return f"{NAME}/state/hooks/{hook.path.name}"


def is_inside(layout: "Layout", name: str) -> bool:
    """Tell whether this process was started by that very hook: it does not call itself again."""
    return os.environ.get("DVCS_HOOK") == name and os.environ.get("DVCS_DIR") == str(layout.git)


def run(
    layout: "Layout",
    hook: Hook,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    *,
    lines: str = "",
    output: IO[str] | None = None,
) -> Outcome:
    """
    Run a hook in the root of the working folder, and wait for its end.

    `lines` is what it reads from its standard input. What it writes goes to `output` (a stream with
    a descriptor), else it is kept. Raises HookRefused where it may not run or cannot be started;
    KeyboardInterrupt passes through when it has ended.
    """
    import subprocess  # 3 ms, for those who have hooks

    # Looked at again, for it may have waited for a lock since.
    require_ready(hook._replace(state=_state(layout, hook.name, hook.path)))
    command = [sys.executable, "-P"] if hook.path.suffix == PYTHON else []
    if output is not None:
        output.flush()
    search = os.pathsep.join([os.environ.get("PATH", os.defpath), str(Path(sys.executable).parent)])
    own = {"DVCS_HOOK": hook.name, "DVCS_DIR": str(layout.git), "PATH": search}
    try:
        process = subprocess.Popen(  # noqa: S603 - trusted by the user, as it is
            [*command, str(hook.path), *arguments],
            cwd=layout.root,
            env={**_inherited(), **environment, **own},
            stdin=subprocess.PIPE if lines else subprocess.DEVNULL,
            stdout=subprocess.PIPE if output is None else output,
            stderr=subprocess.STDOUT,
        )
    except OSError as error:
        raise HookRefused(
            f"the hook '{hook.name}' cannot be started: {error.strerror or error}",
            hint="its first line must say what runs it, like '#!/bin/sh'",
        ) from None
    with process:
        try:
            data, _ = process.communicate(lines.encode() if lines else None)
        except BaseException:
            _end(process)
            raise
    return Outcome(process.returncode, (data or b"").decode(errors="replace"))


def _inherited() -> dict[str, str]:
    """Return the environment without what an outer hook was told of its own commit."""
    return {name: value for name, value in os.environ.items() if name not in TOLD}


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Have a hook end that was interrupted: it got the terminal's interrupt as well."""
    from subprocess import TimeoutExpired

    for stop in (process.terminate, process.kill):
        with suppress(TimeoutExpired):
            process.wait(PATIENCE)
            return
        stop()
    process.wait()


def said(outcome: Outcome) -> str:
    """Return the last lines that a hook wrote, where they were kept, to stand below a message."""
    lines = outcome.output.rstrip().split("\n")[-SHOWN:] if outcome.output.strip() else []
    return "".join(f"\n  {line}" for line in lines)
