"""Pascal VOC: what files say is what is read; what is read is what is written."""

import random
from collections import Counter
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from dvcs import formats
from dvcs.errors import DvcsError, FormatError, NotADataset, UnsafeName, UsageError
from dvcs.files import FolderSource, MemorySink, MemorySource, Source, open_source
from dvcs.formats import Confidence, _xml
from dvcs.formats._voc.labels import ACTIONS, CLASSES
from dvcs.formats._voc.objects import plain_value
from dvcs.model import Bbox, Category, Dataset, Item, Label, Labels, Mask, Polygon, RotatedBbox
from tests.conftest import needs_samples
from tests.gallery import bitmap, image_item

BOX = "<bndbox><xmin>1</xmin><ymin>2</ymin><xmax>4</xmax><ymax>8</ymax></bndbox>"
CAT = f"<object><name>cat</name>{BOX}</object>"


def document(*objects: str, head: str = "") -> bytes:
    return f"<annotation>{head}{''.join(objects)}</annotation>".encode()


def read_xml(*objects: str, head: str = "", format: str = "voc") -> Item:
    source = MemorySource({"Annotations/a.xml": document(*objects, head=head)})
    (item,) = formats.read(source, formats.find(format))
    return item


def read(source: Source | Mapping[str, bytes], format: str = "voc") -> Dataset:
    place = source if isinstance(source, Source) else MemorySource(source)
    return formats.read(place, formats.find(format))


def write(data: Dataset, format: str = "voc", **options: Any) -> MemorySink:
    sink = MemorySink()
    formats.write(data, formats.find(format), sink, **options)
    sink.finish()
    return sink


def again(sink: MemorySink, format: str = "voc") -> Dataset:
    return formats.read(MemorySource(sink.files, media=sink.origins), formats.find(format))


def bare(data: Dataset) -> list[Item]:
    return [item.with_(origins=()) for item in data]


def meaning(value: Any) -> Any:
    """Return a record of XML with numbers as numbers, so that `1` is `1.0`."""
    if isinstance(value, dict):
        return {key: meaning(one) for key, one in value.items()}
    if isinstance(value, list):
        return [meaning(one) for one in value]
    if value is None or not str(value).strip():
        return ""
    try:
        return float(value)
    except ValueError:
        return value


def xml_of(source: Source, path: str) -> Any:
    return meaning(_xml.record(_xml.parse(source, path)))


def notes(*annotations: Any, labels: Any = (), **fields: Any) -> Dataset:
    return Dataset.from_items([image_item("a", "train", *annotations, **fields)], labels)


# -- real datasets -------------------------------------------------------------------------------

SAMPLES = {
    # folder: items, boxes
    "bccd": (364, 4888),
    "bccd/BCCD": (364, 4888),
    "raccoon": (200, 217),
    "datumaro/voc_dataset/voc_dataset1": (2, 3),
    "datumaro/voc_dataset/voc_dataset2": (5, 4),
    "datumaro/voc_dataset/voc_dataset3": (1, 1),
    "tfds_fake/voc": (12, 12),
    "tfds_fake/voc/VOCdevkit/VOC2007": (6, 9),
    "mmyolo/VOCdevkit": (2, 3),
    "datumaro/roboflow_dataset/voc": (3, 4),
    "datumaro/kaggle_dataset/relaxed_voc1": (2, 2),
    "datumaro/kaggle_dataset/relaxed_voc2": (2, 2),
    "fsoco/labels/cure": (600, 3052),
    "review_odm/toyexample/gts_vocpascal_format": (10, 12),
}


@pytest.fixture(params=SAMPLES)
def sample(request: pytest.FixtureRequest) -> tuple[Path, int, int]:
    return needs_samples(*request.param.split("/")), *SAMPLES[request.param]


def test_finds_all_items_and_boxes(sample: tuple[Path, int, int]):
    path, items, boxes = sample
    found = list(read(open_source(path)))
    assert len(found) == items
    assert sum(isinstance(note, Bbox) for item in found for note in item.annotations) == boxes


def test_is_the_one_format_that_a_sample_is_in(sample: tuple[Path, int, int]):
    source = open_source(sample[0])
    assert formats.detect(source).name == "voc"
    matches, rejections = formats.judge(source)
    tasks = [name for name in formats.names() if name.startswith("voc_")]
    assert all(name in rejections or matches[name] == Confidence.LOW for name in tasks)


def test_reads_again_what_it_wrote_of_a_sample(sample: tuple[Path, int, int]):
    first = read(open_source(sample[0]))
    sink = write(first)
    second = again(sink)
    assert bare(second) == bare(first)
    assert second.labels == first.labels
    third = write(second)
    assert third.files == sink.files


def test_writes_the_xml_that_it_read(sample: tuple[Path, int, int]):
    source = open_source(sample[0])
    sink = write(read(source))
    written = MemorySource(sink.files)
    by_name = {path.rpartition("/")[2]: path for path in source.find("**/*.xml")}
    several = len(by_name) < len(source.find("**/*.xml"))
    for path in written.find("Annotations/**/*.xml"):
        inner = path.removeprefix("Annotations/")
        original = by_name[inner.rpartition("/")[2]]
        if several:
            original = next(
                one
                for one in source.paths
                if one.endswith(
                    path.replace(
                        f"Annotations/{inner.partition('/')[0]}/",
                        f"{inner.partition('/')[0]}/Annotations/",
                    )
                )
            )
        assert xml_of(written, path) == xml_of(source, original), path


