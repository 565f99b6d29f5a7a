"""
The gate under fire: hooks that are killed, commits of many processes that hooks judge.

Merges, picks and commits of many processes at once: nothing acknowledged is lost.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dvcs.errors import BranchMoved
from dvcs.repository import Repository, hooks
from dvcs.repository.merges import merging, picking
from tests.repository.scenes import (
    change_item,
    check_sound,
    commit,
    contents,
    findings,
    git,
    item,
    items,
)
from tests.safety.harness import copied, scaled
from tests.safety.test_concurrency import MOST_ATTEMPTS, join, spawn

pytestmark = pytest.mark.slow

ROUNDS = scaled(12)


def install(root: Path, name: str, text: str) -> None:
    """Install a hook that the user trusts."""
    path = root.parent / f"{name}.py"
    path.write_text(text)
    with Repository(root) as repo:
        hooks.install(repo.layout, path, name, force=True)


def insist(work) -> bytes:
    """Do something again until nobody else was faster."""
    for _ in range(MOST_ATTEMPTS):
        try:
            return work()
        except BranchMoved:
            continue
    raise AssertionError


# -- killed --------------------------------------------------------------------------------------

WAITS = "import time; from pathlib import Path; Path('here').touch(); time.sleep(30)"


@pytest.mark.parametrize("name", ["pre-commit", "commit-msg", "post-commit"])
@pytest.mark.parametrize("what", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_command_that_ends_while_its_hook_runs_loses_nothing(tmp_path: Path, name: str, what):
    with copied(prepared(tmp_path)) as root:
        install(root, name, WAITS)
        with Repository(root) as repo:
            before = repo.resolve()
        command = [sys.executable, "-m", "dvcs", "remove", "b"]
        with (
            (tmp_path / "told").open("w") as told,
            subprocess.Popen(command, cwd=root, stderr=told) as process,
        ):
            while not (root / "here").exists():
                assert process.poll() is None
                time.sleep(0.005)
            process.send_signal(what)
        stop_hook(root)
        with Repository(root) as repo:
            hooks.remove(repo.layout, name)
            assert findings(repo) == []
            made = repo.resolve() != before
            assert made == (name == "post-commit")
            if what == signal.SIGINT:
                assert process.returncode == (0 if made else 130)
                text = (tmp_path / "told").read_text()
                assert ("was interrupted; what it follows is done" in text) == made
            change_item(repo, item("0001", x=70.0))
            check_sound(repo, warnings=True)


def prepared(tmp_path: Path) -> Path:
    with Repository.init(tmp_path / "prepared") as repo:
        commit(repo, items(3))
        commit(repo, items(3), source="b")
    return tmp_path / "prepared"


def stop_hook(root: Path) -> None:
    """End a hook whose command was killed: it would only sleep."""
    done = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True, check=False)
    for line in done.stdout.splitlines():
        pid, _, command = line.strip().partition(" ")
        if str(root) in command and pid.isdecimal():
            os.kill(int(pid), signal.SIGKILL)


# -- many at once --------------------------------------------------------------------------------


def test_commits_that_a_hook_judges_are_all_there(tmp_path: Path):
    with Repository.init(tmp_path / "repo") as repo:
        commit(repo, items(3))
    root = tmp_path / "repo"
    text = "import os; from dvcs.repository import Repository\n"
    text += "with Repository() as repo:\n"
    text += "    held = repo.snapshot(repo.resolve(os.environ['DVCS_COMMIT']))\n"
    text += "    before = repo.snapshot(repo.resolve(os.environ['DVCS_BEFORE']))\n"
    text += "    assert held.count('a') == before.count('a') + 1\n"
    install(root, "pre-commit", text)

    def write(number: int) -> None:
        with Repository(root) as own:
            for n in range(scaled(3)):
                one = item(f"{number}-{n}", x=float(n))
                insist(lambda one=one: change_item(own, one))

    assert join([spawn(lambda n=n: write(n)) for n in range(3)]) == [0] * 3  # type: ignore[misc]
    with Repository(root) as repo:
        assert len(contents(repo)) == 3 + 3 * scaled(3)
        check_sound(repo)


def test_merges_and_picks_beside_commits_lose_nothing(tmp_path: Path):
    root = tmp_path / "repo"
    with Repository.init(root) as repo:
        commit(repo, items(10))
        for name in ("topic", "other"):
            repo.create_branch(name, repo.resolve())

    def write(branch: str, number: int) -> None:
        with Repository(root) as own:
            for n in range(ROUNDS):
                one = item(f"{number}-{n}", x=float(n))
                insist(lambda one=one: change_item(own, one, branch=branch))

    def merge(branch: str) -> None:
        with Repository(root) as own:
            for n in range(ROUNDS // 2):
                one = item(f"{branch}-{n}", x=float(n))
                made = insist(lambda one=one: change_item(own, one, branch=branch))
                request = merging.Request(revision=branch)
                assert insist(lambda request=request: merging.merge(own, request).commit)
                (base,) = merging.merge_bases(own.store, own.resolve("main"), made)
                assert base == made

    def pick() -> None:
        with Repository(root) as own:
            for n in range(ROUNDS // 2):
                one = item(f"pick-{n}", x=float(n))
                made = insist(lambda one=one: change_item(own, one, branch="other"))
                insist(lambda made=made: picking.cherry_pick(own, made.hex()).oid)

    work = [lambda: write("main", 0), lambda: write("main", 1), lambda: merge("topic"), pick]
    assert join([spawn(one) for one in work]) == [0] * len(work)
    wanted = {f"{number}-{n}" for number in (0, 1) for n in range(ROUNDS)}
    wanted |= {f"{name}-{n}" for name in ("topic", "pick") for n in range(ROUNDS // 2)}
    with Repository(root) as repo:
        held = {id for _, _, id in contents(repo)}
        assert wanted <= held
        assert len(held) == 10 + len(wanted)
        assert len(git(repo, "rev-list", "--merges", "main").split()) >= ROUNDS // 2
        check_sound(repo)
