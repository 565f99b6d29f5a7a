"""
The page of a comparison: each changed item with its picture, what changed drawn over it.

    write_diff(path, repo.diff("main", "cats"), before, after)

Blocks of data: `page` and `index` are read when the page opens, `item-N` when item N comes near
the view. So a page opens in about a second, whatever it holds.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from dvcs.compare import AnnotationChange, ItemChange, Summary, Tally, describe
from dvcs.model import Annotation, Item
from dvcs.progress import track
from dvcs.web.page import Block, check_target, json_block, write_page
from dvcs.web.pictures import Pictures, Shown
from dvcs.web.sides import Key, Side, drawable, skeletons

SCRIPTS = ("changes.js", "counts.js", "diff.js")
MOST_ITEMS = 2_000
"""Items that a page shows unless told otherwise; all are counted."""
LONGEST = 10_000
"""Characters of one value that a page tells."""
BATCH = 256
"""Items that are read together."""
_SEEN = frozenset({"geometry", "type", "label"})
_TOLD = frozenset({"caption", "raster", "other", "cuboid_3d"})
"""Kinds whose geometry is told, as it is not drawn."""
_SHORT = 60
"""Characters of a caption that `describe` tells."""


class Written(NamedTuple):
    """
    What was written: the page, its size, and the folder of its pictures (None: they are inside).

    `left_out` changed items are only counted; `failed` pictures could not be read or decoded.
    """

    path: Path
    size: int
    items: int
    left_out: int
    pictures: int
    failed: int
    folder: Path | None


def write_diff(
    path: Path,
    changes: Iterable[ItemChange],
    before: Side,
    after: Side,
    *,
    notes: Sequence[str] = (),
    max_items: int | None = MOST_ITEMS,
    embed: bool | None = None,
    force: bool = False,
) -> Written:
    """
    Write what changed from one side to the other as a page.

    `notes` are told as they are (changes of labels, say). Of more than `max_items` changed items
    (None: no limit) the rest is counted only, and the page says so. `embed` keeps all pictures
    inside the page (True) or none (False). Raises UsageError where the file exists, unless with
    `force`, or cannot be written.
    """
    check_target(path, force=force)
    pictures = Pictures(path, embed=embed)
    tally = Tally()
    counted = _counted(changes, tally)
    shown = list(islice(counted, max_items))
    left_out = sum(1 for _ in counted)
    index: list[dict[str, Any]] = []
    blocks: list[Block] = []
    stream = track(_with_items(shown, before, after), "drawing", len(shown))
    for change, item, picture, earlier in _with_pictures(stream, pictures):
        blocks.append(json_block(f"item-{len(index)}", _item(change, item, picture, earlier)))
        index.append(_index(change))
    sources = {change.source for change in shown}
    head = {
        "before": before.title,
        "after": after.title,
        "notes": list(notes),
        "left_out": left_out,
        **_totals(tally.summary()),
        "skeletons": {
            one: skeletons((after.labels(one), before.labels(one))) for one in sorted(sources)
        },
        "items": index,
    }
    page = json_block("page", {"folder": pictures.address})
    everything = [page, json_block("index", head), *blocks, *pictures.blocks()]
    title = f"{before.title} → {after.title} - dvcs diff"
    size = write_page(path, title, SCRIPTS, everything)
    pictures.finish()
    folder = None if pictures.address is None else pictures.folder
    return Written(path, size, len(shown), left_out, len(pictures.names), pictures.failed, folder)


def _counted(changes: Iterable[ItemChange], tally: Tally) -> Iterator[ItemChange]:
    for change in changes:
        tally.add(change)
        if change.is_change:
            yield change


# -- items and pictures --------------------------------------------------------------------------


class _Found(NamedTuple):
    """A changed item as it was, and as it is where that is needed."""

    change: ItemChange
    before: Item | None
    after: Item | None


def _with_items(changes: Sequence[ItemChange], before: Side, after: Side) -> Iterator[_Found]:
    """
    Yield changes with their items.

    What did not change is as it was: so of the new side only those are asked for whose media came
    or became others.
    """
    old = _reader(before, [_old_key(one) for one in changes])
    new = _reader(after, [_new_key(one) for one in changes if _needs_new(one)])
    for at in range(0, len(changes), BATCH):
        part = changes[at : at + BATCH]
        was = old([_old_key(one) for one in part if one.status != "added"])
        now = new([_new_key(one) for one in part if _needs_new(one)])
        for one in part:
            yield _Found(one, was.get(_old_key(one)), now.get(_new_key(one)))


def _reader(
    side: Side, everything: Sequence[Key]
) -> "Callable[[Sequence[Key]], Mapping[Key, Item]]":
    """Return what reads items: a batch at a time, or all at once where a side must be walked."""
    from dvcs.web.sides import CommitSide

    if isinstance(side, CommitSide):
        return lambda keys: {item.key: item for item in side.items(keys)}
    held = {item.key: item for item in side.items(everything)} if everything else {}
    return lambda keys: {key: held.pop(key) for key in keys if key in held}


def _needs_new(change: ItemChange) -> bool:
    return change.status == "added" or "media" in change.fields


def _new_key(change: ItemChange) -> Key:
    return change.source, change.subset, change.id


def _old_key(change: ItemChange) -> Key:
    return change.previous or _new_key(change)


def _with_pictures(
    found: Iterable[_Found], pictures: Pictures
) -> Iterator[tuple[ItemChange, Item | None, Shown, Shown | None]]:
    """Yield changes with the item as it was, its picture, and the one before if it is another."""

    def asked() -> Iterator[tuple[_Found, Item | None]]:
        for one in found:
            replaced = one.before is not None and one.after is not None
            if replaced:
                yield one, one.before
            yield one, one.after if one.after is not None else one.before

    earlier: Shown | None = None
    for one, shown in pictures.of(asked()):
        if one.before is not None and one.after is not None and earlier is None:
            earlier = shown
            continue
        yield one.change, one.before, shown, earlier
        earlier = None


# -- as plain values -----------------------------------------------------------------------------


def _item(
    change: ItemChange, before: Item | None, picture: Shown, earlier: Shown | None
) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "name": _name(_new_key(change)),
        "previous": None if change.previous is None else _name(change.previous),
        "source": change.source,
        "status": change.status,
        "size": picture.size,
        "picture": picture.name,
        "why": picture.why,
        "earlier": None,
        "fields": _fields(change.details),
        "changes": [_annotation(one) for one in change.annotations],
        "same": [drawable(note) for note in _unchanged(change, before)],
    }
    if earlier is not None:
        plain["earlier"] = {"size": earlier.size, "picture": earlier.name, "why": earlier.why}
    return plain


def _name(key: Key) -> str:
    return "/".join(part for part in key if part)


def _unchanged(change: ItemChange, before: Item | None) -> list[Annotation]:
    """Return the annotations of an item, as it was, that are in no change."""
    if before is None or change.status in ("added", "removed"):
        return []
    gone = [one.before for one in change.annotations if one.before is not None]
    left = []
    for note in before.annotations:
        if note in gone:
            gone.remove(note)
        else:
            left.append(note)
    return left


def _annotation(change: AnnotationChange) -> dict[str, Any]:
    """Return a change: in `text` what is seen on the picture, in `fields` everything else."""
    seen = {name: values for name, values in change.details.items() if name in _SEEN}
    more = {name: values for name, values in change.details.items() if name not in _SEEN}
    if "geometry" in seen and change.annotation.kind in _TOLD:
        values = [told(value) for value in seen["geometry"]]
        if change.annotation.kind != "caption" or max(map(len, filter(None, values))) > _SHORT:
            more = {change.annotation.kind: seen["geometry"], **more}
    return {
        "status": change.status,
        "text": describe(msgspec.structs.replace(change, details=seen)),
        "kinds": _kinds(change),
        "fields": _fields(more),
        "before": None if change.before is None else drawable(change.before),
        "after": None if change.after is None else drawable(change.after),
    }


def _kinds(change: AnnotationChange) -> list[str]:
    if change.status != "changed":
        return [change.status]
    kinds = []
    for name in change.fields:
        kind = "geometry" if name == "type" else name
        kinds.append(kind if kind in ("geometry", "label", "attributes") else "other")
    return list(dict.fromkeys(kinds))


def _fields(details: Mapping[str, tuple[Any, Any]]) -> list[tuple[str, str | None, str | None]]:
    return [(name, told(old), told(new)) for name, (old, new) in details.items()]


def told(value: Any) -> str | None:
    """Return a value as text for people, None where there is none."""
    if value is msgspec.UNSET or value is None:
        return None
    if isinstance(value, str):
        return _cut(value)
    plain = msgspec.to_builtins(value)
    if isinstance(plain, dict) and set(plain) == {"caption"}:
        return _cut(str(plain["caption"]))
    return _cut(json.dumps(plain, ensure_ascii=False))


def _cut(text: str) -> str:
    if len(text) <= LONGEST:
        return text
    return f"{text[:LONGEST]}... ({len(text):,} characters)"


def _index(change: ItemChange) -> dict[str, Any]:
    counts = {"added": 0, "removed": 0, "changed": 0}
    kinds: dict[str, None] = {}
    labels: dict[str, None] = {}
    for one in change.annotations:
        counts[one.status] += 1
        kinds |= dict.fromkeys(_kinds(one))
        notes = (one.before, one.after)
        labels |= dict.fromkeys(note.label or "" for note in notes if note is not None)
    if change.status in ("moved", "renamed"):
        kinds["item-moved"] = None
    elif change.status in ("added", "removed"):
        kinds[f"item-{change.status}"] = None
    if change.fields:
        kinds["item-fields"] = None
    return {
        "name": _name(_new_key(change)),
        "place": _name((change.source, change.subset, "")),
        "status": change.status,
        **counts,
        "kinds": list(kinds),
        "labels": list(labels),
    }


def _totals(summary: Summary) -> dict[str, Any]:
    return {
        "totals": {
            "items": msgspec.structs.asdict(summary.items),
            "annotations": msgspec.structs.asdict(summary.annotations),
        },
        "labels": [
            {"name": name, "added": one.added, "removed": one.removed, "changed": one.changed}
            for name, one in summary.labels.items()
            if one.added or one.removed or one.changed
        ],
    }
