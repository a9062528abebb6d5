"""How an unfinished run stands: at work, stopped, or ended without a word.

Rule: readers take no lock. A run is at work if its process has left a status lately, or
is alive on this machine.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass

from crawler.errors import StateError
from crawler.stats import FinishReason
from crawler.store.reading import Reader
from crawler.store.status import MAX_RUNTIME, Status

#: A process on another machine that has been silent for longer has ended.
SILENT = 10.0
#: A process on this machine may be held up for so long; after that its number may
#: belong to another process.
HELD_UP = 600.0


@dataclass(frozen=True, slots=True)
class Standing:
    """How a run stands; `status` None: its process has left none."""

    reason: FinishReason
    status: Status | None = None
    #: What is to be said beside the reason.
    note: str = ""

    @property
    def is_at_work(self) -> bool:
        return self.reason is FinishReason.RUNNING


def standing(reader: Reader, job: str, number: int, now: float) -> Standing:
    """How an unfinished run stands; `now` is the wall clock."""
    try:
        status = reader.run(job, number).status()
    except StateError:  # damaged, or not kept
        status = None
    if status is None:
        return Standing(FinishReason.INTERRUPTED)
    if not status.end:
        if not is_at_work(status, now):
            return Standing(FinishReason.KILLED, status)
        silent = now - status.time
        note = f"it has been silent for {silent:.0f} s" if silent > SILENT else ""
        return Standing(FinishReason.RUNNING, status, note)
    if status.end == MAX_RUNTIME:
        return Standing(FinishReason.INTERRUPTED, status, "max_runtime was over")
    reason = FinishReason(status.end)
    if reason.is_complete:
        note = "failed pages were put back"
        return Standing(FinishReason.INTERRUPTED, status, note)
    return Standing(reason, status)


def is_at_work(status: Status, now: float) -> bool:
    """Whether the process that left this status is at work."""
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
        return True  # another user's
    return True
