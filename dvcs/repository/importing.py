"""
Importing: a dataset on disk or in memory becomes a new source, or a new version of a known one.

A new version records only what changed. Items that are known and missing make it refuse until told
what that means (`mode`). What a version does not say is kept: media that are absent now, the subset
where the format has none, the ids of annotations that are the same ones under other numbers.
"""

from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec

from dvcs.errors import RepositoryError, UsageError
from dvcs.files import Source, open_source
from dvcs.model import Dataset, Item, Media
from dvcs.names import is_cut, quote, simple_name, unquote
from dvcs.objects.gitobjects import Kind, oid_of
from dvcs.objects.items import decode_item, encode_item, key_maps
from dvcs.repository.branches import check_free
from dvcs.repository.ingest import Ingested, MediaMode, MediaTaker, ingest
from dvcs.repository.labels import united_by_key, with_known_keys
from dvcs.repository.refs import HEADS, check_name
from dvcs.repository.snapshot import Snapshot, SourceInfo
from dvcs.repository.transaction import Committed, Transaction
from dvcs.repository.working import copies

if TYPE_CHECKING:
    from dvcs.repository import Repository

Mode = Literal["new", "update", "replace"]
DEFAULT_SUBSET = "default"
SHOWN = 5


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """
    What to import and how.

    `data` is a path or a Dataset. `mode` says what becomes of known items that are missing:
    `update` keeps them, `replace` removes them, None refuses. `name` is the source's (default: the
    folder's). `take_ids` takes over the ids of the new version.
    """

    data: Any
    format: str | None = None
    name: str | None = None
    message: str | None = None
    mode: Mode | None = None
    media: MediaMode = "store"
    subset: str | None = None
    keep_going: bool = False
    take_ids: bool = False
    licence: str = ""
    options: dict[str, Any] = {}
    dry_run: bool = False


class Imported(NamedTuple):
    """What an import did: the commit, the source's name and format, what went in, what was odd."""

    committed: Committed
    name: str
    format: str
    items: int
    annotations: int
    labels: int
    media_files: int
    media_bytes: int
    new: bool
    errors: tuple[str, ...]
    notes: Mapping[str, int]
    renewed: tuple[str, ...] = ()
    """Sources whose working copies became what was imported."""


def run(repo: "Repository", request: Request) -> Imported:
    """
    Import a dataset as one commit on the current branch.

    A working copy of the source must be clean, and becomes the new version, unless it is itself
    what is imported. Raises UsageError, FormatError(s), UnsafeName, DirtyWorkingCopy, and
    RepositoryError where known items are missing and `mode` does not say what that means. Then
    nothing has changed.
    """
    from dvcs.repository.working import checkout

    name = simple_name(request.name or _default_name(request.data), "source")
    elsewhere = not is_copy(repo, name, request.data)
    if elsewhere and not request.dry_run:
        checkout.require_clean(repo, [name], doing="the import")
    with repo.gate.postponing():
        done = _import(repo, request, name)
        if done.committed.changed and elsewhere:
            done = done._replace(renewed=checkout.update_copies(repo))
    return done


def is_copy(repo: "Repository", name: str, data: Any) -> bool:
    """Tell whether what is imported lies in the working copy of its source."""
    copy = copies.load(repo.layout).get(name)
    if copy is None or isinstance(data, Dataset):
        return False
    return Path(data).resolve().is_relative_to(copy.folder(repo.root).resolve())


def _import(repo: "Repository", request: Request, name: str) -> Imported:
    if isinstance(request.data, Dataset):
        return _run(repo, request, name, request.data, None)
    from dvcs import formats

    path: Path = request.data
    source = open_source(path, keep_going=request.keep_going, subset=request.subset)
    with closing(source):
        format = formats.find(request.format) if request.format else formats.detect(source)
        dataset = formats.read(source, format, **request.options)
        return _run(repo, request, name, dataset, source)


def _run(
    repo: "Repository", request: Request, name: str, dataset: Dataset, source: Source | None
) -> Imported:
    with repo.transaction() as change:
        known = name in change.sources
        if request.mode == "new" and known:
            raise UsageError(f"there is a source '{name}' already", hint="give another --name")
        taker = MediaTaker(request.media, change.media, repo.root)
        ingested = _stage(change, name, dataset, request, taker)
        if source is not None:
            source.finish()
        committed = Committed(change.base or b"", change.sources, changed=False)
        if not request.dry_run:
            repo.allow_media(taker.outside)
            committed = change.commit(
                request.message or f"Import {name}",
                operation="import",
                arguments=_arguments(request, dataset, name),
                command=f"import {name}",
            )
    return Imported(
        committed,
        name,
        dataset.format,
        ingested.items,
        ingested.annotations,
        len(dataset.labels),
        ingested.media_files,
        ingested.media_bytes,
        not known,
        tuple(map(str, source.errors)) if source is not None else (),
        {**(source.notes if source is not None else {}), **taker.notes},
    )


