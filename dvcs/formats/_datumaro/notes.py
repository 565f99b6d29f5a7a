"""
From Datumaro's annotation records to annotations of the model.

What a record says and the model has no field for is `extra["datumaro"]`, under its own key, with

    group       the number of its group, where that is another than the model's
    type        `ellipse`, `rotated_bbox`, `skeleton`, `depth_annotation`, ...: a type that not all
                versions read, and that is written only to where it came from
    elements    of a skeleton: what its elements say beyond their points, [position, {...}] each

and in `derived["datumaro"]` `points`: the corners of an ellipse that its centre and radii do not
give back to the last digit.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec

from dvcs.formats._datumaro.labels import Table
from dvcs.formats._datumaro.ours import BadRecord, pairs, restored
from dvcs.formats._datumaro.records import (
    BY_TYPE,
    ELLIPSE,
    FIELDS,
    NAME,
    RASTERS,
    ROTATED,
    SHARED,
    SKELETON,
    BboxRecord,
    CaptionRecord,
    Cuboid3dRecord,
    EllipseRecord,
    LabelRecord,
    MaskRecord,
    PointsRecord,
    PolygonRecord,
    PolyLineRecord,
    Record,
    RotatedRecord,
    SkeletonRecord,
    said,
    to_record,
)
from dvcs.model import (
    ABSENT,
    VISIBLE,
    Annotation,
    Bbox,
    Caption,
    Cuboid3d,
    Ellipse,
    Label,
    Mask,
    MediaFile,
    Other,
    Points,
    Polygon,
    PolyLine,
    Raster,
    RotatedBbox,
)

R = TypeVar("R", bound=Record)
SCORE, TRACK = "score", "track_id"
"""Attributes by which Datumaro's plugins tell what are fields here."""


def annotate(record: Record, table: Table, rest: dict[str, Any] | None = None) -> Annotation:
    """
    Return a record as an annotation; its `group` is the number that the file gives.

    `rest` are the record's keys that the dialect does not know. Raises BadRecord and InvalidShape.
    """
    label = None
    position = record.label_id
    if position is not None:
        names = table.names
        if not 0 <= position < len(names):
            raise BadRecord(
                f"its label_id {position} is not one of the file's {len(names)} labels",
                hint="labels count from 0, in the order of 'categories'",
            )
        label = names[position]
    fields: dict[str, Any] = {
        "label": label,
        "id": record.id or 0,
        "group": record.group or 0,
        "z_order": record.z_order or 0,
    }
    attributes = record.attributes
    if attributes:
        if SCORE in attributes or TRACK in attributes:
            attributes = _told_apart(attributes, fields)
        fields["attributes"] = attributes
    if rest:
        fields["extra"] = {NAME: rest}
    note = _MAKERS[type(record)](record, table, fields)
    return note if record.dvcs is None else restored(note, record.dvcs)


def _told_apart(attributes: dict[str, Any], fields: dict[str, Any]) -> dict[str, Any]:
    """Move score and track from the attributes to fields, where they are what they should be."""
    left = dict(attributes)
    if isinstance(left.get(SCORE), int | float) and not isinstance(left[SCORE], bool):
        fields["score"] = float(left.pop(SCORE))
    if isinstance(left.get(TRACK), int | str) and not isinstance(left[TRACK], bool):
        fields["track"] = left.pop(TRACK)
    return left


def _with_extra(fields: dict[str, Any], **more: Any) -> dict[str, Any]:
    held = fields.get("extra", {}).get(NAME, {})
    return {**fields, "extra": {NAME: {**held, **more}}}


# -- one maker for each type ---------------------------------------------------------------------


def _label(record: LabelRecord, table: Table, fields: dict[str, Any]) -> Annotation:
    del record, table
    return Label(**fields)


def _caption(record: CaptionRecord, table: Table, fields: dict[str, Any]) -> Annotation:
    del table
    return Caption(record.caption, **fields)


def _bbox(record: BboxRecord, table: Table, fields: dict[str, Any]) -> Annotation:
    del table
    x, y, w, h = record.bbox
    return Bbox(x, y, w, h, **fields)


def _polygon(record: PolygonRecord, table: Table, fields: dict[str, Any]) -> Annotation:
    del table
    return Polygon([[pairs(record.points)]], **fields)


def _polyline(record: PolyLineRecord, table: Table, fields: dict[str, Any]) -> Annotation:
    del table
    return PolyLine(pairs(record.points), **fields)


def _points(record: PointsRecord, table: Table, fields: dict[str, Any]) -> Annotation:
    del table
    points, visibility = pairs(record.points), record.visibility or []
    if visibility and 2 * len(visibility) != len(points):
        raise BadRecord(f"{len(points) // 2} points have {len(visibility)} values of 'visibility'")
    return Points(points, visibility, **fields)  # type: ignore[arg-type]


def _mask(record: MaskRecord, table: Table, fields: dict[str, Any]) -> Annotation:
    from dvcs.geometry import rle as codec

    del table
    size, counts = record.rle.size, record.rle.counts
    codec.check(size, counts)
    return Mask(
        size, counts if isinstance(counts, str) else codec.spell(codec.runs(size, counts)), **fields
    )


def _cuboid(record: Cuboid3dRecord, table: Table, fields: dict[str, Any]) -> Annotation:
    del table
    for name in ("rotation", "scale"):
        if (value := getattr(record, name)) is not None:
            fields[name] = list(value)
    return Cuboid3d(list(record.position), **fields)


