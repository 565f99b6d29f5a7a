"""fsck: what is damaged, and exactly which items and commits that affects."""

import os
import random
from pathlib import Path

import pytest

from dvcs.errors import RepositoryError
from dvcs.model import Item, Media, MediaFile, Raster
from dvcs.repository import Repository
from dvcs.repository.fsck import fsck
from dvcs.repository.gc import collect
from dvcs.repository.oplog import Move, change
from dvcs.repository.refs import HEADS
from dvcs.repository.sealing import sealed, unsealed
from tests.repository.scenes import (
    change_item,
    check_sound,
    commit,
    drop,
    findings,
    git,
    item,
    items,
    png,
    put,
    stored_item,
)


def unpacked(repo: Repository) -> None:
    """Have Git make every object a file of its own, so that one can be damaged."""
    for pack in list((repo.layout.git / "objects" / "pack").glob("*.pack")):
        data = pack.read_bytes()
        for path in pack.parent.glob(f"{pack.stem}.*"):
            path.unlink()
        git(repo, "unpack-objects", "-q", data=data)
    repo.store.close()


def loose(repo: Repository, oid: str) -> Path:
    return repo.layout.git / "objects" / oid[:2] / oid[2:]


def damage(path: Path, data: bytes = b"damaged") -> None:
    path.chmod(0o644)
    path.write_bytes(data)


@pytest.fixture
def history(repo: Repository) -> dict[str, str]:
    """Commits: base; x changed; x back and y changed; on topic: z added."""
    base = commit(repo, [item("x", x=1.0), item("y", x=2.0), item("street/z", "val", 30.0)])
    second = change_item(repo, item("x", x=5.0))
    with repo.transaction() as made:
        put(made, "a", item("x", x=1.0), item("y", x=7.0))
        third = made.commit("back", operation="edit").oid
    repo.create_branch("topic", base)
    topic = change_item(repo, item("new", x=40.0), branch="topic")
    unpacked(repo)
    check_sound(repo)
    oids = {"base": base, "second": second, "third": third, "topic": topic}
    return {name: oid.hex() for name, oid in oids.items()}


def blob(repo: Repository, revision: str, path: str) -> str:
    return git(repo, "rev-parse", f"{revision}:{path}").strip()


def test_a_damaged_item_names_itself_and_all_commits_that_have_it(repo: Repository, history):
    damage(loose(repo, blob(repo, history["base"], "a/items/train/x.jsonl")))
    (found,) = findings(repo)
    assert found.items == ("a/train/x",)
    assert set(found.commits) == {history[one] for one in ("base", "third", "topic")}


def test_a_missing_item_is_named_too(repo: Repository, history):
    loose(repo, blob(repo, history["second"], "a/items/train/x.jsonl")).unlink()
    (found,) = findings(repo)
    assert found.items == ("a/train/x",)
    assert found.commits == (history["second"],)
    assert "missing" in found.message


def test_ids_are_shown_as_they_are_and_not_as_names_of_files(repo: Repository, history):
    damage(loose(repo, blob(repo, history["base"], "a/items/val/street%2Fz.jsonl")))
    (found,) = findings(repo)
    assert found.items == ("a/val/street/z",)
    assert set(found.commits) == set(history.values())


def test_a_damaged_folder_names_its_commits(repo: Repository, history):
    damage(loose(repo, blob(repo, history["second"], "a/items/train")))
    (found,) = findings(repo)
    assert found.commits == (history["second"],)


def test_a_damaged_commit_is_named(repo: Repository, history):
    damage(loose(repo, history["second"]))
    errors = findings(repo)
    assert [one.commits for one in errors] == [(history["second"],)]


def test_a_damaged_list_of_labels_is_named(repo: Repository, history):
    damage(loose(repo, blob(repo, history["base"], "a/categories.json")))
    (found,) = findings(repo)
    assert found.items == ("a/categories.json",)
    assert set(found.commits) == set(history.values())


def test_damage_in_a_pack_names_items_and_commits(repo: Repository):
    commit(repo, items(300))
    tip = change_item(repo, item("0007", x=999.0)).hex()
    packs = (repo.layout.git / "objects" / "pack").glob("*.pack")
    new = min(packs, key=lambda path: path.stat().st_size)
    oid = blob(repo, tip, git(repo, "diff", "--name-only", "HEAD~1", "HEAD").strip())
    offset = int(
        next(
            line for line in git(repo, "verify-pack", "-v", str(new)).splitlines() if oid in line
        ).split()[4]
    )
    data = bytearray(new.read_bytes())
    data[offset + 8] ^= 0x10
    damage(new, bytes(data))
    found = [one for one in findings(repo) if one.items]
    assert {one.items for one in found} == {("a/train/0007",)}
    assert {one.commits for one in found} == {(tip,)}


