"""
The records of a Datumaro JSON file, as its versions 0.1 to 1.x and CVAT's fork write them.

The structs take what is usual; a record that does not fit one is looked at key by key. Types that
no struct has (`hash_key`, `feature_vector`, `tabular`, `cuboid_2d`, what comes later) stay as they
stand. Where dvcs has more to say than the dialect, it says so under the key `dvcs` of a record,
which all readers of Datumaro pass over.
"""

import zlib
from typing import Any, Literal, Union, cast

import msgspec
from msgspec import UNSET, Raw, UnsetType

from dvcs.model import KINDS, Annotation, Media

NAME = "datumaro"
OURS = "dvcs"
ELLIPSE, ROTATED, SKELETON = "ellipse", "rotated_bbox", "skeleton"
RASTERS = {
    "super_resolution_annotation": "super_resolution",
    "super_resolution": "super_resolution",
    "depth_annotation": "depth",
    "depth": "depth",
}
"""Types of images of values, and what they are called here."""

Floats = list[float]
Three = tuple[float, float, float]
Four = tuple[float, float, float, float]
Five = tuple[float, float, float, float, float]


class Record(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, gc=False, tag_field="type"):
    """What all annotation records share. Null is as good as absent."""

    id: int | str | None = 0
    attributes: dict[str, Any] | None = None
    group: int | None = 0
    label_id: int | None = None
    z_order: int | None = 0
    dvcs: dict[str, Any] | None = None


class LabelRecord(Record, gc=False, tag="label"):
    """A label of the item."""


class CaptionRecord(Record, gc=False, tag="caption"):
    """A text."""

    caption: str


class BboxRecord(Record, gc=False, tag="bbox"):
    """A box: x, y, width, height."""

    bbox: Four


class PolygonRecord(Record, gc=False, tag="polygon"):
    """One ring, flat."""

    points: Floats


class PolyLineRecord(Record, gc=False, tag="polyline"):
    """A line, flat."""

    points: Floats


class PointsRecord(Record, gc=False, tag="points"):
    """Points, flat, and how visible each of them is."""

    points: Floats
    visibility: list[Literal[0, 1, 2]] | None = None


class Rle(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """Run lengths: COCO's compressed text, or (from other tools) a list."""

    counts: str | list[int]
    size: tuple[int, int]


class MaskRecord(Record, gc=False, tag="mask"):
    """A mask."""

    rle: Rle


class Cuboid3dRecord(Record, gc=False, tag="cuboid_3d"):
    """A box in space."""

    position: Three
    rotation: Three | None = None
    scale: Three | None = None


class EllipseRecord(Record, gc=False, tag=ELLIPSE):
    """An upright ellipse by the corners of its box."""

    points: Four


class RotatedRecord(Record, gc=False, tag=ROTATED):
    """A turned box: centre, width, height, degrees."""

    points: Five


class SkeletonRecord(Record, gc=False, tag=SKELETON):
    """A skeleton: an element for each of its points, under a label of its own."""

    elements: list[PointsRecord]


RECORDS: tuple[type[Record], ...] = (
    *(LabelRecord, CaptionRecord, BboxRecord, PolygonRecord, PolyLineRecord, PointsRecord),
    *(MaskRecord, Cuboid3dRecord, EllipseRecord, RotatedRecord, SkeletonRecord),
)
BY_TYPE: dict[str, type[Record]] = {cast("str", one.__struct_config__.tag): one for one in RECORDS}
SHARED = frozenset(Record.__struct_fields__)
FIELDS = {name: frozenset(one.__struct_fields__) for name, one in BY_TYPE.items()}
_ANY_RECORD = Union[RECORDS]  # type: ignore[valid-type]  # noqa: UP007
_ANY_NOTE = Union[tuple(KINDS.values())]  # type: ignore[valid-type]  # noqa: UP007


class Kept(msgspec.Struct, kw_only=True, omit_defaults=True):
    """An annotation that the dialect has no record for; `at` is its place among the others."""

    at: int
    note: dict[str, Any]
    group: int | None = None


class Ours(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What dvcs says of an item: see `Item`. `check` tells whether the media stand as written."""

    annotated: bool | None = None
    annotations: list[Kept] = []
    media: Media | None = None
    check: int = 0
    extra: dict[str, Any] = {}


class ItemRecord(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """An item all of whose annotations are usual."""

    id: str | int
    annotations: list[_ANY_RECORD] | None = None
    attr: dict[str, Any] | None = None
    image: Any = UNSET
    media: Any = UNSET
    point_cloud: Any = UNSET
    related_images: Any = UNSET
    video: Any = UNSET
    video_frame: Any = UNSET
    dvcs: Ours | None = None


MEDIA_KEYS = ("image", "media", "point_cloud", "related_images", "video", "video_frame")
ITEM_KEYS = frozenset(ItemRecord.__struct_fields__)


class Document(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A whole file; items and what is said of the file stay raw."""

    categories: Raw | UnsetType = UNSET
    items: list[Raw] | UnsetType = UNSET
    dm_format_version: Raw | UnsetType = UNSET
    media_type: Raw | UnsetType = UNSET
    infos: Raw | UnsetType = UNSET
    info: Raw | UnsetType = UNSET
    ann_types: Raw | UnsetType = UNSET
    dvcs: Raw | UnsetType = UNSET


ITEM = msgspec.json.Decoder(ItemRecord)
PARTS = msgspec.json.Decoder(dict[str, Raw])
RAWS = msgspec.json.Decoder(list[Raw])
RECORD: msgspec.json.Decoder[Record] = msgspec.json.Decoder(cast("type[Record]", _ANY_RECORD))
OBJECT = msgspec.json.Decoder(dict[str, Any])
DOCUMENT = msgspec.json.Decoder(Document)
ENCODE = msgspec.json.Encoder().encode
UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for JSON that is not what it should be."""


def to_record(fields: dict[str, Any]) -> Record:
    """Return a record of its fields. Raises msgspec.ValidationError."""
    return cast("Record", msgspec.convert(fields, _ANY_RECORD))


def to_note(fields: dict[str, Any]) -> Annotation:
    """Return an annotation of its fields. Raises msgspec.ValidationError."""
    return cast("Annotation", msgspec.convert(fields, _ANY_NOTE))


def checksum(value: Any) -> int:
    """Return a number that tells whether a value still is what it was when dvcs wrote it."""
    return zlib.crc32(ENCODE(value))


def said(error: Exception) -> str:
    """Return msgspec's complaint as the end of a sentence."""
    if isinstance(error, UnicodeDecodeError):
        return "is not UTF-8 text"
    if isinstance(error, RecursionError):
        return "is nested too deeply"
    text = str(error)
    return text[:1].lower() + text[1:]
