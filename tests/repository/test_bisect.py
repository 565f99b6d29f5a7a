import shutil
import sys

import pytest

from dvcs.errors import DirtyWorkingCopy, RepositoryError, UsageError
from dvcs.repository import bisect, branches
from dvcs.repository.gc import collect
from dvcs.repository.undo import undo
from dvcs.repository.working import checkout, worktree
from tests.repository import pets
from tests.repository.scenes import change_item, check_sound, commit, item, put


def line(repo, count):
    """Commit so many versions of an item; return the commits."""
    made = [commit(repo, [item("x", x=0.0), item("y")])]
    made += [change_item(repo, item("x", x=float(n))) for n in range(1, count)]
    return made


def x_of(repo):
    return repo.item("HEAD", "a", "train", "x").annotations[0].x


@pytest.mark.parametrize("first_bad", range(1, 12))
def test_the_first_bad_commit_is_found_in_few_steps(repo, first_bad):
    made = line(repo, 12)
    step = bisect.start(repo, "main", [made[0].hex()])
    asked = 0
    while step.status == "testing":
        assert repo.refs.head() == step.commit
        asked += 1
        step = bisect.judge(repo, "bad" if x_of(repo) >= first_bad else "good")
    assert (step.status, step.commit) == ("found", made[first_bad])
    assert asked <= 4
    bisect.reset(repo)
    assert repo.refs.head_branch() == "main"
    with pytest.raises(RepositoryError, match="no search is under way"):
        bisect.state(repo)


def test_the_middle_is_where_git_has_it(repo):
    made = line(repo, 12)
    step = bisect.start(repo, "main", [made[0].hex()])
    assert (step.remaining, step.steps) == (11, 4)
    assert step.commit in (made[5], made[6])


def test_bad_and_good_may_be_named_one_by_one(repo):
    made = line(repo, 5)
    assert bisect.start(repo).status == "waiting"
    assert bisect.judge(repo, "bad").status == "waiting"
    assert repo.refs.head_branch() == "main"
    assert bisect.judge(repo, "good", ["HEAD~4"]).status == "testing"
    assert bisect.judge(repo, "good", [made[2].hex()]).commit == made[3]
    assert bisect.judge(repo, "good").commit == made[4]


def test_what_is_skipped_is_passed_over(repo):
    made = line(repo, 6)
    step = bisect.start(repo, "main", [made[0].hex()])
    skipped = step.commit
    step = bisect.judge(repo, "skip")
    assert step.commit != skipped
    while step.status == "testing":
        step = bisect.judge(repo, "skip")
    assert step.status == "unclear"
    assert set(step.suspects) == set(made[1:])


def test_a_fault_from_a_merged_branch_is_found_there(repo):
    first = commit(repo, [item("x", x=0.0), item("y", x=0.0)])
    repo.create_branch("side", first)
    ours = [change_item(repo, item("y", x=float(n))) for n in range(1, 4)]
    theirs = [change_item(repo, item("x", x=float(n)), branch="side") for n in range(1, 5)]
    with repo.transaction() as change:
        put(change, "a", item("x", x=4.0))
        change.commit("Merge", operation="merge", parents=(ours[-1], theirs[-1]))
    step = bisect.start(repo, "main", [first.hex()])
    assert step.remaining == 8
    while step.status == "testing":
        step = bisect.judge(repo, "bad" if x_of(repo) >= 3 else "good")
    assert step.commit == theirs[2]


