"""CVAT's files: which are CVAT's, subsets and images, and what is wrong with bad ones."""

import math
import re
import zipfile
from pathlib import Path

import pytest

from dvcs import formats
from dvcs.errors import DvcsError, FormatError, FormatErrors, InvalidShape, UnsafeName
from dvcs.files import FolderSink, MemorySink, MemorySource, open_source
from dvcs.model import (
    Annotation,
    Bbox,
    Category,
    Dataset,
    Item,
    Media,
    MediaFile,
    Other,
    Points,
    Polygon,
    PolyLine,
)
from tests.formats.cvat_documents import CVAT, LABELS, images, meaning, read, source, video, written
from tests.formats.test_cvat_tracks import box, track

BOX = '<box label="car" xtl="1" ytl="2" xbr="3" ybr="4"/>'


SECOND = '<image id="1"'


# -- detection -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        *(images(), video("")),
        '<annotations><image id="0" name="a.png"/></annotations>',
        '<?xml version="1.0"?>\n<!-- a --><!-- b -->\n<annotations count="1">\n<track id="0"/>',
        images(BOX).replace("utf-8", "utf-16").encode("utf-16"),
    ],
)
def test_files_that_say_so_are_cvat(text: str | bytes):
    assert CVAT.detect(source(text)) is formats.Confidence.HIGH


@pytest.mark.parametrize(
    "text",
    [
        *("", "<annotation><filename>x</filename></annotation>", "<annotations></annotations>"),
        *("<annotations><object/></annotations>", "<a><annotations><image/></annotations>"[:4]),
    ],
)
def test_other_xml_is_not(text: str):
    with pytest.raises(formats.Rejected, match="no XML file has <annotations>"):
        CVAT.detect(source(text))


def test_a_folder_of_other_xml_is_not_read_whole():
    class Counting(MemorySource):
        asked = 0

        def _read(self, path: str) -> bytes:
            self.asked += 1
            return super()._read(path)

    files = {f"Annotations/{n}.xml": b"<annotation/>" for n in range(1000)}
    place = Counting(files)
    with pytest.raises(formats.Rejected):
        CVAT.detect(place)
    assert place.asked < 10


def test_a_zip_that_cvat_made_is_read_as_it_is(tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "task.zip", "w") as file:
        file.writestr("annotations.xml", images(BOX, ""))
        file.writestr("images/1.png", b"one")
    place = open_source(tmp_path / "task.zip")
    assert formats.detect(place).name == "cvat"
    zero, one = formats.read(place, CVAT)
    assert zero.origins == (None,)
    assert [origin.read() for origin in one.origins if origin] == [b"one"]


# -- subsets and images --------------------------------------------------------------------------


def test_files_are_subsets_and_come_back():
    files = {"train.xml": images(BOX).encode(), "val.xml": images("", BOX).encode()}
    dataset = formats.read(MemorySource(files), CVAT)
    assert [(item.subset, item.id) for item in dataset] == [
        ("train", "0"),
        ("val", "0"),
        ("val", "1"),
    ]
    sink = written(dataset)
    assert {path: meaning(data) for path, data in sink.files.items()} == {
        path: meaning(data.replace(b"<box label", b'<box occluded="0" z_order="0" label'))
        for path, data in files.items()
    }


def test_each_file_keeps_its_own_labels_and_gets_new_ones():
    other = "<labels><label><name>tree</name></label></labels>"
    files = {"a.xml": images(BOX).encode(), "b.xml": images("", labels=other).encode()}
    dataset = formats.read(MemorySource(files), CVAT)
    assert dataset.labels.names == ("car", "road & sky", "man", "tree")
    more = dataset.labels.replaced([*dataset.labels, Category(name="new")])
    sink = written(dataset.derive(lambda: iter(dataset), labels=more))
    found = {
        path: formats.read(source(data), CVAT).labels.names for path, data in sink.files.items()
    }
    assert found == {"a.xml": ("car", "road & sky", "man", "new"), "b.xml": ("tree", "new")}


def test_a_task_names_its_subset():
    text = images(BOX).replace("<mode>", "<subset>Val</subset><mode>")
    assert [item.subset for item in read(text)] == ["Val"]
    sink = written(formats.read(source(text), CVAT))
    assert list(sink.files) == ["annotations.xml"]
    place = MemorySource({"annotations.xml": images("").encode()}, subset="mine")
    assert [item.subset for item in formats.read(place, CVAT)] == ["mine"]


def test_exports_in_folders_are_subsets_of_their_names():
    files = {f"{name}/annotations.xml": images(BOX).encode() for name in ("one", "two")}
    dataset = formats.read(MemorySource(files), CVAT)
    assert [item.subset for item in dataset] == ["one", "two"]
    assert sorted(written(dataset).files) == sorted(files)


