"""The page of `dvcs diff --html`, as it works in a browser."""

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dvcs.errors import UsageError
from dvcs.files import BytesOrigin
from dvcs.media.pixels import encode
from dvcs.model import Bbox, Caption, Dataset, Label, Points, Polygon, PolyLine, RotatedBbox
from dvcs.web import pictures
from tests.gallery import HOLE, RING, bitmap
from tests.web.scenes import EVERYTHING, dataset, item, picture, write

OLD = dataset(
    item("a", *EVERYTHING),
    item("b", *EVERYTHING[:3], seed=2),
    item("gone", EVERYTHING[0], seed=3),
)
NEW = dataset(
    item(
        "a",
        Bbox(4.5, 2.25, 20.0, 12.0, label="dog", id=1, attributes={"occluded": False}),
        RotatedBbox(30.0, 20.0, 20.0, 10.0, 45.0, label="dog", id=2),
        EVERYTHING[2],
        Polygon([[[x + 1 for x in RING], HOLE]], label="cat", id=4),
        PolyLine([1.0, 1.0, 20.5, 9.0, 30.0, 1.0], label="cat", id=5),
        Points([16.5, 8.0, 20.0, 20.0, 25.0, 6.5], visibility=[2, 2, 1], label="person", id=6),
        bitmap((30, 6, 40, 22)).with_(label="dog", id=7),
        Caption("a dog & two cats", id=8),
        Label(label="dog", id=9),
    ),
    item("b", EVERYTHING[1], seed=2),
    item("fresh", Bbox(3.0, 3.0, 9.0, 9.0, label="cat", id=1), seed=4),
)
MINUS = "\N{MINUS SIGN}"
FIRST = ".pane.first g.shape"


