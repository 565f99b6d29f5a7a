"""What `revert` and `cherry-pick` share: options, what they do, and how it is told."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from dvcs import ui
from dvcs.errors import UsageError

if TYPE_CHECKING:
    from dvcs.repository import Repository
    from dvcs.repository.merges.picking import Picked, Picks
    from dvcs.repository.merges.underway import Kind

mainline_option = click.option(
    "-m", "--mainline", type=click.IntRange(min=1), help="Of a merge: compare it with this parent."
)
favour_option = click.option(
    "-X",
    "favour",
    type=click.Choice(["ours", "theirs"]),
    help="In conflicts take what is here (ours), or what comes (theirs).",
)


class Way(NamedTuple):
    """How to end what is under way: one of `--continue`, `--skip` and `--abort`, or none of it."""

    go_on: bool
    skip: bool
    abort: bool


def way_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that end what is under way."""
    for name, flag, text in (
        ("abort", "--abort", "Give up what is under way, and the commits that it made."),
        ("skip", "--skip", "Leave out the commit in conflict, and go on with the next."),
        ("go_on", "--continue", "Go on, when the conflicts are decided."),
    ):
        command = click.option(flag, name, is_flag=True, help=text)(command)
    return command


def run(
    repo: "Repository",
    kind: "Kind",
    way: Way,
    start: "Callable[[], Picks]",
    *,
    given: tuple[str, ...],
    message: str | None = None,
    dry_run: bool = False,
    as_json: bool = False,
) -> int:
    """Do what was asked for, tell it, and return the exit code."""
    from dvcs.repository.merges import picking

    flags = [f"--{name.replace('go_on', 'continue')}" for name, on in way._asdict().items() if on]
    if len(flags) > 1:
        raise UsageError(f"{' and '.join(flags)} exclude each other", hint="give one of them")
    if flags and given:
        raise UsageError(f"{flags[0]} takes no {given[0]}", hint=f"leave out {given[0]}")
    if dry_run and (way.skip or way.abort):
        raise UsageError(f"{flags[0]} has no dry run", hint="leave out --dry-run")
    if way.abort:
        if picking.abort(repo, kind):
            ui.say(f"the {kind} is given up; everything is as it was")
        else:
            ui.warn(f"the {kind} is given up, and the branch stays where it is: it has moved since")
        if as_json:
            ui.emit_json(f"dvcs.{kind}/1", [])
        return 0
    if way.skip:
        done = picking.skip(repo, kind)
    elif way.go_on:
        done = picking.go_on(repo, kind, message=message, dry_run=dry_run)
    else:
        done = start()
    if as_json:
        ui.emit_json(f"dvcs.{kind}/1", _report(repo, done, dry_run=dry_run))
    else:
        _tell(repo, done, dry_run=dry_run)
    return int(bool(done.places))


# -- telling -------------------------------------------------------------------------------------


def _report(repo: "Repository", done: "Picks", *, dry_run: bool) -> list[dict[str, Any]]:
    from dvcs.repository.merges import conflicts

    reports = [_one_report(repo, one, dry_run=dry_run) for one in done.picked]
    if done.stopped is not None:
        stopped = {
            "theirs": done.stopped.hex(),
            "commit": None,
            "changed": False,
            "dry_run": dry_run,
        }
        reports.append({**stopped, "conflicts": conflicts.report(done.places)})
    return reports


def _one_report(repo: "Repository", one: "Picked", *, dry_run: bool) -> dict[str, Any]:
    from dvcs.commands import _labels
    from dvcs.compare import summarise, summary_report
    from dvcs.repository.diffing import diff

    told = {"theirs": one.theirs.hex(), "changed": one.changed, "dry_run": dry_run, "conflicts": []}
    if not one.changed or dry_run:
        return {**told, "commit": None}
    before = repo.store.commit(one.oid).parents[0]
    return {
        **told,
        "commit": one.oid.hex(),
        "summary": summary_report(summarise(diff(repo, before, one.oid))),
        "labels": _labels.report(_labels.between(repo, before, one.oid)),
    }


def _tell(repo: "Repository", done: "Picks", *, dry_run: bool) -> None:
    from dvcs.commands import _conflicts, _render

    verb = "revert" if done.operation == "revert" else "pick"
    for one in done.picked:
        _tell_one(repo, one, verb, dry_run=dry_run)
    if done.stopped is not None:
        line = _render.one_line(done.stopped, repo.store.commit(done.stopped))
        ui.out(f"cannot {verb} {line} without decisions")
        if done.left:
            ui.out(f"  {ui.plural(done.left, 'commit')} to go after it")
        _conflicts.tell(done.places, most=20)
        _conflicts.tell_what_to_do(done.operation, dry_run=dry_run, skip=bool(done.left))


def _tell_one(repo: "Repository", one: "Picked", verb: str, *, dry_run: bool) -> None:
    from dvcs.commands import _labels, _render
    from dvcs.compare import summarise
    from dvcs.repository.diffing import diff

    short = _render.short(one.theirs)
    if not one.changed:
        ui.out(f"{short} changes nothing here, so there is nothing to {verb}")
        return
    if dry_run:
        ui.out(f"{short} can be {verb}ed without conflicts")
        ui.hint("nothing was changed; leave out --dry-run to do it")
        return
    commit = repo.store.commit(one.oid)
    branch = repo.refs.head_branch() or "no branch"
    ui.out(f"[{ui.paint(branch, 'branch')} {_render.one_line(one.oid, commit)}]")
    labels = _labels.between(repo, commit.parents[0], one.oid)
    for line in _render.summary_lines(summarise(diff(repo, commit.parents[0], one.oid)), labels):
        ui.out(f"  {line}")
