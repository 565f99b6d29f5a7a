"""The page of `dvcs conflicts --html`: what is decided there is what `dvcs resolve` then does."""

import json
from pathlib import Path

import pytest

from dvcs.model import Bbox, Caption
from dvcs.repository import Repository
from dvcs.repository.merges import merging as merges
from dvcs.web.conflicts_page import write_conflicts
from tests.commands.cli import dvcs, ok
from tests.web.scenes import EVERYTHING, dataset, item

OUTLINE = EVERYTHING[3]


def box(x: float, y: float, label: str, id: int, **attributes: object) -> Bbox:
    return Bbox(x, y, 12.0, 10.0, label=label, id=id, attributes=attributes)


BASE = dataset(
    item(
        "a",
        box(5.0, 5.0, "cat", 1),
        box(30.0, 10.0, "dog", 2, lat=1.0),
        box(45.0, 30.0, "dog", 3),
        OUTLINE,
        Caption("a cat", id=8),
    ),
    item("b", box(5.0, 5.0, "cat", 11), seed=2),
    item("c", box(5.0, 5.0, "cat", 12), seed=3),
)
OURS = dataset(
    item(
        "a",
        box(10.0, 5.0, "cat", 1),
        box(30.0, 10.0, "cat", 2, lat=2.0),
        OUTLINE,
        Caption("a black cat", id=8),
        box(20.0, 32.0, "dog", 20),
    ),
    item("b", box(15.0, 5.0, "cat", 11), seed=2),
    item("c", box(5.0, 5.0, "cat", 12), seed=3),
)
THEIRS = dataset(
    item(
        "a",
        box(1.0, 5.0, "cat", 1),
        box(30.0, 10.0, "person", 2, lat=3.0),
        box(48.0, 30.0, "dog", 3),
        OUTLINE,
        Caption("a white cat", id=8),
        box(22.0, 33.0, "dog", 21),
    ),
    item("c", box(5.0, 9.0, "cat", 12), seed=3),
)
KEYS = ["3.deleted", "1.geometry", "2.label", "2.attributes.lat", "8.geometry", "new-20.added"]


