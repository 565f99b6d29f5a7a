"""`dvcs stash`: changes of working copies, put aside and taken up again."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from dvcs import ui
from dvcs.commands._base import command as declare
from dvcs.commands._base import json_option, with_repo
from dvcs.errors import UsageError

if TYPE_CHECKING:
    from dvcs.repository import Repository
    from dvcs.repository.stash import Popped, Stash

NUMBER = re.compile(r"(?:stash@\{)?([0-9]{1,6})\}?\Z")


@declare(
    "stash",
    examples=(
        "dvcs stash",
        "dvcs stash push -m 'half of the cats' coco",
        "dvcs stash list",
        "dvcs stash show 1",
        "dvcs stash pop",
        "dvcs stash pop --continue",
    ),
)
@click.argument(
    "action",
    type=click.Choice(["push", "list", "pop", "drop", "show"]),
    default="push",
    metavar="[push | list | pop | drop | show]",
)
@click.argument("what", nargs=-1, metavar="[SOURCE... | N]")
@click.option("-m", "--message", help="What the changes are, for the list.")
@click.option(
    "--continue", "go_on", is_flag=True, help="End a pop, when its conflicts are decided."
)
@click.option("--abort", is_flag=True, help="Give up a pop with conflicts; what is aside stays.")
@json_option
@with_repo
def command(
    repo: "Repository",
    /,
    *,
    action: str,
    what: tuple[str, ...],
    message: str | None,
    go_on: bool,
    abort: bool,
    as_json: bool,
) -> int:
    """
    Put changes of working copies aside, and take them up again.

    'push' puts the changes of all working copies, or of some SOURCEs, aside; their files are then
    as they were written. 'pop' makes them changes of the files again; where the source was changed
    in the same places since, these are conflicts: 'dvcs conflicts' lists them, 'dvcs resolve'
    decides, 'dvcs stash pop --continue' writes the files. 'list' shows what there is, the newest is
    N = 0; 'show' what is in it; 'drop' forgets it. 'dvcs undo' takes each of these back.
    """
    if go_on or abort:
        return _resume(repo, action, what, go_on=go_on, abort=abort, as_json=as_json)
    if message is not None and action != "push":
        raise UsageError(f"'{action}' takes no message", hint="-m is for 'dvcs stash push'")
    if action == "push":
        _push(repo, what, message, as_json=as_json)
    elif action == "list":
        _list(repo, what, as_json=as_json)
    elif action == "show":
        _show(repo, _number(what), as_json=as_json)
    elif action == "pop":
        return _pop(repo, _number(what), as_json=as_json)
    else:
        _drop(repo, _number(what), as_json=as_json)
    return 0


def _number(what: Sequence[str]) -> int:
    if not what:
        return 0
    match = NUMBER.match(what[0])
    if match is None or len(what) > 1:
        raise UsageError(
            f"'{' '.join(what)}' is not the number of a stash", hint="see 'dvcs stash list'"
        )
    return int(match[1])


def _push(
    repo: "Repository", sources: Sequence[str], message: str | None, *, as_json: bool
) -> None:
    from dvcs.repository import stash

    made = stash.push(repo, list(sources) or None, message=message)
    if as_json:
        ui.emit_json("dvcs.stash/1", [] if made is None else [_report(made)])
    elif made is None:
        ui.out("nothing was changed, so there is nothing to put aside")
    else:
        ui.out(f"put aside: {ui.one_line(made.message)}")
        for line in _summary(repo, made):
            ui.out(f"  {line}")
        ui.hint("take it up again with 'dvcs stash pop'")


def _list(repo: "Repository", what: Sequence[str], *, as_json: bool) -> None:
    from dvcs.commands import _render
    from dvcs.repository import stash

    if what:
        raise UsageError("'list' takes nothing more", hint="'dvcs stash show N' shows one")
    found = stash.stashes(repo)
    if as_json:
        ui.emit_json("dvcs.stash/1", [_report(one) for one in found])
        return
    rows = [
        (
            ui.paint(str(one.number), "name"),
            ui.paint(_render.short(one.oid), "commit"),
            f"{_render.when(one.commit.author):%Y-%m-%d %H:%M}",
            ui.one_line(one.message.partition("\n")[0]),
        )
        for one in found
    ]
    ui.page(ui.table(rows))


def _resume(
    repo: "Repository",
    action: str,
    what: Sequence[str],
    *,
    go_on: bool,
    abort: bool,
    as_json: bool,
) -> int:
    from dvcs.repository import stash

    flag = "--continue" if go_on else "--abort"
    if action != "pop" or what or (go_on and abort):
        raise UsageError(f"{flag} stands alone", hint=f"write 'dvcs stash pop {flag}'")
    if go_on:
        return _tell_popped(repo, stash.go_on(repo), as_json=as_json)
    stash.abort(repo)
    if as_json:
        ui.emit_json("dvcs.stash/1", [])
    ui.say("the stash pop is given up; everything is as it was")
    return 0


def _pop(repo: "Repository", number: int, *, as_json: bool) -> int:
    from dvcs.repository import stash

    return _tell_popped(repo, stash.pop(repo, number), as_json=as_json)


def _tell_popped(repo: "Repository", done: "Popped", *, as_json: bool) -> int:
    from dvcs.commands import _conflicts
    from dvcs.repository.merges import conflicts

    if as_json:
        told = {**_report(done.stash), "conflicts": conflicts.report(done.places)}
        ui.emit_json("dvcs.stash/1", [told])
    elif done.places:
        ui.out(f"cannot take up without decisions: {ui.one_line(done.stash.message)}")
        _conflicts.tell(done.places, most=20)
        _conflicts.tell_what_to_do("stash pop")
    else:
        _tell_ended(repo, "took up again", done.stash)
    return int(bool(done.places))


def _drop(repo: "Repository", number: int, *, as_json: bool) -> None:
    from dvcs.repository import stash

    done = stash.drop(repo, number)
    if as_json:
        ui.emit_json("dvcs.stash/1", [_report(done)])
    else:
        _tell_ended(repo, "dropped", done)


def _tell_ended(repo: "Repository", verb: str, one: "Stash") -> None:
    ui.out(f"{verb}: {ui.one_line(one.message)}")
    for line in _summary(repo, one):
        ui.out(f"  {line}")


def _show(repo: "Repository", number: int, *, as_json: bool) -> None:
    from dvcs.commands import _labels, _render
    from dvcs.compare import report
    from dvcs.repository import stash
    from dvcs.repository.diffing import diff

    one = stash.get(repo, number)
    before = one.commit.parents[0]
    labels = _labels.between(repo, before, one.oid)
    if as_json:
        changes = report(diff(repo, before, one.oid))
        payload = {**_report(one), **changes, "labels": _labels.report(labels)}
        ui.emit_json("dvcs.stash.show/1", payload)
        return
    lines = [*_render.commit_lines(one.oid, one.commit), "", *_labels.block(labels)]
    for change in diff(repo, before, one.oid):
        if change.is_change:
            lines += _render.change_lines(change)
    ui.page(lines)


def _summary(repo: "Repository", one: "Stash") -> list[str]:
    from dvcs.commands import _labels, _render
    from dvcs.compare import summarise
    from dvcs.repository.diffing import diff

    before = one.commit.parents[0]
    labels = _labels.between(repo, before, one.oid)
    return _render.summary_lines(summarise(diff(repo, before, one.oid)), labels)


def _report(one: "Stash") -> dict[str, Any]:
    from dvcs.commands import _render

    return {
        "number": one.number,
        "ref": one.ref,
        "commit": one.oid.hex(),
        "parent": one.commit.parents[0].hex(),
        "date": _render.when(one.commit.author).isoformat(),
        "message": one.message,
    }
