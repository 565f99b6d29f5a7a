"""
The page of what a merge (revert, cherry-pick, stash pop) left to decide, to be decided there.

    write_conflicts(path, repo, merging, merging.open())

The page saves what `dvcs resolve --from` takes: `{"dvcs.conflicts/1": [...]}`, a `choice` for each
conflict that was decided. Values are kept as the JSON text that was shown or typed: a browser's
numbers would make 1.0 into 1 and round what is beyond 2^53.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from dvcs.compare import key, pair_annotations
from dvcs.merge import Conflict, Decision, Options
from dvcs.merge.decisions import ITEM_PRESENCE
from dvcs.merge.pairing import Entry, Sides, align
from dvcs.model import KINDS, Annotation, Item
from dvcs.model.annotations import names_of
from dvcs.progress import track
from dvcs.repository.history import merge_bases
from dvcs.repository.merges.conflicts import Merging, Place, key_of
from dvcs.repository.votes.plan import Seat, voting_of
from dvcs.web.diff_page import Written
from dvcs.web.page import Block, check_target, json_block, write_page
from dvcs.web.pictures import Pictures, Shown
from dvcs.web.sides import UNTOLD, drawable, skeletons

if TYPE_CHECKING:
    from dvcs.repository import Repository
    from dvcs.repository.snapshot import Snapshot

SCRIPTS = ("decisions.js", "verdict.js", "conflicts.js")
NAMES = ("base", "ours", "theirs")
NEARLY_NOTHING = 0.05
"""A similarity below that of any two votes for one thing."""
ROLES = 6
"""Colours for voters after the second; then they begin again."""
_BALLOT = re.compile(r"v\d+-(.*)", re.DOTALL)
"""How a vote names an annotation that its first voter does not have: voter (from 1), name."""


class Versions(NamedTuple):
    """The three commits of a merge (None: nothing), or one item in each; `others` vote too."""

    base: Any
    ours: Any
    theirs: Any
    others: tuple[Any, ...] = ()

    @property
    def all(self) -> tuple[Any, ...]:
        """Base, ours, theirs and all others."""
        return (*self[:3], *self.others)


def versions_of(repo: "Repository", merging: Merging) -> Versions:
    """
    Return what was merged: commit ids of the base, of our side and of theirs.

    Of several merge bases the first one is shown. Of a vote ours is the first voter, theirs the
    second, and `others` are all further ones. A revert merges the parent of what
    it takes back, a cherry-pick and a stash what they bring, as it differs from its parent.
    """
    ours, theirs = bytes.fromhex(merging.ours), bytes.fromhex(merging.theirs)
    if merging.operation == "merge":
        bases = merge_bases(repo.store, ours, theirs)
        base = bases[0] if bases else None
        if seats := _seats(merging):
            ours, theirs, *others = (bytes.fromhex(one.commit) for one in seats)
            return Versions(base, ours, theirs, tuple(others))
        return Versions(base, ours, theirs)
    parents = repo.store.commit(theirs).parents
    number = (merging.mainline or 1) - 1
    parent = parents[number] if number < len(parents) else None
    if merging.operation == "revert":
        return Versions(theirs, ours, parent)
    return Versions(parent, ours, theirs)


def _seats(merging: Merging) -> Sequence[Seat]:
    return () if merging.voting is None else voting_of(merging).seats


def write_conflicts(
    path: Path,
    repo: "Repository",
    merging: Merging,
    places: Sequence[Place],
    *,
    embed: bool | None = None,
    force: bool = False,
) -> Written:
    """
    Write conflicts of what is under way as a page on which they are decided.

    Decisions made before are shown as made. `embed` as for `write_diff`. Raises UsageError where
    the file exists, unless with `force`, or cannot be written.
    """
    check_target(path, force=force)
    pictures = Pictures(path, embed=embed)
    snapshots = _each(versions_of(repo, merging), repo.snapshot)
    voters = [one.name for one in _seats(merging)]
    index: list[dict[str, Any]] = []
    blocks: list[Block] = []
    stream = track(_with_items(repo, places, snapshots), "drawing", len(places), "places")
    for (place, items), shown in pictures.of(
        ((place, items), _pictured(items)) for place, items in stream
    ):
        decided = merging.decisions.get(key_of(place.where), {})
        finder = _Finder(items, voters, merging.options)
        plain = [_conflict(one, finder, decided.get(one.key)) for one in place.conflicts]
        blocks.append(json_block(f"item-{len(index)}", _place(place, items, shown, plain)))
        index.append(_index(place, plain))
    sources = sorted({place.source for place in places})
    head = {
        "operation": merging.operation,
        "revision": merging.revision,
        "branch": merging.branch,
        "sides": _sides(merging),
        "vote": bool(voters),
        "key": f"dvcs {merging.operation} {merging.ours} {merging.theirs}",
        "skeletons": {one: skeletons(_labels(snapshots, one)) for one in sources},
        "names": {one: list(merging.labels.get(one, {})) for one in sources},
        "items": index,
    }
    page = json_block("page", {"folder": pictures.address})
    everything = [page, json_block("index", head), *blocks, *pictures.blocks()]
    title = f"{merging.operation} {merging.revision} - dvcs conflicts"
    size = write_page(path, title, SCRIPTS, everything)
    pictures.finish()
    folder = None if pictures.address is None else pictures.folder
    return Written(path, size, len(places), 0, len(pictures.names), pictures.failed, folder)


def _each(versions: Versions, change: Callable[[Any], Any]) -> Versions:
    base, ours, theirs, *others = map(change, versions.all)
    return Versions(base, ours, theirs, tuple(others))


def _names(count: int) -> list[str]:
    """Return what so many sides are called in the page: the base, and two or more others."""
    return [*NAMES, *(f"voter-{n}" for n in range(3, count))]


def _sides(merging: Merging) -> list[dict[str, str]]:
    """Return the sides that are drawn: what they are called, what people call them, colours."""
    if seats := _seats(merging):
        sides = _names(len(seats) + 1)
        roles = [*NAMES, *(f"voter-{3 + n % ROLES}" for n in range(len(sides) - 3))]
        titles = ["base", *(one.name for one in seats)]
        told = zip(sides, titles, titles, roles, strict=True)
    else:
        titles = ["base", merging.branch or "HEAD", merging.revision]
        told = zip(NAMES, NAMES, titles, NAMES, strict=True)
    return [dict(zip(("id", "name", "title", "role"), one, strict=True)) for one in told]


def _labels(snapshots: Versions, source: str) -> Iterator[Any]:
    for snapshot in (*snapshots.all[1:], snapshots.base):
        if source in snapshot.sources:
            yield snapshot.labels(source)


# -- items ---------------------------------------------------------------------------------------


def _with_items(
    repo: "Repository", places: Iterable[Place], snapshots: Versions
) -> Iterator[tuple[Place, Versions]]:
    for place in places:
        yield place, _each(snapshots, lambda one, place=place: _found(repo, one, place))  # type: ignore[misc]


def _found(repo: "Repository", snapshot: "Snapshot", place: Place) -> Item | None:
    """Return an item by its name, else of its id in another subset: it may have moved."""
    held = snapshot.sources.get(place.source)
    if held is None or not place.subset:
        return None
    others = sorted(held.subsets.keys() - {place.subset})
    for subset in (place.subset, *others):
        item = snapshot.item(place.source, subset, place.id, repo.media_access)
        if item is not None:
            return item
    return None


def _pictured(items: Versions) -> Item | None:
    """Return the item whose picture is shown: ours, unless another one has pixels only."""
    there = [one for one in (*items.all[1:], items.base) if one is not None]
    return next((one for one in there if any(one.origins)), there[0] if there else None)


def _place(
    place: Place, items: Versions, shown: Shown, conflicts: list[dict[str, Any]]
) -> dict[str, Any]:
    there = [
        None if item is None else [(key(note), note) for note in item.annotations]
        for item in items.all
    ]
    known = [{content for content, _ in side} for side in there if side is not None]
    common = set.intersection(*known) if known else set()
    first = next((side for side in there if side is not None), [])
    return {
        "name": place.name,
        "source": place.source,
        "size": shown.size,
        "picture": shown.name,
        "why": shown.why if place.subset else "this concerns no single image",
        "common": [drawable(note) for content, note in first if content in common],
        "layers": {
            name: None
            if side is None and place.subset
            else [drawable(note) for content, note in side or () if content not in common]
            for name, side in zip(_names(len(there)), there, strict=True)
        },
        "conflicts": conflicts,
    }


def _index(place: Place, conflicts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "name": place.name,
        "source": place.source or None,
        "subset": place.subset or None,
        "id": place.id or None,
        "keys": [one["key"] for one in conflicts],
        "kinds": list(dict.fromkeys(one["kind"] for one in conflicts)),
        "labels": sorted({label for one in place.conflicts for label in one.labels}),
        "decided": {one["key"]: one["decision"] for one in conflicts if one["decision"]},
    }


# -- conflicts -----------------------------------------------------------------------------------


def _conflict(conflict: Conflict, finder: "_Finder", decided: Decision | None) -> dict[str, Any]:
    sides = {name: getattr(conflict, name) for name in NAMES}
    known = conflict.decision if decided is None else decided
    return {
        "key": conflict.key,
        "kind": conflict.kind,
        "field": conflict.field,
        "what": conflict.summary,
        "allowed": list(conflict.allowed),
        "labels": list(conflict.labels),
        "texts": {name: _text(value) for name, value in sides.items()},
        "start": _start(conflict),
        "notes": finder.notes(conflict, sides),
        "have": list(conflict.have),
        "lack": list(conflict.lack),
        "decision": None if known is None else _decision(known),
    }


def _start(conflict: Conflict) -> str | None:
    """Return the value from which a person goes on who types another one."""
    value = conflict.theirs if conflict.ours is msgspec.UNSET else conflict.ours
    if conflict.kind == "vote" and isinstance(value, Mapping):
        value = next(iter(value.values()), None)  # of the first voter
    return _text(value)


def _text(value: Any) -> str | None:
    if value is msgspec.UNSET:
        return None
    return json.dumps(msgspec.to_builtins(value), ensure_ascii=False)


def _decision(decision: Decision) -> dict[str, Any]:
    value = _text(decision.value) if decision.choice == "value" else None
    return {"choice": decision.choice, "value": value}


def _shapes(value: Any) -> Iterator[dict[str, Any]]:
    """Yield the annotations that a conflict's value is: one, several, or a shape alone."""
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, Mapping) and one.get("type") in KINDS:
            yield {name: part for name, part in one.items() if name not in UNTOLD}


