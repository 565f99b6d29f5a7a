"""
A merge under way: what is being merged, its conflicts, and the decisions about them.

    refs/dvcs/merge/ours, theirs    that there is one; they also keep gc away
    state/merge/<theirs>            the rest; kept when it is over, so that undo can resume it

Conflicts block nothing but the merge's own commit: branches and working copies are as before.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from dvcs.errors import RepositoryError, UsageError
from dvcs.merge import CHOICES, Choice, Conflict, Decision, Options
from dvcs.merge.annotations import fits_value
from dvcs.objects._durable import write_atomic
from dvcs.repository.merge_plan import Where, is_named
from dvcs.repository.oplog import Log, Move, change, locked
from dvcs.repository.refs import OWN

if TYPE_CHECKING:
    from dvcs.repository import Repository

KEPT = 20
"""Records of merges that are kept for undo."""
OURS, THEIRS = f"{OWN}merge/ours", f"{OWN}merge/theirs"


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """
    An item with conflicts, and those.

    Without subset and id it is what concerns a whole source (labels, `source.json`), without a
    source the repository (`dvcs.toml`).
    """

    source: str
    subset: str
    id: str
    conflicts: tuple[Conflict, ...]

    @property
    def where(self) -> Where:
        """What decisions are kept by."""
        return self.source, self.subset, self.id

    @property
    def name(self) -> str:
        """SOURCE/SUBSET/ID, SOURCE, or `.` for the repository."""
        return name_of(self.where)


class Merging(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """
    A merge under way.

    `ours` and `theirs` are commits (hex), `revision` is what theirs was called, `branch` the one
    that gets the commit (None: a detached HEAD). `decisions` are by place (`key_of`), then by key;
    `labels` are those of each merged source: keys by name.
    """

    ours: str
    theirs: str
    revision: str
    branch: str | None
    message: str | None = None
    options: Options = Options()
    only: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    squash: bool = False
    allow_unrelated: bool = False
    places: tuple[Place, ...] = ()
    decisions: dict[str, dict[str, Decision]] = {}
    labels: dict[str, dict[str, str]] = {}

    def open(self) -> tuple[Place, ...]:
        """Return what is not decided yet."""
        found = []
        for place in self.places:
            decided = self.decisions.get(key_of(place.where), {})
            left = tuple(
                one for one in place.conflicts if one.decision is None and one.key not in decided
            )
            if left:
                found.append(msgspec.structs.replace(place, conflicts=left))
        return tuple(found)

    def by_where(self) -> dict[Where, Mapping[str, Decision]]:
        """Return the decisions as a merge asks for them."""
        found: dict[Where, Mapping[str, Decision]] = {}
        for name, held in self.decisions.items():
            where = where_of(name)
            keys = self.labels.get(where[0], {})
            found[where] = {key: _in_keys(key, one, keys) for key, one in held.items()}
        return found


def _in_keys(key: str, decision: Decision, keys: Mapping[str, str]) -> Decision:
    """Return a decision with a label's key instead of its name."""
    if decision.choice != "value" or not key.endswith(".label"):
        return decision
    return Decision("value", keys.get(decision.value, decision.value))


def name_of(where: Where) -> str:
    """Return how a place with conflicts is written: SOURCE/SUBSET/ID, SOURCE, or `.`."""
    source, subset, id = where
    if not source:
        return "."
    return f"{source}/{subset}/{id}" if subset else source


# Decisions are kept by a text that tells the three apart, whatever slashes they have.
_APART = "\0"


def key_of(where: Where) -> str:
    """Return what decisions about a place are kept by."""
    return _APART.join(where)


def where_of(key: str) -> Where:
    """Return the place of a key."""
    source, subset, id = key.split(_APART)
    return source, subset, id


# -- the record ----------------------------------------------------------------------------------


def _record(repo: "Repository", theirs: str) -> Path:
    return repo.layout.state / "merge" / theirs


def settle(repo: "Repository") -> None:
    """Have an operation that was killed be finished or forgotten, before its refs are looked at."""
    if not Log(repo.layout).is_finished():
        with locked(repo.layout):
            pass


def is_under_way(repo: "Repository") -> bool:
    """Tell whether a merge is under way."""
    return repo.refs.read(THEIRS) is not None


