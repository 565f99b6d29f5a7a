"""The annotations of an item of which some are taken from another version, for `restore --from`."""

from dvcs.compare import pair_annotations
from dvcs.model import Annotation, Item
from dvcs.repository.restores.choice import Chosen


class Notes:
    """The annotations of an item of which some are taken from another version."""

    def __init__(self, here: Item, there: Item, chosen: Chosen) -> None:
        self.here, self.there = here.annotations, there.annotations
        self.chosen = chosen
        media = here.media or there.media
        pairs = pair_annotations(self.here, self.there, size=None if media is None else media.size)
        self.partner = {one.old: one.new for one in pairs if one.old is not None}
        self.back = {one.new: one.old for one in pairs if one.new is not None}
        self.groups = self._groups()
        self.fresh: set[int] = set()
        """Positions in the result of what has its id from there."""

    def result(self) -> list[Annotation]:
        """Return the annotations that the item is to have."""
        kept: list[Annotation] = []
        for at, note in enumerate(self.here):
            other = self.partner.get(at)
            gone = other is None and at in self.chosen.alone
            if not gone and at not in self.chosen.here and other not in self.chosen.there:
                kept.append(note)
            elif other is not None:
                taken = self._taken(other)
                if note.id:
                    taken = taken.with_(id=note.id)
                else:
                    self.fresh.add(len(kept))
                kept.append(taken)
        for at in sorted(self.chosen.there):
            if self.back.get(at) is None:
                self.fresh.add(len(kept))
                kept.append(self._taken(at))
        return kept

    def _taken(self, at: int) -> Annotation:
        note = self.there[at]
        group = self.groups.get(note.group, 0)
        return note if group == note.group else note.with_(group=group)

    def _groups(self) -> dict[int, int]:
        """Return what the groups of there are called here: as their members are, else anew."""
        found: dict[int, int] = {}
        for at, note in enumerate(self.there):
            partner = self.back.get(at)
            if note.group and partner is not None and self.here[partner].group:
                found.setdefault(note.group, self.here[partner].group)
        top = max((note.group for note in self.here), default=0)
        for note in self.there:
            if note.group and note.group not in found:
                top += 1
                found[note.group] = top
        return found
