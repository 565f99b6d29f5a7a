"""
What a dataset is made of: plain, frozen values that know nothing of files, formats or storage.

    annotations.py   boxes, polygons, masks, captions, ...
    media.py         what they are about: images, point clouds, frames
    labels.py        labels and declared attributes
    dataset.py       items and datasets

Conventions: pixels, x to the right, y down, continuous coordinates (the first pixel covers 0 to 1
both ways), angles in degrees, clockwise as seen. Coordinates are float64 and never rounded. Values
are frozen; the lists inside them are not to be changed in place.

Annotations carry label *names*. The repository stores keys, which never change, and translates.
"""

from dvcs.model.annotations import (
    ABSENT,
    HIDDEN,
    KINDS,
    VISIBLE,
    Annotation,
    Bbox,
    Caption,
    Cuboid3d,
    Ellipse,
    Label,
    Mask,
    Other,
    Points,
    Polygon,
    PolyLine,
    Raster,
    Ring,
    RotatedBbox,
)
from dvcs.model.dataset import Boxed, Dataset, Item
from dvcs.model.labels import AttributeSpec, Category, Labels, Scalar, Value
from dvcs.model.media import Media, MediaFile, Origin

__all__ = [
    "ABSENT",
    "HIDDEN",
    "KINDS",
    "VISIBLE",
    "Annotation",
    "AttributeSpec",
    "Bbox",
    "Boxed",
    "Caption",
    "Category",
    "Cuboid3d",
    "Dataset",
    "Ellipse",
    "Item",
    "Label",
    "Labels",
    "Mask",
    "Media",
    "MediaFile",
    "Origin",
    "Other",
    "Points",
    "PolyLine",
    "Polygon",
    "Raster",
    "Ring",
    "RotatedBbox",
    "Scalar",
    "Value",
]
