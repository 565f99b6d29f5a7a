"""
A format's own options on the command line: after a lone `--`, derived from its reader or writer.

    dvcs import coco -f coco -- --keep-original-category-ids

The same table gives the flags, their types and help, and the suggestion for a misspelt one.
"""

import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from dvcs import formats, ui
from dvcs.errors import UsageError
from dvcs.formats import Format, Option, options_of

PLAIN: Mapping[Any, click.ParamType[Any]] = {
    int: click.INT,
    float: click.FLOAT,
    str: click.STRING,
    Path: click.Path(path_type=Path),
}
SINK_FLAGS: Mapping[str, tuple[str, bool | None]] = {
    # flag → option of the export, and its value where the flag says it all
    "--save-images": ("save_media", True),
    "--save-media": ("save_media", True),
    "--no-save-images": ("save_media", False),
    "--no-save-media": ("save_media", False),
    "--image-ext": ("image_ext", None),
}
"""Options of every export, which may also stand after the `--` as they did in Datumaro."""


def parse(function: Callable[..., Any], arguments: Sequence[str], what: str) -> dict[str, Any]:
    """
    Return the options given for a reader or writer, by name; those not given are left out.

    `what` names it in messages ("reading coco"). Raises UsageError.
    """
    options = options_of(function)
    command = click.Command(
        what,
        params=[_parameter(one) for one in options.values()],
        add_help_option=False,
    )
    try:
        ctx = command.make_context(what, list(arguments))
    except click.NoSuchOption as error:
        raise _unknown(error, options, what) from None
    except click.UsageError as error:
        raise UsageError(
            f"{what}: {_sentence(error)}", hint="what follows '--' are the format's own options"
        ) from None
    return {
        name: _listed(value, options[name])
        for name, value in ctx.params.items()
        if ctx.get_parameter_source(name) is not ParameterSource.DEFAULT
    }


def _parameter(option: Option) -> click.Option:
    names = [option.name, option.flag]
    short = f"--{option.name}"
    if short != option.flag:
        names.append(short)
    default = None if option.default is option.default.__class__.__name__ else option.default
    if option.type is bool:
        off = f"--no-{option.name.replace('_', '-')}"
        return click.Option([option.name, f"{option.flag}/{off}"], default=bool(default))
    if isinstance(option.type, tuple):
        return click.Option(names, type=click.Choice([str(one) for one in option.type]))
    if typing.get_origin(option.type) is tuple:
        return click.Option(names, multiple=True)
    return click.Option(names, type=PLAIN.get(option.type, click.STRING))


def _listed(value: Any, option: Option) -> Any:
    """Return a value as the function takes it: lists may be given at once, with commas."""
    if typing.get_origin(option.type) is not tuple:
        return value
    item = PLAIN.get(typing.get_args(option.type)[0], click.STRING)
    parts = (part.strip() for text in value for part in str(text).split(","))
    return tuple(item.convert(part, None, None) for part in parts if part)


def _unknown(error: click.NoSuchOption, options: Mapping[str, Option], what: str) -> UsageError:
    flags = [one.flag for one in options.values()]
    tip = f"its options: {', '.join(flags)}" if flags else "it has none"
    if error.possibilities:
        tip = f"did you mean '{error.possibilities[0]}'?"
    return UsageError(f"{what} has no option '{error.option_name}'", hint=tip)


def _sentence(error: click.UsageError) -> str:
    text = error.format_message()
    return text[:1].lower() + text[1:].rstrip(".")


def split_sink_flags(arguments: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """Return the options of every export that stand among a writer's own, and the rest."""
    found: dict[str, Any] = {}
    kept: list[str] = []
    stream = iter(arguments)
    for one in stream:
        flag, equals, value = one.partition("=")
        if flag not in SINK_FLAGS:
            kept.append(one)
            continue
        name, says = SINK_FLAGS[flag]
        found[name] = says if says is not None else value if equals else next(stream, None)
    return found, kept


def lines(function: Callable[..., Any]) -> list[str]:
    """Return the options of a reader or writer as the lines of a table: flag, help, default."""
    rows = []
    for option in options_of(function).values():
        default = "" if option.default in (None, False, "", ()) else f" (default: {_shown(option)})"
        rows.append((f"  {spelt(option)}{_values(option)}", f"{option.help}{default}"))
    return ui.table(rows)


def spelt(option: Option) -> str:
    """Return the flag of an option; of a switch that is on, the one that turns it off too."""
    if option.type is bool and option.default is True:
        return f"{option.flag} / --no-{option.name.replace('_', '-')}"
    return option.flag


def _values(option: Option) -> str:
    if option.type is bool:
        return ""
    if isinstance(option.type, tuple):
        return f" {'|'.join(map(str, option.type))}"
    if typing.get_origin(option.type) is tuple:
        return f" {_noun(typing.get_args(option.type)[0])},..."
    return f" {_noun(option.type)}"


def _noun(kind: Any) -> str:
    return {int: "NUMBER", float: "NUMBER", Path: "PATH"}.get(kind, "TEXT")


def _shown(option: Option) -> str:
    if isinstance(option.default, tuple):
        return ",".join(map(str, option.default))
    return "on" if option.default is True else str(option.default)


# What import, export and convert share


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


def asked_for_help(arguments: Sequence[str]) -> bool:
    """Tell whether the options after the `--` ask what options there are."""
    return any(one in ("-h", "--help") for one in arguments)


def show_help(format: Format, doing: str) -> int:
    """List a format's options; return the exit code."""
    function = reader(format) if doing == "reading" else writer(format)
    ui.out(f"Options for {doing} {format.title}, after a lone '--':")
    found = lines(function)
    for line in found or ["  (none)"]:
        ui.out(line)
    return 0
