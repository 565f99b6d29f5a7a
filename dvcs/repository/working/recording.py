"""
Committing what working copies say: new ones whole, known ones by what was changed in them.

The changes of a copy are made on the version that it was written from. Where the branch has another
version of the source by now, both are merged item by item; what then is new to the copy is written
to it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from dvcs.errors import BranchMoved, RevisionNotFound
from dvcs.model import Dataset, Item, Labels
from dvcs.names import is_cut, quote
from dvcs.objects.gitobjects import Commit
from dvcs.objects.items import encode_item
from dvcs.projection import Rule
from dvcs.repository import identity
from dvcs.repository.ingest import MediaMode, MediaTaker, ingest
from dvcs.repository.labels import united_by_key
from dvcs.repository.merges.rebasing import BothChanged, Rebase
from dvcs.repository.message import with_trailer
from dvcs.repository.policies import policy_file
from dvcs.repository.policies.policy_file import NAME
from dvcs.repository.snapshot import SourceInfo, SourceTree, dataset_json, write_root
from dvcs.repository.transaction import Committed, Transaction
from dvcs.repository.working import copies
from dvcs.repository.working.bringback import difference
from dvcs.repository.working.carrying import attach, last_operation, rewrite_now
from dvcs.repository.working.copies import CopyChange, Remembered
from dvcs.repository.working.difference import Difference
from dvcs.repository.working.examining import Examined
from dvcs.repository.working.placing import rebased_stamp
from dvcs.repository.working.rendering import Name, Rendering

if TYPE_CHECKING:
    from dvcs.repository import Repository


class _Recorded(NamedTuple):
    """What one copy says, as a version of its source."""

    found: Examined
    mine: SourceTree


def record(
    repo: "Repository",
    found: Sequence[Examined],
    message: str,
    *,
    partial: bool = False,
    settled: bool = True,
    policy: policy_file.Look | None = None,
) -> Committed:
    """
    Commit what was found in working copies (and in `dvcs.toml`); for who holds the copies' lock.

    With `partial` a copy has more changes than those in `found`; without `settled` its files are
    not what is committed (a rule decided about conflicts). Raises BranchMoved where the branch
    changed the same items, and what reading new sources raises.
    """
    with repo.transaction() as change:
        recorded = [recorded_as(repo, change, one, partial=partial) for one in found]
        names = [one.found.copy.source for one in recorded]
        toml = None if policy is None else policy_file.stage(change, policy)
        done = change.commit(
            message,
            operation="commit",
            arguments={"sources": names, **({} if toml is None else {"policy": True})},
            command=f"commit {', '.join([*names, *([] if toml is None else [NAME])])}",
        )
        bases = [_base(repo, change, one, done, message) for one in recorded]
        if any(base != done.oid for base in bases):
            change.writer.publish()
    whole = settled and not partial
    changes = [
        _settle(repo, one, base, whole=whole) for one, base in zip(recorded, bases, strict=True)
    ]
    if toml is not None:
        policy_file.settle(repo.layout, toml.new)
    operation = last_operation(repo, done.oid) if done.changed else None
    if operation is not None:
        what = Remembered(changes=tuple(changes), rewrote=False, policy=toml)
        copies.remember(repo.layout, operation.id, what)
    if whole:
        _bring_up(repo, done, recorded)
    return done


def recorded_as(
    repo: "Repository", change: Transaction, found: Examined, *, partial: bool
) -> _Recorded:
    source = found.copy.source
    if found.difference is None:
        if source in change.sources and not _is_from(change, found):
            raise BranchMoved(
                f"the branch has a source '{source}' by now, and '{found.copy.path}' was added"
                " under that name",
                hint="add it under another --name",
            )
        _ingest(repo, change, found)
        return _Recorded(found, change.sources[source])
    assert found.copy.base is not None  # noqa: S101 - what has a difference has a base
    base = repo.snapshot(found.copy.base)
    theirs = change.sources.get(source)
    change.sources[source] = base.sources[source]
    _stage(repo, change, found.difference, partial=partial, media=found.copy.media)
    mine = change.sources[source]
    if theirs == base.sources[source]:
        return _Recorded(found, mine)
    try:
        rebase = Rebase(change.trees, change.writer, base)
        merged = rebase.onto(change.before, {**base.sources, source: mine})
    except BothChanged as error:
        raise BranchMoved(
            f"the branch has another version of '{source}' by now, and both changed"
            f" '{error.args[0]}'",
            hint="save your version ('dvcs export ./copy'), restore the working copy, and merge",
        ) from None
    change.sources[source] = merged[source]
    return _Recorded(found, mine)


def _is_from(change: Transaction, found: Examined) -> bool:
    """Tell whether a source came from this very folder: who recorded it was killed right after."""
    info = change.before.info(found.copy.source)
    return (info.origin, info.format) == (found.copy.path, found.copy.format)


def _ingest(repo: "Repository", change: Transaction, found: Examined) -> None:
    """Take in a whole new source."""
    copy, reading = found.copy, found.reading
    dataset = reading.dataset()
    taker = MediaTaker(copy.media, change.media, repo.root)  # type: ignore[arg-type]

    def plainly(item: Item) -> tuple[str, bytes, list[bytes]]:
        reading.learn(item)
        name = quote(item.id)
        return item.subset, name.encode(), encode_item(item, keys, keep_id=is_cut(name))

    keys = {one.name: one.key for one in dataset.labels if one.name != one.key}
    ingested = ingest(dataset, change.writer, taker, prepare=plainly)
    reading.source.finish()
    reading.complete = True
    info = SourceInfo(
        format=copy.format,
        options=copy.options,
        origin=copy.path,
        metadata=dict(dataset.metadata),
    )
    change.set_source(copy.source, info, dataset.labels, ingested.subsets)


def _stage(
    repo: "Repository", change: Transaction, found: Difference, *, partial: bool, media: str
) -> None:
    """Make the changes of a difference to a source in a transaction."""
    source = found.source
    labels = united_by_key(found.labels, found.old_labels) if partial else found.labels
    if labels != found.old_labels:
        change.set_labels(source, _distinct(labels))
    if found.metadata is not None and not partial:
        old = repo.store.blob(change.sources[source].info)
        info = msgspec.json.decode(old, type=SourceInfo)
        new = msgspec.structs.replace(info, metadata=dict(found.metadata))
        change.sources[source] = change.sources[source]._replace(info=change.write_info(new))
    changes: dict[str, dict[bytes, bytes | None]] = {}
    for one in found.items:
        if one.old is not None and one.old != one.new:
            changes.setdefault(one.old[0], {})[one.old[1]] = None
    for name, blobs in _stored(repo, change, found, media):
        changes.setdefault(name[0], {})[name[1]] = blobs
    change.change_items(source, changes)


def _distinct(labels: Labels) -> Labels:
    """Leave out old labels whose name a new one has taken over."""
    seen: set[str] = set()
    kept = []
    for one in labels:
        if one.name not in seen:
            kept.append(one)
        seen.add(one.name)
    return labels.replaced(kept)


def _stored(
    repo: "Repository", change: Transaction, found: Difference, media: str
) -> Iterator[tuple[Name, bytes]]:
    """Store changed items and their new media; yield names and blobs."""
    taker = MediaTaker(media, change.media, repo.root)  # type: ignore[arg-type]
    changed = [one for one in found.items if one.new is not None and one.after is not None]
    items = (_needing(repo, one.after, media) for one in changed if one.after is not None)
    for one, item in zip(changed, taker.take(items), strict=True):
        assert one.new is not None  # noqa: S101 - chosen so
        keep_id = is_cut(one.new[1].decode())
        parts = encode_item(item, keep_id=keep_id)
        yield one.new, b"".join([change.writer.blob(part) for part in parts])


def _needing(repo: "Repository", item: Item, media: str) -> Item:
    """Return an item with the origins of those media files only that are not stored yet."""
    if media != "store" or item.media is None or not item.origins:
        return item.with_(origins=())
    origins = tuple(
        None if file.sha256 is not None and file.sha256 in repo.media else origin
        for file, origin in zip(item.media.files, item.origins, strict=False)
    )
    return item.with_(origins=origins if any(origins) else ())


def bring_back(
    repo: "Repository",
    source: str,
    dataset: Dataset,
    rendering: Rendering,
    *,
    message: str,
    revision: str = "HEAD",
    media: MediaMode = "store",
    rule: Rule = "refuse",
    limit: Callable[[Difference], Difference] | None = None,
    arguments: Mapping[str, Any] | None = None,
    dry_run: bool = False,
) -> tuple[Committed, Difference]:
    """
    Commit what was changed in a rendering of a source from outside of the working folder.

    `revision` is what was written out. `limit` may take away from what was changed, or raise.
    Raises RevisionNotFound, ConflictError unless `rule` says what becomes of conflicts, BranchMoved
    where the branch changed the same items since, and whatever reading the dataset raises.
    """
    base = repo.resolve(revision)
    snapshot = repo.snapshot(base)
    if source not in snapshot.sources:
        raise RevisionNotFound(
            f"'{revision}' has no source '{source}'",
            hint=f"its sources: {', '.join(snapshot.sources) or 'none'}",
        )
    with repo.transaction(base=base) as change:
        taker = MediaTaker(media, change.media, repo.root)
        found = difference(
            repo,
            snapshot,
            source,
            dataset=dataset,
            items=taker.take(dataset),
            rendering=rendering,
            rule=rule,
        )
        if limit is not None:
            found = limit(found)
        found.refuse_conflicts()
        if dry_run:
            return Committed(base, dict(change.sources), changed=False), found
        _stage(repo, change, found, partial=False, media=media)
        repo.allow_media(taker.outside)
        done = change.commit(message, operation="import", arguments=arguments)
    return done, found


# -- when the branch had moved -------------------------------------------------------------------


def _base(
    repo: "Repository", change: Transaction, one: _Recorded, done: Committed, message: str
) -> bytes:
    """
    Return the commit that has just what a copy's files say.

    That is the new one; else, where it was merged with what others did, one of its own, made on
    the version that the copy was written from. No branch sees that: it serves until the copy is
    brought up to date.
    """
    copy = one.found.copy
    if done.sources.get(copy.source) == one.mine or copy.base is None:
        return done.oid
    snapshot = repo.snapshot(copy.base)
    sources = {**snapshot.sources, copy.source: one.mine}
    layout = change.writer.blob(dataset_json())
    root = write_root(change.trees, layout, sources, snapshot.policy, snapshot.others)
    signature = identity.author(repo.layout)
    text = with_trailer(message, "commit", {"sources": [copy.source]})
    return change.writer.commit(Commit(root, (copy.base,), signature, signature, text))


def _settle(repo: "Repository", one: _Recorded, base: bytes, *, whole: bool) -> CopyChange:
    """Have the record of a copy say what was committed."""
    copy, reading = one.found.copy, one.found.reading
    new = msgspec.structs.replace(copy, commit=base.hex())
    reading.settle()
    reading.save(copies.token(new, one.mine) if whole else "")
    copies.save(repo.layout, new)
    if new.written:
        rebased_stamp(repo, new)
    return CopyChange(copy, new)


def _bring_up(repo: "Repository", done: Committed, recorded: Sequence[_Recorded]) -> None:
    """Write what others had committed meanwhile to the copies that were merged."""
    known = copies.load(repo.layout)
    changes = []
    for one in recorded:
        copy = known[one.found.copy.source]
        tree = done.sources.get(copy.source)
        if tree is not None and tree != one.mine:
            new = msgspec.structs.replace(copy, commit=done.oid.hex(), written=True)
            changes.append(CopyChange(copy, new))
    if changes:
        rewrite_now(repo, changes)
        if done.changed:
            attach(repo, done.oid, changes)