def test_bccd_is_read_to_the_last_box():
    data = read(open_source(needs_samples("bccd")))
    labels = Counter(note.label for item in data for note in item.annotations)
    assert labels == {"RBC": 4155, "WBC": 372, "Platelets": 361}
    assert data.labels.names == ("Platelets", "RBC", "WBC")
    assert Counter(item.subset for item in data) == {"train": 205, "val": 87, "test": 72}
    assert data.metadata["voc"] == {"unions": {"Main": {"trainval": ["train", "val"]}}}
    first = next(item for item in data if item.id == "BloodImage_00000")
    assert first.media is not None
    assert first.media.size == (480, 640)
    assert first.annotations[0] == Bbox(
        260.0,
        177.0,
        231.0,
        199.0,
        label="WBC",
        attributes={"pose": "Unspecified", "truncated": False, "difficult": False},
    )
    assert first.extra["voc"]["source"] == {"database": "Unknown"}


def test_a_list_that_joins_others_is_written_again():
    data = read(open_source(needs_samples("bccd")))
    lists = write(data).files
    joined = lists["ImageSets/Main/trainval.txt"].split()
    assert set(joined) == {
        *lists["ImageSets/Main/train.txt"].split(),
        *lists["ImageSets/Main/val.txt"].split(),
    }
    assert len(joined) == 292


def test_all_kinds_of_annotations_of_a_devkit():
    data = read(open_source(needs_samples("datumaro", "voc_dataset", "voc_dataset1")))
    second, first = data
    assert (first.id, first.subset, first.annotated) == ("2007_000001", "train", True)
    assert (second.id, second.subset, second.annotated) == ("2007_000002", "test", None)
    assert second.annotations == []
    kinds: dict[str, list[Any]] = {}
    for note in first.annotations:
        kinds.setdefault(note.kind, []).append(note)
    assert sorted(note.label for note in kinds["label"]) == [
        *("aeroplane", "bird", "bottle", "car", "chair", "diningtable"),
        *("horse", "ignored", "person", "sheep", "train"),
    ]
    cat, person, head = kinds["bbox"]
    assert (cat.label, cat.geometry, cat.attributes["truncated"]) == (
        "cat",
        (1.0, 2.0, 2.0, 2.0),
        True,
    )
    actions = [name for name in ACTIONS if person.attributes[name]]
    assert actions == ["other", "phoning", "reading", "ridinghorse", "takingphoto", "walking"]
    assert person.attributes["jumping"] is False
    assert (head.label, head.geometry, head.group) == ("head", (5.5, 6.0, 2.0, 2.0), person.group)
    assert person.group > 0
    assert [(mask.label, mask.size) for mask in kinds["mask"]] == [("bicycle", (10, 20))]
    assert data.labels["head"].parent == "person"


def test_two_devkits_in_one_place_keep_their_items_apart():
    data = list(read(open_source(needs_samples("tfds_fake", "voc"))))
    assert len({(item.subset, item.id) for item in data}) == 12
    assert {item.id.partition("/")[0] for item in data} == {"VOC2007", "VOC2012"}
    alone = read(open_source(needs_samples("tfds_fake", "voc", "VOCdevkit", "VOC2012")))
    found = {item.id: item for item in alone}
    assert sorted(found) == [f"00000{n}" for n in range(6)]
    assert found["000005"].annotated is None
    assert found["000000"].annotated is True
    assert found["000000"].subset == "train"


# -- objects -------------------------------------------------------------------------------------


def test_coordinates_are_as_in_the_file_and_come_back_so():
    box = "<bndbox><xmin>0.1</xmin><ymin>-3</ymin><xmax>0.7</xmax><ymax>1e2</ymax></bndbox>"
    item = read_xml(f"<object><name>cat</name>{box}</object>")
    (note,) = item.annotations
    assert isinstance(note, Bbox)
    assert (note.x, note.y, note.h) == (0.1, -3.0, 103.0)
    sink = write(Dataset.from_items([item]))
    text = sink.files["Annotations/a.xml"].decode()
    for tag in ("<xmin>0.1<", "<ymin>-3<", "<xmax>0.7<", "<ymax>100<"):
        assert tag in text


def test_every_corner_comes_back_to_the_last_bit():
    chance = random.Random(3)
    corners = [[chance.uniform(-50, 50) for _ in range(4)] for _ in range(300)]
    objects = [
        f"<object><name>cat</name><bndbox><xmin>{a!r}</xmin><ymin>{b!r}</ymin>"
        f"<xmax>{c!r}</xmax><ymax>{d!r}</ymax></bndbox></object>"
        for a, b, c, d in corners
    ]
    sink = write(Dataset.from_items([read_xml(*objects)]))
    root = _xml.parse(MemorySource(sink.files), "Annotations/a.xml")
    found = [
        [_xml.number(box, name) for name in ("xmin", "ymin", "xmax", "ymax")]
        for box in root.iterfind("object/bndbox")
    ]
    assert found == corners


