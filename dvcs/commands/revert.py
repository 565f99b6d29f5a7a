"""`dvcs revert`: the opposite of a commit."""

from typing import TYPE_CHECKING, Any

import click

from dvcs import ui
from dvcs.commands._base import command as declare
from dvcs.commands._base import dry_run_option, json_option, with_repo
from dvcs.commands._picked import favour_option, mainline_option, report, tell
from dvcs.commands._types import RevisionType

if TYPE_CHECKING:
    from dvcs.repository import Repository


@declare(
    "revert",
    examples=("dvcs revert HEAD", "dvcs revert 3f2a91c0de", "dvcs revert -X theirs main~2"),
)
@click.argument("revision", type=RevisionType(), metavar="COMMIT")
@click.option("--message", help="The message (default: 'Revert' and the commit's own).")
@mainline_option
@favour_option
@dry_run_option
@json_option
@with_repo
def command(
    repo: "Repository",
    /,
    *,
    revision: str,
    favour: str | None,
    dry_run: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """
    Commit the opposite of what a commit changed.

    Items that were changed since are merged; where the same annotation was changed since, it
    refuses and names the place. Working copies without changes become what the new commit says.
    """
    from dvcs.repository.picking import revert

    strategy: Any = favour or "three-way"
    done = revert(repo, revision, strategy=strategy, dry_run=dry_run, **options)
    if as_json:
        ui.emit_json("dvcs.revert/1", report(repo, done, dry_run=dry_run))
    else:
        tell(repo, done, revision, dry_run=dry_run, verb="revert")
