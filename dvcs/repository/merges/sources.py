"""
Three versions of a source become one: labels first, then item by item, by their trees.

Only items that both sides changed are opened, and of those that one side changed the lines that it
added, for the numbers that both sides gave. The result is written as changes of our trees.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

import msgspec

from dvcs.compare import IdTrust
from dvcs.compare.pairing import Pairing
from dvcs.merge import Context, Judge, MergedLabels, merge_items, merge_labels
from dvcs.merge.labels import fates, still_used
from dvcs.model import Item, Labels
from dvcs.names import is_cut
from dvcs.objects import trees
from dvcs.objects.canonical import canonical_json
from dvcs.objects.items import decode_item, decode_labels, encode_item, encode_labels, key_maps
from dvcs.repository.merges.bases import Scratch
from dvcs.repository.merges.numbers import Renumbering
from dvcs.repository.merges.places import (
    Changes,
    Place,
    Spot,
    Triple,
    changes_of,
    id_of,
    triples,
)
from dvcs.repository.merges.plan import Plan
from dvcs.repository.merges.settings import merged_info
from dvcs.repository.merges.tracks import Tracks
from dvcs.repository.snapshot import SIZE, SourceInfo, SourceTree, Trees

BATCH = 256
"""Items whose three versions are in memory together."""
SAMPLE = 200
"""Items that both sides changed which are asked whether ids were kept."""


class Store(NamedTuple):
    """Where is read and written."""

    reader: Scratch
    writer: Trees
    add: Callable[[bytes], bytes]


class SourceMerge:
    """The merge of one source."""

    def __init__(
        self,
        name: str,
        versions: tuple[SourceTree | None, SourceTree, SourceTree],
        plan: Plan,
        store: Store,
    ) -> None:
        self.name, self.plan, self.store = name, plan, store
        self.base, self.ours, self.theirs = versions
        self.reader = store.reader
        self.changes: dict[str, dict[bytes, bytes | None]] = {}
        self.used: dict[str, list[str]] = {}
        self.tracks = Tracks()

    def merged(self) -> SourceTree:
        """Return the merged source."""
        judge = self.plan.judge((self.name, "", ""))
        info = self._info(judge)
        labels = self._labels(judge)
        self._items(labels, fates(labels, self._decoded(self.ours), judge))
        final = still_used(labels, self.used, self._decoded(self.ours), judge)
        self.plan.labels[self.name] = final
        names = key_maps(final)[1]
        self.plan.note((self.name, "", ""), judge, names)
        blob = self.ours.labels
        if final != self._decoded(self.ours):
            blob = self.store.add(encode_labels(final))
        return SourceTree(info, blob, self._subsets())

    # -- labels and information ------------------------------------------------------------------

    def _decoded(self, version: SourceTree | None) -> Labels:
        return Labels() if version is None else decode_labels(self.reader.blob(version.labels))

    def _labels(self, judge: Judge) -> MergedLabels:
        base, ours, theirs = map(self._decoded, (self.base, self.ours, self.theirs))
        return merge_labels(base, ours, theirs, judge, self.plan.counts)

    def _info(self, judge: Judge) -> bytes:
        ours, theirs = self.ours.info, self.theirs.info
        base = None if self.base is None else self.base.info
        if theirs in (ours, base):
            return ours
        if ours == base:
            return theirs
        blobs = [None if one is None else self.reader.blob(one) for one in (base, ours, theirs)]
        merged = merged_info(blobs[0], blobs[1] or b"", blobs[2] or b"", judge)
        info = msgspec.convert(merged, SourceInfo)
        return self.store.add(canonical_json(msgspec.to_builtins(info)) + b"\n")

    # -- items -----------------------------------------------------------------------------------

    def _items(self, labels: MergedLabels, becomes: Mapping[str, str | None]) -> None:
        ours = changes_of(self.reader, self.base, self.ours)
        theirs = self._selected(changes_of(self.reader, self.base, self.theirs))
        held = list(triples(self.reader, ours, theirs))
        numbers = Renumbering(self.reader, self.base, self.ours, self.plan.counts)
        if not self.plan.between_bases:
            self._learn(held, numbers)
        merging = _Items(self, labels, becomes, numbers, self._trust(held))
        for batch in _batches(held):
            texts = self.reader.texts([oid for one in batch for oid in merging.needed(one)])
            for one in batch:
                merging.merge(one, texts)
        self._derive(merging, numbers)

    def _derive(self, merging: "_Items", numbers: Renumbering) -> None:
        """Make anew what lies between keyframes of which both sides changed some."""
        if self.tracks.any:
            found = self.tracks.derive(
                self.reader, self.ours, self.changes, self.decoded, numbers.tracks_of
            )
            for place, item, count in list(found):
                self.put(place, merging.stored(item, place), None)
                self.plan.counts.derived += count

    def _selected(self, changes: Changes) -> Changes:
        select = self.plan.select
        if select is None:
            return changes
        kept: Changes = {}
        for place, (old, new) in changes.items():
            blobs = new if new is not None else old
            if blobs is not None and select.item(
                self.name, place[0], self.id_of(Spot(place, blobs))
            ):
                kept[place] = old, new
        return kept

    def id_of(self, spot: Spot) -> str:
        """Return the id of an item."""
        return id_of(self.reader, spot)

    def _learn(self, held: Sequence[Triple], numbers: Renumbering) -> None:
        """Learn what both sides added. Where one side added nothing, no number can collide."""
        sides = [
            any((spot := one[side]) is not None and spot != one.base for one in held)
            for side in (1, 2)
        ]
        if not all(sides):
            return
        for batch in _batches(held):
            texts = self.reader.texts([oid for one in batch for spot in one for oid in _oids(spot)])
            for one in batch:
                numbers.learn(one, texts)
                self.tracks.learn(one, texts)
        numbers.decide()

    def _trust(self, held: Sequence[Triple]) -> tuple[IdTrust, IdTrust]:
        """Ask some items whether their annotations kept their ids; unasked, they did."""
        trust = IdTrust(equal=1, kept=1), IdTrust(equal=1, kept=1)
        sample = [one for one in held if None not in one and needs_opening(one)][:SAMPLE]
        texts = self.reader.texts([oid for one in sample for spot in one for oid in _oids(spot)])
        for one in sample:
            base, *sides = (self.decoded(spot, texts) for spot in one)
            for side, ids in zip(sides, trust, strict=True):
                if base is not None and side is not None:
                    Pairing(base.annotations, side.annotations).teach(ids)
        return trust

    def decoded(self, spot: Spot | None, texts: Mapping[bytes, bytes]) -> Item | None:
        """Return an item, its labels as keys."""
        if spot is None:
            return None
        item = decode_item([texts[oid] for oid in _oids(spot)], "", spot.place[0])
        return item if item.id else item.with_(id=self.id_of(spot))

    # -- the result ------------------------------------------------------------------------------

    def put(self, place: Place, blobs: bytes | None, was: Place | None) -> None:
        """Have an item at a place (None: nowhere), that was at another place with us."""
        if was is not None and (was != place or blobs is None):
            self.changes.setdefault(was[0], {}).setdefault(was[1], None)
        if blobs is not None:
            self.changes.setdefault(place[0], {})[place[1]] = blobs

    def _subsets(self) -> dict[str, bytes]:
        subsets = dict(self.ours.subsets)
        for subset, changes in self.changes.items():
            tree = trees.update(self.reader, self.store.writer, subsets.pop(subset, None), changes)
            if tree is not None:
                subsets[subset] = tree
        return dict(sorted(subsets.items()))


class _Items:
    """Merges the items of a source one by one, once labels and numbers are known."""

    def __init__(
        self,
        source: SourceMerge,
        labels: MergedLabels,
        becomes: Mapping[str, str | None],
        numbers: Renumbering,
        trust: tuple[IdTrust, IdTrust],
    ) -> None:
        self.source, self.plan, self.numbers, self.trust = source, source.plan, numbers, trust
        self.becomes = becomes
        self.replaced = labels.replaced
        self.declared = {one.key for one in labels.labels}
        gone = {*labels.deleted, *labels.replaced}
        self.marks = [b'"label":' + msgspec.json.encode(key) for key in gone]
        self.names = key_maps(labels.labels)[1]
        self.fresh = None if numbers.per_item else numbers.fresh

    def needed(self, one: Triple) -> Iterator[bytes]:
        """Yield the blobs that must be read to merge an item."""
        if needs_opening(one):
            for spot in one:
                yield from _oids(spot)
        else:
            spot = self._one_sided(one)
            if spot is not None and (self.marks or self.numbers.concerns(spot.place)):
                yield from _oids(spot)

    def _one_sided(self, one: Triple) -> Spot | None:
        """Return the version to take where no two differ."""
        if one.base is None:
            return one.ours or one.theirs
        return one.theirs if _blobs(one.ours) == one.base.blobs else one.ours

    def merge(self, one: Triple, texts: Mapping[bytes, bytes]) -> None:
        """Merge one item and have it in the result."""
        was = None if one.ours is None else one.ours.place
        id = self.source.id_of(one.ours or one.theirs or one.base or Spot(one.place, b""))
        judge = self.plan.judge((self.source.name, one.place[0], id))
        place = self._place(one, judge)
        opened = needs_opening(one)
        blobs = self._merged(one, texts, judge) if opened else self._taken(one, texts)
        self.plan.note((self.source.name, one.place[0], id), judge, self.names)
        if blobs != _blobs(one.ours) or place != was:
            self.source.put(place, blobs, was)
        if blobs is not None:
            self.source.tracks.settle(one, place)

    def _place(self, one: Triple, judge: Judge) -> Place:
        """Return where an item goes on: where a side moved it."""
        if one.ours is None or one.theirs is None:
            return one.place
        base = None if one.base is None else one.base.place
        ours, theirs = one.ours.place, one.theirs.place
        if theirs in (ours, base):
            return ours
        if ours == base:
            return theirs
        decision = judge.ask(
            "item.moved",
            "moved",
            "place",
            base=self._told(one.base),
            ours=self._told(one.ours),
            theirs=self._told(one.theirs),
            allowed=("ours", "theirs", "base"),
        )
        choice = "ours" if decision is None else decision.choice
        return {"theirs": theirs, "base": base or ours}.get(choice, ours)

    def _told(self, spot: Spot | None) -> Any:
        return None if spot is None else f"{spot.place[0]}/{self.source.id_of(spot)}"

    # -- opened ----------------------------------------------------------------------------------

    def _merged(self, one: Triple, texts: Mapping[bytes, bytes], judge: Judge) -> bytes | None:
        base, ours, theirs = (self.source.decoded(spot, texts) for spot in one)
        if theirs is not None and one.theirs is not None:
            theirs = self._adjusted(one.theirs.place, theirs)
        if ours is not None:
            ours = self._relabelled(ours)
        context = Context(
            judge=judge,
            options=self.plan.options,
            counts=self.plan.counts,
            trust=self.trust,
            fresh=self.fresh,
        )
        item = merge_items(base, ours, theirs, context)
        return None if item is None else self.stored(item, one.place)

    def _taken(self, one: Triple, texts: Mapping[bytes, bytes]) -> bytes | None:
        spot = self._one_sided(one)
        if spot is None:
            return None
        if spot is not one.ours and spot.blobs != _blobs(one.ours):
            self.plan.counts.taken += 1
        is_theirs = spot is one.theirs and spot is not one.ours
        renumber = is_theirs and self.numbers.concerns(spot.place)
        if not renumber and not self._has_gone(spot, texts):
            return spot.blobs
        item = self.source.decoded(spot, texts)
        if item is None:
            return None
        adjusted = self._adjusted(spot.place, item) if is_theirs else self._relabelled(item)
        self._note_labels(adjusted)
        return spot.blobs if adjusted == item else self.stored(adjusted, one.place)

    def _has_gone(self, spot: Spot, texts: Mapping[bytes, bytes]) -> bool:
        """Tell whether an item may use a label that is not declared any more."""
        return any(mark in texts[oid] for mark in self.marks for oid in _oids(spot))

    def _adjusted(self, place: Place, item: Item) -> Item:
        if self.numbers.concerns(place):
            item = self.numbers.apply(place, item)
        return self._relabelled(item)

    def _relabelled(self, item: Item) -> Item:
        """Return an item without the labels that have become others, or nothing."""
        if not self.becomes and not self.replaced:
            return item
        notes = []
        for note in item.annotations:
            label = self.replaced.get(note.label or "", note.label)
            if label is not None and label in self.becomes:
                label = self.becomes[label]
                if label is None:
                    self._note_label(note.label, item)
                    self.plan.counts.dropped += 1
                    continue
            notes.append(note if label == note.label else note.with_(label=label))
        return item.with_(annotations=notes)

    def stored(self, item: Item, place: Place) -> bytes:
        """Write an item; return the ids of its blobs."""
        self._note_labels(item)
        keep_id = is_cut(place[1].decode(errors="replace"))
        parts = list(encode_item(item, keep_id=keep_id))
        oids = [self.source.store.add(part) for part in parts]
        if self.source.tracks.any:
            self.source.tracks.held.update(zip(oids, parts, strict=True))
        return b"".join(oids)

    def _note_labels(self, item: Item) -> None:
        for note in item.annotations:
            if note.label is not None and note.label not in self.declared:
                self._note_label(note.label, item)

    def _note_label(self, label: str | None, item: Item) -> None:
        places = self.source.used.setdefault(label or "", [])
        name = f"{item.subset}/{item.id}"
        if not places or places[-1] != name:
            places.append(name)


def needs_opening(one: Triple) -> bool:
    """Tell whether both sides have something else than before, and not the same."""
    ours, theirs = _blobs(one.ours), _blobs(one.theirs)
    if one.base is None:
        return ours is not None and theirs is not None and ours != theirs
    return ours != theirs and one.base.blobs not in (ours, theirs)


def _blobs(spot: Spot | None) -> bytes | None:
    return None if spot is None else spot.blobs


def _oids(spot: Spot | None) -> Iterator[bytes]:
    if spot is not None:
        for n in range(0, len(spot.blobs), SIZE):
            yield spot.blobs[n : n + SIZE]


def _batches(held: Sequence[Triple]) -> Iterator[list[Triple]]:
    stream = iter(held)
    while batch := list(islice(stream, BATCH)):
        yield batch
