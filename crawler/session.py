"""One run from opening to report: makes the parts, owns what they open."""

from __future__ import annotations

import asyncio
import datetime
import logging
import resource
import sys
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import anyio
import msgspec
from anyio import to_thread

from crawler import addresses, urls
from crawler.advice import advise
from crawler.engine import Engine, Limits, Parts
from crawler.errors import ConfigError, SinkError
from crawler.hosts import Hosts, Pace
from crawler.http import AsyncBaseTransport, Client, ClientOptions, is_fake
from crawler.intake import SCOPE, START_NAME, START_ORIGIN, Intake
from crawler.pipelines import Chain, OpenChain, Run
from crawler.scheduler import Scheduler
from crawler.settings import Settings
from crawler.sinks import (
    Mode,
    Outputs,
    PipeClosed,
    Sink,
    dated,
    numbered,
    open_sink,
    target_of,
)
from crawler.spider import Spider
from crawler.starting import START_ENDED, Starts
from crawler.stats import FinishReason, Report, exit_code, totals
from crawler.store.base import Opening, RunStart, Store
from crawler.store.memory import MemoryStore
from crawler.store.positions import sink_positions
from crawler.store.sqlite import SqliteStore
from crawler.urls import Scope
from crawler.visit import (
    Bandwidth,
    Callbacks,
    Clocks,
    Retries,
    RobotsTable,
    Sessions,
    Surroundings,
    Visitor,
)
from crawler.watchdog import Watchdog

logger = logging.getLogger(__name__)

