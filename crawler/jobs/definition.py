"""[jobs.NAME] of the project's settings: what runs, when, how well, and who is told.

Rule: a job that is written wrongly is one error with its place; the others stand.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import Any, Literal

from crawler import settings as layers
from crawler.errors import ConfigError
from crawler.jobs import timetable, zones
from crawler.settings import Layer, Seconds, Section

#: A job's name names files, units and containers.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_PLACE = re.compile(r"\{([^{}]*)\}")
#: What an output's name may hold in braces.
PLACES = ("job", "date", "run", "type")


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
    #: Times that were missed while no scheduler ran: one run for them all, or none.
    catch_up: Literal["once", "skip"] = "once"
    #: What happens at a due time while the job still runs.
    overlap: Literal["skip", "queue"] = "skip"
    #: Where items go; {job}, {date} and {run} are filled in.
    output: str | tuple[str, ...] = ()
    #: The longest that a process may take; what is left is for the next run.
    max_runtime: Seconds | None = None
    #: More failures than this among all pages make a run a bad one.
    max_error_rate: float | None = None
    #: Fewer items than this make a run a bad one.
    min_items: int = 0
    #: How often a run that crashed or was a bad one is tried again.
    retries: int = 0
    #: The pause before that; it doubles.
    retry_wait: Seconds = Seconds(60)
    #: A command, or a URL, that is given the summary of a run that went well.
    on_finish: str | tuple[str, ...] = ()
    #: The same for a run that did not.
    on_failure: str | tuple[str, ...] = ()


@dataclass(frozen=True)
class Job:
    """A job that can be run."""

    name: str
    settings: JobSettings
    zone: tzinfo
    #: None: it is run by hand, or by another scheduler.
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
        """Its settings, to rank after the spider's own."""
        return Layer(f"[jobs.{self.name}.settings]", self.settings.settings)

    def timing(self) -> timetable.Timing:
        """When it is due; only for a job that has a schedule."""
        assert self.cron is not None
        return timetable.Timing(self.cron, self.settings.catch_up)


@dataclass(frozen=True)
class Broken:
    """A job that is written wrongly."""

    name: str
    error: ConfigError
    #: Who wants to know, as far as that can be read.
    on_failure: str | tuple[str, ...] = ()


@dataclass(frozen=True)
class Jobs:
    """All jobs of a project."""

    sound: dict[str, Job] = field(default_factory=dict)
    broken: dict[str, Broken] = field(default_factory=dict)

    def __contains__(self, name: object) -> bool:
        return name in self.sound or name in self.broken

    def find(self, name: str) -> Job | None:
        """The job of that name, None where there is none; ConfigError where it is
        written wrongly."""
        if name in self.broken:
            raise self.broken[name].error
        return self.sound.get(name)

    def scheduled(self) -> dict[str, Job]:
        """Those that have a schedule."""
        return {name: job for name, job in self.sound.items() if job.cron is not None}


def jobs_of(layer: Layer, now: datetime) -> Jobs:
    """The jobs that a project's file describes."""
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
            f"{source}: [{place}]: a job's name is made of letters, digits, and - _ . "
            "inside of it, for it names files"
        )
    if not isinstance(values, Mapping):
        raise ConfigError(f"{source}: {place} must be a table, [{place}]")
    read = {
        key: layers.settled(JobSettings, place, key, value, source)
        for key, value in values.items()
    }
    settings = layers.converted(JobSettings, read)
    try:
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
            raise ValueError(f"output {output!r}: {{{unknown[0]}}} is none of {known}")
    if settings.max_error_rate is not None and settings.max_error_rate > 1:
        raise ValueError("max_error_rate is a share, such as 0.05")
    for name in ("on_finish", "on_failure"):
        _check_hook(name, getattr(settings, name))


def _check_hook(name: str, hook: str | Iterable[str]) -> None:
    if isinstance(hook, str) and hook and not re.match(r"https?://", hook):
        raise ValueError(
            f'{name} = {hook!r}: write a command as a list, ["mail-it", "-v"], and a '
            "webhook as its URL"
        )


def _on_failure(values: object) -> str | tuple[str, ...]:
    """Whom a broken job would have told, as far as that can be read."""
    hook = values.get("on_failure", ()) if isinstance(values, Mapping) else ()
    if isinstance(hook, list) and all(isinstance(each, str) for each in hook):
        return tuple(hook)
    is_url = isinstance(hook, str) and re.match(r"https?://", hook)
    return hook if isinstance(hook, str) and is_url else ()
