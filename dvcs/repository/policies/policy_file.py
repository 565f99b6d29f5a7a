"""
`dvcs.toml` in the working folder: compared with what it was written from, written with the copies.

    dvcs.toml           the file
    .dvcs/state/policy  its base: the blob that it was written from, or committed as

It is a file like the working copies' (`working/copies.py`): `commit` records it where it was
changed, whatever moves HEAD writes the version there, and refuses where an edit would be lost. It
is text, and taken as it stands.
"""

import secrets
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from dvcs.errors import BranchMoved, DirtyWorkingCopy, RepositoryError
from dvcs.objects._durable import make_dirs, write_atomic
from dvcs.objects.gitobjects import Kind, oid_of
from dvcs.repository.sealing import sealed, unsealed
from dvcs.repository.snapshot import POLICY

if TYPE_CHECKING:
    from dvcs.repository import Repository
    from dvcs.repository.layout import Layout
    from dvcs.repository.transaction import Transaction

NAME = POLICY.decode()
LARGEST = 1 << 20
"""Bytes that no policy has."""

State = Literal["none", "clean", "added", "changed", "removed"]
Done = Literal["", "written", "removed", "kept"]


class PolicyChange(msgspec.Struct, frozen=True, array_like=True):
    """
    What becomes of the file: its base before and after, and what it was seen to hold.

    All are ids of blobs (hex), None for no file.
    """

    old: str | None
    new: str | None
    seen: str | None = None


class Look(NamedTuple):
    """
    The file as it was found, compared with its base.

    `none`: there is no file, and it is not to be there; `added`: it is in no commit yet. `behind`:
    it has no changes, and HEAD has another version.
    """

    state: State
    base: str | None
    text: bytes | None
    behind: bool = False

    @property
    def dirty(self) -> bool:
        """Whether it says what no commit does."""
        return self.state in ("added", "changed", "removed")

    @property
    def now(self) -> str | None:
        """The id of what it holds."""
        return None if self.text is None else oid_of(Kind.BLOB, self.text).hex()


class _Record(msgspec.Struct):
    base: str | None = None


def look(repo: "Repository") -> Look:
    """
    Compare the file with its base; without a file and a base nothing else is read.

    Raises RepositoryError where it is no plain file.
    """
    base, text = _base(repo.layout), _text(repo.root)
    if text is None and base is None:
        return Look("none", None, None, behind=_head(repo) is not None)
    found = Look("clean", base, text)
    if found.now == base:
        return found._replace(behind=_head(repo) != base)
    if found.now == _head(repo):  # a commit was killed before it noted this, or Git wrote the file
        return found._replace(base=found.now)
    state: State = "removed" if text is None else "added" if base is None else "changed"
    return found._replace(state=state)


def _head(repo: "Repository") -> str | None:
    blob = repo.snapshot(repo.refs.head_commit()).policy
    return None if blob is None else blob.hex()


def _base(layout: "Layout") -> str | None:
    """Return what the record says; a damaged one counts as none: the file is compared with HEAD."""
    with suppress(OSError, msgspec.MsgspecError, UnicodeDecodeError):
        data = unsealed(_record(layout).read_bytes())
        return msgspec.json.decode(data or b"{}", type=_Record).base
    return None


def _record(layout: "Layout") -> Path:
    return layout.state / "policy"


def _text(root: Path) -> bytes | None:
    path = root / NAME
    if path.is_symlink():
        raise RepositoryError(f"'{NAME}' is a link", hint="put the file itself there")
    try:
        with path.open("rb") as file:
            return file.read(LARGEST + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RepositoryError(f"'{NAME}' cannot be read: {error.strerror}") from None


def settle(layout: "Layout", base: str | None) -> None:
    """Note, durably, what the file is compared with from now on."""
    if base is None:
        _record(layout).unlink(missing_ok=True)
    elif _base(layout) != base:
        make_dirs(layout.state)
        write_atomic(_record(layout), sealed(msgspec.json.encode(_Record(base))))


# -- committing ----------------------------------------------------------------------------------


def stage(change: "Transaction", found: Look) -> PolicyChange:
    """
    Put what the file says into a commit in the making.

    Raises InvalidPolicy where it cannot be read, BranchMoved where the branch has another version.
    """
    if found.text is not None:
        from dvcs.repository.policies.text import parse

        parse(found.text)
    there = change.before.policy
    if (there.hex() if there else None) not in (found.base, found.now):
        raise BranchMoved(
            f"the branch has another '{NAME}' by now, and it was changed here too",
            hint=f"save yours elsewhere, 'dvcs restore {NAME}', and make the change again",
        )
    change.policy = None if found.text is None else change.writer.blob(found.text)
    return PolicyChange(found.base, found.now, found.now)


# -- writing -------------------------------------------------------------------------------------


def plan(
    repo: "Repository", target: bytes | None, *, force: bool, doing: str
) -> PolicyChange | None:
    """
    Return what has to become of the file for a version of it (None: there is to be none).

    None: nothing. Raises DirtyWorkingCopy where a change of the file would be lost and not `force`.
    """
    found = look(repo)
    new = None if target is None else target.hex()
    if not found.dirty and found.base == new:
        return None
    if found.base == new and not force:
        return None  # it is the same there, and keeps its changes
    if found.dirty and found.now != new and not force:
        raise DirtyWorkingCopy(
            f"{doing} would lose changes that are in no commit: {NAME}",
            hint=f"record them with 'dvcs commit', or take them back with 'dvcs restore {NAME}'",
        )
    return PolicyChange(found.base, new, found.now)


def put(repo: "Repository", change: PolicyChange) -> Done:
    """
    Write the file, or remove it; what it held that is in no commit goes to the trash.

    A file that is not as it was seen is kept, and then is a change like any other. Doing it again
    does nothing.
    """
    now = Look("clean", None, _text(repo.root)).now
    done: Done = ""
    if now == change.seen != change.new:
        if change.seen not in (None, change.old):
            _to_trash(repo)
        done = _write(repo, change)
    elif now != change.new:
        done = "kept"
    settle(repo.layout, change.new)
    return done


def _write(repo: "Repository", change: PolicyChange) -> Done:
    path = repo.root / NAME
    if change.new is None:
        path.unlink(missing_ok=True)
        return "removed"
    write_atomic(path, repo.store.blob(bytes.fromhex(change.new)))
    return "written"


def _to_trash(repo: "Repository") -> None:
    folder = repo.layout.trash / f"{time.strftime('%Y%m%dT%H%M%S')}-{secrets.token_hex(3)}"
    folder.mkdir(parents=True, exist_ok=True)
    with suppress(FileNotFoundError):
        (folder / NAME).write_bytes((repo.root / NAME).read_bytes())
