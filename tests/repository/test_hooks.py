"""Hooks: what they get, what they may refuse, and that nothing runs without the user's trust."""

import os
import shutil
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from dvcs.errors import HookRefused, RepositoryError, UnknownName, UsageError
from dvcs.model import Bbox, Item
from dvcs.repository import Repository, gc, hook_samples, hooks, trust
from dvcs.repository.editing import set_items
from dvcs.repository.merges.merging import Request, go_on, merge
from dvcs.repository.merges.picking import cherry_pick, revert
from dvcs.repository.oplog import Log
from dvcs.repository.working import checkout, worktree
from tests.repository import pets
from tests.repository.scenes import change_item, check_sound, commit, contents, item, items, state

SAYS = """
import os, sys
from pathlib import Path
lines = [f"{name}={value}" for name, value in sorted(os.environ.items()) if name[:5] == "DVCS_"]
lines += [f"arguments={sys.argv[1:]}", f"cwd={os.getcwd()}"]
Path("said").open("a").write("\\n".join(lines))
"""


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    repo = Repository.init(tmp_path / "repo")
    commit(repo, items(3))
    return repo


def hook(repo: Repository, name: str, text: str, suffix: str = ".py") -> Path:
    """Install a hook that the user trusts."""
    path = repo.root.parent / f"{name}{suffix}"
    path.write_text(text)
    return hooks.install(repo.layout, path, name, force=True).path


def said(repo: Repository) -> dict[str, str]:
    """Return what `SAYS` wrote."""
    lines = (repo.root / "said").read_text().splitlines()
    return dict(line.partition("=")[::2] for line in lines)


def refs(repo: Repository) -> dict[str, bytes]:
    return repo.refs.all()


# -- what they get -------------------------------------------------------------------------------


def test_a_hook_is_told_of_the_commit_which_it_can_read(repo: Repository):
    read = "\nfrom dvcs.repository import Repository\nwith Repository() as repo:\n"
    read += "    item = repo.item(os.environ['DVCS_COMMIT'], 'a', 'train', '0001')\n"
    read += "    print(repo.resolve('HEAD').hex(), item.annotations[0].x)\n"
    hook(repo, "pre-commit", SAYS + read + "sys.exit(3)\n")
    tip = repo.resolve()
    with pytest.raises(HookRefused) as caught:
        change_item(repo, item("0001", x=77.0))
    assert str(caught.value) == (
        f"the hook 'pre-commit' refused the edit (exit code 3)\n  {tip.hex()} 77.0"
    )
    assert caught.value.exit_code == 1
    got = said(repo)
    made = repo.store.commit(bytes.fromhex(got["DVCS_COMMIT"]))
    assert (got["DVCS_TREE"], got["DVCS_PARENTS"]) == (made.tree.hex(), tip.hex())
    assert (got["DVCS_BRANCH"], got["DVCS_BEFORE"]) == ("main", tip.hex())
    assert (got["DVCS_OPERATION"], got["DVCS_HOOK"]) == ("edit", "pre-commit")
    assert (got["DVCS_DIR"], got["cwd"]) == (str(repo.layout.git), str(repo.root))
    assert got["arguments"] == "[]"


def test_a_refused_commit_changes_nothing_and_is_garbage(repo: Repository):
    before = contents(repo)
    hook(repo, "pre-commit", "import sys; sys.exit(1)")
    held, log = refs(repo), len(Log(repo.layout).operations())
    with repo.transaction() as change:
        change.media().add_bytes(b"x" * 100_000)
        change.set_labels("a", change.before.labels("a").replaced([]))
        with pytest.raises(HookRefused):
            change.commit("no labels", operation="edit")
    assert (refs(repo), contents(repo)) == (held, before)
    assert len(Log(repo.layout).operations()) == log
    check_sound(repo)
    swept = gc.collect(repo, dry_run=False, keep_days=0.0, trash_days=0.0)
    assert (swept.media, swept.objects > 0) == (1, True)
    repo.gate.verify = False
    assert change_item(repo, item("0001", x=2.5))


