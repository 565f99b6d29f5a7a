"""From items to COCO's image records: the reverse of what `read.py` makes of them."""

from collections.abc import Mapping
from typing import Any

from dvcs.errors import UnsafeName
from dvcs.files import image_size
from dvcs.formats._coco.fields import NOTHING
from dvcs.formats._coco.records import NAME, NOTES, Id
from dvcs.model import Item, Labels
from dvcs.names import item_id


def image_record(
    item: Item, file_name: str, labels: Labels, ids: Mapping[str, Id]
) -> dict[str, Any]:
    """
    Return an item's image record without its id.

    `file_name` is the name that its file has now, `ids` the category id of each label. An item
    that never was COCO gets its size from the image's header where its record has none.
    """
    coco = item.extra.get(NAME, NOTHING)
    extra = {key: value for key, value in coco.items() if key not in ("id", NOTES)}
    notes = coco.get(NOTES, NOTHING)
    stated = extra.pop("file_name", None)
    record: dict[str, Any] = {"file_name": file_name}
    if stated is not None and _same_name(stated, file_name):
        record["file_name"] = stated
    if "file_name" in notes.get("absent", ()) and file_name == _unnamed(coco):
        del record["file_name"]
    media = item.media
    sides = (media.height, media.width) if media is not None else (None, None)
    if NAME not in item.extra:
        sides = image_size(item) or sides
    named = zip(("height", "width"), sides, strict=True)
    record |= {key: side for key, side in named if side is not None}
    record = {**extra, **record, **notes.get("keys", NOTHING)}
    for key, keys in notes.get("labels", NOTHING).items():
        names = {label.key: label.name for label in labels}
        record[key] = [ids[names[one]] for one in keys if one in names]
    return record


def other_records(notes: Mapping[str, Any], record: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the records of an image in the files that describe it differently, by task."""
    return {
        task: _renamed(other, record)
        for task, other in notes.get("records", NOTHING).items()
        if is_id(other.get("id"))
    }


def _renamed(other: dict[str, Any], record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record with the file name that the image has now, if that is another one."""
    name, now = other.get("file_name"), record.get("file_name")
    if not isinstance(name, str) or now is None or _same_name(name, now):
        return other
    return {**other, "file_name": now}


def is_id(value: Any) -> bool:
    """Tell whether a value can be the id of an image or annotation."""
    return isinstance(value, int | str) and not isinstance(value, bool)


def _same_name(stated: str, written: str) -> bool:
    """Tell whether a file name as a record had it is but another spelling of the one written."""
    try:
        return stated == written or item_id(stated) == item_id(written)
    except UnsafeName:
        return False


def _unnamed(coco: Mapping[str, Any]) -> str:
    """Return the name that an image record without `file_name` is given."""
    url = coco.get("coco_url")
    return (url.rpartition("/")[2] if isinstance(url, str) else "") or str(coco.get("id"))
