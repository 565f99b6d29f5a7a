"""`dvcs conflicts`: what a merge under way left to decide."""

from typing import TYPE_CHECKING

import click

from dvcs import ui
from dvcs.commands._base import command as declare
from dvcs.commands._base import json_option, with_repo

if TYPE_CHECKING:
    from dvcs.repository import Repository


@declare("conflicts", examples=("dvcs conflicts", "dvcs conflicts --json", "dvcs conflicts --all"))
@click.option("--all", "all_of_them", is_flag=True, help="Those that are decided, too.")
@json_option
@with_repo
def command(repo: "Repository", /, *, all_of_them: bool, as_json: bool) -> int:
    """
    Show the conflicts of the merge under way.

    Each has a name, ITEM#KEY, that 'dvcs resolve' takes. The exit code is 1 where any is open.
    The JSON can be filled in (a "choice" for each conflict) and given to 'dvcs resolve --from'.
    """
    from dvcs.commands import _conflicts
    from dvcs.repository import conflicts

    merging = conflicts.load(repo)
    left = merging.open()
    places = merging.places if all_of_them else left
    if as_json:
        ui.emit_json("dvcs.conflicts/1", conflicts.report(places))
    elif places:
        _conflicts.tell(places)
    if not left and not as_json:
        ui.out(f"no open conflicts in the merge of '{merging.revision}'")
        ui.hint("commit it with 'dvcs merge --continue'")
    return int(bool(left))
