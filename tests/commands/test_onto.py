"""`dvcs import --onto`: what an annotation tool sends back becomes just its edits."""

import json
import os
import shutil
import sys

import pytest

from dvcs.commands import _troubles
from dvcs.repository import Repository
from tests.commands.cli import dvcs, ok


@pytest.fixture
def sent(repo):
    """A folder that was exported from HEAD as for a tool that drops the stamp."""
    ok("export", "-f", "yolo", "-o", "../sent")
    folder = repo.parent / "sent"
    (folder / ".dvcs-export.json").unlink()
    return folder


def relabelled(folder):
    path = min(one for one in folder.rglob("*.txt") if "obj_" in one.as_posix())
    label, rest = path.read_text().split(maxsplit=1)
    path.write_text(f"{1 - int(label)} {rest}")


def test_only_the_edits_are_recorded(repo, sent):
    relabelled(sent)
    text = ok("import", "../sent", "--onto", "HEAD", "--dry-run")
    assert text.startswith("would bring back 'pets' (yolo)\n")
    text = ok("import", "../sent", "--onto", "HEAD", "-m", "From the tool")
    assert text.startswith("brought back 'pets' (yolo) as ")
    assert "items: 1 changed" in text
    assert "annotations: 1 changed" in text
    assert "From the tool" in ok("log")
    said = dvcs("import", "../sent", "--onto", "HEAD", "--json").json["dvcs.import/1"]
    assert (said["changed"], said["commit"], said["source"]) == (False, None, "pets")
    assert "nothing to record" in ok("import", "../sent", "--onto", "HEAD")


def test_a_zip_can_be_brought_back(repo, sent):
    relabelled(sent)
    shutil.make_archive(str(repo.parent / "back"), "zip", sent)
    said = dvcs("import", "../back.zip", "--onto", "HEAD:pets", "--json").json["dvcs.import/1"]
    assert said["changed"]
    assert said["format"] == "yolo"
    assert said["summary"]["annotations"]["changed"] == 1


def test_it_says_what_it_cannot_do(repo, sent):
    done = dvcs("import", "../sent", "--onto", "HEAD", "--mode", "new")
    assert done.code == 2
    assert "has no --mode new" in done.err
    assert dvcs("import", "../sent", "--onto", "nowhere").code != 0


# -- exports that still have their stamp -----------------------------------------------------------


@pytest.fixture
def stamped(repo):
    """An export of HEAD in a format that says less."""
    ok("export", "HEAD:pets", "-f", "yolo", "-o", "../stamped")
    return repo.parent / "stamped"


@pytest.mark.parametrize("name", [(), ("-n", "pets")])
def test_an_export_is_brought_back_onto_what_its_stamp_says(repo, stamped, name):
    done = dvcs("import", "../stamped", *name)
    assert done.code == 0
    assert "nothing to record" in done.out
    assert "note: '../stamped' was exported from '" in done.err
    assert "leave out --dry-run" not in dvcs("import", "../stamped", *name, "--dry-run").err
    relabelled(stamped)
    assert "leave out --dry-run" in dvcs("import", "../stamped", *name, "--dry-run").err
    before = ok("show", "--json")
    assert ok("import", "../stamped", *name, "--dry-run").startswith("would bring back 'pets'")
    assert ok("show", "--json") == before
    text = ok("import", "../stamped", *name)
    assert text.startswith("brought back 'pets' (yolo) as ")
    assert "annotations: 1 changed" in text
    assert "items: 1 changed" in text
    said = dvcs("import", "../stamped", "--onto", "HEAD", "--json").json["dvcs.import/1"]
    assert not said["changed"]


def test_a_zip_with_a_stamp_is_brought_back(repo, stamped):
    ok("export", "-f", "yolo", "-o", "../sent.zip")
    assert "nothing to record" in ok("import", "../sent.zip")
    name = str(repo.parent / "packed")
    shutil.make_archive(name, "zip", repo.parent, "stamped")
    assert "nothing to record" in ok("import", "../packed.zip")


