"""Opens a run: finds it, joins it as a worker, and reads its stored state."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from typing import Any

import anyio
import msgspec
from anyio import to_thread

from crawler.errors import NoRun, StoreError
from crawler.store.base import Facts, Opening, RunStart
from crawler.store.job_name import check_job_name
from crawler.store.postgres import statements as sql
from crawler.store.postgres.arrays import Integers
from crawler.store.postgres.catalog import KeptRuns, ListedRun, choose, prepare
from crawler.store.postgres.link import PAUSE, Locked, T, Work, WorkerLink
from crawler.store.postgres.link_rows import REJECTED_LIMIT
from crawler.store.postgres.membership import (
    bury_killed,
    bury_outdated,
    check_unled,
    end_silent,
    machine,
)
from crawler.store.postgres.pipeline import StatementPipeline, transaction
from crawler.store.postgres.run_state import WorkerState, decoded, summed
from crawler.store.postgres.server import Connection, PostgresServer
from crawler.store.postgres.write_rows import START_ENDED, TEXTS
from crawler.store.sharing import SHARDS, Lease

logger = logging.getLogger(__name__)


class PatientLink:
    """A connection for opening and finishing a run. It waits for locks, and ends
    sessions that hold locks of the job but send nothing."""

    def __init__(self, server: PostgresServer, job: str, lease: Lease) -> None:
        self._link = WorkerLink(server, lease.silence)
        self._job = job
        self._lease = lease
        self._has_told = False

    async def do(
        self, work: Work[T], *, attempts: int = 1, limit: float = math.inf
    ) -> T:
        """Call `work` with the connection until no lock is in its way, and return its
        result; `work` must be safe to repeat.

        Of several `attempts` after other errors, each takes at most `limit` seconds.
        """
        while True:
            try:
                return await self._link.once(work, limit=limit)
            except Locked as exc:
                if not self._has_told:
                    self._has_told = True
                    logger.warning("Waiting for another process: %s", exc)
                with suppress(StoreError):  # then `work` fails, too
                    await self._link.once(self._end_silent, limit=self._lease.seconds)
            except StoreError:
                attempts -= 1
                if not attempts:
                    raise
                await anyio.sleep(PAUSE)

    async def _end_silent(self, connection: Connection) -> None:
        exists = await (await connection.execute(sql.CATALOG_EXISTS)).fetchone()
        if exists != (True,):
            return
        rows = await (await connection.execute(sql.SCHEMAS, (self._job,))).fetchall()
        await end_silent(connection, [schema for (schema,) in rows], self._lease)

    async def close(self) -> None:
        await self._link.close()


async def open_run(
    connection: Connection,
    server: PostgresServer,
    start: RunStart,
    keep: KeptRuns,
    lease: Lease,
) -> tuple[ListedRun, bool]:
    """Return the job's unfinished run, or create one; a joining worker creates none."""
    check_job_name(start.job)
    await prepare(connection, server)
    return await choose(connection, server, start, keep, lease)


async def join(
    connection: Connection,
    run: ListedRun,
    start: RunStart,
    is_resumed: bool,
    now: float,
    lease: Lease,
) -> tuple[WorkerState, Opening]:
    """Join the run as a worker, and read its stored state."""
    here = await to_thread.run_sync(machine)
    async with transaction(connection, run.schema) as pipeline:
        if start.is_leader:
            await pipeline.send(sql.LOCK_ALIVE)
        await bury_outdated(pipeline, lease)
        await bury_killed(pipeline, here)
        if start.is_leader:
            await check_unled(pipeline, start.job, lease)
        else:
            begun = await pipeline.rows(await pipeline.send(sql.HAS_BEGUN))
            # Before a leader has begun the run, its limits and code are unknown.
            if begun != [(True,)]:
                raise NoRun(
                    f"the run of job {start.job!r} cannot be joined until `crawl run` "
                    "has begun it"
                )
        me = (here, os.getpid(), start.is_leader, lease.seconds)
        (row,) = await pipeline.rows(await pipeline.send(sql.JOIN, me))
        worker = row[0]
        # Until COMMIT no worker can take permits to fetch pages, or set limits.
        state = await pipeline.send(sql.LOCK_STATE)
        if start.is_leader:
            ((_, pages_before, items_before),) = await pipeline.rows(state)
            left = await _pages_left(pipeline, start.pages)
            await pipeline.send(sql.SET_LIMITS, (start.items, left))
            # The other workers must read a changed limit on pages only if it was added
            # or removed, or is lower than the number of pages that they may fetch.
            has_other = (pages_before is None) != (left is None) or (left or 0) < 0
            if has_other or items_before != start.items:
                await pipeline.send(sql.REJOIN, (worker,))
            code = (start.code, start.started, run.id, start.code)
            await pipeline.send(sql.SET_CODE, code)
            await pipeline.send(sql.SET_POLITENESS, (start.politeness, run.id))
        alive = await pipeline.rows(await pipeline.send(sql.ALIVE))
        # If this worker is the only one, all results written aside come from workers
        # that have ended, so no page will commit them.
        if len(alive) == 1:
            for statement in sql.DROP_STAGED:
                await pipeline.send(statement)
        fair = math.ceil(SHARDS / len(alive))
        claimed = await pipeline.send(sql.CLAIM, (worker, fair))
        shards = {shard for (shard,) in await pipeline.rows(claimed)}
        return await _read(pipeline, run, row, shards, is_resumed, now)


