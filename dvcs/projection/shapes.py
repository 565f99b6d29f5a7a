"""Which full annotation a shown one stands for, and whether its shape can follow an edit."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from dvcs.compare import bounds, is_rounding, pair_annotations, similarity
from dvcs.convert import convert
from dvcs.model import KINDS, Annotation, Bbox, Polygon, RotatedBbox
from dvcs.projection.mappings import edited_mapping

SIMPLE = frozenset({"bbox", "rotated_bbox", "ellipse", "label", "caption", "cuboid_3d"})
"""Kinds that say nothing beyond their few numbers: an edited one replaces a full one."""
SURE = 0.5
"""Similarity from which an equal id means the same annotation."""
MADE = 0.99
"""Similarity from which a shown annotation is what a full one is converted to."""
LOOSE = 0.1
"""Similarity from which a shown annotation may be a full one: it is one of them for certain."""
DECIMALS = (None, 3, 2, 1, 0)


def shown_as(
    full: Sequence[Annotation],
    shown: Sequence[Annotation],
    *,
    size: tuple[int, int] | None = None,
) -> dict[int, int]:
    """
    Return which full annotation each shown one stands for, by position.

    By id, where all shown ones kept theirs; else by similarity. A full one that was written as
    several (a polygon of two parts) has several.
    """
    found = _by_id(full, shown, size)
    if found is not None:
        return found
    found = {}
    for pair in pair_annotations(full, shown, threshold=LOOSE, size=size):
        if pair.old is not None and pair.new is not None:
            found[pair.new] = pair.old
    for at, note in enumerate(shown):
        if at not in found:
            owner = _made_from(full, note, set(found.values()), size)
            owner = _owner(full, note) if owner is None else owner
            if owner is not None:
                found[at] = owner
    return found


def _by_id(
    full: Sequence[Annotation], shown: Sequence[Annotation], size: tuple[int, int] | None
) -> dict[int, int] | None:
    where = {note.id: at for at, note in enumerate(full)}
    if len(where) != len(full) or 0 in where or len({note.id for note in shown}) != len(shown):
        return None
    found: dict[int, int] = {}
    for at, note in enumerate(shown):
        f = where.get(note.id)
        if f is None:
            return None
        if full[f].geometry != note.geometry and similarity(full[f], note, size) < SURE:
            return None
        found[at] = f
    return found


def _made_from(
    full: Sequence[Annotation],
    note: Annotation,
    taken: AbstractSet[int],
    size: tuple[int, int] | None,
) -> int | None:
    """Return the full annotation that a conversion makes the shown one of: a thin shape's box."""
    for at, one in enumerate(full):
        if at not in taken and one.label == note.label:
            made = convert(one, note.kind, size) or ()
            if any(similarity(new, note, size) >= MADE for new in made):
                return at
    return None


def _owner(full: Sequence[Annotation], note: Annotation) -> int | None:
    """Return the full annotation of the same label that a shown shape lies in, the smallest."""
    box = bounds(note)
    best: tuple[float, int] | None = None
    for at, one in enumerate(full):
        around = bounds(one)
        if box is None or around is None or one.label != note.label:
            continue
        margin = 1.0
        inside = (
            around[0] - margin <= box[0]
            and around[1] - margin <= box[1]
            and box[0] + box[2] <= around[0] + around[2] + margin
            and box[1] + box[3] <= around[1] + around[3] + margin
        )
        area = around[2] * around[3]
        if inside and (best is None or area < best[0]):
            best = area, at
    return None if best is None else best[1]


def followed(full: Annotation, shown: Annotation, edited: Annotation) -> Annotation | None:
    """
    Return the full shape as it is after an edit of what was shown; None where it cannot follow.

    A shape that was shown as it is, or only rounded, follows every edit, coordinate by coordinate.
    So does one that says no more than was shown: a box shown as a polygon or a rotated box.
    """
    exact = type(full) is type(shown) and full.geometry == shown.geometry
    rounded = not exact and any(is_rounding(full, shown, decimals) for decimals in DECIMALS)
    if type(full) is type(shown) and type(shown) is type(edited) and (exact or rounded):
        values = {
            name: _number_by_number(
                getattr(full, name), getattr(shown, name), getattr(edited, name)
            )
            for name in full.geometry_fields
        }
        derived = edited_mapping(full.derived, shown.derived, edited.derived)
        if full.geometry != tuple(values.values()):
            # What followed from the old shape does not follow from the new one.
            derived = edited.derived if exact else {}
        return full.with_(**values, derived=dict(derived))
    if exact or rounded or (full.kind == shown.kind and full.kind in SIMPLE):
        return edited
    if isinstance(full, Bbox) and shown.kind in ("polygon", "rotated_bbox"):
        return _upright(edited) or edited
    if full.kind == "rotated_bbox" and shown.kind == "polygon":
        return edited
    return None


def _number_by_number(full: Any, shown: Any, edited: Any) -> Any:
    """Return edited values, but the full one wherever the edit left alone what was shown."""
    if (
        isinstance(full, list | tuple)
        and isinstance(shown, list | tuple)
        and isinstance(edited, list | tuple)
    ):
        if len(full) == len(shown) == len(edited):
            triples = zip(full, shown, edited, strict=True)
            return type(edited)(_number_by_number(*three) for three in triples)
        return edited
    return full if shown == edited else edited


def _upright(note: Annotation) -> Bbox | None:
    """Return a shape that is an upright rectangle as a box."""
    if isinstance(note, RotatedBbox) and note.angle == 0:
        return Bbox(x=note.cx - note.w / 2, y=note.cy - note.h / 2, w=note.w, h=note.h)
    box = bounds(note)
    if box is None or not isinstance(note, Polygon):
        return None
    rings = [ring for part in note.parts for ring in part]
    if len(rings) != 1 or len(rings[0]) != 8:
        return None
    x, y, w, h = box
    corners = {(x, y), (x + w, y), (x + w, y + h), (x, y + h)}
    if set(zip(rings[0][0::2], rings[0][1::2], strict=True)) != corners:
        return None
    return Bbox(x=x, y=y, w=w, h=h)


def with_shape(note: Annotation, shape: Annotation) -> Annotation:
    """Return an annotation with the geometry of another, of whatever kind."""
    shared = {
        name: getattr(note, name)
        for name in ("label", "id", "group", "z_order", "score", "track", "attributes", "extra")
    }
    geometry = dict(zip(shape.geometry_fields, shape.geometry, strict=True))
    return KINDS[shape.kind](**shared, unknown=note.unknown, derived=shape.derived, **geometry)
