"""Value classes for images: the limits, the wanted copies and the facts about an image.
No I/O, and no Pillow."""

from __future__ import annotations

import msgspec

#: The formats in which copies of an image can be written, with their file extensions.
FORMATS = {"jpeg": ".jpg", "png": ".png", "webp": ".webp"}
#: Highest value of `max_pixels`. Pillow itself warns about an image with more pixels.
MOST_PIXELS = 89_000_000


class UnfitImage(Exception):
    """Raised for a file that is not an image, or for an image that is not accepted."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class ImageLimits(msgspec.Struct, frozen=True):
    """Which images are accepted. Sizes are in pixels, after the rotation that the EXIF
    data ask for."""

    min_width: int = 0
    min_height: int = 0
    max_pixels: int = 50_000_000
    #: Whether animated images are accepted.
    animated: bool = True


class WantedCopy(msgspec.Struct, frozen=True):
    """A copy of an image that should be made."""

    #: The maximum width and height in pixels; None: as large as the original.
    box: tuple[int, int] | None = None
    #: One of FORMATS; "": the original's format if it is one of them, else PNG.
    format: str = ""


class SeenImage(msgspec.Struct, frozen=True):
    """The facts in the header of an image file."""

    #: The width in pixels, after the rotation that the EXIF data ask for.
    width: int
    height: int
    #: The format of this image's copies if no other format is wanted; one of FORMATS.
    own_format: str


class ImageCopy(msgspec.Struct, frozen=True):
    """A copy of an image: the bytes of its file, and its size in pixels."""

    content: bytes
    #: The width of the copy in pixels.
    width: int
    height: int
