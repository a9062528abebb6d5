"""What is asked of a picture, and what is known of it. Pure, and without Pillow."""

from __future__ import annotations

import msgspec

#: Formats of copies, with the ending of their names.
FORMATS = {"jpeg": ".jpg", "png": ".png", "webp": ".webp"}
#: Pillow itself warns of a picture with more pixels.
MOST_PIXELS = 89_000_000


class UnfitImage(Exception):
    """A file that is no picture, or not one that is wanted."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class ImageLimits(msgspec.Struct, frozen=True):
    """Which pictures are taken; sizes in pixels, as the picture is shown."""

    min_width: int = 0
    min_height: int = 0
    max_pixels: int = 50_000_000
    #: Whether moving pictures are taken.
    animated: bool = True


class WantedCopy(msgspec.Struct, frozen=True):
    """A copy that is asked for."""

    #: The width and height into which it must fit; None: as large as the original.
    box: tuple[int, int] | None = None
    #: One of FORMATS; "": the original's own if that is one, else PNG.
    format: str = ""


class SeenImage(msgspec.Struct, frozen=True):
    """What the head of a picture says."""

    #: In pixels, as the picture is shown.
    width: int
    height: int
    #: The format that a copy has by default.
    own_format: str


class ImageCopy(msgspec.Struct, frozen=True):
    """A copy of a picture."""

    content: bytes
    #: In pixels.
    width: int
    height: int
