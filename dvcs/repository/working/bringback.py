"""
Bringing back what was written out: only what somebody changed in it becomes a change.

What is read is compared with the *projection* of the revision that it was written from: what
reading the written files gave. Items that read as they are stored are unchanged and need none; for
the others the stored items are written and read again in memory, and the edits between the two
readings are applied to the stored items (`dvcs/projection`). So a box moved in a YOLO rendering
of a COCO dataset is one change, and polygons, attributes, ids and captions stay.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec

from dvcs.compare import IdTrust, Rounding, match_items, trace_of
from dvcs.compare.pairing import Pairing
from dvcs.errors import DvcsError, RepositoryError
from dvcs.model import Dataset, Item, Labels
from dvcs.names import is_cut, quote, unquote
from dvcs.objects.gitobjects import Kind, oid_of
from dvcs.objects.items import decode_item, encode_item, key_maps
from dvcs.projection import (
    Rule,
    Tracks,
    apply_edits,
    edited_labels,
    edited_mapping,
    learn_rounding,
    same_numbers,
)
from dvcs.repository.labels import with_known_keys
from dvcs.repository.snapshot import Snapshot
from dvcs.repository.working.difference import (
    Difference,
    Edited,
    ItemConflict,
    refuse_doubles,
    relabelled,
)
from dvcs.repository.working.rendering import (
    Name,
    Rendered,
    Rendering,
    is_encoded_anew,
    rendered,
    with_neighbours,
)

if TYPE_CHECKING:
    from dvcs.repository import Repository

SAMPLE = 500
TOOLS = frozenset({"cvat"})
"""
Formats of an annotation tool: their record of a dataset is that of a task (who made it, and when),
and they tell which shapes of tracks are keyframes.
"""


def difference(
    repo: "Repository",
    base: Snapshot,
    source: str,
    *,
    dataset: Dataset,
    items: Iterable[Item],
    rendering: Rendering,
    rule: Rule = "refuse",
) -> Difference:
    """
    Return what a dataset that was read changes in the source that it was written from.

    `items` are those of `dataset`, their media's hashes filled in. Raises RepositoryError for two
    items of one name, and whatever reading raises.
    """
    comparison = _Comparison(repo, base, source, dataset=dataset, rendering=rendering, rule=rule)
    return comparison.run(items)


class _Comparison:
    """One comparison of a reading with its base."""

    def __init__(
        self,
        repo: "Repository",
        base: Snapshot,
        source: str,
        *,
        dataset: Dataset,
        rendering: Rendering,
        rule: Rule,
    ) -> None:
        self.repo, self.base, self.source = repo, base, source
        self.dataset, self.rendering, self.rule = dataset, rendering, rule
        self.full = base.labels(source)
        self.info = base.info(source)
        self.names = {subset: base.names(source, subset) for subset in base.sources[source].subsets}
        self.shown = self._shown_labels()
        hidden = [one for one in self.full if one.key not in {one.key for one in self.shown}]
        self.known = self.shown.replaced((*_without_names(hidden, self.shown), *self.shown))
        self.read = with_known_keys(self.known, dataset.labels)
        self.keys = key_maps(self.read)[0]
        self.rest: dict[Name, Item] = {}
        self.same: set[Name] = set()
        self.projected: dict[Name, Item] = {}
        self.media: Mapping[Name, list[str]] = {}
        self.tracks = Tracks() if rendering.renumbered else None
        self.shown_metadata: Mapping[str, Any] | None = None

    def run(self, items: Iterable[Item]) -> Difference:
        self._sort(items)
        left = {
            (subset, name)
            for subset, names in self.names.items()
            for name in names
            if (subset, name) not in self.same
        }
        self._project(left)
        edited, conflicts = self._match(left)
        labels = self._labels(edited)
        return Difference(
            self.source,
            self.full,
            labels,
            self._metadata(),
            tuple(edited),
            tuple(conflicts),
        )

    # What reads as it is stored

    def _sort(self, items: Iterable[Item]) -> None:
        """Put aside the items that read as they are stored."""
        for item in items:
            quoted = quote(item.id)
            name = item.subset, quoted.encode()
            if name in self.same or name in self.rest:
                raise RepositoryError(
                    f"two items are called '{item.subset}/{item.id}'", hint="rename one"
                )
            held = self.names.get(item.subset, {}).get(name[1])
            if held is not None:
                parts = encode_item(item, self.keys, keep_id=is_cut(quoted))
                if b"".join(oid_of(Kind.BLOB, part) for part in parts) == held:
                    self.same.add(name)
                    if self.tracks is not None:
                        self.tracks.keep(item)
                    continue
            self.rest[name] = item

    # Labels and metadata

    def _shown_labels(self) -> Labels:
        """Return the labels that the files showed, with the keys of the full ones."""
        if self.rendering.exact or with_known_keys(self.full, self.dataset.labels) == self.full:
            return self.full
        first = next(((s, n) for s, names in self.names.items() for n in names), None)
        if first is None:
            return self.full
        read = self._rendered({first})
        if read is None:
            return self.full
        shown = read.dataset.labels
        keyed = with_known_keys(self.full, shown)
        if len(shown) == len(self.full) and not any(one.name in shown for one in self.full):
            pairs = zip(keyed, self.full, strict=True)  # a format that changes all names
            keyed = keyed.replaced(
                msgspec.structs.replace(one, key=full.key) for one, full in pairs
            )
        return keyed

    def _labels(self, edited: list[Edited]) -> Labels:
        if self.read == self.shown:
            return self.full
        if (
            self.same
            and not self.rendering.exact
            and _attributes(self.read) - _attributes(self.shown)
        ):
            # Items that read as they are stored may be the ones that have them.
            read = self._rendered({(s, n) for s, names in self.names.items() for n in names})
            self.shown = self.shown if read is None else self._keyed_like_shown(read.dataset.labels)
        gone = {one.key for one in self.shown} - {one.key for one in self.read}
        keep = self._used(gone, edited) if gone else ()
        return edited_labels(self.full, self.shown, self.read, keep=keep)

    def _used(self, keys: set[str], edited: list[Edited]) -> set[str]:
        """Return those of some label keys that items still use once the edits are made."""
        used = {
            note.label
            for one in edited
            if one.after is not None
            for note in one.after.annotations
            if note.label is not None and note.label in keys
        }
        changed = {one.old for one in edited}
        marks = {msgspec.json.encode(one): one for one in keys}
        for subset, names in self.names.items():
            held = {name: blobs for name, blobs in names.items() if (subset, name) not in changed}
            for _, parts in self.base.read_blobs(held):
                for mark, one in marks.items():
                    if one not in used and any(b'"label":' + mark in part for part in parts):
                        used.add(one)
        return used

    def _metadata(self) -> Mapping[str, Any] | None:
        read, full = self.dataset.metadata, self.info.metadata
        if read == full:
            return None
        shown = full if self.rendering.exact else self.shown_metadata
        if shown is None:
            first = next(((s, n) for s, names in self.names.items() for n in names), None)
            found = self._rendered({first}) if first is not None else None
            shown = found.dataset.metadata if found is not None else read
        if not self.rendering.exact:
            hidden = {name for name in {*shown, *read} if self._of_files(name, shown)}
            shown, read = (
                {name: record for name, record in one.items() if name not in hidden}
                for one in (shown, read)
            )
        edited = edited_mapping(full, shown, read, depth=1)
        return None if edited == full else edited

    def _of_files(self, name: str, shown: Mapping[str, Any]) -> bool:
        """Tell whether a record says something of the files, and nothing of the dataset."""
        by_tool = self.rendering.renumbered and name in TOOLS
        return by_tool or (name in shown and name not in self.info.metadata)

    # The projection

    def _rendered(self, wanted: set[Name]) -> Rendered | None:
        chosen = {
            subset: {name: blobs for name, blobs in names.items() if (subset, name) in wanted}
            for subset, names in self.names.items()
        }
        return rendered(self.repo, self.base, self.source, chosen, self.rendering)

    def _project(self, left: set[Name]) -> None:
        """Find what the files showed of all stored items that do not read as they are stored."""
        if not self.rest and not left:
            return
        if self.rendering.exact:
            self.projected = dict(self._stored(left))
            return
        # Where no name is as it was, names follow from all items together: so do all of them.
        if not self.same and not any(name in left for name in self.rest):
            wanted = {(s, n) for s, names in self.names.items() for n in names}
        else:
            tracked = self.rendering.format.name in TOOLS
            wanted = with_neighbours(self.base, self.names, left) if tracked else left
        read = self._rendered(wanted) if wanted else None
        if read is None:
            return
        self.shown_metadata = read.dataset.metadata
        self.media = read.media
        labels = self._keyed_like_shown(read.dataset.labels)
        if self.shown is not self.full:
            self.shown = labels  # with the attributes that files declare because items have them
        keys = key_maps(labels)[0]
        for name, item in read.items:
            if name in left:
                self.projected[name] = relabelled(item, keys)

    def _keyed_like_shown(self, labels: Labels) -> Labels:
        return with_known_keys(self.full if self.shown is self.full else self.known, labels)

    def _stored(self, wanted: set[Name]) -> Iterator[tuple[Name, Item]]:
        """Yield stored items, labels as keys."""
        for subset, names in self.names.items():
            held = {name: blobs for name, blobs in names.items() if (subset, name) in wanted}
            for name, parts in self.base.read_blobs(held):
                quoted = name.decode()
                id = "" if is_cut(quoted) else unquote(quoted)
                yield (subset, name), decode_item(parts, id, subset).with_(source=self.source)

    # Which read item is which stored one

    def _match(self, left: set[Name]) -> tuple[list[Edited], list[ItemConflict]]:
        pairs, added, removed = self._pairs(left)
        self._renumber(pairs)
        full = dict(self._stored({name for name, _ in pairs}))
        trust = self._trust(pairs)
        rounding = self._rounding(pairs, trust)
        edited: list[Edited] = []
        conflicts: list[ItemConflict] = []
        for old, new in pairs:
            item = relabelled(self.rest[new], self.keys)
            shown = self.projected.get(old)
            before = full[old]
            if shown is None:
                shown = Item(id=item.id, subset=item.subset)
            if not self.rendering.exact:  # numbers in somebody's own files are their own
                item = item.with_(extra=same_numbers(shown.extra, item.extra))
            if is_encoded_anew(before, item, self.media.get(old, ()), self.rendering):
                item = item.with_(media=shown.media, origins=())
            target = self._target(old, new, shown)
            if target == old and _same_item(shown, item):
                continue
            applied = apply_edits(before, shown, item, rule=self.rule, ids=trust, rounding=rounding)
            after = applied.item
            conflicts += [ItemConflict(before.subset, before.id, one) for one in applied.conflicts]
            if target != old:
                after = after.with_(subset=target[0], id=item.id)
            if target != old or not _same_item(before, after):
                edited.append(Edited(old, target, before, after))
        edited += [
            Edited(None, name, None, relabelled(self.rest[name], self.keys)) for name in added
        ]
        gone = dict(self._stored(set(removed)))
        edited += [Edited(name, None, gone[name], None) for name in removed]
        refuse_doubles(edited, self.names)
        return edited, conflicts

    def _pairs(self, left: set[Name]) -> tuple[list[tuple[Name, Name]], list[Name], list[Name]]:
        """Return (stored, read) pairs, read items that are new, stored items that are gone."""
        of_shown = {
            (item.subset, quote(item.id).encode()): name for name, item in self.projected.items()
        }
        free = set(left)
        pairs: list[tuple[Name, Name]] = []
        unmatched: list[Name] = []
        by_id: dict[bytes, Name | None] = {}
        for subset, names in self.names.items():
            for one in names:
                by_id[one] = None if one in by_id else (subset, one)
        for name, item in self.rest.items():
            old = of_shown.get(name)
            if old not in free:
                old = name if name in free else None
            if old is None and item.subset == (self.rendering.subset or "default"):
                alone = by_id.get(name[1])
                old = alone if alone in free and alone[0] != name[0] else None
            if old is None:
                unmatched.append(name)
            else:
                free.discard(old)
                pairs.append((old, name))
        # What the files never showed is not gone.
        gone = {name: self.projected[name] for name in free if name in self.projected}
        if unmatched and gone:
            moved = self._moved(gone, unmatched)
            pairs += moved
            for old, new in moved:
                del gone[old]
                unmatched.remove(new)
        return pairs, unmatched, sorted(gone)

    def _moved(self, gone: dict[Name, Item], new: list[Name]) -> list[tuple[Name, Name]]:
        """Find items that moved to another subset or were renamed."""
        shown = {item.with_(source=self.source).key: name for name, item in gone.items()}
        read = {self.rest[name].with_(source=self.source).key: name for name in new}
        moved, renamed = match_items(
            [trace_of(item.with_(source=self.source)) for item in gone.values()],
            [
                trace_of(relabelled(self.rest[name], self.keys).with_(source=self.source))
                for name in new
            ],
        )
        return [(shown[was], read[now]) for was, now in (*moved, *renamed)]

    def _target(self, old: Name, new: Name, shown: Item) -> Name:
        """Return what an item is called after the edit: as before, unless the reading says else."""
        item = self.rest[new]
        subset, id = old
        if item.subset != shown.subset and (item.subset, new[1]) != old:
            default = self.rendering.subset or "default"
            subset = old[0] if item.subset == default else item.subset
        if item.id != shown.id:
            id = new[1]
        return subset, id

    def _renumber(self, pairs: list[tuple[Name, Name]]) -> None:
        """Give the tracks of what was read the numbers that the files showed."""
        if self.tracks is None:
            return
        for old, new in pairs:
            shown = self.projected.get(old)
            if shown is not None and (_tracked(shown) or _tracked(self.rest[new])):
                self.tracks.learn(shown, relabelled(self.rest[new], self.keys))
        self.rest = {name: self.tracks.renumbered(item) for name, item in self.rest.items()}

    def _trust(self, pairs: list[tuple[Name, Name]]) -> IdTrust:
        """Learn whether the ids of annotations mean anything between what was shown and read."""
        trust = IdTrust(len(self.same), len(self.same))
        for old, new in islice(pairs, SAMPLE):
            shown = self.projected.get(old)
            if shown is not None:
                notes = relabelled(self.rest[new], self.keys).annotations
                Pairing(shown.annotations, notes).teach(trust)
        return trust

    def _rounding(self, pairs: list[tuple[Name, Name]], trust: IdTrust) -> Rounding | None:
        """
        Learn to how many decimals a tool rounds.

        None for a dataset in its own files, whose digits are what their owner made of them. Of a
        working copy in another format, too, only those are no edits that no tool keeps.
        """
        if self.rendering.exact:
            return None
        rounding = Rounding()
        if self.rendering.renumbered:
            for old, new in islice(pairs, SAMPLE):
                shown = self.projected.get(old)
                if shown is not None:
                    item = relabelled(self.rest[new], self.keys)
                    learn_rounding(rounding, shown, item, ids=trust)
            rounding.decide()
        return rounding


# -- helpers -------------------------------------------------------------------------------------


def _same_item(one: Item, other: Item) -> bool:
    """Tell whether two items are stored alike, whatever they are called."""
    try:
        return encode_item(one) == encode_item(other)
    except DvcsError:
        return False


def _tracked(item: Item) -> bool:
    return any(note.track is not None for note in item.annotations)


def _attributes(labels: Labels) -> set[tuple[str, str]]:
    return {(one.key, spec.name) for one in labels for spec in one.attributes}


def _without_names(labels: list[Any], taken: Labels) -> list[Any]:
    return [one for one in labels if one.name not in taken]
