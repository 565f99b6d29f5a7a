"""
`kill -9` at every event of every operation that writes.

After each: what was acknowledged is there, nothing is damaged, the operation is complete or absent,
and the next command just works.
"""

import random
import time
from pathlib import Path

import pytest

from dvcs.repository import Repository, gc, undo, upkeep
from dvcs.repository.oplog import Move, change
from dvcs.repository.refs import HEADS
from dvcs.repository.working import checkout, worktree
from tests.repository import pets
from tests.repository.scenes import (
    change_item,
    coco,
    commit,
    contents,
    findings,
    git,
    item,
    items,
    put,
    stored_item,
)
from tests.safety.harness import Action, copied, killed, scaled

pytestmark = pytest.mark.slow

TIME_FOR_NEXT = 10.0


@pytest.fixture(scope="session")
def prepared(tmp_path_factory) -> Path:
    """A folder: a repository with two branches, media, garbage, and a dataset to import."""
    root = tmp_path_factory.mktemp("prepared")
    with Repository.init(root) as repo:
        commit(repo, [*items(6), stored_item(repo, "image", b"small"), item("val", "val")])
        repo.create_branch("topic", repo.resolve("main"))
        large = stored_item(repo, "large", bytes(range(256)) * 300)
        with repo.transaction(branch="topic") as made:
            put(made, "a", large)
            made.commit("large", operation="edit")
        change_item(repo, item("0000", x=50.0))
        git(repo, "tag", "v1", "topic")
    coco(root / "pets", 3, large=1)
    coco(root / "next", 2, large=1, first=50)
    return root


def do_import(repo: Repository) -> bytes:
    return repo.import_dataset(repo.root / "pets").oid


def do_commit(repo: Repository) -> bytes:
    return change_item(repo, item("0001", x=77.0))


def do_commit_with_media(repo: Repository) -> bytes:
    with repo.transaction() as made:
        held = made.media().add_bytes(b"y" * 100_000), made.media().add_bytes(b"tiny")
        assert held
        put(made, "a", item("0002", x=78.0))
        return made.commit("media", operation="edit").oid


def do_branch(repo: Repository) -> None:
    repo.create_branch("deep/er/branch", repo.resolve("main"))


def do_rename(repo: Repository) -> None:
    tip = repo.branches()["topic"].hex()
    moves = [Move(f"{HEADS}topic", tip, None), Move(f"{HEADS}topic/new", None, tip)]
    change(repo.layout, "branch -m", moves)


def do_delete_packed(repo: Repository) -> None:
    git(repo, "pack-refs", "--all")
    tip = repo.branches()["topic"].hex()
    change(repo.layout, "branch -d", [Move(f"{HEADS}topic", tip, None)])


def do_gc(repo: Repository) -> None:
    git(repo, "tag", "-d", "v1")
    tip = repo.branches()["topic"].hex()
    change(repo.layout, "branch -d", [Move(f"{HEADS}topic", tip, None)])
    assert gc.collect(repo, dry_run=False, keep_days=0.0, trash_days=0.0).media == 1


def do_join(repo: Repository) -> bytes:
    upkeep.MAX_PACKS = 1  # in the child only
    oid = change_item(repo, item("0001", x=79.0))
    assert len(repo.store.packs()) <= 2
    return oid


ACTIONS: list[tuple[Action, int]] = [
    (do_import, 40),
    (do_commit, 20),
    (do_commit_with_media, 35),
    (do_branch, 15),
    (do_rename, 15),
    (do_delete_packed, 15),
    (do_gc, 40),
    (do_join, 40),
]
"""And how many events each has at the least, so that no test passes for want of any."""


def tips(repo: Repository) -> dict[str, bytes]:
    return {**repo.refs.all(), "HEAD": repo.resolve("HEAD")}