def test_the_commits_of_every_verb_pass_the_gate(repo: Repository):
    repo.create_branch("topic", repo.resolve())
    with repo.transaction(branch="topic") as change:
        change.set_labels("a", change.before.labels("a"))
        made = change.commit("topic", operation="edit", allow_empty=True).oid
    change_item(repo, item("0000", x=9.0), branch="topic")
    change_item(repo, item("0001", x=9.0))
    hook(repo, "pre-commit", "import sys; sys.exit(1)")
    hook(repo, "pre-merge", "import sys; sys.exit(1)")
    held = refs(repo)
    verbs = (
        lambda: repo.import_dataset(worktree_data(repo), name="b"),
        lambda: commit(repo, items(1), source="c"),
        lambda: set_items(repo, "a", [item("0002", x=5.0)], message="edit"),
        lambda: revert(repo, "HEAD"),
        lambda: cherry_pick(repo, "topic"),
        lambda: merge(repo, Request(revision="topic")),
        lambda: merge(repo, Request(revision="topic", squash=True)),
        lambda: merge(repo, Request(revision="main", into="topic")),
        lambda: checkout.remove_source(repo, "a"),
    )
    for verb in verbs:
        with pytest.raises(HookRefused, match=r"^the hook 'pre-(commit|merge)' refused the "):
            verb()
        assert refs(repo) == held
    assert made in repo.store


def worktree_data(repo: Repository) -> Path:
    return pets.make(repo.root.parent / f"pets{time.monotonic_ns()}", 1)


def test_a_fast_forward_is_asked_for_too(repo: Repository):
    repo.create_branch("topic", repo.resolve())
    new = change_item(repo, item("0000", x=9.0), branch="topic")
    hook(repo, "pre-merge", SAYS + "sys.exit(1)")
    tip = repo.resolve()
    merge(repo, Request(revision="topic", dry_run=True))
    assert not (repo.root / "said").exists()
    with pytest.raises(HookRefused, match="'pre-merge' refused the merge"):
        merge(repo, Request(revision="topic"))
    got = said(repo)
    assert (got["DVCS_COMMIT"], got["DVCS_BEFORE"]) == (new.hex(), tip.hex())
    assert repo.resolve() == tip
    repo.gate.verify = False
    assert merge(repo, Request(revision="topic")).status == "fast-forward"


def test_a_refused_commit_of_a_working_copy_leaves_it_changed(tmp_path: Path):
    repo, folder = pets.tracked(tmp_path / "root", count=2)
    pets.edit(folder, lambda data: pets.note(data, 12)["bbox"].__setitem__(0, 35.0))
    hook(repo, "pre-commit", "import sys; sys.exit(1)")
    before = state(repo)
    files = pets.files(folder)
    with pytest.raises(HookRefused):
        worktree.commit(repo, message="second")
    kept = {name: data for name, data in state(repo).items() if name in before}
    assert {name for name in before if before[name] != kept.get(name)} <= {
        "state/copies/pets.index"
    }
    assert pets.files(folder) == files
    assert pets.only(repo).state == "changed"
    hooks.remove(repo.layout, "pre-commit")
    assert worktree.commit(repo, message="second").changed


def test_a_conflicted_merge_is_asked_for_when_it_goes_on(repo: Repository):
    repo.create_branch("topic", repo.resolve())
    change_item(repo, item("0000", x=2.5), branch="topic")
    change_item(repo, item("0000", x=4.5))
    hook(repo, "pre-merge", "import sys; sys.exit(1)")
    from dvcs.repository.merges import conflicts

    assert merge(repo, Request(revision="topic")).status == "conflicts"
    conflicts.resolve(repo, conflicts.Wanted(), "theirs")
    held = refs(repo)
    with pytest.raises(HookRefused):
        go_on(repo)
    assert refs(repo) == held
    repo.gate.verify = False
    assert go_on(repo).status == "merged"


# -- messages ------------------------------------------------------------------------------------


def message(repo: Repository) -> str:
    return repo.store.commit(repo.resolve()).message


def test_a_message_is_taken_as_the_hook_leaves_it(repo: Repository):
    text = "import sys; from pathlib import Path; path = Path(sys.argv[1])\n"
    text += "assert path.read_text() == 'Change 0001\\n', path.read_text()\n"
    text += (
        "path.write_text('PETS-7 ' + path.read_text() + '\\nReviewed-by: Ada <a@example.org>\\n')"
    )
    hook(repo, "commit-msg", text)
    oid = change_item(repo, item("0001", x=77.0))
    assert repo.resolve() == oid
    assert message(repo) == (
        "PETS-7 Change 0001\n\nReviewed-by: Ada <a@example.org>\nDvcs-Operation: edit\n"
    )
    assert list(repo.layout.state.glob("tmp-*")) == []
    check_sound(repo)


