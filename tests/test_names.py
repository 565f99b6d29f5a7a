"""Names: what is refused, and that quoting is safe, reversible and free of collisions."""

import unicodedata

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from dvcs import names
from dvcs.errors import UnsafeName

REFUSED = [
    *("../x", "a/../../x", "a/..", "..", "/abs", "C:\\x", "c:/x", "C:", "\\\\srv\\x", "..\\x"),
    *("a\\..\\..\\x", "x\0", "\0", "\udcff", "a\ud800b", "", ".", "./x", "x/.", "a/./b", "a//b"),
    *("a/", "a\\", "/", "\\", "//srv/x", "a\\\\b"),
]
# Odd, yet names that disks and datasets have: kept as they are, and quoted in a tree.
ACCEPTED = [
    *("x", "a/b/c", "...", "..x", "x..", ".hidden", "a/.hidden", "a b", " x ", "x.", "a:b", "1:2"),
    *("con", "aux.txt", "new\nline", "\x1b[31m", "\u202ereversed", "a\u200cb", "%41", "~", "-rf"),
    *("日本語", "🐈", "x" * 300, ".git", ".gitmodules", "a?b*c", '"', "'", "<>|", "\x7f"),
]
ids = st.text(min_size=1, max_size=300).map(lambda text: text.replace("\\", "/"))


def valid(text: str) -> str | None:
    try:
        return names.item_id(text)
    except UnsafeName:
        return None


@pytest.mark.parametrize("text", REFUSED)
def test_names_that_lead_out_or_nowhere_are_refused(text):
    with pytest.raises(UnsafeName) as caught:
        names.item_id(text)
    assert caught.value.hint
    str(caught.value).encode()  # fit to be shown, whatever it was


@pytest.mark.parametrize("text", ACCEPTED)
def test_odd_names_are_kept(text):
    assert names.item_id(text) == text
    assert names.item_id(f"folder/{text}") == f"folder/{text}"


def test_backslashes_are_slashes_and_accents_are_composed():
    assert names.item_id("a\\b\\c.jpg") == "a/b/c.jpg"
    assert names.item_id("e\u0301") == "\u00e9"
    assert names.item_id("ﬁ") == "ﬁ"


@given(st.text())
def test_an_id_is_an_id_already(text):
    once = valid(text)
    assume(once is not None)
    assert names.item_id(once) == once
    assert unicodedata.is_normalized("NFC", once)
    assert not {"", ".", ".."} & set(once.split("/"))


def test_a_simple_name_says_what_it_is_for():
    assert names.simple_name("train", "subset") == "train"
    with pytest.raises(UnsafeName, match="subset"):
        names.simple_name("../val", "subset")


PINNED = {
    "1": "1",
    "street/1": "street%2F1",
    ".hidden": "%2Ehidden",
    "a/.hidden": "a%2F.hidden",
    " x": "%20x",
    "x.": "x%2E",
    "x ": "x%20",
    ".": "%2E",
    "..": "%2E%2E",
    "...": "%2E.%2E",
    "a:b?": "a%3Ab%3F",
    "100%": "100%25",
    "%2F": "%252F",
    "con": "%63on",
    "CON.txt": "%43ON.txt",
    "con .txt": "%63on .txt",
    "console": "console",
    "com1": "%63om1",
    "com": "com",
    "lpt¹.x": "%6Cpt¹.x",
    "new\nline": "new%0Aline",
    "\x1b[31m": "%1B[31m",
    "é ñ": "é ñ",
    "x~": "x~",
    "\x7f": "%7F",
    "a" * 200: "a" * 200,
    "a" * 201: "a" * 159 + "~6f82e951f58a5d922ecae46ab7fcbfccecbc6849",
    "é" * 150: "é" * 79 + "~9758f974a14f6d41619afe2e2c193b524cc11d02",
    "~" + "0" * 40: "~" + "0" * 40 + "~beeaa08909a858c24086a9a2478f6e84c8550eb0",
}


@pytest.mark.parametrize("name", PINNED)
def test_quoted_names_are_pinned(name):
    assert names.quote(name) == PINNED[name]


