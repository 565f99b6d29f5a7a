"""No damage to the media store is read as good data, and `verify` sees all of it."""

import hashlib
import random
import shutil
import struct

import pytest
import zstandard

from dvcs.errors import CorruptObject, MissingObject
from dvcs.objects import _media_codec as codec
from dvcs.objects._media_files import SMALL
from dvcs.objects.media import MediaStore

FLIPS = 200


def sha(data):
    return hashlib.sha256(data).hexdigest()


def noise(size, seed=0):
    return b"\xff\xd8\xff" + random.Random(seed).randbytes(size)


CONTENTS = [
    *(noise(200 + seed, seed) for seed in range(40)),
    *(b"%d " % seed * 600 for seed in range(40)),
    noise(SMALL),
    b"0.5 0.25 7 " * 20_000,
    b"",
]


@pytest.fixture
def root(tmp_path):
    with MediaStore(tmp_path / "media") as store, store.writer() as writer:
        for data in CONTENTS:
            writer.add_bytes(data)
        writer.publish()
    return tmp_path / "media"


def files_of(root):
    return sorted(path for path in root.rglob("*") if path.is_file())


def check_damage(root):
    """Read everything: the right bytes or an error; then `verify` must have found something."""
    with MediaStore(root) as store:
        for data in CONTENTS:
            try:
                assert store.read(sha(data)) == data
                with store.open(sha(data)) as file:
                    assert file.read() == data
            except (CorruptObject, MissingObject):
                pass
        return list(store.verify())


def damaged(path, change):
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    change(data)
    path.write_bytes(data)


def test_a_sound_store_has_no_problems(root):
    assert len(files_of(root)) == 4
    assert check_damage(root) == []


