"""
Branches, tags and HEAD: read as Git writes them, moved only under the repository's lock.

Reading needs no lock and sees loose refs before packed ones. `move` is the last step of the commit
protocol (`oplog.py`): Git's own `<ref>.lock` is taken too, so that plain Git beside dvcs is safe.
"""

import errno
import os
import re
import time
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Self

from dvcs.errors import BranchMoved, CorruptObject, Locked, UsageError
from dvcs.objects._durable import NEW_FILE_MODE, fsync_dir, fsync_file, make_dirs, write_all
from dvcs.repository import links

HEADS, TAGS, REMOTES, OWN = "refs/heads/", "refs/tags/", "refs/remotes/", "refs/dvcs/"
BISECT = f"{OWN}bisect/"
"""What a search holds; it is no change that `undo` would take back."""
SYMBOLIC = b"ref: "
HEX = re.compile(rb"[0-9a-f]{40}\Z")
FORBIDDEN = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|^/|/$|\.$|^-|\.lock(?:/|$)|(?:^|/)\.")

GIT_PATIENCE = 2.0
"""Seconds to wait for a lock of Git's, which holds it for milliseconds (`git gc` beside us)."""
GITS_MOMENT = 0.2
"""Seconds after which an empty lock of Git's is taken for one that a killed process left."""
DEEPEST = 5
PACKED = "packed-refs"


def check_name(name: str, what: str = "branch") -> str:
    """Return a branch's or tag's name. Raises UsageError where Git would refuse it."""
    if name in {"@", "HEAD"} or not is_ref_name(name):
        raise UsageError(
            f"'{name}' cannot be the name of a {what}",
            hint="use letters, digits, '-', '_', '.' and '/'",
        )
    return name


def is_ref_name(name: str) -> bool:
    """Tell whether a full or short name is one that Git allows, and that no path can be made of."""
    if not name or FORBIDDEN.search(name):
        return False
    try:
        return len(name.encode()) < 1000  # what file systems and Git have room for
    except UnicodeEncodeError:
        return False


