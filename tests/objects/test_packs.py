"""Writing packs: what Git thinks of them, what is written once, what stays of an abandoned one."""

import errno
import os
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from dulwich.pack import write_pack_index_v2
from hypothesis import given
from hypothesis import strategies as st

from dvcs.errors import CorruptObject, UnsafeName, UsageError
from dvcs.objects import packs
from dvcs.objects.gitobjects import (
    MODE_EXECUTABLE,
    MODE_FILE,
    MODE_LINK,
    MODE_TREE,
    Commit,
    Kind,
    Signature,
    TreeEntry,
    decode_commit,
    decode_tree,
    encode_commit,
    encode_tree,
    oid_of,
)
from dvcs.objects.store import ObjectStore
from dvcs.objects.verify import verify
from tests.objects.gitrepos import ADA, bare, commit_blobs, files, git, lines


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return bare(tmp_path / "repo.git")


def stored_packs(repo: Path) -> list[Path]:
    return sorted((repo / "objects" / "pack").glob("*.pack"))


def test_git_accepts_what_is_written(repo: Path, tmp_path: Path) -> None:
    blobs = [*lines(2_000), b"", b"\0" * 100_000, os.urandom(100_000)]
    commit, oids = commit_blobs(repo, blobs)
    assert git(repo, "fsck", "--full", "--strict", "--no-dangling") == b""
    git(repo, "multi-pack-index", "write")
    git(repo, "multi-pack-index", "verify")
    (pack,) = stored_packs(repo)
    git(repo, "verify-pack", str(pack))
    git(repo, "clone", "-q", "--no-local", str(repo), str(tmp_path / "clone"))
    out = tmp_path / "clone"
    assert git(out, "rev-parse", "HEAD").decode().strip() == commit.hex()
    assert [path.read_bytes() for path in sorted(out.glob("*.jsonl"))] == blobs
    wanted = b"".join(oid.hex().encode() + b"\n" for oid in oids)
    printed = git(repo, "cat-file", "--batch", data=wanted)
    assert printed == b"".join(
        b"%s blob %d\n%s\n" % (oid.hex().encode(), len(blob), blob)
        for oid, blob in zip(oids, blobs, strict=True)
    )


def test_the_index_is_the_one_that_git_makes(repo: Path, tmp_path: Path) -> None:
    commit_blobs(repo, lines(500))
    (pack,) = stored_packs(repo)
    copy = tmp_path / "copy.pack"
    copy.write_bytes(pack.read_bytes())
    git(repo, "index-pack", "--strict", str(copy))
    assert pack.with_suffix(".idx").read_bytes() == copy.with_suffix(".idx").read_bytes()
    assert pack.name == f"pack-{pack.read_bytes()[-20:].hex()}.pack"


@given(
    st.lists(
        st.tuples(
            st.binary(min_size=20, max_size=20),
            st.integers(0, 2**31 - 1) | st.integers(2**31, 2**60),
            st.integers(0, 2**32 - 1),
        ),
        unique_by=lambda entry: entry[0],
    )
)
def test_the_index_is_the_one_that_dulwich_makes(tmp_path_factory, entries):
    path = tmp_path_factory.mktemp("index") / "expected"
    with path.open("wb") as file:
        write_pack_index_v2(file, sorted(entries), b"c" * 20)
    packed = [packs._ENTRY.pack(oid, crc, offset) for oid, offset, crc in entries]
    assert packs.encode_index(packed, b"c" * 20) == path.read_bytes()


def test_packs_and_indexes_are_read_only(repo: Path) -> None:
    commit_blobs(repo, lines(3))
    for path in (repo / "objects" / "pack").iterdir():
        assert path.stat().st_mode & 0o333 == 0


