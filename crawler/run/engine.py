"""One crawl: workers, visits, commits. Read this file first.

    start() ──► store ──► scheduler ──► worker ──► visit ──► committer ──► store
                  ▲                                                          │
                  └───────────────── new requests, retries ◄─────────────────┴──► sinks

Workers pull turns from the scheduler. A turn is the permission to send one request to a
host now. A visit (one fetch of a page, with its callback) ends in an outcome: items,
links and state. The committer stores outcomes in groups; then new requests go to the
scheduler, and items to the sinks. The loop ends when no request waits, no request is in
flight and no outcome is uncommitted.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial

import anyio
import msgspec
from anyio.abc import TaskGroup

from crawler.errors import LeaseLost, Reason, SinkError, StoreError
from crawler.layers.robots_gate import RobotsTable
from crawler.request import Entry
from crawler.run.closing import Closing
from crawler.run.committer import Committer
from crawler.run.observers import Observers, Progress
from crawler.run.resting_hosts import ROBOTS
from crawler.run.scheduler import RobotsTurn, Scheduler
from crawler.run.spider_attributes import SpiderAttributes
from crawler.run.start_requests import StartRequests
from crawler.run.store_retry import StoreRetry
from crawler.run.visitor import Visitor
from crawler.sinks import Outputs, PipeClosed
from crawler.stats import FinishReason
from crawler.store.base import Committed, Facts, Outcome, State, Store

logger = logging.getLogger(__name__)

#: Maximum number of hosts for which queued requests are loaded from the store at the
#: same time.
REFILLS = 16


class Limits(msgspec.Struct, frozen=True):
    """Limits that end a run early; None: no limit.

    The scheduler enforces the limit on pages, because it must not send a request that
    would exceed the limit.
    """

    items: int | None = None
    seconds: float | None = None
    #: Seconds after which the process stops; the run can be resumed.
    max_runtime: float | None = None
    #: Why the spider stopped the run in an earlier process; "" if it did not.
    stopped: str = ""
    #: Why the run ended, if an earlier process has already committed the items of the
    #: spider's `closing`; else None.
    ended: FinishReason | None = None
    #: Maximum number of pages of the whole run. The engine only shows this limit; the
    #: scheduler enforces it.
    pages: int | None = None
    #: Number of failed pages at which the run ends.
    errors: int | None = None


class EngineParts(msgspec.Struct):
    """The parts that the engine uses, such as store, scheduler and visitor; `open_run`
    opens and closes some of them."""

    store: Store
    scheduler: Scheduler
    starts: StartRequests
    visitor: Visitor
    robots: RobotsTable | None
    outputs: Outputs
    closing: Closing | None = None
    #: Finds attributes that the spider has set on itself, because a resumed run loses
    #: them; None if the run cannot be resumed.
    attributes: SpiderAttributes | None = None
    #: Ends a complete crawl for all processes that share the run; None if no other
    #: process can share the run.
    settle: Callable[[FinishReason], Awaitable[None]] | None = None
    #: Repeats a failed write until the store can be written again.
    patience: StoreRetry = msgspec.field(default_factory=StoreRetry)


# This class has over 15 methods and 12 attributes, because the limits, state and steps
# of a run belong together.
class Engine:
    """Drives one crawl from its first request to its last commit."""

    def __init__(
        self,
        parts: EngineParts,
        limits: Limits,
        *,
        workers: int,
        grace: float,
        observers: Observers,
        progress: Progress,
        wall_clock: Callable[[], float],
    ) -> None:
        self._parts = parts
        self._limits = limits
        self._worker_count = workers
        self._grace = grace
        self._wall_clock = wall_clock
        # The committer may wait for more outcomes (results of pages) as long as every
        # worker has work.
        scheduler = parts.scheduler
        self._committer = Committer(
            self._commit, self._landed, lambda: not scheduler.has_idle
        )
        scheduler.on_idle = self._committer.hurry
        self._workers: TaskGroup | None = None
        self._reason: FinishReason | None = None
        #: Number of workers that are no longer needed; this many end after their next
        #: page.
        self._spare = 0
        #: Number of workers that were added to replace waiting workers.
        self._added = 0
        self._is_full = False
        #: Number of failed pages, including pages that are not committed yet.
        self._failed = 0
        self.progress = progress
        self._observers = observers
        #: Whether `max_runtime` has stopped the run.
        self.is_late = False
        #: Whether other processes of a shared run have taken over this process's work.
        self.is_given_up = False
        #: Why the spider stopped the run; "" if it did not.
        self.stop_reason = ""
        #: Why the store could not be written within the time limit.
        self.store_error: StoreError | None = None

    async def run(self, *, draw_start: bool = True) -> FinishReason:
        """Crawl until no work is left, a limit is reached or `stop` is called."""
        parts = self._parts
        # an earlier process may have reached the limit on items
        if self._has_enough_items:
            self.stop(FinishReason.ITEMS_LIMIT)
        self._failed = self.progress.counters.failed
        self._count_failures(0)
        if self._limits.stopped:
            self._stopped(self._limits.stopped)
        if self._limits.ended:
            self.stop(self._limits.ended)
        async with anyio.create_task_group() as helpers:
            parts.outputs.start(helpers, self._output_failed)
            for helper in (
                self._committer.run,
                parts.scheduler.keep_rate,
                parts.scheduler.keep_names,
                *[self._refill] * REFILLS,
            ):
                helpers.start_soon(helper)
            for seconds, reason in (
                (self._limits.seconds, FinishReason.TIME_LIMIT),
                (self._limits.max_runtime, FinishReason.INTERRUPTED),
            ):
                helpers.start_soon(self._keep_time, seconds, reason)
            await self._crawl(draw_start and self._limits.ended is None)
            with anyio.CancelScope(shield=True):
                await self._committer.drain()
            if parts.settle is not None:
                await parts.settle(self._verdict())
            await self._close()
            with contextlib.suppress(SinkError):  # the error is kept in `outputs.error`
                await parts.outputs.drain()
            helpers.cancel_scope.cancel()
        return self._verdict()

    async def _close(self) -> None:
        """Commit the items of the spider's `closing`, at the end of a complete run."""
        reason, closing = self._verdict(), self._parts.closing
        if closing is None or not reason.is_complete or self._limits.ended:
            return
        outcome = await closing.outcome(reason)
        if outcome is None:
            self._reason = FinishReason.CLOSING_ERROR
            return
        await self._committer.put(outcome)
        with anyio.CancelScope(shield=True):
            await self._committer.drain()

    def stop(self, reason: FinishReason, *, grace: float | None = None) -> None:
        """Send no new requests, and wait `grace` seconds for the requests in flight. If
        `stop` is called again, the shorter grace holds."""
        self._reason = self._reason or reason
        self._parts.scheduler.close()
        if reason is FinishReason.INTERRUPTED:
            self._parts.outputs.hurry()
            self._parts.patience.hurry()
        if self._workers is not None:
            seconds = self._grace if grace is None else grace
            scope = self._workers.cancel_scope
            scope.deadline = min(scope.deadline, anyio.current_time() + seconds)

    def _count_failures(self, new: int) -> None:
        """Count failed pages before they are committed. If they were counted after the
        commit of several pages, the limit on failures could be exceeded."""
        self._failed += new
        limit = self._limits.errors
        if limit is not None and self._failed >= limit:
            self.stop(FinishReason.ERRORS_LIMIT)

    def learn(self, failed: int, stopped: str) -> None:
        """Take over what other processes of the run have committed: the number of
        failed pages of all processes, and why the spider stopped the run ("" if it did
        not)."""
        self._failed = max(self._failed, failed)
        self._count_failures(0)
        if stopped:
            self._stopped(stopped)

    def give_up(self, why: LeaseLost) -> None:
        """Discard the uncommitted work and stop, because other processes of the shared
        run have taken over that work."""
        if not self.is_given_up:
            logger.warning(
                "This process drops its work and joins the run again: %s", why
            )
        self.is_given_up = True
        self.stop(FinishReason.INTERRUPTED, grace=0)

    @property
    def _has_enough_items(self) -> bool:
        limit = self._limits.items
        return limit is not None and self.progress.counters.items >= limit

    @property
    def pages_limit(self) -> int | None:
        """Maximum number of pages of the run; None: no limit."""
        return self._limits.pages

    @property
    def has_started(self) -> bool:
        """Whether `start()` has yielded all its requests."""
        return not self._parts.scheduler.has_sources

    @property
    def busy_hosts(self) -> int:
        """Number of hosts with a request in flight."""
        flying = self._parts.scheduler.in_flight.values()
        return len({entry.host for entry in flying})

    async def _crawl(self, draw_start: bool) -> None:
        async with anyio.create_task_group() as workers:
            self._workers = workers
            if draw_start:
                scheduler = self._parts.scheduler
                scheduler.open_source()
                workers.start_soon(
                    self._parts.starts.draw, scheduler, self._committer.put
                )
            for _ in range(self._worker_count):
                workers.start_soon(self._work)

    async def _work(self) -> None:
        """Run one worker: take a request from the scheduler, fetch its page, run the
        callback, queue the outcome (the results). A worker never sleeps, because the
        scheduler keeps the pace."""
        parts = self._parts
        async for turn in parts.scheduler:
            if isinstance(turn, RobotsTurn):
                assert parts.robots is not None
                retry_at = await parts.robots.ask(turn.origin, turn.proxy)
                if retry_at is not None:
                    seconds = retry_at - anyio.current_time()
                    self.progress.rests(turn.host, seconds, ROBOTS)
                parts.scheduler.answered(turn, retry_at)
                continue
            outcome = await self._visit(turn)
            is_page = outcome.state is State.DONE
            if outcome.state is State.FAILED:
                self._count_failures(1)
            parts.scheduler.done(turn, asked=outcome.is_asked, is_page=is_page)
            await self._committer.put(outcome)
            # the error was already passed to `_output_failed`
            with contextlib.suppress(SinkError):
                await parts.outputs.room()
            # this worker ran in place of a waiting worker, which continues now, so this
            # worker ends
            if self._spare:
                self._spare -= 1
                self._added -= 1
                return

    @contextlib.contextmanager
    def stand_in(self) -> Iterator[None]:
        """Let another worker run while this worker waits during the fetch of its page,
        for example for a response of the spider's `fetch`."""
        if self._spare:
            self._spare -= 1
        elif self._added < self._worker_count and self._workers is not None:
            self._added += 1
            self._workers.start_soon(self._work)
        else:
            yield
            return
        try:
            yield
        finally:
            self._spare += 1

    async def _visit(self, entry: Entry) -> Outcome:
        try:
            return await self._parts.visitor.visit(entry)
        except Exception as exc:
            # A bug in the crawler, not in the spider: only this page fails, not the
            # crawl.
            fields = {"url": entry.url, "host": entry.host}
            logger.exception(
                "Bug in the crawler: unexpected error while visiting %s; only this "
                "page fails",
                entry.url,
                extra=fields,
            )
            return Outcome(entry, State.FAILED, str(Reason.INTERNAL_ERROR), repr(exc))

    async def _commit(self, group: Sequence[Outcome]) -> Committed:
        """Commit a group of outcomes (results of pages). While the disk is full the
        crawl waits; if the wait is too long, the crawl stops gracefully."""
        committed = Committed()
        is_full = self._is_full and not group[0].is_closing
        if self.store_error is not None or is_full or self.is_given_up:
            return committed  # pages without a committed outcome stay pending
        self._note_attributes(group[0])
        limit = self._limits.items
        commit = partial(self._parts.store.commit, group, items_limit=limit)
        try:
            with anyio.CancelScope(shield=True):
                committed = await self._parts.patience.repeat(commit)
        except LeaseLost as exc:
            self.give_up(exc)
        except StoreError as exc:
            logger.error(
                "Could not store the results of pages: %s; the crawl stops, and can "
                "be resumed",
                exc,
            )
            self.store_error = exc
            self.stop(FinishReason.SINK_ERROR, grace=0)
        return committed

    def _note_attributes(self, outcome: Outcome) -> None:
        """Add to an outcome (the result of a page) the names of attributes that the
        spider has set on itself, so that a resumed run can warn that their values are
        lost."""
        attributes = self._parts.attributes
        if attributes is not None and (names := attributes.changed()):
            outcome.facts = outcome.facts or Facts()
            outcome.facts.attributes |= names

    def _landed(self, group: Sequence[Outcome], committed: Committed) -> None:
        """After a commit: call the observers, pass new requests to the scheduler, and
        let the outputs write the new items."""
        observers, scheduler = self._observers, self._parts.scheduler
        settled, sources = [], 0
        clock = anyio.current_time() - self._wall_clock()
        for outcome in group[: committed.landed]:
            if outcome.facts is not None and outcome.facts.stopped:
                self._stopped(outcome.facts.stopped)
            if outcome.entry is None:
                sources += not outcome.is_closing
                continue
            observers.landed(outcome)
            is_pending = outcome.state is State.PENDING
            settled.append((outcome.entry, outcome.due + clock if is_pending else None))
        if committed.landed:
            observers.committed(committed.counters)
        self._parts.outputs.wake(committed.sequence)
        if committed.is_full:
            self._is_full = True
            self.stop(FinishReason.ITEMS_LIMIT, grace=0)
        scheduler.landed(committed, settled, sources)

    def _stopped(self, why: str) -> None:
        """Stop the crawl, because the spider raised StopCrawl; the results of its page
        are committed."""
        self.stop_reason = self.stop_reason or why
        self.stop(FinishReason.STOPPED)

    async def _refill(self) -> None:
        """Load more queued requests from the store for hosts that have few in
        memory."""
        parts = self._parts
        while parts.store.is_stocked:
            host = await parts.scheduler.wanted_host()
            wanted, without = parts.scheduler.share, parts.scheduler.held(host)
            entries = await parts.store.take(
                host, wanted, without, anyio.current_time()
            )
            parts.scheduler.refill(host, entries, more=len(entries) == wanted)

    def _output_failed(self, error: SinkError) -> None:
        is_pipe = isinstance(error, PipeClosed)
        self.stop(FinishReason.INTERRUPTED if is_pipe else FinishReason.SINK_ERROR)

    async def _keep_time(self, seconds: float | None, reason: FinishReason) -> None:
        if seconds is not None:
            await anyio.sleep(seconds)
            self.is_late = reason is FinishReason.INTERRUPTED
            self.stop(reason)

    def _verdict(self) -> FinishReason:
        if self._parts.starts.error is not None and self._reason is None:
            return FinishReason.START_ERROR
        if self._reason is not None:
            return self._reason
        if self._parts.scheduler.is_exhausted:
            return FinishReason.PAGES_LIMIT
        return FinishReason.FINISHED
