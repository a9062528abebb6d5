"""Finds out the state of an unfinished run: running, stopped, or ended unexpectedly.

Rule: no lock is taken. A run counts as running if its process has recently written a
status to the store, or is alive on this machine.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass

from crawler.errors import StateError
from crawler.stats import FinishReason
from crawler.store.reading import Reader
from crawler.store.status import MAX_RUNTIME, Status

#: Seconds. A process on another machine that has written no status for longer counts as
#: ended.
SILENT = 10.0
#: Seconds for which a process on this machine may write no status and still count as
#: running. After that, its process number may belong to another process.
HELD_UP = 600.0


@dataclass(frozen=True, slots=True)
class Standing:
    """The state of an unfinished run.

    `status` is the last status that the run's process wrote to the store; None if it
    wrote none.
    """

    reason: FinishReason
    status: Status | None = None
    #: A remark for a person, shown after `reason`; "" if there is none.
    note: str = ""

    @property
    def is_at_work(self) -> bool:
        return self.reason is FinishReason.RUNNING


def standing(reader: Reader, job: str, number: int, now: float) -> Standing:
    """Return the state of an unfinished run. `now` is the time in Unix seconds."""
    try:
        status = reader.run(job, number).status()
    except StateError:  # the run is damaged, or no longer stored
        status = None
    if status is None:
        return Standing(FinishReason.INTERRUPTED)
    if not status.end:
        if not is_at_work(status, now):
            return Standing(FinishReason.KILLED, status)
        silent = now - status.time
        note = f"no status for {silent:.0f} s; the process may hang"
        note = note if silent > SILENT else ""
        return Standing(FinishReason.RUNNING, status, note)
    if status.end == MAX_RUNTIME:
        return Standing(FinishReason.INTERRUPTED, status, "max_runtime was reached")
    reason = FinishReason(status.end)
    if reason.is_complete:
        note = "failed pages were put back into the queue"
        return Standing(FinishReason.INTERRUPTED, status, note)
    return Standing(reason, status)


def is_at_work(status: Status, now: float) -> bool:
    """Return whether the process that wrote this status is still running.

    `now` is the time in Unix seconds.
    """
    silent = now - status.time
    if status.end or silent > HELD_UP:
        return False
    if status.machine == socket.gethostname():
        return _is_alive(status.process)
    return silent <= SILENT


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # the process exists, and belongs to another user
    return True
