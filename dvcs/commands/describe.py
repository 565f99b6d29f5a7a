"""`dvcs describe`: a revision by the nearest tag before it."""

from typing import TYPE_CHECKING

import click

from dvcs import ui
from dvcs.commands._base import command as declare
from dvcs.commands._base import json_option, with_repo
from dvcs.commands._types import RevisionType
from dvcs.errors import RevisionNotFound

if TYPE_CHECKING:
    from dvcs.repository import Repository


@declare("describe", examples=("dvcs describe", "dvcs describe --always main~2"))
@click.argument("revision", type=RevisionType(), default="HEAD", metavar="[REV]")
@click.option("--long", is_flag=True, help="Write distance and commit also at the tag itself.")
@click.option("--always", is_flag=True, help="Without any tag, write the commit alone.")
@json_option
@with_repo
def command(
    repo: "Repository", /, *, revision: str, long: bool, always: bool, as_json: bool
) -> None:
    """
    Name a revision by the nearest tag before it.

    Writes TAG-N-gCOMMIT: the tag after which the fewest commits came, how many they were, and the
    beginning of the commit's id; at the tag itself, the tag alone. That is a revision again.
    """
    from dvcs.commands._render import short
    from dvcs.repository.describe import describe

    oid = repo.resolve(revision)
    tag: str | None = None
    distance: int | None = None
    try:
        _, tag, distance = describe(repo, oid)
        text = f"{tag}-{distance}-g{short(oid)}" if distance or long else tag
    except RevisionNotFound:
        if not always:
            raise
        text = short(oid)
    if as_json:
        payload = {"description": text, "tag": tag, "distance": distance, "commit": oid.hex()}
        ui.emit_json("dvcs.describe/1", payload)
    else:
        ui.out(ui.one_line(text))