def test_damaged_media_name_the_items_that_need_them(repo: Repository):
    one = stored_item(repo, "x", random.Random(1).randbytes(100_000))
    first = commit(repo, [one, item("y")]).hex()
    second = change_item(repo, item("y", x=9.0)).hex()
    with repo.transaction() as made:
        drop(made, "a", "train/x")
        made.commit("without", operation="edit")
    sha256 = one.media.files[0].sha256
    damage(repo.media.path_of(sha256), b"M" * 100_000)
    (found,) = findings(repo)
    assert found.items == ("a/train/x",)
    assert set(found.commits) == {first, second}
    repo.media.path_of(sha256).unlink()
    (found,) = findings(repo)
    assert (found.items, set(found.commits)) == (("a/train/x",), {first, second})
    assert "missing" in found.message


def test_small_media_in_packs_are_named(repo: Repository):
    held = [stored_item(repo, f"{n}", png(n)) for n in range(3)]
    commit(repo, held)
    packs = sorted((repo.layout.media / "packs").glob("*.pack"))
    for pack in packs:
        data = bytearray(pack.read_bytes())
        data[40] ^= 1
        damage(pack, bytes(data))
    found = {name for one in findings(repo) for name in one.items}
    assert found == {"a/train/0", "a/train/1", "a/train/2"}


def test_an_item_that_is_not_spelt_canonically_is_a_warning(repo: Repository):
    commit(repo, items(2))
    with repo.transaction() as made:
        oid = made.writer.blob(b'{ "annotated": true }\n')
        made.change_items("a", {"train": {b"0001": oid}})
        made.commit("by hand", operation="edit")
    assert findings(repo) == []
    (found,) = findings(repo, "warning")
    assert found.items == ("a/train/0001",)
    assert "canonically" in found.message


def test_a_ref_that_was_changed_is_told_of(repo: Repository, history):
    git(repo, "update-ref", "refs/heads/topic", history["base"])
    (found,) = fsck(repo)
    assert (found.severity, found.where) == ("warning", "refs/heads/topic")
    change(repo.layout, "reset", [Move(f"{HEADS}topic", history["base"], history["topic"])])
    check_sound(repo)


def test_swapped_refs_are_told_of(repo: Repository, history):
    main, topic = (repo.layout.git / "refs" / "heads" / name for name in ("main", "topic"))
    one, two = main.read_bytes(), topic.read_bytes()
    main.write_bytes(two)
    topic.write_bytes(one)
    assert {found.where for found in fsck(repo)} == {"refs/heads/main", "refs/heads/topic"}


def test_a_branch_at_a_missing_commit_is_named(repo: Repository, history):
    (repo.layout.git / "refs" / "heads" / "bad").write_text("1" * 40 + "\n")
    assert "refs/heads/bad" in {one.where for one in findings(repo)}


@pytest.mark.parametrize("name", ["HEAD", "refs/heads/main"])
@pytest.mark.parametrize("how", ["cut", "space", "empty", "gone", "other"])
def test_each_change_of_a_small_file_is_found(repo: Repository, history, name: str, how: str):
    path = repo.layout.git / name
    data = path.read_bytes()
    if how == "gone":
        path.unlink()
    else:
        changed = {"cut": data[:-1], "space": data[:-1] + b" ", "empty": b""}
        path.write_bytes(changed.get(how, data.replace(b"a", b"b", 1).replace(b"0", b"1", 1)))
    assert list(fsck(repo)) != []


def test_a_damaged_packed_refs_is_found(repo: Repository, history):
    git(repo, "-c", "user.name=A", "-c", "user.email=a@b", "tag", "-a", "v1", "-m", "x", "main")
    git(repo, "pack-refs", "--all")
    path = repo.layout.git / "packed-refs"
    data = path.read_bytes()
    assert findings(repo) == []
    known = list(fsck(repo))
    for at in range(len(data)):
        damaged = bytearray(data)
        damaged[at] ^= 1 << (at % 8)
        path.write_bytes(damaged)
        assert list(fsck(repo)) not in ([], known), (at, data[at - 5 : at + 5])


@pytest.mark.parametrize("name", [".gitignore", "state/version", "config", "state/operations"])
def test_dvcs_files_that_are_lost_are_told_of(repo: Repository, history, name: str):
    (repo.layout.git / name).unlink()
    found = [one.where for one in fsck(repo)]
    assert found != [] or name == "state/operations"


def test_what_killed_processes_left_is_a_warning(repo: Repository, history):
    git_dir = repo.layout.git
    left = ["state/tmp-1-a", "media/tmp-1-b", "objects/pack/tmp_pack_tmp-1-c", "tmp-1-d"]
    for name in left:
        (git_dir / name).touch()
        os.utime(git_dir / name, (0, 0))
    (git_dir / "state" / "tmp-1-young").touch()  # somebody may be writing it
    for name in ("HEAD.lock", "refs/heads/main.lock", "packed-refs.lock"):
        (git_dir / name).touch()
        left.append(name)
    assert findings(repo) == []
    assert {one.where for one in fsck(repo)} == set(left)


def test_a_pack_without_index_is_a_warning_where_nothing_needs_it(repo: Repository, history):
    (repo.layout.git / "objects" / "pack" / f"pack-{'1' * 40}.pack").write_bytes(b"PACK")
    assert findings(repo) == []
    (found,) = fsck(repo)
    assert "without index" in found.message


