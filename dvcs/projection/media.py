"""Edits of an item's media: changed files are new files, absent ones say nothing."""

from typing import Any

import msgspec

from dvcs.model import Item, Media, MediaFile


def edited_media(full: Item, projected: Item, edited: Item) -> tuple[Media | None, tuple[Any, ...]]:
    """Return the media after an edit, and where the bytes of changed files can be had."""
    old, shown, new = full.media, projected.media, edited.media
    if new is None or (old is not None and not new.files):
        return old, ()
    if old is None or shown is None or len(old.files) != len(new.files):
        if old is not None and shown == new:
            return old, ()
        return new, edited.origins
    files: list[MediaFile] = []
    origins: list[Any] = [None] * len(new.files)
    changed = False
    for n, (was, now) in enumerate(zip(old.files, new.files, strict=True)):
        before = shown.files[n] if n < len(shown.files) else MediaFile()
        if now.sha256 is not None and now.sha256 != (before.sha256 or was.sha256):
            origins[n] = edited.origins[n] if n < len(edited.origins) else None
            files.append(msgspec.structs.replace(now, url=None))
            changed = True
        else:
            facts = {
                name: getattr(now, name)
                for name in ("role", "ext", "name", "size", "url")
                if getattr(now, name) not in (None, getattr(before, name))
            }
            files.append(msgspec.structs.replace(was, **facts) if facts else was)
    fields: dict[str, Any] = {"files": tuple(files)}
    for name in ("kind", "height", "width", "frame", "orientation"):
        value = getattr(new, name)
        if changed or (value is not None and value != getattr(shown, name)):
            fields[name] = value
    return msgspec.structs.replace(old, **fields), tuple(origins) if changed else ()
