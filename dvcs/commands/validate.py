"""`dvcs validate`: what is wrong, or looks wrong, in the annotations of a revision or dataset."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dvcs import ui
from dvcs.commands._base import command as declare
from dvcs.commands._base import json_option, rest
from dvcs.commands._types import RevisionType
from dvcs.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dvcs.commands._validating import Checked
    from dvcs.validate import Severity, Task

TASKS = ("classification", "detection", "segmentation")


@declare(
    "validate",
    rest=True,
    examples=(
        "dvcs validate -t detection",
        "dvcs validate -t segmentation -s train v1.0:coco",
        "dvcs validate ./VOC2012:voc -t detection --all -- --few-samples-thr 10",
        "dvcs validate main --fail-on warning -o report.json",
        "dvcs validate --policy",
        "dvcs validate --rules",
    ),
)
@click.argument("what", type=RevisionType(), nargs=-1, metavar="[REV | ./PATH[:FORMAT]]")
@click.option("-t", "--task", type=click.Choice(TASKS), help="What the annotations are for.")
@click.option("-s", "--subset", metavar="NAME", help="Of one subset only.")
@click.option(
    "-f",
    "--fail-on",
    type=click.Choice(("error", "warning", "info")),
    help="From which severity on the exit code is 1 (default: error).",
)
@click.option("--all", "everything", is_flag=True, help="Every finding, not the first of a rule.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write JSON here too."
)
@click.option(
    "--policy", "by_policy", is_flag=True, help="Judge all of REV by its own 'dvcs.toml'."
)
@click.option("--rules", is_flag=True, help="List the rules, and how grave each is.")
@click.option(
    "--pre-commit",
    "as_hook",
    is_flag=True,
    help="The arguments are files; the datasets that hold them are validated.",
)
@json_option
def command(
    what: tuple[str, ...],
    *,
    task: "Task | None",
    subset: str | None,
    fail_on: "Severity | None",
    everything: bool,
    output: Path | None,
    by_policy: bool,
    rules: bool,
    as_hook: bool,
    as_json: bool,
) -> int:
    """
    Look for faults in the annotations of a revision or a dataset.

    Errors are what no training should see: labels that are not declared, shapes without an extent.
    Warnings are what is odd: labels that are rare or never used, shapes far larger than others of
    their label, two of the same. Without REV, HEAD is looked at; a dataset on disk, such as a
    working copy, is named by a path that begins with './' or '/'. With a task, only the
    annotations that it is about count: labels, or shapes. The exit code is 1 where something is as
    grave as --fail-on.

    What the 'dvcs.toml' of a revision says under [validate] holds where no option says otherwise;
    with --policy, everything that it says is asked of all items, as if they were new. After a lone
    '--' stand the own options of the reader of a dataset on disk, and the thresholds:

      -fs, --few-samples-thr N        a label with up to N annotations has few (1)
      -ir, --imbalance-ratio-thr N    the most frequent may be N times as frequent (50)
      -m, --far-from-mean-thr N       standard deviations from the mean (5)
      -dr, --dominance-ratio-thr N    share that the fullest bins may hold (0.8)
      -k, --topk-bins N               share of the histogram's bins that these are (0.1)
    """
    from dvcs.commands import _validating
    from dvcs.commands._options import asked_for_help

    if rules and by_policy:
        raise UsageError("--rules and --policy are two questions", hint="ask one at a time")
    if rules:
        _validating.list_rules(as_json=as_json)
        return 0
    if by_policy:
        if task or subset or fail_on or output or rest() or as_hook:
            raise UsageError(
                "with --policy, 'dvcs.toml' says what is judged, and how",
                hint="leave out the other options; --json writes what is found",
            )
        return _validating.audit(_only(what), everything=everything, as_json=as_json)
    wishes = _validating.Wishes(task, subset, fail_on, rest())
    if asked_for_help(wishes.arguments):
        return _show_help(_only(what))
    if as_hook:
        from dvcs.commands._changed import datasets_of

        checked = [_validating.place(one, wishes) for one in datasets_of(what)]
    else:
        checked = _validating.checked(_only(what), wishes)
    return _told(checked, output, everything=everything or as_hook, as_json=as_json, quiet=as_hook)


def _show_help(what: str) -> int:
    """Say which options stand after a lone `--`; return the exit code."""
    from dvcs.commands import _options
    from dvcs.commands._selectors import on_disk

    ui.out("Thresholds, after a lone '--': 'dvcs validate --help' lists them")
    place = on_disk(what)
    return _options.show_help(_options.format_at(*place), "reading") if place is not None else 0


def _only(what: tuple[str, ...]) -> str:
    if len(what) > 1:
        raise UsageError("one revision or dataset at a time", hint="see 'dvcs validate --help'")
    return what[0] if what else "HEAD"


def _told(
    checked: "Sequence[Checked]",
    output: Path | None,
    *,
    everything: bool,
    as_json: bool,
    quiet: bool,
) -> int:
    from dvcs.commands import _validating

    failed = any(one.failed for one in checked)
    if output is not None:
        _validating.write(output, checked)
    if as_json:
        ui.emit_json("dvcs.validate/1", _validating.report(checked))
    elif quiet:
        ui.page(line for one in checked if one.failed for line in _validating.grave_lines(one))
    else:
        ui.page(_validating.lines(checked, everything=everything))
    return int(failed)
