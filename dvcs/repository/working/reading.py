"""
One look at a working copy: its files by stat, its dataset when that is needed.

Media are known by the SHA-256 in the stat index and read only where that does not know them; so
are the sizes of images.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from dvcs import formats
from dvcs.errors import DvcsError, InvalidMedia
from dvcs.files.source import FolderSource
from dvcs.formats._format import Format, options_of
from dvcs.model import Dataset, Item, Media, Origin
from dvcs.repository.ingest import MediaTaker, measured
from dvcs.repository.working import copies, ignore
from dvcs.repository.working.copies import Copy
from dvcs.repository.working.statindex import (
    CONTENT,
    MEDIA,
    PEEKED,
    UNREAD,
    Index,
    Known,
    Scan,
    Stat,
    differing,
    fs_clock,
)

if TYPE_CHECKING:
    from dvcs.repository import Repository

BATCH = 256


class CopyOrigin:
    """A media file of a working copy; its `rel` is the path in it."""

    __slots__ = ("_root", "rel")

    def __init__(self, root: Path, rel: str) -> None:
        self._root = root
        self.rel = rel

    @property
    def path(self) -> Path:
        """The file."""
        return self._root / self.rel

    def read(self) -> bytes:
        """Return the file's bytes."""
        return self.path.read_bytes()


class CopySource(FolderSource):
    """A working copy's folder as a source that notes what is done with each file."""

    def __init__(self, root: Path, files: Mapping[str, Stat], **options: Any) -> None:
        super().__init__(root, **options)
        self._files = files
        self.uses: dict[str, int] = {}

    def _list(self) -> Iterator[str]:
        return iter(self._files)

    def __contains__(self, path: object) -> bool:
        return path in self._files

    def _read(self, path: str) -> bytes:
        local = self.local(path)
        if local is None:
            raise FileNotFoundError(path)
        return local.read_bytes()

    def local(self, path: str) -> Path | None:
        if path not in self._files:
            return None
        self.uses[path] = CONTENT
        return self.root / path

    def buffer(self, path: str) -> Any:
        # A format that looks at the beginning of a file, to see whether it is one of its own, does
        # so once; to read it, it comes again.
        before = self.uses.get(path, UNREAD)
        data = super().buffer(path)
        if before == UNREAD:
            self.uses[path] = PEEKED
        return data

    def origin(self, path: str) -> Origin:
        if self.uses.get(path) != CONTENT:
            self.uses[path] = MEDIA
        return CopyOrigin(self.root, path)


