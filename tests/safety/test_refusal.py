"""The system refuses: a full disk, errors of the disk, a read-only one, an interrupt."""

import errno
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dvcs.errors import RepositoryError
from dvcs.repository import Repository, gc, upkeep
from dvcs.repository.fsck import fsck
from dvcs.repository.history import walk
from tests.repository.scenes import (
    change_item,
    check_sound,
    coco,
    commit,
    contents,
    findings,
    item,
    items,
    put,
    stored_item,
)
from tests.safety.harness import (
    ERROR,
    INTERRUPTED,
    Action,
    copied,
    interrupted,
    refused,
    run_in_child,
    scaled,
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def prepared(tmp_path_factory) -> Path:
    """A folder with a repository and a dataset of small and large images to import."""
    root = tmp_path_factory.mktemp("prepared")
    with Repository.init(root) as repo:
        commit(repo, [*items(6), stored_item(repo, "image", b"small")])
        change_item(repo, item("0000", x=50.0))
    coco(root / "pets", 6, large=2)
    coco(root / "big", 20, large=8)
    return root


def do_import(repo: Repository) -> bytes:
    return repo.import_dataset(repo.root / "pets").oid


def do_commit(repo: Repository) -> bytes:
    with repo.transaction() as made:
        made.media().add_bytes(os.urandom(100_000))
        put(made, "a", item("0002", x=78.0))
        return made.commit("media", operation="edit").oid


def do_branch(repo: Repository) -> None:
    repo.create_branch("deep/er/branch", repo.resolve("main"))


def do_join(repo: Repository) -> bytes:
    upkeep.MAX_PACKS = 1
    return change_item(repo, item("0001", x=79.0))


def do_gc(repo: Repository) -> None:
    gc.collect(repo, dry_run=False, keep_days=0.0, trash_days=0.0)


ACTIONS = [do_import, do_commit, do_branch, do_join]


def check_unchanged(root: Path, before: dict[str, bytes], held: dict) -> None:
    """Check that an action that failed did nothing, and that it works now."""
    with Repository(root) as repo:
        assert repo.refs.all() == before
        assert findings(repo) == []
        assert contents(repo) == held
        assert do_import(repo)
        check_sound(repo)


@pytest.fixture(scope="session")
def expected(prepared: Path) -> tuple[dict[str, bytes], dict]:
    with Repository(prepared) as repo:
        return repo.refs.all(), contents(repo)


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC])
@pytest.mark.parametrize("action", ACTIONS)
def test_a_call_that_fails_once_is_an_error_that_changes_nothing(
    prepared: Path, expected, action: Action, code: int
):
    failures = 0
    for at in range(1, 500):
        with copied(prepared) as root:
            ended = refused(root, action, at, code)
            assert ended.code in (0, ERROR), ended.said.decode()
            if ended.code == ERROR:
                failures += 1
                assert os.strerror(code) in ended.said.decode()
                if at % 2 == (code == errno.EIO) or SCALED:
                    check_unchanged(root, *expected)
            else:
                with Repository(root) as repo:
                    check_sound(repo, warnings=True)
                if at > len_of(action):
                    break
    assert failures > 10


SCALED = scaled(100) > 100


def len_of(action: Action) -> int:
    """Return a number of calls above which an action surely has run through."""
    return {"do_import": 90, "do_commit": 50, "do_branch": 20, "do_join": 70}[action.__name__]


@pytest.mark.parametrize("action", ACTIONS)
def test_calls_that_fail_from_some_time_on_damage_nothing(prepared: Path, expected, action: Action):
    before, held = expected
    rnd = random.Random(action.__name__)
    for _ in range(scaled(12)):
        with copied(prepared) as root:
            at = rnd.randrange(1, len_of(action))
            ended = refused(root, action, at, errno.ENOSPC, always=True)
            assert ended.code in (0, ERROR), ended.said.decode()
            with Repository(root) as repo:
                assert findings(repo) == []
                tips = repo.refs.all()
                if ended.code == ERROR:
                    # Where even taking back was refused, the operation is complete instead.
                    assert all(before[name] == tips[name] or name in tips for name in before)
                for oid in before.values():
                    assert contents(repo, oid.hex()) == held
                assert do_commit(repo)
                check_sound(repo, warnings=True)


@pytest.mark.parametrize("action", ACTIONS)
def test_an_interrupt_at_any_event_leaves_nothing_half_done(prepared, expected, action: Action):
    count = 0
    for at in range(1, 500):
        with copied(prepared) as root:
            ended = interrupted(root, action, at)
            assert ended.code in (0, INTERRUPTED), ended.said.decode()
            with Repository(root) as repo:
                if ended.code == INTERRUPTED:
                    count += 1
                    assert repo.refs.all() == expected[0]
                change_item(repo, item("0003", x=-1.0))
                check_sound(repo, warnings=action is do_join)
                assert list(upkeep.leftovers(repo)) == []
            if ended.code == 0 and at > len_of(action):
                break
    assert count > 10