def test_each_object_is_written_once(repo: Path) -> None:
    blobs = lines(300)
    first, _ = commit_blobs(repo, [*blobs, *blobs])
    assert git(repo, "count-objects", "-v").split(b"in-pack: ")[1].split()[0] == b"302"
    with ObjectStore(repo).writer() as writer:
        assert writer.blob(blobs[0]) == oid_of(Kind.BLOB, blobs[0])
        assert list(writer.blobs(blobs)) == [oid_of(Kind.BLOB, blob) for blob in blobs]
        assert writer.publish() == []
    new = lines(10, seed=7)
    commit_blobs(repo, [*blobs[:50], *new], (first,))
    assert git(repo, "count-objects", "-v").split(b"in-pack: ")[1].split()[0] == b"314"


def test_a_loose_object_is_not_written_again(repo: Path) -> None:
    git(repo, "hash-object", "-w", "--stdin", data=b"loose")
    with ObjectStore(repo).writer() as writer:
        writer.blob(b"loose")
        assert writer.publish() == []


def test_packs_roll_at_their_limit(repo: Path) -> None:
    blobs = [*lines(400), os.urandom(50_000)]
    commit_blobs(repo, blobs, roll_at=20_000)
    sizes = sorted(path.stat().st_size for path in stored_packs(repo))
    assert len(sizes) > 5
    assert all(size <= 20_000 for size in sizes[:-1])
    assert sizes[-1] > 50_000
    assert git(repo, "fsck", "--full", "--strict", "--no-dangling") == b""
    oids = [oid_of(Kind.BLOB, blob) for blob in blobs]
    assert list(ObjectStore(repo).blobs(oids)) == blobs


def test_an_abandoned_writer_leaves_nothing(repo: Path) -> None:
    before = files(repo)
    store = ObjectStore(repo)
    with store.writer(roll_at=10_000) as writer:
        list(writer.blobs(lines(300)))
        assert len(files(repo)) > len(before) + 4
    assert files(repo) == before
    with store.writer() as writer:
        stream = writer.blobs(lines(3_000))
        next(stream)
    stream.close()
    assert files(repo) == before


def test_an_error_in_the_data_leaves_nothing(repo: Path) -> None:
    before = files(repo)

    def failing():
        yield from lines(600)
        raise OSError(errno.EIO, "the disk of the data")

    with pytest.raises(OSError, match="the disk of the data"), ObjectStore(repo).writer() as writer:
        list(writer.blobs(failing()))
    assert files(repo) == before


def test_an_empty_writer_publishes_nothing(repo: Path) -> None:
    before = files(repo)
    with ObjectStore(repo).writer() as writer:
        assert list(writer.blobs([])) == []
        assert writer.publish() == []
    assert files(repo) == before


def test_unfinished_files_have_names_that_git_regards_as_temporary(repo: Path) -> None:
    with ObjectStore(repo).writer() as writer:
        list(writer.blobs(lines(10)))
        (name,) = files(repo / "objects" / "pack")
        assert name.startswith(packs.PACK_TEMP_PREFIXES)
        git(repo, "fsck", "--full", "--strict")
        git(repo, "prune", "--expire=now")
        assert not stored_packs(repo)


def test_a_writer_goes_on_after_it_published(repo: Path) -> None:
    store = ObjectStore(repo)
    with store.writer() as writer:
        first = writer.blob(b"first")
        (one,) = writer.publish()
        assert store.blob(first) == b"first"
        second = writer.blob(b"second")
        assert writer.blob(b"first") == first
        (two,) = writer.publish()
    assert one != two
    assert store.blob(second) == b"second"


def test_two_writers_of_the_same_objects_get_along(repo: Path) -> None:
    store = ObjectStore(repo)
    with store.writer() as one, store.writer() as two:
        one.blob(b"same")
        two.blob(b"same")
        assert one.publish() == two.publish()
    assert len(files(repo / "objects" / "pack")) == 2
    assert store.blob(oid_of(Kind.BLOB, b"same")) == b"same"


def test_a_damaged_pack_of_the_same_name_is_replaced(repo: Path) -> None:
    commit, (oid,) = commit_blobs(repo, [b"content" * 50])
    ((pack, raw),) = [(path, path.read_bytes()) for path in stored_packs(repo)]
    with ObjectStore(repo).writer() as writer:
        writer._known = lambda oid: False
        list(writer.blobs([b"content" * 50]))
        writer.tree([(b"000000.jsonl", MODE_FILE, oid)])
        writer.commit(ObjectStore(repo).commit(commit))
        pack.chmod(0o644)
        pack.write_bytes(raw[:-1] + b"\0")
        assert writer.publish() == [pack]
    assert pack.read_bytes() == raw


