"""`dvcs formats`: the formats, and the manual of each."""

import sys
from collections.abc import Iterator
from inspect import cleandoc
from typing import TYPE_CHECKING, Any

import click

from dvcs import ui
from dvcs.commands._base import command as declare
from dvcs.commands._base import json_option
from dvcs.commands._types import FormatType

if TYPE_CHECKING:
    from dvcs.formats import Format


@declare("formats", examples=("dvcs formats", "dvcs formats coco", "dvcs formats --json"))
@click.argument("name", type=FormatType(), required=False)
@json_option
def command(name: str | None, as_json: bool) -> None:
    """
    List the formats, or explain one.

    With a NAME: how its files are laid out, what it can hold of annotations, labels and media, and
    its options for reading and writing, which are given after a lone '--'.
    """
    from dvcs import formats

    chosen = (formats.find(name),) if name else formats.all_formats()
    if as_json:
        ui.emit_json("dvcs.formats/1", [_report(one) for one in chosen])
    elif name:
        ui.page(_manual(chosen[0]))
    else:
        ui.page(_overview(chosen))


def _overview(chosen: "tuple[Format, ...]") -> Iterator[str]:
    rows = [(ui.paint(one.name, "name"), one.title, _ways(one), _holds(one)) for one in chosen]
    yield from ui.table(rows, header=("name", "format", "", "holds"))


def _ways(format: "Format") -> str:
    if format.read is None:
        return "write"
    return "read" if format.write is None else "read, write"


def _holds(format: "Format") -> str:
    media = sorted(format.media - {"image"})
    return ", ".join([*sorted(format.kinds), *media]) or "images"


def _manual(format: "Format") -> Iterator[str]:
    from dvcs.commands import _manuals

    yield f"{ui.paint(format.title, 'title')} ({format.name})"
    if format.url:
        yield format.url
    yield ""
    yield from cleandoc(_module_text(format)).split("\n")
    yield ""
    yield ui.paint("What it can hold", "title")
    yield from ui.table([(f"  {of}", which) for of, which in _manuals.held(format)])
    yield ""
    yield f"dvcs can {_ways(format).replace(', ', ' and ')} it."
    if format.aliases:
        yield f"Also called: {', '.join(format.aliases)}."
    any_options = False
    for title, function in (("reading", format.read), ("writing", format.write)):
        if function is None:
            continue
        lines = _manuals.options(function)
        any_options = any_options or bool(lines)
        yield ""
        yield ui.paint(f"Options for {title}, after a lone '--'", "title")
        yield from lines or ["  (none)"]
    if any_options:
        yield ""
        yield "Where a command reads and writes, each option goes to the format that knows it."


def _module_text(format: "Format") -> str:
    function = format.read or format.write
    module = sys.modules.get(getattr(function, "__module__", ""))
    return (module.__doc__ if module else None) or ""


def _report(format: "Format") -> dict[str, Any]:
    from dvcs.formats import options_of

    ways = {"read": format.read, "write": format.write}
    return {
        "name": format.name,
        "title": format.title,
        "url": format.url,
        "aliases": list(format.aliases),
        "annotations": sorted(format.kinds),
        "media": sorted(format.media),
        "fields": sorted(format.fields),
        "labels": sorted(format.labels),
        **{way: function is not None for way, function in ways.items()},
        "options": {
            way: [
                {"flag": one.flag, "help": one.help, "default": _plain(one.default)}
                for one in options_of(function).values()
            ]
            for way, function in ways.items()
            if function is not None
        },
    }


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, str | int | float) else str(value)