@pytest.fixture
def merge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository in which a merge with seven conflicts is under way."""
    monkeypatch.chdir(tmp_path)
    with Repository.init(tmp_path / "repo") as repo:
        repo.commit(BASE, message="base", source="pets")
        repo.create_branch("topic", repo.resolve("main"))
        repo.commit(OURS, message="ours", source="pets")
        repo.commit(THEIRS, message="theirs", source="pets", branch="topic")
        done = merges.merge(repo, merges.Request(revision="topic"))
    assert done.status == "conflicts"
    assert [one.key for one in done.places[0].conflicts] == KEYS
    monkeypatch.chdir(tmp_path / "repo")
    return tmp_path / "repo"


@pytest.fixture
def page(merge: Path, browser):
    assert dvcs("conflicts", "--html", "p.html").code == 1
    return browser.open(merge / "p.html")


def saved(page, folder: Path) -> Path:
    """Save the decisions as a user does."""
    with page.page.expect_download() as download:
        page.press("w")
    assert download.value.suggested_filename == "decisions.json"
    target = folder / "decisions.json"
    download.value.save_as(target)
    return target


def notes() -> dict[int, Bbox]:
    with Repository() as repo:
        found = repo.item("main", "pets", "train", "a")
        assert found is not None
        return {note.id: note for note in found.annotations}


def test_every_conflict_is_decided_by_keys_and_resolved_as_saved(page, merge: Path):
    assert page.text(".item-name") == "pets/train/a"
    assert "0 of 7 conflicts decided" in page.text("header")
    page.press("t")  # 3 was deleted here, moved there
    page.press("o")  # 1: geometry
    page.press("b")  # 2: label
    page.press("v")  # 2: an attribute, typed
    page.page.keyboard.press("Control+A")
    page.page.keyboard.type("1.0")
    page.press("Enter")
    page.press("v")  # the caption
    page.page.keyboard.press("Control+A")
    page.page.keyboard.type('a "grey" cat')
    page.press("Enter")
    page.press("u")  # both of what was added
    assert page.text(".item-name") == "pets/train/b"
    page.press("t")  # the item was deleted there
    assert "7 of 7 conflicts decided" in page.text("header")
    assert page.text(".said") == "all is decided: save it"
    file = saved(page, merge)
    assert json.loads(file.read_text())["dvcs.conflicts/1"][1] == {
        "source": "pets",
        "subset": "train",
        "id": "b",
        "conflicts": [{"key": "item.deleted", "choice": "theirs"}],
    }
    assert ok("resolve", "--from", "decisions.json").startswith("decided 7 conflicts; 0 left")
    ok("merge", "--continue")
    found = notes()
    assert (found[3].x, found[1].x, found[2].label) == (48.0, 10.0, "dog")
    assert repr(found[2].attributes["lat"]) == "1.0"  # not 1, as a browser would write it
    assert found[8].caption == 'a "grey" cat'
    assert {20.0, 22.0} <= {note.x for note in found.values() if isinstance(note, Bbox)}
    with Repository() as repo:
        assert repo.item("main", "pets", "train", "b") is None


def test_the_three_versions_are_drawn_where_they_are(page):
    page.press("n", "j")
    assert "#1.geometry" in page.text(".conflict.current")
    rows = {
        side: page.attributes(f".pane.first g.{side}.strong .line rect", "x", "y")
        for side in ("base", "ours", "theirs")
    }
    assert rows == {"base": [[5.0, 5.0]], "ours": [[10.0, 5.0]], "theirs": [[1.0, 5.0]]}
    assert page.count(".pane.first g.same.polygon") == 1
    page.press("g")
    assert page.count(".pane.first g.same") == 0
    page.press("1")
    assert page.count(".pane.first g.base") == 0
    page.press("s")
    assert page.count(".pane.first g.theirs") == page.count(".pane.second g.ours") == 0
    assert page.count(".pane.second g.theirs.strong") == 1
    assert page.text(".pane.second .pane-title") == "theirs (topic)"


def test_a_label_in_conflict_is_shown_on_its_shape(page):
    page.press("j", "j")
    assert "#2.label" in page.text(".conflict.current")
    strong = page.attributes(".pane.first g.strong .line rect", "x", "y")
    assert strong == [[30.0, 10.0]] * 3
    chips = page.js("[...document.querySelectorAll('.chip')].map((one) => one.textContent)")
    assert chips == ["ours: cat", "theirs: person"]


def test_a_label_can_be_another_and_a_decision_taken_back(page, merge: Path):
    page.press("a", "j", "j", "v")  # stay, third conflict, a value
    page.page.keyboard.press("Control+A")
    page.page.keyboard.type("dog")
    page.press("Enter", "k", "o")
    assert "2 of 7" in page.text("header")
    page.press("r")
    assert "1 of 7" in page.text("header")
    file = saved(page, merge)
    (place,) = json.loads(file.read_text())["dvcs.conflicts/1"]
    assert place["conflicts"] == [{"key": "2.label", "choice": "value", "value": "dog"}]
    assert ok("resolve", "--from", "decisions.json").startswith("decided 1 conflict; 6 left")
    assert dvcs("conflicts", "--html", "rest.html").code == 1
    page.open(merge / "rest.html")
    assert "0 of 6 conflicts decided" in page.text("header")
    assert dvcs("conflicts", "--html", "all.html", "--all").code == 1
    page.open(merge / "all.html")
    assert "1 of 7 conflicts decided" in page.text("header")


def test_choices_that_make_no_sense_are_refused(page):
    page.press("v")
    assert page.text(".said") == '"value" does not make sense here'
    page.press("j", "j", "j", "v")
    page.page.keyboard.type("nonsense")
    page.press("Enter")
    assert "this is no JSON" in page.text(".conflict.current .wrong")
    assert "0 of 7 conflicts decided" in page.text("header")


def test_decisions_survive_a_reload(page, merge: Path):
    page.press("t", "o")
    page.page.reload()
    page.page.wait_for_selector("main")
    assert "2 of 7 conflicts decided" in page.text("header")
    assert page.page.locator(".conflict.decided").count() == 2


def test_decisions_are_copied_too(page):
    page.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.press("t")
    page.page.click("text=Copy")
    page.until("document.querySelector('.said').textContent === 'copied'")
    text = page.page.evaluate("navigator.clipboard.readText()")
    assert json.loads(text)["dvcs.conflicts/1"][0]["conflicts"] == [
        {"key": "3.deleted", "choice": "theirs"}
    ]


def test_conflicts_are_filtered_by_kind_and_label(page):
    page.page.select_option("select >> nth=0", "label")
    cards = page.js("[...document.querySelectorAll('.card')].map((one) => one.hidden)")
    assert cards == [False, True]
    page.page.select_option("select >> nth=0", "")
    page.page.select_option("select >> nth=2", "open")
    page.press("t", "t", "t", "t", "t", "t")
    assert page.text(".item-name") == "pets/train/b"


def test_nothing_left_to_decide_is_a_page_too(merge: Path, browser):
    ok("resolve", "--all", "--ours")
    done = dvcs("conflicts", "--html", "p.html")
    assert done.code == 0, done.err
    assert "Nothing is left to decide." in browser.open(merge / "p.html").text("main")


def test_a_revert_with_conflicts_has_a_page(merge: Path, browser):
    ok("merge", "--abort")
    with Repository() as repo:
        later = [one.with_(annotations=[box(40.0, 5.0, "cat", 11)]) for one in OURS][1]
        changed = [one if one.id != "b" else later for one in OURS]
        repo.commit(dataset(*changed), message="later", source="pets")
    assert dvcs("revert", "HEAD~1").code == 1
    with Repository() as repo:
        from dvcs.repository.merges import conflicts

        merging = conflicts.load(repo)
        write_conflicts(merge / "p.html", repo, merging, merging.open())
    page = browser.open(merge / "p.html")
    rows = {
        side: page.attributes(f".pane.first g.{side}.strong .line rect", "x")
        for side in ("base", "ours", "theirs")
    }
    assert rows == {"base": [[15.0]], "ours": [[40.0]], "theirs": [[5.0]]}


def test_votes_that_failed_are_shown_with_who_voted_and_decided(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, browser
):
    monkeypatch.chdir(tmp_path)
    labels = ("cat", "dog", "person")
    boxes = [
        [box(5.0 + n, 5.0, label, 1), box(40.0, 30.0, "cat", 9)] for n, label in enumerate(labels)
    ]
    boxes[1].append(box(25.0, 30.0, "dog", 2))
    with Repository.init(tmp_path) as repo:
        repo.commit(dataset(item("a")), message="base", source="pets")
        for name, held in zip(("ann", "bob", "eve"), boxes, strict=True):
            repo.create_branch(name, repo.resolve("main"))
            repo.commit(dataset(item("a", *held)), message=name, source="pets", branch=name)
    assert dvcs("merge", "ann", "bob", "eve", "--strategy", "vote").code == 1
    assert dvcs("conflicts", "--html", "p.html").code == 1
    page = browser.open(tmp_path / "p.html")
    told = page.text(".panel")
    assert "no quorum for one label" in told
    assert "drawn by fewer than the quorum" in told
    assert page.attributes(".pane.first g.ours.strong .line rect", "x", "y") == [[5.0, 5.0]]
    assert '{"ann": "cat"}' in told
    page.press("v")
    assert page.page.input_value(".conflict.current .value") == "cat"
    page.page.keyboard.press("Control+A")
    page.page.keyboard.type("dog")
    page.press("Enter")
    assert page.attributes(".pane.first g.theirs.strong .line rect", "x", "y") == [[25.0, 30.0]]
    page.press("t")
    with page.page.expect_download() as download:
        page.press("w")
    download.value.save_as(tmp_path / "decisions.json")
    assert ok("resolve", "--from", "decisions.json").startswith("decided 2 conflicts; 0 left")
    ok("merge", "--continue")
    with Repository() as repo:
        found = repo.item("main", "pets", "train", "a")
    assert sorted((note.x, note.label) for note in found.annotations) == [
        (6.0, "dog"),
        (25.0, "dog"),
        (40.0, "cat"),
    ]


WHO = ("ann", "bob", "eve", "kim")


def test_every_voter_is_drawn_in_a_colour_of_its_own_and_behind_a_switch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, browser
):
    monkeypatch.chdir(tmp_path)
    roles = ("ours", "theirs", "voter-3", "voter-4")
    labels = ("cat", "dog", "person", None)  # and kim has removed the item b
    with Repository.init(tmp_path) as repo:
        repo.commit(
            dataset(item("a"), item("b", box(1.0, 1.0, "cat", 5))), message="base", source="pets"
        )
        for n, (name, label) in enumerate(zip(WHO, labels, strict=True)):
            repo.create_branch(name, repo.resolve("main"))
            held = [item("a", *([] if label is None else [box(5.0 + n, 5.0, label, n + 1)]))]
            if name == "ann":
                held.append(item("b", box(2.0, 1.0, "cat", 5)))
            repo.commit(dataset(*held), message=name, source="pets", branch=name)
    assert dvcs("merge", *WHO).code == 1
    told = dvcs("conflicts").out
    assert "      have    ann\n      lack    bob, eve, kim" in told
    assert dvcs("conflicts", "--html", "p.html").code == 1
    page = browser.open(tmp_path / "p.html")

    def drawn() -> dict[str, list]:
        rows = {role: page.attributes(f".pane.first g.{role} .line rect", "x") for role in roles}
        return {role: at for role, at in rows.items() if at}

    assert page.text(".item-name") == "pets/train/a"
    assert drawn() == {"ours": [[5.0]], "theirs": [[6.0]], "voter-3": [[7.0]]}
    assert page.text(".legend").split() == ["base", *WHO, "unchanged"]
    assert "ann, bob, eve" in page.text(".conflict.current .voters >> nth=0")
    assert "kim" in page.text(".conflict.current .voters >> nth=1")
    colours = page.js(
        "[...document.querySelectorAll('.legend span')]"
        ".map((one) => getComputedStyle(one, '::before').borderTopColor)"
    )
    assert len(set(colours[1:5])) == 4
    swatches = page.js(
        "[...document.querySelectorAll('.conflict.current .voters span')]"
        ".map((one) => getComputedStyle(one, '::before').backgroundColor)"
    )
    assert swatches == [colours[1], colours[2], colours[3], colours[4]]
    page.press("5")  # eve off
    assert drawn() == {"ours": [[5.0]], "theirs": [[6.0]]}
    page.press("2", "5")  # ann off, eve on
    page.press("s")
    assert page.text(".pane.first .pane-title") == "bob"
    assert page.text(".pane.second .pane-title") == "eve"
    page.press("4", "2", "j")
    assert page.text(".item-name") == "pets/train/b"
    assert "an item removed by some" in page.text(".conflict.current")
    assert page.text(".conflict.current .voters >> nth=1").split()[1:] == ["bob,", "eve,", "kim"]
    assert page.text(".conflict.current .choices").replace("\n", " ").startswith("Ours")


def test_of_a_failed_vote_the_annotation_is_drawn_that_it_is_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, browser
):
    """Others give the same id and track to something else, and who gives no value has it too."""
    monkeypatch.chdir(tmp_path)
    other = box(25.0, 5.0, "cat", 5).with_(track=1)
    held = {
        "ann": [box(5.0, 5.0, "cat", 5).with_(track=1)],
        "bob": [other, box(6.0, 5.0, "cat", 7, a=1)],
        "eve": [box(7.0, 5.0, "cat", 9, a=2)],
    }
    with Repository.init(tmp_path) as repo:
        repo.commit(dataset(item("a")), message="base", source="pets")
        for name, notes in held.items():
            repo.create_branch(name, repo.resolve("main"))
            repo.commit(dataset(item("a", *notes)), message=name, source="pets", branch=name)
    assert dvcs("merge", *held, "--quorum", "0").code == 1
    assert "#5.attributes.a" in dvcs("conflicts").out
    assert dvcs("conflicts", "--html", "p.html").code == 1
    page = browser.open(tmp_path / "p.html")
    drawn = [
        page.attributes(f".pane.first g.{role}.strong .line rect", "x")
        for role in ("ours", "theirs", "voter-3")
    ]
    assert drawn == [[[5.0]], [[6.0]], [[7.0]]]
    assert page.text(".conflict.current .voters").split()[1:] == ["ann,", "bob,", "eve"]
