"""
Writing a dataset's files to a folder.

A folder is staged beside its target and moved there when all is written. An update puts in place
only what is not there already, after all that it replaces was found to be what an export wrote.
"""

import os
import shutil
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from dvcs.errors import UnsafeName, UsageError
from dvcs.files.origins import Copying, ListedOrigin, copy_file
from dvcs.files.sink import Sink, Sum, beside, sum_of
from dvcs.model import Origin
from dvcs.names import fits_windows, item_id, portable_collisions

NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


class FolderSink(Sink):
    """
    A folder, made new; or with `update`, brought up to date.

    An update leaves files alone that would not change, and those that the sink knows nothing of;
    `stale` are paths of an earlier export that go unless they are written again, `guard` is told
    which paths an update is about to write or remove, and raises where it may not.
    Raises UsageError where the target is a file, or a folder that is not empty without `update`.
    """

    def __init__(
        self,
        target: Path,
        *,
        update: bool = False,
        stale: Iterable[str] = (),
        guard: Callable[[Sequence[str]], None] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self._target = target
        self._stale = frozenset(stale)
        self._guard = guard
        self.changed: list[str] = []
        """The paths that an update wrote or removed."""
        if target.is_symlink() or (target.exists() and not target.is_dir()):
            raise UsageError(f"'{target}' is not a folder", hint="choose another place")
        if not update and target.exists() and any(target.iterdir()):
            raise UsageError(
                f"'{target}' is not empty",
                hint="choose another folder, or bring an earlier export up to date with --update",
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        self._stage = beside(target)
        self._stage.mkdir()
        self._made: set[str] = {""}

    def _staged(self, path: str) -> str:
        if os.name == "nt" and not fits_windows(path):
            raise UnsafeName(f"Windows cannot hold a file called '{path}'", hint="rename the item")
        folder = path.rpartition("/")[0]
        if folder not in self._made:
            (self._stage / folder).mkdir(parents=True, exist_ok=True)
            self._made.add(folder)
        return f"{self._stage}/{path}"

    @contextmanager
    def _open(self, path: str) -> Iterator[IO[bytes]]:
        with Path(self._staged(path)).open("xb", buffering=1 << 20) as file:
            yield file

    def _write(self, path: str, data: bytes) -> None:
        # Formats of a file an image write thousands of them: a file object each costs as much again
        # as the three system calls, more where these are slow.
        descriptor = os.open(self._staged(path), NEW_FILE, 0o666)
        try:
            left = memoryview(data)
            while left:
                left = left[os.write(descriptor, left) :]
        finally:
            os.close(descriptor)

    def _media(self, path: str, origin: Origin) -> None:
        staged = self._staged(path)
        if isinstance(origin, ListedOrigin):
            copy_file(origin.file, staged, link=self.link)
        elif isinstance(origin, Copying):
            origin.copy_to(Path(staged), link=self.link)
        elif origin.path is not None:
            copy_file(origin.path, staged, link=self.link)
        else:
            self._write(path, origin.read())

    def _wrote(self, path: str, data: bytes | None = None) -> None:
        # 0.2 us for a YOLO file; SHA-256 takes twice that, and tells no more of edits.
        known = sum_of_file(self._stage / path) if data is None else sum_of(data)
        self.sums[path] = known

    def _complete(self) -> None:
        self._refuse_collisions()
        if not self._target.exists() or not any(self._target.iterdir()):
            if self._target.exists():
                self._target.rmdir()
            self._stage.rename(self._target)
            self.changed = list(self.written)
            return
        stale = sorted(map(item_id, self._stale - self.written.keys()))
        for path in (*self.written, *stale):  # all of them, before the first is touched
            _check_free(self._target, path)
        new = [path for path in self.written if not self._is_there(path)]
        old = [path for path in stale if (self._target / path).is_file()]
        if self._guard is not None:
            self._guard([*new, *old])
        for path in new:
            target = self._target / path
            target.parent.mkdir(parents=True, exist_ok=True)
            (self._stage / path).replace(target)
        for path in old:
            (self._target / path).unlink()
        self.changed = [*new, *old]
        shutil.rmtree(self._stage)

    def _is_there(self, path: str) -> bool:
        target = self._target / path
        return target.is_file() and not target.is_symlink() and _same(self._stage / path, target)

    def _refuse_collisions(self) -> None:
        pairs = portable_collisions(list(self.written))
        if not pairs or not _folds_case(self._stage):
            return
        first, second = pairs[0]
        raise UnsafeName(
            f"this disk cannot tell '{first}' from '{second}'"
            + (f" ({len(pairs)} such pairs)" if len(pairs) > 1 else ""),
            hint="rename one of them, or export to a disk that keeps letter case",
        )

    def abandon(self) -> None:
        shutil.rmtree(self._stage, ignore_errors=True)


def _check_free(root: Path, path: str) -> None:
    """Raise UnsafeName where a file below a folder would go through a link, or replace a folder."""
    here = root
    for part in path.split("/")[:-1]:
        here /= part
        if here.is_symlink():
            raise UnsafeName(f"'{here}' is a symbolic link", hint="replace it by a folder")
        if here.is_file():
            raise UnsafeName(f"'{here}' is a file, not a folder", hint="move it away")
    if (root / path).is_dir():
        raise UnsafeName(f"'{root / path}' is a folder, not a file", hint="move it away")


def sum_of_file(file: Path) -> Sum:
    """Return the size and CRC-32 of a file."""
    size, crc = 0, 0
    with file.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            size, crc = size + len(chunk), zlib.crc32(chunk, crc)
    return size, crc


def _same(one: Path, other: Path) -> bool:
    if one.stat().st_size != other.stat().st_size:
        return False
    with one.open("rb") as a, other.open("rb") as b:
        while chunk := a.read(1 << 20):
            if chunk != b.read(len(chunk)):
                return False
    return True


def _folds_case(folder: Path) -> bool:
    probe = folder / ".dvcs-case"
    probe.touch()
    folded = (folder / ".DVCS-CASE").exists()
    probe.unlink()
    return folded
