"""gc: what is removed, what never is, and that removing is safe."""

import json
import os
import random
import threading
import time
from pathlib import Path

import pytest

from dvcs.errors import Locked, MissingObject, RepositoryError
from dvcs.model import Media, MediaFile, Raster
from dvcs.repository import Repository, gc, locks, upkeep
from dvcs.repository.oplog import Move, change
from dvcs.repository.refs import HEADS
from dvcs.repository.sealing import sealed
from tests.repository.scenes import (
    change_item,
    check_sound,
    commit,
    contents,
    files,
    git,
    item,
    items,
    png,
    put,
    state,
    stored_item,
)


def forget(repo: Repository, branch: str = "topic") -> None:
    tip = repo.branches()[branch].hex()
    change(repo.layout, f"branch -D {branch}", [Move(f"{HEADS}{branch}", tip, None)])


def collect(repo: Repository, keep_days: float = 0.0, **more) -> gc.Collected:
    return gc.collect(repo, dry_run=False, keep_days=keep_days, **more)


@pytest.fixture
def repo(repo: Repository) -> Repository:
    """Main, and what a deleted branch `topic` had alone: one commit, a large and a small image."""
    commit(repo, [*items(5), stored_item(repo, "kept", png(1))])
    repo.create_branch("topic", repo.resolve("main"))
    large = stored_item(repo, "large", random.Random(1).randbytes(100_000))
    small = stored_item(repo, "small", png(2))
    with repo.transaction(branch="topic") as made:
        put(made, "a", large, small)
        made.commit("images", operation="edit")
    return repo


def test_where_nothing_is_unneeded_nothing_happens(repo: Repository):
    before = state(repo)
    assert collect(repo) == gc.Collected(0, 0, 0, 0, ())
    assert state(repo) == before


def test_a_dry_run_is_the_default_and_changes_nothing(repo: Repository):
    forget(repo)
    before = files(repo.layout.git)
    found = gc.collect(repo, keep_days=0.0)
    assert found.objects == 7  # a commit, trees of the root, the source, items and train, 2 items
    assert (found.media, found.media_bytes) == (2, 100_000 + len(png(2)))
    assert files(repo.layout.git) == before


def test_what_no_root_leads_to_goes_to_the_trash(repo: Repository):
    held = contents(repo)
    topic = repo.branches()["topic"]
    sha256 = {file.sha256 for one in repo.dataset("topic") for file in (one.media or Media()).files}
    forget(repo)
    found = collect(repo)
    assert found.objects > 4
    assert found.media == 2
    assert contents(repo) == held
    with pytest.raises(MissingObject):
        repo.store.commit(topic)
    assert len(sha256 & set(repo.media)) == 1
    (folder,) = repo.layout.trash.iterdir()
    names = {path.suffix or "media" for path in folder.iterdir()}
    assert {".pack", ".idx", "media"} <= names
    assert collect(repo).objects == 0
    check_sound(repo)
    commit(repo, items(9))


def test_recent_operations_are_roots_so_that_undo_works(repo: Repository):
    topic = repo.branches()["topic"]
    forget(repo)
    assert collect(repo, keep_days=30.0).objects == 0
    change(repo.layout, "undo", [Move(f"{HEADS}topic", None, topic.hex())])
    assert len(list(repo.dataset("topic"))) == 8
    check_sound(repo)


@pytest.mark.parametrize("root", ["tag", "annotated", "remote", "own", "detached", "copy", "undo"])
def test_every_kind_of_root_keeps_what_it_leads_to(repo: Repository, root: str):
    topic = repo.branches()["topic"].hex()
    if root == "tag":
        git(repo, "tag", "v1", topic)
    elif root == "annotated":
        git(repo, "-c", "user.name=A", "-c", "user.email=a@b", "tag", "-am", "x", "v1", topic)
    elif root == "remote":
        git(repo, "update-ref", "refs/remotes/origin/x", topic)
    elif root == "own":
        git(repo, "update-ref", "refs/dvcs/stash/1", topic)
    elif root == "detached":
        repo.move_head(bytes.fromhex(topic), "checkout")
    elif root == "copy":
        record = sealed(json.dumps({"commit": topic}).encode())
        (repo.layout.copies / "a.json").write_bytes(record)
    else:
        (repo.layout.copies / "undo").mkdir()
        (repo.layout.copies / "undo" / "op").write_text('{"changes":[{"commit":"' + topic + '"}]}')
    if root == "annotated":
        assert len(repo.refs.all("refs/tags/")) == 1
    forget(repo)
    assert collect(repo, keep_days=1e-6 if root == "undo" else 0.0).objects == 0
    assert repo.store.commit(bytes.fromhex(topic))
    repo.commit(repo.dataset(topic), message="again", source="a", branch="again")
    check_sound(repo, warnings=True)


