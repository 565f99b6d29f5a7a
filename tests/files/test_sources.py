"""Folders, archives and memory as sources: the same answers, and nothing from outside."""
# ruff: noqa: PT012 -- opening and reading may both refuse

import io
import os
import stat
import struct
import sys
import tarfile
import zipfile
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dvcs.errors import DvcsError, FormatError, FormatErrors, NotADataset, UnsafeName
from dvcs.files import BytesOrigin, MemorySource, Source, archive, image_size, open_source
from dvcs.files import source as source_module
from dvcs.model import Item, Media
from tests.gallery import png

FILES = {
    "a.txt": b"one\r\n\r\n  two \n",
    "annotations/train.json": b'{"a": [1, 2.5]}',
    "annotations/Val.JSON": b"\xef\xbb\xbf{}",
    "images/1.png": png(1),
    "images/1.jpg": b"not really",
    "images/deep/er/x.y.PNG": png(2),
    "images/é b.png": png(3),
    "images/odd [1] {2} 100%.png": png(4),
}
UNSEEN = {
    ".dvcs-export.json": b"{}",
    ".DS_Store": b"x",
    "images/._1.png": b"x",
    "images/Thumbs.db": b"x",
    ".git/config": b"x",
    "images/.dvcs/HEAD": b"x",
    "__MACOSX/images/1.png": b"x",
    ".ipynb_checkpoints/a.txt": b"x",
}
needs_links = pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")


def folder(root: Path) -> Path:
    for path, data in {**FILES, **UNSEEN}.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)
    return root


def zipped(target: Path, *, method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(target, "w", method) as file:
        file.writestr("images/", b"")
        for path, data in {**FILES, **UNSEEN}.items():
            file.writestr(path, data)
    return target


def tarred(target: Path, mode: str, prefix: str = "") -> Path:
    with tarfile.open(target, mode) as file:
        holder = tarfile.TarInfo(f"{prefix}images")
        holder.type = tarfile.DIRTYPE
        file.addfile(holder)
        for path, data in {**FILES, **UNSEEN}.items():
            info = tarfile.TarInfo(prefix + path)
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))
    return target


MAKERS = {
    "folder": lambda tmp: open_source(folder(tmp / "data")),
    "zip": lambda tmp: open_source(zipped(tmp / "x.zip")),
    "stored zip": lambda tmp: open_source(zipped(tmp / "x", method=zipfile.ZIP_STORED)),
    "bz2 zip": lambda tmp: open_source(zipped(tmp / "x", method=zipfile.ZIP_BZIP2)),
    "lzma zip": lambda tmp: open_source(zipped(tmp / "x", method=zipfile.ZIP_LZMA)),
    "tar": lambda tmp: open_source(tarred(tmp / "x.tar", "w")),
    "tar.gz": lambda tmp: open_source(tarred(tmp / "x.tgz", "w:gz")),
    "tar.xz with ./": lambda tmp: open_source(tarred(tmp / "x.tar.xz", "w:xz", "./")),
    "memory": lambda tmp: MemorySource({**FILES, **UNSEEN}),
}


@pytest.fixture(params=MAKERS)
def source(request, tmp_path):
    made = MAKERS[request.param](tmp_path)
    yield made
    made.close()


# -- the same from everywhere --------------------------------------------------------------------


def test_lists_its_files_sorted_and_without_the_systems_own(source: Source):
    assert source.paths == tuple(sorted(FILES))
    assert "images/1.png" in source
    assert "images/2.png" not in source
    assert ".git/config" not in source


def test_gives_bytes_text_lines_and_json(source: Source):
    for path, data in FILES.items():
        assert source.bytes(path) == data
        assert bytes(source.buffer(path)) == data
        assert source.origin(path).read() == data
    assert source.text("a.txt") == "one\n\n  two \n"
    assert source.lines("a.txt") == [(1, "one"), (3, "two")]
    assert source.json("annotations/train.json") == {"a": [1, 2.5]}
    assert source.json("annotations/Val.JSON") == {}


