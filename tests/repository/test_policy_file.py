"""`dvcs.toml` in the working folder: seen, committed, written, kept, taken back."""

import os
import signal
import sys

import pytest

from dvcs.errors import BranchMoved, DirtyWorkingCopy, InvalidPolicy, RepositoryError
from dvcs.repository import Repository, bisect, branches
from dvcs.repository.editing import set_items
from dvcs.repository.merges import merging
from dvcs.repository.merges.picking import revert
from dvcs.repository.message import parse
from dvcs.repository.policies import policy_file
from dvcs.repository.undo import undo
from dvcs.repository.working import carrying, checkout, worktree
from tests.repository import pets
from tests.repository.scenes import check_sound, commit, items

FROZEN = 'frozen = ["val"]\n'
LEAKS = "no-leaks = true\n"


def write(repo, text):
    """Write the file as a person would; None: remove it."""
    path = repo.root / "dvcs.toml"
    if text is None:
        path.unlink()
    else:
        path.write_text(text, newline="")


def here(repo):
    path = repo.root / "dvcs.toml"
    return path.read_text() if path.exists() else None


def there(repo, revision="HEAD"):
    blob = repo.snapshot(repo.resolve(revision)).policy
    return None if blob is None else repo.store.blob(blob).decode()


def state(repo):
    return worktree.status(repo).policy.state


def record(repo, text, message="Policy"):
    write(repo, text)
    return worktree.commit(repo, message=message)


@pytest.fixture
def work(repo) -> Repository:
    """A repository with a commit and no policy."""
    commit(repo, items(3))
    return repo


@pytest.fixture
def two(work) -> Repository:
    """Branch `main` with one policy, branch `other` from before it with another."""
    work.create_branch("other", work.resolve())
    record(work, FROZEN)
    checkout.checkout(work, "other")
    record(work, LEAKS)
    checkout.checkout(work, "main")
    return work


def test_a_new_file_is_added_by_the_next_commit(work):
    assert state(work) == "none"
    write(work, FROZEN)
    assert state(work) == "added"
    assert not worktree.status(work).clean
    done = worktree.commit(work, message="Policy")
    assert done.changed
    assert there(work) == FROZEN
    assert state(work) == "clean"
    assert not worktree.commit(work, message="again").changed
    said = parse(work.store.commit(done.oid).message)
    assert dict(said.arguments) == {"sources": [], "policy": True}
    check_sound(work)


def test_a_changed_and_a_removed_file_are_committed(work):
    record(work, FROZEN)
    write(work, LEAKS)
    assert state(work) == "changed"
    worktree.commit(work, message="x")
    assert there(work) == LEAKS
    write(work, None)
    assert state(work) == "removed"
    worktree.commit(work, message="x")
    assert there(work) is None
    assert state(work) == "none"


def test_the_bytes_are_committed_as_they_stand(work):
    text = "# für alle\r\n" + FROZEN
    record(work, text)
    assert work.store.blob(work.snapshot(work.resolve()).policy) == text.encode()


def test_a_file_that_cannot_be_read_is_not_committed(work):
    with pytest.raises(InvalidPolicy, match=r"dvcs\.toml:1:1: there is no key 'frozn'"):
        record(work, "frozn = []\n")
    assert there(work) is None
    assert state(work) == "added"


def test_a_link_is_not_followed(work):
    (work.root / "elsewhere").write_text(FROZEN)
    (work.root / "dvcs.toml").symlink_to("elsewhere")
    with pytest.raises(RepositoryError, match=r"'dvcs\.toml' is a link"):
        worktree.status(work)


def test_it_goes_with_working_copies_and_can_be_left_out(tmp_path):
    repo, folder = pets.tracked(tmp_path / "repo")
    pets.edit(folder, lambda data: pets.note(data, 12)["bbox"].__setitem__(0, 33.0))
    write(repo, LEAKS)
    worktree.commit(repo, message="x", sources=["pets"])
    assert there(repo) is None
    assert state(repo) == "added"
    pets.edit(folder, lambda data: pets.note(data, 12)["bbox"].__setitem__(0, 34.0))
    worktree.commit(repo, message="x", sources=[], policy=True)
    assert there(repo) == LEAKS
    assert pets.only(repo).state == "changed"
    write(repo, FROZEN)
    worktree.commit(repo, message="both")
    assert there(repo) == FROZEN
    assert pets.only(repo).state == "clean"


