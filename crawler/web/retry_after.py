"""What a Retry-After field means in seconds (RFC 9110 §10.2.3). No I/O, no clock."""

from __future__ import annotations

import re

from crawler.web.http_dates import parse_date

_SECONDS = re.compile(r"[0-9]{1,18}(?:\.[0-9]{0,18})?")


def retry_after(value: str, now_wall: float) -> float | None:
    """How long to wait, never negative and not capped; None if it says nothing.

    Fractions are not in the standard, but servers send them ("1.0").
    """
    value = value.strip()
    if _SECONDS.fullmatch(value):
        return float(value)
    if value[:1].isalpha() and (moment := parse_date(value)) is not None:
        return max(0.0, moment - now_wall)
    return None