def test_finds_by_pattern(source: Source):
    assert source.find("annotations/*.json") == ["annotations/Val.JSON", "annotations/train.json"]
    assert source.find("*.txt") == ["a.txt"]
    assert source.find("**/*.txt") == ["a.txt"]
    assert source.find("**/x.y.png") == ["images/deep/er/x.y.PNG"]
    assert source.find("images/**/*.PNG") == [
        one for one in source.paths if one[-3:].lower() == "png"
    ]
    assert source.find("images/?.png") == ["images/1.png"]
    assert source.find("images?1.png") == []
    assert source.find("images/odd [1] {2} 100%.png") == ["images/odd [1] {2} 100%.png"]
    assert source.find("a") == []


def test_knows_folders_and_images(source: Source):
    assert source.folders == {"annotations", "images", "images/deep", "images/deep/er"}
    assert source.images == {
        "images/1": "images/1.jpg",
        "images/deep/er/x.y": "images/deep/er/x.y.PNG",
        "images/é b": "images/é b.png",
        "images/odd [1] {2} 100%": "images/odd [1] {2} 100%.png",
    }


def test_finds_the_image_that_a_file_names(source: Source):
    assert source.image("images/1.png") == "images/1.png"
    assert source.image("1.png", folders=("nowhere", "images")) == "images/1.png"
    assert source.image("1.bmp", folders=("images",)) == "images/1.jpg"
    assert source.image("deep\\er\\x.y.png", folders=("images",)) == "images/deep/er/x.y.PNG"
    assert source.image("e\u0301 b.png", folders=("images",)) == "images/é b.png"
    assert source.image("2.png", folders=("images",)) is None
    for name in ("../1.png", "/etc/passwd", "images/../../x.png", ""):
        with pytest.raises(UnsafeName):
            source.image(name)


@pytest.mark.parametrize(
    "path", ["missing", "images", "../data/a.txt", "/etc/hostname", "..", "a\0"]
)
def test_what_is_not_in_it_cannot_be_read(source: Source, path):
    with pytest.raises(FormatError):
        source.bytes(path)
    with pytest.raises(FormatError):
        source.text(path)


def test_an_image_size_comes_from_the_record_else_from_the_header(source: Source):
    item = Item("x", media=Media(), origins=(source.origin("images/1.png"),))
    assert image_size(item) == (48, 64)
    assert image_size(item.with_(media=Media(height=1, width=2))) == (1, 2)
    assert image_size(item.with_(media=None)) is None
    assert image_size(item.with_(origins=(None, source.origin("images/1.jpg")))) is None


# -- text, JSON and their errors -----------------------------------------------------------------


def memory(**files: bytes) -> MemorySource:
    return MemorySource({name.replace("_", "."): data for name, data in files.items()}, name="data")


@pytest.mark.parametrize(
    "data",
    [b"\xef\xbb\xbf\xc3\xa9\n", "é\n".encode("utf-16"), b"\xfe\xff\x00\xe9\x00\n", b"\xc3\xa9\r"],
)
def test_text_may_have_a_byte_order_mark_and_any_line_ends(data):
    assert memory(a_txt=data).text("a.txt") == "é\n"


def test_text_of_another_encoding_is_refused_with_its_line():
    with pytest.raises(FormatError, match=r"data/a.txt:2: is not UTF-8"):
        memory(a_txt=b"one\n\xe9\n").text("a.txt")


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b'{"a":\n1,\n]', 3),
        (b'{"a":\n1', 2),
        (b"", 1),
        (b"[1,\n2,\n\x00]", 3),
        (b'["\xff"]', None),
        (b"[" * 100_000, None),
        (b'{"a": NaN}', 1),
    ],
)
def test_bad_json_is_refused_with_its_line(data, line):
    with pytest.raises(FormatError, match=r"data/a\.json") as caught:
        memory(a_json=data).json("a.json")
    assert line is None or caught.value.line == line


def test_a_value_of_a_wrong_type_is_named_by_its_place():
    with pytest.raises(FormatError, match=r"data/a\.json: .*\$\[1\]"):
        memory(a_json=b'[1, "x"]').json("a.json", list[int])


