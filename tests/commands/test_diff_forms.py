"""`diff` as a patch, as drawings, for TensorBoard; and `apply`."""

import io
import json
import sys

import numpy as np
import pytest

from dvcs.media import pixels
from dvcs.repository import Repository
from tests.commands.cli import coco, dvcs, ok


@pytest.fixture
def other(repo, monkeypatch):
    """A repository of the first version that has no commit in common with `repo`."""
    folder = repo.parent / "other"
    folder.mkdir()
    monkeypatch.setenv("DVCS_AUTHOR_DATE", "1710000000 +0000")
    ok("-C", folder, "init")
    ok("-C", folder, "import", "../v1", "-n", "pets", "-m", "Mine")
    return folder


def tree(folder):
    with Repository(folder) as held:
        return held.tree_of(held.resolve())


def test_a_patch_goes_through_a_file(repo, other):
    assert ok("diff", "HEAD~1", "HEAD", "-f", "patch", "-o", "../fix.patch") == ""
    text = (repo.parent / "fix.patch").read_text("utf-8")
    assert text.startswith('{"dvcs.patch/1":{"from":"')
    assert text == ok("diff", "HEAD~1..HEAD", "--format", "patch")
    told = ok("-C", other, "apply", "--check", "../fix.patch")
    assert "'Second version' can be applied without conflicts" in told
    assert "Second version" not in ok("-C", other, "log", "--oneline")
    told = ok("-C", other, "apply", "../fix.patch").splitlines()
    assert told[0].endswith("Second version]")
    assert told[1] == "  items: 1 added, 2 changed"
    assert tree(other) == tree(repo)
    assert "changes nothing here" in ok("-C", other, "apply", "../fix.patch")
    ok("-C", other, "apply", "-R", "../fix.patch", "-m", "Back")
    assert "Back" in ok("-C", other, "log", "--oneline", "-n", "1")


def test_a_patch_goes_through_a_pipe(repo, other, monkeypatch):
    text = ok("diff", "HEAD~1", "HEAD", "-f", "patch")
    stdin = io.TextIOWrapper(io.BytesIO(text.encode()))
    monkeypatch.setattr(sys, "stdin", stdin)
    report = dvcs("-C", other, "apply", "-", "--json").json["dvcs.apply/1"]
    assert report["changed"]
    assert report["items"] == {"exact": 3, "there": 0, "merged": []}
    assert len(report["absent_media"]) == 1  # of the new item


def test_what_is_absent_and_merged_is_told(repo, other):
    ok("diff", "HEAD~1", "HEAD", "-f", "patch", "-o", "../fix.patch")
    boxes = {"a": [("cat", 5), ("dog", 31)], "b": [("cat", 7)], "c": []}
    ok("-C", other, "import", coco(repo.parent / "v3", boxes), "-n", "pets", "-m", "Moved")
    done = dvcs("-C", other, "apply", "../fix.patch")
    assert done.code == 0
    assert "merged with what is here: 1 item (pets/train/a)" in done.out
    assert "1 media file of the patch is not here" in done.err
    told = ok("-C", other, "fsck").splitlines()
    assert told[0] == "note: media: 1 file was never here: items name them by hash"
    assert told[-1] == "everything is sound"
    assert dvcs("-C", other, "fsck", "--json").json["dvcs.fsck/1"]["sound"]
    assert "1 media file is not at hand" in ok("-C", other, "checkout", "pets")
    done = dvcs("-C", other, "apply", "--exact", "-R", "../fix.patch")
    assert done.code == 1
    assert "is not here as the patch knows" in done.err


def test_a_source_of_a_patch_may_have_another_name_here(repo, tmp_path):
    ok("diff", "HEAD~1", "HEAD", "-f", "patch", "-o", "../fix.patch")
    other = tmp_path / "named"
    ok("init", other)
    ok("-C", other, "import", "../v1", "-n", "animals", "-m", "Mine")
    done = dvcs("-C", other, "apply", "../fix.patch")
    assert done.code == 3
    assert "--source 'pets=animals'" in done.err
    ok("-C", other, "apply", "--source", "pets=animals", "../fix.patch")
    with Repository(other) as held:
        assert {one.id for one in held.dataset("HEAD:animals")} == {"a", "b", "c", "d"}
    for wrong, told in (
        (["pets"], "'pets' names no two sources"),
        (["pets=a", "--source", "pets=b"], "'pets' would be two sources here"),
        (["pet=animals"], "did you mean 'pets'?"),
    ):
        done = dvcs("-C", other, "apply", "--source", *wrong, "../fix.patch")
        assert (done.code, told in done.err) == (2, True)


