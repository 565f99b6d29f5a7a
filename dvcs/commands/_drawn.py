"""
An item's changes drawn over its image: both versions of each annotation, in colours.

    removed     vermilion, dashed       before      orange, dashed
    added       green                   after       blue
    the rest    grey

The colours are those of Okabe and Ito, which the colour-blind tell apart.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from dvcs.compare import AnnotationChange, ItemChange, bounds, describe
from dvcs.errors import DvcsError, InvalidShape
from dvcs.model import (
    Annotation,
    Bbox,
    Ellipse,
    Item,
    Mask,
    Points,
    Polygon,
    PolyLine,
    RotatedBbox,
)

if TYPE_CHECKING:
    from dvcs.media.drawing import Color, Picture

REMOVED, ADDED = (213, 94, 0), (0, 158, 115)
BEFORE, AFTER, REST = (230, 159, 0), (0, 114, 178), (150, 150, 150)
WORDS = (90, 90, 90)
SIDE = 1024
"""The longest side of a drawing, where the image is larger."""
SMALL = 800
"""What the longest side is brought near to, where the image is smaller."""
LINES = 12
"""Lines of changes that have no place in the image, or are told below it."""
EMPTY = 256


class Drawing(NamedTuple):
    """A drawn item: encoded as JPEG, and its size in pixels."""

    data: bytes
    height: int
    width: int
    failed: str
    """Why the image is not under it, '' where it is."""


def unchanged(change: ItemChange, item: Item) -> list[Annotation]:
    """Return the annotations of an item's new version (of a removed one: none) as they were."""
    left = [] if change.status == "removed" else list(item.annotations)
    for one in change.annotations:
        if one.after in left:
            left.remove(one.after)
    return left


def draw(change: ItemChange, item: Item) -> Drawing:
    """Draw what changed over the image of an item (its new version, if it has one)."""
    from dvcs.media import drawing, pixels

    picture, scale, why = _ground(item)
    for note in unchanged(change, item):
        _shape(picture, note, REST, scale, thickness=1)
    words: list[tuple[str, Color]] = []
    for one in change.annotations:
        placed = False
        for note, color, is_old in _versions(one):
            named = not is_old or one.after is None or "label" in one.fields
            placed |= _shape(picture, note, color, scale, dashed=is_old, named=named)
        if not placed or set(one.fields) - {"geometry"}:
            color = {"added": ADDED, "removed": REMOVED}.get(one.status, AFTER)
            words.append((describe(one), color))
    if len(words) > LINES:
        words = [*words[:LINES], (f"... and {len(words) - LINES} more", WORDS)]
    title = f"{change.subset}/{change.id}: {change.status}"
    missing = [(why, WORDS)] if why else []
    picture = drawing.beneath(picture, [(title, WORDS), *missing, *words])
    height, width = picture.shape[:2]
    return Drawing(pixels.encode(picture, ".jpg", 90), height, width, why)


def _versions(one: AnnotationChange) -> Iterator[tuple[Annotation, "Color", bool]]:
    """Yield what is to be drawn, in which colour, and whether it is the old version."""
    if one.before is not None and (one.after is None or {"geometry", "type"} & set(one.fields)):
        yield one.before, REMOVED if one.after is None else BEFORE, True
    if one.after is not None:
        yield one.after, ADDED if one.before is None else AFTER, False


def _ground(item: Item) -> tuple["Picture", float, str]:
    """Return the image to draw on, how much it is scaled, and why there is none."""
    from dvcs.media import drawing, pixels
    from dvcs.web.pictures import small, source_of

    size = item.media.size if item.media is not None else None
    origin, why = source_of(item)
    if origin is not None:
        try:
            made = small(origin.read(), size)
        except (DvcsError, OSError) as error:
            why = str(error)
        else:
            picture = _enlarged(drawing.in_color(pixels.decode(made.data)))
            return picture, picture.shape[1] / made.size[1], ""
    height, width = size if size is not None and min(size) > 0 else _extent(item)
    longest = max(height, width)
    scale = SIDE / longest if longest > SIDE else max(1, SMALL // longest)
    shape = max(1, round(height * scale)), max(1, round(width * scale))
    return drawing.blank(*shape), scale, why


def _enlarged(picture: "Picture") -> "Picture":
    """Return a small picture several times as large, so that words on it do not hide it."""
    from dvcs.media import pixels

    height, width = picture.shape[:2]
    times = SMALL // max(height, width)
    return (
        pixels.resize(picture, width * times, height * times, "nearest") if times > 1 else picture
    )


def _extent(item: Item) -> tuple[int, int]:
    boxes = [box for note in item.annotations if (box := bounds(note)) is not None]
    right = max((x + w for x, _, w, _ in boxes), default=0.0)
    bottom = max((y + h for _, y, _, h in boxes), default=0.0)
    return max(EMPTY, min(round(bottom) + 10, 20_000)), max(EMPTY, min(round(right) + 10, 20_000))


# -- shapes --------------------------------------------------------------------------------------


def _shape(
    picture: "Picture",
    note: Annotation,
    color: "Color",
    scale: float,
    *,
    thickness: int = 2,
    dashed: bool = False,
    named: bool = True,
) -> bool:
    """Draw an annotation with its label; tell whether it has a place in the image."""
    from dvcs.media import drawing

    box = bounds(note)
    if box is None or note.kind in ("label", "caption", "cuboid_3d"):
        return False
    closed = not isinstance(note, PolyLine)
    for ring in _rings(note):
        drawing.outline(
            picture, ring, color, scale=scale, closed=closed, thickness=thickness, dashed=dashed
        )
    if isinstance(note, Points):
        drawing.dots(picture, note.points, color, scale=scale)
    if thickness > 1 and named:
        words = note.label or note.kind
        if note.score is not None:
            words = f"{words} {note.score:.2f}"
        below = dashed  # so that the labels of both versions do not lie on each other
        y = (box[1] + box[3]) * scale if below else box[1] * scale - drawing.TEXT_HEIGHT
        drawing.text(picture, words, box[0] * scale, y, color)
    return True


def _rings(note: Annotation) -> Sequence[Sequence[float]]:
    """Return the outlines of a shape."""
    from dvcs.geometry import masks, polygons

    try:
        if isinstance(note, Polygon):
            return [ring for part in note.parts for ring in part]
        if isinstance(note, PolyLine):
            return [note.points]
        if isinstance(note, Points):
            return []
        if isinstance(note, Bbox):
            return polygons.from_box((note.x, note.y, note.w, note.h))[0]
        if isinstance(note, RotatedBbox):
            return polygons.from_rotated_box(note.geometry)[0]
        if isinstance(note, Ellipse):
            return polygons.from_ellipse(*note.geometry)[0]
        if isinstance(note, Mask):
            return [ring for part in masks.to_polygon(note.size, note.counts) for ring in part]
    except InvalidShape:
        pass
    return []
