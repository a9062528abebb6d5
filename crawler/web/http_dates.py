"""Converts dates in headers to Unix time (RFC 6265 §5.1.1). No I/O, no clock.

The algorithm is lenient on purpose: it also accepts the three forms of an HTTP date
(RFC 9110 §5.6.7) and dates in real Set-Cookie headers.
"""

from __future__ import annotations

import re
from calendar import timegm
from datetime import date

from crawler.web.lazy_regex import lazy_regex

_TOKEN = lazy_regex(r"[^\x09\x20-\x2f\x3b-\x40\x5b-\x60\x7b-\x7e]+")
_TIME = lazy_regex(r"([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(?![0-9])")
_DAY = lazy_regex(r"([0-9]{1,2})(?![0-9])")
_MONTH = lazy_regex("jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec", re.I)
_YEAR = lazy_regex(r"([0-9]{2,4})(?![0-9])")
_MONTHS = "janfebmaraprmayjunjulaugsepoctnovdec"
_LONGEST = 256


def parse_date(text: str) -> float | None:
    """Return the seconds since 1970; None if the text is not a date. The time zone is
    ignored: UTC is assumed."""
    time = day = month = year = None
    for token in _TOKEN.findall(text[:_LONGEST]):
        if time is None and (found := _TIME.match(token)):
            time = int(found[1]), int(found[2]), int(found[3])
        elif day is None and (found := _DAY.match(token)):
            day = int(found[1])
        elif month is None and (found := _MONTH.match(token)):
            month = _MONTHS.index(found[0].lower()) // 3 + 1
        elif year is None and (found := _YEAR.match(token)):
            year = _full_year(int(found[1]))
    if time is None or day is None or month is None or year is None:
        return None
    return _seconds(year, month, day, time)


def _full_year(year: int) -> int:
    if 70 <= year <= 99:
        return year + 1900
    return year + 2000 if year <= 69 else year


def _seconds(
    year: int, month: int, day: int, time: tuple[int, int, int]
) -> float | None:
    hour, minute, second = time
    if year < 1601 or hour > 23 or minute > 59 or second > 59:
        return None
    try:
        date(year, month, day)
    except ValueError:  # the date does not exist, such as 31 February
        return None
    return float(timegm((year, month, day, hour, minute, second)))