@pytest.mark.parametrize("kind", ["raw", ".zst", ".pack", ".idx"])
def test_every_flipped_bit_is_detected(root, kind):
    (path,) = [p for p in files_of(root) if p.suffix == (kind if kind != "raw" else "")]
    good = path.read_bytes()
    generator = random.Random(kind)
    places = {generator.randrange(len(good)) for _ in range(FLIPS // 4)}
    if kind != "raw":
        places |= {*range(24), *range(len(good) - 4, len(good))}
    for place in sorted(places):

        def flip(data, place=place):
            data[place] ^= 1 << generator.randrange(8)

        damaged(path, flip)
        assert check_damage(root), place
        path.write_bytes(good)
    assert check_damage(root) == []


@pytest.mark.parametrize("kind", ["raw", ".zst", ".pack", ".idx"])
@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.clear(),
        lambda data: data.__delitem__(slice(len(data) // 2, None)),
        lambda data: data.__delitem__(slice(-1, None)),
        lambda data: data.extend(b"\0"),
        lambda data: data.extend(data[:]),
        lambda data: data.__setitem__(slice(0, 4096), bytes(min(4096, len(data)))),
    ],
)
def test_truncation_zeros_and_garbage_are_detected(root, kind, change):
    (path,) = [p for p in files_of(root) if p.suffix == (kind if kind != "raw" else "")]

    damaged(path, change)

    assert check_damage(root)


def test_verify_names_the_files_that_are_affected(root):
    with MediaStore(root) as store:
        pack = store.packs()[0]
        _, entry = store._find(bytes.fromhex(sha(CONTENTS[3])))
    damaged(pack.pack.path, lambda data: data.__setitem__(entry.offset, data[entry.offset] ^ 1))
    large = root / sha(noise(SMALL))[:2] / sha(noise(SMALL))
    damaged(large, lambda data: data.reverse())

    with MediaStore(root) as store:
        found = {(name, path) for name, path, _ in store.verify()}
        with pytest.raises(CorruptObject, match=sha(CONTENTS[3])):
            store.read(sha(CONTENTS[3]))

    assert found == {
        (sha(CONTENTS[3]), pack.pack.path),
        (None, pack.pack.path),
        (sha(noise(SMALL)), large),
    }


def test_files_in_the_wrong_place_are_reported(root):
    large = root / sha(noise(SMALL))[:2] / sha(noise(SMALL))
    (pack,) = root.glob("packs/*.pack")
    planted = [
        root / "readme.txt",
        root / "zz" / "file",
        large.with_name(large.name + ".bak"),
        large.with_name(sha(b"other place")),
        root / "packs" / "notes",
        pack.with_name("0" * 40 + ".pack"),
    ]
    for path in planted:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    (large.parent / ("f" * 64)).symlink_to("/etc/passwd")
    (root / "tmp-1-abc").mkdir()

    found = {path for _, path, _ in MediaStore(root).verify()}

    planted[1] = root / "zz"
    assert found == {*planted, large.parent / ("f" * 64)}


def test_a_valid_file_under_another_name_is_not_read(root):
    large = root / sha(noise(SMALL))[:2] / sha(noise(SMALL))
    other = sha(b"something else")
    target = root / other[:2] / other
    target.parent.mkdir(exist_ok=True)
    shutil.copy(large, target)

    with MediaStore(root) as store:
        with pytest.raises(CorruptObject, match=other):
            store.read(other)
        with pytest.raises(CorruptObject, match=other):
            store.open(other)
        for link in ("reflink", "copy", "hard", "symlink"):
            with pytest.raises(CorruptObject, match=other):
                store.copy_to(other, root.parent / "out", link=link)
        assert not (root.parent / "out").exists()
        assert [name for name, _, _ in store.verify()] == [other]


def test_an_index_beside_another_pack_is_noticed(root):
    (pack,) = root.glob("packs/*.pack")
    with MediaStore(root) as store, store.writer() as writer:
        writer.add_bytes(b"another pack")
        writer.publish()
    (other,) = [path for path in root.glob("packs/*.pack") if path != pack]
    shutil.copy(pack, other)

    assert any(path.stem == other.stem for _, path, _ in check_damage(root))


def test_a_missing_index_or_pack_is_told_where_a_file_is_not_found(root):
    (index,) = root.glob("packs/*.idx")
    index.rename(root.parent / "kept.idx")
    with MediaStore(root) as store:
        assert sha(CONTENTS[0]) not in store
        # An operation that was killed may leave this; nothing is damaged.
        assert list(store.verify()) == []
        with pytest.raises(MissingObject) as caught:
            store.read(sha(CONTENTS[0]))
        assert "has no index" in caught.value.hint
    (root.parent / "kept.idx").rename(index)
    index.with_suffix(".pack").unlink()
    with MediaStore(root) as store, pytest.raises(MissingObject) as caught:
        store.read(sha(CONTENTS[0]))
    assert "damaged pack" in caught.value.hint


@pytest.mark.parametrize("change", ["remove", "flip", "cut", "header"])
def test_an_index_is_rebuilt_from_its_pack(root, change):
    (index,) = root.glob("packs/*.idx")
    good = index.read_bytes()
    if change == "remove":
        index.unlink()
    elif change == "cut":
        damaged(index, lambda data: data.__delitem__(slice(-100, None)))
    else:
        place = 0 if change == "header" else len(good) - 40
        damaged(index, lambda data: data.__setitem__(place, data[place] ^ 1))
    with MediaStore(root) as store:
        assert store.rebuild_indexes() == 1
        assert store.rebuild_indexes() == 0
        assert [store.read(sha(data)) for data in CONTENTS] == CONTENTS
        assert list(store.verify()) == []
    assert index.read_bytes() == good


def test_a_damaged_pack_gets_no_index(root):
    (pack,) = root.glob("packs/*.pack")
    pack.with_suffix(".idx").unlink()
    damaged(pack, lambda data: data.__setitem__(100, data[100] ^ 1))

    with MediaStore(root) as store:
        assert store.rebuild_indexes() == 0
        assert [path for _, path, _ in store.verify()] == [pack]


def test_a_file_that_a_damaged_index_hides_says_so(root):
    (index,) = root.glob("packs/*.idx")
    digest = bytes.fromhex(sha(CONTENTS[0]))
    damaged(index, lambda data: data.__setitem__(data.index(digest) + 31, digest[31] ^ 1))

    with MediaStore(root) as store, pytest.raises(MissingObject) as caught:
        store.read(sha(CONTENTS[0]))
    assert str(index) in caught.value.hint


def sealed(frame):
    return frame + codec.SEAL_HEAD + hashlib.sha256(frame).digest()


def plant(root, name, content):
    path = root / name[:2] / f"{name}.zst"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)


def frame_of(data, **options):
    return zstandard.ZstdCompressor(3, write_checksum=True, **options).compress(data)


def lying(frame, size):
    """Make a frame claim another size: descriptor, window, then 8 bytes of size."""
    descriptor = 0b11000100  # 8-byte size, checksum, window descriptor follows
    header = zstandard.frame_header_size(frame)
    return frame[:4] + bytes([descriptor, 0x58]) + struct.pack("<Q", size) + frame[header:]


@pytest.mark.parametrize(
    "make",
    [
        lambda data: lying(frame_of(data), 1 << 40),
        lambda data: lying(frame_of(data), len(data) - 1),
        lambda data: lying(frame_of(data), len(data) + 1),
        lambda data: lying(frame_of(data), 0),
        lambda data: frame_of(data)[:-1],
        lambda data: frame_of(data)[:-5],
        lambda data: frame_of(data, write_content_size=False),
        lambda data: zstandard.ZstdCompressor(3).compress(data),
        lambda data: data,
        lambda _: b"",
        lambda _: frame_of(b"other"),
    ],
)
def test_frames_that_lie_are_refused_in_bounded_memory(root, make):
    data = b"zeros and more zeros" * 10_000
    plant(root, sha(data), sealed(make(data)))

    with MediaStore(root) as store:
        with pytest.raises(CorruptObject):
            store.read(sha(data))
        with pytest.raises(CorruptObject):
            store.copy_to(sha(data), root.parent / "out")
        assert sha(data) in {name for name, _, _ in store.verify()}


def test_a_frame_followed_by_another_is_refused(root):
    data = b"first" * 20_000
    plant(root, sha(data), sealed(frame_of(data) + frame_of(b"second")))

    with MediaStore(root) as store, pytest.raises(CorruptObject):
        store.read(sha(data))


def test_a_bomb_in_a_pack_is_refused():
    bomb = frame_of(bytes(50_000_000))

    with pytest.raises(CorruptObject, match="states 50000000"):
        codec.decompress(bomb, 1000)
    with pytest.raises(CorruptObject):
        codec.decompress(lying(frame_of(bytes(5000)), 1000), 1000)
    with pytest.raises(CorruptObject):
        codec.decompress(frame_of(b"x" * 1000) + b"tail", 1000)
