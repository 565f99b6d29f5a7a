"""
Shapes between keyframes, made anew after a merge: they follow from keyframes of both sides.

Which tracks that concerns is learnt from the lines that either side changed: those that both sides
changed, and those of which theirs changed nothing but shapes between keyframes (that is no change,
ours stay). Of such a track the frames between the keyframes around what was changed are read, no
others. Where one side has just the keyframes of the merge around a frame, its shape is taken as it
is: it may be rounded, or come from a tool that knows better; else it is interpolated (`tracks.py`).
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from dvcs.compare import key, same
from dvcs.model import Annotation, Item
from dvcs.objects import trees
from dvcs.repository.merges.bases import Scratch
from dvcs.repository.merges.numbers import TRACK, Key, Sequence_, sequence_of
from dvcs.repository.merges.places import Place, Spot, Triple
from dvcs.repository.snapshot import SIZE, SourceTree
from dvcs.tracks import MADE, NAME, Track, frame_of, is_interpolated, is_outside

WEAK = b'"keyframe":false'
CHUNK = 64
"""Frames that are read together while the next keyframe is looked for."""
Decode = Callable[[Spot, Mapping[bytes, bytes]], Item | None]
Renumber = Callable[[Place], Mapping[Key, Key]]
"""Returns the tracks of theirs that have another number in the merge, of the item at a place."""


class _Touched(msgspec.Struct):
    """What the sides changed of one track: items, and whether keyframes are among it."""

    sides: list[set[Place]] = msgspec.field(default_factory=lambda: [set(), set()])
    strong: list[bool] = msgspec.field(default_factory=lambda: [False, False])
    weak: bool = False

    @property
    def wanted(self) -> bool:
        """Whether shapes between keyframes may not be what they were on one side."""
        both = all(self.sides) and any(self.strong)
        noise = bool(self.sides[1]) and not self.strong[1]
        return self.weak and (both or noise)


class Tracks:
    """The tracks of one source: learnt item by item, then made anew."""

    def __init__(self) -> None:
        self._touched: tuple[dict[tuple[Sequence_, Key], _Touched], ...] = {}, {}
        self._results: dict[Place, Triple] = {}
        self._went: dict[Place, Place] = {}
        self.held: dict[bytes, bytes] = {}
        """Blobs of the result that the store does not have yet."""

    @property
    def any(self) -> bool:
        """Whether either side changed a track."""
        return bool(self._touched[0] or self._touched[1])

    def learn(self, one: Triple, texts: Mapping[bytes, bytes]) -> None:
        """Take note of what both sides changed in an item's tracks."""
        base = set(_lines(one.base, texts))
        for side, spot in enumerate((one.ours, one.theirs)):
            if spot == one.base:
                continue
            now = set(_lines(spot, texts))
            for line in base ^ now:
                found = TRACK.search(line)
                if found is not None:
                    track = msgspec.json.decode(found[1])
                    name = sequence_of(one.place), track
                    touched = self._touched[side].setdefault(name, _Touched())
                    touched.sides[side].add(one.place)
                    touched.weak |= WEAK in line
                    touched.strong[side] |= WEAK not in line

    def settle(self, one: Triple, place: Place) -> None:
        """Take note of where an item is in the result."""
        if self.any:
            self._results[place], self._went[one.place] = one, place

    def _wanted(self, renumber: Renumber) -> dict[Sequence_, dict[Key, set[Place]]]:
        """Return the tracks to look at, and where they were changed, by sequence of the result."""
        joined = dict(self._touched[0])
        for (sequence, track), theirs in self._touched[1].items():
            one = self._results.get(self._went.get(next(iter(theirs.sides[1])), ("", b"")))
            place = one.theirs.place if one is not None and one.theirs is not None else None
            number = renumber(place).get(track, track) if place is not None else track
            ours = joined.setdefault((sequence, number), _Touched())
            ours.sides[1] |= theirs.sides[1]
            ours.strong[1] |= theirs.strong[1]
            ours.weak |= theirs.weak
        found: dict[Sequence_, dict[Key, set[Place]]] = {}
        for (_, track), touched in joined.items():
            if touched.wanted:
                for place in touched.sides[0] | touched.sides[1]:
                    went = self._went.get(place)
                    if went is not None:
                        tracks = found.setdefault(sequence_of(went), {})
                        tracks.setdefault(track, set()).add(went)
        return found

    def derive(
        self,
        reader: Scratch,
        tree: SourceTree,
        changes: Mapping[str, Mapping[bytes, bytes | None]],
        decode: Decode,
        renumber: Renumber,
    ) -> Iterator[tuple[Place, Item, int]]:
        """
        Yield the items of the result whose tracks are to be other ones, and how many shapes.

        The result is our `tree` with `changes`.
        """
        for sequence, tracks in self._wanted(renumber).items():
            listing = _listing(reader, tree, changes, sequence)
            spots = {
                name: Triple(Spot((sequence[0], name), blobs), *one[1:])
                if (one := self._results.get((sequence[0], name))) is not None
                else Triple(*[Spot((sequence[0], name), blobs)] * 3)
                for name, blobs in listing.items()
            }
            frames = _Frames(lambda oids: self._texts(reader, oids), spots, decode, renumber)
            for track, places in sorted(tracks.items(), key=lambda one: str(one[0])):
                frames.derive(track, [place[1] for place in places])
            yield from frames.changed()

    def _texts(self, reader: Scratch, oids: list[bytes]) -> dict[bytes, bytes]:
        known = {oid: self.held[oid] for oid in oids if oid in self.held}
        return known | reader.texts([oid for oid in oids if oid not in known])


