"""One worker of a shared run: its lease, its shards, and the news from other workers.

Rule: it has its own connection, so that a long commit does not delay the lease.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from typing import Any

import msgspec

from crawler.errors import LeaseLost
from crawler.store.base import Place, RunStart
from crawler.store.postgres import statements as sql
from crawler.store.postgres.arrays import Floats, Integers, Texts
from crawler.store.postgres.catalog import ListedRun
from crawler.store.postgres.landing import GIVEN_UP
from crawler.store.postgres.link import WorkerLink
from crawler.store.postgres.membership import bury_outdated
from crawler.store.postgres.opening import facts_of
from crawler.store.postgres.pipeline import StatementPipeline, transaction
from crawler.store.postgres.run_state import WorkerState, decoded, summed
from crawler.store.postgres.server import Connection, PostgresServer
from crawler.store.same_run import refusal
from crawler.store.sharing import SHARDS, Lease, Needs, News, shard_of


class PostgresTeam:
    """The workers of a run, as seen by one of them."""

    def __init__(
        self,
        server: PostgresServer,
        listed: ListedRun,
        start: RunStart,
        run: WorkerState,
        monotonic: Callable[[], float],
        lease: Lease,
    ) -> None:
        self.lease = lease
        self._link = WorkerLink(server)
        self._listed = listed
        self._start = start
        self._run = run
        self._monotonic = monotonic
        self.is_leader = run.is_leader
        self.is_limited = run.is_limited
        self.deadline = monotonic() + lease.seconds - lease.margin
        #: Shards that will be released once they have no request in flight.
        self._leaving: set[int] = set()
        #: Shards that this worker has asked for, and shards that it received in this
        #: way.
        self._wanted: set[int] = set()
        self._called_in: set[int] = set()

    def owns(self, host: str) -> bool:
        """Return whether this worker may send requests to the host."""
        return self._run.owns(host)

    async def beat(self, needs: Needs) -> News:
        """Renew the lease, take a fair share of the shards, and return the news.

        LeaseLost: other workers have taken over this worker's shards.
        """
        sent = self._monotonic()

        async def work(connection: Connection) -> News:
            async with transaction(connection, self._listed.schema) as pipeline:
                return await self._beat(pipeline, needs)

        news = await self._link.once(work)
        self.deadline = sent + self.lease.seconds - self.lease.margin
        return news

    async def _beat(self, pipeline: StatementPipeline, needs: Needs) -> News:
        run, given = self._run, 0
        # Lock in the same order as a commit: the worker's row first, then the run's.
        renewed = await pipeline.send(
            sql.RENEW, (self.lease.seconds, run.batch, run.worker)
        )
        if not await pipeline.rows(renewed):
            self.deadline = -math.inf
            raise LeaseLost(GIVEN_UP)
        await bury_outdated(pipeline, self.lease)
        if needs.resting:
            await _write_rests(pipeline, needs.resting)
        if needs.permits:
            given = await self._exchange_permits(pipeline, needs.permits)
        if run.is_leader:
            await self._lead(pipeline)
        ((workers, batch, over, left, permits, item, limit),) = await pipeline.rows(
            await pipeline.send(sql.STANDING)
        )
        news = News(item=item, workers=workers, permits=given, over=over or "")
        if left == 0 and permits == 0:
            news.over = news.over or "pages_limit"
        self.is_limited = run.is_limited = left is not None
        run.items_limit = limit
        if not run.is_leader:
            news.refusal = await _refusal(pipeline, self._listed, self._start)
        await self._share_out(pipeline, workers, needs, news)
        await self._read_news(pipeline, news)
        run.batch = batch
        return news

    async def _lead(self, pipeline: StatementPipeline) -> None:
        """End the crawl when nothing is pending; remove news that all workers have
        read."""
        await pipeline.send(sql.FORGET_NEWS)
        if await pipeline.rows(await pipeline.send(sql.IS_DRY)) == [(True,)]:
            await pipeline.send(sql.END_RUN, ("finished",))

    async def _exchange_permits(self, pipeline: StatementPipeline, wanted: int) -> int:
        """Take permits or return some; return how many were granted."""
        given = wanted
        if wanted > 0:
            cursor = await pipeline.send(sql.TAKE_PERMITS, (wanted, wanted))
            ((given,),) = await pipeline.rows(cursor)
            given = given or 0
        else:
            await pipeline.send(sql.RETURN_PERMITS, (-wanted,))
        await pipeline.send(sql.ADD_PERMITS, (given, self._run.worker))
        return given

    async def _share_out(
        self, pipeline: StatementPipeline, workers: int, needs: Needs, news: News
    ) -> None:
        """Take free shards up to a fair share, and release shards beyond it.

        Shards that pages wait for change their owner in any case.
        """
        run = self._run
        free = self._leaving - needs.busy
        if free:
            await pipeline.send(sql.GIVE_UP, (run.worker, Integers(sorted(free))))
            self._leaving -= free
        called = await pipeline.send(sql.CALLED, (run.worker,))
        news.called = frozenset(shard for (shard,) in await pipeline.rows(called))
        self._leave(news.called)
        gained = await self._claim_wanted(pipeline, needs.wanted)
        fair = math.ceil(SHARDS / max(1, workers))
        if len(run.shards) > fair:
            # A shard that was asked for will probably be needed again.
            kept = needs.busy | self._called_in
            surplus = sorted(run.shards, key=lambda shard: shard in kept)
            self._leave(frozenset(surplus[: len(run.shards) - fair]))
        elif len(run.shards) < fair:
            wanted = fair - len(run.shards)
            cursor = await pipeline.send(sql.CLAIM, (run.worker, wanted))
            gained |= {shard for (shard,) in await pipeline.rows(cursor)}
        if gained:
            news.shards = frozenset(gained)
            news.gained = await hosts_of(pipeline, gained)
            run.shards |= gained

    def _leave(self, shards: AbstractSet[int]) -> None:
        """Start no more requests in these shards.

        A later beat releases them, because requests may just have begun that
        `Needs.busy` does not contain yet.
        """
        leaving = shards & self._run.shards
        self._run.shards -= leaving
        self._called_in -= leaving
        self._leaving |= leaving

    async def _claim_wanted(
        self, pipeline: StatementPipeline, wanted: frozenset[int]
    ) -> set[int]:
        """Ask for these shards; return those that this worker has received by now."""
        worker = self._run.worker
        if wanted:
            await pipeline.send(sql.WANT, (worker, Integers(sorted(wanted))))
            self._wanted |= wanted
        if not self._wanted:
            return set()
        cursor = await pipeline.send(sql.CLAIM_WANTED, (worker,))
        given = {shard for (shard,) in await pipeline.rows(cursor)}
        self._wanted -= given
        self._called_in |= given
        self._leaving -= given
        return given

    async def _read_news(self, pipeline: StatementPipeline, news: News) -> None:
        run = self._run
        shards = Integers(sorted(run.shards))
        stirred = await pipeline.send(sql.NEWS, (run.batch, shards))
        members = await pipeline.send(sql.FACTS, (run.batch,))
        cookies = await pipeline.send(sql.COOKIES, (run.batch,))
        others = await pipeline.send(sql.OTHERS, (run.worker,))
        for host, *place in await pipeline.rows(stirred):
            _stir(news.stirred, host, (place[0], place[1], place[2]))
        news.facts = facts_of(
            await pipeline.rows(members), await pipeline.rows(cookies), ()
        )
        counted = [decoded(counters) for (counters,) in await pipeline.rows(others)]
        run.others = summed(counted)
        news.counters = summed([run.others, run.own])

    async def end(self, reason: str) -> None:
        """End the crawl for all workers."""
        await self._do(sql.END_RUN, (reason,))

    async def robots(self, url: str) -> tuple[int, bytes] | None:
        """Return the response to a robots.txt request of the last day: status and
        body."""

        async def work(connection: Connection) -> list[Any]:
            pipeline = StatementPipeline(connection, self._listed.schema)
            return await pipeline.rows(await pipeline.send(sql.ROBOTS, (url,)))

        rows = await self._link.steadily(work)
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

        await self._link.steadily(work)


async def hosts_of(
    pipeline: StatementPipeline, shards: Iterable[int]
) -> dict[str, float]:
    """Return hosts in the shards with pending entries or a pause: the seconds of the
    pause."""
    column = Integers(sorted(shards))
    rows = await pipeline.rows(await pipeline.send(sql.GAINED, (column,)))
    return {host: max(0.0, seconds or 0.0) for host, seconds in rows}


async def _refusal(pipeline: StatementPipeline, run: ListedRun, start: RunStart) -> str:
    """Return why this worker must leave: the run was resumed with other code; "" if
    not."""
    cursor = await pipeline.send(sql.CODE, (run.id, start.code))
    for code, since in await pipeline.rows(cursor):
        record = msgspec.structs.replace(run.record, code=code, code_since=since)
        return refusal(record, start.job, start.code)
    return ""


async def _write_rests(pipeline: StatementPipeline, resting: Any) -> None:
    hosts = sorted(resting)
    seconds = Floats([resting[host] for host in hosts])
    shards = Integers(map(shard_of, hosts))
    await pipeline.send(sql.REST, (Texts(hosts), shards, seconds))


def _stir(stirred: dict[str, Place], host: str, place: Place) -> None:
    stirred[host] = min(place, stirred.get(host, place))
