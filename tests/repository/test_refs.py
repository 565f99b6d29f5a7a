"""Refs: as Git writes them, beside Git, and nothing but refs."""

import subprocess
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvcs.errors import BranchMoved, CorruptObject, Locked, RevisionNotFound, UsageError
from dvcs.repository import Repository, refs
from dvcs.repository.oplog import Move, change
from dvcs.repository.refs import HEADS, TAGS, check_name
from tests.repository.scenes import check_sound, commit, files, git, items, state


def git_accepts(name: str) -> bool:
    done = subprocess.run(
        ["git", "check-ref-format", "--branch", name], check=False, capture_output=True
    )
    return done.returncode == 0


@pytest.mark.parametrize(
    "name",
    [
        "main",
        "a/b",
        "v1.0",
        "a.b",
        "x-y",
        "_",
        "ü",
        "日本",
        "a@b",
        "@a",
        "{a}",
        "a.lockb",
        "a/b.c",
        "'quoted'",
        "a;b",
        "a%2F",
        "HEADS",
    ],
)
def test_names_that_git_accepts_are_accepted(name: str):
    assert git_accepts(name)
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        *[
            "a:b",
            "a~b",
            "a^b",
            "a?b",
            "a*b",
            "a[b",
            "a\\b",
            "a..b",
            "a@{b",
            "a//b",
            "/a",
            "a/",
            "a.",
            ".a",
            "a/.b",
            "-a",
            "a.lock",
            "a.lock/b",
        ],
        *["", "@", "HEAD", "a b", "a\nb", "a\0b", "a\x7fb", "\udcff", "../../x", "a/../b"],
    ],
)
def test_names_that_git_refuses_are_refused(name: str):
    if "\0" not in name and "\udcff" not in name and name != "@":
        assert not git_accepts(name)
    with pytest.raises(UsageError, match="cannot be the name"):
        check_name(name)


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12))
def test_what_is_accepted_git_accepts(name: str):
    try:
        check_name(name)
    except UsageError:
        return
    done = subprocess.run(
        ["git", "check-ref-format", f"refs/heads/{name}"], check=False, capture_output=True
    )
    assert done.returncode == 0, name


@pytest.mark.parametrize("name", ["../../secret", "../state/version", "a" * 5000, "a\0b", "x.lock"])
def test_no_name_leads_to_another_file(repo: Repository, name: str):
    (repo.root / "secret").write_text("1" * 40 + "\n")
    (repo.layout.git / "refs" / "heads" / "x.lock").write_text("1" * 40 + "\n")
    assert repo.refs.read(HEADS + name) is None
    with pytest.raises(RevisionNotFound):
        repo.resolve(name)
    with pytest.raises(UsageError):
        repo.transaction(branch=name)


def test_a_branch_made_by_git_is_seen(repo: Repository):
    oid = commit(repo, items(1))
    git(repo, "branch", "topic")
    git(repo, "-c", "user.name=A", "-c", "user.email=a@b", "tag", "-a", "v1", "-m", "one")
    assert repo.branches() == {"main": oid, "topic": oid}
    assert repo.resolve("v1") == oid
    with repo.transaction(branch="topic") as made:
        made.policy = made.writer.blob(b"# policy\n")
        new = made.commit("On topic", operation="edit").oid
    assert git(repo, "rev-parse", "topic").strip() == new.hex()


@pytest.mark.parametrize("command", [["pack-refs", "--all"], ["gc", "-q"]])
def test_work_goes_on_after_git_packed(repo: Repository, command: list[str]):
    first = commit(repo, items(3))
    repo.create_branch("gone", first)
    repo.create_branch("topic/a", first)
    git(repo, *command)
    assert not (repo.layout.git / "refs" / "heads" / "main").exists()
    assert repo.branches() == dict.fromkeys(("gone", "main", "topic/a"), first)
    assert len(repo.dataset()) == 3
    second = commit(repo, items(4))
    assert repo.branches()["main"] == second
    change(repo.layout, "delete", [Move(f"{HEADS}gone", first.hex(), None)])
    assert sorted(repo.branches()) == ["main", "topic/a"]
    assert git(repo, "for-each-ref", "--format=%(refname:short)").split() == ["main", "topic/a"]
    check_sound(repo)


def test_deleting_a_packed_tag_removes_its_peeled_line(repo: Repository):
    oid = commit(repo, items(1))
    for name in ("v1", "v2", "v3"):
        git(repo, "-c", "user.name=A", "-c", "user.email=a@b", "tag", "-a", name, "-m", name)
    git(repo, "pack-refs", "--all")
    tag = repo.refs.read(f"{TAGS}v2")
    assert tag != oid
    change(repo.layout, "delete", [Move(f"{TAGS}v2", tag.hex(), None)])
    assert list(repo.refs.all(TAGS)) == [f"{TAGS}v1", f"{TAGS}v3"]
    assert git(repo, "show-ref", "-d").count("^{}") == 2
    assert "v2" not in git(repo, "show-ref")


