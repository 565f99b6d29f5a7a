"""
What a repository needs: everything that its refs, HEAD, working copies and operations lead to.

One walk serves `fsck` (is all of it there and sound?) and `gc` (what is not needed?). Each object
is visited once; what cannot be read is reported and the walk goes on. `Places` then tells, for the
few objects that are damaged, which items and commits are affected.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Literal, NamedTuple

from dvcs.errors import CorruptObject, DvcsError
from dvcs.model import Raster
from dvcs.names import unquote
from dvcs.objects.gitobjects import MODE_COMMIT, MODE_TREE, Commit, Kind, TreeEntry, decode_commit
from dvcs.objects.items import decode_annotation, decode_header, decode_labels, is_canonical
from dvcs.objects.trees import NUMBERED, SUFFIX
from dvcs.repository.oplog import HEAD, SYMBOLIC, Log
from dvcs.repository.revisions import TARGET
from dvcs.repository.sealing import unsealed
from dvcs.repository.snapshot import CATEGORIES, ITEMS

if TYPE_CHECKING:
    from dvcs.objects.store import ObjectStore
    from dvcs.repository import Repository

MEDIA_ID = re.compile(rb'"sha256":"([0-9a-f]{64})"')
COMMIT_ID = re.compile(rb'"commit":"([0-9a-f]{40})"')
HEX = re.compile(r"[0-9a-f]{40}\Z")
RASTER = b'"type":"raster"'
DEEPEST = 200
ITEM_DEPTH = 2
"""Folders above the items' own: the source and `items`."""

Path = tuple[bytes, ...]
_Role = Literal["item", "part", "file"]
"""What a blob is: an item (or its beginning), what a large item goes on in, or another file."""


class Trouble(NamedTuple):
    """Something that a root leads to and that cannot be read, or is not spelt as it should be."""

    message: str
    oid: bytes
    is_error: bool


class Reachable:
    """The objects and media that some roots lead to, and the troubles on the way."""

    def __init__(self, repo: "Repository", *, check: bool = False) -> None:
        self._store = repo.store
        self._check = check
        """Whether to look at how items are spelt, too."""
        self._seen: set[tuple[bytes, _Role | bool]] = set()
        self.objects: set[bytes] = set()
        self.media: dict[str, tuple[bytes, ...]] = {}
        """The files of media that items need, and the blobs of these items."""
        self.named_media: set[str] = set()
        """These, and whatever else in an item looks like the id of one: not to be removed."""
        self.troubles: list[Trouble] = []

    def add(self, root: bytes) -> None:
        """Walk from a commit or tag."""
        stack = [root]
        while stack:
            oid = stack.pop()
            if oid in self.objects:
                continue
            self.objects.add(oid)
            try:
                target = tag_target(self._store.read(oid))
                if target is not None:
                    stack.append(target)
                    continue
                commit = self._store.commit(oid)
            except DvcsError as error:
                self._note(error, oid)
                continue
            self._tree(commit.tree, ())
            stack.extend(commit.parents)

    def _note(self, error: DvcsError, oid: bytes) -> None:
        self.troubles.append(Trouble(str(error), oid, is_error=True))

    def _tree(self, tree: bytes, path: Path) -> None:
        in_items = is_in_items(path)
        if (tree, in_items) in self._seen:
            return
        self._seen.add((tree, in_items))
        self.objects.add(tree)
        try:
            entries = self._store.tree(tree)
            if len(path) > DEEPEST:
                raise CorruptObject("folders are nested too deeply")
        except DvcsError as error:
            self._note(error, tree)
            return
        parts = _parts(self._store, entries) if in_items else {}
        for name, mode, oid in entries:
            if mode == MODE_TREE:
                self._tree(oid, (*path, name))
            elif mode != MODE_COMMIT:
                role: _Role = "file"
                if in_items and name.endswith(SUFFIX):
                    role = "part" if name in parts else "item"
                if (oid, role) not in self._seen:
                    self._seen.add((oid, role))
                    self.objects.add(oid)
                    self._blob(oid, name, role)

    def _blob(self, oid: bytes, name: bytes, role: _Role) -> None:
        try:
            data = self._store.blob(oid)
            if role == "item":
                self._item(oid, data)
            elif role == "part":
                self._named(oid, media_of_lines(data))
            elif self._check and name == CATEGORIES:
                decode_labels(data)
            self.named_media.update(one.decode() for one in MEDIA_ID.findall(data))
        except DvcsError as error:
            self._note(error, oid)

    def _item(self, oid: bytes, data: bytes) -> None:
        header = decode_header(data)
        self._named(oid, media_of(data))
        if self._check and not header.continues and not is_canonical([data]):
            message = "is not spelt canonically; the next commit of the item will mend it"
            self.troubles.append(Trouble(message, oid, is_error=False))

    def _named(self, oid: bytes, media: Iterable[str]) -> None:
        for sha256 in media:
            self.media[sha256] = (*self.media.get(sha256, ()), oid)


