"""
Both versions of what a patch changes, as if they had been here: the sides of a three-way merge.

The base is what is here, with everything that the patch touches as it was where the patch was made;
theirs is the base with the patch. So a merge with ours takes what is untouched here as the patch
has it, byte for byte, and merges the rest. Labels are known by key, else by name.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from dvcs.errors import ConflictError, FormatError, RevisionNotFound
from dvcs.model import Category, Item, Labels
from dvcs.names import is_cut, quote
from dvcs.objects import trees
from dvcs.objects.canonical import canonical_json
from dvcs.objects.items import decode_header, decode_item, decode_labels, encode_item, encode_labels
from dvcs.repository.merges.bases import Scratch, Version
from dvcs.repository.patches.text import Patch, PatchItem, PatchSource, Side, SourceSide
from dvcs.repository.snapshot import SIZE, SourceTree, Trees

Place = tuple[str, bytes]
"""Subset and quoted id of an item."""
MANY = 100
"""Items of a patch from which on a subset is walked, not searched for each."""
Changes = dict[str, dict[bytes, bytes | None]]


class Fit(NamedTuple):
    """How an item of a patch meets what is here."""

    place: str
    state: str
    """`exact`: it is here as it was there; `done`: as the patch wants it; else `changed`."""


class Sides(NamedTuple):
    """Base and theirs, and how each item of the patch fits."""

    base: Version
    theirs: Version
    fits: list[Fit]


class Store(NamedTuple):
    """Where is read, and where trees and blobs are written."""

    reader: Scratch
    writer: Trees
    add: Callable[[bytes], bytes]

    def hold(self, data: bytes) -> bytes:
        """Write a blob, and keep it at hand; return its id."""
        self.reader.add(data)
        return self.add(data)


def sides_of(patch: Patch, ours: Version, store: Store, name: str) -> Sides:
    """
    Return the sides of a merge that applies a patch to `ours`; `name` is what errors call it.

    Raises RevisionNotFound for a source that is not here, FormatError for a label that is declared
    neither here nor in the patch.
    """
    fits: list[Fit] = []
    versions = dict(ours.sources), dict(ours.sources)
    for one in patch.sources:
        held = ours.sources.get(one.name)
        if held is None and one.old is not None and one.new is not None:
            raise RevisionNotFound(
                f"the patch changes the source '{one.name}', which is not here",
                hint=_where_else(one.name, list(ours.sources)),
            )
        made = _SourceSides(one, held, store, name)
        for version, tree in zip(versions, made.trees(), strict=True):
            version.pop(one.name, None)
            if tree is not None:
                version[one.name] = tree
        fits += made.fits
    policies = [ours.policy, ours.policy]
    if patch.policy is not None:
        policies = [None if text is None else store.hold(text.encode()) for text in patch.policy]
    return Sides(Version(versions[0], policies[0]), Version(versions[1], policies[1]), fits)


def _where_else(name: str, here: list[str]) -> str:
    """Return what to try where a source of a patch is not here."""
    if not here:
        return "there are no sources here; import the dataset first"
    other = here[0] if len(here) == 1 else "NAME"
    listed = f" (sources here: {', '.join(here)})" if len(here) > 1 else ""
    return f"say which one it is here: --source '{name}={other}'{listed}"


class _SourceSides:
    """One source."""

    def __init__(
        self, patch: PatchSource, ours: SourceTree | None, store: Store, name: str
    ) -> None:
        self.patch, self.ours, self.store = patch, ours, store
        self.fits: list[Fit] = []
        self._known: dict[str, dict[bytes, bytes]] = {}
        here = Labels() if ours is None else decode_labels(store.reader.blob(ours.labels))
        self.labels = _Tables(patch, here, name)

    def trees(self) -> tuple[SourceTree | None, SourceTree | None]:
        """Return the source in the base and in theirs."""
        old, new = self.patch.old, self.patch.new
        ground = self.ours if old is not None and new is not None else None
        base, theirs = self._items(ground)
        tables = self.labels.sides()
        return (
            None if old is None else self._tree(old, tables[0], ground, None, base),
            None if new is None else self._tree(new, tables[1], ground, base, theirs),
        )

    def _tree(
        self,
        side: SourceSide,
        labels: Labels,
        ground: SourceTree | None,
        first: Changes | None,
        changes: Changes,
    ) -> SourceTree:
        """Return a version of the source: what is here, with changes, and then with others."""
        subsets = {} if ground is None else dict(ground.subsets)
        for part in (first or {}, changes):
            for subset, items in part.items():
                tree = trees.update(
                    self.store.reader, self.store.writer, subsets.pop(subset, None), items
                )
                if tree is not None:
                    subsets[subset] = tree
        info = ground.info if side.info is None and ground is not None else None
        if info is None and ground is not None:
            info = self.store.hold(self._info(side.info or b"{}", ground))
        table = None
        if ground is not None and labels == self.labels.here:
            table = ground.labels
        return SourceTree(
            info or self.store.hold(side.info or b"{}\n"),
            table or self.store.hold(encode_labels(labels)),
            dict(sorted(subsets.items())),
        )

    def _info(self, info: bytes, ground: SourceTree) -> bytes:
        """Return a `source.json` of the patch; where a source came from, each place has its own."""
        here = self.store.reader.blob(ground.info)
        if self.patch.old is not None and self.patch.old.info == here:
            return info
        known, mine = (msgspec.json.decode(one, type=dict[str, Any]) for one in (info, here))
        known.pop("origin", None)
        if "origin" in mine:
            known["origin"] = mine["origin"]
        return canonical_json(known) + b"\n"

    # -- items -----------------------------------------------------------------------------------

    def _items(self, ground: SourceTree | None) -> tuple[Changes, Changes]:
        """Return what makes the base of what is here, and theirs of the base."""
        base: Changes = {}
        theirs: Changes = {}
        items = self.patch.items
        taken = {_place(side) for one in items for side in one[:2] if isinstance(side, Side)}
        for one in items:
            if one.new is not None:
                subset, name = _place(one.new)
                base.setdefault(subset, {}).setdefault(name, None)
        for one in items:
            if one.old is not None:
                old = self._stored(one.old)
                subset, name = _place(one.old)
                base.setdefault(subset, {})[name] = old
                theirs.setdefault(subset, {}).setdefault(name, None)
                for moved in self._moved(one, ground, taken):
                    base.setdefault(moved[0], {})[moved[1]] = None
        for one in items:
            new = None
            if one.new is not None:
                new = self._stored(one.new)
                subset, name = _place(one.new)
                theirs.setdefault(subset, {})[name] = new
            self._fit(one, base, new)
        return base, theirs

    def _stored(self, side: Side) -> bytes:
        """Write an item's version, its labels as keys of here; return its blobs."""
        blobs = side.blobs
        if self.labels.keys:
            item = decode_item(blobs, side.id, side.subset)
            translated = self._translated(item)
            if translated is not item:
                blobs = tuple(encode_item(translated, keep_id=is_cut(quote(side.id))))
        return b"".join(map(self.store.hold, blobs))

    def _translated(self, item: Item) -> Item:
        keys = self.labels.keys
        if not any(note.label in keys for note in item.annotations):
            return item
        return item.with_(
            annotations=[
                note.with_(label=keys.get(note.label, note.label)) if note.label else note
                for note in item.annotations
            ]
        )

    def _here(self, place: Place) -> bytes | None:
        subset, name = place
        tree = None if self.ours is None else self.ours.subsets.get(subset)
        if len(self.patch.items) < MANY:
            return trees.find_anywhere(self.store.reader, tree, name)
        if subset not in self._known:
            self._known[subset] = dict(trees.walk(self.store.reader, tree))
        return self._known[subset].get(name)

    def _moved(self, one: PatchItem, ground: SourceTree | None, taken: set[Place]) -> list[Place]:
        """
        Return where an item that changes went here since, if it is in one other subset now.

        It must have something of the item that the patch knows: another one may have the same id.
        """
        if one.old is None or one.new is None or ground is None:
            return []
        subset, name = _place(one.old)
        if self._here((subset, name)) is not None:
            return []
        found = [
            (other, name)
            for other in ground.subsets
            if (other, name) not in taken and self._is_known(one.old, (other, name))
        ]
        return found if len(found) == 1 else []

    def _is_known(self, old: Side, place: Place) -> bool:
        """Tell whether an item here has a line, or media, of a version of the patch."""
        blobs = self._here(place)
        if blobs is None:
            return False
        there = [line for blob in old.blobs for line in blob.splitlines()]
        here = self.store.reader.blob(blobs[:SIZE]).splitlines()
        if not set(there[1:]).isdisjoint(here[1:]):
            return True
        media = [decode_header(lines[0]).media for lines in (there, here)]
        hashes = [
            {file.sha256 for file in one.files if file.sha256} if one is not None else set()
            for one in media
        ]
        return not hashes[0].isdisjoint(hashes[1])

    def _fit(self, one: PatchItem, base: Changes, new: bytes | None) -> None:
        side = one.old or one.new
        assert side is not None  # noqa: S101 - the patch was read
        before = None
        if one.old is not None:
            subset, name = _place(one.old)
            before = base[subset][name]
        here = self._here(_place(side))
        after = None if one.new is None else self._here(_place(one.new))
        moved = one.old is not None and one.new is not None and _place(one.old) != _place(one.new)
        if here == before and (not moved or after is None):
            state = "exact"
        elif after == new and (not moved or here is None):
            state = "done"
        else:
            state = "changed"
        self.fits.append(Fit(f"{self.patch.name}/{side.subset}/{side.id}", state))


