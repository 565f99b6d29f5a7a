"""
What `diff -f simple -o DIR` and `diff -f tensorboard -o DIR` write: drawings, numbers, labels.

    DIR/                                simple
    ├── summary.txt                     what 'dvcs diff' and 'dvcs diff --stat' tell
    ├── diff.json                       what 'dvcs diff --json' writes
    ├── confusion.csv, confusion.png    which label became which, of the items that differ
    └── images/<source>/<subset>/<id>.jpg

    DIR/events.out.tfevents...          tensorboard: the same as texts, scalars and images
"""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from dvcs import ui
from dvcs.commands import _labels, _policy, _render
from dvcs.commands._drawn import Drawing, draw, unchanged
from dvcs.compare import ItemChange, Summary, Tally, item_report, summary_report
from dvcs.errors import RepositoryError, UsageError
from dvcs.names import quote
from dvcs.progress import track

if TYPE_CHECKING:
    from dvcs.commands._comparing import Compared
    from dvcs.commands._events import Events
    from dvcs.files import Sink
    from dvcs.model import Item

NONE, NO_LABEL = "(none)", "(no label)"
"""In a confusion: no annotation on that side; one without a label."""
MOST_LABELS = 40
"""Labels of the picture of a confusion; the table has all."""


class Found(NamedTuple):
    """Everything that differs, in memory; `titles` are what the sides are called."""

    changes: list[ItemChange]
    summary: Summary
    labels: "Any"
    policy: str | None
    titles: tuple[str, str]


class Output(Protocol):
    """Where drawings and numbers go."""

    def drawing(self, change: ItemChange, drawn: Drawing) -> None:
        """Take an item that was drawn."""

    def finish(self, found: Found, confusion: "Confusion") -> None:
        """Take the numbers."""


