"""
The page of what a merge (revert, cherry-pick, stash pop) left to decide, to be decided there.

    write_conflicts(path, repo, merging, merging.open())

The page saves what `dvcs resolve --from` takes: `{"dvcs.conflicts/1": [...]}`, a `choice` for each
conflict that was decided. Values are kept as the JSON text that was shown or typed: a browser's
numbers would make 1.0 into 1 and round what is beyond 2^53.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from dvcs.compare import key
from dvcs.merge import Conflict, Decision, Options
from dvcs.merge.pairing import Entry, Sides, align
from dvcs.model import KINDS, Annotation, Item
from dvcs.model.annotations import names_of
from dvcs.progress import track
from dvcs.repository.conflicts import Merging, Place, key_of
from dvcs.repository.history import merge_bases
from dvcs.repository.voting_plan import Seat, voting_of
from dvcs.web.diff_page import Written
from dvcs.web.page import Block, check_target, json_block, write_page
from dvcs.web.pictures import Pictures, Shown
from dvcs.web.sides import UNTOLD, drawable, skeletons

if TYPE_CHECKING:
    from dvcs.repository import Repository
    from dvcs.repository.snapshot import Snapshot

SCRIPTS = ("decisions.js", "verdict.js", "conflicts.js")
NAMES = ("base", "ours", "theirs")
_BALLOT = re.compile(r"v(\d+)-(.*)", re.DOTALL)
"""How a vote names an annotation that its first voter does not have: voter (from 1), name."""


class Versions(NamedTuple):
    """The three commits of a merge (None: nothing), or one item in each."""

    base: Any
    ours: Any
    theirs: Any


def versions_of(repo: "Repository", merging: Merging) -> Versions:
    """
    Return what was merged: commit ids of the base, of our side and of theirs.

    Of several merge bases the first one is shown. Of a vote ours is the first voter, theirs the
    second, though others may have voted with or against them. A revert merges the parent of what
    it takes back, a cherry-pick and a stash what they bring, as it differs from its parent.
    """
    ours, theirs = bytes.fromhex(merging.ours), bytes.fromhex(merging.theirs)
    if merging.operation == "merge":
        bases = merge_bases(repo.store, ours, theirs)
        if seats := _seats(merging):
            ours, theirs = (bytes.fromhex(one.commit) for one in seats[:2])
        return Versions(bases[0] if bases else None, ours, theirs)
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
    snapshots = Versions(*(repo.snapshot(oid) for oid in versions_of(repo, merging)))
    voters = [repo.snapshot(bytes.fromhex(one.commit)) for one in _seats(merging)]
    index: list[dict[str, Any]] = []
    blocks: list[Block] = []
    stream = track(_with_items(repo, places, snapshots), "drawing", len(places), "places")
    for (place, items), shown in pictures.of(
        ((place, items), _pictured(items)) for place, items in stream
    ):
        decided = merging.decisions.get(key_of(place.where), {})
        finder = _Finder(items, [_found(repo, one, place) for one in voters], merging.options)
        plain = [_conflict(one, finder, decided.get(one.key)) for one in place.conflicts]
        blocks.append(json_block(f"item-{len(index)}", _place(place, items, shown, plain)))
        index.append(_index(place, plain))
    sources = sorted({place.source for place in places})
    head = {
        "operation": merging.operation,
        "revision": merging.revision,
        "branch": merging.branch,
        "titles": _titles(merging),
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


def _titles(merging: Merging) -> dict[str, str]:
    """Return what people call the two sides."""
    if seats := _seats(merging):
        return {"ours": seats[0].name, "theirs": seats[1].name}
    return {"ours": merging.branch or "HEAD", "theirs": merging.revision}


def _labels(snapshots: Versions, source: str) -> Iterator[Any]:
    for snapshot in (snapshots.ours, snapshots.theirs, snapshots.base):
        if source in snapshot.sources:
            yield snapshot.labels(source)


# -- items ---------------------------------------------------------------------------------------


def _with_items(
    repo: "Repository", places: Iterable[Place], snapshots: Versions
) -> Iterator[tuple[Place, Versions]]:
    for place in places:
        yield place, Versions(*(_found(repo, one, place) for one in snapshots))


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
    there = [one for one in (items.ours, items.theirs, items.base) if one is not None]
    return next((one for one in there if any(one.origins)), there[0] if there else None)


def _place(
    place: Place, items: Versions, shown: Shown, conflicts: list[dict[str, Any]]
) -> dict[str, Any]:
    there = [
        None if item is None else [(key(note), note) for note in item.annotations] for item in items
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
            for name, side in zip(NAMES, there, strict=True)
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

    def __init__(self, items: Versions, voters: Sequence[Item | None], options: Options) -> None:
        self._notes = Sides(*([] if one is None else list(one.annotations) for one in items))
        self._names = names_of(self._notes.base)
        self._voters = voters
        self._options = options
        media = [one.media for one in items if one is not None and one.media is not None]
        self._size = media[0].size if media else None

    def notes(
        self, conflict: Conflict, sides: Mapping[str, Any]
    ) -> dict[str, list[dict[str, Any]]]:
        """Return the annotations that a conflict is about, of each version, to be drawn."""
        told = {name: list(_shapes(value)) for name, value in sides.items()}
        if conflict.field in ("deleted", "added", "presence"):
            return told
        found = self._voted(conflict) if conflict.kind == "vote" else self._named(conflict)
        if conflict.field == "geometry":
            # The values are what the merge has paired; the annotations say what it is of.
            label = next((one.label for side in found for one in side), None)
            named = {} if label is None else {"label": label}
            return {name: [{**one, **named} for one in shapes] for name, shapes in told.items()}
        plain = ([drawable(one) for one in side] for side in found)
        return dict(zip(NAMES, plain, strict=True))

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

    def _voted(self, conflict: Conflict) -> list[list[Annotation]]:
        """Return the annotation on which voters do not agree, as one of them drew it."""
        name, voter = _anchor(conflict), 1
        if ballot := _BALLOT.fullmatch(name):
            voter, name = int(ballot[1]), ballot[2]
        item = self._voters[voter - 1] if 0 < voter <= len(self._voters) else None
        notes = [] if item is None else list(item.annotations)
        names = names_of(notes)
        found = [notes[names.index(name)]] if name in names else []
        return [[], found, []] if voter == 1 else [[], [], found]


def _anchor(conflict: Conflict) -> str:
    return conflict.key.partition("~")[0].removesuffix(f".{conflict.field}")


def _at(notes: Sequence[Annotation], place: int | None, base: Annotation) -> Annotation | None:
    """Return what the base's annotation is on a side: as paired, else the one with its id."""
    if place is not None:
        return notes[place]
    same = [note for note in notes if base.id and note.id == base.id and note.kind == base.kind]
    return same[0] if len(same) == 1 else None
