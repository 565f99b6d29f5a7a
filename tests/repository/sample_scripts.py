"""Real datasets in memory, and scripts that change them: what a merge must come to, exactly."""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from dvcs import formats
from dvcs.files import open_source
from dvcs.model import (
    Annotation,
    Bbox,
    Caption,
    Category,
    Dataset,
    Item,
    Labels,
    Media,
    MediaFile,
    Points,
    Polygon,
)
from dvcs.names import is_cut, quote
from dvcs.objects import trees
from dvcs.objects.canonical import canonical_json
from dvcs.objects.items import decode_item, encode_item, encode_labels
from dvcs.repository import Repository
from dvcs.repository.merges.bases import Scratch
from dvcs.repository.snapshot import SourceInfo, SourceTree, Trees, dataset_json, write_root

SAMPLES = {
    "taco": ("taco/data/annotations.json", "coco"),  # polygons, ids, one subset
    "bccd": ("bccd/BCCD", "voc"),  # boxes, no ids, three subsets
    "coco": ("coco_mini", "coco"),  # instances of polygon and keypoints, captions, ids
}
OTHERS = 4
"""Items of a sample that are taken beside those that scripts change."""
MOVABLE = (Bbox, Polygon)


class Data(NamedTuple):
    """One version of a source; annotations hold keys of labels."""

    items: tuple[Item, ...]
    labels: Labels
    info: SourceInfo

    # Places are marked by an attribute, so that a script finds them wherever another put them.

    def at(self, mark: str) -> int:
        return next(n for n, one in enumerate(self.items) if one.attributes.get("mark") == mark)

    def item(self, mark: str) -> Item:
        return self.items[self.at(mark)]

    def where(self, mark: str) -> str:
        one = self.item(mark)
        return f"s/{one.subset}/{one.id}"

    def with_item(self, mark: str, **fields: Any) -> "Data":
        at = self.at(mark)
        return self.put(self.items[at].with_(**fields), at)

    def put(self, item: Item, at: int | None = None) -> "Data":
        before, after = (self.items, ()) if at is None else (self.items[:at], self.items[at + 1 :])
        return self._replace(items=(*before, normal(item), *after))

    def without(self, mark: str) -> "Data":
        at = self.at(mark)
        return self._replace(items=(*self.items[:at], *self.items[at + 1 :]))

    def note(self, mark: str, nick: str) -> Annotation:
        return next(
            one for one in self.item(mark).annotations if one.attributes.get("nick") == nick
        )

    def with_note(self, mark: str, nick: str, **fields: Any) -> "Data":
        notes = [
            one.with_(**fields) if one.attributes.get("nick") == nick else one
            for one in self.item(mark).annotations
        ]
        return self.with_item(mark, annotations=notes)

    def without_note(self, mark: str, nick: str) -> "Data":
        notes = [one for one in self.item(mark).annotations if one.attributes.get("nick") != nick]
        return self.with_item(mark, annotations=notes)

    def add_note(self, mark: str, note: Annotation, *, after: str | None = None) -> "Data":
        notes = list(self.item(mark).annotations)
        nicks = [one.attributes.get("nick") for one in notes]
        notes.insert(len(notes) if after is None else nicks.index(after) + 1, note)
        return self.with_item(mark, annotations=notes)

    def next_id(self) -> int:
        """Return the id of a new annotation; 0 in a dataset without ids."""
        top = max(one.id for item in self.items for one in item.annotations)
        return top and top + 1

    def name_of(self, mark: str, nick: str) -> str:
        """Return what a conflict calls an annotation."""
        notes = self.item(mark).annotations
        at = next(n for n, one in enumerate(notes) if one.attributes.get("nick") == nick)
        alone = sum(one.id == notes[at].id for one in notes) == 1
        return str(notes[at].id) if notes[at].id and alone else f"n{at + 1}"

    def with_label(self, key: str, **fields: Any) -> "Data":
        return self._replace(
            labels=self.labels.replaced(
                msgspec.structs.replace(one, **fields) if one.key == key else one
                for one in self.labels
            )
        )

    def with_labels(self, *categories: Category) -> "Data":
        return self._replace(labels=self.labels.replaced(categories))

    def without_label(self, key: str, *, notes: bool = True) -> "Data":
        """Delete a label, and the annotations that have it."""
        data = self.with_labels(*(one for one in self.labels if one.key != key))
        if not notes:
            return data
        return data._replace(
            items=tuple(
                normal(item.with_(annotations=[n for n in item.annotations if n.label != key]))
                for item in data.items
            )
        )

    def with_info(self, **fields: Any) -> "Data":
        return self._replace(info=msgspec.structs.replace(self.info, **fields))


Script = Callable[[Data], Data]


def normal(item: Item) -> Item:
    """Return an item as it is stored: in order, with groups numbered by first appearance."""
    sizes = Counter(one.group for one in item.annotations if one.group)
    numbers: dict[int, int] = {}
    held = item.with_(annotations=list(item.annotations))
    stored = decode_item([b"".join(encode_item(held))], item.id, item.subset)
    notes = []
    for one in stored.annotations:
        alone = sizes[one.group] < 2
        group = 0 if alone else numbers.setdefault(one.group, len(numbers) + 1)
        notes.append(one.with_(group=group))
    return stored.with_(annotations=notes)


