"""`dvcs convert`: a dataset from one format to another, without a repository."""

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dvcs import ui
from dvcs.commands import _troubles
from dvcs.commands._base import command as declare
from dvcs.commands._base import json_option, rest
from dvcs.commands._exporting import export_options, tell_exported
from dvcs.commands._types import FormatType

if TYPE_CHECKING:
    from dvcs.formats import Format


@declare(
    "convert",
    rest=True,
    examples=(
        "dvcs convert -i VOC2012 -if voc -f coco -o coco_out",
        "dvcs convert -i coco.zip -f yolo -o yolo.zip --no-save-images",
        "dvcs convert -i labels -if yolo -f voc -o out -- --image-size 640x480 --keep-empty",
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
    own options of both formats stand after a lone '--': each goes to the format that knows it, for
    reading or for writing, and to both where both do. '-- --help' lists them.
    """
    from dvcs import formats
    from dvcs.commands import _options, _takers
    from dvcs.files import open_source
    from dvcs.formats._exporting import export, refuse_overlap

    chosen = formats.find(output_format)
    arguments = rest()
    if _options.asked_for_help(arguments):
        return _show_help(path, input_format, chosen)
    refuse_overlap(path, output)
    flags, arguments = _options.split_sink_flags(arguments)
    with closing(open_source(path, keep_going=keep_going, subset=subset)) as source:
        found = formats.find(input_format) if input_format else formats.detect(source)
        takers = [_options.reading(found), _options.writing(chosen)]
        of_reader, of_writer = _takers.share(takers, arguments)
        dataset = formats.read(source, found, **of_reader)
        done = export(dataset, chosen, output, options=of_writer, **{**how, **flags})
        _troubles.tell(source.notes, source.errors)
    tell_exported(done, output, as_json=as_json, update=how["update"])
    return None


def _show_help(path: Path, input_format: str | None, chosen: "Format") -> int:
    """List the options for reading and for writing; return the exit code."""
    from dvcs.commands import _options
    from dvcs.errors import NotADataset

    try:
        found = _options.format_at(path, input_format)
    except NotADataset:
        ui.out("Options for reading: name the format with -if, or a dataset with -i\n")
        return _options.show_all([], chosen)
    return _options.show_all([found], chosen)
