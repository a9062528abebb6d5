"""When jobs are due. Pure: no clock, no I/O; `now` comes in as an argument.

Rule: each due time is dealt with once. What was dealt with is remembered as a due time,
not as the time at which somebody woke up, so that a clock that is set back repeats
nothing, and one that jumps ahead leaves out nothing without a word.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Literal

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

#: Seconds after which a due time is not being kept any more, but was missed.
LATE = timedelta(seconds=60)
#: Missed times that are counted one by one.
MAX_COUNTED = 1_000
#: A clock that was ahead by more than this was wrong: what it saw is forgotten.
MAX_AHEAD = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Cron:
    """A cron line of five fields, as Debian's cron reads it, in a time zone.

    A time that daylight saving skips is due at the next one that exists; one that
    comes twice is due once; a line with `*` for minutes or hours follows real time.
    """

    text: str
    zone: tzinfo

    def after(self, moment: datetime) -> datetime | None:
        """The first due time after `moment`, in UTC; None: there is none."""
        found = next(self._from(moment.astimezone(self.zone)), None)
        return found and found.astimezone(UTC)

    def fields(self) -> CronSim:
        """The line's fields as sets of numbers."""
        return self._from(datetime.min.replace(tzinfo=UTC))

    def _from(self, moment: datetime) -> CronSim:
        return CronSim(self.text, moment)


def cron(text: str, zone: tzinfo, now: datetime) -> Cron:
    """What a cron line means; ValueError with what is wrong where it means nothing."""
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
        raise ValueError("this cron line names a day that never comes")
    return made


@dataclass(frozen=True, slots=True)
class Timing:
    """When a job is due, and what happens to due times that were missed."""

    cron: Cron
    catch_up: Literal["once", "skip"] = "once"


@dataclass(frozen=True, slots=True)
class Due:
    """A job whose time has come."""

    job: str
    #: The latest of the due times.
    time: datetime
    #: Due times that nobody kept; with `is_run`, the run stands for them as well.
    missed: int
    is_run: bool


class Timetable:
    """The due times of all jobs, and those that were dealt with.

    `seen` is what was dealt with before; a job that is not in it is new, and is first
    due at its next time.
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
        """When anything is due next; None: never again."""
        return min(self._next.values(), default=None)

    def due(self, now: datetime) -> list[Due]:
        """The jobs that are due by `now`, those that wait longest first; each due
        time is named once."""
        ready = sorted((time, name) for name, time in self._next.items() if time <= now)
        return [self._deal_with(name, now) for _, name in ready]

    def _deal_with(self, name: str, now: datetime) -> Due:
        count, last = 0, self._next[name]
        time: datetime | None = last
        while time is not None and time <= now and count < MAX_COUNTED:
            last, count = time, count + 1
            time = self._timings[name].cron.after(time)
        is_late = now - last > LATE
        # Where counting was given up, all that is left of it is over, too.
        self.seen[name] = now if count == MAX_COUNTED else last
        self._plan(name)
        return Due(
            name,
            last,
            missed=count if is_late else count - 1,
            is_run=not is_late or self._timings[name].catch_up == "once",
        )