def test_an_interrupt_of_the_command_ends_with_130(prepared: Path):
    with copied(prepared) as root:
        coco(root / "many", 400, large=200)
        command = [sys.executable, "-m", "dvcs", "import", "many", "-f", "coco"]
        process = subprocess.Popen(
            command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        media = root / ".dvcs" / "media"
        while process.poll() is None and not list(media.glob("tmp-*/*")):
            pass
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=30)
        assert process.returncode == 130, output
        assert b"interrupted; nothing was changed" in output
        assert b"Traceback" not in output
        with Repository(root) as repo:
            change_item(repo, item("0003", x=-1.0))
            assert list(upkeep.leftovers(repo)) == []
            check_sound(repo)


# -- a full disk ---------------------------------------------------------------------------------


def test_a_file_that_may_not_grow_is_an_error_that_changes_nothing(prepared: Path, expected):
    for limit in (100, 1_000, 10_000, 50_000):
        with copied(prepared) as root:

            def work(say, root=root, limit=limit) -> None:
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
                with Repository(root) as repo:
                    say(do_import(repo))

            ended = run_in_child(work)
            assert ended.code == ERROR, ended.said.decode()
            assert b"File too large" in ended.said
            check_unchanged(root, *expected)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(place)],
        capture_output=True,
        check=False,
    )
    if done.returncode:
        pytest.skip("needs the right to mount a small disk")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_at_any_point_changes_nothing_and_a_retry_works(
    small_disk: Path, prepared: Path, expected
):
    rnd = random.Random(3)
    told = []
    for _ in range(scaled(20)):
        root = small_disk / "root"
        shutil.copytree(prepared, root)
        free = rnd.randrange(0, 1000) << 10
        ballast = small_disk / "ballast"
        stat = os.statvfs(small_disk)
        ballast.write_bytes(bytes(max(0, stat.f_bavail * stat.f_frsize - free)))
        try:
            with Repository(root) as repo:
                repo.import_dataset(root / "big")
        except RepositoryError as error:
            told.append((str(error), error.hint or ""))
            ballast.unlink()
            check_unchanged(root, *expected)
        ballast.unlink(missing_ok=True)
        shutil.rmtree(root)
    assert len(told) > scaled(20) // 3
    assert all("No space left" in message for message, _ in told)
    assert all("make room" in hint or "free some space" in hint for _, hint in told)


# -- a read-only disk ----------------------------------------------------------------------------


@pytest.fixture
def read_only(prepared: Path, tmp_path: Path) -> Iterator[Path]:
    """The prepared folder where nothing can be written."""
    root = tmp_path / "root"
    shutil.copytree(prepared, root)
    if os.geteuid():
        for path in [root, *root.rglob("*")]:
            path.chmod(path.stat().st_mode & ~0o222)
        yield root
        for path in [root, *root.rglob("*")]:
            path.chmod(path.stat().st_mode | 0o200)
        return
    place = str(root)
    commands = (["mount", "--bind", place, place], ["mount", "-o", "remount,ro,bind", place])
    if any(subprocess.run(one, capture_output=True, check=False).returncode for one in commands):
        pytest.skip("needs the right to mount")
    try:
        yield root
    finally:
        subprocess.run(["umount", "-l", place], check=True)


def test_everything_that_reads_works_on_a_read_only_disk(read_only: Path, expected):
    with Repository(read_only) as repo:
        assert contents(repo) == expected[1]
        assert len(list(walk(repo.store, [repo.resolve("main")]))) == 2
        assert repo.resolve("main@{1}") == repo.resolve("main~1")
        assert repo.branches().keys() == {"main"}
        assert list(fsck(repo)) == []
        assert gc.collect(repo, keep_days=0.0).objects == 0
        assert repo.item("main", "a", "train", "0000").annotations[0].x == 50.0
        image = repo.item("main", "a", "train", "image")
        assert image.origins[0].read() == b"small"


@pytest.mark.parametrize("action", [*ACTIONS, do_gc])
def test_everything_that_writes_says_that_the_disk_is_read_only(
    read_only: Path, action: Action, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(upkeep, "MAX_PACKS", upkeep.MAX_PACKS)  # an action changes it
    with Repository(read_only) as repo, pytest.raises(RepositoryError) as caught:
        action(repo)
    assert "cannot be written" in str(caught.value) or "cannot write" in str(caught.value)
    assert caught.value.hint in ("the disk is read-only", "this user may not write there")


def test_a_repository_cannot_be_made_on_a_read_only_disk(read_only: Path):
    with pytest.raises(RepositoryError, match="cannot be written"):
        Repository.init(read_only / "new")
