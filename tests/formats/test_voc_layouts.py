"""Pascal VOC by pattern: the same as by parser for every file that is read so, else the parser."""

import random
from pathlib import Path
from xml.sax.saxutils import escape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dvcs import formats
from dvcs.errors import DvcsError
from dvcs.files import MemorySource, Source, open_source
from dvcs.formats import _xml
from dvcs.formats._voc import layouts
from dvcs.formats._voc.layouts import Layouts
from dvcs.formats._voc.objects import read_object
from dvcs.model import Annotation, Item
from tests.conftest import needs_samples

SAMPLES = (
    *("bccd", "fsoco/labels/cure", "raccoon", "tfds_fake/voc", "datumaro/voc_dataset/voc_dataset1"),
    *("datumaro/voc_dataset/voc_dataset2", "datumaro/roboflow_dataset/voc"),
)
USUAL = """<?xml version="1.0" encoding="utf-8"?>
<annotation>
  <folder>JPEGImages</folder>
  <filename>a.jpg</filename>
  <source><database>Unknown</database></source>
  <size> <width>64</width> <height>48</height> <depth>3</depth> </size>
  <segmented>0</segmented>
  <object>
    <name>cat</name> <pose>Left</pose> <truncated>1</truncated> <difficult>0</difficult>
    <bndbox> <xmax>30</xmax> <xmin>10.5</xmin> <ymin>2</ymin> <ymax>8</ymax> </bndbox>
    <attributes>
      <attribute> <name>age</name> <value>7</value> </attribute>
      <attribute> <value>false</value> <name>is_crowd</name> </attribute>
    </attributes>
  </object>
  <object>
    <name>dog</name>
    <bndbox> <xmin>1</xmin> <ymin>2</ymin> <xmax>3</xmax> <ymax>4</ymax> </bndbox>
  </object>
</annotation>
"""


def learned(*documents: bytes) -> Layouts:
    layouts = Layouts()
    for data in documents:
        layouts.learn(_xml.parse(MemorySource({}), "a.xml", data))
    return layouts


def parsed(data: bytes) -> list[Annotation]:
    root = _xml.parse(MemorySource({}), "a.xml", data)
    return [
        note
        for element in root.iterchildren("object")
        for note in read_object(element, parts=True, actions=True).notes
    ]


def walked(source: Source, *, by_pattern: bool, format: str = "voc") -> list[Item] | str:
    """Return the items of a dataset, or what is wrong with it."""
    with pytest.MonkeyPatch.context() as patch:
        if not by_pattern:
            patch.setattr(layouts, "MOST_LOOKS", 0)
        try:
            data = formats.read(source, formats.find(format))
            return [item.with_(origins=()) for item in data]
        except DvcsError as error:
            return str(error)


@pytest.mark.parametrize("name", SAMPLES)
def test_datasets_of_other_tools_are_read_the_same_by_pattern_and_by_parser(name: str):
    folder = needs_samples(*name.split("/"))
    both = [walked(open_source(folder), by_pattern=by) for by in (True, False)]
    assert both[0] == both[1]
    assert both[0], name


@pytest.mark.parametrize("name", SAMPLES[:3])
def test_files_of_other_tools_are_mostly_read_by_pattern(name: str):
    source = open_source(needs_samples(*name.split("/")))
    contents = [source.bytes(path) for path in source.find("**/*.xml")][:100]
    layouts = learned(*contents[:10])
    assert sum(layouts.read(data) is not None for data in contents) > 0.8 * len(contents)


def test_a_learned_file_says_what_the_parser_says():
    data = USUAL.encode()
    quick = learned(data).read(data)
    assert quick is not None
    assert quick.notes == parsed(data)
    assert [note.label for note in quick.notes] == ["cat", "dog"]
    cat, dog = quick.notes
    assert cat.attributes == {
        "pose": "Left",
        "truncated": True,
        "difficult": False,
        "age": 7,
        "is_crowd": False,
    }
    assert dog.extra == {"voc": {"#without": ["pose", "truncated", "difficult"]}}
    assert quick.head["source"] == {"database": "Unknown"}
    assert quick.head["size"] == {"width": "64", "height": "48", "depth": "3"}