def moved(note: Annotation, part: float) -> dict[str, Any]:
    """Return the fields of a shape that moved to the right by a part of its width."""
    if isinstance(note, Bbox):
        return {"x": note.x + part * note.w}
    if isinstance(note, Polygon):
        xs = [x for rings in note.parts for ring in rings for x in ring[::2]]
        shift = part * (max(xs) - min(xs))
        rings = [
            [[v + (0 if n % 2 else shift) for n, v in enumerate(ring)] for ring in rings]
            for rings in note.parts
        ]
        return {"parts": rings}
    assert isinstance(note, Points)
    return {"points": [v + (0 if n % 2 else part) for n, v in enumerate(note.points)]}


def load(samples: Path, name: str) -> Data:
    """
    Return a sample made ready for scripts.

    Items A, B, C, D are marked; in each of them the annotations `one`, `two`, `three` (boxes or
    polygons, alone in their group) have attributes, and there is a caption. Of three labels
    more, `rare` is that of A's `two`, and `spare` and `calm` of nothing.
    """
    path, format = SAMPLES[name]
    dataset = formats.read(open_source(samples / path), formats.find(format))
    keys = {one.name: one.key for one in dataset.labels}
    items = [
        item.with_(
            annotations=[note.with_(label=keys.get(note.label or "")) for note in item.annotations],
            origins=(),
            source="",
        )
        for item in chosen(dataset)
    ]
    data = Data(
        tuple(map(normal, items)),
        dataset.labels,
        SourceInfo(format=format, metadata=dict(dataset.metadata), licence="CC BY 4.0"),
    )
    items = [with_hash(item, n) for n, item in enumerate(data.items)]
    marks = iter("ABCD")
    for n, item in enumerate(items):
        alone = [at for at, note in enumerate(item.annotations) if is_fit(note, item)]
        if len(alone) >= 3 and (mark := next(marks, "")):
            notes = list(item.annotations)
            for at, nick in zip(alone, ("one", "two", "three"), strict=False):
                notes[at] = notes[at].with_(
                    attributes={"nick": nick, "seen": 3, "tags": ["a"]}, z_order=1, score=0.5
                )
            items[n] = item.with_(annotations=notes, attributes={"mark": mark, "light": "day"})
    data = data._replace(items=tuple(map(normal, items)))
    for mark in "ABCD":
        caption = Caption(caption="a photo", id=data.next_id(), attributes={"nick": "caption"})
        data = data.add_note(mark, caption)
    top = max(one.id or 0 for one in data.labels)
    more = [
        Category(name=name, id=top and top + n)
        for n, name in enumerate(("rare", "spare", "calm"), 1)
    ]
    data = data._replace(labels=data.labels.replaced((*data.labels, *more)))
    return data.with_note("A", "two", label="rare")


def chosen(dataset: Dataset) -> Iterator[Item]:
    """Yield the first four items that scripts can work with, and some others."""
    fit = others = 0
    for item in dataset:
        if fit < 4 and sum(is_fit(note, item) for note in item.annotations) >= 3:
            fit += 1
            yield item
        elif others < OTHERS:
            others += 1
            yield item
        elif fit == 4:
            return


def is_fit(note: Annotation, item: Item) -> bool:
    """Tell whether an annotation is large, alone, and not on top of another one."""
    if not isinstance(note, MOVABLE) or note.group or note.label is None:
        return False
    x, y, w, h = extent(note)
    for other in item.annotations:
        if other is note or not isinstance(other, (*MOVABLE, Points)):
            continue
        a, b, c, d = extent(other)
        if x < a + c and a < x + w and y < b + d and b < y + h:
            return False
    return min(w, h) > 10


def extent(note: Annotation) -> tuple[float, float, float, float]:
    if isinstance(note, Bbox):
        return note.geometry
    parts = note.parts if isinstance(note, Polygon) else [[note.points]]
    xs = [x for rings in parts for ring in rings for x in ring[::2]]
    ys = [y for rings in parts for ring in rings for y in ring[1::2]]
    return min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)


def with_hash(item: Item, n: int) -> Item:
    """Return an item whose image is known by its bytes, as that of an imported one is."""
    media = item.media or Media(height=480, width=640)
    (file,) = media.files or (MediaFile(ext=".jpg"),)
    known = msgspec.structs.replace(file, sha256=f"{n:064x}", size=1000 + n)
    return item.with_(media=msgspec.structs.replace(media, files=(known,)))


def stored(data: Data, add: Callable[[bytes], bytes]) -> dict[str, dict[bytes, bytes]]:
    """Store the items of a version; return their blobs by subset and name."""
    held: dict[str, dict[bytes, bytes]] = {}
    for item in data.items:
        name = quote(item.id)
        parts = encode_item(item, keep_id=is_cut(name))
        blobs = b"".join([add(part) for part in parts])
        assert name.encode() not in held.setdefault(item.subset, {})
        held[item.subset][name.encode()] = blobs
    return held


def write(repo: Repository, data: Data, branch: str) -> None:
    """Commit a version to a branch."""
    with repo.transaction(branch=branch) as change:
        change.set_source("s", data.info, data.labels, stored(data, change.writer.blob))
        change.commit("A script", operation="edit", allow_empty=True)


def tree_of(repo: Repository, data: Data) -> bytes:
    """Return the tree of the commit that holds a version, without writing anything."""
    scratch = Scratch(repo.store, Trees(repo.store))
    subsets = {
        subset: trees.write(scratch, held) for subset, held in stored(data, scratch.add).items()
    }
    info = scratch.add(canonical_json(msgspec.to_builtins(data.info)) + b"\n")
    source = SourceTree(info, scratch.add(encode_labels(data.labels)), subsets)
    return write_root(scratch, scratch.add(dataset_json()), {"s": source}, None)