class Reading:
    """
    A look at a working copy.

    `found` are its files now, `index` is what was known of them before, `known` what is known of
    them now; `clock` is the file system's time before this look. Raises RepositoryError where the
    folder cannot be listed, or a link leads out of the working folder to it.
    """

    def __init__(self, repo: "Repository", copy: Copy) -> None:
        self.repo = repo
        self.copy = copy
        copies.require_inside(repo, copy)
        self.root = copy.folder(repo.root)
        self._path = copies.index_path(repo.layout, copy.source)
        self.index = Index.load(self._path)
        self.clock = fs_clock(repo.layout.copies)
        self.exists = (repo.root / copy.path).exists()
        self.found: dict[str, Stat] = {}
        self.odd: list[str] = []
        if self.exists:
            skip = copies.other_places(copy, copies.load(repo.layout).values())
            rules = ignore.load(repo.root, self.root)
            scan = Scan(self.root, rules, repo.layout.media, skip)
            self.found, self.odd = scan.stats, scan.odd
        self._fresh: dict[str, Known] | None = None
        self._source: CopySource | None = None
        self.complete = False
        """Whether the whole dataset was walked, so that `uses` says what every file is for."""

    # What is known

    @property
    def known(self) -> dict[str, Known]:
        """What is known of each file as it is now; of files that changed, nothing."""
        if self._fresh is None:
            old, racy = self.index.known, self.index.racy
            if self.found == self.index.stats and not racy:
                self._fresh = dict(old)
            else:
                stats = self.index.stats
                self._fresh = {
                    path: old[path]
                    for path, stat in self.found.items()
                    if path in old and stats.get(path) == stat and path not in racy
                }
        return self._fresh

    def is_verified(self, token: str) -> bool:
        """
        Tell, without reading what has not been touched, whether the files are still a version.

        Files that were touched and hold what they held count as untouched; so does whatever the
        format has nothing to do with.
        """
        index = self.index
        if index.verified != token:
            return False
        if self.found == index.stats and not index.racy:
            return True
        for path in {*differing(index.stats, self.found), *index.racy}:
            before = index.known.get(path)
            if path not in index.stats or before is None:
                return False  # a new file: the format may make something of it
            if before.use == UNREAD:
                if path in self.found:
                    self.known[path] = Known()
                continue
            if path not in self.found or self.found[path][0] != index.stats[path][0]:
                return False
            if not before.sha256 or self.sha256(path) != before.sha256:
                return False
            self.known[path] = before
        self.save(token)
        return True

    def confirmed(self, path: str) -> Known | None:
        """Return what the index knows of a file that is still as it was; None of any other."""
        stat = self.found.get(path)
        before = self.index.known.get(path)
        if stat is None or before is None or self.index.stats.get(path) != stat:
            return None
        if path in self.index.racy and before.use != UNREAD:
            return before if before.sha256 and self.sha256(path) == before.sha256 else None
        return before

    def sha256(self, path: str) -> bytes:
        """Return the SHA-256 of a file, reading it where that is not known."""
        self._hash([path])
        return self.known[path].sha256

    def _hash(self, paths: Iterable[str]) -> None:
        from dvcs.media.hashing import hash_files

        unknown = [one for one in paths if not self.known.setdefault(one, Known()).sha256]
        for path, (_, digest, _) in zip(
            unknown, hash_files(self.root / one for one in unknown), strict=True
        ):
            self.known[path].sha256 = bytes.fromhex(digest)

    def learn(self, item: Item) -> None:
        """Note the hashes and sizes of an item's media that somebody else has just read."""
        if item.media is None:
            return
        for file, origin in zip(item.media.files, item.origins, strict=False):
            if isinstance(origin, CopyOrigin) and file.sha256 is not None:
                known = self.known.setdefault(origin.rel, Known())
                known.sha256 = bytes.fromhex(file.sha256)
                _note_size(known, item.media)

    # The dataset

    @property
    def format(self) -> Format:
        """The format of the copy."""
        return formats.find(self.copy.format)

    @property
    def source(self) -> CopySource:
        """The folder as a source."""
        if self._source is None:
            self._source = CopySource(
                self.root, self.found, focus=self.copy.focus, subset=self.copy.subset
            )
            self._source.name = self.copy.folder(Path()).as_posix()
        return self._source

    def dataset(self) -> Dataset:
        """Return the dataset as its files are; read as it is walked. Raises what reading raises."""
        options = reading_options(self.format, self.copy.options)
        return formats.read(self.source, self.format, **options)

    def items(self, dataset: Dataset) -> Iterator[Item]:
        """Walk the dataset, with media as a commit would record them."""
        stream = iter(dataset)
        taker = MediaTaker("reference", self.repo.media.writer, self.repo.root)
        while batch := list(islice(stream, BATCH)):
            if self.copy.media == "store":
                self._hash(
                    origin.rel
                    for item in batch
                    for origin in item.origins
                    if isinstance(origin, CopyOrigin)
                )
                yield from map(self._filled, batch)
            elif self.copy.media == "reference":
                yield from taker.take(batch)
            else:
                yield from batch
        self.source.finish()
        self.complete = True

    def _filled(self, item: Item) -> Item:
        """Return an item with hash and size of its media, as storing them would fill in."""
        media = item.media
        if media is None or not item.origins:
            return item
        files = list(media.files)
        first: Known | None = None
        for n, origin in enumerate(item.origins):
            if isinstance(origin, CopyOrigin):
                known = self.known[origin.rel]
                first = first or known
                files[n] = msgspec.structs.replace(
                    files[n], sha256=known.sha256.hex(), size=self.found[origin.rel][0]
                )
        if first is not None and first.height and media.size is None and media.kind == "image":
            filled = msgspec.structs.replace(
                media,
                files=tuple(files),
                height=first.height,
                width=first.width,
                orientation=first.orientation or None,
            )
            return item.with_(media=filled)
        filled = media
        with suppress(InvalidMedia):
            filled = measured(item, tuple(files))
        if first is not None and media.size is None:
            _note_size(first, filled)
        return item.with_(media=filled)

    # Afterwards

    @property
    def unread(self) -> list[str]:
        """The files that the format makes nothing of, sorted; all of which it is not known."""
        if self.copy.single:
            return []
        left = [path for path in self.found if self.known.get(path, Known()).use == UNREAD]
        return sorted([*left, *self.odd])

    def settle(self) -> None:
        """Note what the format did with each file, after a complete walk."""
        if not self.complete:
            return
        content = []
        for path in self.found:
            known = self.known.setdefault(path, Known())
            known.use = self.source.uses.get(path, UNREAD)
            if path == self.copy.focus:
                known.use = CONTENT
            if known.use in (CONTENT, PEEKED) and not known.sha256:
                content.append(path)
        with suppress(DvcsError):
            self._hash(content)

    def save(self, verified: str) -> None:
        """Write the index: the files as they are now, and which version they are ('' = none)."""
        index = Index()
        index.stats, index.known, index.verified = self.found, self.known, verified
        index.save(self._path, self.clock)
        self.index = index


def _note_size(known: Known, media: Media) -> None:
    if media.size is not None:
        known.height, known.width = media.size
        known.orientation = media.orientation or 0


def reading_options(format: Format, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return those options that the format's reader has."""
    if format.read is None:
        return {}
    return {name: value for name, value in options.items() if name in options_of(format.read)}


def writing_options(format: Format, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return those options that the format's writer has."""
    if format.write is None:
        return {}
    return {name: value for name, value in options.items() if name in options_of(format.write)}
