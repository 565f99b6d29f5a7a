"""
`dvcs.toml`, the versioned policy: what it may say, read into a `Policy`.

    frozen = ["val", "coco/test"]       subsets that no commit may change
    no-leaks = true                     no media in two subsets
    licence = true                      every source says its licence; or a list of allowed ones
    allowed-labels = ["cat", "dog"]
    required-attributes = ["reviewed"]  or a table: label = [attributes], "*" for all labels

    [validate]                          every changed item is validated (`dvcs.validate`)
    task = "detection"
    fail-on = "error"
    [validate.rules]
    OutsideImage = "off"                    error, warning, info or off

    [branches]
    protected = ["main", "release/*"]

    [merge.iou]                         for votes: from which overlap on two shapes are one
    person = 0.6

Whatever else it says is refused: a rule that is misspelt must not pass for one that is kept.
"""

import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

import msgspec

from dvcs.errors import InvalidPolicy
from dvcs.repository.policies.policy_file import LARGEST, NAME
from dvcs.validate import RULES, SEVERITIES, TASKS, Level, Options, Severity

ANY = "*"
LEVELS: tuple[str, ...] = (*SEVERITIES, "off")
_AT = re.compile(r"^(.*) \(at (?:line (\d+), column (\d+)|end of document)\)$", re.DOTALL)


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """
    What a `dvcs.toml` says.

    `validation` is None where there is no table `validate`: then nothing is validated at commits.
    `allowed_labels` None: all. `licences` None: none is asked for; empty: any will do.
    `required_attributes` is by label, `*` for all. `iou` is by label, for votes.
    """

    validation: Options | None = None
    fail_on: Severity = "error"
    allowed_labels: frozenset[str] | None = None
    required_attributes: Mapping[str, tuple[str, ...]] = {}
    licences: tuple[str, ...] | None = None
    frozen: tuple[str, ...] = ()
    no_leaks: bool = False
    protected: tuple[str, ...] = ()
    iou: Mapping[str, float] = {}

    def protects(self, branch: str | None) -> bool:
        """Tell whether a branch moves by merges only."""
        return branch is not None and any(fnmatchcase(branch, one) for one in self.protected)

    def freezes(self, source: str, subset: str) -> bool:
        """Tell whether a subset of a source may not change."""
        return subset in self.frozen or f"{source}/{subset}" in self.frozen

    def required(self, label: str | None) -> tuple[str, ...]:
        """Return the attributes that annotations of a label must have."""
        own = self.required_attributes.get(label, ()) if label is not None else ()
        return (*self.required_attributes.get(ANY, ()), *own)


def parse(data: bytes, path: str = NAME) -> Policy:
    """Return what a policy file says. Raises InvalidPolicy with its line and column."""
    text = _decoded(data, path)
    try:
        said = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        match = _AT.match(str(error))
        message = match[1] if match else str(error)
        last = text.count("\n") + 1
        line, column = (int(match[2]), int(match[3])) if match and match[2] else (last, 1)
        raise InvalidPolicy(_sentence(message), path, line, column, hint="it is TOML") from None
    except (RecursionError, ValueError) as error:
        raise InvalidPolicy(f"it cannot be read: {error}", path, 1, 1) from None
    return _Reader(text, path).policy(said)


def _decoded(data: bytes, path: str) -> str:
    if len(data) > LARGEST:
        raise InvalidPolicy(f"it has {len(data):,} bytes, which no policy has", path, 1, 1)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line, column = before.count(b"\n") + 1, error.start - before.rfind(b"\n")
        raise InvalidPolicy(
            f"the byte 0x{data[error.start]:02x} is not UTF-8",
            path,
            line,
            column,
            hint="save it so",
        ) from None


def _sentence(text: str) -> str:
    return text[:1].lower() + text[1:]


class _Wrong(Exception):
    """A value that is not of its kind; says what would be."""