def test_a_kill_at_any_point_of_writing_harms_nothing(repo: Path) -> None:
    _, oids = commit_blobs(repo, lines(20))
    code = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from dvcs.objects.store import ObjectStore\n"
        "left = int(sys.argv[2])\n"
        "def hook(event, args):\n"
        "    global left\n"
        "    if event in ('os.rename', 'os.remove', 'os.chmod', 'os.utime', 'open'):\n"
        "        left -= 1\n"
        "        if left == 0: os._exit(9)\n"
        "with ObjectStore(Path(sys.argv[1])).writer(roll_at=40_000) as writer:\n"
        "    sys.addaudithook(hook)\n"
        "    for i in range(60): writer.blob(os.urandom(2000))\n"
        "    writer.publish()\n"
    )
    root = Path(packs.__file__).parents[2]
    folder = repo / "objects" / "pack"
    saved = files(folder)
    for point in range(1, 200):
        arguments = [sys.executable, "-c", code, repo, str(point)]
        ended = subprocess.run(arguments, check=False, cwd=root).returncode
        store = ObjectStore(repo)
        assert list(store.blobs(oids)) == lines(20)
        assert {problem.message for problem in verify(store)} <= {
            "pack without index; none of its objects can be found"
        }
        if not ended:
            break
        for name in {*files(folder)} - {*saved}:
            (folder / name).unlink()
    assert (ended, len(list(store))) == (0, 22 + 60)
    assert point > 15
    assert git(repo, "fsck", "--full", "--strict", "--no-dangling") == b""


def test_a_disk_that_gives_back_other_bytes_is_noticed(repo: Path) -> None:
    with ObjectStore(repo).writer() as writer:
        list(writer.blobs(lines(2_000)))
        writer._open._file.flush()
        path = next((repo / "objects" / "pack").iterdir())
        with path.open("r+b") as file:
            file.seek(1_000)
            file.write(b"\xff\0\xff\0")
        with pytest.raises(CorruptObject, match="does not hold what was just written"):
            writer.publish()
    assert files(repo / "objects" / "pack") == []


def test_a_full_disk_leaves_nothing(repo: Path) -> None:
    code = (
        "import os, resource, signal, sys\n"
        "from pathlib import Path\n"
        "from dvcs.objects.store import ObjectStore\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))\n"
        "try:\n"
        "    with ObjectStore(Path(sys.argv[1])).writer() as writer:\n"
        "        for oid in writer.blobs(os.urandom(5000) for _ in range(2000)): pass\n"
        "        writer.publish()\n"
        "except OSError as error:\n"
        "    print(type(error).__name__, error.errno)\n"
    )
    root = Path(packs.__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code, repo],
        capture_output=True,
        text=True,
        check=False,
        cwd=root,
    )
    assert (done.stdout, done.stderr) == (f"OSError {errno.EFBIG}\n", "")
    assert files(repo / "objects" / "pack") == []


def test_only_a_stored_tree_is_pending_until_published(repo: Path) -> None:
    with ObjectStore(repo).writer() as writer:
        blob = writer.blob(b"x")
        tree = writer.tree([(b"a", MODE_FILE, blob)])
        assert writer.pending(tree) == (Kind.TREE, b"100644 a\0" + blob)
        assert writer.pending(blob) is None
        writer.publish()
        assert writer.pending(tree) is None


@given(st.lists(st.binary(max_size=300), max_size=600), st.integers(200, 3_000))
def test_whatever_is_written_is_read_back(tmp_path_factory, blobs, limit):
    store = ObjectStore(tmp_path_factory.mktemp("store"))
    with store.writer(roll_at=limit) as writer:
        oids = list(writer.blobs(blobs))
        assert oids == [oid_of(Kind.BLOB, blob) for blob in blobs]
        writer.publish()
    assert list(ObjectStore(store.folder.parent).blobs(oids)) == blobs
    assert list(store) == sorted(set(oids))


