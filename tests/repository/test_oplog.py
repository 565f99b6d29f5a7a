"""The operation log: what it records, what it does with what a killed process left."""

import os
from pathlib import Path

import pytest

from dvcs.errors import BranchMoved, CorruptObject, RepositoryError
from dvcs.repository import Repository, oplog
from dvcs.repository.oplog import HEAD, Log, Move, Operation, change, encode_line, locked
from dvcs.repository.refs import HEADS
from tests.repository.scenes import check_sound, commit, findings, git, items

MAIN = f"{HEADS}main"
TOPIC = f"{HEADS}topic"


@pytest.fixture
def two(repo: Repository) -> tuple[str, str]:
    """Two commits on main, which is at the second."""
    return commit(repo, items(1)).hex(), commit(repo, items(2)).hex()


def append(repo: Repository, **fields) -> None:
    """Append a line as `Log` does."""
    line = oplog._ENCODER.encode(oplog._Line(**fields))
    with repo.layout.operations.open("ab") as file:
        file.write(encode_line(line))


def recover(repo: Repository) -> None:
    with locked(repo.layout):
        pass


def test_each_commit_is_one_operation(repo: Repository, two):
    found = Log(repo.layout).operations()
    assert [one.command for one in found] == ["commit", "commit"]
    assert [one.moves for one in found] == [
        (Move(MAIN, None, two[0]),),
        (Move(MAIN, two[0], two[1]),),
    ]
    assert Log(repo.layout).is_finished()
    assert [one.command for one in repo.operations()] == ["commit", "commit"]


def test_values_are_newest_first_and_are_revisions(repo: Repository, two):
    assert Log(repo.layout).values(MAIN) == [two[1], two[0], None]
    assert repo.resolve("main@{0}").hex() == two[1]
    assert repo.resolve("main@{1}").hex() == two[0]
    assert repo.resolve("@{1}").hex() == two[0]
    assert repo.resolve("main@{1}~0").hex() == two[0]
    for bad in ("main@{2}", "main@{99}", "topic@{1}"):
        with pytest.raises(RepositoryError, match="has moved only"):
            repo.resolve(bad)


def test_values_know_what_git_did_in_between(repo: Repository, two):
    git(repo, "update-ref", MAIN, two[0])
    assert repo.resolve("main@{0}").hex() == two[0]
    assert repo.resolve("main@{1}").hex() == two[1]
    third = commit(repo, items(3)).hex()
    assert Log(repo.layout).values(MAIN) == [third, two[0], two[1], two[0], None]


def test_head_values_follow_checkouts_and_commits(repo: Repository, two):
    repo.create_branch("topic", bytes.fromhex(two[0]))
    repo.move_head(TOPIC, "checkout topic")
    third = commit(repo, items(3)).hex()
    repo.move_head(bytes.fromhex(two[0]), "checkout --detach")
    assert Log(repo.layout).head_values() == [two[0], third, two[0], two[1], two[0], None]
    assert repo.resolve("HEAD@{1}").hex() == third
    assert repo.resolve("HEAD@{3}").hex() == two[1]
    assert repo.resolve("@{1}").hex() == third


def test_moves_are_all_or_none(repo: Repository, two):
    moves = [Move(TOPIC, None, two[0]), Move(MAIN, two[0], two[1])]
    with pytest.raises(BranchMoved, match="'main' has moved"):
        change(repo.layout, "both", moves)
    assert sorted(repo.branches()) == ["main"]
    assert len(Log(repo.layout).operations()) == 2


