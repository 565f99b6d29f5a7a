"""Votes about one value: a label, an attribute."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from dvcs.compare.equality import text

MISSING = msgspec.UNSET
"""The vote of who gives no value."""


class Value(NamedTuple):
    """A value that was voted for: by whom, and what their votes weigh."""

    value: Any
    voters: list[int]
    weight: float


def tally(votes: Iterable[tuple[int, Any]], weights: Sequence[float]) -> list[Value]:
    """Return values with the voters for them: the heaviest first, then that of the first voter."""
    found: dict[bytes, Value] = {}
    for voter, value in votes:
        name = b"" if value is MISSING else text(value)
        held = found.get(name) or Value(value, [], 0.0)
        found[name] = Value(held.value, [*held.voters, voter], held.weight + weights[voter])
    return sorted(found.values(), key=lambda one: (-one.weight, one.voters[0]))


def winner(values: Sequence[Value], needed: int) -> Value | None:
    """Return the value that won: heavier than all others, and with a quorum."""
    first = values[0]
    if len(values) > 1 and math.isclose(values[1].weight, first.weight):
        return None
    return first if len(first.voters) >= needed else None


def stored_alike(lists: Sequence[Mapping[str, Any]]) -> bool:
    """Tell whether equal mappings are stored alike: 1, 1.0 and True are equal in Python."""
    first = text(lists[0])
    return all(text(one) == first for one in lists[1:])