class Places:
    """Where in which commits some objects are. Reads each tree once."""

    def __init__(self, repo: "Repository", roots: Iterable[bytes], objects: set[bytes]) -> None:
        self._store = repo.store
        self._objects = objects
        self._below: dict[bytes, tuple[tuple[bytes, Path], ...]] = {}
        self.items: dict[bytes, dict[str, None]] = {}
        """For each object the items affected: `source/subset/id`."""
        self.commits: dict[bytes, dict[str, None]] = {}
        """For each object the commits that need it."""
        seen: set[bytes] = set()
        stack = list(roots)
        while stack:
            oid = stack.pop()
            if oid in seen:
                continue
            seen.add(oid)
            if oid in objects:
                self.commits.setdefault(oid, {})[oid.hex()] = None
            with suppress(DvcsError):
                target = tag_target(self._store.read(oid))
                if target is not None:
                    stack.append(target)
                    continue
                commit = self._store.commit(oid)
                stack.extend(commit.parents)
                self._commit(oid, commit)

    def _commit(self, oid: bytes, commit: Commit) -> None:
        for bad, path in self._tree(commit.tree, 0):
            self.commits.setdefault(bad, {})[oid.hex()] = None
            items = self.items.setdefault(bad, {})
            items[item_of("/".join(part.decode(errors="replace") for part in path))] = None

    def _tree(self, oid: bytes, depth: int) -> tuple[tuple[bytes, Path], ...]:
        known = self._below.get(oid)
        if known is not None:
            return known
        found: list[tuple[bytes, Path]] = [(oid, ())] if oid in self._objects else []
        with suppress(DvcsError):
            entries = self._store.tree(oid) if depth < DEEPEST else ()
            for name, mode, below in entries:
                if mode == MODE_TREE:
                    found += [(bad, (name, *path)) for bad, path in self._tree(below, depth + 1)]
                elif below in self._objects:
                    found.append((below, (_parts(self._store, entries).get(name, name),)))
        self._below[oid] = tuple(found)
        return self._below[oid]


def _parts(store: "ObjectStore", entries: Sequence[TreeEntry]) -> dict[bytes, bytes]:
    """
    Return the files in which large items go on, and those in which these items begin.

    What goes on has no first line of its own.
    """
    files = {name[: -len(SUFFIX)]: oid for name, _, oid in entries if name.endswith(SUFFIX)}
    found: dict[bytes, bytes] = {}
    for stem in files:
        number = NUMBERED.match(stem)
        if number is None or number[1] not in files:
            continue
        with suppress(DvcsError):  # told where the item itself is read
            header = decode_header(store.blob(files[number[1]]))
            if int(number[2]) <= header.continues:
                found[stem + SUFFIX] = number[1] + SUFFIX
    return found


