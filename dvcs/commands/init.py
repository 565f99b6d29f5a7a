"""`dvcs init`: make a repository."""

from pathlib import Path

import click

from dvcs import ui
from dvcs.commands._base import command as declare
from dvcs.commands._base import state
from dvcs.commands._types import FolderType
from dvcs.errors import UsageError


@declare("init", examples=("dvcs init", "dvcs init pets"))
@click.argument("folder", type=FolderType(), required=False)
def command(folder: Path | None) -> None:
    """
    Make a repository.

    Makes the folder '.dvcs' in FOLDER (default: here), which is made too. All that dvcs keeps is
    in there; nothing else of the folder is touched.
    """
    from dvcs.repository import Repository
    from dvcs.repository.layout import NAME

    whole = (folder or state().folder).resolve()
    if NAME in whole.parts:
        raise UsageError(f"'{whole}' is inside a repository's own folder", hint="leave it first")
    with Repository.init(folder or state().folder) as repo:
        ui.say(f"made a repository in '{repo.root.resolve()}'")
    ui.hint("bring in a dataset with 'dvcs import PATH', or track one here with 'dvcs add FOLDER'")
