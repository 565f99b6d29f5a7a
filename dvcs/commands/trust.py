"""`dvcs trust`: which folders outside of the working folder a repository may read."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from dvcs import ui
from dvcs.commands._base import command as declare
from dvcs.commands._base import json_option, with_repo
from dvcs.errors import UnknownName, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from dvcs.repository import Repository

ACTIONS = ("list", "add", "remove")


@declare(
    "trust",
    examples=(
        "dvcs trust",
        "dvcs trust add /data/coco/images",
        "dvcs trust remove /data/coco/images",
    ),
)
@click.argument("action", default="list", metavar=f"[{' | '.join(ACTIONS)}]")
@click.argument("folders", nargs=-1, metavar="[FOLDER]...")
@json_option
@with_repo
def command(repo: "Repository", /, *, action: str, folders: tuple[str, ...], as_json: bool) -> None:
    """
    Say which folders outside of this one may be read.

    Items may refer to images anywhere on this disk ('dvcs import --media reference'). Such files
    are read, shown and exported only where you have imported from there yourself, or 'add' the
    folder here: a repository that somebody sent you must not get at your files. What is allowed
    holds for the folder and all below, for this repository, as long as it is where it is now; after
    it was moved, 'add' its folders again. 'remove' takes that back.

    Without anything, what you trust here is listed, hooks too ('dvcs hooks' is about those). It is
    kept with your settings, never in the repository.
    """
    if action not in ACTIONS:
        raise UnknownName("action", action, ACTIONS)
    if as_json and action != "list":
        raise UsageError("--json is for 'dvcs trust list'", hint=f"'{action}' reports nothing")
    if action == "list":
        _list(repo, folders, as_json=as_json)
    else:
        _decide(repo, folders, trusted=action == "add")


def _list(repo: "Repository", folders: Sequence[str], *, as_json: bool) -> None:
    from dvcs.repository import hooks, trust

    if folders:
        raise UsageError("'list' takes nothing more", hint=f"did you mean 'add {folders[0]}'?")
    held = trust.folders(repo.layout)
    found = [one for one in hooks.found(repo.layout) if one.state in ("ready", "changed")]
    if as_json:
        report = {
            "folders": [str(one) for one in held],
            "hooks": [{"name": one.name, "state": one.state} for one in found],
        }
        ui.emit_json("dvcs.trust/1", report)
        return
    rows = [("folder", str(one), "" if one.is_dir() else "is not there") for one in held]
    rows += [("hook", one.name, "" if one.state == "ready" else one.state) for one in found]
    for line in ui.table(rows):
        ui.out(line)
    if not rows:
        ui.say("nothing is trusted here: no file outside of this folder is read, no hook is run")


def _decide(repo: "Repository", folders: Sequence[str], *, trusted: bool) -> None:
    from dvcs.files.folders import real_path
    from dvcs.repository import trust

    if not folders:
        raise UsageError("which folder?", hint="name one; 'dvcs trust' lists what is trusted")
    real = [real_path(one) for one in folders]
    if trusted:
        for given, one in zip(folders, real, strict=True):
            _require_outside(repo, given, one)
        trust.allow(repo.layout, real)
        done = "may be read"
    else:
        trust.disallow(repo.layout, real)
        done = "is not read any more"
    for one in real:
        ui.out(f"what is in '{one}' {done} by this repository")


def _require_outside(repo: "Repository", given: str, real: "Path") -> None:
    if not real.is_dir():
        raise UsageError(
            f"there is no folder '{given}'", hint="name the one that the images are in"
        )
    if real.is_relative_to(repo.root):
        raise UsageError(
            f"'{given}' is in the working folder", hint="what is there may be read anyway"
        )