def test_an_error_half_way_takes_back_what_was_moved(repo: Repository, two, monkeypatch):
    original = oplog.Log._set

    def failing(self, move: Move) -> None:
        if move.name == MAIN and move.new == two[0]:
            raise OSError(5, "the disk")
        original(self, move)

    monkeypatch.setattr(oplog.Log, "_set", failing)
    moves = [
        Move(TOPIC, None, two[0]),
        Move(HEAD, f"ref: {MAIN}", f"ref: {TOPIC}"),
        Move(MAIN, two[1], two[0]),
    ]
    with pytest.raises(RepositoryError, match="the disk"):
        change(repo.layout, "three", moves)
    monkeypatch.undo()
    assert repo.branches() == {"main": bytes.fromhex(two[1])}
    assert repo.refs.head() == MAIN
    assert Log(repo.layout).is_finished()
    assert len(Log(repo.layout).operations()) == 2
    check_sound(repo)


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, MemoryError])
def test_an_interrupt_takes_it_back_too(repo: Repository, two, monkeypatch, interrupt):
    original = oplog.Log._set

    def interrupted(self, move: Move) -> None:
        original(self, move)
        monkeypatch.undo()
        raise interrupt

    monkeypatch.setattr(oplog.Log, "_set", interrupted)
    with pytest.raises(interrupt):
        change(repo.layout, "reset", [Move(MAIN, two[1], two[0])])
    assert repo.resolve("main").hex() == two[1]
    assert Log(repo.layout).is_finished()
    check_sound(repo)


MOVES = (Move(TOPIC, None, "{0}"), Move(MAIN, "{1}", "{0}"))


@pytest.mark.parametrize("moved", range(3))
@pytest.mark.parametrize("lock", ["", "{0}", "{0}\n", None])
def test_what_a_killed_process_began_is_finished_or_forgotten(repo, two, moved, lock):
    moves = [Move(one.name, *(v and v.format(*two) for v in (one.old, one.new))) for one in MOVES]
    append(repo, begin=Operation(id="abc", time=1.0, command="killed", moves=tuple(moves)))
    for move in moves[:moved]:
        path = repo.layout.git / move.name
        path.write_text(move.new + "\n")
    if lock is not None:
        (repo.layout.git / f"{MAIN}.lock").write_text(lock.format(*two))
    assert len(Log(repo.layout).operations()) == (3 if moved else 2)
    assert not Log(repo.layout).is_finished()
    assert findings(repo) == []
    recover(repo)
    expected = {"main": two[0], "topic": two[0]} if moved else {"main": two[1]}
    assert {name: oid.hex() for name, oid in repo.branches().items()} == expected
    assert len(Log(repo.layout).operations()) == (3 if moved else 2)
    assert Log(repo.layout).is_finished()
    check_sound(repo)


def test_recovery_can_be_killed_and_done_again(repo: Repository, two):
    append(
        repo,
        begin=Operation(id="abc", time=1.0, command="killed", moves=(Move(MAIN, two[1], two[0]),)),
    )
    (repo.layout.git / MAIN).write_text(two[0] + "\n")
    saved = repo.layout.operations.read_bytes()
    for _ in range(3):
        recover(repo)
        repo.layout.operations.write_bytes(saved)
    recover(repo)
    assert [one.command for one in Log(repo.layout).operations()] == ["commit", "commit", "killed"]
    assert Log(repo.layout).values(MAIN) == [two[0], two[1], two[0], None]


def test_a_lock_of_gits_own_is_not_taken_for_ours(repo: Repository, two):
    append(
        repo,
        begin=Operation(id="abc", time=1.0, command="killed", moves=(Move(MAIN, two[1], two[0]),)),
    )
    lock = repo.layout.git / f"{MAIN}.lock"
    lock.write_text("f" * 40 + "\n")
    recover(repo)
    assert lock.exists()
    assert repo.resolve("main").hex() == two[1]


def test_a_deletion_that_was_killed_leaves_no_locks(repo: Repository, two):
    repo.create_branch("topic", bytes.fromhex(two[0]))
    git(repo, "pack-refs", "--all")
    append(
        repo,
        begin=Operation(id="abc", time=1.0, command="killed", moves=(Move(TOPIC, two[0], None),)),
    )
    (repo.layout.git / "packed-refs.lock").write_text("# pack-refs")
    (repo.layout.git / f"{TOPIC}.lock").touch()
    recover(repo)
    change(repo.layout, "delete", [Move(TOPIC, two[0], None)])
    assert sorted(repo.branches()) == ["main"]
    check_sound(repo)


