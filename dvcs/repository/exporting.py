"""Exporting a revision, and telling of a folder which revision it was exported from."""

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from dvcs import formats
from dvcs.errors import MissingObject, NotADataset, RevisionNotFound, UsageError
from dvcs.files import MemorySink, open_source
from dvcs.files.folders import real_path
from dvcs.files.source import STAMP
from dvcs.formats._exporting import Exported, export
from dvcs.formats._stamps import Stamp, read_stamp
from dvcs.model import Dataset
from dvcs.repository.snapshot import join
from dvcs.repository.working import copies
from dvcs.repository.working.reading import writing_options

if TYPE_CHECKING:
    from dvcs.repository import Repository


class Identified(NamedTuple):
    """What a folder was exported from, and the files in it that are not as they were written."""

    stamp: Stamp
    changed: tuple[str, ...]
    missing: tuple[str, ...]
    added: tuple[str, ...]


def export_revision(
    repo: "Repository",
    revision: str,
    target: Path,
    *,
    format: str | None = None,
    options: Mapping[str, Any] | None = None,
    **how: Any,
) -> Exported:
    """
    Export a revision (or one source of it); `how` is as for `formats._exporting.export`.

    The format is the source's own where none is named. Raises RevisionNotFound, UnknownName,
    LossError, DirtyWorkingCopy, and UsageError, as for a target in a working copy.
    """
    _refuse_copy(repo, target)
    oid, source = repo.parse(revision)
    dataset = repo.dataset(revision)
    name = format or dataset.format
    if not name:
        raise NotADataset("the revision has no format of its own", hint="name one with --format")
    stamp = Stamp(revision=oid.hex(), source=source or "")
    return export(dataset, formats.find(name), target, stamp=stamp, options=options or {}, **how)


def _refuse_copy(repo: "Repository", target: Path) -> None:
    """Raise UsageError where a folder is a working copy, or in one: its files are the copy's."""
    there = real_path(target)
    for copy in copies.load(repo.layout).values():
        folder = real_path(copy.folder(repo.root))
        if folder == there:
            raise UsageError(
                f"'{target}' is the working copy of '{copy.source}'",
                hint="'dvcs checkout' and 'dvcs restore' bring it up to date",
            )
        if there.is_relative_to(folder):
            raise UsageError(
                f"'{target}' is in the working copy of '{copy.source}': it would be part of it",
                hint="write it to another place",
            )


def identify(repo: "Repository", path: Path) -> Identified:
    """
    Tell which revision a folder was exported from, and what in it was changed since.

    Exports are deterministic: the revision is written anew, in memory, and compared. Raises
    NotADataset for a folder without a stamp, RevisionNotFound where the repository does not have
    the revision.
    """
    stamp = read_stamp(path)
    if stamp is None:
        raise NotADataset(
            f"'{path}' has no stamp of dvcs ('{STAMP}')",
            hint="import it with --onto REV, if you know what it was made from",
        )
    dataset = stamped_dataset(repo, stamp)
    sink = MemorySink(save_media=True, image_ext=stamp.image_ext or None)
    format = formats.find(stamp.format)
    options = writing_options(format, stamp.options)
    formats.write(dataset, format, sink, convert_shapes=stamp.convert_shapes, **options)
    with closing(open_source(path)) as source:
        here = set(source.paths)
        changed = [
            one for one, data in sink.files.items() if one in here and source.bytes(one) != data
        ]
        changed += [
            one
            for one, origin in sink.origins.items()
            if one in here and source.bytes(one) != origin.read()
        ]
    expected = set(stamp.files)
    return Identified(
        stamp,
        tuple(sorted(changed)),
        tuple(sorted(expected - here)),
        tuple(sorted(here - expected)),
    )


def stamped_dataset(repo: "Repository", stamp: Stamp) -> Dataset:
    """Return what a stamped folder was written from. Raises RevisionNotFound."""
    try:
        snapshot = repo.snapshot(bytes.fromhex(stamp.revision))
    except (MissingObject, ValueError):
        raise RevisionNotFound(
            f"revision {stamp.revision[:10] or '(none)'} is not in this repository",
            hint="it is in the repository that the export was made from",
        ) from None
    names = [stamp.source] if stamp.source else list(snapshot.sources)
    if not snapshot.sources.keys() >= set(names):
        raise RevisionNotFound(f"revision {stamp.revision[:10]} has no source '{stamp.source}'")
    return join(snapshot.dataset(name, repo.media_access) for name in names)
