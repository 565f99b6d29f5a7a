"""What a format can hold, and its options, as people read them: for help, manuals and pages."""

import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from dvcs import ui
from dvcs.convert import PREFERENCES
from dvcs.formats import Format, Option, options_of
from dvcs.formats._fidelity import NOUNS
from dvcs.model import KINDS

ANNOTATIONS = {**{kind: NOUNS[kind][1] for kind in KINDS}, "label": "labels of images"}
OF_ANNOTATIONS: Mapping[str, str] = {
    "id": "ids",
    "group": "groups (what is one object)",
    "attributes": "attributes",
    "score": "scores",
    "track": "tracks",
    "z_order": "z-orders (what covers what)",
}
OF_LABELS: Mapping[str, str] = {
    "name": "names",
    "parent": "parents",
    "display_name": "display names",
    "color": "colours",
    "keypoints": "names of keypoints",
    "joints": "joints of keypoints",
    "attributes": "declared attributes",
}
ONE_ATTRIBUTE = "attributes."
EVERYTHING = "everything, whatever format it came from"


# What it can hold


def held(format: Format) -> list[tuple[str, str]]:
    """Return what a format can hold, as rows: of what, and which of it."""
    media = ", ".join(NOUNS[kind][1] for kind in sorted(format.media))
    rows = [("annotations", _kinds(format.kinds) or "none"), ("media", media)]
    if format.lossless:
        return [*rows, ("of annotations", EVERYTHING), ("of labels", EVERYTHING)]
    if format.kinds:
        if converted := "; ".join(_converted(format)):
            rows.append(("converted", converted))
        rows.append(("of annotations", ", ".join(_fields(format)) or "label and shape alone"))
        labels = [word for name, word in OF_LABELS.items() if name in format.labels]
        rows.append(("of labels", ", ".join(labels) or "nothing"))
        kept = "kept" if "unlabelled" in format.fields else "left out"
        rows.append(("without a label", kept))
    return rows


def _kinds(kinds: Iterable[str]) -> str:
    return ", ".join(sorted(ANNOTATIONS[kind] for kind in kinds))


def _converted(format: Format) -> Iterator[str]:
    """Yield what a writer makes of the kinds that the format cannot hold."""
    by_target: dict[tuple[str, ...], list[str]] = {}
    for kind in KINDS:
        wanted = format.prefers.get(kind, PREFERENCES.get(kind, ()))
        targets = tuple(one for one in wanted if one in format.kinds)
        if targets and kind not in format.kinds:
            by_target.setdefault(targets, []).append(kind)
    for targets, kinds in by_target.items():
        become = ", else ".join(ANNOTATIONS[one] for one in targets)
        yield f"{_kinds(kinds)} to {become}"


def _fields(format: Format) -> Iterator[str]:
    """Yield the fields of annotations that a format holds, and with which options."""
    off: dict[str, str] = {}
    known = options_of(format.write) if format.write is not None else {}
    for name, lost in format.loses.items():
        option = known[name]
        flag = switched_off(option) if option.default is True else option.flag
        for field, kept in lost.items():
            off[field] = f"{'fewer' if kept else 'not'} with {flag}"
    on = {field: f"with {known[name].flag}" for name, field in format.optional.items()}
    some = sorted(
        one.removeprefix(ONE_ATTRIBUTE) for one in format.fields if one.startswith(ONE_ATTRIBUTE)
    )
    for field, word in OF_ANNOTATIONS.items():
        if field in format.fields:
            yield f"{word} ({off[field]})" if field in off else word
        elif field in on:
            yield f"{word} ({on[field]})"
        elif field == "attributes" and some:
            yield f"some attributes ({', '.join(some)})"


# Its options


def options(function: Callable[..., Any]) -> list[str]:
    """Return the options of a reader or writer as the lines of a table: flag, help, default."""
    rows = []
    for option in options_of(function).values():
        default = "" if option.default in (None, False, "", ()) else f" (default: {_shown(option)})"
        rows.append((f"  {spelt(option)}{_values(option)}", f"{option.help}{default}"))
    return ui.table(rows)


def spelt(option: Option) -> str:
    """Return the flag of an option; of a switch that is on, the one that turns it off too."""
    if option.type is bool and option.default is True:
        return f"{option.flag} / {switched_off(option)}"
    return option.flag


def switched_off(option: Option) -> str:
    """Return the flag that turns a switch off."""
    return f"--no-{option.name.replace('_', '-')}"


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
