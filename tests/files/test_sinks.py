"""Sinks: whole or not at all, the same bytes twice, and nothing out of the target."""
# ruff: noqa: PT012 -- an error may come as a sink is closed

import os
import sys
import zipfile
from pathlib import Path

import pytest

from dvcs.errors import InvalidMedia, UnsafeName, UsageError
from dvcs.files import (
    BytesOrigin,
    FolderSink,
    MemorySink,
    MemorySource,
    PathOrigin,
    open_source,
)
from dvcs.files import (
    folder_sink as sink_module,
)
from dvcs.files.origins import copy_file
from dvcs.files.zip_sink import ZipSink
from dvcs.model import Item, Media, MediaFile
from tests.gallery import image_item, png

needs_links = pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")


def contents(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def everything(sink):
    """Write one file in each way."""
    sink.bytes("b.bin", b"\0\1")
    sink.text("deep/er/t.txt", "é\n")
    sink.lines("l.txt", ["a", "b"])
    sink.json("j.json", {"b": 1, "a": [1.5, None]})
    sink.json("k.json", {"a": 1}, indent=2)
    with sink.open("s.bin") as file:
        file.write(b"12")
        file.write(b"3")
    assert sink.media(image_item("x", "s"), "images/é x.png") == "images/é x.png"


WRITTEN = {
    "b.bin": b"\0\1",
    "deep/er/t.txt": "é\n".encode(),
    "images/é x.png": png(1),
    "j.json": b'{"b":1,"a":[1.5,null]}',
    "k.json": b'{\n  "a": 1\n}',
    "l.txt": b"a\nb\n",
    "s.bin": b"123",
}


def test_a_folder_gets_what_is_written(tmp_path):
    with FolderSink(tmp_path / "new" / "out") as sink:
        everything(sink)
        assert not (tmp_path / "new" / "out").exists()
    assert contents(tmp_path / "new") == {f"out/{path}": data for path, data in WRITTEN.items()}
    assert set(sink.written) == set(WRITTEN)
    assert {path for path, media in sink.written.items() if media} == {"images/é x.png"}


def test_a_zip_gets_what_is_written(tmp_path):
    with ZipSink(tmp_path / "new" / "x.zip") as sink:
        everything(sink)
        assert not (tmp_path / "new" / "x.zip").exists()
    with zipfile.ZipFile(tmp_path / "new" / "x.zip") as file:
        assert {name: file.read(name) for name in file.namelist()} == WRITTEN
    assert list((tmp_path / "new").iterdir()) == [tmp_path / "new" / "x.zip"]
    source = open_source(tmp_path / "new" / "x.zip")
    assert source.paths == tuple(sorted(WRITTEN))
    source.close()


def test_memory_names_media_and_reads_none():
    def touched() -> bytes:
        raise AssertionError("read")

    with MemorySink() as sink:
        everything(sink)
        sink.media(image_item("y", "s").with_(origins=(BytesOrigin(touched),)), "y.png")
    images = {"images/é x.png", "y.png"}
    assert sink.files == {path: data for path, data in WRITTEN.items() if path not in images}
    assert set(sink.origins) == images
    source = MemorySource(sink.files, media=sink.origins)
    assert source.bytes("images/é x.png") == png(1)


def test_equal_datasets_give_equal_zips(tmp_path):
    for name in "ab":
        with ZipSink(tmp_path / name) as sink:
            everything(sink)
        os.utime(tmp_path / name, (0, 0))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


# -- whole or not at all -------------------------------------------------------------------------


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, OSError])
@pytest.mark.parametrize("make", [FolderSink, ZipSink])
def test_an_error_leaves_nothing(tmp_path, make, error):
    with pytest.raises(error), make(tmp_path / "out") as sink:
        sink.text("a.txt", "x")
        raise error
    assert list(tmp_path.iterdir()) == []


