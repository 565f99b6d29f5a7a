"""`dvcs detect-format`: which format a dataset is in."""

from contextlib import closing
from pathlib import Path

import click

from dvcs import ui
from dvcs.commands._base import command as declare
from dvcs.commands._base import json_option

WORDS = {10: "possible", 20: "likely", 30: "certain"}


@declare(
    "detect-format",
    examples=("dvcs detect-format VOC2012", "dvcs detect-format --show-rejections data.zip"),
)
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--show-rejections", is_flag=True, help="Say why it is none of the other formats.")
@json_option
def command(path: Path, show_rejections: bool, as_json: bool) -> int:
    """
    Tell which format a dataset is in.

    PATH is a folder, a zip or tar, or one annotation file. The exit code is 1 where no format, or
    more than one, fits best.
    """
    from dvcs import formats
    from dvcs.files import open_source

    with closing(open_source(path)) as source:
        matches, rejections = formats.judge(source)
        best = formats.best(matches)
        inside = formats.below(source) if len(best) != 1 else {}
    if as_json:
        payload = {
            "detected": best,
            "matches": {name: WORDS[confidence] for name, confidence in matches.items()},
            **({"folders": inside} if inside else {}),
            **({"rejections": rejections} if show_rejections else {}),
        }
        ui.emit_json("dvcs.detect-format/1", payload)
        return len(best) != 1
    for name in best:
        ui.out(name)
    if show_rejections:
        others = [
            (ui.paint(name, "name"), "fits less well") for name in matches if name not in best
        ]
        rows = [(ui.paint(name, "name"), reason) for name, reason in rejections.items()]
        for line in ui.table([*others, *rows]):
            ui.say(line)
    for folder, name in inside.items():
        ui.say(f"'{folder}' in it is {ui.paint(name, 'name')}")
    if not best:
        ui.say(f"'{path}' is in no format that dvcs knows")
        if not show_rejections:
            ui.hint("see why with --show-rejections")
    elif len(best) > 1:
        ui.hint(f"several fit: name the right one with --format, like '--format {best[0]}'")
    return len(best) != 1
