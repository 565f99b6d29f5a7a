"""
What is known of a working copy's files without reading them: the stat index.

    state/copies/<source>.index     CRC-32, then MessagePack

For each file its size, mtime, ctime, inode and device, the SHA-256 of what it held when it had
these, what the format did with it, and an image's size. `status` of an unchanged folder is a stat a
file and one comparison of two dictionaries; 60,000 files: 0.25 s, of which the stats are 0.2 s.

A file that was changed in the same tick of the file system's clock in which it was looked at may
have changed again since (as in Git, which calls it racy): such files are named in the index, and
read again. A damaged or missing index is no error: everything is read again.
"""

import os
import stat
import zlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from dvcs.errors import FormatError, RepositoryError
from dvcs.files.folders import IGNORED_FOLDERS, is_link, real_path
from dvcs.files.source import IGNORED
from dvcs.objects._durable import create_temp, write_atomic
from dvcs.repository.working.ignore import Ignore

Stat = tuple[int, int, int, int, int]
"""Size in bytes, mtime and ctime in nanoseconds, inode, device."""

UNREAD, CONTENT, MEDIA, PEEKED = 0, 1, 2, 3
"""What the format did with a file: nothing, read it, took it for media, glanced at it."""

VERSION = 1
PATIENCE = 50
"""How many milliseconds to wait at most for the next tick of the file system's clock."""


class Known(msgspec.Struct, array_like=True, gc=False):
    """What is known of one file. `sha256` is b"" where nobody looked; 0 is an unknown number."""

    sha256: bytes = b""
    use: int = UNREAD
    height: int = 0
    width: int = 0
    orientation: int = 0


class _Stored(msgspec.Struct, array_like=True):
    version: int
    verified: str
    racy: list[str]
    stats: dict[str, Stat]
    known: msgspec.Raw


_DECODER = msgspec.msgpack.Decoder(_Stored)
_KNOWN = msgspec.msgpack.Decoder(dict[str, Known])
_ENCODER = msgspec.msgpack.Encoder()


class Index:
    """
    The files of a working copy as they were when somebody last looked.

    `verified` says of which version of the source they were found to be an exact copy ('' where
    they were not). `racy` files must be read again even where their stat is the same.
    """

    def __init__(self) -> None:
        self.stats: dict[str, Stat] = {}
        self.verified = ""
        self.racy: frozenset[str] = frozenset()
        self._known: dict[str, Known] | msgspec.Raw = {}

    @property
    def known(self) -> dict[str, Known]:
        """What is known of each file; decoded when it is first needed."""
        if isinstance(self._known, msgspec.Raw):
            try:
                self._known = _KNOWN.decode(self._known)
            except msgspec.MsgspecError:
                self._known = {}
        return self._known

    @known.setter
    def known(self, value: dict[str, Known]) -> None:
        self._known = value

    @classmethod
    def load(cls, path: Path) -> "Index":
        """Return the index in a file; an empty one where it is missing or damaged."""
        index = cls()
        with suppress(OSError, msgspec.MsgspecError, UnicodeDecodeError):
            data = path.read_bytes()
            if zlib.crc32(data[4:]) != int.from_bytes(data[:4]):
                return index
            stored = _DECODER.decode(memoryview(data)[4:])
            if stored.version == VERSION:
                index.stats, index.verified = stored.stats, stored.verified
                index.racy, index._known = frozenset(stored.racy), stored.known
        return index

    def save(self, path: Path, clock: int) -> None:
        """
        Write the index; `clock` is the file system's time before anything in it was looked at.

        Not being able to (a full or read-only disk) costs time later, and nothing else.
        """
        racy = [name for name, one in self.stats.items() if one[1] >= clock or one[2] >= clock]
        known = self._known
        if not isinstance(known, msgspec.Raw):
            known = msgspec.Raw(_ENCODER.encode(known))
        data = _ENCODER.encode(_Stored(VERSION, self.verified, racy, self.stats, known))
        with suppress(OSError):
            write_atomic(path, zlib.crc32(data).to_bytes(4) + data)