def check_after(root: Path, before: dict[str, bytes], acknowledged: bytes, *, is_gc: bool) -> None:
    """Check all that must hold after a kill."""
    with Repository(root) as repo:
        assert findings(repo) == []
        for oid in before.values():
            if not is_gc or oid in repo.store:
                assert contents(repo, oid.hex())
        if acknowledged and acknowledged != b"done":
            assert acknowledged.decode() in git(repo, "rev-list", "--all").split()
        started = time.monotonic()
        done = repo.import_dataset(root / "next")
        assert time.monotonic() - started < TIME_FOR_NEXT
        assert len([key for key in contents(repo, done.oid.hex()) if key[0] == "next"]) == 2
        assert [one for one in findings(repo, "warning") if "finished" in one.message] == []
        git(repo, "fsck", "--full", "--strict", "--no-dangling")
        assert list(upkeep.leftovers(repo)) == []


@pytest.mark.parametrize(("action", "least"), ACTIONS, ids=lambda one: getattr(one, "__name__", ""))
def test_a_kill_at_any_event_loses_nothing(prepared: Path, action: Action, least: int):
    with Repository(prepared) as repo:
        before = tips(repo)
    for at in range(1, 2000):
        with copied(prepared) as root:
            ended = killed(root, action, at)
            assert ended.code in (0, -9), ended.said.decode()
            assert ended.code == -9 or ended.said
            check_after(root, before, ended.said, is_gc=action is do_gc)
        if ended.code == 0:
            break
    assert at > least


def test_a_second_kill_while_the_first_is_put_right_loses_nothing(prepared: Path):
    rnd = random.Random(7)
    with Repository(prepared) as repo:
        before = tips(repo)
    for _ in range(scaled(25)):
        action, least = rnd.choice(ACTIONS[:6])
        with copied(prepared) as root:
            first = killed(root, action, rnd.randrange(1, least))
            second = killed(root, do_commit_with_media, rnd.randrange(1, 40))
            assert {first.code, second.code} <= {0, -9}, (first, second)
            check_after(root, before, second.said or first.said, is_gc=False)


# -- working copies ------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def tracked(tmp_path_factory) -> Path:
    """A folder with a working copy in two versions, a branch at the first, and a change."""
    root = tmp_path_factory.mktemp("tracked") / "root"
    repo, folder = pets.tracked(root, count=2)
    pets.edit(folder, lambda data: pets.note(data, 12)["bbox"].__setitem__(0, 35.0))
    worktree.commit(repo, message="second")
    repo.create_branch("other", repo.resolve("main~1"))
    repo.close()
    coco(root / "next", 2, large=1, first=50)
    pets.make(root / "fresh", 2)
    return root


def change_a_file(repo: Repository) -> None:
    folder = repo.root / "pets"
    pets.edit(folder, lambda data: pets.note(data, 21).update(category_id=2))


def do_add(repo: Repository) -> bytes:
    worktree.add(repo, repo.root / "fresh")
    return worktree.commit(repo, message="fresh").oid


def do_record(repo: Repository) -> bytes:
    change_a_file(repo)
    return worktree.commit(repo, message="third").oid


def do_checkout(repo: Repository) -> None:
    checkout.checkout(repo, "other")


def do_undo(repo: Repository) -> None:
    undo.undo(repo)


@pytest.mark.parametrize(
    ("action", "least"),
    [(do_add, 40), (do_record, 40), (do_checkout, 40), (do_undo, 20)],
    ids=lambda one: getattr(one, "__name__", ""),
)
def test_a_kill_at_any_event_of_working_copies_loses_nothing(
    tracked: Path, action: Action, least: int
):
    with Repository(tracked) as repo:
        before = tips(repo)
        old = pets.files(tracked / "pets")
    for at in range(1, 2000):
        with copied(tracked) as root:
            ended = killed(root, action, at)
            assert ended.code in (0, -9), ended.said.decode()
            with Repository(root) as repo:
                assert worktree.status(repo).unfinished == ""
                if action is do_add:
                    assert pets.files(root / "pets") == old
                    worktree.commit(repo, message="again")
                    assert worktree.status(repo).clean
            check_after(root, before, ended.said, is_gc=False)
        if ended.code == 0:
            break
    assert at > least
