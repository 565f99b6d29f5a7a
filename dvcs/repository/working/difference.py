"""What an edited rendering changes in a source: values, told as comparisons tell them."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from dvcs.compare import ItemChange, Options, compare_pairs, renamed_labels
from dvcs.errors import ConflictError, RepositoryError
from dvcs.model import Item, Labels
from dvcs.names import unquote
from dvcs.objects.items import key_maps
from dvcs.projection import Conflict
from dvcs.repository.working.rendering import Name

SHOWN = 5


class Edited(NamedTuple):
    """
    One item that is not as it was: None where it was, or is, not there.

    `before` and `after` have label *keys* for labels; `after.origins` are those of media files that
    are new.
    """

    old: Name | None
    new: Name | None
    before: Item | None
    after: Item | None


class ItemConflict(NamedTuple):
    """An edit that cannot be brought back."""

    subset: str
    id: str
    conflict: Conflict


class Difference(NamedTuple):
    """What an edited rendering changes in a source."""

    source: str
    old_labels: Labels
    labels: Labels
    metadata: Mapping[str, Any] | None
    """What the format says of the whole dataset, where that changed."""
    items: tuple[Edited, ...]
    conflicts: tuple[ItemConflict, ...]

    def __bool__(self) -> bool:
        """Whether anything is different."""
        return bool(
            self.items
            or self.conflicts
            or self.metadata is not None
            or self.labels != self.old_labels
        )

    def changes(self) -> Iterator[ItemChange]:
        """Yield what changed in each item, as comparisons tell it."""
        old, new = key_maps(self.old_labels)[1], key_maps(self.labels)[1]
        pairs = (
            (_named(one.before, old, self.source), _named(one.after, new, self.source))
            for one in self.items
        )
        options = Options(labels=renamed_labels(self.old_labels, self.labels))
        return compare_pairs(pairs, options=options)

    def refuse_conflicts(self) -> None:
        """Raise ConflictError, naming the items, where there are conflicts."""
        if not self.conflicts:
            return
        lines = [
            f"{self.source}/{one.subset}/{one.id}: {one.conflict.reason}"
            for one in self.conflicts[:SHOWN]
        ]
        if len(self.conflicts) > SHOWN:
            lines.append(f"... and {len(self.conflicts) - SHOWN} more")
        count = len(self.conflicts)
        raise ConflictError(
            "\n  ".join([f"{count} edit{'s' * (count != 1)} cannot be brought back:", *lines]),
            hint="--on-conflict edited takes the edited shapes, kept leaves the full ones",
        )


def _named(item: Item | None, names: Mapping[str, str], source: str) -> Item | None:
    return None if item is None else relabelled(item, names).with_(source=source)


def relabelled(item: Item, names: Mapping[str, str]) -> Item:
    """Return an item with other names for its labels: names for keys, or keys for names."""
    if not any(note.label in names for note in item.annotations):
        return item
    notes = [
        note.with_(label=names.get(note.label, note.label)) if note.label is not None else note
        for note in item.annotations
    ]
    return item.with_(annotations=notes)


def refuse_doubles(edited: list[Edited], names: Mapping[str, Mapping[bytes, bytes]]) -> None:
    """Raise RepositoryError where two items would have one name."""
    freed = {one.old for one in edited if one.old != one.new}
    taken: set[Name] = set()
    for one in edited:
        if one.new is None or one.old == one.new:
            continue
        there = one.new[1] in names.get(one.new[0], {}) and one.new not in freed
        if there or one.new in taken:
            raise RepositoryError(
                f"two items would be called '{one.new[0]}/{unquote(one.new[1].decode())}'",
                hint="rename one",
            )
        taken.add(one.new)