def test_a_branch_takes_the_place_of_one_that_was_a_folder(repo: Repository):
    oid = commit(repo, items(1)).hex()
    for _ in range(2):
        change(repo.layout, "x", [Move(f"{HEADS}a/b/c", None, oid)])
        change(repo.layout, "x", [Move(f"{HEADS}a/b/c", oid, None), Move(f"{HEADS}a/b", None, oid)])
        change(repo.layout, "x", [Move(f"{HEADS}a/b", oid, None), Move(f"{HEADS}a", None, oid)])
        assert sorted(repo.branches()) == ["a", "main"]
        change(repo.layout, "x", [Move(f"{HEADS}a", oid, None)])
    check_sound(repo)


def test_gits_own_lock_is_respected(repo: Repository, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(refs, "GIT_PATIENCE", 0.05)
    commit(repo, items(1))
    lock = repo.layout.git / "refs" / "heads" / "main.lock"
    lock.touch()
    before = state(repo)
    with pytest.raises(Locked, match="Git is writing"):
        commit(repo, items(2))
    assert repo.branches() == {"main": repo.resolve("main")}
    after = state(repo)
    assert {name for name in before if after.get(name) != before[name]} == {"state/operations"}
    assert lock.exists()
    lock.unlink()
    commit(repo, items(2))
    check_sound(repo, warnings=True)


def test_gits_own_lock_is_waited_for(repo: Repository):
    commit(repo, items(1))
    lock = repo.layout.git / "refs" / "heads" / "main.lock"
    lock.touch()
    threading.Timer(0.2, lock.unlink).start()
    commit(repo, items(2))
    assert len(repo.dataset()) == 2


def test_what_git_moves_meanwhile_is_noticed(repo: Repository, monkeypatch: pytest.MonkeyPatch):
    first = commit(repo, items(1))
    second = commit(repo, items(2))
    original = refs._GitLock.__enter__

    def slower(self):
        lock = original(self)
        if self._path.name == "main":
            self._path.write_text(first.hex() + "\n")  # as Git, just before the lock was taken
        return lock

    monkeypatch.setattr(refs._GitLock, "__enter__", slower)
    with pytest.raises(BranchMoved, match="'main' was moved by Git"):
        change(repo.layout, "x", [Move(f"{HEADS}main", second.hex(), first.hex())])
    monkeypatch.undo()
    assert repo.branches()["main"] == first
    commit(repo, items(3))


def test_symbolic_refs_are_followed_but_not_in_circles(repo: Repository):
    oid = commit(repo, items(1))
    git(repo, "symbolic-ref", "refs/remotes/origin/HEAD", "refs/heads/main")
    git(repo, "symbolic-ref", "refs/remotes/gone/HEAD", "refs/remotes/gone/main")
    git(repo, "symbolic-ref", "refs/heads/one", "refs/heads/two")
    git(repo, "symbolic-ref", "refs/heads/two", "refs/heads/one")
    assert repo.resolve("origin/HEAD") == oid
    assert repo.resolve("origin") == oid
    assert repo.refs.read("refs/heads/one") is None
    assert sorted(repo.refs.all()) == ["refs/heads/main", "refs/remotes/origin/HEAD"]


@pytest.mark.parametrize("data", [b"", b"\n", b"1" * 39 + b"\n", b"x" * 40 + b"\n", b"1" * 41])
def test_a_damaged_ref_is_an_error(repo: Repository, data: bytes):
    commit(repo, items(1))
    (repo.layout.git / "refs" / "heads" / "main").write_bytes(data)
    with pytest.raises(CorruptObject, match="damaged"):
        repo.resolve("main")
    with pytest.raises(CorruptObject):
        commit(repo, items(2))


@pytest.mark.parametrize("data", [b"", b"ref: main\n", b"ref: refs/heads/../x\n", b"1" * 39])
def test_a_damaged_head_is_an_error(repo: Repository, data: bytes):
    commit(repo, items(1))
    (repo.layout.git / "HEAD").write_bytes(data)
    with pytest.raises(CorruptObject):
        repo.resolve("HEAD")


def test_a_damaged_packed_refs_is_an_error(repo: Repository):
    commit(repo, items(1))
    git(repo, "pack-refs", "--all")
    packed = repo.layout.git / "packed-refs"
    packed.write_bytes(packed.read_bytes().replace(b" refs/", b"Xrefs/"))
    with pytest.raises(CorruptObject, match="'packed-refs' is damaged"):
        repo.branches()


def test_reading_refs_writes_nothing(repo: Repository):
    commit(repo, items(1))
    before = files(repo.layout.git)
    repo.branches()
    repo.resolve("main")
    repo.refs.all()
    assert files(repo.layout.git) == before


def test_git_packs_refs_all_the_time_and_no_commit_is_lost(repo: Repository):
    commit(repo, items(1))
    stop = time.monotonic() + 2

    def pack() -> None:
        while time.monotonic() < stop:
            git(repo, "pack-refs", "--all")

    beside = threading.Thread(target=pack)
    beside.start()
    made = []
    while time.monotonic() < stop:
        made.append(commit(repo, items(len(made) + 2)))
    beside.join()
    log = git(repo, "rev-list", "main").split()
    assert {oid.hex() for oid in made} <= set(log)
    check_sound(repo, warnings=True)
