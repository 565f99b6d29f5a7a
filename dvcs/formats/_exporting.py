"""
Exporting a dataset: written whole or not at all, with a stamp that says what it is.

The stamp (`.dvcs-export.json`, which no reader sees) names the revision, format and options, so
that what comes back can be compared with what went out, and lists the files, so that a later
export into the same folder knows which are its own.
"""

import zipfile
import zlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from dvcs import formats
from dvcs.errors import LossError, UsageError
from dvcs.files import FolderSink, Sink, ZipSink
from dvcs.files.source import STAMP
from dvcs.formats._fidelity import Fidelity
from dvcs.formats._format import Format
from dvcs.model import Dataset

ARCHIVES = frozenset({".tar", ".tgz", ".gz", ".bz2", ".xz", ".zst", ".7z", ".rar"})
"""Archives that nobody who names one expects to be a folder."""
LONGEST_STAMP = 1 << 28
"""A stamp names all files: one of COCO's 120,000 images has 6 MB."""


class Stamp(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """
    What an export or working copy was written from and how.

    `revision` is the hex id of a commit ('' for one that is in none), `labels` their names in the
    order that gives class indices.
    """

    revision: str = ""
    source: str = ""
    format: str = ""
    options: dict[str, Any] = {}
    filter: str = ""
    labels: tuple[str, ...] = ()
    files: tuple[str, ...] = ()


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
    `update`, and where an `update` finds something there that is no export. Then nothing was
    written.
    """
    if target.suffix.lower() in ARCHIVES and not target.is_dir():
        raise UsageError(
            f"dvcs writes folders and zips, but no '{target.suffix}'",
            hint="name a folder, or a file that ends in '.zip'",
        )
    before = _earlier(target) if update else None
    sinks: dict[str, Any] = {"save_media": save_media, "image_ext": image_ext, "link": link}
    sink: Sink
    if target.suffix.lower() == ".zip":
        sink = ZipSink(target, update=update, **sinks)
    else:
        stale = before.files if before else ()
        sink = FolderSink(target, update=update, stale=stale, **sinks)
    with sink:
        fidelity = formats.write(
            dataset, format, sink, convert_shapes=convert_shapes, **(options or {})
        )
        refuse_loss(fidelity, strict=strict, allow_loss=allow_loss)
        files, media = len(sink.written), sum(sink.written.values())
        write_stamp(sink, stamp or Stamp(), dataset, format, options or {})
    changed = sum(one != STAMP for one in sink.changed) if isinstance(sink, FolderSink) else files
    old = before.labels if before is not None else ()
    relabelled = dataset.labels.names[: len(old)] != old
    return Exported(fidelity, files, media, changed, relabelled)


def _earlier(target: Path) -> Stamp | None:
    """Return the stamp of an earlier export; None where there is nothing. Else UsageError."""
    stamp = read_stamp(target)
    if stamp is None and (target.is_file() or (target.is_dir() and any(target.iterdir()))):
        raise UsageError(
            f"'{target}' is no earlier export: its files may be somebody's own",
            hint=f"choose another name; exports have a file '{STAMP}'",
        )
    return stamp


def write_stamp(
    sink: Sink, stamp: Stamp, dataset: Dataset, format: Format, options: Mapping[str, Any]
) -> None:
    """Write the stamp of what a sink holds so far."""
    full = msgspec.structs.replace(
        stamp,
        format=format.name,
        options=dict(options),
        labels=dataset.labels.names,
        files=tuple(sorted(sink.written)),
    )
    sink.json(STAMP, {"dvcs.export/1": msgspec.to_builtins(full)})


def read_stamp(path: Path) -> Stamp | None:
    """Return the stamp of a folder or zip, None where it has none that can be read."""
    # What is wrong with a zip comes as any of these: it is damaged, encrypted, of a later version.
    broken = (zipfile.BadZipFile, zlib.error, EOFError, KeyError, RuntimeError, ValueError)
    with suppress(OSError, msgspec.MsgspecError, *broken):
        if path.is_file():
            with zipfile.ZipFile(path) as archive, archive.open(STAMP) as file:
                data = file.read(LONGEST_STAMP)
        else:
            data = (path / STAMP).read_bytes()
        return msgspec.json.decode(data, type=dict[str, Stamp]).get("dvcs.export/1")
    return None


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
            hint="convert them first, choose another format, or say --allow-loss",
        )
