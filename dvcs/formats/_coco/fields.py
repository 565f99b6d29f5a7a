"""From annotations of the model to the keys of a COCO record: the reverse of `parse.py`."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from dvcs.errors import DvcsError
from dvcs.formats._coco.parse import CROWD, Instance, points_extent, usual_spelling
from dvcs.formats._coco.records import (
    KEYPOINTS,
    NAME,
    NOTES,
    WRITTEN,
    WRITTEN_IN_RESULTS,
    Id,
    extent,
)
from dvcs.model import VISIBLE, Annotation, Bbox, Caption, Mask, Other, Points, Polygon

NOTHING: Mapping[str, Any] = {}
DERIVED = ("bbox", "area", "segmentation", "keypoints", "num_keypoints")
NO_SHAPE = ("bbox", "points", "label", "caption")


class Fields(msgspec.Struct, frozen=True):
    """
    Makes records for one file, without their `id` and `image_id`.

    `ids` gives the category id of each label, `results` asks for the keys of detections,
    `attributes` says whether attributes are written.
    """

    ids: Mapping[str, Id]
    task: str
    results: bool = False
    attributes: bool = True

    def record(self, one: Instance, tasks: frozenset[str]) -> dict[str, Any]:
        """Return the record of an instance that stands in the files of `tasks`."""
        shape = one.shape
        if isinstance(shape, Other):
            return dict(shape.record)
        bare = not shape.extra and not shape.attributes and shape.score is None
        if bare and type(shape) is Polygon and one.points is None and not self.results:
            return self._plain(shape)
        return self._general(one, tasks)

    def _plain(self, shape: Polygon) -> dict[str, Any]:
        derived = shape.derived.get(NAME, NOTHING)
        if "in" in derived:
            derived = {**derived, **derived["in"].get(self.task, NOTHING)}
        rings = [part[0] for part in shape.parts]
        area = derived.get("area", shape)
        return {
            "category_id": None if shape.label is None else self.ids[shape.label],
            "segmentation": rings,
            "area": area_of(shape) if area is shape else area,
            "bbox": derived["bbox"] if "bbox" in derived else extent(rings),
            "iscrowd": 0,
        }

    def _general(self, one: Instance, tasks: frozenset[str]) -> dict[str, Any]:
        shape = one.shape
        extra = dict(shape.extra.get(NAME, NOTHING))
        notes = extra.pop(NOTES, NOTHING)
        derived = dict(shape.derived.get(NAME, NOTHING))
        derived |= derived.pop("in", NOTHING).get(self.task, NOTHING)
        points = shape if isinstance(shape, Points) else one.points
        in_this_file = points is shape or self.task == KEYPOINTS or KEYPOINTS not in tasks
        usual = (WRITTEN_IN_RESULTS if self.results else WRITTEN)[shape.kind]
        record: dict[str, Any] = {key: self._value(key, shape, derived, notes) for key in usual}
        if isinstance(points, Points) and in_this_file:
            record |= self._keypoints(points)
        record |= {key: derived[key] for key in DERIVED if key in derived}
        if shape.score is not None:
            record["score"] = shape.score
        if shape.attributes.get(CROWD) and shape.kind not in ("label", "caption"):
            record["iscrowd"] = 1
        self._attributes(record, shape, extra)
        self._extra(record, shape, extra)
        record |= notes.get("keys", NOTHING)
        for key in notes.get("absent", ()):
            if _may_be_absent(key, shape):
                record.pop(key, None)
        return record

    def _value(
        self, key: str, shape: Annotation, derived: Mapping[str, Any], notes: Mapping[str, Any]
    ) -> Any:
        if key == "category_id":
            return None if shape.label is None else self.ids[shape.label]
        if key == "segmentation":
            return segmentation(shape, notes)
        if key == "area":
            return None if key in derived else area_of(shape)
        if key == "bbox":
            return None if key in derived else box_of(shape)
        if key == "caption":
            return shape.caption if isinstance(shape, Caption) else None
        return 0  # iscrowd; keypoints come from the points

    def _keypoints(self, points: Points) -> dict[str, Any]:
        derived = points.derived.get(NAME, NOTHING)
        visibility = points.visibility or [VISIBLE] * (len(points.points) // 2)
        flat = zip(points.points[::2], points.points[1::2], visibility, strict=True)
        record = {"keypoints": derived.get("keypoints") or [c for one in flat for c in one]}
        if not self.results:
            record["num_keypoints"] = sum(v > 0 for v in visibility)
        if "num_keypoints" in derived:
            record["num_keypoints"] = derived["num_keypoints"]
        return record

    def _attributes(self, record: dict[str, Any], shape: Annotation, extra: dict[str, Any]) -> None:
        kept = extra.pop("attributes", NOTHING)
        own = {key: value for key, value in shape.attributes.items() if key != CROWD}
        if shape.kind in ("label", "caption") and CROWD in shape.attributes:
            own[CROWD] = shape.attributes[CROWD]
        if not self.attributes:
            return
        if own or kept is not NOTHING:
            record["attributes"] = (
                {**own, **kept} if isinstance(kept, dict) and (own or kept) else (own or kept)
            )

    def _extra(self, record: dict[str, Any], shape: Annotation, extra: dict[str, Any]) -> None:
        crowd = extra.pop("iscrowd", shape)
        if crowd is not shape and (
            shape.kind in ("label", "caption") or bool(crowd) == bool(shape.attributes.get(CROWD))
        ):
            record["iscrowd"] = crowd
        for key, value in extra.items():
            if key == "id":
                continue
            if key == "category_id" and shape.label is not None:
                continue
            if key in ("segmentation", "bbox", "area") and shape.kind not in NO_SHAPE:
                continue
            record[key] = value


def _may_be_absent(key: str, shape: Annotation) -> bool:
    """Tell whether a key that was absent may be left out still: not where there is news for it."""
    if key == "category_id":
        return shape.label is None
    if key == "iscrowd":
        return not shape.attributes.get(CROWD)
    if key == "segmentation":
        return shape.kind in NO_SHAPE
    return True


def segmentation(shape: Annotation, notes: Mapping[str, Any] = NOTHING) -> Any:
    """Return a shape as COCO's `segmentation`; shapes without one give an empty list."""
    if isinstance(shape, Polygon):
        return [part[0] for part in shape.parts]
    if not isinstance(shape, Mask):
        return []
    counts: Any = shape.counts
    if notes.get("rle", usual_spelling(shape.attributes)) == "list":
        from dvcs.geometry import rle

        counts = rle.counts_to_list(shape.counts)
    return {"counts": counts, "size": list(shape.size)}