class _Reader:
    """Turns tables into a policy; faults are told with their place."""

    def __init__(self, text: str, path: str) -> None:
        self._text = text
        self._path = path

    def policy(self, said: dict[str, Any]) -> Policy:
        fields: dict[str, Any] = {}
        self._table((), said, TOP, fields)
        options = fields.pop("options", None)
        if "validate" in said:
            fields["validation"] = msgspec.convert(options or {}, Options)
        return Policy(**fields)

    def _table(
        self,
        path: tuple[str, ...],
        said: dict[str, Any],
        known: Mapping[str, "_Key"],
        fields: dict[str, Any],
    ) -> None:
        for name, value in said.items():
            here = (*path, name)
            key = known.get(name)
            if key is None:
                where = f" in '[{'.'.join(path)}]'" if path else ""
                hint = _elsewhere(name) or _suggested(name, known)
                raise self._error(here, f"there is no key '{name}'{where}", hint)
            if key.below is not None:
                if not isinstance(value, dict):
                    raise self._error(here, f"'{name}' must be a table: write '[{'.'.join(here)}]'")
                self._table(here, value, key.below, fields)
                continue
            self._value(here, value, key, fields)

    def _value(
        self, here: tuple[str, ...], value: Any, key: "_Key", fields: dict[str, Any]
    ) -> None:
        try:
            read = key.read(value)
        except _Wrong as error:
            at = here if not isinstance(error.args[-1], tuple) else (*here, *error.args[-1])
            hint = error.args[1] if len(error.args) > 1 and error.args[1] else None
            said = error.args[0]
            named = f"'{at[-1]}' {said}" if said.startswith("must ") else said
            raise self._error(at, named, hint) from None
        if key.option:
            fields.setdefault("options", {})[key.field] = read
        else:
            fields[key.field] = read

    def _error(self, here: tuple[str, ...], message: str, hint: str | None = None) -> InvalidPolicy:
        line, column = _position(self._text, here)
        return InvalidPolicy(message, self._path, line, column, hint=hint)


def _elsewhere(name: str) -> str | None:
    """Return a hint at the table that a key belongs in, None where there is no such key."""
    if name in TOP:
        return f"'{name}' stands above all tables"
    homes = [table for table, key in TOP.items() if key.below is not None and name in key.below]
    return f"'{name}' stands in '[{homes[0]}]'" if homes else None