def test_a_merge_has_a_message_that_is_checked(repo: Repository):
    repo.create_branch("topic", repo.resolve())
    change_item(repo, item("0000", x=9.0), branch="topic")
    change_item(repo, item("0001", x=9.0))
    hook(repo, "commit-msg", "import sys; sys.exit('Merge' in open(sys.argv[1]).read())")
    with pytest.raises(HookRefused, match="'commit-msg' refused the merge"):
        merge(repo, Request(revision="topic"))
    assert merge(repo, Request(revision="topic", message="Topic")).status == "merged"


@pytest.mark.parametrize(
    ("written", "why"), [(b"  \n", "left no message"), (b"\xff\n", "is not UTF-8")]
)
def test_a_message_that_is_none_refuses(repo: Repository, written: bytes, why: str):
    hook(repo, "commit-msg", f"import sys; open(sys.argv[1], 'wb').write({written!r})")
    with pytest.raises(HookRefused, match=why):
        change_item(repo, item("0001", x=77.0))
    assert list(repo.layout.state.glob("tmp-*")) == []


# -- after ---------------------------------------------------------------------------------------


def test_hooks_that_follow_are_told_and_cannot_fail_it(repo: Repository):
    hook(repo, "post-commit", SAYS + "print('too late'); sys.exit(4)")
    oid = change_item(repo, item("0001", x=77.0))
    assert repo.resolve() == oid
    assert said(repo)["DVCS_COMMIT"] == oid.hex()
    (notice,) = repo.gate.notices
    assert notice.message == "the hook 'post-commit' failed (exit code 4)\n  too late"
    assert notice.hint == "what it follows is done all the same"


def test_hooks_that_follow_run_when_the_locks_are_free(tmp_path: Path):
    repo, folder = pets.tracked(tmp_path / "root", count=2)
    pets.edit(folder, lambda data: pets.note(data, 12)["bbox"].__setitem__(0, 35.0))
    text = "from dvcs.repository import Repository\n"
    text += "from dvcs.repository.working import checkout, copies, worktree\n"
    text += "with Repository() as repo, copies.locked(repo, patience=0):\n"
    text += "    assert repo.status().clean, repo.status()\n"
    for name in ("post-commit", "post-checkout", "post-merge"):
        hook(repo, name, text + f"    open('{name}', 'a').write('x')\n")
    worktree.commit(repo, message="second")
    checkout.checkout(repo, "main~1", create="topic")
    pets.edit(folder, lambda data: pets.note(data, 22)["bbox"].__setitem__(0, 35.0))
    worktree.commit(repo, message="topic")
    merge(repo, Request(revision="main"))
    revert(repo, "topic~1")
    checkout.restore(repo)
    assert repo.gate.notices == []
    names = ("post-commit", "post-checkout", "post-merge")
    assert [(repo.root / name).read_text() for name in names] == ["xxx", "xx", "x"]


def test_a_checkout_tells_where_from_and_where_to(tmp_path: Path):
    repo, _ = pets.tracked(tmp_path / "root", count=1)
    old = repo.resolve()
    new = change_item(repo, item("x"), source="pets")
    checkout.checkout(repo, "main~1")
    hook(repo, "post-checkout", SAYS)
    checkout.checkout(repo, "main", dry_run=True)
    assert not (repo.root / "said").exists()
    checkout.checkout(repo, "main")
    assert said(repo)["arguments"] == str([old.hex(), new.hex(), "1"])
    (repo.root / "said").unlink()
    checkout.checkout_source(repo, "pets")
    assert said(repo)["arguments"] == str([new.hex(), new.hex(), "0"])


def test_a_squash_is_told_to_the_hook(repo: Repository):
    repo.create_branch("topic", repo.resolve())
    change_item(repo, item("0000", x=9.0), branch="topic")
    hook(repo, "post-merge", SAYS)
    merge(repo, Request(revision="topic", squash=True))
    assert said(repo)["arguments"] == "['1']"


