"""`dvcs diff`: what differs between revisions, working copies and datasets on disk."""

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dvcs import ui
from dvcs.commands._base import command as declare
from dvcs.commands._base import json_option, rest
from dvcs.commands._pages import page_options
from dvcs.commands._types import RevisionType
from dvcs.errors import UsageError

if TYPE_CHECKING:
    from dvcs.commands._comparing import Compared
    from dvcs.compare import ItemChange, Summary, Tally


@declare(
    "diff",
    rest=True,
    examples=(
        "dvcs diff",
        "dvcs diff main cats",
        "dvcs diff --stat v1.0..main -- coco",
        "dvcs diff HEAD:coco ./coco_edited:coco",
        "dvcs diff --exit-code --name-only main~1 main",
        "dvcs diff --html changes.html main~1 main",
        "dvcs diff main relabel --format patch -o relabel.patch",
        "dvcs diff ground_truth inference -f tensorboard -o board",
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
@click.option(
    "-f",
    "--format",
    "form",
    type=click.Choice(["text", "json", "patch", "simple", "tensorboard"]),
    help="The form: text (default), json, a patch for 'dvcs apply', or drawings in a folder"
    " (simple: the default with -o).",
)
@click.option(
    "-o",
    "--output",
    "--output-dir",
    "output",
    metavar="PATH",
    type=click.Path(path_type=Path),
    help="Where a patch goes (default: to the standard output), or the folder of drawings.",
)
@page_options
@click.option(
    "--max-items",
    metavar="N",
    type=click.IntRange(0),
    default=2000,
    show_default=True,
    help="Changed items that a page shows, or that are drawn; 0: all.",
)
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
    form: str | None,
    output: Path | None,
    **how: Any,
) -> int:
    """
    Show what differs between revisions or working copies.

    Without A, the working copies are compared with what they were written from; with A, with that
    revision (HEAD is, where there is no working copy); with A and B, two revisions. A...B is what
    B did since both were one. A side may also be a dataset on disk, named by a path that begins
    with './' or '/'. After a lone '--' stand the sources that are wanted or, with a dataset on
    disk, its reader's own options.

    Annotations are compared, not files: a line for each that was added (+), removed (-) or
    changed (~). So are the lists of labels, and 'dvcs.toml'. With --html they are drawn over their
    images, on a page that any browser opens.

    '-f simple -o DIR' draws them into files, beside a summary and how often which label became
    which; '-f tensorboard' writes the same for TensorBoard. '-f patch' writes text that carries
    the change to a repository which shares no history with this one: see 'dvcs apply'.
    """
    from dvcs.commands import _comparing, _patching, _policy, _render
    from dvcs.compare import THRESHOLD, Options, Tally

    if stat and name_only:
        raise UsageError("--stat and --name-only are two forms", hint="leave out one")
    if "--help" in rest() or "-h" in rest():
        return _show_help(sides)
    form = _form(form, output, how["page"], as_json=as_json, others=stat or name_only)
    _refuse_unused(output, **how)
    if form == "patch":
        return int(_patching.write(sides, rest(), output, force=how["force"]) and exit_code)
    options = Options(exact=exact, threshold=THRESHOLD if threshold is None else threshold)
    tally = Tally()
    with _comparing.changes(sides, rest(), options) as found:
        counted = _counted(found.items, tally)
        if output is not None:
            _draw(counted, found, form, output, **how)
        elif how["page"] is not None:
            _write_page(counted, found, **how)
        elif form == "json":
            _emit(counted, found, tally, stat=stat)
        elif name_only:
            ui.page(_render.item_name(one) for one in counted)
        else:
            _show(counted, found, tally, stat=stat)
    differs = tally.summary() or found.labels or _policy.word(*found.policy)
    return int(exit_code and bool(differs))


def _show(
    changes: "Iterable[ItemChange]", found: "Compared", tally: "Tally", *, stat: bool
) -> None:
    from dvcs.commands import _labels, _policy, _render

    policy = _policy.word(*found.policy)
    if stat:
        for _ in changes:
            pass
        ui.page(_render.stat_lines(tally.summary(), found.labels, policy))
        return
    head = _policy.diff_lines(*found.policy), _labels.block(found.labels)
    ui.page(chain(*head, _lines(changes)))
    if tally.summary() or not (found.labels or policy):
        _tell(tally.summary())


def _emit(
    changes: "Iterable[ItemChange]", found: "Compared", tally: "Tally", *, stat: bool
) -> None:
    from dvcs.commands import _labels, _policy
    from dvcs.compare import item_report, summary_report, table_report

    items = [] if stat else [item_report(one) for one in changes]
    for _ in changes:
        pass
    summary = tally.summary()
    payload: dict[str, Any] = {
        "summary": summary_report(summary),
        **(table_report(summary) if stat else {"items": items}),
        "labels": _labels.report(found.labels),
        "policy": _policy.word(*found.policy),
    }
    ui.emit_json("dvcs.diff/1", payload)


def _show_help(sides: tuple[str, ...]) -> int:
    """List the options for reading the datasets on disk; return the exit code."""
    from dvcs.commands import _options
    from dvcs.commands._selectors import on_disk

    places = [at for at in map(on_disk, sides) if at is not None]
    for at in places:
        _options.show_help(_options.format_at(*at), "reading")
    if not places:
        ui.out("The sources that are wanted, after a lone '--': 'dvcs info' lists them")
    return 0


def _form(
    form: str | None, output: Path | None, page: Path | None, *, as_json: bool, others: bool
) -> str:
    """Return the form of the output. Raises UsageError for what does not go together."""
    if page is not None and (as_json or others or form is not None or output is not None):
        raise UsageError(
            "--html is a form of its own",
            hint="leave out --format, --output, --json, --stat, --name-only",
        )
    if form is None:
        form = "json" if as_json else "text" if output is None else "simple"
    elif as_json and form != "json":
        raise UsageError(f"--json and --format {form} are two forms", hint="leave out one")
    if others and form not in ("text", "json"):
        raise UsageError(
            f"--format {form} is a form of its own",
            hint="leave out --stat and --name-only",
        )
    if form in ("simple", "tensorboard") and output is None:
        raise UsageError(f"--format {form} is drawn into a folder", hint="name it with -o DIR")
    if form in ("text", "json") and output is not None:
        raise UsageError(f"--format {form} is written to the standard output", hint="redirect it")
    return form


def _refuse_unused(
    output: Path | None, *, page: Path | None, force: bool, embed: bool | None, **how: Any
) -> None:
    """Refuse options that would say nothing."""
    del how
    if embed is not None and page is None:
        raise UsageError("--embed and --no-embed are for a page", hint="write one: --html FILE")
    if force and page is None and output is None:
        raise UsageError("--force replaces a file or folder", hint="name it: --html FILE, or -o")


def _draw(
    changes: "Iterable[ItemChange]",
    found: "Compared",
    form: str,
    output: Path,
    *,
    max_items: int,
    force: bool,
    **how: Any,
) -> None:
    from dvcs.commands import _policy, _render, _visual

    del how
    with _visual.opened(form, output, force=force) as target:
        done = _visual.write(found, changes, target, most=max_items or None)
    ui.out(f"wrote '{output}'")
    for line in _render.summary_lines(done, found.labels, _policy.word(*found.policy)):
        ui.say(line)


def _write_page(
    changes: "Iterable[ItemChange]", found: "Compared", *, page: Path, max_items: int, **how: Any
) -> None:
    from dvcs.commands import _labels, _policy
    from dvcs.commands._pages import tell_written
    from dvcs.web.diff_page import write_diff

    before, after = found.sides()
    notes = list(_labels.lines(found.labels))
    if word := _policy.word(*found.policy):
        notes.append(f"{_policy.NAME}: {word}")
    done = write_diff(page, changes, before, after, notes=notes, max_items=max_items or None, **how)
    tell_written(done, "changed item")


def _counted(changes: "Iterable[ItemChange]", tally: "Any") -> "Iterator[ItemChange]":
    for change in changes:
        tally.add(change)
        if change.is_change:
            yield change


def _lines(changes: "Iterable[ItemChange]") -> Iterator[str]:
    from dvcs.commands import _render

    for change in changes:
        yield from _render.change_lines(change)


def _tell(summary: "Summary") -> None:
    from dvcs.commands import _render

    for line in _render.summary_lines(summary):
        ui.say(line)
