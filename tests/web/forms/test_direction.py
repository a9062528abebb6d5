"""The direction of a field (HTML 3.2.6.4)."""

import pytest

from crawler.web.forms.direction import Directions, sends_direction
from tests.web.forms.pages import controls

HEBREW = "\u05d0"


@pytest.mark.parametrize(
    ("html", "direction"),
    [
        ("<input>", "ltr"),
        ("<input dir=rtl>", "rtl"),
        ("<input dir=RTL>", "rtl"),
        (f"<input dir=auto value='1 {HEBREW}a'>", "rtl"),
        (f"<input dir=auto value='a{HEBREW}'>", "ltr"),
        ("<input dir=auto value=''>", "ltr"),
        ("<div dir=rtl><input></div>", "rtl"),
        ("<div dir=rtl><input type=tel></div>", "ltr"),
        ("<div dir=rtl><p dir=ltr><input></p></div>", "ltr"),
        ("<div dir=rtl><p dir=x><input></p></div>", "rtl"),
        (f"<div dir=auto><b>{HEBREW}</b><input></div>", "rtl"),
        (f"<div dir=auto><bdi>{HEBREW}</bdi>a<input></div>", "ltr"),
        (f"<div dir=auto><b dir=ltr>a</b>{HEBREW}<input></div>", "rtl"),
        (f"<div dir=rtl><bdi>a{HEBREW}<input></bdi></div>", "ltr"),
        (f"<div dir=auto><script>a</script>{HEBREW}<input></div>", "rtl"),
    ],
)
def test_the_direction_comes_from_the_field_or_its_ancestors(
    html: str, direction: str
) -> None:
    (field,) = controls(f"<form>{html}</form>")

    assert Directions().of(field) == direction


@pytest.mark.parametrize(
    ("html", "is_sent"),
    [
        ("<input dirname=d>", True),
        ("<input type=email dirname=d>", True),
        ("<input type=hidden dirname=d>", True),
        ("<textarea dirname=d></textarea>", True),
        ("<input type=date dirname=d>", False),
        ("<select dirname=d></select>", False),
        ("<input dirname>", False),
    ],
)
def test_only_text_fields_send_their_direction(html: str, is_sent: bool) -> None:
    (field,) = controls(f"<form>{html}</form>")

    assert sends_direction(field) is is_sent


def test_the_ancestors_of_many_fields_are_examined_once() -> None:
    many = "<input dirname=d>" * 3
    inner = f"<div dir=auto>{HEBREW}{many}</div>"
    fields = controls(f"<form><div dir=rtl>{many}{inner}</div>{many}</form>")
    directions = Directions()

    found = [directions.of(field) for field in fields]

    assert found == ["rtl"] * 6 + ["ltr"] * 3