def test_a_push_is_told_line_by_line(repo: Repository):
    hook(
        repo,
        "pre-push",
        SAYS + "said = sys.stdin.read(); print(said); sys.exit('heads/bad' in said)",
    )
    tip = repo.resolve()
    move = ("refs/heads/main", tip, "refs/heads/main", None)
    repo.gate.before_push("origin", "https://example.org/pets", [move])
    assert said(repo)["arguments"] == "['origin', 'https://example.org/pets']"
    with pytest.raises(HookRefused) as caught:
        repo.gate.before_push("origin", "u", [("(delete)", None, "refs/heads/bad", tip)])
    assert str(caught.value) == (
        "the hook 'pre-push' refused the push (exit code 1)\n"
        f"  (delete) {'0' * 40} refs/heads/bad {tip.hex()}"
    )
    repo.gate.verify = False
    repo.gate.before_push("origin", "u", [("(delete)", None, "refs/heads/bad", tip)])


# -- trust ---------------------------------------------------------------------------------------

CRIME = "open('crime', 'w').write('done')"


def planted(repo: Repository, name: str, text: str = CRIME) -> Path:
    """Put a hook in place as somebody would who sends the folder."""
    path = hooks.folder(repo.layout) / f"{name}.py"
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_a_hook_in_a_folder_that_somebody_sent_is_not_run(repo: Repository):
    for name in hooks.NAMES:
        planted(repo, name)
    tip = repo.resolve()
    with pytest.raises(HookRefused) as caught:
        change_item(repo, item("0001", x=77.0))
    path = hooks.folder(repo.layout) / "pre-commit.py"
    assert str(caught.value) == (
        f"the hook 'pre-commit' is not trusted, so it was not run: '{path}'"
    )
    assert "dvcs hooks trust pre-commit" in caught.value.hint
    repo.gate.verify = False
    change_item(repo, item("0001", x=77.0))
    checkout.checkout(repo, "main~1", create="topic")
    merge(repo, Request(revision="main"))
    revert(repo, "HEAD")
    assert not (repo.root / "crime").exists()
    told = {notice.message.split(",")[0] for notice in repo.gate.notices}
    names = ("post-checkout", "post-commit", "post-merge")
    assert told == {f"the hook '{name}' is not trusted" for name in names}
    assert repo.resolve() != tip


def test_trust_holds_for_one_place_and_one_content(repo: Repository, tmp_path: Path):
    path = hook(repo, "pre-commit", "open('ran', 'a').write('x')")
    change_item(repo, item("0001", x=2.5))
    assert (repo.root / "ran").read_text() == "x"
    copy = tmp_path / "elsewhere"
    shutil.copytree(repo.root, copy)
    with Repository(copy) as other, pytest.raises(HookRefused, match="is not trusted"):
        change_item(other, item("0001", x=3.0))
    shutil.copy(path, hooks.folder(repo.layout) / "post-commit.py")
    change_item(repo, item("0001", x=4.0))
    assert (repo.root / "ran").read_text() == "xx"
    assert "'post-commit' is not trusted" in repo.gate.notices[-1].message
    path.write_text(path.read_text() + "\n" + CRIME)
    with pytest.raises(HookRefused, match="was changed since you trusted it"):
        change_item(repo, item("0001", x=5.0))
    assert not (repo.root / "crime").exists()
    trust.trust(repo.layout, "hooks/pre-commit.py", path)
    change_item(repo, item("0001", x=6.0))
    assert (repo.root / "crime").exists()


def test_an_untrusted_hook_is_not_even_opened(repo: Repository):
    if not hasattr(os, "mkfifo"):
        pytest.skip("needs pipes with names")
    os.mkfifo(hooks.folder(repo.layout) / "pre-commit.py")  # to read it would take for ever
    with pytest.raises(HookRefused, match="is not trusted"):
        change_item(repo, item("0001", x=2.5))
    with pytest.raises(RepositoryError, match="is not a file"):
        trust.trust(repo.layout, "hooks/pre-commit.py", hooks.get(repo.layout, "pre-commit").path)


def test_modules_in_the_working_folder_are_no_part_of_a_hook(repo: Repository):
    hook(repo, "pre-commit", "import json, click")
    for folder in (repo.root, hooks.folder(repo.layout)):
        for name in ("json.py", "click.py", "sitecustomize.py"):
            (folder / name).write_text(CRIME)
    change_item(repo, item("0001", x=2.5))
    assert not (repo.root / "crime").exists()


