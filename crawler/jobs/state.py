"""What a scheduler must know again when it is started anew: `.schedule.json`.

Rule: the file is whole or not there at all, and losing it loses no run: jobs are then
due at their next times.
"""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

import msgspec

from crawler.errors import StateError

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