class Refs:
    """The refs of a repository."""

    def __init__(self, git: Path) -> None:
        self._git = git

    # Reading

    def head(self) -> str | bytes:
        """Return the full name of the branch that HEAD is on, or the commit it is detached at."""
        data = self._file("HEAD")
        if data is None:
            raise CorruptObject("'HEAD' is missing", hint="run 'dvcs fsck'")
        if data.startswith(SYMBOLIC):
            name = data.removeprefix(SYMBOLIC).strip().decode(errors="replace")
            if not name.startswith("refs/") or not is_ref_name(name):
                raise CorruptObject(f"'HEAD' names {name!r}", hint="run 'dvcs fsck'")
            return name
        return self._oid(data, "HEAD")

    def head_branch(self) -> str | None:
        """Return the short name of the branch that HEAD is on, None where it is detached."""
        head = self.head()
        return head.removeprefix(HEADS) if isinstance(head, str) else None

    def head_commit(self) -> bytes | None:
        """Return the commit that HEAD is at; None on a branch without commits."""
        head = self.head()
        return self.read(head) if isinstance(head, str) else head

    def read(self, name: str) -> bytes | None:
        """Return what a ref points at, None where there is no such ref."""
        return self._read(name, DEEPEST)

    def _read(self, name: str, depth: int) -> bytes | None:
        if not is_ref_name(name):
            return None
        data = self._file(name)
        if data is None:
            return self._packed().get(name)
        if not data.startswith(SYMBOLIC):
            return self._oid(data, name)
        target = data.removeprefix(SYMBOLIC).strip().decode(errors="replace")
        return self._read(target, depth - 1) if depth and target.startswith("refs/") else None

    def all(self, prefix: str = "refs/") -> dict[str, bytes]:
        """Return the refs whose full name begins with `prefix`, sorted by name."""
        found = {name: oid for name, oid in self._packed().items() if name.startswith(prefix)}
        for name in self._loose("refs"):
            if name.startswith(prefix):
                oid = self.read(name)
                if oid is not None:
                    found[name] = oid
        return dict(sorted(found.items()))

    def _loose(self, folder: str) -> Iterator[str]:
        with suppress(FileNotFoundError), os.scandir(self._git / folder) as entries:
            for entry in entries:
                name = f"{folder}/{entry.name}"
                if entry.is_dir(follow_symlinks=False):
                    yield from self._loose(name)
                elif not name.endswith(".lock"):
                    yield name

    def _file(self, name: str) -> bytes | None:
        try:
            return (self._git / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                return None
            raise CorruptObject(f"'{name}' cannot be read: {error.strerror}") from error

    def _oid(self, data: bytes, name: str) -> bytes:
        # Exactly as written: a flipped bit must not pass for a space.
        text = data.removesuffix(b"\n").removesuffix(b"\r")
        if not HEX.match(text):
            raise CorruptObject(f"the ref '{name}' is damaged", hint="run 'dvcs fsck'")
        return bytes.fromhex(text.decode())

    def _packed(self) -> dict[str, bytes]:
        data = self._file(PACKED)
        refs: dict[str, bytes] = {}
        for line in (data or b"").splitlines():
            if line[:1] in (b"#", b"^", b""):
                continue
            oid, _, name = line.partition(b" ")
            if not HEX.match(oid) or not name:
                raise CorruptObject("'packed-refs' is damaged", hint="run 'dvcs fsck'")
            refs[name.decode(errors="surrogateescape")] = bytes.fromhex(oid.decode())
        return refs

    # Writing: only `oplog.py` calls these, under the lock

    def move(self, name: str, old: bytes | None, new: bytes | None) -> None:
        """
        Point a ref from one commit at another, durably; None: there is no such ref.

        Raises BranchMoved where it is not at `old`, and Locked where Git holds it.
        """
        path = self._place(name)
        with _GitLock(path) as lock:
            if self.read(name) != old:
                short = name.removeprefix(HEADS)
                raise BranchMoved(
                    f"'{short}' was moved by Git meanwhile", hint="run the command again"
                )
            if new is None:
                self._forget_packed(name)
                path.unlink(missing_ok=True)
                fsync_dir(path.parent)
            else:
                _remove_empty_folders(path)
                lock.replace(new.hex().encode() + b"\n")

    def set_head(self, target: str | bytes) -> None:
        """Put HEAD on a branch (full name) or detach it at a commit."""
        data = SYMBOLIC + target.encode() if isinstance(target, str) else target.hex().encode()
        with _GitLock(self._git / "HEAD") as lock:
            lock.replace(data + b"\n")

    def _place(self, name: str) -> Path:
        """
        Return the file of a ref that is to be written.

        Names may come from files that somebody sent. Raises CorruptObject for what is no name of a
        ref, RepositoryError where a link is on the way.
        """
        is_ref = name.startswith("refs/") and is_ref_name(name)
        if not is_ref and name not in ("HEAD", PACKED):
            raise CorruptObject(f"{name!r} is not the name of a ref", hint="run 'dvcs fsck'")
        path = self._git / name
        links.refuse_between(self._git, path)
        return path

    def _forget_packed(self, name: str) -> None:
        if name not in self._packed():
            return
        path = self._git / PACKED
        with _GitLock(path) as lock:
            kept = []
            skip = False
            for line in path.read_bytes().splitlines(keepends=True):
                if line.startswith(b"^") and skip:
                    continue
                skip = line.rstrip(b"\n").partition(b" ")[2] == name.encode()
                if not skip:
                    kept.append(line)
            lock.replace(b"".join(kept))

    def clear_lock(self, name: str, values: Collection[str] | None = None) -> None:
        """
        Remove Git's lock of a file that a killed dvcs left while it wrote one of `values`.

        What holds something else is Git's own. An empty one could be: that is gone soon.
        """
        path = self._place(name).with_name(f"{name.rpartition('/')[2]}.lock")
        deadline = time.monotonic() + GITS_MOMENT
        with suppress(FileNotFoundError, NotADirectoryError):  # `a/b`, where `a` is a branch again
            while True:
                held = path.read_bytes()
                if held and values is not None:
                    if any(f"{value}\n".encode().startswith(held) for value in values):
                        path.unlink()
                    return
                if time.monotonic() > deadline:
                    path.unlink()
                    return
                time.sleep(0.01)


def _remove_empty_folders(path: Path) -> None:
    """Remove what is left of a branch `a/b` where one called `a` is to be."""
    if path.is_dir():
        for folder, _, _ in os.walk(path, topdown=False):
            with suppress(OSError):  # not empty: then the branch cannot be made either
                Path(folder).rmdir()


class _GitLock:
    """Git's `<file>.lock`: made, filled, and renamed to the file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = path.with_name(f"{path.name}.lock")
        self._fd = -1
        self._is_held = False

    def __enter__(self) -> Self:
        deadline = time.monotonic() + GIT_PATIENCE
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        while True:
            make_dirs(self._path.parent)
            try:
                self._fd = os.open(self._lock, flags, NEW_FILE_MODE)
            except (FileExistsError, FileNotFoundError):  # the latter: Git removed the empty folder
                if time.monotonic() < deadline:
                    time.sleep(0.01)
                    continue
                raise Locked(
                    f"'{self._lock}' exists: Git is writing, or was killed while it did",
                    hint="if no Git command runs, remove that file",
                ) from None
            self._is_held = True
            return self

    def replace(self, data: bytes) -> None:
        write_all(self._fd, data)
        fsync_file(self._fd)
        self._close()
        self._lock.replace(self._path)
        self._is_held = False
        fsync_dir(self._path.parent)

    def __exit__(self, *error: object) -> None:
        self._close()
        if self._is_held:  # else its name may be Git's again
            self._lock.unlink(missing_ok=True)

    def _close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)
