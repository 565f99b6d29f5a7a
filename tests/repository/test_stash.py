import pytest

from dvcs.errors import DirtyWorkingCopy, RepositoryError, UsageError
from dvcs.formats._stamps import read_stamp
from dvcs.repository import Repository, editing, stash
from dvcs.repository.gc import collect
from dvcs.repository.merges import conflicts
from dvcs.repository.merges.conflicts import Wanted
from dvcs.repository.undo import undo
from dvcs.repository.working import carrying, checkout, copies, worktree
from tests.repository import pets
from tests.repository.scenes import check_sound


@pytest.fixture
def work(tmp_path):
    return pets.tracked(tmp_path / "repo")


def move_a_box(folder, x=35.0, note=12):
    pets.edit(folder, lambda data: pets.note(data, note)["bbox"].__setitem__(0, x))


def edit(folder):
    """Move a box, add an image's worth of pixels, and a label that is used."""
    move_a_box(folder)
    pets.image(folder, 3, seed=33)

    def relabel(data):
        data["categories"].append({"id": 3, "name": "cow", "supercategory": "pet"})
        pets.note(data, 22)["category_id"] = 3

    pets.edit(folder, relabel)


def test_changes_go_aside_and_come_back(work):
    repo, folder = work
    before, head = pets.files(folder), repo.resolve()
    edit(folder)
    changes = pets.changes(repo)
    assert len(changes) == 3
    made = stash.push(repo, message="halfway")
    assert made.message == "On main: halfway"
    assert made.commit.parents == (head,)
    assert repo.resolve() == head
    assert pets.files(folder) == before
    assert pets.only(repo).state == "clean"
    check_sound(repo)
    assert stash.pop(repo).stash.oid == made.oid
    assert stash.stashes(repo) == []
    assert pets.changes(repo) == changes
    assert pets.only(repo).labels.added == ("cow",)
    worktree.commit(repo, message="done")
    assert repo.tree_of(repo.resolve()) == made.commit.tree
    check_sound(repo)


def test_without_changes_nothing_is_put_aside(work):
    repo, _ = work
    assert stash.push(repo) is None
    assert stash.stashes(repo) == []
    for verb in (stash.pop, stash.drop, stash.get):
        with pytest.raises(UsageError, match="nothing was put aside"):
            verb(repo)


def test_the_newest_is_number_0(work):
    repo, folder = work
    move_a_box(folder, 35.0)
    stash.push(repo, message="first")
    move_a_box(folder, 36.0)
    stash.push(repo, message="second")
    assert [(one.number, one.message) for one in stash.stashes(repo)] == [
        (0, "On main: second"),
        (1, "On main: first"),
    ]
    with pytest.raises(UsageError, match="there is no stash 2"):
        stash.drop(repo, 2)
    stash.drop(repo, 0)
    stash.pop(repo)
    assert stash.stashes(repo) == []
    move_a_box(folder, 35.0)
    assert pets.changes(repo) == [("1", "changed", [("changed", ("geometry",))])]


def test_what_is_put_aside_survives_gc(work):
    repo, folder = work
    edit(folder)
    stash.push(repo)
    collect(repo, dry_run=False, keep_days=0.0, trash_days=0.0)
    stash.pop(repo)
    assert len(pets.changes(repo)) == 3


def test_it_comes_back_on_another_version_of_the_source(work):
    repo, folder = work
    move_a_box(folder)
    stash.push(repo)
    editing.set_items(repo, "pets", remove=[("train", "4")], message="fewer")
    checkout.update_copies(repo)
    stash.pop(repo)
    assert pets.changes(repo) == [("1", "changed", [("changed", ("geometry",))])]
    assert not pets.only(repo).behind


