"""The gate: the versioned policy is asked before hooks, of every commit, and of one made anew."""

from pathlib import Path

import pytest

from dvcs.errors import InvalidPolicy, PolicyViolation
from dvcs.repository import Repository, hooks
from dvcs.repository.oplog import Log
from tests.repository.scenes import change_item, check_sound, commit, contents, item, items, put

FROZEN = b'frozen = ["val"]\n'


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    repo = Repository.init(tmp_path / "repo")
    commit(repo, [*items(3), item("v", "val")])
    return repo


def policy(repo: Repository, text: bytes, **more) -> bytes:
    with repo.transaction(**more) as change:
        change.policy = change.writer.blob(text)
        return change.commit("Policy", operation="edit").oid


def test_a_policy_refuses_before_any_hook_is_asked(repo: Repository, tmp_path: Path):
    policy(repo, FROZEN)
    (tmp_path / "hook.py").write_text("open('asked', 'w')")
    hooks.install(repo.layout, tmp_path / "hook.py", "pre-commit")
    held, log = repo.refs.all(), len(Log(repo.layout).operations())
    with pytest.raises(PolicyViolation):
        change_item(repo, item("v", "val", x=9.5))
    assert not (repo.root / "asked").exists()
    assert repo.refs.all() == held
    assert len(Log(repo.layout).operations()) == log
    change_item(repo, item("0000", x=9.5))
    assert (repo.root / "asked").exists()
    check_sound(repo)


def test_hooks_can_be_left_out_and_a_policy_cannot(repo: Repository):
    policy(repo, FROZEN)
    repo.gate.verify = False
    with pytest.raises(PolicyViolation):
        change_item(repo, item("v", "val", x=9.5))


def test_a_merge_and_a_fast_forward_are_judged(repo: Repository):
    repo.create_branch("topic", repo.resolve())
    change_item(repo, item("v", "val", x=9.5), branch="topic")
    repo.create_branch("old", repo.resolve())
    policy(repo, FROZEN)
    held = repo.refs.all()
    for how in ({}, {"squash": True}, {"fast_forward": False}):
        with pytest.raises(PolicyViolation):
            repo.merge("topic", **how)
    assert repo.refs.all() == held
    policy(repo, FROZEN, branch="old")
    repo.create_branch("ahead", repo.resolve("old"))
    with repo.transaction(branch="ahead") as change:
        change.policy = None
        change.commit("No policy", operation="edit")
    change_item(repo, item("v", "val", x=8.5), branch="ahead")
    with pytest.raises(PolicyViolation):
        repo.merge("ahead", into="old")
    assert repo.resolve("old") != repo.resolve("ahead")


def test_a_commit_made_anew_is_judged_by_the_policy_that_came_meanwhile(repo: Repository):
    with repo.transaction() as slow:
        put(slow, "a", item("v", "val", x=9.5))
        tip = policy(repo, FROZEN)
        with pytest.raises(PolicyViolation):
            slow.commit("too late", operation="edit")
    assert repo.resolve() == tip


def test_a_policy_that_comes_while_a_hook_runs_counts_too(repo: Repository, tmp_path: Path):
    text = "from dvcs.repository import Repository\n"
    text += "with Repository() as repo:\n"
    text += "    repo.gate.verify = False\n"
    text += "    with repo.transaction() as change:\n"
    text += f"        change.policy = change.writer.blob({FROZEN!r})\n"
    text += "        change.commit('Policy', operation='edit')\n"
    (tmp_path / "hook.py").write_text(text)
    hooks.install(repo.layout, tmp_path / "hook.py", "pre-commit")
    with pytest.raises(PolicyViolation):
        change_item(repo, item("v", "val", x=9.5))
    assert contents(repo)["a", "val", "v"][0].x == 1.0
    assert repo.snapshot(repo.resolve()).policy is not None
    check_sound(repo)


def test_a_policy_that_cannot_be_read_is_not_taken(repo: Repository):
    with pytest.raises(InvalidPolicy):
        policy(repo, b"frozn = []\n")
    assert repo.snapshot(repo.resolve()).policy is None
