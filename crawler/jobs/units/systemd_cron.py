"""Makes systemd units and crontab lines for jobs. No I/O.

Rule: a schedule keeps its meaning in the syntax of systemd or cron. A schedule that
this syntax cannot express raises ConfigError.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from cronsim import CronSim

from crawler.errors import ConfigError
from crawler.jobs.definition import CLOSING, Job

_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True)
class UnitPlace:
    """What systemd, cron or Kubernetes needs to start jobs, such as the command."""

    #: The folder of the project, in which the process runs.
    folder: str
    #: The command without the name of the job: `python -m crawler run`.
    command: Sequence[str]
    #: The setting `crawl.grace`, in seconds.
    grace: float
    #: The container image with the project; for Kubernetes.
    image: str = ""


def systemd(job: Job, place: UnitPlace) -> dict[str, str]:
    """Return the texts of the .service file and the .timer file, by file name."""
    limit = job.settings.max_runtime
    seconds = "infinity" if limit is None else longest(limit, place)
    words = " ".join(map(_quoted, [*place.command, job.name]))
    is_caught_up = job.settings.catch_up == "once"
    service = f"""\
[Unit]
Description=crawl run {job.name}
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
WorkingDirectory={_escaped(place.folder)}
ExecStart={words}
# max_runtime, the grace, and {CLOSING} s to close; then its processes are killed.
TimeoutStartSec={seconds}
TimeoutStopSec={closing(place)}
KillMode=mixed
"""
    times = "\n".join(f"OnCalendar={each}" for each in calendar(job))
    timer = f"""\
[Unit]
Description=When crawl run {job.name} is due: {_escaped(job.settings.schedule)}

[Timer]
{times}
# Whether one run replaces the due times missed while the machine was off.
Persistent={"true" if is_caught_up else "false"}
AccuracySec=1s

