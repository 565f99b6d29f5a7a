"""Own options of formats: what stands after a lone `--`, and who gets it."""

import ast
import json
import re

import pytest

import dvcs as dvcs_package
from dvcs import formats
from dvcs.commands import _takers
from dvcs.errors import UsageError
from dvcs.files import MemorySink
from tests.commands.cli import coco, dvcs, ok
from tests.conftest import ROOT
from tests.gallery import image_item


def yolo(folder):
    """Write Darknet's YOLO: two images that are not there, a box on each."""
    (folder / "obj_train_data").mkdir(parents=True)
    (folder / "obj.names").write_text("cat\ndog\n")
    (folder / "obj.data").write_text("classes = 2\ntrain = train.txt\nnames = obj.names\n")
    (folder / "train.txt").write_text("obj_train_data/a.jpg\nobj_train_data/b.jpg\n")
    (folder / "obj_train_data" / "a.txt").write_text("0 0.5 0.5 0.25 0.5\n")
    (folder / "obj_train_data" / "b.txt").write_text("1 0.5 0.5 0.5 0.5\n")
    return folder


@pytest.fixture
def boxes(cwd):
    return yolo(cwd / "boxes")


# -- convert --------------------------------------------------------------------------------------


def test_a_conversion_gives_each_option_to_the_format_that_knows_it(boxes):
    own = ("--image-size", "640x480", "--keep-empty", "--no-save-images")
    text = ok("convert", "-i", "boxes", "-f", "voc", "-o", "out", "--", *own)
    assert text.startswith("wrote 'out' as Pascal VOC: ")
    assert ", 0 media files\n" in text
    found = (boxes.parent / "out" / "Annotations" / "a.xml").read_text()
    assert "<width>640</width>" in found
    assert "<xmin>240</xmin>" in found
    assert (boxes.parent / "out" / "ImageSets" / "Segmentation" / "train.txt").read_text() == ""


def test_a_conversion_without_the_size_of_images_says_what_to_type(boxes):
    done = dvcs("convert", "-i", "boxes", "-f", "voc", "-o", "out")
    assert done.code == 3
    assert "the size of its image is not known" in done.err
    assert "after a lone '--': '-- --image-size WIDTHxHEIGHT'" in done.err
    done = dvcs("convert", "-i", "boxes", "-f", "voc", "-o", "out", "--", "--image-size", "big")
    assert (done.code, "write '-- --image-size 640x480'" in done.err) == (2, True)


def test_an_option_that_neither_format_knows_is_refused_with_those_there_are(boxes):
    args = ("convert", "-i", "boxes", "-f", "voc", "-o", "out", "--")
    done = dvcs(*args, "--crop-covered")
    assert done.code == 2
    assert "neither reading yolo nor writing voc has an option '--crop-covered'" in done.err
    assert "options for reading yolo: --image-size; for writing voc: --apply-colormap," in done.err
    assert "did you mean '--image-size'?" in dvcs(*args, "--image-siz", "1x1").err
    assert "did you mean '--keep-empty'?" in dvcs(*args, "--keep-emty").err
    assert not (boxes.parent / "out").exists()


def test_what_is_wrong_with_a_value_is_said_of_the_format_whose_option_it_is(boxes):
    args = ("convert", "-i", "boxes", "-f", "coco", "-o", "out", "--")
    done = dvcs(*args, "--segmentation-mode", "best")
    assert done.code == 2
    assert "error: writing coco: invalid value for '--segmentation-mode': 'best' is" in done.err
    assert (
        "reading yolo: option '--image-size' requires an argument"
        in dvcs(*args, "--image-size").err
    )
    assert "'640x480' belongs to no option" in dvcs(*args, "640x480").err
    assert "'--image-ext' needs a value" in dvcs(*args, "--image-ext").err


def test_the_help_of_a_conversion_has_the_options_of_both_formats(boxes):
    text = ok("convert", "-i", "boxes", "-f", "voc", "-o", "out", "--", "--help")
    reading, writing = text.split("\n\n")
    assert reading.startswith("Options for reading YOLO (Darknet), after a lone '--':\n")
    assert "--image-size" in reading
    assert writing.startswith("Options for writing Pascal VOC, after a lone '--':\n")
    assert "--keep-empty" in writing
    text = ok("convert", "-i", "nowhere", "-f", "voc", "-o", "out", "--", "--help")
    assert text.startswith("Options for reading: name the format with -if")
    assert "--keep-empty" in text
    text = ok("convert", "-i", "nowhere", "-if", "coco", "-f", "voc", "-o", "out", "--", "-h")
    assert "--strip-prefix" in text


