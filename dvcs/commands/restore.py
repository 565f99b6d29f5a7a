"""`dvcs restore`: working copies as they were before they were changed."""

from typing import TYPE_CHECKING

import click

from dvcs import ui
from dvcs.commands._base import command as declare
from dvcs.commands._base import dry_run_option, json_option, with_repo
from dvcs.commands._types import SourceType

if TYPE_CHECKING:
    from dvcs.repository import Repository


@declare("restore", examples=("dvcs restore coco", "dvcs restore --dry-run"))
@click.argument("sources", type=SourceType(), nargs=-1, metavar="[SOURCE]...")
@dry_run_option
@json_option
@with_repo
def command(
    repo: "Repository", /, *, sources: tuple[str, ...], dry_run: bool, as_json: bool
) -> None:
    """
    Take back the changes of working copies.

    Writes them (default: all) as they were when they were last committed or written. What is given
    up goes to the trash for a while, and 'dvcs undo' does not bring it back.
    """
    from dvcs.commands._moved import report, tell
    from dvcs.repository import checkout

    done = [checkout.restore(repo, sources, dry_run=dry_run)]
    if as_json:
        ui.emit_json("dvcs.restore/1", report(done, dry_run=dry_run))
    else:
        tell(repo, done, dry_run=dry_run)