def test_an_error_in_an_update_leaves_all_as_it_was(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.txt").write_text("old")
    with pytest.raises(ValueError, match="no"), FolderSink(tmp_path / "out", update=True) as sink:
        sink.text("a.txt", "new")
        raise ValueError("no")
    assert contents(tmp_path) == {"out/a.txt": b"old"}


def test_an_error_at_the_very_end_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(sink_module, "_folds_case", lambda _: True)
    with (
        pytest.raises(UnsafeName, match=r"cannot tell 'A\.txt' from 'a\.txt'"),
        FolderSink(tmp_path / "out") as sink,
    ):
        sink.text("A.txt", "x")
        sink.text("a.txt", "x")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("make", [FolderSink, ZipSink])
def test_what_is_there_is_not_overwritten(tmp_path, make):
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    with pytest.raises(UsageError) as caught:
        make(out)
    assert caught.value.hint
    for target in (out / "mine.txt",):
        with pytest.raises(UsageError):
            make(target)
    assert contents(tmp_path) == {"out/mine.txt": b"mine"}


def test_an_empty_folder_is_filled(tmp_path):
    (tmp_path / "out").mkdir()
    with FolderSink(tmp_path / "out") as sink:
        sink.text("a.txt", "x")
    assert contents(tmp_path) == {"out/a.txt": b"x"}


def test_a_zip_is_replaced_by_an_update(tmp_path):
    for text in ("old", "new"):
        with ZipSink(tmp_path / "x.zip", update=True) as sink:
            sink.text("a.txt", text)
    source = open_source(tmp_path / "x.zip")
    assert source.text("a.txt") == "new"
    source.close()


# -- updates -------------------------------------------------------------------------------------


def test_an_update_rewrites_only_what_changed(tmp_path):
    out = tmp_path / "out"
    with FolderSink(out) as sink:
        for name in ("same.txt", "changed.txt", "deep/same.txt", "stale.txt", "deep/stale.txt"):
            sink.text(name, "old")
    (out / "mine.txt").write_text("mine")
    for path in out.rglob("*.txt"):
        os.utime(path, (1, 1))
    with FolderSink(out, update=True, stale=["stale.txt", "deep/stale.txt", "same.txt"]) as sink:
        sink.text("same.txt", "old")
        sink.text("deep/same.txt", "old")
        sink.text("changed.txt", "new")
        sink.text("deep/new.txt", "new")
    assert contents(tmp_path) == {
        "out/same.txt": b"old",
        "out/deep/same.txt": b"old",
        "out/changed.txt": b"new",
        "out/deep/new.txt": b"new",
        "out/mine.txt": b"mine",
    }
    assert sink.changed == ["changed.txt", "deep/new.txt", "deep/stale.txt", "stale.txt"]
    untouched = ("same.txt", "deep/same.txt", "mine.txt")
    assert [(out / name).stat().st_mtime for name in untouched] == [1, 1, 1]


@pytest.mark.parametrize("stale", ["../precious", "/etc/hostname", "a/../../precious"])
def test_an_update_removes_nothing_outside(tmp_path, stale):
    (tmp_path / "precious").write_text("x")
    (tmp_path / "out").mkdir()
    with (
        pytest.raises(UnsafeName),
        FolderSink(tmp_path / "out", update=True, stale=[stale]) as sink,
    ):
        (tmp_path / "out" / "a").write_text("x")
        sink.text("b", "x")
    assert contents(tmp_path) == {"precious": b"x", "out/a": b"x"}


@needs_links
def test_an_update_goes_through_no_link(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "x.txt").write_text("old")
    out = tmp_path / "out"
    out.mkdir()
    (out / "link").symlink_to(tmp_path / "elsewhere")
    (out / "file.txt").symlink_to(tmp_path / "elsewhere" / "x.txt")
    with pytest.raises(UnsafeName, match="symbolic link"), FolderSink(out, update=True) as sink:
        sink.text("a.txt", "x")
        sink.text("link/x.txt", "new")
    with pytest.raises(UnsafeName), FolderSink(out, update=True, stale=["link/x.txt"]) as sink:
        sink.text("a.txt", "x")
    assert not (out / "a.txt").exists()
    with FolderSink(out, update=True) as sink:
        sink.text("file.txt", "new")
    assert (tmp_path / "elsewhere" / "x.txt").read_text() == "old"
    assert (out / "file.txt").read_text() == "new"
    assert not (out / "file.txt").is_symlink()


@needs_links
def test_a_target_that_is_a_link_is_refused(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "real")
    for make in (FolderSink, ZipSink):
        with pytest.raises(UsageError):
            make(tmp_path / "out", update=True)


def test_an_update_replaces_no_folder_by_a_file_nor_the_reverse(tmp_path):
    out = tmp_path / "out"
    (out / "folder").mkdir(parents=True)
    (out / "folder" / "mine.txt").write_text("mine")
    (out / "file").write_text("mine")
    for path in ("folder", "file/x"):
        with pytest.raises(UnsafeName), FolderSink(out, update=True) as sink:
            sink.text("a.txt", "x")
            sink.text(path, "x")
    assert contents(tmp_path) == {"out/folder/mine.txt": b"mine", "out/file": b"mine"}


# -- names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [FolderSink, ZipSink, lambda _: MemorySink()])
@pytest.mark.parametrize(
    "path", ["../x", "/x", "a/../../x", "..\\x", "", "a//b", "C:/x", "a\0", "."]
)
def test_nothing_is_written_outside(tmp_path, make, path):
    for write in (
        lambda sink: sink.text(path, "x"),
        lambda sink: sink.media(image_item("x", "s"), path),
    ):
        with pytest.raises(UnsafeName), make(tmp_path / "in" / "out") as sink:
            write(sink)
    assert contents(tmp_path) == {}


@pytest.mark.parametrize("make", [FolderSink, ZipSink, lambda _: MemorySink()])
@pytest.mark.parametrize(
    "paths",
    [("a", "a"), ("a", "a/b"), ("a/b", "a"), ("a/b/c", "a/b"), ("é", "e\u0301"), ("a/b", "a\\b")],
)
def test_two_files_of_one_name_are_refused(tmp_path, make, paths):
    with pytest.raises(UnsafeName) as caught, make(tmp_path / "out") as sink:
        for path in paths:
            sink.text(path, "x")
    assert caught.value.hint


@pytest.mark.skipif(sys.platform == "win32", reason="it cannot hold these")
def test_odd_names_are_written_as_they_are(tmp_path):
    odd = ["a b", "é", "a:b", ".hidden", "100%", "con", "new\nline", "x.", "日本語/🐈.txt", "-rf"]
    with FolderSink(tmp_path / "out") as sink:
        for name in odd:
            sink.text(name, name)
    assert contents(tmp_path / "out") == {name: name.encode() for name in odd}
    assert open_source(tmp_path / "out").paths == tuple(sorted(odd))


def test_a_disk_that_keeps_letter_case_holds_both(tmp_path, monkeypatch):
    monkeypatch.setattr(sink_module, "_folds_case", lambda _: False)
    with MemorySink() as sink:
        sink.text("A", "1")
        sink.text("a", "2")
    assert sink.files == {"A": b"1", "a": b"2"}


# -- media ---------------------------------------------------------------------------------------


def test_media_that_are_not_at_hand_are_counted(tmp_path):
    with FolderSink(tmp_path / "out") as sink:
        item = image_item("x", "s")
        assert sink.media(item.with_(origins=()), "a.png") == "a.png"
        assert sink.media(item.with_(origins=(None,)), "b.png") == "b.png"
        assert sink.media(item, "c.png", index=1) == "c.png"
        assert sink.media(Item("y"), "d.png") == "d.png"
    assert sink.missing_media == 4
    assert contents(tmp_path) == {}


def test_no_media_are_written_where_none_are_wanted(tmp_path):
    with FolderSink(tmp_path / "out", save_media=False) as sink:
        assert sink.media(image_item("x", "s"), "a.png") == "a.png"
        sink.text("a.txt", "x")
    assert contents(tmp_path) == {"out/a.txt": b"x"}
    assert sink.missing_media == 0


def test_images_are_copied_unless_another_kind_is_wanted(tmp_path):
    from dvcs.media.pixels import decode

    for ext, same in ((".png", True), (".PNG", True), (".bmp", False), (".jpg", False)):
        with FolderSink(tmp_path / ext, image_ext=ext) as sink:
            assert sink.media_path("a/x.png") == f"a/x{ext}"
            assert sink.media(image_item("x", "s"), "a/x.png") == f"a/x{ext}"
        data = (tmp_path / ext / "a" / f"x{ext}").read_bytes()
        assert (data == png(1)) is same
        assert decode(data).shape[:2] == (48, 64)


def test_an_image_whose_name_alone_has_its_extension_is_copied(tmp_path):
    item = image_item("x", "s")
    item = item.with_(media=Media(files=(MediaFile(name="x.png"),)))
    with FolderSink(tmp_path / "out", image_ext=".png") as sink:
        sink.media(item, "x.png")
    assert contents(tmp_path) == {"out/x.png": png(1)}


def test_an_image_that_cannot_be_decoded_is_named(tmp_path):
    item = image_item("street/1", "s").with_(origins=(BytesOrigin(lambda: b"junk"),))
    with (
        pytest.raises(InvalidMedia, match="item 'street/1'"),
        FolderSink(tmp_path / "out", image_ext=".jpg") as sink,
    ):
        sink.media(item, "x.png")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("link", ["reflink", "copy", "hard", "symlink"])
def test_media_come_as_copies_or_links(tmp_path, link):
    if link == "symlink" and sys.platform == "win32":
        pytest.skip("links need a privilege there")
    original = tmp_path / "original.png"
    original.write_bytes(png(1))
    item = image_item("x", "s").with_(origins=(PathOrigin(original),))
    with FolderSink(tmp_path / "out", link=link) as sink:
        sink.media(item, "x.png")
    made = tmp_path / "out" / "x.png"
    assert made.read_bytes() == png(1)
    assert made.is_symlink() == (link == "symlink")
    assert (made.stat().st_ino == original.stat().st_ino) == (link in {"hard", "symlink"})
    if link in {"reflink", "copy"}:
        made.write_bytes(b"changed")
        assert original.read_bytes() == png(1)


def test_a_copy_takes_no_rights_with_it(tmp_path):
    (tmp_path / "a").write_bytes(b"x")
    (tmp_path / "a").chmod(0o444)
    copy_file(tmp_path / "a", tmp_path / "b")
    (tmp_path / "b").write_bytes(b"changed")
    assert (tmp_path / "a").read_bytes() == b"x"


@pytest.mark.skipif(sys.platform == "win32", reason="there are no limits for files")
def test_a_zip_that_finds_no_room_leaves_nothing_behind(tmp_path):
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, before[1]))
    try:
        with pytest.raises(OSError, match="too large"), ZipSink(tmp_path / "a.zip") as sink:
            for n in range(100):
                sink.bytes(f"{n}.png", os.urandom(1000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []


def test_a_copy_does_not_replace_a_file(tmp_path: Path):
    (tmp_path / "a").write_bytes(b"new")
    (tmp_path / "b").write_bytes(b"old")
    for link in ("reflink", "copy", "hard"):
        with pytest.raises(FileExistsError):
            copy_file(tmp_path / "a", tmp_path / "b", link=link)
    assert (tmp_path / "b").read_bytes() == b"old"


@pytest.mark.parametrize("size", [0, 1, (1 << 20) + 3])
def test_a_copy_that_the_kernel_cannot_make_is_made_by_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
):
    data = os.urandom(size)
    (tmp_path / "a").write_bytes(data)
    copy_file(tmp_path / "a", tmp_path / "in_kernel", link="copy")
    monkeypatch.setattr(sys, "platform", "other")
    copy_file(tmp_path / "a", tmp_path / "by_hand")
    assert (tmp_path / "in_kernel").read_bytes() == data
    assert (tmp_path / "by_hand").read_bytes() == data
