"""
COCO's panoptic task: one PNG per image whose colours are segments, id = R + 256 G + 65536 B.

    annotations/panoptic_train.json     annotations: {image_id, file_name, segments_info: [...]}
    annotations/panoptic_train/1.png

A segment is a mask. Pixels of a colour that `segments_info` does not list become a mask without
label that is painted again, but not listed; colour 0 is no segment.

Format: https://cocodataset.org/#format-data, 4. Panoptic Segmentation.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import UNSET, Raw, UnsetType

from dvcs.errors import DvcsError, FormatError
from dvcs.files import Source
from dvcs.formats._coco.parse import CROWD, BadRecord, Instance
from dvcs.formats._coco.records import NAME, NOTES, OBJECT, UNREADABLE, Id, said
from dvcs.model import Annotation, Mask
from dvcs.names import relative_path, strip_extension

MOST = 1 << 24


class Segment(msgspec.Struct, gc=False):
    """One entry of `segments_info`."""

    id: int
    category_id: Id | UnsetType | None = UNSET
    area: float | UnsetType | None = UNSET
    bbox: list[float] | UnsetType | None = UNSET
    iscrowd: int | float | bool | UnsetType | None = UNSET


class Picture(msgspec.Struct, gc=False):
    """The annotation of one image."""

    segments_info: list[Raw]
    file_name: str


_PICTURE = msgspec.json.Decoder(Picture)
_SEGMENT = msgspec.json.Decoder(Segment)
_SEGMENT_KEYS = frozenset(Segment.__struct_fields__)


def is_panoptic(raw: Raw) -> bool:
    """Tell whether a record is the annotation of a whole image."""
    try:
        return "segments_info" in OBJECT.decode(raw)
    except UNREADABLE:
        return False


def picture_name(image: str) -> str:
    """Return the usual name of the picture of an image's segments."""
    return f"{strip_extension(image)}.png"


class PanopticParser:
    """Reads the records and pictures of one panoptic file."""

    def __init__(self, source: Source, path: str, labels: Mapping[Id, str]) -> None:
        self._source = source
        self._labels = labels
        folder, _, name = path.rpartition("/")
        stem = name[: -len(".json")]
        base = f"{folder}/" if folder else ""
        self._folders = (f"{base}{stem}", f"{base}masks", folder, "")

    def plain(self, raw: Raw) -> Annotation | None:
        """Return None: no record of a whole image is a plain annotation."""
        del raw
        return None

    def segments(self, raw: Raw, image: str) -> Iterator[Instance]:
        """
        Return the segments of the image of a name.

        Raises BadRecord, or FormatError for its picture.
        """
        try:
            picture = _PICTURE.decode(raw)
            record = OBJECT.decode(raw)
            entries = [(_SEGMENT.decode(one), OBJECT.decode(one)) for one in picture.segments_info]
        except UNREADABLE as error:
            raise BadRecord(said(error)) from None
        rest = {k: v for k, v in record.items() if k not in ("segments_info", "image_id")}
        if picture.file_name == picture_name(image):
            del rest["file_name"]
        painted = self._painted(picture.file_name)
        found = []
        for segment, keys in entries:
            unknown = {k: v for k, v in keys.items() if k not in _SEGMENT_KEYS}
            found.append(self._segment(segment, unknown, painted))
        found += [_unlisted(id, painted) for id in painted.ids if id and id not in painted.taken]
        if not found:
            found = [_nothing(painted)]
        if rest:
            _note_picture(found[0], rest)
        return iter([Instance(one) for one in found])

    def _painted(self, file_name: str) -> "Painted":
        from dvcs.media.pixels import decode

        name = str(relative_path(file_name))
        path = self._source.image(name, folders=self._folders)
        if path is None:
            raise BadRecord(
                f"there is no picture '{file_name}' of its segments",
                hint=f"put it into '{self._folders[0]}'",
            )
        try:
            return Painted.of_image(decode(self._source.bytes(path)))
        except DvcsError as error:
            raise FormatError(str(error), self._source.place(path), hint=error.hint) from None

    def _segment(self, segment: Segment, extra: dict[str, Any], painted: "Painted") -> Mask:
        label = None
        absent = []
        if segment.category_id is UNSET:
            absent.append("category_id")
        elif segment.category_id is not None:
            label = self._labels.get(segment.category_id)
            if label is None:
                raise BadRecord(
                    f"the category_id {segment.category_id!r} of its segment {segment.id}"
                    " is not one of the file's categories"
                )
        if segment.id in painted.taken or not 0 <= segment.id < MOST:
            raise BadRecord(f"its segment id {segment.id} is listed twice, or no colour")
        counts, area, box = painted.take(segment.id)
        derived: dict[str, Any] = {}
        for key, given, have in (("area", segment.area, area), ("bbox", segment.bbox, box)):
            if given is UNSET:
                absent.append(key)
            elif given != have:
                derived[key] = given
        attributes = {CROWD: True} if segment.iscrowd is not UNSET and segment.iscrowd else {}
        if segment.iscrowd is UNSET:
            absent.append("iscrowd")
        elif isinstance(segment.iscrowd, bool) or segment.iscrowd not in (0, 1):
            extra["iscrowd"] = segment.iscrowd
        if absent:
            extra[NOTES] = {"absent": absent}
        return Mask(
            size=painted.size,
            counts=counts,
            label=label,
            id=segment.id,
            attributes=attributes,
            derived={NAME: derived} if derived else {},
            extra={NAME: extra} if extra else {},
        )