def test_contradictions_and_changes_are_refused(tmp_path):
    repo, folder = pets.tracked(tmp_path / "repo")
    for n in range(1, 4):
        pets.edit(folder, lambda data, n=n: pets.note(data, 12)["bbox"].__setitem__(0, 30.0 + n))
        worktree.commit(repo, message=f"{n}")
    head, files = repo.resolve(), pets.files(folder)
    with pytest.raises(UsageError, match="is good and not before"):
        bisect.start(repo, "HEAD~1", ["HEAD"])
    pets.edit(folder, lambda data: pets.note(data, 12)["bbox"].__setitem__(0, 39.0))
    with pytest.raises(DirtyWorkingCopy):
        bisect.start(repo, "HEAD", ["HEAD~3"])
    with pytest.raises(RepositoryError, match="no search is under way"):
        bisect.judge(repo, "good")
    assert repo.resolve() == head
    (folder / pets.JSON).write_bytes(files[pets.JSON])
    step = bisect.start(repo, "HEAD", ["HEAD~3"])
    assert pets.files(folder) != files
    assert pets.only(repo).base == step.commit.hex()
    with pytest.raises(RepositoryError, match="a search is under way"):
        bisect.start(repo)
    bisect.reset(repo)
    assert repo.resolve() == head
    assert pets.only(repo).state == "clean"


CHECK = """
import sys
from dvcs.repository import Repository
x = Repository(sys.argv[1]).item("HEAD", "a", "train", "x").annotations[0].x
sys.exit({5: 125}.get(x, int(x >= float(sys.argv[2]))))
"""


def test_a_program_judges_with_its_exit_code(repo, tmp_path):
    made = line(repo, 10)
    check = tmp_path / "check.py"
    check.write_text(CHECK)
    words = [sys.executable, str(check), str(repo.root), "7"]
    with pytest.raises(RepositoryError, match="no search is under way"):
        bisect.run(repo, words)
    bisect.start(repo, "main", [made[0].hex()])
    heard = []
    step = bisect.run(repo, words, tell=lambda step, verdict: heard.append(verdict))
    assert (step.status, step.commit) == ("found", made[7])
    assert heard[0] is None
    assert set(heard[1:]) <= {"good", "bad", "skip"}


def test_a_program_that_gives_no_verdict_ends_the_run(repo):
    made = line(repo, 6)
    bisect.start(repo, "main", [made[0].hex()])
    before = bisect.state(repo)
    with pytest.raises(RepositoryError, match="ended with 200, which is no verdict"):
        bisect.run(repo, [sys.executable, "-c", "import sys; sys.exit(200)"])
    with pytest.raises(UsageError, match="cannot be run"):
        bisect.run(repo, ["./no-such-program"])
    assert bisect.state(repo) == before


def test_what_was_named_stays_though_its_branch_is_gone_and_garbage_was_collected(repo):
    first = commit(repo, [item("y")])
    repo.create_branch("topic", first)
    made = [
        change_item(repo, item("x", x=float(n)), branch="topic", base=None) for n in range(1, 7)
    ]
    step = bisect.start(repo, "topic", [made[0].hex()])
    judged = step.commit
    step = bisect.judge(repo, "bad" if x_of(repo) >= 4 else "good")
    branches.delete_branch(repo, "topic", force=True)
    checkout.checkout(repo, "main")
    layout = repo.layout
    layout.operations.write_bytes(b"")  # all of it is long ago
    shutil.rmtree(layout.git / "logs", ignore_errors=True)
    collect(repo, dry_run=False, keep_days=0.0, trash_days=0.0)
    assert judged in repo.store
    while step.status == "testing":
        checkout.checkout(repo, step.commit.hex())
        step = bisect.judge(repo, "bad" if x_of(repo) >= 4 else "good")
    assert step.commit == made[3]


def test_a_search_that_ends_holds_nothing_and_is_no_operation_to_undo(repo):
    made = line(repo, 5)
    repo.move_head(made[4], "checkout")
    held = repo.refs.all()
    bisect.start(repo, "main", [made[0].hex()])
    names = set(repo.refs.all()) - set(held)
    assert names == {
        "refs/dvcs/bisect/bad",
        f"refs/dvcs/bisect/good-{made[0].hex()}",
        "refs/dvcs/bisect/start",
    }
    skipped = repo.resolve("HEAD")
    bisect.judge(repo, "skip")
    assert repo.refs.read(f"refs/dvcs/bisect/skip-{skipped.hex()}") == skipped
    bisect.reset(repo)
    assert repo.refs.all() == held
    assert repo.refs.head() == made[4]
    assert undo(repo, dry_run=True).command.startswith("checkout")
    check_sound(repo)