def test_bad_records_are_raised_together_or_left_out():
    def parse(number: int) -> int:
        if number % 2:
            raise FormatError("is odd", "x.txt", number)
        return number

    source = memory()
    with pytest.raises(FormatErrors, match=r"x\.txt:1: is odd\n.*x\.txt:3: is odd"):
        list(source.items(range(5), parse))
    with pytest.raises(FormatError, match=r"x\.txt:1"):
        list(source.items([1], parse))
    patient = MemorySource({}, keep_going=True)
    assert list(patient.items(range(5), parse)) == [0, 2, 4]
    assert len(patient.errors) == 2


def test_a_walk_ends_early_where_nothing_can_be_read(monkeypatch):
    monkeypatch.setattr(source_module, "MOST_ERRORS", 10)
    asked = []

    def parse(number: int) -> int:
        asked.append(number)
        raise FormatError("is bad", "x.txt", number)

    with pytest.raises(FormatErrors):
        list(memory().items(range(1000), parse))
    assert len(asked) == 10


# -- folders -------------------------------------------------------------------------------------


def test_a_file_opens_its_folder_with_the_file_in_focus(tmp_path):
    folder(tmp_path)
    (tmp_path / "annotations").rename(tmp_path / "notes")
    source = open_source(tmp_path / "notes" / "train.json")
    assert source.focus == "train.json"
    assert "train.json" in source
    assert "../a.txt" not in source.paths
    assert source.json("train.json") == {"a": [1, 2.5]}


def test_a_file_of_annotations_opens_the_folder_that_has_the_images_too(tmp_path):
    folder(tmp_path)
    source = open_source(tmp_path / "annotations" / "train.json")
    assert source.focus == "annotations/train.json"
    assert source.json("annotations/train.json") == {"a": [1, 2.5]}
    assert "a.txt" in source.paths


def test_what_does_not_exist_is_no_dataset(tmp_path):
    with pytest.raises(NotADataset, match="no file or folder"):
        open_source(tmp_path / "nowhere")


@needs_links
def test_a_link_within_the_folder_is_followed(tmp_path):
    folder(tmp_path / "data")
    (tmp_path / "data" / "link.png").symlink_to("images/1.png")
    source = open_source(tmp_path / "data")
    assert source.bytes("link.png") == FILES["images/1.png"]


@needs_links
@pytest.mark.parametrize(
    "target", ["../secret", "{tmp}/secret", "images/../../secret", "/etc/hostname"]
)
def test_a_link_out_of_the_folder_is_refused(tmp_path, target):
    (tmp_path / "secret").write_bytes(b"secret")
    folder(tmp_path / "data")
    (tmp_path / "data" / "link.png").symlink_to(target.format(tmp=tmp_path))
    with pytest.raises(FormatError, match=r"out of the dataset"):
        _ = open_source(tmp_path / "data").paths
    with pytest.raises(FormatError, match=r"out of the dataset"):
        open_source(tmp_path / "data").bytes("link.png")
    with pytest.raises(FormatError, match=r"out of the dataset"):
        open_source(tmp_path / "data").buffer("link.png")


@needs_links
def test_links_to_folders_to_nothing_and_to_themselves_are_refused(tmp_path):
    for name, target in (("a", "images"), ("b", "nothing"), ("c", ".."), ("d", "d")):
        data = folder(tmp_path / name / "data")
        (data / "link").symlink_to(target)
        with pytest.raises(FormatError, match="symbolic link"):
            _ = open_source(data).paths


@needs_links
def test_a_link_that_appears_after_the_listing_is_not_followed_out(tmp_path):
    (tmp_path / "secret").write_bytes(b"secret")
    data = folder(tmp_path / "data")
    source = open_source(data)
    assert "images/1.png" in source.paths
    (data / "images/1.png").unlink()
    (data / "images/1.png").symlink_to(tmp_path / "secret")
    with pytest.raises(FormatError, match="out of the dataset"):
        source.bytes("images/1.png")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes")
