"""What `merge` does by vote: its options, and datasets on disk merged without a repository."""

import json
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import click
from click.core import ParameterSource

from dvcs import ui
from dvcs.commands._base import rest, state
from dvcs.commands._exporting import OPTIONS as EXPORTING
from dvcs.commands._types import FormatType
from dvcs.errors import NotARepository, UsageError

if TYPE_CHECKING:
    from dvcs.commands._selectors import OnDisk, Unread
    from dvcs.repository import Repository
    from dvcs.repository.votes.report import Votes
    from dvcs.repository.votes.voting import Request
    from dvcs.vote import Options

F = TypeVar("F", bound=Callable[..., Any])
Mode = Literal["merge", "vote", "disk", "end"]
REPORT = "merge_report.json"
EXPORT = (
    *("save_media", "image_ext", "update", "force", "strict", "allow_loss", "convert_shapes"),
    "link",
)
VOTE = ("quorum", "min_agreement", "groups", "weights", "failed", "removed", "ignored", "output")
BRANCH = ("into", "message", "only", "excluded", "squash", "no_commit", "allow_unrelated")
ENDING = ("go_on", "abort")
MERGE = ("agree", "fast_forward")
BEGUN = (
    *(one for one in VOTE if one != "output"),
    *(one for one in BRANCH if one != "message"),
    *("threshold", "strategy", "format"),
)
"""What cannot change in a merge that is under way."""
REFUSED: Mapping[Mode, tuple[Collection[str], str]] = {
    # mode: options that do not go with it, and why
    "merge": ((*VOTE, *EXPORT), "is for a vote: name two revisions or more"),
    "vote": ((*MERGE, *EXPORT), "does not go with a vote of revisions"),
    "disk": ((*MERGE, *BRANCH, *ENDING), "does not go with datasets on disk: nothing is committed"),
    "end": (
        (*MERGE, *BEGUN, *EXPORT),
        "does not go with --continue or --abort: the merge has begun",
    ),
}

OPTIONS = (
    click.option(
        "--quorum",
        metavar="N",
        help="How many voters it takes: a count (2), a share (50%, 0.5), 0 for none (default: more"
        " than half).",
    ),
    click.option(
        "-oconf",
        "--output-conf-thresh",
        "min_agreement",
        metavar="C",
        type=click.FloatRange(0, 1),
        help="Drop what the voters agree on less than this.",
    ),
    click.option(
        "-g",
        "--groups",
        "groups",
        multiple=True,
        metavar="LABELS",
        help="Labels that belong together, '?' after optional ones: 'person,hand?,head'.",
    ),
    click.option(
        "--weight", "weights", multiple=True, metavar="VOTER=W", help="What a vote counts (1)."
    ),
    click.option(
        "--failed",
        type=click.Choice(["conflict", "drop", "keep"]),
        help="What becomes of annotations and values without a quorum (default: conflict; on disk:"
        " drop).",
    ),
    click.option(
        "--removed",
        type=click.Choice(["conflict", "drop", "keep"]),
        help="What becomes of items that some voters removed and fewer than a quorum has (default:"
        " conflict; with --failed drop or keep: keep).",
    ),
    click.option(
        "--ignore-attribute", "ignored", multiple=True, metavar="NAME", help="Do not vote on it."
    ),
    click.option(
        "-o",
        "--output",
        "output",
        type=click.Path(path_type=Path),
        help="Of revisions: a file for the report. Of datasets: the new dataset.",
    ),
    click.option("-f", "--format", type=FormatType(), help="The format of a new dataset."),
    *EXPORTING[1:],
)


def vote_options(function: F) -> F:
    """Give a command the options of a vote."""
    for option in reversed(OPTIONS):
        function = option(function)
    return function


# -- which way ----------------------------------------------------------------------------------


def mode_of(revisions: Sequence[str], strategy: str | None, format: str | None) -> Mode:
    """
    Return what kind of merge is asked for, by what is named.

    Raises UsageError for options that do not go with it.
    """
    mode: Mode = "merge"
    if format is not None or any(map(place_of, revisions)):
        mode = "disk"
    elif len(revisions) > 1 or strategy == "vote":
        mode = "vote"
    if mode != "merge" and strategy not in (None, "vote"):
        raise UsageError(
            f"several are merged by vote, not by '{strategy}'",
            hint="merge one revision at a time, or leave out --strategy",
        )
    if mode != "merge" and len(revisions) < 2:
        raise UsageError(
            "a vote needs two or more",
            hint="name all that vote, also HEAD if it does: 'dvcs merge HEAD ann --strategy vote'",
        )
    refuse(mode)
    return mode


def refuse(mode: Mode) -> None:
    """Raise UsageError for an option that was given and does not go with a kind of merge."""
    names, why = REFUSED[mode]
    ctx = click.get_current_context()
    for option in ctx.command.params:
        if option.name in names and ctx.get_parameter_source(option.name) not in (
            None,
            ParameterSource.DEFAULT,
        ):
            off = option.secondary_opts if ctx.params.get(option.name) is False else []
            flag = (off or sorted(option.opts, key=len))[-1]
            raise UsageError(f"'{flag}' {why}", hint="see 'dvcs merge --help'")


def place_of(text: str) -> "OnDisk | None":
    """Return the dataset on disk that a text names: `./path`, `/path`, or a zip that is there."""
    from dvcs.commands._selectors import on_disk

    found = on_disk(text)
    if found is None:
        path, _, format = text.partition(".zip")
        if path and (not format or format.startswith(":")) and Path(f"{path}.zip").is_file():
            return on_disk(f"./{text}")
    return found


