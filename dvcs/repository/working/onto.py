"""
Importing onto a revision: what a tool sends back is an edit of what was sent to it.

A folder that has lost its stamp, or a zip from an annotation tool, is compared with what the named
revision shows in that format, and only the differences are merged. What the format cannot say
stays. An export that still has its stamp says itself of which revision it is an edit (`stamps.py`).
"""

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from dvcs import formats
from dvcs.errors import BranchMoved, NotADataset, RepositoryError, UsageError
from dvcs.files import Source, open_source
from dvcs.formats._format import Format
from dvcs.formats._stamps import Stamp, read_stamp
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
    renewed: tuple[str, ...] = ()
    """Sources whose working copies became what was brought back."""


def import_onto(
    repo: "Repository", request: Request, onto: str, *, rule: Rule = "refuse"
) -> BroughtBack:
    """
    Commit what a dataset says differently from a revision (`REV` or `REV:SOURCE`).

    Of the request, `mode` says what becomes of items that the revision shows and the dataset does
    not have: `update` keeps them, `replace` removes them, None refuses. `rule` is for edits that a
    fuller shape cannot follow. Raises RevisionNotFound, UsageError, ConflictError, RepositoryError,
    BranchMoved where the branch changed the same items since, DirtyWorkingCopy where the source has
    a working copy with changes, and what reading raises. Then nothing has changed.
    """
    from dvcs.repository.working import checkout

    if request.mode == "new" or request.take_ids or request.licence:
        option = "--mode new" if request.mode == "new" else "--take-ids or --licence"
        raise UsageError(
            f"an import onto a revision has no {option}",
            hint="leave it out, or take the whole dataset: without --onto, with --ignore-stamp",
        )
    revision = repo.parse(onto)
    snapshot = repo.snapshot(revision.oid)
    name = _source_name(snapshot, revision.source, request.name, onto)
    if request.dry_run:
        return _read(repo, request, name, revision.oid, rule)
    checkout.require_clean(repo, [name], doing="the import")
    with repo.gate.postponing():
        done = _read(repo, request, name, revision.oid, rule)
        if done.committed.changed:
            done = done._replace(renewed=checkout.update_copies(repo))
    return done


def _read(repo: "Repository", request: Request, name: str, base: bytes, rule: Rule) -> BroughtBack:
    how: dict[str, Any]
    if isinstance(request.data, Dataset):
        format = _two_way(formats.find(request.format or request.data.format or "datumaro"))
        rendering = Rendering(format, request.options, request.subset, renumbered=True)
        how = {"dataset": request.data, "rendering": rendering, "source": None, "rule": rule}
        return _bring_back(repo, request, name, base, **how)
    path = Path(request.data)
    with closing(open_source(path, keep_going=request.keep_going, subset=request.subset)) as source:
        stamp = read_stamp(path, packed=True) or Stamp()
        if request.format and formats.find(request.format).name != stamp.format:
            stamp = Stamp()
        known = request.format or stamp.format
        format = formats.find(known) if known else formats.detect(source)
        options = request.options or stamp.options
        reading = request.options or reading_options(format, options)
        dataset = formats.read(source, _two_way(format), **reading)
        rendering = Rendering(
            format,
            options,
            request.subset,
            save_media=bool(source.images),
            renumbered=True,
            convert_shapes=stamp.convert_shapes,
            image_ext=stamp.image_ext,
            sums=stamp.sums,
        )
        how = {"dataset": dataset, "rendering": rendering, "source": source, "rule": rule}
        return _bring_back(repo, request, name, base, **how)


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

    try:
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
    except BranchMoved as error:
        raise BranchMoved(
            str(error),
            hint="if this was brought back before, say --onto the commit that came of it",
        ) from None
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
