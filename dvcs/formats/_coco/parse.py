"""
From one COCO annotation record to annotations of the model.

What a record says and the model has no field for goes to `extra["coco"]` under its own key; what
follows from the geometry (area, a box that is not the shape's extent) to `derived["coco"]`. How a
record deviates from what `fields.py` would write stands in `extra["coco"]["dvcs"]`:

    absent      keys that are usual and were not there
    rle         "list" or "text", where the other spelling is usual
    duplicate   its id stands more than once in its file
    keys        unknown keys whose names dvcs itself uses
    tasks       the tasks whose files hold it, where those are not the usual ones
"""

from collections.abc import Container, Mapping
from typing import Any

import msgspec
from msgspec import UNSET

from dvcs.convert import ORDINARY
from dvcs.errors import DvcsError
from dvcs.formats._coco.records import (
    CROWDED,
    KNOWN,
    NAME,
    NOTES,
    PARTS,
    RECORD,
    STRICT,
    UNREADABLE,
    VALUE,
    WRITTEN,
    WRITTEN_IN_RESULTS,
    Id,
    Plain,
    Record,
    Rle,
    extent,
    said,
    side,
)
from dvcs.geometry.extents import box_of_runs
from dvcs.model import ABSENT, VISIBLE, Annotation, Bbox, Caption, Label, Mask, Points, Polygon

NOTHING: dict[str, Any] = {}
CROWD = "is_crowd"


class BadRecord(DvcsError):
    """One annotation that cannot be read; where it stands is added by the caller."""


class Instance(msgspec.Struct):
    """What one record is: an annotation, and keypoints beside a shape."""

    shape: Annotation
    points: Points | None = None

    @property
    def has_points(self) -> bool:
        """Whether there are keypoints."""
        return self.points is not None or self.shape.kind == "points"


class Parser(msgspec.Struct, frozen=True):
    """
    Reads the records of one file.

    `labels` gives the label of each category id, `duplicates` are ids that stand there twice,
    `results` tells a list of detections, which usually has fewer keys.
    """

    labels: Mapping[Id, str]
    duplicates: Container[Id] = ()
    results: bool = False

    def plain(self, raw: msgspec.Raw) -> Annotation | None:
        """Return a usual polygon annotation, None where the record is anything else."""
        found = self._plain(raw)
        if found is None:
            return None
        record, label, xs, ys = found
        rings = record.segmentation
        left, top, width, height = box = record.bbox
        coco: dict[str, Any] = {"area": record.area}
        if (
            xs[0] != left
            or ys[0] != top
            or ((xs[-1] - left) * 1e10 + 0.5) // 1.0 / 1e10 != width  # as `extent` does
            or ((ys[-1] - top) * 1e10 + 0.5) // 1.0 / 1e10 != height
        ):
            coco["bbox"] = list(box)
        parts = [rings] if len(rings) == 1 else [[ring] for ring in rings]
        return Polygon(parts=parts, label=label, id=record.id, derived={NAME: coco})

    def box(self, raw: msgspec.Raw) -> Annotation | None:
        """Return the box that `convert` makes of what `plain` gives, in half of their time."""
        found = self._plain(raw)
        if found is None:
            return None
        record, label, xs, ys = found
        x, y, right, bottom = xs[0], ys[0], xs[-1], ys[-1]
        if x + y <= -ORDINARY or right + bottom >= ORDINARY:
            return None
        return Bbox(x, y, right - x, bottom - y, label=label, id=record.id)

    def _plain(self, raw: msgspec.Raw) -> tuple[Plain, str, list[float], list[float]] | None:
        """Return a usual polygon record, its label, and its coordinates in order."""
        try:
            record = STRICT.decode(raw)
        except UNREADABLE:
            return None
        id, rings = record.id, record.segmentation
        label = self.labels.get(record.category_id)
        if label is None or not id or id in self.duplicates:
            return None
        # Written out, not called: this is done a million times, and half of the time goes here.
        if len(rings) == 1:
            xs, ys = rings[0][::2], rings[0][1::2]
            if not ys or len(xs) != len(ys):
                return None
        else:
            if not rings or not all(rings) or any(len(ring) & 1 for ring in rings):
                return None
            xs = [x for ring in rings for x in ring[::2]]
            ys = [y for ring in rings for y in ring[1::2]]
        xs.sort()  # outlines come in runs: 0.4 us for both, against 0.7 for min and max
        ys.sort()
        return record, label, xs, ys

    def crowd_box(self, raw: msgspec.Raw) -> Annotation | None:
        """Return the same of a crowd as COCO writes them, None where it is anything else."""
        try:
            record = CROWDED.decode(raw)
        except UNREADABLE:
            return None
        label = self.labels.get(record.category_id)
        box = box_of_runs(record.segmentation.size, record.segmentation.counts)
        if box is None or label is None or not record.id or record.id in self.duplicates:
            return None
        return Bbox(*box, label=label, id=record.id, attributes={CROWD: True})

    def parse(self, raw: msgspec.Raw) -> Instance:
        """Return what a record says. Raises BadRecord or InvalidShape."""
        try:
            record = RECORD.decode(raw)
            parts = PARTS.decode(raw)
            unknown = {k: VALUE.decode(v) for k, v in parts.items() if k not in KNOWN}
        except UNREADABLE as error:
            raise BadRecord(said(error)) from None
        return _Reading(self, record, unknown).instance()


