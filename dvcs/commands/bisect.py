"""`dvcs bisect`: the commit that brought a fault in, found by halves."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from dvcs import ui
from dvcs.commands._base import REST, Command, json_option, rest, with_repo
from dvcs.errors import UsageError

if TYPE_CHECKING:
    from dvcs.repository import Repository
    from dvcs.repository.bisect import Step

ACTIONS = ("start", "good", "bad", "skip", "reset", "run")
STDERR = 2


class BisectCommand(Command):
    """Leaves what follows `run` alone: it is a command with options of its own."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Keep the command that is to be run."""
        at = next((n for n, one in enumerate(args) if one in ACTIONS), None)
        if at is not None and args[at] == "run":
            tail = args[at + 1 :]
            asked = [one for one in tail[:1] if one in ("-h", "--help")]
            ctx.meta[REST] = tail[1:] if tail[:1] == ["--"] else tail
            args = [*args[: at + 1], *asked]
        return super().parse_args(ctx, args)


@click.command(
    "bisect",
    cls=BisectCommand,
    examples=(
        "dvcs bisect start main v1.0",
        "dvcs bisect good",
        "dvcs bisect bad HEAD~1",
        "dvcs bisect run ./check.sh coco",
        "dvcs bisect reset",
    ),
)
@click.argument("action", type=click.Choice(ACTIONS), metavar=f"[{' | '.join(ACTIONS)}]")
@click.argument("revisions", nargs=-1, metavar="[REV... | CMD...]")
@json_option
@with_repo
def command(
    repo: "Repository", /, *, action: str, revisions: tuple[str, ...], as_json: bool
) -> int | None:
    """
    Find the commit that brought a fault in.

    'start BAD GOOD' names a commit that has the fault and an earlier one that has not, and goes to
    one in the middle. Look at it, and say 'good', 'bad', or 'skip' if it cannot be judged; so half
    of the commits are left each time. 'reset' goes back to where you were.

    'run CMD' lets a program judge, started as given in this folder: exit code 0 is good, 125 skips,
    1 to 127 else is bad. Working copies must be clean. Ends with 1 where what was skipped leaves it
    open; --json stands before 'run'.
    """
    from dvcs.repository import bisect

    if action == "reset":
        _reset(repo, revisions, as_json=as_json)
        return None
    if action == "run":
        step = _run(repo, rest(), as_json=as_json)
    elif action == "start":
        step = bisect.start(repo, revisions[0] if revisions else None, revisions[1:])
    else:
        step = bisect.judge(repo, action, revisions)
    if as_json:
        ui.emit_json("dvcs.bisect/1", _report(repo, step))
    elif action != "run" or step.status != "testing":
        _tell(repo, step)
    return 1 if step.status == "unclear" else None


def _reset(repo: "Repository", more: Sequence[str], *, as_json: bool) -> None:
    from dvcs.commands._moved import report, tell
    from dvcs.repository import bisect

    if more:
        raise UsageError("'reset' takes nothing more", hint="it goes back to where you were")
    done = [bisect.reset(repo)]
    if as_json:
        ui.emit_json("dvcs.bisect/1", {"status": "ended", **report(done, dry_run=False)})
    else:
        tell(repo, done, dry_run=False)


def _run(repo: "Repository", words: Sequence[str], *, as_json: bool) -> "Step":
    from dvcs.commands import _render
    from dvcs.repository import bisect

    if not words:
        raise UsageError("what is to be run?", hint="name a program: dvcs bisect run ./check.sh")
    tested: list[bytes] = []

    def tell(step: "Step", verdict: str | None) -> None:
        if verdict is not None and not as_json:
            at = tested[-1]
            ui.say(f"{verdict}: {_render.one_line(at, repo.store.commit(at))}")
        if step.commit is not None:
            tested.append(step.commit)

    return bisect.run(repo, words, output=STDERR if as_json else None, tell=tell)


def _tell(repo: "Repository", step: "Step") -> None:
    from dvcs.commands import _render

    if step.status == "waiting":
        ui.out("waiting for a bad and a good commit")
        ui.hint("name them with 'dvcs bisect bad [REV]' and 'dvcs bisect good [REV]'")
        return
    if step.status == "unclear":
        ui.out("only skipped commits are left; the first bad one is one of")
        for oid in step.suspects:
            ui.out(f"  {_render.one_line(oid, repo.store.commit(oid))}")
        return
    assert step.commit is not None  # noqa: S101 - it is being tested, or was found
    line = _render.one_line(step.commit, repo.store.commit(step.commit))
    if step.status == "testing":
        left = f"{ui.plural(step.remaining, 'suspect')}, about {ui.plural(step.steps, 'step')} left"
        ui.out(f"test now: {line}")
        ui.out(f"  {left}")
        return
    from dvcs.compare import summarise

    ui.out(f"the first bad commit is {line}")
    changes, labels = _changes(repo, step.commit)
    for told in _render.summary_lines(summarise(changes), labels):
        ui.out(f"  {told}")
    ui.hint("go back with 'dvcs bisect reset'")


def _changes(repo: "Repository", oid: bytes) -> tuple[Any, Any]:
    from dvcs.commands import _labels
    from dvcs.repository.diffing import diff

    parents = repo.store.commit(oid).parents
    before = parents[0] if parents else None
    return diff(repo, before, oid), _labels.between(repo, before, oid)


def _report(repo: "Repository", step: "Step") -> dict[str, Any]:
    from dvcs.commands import _labels, _render
    from dvcs.compare import summarise, summary_report

    report: dict[str, Any] = {
        "status": step.status,
        "commit": None if step.commit is None else step.commit.hex(),
        "remaining": step.remaining,
    }
    if step.status == "unclear":
        report["suspects"] = [one.hex() for one in step.suspects]
    if step.status == "found" and step.commit is not None:
        changes, labels = _changes(repo, step.commit)
        report["first_bad"] = {
            **_render.commit_report(step.commit, repo.store.commit(step.commit)),
            "summary": summary_report(summarise(changes)),
            "labels": _labels.report(labels),
        }
    return report
