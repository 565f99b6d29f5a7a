"""Reading objects, whoever wrote them: dvcs, Git with deltas and loose files, another process."""

import gc
import os
import subprocess
import sys
import threading
import zlib
from pathlib import Path

import pytest

from dvcs.errors import CorruptObject, MissingObject
from dvcs.objects import pack_reader
from dvcs.objects.gitobjects import Kind, Oid, oid_of
from dvcs.objects.pack_reader import BaseCache, Pack
from dvcs.objects.packs import Encoded, PackFile, encode, entry_header, install
from dvcs.objects.store import ObjectStore
from dvcs.objects.verify import verify
from tests.objects.gitrepos import bare, commit_blobs, git, history, lines

ROOT = Path(pack_reader.__file__).parents[2]


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return bare(tmp_path / "repo.git")


def everything(repo: Path) -> dict[Oid, tuple[str, bytes]]:
    """Return all objects as Git reads them."""
    listed = git(repo, "cat-file", "--batch-all-objects", "--batch-check=%(objectname)")
    objects = {}
    printed = git(repo, "cat-file", "--batch", data=listed)
    at = 0
    while at < len(printed):
        end = printed.index(b"\n", at)
        name, kind, size = printed[at:end].split()
        at = end + 1 + int(size) + 1
        objects[bytes.fromhex(name.decode())] = (kind.decode(), printed[end + 1 : at - 1])
    return objects


def as_read(store: ObjectStore) -> dict[Oid, tuple[str, bytes]]:
    objects = {}
    for oid in store:
        kind, data = store.read(oid)
        objects[oid] = (kind.name.lower(), data)
    return objects


@pytest.mark.parametrize(
    "packed",
    [
        (),
        ("repack", "-adfq", "--depth=50"),
        ("gc", "-q", "--aggressive"),
        ("-c", "repack.useDeltaBaseOffset=false", "repack", "-adfq"),
        ("repack", "-q", "-d"),
    ],
    ids=["loose", "deltas", "gc", "deltas-by-id", "incremental"],
)
def test_all_that_git_wrote_is_read(repo: Path, tmp_path: Path, packed: tuple[str, ...]) -> None:
    git(repo, "config", "receive.unpackLimit", "10000")
    history(repo, tmp_path / "work")
    if packed:
        git(repo, *packed)
    git(repo, "hash-object", "-w", "--stdin", data=b"one loose")
    store = ObjectStore(repo)
    expected = everything(repo)
    assert len(expected) > 100
    assert as_read(store) == expected
    blobs = [oid for oid, (kind, _) in expected.items() if kind == "blob"]
    for wanted in (blobs, blobs[::-1]):
        assert list(ObjectStore(repo).blobs(wanted)) == [expected[oid][1] for oid in wanted]
    head = bytes.fromhex(git(repo, "rev-parse", "main").decode().strip())
    commit = store.commit(head)
    assert commit.message == "version 11\n"
    assert [entry.name for entry in store.tree(commit.tree)] == [b"%d.txt" % i for i in range(8)]
    assert list(verify(store)) == []


def test_deltas_are_read_with_a_cache_too_small_for_any(repo: Path, tmp_path: Path) -> None:
    history(repo, tmp_path / "work")
    git(repo, "repack", "-adfq", "--depth=50")
    (path,) = (repo / "objects" / "pack").glob("*.pack")
    pack = Pack(path, BaseCache(limit=100))
    expected = everything(repo)
    for oid, (_, data) in expected.items():
        assert pack.read(oid, pack.find(oid))[1] == data


def test_our_packs_repacked_by_git_are_read(repo: Path) -> None:
    blobs = lines(500)
    _, oids = commit_blobs(repo, blobs)
    git(repo, "repack", "-adfq")
    assert list(ObjectStore(repo).blobs(oids)) == blobs


def test_a_missing_object_is_told(repo: Path) -> None:
    store = ObjectStore(repo)
    with pytest.raises(MissingObject, match="0101010101"):
        store.read(b"\x01" * 20)
    commit_blobs(repo, lines(5))
    with pytest.raises(MissingObject):
        store.read(b"\x01" * 20)
    with pytest.raises(MissingObject):
        list(store.blobs([b"\x01" * 20]))
    assert b"\x01" * 20 not in store


def test_an_object_of_another_kind_is_refused(repo: Path) -> None:
    commit, oids = commit_blobs(repo, [b"x"])
    store = ObjectStore(repo)
    with pytest.raises(CorruptObject, match="is a commit, not a blob"):
        store.blob(commit)
    with pytest.raises(CorruptObject, match="is a blob, not a tree"):
        store.tree(oids[0])
    with pytest.raises(CorruptObject, match="is a commit, not a blob"):
        list(store.blobs([commit]))