def test_objects_of_several_layouts_stand_in_one_file():
    cat, dog = USUAL.partition("  <object>")[2].split("  <object>")
    one = USUAL.replace(f"  <object>{dog}", "").replace("</object>\n\n", "</object>\n")
    two = USUAL.replace(f"  <object>{cat}", "")
    layouts = learned((one + ("" if "</annotation>" in one else "</annotation>")).encode())
    assert layouts.read(USUAL.encode()) is None
    layouts.learn(_xml.parse(MemorySource({}), "b.xml", two.encode()))
    quick = layouts.read(USUAL.encode())
    assert quick is not None
    assert quick.notes == parsed(USUAL.encode())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<name>dog", "<name>d&amp;g"),
        ("<name>dog", "<name>d<!-- -->og"),
        ("<name>dog", "<name>d<?x y?>og"),
        ("<name>dog", "<name><![CDATA[dog]]>"),
        ("<name>dog", "<name>d]]>og"),
        ("<name>dog", "<name>d>og"),
        ("<name>dog", "<name>dög"),
        ("<name>dog", "<name>d\rog"),
        ("<name>dog", "<name>\ndog\n"),
        ("<name>dog", "<name>"),
        ("<name>dog", "<name>d\0og"),
        ("<name>dog", "<name>d\x7fog"),
        ("<name>dog", '<name a="b">dog'),
        ("<name>dog", "<name >dog"),
        ("<annotation>", '<annotation verified="yes">'),
        ("<annotation>", '<annotation a="b">'),
        ("<annotation>", "<!DOCTYPE annotation><annotation>"),
        ("<annotation>", "text<annotation>"),
        ('encoding="utf-8"', 'encoding="utf-16"'),
        ('version="1.0"', 'version="1.1"'),
        ("</annotation>", "</annotation><annotation/>"),
        ("</annotation>", "</annotation>x"),
        ("</annotation>", "<label><name>x</name></label></annotation>"),
        ("</annotation>", "</annotations>"),
        ("</annotation>", "stray</annotation>"),
        ("<xmin>1<", "<xmin>1_0<"),
        ("<xmin>1<", "<xmin>nan<"),
        ("<xmax>3<", "<xmax>1e999<"),
        ("<xmin>1<", "<xmin><"),
        ("<xmin>1</xmin>", ""),
        ("<xmin>1</xmin>", "<xmin>1</xmin><xmin>1</xmin>"),
        ("<xmax>3<", "<xmax>inf<"),
        ("<name>age", "<name>pose"),
        ("<value>7", '<value type="text">7'),
    ],
)
def test_anything_unusual_goes_to_the_parser(old: str, new: str):
    layouts = learned(USUAL.encode())
    data = USUAL.replace(old, new, 1).encode()
    assert data != USUAL.encode()
    assert layouts.read(data) is None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<name>dog", "<name> d og "),
        ("<xmin>1<", "<xmin> 1e0 <"),
        ("<xmin>1<", "<xmin>0.1<"),
        ("<xmax>3<", "<xmax>0.7<"),
        ("<value>7", "<value>1e400"),
        ("<name>age", "<name>is_crowd"),
        ("<truncated>1", "<truncated> Yes "),
        ("<truncated>1", "<truncated>maybe"),
        ("\n", ""),
    ],
)
def test_what_is_unusual_only_in_its_texts_is_read_by_pattern(old: str, new: str):
    layouts = learned(USUAL.encode())
    data = USUAL.replace(old, new).encode()
    quick = layouts.read(data)
    assert quick is not None
    assert quick.notes == parsed(data)


@pytest.mark.parametrize(
    "objects",
    [
        "<object><name>a</name></object>",
        "<object><name>a</name><bndbox><xmin>1</xmin></bndbox></object>",
        "<object><name>a</name>{box}{box}</object>",
        "<object><name>a</name><name>b</name>{box}</object>",
        "<object><name>a</name>{box}<actions><jumping>1</jumping></actions></object>",
        "<object><name>a</name>{box}<part><name>head</name>{box}</part></object>",
        "<object><name>a</name>{box}<group>1</group></object>",
        "<object><name>a</name>{box}<note>1</note></object>",
        "<object><name>a</name><polygon><x1>1</x1></polygon>{box}</object>",
        "<object><name>a</name>{box}<attributes><x>1</x></attributes></object>",
        "<object><name>a</name>{box}<attributes><attribute><name>n</name></attribute>"  # noqa: ISC004
        "</attributes></object>",
        "<object><name>a</name><attributes><attribute><name>pose</name><value>x</value>"  # noqa: ISC004
        "</attribute></attributes>{box}<pose>y</pose></object>",
    ],
)
def test_objects_that_are_more_than_a_box_give_no_pattern(objects: str):
    box = "<bndbox><xmin>1</xmin><ymin>2</ymin><xmax>3</xmax><ymax>4</ymax></bndbox>"
    data = f"<annotation><size/>{objects.replace('{box}', box)}</annotation>".encode()
    assert learned(data).read(data) is None


