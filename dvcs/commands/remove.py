"""`dvcs remove`: a commit without a source."""

from typing import TYPE_CHECKING

import click

from dvcs import ui
from dvcs.commands._base import command as declare
from dvcs.commands._base import dry_run_option, json_option, no_verify_option, with_repo
from dvcs.commands._types import SourceType

if TYPE_CHECKING:
    from dvcs.repository import Repository


@declare("remove", examples=("dvcs remove coco", "dvcs remove coco -m 'Licence withdrawn'"))
@click.argument("source", type=SourceType())
@click.option("-m", "--message", help="The commit's message.")
@click.option("-f", "--force", is_flag=True, help="Give up changes that are in no commit.")
@no_verify_option
@dry_run_option
@json_option
@with_repo
def command(
    repo: "Repository",
    /,
    *,
    source: str,
    message: str | None,
    force: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """
    Remove a source.

    Makes a commit without it; its working copy goes too, unless it has changes. Older revisions
    keep it. A source that was added and never committed is only forgotten, its files stay.
    """
    from dvcs.errors import UnknownName
    from dvcs.repository.working import checkout, copies

    snapshot = repo.snapshot(repo.refs.head_commit())
    known = {*snapshot.sources, *copies.load(repo.layout)}
    if source not in known:
        raise UnknownName("source", source, known)
    items = snapshot.count(source) if source in snapshot.sources else 0
    if dry_run:
        if as_json:
            ui.emit_json("dvcs.remove/1", {"source": source, "items": items, "dry_run": True})
        else:
            ui.out(f"would remove '{source}' with {ui.plural(items, 'item')}")
        return
    done = checkout.remove_source(repo, source, message=message, force=force)
    commit = done.oid.hex() if done.changed else None
    if as_json:
        payload = {"source": source, "items": items, "dry_run": False, "commit": commit}
        ui.emit_json("dvcs.remove/1", payload)
    elif commit is None:
        ui.out(f"'{source}' is not tracked any more; its files stay")
    else:
        short = ui.paint(commit[:10], "commit")
        ui.out(f"removed '{source}' with {ui.plural(items, 'item')} as {short}")