def test_values_of_attributes_keep_their_types():
    values = {
        "int": 7,
        "negative": -3,
        "float": 1.5,
        "whole float": 2.0,
        "tiny": 1e-300,
        "yes": True,
        "no": False,
        "text": "seven",
        "text like a number": "7",
        "text like a float": "1.50",
        "text like a bool": "true",
        "zeros": "007",
        "empty": "",
        "blank": "  x ",
        "odd <&> name": 'a "quoted" & <text>\n\tof lines',
        "list": [1, "a", None],
        "none": None,
        "large": 10**17,
    }
    data = notes(Bbox(1.0, 2.0, 3.0, 4.0, label="cat", attributes=values))
    ((note,),) = ([*item.annotations] for item in again(write(data)))
    found = {name: value for name, value in note.attributes.items() if name in values}
    assert found == values
    assert {name: type(value) for name, value in found.items()} == {
        name: type(value) for name, value in values.items()
    }


def test_values_without_a_type_are_what_they_look_like():
    texts = ("1", "-1", "1.5", "1e3", "true", "False", "1e999", "0x1", "yes", "1_0", "٣", "")
    assert [plain_value(text) for text in texts] == [
        *(1, -1, 1.5, 1000.0, True, False, "1e999", "0x1", "yes", "1_0", "٣", "")
    ]


def test_flags_that_are_no_flags_come_back_as_they_were():
    values = {"truncated": 0.25, "difficult": "very", "occluded": 1, "pose": 3}
    data = notes(Bbox(1.0, 2.0, 3.0, 4.0, label="cat", attributes=values))
    ((note,),) = ([*item.annotations] for item in again(write(data)))
    assert note.attributes == values
    assert type(note.attributes["occluded"]) is int


def test_attributes_are_left_out_on_demand():
    data = notes(Bbox(1.0, 2.0, 3.0, 4.0, label="cat", attributes={"age": 3, "difficult": True}))
    text = write(data, allow_attributes=False).files["Annotations/a.xml"].decode()
    assert "<name>age</name>" not in text
    assert "<difficult>1</difficult>" in text


def test_others_get_the_elements_that_they_expect():
    text = write(notes(Bbox(1.0, 2.0, 3.0, 4.0, label="cat"))).files["Annotations/a.xml"].decode()
    for line in (
        "<filename>a.png</filename>",
        "<width>64</width>",
        "<height>48</height>",
        "<depth>3</depth>",
        "<pose>Unspecified</pose>",
        "<truncated>0</truncated>",
        "<difficult>0</difficult>",
        "<xmax>4</xmax>",
    ):
        assert line in text


def test_what_is_unknown_is_kept_and_written_again():
    head = (
        "<folder>F</folder><filename>wrong.bmp</filename><owner><name>me</name></owner>"
        "<size><width>64</width><height>48</height><depth>1</depth><unit>px</unit></size>"
        "<odd x='1'>y</odd><odd/>"
    )
    part = f"<part><name>ear</name>{BOX}<side>left</side></part>"
    box = BOX.replace("</bndbox>", "<zmin>7</zmin></bndbox>")
    objects = (
        f"<object id='3'><name>cat</name>{box}<view><pose>x</pose></view>{part}</object>",
        f"<object><name>cat</name><truncated>0.5</truncated>{BOX}</object>",
    )
    data = read({"Annotations/a.xml": document(*objects, head=head)})
    (item,) = data
    assert item.id == "a"
    assert item.media is not None
    assert item.media.size == (48, 64)
    assert item.annotations[0].extra["voc"]["view"] == {"pose": "x"}
    source = MemorySource({"a.xml": document(head=head)})
    sink = write(data)
    written = xml_of(MemorySource(sink.files), "Annotations/a.xml")
    wanted = xml_of(source, "a.xml")
    assert {key: written[key] for key in wanted} == wanted
    first, second = written["object"]
    assert first["bndbox"]["zmin"] == 7.0
    assert first["part"]["side"] == "left"
    assert "pose" not in first
    assert second["truncated"] == 0.5
    assert bare(again(sink)) == [item.with_(origins=())]


def test_objects_with_other_shapes():
    ring = "".join(f"<x{n}>{n}</x{n}><y{n}>{n * n}</y{n}>" for n in (1, 2, 3))
    points = "<pt><x>1</x><y>2</y></pt><pt><x>3</x><y>2</y></pt><pt><x>3</x><y>5.5</y></pt>"
    turned = "<cx>10</cx><cy>20</cy><w>8</w><h>4</h><angle>0.3</angle>"
    item = read_xml(
        f"<object><name>cat</name><polygon>{ring}</polygon></object>",
        f"<object><name>cat</name>{BOX}<polygon>{points}</polygon></object>",
        f"<object><type>robndbox</type><name>cat</name><robndbox>{turned}</robndbox></object>",
    )
    alone, box, polygon, rotated = item.annotations
    assert alone.geometry == ([[[1.0, 1.0, 2.0, 4.0, 3.0, 9.0]]],)
    assert alone.group == 0
    assert polygon.geometry == ([[[1.0, 2.0, 3.0, 2.0, 3.0, 5.5]]],)
    assert isinstance(box, Bbox)
    assert box.group == polygon.group > 0
    assert isinstance(rotated, RotatedBbox)
    assert rotated.geometry[:4] == (10.0, 20.0, 8.0, 4.0)
    assert rotated.angle == pytest.approx(17.188733853924695)
    sink = write(Dataset.from_items([item.with_(annotations=[rotated])]))
    (again_item,) = again(sink)
    assert list(again_item.annotations) == [rotated]
    assert b"<bndbox>" not in sink.files["Annotations/a.xml"]


