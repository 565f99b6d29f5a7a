"""
Rewriting working copies: planned and staged here, put in place by `placing.py`.

The new version is written through its format into a stage; media are only named.

A file is replaced or removed only where what it holds is in a commit: it is as the index knows it,
and the copy was found to have no changes. Files that the format has nothing to do with are left
alone. What is overwritten by force, or was the user's own spelling of a dataset, goes to the trash.
"""

import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from dvcs import formats
from dvcs.errors import DirtyWorkingCopy, UnsafeName, UsageError
from dvcs.files import Sink, Unturned
from dvcs.files.source import STAMP
from dvcs.formats._fidelity import Fidelity
from dvcs.formats._stamps import Stamp, write_stamp
from dvcs.model import Item, Media, Origin
from dvcs.names import portable_collisions
from dvcs.repository.working.copies import Copy
from dvcs.repository.working.reading import Reading, writing_options
from dvcs.repository.working.statindex import (
    CONTENT,
    MEDIA,
    PEEKED,
    UNREAD,
    Index,
    Known,
    Stat,
    stat_of,
)

if TYPE_CHECKING:
    from dvcs.repository import Repository

SHOWN = 5


class NewMedia(NamedTuple):
    """A media file to be put in place: its hash where known, its bytes, and what it is."""

    sha256: bytes
    origin: Origin
    media: Media | None


class CopySink(Sink):
    """Stages what a format writes; media are only named."""

    def __init__(self, stage: Path, **options: Any) -> None:
        super().__init__(**options)
        self.stage = stage
        self.staged: dict[str, Path] = {}
        self.media_files: dict[str, NewMedia] = {}
        self._item: tuple[Item, int] | None = None
        stage.mkdir(parents=True)

    @contextmanager
    def _open(self, path: str) -> Iterator[IO[bytes]]:
        staged = self.new_name()
        with staged.open("x+b", buffering=1 << 20) as file:
            yield file
        self.staged[path] = staged

    def new_name(self) -> Path:
        """Return a free name in the stage."""
        return self.stage / secrets.token_hex(8)

    def media(self, item: Item, path: str, index: int = 0) -> str:
        self._item = item, index
        return super().media(item, path, index)

    def _media(self, path: str, origin: Origin) -> None:
        assert self._item is not None  # noqa: S101 - `media` has just set it
        item, n = self._item
        known = item.media.files[n].sha256 if item.media is not None else None
        if isinstance(origin, Unturned):  # other bytes than are stored
            known = hashlib.sha256(origin.read()).hexdigest()
        self.media_files[path] = NewMedia(
            bytes.fromhex(known) if known else b"", origin, item.media
        )

    def _complete(self) -> None:
        """Nothing is put in place here."""


class Plan:
    """
    What a rewrite of one working copy does: files to write and to remove, by path.

    `saved` are files that go to the trash instead of being lost, `blocked` those in the way whose
    contents are in no commit.
    """

    def __init__(self, repo: "Repository", old: Copy | None, new: Copy | None) -> None:
        copy = new or old
        assert copy is not None  # noqa: S101 - a change has at least one side
        self.repo, self.old, self.new, self.copy = repo, old, new, copy
        self.folder = copy.folder(repo.root)
        self.sink: CopySink | None = None
        self.fidelity = Fidelity()
        self.writes: dict[str, Stat | None] = {}
        """Files to put in place, and what must be there still when they are."""
        self.removals: dict[str, Stat] = {}
        self.saved: set[str] = set()
        self.blocked: list[str] = []
        self.kept: list[str] = []
        """Files that somebody changed meanwhile; they were left as they are."""
        self.index = Index()
        self.sure = True
        """Whether all files are known for what they are, so that the next look need read none."""

    @property
    def agreed(self) -> dict[str, Stat]:
        """The files that are replaced or removed, as they are before."""
        replaced = {path: stat for path, stat in self.writes.items() if stat is not None}
        return {**replaced, **self.removals}

    def discard(self) -> None:
        """Remove what was staged."""
        if self.sink is not None:
            shutil.rmtree(self.sink.stage, ignore_errors=True)


