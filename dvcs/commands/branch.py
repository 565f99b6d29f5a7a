"""`dvcs branch`: branches, listed, made, renamed, moved and deleted."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from dvcs import ui
from dvcs.commands._base import command as declare
from dvcs.commands._base import json_option, with_repo
from dvcs.commands._types import BranchType, RevisionType
from dvcs.errors import UsageError

if TYPE_CHECKING:
    from dvcs.repository import Repository


@declare(
    "branch",
    examples=(
        "dvcs branch",
        "dvcs branch relabel main~2",
        "dvcs branch -m relabel cats",
        "dvcs branch -d cats",
        "dvcs branch --contains v1.0",
    ),
)
@click.argument("name", type=BranchType(), required=False)
@click.argument("start", type=RevisionType(), required=False, metavar="[REV]")
@click.option("-d", "--delete", is_flag=True, help="Delete the branch.")
@click.option("-D", "delete_anyway", is_flag=True, help="Delete it even if its commits get lost.")
@click.option("-m", "--move", is_flag=True, help="Rename: 'branch -m OLD NEW', or the current one.")
@click.option("-f", "--force", is_flag=True, help="Move a branch that is there already.")
@click.option("--contains", type=RevisionType(), metavar="REV", help="List those that have REV.")
@json_option
@with_repo
def command(
    repo: "Repository",
    /,
    *,
    name: str | None,
    start: str | None,
    delete: bool,
    delete_anyway: bool,
    move: bool,
    force: bool,
    contains: str | None,
    as_json: bool,
) -> None:
    """
    List, make, rename or delete branches.

    Without arguments, lists them with their last commit; the current one has a '*'. With a NAME,
    makes a branch at REV (default: here), and does not go there: 'dvcs checkout -b NAME' does both.
    """
    from dvcs.repository import branches

    if contains is not None and (name is not None or delete or delete_anyway or move):
        raise UsageError("--contains is for lists only", hint="leave out all else")
    if name is None:
        if delete or delete_anyway or move:
            raise UsageError("which branch?", hint="name it")
        _list(repo, contains, as_json=as_json)
    elif delete or delete_anyway:
        if start is not None:
            raise UsageError("one branch at a time", hint=f"first 'dvcs branch -d {name}'")
        oid = branches.delete_branch(repo, name, force=delete_anyway)
        ui.say(f"deleted branch '{name}', which was at {oid.hex()[:10]}")
    elif move:
        old = name if start is not None else repo.refs.head_branch()
        if old is None:
            raise UsageError("no branch is the current one", hint="name both, OLD and NEW")
        branches.rename_branch(repo, old, start or name, force=force)
        ui.say(f"branch '{old}' is now called '{start or name}'")
    else:
        oid = repo.resolve(start or "HEAD")
        branches.create_branch(repo, name, oid, force=force)
        ui.say(f"branch '{name}' is at {oid.hex()[:10]}")
        ui.hint(f"go there with 'dvcs checkout {name}'")


def _list(repo: "Repository", contains: str | None, *, as_json: bool) -> None:
    from dvcs.commands import _render

    current = repo.refs.head_branch()
    held = _holding(repo, contains)
    if as_json:
        payload = [
            {
                "name": name,
                "commit": oid.hex(),
                "current": name == current,
                "subject": _render.subject(repo.store.commit(oid)),
            }
            for name, oid in held.items()
        ]
        ui.emit_json("dvcs.branch/1", payload)
        return
    ui.page(ui.table(list(_rows(repo, held, current, listed=contains is not None))))


def _holding(repo: "Repository", contains: str | None) -> dict[str, bytes]:
    """Return the branches, or those that have a revision."""
    from dvcs.repository.history import is_ancestor

    held = repo.branches()
    if contains is None:
        return held
    oid = repo.resolve(contains)
    return {name: tip for name, tip in held.items() if is_ancestor(repo.store, oid, tip)}


def _rows(
    repo: "Repository", held: dict[str, bytes], current: str | None, *, listed: bool
) -> Iterator[tuple[str, str, str]]:
    from dvcs.commands import _render

    if current is None and not listed:
        oid = repo.resolve("HEAD")
        name = ui.paint(f"* (detached at {_render.short(oid)})", "head")
        yield name, _render.short(oid), _render.subject(repo.store.commit(oid))
    elif current not in held and not listed:
        yield ui.paint(f"* {current}", "branch"), "", "(no commit yet)"
    for name, oid in held.items():
        shown = ui.paint(f"* {name}", "branch") if name == current else f"  {name}"
        subject = _render.subject(repo.store.commit(oid))
        yield shown, ui.paint(_render.short(oid), "commit"), subject