def _listing(
    reader: Scratch,
    tree: SourceTree,
    changes: Mapping[str, Mapping[bytes, bytes | None]],
    sequence: Sequence_,
) -> dict[bytes, bytes]:
    """Return the blobs of a sequence's items in the result, by name."""
    found = dict(trees.walk(reader, tree.subsets.get(sequence[0])))
    for name, blobs in changes.get(sequence[0], {}).items():
        if blobs is None:
            found.pop(name, None)
        else:
            found[name] = blobs
    names = sorted(name for name in found if sequence_of((sequence[0], name)) == sequence)
    return {name: found[name] for name in names}


class _Seen(NamedTuple):
    """One track at one frame: in the merge, with us, and with them; None where it is not there."""

    frame: int
    name: bytes
    notes: tuple[Annotation | None, Annotation | None, Annotation | None]


class _Frames:
    """
    The frames of one sequence of the result, read as they are needed.

    `spots` has by name: the item in the result, with us, and with them.
    """

    def __init__(
        self,
        texts: Callable[[list[bytes]], dict[bytes, bytes]],
        spots: Mapping[bytes, Triple],
        decode: Decode,
        renumber: Renumber,
    ) -> None:
        self._texts, self._spots, self._decode, self._renumber = texts, spots, decode, renumber
        self._names = list(spots)
        self._items: dict[bytes, tuple[Item | None, Item | None, Item | None]] = {}
        self._new: dict[bytes, Item] = {}
        self._counts: dict[bytes, int] = {}

    def changed(self) -> Iterator[tuple[Place, Item, int]]:
        """Yield the items that became others."""
        for name, item in self._new.items():
            spot = self._spots[name].base
            if spot is not None:
                yield spot.place, item, self._counts[name]

    def derive(self, track: Key, names: Sequence[bytes]) -> None:
        """Make the shapes of a track between keyframes anew, around where it was changed."""
        seen = self._around(track, names)
        if seen is None:
            return
        sides = [_Side(seen, number) for number in range(3)]
        if not sides[0].frames:
            return  # nothing that they could follow from
        for one in seen:
            old = one.notes[0]
            if old is None or is_interpolated(old):
                new = _wanted_at(one, sides)
                if new is not old:
                    self._put(one.name, track, old, new)

    # -- reading ---------------------------------------------------------------------------------

    def _around(self, track: Key, names: Sequence[bytes]) -> list[_Seen] | None:
        """
        Return the frames from the keyframe before the first of some to that after the last.

        None where the names of frames are not in the order of their numbers, or a frame has the
        track twice.
        """
        places = [at for name in names if (at := self._at(name)) is not None]
        if not places:
            return []
        low, high = self._before(track, min(places)), self._after(track, max(places))
        found: list[_Seen] = []
        for name in self._read(low, high):
            one = self._seen(track, name)
            if one is None or (found and one.frame <= found[-1].frame):
                return None
            found.append(one)
        return found

    def _at(self, name: bytes) -> int | None:
        at = bisect_left(self._names, name)
        return at if at < len(self._names) and self._names[at] == name else None

    def _read(self, low: int, high: int) -> list[bytes]:
        """Have frames be read; return their names."""
        names = self._names[low:high]
        missing = [name for name in names if name not in self._items]
        oids = [oid for name in missing for spot in self._spots[name] for oid in _oids(spot)]
        texts = self._texts(oids)
        for name in missing:
            merged, ours, theirs = self._spots[name]
            item = self._item(merged, texts)
            mine = item if ours == merged else self._item(ours, texts)
            other = item if theirs == merged else self._item(theirs, texts)
            if theirs is not None and other is not None:
                other = _renumbered(other, self._renumber(theirs.place))
            self._items[name] = item, mine, other
        return names

    def _item(self, spot: Spot | None, texts: Mapping[bytes, bytes]) -> Item | None:
        return None if spot is None else self._decode(spot, texts)

    def _seen(self, track: Key, name: bytes) -> _Seen | None:
        items = self._items[name]
        frame = None if items[0] is None else frame_of(items[0])
        notes = [
            [note for note in item.annotations if note.track == track] if item is not None else []
            for item in items
        ]
        if frame is None or any(len(held) > 1 for held in notes):
            return None
        one, two, three = (held[0] if held else None for held in notes)
        return _Seen(frame, name, (one, two, three))

    def _before(self, track: Key, at: int) -> int:
        """Return where the last keyframe before a frame is; or where the track begins."""
        while at > 0:
            low = max(0, at - CHUNK)
            keyframes, is_there = self._keyframes(track, low, at)
            if keyframes:
                return keyframes[-1]
            if not is_there:
                break
            at = low
        return at

    def _after(self, track: Key, at: int) -> int:
        """Return the end of the frames up to the next keyframe after one, or of the track."""
        at += 1
        while at < len(self._names):
            high = min(len(self._names), at + CHUNK)
            keyframes, is_there = self._keyframes(track, at, high)
            if keyframes:
                return keyframes[0] + 1
            if not is_there:
                break
            at = high
        return at

    def _keyframes(self, track: Key, low: int, high: int) -> tuple[list[int], bool]:
        """Return which of some frames are keyframes of a track, and whether any has the track."""
        found: list[int] = []
        is_there = False
        for at, name in enumerate(self._read(low, high), low):
            for side, item in enumerate(self._items[name]):
                for note in item.annotations if item is not None else ():
                    if note.track == track:
                        is_there = True
                        if side == 0 and not is_interpolated(note):
                            found.append(at)
        return found, is_there

    # -- the result ------------------------------------------------------------------------------

    def _put(self, name: bytes, track: Key, old: Annotation | None, new: Annotation | None) -> None:
        item = self._new.get(name) or self._items[name][0]
        assert item is not None  # noqa: S101 - it is in the result
        notes = list(item.annotations)
        at = next((n for n, note in enumerate(notes) if note.track == track), len(notes))
        put: list[Annotation] = []
        if new is not None and old is not None:
            put = [new.with_(id=old.id, group=old.group, track=track)]
        elif new is not None:
            put = [new.with_(id=0, group=0, track=track)]
        if [key(one) for one in put] == [key(one) for one in notes[at : at + 1]]:
            return
        notes[at : at + 1] = put
        self._new[name] = item.with_(annotations=notes)
        self._counts[name] = self._counts.get(name, 0) + 1


