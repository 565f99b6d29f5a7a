"""Patches: made in one repository, applied in another that shares no commit with it."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from dvcs.errors import (
    ConflictError,
    DirtyWorkingCopy,
    DvcsError,
    FormatError,
    HookRefused,
    RepositoryError,
    RevisionNotFound,
    UnsafeName,
    UsageError,
)
from dvcs.model import AttributeSpec, Caption, Category, Item, Labels, Media, MediaFile, Raster
from dvcs.names import is_cut, quote
from dvcs.objects.items import encode_item
from dvcs.objects.media import MediaStore
from dvcs.repository import Repository, absent, hooks, locks
from dvcs.repository.editing import set_items
from dvcs.repository.exporting import export_revision
from dvcs.repository.fsck import fsck
from dvcs.repository.gc import collect
from dvcs.repository.importing import Request, run
from dvcs.repository.merges import conflicts, picking
from dvcs.repository.merges.conflicts import Wanted
from dvcs.repository.merges.underway import under_way
from dvcs.repository.message import parse
from dvcs.repository.patches.applying import apply_patch, patch_lines
from dvcs.repository.snapshot import SourceInfo
from dvcs.repository.undo import undo
from dvcs.repository.working import checkout, worktree
from tests.conftest import needs_samples
from tests.repository import pets
from tests.repository.scenes import (
    box,
    change_item,
    check_sound,
    coco,
    commit,
    contents,
    drop,
    item,
    items,
    put,
    state,
)


@pytest.fixture
def other(tmp_path):
    """Another repository."""
    with Repository.init(tmp_path / "other") as made:
        yield made


def patch_of(repo, old="HEAD~1", new="HEAD", **options):
    return list(patch_lines(repo, repo.resolve(old), repo.resolve(new), **options))


def tree(repo, revision="HEAD"):
    return repo.tree_of(repo.resolve(revision))


def boxes(*notes, id="x", subset="train"):
    return item(id, subset).with_(annotations=list(notes))


def told(repo, name="train/x"):
    return [(note.id, note.x, note.label) for note in contents(repo)["a", *name.split("/", 1)]]


# -- exactly -------------------------------------------------------------------------------------

NOTES = st.lists(
    st.one_of(
        st.builds(
            box,
            st.floats(0, 300, width=16),
            st.sampled_from(["cat", "dog", "cow"]),
            id=st.integers(0, 5),
            group=st.integers(0, 2),
        ),
        st.builds(Caption, caption=st.text(max_size=4)),
    ),
    max_size=4,
)
NAMES = st.sampled_from(["x", "y", "z/1", "é", "a" * 220, "con"])
ITEMS = st.dictionaries(st.tuples(st.sampled_from(["train", "val"]), NAMES), NOTES, max_size=6)
TABLES = st.permutations(["cat", "dog", "cow", "bird"])
VERSIONS = st.dictionaries(st.sampled_from(["a", "b"]), st.tuples(ITEMS, TABLES), max_size=2)


def record(repo, version, message, **more):
    with repo.transaction(**more) as change:
        change.sources.clear()
        for source, (held, names) in version.items():
            labels = Labels(names, attributes=[AttributeSpec(name=names[0])])
            change.set_source(source, SourceInfo(format="coco", licence=names[-1]), labels, {})
            changes = {}
            for (subset, id), notes in held.items():
                parts = encode_item(
                    Item(id=id, subset=subset, annotations=notes), keep_id=is_cut(quote(id))
                )
                blobs = b"".join(change.writer.blob(part) for part in parts)
                changes.setdefault(subset, {})[quote(id).encode()] = blobs
            change.change_items(source, changes)
        return change.commit(message, operation="edit", allow_empty=True).oid


@settings(
    max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.differing_executors]
)
@given(before=VERSIONS, after=VERSIONS)
def test_any_difference_comes_over_exactly_and_goes_back(before, after, tmp_path_factory):
    folder = tmp_path_factory.mktemp("patches")
    with ExitStack() as stack:
        one, two = (stack.enter_context(Repository.init(folder / name)) for name in ("one", "two"))
        old, new = record(one, before, "before"), record(one, after, "after")
        record(two, before, "the same, made here")
        lines = list(patch_lines(one, old, new))
        done = apply_patch(two, lines, exact=True)
        assert tree(two) == one.tree_of(new)
        assert done.committed.changed is (one.tree_of(old) != one.tree_of(new))
        assert not apply_patch(two, lines).committed.changed
        apply_patch(two, lines, reverse=True, exact=True)
        assert tree(two) == one.tree_of(old)


PLAIN = st.lists(
    st.builds(box, st.sampled_from([1.0, 3.0, 40.0, 80.0]), st.sampled_from(["cat", "dog"])),
    max_size=3,
)
ONE_SUBSET = st.dictionaries(
    st.tuples(st.just("train"), st.sampled_from(["x", "y", "z"])), PLAIN, min_size=1
).map(lambda held: {"a": (held, ["cat", "dog", "cow", "bird"])})


@settings(
    max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.differing_executors]
)
@given(base=ONE_SUBSET, ours=ONE_SUBSET, theirs=ONE_SUBSET)
def test_a_patch_does_what_a_cherry_pick_does(base, ours, theirs, tmp_path_factory):
    was, now = ({id for _, id in one["a"][0]} for one in (base, ours))
    assume(was <= now or now <= was)  # of what has another name here, a patch knows nothing
    folder = tmp_path_factory.mktemp("patches")
    with ExitStack() as stack:
        one, two = (stack.enter_context(Repository.init(folder / name)) for name in ("one", "two"))
        first = record(one, base, "base")
        one.create_branch("side", first)
        record(one, theirs, "theirs", branch="side")
        record(one, ours, "ours")
        record(two, ours, "ours")
        picking.cherry_pick(one, "side", strategy="theirs")
        apply_patch(two, patch_lines(one, first, one.resolve("side")), strategy="theirs")
        assert contents(two) == contents(one)
        assert tree(two) == tree(one)


def test_a_patch_reads_like_a_difference(repo):
    commit(repo, [boxes(box(1.0, id=1), box(40.0, id=2)), item("gone")], labels=("cat", "dog"))
    with repo.transaction() as change:
        put(change, "a", boxes(box(1.0, id=1), box(40.0, "dog", id=2)))
        drop(change, "a", "train/gone")
        change.commit("A dog\n\nand why", operation="edit")
    lines = [json.loads(line) for line in patch_of(repo)]
    header = lines[0]["dvcs.patch/1"]
    assert header["message"] == "A dog\n\nand why"
    assert header["author"] == "Ada Tester <ada@example.org>"
    assert header["sources"] == ["a"]
    assert lines[1] == {"source": "a", "status": "changed", "labels": "used"}
    assert [one["label"]["="]["key"] for one in lines[2:4]] == ["cat", "dog"]
    assert lines[4]["item"] == {"subset": "train", "id": "x"}
    assert [next(iter(one)) for one in lines[5:10]] == ["=", "=", "-", "+", "item"]
    assert lines[7]["-"]["label"] == "cat"
    assert lines[8]["+"]["label"] == "dog"
    assert "new" not in lines[9]
    assert lines[-1] == {"end": {"items": 2, "media": 0}}


def test_message_and_author_come_along(repo, other, monkeypatch):
    for one in (repo, other):
        commit(one, items(2))
    monkeypatch.setenv("DVCS_AUTHOR_DATE", "1600000000 +0200")
    change_item(repo, item("0000", x=50.0))
    monkeypatch.setenv("DVCS_AUTHOR_DATE", "1700000000 +0000")
    monkeypatch.setenv("DVCS_AUTHOR_NAME", "Bea")
    lines = patch_of(repo)
    done = apply_patch(other, lines)
    made = other.store.commit(done.committed.oid)
    assert (made.author.name, made.author.time, made.author.zone) == ("Ada Tester", 1600000000, 120)
    assert made.committer.name == "Bea"
    message = parse(made.message)
    assert message.text == "Change 0000"
    assert message.operation == "apply"
    assert message.arguments["to"] == repo.resolve().hex()
    back = other.store.commit(apply_patch(other, lines, reverse=True).committed.oid)
    assert back.author.name == "Bea"
    assert parse(back.message).text.startswith('Revert "Change 0000"')
    done = apply_patch(other, lines, message="Again")
    assert parse(other.store.commit(done.committed.oid).message).text == "Again"
    check_sound(other)


def test_a_patch_of_several_commits_lists_them(repo):
    commit(repo, items(2))
    change_item(repo, item("0000", x=50.0))
    change_item(repo, item("0001", x=60.0))
    header = json.loads(patch_of(repo, "HEAD~2")[0])["dvcs.patch/1"]
    assert header["message"].split("\n")[1:] == ["", "* Change 0001", "* Change 0000"]


def test_policy_comes_along(repo, other):
    for one in (repo, other):
        commit(one, items(1))
    with repo.transaction() as change:
        change.policy = change.writer.blob(b"# nothing yet\n")
        change.commit("Policy", operation="edit")
    apply_patch(other, patch_of(repo))
    assert tree(other) == tree(repo)


def test_only_chosen_sources(repo):
    commit(repo, items(1))
    commit(repo, items(1), source="b")
    commit(repo, items(2))
    assert len(patch_of(repo, "HEAD~2", sources=["b"])) > 2
    header = json.loads(patch_of(repo, "HEAD~2", sources=["b"])[0])["dvcs.patch/1"]
    assert header["sources"] == ["b"]


def test_a_patch_can_begin_a_repository(repo, other):
    commit(repo, items(1))
    first = repo.resolve()
    with repo.transaction() as change:
        change.sources.clear()
        change.commit("Empty", operation="edit")
    lines = list(patch_lines(repo, repo.resolve(), first))
    apply_patch(other, lines)
    assert tree(other) == repo.tree_of(first)


def test_items_of_many_blobs_come_over(repo, other, monkeypatch):
    monkeypatch.setattr("dvcs.objects.items.PART_LIMIT", 400)
    many = boxes(*(box(float(n), id=n) for n in range(1, 30)))
    for one in (repo, other):
        commit(one, [many])
    change_item(repo, boxes(*(box(float(n) + (n == 20), id=n) for n in range(1, 30))))
    apply_patch(other, patch_of(repo), exact=True)
    assert tree(other) == tree(repo)


def test_all_media_of_items_of_many_blobs_are_told_and_noted(repo, other, monkeypatch):
    monkeypatch.setattr("dvcs.objects.items.PART_LIMIT", 400)
    hashes = [f"{n:064x}" for n in range(1, 30)]
    files = [MediaFile(ext=".png", sha256=one, size=3) for one in hashes]
    many = boxes(*(Raster(id=n, meaning="depth", file=file) for n, file in enumerate(files, 1)))
    for one in (repo, other):
        commit(one, items(1))
    change_item(repo, many)
    assert apply_patch(other, patch_of(repo), dry_run=True).absent == tuple(hashes)
    assert apply_patch(other, patch_of(repo)).absent == tuple(hashes)
    assert tree(other) == tree(repo)
    assert missing(other) == [("note", "media", ("a/train/x",))]


# -- where something else is here ----------------------------------------------------------------


@pytest.fixture
def pair(repo, other):
    """Two repositories of the same items, each its own commit."""
    held = [boxes(box(1.0, id=1), box(40.0, id=2), box(80.0, id=3)), item("y", x=7.0)]
    for one in (repo, other):
        commit(one, held, labels=("cat", "dog"))
    return repo, other


def test_items_changed_here_are_merged(pair):
    repo, other = pair
    change_item(repo, boxes(box(2.0, id=1), box(40.0, id=2), box(80.0, id=3)))
    change_item(other, boxes(box(1.0, id=1), box(40.0, id=2), box(80.0, "dog", id=3)))
    lines = patch_of(repo)
    before = state(other)
    with pytest.raises(ConflictError, match="1 item is not here as the patch knows"):
        apply_patch(other, lines, exact=True)
    assert apply_patch(other, lines, dry_run=True).merged == ("a/train/x",)
    assert state(other) == before
    done = apply_patch(other, lines)
    assert (done.exact, done.done, done.merged) == (0, 0, ("a/train/x",))
    assert told(other) == [(1, 2.0, "cat"), (2, 40.0, "cat"), (3, 80.0, "dog")]
    check_sound(other)


def test_a_patch_follows_an_item_that_moved_here(pair):
    repo, other = pair
    change_item(repo, boxes(box(2.0, id=1), box(40.0, id=2), box(80.0, id=3)))
    with other.transaction() as change:
        drop(change, "a", "train/x")
        put(change, "a", boxes(box(1.0, id=1), box(40.0, id=2), box(88.0, id=3), subset="val"))
        change.commit("Split", operation="edit")
    apply_patch(other, patch_of(repo))
    assert told(other, "val/x") == [(1, 2.0, "cat"), (2, 40.0, "cat"), (3, 88.0, "cat")]
    assert ("a", "train", "x") not in contents(other)


def test_a_moved_item_takes_what_was_changed_here_along(pair):
    repo, other = pair
    with repo.transaction() as change:
        drop(change, "a", "train/x")
        put(change, "a", boxes(box(1.0, id=1), box(40.0, id=2), box(80.0, id=3), subset="val"))
        change.commit("Split", operation="edit")
    change_item(other, boxes(box(5.0, id=1), box(40.0, id=2), box(80.0, id=3)))
    apply_patch(other, patch_of(repo))
    assert told(other, "val/x")[0] == (1, 5.0, "cat")
    assert ("a", "train", "x") not in contents(other)


def test_conflicts_are_decided_as_those_of_a_cherry_pick(pair):
    repo, other = pair
    change_item(repo, boxes(box(5.0, id=1), box(40.0, id=2), box(80.0, id=3)))
    head = change_item(other, boxes(box(12.0, id=1), box(40.0, id=2), box(80.0, id=3)))
    lines = patch_of(repo)
    before = state(other)
    with pytest.raises(ConflictError, match=r"the patch is in conflict .*\n  a/train/x: 1"):
        apply_patch(other, lines, dry_run=True)
    assert state(other) == before
    assert not apply_patch(other, lines, strategy="ours").committed.changed
    done = apply_patch(other, lines)
    assert done.picks is not None
    assert [one.name for one in done.picks.places] == ["a/train/x"]
    assert under_way(other) == "cherry-pick"
    assert other.resolve() == head
    picking.abort(other, "cherry-pick")
    apply_patch(other, lines, strategy="theirs")
    assert told(other)[0] == (1, 5.0, "cat")
    check_sound(other)


def test_labels_are_known_by_name(pair):
    repo, other = pair
    labels = Labels([Category(name="cat", key="cat#4"), Category(name="dog"), Category(name="cow")])
    with other.transaction() as change:
        change.set_labels("a", labels)
        put(change, "a", boxes(box(1.0, id=1), box(40.0, id=2), box(80.0, id=3)), item("y", x=7.0))
        change.commit("Keys", operation="edit")
    with other.transaction() as change:
        put(change, "a", boxes(box(1.0, id=1), box(40.0, id=2), box(80.0, id=3)), item("y", x=7.0))
        change.commit("Keys", operation="edit")
    with repo.transaction() as change:
        change.set_labels("a", Labels(["cat", "dog", "bird"]))
        put(change, "a", boxes(box(1.0, id=1), box(40.0, "bird", id=2), box(80.0, id=3)))
        change.commit("A bird", operation="edit")
    done = apply_patch(other, patch_of(repo))
    assert done.exact == 1
    assert [label for _, _, label in told(other)] == ["cat", "bird", "cat"]
    assert other.snapshot(other.resolve()).labels("a").names == ("cat", "dog", "cow", "bird")


def test_a_renamed_label_comes_over(pair):
    repo, other = pair
    with repo.transaction() as change:
        change.set_labels("a", Labels([Category(name="kitten", key="cat"), Category(name="dog")]))
        change.commit("Rename", operation="edit")
    with other.transaction() as change:
        change.set_labels("a", Labels(["dog", "cat", "cow"]))
        change.commit("More", operation="edit")
    apply_patch(other, patch_of(repo))
    assert other.snapshot(other.resolve()).labels("a").names == ("dog", "kitten", "cow")
    with other.transaction() as change:
        change.set_labels("a", Labels(["dog", "cat", "kitten"]))
        change.commit("Taken", operation="edit")
    with pytest.raises(ConflictError, match="'kitten', and here another one is called so"):
        apply_patch(other, patch_of(repo))


def test_a_source_that_is_not_here_is_refused(repo, other):
    commit(repo, items(1))
    commit(repo, items(2))
    commit(other, items(1), source="b")
    with pytest.raises(RevisionNotFound, match="source 'a', which is not here") as error:
        apply_patch(other, patch_of(repo))
    assert error.value.hint == "say which one it is here: --source 'a=b'"
    commit(other, items(1), source="c")
    with pytest.raises(RevisionNotFound) as error:
        apply_patch(other, patch_of(repo))
    assert error.value.hint == "say which one it is here: --source 'a=NAME' (sources here: b, c)"


def test_a_source_that_has_another_name_here_is_said(repo, other):
    commit(repo, items(3))
    commit(other, items(3), source="b")
    before = tree(other)
    change_item(repo, item("0001", x=4.0))
    lines = patch_of(repo)
    done = apply_patch(other, lines, sources={"a": "b"}, exact=True)
    assert contents(other)["b", "train", "0001"] == contents(repo)["a", "train", "0001"]
    assert list(other.snapshot(other.resolve()).sources) == ["b"]
    made = parse(other.store.commit(done.committed.oid).message)
    assert made.arguments["sources"] == {"a": "b"}
    apply_patch(other, lines, sources={"a": "b"}, reverse=True)
    assert tree(other) == before


def test_conflicts_of_a_source_that_has_another_name_are_decided(repo, other):
    commit(repo, items(3))
    commit(other, items(3), source="b")
    change_item(repo, item("0001", x=4.0))
    change_item(other, item("0001", x=0.0), source="b")
    done = apply_patch(other, patch_of(repo), sources={"a": "b"})
    assert [place.name for place in done.picks.places] == ["b/train/0001"]
    conflicts.resolve(other, Wanted(), "theirs")
    picking.go_on(other, "cherry-pick")
    assert contents(other)["b", "train", "0001"][0].x == 4.0


@pytest.mark.parametrize(
    ("names", "error", "told"),
    [
        ({"x": "b"}, UsageError, "no source of the patch is called 'x'"),
        ({"a": "c"}, UsageError, "two sources of the patch would be 'c'"),
        ({"a": "../b"}, UnsafeName, "'../b'"),
    ],
)
def test_names_of_sources_that_cannot_be_are_refused(repo, other, names, error, told):
    for source in ("a", "c"):
        commit(repo, items(1), source=source)
        commit(other, items(1), source=source)
    with repo.transaction() as change:
        put(change, "a", item("0000", x=9.0))
        put(change, "c", item("0000", x=9.0))
        change.commit("Both", operation="edit")
    before = state(other)
    with pytest.raises(error, match=told):
        apply_patch(other, patch_of(repo), sources=names)
    assert state(other) == before


def test_media_that_are_not_here_are_told(repo, other):
    for one in (repo, other):
        commit(one, items(1))
    media = Media(files=(MediaFile(ext=".png", sha256="ab" * 32, size=3),), height=4, width=4)
    change_item(repo, item("new").with_(media=media))
    lines = patch_of(repo)
    assert json.loads(lines[-1])["end"] == {"items": 1, "media": 1}
    assert apply_patch(other, lines, dry_run=True).absent == ("ab" * 32,)
    assert apply_patch(other, lines).absent == ("ab" * 32,)
    assert tree(other) == tree(repo)


@pytest.fixture
def lacking(tmp_path):
    """Two repositories; in the second, a patch of the first brought an image that is not there."""
    one, two = (Repository.init(tmp_path / name) for name in ("one", "two"))
    for repo in (one, two):
        run(repo, Request(data=coco(tmp_path / "v1", 3), name="a"))
    run(one, Request(data=coco(tmp_path / "v2", 4), name="a"))
    assert len(apply_patch(two, patch_of(one)).absent) == 1
    yield two, tmp_path
    one.close()
    two.close()


def missing(repo):
    return [(one.severity, one.where, one.items) for one in fsck(repo)]


def test_media_that_were_never_here_are_a_note_and_no_damage(lacking):
    repo, folder = lacking
    assert missing(repo) == [("note", "media", ("a/train/0003",))]
    collect(repo, dry_run=False)
    (copy,) = checkout.checkout_source(repo, "a").copies
    assert copy.losses[-1] == "1 media file is not at hand and could not be written"
    assert sorted(path.stem for path in (repo.root / "a/images/train").iterdir()) == [
        "0000",
        "0001",
        "0002",
    ]
    assert not worktree.status(repo).copies[0].changes
    done = export_revision(repo, "HEAD", folder / "out", format="voc")
    assert done.fidelity.missing_media == 1
    repo.media_access.origin  # noqa: B018 - the list is known before it changes
    run(repo, Request(data=folder / "v2", name="a"))
    assert missing(repo) == []
    done = export_revision(repo, "HEAD", folder / "again", format="voc")
    assert done.fidelity.missing_media == 0


def test_what_was_here_and_is_lost_is_damage_though_it_was_absent_once(lacking):
    repo, folder = lacking
    assert run(repo, Request(data=folder / "v2", name="a")).committed.changed is False
    for path in (repo.layout.media / "packs").iterdir():
        path.unlink()
    repo.media.refresh()
    assert {severity for severity, *_ in missing(repo)} == {"error"}


def lose_all_media(repo):
    for path in (repo.layout.media / "packs").iterdir():
        path.unlink()
    repo.media.refresh()


def test_a_patch_of_an_item_whose_image_was_lost_does_not_excuse_the_loss(tmp_path):
    one, two = (Repository.init(tmp_path / name) for name in ("one", "two"))
    with one, two:
        for repo in (one, two):
            run(repo, Request(data=coco(tmp_path / "v1", 3), name="a"))
        changed = one.item("HEAD", "a", "train", "0000")
        set_items(one, "a", [changed.with_(annotations=[box(1, "a", id=7)])], message="a box")
        lose_all_media(two)
        assert {severity for severity, *_ in missing(two)} == {"error"}
        assert len(apply_patch(two, patch_of(one)).absent) == 1
        assert {severity for severity, *_ in missing(two)} == {"error"}
        assert absent.known(two.layout) == frozenset()


@pytest.mark.parametrize("look", [fsck, lambda repo: [collect(repo, dry_run=False)]])
def test_what_came_in_with_somebody_who_was_killed_is_lost_when_it_is_lost(
    lacking, look, monkeypatch
):
    repo, folder = lacking
    with monkeypatch.context() as patch:
        patch.setattr("dvcs.repository.absent.settle", lambda _: None)  # killed before it
        run(repo, Request(data=folder / "v2", name="a"))
    assert len(absent.known(repo.layout)) == 1
    assert list(look(repo)) is not None
    assert absent.known(repo.layout) == frozenset()
    lose_all_media(repo)
    assert {severity for severity, *_ in missing(repo)} == {"error"}
    with pytest.raises(RepositoryError, match="is missing"):
        collect(repo, dry_run=False)


def test_what_comes_in_while_it_is_noted_leaves_the_list(lacking):
    repo, folder = lacking
    (repo.layout.state / "absent").unlink()
    with Repository(repo.root) as other, ThreadPoolExecutor(1) as pool:
        with locks.exclusive(repo.layout.lock):  # has looked, and will write what it saw
            coming = pool.submit(run, other, Request(data=folder / "v2", name="a"))
            while len(list(MediaStore(repo.layout.media))) < 4:
                time.sleep(0.01)
            repo.media.refresh()
            lacks = next(iter(set(repo.media)))
            absent._write(repo, frozenset([lacks]))
        coming.result()
    assert absent.known(repo.layout) == frozenset()


def test_a_working_copy_follows_a_patch_whose_images_are_not_here(lacking):
    repo, folder = lacking
    undo(repo)
    checkout.checkout_source(repo, "a")
    with Repository(folder / "one") as one:
        apply_patch(repo, patch_of(one))
    assert '"0003.png"' in (repo.root / "a/annotations/instances_train.json").read_text()
    assert not (repo.root / "a/images/train/0003.png").exists()
    assert worktree.status(repo).copies[0].state == "clean"


def test_a_patch_that_is_refused_notes_nothing(lacking):
    _, folder = lacking
    with Repository.init(folder / "three") as three, Repository(folder / "one") as one:
        run(three, Request(data=folder / "v1", name="a"))
        (folder / "no.py").write_text("raise SystemExit('no')\n")
        hooks.install(three.layout, folder / "no.py", "pre-commit")
        lines = patch_of(one)
        with pytest.raises(HookRefused):
            apply_patch(three, lines)
        apply_patch(three, lines, dry_run=True)
        assert not (three.layout.state / "absent").exists()


def test_a_damaged_list_of_what_was_never_here_is_told(lacking):
    repo, _ = lacking
    path = repo.layout.state / "absent"
    path.write_bytes(path.read_bytes().replace(b"media", b"medic"))
    found = [(one.severity, one.where) for one in fsck(repo)]
    assert ("error", "state/absent") in found
    assert any(where.startswith("media ") for _, where in found)


def test_dirty_working_copies_refuse_and_clean_ones_follow(tmp_path):
    repo, folder = pets.tracked(tmp_path / "one")
    other, copy = pets.tracked(tmp_path / "two")
    pets.edit(folder, lambda data: pets.note(data, 12).update(bbox=[31.0, 30.5, 20.0, 10.0]))
    worktree.commit(repo, message="second")
    lines = patch_of(repo)
    pets.edit(copy, lambda data: pets.note(data, 32).update(category_id=1))
    with pytest.raises(DirtyWorkingCopy):
        apply_patch(other, lines)
    worktree.commit(other, message="mine")
    apply_patch(other, lines)
    assert "31.0" in (copy / pets.JSON).read_text()
    assert not pets.changes(other)
    repo.close()
    other.close()


def test_a_real_dataset_comes_over(repo, other):
    folder = needs_samples("taco", "data")
    for one in (repo, other):
        run(one, Request(data=folder, name="taco", media="none"))
    data = repo.dataset("HEAD:taco")
    moved = []
    for n, one in enumerate(data):
        if n % 10:
            continue
        notes = [note.with_(label="Cigarette") for note in one.annotations[:1]]
        moved.append(one.with_(annotations=[*notes, *one.annotations[1:]], subset="review"))
    set_items(
        repo, "taco", moved, remove=[("default", one.id) for one in moved], message="Reviewed"
    )
    lines = patch_of(repo)
    done = apply_patch(other, lines)
    assert done.exact == len(moved)
    assert tree(other) == tree(repo)
    apply_patch(other, lines, reverse=True)
    assert tree(other) == other.tree_of(other.resolve("HEAD~2"))
    check_sound(other, warnings=True)


# -- what is no patch ----------------------------------------------------------------------------


def broken(lines, at, *new):
    return [*lines[:at], *new, *lines[at + 1 :]]


@pytest.fixture
def lines(pair):
    repo, _ = pair
    change_item(repo, boxes(box(2.0, id=1), box(40.0, id=2), box(80.0, id=3)))
    return patch_of(repo)


def edited(lines, at, change):
    value = json.loads(lines[at])
    change(value)
    return broken(lines, at, json.dumps(value).encode() + b"\n")


def headed(lines, **values):
    return edited(lines, 0, lambda one: one["dvcs.patch/1"].update(values))


def rename(part, name):
    return lambda value: value["item"].update({part: name})


@pytest.mark.parametrize(
    ("change", "line", "message"),
    [
        (lambda held: [], 1, "not a patch of dvcs"),
        (lambda held: [b"diff --git a/x b/x\n"], 1, "not a patch of dvcs"),
        (lambda held: [b'{"dvcs.diff/1":{}}\n'], 1, "not a patch of dvcs"),
        (lambda held: [b'{"dvcs.patch/2":{}}\n'], 1, "written by a newer dvcs"),
        (lambda held: broken(held, 0, b'{"dvcs.patch/1":{}}\n'), 1, "cannot be read"),
        (lambda held: held[:-1], None, "ends in the middle"),
        (lambda held: held[:6], None, "do not give the version|ends in the middle"),
        (lambda held: [*held, b'{"item":{}}\n'], None, "behind the end"),
        (lambda held: broken(held, 1, b"{\n"), 2, "no record of a patch"),
        (lambda held: broken(held, 1, b'{"what":1}\n'), 2, "'what' cannot stand here"),
        (lambda held: broken(held, 1, b"{}\n"), 2, "is empty"),
        (lambda held: broken(held, -1, b'{"end":{"items":9}}\n'), None, "is of 9 items"),
        (lambda held: edited(held, 3, rename("id", "../x")), 4, "has a part '.' or '..'"),
        (lambda held: edited(held, 3, rename("id", "a\\b")), 4, "not spelt as dvcs spells"),
        (lambda held: edited(held, 3, rename("subset", "/etc")), 4, "is an absolute path"),
        (lambda held: edited(held, 3, lambda one: one.update(new="0" * 40)), 4, "version '0000"),
        (lambda held: edited(held, 3, lambda one: one.pop("new")), 4, "does not name"),
        (lambda held: edited(held, 3, lambda one: one.update(new=7)), 4, "cannot be read"),
        (lambda held: edited(held, 1, lambda one: one.update(source="../a")), 2, "'.' or '..'"),
        (lambda held: edited(held, 1, lambda one: one.update(status="?")), 2, "'status'"),
        (lambda held: broken(held, 6, b'{"-":{"type":"bbox"},"+":[]}\n'), 4, "do not give"),
        (lambda held: [*held[:-1], *held[3:-1], held[-1]], 2, "has an item twice"),
        (lambda held: [*held[:-1], *held[1:-1], held[-1]], None, "is here twice"),
        (lambda held: broken(held, 0, b"[" * 100_000), 1, "not a patch"),
        (lambda held: headed(held, date="x"), 1, "date"),
        (lambda held: headed(held, date="1960-01-01T00:00:00+00:00"), 1, "date"),
        (lambda held: headed(held, date="2026-01-01T00:00:00"), 1, "date"),
        (lambda held: headed(held, author="Ada"), 1, "author"),
        (lambda held: headed(held, author=" <>"), 1, "author"),
        (lambda held: headed(held, message="a\0b"), 1, "NUL"),
        (lambda held: headed(held, to="main"), 1, "not ids of commits"),
    ],
)
def test_what_is_no_patch_is_told_with_its_line(pair, lines, change, line, message):
    before = state(pair[1])
    with pytest.raises(FormatError, match=message) as error:
        apply_patch(pair[1], change(lines), name="fix.patch")
    assert error.value.line == line or line is None
    assert str(error.value).startswith("fix.patch:")
    assert state(pair[1]) == before


def test_a_label_that_nobody_declares_is_refused(pair, lines):
    held = [line for line in lines if not line.startswith(b'{"label"')]
    text = b"".join(held).replace(b'"label":"cat"', b'"label":"owl"')
    with pytest.raises(FormatError, match="do not give the version"):
        apply_patch(pair[1], text.splitlines(keepends=True))
    repo, other = pair
    with repo.transaction() as change:
        put(change, "a", boxes(box(1.0, "owl"), id="n"))
        change.commit("Undeclared", operation="edit")
    with pytest.raises(FormatError, match="label 'owl', which is declared nowhere"):
        apply_patch(other, patch_of(repo))


PIECES = st.sampled_from(
    [
        b"=",
        b"-",
        b"+",
        b'"',
        b"{",
        b"}",
        b"null",
        b"1e999",
        b"-1",
        b"[]",
        b"\xff",
        b"\n",
        b"../",
        b"x",
    ]
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_damage_is_more_than_an_error(pair, lines, data):
    text = bytearray(b"".join(lines))
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        end = min(len(text), start + data.draw(st.integers(0, 30)))
        text[start:end] = data.draw(PIECES)
    before = state(pair[1])
    with suppress(DvcsError):
        apply_patch(pair[1], bytes(text).splitlines(keepends=True), dry_run=True)
    assert state(pair[1]) == before


def test_line_ends_of_mail_programs_do_no_harm(pair, lines):
    apply_patch(pair[1], [line.replace(b"\n", b"\r\n") for line in lines] + [b"\r\n"])
    assert tree(pair[1]) == tree(pair[0])
