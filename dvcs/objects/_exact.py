"""
Tells which annotations the JSON encoder writes canonically as they stand; others are rebuilt first.

That is where each field has the very type that the model declares, and not one that is only equal
to it: an int for a float, numpy's numbers, a set, NaN. Only `-0.0` passes and is looked for in the
text. Written out field by field: the same as a loop over the fields takes twice as long (a polygon
of 24 points: 1.5 us against 3.0; to encode it takes 1.3).
"""

from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from operator import countOf
from typing import Any

from dvcs.objects.canonical import LEAST, MOST, is_plain


def is_exact(note: Any) -> bool:
    """Tell it of an annotation."""
    label, score, track = note.label, note.score, note.track
    return (
        (type(label) is str or label is None)
        and (score is None or (type(score) is float and isfinite(score)))
        and type(note.group) is type(note.z_order) is int
        and _is_id(note.id)
        and (track is None or _is_id(track))
        and (not note.attributes or is_plain(note.attributes))
        and (not note.derived or is_plain(note.derived))
        and (not note.extra or is_plain(note.extra))
        and not note.unknown
        and _SHAPES[note.kind](note)
    )


def is_exact_header(header: Any) -> bool:
    """Tell it of the first line of an item."""
    media = header.media
    return (
        (not header.attributes or is_plain(header.attributes))
        and (not header.extra or is_plain(header.extra))
        and not header.unknown
        and (type(header.annotated) is bool or header.annotated is None)
        and (media is None or _is_exact_media(media))
    )


def _is_exact_media(media: Any) -> bool:
    numbers = {type(media.height), type(media.width), type(media.frame), type(media.orientation)}
    numbers.update([type(file.size) for file in media.files])
    return numbers <= _INT_OR_NONE


def _is_id(value: Any) -> bool:
    return type(value) is str or (type(value) is int and LEAST <= value <= MOST)


def _are_floats(values: Sequence[Any]) -> bool:
    # The sum is finite where all are; a sum that overflows only costs the slower way.
    return countOf(map(type, values), float) == len(values) and isfinite(sum(values))


def _has_float_geometry(note: Any) -> bool:
    return _are_floats(note.geometry)


def _has_float_parts(note: Any) -> bool:
    for part in note.parts:
        for ring in part:
            if not _are_floats(ring):
                return False
    return True


def _has_exact_points(note: Any) -> bool:
    return _are_floats(note.points) and set(map(type, note.visibility)) <= {int}


def _has_exact_mask(note: Any) -> bool:
    return type(note.counts) is str and list(map(type, note.size)) == [int, int]


_INT_OR_NONE = {int, type(None)}
_SHAPES: Mapping[str, Callable[[Any], bool]] = {
    "label": lambda _: True,
    "caption": lambda note: type(note.caption) is str,
    "bbox": _has_float_geometry,
    "rotated_bbox": _has_float_geometry,
    "ellipse": _has_float_geometry,
    "polygon": _has_float_parts,
    "polyline": lambda note: _are_floats(note.points),
    "points": _has_exact_points,
    "mask": _has_exact_mask,
    "raster": lambda _: False,
    "cuboid_3d": lambda note: all(map(_are_floats, note.geometry)),
    "other": lambda note: note.format != "dvcs" and is_plain(note.record),
}