def test_pipes_are_no_files(tmp_path):
    folder(tmp_path / "data")
    os.mkfifo(tmp_path / "data" / "pipe.png")
    assert "pipe.png" not in open_source(tmp_path / "data").paths


# -- hostile archives ----------------------------------------------------------------------------


def zip_of(path: Path, *members: tuple[zipfile.ZipInfo | str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members:
            file.writestr(name, data)
    return path


EVIL = [
    "../x",
    "a/../../x",
    "/etc/x",
    "..\\x",
    "C:\\x",
    "C:/x",
    "a//b",
    "\\\\srv\\x",
    "a/./b",
    "..",
]


@pytest.mark.parametrize("name", EVIL)
def test_a_zip_whose_names_lead_out_is_refused(tmp_path, name):
    with pytest.raises(UnsafeName) as caught:
        open_source(zip_of(tmp_path / "x.zip", ("fine", b"x"), (name, b"x")))
    assert caught.value.hint


@pytest.mark.parametrize("name", EVIL)
def test_a_tar_whose_names_lead_out_is_refused(tmp_path, name):
    with tarfile.open(tmp_path / "x.tar", "w") as file:
        file.addfile(tarfile.TarInfo(name))
    with pytest.raises(UnsafeName):
        open_source(tmp_path / "x.tar")


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK])
def test_a_zip_with_links_or_devices_is_refused(tmp_path, kind):
    info = zipfile.ZipInfo("link.png")
    info.external_attr = (kind | 0o777) << 16
    with pytest.raises(UnsafeName, match=r"link\.png.* is a link or device"):
        open_source(zip_of(tmp_path / "x.zip", (info, b"/etc/passwd")))


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE]
)
def test_a_tar_with_links_or_devices_is_refused(tmp_path, kind):
    info = tarfile.TarInfo("link.png")
    info.type = kind
    info.linkname = "/etc/passwd"
    with tarfile.open(tmp_path / "x.tar", "w") as file:
        file.addfile(info)
    with pytest.raises(UnsafeName, match=r"link\.png.* is a link or device"):
        open_source(tmp_path / "x.tar")


def test_an_encrypted_zip_is_refused(tmp_path):
    path = zip_of(tmp_path / "x.zip", ("a.txt", b"secret"))
    data = bytearray(path.read_bytes())
    data[6] |= 1  # the flags of the member ...
    data[data.index(b"PK\x01\x02") + 8] |= 1  # ... and of its entry in the directory
    path.write_bytes(data)
    with pytest.raises(FormatError, match="encrypted"):
        open_source(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    "names", [("a.txt", "a.txt"), ("a/b", "a\\b"), ("é", "e\u0301"), ("a", "./a")]
)
def test_two_members_of_one_name_are_refused(tmp_path, names):
    with pytest.raises(FormatError, match="two members"):
        open_source(zip_of(tmp_path / "x.zip", *((name, b"x") for name in names)))


@pytest.mark.parametrize(("at", "value"), [(6, 99), (8, 0x0800), (10, 77)])
def test_a_zip_that_no_reader_understands_is_refused(tmp_path, at, value):
    path = zip_of(tmp_path / "x.zip", ("a", b"x"))
    data = bytearray(path.read_bytes().replace(b"a", b"\xff"))
    struct.pack_into("<H", data, data.index(b"PK\x01\x02") + at, value)  # version, flags, method
    path.write_bytes(data)
    with pytest.raises(FormatError, match="damaged"):
        source = open_source(path)
        source.bytes(source.paths[0])


def test_folders_of_zips_from_windows_are_no_files(tmp_path):
    path = zip_of(tmp_path / "x.zip", ("images\\", b""), ("images\\1.png", png(1)))
    assert open_source(path).paths == ("images/1.png",)


def test_a_zip_bomb_is_stopped_by_the_bytes_that_really_come_out(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "LEAST", 1 << 20)
    path = zip_of(tmp_path / "x.zip", ("a", b"\0" * (30 << 20)))
    assert path.stat().st_size * archive.RATIO < 30 << 20
    with pytest.raises(FormatError, match="far more than its size"):
        open_source(path).bytes("a")


