"""Media: the files that an item's annotations are about, and where their bytes are."""

from pathlib import Path
from typing import Literal, Protocol

import msgspec

# msgspec leaves out a field whose value *is* its default, and equal texts or floats need not be
# the same object. So a default is None, a number below 256, a bool or empty; all else is written.


class MediaFile(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """
    One file of an item's media.

    `name` is its path in the dataset where that is not the item's id and `ext`; `sha256` and
    `size` (bytes) are known once the bytes were read; `url` says where a file lies that is not
    stored.
    """

    role: str = msgspec.field(default_factory=lambda: "image")
    ext: str = msgspec.field(default_factory=str)
    name: str | None = None
    sha256: str | None = None
    size: int | None = None
    url: str | None = None


class Media(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """
    What an item's annotations are about. `height` and `width` are those of the image as shown.

    Where a dataset declares them, they are what it declares, and they decide what coordinates mean:
    of an image that EXIF turns they may be those of the image as it is stored, if whoever annotated
    it ignored EXIF. `orientation` is the EXIF orientation (1 to 8) where it is not 1 and the size
    was read with it; `frame` counts from 0.
    """

    kind: Literal["image", "multi_image", "point_cloud", "video_frame"] = msgspec.field(
        default_factory=lambda: "image"
    )
    files: tuple[MediaFile, ...] = ()
    height: int | None = None
    width: int | None = None
    frame: int | None = None
    orientation: int | None = None

    @property
    def size(self) -> tuple[int, int] | None:
        """Height and width, where both are known."""
        if self.height is None or self.width is None:
            return None
        return self.height, self.width


class Origin(Protocol):
    """Where the bytes of one media file can be had now."""

    @property
    def path(self) -> Path | None:
        """The file, where it is one on this disk."""

    def read(self) -> bytes:
        """Return the bytes."""