def test_packs_of_another_process_are_seen(repo: Path) -> None:
    store = ObjectStore(repo)
    assert list(store) == []
    code = (
        "import sys; from pathlib import Path; from dvcs.objects.store import ObjectStore\n"
        "with ObjectStore(Path(sys.argv[1])).writer() as w: w.blob(b'theirs'); w.publish()"
    )
    subprocess.run([sys.executable, "-c", code, repo], check=True, cwd=ROOT)
    oid = oid_of(Kind.BLOB, b"theirs")
    assert not store.has(oid)
    assert store.blob(oid) == b"theirs"
    git(repo, "hash-object", "-w", "--stdin", data=b"loose")
    assert store.blob(oid_of(Kind.BLOB, b"loose")) == b"loose"
    git(repo, "hash-object", "-w", "--stdin", data=b"loose too")
    assert oid_of(Kind.BLOB, b"loose too") in store


def test_objects_are_found_after_git_packed_them_anew(repo: Path) -> None:
    first, one = commit_blobs(repo, lines(100))
    commit_blobs(repo, [*lines(100), *lines(100, seed=2)], (first,))
    mapped, untouched = ObjectStore(repo), ObjectStore(repo)
    before = list(mapped.blobs(one))
    untouched.packs()  # listed, none opened
    git(repo, "repack", "-adfq")
    assert list(mapped.blobs(one)) == before
    assert list(untouched.blobs(one)) == before
    assert len(list(ObjectStore(repo))) == len(list(untouched)) == 204


def test_blobs_come_in_the_order_asked_and_as_often(repo: Path) -> None:
    blobs = lines(1_000)
    _, oids = commit_blobs(repo, blobs, roll_at=100_000)
    store = ObjectStore(repo)
    wanted = [*oids[::-1], *oids[5:10], *oids[5:10]]
    expected = [*blobs[::-1], *blobs[5:10], *blobs[5:10]]
    assert list(store.blobs(wanted)) == expected
    assert list(store.blobs(iter(wanted), threads=1)) == expected
    assert list(store.blobs([])) == []


def test_blobs_are_read_ahead_by_a_bounded_amount(repo: Path) -> None:
    large = [bytes([i]) * (3 << 20) for i in range(40)]
    _, oids = commit_blobs(repo, large)
    asked = 0

    def asking():
        nonlocal asked
        for oid in oids * 200:
            asked += 1
            yield oid

    stream = ObjectStore(repo).blobs(asking())
    assert [next(stream) for _ in range(40)] == large
    assert asked <= 5 * 256
    stream.close()


def test_many_threads_share_a_store(repo: Path) -> None:
    blobs = lines(400)
    _, oids = commit_blobs(repo, blobs, roll_at=30_000)
    git(repo, "repack", "-adfq")
    store = ObjectStore(repo)
    wrong = []

    def read():
        try:
            if [store.blob(oid) for oid in oids] != blobs:
                wrong.append("other bytes")
        except BaseException as error:  # noqa: BLE001 - told by the assertion below
            wrong.append(error)

    threads = [threading.Thread(target=read) for _ in range(6)]
    for thread in threads:
        thread.start()
    for _ in range(20):
        store.refresh()
        store.close()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_good_copy_is_read_where_another_is_damaged(repo: Path) -> None:
    _, (oid,) = commit_blobs(repo, [b"content" * 100])
    (pack,) = (repo / "objects" / "pack").glob("*.pack")
    raw = bytearray(pack.read_bytes())
    raw[20] ^= 0xFF
    pack.chmod(0o644)
    pack.write_bytes(raw)
    with pytest.raises(CorruptObject):
        ObjectStore(repo).blob(oid)
    store = ObjectStore(repo)
    with pytest.raises(CorruptObject, match=oid.hex()):
        store.blob(oid)
    file = repo / "objects" / oid.hex()[:2] / oid.hex()[2:]
    file.parent.mkdir()
    file.write_bytes(zlib.compress(b"blob 700\0" + b"content" * 100))
    assert store.blob(oid) == b"content" * 100
    assert list(store.blobs([oid])) == [b"content" * 100]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"garbage",
        zlib.compress(b"blob 3\0abcd"),
        zlib.compress(b"blob 5\0abcd"),
        zlib.compress(b"blob 4\0abce"),
        zlib.compress(b"tree 4\0abcd"),
        zlib.compress(b"blub 4\0abcd"),
        zlib.compress(b"blob 99999999999999999\0abcd"),
        zlib.compress(b"blob 4\0abcd")[:-1],
        zlib.compress(b"blob 4\0abcd") + b"more",
    ],
)
def test_a_damaged_loose_object_is_not_read(repo: Path, content: bytes) -> None:
    oid = oid_of(Kind.BLOB, b"abcd")
    file = repo / "objects" / oid.hex()[:2] / oid.hex()[2:]
    file.parent.mkdir()
    file.write_bytes(content)
    store = ObjectStore(repo)
    with pytest.raises(CorruptObject, match="loose object"):
        store.blob(oid)
    assert [(problem.oid, problem.path) for problem in verify(store)] == [(oid, file)]


