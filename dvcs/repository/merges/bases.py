"""
What two histories have in common: the commit that a merge starts from.

Histories that were merged crosswise have several best common ancestors. These are merged with each
other first, recursively as Git does; what they disagree about, field by field, is not known in the
result. It lives in memory only.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from dvcs.objects.gitobjects import Kind, decode_tree, encode_tree, oid_of
from dvcs.objects.items import decode_header
from dvcs.objects.store import ObjectStore
from dvcs.repository.history import ancestors
from dvcs.repository.snapshot import Snapshot, SourceTree, Trees


class Version(NamedTuple):
    """What a merge needs to know of a commit: its sources, and the id of its policy."""

    sources: Mapping[str, SourceTree]
    policy: bytes | None


EMPTY = Version({}, None)
Merge = Callable[[Version, Version, Version, "Scratch"], Version]
"""Merges a base and two sides, into a scratch."""


class Scratch(Trees):
    """Reads like what is below it, and writes to memory."""

    def __init__(self, store: ObjectStore, below: Trees) -> None:
        super().__init__(store)
        self._objects = store
        self._below = below
        self.held: dict[bytes, bytes] = {}

    def tree(self, what: Any) -> Any:
        """Return the entries of a tree by its id; or, given entries, hold a tree."""
        if isinstance(what, bytes):
            data = self.held.get(what)
            return self._below.tree(what) if data is None else decode_tree(data)
        return self._hold(Kind.TREE, encode_tree(what))

    def blob(self, oid: bytes) -> bytes:
        """Return a blob."""
        data = self.held.get(oid)
        return self._below.blob(oid) if data is None else data

    def add(self, data: bytes) -> bytes:
        """Hold a blob; return its id."""
        return self._hold(Kind.BLOB, data)

    def continues(self, oid: bytes) -> int:
        """Return how many blobs follow an item's first."""
        return decode_header(self.blob(oid)).continues

    def texts(self, oids: list[bytes]) -> dict[bytes, bytes]:
        """Return many blobs by their ids, read in bulk."""
        wanted = [oid for oid in dict.fromkeys(oids) if oid not in self.held]
        found = dict(zip(wanted, self._objects.blobs(wanted, threads=1), strict=True))
        return found | {oid: self.held[oid] for oid in oids if oid in self.held}

    def _hold(self, kind: Kind, data: bytes) -> bytes:
        oid = oid_of(kind, data)
        self.held[oid] = data
        return oid


def version_of(snapshot: Snapshot) -> Version:
    """Return what a merge needs to know of a snapshot."""
    return Version(snapshot.sources, snapshot.policy)


def common(store: ObjectStore, group: list[bytes], other: bytes) -> list[bytes]:
    """Return the best common ancestors of some commits together and another one."""
    shared = set(ancestors(store, group)) & set(ancestors(store, [other]))
    parents = {parent for oid in shared for parent in store.commit(oid).parents}
    return sorted(shared - set(ancestors(store, parents)))


def base_version(store: ObjectStore, bases: list[bytes], scratch: Scratch, merge: Merge) -> Version:
    """Return the one version that stands for several merge bases; empty for none."""
    if not bases:
        return EMPTY
    version = _version(store, bases[0])
    for at, other in enumerate(bases[1:], 1):
        before = base_version(store, common(store, bases[:at], other), scratch, merge)
        version = merge(before, version, _version(store, other), scratch)
    return version


def _version(store: ObjectStore, oid: bytes) -> Version:
    return version_of(Snapshot(store, store.commit(oid).tree))
