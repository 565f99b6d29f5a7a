"""What a format is: one record of plain data and functions."""

import inspect
import types
import typing
from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import Any, Literal

import msgspec

from dvcs.errors import UsageError
from dvcs.files import Source
from dvcs.model import Annotation, Dataset, Item


class Confidence(IntEnum):
    """How sure a format is that a folder is in it; the highest wins."""

    LOW = 10
    """Any folder with images would do."""
    MEDIUM = 20
    """Files of the right names are there."""
    HIGH = 30
    """A file says so itself."""


class Rejected(Exception):
    """A folder is not in a format; the message says what is missing."""


class Format(msgspec.Struct, frozen=True, kw_only=True):
    """
    A way to lay a dataset out in files.

    `kinds` are the names of the annotation kinds that it can hold, `media` the media kinds,
    `fields` the fields of an annotation beside geometry and label that it can hold (`id`, `group`,
    `z_order`, `score`, `track`, `attributes`, or `attributes.occluded` where it holds certain ones
    only), plus `item.attributes` and `unlabelled`; `labels` those of a label (`name`, `parent`,
    `display_name`, `color`, `keypoints`, `joints`, `attributes` as declared). `holds` says it of
    one annotation where its kind alone does not: a keypoint file holds boxes, but only those of
    instances with points.
    `prefers` says into what a kind that it cannot hold is converted, first that works first:
    `{"mask": ("polygon", "bbox")}`.

    `detect` returns how sure it is, or raises Rejected with the reason. `read(source, **options)`
    and `write(dataset, sink, **options)` take their options as keyword-only parameters, annotated
    with `Annotated[type, "help"]`; they are the options of the command line. A format without
    `write` can only be read.
    """

    name: str
    title: str
    url: str
    kinds: frozenset[str]
    detect: Callable[[Source], Confidence]
    read: Callable[..., Dataset] | None = None
    write: Callable[..., None] | None = None
    media: frozenset[str] = frozenset({"image"})
    fields: frozenset[str] = frozenset()
    labels: frozenset[str] = frozenset({"name"})
    prefers: Mapping[str, tuple[str, ...]] = {}
    holds: Callable[[Annotation, Item], bool] | None = None
    optional: Mapping[str, str] = {}
    """Fields that are held where an option of `write` is on: `{"save_scores": "score"}`."""
    loses: Mapping[str, Mapping[str, frozenset[str]]] = {}
    """Fields not held where an option of `write` is not as usual, and what is held in their place:
    `{"allow_attributes": {"attributes": frozenset({"attributes.is_crowd"})}}`."""
    within: Mapping[str, frozenset[str]] = {}
    """Kinds that stay what they are where the option `tasks` names a task whose own format would
    convert them: `{"stuff": frozenset({"polygon"})}`."""
    annotated: Literal["held", "never", "always"] = "held"
    """Whether the files tell an item without objects from one that nobody looked at; else all items
    without annotations are `never`, or `always`, read as looked at."""
    relative: bool = False
    """Whether coordinates are parts of the image's size, which whoever reads it takes from it."""
    aliases: tuple[str, ...] = ()
    lossless: bool = False
    """Whether everything in the model comes back from it, whatever format it came from."""


class Option(msgspec.Struct, frozen=True):
    """One option of a reader or writer, as its signature gives it."""

    name: str
    type: Any
    """str, int, float, bool, Path, a Literal's values as a tuple, or `tuple[str, ...]`."""
    default: Any
    help: str

    @property
    def flag(self) -> str:
        """The option as it is typed."""
        return "--" + self.name.replace("_", "-")


def options_of(function: Callable[..., Any]) -> dict[str, Option]:
    """Return the keyword-only parameters of a reader, writer or transform as options."""
    hints = typing.get_type_hints(function, include_extras=True)
    options = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
            continue
        hint, text = hints[name], ""
        if typing.get_origin(hint) is typing.Annotated:
            hint, text = typing.get_args(hint)[:2]
        options[name] = Option(name, _plain_type(hint), parameter.default, text)
    return options


def _plain_type(hint: Any) -> Any:
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        hint = next(one for one in typing.get_args(hint) if one is not type(None))
    if typing.get_origin(hint) is typing.Literal:
        return typing.get_args(hint)
    return hint


def checked_options(
    function: Callable[..., Any], given: Mapping[str, Any], what: str
) -> dict[str, Any]:
    """Return options to call a function with. Raises UsageError for one it does not have."""
    known = options_of(function)
    for name, value in given.items():
        option = known.get(name)
        if option is None:
            flags = ", ".join(one.flag for one in known.values()) or "none"
            flag = "--" + name.replace("_", "-")
            raise UsageError(f"{what} has no option '{flag}'", hint=f"its options: {flags}")
        if isinstance(option.type, tuple) and value is not None and value not in option.type:
            raise UsageError(
                f"'{value}' is not a value of {option.flag}",
                hint=f"one of: {', '.join(map(str, option.type))}",
            )
    return dict(given)