def test_an_object_hidden_by_a_damaged_index_is_not_called_missing(repo: Path) -> None:
    _, oids = commit_blobs(repo, lines(50))
    (index,) = (repo / "objects" / "pack").glob("*.idx")
    raw = bytearray(index.read_bytes())
    at = raw.index(oids[7], 1032)
    raw[at + 10] ^= 1
    index.chmod(0o644)
    index.write_bytes(raw)
    with pytest.raises(CorruptObject, match="cannot be found"):
        ObjectStore(repo).blob(oids[7])


def hostile(repo: Path, *entries: bytes) -> tuple[ObjectStore, list[Oid]]:
    """Write entries as they are into a pack; return their made-up ids too."""
    out = PackFile(repo / "objects" / "pack")
    oids = [bytes([i + 1]) * 20 for i in range(len(entries))]
    for oid, entry in zip(oids, entries, strict=True):
        out.append(Encoded(oid, zlib.crc32(entry), entry))
    install(repo / "objects" / "pack", [out.finish()])
    return ObjectStore(repo), oids


def varint(value: int) -> bytes:
    out = bytearray()
    while value >> 7:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def test_bombs_end_early(repo: Path) -> None:
    zeros = zlib.compress(bytes(50 << 20))
    base = encode(Kind.BLOB, bytes(1 << 16), b"").entry
    # A delta that copies the whole base 100,000 times: 6.5 GB of it.
    delta = varint(1 << 16) + varint(100_000 << 16) + b"\x80" * 100_000
    huge = entry_header(pack_reader.OFS_DELTA, len(delta)) + bytes([len(base) & 0x7F])
    assert len(base) < 128
    store, oids = hostile(
        repo,
        entry_header(Kind.BLOB, 10) + zeros,
        entry_header(Kind.BLOB, 1 << 50) + zeros,
        base,
        huge + zlib.compress(delta),
    )
    for oid in oids:
        with pytest.raises(CorruptObject):
            store.blob(oid)
    assert {problem.oid for problem in verify(store)} == set(oids)


def test_deltas_in_a_circle_or_without_base_are_corrupt(repo: Path) -> None:
    delta = varint(4) + varint(4) + b"\x90\x04"
    head = entry_header(pack_reader.REF_DELTA, len(delta))
    body = zlib.compress(delta)
    offset = entry_header(pack_reader.OFS_DELTA, len(delta))
    store, oids = hostile(
        repo,
        head + b"\x02" * 20 + body,
        head + b"\x01" * 20 + body,
        head + b"\x03" * 20 + body,
        head + b"\xee" * 20 + body,
        offset + b"\x00" + body,
        offset + b"\x81\x80\x80\x80\x00" + body,
        offset + b"\xff" * 60 + body,
    )
    for oid in oids:
        with pytest.raises(CorruptObject):
            store.blob(oid)
    assert {problem.oid for problem in verify(store)} == set(oids)


def test_neither_opening_nor_a_blob_needs_dulwich(repo: Path) -> None:
    _, (oid,) = commit_blobs(repo, [b"x"])
    code = (
        "import sys; from pathlib import Path; from dvcs.objects.store import ObjectStore\n"
        "ObjectStore(Path(sys.argv[1])).blob(bytes.fromhex(sys.argv[2]))\n"
        "print([name for name in ('dulwich', 'numpy', 'click') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, repo, oid.hex()], check=True, cwd=ROOT, capture_output=True
    )
    assert done.stdout == b"[]\n"


def open_files() -> int:
    gc.collect()
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts open files in /proc")
def test_small_packs_hold_no_file_open_and_closing_lets_go_of_large_ones(repo: Path) -> None:
    for i in range(30):
        commit_blobs(repo, [b"%d" % i])
    _, large = commit_blobs(repo, [os.urandom(1 << 20)])
    before = open_files()
    store = ObjectStore(repo)
    assert [len(data) for data in store.blobs([oid_of(Kind.BLOB, b"7"), *large])] == [1, 1 << 20]
    assert open_files() == before + 1
    store.close()
    assert open_files() == before
    assert store.blob(large[0])
