"""
Damage to any file of a repository: `fsck` finds each, and no read gives wrong data.

Bits flipped, files cut off, two files swapped. `REBUILT` are the files that hold nothing of value:
they are made anew without a word.
"""

import hashlib
import random
import re
import time
import zlib
from pathlib import Path

import pytest

from dvcs.errors import DvcsError
from dvcs.repository import Repository, gc, trust
from dvcs.repository.fsck import Finding, fsck
from dvcs.repository.history import walk
from dvcs.repository.merges import merging
from dvcs.repository.working import worktree
from tests.repository import pets
from tests.repository.scenes import (
    change_item,
    commit,
    contents,
    git,
    item,
    items,
    put,
    stored_item,
)
from tests.safety.harness import scaled

pytestmark = pytest.mark.slow

REBUILT = re.compile(
    r"state/(lock|writers|upkeep|copies/lock)"  # held by the system, not by what is in them
    r"|state/copies/.*\.index"  # files are read again
    r"|state/copies/undo/.*"  # undo then knows refs only
    r"|state/tokens"  # what was allowed is asked for again
    r"|state/(hooks|trash)/.*|description|info/.*|hooks/.*|logs/.*|objects/info/.*"
)
LOOSE = re.compile(r"objects/[0-9a-f]{2}/[0-9a-f]{38}")
DAMAGES = scaled(1000)


@pytest.fixture(scope="module")
def repo(tmp_path_factory) -> Repository:
    """Something of everything: packs, deltas, loose objects, packed refs, tags, media, a copy."""
    root = tmp_path_factory.mktemp("damage") / "root"
    repo, folder = pets.tracked(root, count=2)
    noise = random.Random(5)
    commit(repo, items(40), source="many")
    with repo.transaction() as made:
        large = stored_item(repo, "large", noise.randbytes(90_000))
        compressed = stored_item(repo, "zst", bytes(200_000))
        small = [stored_item(repo, f"small{n}", noise.randbytes(300)) for n in range(3)]
        put(made, "many", large, compressed, *small)
        made.commit("media", operation="edit")
    trust.allow(repo.layout, [tmp_path_factory.mktemp("elsewhere")])
    git(repo, "gc", "-q", "--aggressive")
    repo.create_branch("topic", repo.resolve("main~1"))
    change_item(repo, item("0001", x=9.5), source="many", branch="topic")
    identity = ("-c", "user.name=A", "-c", "user.email=a@b")
    git(repo, *identity, "tag", "-a", "v1", "-m", "one", "main")
    git(repo, "pack-refs", "--all")
    git(repo, *identity, "tag", "-a", "v2", "-m", "two", "topic")
    pets.edit(folder, lambda data: pets.note(data, 12)["bbox"].__setitem__(0, 35.0))
    worktree.commit(repo, message="by working copy")
    change_item(repo, item("0002", x=9.5), source="many")
    change_item(repo, item("0001", x=10.5), source="many")
    assert merging.merge(repo, merging.Request(revision="topic")).places
    for path in repo.layout.git.rglob("*"):
        if path.is_file():
            path.chmod(0o644)
    repo.close()
    return repo


Truth = dict[str, tuple[dict, dict[str, bytes]]]


def truth(repo: Repository) -> Truth:
    """Return what every commit holds, and its media."""
    held: Truth = {}
    for entry in walk(repo.store, repo.branches().values()):
        media = {
            f"{one.source}/{one.id}": one.origins[0].read()
            for one in repo.dataset(entry.oid.hex())
            if one.origins
        }
        held[entry.oid.hex()] = contents(repo, entry.oid.hex()), media
    return held


def check_reads(root: Path, expected: Truth) -> int:
    """Read everything: right, or an error. Return how many reads failed."""
    failures = 0
    try:
        repo = Repository(root)
    except DvcsError:
        return 1
    with repo:
        for revision, (held, media) in expected.items():
            try:
                found = contents(repo, revision)
            except DvcsError:
                failures += 1
            else:
                assert found == held
            for name, data in media.items():
                source, _, id = name.partition("/")
                try:
                    one = repo.item(revision, source, "train", id)
                    read = one.origins[0].read() if one and one.origins else None
                except DvcsError:
                    failures += 1
                else:
                    assert read in (data, None)
                    failures += read is None
    return failures


def found_by_fsck(root: Path) -> list[Finding]:
    try:
        with Repository(root) as repo:
            return list(fsck(repo))
    except DvcsError as error:
        return [Finding("error", "", str(error))]


def names_and_sizes(repo: Repository) -> list[Path]:
    files = sorted(path for path in repo.layout.git.rglob("*") if path.is_file())
    return [
        path
        for path in files
        if not REBUILT.fullmatch(path.relative_to(repo.layout.git).as_posix())
        and path.stat().st_size
    ]


def is_same_object(path: Path, name: str) -> bool:
    """Tell whether a loose object is still right: deflate has some bits that mean nothing."""
    data = zlib.decompress(path.read_bytes())
    return hashlib.sha1(data, usedforsecurity=False).hexdigest() == name[8:].replace("/", "")


def is_overridden(repo: Repository, data: bytes, new: bytes) -> bool:
    """Tell whether only such values differ in `packed-refs` as have files that come before them."""
    pairs = list(zip(data.splitlines(), new.splitlines(), strict=False))
    names = {(one[41:], two[41:]) for one, two in pairs if one != two}
    own = all((repo.layout.git / one.decode()).is_file() and one == two for one, two in names)
    return own and len(data) == len(new)