[Install]
WantedBy=timers.target
"""
    name = f"crawl-{job.name}"
    return {f"{name}.service": service, f"{name}.timer": timer}


def calendar(job: Job) -> Iterator[str]:
    """Yield the values of OnCalendar= for the schedule of a job.

    A cron line that means "the 13th or a Friday" needs two values, because one value
    cannot say "or". Raise ConfigError if systemd cannot express the schedule.
    """
    fields = fields_of(job)
    clock = f"{_set(fields.hours, 0, 23, 2)}:{_set(fields.minutes, 0, 59, 2)}:00"
    months = _set(fields.months, 1, 12, 2)
    zone = job.settings.timezone
    all_days, all_weekdays = is_any_day(fields), is_any_weekday(fields)
    days = _days(fields)
    weekdays = list(_weekdays(fields, job))
    if fields.day_and or all_days or all_weekdays:
        for weekday, limit in weekdays:
            if limit and not all_days:
                raise unsayable(
                    job,
                    "the schedule has both a numbered weekday, such as 5#2, and a day "
                    "of the month, which systemd does not support",
                )
            for day in [limit] if limit else days:
                yield f"{weekday}*-{months}{day} {clock} {zone}"
        return
    for day in days:
        yield f"*-{months}{day} {clock} {zone}"
    for weekday, limit in weekdays:
        yield f"{weekday}*-{months}{limit or '-*'} {clock} {zone}"


def cron_lines(jobs: Iterable[Job], place: UnitPlace) -> str:
    """Return the lines of a crontab, with the jobs grouped by time zone."""
    by_zone: dict[str, list[Job]] = {}
    for job in jobs:
        by_zone.setdefault(job.settings.timezone, []).append(job)
    lines = [
        "# Lines for `crontab -e`. cronie (Fedora, Arch, Alpine) reads CRON_TZ.",
        "# Debian's cron ignores it and uses the machine's own time zone.",
    ]
    for zone, jobs_there in by_zone.items():
        lines += ["", f"CRON_TZ={zone}"]
        lines += [_cron_line(job, place) for job in jobs_there]
    return "\n".join(lines) + "\n"


def _cron_line(job: Job, place: UnitPlace) -> str:
    refuse_extensions(job, "cron")
    assert job.cron is not None
    words = shlex.join([*place.command, job.name, "--quiet"])
    command = f"cd {shlex.quote(place.folder)} && {words}"
    # In a crontab a % that is not escaped ends the command.
    return f"{job.cron.text} {command}".replace("%", "\\%")


def fields_of(job: Job) -> CronSim:
    """Return the fields of the cron line of a job, as sets of numbers."""
    assert job.cron is not None
    return job.cron.fields()


def longest(max_runtime: float, place: UnitPlace) -> int:
    """Return the maximum duration of a process of a job, in seconds.

    It includes the time to stop after `max_runtime`.
    """
    return int(max_runtime + place.grace + CLOSING) + 1


def closing(place: UnitPlace) -> int:
    """Return the seconds that a job may take to stop after a signal."""
    return int(place.grace) + CLOSING


def is_any_day(fields: CronSim) -> bool:
    """Return whether every day of the month matches."""
    return set(range(1, 32)) <= set(fields.days)


def is_any_weekday(fields: CronSim) -> bool:
    """Return whether every day of the week matches."""
    return {day % 7 for day in fields.weekdays if isinstance(day, int)} == set(range(7))


def _days(fields: CronSim) -> list[str]:
    plain = {day for day in fields.days if day > 0}
    found = [f"-{_set(plain, 1, 31, 2)}"] if plain else []
    if CronSim.LAST in fields.days:
        found.append("~01")
    return found


def _weekdays(fields: CronSim, job: Job) -> Iterator[tuple[str, str]]:
    """Yield pairs: weekdays, and the days of the month to which they are limited.

    Weekdays and days are in the syntax of systemd; "" means all.
    """
    if CronSim.LAST_WEEKDAY in fields.days:
        raise unsayable(
            job,
            "the schedule has LW (the last weekday of a month), which systemd does not "
            "support; choose fixed days",
        )
    if is_any_weekday(fields):
        yield "", ""
        return
    plain = {(day - 1) % 7 for day in fields.weekdays if isinstance(day, int)}
    if plain:
        yield _weekday_set(plain) + " ", ""
    for each in fields.weekdays:
        if isinstance(each, int):
            continue
        weekday, which = each
        first = which * 7 - 6
        limit = "~07/1" if which == CronSim.LAST else f"-{first:02}..{first + 6:02}"
        if which == 5:
            limit = "-29..31"
        yield _WEEKDAYS[(weekday - 1) % 7] + " ", limit


def _weekday_set(days: set[int]) -> str:
    return ",".join(
        _WEEKDAYS[a] if a == b else f"{_WEEKDAYS[a]}..{_WEEKDAYS[b]}"
        for a, b in ranges(days)
    )


def _set(numbers: set[int], low: int, high: int, width: int) -> str:
    """Return numbers in the syntax of systemd: `*`, `03`, `01..05,09`."""
    if set(range(low, high + 1)) <= numbers:
        return "*"
    return ",".join(
        f"{a:0{width}}" if a == b else f"{a:0{width}}..{b:0{width}}"
        for a, b in ranges(numbers)
    )


def ranges(numbers: set[int]) -> list[tuple[int, int]]:
    """Return the numbers as ranges of consecutive numbers: pairs (first, last)."""
    found: list[tuple[int, int]] = []
    for number in sorted(numbers):
        if found and found[-1][1] == number - 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found


def refuse_extensions(job: Job, whom: str) -> None:
    """Raise ConfigError for a schedule with L, LW or #.

    These are extensions that plain cron does not support. `whom` is the name of the
    scheduler, for the message.
    """
    fields = fields_of(job)
    is_plain = all(isinstance(day, int) for day in fields.weekdays)
    if not is_plain or any(day < 0 for day in fields.days):
        raise unsayable(
            job, f"the schedule has L, LW or #, which {whom} does not support"
        )


def unsayable(job: Job, why: str) -> ConfigError:
    """Return the error for a schedule that another scheduler cannot express.

    `why` says what the scheduler, such as systemd, does not support.
    """
    schedule = job.settings.schedule
    return ConfigError(
        f"[jobs.{job.name}]: {why} (schedule = {schedule!r}); "
        "change the schedule, or run the job with crawl schedule"
    )


def _escaped(text: str) -> str:
    return text.replace("%", "%%")


def _quoted(word: str) -> str:
    """Return a word of a command as systemd's ExecStart= needs it: % and $ are escaped,
    and quotes are added if needed."""
    word = _escaped(word).replace("$", "$$")
    if re.fullmatch(r"[A-Za-z0-9_./:=@%+,-]+", word):
        return word
    quoted = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{quoted}"'
