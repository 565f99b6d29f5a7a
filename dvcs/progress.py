"""
How long work tells that it goes on, without knowing of a terminal.

The library calls `track(...)`; who wants to show it sets a reporter (`ui.py` does). Without one
nothing happens.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol, TypeVar

T = TypeVar("T")
STEP = 256


class Task(Protocol):
    """One piece of work under way."""

    def advance(self, count: int = 1) -> None:
        """Say that `count` more units are done."""

    def finish(self) -> None:
        """Say that the work has ended, complete or not."""


Reporter = Callable[[str, int | None, str], Task]
"""Called with what is done ("reading items"), how many units (None = unknown), and the unit."""

_reporter: ContextVar[Reporter | None] = ContextVar("reporter", default=None)


@contextmanager
def reporting(reporter: Reporter | None) -> Iterator[None]:
    """Send the progress of everything inside to `reporter`."""
    token = _reporter.set(reporter)
    try:
        yield
    finally:
        _reporter.reset(token)


def track(
    things: Iterable[T], doing: str, total: int | None = None, unit: str = "items"
) -> Iterator[T]:
    """Pass `things` through, reporting each; costs nothing where nobody listens."""
    reporter = _reporter.get()
    if reporter is None:
        yield from things
        return
    task = reporter(doing, total, unit)
    count = 0
    try:
        for thing in things:
            yield thing
            count += 1
            if count == STEP:
                task.advance(count)
                count = 0
    finally:
        task.advance(count)
        task.finish()
