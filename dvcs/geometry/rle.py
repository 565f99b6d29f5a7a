"""
COCO's run lengths: their two spellings, checked before anything uses them.

A mask of size (h, w) is cut into columns, the columns laid end to end, and the lengths of the
runs written down, the first one of background (0 if the first pixel is set). `counts` is either
that list, or COCO's text, "similar to LEB128": from the fourth run on the difference to the run
two before; then per number 5 bits a character, least significant first, sign-extended, bit 5 set
where more follow, 48 added (format: `rleToString` of the COCO API's maskApi.c).

pycocotools trusts its input: text that ends within a number is read past its end, runs that do
not add up or of length zero write past a buffer. So all text comes through `runs` first.
"""

import operator
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dvcs.errors import InvalidShape
from dvcs.geometry.extents import MAX_PIXELS

# Characters of the longest number: a difference of two runs within MAX_PIXELS has 30 bits, sign
# included. pycocotools shifts in 32 bits, so a seventh character would be undefined behaviour.
_MAX_CHARACTERS = 6
_FIRST, _LAST = 48, 111

# From these on a number (or the complement of a negative one) needs one character more.
_SPANS = np.array([1 << bits for bits in (4, 9, 14, 19, 24)])

_NOT_NUMBERS = (TypeError, ValueError, OverflowError)

Size = Sequence[int]
Counts = str | bytes | Sequence[int] | NDArray[np.integer]
Runs = NDArray[np.int64]


def check_size(size: Size) -> tuple[int, int]:
    """Return (h, w) as ints, both at least 1 and together within `MAX_PIXELS`, or InvalidShape."""
    try:
        height, width = (operator.index(side) for side in size)
    except _NOT_NUMBERS:
        raise InvalidShape(
            f"mask size '{size!r}' is not two whole numbers",
            hint="a mask's size is [height, width]",
        ) from None
    if height < 1 or width < 1:
        raise InvalidShape(f"mask size '{height} x {width}' has no pixels")
    if height * width > MAX_PIXELS:
        raise InvalidShape(
            f"mask size '{height} x {width}' is beyond the limit of {MAX_PIXELS} pixels"
        )
    return height, width


def check(size: Size, counts: Counts) -> None:
    """
    Raise InvalidShape unless `counts` (either spelling) describes every pixel of `size` once.

    Runs of length zero are legal: COCO never writes them within a mask, other tools do.
    """
    runs(size, counts)


def runs(size: Size, counts: Counts) -> Runs:
    """
    Return the run lengths as checked int64, free of zero runs but for a leading one.

    So equal masks have equal runs, however they were spelt.
    """
    height, width = check_size(size)
    lengths = _lengths(counts)
    total = int(lengths.sum())
    if total != height * width:
        raise InvalidShape(
            f"the runs of a mask cover {total} pixels, but its size is '{height} x {width}'",
            hint="a mask's size is [height, width]",
        )
    if not lengths[1:].all():
        edges, times = np.unique(lengths.cumsum()[:-1], return_counts=True)
        lengths = from_toggles(edges[times % 2 == 1], total)
    return lengths


def normalise(size: Size, counts: Counts) -> str:
    """Return the text that COCO itself writes for this mask: equal masks, equal text."""
    return spell(runs(size, counts))


def counts_to_list(text: str | bytes) -> list[int]:
    """
    Read COCO's compressed counts as run lengths, zero runs included.

    Raises InvalidShape for characters outside COCO's, a number cut short, one written longer than
    needed (COCO never does) or a negative run. Whether the runs fit a size is for `check`.
    """
    lengths: list[int] = _parse(text).tolist()
    return lengths


def counts_from_list(lengths: Sequence[int]) -> str:
    """Write run lengths as COCO's compressed counts, zero runs too; InvalidShape if negative."""
    return spell(_whole_numbers(lengths))


