"""What other schedulers need to run a job: systemd units, cron lines, CronJobs. Pure.

Rule: whatever the other side reads in another way than cron is said so that it means
the same, or refused with the reason.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from cronsim import CronSim

from crawler.errors import ConfigError
from crawler.jobs.definition import Job

#: Seconds beyond max_runtime and grace in which a job closes and tells.
CLOSING = 30

_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True)
class Place:
    """Where and how a job is run."""

    #: The project's folder.
    folder: str
    #: What comes before the job's name: `python -m crawler.cli run`.
    command: Sequence[str]
    grace: float
    image: str = ""


def systemd(job: Job, place: Place) -> dict[str, str]:
    """A service and a timer, by the names of their files."""
    longest = job.settings.max_runtime
    seconds = "infinity" if longest is None else _whole(longest, place)
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
# max_runtime, the grace, and {CLOSING} s to close; then all that is left is killed.
TimeoutStartSec={seconds}
TimeoutStopSec={_closing(place)}
KillMode=mixed
"""
    times = "\n".join(f"OnCalendar={each}" for each in calendar(job))
    timer = f"""\
[Unit]
Description=When crawl run {job.name} is due: {_escaped(job.settings.schedule)}

[Timer]
{times}
# After the machine was off, one run for all that was missed.
Persistent={"true" if is_caught_up else "false"}
AccuracySec=1s

[Install]
WantedBy=timers.target
"""
    name = f"crawl-{job.name}"
    return {f"{name}.service": service, f"{name}.timer": timer}


def calendar(job: Job) -> Iterator[str]:
    """The job's times as systemd's OnCalendar= says them; two lines where cron means
    `the 13th or a Friday`, for which systemd has no word."""
    fields = _fields(job)
    clock = f"{_set(fields.hours, 0, 23, 2)}:{_set(fields.minutes, 0, 59, 2)}:00"
    months = _set(fields.months, 1, 12, 2)
    zone = job.settings.timezone
    all_days, all_weekdays = _is_any_day(fields), _is_any_weekday(fields)
    days = _days(fields)
    weekdays = list(_weekdays(fields, job))
    if fields.day_and or all_days or all_weekdays:
        for weekday, limit in weekdays:
            if limit and not all_days:
                raise _unsayable(job, "systemd", "a weekday's number and a day")
            for day in [limit] if limit else days:
                yield f"{weekday}*-{months}{day} {clock} {zone}"
        return
    for day in days:
        yield f"*-{months}{day} {clock} {zone}"
    for weekday, limit in weekdays:
        yield f"{weekday}*-{months}{limit or '-*'} {clock} {zone}"


def cron_lines(jobs: Iterable[Job], place: Place) -> str:
    """A crontab: each time zone, and the lines of its jobs."""
    by_zone: dict[str, list[Job]] = {}
    for job in jobs:
        by_zone.setdefault(job.settings.timezone, []).append(job)
    lines = [
        "# Lines for `crontab -e`. CRON_TZ is read by cronie (Fedora, Arch, Alpine's",
        "# too); Debian's cron takes no notice of it: there the machine's own zone is",
        "# the one that counts.",
    ]
    for zone, jobs_there in by_zone.items():
        lines += ["", f"CRON_TZ={zone}"]
        lines += [_cron_line(job, place) for job in jobs_there]
    return "\n".join(lines) + "\n"


def _cron_line(job: Job, place: Place) -> str:
    _refuse_extensions(job, "cron")
    assert job.cron is not None
    words = shlex.join([*place.command, job.name, "--quiet"])
    command = f"cd {shlex.quote(place.folder)} && {words}"
    # In a crontab a bare % ends the command.
    return f"{job.cron.text} {command}".replace("%", "\\%")


def cron_job(job: Job, place: Place) -> dict[str, Any]:
    """A Kubernetes CronJob (batch/v1); the state is kept on a claimed volume."""
    name = _dns_name(job.name)
    longest = job.settings.max_runtime
    job_spec: dict[str, Any] = {
        "backoffLimit": 0,  # the job tries again by itself
        "template": {"spec": _pod(job, place, name)},
    }
    if longest is not None:
        job_spec["activeDeadlineSeconds"] = _whole(longest, place)
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": name},
        "spec": {
            "schedule": _plain_cron(job),
            "timeZone": _zone_name(job),
            # Another run of a job that is at work would end at its lock.
            "concurrencyPolicy": "Forbid",
            "startingDeadlineSeconds": _deadline(job),
            "jobTemplate": {"spec": job_spec},
        },
    }


def _pod(job: Job, place: Place, name: str) -> dict[str, Any]:
    container = {
        "name": "crawl",
        "image": place.image,
        "workingDir": "/project",
        "command": ["crawl", "run", job.name, "--log-format", "json"],
        "volumeMounts": [
            {"name": "state", "mountPath": "/project/.crawl", "subPath": ".crawl"},
            {"name": "state", "mountPath": "/project/out", "subPath": "out"},
        ],
    }
    return {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": _closing(place),
        "containers": [container],
        "volumes": [
            {"name": "state", "persistentVolumeClaim": {"claimName": f"{name}-state"}}
        ],
    }


