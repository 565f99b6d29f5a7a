"""
Rules about one shape: its numbers, its sides, its image.

    extent(note)        left, top, right, bottom
    faults(note)        what is wrong with its numbers
    outside(...)        how far it leaves its image

Sizes are in pixels. Nothing here draws or computes areas, so that 860,000 shapes take seconds.
"""

from collections.abc import Iterator
from math import cos, fsum, hypot, isfinite, radians, sin

from dvcs.errors import InvalidShape
from dvcs.model import (
    Annotation,
    Bbox,
    Cuboid3d,
    Ellipse,
    Mask,
    Points,
    Polygon,
    PolyLine,
    RotatedBbox,
)

Extent = tuple[float, float, float, float]
SHOWN = 4
ABSENT = 0


def faults(note: Annotation) -> Iterator[tuple[str, str]]:
    """Yield rule and description of what is wrong with the numbers of a shape."""
    if isinstance(note, Bbox):
        yield from _numbers((note.x, note.y, note.w, note.h), ("x", "y", "width", "height"))
        yield from _sides({"width": note.w, "height": note.h})
    elif isinstance(note, RotatedBbox):
        numbers = (note.cx, note.cy, note.w, note.h, note.angle)
        yield from _numbers(numbers, ("cx", "cy", "width", "height", "angle"))
        yield from _sides({"width": note.w, "height": note.h})
    elif isinstance(note, Ellipse):
        numbers = (note.cx, note.cy, note.rx, note.ry, note.angle)
        yield from _numbers(numbers, ("cx", "cy", "rx", "ry", "angle"))
        yield from _sides({"rx": note.rx, "ry": note.ry})
    elif isinstance(note, Polygon):
        yield from _polygon(note)
    elif isinstance(note, PolyLine):
        yield from _flat(note.points, least=4, what="a polyline needs two points")
    elif isinstance(note, Points):
        yield from _points(note)
    elif isinstance(note, Mask):
        yield from _mask(note)
    elif isinstance(note, Cuboid3d):
        yield from _flat([*note.position, *note.rotation, *note.scale])
        yield from _sides(dict(zip(("length", "width", "height"), note.scale, strict=False)))


def is_sound_box(note: Annotation) -> bool:
    """Tell whether a shape is an upright box without faults: most are, and it is quickly told."""
    return (
        type(note) is Bbox
        and note.w > 0
        and note.h > 0
        and isfinite(note.x + note.y + note.w + note.h)
    )


def _numbers(values: tuple[float, ...], names: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    if isfinite(sum(values)):
        return
    bad = [f"{name} is {value}" for name, value in zip(names, values, strict=True)]
    finite = [isfinite(value) for value in values]
    said = [text for text, fine in zip(bad, finite, strict=True) if not fine]
    if said:
        yield "InvalidValue", ", ".join(said)


def _sides(sides: dict[str, float]) -> Iterator[tuple[str, str]]:
    bad = [f"{name} is {value:g}" for name, value in sides.items() if value <= 0]
    if bad:
        yield "NegativeLength", ", ".join(bad)


def _flat(values: list[float], *, least: int = 0, what: str = "") -> Iterator[tuple[str, str]]:
    if len(values) < least:
        yield "InvalidShape", what
    elif least and len(values) % 2:
        yield "InvalidShape", f"{len(values)} coordinates are no points: they come in pairs x, y"
    elif not _all_finite(values):
        bad = [str(value) for value in values if not isfinite(value)]
        yield "InvalidValue", f"coordinates are {', '.join(bad[:SHOWN])}"


def _all_finite(values: list[float]) -> bool:
    try:
        return isfinite(fsum(values))
    except (OverflowError, ValueError):  # infinite, or of both signs
        return all(map(isfinite, values))


def _polygon(note: Polygon) -> Iterator[tuple[str, str]]:
    if not note.parts or not all(note.parts):
        yield "InvalidShape", "a polygon has a part without an outline"
        return
    for part in note.parts:
        for ring in part:
            found = next(_flat(ring, least=6, what="an outline needs three points"), None)
            if found is not None:
                yield found
                return


def _points(note: Points) -> Iterator[tuple[str, str]]:
    yield from _flat(note.points, least=2, what="there is no point")
    if note.visibility and len(note.visibility) * 2 != len(note.points):
        yield (
            "InvalidShape",
            f"{len(note.points) // 2} points have {len(note.visibility)} visibilities",
        )


def _mask(note: Mask) -> Iterator[tuple[str, str]]:
    from dvcs.geometry import rle

    try:
        lengths = rle.runs(note.size, note.counts)
    except InvalidShape as error:
        yield "InvalidShape", str(error)
        return
    if len(lengths) < 2:
        yield "NegativeLength", "the mask is empty"


def extent(note: Annotation) -> Extent | None:
    """Return left, top, right, bottom of a flat shape; None for others and for faulty ones."""
    if isinstance(note, Bbox):
        return note.x, note.y, note.x + note.w, note.y + note.h
    if isinstance(note, Polygon):
        rings = [ring for part in note.parts for ring in part[:1]]
        return _around([value for ring in rings for value in ring] if len(rings) > 1 else rings[0])
    if isinstance(note, PolyLine):
        return _around(note.points)
    if isinstance(note, Points):
        return _around(_present(note))
    if isinstance(note, RotatedBbox | Ellipse):
        return _turned(note)
    if isinstance(note, Mask):
        from dvcs.geometry import masks

        x, y, w, h = masks.bbox(note.size, note.counts)
        return x, y, x + w, y + h
    return None


def _present(note: Points) -> list[float]:
    """Return the coordinates of those points that are there: absent ones stand at 0, 0."""
    if ABSENT not in note.visibility:
        return note.points
    return [
        value
        for n, seen in enumerate(note.visibility)
        if seen != ABSENT
        for value in note.points[2 * n : 2 * n + 2]
    ]


def _around(points: list[float]) -> Extent | None:
    xs, ys = points[0::2], points[1::2]
    return (min(xs), min(ys), max(xs), max(ys)) if xs and ys else None


def _turned(note: RotatedBbox | Ellipse) -> Extent:
    turn = radians(note.angle)
    c, s = abs(cos(turn)), abs(sin(turn))
    if isinstance(note, Ellipse):
        half_w, half_h = hypot(note.rx * c, note.ry * s), hypot(note.rx * s, note.ry * c)
    else:
        half_w, half_h = (note.w * c + note.h * s) / 2, (note.w * s + note.h * c) / 2
    return note.cx - half_w, note.cy - half_h, note.cx + half_w, note.cy + half_h


def outside(note: Annotation, size: tuple[int, int], tolerance: float) -> str | None:
    """
    Say how far a shape without faults leaves an image of `size` (height, width); None if it fits.

    A mask must be of the image's size.
    """
    height, width = size
    if isinstance(note, Mask):
        if tuple(note.size) == (height, width):
            return None
        return f"the mask is of {note.size[1]} x {note.size[0]} pixels, not {width} x {height}"
    box = extent(note)
    if box is None:
        return None
    left, top, right, bottom = box
    beyond = max(-left, -top, right - width, bottom - height)
    if beyond <= tolerance:
        return None
    if left >= width or top >= height or right <= 0 or bottom <= 0:
        return f"it lies wholly outside of the image, of {width} x {height} pixels"
    return f"it reaches {beyond:.4g} pixels beyond the image, of {width} x {height}"
