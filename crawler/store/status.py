"""Where a run stands: the value that a process at work leaves for readers.

Rule: a status is for people. Nothing that a run must know again stands in it.
"""

from __future__ import annotations

import msgspec

#: `Status.end` of a process whose time was over: see `max_runtime` of jobs.
MAX_RUNTIME = "max_runtime"


class RestingHost(msgspec.Struct, frozen=True):
    """A host that is not asked for a while."""

    host: str
    #: Until when, in seconds of the wall clock.
    until: float
    #: Why, as a clause for a person: "it answers 429 or 503".
    why: str


class Status(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a run stood at one moment; the last one that was written counts."""

    #: The moment, in seconds of the wall clock.
    time: float
    #: Seconds that the run has taken, in earlier processes too.
    seconds: float = 0.0
    #: Pages a second and bytes a second, over the last seconds.
    rate: float = 0.0
    byte_rate: float = 0.0
    #: Hosts that were asked by this process, and those that are being asked.
    hosts: int = 0
    busy_hosts: int = 0
    connections: int = 0
    #: Hosts that are not asked for a while, the next one first; the first few.
    resting: tuple[RestingHost, ...] = ()
    #: The process, and the machine that it runs on.
    process: int = 0
    machine: str = ""
    #: Why the process has left the run: a FinishReason, or MAX_RUNTIME. "": it has not.
    end: str = ""
