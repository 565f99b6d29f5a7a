"""Packs are merged and files removed without losing others."""

import hashlib
import os
import random
import time

import pytest

from dvcs.errors import CorruptObject, MissingObject
from dvcs.objects import _durable
from dvcs.objects._media_files import SMALL
from dvcs.objects.media import MediaStore


def sha(data):
    return hashlib.sha256(data).hexdigest()


def content(seed, size=300):
    return b"\xff\xd8\xff" + random.Random(seed).randbytes(size)


@pytest.fixture
def store(tmp_path):
    with MediaStore(tmp_path / "media") as store:
        yield store


def fill(store, operations, each=5):
    for operation in range(operations):
        with store.writer() as writer:
            for number in range(each):
                writer.add_bytes(content(operation * each + number))
            writer.add_bytes(b"text " * (100 + operation))
            writer.publish()
    return [content(seed) for seed in range(operations * each)]


def test_many_packs_become_one_and_nothing_is_lost(store):
    contents = fill(store, 22)
    everything = list(store)
    reader = MediaStore(store.root)
    assert reader.read(sha(contents[0])) == contents[0]

    assert store.consolidate() == 22

    assert len(store.packs()) == 1
    assert len(list(store.root.rglob("*.*"))) == 2
    assert list(store) == everything
    assert [store.read(sha(data)) for data in contents] == contents
    assert list(store.verify()) == []
    # A store that was open before finds its files again.
    assert [reader.read(sha(data)) for data in contents] == contents


def test_a_few_packs_are_left_alone(store):
    fill(store, 20)

    assert store.consolidate() == 0
    assert len(store.packs()) == 20


def test_merging_one_pack_changes_nothing(store):
    fill(store, 1)
    (before,) = store.packs()

    assert store.consolidate(more_than=0) == 0
    assert [pack.name for pack in store.packs()] == [before.name]


def test_damaged_packs_are_not_merged(store):
    contents = fill(store, 3)
    path = store.packs()[1].pack.path
    path.write_bytes(path.read_bytes().replace(b"\xff\xd8\xff", b"\xff\xd8\xfe", 1))
    before = sorted(store.root.rglob("*"))

    with pytest.raises(CorruptObject, match=path.name):
        MediaStore(store.root).consolidate(more_than=1)

    assert sorted(store.root.rglob("*")) == before
    assert sum(sha(data) in store for data in contents) == len(contents)


def test_removed_files_go_to_the_trash_and_the_others_stay(store, tmp_path):
    contents = fill(store, 3)
    large = [content(seed, SMALL) for seed in (100, 101)]
    text = b"1.5 " * SMALL
    with store.writer() as writer:
        for data in (*large, text):
            writer.add_bytes(data)
        writer.publish()
    untouched = {pack.name for pack in store.packs()}
    gone = [contents[0], contents[1], contents[7], large[0], text]
    trash = tmp_path / "trash"

    count = store.remove([*map(sha, gone), sha(b"never stored")], trash)

    assert count == 5
    for data in gone:
        assert sha(data) not in store
        with pytest.raises(MissingObject):
            store.read(sha(data))
    for data in (*contents, *large):
        if data not in gone:
            assert store.read(sha(data)) == data
    assert list(store.verify()) == []
    assert len(untouched & {pack.name for pack in store.packs()}) == 1
    names = {path.name for path in trash.iterdir()}
    assert {sha(large[0]), f"{sha(text)}.zst"} < names
    assert len(names) == 2 + 4


def test_what_was_removed_can_be_put_back_from_the_trash(store, tmp_path):
    contents = fill(store, 1)
    store.remove([sha(contents[0])], tmp_path / "trash")
    for path in (tmp_path / "trash").iterdir():
        path.rename(store.packs_folder / path.name)

    assert store.read(sha(contents[0])) == contents[0]
    assert list(store.verify()) == []


def test_removing_everything_of_a_pack_leaves_none(store, tmp_path):
    fill(store, 1)

    assert store.remove(list(store), tmp_path / "trash") == 6

    assert list(store) == []
    assert store.packs() == []
    assert list(store.verify()) == []


def test_removing_from_a_damaged_pack_is_refused(store, tmp_path):
    contents = fill(store, 1)
    path = store.packs()[0].pack.path
    path.write_bytes(path.read_bytes().replace(contents[1], contents[1][::-1]))
    store.close()

    with pytest.raises(CorruptObject, match=sha(contents[1])):
        store.remove([sha(contents[0])], tmp_path / "trash")

    assert store.read(sha(contents[0])) == contents[0]
    assert list((tmp_path / "trash").iterdir()) == []


def test_old_temporaries_are_removed_and_young_ones_kept(store):
    fill(store, 1)
    old, young = store.root / "tmp-1-old", store.root / "tmp-1-young"
    for folder in (old, young):
        folder.mkdir()
        (folder / "file").write_bytes(b"x")
    os.utime(old, (time.time() - 100_000,) * 2)

    assert store.remove_temporaries() == 1

    assert not old.exists()
    assert young.exists()


def test_atomic_writes_replace_whole_files_and_leave_nothing_behind(tmp_path, monkeypatch):
    path = tmp_path / "state"
    _durable.write_atomic(path, b"one")
    _durable.write_atomic(path, b"two")
    assert path.read_bytes() == b"two"

    def fail(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_durable, "fsync_file", fail)
    with pytest.raises(OSError, match="No space"):
        _durable.write_atomic(path, b"three")
    assert path.read_bytes() == b"two"
    assert list(tmp_path.iterdir()) == [path]


def test_a_durable_rename_crosses_folders(tmp_path):
    _durable.make_dirs(tmp_path / "a" / "b")
    fd, temp = _durable.create_temp(tmp_path / "a" / "b")
    _durable.write_all(fd, b"x" * 100)
    os.close(fd)
    _durable.durable_rename(temp, tmp_path / "final")

    assert (tmp_path / "final").read_bytes() == b"x" * 100
    assert temp.name.startswith(_durable.TEMP_PREFIX)
    assert list((tmp_path / "a" / "b").iterdir()) == []
