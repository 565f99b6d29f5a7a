"""`dvcs undo`: the last operation taken back; and which operations there were."""

import re
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from dvcs import ui
from dvcs.commands._base import command as declare
from dvcs.commands._base import dry_run_option, json_option, with_repo

if TYPE_CHECKING:
    from dvcs.repository import Repository
    from dvcs.repository.oplog import Operation


UNDER_WAY = re.compile("refs/dvcs/(merge|revert|cherry-pick|stash-pop)/")


@declare("undo", examples=("dvcs undo", "dvcs undo --list", "dvcs undo --dry-run"))
@click.option("--list", "-l", "list_all", is_flag=True, help="List the operations, newest first.")
@click.option("-n", "--max-count", type=click.IntRange(min=0), help="List so many only.")
@dry_run_option
@json_option
@with_repo
def command(
    repo: "Repository",
    /,
    *,
    list_all: bool,
    max_count: int | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """
    Take back the last operation.

    Branches, tags and HEAD go back to where they were, and working copies that it rewrote become
    what they were; what a commit had recorded is a change again. Undoing an undo does the operation
    again. The list also shows what 'BRANCH@{1}' means.
    """
    if list_all:
        found = islice(repo.operations(), max_count)
        if as_json:
            ui.emit_json("dvcs.operations/1", [_report(one) for one in found])
        else:
            ui.page(_lines(found))
        return
    from dvcs.repository.undo import undo

    done = undo(repo, dry_run=dry_run)
    if as_json:
        ui.emit_json("dvcs.undo/1", {"dry_run": dry_run, "undone": _report(done)})
        return
    verb = "would take back" if dry_run else "took back"
    ui.out(f"{verb} '{done.command}'")
    for move in done.moves:
        if not UNDER_WAY.match(move.name):
            ui.out(f"  {_name(move.name)}: {_value(move.new)} -> {_value(move.old)}")
    for what, is_begun in _under_way(done).items():
        ui.out(f"  {what}: {'not under way any more' if is_begun else 'under way again'}")
    if not dry_run:
        ui.hint("'dvcs undo' again does it again")


def _lines(found: "Iterator[Operation]") -> Iterator[str]:
    for one in found:
        at = datetime.fromtimestamp(one.time).astimezone()
        moves = [
            f"{_name(move.name)} {_value(move.old)} -> {_value(move.new)}"
            for move in one.moves
            if not UNDER_WAY.match(move.name)
        ]
        moves += [
            f"{what} {'begun' if is_begun else 'ended'}"
            for what, is_begun in _under_way(one).items()
        ]
        copies = [f"files of {name}" for name in one.copies]
        yield f"{ui.paint(f'{at:%Y-%m-%d %H:%M:%S}', 'dim')}  {ui.paint(one.command, 'name')}"
        for text in (*moves, *copies):
            yield f"    {text}"


def _under_way(one: "Operation") -> dict[str, bool]:
    """Return what an operation began (True) or ended; several refs hold the sides of each."""
    return {
        found[1].replace("-pop", " pop"): move.new is not None
        for move in one.moves
        if (found := UNDER_WAY.match(move.name))
    }


def _name(ref: str) -> str:
    return ref.removeprefix("refs/heads/").removeprefix("refs/")


def _value(value: str | None) -> str:
    if value is None:
        return "(none)"
    return _name(value.removeprefix("ref: ")) if value.startswith("ref: ") else value[:10]


def _report(one: "Operation") -> dict[str, Any]:
    return {
        "id": one.id,
        "time": datetime.fromtimestamp(one.time).astimezone().isoformat(),
        "command": one.command,
        "moves": [{"name": move.name, "old": move.old, "new": move.new} for move in one.moves],
        "copies": sorted(one.copies),
        "undoes": one.undoes,
    }
