"""
`kill -9`, refused calls and interrupts in merges, resolutions, reverts, picks, stashes and undo.

After each, refs are as before or as after the operation, and never between. Working copies show no
change that nobody made: once the next command has looked at them, their files are of the commit
that they are said to be of. An edit that was to be put aside or taken up is in the files or in the
stash. What is under way can be gone on with. Where nothing was done, doing it again does it.
"""

import errno
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from dvcs.errors import DvcsError
from dvcs.repository import Repository, stash, undo
from dvcs.repository.editing import set_items
from dvcs.repository.merges import conflicts, merging, picking, underway
from dvcs.repository.merges.conflicts import Wanted
from dvcs.repository.working import checkout, worktree
from tests.repository import pets
from tests.repository.scenes import check_sound, findings, git, item
from tests.safety.harness import (
    ERROR,
    INTERRUPTED,
    Action,
    Ended,
    calls_of,
    copied,
    events_of,
    interrupted,
    killed,
    refused,
    scaled,
    spread,
)

pytestmark = pytest.mark.slow

POINTS = scaled(24)
"""Events of each operation at which it is killed, spread over all that it has."""
OTHERS = scaled(5)
"""Likewise calls that fail, and interrupts."""
GITS = 8
"""Every how many points Git looks at the repository too."""
TIME = "1700000000 +0000"


def box(folder: Path, note: int, x: float) -> None:
    pets.edit(folder, lambda data: pets.note(data, note)["bbox"].__setitem__(0, x))


def recorded(repo: Repository, folder: Path, note: int, x: float) -> bytes:
    box(folder, note, x)
    return worktree.commit(repo, message=f"{note} to {x}").oid


# -- where they begin ----------------------------------------------------------------------------


def clean(root: Path) -> None:
    """Branches from one commit: `main` and `topic` merge, `clash` is in conflict with both."""
    repo, folder = pets.tracked(root, count=3)
    checkout.checkout(repo, "main", create="topic")
    recorded(repo, folder, 22, 31.0)
    checkout.checkout(repo, "main", create="clash")
    recorded(repo, folder, 12, 33.0)
    checkout.checkout(repo, "main")
    recorded(repo, folder, 12, 35.0)
    repo.create_branch("ahead", repo.resolve("main"))
    checkout.checkout(repo, "ahead")
    recorded(repo, folder, 32, 36.0)
    checkout.checkout(repo, "main")
    repo.close()


def changed(root: Path) -> None:
    clean(root)
    box(root / "pets", 32, 28.0)


def put_aside(root: Path) -> None:
    changed(root)
    with Repository(root) as repo:
        stash.push(repo, message="aside")


def in_conflict(root: Path) -> None:
    clean(root)
    with Repository(root) as repo:
        do_begin(repo)


def decided(root: Path) -> None:
    in_conflict(root)
    with Repository(root) as repo:
        do_resolve(repo)


def pick_decided(root: Path) -> None:
    clean(root)
    with Repository(root) as repo:
        do_begin_pick(repo)
        do_resolve(repo)


def after(action: Action, start: Callable[[Path], None]) -> Callable[[Path], None]:
    """Return a beginning where an action was done."""

    def begin(root: Path) -> None:
        start(root)
        with Repository(root) as repo:
            action(repo)

    begin.__name__ = f"after_{action.__name__}"
    return begin


# -- what is done --------------------------------------------------------------------------------


def request(revision: str, **how: Any) -> merging.Request:
    return merging.Request(revision=revision, **how)


def do_merge(repo: Repository) -> None:
    assert merging.merge(repo, request("topic")).status == "merged"


def do_forward(repo: Repository) -> None:
    assert merging.merge(repo, request("ahead")).status == "fast-forward"


def do_begin(repo: Repository) -> None:
    assert merging.merge(repo, request("clash")).status == "conflicts"


def do_resolve(repo: Repository) -> None:
    conflicts.resolve(repo, Wanted(), "theirs")


def do_continue(repo: Repository) -> None:
    assert merging.go_on(repo).status == "merged"


def do_abort(repo: Repository) -> None:
    merging.abort(repo)


def do_revert(repo: Repository) -> None:
    assert picking.revert(repo, "HEAD").changed