class _Reading(msgspec.Struct):
    """One record under way: what becomes of each of its keys."""

    parser: Parser
    record: Record
    extra: dict[str, Any]
    derived: dict[str, Any] = {}
    notes: dict[str, Any] = {}
    attributes: dict[str, Any] = {}
    absent: list[str] = []
    kind: str = ""

    def instance(self) -> Instance:
        reserved = {key: self.extra.pop(key) for key in (NOTES,) if key in self.extra}
        if reserved:
            self.notes["keys"] = reserved
        self.kind = self._kind()
        has_points = self.kind != "caption" and bool(self.record.keypoints)
        fields: dict[str, Any] = {"id": self._id(), "label": self._label()}
        self._crowd()
        self._attributes()
        if isinstance(self.record.score, float):
            fields["score"] = self.record.score
        elif self.record.score is None:
            self.extra["score"] = None
        if self.record.caption is None:
            self.extra["caption"] = None
        geometry = self._geometry()
        points = self._points() if has_points and self.kind != "points" else None
        if not has_points:
            self._no_points()
        return self._built(fields, geometry, points)

    def _built(
        self, fields: dict[str, Any], geometry: dict[str, Any], points: dict[str, Any] | None
    ) -> Instance:
        if self.absent:
            self.notes["absent"] = self.absent
        if self.notes:
            self.extra[NOTES] = self.notes
        about_points: dict[str, Any] = {
            key: self.derived.pop(key)
            for key in ("keypoints", "num_keypoints")
            if key in self.derived
        }
        if self.kind == "points":
            self.derived |= about_points
        shared: dict[str, Any] = {
            "derived": {NAME: self.derived} if self.derived else {},
            "extra": {NAME: self.extra} if self.extra else {},
            "attributes": self.attributes,
        }
        shape = _CLASSES[self.kind](**fields, **shared, **geometry)
        if points is None:
            return Instance(shape)
        keypoints = Points(
            **points,
            id=fields["id"],
            label=fields["label"],
            derived={NAME: about_points} if about_points else {},
        )
        return Instance(shape, keypoints)

    @property
    def usual(self) -> tuple[str, ...]:
        return (WRITTEN_IN_RESULTS if self.parser.results else WRITTEN)[self.kind]

    def _kind(self) -> str:
        record = self.record
        if isinstance(record.caption, str):
            return "caption"
        if record.segmentation:
            return "mask" if isinstance(record.segmentation, Rle) else "polygon"
        if record.bbox:
            if len(record.bbox) == 4:
                return "points" if self._box_of_points(record.bbox) else "bbox"
            raise BadRecord(f"'bbox' has {len(record.bbox)} numbers, not x, y, width and height")
        return "points" if record.keypoints else "label"

    def _box_of_points(self, box: list[float]) -> bool:
        """Tell whether a box is but the extent of keypoints, with nothing said of a shape."""
        record = self.record
        if not record.keypoints or record.segmentation != []:
            return False
        return box == list(points_extent(record.keypoints)) and record.area == box[2] * box[3]

    def _id(self) -> Id:
        given = self.record.id
        if given is UNSET:
            if not self.parser.results:
                self.absent.append("id")
            return 0
        if not given:
            self.extra["id"] = given
            return 0
        if given in self.parser.duplicates:
            self.notes["duplicate"] = True
        return given

    def _label(self) -> str | None:
        given = self.record.category_id
        if self.kind == "caption":
            if given is not UNSET:
                self.extra["category_id"] = given
            return None
        if given is UNSET:
            self.absent.append("category_id")
            return None
        if given is None:
            return None
        label = self.parser.labels.get(given)
        if label is None:
            raise BadRecord(f"its category_id {given!r} is not one of the file's categories")
        return label

    def _crowd(self) -> None:
        given = self.record.iscrowd
        if given is UNSET:
            if "iscrowd" in self.usual:
                self.absent.append("iscrowd")
            return
        if self.kind in ("label", "caption"):
            self.extra["iscrowd"] = given
            return
        if given:
            self.attributes[CROWD] = True
        if (
            isinstance(given, bool)
            or given not in (0, 1)
            or (given == 0 and "iscrowd" not in self.usual)
        ):
            self.extra["iscrowd"] = given

    def _attributes(self) -> None:
        given = self.record.attributes
        if isinstance(given, dict) and given:
            self.attributes = {
                **{key: value for key, value in given.items() if key != CROWD},
                **self.attributes,
            }
            if CROWD in given:
                self.extra["attributes"] = {CROWD: given[CROWD]}
        elif given is not UNSET:
            self.extra["attributes"] = given

    def _geometry(self) -> dict[str, Any]:
        record, kind = self.record, self.kind
        if kind == "polygon":
            self._stated_box(extent(record.segmentation))  # type: ignore[arg-type]
            self._stated_area(None)
            return {"parts": _parts(record.segmentation)}  # type: ignore[arg-type]
        if kind == "mask":
            self._stated_box(None)
            self._stated_area(None)
            return self._mask(record.segmentation)  # type: ignore[arg-type]
        self._no_segmentation()
        if kind == "bbox":
            x, y, w, h = record.bbox  # type: ignore[misc]
            self._stated_area(w * h)
            return {"x": x, "y": y, "w": w, "h": h}
        if kind == "points":
            box = points_extent(record.keypoints)  # type: ignore[arg-type]
            self._stated_box(box)
            self._stated_area(box[2] * box[3])
            return self._points()
        for key in ("bbox", "area"):
            if getattr(record, key) is not UNSET:
                self.extra[key] = getattr(record, key)
        return {"caption": record.caption} if kind == "caption" else {}

    def _no_segmentation(self) -> None:
        given = self.record.segmentation
        if given is UNSET:
            if "segmentation" in self.usual:
                self.absent.append("segmentation")
        elif given is None or self.kind == "caption" or "segmentation" not in self.usual:
            self.extra["segmentation"] = (
                msgspec.to_builtins(given) if isinstance(given, Rle) else given
            )

    def _stated_box(self, expected: tuple[float, ...] | None) -> None:
        given = self.record.bbox
        if given is UNSET:
            if "bbox" in self.usual:
                self.absent.append("bbox")
        elif "bbox" not in self.usual or expected is None or given != list(expected):
            self.derived["bbox"] = given

    def _stated_area(self, expected: float | None) -> None:
        given = self.record.area
        if given is UNSET:
            if "area" in self.usual:
                self.absent.append("area")
        elif "area" not in self.usual or expected is None or given != expected:
            self.derived["area"] = given

    def _mask(self, rle: Rle) -> dict[str, Any]:
        from dvcs.geometry import rle as codec

        spelling = "text" if isinstance(rle.counts, str) else "list"
        if isinstance(rle.counts, str):
            codec.check(rle.size, rle.counts)
            counts = rle.counts
        else:
            height, width = codec.check_size(rle.size)
            if sum(rle.counts) != height * width:
                codec.check(rle.size, rle.counts)  # says what is wrong
            counts = codec.counts_from_list(rle.counts)
        if spelling != usual_spelling(self.attributes):
            self.notes["rle"] = spelling
        return {"size": rle.size, "counts": counts}

    def _points(self) -> dict[str, Any]:
        flat: list[float] = self.record.keypoints  # type: ignore[assignment]
        if len(flat) % 3:
            raise BadRecord(f"'keypoints' has {len(flat)} numbers, not x, y and visibility of each")
        stated = flat[2::3]
        visibility = [int(v) for v in stated if v in (0, 1, 2)]
        if len(visibility) != len(stated):
            visibility = [VISIBLE if v > 0 else ABSENT for v in stated]
            self.derived["keypoints"] = flat
        count = self.record.num_keypoints
        usual = "num_keypoints" in WRITTEN["points"] and not self.parser.results
        if count is UNSET:
            if usual and "num_keypoints" not in self.absent:
                self.absent.append("num_keypoints")
        elif not usual or count != sum(v > 0 for v in visibility):
            self.derived["num_keypoints"] = count
        return {
            "points": [c for pair in zip(flat[::3], flat[1::3], strict=True) for c in pair],
            "visibility": visibility,
        }

    def _no_points(self) -> None:
        for key in ("keypoints", "num_keypoints"):
            given = getattr(self.record, key)
            if given is not UNSET:
                self.extra[key] = given


_CLASSES: dict[str, type[Annotation]] = {
    "polygon": Polygon,
    "mask": Mask,
    "bbox": Bbox,
    "points": Points,
    "label": Label,
    "caption": Caption,
}


def _parts(rings: list[list[float]]) -> list[list[list[float]]]:
    for ring in rings:
        if len(ring) & 1:
            raise BadRecord(f"a ring of 'segmentation' has {len(ring)} numbers, an odd count")
    return [[ring] for ring in rings]


def usual_spelling(attributes: Mapping[str, Any]) -> str:
    """Return how COCO itself spells a mask: crowds as lists, all others as compressed text."""
    return "list" if attributes.get(CROWD) else "text"


def points_extent(flat: list[float]) -> tuple[float, float, float, float]:
    """Return x, y, width and height around the keypoints (x, y, v, ...) that are not absent."""
    seen = [(x, y) for x, y, v in zip(flat[::3], flat[1::3], flat[2::3], strict=False) if v > 0]
    if not seen:
        return 0.0, 0.0, 0.0, 0.0
    x, y = min(x for x, _ in seen), min(y for _, y in seen)
    return x, y, side(max(x for x, _ in seen) - x), side(max(y for _, y in seen) - y)