@pytest.mark.parametrize(
    "folder", ["images", "images/train", "train", "."], ids=lambda name: name.replace("/", "-")
)
def test_images_are_found_and_written_where_they_were(folder: str):
    picture = f"{folder}/0.png".removeprefix("./")
    place = source(images(BOX), picture, path="train.xml")
    dataset = formats.read(place, CVAT)
    (item,) = dataset
    assert item.origins[0] is not None
    assert list(written(dataset).origins) == [picture]


def test_subsets_of_another_format_are_a_file_and_a_folder_each(tmp_path: Path):
    place = source(images(BOX), "images/0.png")
    (item,) = formats.read(place, CVAT)
    items = [item.with_(subset=name) for name in ("default", "train", "a/b")]
    with FolderSink(tmp_path / "out") as sink:
        formats.write(Dataset.from_items(items), CVAT, sink)
    assert sorted(p.relative_to(tmp_path / "out").as_posix() for p in tmp_path.rglob("*.*")) == [
        *("a%2Fb.xml", "annotations.xml"),
        *("images/0.png", "images/a%2Fb/0.png", "images/train/0.png"),
        "train.xml",
    ]


def test_frames_of_a_video_have_no_extension_in_the_file():
    body = images("").replace('name="0.png"', 'name="frame_000000"')
    text = body.replace("<mode>annotation", "<mode>interpolation")
    (item,) = read(text, "images/frame_000000.png")
    assert (item.id, item.file_name) == ("frame_000000", "frame_000000.png")
    assert item.media is not None
    assert (item.media.kind, item.media.frame) == ("video_frame", 0)
    sink = written(formats.read(source(text, "images/frame_000000.png"), CVAT))
    assert list(sink.origins) == ["images/frame_000000.png"]


def test_a_renamed_item_has_its_new_name():
    dataset = formats.read(source(images(BOX), "images/0.png"), CVAT)
    sink = written(dataset.map(lambda item: item.with_(id="new/name")))
    assert list(sink.origins) == ["images/new/name.png"]
    assert [item.id for item in read(sink.files["annotations.xml"])] == ["new/name"]


def test_images_keep_their_numbers_unless_told():
    text = images("", "").replace('id="1"', 'id="9"')
    dataset = formats.read(source(text), CVAT)

    def numbers(**options: bool) -> list[str]:
        data = written(dataset, **options).files["annotations.xml"].decode()
        return re.findall(r'<image id="(\d+)"', data)

    assert numbers() == ["0", "9"]
    assert numbers(reindex=True) == ["0", "1"]


def test_numbers_that_two_items_have_are_given_anew():
    items = [
        Item(name, "s", Media(files=(MediaFile(ext=".png"),)), extra={"cvat": {"id": 4}})
        for name in ("a", "b", "c")
    ]
    text = written(Dataset.from_items(items)).files["s.xml"].decode()
    assert re.findall(r'<image id="(\d+)" name="(.*?)"', text) == [
        *(("4", "a.png"), ("5", "b.png"), ("6", "c.png")),
    ]


def test_labels_that_nobody_declared_are_added_and_noted():
    body = (
        BOX.replace("car", "b&amp;b")
        + '<skeleton label="man"><points label="x" points="1,1"/></skeleton>'
    )
    place = source(images(body + BOX))
    dataset = formats.read(place, CVAT)
    assert dataset.labels.names == ("car", "road & sky", "man", "b&b")
    assert [note.label for item in dataset for note in item.annotations] == ["b&b", "man", "car"]
    assert list(place.notes) == ["label 'b&b' is used in annotations.xml but not declared"]


def test_utf_16_is_read():
    text = images(BOX).replace("utf-8", "utf-16").encode("utf-16")
    (item,) = read(text)
    assert [note.kind for note in item.annotations] == ["bbox"]


# -- bad files -----------------------------------------------------------------------------------


def problem(text: str | bytes) -> str:
    """Return what is said of a bad file."""
    with pytest.raises(DvcsError) as caught:
        read(text)
    return str(caught.value)


