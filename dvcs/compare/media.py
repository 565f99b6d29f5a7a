"""What changed in an item's media. Learning what was not known before is a fill, not a change."""

from typing import Any

from dvcs.model import Item, Media, MediaFile

_FILE_FACTS = ("role", "ext", "sha256", "size", "url")
_MEDIA_FACTS = ("kind", "height", "width", "frame", "orientation")


def media_changes(
    old: Item, new: Item, *, partial: bool = False
) -> tuple[dict[str, tuple[Any, Any]], bool]:
    """
    Return what differs (`media.sha256`, `media.width`, ...) and whether something was learnt.

    With `partial`, what the new side does not know is no difference. Facts of one of several files
    are `media.files.N.sha256`. A file's name counts as it is in a dataset, so one that is spelt out
    equals one that follows from the item's id.
    """
    details: dict[str, tuple[Any, Any]] = {}
    if old.media is None or new.media is None:
        if old.media is not None and not partial:
            details["media"] = (old.media, None)
        return details, old.media is None and new.media is not None
    if old.media == new.media and old.id == new.id:
        return details, False
    learnt = _facts(old.media, new.media, _MEDIA_FACTS, "media", details, partial=partial)
    return details, _files(old, new, details, partial=partial) or learnt


def _files(old: Item, new: Item, details: dict[str, tuple[Any, Any]], *, partial: bool) -> bool:
    assert old.media is not None  # noqa: S101 -- the caller has looked
    assert new.media is not None  # noqa: S101
    before, after = old.media.files, new.media.files
    if len(before) != len(after):
        if not before:
            return True
        if after or not partial:
            details["media.files"] = (before, after)
        return False
    learnt = False
    for at, (a, b) in enumerate(zip(before, after, strict=True)):
        place = "media" if len(before) == 1 else f"media.files.{at}"
        learnt |= _facts(a, b, _FILE_FACTS, place, details, partial=partial)
        names = _name(old, a), _name(new, b)
        # A name that follows the id says nothing of its own: the item was renamed, not the file.
        if names[0] != names[1] and (a.name, b.name) != (None, None) and b.ext == a.ext:
            details[f"{place}.name"] = names
    return learnt


def _facts(
    a: Media | MediaFile,
    b: Media | MediaFile,
    names: tuple[str, ...],
    place: str,
    details: dict[str, tuple[Any, Any]],
    *,
    partial: bool,
) -> bool:
    learnt = False
    for name in names:
        before, after = getattr(a, name), getattr(b, name)
        if before == after:
            continue
        if before is None or before == "":
            learnt = True
        elif not partial or (after is not None and after != ""):
            details[f"{place}.{name}"] = (before, after)
    return learnt


def _name(item: Item, file: MediaFile) -> str:
    return file.name if file.name is not None else item.id + file.ext
