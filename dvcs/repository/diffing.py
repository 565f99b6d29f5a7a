"""
The difference of two commits: trees are walked together, and only items that differ are read.

Items are paired by name; then those that are left over: the same id in another subset has `moved`,
the same text or the same media, where unique on both sides, was `renamed`.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import chain, islice
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from dvcs.compare import (
    IdTrust,
    ItemChange,
    Knowledge,
    Options,
    compare_pairs,
    match_items,
    renamed_labels,
)
from dvcs.compare.datasets import ItemPair, Key, Trace
from dvcs.model import Item, Labels
from dvcs.names import is_cut, unquote
from dvcs.objects import trees
from dvcs.objects.items import decode_header, decode_item, key_maps
from dvcs.repository.snapshot import SIZE, Snapshot
from dvcs.streams import collector_off

if TYPE_CHECKING:
    from dvcs.repository import Repository

_TOGETHER = (b'"group":', b'"track":', b'"type":"label"', b'"type":"raster"')
AT_ONCE = 64
"""Changes that are worked out before the first of them is told."""
BATCH = 4096
"""Items whose blobs are fetched together."""


class _Numbered(msgspec.Struct, gc=False):
    """What is read of an annotation to know its id."""

    id: int | str = 0


_ID = msgspec.json.Decoder(_Numbered)


class Held(NamedTuple):
    """One item of one side: its name, and the ids of its blobs."""

    source: str
    subset: str
    id: str
    blobs: bytes


Waiting = tuple[Held | None, Held | None]


def diff(
    repo: "Repository",
    old: bytes | None,
    new: bytes | None,
    *,
    sources: Collection[str] | None = None,
    options: Options | None = None,
    limit: int | None = None,
) -> Iterator[ItemChange]:
    """
    Yield what changed from one commit to another (None: nothing yet), item by item.

    `sources` limits it to some, `limit` to the first so many items of each. Changes come in the
    order (source, subset, folder, id); moved, renamed, added and removed items of a source follow
    its changed ones.
    """
    return diff_snapshots(
        repo.snapshot(old), repo.snapshot(new), sources=sources, options=options, limit=limit
    )


def diff_snapshots(
    before: Snapshot,
    after: Snapshot,
    *,
    sources: Collection[str] | None = None,
    options: Options | None = None,
    limit: int | None = None,
) -> Iterator[ItemChange]:
    """Yield what changed between two snapshots; see `diff`."""
    for name in sorted(before.sources.keys() | after.sources.keys()):
        if sources is None or name in sources:
            yield from _source(before, after, name, options or Options(), limit)


def _source(
    before: Snapshot, after: Snapshot, name: str, options: Options, limit: int | None
) -> Iterator[ItemChange]:
    if before.sources.get(name) == after.sources.get(name):
        return
    old_labels, new_labels = _labels(before, name), _labels(after, name)
    options = msgspec.structs.replace(options, labels=renamed_labels(old_labels, new_labels))
    pairs = paired(before, after, name, limit)
    ids = IdTrust()
    names = key_maps(old_labels)[1], key_maps(new_labels)[1]
    decoded = _decoded(before, after, pairs, names, ids)
    changes = compare_pairs(decoded, options=options, knowledge=Knowledge(ids))
    while True:
        with collector_off():  # for our own work only, never while somebody has a change in hand
            batch = list(islice(changes, AT_ONCE))
        if not batch:
            return
        yield from batch


def paired(before: Snapshot, after: Snapshot, name: str, limit: int | None = None) -> list[Waiting]:
    """
    Return the items of a source that differ: changed, moved and renamed, removed, added ones.

    With `limit`, only so many are looked for, and what has moved is found among them only.
    """
    changed, removed, added = _differing(before, after, name, limit)
    return [*changed, *_matched(before, after, removed, added)]


def _labels(snapshot: Snapshot, name: str) -> Labels:
    return snapshot.labels(name) if name in snapshot.sources else Labels()


def _differing(
    before: Snapshot, after: Snapshot, name: str, limit: int | None
) -> tuple[list[Waiting], list[Held], list[Held]]:
    old = before.sources[name].subsets if name in before.sources else {}
    new = after.sources[name].subsets if name in after.sources else {}
    changed: list[Waiting] = []
    removed: list[Held] = []
    added: list[Held] = []
    for subset in sorted(old.keys() | new.keys()):
        left = None if limit is None else limit - len(changed) - len(removed) - len(added)
        for one in islice(trees.diff(after.reader, old.get(subset), new.get(subset)), left):
            quoted = one.name.decode()
            snapshot, blobs = (after, one.new) if one.new is not None else (before, one.old)
            id = _id(snapshot, quoted, blobs or b"")
            was = None if one.old is None else Held(name, subset, id, one.old)
            now = None if one.new is None else Held(name, subset, id, one.new)
            if was is not None and now is not None:
                changed.append((was, now))
            elif was is not None:
                removed.append(was)
            elif now is not None:
                added.append(now)
    return changed, removed, added


def _id(snapshot: Snapshot, quoted: str, blobs: bytes) -> str:
    if is_cut(quoted):
        return decode_header(snapshot.store.blob(blobs[:SIZE])).id or quoted
    return unquote(quoted)


def _matched(
    before: Snapshot, after: Snapshot, removed: list[Held], added: list[Held]
) -> list[Waiting]:
    old: dict[Key, Held] = {(one.source, one.subset, one.id): one for one in removed}
    new: dict[Key, Held] = {(one.source, one.subset, one.id): one for one in added}
    pairs: list[Waiting] = []
    if old and new:
        moved, renamed = match_items(
            (_trace(before, one) for one in removed), (_trace(after, one) for one in added)
        )
        pairs = [(old.pop(was), new.pop(now)) for was, now in (*moved, *renamed)]
    pairs += [(one, None) for one in old.values()]
    pairs += [(None, one) for one in new.values()]
    return pairs


def _trace(snapshot: Snapshot, one: Held) -> Trace:
    """Return what an item can be known by under another name: its text, and its media."""
    blob = snapshot.store.blob(one.blobs[:SIZE])
    media = decode_header(blob).media
    files = media.files if media is not None else ()
    hashes = tuple(file.sha256 for file in files)
    known = hashes if hashes and all(hashes) else None
    # An item that says nothing of itself is like all others that do not.
    says_much = known is not None or blob.count(b"\n") > 1
    return one.source, one.subset, one.id, one.blobs if says_much else None, known


def _decoded(
    before: Snapshot,
    after: Snapshot,
    pairs: list[Waiting],
    names: tuple[Mapping[str, str], Mapping[str, str]],
    ids: IdTrust,
) -> Iterator[ItemPair]:
    """Yield pairs of items, without the lines that both sides have alike where that is safe."""
    stream = iter(pairs)
    alike = names[0] == names[1]
    while batch := list(islice(stream, BATCH)):
        old = _texts(before, [was for was, _ in batch if was is not None])
        new = _texts(after, [now for _, now in batch if now is not None])
        for was, now in batch:
            first = None if was is None else next(old)
            second = None if now is None else next(new)
            if first is not None and second is not None and alike:
                first, second, same = _without_common_lines(first, second)
                ids.equal += same
                ids.kept += same
            yield _item(was, first, names[0]), _item(now, second, names[1])


def _texts(snapshot: Snapshot, held: list[Held]) -> Iterator[list[bytes]]:
    oids = (one.blobs[n : n + SIZE] for one in held for n in range(0, len(one.blobs), SIZE))
    blobs = snapshot.store.blobs(oids, threads=1)
    for one in held:
        yield [next(blobs) for _ in range(len(one.blobs) // SIZE)]
    next(blobs, None)  # as `Snapshot.read_blobs`


def _item(held: Held | None, blobs: list[bytes] | None, names: Mapping[str, str]) -> Item | None:
    if held is None or blobs is None:
        return None
    return decode_item(blobs, held.id, held.subset, names).with_(source=held.source)


def _without_common_lines(
    old: list[bytes], new: list[bytes]
) -> tuple[list[bytes], list[bytes], int]:
    """
    Take out the annotations that are alike on both sides, id included; return how many.

    They would pair with each other, and decoding them is most of the work: of 8,000 items with one
    change each in seven annotations a diff took 4.9 s, so it takes 1.4. Left alone are items of
    which a differing annotation has a group or track, since it belongs together with others, and
    those whose order means something, since some have no id, or one that others have too.
    """
    if len(old) > 1 or len(new) > 1:
        return old, new, 0
    head, *before = old[0].split(b"\n")
    other_head, *after = new[0].split(b"\n")
    was, now = set(before), set(after)
    common = was & now
    common.discard(b"")  # what follows the last newline
    if not common or len(was) != len(before) or len(now) != len(after):
        return old, new, 0
    left, right = ([line for line in lines if line not in common] for lines in (before, after))
    if not all(map(_stands_alone, chain(left, right))):
        return old, new, 0
    shared = _ids(common)
    if not (_distinct(shared + _ids(left)) and _distinct(shared + _ids(right))):
        return old, new, 0
    return (
        [b"\n".join([head, *left])],
        [b"\n".join([other_head, *right])],
        len(common),
    )


def _stands_alone(line: bytes) -> bool:
    """
    Tell whether an annotation pairs the same way whatever else its item has.

    So one does that has neither group nor track. An item's only label, or raster, pairs with the
    other side's only one, whatever they say.
    """
    return not any(one in line for one in _TOGETHER)


def _ids(lines: Iterable[bytes]) -> list[int | str]:
    return [_ID.decode(line).id for line in lines if line]


def _distinct(ids: list[int | str]) -> bool:
    """Tell whether ids, and not the order in a file, tell annotations apart."""
    return all(ids) and len(set(ids)) == len(ids)
