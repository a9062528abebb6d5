"""[jobs.NAME] of the project's settings: spider, schedule, bounds and hooks of a job.

Rule: an invalid job is one error with its place; the other jobs stay valid.
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
#: The placeholders that an output's name may have.
PLACES = ("job", "date", "run", "type")


# Over 12 attributes: a plain value with one field for each key of [jobs.NAME].
class JobSettings(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[jobs.NAME]: a spider that runs at its times, or by `crawl run NAME`."""

    #: The spider's name, or its file path.py[:Class]; by default the job's name.
    spider: str = ""
    #: Arguments of the spider.
    args: dict[str, Any] = {}
    #: Settings of this job, by section.
    settings: dict[str, dict[str, Any]] = {}
    #: When it runs: a cron line (minute hour day month weekday), or @daily.
    schedule: str = ""
    #: The time zone of `schedule`, and of {date}.
    timezone: str = "UTC"
    #: After due times were missed: one run for all of them, or none.
    catch_up: Literal["once", "skip"] = "once"
    #: If a job is due while it runs: skip this time, or run once more afterwards.
    overlap: Literal["skip", "queue"] = "skip"
    #: Where items go; {job}, {date} and {run} are replaced.
    output: str | tuple[str, ...] = ()
    #: Seconds that one process may take; then it stops, and the next one resumes.
    max_runtime: Seconds | None = None
    #: The highest share of failed pages in a good run.
    max_error_rate: float | None = None
    #: The fewest items in a good run.
    min_items: int = 0
    #: How often a crashed or bad run is retried.
    retries: int = 0
    #: The pause before the first retry; it doubles each time.
    retry_wait: Seconds = Seconds(60)
    #: A command or a URL that receives the summary of a good run.
    on_finish: str | tuple[str, ...] = ()
    #: A command or a URL that receives the summary of any other run.
    on_failure: str | tuple[str, ...] = ()


class Job(msgspec.Struct, frozen=True):
    """A valid job of the project."""

    name: str
    settings: JobSettings
    zone: tzinfo
    #: The schedule; None if only a person or another scheduler starts the job.
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
        """The job's settings; they override the spider's own."""
        return Layer(f"[jobs.{self.name}.settings]", self.settings.settings)

    def timing(self) -> timetable.Timing:
        """The job's due times; only for a job with a schedule."""
        assert self.cron is not None
        return timetable.Timing(self.cron, self.settings.catch_up)


class Broken(msgspec.Struct, frozen=True):
    """An invalid job."""

    name: str
    error: ConfigError
    #: The `on_failure` hook of the invalid job, if it can be read.
    on_failure: str | tuple[str, ...] = ()


class Jobs(msgspec.Struct, frozen=True):
    """All jobs of a project."""

    sound: dict[str, Job] = msgspec.field(default_factory=dict)
    broken: dict[str, Broken] = msgspec.field(default_factory=dict)

    def __contains__(self, name: object) -> bool:
        return name in self.sound or name in self.broken

    def find(self, name: str) -> Job | None:
        """The job of that name, or None; ConfigError if the job is invalid."""
        if name in self.broken:
            raise self.broken[name].error
        return self.sound.get(name)

    def scheduled(self) -> dict[str, Job]:
        """The jobs that have a schedule."""
        return {name: job for name, job in self.sound.items() if job.cron is not None}


def jobs_of(layer: Layer, now: datetime) -> Jobs:
    """Return the jobs of a project's file."""
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
            f"{source}: [{place}]: name the job with letters, digits, and - _ . "
            "after the first; the name is used for files"
        )
    if not isinstance(values, Mapping):
        raise ConfigError(f"{source}: {place} must be a table: write [{place}]")
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
        raise ConfigError(f"{source}: [{place}]: {exc}") from exc
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
                f"output {output!r}: {{{unknown[0]}}} is not a placeholder; use {known}"
            )
    if settings.max_error_rate is not None and settings.max_error_rate > 1:
        raise ValueError("max_error_rate must be a share from 0 to 1, such as 0.05")
    for name in ("on_finish", "on_failure"):
        _check_hook(name, getattr(settings, name))


def _check_hook(name: str, hook: str | Iterable[str]) -> None:
    if isinstance(hook, str) and hook and not re.match(r"https?://", hook):
        raise ValueError(
            f'{name} = {hook!r}: write a command as a list, ["mail-it", "-v"], and a '
            "webhook as its URL"
        )


def _on_failure(values: object) -> str | tuple[str, ...]:
    """The `on_failure` of an invalid job, if it can be read."""
    hook = values.get("on_failure", ()) if isinstance(values, Mapping) else ()
    if isinstance(hook, list) and all(isinstance(each, str) for each in hook):
        return tuple(hook)
    is_url = isinstance(hook, str) and re.match(r"https?://", hook)
    return hook if isinstance(hook, str) and is_url else ()