def do_pick(repo: Repository) -> None:
    assert picking.cherry_pick(repo, "topic").changed


def do_begin_pick(repo: Repository) -> None:
    assert picking.cherry_pick(repo, "clash").places


def do_continue_pick(repo: Repository) -> None:
    assert picking.go_on(repo, "cherry-pick").changed


def do_abort_pick(repo: Repository) -> None:
    picking.abort(repo, "cherry-pick")


def do_push(repo: Repository) -> None:
    assert stash.push(repo, message="aside") is not None


def do_pop(repo: Repository) -> None:
    stash.pop(repo)


def do_restore(repo: Repository) -> None:
    assert checkout.restore(repo).copies


def do_undo(repo: Repository) -> None:
    undo.undo(repo)


class Case(NamedTuple):
    """An operation, where it begins, and whether an edit is in danger while it is done."""

    action: Action
    start: Callable[[Path], None]
    edit: bool = False

    @property
    def name(self) -> str:
        """What the test is called."""
        return f"{self.action.__name__}-{self.start.__name__}"


CASES = (
    Case(do_merge, clean),
    Case(do_forward, clean),
    Case(do_begin, clean),
    Case(do_resolve, in_conflict),
    Case(do_continue, decided),
    Case(do_abort, in_conflict),
    Case(do_revert, clean),
    Case(do_pick, clean),
    Case(do_begin_pick, clean),
    Case(do_continue_pick, pick_decided),
    Case(do_abort_pick, pick_decided),
    Case(do_push, changed, edit=True),
    Case(do_pop, put_aside, edit=True),
    Case(do_restore, changed),
    Case(do_undo, after(do_merge, clean)),
    Case(do_undo, after(do_begin, clean)),
    Case(do_undo, after(do_revert, clean)),
    Case(do_undo, after(do_push, changed), edit=True),
    Case(do_undo, after(do_pop, put_aside), edit=True),
)


# -- what must hold ------------------------------------------------------------------------------


class State(NamedTuple):
    """What a person sees of a repository: refs, files of the working copy, what is under way."""

    refs: dict[str, bytes]
    files: dict[str, bytes]
    under_way: str | None


def state(root: Path) -> State:
    with Repository(root) as repo:
        found = {**repo.refs.all(), "HEAD": repo.resolve("HEAD")}
        return State(found, pets.files(root / "pets"), underway.under_way(repo))


class Scene(NamedTuple):
    """A case prepared: a folder, and what is seen before and after."""

    case: Case
    root: Path
    before: State
    after: State
    edited: dict[str, bytes]