def media_of(data: bytes) -> Iterator[str]:
    """
    Yield the SHA-256 of the media that an item's first blob names: its own and its annotations'.

    Those of a blob in which a large item goes on: `media_of_lines`. Raises CorruptObject.
    """
    header = decode_header(data)
    for file in header.media.files if header.media is not None else ():
        if file.sha256 is not None:
            yield file.sha256
    yield from media_of_lines(data.partition(b"\n")[2])


def media_of_lines(lines: bytes) -> Iterator[str]:
    """Yield the SHA-256 of the media that lines of annotations name. Raises CorruptObject."""
    if RASTER not in lines:
        return
    for line in lines.split(b"\n"):
        if RASTER in line:
            note = decode_annotation(line)
            if isinstance(note, Raster) and note.file.sha256 is not None:
                yield note.file.sha256


def is_in_items(path: Path) -> bool:
    """Tell whether a folder of a commit is one of items: `source/items/subset/...`."""
    return len(path) > ITEM_DEPTH and path[1] == ITEMS


def tag_target(found: tuple[Kind, bytes]) -> bytes | None:
    """Return what a tag object points at, None for another object. Raises CorruptObject."""
    kind, data = found
    if kind is not Kind.TAG:
        if kind is Kind.COMMIT:
            decode_commit(data)
        return None
    target = TARGET.match(data)
    if target is None:
        raise CorruptObject("a tag does not say what it points at")
    return bytes.fromhex(target[1].decode())


# -- roots ---------------------------------------------------------------------------------------


def roots(repo: "Repository") -> dict[str, bytes]:
    """
    Return what must never be lost: each ref, a detached HEAD, and what copies were made from.

    Raises CorruptObject where one of them cannot be read.
    """
    found = dict(repo.refs.all())
    head = repo.refs.head()
    if isinstance(head, bytes):
        found[HEAD] = head
    for name, commit in copy_roots(repo).items():
        if commit is None:
            raise CorruptObject(f"the record of the {name} is damaged", hint="run 'dvcs fsck'")
        found[name] = commit
    return found


def copy_roots(repo: "Repository") -> Mapping[str, bytes | None]:
    """Return which commits the working copies were made from; None where a record is damaged."""
    found: dict[str, bytes | None] = {}
    for record in sorted(repo.layout.copies.glob("*.json")):
        name = f"working copy '{unquote(record.stem)}'"
        try:
            held = json.loads(unsealed(record.read_bytes()) or b"")
        except FileNotFoundError:
            continue
        except (OSError, ValueError, RecursionError):
            held = None
        if not isinstance(held, dict):
            found[name] = None
            continue
        commit = held.get("commit")
        if commit is not None:  # without: added, and not committed yet
            is_id = isinstance(commit, str) and HEX.match(commit)
            found[name] = bytes.fromhex(commit) if is_id else None
    return found


def past_roots(repo: "Repository", since: float = 0.0) -> Iterator[bytes]:
    """Yield where refs and working copies were from a time on, and a rewrite under way."""
    for operation in Log(repo.layout).operations():
        if operation.time < since:
            continue
        for move in operation.moves:
            for value in (move.old, move.new):
                if value is not None and not value.startswith(SYMBOLIC):
                    yield bytes.fromhex(value)
    copies = repo.layout.copies
    for record in (copies / "pending", *(copies / "undo").glob("*")):
        with suppress(OSError):
            if record.stat().st_mtime >= since:
                for commit in COMMIT_ID.findall(record.read_bytes()):
                    yield bytes.fromhex(commit.decode())


def item_of(path: str) -> str:
    """Return `source/subset/id` of an item's path in a commit's tree, other paths as they are."""
    source, found, rest = path.partition(f"/{ITEMS.decode()}/")
    if not found or not path.endswith(SUFFIX.decode()):
        return path
    parts = rest.split("/")
    name = unquote(parts[-1].removesuffix(SUFFIX.decode()))
    return f"{unquote(source)}/{unquote(parts[0])}/{name}"
