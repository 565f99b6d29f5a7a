"""The documentation says what the code does."""

import re
import sys

import pytest

from tests.conftest import ROOT

sys.path.insert(0, str(ROOT / "tools"))
import generate_docs
import make_picture

LINK = re.compile(r"\]\(([^)#:]+?)(?:#[^)]*)?\)")
PAGES = sorted(path for path in ROOT.glob("**/*.md") if ".venv" not in path.parts)


def test_generated_pages_are_as_the_code_has_them():
    assert generate_docs.stale() == []


def test_the_picture_is_what_dvcs_prints():
    assert make_picture.draw() == make_picture.PICTURE.read_text("utf-8")


def test_the_picture_needs_nothing_from_elsewhere():
    text = make_picture.PICTURE.read_text("utf-8")
    assert re.findall(r"\w+://[^\"]*", text) == ["http://www.w3.org/2000/svg"]
    assert not re.search(r"<script|<style|href|@import|url\(", text)


@pytest.mark.parametrize("page", PAGES, ids=[str(path.relative_to(ROOT)) for path in PAGES])
def test_links_lead_somewhere(page):
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    missing = [link for link in LINK.findall(text) if not (page.parent / link).exists()]
    assert missing == []


def test_every_module_that_the_architecture_names_is_there():
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    names = re.findall(r"`(dvcs/[\w/]+(?:\.py|/))`", text)
    assert names
    assert [name for name in names if not (ROOT / name).exists()] == []
