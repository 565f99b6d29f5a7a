"""
Numbers as CVAT writes them: two decimals where those say it exactly, else as many as it takes.

A box stands in a file as its corners, in the model as corner and size. So that 479.49 + 17.61 =
497.10 comes back as 17.61 and not as 17.610000000000014, sizes and centres are computed as decimal
fractions of the texts, and texts as exact decimal sums.
"""

import re
from decimal import Context, Decimal
from math import isfinite

import msgspec

from dvcs.errors import InvalidShape

EXACT = Context(prec=2000)
"""Enough for the sum or mean of any two doubles, which have 1,400 decimal places at most."""
SHORT = 12
"""Texts up to this length with two decimals are summed as doubles, then rounded: it is exact."""
LARGE = 1e15

_FLOATS = msgspec.json.Decoder(list[float]).decode
_TEXTS = msgspec.json.Encoder().encode
_INTEGERS = msgspec.json.Decoder(list[int]).decode
_NUMBER = re.compile(r"\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\s*")


def floats(text: str) -> list[float]:
    """
    Return the finite numbers of a list with commas. Raises ValueError.

    JSON's decoder does it in a third of the time of `float`; what is no JSON (+1, .5, 01) is read
    one by one.
    """
    try:
        return _FLOATS(f"[{text}]")
    except msgspec.MsgspecError:
        parts = text.split(",")
    values = []
    for part in parts:
        value = float(part) if _NUMBER.fullmatch(part) else float("nan")
        if not isfinite(value):
            raise ValueError(part)
        values.append(value)
    return values


def integers(text: str) -> list[int]:
    """Return the integers of a list with commas. Raises ValueError."""
    try:
        return _INTEGERS(f"[{text}]")
    except msgspec.MsgspecError:
        raise ValueError(text) from None


def pairs(text: str) -> list[float]:
    """Return the points `x,y;x,y` as a flat list. Raises ValueError."""
    text = text.strip().strip(";")
    values = floats(text.replace(";", ","))
    if len(values) != 2 * (text.count(";") + 1):
        raise ValueError(text)
    return values


def difference(low: str, high: str) -> float:
    """Return the exact difference of two decimal texts, as the nearest double."""
    if _short(low) and _short(high):
        return round(float(high) - float(low), 2)
    return float(EXACT.subtract(Decimal(high), Decimal(low)))


def middle(low: str, high: str) -> float:
    """Return the exact mean of two decimal texts, as the nearest double."""
    if _short(low) and _short(high):
        return round((float(low) + float(high)) / 2, 3)
    return float(EXACT.multiply(EXACT.add(Decimal(high), Decimal(low)), Decimal("0.5")))


def _short(text: str) -> bool:
    return text[-3:-2] == "." and len(text) <= SHORT


def number(value: float) -> str:
    """Return a number as text that reads back exactly."""
    if abs(value) < LARGE:
        text = f"{value:.2f}"
        if float(text) == value:
            return text
    return repr(_finite(value))


def _finite(value: float) -> float:
    if not isfinite(value):
        raise InvalidShape(
            f"a coordinate is '{value}', which no file can hold", hint="remove that annotation"
        )
    return value


def points(values: list[float]) -> str:
    """Return points as `x,y;x,y`, each number so that it reads back exactly."""
    # JSON's encoder knows the shortest text of each number; a single decimal gets its second one.
    # For 36 numbers 4.2 us, to format them and read them back for a check takes 5.0.
    text = _TEXTS(values).decode()
    if text.count(".") == len(values) and "e" not in text:
        parts = [part if part[-2] != "." else part + "0" for part in text[1:-1].split(",")]
        count = len(parts) // 2
        return ("%s,%s;" * count)[:-1] % tuple(parts[: 2 * count])
    texts = [number(value) for value in values]
    return ";".join(f"{x},{y}" for x, y in zip(texts[0::2], texts[1::2], strict=True))


def edges(low: float, size: float) -> tuple[str, str]:
    """Return both ends of a box as texts from which `low` and `difference` come back exactly."""
    if abs(low) < LARGE and abs(size) < LARGE:
        first, second = f"{low:.2f}", f"{low + size:.2f}"
        if float(first) == low and difference(first, second) == size:
            return first, second
    start = Decimal(repr(_finite(low)))
    return f"{start:f}", f"{EXACT.add(start, Decimal(repr(_finite(size)))):f}"


def edges_about(centre: float, size: float) -> tuple[str, str]:
    """Return both ends of a box as texts from which `middle` and `difference` come back exactly."""
    if abs(centre) < LARGE and abs(size) < LARGE:
        first, second = f"{centre - size / 2:.2f}", f"{centre + size / 2:.2f}"
        if middle(first, second) == centre and difference(first, second) == size:
            return first, second
    at = Decimal(repr(_finite(centre)))
    half = EXACT.multiply(Decimal(repr(_finite(size))), Decimal("0.5"))
    return f"{EXACT.subtract(at, half):f}", f"{EXACT.add(at, half):f}"