def test_conflicts_of_a_patch_are_decided(repo, other):
    ok("diff", "HEAD~1", "HEAD", "-f", "patch", "-o", "../fix.patch")
    boxes = {"a": [("cat", 9), ("dog", 30)], "b": [("cat", 7)], "c": []}
    ok("-C", other, "import", coco(repo.parent / "v3", boxes), "-n", "pets", "-m", "Moved")
    assert dvcs("-C", other, "apply", "--check", "../fix.patch").code == 1
    done = dvcs("-C", other, "apply", "../fix.patch")
    assert done.code == 1
    assert "cannot apply 'Second version' without decisions" in done.out
    assert "dvcs cherry-pick --continue" in done.err
    assert "picking 'Second version' on 'main': 1 conflict left" in ok("-C", other, "status")
    assert "pets/train/a#1" in dvcs("-C", other, "conflicts").out
    ok("-C", other, "resolve", "--theirs", "pets/train/a")
    ok("-C", other, "cherry-pick", "--continue")
    with Repository(other) as held:
        notes = held.item("HEAD", "pets", "train", "a").annotations
    assert [note.x for note in notes] == [6.0, 30.0]


def test_patches_are_of_revisions(repo):
    done = dvcs("diff", "-f", "patch")
    assert done.code == 2
    assert "a patch is made of two revisions" in done.err
    assert dvcs("diff", "HEAD~1", "../v2", "-f", "patch").code == 2
    assert dvcs("diff", "HEAD~1", "HEAD", "-f", "patch", "--", "nope").code == 2
    assert dvcs("diff", "HEAD~1", "HEAD", "-f", "patch", "--exit-code").code == 1
    assert dvcs("diff", "HEAD", "HEAD", "-f", "patch", "--exit-code").code == 0
    (repo / "x.patch").write_text("mine")
    assert "is there already" in dvcs("diff", "HEAD~1", "HEAD", "-f", "patch", "-o", "x.patch").err
    ok("diff", "HEAD~1", "HEAD", "-f", "patch", "-o", "x.patch", "--force")
    assert [one.name for one in repo.glob(".*.tmp")] == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["-f", "simple"], "is drawn into a folder"),
        (["-f", "text", "-o", "x"], "is written to the standard output"),
        (["-f", "patch", "--json"], "are two forms"),
        (["-f", "simple", "-o", "x", "--stat"], "is a form of its own"),
        (["-f", "simple", "-o", "x", "--html", "y.html"], "is a form of its own"),
    ],
)
def test_forms_that_exclude_each_other(repo, arguments, told):
    done = dvcs("diff", "HEAD~1", "HEAD", *arguments)
    assert done.code == 2
    assert told in done.err
    assert not (repo / "x").exists()


def test_no_file_and_no_patch(repo):
    done = dvcs("apply", "nope.patch")
    assert done.code == 2
    assert "'nope.patch' cannot be read: No such file" in done.err
    (repo / "x.patch").write_text("hello\n")
    done = dvcs("apply", "x.patch")
    assert done.code == 3
    assert "x.patch:1: this is not a patch of dvcs" in done.err


# -- drawn ---------------------------------------------------------------------------------------


def test_format_json_is_json(repo):
    assert dvcs("diff", "HEAD~1", "HEAD", "-f", "json").json == dvcs("diff", "HEAD~1", "HEAD",
                                                                     "--json").json  # fmt: skip


