"""Pages of hostile data: nothing in a dataset runs, is loaded, or breaks a page."""

import json
import re
from pathlib import Path

import pytest

from dvcs.model import Bbox, Caption, Category, Dataset, Label, Labels, Mask, Other, Points
from dvcs.repository import Repository
from dvcs.repository.merges import merging
from dvcs.web.page import Block, json_block, write_page
from tests.commands.cli import dvcs, ok
from tests.web.scenes import item, write

PAYLOADS = (
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "--><img src=x onerror=alert(1)>",
    '"><img src=x onerror=alert(1)>',
    "<svg onload=alert(1)>",
    "<svg><script href=data:,alert(1) />",
    "javascript:alert(1)",
    "' onmouseover='alert(1)",
    '" onfocus="alert(1)" autofocus="',
    "<iframe srcdoc='<script>alert(1)</script>'>",
    "<img src=https://example.org/beacon.png>",
    "<link rel=stylesheet href=https://example.org/x.css>",
    "<style>@import 'https://example.org/x.css'</style>",
    "<base href=https://example.org/>",
    "<meta http-equiv=refresh content='0;url=https://example.org/'>",
    "<object data=https://example.org/></object>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "\u2028alert(1)\u2029",
    "${alert(1)} {{alert(1)}} `alert(1)`",
    "constructor",
    "__proto__",
    "toString",
    "hasOwnProperty",
    "url(https://example.org/x.png)",
    "\u202egnp.exe",
    "\\u003cscript\\u003ealert(1)",
    "]]><script>alert(1)</script>",
    "%3Cscript%3Ealert(1)%3C/script%3E",
    "<a href='javascript:alert(1)' id=page>x</a>",
)


def notes(text: str, shift: float) -> list:
    """Return annotations with a text wherever there may be one."""
    facts = {
        "label": text,
        "attributes": {text: text, "list": [text, shift]},
        "extra": {"coco": {text: text}},
    }
    return [
        Bbox(1.0 + shift, 2.0, 20.0, 20.0, id=text, track=text, **facts),
        Points([5.0 + shift, 5.0, 9.0, 9.0], id=f"p{text}", **facts),
        Caption(f"{text} {shift}", id=f"c{text}"),
        Label(id=f"l{text}", **facts),
        Other(text, {text: [text, shift]}, id=f"o{text}"),
    ]


def hostile(shift: float) -> Dataset:
    labels = Labels(
        Category(name=text, keypoints=(text, f"{text}2"), joints=((0, 1),)) for text in PAYLOADS
    )
    items = [
        item(
            # A name has no empty parts; everything else may be in one.
            f"{n:02} {text.replace('//', '/').strip('/')}",
            *notes(text, shift),
            subset=f"s {text.replace('/', '')}",
            attributes={text: f"{text} {shift}"},
        )
        for n, text in enumerate(PAYLOADS)
    ]
    return Dataset.from_items(items, labels)


def test_texts_of_a_dataset_are_shown_and_do_nothing(browser, tmp_path: Path):
    target = tmp_path / "p.html"
    write(target, hostile(0.0), hostile(3.0), notes=list(PAYLOADS))
    page = browser.open(target)
    known = {"SCRIPT", "META", "LINK", "STYLE"}
    before = page.js("[...document.querySelectorAll('*')].map((one) => one.tagName)")
    scripts = before.count("SCRIPT")
    for mode in ("u", "s", "b", "2", "3", "t"):
        page.press(mode)
    for n, text in enumerate(PAYLOADS):
        assert page.page.locator(".item-name").text_content().endswith(text.strip("/")[-5:])
        assert text in page.page.locator(".panel").text_content()
        assert page.count(".pane.first g.shape.bbox") == 2  # before and after
        page.press("n", "n", "p")
        if n + 1 < len(PAYLOADS):
            page.press("j")
    tags = page.js("[...document.querySelectorAll('*')].map((one) => one.tagName)")
    assert tags.count("SCRIPT") == scripts
    assert not {"IFRAME", "OBJECT", "EMBED", "BASE", "IMG", "A"} & set(tags)
    assert [tags.count(one) for one in sorted(known - {"SCRIPT"})] == [1, 5, 1]
    assert page.js("document.location.href").startswith(target.as_uri())


def test_the_shapes_of_a_hostile_dataset_are_counted_right(browser, tmp_path: Path):
    target = tmp_path / "p.html"
    write(target, hostile(0.0), hostile(3.0))
    page = browser.open(target)
    rows = page.js("document.querySelectorAll('.labels tr').length")
    assert rows == len(PAYLOADS) + 2  # the heading, and captions have no label
    assert page.count(".card") == len(PAYLOADS)


