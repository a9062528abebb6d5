"""Coordinates a process with the other processes of its run.

A process has a lease: the time until which the others may not take over its work. It
renews the lease regularly, usually every 0.5 s; in names a renewal is called a beat. At
each renewal the process gets its share of the sites, and learns what the others have
found.

Rule: if the lease cannot be renewed in time, no requests are sent. If other processes
have taken over its work, the process drops that work and joins the run again. If the
run continues with another version of the spider's code, the process commits the work in
flight, and leaves the run.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType

import anyio
from anyio.abc import TaskGroup

from crawler.errors import Blame, FetchError, LeaseLost, Reason, StateError, StoreError
from crawler.frontier.host_pace import HostPace
from crawler.layers.protocol import Fetch
from crawler.request import Request
from crawler.response import Response
from crawler.run.engine import Engine
from crawler.run.observers import Observers
from crawler.run.shared_scheduler import SharedScheduler
from crawler.sinks import Outputs
from crawler.stats import Counters, FinishReason
from crawler.store.base import Facts
from crawler.store.sharing import Needs, News, Team

#: A process without work renews its lease this many times in short intervals, to get
#: work from the other processes soon.
IMPATIENT_BEATS = 20

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TeamParts:
    """The parts of a run that change when the process renews its lease, because it
    learns then what other processes have done."""

    scheduler: SharedScheduler
    hosts: HostPace
    observers: Observers
    outputs: Outputs
    #: Called with facts that other processes have found, such as cookies and the scope.
    learn: Callable[[Facts], None]
    #: Called with the number of processes of the run: each gets an equal part of the
    #: crawl-wide rates.
    share: Callable[[int], None]


class Teamwork:
    """Renews the lease of this process (its right to work on the run) regularly, from
    the opening of a run to its closing. Use it with `async with`."""

    def __init__(self, team: Team, parts: TeamParts) -> None:
        self._team = team
        self._parts = parts
        self._workers = 1
        self._is_over = False
        #: Whether the last renewal of the lease has failed.
        self._is_failing = False
        #: Whether shards (groups of hosts) are about to change from one process to
        #: another.
        self._is_moving = False
        #: Number of renewals of the lease since this process last had work.
        self._idle_beats = 0
        #: Why this process must leave the run; "" if it may stay.
        self._refusal = ""
        self._beaten = anyio.Event()
        self._tasks: TaskGroup
        self.engine: Engine

    async def __aenter__(self) -> Teamwork:
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        self._tasks.start_soon(self._run)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._tasks.cancel_scope.cancel()
        await self._tasks.__aexit__(None, None, None)
        await self._hand_over()
        if self._refusal and kind is None:
            raise StateError(self._refusal)

    def own(self) -> Counters:
        """Return the counts of this process since it joined the run."""
        return self._team.own

    async def settle(self, reason: FinishReason) -> None:
        """End a complete crawl for all processes, and wait until the other processes
        have left, so that everything they commit is published."""
        if not (self._team.is_leader and reason.is_complete):
            return
        await self._team.end(str(reason))
        self._is_over = True
        await self._next_beat()
        while self._workers > 1:
            await self._next_beat()

    async def _next_beat(self) -> None:
        """Wait until one full interval between two renewals of the lease has passed."""
        for _ in range(2):
            beaten = self._beaten
            await beaten.wait()

    async def _run(self) -> None:
        while True:
            try:
                news = await self._team.beat(self._needs())
            except StoreError as exc:
                self._warn(exc)
            except LeaseLost as exc:
                self.engine.give_up(exc)
                self._workers = 1
                self._beaten.set()
                return
            else:
                self._is_failing = False
                self._take(news)
            beaten, self._beaten = self._beaten, anyio.Event()
            beaten.set()
            await anyio.sleep(self._interval())

    def _warn(self, failure: StoreError) -> None:
        """Log a failure of the store, but only the first of several in a row."""
        level = logging.DEBUG if self._is_failing else logging.WARNING
        self._is_failing = True
        logger.log(
            level,
            "The lease of this process could not be renewed: %s; the renewal is tried "
            "again every %g s",
            failure,
            self._team.lease.beat,
        )

    def _needs(self) -> Needs:
        scheduler, now = self._parts.scheduler, asyncio.get_running_loop().time()
        resting = self._parts.hosts.rests(now)
        return Needs(
            scheduler.wanted_permits(),
            scheduler.busy_shards(),
            # Report only hosts that other processes own now: they must keep the pauses
            # that this process has seen.
            {host: rest for host, rest in resting.items() if not self._team.owns(host)},
            scheduler.hand_over.wanted,
            self._is_idle(),
            scheduler.working_shards,
        )

    def _is_idle(self) -> bool:
        is_idle = self._parts.scheduler.is_idle()
        self._idle_beats = self._idle_beats + 1 if is_idle else 0
        return is_idle

    def _interval(self) -> float:
        """Return the seconds until the next renewal of the lease. They are fewer while
        shards (groups of hosts) or the end of the crawl pass from process to process,
        and while this process waits for work or for the right to fetch more pages."""
        is_waiting = 0 < self._idle_beats <= IMPATIENT_BEATS
        is_growing = self._parts.scheduler.permits.is_growing
        is_quick = self._is_moving or self._is_over or is_waiting or is_growing
        return self._team.lease.beat / (5 if is_quick else 1)

    def _take(self, news: News) -> None:
        parts = self._parts
        parts.learn(news.facts)
        parts.observers.committed(news.counters)
        self.engine.learn(news.counters.failed, news.facts.stopped)
        parts.outputs.wake(news.item)
        parts.scheduler.permit(news.permits, is_scarce=news.is_scarce)
        parts.scheduler.gain(news.gained)
        parts.scheduler.hand_over.note(news.shards, news.called)
        parts.scheduler.stir(news.stirred)
        self._is_moving = news.is_moving
        if news.workers != self._workers:
            self._workers = news.workers
            parts.share(news.workers)
        if news.refusal and not self._refusal:
            self._refusal = news.refusal
            self.engine.stop(FinishReason.INTERRUPTED)
        if news.over and not self._is_over:
            self._is_over = True
            if news.over == FinishReason.FINISHED:
                parts.scheduler.end()
            else:
                self.engine.stop(FinishReason(news.over))

    async def _hand_over(self) -> None:
        """Store which hosts of this process are paused, for the processes that own
        these hosts next."""
        now = asyncio.get_running_loop().time()
        resting = self._parts.hosts.rests(now)
        if resting and self._team.is_held():
            try:
                with anyio.CancelScope(shield=True):
                    await self._team.beat(Needs(resting=resting))
            except (StoreError, LeaseLost) as exc:
                logger.warning(
                    "Could not tell the other processes which hosts are paused: %s",
                    exc,
                )


class Guarded:
    """The innermost layer: it sends no request once the lease of the process (its right
    to work on the run) has ended."""

    def __init__(self, fetch: Fetch, team: Team) -> None:
        self._fetch = fetch
        self._team = team

    async def __call__(self, request: Request, /) -> Response:
        if not self._team.is_held():
            raise FetchError(
                Reason.RESET,
                "the request was not sent, because this process could not renew its "
                "lease (its right to work on the run) in time",
                url=request.url,
                blame=Blame.OURS,
                is_free=True,
            )
        return await self._fetch(request)