def test_a_conflict_keeps_it_and_changes_nothing(work):
    repo, folder = work
    move_a_box(folder, 35.0)
    stash.push(repo)
    move_a_box(folder, 25.0)
    worktree.commit(repo, message="another place")
    before = pets.files(folder)
    assert [place.name for place in stash.pop(repo).places] == ["pets/train/1"]
    assert pets.files(folder) == before
    assert len(stash.stashes(repo)) == 1
    stash.abort(repo)
    assert pets.files(folder) == before
    assert len(stash.stashes(repo)) == 1
    assert not conflicts.is_under_way(repo)


@pytest.fixture
def clash(work):
    """A box was moved and put aside, and then moved elsewhere; another one moved too."""
    repo, folder = work
    move_a_box(folder, 35.0)
    move_a_box(folder, 36.0, note=22)
    stash.push(repo)
    move_a_box(folder, 25.0)
    worktree.commit(repo, message="another place")
    checkout.restore(repo)
    return repo, folder


def place(folder, note):
    import json

    return pets.note(json.loads((folder / pets.JSON).read_text()), note)["bbox"][0]


@pytest.mark.parametrize(("choice", "expected"), [("ours", 25.0), ("theirs", 35.0), ("base", 30.0)])
def test_a_pop_goes_on_when_it_is_decided(clash, choice, expected):
    repo, folder = clash
    head = repo.resolve()
    assert [one.name for one in stash.pop(repo).places] == ["pets/train/1"]
    assert stash.go_on(repo).places
    collect(repo, dry_run=False, keep_days=0.0, trash_days=0.0)
    with Repository(repo.root) as again:
        assert conflicts.load(again).operation == "stash pop"
        conflicts.resolve(again, Wanted(), choice)
        assert stash.go_on(again).places == ()
    assert (place(folder, 12), place(folder, 22)) == (expected, 36.0)
    assert repo.resolve() == head
    assert repo.refs.all("refs/dvcs/") == {}
    assert len(pets.changes(repo)) == (1 if choice == "ours" else 2)
    check_sound(repo)
    worktree.commit(repo, message="taken up")


def test_undo_of_a_decided_pop_puts_the_decision_aside(clash):
    repo, folder = clash
    before = pets.files(folder)
    stash.pop(repo)
    conflicts.resolve(repo, Wanted(), "theirs")
    stash.go_on(repo)
    changes = pets.changes(repo)
    undo(repo)
    assert pets.files(folder) == before
    assert len(stash.stashes(repo)) == 1
    assert not conflicts.is_under_way(repo)
    assert stash.pop(repo).places == ()
    assert pets.changes(repo) == changes


def test_a_pop_under_way_keeps_others_waiting(clash):
    repo, folder = clash
    stash.pop(repo)
    with pytest.raises(RepositoryError, match=r"a stash pop of 'Changes on main: .*' is under way"):
        stash.pop(repo)
    move_a_box(folder, 31.0, note=22)
    conflicts.resolve(repo, Wanted(), "theirs")
    with pytest.raises(DirtyWorkingCopy):
        stash.go_on(repo)
    checkout.restore(repo)
    stash.drop(repo)
    with pytest.raises(RepositoryError, match="what was put aside is gone"):
        stash.go_on(repo)
    stash.abort(repo)
    with pytest.raises(RepositoryError, match="no stash pop is under way"):
        stash.go_on(repo)


def test_an_edit_of_an_item_that_is_gone_is_a_conflict(work):
    repo, folder = work
    move_a_box(folder, 35.0)
    stash.push(repo)
    editing.set_items(repo, "pets", remove=[("train", "1")], message="gone")
    checkout.update_copies(repo)
    (found,) = stash.pop(repo).places
    assert [one.key for one in found.conflicts] == ["item.deleted"]
    conflicts.resolve(repo, Wanted(), "theirs")
    stash.go_on(repo)
    assert [change[:2] for change in pets.changes(repo)] == [("1", "added")]


def test_changes_that_are_there_are_not_overwritten(work):
    repo, folder = work
    move_a_box(folder, 35.0)
    stash.push(repo)
    move_a_box(folder, 31.0, note=22)
    before = pets.files(folder)
    with pytest.raises(DirtyWorkingCopy, match="'stash pop' would lose changes"):
        stash.pop(repo)
    assert pets.files(folder) == before
    assert len(stash.stashes(repo)) == 1