class Mode(NamedTuple):
    """
    What to do with files whose contents are in no commit: refuse, overwrite, or leave them.

    `agreed` are files that may go if they are still like this: somebody has said so before.
    """

    force: bool = False
    keep: bool = False
    agreed: Mapping[str, Stat] = {}


def plan(
    repo: "Repository", old: Copy | None, new: Copy | None, *, clean: bool, mode: Mode
) -> Plan:
    """
    Plan the rewrite of one working copy from one record to another (None: there is, will be, none).

    `clean` says that the files were found to be the version that `old` was written from. Raises
    DirtyWorkingCopy where a file is in the way whose contents are in no commit.
    """
    made = Plan(repo, old, new)
    reading = Reading(repo, made.copy)
    try:
        if new is not None and not new.absent:
            made.sink = _staged(repo, new, made)
        _compare(made, reading, clean=clean, mode=mode)
    except BaseException:
        made.discard()
        raise
    if made.blocked and not mode.keep:
        made.discard()
        more = f" and {len(made.blocked) - SHOWN} more" if len(made.blocked) > SHOWN else ""
        raise DirtyWorkingCopy(
            f"files in '{made.copy.path}' are in no commit and would be overwritten:"
            f" {', '.join(made.blocked[:SHOWN])}{more}",
            hint="move them away, commit them, or say --force",
        )
    return made


def _staged(repo: "Repository", copy: Copy, made: Plan) -> CopySink:
    """Write a version through its format into a new stage."""
    assert copy.base is not None  # noqa: S101 - only what was committed is written
    sink = CopySink(
        (repo.scratch or repo.layout.copies) / f"stage-{os.getpid()}-{secrets.token_hex(4)}",
        save_media=copy.save_media,
        link=copy.link,
    )
    made.sink = sink
    dataset = repo.snapshot(copy.base).dataset(copy.source, repo.media_access)
    format = formats.find(copy.format)
    options = writing_options(format, copy.options)
    made.fidelity = formats.write(dataset, format, sink, **options)
    if copy.single:
        _as_one_file(copy, sink)
    else:
        stamp = Stamp(revision=copy.base.hex(), source=copy.source)
        write_stamp(sink, stamp, dataset, format, copy.options)
    pairs = portable_collisions(list(sink.written))
    if pairs and _folds_case(sink.stage):
        first, second = pairs[0]
        raise UnsafeName(
            f"this disk cannot tell '{first}' from '{second}'",
            hint="rename one of them, or work on a disk that keeps letter case",
        )
    return sink


def _as_one_file(copy: Copy, sink: CopySink) -> None:
    if len(sink.staged) != 1:
        raise UsageError(
            f"'{copy.source}' takes {len(sink.staged)} files in the format '{copy.format}', and"
            f" its working copy '{copy.path}' is one",
            hint="make a working copy in a folder instead: dvcs checkout SOURCE --into FOLDER",
        )
    name = copy.focus or ""
    sink.staged = {name: next(iter(sink.staged.values()))}
    sink.media_files.clear()


def _folds_case(folder: Path) -> bool:
    probe = folder / "case"
    probe.touch()
    folded = (folder / "CASE").exists()
    probe.unlink()
    return folded


def _compare(made: Plan, reading: Reading, *, clean: bool, mode: Mode) -> None:
    """Find out which files have to change, and whether they may."""
    sink = made.sink
    staged = sink.staged if sink is not None else {}
    media = sink.media_files if sink is not None else {}
    index = made.index
    for path, file in staged.items():
        digest = b""
        current = reading.found.get(path)
        if path == STAMP:
            made.writes[path] = stat_of(made.folder / path)
            continue
        if current is not None and current[0] == file.stat().st_size:
            digest = sha256_of_file(file)
            if reading.sha256(path) == digest:
                index.stats[path] = current
                index.known[path] = Known(sha256=digest, use=CONTENT)
                continue
        _replace(made, reading, path, clean=clean, mode=mode)
    for path, new in media.items():
        current = reading.found.get(path)
        if current is not None and _is_there(made, reading, path, new):
            index.stats[path] = current
            index.known[path] = known_media(new, reading.known[path].sha256)
            continue
        _replace(made, reading, path, clean=clean, mode=mode)
    for path, stat in reading.found.items():
        if path not in staged and path not in media:
            _leave_or_remove(made, reading, path, stat, clean=clean, mode=mode)


