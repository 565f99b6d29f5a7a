"""`dvcs convert`: a dataset from one format to another, without a repository."""

from contextlib import closing
from pathlib import Path
from typing import Any

import click

from dvcs.commands import _troubles
from dvcs.commands._base import command as declare
from dvcs.commands._base import json_option, rest
from dvcs.commands._exporting import export_options, tell_exported
from dvcs.commands._types import FormatType


@declare(
    "convert",
    rest=True,
    examples=(
        "dvcs convert -i VOC2012 -if voc -f coco -o coco_out",
        "dvcs convert -i coco.zip -f yolo -o yolo.zip --no-save-images",
        "dvcs convert -i coco -f yolo -o out -- --help",
    ),
)
@click.option(
    "-i",
    "--input-path",
    "path",
    type=click.Path(path_type=Path),
    default=".",
    help="The dataset: a folder, a zip or tar, a file (default: here).",
)
@click.option("-if", "--input-format", type=FormatType(), help="Its format (default: found out).")
@click.option(
    "-f", "--output-format", "--format", type=FormatType(), required=True, help="The new format."
)
@export_options
@click.option("--subset", help="The subset of items whose format gives them none.")
@click.option("--keep-going", is_flag=True, help="Leave out what cannot be read, and list it.")
@json_option
def command(
    *,
    path: Path,
    input_format: str | None,
    output_format: str,
    output: Path,
    subset: str | None,
    keep_going: bool,
    as_json: bool,
    **how: Any,
) -> int | None:
    """
    Convert a dataset from one format to another.

    Needs no repository. What the new format cannot hold is converted or left out, and counted. The
    writer's own options stand after a lone '--'; 'dvcs formats NAME' lists them.
    """
    from dvcs import formats
    from dvcs.commands import _options
    from dvcs.files import open_source
    from dvcs.formats._exporting import export

    chosen = formats.find(output_format)
    arguments = rest()
    if _options.asked_for_help(arguments):
        return _options.show_help(chosen, "writing")
    flags, arguments = _options.split_sink_flags(arguments)
    own = _options.parse(_options.writer(chosen), arguments, f"writing {chosen.name}")
    with closing(open_source(path, keep_going=keep_going, subset=subset)) as source:
        found = formats.find(input_format) if input_format else formats.detect(source)
        dataset = formats.read(source, found)
        done = export(dataset, chosen, output, options=own, **{**how, **flags})
        _troubles.tell(source.notes, source.errors)
    tell_exported(done, output, as_json=as_json, update=how["update"])
    return None
