"""Links in `.dvcs`: a repository that has one is not opened, so nothing goes through it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dvcs.commands import run
from dvcs.errors import RepositoryError
from dvcs.repository import Repository, layout, links, locks
from dvcs.repository.oplog import Move, change
from tests.repository import pets
from tests.repository.scenes import commit, files, git, items

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")

FOLDERS = (
    "state",
    "state/copies",
    "state/copies/undo",
    "state/copies/stage-1-ab",
    "state/hooks",
    "state/merge",
    "state/leaks",
    "state/trash",
    "media",
    "media/packs",
    "media/ab",
    "objects",
    "objects/pack",
    "objects/info",
    "objects/ab",
    "refs",
    "refs/heads",
    "refs/dvcs",
)
FILES = (
    "HEAD",
    "config",
    "packed-refs",
    "state/lock",
    "state/writers",
    "state/upkeep",
    "state/operations",
    "state/version",
    "state/tokens",
    "state/policy",
    "state/copies/lock",
    "state/copies/pets.json",
    "state/copies/pets.index",
    "state/copies/pending",
    "objects/pack/pack-1.pack",
    "media/packs/1.idx",
)
COMMANDS = (
    ("log",),
    ("status",),
    ("commit", "-m", "x"),
    ("checkout", "-b", "new"),
    ("stash",),
    ("undo",),
    ("fsck",),
    ("gc", "--prune"),
    ("trust",),
    ("doctor",),
)


@pytest.fixture
def sent(tmp_path: Path) -> Path:
    """The working folder of a repository with a changed working copy."""
    repo, folder = pets.tracked(tmp_path / "sent", count=2)
    repo.close()
    pets.edit(folder, lambda data: pets.note(data, 12)["bbox"].__setitem__(0, 35.0))
    return tmp_path / "sent"


def lead_away(place: Path, target: Path) -> None:
    """Replace what is at a place by a link to what is the same elsewhere."""
    if place.is_dir():
        shutil.copytree(place, target)
        shutil.rmtree(place)
    elif place.exists():
        shutil.copy(place, target)
        place.unlink()
    elif "." in place.name or place.parent.name == "state":
        target.write_bytes(b"no newline")
    else:
        target.mkdir()
    place.parent.mkdir(exist_ok=True, parents=True)
    place.symlink_to(target)


@pytest.mark.parametrize("name", [*FOLDERS, *FILES])
def test_a_repository_with_a_link_is_not_opened_and_nothing_is_touched(
    sent: Path, tmp_path: Path, name: str, capfd: pytest.CaptureFixture[str]
):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    lead_away(sent / ".dvcs" / name, elsewhere / "target")
    before = files(elsewhere)
    with pytest.raises(RepositoryError, match="is a link") as caught:
        Repository(sent)
    assert str(sent / ".dvcs" / name) in str(caught.value)
    for command in COMMANDS:
        assert run(["-C", str(sent), *command]) in (2, 3), command
    assert "Traceback" not in capfd.readouterr().err
    assert files(elsewhere) == before


def test_a_link_that_leads_nowhere_is_refused_too(sent: Path, tmp_path: Path):
    (sent / ".dvcs" / "state" / "upkeep").unlink(missing_ok=True)
    (sent / ".dvcs" / "state" / "upkeep").symlink_to(tmp_path / "made")
    with pytest.raises(RepositoryError, match="is a link"):
        Repository(sent)
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("name", ["media", "objects"])
def test_who_wants_another_disk_is_told_what_to_do(sent: Path, tmp_path: Path, name: str):
    lead_away(sent / ".dvcs" / name, tmp_path / "disk")
    with pytest.raises(RepositoryError) as caught:
        Repository(sent)
    assert "move the whole working folder to it and make that a link" in (caught.value.hint or "")
    assert "mount --bind" in (caught.value.hint or "")


def test_the_folder_itself_may_not_be_a_link(sent: Path, tmp_path: Path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / ".dvcs").symlink_to(sent / ".dvcs")
    with pytest.raises(RepositoryError, match=r"other/\.dvcs' is a link") as caught:
        Repository(tmp_path / "other")
    assert caught.value.exit_code == 3
    assert caught.value.hint is not None


def test_the_working_folder_may_be_reached_through_a_link(sent: Path, tmp_path: Path):
    (tmp_path / "short").symlink_to(sent)
    assert Repository(tmp_path / "short").root == sent


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may do anything")
def test_a_folder_that_cannot_be_listed_is_no_way_round(sent: Path):
    (sent / ".dvcs" / "state").chmod(0o300)
    try:
        with pytest.raises(RepositoryError, match="cannot be written or read"):
            Repository(sent)
    finally:
        (sent / ".dvcs" / "state").chmod(0o700)


def test_what_git_has_there_and_dvcs_does_not_use_may_be_a_link(sent: Path, tmp_path: Path):
    (sent / ".dvcs" / "hooks").symlink_to(tmp_path)
    hook = tmp_path / "check.py"
    hook.write_text("")
    (sent / ".dvcs" / "state" / "hooks" / "pre-commit.py").symlink_to(hook)
    assert Repository(sent).branches()


def test_no_branch_is_made_through_a_link(tmp_path: Path):
    repo = Repository.init(tmp_path / "repo")
    oid = commit(repo, items(1))
    (tmp_path / "away").mkdir()
    (repo.layout.git / "refs" / "heads" / "user").symlink_to(tmp_path / "away")
    with pytest.raises(RepositoryError, match=r"heads/user' is a link"):
        repo.create_branch("user/one", oid)
    with pytest.raises(RepositoryError, match=r"heads/user' is a link"):
        change(repo.layout, "x", [Move("refs/heads/user/deep/one", None, oid.hex())])
    assert files(tmp_path / "away") == {}
    assert list((tmp_path / "away").iterdir()) == []
    (tmp_path / "away" / "two").write_text(oid.hex() + "\n")
    with pytest.raises(RepositoryError, match=r"heads/user' is a link"):
        change(repo.layout, "x", [Move("refs/heads/user/two", oid.hex(), None)])
    assert (tmp_path / "away" / "two").exists()


def test_a_lock_is_not_followed(tmp_path: Path):
    precious = tmp_path / "precious"
    precious.write_text("mine")
    (tmp_path / "lock").symlink_to(precious)
    with pytest.raises(RepositoryError), locks.exclusive(tmp_path / "lock"):
        pass
    assert precious.read_text() == "mine"


def test_single_objects_and_media_are_not_read_through_links(tmp_path: Path):
    theirs = Repository.init(tmp_path / "theirs")
    oid = commit(theirs, items(1))
    with theirs.media.writer() as writer:
        held = writer.add_bytes(b"secret" * 20_000)
    pack = next((theirs.layout.git / "objects" / "pack").glob("*.pack"))
    mine = Repository.init(tmp_path / "mine")
    git(mine, "unpack-objects", "-q", data=pack.read_bytes())
    commit_file = mine.layout.git / "objects" / oid.hex()[:2] / oid.hex()[2:]
    commit_file.rename(tmp_path / "object")
    commit_file.symlink_to(tmp_path / "object")
    file = mine.layout.media / held.sha256[:2] / held.sha256
    file.parent.mkdir()
    file.symlink_to(theirs.media.path_of(held.sha256))
    fresh = Repository(mine.root)
    assert oid not in fresh.store
    assert held.sha256 not in fresh.media


def test_looking_for_links_takes_no_time(sent: Path):
    for n in range(256):
        for folder in ("objects", "media"):
            (sent / ".dvcs" / folder / f"{n:02x}").mkdir(exist_ok=True)
    asked: list[str] = []

    def audit(event: str, args: tuple[object, ...]) -> None:
        if event in {"os.scandir", "os.listdir", "open"} and counting:
            asked.append(str(args[0]))

    counting = False
    sys.addaudithook(audit)
    counting = True
    links.refuse(sent / ".dvcs")
    counting = False
    assert len(asked) == len(links.INNER) + 1


@pytest.mark.parametrize(
    "name", [".dvcs", ".DVCS", ".Dvcs. ", ".dvcs::$DATA", "DVCS~1", ".d\u200cvcs"]
)
def test_every_name_that_a_disk_may_take_for_our_folder_is_known(name: str):
    assert layout.is_own(name)


@pytest.mark.parametrize("name", ["dvcs", ".dvcsignore", "x.dvcs", "DVCS~", ".git", ""])
def test_other_names_are_not_ours(name: str):
    assert not layout.is_own(name)


def test_gits_own_clone_has_no_links(sent: Path, tmp_path: Path):
    subprocess.run(
        ["git", "clone", "-q", "--bare", "--local", str(sent / ".dvcs"), str(tmp_path / ".dvcs")],
        check=True,
    )
    assert Repository(tmp_path).branches()
