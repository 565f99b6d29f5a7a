"""`dvcs tag`: tags, listed, made and deleted."""

from typing import TYPE_CHECKING, Any

import click

from dvcs import ui
from dvcs.commands._base import command as declare
from dvcs.commands._base import json_option, with_repo
from dvcs.commands._types import RevisionType, TagType
from dvcs.errors import UsageError

if TYPE_CHECKING:
    from dvcs.repository import Repository


@declare(
    "tag",
    examples=(
        "dvcs tag",
        "dvcs tag v1.0",
        "dvcs tag -m 'as given to the customer' v1.1 main~1",
        "dvcs tag -d v1.0",
    ),
)
@click.argument("name", type=TagType(), required=False)
@click.argument("at", type=RevisionType(), required=False, metavar="[REV]")
@click.option("-m", "--message", help="Make an annotated tag that says this, who made it and when.")
@click.option("-d", "--delete", is_flag=True, help="Delete the tag.")
@click.option("-f", "--force", is_flag=True, help="Move a tag that is there already.")
@json_option
@with_repo
def command(
    repo: "Repository",
    /,
    *,
    name: str | None,
    at: str | None,
    message: str | None,
    delete: bool,
    force: bool,
    as_json: bool,
) -> None:
    """
    List, make or delete tags.

    Without arguments, lists them. With a NAME, makes a tag at REV (default: here).
    """
    from dvcs.repository import branches

    if name is None:
        if delete or message is not None:
            raise UsageError("which tag?", hint="name it")
        _list(repo, as_json=as_json)
    elif delete:
        oid = branches.delete_tag(repo, name)
        ui.say(f"deleted tag '{name}', which was at {oid.hex()[:10]}")
    else:
        oid = repo.resolve(at or "HEAD")
        branches.create_tag(repo, name, oid, message=message, force=force)
        ui.say(f"tag '{name}' is at {oid.hex()[:10]}")


def _list(repo: "Repository", *, as_json: bool) -> None:
    from dvcs.commands import _render
    from dvcs.repository import branches
    from dvcs.repository.revisions import peel

    found: list[dict[str, Any]] = []
    for name, oid in branches.tags(repo).items():
        commit = peel(repo, oid)
        found.append(
            {
                "name": name,
                "commit": commit.hex(),
                "message": branches.tag_message(repo, oid),
                "subject": _render.subject(repo.store.commit(commit)),
            }
        )
    if as_json:
        ui.emit_json("dvcs.tag/1", found)
        return
    rows = [
        (
            ui.paint(one["name"], "tag"),
            ui.paint(one["commit"][: _render.DIGITS], "commit"),
            (one["message"] or one["subject"]).partition("\n")[0],
        )
        for one in found
    ]
    ui.page(ui.table(rows))