def test_a_checkout_writes_changes_and_removes_it(two):
    assert here(two) == FROZEN
    done = checkout.checkout(two, "other")
    assert (here(two), state(two), done.policy) == (LEAKS, "clean", "written")
    done = checkout.checkout(two, "main~1")
    assert (here(two), state(two), done.policy) == (None, "none", "removed")
    checkout.checkout(two, "main")
    assert here(two) == FROZEN


def test_a_dry_run_writes_nothing(two):
    done = checkout.checkout(two, "other", dry_run=True)
    assert done.policy == "written"
    assert here(two) == FROZEN


def test_an_edit_that_a_checkout_would_lose_refuses_it(two):
    write(two, FROZEN + LEAKS)
    with pytest.raises(DirtyWorkingCopy, match=r"in no commit: dvcs\.toml"):
        checkout.checkout(two, "other")
    assert two.refs.head_branch() == "main"
    assert here(two) == FROZEN + LEAKS
    checkout.checkout(two, "other", force=True)
    assert here(two) == LEAKS
    (kept,) = two.layout.trash.glob("*/dvcs.toml")
    assert kept.read_text() == FROZEN + LEAKS


def test_an_edit_goes_along_where_both_revisions_have_the_same(two):
    branches.create_branch(two, "same", two.resolve())
    set_items(two, "a", items(1, x=9.0), message="x", branch="same")
    write(two, FROZEN + LEAKS)
    checkout.checkout(two, "same")
    assert here(two) == FROZEN + LEAKS
    assert state(two) == "changed"


def test_a_file_in_the_way_is_not_overwritten(two):
    checkout.checkout(two, "main~1")
    write(two, "# my own\n")
    with pytest.raises(DirtyWorkingCopy):
        checkout.checkout(two, "main")
    write(two, FROZEN)  # just what would be written
    checkout.checkout(two, "main")
    assert state(two) == "clean"


def merge(repo, revision, **how):
    return merging.merge(repo, merging.Request(revision=revision, **how))


def test_merges_write_what_they_come_to(two):
    done = merge(two, "other")
    assert done.status == "merged"
    assert there(two) == here(two)
    assert 'frozen = ["val"]' in here(two)
    assert "no-leaks = true" in here(two)
    assert state(two) == "clean"
    checkout.checkout(two, "other")
    assert merge(two, "main").status == "fast-forward"
    assert here(two) == there(two, "main")


def test_a_merge_refuses_where_an_edit_would_be_lost(two):
    write(two, FROZEN + "# mine\n")
    tip = two.resolve()
    with pytest.raises(DirtyWorkingCopy):
        merge(two, "other")
    assert two.resolve() == tip


def test_a_merge_into_another_branch_leaves_the_file(two):
    write(two, FROZEN + "# mine\n")
    merge(two, "main", into="other")
    assert here(two) == FROZEN + "# mine\n"


def test_undo_takes_a_checkout_and_a_merge_back_and_does_them_again(two):
    checkout.checkout(two, "other")
    undo(two)
    assert (here(two), state(two)) == (FROZEN, "clean")
    undo(two)
    assert (here(two), state(two)) == (LEAKS, "clean")
    undo(two)
    merge(two, "other")
    both = here(two)
    undo(two)
    assert (here(two), state(two)) == (FROZEN, "clean")
    undo(two)
    assert (here(two), state(two)) == (both, "clean")


def test_undo_of_a_commit_leaves_the_file_as_a_change(work):
    record(work, FROZEN)
    record(work, LEAKS)
    undo(work)
    assert (there(work), here(work), state(work)) == (FROZEN, LEAKS, "changed")
    undo(work)
    assert (there(work), here(work), state(work)) == (LEAKS, LEAKS, "clean")
    undo(work)
    undo(work)
    undo(work)
    assert there(work) == FROZEN
    assert here(work) == LEAKS


def test_restore_takes_an_edit_back_and_keeps_it_in_the_trash(two):
    write(two, FROZEN + "# mine\n")
    done = checkout.restore(two, ["dvcs.toml"])
    assert (done.policy, here(two)) == ("written", FROZEN)
    assert [path.read_text() for path in two.layout.trash.glob("*/dvcs.toml")] == [
        FROZEN + "# mine\n"
    ]
    write(two, None)
    checkout.restore(two)
    assert here(two) == FROZEN
    assert checkout.restore(two).policy == ""