def _default_name(data: Any) -> str:
    if isinstance(data, Dataset):
        return "data"
    path = Path(data).resolve()
    return path.stem if path.is_file() else path.name


def _arguments(request: Request, dataset: Dataset, name: str) -> dict[str, Any]:
    path = None if isinstance(request.data, Dataset) else str(request.data)
    return {
        "format": dataset.format or None,
        "media": request.media if request.media != "store" else None,
        "mode": request.mode,
        "name": name,
        "options": request.options or None,
        "path": path,
        "subset": request.subset,
    }


def _stage(
    change: Transaction, name: str, dataset: Dataset, request: Request, taker: MediaTaker
) -> Ingested:
    if name not in change.sources:
        ingested = ingest(dataset, change.writer, taker)
        change.set_source(name, _info(dataset, request, None), dataset.labels, ingested.subsets)
        return ingested
    return _stage_version(change, name, dataset, request, taker)


def _info(dataset: Dataset, request: Request, old: SourceInfo | None) -> SourceInfo:
    origin = "" if isinstance(request.data, Dataset) else Path(request.data).name
    metadata = dict(dataset.metadata)
    if old is not None and request.mode == "update":
        metadata = {**old.metadata, **metadata}
    return SourceInfo(
        format=dataset.format or (old.format if old else ""),
        options=request.options or (old.options if old else {}),
        origin=origin or (old.origin if old else ""),
        licence=request.licence or (old.licence if old else ""),
        metadata=metadata,
        extra=old.extra if old else {},
    )


# A new version of a known source


def _stage_version(
    change: Transaction, name: str, dataset: Dataset, request: Request, taker: MediaTaker
) -> Ingested:
    before = change.before
    old_labels = before.labels(name)
    labels = with_known_keys(old_labels, dataset.labels)
    version = _Version(before, name, request, key_maps(labels)[0])
    renamed = Dataset(labels, dataset._walk, metadata=dataset.metadata, format=dataset.format)  # noqa: SLF001
    ingested = ingest(renamed, change.writer, taker, prepare=version.prepare)
    missing = version.missing(ingested)
    if missing and request.mode is None:
        shown = ", ".join(f"{subset}/{unquote(one.decode())}" for subset, one in missing[:SHOWN])
        count = "1 known item" if len(missing) == 1 else f"{len(missing)} known items"
        more = ", ..." if len(missing) > SHOWN else ""
        raise RepositoryError(
            f"the new version of '{name}' lacks {count} ({shown}{more})",
            hint="say what that means: --mode update keeps them, --mode replace removes them",
        )
    subsets: dict[str, dict[bytes, bytes]] = ingested.subsets
    if request.mode == "update":
        # What was read is reported, so what is kept goes into copies.
        subsets = {subset: dict(held) for subset, held in subsets.items()}
        labels = united_by_key(labels, old_labels)
        for subset, one in missing:
            subsets.setdefault(subset, {})[one] = version.old[subset][one]
    change.set_source(name, _info(dataset, request, before.info(name)), labels, subsets)
    return ingested


