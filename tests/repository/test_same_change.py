"""The same change made twice at once: the second finds nothing to do, and makes no empty commit."""

from collections.abc import Callable
from pathlib import Path

import pytest

from dvcs.errors import PolicyViolation, RepositoryError
from dvcs.repository import Repository, hooks
from dvcs.repository.importing import Request, run
from dvcs.repository.merges import conflicts, merging, picking
from dvcs.repository.merges.conflicts import Wanted
from dvcs.repository.merges.underway import under_way
from dvcs.repository.oplog import Log
from dvcs.repository.patches.applying import apply_patch, patch_lines
from dvcs.repository.restores.restoring import restore_from
from dvcs.repository.undo import undo
from dvcs.repository.working import worktree
from tests.repository import pets
from tests.repository.scenes import (
    change_item,
    check_sound,
    coco,
    commit,
    contents,
    dataset,
    item,
    items,
    put,
    state,
)
from tests.safety.test_concurrency import join, spawn

RIVAL = """
import pathlib, sys
sys.path.insert(0, {tests!r})
from dvcs.repository import Repository
from dvcs.repository.merges import merging, picking
from dvcs.repository.merges.conflicts import Wanted
from dvcs.repository.importing import Request, run
from dvcs.repository.patches.applying import apply_patch
from dvcs.repository.restores.restoring import restore_from
from tests.repository.scenes import item, put
with Repository() as repo:
    repo.gate.verify = False
    {body}
"""
EDIT = """\
with repo.transaction() as change:
        put(change, 'a', item('0001', x=4.0))
        change.commit('rival', operation='edit')"""


def rival(repo: Repository, body: str) -> None:
    """Have somebody else make a commit while policy and hooks judge the next one."""
    script = repo.root.parent / "rival.py"
    tests = str(Path(__file__).parents[2])
    script.write_text(RIVAL.format(tests=tests, body=body))
    hooks.install(repo.layout, script, "pre-commit")


def length(repo: Repository) -> int:
    count, oid = 0, repo.refs.head_commit()
    while oid is not None:
        parents = repo.store.commit(oid).parents
        count, oid = count + 1, parents[0] if parents else None
    return count


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    """Two commits on main; on topic, another box of 0001."""
    repo = Repository.init(tmp_path / "repo")
    commit(repo, items(4))
    repo.create_branch("topic", repo.resolve())
    change_item(repo, item("0001", x=4.0), branch="topic")
    change_item(repo, item("0003", x=-9.0))
    lines = patch_lines(repo, repo.resolve("topic~1"), repo.resolve("topic"))
    (repo.root / "x.patch").write_bytes(b"".join(lines))
    return repo


def _apply(repo: Repository) -> bool:
    lines = (repo.root / "x.patch").read_bytes().splitlines(keepends=True)
    return apply_patch(repo, lines).committed.changed


def _import(repo: Repository) -> bool:
    coco(repo.root.parent / "coco", x=2.0)
    request = Request(data=repo.root.parent / "coco", name="new")
    return run(repo, request).committed.changed


