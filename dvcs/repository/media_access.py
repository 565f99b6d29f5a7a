"""Where the bytes of a revision's media are: in the media store, or where a record refers to."""

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import msgspec

from dvcs.errors import CorruptObject
from dvcs.files import PathOrigin
from dvcs.files.origins import Copying, Peeking
from dvcs.model import MediaFile, Origin
from dvcs.repository import absent
from dvcs.repository.references import References
from dvcs.repository.snapshot import MediaAccess

if TYPE_CHECKING:
    from dvcs.objects.media import MediaStore
    from dvcs.repository import Repository


class StoredOrigin(msgspec.Struct, Copying, Peeking, frozen=True):
    """A file in the media store; what it gives is verified."""

    store: "MediaStore"
    sha256: str

    @property
    def path(self) -> Path | None:
        """None: nobody reads the store's files directly."""
        return None

    def read(self) -> bytes:
        """Return the bytes. Raises MissingObject and CorruptObject."""
        return self.store.read(self.sha256)

    def peek(self) -> BinaryIO:
        """Return a file for a look at the beginning. Raises MissingObject and CorruptObject."""
        return self.store.peek(self.sha256)

    def copy_to(self, target: Path, *, link: str) -> None:
        """Write the bytes to a new file that nobody looks at before all is written."""
        self.store.copy_to(self.sha256, target, link=link, fresh=True)  # type: ignore[arg-type]


class ReferencedOrigin(PathOrigin, frozen=True):
    """A file that is not stored; where its hash is known, it is verified."""

    sha256: str | None

    def read(self) -> bytes:
        """Return the bytes. Raises CorruptObject where the file is not what it was."""
        import hashlib

        data = self.path.read_bytes()
        if self.sha256 is not None and hashlib.sha256(data).hexdigest() != self.sha256:
            raise CorruptObject(
                f"'{self.path}' is not the file that was referred to",
                hint="put the old one back, or import the new one",
            )
        return data


class StoredMediaAccess(MediaAccess):
    """Finds media in the store of a repository, else where their records refer to."""

    def __init__(self, repo: "Repository") -> None:
        self._repo = repo
        self.references = References(repo.layout)

    def origin(self, file: MediaFile) -> Origin | None:
        """
        Return where the bytes of a file can be had, None where they cannot.

        None also of what was never here. Else whether the store has a file is found out when it is
        read: asked of 60,000 small files beforehand, that takes longer than reading the items.
        """
        sha256, media = file.sha256, self._repo.media
        if sha256 is not None and (file.url is None or sha256 in media):
            if sha256 in self._absent and sha256 not in media:
                return None
            return StoredOrigin(media, sha256)
        if file.url is not None and "://" not in file.url:
            path = self.references.find(file.url)
            if path is not None:
                return ReferencedOrigin(path, file.sha256)
        return None

    def refresh(self) -> None:
        """Look anew at what was never here."""
        self.__dict__.pop("_absent", None)

    @cached_property
    def _absent(self) -> frozenset[str]:
        return absent.known(self._repo.layout)
