"""`dvcs revert`: the opposite of commits."""

from typing import TYPE_CHECKING, Any

import click

from dvcs.commands import _picked
from dvcs.commands._base import command as declare
from dvcs.commands._base import dry_run_option, json_option, no_verify_option, with_repo
from dvcs.commands._types import RevisionType
from dvcs.errors import UsageError

if TYPE_CHECKING:
    from dvcs.repository import Repository
    from dvcs.repository.merges.picking import Picks


@declare(
    "revert",
    examples=(
        "dvcs revert HEAD",
        "dvcs revert 3f2a91c0de",
        "dvcs revert -X theirs main~2",
        "dvcs revert main~5..main~2",
        "dvcs revert --continue",
    ),
)
@click.argument("revisions", type=RevisionType(), nargs=-1, metavar="[COMMIT | A..B]...")
@_picked.way_options
@click.option("--message", help="The message (default: 'Revert' and the commit's own).")
@_picked.mainline_option
@_picked.favour_option
@no_verify_option
@dry_run_option
@json_option
@with_repo
def command(
    repo: "Repository",
    /,
    *,
    revisions: tuple[str, ...],
    message: str | None,
    mainline: int | None,
    favour: str | None,
    dry_run: bool,
    as_json: bool,
    **way: bool,
) -> int:
    """
    Commit the opposite of what commits changed.

    Each COMMIT is reverted by a new one; of a range, the newest is first. Items that were changed
    since are merged; where the same annotation was changed since, that is a conflict: 'dvcs
    conflicts' lists them, 'dvcs resolve' decides, --continue commits. Until then the branch and the
    working copies are as they were. Working copies without changes become what the new commit says.
    """

    def start() -> "Picks":
        from dvcs.repository.merges.picking import revert

        if not revisions:
            raise UsageError("which commit?", hint="see 'dvcs log', or end one with --continue")
        strategy: Any = favour or "three-way"
        return revert(
            repo, revisions, message=message, mainline=mainline, strategy=strategy, dry_run=dry_run
        )

    named = {"COMMIT": revisions, "--mainline": mainline, "-X": favour}
    return _picked.run(
        repo,
        "revert",
        _picked.Way(**way),
        start,
        given=tuple(name for name, value in named.items() if value),
        message=message,
        dry_run=dry_run,
        as_json=as_json,
    )
