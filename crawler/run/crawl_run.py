"""One run from opening to report: makes the parts, owns what they open."""

from __future__ import annotations

import asyncio
import datetime
import logging
import resource
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from itertools import chain
from types import TracebackType
from typing import Any

import anyio
import msgspec
from anyio import to_thread

from crawler.errors import ConfigError, SinkError
from crawler.http import Client, ClientOptions
from crawler.pipelines import Chain, Run
from crawler.run.assembly import Assembled, RunResources, assemble, scope_of
from crawler.run.crash_marks import CrashMarks
from crawler.run.diagnosis import advise
from crawler.run.engine import Engine
from crawler.run.options import RunOptions
from crawler.run.page_loader import PageLoader
from crawler.run.user_code import defined_at
from crawler.run.watchdog import Watchdog
from crawler.settings import Settings
from crawler.sinks import (
    Mode,
    OutputPlan,
    Outputs,
    Owns,
    PipeClosed,
    Sink,
    places_of,
)
from crawler.spider import Spider
from crawler.stats import (
    POOR,
    Counters,
    FinishReason,
    Report,
    exit_code,
    is_good,
    shortfalls,
    totals,
)
from crawler.store.base import Opening, RunStart, Store
from crawler.store.open import crash_marks, open_store

logger = logging.getLogger(__name__)