def test_a_zip_that_lies_about_its_sizes_is_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "LEAST", 1 << 16)
    path = zip_of(tmp_path / "x.zip", ("a", b"\0" * (30 << 20)))
    data = bytearray(path.read_bytes())
    entry = data.index(b"PK\x01\x02")
    struct.pack_into("<I", data, entry + 24, 10)
    struct.pack_into("<I", data, 22, 10)
    path.write_bytes(data)
    with pytest.raises(FormatError):
        open_source(path).bytes("a")


def test_many_small_members_count_together(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "LEAST", 1 << 20)
    path = zip_of(tmp_path / "x.zip", *((str(n), b"\0" * (1 << 18)) for n in range(40)))
    monkeypatch.setattr(archive, "RATIO", 1)
    source = open_source(path)
    with pytest.raises(FormatError, match="far more than its size"):
        [source.bytes(name) for name in source.paths]


def test_too_many_members_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MOST_MEMBERS", 3)
    with pytest.raises(FormatError, match="more than 3 members"):
        open_source(zip_of(tmp_path / "x.zip", *((str(n), b"") for n in range(4))))


def test_a_member_with_wrong_bytes_is_an_error(tmp_path):
    path = zip_of(tmp_path / "x.zip", ("a.txt", zlib.compress(bytes(range(256)) * 9)))
    data = bytearray(path.read_bytes())
    data[60] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(FormatError, match=r"x\.zip/a\.txt: is damaged"):
        open_source(path).bytes("a.txt")


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_damaged_archives_give_errors_never_surprises(tmp_path, data):
    maker = data.draw(st.sampled_from(["zip", "tar", "tar.gz", "tar.xz with ./", "lzma zip"]))
    for old in tmp_path.iterdir():
        old.unlink()
    MAKERS[maker](tmp_path).close()
    (path,) = (one for one in tmp_path.iterdir() if one.is_file())
    good = path.read_bytes()
    changed = bytearray(good)
    for _ in range(data.draw(st.integers(1, 5))):
        changed[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(changed[: data.draw(st.integers(1, len(good)))]))
    try:
        source = open_source(path)
        try:
            for name in source.paths:
                source.bytes(name)
        finally:
            source.close()
    except DvcsError as error:
        assert str(error)  # noqa: PT017 -- a change may do no harm


def test_memory_hands_media_on(tmp_path):
    origin = BytesOrigin(lambda: b"pixels")
    source = MemorySource({"a.txt": b""}, media={"x.png": origin})
    assert source.paths == ("a.txt", "x.png")
    assert source.origin("x.png") is origin
    assert source.bytes("x.png") == b"pixels"
    assert source.origin("a.txt").read() == b""


@needs_links
def test_links_beside_the_one_file_that_is_meant_are_refused_when_they_are_named(tmp_path):
    (tmp_path / "one.json").write_text("{}")
    (tmp_path / "picture.jpg").write_bytes(b"")
    (tmp_path / "away.jpg").symlink_to("/dev/null")
    (tmp_path / "folder").symlink_to(tmp_path.parent)
    with pytest.raises(FormatError, match="leads out of the dataset"):
        _ = open_source(tmp_path).paths
    with pytest.raises(FormatError, match="leads out of the dataset"):
        _ = open_source(tmp_path / "one.json").paths
    source = open_source(tmp_path / "one.json")
    source.tolerant = True
    assert source.paths == ("one.json", "picture.jpg")
    assert set(source.refused) == {"away.jpg", "folder"}
    assert "picture.jpg" in source
    assert "other.jpg" not in source
    assert source.image("other.jpg") is None
    for path in ("away.jpg", "folder/below.jpg"):
        with pytest.raises(FormatError, match="leads out of the dataset"):
            _ = path in source
        with pytest.raises(FormatError, match="leads out of the dataset"):
            source.image(path)
