"""Pages in a real browser: Chromium, without a network, as a user would open them from a disk."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class Opened:
    """A page that is open, and what it did: console messages, errors, requests."""

    def __init__(self, page) -> None:
        self.page = page
        self.said: list[str] = []
        self.requests: list[str] = []
        page.on("console", lambda one: self.said.append(f"{one.type}: {one.text}"))
        page.on("pageerror", lambda error: self.said.append(f"error: {error}"))
        page.on("request", lambda one: self.requests.append(one.url))
        page.on("dialog", lambda one: (self.said.append(f"dialog: {one.message}"), one.dismiss()))

    def open(self, path: Path) -> "Opened":
        self.page.goto(path.resolve().as_uri())
        self.page.wait_for_selector("main")
        return self

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def js(self, expression: str):
        return self.page.evaluate(expression)

    def until(self, expression: str) -> None:
        """Wait until an expression is true; Playwright's own way is against the page's policy."""
        for _ in range(200):
            if self.js(expression):
                return
            self.page.wait_for_timeout(25)
        raise AssertionError(expression)

    def count(self, selector: str) -> int:
        return self.js(f"document.querySelectorAll({selector!r}).length")

    def text(self, selector: str) -> str:
        return self.page.locator(selector).inner_text()

    def attributes(self, selector: str, *names: str) -> list[list[float | str | None]]:
        """Return attributes of all elements that fit, numbers as such."""
        found = self.js(
            f"[...document.querySelectorAll({selector!r})]"
            f".map((one) => {list(names)!r}.map((name) => one.getAttribute(name)))"
        )
        return [[_number(value) for value in one] for one in found]

    @property
    def elsewhere(self) -> list[str]:
        """Requests for anything but files of this disk and what is in the page."""
        own = ("file:", "data:", "blob:")
        return [one for one in self.requests if not one.startswith(own)]


def _number(value):
    try:
        return float(value)
    except (TypeError, ValueError):
        return value


@pytest.fixture(scope="session")
def chromium() -> Iterator:
    """Chromium, started once; tests are skipped where there is none."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip(f"no browser: none of {', '.join(NAMES)} is on PATH")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def browser(chromium) -> Iterator[Opened]:
    """A browser with nothing open; a console message or a foreign request fails the test."""
    context = chromium.new_context(
        viewport={"width": 1400, "height": 850}, accept_downloads=True, offline=True
    )
    opened = Opened(context.new_page())
    yield opened
    context.close()
    assert opened.said == []
    assert opened.elsewhere == []
