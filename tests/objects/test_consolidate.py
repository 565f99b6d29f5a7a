"""Merging packs: nothing is lost, readers go on, damage and a kill at any point do no harm."""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from dvcs.errors import CorruptObject
from dvcs.objects import consolidate as module
from dvcs.objects.consolidate import choose, consolidate
from dvcs.objects.gitobjects import Kind, oid_of
from dvcs.objects.pack_reader import Pack
from dvcs.objects.store import ObjectStore
from dvcs.objects.verify import verify
from tests.objects.gitrepos import bare, commit_blobs, files, git, history, lines

ROOT = Path(module.__file__).parents[2]


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return bare(tmp_path / "repo.git")


def many_packs(repo: Path, count: int) -> dict[bytes, bytes]:
    """Commit `count` times, a pack each; return all blobs."""
    held = {}
    parents: tuple[bytes, ...] = ()
    for seed in range(1, count + 1):
        blobs = lines(seed % 7 + 3, seed)
        commit, oids = commit_blobs(repo, blobs, parents)
        parents = (commit,)
        held.update(zip(oids, blobs, strict=True))
    return held


def everything(store: ObjectStore) -> dict[bytes, tuple[Kind, bytes]]:
    return {oid: store.read(oid) for oid in store}


def test_many_packs_become_few_and_keep_every_object(repo: Path, tmp_path: Path) -> None:
    held = many_packs(repo, 25)
    store, reader, opened = ObjectStore(repo), ObjectStore(repo), ObjectStore(repo)
    before = everything(store)
    reader.packs()  # listed, none opened
    assert list(opened.blobs(held)) == list(held.values())
    (new,) = consolidate(store, trash=tmp_path / "trash")
    assert new.exists()
    assert len(store.packs()) < 10
    assert everything(store) == before
    assert list(reader.blobs(held)) == list(held.values())
    assert list(opened.blobs(held)) == list(held.values())
    assert everything(ObjectStore(repo)) == before
    assert list(verify(store)) == []
    assert git(repo, "fsck", "--full", "--strict", "--no-dangling") == b""
    git(repo, "verify-pack", str(new))
    assert any(name.endswith(".pack") for name in files(tmp_path / "trash"))
    assert not [name for name in files(repo / "objects" / "pack") if name.startswith("tmp")]


def test_few_packs_stay(repo: Path, tmp_path: Path) -> None:
    many_packs(repo, 4)
    store = ObjectStore(repo)
    assert consolidate(store, trash=tmp_path / "trash", max_packs=4) == []
    assert len(store.packs()) == 4
    assert not (tmp_path / "trash").exists()


def test_packs_with_deltas_are_merged_without_inflating(repo: Path, tmp_path: Path) -> None:
    # A push that is kept as a pack has deltas, and the bases of those once more.
    git(repo, "config", "receive.unpackLimit", "1")
    git(repo, "config", "pack.depth", "4")
    history(repo, tmp_path / "work", push_each=True)
    git(repo, "-c", "repack.useDeltaBaseOffset=false", "repack", "-afq")
    store = ObjectStore(repo)
    before = everything(store)
    assert len(store.packs()) == 14
    for name in [pack.path for pack in store.packs()]:
        git(repo, "verify-pack", str(name))
    (new,) = consolidate(store, trash=tmp_path / "trash", max_packs=1)
    assert [pack.path for pack in store.packs()] == [new]
    assert everything(store) == before
    assert list(verify(store)) == []
    assert git(repo, "fsck", "--full", "--strict", "--no-dangling") == b""
    assert b"chain length" in git(repo, "verify-pack", "-v", str(new))


def test_a_multi_pack_index_does_not_outlive_its_packs(repo: Path, tmp_path: Path) -> None:
    held = many_packs(repo, 6)
    git(repo, "multi-pack-index", "write")
    consolidate(ObjectStore(repo), trash=tmp_path / "trash", max_packs=2)
    oid = next(iter(held))
    assert git(repo, "cat-file", "blob", oid.hex()) == held[oid]
    assert git(repo, "fsck", "--full", "--strict", "--no-dangling") == b""


def test_a_pack_to_be_kept_is_kept(repo: Path, tmp_path: Path) -> None:
    many_packs(repo, 6)
    store = ObjectStore(repo)
    kept = store.packs()[0].path
    kept.with_suffix(".keep").touch()
    (new,) = consolidate(store, trash=tmp_path / "trash", max_packs=2)
    assert {pack.path for pack in store.packs()} >= {kept, new}


