"""
Deciding about what is under way: which conflicts are meant, and what they become.

What there is to decide, and where it is kept, is in `underway.py`. Nothing else happens here: the
merge, revert, cherry-pick or stash pop follows the decisions when it goes on.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from dvcs.errors import LISTED, UsageError
from dvcs.merge import CHOICES, Choice, Conflict, Decision
from dvcs.merge.annotations import fits_value
from dvcs.repository.merges.plan import Where, is_named
from dvcs.repository.merges.underway import (
    Merging,
    Place,
    abort,
    begin,
    is_under_way,
    key_of,
    load,
    name_of,
    refs_to,
    save,
    settle,
    under_way,
    where_of,
)
from dvcs.repository.working import copies

if TYPE_CHECKING:
    from dvcs.repository import Repository

__all__ = [
    "Merging",
    "Place",
    "Resolved",
    "Wanted",
    "abort",
    "begin",
    "is_under_way",
    "key_of",
    "load",
    "name_of",
    "refs_to",
    "report",
    "resolve",
    "resolve_from",
    "save",
    "settle",
    "under_way",
    "where_of",
]


class Wanted(NamedTuple):
    """
    Which conflicts are meant.

    `names` are ITEM or ITEM#KEY (also a pattern or the beginning of an item's name, and a key
    without its field); all have to fit of names, labels and kinds that are given. A kind may also
    be the field, with which a conflict's name ends: of a vote, `label` or `presence`.
    """

    names: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()

    def means(self, place: Place, conflict: Conflict) -> bool:
        """Tell whether a conflict is meant."""
        if self.names and not any(_is_meant(place, conflict, one) for one in self.names):
            return False
        if self.labels and not set(self.labels) & set(conflict.labels):
            return False
        return not self.kinds or bool({conflict.kind, conflict.field} & set(self.kinds))


def _is_meant(place: Place, conflict: Conflict, name: str) -> bool:
    if is_named(place.name, name):
        return True
    for at, letter in enumerate(name):
        if letter == "#" and is_named(place.name, name[:at]):
            key = name[at + 1 :]
            if conflict.key == key:
                return True
            exact = any(one.key == key for one in place.conflicts)  # then only that is meant
            if not exact and conflict.key.startswith(f"{key}."):
                return True
    return False


class Resolved(NamedTuple):
    """How many conflicts were decided, how many are left; which could not be, and why."""

    decided: int
    left: int
    refused: tuple[str, ...]


def resolve(repo: "Repository", wanted: Wanted, choice: Choice, value: Any = None) -> Resolved:
    """
    Decide conflicts: all that are meant, also such as were decided before.

    Nothing else happens before it goes on. Raises RepositoryError where nothing is under way,
    UsageError where nothing is meant, or none of what is meant can be decided so.
    """
    with copies.locked(repo):  # else of two that decide at once, one would be forgotten
        settle(repo)
        merging = load(repo)
        meant = [
            (place, one)
            for place in merging.places
            for one in place.conflicts
            if wanted.means(place, one)
        ]
        if not meant:
            raise UsageError("no conflict is meant by that", hint=_kinds_there(merging, wanted))
        chosen = [(place, one, Decision(choice, value)) for place, one in meant]
        return _decide(repo, merging, chosen)


def _kinds_there(merging: Merging, wanted: Wanted) -> str:
    held = [one for place in merging.places for one in place.conflicts]
    known = {each for one in held for each in (one.kind, one.field)}
    if held and not known.issuperset(wanted.kinds):
        return f"kinds here: {', '.join(sorted(known))}"
    return "'dvcs conflicts' lists them all"


def resolve_from(repo: "Repository", decisions: Any) -> Resolved:
    """
    Decide conflicts as a list says that looks like that of `dvcs conflicts --json`.

    Each conflict has a `choice` (and a `value`); those without are left. Raises UsageError for what
    is no such list, or names conflicts that are not there.
    """
    with copies.locked(repo):
        settle(repo)
        merging = load(repo)
        known = {place.where: place for place in merging.places}
        chosen = []
        for where, key, decision in _listed(decisions):
            place = known.get(where)
            found = [one for one in place.conflicts if one.key == key] if place is not None else []
            if place is None or not found:
                raise UsageError(
                    f"there is no conflict '{name_of(where)}#{key}'",
                    hint="'dvcs conflicts --json' writes the list to fill in",
                )
            chosen.append((place, found[0], decision))
        return _decide(repo, merging, chosen)


def _listed(decisions: Any) -> Iterator[tuple[Where, str, Decision]]:
    if isinstance(decisions, dict):
        decisions = decisions.get("dvcs.conflicts/1", decisions.get("conflicts"))
    try:
        for place in decisions:
            source, subset, id = (place.get(part) or "" for part in ("source", "subset", "id"))
            where = _text(source), _text(subset), _text(id)
            for one in place["conflicts"]:
                if one.get("choice") is None:
                    continue
                if one["choice"] not in CHOICES:
                    raise UsageError(
                        f"'{one['choice']}' is no choice", hint=f"choices: {', '.join(CHOICES)}"
                    )
                yield where, _text(one["key"]), Decision(one["choice"], one.get("value"))
    except (TypeError, KeyError, AttributeError):
        raise UsageError(
            "that is no list of conflicts",
            hint="'dvcs conflicts --json' writes one; give each conflict a \"choice\"",
        ) from None


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _decide(
    repo: "Repository",
    merging: Merging,
    chosen: Sequence[tuple[Place, Conflict, Decision]],
) -> Resolved:
    decisions = {name: dict(held) for name, held in merging.decisions.items()}
    refused = []
    for place, conflict, decision in chosen:
        problem = _problem(merging, place, conflict, decision)
        if problem:
            refused.append(f"{place.name}#{conflict.key}: {problem}")
        else:
            decisions.setdefault(key_of(place.where), {})[conflict.key] = decision
    if refused and len(refused) == len(chosen):
        raise UsageError(refused[0], hint="'dvcs conflicts' says what each can become")
    new = msgspec.structs.replace(merging, decisions=decisions)
    save(repo, new)
    left = sum(len(place.conflicts) for place in new.open())
    return Resolved(len(chosen) - len(refused), left, tuple(refused))


def _problem(merging: Merging, place: Place, conflict: Conflict, decision: Decision) -> str:
    if decision.choice not in conflict.allowed:
        return f"can become {_alternatives(conflict.allowed)}, not '{decision.choice}'"
    if decision.choice != "value":
        return ""
    names = merging.labels.get(place.source, {})
    is_label = "label" in (conflict.kind, conflict.field if conflict.kind == "vote" else "")
    needed = conflict.kind == "label-deleted" or (is_label and decision.value is not None)
    if needed and not (isinstance(decision.value, str) and decision.value in names):
        known = ", ".join(list(names)[:LISTED]) + (", ..." if len(names) > LISTED else "")
        return f"no label is called {decision.value!r}; labels: {known}"
    if not fits_value(conflict, decision.value):
        return f"{decision.value!r} is no value for {conflict.field}"
    return ""


def _alternatives(allowed: Collection[str]) -> str:
    return " or ".join(f"'{one}'" for one in allowed)


def report(places: Iterable[Place]) -> list[dict[str, Any]]:
    """Return conflicts as plain values, as `dvcs conflicts --json` has them."""
    return [
        {
            "source": place.source or None,
            "subset": place.subset or None,
            "id": place.id or None,
            "conflicts": [_plain(one) for one in place.conflicts],
        }
        for place in places
    ]


def _plain(conflict: Conflict) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(conflict)
    for name in ("base", "ours", "theirs"):
        plain.setdefault(name, None)
    plain.pop("decision", None)
    if conflict.kind != "vote":
        del plain["have"], plain["lack"]
    return plain
