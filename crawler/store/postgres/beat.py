"""One renewal of a worker's lease (every 0.5 s): a transaction that also exchanges
shards (groups of sites), permits to fetch pages, and news with other workers.

Rule: a renewal changes a copy of the worker's `Holdings`. The copy is used once the
transaction is known to be committed. Until then the worker sends no request to a host
that it may not own, and keeps the shards that it may still own.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from crawler.store.base import Place
from crawler.store.postgres import statements as sql
from crawler.store.postgres.arrays import Floats, Integers, Texts
from crawler.store.postgres.landing import check_fence
from crawler.store.postgres.membership import bury_outdated
from crawler.store.postgres.opening import facts_of
from crawler.store.postgres.pipeline import StatementPipeline
from crawler.store.postgres.run_state import WorkerState, decoded, summed
from crawler.store.sharing import SHARDS, Lease, Needs, News, shard_of

#: A worker that has given up sites gives up no more during this many renewals of its
#: lease (every 0.5 s), so that idle workers can take the sites.
PATIENCE = 5
#: A worker may take this many permits to fetch a page, even if its fair share of the
#: run's remaining permits is smaller.
FEW_PERMITS = 16


@dataclass(slots=True)
class Holdings:
    """The shards (groups of sites) of a worker, and how far it has read the news."""

    #: Shards (groups of sites) to whose hosts the worker may send requests.
    shards: set[int]
    #: The number of the last news (pages and facts found by other workers) that the
    #: worker has read.
    batch: int
    #: Shards (groups of sites) that the worker will release once they have no request
    #: in flight.
    leaving: set[int] = field(default_factory=set)
    #: Shards (groups of sites) for which the worker has asked their owners, and shards
    #: that it has received in this way.
    wanted: set[int] = field(default_factory=set)
    called_in: set[int] = field(default_factory=set)
    #: Number of renewals before the worker gives sites to idle workers again.
    patience: int = 0

    def copy(self) -> Holdings:
        """Return a copy that a renewal of the lease can change."""
        return Holdings(
            set(self.shards),
            self.batch,
            set(self.leaving),
            set(self.wanted),
            set(self.called_in),
            self.patience,
        )

    def part(self, count: int, has_work: AbstractSet[int]) -> frozenset[int]:
        """Return `count` shards (groups of sites) that this worker gives to others.

        The same proportion of shards with work and of shards without work is taken, so
        that the other workers get a fair share of the work.
        """
        # Keep shards that this worker has asked for: its pages will probably need them
        # again.
        free = self.shards - self.called_in
        working, idle = sorted(free & has_work), sorted(free - has_work)
        share = round(len(working) * count / len(self.shards))
        first = working[:share] + idle[: count - share]
        rest = [*working[share:], *sorted(self.called_in & self.shards)]
        return frozenset((first + rest)[:count])

    def for_idle(self, has_work: AbstractSet[int], part: float) -> frozenset[int]:
        """Return the fraction `part` of the shards (groups of sites) with work, for
        workers that have nothing to do."""
        free = sorted((self.shards - self.called_in) & has_work)
        return frozenset(free[: int(len(free) * part)])

    def leave(self, shards: AbstractSet[int]) -> None:
        """Send no more new requests to the sites in these shards.

        A later renewal of the lease releases the shards, because requests may just have
        begun that `Needs.busy` does not contain yet.
        """
        leaving = shards & self.shards
        self.shards -= leaving
        self.called_in -= leaving
        self.leaving |= leaving


class Beat:
    """The transaction that renews a worker's lease: the caller calls `renew`, then
    `go_on`, then commits."""

    def __init__(
        self, pipeline: StatementPipeline, run: WorkerState, lease: Lease
    ) -> None:
        self._pipeline = pipeline
        self._run = run
        self._lease = lease
        #: The end of the lease that this renewal sets. Each renewal sets another value,
        #: which identifies it.
        self.expires: datetime | None = None
        self.holdings: Holdings
        self.news = News()
        #: Number of unused permits to fetch pages that the worker returns to the run.
        self.returned = 0
        #: The run's limit on items; None: no limit.
        self.items_limit: int | None = None

    async def renew(
        self, batch: int, before: datetime | None, is_idle: bool = False
    ) -> bool:
        """Renew the lease. `batch` is the number of the last news that the worker has
        read.

        `before` is the end of the lease that an earlier renewal has set, if it is
        unknown whether that renewal was committed. Return whether that renewal was
        committed. Raise LeaseLost if other workers have taken over this worker's sites,
        or if the database has lost commits.
        """
        # Lock in the same order as a commit: the worker's row first, then the row of
        # the table `state`.
        pipeline, run = self._pipeline, self._run
        fence = await pipeline.send(sql.FENCE, (run.worker,))
        values = (self._lease.seconds, batch, is_idle, run.worker)
        renewed = await pipeline.send(sql.RENEW, values)
        known = (run.expires,) if before is None else (run.expires, before)
        expires = await check_fence(pipeline, fence, run, known)
        ((self.expires,),) = await pipeline.rows(renewed)
        return expires == before

    async def go_on(self, holdings: Holdings, needs: Needs, returned: int) -> None:
        """Exchange host pauses, shards (groups of sites) and news with the other
        workers; take permits to fetch pages, and give `returned` unused permits back
        to the run."""
        pipeline, run, news = self._pipeline, self._run, self.news
        self.holdings = holdings
        await bury_outdated(pipeline, self._lease)
        if needs.resting:
            await _write_rests(pipeline, needs.resting)
        if returned:
            await self._return_permits(returned)
        if needs.permits > 0:
            news.permits = await self._take_permits(needs.permits)
        if run.is_leader:
            await self._lead()
        (
            (news.workers, idle, batch, over, left, permits, news.item, items_limit),
        ) = await self._ask(sql.STANDING)
        self.items_limit = items_limit
        news.over = over or ""
        if left is not None and left + permits <= 0:
            news.over = news.over or "pages_limit"
        news.is_scarce = left is not None and left < FEW_PERMITS * news.workers
        await self._share_out(needs)
        await self._balance(needs, idle)
        news.is_moving = bool(holdings.leaving or holdings.wanted)
        await self._read_news()
        holdings.batch = batch

    async def _ask(self, statement: str, values: tuple[Any, ...] = ()) -> list[Any]:
        return await self._pipeline.rows(await self._pipeline.send(statement, values))

    async def _lead(self) -> None:
        """As the leading worker: end the crawl when nothing is pending, and remove the
        news (such as new pages of other workers' hosts) that all workers have read."""
        await self._pipeline.send(sql.FORGET_NEWS)
        if await self._ask(sql.IS_DRY) == [(True,)]:
            await self._pipeline.send(sql.END_RUN, ("finished",))

    async def _take_permits(self, wanted: int) -> int:
        """Take permits to fetch pages, at most a fair share of the run's remaining
        permits; return how many were granted."""
        ((left, busy),) = await self._ask(sql.PAGES_LEFT)
        share = max(FEW_PERMITS, math.ceil((left or 0) / max(1, busy)))
        granted: int = max(0, min(wanted, share, left or 0))
        if granted:
            await self._change_permits(granted)
        return granted

    async def _return_permits(self, amount: int) -> None:
        await self._change_permits(-amount)
        self.returned = amount

    async def _change_permits(self, granted: int) -> None:
        await self._pipeline.send(sql.RETURN_PERMITS, (-granted,))
        await self._pipeline.send(sql.ADD_PERMITS, (granted, self._run.worker))

    async def _share_out(self, needs: Needs) -> None:
        """Release those `leaving` shards (groups of sites) that have no request in
        flight. Give up shards that other workers' pages wait for, and take shards that
        this worker's pages wait for."""
        worker, holdings, news = self._run.worker, self.holdings, self.news
        free = holdings.leaving - needs.busy
        if free:
            values = (worker, Integers(sorted(free)))
            await self._pipeline.send(sql.GIVE_UP, values)
            holdings.leaving -= free
        called = await self._ask(sql.CALLED, (worker,))
        news.called = frozenset(shard for (shard,) in called)
        holdings.leave(news.called)
        await self._gain(await self._claim_wanted(needs.wanted))

    async def _balance(self, needs: Needs, idle: int) -> None:
        """Take free shards (groups of sites) up to a fair share of all shards, and give
        up shards beyond that share.

        `idle` workers have nothing to do. They take all free shards, and each of the
        busy workers gives them a part of its shards with work.
        """
        holdings, workers = self.holdings, max(1, self.news.workers)
        surplus = len(holdings.shards) - math.ceil(SHARDS / workers)
        holdings.patience = max(0, holdings.patience - 1)
        if needs.is_idle:
            await self._claim(SHARDS)
        elif surplus > 0:
            has_work = needs.busy | needs.working()
            holdings.leave(holdings.part(surplus, has_work))
            holdings.patience = PATIENCE
        elif idle and not (holdings.leaving or holdings.patience):
            has_work = needs.busy | needs.working()
            holdings.leave(holdings.for_idle(has_work, idle / workers))
            holdings.patience = PATIENCE
        elif not idle and surplus < 0:
            await self._claim(-surplus)

    async def _claim(self, most: int) -> None:
        """Take at most `most` shards (groups of sites) that no worker owns."""
        claimed = await self._ask(sql.CLAIM, (self._run.worker, most))
        await self._gain({shard for (shard,) in claimed})

    async def _gain(self, shards: set[int]) -> None:
        if shards:
            self.news.shards |= shards
            self.news.gained |= await self._hosts_of(shards)
            self.holdings.shards |= shards

    async def _claim_wanted(self, wanted: frozenset[int]) -> set[int]:
        """Ask other workers for the shards (groups of sites) `wanted`. Return the
        shards that this worker has asked for, now or earlier, and has received."""
        worker, holdings = self._run.worker, self.holdings
        if wanted:
            await self._pipeline.send(sql.WANT, (worker, Integers(sorted(wanted))))
            holdings.wanted |= wanted
        if not holdings.wanted:
            return set()
        given = {shard for (shard,) in await self._ask(sql.CLAIM_WANTED, (worker,))}
        holdings.wanted -= given
        holdings.called_in |= given
        holdings.leaving -= given
        return given

    async def _hosts_of(self, shards: Iterable[int]) -> dict[str, float]:
        """Return the hosts in these shards (groups of sites) that have pending pages or
        a pause, with the seconds of the pause."""
        rows = await self._ask(sql.GAINED, (Integers(sorted(shards)),))
        return {host: max(0.0, seconds or 0.0) for host, seconds in rows}

    async def _read_news(self) -> None:
        pipeline, run, news = self._pipeline, self._run, self.news
        batch, shards = self.holdings.batch, Integers(sorted(self.holdings.shards))
        stirred = await pipeline.send(sql.NEWS, (batch, shards))
        members = await pipeline.send(sql.FACTS, (batch,))
        cookies = await pipeline.send(sql.COOKIES, (batch,))
        others = await pipeline.send(sql.OTHERS, (run.worker,))
        for host, *place in await pipeline.rows(stirred):
            _stir(news.stirred, host, (place[0], place[1], place[2]))
        news.facts = facts_of(
            await pipeline.rows(members), await pipeline.rows(cookies), ()
        )
        counted = [decoded(counters) for (counters,) in await pipeline.rows(others)]
        run.others = summed(counted)
        news.counters = summed([run.others, run.own])


async def _write_rests(pipeline: StatementPipeline, resting: Any) -> None:
    hosts = sorted(resting)
    seconds = Floats([resting[host] for host in hosts])
    shards = Integers(map(shard_of, hosts))
    await pipeline.send(sql.REST, (Texts(hosts), shards, seconds))


def _stir(stirred: dict[str, Place], host: str, place: Place) -> None:
    stirred[host] = min(place, stirred.get(host, place))
