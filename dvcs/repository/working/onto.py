"""
Importing onto a revision: what a tool sends back is an edit of what was sent to it.

A folder that has lost its stamp, or a zip from an annotation tool, is compared with what the named
revision shows in that format, and only the differences are merged. What the format cannot say
stays.
"""

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from dvcs import formats
from dvcs.errors import NotADataset, RepositoryError, UsageError
from dvcs.files import Source, open_source
from dvcs.formats._exporting import read_stamp
from dvcs.formats._format import Format
from dvcs.model import Dataset, Labels
from dvcs.projection import Rule
from dvcs.repository.importing import SHOWN, Mode, Request
from dvcs.repository.labels import united_by_key
from dvcs.repository.snapshot import Snapshot
from dvcs.repository.transaction import Committed
from dvcs.repository.working.difference import Difference
from dvcs.repository.working.reading import reading_options
from dvcs.repository.working.recording import bring_back
from dvcs.repository.working.rendering import Rendering

if TYPE_CHECKING:
    from dvcs.repository import Repository


class BroughtBack(NamedTuple):
    """What an import onto a revision did: the commit, the source, its format, what changed."""

    committed: Committed
    name: str
    format: str
    difference: Difference
    errors: tuple[str, ...]
    notes: Mapping[str, int]


def import_onto(
    repo: "Repository", request: Request, onto: str, *, rule: Rule = "refuse"
) -> BroughtBack:
    """
    Commit what a dataset says differently from a revision (`REV` or `REV:SOURCE`).

    Of the request, `mode` says what becomes of items that the revision shows and the dataset does
    not have: `update` keeps them, `replace` removes them, None refuses. `rule` is for edits that a
    fuller shape cannot follow. Raises RevisionNotFound, UsageError, ConflictError, RepositoryError,
    BranchMoved where the branch changed the same items since, and what reading raises. Then nothing
    has changed.
    """
    if request.mode == "new" or request.take_ids or request.licence:
        option = "--mode new" if request.mode == "new" else "--take-ids or --licence"
        raise UsageError(f"an import onto a revision has no {option}", hint="leave it out")
    revision = repo.parse(onto)
    snapshot = repo.snapshot(revision.oid)
    how: dict[str, Any]
    name = _source_name(snapshot, revision.source, request.name, onto)
    if isinstance(request.data, Dataset):
        format = _two_way(formats.find(request.format or request.data.format or "datumaro"))
        rendering = Rendering(format, request.options, request.subset)
        how = {"dataset": request.data, "rendering": rendering, "source": None, "rule": rule}
        return _bring_back(repo, request, name, revision.oid, **how)
    path = Path(request.data)
    with closing(open_source(path, keep_going=request.keep_going, subset=request.subset)) as source:
        format = formats.find(request.format) if request.format else formats.detect(source)
        options = request.options or _stamped_options(path, format)
        reading = request.options or reading_options(format, options)
        dataset = formats.read(source, _two_way(format), **reading)
        rendering = Rendering(format, options, request.subset, save_media=bool(source.images))
        how = {"dataset": dataset, "rendering": rendering, "source": source, "rule": rule}
        return _bring_back(repo, request, name, revision.oid, **how)


def _bring_back(
    repo: "Repository",
    request: Request,
    name: str,
    base: bytes,
    *,
    dataset: Dataset,
    rendering: Rendering,
    source: Source | None,
    rule: Rule,
) -> BroughtBack:
    def limit(found: Difference) -> Difference:
        if source is not None:
            source.finish()
        return _limited(found, request.mode)

    committed, found = bring_back(
        repo,
        name,
        dataset,
        rendering,
        message=request.message or f"Edit {name}",
        revision=base.hex(),
        media=request.media,
        rule=rule,
        limit=limit,
        arguments={
            "format": rendering.format.name,
            "name": name,
            "onto": base.hex(),
            "options": dict(request.options) or None,
            "path": None if isinstance(request.data, Dataset) else str(request.data),
        },
        dry_run=request.dry_run,
    )
    return BroughtBack(
        committed,
        name,
        rendering.format.name,
        found,
        tuple(map(str, source.errors)) if source is not None else (),
        dict(source.notes) if source is not None else {},
    )


def _source_name(snapshot: Snapshot, named: str | None, wanted: str | None, onto: str) -> str:
    if named and wanted and named != wanted:
        raise UsageError(f"'{onto}' and --name say two sources", hint="leave one of them out")
    name = named or wanted
    if name:
        return name
    if len(snapshot.sources) != 1:
        known = ", ".join(snapshot.sources) or "none"
        raise UsageError(
            f"'{onto}' has {'several sources' if snapshot.sources else 'no source'}",
            hint=f"say which one, like '{onto}:SOURCE'; its sources: {known}",
        )
    return next(iter(snapshot.sources))


def _two_way(format: Format) -> Format:
    if format.read is None or format.write is None:
        raise NotADataset(
            f"dvcs cannot both read and write {format.title}, so it cannot tell what was edited",
            hint="import it as a source of its own",
        )
    return format


def _stamped_options(path: Path, format: Format) -> Mapping[str, Any]:
    """Return the options that an export was written with, where a stamp says so."""
    stamp = read_stamp(path) if path.is_dir() else None
    return stamp.options if stamp is not None and stamp.format == format.name else {}


def _limited(found: Difference, mode: Mode | None) -> Difference:
    """Return a difference without items that are only missing, if that is what they are."""
    gone = [one for one in found.items if one.new is None and one.before is not None]
    if not gone or mode == "replace":
        return found
    if mode is None:
        shown = ", ".join(f"{one.before.subset}/{one.before.id}" for one in gone[:SHOWN])  # type: ignore[union-attr]
        more = ", ..." if len(gone) > SHOWN else ""
        count = "1 item" if len(gone) == 1 else f"{len(gone)} items"
        raise RepositoryError(
            f"it lacks {count} that the revision has ({shown}{more})",
            hint="say what that means: --mode update keeps them, --mode replace removes them",
        )
    kept = tuple(one for one in found.items if one.new is not None)
    labels: Labels = united_by_key(found.labels, found.old_labels)
    return found._replace(items=kept, labels=labels)
