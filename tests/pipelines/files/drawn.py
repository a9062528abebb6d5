"""Pictures that tests draw."""

from __future__ import annotations

import io
from typing import Any

import pytest

PIL = pytest.importorskip("PIL", reason="needs the extra images")
from PIL import Image  # noqa: E402

RED, BLUE = (200, 0, 0), (0, 0, 200)


def drawn(
    format: str = "PNG",
    size: tuple[int, int] = (60, 40),
    mode: str = "RGB",
    colour: Any = RED,
    **options: Any,
) -> bytes:
    """A picture of one colour; its left half is blue if it has colours."""
    image = Image.new(mode, size, colour)
    if mode == "RGB":
        image.paste(BLUE, (0, 0, size[0] // 2, size[1]))
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def turned(value: int, format: str = "JPEG") -> bytes:
    """A picture whose EXIF data say how it is turned."""
    exif = Image.Exif()
    exif[0x0112] = value
    exif[0x010F] = "Owner of a camera"
    return drawn(format, exif=exif)


def moving(format: str = "GIF") -> bytes:
    """Two pictures, one after the other."""
    frames = [Image.new("RGB", (30, 20), colour) for colour in (RED, BLUE)]
    buffer = io.BytesIO()
    frames[0].save(buffer, format, save_all=True, append_images=frames[1:])
    return buffer.getvalue()


def opened(content: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(content))
    image.load()
    return image


def png_that_claims(width: int, height: int) -> bytes:
    """A few bytes that say they are a picture of this size."""
    import struct
    import zlib

    def chunk(kind: bytes, body: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + check

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(1000))
    parts = [chunk(b"IHDR", head), chunk(b"IDAT", pixels), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)
