"""`dvcs detect-format`: which format a dataset is in."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dvcs import ui
from dvcs.commands._base import command as declare
from dvcs.commands._base import json_option

if TYPE_CHECKING:
    from dvcs.files import Source
    from dvcs.formats import Confidence

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

    PATH is a folder, a zip or tar, or one annotation file. Where it is no dataset, or could be
    several, its folders are looked into: those that are datasets are listed. The exit code is 1
    where no format, or more than one, fits best.
    """
    from dvcs import formats
    from dvcs.files import open_source

    with closing(open_source(path)) as source:
        matches, rejections = formats.judge(source)
        best = formats.best(matches)
        sure = len(best) == 1 and matches[best[0]] > formats.Confidence.LOW
        inside = {} if sure else formats.below(source)
        bare = len(best) == 1 and not sure and _more_than_images(source)
    if as_json:
        payload = {
            "detected": best,
            "matches": {name: WORDS[confidence] for name, confidence in matches.items()},
            **({"folders": inside} if inside else {}),
            **({"rejections": rejections} if show_rejections else {}),
        }
        ui.emit_json("dvcs.detect-format/1", payload)
        return len(best) != 1
    if len(best) == 1:
        ui.out(best[0])
    if show_rejections:
        _tell_rejections(matches, best, rejections)
    if len(best) != 1:
        _tell(path, best, inside, show_rejections=show_rejections)
    elif bare or inside:
        _tell_images(path, inside, show_rejections=show_rejections)
    return len(best) != 1


def _more_than_images(source: "Source") -> bool:
    """Tell whether there are files that a folder of images would leave alone."""
    from dvcs.files.source import IMAGE_EXTENSIONS
    from dvcs.names import extension

    return source.focus is None and any(
        extension(path).lower() not in IMAGE_EXTENSIONS for path in source.paths
    )


def _tell_rejections(
    matches: "Mapping[str, Confidence]", best: Sequence[str], rejections: Mapping[str, str]
) -> None:
    others = [(ui.paint(name, "name"), "fits less well") for name in matches if name not in best]
    rows = [(ui.paint(name, "name"), reason) for name, reason in rejections.items()]
    for line in ui.table([*others, *rows]):
        ui.say(line)


def _tell(
    path: Path, best: Sequence[str], inside: Mapping[str, str], *, show_rejections: bool
) -> None:
    """Say what is known of a place that is in no format, or could be in several."""
    from dvcs import formats

    if len(inside) > 1:
        ui.say(f"'{path}' is no dataset itself, but has some in its folders:")
    elif best:
        ui.say(f"'{path}' could be any of: {', '.join(best)}")
    else:
        ui.say(f"'{path}' is in no format that dvcs knows")
    _tell_folders(path, inside)
    if best:
        ui.hint(f"if all of it is one dataset, {formats.how_to_name(best[0])}")
    elif not inside and not show_rejections:
        ui.hint("see why with --show-rejections; 'dvcs formats' lists the formats")


def _tell_images(path: Path, inside: Mapping[str, str], *, show_rejections: bool) -> None:
    """Say what a folder of images has that is not read with them."""
    ui.say(f"these are the images in '{path}' alone: its other files are in no format that fits")
    _tell_folders(path, inside)
    if not inside and not show_rejections:
        ui.hint("see why with --show-rejections; 'dvcs formats' lists the formats")


def _tell_folders(path: Path, inside: Mapping[str, str]) -> None:
    """List the datasets in the folders of a place, and how to look at one."""
    from dvcs import formats

    if not inside:
        return
    if len(inside) == 1:
        ui.say("of its folders, this one is a dataset:")
    for line in ui.table(
        [(f"  {folder}", ui.paint(one, "name")) for folder, one in inside.items()]
    ):
        ui.say(line)
    if len(inside) == formats.MOST_BELOW:
        ui.say("  ...")
    first = formats.shown((path / next(iter(inside))).as_posix())
    ui.hint(f"look at one with 'dvcs detect-format {first}'")
