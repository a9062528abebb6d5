"""What a scheduler must know again when it is started anew: `.schedule.json`.

Rule: the file is whole or not there at all, and losing it loses no run: jobs are then
due at their next times.
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

#: The names begin with a dot, which no job's name does.
STATE = ".schedule.json"
LOCK = ".schedule.lock"


class JobState(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What a scheduler remembers of one job."""

    #: The lines by which `seen` was planned; others begin anew.
    schedule: str
    timezone: str
    #: The last due time that was dealt with.
    seen: datetime
    #: When the last process began and ended, and how.
    started: datetime | None = None
    ended: datetime | None = None
    exit_code: int | None = None
    #: What a person should know of the last due time, such as that it was skipped.
    note: str = ""
    #: Bad ends since the last good one.
    failures: int = 0


class Ledger:
    """What is remembered of all jobs, kept on the disk where it changes.

    A job whose times were planned by other lines begins anew at `now`.
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
        """The last due time of each job that was dealt with."""
        return {name: known.seen for name, known in self._jobs.items()}

    def dealt_with(self, name: str, due: datetime, note: str) -> None:
        """A due time is over; `note` says what a person should know of it."""
        self._jobs[name].seen = due
        if note:
            self._jobs[name].note = note
        self.save()

    def began(self, name: str, since: datetime) -> None:
        """A process of the job is at work."""
        self._jobs[name].started = since
        self.save()

    def ended(
        self, name: str, moment: datetime, code: int, note: str, *, is_bad: bool
    ) -> None:
        """The job's process has ended."""
        known = self._jobs[name]
        known.ended, known.exit_code, known.note = moment, code, note
        known.failures = 0 if code == 0 else known.failures + is_bad
        self.save()

    def save(self) -> None:
        """Write all of it; where the disk is full, the next change tries again."""
        try:
            write(self._folder, self._jobs)
        except OSError as exc:
            logger.warning("the schedule's state is not written: %s", exc.strerror)


def read(folder: Path) -> dict[str, JobState]:
    """What was written last; nothing where nothing was. StateError for a file that is
    no such thing."""
    path = folder / STATE
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, JobState])
    except FileNotFoundError:
        return {}
    except (msgspec.DecodeError, OSError) as exc:
        raise StateError(
            f"{path} cannot be read ({exc}); remove it to begin anew: jobs are then "
            "due at their next times"
        ) from exc


def write(folder: Path, states: dict[str, JobState]) -> None:
    """Keep `states`, durably; OSError where the disk does not let us."""
    path = folder / STATE
    part = path.with_name(STATE + ".part")
    with part.open("wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(states)))
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