def test_a_folder_of_drawings(repo):
    ok("diff", "HEAD~1", "HEAD", "-o", "out")
    out = repo / "out"
    files = sorted(one.relative_to(out).as_posix() for one in out.rglob("*") if one.is_file())
    assert files == [
        "confusion.csv",
        "confusion.png",
        "diff.json",
        "images/pets/train/a.jpg",
        "images/pets/train/b.jpg",
        "images/pets/train/d.jpg",
        "summary.txt",
    ]
    assert json.loads((out / "diff.json").read_text()) == dvcs("diff", "HEAD~1", "--json",
                                                               "HEAD").json  # fmt: skip
    lines = (out / "confusion.csv").read_text().splitlines()
    assert lines == [
        "old \\ new,cat,dog,(none)",
        "cat,1,0,1",
        "dog,0,1,0",
        "(none),0,1,0",
    ]
    assert "items: 1 added, 2 changed" in (out / "summary.txt").read_text()
    picture = pixels.decode((out / "images/pets/train/d.jpg").read_bytes())
    green = (np.abs(picture.astype(int) - (115, 158, 0)).max(axis=2) < 60).nonzero()
    assert len(green[0]) > 100  # the dog that was added
    done = dvcs("diff", "HEAD~1", "HEAD", "-o", "out")
    assert done.code == 2
    assert "is not empty" in done.err
    ok("diff", "HEAD~1", "HEAD", "-o", "out", "--force")


def test_drawings_of_datasets_on_disk_without_images(repo, tmp_path):
    one = coco(tmp_path / "one", {"x y": [("cat", 5)]},
               images=False)  # fmt: skip
    two = coco(tmp_path / "two", {"x y": [("dog", 5)]}, images=False)
    done = dvcs("diff", one, two, "-o", "out")
    assert done.code == 0
    assert "without a picture below" in done.err
    assert (repo / "out" / "images" / "train" / "x y.jpg").is_file()
    assert "cat,0,1" in (repo / "out" / "confusion.csv").read_text()


def test_not_more_is_drawn_than_asked_for(repo):
    done = dvcs("diff", "HEAD~1", "HEAD", "-o", "out", "--max-items", "1")
    assert "2 items more are counted, but not drawn" in done.err
    assert len(list((repo / "out" / "images").rglob("*.jpg"))) == 1


def test_tensorboard_reads_what_is_written_for_it(repo):
    reading = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator",
        reason="TensorBoard is not installed",
    )
    ok("diff", "HEAD~1", "HEAD", "-f", "tensorboard", "-o", "board")
    found = reading.EventAccumulator(str(repo / "board"), size_guidance={"images": 0, "tensors": 0})
    found.Reload()
    tags = found.Tags()
    assert sorted(tags["images"]) == [
        "confusion", "diff/pets/train/a", "diff/pets/train/b", "diff/pets/train/d",
    ]  # fmt: skip
    assert tags["tensors"] == ["summary", "confusion"]
    assert found.Scalars("items/changed")[0].value == 2.0
    assert found.Scalars("labels/cat/removed")[0].value == 1.0
    image = found.Images("diff/pets/train/d")[0]
    shape = pixels.decode(image.encoded_image_string).shape
    assert shape == (image.height, image.width, 3)
    text = found.Tensors("summary")[0].tensor_proto.string_val[0].decode()
    assert text.startswith("HEAD~1 -> HEAD\n\n     subset")
    table = found.Tensors("confusion")[0].tensor_proto.string_val[0].decode()
    assert "| cat | 1 | 0 | 1 |" in table


def test_checksums_are_those_of_the_standard():
    from dvcs.commands._events import crc32c

    # RFC 3720, B.4
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(b"\xff" * 32) == 0x62A8AB43
    assert crc32c(bytes(range(32))) == 0x46DD794E
    assert crc32c(b"123456789") == 0xE3069283


def test_every_kind_of_annotation_can_be_drawn():
    from dvcs.commands._drawn import draw
    from dvcs.compare import compare_items
    from tests.gallery import gallery

    drawn = 0
    for media in ({"image"}, {"point_cloud"}):
        for item in gallery(frozenset(media)):
            for old, new in ((None, item), (item, None), (item.with_(annotations=[]), item)):
                change = compare_items(old, new)
                if change is not None:
                    made = draw(change, item)
                    shape = pixels.decode(made.data).shape
                    assert shape == (made.height, made.width, 3)
                    drawn += 1
    assert drawn > 10


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--stat", "--name-only"), "two forms"),
        (("--embed",), "for a page"),
        (("--no-embed", "-f", "simple", "-o", "d"), "for a page"),
        (("--force",), "--force replaces a file or folder"),
    ],
)
def test_options_that_would_say_nothing_are_refused(repo, options, message):
    done = dvcs("diff", "HEAD~1", "HEAD", *options)
    assert (done.code, message in done.err) == (2, True)
