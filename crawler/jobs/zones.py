"""Time zones by name."""

from __future__ import annotations

import difflib
from datetime import UTC, tzinfo
from zoneinfo import ZoneInfo, available_timezones


def zone(name: str) -> tzinfo:
    """The time zone of that name; ValueError with what to do where there is none."""
    if name in ("UTC", "Etc/UTC"):
        return UTC  # is there even where no time zones are installed
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(_unknown(name)) from None


def _unknown(name: str) -> str:
    names = available_timezones()
    if not names:
        return (
            f"time zone {name!r} is not known, for none are installed here; install "
            "them: pip install tzdata, or the package tzdata of the system"
        )
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    hint = f"did you mean {near[0]!r}?" if near else "write it as Europe/Berlin"
    return f"time zone {name!r} is not known; {hint}"
