"""
Numbers that both sides gave to what they added, over all items of a source.

Ids of annotations are unique in a whole COCO file, tracks in a sequence, numbers of images in a
dataset. Two people who add something take the same next one; these are not identities, so theirs
get others. Only lines are looked at that a side added; all items are read only where numbers that
are in use nowhere are needed.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from dvcs.compare import IdTrust, pair_annotations
from dvcs.merge import Counts
from dvcs.merge.numbers import other_text
from dvcs.model import Item
from dvcs.names import unquote
from dvcs.objects import trees
from dvcs.objects.items import decode_annotation
from dvcs.repository.merges.bases import Scratch
from dvcs.repository.merges.places import Place, Triple
from dvcs.repository.snapshot import SIZE, SourceTree

NUMBER = re.compile(rb'"id":([0-9]{1,15})[,}]')
TRACK = re.compile(rb'"track":([0-9]{1,15}|"(?:[^"\\]|\\.)*")')
LARGEST = 1 << 53
Key = int | str
Sequence_ = tuple[str, str]
"""A subset and the folder in which a sequence's frames lie."""


class _Numbers(msgspec.Struct):
    """What a line of an item says of numbers."""

    id: Key = 0
    track: Key | None = None
    extra: dict[str, Any] = {}


_DECODER = msgspec.json.Decoder(_Numbers)


def _nothing() -> IdTrust:
    """Return the knowledge that neither ids nor tracks mean anything."""
    trust = IdTrust(equal=1, kept=0)
    trust.tracks_equal = 1
    return trust


def _numbers(line: bytes) -> _Numbers:
    try:
        return _DECODER.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _Numbers()  # told where the item itself is read


