"""`dvcs export`: a revision becomes a dataset of any format."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dvcs.commands._base import command as declare
from dvcs.commands._base import json_option, rest, with_repo
from dvcs.commands._exporting import export_options, tell_exported
from dvcs.commands._types import FormatType, RevisionType

if TYPE_CHECKING:
    from dvcs.repository import Repository


@declare(
    "export",
    rest=True,
    examples=(
        "dvcs export -f yolo -o yolo_out",
        "dvcs export v1.0:coco -f voc -o voc.zip",
        "dvcs export -f coco -o out --no-save-images",
        "dvcs export -f yolo -o yolo_out --update",
        "dvcs export -f coco -o out -- --help",
    ),
)
@click.argument("revision", type=RevisionType(), default="HEAD", metavar="[REV | REV:SOURCE]")
@click.option("-f", "--format", type=FormatType(), help="The format (default: the source's own).")
@export_options
@json_option
@with_repo
def command(
    repo: "Repository",
    /,
    *,
    revision: str,
    format: str | None,
    output: Path,
    as_json: bool,
    **how: Any,
) -> int | None:
    """
    Write a revision as a dataset of any format.

    All sources of REV (default: HEAD) are joined, or one is named. Nothing is written over: the
    folder must be new or empty, or an earlier export that --update brings up to date, unless
    somebody has changed it: 'dvcs import' records such edits, --force overwrites them. What the
    format cannot hold is converted or left out, and counted. Where '-o' ends in '.zip', a zip is
    written. The writer's own options stand after a lone '--'; 'dvcs formats NAME' lists them.
    """
    from dvcs import formats
    from dvcs.commands import _options, _selectors
    from dvcs.repository.exporting import export_revision

    arguments = rest()
    if format is None:
        _selectors.parse(repo, revision)
    name = format or repo.dataset(revision).format
    own: dict[str, Any] = {}
    if name:
        chosen = formats.find(name)
        if _options.asked_for_help(arguments):
            return _options.show_help(chosen, "writing")
        flags, arguments = _options.split_sink_flags(arguments)
        how.update(flags)
        own = _options.parse(_options.writer(chosen), arguments, f"writing {name}")
    _selectors.parse(repo, revision)
    done = export_revision(repo, revision, output, format=format, options=own, **how)
    tell_exported(done, output, as_json=as_json, update=how["update"])
    return None
