"""`dvcs cherry-pick`: what other commits changed, made again here."""

from typing import TYPE_CHECKING, Any

import click

from dvcs import ui
from dvcs.commands._base import command as declare
from dvcs.commands._base import dry_run_option, json_option, with_repo
from dvcs.commands._picked import favour_option, mainline_option, report, tell
from dvcs.commands._types import RevisionType
from dvcs.errors import ConflictError, UsageError

if TYPE_CHECKING:
    from dvcs.repository import Repository


@declare(
    "cherry-pick",
    examples=(
        "dvcs cherry-pick relabel~1",
        "dvcs cherry-pick --only coco/val relabel",
        "dvcs cherry-pick --except coco/train/000000391895 relabel",
    ),
)
@click.argument("revisions", type=RevisionType(), nargs=-1, required=True, metavar="COMMIT...")
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
@mainline_option
@favour_option
@dry_run_option
@json_option
@with_repo
def command(
    repo: "Repository",
    /,
    *,
    revisions: tuple[str, ...],
    favour: str | None,
    dry_run: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """
    Commit here what other commits changed.

    Each COMMIT becomes a new one, with its message and author. Items that were changed here are
    merged; where both changed the same annotation, it refuses and names the place. With --only and
    --except, chosen sources, subsets or items are taken.
    """
    from dvcs.repository.picking import cherry_pick

    if dry_run and len(revisions) > 1:
        raise UsageError("--dry-run is for one commit", hint="the second may build on the first")
    ids = [repo.resolve(one) for one in revisions]  # HEAD moves on the way
    strategy: Any = favour or "three-way"
    reports = []
    for n, (text, oid) in enumerate(zip(revisions, ids, strict=True)):
        try:
            done = cherry_pick(repo, oid.hex(), strategy=strategy, dry_run=dry_run, **options)
        except ConflictError as error:
            if not n:
                raise
            hint = f"{ui.plural(n, 'commit')} before it {'was' if n == 1 else 'were'} picked"
            raise ConflictError(f"'{text}': {error}", hint=hint) from None
        if as_json:
            reports.append({"picked": oid.hex(), **report(repo, done, dry_run=dry_run)})
        else:
            tell(repo, done, text, dry_run=dry_run, verb="pick")
    if as_json:
        ui.emit_json("dvcs.cherry-pick/1", reports)