class _Version:
    """What is known of a source, for bringing in a new version of it item by item."""

    def __init__(
        self, before: Snapshot, name: str, request: Request, keys: Mapping[str, str]
    ) -> None:
        self._before = before
        self._request = request
        self._keys = keys
        self._names = key_maps(before.labels(name))[1]
        self.old = {subset: before.names(name, subset) for subset in before.sources[name].subsets}
        self._subset_of: dict[bytes, str | None] = {}
        for subset, items in self.old.items():
            for one in items:
                self._subset_of[one] = None if one in self._subset_of else subset

    def prepare(self, item: Item) -> tuple[str, bytes, list[bytes]]:
        """Return the subset, quoted name and blobs of an item as the new version has it."""
        quoted = quote(item.id)
        name = quoted.encode()
        subset = item.subset
        if subset == DEFAULT_SUBSET and self._request.subset is None:
            subset = self._subset_of.get(name) or subset
        parts = encode_item(item, self._keys, keep_id=is_cut(quoted))
        old = self.old.get(subset, {}).get(name)
        if old is None or b"".join(oid_of(Kind.BLOB, part) for part in parts) == old:
            return subset, name, parts
        known = decode_item(self._before.blobs(old), item.id, subset, self._names)
        adjusted = carried_over(known, item, take_ids=self._request.take_ids)
        return subset, name, encode_item(adjusted, self._keys, keep_id=is_cut(quoted))

    def missing(self, ingested: Ingested) -> list[tuple[str, bytes]]:
        """Return the known items that the new version does not have, there or moved elsewhere."""
        new = ingested.subsets
        moved = {
            one
            for subset, items in new.items()
            for one in items
            if one not in self.old.get(subset, {})
        }
        return [
            (subset, one)
            for subset, items in self.old.items()
            for one in items
            if one not in new.get(subset, {}) and one not in moved
        ]


def carried_over(old: Item, new: Item, *, take_ids: bool) -> Item:
    """Return a new version of an item with what it does not say taken from the old one."""
    item = new.with_(media=_filled(old.media, new.media))
    if new.annotated is None and old.annotated is not None:
        item = item.with_(annotated=old.annotated)
    return item if take_ids else with_known_ids(old, item)


def _filled(old: Media | None, new: Media | None) -> Media | None:
    """Return new media with the hash and size of the old where the new ones are absent."""
    if old is None or new is None:
        return new or old
    if any(file.sha256 for file in new.files) or len(old.files) != len(new.files):
        return new if new.files else old
    files = tuple(
        msgspec.structs.replace(
            now, sha256=was.sha256, size=now.size or was.size, url=now.url or was.url
        )
        for was, now in zip(old.files, new.files, strict=True)
    )
    return msgspec.structs.replace(
        new,
        files=files,
        height=new.height or old.height,
        width=new.width or old.width,
        orientation=new.orientation or old.orientation,
    )


def with_known_ids(old: Item, new: Item) -> Item:
    """Return an item whose annotations have the ids of those that they are paired with."""
    ids = [note.id for note in new.annotations]
    if ids == [note.id for note in old.annotations] or not any(ids):
        return new
    from dvcs.compare import pair_annotations

    kept: dict[int, int | str] = {}
    for pair in pair_annotations(old.annotations, new.annotations):
        if pair.old is not None and pair.new is not None and old.annotations[pair.old].id:
            kept[pair.new] = old.annotations[pair.old].id
    taken = set(kept.values())
    fresh = _fresh_ids(taken | set(ids))
    notes = []
    for n, note in enumerate(new.annotations):
        id = kept.get(n, note.id)
        if n not in kept and id in taken and id:
            id = next(fresh)
        notes.append(note if id == note.id else note.with_(id=id))
    return new.with_(annotations=notes)


def _fresh_ids(taken: set[int | str]) -> Iterator[int]:
    top = max((one for one in taken if isinstance(one, int)), default=0)
    while True:
        top += 1
        yield top


# From the API


def replace_source(
    repo: "Repository",
    dataset: Dataset,
    *,
    message: str,
    source: str | None,
    branch: str | None,
    operation: str,
    arguments: Mapping[str, Any] | None = None,
) -> Committed:
    """
    Record a dataset as the whole new contents of a source.

    A branch that does not exist is made from the current commit; where the commit is refused, it is
    not. Raises UsageError where it is not clear which source is meant.
    """
    base, made = repo.refs.head_commit(), None
    if branch is not None:
        tip = repo.refs.read(HEADS + check_name(branch))
        if tip is None and base is not None:
            check_free(repo, HEADS, branch)
            made = branch
        base = tip or base
    with repo.transaction(branch=branch, base=base, create=made is not None) as change:
        name = source or _only_source(change)
        taker = MediaTaker("store", change.media, repo.root)
        request = Request(data=dataset, mode="replace", take_ids=True)
        _stage(change, name, dataset, request, taker)
        done = change.commit(message, operation=operation, arguments=arguments)
    if made is not None and not done.changed and repo.refs.read(HEADS + made) is None:
        repo.create_branch(made, done.oid)
    return done


def _only_source(change: Transaction) -> str:
    if not change.sources:
        return "data"
    if len(change.sources) > 1:
        raise UsageError(
            f"there are several sources: {', '.join(change.sources)}",
            hint="say which one with source=",
        )
    return next(iter(change.sources))
