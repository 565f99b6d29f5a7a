"""Writing a dataset's files to a zip archive."""

import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from dvcs.errors import UsageError
from dvcs.files.sink import EPOCH, Sink, beside
from dvcs.names import extension


class ZipSink(Sink):
    """
    A zip archive; equal datasets give equal bytes.

    Raises UsageError where there is a file of that name, unless with `update`.
    """

    def __init__(self, target: Path, *, update: bool = False, **options: Any) -> None:
        super().__init__(**options)
        if target.is_symlink() or (target.exists() and not (update and target.is_file())):
            raise UsageError(f"'{target}' exists", hint="choose another name, or use --update")
        target.parent.mkdir(parents=True, exist_ok=True)
        self._target = target
        self._temp = beside(target)
        self._file = self._temp.open("wb")
        self._zip = zipfile.ZipFile(self._file, "w", zipfile.ZIP_DEFLATED)

    @contextmanager
    def _open(self, path: str) -> Iterator[IO[bytes]]:
        info = zipfile.ZipInfo(path, EPOCH)
        info.external_attr = 0o644 << 16
        packed = extension(path).lower() in (".jpg", ".jpeg", ".png", ".webp", ".gif")
        info.compress_type = zipfile.ZIP_STORED if packed else zipfile.ZIP_DEFLATED
        buffer = io.BytesIO()
        yield buffer
        self._zip.writestr(info, buffer.getvalue())

    def _wrote(self, path: str, data: bytes | None = None) -> None:
        del data  # the archive's own account
        info = self._zip.getinfo(path)
        self.sums[path] = info.file_size, info.CRC

    def _complete(self) -> None:
        self._zip.close()
        self._file.close()
        self._temp.replace(self._target)

    def abandon(self) -> None:
        # Closing writes the archive's directory, for which a full disk has no room either.
        with suppress(OSError, ValueError):
            self._zip.close()
        with suppress(OSError):
            self._file.close()
        self._temp.unlink(missing_ok=True)