class Confusion:
    """How often annotations of one label are of another on the other side, or have none there."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()

    def add(self, change: ItemChange, item: "Item | None") -> None:
        """Count an item that differs; `item` is its new version, if it has one."""
        for one in change.annotations:
            old, new = (NONE if note is None else _name(note) for note in (one.before, one.after))
            self.counts[old, new] += 1
        for note in unchanged(change, item) if item is not None else ():
            self.counts[_name(note), _name(note)] += 1

    def table(self) -> tuple[list[str], list[list[int]]]:
        """Return the labels, those that differ most first, and the numbers: old by new."""
        apart: Counter[str] = Counter()
        for (old, new), count in self.counts.items():
            for name in {old, new}:
                apart[name] += count if old != new else 0
        names = [one for one, _ in sorted(apart.items(), key=lambda one: (-one[1], one[0]))]
        names.sort(key=lambda one: one == NONE)
        return names, [[self.counts[old, new] for new in names] for old in names]


def _name(note: Any) -> str:
    return note.label if note.label is not None else NO_LABEL


def write(
    found: "Compared", items: Iterable[ItemChange], output: "Output", *, most: int | None
) -> Summary:
    """Write a difference; of at most so many items drawings are made. Returns its numbers."""
    tally = Tally()
    changes: list[ItemChange] = []
    for change in items:
        tally.add(change)
        if change.is_change:
            changes.append(change)
    before, after = found.sides()
    confusion = Confusion()
    failed: Counter[str] = Counter()
    drawn = 0
    for change, item in track(_with_items(changes, before, after), "drawing", len(changes)):
        confusion.add(change, item if change.status != "removed" else None)
        if item is None or not change.annotations or (most is not None and drawn >= most):
            continue
        picture = draw(change, item)
        if picture.failed:
            failed[picture.failed] += 1
        output.drawing(change, picture)
        drawn += 1
    titles = before.title, after.title
    policy = _policy.word(*found.policy)
    output.finish(Found(changes, tally.summary(), found.labels, policy, titles), confusion)
    left = sum(bool(one.annotations) for one in changes) - drawn
    if left:
        ui.warn(f"{ui.plural(left, 'item')} more are counted, but not drawn (--max-items 0: all)")
    for why, count in failed.most_common(3):
        ui.warn(f"{ui.plural(count, 'item')} without a picture below: {why}")
    return tally.summary()


def _with_items(
    changes: Sequence[ItemChange], before: Any, after: Any
) -> "Iterator[tuple[ItemChange, Item | None]]":
    """Yield each change with its item: the new version, or the old one where that is gone."""
    for side, gone in ((after, False), (before, True)):
        wanted = {
            (one.source, one.subset, one.id): one
            for one in changes
            if (one.status == "removed") is gone
        }
        for item in side.items(list(wanted)):
            change = wanted.pop(item.key, None)
            if change is not None:
                yield change, item
        for change in wanted.values():
            yield change, None


@contextmanager
def opened(kind: str, folder: Path, *, force: bool) -> "Iterator[Output]":
    """
    Give where `simple` or `tensorboard` writes to: a folder, filled as a whole or not at all.

    Raises UsageError where the folder has something in it and not `force`.
    """
    from dvcs.commands import _events
    from dvcs.files import FolderSink

    if folder.is_dir() and any(folder.iterdir()) and not force:
        raise UsageError(f"'{folder}' is not empty", hint="choose another, or add to it: --force")
    try:
        with FolderSink(folder, update=force) as sink:
            if kind == "simple":
                yield Folder(sink)
            else:
                with sink.open(_events.file_name()) as stream:
                    yield Board(_events.Events(stream))
    except OSError as error:
        raise RepositoryError(f"'{folder}' cannot be written: {error.strerror or error}") from None


def report(found: Found) -> dict[str, Any]:
    """Return a difference as 'dvcs diff --json' has it."""
    return {
        "summary": summary_report(found.summary),
        "items": [item_report(one) for one in found.changes],
        "labels": _labels.report(found.labels),
        "policy": found.policy,
    }


class Folder:
    """The output of `simple`."""

    def __init__(self, sink: "Sink") -> None:
        self.sink = sink

    def drawing(self, change: ItemChange, drawn: Drawing) -> None:
        """Write one image."""
        parts = [quote(one) for one in (change.source, change.subset, change.id) if one]
        self.sink.bytes(f"images/{'/'.join(parts)}.jpg", drawn.data)

    def finish(self, found: Found, confusion: Confusion) -> None:
        """Write the numbers."""
        lines = [f"{found.titles[0]} -> {found.titles[1]}", ""]
        lines += [*_render.stat_lines(found.summary, found.labels, found.policy), ""]
        lines += [line for one in found.changes for line in _render.change_lines(one)]
        self.sink.lines("summary.txt", map(ui.plain, lines))
        self.sink.json("diff.json", {"dvcs.diff/1": report(found)}, indent=2)
        names, numbers = confusion.table()
        self.sink.text("confusion.csv", table_csv(names, numbers))
        if names:
            self.sink.bytes("confusion.png", table_picture(names, numbers)[0])


class Board:
    """The output of `tensorboard`."""

    def __init__(self, events: "Events") -> None:
        self.events = events

    def drawing(self, change: ItemChange, drawn: Drawing) -> None:
        """Write one image."""
        name = _render.selector(change.source, change.subset, change.id)
        self.events.image(f"diff/{name}", drawn.data, drawn.height, drawn.width)

    def finish(self, found: Found, confusion: Confusion) -> None:
        """Write the numbers."""
        events, summary = self.events, found.summary
        for noun, counts in (("items", summary.items), ("annotations", summary.annotations)):
            for status in counts.__struct_fields__:
                events.scalar(f"{noun}/{status}", getattr(counts, status))
        for label, by_label in summary.labels.items():
            for status in ("added", "removed", "changed"):
                name = f"labels/{label or NO_LABEL}/{status}"
                events.scalar(name, getattr(by_label, status))
        lines = [ui.plain(one) for one in _render.stat_lines(summary, found.labels, found.policy)]
        block = "\n".join(f"    {line}" for line in lines)  # Markdown for text as it stands
        events.text("summary", f"{found.titles[0]} -> {found.titles[1]}\n\n{block}")
        names, numbers = confusion.table()
        if names:
            events.text("confusion", table_markdown(names, numbers))
            data, height, width = table_picture(names, numbers)
            events.image("confusion", data, height, width)


# -- the confusion of labels ---------------------------------------------------------------------


def table_csv(names: Sequence[str], numbers: Sequence[Sequence[int]]) -> str:
    """Return a confusion as CSV: a row for each old label, a column for each new one."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["old \\ new", *names])
    writer.writerows([name, *row] for name, row in zip(names, numbers, strict=True))
    return text.getvalue()


def table_markdown(names: Sequence[str], numbers: Sequence[Sequence[int]]) -> str:
    """Return a confusion as a table in Markdown, with at most so many labels."""
    shown = [one.replace("|", "\\|") for one in names[:MOST_LABELS]]
    rows = [["old \\ new", *shown], ["---"] * (len(shown) + 1)]
    rows += [
        [name, *map(str, row[:MOST_LABELS])] for name, row in zip(shown, numbers, strict=False)
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def table_picture(names: Sequence[str], numbers: Sequence[Sequence[int]]) -> tuple[bytes, int, int]:
    """Return a confusion as a PNG, its height and width."""
    from dvcs.media import drawing, pixels

    picture = drawing.table(
        list(names[:MOST_LABELS]), [row[:MOST_LABELS] for row in islice(numbers, MOST_LABELS)]
    )
    return pixels.encode(picture, ".png"), picture.shape[0], picture.shape[1]
