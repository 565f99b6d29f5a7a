"""What `export` and `convert` share: their options, and what they tell when they are done."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from dvcs import ui

if TYPE_CHECKING:
    from dvcs.formats._exporting import Exported

F = TypeVar("F", bound=Callable[..., Any])

OPTIONS = (
    click.option(
        "-o",
        "--output-dir",
        "output",
        type=click.Path(path_type=Path),
        required=True,
        help="The folder to write, or a file that ends in '.zip'.",
    ),
    click.option(
        "--save-images/--no-save-images",
        "--save-media/--no-save-media",
        "save_media",
        default=True,
        help="Write the images too, or only the annotations.",
    ),
    click.option("--image-ext", metavar="EXT", help="Encode all images anew, like '.png'."),
    click.option("--update", is_flag=True, help="Bring an earlier export up to date."),
    click.option("--force", is_flag=True, help="With --update, overwrite what was changed there."),
    click.option("--strict", is_flag=True, help="Refuse where anything would be lost."),
    click.option(
        "--allow-loss", is_flag=True, help="Write even if all annotations of a type are lost."
    ),
    click.option(
        "--convert-shapes/--no-convert-shapes",
        default=True,
        help="Convert shapes that the format cannot hold, or leave them out.",
    ),
    click.option(
        "--link",
        type=click.Choice(["reflink", "copy", "hard", "symlink"]),
        default="reflink",
        show_default=True,
        help="How images come to the folder; what the disk cannot do becomes a copy.",
    ),
)


def export_options(function: F) -> F:
    """Give a command the options that say where and how to write."""
    for option in reversed(OPTIONS):
        function = option(function)
    return function


def tell_exported(done: "Exported", target: Path, *, as_json: bool, update: bool) -> None:
    """Tell what an export did and what became of what the format cannot hold."""
    if as_json:
        payload = {
            "path": str(target),
            "files": done.files,
            "media": done.media,
            "changed": done.changed,
            "relabelled": done.relabelled,
            "fidelity": done.fidelity.report(),
        }
        ui.emit_json("dvcs.export/1", payload)
        return
    files = ui.plural(done.files - done.media, "annotation file")
    media = ui.plural(done.media, "media file")
    changed = f"; {ui.number(done.changed)} of them written or removed" if update else ""
    ui.out(f"wrote '{target}' as {done.fidelity.title}: {files}, {media}{changed}")
    for line in done.fidelity.lines():
        ui.out(f"  {ui.paint('!', 'warning')} {line}")
    if done.fidelity.lossless:
        ui.out("  nothing was lost")
    for note, count in done.fidelity.notes.items():
        ui.say(f"note: {note}" + (f" ({count:,} times)" if count > 1 else ""))
    if done.relabelled:
        ui.warn("label indices are not those of the export that was there before")