@pytest.mark.parametrize("what", ["tree", "ref", "copy", "media", "log", "head"])
def test_a_damaged_repository_is_refused_and_left_alone(repo: Repository, what: str):
    forget(repo)
    git_dir = repo.layout.git
    if what == "tree":
        (git_dir / "refs/heads/bad").write_text("1" * 40 + "\n")
    elif what == "ref":
        (git_dir / "refs/heads/bad").write_text("")
    elif what == "copy":
        (repo.layout.copies / "a.json").write_text('{"commit":')
    elif what == "media":
        pack = next((repo.layout.media / "packs").glob("*.idx"))
        pack.chmod(0o644)
        pack.write_bytes(b"")
        repo.media.refresh()
    elif what == "log":
        data = repo.layout.operations.read_bytes()
        repo.layout.operations.write_bytes(b"x" + data[1:])
    else:
        (git_dir / "HEAD").write_text("none\n")
    before = state(repo)
    with pytest.raises(RepositoryError):
        collect(repo)
    after = state(repo)
    assert after == before


def test_items_called_like_numbered_parts_keep_their_media(repo: Repository):
    one = stored_item(repo, "x.1", png(50)).with_(attributes={"type": "car"})
    commit(repo, [item("x"), one], source="b")
    forget(repo)
    assert collect(repo).media == 2
    (held,) = [one for one in repo.dataset("HEAD:b") if one.id == "x.1"]
    assert held.origins[0].read() == png(50)


def test_media_that_annotations_name_are_kept(repo: Repository):
    stored = stored_item(repo, "depth", png(60))
    file = stored.media.files[0]
    note = Raster(meaning="depth", file=MediaFile(ext=".png", sha256=file.sha256, size=file.size))
    commit(repo, [item("x").with_(annotations=[note])], source="b")
    forget(repo)
    assert collect(repo).media == 2
    assert repo.media.read(file.sha256) == png(60)
    check_sound(repo)


def test_the_trash_is_emptied_after_a_while(repo: Repository):
    forget(repo)
    collect(repo)
    (folder,) = repo.layout.trash.iterdir()
    assert collect(repo).trash_bytes == 0
    old = time.time() - 15 * upkeep.DAY
    os.utime(folder, (old, old))
    size = sum(path.stat().st_size for path in folder.iterdir())
    assert gc.collect(repo).trash_bytes == size
    assert collect(repo).trash_bytes == size
    assert list(repo.layout.trash.iterdir()) == []
    check_sound(repo)


def test_loose_objects_of_git_go_too(repo: Repository):
    oid = git(repo, "hash-object", "-w", "--stdin", data=b"nobody needs it").strip()
    git(repo, "gc", "-q")
    assert collect(repo).objects == 1
    assert bytes.fromhex(oid) not in repo.store
    check_sound(repo)


def test_a_pack_that_git_keeps_is_not_touched(repo: Repository):
    for pack in (repo.layout.git / "objects" / "pack").glob("*.pack"):
        pack.with_suffix(".keep").touch()
    forget(repo)
    collect(repo)
    assert len(list((repo.layout.git / "objects" / "pack").glob("*.pack"))) > 1
    git(repo, "fsck", "--full", "--strict")


def test_gc_waits_for_writers_and_writers_for_gc(repo: Repository):
    with (
        repo.transaction() as made,
        pytest.raises(Locked),
        locks.exclusive(repo.layout.writers, patience=0.05),
    ):
        pass
    del made
    with (
        locks.exclusive(repo.layout.writers),
        pytest.raises(Locked, match="another process is writing"),
        locks.shared(repo.layout.writers, patience=0.05),
    ):
        pass


