"""What holds for every merge of two branches, with histories made up by hypothesis."""

import itertools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dvcs.merge import Options
from dvcs.model import Bbox, Item, Media, MediaFile
from dvcs.repository import Repository
from dvcs.repository.editing import set_items
from dvcs.repository.merges import conflicts, merging
from dvcs.repository.merges.conflicts import Wanted
from tests.repository.scenes import commit, contents, git

LABELS = ("cat", "dog", "cow")
IDS = [str(n) for n in range(4)]
NUMBERS = itertools.count()


def box(slot, shift, label, id=0, **fields):
    return Bbox(x=slot * 100.0 + shift, y=0.0, w=20.0, h=20.0, label=label, id=id, **fields)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("merges")


edits = st.lists(
    st.one_of(
        st.tuples(st.just("move"), st.sampled_from(IDS), st.sampled_from([-7.0, 0.5, 7.0])),
        st.tuples(st.just("label"), st.sampled_from(IDS), st.sampled_from([*LABELS, "pig"])),
        st.tuples(st.just("add"), st.sampled_from([*IDS, "new"]), st.integers(3, 5)),
        st.tuples(st.just("delete"), st.sampled_from(IDS), st.none()),
        st.tuples(st.just("subset"), st.sampled_from(IDS), st.sampled_from(["val", "test"])),
        st.tuples(st.just("media"), st.sampled_from(IDS), st.sampled_from("xy")),
        st.tuples(st.just("weather"), st.sampled_from(IDS), st.sampled_from(["sun", "rain"])),
    ),
    max_size=4,
)


def media(letter):
    return Media(files=(MediaFile(ext=".png", sha256=letter * 64),))


def first():
    return [
        Item(
            id=id,
            subset="train",
            annotations=[box(slot, 0, LABELS[slot], id=10 * n + slot + 1) for slot in range(2)],
            media=media("abcd"[n]),
        )
        for n, id in enumerate(IDS)
    ]


def apply(repo, branch, what):
    """Make edits on a branch, each one commit."""
    for kind, id, value in what:
        found = [one for one in repo.dataset(branch) if one.id == id]
        old = found[0].with_(source="", origins=()) if found else None
        if old is None:
            if kind == "add":
                new = Item(id=id, subset="train", annotations=[box(value, 0, "cat", id=99)])
                set_items(repo, "a", [new], message=f"add on {branch}", branch=branch)
            continue
        notes = list(old.annotations)
        remove = []
        new = [old]
        if kind == "move" and notes:
            new = [old.with_(annotations=[notes[0].with_(x=notes[0].x + value), *notes[1:]])]
        elif kind == "label" and notes:
            new = [old.with_(annotations=[notes[0].with_(label=value), *notes[1:]])]
        elif kind == "add":
            new = [old.with_(annotations=[*notes, box(value, 0, "cow", id=98)])]
        elif kind == "subset" and old.subset != value:
            new, remove = [old.with_(subset=value)], [(old.subset, id)]
        elif kind == "media":
            new = [old.with_(media=media(value))]
        elif kind == "weather":
            new = [old.with_(attributes={"weather": value})]
        elif kind == "delete":
            new, remove = [], [(old.subset, id)]
        set_items(repo, "a", new, remove=remove, message=f"{kind} on {branch}", branch=branch)


def prepared(folder, ours, theirs):
    repo = Repository.init(folder / str(next(NUMBERS)))
    root = commit(repo, first(), labels=LABELS)
    repo.create_branch("topic", root)
    apply(repo, "main", ours)
    apply(repo, "topic", theirs)
    return repo, root


def check_labels(repo, revision="main"):
    snapshot = repo.snapshot(repo.resolve(revision))
    declared = set(snapshot.labels("a").names)
    for one in repo.dataset(revision):
        assert {note.label for note in one.annotations} <= declared


def plain(repo, revision):
    """Return what a revision says, without the numbers of annotations and their order."""
    return {
        one.key: (
            sorted((note.x, note.label) for note in one.annotations),
            dict(one.attributes),
            one.media,
        )
        for one in repo.dataset(revision)
    }


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(edits, edits)
def test_merges_of_made_up_histories(folder, ours, theirs):
    repo, root = prepared(folder, ours, theirs)
    with repo:
        tips = repo.resolve("main"), repo.resolve("topic")
        request = merging.Request(revision="topic", fast_forward=False)
        done = merging.merge(repo, request)
        if done.status == "up to date":
            assert tips[1] == root
            return
        if tips[0] == root:
            assert contents(repo, "main") == contents(repo, "topic")
        if done.status == "conflicts":
            assert repo.resolve("main") == tips[0]
            left = conflicts.load(repo).open()
            assert all(one.decision is None for place in left for one in place.conflicts)
            conflicts.resolve(repo, Wanted(), "theirs")
            done = merging.go_on(repo)
            while done.status == "conflicts":
                conflicts.resolve(repo, Wanted(), "theirs")
                done = merging.go_on(repo)
        assert repo.store.commit(done.commit).parents == tips
        check_labels(repo)
        assert merging.merge(repo, request).status == "up to date"


@settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow])
@given(edits, edits)
def test_sides_may_change_places(folder, ours, theirs):
    repo, _ = prepared(folder, ours, theirs)
    with repo:
        repo.create_branch("main2", repo.resolve("main"))
        repo.create_branch("topic2", repo.resolve("topic"))
        one = merging.merge(
            repo, merging.Request(revision="topic", options=Options(strategy="theirs"))
        )
        other = merging.merge(
            repo,
            merging.Request(revision="main2", into="topic2", options=Options(strategy="ours")),
        )
        assert one.status in ("merged", "up to date", "fast-forward")
        if not (one.counts.settled or one.counts.united):
            assert plain(repo, "main") == plain(repo, "topic2")
        assert other.status in ("merged", "up to date", "fast-forward")


@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(edits, edits, edits, edits)
def test_branches_that_merge_each_other_again_and_again(folder, a, b, c, d):
    repo, _ = prepared(folder, a, b)
    with repo:

        def both(choice, swapped):
            tips = repo.resolve("main"), repo.resolve("topic")
            for into, tip, decide in (("main", tips[1], choice), ("topic", tips[0], swapped)):
                merging.merge(
                    repo,
                    merging.Request(
                        revision=tip.hex(), into=into, options=Options(strategy=decide)
                    ),
                )

        both("ours", "theirs")
        if plain(repo, "main") != plain(repo, "topic"):
            return  # settled, and each side kept its own
        apply(repo, "main", c)
        apply(repo, "topic", d)
        both("ours", "theirs")
        check_labels(repo)
        check_labels(repo, "topic")
        assert plain(repo, "main").keys() == plain(repo, "topic").keys()
        git(repo, "fsck", "--strict", "--no-dangling")
