"""Reads images, with Pillow, and makes copies in other sizes and formats.

Rule: the header of a file is checked before any pixel is decoded. Decoding is slow, so
callers use a thread.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import PIL.Image
from PIL.Image import Resampling, Transpose

from crawler.errors import Reason
from crawler.pipelines.files.image_values import (
    ImageCopy,
    ImageLimits,
    SeenImage,
    UnfitImage,
    WantedCopy,
)
from crawler.web.media_type import SNIFFED_BYTES, sniff

#: Formats that are accepted. Pillow's code for other formats may be unsafe: for EPS it
#: starts a program.
_READ = ("AVIF", "BMP", "GIF", "JPEG", "MPO", "PNG", "TIFF", "WEBP")
_ANIMATED = ("AVIF", "GIF", "PNG", "WEBP")
#: By the format of an image: the format of its copies if no other is wanted. For the
#: formats not listed here it is PNG.
_OWN = {"AVIF": "webp", "JPEG": "jpeg", "MPO": "jpeg", "WEBP": "webp"}
#: Options with which Pillow saves a copy, by the format of the copy.
_OPTIONS: Mapping[str, Mapping[str, object]] = {
    "jpeg": {"quality": 85, "progressive": True},
    "png": {},
    "webp": {"quality": 82},
}
_TIFF = (b"II*\0", b"MM\0*")
_ORIENTATION = 0x0112
#: The rotation for each value of the EXIF orientation tag (TIFF 6.0, EXIF 2.3:
#: 4.6.4.A).
_TURNS = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}
_ON_ITS_SIDE = [_TURNS[number] for number in (5, 6, 7, 8)]
#: Errors that Pillow's decoders raise for damaged files.
_DAMAGE = (
    OSError,
    SyntaxError,
    EOFError,
    ValueError,
    ArithmeticError,
    LookupError,
    TypeError,
    AttributeError,
    RuntimeError,
    MemoryError,
    struct.error,
    zlib.error,
    Warning,  # Pillow raises its warnings if Python treats warnings as errors
)
_BOMBS = (PIL.Image.DecompressionBombError, PIL.Image.DecompressionBombWarning)


def look(content: bytes, limits: ImageLimits) -> SeenImage:
    """Return the facts in the header of an image file. Raises UnfitImage if it is no
    image, or if the image is not accepted."""
    with _damage_named(), _opened(content, limits) as image:
        return _seen(image, limits)


def make_copies(
    content: bytes, limits: ImageLimits, wanted: Sequence[WantedCopy]
) -> list[ImageCopy]:
    """Decode the image, or the first frame of an animated one, and make copies.

    Raises UnfitImage if the image is not accepted, or damaged.
    """
    with _damage_named(), _opened(content, limits) as image:
        seen = _seen(image, limits)
        image.load()
        whole = _upright(image)
        return [
            _copy(whole, each.box, each.format or seen.own_format) for each in wanted
        ]


@contextmanager
def _damage_named() -> Iterator[None]:
    try:
        yield
    except _BOMBS as exc:
        raise UnfitImage(Reason.BOMB, str(exc)) from exc
    except _DAMAGE as exc:
        is_short = isinstance(exc, EOFError) or "truncated" in str(exc).lower()
        reason = Reason.TRUNCATED if is_short else Reason.DECODE_ERROR
        raise UnfitImage(reason, str(exc) or type(exc).__name__) from exc


def _opened(content: bytes, limits: ImageLimits) -> PIL.Image.Image:
    PIL.Image.init()
    known = [name for name in _READ if name in PIL.Image.OPEN]
    try:
        image = PIL.Image.open(io.BytesIO(content), formats=known)
    except PIL.UnidentifiedImageError as exc:
        # `sniff` does not detect TIFF files
        is_tiff = content.startswith(_TIFF)
        if is_tiff or sniff(content[:SNIFFED_BYTES]).startswith("image/"):
            raise UnfitImage(
                Reason.DECODE_ERROR, "the header of the image is damaged"
            ) from exc
        formats = ", ".join(known)
        raise UnfitImage(
            Reason.UNWANTED_TYPE,
            f"the file is not an image of a supported format ({formats})",
        ) from exc
    pixels = image.width * image.height
    if pixels > limits.max_pixels:
        raise UnfitImage(
            Reason.BOMB,
            f"the image has {image.width} x {image.height} pixels, more than "
            f"Images(max_pixels={limits.max_pixels}) allows",
        )
    return image


def _seen(image: PIL.Image.Image, limits: ImageLimits) -> SeenImage:
    name = image.format or ""
    is_animated = name in _ANIMATED and bool(getattr(image, "is_animated", False))
    if is_animated and not limits.animated:
        detail = f"the image is an animated {name}; Images(animated=False) rejects it"
        raise UnfitImage("animated", detail)
    width, height = image.size
    if _turn(image) in _ON_ITS_SIDE:
        width, height = height, width
    if width < limits.min_width or height < limits.min_height:
        raise UnfitImage(
            "too_small",
            f"the image has {width} x {height} pixels, less than min_width or "
            "min_height of Images",
        )
    return SeenImage(width, height, _OWN.get(name, "png"))


def _turn(image: PIL.Image.Image) -> Transpose | None:
    if image.format == "TIFF":
        return None  # Pillow rotates this format by itself
    try:
        return _TURNS.get(image.getexif().get(_ORIENTATION, 1))
    except _DAMAGE:
        return None  # damaged EXIF data is no reason to refuse the image


def _upright(image: PIL.Image.Image) -> PIL.Image.Image:
    turn = _turn(image)
    return image if turn is None else image.transpose(turn)


def _copy(
    image: PIL.Image.Image, box: tuple[int, int] | None, format: str
) -> ImageCopy:
    copy = _in_colours_of(image, format)
    if box is not None:
        copy = copy.copy()
        copy.thumbnail(box, Resampling.LANCZOS, reducing_gap=3.0)
    buffer = io.BytesIO()
    # For privacy, the EXIF data of the original (position, camera, date) are left out.
    profile = image.info.get("icc_profile") if image.mode == copy.mode else None
    copy.save(buffer, format, icc_profile=profile, **_OPTIONS[format])
    return ImageCopy(buffer.getvalue(), *copy.size)


def _in_colours_of(image: PIL.Image.Image, format: str) -> PIL.Image.Image:
    """Convert the image to a color mode that every program reads; for JPEG, without
    transparency."""
    if image.mode.startswith("I"):  # the image has 16-bit grayscale
        image = image.convert("I").point(lambda value: value * (1 / 256))
        return image.convert("L")
    if not image.has_transparency_data:
        return image if image.mode in ("L", "RGB") else image.convert("RGB")
    clear = image.convert("RGBA")
    if format != "jpeg":
        return clear
    paper = PIL.Image.new("RGB", clear.size, "white")
    paper.paste(clear, mask=clear.getchannel("A"))
    return paper