def stat_of(path: Path) -> Stat | None:
    """Return a file's stat as the index has it; None where there is no such file."""
    try:
        found = path.lstat()
        if stat.S_ISLNK(found.st_mode):
            found = path.stat()
    except OSError:
        return None
    return _stat(found)


def _stat(found: os.stat_result) -> Stat:
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_dev


def fs_clock(folder: Path) -> int:
    """
    Return the time, in nanoseconds, that a file changed now would get.

    The clock of file systems goes in ticks of up to 10 ms (or 2 s) and may be another machine's.
    0 where nothing can be written, so that all files count as racy.
    """
    try:
        fd, path = create_temp(folder)
    except OSError:
        return 0
    try:
        return os.fstat(fd).st_mtime_ns
    finally:
        os.close(fd)
        with suppress(OSError):  # then it is cleared away later
            path.unlink(missing_ok=True)


def settled_clock(folder: Path, newest: int) -> int:
    """Return the time as `fs_clock`, after waiting a moment for it to be later than `newest`."""
    import time

    clock = fs_clock(folder)
    for _ in range(PATIENCE):
        if clock > newest or not clock:
            break
        time.sleep(0.001)
        clock = fs_clock(folder)
    return clock


class Scan:
    """
    The files below a folder: `stats` by `/`-path, `odd` those whose names are not Unicode.

    dvcs's, Git's and the system's own files are left out, and what `ignore` and `skip` (paths of
    folders) name. A symbolic link is followed to a file in the folder or below `links` only.
    """

    def __init__(self, root: Path, ignore: Ignore, links: Path, skip: Collection[str] = ()) -> None:
        self.stats: dict[str, Stat] = {}
        self.odd: list[str] = []
        self._root = root
        self._ignore = ignore
        self._skip = skip
        self._allowed = (real_path(root), real_path(links))
        self._walk(str(root), "")

    def _walk(self, folder: str, prefix: str) -> None:
        try:
            with os.scandir(folder) as entries:
                listed = list(entries)
        except OSError as error:
            raise RepositoryError(f"'{folder}' cannot be listed ({error.strerror})") from None
        stats, ignore = self.stats, self._ignore
        for entry in listed:
            name = entry.name
            path = prefix + name
            if entry.is_symlink():
                self._link(entry, path)
            elif entry.is_dir(follow_symlinks=False):
                if name in IGNORED_FOLDERS or path in self._skip:
                    continue
                if is_link(entry):
                    self._link(entry, path)
                elif not (ignore and ignore.ignores(path, folder=True)):
                    self._walk(entry.path, path + "/")
            elif entry.is_file(follow_symlinks=False):
                if name in IGNORED or name[:2] == "._":
                    continue
                if ignore and ignore.ignores(path, folder=False):
                    continue
                if not path.isascii() and not _is_text(path):
                    self.odd.append(ascii(path))
                    continue
                found = entry.stat(follow_symlinks=False)
                stats[path] = (
                    found.st_size,
                    found.st_mtime_ns,
                    found.st_ctime_ns,
                    found.st_ino,
                    found.st_dev,
                )

    def _link(self, entry: "os.DirEntry[str]", path: str) -> None:
        if entry.name in IGNORED or (self._ignore and self._ignore.ignores(path, folder=False)):
            return
        local = self._root / path
        target = real_path(local)
        if not any(target.is_relative_to(allowed) for allowed in self._allowed):
            raise FormatError(
                "is a symbolic link that leads out of the working copy",
                local,
                hint="replace it by a copy, or name it in '.dvcsignore'",
            )
        if not target.is_file():
            raise FormatError(
                "is a symbolic link to a folder" if target.is_dir() else "leads to nothing",
                local,
                hint="replace it by a copy, or name it in '.dvcsignore'",
            )
        self.stats[path] = _stat(target.stat())


def _is_text(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def differing(old: Mapping[str, Stat], new: Mapping[str, Stat]) -> Iterator[str]:
    """Yield the files that are not on both sides with the same stat."""
    for path, one in new.items():
        if old.get(path) != one:
            yield path
    for path in old:
        if path not in new:
            yield path
