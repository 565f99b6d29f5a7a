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
) -> list[Annotation]:
    """
    Return annotations of which theirs have other ids where ours have them already.

    `own` are the ids that they have on our side; None of those that are theirs alone. What shares
    an id with theirs (the parts of an instance) shares the new one. Without `fresh` a new number is
    one above the highest in the list.
    """
    taken: set[int | str] = {one for one in own if one}
    every = {*taken, *(note.id for note in notes)}
    top = max((one for one in every if isinstance(one, int)), default=0)
    others: dict[int | str, int | str] = {}
    result = []
    for note, ours in zip(notes, own, strict=True):
        if note.id == ours or not note.id or note.id not in taken:
            result.append(note)
            if note.id and ours is not None:
                taken.add(note.id)
            continue
        new: int | str
        if ours is not None:
            new = ours  # theirs had renumbered it
        elif note.id in others:
            new = others[note.id]
        elif isinstance(note.id, str):
            new = other_text(note.id, every)
        elif fresh is not None:
            new = fresh()
        else:
            top += 1
            new = top
        if ours is None:
            others[note.id] = new
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
