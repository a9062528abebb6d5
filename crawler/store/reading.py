"""The protocols by which stored runs are read, also while a crawl writes them.

    reader = open_reader(settings.storage)
    for record in reader.runs("books"):
        print(record.number, record.reason)
    for row in reader.run("books").items():
        print(row.body)

Rule: reading takes no lock and changes nothing. Iterators read step by step, so a log
of millions of rows is never in memory as a whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import msgspec

from crawler.stats import Counters
from crawler.store.base import Explanation, Facts, ItemRow, State
from crawler.store.status import Status


class RunRecord(msgspec.Struct, frozen=True):
    """A line of the job's history. If `finished` is None, the run can be resumed."""

    number: int
    spider: str
    #: The spider's arguments as JSON.
    arguments: str
    started: float
    finished: float | None
    reason: str
    seconds: float
    counters: Counters
    #: The version of the spider's code in this run; "" if unknown, as for a run with
    #: only one process.
    code: str = ""
    #: The time since which the run uses this version of the code, in Unix seconds.
    code_since: float = 0.0
    #: The [politeness] settings of a shared run, as JSON; "" if unknown.
    politeness: str = ""


class Visit(msgspec.Struct, frozen=True):
    """One attempt at one page, from the page log."""

    page: int
    #: The time of the attempt, in wall-clock seconds.
    time: float
    state: State
    reason: str
    detail: str
    status: int
    #: Seconds from the request to the end of the body.
    elapsed: float
    received: int
    url: str
    host: str
    #: The fingerprint of the page with the link to this one; 0 for a start URL.
    parent: int


class Changes(msgspec.Struct, frozen=True):
    """How the items of a run differ from those of an earlier run, as counts."""

    new: int
    gone: int
    changed: int
    same: int
    #: Changed items as JSON, before and now; only the first 1000 of them.
    pairs: tuple[tuple[bytes, bytes], ...] = ()


class RunWorker(msgspec.Struct, frozen=True):
    """A process that works on a run, with what the process has recorded about
    itself."""

    machine: str
    process: int
    is_leader: bool = True
    #: Number of shards (groups of sites) that the process owns; 0: the process owns
    #: all.
    shards: int = 0
    #: Number of pages that the process has committed.
    pages: int = 0
    #: Seconds until the process's lease on the run ends; None if the store needs no
    #: lease.
    lease: float | None = None
    #: The last status that the process wrote.
    status: Status | None = None


class RunReader(Protocol):
    """The data of one run, finished or not. Methods raise StateError if the data
    cannot be read."""

    @property
    def number(self) -> int:
        """The run's number; a job counts its runs from 1."""
        ...

    def facts(self) -> Facts:
        """Return the facts that a resumed run needs, such as its scope."""
        ...

    def workers(self) -> list[RunWorker]:
        """Return the processes that work on the run, the leading one first."""
        ...

    def status(self) -> Status | None:
        """Return the last status that a process wrote; None if there is none."""
        ...

    def explain(self, fingerprint: int) -> Explanation | None:
        """Return all that the run knows of one URL; None for an unknown URL."""
        ...

    def requests_of(self, url: str) -> list[tuple[int, str, int]]:
        """Return all requests for a URL, in order: (fingerprint, method, body size)."""
        ...

    def page_items(self, fingerprint: int, limit: int) -> list[ItemRow]:
        """Return the first items that one page yielded, in order."""
        ...

    def items(self, after: int = 0) -> Iterator[ItemRow]:
        """Yield the items in order, from the one after sequence number `after`.

        Items that a running crawl adds meanwhile are included.
        """
        ...

    def last_item(self) -> int:
        """Return the sequence number of the last item so far; 0 if there is none."""
        ...

    def sample(self, limit: int) -> Iterator[bytes]:
        """Yield at most `limit` items as JSON, spread evenly over the run."""
        ...

    def changes(self, before: RunReader) -> Changes | None:
        """Return how the items differ from those of run `before` in the same store;
        None if a run has too many items to compare."""
        ...

    def visits(self) -> Iterator[Visit]:
        """Yield the lines of the page log in order: all attempts at all pages."""
        ...

    def url_of(self, fingerprint: int) -> str:
        """Return the URL with that fingerprint; "" if the run does not know it."""
        ...


class Reader(Protocol):
    """The stored runs of a project's jobs.

    Methods raise StateError if a run or job is unknown, damaged or no longer kept.
    """

    @property
    def place(self) -> str:
        """Where the runs are stored, as shown to a person."""
        ...

    def jobs(self) -> list[str]:
        """Return the names of the jobs with stored runs, in alphabetical order."""
        ...

    def runs(self, job: str) -> list[RunRecord]:
        """Return the job's listed runs, the latest first.

        The counters of an unfinished run are up to date.
        """
        ...

    def report(self, job: str, number: int | None = None) -> bytes | None:
        """Return the report of the run with that number (None: the latest run) as JSON;
        None if the run is unfinished."""
        ...

    def run(self, job: str, number: int | None = None) -> RunReader:
        """Return a reader of the run with that number (None: the latest run)."""
        ...

    async def until_free(self, job: str) -> None:
        """Wait until no process works on the job."""
        ...