def line_of(text: str, what: str) -> int:
    return text[: text.index(what)].count("\n") + 1


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('xtl="1" ', "", "<box> has no attribute 'xtl'"),
        ('xtl="1"', 'xtl="NaN"', "'xtl' should be a finite number, not 'NaN'"),
        ('xbr="3"', 'xbr="1e999"', "'xbr' should be a finite number, not '1e999'"),
        ('xbr="3"', 'xbr="1_0"', "'xbr' should be a finite number, not '1_0'"),
        ('label="car" ', "", "<box> has no attribute 'label'"),
        ("/>", ' occluded="maybe"/>', "'occluded' should be 0 or 1, not 'maybe'"),
        ("/>", ' z_order="x"/>', "'z_order' should be a finite number, not 'x'"),
        ("/>", ' group_id="1.5"/>', "'group_id' should be an integer, not '1.5'"),
        ("/>", ' rotation="inf"/>', "'rotation' should be a finite number, not 'inf'"),
        (BOX, '<polygon label="car" points="1,2;3"/>', "'points' should be finite numbers"),
        (BOX, '<polygon label="car" points=""/>', "'points' should be finite numbers"),
        (BOX, '<points label="car" points="1,nan"/>', "'points' should be finite numbers"),
        (BOX, '<polyline label="car"/>', "<polyline> has no attribute 'points'"),
        (BOX, '<points label="car" points="1,1" visibility="3"/>', "'visibility' should be 0, 1"),
        (
            BOX,
            '<tag label="car"><attribute>1</attribute></tag>',
            "<attribute> has no attribute 'name'",
        ),
        (
            BOX,
            '<tag label="car"><attribute name="a" type="json">{</attribute></tag>',
            "is not JSON",
        ),
        (
            *(BOX, '<mask label="car" rle="1, 2" left="0" top="0" width="2" height="2"/>'),
            "the runs of a mask cover 3 pixels, but its box is 2 x 2",
        ),
        (
            *(BOX, '<mask label="car" rle="0,4" left="19" top="0" width="2" height="2"/>'),
            "is not within the image of 20 x 10 pixels",
        ),
        (
            *(BOX, '<mask label="car" rle="-1,5" left="0" top="0" width="2" height="2"/>'),
            "a run of a mask is longer than its box, or negative",
        ),
        (
            *(BOX, '<mask label="car" rle="" left="0" top="0" width="2" height="2"/>'),
            "the runs of a mask cover 0 pixels, but its box is 2 x 2",
        ),
        (
            *(BOX, '<mask label="car" rle="0;4" left="0" top="0" width="2" height="2"/>'),
            "<mask> should have integers",
        ),
    ],
)
def test_a_bad_shape_is_named_by_its_line(old: str, new: str, said: str):
    text = images("", f"\n{BOX.replace(old, new)}\n")
    message = problem(text)
    assert said in message
    assert f"annotations.xml:{line_of(text, SECOND) + 1}: " in message


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('width="20"', 'width="0"', "the width of an image should be positive, not 0"),
        ('height="10"', 'height="x"', "'height' should be a finite number, not 'x'"),
        ('name="1.png"', 'name="0.png"', "image '0.png' is listed twice"),
        ('name="1.png"', 'name="../x.png"', "'../x.png' has a part '.' or '..'"),
        ('id="1" name="1.png"', "", "<image> has neither a name nor an id"),
        ('id="1"', 'id="1.5"', "'id' should be an integer, not '1.5'"),
    ],
)
def test_a_bad_image_is_named_by_its_line(old: str, new: str, said: str):
    text = images("", BOX)
    at = text.rindex(old)
    message = problem(text[:at] + new + text[at + len(old) :])
    assert said in message
    assert f"annotations.xml:{line_of(text, SECOND)}: " in message


def test_all_bad_places_are_told_or_left_out():
    bad = BOX.replace('xtl="1"', 'xtl="x"')
    text = images(bad, BOX, bad)
    with pytest.raises(FormatErrors, match="2 records cannot be read"):
        read(text)
    place = MemorySource({"annotations.xml": text.encode()}, keep_going=True)
    assert [item.id for item in formats.read(place, CVAT)] == ["1"]
    assert len(place.errors) == 2


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (track(box(3, 1.0), box(3, 2.0)), "track '0' has two shapes at frame 3"),
        (track(box(0, 1.0), box(10**9, 2.0)), "its frames span more than 2000000"),
        (track(box(0, 1.0)).replace(' id="0"', ""), "<track> has no attribute 'id'"),
        (track(box(0, 1.0).replace(' frame="0"', "")), "<box> has no attribute 'frame'"),
        (
            track(box(0, 1.0)).replace("car", "nobody") * 0 + "<track id='0'/>",
            "no attribute 'label'",
        ),
    ],
)
def test_bad_tracks_are_named_by_their_line(body: str, said: str):
    text = video(body)
    message = problem(text)
    assert said in message
    assert f"annotations.xml:{line_of(text, '<track')}: " in message


def test_two_images_of_one_frame_are_refused_where_tracks_refer_to_it():
    text = images("", "").replace('id="1"', 'id="0"')
    assert len(read(text)) == 2
    tracked = text.replace("</annotations>", track(box(0, 1.0)) + "</annotations>")
    assert "two images are frame 0, to which tracks refer" in problem(tracked)


def test_a_task_of_too_many_frames_is_refused():
    text = video(track(box(0, 1.0)), stop=10**15)
    assert "says that there are 1000000000000001 frames, more than 2000000" in problem(text)


