"""A repository that users share through a group: a folder with setgid, and a umask that fits."""

import contextlib
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from dvcs.repository import Repository
from tests.commands.cli import dvcs as command
from tests.repository.scenes import coco, findings, git
from tests.safety.harness import DONE, Ended, Say, run_in_child

GROUP = 64_100
ADA, BEN = 64_101, 64_102
STEPS = """
import {data}/v1 -n {name}
import {data}/v2 -n {name}
config user.{name} yes
branch {name}-topic
checkout {name}-topic
checkout {name}
import {data}/v3 -n new-{name} -m topic
checkout main
tag -m text {name}-tag
merge --dry-run {name}-topic
merge {name}-topic
bisect start HEAD HEAD~1
bisect reset
trust add {home}
gc --dry-run
gc
status
fsck
"""
READABLE = """
log
status
merge --dry-run ada-topic
gc --dry-run
fsck
"""

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="only root can be two other users"
)


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that any user may enter, with one `repo` of the group."""
    folder = Path(tempfile.mkdtemp(prefix="dvcs-shared-"))
    folder.chmod(0o755)
    for uid in (ADA, BEN):
        home = folder / f"home-{uid}"
        home.mkdir()
        os.chown(home, uid, GROUP)
    (folder / "repo").mkdir()
    os.chown(folder / "repo", ADA, GROUP)
    (folder / "repo").chmod(0o2775)
    for version, x in enumerate((1.0, 2.0, 3.0), 1):
        coco(folder / "data" / f"v{version}", 2 + version, large=2, x=x)
    load_modules(folder)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def load_modules(place: Path) -> None:
    """Do it all in this process: other users may not read the folder that modules come from."""
    with tempfile.TemporaryDirectory() as name, contextlib.chdir(name):
        for line in f"init{STEPS}{READABLE}".splitlines():
            command(*line.format(data=place / "data", name="ada", home=place).split())
        assert command("branch", "ada-topic").code != 0


def as_user(place: Path, uid: int, umask: int, text: str) -> Ended:
    """Run commands in a child that is another user, in the group, until one fails."""
    home = place / f"home-{uid}"
    name = "ada" if uid == ADA else "ben"

    def work(say: Say) -> None:
        os.setgroups([GROUP])
        os.setgid(GROUP)
        os.setuid(uid)
        os.umask(umask)
        os.environ.update(HOME=str(home), XDG_CONFIG_HOME=str(home / ".config"))
        os.chdir(place / "repo")
        for line in text.format(data=place / "data", name=name, home=home).strip().splitlines():
            done = command(*line.split())
            if done.code != 0:
                say(f"{name}: {line}: {done.code}\n{done.out}{done.err}".encode())
                return

    return run_in_child(work)


def test_two_users_of_a_group_work_in_one_repository(place: Path):
    assert as_user(place, ADA, 0o002, f"init{STEPS}") == Ended(DONE, b"")
    assert as_user(place, BEN, 0o002, STEPS) == Ended(DONE, b"")
    assert as_user(place, ADA, 0o002, STEPS.replace("{name}", "third")) == Ended(DONE, b"")
    for path in (place / "repo" / ".dvcs").rglob("*"):
        assert path.stat().st_gid == GROUP, path
        assert path.stat().st_mode & stat.S_IRGRP, path
        assert not path.is_dir() or path.stat().st_mode & stat.S_IWGRP, path
    assert {path.stat().st_uid for path in (place / "repo" / ".dvcs").rglob("*")} == {ADA, BEN}
    with Repository(place / "repo") as repo:
        assert findings(repo) == []
        git(repo, "-c", "safe.directory=*", "fsck", "--full", "--strict", "--no-dangling")


def test_who_may_only_read_can_look_and_try(place: Path):
    assert as_user(place, ADA, 0o022, f"init{STEPS}") == Ended(DONE, b"")
    assert as_user(place, BEN, 0o022, READABLE) == Ended(DONE, b"")
    # Folders alone were opened to the group: the locks in them are not.
    for path in (place / "repo").rglob("*"):
        if path.is_dir():
            path.chmod(0o2775)
    assert as_user(place, BEN, 0o022, READABLE) == Ended(DONE, b"")
    told = as_user(place, BEN, 0o022, "branch other").said.decode()
    assert "Permission denied" in told
    assert "this user may not write there" in told
    # What docs/storage.md says to do then.
    for path in (place / "repo").rglob("*"):
        if path.is_file() and path.stat().st_mode & stat.S_IWUSR:
            path.chmod(path.stat().st_mode | stat.S_IWGRP)
    assert as_user(place, BEN, 0o002, STEPS) == Ended(DONE, b"")


def test_what_a_strict_umask_makes_is_nobody_elses(place: Path):
    assert as_user(place, ADA, 0o077, f"init{STEPS}") == Ended(DONE, b"")
    for path in (place / "repo" / ".dvcs").rglob("*"):
        assert not path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO), path
