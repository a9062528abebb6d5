"""The limits and facts about images, as values. Pure, and without Pillow."""

from __future__ import annotations

import msgspec

#: Formats of copies, with their file extensions.
FORMATS = {"jpeg": ".jpg", "png": ".png", "webp": ".webp"}
#: Pillow itself warns about an image with more pixels.
MOST_PIXELS = 89_000_000


class UnfitImage(Exception):
    """A file that is not an image, or an image that is not accepted."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class ImageLimits(msgspec.Struct, frozen=True):
    """Which images are accepted. Sizes are in pixels, as the image is shown."""

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

    #: The width in pixels, as the image is shown.
    width: int
    height: int
    #: The default format of a copy.
    own_format: str


class ImageCopy(msgspec.Struct, frozen=True):
    """A copy of an image."""

    content: bytes
    #: The width of the copy in pixels.
    width: int
    height: int
