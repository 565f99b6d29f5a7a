"""`dvcs info`: what is in a revision or a dataset."""

from typing import TYPE_CHECKING

import click

from dvcs import ui
from dvcs.commands._base import command as declare
from dvcs.commands._base import json_option
from dvcs.commands._types import RevisionType

if TYPE_CHECKING:
    from dvcs.commands._summary import Contents

MOST = 20


@declare(
    "info",
    examples=(
        "dvcs info",
        "dvcs info v1.0:coco",
        "dvcs info ./VOC2012:voc",
        "dvcs info --json main",
    ),
)
@click.argument("what", type=RevisionType(), default="HEAD", metavar="[REV | ./PATH[:FORMAT]]")
@click.option("--all", "show_all", is_flag=True, help="All labels, not only the most frequent.")
@json_option
def command(what: str, show_all: bool, as_json: bool) -> None:
    """
    Summarise a revision or a dataset.

    Counts items by subset, annotations by type and label, and media files. A dataset on disk is
    named by a path that begins with './' or '/'.
    """
    from dvcs.commands._selectors import on_disk, opened
    from dvcs.commands._summary import Contents

    contents = Contents()
    place = on_disk(what)
    if place is None:
        head = _revision(contents, what)
    else:
        with opened(place) as dataset:
            contents.add(dataset, "")
            head = {"format": dataset.format}
    if as_json:
        ui.emit_json("dvcs.info/1", {**head, **contents.report()})
        return
    said = {name: one["licence"] for name, one in contents.sources.items() if "licence" in one}
    for name, licence in said.items():
        head["licence" if len(contents.sources) == 1 else f"licence of {name}"] = licence
    for line in ui.table([*head.items()]):
        ui.out(line)
    ui.page(contents.lines(None if show_all else MOST))


def _revision(contents: "Contents", what: str) -> dict[str, str]:
    from dvcs.commands._selectors import parse, repository_for

    with repository_for(what) as repo:
        oid, source = parse(repo, what)
        snapshot = repo.snapshot(oid)
        for name in [source] if source else snapshot.sources:
            contents.add(snapshot.dataset(name, repo.media_access), name)
            licence = snapshot.info(name).licence
            if licence:
                contents.sources[name]["licence"] = licence
        return {"commit": oid.hex()}
