"""
Records of working copies: which folder holds which source, and what it was written from.

    state/copies/
    ├── <source>.json       the record
    ├── <source>.index      what is known of its files (`statindex.py`)
    ├── pending             a rewrite under way; whoever finds it finishes it (`checkout.py`)
    ├── undo/<operation>    the records before and after an operation, for `undo`
    ├── stage-*/            files that wait for their place
    └── lock                held by whoever changes working copies

A working copy is always compared with its base, the commit in its record, never with HEAD.
"""

import os
import re
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from dvcs.errors import RepositoryError, UsageError
from dvcs.files.folders import real_path
from dvcs.names import quote
from dvcs.objects._durable import fsync_dir, write_atomic
from dvcs.repository import locks
from dvcs.repository.layout import is_own
from dvcs.repository.oplog import Move
from dvcs.repository.policies.policy_file import PolicyChange
from dvcs.repository.sealing import sealed, unsealed
from dvcs.repository.snapshot import SourceTree
from dvcs.repository.working.statindex import Stat

if TYPE_CHECKING:
    from dvcs.repository import Repository
    from dvcs.repository.layout import Layout

HOOKS_PATIENCE = 2.0
"""Seconds for which a command that a hook runs waits for the working copies."""
KEPT_UNDO = 500
"""How many operations' records are kept for undo; they take some hundred bytes each."""
OPERATION = re.compile(r"[0-9a-f]{12}")