def test_a_rotated_box_is_written_with_its_extent():
    data = notes(RotatedBbox(30.0, 20.0, 20.0, 10.0, 90.0, label="cat"))
    written = xml_of(MemorySource(write(data).files), "Annotations/a.xml")["object"]
    assert written["robndbox"]["w"] == 20.0
    box = written["bndbox"]
    assert [box[name] for name in ("xmin", "ymin", "xmax", "ymax")] == pytest.approx(
        [25.0, 10.0, 35.0, 30.0]
    )


def test_parts_and_actions_are_of_their_tasks_only():
    part = f"<part><name>head</name>{BOX}</part>"
    actions = "<actions><jumping>1</jumping><reading>0</reading></actions>"
    person = f"<object><name>person</name>{BOX}{part}{actions}</object>"
    found = {
        format: [
            (note.label, sorted(note.attributes))
            for note in read_xml(person, format=format).annotations
        ]
        for format in ("voc", "voc_detection", "voc_action", "voc_layout")
    }
    assert found == {
        "voc": [("person", ["jumping", "reading"]), ("head", [])],
        "voc_detection": [("person", [])],
        "voc_action": [("person", ["jumping", "reading"])],
        "voc_layout": [("person", []), ("head", [])],
    }


def test_a_group_of_a_whole_and_its_parts_becomes_one_object():
    labels = Labels((Category(name="dog"), Category(name="paw", parent="dog")))
    boxes = (
        Bbox(10.0, 10.0, 5.0, 5.0, label="paw", group=1),
        Bbox(1.0, 1.0, 30.0, 30.0, label="dog", group=1),
        Bbox(5.0, 5.0, 9.0, 9.0, label="dog", group=2),
        Bbox(6.0, 5.0, 9.0, 9.0, label="dog", group=2),
        Bbox(7.0, 5.0, 9.0, 9.0, label="paw"),
    )
    sink = write(notes(*boxes, labels=labels))
    objects = xml_of(MemorySource(sink.files), "Annotations/a.xml")["object"]
    assert [one["name"] for one in objects] == ["dog", "dog", "dog", "paw"]
    assert objects[0]["part"]["name"] == "paw"
    assert "dog::paw:" in sink.files["labelmap.txt"].decode().splitlines()
    (item,) = again(sink)
    groups = Counter(note.group for note in item.annotations)
    assert sorted(groups.values()) == [1, 2, 2]
    detection = write(notes(*boxes, labels=labels), "voc_detection")
    (item,) = again(detection, "voc_detection")
    assert sorted(Counter(note.group for note in item.annotations).values()) == [1, 2, 2]
    assert [note.label for note in item.annotations] == [note.label for note in boxes]


def test_actions_are_listed_for_each_object():
    labels = Labels([Category(name="person", extra={"voc": {"actions": ["running", "reading"]}})])
    data = notes(
        Bbox(1.0, 1.0, 9.0, 9.0, label="person", attributes={"running": True, "age": 3}),
        Bbox(2.0, 1.0, 9.0, 9.0, label="person", attributes={"running": False, "reading": True}),
        labels=labels,
    )
    sink = write(data)
    assert sink.files["ImageSets/Action/running_train.txt"] == b"a  1  1\na  2 -1\n"
    assert sink.files["ImageSets/Action/reading_train.txt"] == b"a  2  1\n"
    text = sink.files["Annotations/a.xml"].decode()
    assert "<actions>\n      <running>1</running>\n    </actions>" in text
    stripped = {
        **sink.files,
        "Annotations/a.xml": document(
            *[f"<object><name>person</name>{BOX}</object>" for _ in range(2)]
        ),
    }
    (item,) = read(stripped)
    assert [note.attributes for note in item.annotations] == [
        {"running": True},
        {"running": False, "reading": True},
    ]


# -- lists and labels ----------------------------------------------------------------------------


def test_lists_of_classes_become_labels():
    files = {
        "ImageSets/Main/train.txt": b'1\n2\n# not this\n\n"3 4"\n',
        "ImageSets/Main/cat_train.txt": b'1  1\n2  0\n"3 4" -1\n',
        "ImageSets/Main/dog_train.txt": b'1 -1\n2  1\n"3 4" -1\n',
        "ImageSets/Main/my_val.txt": b"5\n",
    }
    data = read(files)
    found = {(item.subset, item.id): item for item in data}
    assert sorted(found) == [("my_val", "5"), ("train", "1"), ("train", "2"), ("train", "3 4")]
    assert found["train", "1"].annotations == [Label(label="cat")]
    assert found["train", "2"].annotations == [
        Label(label="cat", attributes={"difficult": True}),
        Label(label="dog"),
    ]
    assert found["train", "3 4"].annotated is True
    assert found["my_val", "5"].annotated is None
    sink = write(data)
    for name in ("train", "cat_train", "dog_train", "my_val"):
        wanted = [line.split() for line in files[f"ImageSets/Main/{name}.txt"].splitlines() if line]
        lines = sink.files[f"ImageSets/Main/{name}.txt"].splitlines()
        assert [line.split() for line in lines] == [one for one in wanted if one[0] != b"#"]


