"""Many processes at once: no acknowledged change is lost, nobody sees anything but right data."""

import os
import time
from pathlib import Path

import pytest

from dvcs.errors import BranchMoved, Locked
from dvcs.repository import Repository, gc, locks, upkeep
from tests.repository.scenes import check_sound, commit, contents, git, item, items, put
from tests.safety.harness import scaled

pytestmark = pytest.mark.slow

WRITERS = 8
COMMITS = scaled(50)
READERS = 2
MOST_ATTEMPTS = 50


def spawn(work) -> int:
    """Run something in a forked child; return its process id."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        work()
        code = 0
    except BaseException as error:  # noqa: BLE001 - told by the exit code
        os.write(2, f"{type(error).__name__}: {error}\n".encode())
    finally:
        os._exit(code)


def join(pids: list[int]) -> list[int]:
    return [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]


def write(root: Path, number: int, done: Path) -> None:
    """Commit items one by one: even writers to one source, odd ones to their own."""
    source = "shared" if number % 2 == 0 else f"own{number}"
    with Repository(root) as repo, done.open("w", buffering=1) as acknowledged:
        for n in range(COMMITS):
            one = item(f"{number}-{n}", x=float(1000 * number + n))
            for _ in range(MOST_ATTEMPTS):
                try:
                    if n == 0 and source != "shared":
                        oid = commit(repo, [one], source=source)
                    else:
                        with repo.transaction() as change:
                            put(change, source, one)
                            oid = change.commit(f"{number} {n}", operation="edit").oid
                except BranchMoved:
                    continue
                break
            acknowledged.write(f"{source} {one.id} {oid.hex()}\n")


def read(root: Path, stop: Path) -> None:
    """Read all of the newest commit again and again; what was there once stays."""
    seen: set[tuple[str, str, str]] = set()
    while not stop.exists():
        with Repository(root) as repo:
            held = contents(repo, "main")
            assert seen <= held.keys()
            assert all(notes for notes in held.values())
            seen = set(held)


def collect(root: Path, stop: Path) -> None:
    """Collect garbage again and again, throwing away all that can be."""
    while not stop.exists():
        with Repository(root) as repo:
            gc.collect(repo, dry_run=False, keep_days=0.0, trash_days=0.0)
        time.sleep(0.1)


def test_writers_readers_and_gc_at_once_lose_nothing(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(upkeep, "MAX_PACKS", 20)
    with Repository.init(tmp_path / "repo") as repo:
        commit(repo, items(20), source="shared")
    root, stop = repo.root, tmp_path / "stop"
    started = time.monotonic()
    writers = [
        spawn(lambda n=n: write(root, n, tmp_path / f"done{n}"))  # type: ignore[misc]
        for n in range(WRITERS)
    ]
    beside = [spawn(lambda: read(root, stop)) for _ in range(READERS)]
    beside.append(spawn(lambda: collect(root, stop)))
    assert join(writers) == [0] * WRITERS
    seconds = time.monotonic() - started
    stop.touch()
    assert join(beside) == [0] * len(beside)
    done = [(tmp_path / f"done{n}").read_text().splitlines() for n in range(WRITERS)]
    lines = [line.split() for one in done for line in one]
    assert len(lines) == WRITERS * COMMITS
    with Repository(root) as repo:
        held = contents(repo, "main")
        missing = [id for source, id, _ in lines if (source, "train", id) not in held]
        assert missing == []
        for source, id, _ in lines:
            number, n = map(int, id.split("-"))
            assert held[source, "train", id][0].x == 1000 * number + n
        assert len(held) == 20 + len(lines)
        history = set(git(repo, "rev-list", "main").split())
        assert {oid for _, _, oid in lines} <= history
        assert len(history) == len(lines) + 1
        check_sound(repo)
        assert len(list(upkeep.leftovers(repo))) == 0
    print(f"{len(lines)} commits by {WRITERS} processes in {seconds:.1f} s")  # noqa: T201


def test_a_lock_is_never_held_twice(tmp_path: Path):
    lock, shared = tmp_path / "lock", tmp_path / "counter"
    shared.write_text("0")
    rounds = scaled(125)

    def count() -> None:
        for _ in range(rounds):
            with locks.exclusive(lock):
                shared.write_text(str(int(shared.read_text()) + 1))

    assert join([spawn(count) for _ in range(8)]) == [0] * 8
    assert int(shared.read_text()) == 8 * rounds


def test_a_lock_of_a_killed_holder_is_free(tmp_path: Path):
    lock = tmp_path / "lock"

    def hold() -> None:
        with locks.exclusive(lock):
            os.write(ready[1], b"x")
            time.sleep(60)

    ready = os.pipe()
    pid = spawn(hold)
    assert os.read(ready[0], 1) == b"x"
    with (
        pytest.raises(Locked, match=rf"another process is writing .*process {pid} on "),
        locks.exclusive(lock, patience=0.05),
    ):
        pass
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    with locks.exclusive(lock, patience=0.05):
        pass


@pytest.mark.parametrize("record", [b"", b"garbage", b"{}", b"[1]", b"\xff" * 5000, b'{"pid":1}'])
def test_a_garbled_record_of_the_holder_blocks_nobody(tmp_path: Path, record: bytes):
    with Repository.init(tmp_path) as repo:
        for path in (repo.layout.lock, repo.layout.writers, repo.layout.upkeep):
            path.write_bytes(record)
        commit(repo, items(2))
        check_sound(repo)


def test_lost_locks_are_made_again(tmp_path: Path):
    with Repository.init(tmp_path) as repo:
        for path in (repo.layout.lock, repo.layout.writers):
            path.unlink()
        commit(repo, items(2))
        check_sound(repo)
