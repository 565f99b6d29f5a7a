"""
Who takes options that stand after a lone `--`: readers, writers, and what else knows some.

An option goes to whoever knows it; one that nobody knows is refused, with those there are.
"""

import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import click
from click.core import ParameterSource

from dvcs.commands import _manuals
from dvcs.errors import UsageError
from dvcs.formats import Option, options_of

PLAIN: Mapping[Any, click.ParamType[Any]] = {
    int: click.INT,
    float: click.FLOAT,
    str: click.STRING,
    Path: click.Path(path_type=Path),
}
YES, NO = frozenset({"1", "true", "yes", "on", "y", "t"}), frozenset({"0", "false", "no", "off"})
"""Values that switches have in Datumaro, and not here."""


class Taker(NamedTuple):
    """Who takes options: what it does, in words (`reading coco`), and the options it knows."""

    doing: str
    params: Sequence[click.Option]
    options: Mapping[str, Option] = {}


def taker(function: Callable[..., Any], doing: str) -> Taker:
    """Return a reader or writer as one who takes options."""
    options = options_of(function)
    return Taker(doing, [_parameter(one) for one in options.values()], options)


def share(takers: Sequence[Taker], arguments: Sequence[str]) -> list[dict[str, Any]]:
    """
    Return for each taker those of the options given that it knows, by name.

    What several know, all of them get. Raises UsageError for what nobody knows.
    """
    if arguments and not takers:
        raise UsageError(
            f"nothing here takes '{arguments[0]}'",
            hint="own options of a format go with a dataset on disk, like './PATH'",
        )
    _refuse_values(takers, arguments)
    return [_taken(one, takers, arguments) for one in takers]


def _taken(one: Taker, takers: Sequence[Taker], arguments: Sequence[str]) -> dict[str, Any]:
    """Return the options that one of the takers knows, read as it means them."""
    known = [*one.params]
    for param in (each for other in takers for each in other.params):
        if all(param.name != held.name and not {*param.opts} & {*held.opts} for held in known):
            known.append(param)
    command = click.Command(one.doing, params=[*known], add_help_option=False)
    try:
        ctx = command.make_context(one.doing, list(arguments))
    except click.UsageError as error:
        _fail(error, takers)
    return {
        name: _listed(ctx.params[name], one.options.get(name))
        for name in (param.name or "" for param in one.params)
        if ctx.get_parameter_source(name) is not ParameterSource.DEFAULT
    }


def _parameter(option: Option) -> click.Option:
    names = [option.name, option.flag]
    short = f"--{option.name}"
    if short != option.flag:
        names.append(short)
    if option.type is bool:
        flags = f"{option.flag}/{_manuals.switched_off(option)}"
        return click.Option([option.name, flags], default=bool(option.default))
    if isinstance(option.type, tuple):
        return click.Option(names, type=click.Choice([str(one) for one in option.type]))
    if typing.get_origin(option.type) is tuple:
        return click.Option(names, multiple=True)
    return click.Option(names, type=PLAIN.get(option.type, click.STRING))


def _listed(value: Any, option: Option | None) -> Any:
    """Return a value as the function takes it: lists may be given at once, with commas."""
    if option is None or typing.get_origin(option.type) is not tuple:
        return value
    item = PLAIN.get(typing.get_args(option.type)[0], click.STRING)
    parts = (part.strip() for text in value for part in str(text).split(","))
    return tuple(item.convert(part, None, None) for part in parts if part)


# What is wrong with options


def _fail(error: click.UsageError, takers: Sequence[Taker]) -> NoReturn:
    """Raise a UsageError that says who takes which options."""
    names = [*dict.fromkeys(one.doing for one in takers)]
    if isinstance(error, click.NoSuchOption):
        who = f"{names[0]} has no"
        if len(names) > 1:
            many = "neither" if len(names) == 2 else "none of"
            who = f"{many} {_joined(names, 'nor' if many == 'neither' else 'and')} has an"
        tip = _known(takers)
        if error.possibilities:
            tip = f"did you mean '{error.possibilities[0].replace('_', '-')}'?"
        raise UsageError(f"{who} option '{error.option_name}'", hint=tip) from None
    param = getattr(error, "param", None)
    flag = getattr(error, "option_name", None)
    owners = [
        one.doing
        for one in takers
        if any(param is held or flag in (*held.opts, *held.secondary_opts) for held in one.params)
    ]
    text = error.format_message()
    if isinstance(error, click.BadParameter) and isinstance(param, click.Option):
        text = f"invalid value for '{_flag(param)}': {error.message}"
    sentence = text[:1].lower() + text[1:].rstrip(".")
    tip = "'-- --help' lists the options and their values"
    raise UsageError(f"{(owners or names)[0]}: {sentence}", hint=tip) from None


def _refuse_values(takers: Sequence[Taker], arguments: Sequence[str]) -> None:
    """Raise UsageError for values of switches, and for what belongs to no option."""
    params = {
        flag: param
        for one in takers
        for param in one.params
        for flag in (*param.opts, *param.secondary_opts)
    }
    stream = iter(arguments)
    before = ""
    for text in stream:
        flag, equals, value = text.partition("=")
        param = params.get(flag)
        if not text.startswith("-"):
            if before:
                refuse_value(before, text)
            raise UsageError(f"'{text}' belongs to no option", hint=_known(takers))
        before = ""
        if param is None:
            return  # it is unknown, which is said elsewhere
        if not param.is_flag:
            if not equals:
                next(stream, None)
            continue
        if equals:
            refuse_value(flag, value)
        before = flag


def refuse_value(flag: str, value: str) -> NoReturn:
    """Raise UsageError for a switch that was given a value, as Datumaro's have one."""
    name = flag.removeprefix("--").removeprefix("no-")
    on, off = f"'--{name}'", f"'--no-{name}'"
    wanted = value.lower()
    if flag.startswith("--no-"):
        on, off = off, on
    tip = f"write {on} alone" if wanted in YES else f"write {off}" if wanted in NO else ""
    raise UsageError(
        f"'{flag}' is a switch and takes no value, but '{value}' was given",
        hint=tip or f"write {on} or {off}",
    )


def _known(takers: Sequence[Taker]) -> str:
    """Return a sentence of the options there are."""
    by_taker = {one.doing: ", ".join(_flag(each) for each in one.params) for one in takers}
    if len(by_taker) == 1:
        flags = next(iter(by_taker.values()))
        return f"its options: {flags}" if flags else "it has none"
    listed = (f"{who}: {flags or 'none'}" for who, flags in by_taker.items())
    return f"options for {'; for '.join(listed)}"


def _flag(param: click.Option) -> str:
    return next(one for one in param.opts if one.startswith("--"))


def _joined(names: Sequence[str], word: str) -> str:
    return f"{', '.join(names[:-1])} {word} {names[-1]}"