def load(repo: "Repository") -> Merging:
    """Return the merge under way. Raises RepositoryError where there is none, or it is damaged."""
    theirs = repo.refs.read(THEIRS)
    if theirs is None:
        raise RepositoryError("no merge is under way", hint="begin one with 'dvcs merge REV'")
    try:
        data = _record(repo, theirs.hex()).read_bytes()
        return msgspec.json.decode(data, type=Merging)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise RepositoryError(
            f"the record of the merge under way cannot be read: {error}",
            hint="give it up with 'dvcs merge --abort', and merge again",
        ) from None


def save(repo: "Repository", merging: Merging) -> None:
    """Write the record of a merge, durably."""
    path = _record(repo, merging.theirs)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, msgspec.json.encode(merging) + b"\n")
    records = sorted(path.parent.iterdir(), key=lambda one: one.stat().st_mtime_ns)
    for old in records[:-KEPT]:
        old.unlink(missing_ok=True)


def refs_to(repo: "Repository", merging: Merging | None) -> list[Move]:
    """Return the moves of refs that begin a merge, or end it (None)."""
    values = (None, None) if merging is None else (merging.theirs, merging.ours)
    moves = []
    for name, new in zip((THEIRS, OURS), values, strict=True):
        old = repo.refs.read(name)
        if (None if old is None else old.hex()) != new:
            moves.append(Move(name, None if old is None else old.hex(), new))
    return moves


def begin(repo: "Repository", merging: Merging) -> None:
    """Have a merge be under way, or its sides be others."""
    save(repo, merging)
    moves = refs_to(repo, merging)
    if moves:
        change(repo.layout, f"merge {merging.revision} (not committed yet)", moves)


def abort(repo: "Repository") -> None:
    """Give up the merge under way. Raises RepositoryError where there is none."""
    settle(repo)
    moves = refs_to(repo, None)
    if not moves:
        raise RepositoryError(
            "no merge is under way", hint="'dvcs undo' takes back one that is done"
        )
    change(repo.layout, "merge --abort", moves)


# -- deciding ------------------------------------------------------------------------------------


class Wanted(NamedTuple):
    """
    Which conflicts are meant.

    `names` are ITEM or ITEM#KEY (also a pattern or the beginning of an item's name, and a key
    without its field); all have to fit of names, labels and kinds that are given.
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
        return not self.kinds or conflict.kind in self.kinds


def _is_meant(place: Place, conflict: Conflict, name: str) -> bool:
    if is_named(place.name, name):
        return True
    for at, letter in enumerate(name):
        if letter == "#" and is_named(place.name, name[:at]):
            key = name[at + 1 :]
            if conflict.key == key or conflict.key.startswith(f"{key}."):
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

    Nothing else happens before the merge goes on. Raises RepositoryError where no merge is under
    way, UsageError where nothing is meant, or none of what is meant can be decided so.
    """
    settle(repo)
    merging = load(repo)
    meant = [
        (place, one)
        for place in merging.places
        for one in place.conflicts
        if wanted.means(place, one)
    ]
    if not meant:
        raise UsageError("no conflict is meant by that", hint="'dvcs conflicts' lists them all")
    chosen = [(place, one, Decision(choice, value)) for place, one in meant]
    return _decide(repo, merging, chosen)


def resolve_from(repo: "Repository", decisions: Any) -> Resolved:
    """
    Decide conflicts as a list says that looks like that of `dvcs conflicts --json`.

    Each conflict has a `choice` (and a `value`); those without are left. Raises UsageError for what
    is no such list, or names conflicts that are not there.
    """
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
            where = place.get("source") or "", place.get("subset") or "", place.get("id") or ""
            for one in place["conflicts"]:
                if one.get("choice") is None:
                    continue
                if one["choice"] not in CHOICES:
                    raise UsageError(
                        f"'{one['choice']}' is no choice", hint=f"choices: {', '.join(CHOICES)}"
                    )
                yield where, one["key"], Decision(one["choice"], one.get("value"))
    except (TypeError, KeyError, AttributeError):
        raise UsageError(
            "that is no list of conflicts",
            hint="'dvcs conflicts --json' writes one; give each conflict a \"choice\"",
        ) from None


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
    if conflict.kind == "label" and decision.value is not None and decision.value not in names:
        return f"no label is called {decision.value!r}; labels: {', '.join(names)}"
    if conflict.kind == "label-deleted" and decision.value not in names:
        return f"no label is called {decision.value!r}; labels: {', '.join(names)}"
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
    return plain
