"""
Small pictures of items for a page: inside it, or in a folder beside it that it loads from.

A picture is made anew from the pixels, at most 1,024 wide and high: what stood beside the pixels
(a camera's position, say) does not get into a page that is handed on.

This module imports OpenCV and NumPy where it makes a picture.
"""

import base64
import hashlib
import re
import secrets
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar
from urllib.parse import quote

from dvcs.errors import DvcsError, UsageError
from dvcs.web.page import Block

if TYPE_CHECKING:
    from dvcs.media.pixels import Image
    from dvcs.model import Item, Origin

SIDE = 1024
"""The longest side of a picture in a page, in pixels."""
EXACT_SIDE = 128
"""Up to here a picture keeps each pixel as it is, as PNG: one looks at them one by one."""
QUALITY = 82
EMBEDDED = 16 << 20
"""Bytes of pictures that a page holds inside; more go to a folder, unless told otherwise."""
AT_ONCE, THREADS = 8, 2

_OURS = re.compile(r"[0-9a-f]{32}\.(?:jpg|png)")
T = TypeVar("T")


class Picture(NamedTuple):
    """A picture: its bytes and ending; the size (h, w) of what it was made from."""

    data: bytes
    ext: str
    size: tuple[int, int]


class Shown(NamedTuple):
    """What a page has of an item's media: a picture's name, else why there is none; (h, w)."""

    name: str | None = None
    why: str = ""
    size: tuple[int, int] | None = None
    failed: bool = False


def small(data: bytes, declared: tuple[int, int] | None = None) -> Picture:
    """
    Make a small picture of an image file's bytes. Raises InvalidMedia.

    `declared` is the size (h, w) that the dataset states: it tells whether what is drawn on the
    picture is meant for the image as EXIF turns it.
    """
    from dvcs.media import pixels
    from dvcs.media.turning import in_frame

    image = _eight_bits(pixels.decode(in_frame(data, declared)))
    height, width = size = image.shape[:2]
    longest = max(height, width)
    if longest > SIDE:
        sides = (max(1, round(side * SIDE / longest)) for side in (width, height))
        image = pixels.resize(image, *sides)
    ext = ".png" if longest <= EXACT_SIDE else ".jpg"
    return Picture(pixels.encode(image, ext, QUALITY), ext, size)


def _eight_bits(image: "Image") -> "Image":
    """Return an image with 8 bits a sample and one or three channels."""
    import numpy as np

    if image.dtype != np.uint8:
        values = np.nan_to_num(image.astype(np.float32), posinf=0.0, neginf=0.0)
        low = 0.0 if image.dtype.kind == "u" else float(values.min())
        high = max(float(values.max()), low + 1e-6)
        image = ((values - low) * (255.0 / (high - low))).astype(np.uint8)
    if image.ndim == 3 and image.shape[2] == 4:
        alpha = image[:, :, 3:].astype(np.float32) / 255.0
        image = (image[:, :, :3] * alpha + 255.0 * (1.0 - alpha)).astype(np.uint8)
    if image.ndim == 3 and image.shape[2] not in (1, 3):
        image = image[:, :, 0]
    return np.ascontiguousarray(image)


def source_of(item: "Item | None") -> "tuple[Origin | None, str]":
    """Return where the pixels of an item are; None and why, where there are none to be had."""
    if item is None or item.media is None:
        return None, "the item has no media"
    if item.media.kind == "point_cloud":
        return None, "a point cloud: its changes are listed"
    if item.media.kind == "video_frame" and not any(map(_is_picture, item.media.files)):
        return None, "a frame of a video, which is not decoded here"
    pairs = list(zip(item.media.files, item.origins, strict=False))
    pairs.sort(key=lambda pair: pair[0].role != "image")
    for _, origin in pairs:
        if origin is not None:
            return origin, ""
    return None, "the image is not at hand"


def _declared(item: "Item | None") -> tuple[int, int] | None:
    return item.media.size if item is not None and item.media is not None else None


def _is_picture(file: object) -> bool:
    from dvcs.media.headers import EXTENSIONS

    ext = str(getattr(file, "ext", "")).lower()
    return any(ext in endings for endings in EXTENSIONS.values())