def test_the_record_of_trust_is_the_users_own(repo: Repository, home: Path):
    hook(repo, "pre-commit", "")
    path = trust.user_file()
    assert path.is_relative_to(home)
    if os.name != "nt":
        assert path.stat().st_mode & 0o777 == 0o600
    path.write_bytes(b"{")
    with pytest.raises(RepositoryError, match="which says what you trust, cannot be read"):
        change_item(repo, item("0001", x=2.5))
    path.write_bytes(b'{"version": 3}')
    with pytest.raises(RepositoryError, match="newer dvcs"):
        change_item(repo, item("0001", x=2.5))
    path.unlink()
    with pytest.raises(HookRefused, match="is not trusted"):
        change_item(repo, item("0001", x=2.5))


def test_what_is_forgotten_is_not_trusted_and_the_rest_is(repo: Repository):
    hook(repo, "pre-commit", "")
    hook(repo, "post-commit", "")
    trust.distrust(repo.layout, "hooks/pre-commit.py")
    assert [one.state for one in hooks.found(repo.layout)] == ["not trusted", "ready"]
    hooks.remove(repo.layout, "post-commit")
    assert trust.known(repo.layout, "hooks/post-commit.py") is None


def test_decisions_made_at_once_are_all_kept(repo: Repository):
    path = hook(repo, "pre-commit", "")
    threads = [
        threading.Thread(target=trust.trust, args=(repo.layout, f"hooks/{n}", path))
        for n in range(12)
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert all(trust.known(repo.layout, f"hooks/{n}") for n in range(12))


# -- files ---------------------------------------------------------------------------------------

posix = pytest.mark.skipif(os.name == "nt", reason="a script needs a shell")


@posix
def test_a_script_is_run_by_what_its_first_line_names(repo: Repository):
    path = hook(repo, "pre-commit", "#!/bin/sh\necho said by sh $#; exit 9\n", suffix=".sh")
    assert path.name == "pre-commit"
    with pytest.raises(HookRefused, match=r"\(exit code 9\)\n  said by sh 0$"):
        change_item(repo, item("0001", x=2.5))


@posix
def test_dvcs_is_on_the_path_of_a_hook(repo: Repository):
    hook(repo, "pre-commit", "#!/bin/sh\ndvcs show --stat $DVCS_COMMIT >out 2>&1\n", suffix="")
    change_item(repo, item("0001", x=2.5))
    assert "Change 0001" in (repo.root / "out").read_text()


@posix
def test_a_file_that_is_not_executable_is_passed_over_and_told_once(repo: Repository):
    path = hook(repo, "pre-commit", "#!/bin/sh\nexit 1\n", suffix="")
    path.chmod(0o644)
    change_item(repo, item("0001", x=2.5))
    change_item(repo, item("0001", x=3.0))
    assert [tuple(one) for one in repo.gate.notices] == [
        (
            "the hook 'pre-commit' was left out, for it is not executable",
            "chmod +x .dvcs/state/hooks/pre-commit",
        )
    ]


@posix
def test_a_program_that_cannot_be_started_refuses(repo: Repository):
    hook(repo, "pre-commit", "no first line\n", suffix="")
    with pytest.raises(HookRefused, match="cannot be started: Exec format error"):
        change_item(repo, item("0001", x=2.5))
    hook(repo, "pre-commit", "#!/no/such/shell\n", suffix="")
    with pytest.raises(HookRefused, match="cannot be started"):
        change_item(repo, item("0001", x=2.5))


@posix
def test_a_hook_that_is_killed_refuses(repo: Repository):
    hook(repo, "pre-commit", "#!/bin/sh\nkill -9 $$\n", suffix="")
    with pytest.raises(HookRefused, match="ended by signal 9"):
        change_item(repo, item("0001", x=2.5))


def test_two_files_for_one_hook_are_an_error(repo: Repository):
    hook(repo, "pre-commit", "")
    (hooks.folder(repo.layout) / "pre-commit").write_text("")
    if os.name == "nt":
        (hooks.folder(repo.layout) / "pre-commit.bat").write_text("")
    with pytest.raises(RepositoryError, match="several files for the hook 'pre-commit'"):
        change_item(repo, item("0001", x=2.5))


def test_gits_name_of_a_hook_is_known_and_samples_are_none(repo: Repository):
    folder = hooks.folder(repo.layout)
    for name in ("pre-merge-commit.py", "pre-comit.py", "pre-push.sample", "commit-msg~", ".x"):
        (folder / name).write_text("")
    assert [(one.name, one.state) for one in hooks.found(repo.layout)] == [
        ("pre-merge", "not trusted"),
        ("pre-comit.py", "unknown"),
    ]
    assert hooks.check_name("pre-merge-commit") == "pre-merge"
    with pytest.raises(UnknownName, match="no hook is called 'pre-comit'") as caught:
        hooks.get(repo.layout, "pre-comit")
    assert caught.value.hint == "did you mean 'pre-commit'?"


def test_installing_replaces_only_when_told(repo: Repository, tmp_path: Path):
    old = hook(repo, "pre-commit", "old = 1")
    (tmp_path / "new.py").write_text("new = 1")
    with pytest.raises(UsageError, match="there is a hook 'pre-commit' already"):
        hooks.install(repo.layout, tmp_path / "new.py", "pre-commit")
    assert old.read_text() == "old = 1"
    hooks.install(repo.layout, tmp_path / "new.py", "pre-commit", force=True)
    assert old.read_text() == "new = 1"
    if os.name != "nt":
        (tmp_path / "shell").write_text("#!/bin/sh\n")
        hooks.install(repo.layout, tmp_path / "shell", "pre-commit", force=True)
        assert [one.path.name for one in hooks.found(repo.layout)] == ["pre-commit"]
        assert trust.known(repo.layout, "hooks/pre-commit.py") is None


def test_a_repository_without_a_folder_for_hooks_has_none(repo: Repository):
    shutil.rmtree(hooks.folder(repo.layout))
    change_item(repo, item("0001", x=2.5))
    assert hooks.found(repo.layout) == []
    hook(repo, "pre-commit", "import sys; sys.exit(1)")
    with pytest.raises(HookRefused):
        change_item(repo, item("0001", x=3.0))


# -- beside others -------------------------------------------------------------------------------


def test_a_commit_made_anew_for_a_moved_branch_is_asked_for_again(repo: Repository):
    text = SAYS
    text += (
        "from dvcs.repository import Repository\nfrom dvcs.repository.editing import set_items\n"
    )
    text += "from dvcs.model import Item\n"
    text += "with Repository() as repo:\n    repo.gate.verify = False\n"
    text += "    if not repo.item('HEAD', 'a', 'train', 'other'):\n"
    text += "        item = Item(id='other', subset='train')\n"
    text += "        set_items(repo, 'a', [item], message='from the hook')\n"
    text += "    seen = repo.item(os.environ['DVCS_COMMIT'], 'a', 'train', 'other') is not None\n"
    text += "    open('seen', 'a').write(f'{seen} ')\n"
    hook(repo, "pre-commit", text)
    hook(repo, "commit-msg", "import sys; open(sys.argv[1], 'a').write('!')")
    oid = change_item(repo, item("0001", x=77.0))
    assert (repo.root / "seen").read_text() == "False True "
    held = contents(repo)
    assert held["a", "train", "0001"][0].x == 77.0
    assert ("a", "train", "other") in held
    assert repo.resolve() == oid
    assert message(repo).startswith("Change 0001\n!\n")
    check_sound(repo)


def test_a_hook_does_not_call_itself(repo: Repository):
    text = "from dvcs.repository import Repository\nfrom dvcs.repository.editing import set_items\n"
    text += "from dvcs.model import Item\n"
    text += "with Repository() as repo:\n"
    text += "    set_items(repo, 'a', [Item(id='log', subset='train')], message='by the hook')\n"
    hook(repo, "post-commit", text)
    change_item(repo, item("0001", x=77.0))
    assert message(repo).startswith("by the hook\n")
    assert repo.gate.notices == []


def test_a_command_in_a_hook_does_not_wait_long_for_what_its_own_caller_holds(tmp_path: Path):
    repo, folder = pets.tracked(tmp_path / "root", count=1)
    pets.edit(folder, lambda data: pets.note(data, 12)["bbox"].__setitem__(0, 35.0))
    text = "from dvcs.repository import Repository\nfrom dvcs.repository.working import checkout\n"
    hook(repo, "pre-commit", f"{text}with Repository() as repo: checkout.restore(repo)\n")
    began = time.monotonic()
    with pytest.raises(HookRefused, match="another process is writing to this repository"):
        worktree.commit(repo, message="second")
    assert time.monotonic() - began < 10


@posix
@pytest.mark.parametrize("name", ["pre-commit", "post-commit"])
def test_an_interrupt_ends_the_hook_too(repo: Repository, name: str):
    text = "import os, time\nopen('pid', 'w').write(str(os.getpid()))\ntime.sleep(60)"
    hook(repo, name, text)
    tip, pid = repo.resolve(), repo.root / "pid"

    def interrupt() -> None:
        while not (pid.exists() and pid.read_text()):
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    if name == "pre-commit":
        with pytest.raises(KeyboardInterrupt):
            change_item(repo, item("0001", x=77.0))
        assert repo.resolve() == tip
    else:
        oid = change_item(repo, item("0001", x=77.0))
        assert repo.resolve() == oid
        (notice,) = repo.gate.notices
        assert notice.message == "the hook 'post-commit' was interrupted; what it follows is done"
    thread.join()
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


def test_the_output_can_go_to_a_stream(repo: Repository, tmp_path: Path):
    hook(repo, "pre-commit", "import sys; print('one'); sys.stderr.write('two\\n'); sys.exit(1)")
    with (tmp_path / "out").open("w") as stream:
        repo.gate.output = stream
        with pytest.raises(HookRefused) as caught:
            change_item(repo, item("0001", x=77.0))
    assert str(caught.value) == "the hook 'pre-commit' refused the edit (exit code 1)"
    assert sorted((tmp_path / "out").read_text().split()) == ["one", "two"]


# -- samples -------------------------------------------------------------------------------------


def sample(repo: Repository, name: str) -> None:
    for one in hook_samples.SAMPLES[name].hooks:
        hooks.install(repo.layout, hook_samples.path_of(name), one)


def test_the_sample_for_subjects_wants_short_ones(repo: Repository):
    sample(repo, "subject")
    with pytest.raises(HookRefused, match="the first line has 80 characters, more than 72"):
        commit(repo, items(1), message="x" * 80)
    with pytest.raises(HookRefused, match="leave the second line empty"):
        commit(repo, items(1), message="one\ntwo")
    commit(repo, items(1), message="ö" * 72 + "\n\nand a text")


def test_the_sample_for_removals_counts_what_is_lost(repo: Repository):
    commit(repo, items(150))
    sample(repo, "removals")
    tip = repo.resolve()
    with pytest.raises(HookRefused, match="120 annotations would be removed, more than 100"):
        commit(repo, items(30))
    commit(repo, items(60))
    repo.create_branch("topic", repo.resolve())
    repo.gate.verify = False
    commit(repo, items(1), branch="topic")
    commit(repo, items(150), source="b", branch="topic")
    repo.gate.verify = True
    assert merge(repo, Request(revision="topic")).status == "fast-forward"
    assert tip != repo.resolve()


def test_the_sample_for_validation_finds_errors(repo: Repository):
    sample(repo, "validate")
    with pytest.raises(HookRefused, match="NegativeLength"):
        change_item(repo, Item(id="x", subset="train", annotations=[Bbox(x=1, y=1, w=-5, h=2)]))
    change_item(repo, item("x"))


def test_every_sample_says_what_it_is(repo: Repository):
    folder = Path(hook_samples.__file__).parent
    names = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    assert names == set(hook_samples.SAMPLES)
    for name, one in hook_samples.SAMPLES.items():
        assert set(one.hooks) <= set(hooks.NAMES)
        assert hook_samples.path_of(name).read_text().startswith('"""\nHook `')
    with pytest.raises(UnknownName):
        hook_samples.path_of("nothing")
    assert sys.executable


def test_an_outer_hooks_commit_is_not_told_as_ones_own(repo: Repository, monkeypatch):
    monkeypatch.setenv("DVCS_COMMIT", "a" * 40)
    hook(repo, "pre-push", SAYS)
    repo.gate.before_push("origin", "https://example.org/pets", [])
    assert "DVCS_COMMIT" not in said(repo)


def test_a_hook_that_changed_since_it_was_found_does_not_run(repo: Repository):
    path = hook(repo, "pre-commit", SAYS)
    found = hooks.get(repo.layout, "pre-commit")
    path.write_text(f"{SAYS}# more")
    with pytest.raises(HookRefused, match="was changed since you trusted it"):
        hooks.run(repo.layout, found, (), {})
    assert not (repo.root / "said").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_a_folder_whose_name_is_not_utf_8_is_told(tmp_path: Path):
    repo = Repository.init(Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff")))
    script = tmp_path / "check.py"
    script.write_text("")
    with pytest.raises(RepositoryError, match="not UTF-8"):
        hooks.install(repo.layout, script, "pre-commit")
