import json
import zipfile

import pytest

from dvcs import formats
from dvcs.repository import Repository
from tests.commands.cli import coco, dvcs, ok


def test_an_import_says_what_came_in(cwd):
    ok("init")
    coco(cwd / "pets", {"a": [("cat", 5), ("dog", 30)], "b": []})
    done = dvcs("import", "pets", "-m", "Pets")
    with Repository(cwd) as repo:
        short = repo.resolve().hex()[:10]
    assert done.out.split("\n") == [
        f"imported 'pets' (coco) as {short}",
        "  items        2",
        "  annotations  2",
        "  labels       2",
        "  media files  2  1.1 KB",
        "",
    ]
    assert "hint: look at it with 'dvcs info HEAD:pets'" in done.err
    assert "hint: 'pets' is its working copy now" in done.err
    assert ok("status").endswith("\nnothing to commit\n")


def test_an_import_for_programs(cwd):
    ok("init")
    coco(cwd / "pets", {"a": [("cat", 5)]})
    done = dvcs("import", "pets", "-n", "cats", "--json").json["dvcs.import/1"]
    assert done["commit"] == Repository(cwd).resolve().hex()
    assert (done["source"], done["format"], done["new"]) == ("cats", "coco", True)
    assert (done["items"], done["annotations"], done["labels"]) == (1, 1, 1)
    assert done["media"]["count"] == 1


def test_a_dry_run_imports_nothing(cwd):
    ok("init")
    coco(cwd / "pets", {"a": [("cat", 5)]})
    done = dvcs("import", "pets", "--dry-run")
    assert done.out.startswith("would import 'pets' (coco)\n")
    assert "nothing was changed" in done.err
    assert Repository(cwd).refs.head_commit() is None


def test_a_new_version_shows_the_difference(repo):
    coco(repo.parent / "v3", {"a": [("cat", 6), ("dog", 30)], "b": [], "c": [], "d": [("cat", 9)]})
    text = ok("import", "../v3", "-n", "pets")
    assert "recorded 'pets' (coco) as " in text
    assert "  since the last version: items: 1 changed; annotations: 1 changed\n" in text
    assert ok("import", "../v3", "-n", "pets").startswith(
        "'pets' is as it was; nothing to record\n"
    )


def test_missing_items_need_a_decision(repo):
    coco(repo.parent / "v3", {"a": [("cat", 6), ("dog", 30)]})
    done = dvcs("import", "../v3", "-n", "pets")
    assert done.code == 3
    assert "lacks 3 known items (train/b, train/c, train/d)" in done.err
    assert "--mode update" in done.err
    ok("import", "../v3", "-n", "pets", "--mode", "replace")
    assert dvcs("info", "--json").json["dvcs.info/1"]["items"] == 1


def test_bad_records_stop_an_import_or_are_left_out_and_listed(cwd):
    ok("init")
    file = coco(cwd / "pets", {"a": [("cat", 5)], "b": []}) / "annotations/instances_train.json"
    records = json.loads(file.read_text("utf-8"))
    records["annotations"].append({"id": 9, "image_id": 77, "category_id": 1, "bbox": [0, 0, 1, 1]})
    file.write_text(json.dumps(records), "utf-8")
    done = dvcs("import", "pets")
    assert done.code == 3
    assert "instances_train.json" in done.err
    done = dvcs("import", "pets", "--keep-going")
    assert done.code == 0
    assert "warning: 1 record could not be read" in done.err


def test_options_after_the_dashes_are_the_formats_own(cwd):
    ok("init")
    coco(cwd / "pets", {"a": [("cat", 5)]})
    done = dvcs("import", "pets", "--", "--keep-orginal")
    assert done.code == 2
    assert "reading coco has no option '--keep-orginal'" in done.err
    assert "did you mean '--keep-original-category-ids'?" in done.err
    assert "--keep-original-category-ids" in ok("import", "pets", "--", "--help")
    ok("import", "pets", "--", "--keep-original-category-ids")
    log = dvcs("log", "--json").json["dvcs.log/1"]
    assert log[0]["arguments"]["options"] == {"keep_original_category_ids": True}


def test_an_export_tells_what_became_of_everything(repo):
    done = dvcs("export", "HEAD~1", "-f", "coco", "-o", "out")
    assert done.out == (
        "wrote 'out' as COCO: 1 annotation file, 3 media files\n  nothing was lost\n"
    )
    assert (repo / "out/images/train/a.png").read_bytes() == (
        repo.parent / "v1/images/train/a.png"
    ).read_bytes()
    again = dvcs("export", "-f", "coco", "-o", "out")
    assert again.code == 2
    assert "--update" in again.err
    assert "2 of them written or removed" in ok("export", "-f", "coco", "-o", "out", "--update")


def test_an_export_for_programs(repo):
    done = dvcs("export", "-f", "coco", "-o", "out", "--json").json["dvcs.export/1"]
    assert done["files"] == 5
    assert done["media"] == 4
    assert done["fidelity"]["lossless"] is True


@pytest.mark.parametrize(
    "arguments", [["--no-save-images"], ["--no-save-media"], ["--", "--no-save-images"]]
)
def test_exports_can_do_without_images(repo, arguments):
    ok("export", "-f", "coco", "-o", "out", *arguments)
    assert not (repo / "out/images").exists()


