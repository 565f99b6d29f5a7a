"""
Numbers that both sides gave to what they added: ids of annotations.

Two people who add something take the same next number. That number says nothing about who is who,
so on collision theirs gets another one.
"""

from collections.abc import Sequence

from dvcs.merge.decisions import Counts, Fresh
from dvcs.model import Annotation


def without_collisions(
    notes: Sequence[Annotation],
    own: Sequence[int | str | None],
    counts: Counts,
    fresh: Fresh | None = None,
    givers: Sequence[int] | None = None,
) -> list[Annotation]:
    """
    Return annotations of which theirs have other ids where ours have them already.

    `own` are the ids that they have on our side; None of those that are theirs alone. What shares
    an id with theirs (the parts of an instance) shares the new one. Where theirs are several,
    `givers` tells who gave each id: two of them mean different things by one. Without `fresh` a new
    number is one above the highest in the list.
    """
    taken: set[int | str] = {one for one in own if one}
    every = {*taken, *(note.id for note in notes)}
    top = max((one for one in every if isinstance(one, int)), default=0)
    others: dict[tuple[int, int | str], int | str] = {}
    kept: dict[int | str, int] = {}
    result = []
    for note, ours, giver in zip(notes, own, givers or [0] * len(notes), strict=True):
        free = note.id not in taken and kept.get(note.id, giver) == giver
        if note.id == ours or not note.id or free:
            result.append(note)
            if note.id and ours is not None:
                taken.add(note.id)
            elif note.id:
                kept[note.id] = giver
            continue
        new: int | str
        if ours is not None:
            new = ours  # theirs had renumbered it
        elif (giver, note.id) in others:
            new = others[giver, note.id]
        elif isinstance(note.id, str):
            new = other_text(note.id, every)
        elif fresh is not None:
            new = fresh()
        else:
            top += 1
            new = top
        if ours is None:
            others[giver, note.id] = new
        every.add(new)
        counts.renumbered += 1
        result.append(note.with_(id=new))
    return result


def other_text(name: str, taken: set[int | str]) -> str:
    """Return a text like another that is not among those taken."""
    number = 2
    while f"{name}-{number}" in taken:
        number += 1
    return f"{name}-{number}"