WAYS: dict[str, tuple[Callable[[Repository], bool], str]] = {
    "apply": (_apply, "apply_patch(repo, pathlib.Path('x.patch').open('rb'))"),
    "import": (_import, "run(repo, Request(data=repo.root.parent / 'coco', name='new'))"),
    "cherry-pick": (
        lambda repo: picking.cherry_pick(repo, "topic").changed,
        "picking.cherry_pick(repo, 'topic')",
    ),
    "revert": (lambda repo: picking.revert(repo, "HEAD").changed, "picking.revert(repo, 'HEAD')"),
    "restore": (
        lambda repo: restore_from(repo, "topic", ["a/train/0001"]).committed.changed,
        "restore_from(repo, 'topic', ['a/train/0001'])",
    ),
    "commit": (
        lambda repo: (
            repo.commit(
                dataset([*items(4)[:3], item("0003", x=7.0)]), message="x", source="a"
            ).changed
        ),
        EDIT.replace("'0001', x=4.0", "'0003', x=7.0"),
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_what_somebody_else_did_while_a_hook_ran_makes_no_empty_commit(repo: Repository, way: str):
    act, body = WAYS[way]
    rival(repo, body)
    before = length(repo)
    assert act(repo) is False
    assert length(repo) == before + 1
    check_sound(repo, warnings=True)


def test_a_working_copys_change_that_somebody_else_made_meanwhile_is_no_commit(tmp_path: Path):
    repo, folder = pets.tracked(tmp_path / "repo")
    pets.edit(folder, lambda data: pets.note(data, 12)["bbox"].__setitem__(0, 31.0))
    done = worktree.commit(repo, message="here")
    undo(repo)
    rival(
        repo,
        f"with repo.transaction() as change:\n"
        f"        change.sources = dict(repo.snapshot(bytes.fromhex('{done.oid.hex()}')).sources)\n"
        f"        change.commit('rival', operation='edit')",
    )
    before = length(repo)
    again = worktree.commit(repo, message="here too")
    assert (again.changed, length(repo)) == (False, before + 1)
    assert pets.only(repo).state == "clean"
    check_sound(repo, warnings=True)


def test_a_pick_of_several_goes_on_past_one_that_somebody_else_made(repo: Repository):
    change_item(repo, item("0002", x=60.0), branch="topic")
    change_item(repo, item("0001", x=0.0))
    stopped = picking.cherry_pick(repo, "topic~2..topic")
    assert stopped.places
    assert stopped.left == 1
    conflicts.resolve(repo, Wanted(), "theirs")
    rival(repo, EDIT)
    done = picking.go_on(repo, "cherry-pick")
    assert [one.changed for one in done.picked] == [False, True]
    assert under_way(repo) is None
    assert contents(repo)["a", "train", "0002"][0].x == 60.0


def test_many_who_apply_a_patch_at_once_make_one_commit(repo: Repository):
    root, before = repo.root, length(repo)

    def work() -> None:
        with Repository(root) as own:
            _apply(own)

    assert join([spawn(work) for _ in range(4)]) == [0] * 4
    assert length(repo) == before + 1


@pytest.mark.parametrize("how", [{"squash": True}, {"only": ("a",)}, {}])
def test_many_who_merge_at_once_make_one_commit(repo: Repository, how: dict):
    root, before = repo.root, length(repo)

    def work() -> None:
        with Repository(root) as own:
            merging.merge(own, merging.Request(revision="topic", **how))

    assert join([spawn(work) for _ in range(3)]) == [0] * 3
    assert length(repo) == before + 1


def test_a_part_that_is_merged_already_is_up_to_date(repo: Repository):
    request = merging.Request(revision="topic", squash=True)
    assert merging.merge(repo, request).status == "merged"
    before = state(repo)
    assert merging.merge(repo, request).status == "up to date"
    assert state(repo) == before


def test_a_part_of_which_nothing_is_left_by_decisions_ends_without_a_commit(repo: Repository):
    change_item(repo, item("0001", x=0.0))
    request = merging.Request(revision="topic", squash=True)
    assert merging.merge(repo, request).status == "conflicts"
    conflicts.resolve(repo, Wanted(), "ours")
    before = repo.resolve()
    assert merging.go_on(repo, dry_run=True).status == "up to date"
    assert under_way(repo) == "merge"
    assert merging.go_on(repo).status == "up to date"
    assert (repo.resolve(), under_way(repo)) == (before, None)
    check_sound(repo, warnings=True)


# -- a branch that a commit is to make -----------------------------------------------------------


def refused(repo: Repository, tmp_path: Path) -> None:
    (tmp_path / "no.py").write_text("raise SystemExit('no')\n")
    hooks.install(repo.layout, tmp_path / "no.py", "pre-commit")


def test_a_commit_that_a_hook_refuses_leaves_no_branch(repo: Repository, tmp_path: Path):
    refused(repo, tmp_path)
    held, log = repo.refs.all(), Log(repo.layout).operations()
    with pytest.raises(Exception, match="refused the commit"):
        repo.commit(dataset(items(5)), message="x", branch="new")
    assert repo.refs.all() == held
    assert Log(repo.layout).operations() == log


def test_a_commit_that_the_policy_refuses_leaves_no_branch(repo: Repository):
    with repo.transaction() as change:
        change.policy = change.writer.blob(b'frozen = ["train"]\n')
        change.commit("Policy", operation="edit")
    with pytest.raises(PolicyViolation):
        repo.commit(dataset(items(5)), message="x", branch="new")
    assert "new" not in repo.branches()


def test_a_branch_and_its_first_commit_are_one_operation(repo: Repository):
    held = repo.refs.all()
    done = repo.commit(dataset(items(5)), message="x", branch="new")
    assert repo.branches()["new"] == done.oid
    undo(repo)
    assert repo.refs.all() == held


def test_a_new_branch_without_a_change_is_where_the_current_one_is(repo: Repository):
    held = list(repo.dataset())
    done = repo.commit(dataset(held), message="x", branch="new")
    assert (done.changed, repo.branches()["new"]) == (False, repo.resolve())


def test_a_branch_that_somebody_else_made_meanwhile_is_committed_to(repo: Repository):
    head = repo.resolve()
    with repo.transaction(branch="new", base=head, create=True) as slow:
        put(slow, "a", item("0000", x=11.0))
        theirs = change_item(repo, item("0001", x=12.0), branch="new", base=head, create=True)
        done = slow.commit("mine", operation="edit")
    assert repo.store.commit(done.oid).parents == (theirs,)
    assert contents(repo, "new")["a", "train", "0000"][0].x == 11.0


def test_a_branch_whose_name_is_in_the_way_of_another_is_refused_before_work(repo: Repository):
    before = state(repo)
    with pytest.raises(RepositoryError, match="cannot both be there"):
        repo.commit(dataset(items(5)), message="x", branch="topic/deep")
    assert state(repo) == before