def test_restoring_a_source_leaves_the_file(tmp_path):
    repo, _ = pets.tracked(tmp_path / "repo")
    write(repo, FROZEN)
    checkout.restore(repo, ["pets"])
    assert here(repo) == FROZEN


def test_resets_leave_the_file_or_take_it_along(work):
    record(work, FROZEN)
    record(work, LEAKS)
    checkout.reset(work, "HEAD~1")
    assert here(work) == LEAKS
    found = worktree.status(work).policy
    assert (found.state, found.behind) == ("clean", True)
    checkout.reset(work, "HEAD", hard=True)
    assert (here(work), state(work)) == (FROZEN, "clean")
    write(work, "# gone\n")
    checkout.reset(work, "HEAD", hard=True)
    assert here(work) == FROZEN


def test_a_revert_of_a_policy_writes_the_one_before(work):
    record(work, FROZEN)
    record(work, LEAKS)
    revert(work, "HEAD")
    assert (there(work), here(work), state(work)) == (FROZEN, FROZEN, "clean")


def test_a_search_goes_through_revisions_with_and_without_it(work):
    start = work.resolve().hex()
    record(work, FROZEN)
    for n in range(4):
        set_items(work, "a", items(1, x=10.0 + n), message=f"{n}")
    bisect.start(work, "HEAD", [start])
    assert here(work) == there(work)
    bisect.reset(work)
    assert (here(work), state(work)) == (FROZEN, "clean")


def test_a_commit_on_a_policy_that_moved_meanwhile_is_refused(work):
    record(work, FROZEN)
    write(work, FROZEN + "# mine\n")
    with work.transaction() as change:
        change.policy = change.writer.blob(LEAKS.encode())
        change.commit("theirs", operation="edit")
    with pytest.raises(BranchMoved, match=r"another 'dvcs\.toml' by now"):
        worktree.commit(work, message="x")
    assert there(work) == LEAKS
    assert here(work) == FROZEN + "# mine\n"


def test_two_changes_of_the_policy_are_never_laid_over_each_other(work):
    with work.transaction() as slow:
        slow.policy = slow.writer.blob(FROZEN.encode())
        with work.transaction() as fast:
            fast.policy = fast.writer.blob(LEAKS.encode())
            fast.commit("fast", operation="edit")
        with pytest.raises(BranchMoved, match=r"both changed 'dvcs\.toml'"):
            slow.commit("slow", operation="edit")
    assert there(work) == LEAKS


def test_a_policy_that_came_without_its_file_is_told_of_and_written(work):
    with work.transaction() as change:
        change.policy = change.writer.blob(FROZEN.encode())
        change.commit("x", operation="edit")
    found = worktree.status(work).policy
    assert (found.state, found.behind) == ("none", True)
    assert worktree.status(work).clean
    checkout.restore(work, ["dvcs.toml"])
    assert (here(work), state(work)) == (FROZEN, "clean")


def test_a_record_that_is_lost_or_damaged_costs_nothing(work):
    record(work, FROZEN)
    for data in (None, b"?", b'{"check":"00000000","base":"00"}\n'):
        path = work.layout.state / "policy"
        path.unlink() if data is None else path.write_bytes(data)
        assert state(work) == "clean"
        write(work, LEAKS)
        assert state(work) == "added"
        write(work, FROZEN)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
@pytest.mark.parametrize("at", ["put", "settle"])
def test_a_checkout_killed_before_the_file_is_finished_by_the_next_command(two, at):
    child = os.fork()
    if child == 0:
        setattr(policy_file, at, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
        checkout.checkout(two, "other")
        os._exit(0)
    assert os.WIFSIGNALED(os.waitpid(child, 0)[1])
    with Repository(two.root) as again:
        assert again.refs.head_branch() == "other"
        carrying.recover(again)
        assert (here(again), state(again)) == (LEAKS, "clean")
        undo(again)
        assert (here(again), state(again)) == (FROZEN, "clean")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_what_was_edited_after_a_kill_stays_a_change(two):
    child = os.fork()
    if child == 0:
        policy_file.put = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
        checkout.checkout(two, "other")
        os._exit(0)
    os.waitpid(child, 0)
    write(two, "# mine\n")
    with Repository(two.root) as again:
        assert state(again) == "changed"
        assert here(again) == "# mine\n"