async def _pages_left(pipeline: StatementPipeline, limit: int | None) -> int | None:
    """Return how many permits to fetch a page the run may still grant; negative if
    workers hold too many. None if there is no limit on pages."""
    if limit is None:
        return None
    rows = await pipeline.rows(await pipeline.send(sql.PAGES_TAKEN))
    done = sum(decoded(counters).pages for counters, _ in rows)
    held: int = sum(permits for _, permits in rows)
    return max(0, limit - done) - held


async def _read(
    pipeline: StatementPipeline,
    run: ListedRun,
    row: tuple[int, datetime, datetime],
    shards: set[int],
    is_resumed: bool,
    now: float,
) -> tuple[WorkerState, Opening]:
    totals = await pipeline.send(sql.TOTALS)
    state = await pipeline.send(sql.STATE)
    group = await pipeline.send(sql.NEXT_GROUP)
    rejected = await pipeline.send(sql.REJECTED_RULES, (REJECTED_LIMIT,))
    earlier = await pipeline.send(sql.EARLIER_ITEMS)
    duplicates = await pipeline.send(sql.DUPLICATES)
    facts = await read_facts(pipeline)
    owned = (Integers(sorted(shards)),)
    hosts = await pipeline.send(sql.PENDING_HOSTS, owned)
    for host, rest in await pipeline.rows(await pipeline.send(sql.GAINED, owned)):
        if rest is not None and rest > 0:
            facts.pauses[host] = now + rest
    waiting = await pipeline.send(sql.WAITING, (now,))
    counted = await pipeline.rows(totals)
    others = summed([decoded(counters) for counters, _ in counted])
    seconds = max((spent for _, spent in counted), default=0.0)
    ((item, items, values, counts, batch, limit, limited),) = await pipeline.rows(state)
    ((number,),) = await pipeline.rows(group)
    worker, joined, expires = row
    worker_state = WorkerState(
        worker,
        commits=0,
        joined=joined,
        expires=expires,
        others=others,
        item=item,
        start_items=items,
        group=number,
        start_values=values,
        duplicates=(await pipeline.rows(duplicates))[0][0],
        start_counts=msgspec.json.decode(counts),
        rejected=dict(await pipeline.rows(rejected)),
        earlier_items=dict(await pipeline.rows(earlier)),
        shards=shards,
        batch=batch,
        items_limit=limit,
        is_limited=limited,
        earlier=seconds,
    )
    opening = Opening(
        run.record.number,
        run.record.started,
        is_resumed,
        seconds,
        others,
        facts,
        dict(await pipeline.rows(hosts)),
        item,
        (await pipeline.rows(waiting))[0][0],
    )
    return worker_state, opening


async def read_facts(pipeline: StatementPipeline) -> Facts:
    """Return all stored facts of the run, which a resumed run needs."""
    members = await pipeline.send(sql.FACTS, (-1,))
    cookies = await pipeline.send(sql.COOKIES, (-1,))
    pauses = await pipeline.send(sql.PAUSES)
    return facts_of(
        await pipeline.rows(members),
        await pipeline.rows(cookies),
        await pipeline.rows(pauses),
    )


def facts_of(
    members: Iterable[Any], cookies: Iterable[Any], pauses: Iterable[Any]
) -> Facts:
    """Convert rows of the tables `facts`, `cookies` and `pauses` to `Facts`."""
    facts = Facts(pauses=dict(pauses))
    for name, value in members:
        if name == START_ENDED:
            facts.start_ended = True
        elif name in TEXTS:
            setattr(facts, name, value)
        else:
            getattr(facts, name).add(value)
    for session, domain, jar in cookies:
        facts.cookies[session, domain] = jar
    return facts
