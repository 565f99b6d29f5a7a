"""Folders of items: the same items make the same tree, and little is touched by a change."""

import hashlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dvcs.names import quote
from dvcs.objects import trees


class Memory:
    """A store of trees; notes which were read."""

    def __init__(self) -> None:
        self.trees: dict[bytes, list[trees.Entry]] = {}
        self.continued: dict[bytes, int] = {}
        self.read: list[bytes] = []

    def tree(self, what):
        if isinstance(what, bytes):
            self.read.append(what)
            return self.trees[what]
        entries = sorted(what, key=lambda one: one[0] + b"/" * (one[1] == trees.FOLDER))
        assert len({name for name, _, _ in entries}) == len(entries), "two entries of one name"
        assert all(len(oid) == 20 for _, _, oid in entries)
        data = b"".join(b"%o %b\0%b" % (mode, name, oid) for name, mode, oid in entries)
        oid = hashlib.sha1(data, usedforsecurity=False).digest()
        self.trees[oid] = entries
        return oid

    def continues(self, oid):
        return self.continued.get(oid, 0)


def blob(text: str) -> bytes:
    return hashlib.sha1(text.encode(), usedforsecurity=False).digest()


def names_of(count: int) -> list[bytes]:
    return [f"{n:06}".encode() for n in range(count)]


@pytest.fixture
def store():
    return Memory()


@pytest.fixture(autouse=True)
def _small_leaves(monkeypatch):
    monkeypatch.setattr(trees, "LEAF_LIMIT", 4)


def shape(store: Memory, oid: bytes, prefix: str = "") -> list[str]:
    """Return the paths of all files below a tree."""
    found = []
    for name, mode, held in store.trees[oid]:
        path = prefix + name.decode()
        found += shape(store, held, f"{path}/") if mode == trees.FOLDER else [path]
    return found


# -- the layout ----------------------------------------------------------------------------------


def test_few_items_lie_flat(store):
    oid = trees.write(store, {name: blob("x") for name in names_of(4)})
    assert shape(store, oid) == [f"{n:06}.jsonl" for n in range(4)]


def test_many_items_are_split_by_the_hash_of_their_ids(store):
    oid = trees.write(store, {name: blob("x") for name in names_of(5)})
    assert shape(store, oid) == [
        *("b/000001.jsonl", "g/000003.jsonl", "q/000002.jsonl", "r/000004.jsonl"),
        "z/000000.jsonl",
    ]


PLACES = [
    (b"000000", [25, 6, 2, 10]),
    (b"street%2F1", [16, 9, 25, 0]),
    ("é".encode(), [23, 28, 10, 27]),
]


@pytest.mark.parametrize(("name", "places"), PLACES)
def test_the_folders_of_an_item_are_pinned(name, places):
    assert [trees.bucket(name, depth) for depth in range(4)] == places


def test_the_hash_is_of_the_id_and_not_of_its_quoted_name():
    digest = hashlib.sha1(b"street/1", usedforsecurity=False).digest()
    assert trees.bucket(quote("street/1").encode(), 0) == digest[0] >> 3


def test_the_limit_is_256(monkeypatch, store):
    monkeypatch.undo()
    flat = trees.write(store, {name: blob("x") for name in names_of(256)})
    split = trees.write(store, {name: blob("x") for name in names_of(257)})
    assert len(store.trees[flat]) == 256
    assert len(store.trees[split]) == 32
    assert {mode for _, mode, _ in store.trees[split]} == {trees.FOLDER}


# -- the same items, the same tree ---------------------------------------------------------------

ids = st.integers(0, 60).map(lambda n: quote(f"dir/{n}").encode())
contents = st.integers(0, 3).map(lambda n: blob(str(n)))
folders = st.dictionaries(ids, contents, max_size=60)
changes = st.dictionaries(ids, st.none() | contents, max_size=30)
slow = settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])


@slow
@given(folders, st.randoms())
def test_the_order_of_the_items_does_not_matter(held, chance):
    store = Memory()
    shuffled = list(held.items())
    chance.shuffle(shuffled)
    assert trees.write(store, dict(shuffled)) == trees.write(store, held)