def corners(ellipse: Ellipse) -> list[float]:
    """Return the corners of the box of an upright ellipse."""
    cx, cy, rx, ry, _ = ellipse.geometry
    return [cx - rx, cy - ry, cx + rx, cy + ry]


def _ellipse(record: EllipseRecord, table: Table, fields: dict[str, Any]) -> Annotation:
    del table
    x0, y0, x1, y1 = record.points
    note = Ellipse(
        (x0 + x1) / 2,
        (y0 + y1) / 2,
        (x1 - x0) / 2,
        (y1 - y0) / 2,
        0.0,
        **_with_extra(fields, type=ELLIPSE),
    )
    if corners(note) == list(record.points):
        return note
    return note.with_(derived={NAME: {"points": list(record.points)}})


def _rotated(record: RotatedRecord, table: Table, fields: dict[str, Any]) -> Annotation:
    del table
    return RotatedBbox(*record.points, **_with_extra(fields, type=ROTATED))


def _skeleton(record: SkeletonRecord, table: Table, fields: dict[str, Any]) -> Annotation:
    """Return a skeleton as points in the order of its label's keypoints."""
    order = table.elements.get(fields["label"] or "", [])
    places = {label_id: place for place, label_id in enumerate(order)}
    points, seen = [0.0] * (2 * len(order)), [ABSENT] * len(order)
    kept: list[list[Any]] = []
    for element in record.elements:
        place = places.pop(element.label_id, None)  # type: ignore[arg-type]
        if place is None or len(element.points) != 2 or element.dvcs is not None:
            return _as_it_stands(record, table, fields)
        points[2 * place : 2 * place + 2] = element.points
        visibility = element.visibility
        if visibility is not None and len(visibility) != 1:
            raise BadRecord(f"one point has {len(visibility)} values of 'visibility'")
        seen[place] = visibility[0] if visibility else VISIBLE
        kept.append([place, _beyond(element)])
    usual = [[place, {}] for place in range(len(order))]
    more = {} if kept == usual else {"elements": kept}
    return Points(points, seen, **_with_extra(fields, type=SKELETON, **more))


def _beyond(element: PointsRecord) -> dict[str, Any]:
    """Return what an element says beside its point and its label."""
    found = {name: getattr(element, name) for name in ("id", "attributes", "group", "z_order")}
    return {name: value for name, value in found.items() if value}


def _as_it_stands(record: SkeletonRecord, table: Table, fields: dict[str, Any]) -> Annotation:
    """Return a skeleton whose elements are not those of its label; they get the labels' names."""
    elements = []
    for element in record.elements:
        one = {
            key: value for key, value in msgspec.to_builtins(element).items() if value is not None
        }
        position = one.pop("label_id", None)
        if position is not None:
            if not 0 <= position < len(table.names):
                raise BadRecord(f"the label_id {position} of an element is not one of the labels")
            one["label"] = table.names[position]
        elements.append(one)
    return Other(NAME, {"type": SKELETON, "elements": elements}, **fields)


_MAKERS: Mapping[type[Record], Callable[[Any, Table, dict[str, Any]], Annotation]] = {
    LabelRecord: _label,
    CaptionRecord: _caption,
    BboxRecord: _bbox,
    PolygonRecord: _polygon,
    PolyLineRecord: _polyline,
    PointsRecord: _points,
    MaskRecord: _mask,
    Cuboid3dRecord: _cuboid,
    EllipseRecord: _ellipse,
    RotatedRecord: _rotated,
    SkeletonRecord: _skeleton,
}


# -- records that do not fit ---------------------------------------------------------------------


def annotate_loosely(fields: dict[str, Any], table: Table) -> tuple[Record, Annotation]:
    """
    Return an annotation of a record with keys or a type that the dialect does not know.

    Raises BadRecord, where a key that it does know has no value of the right kind.
    """
    kind = fields.get("type")
    if not isinstance(kind, str):
        raise BadRecord("its 'type' is missing" if kind is None else f"its type is {kind!r}")
    fields = _whole(fields)
    names = {*FIELDS.get(kind, SHARED), "type"}
    known = {key: value for key, value in fields.items() if key in names}
    rest = {key: value for key, value in fields.items() if key not in names}
    if kind in BY_TYPE:
        record = _record(known)
        return record, annotate(record, table, rest)
    record = _record({**known, "type": "label"})
    ours, record.dvcs = record.dvcs, None
    note = annotate(record, table)
    shared = {name: getattr(note, name) for name in note.__struct_fields__}
    file = rest.get("image")
    if kind in RASTERS and isinstance(file, dict) and isinstance(file.get("path"), str):
        del rest["image"]
        image = MediaFile(name=file["path"])
        more = {key: value for key, value in file.items() if key != "path"}
        extra = {"type": kind, **({"image": more} if more else {}), **rest}
        note = Raster(**{**shared, "extra": {NAME: extra}}, meaning=RASTERS[kind], file=image)
    else:
        note = Other(**shared, format=NAME, record={"type": kind, **rest})
    record.dvcs = ours
    return record, note if ours is None else restored(note, ours)


def _record(fields: dict[str, Any]) -> Record:
    try:
        return to_record(fields)
    except msgspec.ValidationError as error:
        raise BadRecord(said(error)) from None


def _whole(fields: dict[str, Any]) -> dict[str, Any]:
    """Return a record whose whole numbers are written as such: 3.0 as 3."""
    new = dict(fields)
    for name in ("id", "group", "label_id", "z_order"):
        value = new.get(name)
        if isinstance(value, float) and value.is_integer():
            new[name] = int(value)
    return new
