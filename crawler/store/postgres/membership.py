"""The workers of a run: joining, and removing workers that have ended ("burying").

Rule: a worker is buried some time after its lease has ended, or when its process on
this machine no longer exists. A worker that is just committing has locked its own row;
such a worker is skipped until the commit is done.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path

from crawler.store.postgres import statements as sql
from crawler.store.postgres.arrays import Bigints
from crawler.store.postgres.pipeline import StatementPipeline
from crawler.store.sharing import Lease


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
    """Bury workers whose lease has ended: their sites and page permits go back to the
    run."""
    outdated = await pipeline.send(sql.OUTDATED, (lease.hold,))
    await bury(pipeline, [worker for (worker,) in await pipeline.rows(outdated)])


async def bury_killed(pipeline: StatementPipeline, here: str) -> None:
    """Bury workers of this machine whose process no longer exists: their sites and page
    permits go back to the run."""
    known = await pipeline.send(sql.HERE, (here,))
    killed = [worker for worker, pid in await pipeline.rows(known) if not is_alive(pid)]
    if killed:
        locked = await pipeline.send(sql.LOCK_WORKERS, (Bigints(killed),))
        await bury(pipeline, [worker for (worker,) in await pipeline.rows(locked)])


async def bury(pipeline: StatementPipeline, workers: list[int]) -> None:
    """Mark workers as dead, and give their shards (groups of sites) and page permits
    back to the run."""
    if workers:
        column = Bigints(workers)
        await pipeline.send(sql.BURY, (column, column))
        await pipeline.send(sql.UNWANT, (column,))


def is_alive(pid: int) -> bool:
    """Return whether a process of this machine exists."""
    if pid == os.getpid():  # this process itself has joined the run before
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
