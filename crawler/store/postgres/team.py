"""One worker of a shared run: its lease, its shards (groups of sites), and the news
from other workers.

Rule: the lease has a database connection of its own, so that a long commit does not
delay a renewal.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from crawler.errors import LeaseLost
from crawler.stats import Counters
from crawler.store.base import RunStart
from crawler.store.postgres import statements as sql
from crawler.store.postgres.beat import Beat, Holdings
from crawler.store.postgres.catalog import ListedRun
from crawler.store.postgres.link import RunMissing, WorkerLink
from crawler.store.postgres.membership import end_silent
from crawler.store.postgres.pipeline import StatementPipeline, transaction
from crawler.store.postgres.run_state import WorkerState
from crawler.store.postgres.server import Connection, PostgresServer
from crawler.store.same_run import refusal
from crawler.store.sharing import Lease, Needs, News


class PostgresTeam:
    """One worker's link to the other workers of its run: renews the worker's lease, and
    exchanges shards (groups of sites) and news with the other workers.

    This class has over 12 attributes, because three of them keep data that would be
    lost with a connection.
    """

    def __init__(
        self,
        server: PostgresServer,
        listed: ListedRun,
        start: RunStart,
        run: WorkerState,
        now: Callable[[], float],
        lease: Lease,
        other_links: Sequence[WorkerLink],
    ) -> None:
        self.lease = lease
        self._other_links = other_links
        self._link = WorkerLink(server, lease.silence)
        self._listed = listed
        self._start = start
        self._run = run
        self._now = now
        self.is_leader = run.is_leader
        self.is_limited = run.is_limited
        #: The time, by the clock `now`, from which on this worker sends no requests.
        self._deadline = now() + lease.seconds - lease.margin
        self._holdings = Holdings(run.shards, run.batch)
        #: Number of unused permits to fetch pages that the next renewal of the lease
        #: returns to the run.
        self._unreturned = 0
        #: The last renewal of the lease, if it is unknown whether it was committed.
        self._doubtful: Beat | None = None
        #: Whether the last renewal of the lease has failed: a session that sends
        #: nothing may hold a lock.
        self._has_failed = False
        #: News from other workers that were read, but not returned by `beat` yet.
        self._news: News | None = None

    @property
    def own(self) -> Counters:
        """The counters of this worker since it joined the run."""
        return self._run.own

    def is_held(self) -> bool:
        """Return whether this worker's lease has not ended yet."""
        return self._now() < self._deadline

    def owns(self, host: str) -> bool:
        """Return whether this worker may send requests to the host."""
        return self._run.owns(host)

    async def beat(self, needs: Needs) -> News:
        """Renew the lease, take a fair share of the shards (groups of sites), and
        return the news.

        Raise LeaseLost if other workers have taken over this worker's sites. After a
        StoreError nothing is lost: the next call returns these news, too.
        """
        sent = self._now()
        self._unreturned += max(0, -needs.permits)

        async def work(connection: Connection) -> Beat:
            if self._has_failed:
                await end_silent(connection, [self._listed.schema], self.lease)
            self._has_failed = True
            async with transaction(connection, self._listed.schema) as pipeline:
                return await self._beat(pipeline, needs)

        loop = asyncio.get_running_loop()
        timer = loop.call_later(self.lease.seconds, self._cut_off)
        try:
            beat = await self._link.once(work)
        except (LeaseLost, RunMissing) as exc:
            self._deadline = -math.inf
            raise LeaseLost(str(exc)) from exc
        finally:
            timer.cancel()
        self._has_failed = False
        self._keep(beat)
        self._deadline = sent + self.lease.seconds - self.lease.margin
        news, self._news = self._news, None
        assert news is not None
        return news

    def _cut_off(self) -> None:
        """Break the connections, because the server does not respond: a server that
        hangs is treated like one that is down.

        A renewal always gets a response in this time, because it waits for locks only
        for a shorter time. So the server hangs, and a commit waits in vain, too.
        """
        for link in (self._link, *self._other_links):
            link.cut(self.lease.seconds)

    async def _beat(self, pipeline: StatementPipeline, needs: Needs) -> Beat:
        run, doubtful = self._run, self._doubtful
        beat = Beat(pipeline, run, self.lease)
        before = None if doubtful is None else doubtful.expires
        has_landed = await beat.renew(self._holdings.batch, before, needs.is_idle)
        if doubtful is not None and has_landed:
            self._keep(doubtful)
        self._doubtful = None
        await beat.go_on(self._holdings.copy(), needs, self._unreturned)
        if not run.is_leader:
            beat.news.refusal = await _refusal(pipeline, self._listed, self._start)
        self._doubtful = beat
        return beat

    def _keep(self, beat: Beat) -> None:
        """Apply the changes of a renewal of the lease that is committed."""
        run, self._holdings, self._doubtful = self._run, beat.holdings, None
        run.shards = beat.holdings.shards
        assert beat.expires is not None
        run.expires = beat.expires
        self._unreturned -= beat.returned
        run.items_limit = beat.items_limit
        news = beat.news
        self._news = news if self._news is None else news.after(self._news)

    async def end(self, reason: str) -> None:
        """End the crawl for all workers."""
        await self._do(sql.END_RUN, (reason,))

    async def robots(self, url: str) -> tuple[int, bytes] | None:
        """Return status and body of a robots.txt response of the last day; None if
        there is none."""

        async def work(connection: Connection) -> list[Any]:
            pipeline = StatementPipeline(connection, self._listed.schema)
            return await pipeline.rows(await pipeline.send(sql.ROBOTS, (url,)))

        try:
            rows = await self._link.steadily(work)
        except RunMissing:
            return None
        return (rows[0][0], bytes(rows[0][1])) if rows else None

    async def keep_robots(self, url: str, status: int, body: bytes) -> None:
        """Store the response to a robots.txt request."""
        await self._do(sql.KEEP_ROBOTS, (url, status, body))

    async def close(self) -> None:
        await self._link.close()

    async def _do(self, statement: str, values: tuple[Any, ...]) -> None:
        async def work(connection: Connection) -> None:
            async with transaction(connection, self._listed.schema) as pipeline:
                await pipeline.send(statement, values)

        with suppress(RunMissing):
            await self._link.steadily(work)


async def _refusal(pipeline: StatementPipeline, run: ListedRun, start: RunStart) -> str:
    """Return why this worker must leave the run: the run now uses another version of
    the spider's code, or other [politeness] settings; "" if the worker may stay."""
    own = (run.id, start.code, start.politeness)
    cursor = await pipeline.send(sql.TERMS, own)
    for code, since, politeness in await pipeline.rows(cursor):
        record = msgspec.structs.replace(
            run.record, code=code, code_since=since, politeness=politeness
        )
        return refusal(record, start)
    return ""
