"""Commits, differences and items as lines for people and values for programs."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from dvcs import ui
from dvcs.repository.message import parse
from dvcs.repository.refs import HEADS, REMOTES, TAGS

if TYPE_CHECKING:
    from dvcs.compare import ItemChange, Summary
    from dvcs.objects.gitobjects import Commit, Signature
    from dvcs.repository import Repository
    from dvcs.repository.working.worktree import LabelChanges

DIGITS = 10
SIGNS = {"added": "+", "removed": "-", "changed": "~", "moved": ">", "renamed": ">"}
NO_LABEL = "(no label)"
RELABELLED = 20
"""Pairs of labels that a table lists of those that became one another."""
ROLES = {"moved": "moved", "renamed": "moved"}


def short(oid: bytes) -> str:
    """Return the beginning of an id, as it is shown and may be typed."""
    return oid.hex()[:DIGITS]


# Commits


def when(signature: "Signature") -> datetime:
    """Return a signature's time in its own zone."""
    zone = timezone(timedelta(minutes=signature.zone))
    try:
        return datetime.fromtimestamp(signature.time, zone)
    except (OverflowError, OSError, ValueError):
        return datetime.fromtimestamp(0, zone)


def date(signature: "Signature") -> str:
    """Return a date as Git shows it: `Mon Nov 23 14:05:00 2026 +0100`."""
    at = when(signature)
    return f"{at:%a %b} {at.day} {at:%H:%M:%S %Y %z}"


def commit_report(oid: bytes, commit: "Commit") -> dict[str, Any]:
    """Return a commit as `dvcs log --json` has it."""
    message = parse(commit.message)
    return {
        "commit": oid.hex(),
        "parents": [parent.hex() for parent in commit.parents],
        "author": f"{commit.author.name} <{commit.author.email}>",
        "date": when(commit.author).isoformat(),
        "message": message.text,
        "operation": message.operation,
        "arguments": dict(message.arguments),
    }


def subject(commit: "Commit") -> str:
    """Return the first line of a commit's message."""
    return parse(commit.message).subject


def commit_lines(oid: bytes, commit: "Commit", names: Iterable[str] = ()) -> Iterator[str]:
    """Yield a commit as `dvcs log` shows it."""
    message = parse(commit.message)
    yield ui.paint(f"commit {oid.hex()}", "commit") + decoration(names)
    if len(commit.parents) > 1:
        yield f"Merge:  {' '.join(map(short, commit.parents))}"
    yield f"Author: {commit.author.name} <{commit.author.email}>"
    yield f"Date:   {date(commit.author)}"
    if message.operation and message.operation != "commit":
        yield f"Made by: {message.operation}{_arguments(message.arguments)}"
    yield ""
    for line in message.text.split("\n"):
        yield f"    {line}".rstrip()


def _arguments(arguments: Mapping[str, Any]) -> str:
    shown = [f"{name}={value}" for name, value in arguments.items() if value not in (None, {}, [])]
    return f" ({', '.join(shown)})" if shown else ""


def one_line(oid: bytes, commit: "Commit", names: Iterable[str] = ()) -> str:
    """Return a commit in one line."""
    return f"{ui.paint(short(oid), 'commit')}{decoration(names)} {ui.one_line(subject(commit))}"


def decoration(names: Iterable[str]) -> str:
    """Return the branches and tags at a commit, in brackets."""
    held = list(names)
    return f" ({', '.join(held)})" if held else ""


def decorations(repo: "Repository") -> dict[bytes, list[str]]:
    """Return the names of branches and tags, by the commit that they are at."""
    from dvcs.repository.revisions import peel

    head = repo.refs.head()
    found: dict[bytes, list[str]] = {}
    if isinstance(head, bytes):
        found[head] = [ui.paint("HEAD", "head")]
    for full, oid in repo.refs.all().items():
        if full.startswith(HEADS):
            label = ui.paint(full.removeprefix(HEADS), "branch")
            if full == head:
                found.setdefault(oid, []).insert(0, f"{ui.paint('HEAD ->', 'head')} {label}")
                continue
        elif full.startswith(TAGS):
            label = ui.paint(f"tag: {full.removeprefix(TAGS)}", "tag")
            oid = peel(repo, oid)  # noqa: PLW2901 - a tag object stands for its commit
        elif full.startswith(REMOTES):
            label = ui.paint(full.removeprefix(REMOTES), "remote")
        else:
            continue
        found.setdefault(oid, []).append(label)
    return found


# Differences


