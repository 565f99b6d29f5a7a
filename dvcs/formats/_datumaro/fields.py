"""
From annotations of the model to Datumaro's annotation records.

Written are the types that all versions read: an ellipse or a turned box becomes a polygon, a
polygon of several parts a polygon for each of them in one group, holes joined to their outer ring
by bridges of no width. What is then not said is said under `dvcs` (see `notes.py`): each
record but the plainest is read back, and what would be another than it was is added.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from dvcs.errors import InvalidShape
from dvcs.formats._datumaro.labels import Table
from dvcs.formats._datumaro.notes import SCORE, TRACK, annotate, annotate_loosely, corners
from dvcs.formats._datumaro.ours import FOLLOWS, BadRecord
from dvcs.formats._datumaro.records import (
    BY_TYPE,
    ELLIPSE,
    FIELDS,
    NAME,
    OURS,
    RASTERS,
    ROTATED,
    SHARED,
    SKELETON,
    UNREADABLE,
    checksum,
    to_record,
)
from dvcs.model import (
    ABSENT,
    VISIBLE,
    Annotation,
    Ellipse,
    Mask,
    Other,
    Points,
    Polygon,
    Raster,
    Ring,
    RotatedBbox,
)

SHAPES = frozenset({"bbox", "polygon", "polyline", "points", "mask", ELLIPSE, ROTATED})
"""Types of which Datumaro always writes a z-order."""


class NotePen:
    """Makes records of annotations, for a file with these labels."""

    def __init__(self, table: Table, *, ellipses: bool = False) -> None:
        self._table = table
        self._ellipses = ellipses

    def records(self, note: Annotation, number: int, stated: int | None) -> list[dict[str, Any]]:
        """
        Return the records of an annotation: one, several for a polygon of several parts, or none.

        `number` is that of its group in the file; `stated` what `regrouped` is to keep of it,
        where that does not follow.
        """
        own = note.extra.get(NAME)
        if not isinstance(own, dict):
            own = {}
        rings: list[Ring] = []
        shape = self._shape(note, own)
        if shape is None:
            if not isinstance(note, Polygon):
                return []
            rings = _rings(note)
            shape = {"type": "polygon", "points": rings[0]}
        record = self._shared(note, number, shape)
        kind = shape["type"]
        for key, value in own.items():
            if key not in record and key not in FIELDS.get(kind, SHARED):
                record[key] = value
        if own or note.unknown or rings or not self._is_plain(note, kind):
            ours = self._difference(note, record, rings)
            if ours is None:
                return []
            if ours:
                record[OURS] = ours
        elif note.extra or note.derived:
            record[OURS] = _beside(note) if _is_exact(note) else self._difference(note, record, [])
        if stated is not None:
            record.setdefault(OURS, {})["group"] = stated
        return [record, *self._further(note, number, rings)]

    def _is_plain(self, note: Annotation, kind: str) -> bool:
        """Tell whether nothing of an annotation can be lost in its record."""
        attributes = note.attributes
        return (
            kind == note.kind
            and type(note.id) is int
            and (note.label is None or note.label in self._table.positions)
            and SCORE not in attributes
            and TRACK not in attributes
            and not (
                isinstance(note, Points) and len(note.visibility) not in (0, len(note.points) / 2)
            )
        )

    def _shared(self, note: Annotation, number: int, shape: dict[str, Any]) -> dict[str, Any]:
        attributes = note.attributes
        if note.score is not None and SCORE not in attributes:
            attributes = {**attributes, SCORE: note.score}
        if note.track is not None and TRACK not in attributes:
            attributes = {**attributes, TRACK: note.track}
        kind = shape["type"]
        record = {
            "id": note.id if type(note.id) is int else 0,
            "type": kind,
            "attributes": attributes,
            "group": number,
        }
        position = self._table.positions.get(note.label) if note.label is not None else None
        if kind != "caption" or position is not None:
            record["label_id"] = position
        record |= shape
        if kind in SHAPES or note.z_order:
            record["z_order"] = note.z_order
        return record

    def _shape(self, note: Annotation, own: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return what of a record is its type's own; None for what takes several, or has none."""
        if isinstance(note, Polygon):
            single = len(note.parts) == 1 and len(note.parts[0]) == 1
            return {"type": "polygon", "points": note.parts[0][0]} if single else None
        if isinstance(note, Ellipse | RotatedBbox):
            return self._turned(note, own.get("type"))
        if isinstance(note, Raster | Other):
            return self._rare(note, own)
        if isinstance(note, Points) and own.get("type") == SKELETON:
            return self._skeleton(note, own) or _usual_shape(note)
        return _usual_shape(note)

    def _turned(self, note: Ellipse | RotatedBbox, native: Any) -> dict[str, Any] | None:
        from dvcs.geometry import polygons

        if isinstance(note, RotatedBbox) and native == ROTATED:
            return {"type": ROTATED, "points": note.geometry}
        if isinstance(note, Ellipse) and not note.angle and (native == ELLIPSE or self._ellipses):
            return {"type": ELLIPSE, "points": _stated_corners(note)}
        try:
            if isinstance(note, Ellipse):
                parts = polygons.from_ellipse(*note.geometry)
            else:
                parts = polygons.from_rotated_box(note.geometry)
        except InvalidShape:
            return None
        return {"type": "polygon", "points": parts[0][0]}

    def _rare(self, note: Raster | Other, own: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return a record that only its own file's readers know, None where it came from none."""
        if isinstance(note, Other):
            if note.format != NAME or not isinstance(note.record, dict):
                return None
            record = dict(note.record)
            if isinstance(record.get("elements"), list):
                record["elements"] = [self._element(one) for one in record["elements"]]
            return record if isinstance(record.get("type"), str) else None
        native = own.get("type")
        if not isinstance(native, str) or RASTERS.get(native) != note.meaning:
            return None
        if note.file.name is None:
            return None
        more = own.get("image") if isinstance(own.get("image"), dict) else {}
        return {"type": native, "image": {"path": note.file.name, **(more or {})}}

    def _element(self, element: Any) -> Any:
        """Return an element of a skeleton kept as it stood, its label by position again."""
        if not isinstance(element, dict) or element.get("label") not in self._table.positions:
            return element
        rest = {key: value for key, value in element.items() if key != "label"}
        return {**rest, "label_id": self._table.positions[element["label"]]}

    def _skeleton(self, note: Points, own: Mapping[str, Any]) -> dict[str, Any] | None:
        order = self._table.elements.get(note.label or "", [])
        count = len(order)
        if 2 * count != len(note.points) or len(note.visibility) != count:
            return None
        left = dict.fromkeys(range(count))
        elements = []
        for entry in own.get("elements", [[place, {}] for place in range(count)]):
            try:
                place, more = entry
                del left[place]
            except (TypeError, ValueError, KeyError):
                return None
            if not isinstance(more, dict):
                return None
            elements.append(_element_record(note, place, order[place], more))
        seen = [place for place in left if note.visibility[place] != ABSENT]
        elements += [_element_record(note, place, order[place], {}) for place in seen]
        return {"type": SKELETON, "elements": elements}

    def _difference(
        self, note: Annotation, record: dict[str, Any], rings: list[Ring]
    ) -> dict[str, Any] | None:
        """
        Return what is to be said under `dvcs`, so that the annotation comes back as it is.

        None where the record cannot be read, as one that was kept though it is bad.
        """
        ours: dict[str, Any] = {"rings": len(rings)} if rings else {}
        back = self._read_back(record)
        if back is None:
            return None
        if rings:
            back = back.with_(parts=[[_floats(ring)] for ring in rings])
        fields: dict[str, Any] = {}
        for name in note.__struct_fields__:
            if name in ("group", "extra"):
                continue
            new = getattr(note, name)
            shared = name in back.__struct_fields__
            if not shared or not _alike(new, getattr(back, name)):
                fields[name] = new
        if note.kind != back.kind:
            fields["type"] = note.kind
        extra = {
            name: value
            for name, value in note.extra.items()
            if not _alike(value, back.extra.get(name)) and not _only_group(name, value, back)
        }
        extra |= {name: None for name in back.extra if name not in note.extra}
        if extra:
            fields["extra"] = extra
        if not FOLLOWS.isdisjoint(fields):
            ours["check"] = checksum(back.geometry)
        return {**fields, **ours}

    def _read_back(self, record: dict[str, Any]) -> Annotation | None:
        """Return what a reader would make of a record, None where it cannot read it."""
        try:
            plain = msgspec.to_builtins(record)
            kind = plain["type"]
            if kind in BY_TYPE and plain.keys() <= {*FIELDS[kind], "type"}:
                return annotate(to_record(plain), self._table)
            return annotate_loosely(plain, self._table)[1]
        except (BadRecord, InvalidShape, TypeError, *UNREADABLE):
            return None

    def _further(self, note: Annotation, number: int, rings: list[Ring]) -> list[dict[str, Any]]:
        return [
            {
                **self._shared(note, number, {"type": "polygon", "points": ring}),
                OURS: {"ring": at},
            }
            for at, ring in enumerate(rings[1:], 1)
        ]


def _stated_corners(note: Ellipse) -> list[float]:
    """Return the corners that an ellipse was read from, if it still is that one."""
    stated = note.derived.get(NAME)
    points = stated.get("points") if isinstance(stated, dict) else None
    made = corners(note)
    if isinstance(points, list) and [type(one) for one in points] == [float] * 4:
        x0, y0, x1, y1 = points
        if [(x0 + x1) / 2, (y0 + y1) / 2, (x1 - x0) / 2, (y1 - y0) / 2] == [*note.geometry[:4]]:
            return points
    return made


def _is_exact(note: Annotation) -> bool:
    """Tell whether the numbers of a shape are floats, so that they come back as they are."""
    if isinstance(note, Polygon):
        return {*map(type, note.parts[0][0])} <= {float}
    return note.kind == "bbox" and {*map(type, note.geometry)} == {float}


def _beside(note: Annotation) -> dict[str, Any]:
    """Return what is to be said of an annotation that only other formats say more of."""
    # To read the record back, as `_difference` does, would take ten times as long, for each of
    # the annotations of what was a COCO file.
    ours: dict[str, Any] = {"extra": note.extra} if note.extra else {}
    if note.derived:
        ours |= {"derived": note.derived, "check": checksum(note.geometry)}
    return ours


def _usual_shape(note: Annotation) -> dict[str, Any]:
    if isinstance(note, Points):
        visibility = {"visibility": note.visibility} if note.visibility else {}
        return {"type": "points", "points": note.points, **visibility}
    if isinstance(note, Mask):
        return {"type": "mask", "rle": {"counts": note.counts, "size": note.size}}
    if note.kind == "bbox":
        return {"type": "bbox", "bbox": note.geometry}
    return {"type": note.kind, **{name: getattr(note, name) for name in note.geometry_fields}}


def _rings(note: Polygon) -> list[Ring]:
    """Return a ring for each part: holes joined to it, as far as that can be."""
    from dvcs.geometry import bridging

    found: list[Ring] = []
    for part in note.parts:
        try:
            found.append(bridging.one_ring([part]) if len(part) > 1 else part[0])
        except InvalidShape:
            found.append(part[0])
        except IndexError:  # a part of no rings
            found.append([])
    return found or [[]]


def _floats(ring: Sequence[float]) -> list[float]:
    return [float(value) for value in ring]


def _element_record(
    note: Points, place: int, label_id: int, more: dict[str, Any]
) -> dict[str, Any]:
    return {
        "id": 0,
        "type": "points",
        "attributes": {},
        "group": 0,
        "z_order": 0,
        **more,
        "label_id": label_id,
        "points": note.points[2 * place : 2 * place + 2],
        "visibility": [note.visibility[place] if note.visibility else VISIBLE],
    }


def _alike(a: Any, b: Any) -> bool:
    """Tell whether two values are equal as JSON: 1 and 1.0 are, 1 and true are not."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_alike(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        if {*map(type, a), *map(type, b)} == {float}:
            return [*a] == [*b]
        return len(a) == len(b) and all(map(_alike, a, b))
    return bool(a == b) and isinstance(a, bool) is isinstance(b, bool)


def _only_group(name: str, value: Any, back: Annotation) -> bool:
    """Tell whether all that an `extra` has more is its group's number, which is said elsewhere."""
    if name != NAME or not isinstance(value, dict) or not is_number(value.get("group")):
        return False
    rest = {key: one for key, one in value.items() if key != "group"}
    return _alike(rest, back.extra.get(NAME, {}))


def is_number(value: Any) -> bool:
    """Tell whether a value can be the number of a group."""
    return type(value) is int and value != 0


def file_groups(
    notes: Sequence[Annotation], *, several: Sequence[bool]
) -> list[tuple[int, int | None]]:
    """
    Return for each annotation the number of its group in the file, and what is to be kept of it.

    A group gets the number that it had in the file it came from, if its members agree and no other
    has it; `several` tells which annotations are written as several records, which share a number.
    What is to be kept is None where it follows from the number (see `regrouped` in the reader).
    """
    sizes: dict[int, int] = {}
    for note in notes:
        sizes[note.group] = sizes.get(note.group, 0) + 1
    groups: dict[int, int] = {}
    own = [_own_number(note) for note in notes]
    members: dict[object, list[int]] = {}
    for at, note in enumerate(notes):
        joined = note.group if note.group and sizes[note.group] > 1 else None
        if joined is not None:
            groups.setdefault(joined, len(groups) + 1)
        members.setdefault(("alone", at) if joined is None else joined, []).append(at)
    taken: set[int] = set()
    numbers: dict[object, int] = {}
    for key, places in members.items():
        wanted = own[places[0]]
        if wanted and wanted not in taken and all(own[at] == wanted for at in places):
            numbers[key] = wanted
            taken.add(wanted)
    highest = max((*taken, len(groups), 0))
    result: list[tuple[int, int | None]] = [(0, None)] * len(notes)
    for key, places in members.items():
        group = groups.get(key, 0) if isinstance(key, int) else 0
        number = numbers.get(key, 0)
        if not number and (group or several[places[0]]):
            number = group if group and group not in taken else 0
            if not number:
                highest += 1
                number = highest
            taken.add(number)
        follows = number if number != group else 0
        for at in places:
            result[at] = (number, None if own[at] == follows else own[at])
    return result


def _own_number(note: Annotation) -> int:
    own = note.extra.get(NAME) if note.extra else None
    number = own.get("group") if isinstance(own, dict) else None
    return number if is_number(number) else 0  # type: ignore[return-value]