def test_a_damaged_record_of_a_working_copy_is_found(repo: Repository, history):
    record = repo.layout.copies / "a.json"
    good = sealed(b'{"commit":"%b","source":"a"}' % history["base"].encode())
    record.write_bytes(good)
    check_sound(repo)
    record.write_bytes(sealed(b'{"commit":"%b"}' % (b"1" * 40)))
    assert [one.where for one in findings(repo)] == ["working copy 'a'"]
    for at in range(len(good)):
        record.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
        assert unsealed(record.read_bytes()) is None
    for bad in (b"", b"{", b"[]", good[:-1], sealed(b'{"commit":"12"}'), b'{"commit":null}\n'):
        record.write_bytes(bad)
        assert [one.message for one in findings(repo)] == ["its record is damaged"]


def test_what_only_an_old_operation_needs_is_a_warning(repo: Repository, history):
    tip = repo.resolve("main").hex()
    change(repo.layout, "reset", [Move(f"{HEADS}main", tip, history["base"])])
    damage(loose(repo, blob(repo, history["second"], "a/items/train/x.jsonl")))
    severities = {one.severity for one in fsck(repo) if "old operation" in one.message}
    assert severities == {"warning"}


def test_tags_are_looked_through(repo: Repository, history):
    identity = ("-c", "user.name=A", "-c", "user.email=a@b")
    git(repo, *identity, "tag", "-a", "v1", "-m", "x", history["topic"])
    change(repo.layout, "delete", [Move(f"{HEADS}topic", history["topic"], None)])
    damage(loose(repo, blob(repo, history["topic"], "a/items/train/new.jsonl")))
    (found,) = findings(repo)
    assert (found.items, found.commits) == (("a/train/new",), (history["topic"],))


def test_folders_without_end_are_an_error_and_no_crash(repo: Repository, history):
    with repo.store.writer() as writer:
        tree = writer.tree([(b"x", 0o100644, writer.blob(b""))])
        for _ in range(2000):
            tree = writer.tree([(b"a", 0o040000, tree)])
        writer.publish()
    identity = ("-c", "user.name=A", "-c", "user.email=a@b")
    oid = git(repo, *identity, "commit-tree", tree.hex(), "-m", "deep").strip()
    git(repo, "update-ref", "refs/heads/deep", oid)
    assert any("too deeply" in one.message for one in findings(repo))


def test_items_like_numbered_parts_are_items(repo: Repository):
    media = Media(files=(MediaFile(ext=".png", sha256="0" * 64, size=5),))
    # Its first line has what a line of annotations has.
    commit(repo, [item("x"), item("x.1", attributes={"type": "car"}, media=media)])
    (found,) = findings(repo)
    assert found.items == ("a/train/x.1",)
    assert "missing" in found.message


def test_fsck_changes_nothing_and_works_on_a_read_only_disk(repo: Repository, history):
    before = {path: path.stat().st_mtime_ns for path in repo.layout.git.rglob("*")}
    list(fsck(repo))
    after = {path: path.stat().st_mtime_ns for path in repo.layout.git.rglob("*")}
    gone = {path.name for path in set(after) ^ set(before)}
    assert gone <= {"upkeep", "writers"}
    assert {p for p in before if after[p] != before[p]} <= {repo.layout.state}


# -- large items ---------------------------------------------------------------------------------


def rasters(repo: Repository, count: int) -> tuple[Item, list[str]]:
    """Return an item with rasters whose files are stored now, and the hashes of these."""
    with repo.media.writer() as writer:
        held = [writer.add_bytes(png(n)) for n in range(count)]
        writer.publish()
    notes = [
        Raster(id=n, meaning="depth", file=MediaFile(ext=".png", sha256=one.sha256, size=one.size))
        for n, one in enumerate(held, 1)
    ]
    return Item(id="huge", subset="train", annotations=notes), [one.sha256 for one in held]


@pytest.fixture
def huge(repo: Repository, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """An item in several blobs, with rasters in each of them; return the hashes."""
    monkeypatch.setattr("dvcs.objects.items.PART_LIMIT", 1000)
    one, hashes = rasters(repo, 30)
    commit(repo, [one, item("other")])
    assert "huge.2.jsonl" in git(repo, "ls-tree", "-r", "--name-only", "HEAD")
    return hashes


def test_a_large_item_with_rasters_is_sound(repo: Repository, huge: list[str]):
    check_sound(repo)
    assert collect(repo, dry_run=False, keep_days=0.0).media == 0
    assert all(one in repo.media for one in huge)


def test_missing_media_of_any_part_of_an_item_name_the_item(repo: Repository, huge: list[str]):
    for pack in (repo.layout.media / "packs").iterdir():
        pack.unlink()
    repo.media.refresh()
    found = findings(repo)
    assert {one.where for one in found} == {f"media {sha256}" for sha256 in huge}
    assert {one.items for one in found} == {("a/train/huge",)}
    with pytest.raises(RepositoryError, match="is missing"):
        collect(repo, dry_run=False)
