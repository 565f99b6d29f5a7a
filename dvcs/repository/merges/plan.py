"""How to merge, what was decided about it, and what was found: shared by all parts of a merge."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

import msgspec

from dvcs.merge import Conflict, Counts, Decision, Judge, Options
from dvcs.model import Labels

Where = tuple[str, str, str]
"""Source, subset and id of an item; the latter two empty for what concerns a whole source."""


class ItemConflicts(NamedTuple):
    """The conflicts of one item, or of a source as a whole."""

    where: Where
    conflicts: tuple[Conflict, ...]


class Selection(NamedTuple):
    """
    What of theirs is wanted: SOURCE, SOURCE/SUBSET, SOURCE/SUBSET/ID, or patterns with `*`.

    Without `only` everything is, but what is `excluded`.
    """

    only: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()

    def whole(self, source: str) -> bool:
        """Tell whether all of a source is wanted."""
        inside = any(one.startswith(f"{source}/") or "*" in one for one in self.excluded)
        wanted = not self.only or source in self.only
        return wanted and not inside and source not in self.excluded

    def touches(self, source: str) -> bool:
        """Tell whether anything of a source can be wanted."""
        if source in self.excluded:
            return False
        return not self.only or any(
            one == source or one.startswith(f"{source}/") or "*" in one for one in self.only
        )

    def item(self, source: str, subset: str, id: str) -> bool:
        """Tell whether what theirs did to an item is wanted."""
        path = f"{source}/{subset}/{id}"
        wanted = not self.only or any(is_named(path, one) for one in self.only)
        return wanted and not any(is_named(path, one) for one in self.excluded)


def is_named(path: str, selector: str) -> bool:
    """Tell whether a selector means an item: its path, the beginning of it, or a pattern."""
    return (
        path == selector
        or path.startswith(f"{selector.rstrip('/')}/")
        or fnmatchcase(path, selector)
    )


class Plan(msgspec.Struct):
    """How to merge and what was decided; collects what was found."""

    options: Options
    decisions: Mapping[Where, Mapping[str, Decision]] = {}
    select: Selection | None = None
    between_bases: bool = False
    counts: Counts = msgspec.field(default_factory=Counts)
    found: list[ItemConflicts] = []
    labels: dict[str, Labels] = {}

    @property
    def is_open(self) -> bool:
        """Whether anything that was found is not decided."""
        return any(one.decision is None for place in self.found for one in place.conflicts)

    def judge(self, where: Where) -> Judge:
        """Return who decides about an item."""
        return Judge(
            self.decisions.get(where),
            strategy=self.options.strategy,
            between_bases=self.between_bases,
        )

    def note(self, where: Where, judge: Judge, names: Mapping[str, str] | None = None) -> None:
        """Keep the conflicts that a judge has found, with labels by name."""
        if judge.conflicts:
            told = [_named(one, names) if names else one for one in judge.conflicts]
            self.found.append(ItemConflicts(where, tuple(told)))


def _named(conflict: Conflict, names: Mapping[str, str]) -> Conflict:
    """Return a conflict with labels by name instead of key."""
    sides = {side: getattr(conflict, side) for side in ("base", "ours", "theirs")}
    if (conflict.kind, conflict.field) == ("vote", "label"):  # labels by who voted for them
        values: dict[str, Any] = {
            side: {voter: names.get(key, key) for voter, key in votes.items()}
            if isinstance(votes, dict)
            else votes
            for side, votes in sides.items()
        }
    else:
        values = {side: _named_value(value, conflict.kind, names) for side, value in sides.items()}
    labels = tuple(names.get(one, one) for one in conflict.labels)
    return msgspec.structs.replace(conflict, **values, labels=labels)


def _named_value(value: Any, kind: str, names: Mapping[str, str]) -> Any:
    if kind == "label" and isinstance(value, str):
        return names.get(value, value)
    if isinstance(value, list):
        return [_named_value(one, "", names) for one in value]
    if isinstance(value, dict) and isinstance(value.get("label"), str):
        return {**value, "label": names.get(value["label"], value["label"])}
    return value
