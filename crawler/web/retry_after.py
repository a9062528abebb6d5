"""Converts a Retry-After header to seconds (RFC 9110 §10.2.3). No I/O, no clock."""

from __future__ import annotations

from crawler.web.http_dates import parse_date
from crawler.web.lazy_regex import lazy_regex

_SECONDS = lazy_regex(r"[0-9]{1,18}(?:\.[0-9]{0,18})?")


def retry_after(value: str, now_wall: float) -> float | None:
    """Return the seconds to wait, not negative and without a limit; None if the header
    is invalid.

    RFC 9110 does not allow fractions ("1.0"), but servers send them.
    """
    value = value.strip()
    if _SECONDS.fullmatch(value):
        return float(value)
    if value[:1].isalpha() and (moment := parse_date(value)) is not None:
        return max(0.0, moment - now_wall)
    return None
