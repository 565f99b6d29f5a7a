"""Walking the graph of commits: newest first, ancestors, common ancestors."""

from collections.abc import Iterable, Iterator
from heapq import heappop, heappush
from typing import NamedTuple

from dvcs.objects.gitobjects import Commit
from dvcs.objects.store import ObjectStore


class Entry(NamedTuple):
    """One commit of a walk."""

    oid: bytes
    commit: Commit


def walk(
    store: ObjectStore, tips: Iterable[bytes], *, without: Iterable[bytes] = ()
) -> Iterator[Entry]:
    """
    Yield commits reachable from `tips` and not from `without`, children before their parents.

    Among those that may come next, the newest committer time comes first.
    """
    hidden = set(ancestors(store, without))
    reachable: dict[bytes, Commit] = {}
    children: dict[bytes, int] = {}
    stack = [oid for oid in dict.fromkeys(tips) if oid not in hidden]
    first = list(stack)
    while stack:
        oid = stack.pop()
        if oid in reachable:
            continue
        commit = reachable[oid] = store.commit(oid)
        for parent in commit.parents:
            if parent not in hidden:
                children[parent] = children.get(parent, 0) + 1
                stack.append(parent)
    heap: list[tuple[int, int, bytes]] = []
    order = 0
    for oid in first:
        if not children.get(oid):
            heappush(heap, (-reachable[oid].committer.time, order, oid))
            order += 1
    while heap:
        _, _, oid = heappop(heap)
        commit = reachable[oid]
        yield Entry(oid, commit)
        for parent in commit.parents:
            if parent in hidden:
                continue
            children[parent] -= 1
            if not children[parent]:
                heappush(heap, (-reachable[parent].committer.time, order, parent))
                order += 1


def ancestors(store: ObjectStore, tips: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the tips and all their ancestors, each once, in no particular order."""
    seen: set[bytes] = set()
    stack = list(tips)
    while stack:
        oid = stack.pop()
        if oid in seen:
            continue
        seen.add(oid)
        yield oid
        stack.extend(store.commit(oid).parents)


def is_ancestor(store: ObjectStore, old: bytes, new: bytes) -> bool:
    """Tell whether `old` is `new` or one of its ancestors."""
    return any(oid == old for oid in ancestors(store, [new]))


def merge_bases(store: ObjectStore, one: bytes, other: bytes) -> list[bytes]:
    """Return the best common ancestors: those of which none is an ancestor of another."""
    common = set(ancestors(store, [one])) & set(ancestors(store, [other]))
    parents = {parent for oid in common for parent in store.commit(oid).parents}
    return sorted(common - set(ancestors(store, parents)))
