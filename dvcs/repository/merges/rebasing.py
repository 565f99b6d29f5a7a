"""
A change made from one commit, as if it had been made from a later one of the same branch.

Sources that only one side touched are taken from that side. In a source that both changed, items
are merged where only one side changed each, labels by key; there is no merging inside an item.
"""

from collections.abc import Mapping

from dvcs.errors import BranchMoved
from dvcs.model import Labels
from dvcs.names import unquote
from dvcs.objects import trees
from dvcs.objects.items import decode_item, decode_labels, encode_labels
from dvcs.objects.packs import PackWriter
from dvcs.repository.labels import merge_labels
from dvcs.repository.snapshot import SIZE, Snapshot, SourceTree, Trees

Items = dict[bytes, bytes | None]
Subsets = dict[str, Items]


class BothChanged(Exception):
    """Both sides changed the same thing; the argument says what."""


class Rebase:
    """Puts the sources of a change onto another commit; `base` is what the change derives from."""

    def __init__(self, reader: Trees, writer: PackWriter, base: Snapshot) -> None:
        self._reader = reader
        self._writer = writer
        self._base = base

    def onto(self, tip: Snapshot, sources: Mapping[str, SourceTree]) -> dict[str, SourceTree]:
        """Return the sources of `tip` with this side's changes. Raises BothChanged."""
        merged = dict(tip.sources)
        for name in sorted(sources.keys() | self._base.sources.keys()):
            mine, base = sources.get(name), self._base.sources.get(name)
            theirs = tip.sources.get(name)
            if mine in (base, theirs):
                continue
            if theirs == base:
                if mine is None:
                    merged.pop(name, None)
                else:
                    merged[name] = mine
            elif mine is None or base is None or theirs is None:
                raise BothChanged(name)
            else:
                merged[name] = self._merged(name, base, mine, theirs)
        return dict(sorted(merged.items()))

    def _merged(
        self, name: str, base: SourceTree, mine: SourceTree, theirs: SourceTree
    ) -> SourceTree:
        info = _one_of(base.info, mine.info, theirs.info)
        if info is None:
            raise BothChanged(f"{name}/source.json")
        ours, others = self._changes(base, mine), self._changes(base, theirs)
        subsets = dict(theirs.subsets)
        for subset, changed in ours.items():
            for one, new in others.get(subset, {}).items():
                if changed.get(one, new) != new:
                    raise BothChanged(_path(name, subset, one))
            tree = trees.update(self._reader, self._reader, subsets.pop(subset, None), changed)
            if tree is not None:
                subsets[subset] = tree
        labels = theirs.labels
        if not base.labels == mine.labels == labels:
            labels = self._merged_labels(name, (base, mine, theirs), ours, others)
        return SourceTree(info, labels, subsets)

    def _changes(self, old: SourceTree, new: SourceTree) -> Subsets:
        found = {}
        for subset in sorted(old.subsets.keys() | new.subsets.keys()):
            before, after = old.subsets.get(subset), new.subsets.get(subset)
            if before != after:
                changed = trees.diff(self._reader, before, after)
                found[subset] = {one.name: one.new for one in changed}
        return found

    def _merged_labels(
        self,
        name: str,
        sides: tuple[SourceTree, SourceTree, SourceTree],
        ours: Subsets,
        others: Subsets,
    ) -> bytes:
        base, mine, theirs = (self._labels(side.labels) for side in sides)
        try:
            merged = merge_labels(base, mine, theirs)
        except BranchMoved as error:
            raise BothChanged(f"{name}/categories.json") from error
        kept = {one.key for one in merged}
        for labels, changed in ((mine, ours), (theirs, others)):
            # What one side removed, the other may have begun to use.
            gone = {one.key for one in labels} - kept
            if gone:
                self._check_unused(name, gone, changed)
        return self._writer.blob(encode_labels(merged))

    def _labels(self, oid: bytes) -> Labels:
        return decode_labels(self._reader.blob(oid))

    def _check_unused(self, name: str, keys: set[str], changed: Subsets) -> None:
        for subset, items in changed.items():
            for one, blobs in items.items():
                if blobs is None:
                    continue
                parts = (blobs[n : n + SIZE] for n in range(0, len(blobs), SIZE))
                item = decode_item([self._reader.blob(part) for part in parts], "", subset)
                if any(note.label in keys for note in item.annotations):
                    raise BothChanged(_path(name, subset, one))


def _path(source: str, subset: str, name: bytes) -> str:
    return f"{source}/{subset}/{unquote(name.decode(errors='replace'))}"


def _one_of(base: bytes, mine: bytes, theirs: bytes) -> bytes | None:
    """Return the side that changed, where not both did."""
    if mine in (base, theirs):
        return theirs
    return mine if theirs == base else None
