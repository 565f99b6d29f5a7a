"""XML is read without DTDs, entities and depth without end; what is written is escaped."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvcs.errors import FormatError, UnsafeName
from dvcs.files import FolderSource, MemorySource
from dvcs.formats import _xml

HOSTILE = {
    "bomb": b"""<!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;&x;&x;&x;&x;&x;&x;&x;&x;">
        <!ENTITY z "&y;&y;&y;&y;&y;&y;&y;&y;&y;&y;">]><a>&z;</a>""",
    "external entity": b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
    "network": b'<!DOCTYPE a SYSTEM "http://127.0.0.1:1/x.dtd"><a/>',
    "parameter entity": b'<!DOCTYPE a [<!ENTITY % p SYSTEM "file:///etc/passwd">%p;]><a/>',
    "plain doctype": b"<!DOCTYPE a><a/>",
    "utf-16 doctype": '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>'.encode("utf-16"),
    "entity in an attribute": b'<!DOCTYPE a [<!ENTITY x "y">]><a b="&x;"/>',
}


def parsed(data: bytes) -> _xml.Element:
    return _xml.parse(MemorySource({"a.xml": data}), "a.xml")


def streamed(data: bytes, *tags: str) -> list[_xml.Element]:
    return list(_xml.iterate(MemorySource({"a.xml": data}), "a.xml", tags or ("a",)))


@pytest.mark.parametrize("name", HOSTILE)
def test_a_doctype_is_refused(name: str):
    for read in (parsed, streamed):
        with pytest.raises(FormatError, match=r"memory/a\.xml"):
            read(HOSTILE[name])


@pytest.mark.parametrize("read", [parsed, streamed])
def test_a_bomb_in_a_large_file_is_refused_before_it_goes_off(read):
    entities = b"".join(
        b'<!ENTITY e%d "%s">' % (n, b"&e%d;" % (n - 1) * 10 if n else b"ha" * 100)
        for n in range(12)
    )
    with pytest.raises(FormatError):
        read(b"<!DOCTYPE a [" + entities + b"]><r>" + b"<a>&e11;</a>" * 10_000 + b"</r>")


@pytest.mark.parametrize("read", [parsed, streamed])
def test_nesting_is_limited(read):
    def nested(depth: int) -> bytes:
        return b"<a>" + b"<b>" * (depth - 1) + b"</b>" * (depth - 1) + b"</a>"

    read(nested(_xml.MAX_DEPTH))
    for depth in (_xml.MAX_DEPTH + 1, 255, 1000, 200_000):
        with pytest.raises(FormatError, match="nested"):
            read(nested(depth))


@pytest.mark.parametrize("read", [parsed, streamed])
@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"", 1),
        (b"\n\n<a>\n", 4),
        (b"<a>\n<b></a>", 2),
        (b"<a/>\n<a/>", 2),
        (b"<a>\n&nothing;</a>", 2),
        (b"<a>\n\xff</a>", 2),
        (b"<a \n b=1/>", 2),
        (b"{}", 1),
    ],
)
def test_what_is_not_xml_is_refused_with_its_line(read, data: bytes, line: int):
    with pytest.raises(FormatError, match=rf"memory/a\.xml:{line}: is not valid XML \(.+\)$"):
        read(data)


def test_streaming_yields_elements_in_order_and_lets_go_of_them():
    data = b"<r v='1'><meta><n>x</n></meta>" + b"<i k='1'><b/></i>\n<j/>" * 5000 + b"</r>"
    found = []
    for element in _xml.iterate(MemorySource({"a.xml": data}), "a.xml", ("meta", "i")):
        parent = element.getparent()
        assert parent is not None
        assert parent.get("v") == "1"
        assert len(parent) <= _xml.CHUNK // 10
        found.append((element.tag, len(element)))
    assert found == [("meta", 1)] + [("i", 1)] * 5000


def test_streaming_a_file_on_disk_tells_lines_beyond_65535(tmp_path: Path):
    (tmp_path / "big file ü.xml").write_bytes(b"<r>" + b"\n" * 70_000 + b"<i x='nan'/></r>")
    source = FolderSource(tmp_path)
    element = next(_xml.iterate(source, "big file ü.xml", ("i",)))
    with pytest.raises(FormatError, match=re.escape("big file ü.xml:70001: 'x' should be")):
        _xml.number(element, "@x")


def test_getters_return_checked_values():
    root = parsed(b"<a s=' x ' n='1.5' i='7'><t> y </t><f>2e1</f><i>12.0</i><b>Yes</b><e/></a>")
    assert _xml.text(root, "t") == "y"
    assert _xml.text(root, "@s") == " x "
    assert _xml.text(root, "e") == ""
    assert _xml.text(root, "nothing", None) is None
    assert _xml.number(root, "@n") == 1.5
    assert _xml.number(root, "f") == 20.0
    assert _xml.number(root, "@nothing", 3.0) == 3.0
    assert _xml.integer(root, "@i") == 7
    assert _xml.integer(root, "i") == 12
    assert _xml.flag(root, "b") is True
    assert _xml.flag(root, "e") is False
    assert _xml.flag(root, "nothing", None) is None


@pytest.mark.parametrize(
    ("getter", "value"),
    [
        *((_xml.number, value) for value in ("", "x", "nan", "1e999", "-inf", "1_0", "1,5")),
        *((_xml.integer, value) for value in ("", "1.5", "nan", "1e999", "9" * 5000, "1e300")),
        *((_xml.flag, value) for value in ("2", "-1", "maybe")),
    ],
)
def test_getters_refuse_other_values_with_their_line(getter, value: str):
    root = parsed(f"<a>\n<b>{value}</b>\n<c v='{value}'/></a>".encode())
    for element, name, line in ((root, "b", 2), (root[1], "@v", 3)):
        with pytest.raises(FormatError, match=rf"memory/a\.xml:{line}: '[bv]' should be"):
            getter(element, name)


def test_getters_say_what_is_missing_and_where():
    root = parsed(b"<a>\n<b/></a>")
    with pytest.raises(FormatError, match=r"a\.xml:2: <b> has no <c>"):
        _xml.number(root[0], "c")
    with pytest.raises(FormatError, match=r"a\.xml:1: <a> has no attribute 'd'"):
        _xml.text(root, "@d")


def test_records_come_back_as_they_were():
    data = b"<a><b x='1&amp;'>t</b><b/><c><d>1</d><d>2</d></c><e y='2'/> tail </a>"
    value = _xml.record(parsed(data))
    assert value == {
        "b": [{"@x": "1&", "#text": "t"}, ""],
        "c": {"d": ["1", "2"]},
        "e": {"@y": "2"},
    }
    writer = _xml.Writer()
    writer.record("a", value)
    assert _xml.record(parsed(writer.take().encode())) == value


def test_a_writer_indents_and_can_be_emptied_in_pieces():
    writer = _xml.Writer(declaration=True)
    writer.start("a", {"n": 1})
    writer.leaf("b", "x < y")
    first = writer.take()
    writer.start("c")
    writer.leaf("d", attributes={"q": '"'})
    writer.end()
    writer.end()
    assert first + writer.take() == (
        '<?xml version="1.0" encoding="utf-8"?>\n<a n="1">\n  <b>x &lt; y</b>\n'
        '  <c>\n    <d q="&quot;"/>\n  </c>\n</a>\n'
    )


@given(st.text())
def test_any_text_comes_back_or_is_refused(value: str):
    writer = _xml.Writer()
    if re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]", value):
        with pytest.raises(UnsafeName, match="XML cannot hold"):
            writer.leaf("a", value, {"b": value})
        return
    writer.leaf("a", value, {"b": value})
    root = parsed(writer.take().encode())
    assert (root.text or "") == value
    assert root.get("b") == value


@pytest.mark.parametrize("name", ["", "a b", "1", "-", "a>", "a/", "../x"])
def test_what_is_no_name_is_no_element(name: str):
    with pytest.raises(UnsafeName, match="element"):
        _xml.Writer().leaf(name)
    with pytest.raises(UnsafeName, match="element"):
        _xml.Writer().leaf("a", attributes={name: "x"})
