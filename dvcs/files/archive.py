"""
Zip and tar archives as sources.

An archive is not unpacked: its members are read when asked for, each against limits that count
the bytes that really come out. Names that leave the folder, links, devices, encrypted members and
two members of one name are refused.
"""

import lzma
import stat
import struct
import tarfile
import zipfile
import zlib
from abc import abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

from dvcs.errors import DvcsError, FormatError, UnsafeName
from dvcs.files.source import Source
from dvcs.names import item_id

RATIO = 200
LEAST = 1 << 30
MOST_MEMBERS = 5_000_000
# What the standard library raises for archives that are not what they claim to be; a version that
# it does not know is NotImplementedError, a name that is not UTF-8 ValueError.
DAMAGED = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, struct.error, OSError),
    *(EOFError, NotImplementedError, RuntimeError, ValueError, OverflowError),
)


class _Archive(Source):
    """What zip and tar share: checked names, and a budget of bytes that may come out."""

    def __init__(self, path: Path, **options: Any) -> None:
        super().__init__(str(path), **options)
        self._path = path
        self._budget = max(LEAST, RATIO * path.stat().st_size)
        self._members: dict[str, Any] = {}

    def _add(self, name: str, member: object) -> None:
        try:
            path = item_id(name.removeprefix("./"))
        except UnsafeName as error:
            raise UnsafeName(f"{self.name}: {error}", hint="do not trust this archive") from None
        if path in self._members:
            raise FormatError(f"has two members called '{path}'", self.name)
        if len(self._members) >= MOST_MEMBERS:
            raise FormatError(f"has more than {MOST_MEMBERS} members", self.name)
        self._members[path] = member

    def _list(self) -> Iterable[str]:
        return self._members

    @abstractmethod
    def _open(self, member: Any) -> IO[bytes]: ...

    def _read(self, path: str) -> bytes:
        if path not in self._members:
            raise FileNotFoundError(path)
        try:
            with self._open(self._members[path]) as file:
                data = file.read(self._budget + 1)
        except DAMAGED as error:
            raise FormatError(f"is damaged ({error})", self.place(path)) from None
        self._budget -= len(data)
        if self._budget < 0:
            raise FormatError(
                "unpacks to far more than its size", self.name, hint="unpack it yourself first"
            )
        return data


class ZipSource(_Archive):
    """A zip archive."""

    def __init__(self, path: Path, **options: Any) -> None:
        super().__init__(path, **options)
        try:
            self._zip = zipfile.ZipFile(path)
        except DAMAGED as error:
            raise FormatError(f"is a damaged zip archive ({error})", path) from None
        try:
            for info in self._zip.infolist():
                self._take(info)
        except DvcsError:
            self.close()
            raise

    def _take(self, info: zipfile.ZipInfo) -> None:
        name = info.orig_filename
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind and kind not in (stat.S_IFREG, stat.S_IFDIR):
            raise UnsafeName(f"{self.name}: member {name!r} is a link or device")
        if info.flag_bits & 1:
            raise FormatError(f"member {name!r} is encrypted", self.name)
        if not name.endswith(("/", "\\")):  # tools on Windows end folders so
            self._add(name, info)

    def _open(self, member: Any) -> IO[bytes]:
        return self._zip.open(member)

    def close(self) -> None:
        self._zip.close()


class TarSource(_Archive):
    """A tar archive, compressed or not."""

    def __init__(self, path: Path, **options: Any) -> None:
        super().__init__(path, **options)
        try:
            self._tar = tarfile.open(path)  # noqa: SIM115
        except DAMAGED as error:
            raise FormatError(f"is a damaged tar archive ({error})", path) from None
        try:
            members = self._tar.getmembers()
        except DAMAGED as error:
            self.close()
            raise FormatError(f"is a damaged tar archive ({error})", path) from None
        try:
            for info in members:
                if info.isreg():
                    self._add(info.name, info)
                elif not info.isdir():
                    raise UnsafeName(f"{path}: member {info.name!r} is a link or device")
        except DvcsError:
            self.close()
            raise

    def _open(self, member: Any) -> IO[bytes]:
        file = self._tar.extractfile(member)
        if file is None:
            raise EOFError("no such member")
        return file

    def close(self) -> None:
        self._tar.close()


def open_archive(path: Path, **options: Any) -> Source | None:
    """Return an archive as a source, None where a file is none."""
    try:
        if zipfile.is_zipfile(path):
            return ZipSource(path, **options)
        if path.stat().st_size >= tarfile.BLOCKSIZE and tarfile.is_tarfile(path):
            return TarSource(path, **options)
    except OSError as error:
        raise FormatError(f"cannot be read ({error.strerror or error})", path) from None
    except DAMAGED as error:
        raise FormatError(f"is a damaged archive ({error})", path) from None
    return None