def test_the_format_is_the_one_that_it_was_written_in(repo):
    ok("export", "-f", "yolo_segment", "-o", "../sent", "--allow-loss")
    said = dvcs("import", "../sent", "--json").json["dvcs.import/1"]
    assert (said["format"], said["changed"]) == ("yolo_segment", False)


def test_an_export_can_be_taken_as_it_is(repo, stamped):
    text = ok("import", "../stamped", "-n", "pets", "--ignore-stamp", "--dry-run")
    assert text.startswith("would record 'pets' (yolo)")
    assert ok("import", "../stamped", "-n", "others").startswith("imported 'others' (yolo)")
    assert ok("import", "../stamped", "--mode", "new").startswith("imported 'stamped' (yolo)")
    done = dvcs("import", "../stamped", "-n", "pets", "--mode", "new")
    assert (done.code, "there is a source 'pets' already" in done.err) == (2, True)


def test_missing_items_of_an_export_need_a_decision(repo, stamped):
    for path in stamped.rglob("a.*"):
        path.unlink()
    for path in stamped.rglob("*.txt"):
        if "a.png" in path.read_text():
            lines = path.read_text().splitlines()
            path.write_text("".join(f"{one}\n" for one in lines if "a.png" not in one))
    done = dvcs("import", "../stamped")
    assert (done.code, "lacks 1 item" in done.err) == (3, True)
    assert "nothing to record" in ok("import", "../stamped", "--mode", "update")
    assert "items: 1 removed" in ok("import", "../stamped", "--mode", "replace")


def test_a_stamp_of_a_revision_that_is_not_here_counts_for_nothing(repo, stamped):
    path = stamped / ".dvcs-export.json"
    value = json.loads(path.read_text())
    for revision in ("0" * 40, "", "none"):
        value["dvcs.export/1"]["revision"] = revision
        path.write_text(json.dumps(value))
        text = ok("import", "../stamped", "-n", "pets", "--dry-run")
        assert "'pets' (yolo)" in text
        assert "bring back" not in text


def test_an_export_of_several_sources_is_no_edit_of_one(repo):
    ok("import", "../v1", "-n", "others")
    ok("export", "-f", "datumaro", "-o", "../both", "--no-save-images")
    done = dvcs("import", "../both", "-n", "pets")
    assert done.code == 2
    assert "'../both' is an export of 2 sources, 'pets' is one of them" in done.err
    assert "--ignore-stamp" in done.err
    assert ok("import", "../both").startswith("imported 'both'")


def test_a_source_that_is_gone_since_is_imported_anew(repo, stamped):
    ok("remove", "pets")
    ok("commit", "-m", "Away")
    assert ok("import", "../stamped", "-n", "pets").startswith("imported 'pets'")


def test_options_that_an_edit_does_not_have_are_refused(repo, stamped):
    for option in (("--take-ids",), ("--licence", "CC0-1.0")):
        done = dvcs("import", "../stamped", *option)
        assert (done.code, "--ignore-stamp" in done.err) == (2, True)


def test_edits_that_came_twice_meanwhile_say_what_to_do(repo, stamped):
    relabelled(stamped)
    ok("import", "../stamped")
    path = min(one for one in stamped.rglob("*.txt") if "obj_" in one.as_posix())
    path.write_text(path.read_text().replace("0.", "0.0", 1))
    done = dvcs("import", "../stamped", "--on-conflict", "edited")
    assert done.code != 0
    assert "--onto the commit that came of it" in done.err
    assert ok("import", "../stamped", "--onto", "HEAD").startswith("brought back")


