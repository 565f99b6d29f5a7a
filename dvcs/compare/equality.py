"""When two annotations, or two JSON values, are the same: a key that is cheap to make."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from dvcs.model import Annotation, Item

_replace = msgspec.structs.replace


def plain(value: Any) -> Any:
    """What numpy and mappings other than dict mean in JSON; msgspec asks for what it cannot say."""
    if isinstance(value, Mapping):
        return dict(value)
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError


_ENCODE = msgspec.json.Encoder(order="sorted", enc_hook=plain).encode


def text(value: Any) -> bytes:
    """Return a value as JSON with sorted keys: `True`, `1` and `1.0` differ, as they do stored."""
    try:
        return _ENCODE(value)
    except (TypeError, ValueError, OverflowError, msgspec.MsgspecError):
        return repr(value).encode("utf-8", "surrogatepass")


def same(a: Any, b: Any) -> bool:
    """Tell whether two JSON values are stored alike."""
    return bool(a == b) and (not a or text(a) == text(b))


def key(note: Annotation) -> bytes:
    """
    Return what an annotation says, without what only numbers it: equal keys, equal annotations.

    Left out are `id`, `group` (a partition, not a value) and the `id` inside a format's `extra`.
    0.4 us for a box, 1.3 us for a polygon of 20 points.
    """
    if note.extra:
        return text(_replace(note, id=0, group=0, extra=without_ids(note.extra)))
    return text(_replace(note, id=0, group=0))


def key_without_track(note: Annotation) -> bytes:
    """Return the key that is left when tracks were renumbered too."""
    return key(note if note.track is None else _replace(note, track=None))


def without_ids(extra: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return an `extra` without the keys called `id` that stand directly inside a format's record.

    `{"coco": {"id": 7, "license": 1}}` becomes `{"coco": {"license": 1}}`: such an id is the
    number that a file gave to an image or annotation, and another delivery numbers afresh.
    """
    return {
        name: {at: value for at, value in record.items() if at != "id"}
        if isinstance(record, Mapping) and "id" in record
        else record
        for name, record in extra.items()
    }


def content_key(item: Item) -> bytes | None:
    """Return what an item says but for its name; None where it has neither media nor annotation."""
    if not item.annotations and (item.media is None or not item.media.files):
        return None
    notes: Sequence[Annotation] = list(item.annotations)
    return text([item.media, notes, dict(item.attributes), item.annotated, dict(item.extra)])
