"""
The files that a COCO export is writing, and the numbers that it gives.

A file needs each of its lists in one piece, so annotations go straight into it and image records
into a temporary one. What has no id, or one that another has, waits in a temporary file until the
highest id is known, and is numbered from there.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import IO, Any

import msgspec
from msgspec import UNSET

from dvcs.formats._coco.fields import Fields
from dvcs.formats._coco.records import CAPTIONS, IMAGE_INFO, Id
from dvcs.names import quote

ENCODE = msgspec.json.Encoder().encode
USUALLY_ABSENT = {CAPTIONS: ("categories",), IMAGE_INFO: ("annotations",)}


class Numbers:
    """Ids of one kind: which are taken, and what those get that have none."""

    def __init__(self) -> None:
        self._taken: dict[str, set[Id]] = {}
        self._highest = 0
        self._waiting = 0

    def take(self, id: Id, spaces: Iterable[str], *, again: bool = False) -> bool:
        """Take an id in each of `spaces`; False where one has it already, unless `again`."""
        sets = [self._taken.setdefault(space, set()) for space in spaces]
        if not again and any(id in one for one in sets):
            return False
        for one in sets:
            one.add(id)
        if type(id) is int and id > self._highest:
            self._highest = id
        return True

    def wait(self) -> int:
        """Return the place in the queue, from 1, of what will be numbered at the end."""
        self._waiting += 1
        return self._waiting

    def number(self, place: int) -> int:
        """Return the id of what waited, now that all ids are known."""
        return self._highest + place


class Output:
    """One JSON file under way. `about` is what the metadata remember of it."""

    def __init__(
        self,
        task: str,
        subset: str,
        about: Mapping[str, Any],
        fields: Fields,
        *,
        out: IO[bytes],
        waiting: IO[bytes],
    ) -> None:
        self.task = task
        self.about = about
        self.fields = fields
        self.used: set[str] = set()
        self.lists: dict[str, list[tuple[int, dict[str, Any]]]] = {}
        """Entries of top-level lists about images, with the place of an image that waits."""
        self.name = f"{task}_{subset}"
        self._out = out
        self._waiting = waiting
        self._waits = False
        self._absent = about.get("absent", USUALLY_ABSENT.get(task, ()) if not about else ())
        self._keys = 0
        self._records = 0
        if not fields.results:
            self._begin()

    @staticmethod
    def path(task: str, subset: str) -> str:
        """Return the path of the file of a task and subset."""
        return f"annotations/{task}_{quote(subset)}.json"

    def _key(self, key: str) -> None:
        self._out.write(b"%b%b:" % (b"," if self._keys else b"{", ENCODE(key)))
        self._keys += 1

    def _begin(self) -> None:
        usual: dict[str, Any] = {"info": {}, "licenses": []}
        for key, value in usual.items():
            if key in self.about or key not in self._absent:
                self._key(key)
                self._out.write(ENCODE(self.about.get(key, value)))
        for key, value in self.about.get("keys", {}).items():
            self._key(key)
            self._out.write(ENCODE(value))

    def add(self, record: bytes, id: Any, image_id: Any, places: tuple[int, int]) -> None:
        """
        Add a record to the annotations.

        It has neither of its ids yet: UNSET leaves one out, a place other than 0 tells that it
        waits for its number. From the first such record on all wait, because the order shall not
        depend on who had an id.
        """
        if self._waits or any(places):
            self._waits = True
            head = [*places, [] if id is UNSET else [id], [] if image_id is UNSET else [image_id]]
            self._waiting.write(b"%b\t%b\n" % (ENCODE(head), record))
        else:
            self._write(with_key("id", id, with_key("image_id", image_id, record)))

    def _write(self, record: bytes) -> None:
        if not self._records:
            self._open()
        self._out.write(b",\n" + record if self._records else record)
        self._records += 1

    def _number(self, ids: Numbers, image_ids: Numbers) -> None:
        self._waiting.seek(0)
        for line in self._waiting:
            head, data = line.rstrip(b"\n").split(b"\t", 1)
            place, image_place, id, image_id = msgspec.json.decode(head)
            image = image_ids.number(image_place) if image_place else (*image_id, UNSET)[0]
            number = ids.number(place) if place else (*id, UNSET)[0]
            self._write(with_key("id", number, with_key("image_id", image, data)))

    def _open(self) -> None:
        if not self.fields.results:
            self._key("annotations")
        self._out.write(b"[")

    def finish(
        self,
        images: Iterator[bytes],
        categories: list[dict[str, Any]],
        ids: Numbers,
        image_ids: Numbers,
    ) -> None:
        """Write what waited and what comes after the annotations, now that all ids are known."""
        self._number(ids, image_ids)
        orphans = self.about.get("orphans", {})
        for record in orphans.get("annotations", ()):
            self._write(ENCODE(record))
        listed = "annotations" not in self._absent or self.fields.results
        if not self._records and listed:
            self._open()
        if self._records or listed:
            self._out.write(b"]")
        if self.fields.results:
            self._out.write(b"\n")
            return
        self._key("images")
        self._out.write(b"[")
        separator = b""
        for line in chain(images, map(ENCODE, orphans.get("images", ()))):
            self._out.write(separator + line)
            separator = b",\n"
        self._out.write(b"]")
        if categories or "categories" not in self._absent:
            self._key("categories")
            self._out.write(ENCODE(categories))
        for key in self.about.get("lists", ()):
            self._key(key)
            entries = self.lists.get(key, ())
            self._out.write(
                ENCODE(
                    [
                        {**entry, "image_id": image_ids.number(place)} if place else entry
                        for place, entry in entries
                    ]
                )
            )
        self._out.write(b"}\n")


def with_key(key: str, value: Any, data: bytes) -> bytes:
    """Return a JSON object with one more key in front; UNSET adds none."""
    if value is UNSET:
        return data
    rest = b"}" if data == b"{}" else b"," + data[1:]
    return b'{"%b":%b%b' % (key.encode(), ENCODE(value), rest)
