"""The options of one run, such as its job, limits and outputs."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import time as wall_time
from typing import Any

import msgspec

from crawler.errors import ConfigError
from crawler.http import AsyncBaseTransport
from crawler.layers import Layer
from crawler.run.observers import Observer
from crawler.settings import CrawlSettings
from crawler.sinks import OutputSpec, Sink
from crawler.spider import Spider
from crawler.store.base import Store


# This class has over 12 attributes, because it is a plain value with one field for each
# option of a run.
class RunOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options of one run, such as its job, limits and outputs. The spider and the
    settings are not options."""

    #: The name under which the state is stored; None: the state is kept in memory.
    job: str | None = None
    #: Where items go: paths or URIs ("-": standard output), `OutputSpec` or `Sink`
    #: objects; None: the spider's `outputs`. In a path {run} is the run's number, {job}
    #: the job and {type} the item's type. {date} is the day on which the run began, in
    #: `zone`.
    outputs: tuple[str | OutputSpec | Sink, ...] | None = None
    #: A file of URLs, one on each line, instead of the spider's start URLs; "-" is
    #: standard input.
    urls: Path | str | None = None
    #: Number of pages after which the run ends, exactly; None: the setting crawl.pages.
    pages: int | None = None
    #: Number of items after which the run ends, exactly; None: the setting crawl.items.
    items: int | None = None
    #: Seconds after which the run ends; None: the setting crawl.time.
    time: float | None = None
    #: Number of failed pages at which the run ends; None: the setting crawl.errors.
    errors: int | None = None
    #: Seconds after which this process stops gracefully; the run can be resumed.
    max_runtime: float | None = None
    #: Start a new run, and forget an unfinished run of the job.
    fresh: bool = False
    #: The number of the run to resume; if that run is over, no other run is begun.
    #: None: any unfinished run, or a new one. Only for a store that several processes
    #: share.
    resumes: int | None = None
    #: Only join the unfinished run of a store that several processes share. Another
    #: process leads that run.
    joins: bool = False
    #: Replace output files that this job did not publish.
    overwrite: bool = False
    #: Append to output files that this job did not publish.
    append: bool = False
    #: Maximum share of failed pages (0 to 1) of a good run; a complete run above it
    #: ends with exit code 3.
    max_error_rate: float | None = None
    #: Minimum number of items of a good run; a complete run with fewer ends with exit
    #: code 3.
    min_items: int = 0
    #: The store of the run's state, in place of the one that `[storage]` and `job`
    #: give. A store serves only one run.
    store: Store | None = None
    zone: datetime.tzinfo = datetime.UTC
    #: The wall clock, in seconds since 1970, for due times and expiry dates.
    wall_clock: Callable[[], float] = wall_time
    #: A transport of httpx in place of the crawler's own HTTP client.
    transport: AsyncBaseTransport | None = None
    #: Functions that wrap the sending of each request, the outermost first; see
    #: crawler.layers.
    layers: tuple[Layer, ...] = ()
    #: Objects that are called with the result of each page after its commit, and with
    #: each change of a host's pace.
    observers: tuple[Observer, ...] = ()
    #: Maximum number of requests in flight by `Request.kind`: {"browser": 2} allows two
    #: requests of kind "browser". Other kinds have no limit.
    ceilings: Mapping[str, int] = msgspec.field(default_factory=dict)
    event_hooks: Any = None
    auth: Any = None

    def __post_init__(self) -> None:
        # a single output counts as a list of one
        if isinstance(self.outputs, str | OutputSpec | Sink):
            msgspec.structs.force_setattr(self, "outputs", (self.outputs,))
        msgspec.structs.force_setattr(self, "layers", tuple(self.layers))
        msgspec.structs.force_setattr(self, "observers", tuple(self.observers))
        msgspec.structs.force_setattr(self, "ceilings", dict(self.ceilings))
        for kind, ceiling in self.ceilings.items():
            if type(ceiling) is not int or ceiling < 1:
                raise ConfigError(
                    f"ceilings: {kind!r}: {ceiling!r} is not a number of requests; "
                    "give a whole number, 1 or above"
                )

    def job_of(self, spider: Spider) -> str:
        """Return the name of the job: `job`, else the spider's name."""
        return self.job or spider.name

    def limited(self, crawl: CrawlSettings) -> RunOptions:
        """Return the options with the limits of the settings in place of limits that
        are None."""
        names = ("pages", "items", "errors", "time")
        unset = [name for name in names if getattr(self, name) is None]
        return msgspec.structs.replace(
            self, **{name: getattr(crawl, name) for name in unset}
        )

    def outputs_of(self, spider: Spider) -> Sequence[str | OutputSpec | Sink]:
        """Return the outputs of a run of `spider`: those of the options, else those of
        the spider."""
        found = spider.outputs if self.outputs is None else self.outputs
        return (found,) if isinstance(found, str | OutputSpec | Sink) else found
