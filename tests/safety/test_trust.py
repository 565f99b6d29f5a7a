"""
Nothing in a folder that somebody sent is run: every command, in a repository full of traps.

All processes that are begun, and all modules that are imported from the folder, are recorded by an
audit hook of the interpreter.
"""

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from dvcs.commands import run
from dvcs.repository import Repository, hooks
from tests.repository import pets
from tests.repository.scenes import item
from tests.safety.harness import DONE, Say, run_in_child

pytestmark = pytest.mark.slow

BEGINS = {"subprocess.Popen", "os.exec", "os.posix_spawn", "os.spawn", "os.system", "os.startfile"}
TRAP = "#!/bin/sh\ntouch {crime}\n"
PYTHON_TRAP = "open({crime!r}, 'w').close()\n"
CONFIG = """
[core]
\thooksPath = {here}
\tfsmonitor = {here}/trap
\tsshCommand = {here}/trap
\tpager = {here}/trap
\teditor = {here}/trap
[merge "dvcs"]
\tdriver = {here}/trap
[filter "lfs"]
\tclean = {here}/trap
\tsmudge = {here}/trap
[include]
\tpath = {here}/included
"""
COMMANDS = (
    ("status",),
    ("log",),
    ("info",),
    ("show", "HEAD"),
    ("diff",),
    ("validate",),
    ("hooks",),
    ("hooks", "run", "pre-commit"),
    ("doctor",),
    ("config", "--list"),
    ("commit", "-m", "x"),
    ("commit", "-m", "x", "--no-verify"),
    ("export", "-f", "coco", "-o", "out"),
    ("import", "more", "-n", "more"),
    ("import", "more", "-n", "more", "--no-verify"),
    ("branch", "new"),
    ("checkout", "other"),
    ("checkout", "main"),
    ("merge", "other"),
    ("merge", "other", "--no-verify"),
    ("revert", "HEAD~1", "--no-verify", "-m", "1"),
    ("cherry-pick", "other", "--no-verify"),
    ("stash",),
    ("restore",),
    ("undo",),
    ("fsck",),
    ("gc",),
)


@pytest.fixture
def sent(tmp_path: Path) -> Path:
    """A folder with a repository, its working copy changed, and traps wherever one could be."""
    root = tmp_path / "sent"
    repo, folder = pets.tracked(root, count=2)
    repo.create_branch("other", repo.resolve())
    from dvcs.repository.editing import set_items

    set_items(repo, "pets", [item("new")], message="other", branch="other")
    repo.close()
    pets.edit(folder, lambda data: pets.note(data, 12)["bbox"].__setitem__(0, 35.0))
    pets.make(root / "more", 1)
    crime = str(tmp_path / "crime")
    git = root / ".dvcs"
    for place in (git / "state" / "hooks", git / "hooks", root):
        place.mkdir(exist_ok=True)
        for name in (*hooks.NAMES, "trap", "post-index-change", "reference-transaction"):
            (place / name).write_text(TRAP.format(crime=crime))
            (place / name).chmod(0o755)
    for place in (root, git, git / "plugins", git / "state", git / "state" / "hooks"):
        place.mkdir(exist_ok=True)
        for name in ("sitecustomize", "numpy", "json", "dvcs_plugin", "cv2", "conftest"):
            (place / f"{name}.py").write_text(PYTHON_TRAP.format(crime=crime))
    with (git / "config").open("a") as config:
        config.write(CONFIG.format(here=root))
    (root / "included").write_text("[user]\n\tname = nobody\n")
    (git / "state" / "trust.json").write_text('{"version":1,"trusted":{}}')
    (root / ".env").write_text(f"DVCS_HOOK=1\nEDITOR={root}/trap\n")
    return root


def test_no_command_runs_anything_from_a_folder_that_was_sent(sent: Path):
    def work(say: Say) -> None:
        os.chdir(sent)
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        seen: list[str] = []

        def audit(event: str, args: tuple[Any, ...]) -> None:
            if event == "subprocess.Popen" and args[0] == "uname":
                return  # Python's own, asked by `doctor`
            if event in BEGINS or (event == "import" and str(sent) in str(args[1])):
                seen.append(f"{event} {args[:2]}")

        sys.addaudithook(audit)
        codes = {" ".join(one): run(list(one)) for one in COMMANDS}
        assert seen == [], seen
        refused = {name for name, code in codes.items() if code == 1}
        assert {"commit -m x", "import more -n more", "hooks run pre-commit"} <= refused, codes
        assert codes["commit -m x --no-verify"] == 0, codes
        assert not {name for name, code in codes.items() if code not in (0, 1, 3)}, codes
        say(str(sorted(codes.values())).encode())

    ended = run_in_child(work, timeout=60)
    assert ended.code == DONE, ended.said.decode()
    assert not (sent.parent / "crime").exists()
    with Repository(sent) as repo:
        assert "by hand" in "".join(one.message for one in _found(repo))


def _found(repo: Repository) -> list[Any]:
    from dvcs.repository.fsck import fsck

    return list(fsck(repo))