class _Finder:
    """Finds what the conflicts of one item are about, in its versions or with the voters."""

    def __init__(self, items: Versions, voters: Sequence[str], options: Options) -> None:
        notes = [[] if one is None else list(one.annotations) for one in items.all]
        self._notes = Sides(*notes[:3])
        self._names = names_of(self._notes.base)
        self._voters = dict(zip(voters, notes[1:], strict=True)) if voters else {}
        self._sides = _names(len(notes))
        self._options = options
        media = [one.media for one in items.all if one is not None and one.media is not None]
        self._size = media[0].size if media else None

    def notes(
        self, conflict: Conflict, sides: Mapping[str, Any]
    ) -> dict[str, list[dict[str, Any]]]:
        """Return the annotations that a conflict is about, of each version, to be drawn."""
        told = {name: list(_shapes(sides.get(name))) for name in self._sides}
        if conflict.kind == "vote":
            return self._voted(conflict)
        if conflict.field in ("deleted", "added"):
            return told
        found = self._named(conflict)
        if conflict.field == "geometry":
            # The values are what the merge has paired; the annotations say what it is of.
            label = next((one.label for side in found for one in side), None)
            named = {} if label is None else {"label": label}
            return {name: [{**one, **named} for one in shapes] for name, shapes in told.items()}
        plain = ([drawable(one) for one in side] for side in found)
        return {**told, **dict(zip(NAMES, plain, strict=True))}

    def _named(self, conflict: Conflict) -> list[list[Annotation]]:
        """Return the annotation whose field is in conflict, found as the merge has named it."""
        name = _anchor(conflict)
        if name not in self._names:
            return [[], [], []]
        at = self._names.index(name)
        base = self._notes.base[at]
        entry = next(one for one in self._entries if one.base == at)
        found = (_at(side, n, base) for side, n in zip(self._notes, entry, strict=True))
        return [[] if note is None else [note] for note in found]

    @cached_property
    def _entries(self) -> list[Entry]:
        return align(self._notes, self._options, size=self._size)[0]

    def _voted(self, conflict: Conflict) -> dict[str, list[dict[str, Any]]]:
        """Return the annotation on which voters do not agree, as each of them drew it."""
        found: dict[str, list[dict[str, Any]]] = {name: [] for name in self._sides}
        if conflict.key == ITEM_PRESENCE:
            return found
        name = _anchor(conflict)
        if ballot := _BALLOT.fullmatch(name):
            name = ballot[1]
        first: Annotation | None = None
        for voter, side in zip(self._voters, self._sides[1:], strict=True):
            if conflict.have[:1] == (voter,):
                first = _of_name(self._voters[voter], name)
                found[side] = [] if first is None else [drawable(first)]
        for voter, side in zip(self._voters, self._sides[1:], strict=True):
            if first is not None and voter in conflict.have[1:]:
                found[side] = [drawable(one) for one in _like(first, self._voters[voter])]
        return found


def _of_name(notes: Sequence[Annotation], name: str) -> Annotation | None:
    names = names_of(notes)
    return notes[names.index(name)] if name in names else None


def _like(note: Annotation, notes: Sequence[Annotation]) -> list[Annotation]:
    """Return the one that is most like an annotation: what another voter drew there."""
    # As in a vote: voters give the same numbers to other things.
    bare, *others = (one.with_(id=0, track=None, group=0) for one in (note, *notes))
    pairs = pair_annotations([bare], others, threshold=NEARLY_NOTHING)
    return [notes[pair.new] for pair in pairs if pair.old is not None and pair.new is not None]


def _anchor(conflict: Conflict) -> str:
    return conflict.key.partition("~")[0].removesuffix(f".{conflict.field}")


def _at(notes: Sequence[Annotation], place: int | None, base: Annotation) -> Annotation | None:
    """Return what the base's annotation is on a side: as paired, else the one with its id."""
    if place is not None:
        return notes[place]
    same = [note for note in notes if base.id and note.id == base.id and note.kind == base.kind]
    return same[0] if len(same) == 1 else None