def test_conflicts_of_hostile_data_are_decided_and_resolved(
    browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)

    def version(shift: float) -> Dataset:
        labels = Labels(Category(name=text) for text in PAYLOADS)
        held = [
            Bbox(
                5.0 + shift, 2.0, 20.0, 20.0, id=text, label=text, attributes={text: [text, shift]}
            )
            for text in PAYLOADS
        ]
        return Dataset.from_items([item("a <b>'\"&", *held)], labels)

    with Repository.init(tmp_path) as repo:
        repo.commit(version(0.0), message="base", source="pets")
        repo.create_branch("a'<b>&", repo.resolve("main"))
        repo.commit(version(8.0), message="ours", source="pets")
        repo.commit(version(-4.0), message="theirs", source="pets", branch="a'<b>&")
        done = merging.merge(repo, merging.Request(revision="a'<b>&"))
        assert sum(len(one.conflicts) for one in done.places) == 2 * len(PAYLOADS)
    assert dvcs("conflicts", "--html", "p.html").code == 1
    page = browser.open(tmp_path / "p.html")
    for _ in PAYLOADS:
        page.press("t", "o")
    assert f"{2 * len(PAYLOADS)} of {2 * len(PAYLOADS)}" in page.text("header")
    tags = page.js("[...document.querySelectorAll('*')].map((one) => one.tagName)")
    assert not {"IFRAME", "OBJECT", "EMBED", "BASE", "IMG", "A"} & set(tags)
    with page.page.expect_download() as download:
        page.press("w")
    download.value.save_as(tmp_path / "decisions.json")
    told = ok("resolve", "--from", "decisions.json")
    assert told.startswith(f"decided {2 * len(PAYLOADS)} conflicts; 0 left")


@pytest.mark.parametrize(
    "counts", ["", "0", "oooooooooooo", "PPPPPPPPPPPP", "\x7f\xff", "1" * 5000, "k" * 3]
)
def test_a_mask_of_nonsense_is_drawn_as_nothing_or_something(browser, tmp_path: Path, counts: str):
    from dvcs.compare import AnnotationChange, ItemChange
    from dvcs.web.diff_page import write_diff
    from dvcs.web.sides import DatasetSide

    mask = Mask((48, 64), counts, label="cat")
    change = ItemChange(
        source="",
        subset="train",
        id="a",
        status="changed",
        annotations=(AnnotationChange(status="added", after=mask),),
    )
    side = DatasetSide({"": Dataset.from_items([item("a")])}, "x")
    write_diff(tmp_path / "p.html", [change], side, side)
    page = browser.open(tmp_path / "p.html")
    assert page.count(".panel li") == 1


def test_the_policy_forbids_scripts_that_are_not_the_page_s_own(chromium, tmp_path: Path):
    """Should a text ever become an element, the browser refuses to run it."""
    target = tmp_path / "p.html"
    write(target, hostile(0.0), hostile(3.0))
    page = chromium.new_page()
    said: list[str] = []
    page.on("console", lambda one: said.append(one.text))
    page.on("dialog", lambda one: (said.append("dialog"), one.dismiss()))
    failed: list[tuple[str, str]] = []
    page.on("requestfailed", lambda one: failed.append((one.url, one.failure)))
    answered: list[str] = []
    page.on("response", lambda one: answered.append(one.url))
    page.goto(target.as_uri())
    page.evaluate(
        """() => {
          const box = document.createElement("div");
          box.innerHTML = "<img src=data:x onerror=alert(1)><style>*{color:red}</style>"
            + "<img src=https://example.org/a.png><iframe src=https://example.org/></iframe>";
          document.body.append(box);
          const script = document.createElement("script");
          script.textContent = "alert(2)";
          document.body.append(script);
        }"""
    )
    page.wait_for_timeout(300)
    assert "dialog" not in said
    assert sum("Content Security Policy" in one for one in said) >= 4
    assert ("https://example.org/a.png", "csp") in failed
    assert not [one for one in answered if one.startswith("http")]
    page.close()


def test_no_text_ends_a_block():
    text = "".join(PAYLOADS)
    data = json_block("x", {text: [text]}).data
    assert not re.search(rb"[<>&]", data)
    assert json.loads(data) == {text: [text]}


def test_a_title_is_escaped(tmp_path: Path):
    write_page(tmp_path / "p.html", PAYLOADS[1], ["diff.js"], [Block("page", b"{}")])
    assert b"<title>&lt;/script&gt;&lt;script&gt;alert" in (tmp_path / "p.html").read_bytes()