def from_toggles(edges: Runs, total: int) -> Runs:
    """Runs of a mask that changes value at `edges`: positions that rise strictly, from 0."""
    edges = edges[: np.searchsorted(edges, total)]
    return np.diff(edges, prepend=0, append=total)


def intervals(lengths: Runs) -> tuple[Runs, Runs]:
    """First pixel, and the one after the last, of every run of foreground."""
    edges = lengths.cumsum()
    ends = edges[1::2]
    return edges[0::2][: len(ends)], ends


def spell(lengths: Runs) -> str:
    """COCO's text for checked run lengths."""
    steps = lengths.copy()
    steps[3:] -= lengths[1:-2]
    size = np.where(steps < 0, ~steps, steps)
    digits: Runs = np.searchsorted(_SPANS, size, "right") + 1
    ends = digits.cumsum()
    place = np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - digits, digits)
    codes = (np.repeat(steps, digits) >> 5 * place) & 31 | 32
    codes[ends - 1] &= 31
    text: bytes = (codes + _FIRST).astype(np.uint8).tobytes()
    return text.decode("ascii")


def _lengths(counts: Counts) -> Runs:
    return _parse(counts) if isinstance(counts, str | bytes) else _whole_numbers(counts)


def _whole_numbers(values: Sequence[int] | NDArray[np.integer]) -> Runs:
    try:
        array = np.asarray(values)
    except _NOT_NUMBERS:
        array = np.empty(0, dtype=object)
    if array.size == 0 and array.ndim == 1:
        return np.empty(0, dtype=np.int64)
    if array.dtype.kind not in "iu" or array.ndim != 1:
        raise InvalidShape("the runs of a mask are not a flat list of whole numbers")
    if array.min() < 0:
        raise InvalidShape(f"a run of a mask has the length '{array.min()}'")
    if array.max() > MAX_PIXELS:
        raise InvalidShape(f"a run of a mask is beyond the limit of {MAX_PIXELS} pixels")
    return array.astype(np.int64)


def _parse(text: str | bytes) -> Runs:
    try:
        raw = np.frombuffer(text.encode("ascii") if isinstance(text, str) else text, np.uint8)
    except UnicodeEncodeError:
        raise InvalidShape("the counts of a mask hold characters that COCO does not use") from None
    if not raw.size:
        return np.empty(0, dtype=np.int64)
    if raw.min() < _FIRST or raw.max() > _LAST:
        raise InvalidShape("the counts of a mask hold characters that COCO does not use")
    codes = raw.astype(np.int64) - _FIRST
    ends = np.flatnonzero(codes < 32)
    if not len(ends) or ends[-1] != len(codes) - 1:
        raise InvalidShape("the counts of a mask end within a number", hint="is the text cut off?")
    starts = np.empty_like(ends)
    starts[0] = 0
    starts[1:] = ends[:-1] + 1
    digits = ends - starts + 1
    low = codes & 31
    _refuse_long_numbers(low, ends, digits)
    values = np.add.reduceat(low << 5 * (np.arange(len(low)) - np.repeat(starts, digits)), starts)
    values -= ((low[ends] & 16) != 0).astype(np.int64) << 5 * digits
    values[1::2] = values[1::2].cumsum()
    values[2::2] = values[2::2].cumsum()
    if values.min() < 0:
        raise InvalidShape(f"a run of a mask has the length '{values.min()}'")
    return values


def _refuse_long_numbers(low: Runs, ends: Runs, digits: Runs) -> None:
    """Refuse numbers that no mask needs, and those with a last character that says nothing."""
    if digits.max() > _MAX_CHARACTERS:
        raise InvalidShape(f"a run of a mask is beyond the limit of {MAX_PIXELS} pixels")
    long = ends[digits > 1]
    sign = (low[long - 1] & 16) != 0
    if (low[long] == np.where(sign, 31, 0)).any():
        raise InvalidShape("the counts of a mask write a number longer than needed")