def claim(job: Job) -> dict[str, Any]:
    """The volume that a job's CronJob keeps its state on."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": f"{_dns_name(job.name)}-state"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "10Gi"}},
        },
    }


def yaml(documents: Iterable[dict[str, Any]]) -> str:
    """Documents of YAML; scalars as JSON, which is YAML too."""
    return "---\n".join("\n".join(_yaml(each, 0)) + "\n" for each in documents)


def _yaml(value: dict[str, Any], depth: int) -> Iterator[str]:
    indent = "  " * depth
    for key, item in value.items():
        if isinstance(item, dict):
            yield f"{indent}{key}:"
            yield from _yaml(item, depth + 1)
        elif isinstance(item, list) and item and isinstance(item[0], dict):
            yield f"{indent}{key}:"
            for each in item:
                first, *rest = _yaml(each, depth + 2)
                yield f"{indent}  - {first.strip()}"
                yield from rest
        else:
            yield f"{indent}{key}: {json.dumps(item)}"


def _fields(job: Job) -> CronSim:
    assert job.cron is not None
    return job.cron.fields()


def _whole(longest: float, place: Place) -> int:
    return int(longest + place.grace + CLOSING) + 1


def _closing(place: Place) -> int:
    return int(place.grace) + CLOSING


def _is_any_day(fields: CronSim) -> bool:
    return set(range(1, 32)) <= set(fields.days)


def _is_any_weekday(fields: CronSim) -> bool:
    return {day % 7 for day in fields.weekdays if isinstance(day, int)} == set(range(7))


def _days(fields: CronSim) -> list[str]:
    plain = {day for day in fields.days if day > 0}
    found = [f"-{_set(plain, 1, 31, 2)}"] if plain else []
    if CronSim.LAST in fields.days:
        found.append("~01")
    return found


def _weekdays(fields: CronSim, job: Job) -> Iterator[tuple[str, str]]:
    """Weekdays, each with the days of the month that limit it."""
    if CronSim.LAST_WEEKDAY in fields.days:
        raise _unsayable(job, "systemd", "the last weekday of a month")
    if _is_any_weekday(fields):
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
        for a, b in _ranges(days)
    )


def _set(numbers: set[int], low: int, high: int, width: int) -> str:
    """Numbers as systemd writes them: `*`, `03`, `01..05,09`."""
    if set(range(low, high + 1)) <= numbers:
        return "*"
    return ",".join(
        f"{a:0{width}}" if a == b else f"{a:0{width}}..{b:0{width}}"
        for a, b in _ranges(numbers)
    )


def _ranges(numbers: set[int]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for number in sorted(numbers):
        if found and found[-1][1] == number - 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found


def _plain_cron(job: Job) -> str:
    """The line for Kubernetes, whose Sunday is 0 alone and which knows no `L`."""
    _refuse_extensions(job, "Kubernetes")
    fields = _fields(job)
    is_stepped = fields.day_and and not (_is_any_day(fields) or _is_any_weekday(fields))
    if is_stepped:
        raise _unsayable(job, "Kubernetes", "a day and a weekday at once")
    weekdays = {day % 7 for day in fields.weekdays if isinstance(day, int)}
    return " ".join(
        [
            _cron_set(fields.minutes, 0, 59),
            _cron_set(fields.hours, 0, 23),
            _cron_set(fields.days, 1, 31),
            _cron_set(fields.months, 1, 12),
            _cron_set(weekdays, 0, 6),
        ]
    )


def _cron_set(numbers: set[int], low: int, high: int) -> str:
    if set(range(low, high + 1)) <= numbers:
        return "*"
    return ",".join(f"{a}" if a == b else f"{a}-{b}" for a, b in _ranges(numbers))


def _refuse_extensions(job: Job, whom: str) -> None:
    fields = _fields(job)
    is_plain = all(isinstance(day, int) for day in fields.weekdays)
    if not is_plain or any(day < 0 for day in fields.days):
        raise _unsayable(job, whom, "L, LW and #")


def _unsayable(job: Job, whom: str, what: str) -> ConfigError:
    return ConfigError(
        f"[jobs.{job.name}]: {whom} cannot say {what} ({job.settings.schedule!r}); "
        "crawl schedule can"
    )


def _zone_name(job: Job) -> str:
    zone = job.settings.timezone
    return "Etc/UTC" if zone == "UTC" else zone


def _deadline(job: Job) -> int:
    """Seconds after which Kubernetes gives a due time up."""
    is_kept = job.settings.catch_up == "once" or job.settings.overlap == "queue"
    return 43_200 if is_kept else 60


def _dns_name(name: str) -> str:
    """A name as Kubernetes takes it: small letters, digits and `-`, 52 at most."""
    found = re.sub(r"[^a-z0-9]+", "-", name.lower())
    return f"crawl-{found}"[:46].strip("-")


def _escaped(text: str) -> str:
    return text.replace("%", "%%")


def _quoted(word: str) -> str:
    """A word of ExecStart=, where % and $ mean something."""
    word = _escaped(word).replace("$", "$$")
    if re.fullmatch(r"[A-Za-z0-9_./:=@%+,-]+", word):
        return word
    quoted = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{quoted}"'
