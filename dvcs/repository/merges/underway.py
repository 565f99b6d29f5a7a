"""
What is under way: a merge, revert, cherry-pick or stash pop that waits for decisions.

    refs/dvcs/merge/ours, theirs    that there is one; they also keep gc away
    refs/dvcs/revert/...            the same of a revert, cherry-pick or stash pop (`stash-pop`)
    state/merge/<theirs>            the rest; kept when it is over, so that undo can resume it
    state/merge/revert-<theirs>

One thing is under way at a time. Conflicts block nothing but its own end: branches and working
copies are as before.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import msgspec

from dvcs.errors import RepositoryError
from dvcs.merge import Conflict, Decision, Options
from dvcs.objects._durable import write_atomic
from dvcs.repository.locks import told
from dvcs.repository.merges.plan import Plan, Selection, Where
from dvcs.repository.oplog import Log, Move, change, locked
from dvcs.repository.refs import OWN
from dvcs.repository.sealing import sealed, unsealed

if TYPE_CHECKING:
    from dvcs.repository import Repository

Kind = Literal["merge", "revert", "cherry-pick", "stash pop"]
KINDS: tuple[Kind, ...] = get_args(Kind)
KEPT = 20
"""Records that are kept for undo."""
RECORD = re.compile(r"(?:[a-z-]+-)?[0-9a-f]{40}")


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
    A merge under way, or a graft: a revert, cherry-pick or stash pop.

    `ours` and `theirs` are commits (hex), `revision` is what theirs was called, `branch` the one
    that gets the commit (None: a detached HEAD). `decisions` are by place (`key_of`), then by key;
    `labels` are those of each merged source: keys by name.

    `voting` says who votes and how, of a merge by vote (`votes/plan.Voting`, as plain values);
    `heads` are the voters then.

    Of a graft `theirs` is the commit that is reverted, picked or taken up; what it is compared with
    is its parent (of a merge: that of number `mainline`). `todo` are the commits that are next, the
    `heads` hold them; the branch was at `began` before the first of them, and `last` is what was
    made so far. `stash` is the ref of a stash.
    """

    ours: str
    theirs: str
    revision: str
    branch: str | None
    operation: Kind = "merge"
    message: str | None = None
    options: Options = Options()
    only: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    squash: bool = False
    places: tuple[Place, ...] = ()
    decisions: dict[str, dict[str, Decision]] = {}
    labels: dict[str, dict[str, str]] = {}
    voting: dict[str, Any] | None = None
    mainline: int | None = None
    todo: tuple[str, ...] = ()
    heads: tuple[str, ...] = ()
    began: str | None = None
    last: str | None = None
    stash: str | None = None

    @property
    def selection(self) -> Selection | None:
        """What of theirs is wanted; None: all."""
        return Selection(self.only, self.excluded) if self.only or self.excluded else None

    @property
    def is_partial(self) -> bool:
        """Whether the commit has one parent, so that a later merge brings the rest."""
        return self.squash or self.selection is not None

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

    def with_found(self, plan: Plan) -> "Merging":
        """Return it with the conflicts that were found, those decided too."""
        places = tuple(
            Place(
                source=found.where[0],
                subset=found.where[1],
                id=found.where[2],
                conflicts=found.conflicts,
            )
            for found in plan.found
        )
        undecided = {
            (place.where, one.key)
            for place in places
            for one in place.conflicts
            if one.decision is None
        }
        # A decision that does not fit any more (the branch moved on) is none.
        decisions = {}
        for name, held in self.decisions.items():
            where = where_of(name)
            kept = {key: one for key, one in held.items() if (where, key) not in undecided}
            if kept:
                decisions[name] = kept
        labels = {name: {one.name: one.key for one in held} for name, held in plan.labels.items()}
        return msgspec.structs.replace(self, places=places, decisions=decisions, labels=labels)


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


def _slug(kind: Kind) -> str:
    return kind.replace(" ", "-")


def _ref(kind: Kind, name: str) -> str:
    return f"{OWN}{_slug(kind)}/{name}"


def _record(repo: "Repository", kind: Kind, theirs: str) -> Path:
    name = theirs if kind == "merge" else f"{_slug(kind)}-{theirs}"
    if RECORD.fullmatch(name) is None:  # what is next stands in a record, which may be anybody's
        raise RepositoryError(f"{theirs!r} is no commit", hint="run 'dvcs fsck'")
    return repo.layout.state / "merge" / name


def _records(repo: "Repository") -> list[Path]:
    """Return the records; what has another name was not written here, and is not touched."""
    folder = (repo.layout.state / "merge").glob("*")
    return [path for path in folder if RECORD.fullmatch(path.name)]


def settle(repo: "Repository") -> None:
    """Have an operation that was killed be finished or forgotten, before its refs are looked at."""
    if not Log(repo.layout).is_finished():
        with locked(repo.layout):
            pass