class _Side:
    """A track on one side: its keyframes, and what stands at each frame."""

    def __init__(self, seen: Sequence[_Seen], side: int) -> None:
        self.notes = {one.frame: one.notes[side] for one in seen}
        listed = [
            (frame, note)
            for frame, note in self.notes.items()
            if note is not None and not is_interpolated(note)
        ]
        self.frames = [frame for frame, _ in listed]
        self.track = Track(listed, seen[-1].frame) if listed else None

    def around(self, frame: int) -> tuple[tuple[int, bytes] | None, tuple[int, bytes] | None]:
        """Return the keyframes before and after a frame."""
        at = bisect_right(self.frames, frame)
        found = []
        for n in (at - 1, at):
            known = 0 <= n < len(self.frames)
            note = self.notes[self.frames[n]] if known else None
            found.append(None if note is None else (self.frames[n], key(note)))
        return found[0], found[1]

    def is_away(self, frame: int) -> bool:
        """Tell whether nothing stands at a frame because the keyframe before it says so."""
        before = self.around(frame)[0]
        note = None if before is None else self.notes[before[0]]
        return self.notes.get(frame) is None and note is not None and is_outside(note)


def _wanted_at(one: _Seen, sides: Sequence[_Side]) -> Annotation | None:
    """Return what is to stand at a frame that is no keyframe: `one.notes[0]` where that is well."""
    merged, *others = sides
    old = one.notes[0]
    around = merged.around(one.frame)
    if around[0] is None or merged.track is None:
        return old  # before the first keyframe: nothing that it could follow from
    absent = [side for side in others if side.notes[one.frame] is None]
    if old is None and not all(side.is_away(one.frame) for side in absent):
        return None  # somebody removed it, or has it end here
    agreeing = [
        note
        for side, note in zip(others, one.notes[1:], strict=True)
        if side.around(one.frame) == around and not (note is not None and not is_interpolated(note))
    ]
    if any(_alike(old, note) for note in agreeing[:1]):
        return old
    if len(agreeing) == 1:
        return agreeing[0]
    if agreeing:
        return agreeing[0] if old is not None and agreeing[0] is not None else old
    made = merged.track.at(one.frame)
    if made is None or old is None or old.extra.get(NAME, {}).get(MADE):
        return made
    own = {name: value for name, value in made.extra.get(NAME, {}).items() if name != MADE}
    rest = {name: value for name, value in made.extra.items() if name != NAME}
    return made.with_(extra={**rest, NAME: own} if own else rest)


def _alike(a: Annotation | None, b: Annotation | None) -> bool:
    return a is b or (a is not None and b is not None and same(key(a), key(b)))


def _renumbered(item: Item, numbers: Mapping[Key, Key]) -> Item:
    """Return an item with other numbers of tracks."""
    if not numbers:
        return item
    return item.with_(
        annotations=[
            note
            if note.track is None or note.track not in numbers
            else note.with_(track=numbers[note.track])
            for note in item.annotations
        ]
    )


def _lines(spot: Spot | None, texts: Mapping[bytes, bytes]) -> list[bytes]:
    parts = [texts[oid] for oid in _oids(spot)]
    if not any(b'"track":' in part for part in parts):
        return []
    return b"".join(parts).removesuffix(b"\n").split(b"\n")[1:]


def _oids(spot: Spot | None) -> Iterable[bytes]:
    if spot is None:
        return ()
    return (spot.blobs[n : n + SIZE] for n in range(0, len(spot.blobs), SIZE))