def damaged(data: bytes, rnd: random.Random) -> tuple[str, bytes]:
    """Return what was done to bytes, and the damaged bytes, which differ."""
    at = rnd.randrange(len(data))
    if rnd.random() < 0.3:
        at = rnd.randrange(min(len(data), 64))  # heads matter more
    how = rnd.choice(("bit", "bit", "byte", "cut", "zeros", "more", "twice"))
    before, byte, after = data[:at], data[at], data[at + 1 :]
    if how == "bit":
        return f"bit at {at}", before + bytes([byte ^ 1 << rnd.randrange(8)]) + after
    if how == "byte":
        return f"byte at {at}", before + bytes([(byte + rnd.randrange(1, 256)) % 256]) + after
    if how == "cut":
        return f"cut at {at}", data[:at]
    if how == "zeros":
        return f"zeros from {at}", data[:at] + bytes(min(4096, len(data) - at)) + data[at + 4096 :]
    if how == "more":
        return "more at the end", data + rnd.randbytes(rnd.randrange(1, 40))
    return f"twice from {at}", data[:at] + data[at:] * 2


def test_a_sound_repository_is_read_whole(repo: Repository):
    expected = truth(repo)
    assert check_reads(repo.root, expected) == 0
    assert all(
        one.severity == "warning" and one.where.startswith("refs/tags/")
        for one in found_by_fsck(repo.root)
    )
    assert len(expected) >= 6
    assert sum(len(media) for _, media in expected.values()) > 20


def test_each_damage_is_found_and_never_read_as_good_data(repo: Repository):
    rnd = random.Random(11)
    expected = truth(repo)
    sound = found_by_fsck(repo.root)
    paths = names_and_sizes(repo)
    kinds = {path.relative_to(repo.layout.git).parts[0] for path in paths}
    assert {"HEAD", "config", "media", "objects", "packed-refs", "refs", "state"} <= kinds
    harmless, missed = 0, []
    for _ in range(DAMAGES):
        path = rnd.choice(paths)
        data = path.read_bytes()
        how, new = damaged(data, rnd)
        if new == data:
            harmless += 1
            continue
        path.write_bytes(new)
        try:
            name = path.relative_to(repo.layout.git).as_posix()
            check_reads(repo.root, expected)
            if found_by_fsck(repo.root) == sound:
                same = LOOSE.fullmatch(name) and is_same_object(path, name)
                if same or (name == "packed-refs" and is_overridden(repo, data, new)):
                    harmless += 1
                else:
                    missed.append((name, how, data[:80]))
        finally:
            path.write_bytes(data)
    assert missed == []
    assert harmless < DAMAGES // 20
    assert found_by_fsck(repo.root) == sound


def test_each_swap_of_two_files_is_found(repo: Repository):
    rnd = random.Random(13)
    expected = truth(repo)
    sound = found_by_fsck(repo.root)
    paths = names_and_sizes(repo)
    missed = []
    for _ in range(scaled(60)):
        one, two = rnd.sample(paths, 2)
        first, second = one.read_bytes(), two.read_bytes()
        if first == second:
            continue
        one.write_bytes(second)
        two.write_bytes(first)
        try:
            check_reads(repo.root, expected)
            if found_by_fsck(repo.root) == sound:
                missed.append((one, two))
        finally:
            one.write_bytes(first)
            two.write_bytes(second)
    assert missed == []


def test_each_lost_file_is_found(repo: Repository):
    expected = truth(repo)
    sound = found_by_fsck(repo.root)
    missed = []
    for path in names_and_sizes(repo):
        data = path.read_bytes()
        path.unlink()
        try:
            check_reads(repo.root, expected)
            if found_by_fsck(repo.root) == sound:
                missed.append(path.relative_to(repo.layout.git).as_posix())
        finally:
            path.write_bytes(data)
    # A working copy without its record is a folder that is not tracked; what Git can make again,
    # dvcs does not miss.
    assert {re.sub("-[0-9a-f]{40}", "", name) for name in missed} <= {
        "state/copies/pets.json",
        "state/tokens",
        "objects/pack/pack.bitmap",
        "objects/pack/pack.rev",
    }


def test_gc_never_removes_anything_from_a_damaged_repository(repo: Repository):
    rnd = random.Random(17)
    paths = [
        path
        for path in names_and_sizes(repo)
        if "objects" in path.parts or path.name in ("HEAD", "packed-refs", "operations")
    ]
    files = {path: path.read_bytes() for path in repo.layout.git.rglob("*") if path.is_file()}
    started = time.monotonic()
    for _ in range(scaled(40)):
        path = rnd.choice(paths)
        _, new = damaged(files[path], rnd)
        path.write_bytes(new)
        try:
            with Repository(repo.root) as other:
                gc.collect(other, dry_run=False, keep_days=0.0)
            after = {one for one in repo.layout.git.rglob("*") if one.is_file()}
            lost = {one for one in files if one not in after}
            assert not lost, (path, lost)
        except DvcsError:
            pass
        finally:
            for one, data in files.items():
                if not one.exists() or one.read_bytes() != data:
                    one.parent.mkdir(parents=True, exist_ok=True)
                    one.unlink(missing_ok=True)
                    one.write_bytes(data)
    assert time.monotonic() - started < 120
