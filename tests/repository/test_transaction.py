"""Commits: what they record, and what becomes of them where the branch moved meanwhile."""

import pytest

from dvcs.errors import BranchMoved, CorruptObject, RepositoryError, UnsafeName, UsageError
from dvcs.model import Category, Labels
from dvcs.repository import Repository
from dvcs.repository.oplog import Log
from tests.repository.scenes import (
    box,
    change_item,
    check_sound,
    commit,
    contents,
    dataset,
    drop,
    git,
    item,
    items,
    put,
    state,
)


@pytest.fixture
def repo(repo: Repository) -> Repository:
    commit(repo, items(4), source="a")
    commit(repo, items(2), source="b")
    return repo


def xs(repo: Repository, source: str = "a", revision: str = "HEAD") -> dict[str, float]:
    """Return where the box of each item of a source is."""
    held = contents(repo, revision)
    return {id: notes[0].x for (name, _, id), notes in held.items() if name == source and notes}


def test_without_commit_nothing_happens(repo: Repository):
    before = state(repo)
    with repo.transaction() as change:
        put(change, "a", item("0000", x=99.0))
        change.media().add_bytes(b"x" * 100_000)
        change.media().add_bytes(b"small")
    assert state(repo) == before


def test_an_error_inside_leaves_nothing(repo: Repository):
    before = state(repo)

    def fail() -> None:
        with repo.transaction() as change:
            put(change, "a", item("0000", x=99.0))
            change.media().add_bytes(b"x" * 100_000)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert state(repo) == before
    change_item(repo, item("0000", x=99.0))


@pytest.mark.parametrize("bad", ["newer", "damaged"])
def test_a_transaction_that_cannot_begin_holds_no_lock(repo: Repository, bad: str):
    with repo.store.writer() as writer:
        text = b'{"features":[],"version":9}\n' if bad == "newer" else b"none"
        blob = writer.blob(text)
        tree = writer.tree([(b"dataset.json", 0o100644, blob)])
        writer.publish()
    oid = git(
        repo, *["-c", "user.name=A", "-c", "user.email=a@b", "commit-tree", "-m", "x"], tree.hex()
    ).strip()
    git(repo, "update-ref", "refs/heads/other", oid)
    with pytest.raises((RepositoryError, CorruptObject)) as caught:
        repo.transaction(branch="other")
    assert caught.value.hint
    from dvcs.repository import locks

    with locks.exclusive(repo.layout.writers, patience=0):
        pass


def test_a_commit_that_changes_nothing_is_none(repo: Repository):
    tip = repo.resolve("main")
    done = repo.commit(dataset(items(4)), message="the same", source="a")
    assert (done.oid, done.changed) == (tip, False)
    assert repo.resolve("main") == tip


def test_one_changed_item_stores_little(repo: Repository):
    commit(repo, items(2000), source="big")
    packs = {pack.path for pack in repo.store.packs()}
    change_item(repo, item("0007", x=-5.0), source="big")
    (new,) = {pack.path for pack in repo.store.packs()} - packs
    assert new.stat().st_size < 8_000
    assert len(contents(repo)) == 2006


def test_a_commit_says_how_it_was_made_and_by_whom(repo: Repository):
    with repo.transaction() as change:
        put(change, "a", item("0000", x=5.0))
        done = change.commit("Move\n\nbecause", operation="edit", arguments={"by": 4, "no": None})
    raw = git(repo, "cat-file", "commit", done.oid.hex())
    assert "author Ada Tester <ada@example.org> " in raw
    assert raw.endswith('\n\nMove\n\nbecause\n\nDvcs-Operation: edit\nDvcs-Arguments: {"by":4}\n')


def test_a_commit_on_another_branch_leaves_the_current_one(repo: Repository):
    tip = repo.resolve("main")
    repo.create_branch("topic", tip)
    new = change_item(repo, item("0000", x=7.0), branch="topic")
    assert repo.branches() == {"main": tip, "topic": new}
    assert repo.refs.head_branch() == "main"


def test_a_commit_on_a_detached_head_moves_only_that(repo: Repository):
    tip = repo.resolve("main")
    repo.move_head(tip, "checkout --detach")
    new = change_item(repo, item("0000", x=7.0))
    assert repo.refs.head() == new
    assert repo.branches() == {"main": tip}
    check_sound(repo)


def test_a_first_commit_of_a_branch_has_no_parents(repo: Repository):
    done = repo.transaction(branch="orphan")
    with done as change:
        change.policy = change.writer.blob(b"# nothing yet\n")
        oid = change.commit("Begin", operation="edit").oid
    assert repo.store.commit(oid).parents == ()
    assert repo.branches()["orphan"] == oid


def test_a_branch_made_for_a_commit_begins_where_head_is(repo: Repository):
    oid = repo.commit(dataset(items(5)), message="x", source="a", branch="new/topic").oid
    assert repo.store.commit(oid).parents == (repo.resolve("main"),)
    assert repo.branches()["new/topic"] == oid


