"""Computes when jobs are due. Pure: no clock, no I/O; `now` is an argument.

Rule: each due time is handled once. The state stores the last handled due time, not the
time of the clock. So a clock that is set back repeats nothing. If a clock jumps ahead,
the missed times are counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Literal

import msgspec
from cronsim import CronSim, CronSimError

NICKNAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}

#: A due time that is handled later than this counts as missed.
LATE = timedelta(seconds=60)
#: Maximum number of missed times that are counted.
MAX_COUNTED = 1_000
#: A handled time further ahead than this came from a wrong clock and is ignored.
MAX_AHEAD = timedelta(days=1)


class Cron(msgspec.Struct, frozen=True):
    """A cron line of five fields, as Debian's cron reads it, in a time zone.

    A time that daylight saving skips is due at the next existing time. A time that
    comes twice is due once. A line with `*` for minutes or hours follows elapsed time.
    """

    text: str
    zone: tzinfo

    def after(self, moment: datetime) -> datetime | None:
        """The first due time after `moment`, in UTC; None: there is none."""
        found = next(self._from(moment.astimezone(self.zone)), None)
        return found and found.astimezone(UTC)

    def fields(self) -> CronSim:
        """Return the line's fields as sets of numbers."""
        return self._from(datetime.min.replace(tzinfo=UTC))

    def _from(self, moment: datetime) -> CronSim:
        return CronSim(self.text, moment)


def cron(text: str, zone: tzinfo, now: datetime) -> Cron:
    """The parsed cron line; ValueError says what is wrong with it."""
    line = NICKNAMES.get(text.strip().lower(), " ".join(text.split()))
    number = len(line.split())
    if number != 5:
        raise ValueError(
            f"a cron line has five fields (minute hour day month weekday), not {number}"
        )
    try:
        made = Cron(line, zone)
        is_ever = made.after(now) is not None
    except CronSimError as exc:
        raise ValueError(f"{str(exc).lower()} in the cron line") from exc
    if not is_ever:
        raise ValueError("no date ever matches this cron line")
    return made


class Timing(msgspec.Struct, frozen=True):
    """When a job is due, and whether missed due times are caught up."""

    cron: Cron
    catch_up: Literal["once", "skip"] = "once"


class Due(msgspec.Struct, frozen=True):
    """A job that is due now, with the number of missed times."""

    job: str
    #: The latest due time of the job.
    time: datetime
    #: Due times that were missed; if `is_run`, this one run replaces them.
    missed: int
    is_run: bool


class Timetable:
    """The next due time of each job, and the last one that was handled.

    `seen` has the due times that were handled last. A job that is not in it is new:
    it is first due at its next time.
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
        """The jobs that are due by `now`, the longest overdue first. Each due time is
        returned once."""
        ready = sorted((time, name) for name, time in self._next.items() if time <= now)
        return [self._handle(name, now) for _, name in ready]

    def _handle(self, name: str, now: datetime) -> Due:
        count, last = 0, self._next[name]
        time: datetime | None = last
        while time is not None and time <= now and count < MAX_COUNTED:
            last, count = time, count + 1
            time = self._timings[name].cron.after(time)
        is_late = now - last > LATE
        # After the highest count, skip all later missed times too.
        self.seen[name] = now if count == MAX_COUNTED else last
        self._plan(name)
        return Due(
            name,
            last,
            missed=count if is_late else count - 1,
            is_run=not is_late or self._timings[name].catch_up == "once",
        )