# -- properties ----------------------------------------------------------------------------------

texts = st.text(st.characters(codec="utf-8", exclude_categories=("C",)), max_size=8)
numbers = st.one_of(st.floats(-1e4, 1e4).map(repr), st.integers(-9, 999).map(str), texts)
blanks = st.sampled_from(["", " ", "\n  ", "\t"])


@st.composite
def objects(draw: st.DrawFn) -> str:
    corners = "".join(f"<{tag}>{escape(draw(numbers))}</{tag}>" for tag in layouts._CORNERS)
    parts = [f"<name>{escape(draw(texts))}</name>", f"<bndbox>{corners}</bndbox>"]
    tags = draw(st.lists(st.sampled_from(["pose", "truncated", "occluded", "difficult", "x"])))
    values = [draw(st.one_of(st.sampled_from("01"), texts)) for _ in tags]
    parts += [f"<{tag}>{escape(value)}</{tag}>" for tag, value in zip(tags, values, strict=True)]
    more = draw(st.lists(st.tuples(texts, texts), max_size=2))
    if more:
        inner = "".join(
            f"<attribute><name>{escape(a)}</name><value>{escape(b)}</value></attribute>"
            for a, b in more
        )
        parts.append(f"<attributes>{inner}</attributes>")
    parts = draw(st.permutations(parts))
    return f"<object>{draw(blanks).join(['', *parts, ''])}</object>"


@st.composite
def documents(draw: st.DrawFn) -> bytes:
    head = [f"<filename>{escape(draw(texts))}</filename>", "<size><width>9</width></size>"]
    head += [
        f"<owner><name>{escape(draw(texts))}</name></owner>",
        "<folder/>",
        "<folder>a</folder>",
    ]
    chosen = draw(st.lists(st.sampled_from(head), max_size=4))
    inside = draw(st.lists(objects(), max_size=3))
    return draw(blanks).join(["<annotation>", *chosen, *inside, "</annotation>"]).encode()


@settings(max_examples=300, deadline=None)
@given(st.lists(documents(), min_size=1, max_size=4))
def test_datasets_are_read_the_same_by_pattern_and_by_parser(contents: list[bytes]):
    files = {f"Annotations/{n}.xml": data for n, data in enumerate([*contents, contents[0]])}
    by_pattern = walked(MemorySource(files), by_pattern=True)
    assert by_pattern == walked(MemorySource(files), by_pattern=False)


def test_damaged_files_are_read_the_same_by_pattern_and_by_parser():
    chance = random.Random(5)
    layouts = learned(USUAL.encode())
    taken = 0
    for _ in range(4000):
        data = bytearray(USUAL.encode())
        at = chance.randrange(len(data))
        data[at : at + chance.choice((0, 1, 1, 9))] = chance.choice(
            (b"", b"<", b">", b"&", b"1", b" ", b"</name>", b"<x/>", b"\r", chance.randbytes(1))
        )
        quick = layouts.read(bytes(data))
        if quick is not None:
            taken += 1
            assert quick.notes == parsed(bytes(data))
    assert taken > 200


def test_errors_of_later_files_still_tell_the_line(tmp_path: Path):
    (tmp_path / "Annotations").mkdir()
    for n in range(3):
        text = USUAL.replace("<xmin>1<", "<xmin>x<") if n == 2 else USUAL
        (tmp_path / "Annotations" / f"{n}.xml").write_text(text)
    error = walked(open_source(tmp_path), by_pattern=True)
    assert isinstance(error, str)
    assert "2.xml:18" in error.replace("\\", "/")
    assert "'xmin' should be a finite number, not 'x'" in error