@pytest.fixture(scope="module", autouse=True)
def _same_ids() -> Any:
    """Make each commit at the same time, so that doing something twice gives the same."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVCS_AUTHOR_DATE", TIME)
        yield


@pytest.fixture(autouse=True)
def _same_ids_again(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVCS_AUTHOR_DATE", TIME)  # each test has an environment of its own


@pytest.fixture(scope="module", params=CASES, ids=lambda case: case.name)
def scene(request, tmp_path_factory, _same_ids) -> Scene:
    case: Case = request.param
    root = tmp_path_factory.mktemp("scene") / "root"
    case.start(root)
    before = state(root)
    with copied(root) as other:
        with Repository(other) as repo:
            case.action(repo)
        done = state(other)
    edited = done.files if before.files == pets_as_written(root) else before.files
    return Scene(case, root, before, done, edited)


def pets_as_written(root: Path) -> dict[str, bytes]:
    """Return the files of the working copy without any edit."""
    with copied(root) as other:
        with Repository(other) as repo:
            checkout.restore(repo)
        return pets.files(other / "pets")


def check(scene: Scene, root: Path, ended: Ended, *, thorough: bool) -> None:
    """Check all that must hold after a fault."""
    with Repository(root) as repo:
        underway.settle(repo)  # as every command does that asks what is under way
        (copy,) = repo.status().copies  # which finishes what was begun
        assert findings(repo) == []
        if underway.under_way(repo) is not None:
            assert underway.load(repo).places
    now = state(root)
    assert now.refs in (scene.before.refs, scene.after.refs), (now.refs, scene)
    if ended.said and ended.code == 0:
        assert now.refs == scene.after.refs
    done = scene.after if now.refs == scene.after.refs else scene.before
    if scene.before.refs != scene.after.refs:
        assert now.under_way == done.under_way
    assert now.files in (scene.before.files, scene.after.files)
    if scene.case.edit:
        put_by = any(name.startswith(stash.STASHES) for name in now.refs)
        assert put_by or now.files == scene.edited
        assert now.files == scene.edited or copy.state == "clean"
    elif scene.case.action is not do_restore:
        assert copy.state == "clean", copy.changes
        assert copy.behind or now.files == done.files
    check_goes_on(scene, root, now)
    if thorough:
        with Repository(root) as repo:
            git(repo, "fsck", "--full", "--strict", "--no-dangling")


def check_goes_on(scene: Scene, root: Path, now: State) -> None:
    """Check that what was not done can be done, and that other work goes on in any case."""
    if now == scene.before:
        with Repository(root) as repo:
            scene.case.action(repo)
        assert state(root).refs == scene.after.refs
        assert state(root).files == scene.after.files
    with Repository(root) as repo:
        made = set_items(repo, "pets", [item("new")], message="next")
        assert repo.resolve() == made.oid
        if not scene.case.edit and scene.case.action is not do_restore:
            checkout.update_copies(repo)
            (copy,) = repo.status().copies
            assert (copy.state, copy.behind) == ("clean", False)


def test_a_kill_at_any_event_leaves_it_undone_or_done(scene: Scene):
    with copied(scene.root) as root:
        most = events_of(root, scene.case.action)
    assert most >= 8
    for n, at in enumerate(spread(most, POINTS)):
        with copied(scene.root) as root:
            ended = killed(root, scene.case.action, at)
            assert ended.code in (0, -9), ended.said.decode()
            check(scene, root, ended, thorough=n % GITS == 0)


def test_a_call_that_fails_leaves_it_undone_or_done(scene: Scene):
    with copied(scene.root) as root:
        most = calls_of(root, scene.case.action)
    for n, at in enumerate(spread(most, OTHERS)):
        code = (errno.ENOSPC, errno.EIO)[n % 2]
        with copied(scene.root) as root:
            ended = refused(root, scene.case.action, at, code, always=n % 3 == 0)
            assert ended.code in (0, ERROR), ended.said.decode()
            check(scene, root, ended, thorough=False)


def test_an_interrupt_leaves_it_undone_or_done(scene: Scene):
    with copied(scene.root) as root:
        most = events_of(root, scene.case.action)
    for at in spread(most, OTHERS):
        with copied(scene.root) as root:
            ended = interrupted(root, scene.case.action, at)
            assert ended.code in (0, INTERRUPTED), ended.said.decode()
            check(scene, root, ended, thorough=False)


def test_faults_one_after_the_other_lose_nothing(tmp_path: Path):
    """Do what comes to mind, with a fault each time; the edit and all commits stay."""
    rnd = random.Random(23)
    actions = [
        do_merge,
        do_begin,
        do_revert,
        do_pick,
        do_undo,
        do_push,
        do_pop,
        do_resolve,
        do_abort,
    ]

    def tried(action: Action) -> Action:
        def work(repo: Repository) -> None:
            try:
                action(repo)
            except (DvcsError, AssertionError):
                return  # not now

        return work

    changed(tmp_path / "root")
    for _ in range(scaled(2)):
        with copied(tmp_path / "root") as root:
            held = set(state(root).refs.values())
            for n in range(12):
                ended = killed(root, tried(rnd.choice(actions)), rnd.randrange(1, 80))
                assert ended.code in (0, -9), ended.said.decode()
                with Repository(root) as repo:
                    assert findings(repo) == []
                    assert all(oid in repo.store for oid in held)
                    aside = stash.stashes(repo)
                    repo.status()
                    note = pets_note(root)
                    assert aside or note == 28.0, n
                    held |= set(repo.refs.all().values())
            with Repository(root) as repo:
                check_sound(repo, warnings=True)


def pets_note(root: Path) -> float:
    """Return where the box is that was edited."""
    import json

    data = json.loads((root / "pets" / pets.JSON).read_text())
    return pets.note(data, 32)["bbox"][0]
