from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("PIL", reason="needs the extra images")

from PIL import Image as pillow

from crawler.pipelines.files.image_values import (
    FORMATS,
    ImageLimits,
    SeenImage,
    UnfitImage,
    WantedCopy,
)
from crawler.pipelines.files.pictures import look, make_copies
from tests.pipelines.files.drawn import (
    BLUE,
    RED,
    drawn,
    moving,
    opened,
    png_that_claims,
    turned,
)

ALL = ImageLimits()


def reason_of(content: bytes, limits: ImageLimits = ALL) -> tuple[str, str]:
    with pytest.raises(UnfitImage) as caught:
        make_copies(content, limits, [WantedCopy()])
    return caught.value.reason, caught.value.detail


@pytest.mark.parametrize(
    ("format", "own"),
    [
        ("PNG", "png"),
        ("JPEG", "jpeg"),
        ("WEBP", "webp"),
        ("GIF", "png"),
        ("BMP", "png"),
        ("TIFF", "png"),
    ],
)
def test_the_header_contains_size_and_format(format: str, own: str) -> None:
    content = drawn(format)

    assert look(content, ALL) == SeenImage(60, 40, own)
    (copy,) = make_copies(content, ALL, [WantedCopy()])
    assert opened(copy.content).format == own.upper()


def is_near(found: object, colour: tuple[int, int, int]) -> bool:
    assert isinstance(found, tuple)
    return all(abs(one - other) < 40 for one, other in zip(found, colour, strict=True))