def under_way(repo: "Repository") -> Kind | None:
    """Return what kind of operation is under way; None where nothing is."""
    return next((kind for kind in KINDS if repo.refs.read(_ref(kind, "theirs"))), None)


def is_under_way(repo: "Repository") -> bool:
    """Tell whether anything is under way."""
    return under_way(repo) is not None


def refuse_second(repo: "Repository") -> None:
    """Raise RepositoryError where something is under way already."""
    kind = under_way(repo)
    if kind is None:
        return
    try:
        what = f" of '{load(repo).revision}'"
    except RepositoryError:
        what = ""
    raise RepositoryError(
        f"a {kind}{what} is under way",
        hint=f"end it with 'dvcs {kind} --continue', or give it up with 'dvcs {kind} --abort'",
    )


def load(repo: "Repository", kind: Kind | None = None) -> Merging:
    """
    Return what is under way.

    Raises RepositoryError where there is nothing, it is not of the `kind` asked for, or its record
    is damaged.
    """
    found = _expected(repo, kind)
    theirs = repo.refs.read(_ref(found, "theirs")) or b""
    path = _record(repo, found, theirs.hex())
    record = _read(path)
    if isinstance(record, str) or _record(repo, record.operation, record.theirs) != path:
        why = record if isinstance(record, str) else "it is that of another"
        raise RepositoryError(
            f"the record of the {found} under way cannot be read: {why}",
            hint=f"give it up with 'dvcs {found} --abort', and begin again",
        )
    return record


def _read(path: Path) -> Merging | str:
    """Return a record, or why it cannot be read."""
    try:
        return msgspec.json.decode(unsealed(path.read_bytes()) or b"", type=Merging)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        return str(error)


def check(repo: "Repository") -> Iterator[tuple[Path, str]]:
    """Yield records that are damaged or missing, and what is wrong, for `fsck`."""
    kind = under_way(repo)
    theirs = None if kind is None else repo.refs.read(_ref(kind, "theirs"))
    paths = set(_records(repo))
    if kind is not None and theirs is not None:
        paths.add(_record(repo, kind, theirs.hex()))
    for path in sorted(paths):
        record = _read(path)
        if isinstance(record, str) or _record(repo, record.operation, record.theirs) != path:
            yield path, "the record of what is or was under way is damaged"


def _expected(repo: "Repository", kind: Kind | None) -> Kind:
    found = under_way(repo)
    if found is None:
        how = {"merge": "dvcs merge REV", "stash pop": "dvcs stash pop"}
        raise RepositoryError(
            f"no {kind or 'merge'} is under way",
            hint=f"begin one with '{how.get(kind or 'merge', f'dvcs {kind} COMMIT')}'",
        )
    if kind not in (None, found):
        raise RepositoryError(
            f"no {kind} is under way, but a {found} is",
            hint=f"end it with 'dvcs {found} --continue', or give it up with"
            f" 'dvcs {found} --abort'",
        )
    return found


def save(repo: "Repository", merging: Merging) -> None:
    """Write the record of what is under way, durably."""
    path = _record(repo, merging.operation, merging.theirs)
    with told(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, sealed(msgspec.json.encode(merging)))
        for old in sorted(_records(repo), key=lambda one: one.stat().st_mtime_ns)[:-KEPT]:
            old.unlink(missing_ok=True)


def refs_to(repo: "Repository", merging: Merging | None) -> list[Move]:
    """Return the moves of refs that begin something, go on to something else, or end it (None)."""
    wanted: dict[str, str] = {}
    if merging is not None:
        kind = merging.operation
        wanted = {_ref(kind, "theirs"): merging.theirs, _ref(kind, "ours"): merging.ours}
        wanted |= {_ref(kind, f"todo/{n}"): one for n, one in enumerate(merging.heads, 1)}
    there = {
        name: oid.hex() for kind in KINDS for name, oid in repo.refs.all(_ref(kind, "")).items()
    }
    return [
        Move(name, there.get(name), wanted.get(name))
        for name in (*wanted, *sorted(there.keys() - wanted.keys()))
        if there.get(name) != wanted.get(name)
    ]


def begin(repo: "Repository", merging: Merging) -> None:
    """
    Have something be under way, or its sides be others.

    Raises RepositoryError where something of another kind is under way by now.
    """
    with locked(repo.layout) as log:
        if under_way(repo) not in (None, merging.operation):
            refuse_second(repo)
        save(repo, merging)
        moves = refs_to(repo, merging)
        if moves:
            log.change(f"{merging.operation} {merging.revision} (not committed yet)", moves)


def abort(repo: "Repository", kind: Kind | None = "merge") -> None:
    """Give up what is under way. Raises RepositoryError where there is nothing, or another kind."""
    settle(repo)
    if kind == "merge" and not is_under_way(repo):
        raise RepositoryError(
            "no merge is under way", hint="'dvcs undo' takes back one that is done"
        )
    found = _expected(repo, kind)
    change(repo.layout, f"{found} --abort", refs_to(repo, None))
