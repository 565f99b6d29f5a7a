"""`source.json` and `dvcs.toml`: mappings merged by key."""

import tomllib
from typing import Any

import msgspec

from dvcs.errors import CorruptObject
from dvcs.merge import Judge, merge_settings
from dvcs.merge.settings import to_toml


def merged_info(base: bytes | None, ours: bytes, theirs: bytes, judge: Judge) -> dict[str, Any]:
    """Return the merged `source.json`. Raises CorruptObject."""
    sides = [None if one is None else _json(one) for one in (base, ours, theirs)]
    return merge_settings(sides[0], sides[1] or {}, sides[2] or {}, judge, place="source.json")


def _json(data: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(data, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise CorruptObject(f"'source.json' cannot be read: {error}") from None


def merged_policy(
    base: bytes | None, ours: bytes | None, theirs: bytes | None, judge: Judge
) -> bytes | None:
    """
    Return the merged `dvcs.toml`; None: there is to be none.

    A side's own text is kept where it says just that. Raises CorruptObject for one that is no TOML.
    """
    if theirs in (ours, base):
        return ours
    if ours == base:
        return theirs
    sides = [None if one is None else _toml(one) for one in (base, ours, theirs)]
    merged = merge_settings(sides[0], sides[1] or {}, sides[2] or {}, judge, place="dvcs.toml")
    for text, said in ((ours, sides[1]), (theirs, sides[2])):
        if text is not None and said == merged:
            return text
    return to_toml(merged).encode()


def _toml(data: bytes) -> dict[str, Any]:
    try:
        return tomllib.loads(data.decode())
    except (ValueError, RecursionError) as error:
        raise CorruptObject(
            f"'dvcs.toml' cannot be read: {error}", hint="mend it on its branch first"
        ) from None
