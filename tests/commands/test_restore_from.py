"""`restore --from`: a part of another revision."""

from tests.commands.cli import dvcs, ok


def test_an_item_as_it_was(repo):
    told = ok("restore", "--from", "HEAD~1", "pets/train/a").splitlines()
    assert told[0].startswith("[main ")
    assert told[0].endswith("Restore pets/train/a from HEAD~1]")
    assert told[1:] == ["  items: 1 changed", "  annotations: 1 changed"]
    assert ok("diff", "--name-only", "HEAD~2", "HEAD").splitlines() == [
        "pets/train/b",
        "pets/train/d",
    ]
    assert "nothing to commit" in ok("restore", "--from", "HEAD~2", "pets/train/a")


def test_an_annotation_and_what_an_expression_finds(repo):
    ok("restore", "--from", "HEAD~1", "pets/train/b#n1")
    assert "added" not in ok("diff", "HEAD~2", "HEAD", "--", "pets").split("pets/train/b")[-1]
    report = dvcs(
        "restore", "--from", "HEAD~2", "-e", "//annotation[x=5]", "--dry-run", "--json"
    ).json["dvcs.restore/1"]
    assert report["commit"] is None
    assert report["changed"]
    assert report["summary"]["annotations"]["changed"] == 1
    ok("restore", "--from", "HEAD~2", "--label", "cat", "-m", "Cats")
    assert "Cats" in ok("log", "-n", "1")


def test_without_a_revision_working_copies_are_meant(work):
    done = dvcs("restore", "--label", "cat")
    assert done.code == 2
    assert "say which one with --from REV" in done.err
    assert dvcs("restore", "-m", "why").code == 2


def test_mistakes_are_answered(repo):
    done = dvcs("restore", "--from", "HEAD~1", "pets/train/aa")
    assert done.code == 3
    assert "did you mean 'pets/train/a'?" in done.err
    done = dvcs("restore", "--from", "HEAD~1", "-e", "/item[")
    assert done.code == 2
    assert "^" in done.err
    assert dvcs("restore", "--from", "HEAD~1").code == 2
    assert dvcs("restore", "--from", "nope", "pets").code == 3


def test_an_interrupt_after_the_commit_does_not_say_that_nothing_was_changed(repo, monkeypatch):
    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("dvcs.repository.working.checkout.update_copies", interrupted)
    done = dvcs("restore", "--from", "HEAD~1", "pets/train/a", "-m", "As before")
    assert done.code == 130
    assert "interrupted; 'restore' is done, what follows it is not" in done.err
    assert "dvcs undo" in done.err
    assert "As before" in ok("log", "-n", "1")
    monkeypatch.setattr("dvcs.repository.restores.restoring.restore_from", interrupted)
    done = dvcs("restore", "--from", "HEAD~1", "pets/train/a")
    assert done.err == "error: interrupted; nothing was changed\n"


def test_what_is_nowhere_is_not_said_to_be_here(repo):
    told = ok("restore", "--from", "HEAD~1", "-e", "/item[subset='nope']")
    assert told == "in what is asked for, nothing differs from 'HEAD~1'; nothing to commit\n"
