"""What a commit holds: read lazily, in order, whatever depth items are at, sources joined."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from dvcs.errors import CorruptObject, DvcsError, RepositoryError, UnsafeName
from dvcs.model import Category, Item, Labels
from dvcs.objects.gitobjects import MODE_FILE, MODE_TREE
from dvcs.repository import Repository
from tests.repository.scenes import (
    box,
    change_item,
    check_sound,
    commit,
    contents,
    dataset,
    findings,
    git,
    item,
    items,
    stored_item,
)


def test_a_dataset_comes_in_the_order_of_source_subset_id(repo: Repository):
    names = ["b/2", "b/10", "a", "Z", "é", "x y", "1"]
    held = [item(name, subset) for subset in ("val", "train") for name in names]
    commit(repo, held, source="two")
    commit(repo, held, source="one")
    for source in ("one", "two"):
        keys = [one.key for one in repo.dataset(f"HEAD:{source}")]
        assert keys == sorted(keys)
        assert len(keys) == 14


@pytest.mark.parametrize("count", [0, 1, 256, 257, 3000])
def test_folders_of_any_size_are_read_back(repo: Repository, count: int):
    commit(repo, [*items(count), item("last", "val")])
    assert len(repo.dataset()) == count + 1
    assert [one.id for one in repo.dataset()] == [*(f"{n:04}" for n in range(count)), "last"]
    found = repo.item("HEAD", "a", "train", "0000")
    assert (found is not None) == (count > 0)
    assert repo.item("HEAD", "a", "train", "nothing") is None
    assert repo.item("HEAD", "b", "train", "0000") is None
    check_sound(repo)


def test_nothing_is_read_before_it_is_asked_for(repo: Repository, monkeypatch):
    commit(repo, items(500))
    read = []
    original = type(repo.store).read
    monkeypatch.setattr(
        type(repo.store), "read", lambda self, oid: read.append(oid) or original(self, oid)
    )
    snapshot = repo.snapshot(repo.resolve("HEAD"))
    assert len(read) <= 2
    assert list(snapshot.sources) == ["a"]
    assert len(read) < 8
    stream = iter(snapshot.dataset("a", repo.media_access))
    next(stream)
    stream.close()


def test_two_walks_give_the_same(repo: Repository):
    commit(repo, items(20))
    held = repo.dataset()
    assert list(held) == list(held)


def test_an_old_revision_is_not_what_is_now(repo: Repository):
    commit(repo, items(3))
    held = repo.dataset()
    change_item(repo, item("0000", x=99.0))
    assert [one.annotations[0].x for one in held] == [1.0, 2.0, 3.0]
    assert [one.annotations[0].x for one in repo.dataset("HEAD~1")] == [1.0, 2.0, 3.0]


def regrouped_by_git(repo: Repository, paths: dict[str, str]) -> None:
    """Commit, by Git's own commands, the same items at other paths."""
    listed = git(repo, "ls-tree", "-r", "HEAD").splitlines()
    found = {line.split("\t")[1]: line.split("\t")[0] for line in listed}
    index = "".join(f"{found[old]}\t{new}\n" for old, new in paths.items())
    kept = "".join(f"{mode}\t{path}\n" for path, mode in found.items() if path not in paths)
    git(repo, "read-tree", "--empty")
    git(repo, "update-index", "--index-info", data=(index + kept).encode())
    tree = git(repo, "write-tree").strip()
    identity = ("-c", "user.name=A", "-c", "user.email=a@b")
    oid = git(repo, *identity, "commit-tree", tree, "-p", "HEAD", "-m", "by hand").strip()
    git(repo, "update-ref", "refs/heads/main", oid)
    (repo.layout.git / "index").unlink()


def test_items_at_an_unusual_depth_are_read_and_put_right(repo: Repository):
    commit(repo, items(5))
    right = git(repo, "rev-parse", "HEAD^{tree}")
    regrouped_by_git(
        repo,
        {
            "a/items/train/0001.jsonl": "a/items/train/q/0001.jsonl",
            "a/items/train/0002.jsonl": "a/items/train/x/y/z/0002.jsonl",
        },
    )
    assert [one.id for one in repo.dataset()] == [f"{n:04}" for n in range(5)]
    assert repo.item("HEAD", "a", "train", "0002").annotations[0].x == 3.0
    assert findings(repo) == []
    change_item(repo, item("0003", x=40.0))
    commit(repo, items(5))
    assert git(repo, "rev-parse", "HEAD^{tree}") == right


def test_a_deep_folder_flattened_by_hand_is_read_and_put_right(repo: Repository):
    commit(repo, items(600))
    right = git(repo, "rev-parse", "HEAD^{tree}")
    paths = git(repo, "ls-tree", "-r", "--name-only", "HEAD").split()
    flat = {path: f"a/items/train/{path.rsplit('/', 1)[1]}" for path in paths if "/items/" in path}
    regrouped_by_git(repo, flat)
    assert len(repo.dataset()) == 600
    change_item(repo, item("0003", x=4.0))
    assert git(repo, "rev-parse", "HEAD^{tree}") == right


@pytest.mark.parametrize("name", ["..%2Fevil", "a\\b", "%2Fabs", "x%2F..%2Fy", "C:%2Fx", "a%00"])
def test_ids_that_lead_out_are_not_read_from_a_repository(repo: Repository, name: str):
    commit(repo, items(1))
    regrouped_by_git(repo, {"a/items/train/0000.jsonl": f"a/items/train/{name}.jsonl"})
    with pytest.raises(UnsafeName):
        list(repo.dataset())