@slow
@given(folders)
def test_what_was_written_is_read(held):
    store = Memory()
    oid = trees.write(store, held)
    assert dict(trees.walk(store, oid)) == held
    assert trees.count(store, oid) == len(held)
    for name, blobs in held.items():
        assert trees.find(store, oid, name) == blobs
    assert trees.find(store, oid, b"no such item") is None


@slow
@given(folders, st.lists(changes, max_size=6))
def test_any_sequence_of_updates_gives_the_tree_of_what_is_left(held, steps):
    store = Memory()
    oid = trees.write(store, held) if held else None
    now = dict(held)
    for step in steps:
        oid = trees.update(store, store, oid, step)
        for name, blobs in step.items():
            if blobs is None:
                now.pop(name, None)
            else:
                now[name] = blobs
        assert oid == (trees.write(store, now) if now else None)


@slow
@given(folders, folders)
def test_a_diff_is_the_diff_of_the_dictionaries(old, new):
    store = Memory()
    before = trees.write(store, old) if old else None
    after = trees.write(store, new) if new else None
    found = {change.name: (change.old, change.new) for change in trees.diff(store, before, after)}
    assert found == {
        name: (old.get(name), new.get(name))
        for name in old.keys() | new.keys()
        if old.get(name) != new.get(name)
    }


@slow
@given(folders, folders)
def test_a_diff_applied_as_an_update_leads_to_the_other_side(old, new):
    store = Memory()
    before = trees.write(store, old) if old else None
    after = trees.write(store, new) if new else None
    step = {change.name: change.new for change in trees.diff(store, before, after)}
    assert trees.update(store, store, before, step) == after


# -- little is touched ---------------------------------------------------------------------------


def test_an_update_reads_and_writes_only_the_folders_on_its_way(store, monkeypatch):
    monkeypatch.setattr(trees, "LEAF_LIMIT", 16)
    held = {name: blob("x") for name in names_of(5000)}
    oid = trees.write(store, held)
    before = set(store.trees)
    store.read.clear()
    trees.update(store, store, oid, {b"000123": blob("changed")})
    assert len(store.read) <= 4
    assert len(set(store.trees) - before) <= 4


def test_a_diff_opens_no_folder_that_both_have(store, monkeypatch):
    monkeypatch.setattr(trees, "LEAF_LIMIT", 16)
    held = {name: blob("x") for name in names_of(5000)}
    old = trees.write(store, held)
    new = trees.update(store, store, old, {b"000123": blob("changed")})
    store.read.clear()
    assert list(trees.diff(store, old, new)) == [
        trees.Changed(b"000123", blob("x"), blob("changed"))
    ]
    assert len(store.read) <= 8
    store.read.clear()
    assert list(trees.diff(store, old, old)) == []
    assert store.read == []


def test_finding_an_item_reads_one_folder_a_level(store):
    oid = trees.write(store, {name: blob("x") for name in names_of(2000)})
    store.read.clear()
    assert trees.find(store, oid, b"001234") == blob("x")
    assert len(store.read) <= 5


def test_counting_stops_at_its_limit(store):
    oid = trees.write(store, {name: blob("x") for name in names_of(2000)})
    store.read.clear()
    assert trees.count(store, oid, 10) > 10
    assert len(store.read) < 20


def test_no_change_is_no_new_tree(store):
    oid = trees.write(store, {name: blob("x") for name in names_of(20)})
    before = set(store.trees)
    assert trees.update(store, store, oid, {}) == oid
    assert trees.update(store, store, oid, {b"no such": None}) == oid
    assert trees.update(store, store, oid, {b"000003": blob("x")}) == oid
    assert set(store.trees) == before
    assert trees.update(store, store, None, {b"no such": None}) is None


# -- unusual trees -------------------------------------------------------------------------------


