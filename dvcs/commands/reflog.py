"""`dvcs reflog`: where a branch or HEAD has been."""

from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from dvcs import ui
from dvcs.commands._base import command as declare
from dvcs.commands._base import json_option, with_repo
from dvcs.commands._types import BranchType

if TYPE_CHECKING:
    from dvcs.repository import Repository
    from dvcs.repository.reflog import Past


@declare("reflog", examples=("dvcs reflog", "dvcs reflog -n 5 main", "dvcs reflog --json"))
@click.argument("branch", type=BranchType(), default="HEAD", metavar="[BRANCH]")
@click.option("-n", "--max-count", type=click.IntRange(min=0), help="Show so many only.")
@json_option
@with_repo
def command(repo: "Repository", /, *, branch: str, max_count: int | None, as_json: bool) -> None:
    """
    Show where a branch has been.

    The newest comes first. BRANCH@{1} in front of a line is a revision: what the branch was at one
    move ago. Without a BRANCH, shows where HEAD has been. Also of a branch that was deleted.
    """
    from dvcs.repository.reflog import reflog

    found = islice(enumerate(reflog(repo, branch)), max_count)
    name = "HEAD" if branch == "@" else branch
    if as_json:
        ui.emit_json("dvcs.reflog/1", [_report(f"{name}@{{{n}}}", one) for n, one in found])
    else:
        ui.page(ui.table([_row(repo, f"{name}@{{{n}}}", one) for n, one in found]))


def _report(name: str, one: "Past") -> dict[str, Any]:
    operation = one.operation
    return {
        "name": name,
        "commit": None if one.commit is None else one.commit.hex(),
        "command": None if operation is None else operation.command,
        "operation": None if operation is None else operation.id,
        "date": None if operation is None else _when(operation.time).isoformat(),
    }


def _row(repo: "Repository", name: str, one: "Past") -> tuple[str, ...]:
    from dvcs.commands import _render

    at, subject = "(none)", ""
    if one.commit is not None:
        at = _render.short(one.commit)
        # What was given up long ago may be gone.
        subject = _render.subject(repo.store.commit(one.commit)) if one.commit in repo.store else ""
    operation = one.operation
    date = "" if operation is None else f"{_when(operation.time):%Y-%m-%d %H:%M:%S}"
    what = "" if operation is None else operation.command
    return (
        ui.paint(at, "commit"),
        name,
        ui.paint(date, "dim"),
        ui.one_line(what),
        ui.one_line(subject),
    )


def _when(time: float) -> datetime:
    return datetime.fromtimestamp(time).astimezone()
