import pytest

from dvcs.errors import RevisionNotFound, UnknownName
from dvcs.repository import branches
from dvcs.repository.describe import describe
from dvcs.repository.reflog import reflog
from dvcs.repository.undo import undo
from dvcs.repository.working import checkout
from tests.repository.scenes import change_item, commit, git, item


def test_the_nearest_tag_is_that_which_git_finds(repo):
    first = commit(repo, [item("x")])
    branches.create_tag(repo, "v1", first, message="one")
    for n in range(3):
        change_item(repo, item("x", x=10.0 + n))
    branches.create_tag(repo, "v2", repo.resolve("HEAD~1"), message="two")
    found = describe(repo, repo.resolve())
    assert (found.tag, found.distance) == ("v2", 1)
    assert describe(repo, repo.resolve("HEAD~2"))[1:] == ("v1", 1)
    assert describe(repo, first)[1:] == ("v1", 0)
    said = git(repo, "describe", "--abbrev=10", "main").strip()
    assert said == f"v2-1-g{repo.resolve().hex()[:10]}"
    assert repo.resolve(said) == repo.resolve()


def test_commits_on_both_sides_of_a_merge_count(repo):
    first = commit(repo, [item("x"), item("y")])
    branches.create_tag(repo, "v1", first)
    repo.create_branch("side", first)
    ours = change_item(repo, item("x", x=5.0))
    theirs = change_item(repo, item("y", x=6.0), branch="side")
    with repo.transaction() as change:
        change.commit("Merge", operation="merge", parents=(ours, theirs))
    assert describe(repo, repo.resolve())[1:] == ("v1", 3)


def test_an_annotated_tag_stands_before_others_of_the_commit(repo):
    first = commit(repo, [item("x")])
    for name, message in (("a", None), ("m", "given out"), ("z", None)):
        branches.create_tag(repo, name, first, message=message)
    assert describe(repo, first).tag == "m"


def test_without_a_tag_it_says_so(repo):
    commit(repo, [item("x")])
    with pytest.raises(RevisionNotFound, match="no tag is in the history"):
        describe(repo, repo.resolve())


def test_each_line_of_the_reflog_is_what_the_revision_means(repo):
    commit(repo, [item("x")])
    change_item(repo, item("x", x=5.0))
    checkout.checkout(repo, "HEAD", create="work")
    change_item(repo, item("x", x=6.0))
    checkout.checkout(repo, "main~1")
    checkout.checkout(repo, "main")
    undo(repo)
    for name in ("main", "work", "HEAD"):
        found = reflog(repo, name)
        assert len(found) > 1
        for n, one in enumerate(found):
            if one.commit is not None:
                assert repo.resolve(f"{name}@{{{n}}}") == one.commit, (name, n)
    assert [one.operation.command for one in reflog(repo)[:3]] == [
        "undo checkout main",
        "checkout main",
        "checkout main~1",
    ]


def test_what_git_moved_shows_without_an_operation(repo):
    first = commit(repo, [item("x")])
    second = change_item(repo, item("x", x=5.0))
    git(repo, "update-ref", "refs/heads/main", first.hex())
    newest, before, *_ = reflog(repo, "main")
    assert (newest.commit, newest.operation) == (first, None)
    assert before.commit == second
    assert before.operation.command == "edit"


def test_the_reflog_of_a_deleted_branch_remains(repo):
    first = commit(repo, [item("x")])
    repo.create_branch("old", first)
    branches.delete_branch(repo, "old")
    assert [one.commit for one in reflog(repo, "old")] == [None, first, None]
    with pytest.raises(UnknownName, match="no branch is called 'odl'"):
        reflog(repo, "odl")
