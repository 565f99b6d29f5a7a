"""
A format's own options on the command line: after a lone `--`, derived from its reader or writer.

    dvcs import coco -f coco -- --keep-original-category-ids
    dvcs convert -i labels -if yolo -f voc -o out -- --image-size 640x480 --no-apply-colormap

The same table gives the flags, their types and help, and the suggestion for a misspelt one. Where
a command reads and writes, or reads several datasets, an option goes to whoever knows it: to one,
or to all of them.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dvcs import formats, ui
from dvcs.commands import _manuals
from dvcs.commands._takers import Taker, refuse_value, share, taker
from dvcs.errors import UsageError
from dvcs.formats import Format

SINK_FLAGS: Mapping[str, tuple[str, bool | None]] = {
    # flag → option of the export, and its value where the flag says it all
    "--save-images": ("save_media", True),
    "--save-media": ("save_media", True),
    "--no-save-images": ("save_media", False),
    "--no-save-media": ("save_media", False),
    "--image-ext": ("image_ext", None),
}
"""Options of every export, which may also stand after the `--` as they did in Datumaro."""


def reading(format: Format) -> Taker:
    """Return the reader of a format, as `taker`. Raises UsageError where there is none."""
    return taker(reader(format), f"reading {format.name}")


def writing(format: Format) -> Taker:
    """Return the writer of a format, as `taker`. Raises UsageError where there is none."""
    return taker(writer(format), f"writing {format.name}")


def parse(function: Callable[..., Any], arguments: Sequence[str], what: str) -> dict[str, Any]:
    """
    Return the options given for a reader or writer, by name; those not given are left out.

    `what` names it in messages ("reading coco"). Raises UsageError.
    """
    return share([taker(function, what)], arguments)[0]


# Options of every export


def split_sink_flags(arguments: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """Return the options of every export that stand among a writer's own, and the rest."""
    found: dict[str, Any] = {}
    kept: list[str] = []
    stream = iter(arguments)
    before = ""
    for one in stream:
        flag, equals, value = one.partition("=")
        if before and not one.startswith("-"):
            refuse_value(before, one)
        before = ""
        if flag not in SINK_FLAGS:
            kept.append(one)
            continue
        name, says = SINK_FLAGS[flag]
        if says is None:
            found[name] = value if equals else next(stream, "")
            if not found[name]:
                raise UsageError(f"'{flag}' needs a value", hint=f"like '{flag} .png'")
            continue
        if equals:
            refuse_value(flag, value)
        found[name], before = says, flag
    return found, kept


# What import, export, convert and others share


def format_at(path: Path, name: str | None) -> Format:
    """Return the format named, else the one that a place is in."""
    if name is not None:
        return formats.find(name)
    from contextlib import closing

    from dvcs.files import open_source

    with closing(open_source(path)) as source:
        return formats.detect(source)


def reader(format: Format) -> Callable[..., Any]:
    """Return how a format is read. Raises UsageError where it can only be written."""
    if format.read is None:
        raise UsageError(f"dvcs can write {format.title}, but not read it")
    return format.read


def writer(format: Format) -> Callable[..., Any]:
    """Return how a format is written. Raises UsageError where it can only be read."""
    if format.write is None:
        raise UsageError(f"dvcs can read {format.title}, but not write it")
    return format.write


def has_own(flag: str) -> bool:
    """Tell whether any format has an option of its own that is written so."""
    known = (
        param
        for one in formats.all_formats()
        for way in (one.read, one.write)
        if way is not None
        for param in taker(way, "").params
    )
    return any(flag in (*one.opts, *one.secondary_opts) for one in known)


def asked_for_help(arguments: Sequence[str]) -> bool:
    """Tell whether the options after the `--` ask what options there are."""
    return any(one in ("-h", "--help") for one in arguments)


def show_all(sources: Iterable[Format], target: Format) -> int:
    """List the options for reading some formats and writing another; return the exit code."""
    for one in sources:
        show_help(one, "reading")
        ui.out()
    return show_help(target, "writing")


def show_help(format: Format, doing: str) -> int:
    """List a format's options; return the exit code."""
    function = reader(format) if doing == "reading" else writer(format)
    ui.out(f"Options for {doing} {format.title}, after a lone '--':")
    for line in _manuals.options(function) or ["  (none)"]:
        ui.out(line)
    return 0
