"""`dvcs blame`: who last changed each annotation of an item."""

from typing import TYPE_CHECKING, Any

import click

from dvcs import ui
from dvcs.commands._base import command as declare
from dvcs.commands._base import json_option, with_repo
from dvcs.commands._types import RevisionType

if TYPE_CHECKING:
    from dvcs.commands._selectors import Place
    from dvcs.repository import Repository
    from dvcs.repository.blame import Blamed


@declare(
    "blame",
    examples=(
        "dvcs blame coco/train/000000391895",
        "dvcs blame coco/train/000000391895 v1.0",
        "dvcs blame --json coco/train/000000391895",
    ),
)
@click.argument("item", metavar="SOURCE/SUBSET/ID")
@click.argument("revision", type=RevisionType(), default="HEAD", metavar="[REV]")
@json_option
@with_repo
def command(repo: "Repository", /, *, item: str, revision: str, as_json: bool) -> None:
    """
    Show who last changed each annotation of an item.

    For each annotation, as it is in REV (default: here): the commit that made it what it is, who
    made that commit and when, by which operation. The item is followed where it moved to another
    subset or was renamed. Other ids, rounded coordinates and the new name of a label are no change
    of an annotation; another label is.
    """
    from dvcs.commands._selectors import locate
    from dvcs.errors import UsageError
    from dvcs.repository.blame import blame

    oid = repo.resolve(revision)
    place = locate(repo.snapshot(oid), item)
    if place.id is None or place.subset is None:
        raise UsageError(
            f"'{item}' is not one item", hint=f"name one of 'dvcs show {revision}:{item}'"
        )
    found = blame(repo, oid, place.source, place.subset, place.id)
    if as_json:
        payload = {
            "commit": oid.hex(),
            "item": "/".join(place),  # type: ignore[arg-type]
            "annotations": [_report(place, one) for one in found],
        }
        ui.emit_json("dvcs.blame/1", payload)
    elif found:
        ui.page(_lines(place, found))
    else:
        ui.say(f"'{item}' has no annotations")


def _report(place: "Place", one: "Blamed") -> dict[str, Any]:
    from dvcs.commands import _render
    from dvcs.compare import plain_annotation

    facts = _render.commit_report(one.oid, one.commit)
    return {
        **{name: facts[name] for name in ("commit", "author", "date", "operation")},
        "subject": _render.subject(one.commit),
        "item": _render.selector(place.source, *one.name),
        "annotation": plain_annotation(one.annotation),
    }


def _lines(place: "Place", found: "list[Blamed]") -> list[str]:
    from dvcs.commands import _render
    from dvcs.repository.message import parse

    elsewhere = any(one.name != (place.subset, place.id) for one in found)
    rows = []
    for one in found:
        at = _render.when(one.commit.author)
        row = [
            ui.paint(_render.short(one.oid), "commit"),
            ui.one_line(one.commit.author.name),
            f"{at:%Y-%m-%d %H:%M}",
            ui.one_line(parse(one.commit.message).operation or "git"),
            _in_short(one),
        ]
        if elsewhere:
            row.insert(1, ui.one_line(_render.selector(place.source, *one.name)))
        rows.append(tuple(row))
    return ui.table(rows)


def _in_short(one: "Blamed") -> str:
    from dvcs.compare import AnnotationChange, describe

    note = one.annotation
    if note.kind == "caption":
        return describe(AnnotationChange(status="added", after=note)).replace(" added", "", 1)
    return describe(AnnotationChange(status="changed", before=note, after=note))
