"""`dvcs identify`: which revision a folder was exported from."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dvcs import ui
from dvcs.commands._base import command as declare
from dvcs.commands._base import json_option, with_repo

if TYPE_CHECKING:
    from dvcs.repository import Repository

MOST = 20


@declare("identify", examples=("dvcs identify yolo_out", "dvcs identify --json yolo_out"))
@click.argument("path", type=click.Path(exists=True, file_okay=False, path_type=Path))
@json_option
@with_repo
def command(repo: "Repository", /, *, path: Path, as_json: bool) -> int:
    """
    Tell which revision a folder was exported from.

    Also lists the files that were changed, removed or added since. The exit code is 1 where there
    are any.
    """
    from dvcs.commands import _render
    from dvcs.repository.exporting import identify

    found = identify(repo, path)
    stamp = found.stamp
    deviations = {"changed": found.changed, "removed": found.missing, "added": found.added}
    if as_json:
        payload = {
            "revision": stamp.revision,
            "source": stamp.source or None,
            "format": stamp.format,
            "options": stamp.options,
            **{status: list(paths) for status, paths in deviations.items()},
        }
        ui.emit_json("dvcs.identify/1", payload)
        return int(any(deviations.values()))
    oid = bytes.fromhex(stamp.revision)
    names = _render.decorations(repo).get(oid, ())
    ui.out(_render.one_line(oid, repo.store.commit(oid), names))
    what = f"source '{stamp.source}'" if stamp.source else "all sources"
    options = ", ".join(f"{name}={value}" for name, value in stamp.options.items())
    ui.out(f"{what} as {stamp.format}{f' ({options})' if options else ''}")
    for status, paths in deviations.items():
        for one in paths[:MOST]:
            ui.out(f"  {ui.paint(f'{status:8}', status)} {one}")
        if len(paths) > MOST:
            ui.out(f"  ... and {len(paths) - MOST:,} more {status}")
    if not any(deviations.values()):
        ui.out("no file was changed since")
    return int(any(deviations.values()))