#: Requests a second to a host whose pace nobody set.
DEFAULT_RATE = 8.0


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What one run is asked for, beside spider and settings."""

    #: The name of the state; None from code: kept in memory.
    job: str | None = None
    #: Where items go: paths, "-", or sinks; in a path `{run}` is the run's number,
    #: `{date}` the day on which it began, in `zone`, and `{job}` the job.
    outputs: tuple[str | Sink, ...] = ()
    #: Pages and items at most, exactly; seconds at most.
    pages: int | None = None
    items: int | None = None
    time: float | None = None
    #: Seconds after which this process stops in order; the run can be gone on with.
    max_runtime: float | None = None
    #: Forget the job's unfinished run.
    fresh: bool = False
    #: Replace, or continue, files that this job did not publish.
    overwrite: bool = False
    append: bool = False
    #: What makes a complete run a bad one (exit code 3).
    max_error_rate: float | None = None
    min_items: int = 0
    zone: datetime.tzinfo = datetime.UTC
    #: httpx's own middleware for the shared client.
    transport: AsyncBaseTransport | None = None
    event_hooks: Any = None
    auth: Any = None


class Session:
    """Opens what a run needs and closes it in order: `async with`, then `run`."""

    def __init__(
        self, spider: Spider, settings: Settings, terms: Terms, sink: Sink | None = None
    ) -> None:
        self._spider = spider
        self._settings = settings
        self._terms = terms
        self._sink = sink
        self._stack = AsyncExitStack()
        self._begun = time.monotonic()
        self.store: Store
        self.opening: Opening
        self.outputs: Outputs
        self.engine: Engine
        self._client: Client
        self._callbacks: Callbacks
        self._hosts: Hosts
        self._chain: Chain

    async def __aenter__(self) -> Session:
        await self._stack.__aenter__()
        try:
            await self._open()
        except BaseException:
            await self._stack.__aexit__(*sys.exc_info())
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.__aexit__(kind, error, trace)

    @property
    def seconds(self) -> float:
        """How long the run has taken, in earlier processes too."""
        return self.opening.seconds + time.monotonic() - self._begun

    async def run(self) -> Report:
        """Crawl to the end, publish, and report."""
        draw_start = START_ENDED not in self.opening.remembered
        async with Watchdog():
            reason = await self.engine.run(draw_start=draw_start)
        # Whoever read our output had enough of it: that is an end, too.
        is_complete = reason.is_complete or isinstance(self.outputs.error, PipeClosed)
        if is_complete or (not self.is_durable and self.outputs.error is None):
            reason = await self._publish(reason)
        report = self.report(reason)
        if is_complete:
            await self.store.finish(str(reason), msgspec.json.encode(report.summary()))
        await self._spider.closed(report)
        return report

    async def _publish(self, reason: FinishReason) -> FinishReason:
        try:
            await self.outputs.publish()
        except SinkError as exc:
            logger.error("%s", exc)
            return FinishReason.SINK_ERROR
        return reason

    async def _open(self) -> None:
        spider, settings, terms = self._spider, self._settings, self._terms
        self.store = self._make_store()
        self.opening = await self.store.open(self._start())
        self._stack.push_async_callback(self._close_store)
        self._chain = Chain(spider.pipelines, item_key=spider.item_key)
        chain = await self._stack.enter_async_context(self._chain.open(self._run_of()))
        self._start_names = set(self._remembered(START_NAME))
        options = ClientOptions(
            settings,
            terms.transport,
            terms.event_hooks,
            terms.auth,
            self._may_be_private,
        )
        self._client = spider.client(options)
        await self._stack.enter_async_context(self._client)
        self.outputs = await self._stack.enter_async_context(await self._make_outputs())
        # What an earlier process committed may be all that there is to write.
        self.outputs.wake(self.opening.sequence)
        self.engine = self._make_engine(chain)

    async def _close_store(self) -> None:
        with anyio.CancelScope(shield=True):
            await self.store.close(self.seconds)

    @property
    def is_durable(self) -> bool:
        """Whether the run's state is kept, so that it can be gone on with."""
        return self._terms.job is not None and self._settings.storage.mode == "durable"

    def _make_store(self) -> Store:
        if not self.is_durable:
            return MemoryStore()
        storage = self._settings.storage
        return SqliteStore(
            storage.dir,
            synchronous=storage.synchronous,
            keep_runs=storage.keep_runs,
            keep_items=storage.keep_items,
            monotonic=asyncio.get_running_loop().time,
        )

    def _start(self) -> RunStart:
        arguments = msgspec.json.encode(self._spider.arguments, order="sorted")
        return RunStart(
            job=self._job,
            spider=self._spider.name,
            arguments=arguments.decode(),
            started=time.time(),
            fresh=self._terms.fresh,
        )

    @property
    def _job(self) -> str:
        return self._terms.job or self._spider.name

    def _run_of(self) -> Run:
        return Run(self._job, self.opening.run, self._spider.name)

    async def _make_outputs(self) -> Outputs:
        positions: list[str] = []
        if self.is_durable:
            folder = Path(self._settings.storage.dir)
            positions = await to_thread.run_sync(sink_positions, folder, self._job)
        owns = frozenset(map(target_of, positions)).__contains__
        sinks = await to_thread.run_sync(self._sinks, owns)
        if self._sink is not None:
            sinks.append(self._sink)
        return Outputs(sinks, self.store, self._run_of(), owns=owns)

    def _sinks(self, owns: Callable[[Path], bool]) -> list[Sink]:
        spider, terms, run = self._spider, self._terms, self.opening.run
        began = datetime.datetime.fromtimestamp(self.opening.started, terms.zone)
        mode: Mode = "overwrite" if terms.overwrite else "refuse"
        sinks = []
        for output in terms.outputs:
            if isinstance(output, str):
                output = dated(output, self._job, began)
                output = numbered(output, run, is_kept=self.is_durable, owns=owns)
            sinks.append(
                open_sink(
                    output,
                    mode="append" if terms.append else mode,
                    fields=spider.fields or self._chain.fields,
                    item_key=spider.item_key,
                    guard_formulas=self._settings.output.guard_formulas,
                )
            )
        return sinks

    def _make_engine(self, chain: OpenChain) -> Engine:
        spider, settings = self._spider, self._settings
        self._hosts = Hosts(self._pace())
        scope = self._scope()
        intake = Intake(
            scope,
            depth=settings.crawl.depth,
            max_url=settings.http.max_url,
            known=self.store.recent,
            left_out=self.store.rejected,
            start_names=self._start_names,
            start_origins=set(self._remembered(START_ORIGIN)),
        )
        retries = Retries(settings.retry, spider.stop, spider.wait)
        robots = self._robots(retries)
        self._callbacks = Callbacks(
            spider,
            intake,
            chain,
            self.store.stage,
            timeout=settings.crawl.callback_timeout,
        )
        bandwidth = settings.politeness.bandwidth
        around = Surroundings(
            client=self._client,
            sessions=Sessions(time.time, self.opening.remembered),
            robots=robots,
            hosts=self._hosts,
            retries=retries,
            bandwidth=Bandwidth(bandwidth) if bandwidth else None,
            clocks=Clocks(asyncio.get_running_loop().time, time.time),
        )
        visitor = Visitor(spider, settings, around, intake, self._callbacks)
        scheduler = self._scheduler(robots)
        starts = Starts(spider, intake, chain, least=2 * settings.crawl.workers)
        parts = Parts(self.store, scheduler, starts, visitor, robots, self.outputs)
        return Engine(
            parts,
            self._limits(),
            workers=settings.crawl.workers,
            grace=settings.crawl.grace,
            counters=self.opening.counters,
        )

    def _pace(self) -> Callable[[str], Pace]:
        politeness = self._settings.politeness
        default = 0.0 if is_fake(self._terms.transport) else DEFAULT_RATE

        def pace(host: str) -> Pace:
            rate = politeness.rate
            if rate is None:
                rate = (
                    0.0 if addresses.is_loopback_name(urls.name_of(host)) else default
                )
            return Pace(politeness.per_host, rate)

        return pace

    def _scope(self) -> Scope:
        scope = scope_of(self._spider)
        scope.restore(self._remembered(SCOPE))
        return scope

    def _remembered(self, kind: str) -> list[str]:
        """Facts of one kind that an earlier process left."""
        known = self.opening.remembered
        return [name.removeprefix(kind) for name in known if name.startswith(kind)]

    def _may_be_private(self, host: str) -> bool:
        """Whether a person named this host: in a start URL, or in the settings."""
        allowed = self._settings.http.private_networks
        if isinstance(allowed, bool):
            return allowed
        return host in allowed or host in self._start_names

    def _robots(self, retries: Retries) -> RobotsTable | None:
        if not self._settings.politeness.robots:
            return None
        return RobotsTable(
            self._settings.user_agent(),
            self._client.fetch,
            self._hosts,
            retries,
            timeout=self._settings.http.total,
        )

    def _scheduler(self, robots: RobotsTable | None) -> Scheduler:
        pages = self._terms.pages
        if pages is not None:
            pages = max(0, pages - self.opening.counters.get("pages", 0))
        scheduler = Scheduler(
            self._hosts,
            gate=robots,
            permits=pages,
            total_rate=self._settings.politeness.total_rate,
            stocked=self.store.is_stocked,
        )
        for host in self.opening.hosts:
            scheduler.frontier.stock(host, True)
        return scheduler

    def _limits(self) -> Limits:
        seconds = self._terms.time
        if seconds is not None:
            seconds = max(0.0, seconds - self.opening.seconds)
        terms = self._terms
        return Limits(terms.pages, terms.items, seconds, terms.max_runtime)

    def report(self, reason: FinishReason) -> Report:
        """How the run stands; `reason` is why it is over."""
        seconds = self.seconds
        counters = self.engine.progress.counters
        report = Report(
            spider=self._spider.name,
            job=self._job,
            run=self.opening.run,
            started=_utc(self.opening.started),
            finished=_utc(time.time()),
            finish_reason=reason,
            seconds=round(seconds, 3),
            connections=self._client.connection_count,
            http2_fallbacks=self._client.fallback_count,
            pool_waits=self._client.pool_wait_count,
            hosts=len(self.engine.progress.hosts),
            peak_rss_mb=_peak_rss_mb(),
            resumed=self.opening.is_resumed,
            **totals(counters),
        )
        report.pages_per_second = round(report.pages / seconds, 2) if seconds else 0.0
        report.exit_code = exit_code(
            report,
            start_failed=counters.get("start_failed", 0),
            max_error_rate=self._terms.max_error_rate,
            min_items=self._terms.min_items,
        )
        if isinstance(self.outputs.error, PipeClosed):
            report.exit_code = 0
        report.advice = advise(
            report, self.engine.observations, self._callbacks.selectors
        )
        return report


def check_spider(spider: object) -> None:
    """ConfigError unless this is a spider that can run."""
    if not isinstance(spider, Spider):
        raise ConfigError(f"A crawl needs a Spider object, not {spider!r}")
    if not spider.name:
        raise ConfigError(
            f"Spider {type(spider).__name__} has no name; give it one: name = '...'"
        )


def scope_of(spider: Spider) -> Scope:
    """As the spider says; the hosts of its start URLs are in from the beginning."""
    try:
        scope = Scope.parse(spider.scope)
    except ValueError as exc:
        raise ConfigError(f"Spider {spider.name!r}: scope: {exc}") from exc
    for url in spider.start_urls:
        try:
            scope.add(urls.canonical(url))
        except urls.InvalidUrl as exc:
            raise ConfigError(f"Spider {spider.name!r}: start_urls: {exc}") from exc
    return scope


def _utc(moment: float) -> str:
    return datetime.datetime.fromtimestamp(moment, datetime.UTC).isoformat(
        timespec="milliseconds"
    )


def _peak_rss_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1024**2 if sys.platform == "darwin" else 1024), 1)