def root_of(repo: Repository, entries: list) -> bytes:
    with repo.store.writer() as writer:
        oid = writer.tree(entries)
        writer.publish()
    return oid


def test_a_commit_of_something_else_is_told_from_one_of_a_newer_dvcs(repo: Repository):
    with repo.store.writer() as writer:
        blob = writer.blob(b"text\n")
        newer = writer.blob(b'{"features":[],"version":2}\n')
        feature = writer.blob(b'{"features":["x"],"version":1}\n')
        writer.publish()
    from dvcs.repository.snapshot import Snapshot

    for entries, error in (
        ([(b"README", MODE_FILE, blob)], CorruptObject),
        ([(b"dataset.json", MODE_FILE, blob)], CorruptObject),
        ([(b"dataset.json", MODE_FILE, newer)], RepositoryError),
        ([(b"dataset.json", MODE_FILE, feature)], RepositoryError),
    ):
        with pytest.raises(error):
            _ = Snapshot(repo.store, root_of(repo, entries)).sources


def test_damaged_files_of_a_source_are_errors(repo: Repository):
    commit(repo, items(1))
    with repo.store.writer() as writer:
        blob = writer.blob(b"{")
        layout = writer.blob(b'{"features":[],"version":1}\n')
        below = writer.tree(
            [(b"source.json", MODE_FILE, blob), (b"categories.json", MODE_FILE, blob)]
        )
        root = writer.tree([(b"dataset.json", MODE_FILE, layout), (b"s", MODE_TREE, below)])
        writer.publish()
    from dvcs.repository.snapshot import Snapshot

    snapshot = Snapshot(repo.store, root)
    with pytest.raises(CorruptObject, match=r"source\.json"):
        snapshot.info("s")
    with pytest.raises(CorruptObject, match=r"categories\.json"):
        snapshot.labels("s")


# -- joins ---------------------------------------------------------------------------------------


def test_sources_are_joined_by_name_of_label_and_item(repo: Repository):
    one = Labels([Category(name="cat", id=1), Category(name="dog", id=2)])
    two = Labels([Category(name="dog", id=1), Category(name="bird", id=2)])
    commit(repo, [item("x"), item("only1")], source="one", labels=one)
    commit(
        repo,
        [
            Item(id="x", subset="train", annotations=[box(5.0, "dog")]),
            Item(id="only2", subset="train", annotations=[box(6.0, "bird")]),
        ],
        source="two",
        labels=two,
    )
    joined = repo.dataset()
    assert joined.labels.names == ("cat", "dog", "bird")
    held = {one.id: [(n.x, n.label) for n in one.annotations] for one in joined}
    assert held == {
        "only1": [(1.0, "cat")],
        "only2": [(6.0, "bird")],
        "x": [(1.0, "cat"), (5.0, "dog")],
    }
    assert [one.id for one in joined] == ["only1", "only2", "x"]


def test_groups_of_joined_items_stay_apart(repo: Repository):
    pair = [box(1.0, group=1), box(2.0, group=1)]
    for source in ("one", "two"):
        commit(repo, [Item(id="x", subset="train", annotations=pair)], source=source)
    (joined,) = repo.dataset()
    assert [note.group for note in joined.annotations] == [1, 1, 2, 2]


def test_items_with_the_same_media_are_united(repo: Repository):
    one = stored_item(repo, "x", b"image")
    commit(repo, [one], source="one")
    commit(repo, [one.with_(media=None)], source="two")
    (joined,) = repo.dataset()
    assert joined.origins[0].read() == b"image"
    assert len(joined.annotations) == 2


def test_items_with_different_media_are_an_error_that_says_what_to_do(repo: Repository):
    commit(repo, [stored_item(repo, "x", b"one")], source="one")
    commit(repo, [stored_item(repo, "x", b"two")], source="two")
    with pytest.raises(RepositoryError, match="'one' and 'two' both have an item 'train/x'") as e:
        list(repo.dataset())
    assert "--prefix-source" in (e.value.hint or "")
    assert len(list(repo.dataset("HEAD:one"))) == 1


def test_a_join_of_many_items_is_lazy(repo: Repository):
    commit(repo, items(900), source="one")
    commit(repo, items(900, x=50.0), source="two")
    stream = iter(repo.dataset())
    first = next(stream)
    assert (first.id, len(first.annotations)) == ("0000", 2)
    rest = list(stream)
    assert len(rest) == 899
    assert all(len(one.annotations) == 2 for one in rest)


def test_long_ids_are_united_too(repo: Repository):
    names = ["x" * 300 + end for end in ("b", "a", "c")]
    for source in ("one", "two"):
        commit(repo, [item(name) for name in names], source=source)
    assert sorted((one.id, len(one.annotations)) for one in repo.dataset()) == [
        (name, 2) for name in sorted(names)
    ]
    assert sorted(key[2] for key in contents(repo)) == sorted(names * 2)


def test_an_empty_repository_is_an_empty_dataset(repo: Repository):
    with pytest.raises(DvcsError):
        repo.dataset()
    repo.commit(dataset([]), message="nothing", source="a")
    assert list(repo.dataset()) == []


def test_an_interrupt_while_reading_ends_is_heard(repo: Repository, monkeypatch):
    commit(repo, items(20))
    original = ThreadPoolExecutor.shutdown

    def interrupted(self, *arguments, **options):
        original(self, *arguments, **options)
        raise KeyboardInterrupt

    monkeypatch.setattr(ThreadPoolExecutor, "shutdown", interrupted)
    with pytest.raises(KeyboardInterrupt):
        list(repo.dataset("HEAD:a"))
