"""
Progress of long work: a bar with rate and time left on stderr, for what takes longer than 250 ms.

Only on a terminal, and gone when the work is done. rich is imported when the first bar is drawn.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dvcs import ui

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

DELAY = 0.25
"""Seconds of work before a bar appears."""


class Bars:
    """Draws the progress of work on stderr; a `dvcs.progress.Reporter`."""

    def __init__(self) -> None:
        self._progress: Progress | None = None
        self._shown = 0

    def __call__(self, doing: str, total: int | None, unit: str) -> "Bar":
        """Begin a piece of work."""
        return Bar(self, doing, total, unit)

    def show(self, doing: str, total: int | None, unit: str) -> "tuple[Progress, TaskID]":
        """Begin to draw a bar."""
        if self._progress is None:
            self._progress = _new_progress()
            self._progress.start()
        self._shown += 1
        description = ui.one_line(doing)[:60]
        return self._progress, self._progress.add_task(description, total=total, unit=unit)

    def hide(self, task: "TaskID") -> None:
        """Take a bar away."""
        if self._progress is None:
            return
        self._progress.remove_task(task)
        self._shown -= 1
        if not self._shown:
            self.stop()

    def stop(self) -> None:
        """Take all bars away."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None
            self._shown = 0


class Bar:
    """One piece of work; nothing is drawn before it has taken a while."""

    def __init__(self, bars: Bars, doing: str, total: int | None, unit: str) -> None:
        self._bars = bars
        self._what = (doing, total, unit)
        self._started = time.monotonic()
        self._done = 0
        self._drawn: tuple[Progress, TaskID] | None = None

    def advance(self, count: int = 1) -> None:
        """Say that `count` more units are done."""
        self._done += count
        if self._drawn is None:
            if time.monotonic() - self._started < DELAY:
                return
            self._drawn = self._bars.show(*self._what)
        progress, task = self._drawn
        progress.update(task, completed=self._done)

    def finish(self) -> None:
        """Say that the work has ended."""
        if self._drawn is not None:
            self._bars.hide(self._drawn[1])
            self._drawn = None


def _new_progress() -> "Progress":
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Rate(ProgressColumn):
        """Units a second."""

        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text(f"{speed:,.0f} {task.fields['unit']}/s" if speed else "")

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        Rate(),
        TimeRemainingColumn(),
        console=Console(stderr=True, no_color=not ui.colors(sys.stderr)),
        transient=True,
        refresh_per_second=8,
    )


@contextmanager
def progress() -> Iterator[None]:
    """Show the progress of everything inside, if stderr is a terminal and nobody wants quiet."""
    if ui.is_quiet() or not ui.is_terminal(sys.stderr):
        yield
        return
    from dvcs.progress import reporting

    bars = Bars()
    try:
        with reporting(bars):
            yield
    finally:
        bars.stop()
