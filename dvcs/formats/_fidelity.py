"""
What became of what a format cannot hold: counted, and told to people and to programs.

`dvcs.formats._fitting` and the writers count; each count stands in one place of a `Fidelity`.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from dvcs.formats import _label_losses

NOUNS: Mapping[str, tuple[str, str]] = {
    "label": ("label", "labels"),
    "caption": ("caption", "captions"),
    "bbox": ("box", "boxes"),
    "rotated_bbox": ("rotated box", "rotated boxes"),
    "ellipse": ("ellipse", "ellipses"),
    "polygon": ("polygon", "polygons"),
    "polyline": ("polyline", "polylines"),
    "points": ("set of points", "sets of points"),
    "mask": ("mask", "masks"),
    "raster": ("raster", "rasters"),
    "cuboid_3d": ("cuboid", "cuboids"),
    "other": ("record of another format", "records of other formats"),
    "image": ("image", "images"),
    "multi_image": ("multi-image item", "multi-image items"),
    "point_cloud": ("point cloud", "point clouds"),
    "video_frame": ("video frame", "video frames"),
}
FIELDS: Mapping[str, str] = {
    "attributes": "attributes",
    "covered": "covered parts",
    "group": "groups",
    "id": "ids",
    "score": "scores",
    "track": "tracks",
    "z_order": "z-orders",
}
OF_ITEMS: Mapping[str, str] = {
    "item.attributes": "the attributes of {} are left out",
    "item.id": "the subset became a part of the id of {}",
    "item.subset": "the subset of {} is left out",
}
NAMED = 5


class Fidelity:
    """
    What an export changed or left out.

    Counts are of annotations: `converted` by kind and what it became, `dropped` by kind (`unsized`
    of these only because the image's size is not known), `merged` by kind: those whose instance
    already had an annotation of the kind they would have become, `unlabelled` by kind, `outside` by
    kind: ends of tracks, where their object is not to be seen. `lost_fields` are by field:
    `item.attributes` and the like count items, `label.color` and the like labels. `items` has how
    many items each of the former touched. `left_out` counts whole items by the kind of their media,
    `frames` items that keep their annotations but not their place in a video (`unpictured` of these
    without a file, for they had no picture of their own), `missing_media` files.
    """

    def __init__(self, format: str = "", title: str = "") -> None:
        self.format = format
        self.title = title or format
        self.converted: Counter[tuple[str, str]] = Counter()
        self.dropped: Counter[str] = Counter()
        self.unsized: Counter[str] = Counter()
        self.merged: Counter[str] = Counter()
        self.unlabelled: Counter[str] = Counter()
        self.outside: Counter[str] = Counter()
        self.lost_fields: Counter[str] = Counter()
        self.lost_attributes: Counter[str] = Counter()
        self.items: Counter[tuple[str, ...]] = Counter()
        self.left_out: Counter[str] = Counter()
        self.frames = 0
        self.unpictured = 0
        self.missing_media = 0
        self.notes: Counter[str] = Counter()
        """What the writer has to say beside losses, by message, counted."""
        self.seen: Counter[str] = Counter()
        """All annotations by kind, so that `vanished` can tell some from all."""

    @property
    def lossless(self) -> bool:
        """Whether everything is in the export as it was."""
        return not (
            self.converted
            or self.dropped
            or self.merged
            or self.unlabelled
            or self.outside
            or self.lost_fields
            or self.left_out
            or self.frames
            or self.missing_media
        )

    def vanished(self) -> list[str]:
        """Return the kinds of which not one annotation is in the export in any shape."""
        gone = self.dropped + self.unlabelled
        return sorted(
            kind for kind, count in gone.items() if count + self.outside[kind] == self.seen[kind]
        )

    def lines(self) -> list[str]:
        """Return what happened as sentences for people."""
        told = [*self._dropped_lines()]
        for (old, new), count in self.converted.most_common():
            where = self._items("new", old, new)
            became = f"{_noun(count, new)}{' of one ring' if old == new else ''}"
            told.append(f"{_count(count, old)} became {became}{where}")
        told += self._field_lines()
        if self.frames:
            became = "became an image" if self.frames == 1 else "became images"
            bare = self.unpictured
            files = f", {'all' if bare == self.frames else f'{bare:,}'} without a file"
            files = " without a file" if self.frames == 1 else files
            told.append(f"{_count(self.frames, 'video_frame')} {became}{files if bare else ''}")
        if self.missing_media:
            files = "media file is" if self.missing_media == 1 else "media files are"
            told.append(f"{self.missing_media:,} {files} not at hand and could not be written")
        return told

    def _dropped_lines(self) -> Iterator[str]:
        for kind, count in self.left_out.most_common():
            why = f"{self.title} cannot hold {_them(count)}"
            yield f"{_count(count, kind)} {_are(count)} left out, with all annotations: {why}"
        for kind, count in self.dropped.most_common():
            unsized = self.unsized[kind]
            if held := count - unsized:
                why = f"{self.title} cannot hold {_them(held)}"
                where = self._items("drop", kind)
                yield f"{_count(held, kind)} {_are(held)} left out{where}: {why}"
            if unsized:
                why = "masks need the size of the image, which is not known"
                yield f"{_count(unsized, kind)} {_are(unsized)} left out: {why}"
        for kind, count in self.unlabelled.most_common():
            where = self._items("none", kind)
            why = f"{self.title} needs labels"
            yield f"{_count(count, kind)} without a label {_are(count)} left out{where}: {why}"
        for kind, count in self.outside.most_common():
            why = (
                f"{self.title} holds no tracks, and there {'it ends' if count == 1 else 'they end'}"
            )
            yield f"{_count(count, kind)} outside the image {_are(count)} left out: {why}"
        for kind, count in self.merged.most_common():
            why = f"another shape of the same instance stands for {_them(count)}"
            yield f"{_count(count, kind)} {_are(count)} left out: {why}"

    def _field_lines(self) -> Iterator[str]:
        of_labels = _label_losses.FIELDS.keys()
        lost = self.lost_fields.most_common()
        for field, count in sorted(lost, key=lambda one: one[0] in of_labels):
            if field in OF_ITEMS:
                yield OF_ITEMS[field].format(f"{count:,} item{'s' * (count != 1)}")
                continue
            if field in of_labels:
                yield _label_losses.line(field, count)
                continue
            noun = FIELDS[field]
            if field == "attributes":
                names = [name for name, _ in self.lost_attributes.most_common(NAMED)]
                more = ", ..." if len(self.lost_attributes) > NAMED else ""
                noun = f"attributes ({', '.join(names)}{more})"
            yield f"the {noun} of {count:,} annotation{'s' * (count != 1)} are left out"

    def _items(self, *key: str) -> str:
        count = self.items[key]
        return f" ({count:,} item{'s' * (count != 1)})" if count else ""

    def report(self) -> dict[str, Any]:
        """Return all counts as plain values, for `--json`."""
        return {
            "format": self.format,
            "lossless": self.lossless,
            "converted": [
                {"from": old, "to": new, "count": count, "items": self.items["new", old, new]}
                for (old, new), count in sorted(self.converted.items())
            ],
            "dropped": _sorted(self.dropped),
            "merged": _sorted(self.merged),
            "unlabelled": _sorted(self.unlabelled),
            "outside": _sorted(self.outside),
            "vanished": self.vanished(),
            "lost_fields": _sorted(self.lost_fields),
            "lost_attributes": _sorted(self.lost_attributes),
            "left_out_items": _sorted(self.left_out),
            "frames": self.frames,
            "unpictured": self.unpictured,
            "missing_media": self.missing_media,
            "notes": _sorted(self.notes),
        }

    def take(self, other: "Fidelity") -> None:
        """Have the counts of another walk instead of these; missing media stay."""
        missing = self.missing_media
        self.__dict__.update(other.__dict__)
        self.missing_media = missing


def _sorted(counter: Counter[str]) -> dict[str, int]:
    return dict(sorted(counter.items()))


def _noun(count: int, kind: str) -> str:
    return NOUNS[kind][count != 1]


def _count(count: int, kind: str) -> str:
    return f"{count:,} {_noun(count, kind)}"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _them(count: int) -> str:
    return "it" if count == 1 else "them"
