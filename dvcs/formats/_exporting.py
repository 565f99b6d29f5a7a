"""
Exporting a dataset, with a stamp that says what it is (`_stamps.py`).

A new folder or zip is written whole or not at all. The stamp lists the files, so that an update of
a folder knows which are its own, and which somebody has changed since; it replaces file by file,
when all are written beside it, and where that is cut short, the next one goes on.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from dvcs import formats
from dvcs.errors import DirtyWorkingCopy, LossError, UsageError
from dvcs.files import FolderSink, Sink
from dvcs.files.folder_sink import sum_of_file
from dvcs.files.folders import real_path
from dvcs.files.sink import EPOCH
from dvcs.files.source import STAMP
from dvcs.formats._fidelity import Fidelity
from dvcs.formats._format import Format
from dvcs.formats._stamps import Stamp, read_stamp, write_stamp
from dvcs.model import Dataset

ARCHIVES = frozenset({".tar", ".tgz", ".gz", ".bz2", ".xz", ".zst", ".7z", ".rar"})
"""Archives that nobody who names one expects to be a folder."""
SHOWN = 5


class Exported(NamedTuple):
    """What an export did."""

    fidelity: Fidelity
    files: int
    media: int
    changed: int
    """How many files an update wrote or removed; all of them for a new export."""
    relabelled: bool
    """Whether a label has another index than in the export that was there before, or is gone."""


def export(
    dataset: Dataset,
    format: Format,
    target: Path,
    *,
    save_media: bool = True,
    image_ext: str | None = None,
    update: bool = False,
    force: bool = False,
    strict: bool = False,
    allow_loss: bool = False,
    convert_shapes: bool = True,
    link: str = "reflink",
    stamp: Stamp | None = None,
    options: Mapping[str, Any] | None = None,
) -> Exported:
    """
    Write a dataset to a folder, or to a zip where `target` ends in `.zip`.

    Raises LossError with `strict` for any loss, and without `allow_loss` where all annotations of a
    kind would vanish; UsageError for other archives, where the folder is not empty and this is no
    `update`, and where an `update` finds something there that is no export; DirtyWorkingCopy where
    it would overwrite what was changed there by hand, without `force`. Then nothing was written.
    """
    if target.suffix.lower() in ARCHIVES and not target.is_dir():
        raise UsageError(
            f"dvcs writes folders and zips, but no '{target.suffix}'",
            hint="name a folder, or a file that ends in '.zip'",
        )
    image_ext = _known_ending(image_ext)
    before = _earlier(target) if update else None
    sinks: dict[str, Any] = {"save_media": save_media, "image_ext": image_ext, "link": link}
    sink: Sink
    as_zip = target.suffix.lower() == ".zip"
    guard = _Guard(target, before) if before is not None and not force else None
    if as_zip:
        if guard is not None:
            guard.refuse(guard.edited_members())
        from dvcs.files.zip_sink import ZipSink

        sink = ZipSink(target, update=update, **sinks)
    else:
        stale = before.files if before else ()
        sink = FolderSink(target, update=update, stale=stale, guard=guard, **sinks)
    with sink:
        fidelity = formats.write(
            dataset, format, sink, convert_shapes=convert_shapes, **(options or {})
        )
        refuse_loss(fidelity, strict=strict, allow_loss=allow_loss)
        files, media = len(sink.written), sum(sink.written.values())
        how = msgspec.structs.replace(
            stamp or Stamp(), convert_shapes=convert_shapes, image_ext=image_ext or ""
        )
        write_stamp(sink, how, dataset, format, options or {})
    if isinstance(sink, FolderSink) and sink.changed:
        os.utime(target / STAMP)  # no file that was written is younger
    changed = sum(one != STAMP for one in sink.changed) if isinstance(sink, FolderSink) else files
    old = before.labels if before is not None else ()
    relabelled = dataset.labels.names[: len(old)] != old
    return Exported(fidelity, files, media, changed, relabelled)


def _known_ending(image_ext: str | None) -> str | None:
    if not image_ext:
        return None
    from dvcs.media.pixels import ending_of_kind

    return ending_of_kind(image_ext)


def _earlier(target: Path) -> Stamp | None:
    """Return the stamp of an earlier export; None where there is nothing. Else UsageError."""
    stamp = read_stamp(target)
    if stamp is None and (target.is_file() or (target.is_dir() and any(target.iterdir()))):
        raise UsageError(
            f"'{target}' is no earlier export: its files may be somebody's own",
            hint=f"choose another name; exports have a file '{STAMP}'",
        )
    return stamp


class _Guard:
    """
    Tells what in an earlier export is not as it was written.

    Copies of media, of which a stamp has no sums, count as changed where they are younger than it.
    """

    def __init__(self, target: Path, stamp: Stamp) -> None:
        self._target, self._stamp = target, stamp
        self._files = frozenset(stamp.files)

    def __call__(self, paths: Sequence[str]) -> None:
        """Raise DirtyWorkingCopy where files that are to be replaced were changed."""
        written = (self._target / STAMP).lstat().st_mtime_ns
        self.refuse([path for path in paths if self._is_edited(path, written)])

    def _is_edited(self, path: str, written: int) -> bool:
        if path == STAMP:
            return False
        file = self._target / path
        try:
            found = file.lstat()
        except FileNotFoundError:
            return path in self._files
        if path not in self._files:
            return True
        known = self._stamp.sums.get(path)
        if known is None:
            return found.st_mtime_ns > written
        return found.st_size != known[0] or sum_of_file(file) != known

    def edited_members(self) -> list[str]:
        """Return the members of a zip that are not as they were written, or are gone."""
        from zipfile import ZipFile

        with ZipFile(self._target) as archive:
            members = {one.filename: one for one in archive.infolist() if one.filename != STAMP}
        edited = self._files - members.keys()
        for name, one in members.items():
            known = self._stamp.sums.get(name)
            same = (one.file_size, one.CRC) == known if known else one.date_time == EPOCH
            if name not in self._files or not same:
                edited |= {name}
        return sorted(edited)

    def refuse(self, edited: Sequence[str]) -> None:
        """Raise DirtyWorkingCopy if there are such files."""
        if not edited:
            return
        names = ", ".join(edited[:SHOWN])
        more = f" and {len(edited) - SHOWN} more" if len(edited) > SHOWN else ""
        hint = "overwrite them with --force, or choose another place"
        if self._stamp.revision:
            hint = f"record them with 'dvcs import {self._target}', or overwrite them with --force"
        raise DirtyWorkingCopy(
            f"the update would lose changes that were made in '{self._target}': {names}{more}",
            hint=hint,
        )


def refuse_overlap(source: Path, target: Path) -> None:
    """Raise UsageError where a dataset would be written over, or among, what it is read from."""
    here, there = real_path(source), real_path(target)
    if here == there:
        what = f"'{target}' is where the dataset is read from"
    elif here.is_relative_to(there):
        what = f"the dataset is read from '{source}', in '{target}'"
    elif there.is_relative_to(here):
        what = f"'{target}' is in '{source}', and would be part of the dataset that is read there"
    else:
        return
    raise UsageError(what, hint="write it to another place")


def refuse_loss(fidelity: Fidelity, *, strict: bool, allow_loss: bool) -> None:
    """Raise LossError where a conversion lost more than it may."""
    if strict and not fidelity.lossless:
        lost = "; ".join(fidelity.lines())
        raise LossError(
            f"the export would not hold everything: {lost}",
            hint="leave out --strict, or choose another format",
        )
    vanished = fidelity.vanished()
    if vanished and not allow_loss:
        raise LossError(
            f"all annotations of kind {', '.join(sorted(vanished))} would vanish:"
            f" {fidelity.format} cannot hold them",
            hint="choose a format that holds them, or say --allow-loss",
        )
