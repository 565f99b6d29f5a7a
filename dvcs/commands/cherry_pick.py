"""`dvcs cherry-pick`: what other commits changed, made again here."""

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
    "cherry-pick",
    examples=(
        "dvcs cherry-pick relabel~1",
        "dvcs cherry-pick main..relabel",
        "dvcs cherry-pick --only coco/val relabel",
        "dvcs cherry-pick --except coco/train/000000391895 relabel",
        "dvcs cherry-pick --continue",
    ),
)
@click.argument("revisions", type=RevisionType(), nargs=-1, metavar="[COMMIT | A..B]...")
@_picked.way_options
@click.option(
    "--only", multiple=True, metavar="SELECTOR", help="Only SOURCE[/SUBSET[/ID]], also with *."
)
@click.option(
    "--except",
    "without",
    multiple=True,
    metavar="SELECTOR",
    help="Not SOURCE[/SUBSET[/ID]], also with *.",
)
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
    only: tuple[str, ...],
    without: tuple[str, ...],
    mainline: int | None,
    favour: str | None,
    dry_run: bool,
    as_json: bool,
    **way: bool,
) -> int:
    """
    Commit here what other commits changed.

    Each COMMIT becomes a new one, with its message and author; of a range, the oldest is first.
    Items that were changed here are merged; where both changed the same annotation, that is a
    conflict: 'dvcs conflicts' lists them, 'dvcs resolve' decides, --continue commits and goes on
    with the rest. With --only and --except, chosen sources, subsets or items are taken.
    """

    def start() -> "Picks":
        from dvcs.repository.merges.picking import cherry_pick

        if not revisions:
            raise UsageError("which commit?", hint="see 'dvcs log', or end one with --continue")
        strategy: Any = favour or "three-way"
        return cherry_pick(
            repo,
            revisions,
            only=only,
            without=without,
            mainline=mainline,
            strategy=strategy,
            dry_run=dry_run,
        )

    named = {
        "COMMIT": revisions,
        "--only": only,
        "--except": without,
        "--mainline": mainline,
        "-X": favour,
    }
    return _picked.run(
        repo,
        "cherry-pick",
        _picked.Way(**way),
        start,
        given=tuple(name for name, value in named.items() if value),
        dry_run=dry_run,
        as_json=as_json,
    )
