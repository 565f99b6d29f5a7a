"""`dvcs gc`: what no revision needs goes to the trash."""

from typing import TYPE_CHECKING

import click

from dvcs import ui
from dvcs.commands._base import command as declare
from dvcs.commands._base import json_option, with_repo

if TYPE_CHECKING:
    from dvcs.repository import Repository
    from dvcs.repository.gc import Collected

SHOWN = 10


@declare("gc", examples=("dvcs gc", "dvcs gc --no-dry-run", "dvcs gc --no-dry-run --keep-days 0"))
@click.option(
    "--dry-run/--no-dry-run",
    default=True,
    help="Say what would be removed, and do nothing (the default), or remove it.",
)
@click.option(
    "--keep-days",
    type=click.FloatRange(min=0),
    default=30.0,
    show_default=True,
    help="Keep what 'undo' may need for so long.",
)
@click.option(
    "--trash-days",
    type=click.FloatRange(min=0),
    default=14.0,
    show_default=True,
    help="Keep what was removed in the trash for so long.",
)
@json_option
@with_repo
def command(
    repo: "Repository", /, *, dry_run: bool, keep_days: float, trash_days: float, as_json: bool
) -> None:
    """
    Remove what no revision needs.

    That is what no branch, tag, working copy or recent operation leads to. It goes to a trash
    folder first, and for good when it has been there for a while. Refuses on a damaged repository.
    """
    from dvcs.repository.gc import collect

    done = collect(repo, dry_run=dry_run, keep_days=keep_days, trash_days=trash_days)
    if as_json:
        ui.emit_json("dvcs.gc/1", {"dry_run": dry_run, **done._asdict()})
    else:
        _tell(done, dry_run=dry_run)


def _tell(done: "Collected", *, dry_run: bool) -> None:
    if not (done.objects or done.media or done.trash_bytes):
        ui.out("there is nothing to remove")
        return
    verb = "would move" if dry_run else "moved"
    media = f"{ui.plural(done.media, 'media file')} ({ui.size(done.media_bytes)})"
    ui.out(f"{verb} to the trash: {ui.plural(done.objects, 'object')}, {media}")
    if done.trash_bytes:
        verb = "would empty" if dry_run else "emptied"
        ui.out(f"{verb} the trash of {ui.size(done.trash_bytes)} that have been there long enough")
    for sha256 in done.unneeded_media[:SHOWN]:
        ui.say(f"  media {sha256}")
    if len(done.unneeded_media) > SHOWN:
        ui.say(f"  ... and {len(done.unneeded_media) - SHOWN:,} more")
    if dry_run:
        ui.hint("do it with 'dvcs gc --no-dry-run'")
