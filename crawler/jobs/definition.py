"""Reads the tables [jobs.NAME] of config.toml: the spider, schedule, limits and hooks
of a job.

Rule: an invalid job gives one error that names its table in config.toml. The other jobs
stay valid.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any, Literal

import msgspec

from crawler import settings as layers
from crawler.errors import ConfigError
from crawler.jobs import timetable
from crawler.settings import Layer, Seconds, Section

#: A job's name becomes the name of files, systemd units and containers.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_PLACE = re.compile(r"\{([^{}]*)\}")
#: The placeholders that an output's name may contain, such as {job}.
PLACES = ("job", "date", "run", "type")
#: Seconds that a job has, after `crawl.grace`, to close its files and call its hooks.
CLOSING = 30


# This class has over 12 attributes, because it is a plain value with one field for each
# key of [jobs.NAME].
class JobSettings(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The keys of [jobs.NAME]: a spider that runs on a schedule, or by `crawl run
    NAME`."""

    #: The spider's name, or its file path.py[:Class]; by default the job's name.
    spider: str = ""
    #: Arguments of the spider, by name.
    args: dict[str, Any] = {}
    #: Settings of this job, by section.
    settings: dict[str, dict[str, Any]] = {}
    #: When the job runs: a cron line (minute hour day month weekday), or @daily.
    schedule: str = ""
    #: The time zone of `schedule`, and of {date}.
    timezone: str = "UTC"
    #: What happens after due times that were missed, as while the machine was off:
    #: "once" is one run for all of them, "skip" is no run.
    catch_up: Literal["once", "skip"] = "once"
    #: If the job is due while it is running: "skip" skips this time, "queue" runs the
    #: job once more afterwards.
    overlap: Literal["skip", "queue"] = "skip"
    #: Files or URLs for items; {job}, {date}, {run} and {type} in them are replaced.
    output: str | tuple[str, ...] = ()
    #: Seconds that one process of the job may take. Then the process stops, and the
    #: next one resumes the run.
    max_runtime: Seconds | None = None
    #: The largest share of failed pages, from 0 to 1, that a good run may have.
    max_error_rate: float | None = None
    #: The smallest number of items that a good run may have.
    min_items: int = 0
    #: Maximum number of retries of a run that crashed or did not meet a limit, such as
    #: `min_items`.
    retries: int = 0
    #: Seconds before the first retry. The pause doubles with each retry.
    retry_wait: Seconds = Seconds(60)
    #: A command or a URL that receives the summary of a good run.
    on_finish: str | tuple[str, ...] = ()
    #: A command or a URL that receives the summary of a run that was not good.
    on_failure: str | tuple[str, ...] = ()


class Job(msgspec.Struct, frozen=True):
    """A job of config.toml whose table is valid."""

    name: str
    settings: JobSettings
    zone: tzinfo
    #: The schedule; None if the job has none.
    cron: timetable.Cron | None

    @property
    def spider(self) -> str:
        return self.settings.spider or self.name

    @property
    def outputs(self) -> tuple[str, ...]:
        output = self.settings.output
        return (output,) if isinstance(output, str) else output

    @property
    def layer(self) -> Layer:
        """The settings of the job, which override those of the spider."""
        return Layer(f"[jobs.{self.name}.settings]", self.settings.settings)

    def timing(self) -> timetable.Timing:
        """Return the due times of the job, which must have a schedule."""
        assert self.cron is not None
        return timetable.Timing(self.cron, self.settings.catch_up)


class Broken(msgspec.Struct, frozen=True):
    """A job of config.toml whose table is invalid."""

    name: str
    error: ConfigError
    #: The `on_failure` hook of the invalid job, if it can be read.
    on_failure: str | tuple[str, ...] = ()


class Jobs(msgspec.Struct, frozen=True):
    """All jobs of a project: valid ones (`sound`) and invalid ones (`broken`)."""

    sound: dict[str, Job] = msgspec.field(default_factory=dict)
    broken: dict[str, Broken] = msgspec.field(default_factory=dict)

    def __contains__(self, name: object) -> bool:
        return name in self.sound or name in self.broken

    def find(self, name: str) -> Job | None:
        """Return the job with this name; None if there is none. Raise ConfigError if
        the job is invalid."""
        if name in self.broken:
            raise self.broken[name].error
        return self.sound.get(name)

    def scheduled(self) -> dict[str, Job]:
        """Return the valid jobs that have a schedule, by name."""
        return {name: job for name, job in self.sound.items() if job.cron is not None}


def jobs_of(layer: Layer, now: datetime) -> Jobs:
    """Return the jobs of config.toml; `layer` has the content of this file.

    A job whose cron line matches no time after `now` is invalid.
    """
    jobs = Jobs()
    for name, values in layer.jobs.items():
        try:
            jobs.sound[name] = _job(name, values, layer.source, now)
        except ConfigError as exc:
            jobs.broken[name] = Broken(name, exc, _on_failure(values))
    return jobs


def _job(name: str, values: object, source: str, now: datetime) -> Job:
    place = f"jobs.{name}"
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"{source}: the table [{place}]: the job's name {name!r} cannot name a "
            "file; begin the name with a letter or digit, then use letters, digits, "
            "- _ and ."
        )
    if not isinstance(values, Mapping):
        raise ConfigError(
            f"{source}: {place} is not a table; write the job's keys below [{place}]"
        )
    read = {
        key: layers.settled(JobSettings, place, key, value, source)
        for key, value in values.items()
    }
    settings = layers.converted(JobSettings, read)
    try:
        zone: tzinfo = UTC
        if settings.timezone != "UTC":
            from crawler.jobs import zones

            zone = zones.zone(settings.timezone)
        schedule = settings.schedule
        cron = timetable.cron(schedule, zone, now) if schedule.strip() else None
        _check(settings)
    except ValueError as exc:
        raise ConfigError(f"{source}: the table [{place}] is not valid: {exc}") from exc
    job = Job(name, settings, zone, cron)
    layers.build([job.layer])
    return job


def _check(settings: JobSettings) -> None:
    outputs = settings.output
    for output in (outputs,) if isinstance(outputs, str) else outputs:
        unknown = [name for name in _PLACE.findall(output) if name not in PLACES]
        if unknown:
            known = ", ".join(f"{{{name}}}" for name in PLACES)
            raise ValueError(
                f"output = {output!r}: {{{unknown[0]}}} is not a placeholder; the "
                f"placeholders are {known}"
            )
    rate = settings.max_error_rate
    if rate is not None and rate > 1:
        raise ValueError(
            f"max_error_rate = {rate} is over 1; give a share of failed pages from 0 "
            "to 1, such as 0.05"
        )
    for name in ("on_finish", "on_failure"):
        _check_hook(name, getattr(settings, name))


def _check_hook(name: str, hook: str | Iterable[str]) -> None:
    if isinstance(hook, str) and hook and not re.match(r"https?://", hook):
        raise ValueError(
            f"{name} = {hook!r} is neither a list nor a URL; write a command as a "
            'list, such as ["mail-it", "-v"], and a webhook as its URL'
        )


def _on_failure(values: object) -> str | tuple[str, ...]:
    """Return the `on_failure` hook of an invalid job; () if it cannot be read."""
    hook = values.get("on_failure", ()) if isinstance(values, Mapping) else ()
    if isinstance(hook, list) and all(isinstance(each, str) for each in hook):
        return tuple(hook)
    is_url = isinstance(hook, str) and re.match(r"https?://", hook)
    return hook if isinstance(hook, str) and is_url else ()
