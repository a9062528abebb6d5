"""Computes when jobs are due. No clock and no I/O: the current time is an argument.

Rule: each due time is handled once. The last handled due time is stored, not the time
of the clock. So a job is not repeated if the clock is set back. If the clock jumps
ahead, the due times in between count as missed, and the `catch_up` of the job decides
whether it runs for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Literal

import msgspec
from cronsim import CronSim, CronSimError

#: Names for cron lines, as cron has them.
NICKNAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}

#: A due time counts as missed if it is handled more than this time after it was due.
LATE = timedelta(seconds=60)
#: Maximum number of missed due times of a job that are counted.
MAX_COUNTED = 1_000
#: A stored due time that is further in the future was stored while the clock was wrong,
#: and is ignored.
MAX_AHEAD = timedelta(days=1)


class Cron(msgspec.Struct, frozen=True):
    """A cron line of five fields in a time zone, with the meaning of Debian's cron.

    When daylight saving begins, a time that the clock skips is due at the next time
    that exists. When daylight saving ends, a time that occurs twice is due once. But a
    line with `*` for minutes or hours follows elapsed time.
    """

    text: str
    zone: tzinfo

    def after(self, moment: datetime) -> datetime | None:
        """Return the first due time after `moment`, in UTC; None if there is none."""
        found = next(self._from(moment.astimezone(self.zone)), None)
        return found and found.astimezone(UTC)

    def fields(self) -> CronSim:
        """Return the parsed cron line, which has each field as a set of numbers."""
        return self._from(datetime.min.replace(tzinfo=UTC))

    def _from(self, moment: datetime) -> CronSim:
        return CronSim(self.text, moment)


def cron(text: str, zone: tzinfo, now: datetime) -> Cron:
    """Parse a cron line, or a name such as @daily.

    Raise ValueError if the line is invalid or matches no time after `now`.
    """
    line = NICKNAMES.get(text.strip().lower(), " ".join(text.split()))
    number = len(line.split())
    if number != 5:
        raise ValueError(
            "a cron line has five fields (minute hour day month weekday), but "
            f"{line!r} has {number}"
        )
    try:
        made = Cron(line, zone)
        is_ever = made.after(now) is not None
    except CronSimError as exc:
        why = str(exc).lower()
        raise ValueError(f"the cron line {line!r} is not valid: {why}") from exc
    if not is_ever:
        raise ValueError(
            f"the cron line {line!r} matches no date; change its day or month"
        )
    return made


class Timing(msgspec.Struct, frozen=True):
    """When a job is due, and what happens after missed due times.

    If `catch_up` is "once", one run replaces all missed times; if it is "skip", no run
    does.
    """

    cron: Cron
    catch_up: Literal["once", "skip"] = "once"


class Due(msgspec.Struct, frozen=True):
    """A job that is due now, with the number of its missed due times."""

    job: str
    #: The latest of the due times that have passed.
    time: datetime
    #: Number of due times that were missed.
    missed: int
    #: Whether the job must run now; this run also replaces the runs that were missed.
    is_run: bool


class Timetable:
    """The next due time of each job, and the last due time that was handled.

    `seen` has the last handled due time of each job, as it was stored. A job that is
    not in `seen` is new; only due times after `now` count for it.
    """

    def __init__(
        self,
        timings: Mapping[str, Timing],
        seen: Mapping[str, datetime],
        now: datetime,
    ) -> None:
        self._timings = timings
        self.seen = {name: self._begin(seen.get(name), now) for name in timings}
        self._next: dict[str, datetime] = {}
        for name in timings:
            self._plan(name)

    def _begin(self, seen: datetime | None, now: datetime) -> datetime:
        return now if seen is None or seen > now + MAX_AHEAD else seen

    def _plan(self, name: str) -> None:
        time = self._timings[name].cron.after(self.seen[name])
        if time is None:
            self._next.pop(name, None)
        else:
            self._next[name] = time

    def next(self) -> datetime | None:
        """Return the next due time of any job; None if no job is due again."""
        return min(self._next.values(), default=None)

    def due(self, now: datetime) -> list[Due]:
        """Return the jobs that are due by `now`, the longest overdue first.

        Their due times count as handled and are not returned again.
        """
        ready = sorted((time, name) for name, time in self._next.items() if time <= now)
        return [self._handle(name, now) for _, name in ready]

    def _handle(self, name: str, now: datetime) -> Due:
        count, last = 0, self._next[name]
        time: datetime | None = last
        while time is not None and time <= now and count < MAX_COUNTED:
            last, count = time, count + 1
            time = self._timings[name].cron.after(time)
        is_late = now - last > LATE
        # If more than MAX_COUNTED times were missed, the later ones count as handled,
        # too.
        self.seen[name] = now if count == MAX_COUNTED else last
        self._plan(name)
        return Due(
            name,
            last,
            missed=count if is_late else count - 1,
            is_run=not is_late or self._timings[name].catch_up == "once",
        )
