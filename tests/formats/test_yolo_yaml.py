"""`data.yaml`, read strictly."""

import pytest

from dvcs.errors import FormatError
from dvcs.files import MemorySource
from dvcs.formats._yolo.yaml import dump, load


def read(text: str | bytes):
    data = text.encode() if isinstance(text, str) else text
    return load(MemorySource({"data.yaml": data}), "data.yaml")


def plain(text: str | bytes):
    return {key: node.plain() for key, node in read(text).items()}


def test_values_and_their_lines():
    nodes = read("train: images/train\nnames:\n  0: cat\n  1: dog\n")
    assert nodes["train"].value == "images/train"
    assert nodes["names"].line == 2
    assert [(key, one.value, one.line) for key, one in nodes["names"].value.items()] == [
        ("0", "cat", 3),
        ("1", "dog", 4),
    ]


def test_texts_stay_as_they_are_written():
    nodes = read("names: [no, 012, 1.0, 0x10, ~, 'a: b', 1_000, 2020-01-01]")
    assert [one.value for one in nodes["names"].value] == [
        *("no", "012", "1.0", "0x10", "~", "a: b", "1_000", "2020-01-01")
    ]


def test_plain_values():
    assert plain("a: 1\nb: 1.5\nc: true\nd:\ne: '1'\nf: [1, {g: x}]\nh: 010\ni: .inf\n") == {
        "a": 1,
        "b": 1.5,
        "c": True,
        "d": None,
        "e": "1",
        "f": [1, {"g": "x"}],
        "h": "010",
        "i": ".inf",
    }


def test_line_ends_and_byte_order_marks():
    assert plain(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n") == {"a": 1, "b": 2}
    assert plain("a: é\n".encode("utf-16")) == {"a": "é"}


def test_an_alias_of_one_value_is_followed():
    assert plain("train: &it images\nval: *it\n") == {"train": "images", "val": "images"}


BOMB = "a: &a [x, x]\n" + "".join(
    f"{new}: &{new} [*{old}, *{old}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (BOMB, r"data\.yaml:2: the alias '\*a' stands for more than a single value"),
        ("a: &a [*a]", "stands for more"),
        ("a: *nothing", "alias"),
        ("a: 1\nb: 2\na: 3", r"data\.yaml:3: has the key 'a' twice"),
        ("a: [1, 2", r"data\.yaml:2: is not valid YAML"),
        ("a: 1\n b: 2\n", r"data\.yaml:2: is not valid YAML"),
        ("[1, 2]", "is not a YAML mapping"),
        ("", "is not a YAML mapping"),
        ("a: 1\n---\nb: 2\n", "is not valid YAML"),
        ("? [1, 2]\n: x\n", "a key is not a single value"),
        ("a: " + "[" * 1000, "is nested too deeply"),
        ("a: b\0c", "is not valid YAML"),
        (b"a: \xff\n", "is not UTF-8"),
        ("a: " + "x" * (5 << 20), "is larger than 4 MiB"),
    ],
)
def test_what_is_refused(text, why):
    with pytest.raises(FormatError, match=why):
        read(text)


def test_tags_make_no_objects(tmp_path):
    target = tmp_path / "made"
    nodes = read(f"names: !!python/object/apply:pathlib.Path.touch ['{target}']\nnc: !!int '3'\n")
    assert [one.value for one in nodes["names"].value] == [str(target)]
    assert nodes["nc"].plain() == 3
    assert not target.exists()


def test_what_is_written_reads_back():
    values = {
        "train": "images/train",
        "names": {0: "no", 1: "a: b", 2: " é ", 3: "12", 4: "#x", 5: "x" * 300, 6: "~"},
        "flip_idx": [0, 2, 1],
    }
    nodes = read(dump(values))
    assert [one.value for one in nodes["names"].value.values()] == list(values["names"].values())
    assert nodes["flip_idx"].plain() == [0, 2, 1]
    assert list(nodes) == list(values)