class Pictures:
    """
    The pictures of a page: added one by one, each kept once.

    `embed` True keeps all inside the page, False none; None keeps them inside until they are more
    than `EMBEDDED` bytes. Raises UsageError where the folder cannot be one of pictures.
    """

    def __init__(self, page: Path, *, embed: bool | None = None) -> None:
        self.folder = page.with_name(f"{page.stem}_files")
        if embed is not True and (
            self.folder.is_symlink() or (self.folder.exists() and not self.folder.is_dir())
        ):
            raise UsageError(
                f"'{self.folder}' is no folder, and the page's pictures are to be in it",
                hint="choose another name for the page, or keep them inside with --embed",
            )
        self._embed = embed
        self._inside: dict[str, bytes] | None = None if embed is False else {}
        self._bytes = 0
        self.names: set[str] = set()
        self.failed = 0

    @property
    def address(self) -> str | None:
        """Where the page finds them: a relative address, None where they are inside."""
        return None if self._inside is not None else f"{quote(self.folder.name)}/"

    def add(self, picture: Picture) -> str:
        """Keep a picture; return its name."""
        name = hashlib.sha256(picture.data).hexdigest()[:32] + picture.ext
        if name in self.names:
            return name
        self.names.add(name)
        if self._inside is None:
            self._write(name, picture.data)
            return name
        self._inside[name] = picture.data
        self._bytes += len(picture.data)
        if self._embed is None and self._bytes > EMBEDDED:
            held, self._inside = self._inside, None
            for one, data in held.items():
                self._write(one, data)
        return name

    def _write(self, name: str, data: bytes) -> None:
        self.folder.mkdir(exist_ok=True)
        path = self.folder / name
        if path.is_file() and not path.is_symlink() and path.stat().st_size == len(data):
            return
        temp = self.folder / f"tmp-{secrets.token_hex(8)}"
        try:
            temp.write_bytes(data)
            temp.replace(path)
        except BaseException:
            temp.unlink(missing_ok=True)
            raise

    def blocks(self) -> Iterator[Block]:
        """Yield the pictures that are inside the page."""
        for name, data in (self._inside or {}).items():
            yield Block(f"picture-{name}", base64.b64encode(data), "text/plain")

    def finish(self) -> None:
        """Remove pictures of an earlier page of that name; nobody else's files."""
        if not self.folder.is_dir() or self.folder.is_symlink():
            return
        kept = set() if self._inside is not None else self.names
        for path in self.folder.iterdir():
            if _OURS.fullmatch(path.name) and path.name not in kept:
                path.unlink(missing_ok=True)
        with suppress(OSError):  # it holds something else
            self.folder.rmdir()

    def of(self, things: "Iterable[tuple[T, Item | None]]") -> "Iterator[tuple[T, Shown]]":
        """
        Yield what a page shows of items, in order, each with what it was given with.

        Bytes are read one after another, pixels decoded in two threads. What cannot be read or
        decoded is no error of the page: it says so in the picture's place.
        """
        waiting: deque[tuple[T, Item | None, Future[Picture] | Shown]] = deque()
        with ThreadPoolExecutor(THREADS) as pool:
            for thing, item in things:
                waiting.append((thing, item, self._begun(item, pool)))
                if len(waiting) > AT_ONCE:
                    yield self._ended(*waiting.popleft())
            while waiting:
                yield self._ended(*waiting.popleft())

    def _begun(self, item: "Item | None", pool: ThreadPoolExecutor) -> "Future[Picture] | Shown":
        origin, why = source_of(item)
        if origin is None:
            return Shown(why=why)
        try:
            data = origin.read()
        except (DvcsError, OSError) as error:
            return Shown(why=f"the image cannot be read: {error}", failed=True)
        return pool.submit(small, data, _declared(item))

    def _ended(
        self, thing: T, item: "Item | None", begun: "Future[Picture] | Shown"
    ) -> tuple[T, Shown]:
        known = _declared(item)
        try:
            if isinstance(begun, Shown):
                shown = begun._replace(size=known)
            else:
                picture = begun.result()
                shown = Shown(self.add(picture), size=known or picture.size)
        except DvcsError as error:
            shown = Shown(why=f"the image cannot be shown: {error}", size=known, failed=True)
        self.failed += shown.failed
        return thing, shown
