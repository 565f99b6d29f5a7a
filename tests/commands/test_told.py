"""What is told of data that is odd: files that are no images, licences, what was left alone."""

from tests.commands.cli import coco, dvcs, ok
from tests.gallery import png


def test_files_that_are_no_images_are_told(cwd):
    ok("init")
    (cwd / "pets").mkdir()
    (cwd / "pets" / "a.png").write_bytes(png(1))
    (cwd / "pets" / "b.jpg").write_text("<html>404</html>")
    (cwd / "pets" / "c.png").write_bytes(b"")
    (cwd / "pets" / "notes.txt").write_text("a cat")
    done = dvcs("import", "pets", "-f", "image_dir")
    assert "note: files that are named like images do not begin like one (2 times)\n" in done.err
    assert "note: files that are not named like images were left alone\n" in done.err
    told = dvcs("import", "pets", "-f", "image_dir", "-n", "again", "--media", "reference")
    assert "do not begin like one (2 times)" in told.err


def test_a_folder_of_images_alone_is_told_without_notes(cwd):
    ok("init")
    (cwd / "pets").mkdir()
    (cwd / "pets" / "a.png").write_bytes(png(1))
    assert "note:" not in dvcs("import", "pets", "-f", "image_dir").err


def test_the_licence_of_a_source_is_told(cwd):
    ok("init")
    coco(cwd / "pets", {"a": [("cat", 5)]})
    ok("import", "pets", "-n", "cats", "--licence", "CC-BY-4.0")
    assert "licence  CC-BY-4.0\n" in ok("info")
    ok("import", "pets", "-n", "dogs")
    assert "licence of cats  CC-BY-4.0\n" in ok("info")
    assert "licence" not in ok("info", "HEAD:dogs")
    sources = dvcs("info", "--json").json["dvcs.info/1"]["sources"]
    assert sources["cats"]["licence"] == "CC-BY-4.0"
    assert "licence" not in sources["dogs"]
