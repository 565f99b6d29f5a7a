"""`dvcs add`: a folder becomes the working copy of a source."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dvcs import ui
from dvcs.commands._base import command as declare
from dvcs.commands._base import dry_run_option, json_option, rest, with_repo
from dvcs.commands._types import FormatType, SourceType

if TYPE_CHECKING:
    from dvcs.repository import Repository


@declare(
    "add",
    rest=True,
    examples=(
        "dvcs add coco",
        "dvcs add work/voc -f voc -n voc",
        "dvcs add coco --media reference",
    ),
)
@click.argument("path", type=click.Path(path_type=Path))
@click.option("-f", "--format", type=FormatType(), help="Its format (default: found out).")
@click.option("-n", "--name", type=SourceType(), help="The source's name (default: the folder's).")
@click.option(
    "--media",
    type=click.Choice(["store", "reference", "none"]),
    default="store",
    show_default=True,
    help="Whether commits keep the images, remember where they lie, or do without.",
)
@click.option("--subset", help="The subset of items whose format gives them none.")
@dry_run_option
@json_option
@with_repo
def command(
    repo: "Repository",
    /,
    *,
    path: Path,
    format: str | None,
    dry_run: bool,
    as_json: bool,
    **how: Any,
) -> int | None:
    """
    Track a folder of this working folder as a source.

    PATH is a dataset in any format that dvcs reads: a folder, or one annotation file. It becomes
    the working copy of the source; you and your tools go on working in it. Nothing is committed
    yet. The reader's own options stand after a lone '--'.
    """
    from dvcs.commands import _options
    from dvcs.repository.working import worktree

    chosen = _options.format_at(path, format)
    if _options.asked_for_help(arguments := rest()):
        return _options.show_help(chosen, "reading")
    options = _options.parse(_options.reader(chosen), arguments, f"reading {chosen.name}")
    name = how.pop("name") or (path.stem if path.is_file() else path.resolve().name)
    if not dry_run:
        name = worktree.add(repo, path, name=name, format=chosen.name, options=options, **how)
    if as_json:
        payload = {"source": name, "path": str(path), "format": chosen.name, "dry_run": dry_run}
        ui.emit_json("dvcs.add/1", payload)
        return None
    verb = "would track" if dry_run else "tracking"
    ui.out(f"{verb} '{path}' as source '{name}' ({chosen.title})")
    if not dry_run:
        ui.hint("record it with 'dvcs commit -m MESSAGE'")
    return None