def change_lines(change: "ItemChange") -> Iterator[str]:
    """Yield what changed in an item, a line for each annotation."""
    from dvcs.compare import describe

    sign, role = SIGNS.get(change.status, "~"), ROLES.get(change.status, change.status)
    yield ui.paint(f"{sign} {item_name(change)}", role) + _item_details(change)
    if change.status in ("added", "removed") and change.annotations:
        count = ui.plural(len(change.annotations), "annotation")
        yield f"    {ui.paint(f'{sign} {count}: {_kinds(change)}', role)}"
        return
    for one in change.annotations:
        yield f"    {ui.paint(SIGNS[one.status], one.status)} {describe(one)}"


def item_name(change: "ItemChange") -> str:
    """Return the selector of a changed item, from what it was where it has moved."""
    name = selector(change.source, change.subset, change.id)
    return name if change.previous is None else f"{selector(*change.previous)} -> {name}"


def selector(source: str, subset: str, id: str) -> str:
    """Return the name of an item: SOURCE/SUBSET/ID; without a source outside of a repository."""
    return f"{source}/{subset}/{id}" if source else f"{subset}/{id}"


def _kinds(change: "ItemChange") -> str:
    from collections import Counter

    counts = Counter(one.annotation.kind for one in change.annotations)
    return ", ".join(f"{count:,} {kind}" for kind, count in counts.most_common())


def _item_details(change: "ItemChange") -> str:
    if not change.fields or change.status in ("added", "removed"):
        return ""
    named = ["format's own fields" if one == "extra" else one for one in change.fields]
    return f" ({', '.join(named)} changed)"


def summary_lines(
    summary: "Summary",
    labels: "Mapping[str, LabelChanges] | None" = None,
    policy: str | None = None,
) -> list[str]:
    """
    Return the numbers of a difference: `items: 3 changed`, `annotations: 2 added, 1 changed`.

    `policy` is the word for how `dvcs.toml` differs, if it does.
    """
    from dvcs.commands import _labels

    parts = []
    for noun, counts in (("item", summary.items), ("annotation", summary.annotations)):
        told = [
            f"{getattr(counts, status):,} {status}"
            for status in counts.__struct_fields__
            if getattr(counts, status)
        ]
        if told:
            parts.append(f"{noun}s: {', '.join(told)}")
    if summary.interpolated:
        follow = "follows" if summary.interpolated == 1 else "follow"
        parts.append(f"{ui.plural(summary.interpolated, 'interpolated shape')} {follow}")
    if summary.items_filled:
        parts.append(f"media facts learnt of {ui.plural(summary.items_filled, 'item')}")
    parts += _labels.lines(labels or {})
    if policy is not None:
        parts.append(f"dvcs.toml {policy}")
    return parts or ["no differences"]


def stat_lines(
    summary: "Summary",
    labels: "Mapping[str, LabelChanges] | None" = None,
    policy: str | None = None,
) -> list[str]:
    """Return a table of a difference by subset and by label."""
    rows = [
        (
            f" {subset}",
            ui.signed(counts.items.added, counts.items.removed, _touched(counts.items)),
            _notes(counts.annotations),
        )
        for subset, counts in summary.subsets.items()
    ]
    lines = ui.table(rows, header=(" subset", "items", "annotations")) if rows else []
    by_label = [
        (f" {label or NO_LABEL}", _notes(counts)) for label, counts in summary.labels.items()
    ]
    if by_label:
        lines += ["", *ui.table(by_label, header=(" label", "annotations"))]
    return [
        *lines,
        *_relabelled(summary),
        *([""] if lines else []),
        *(f" {one}" for one in summary_lines(summary, labels, policy)),
    ]


def _relabelled(summary: "Summary") -> list[str]:
    """Return what labels became which other ones, the most frequent first; not all of hundreds."""
    pairs = [
        (count, old or NO_LABEL, new or NO_LABEL)
        for old, targets in summary.relabelled.items()
        for new, count in targets.items()
    ]
    pairs.sort(key=lambda pair: (-pair[0], *pair[1:]))
    lines = [f" relabelled {old} -> {new}: {count:,}" for count, old, new in pairs[:RELABELLED]]
    if others := pairs[RELABELLED:]:
        more = sum(count for count, *_ in others)
        lines.append(
            f" ... and {more:,} in {len(others):,} other ways: 'dvcs diff --stat --json' lists them"
        )
    return lines


def _touched(counts: Any) -> int:
    total: int = counts.changed + counts.moved + counts.renamed
    return total


def _notes(counts: Any) -> str:
    return ui.signed(counts.added, counts.removed, counts.changed)