def odd(store: Memory) -> tuple[bytes, dict[bytes, bytes]]:
    """Return a folder with items at depths where nobody would have put them."""
    deep = store.tree([(b"c.jsonl", trees.FILE, blob("c"))])
    for letter in (b"q", b"a"):
        deep = store.tree([(letter, trees.FOLDER, deep)])
    root = store.tree(
        [
            (b"a.jsonl", trees.FILE, blob("a")),
            (b"z", trees.FOLDER, deep),
            (b"whatever", trees.FOLDER, store.tree([(b"b.jsonl", trees.FILE, blob("b"))])),
            (b"README.md", trees.FILE, blob("not an item")),
        ]
    )
    return root, {b"a": blob("a"), b"b": blob("b"), b"c": blob("c")}


def test_items_at_an_unusual_depth_are_found(store):
    root, held = odd(store)
    assert dict(trees.walk(store, root)) == held
    assert trees.count(store, root) == 3
    assert trees.find_anywhere(store, root, b"c") == blob("c")
    assert trees.find_anywhere(store, root, b"a") == blob("a")
    assert trees.find_anywhere(store, root, b"d") is None
    assert trees.find_anywhere(store, None, b"a") is None


def test_the_next_write_puts_them_right(store):
    root, held = odd(store)
    step = {b"d": blob("d"), b"a": None}
    wanted = trees.write(store, {b"b": held[b"b"], b"c": held[b"c"], b"d": blob("d")})
    assert trees.update(store, store, root, step) == wanted


def test_they_are_compared_as_if_they_lay_right(store):
    root, held = odd(store)
    right = trees.write(store, held | {b"d": blob("d")})
    assert list(trees.diff(store, root, right)) == [trees.Changed(b"d", None, blob("d"))]
    assert list(trees.diff(store, right, root)) == [trees.Changed(b"d", blob("d"), None)]


# -- items of several blobs ----------------------------------------------------------------------


def continued(store: Memory, count: int, text: str = "x") -> bytes:
    blobs = [blob(f"{text}{n}") for n in range(count)]
    store.continued[blobs[0]] = count - 1
    return b"".join(blobs)


def test_an_item_of_several_blobs_is_one_item(store):
    held = {b"huge": continued(store, 3), b"small": blob("s")}
    oid = trees.write(store, held)
    assert shape(store, oid) == ["huge.1.jsonl", "huge.2.jsonl", "huge.jsonl", "small.jsonl"]
    assert dict(trees.walk(store, oid)) == held
    assert trees.find(store, oid, b"huge") == held[b"huge"]
    assert trees.count(store, oid) == 2


@pytest.mark.parametrize(
    "names",
    [
        [b"x", b"x.1"],
        [b"x", b"x.1", b"x.2", b"x.3"],
        [b"x", b"x.1", b"x.1.1"],
        [b"x.1", b"x.1.1"],
        [b"x", b"x.01", b"x.1.2"],
        [b"x", quote("x%2E1").encode(), b"x.1"],
    ],
)
@pytest.mark.parametrize("counts", [(1, 1, 1, 1), (3, 1, 1, 1), (3, 2, 1, 1), (2, 3, 2, 2)])
def test_items_called_like_the_continuation_of_another(store, names, counts):
    held = {
        name: continued(store, count, name.decode())
        for name, count in zip(names, counts, strict=False)
    }
    oid = trees.write(store, held)
    assert dict(trees.walk(store, oid)) == held
    for name, blobs in held.items():
        assert trees.find(store, oid, name) == blobs
    changed = {b"x.1": blob("other"), b"x": None}
    now = {**held, b"x.1": blob("other")}
    now.pop(b"x", None)
    assert trees.update(store, store, oid, changed) == trees.write(store, now)
    assert {one.name for one in trees.diff(store, oid, trees.write(store, now))} == {
        name for name in held.keys() | now.keys() if held.get(name) != now.get(name)
    }


@slow
@given(
    st.dictionaries(
        st.sampled_from([b"x", b"x.1", b"x.2", b"x.1.1", b"x.1.2", b"y.1", b"y"]),
        st.integers(1, 4),
    )
)
def test_continued_items_of_colliding_names_come_back(counts):
    store = Memory()
    held = {name: continued(store, count, name.decode()) for name, count in counts.items()}
    oid = trees.write(store, held)
    assert dict(trees.walk(store, oid)) == held
