"""Revision expressions, compared with what Git says to the same ones."""

import subprocess
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvcs.errors import DvcsError, RepositoryError, RevisionNotFound
from dvcs.repository import Repository
from dvcs.repository.revisions import peel, split_range
from tests.repository.scenes import change_item, commit, git, item, items


@pytest.fixture(scope="module")
def repo(tmp_path_factory) -> Repository:
    """Main with four commits and a merge, a topic branch, a light and an annotated tag."""
    repo = Repository.init(tmp_path_factory.mktemp("revisions"))
    first = commit(repo, items(2))
    repo.create_branch("topic", first)
    second = change_item(repo, item("0000", x=5.0))
    side = change_item(repo, item("0001", x=6.0), branch="topic")
    with repo.transaction() as change:
        change.commit("Merge", operation="merge", parents=(second, side), allow_empty=True)
    change_item(repo, item("0000", x=7.0))
    identity = ("-c", "user.name=A", "-c", "user.email=a@b")
    git(repo, "tag", "light", "main~1")
    git(repo, *identity, "tag", "-a", "v1.0", "-m", "one", "main~2")
    git(repo, *identity, "tag", "-a", "nested", "-m", "two", "v1.0")
    git(repo, "update-ref", "refs/remotes/origin/main", "main~1")
    return repo


EXPRESSIONS = (
    "main HEAD @ topic light v1.0 nested origin/main refs/heads/topic refs/tags/v1.0"
    " main~ main~0 main~1 main~2 main~3 main^ main^0 main^1 main~1^1 main~1^2 main~1^2~1"
    " main^^ main^^2 HEAD~1^2 @~1 @^ HEAD^{commit} v1.0^{} v1.0^{commit}~1 nested^{} main~^2 ~1 ^"
)


@pytest.mark.parametrize("expression", EXPRESSIONS.split())
def test_an_expression_means_what_git_means(repo: Repository, expression: str):
    text = f"HEAD{expression}" if expression in ("~1", "^") else expression
    expected = git(repo, "rev-parse", "--verify", f"{text}^{{commit}}").strip()
    assert repo.resolve(expression).hex() == expected


@pytest.mark.parametrize(
    "expression",
    ["main~9", "main^3", "main^9~1", "main~99999999", "v1.0~5", "main^x", "main~x", "main^{tree}"],
)
def test_what_leads_nowhere_is_refused(repo: Repository, expression: str):
    with pytest.raises(RevisionNotFound, match=r"goes too far|is not a revision"):
        repo.resolve(expression)


def test_a_prefix_of_an_id_is_a_commit(repo: Repository):
    oid = repo.resolve("main")
    for length in (12, 20, 40):
        assert repo.resolve(oid.hex()[:length]) == oid
        assert repo.resolve(oid.hex()[:length].upper()) == oid
    assert repo.resolve(f"{oid.hex()[:12]}~1") == repo.resolve("main~1")
    with pytest.raises(RevisionNotFound):
        repo.resolve("0" * 40)
    with pytest.raises(RevisionNotFound):
        repo.resolve(oid.hex()[:3])


def test_a_prefix_of_several_commits_is_ambiguous(tmp_path):
    repo = Repository.init(tmp_path)
    tree = git(repo, "mktree", data=b"").strip()
    names: dict[str, list[str]] = {}
    while not any(len(held) > 1 for held in names.values()):
        with repo.store.writer() as writer:
            from dvcs.objects.gitobjects import Commit, Signature

            for n in range(300):
                who = Signature("A", "a@b", n)
                oid = writer.commit(Commit(bytes.fromhex(tree), (), who, who, f"{len(names)}"))
                names.setdefault(oid.hex()[:4], []).append(oid.hex())
            writer.publish()
    prefix = next(prefix for prefix, held in names.items() if len(held) > 1)
    with pytest.raises(RevisionNotFound, match="could be any of") as caught:
        repo.resolve(prefix)
    assert caught.value.hint == "give more digits"


def test_a_prefix_of_a_tree_or_blob_is_no_revision(repo: Repository):
    tree = git(repo, "rev-parse", "main^{tree}").strip()
    with pytest.raises(RevisionNotFound, match="no branch, tag or commit"):
        repo.resolve(tree)


