"""The workers of a run: joining, and removing workers that have ended ("burying").

Rule: a worker is buried some time after its lease has ended, or when its process on
this machine no longer exists. A worker that is just committing has locked its own row;
such a worker is skipped until the commit is done. If the worker was paused in the
middle of the commit, or its machine is gone, the others end its database session.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Sequence
from pathlib import Path

from anyio import to_thread

from crawler.errors import JobLocked
from crawler.stats import counted
from crawler.store.postgres import statements as sql
from crawler.store.postgres.arrays import Bigints
from crawler.store.postgres.pipeline import StatementPipeline
from crawler.store.postgres.server import Connection
from crawler.store.sharing import Lease

logger = logging.getLogger(__name__)


def machine() -> str:
    """Return the name of this machine or container: process numbers are unique only
    inside it."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")
        names = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return socket.gethostname()
    return f"{socket.gethostname()} {boot[:8]} {names[5:-1]}"


async def bury_outdated(pipeline: StatementPipeline, lease: Lease) -> None:
    """Bury workers whose lease has ended: their sites, and their permits to fetch
    pages, go back to the run."""
    lapsed = await pipeline.rows(await pipeline.send(sql.LAPSED, (lease.hold,)))
    if not lapsed:
        return
    outdated = await pipeline.rows(await pipeline.send(sql.OUTDATED, (lease.hold,)))
    await bury(pipeline, [worker for (worker,) in outdated])
    if len(outdated) < len(lapsed):  # the next call buries the others
        await end_silent(pipeline.connection, [pipeline.schema], lease)


async def end_silent(
    connection: Connection, schemas: Sequence[str], lease: Lease
) -> None:
    """End the database sessions that hold locks in these schemas, but have sent nothing
    for `lease.silence` seconds; their transactions are rolled back."""
    values = (lease.silence, list(schemas))
    rows = await (await connection.execute(sql.END_SILENT, values)).fetchall()
    if rows != [(0,)]:
        logger.warning(
            "Ended %s of this job that had locked rows and then sent nothing for %.1f "
            "s: the process is paused, or its machine is gone",
            counted(rows[0][0], "database session"),
            lease.silence,
        )


async def bury_killed(pipeline: StatementPipeline, here: str) -> None:
    """Bury workers of this machine whose process no longer exists: their sites, and
    their permits to fetch pages, go back to the run."""
    known = await pipeline.send(sql.HERE, (here,))
    killed = [worker for worker, pid in await pipeline.rows(known) if not is_alive(pid)]
    if killed:
        locked = await pipeline.send(sql.LOCK_WORKERS, (Bigints(killed),))
        await bury(pipeline, [worker for (worker,) in await pipeline.rows(locked)])


async def bury(pipeline: StatementPipeline, workers: list[int]) -> None:
    """Mark workers as dead, and give their shards (groups of sites), and their permits
    to fetch pages, back to the run."""
    if workers:
        column = Bigints(workers)
        await pipeline.send(sql.BURY, (column, column))
        await pipeline.send(sql.UNWANT, (column,))


async def check_unled(pipeline: StatementPipeline, job: str, lease: Lease) -> None:
    """Raise JobLocked if a process leads the run."""
    alive = await pipeline.rows(await pipeline.send(sql.ALIVE))
    for _, machine_name, pid, is_leader, since, seconds in alive:
        if is_leader:
            name = machine_name.partition(" ")[0]
            left = max(0.0, seconds) + lease.hold
            raise JobLocked(
                f"Job {job!r} is being run by process {pid} on {name} since "
                f"{since.isoformat(timespec='seconds')}; join that run by `crawl work` "
                "with the same spider and --job, or use --job NAME for a separate job "
                f"(if the process has died, its claim on the job ends in {left:.0f} s)"
            )


async def dismiss(pipeline: StatementPipeline, job: str, lease: Lease) -> float:
    """Bury all workers of a run that a new run replaces. Raise JobLocked if a worker
    leads the run.

    Return the seconds for which one of these workers may still send requests.
    """
    await bury_outdated(pipeline, lease)
    await bury_killed(pipeline, await to_thread.run_sync(machine))
    await check_unled(pipeline, job, lease)
    alive = await pipeline.rows(await pipeline.send(sql.ALIVE))
    await bury(pipeline, [row[0] for row in alive])
    return max((row[-1] + lease.hold for row in alive), default=0.0)


def is_alive(pid: int) -> bool:
    """Return whether a process with this number exists on this machine."""
    if pid == os.getpid():  # this process itself has joined the run before
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
