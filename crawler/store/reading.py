"""What every store lets be read, beside the crawls that write it.

    reader = open_reader(settings.storage)
    for record in reader.runs("books"):
        print(record.number, record.reason)
    for row in reader.run("books").items():
        print(row.body)

Rule: reading takes no lock and changes nothing. An iterator reads as it goes, so a log
of millions of rows is never held in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import msgspec

from crawler.stats import Counters
from crawler.store.base import Explanation, Facts, ItemRow, State
from crawler.store.status import Status


class RunRecord(msgspec.Struct, frozen=True):
    """A line of the job's history. `finished` None: the run can be resumed."""

    number: int
    spider: str
    #: The spider's arguments as JSON.
    arguments: str
    started: float
    finished: float | None
    reason: str
    seconds: float
    counters: Counters
    #: The version of the spider's code that the run goes by, and since when; "": it is
    #: not known, as for a run that one process has alone.
    code: str = ""
    code_since: float = 0.0


class Visit(msgspec.Struct, frozen=True):
    """One attempt at one page."""

    page: int
    #: Seconds of the wall clock.
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
    #: The fingerprint of the page with the link to this one; 0: a start URL.
    parent: int


class Changes(msgspec.Struct, frozen=True):
    """How the items of a run differ from those of an earlier run, as counts."""

    new: int
    gone: int
    changed: int
    same: int
    #: Items that have changed, before and now; not all of many.
    pairs: tuple[tuple[bytes, bytes], ...] = ()


class RunWorker(msgspec.Struct, frozen=True):
    """A process that works on a run, as it has said of itself."""

    machine: str
    process: int
    is_leader: bool = True
    #: Parts of the sites that it owns; 0: it owns all.
    shards: int = 0
    #: Pages that it has landed.
    pages: int = 0
    #: Seconds until its lease is over; None: it has none.
    lease: float | None = None
    #: Where it stood when it wrote it last.
    status: Status | None = None


class RunReader(Protocol):
    """What one run left, or has so far. StateError: it cannot be read."""

    @property
    def number(self) -> int:
        """The run's number in its job."""
        ...

    def facts(self) -> Facts:
        """The facts that the run knows again when it is resumed, such as its scope."""
        ...

    def workers(self) -> list[RunWorker]:
        """The processes that work on the run, as far as is known."""
        ...

    def status(self) -> Status | None:
        """Where the run stood when its process wrote it last; None: it never did."""
        ...

    def explain(self, fingerprint: int) -> Explanation | None:
        """All that the run knows of one URL; None: nothing."""
        ...

    def requests_of(self, url: str) -> list[tuple[int, str, int]]:
        """All requests of a URL, in order: fingerprint, method, bytes of the body."""
        ...

    def page_items(self, fingerprint: int, limit: int) -> list[ItemRow]:
        """The first items that one page gave, in order."""
        ...

    def items(self, after: int = 0) -> Iterator[ItemRow]:
        """The items in order, from the one after sequence number `after`; items that
        a running crawl adds meanwhile are among them."""
        ...

    def last_item(self) -> int:
        """The sequence number of the last item so far; 0: there is none."""
        ...

    def sample(self, limit: int) -> Iterator[bytes]:
        """At most `limit` items as JSON, spread evenly over the run."""
        ...

    def changes(self, before: RunReader) -> Changes | None:
        """How the items differ from those of run `before`, of the same store; None:
        there are too many to compare."""
        ...

    def visits(self) -> Iterator[Visit]:
        """All attempts in order: the page log."""
        ...

    def url_of(self, fingerprint: int) -> str:
        """The URL with that fingerprint; "" if the run does not know it."""
        ...


class Reader(Protocol):
    """What the jobs of a project left. StateError: unknown, damaged or not kept."""

    @property
    def place(self) -> str:
        """Where the jobs are kept, as a person would write it."""
        ...

    def jobs(self) -> list[str]:
        """The names of the jobs that have run here, in alphabetical order."""
        ...

    def runs(self, job: str) -> list[RunRecord]:
        """The job's runs that are remembered, the latest first; the counters of an
        unfinished run are those of now."""
        ...

    def report(self, job: str, number: int | None = None) -> bytes | None:
        """The report of a run (None: the latest) as JSON; None: it is unfinished."""
        ...

    def run(self, job: str, number: int | None = None) -> RunReader:
        """What a run left (None: the latest)."""
        ...

    async def until_free(self, job: str) -> None:
        """Return when no process works on the job."""
        ...
