"""
The search for the commit that brought a fault in, by halves, as `git bisect` does it.

    state/bisect        where HEAD was, what is bad, good, skipped
    refs/dvcs/bisect/   the same commits (`bad`, `good-<id>`, ...): gc must not take them where the
                        branches that had them move on meanwhile

Suspects are the commits that are in the bad one and in no good one. Tested next is the one that
splits them best: as many suspects in its history as not. Where HEAD moves, clean working copies
follow; nothing that is in the repository is executed.
"""

import re
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from dvcs.errors import RepositoryError, UsageError
from dvcs.objects._durable import write_atomic
from dvcs.repository.history import is_ancestor, walk
from dvcs.repository.locks import told
from dvcs.repository.oplog import Move, locked
from dvcs.repository.refs import BISECT as REFS
from dvcs.repository.refs import HEADS
from dvcs.repository.sealing import sealed, unsealed
from dvcs.repository.working import checkout

if TYPE_CHECKING:
    from dvcs.repository import Repository

COMMIT = re.compile(r"[0-9a-f]{40}")
SKIP, MOST_BAD = 125, 127
"""Exit codes of a test: this one skips, all others from 1 to this one say bad."""


class State(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A search under way; commits are hex. `start`: the branch, or the commit, to go back to."""

    start: str
    bad: str | None = None
    good: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()


class Step(NamedTuple):
    """
    Where a search is.

    `waiting`: a bad and a good commit must be named first; `testing`: `commit` is checked out and
    to be judged, of `remaining` suspects; `found`: `commit` is the first bad one; `unclear`: it is
    one of `suspects`, all others were skipped.
    """

    status: str
    commit: bytes | None = None
    remaining: int = 0
    suspects: tuple[bytes, ...] = ()

    @property
    def steps(self) -> int:
        """About how many tests are left."""
        return max(0, self.remaining - 1).bit_length()


def state(repo: "Repository") -> State:
    """Return the search under way. Raises RepositoryError where there is none."""
    found = _load(repo)
    if found is None:
        raise RepositoryError(
            "no search is under way", hint="begin with 'dvcs bisect start BAD GOOD'"
        )
    return found


def _path(repo: "Repository") -> Path:
    return repo.layout.state / "bisect"


def _load(repo: "Repository") -> State | None:
    with suppress(FileNotFoundError):
        data = unsealed(_path(repo).read_bytes())
        try:
            return msgspec.json.decode(data or b"", type=State)
        except msgspec.MsgspecError:
            raise RepositoryError(
                f"the state of the search '{_path(repo)}' is damaged",
                hint="remove that file, and begin anew",
            ) from None
    return None


def _save(repo: "Repository", held: State | None) -> None:
    """
    Note where a search is (None: it is over). Whoever is killed in it can go on, or end it.

    So the file is the first to come and the last to go.
    """
    path = _path(repo)
    if held is not None:
        with told(path):
            write_atomic(path, sealed(msgspec.json.encode(held)))
    _hold(repo, held)
    if held is None:
        with told(path):
            path.unlink(missing_ok=True)


def _hold(repo: "Repository", held: State | None) -> None:
    """Have refs hold the commits of a search (None: of none), and no others."""
    wanted: dict[str, str] = {}
    if held is not None:
        named = [("good", one) for one in held.good] + [("skip", one) for one in held.skipped]
        wanted = {f"{REFS}{word}-{one}": one for word, one in named}
        if held.bad is not None:
            wanted[f"{REFS}bad"] = held.bad
        if repo.refs.read(HEADS + held.start) is None and COMMIT.fullmatch(held.start):
            wanted[f"{REFS}start"] = held.start
    with locked(repo.layout) as log:  # what a killed process was at moves refs too
        there = {name: oid.hex() for name, oid in repo.refs.all(REFS).items()}
        moves = [
            Move(name, there.get(name), wanted.get(name))
            for name in sorted(there.keys() | wanted.keys())
            if there.get(name) != wanted.get(name)
        ]
        if moves:
            log.change("bisect", moves)


def start(repo: "Repository", bad: str | None = None, good: Sequence[str] = ()) -> Step:
    """
    Begin a search; with a bad and a good revision, go to the first commit to be tested.

    Raises RepositoryError where one is under way, UsageError where a good one is not before the bad
    one, DirtyWorkingCopy.
    """
    if _load(repo) is not None:
        raise RepositoryError("a search is under way", hint="end it with 'dvcs bisect reset'")
    here = repo.refs.head_branch() or repo.resolve("HEAD").hex()
    held = State(
        start=here,
        bad=None if bad is None else repo.resolve(bad).hex(),
        good=tuple(repo.resolve(one).hex() for one in good),
    )
    return _go_on(repo, held, None)


def judge(repo: "Repository", verdict: str, revisions: Sequence[str] = ()) -> Step:
    """
    Say of revisions (default: HEAD) that they are `good`, `bad` or to be skipped (`skip`).

    Goes to the next commit to be tested. Raises as `start`; UsageError for a contradiction.
    """
    before = held = state(repo)
    named = tuple(repo.resolve(one).hex() for one in revisions or ["HEAD"])
    if verdict == "bad":
        if len(named) > 1:
            raise UsageError("one commit is bad", hint="the first of them is being looked for")
        held = msgspec.structs.replace(held, bad=named[0])
    elif verdict == "good":
        held = msgspec.structs.replace(held, good=tuple(dict.fromkeys((*held.good, *named))))
    else:
        skipped = tuple(dict.fromkeys((*held.skipped, *named)))
        held = msgspec.structs.replace(held, skipped=skipped)
    return _go_on(repo, held, before)


def _go_on(repo: "Repository", held: State, before: State | None) -> Step:
    step = _next(repo, held)
    _save(repo, held)  # first: else who is killed here would not know the way back
    if step.status == "testing" and step.commit is not None:
        try:
            _go_to(repo, step.commit)
        except BaseException:
            if repo.refs.head() != step.commit:  # nobody has gone anywhere, so nothing was said
                _save(repo, before)
            raise
    return step


def _go_to(repo: "Repository", oid: bytes) -> None:
    if repo.refs.head() != oid:
        checkout.checkout(repo, oid.hex())


def _next(repo: "Repository", held: State) -> Step:
    if held.bad is None or not held.good:
        return Step("waiting")
    bad = bytes.fromhex(held.bad)
    good = [bytes.fromhex(one) for one in held.good]
    for one in good:
        if one == bad or not is_ancestor(repo.store, one, bad):
            raise UsageError(
                f"{one.hex()[:10]} is good and not before {held.bad[:10]}, which is bad",
                hint="name commits of one line of history; 'dvcs bisect reset' begins anew",
            )
    suspects = [entry.oid for entry in walk(repo.store, [bad], without=good)]
    if len(suspects) == 1:
        return Step("found", bad, 1, (bad,))
    skipped = {bytes.fromhex(one) for one in held.skipped}
    chosen = _middle(repo, suspects, skipped | {bad})
    if chosen is None:
        left = tuple(one for one in suspects if one == bad or one in skipped)
        return Step("unclear", None, len(suspects), left)
    return Step("testing", chosen, len(suspects), tuple(suspects))


def _middle(repo: "Repository", suspects: Sequence[bytes], without: set[bytes]) -> bytes | None:
    """
    Return the suspect that splits the suspects best; None where all are in `without`.

    A commit with one parent among them has one more suspect in its history than that parent; only
    for merges they are counted.
    """
    among = set(suspects)
    weights: dict[bytes, int] = {}
    best: tuple[int, bytes] | None = None
    for oid in reversed(suspects):  # parents before children
        parents = [one for one in repo.store.commit(oid).parents if one in among]
        if len(parents) > 1:
            weights[oid] = _count(repo, oid, among)
        else:
            weights[oid] = 1 + (weights[parents[0]] if parents else 0)
        worth = min(weights[oid], len(suspects) - weights[oid])
        if oid not in without and (best is None or worth > best[0]):
            best = worth, oid
    return None if best is None else best[1]


def _count(repo: "Repository", oid: bytes, among: set[bytes]) -> int:
    seen: set[bytes] = set()
    stack = [oid]
    while stack:
        one = stack.pop()
        if one in among and one not in seen:
            seen.add(one)
            stack.extend(repo.store.commit(one).parents)
    return len(seen)


def reset(repo: "Repository") -> checkout.CheckedOut:
    """End the search and go back to where HEAD was. Raises DirtyWorkingCopy; then it goes on."""
    held = state(repo)
    done = checkout.checkout(repo, held.start)
    _save(repo, None)
    return done


def run(
    repo: "Repository",
    command: Sequence[str],
    *,
    output: int | None = None,
    tell: Callable[[Step, str | None], None] | None = None,
) -> Step:
    """
    Let a command judge commit after commit, until the first bad one is found.

    It runs as given, without a shell, in the current folder: exit code 0 is good, 125 skips, 1 to
    127 else is bad. `output` is the file descriptor that it writes to instead of stdout. `tell`
    hears each verdict and the step that follows. Raises UsageError where the command cannot be
    started, RepositoryError for any other exit code.
    """
    step = _next(repo, state(repo))
    if step.status == "waiting":
        raise UsageError("between what?", hint="name them first: 'dvcs bisect start BAD GOOD'")
    if step.status == "testing" and step.commit is not None:
        _go_to(repo, step.commit)
        if tell is not None:
            tell(step, None)
    while step.status == "testing":
        verdict = _verdict(command, output)
        step = judge(repo, verdict)
        if tell is not None:
            tell(step, verdict)
    return step


def _verdict(command: Sequence[str], output: int | None) -> str:
    try:
        # The user's own command; nothing that a repository holds is started.
        code = subprocess.run(list(command), check=False, stdout=output).returncode  # noqa: S603
    except OSError as error:
        raise UsageError(
            f"'{command[0]}' cannot be run: {error.strerror or error}",
            hint="give a program with its path, such as ./check.sh",
        ) from None
    if code == 0:
        return "good"
    if code == SKIP:
        return "skip"
    if 0 < code <= MOST_BAD:
        return "bad"
    raise RepositoryError(
        f"'{command[0]}' ended with {code}, which is no verdict",
        hint="0 is good, 1 to 127 bad, 125 skips; the search is where it was",
    )
