"""
Pixels from image bytes and back, by OpenCV, with its blind spots covered.

OpenCV 5.0 allows 2^30 pixels, so that a PNG of 74 bytes can ask for 2.7 GB; it returns nothing, or
a partly grey picture, for damaged files; and it applies EXIF in some modes only. Here the header is
read first, sizes and completeness are checked, and the orientation is applied always.

This module imports OpenCV and NumPy: import it where it is used.
"""

import os
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from dvcs.errors import InvalidMedia, UnknownName
from dvcs.media._complete import check_complete
from dvcs.media.headers import EXTENSIONS, read_header

MAX_PIXELS: Final = 178_956_970
"""The most pixels that are decoded unless told otherwise: Pillow's limit, 512 MiB as BGR."""

# Both are read once, when OpenCV is loaded. Its messages would go to the terminal.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(1 << 30))
os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")

import cv2  # noqa: E402

Image = NDArray[Any]

_KINDS: Final = {ending: kind for kind, endings in EXTENSIONS.items() for ending in endings}
_VALUES: Final[dict[str, tuple[str, ...]]] = {
    "png": ("uint8", "uint16"),
    "pnm": ("uint8", "uint16"),
    "jp2": ("uint8", "uint16"),
    "tiff": ("uint8", "uint16", "float32"),
    "pfm": ("float32",),
    "hdr": ("float32",),
    "exr": ("float32",),
}
"""What each kind can hold; those that are not here hold uint8. OpenCV would clip it silently."""

_DECODING: Final = cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION


def decode(data: bytes, *, max_pixels: int = MAX_PIXELS) -> Image:
    """
    Decode the first picture of an image as it is meant to be shown.

    Returns an array of shape (height, width) for one channel, else (height, width, channels) in the
    order BGR or BGRA; uint8, uint16 or float32 as stored (some TIFF files hold other types);
    palettes are resolved, the EXIF orientation is applied.

    Raises:
        InvalidMedia: no known kind, more than `max_pixels`, cut off, damaged, or a variant of its
            kind that OpenCV cannot decode.

    """
    header = read_header(data)
    if header.width * header.height > max_pixels:
        raise InvalidMedia(
            f"the image would have {header.width} x {header.height} pixels,"
            f" the limit is {max_pixels}",
            hint="if it is genuine, raise the limit 'max_pixels'",
        )
    check_complete(header.kind, data)
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), _DECODING)
    except (cv2.error, MemoryError) as error:
        raise InvalidMedia(f"the {header.kind} image cannot be decoded") from error
    if image is None:
        raise InvalidMedia(
            f"the {header.kind} image cannot be decoded: it is damaged or of an unsupported variant"
        )
    if header.kind != "tiff":  # OpenCV turns these by itself, whatever it is told
        image = upright(image, header.orientation)
    if image.shape[:2] != (header.height, header.width):
        raise InvalidMedia(
            f"the {header.kind} image is damaged: its header says"
            f" {header.width} x {header.height}, its pixels {image.shape[1]} x {image.shape[0]}"
        )
    return image


def upright(image: Image, orientation: int) -> Image:
    """Turn or mirror an image, as stored, by its EXIF orientation (1-8)."""
    if orientation in (5, 6, 7, 8):
        image = image.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    return np.ascontiguousarray(image)


def ending_of_kind(ext: str) -> str:
    """Return the ending of a kind of image in small letters, with its dot. Raises UnknownName."""
    ending = ext.lower() if ext.startswith(".") else f".{ext.lower()}"
    if ending not in _KINDS:
        raise UnknownName("image format", ext, _KINDS)
    return ending


def encode(image: Image, ext: str, quality: int = 95) -> bytes:
    """
    Encode an array as `decode` returns them.

    `ext` is the ending of the file's name, like ".jpg", and chooses the kind; `quality` (0-100) is
    that of JPEG and WebP. JPEG and WebP lose detail, JPEG also the fourth channel.

    Raises:
        UnknownName: no kind of image has such an ending.
        InvalidMedia: the kind cannot hold such values (16 bits in a JPEG, say) or shape.

    """
    ending = ending_of_kind(ext)
    kind = _KINDS[ending]
    allowed = _VALUES.get(kind, ("uint8",))
    shape = image.shape
    is_image = image.ndim == 2 or (image.ndim == 3 and shape[2] in (1, 3, 4))
    if image.dtype.name not in allowed or image.size == 0 or not is_image:
        raise InvalidMedia(
            f"a {kind} image cannot hold values of type {image.dtype.name} in the shape {shape}",
            hint=f"{kind} holds {' or '.join(allowed)}",
        )
    parameters = {
        "jpeg": [cv2.IMWRITE_JPEG_QUALITY, quality],
        "webp": [cv2.IMWRITE_WEBP_QUALITY, quality],
    }.get(kind, [])
    try:
        done, encoded = cv2.imencode(ending, image, parameters)
    except cv2.error as error:
        raise InvalidMedia(f"cannot write an image of shape {shape} as {kind}") from error
    if not done:
        raise InvalidMedia(f"cannot write an image of shape {shape} as {kind}")
    return encoded.tobytes()


def resize(
    image: Image, width: int, height: int, method: Literal["smooth", "nearest"] = "smooth"
) -> Image:
    """
    Scale an image to `width` x `height` pixels.

    "smooth" averages areas where both sides shrink, and interpolates linearly else; "nearest"
    invents no values, as masks of class numbers need.
    """
    if width < 1 or height < 1 or width * height > MAX_PIXELS:
        raise InvalidMedia(f"an image cannot be scaled to {width} x {height} pixels")
    if method == "nearest":
        interpolation = cv2.INTER_NEAREST
    elif width <= image.shape[1] and height <= image.shape[0]:
        interpolation = cv2.INTER_AREA
    else:
        interpolation = cv2.INTER_LINEAR
    try:
        return cv2.resize(image, (width, height), interpolation=interpolation)
    except cv2.error as error:
        raise InvalidMedia(
            f"an image of shape {image.shape} and type {image.dtype} cannot be scaled"
        ) from error