def either(*, name: str = "") -> None:
    del name


def test_what_several_know_all_get():
    def other(*, name: int = 0, plain: bool = False) -> None:
        del name, plain

    takers = [_takers.taker(either, "reading a"), _takers.taker(other, "writing b")]
    given = _takers.share(takers, ["--name", "7", "--plain"])
    assert given == [{"name": "7"}, {"name": 7, "plain": True}]
    with pytest.raises(UsageError, match="writing b: invalid value for '--name'"):
        _takers.share(takers[1:], ["--name", "x"])
    with pytest.raises(UsageError, match="none of reading a, reading a2 and writing b has an opt"):
        _takers.share([takers[0], _takers.taker(either, "reading a2"), takers[1]], ["--no"])


def test_no_format_has_one_option_of_different_kinds_for_reading_and_writing():
    kinds = {}
    for one in formats.all_formats():
        for way in (one.read, one.write):
            for option in formats.options_of(way).values() if way else ():
                kinds.setdefault(option.name, set()).add(option.type is bool)
    assert [name for name, found in kinds.items() if len(found) > 1] == []


# -- switches as Datumaro takes them --------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "hint"),
    [
        (("--reindex", "1"), "write '--reindex' alone"),
        (("--reindex=true",), "write '--reindex' alone"),
        (("--reindex", "False"), "write '--no-reindex'"),
        (("--no-reindex", "1"), "write '--no-reindex' alone"),
        (("--no-reindex=0",), "write '--reindex'"),
        (("--allow-attributes", "maybe"), "write '--allow-attributes' or '--no-allow-attributes'"),
        (("--save-images", "1"), "write '--save-images' alone"),
        (("--save-images=false",), "write '--no-save-images'"),
    ],
)
def test_a_switch_with_a_value_is_answered_with_the_switch_to_write(cwd, given, hint):
    coco(cwd / "pets", {"a": [("cat", 5)]})
    done = dvcs("convert", "-i", "pets", "-f", "coco", "-o", "out", "--", *given)
    flag = given[0].partition("=")[0]
    assert (done.code, f"'{flag}' is a switch and takes no value" in done.err) == (2, True)
    assert done.err.endswith(f"hint: {hint}\n")
    assert not (cwd / "out").exists()


def test_a_switch_is_answered_alike_in_an_export(work):
    done = dvcs("export", "-f", "voc", "-o", "out", "--", "--apply-colormap", "false")
    assert (done.code, "write '--no-apply-colormap'" in done.err) == (2, True)
    ok("export", "-f", "voc", "-o", "out", "--", "--no-apply-colormap", "--save-images")


# -- other commands that read a dataset on disk ---------------------------------------------------


def test_a_summary_takes_the_options_of_the_reader(boxes):
    assert dvcs("info", "./boxes").code == 3
    assert "bbox" in ok("info", "./boxes", "--", "--image-size", "640x480")
    assert "--image-size" in ok("info", "./boxes", "--", "--help")
    done = dvcs("info", "./boxes", "--", "--imagesize", "640x480")
    assert "reading yolo has no option '--imagesize'" in done.err


def test_a_revision_takes_no_options_of_a_reader(work):
    done = dvcs("info", "HEAD", "--", "--image-size", "640x480")
    assert (done.code, "nothing here takes '--image-size'" in done.err) == (2, True)
    assert "own options of a format go with a dataset on disk" in done.err
    done = dvcs("merge", "main", "--", "--keep-empty")
    assert (done.code, "nothing here takes '--keep-empty'" in done.err) == (2, True)


def test_a_validation_takes_thresholds_and_the_options_of_the_reader(boxes):
    size = ("--image-size", "640x480")
    assert dvcs("validate", "./boxes").code == 3
    text = ok("validate", "./boxes", "--", *size)
    assert "FewSamplesInLabel" in text
    assert "FewSamplesInLabel" not in ok("validate", "./boxes", "--", *size, "-fs", "0")
    done = dvcs("validate", "./boxes", "--", *size, "--few-samples", "0")
    assert "neither reading yolo nor validating has an option '--few-samples'" in done.err
    assert "--image-size" in ok("validate", "./boxes", "--", "--help")


def test_a_comparison_gives_each_side_the_options_that_it_knows(boxes):
    ok("convert", "-i", "boxes", "-f", "datumaro", "-o", "same", "--", "--image-size", "640x480")
    sides = ("./same", "./boxes")
    assert dvcs("diff", *sides).code == 3
    assert ok("diff", "--name-only", *sides, "--", "--image-size", "640x480") == ""
    assert ok("diff", "--name-only", *sides, "--", "--image-size", "320x480") != ""
    done = dvcs("diff", *sides, "--", "--image-size", "640x480", "--no-such")
    assert "neither reading datumaro nor reading yolo has an option '--no-such'" in done.err
    assert "sources cannot be chosen here" in dvcs("diff", *sides, "--", "pets").err
    assert "--image-size" in ok("diff", *sides, "--", "--help")


