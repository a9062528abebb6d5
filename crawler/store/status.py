"""The status of a run, which a working process writes for readers.

Rule: a status is only for people. A resumed run needs nothing in it.
"""

from __future__ import annotations

import msgspec

#: `Status.end` of a process that was stopped by the `max_runtime` of its job.
MAX_RUNTIME = "max_runtime"


class RestingHost(msgspec.Struct, frozen=True):
    """A host to which no requests are sent for now, and why."""

    host: str
    #: The end of the pause, in wall-clock seconds.
    until: float
    #: Why the host is paused, as a clause for a person: "it answers 429 or 503".
    why: str


class Status(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The state of a run at one moment; only the last written status counts."""

    #: The time of the status, in wall-clock seconds.
    time: float
    #: Seconds that the run has taken, including earlier processes.
    seconds: float = 0.0
    #: Pages a second, over the last few seconds.
    rate: float = 0.0
    #: Received bytes a second, over the last few seconds.
    byte_rate: float = 0.0
    #: Number of hosts that received requests from this process.
    hosts: int = 0
    #: Number of hosts with requests in flight.
    busy_hosts: int = 0
    connections: int = 0
    #: The first few paused hosts, the earliest end first.
    resting: tuple[RestingHost, ...] = ()
    #: Process ID of the process that wrote the status.
    process: int = 0
    #: Name of the machine on which that process runs.
    machine: str = ""
    #: Why the process has left the run: a FinishReason, or MAX_RUNTIME. "": the process
    #: has not left the run.
    end: str = ""