class CrawlRun:
    """Opens what a run needs and closes it in order: `async with`, then `run`."""

    def __init__(
        self,
        spider: Spider,
        settings: Settings,
        terms: RunOptions,
        sink: Sink | None = None,
        *,
        hand_in: Callable[[Report], None] | None = None,
    ) -> None:
        #: Takes the report of a complete run, in a thread, while the run can still be
        #: gone on with: where the process is killed, the next one hands it in again.
        self._hand_in = hand_in
        self._spider = spider
        self._settings = settings
        self._terms = terms
        self._sink = sink
        self._stack = AsyncExitStack()
        self._is_begun = False
        self._begun = time.monotonic()
        #: Names of hosts that a person gave as starts; grows with them.
        self._start_names: set[str] = set()
        self.store: Store
        self.opening: Opening
        self.outputs: Outputs
        self.engine: Engine
        self._client: Client
        self._chain: Chain
        self._assembled: Assembled

    async def __aenter__(self) -> CrawlRun:
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
        draw_start = not self.opening.facts.start_ended
        async with Watchdog():
            reason = await self.engine.run(draw_start=draw_start)
        # Whoever read our output had enough of it: that is an end, too.
        is_complete = reason.is_complete or isinstance(self.outputs.error, PipeClosed)
        if is_complete or (not self.is_durable and self.outputs.error is None):
            reason = await self._publish(reason)
            # What is not in place yet is put there by the same command.
            is_complete = is_complete and reason is not FinishReason.SINK_ERROR
        report = self.report(reason)
        if is_complete:
            if self._hand_in is not None:
                await to_thread.run_sync(self._hand_in, report)
            await self.store.finish(str(reason), msgspec.json.encode(report.summary()))
        await self._closed(report)
        return report

    async def _closed(self, report: Report) -> None:
        """Call the spider's `closed`, which may be a plain `def`."""
        closed: Callable[[Report], Any] = self._spider.closed
        result = closed(report)
        if isinstance(result, Awaitable):
            await result

    async def _publish(self, reason: FinishReason) -> FinishReason:
        try:
            await self.outputs.publish(self._aside(reason))
        except SinkError as exc:
            logger.error("%s", exc)
            return FinishReason.SINK_ERROR
        return reason

    def _aside(self, reason: FinishReason) -> str:
        """The label under which a bad run is published beside an earlier output; ""
        if the run may replace that one."""
        if self._settings.output.publish_bad or is_good(self.report(reason)):
            return ""
        word = "bad-run" if reason.is_complete else "incomplete-run"
        return f"{word}-{self.opening.run}"

    async def _open(self) -> None:
        spider, settings, terms = self._spider, self._settings, self._terms
        self.store = self._make_store()
        await self._prepare()
        self.opening = await self.store.open(self._start())
        self._stack.push_async_callback(self._close_store)
        chain = await self._stack.enter_async_context(self._chain.open(self._run_of()))
        self._start_names.update(self.opening.facts.start_names)
        await self._stack.enter_async_context(self._client)
        marks = await to_thread.run_sync(self._marks)
        pages = await self._stack.enter_async_context(PageLoader(settings.http, marks))
        self.outputs = await self._stack.enter_async_context(await self._make_outputs())
        # What an earlier process committed may be all that there is to write.
        self.outputs.wake(self.opening.sequence)
        self._assembled = assemble(
            RunResources(
                spider,
                settings,
                terms,
                self.store,
                self.opening,
                self._client,
                pages,
                chain,
                self.outputs,
                self._start_names,
            )
        )
        self.engine = self._assembled.engine
        self._is_begun = True

    async def _prepare(self) -> None:
        """All that needs no job: what is wrong with it is said whoever has the job,
        and before a run is begun or forgotten."""
        spider, terms = self._spider, self._terms
        check_spider(spider)
        self._chain = Chain(
            spider.pipelines,
            item_key=spider.item_key,
            item_types=spider.item_types,
        )
        self._client = spider.client(
            ClientOptions(
                self._settings,
                terms.transport,
                terms.event_hooks,
                terms.auth,
                self._may_be_private,
                self._start_names.__contains__,
            )
        )
        scope_of(spider)
        owns = await self._ownership()
        await to_thread.run_sync(self._plan().check, owns)

    async def _close_store(self) -> None:
        with anyio.CancelScope(shield=True):
            await self.store.close(self.seconds, is_begun=self._is_begun)

    @property
    def is_durable(self) -> bool:
        """Whether the run's state is kept, so that it can be resumed."""
        return self.store.is_durable

    def _make_store(self) -> Store:
        if self._terms.store is not None:
            return self._terms.store
        return open_store(
            self._settings.storage,
            self._terms.job,
            clock=self._terms.wall_clock,
            monotonic=asyncio.get_running_loop().time,
        )

    def _marks(self) -> CrashMarks:
        """Which pages were being parsed when an earlier process ended."""
        if not self.is_durable or self._terms.store is not None:
            return CrashMarks(None)
        path = crash_marks(self._settings.storage, self._job)
        return CrashMarks(path, is_resumed=self.opening.is_resumed)

    def _start(self) -> RunStart:
        arguments = msgspec.json.encode(self._spider.arguments, order="sorted")
        return RunStart(
            job=self._job,
            spider=self._spider.name,
            arguments=arguments.decode(),
            started=self._terms.wall_clock(),
            fresh=self._terms.fresh,
        )

    @property
    def _job(self) -> str:
        return self._terms.job or self._spider.name

    def _run_of(self) -> Run:
        return Run(
            self._job,
            self.opening.run,
            self._spider.name,
            self._settings,
            self._counted,
        )

    def _counted(self) -> Counters:
        if not self._is_begun:  # there is no engine yet
            return self.opening.counters
        return self.engine.progress.counters

    async def _ownership(self) -> Owns:
        """Which places the job has filled."""
        positions = await self.store.sink_positions(self._job)
        return frozenset(chain.from_iterable(map(places_of, positions))).__contains__

    def _plan(self) -> OutputPlan:
        """The outputs, and what they need to know."""
        spider, terms = self._spider, self._terms
        mode: Mode = "replace" if terms.overwrite else "refuse"
        return OutputPlan(
            outputs=terms.outputs_of(spider),
            job=self._job,
            zone=terms.zone,
            mode="append" if terms.append else mode,
            is_durable=self.is_durable,
            item_types={each.name: each for each in self._chain.item_types},
            fields=spider.fields,
            item_key=spider.item_key,
            guard_formulas=self._settings.output.guard_formulas,
        )

    async def _make_outputs(self) -> Outputs:
        owns = await self._ownership()
        started, run = self.opening.started, self.opening.run
        sinks = await to_thread.run_sync(self._plan().sinks, started, run, owns)
        if self._sink is not None:
            sinks.append(self._sink)
        return Outputs(sinks, self.store, self._run_of(), owns=owns)

    def _may_be_private(self, host: str) -> bool:
        """Whether the settings allow this host private addresses."""
        allowed = self._settings.http.private_networks
        return allowed if isinstance(allowed, bool) else host in allowed

    def report(self, reason: FinishReason) -> Report:
        """How the run stands; `reason` is why it is over."""
        seconds = self.seconds
        counters = self.engine.progress.counters
        report = Report(
            spider=self._spider.name,
            job=self._job,
            run=self.opening.run,
            started=_utc(self.opening.started),
            finished=_utc(self._terms.wall_clock()),
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
        report.shortfalls = shortfalls(
            report,
            start_failed=counters.start_failed,
            max_error_rate=self._terms.max_error_rate,
            min_items=self._terms.min_items,
        )
        # A reader that had enough of standard output is a good end.
        had_enough = isinstance(self.outputs.error, PipeClosed)
        report.exit_code = 0 if had_enough else exit_code(report)
        if report.exit_code != POOR:
            report.shortfalls = ()
        report.advice = advise(
            report,
            self._assembled.observations,
            self._assembled.callbacks.selectors,
            file_advice=self._client.file_advice,
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
    if "arguments" not in vars(spider):
        raise ConfigError(
            f"Spider {spider.name!r}: its __init__ "
            f"({defined_at(type(spider).__init__)}) must begin with "
            "super().__init__(**arguments), as in def __init__(self, **arguments)"
        )


def _utc(moment: float) -> str:
    return datetime.datetime.fromtimestamp(moment, datetime.UTC).isoformat(
        timespec="milliseconds"
    )


def _peak_rss_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1024**2 if sys.platform == "darwin" else 1024), 1)