@given(st.integers(1, 7), st.integers(0, 2**40))
def test_entry_headers_are_read_back(kind, size):
    header = packs.entry_header(kind, size)
    assert (header[0] >> 4) & 7 == kind
    value = header[0] & 15
    for position, byte in enumerate(header[1:]):
        value |= (byte & 0x7F) << (4 + 7 * position)
    assert value == size
    assert [byte >> 7 for byte in header] == [1] * (len(header) - 1) + [0]


def test_entries_carry_the_crc_of_their_bytes() -> None:
    encoded = packs.encode(Kind.BLOB, b"data", b"i" * 20)
    assert zlib.crc32(encoded.entry) == encoded.crc
    assert zlib.decompress(encoded.entry[1:]) == b"data"


def test_trees_are_sorted_as_git_does(repo: Path) -> None:
    store = ObjectStore(repo)
    with store.writer() as writer:
        blob = writer.blob(b"x")
        below = writer.tree([(b"f", MODE_FILE, blob)])
        entries = [
            TreeEntry(b"a", MODE_TREE, below),
            TreeEntry(b"a.b", MODE_FILE, blob),
            TreeEntry(b"a-b", MODE_EXECUTABLE, blob),
            TreeEntry(b"a0", MODE_LINK, blob),
            TreeEntry("é".encode(), MODE_FILE, blob),
        ]
        tree = writer.tree(entries)
        writer.publish()
    listed = git(repo, "ls-tree", "-z", tree.hex())
    assert [line.split(b"\t")[1] for line in listed.split(b"\0")[:-1]] == [
        b"a-b",
        b"a.b",
        b"a",
        b"a0",
        "é".encode(),
    ]
    assert git(repo, "mktree", "-z", data=listed).decode().strip() == tree.hex()
    assert store.tree(tree) == [entries[i] for i in (2, 1, 0, 3, 4)]


NAMES = st.binary(min_size=1, max_size=12).filter(
    lambda name: not {0, 0x2F} & set(name) and name.lower() not in (b".", b"..", b".git", b"git~1")
)


@given(
    st.dictionaries(
        NAMES,
        st.tuples(st.sampled_from([MODE_FILE, MODE_TREE, MODE_LINK]), st.just(b"o" * 20)),
    )
)
def test_trees_are_read_back(entries):
    tree = [TreeEntry(name, *rest) for name, rest in entries.items()]
    assert sorted(decode_tree(encode_tree(tree))) == sorted(tree)


@pytest.mark.parametrize("name", [b"", b".", b"..", b".git", b".GIT", b"GIT~1", b"a/b", b"a\0b"])
def test_trees_refuse_names_that_git_refuses(name: bytes) -> None:
    with pytest.raises(UnsafeName):
        encode_tree([(name, MODE_FILE, b"o" * 20)])


def test_trees_refuse_a_name_twice_and_modes_and_ids_that_are_none() -> None:
    with pytest.raises(UnsafeName, match="twice"):
        encode_tree([(b"a", MODE_FILE, b"o" * 20), (b"a", MODE_TREE, b"p" * 20)])
    with pytest.raises(UsageError, match="mode 644"):
        encode_tree([(b"a", 0o644, b"o" * 20)])
    with pytest.raises(UsageError, match="id 'abcd'"):
        encode_tree([(b"a", MODE_FILE, b"\xab\xcd")])


@pytest.mark.parametrize(
    "data",
    [
        b"100644 a\0" + b"o" * 19,
        b"100644 a" + b"o" * 20,
        b"100644a\0" + b"o" * 20,
        b"100648 a\0" + b"o" * 20,
        b"+10064 a\0" + b"o" * 20,
        b" a\0" + b"o" * 20,
        b"100644 ..\0" + b"o" * 20,
        b"100644 a/b\0" + b"o" * 20,
        b"100644 \0" + b"o" * 20,
        b"100644 a\0" + b"o" * 20 + b"1",
    ],
)
def test_malformed_trees_are_corrupt(data: bytes) -> None:
    with pytest.raises(CorruptObject):
        decode_tree(data)


