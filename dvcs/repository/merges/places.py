"""
Which items of three versions of a source are the same one, and under which name it goes on.

Only names and ids of blobs are looked at; an item's text is read only to find one that was renamed.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from dvcs.compare import match_items
from dvcs.compare.datasets import Trace
from dvcs.names import is_cut, unquote
from dvcs.objects import trees
from dvcs.objects.items import decode_header
from dvcs.repository.merges.bases import Scratch
from dvcs.repository.snapshot import SIZE, SourceTree

Place = tuple[str, bytes]
"""Subset and quoted id of an item."""


class Spot(NamedTuple):
    """An item of one version: where it is, and the ids of its blobs."""

    place: Place
    blobs: bytes


class Triple(NamedTuple):
    """One item in three versions; None where it is not there."""

    base: Spot | None
    ours: Spot | None
    theirs: Spot | None

    @property
    def place(self) -> Place:
        """Where it is: with us, else with them."""
        spot = self.ours or self.theirs or self.base
        assert spot is not None  # noqa: S101 - it is somewhere
        return spot.place


Changes = dict[Place, tuple[bytes | None, bytes | None]]
"""Blobs before and after, by place."""


def changes_of(reader: Scratch, old: SourceTree | None, new: SourceTree) -> Changes:
    """Return the items that two versions of a source do not have alike."""
    before = {} if old is None else old.subsets
    found: Changes = {}
    for subset in sorted(before.keys() | new.subsets.keys()):
        one, other = before.get(subset), new.subsets.get(subset)
        if one != other:
            for changed in trees.diff(reader, one, other):
                found[subset, changed.name] = changed.old, changed.new
    return found


def triples(reader: Scratch, ours: Changes, theirs: Changes) -> Iterator[Triple]:
    """Yield the items that either side changed, sorted by where they were."""
    moves = moved(reader, ours), moved(reader, theirs)
    _drop_collisions(moves, (ours, theirs))
    targets = [set(one.values()) for one in moves]
    for place in sorted(ours.keys() | theirs.keys()):
        before = ours.get(place, (None, None))[0] or theirs.get(place, (None, None))[0]
        if before is None:
            spots = [
                _added(place, side, taken)
                for side, taken in zip((ours, theirs), targets, strict=True)
            ]
            if any(spots):
                yield Triple(None, *spots)
            continue
        now = [
            _now(place, before, side, went)
            for side, went in zip((ours, theirs), moves, strict=True)
        ]
        yield Triple(Spot(place, before), *now)


def _added(place: Place, side: Changes, taken: set[Place]) -> Spot | None:
    new = side.get(place, (None, None))[1]
    return None if new is None or place in taken else Spot(place, new)


def _now(place: Place, before: bytes, side: Changes, went: Mapping[Place, Place]) -> Spot | None:
    target = went.get(place)
    if target is not None:
        new = side[target][1]
        return None if new is None else Spot(target, new)
    if place not in side:
        return Spot(place, before)
    now = side[place][1]
    return None if now is None else Spot(place, now)


def moved(reader: Scratch, changes: Changes) -> dict[Place, Place]:
    """Return where items went that have another subset or name now."""
    gone = {place: old for place, (old, new) in changes.items() if new is None and old is not None}
    come = {place: new for place, (old, new) in changes.items() if old is None and new is not None}
    if not gone or not come:
        return {}
    found = dict(_alone(gone, come))
    for old_place, new_place in found.items():
        del gone[old_place], come[new_place]
    if gone and come:
        names = {_key(place): place for place in (*gone, *come)}
        left, right = (
            [_trace(reader, place, blobs) for place, blobs in side.items()] for side in (gone, come)
        )
        for pairs in match_items(left, right):
            found |= {names[old]: names[new] for old, new in pairs}
    return found


def _alone(gone: Iterable[Place], come: Iterable[Place]) -> Iterator[tuple[Place, Place]]:
    """Yield items of the same id in another subset, where there is one on each side."""
    sides: list[dict[bytes, Place | None]] = []
    for places in (gone, come):
        names: dict[bytes, Place | None] = {}
        for place in places:
            names[place[1]] = None if place[1] in names else place
        sides.append(names)
    for name, start in sides[0].items():
        end = sides[1].get(name)
        if start is not None and end is not None:
            yield start, end


def _key(place: Place) -> tuple[str, str, str]:
    return "", place[0], place[1].decode(errors="replace")


def _trace(reader: Scratch, place: Place, blobs: bytes) -> Trace:
    """Return what an item can be known by under another name: its text, and its media."""
    text = reader.blob(blobs[:SIZE])
    media = decode_header(text).media
    hashes = tuple(file.sha256 for file in media.files) if media is not None else ()
    known = hashes if hashes and all(hashes) else None
    says_much = known is not None or text.count(b"\n") > 1
    return (*_key(place), blobs if says_much else None, known)


def _drop_collisions(
    moves: tuple[dict[Place, Place], dict[Place, Place]], sides: tuple[Changes, Changes]
) -> None:
    """
    Forget moves to a place where the other side has put something else.

    Then that is an item that both sides added, and the moved one was deleted where it was.
    """
    for own, other, changes in ((0, 1, sides[1]), (1, 0, sides[0])):
        origins = {target: place for place, target in moves[other].items()}
        for place, target in list(moves[own].items()):
            there = changes.get(target, (None, None))[1]
            if there is not None and origins.get(target) != place:
                del moves[own][place]
                if target in origins:
                    moves[other].pop(origins[target], None)


def id_of(reader: Scratch, spot: Spot) -> str:
    """Return the id of an item."""
    quoted = spot.place[1].decode(errors="replace")
    if is_cut(quoted):
        return decode_header(reader.blob(spot.blobs[:SIZE])).id or quoted
    return unquote(quoted)
