"""`dvcs checkout`: another branch or revision, and working copies of sources."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dvcs import ui
from dvcs.commands._base import command as declare
from dvcs.commands._base import dry_run_option, json_option, rest, with_repo
from dvcs.commands._types import FormatType, TargetType
from dvcs.errors import RevisionNotFound, UsageError

if TYPE_CHECKING:
    from dvcs.repository import Repository
    from dvcs.repository.working.carrying import CheckedOut


@declare(
    "checkout",
    rest=True,
    examples=(
        "dvcs checkout main",
        "dvcs checkout -b relabel",
        "dvcs checkout v1.0",
        "dvcs checkout coco --into work/coco",
        "dvcs checkout coco --format yolo",
        "dvcs checkout v1.0 -- coco",
    ),
)
@click.argument("target", type=TargetType(), required=False, metavar="[BRANCH | REV | SOURCE]")
@click.option("-b", "create", metavar="NEW", help="Make a branch there and go to it.")
@click.option("--into", type=click.Path(path_type=Path), help="The folder of a new working copy.")
@click.option("--format", "-F", type=FormatType(), help="The format of the working copy.")
@click.option(
    "--link",
    type=click.Choice(["reflink", "copy", "hard", "symlink"]),
    help="How images come to the working copy (default: reflink, else copy).",
)
@click.option(
    "--save-images/--no-save-images",
    "--save-media/--no-save-media",
    "save_media",
    default=None,
    help="Whether the working copy has images.",
)
@click.option("-f", "--force", is_flag=True, help="Give up changes that are in no commit.")
@dry_run_option
@json_option
@with_repo
def command(
    repo: "Repository",
    /,
    *,
    target: str | None,
    create: str | None,
    force: bool,
    dry_run: bool,
    as_json: bool,
    **wishes: Any,
) -> None:
    """
    Go to a branch or revision, and write working copies.

    Working copies without changes become what they are there; with changes it refuses, unless
    forced, and then what was given up is in the trash for a while. The name of a SOURCE writes its
    working copy, so do sources after a lone '--'. Without anything, all sources that have none get
    one.
    """
    from dvcs.repository.working import checkout

    wishes = {name: value for name, value in wishes.items() if value is not None}
    how: dict[str, Any] = {"force": force, "dry_run": dry_run}
    done: list[CheckedOut] = []
    revision, sources = _meant(repo, target, rest(), create=create, wishes=wishes)
    if not sources:
        done.append(checkout.checkout(repo, revision, create=create, **how))
    for name in sources:
        if create is not None:
            raise UsageError("-b makes a branch, not a working copy", hint="do one, then the other")
        done.append(checkout.checkout_source(repo, name, revision=revision, **wishes, **how))
    from dvcs.commands._moved import report, tell

    if as_json:
        ui.emit_json("dvcs.checkout/1", report(done, dry_run=dry_run))
    else:
        tell(repo, done, dry_run=dry_run)


def _meant(
    repo: "Repository",
    target: str | None,
    named: Sequence[str],
    *,
    create: str | None,
    wishes: "dict[str, Any]",
) -> tuple[str, list[str]]:
    """Return the revision to go to, or to take sources from, and these."""
    from dvcs.repository.working import copies

    if named:
        return target or "HEAD", list(named)
    if create is not None:
        return target or "HEAD", []
    known = copies.load(repo.layout)
    head = repo.snapshot(repo.refs.head_commit()).sources
    if target is None:
        wanted = list(known) if wishes and known else [one for one in head if one not in known]
        if not wanted:
            raise UsageError("where to?", hint="name a branch, a revision, or a source")
        return "HEAD", wanted
    if target in head or target in known:
        if target in repo.branches():
            raise UsageError(
                f"'{target}' is a branch and a source",
                hint=f"the source is meant by 'dvcs checkout HEAD -- {target}'",
            )
        return "HEAD", [target]
    revision, colon, source = target.partition(":")
    if colon:
        return revision or "HEAD", [source]
    if wishes:
        repo.resolve(target)
        return target, list(known)
    if target != repo.refs.head_branch():
        _check(repo, target, list(head))
    return target, []


def _check(repo: "Repository", target: str, sources: list[str]) -> None:
    """Raise RevisionNotFound, with a suggestion among sources too."""
    from difflib import get_close_matches

    try:
        repo.resolve(target)
    except RevisionNotFound as error:
        near = get_close_matches(target, sources, n=1)
        if near:
            raise RevisionNotFound(str(error), hint=f"did you mean '{near[0]}'?") from None
        raise