def test_attributes_of_labels_come_back():
    label = Label(label="cat", attributes={"difficult": True, "sure": 0.5})
    (item,) = again(write(notes(label)))
    assert list(item.annotations) == [label]


def test_lists_with_a_bad_line_are_refused_with_their_place():
    files = {"ImageSets/Main/train.txt": b"1\n", "ImageSets/Main/cat_train.txt": b"1 1\n2 7\n"}
    with pytest.raises(FormatError, match=r"Main/cat_train\.txt:2: expected an id and -1, 0 or 1"):
        read(files)
    with pytest.raises(UnsafeName, match=r"Main/train\.txt:2: '../x'"):
        read({"ImageSets/Main/train.txt": b"1\n../x\n"})


def test_the_lists_of_other_tasks_come_back():
    files = {
        "ImageSets/Main/train.txt": b"1\n2\n3\n",
        "ImageSets/Main/small.txt": b"1\n",
        "ImageSets/Layout/val.txt": b"1     1\n1     2\n2     1\n",
        "ImageSets/Segmentation/train.txt": b"3\n",
        "Annotations/1.xml": document(CAT),
        "Annotations/unlisted.xml": document(CAT),
    }
    data = read(files)
    assert [(item.subset, item.id) for item in data] == [
        *(("default", "unlisted"), ("small", "1"), ("train", "2"), ("train", "3"))
    ]
    sink = write(data)
    lists = {path: text for path, text in sink.files.items() if path.startswith("ImageSets")}
    assert lists == {
        **{path: text for path, text in files.items() if path.startswith("ImageSets")},
        "ImageSets/Layout/val.txt": b"1\n2\n",
    }
    assert bare(again(sink)) == bare(data)
    layout = read(files, "voc_layout")
    assert [(item.subset, item.id) for item in layout] == [("val", "1"), ("val", "2")]


def test_a_new_subset_gets_its_own_lists():
    files = {
        "ImageSets/Main/train.txt": b"1\n2\n",
        "ImageSets/Segmentation/train.txt": b"1\n",
        "Annotations/1.xml": document(CAT),
        "Annotations/2.xml": document(CAT),
    }
    moved = read(files).map(lambda item: item.with_(subset="test") if item.id == "1" else item)
    lists = write(moved).files
    assert lists["ImageSets/Main/test.txt"] == b"1\n"
    assert lists["ImageSets/Main/train.txt"] == b"2\n"
    assert lists["ImageSets/Segmentation/test.txt"] == b"1\n"
    assert "ImageSets/Segmentation/train.txt" not in lists


def test_empty_lists_are_written_on_demand():
    data = notes(Bbox(1.0, 2.0, 3.0, 4.0, label="cat"))
    assert [path for path in write(data).files if path.startswith("ImageSets")] == [
        "ImageSets/Main/train.txt"
    ]
    kept = write(data, keep_empty=True).files
    assert kept["ImageSets/Segmentation/train.txt"] == b""
    assert kept["ImageSets/Main/train.txt"] == b"a\n"


def test_tasks_choose_what_is_written():
    data = notes(Label(label="cat"), Bbox(1.0, 2.0, 3.0, 4.0, label="cat"), bitmap((1, 1, 9, 9)))
    data = data.map(
        lambda item: item.with_(annotations=[one.with_(label="cat") for one in item.annotations])
    )
    folders = {
        tasks: sorted({path.partition("/")[0] for path in write(data, tasks=tasks).files})
        for tasks in (("detection",), ("segmentation",), ("classification",), ("person_layout",))
    }
    assert folders == {
        ("detection",): ["Annotations", "ImageSets", "labelmap.txt"],
        ("segmentation",): [
            *("ImageSets", "SegmentationClass", "SegmentationObject", "labelmap.txt")
        ],
        ("classification",): ["ImageSets", "labelmap.txt"],
        ("person_layout",): ["Annotations", "ImageSets", "labelmap.txt"],
    }
    with pytest.raises(UsageError, match="there is no task 'x'") as error:
        write(data, tasks=("x",))
    assert error.value.hint is not None
    assert "detection" in error.value.hint


def test_labels_come_from_the_map_then_from_names():
    cats = {"Annotations/a.xml": document(CAT, CAT.replace("cat", "zebra"))}
    listed = b"# comment\nzebra:1,2,3:tail,ear:run,eat  # number 0\n\nbackground:0,0,0::\n"
    for name in ("labelmap.txt", "label_map.txt"):
        labels = read({**cats, name: listed}).labels
        assert labels.names == ("zebra", "background", "cat", "tail", "ear")
        assert labels["zebra"].color == (1, 2, 3)
        assert labels["zebra"].extra["voc"] == {"parts": ["tail", "ear"], "actions": ["run", "eat"]}
        assert labels["ear"].parent == "zebra"
    assert read(cats).labels.names == ("cat", "zebra")
    assert read({"Annotations/a.xml": document(CAT)}).labels.names == CLASSES


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"a:1,2::\n", "labelmap.txt:1: '1,2' is no colour"),
        (b"a:1,2,300::\n", "labelmap.txt:1: '1,2,300' is no colour"),
        (b"a:::\nb:::\na:::\n", "labelmap.txt:3: label 'a' is there twice"),
        (b"\n::: \n", "labelmap.txt:2: a label has no name"),
        (b"\xff\n", "labelmap.txt:1: is not UTF-8"),
    ],
)
def test_bad_label_maps_are_refused(text: bytes, reason: str):
    with pytest.raises(FormatError, match=reason):
        read({"labelmap.txt": text, "Annotations/a.xml": document(CAT)})


