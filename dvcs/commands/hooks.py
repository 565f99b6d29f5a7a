"""`dvcs hooks`: programs of the user's own that run before and after commits."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dvcs import ui
from dvcs.commands._base import command as declare
from dvcs.commands._base import json_option, with_repo
from dvcs.errors import UsageError

if TYPE_CHECKING:
    from dvcs.repository import Repository
    from dvcs.repository.hooks import Hook

ACTIONS = ("list", "install", "remove", "trust", "distrust", "run")


@declare(
    "hooks",
    examples=(
        "dvcs hooks",
        "dvcs hooks install check.sh --as pre-commit",
        "dvcs hooks install removals",
        "dvcs hooks run pre-commit v1.0",
        "dvcs hooks trust pre-commit",
    ),
)
@click.argument("action", default="list", metavar=f"[{' | '.join(ACTIONS)}]")
@click.argument("what", nargs=-1, metavar="[FILE | SAMPLE | HOOK [REV]]")
@click.option("--as", "name", metavar="HOOK", help="Which hook an installed file is to be.")
@click.option("-f", "--force", is_flag=True, help="Replace a hook that is there.")
@json_option
@with_repo
def command(
    repo: "Repository",
    /,
    *,
    action: str,
    what: tuple[str, ...],
    name: str | None,
    force: bool,
    as_json: bool,
) -> int | None:
    """
    List, install and try programs that run with commits.

    A hook is a program of yours that dvcs runs before a commit or merge, where it may refuse it, or
    after one. They are local, in '.dvcs/state/hooks', and run only as long as you trust them
    as they are: 'install' trusts what it copies, 'trust' one that you wrote there. 'run' tries a
    hook on a revision (default: HEAD) and does nothing else. Without anything, all are listed, with
    when they run. These are shipped, to be installed by name:

      removals  refuses a commit that removes more than 100 annotations
      subject   wants a first line of at most 72 characters, then an empty one
      validate  refuses a commit in which 'dvcs validate' finds errors
    """
    if action not in ACTIONS:
        from dvcs.errors import UnknownName

        raise UnknownName("action", action, ACTIONS)
    for given, flag in ((name, "--as"), (force, "--force")):
        if given and action != "install":
            raise UsageError(
                f"{flag} is for 'dvcs hooks install'", hint=f"leave it out of '{action}'"
            )
    if as_json and action != "list":
        raise UsageError("--json is for 'dvcs hooks list'", hint=f"'{action}' reports nothing")
    if action == "list":
        _list(repo, what, as_json=as_json)
    elif action == "install":
        _install(repo, _one(what, "which file?"), name, force=force)
    elif action == "remove":
        _remove(repo, _one(what, "which hook?"))
    elif action == "run":
        return _run(repo, what)
    else:
        _decide(repo, what, trusted=action == "trust")
    return None


def _one(what: Sequence[str], question: str) -> str:
    if len(what) != 1:
        raise UsageError(question, hint="name one; 'dvcs hooks' lists what there is")
    return what[0]


# -- list ----------------------------------------------------------------------------------------


def _list(repo: "Repository", what: Sequence[str], *, as_json: bool) -> None:
    from dvcs.repository import hooks

    if what:
        raise UsageError("'list' takes nothing more", hint="see 'dvcs hooks --help'")
    found = hooks.found(repo.layout)
    if as_json:
        ui.emit_json("dvcs.hooks/1", [_report(repo, one) for one in found])
        return
    rows = []
    for name, when in hooks.NAMES.items():
        held = [one for one in found if one.state != "unknown" and one.name == name]
        rows += [(name, _state(one), _place(repo, one)) for one in held]
        if not held:
            rows.append((ui.paint(name, "dim"), "", ui.paint(when, "dim")))
    rows += [(one.name, _state(one), _place(repo, one)) for one in found if one.state == "unknown"]
    for line in ui.table(rows):
        ui.out(line)
    for one in found:
        if one.state in ("not trusted", "changed"):
            ui.hint(f"read it; then 'dvcs hooks trust {one.name}' lets it run")


def _state(one: "Hook") -> str:
    return ui.paint(one.state, "good" if one.state == "ready" else "warning")


def _place(repo: "Repository", one: "Hook") -> str:
    return one.path.relative_to(repo.root).as_posix()


def _report(repo: "Repository", one: "Hook") -> dict[str, Any]:
    from dvcs.errors import RepositoryError
    from dvcs.repository import trust

    try:
        digest = trust.digest(one.path)
    except RepositoryError:
        digest = None
    known = trust.known(repo.layout, one.key)
    return {
        "name": one.name,
        "path": _place(repo, one),
        "state": one.state,
        "sha256": digest,
        "trusted_sha256": known,
    }


# -- install, remove, trust ----------------------------------------------------------------------


def _install(repo: "Repository", what: str, name: str | None, *, force: bool) -> None:
    from dvcs.repository import hook_samples, hooks

    path = Path(what)
    if what in hook_samples.SAMPLES and not path.is_file():
        sample = hook_samples.SAMPLES[what]
        path, names = hook_samples.path_of(what), [name] if name else sample.hooks
    elif not path.is_file():
        known = ", ".join(f"{one} ({each.summary})" for one, each in hook_samples.SAMPLES.items())
        raise UsageError(f"there is no file '{what}'", hint=f"these are shipped: {known}")
    else:
        names = [name or _name_of(path)]
    for one in names:
        made = hooks.install(repo.layout, path, one, force=force)
        ui.out(f"installed '{made.name}' as {_place(repo, made)}, trusted as it is now")
    ui.hint(f"try it with 'dvcs hooks run {hooks.check_name(names[0])}'")


def _name_of(path: Path) -> str:
    from dvcs.repository import hooks

    name = hooks.ALIASES.get(path.stem, path.stem)
    if name not in hooks.NAMES:
        raise UsageError(
            f"which hook is '{path}' to be?",
            hint=f"say it with --as: {', '.join(hooks.NAMES)}",
        )
    return name


def _remove(repo: "Repository", name: str) -> None:
    from dvcs.repository import hooks

    path = hooks.remove(repo.layout, name)
    ui.out(f"removed {path.relative_to(repo.root).as_posix()}")


def _decide(repo: "Repository", names: Sequence[str], *, trusted: bool) -> None:
    from dvcs.repository import hooks, trust

    if not names:
        raise UsageError("which hook?", hint="name one; 'dvcs hooks' lists what there is")
    for one in [hooks.get(repo.layout, name) for name in names]:
        if trusted:
            digest = trust.trust(repo.layout, one.key, one.path)
            ui.out(f"trusted {_place(repo, one)} as it is now (SHA-256 {digest[:16]}...)")
        else:
            trust.distrust(repo.layout, one.key)
            ui.out(f"{_place(repo, one)} is not trusted any more")


# -- run -----------------------------------------------------------------------------------------


def _run(repo: "Repository", what: Sequence[str]) -> int:
    from dvcs.repository import hooks

    if not 1 <= len(what) <= 2:
        raise UsageError("which hook?", hint="like 'dvcs hooks run pre-commit' or '... main~1'")
    hook = hooks.get(repo.layout, what[0])
    outcome = repo.gate.try_out(hook, repo.resolve(what[1] if len(what) > 1 else "HEAD"))
    for line in outcome.output.splitlines():
        ui.say(line)
    ui.out(f"'{hook.name}' ended with {outcome.how}" if outcome.code else f"'{hook.name}' agrees")
    return int(outcome.code != 0)
