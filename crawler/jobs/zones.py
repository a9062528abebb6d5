"""Finds time zones by their IANA names."""

from __future__ import annotations

from datetime import UTC, tzinfo
from zoneinfo import ZoneInfo, available_timezones

from crawler.errors.nearest_name import nearest_name


def zone(name: str) -> tzinfo:
    """Return the time zone with this name, such as Europe/Berlin.

    Raise ValueError, with a hint for a person, if the name is unknown.
    """
    if name in ("UTC", "Etc/UTC"):
        return UTC  # UTC works even if no time zones are installed
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(_unknown(name)) from None


def _unknown(name: str) -> str:
    names = available_timezones()
    if not names:
        return (
            f"the time zone {name!r} is not known, because this system has no time "
            "zones; install them: pip install tzdata, or the system's package tzdata"
        )
    near = nearest_name(name, names)
    hint = f"did you mean {near!r}?" if near else "write a name like Europe/Berlin"
    return f"the time zone {name!r} is not known; {hint}"