def test_the_label_map_is_the_datasets_the_original_or_a_file(tmp_path: Path):
    data = notes(Bbox(1.0, 2.0, 3.0, 4.0, label="zebra"), labels=["cat", "zebra"])

    def names(**options: Any) -> list[str]:
        lines = write(data, **options).files["labelmap.txt"].decode().splitlines()
        return [line.partition(":")[0] for line in lines[1:]]

    assert names() == ["cat", "zebra"]
    original = names(label_map="voc")
    assert original == ["background", *CLASSES, "ignored", "zebra"]
    assert again(write(data, label_map="voc")).labels["head"].parent == "person"
    own = tmp_path / "my map.txt"
    own.write_text("lion:0,0,255::\ncat:255,0,0:tail:\n")
    assert names(label_map=str(own)) == ["lion", "cat", "zebra"]
    with pytest.raises(UsageError, match="cannot read the label map"):
        names(label_map=str(tmp_path / "absent.txt"))
    with pytest.raises(UsageError, match="is not a file"):
        names(label_map=str(tmp_path))
    own.write_text("lion:red::\n")
    with pytest.raises(FormatError, match=r"my map\.txt:1: 'red' is no colour"):
        names(label_map=str(own))


# -- loose folders -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("paths", "wanted"),
    [
        (["x.xml", "x.jpg"], ["default/x"]),
        (["labels/x.xml", "labels/y.xml"], ["default/x", "default/y"]),
        (["some/where/x.xml", "some/else/x.xml"], ["default/else/x", "default/where/x"]),
        (["train/x.xml", "valid/x.xml"], ["train/x", "valid/x"]),
        (["annotations/train/x.xml", "images/train/x.jpg"], ["train/x"]),
        (["train/annotations/x.xml", "train/images/x.png"], ["train/x"]),
        (["Annotations/deep/x.xml", "JPEGImages/deep/x.jpg"], ["default/deep/x"]),
        (["xmls/x.xml", "x.jpg"], ["default/x"]),
        (["images/x.xml", "images/x.jpg", "images/y.jpg"], ["default/x", "default/y"]),
    ],
)
def test_loose_files_find_their_subset_id_and_image(paths: list[str], wanted: list[str]):
    head = "<filename>/home/me/other.jpg</filename><size><width>9</width></size>"
    files = {path: document(CAT, head=head) if path.endswith("xml") else b"image" for path in paths}
    data = list(read(files))
    assert [f"{item.subset}/{item.id}" for item in data] == wanted
    images = [path for path in paths if not path.endswith(".xml")]
    found = [one for item in data for one in item.origins if one is not None]
    assert [one.read() for one in found] == [b"image"] * len(images)


def test_loose_files_of_other_kinds_are_left_alone():
    source = MemorySource({"x.xml": document(CAT), "z.xml": b"<project/>"})
    assert [item.id for item in read(source)] == ["x"]
    assert source.notes == {"XML files that are not VOC were left alone": 1}
    with pytest.raises(FormatError, match="should be <annotation>, not <project>"):
        list(read({"Annotations/x.xml": b"<project/>"}))


@pytest.mark.parametrize(
    "files",
    [
        {"x.xml": b"<annotations><image/></annotations>"},
        {"x.xml": b"<annotation><object><name>a</name><deleted>0</deleted></object></annotation>"},
        {"x.xml": b"<annotation><imagesize/></annotation>"},
        {"x.xml": b"<annotation/>"},
        {"x.xml": b"<annotation><object><name>a</name></object></annotation>"},
        {"x.xml": b"<!DOCTYPE a><annotation><size/></annotation>"},
        {"ImageSets/Main/readme.md": b"x"},
        {"JPEGImages/x.jpg": b"x"},
    ],
)
def test_other_xml_is_not_taken_for_voc(files: dict[str, bytes]):
    for name in ("voc", "voc_detection"):
        with pytest.raises((formats.Rejected, FormatError)):
            formats.find(name).detect(MemorySource(files))