@pytest.fixture(scope="module")
def everything(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("page") / "changes.html"
    write(path, OLD, NEW, notes=["label added: cyclist"])
    return path


@pytest.fixture
def page(browser, everything):
    return browser.open(everything)


def test_the_page_is_one_file_that_asks_for_nothing_else(page, everything: Path):
    assert [one.name for one in everything.parent.iterdir()] == ["changes.html"]
    assert {one.partition(":")[0] for one in page.requests} <= {"file", "data"}
    assert page.requests.count(everything.as_uri()) == 1


def test_every_shape_stands_where_the_annotation_says(page):
    box = ["x", "y", "width", "height"]
    assert page.attributes(f"{FIRST}.before.bbox .line rect", *box) == [[1.5, 2.25, 20.0, 10.0]]
    assert page.attributes(f"{FIRST}.after.bbox .line rect", *box) == [[4.5, 2.25, 20.0, 12.0]]
    turned = [*box, "transform"]
    assert page.attributes(f"{FIRST}.before.rotated_bbox .line rect", *turned) == [
        [20.0, 15.0, 20.0, 10.0, "rotate(30 30 20)"]
    ]
    assert page.attributes(f"{FIRST}.after.rotated_bbox .line rect", *turned) == [
        [20.0, 15.0, 20.0, 10.0, "rotate(45 30 20)"]
    ]
    paths = page.attributes(f"{FIRST}.before.polygon .line path", "d")
    assert paths == [
        [
            "M10.5 5.25L40 5.25L40 30.75L10.5 30.75ZM20 10L20 20L30 20L30 10Z",
        ],
        ["M50 1L60 1L60 9Z"],
    ]
    assert page.attributes(f"{FIRST}.after.polyline .line polyline", "points") == [
        ["1,1 20.5,9 30,1"]
    ]
    dots = f"{FIRST}.before.points .line .dot"
    assert page.attributes(dots, "data-x", "data-y") == [[15.5, 5.0], [25.0, 6.5]]
    joints = f"{FIRST}.before.points .line line"
    assert page.attributes(joints, "x1", "y1", "x2", "y2") == [[15.5, 5.0, 25.0, 6.5]]
    assert page.count(f"{FIRST}.after.points .line line") == 2
    assert page.js(f"document.querySelector({dots + ' title'!r}).textContent") == "nose"
    assert page.count(f"{FIRST}.ellipse") == 0


def test_what_did_not_change_is_shown_on_demand(page):
    page.press("u")
    ellipse = f"{FIRST}.same.ellipse .line ellipse"
    assert page.attributes(ellipse, "cx", "cy", "rx", "ry", "transform") == [
        [32.0, 24.0, 10.0, 5.0, "rotate(45 32 24)"]
    ]
    page.press("u")
    assert page.count(f"{FIRST}.same") == 0


def test_a_mask_is_drawn_as_its_runs_say(page):
    href, width, height = page.attributes(f"{FIRST}.after.mask image", "href", "width", "height")[0]
    assert (width, height) == (64.0, 48.0)
    drawn = np.array(Image.open(io.BytesIO(base64.b64decode(href.partition(",")[2]))))
    assert drawn.shape == (48 * 6, 64 * 6, 4)
    expected = np.zeros((48, 64), dtype=bool)
    expected[6:22, 30:40] = True
    assert ((drawn[::6, ::6, 3] > 0) == expected).all()
    assert (drawn[12 * 6 + 3, 35 * 6 + 3, 3], drawn[6 * 6, 30 * 6, 3]) == (80, 255)


def test_modes_show_before_after_or_both_by_keys(page):
    roles = (
        f"[...document.querySelectorAll({FIRST + '.bbox'!r})].map((one) => one.classList[1]).sort()"
    )
    assert page.js(roles) == ["after", "before"]
    page.press("1")
    assert page.js(roles) == ["before"]
    page.press("2")
    assert page.js(roles) == ["after"]
    page.press("s")
    assert page.js(roles) == ["before"]
    assert page.count(".pane.second g.shape.after.bbox") == 1
    assert page.text(".pane.first .pane-title") == "before: v1"
    page.press("3")
    assert not page.page.locator(".pane.second").is_visible()
    page.press("b")
    page.page.wait_for_selector(f"{FIRST}.before.bbox")
    page.page.wait_for_selector(f"{FIRST}.after.bbox")
    page.page.wait_for_selector(f"{FIRST}.before.bbox")
    page.press("b")
    assert page.js(roles) == ["after", "before"]


def test_keys_go_through_items_and_their_changes(page):
    assert page.text(".item-name") == "train/a"
    page.press("j")
    assert page.text(".item-name") == "train/b"
    assert page.count(f"{FIRST}.removed") == 2
    page.press("j", "j", "j")
    assert page.text(".item-name") == "train/fresh"
    assert page.text(".heading .badge") == "added"
    page.press("k", "k", "k")
    fitted = page.js("document.querySelector('.canvas').getAttribute('viewBox')")
    page.press("n")
    assert "bbox cat -> dog" in page.text("li.chosen")
    assert page.count(f"{FIRST}.lit") == 2
    assert page.js("document.querySelector('.canvas').getAttribute('viewBox')") != fitted
    page.press("0")
    assert page.js("document.querySelector('.canvas').getAttribute('viewBox')") == fitted


def test_fields_are_listed_with_old_and_new_values(page):
    rows = page.js(
        "[...document.querySelectorAll('.panel .fields tr')]"
        ".map((row) => [...row.querySelectorAll('th, bdi')].map((one) => one.textContent))"
    )
    assert rows == [["occluded", "true", "false"]]
    told = page.text(".panel")
    assert "bbox cat -> dog at 1.5, 2.2, 20 x 10: moved by 3.0, 0.0, now 20 % taller" in told
    assert "caption changed: 'a dog & a cat' -> 'a dog & two cats'" in told
    assert "1 annotation unchanged" in told


def test_counts_are_told_in_the_bar_and_by_label(page):
    parts = ("h1 .revision", ".total:nth-of-type(1) span", ".total:nth-of-type(2) span")
    assert [page.page.locator(part).all_inner_texts() for part in parts] == [
        ["v1", "v2"],
        ["1 added", "1 removed", "2 changed"],
        ["+1", f"{MINUS}3", "~8"],
    ]
    page.press("t")
    assert "label added: cyclist" in page.text(".counts-panel")
    rows = page.js(
        "[...document.querySelectorAll('.labels tr')].slice(1)"
        ".map((row) => [...row.children].slice(0, 4).map((one) => one.textContent))"
    )
    assert rows == [
        ["(no label)", "·", "·", "~1"],
        ["cat", "+1", f"{MINUS}2", "~2"],
        ["dog", "·", f"{MINUS}1", "~4"],
        ["person", "·", "·", "~1"],
    ]


def test_items_are_found_by_name_label_and_kind_of_change(page):
    def shown() -> list[str]:
        # A card is drawn a moment after it comes into view.
        page.until("!document.querySelector('.card:not([hidden]):empty')")
        return page.js(
            "[...document.querySelectorAll('.card:not([hidden]) .card-name')]"
            ".map((one) => one.textContent)"
        )

    assert shown() == ["train/a", "train/b", "train/gone", "train/fresh"]
    page.press("/")
    page.page.keyboard.type("GO")
    assert shown() == ["train/gone"]
    assert page.text(".count") == "1 of 4 items"
    page.page.fill("input[type=search]", "")
    page.page.select_option("select >> nth=0", "person")
    assert shown() == ["train/a"]
    page.page.select_option("select >> nth=0", "")
    page.page.select_option("select >> nth=1", "removed")
    assert shown() == ["train/b", "train/gone"]
    assert page.text(".item-name") == "train/b"


def test_wheel_and_drag_zoom_and_move(page):
    def view() -> list[float]:
        box = page.js("document.querySelector('.canvas').getAttribute('viewBox')")
        return [float(one) for one in box.split()]

    before = view()
    box = page.page.locator(".pane.first").bounding_box()
    page.page.mouse.move(box["x"] + 5, box["y"] + 5)
    page.page.mouse.wheel(0, -500)
    page.until(
        f"document.querySelector('.canvas').getAttribute('viewBox').split(' ')[2] < {before[2]}"
    )
    zoomed = view()
    assert zoomed[2] < before[2] * 0.6
    assert zoomed[0] == pytest.approx(before[0], abs=before[2] * 0.01)  # the corner stays
    page.page.mouse.down()
    page.page.mouse.move(box["x"] + 105, box["y"] + 55, steps=4)
    page.page.mouse.up()
    scale = zoomed[2] / page.js("document.querySelector('.canvas').clientWidth")
    assert view()[0] == pytest.approx(zoomed[0] - 100 * scale, abs=0.01)
    page.page.mouse.dblclick(box["x"] + 205, box["y"] + 155)
    assert view() == before


def test_a_replaced_picture_is_shown_on_its_side(browser, tmp_path: Path):
    first, second = item("a", EVERYTHING[0], seed=1), item("a", EVERYTHING[0], seed=9)
    marks = [
        one.with_(
            media=one.media.__class__(
                files=(one.media.files[0].__class__(ext=".png", sha256=str(n) * 64),),
                height=48,
                width=64,
            )
        )
        for n, one in enumerate((first, second), 1)
    ]
    write(tmp_path / "p.html", dataset(marks[0]), dataset(marks[1]))
    page = browser.open(tmp_path / "p.html")
    page.press("s")
    sides = [page.attributes(f".pane.{n} .picture", "href")[0][0] for n in ("first", "second")]
    shown = [
        np.array(Image.open(io.BytesIO(base64.b64decode(one.partition(",")[2])))) for one in sides
    ]
    wanted = [np.array(Image.open(io.BytesIO(picture(seed)))) for seed in (1, 9)]
    assert [(a == b).all() for a, b in zip(shown, wanted, strict=True)] == [True, True]
    assert "media" in page.text(".panel")


def test_items_without_pixels_are_drawn_on_an_empty_canvas(browser, tmp_path: Path):
    old = item("a", Bbox(1.0, 2.0, 3.0, 4.0, label="cat"), origins=())
    new = item("a", Bbox(2.0, 2.0, 3.0, 4.0, label="cat"), origins=())
    bare = item("b", Bbox(10.0, 20.0, 30.0, 40.0, label="cat"), origins=(), media=None)
    broken = item("c", Bbox(1.0, 1.0, 5.0, 5.0, label="cat"), data=b"\x89PNG\r\n\x1a\nnothing")
    done = write(tmp_path / "p.html", dataset(old), dataset(new, bare, broken))
    assert (done.pictures, done.failed) == (0, 1)
    page = browser.open(tmp_path / "p.html")
    assert page.attributes(".pane.first .paper", "width", "height") == [[64.0, 48.0]]
    assert page.text(".pane.first .why") == "the image is not at hand"
    assert page.count(f"{FIRST}.after.bbox") == 1
    page.press("j")
    assert page.text(".pane.first .why") == "the item has no media"
    assert page.attributes(".pane.first .paper", "width", "height") == [[42.0, 63.0]]
    page.press("j")
    assert page.text(".pane.first .why").startswith("the image cannot be shown: ")


def test_large_pages_keep_pictures_in_a_folder_that_works_from_a_disk(browser, tmp_path: Path):
    target = tmp_path / "a #1 50%.html"
    done = write(target, OLD, NEW, embed=False)
    assert done.folder == tmp_path / "a #1 50%_files"
    assert len(list(done.folder.iterdir())) == done.pictures == 4
    page = browser.open(target)
    loaded = page.js(
        """(async () => {
          const picture = new Image();
          picture.src = document.querySelector('.pane.first .picture').getAttribute('href');
          await picture.decode();
          return [picture.naturalWidth, picture.naturalHeight];
        })()"""
    )
    assert loaded == [64, 48]


def test_a_page_is_replaced_only_when_told_and_leaves_no_old_pictures(tmp_path: Path):
    target = tmp_path / "p.html"
    done = write(target, OLD, NEW, embed=False)
    (done.folder / "mine.txt").write_text("keep")
    old = {one.name for one in done.folder.iterdir()}
    with pytest.raises(UsageError, match="exists"):
        write(target, OLD, NEW)
    write(target, OLD, dataset(item("a", seed=7)), embed=False, force=True)
    left = {one.name for one in done.folder.iterdir()}
    assert "mine.txt" in left
    assert len(left & old) == 4  # mine.txt, and those of the items that were there before
    write(target, OLD, NEW, embed=True, force=True)
    assert [one.name for one in done.folder.iterdir()] == ["mine.txt"]


def test_a_page_is_not_written_through_a_link_nor_over_a_folder(tmp_path: Path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(UsageError, match="is a folder"):
        write(tmp_path / "folder", OLD, NEW, force=True)
    (tmp_path / "link.html").symlink_to(tmp_path / "elsewhere.html")
    with pytest.raises(UsageError, match="symbolic link"):
        write(tmp_path / "link.html", OLD, NEW, force=True)
    (tmp_path / "p_files").symlink_to(tmp_path / "folder")
    with pytest.raises(UsageError, match="is no folder"):
        write(tmp_path / "p.html", OLD, NEW)
    with pytest.raises(UsageError, match="there is no folder"):
        write(tmp_path / "none" / "p.html", OLD, NEW)
    assert list((tmp_path / "folder").iterdir()) == []
    assert not (tmp_path / "elsewhere.html").exists()


def test_what_is_left_out_is_counted_and_told(browser, tmp_path: Path):
    done = write(tmp_path / "p.html", OLD, NEW, max_items=1)
    assert (done.items, done.left_out) == (1, 3)
    page = browser.open(tmp_path / "p.html")
    assert page.text(".left-out").startswith("3 changed items more are not on this page")
    assert "1 removed" in page.text("header")
    assert page.count(".card") == 1


def test_a_page_without_changes_says_so(browser, tmp_path: Path):
    write(tmp_path / "p.html", OLD, OLD)
    assert "Nothing differs." in browser.open(tmp_path / "p.html").text("main")


def test_a_thousand_items_open_at_once_and_load_what_is_near(
    browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(pictures, "EMBEDDED", 0)
    rows = np.mgrid[:240, :320][0]

    def pixels(n: int) -> bytes:
        return encode(((rows + 7 * n) % 251).astype(np.uint8), ".png")

    notes = [Bbox(5.0 * n, 5.0, 4.0, 30.0, label="cat", id=n + 1) for n in range(10)]

    def version(held: list[Bbox]) -> Dataset:
        return dataset(
            *(
                item(f"{n:04}", *held, origins=(BytesOrigin(lambda n=n: pixels(n)),))
                for n in range(1000)
            )
        )

    done = write(tmp_path / "p.html", version(notes), version(notes[1:]))
    assert (done.items, done.pictures) == (1000, 251)
    page = browser.open(tmp_path / "p.html")
    page.page.wait_for_selector(".card .thumbnail")
    assert page.count(".card") == 1000
    assert 3 < page.count(".card .thumbnail") < 40
    assert len(page.requests) < 40
    page.js("document.querySelector('.rail').scrollTo(0, 1e9)")
    page.page.wait_for_selector(".card[data-at='999'] .thumbnail")
    assert page.count(".card .thumbnail") < 40
    assert page.count(".card[data-at='0'] .thumbnail") == 0
    assert len(page.requests) < 80