@given(st.binary(max_size=200))
def test_random_bytes_are_trees_or_corrupt(data):
    try:
        entries = decode_tree(data)
    except CorruptObject:
        return
    assert b"".join(b"%o %b\0%b" % (e.mode, e.name, e.oid) for e in entries) or not data


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
PLAIN = st.from_regex(r"[A-Za-z0-9.é]([A-Za-z0-9 .é]*[A-Za-z0-9.é])?", fullmatch=True)
SIGNATURES = st.builds(
    Signature, PLAIN, PLAIN, st.integers(-(10**17), 10**17), st.integers(-1439, 1439)
)


@given(
    st.builds(
        Commit,
        st.binary(min_size=20, max_size=20),
        st.lists(st.binary(min_size=20, max_size=20)).map(tuple),
        SIGNATURES,
        SIGNATURES,
        TEXT.map(lambda text: text + "\n"),
        st.sampled_from(
            [(), (("gpgsig", b"-----BEGIN\n\nabc\n-----END"),), (("x", b""), ("y", b"z"))]
        ),
    )
)
def test_commits_are_read_back(commit):
    assert decode_commit(encode_commit(commit)) == commit


def test_commits_are_what_git_makes(repo: Path) -> None:
    with ObjectStore(repo).writer() as writer:
        tree = writer.tree([])
        oid = writer.commit(Commit(tree, (), ADA, ADA, "Grüße\n\nbody"))
        writer.publish()
    assert git(repo, "cat-file", "commit", oid.hex()) == (
        b"tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n"
        b"author Ada Lovelace <ada@example.org> 1700000000 +0100\n"
        b"committer Ada Lovelace <ada@example.org> 1700000000 +0100\n"
        b"\n"
        b"Gr\xc3\xbc\xc3\x9fe\n\nbody\n"
    )
    assert git(repo, "fsck", "--full", "--strict", oid.hex()) == b""


def test_a_message_in_another_encoding_is_read_and_kept(repo: Path) -> None:
    tree = git(repo, "mktree", data=b"").decode().strip()
    made = git(
        repo,
        *("-c", "user.name=Ada", "-c", "user.email=a@b", "-c", "i18n.commitEncoding=latin1"),
        *("commit-tree", tree, "-F", "-"),
        data="Grüße\n".encode("latin1"),
    )
    raw = git(repo, "cat-file", "commit", made.decode().strip())
    commit = decode_commit(raw)
    assert commit.message == "Grüße\n"
    assert encode_commit(commit) == raw


def test_commits_refuse_what_git_refuses() -> None:
    tree = b"t" * 20
    with pytest.raises(UsageError, match="NUL"):
        encode_commit(Commit(tree, (), ADA, ADA, "a\0b"))
    with pytest.raises(UsageError, match="name and the e-mail"):
        encode_commit(Commit(tree, (), ADA, Signature("<>", "a@b", 0), "m"))
    with pytest.raises(UsageError, match="20 bytes"):
        encode_commit(Commit(tree, (b"short",), ADA, ADA, "m"))
    injected = Signature("Eve\ncommitter X <x> 1 +0000", "e>@x", 0)
    assert b"\nauthor Evecommitter X x 1 +0000 <e@x> 0 +0000\n" in encode_commit(
        Commit(tree, (), injected, ADA, "m")
    )


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n\n",
        b"tree 123\n\nm",
        b"tree " + b"a" * 40 + b"\n\nm",
        b"tree " + b"a" * 40 + b"\nauthor A <a> 1 +0000\n\nm",
        b"tree " + b"a" * 40 + b"\nauthor A <a> one +0000\ncommitter A <a> 1 +0000\n\nm",
        b"parent " + b"a" * 40 + b"\ntree " + b"a" * 40 + b"\n\nm",
    ],
)
def test_malformed_commits_are_corrupt(data: bytes) -> None:
    with pytest.raises(CorruptObject):
        decode_commit(data)