def test_a_label_that_the_map_does_not_have_is_told():
    source = MemorySource(
        {
            "labelmap.txt": b"background:0,0,0::\nperson:1,2,3:head:\n",
            "Annotations/1.xml": document(CAT.replace("cat", "zebra"), CAT.replace("cat", "head")),
            "Annotations/2.xml": document(CAT.replace("cat", "yak")),
        },
        name="d",
    )
    data = formats.read(source, formats.find("voc"))
    assert {"zebra", "yak"} <= set(data.labels.names)
    assert source.notes == {"a label of objects is not in labelmap.txt: 'yak'": 2}


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"annotations/instances_train.json": b"{}"}, "nothing of Pascal VOC"),
        ({"JPEGImages/1.jpg": b""}, "nothing of Pascal VOC"),
        ({"1.xml": b"<annotations/>", "2.xml": b"<x/>"}, "'1.xml' begins with <annotations>"),
    ],
)
@pytest.mark.parametrize("format", ["voc", "voc_classification", "voc_segmentation"])
def test_a_place_without_anything_of_voc_is_refused(
    files: dict[str, bytes], reason: str, format: str
):
    with pytest.raises(NotADataset, match=reason):
        read(files, format)


def test_a_task_of_which_nothing_is_there_is_refused():
    files = {"ImageSets/Main/train.txt": b"a\n"}
    assert len(list(read(files, "voc_detection"))) == 1
    with pytest.raises(NotADataset, match="nothing of this task"):
        read(files, "voc_segmentation")


def test_empty_lists_are_an_empty_dataset():
    assert list(read({"ImageSets/Main/train.txt": b""})) == []
    assert list(read({"labelmap.txt": b"cat:1,2,3::\n"})) == []


def test_one_named_file_stands_for_its_items():
    root = needs_samples("bccd", "BCCD")
    train = read(open_source(root / "ImageSets" / "Main" / "train.txt"), "voc_detection")
    items = list(train)
    assert len(items) == 205
    assert {item.subset for item in items} == {"train"}
    assert all(item.origins[0] is not None for item in items)
    joined = read(open_source(root / "ImageSets" / "Main" / "trainval.txt"))
    assert Counter(item.subset for item in joined) == {"trainval": 292}
    one = read(open_source(root / "Annotations" / "BloodImage_00001.xml"))
    assert [item.id for item in one] == ["BloodImage_00001"]
    source = open_source(root / "ImageSets" / "Main" / "train.txt")
    assert formats.find("voc").detect(source) == Confidence.HIGH


# -- bad files -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("objects", "reason"),
    [
        ("<object><name>a</name></object>", "a.xml:1: <object> has no <bndbox>"),
        (f"<object>{BOX}</object>", "a.xml:1: <object> has no <name>"),
        (CAT.replace("<ymax>8</ymax>", ""), "a.xml:1: <bndbox> has no <ymax>"),
        (CAT.replace("8", "NaN"), "'ymax' should be a finite number, not 'NaN'"),
        (CAT.replace("8", "1e999"), "'ymax' should be a finite number, not '1e999'"),
        (CAT.replace("8", ""), "'ymax' should be a finite number, not ''"),
        (CAT.replace("8", "1_0"), "'ymax' should be a finite number, not '1_0'"),
        (CAT.replace(">1<", ">-1e308<").replace(">4<", ">1e308<"), "larger than any number"),
        (CAT.replace("</object>", "<part><name>x</name></part></object>"), "has no <bndbox>"),
        (
            "<object><name>a</name><polygon><x1>1</x1><y1>1</y1></polygon></object>",
            "<polygon> has 1 points",
        ),
        (
            CAT.replace(
                "</object>", "<attributes><attribute><value/></attribute></attributes></object>"
            ),
            "<attribute> has no <name>",
        ),
        (
            CAT.replace(
                "</object>",
                "<attributes><attribute><name>x</name><value type='json'>[NaN</value>"
                "</attribute></attributes></object>",
            ),
            "is not JSON",
        ),
    ],
)
def test_bad_objects_are_refused_with_file_and_line(objects: str, reason: str):
    with pytest.raises(FormatError, match=r"memory/Annotations/a\.xml:1: ") as error:
        read_xml(objects)
    assert reason in str(error.value)


def test_a_bad_item_is_left_out_with_keep_going():
    files = {
        "Annotations/a.xml": document(CAT),
        "Annotations/b.xml": b"<annotation><object>",
        "Annotations/c.xml": document(CAT.replace("8", "x")),
        "Annotations/d.xml": document(),
    }
    source = MemorySource(files, keep_going=True)
    assert [item.id for item in read(source)] == ["a", "d"]
    assert [str(error).partition(": ")[0] for error in source.errors] == [
        *("memory/Annotations/b.xml:1", "memory/Annotations/c.xml:1")
    ]
    with pytest.raises(DvcsError, match="2 records cannot be read"):
        list(read(files))


def test_an_empty_file_is_of_an_item_that_somebody_looked_at():
    files = {"ImageSets/Main/train.txt": b"a\nb\n", "Annotations/a.xml": document()}
    found = {item.id: item for item in read(files)}
    assert (found["a"].annotated, found["b"].annotated) == (True, None)
    sink = write(read(files))
    assert "Annotations/b.xml" not in sink.files
    assert {item.id: item.annotated for item in again(sink)} == {"a": True, "b": None}


