"""Annotations: what is said of an item, one frozen struct for each kind of shape or statement."""

from collections import Counter
from typing import TYPE_CHECKING, Any, ClassVar, Self

import msgspec

from dvcs.model.media import MediaFile

if TYPE_CHECKING:
    from collections.abc import Sequence

Ring = list[float]


ABSENT, HIDDEN, VISIBLE = 0, 1, 2


class Annotation(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    forbid_unknown_fields=True,
    gc=False,
    tag_field="type",
):
    """
    What all annotations share.

    `group` joins the shapes of one instance within an item (0 = alone). `derived` is what a format
    said that follows from the geometry (an area); it goes when the shape changes. `extra` is what
    a format said and this model has no field for, under the format's name. `unknown` holds keys
    that a newer dvcs wrote. `track` names an object across the frames of a sequence.
    """

    kind: ClassVar[str] = ""
    geometry_fields: ClassVar[tuple[str, ...]] = ()

    label: str | None = None
    id: int | str = 0
    group: int = 0
    z_order: int = 0
    score: float | None = None
    track: int | str | None = None
    attributes: dict[str, Any] = {}
    derived: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    unknown: dict[str, Any] = {}

    def with_(self, **changes: Any) -> Self:
        """Return a copy with some fields changed."""
        return msgspec.structs.replace(self, **changes)

    @property
    def geometry(self) -> tuple[Any, ...]:
        """The values of the fields that say where and which shape it is."""
        return tuple(getattr(self, name) for name in self.geometry_fields)


class Label(Annotation, frozen=True, gc=False, tag="label"):
    """A label of the whole item."""

    kind = "label"


class Caption(Annotation, frozen=True, gc=False, tag="caption"):
    """A text about the whole item."""

    kind = "caption"
    geometry_fields = ("caption",)

    caption: str


class Bbox(Annotation, frozen=True, gc=False, tag="bbox"):
    """An upright box: its top left corner, width and height."""

    kind = "bbox"
    geometry_fields = ("x", "y", "w", "h")

    x: float
    y: float
    w: float
    h: float


class RotatedBbox(Annotation, frozen=True, gc=False, tag="rotated_bbox"):
    """A box turned about its centre by `angle` degrees."""

    kind = "rotated_bbox"
    geometry_fields = ("cx", "cy", "w", "h", "angle")

    cx: float
    cy: float
    w: float
    h: float
    angle: float


class Ellipse(Annotation, frozen=True, gc=False, tag="ellipse"):
    """An ellipse with radii `rx` and `ry`, turned about its centre by `angle` degrees."""

    kind = "ellipse"
    geometry_fields = ("cx", "cy", "rx", "ry", "angle")

    cx: float
    cy: float
    rx: float
    ry: float
    angle: float


class Polygon(Annotation, frozen=True, gc=False, tag="polygon"):
    """
    The union of `parts`; a part is a list of rings, the outer first, then its holes.

    A ring is flat: x0, y0, x1, y1, ...; its last point joins the first.
    """

    kind = "polygon"
    geometry_fields = ("parts",)

    parts: list[list[Ring]]


class PolyLine(Annotation, frozen=True, gc=False, tag="polyline"):
    """An open line through `points`: x0, y0, x1, y1, ..."""

    kind = "polyline"
    geometry_fields = ("points",)

    points: list[float]


class Points(Annotation, frozen=True, gc=False, tag="points"):
    """
    Keypoints: x0, y0, x1, y1, ... and for each its visibility (0 absent, 1 hidden, 2 visible).

    An empty `visibility` means that all are visible. Names and joints of a label's keypoints are
    in its `Category`.
    """

    kind = "points"
    geometry_fields = ("points", "visibility")

    points: list[float]
    visibility: list[int] = []


class Mask(Annotation, frozen=True, gc=False, tag="mask"):
    """A bitmap as COCO's run lengths: `size` is (height, width), `counts` the compressed text."""

    kind = "mask"
    geometry_fields = ("size", "counts")

    size: tuple[int, int]
    counts: str


class Raster(Annotation, frozen=True, gc=False, tag="raster"):
    """An image of values: `meaning` says of what (`depth`, `soft_mask`, `super_resolution`)."""

    kind = "raster"
    geometry_fields = ("meaning", "file")

    meaning: str
    file: MediaFile


class Cuboid3d(Annotation, frozen=True, gc=False, tag="cuboid_3d"):
    """A box in space: centre, rotation about x, y, z (radians), and size along its own axes."""

    kind = "cuboid_3d"
    geometry_fields = ("position", "rotation", "scale")

    position: list[float]
    rotation: list[float] = msgspec.field(default_factory=lambda: [0.0, 0.0, 0.0])
    scale: list[float] = msgspec.field(default_factory=lambda: [1.0, 1.0, 1.0])


class Other(Annotation, frozen=True, gc=False, tag="other"):
    """
    What a format said and nobody models: the format's name and the record as it stood.

    With the format `dvcs`, a kind of annotation that a newer dvcs wrote.
    """

    kind = "other"
    geometry_fields = ("format", "record")

    format: str
    record: Any


KINDS: dict[str, type[Annotation]] = {
    cls.kind: cls
    for cls in (
        Label,
        Caption,
        Bbox,
        RotatedBbox,
        Ellipse,
        Polygon,
        PolyLine,
        Points,
        Mask,
        Raster,
        Cuboid3d,
        Other,
    )
}
"""Every kind of annotation by the name that files and reports give it."""


def names_of(notes: "Sequence[Annotation]") -> list[str]:
    """
    Return what the annotations of an item are called in conflicts, findings and selectors.

    That is their id, where no other has it, else `n` and their number from 1.
    """
    ids = [str(note.id) for note in notes]  # 7 and "7" cannot be told apart in a name
    counts = Counter(ids)
    return [
        id if note.id and counts[id] == 1 else f"n{number}"
        for number, (id, note) in enumerate(zip(ids, notes, strict=True), 1)
    ]