def _note_picture(first: Annotation, rest: dict[str, Any]) -> None:
    """Keep what the record says beside its segments with the first of them."""
    extra = first.extra.get(NAME, {})
    notes = {**extra.get(NOTES, {}), "picture": rest}
    msgspec.structs.force_setattr(first, "extra", {NAME: {**extra, NOTES: notes}})


def _unlisted(id: int, painted: "Painted") -> Mask:
    counts, _, _ = painted.take(id)
    extra = {NAME: {NOTES: {"unlisted": True}}}
    return Mask(size=painted.size, counts=counts, id=id, extra=extra)


def _nothing(painted: "Painted") -> Mask:
    """Return an empty mask, which stands for a picture without any segment."""
    counts, _, _ = painted.take(0, empty=True)
    return Mask(size=painted.size, counts=counts, extra={NAME: {NOTES: {"unlisted": True}}})


class Painted:
    """The segments of a picture by id, cut out one by one."""

    def __init__(self, size: tuple[int, int], starts: Any, values: Any) -> None:
        """Take the runs of equal pixels, column by column: where each begins, and its id."""
        import numpy as np

        self.size = size
        ends = np.append(starts[1:], size[0] * size[1])
        self._order = np.argsort(values, kind="stable")
        self._starts, self._ends = starts[self._order], ends[self._order]
        self._values = values[self._order]
        self.ids: list[int] = np.unique(self._values).tolist()
        self.taken: set[int] = set()

    @classmethod
    def of_image(cls, image: Any) -> "Painted":
        """Return the segments of a picture as `dvcs.media.pixels.decode` gives it."""
        import numpy as np

        if image.dtype != np.uint8:
            raise FormatError("a panoptic picture has 8 bits a channel", "picture")
        if image.ndim == 2:
            numbers = image.astype(np.uint32)
        else:
            blue, green, red = (image[:, :, n].astype(np.uint32) for n in range(3))
            numbers = red + (green << 8) + (blue << 16)
        flat = numbers.ravel(order="F")
        starts = np.flatnonzero(np.diff(flat, prepend=flat[0] + 1))
        return cls((int(image.shape[0]), int(image.shape[1])), starts, flat[starts])

    def take(self, id: int, *, empty: bool = False) -> tuple[str, float, list[float]]:
        """Return run lengths, area and box of a segment; `empty` leaves its pixels out."""
        import numpy as np

        from dvcs.geometry import rle

        self.taken.add(id)
        low, high = np.searchsorted(self._values, [id, id + 1])
        if empty:
            high = low
        starts, ends = self._starts[low:high], self._ends[low:high]
        edges = np.stack([starts, ends], axis=1).ravel()
        total = self.size[0] * self.size[1]
        # Two runs that touch (the end of a column and the top of the next) are one run by now:
        # `flat` changes value between any two that were cut.
        lengths = rle.from_toggles(edges, total)
        return rle.spell(lengths), float((ends - starts).sum()), _box(starts, ends, self.size[0])


def _box(starts: Any, ends: Any, height: int) -> list[float]:
    if not len(starts):
        return [0.0, 0.0, 0.0, 0.0]
    left, right = int(starts[0]) // height, int(ends[-1] - 1) // height
    if ((starts // height) != ((ends - 1) // height)).any():  # from a column's end to the next
        top, bottom = 0, height - 1
    else:
        top, bottom = int((starts % height).min()), int(((ends - 1) % height).max())
    return [float(left), float(top), float(right - left + 1), float(bottom - top + 1)]
