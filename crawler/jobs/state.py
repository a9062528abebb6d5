"""Stores the state of the scheduler in the file `.schedule.json`, for its next start.

Rule: the file is replaced as a whole. Without the file no run is lost: each job is then
due at its next time, and missed times are not caught up.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import msgspec

from crawler.errors import StateError

logger = logging.getLogger(__name__)

#: The file with the state of the scheduler. The name begins with a dot, and the name of
#: a job never does, so no file of a job has this name.
STATE = ".schedule.json"
#: The file that a running scheduler locks, so that no second scheduler runs the jobs.
LOCK = ".schedule.lock"


class JobState(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What the scheduler stores about one job."""

    #: The schedule of the job when `seen` was stored.
    schedule: str
    #: The time zone of the schedule when `seen` was stored.
    timezone: str
    #: The last due time that was handled: the job was started, or this time skipped.
    seen: datetime
    #: When the last process of the job started.
    started: datetime | None = None
    #: When the last process of the job ended; None if it is running.
    ended: datetime | None = None
    #: The exit code of the last process of the job; None if it is unknown.
    exit_code: int | None = None
    #: A note for a person on the last due time or run, such as "skipped".
    note: str = ""
    #: Number of failed runs since the last good run.
    failures: int = 0


class Ledger:
    """The stored state of all jobs, written to `folder` after each change.

    `lines` has the schedule and the time zone of each job. If these have changed, only
    due times after `now` count.
    """

    def __init__(
        self, folder: Path, lines: Mapping[str, tuple[str, str]], now: datetime
    ) -> None:
        self._folder = folder
        before = read(folder)
        self._jobs: dict[str, JobState] = {}
        for name, (schedule, timezone) in lines.items():
            known = before.get(name)
            if known is None:
                known = JobState(schedule=schedule, timezone=timezone, seen=now)
            elif (known.schedule, known.timezone) != (schedule, timezone):
                known.schedule, known.timezone = schedule, timezone
                known.seen = now
            self._jobs[name] = known

    @property
    def seen(self) -> dict[str, datetime]:
        """The last handled due time of each job."""
        return {name: known.seen for name, known in self._jobs.items()}

    def handled(self, name: str, due: datetime, note: str) -> None:
        """Record that a due time of a job was handled, with a note for a person."""
        self._jobs[name].seen = due
        if note:
            self._jobs[name].note = note
        self.save()

    def began(self, name: str, since: datetime) -> None:
        """Record that a process of the job started at the time `since`."""
        self._jobs[name].started = since
        self.save()

    def ended(
        self, name: str, moment: datetime, code: int, note: str, *, is_bad: bool
    ) -> None:
        """Record that the process of the job ended at `moment`.

        `is_bad` says that the run counts as failed.
        """
        known = self._jobs[name]
        known.ended, known.exit_code, known.note = moment, code, note
        known.failures = 0 if code == 0 else known.failures + is_bad
        self.save()

    def save(self) -> None:
        """Write the state to disk. After a disk error only log a warning."""
        try:
            write(self._folder, self._jobs)
        except OSError as exc:
            logger.warning(
                "The file %s was not written: %s. The scheduler continues, and writes "
                "the file again at the next start or end of a job",
                self._folder / STATE,
                exc.strerror,
            )


def read(folder: Path) -> dict[str, JobState]:
    """Read the state of each job from `folder`; no file means no state.

    Raise StateError if the file cannot be read.
    """
    path = folder / STATE
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, JobState])
    except FileNotFoundError:
        return {}
    except (msgspec.DecodeError, OSError) as exc:
        raise StateError(
            f"The scheduler's state {path} cannot be read: {exc}. You can remove the "
            "file: each job then runs at its next due time, and missed due times "
            "are not caught up"
        ) from exc


def write(folder: Path, states: dict[str, JobState]) -> None:
    """Write the states of all jobs to the file in `folder`, durably and as a whole.

    Raise OSError if the file cannot be written.
    """
    path = folder / STATE
    part = path.with_name(STATE + ".part")
    with part.open("wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(states)))
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