def _suggested(name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    near = get_close_matches(name.replace("_", "-"), names, n=1)
    near = near or get_close_matches(name.lower(), names, n=1)
    return f"did you mean '{near[0]}'?" if near else f"known: {', '.join(names)}"


# -- where a key stands --------------------------------------------------------------------------

_HEADER = re.compile(r"^[ \t]*\[\[?([^\]]+)\]\]?")
_PAIR = re.compile(r"""^[ \t]*((?:[\w-]+|"[^"]*"|'[^']*')(?:[ \t]*\.[ \t]*[\w"'-]+)*)[ \t]*=""")
_PART = re.compile(r"""[\w*/-]+|"([^"]*)"|'([^']*)'""")


def _position(text: str, path: tuple[str, ...]) -> tuple[int, int]:
    """
    Return line and column, from 1, of a key: of its longest part that has a line of its own.

    The parser does not tell; a key inside of an inline table is told by the table's line.
    """
    table: tuple[str, ...] = ()
    best, place = 0, (1, 1)
    for number, line in enumerate(text.split("\n"), 1):
        if header := _HEADER.match(line):
            table = _parts(header[1])
            found = table
        elif pair := _PAIR.match(line):
            found = (*table, *_parts(pair[1]))
        else:
            continue
        if len(found) > best and found == path[: len(found)]:
            best = len(found)
            place = number, len(line) - len(line.lstrip()) + 1
    return place


def _parts(text: str) -> tuple[str, ...]:
    return tuple(match[1] or match[2] or match[0] for match in _PART.finditer(text))


# -- what may stand there ------------------------------------------------------------------------


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _Wrong("must be true or false")
    return value


def _names(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
        raise _Wrong('must be a list of names: ["one", "another"]')
    return tuple(value)


def _labels(value: Any) -> frozenset[str]:
    return frozenset(_names(value))


def _licences(value: Any) -> tuple[str, ...] | None:
    if isinstance(value, bool):
        return () if value else None
    try:
        return _names(value)
    except _Wrong:
        raise _Wrong("must be true, or a list of the licences that are allowed") from None


def _required(value: Any) -> dict[str, tuple[str, ...]]:
    if not isinstance(value, dict):
        return {ANY: _names(value)}
    found = {}
    for label, names in value.items():
        try:
            found[label] = _names(names)
        except _Wrong as error:
            raise _Wrong(error.args[0], None, (label,)) from None
    return found


def _one_of(known: Iterable[str]) -> Callable[[Any], str]:
    names = tuple(known)

    def read(value: Any) -> str:
        if not isinstance(value, str) or value not in names:
            hint = _suggested(value, names) if isinstance(value, str) else None
            raise _Wrong(f"must be one of: {', '.join(names)}", hint)
        return value

    return read


def _number(low: float, high: float = float("inf")) -> Callable[[Any], float]:
    def read(value: Any) -> float:
        good = isinstance(value, int | float) and not isinstance(value, bool)
        if not good or not low <= value <= high:
            limits = f"at least {low:g}" if high == float("inf") else f"from {low:g} to {high:g}"
            raise _Wrong(f"must be a number, {limits}")
        return float(value)

    return read


def _count(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise _Wrong("must be a whole number, at least 0")
    return value


def _rules(value: Any) -> dict[str, Level]:
    if not isinstance(value, dict):
        raise _Wrong("must be a table: write '[validate.rules]'")
    found: dict[str, Level] = {}
    for name, level in value.items():
        if name not in RULES:
            raise _Wrong(f"there is no rule '{name}'", _suggested(name, RULES), (name,))
        if level not in LEVELS:
            raise _Wrong(f"must be one of: {', '.join(LEVELS)}", None, (name,))
        found[name] = level
    return found


def _overlaps(value: Any) -> dict[str, float]:
    if not isinstance(value, dict):
        raise _Wrong("must be a table: write '[merge.iou]'")
    for name, share in value.items():
        good = isinstance(share, int | float) and not isinstance(share, bool)
        if not good or not 0 < share <= 1:
            raise _Wrong("must be a number above 0, up to 1", None, (name,))
    return {name: float(share) for name, share in value.items()}


class _Key(NamedTuple):
    """A key of the file: the field it becomes, how it is read, or the keys of its table."""

    field: str = ""
    read: Callable[[Any], Any] = str
    option: bool = False
    below: Mapping[str, "_Key"] | None = None


VALIDATE: Mapping[str, _Key] = {
    "task": _Key("task", _one_of(TASKS), option=True),
    "fail-on": _Key("fail_on", _one_of(SEVERITIES)),
    "rules": _Key("levels", _rules, option=True),
    "tolerance": _Key("tolerance", _number(0), option=True),
    "few-samples": _Key("few_samples", _count, option=True),
    "imbalance": _Key("imbalance", _number(1), option=True),
    "far-from-mean": _Key("far", _number(0), option=True),
    "dominance": _Key("dominance", _number(0, 1), option=True),
    "top-bins": _Key("bins", _number(0, 1), option=True),
}
TOP: Mapping[str, _Key] = {
    "frozen": _Key("frozen", _names),
    "no-leaks": _Key("no_leaks", _flag),
    "licence": _Key("licences", _licences),
    "allowed-labels": _Key("allowed_labels", _labels),
    "required-attributes": _Key("required_attributes", _required),
    "validate": _Key(below=VALIDATE),
    "branches": _Key(below={"protected": _Key("protected", _names)}),
    "merge": _Key(below={"iou": _Key("iou", _overlaps)}),
}
"""Every key that there is."""
