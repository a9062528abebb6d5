"""Formats numbers for the HTML report: 12 ms, 1.2 MB, +12 %."""

from __future__ import annotations

import math


def number(amount: float) -> str:
    """Return a number without decimals, with separators: `1,234`."""
    return f"{amount:,.0f}"


def decimal(amount: float) -> str:
    """Return a number with one decimal place: `1,234.5`."""
    return f"{amount:,.1f}"


def duration(seconds: float) -> str:
    """Return a duration as `12 ms`, `1.2 s`, `5:02 min` or `1:05 h`."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02} h" if hours else f"{minute}:{second:02} min"


def size(amount: float) -> str:
    """Return a number of bytes as `12 B` or `1.2 MB`."""
    if amount < 1:
        return "0 B"
    power = min(int(math.log10(amount) // 3), 4)
    unit = ("B", "kB", "MB", "GB", "TB")[power]
    return f"{amount / 1000**power:.1f} {unit}" if power else f"{amount:.0f} {unit}"


def percent(share: float) -> str:
    """Return a share, from 0 to 1, as percent: `12.5 %`.

    A share below 0.1 % or above 99.9 % is not rounded to 0 % or 100 %.
    """
    if 0 < share < 0.001:
        return "< 0.1 %"
    if 0.999 < share < 1:
        return "> 99.9 %"
    return f"{share:.1%}".replace(".0%", "%").replace("%", " %")


def change(now: float, before: float) -> str:
    """Return how `now` differs from `before`: `+12 %`, `×15`, `new` or `=`."""
    if now == before:
        return "="
    if not before:
        return "new"
    ratio = now / before
    if ratio >= 10:
        return f"×{ratio:,.0f}"
    sign = "+" if ratio > 1 else "−"
    return (
        f"{sign} < 0.1 %" if abs(ratio - 1) < 0.001 else sign + percent(abs(ratio - 1))
    )