class Renumbering:
    """What theirs are to be called: learnt item by item, then applied."""

    def __init__(
        self, reader: Scratch, base: SourceTree | None, ours: SourceTree, counts: Counts
    ) -> None:
        self._reader, self._base, self._ours, self._counts = reader, base, ours, counts
        self._added: tuple[dict[Key, Place], dict[Key, list[Place]]] = {}, {}
        self._images: tuple[dict[tuple[str, Any], Place], list[tuple[Place, str, Any]]] = {}, []
        self._tracks: tuple[dict[Sequence_, set[Key]], dict[Sequence_, set[Key]]] = {}, {}
        self._old_tracks: dict[Sequence_, set[Key]] = {}
        self._alike: dict[Sequence_, Counter[tuple[Key, Key]]] = {}
        self._shared: dict[Sequence_, Counter[Key]] = {}
        self._seen: Counter[Key] = Counter()
        self._repeated = False
        self._top = 0
        self._scanned = False
        self.ids: dict[Place, dict[Key, Key]] = {}
        self.images: dict[Place, dict[str, Any]] = {}
        self.tracks: dict[Sequence_, dict[Key, Key]] = {}

    # -- learning --------------------------------------------------------------------------------

    def learn(self, one: Triple, texts: Mapping[bytes, bytes]) -> None:
        """Take note of what both sides added to an item."""
        base = _lines(one.base.blobs if one.base else b"", texts)
        old = [_numbers(line) for line in base[1:]]
        old_ids = {each.id for each in old}
        old_tracks = {each.track for each in old}
        self._seen.update(each for each in old_ids if each)
        known = set(base)
        drawn: tuple[list[bytes], list[bytes]] = [], []
        for side, spot in enumerate((one.ours, one.theirs)):
            if spot is None or (one.base is not None and spot.blobs == one.base.blobs):
                continue
            lines = _lines(spot.blobs, texts)
            self._note_image(side, one, lines[0])
            for line in lines[1:]:
                if line in known:
                    continue
                new = _numbers(line)
                self._note(side, spot.place, new, old_ids, old_tracks)
                if new.track is not None and new.track not in old_tracks:
                    drawn[side].append(line)
            if any(old_tracks):
                folder = sequence_of(spot.place)
                self._old_tracks.setdefault(folder, set()).update(
                    each for each in old_tracks if each is not None
                )

        if all(drawn) and one.theirs is not None:
            self._compare(sequence_of(one.theirs.place), drawn)

    def _compare(self, folder: Sequence_, drawn: tuple[list[bytes], list[bytes]]) -> None:
        """Count which new tracks of both sides are the same object in a frame."""
        ours, theirs = ([decode_annotation(line) for line in side] for side in drawn)
        for pair in pair_annotations(ours, theirs, ids=_nothing()):
            if pair.old is not None and pair.new is not None:
                a, b = ours[pair.old], theirs[pair.new]
                if a.label == b.label and a.track is not None and b.track is not None:
                    self._alike.setdefault(folder, Counter())[b.track, a.track] += 1
        for note in theirs:
            if note.track is not None:
                self._shared.setdefault(folder, Counter())[note.track] += 1

    def _note(
        self, side: int, place: Place, new: _Numbers, ids: set[Key], tracks: set[Key | None]
    ) -> None:
        if new.id and new.id not in ids:
            if side == 0:
                self._repeated |= self._added[0].setdefault(new.id, place) != place
            else:
                places = self._added[1].setdefault(new.id, [])
                self._repeated |= bool(places) and places[-1] != place
                if places[-1:] != [place]:  # the parts of an instance share theirs
                    places.append(place)
        if new.track is not None and new.track not in tracks:
            self._tracks[side].setdefault(sequence_of(place), set()).add(new.track)

    def _note_image(self, side: int, one: Triple, header: bytes) -> None:
        spot = one.theirs if side else one.ours
        if one.base is not None or spot is None or b'"id":' not in header:
            return
        extra = _numbers(header).extra
        for name, record in extra.items():
            if isinstance(record, dict) and isinstance(record.get("id"), int | str):
                if side == 0:
                    self._images[0][name, record["id"]] = spot.place
                elif one.ours is None:
                    self._images[1].append((spot.place, name, record["id"]))

    def decide(self) -> None:
        """Find new numbers, when all items are known."""
        if not self.per_item:
            for id, places in self._added[1].items():
                mine = self._added[0].get(id)
                for place in places:
                    if mine is not None and mine != place:
                        self.ids.setdefault(place, {})[id] = self._other(id)
        for place, name, number in self._images[1]:
            if (name, number) in self._images[0]:
                self.images.setdefault(place, {})[name] = self._other(number)
        for folder, theirs in self._tracks[1].items():
            ours = self._tracks[0].get(folder, set())
            same = self._same_tracks(folder)
            both = (ours & theirs) - self._old_tracks.get(folder, set()) - same.keys()
            before = self._tracks_before(folder) if both else set()
            both -= before
            other = {new: old for new, old in same.items() if new != old}
            if both or other:
                self.tracks[folder] = other | self._other_tracks(both, ours | theirs | before)

    @property
    def per_item(self) -> bool:
        """Whether ids count within each item only: where items share them."""
        return self._repeated or any(count > 1 for count in self._seen.values())

    def _other(self, id: Key) -> Key:
        if isinstance(id, int):
            return self.fresh()
        return other_text(id, {*self._added[0], *self._added[1]})

    def _same_tracks(self, folder: Sequence_) -> dict[Key, Key]:
        """Return new tracks of theirs that are one of ours in most frames that have both."""
        found: dict[Key, Key] = {}
        shared = self._shared.get(folder, Counter())
        for (new, old), count in self._alike.get(folder, Counter()).most_common():
            if new not in found and old not in found.values() and count * 2 > shared[new]:
                found[new] = old
        return found

    def _tracks_before(self, folder: Sequence_) -> set[Key]:
        """Return the tracks of all of a sequence's frames in the base."""
        found: set[Key] = set()
        tree = None if self._base is None else self._base.subsets.get(folder[0])
        for name, blobs in trees.walk(self._reader, tree):
            if sequence_of((folder[0], name)) != folder:
                continue
            text = self._reader.blob(blobs[:SIZE])
            found.update(msgspec.json.decode(one) for one in TRACK.findall(text))
        return found

    def _other_tracks(self, both: set[Key], used: set[Key]) -> dict[Key, Key]:
        every = set(used)
        top = max((one for one in every if isinstance(one, int)), default=0)
        found: dict[Key, Key] = {}
        for track in sorted(both, key=str):
            top += 1
            found[track] = top if isinstance(track, int) else other_text(track, every)
            every.add(found[track])
        return found

    def fresh(self) -> int:
        """Return a number that nothing in the source has."""
        if not self._scanned:
            self._scanned = True
            self._top = max(self._highest(), self._highest_added())
        self._top += 1
        return self._top

    def _highest_added(self) -> int:
        every = (*self._added[0], *self._added[1])
        return max((one for one in every if isinstance(one, int)), default=0)

    def _highest(self) -> int:
        """Return the highest number in any item of ours."""
        return highest(self._reader, [self._ours])

    def tracks_of(self, place: Place) -> Mapping[Key, Key]:
        """Return the other numbers of tracks in an item of theirs."""
        return self.tracks.get(sequence_of(place), {})

    # -- applying --------------------------------------------------------------------------------

    def concerns(self, place: Place) -> bool:
        """Tell whether an item of theirs is to be renumbered."""
        return place in self.ids or place in self.images or sequence_of(place) in self.tracks

    def apply(self, place: Place, item: Item) -> Item:
        """Return an item of theirs with its other numbers."""
        ids, tracks = self.ids.get(place, {}), self.tracks.get(sequence_of(place), {})
        notes = []
        for note in item.annotations:
            new = note
            if note.id in ids:
                new = new.with_(id=ids[note.id])
            if note.track is not None and note.track in tracks:
                new = new.with_(track=tracks[note.track])
            self._counts.renumbered += new is not note
            notes.append(new)
        extra = dict(item.extra)
        for name, number in self.images.get(place, {}).items():
            extra[name] = {**extra[name], "id": number}
            self._counts.renumbered += 1
        return item.with_(annotations=notes, extra=extra)


def highest(reader: Scratch, sources: Iterable[SourceTree]) -> int:
    """Return the highest number in any item of some versions of a source; all are read."""
    found = 0
    oids = list(
        dict.fromkeys(
            blobs[:SIZE]
            for source in sources
            for tree in source.subsets.values()
            for _, blobs in trees.walk(reader, tree)
        )
    )
    for start in range(0, len(oids), 4096):
        for text in reader.texts(oids[start : start + 4096]).values():
            numbers = map(int, NUMBER.findall(text))
            found = max(found, max((n for n in numbers if n < LARGEST), default=0))
    return found


def sequence_of(place: Place) -> Sequence_:
    """Return the sequence that an item is a frame of."""
    id = unquote(place[1].decode(errors="replace"))
    return place[0], id.rpartition("/")[0]


def _lines(blobs: bytes, texts: Mapping[bytes, bytes]) -> list[bytes]:
    parts: Iterable[bytes] = (texts[blobs[n : n + SIZE]] for n in range(0, len(blobs), SIZE))
    return b"".join(parts).removesuffix(b"\n").split(b"\n")
