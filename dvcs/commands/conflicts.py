"""`dvcs conflicts`: what is left to decide."""

from typing import TYPE_CHECKING, Any

import click

from dvcs import ui
from dvcs.commands._base import command as declare
from dvcs.commands._base import json_option, with_repo
from dvcs.commands._pages import page_options
from dvcs.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from dvcs.repository import Repository
    from dvcs.repository.merges.conflicts import Merging, Place


@declare(
    "conflicts",
    examples=(
        "dvcs conflicts",
        "dvcs conflicts --json",
        "dvcs conflicts --all",
        "dvcs conflicts --html conflicts.html",
    ),
)
@click.option("--all", "all_of_them", is_flag=True, help="Those that are decided, too.")
@page_options
@json_option
@with_repo
def command(
    repo: "Repository", /, *, all_of_them: bool, as_json: bool, page: "Path | None", **how: Any
) -> int:
    """
    Show the conflicts of what is under way.

    That is a merge, revert, cherry-pick or stash pop. Each conflict has a name, ITEM#KEY, that
    'dvcs resolve' takes. The exit code is 1 where any is open. The JSON can be filled in (a
    "choice" for each conflict) and given to 'dvcs resolve --from'. So can what the page of --html
    saves, where each is drawn over its image and decided by keys.
    """
    from dvcs.commands import _conflicts
    from dvcs.repository.merges import conflicts

    merging = conflicts.load(repo)
    left = merging.open()
    places = merging.places if all_of_them else left
    if page is not None:
        if as_json:
            raise UsageError("--html is a form of its own", hint="leave out --json")
        _write_page(repo, merging, places, page, **how)
    elif as_json:
        ui.emit_json("dvcs.conflicts/1", conflicts.report(places))
    elif places:
        _conflicts.tell(places)
    if not left and not as_json:
        ui.out(f"no open conflicts in the {merging.operation} of '{merging.revision}'")
        ui.hint(f"go on with 'dvcs {merging.operation} --continue'")
    return int(bool(left))


def _write_page(
    repo: "Repository", merging: "Merging", places: "Sequence[Place]", page: "Path", **how: Any
) -> None:
    from dvcs.commands._pages import tell_written
    from dvcs.web.conflicts_page import write_conflicts

    tell_written(write_conflicts(page, repo, merging, places, **how), "place")
    if places:
        ui.hint("decide and save there, then 'dvcs resolve --from decisions.json'")
