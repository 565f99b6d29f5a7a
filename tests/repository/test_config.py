"""Settings and identity: where they come from, what is never read, what Git makes of them."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvcs.errors import RepositoryError, UsageError
from dvcs.repository import Repository, config, identity
from tests.repository.scenes import check_sound, commit, files, findings, git, items


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """No identity in the environment."""
    for name in ("DVCS_AUTHOR_NAME", "DVCS_AUTHOR_EMAIL", "GIT_CONFIG_GLOBAL"):
        monkeypatch.delenv(name, raising=False)


def test_a_setting_is_written_where_git_reads_it(repo: Repository):
    config.put_own(repo.layout, "remote.origin.url", "https://example.org/x")
    config.put_own(repo.layout, "user.name", 'Ada "the first" # Lovelace; \\ é')
    assert config.get(repo.layout, "remote.origin.url") == "https://example.org/x"
    assert config.get(repo.layout, "User.Name") == 'Ada "the first" # Lovelace; \\ é'
    assert git(repo, "config", "remote.origin.url") == "https://example.org/x\n"
    assert git(repo, "config", "user.name") == 'Ada "the first" # Lovelace; \\ é\n'
    assert git(repo, "config", "gc.auto") == "0\n"
    check_sound(repo)
    config.put_own(repo.layout, "user.name", None)
    assert config.get(repo.layout, "user.name") is None
    check_sound(repo)


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=30))
def test_values_are_read_back(tmp_path_factory, value: str):
    file = tmp_path_factory.mktemp("config") / "config"
    config.put(file, "test.value", value)
    assert dict(config.entries(file)) == {"test.value": value}
    done = subprocess.run(
        ["git", "config", "-f", str(file), "-z", "test.value"], capture_output=True, check=True
    )
    assert done.stdout.decode() == value + "\0"


@pytest.mark.parametrize("value", ["a\nb", "a\0b", "\x1b[31m", "x\r"])
def test_values_with_control_characters_are_refused(repo: Repository, value: str):
    before = files(repo.layout.git)
    with pytest.raises(UsageError, match="control"):
        config.put_own(repo.layout, "user.name", value)
    assert files(repo.layout.git) == before


@pytest.mark.parametrize("key", ["core.bare", "gc.auto", "receive.autogc", "extensions.x"])
def test_what_protects_the_repository_is_not_to_be_set(repo: Repository, key: str):
    with pytest.raises(UsageError, match="is not to be set"):
        config.put_own(repo.layout, key, "1")


@pytest.mark.parametrize(
    "key", ["", "user", "user.", ".name", "us er.name", "a.b c", "1.x", "a\n.b"]
)
def test_what_is_no_setting_is_refused(repo: Repository, key: str):
    with pytest.raises(UsageError, match="is not a setting"):
        config.get(repo.layout, key)


def test_removing_what_is_not_set_is_refused(repo: Repository):
    with pytest.raises(UsageError, match="is not set"):
        config.put_own(repo.layout, "user.name", None)


def test_nearer_settings_count_first(repo: Repository, monkeypatch):
    write(config.user_file(), "[merge]\n\tquorum = user\n")
    assert config.get(repo.layout, "merge.quorum") == "user"
    config.put_own(repo.layout, "merge.quorum", "repository")
    assert config.get(repo.layout, "merge.quorum") == "repository"
    monkeypatch.setenv("DVCS_MERGE_QUORUM", "environment")
    assert config.get(repo.layout, "merge.quorum") == "environment"
    assert [value for value, _ in config.origins(repo.layout, "merge.quorum")] == [
        "environment",
        "repository",
        "user",
    ]


def test_the_identity_is_the_only_thing_read_from_gits_files(repo: Repository, home: Path, nobody):
    write(
        home / ".gitconfig",
        "[user]\n\tname = Git User\n\temail = git@example.org\n\tsigningkey = X\n"
        "[commit]\n\tgpgsign = true\n[core]\n\thooksPath = /evil\n[merge]\n\tquorum = 9\n",
    )
    signature = identity.author(repo.layout)
    assert (signature.name, signature.email) == ("Git User", "git@example.org")
    for key in ("commit.gpgsign", "core.hooksPath", "merge.quorum", "user.signingkey"):
        assert config.get(repo.layout, key) is None
    raw = git(repo, "cat-file", "commit", commit(repo, items(1)).hex())
    assert "gpgsig" not in raw


def test_who_commits_is_looked_for_in_order(repo: Repository, home: Path, nobody, monkeypatch):
    assert identity.is_guessed(repo.layout)
    assert "@" in identity.author(repo.layout).email
    steps = [
        lambda: write(home / ".config" / "git" / "config", "[user]\nname = XDG\n"),
        lambda: write(home / ".gitconfig", "[user]\nname = Home\n"),
        lambda: write(config.user_file(), "[user]\nname = Dvcs\n"),
        lambda: config.put_own(repo.layout, "user.name", "Repository"),
        lambda: monkeypatch.setenv("DVCS_AUTHOR_NAME", "Environment"),
    ]
    names = []
    for step in steps:
        step()
        names.append(identity.author(repo.layout).name)
    assert names == ["XDG", "Home", "Dvcs", "Repository", "Environment"]
    assert not identity.is_guessed(repo.layout)


def test_a_git_file_that_cannot_be_read_is_passed_over(repo: Repository, home: Path, nobody):
    write(home / ".gitconfig", "[user\nname = = =\n")
    assert identity.is_guessed(repo.layout)
    commit(repo, items(1))


def test_our_own_file_that_cannot_be_read_is_an_error(repo: Repository):
    write(repo.layout.config, "[user\nname = = =\n")
    with pytest.raises(RepositoryError, match="cannot be read"):
        config.get(repo.layout, "user.name")


def test_a_repository_cannot_have_other_files_read(repo: Repository, tmp_path: Path, nobody):
    secret = write(tmp_path / "secret", "[user]\n\tname = Secret\n")
    with repo.layout.config.open("a") as file:
        file.write(f"[include]\n\tpath = {secret}\n")
    assert identity.is_guessed(repo.layout)


def test_names_cannot_break_a_commit(repo: Repository, monkeypatch):
    monkeypatch.setenv("DVCS_AUTHOR_NAME", "Eve\n<x>\x00committer Z".replace("\0", ""))
    monkeypatch.setenv("DVCS_AUTHOR_EMAIL", "  ")
    raw = git(repo, "cat-file", "commit", commit(repo, items(1)).hex())
    assert "\nauthor Evexcommitter Z <" in raw
    check_sound(repo)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("1700000000 +0100", "1700000000 +0100"),
        ("1700000000 -0930", "1700000000 -0930"),
        ("0", "0 +0000"),
        ("999999999999 +2359", "999999999999 +2359"),
    ],
)
def test_a_date_can_be_given(repo: Repository, monkeypatch, text: str, line: str):
    monkeypatch.setenv("DVCS_AUTHOR_DATE", text)
    assert f"> {line}\n" in git(repo, "cat-file", "commit", commit(repo, items(1)).hex())
    check_sound(repo)


@pytest.mark.parametrize("text", ["", "now", "-5", "1 +9999", "1 +01", "1e9", "\uff11"])
def test_what_is_no_date_is_refused(repo: Repository, monkeypatch, text: str):
    monkeypatch.setenv("DVCS_AUTHOR_DATE", text)
    with pytest.raises(UsageError, match="which is no date"):
        commit(repo, items(1))


def test_an_edited_file_is_told_of(repo: Repository):
    config.put_own(repo.layout, "user.name", "Ada")
    git(repo, "config", "user.name", "Eve")
    (finding,) = findings(repo, "warning")
    assert (finding.where, finding.message) == ("config", "was edited by hand, or is damaged")
    config.put_own(repo.layout, "user.name", "Ada")
    check_sound(repo)