def test_without_a_working_copy_it_stays(work):
    repo, folder = work
    move_a_box(folder)
    stash.push(repo)
    checkout.remove_source(repo, "pets")
    with pytest.raises(RepositoryError, match="'pets' has no working copy here"):
        stash.pop(repo)
    assert len(stash.stashes(repo)) == 1


def test_undo_of_each_verb_and_back(work):
    repo, folder = work
    before = pets.files(folder)
    edit(folder)
    changes = pets.changes(repo)
    made = stash.push(repo)
    undo(repo)
    assert stash.stashes(repo) == []
    assert pets.changes(repo) == changes
    undo(repo)
    assert [one.oid for one in stash.stashes(repo)] == [made.oid]
    assert pets.files(folder) == before
    stash.pop(repo)
    undo(repo)
    assert [one.oid for one in stash.stashes(repo)] == [made.oid]
    assert pets.files(folder) == before
    stash.drop(repo)
    undo(repo)
    assert [one.oid for one in stash.stashes(repo)] == [made.oid]
    assert pets.only(repo).state == "clean"
    check_sound(repo)


def test_undoing_a_pop_keeps_what_was_changed_since(work):
    repo, folder = work
    move_a_box(folder, 35.0)
    first = stash.push(repo)
    stash.pop(repo)
    move_a_box(folder, 31.0, note=22)
    changes = pets.changes(repo)
    undo(repo)
    assert pets.only(repo).state == "clean"
    assert stash.get(repo).oid != first.oid
    stash.pop(repo)
    assert pets.changes(repo) == changes


def test_only_chosen_sources_are_put_aside(work):
    repo, folder = work
    pets.make(repo.root / "more")
    worktree.add(repo, repo.root / "more")
    worktree.commit(repo, message="more")
    move_a_box(folder, 35.0)
    move_a_box(repo.root / "more", 36.0)
    stash.push(repo, ["more"])
    states = {one.source: one.state for one in worktree.status(repo).copies}
    assert states == {"more": "clean", "pets": "changed"}
    stash.pop(repo)
    states = {one.source: one.state for one in worktree.status(repo).copies}
    assert states == {"more": "changed", "pets": "changed"}
    with pytest.raises(UsageError, match="'nope' has no working copy"):
        stash.push(repo, ["nope"])


@pytest.mark.parametrize("at", ["_compare_with", "after _compare_with", "after rewrite_now"])
def test_a_pop_that_was_killed_leaves_the_changes_in_the_files_and_aside(work, monkeypatch, at):
    repo, folder = work
    edit(folder)
    changes = pets.changes(repo)
    stash.push(repo)
    name = at.removeprefix("after ")
    module = stash if name == "rewrite_now" else carrying
    real = getattr(module, name)

    def killed(*arguments, **more):
        if at != name:
            real(*arguments, **more)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, name, killed)
        with pytest.raises(KeyboardInterrupt):
            stash.pop(repo)
    assert len(stash.stashes(repo)) == 1
    assert pets.only(repo).state == "changed"
    assert pets.changes(repo) == changes
    stamp = read_stamp(folder)
    assert stamp is None or stamp.revision == copies.get(repo, "pets").commit
    check_sound(repo)


def test_a_push_that_was_killed_has_lost_nothing(work, monkeypatch):
    repo, folder = work
    before = pets.files(folder)
    edit(folder)
    changes = pets.changes(repo)

    def killed(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(carrying, "apply", killed)
        with pytest.raises(KeyboardInterrupt):
            stash.push(repo)
    worktree.status(repo)  # finishes what may be finished
    assert len(stash.stashes(repo)) == 1
    checkout.restore(repo)
    assert pets.files(folder) == before
    stash.pop(repo)
    assert pets.changes(repo) == changes
