"""
Comparing many items: one stream of pairs, moved and renamed items, whole datasets.

A repository walks two trees and hands over the items that differ (`compare_pairs`) and those with
no counterpart (`match_items`); `diff_datasets` does the same for any two datasets.
"""

import hashlib
from collections.abc import Callable, Hashable, Iterable, Iterator
from itertools import zip_longest

from dvcs.compare.changes import (
    DEFAULTS,
    ItemChange,
    ItemComparison,
    Knowledge,
    Options,
    compare_items,
)
from dvcs.compare.equality import content_key
from dvcs.compare.evidence import SAMPLE, SAMPLE_ANNOTATIONS
from dvcs.model import Dataset, Item, Labels

Key = tuple[str, str, str]
"""Source, subset and id of an item."""
Trace = tuple[str, str, str, Hashable | None, Hashable | None]
"""Source, subset, id of an item; then what stands for its contents, and for its media, or None."""
ItemPair = tuple[Item | None, Item | None]


def compare_pairs(
    pairs: Iterable[ItemPair],
    *,
    options: Options = DEFAULTS,
    knowledge: Knowledge | None = None,
) -> Iterator[ItemChange]:
    """
    Yield what changed in each pair of items (None: no counterpart), in the order of `pairs`.

    Each pair is looked at once. The first 2,000 pairs (or as many as have 100,000 annotations) are
    held back until they have shown whether this comparison keeps ids and tracks, and whether
    coordinates were rounded; then all are told with that knowledge, the rest as they come.
    `knowledge` adds what the caller knows already: `Knowledge(IdTrust(equal=n, kept=n))` for n
    items that are the same byte for byte and so are not among the pairs.
    """
    knowledge = Knowledge() if knowledge is None else knowledge
    stream = iter(pairs)
    sample: list[tuple[ItemPair, ItemComparison | None]] = []
    held = 0
    for old, new in stream:
        comparison = None
        if old is not None and new is not None:
            comparison = ItemComparison(old, new, options)
            comparison.teach_ids(knowledge.ids)
            held += len(old.annotations)
        sample.append(((old, new), comparison))
        if len(sample) >= SAMPLE or held >= SAMPLE_ANNOTATIONS:
            break
    for _, comparison in sample:
        if comparison is not None:
            comparison.pair(knowledge.ids)
            comparison.teach_rounding(knowledge.rounding)
    knowledge.rounding.decide()
    sample.reverse()
    while sample:
        (old, new), comparison = sample.pop()  # lets go of it
        change = compare_items(old, new) if comparison is None else comparison.result(knowledge)
        if change is not None:
            yield change
    for old, new in stream:
        if (change := compare_items(old, new, options=options, knowledge=knowledge)) is not None:
            yield change


def match_items(
    removed: Iterable[Trace], added: Iterable[Trace]
) -> tuple[list[tuple[Key, Key]], list[tuple[Key, Key]]]:
    """
    Return which removed and added items are the same one: (old, new) moved, (old, new) renamed.

    Moved: the same id in another subset of the same source. Renamed: else, in the same source, the
    same contents (blob), else the same media. Each only where unique on both sides: of several
    items with the same contents none is guessed, they stay removed and added. Give None as the
    contents of an item in which there is nothing to know it by.
    """
    left, right = list(removed), list(added)
    moved = _match(left, right, lambda trace: (trace[0], trace[2]))
    same_contents = _match(left, right, lambda trace: _named(trace, 3))
    same_media = _match(left, right, lambda trace: _named(trace, 4))
    return moved, sorted(same_contents + same_media)


def _named(trace: Trace, at: int) -> Hashable:
    return None if trace[at] is None else (trace[0], trace[at])


def _match(
    removed: list[Trace], added: list[Trace], name_of: Callable[[Trace], Hashable]
) -> list[tuple[Key, Key]]:
    """Pair what alone has its name on its side, and take it out of both lists."""
    sides: list[dict[Hashable, Trace | None]] = []
    for traces in (removed, added):
        names: dict[Hashable, Trace | None] = {}
        for trace in traces:
            name = name_of(trace)
            if name is not None:
                names[name] = None if name in names else trace  # None: more than one
        sides.append(names)
    found = [
        (old, new)
        for name, old in sides[0].items()
        if old is not None and (new := sides[1].get(name)) is not None
    ]
    gone_old, gone_new = ({pair[side][:3] for pair in found} for side in (0, 1))
    removed[:] = [trace for trace in removed if trace[:3] not in gone_old]
    added[:] = [trace for trace in added if trace[:3] not in gone_new]
    return sorted((old[:3], new[:3]) for old, new in found)


def renamed_labels(old: Labels, new: Labels) -> dict[str, str]:
    """Return what labels of `old` are called in `new`, where it is another name of the same key."""
    names = {one.key: one.name for one in new}
    return {one.name: names[one.key] for one in old if names.get(one.key, one.name) != one.name}


def diff_datasets(
    old: Dataset,
    new: Dataset,
    *,
    options: Options | None = None,
    knowledge: Knowledge | None = None,
) -> Iterator[ItemChange]:
    """
    Yield what changed from one dataset to another, each walked once, side by side.

    Items are paired by source, subset and id, then by `match_items`. Changed items come as they
    are met; moved, renamed, removed and added ones after them, by key. Memory holds the items whose
    counterpart has not come yet: none where both have the same items in the same order, and in any
    case those that were added and removed.
    """
    if options is None:
        options = Options(labels=renamed_labels(old.labels, new.labels))
    return compare_pairs(_pairs(old, new), options=options, knowledge=knowledge)


def _pairs(old: Iterable[Item], new: Iterable[Item]) -> Iterator[ItemPair]:
    waiting_old: dict[Key, Item] = {}
    waiting_new: dict[Key, Item] = {}
    for a, b in zip_longest(old, new):
        if a is not None and b is not None and a.key == b.key:
            yield a, b
            continue
        if a is not None:
            there, twice = _meet(a, waiting_new, waiting_old)
            if there or twice:
                yield a, there
        if b is not None:
            there, twice = _meet(b, waiting_old, waiting_new)
            if there or twice:
                yield there, b
    moved, renamed = match_items(
        map(trace_of, waiting_old.values()), map(trace_of, waiting_new.values())
    )
    for before, after in (*moved, *renamed):
        yield waiting_old.pop(before), waiting_new.pop(after)
    for _, item in sorted(waiting_old.items()):
        yield item, None
    for _, item in sorted(waiting_new.items()):
        yield None, item


def _meet(
    item: Item, others: dict[Key, Item], waiting: dict[Key, Item]
) -> tuple[Item | None, bool]:
    """Return an item's counterpart, else let it wait; and whether its name was there before."""
    there = others.pop(item.key, None)
    twice = there is None and item.key in waiting
    if there is None:
        waiting.setdefault(item.key, item)
    return there, twice


def trace_of(item: Item) -> Trace:
    """Return what `match_items` needs to know of an item."""
    content = content_key(item)
    files = () if item.media is None else item.media.files
    known = all(file.sha256 is not None for file in files)
    return (
        *item.key,
        None if content is None else hashlib.sha256(content).digest(),
        tuple(file.sha256 for file in files) if files and known else None,
    )
