import subprocess

import pytest

from dvcs.repository import Repository
from tests.commands.cli import dvcs, ok


def test_branches_are_listed_made_renamed_and_deleted(repo):
    ok("branch", "old", "HEAD~1")
    lines = ok("branch").split("\n")
    assert [line.split("  ")[0] for line in lines[:2]] == ["* main", ""]
    assert lines[0].endswith("Second version")
    assert lines[1].endswith("First version")
    names = dvcs("branch", "--json").json["dvcs.branch/1"]
    assert [(one["name"], one["current"]) for one in names] == [("main", True), ("old", False)]
    ok("branch", "-m", "old", "older")
    ok("branch", "-m", "trunk")
    assert list(Repository(repo).branches()) == ["older", "trunk"]
    assert Repository(repo).refs.head_branch() == "trunk"
    ok("branch", "-d", "older")
    assert list(Repository(repo).branches()) == ["trunk"]


def test_a_branch_is_not_lost_by_mistake(repo):
    assert dvcs("branch", "-d", "main").code == 2
    assert "did you mean 'main'?" in dvcs("branch", "-d", "mian").err
    ok("branch", "ahead")
    with Repository(repo) as held:
        from dvcs.model import Dataset, Item

        held.commit(Dataset.from_items([Item("x")]), message="x", source="n", branch="ahead")
    done = dvcs("branch", "-d", "ahead")
    assert done.code == 3
    assert "delete it anyway with -D" in done.err
    ok("branch", "-D", "ahead")


def test_names_that_git_refuses_are_refused(repo):
    for name in ("a..b", "-x", "a b", "HEAD", "x.lock"):
        assert dvcs("branch", "--", name).code == 2
    assert dvcs("branch", "main/sub").code == 3
    assert dvcs("branch", "main").code in (2, 3)


def test_tags_are_what_git_makes(repo):
    ok("tag", "light", "HEAD~1")
    ok("tag", "v1.0", "-m", "As given to the customer\n\nwith thanks")
    listed = dvcs("tag", "--json").json["dvcs.tag/1"]
    assert [(one["name"], one["message"]) for one in listed] == [
        ("light", None),
        ("v1.0", "As given to the customer\n\nwith thanks"),
    ]
    git = ["git", f"--git-dir={repo}/.dvcs"]
    shown = subprocess.run(
        [*git, "cat-file", "-p", "v1.0"], capture_output=True, text=True, check=True
    ).stdout
    assert "tagger Ada Tester <ada@example.org> 1700086400 +0100" in shown
    subprocess.run([*git, "fsck", "--full", "--strict"], check=True, capture_output=True)
    assert ok("log", "--oneline", "v1.0") == ok("log", "--oneline", "HEAD")
    assert "As given to the customer" in ok("tag")


def test_tags_are_moved_on_demand_only(repo):
    ok("tag", "v1")
    assert dvcs("tag", "v1", "HEAD~1").code == 3
    ok("tag", "-f", "v1", "HEAD~1")
    ok("tag", "-d", "v1")
    assert ok("tag") == ""
    assert dvcs("tag", "-d", "v1").code == 2


def test_settings_are_shown_set_and_removed(repo, home):
    assert dvcs("config", "user.name").code == 1
    ok("config", "user.name", "Bob")
    assert ok("config", "user.name") == "Bob\n"
    ok("config", "--global", "user.email", "bob@example.org")
    assert ok("config", "user.email") == "bob@example.org\n"
    origin, value = ok("config", "--show-origin", "user.email").strip().split("\t")
    assert value == "bob@example.org"
    assert origin.startswith(str(home))
    assert "user.name=Bob\n" in ok("config", "--list")
    assert (
        dvcs("config", "user.name", "--json").json["dvcs.config/1"]["user.name"]["value"] == "Bob"
    )
    ok("config", "--unset", "user.name")
    assert dvcs("config", "user.name").code == 1


@pytest.mark.parametrize("arguments", [["gc.auto", "1"], ["nonsense", "1"], ["--unset"]])
def test_settings_that_cannot_be(repo, arguments):
    assert dvcs("config", *arguments).code == 2


def test_the_users_settings_need_no_repository(cwd):
    ok("config", "--global", "user.name", "Eve")
    assert ok("config", "user.name") == "Eve\n"
    assert dvcs("config", "user.name", "Bob").code == 3