def test_a_damaged_pack_is_not_merged_and_nothing_changes(repo: Path, tmp_path: Path) -> None:
    many_packs(repo, 8)
    rnd = random.Random(3)
    folder = repo / "objects" / "pack"
    before = files(folder)
    for suffix in (".pack", ".idx"):
        for path in sorted(folder.glob(f"*{suffix}"))[:4]:
            raw = path.read_bytes()
            damaged = bytearray(raw)
            at = rnd.randrange(20, len(raw) - 60) if suffix == ".pack" else 1_032 + 20
            damaged[at] ^= 4
            path.chmod(0o644)
            path.write_bytes(damaged)
            with pytest.raises(CorruptObject):
                consolidate(ObjectStore(repo), trash=tmp_path / "trash", max_packs=2)
            path.write_bytes(raw)
            assert files(folder) == before
    consolidate(ObjectStore(repo), trash=tmp_path / "trash", max_packs=2)


def test_a_kill_at_any_point_loses_nothing(repo: Path, tmp_path: Path) -> None:
    held = many_packs(repo, 8)
    # Ends the process, as kill -9 would, at the n-th event that touches the file system.
    code = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from dvcs.objects.consolidate import consolidate\n"
        "from dvcs.objects.store import ObjectStore\n"
        "left = int(sys.argv[3])\n"
        "def hook(event, args):\n"
        "    global left\n"
        "    if event in ('os.rename', 'os.remove', 'os.chmod', 'os.mkdir', 'open'):\n"
        "        left -= 1\n"
        "        if left == 0: os._exit(9)\n"
        "store = ObjectStore(Path(sys.argv[1]))\n"
        "sys.addaudithook(hook)\n"
        "consolidate(store, trash=Path(sys.argv[2]), max_packs=2)\n"
    )
    folder = repo / "objects" / "pack"
    saved = {path.name: path.read_bytes() for path in folder.iterdir()}
    for point in range(1, 200, 3):
        trash = tmp_path / f"trash{point}"
        arguments = [sys.executable, "-c", code, repo, trash, str(point)]
        ended = subprocess.run(arguments, check=False, cwd=ROOT).returncode
        store = ObjectStore(repo)
        assert list(store.blobs(held)) == list(held.values())
        leftover = [problem.message for problem in verify(store)]
        assert set(leftover) <= {
            "pack without index; none of its objects can be found",
            "left over from a pack that is gone",
        }
        consolidate(store, trash=trash, max_packs=2)
        assert list(store.blobs(held)) == list(held.values())
        for path in folder.iterdir():
            path.unlink()
        for name, data in saved.items():
            (folder / name).write_bytes(data)
        if ended == 0:
            break
    assert ended == 0


def test_total_work_grows_with_the_logarithm(repo: Path, tmp_path: Path) -> None:
    store = ObjectStore(repo)
    written = copied = 0
    most = 0
    oids = []
    for i in range(150):
        with store.writer() as writer:
            oids.append(writer.blob(os.urandom(2_000) + b"%d" % i))
            (path,) = writer.publish()
        written += path.stat().st_size
        for new in consolidate(store, trash=tmp_path / "trash", max_packs=5):
            copied += new.stat().st_size
        most = max(most, len(store.packs()))
    assert most <= 6
    assert copied < 5 * written
    assert sorted(store) == sorted(oids)
    assert all(
        oid_of(Kind.BLOB, data) == oid for oid, data in zip(oids, store.blobs(oids), strict=True)
    )


@pytest.mark.parametrize(
    ("sizes", "merged"),
    [
        ([100, 100, 100, 100], 4),
        ([10, 10, 1000, 2000], 2),
        ([10, 20, 40, 80], 0),
        ([10, 10, 30, 1000], 3),
        ([1, 2, 3, 1000], 3),
        ([5], 0),
        ([], 0),
    ],
)
def test_the_smallest_packs_are_chosen(tmp_path: Path, sizes: list[int], merged: int) -> None:
    packs = []
    for i, size in enumerate(sizes):
        (path := tmp_path / f"{i}.pack").write_bytes(bytes(size))
        packs.append(Pack(path))
    assert choose(packs[::-1], len(packs)) == []
    chosen = choose(packs[::-1], len(packs) - 1)
    assert sorted(pack.path.stat().st_size for pack in chosen) == sorted(sizes)[:merged]