def _is_there(made: Plan, reading: Reading, path: str, new: NewMedia) -> bool:
    if new.origin.path is not None and new.origin.path == made.folder / path:
        reading.known.setdefault(path, Known())
        return True
    return bool(new.sha256) and reading.sha256(path) == new.sha256


def _replace(made: Plan, reading: Reading, path: str, *, clean: bool, mode: Mode) -> None:
    current = reading.found.get(path)
    if current is None:
        current = stat_of(made.folder / path)
        if current is not None:  # an ignored file, or one that came this moment
            _block(made, path, mode, current)
            return
    elif not _is_committed(made, reading, path, clean=clean):
        _block(made, path, mode, current)
        return
    elif _is_derived(made, reading, path) or (
        _use(reading, path) != MEDIA and not _is_ours(made, reading, path)
    ):
        made.saved.add(path)
    made.writes[path] = current


def _block(made: Plan, path: str, mode: Mode, current: Stat) -> None:
    if mode.force or mode.agreed.get(path) == current:
        made.saved.add(path)
        made.writes[path] = current
    else:
        made.blocked.append(path)
        made.kept.append(path)


def _leave_or_remove(
    made: Plan, reading: Reading, path: str, stat: Stat, *, clean: bool, mode: Mode
) -> None:
    """Remove a file that was the old version's; leave alone what the format knows nothing of."""
    known = reading.index.known.get(path, Known())
    owned = known.use in (CONTENT, MEDIA)
    agreed = mode.force or mode.agreed.get(path) == stat
    if owned and (agreed or _is_committed(made, reading, path, clean=clean)):
        made.removals[path] = stat
        kept_elsewhere = known.use == MEDIA or _is_ours(made, reading, path)
        committed = _is_committed(made, reading, path, clean=clean)
        if not (kept_elsewhere and committed) or _is_derived(made, reading, path):
            made.saved.add(path)
        return
    if owned and mode.keep and reading.confirmed(path) is None:
        made.kept.append(path)
    if owned or path not in reading.index.stats or known.use == PEEKED or _other_format(made):
        made.sure = False
    made.index.stats[path] = stat
    made.index.known[path] = Known(use=UNREAD)


def _other_format(made: Plan) -> bool:
    return made.old is None or made.new is None or made.old.format != made.new.format


def _use(reading: Reading, path: str) -> int:
    return reading.index.known.get(path, Known()).use


def _is_ours(made: Plan, reading: Reading, path: str) -> bool:
    """Tell whether dvcs spelt a file, so that it can spell it again."""
    spelt = made.old is not None and made.old.written
    return spelt and _use(reading, path) != PEEKED


def _is_committed(made: Plan, reading: Reading, path: str, *, clean: bool) -> bool:
    """Tell whether what a file holds is in a commit, so that it can be had again."""
    known = reading.confirmed(path) if clean else None
    if known is None:
        return False
    if known.use in (CONTENT, PEEKED):
        return True
    if known.use != MEDIA or not known.sha256:
        return False
    return known.sha256.hex() in made.repo.media or _is_derived(made, reading, path)


def _is_derived(made: Plan, reading: Reading, path: str) -> bool:
    """Tell whether an image is another form of what is stored: without its turn, as it seems."""
    known, old = reading.index.known.get(path, Known()), made.old
    return (
        known.use == MEDIA
        and old is not None
        and old.written
        and old.media == "store"
        and formats.find(old.format).relative
        and known.sha256.hex() not in made.repo.media
    )


def known_media(new: NewMedia, sha256: bytes) -> Known:
    known = Known(sha256=new.sha256 or sha256, use=MEDIA)
    if new.media is not None and new.media.size is not None:
        known.height, known.width = new.media.size
        known.orientation = new.media.orientation or 0
    return known


def sha256_of_file(path: Path) -> bytes:
    from dvcs.media.hashing import sha256_of

    return bytes.fromhex(sha256_of(path)[0])