@pytest.mark.parametrize("cut", range(1, 60))
def test_a_torn_last_line_does_not_count(repo: Repository, two, cut: int):
    whole = repo.layout.operations.read_bytes()
    append(
        repo,
        begin=Operation(id="abc", time=1.0, command="killed", moves=(Move(MAIN, two[1], two[0]),)),
    )
    data = repo.layout.operations.read_bytes()
    repo.layout.operations.write_bytes(data[:-cut])
    assert len(Log(repo.layout).operations()) == 2
    recover(repo)
    assert repo.layout.operations.read_bytes() == whole
    check_sound(repo)


def test_a_long_unfinished_line_before_a_torn_one_is_found(repo: Repository, two):
    moves = [Move(f"{HEADS}{n:05}", None, two[0]) for n in range(3000)]
    append(repo, begin=Operation(id="abc", time=1.0, command="killed", moves=tuple(moves)))
    assert repo.layout.operations.stat().st_size > 2 * oplog.TAIL
    (repo.layout.git / moves[0].name).write_text(two[0] + "\n")
    with repo.layout.operations.open("ab") as file:
        file.write(b"0123abcd {")
    recover(repo)
    assert len(repo.branches()) == 3001


@pytest.mark.parametrize("line", [0, 1, 2, 3])
def test_a_damaged_line_is_an_error_with_its_number(repo: Repository, two, line: int):
    lines = repo.layout.operations.read_bytes().split(b"\n")
    lines[line] = lines[line].replace(b"e", b"f", 1)
    repo.layout.operations.write_bytes(b"\n".join(lines))
    with pytest.raises(CorruptObject, match=f"line {line + 1} of the operation log is damaged"):
        Log(repo.layout).operations()
    assert any("damaged" in one.message for one in findings(repo))
    third = commit(repo, items(3))  # commits go on
    assert repo.resolve("main") == third


def test_a_log_that_lost_its_end_is_noticed(repo: Repository, two):
    lines = repo.layout.operations.read_bytes().splitlines(keepends=True)
    for kept in range(len(lines)):
        repo.layout.operations.write_bytes(b"".join(lines[:kept]))
        assert findings(repo, "warning") != [], kept


def test_an_operation_on_nothing_is_kept(repo: Repository, two):
    change(repo.layout, "add", [], copies={"a": (None, two[0])})
    assert Log(repo.layout).operations()[-1].copies == {"a": (None, two[0])}
    recover(repo)
    assert Log(repo.layout).operations()[-1].command == "add"


def test_a_full_disk_at_any_write_changes_nothing(repo: Repository, two, monkeypatch):
    write = os.write
    for point in range(100):
        left = point

        def failing(fd: int, data: bytes) -> int:
            nonlocal left
            left -= 1
            if left < 0:
                raise OSError(28, "No space left on device")
            return write(fd, data[: max(1, len(data) // 2)])  # short writes, too

        monkeypatch.setattr(os, "write", failing)
        try:
            change(repo.layout, "reset", [Move(MAIN, two[1], two[0])])
            failed, hint = False, None
        except RepositoryError as error:
            failed, hint = True, error.hint
        monkeypatch.setattr(os, "write", write)
        if not failed:
            break
        assert "make room" in (hint or "")
        assert repo.resolve("main").hex() == two[1]
        check_sound(repo, warnings=True)
    assert repo.resolve("main").hex() == two[0]
    assert point > 3
    recover(repo)
    check_sound(repo)


def test_a_command_with_strange_text_is_logged(repo: Repository, two):
    change(repo.layout, "import \udcff\n\x1b[31m", [Move(TOPIC, None, two[0])])
    assert Log(repo.layout).operations()[-1].command == "import ?\n\x1b[31m"


def test_reading_needs_no_write_access(repo: Repository, two, tmp_path: Path):
    before = repo.layout.operations.stat()
    Log(repo.layout).operations()
    Log(repo.layout).head_values()
    assert repo.layout.operations.stat() == before
