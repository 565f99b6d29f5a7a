"""Dry runs and whatever only reads, on a disk that cannot be written."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dvcs.errors import Locked
from dvcs.repository import Repository, locks
from dvcs.repository.importing import Request, run
from dvcs.repository.merges import merging
from dvcs.repository.patches.applying import patch_lines
from dvcs.repository.trying import trying
from dvcs.repository.working import checkout, worktree
from tests.repository import pets
from tests.repository.scenes import coco, files, state

ROOT = Path(__file__).parents[2]
MOUNT = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && cd "$1" && shift && exec "$@"'
"""Makes a folder read-only, for the processes of a namespace of their own."""


def read_only(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["unshare", "-rm", "sh", "-c", MOUNT, "sh", str(folder), *command],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    """A working copy with two changes on `topic`, one on `main`; patch, and dataset to import."""
    if shutil.which("unshare") is None or read_only(tmp_path, "true").returncode:
        pytest.skip("this system lets nobody make a folder read-only for one process")
    repo, folder = pets.tracked(tmp_path / "repo")
    checkout.checkout(repo, "main", create="topic")
    for id, x in ((12, 31.0), (22, 32.0)):
        pets.edit(folder, lambda data, id=id, x=x: pets.note(data, id)["bbox"].__setitem__(0, x))
        worktree.commit(repo, message=f"Move {id}")
    checkout.checkout(repo, "main")
    pets.edit(folder, lambda data: pets.note(data, 32)["bbox"].__setitem__(0, 33.0))
    worktree.commit(repo, message="Move 32")
    coco(tmp_path / "new", 3, large=1)
    lines = patch_lines(repo, repo.resolve("topic~1"), repo.resolve("topic"))
    (tmp_path / "x.patch").write_bytes(b"".join(lines))
    repo.close()
    return repo


DRY = {
    "merge topic": "2 items taken",
    "merge topic HEAD": "2 voters",
    "merge --squash topic": "without conflicts",
    "cherry-pick topic": "can be picked",
    "revert HEAD": "can be reverted",
    "apply ../x.patch": "can be applied",
    "apply --check ../x.patch": "can be applied",
    "restore --from topic pets": "3 changed",
    "restore": "1 file written",
    "checkout topic": "1 file written",
    "reset HEAD~1": "first",
    "undo": "would take back",
    "commit -m x": "no differences",
    "import ../new -n new": "would import 'new'",
    "import ../new -n pets --mode replace": "would record 'pets'",
    "import pets -n other": "would import 'other'",
    "remove pets": "would remove",
    "add ../new": "would track",
    "gc": "nothing to remove",
}


def test_every_dry_run_works_where_nothing_can_be_written(repo: Repository):
    before = files(repo.root)
    script = (
        "from tests.commands.cli import dvcs\n"
        f"for line, told in {DRY!r}.items():\n"
        "    dry = [] if '--check' in line else ['--dry-run']\n"
        "    done = dvcs(*line.split(), *dry)\n"
        "    assert done.code == 0 and told in done.out + done.err, (line, done)\n"
        "print('all done')\n"
    )
    told = read_only(repo.root, sys.executable, "-c", script)
    assert told.stdout == "all done\n", told.stdout + told.stderr
    assert files(repo.root) == before


@pytest.mark.parametrize(
    "command",
    ["status", "log", "diff HEAD~1", "show", "info", "blame pets/train/1", "fsck", "validate"],
)
def test_what_only_reads_does_so(repo: Repository, command: str):
    done = read_only(repo.root, sys.executable, "-m", "dvcs", *command.split())
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_what_writes_says_that_it_cannot(repo: Repository):
    done = read_only(repo.root, sys.executable, "-m", "dvcs", "merge", "topic")
    assert done.returncode == 3
    assert "the disk is read-only" in done.stderr


def test_methods_of_the_api_try_it_too(repo: Repository):
    script = (
        "from dvcs.repository import Repository\n"
        "with Repository() as repo:\n"
        "    assert repo.merge('topic', dry_run=True).status == 'merged'\n"
        "    assert repo.apply('../x.patch', dry_run=True).committed.changed\n"
        "    assert repo.restore_from('topic', 'pets', dry_run=True).committed.changed\n"
        "    assert (repo.scratch, repo.store.scratch, repo.media.scratch) == (None, None, None)\n"
        "    assert len(list(repo.dataset())) == 4\n"
    )
    done = read_only(repo.root, sys.executable, "-c", script)
    assert done.returncode == 0, done.stderr


def test_where_it_can_be_written_locks_are_taken_as_ever(tmp_path: Path):
    repo, _ = pets.tracked(tmp_path / "repo")
    with trying(repo):
        assert repo.scratch is None
        taken = locks.exclusive(repo.layout.writers, patience=0)
        with repo.transaction(), pytest.raises(Locked, match="another process is writing"), taken:
            pass


def test_a_scratch_is_written_read_again_and_gone_afterwards(tmp_path: Path):
    """As on a read-only disk, on a system that has none: what is made is not in the repository."""
    repo, _ = pets.tracked(tmp_path / "repo")
    coco(tmp_path / "new", 3, large=1)
    before = state(repo)
    folder = tmp_path / "scratch"
    folder.mkdir()
    repo.scratch = repo.media.scratch = folder
    repo.store.scratch = folder / "packs"
    with locks.reading(repo.layout.git), repo.transaction() as change:
        oid = change.writer.blob(b"made on the way\n")
        change.writer.publish()
        assert repo.store.blob(oid) == b"made on the way\n"
        assert [path.parent for path in folder.rglob("*.pack")] == [folder / "packs"]
    with locks.reading(repo.layout.git):
        run(repo, Request(data=tmp_path / "new", name="new", dry_run=True))
        assert merging.merge(repo, merging.Request(revision="main", dry_run=True))
    assert state(repo) == before