@given(ids)
@example("%2F")
@example("a%")
@example("con/aux")
def test_quoting_is_undone(name):
    assume(valid(name) == name)
    quoted = names.quote(name)
    if not names.is_cut(quoted):
        assert names.unquote(quoted) == name
    else:
        assert len(quoted.encode()) <= names.LONGEST


@given(ids, ids)
@example("a" * 300, "a" * 300 + "b")
@example("a/b", "a%2Fb")
@example("con", "%63on")
def test_no_two_ids_have_one_quoted_name(a, b):
    assume(valid(a) == a)
    assume(valid(b) == b)
    assert (names.quote(a) == names.quote(b)) == (a == b)


@given(ids)
def test_a_cut_name_is_not_the_quoted_name_of_another_id(name):
    assume(valid(name) == name)
    quoted = names.quote(name)
    if names.is_cut(quoted):
        assert names.quote(quoted) != quoted


@given(ids)
@example("aux")
@example("nul.tar.gz")
@example("..")
@example("x" * 5000)
def test_quoted_names_are_safe_on_every_system(name):
    assume(valid(name) == name)
    quoted = names.quote(name)
    assert 0 < len(quoted.encode()) <= 200
    assert not set(quoted) & set('/\\<>:"|?*\0\x7f')
    assert not any(ord(one) < 32 for one in quoted)
    assert quoted[0] not in ". "
    assert quoted[-1] not in ". "
    assert not names.RESERVED.match(quoted)
    assert names.fits_windows(quoted)
    assert names.item_id(quoted) == quoted
    assert quoted.casefold() not in {".git", ".dvcs"}


@pytest.mark.parametrize("path", ["a:b", "con", "x/nul.txt", "x.", "x /y", "a\tb", "C:x", "what?"])
def test_windows_cannot_hold(path):
    assert not names.fits_windows(path)


@pytest.mark.parametrize("path", ["x", ".hidden", "100%", "a b/c", "é", "console.txt", "a.b/c.d"])
def test_windows_can_hold(path):
    assert names.fits_windows(path)


def test_the_second_of_two_files_with_one_stem_keeps_its_full_name():
    taken: set[str] = set()
    found = []
    for name in ("s/1.jpg", "s/1.png", "s/1.png.jpg", "s/1.jpg", "s/1.jpg", "s/1"):
        found.append(names.id_of_file(name, taken))
        taken.add(found[-1])
    assert found == ["s/1", "s/1.png", "s/1.png.jpg", "s/1.jpg", "s/1.jpg (2)", "s/1 (2)"]


@given(st.lists(st.sampled_from(["a.jpg", "a.png", "a", "a.jpg.png", "b/a.jpg", "a.jpg (2)"])))
def test_ids_of_files_are_unique(files):
    taken: set[str] = set()
    for name in files:
        one = names.id_of_file(name, taken)
        assert one not in taken
        taken.add(one)


@pytest.mark.parametrize(
    ("path", "stem", "ext"),
    [
        ("a/b.jpg", "a/b", ".jpg"),
        ("a.b/c", "a.b/c", ""),
        (".hidden", ".hidden", ""),
        ("a/.hidden", "a/.hidden", ""),
        ("a/.hidden.png", "a/.hidden", ".png"),
        ("x.tar.gz", "x.tar", ".gz"),
        ("x.", "x", "."),
    ],
)
def test_extensions(path, stem, ext):
    assert names.strip_extension(path) == stem
    assert names.extension(path) == ext


def test_label_keys_tell_names_and_ids_apart():
    assert names.label_key("cat") == "cat"
    assert names.label_key("c#") == "c##"
    assert names.label_key("cat", 7) == "cat#7"
    assert names.label_key("cat#7") != names.label_key("cat", 7)


@given(st.text(), st.integers() | st.none(), st.text(), st.integers() | st.none())
def test_label_keys_do_not_collide(a, m, b, n):
    assert (names.label_key(a, m) == names.label_key(b, n)) == ((a, m) == (b, n))


def test_names_that_a_disk_could_confuse_are_found():
    pairs = names.portable_collisions(["A.jpg", "a.jpg", "Straße", "STRASSE", "ﬁ", "fi", "b"])
    assert pairs == [("A.jpg", "a.jpg"), ("Straße", "STRASSE"), ("ﬁ", "fi")]
    assert names.portable_collisions(["a", "b", "a"]) == []
