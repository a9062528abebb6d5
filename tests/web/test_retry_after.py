"""Retry-After: seconds, dates and invalid values."""

from __future__ import annotations

import pytest

from crawler.web.retry_after import retry_after

#: Sun, 06 Nov 1994 08:49:37 GMT
THEN = 784111777.0


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        (" 7 ", 7.0),
        ("1.0", 1.0),
        ("1000000000000", 1e12),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 60.0),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 60.0),
        ("Sun Nov  6 08:49:37 1994", 60.0),
        ("Sat, 05 Nov 1994 08:49:37 GMT", 0.0),
        ("", None),
        ("-1", None),
        ("soon", None),
        ("1e3", None),
        ("nan", None),
        ("inf", None),
        ("\u0661\u0662", None),
        ("9" * 400, None),
        ("Sun, 99 Nov 1994", None),
    ],
)
def test_retry_after_is_a_number_of_seconds_from_now_or_none(
    value: str, seconds: float | None
) -> None:
    assert retry_after(value, THEN - 60.0) == seconds
