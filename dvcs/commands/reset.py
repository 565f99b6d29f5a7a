"""`dvcs reset`: the current branch at another revision."""

from typing import TYPE_CHECKING

import click

from dvcs import ui
from dvcs.commands._base import command as declare
from dvcs.commands._base import dry_run_option, json_option, with_repo
from dvcs.commands._types import RevisionType

if TYPE_CHECKING:
    from dvcs.repository import Repository


@declare("reset", examples=("dvcs reset HEAD~1", "dvcs reset --hard main@{1}"))
@click.argument("revision", type=RevisionType(), default="HEAD", metavar="[REV]")
@click.option("--hard", is_flag=True, help="Rewrite working copies too; changes go to the trash.")
@dry_run_option
@json_option
@with_repo
def command(
    repo: "Repository", /, *, revision: str, hard: bool, dry_run: bool, as_json: bool
) -> None:
    """
    Move the current branch to another revision.

    Working copies keep their files, and what they are compared with; with --hard they become what
    they are at REV (default: HEAD). 'dvcs undo' takes it back.
    """
    from dvcs.commands._moved import report, tell
    from dvcs.repository.working import checkout

    done = [checkout.reset(repo, revision, hard=hard, dry_run=dry_run)]
    if as_json:
        ui.emit_json("dvcs.reset/1", report(done, dry_run=dry_run))
    else:
        tell(repo, done, dry_run=dry_run)
