"""Walks and merge bases of random histories, compared with Git's own."""

import random
import subprocess
from pathlib import Path

import pytest

from dvcs.errors import MissingObject
from dvcs.objects.gitobjects import Commit, Signature
from dvcs.objects.store import ObjectStore
from dvcs.repository.history import ancestors, is_ancestor, merge_bases, walk
from tests.repository.scenes import git


def graph(folder: Path, parents: list[tuple[int, ...]], times: list[int]) -> list[bytes]:
    """Make commits of these parents (by position) and times."""
    oids: list[bytes] = []
    with ObjectStore(folder).writer() as writer:
        tree = writer.tree([])
        for n, (ups, time) in enumerate(zip(parents, times, strict=True)):
            who = Signature("A", "a@b", 1_700_000_000 + time)
            commit = Commit(tree, tuple(oids[one] for one in ups), who, who, f"commit {n}\n")
            oids.append(writer.commit(commit))
        writer.publish()
    return oids


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    subprocess.run(["git", "init", "-q", "--bare", str(tmp_path)], check=True)
    return tmp_path


def random_graph(folder: Path, seed: int, count: int = 40) -> list[bytes]:
    rnd = random.Random(seed)
    parents: list[tuple[int, ...]] = []
    for n in range(count):
        wanted = rnd.choice([0, 1, 1, 1, 2, 2, 3]) if n > 2 else min(n, 1)
        recent = range(max(0, n - 8), n)
        parents.append(tuple(rnd.sample(recent, min(wanted, len(recent)))))
    # Clocks go backwards, too, and several commits have the same time.
    return graph(folder, parents, [n * 2 + rnd.choice([0, 0, 1, -9, 5]) for n in range(count)])


@pytest.mark.parametrize("seed", range(12))
def test_a_walk_is_in_gits_date_order(bare: Path, seed: int):
    oids = random_graph(bare, seed)
    store = ObjectStore(bare)
    for tip in oids[-4:]:
        expected = git(bare, "rev-list", "--date-order", tip.hex()).split()
        assert [one.oid.hex() for one in walk(store, [tip])] == expected


@pytest.mark.parametrize("seed", range(12))
def test_a_walk_without_others_gives_what_git_gives(bare: Path, seed: int):
    oids = random_graph(bare, seed)
    store = ObjectStore(bare)
    one, two, three = oids[-1], oids[-2], oids[-9]
    arguments = (one.hex(), two.hex(), f"^{three.hex()}")
    expected = git(bare, "rev-list", "--topo-order", *arguments).split()
    found = [entry.oid.hex() for entry in walk(store, [one, two, one], without=[three])]
    assert sorted(found) == sorted(expected)
    place = {oid: n for n, oid in enumerate(found)}
    for oid in found:
        for parent in store.commit(bytes.fromhex(oid)).parents:
            assert place.get(parent.hex(), len(found)) > place[oid]


@pytest.mark.parametrize("seed", range(20))
def test_merge_bases_are_gits(bare: Path, seed: int):
    oids = random_graph(bare, seed, 30)
    store = ObjectStore(bare)
    rnd = random.Random(seed)
    for _ in range(12):
        one, two = rnd.sample(oids, 2)
        done = subprocess.run(
            ["git", "merge-base", "--all", one.hex(), two.hex()],
            cwd=bare,
            capture_output=True,
            check=False,
        )
        expected = sorted(done.stdout.decode().split())
        assert [oid.hex() for oid in merge_bases(store, one, two)] == expected
        descends = subprocess.run(
            ["git", "merge-base", "--is-ancestor", one.hex(), two.hex()], cwd=bare, check=False
        )
        assert is_ancestor(store, one, two) == (descends.returncode == 0)


def test_a_criss_cross_has_two_bases(bare: Path):
    oids = graph(bare, [(), (0,), (0,), (1, 2), (2, 1), (3,), (4,)], list(range(7)))
    assert merge_bases(ObjectStore(bare), oids[5], oids[6]) == sorted(oids[1:3])
    expected = git(bare, "merge-base", "--all", oids[5].hex(), oids[6].hex()).split()
    assert sorted(expected) == [oid.hex() for oid in sorted(oids[1:3])]


def test_unrelated_histories_have_no_base(bare: Path):
    oids = graph(bare, [(), (), (0,), (1,)], list(range(4)))
    store = ObjectStore(bare)
    assert merge_bases(store, oids[2], oids[3]) == []
    assert merge_bases(store, oids[2], oids[2]) == [oids[2]]
    assert merge_bases(store, oids[0], oids[2]) == [oids[0]]
    assert set(ancestors(store, oids[2:])) == set(oids)


def test_a_long_history_needs_no_deep_stack(bare: Path):
    oids = graph(bare, [(n - 1,) if n else () for n in range(5000)], list(range(5000)))
    store = ObjectStore(bare)
    assert [entry.oid for entry in walk(store, [oids[-1]])] == oids[::-1]
    assert merge_bases(store, oids[-1], oids[0]) == [oids[0]]


def test_a_missing_parent_is_an_error(bare: Path):
    with ObjectStore(bare).writer() as writer:
        who = Signature("A", "a@b", 1)
        oid = writer.commit(Commit(writer.tree([]), (b"x" * 20,), who, who, "m"))
        writer.publish()
    with pytest.raises(MissingObject):
        list(walk(ObjectStore(bare), [oid]))
