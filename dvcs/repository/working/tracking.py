"""Which folders of the working folder are working copies: tracked, and forgotten again."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dvcs import formats
from dvcs.errors import UsageError
from dvcs.files import open_source
from dvcs.files.source import FolderSource
from dvcs.formats._format import Format, checked_options
from dvcs.names import simple_name
from dvcs.repository.ingest import MediaMode
from dvcs.repository.working import copies
from dvcs.repository.working.carrying import finish_pending
from dvcs.repository.working.copies import Copy
from dvcs.repository.working.reading import reading_options, writing_options
from dvcs.repository.working.statindex import Index

if TYPE_CHECKING:
    from dvcs.repository import Repository


def add(
    repo: "Repository",
    path: Path,
    *,
    name: str | None = None,
    format: str | None = None,
    options: Mapping[str, Any] | None = None,
    media: MediaMode = "store",
    subset: str | None = None,
) -> str:
    """
    Track a folder (or one annotation file) in the working folder as a source; return its name.

    Nothing is committed, and nothing written to the folder. Where HEAD has a source of that name,
    the folder is compared with it from now on. Raises UsageError for places outside of the working
    folder, in `.dvcs`, or overlapping with another working copy; NotADataset where no format (or
    more than one) recognises it.
    """
    if not path.exists():
        raise UsageError(f"there is no file or folder '{path}'", hint="check the path")
    source = simple_name(name or (path.stem if path.is_file() else path.resolve().name), "source")
    with copies.locked(repo):
        finish_pending(repo)
        place = copies.check_place(repo, path, source)
        known = copies.load(repo.layout).get(source)
        if known is not None:
            raise UsageError(
                f"'{source}' has a working copy in '{known.path}' already",
                hint="give another --name" if known.path != place else "commit it: dvcs commit",
            )
        head = repo.refs.head_commit()
        there = source in repo.snapshot(head).sources
        copy = Copy(
            source=source,
            path=place,
            format=_format_of(path, format, options or {}, subset).name,
            options=dict(options or {}),
            media=media,
            subset=subset,
            single=path.is_file(),
            commit=head.hex() if there and head is not None else None,
        )
        Index().save(copies.index_path(repo.layout, source), 0)
        copies.save(repo.layout, copy)
    return source


def _format_of(
    path: Path, name: str | None, options: Mapping[str, Any], subset: str | None
) -> Format:
    with_files = open_source(path, subset=subset)
    try:
        if not isinstance(with_files, FolderSource):
            raise UsageError(
                f"'{path}' is an archive, which cannot be a working copy",
                hint="unpack it, or import it with 'dvcs import'",
            )
        found = formats.find(name) if name else formats.detect(with_files)
    finally:
        with_files.close()
    if found.read is None:
        raise UsageError(f"dvcs can write {found.title}, but not read it")
    known = {**reading_options(found, options), **writing_options(found, options)}
    if known.keys() != options.keys():
        checked_options(found.read, options, f"reading {found.name}")
    return found


def track_imported(
    repo: "Repository",
    name: str,
    path: Path,
    *,
    format: str,
    options: Mapping[str, Any] | None = None,
    media: MediaMode = "store",
    subset: str | None = None,
) -> bool:
    """
    Make a path that was just imported the working copy of its source; tell whether it is one now.

    It is not where it lies outside of the working folder, is an archive, overlaps with another
    working copy, or where the source has one elsewhere. The files are the user's own; the next
    look reads them once.
    """
    head = repo.refs.head_commit()
    if head is None or path.is_symlink() or not _is_plain(path):
        return False
    with copies.locked(repo):
        finish_pending(repo)
        try:
            place = copies.check_place(repo, path, name)
        except UsageError:
            return False
        known = copies.load(repo.layout).get(name)
        if known is not None and known.path != place:
            return False
        copy = Copy(
            source=name,
            path=place,
            format=format,
            options=dict(options or {}),
            media=media,
            subset=subset,
            single=path.is_file(),
            commit=head.hex(),
        )
        if known is None:
            Index().save(copies.index_path(repo.layout, name), 0)
        copies.save(repo.layout, copy)
    return True


def _is_plain(path: Path) -> bool:
    if path.is_dir():
        return True
    with_files = open_source(path)
    with_files.close()
    return isinstance(with_files, FolderSource)


def untrack(repo: "Repository", source: str) -> None:
    """Forget a working copy; files and source stay. Raises UsageError where there is none."""
    with copies.locked(repo):
        finish_pending(repo)
        copies.get(repo, source)
        copies.forget(repo.layout, source)
