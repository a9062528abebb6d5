"""Opens a run: takes the job, joins the run as a worker, reads what the run knows."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable
from typing import Any

import msgspec

from crawler.errors import JobLocked
from crawler.store.base import Facts, Opening, RunStart
from crawler.store.job_name import check_job_name
from crawler.store.postgres import statements as sql
from crawler.store.postgres.catalog import KeptRuns, ListedRun, choose, prepare
from crawler.store.postgres.link_rows import REJECTED_LIMIT
from crawler.store.postgres.pipeline import StatementPipeline, transaction
from crawler.store.postgres.run_state import WorkerState, decoded, summed
from crawler.store.postgres.server import Connection, PostgresServer
from crawler.store.postgres.write_rows import START_ENDED, TEXTS


async def open_run(
    connection: Connection,
    server: PostgresServer,
    start: RunStart,
    keep: KeptRuns,
    now: float,
) -> tuple[ListedRun, bool]:
    """Take the job, and find its unfinished run or make a new one."""
    check_job_name(start.job)
    await prepare(connection, server)
    await lock_job(connection, start.job)
    return await choose(connection, server, start, keep, now)


async def lock_job(connection: Connection, job: str) -> None:
    """Hold the job for as long as the connection lasts, or JobLocked."""
    row = await (await connection.execute(sql.LOCK_JOB, (job,))).fetchone()
    if row == (True,):
        return
    rows = await (await connection.execute(sql.RUNS, (job,))).fetchall()
    raise JobLocked(
        f"Job {job!r} is being run by {await _holder(connection, rows)}; "
        "wait for it to end, or use --job NAME for a job of its own"
    )


async def _holder(connection: Connection, rows: Iterable[Any]) -> str:
    for number, version, *_ in rows:
        if version is not None:
            text = sql.of_run(sql.HOLDER, f"crawler_run_{number}")
            row = await (await connection.execute(text)).fetchone()
            if row is not None:
                since = row[2].isoformat(timespec="seconds")
                return f"process {row[1]} on {row[0]} since {since}"
    return "another process"


async def join(
    connection: Connection, run: ListedRun, is_resumed: bool, now: float
) -> tuple[WorkerState, Opening]:
    """Become a worker of the run, and read what it knows."""
    async with transaction(connection, run.schema) as pipeline:
        for statement in (sql.LEAVE_ALL, *sql.DROP_STAGED):
            await pipeline.send(statement)
        me = (socket.gethostname(), os.getpid())
        joined = await pipeline.send(sql.JOIN, me)
        totals = await pipeline.send(sql.TOTALS)
        state = await pipeline.send(sql.STATE)
        group = await pipeline.send(sql.NEXT_GROUP)
        rejected = await pipeline.send(sql.REJECTED_RULES, (REJECTED_LIMIT,))
        earlier = await pipeline.send(sql.EARLIER_ITEMS)
        duplicates = await pipeline.send(sql.DUPLICATES)
        facts = await read_facts(pipeline)
        hosts = await pipeline.send(sql.PENDING_HOSTS)
        waiting = await pipeline.send(sql.WAITING, (now,))
        ((worker,),) = await pipeline.rows(joined)
        counted = await pipeline.rows(totals)
        others = summed([decoded(counters) for counters, _ in counted])
        seconds = max((spent for _, spent in counted), default=0.0)
        ((item, start_items, start_values, counts),) = await pipeline.rows(state)
        ((number,),) = await pipeline.rows(group)
        run_state = WorkerState(
            worker,
            commits=0,
            others=others,
            item=item,
            start_items=start_items,
            start_values=start_values,
            duplicates=(await pipeline.rows(duplicates))[0][0],
            start_counts=msgspec.json.decode(counts),
            group=number,
            rejected=dict(await pipeline.rows(rejected)),
            earlier_items=dict(await pipeline.rows(earlier)),
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
    return run_state, opening


async def read_facts(pipeline: StatementPipeline) -> Facts:
    """All facts that are stored."""
    members = await pipeline.send(sql.FACTS)
    cookies = await pipeline.send(sql.COOKIES)
    return facts_of(await pipeline.rows(members), await pipeline.rows(cookies))


def facts_of(members: Iterable[Any], cookies: Iterable[Any]) -> Facts:
    """The facts that rows hold."""
    facts = Facts()
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