def test_images_can_be_encoded_anew(repo):
    ok("export", "-f", "coco", "-o", "out", "--", "--image-ext", ".bmp")
    assert (repo / "out/images/train/a.bmp").read_bytes().startswith(b"BM")


def test_an_unknown_kind_of_image_is_refused_before_anything_is_written(repo):
    done = dvcs("export", "-f", "coco", "-o", "out", "--image-ext", "foo")
    assert (done.code, "no image format is called 'foo'" in done.err) == (2, True)
    assert not (repo / "out").exists()


def test_an_export_is_not_written_among_what_it_is_read_from(work):
    done = dvcs("export", "-f", "yolo", "-o", "pets/out")
    assert (done.code, "is in the working copy of 'pets'" in done.err) == (2, True)
    done = dvcs("convert", "-i", "pets", "-f", "yolo", "-o", "pets/out")
    assert (done.code, "would be part of the dataset" in done.err) == (2, True)
    assert not (work / "pets/out").exists()


def test_what_a_format_cannot_hold_needs_a_word(repo):
    done = dvcs("export", "-f", "image_dir", "-o", "out")
    assert done.code == 3
    assert "--allow-loss" in done.err
    assert not (repo / "out").exists()
    text = ok("export", "-f", "image_dir", "-o", "out", "--allow-loss")
    assert "  ! 3 boxes are left out (2 items): " in text


def test_an_export_into_a_zip(repo):
    ok("export", "HEAD:pets", "-f", "coco", "-o", "out.zip")
    with zipfile.ZipFile(repo / "out.zip") as file:
        assert "annotations/instances_train.json" in file.namelist()


def test_identify_tells_revision_and_deviations(repo):
    ok("tag", "spring", "HEAD~1")
    ok("export", "spring:pets", "-f", "coco", "-o", "out")
    text = ok("identify", "out")
    assert "(tag: spring) First version\nsource 'pets' as coco\nno file was changed since\n" in text
    (repo / "out/new.txt").write_text("x")
    (repo / "out/images/train/a.png").unlink()
    done = dvcs("identify", "out")
    assert done.code == 1
    assert "  added    new.txt\n" in done.out
    assert "  removed  images/train/a.png\n" in done.out
    assert dvcs("identify", "../v1").code == 3


def test_convert_needs_no_repository(cwd):
    coco(cwd / "pets", {"a": [("cat", 5)], "b": []})
    text = ok("convert", "-i", "pets", "-if", "coco", "-f", "coco_instances", "-o", "out")
    assert text.startswith("wrote 'out' as COCO instances: 1 annotation file, 2 media files\n")
    assert dvcs("diff", "./pets:coco", "./out:coco", "--exit-code").code == 0
    assert dvcs("convert", "-i", "nowhere", "-f", "coco", "-o", "x").code == 3
    assert dvcs("convert", "-i", "pets", "-f", "coco").code == 2


def test_formats_are_listed_and_explained():
    assert "coco" in ok("formats")
    manual = ok("formats", "coco")
    assert "annotations/" in manual
    assert "--keep-original-category-ids" in manual
    (record,) = dvcs("formats", "coco", "--json").json["dvcs.formats/1"]
    assert record["name"] == "coco"
    assert "bbox" in record["annotations"]
    flags = {one["flag"] for one in record["options"]["read"]}
    assert "--strip-prefix" in flags


@pytest.mark.parametrize("name", formats.names())
def test_every_format_has_a_manual_and_explains_its_options(name):
    text = ok("formats", name)
    assert f"({name})\n" in text
    assert "\ndvcs can read" in text
    assert "\nWhat it can hold\n" in text
    (record,) = dvcs("formats", name, "--json").json["dvcs.formats/1"]
    unexplained = [
        one["flag"] for options in record["options"].values() for one in options if not one["help"]
    ]
    assert unexplained == []


def test_the_format_of_a_dataset_is_found_out(cwd):
    coco(cwd / "pets", {"a": [("cat", 5)]})
    done = dvcs("detect-format", "pets", "--show-rejections")
    assert (done.code, done.out) == (0, "coco\n")
    assert "coco_captions" in done.err
    report = dvcs("detect-format", "pets", "--json").json["dvcs.detect-format/1"]
    assert report["detected"] == ["coco"]
    (cwd / "empty").mkdir()
    done = dvcs("detect-format", "empty")
    assert (done.code, done.out) == (1, "")
    assert "'empty' is in no format that dvcs knows" in done.err


def test_an_import_from_elsewhere_brings_the_working_copy_up_to_date(work):
    coco(work.parent / "v2", {"a": [("cat", 9)], "b": [], "c": []})
    before = (work / "pets/annotations/instances_train.json").read_bytes()
    assert "  pets: brought up to date" in ok("import", "../v2", "-n", "pets")
    assert (work / "pets/annotations/instances_train.json").read_bytes() != before
    assert "nothing to commit" in ok("status")
    assert dvcs("diff", "HEAD:pets", "./pets", "--exit-code").code == 0


def test_an_import_can_do_without_a_working_copy(cwd):
    ok("init")
    coco(cwd / "pets", {"a": [("cat", 5)]})
    assert "dvcs checkout pets" in dvcs("import", "pets", "--no-track").err
    assert dvcs("status", "--json").json["dvcs.status/1"]["sources"] == {}
