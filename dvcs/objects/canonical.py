"""
JSON that has one spelling for each value: what all text in the repository is written in.

Keys in byte order, no spaces, UTF-8 as it is, floats as the shortest text that reads back (always
with a point or an exponent), `-0.0` as `0.0`, integers of 64 bits. NaN and infinity are refused.
"""

import math
from collections.abc import Mapping
from typing import Any

import msgspec

from dvcs.errors import DvcsError

ENCODER = msgspec.json.Encoder(order="sorted")
LEAST, MOST = -(2**63), 2**64 - 1
"""The integers that every reader of JSON with 64-bit numbers can hold."""


class Uncanonical(DvcsError):
    """A value that canonical text cannot hold: NaN, infinity, an object of an unknown type."""


def canonical_json(value: Any) -> bytes:
    """Return any JSON value in the canonical spelling. Raises Uncanonical."""
    return ENCODER.encode(plain(value, "value"))


def plain(value: Any, where: str) -> Any:
    """
    Return a value as what JSON has: text, int, float, bool, None, lists and mappings of them.

    Numpy scalars and arrays become plain, tuples and sets lists. Raises Uncanonical for the rest,
    saying `where` it stands.
    """
    if value is None or isinstance(value, str | bool):
        return text(value, where) if isinstance(value, str) else value
    if isinstance(value, int):
        if not LEAST <= value <= MOST:
            raise Uncanonical(f"{where} has {value}, which is beyond 64 bits")
        return int(value)
    if isinstance(value, float):
        return number(value, where)
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise Uncanonical(f"{where} has the key {key!r}, which is not text")
        return {text(key, where): plain(one, f"{where}.{key}") for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one, where) for one in value]
    if isinstance(value, msgspec.Struct):
        return plain(msgspec.to_builtins(cleaned(value, where)), where)
    if isinstance(value, set | frozenset):
        return sorted((plain(one, where) for one in value), key=canonical_json)
    if hasattr(value, "tolist"):  # numpy
        return plain(value.tolist(), where)
    raise Uncanonical(f"{where} has a {type(value).__name__}, which cannot be stored")


def cleaned(value: msgspec.Struct, where: str) -> msgspec.Struct:
    """Return a struct whose fields have the types that it declares, whatever it was built from."""
    fields = {name: plain(getattr(value, name), where) for name in value.__struct_fields__}
    try:
        return msgspec.convert(fields, type(value))
    except msgspec.ValidationError as error:
        raise Uncanonical(f"{where}: {error}") from None


def is_plain(value: Any) -> bool:
    """Tell whether the encoder itself writes a value canonically, but for `-0.0`."""
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return True
    if kind is int:
        return bool(LEAST <= value <= MOST)
    if kind is float:
        return math.isfinite(value)
    if kind is dict:  # the encoder itself refuses keys that are not text
        return all(map(is_plain, value.values()))
    return kind is list and all(map(is_plain, value))


def number(value: Any, where: str) -> float:
    """Return a finite float that is not `-0.0`. Raises Uncanonical."""
    try:
        result = float(value)
    except (TypeError, ValueError, OverflowError):
        raise Uncanonical(f"{where} has {value!r}, which is not a number") from None
    if not math.isfinite(result):
        raise Uncanonical(f"{where} has {result}, which is not a finite number")
    return result + 0.0  # -0.0 + 0.0 is 0.0


def text(value: str, where: str) -> str:
    """Return text that is valid Unicode. Raises Uncanonical."""
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Uncanonical(f"{where} has {value!r}, which is not valid Unicode") from None
    return str(value)
