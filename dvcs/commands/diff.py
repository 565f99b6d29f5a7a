"""`dvcs diff`: what differs between revisions, working copies and datasets on disk."""

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any

import click

from dvcs import ui
from dvcs.commands._base import command as declare
from dvcs.commands._base import json_option, rest
from dvcs.commands._types import RevisionType

if TYPE_CHECKING:
    from dvcs.compare import ItemChange


@declare(
    "diff",
    rest=True,
    examples=(
        "dvcs diff",
        "dvcs diff main cats",
        "dvcs diff --stat v1.0..main -- coco",
        "dvcs diff HEAD:coco ./coco_edited:coco",
        "dvcs diff --exit-code --name-only main~1 main",
    ),
)
@click.argument("sides", type=RevisionType(), nargs=-1, metavar="[A [B] | A..B | A...B]")
@click.option("--stat", is_flag=True, help="Count the changes by subset and label.")
@click.option("--name-only", is_flag=True, help="Names of the items only.")
@click.option("--exit-code", is_flag=True, help="Leave with 1 where anything differs.")
@click.option(
    "-iou",
    "--iou",
    "--iou-thresh",
    "threshold",
    metavar="T",
    type=click.FloatRange(0, 1),
    help="How alike two annotations must be to be the same one (default: 0.5).",
)
@click.option("--exact", is_flag=True, help="Show rounded coordinates and interpolated shapes too.")
@json_option
def command(
    *,
    sides: tuple[str, ...],
    stat: bool,
    name_only: bool,
    exit_code: bool,
    threshold: float | None,
    exact: bool,
    as_json: bool,
) -> int:
    """
    Show what differs between revisions or working copies.

    Without A, the working copies are compared with what they were written from; with A, with that
    revision; with A and B, two revisions. A...B is what B did since both were one. A side may also
    be a dataset on disk, named by a path that begins with './' or '/'. After a lone '--' stand
    the sources that are wanted.

    Annotations are compared, not files: a line for each that was added (+), removed (-) or
    changed (~). So are the lists of labels.
    """
    from dvcs.commands import _comparing, _labels, _render
    from dvcs.compare import THRESHOLD, Options, Tally, item_report, summary_report

    options = Options(exact=exact, threshold=THRESHOLD if threshold is None else threshold)
    tally = Tally()
    with _comparing.changes(sides, rest(), options) as found:
        counted, labels = _counted(found.items, tally), found.labels
        if as_json:
            items = [item_report(one) for one in counted]
            payload: dict[str, Any] = {
                "summary": summary_report(tally.summary()),
                "items": items,
                "labels": _labels.report(labels),
            }
            ui.emit_json("dvcs.diff/1", payload)
        elif name_only:
            ui.page(_render.item_name(one) for one in counted)
        elif stat:
            for _ in counted:
                pass
            ui.page(_render.stat_lines(tally.summary(), labels))
        else:
            ui.page(chain(_labels.block(labels), _lines(counted)))
            if tally.summary() or not labels:
                _tell_summary(tally)
    return int(exit_code and bool(tally.summary() or labels))


def _counted(changes: "Iterable[ItemChange]", tally: "Any") -> "Iterator[ItemChange]":
    for change in changes:
        tally.add(change)
        if change.is_change:
            yield change


def _lines(changes: "Iterable[ItemChange]") -> Iterator[str]:
    from dvcs.commands import _render

    for change in changes:
        yield from _render.change_lines(change)


def _tell_summary(tally: Any) -> None:
    from dvcs.commands import _render

    for line in _render.summary_lines(tally.summary()):
        ui.say(line)