def area_of(shape: Annotation) -> float:
    """Return the area of a shape in pixels, as its geometry says."""
    if isinstance(shape, Polygon):
        return sum(abs(signed_area(part[0])) for part in shape.parts)
    if isinstance(shape, Mask):
        from dvcs.geometry import masks

        return float(masks.area(shape.size, shape.counts))
    box = box_of(shape)
    return box[2] * box[3] if box else 0.0


def signed_area(ring: list[float]) -> float:
    """Return what a ring encloses, positive where it is walked clockwise; a point or line: 0."""
    if len(ring) < 6:
        return 0.0
    xs, ys = ring[::2], ring[1::2]
    left, top = xs[0], ys[0]
    twice = sum(
        (xs[n - 1] - left) * (ys[n] - top) - (xs[n] - left) * (ys[n - 1] - top)
        for n in range(len(xs))
    )
    return twice / 2


def box_of(shape: Annotation) -> list[float]:
    """Return x, y, width and height of a shape as its record states them."""
    if isinstance(shape, Bbox):
        return [shape.x, shape.y, shape.w, shape.h]
    if isinstance(shape, Polygon):
        return list(extent([part[0] for part in shape.parts]) or (0.0, 0.0, 0.0, 0.0))
    if isinstance(shape, Mask):
        from dvcs.geometry import masks

        return list(masks.bbox(shape.size, shape.counts))
    if isinstance(shape, Points):
        count = len(shape.points) // 2
        visibility = shape.visibility or [VISIBLE] * count
        flat = zip(shape.points[::2], shape.points[1::2], visibility, strict=True)
        return list(points_extent([c for one in flat for c in one]))
    return []


def encoded(record: Any, encode: Callable[[Any], bytes], what: str) -> bytes:
    """Return a record as JSON. Raises DvcsError for NaN and infinity, which JSON does not have."""
    try:
        data = encode(record)
    except (TypeError, OverflowError, ValueError) as error:
        raise DvcsError(f"{what} cannot be written as JSON: {error}") from None
    # Encoders write NaN as null: looking for the word is cheaper than looking at each number.
    if b"null" in data and not _finite(record):
        raise DvcsError(f"{what} has a number that is not finite", hint="correct or remove it")
    return data


def _finite(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, Mapping):
        return all(map(_finite, value.values()))
    if isinstance(value, list | tuple):
        return all(map(_finite, value))
    return True
