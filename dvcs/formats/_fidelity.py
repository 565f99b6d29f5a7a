"""
What became of what a format cannot hold: counted, and told to people and to programs.

`dvcs.formats._fitting` and the writers count; each count stands in one place of a `Fidelity`.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from dvcs.formats import _dataset_losses, _label_losses

K = TypeVar("K")
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
FIELDS: Mapping[str, tuple[str, str]] = {
    # what one annotation has of it, what several have
    "attributes": ("attributes", "attributes"),
    "covered": ("covered parts", "covered parts"),
    "group": ("group", "groups"),
    "id": ("id", "ids"),
    "score": ("score", "scores"),
    "track": ("track", "tracks"),
    "z_order": ("z-order", "z-orders"),
}
OF_ITEMS: Mapping[str, tuple[str, str]] = {
    "item.attributes": ("the attributes of {} are left out", "the attributes of {} are left out"),
    "item.annotated": (
        "{} without objects cannot be told from one that nobody looked at",
        "{} without objects cannot be told from those that nobody looked at",
    ),
    "item.id": (
        "the subset became a part of the id of {}",
        "the subset became a part of the ids of {}",
    ),
    "item.subset": ("the subset of {} is left out", "the subsets of {} are left out"),
    "item.unannotated": (
        "{} that nobody looked at cannot be told from one without objects",
        "{} that nobody looked at cannot be told from those without objects",
    ),
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
            any(self.converted.values())
            or any(self.dropped.values())
            or any(self.merged.values())
            or any(self.unlabelled.values())
            or any(self.outside.values())
            or any(self.lost_fields.values())
            or any(self.left_out.values())
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
        for (old, new), count in _counted(self.converted):
            where = self._items("new", old, new)
            became = f"{_some(count, new)}{' of one ring' if old == new else ''}"
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
        for kind, count in _counted(self.left_out):
            why = f"{self.title} cannot hold {_them(count)}"
            yield f"{_count(count, kind)} {_are(count)} left out, with all annotations: {why}"
        for kind, count in _counted(self.dropped):
            unsized = self.unsized[kind]
            if held := count - unsized:
                why = f"{self.title} cannot hold {_them(held)}"
                where = self._items("drop", kind)
                yield f"{_count(held, kind)} {_are(held)} left out{where}: {why}"
            if unsized:
                why = "masks need the size of the image, which is not known"
                yield f"{_count(unsized, kind)} {_are(unsized)} left out: {why}"
        for kind, count in _counted(self.unlabelled):
            where = self._items("none", kind)
            why = f"{self.title} needs labels"
            yield f"{_count(count, kind)} without a label {_are(count)} left out{where}: {why}"
        for kind, count in _counted(self.outside):
            why = (
                f"{self.title} holds no tracks, and there {'it ends' if count == 1 else 'they end'}"
            )
            yield f"{_count(count, kind)} outside the image {_are(count)} left out: {why}"
        for kind, count in _counted(self.merged):
            why = f"another shape of the same instance stands for {_them(count)}"
            yield f"{_count(count, kind)} {_are(count)} left out: {why}"

    def _field_lines(self) -> Iterator[str]:
        of_labels, of_dataset = _label_losses.FIELDS.keys(), _dataset_losses.FIELDS.keys()
        lost = _counted(self.lost_fields)
        for field, count in sorted(
            lost, key=lambda each: (each[0] in of_dataset, each[0] in of_labels)
        ):
            if field in OF_ITEMS:
                yield OF_ITEMS[field][count != 1].format(f"{count:,} item{'s' * (count != 1)}")
                continue
            if field in of_labels:
                yield _label_losses.line(field, count)
                continue
            if field in of_dataset:
                yield _dataset_losses.line(field, count)
                continue
            one, many = FIELDS[field]
            names = [name for name, _ in _counted(self.lost_attributes)]
            if field == "attributes" and names:
                more = ", ..." if len(names) > NAMED else ""
                named = f"({', '.join(names[:NAMED])}{more})"
                one = f"{'attribute' if len(names) == 1 else 'attributes'} {named}"
                many = f"attributes {named}"
            single = count == 1 and one != many
            of = f"{count:,} annotation{'s' * (count != 1)}"
            yield f"the {one if single else many} of {of} {'is' if single else 'are'} left out"

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
                if count
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
    return {key: count for key, count in sorted(counter.items()) if count}


def _counted(counter: Counter[K]) -> list[tuple[K, int]]:
    """Return what was counted, the most frequent first; what was looked for in vain is not."""
    return [(key, count) for key, count in counter.most_common() if count]


def _noun(count: int, kind: str) -> str:
    return NOUNS[kind][count != 1]


def _some(count: int, kind: str) -> str:
    """Return what one or several became: a box, boxes."""
    noun = _noun(count, kind)
    article = "an" if noun[0] in "aeiou" else "a"
    return f"{article} {noun}" if count == 1 else noun


def _count(count: int, kind: str) -> str:
    return f"{count:,} {_noun(count, kind)}"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _them(count: int) -> str:
    return "it" if count == 1 else "them"
