"""`dvcs info`: what is in a revision or a dataset."""

from contextlib import ExitStack
from typing import TYPE_CHECKING

import click

from dvcs import ui
from dvcs.commands._base import command as declare
from dvcs.commands._base import json_option, rest
from dvcs.commands._types import RevisionType

if TYPE_CHECKING:
    from dvcs.commands._selectors import OnDisk
    from dvcs.commands._summary import Contents

MOST = 20


@declare(
    "info",
    rest=True,
    examples=(
        "dvcs info",
        "dvcs info v1.0:coco",
        "dvcs info ./VOC2012:voc",
        "dvcs info ./labels:yolo -- --image-size 640x480",
        "dvcs info --json main",
    ),
)
@click.argument("what", type=RevisionType(), default="HEAD", metavar="[REV | ./PATH[:FORMAT]]")
@click.option("--all", "show_all", is_flag=True, help="All labels, not only the most frequent.")
@json_option
def command(what: str, show_all: bool, as_json: bool) -> int | None:
    """
    Summarise a revision or a dataset.

    Counts items by subset, annotations by type and label, and media files. A dataset on disk is
    named by a path that begins with './' or '/'; its reader's own options stand after a lone '--'.
    """
    from dvcs.commands._selectors import on_disk, read_all, unread
    from dvcs.commands._summary import Contents

    contents = Contents()
    place = on_disk(what)
    arguments = rest()
    if arguments and (told := _options_told(place, arguments)) is not None:
        return told
    if place is None:
        head = _revision(contents, what)
    else:
        with ExitStack() as stack:
            (dataset,), _ = read_all([unread(stack, place)], arguments)
            contents.add(dataset, "")
            head = {"format": dataset.format}
    if as_json:
        ui.emit_json("dvcs.info/1", {**head, **contents.report()})
        return None
    said = {name: one["licence"] for name, one in contents.sources.items() if "licence" in one}
    for name, licence in said.items():
        head["licence" if len(contents.sources) == 1 else f"licence of {name}"] = licence
    for line in ui.table([*head.items()]):
        ui.out(line)
    ui.page(contents.lines(None if show_all else MOST))
    return None


def _options_told(place: "OnDisk | None", arguments: list[str]) -> int | None:
    """Say which options there are, if that is asked. Raises UsageError for those of a revision."""
    from dvcs.commands import _options, _takers

    if place is None:
        _takers.share([], arguments)
    elif _options.asked_for_help(arguments):
        return _options.show_help(_options.format_at(*place), "reading")
    return None


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
