"""`dvcs log`: the history, of everything or of one source, subset or item."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

import click

from dvcs import ui
from dvcs.commands._base import command as declare
from dvcs.commands._base import json_option, rest, with_repo
from dvcs.commands._types import RevisionType

if TYPE_CHECKING:
    from dvcs.repository import Repository
    from dvcs.repository.history import Entry


@declare(
    "log",
    rest=True,
    examples=(
        "dvcs log",
        "dvcs log --oneline --graph",
        "dvcs log --stat main~5..main",
        "dvcs log --label cat",
        "dvcs log -- coco/train/000000391895",
        "dvcs log --follow -- coco/train/000000391895",
    ),
)
@click.argument("revisions", type=RevisionType(), nargs=-1, metavar="[REV | A..B]...")
@click.option("-n", "--max-count", type=click.IntRange(min=0), help="Show so many commits only.")
@click.option("--oneline", is_flag=True, help="One line for each commit.")
@click.option("--graph", is_flag=True, help="Draw how the commits follow each other.")
@click.option("--stat", is_flag=True, help="Count what each commit changed.")
@click.option("--all", "everything", is_flag=True, help="Of all branches and tags.")
@click.option("--label", metavar="NAME", help="Only what changed a label, or annotations of it.")
@click.option("--follow", is_flag=True, help="Follow an item to where it was moved or renamed.")
@json_option
@with_repo
def command(
    repo: "Repository",
    /,
    *,
    revisions: tuple[str, ...],
    max_count: int | None,
    oneline: bool,
    graph: bool,
    stat: bool,
    everything: bool,
    label: str | None,
    follow: bool,
    as_json: bool,
) -> None:
    """
    Show the history.

    The newest commit comes first. A..B are the commits of B that are not in A. After a lone '--'
    stands what the history is wanted of: SOURCE, SOURCE/SUBSET or SOURCE/SUBSET/ID; then only
    commits that changed it are shown. A label is known by what it is called now, and found under
    the names that it had before.
    """
    from dvcs.commands import _render
    from dvcs.commands._graph import Graph
    from dvcs.commands._history import entries

    found: Iterable[Entry] = entries(
        repo, revisions, rest(), everything=everything, label=label, follow=follow
    )
    found = islice(found, max_count)
    if as_json:
        ui.emit_json("dvcs.log/1", [_render.commit_report(*entry) for entry in found])
        return
    names = _render.decorations(repo)
    drawn = Graph() if graph else None

    def lines() -> Iterator[str]:
        for n, entry in enumerate(found):
            held = names.get(entry.oid, ())
            if oneline:
                texts = iter([_render.one_line(*entry, held)])
            else:
                texts = _render.commit_lines(*entry, held)
                if n and drawn is None:
                    yield ""
            block = [*texts, *(_stat(repo, entry) if stat else ())]
            if drawn is not None and not oneline:
                block.append("")
            yield from drawn.draw(entry, block) if drawn is not None else block

    ui.page(lines())


def _stat(repo: "Repository", entry: "Entry") -> list[str]:
    from dvcs.commands import _labels, _render
    from dvcs.compare import summarise
    from dvcs.repository.diffing import diff

    old = entry.commit.parents[0] if entry.commit.parents else None
    labels = _labels.between(repo, old, entry.oid)
    return ["", *_render.stat_lines(summarise(diff(repo, old, entry.oid)), labels)]