@pytest.mark.parametrize(
    "prolog",
    [
        '<!DOCTYPE annotations [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>',
        '<!DOCTYPE annotations SYSTEM "http://127.0.0.1:9/x.dtd">',
        '<!DOCTYPE annotations [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
    ],
)
def test_document_types_are_refused(prolog: str):
    text = images(BOX).replace("<annotations>", f"{prolog}<annotations>")
    assert "DOCTYPE" in problem(text)


def test_deep_nesting_is_refused():
    assert "nested" in problem(images("<a>" * 200 + "</a>" * 200))


def test_what_xml_cannot_hold_is_refused():
    note = PolyLine(points=[1.0, 1.0], label="a\x01b")
    with pytest.raises(UnsafeName, match="XML cannot hold"):
        written(Dataset.from_items([Item("x", "s", None, [note])]))


@pytest.mark.parametrize("record", [None, {}, {"shape": "a b"}, {"shape": "cuboid", "points": [1]}])
def test_a_record_that_is_no_shape_is_refused(record: object):
    with pytest.raises(UnsafeName):
        written(Dataset.from_items([Item("x", "s", None, [Other(format="cvat", record=record)])]))


@pytest.mark.parametrize(
    "note",
    [
        Bbox(x=math.nan, y=1.0, w=1.0, h=1.0, label="a"),
        Bbox(x=1.0, y=1.0, w=math.inf, h=1.0, label="a"),
        PolyLine(points=[1.0, math.nan], label="a"),
    ],
)
def test_coordinates_that_are_no_numbers_are_refused(note: Annotation):
    with pytest.raises(InvalidShape, match="which no file can hold"):
        written(Dataset.from_items([Item("x", "s", None, [note])]))


# -- losses --------------------------------------------------------------------------------------


def test_coordinates_far_away_come_back():
    notes = [
        Bbox(x=1e15, y=-1e-300, w=1e-300, h=1e308, label="a"),
        Points(points=[1e300, 5e-324], label="a"),
    ]
    (item,) = formats.read(
        source(written(Dataset.from_items([Item("x", "s", None, notes)])).files["s.xml"]), CVAT
    )
    assert [note.geometry for note in item.annotations] == [note.geometry for note in notes]


@pytest.mark.parametrize(
    "note",
    [
        Polygon(parts=[], label="a"),
        Polygon(parts=[[[]]], label="a"),
        Points(points=[], label="a"),
        PolyLine(points=[], label="a"),
    ],
)
def test_shapes_of_no_points_are_left_out_and_counted(note: Annotation):
    sink = MemorySink()
    fidelity = formats.write(Dataset.from_items([Item("x", "s", None, [note])]), CVAT, sink)
    assert fidelity.dropped == {note.kind: 1}
    (item,) = formats.read(source(sink.files["s.xml"], path="s.xml"), CVAT)
    assert list(item.annotations) == []


def test_a_file_without_items_keeps_its_labels():
    text = f"<annotations><version>1.1</version><meta><task>{LABELS}</task></meta></annotations>"
    dataset = formats.read(source(text), CVAT)
    assert list(dataset) == []
    assert meaning(written(dataset).files["annotations.xml"]) == meaning(text)


def test_memory_does_not_grow_with_the_number_of_images(tmp_path: Path):
    import tracemalloc

    path = tmp_path / "annotations.xml"
    lines = "".join(
        f'<image id="{n}" name="{n}.png" width="20" height="10">{BOX * 10}</image>\n'
        for n in range(2000)
    )
    path.write_text(images().replace("</annotations>", f"{lines}</annotations>"))
    dataset = formats.read(open_source(path), CVAT)
    tracemalloc.start()
    count = sum(len(item.annotations) for item in dataset)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 20_000
    assert peak < 4 << 20


def test_format_errors_have_the_place():
    with pytest.raises(FormatError) as caught:
        read(images(BOX.replace('xtl="1"', "")))
    assert (caught.value.path.name, caught.value.line) == (
        "annotations.xml",
        line_of(images(""), "<image"),
    )


@pytest.mark.parametrize(
    ("name", "subset"),
    [
        *(("%63on", "con"), ("100%25", "100%"), ("%61nnotations", "annotations")),
        # What is not quoted as we do it is somebody's own name.
        *(("train%20x", "train%20x"), ("100%", "100%"), ("%2fa", "%2fa"), ("%74rain", "%74rain")),
    ],
)
def test_a_file_that_is_called_as_its_subset_may_not_be_is_of_that_subset(name: str, subset: str):
    data = formats.read(MemorySource({f"{name}.xml": images(BOX).encode()}), CVAT)
    assert {item.subset for item in data} == {subset}
    sink = MemorySink()
    formats.write(data, CVAT, sink)
    assert list(sink.files) == [f"{name}.xml"]
