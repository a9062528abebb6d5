"""Sanitizes the values of `<input>` fields by type, as HTML says. No I/O."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from math import isfinite

_SPACE = "\t\n\f\r "
_NEWLINES = re.compile(r"\r\n?|\n")
_NUMBER = re.compile(r"-?(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
_LEADING = re.compile(r"[\t\n\f\r ]*\+?(\d+)", re.ASCII)
_COLOR = re.compile(r"#[0-9a-fA-F]{6}")
_MONTH = re.compile(r"(\d{4,9})-(\d\d)", re.ASCII)
_DATE = re.compile(r"(\d{4,9})-(\d\d)-(\d\d)", re.ASCII)
_WEEK = re.compile(r"(\d{4,9})-W(\d\d)", re.ASCII)
_TIME = re.compile(r"(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,3}))?)?", re.ASCII)
#: The calendar repeats after this many years.
_CYCLE = 400
_ONE_LINE = frozenset({"text", "search", "tel", "password", "url", "email"})
_TRIMMED = frozenset({"url", "email"})


def with_newlines(text: str, newline: str) -> str:
    """Return the text with all line breaks replaced by `newline`."""
    return _NEWLINES.sub(newline, text)


def leading_number(text: str | None) -> int:
    """Return the number at the start of an attribute's text, as HTML reads `size`; 0 if
    there is none."""
    found = _LEADING.match(text or "")
    return int(found[1][:9]) if found else 0


def sanitized(kind: str, value: str, attributes: Mapping[str, str | None]) -> str:
    """Return the value as an input of this type keeps it; "" if the input does not
    accept the value."""
    if kind in _ONE_LINE:
        value = value.replace("\r", "").replace("\n", "")
        if kind == "email" and "multiple" in attributes:
            return ",".join(each.strip(_SPACE) for each in value.split(","))
        return value.strip(_SPACE) if kind in _TRIMMED else value
    if kind == "range":
        return _range(value, attributes)
    if kind == "color":
        return value.lower() if _COLOR.fullmatch(value) else "#000000"
    if kind == "datetime-local":
        return _date_and_time(value)
    test = _TESTS.get(kind)
    return value if test is None or test(value) else ""


def takes(kind: str, value: str, attributes: Mapping[str, str | None]) -> bool:
    """Return whether a person could enter the value in an input of this type."""
    if kind == "color":
        return _COLOR.fullmatch(value) is not None
    if kind == "range":
        return _number(value) is not None
    return not value or bool(sanitized(kind, value, attributes))


def _is_number(value: str) -> bool:
    return _NUMBER.fullmatch(value) is not None and isfinite(float(value))


def _is_month(value: str) -> bool:
    found = _MONTH.fullmatch(value)
    return found is not None and int(found[1]) > 0 and 1 <= int(found[2]) <= 12


def _is_date(value: str) -> bool:
    found = _DATE.fullmatch(value)
    if found is None or not _is_month(value[: value.rindex("-")]):
        return False
    days = monthrange(_like_year(found[1]), int(found[2]))[1]
    return 1 <= int(found[3]) <= days


def _is_week(value: str) -> bool:
    found = _WEEK.fullmatch(value)
    if found is None or int(found[1]) < 1:
        return False
    # The 28th of December is always in the last week of the year.
    weeks = date(_like_year(found[1]), 12, 28).isocalendar().week
    return 1 <= int(found[2]) <= weeks


def _is_time(value: str) -> bool:
    found = _TIME.fullmatch(value)
    if found is None:
        return False
    return int(found[1]) < 24 and int(found[2]) < 60 and int(found[3] or 0) < 60


def _like_year(year: str) -> int:
    """Return a year that Python's `date` supports, with the same weekdays and leap day
    as the given year."""
    return int(year) % _CYCLE + _CYCLE


def _date_and_time(value: str) -> str:
    """Return a local date and time in the shortest form; "" if the value is invalid."""
    day, _, time = value.replace(" ", "T", 1).partition("T")
    if not _is_date(day) or not _is_time(time):
        return ""
    if "." in time:
        time = time.rstrip("0").removesuffix(".")
    return f"{day}T{time.removesuffix(':00') if time.count(':') > 1 else time}"


def _number(value: str | None) -> Decimal | None:
    if value is None or not _NUMBER.fullmatch(value):
        return None
    try:
        return Decimal(value)
    except InvalidOperation:
        return None


def _range(value: str, attributes: Mapping[str, str | None]) -> str:
    """Return the number that `<input type=range>` keeps: within its `min` and `max`, on
    a `step`."""
    least, most = _bounds(attributes)
    number = _number(value)
    if number is None:
        number = least if most < least else least + (most - least) / 2
    number = max(least, min(number, most))
    return _plain(_on_step(number, least, most, attributes))


def _bounds(attributes: Mapping[str, str | None]) -> tuple[Decimal, Decimal]:
    least, most = _number(attributes.get("min")), _number(attributes.get("max"))
    return (
        Decimal(0) if least is None else least,
        Decimal(100) if most is None else most,
    )


def _on_step(
    number: Decimal,
    least: Decimal,
    most: Decimal,
    attributes: Mapping[str, str | None],
) -> Decimal:
    given = attributes.get("step") or ""
    if given.lower() == "any" or most < least:
        return number
    step = _number(given)
    if step is None or step <= 0:
        step = Decimal(1)
    base = least if _number(attributes.get("min")) is not None else Decimal(0)
    if base == 0 and (own := _number(attributes.get("value"))) is not None:
        base = own if attributes.get("min") is None else base
    try:
        steps = ((number - base) / step).to_integral_value("ROUND_HALF_UP")
        on_step = base + steps * step
        while on_step > most:
            on_step -= step
        return on_step if on_step >= least else number
    except InvalidOperation:  # the numbers have too many digits for Decimal
        return number


def _plain(number: Decimal) -> str:
    text = f"{number:f}" if -7 < number.adjusted() < 21 else f"{number:e}"
    return text.rstrip("0").rstrip(".") if "." in text and "e" not in text else text


_TESTS = {
    "number": _is_number,
    "month": _is_month,
    "date": _is_date,
    "week": _is_week,
    "time": _is_time,
}