def test_a_vote_of_datasets_takes_the_options_of_readers_and_the_writer(boxes):
    yolo(boxes.parent / "others")
    args = ("merge", "./boxes", "./others", "-f", "coco", "-o", "out", "--")
    assert dvcs(*args).code == 3
    ok(*args, "--image-size", "640x480", "--reindex", "--no-save-images")
    written = json.loads((boxes.parent / "out/annotations/instances_train.json").read_text())
    assert [one["width"] for one in written["images"]] == [640, 640]
    text = ok(*args, "--help")
    assert "Options for reading YOLO (Darknet)" in text
    assert "Options for writing COCO" in text


# -- options in another place ---------------------------------------------------------------------


@pytest.mark.parametrize("flag", ["-q", "--quiet", "--color"])
def test_an_option_of_the_program_stands_before_the_command(cwd, flag):
    done = dvcs("convert", flag, "-f", "voc", "-o", "out")
    assert done.code == 2
    assert f"'{flag}' stands before the command: 'dvcs {flag} convert ...'" in done.err


def test_an_own_option_of_a_format_stands_after_a_lone_dash(boxes):
    ok("init")
    for command in (("import", "boxes"), ("convert", "-i", "boxes", "-f", "voc", "-o", "out")):
        done = dvcs(*command, "--image-size", "640x480")
        assert done.code == 2
        assert "own options of a format stand after a lone '--': '-- --image-size'" in done.err
    done = dvcs("validate", "./boxes", "--few-samples-thr", "3")
    assert "thresholds stand after a lone '--': '-- --few-samples-thr'" in done.err
    assert "--help'" in dvcs("log", "--image-size", "640x480").err


# -- manuals --------------------------------------------------------------------------------------


def test_a_manual_says_what_a_format_holds_of_annotations_labels_and_media():
    text = ok("formats", "coco")
    assert "  annotations      boxes, captions, labels of images, masks, polygons, sets of" in text
    assert "  media            images\n" in text
    assert "  converted        ellipses, rotated boxes to polygons\n" in text
    assert "  of annotations   ids (not with --reindex), groups (what is one object)," in text
    assert " attributes (fewer with --no-allow-attributes), scores\n" in text
    assert "  of labels        names, parents, colours, names of keypoints, joints of" in text
    assert "  without a label  kept\n" in text
    assert "each option goes to the format that knows it" in text
    yolo_text = ok("formats", "yolo")
    assert "  of annotations   scores (with --save-scores)\n" in yolo_text
    assert "  without a label  left out\n" in yolo_text
    assert "some attributes (difficult)" in ok("formats", "voc_classification")
    assert "everything, whatever format it came from" in ok("formats", "datumaro")


def test_what_no_option_has_is_said():
    text = ok("formats", "image_dir")
    assert text.count("  (none)\n") == 2
    assert "each option goes to" not in text


# -- hints ----------------------------------------------------------------------------------------


def test_hints_that_name_an_own_option_say_where_it_stands():
    flags = {
        flag
        for one in formats.all_formats()
        for way in (one.read, one.write)
        for option in (formats.options_of(way).values() if way else ())
        for flag in (option.flag, f"--no-{option.name.replace('_', '-')}")
    }
    bare = []
    for path in (ROOT / "dvcs").rglob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        for call in ast.walk(tree):
            hints = [one.value for one in getattr(call, "keywords", ()) if one.arg == "hint"]
            for text in map(ast.unparse, hints):
                named = [flag for flag in flags if re.search(rf"{flag}\b(?!-)", text)]
                if named and "-- --" not in text and "after the '--'" not in text:
                    bare.append(f"{path.name}: {text}")
    assert bare == []


@pytest.mark.parametrize("format", ["yolo", "yolo_detect"])
def test_the_hint_for_a_subset_that_cannot_be_is_python_that_works(format):
    data = dvcs_package.Dataset.from_items([image_item("a", "names")])
    with pytest.raises(UsageError, match="cannot have a subset 'names'") as error:
        formats.write(data, formats.find(format), MemorySink())
    hint = error.value.hint or ""
    call = hint[hint.index("dataset.transform") :]
    renamed = eval(call, {"dataset": dvcs_package.Dataset.of(data)})  # noqa: S307 - our own hint
    assert {item.subset for item in renamed} == {"NEW"}