def _place(side: Side) -> Place:
    return side.subset, quote(side.id).encode()


# -- labels --------------------------------------------------------------------------------------


class _Tables:
    """The labels of a source: those here, and what the patch does to its own."""

    def __init__(self, patch: PatchSource, here: Labels, name: str) -> None:
        self.patch, self.here = patch, here
        self.old = Labels() if patch.old is None else patch.old.labels
        self.new = Labels() if patch.new is None else patch.new.labels
        known = {one.key for one in here}
        self.keys: dict[str, str] = {}
        """Keys of the patch that are others here."""
        declared = {one.key: one for one in (*self.new, *self.old)}
        for key, one in declared.items():
            same = here[one.name].key if one.name in here else key
            if key not in known and same not in declared:
                self.keys[key] = same
        for key in sorted(patch.used - declared.keys() - known):
            raise FormatError(
                f"an item has the label '{key}', which is declared nowhere", name, patch.line
            )

    def sides(self) -> tuple[Labels, Labels]:
        """Return the labels of the base and of theirs."""
        if self.patch.old is None or self.patch.new is None:
            return self._translated(self.old), self._translated(self.new)
        if self.old == self.here:
            return (self.old, self.new) if self.patch.whole else (self.here, self.here)
        base = self._base()
        return base, self._theirs(base)

    def _translated(self, labels: Labels) -> Labels:
        if not self.keys:
            return labels
        return labels.replaced(_with_key(one, self.keys.get(one.key, one.key)) for one in labels)

    def _base(self) -> Labels:
        """Return the labels here, those that the patch changes as they were there."""
        old = {self.keys.get(one.key, one.key): one for one in self.old}
        new = {self.keys.get(one.key, one.key): one for one in self.new}
        found: list[Category] = []
        for one in self.here:
            before = old.get(one.key)
            same = before is None or before == new.get(one.key)
            found.append(one if before is None or same else _with_key(before, one.key))
        return self._table(found, self.old, self.here)

    def _theirs(self, base: Labels) -> Labels:
        """Return the base as the patch changes it; a label that is used and not here is new."""
        old = {self.keys.get(one.key, one.key): one for one in self.old}
        new = {self.keys.get(one.key, one.key): one for one in self.new}
        found: list[Category] = []
        for one in base:
            if one.key in old and one.key not in new:
                continue
            changed = one.key in old and old[one.key] != new.get(one.key)
            found.append(_with_key(new[one.key], one.key) if changed else one)
        known = {one.key for one in base}
        for key, one in new.items():
            wanted = key not in old or key in self.patch.used
            if key not in known and wanted:
                found.append(one)
        return self._table(found, self.new, base)

    def _table(self, found: list[Category], mine: Labels, other: Labels) -> Labels:
        """Return a table; what is declared for all labels comes from the patch where it has it."""
        settings = [(one.attributes, one.extra) for one in (self.old, self.new)]
        if settings[0] == settings[1]:
            mine = other
        names = [one.name for one in found]
        twice = next((one for one in names if names.count(one) > 1), None)
        if twice is not None:
            raise ConflictError(
                f"the patch calls a label of '{self.patch.name}' '{twice}', and here another one"
                " is called so",
                hint="nothing was changed; rename that one first",
            )
        return Labels(found, attributes=mine.attributes, extra=mine.extra)


def _with_key(one: Category, key: str) -> Category:
    return one if one.key == key else msgspec.structs.replace(one, key=key)