class Copy(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """
    A working copy of one source.

    `path` is relative to the root, with `/`; `single` says that it is one file. `commit` (hex) is
    what it was written from or recorded as; None where it was added and never committed.
    `written`: dvcs wrote the files; else they are the user's own, as they were committed. `absent`:
    where HEAD is now, the source does not exist; the copy comes back when it does. `media` says
    what commits do with the files of media, `save_media` whether a checkout writes them.
    """

    source: str
    path: str
    format: str
    options: dict[str, Any] = {}
    link: str = msgspec.field(default_factory=lambda: "reflink")
    media: str = msgspec.field(default_factory=lambda: "store")
    save_media: bool = True
    subset: str | None = None
    single: bool = False
    commit: str | None = None
    written: bool = False
    absent: bool = False

    def __post_init__(self) -> None:
        """Refuse a place outside of the root: a repository may have come from anywhere."""
        path = self.path.replace("\\", "/") if os.name == "nt" else self.path
        parts = path.split("/")
        unfit = {"", ".", ".."} & set(parts) or "\0" in self.path
        if unfit or is_own(parts[0]) or Path(self.path).drive:
            raise ValueError(f"'{self.path}' is no place for a working copy")

    def folder(self, root: Path) -> Path:
        """Return the folder that its paths are relative to."""
        place = root / self.path
        return place.parent if self.single else place

    @property
    def focus(self) -> str | None:
        """The name of the file, of a copy that is one."""
        return self.path.rpartition("/")[2] if self.single else None

    @property
    def base(self) -> bytes | None:
        """The commit that it is compared with."""
        return None if self.commit is None else bytes.fromhex(self.commit)


class CopyChange(msgspec.Struct, frozen=True, array_like=True):
    """The record of one working copy before and after an operation; None: there was, is, none."""

    old: Copy | None
    new: Copy | None


class Pending(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """
    A rewrite of working copies that has begun: what it moves and what the copies become.

    `agreed` are, by source, the files that it was to replace or remove, as they were then: those
    that still are so may go. With `removed`, it is to be finished only where HEAD does not have
    that source. `policy` is what becomes of `dvcs.toml`. `records` are those that copies have when
    all is written, where they are to be compared with another version than was written.
    """

    command: str
    time: float
    moves: tuple[Move, ...] = ()
    changes: tuple[CopyChange, ...] = ()
    agreed: dict[str, dict[str, Stat]] = {}
    removed: str = ""
    policy: PolicyChange | None = None
    records: tuple[Copy, ...] = ()


class Remembered(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an operation did to working copies and `dvcs.toml`. `rewrote`: also to their files."""

    changes: tuple[CopyChange, ...] = ()
    rewrote: bool = True
    policy: PolicyChange | None = None


# -- records -------------------------------------------------------------------------------------


def load(layout: "Layout") -> dict[str, Copy]:
    """Return the records of all working copies by source. Raises RepositoryError for a bad one."""
    found: dict[str, Copy] = {}
    if not layout.copies.is_dir():
        return found
    for path in sorted(layout.copies.glob("*.json")):
        try:
            copy = msgspec.json.decode(unsealed(path.read_bytes()) or b"", type=Copy)
        except FileNotFoundError:
            continue
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise RepositoryError(
                f"the record of a working copy '{path}' cannot be read: {error}",
                hint="remove it, and track the folder again with 'dvcs add'",
            ) from None
        found[copy.source] = copy
    return found


def get(repo: "Repository", source: str) -> Copy:
    """Return the working copy of a source. Raises UsageError where it has none."""
    known = load(repo.layout)
    if source not in known:
        raise UsageError(
            f"'{source}' has no working copy",
            hint=f"make one with 'dvcs checkout {source}'; working copies: "
            f"{', '.join(known) or 'none'}",
        )
    return known[source]


def save(layout: "Layout", copy: Copy) -> None:
    """Write a record, durably."""
    layout.copies.mkdir(parents=True, exist_ok=True)
    write_atomic(_record(layout, copy.source), sealed(msgspec.json.encode(copy)))


def forget(layout: "Layout", source: str) -> None:
    """Remove a record and its index; files stay."""
    _record(layout, source).unlink(missing_ok=True)
    index_path(layout, source).unlink(missing_ok=True)


def _record(layout: "Layout", source: str) -> Path:
    return layout.copies / f"{quote(source)}.json"


def index_path(layout: "Layout", source: str) -> Path:
    """Return where the stat index of a source's working copy is."""
    return layout.copies / f"{quote(source)}.index"


def base_tree(repo: "Repository", copy: Copy) -> SourceTree | None:
    """Return the version of the source that a copy was written from."""
    if copy.base is None or copy.absent:
        return None
    return repo.snapshot(copy.base).sources.get(copy.source)


def token(copy: Copy, tree: SourceTree) -> str:
    """Return what stands in an index whose files are exactly this version in this format."""
    import hashlib

    parts = [tree.info, tree.labels]
    for subset, oid in sorted(tree.subsets.items()):
        parts += [subset.encode(), oid]
    how = (copy.path, copy.format, copy.options, copy.subset, copy.media, copy.save_media)
    parts.append(msgspec.json.encode(how, order="sorted"))
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


# -- places --------------------------------------------------------------------------------------


def place_of(repo: "Repository", path: Path) -> str | None:
    """Return a path relative to the root with `/`; None where it is not inside."""
    absolute = path if path.is_absolute() else Path.cwd() / path
    real = absolute.resolve()
    if not real.is_relative_to(repo.root):
        return None
    return real.relative_to(repo.root).as_posix()


def check_place(repo: "Repository", path: Path, source: str) -> str:
    """
    Return the place of a new working copy relative to the root.

    Raises UsageError for the root itself, places outside of it or in `.dvcs`, and places that
    overlap with the working copy of another source.
    """
    place = place_of(repo, path)
    if place is None:
        raise UsageError(
            f"'{path}' is not inside the working folder '{repo.root}'",
            hint="import it from there with 'dvcs import', or move it in first",
        )
    if is_own(place.partition("/")[0]):
        raise UsageError(f"'{path}' is in dvcs's own folder", hint="choose another place")
    if place == ".":
        raise UsageError(
            "the working folder itself cannot be a working copy",
            hint="move the dataset into a folder of its own",
        )
    for other in load(repo.layout).values():
        if other.source != source and _overlap(place, other.path):
            raise UsageError(
                f"'{place}' overlaps with '{other.path}', the working copy of '{other.source}'",
                hint="working copies cannot lie in one another",
            )
    return place


def require_inside(repo: "Repository", copy: Copy) -> None:
    """
    Raise RepositoryError for a working copy that a link leads out of the working folder to.

    dvcs never tracks such a place; what lies there is not for a repository to read or write.
    """
    real = real_path(repo.root / copy.path)
    if not real.is_relative_to(repo.root) or real.is_relative_to(repo.layout.git):
        raise RepositoryError(
            f"a link leads from '{copy.path}', the working copy of '{copy.source}', out of the"
            f" working folder, to '{real}'",
            hint="put the folder itself there; what is elsewhere comes in with 'dvcs import'",
        )


def _overlap(one: str, other: str) -> bool:
    return one == other or one.startswith(f"{other}/") or other.startswith(f"{one}/")


def other_places(copy: Copy, known: Collection[Copy]) -> set[str]:
    """Return the places of other working copies, relative to the folder of this one."""
    folder = copy.path.rpartition("/")[0] if copy.single else copy.path
    prefix = f"{folder}/" if folder else ""
    return {
        other.path.removeprefix(prefix)
        for other in known
        if other.source != copy.source and other.path.startswith(prefix)
    }


# -- rewrites under way --------------------------------------------------------------------------


@contextmanager
def locked(repo: "Repository", *, patience: float = locks.PATIENCE) -> Iterator[None]:
    """
    Hold the lock for changing working copies. Raises Locked.

    Hooks that follow what is done meanwhile run when it is free again.
    """
    if "DVCS_HOOK" in os.environ:  # the command that waits for this hook may hold it
        patience = min(patience, HOOKS_PATIENCE)
    with (
        repo.gate.postponing(),
        locks.exclusive(repo.layout.copies / "lock", patience=patience),
    ):
        yield


def pending(layout: "Layout") -> Pending | None:
    """Return the rewrite that was begun and not finished. A damaged one counts as none."""
    with suppress(OSError, msgspec.MsgspecError, UnicodeDecodeError):
        data = unsealed((layout.copies / "pending").read_bytes())
        return msgspec.json.decode(data or b"", type=Pending)
    return None


def begin(layout: "Layout", what: Pending) -> None:
    """Say, durably, that a rewrite begins."""
    write_atomic(layout.copies / "pending", sealed(msgspec.json.encode(what)))


def end(layout: "Layout") -> None:
    """Say that a rewrite has ended; what was staged goes."""
    (layout.copies / "pending").unlink(missing_ok=True)
    fsync_dir(layout.copies)
    clear_stages(layout)


def clear_stages(layout: "Layout") -> None:
    """Remove what was staged; for who holds the lock."""
    for stage in layout.copies.glob("stage-*"):
        shutil.rmtree(stage, ignore_errors=True)


# -- undo ----------------------------------------------------------------------------------------


def remember(layout: "Layout", operation: str, what: Remembered) -> None:
    """Keep the records before and after an operation; the oldest of many are forgotten."""
    if OPERATION.fullmatch(operation) is None:
        return  # no id of ours: the log may have come from anywhere
    folder = layout.copies / "undo"
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(folder / operation, sealed(msgspec.json.encode(what)))
    # What has another name than operations have was not written here, and is not touched.
    kept = [path for path in folder.iterdir() if OPERATION.fullmatch(path.name)]
    kept.sort(key=lambda path: path.stat().st_mtime_ns)
    for path in kept[:-KEPT_UNDO]:
        path.unlink(missing_ok=True)


def recall(layout: "Layout", operation: str) -> Remembered | None:
    """Return what `remember` kept, None where it is gone."""
    if OPERATION.fullmatch(operation) is None:
        return None
    with suppress(OSError, msgspec.MsgspecError, UnicodeDecodeError):
        data = unsealed((layout.copies / "undo" / operation).read_bytes())
        return msgspec.json.decode(data or b"", type=Remembered)
    return None