@pytest.mark.parametrize("format", FORMATS)
def test_a_copy_fits_its_box_and_keeps_its_colours(format: str) -> None:
    copies = make_copies(
        drawn(), ALL, [WantedCopy((30, 30), format), WantedCopy((500, 500), format)]
    )

    assert [(copy.width, copy.height) for copy in copies] == [(30, 20), (60, 40)]
    small = opened(copies[0].content).convert("RGB")
    assert small.size == (30, 20)
    assert is_near(small.getpixel((5, 10)), BLUE)
    assert is_near(small.getpixel((25, 10)), RED)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize(
    ("value", "blue_at"),
    [(1, "left"), (3, "right"), (6, "top"), (8, "bottom"), (5, "top"), (2, "right")],
)
def test_an_image_is_rotated_by_its_exif_data(
    format: str, value: int, blue_at: str
) -> None:
    content = turned(value, format)
    size = (40, 60) if blue_at in ("top", "bottom") else (60, 40)

    seen = look(content, ALL)
    (copy,) = make_copies(content, ALL, [WantedCopy()])

    assert (seen.width, seen.height) == (copy.width, copy.height) == size
    image = opened(copy.content).convert("RGB")
    width, height = size
    middle = {
        "left": (width // 4, height // 2),
        "right": (width * 3 // 4, height // 2),
        "top": (width // 2, height // 4),
        "bottom": (width // 2, height * 3 // 4),
    }
    assert is_near(image.getpixel(middle[blue_at]), BLUE)


@pytest.mark.parametrize("format", FORMATS)
def test_a_copy_contains_no_camera_metadata(format: str) -> None:
    (copy,) = make_copies(turned(6), ALL, [WantedCopy(None, format)])

    assert not opened(copy.content).getexif()
    assert b"Owner" not in copy.content


@pytest.mark.parametrize(
    ("mode", "colour"),
    [
        ("1", 1),
        ("L", 90),
        ("LA", (90, 128)),
        ("P", 3),
        ("RGBA", (200, 0, 0, 0)),
        ("I;16", 40_000),
    ],
)
@pytest.mark.parametrize("format", FORMATS)
def test_every_pixel_format_can_be_copied(
    mode: str, colour: object, format: str
) -> None:
    content = drawn("PNG", mode=mode, colour=colour)

    (copy,) = make_copies(content, ALL, [WantedCopy((20, 20), format)])

    assert opened(copy.content).size == (20, 13)


def test_transparent_pixels_become_white_in_a_jpeg() -> None:
    content = drawn("PNG", mode="RGBA", colour=(200, 0, 0, 0))

    (jpeg, png) = make_copies(
        content, ALL, [WantedCopy(None, "jpeg"), WantedCopy(None, "png")]
    )

    assert opened(jpeg.content).getpixel((5, 5)) == (255, 255, 255)
    assert opened(png.content).getpixel((5, 5)) == (200, 0, 0, 0)


def test_cmyk_colours_are_converted_to_rgb() -> None:
    content = drawn("JPEG", mode="CMYK", colour=(0, 255, 255, 0))

    (copy,) = make_copies(content, ALL, [WantedCopy()])

    assert opened(copy.content).mode == "RGB"


def test_sixteen_bit_grey_keeps_its_brightness() -> None:
    content = drawn("PNG", mode="I;16", colour=128 * 256)

    (copy,) = make_copies(content, ALL, [WantedCopy(None, "png")])

    assert opened(copy.content).getpixel((5, 5)) == 128


@pytest.mark.parametrize(
    ("width", "height"), [(9_000, 9_000), (60_000, 60_000), (2**31 - 1, 2**31 - 1)]
)
def test_a_decompression_bomb_is_rejected_before_it_is_decoded(
    width: int, height: int
) -> None:
    reason, detail = reason_of(png_that_claims(width, height))

    assert reason == "bomb"
    assert "pixels" in detail


def test_the_limit_on_pixels_is_exact() -> None:
    look(drawn(), ImageLimits(max_pixels=2400))

    assert reason_of(drawn(), ImageLimits(max_pixels=2399)) == (
        "bomb",
        "the image has 60 x 40 pixels, more than Images(max_pixels=2399) allows",
    )


@pytest.mark.parametrize("limits", [ImageLimits(61), ImageLimits(0, 41)])
def test_an_image_below_the_minimum_size_is_rejected(limits: ImageLimits) -> None:
    assert reason_of(drawn(), limits) == (
        "too_small",
        "the image has 60 x 40 pixels, less than min_width or min_height of Images",
    )
    look(drawn(), ImageLimits(60, 40))


def test_sizes_are_those_of_the_rotated_image() -> None:
    look(turned(6), ImageLimits(min_height=60))

    assert reason_of(turned(6), ImageLimits(min_width=60))[0] == "too_small"


@pytest.mark.parametrize("format", ["GIF", "PNG", "WEBP"])
def test_an_animated_image_is_its_first_frame_or_is_rejected(format: str) -> None:
    content = moving(format)

    (copy,) = make_copies(content, ALL, [WantedCopy(None, "png")])
    assert is_near(opened(copy.content).convert("RGB").getpixel((5, 5)), RED)

    assert reason_of(content, ImageLimits(animated=False))[0] == "animated"
    look(drawn(format), ImageLimits(animated=False))


def test_pages_of_a_tiff_are_not_an_animation() -> None:
    look(moving("TIFF"), ImageLimits(animated=False))


@pytest.mark.parametrize("format", ["GIF", "JPEG", "PNG", "TIFF", "WEBP", "BMP"])
def test_half_an_image_is_reported_as_truncated(format: str) -> None:
    noise = pillow.effect_noise((80, 80), 90).convert("RGB")
    buffer = io.BytesIO()
    noise.save(buffer, format)
    content = buffer.getvalue()

    reason, detail = reason_of(content[: len(content) // 2])

    assert reason in ("truncated", "decode_error")
    assert detail


@pytest.mark.parametrize("format", ["JPEG", "PNG", "BMP"])
def test_an_image_without_its_end_is_truncated(format: str) -> None:
    noise = pillow.effect_noise((80, 80), 90).convert("RGB")
    buffer = io.BytesIO()
    noise.save(buffer, format)
    content = buffer.getvalue()

    assert reason_of(content[: len(content) * 2 // 3])[0] == "truncated"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    ],
)
def test_a_file_that_is_not_an_image_is_unwanted(content: bytes) -> None:
    reason, detail = reason_of(content)

    assert reason == "unwanted_type"
    assert "JPEG" in detail


@pytest.mark.parametrize("size", [40, 100, 150])
def test_a_jpeg_cut_within_its_header_is_truncated(size: int) -> None:
    assert reason_of(drawn("JPEG")[:size])[0] == "truncated"


@pytest.mark.parametrize("format", ["PNG", "GIF", "JPEG", "WEBP", "BMP", "TIFF"])
def test_a_header_without_data_is_damaged(format: str) -> None:
    assert reason_of(drawn(format)[:16])[0] in ("decode_error", "truncated")


@given(st.sampled_from(["GIF", "JPEG", "PNG", "WEBP", "TIFF", "BMP"]), st.data())
@settings(max_examples=150, deadline=None)
def test_no_damage_raises_an_unexpected_error(format: str, data: st.DataObject) -> None:
    content = bytearray(drawn(format))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(content)))

    try:
        copies = make_copies(bytes(content[:cut]), ALL, [WantedCopy((9, 9))])
    except UnfitImage:
        return

    assert opened(copies[0].content).width <= 9
