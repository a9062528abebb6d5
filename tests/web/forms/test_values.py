"""Values of inputs by their types (HTML 4.10.5.1)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.web.forms.values import sanitized, takes, with_newlines

KINDS = ["text", "url", "email", "number", "range", "color", "date", "month", "week"]
KINDS += ["time", "datetime-local", "hidden", "tel"]


@pytest.mark.parametrize(
    ("kind", "given_value", "kept"),
    [
        ("text", " a\r\nb ", " ab "),
        ("hidden", "a\nb", "a\nb"),
        ("url", "\thttp://x \n", "http://x"),
        ("email", " a@b , c@d ", "a@b , c@d"),
        ("number", "1e3", "1e3"),
        ("number", "-.5", "-.5"),
        ("number", "+1", ""),
        ("number", "1.", ""),
        ("number", " 1", ""),
        ("number", "1,5", ""),
        ("number", "Infinity", ""),
        ("number", "1e308", "1e308"),
        ("number", "1e309", ""),
        ("number", "\u0661", ""),
        ("date", "2024-02-29", "2024-02-29"),
        ("date", "2023-02-29", ""),
        ("date", "0000-01-01", ""),
        ("date", "12026-12-31", "12026-12-31"),
        ("date", "2026-1-1", ""),
        ("month", "2026-12", "2026-12"),
        ("month", "2026-13", ""),
        ("week", "2026-W53", "2026-W53"),
        ("week", "2025-W53", ""),
        ("week", "2025-W00", ""),
        ("time", "23:59", "23:59"),
        ("time", "23:59:59.123", "23:59:59.123"),
        ("time", "24:00", ""),
        ("time", "12:00:00.1234", ""),
        ("datetime-local", "2026-01-02 03:04:00", "2026-01-02T03:04"),
        ("datetime-local", "2026-01-02T03:04:05.100", "2026-01-02T03:04:05.1"),
        ("datetime-local", "2026-01-02T03:04:00.000", "2026-01-02T03:04"),
        ("datetime-local", "2026-01-02", ""),
        ("color", "#ABCDEF", "#abcdef"),
        ("color", "#abc", "#000000"),
    ],
)
def test_an_invalid_value_of_an_input_becomes_empty(
    kind: str, given_value: str, kept: str
) -> None:
    assert sanitized(kind, given_value, {}) == kept


@pytest.mark.parametrize(
    ("attributes", "value", "kept"),
    [
        ({}, "", "50"),
        ({}, "x", "50"),
        ({}, "7.4", "7"),
        ({}, "7.5", "8"),
        ({}, "-3", "0"),
        ({}, "300", "100"),
        ({"min": "10", "max": "20"}, "", "15"),
        ({"min": "5", "max": "2"}, "9", "5"),
        ({"step": "any"}, "7.25", "7.25"),
        ({"step": "0.5"}, "7.3", "7.5"),
        ({"min": "1", "step": "10"}, "100", "91"),
        ({"step": "-2"}, "7.4", "7"),
        ({"min": "0", "max": "1", "step": "0.1"}, "", "0.5"),
    ],
)
def test_a_range_keeps_a_number_on_a_step_within_its_limits(
    attributes: dict[str, str | None], value: str, kept: str
) -> None:
    assert sanitized("range", value, attributes) == kept


def test_several_email_addresses_are_trimmed() -> None:
    assert sanitized("email", " a@b , c@d ", {"multiple": None}) == "a@b,c@d"


def test_all_kinds_of_line_breaks_become_one_kind() -> None:
    assert with_newlines("a\r\nb\nc\rd\n\re", "|") == "a|b|c|d||e"


@given(st.sampled_from(KINDS), st.text(max_size=20))
def test_sanitizing_twice_changes_nothing(kind: str, value: str) -> None:
    kept = sanitized(kind, value, {})

    assert sanitized(kind, kept, {}) == kept
    assert takes(kind, kept, {})