def test_edits_that_are_recorded_already_are_not_told_again(repo, stamped):
    relabelled(stamped)
    ok("import", "../stamped")
    assert "is there already; nothing to record" in ok("import", "../stamped")
    path = max(
        one for one in stamped.rglob("*.txt") if "obj_" in one.as_posix() and one.read_text()
    )
    label, rest = path.read_text().split(maxsplit=1)
    path.write_text(f"{1 - int(label)} {rest}")
    assert "annotations: 1 changed" in ok("import", "../stamped")


def test_a_working_copy_becomes_what_was_brought_back(work, tmp_path_factory):
    sent = tmp_path_factory.mktemp("tool") / "sent"
    ok("export", "-f", "yolo", "-o", sent)
    relabelled(sent)
    text = ok("import", sent)
    assert "pets: brought up to date" in text
    assert "nothing to commit" in ok("status")
    note = work / "pets" / "annotations" / "instances_train.json"
    data = json.loads(note.read_text())
    data["annotations"][0]["bbox"][0] += 1
    note.write_text(json.dumps(data))
    done = dvcs("import", sent)
    assert (done.code, "would lose changes" in done.err) == (3, True)


def test_a_working_copy_of_a_poorer_format_is_committed_not_imported(repo):
    ok("checkout", "pets", "-F", "yolo", "--into", "copy")
    done = dvcs("import", "copy", "-n", "pets")
    assert (done.code, "dvcs commit" in done.err) == (2, True)


@pytest.mark.parametrize("option", ["--no-convert-shapes", "--image-ext=.bmp"])
def test_how_it_was_written_is_no_edit(work, option, tmp_path_factory):
    sent = tmp_path_factory.mktemp("tool") / "sent"
    path = work / "pets" / "annotations" / "instances_train.json"
    data = json.loads(path.read_text())
    data["annotations"][0]["segmentation"] = [[5, 5, 15, 5, 15, 15]]
    path.write_text(json.dumps(data))
    ok("commit", "-m", "A polygon")
    ok("export", "-f", "yolo_detect", "--allow-loss", "-o", sent, option)
    assert "nothing to record" in ok("import", sent)
    assert dvcs("identify", sent, "--json").json["dvcs.identify/1"]["changed"] == []


def six_decimals(text):
    """Return rows as tools write them that keep six decimals."""
    rows = [line.split() for line in text.splitlines()]
    return "".join(" ".join([row[0], *(f"{float(n):.6f}" for n in row[1:])]) + "\n" for row in rows)


@pytest.mark.parametrize("format", ["yolo", "yolo_detect", "yolo_segment", "yolo_obb"])
def test_numbers_with_fewer_digits_are_no_edit(work, format, tmp_path_factory):
    path = work / "pets" / "annotations" / "instances_train.json"
    data = json.loads(path.read_text())
    data["images"][0] |= {"width": 77, "height": 59}
    data["annotations"][0]["segmentation"] = [[5.1, 5.3, 15.7, 5.9, 15.1, 15.2, 6.1, 14.3]]
    path.write_text(json.dumps(data))
    ok("commit", "-m", "A polygon")
    sent = tmp_path_factory.mktemp("tool") / "sent"
    ok("export", "-f", format, "--allow-loss", "-o", sent)
    for path in sent.rglob("*.txt"):
        if path.name in {"a.txt", "b.txt"}:
            short = six_decimals(path.read_text())
            assert path.name == "b.txt" or short != path.read_text()
            path.write_text(short)
    assert "nothing to record" in ok("import", sent)
    path = next(sent.rglob("b.txt"))
    path.write_text("1" + path.read_text()[1:])
    assert "annotations: 1 changed" in ok("import", sent)