def test_a_branch_that_looks_like_an_id_goes_first(repo: Repository):
    repo.create_branch("abcd", repo.resolve("main~3"))
    assert repo.resolve("abcd") == repo.resolve("main~3")


def test_a_tag_goes_before_a_branch_as_in_git(repo: Repository):
    repo.create_branch("light", repo.resolve("topic"))
    assert repo.resolve("light").hex() == git(repo, "rev-parse", "main~1").strip()
    assert repo.resolve("refs/heads/light") == repo.resolve("topic")


def test_a_misspelt_name_gets_a_suggestion(repo: Repository):
    with pytest.raises(RevisionNotFound) as caught:
        repo.resolve("tpoic")
    assert caught.value.hint == "did you mean 'topic'?"
    with pytest.raises(RevisionNotFound) as caught:
        repo.resolve("zzzzzz")
    assert "main" in (caught.value.hint or "")


def test_a_source_can_be_picked(repo: Repository):
    assert repo.parse("main~1:a") == (repo.resolve("main~1"), "a")
    assert repo.parse(":a") == (repo.resolve("HEAD"), "a")
    with pytest.raises(RevisionNotFound, match="has no source 'b'") as caught:
        repo.parse("main:b")
    assert caught.value.hint == "its sources: a"
    with pytest.raises(RevisionNotFound, match="names no source"):
        repo.parse("main:")


def test_an_empty_repository_says_that_it_is(tmp_path):
    repo = Repository.init(tmp_path)
    with pytest.raises(RevisionNotFound, match="branch 'main' has no commit yet"):
        repo.resolve("HEAD")
    with pytest.raises(RevisionNotFound, match="has moved only 0 times"):
        repo.resolve("@{1}")


def test_a_tag_of_a_tree_is_no_commit(repo: Repository):
    git(repo, "tag", "tree", "main^{tree}")
    with pytest.raises(RevisionNotFound, match="is not a commit"):
        repo.resolve("tree")
    with pytest.raises(RevisionNotFound):
        peel(repo, bytes.fromhex(git(repo, "rev-parse", "main^{tree}").strip()))


def test_a_commit_of_another_process_is_found(tmp_path):
    repo = Repository.init(tmp_path)
    commit(repo, items(1))
    assert len(repo.dataset()) == 1
    with Repository(tmp_path) as other:
        oid = commit(other, items(2))
    assert repo.resolve(oid.hex()[:10]) == oid
    assert len(repo.dataset(oid.hex()[:10])) == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a..b", ("a", "b", False)),
        ("a...b", ("a", "b", True)),
        ("..b", ("HEAD", "b", False)),
        ("a..", ("a", "HEAD", False)),
        ("v1.0..main~2", ("v1.0", "main~2", False)),
        ("main", None),
        ("../data", None),
        ("./a..b", None),
        ("/x/../y", None),
    ],
)
def test_ranges(text: str, expected):
    assert split_range(text) == expected


@pytest.mark.parametrize("text", ["a..b..c", "a....b", "a...b..c"])
def test_what_is_no_range_is_refused(text: str):
    with pytest.raises(RepositoryError, match="is not a range"):
        split_range(text)


@given(st.text("main@{}~^:0129HEAD.-/\0\udcff é", max_size=14))
def test_any_text_is_a_commit_or_a_clear_error(repo: Repository, text: str):
    with suppress(DvcsError):
        assert len(repo.parse(text).oid) == 20


@given(st.text("main@~^0129HEADtopic{}", min_size=1, max_size=10))
def test_where_git_knows_a_commit_we_say_the_same(repo: Repository, text: str):
    try:
        ours = repo.resolve(text)
    except DvcsError:
        return
    done = subprocess.run(
        ["git", "rev-parse", "--verify", "--quiet", f"{text}^{{commit}}"],
        cwd=repo.layout.git,
        capture_output=True,
        check=False,
    )
    if done.returncode == 0 and "@{" not in text:
        assert ours.hex() == done.stdout.decode().strip()