def test_mutated_files_give_items_or_an_error_of_ours():
    part = f"<part><name>head</name>{BOX}</part>"
    head = "<filename>a.jpg</filename><size><width>9</width><height>8</height></size>"
    extra = "<attributes><attribute><name>n</name><value>1</value></attribute></attributes>"
    seed = document(CAT, f"<object><name>b</name>{BOX}{part}{extra}</object>", head=head)
    chance = random.Random(11)
    snippets = (
        b"<",
        b">",
        b"</object>",
        b"<object>",
        b"&lt;",
        b"&x;",
        b"nan",
        b"-1",
        b"\0",
        b"]]>",
    )
    outcomes: Counter[bool] = Counter()
    for _ in range(300):
        data = bytearray(seed)
        for _ in range(chance.randint(1, 2)):
            at = chance.randrange(len(data))
            kind = chance.randrange(5)
            if kind == 0:
                data[at] = chance.randrange(256)
            elif kind == 1 and bytes(data[at : at + 1]).isalnum():
                data[at : at + 1] = chance.choice((b"7", b"x", b"", b".", b" "))
            elif kind == 2:
                del data[at : at + chance.randint(1, 30)]
            elif kind == 3:
                data[at:at] = chance.choice(snippets)
            else:
                data[at:at] = data[at : at + chance.randint(1, 80)]
        outcomes[_survives(bytes(data))] += 1
    assert outcomes[True] > 5
    assert outcomes[False] > 100


def _survives(data: bytes) -> bool:
    try:
        found = read({"Annotations/a.xml": data})
        items = bare(found)
    except DvcsError:
        return False
    assert bare(again(write(found))) == items
    return True


def test_ids_that_leave_the_folder_or_a_line_are_refused():
    for name in ("../x", "a\nb"):
        data = Dataset.from_items([Item(name, "train", annotated=True)])
        with pytest.raises(UnsafeName):
            write(data)


def test_a_link_to_another_place_is_not_followed(tmp_path: Path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "a.xml").write_bytes(document(CAT))
    root = tmp_path / "voc"
    (root / "Annotations").mkdir(parents=True)
    (root / "Annotations" / "a.xml").symlink_to(tmp_path / "outside" / "a.xml")
    with pytest.raises(FormatError, match="leads out of the dataset"):
        list(read(FolderSource(root)))


def test_polygons_become_masks_for_segmentation_and_boxes_for_detection():
    polygon = Polygon([[[2.0, 2.0, 12.0, 2.0, 12.0, 22.0, 2.0, 22.0]]], label="cat")
    kinds = {
        name: [
            note.kind
            for item in again(write(notes(polygon), name), name)
            for note in item.annotations
        ]
        for name in ("voc", "voc_segmentation", "voc_detection", "voc_action", "voc_layout")
    }
    assert kinds == {
        "voc": ["mask"],
        "voc_segmentation": ["mask"],
        "voc_detection": ["bbox"],
        "voc_action": ["bbox"],
        "voc_layout": ["bbox"],
    }
    written = xml_of(MemorySource(write(notes(polygon)).files), "Annotations/a.xml")["object"]
    assert written["bndbox"] == {"xmin": 2.0, "ymin": 2.0, "xmax": 12.0, "ymax": 22.0}


def test_exporting_what_was_read_loses_nothing():
    for parts in (("bccd",), ("datumaro", "voc_dataset", "voc_dataset1")):
        data = read(open_source(needs_samples(*parts)))
        fidelity = formats.write(data, formats.find("voc"), MemorySink())
        assert fidelity.lossless, fidelity.lines()
        assert not fidelity.notes


def test_masks_are_not_made_up_by_a_partial_reading():
    data = partial(read_xml, CAT, format="voc_segmentation")
    assert data().annotations == []
    assert not any(isinstance(note, Mask) for note in read_xml(CAT).annotations)


@pytest.mark.parametrize("task", ["", "_classification", "_detection", "_segmentation"])
def test_an_id_of_several_subsets_is_told_apart_by_the_subset(task):
    notes = (Bbox(1.0, 2.0, 3.0, 4.0, label="cat"), Label(label="cat"), bitmap((3, 4, 9, 9)))
    items = [
        image_item(id, subset, *(note.with_(label="cat") for note in notes), seed=n)
        for n, (subset, id) in enumerate(
            [("test", "x/1"), ("train", "x/1"), ("train", "2"), ("val", "train/x/1"), ("val", "3")]
        )
    ]
    format, sink = formats.find(f"voc{task}"), MemorySink()
    fidelity = formats.write(Dataset.from_items(items, ["cat"]), format, sink)
    sink.finish()
    assert fidelity.lost_fields["item.id"] == 2
    assert "the subset became a part of the ids of 2 items" in fidelity.lines()
    read = list(formats.read(MemorySource(sink.files, media=sink.origins), format))
    assert [(item.subset, item.id) for item in read] == [
        *(("test", "x/1"), ("train", "train/x/1"), ("train", "2")),
        *(("val", "val/train/x/1"), ("val", "3")),
    ]
    assert all(item.annotations for item in read)
    again = MemorySink()
    fidelity = formats.write(Dataset.from_items(read, ["cat"]), format, again)
    assert fidelity.lost_fields["item.id"] == 0
    assert again.files.keys() == sink.files.keys()


def test_whole_numbers_are_coordinates_too():
    sink = write(notes(Bbox(0, 1, 5, 6, label="cat"), labels=["cat"]))
    ((box,),) = (item.annotations for item in again(sink))
    assert box.geometry == (0.0, 1.0, 5.0, 6.0)
