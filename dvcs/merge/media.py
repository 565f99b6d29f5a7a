"""
What an item's annotations are about, on both sides.

What one side does not know is filled from the other. Two different media under one name are one
conflict of the whole item: the annotations of one are never mixed with those of the other.
"""

from typing import Any

import msgspec

from dvcs.merge.decisions import UNKNOWN, Judge
from dvcs.merge.values import MISSING, NO_BASE, equal, shown, three_way
from dvcs.model import Media, MediaFile

FACTS = ("kind", "height", "width", "frame", "orientation")
Facts = Media | MediaFile
FILE_FACTS = ("role", "ext", "name", "sha256", "size", "url")


def is_replaced_twice(base: Media | None, ours: Media | None, theirs: Media | None) -> bool:
    """Tell whether both sides have media that are not those before, nor the same."""
    if not _differ(ours, theirs):
        return False
    return base is None or (_differ(base, ours) and _differ(base, theirs))


def _differ(a: Media | None, b: Media | None) -> bool:
    """Tell whether two media are not the same picture, as far as that is known."""
    if a is None or b is None or not a.files or not b.files:
        return False
    first, second = (tuple(file.sha256 for file in one.files) for one in (a, b))
    if all(first) and all(second):
        return first != second
    if (a.kind, a.frame, len(a.files)) != (b.kind, b.frame, len(b.files)):
        return True
    return a.size is not None and b.size is not None and a.size != b.size


def merge_media(
    base: Media | None, ours: Media | None, theirs: Media | None, judge: Judge, *, known: bool
) -> tuple[Media | None, bool]:
    """
    Merge media that are not replaced on both sides; return them, and whether ours learnt something.

    `known` is False where there is no base.
    """
    value, sure = three_way(base if known else NO_BASE, ours, theirs)
    if sure or ours is None or theirs is None:
        chosen = value if sure else ours or theirs
        return chosen, known and base is not None and ours is None and chosen is not None
    if _differ(ours, theirs):  # one side replaced them
        return (theirs if base is not None and not _differ(base, ours) else ours), False
    facts = _merged((base if known else None, ours, theirs), FACTS, "media", judge)
    files = ours.files or theirs.files
    if len(ours.files) == len(theirs.files):
        before = base.files if known and base is not None else ()
        files = tuple(
            MediaFile(
                **_merged(
                    (before[n] if n < len(before) else None, o, t),
                    FILE_FACTS,
                    "media" if len(files) == 1 else f"media.files.{n}",
                    judge,
                )
            )
            for n, (o, t) in enumerate(zip(ours.files, theirs.files, strict=True))
        )
    merged = Media(**{**facts, "files": files})
    return merged, not equal(merged, ours) and not equal(merged, theirs)


def _merged(
    sides: tuple[Facts | None, Facts, Facts], names: tuple[str, ...], place: str, judge: Judge
) -> dict[str, Any]:
    base, ours, theirs = sides
    result: dict[str, Any] = {}
    for name in names:
        before = NO_BASE if base is None else getattr(base, name)
        o, t = getattr(ours, name), getattr(theirs, name)
        value, sure = three_way(before, o, t)
        if not sure and (o is None or t is None):
            value = o if t is None else t
        elif not sure:
            decision = judge.ask(
                f"{place}.{name}",
                "media",
                f"{place}.{name}",
                base=shown(before),
                ours=o,
                theirs=t,
                allowed=("ours", "theirs") if before is NO_BASE else ("ours", "theirs", "base"),
            )
            if decision is not None and decision is not UNKNOWN:
                value = {"ours": o, "theirs": t, "base": before}[decision.choice]
        result[name] = value
    return result


def plain_media(media: Media | None) -> Any:
    """Return media as plain values."""
    return MISSING if media is None else msgspec.to_builtins(media)
