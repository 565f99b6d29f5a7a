"""
The stamp of an export (`.dvcs-export.json`, which no reader sees): what it was written from.

It names the revision, format and options, so that what comes back can be compared with what went
out, and the files, with sums.
"""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from dvcs.files import Sink
from dvcs.files.folders import read_plain_file
from dvcs.files.sink import Sum
from dvcs.files.source import STAMP
from dvcs.formats._format import Format
from dvcs.model import Dataset

LONGEST_STAMP = 1 << 28
"""A stamp names all files: one of COCO's 120,000 images has 6 MB, with as many labels 20 MB."""


class Stamp(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """
    What an export or working copy was written from and how.

    `revision` is the hex id of a commit ('' for one that is in none), `labels` their names in the
    order that gives class indices. `filter` is what chose the items, '' where it is all of them.
    `sums` are size and CRC-32 of files that are no copies of media.
    """

    revision: str = ""
    source: str = ""
    format: str = ""
    options: dict[str, Any] = {}
    filter: str = ""
    labels: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    sums: dict[str, Sum] = {}
    convert_shapes: bool = True
    image_ext: str = ""


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
        sums=sink.sums,
    )
    sink.json(STAMP, {"dvcs.export/1": msgspec.to_builtins(full)})


def read_stamp(path: Path, *, packed: bool = False) -> Stamp | None:
    """
    Return the stamp of a folder or zip, None where it has none that can be read.

    With `packed` a zip may also be a folder that somebody packed: all is in that folder.
    """
    with suppress(OSError, msgspec.MsgspecError):
        if path.is_file():
            data = _from_zip(path, packed=packed)
        else:
            data = read_plain_file(path / STAMP, LONGEST_STAMP)
        if data is not None:
            return msgspec.json.decode(data, type=dict[str, Stamp]).get("dvcs.export/1")
    return None


def _from_zip(path: Path, *, packed: bool) -> bytes | None:
    import zipfile
    import zlib

    # What is wrong with a zip comes as any of these: it is damaged, encrypted, of a later version.
    broken = (zipfile.BadZipFile, zlib.error, EOFError, KeyError, RuntimeError, ValueError)
    with suppress(*broken), zipfile.ZipFile(path) as archive:
        folders = {name.split("/", 1)[0] for name in archive.namelist()} if packed else ()
        name = f"{min(folders)}/{STAMP}" if len(folders) == 1 else STAMP
        with archive.open(name) as file:
            return file.read(LONGEST_STAMP)
    return None
