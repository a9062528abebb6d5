"""An open run: it crawls to the end, publishes the outputs and makes the report."""

from __future__ import annotations

import datetime
import logging
import resource
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import msgspec
from anyio import to_thread

from crawler.errors import SinkError
from crawler.layers.proxies import shown_health
from crawler.run.assembly import Assembled, RunResources
from crawler.run.diagnosis import advise
from crawler.run.pulse import Pulse, StatusNotes
from crawler.run.watchdog import Watchdog
from crawler.sinks import PipeClosed
from crawler.stats import (
    POOR,
    FinishReason,
    Report,
    exit_code,
    is_good,
    shortfalls,
    totals,
)
from crawler.store.status import MAX_RUNTIME

logger = logging.getLogger(__name__)

#: Receives the report of a complete run, in a thread, before the run is marked as
#: finished. If the process is killed before the mark, the resumed run calls the
#: function again.
HandIn: TypeAlias = Callable[[Report], None]


class RunTime(msgspec.Struct, frozen=True):
    """Measures how long a run has taken, including earlier processes of the run."""

    #: Seconds that earlier processes of the run took.
    earlier: float
    #: Start of this process, in seconds of the monotonic clock.
    begun: float

    @property
    def seconds(self) -> float:
        """Seconds that the run has taken so far, including earlier processes."""
        return self.earlier + time.monotonic() - self.begun


class CrawlRun:
    """A run whose parts (such as store and client) are open; `open_run` makes and
    closes it."""

    def __init__(
        self,
        resources: RunResources,
        assembled: Assembled,
        run_time: RunTime,
        hand_in: HandIn | None = None,
    ) -> None:
        self._plan = resources.plan
        self._assembled = assembled
        self._run_time = run_time
        self._hand_in = hand_in
        self._watchdog = Watchdog()
        self.opening = resources.opening
        self.outputs = resources.outputs
        self.engine = assembled.engine

    @property
    def seconds(self) -> float:
        """Seconds that the run has taken so far, including earlier processes."""
        return self._run_time.seconds

    @property
    def is_durable(self) -> bool:
        """Whether the run's state is stored, so that the run can be resumed."""
        return self._plan.store.is_durable

    async def run(self) -> Report:
        """Crawl to the end, publish the outputs, and return the report."""
        async with StatusNotes(self.pulse(), self._plan.store) as notes:
            report = await self._run()
            reason = MAX_RUNTIME if self.engine.is_late else str(report.finish_reason)
            notes.end = reason
        await self._closed(report)
        return report

    def pulse(self) -> Pulse:
        """Return an object that collects the status of the running crawl."""
        clock, client = self._plan.options.wall_clock, self._plan.client
        teamwork = self._assembled.teamwork
        return Pulse(
            self.engine,
            clock,
            lambda: self.seconds,
            lambda: client.connection_count,
            teamwork.own if teamwork is not None else None,
        )

    async def _run(self) -> Report:
        is_leader = not self._plan.options.joins
        draw_start = is_leader and not self.opening.facts.start_ended
        async with self._watchdog:
            reason = await self.engine.run(draw_start=draw_start)
        self._assembled.observations.tell_given_up()
        # The program that reads standard output has closed the pipe early, for example
        # `head`: the run counts as complete.
        is_complete = reason.is_complete or isinstance(self.outputs.error, PipeClosed)
        if is_complete or (not self.is_durable and self.outputs.error is None):
            reason = await self._publish(reason)
            # If the outputs could not be published, the run stays open, and the same
            # command publishes them later.
            is_complete = is_complete and reason is not FinishReason.SINK_ERROR
        report = self.report(reason)
        find = self.outputs.written
        report.written = await to_thread.run_sync(find, report.item_count)
        if is_complete:
            if self._hand_in is not None:
                await to_thread.run_sync(self._hand_in, report)
            summary = msgspec.json.encode(report.summary())
            await self._plan.store.finish(str(reason), summary)
        return report

    async def _closed(self, report: Report) -> None:
        """Call the spider's `closed` method, which may be `async def` or plain
        `def`."""
        closed: Callable[[Report], Any] = self._plan.spider.closed
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
        """Return a suffix for the names of the outputs, such as "bad-run-12", so that
        the outputs of an incomplete or poor run do not replace those of an earlier run.

        "" if this run may replace the earlier outputs.
        """
        if self._plan.settings.output.publish_bad or is_good(self.report(reason)):
            return ""
        word = "bad-run" if reason.is_complete else "incomplete-run"
        return f"{word}-{self.opening.run}"

    def _proxy_counts(self) -> dict[str, dict[str, int]]:
        pool = self._assembled.proxies
        return {} if pool is None else shown_health(pool.counts)

    def report(self, reason: FinishReason) -> Report:
        """Return the report of the run; `reason` is why the run has ended."""
        plan, seconds = self._plan, self.seconds
        counters = self.engine.progress.counters
        report = Report(
            spider=plan.spider.name,
            job=plan.job,
            run=self.opening.run,
            started=_utc(self.opening.started),
            finished=_utc(plan.options.wall_clock()),
            finish_reason=reason,
            stop_reason=self.engine.stop_reason,
            proxies=self._proxy_counts(),
            seconds=round(seconds, 3),
            connections=plan.client.connection_count,
            http2_fallbacks=plan.client.fallback_count,
            pool_waits=plan.client.pool_wait_count,
            blocking=self._watchdog.named_seconds,
            hosts=len(self.engine.progress.hosts),
            peak_rss_mb=_peak_rss_mb(),
            resumed=self.opening.is_resumed,
            **totals(counters),
        )
        report.pages_per_second = round(report.pages / seconds, 2) if seconds else 0.0
        report.shortfalls = shortfalls(
            report,
            start_failed=counters.start_failed,
            max_error_rate=plan.options.max_error_rate,
            min_items=plan.options.min_items,
            errors=plan.options.errors,
        )
        # The program that reads standard output has closed the pipe early, for example
        # `head`, which is a good end.
        had_enough = isinstance(self.outputs.error, PipeClosed)
        report.exit_code = 0 if had_enough else exit_code(report)
        if report.exit_code != POOR:
            report.shortfalls = ()
        report.advice = advise(
            report,
            self._assembled.observations,
            self._assembled.callbacks.selectors.matches,
            file_advice=plan.client.file_advice,
            arguments=plan.spider.arguments,
        )
        return report


def _utc(moment: float) -> str:
    return datetime.datetime.fromtimestamp(moment, datetime.UTC).isoformat(
        timespec="milliseconds"
    )


def _peak_rss_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1024**2 if sys.platform == "darwin" else 1024), 1)