def test_items_beside_their_numbered_parts_can_be_changed_twice_in_one_transaction(repo):
    with repo.transaction() as change:
        put(change, "a", item("x"), item("x.1"), item("x.2"))
        put(change, "a", item("x.1", x=50.0))
        drop(change, "a", "train/x.2")
        change.commit("x", operation="edit")
    assert xs(repo)["x.1"] == 50.0
    assert set(xs(repo)) == {"0000", "0001", "0002", "0003", "x", "x.1"}


def test_an_item_too_large_for_one_blob_can_be_changed_and_merged(repo: Repository):
    many = [box(float(n), id=n + 1, extra={"f": "y" * 200}) for n in range(30_000)]
    large = item("x").with_(annotations=many)
    change_item(repo, large)
    with repo.transaction() as change:
        put(change, "a", item("x.1"), large.with_(annotations=many[:-1]))
        change_item(repo, item("0000", x=9.0))
        change.commit("x", operation="edit")
    held = contents(repo)
    assert len(held["a", "train", "x"]) == 29_999
    assert len(held["a", "train", "x.1"]) == 1
    assert xs(repo)["0000"] == 9.0
    check_sound(repo)


# -- the branch moved ----------------------------------------------------------------------------


def test_sources_that_others_changed_are_taken_from_the_new_tip(repo: Repository):
    with repo.transaction() as change:
        put(change, "a", item("0000", x=50.0))
        other = change_item(repo, item("0000", x=70.0), source="b")
        done = change.commit("mine", operation="edit")
    assert repo.store.commit(done.oid).parents == (other,)
    assert xs(repo, "a")["0000"] == 50.0
    assert xs(repo, "b")["0000"] == 70.0
    check_sound(repo)


def test_other_items_of_the_same_source_are_merged(repo: Repository):
    with repo.transaction() as change:
        put(change, "a", item("0000", x=50.0), item("new"))
        drop(change, "a", "train/0003")
        with repo.transaction() as second:
            put(second, "a", item("0001", x=60.0), item("val1", subset="val"))
            drop(second, "a", "train/0002")
            second.commit("theirs", operation="edit")
        change.commit("mine", operation="edit")
    assert xs(repo) == {"0000": 50.0, "0001": 60.0, "new": 1.0, "val1": 1.0}
    check_sound(repo)


def test_the_same_change_on_both_sides_is_one(repo: Repository):
    with repo.transaction() as change:
        put(change, "a", item("0000", x=50.0), item("0001", x=60.0))
        change_item(repo, item("0000", x=50.0))
        change.commit("mine", operation="edit")
    assert xs(repo)["0001"] == 60.0


@pytest.mark.parametrize(
    ("mine", "theirs"), [("change", "change"), ("change", "drop"), ("drop", "change")]
)
def test_the_same_item_changed_on_both_sides_is_refused(repo: Repository, mine, theirs):
    def alter(change, how: str, x: float) -> None:
        if how == "change":
            put(change, "a", item("0000", x=x))
        else:
            drop(change, "a", "train/0000")

    with repo.transaction() as change:
        alter(change, mine, 50.0)
        with repo.transaction() as second:
            alter(second, theirs, 60.0)
            second.commit("theirs", operation="edit")
        tip = repo.resolve("main")
        log = repo.layout.operations.read_bytes()
        with pytest.raises(BranchMoved, match="both changed 'a/train/0000'") as caught:
            change.commit("mine", operation="edit")
        assert "dvcs log" in (caught.value.hint or "")
    assert repo.resolve("main") == tip
    assert repo.layout.operations.read_bytes() == log
    check_sound(repo)


def test_a_source_that_both_sides_added_is_refused(repo: Repository):
    with repo.transaction() as change:
        from dvcs.repository.snapshot import SourceInfo

        change.set_source("c", SourceInfo(format="coco"), Labels(["cat"]), {})
        commit(repo, items(1), source="c")
        with pytest.raises(BranchMoved, match="both changed 'c'"):
            change.commit("mine", operation="import")


def test_a_source_removed_on_one_side_and_changed_on_the_other_is_refused(repo: Repository):
    with repo.transaction() as change:
        del change.sources["a"]
        change_item(repo, item("0000", x=50.0))
        with pytest.raises(BranchMoved, match="both changed 'a'"):
            change.commit("mine", operation="remove")


def test_a_source_removed_on_one_side_goes(repo: Repository):
    with repo.transaction() as change:
        del change.sources["a"]
        change_item(repo, item("0000", x=50.0), source="b")
        change.commit("mine", operation="remove")
    assert {source for source, _, _ in contents(repo)} == {"b"}


def labels(repo: Repository) -> list[tuple[str, str]]:
    return [(one.key, one.name) for one in repo.snapshot(repo.resolve("main")).labels("a")]


def test_labels_are_merged_by_key(repo: Repository):
    with repo.transaction() as change:
        change.set_labels("a", Labels(["cat", "mine"]))
        with repo.transaction() as second:
            second.set_labels("a", Labels([Category(name="feline", key="cat"), "theirs"]))
            second.commit("theirs", operation="edit")
        change.commit("mine", operation="edit")
    assert labels(repo) == [("cat", "feline"), ("theirs", "theirs"), ("mine", "mine")]
    assert {one[0].label for key, one in contents(repo).items() if key[0] == "a"} == {"feline"}