def request_of(revisions: Sequence[str], *, dry_run: bool, how: dict[str, Any]) -> "Request":
    """Return what is asked for of a vote of revisions."""
    from dvcs.repository.votes.voting import Request

    names = ("into", "message", "only", "excluded", "squash", "allow_unrelated")
    return Request(
        revisions=tuple(revisions),
        options=options_of(how, revisions, on_disk=False),
        commit=not how["no_commit"],
        dry_run=dry_run,
        **{name: how[name] for name in names},
    )


def options_of(how: dict[str, Any], names: Sequence[str], *, on_disk: bool) -> "Options":
    """Return the options of a vote of those given. Raises UsageError."""
    from dvcs.repository.votes.plan import MAJORITY
    from dvcs.vote import Options, parse_group, parse_quorum

    given: dict[str, Any] = {
        "threshold": how["threshold"],
        "min_agreement": how["min_agreement"],
        "failed": how["failed"] or ("drop" if on_disk else None),
        "removed": how["removed"],
    }
    quorum = how["quorum"]
    return Options(
        quorum=MAJORITY if quorum is None else parse_quorum(quorum),
        groups=tuple(map(parse_group, how["groups"])),
        weights=dict(_weight(one, names) for one in how["weights"]),
        ignored_attributes=frozenset(how["ignored"]),
        **{name: value for name, value in given.items() if value is not None},
    )


def _weight(text: str, names: Sequence[str]) -> tuple[str, float]:
    name, equals, value = text.rpartition("=")
    try:
        if equals:
            return name, float(value)
    except ValueError:
        pass
    raise UsageError(f"'{text}' gives no weight", hint=f"write VOTER=NUMBER, like '{names[0]}=2'")


# -- on disk ------------------------------------------------------------------------------------


def merge_on_disk(
    texts: Sequence[str],
    *,
    output: Path | None,
    format: str | None,
    dry_run: bool,
    as_json: bool,
    how: dict[str, Any],
) -> int:
    """Merge datasets on disk (and revisions) by vote into a new dataset; return the exit code."""
    from dvcs import formats
    from dvcs.commands import _options, _votes
    from dvcs.commands._exporting import tell_exported
    from dvcs.commands._selectors import read_all
    from dvcs.formats._exporting import export
    from dvcs.repository.votes.datasets import vote_datasets

    names = _names(texts)
    options = options_of(how, names, on_disk=True)
    exporting = {name: how[name] for name in EXPORT}
    if output is None and not dry_run:
        raise UsageError("where to?", hint="say '-o FOLDER' (and '-f FORMAT')")
    with ExitStack() as stack:
        found = [_found(stack, one) for one in texts]
        chosen = formats.find(format or found[0].format or "datumaro")
        arguments = rest()
        if _options.asked_for_help(arguments):
            read_from = dict.fromkeys(one.format for one in found if one.taker is not None)
            return _options.show_all([formats.find(one or "") for one in read_from], chosen)
        flags, arguments = _options.split_sink_flags(arguments)
        held, (own,) = read_all(found, arguments, _options.writing(chosen))
        merged, votes = vote_datasets(list(zip(names, held, strict=True)), options)
        if output is not None and not dry_run:
            how = {**exporting, **flags, "options": own}
            done = export(merged, chosen, output, **how)
            report = _report_beside(output)
            write_report(report, votes)
            if not as_json:
                tell_exported(done, output, as_json=False, update=how["update"])
                ui.out(f"  what was found is in '{report}'")
    if as_json:
        ui.emit_json("dvcs.vote/1", votes.report())
    else:
        _votes.tell(votes)
        if dry_run:
            ui.hint("nothing was written; leave out --dry-run to do it")
    return int(bool(votes.counts()))


def _report_beside(output: Path) -> Path:
    """Return where the report goes: into a new folder, beside a new zip."""
    is_file = output.suffix.lower() == ".zip"
    return output.with_suffix(f".{REPORT}") if is_file else output / REPORT


def check_report(path: Path) -> None:
    """Refuse a report that cannot be written, before anything is merged. Raises UsageError."""
    if path.is_dir():
        raise UsageError(f"'{path}' is a folder", hint="name a file for the report")
    near = next(one for one in path.absolute().parents if one.exists())
    if not (near.is_dir() and os.access(near, os.W_OK)):
        raise UsageError(f"'{path}' cannot be written", hint="choose another place")


def write_report(path: Path, votes: "Votes", *, hint: str | None = None) -> None:
    """Write the report of a vote as a JSON file; `hint` says what is done without it."""
    from dvcs.objects._durable import write_atomic

    text = json.dumps({"dvcs.vote/1": votes.report()}, indent=2, ensure_ascii=False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, text.encode(errors="replace") + b"\n")
    except OSError as error:
        raise UsageError(f"'{path}' cannot be written: {error.strerror}", hint=hint) from None


def _found(stack: ExitStack, text: str) -> "Unread":
    """Find what votes: a dataset on disk, else a revision of the repository here."""
    from dvcs.commands._selectors import unread, unread_revision

    place = place_of(text)
    return unread(stack, place) if place else unread_revision(_repository(stack), text)


def _repository(stack: ExitStack) -> "Repository | None":
    from dvcs.repository import Repository

    try:
        return stack.enter_context(Repository(state().folder))
    except NotARepository:
        return None


def _short(path: Path) -> str:
    return path.stem if path.is_file() else path.resolve().name


def _names(texts: Sequence[str]) -> list[str]:
    """Return what voters are called: the last part of a path where those are unique."""
    whole = []
    short = []
    for text in texts:
        place = place_of(text)
        whole.append(text if place is None else str(place.path))
        short.append(text if place is None else _short(place.path))
    names = short if len(set(short)) == len(short) else whole
    twice = next((one for one in names if names.count(one) > 1), None)
    if twice is not None:
        raise UsageError(f"'{twice}' votes twice", hint="name each voter once")
    return names