def test_another_image_in_the_place_of_one_that_was_encoded_anew_is_an_edit(repo, tmp_path):
    ok("export", "-f", "coco", "-o", "../sent", "--image-ext", "bmp")
    images = tmp_path / "sent" / "images" / "train"
    shutil.copy(images / "c.bmp", images / "a.bmp")
    ok("import", "../sent")
    assert [one["id"] for one in dvcs("diff", "HEAD~1", "--json").json["dvcs.diff/1"]["items"]] == [
        "a"
    ]
    ok("export", "-f", "coco", "-o", "../again")
    assert (tmp_path / "again" / "images" / "train" / "a.bmp").read_bytes() == (
        images / "c.bmp"
    ).read_bytes()
    assert (tmp_path / "again" / "images" / "train" / "b.png").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_a_stamp_that_is_no_plain_file_says_nothing(repo, stamped, tmp_path):
    stamp = stamped / ".dvcs-export.json"
    elsewhere = tmp_path / "elsewhere.json"
    stamp.rename(elsewhere)
    stamp.symlink_to(elsewhere)
    done = dvcs("import", "../stamped", "-n", "pets", "--dry-run")
    assert "was exported from" not in done.err
    stamp.unlink()
    os.mkfifo(stamp)
    assert "was exported from" not in dvcs("import", "../stamped", "-n", "new", "--dry-run").err


@pytest.mark.parametrize(
    "said",
    [
        {"options": {"convert_shapes": True, "sink": 1, "dataset": 2}},
        {"source": "../x"},
        {"revision": "tree"},
    ],
)
def test_stamps_of_somebody_else_are_no_bug(repo, stamped, said):
    path = stamped / ".dvcs-export.json"
    stamp = json.loads(path.read_text())
    if said.get("revision") == "tree":
        said = {"revision": Repository(repo).tree_of(Repository(repo).resolve("HEAD")).hex()}
    stamp["dvcs.export/1"] |= said
    path.write_text(json.dumps(stamp))
    assert dvcs("identify", "../stamped").code in (0, 3)
    assert dvcs("import", "../stamped", "-n", "pets", "--dry-run").code in (0, 3)


def test_an_export_of_a_part_does_not_remove_the_rest(repo, stamped):
    path = stamped / ".dvcs-export.json"
    stamp = json.loads(path.read_text())
    stamp["dvcs.export/1"]["filter"] = "/item[id='a']"
    path.write_text(json.dumps(stamp))
    done = dvcs("import", "../stamped")
    assert (done.code, "is an export of a part" in done.err) == (2, True)
    assert "nothing to record" in ok("import", "../stamped", "--mode", "update")


def test_an_update_of_an_export_refuses_what_was_changed_in_it(repo, stamped):
    relabelled(stamped)
    done = dvcs("export", "HEAD:pets", "-f", "yolo", "-o", "../stamped", "--update")
    assert done.code == 3
    assert "would lose changes that were made in '../stamped': " in done.err
    assert "dvcs import ../stamped" in done.err
    ok("import", "../stamped")
    text = ok("export", "HEAD:pets", "-f", "yolo", "-o", "../stamped", "--update")
    assert "; 0 of them written or removed" in text
    relabelled(stamped)
    ok("export", "HEAD:pets", "-f", "yolo", "-o", "../stamped", "--update", "--force")
    assert "nothing to record" in ok("import", "../stamped")


def test_a_working_copy_is_no_export_to_update(repo):
    ok("checkout", "pets", "-F", "yolo", "--into", "copy")
    relabelled(repo / "copy")
    for force in ((), ("--force",)):
        done = dvcs("export", "-f", "yolo", "-o", "copy", "--update", *force)
        assert (done.code, "'copy' is the working copy of 'pets'" in done.err) == (2, True)
    assert "1 changed" in ok("status")


def test_a_dataset_is_not_converted_onto_itself(repo):
    for output in ("../v1", "../v1/."):
        done = dvcs("convert", "-i", "../v1", "-f", "voc", "-o", output, "--update")
        assert done.code == 2
        assert "is where the dataset is read from" in done.err


def test_records_left_out_are_told_in_the_right_number(capsys):
    _troubles.tell({}, ["one"])
    assert "1 record could not be read and was left out" in capsys.readouterr().err
    _troubles.tell({}, ["one", "two"])
    assert "2 records could not be read and were left out" in capsys.readouterr().err