def test_labels_renamed_differently_are_refused(repo: Repository):
    with repo.transaction() as change:
        change.set_labels("a", Labels([Category(name="one", key="cat")]))
        with repo.transaction() as second:
            second.set_labels("a", Labels([Category(name="two", key="cat")]))
            second.commit("theirs", operation="edit")
        with pytest.raises(BranchMoved, match=r"both changed 'a/categories\.json'"):
            change.commit("mine", operation="edit")


@pytest.mark.parametrize("mine", ["removes", "uses"])
def test_a_label_removed_by_one_and_used_by_the_other_is_refused(repo: Repository, mine: str):
    with repo.transaction() as change:
        change.set_labels("a", Labels(["cat", "dog"]))
        change.commit("dog", operation="edit")

    def remove(change) -> None:
        change.set_labels("a", Labels(["cat"]))

    def use(change) -> None:
        put(change, "a", item("new").with_(annotations=[box(label="dog")]))

    first, second = (remove, use) if mine == "removes" else (use, remove)
    with repo.transaction() as change:
        first(change)
        with repo.transaction() as other:
            second(other)
            other.commit("theirs", operation="edit")
        with pytest.raises(BranchMoved, match="both changed 'a/train/new'"):
            change.commit("mine", operation="edit")
    check_sound(repo, warnings=True)


def test_a_merge_commit_is_not_put_onto_another_tip(repo: Repository):
    tip = repo.resolve("main")
    with repo.transaction() as change:
        put(change, "a", item("0000", x=50.0))
        change_item(repo, item("0000", x=70.0), source="b")
        with pytest.raises(BranchMoved):
            change.commit("mine", operation="merge", parents=(tip, tip))


def test_a_branch_deleted_meanwhile_is_not_made_again(repo: Repository):
    repo.create_branch("topic", repo.resolve("main"))
    with repo.transaction(branch="topic") as change:
        put(change, "a", item("0000", x=50.0))
        git(repo, "branch", "-D", "-q", "topic")
        with pytest.raises(BranchMoved, match="has moved to nothing"):
            change.commit("mine", operation="edit")
    assert sorted(repo.branches()) == ["main"]


def test_the_policy_is_kept_and_merged(repo: Repository):
    with repo.transaction() as change:
        change.policy = change.writer.blob(b"# one\n")
        change.commit("policy", operation="edit")
    change_item(repo, item("0000", x=50.0))
    assert git(repo, "show", "main:dvcs.toml") == "# one\n"
    with repo.transaction() as change:
        put(change, "a", item("0001", x=50.0))
        with repo.transaction() as second:
            second.policy = second.writer.blob(b"# two\n")
            second.commit("policy", operation="edit")
        change.commit("mine", operation="edit")
    assert git(repo, "show", "main:dvcs.toml") == "# two\n"


def test_files_that_git_put_beside_the_sources_stay(repo: Repository, tmp_path):
    git(tmp_path, "clone", "-q", str(repo.layout.git), "work")
    work = tmp_path / "work"
    (work / "README.md").write_text("about\n")
    (work / "docs").mkdir()
    (work / "docs" / "x.txt").write_text("x\n")
    git(work, "add", "-A")
    git(work, "-c", "user.name=A", "-c", "user.email=a@b", "commit", "-qm", "docs")
    git(work, "push", "-q", "origin", "main")
    with repo.transaction() as change:
        put(change, "a", item("0000", x=50.0))
        change_item(repo, item("0000", x=70.0), source="b")
        change.commit("mine", operation="edit")
    assert git(repo, "show", "main:README.md") == "about\n"
    assert git(repo, "show", "main:docs/x.txt") == "x\n"
    assert sorted(repo.snapshot(repo.resolve("main")).sources) == ["a", "b"]


@pytest.mark.parametrize("message", ["", " \n\t\n", "\n"])
def test_an_empty_message_is_refused(repo: Repository, message: str):
    with repo.transaction() as change:
        put(change, "a", item("0000", x=50.0))
        with pytest.raises(UsageError, match="message is empty"):
            change.commit(message, operation="edit")
    check_sound(repo)


def test_two_transactions_of_one_process_get_along(repo: Repository):
    for n in range(20):
        with repo.transaction() as one, repo.transaction() as two:
            put(one, "a", item("0000", x=float(n)))
            put(two, "a", item("0001", x=float(n)))
            two.commit("two", operation="edit")
            one.commit("one", operation="edit")
    assert xs(repo) == {"0000": 19.0, "0001": 19.0, "0002": 3.0, "0003": 4.0}
    assert len(Log(repo.layout).operations()) == 42
    check_sound(repo)


def test_an_unsafe_id_is_refused_before_anything_is_stored(repo: Repository):
    before = state(repo)
    with pytest.raises(UnsafeName):
        commit(repo, [item("ok"), item("../evil")])
    assert state(repo) == before
