"""`dvcs import`: a dataset becomes a source, or a new version of one."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dvcs import ui
from dvcs.commands import _troubles
from dvcs.commands._base import command as declare
from dvcs.commands._base import dry_run_option, json_option, no_verify_option, rest, with_repo
from dvcs.commands._types import FormatType, RevisionType, SourceType

if TYPE_CHECKING:
    from dvcs.repository import Repository
    from dvcs.repository.importing import Imported, Request


@declare(
    "import",
    rest=True,
    examples=(
        "dvcs import VOC2012 -f voc -n voc",
        "dvcs import coco.zip -m 'COCO as published'",
        "dvcs import coco --mode update",
        "dvcs import images --media reference --subset train",
        "dvcs import from_cvat.zip --onto v1.0:coco",
        "dvcs import edited_export --on-conflict edited",
        "dvcs import coco -f coco -- --help",
    ),
)
@click.argument("path", type=click.Path(path_type=Path))
@click.option("-f", "--format", type=FormatType(), help="Its format (default: found out).")
@click.option("-n", "--name", type=SourceType(), help="The source's name (default: the folder's).")
@click.option("-m", "--message", help="The commit's message.")
@click.option(
    "--mode",
    type=click.Choice(["new", "update", "replace"]),
    help="Of known items that are missing: keep them (update) or remove them (replace).",
)
@click.option(
    "--onto",
    type=RevisionType(),
    metavar="REV[:SOURCE]",
    help="PATH is an edit of what was exported from REV: record only what was changed in it."
    " An export with its stamp knows REV itself.",
)
@click.option(
    "--ignore-stamp",
    is_flag=True,
    help="Take PATH as it is, even if it is an edited export of the same source.",
)
@click.option(
    "--on-conflict",
    type=click.Choice(["refuse", "edited", "kept"]),
    default="refuse",
    show_default=True,
    help="Of edits that the full shape cannot follow: take the edited, or keep the full.",
)
@click.option("--subset", help="The subset of items whose format gives them none.")
@click.option(
    "--media",
    type=click.Choice(["store", "reference", "none"]),
    default="store",
    show_default=True,
    help="Keep the images, remember where they lie, or do without.",
)
@click.option(
    "--track/--no-track",
    default=True,
    help="Make a dataset inside the working folder the working copy of the source.",
)
@click.option("--keep-going", is_flag=True, help="Leave out what cannot be read, and list it.")
@click.option("--take-ids", is_flag=True, help="Take over new ids of known annotations.")
@click.option("--licence", "--license", default="", help="Under which licence the data are.")
@no_verify_option
@dry_run_option
@json_option
@with_repo
def command(
    repo: "Repository",
    /,
    *,
    path: Path,
    as_json: bool,
    dry_run: bool,
    track: bool,
    onto: str | None,
    ignore_stamp: bool,
    on_conflict: str,
    **options: Any,
) -> int | None:
    """
    Import a dataset as a source of the repository.

    PATH is a folder, a zip or tar, or one annotation file; it is only read. Under the name of a
    source that is there already, it is recorded as its new version: only what changed is stored.

    With --onto, what an annotation tool sends back is compared with what REV shows in that format,
    and only the edits are recorded: what the format cannot say stays. An export of this repository
    is brought back so by itself, for its stamp says which revision and source it was written from:
    but not with --ignore-stamp, nor under another name (-n), nor as a new source (--mode new). A
    stamp of a revision that is not here counts for nothing.

    The reader's own options stand after a lone '--'; 'dvcs formats NAME' lists them.
    """
    from dvcs.commands import _onto, _options
    from dvcs.repository import importing

    own: dict[str, Any] = {}
    if arguments := rest():
        format = _options.format_at(path, options["format"])
        if _options.asked_for_help(arguments):
            return _options.show_help(format, "reading")
        options["format"] = format.name
        own = _options.parse(_options.reader(format), arguments, f"reading {format.name}")
    request = importing.Request(data=path, options=own, dry_run=dry_run, **options)
    base = onto if onto is not None or ignore_stamp else _onto.by_stamp(repo, request)
    if base is not None:
        how: dict[str, Any] = {"on_conflict": on_conflict, "as_json": as_json}
        _onto.run(repo, request, base, by_stamp=onto is None, **how)
        return None
    before = repo.refs.head_commit()
    done = importing.run(repo, request)
    tracked = track and not dry_run and _tracked(repo, request, done)
    if as_json:
        report = {**_report(done, dry_run=dry_run), "tracked": tracked}
        ui.emit_json("dvcs.import/1", report)
        return None
    _tell(repo, request, done, before)
    if not dry_run:
        _tell_of_copy(repo, done, path, tracked=tracked)
    return None


def _tracked(repo: "Repository", request: "Request", done: "Imported") -> bool:
    """Make what was imported the working copy of its source, if it lies in the working folder."""
    from dvcs.repository.working.tracking import track_imported

    return track_imported(
        repo,
        done.name,
        request.data,
        format=done.format,
        options=request.options,
        media=request.media,
        subset=request.subset,
    )


def _tell_of_copy(repo: "Repository", done: "Imported", path: Path, *, tracked: bool) -> None:
    from dvcs.repository.working import copies

    copy = copies.load(repo.layout).get(done.name)
    if tracked:
        ui.hint(f"'{path}' is its working copy now: 'dvcs status' shows what you change there")
    elif copy is None:
        ui.hint(f"to edit it here, write a working copy with 'dvcs checkout {done.name}'")
    elif done.name in done.renewed:
        ui.out(f"  {copy.path}: brought up to date")
    elif done.committed.changed:
        ui.hint(f"its working copy '{copy.path}' is older: 'dvcs checkout {done.name}' renews it")


def _tell(repo: "Repository", request: "Request", done: "Imported", before: bytes | None) -> None:
    from dvcs.commands import _labels, _render
    from dvcs.compare import summarise
    from dvcs.repository.diffing import diff

    oid = done.committed.oid
    rows = [
        ("items", ui.number(done.items), ""),
        ("annotations", ui.number(done.annotations), ""),
        ("labels", ui.number(done.labels), ""),
        ("media files", ui.number(done.media_files), _media(done)),
    ]
    verb = "would import" if request.dry_run else "imported"
    if not done.new:
        verb = "would record" if request.dry_run else "recorded"
    what = f"{verb} '{done.name}' ({done.format})"
    if request.dry_run or done.committed.changed:
        at = "" if request.dry_run else f" as {ui.paint(_render.short(oid), 'commit')}"
        ui.out(f"{what}{at}")
    else:
        ui.out(f"'{done.name}' is as it was; nothing to record")
    for line in ui.table(rows, right=(1,)):
        ui.out(f"  {line}")
    if not done.new and done.committed.changed:
        changes = summarise(diff(repo, before, oid, sources=[done.name]))
        labels = _labels.between(repo, before, oid, [done.name])
        told = _render.summary_lines(changes, labels)
        if not changes and not labels:
            told = ["no item and no label changed, only facts of the dataset as a whole"]
        ui.out(f"  since the last version: {'; '.join(told)}")
    _troubles.tell(done.notes, done.errors)
    _tell_what_next(repo, request, done)


def _media(done: "Imported") -> str:
    return ui.size(done.media_bytes) if done.media_bytes else ""


def _tell_what_next(repo: "Repository", request: "Request", done: "Imported") -> None:
    from dvcs.repository import identity

    if request.dry_run:
        ui.hint("nothing was changed; leave out --dry-run to do it")
        return
    if identity.is_guessed(repo.layout):
        ui.hint("say who you are with 'dvcs config --global user.name NAME' (and user.email)")
    if done.new:
        ui.hint(f"look at it with 'dvcs info HEAD:{done.name}' or 'dvcs show --stat'")


def _report(done: "Imported", *, dry_run: bool) -> dict[str, Any]:
    return {
        "commit": done.committed.oid.hex() or None,
        "changed": done.committed.changed,
        "dry_run": dry_run,
        "source": done.name,
        "format": done.format,
        "new": done.new,
        "items": done.items,
        "annotations": done.annotations,
        "labels": done.labels,
        "media": {"count": done.media_files, "bytes": done.media_bytes},
        "notes": dict(done.notes),
        "errors": list(done.errors),
    }
