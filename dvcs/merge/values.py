"""Three versions of single values, of mappings key by key, and of the order of a list."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from dvcs.compare import same

MISSING = msgspec.UNSET
"""What a mapping says of a key that it does not have."""


class _Unknown:
    """What was there before is not known."""

    def __repr__(self) -> str:
        return "NO_BASE"


NO_BASE: Any = _Unknown()

Token = TypeVar("Token", bound=Hashable)
Ask = Callable[[str, Any, Any, Any], Any]
"""Called with a key and three values in conflict; returns the value to go on with."""


def equal(a: Any, b: Any) -> bool:
    """Tell whether two values are the same, as they would be stored."""
    if a is b:
        return True
    if a is NO_BASE or b is NO_BASE or a is MISSING or b is MISSING:
        return False
    return same(a, b)


def three_way(base: Any, ours: Any, theirs: Any) -> tuple[Any, bool]:
    """
    Return the merged value, and whether that is beyond doubt.

    Without a base (`NO_BASE`) a value stands above its absence (None, MISSING, empty).
    """
    if equal(ours, theirs):
        return ours, True
    if base is NO_BASE:
        if is_absent(theirs):
            return ours, True
        return (theirs, True) if is_absent(ours) else (ours, False)
    if equal(ours, base):
        return theirs, True
    return ours, equal(theirs, base)


def is_absent(value: Any) -> bool:
    """Tell whether a value says nothing; zero and false do say something."""
    return value is MISSING or value is None or value in ((), "", {}, [])


def merge_mappings(
    base: Mapping[str, Any] | None,
    ours: Mapping[str, Any],
    theirs: Mapping[str, Any],
    ask: Ask,
    *,
    depth: int = 0,
    unknown: frozenset[str] = frozenset(),
    prefix: str = "",
) -> dict[str, Any]:
    """
    Merge two changes of a mapping, key by key, `depth` levels deeper too.

    None as `base`: there is none. `unknown` are keys (with their prefix) whose base is not known.
    """
    result: dict[str, Any] = {}
    names = merge_order(list(base or ()), list(ours), list(theirs))
    for name in names:
        path = f"{prefix}{name}"
        no_base = base is None or path in unknown
        b = NO_BASE if no_base or base is None else base.get(name, MISSING)
        o, t = ours.get(name, MISSING), theirs.get(name, MISSING)
        value, sure = three_way(b, o, t)
        if not sure and depth and isinstance(o, Mapping) and isinstance(t, Mapping):
            # What was not there before is known to have been empty.
            below = None if b is NO_BASE else b if isinstance(b, Mapping) else {}
            more = {"depth": depth - 1, "unknown": unknown, "prefix": f"{path}."}
            value = merge_mappings(below, o, t, ask, **more)  # type: ignore[arg-type]
            if not value and b is MISSING:
                value = MISSING
        elif not sure:
            value = ask(path, b, o, t)
        if value is not MISSING:
            result[name] = value
    return result


def merge_order(
    base: Sequence[Token], ours: Sequence[Token], theirs: Sequence[Token]
) -> list[Token]:
    """
    Return all tokens of ours and theirs in the order of both.

    That of the side that reordered what all three have, ours where both did or none. What only the
    other side has stands before what it stood before there.
    """
    if ours == theirs:
        return list(ours)
    common = set(ours) & set(theirs)
    known = common & set(base)
    first, second = ours, theirs
    if [one for one in ours if one in known] == [one for one in base if one in known] and (
        [one for one in theirs if one in known] != [one for one in base if one in known]
    ):
        first, second = theirs, ours
    before: dict[Token, list[Token]] = {}
    waiting: list[Token] = []
    for one in second:
        if one not in common:
            waiting.append(one)
        elif waiting:
            before[one], waiting = waiting, []
    result: list[Token] = []
    for one in first:
        result += before.get(one, ())
        result.append(one)
    return result + waiting


def shown(value: Any) -> Any:
    """Return a value as a conflict tells it: NO_BASE is not there."""
    return MISSING if value is NO_BASE else value


def unique(values: Iterable[Token]) -> list[Token]:
    """Return values in order, each once."""
    return list(dict.fromkeys(values))
