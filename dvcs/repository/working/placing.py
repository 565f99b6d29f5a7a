"""
Putting the files of a rewrite in their place, one rename each, and noting how they are then.

A file that is not as it was when the rewrite was planned is left alone. What is overwritten by
force goes to the trash.
"""

import errno
import os
import secrets
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from dvcs.files.folders import is_link, real_path
from dvcs.files.origins import Copying, copy_file
from dvcs.files.source import STAMP
from dvcs.formats._stamps import read_stamp
from dvcs.objects._durable import fsync_dir, fsync_file, make_dirs, temp_name
from dvcs.repository.working import copies
from dvcs.repository.working.copies import Copy
from dvcs.repository.working.rewriting import Plan, known_media, sha256_of_file
from dvcs.repository.working.statindex import CONTENT, Known, Stat, settled_clock, stat_of

if TYPE_CHECKING:
    from dvcs.repository import Repository

FEW = 64
"""Up to so many files are made durable one by one, more with one sync of everything."""


def apply(made: Plan) -> None:
    """Put the planned files in place and write the index. What changed meanwhile is left alone."""
    folder = made.folder
    safe = _SafeFolders(folder)
    if made.sink is not None and safe.is_own:
        make_dirs(folder)
    trash = _Trash(made)
    written: dict[str, Stat] = {}
    for path, before in sorted(made.writes.items()):
        staged = _fetched(made, path)
        target = folder / path
        if not safe.holds(path) or stat_of(target) != before:
            staged.unlink(missing_ok=True)
            made.kept.append(path)
            continue
        if path in made.saved and before is not None:
            trash.take(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        _move(staged, target)
        found = stat_of(target)
        if found is not None and path != STAMP:
            written[path] = found
    for path, before in made.removals.items():
        target = folder / path
        if not safe.holds(path) or stat_of(target) != before:
            made.kept.append(path)
        elif path in made.saved:
            trash.take(path)
        else:
            target.unlink()
    if made.sink is None and not made.copy.single:
        (folder / STAMP).unlink(missing_ok=True)
    _prune(folder, made.removals, whole=made.sink is None and not made.copy.single)
    _make_durable(folder, written)
    _write_index(made, written)
    made.discard()


def _fetched(made: Plan, path: str) -> Path:
    """Return the staged file of a path, of media after bringing it into the stage."""
    sink = made.sink
    assert sink is not None  # noqa: S101 - who writes has staged
    if path in sink.staged:
        return sink.staged[path]
    origin = sink.media_files[path].origin
    staged = sink.new_name()
    if isinstance(origin, Copying):
        origin.copy_to(staged, link=sink.link)
    elif origin.path is not None:
        copy_file(origin.path, staged, link=sink.link)
    else:
        staged.write_bytes(origin.read())
    return staged


def _move(staged: Path, target: Path) -> None:
    try:
        staged.replace(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        # The working copy is on another disk than the repository.
        beside = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
        try:
            shutil.copy2(staged, beside, follow_symlinks=False)
            beside.replace(target)
        finally:
            beside.unlink(missing_ok=True)
        staged.unlink(missing_ok=True)


class _SafeFolders:
    """Tells whether the folders on the way to a path are folders, and not links out of here."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.is_own = real_path(root) == root
        """Whether no link leads to the root itself, which lies in the working folder."""
        self._known: dict[str, bool] = {"": self.is_own}

    def holds(self, path: str) -> bool:
        """Tell whether a file of this path lies in the root."""
        folder = path.rpartition("/")[0]
        if folder not in self._known:
            here = self._root / folder
            fine = not is_link(here) and (here.is_dir() or not here.exists())
            self._known[folder] = fine and self.holds(folder)
        return self._known[folder]


class _Trash:
    """Takes files that would be lost; `gc` empties it after two weeks."""

    def __init__(self, made: Plan) -> None:
        self._folder = made.folder
        name = time.strftime("%Y%m%dT%H%M%S")
        self._trash = made.repo.layout.trash / f"{name}-{secrets.token_hex(3)}" / made.copy.path

    def take(self, path: str) -> None:
        """Move a file here."""
        target = self._trash / path
        target.parent.mkdir(parents=True, exist_ok=True)
        _move(self._folder / path, target)


def _prune(folder: Path, removed: dict[str, Stat], *, whole: bool) -> None:
    """Remove folders that became empty; with `whole`, the working copy's own too."""
    parents = {path.rpartition("/")[0] for path in removed}
    for parent in sorted({*parents, ""}, key=len, reverse=True):
        here = folder / parent
        while here != (folder.parent if whole else folder):
            try:
                here.rmdir()
            except OSError:
                break
            here = here.parent


def _make_durable(folder: Path, written: dict[str, Stat]) -> None:
    if len(written) > FEW and hasattr(os, "sync"):
        os.sync()
        return
    with suppress(OSError):
        for path in written:
            if not (folder / path).is_symlink():
                fsync_file(folder / path)
        for parent in {(folder / path).parent for path in written}:
            fsync_dir(parent)


def _write_index(made: Plan, written: dict[str, Stat]) -> None:
    """Write what is now known of the files, so that the next look needs to read none."""
    layout = made.repo.layout
    if made.new is None or made.new.absent:
        copies.index_path(layout, made.copy.source).unlink(missing_ok=True)
        return
    sink, index = made.sink, made.index
    assert sink is not None  # noqa: S101 - who writes has staged
    newest = max((max(stat[1:3]) for stat in written.values()), default=0)
    clock = settled_clock(layout.copies, newest)
    hashes = _Hashes(made)
    for path, stat in written.items():
        now = stat_of(made.folder / path)
        if now != stat:
            continue  # changed again: not known
        index.stats[path] = stat
        if path in sink.media_files:
            index.known[path] = known_media(sink.media_files[path], hashes.of(path))
        else:
            index.known[path] = Known(sha256=hashes.of(path), use=CONTENT)
    tree = copies.base_tree(made.repo, made.new)
    if tree is not None and made.sure and not made.kept:
        index.verified = copies.token(made.new, tree)
    index.save(copies.index_path(layout, made.new.source), clock)


class _Hashes:
    """SHA-256 of files just written: of media from their records, else read."""

    def __init__(self, made: Plan) -> None:
        self._made = made

    def of(self, path: str) -> bytes:
        """Return the hash of a file."""
        sink = self._made.sink
        if sink is not None and path in sink.media_files and sink.media_files[path].sha256:
            return sink.media_files[path].sha256
        return sha256_of_file(self._made.folder / path)


def rebased_stamp(repo: "Repository", copy: Copy) -> None:
    """Have the stamp of a copy that dvcs wrote name its new base."""
    folder = copy.folder(repo.root)
    stamp = None if copy.single else read_stamp(folder)
    if stamp is None or copy.commit is None or stamp.source != copy.source:
        return
    value = {
        "dvcs.export/1": msgspec.to_builtins(msgspec.structs.replace(stamp, revision=copy.commit))
    }
    temp = repo.layout.copies / temp_name()
    with suppress(OSError):
        temp.write_bytes(msgspec.json.encode(value))
        _move(temp, folder / STAMP)