def test_readers_go_on_while_gc_removes(repo: Repository):
    commit(repo, items(400), source="b")
    held = contents(repo)
    stop = threading.Event()
    failures: list[BaseException] = []

    def read() -> None:
        try:
            with Repository(repo.root) as other:
                while not stop.is_set():
                    assert contents(other, "main") == held
        except BaseException as error:  # noqa: BLE001 - told below
            failures.append(error)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for n in range(6):
        commit(repo, items(50, x=float(n)), source="c", branch="topic")
        forget(repo)
        collect(repo)
        repo.create_branch("topic", repo.resolve("main"))
    stop.set()
    for reader in readers:
        reader.join()
    assert failures == []
    check_sound(repo)


def test_what_killed_processes_left_goes(repo: Repository):
    git_dir = repo.layout.git
    (git_dir / "media" / "tmp-1-a").mkdir()
    (git_dir / "media" / "tmp-1-a" / "x").write_bytes(b"x" * 1000)
    for name in ("state/tmp-1-b", "objects/pack/tmp_pack_tmp-1-c", "tmp-1-d"):
        (git_dir / name).touch()
    collect(repo)
    check_sound(repo)
    old = time.time() - 3600
    orphan = git_dir / "objects" / "pack" / f"pack-{'1' * 40}.pack"
    orphan.write_bytes(b"PACK")
    collect(repo)
    assert orphan.exists()  # Git may be about to write its index
    os.utime(orphan, (old, old))
    collect(repo)
    check_sound(repo)


def test_many_commits_leave_few_packs(repo: Repository, monkeypatch):
    monkeypatch.setattr(upkeep, "MAX_PACKS", 8)
    for n in range(40):
        change_item(repo, stored_item(repo, "0000", png(n)))
    packs = list((repo.layout.git / "objects" / "pack").glob("*.pack"))
    assert len(packs) <= 9
    assert len(list((repo.layout.media / "packs").glob("*.pack"))) <= 9
    assert len(git(repo, "rev-list", "main").split()) == 41
    check_sound(repo)
    for folder in repo.layout.trash.iterdir():
        assert folder.name.endswith(upkeep.JOINED)
        os.utime(folder, (0, 0))
    for n in range(12):
        change_item(repo, item("0001", x=float(n)))
    assert all(path.stat().st_mtime > 1 for path in repo.layout.trash.iterdir())


def test_tidying_is_left_out_where_somebody_collects(repo: Repository, monkeypatch):
    monkeypatch.setattr(upkeep, "MAX_PACKS", 1)
    with locks.exclusive(repo.layout.upkeep):
        change_item(repo, item("0000", x=1.5))
        assert len(repo.store.packs()) == 3
    change_item(repo, item("0000", x=2.5))
    assert len(repo.store.packs()) <= 2


def test_an_interrupt_while_tidying_does_not_hide_the_commit(repo: Repository, monkeypatch):
    monkeypatch.setattr(upkeep, "MAX_PACKS", 1)

    def interrupted(_) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(upkeep, "join_packs", interrupted)
    oid = change_item(repo, item("0000", x=1.5))
    assert repo.resolve("main") == oid


def test_a_killed_import_is_cleaned_up_by_the_next_commit(repo: Repository, tmp_path: Path):
    staging = repo.layout.media / "tmp-99-x"
    staging.mkdir()
    (staging / "big").write_bytes(b"x" * 10_000)
    (repo.layout.git / "objects" / "pack" / "tmp_pack_tmp-9-x").write_bytes(b"PACK")
    commit(repo, items(2), source="b")
    assert list(upkeep.leftovers(repo)) == []
    del tmp_path


def test_what_is_being_written_is_not_taken_for_left(repo: Repository):
    held = [repo.layout.copies / "tmp-1-a", repo.layout.state / "tmp-1-b"]
    for path in held:
        path.touch()
    upkeep.tidy(repo)
    assert all(path.exists() for path in held)
    for path in held:
        os.utime(path, (0, 0))
    upkeep.tidy(repo)
    assert not any(path.exists() for path in held)
