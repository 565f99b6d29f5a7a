"""Damage: every flipped bit and every truncation is found, and none is read as good data."""

import random
import shutil
from pathlib import Path

import pytest

from dvcs.errors import CorruptObject, MissingObject
from dvcs.objects.gitobjects import Oid
from dvcs.objects.store import ObjectStore
from dvcs.objects.verify import Problem, verify
from tests.objects.gitrepos import bare, commit_blobs, git, lines


@pytest.fixture(scope="module", params=["whole", "deltas"])
def sound(request, tmp_path_factory) -> Path:
    repo = bare(tmp_path_factory.mktemp(request.param) / "repo.git")
    first, _ = commit_blobs(repo, lines(40), roll_at=4_000)
    more = [*lines(40), *(blob + b"more\n" for blob in lines(40))]
    second, _ = commit_blobs(repo, more, (first,))
    if request.param == "deltas":
        git(repo, "repack", "-adfq")
        for path in (repo / "objects" / "pack").glob("*.rev"):
            path.unlink()
        commit_blobs(repo, [b"since then\n"], (second,))  # a pack of ours beside that of Git
    for path in (repo / "objects" / "pack").iterdir():
        path.chmod(0o644)
    return repo


def good(repo: Path) -> dict[Oid, tuple[int, bytes]]:
    store = ObjectStore(repo)
    return {oid: store.read(oid) for oid in store}


def check_damage(repo: Path, expected: dict[Oid, tuple[int, bytes]], *, whole: bool) -> None:
    """All reads give the right bytes or an error; and `verify` finds something."""
    store = ObjectStore(repo)
    for oid, right in expected.items():
        try:
            assert store.read(oid) == right
        except (CorruptObject, MissingObject):
            continue
    problems = list(verify(store))
    assert problems
    assert all(isinstance(problem, Problem) and problem.message for problem in problems)
    store.close()
    try:
        listed = list(store)
    except CorruptObject:
        return
    assert whole or set(listed) <= set(expected)


@pytest.mark.parametrize("suffix", [".pack", ".idx"])
def test_each_flipped_bit_is_found_and_never_read(sound: Path, suffix: str) -> None:
    expected = good(sound)
    rnd = random.Random(suffix)
    paths = sorted((sound / "objects" / "pack").glob(f"*{suffix}"))
    for _ in range(150):
        path = rnd.choice(paths)
        raw = path.read_bytes()
        at = rnd.randrange(len(raw))
        if rnd.random() < 0.3:
            at = rnd.randrange(min(len(raw), 1_100))
        damaged = bytearray(raw)
        damaged[at] ^= 1 << rnd.randrange(8)
        path.write_bytes(damaged)
        try:
            check_damage(sound, expected, whole=True)
        finally:
            path.write_bytes(raw)
    assert list(verify(ObjectStore(sound))) == []


@pytest.mark.parametrize("suffix", [".pack", ".idx"])
def test_each_truncation_extension_and_zeroed_page_is_found(sound: Path, suffix: str) -> None:
    expected = good(sound)
    rnd = random.Random(suffix)
    for path in sorted((sound / "objects" / "pack").glob(f"*{suffix}"))[:4]:
        raw = path.read_bytes()
        at = rnd.randrange(len(raw))
        for damaged in (
            b"",
            raw[:4],
            raw[:12],
            raw[:1_032],
            raw[:at],
            raw[:-1],
            raw[:-20],
            raw + b"\0",
            raw + bytes(8),
            raw[:at] + bytes(len(raw) - at),
            bytes(len(raw)),
            b"\xff" * len(raw),
        ):
            if damaged == raw:
                continue
            path.write_bytes(damaged)
            try:
                check_damage(sound, expected, whole=False)
            finally:
                path.write_bytes(raw)


def test_swapped_packs_are_found(sound: Path, tmp_path: Path) -> None:
    packs = sorted((sound / "objects" / "pack").glob("*.pack"))
    copy = shutil.copytree(sound, tmp_path / "copy")
    one, two = (copy / "objects" / "pack" / path.name for path in packs[:2])
    expected = good(sound)
    raw = one.read_bytes()
    one.write_bytes(two.read_bytes())
    two.write_bytes(raw)
    check_damage(copy, expected, whole=False)


def test_files_that_do_not_belong_are_named(tmp_path: Path) -> None:
    repo = bare(tmp_path / "repo.git")
    _, (oid,) = commit_blobs(repo, [b"x"])
    store = ObjectStore(repo)
    assert list(verify(store)) == []
    folder = repo / "objects"
    (pack,) = (folder / "pack").glob("*.pack")
    (folder / "pack" / "notes.txt").touch()
    (folder / "pack" / "pack-0000.idx").touch()
    (folder / "pack" / "tmp_pack_unfinished").touch()
    (folder / "pack" / "pack-1111.pack").write_bytes(pack.read_bytes())
    (folder / "ab").mkdir()
    (folder / "ab" / "cdef.lock").touch()
    (folder / "xyz").mkdir()
    (folder / "info").mkdir(exist_ok=True)
    (folder / "info" / "alternates").write_text("/elsewhere")
    found = {str(problem.path.relative_to(folder)): problem.message for problem in verify(store)}
    assert found == {
        "pack/notes.txt": "stray file",
        "pack/pack-0000.idx": "left over from a pack that is gone",
        "pack/pack-1111.pack": "pack without index; none of its objects can be found",
        "ab/cdef.lock": "stray file",
        "xyz": "stray file",
        "info/alternates": "names other object folders, which are not read",
    }
    assert store.blob(oid) == b"x"


def test_an_object_that_the_index_leaves_out_is_found(tmp_path: Path) -> None:
    repo = bare(tmp_path / "repo.git")
    commit_blobs(repo, [b"x", b"y"])
    small = bare(tmp_path / "small.git")
    commit_blobs(small, [b"x"])
    (index,) = (repo / "objects" / "pack").glob("*.idx")
    (other,) = (small / "objects" / "pack").glob("*.idx")
    index.chmod(0o644)
    index.write_bytes(other.read_bytes())
    messages = [problem.message for problem in verify(ObjectStore(repo))]
    assert "pack index belongs to another pack" in messages
    assert "pack of 4 objects has an index of 3" in messages
