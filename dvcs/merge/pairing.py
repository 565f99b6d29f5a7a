"""
Which annotations of three versions are the same one.

Each side is paired with the base. What both sides added is paired with each other; ids and tracks
do not count there: two people who add something take the same next number.
"""

from collections.abc import Sequence
from typing import NamedTuple

from dvcs.compare import IdTrust, key, pair_annotations, similarity
from dvcs.compare.similarity import Size
from dvcs.merge.annotations import nearly_equal
from dvcs.merge.decisions import Options, Trust
from dvcs.model import Annotation, Label
from dvcs.tracks import is_interpolated


class Sides(NamedTuple):
    """Three versions of a list of annotations."""

    base: Sequence[Annotation]
    ours: Sequence[Annotation]
    theirs: Sequence[Annotation]


class Entry(NamedTuple):
    """One annotation: its positions in the three lists, None where it is not."""

    base: int | None
    ours: int | None
    theirs: int | None


class Twins(NamedTuple):
    """Two additions that may be the same object; `verdict` is `same`, `conflict` or `apart`."""

    ours: int
    theirs: int
    verdict: str


def align(
    sides: Sides, options: Options, trust: Trust = (None, None), size: Size = None
) -> tuple[list[Entry], list[Twins]]:
    """Return the annotations of the base and where they are now, and what both sides added."""
    base, ours, theirs = sides
    how = {"threshold": options.threshold, "size": size}
    there = [
        {
            pair.old: pair.new
            for pair in pair_annotations(base, side, ids=ids, **how)  # type: ignore[arg-type]
            if pair.old is not None and pair.new is not None
        }
        for side, ids in ((ours, trust[0]), (theirs, trust[1]))
    ]
    entries = [Entry(at, there[0].get(at), there[1].get(at)) for at in range(len(base))]
    known = [set(one.values()) for one in there]
    added = [
        [at for at in range(len(side)) if at not in seen]
        for side, seen in zip((ours, theirs), known, strict=True)
    ]
    entries += [Entry(None, at, None) for at in added[0]]
    entries += [Entry(None, None, at) for at in added[1]]
    return entries, _twins(sides, added, options, size)


def _twins(sides: Sides, added: list[list[int]], options: Options, size: Size) -> list[Twins]:
    base, ours, theirs = sides
    if not added[0] or not added[1]:
        return []
    nothing = IdTrust(equal=1, kept=0)
    nothing.tracks_equal = 1
    found = _of_one_track(sides, added)
    known = {one.ours for one in found}, {one.theirs for one in found}
    added = [[at for at in side if at not in seen] for side, seen in zip(added, known, strict=True)]
    some, other = [ours[at] for at in added[0]], [theirs[at] for at in added[1]]
    single = not any(isinstance(note, Label) for note in base) and all(
        sum(isinstance(note, Label) for note in side) == 1 for side in (ours, theirs)
    )
    for pair in pair_annotations(some, other, threshold=options.threshold, ids=nothing, size=size):
        if pair.old is not None and pair.new is not None:
            a, b = some[pair.old], other[pair.new]
            verdict = _verdict(a, b, options, size, single=single)
            found.append(Twins(added[0][pair.old], added[1][pair.new], verdict))
    return found


def _of_one_track(sides: Sides, added: list[list[int]]) -> list[Twins]:
    """
    Return the shapes of one track of which one only follows from keyframes: it gives way.

    New tracks of both sides have numbers of their own by now, so an equal one is the same.
    """
    tracks = {sides.ours[at].track: at for at in added[0] if sides.ours[at].track is not None}
    found = []
    for at in added[1]:
        note = sides.theirs[at]
        mine = tracks.get(note.track) if note.track is not None else None
        if mine is None or note.label != sides.ours[mine].label:
            continue
        if is_interpolated(note) or is_interpolated(sides.ours[mine]):
            found.append(Twins(mine, at, "same"))
            del tracks[note.track]
    return found


def _verdict(a: Annotation, b: Annotation, options: Options, size: Size, *, single: bool) -> str:
    if key(a) == key(b):
        return "same"
    if a.kind == b.kind == "label":
        if a.label == b.label:
            return "same"
        return "conflict" if single else "apart"
    if a.kind == b.kind == "caption":
        return "same" if a.geometry == b.geometry else "apart"  # an image has several
    if nearly_equal(a, b, options, size):
        return "same" if a.label == b.label else "conflict"
    # Two things of different labels may well lie on top of each other.
    if a.label != b.label or similarity(a, b, size) < options.threshold:
        return "apart"
    return "same" if is_interpolated(a) or is_interpolated(b) else "conflict"
