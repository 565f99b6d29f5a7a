"""`dvcs fsck`: whether everything in the repository is sound."""

from typing import TYPE_CHECKING

import click

from dvcs import ui
from dvcs.commands._base import command as declare
from dvcs.commands._base import json_option, with_repo

if TYPE_CHECKING:
    from dvcs.repository import Repository
    from dvcs.repository.fsck import Finding

SHOWN = 5


@declare("fsck", examples=("dvcs fsck", "dvcs fsck --json"))
@click.option("--all", "show_all", is_flag=True, help="Name all items and commits affected.")
@json_option
@with_repo
def command(repo: "Repository", /, *, show_all: bool, as_json: bool) -> int:
    """
    Check that everything in the repository is sound.

    Reads every byte of objects and media and compares it with its hash, checks branches, tags and
    the operation log, and that nothing is missing. Names the items and commits affected. Mends
    nothing. The exit code is 1 where something is wrong.
    """
    from dvcs.repository.fsck import fsck

    found: list[Finding] = []
    for one in fsck(repo):
        found.append(one)
        if not as_json:
            _tell(one, None if show_all else SHOWN)
    errors = sum(one.severity == "error" for one in found)
    if as_json:
        findings = [one._asdict() for one in found]
        ui.emit_json("dvcs.fsck/1", {"sound": not errors, "findings": findings})
    elif errors:
        ui.say(ui.plural(errors, "error"))
    else:
        warnings = sum(one.severity == "warning" for one in found)
        ui.out(ui.plural(warnings, "warning") if warnings else "everything is sound")
    return int(errors > 0)


def _tell(one: "Finding", most: int | None) -> None:
    role = {"note": "dim"}.get(one.severity, one.severity)
    ui.out(f"{ui.paint(f'{one.severity}:', role)} {one.where}: {one.message}")
    for what, names in (("items", one.items), ("commits", [c[:10] for c in one.commits])):
        if names:
            ui.out(f"    {what}: {ui.listed(names, len(names) if most is None else most)}")
