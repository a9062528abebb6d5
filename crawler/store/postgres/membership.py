"""Who works on a run: joining, and burying workers that are gone.

Rule: a worker is buried some time after its lease is over, or when its process is seen
to be gone on this machine. A worker that is landing a group at this moment holds its
own row; it is passed over until the group has landed.
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
    """The machine, or the container, whose process numbers are known here."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")
        names = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return socket.gethostname()
    return f"{socket.gethostname()} {boot[:8]} {names[5:-1]}"


async def bury_outdated(pipeline: StatementPipeline, lease: Lease) -> None:
    """Give the shards and permits of workers back whose lease is over."""
    outdated = await pipeline.send(sql.OUTDATED, (lease.hold,))
    await bury(pipeline, [worker for (worker,) in await pipeline.rows(outdated)])


async def bury_killed(pipeline: StatementPipeline, here: str) -> None:
    """The same for workers of this machine whose process is gone."""
    known = await pipeline.send(sql.HERE, (here,))
    killed = [worker for worker, pid in await pipeline.rows(known) if not is_alive(pid)]
    if killed:
        locked = await pipeline.send(sql.LOCK_WORKERS, (Bigints(killed),))
        await bury(pipeline, [worker for (worker,) in await pipeline.rows(locked)])


async def bury(pipeline: StatementPipeline, workers: list[int]) -> None:
    """Mark workers as dead, and give their shards and permits back."""
    if workers:
        column = Bigints(workers)
        await pipeline.send(sql.BURY, (column, column))
        await pipeline.send(sql.UNWANT, (column,))


def is_alive(pid: int) -> bool:
    """Whether a process of this machine is alive."""
    if pid == os.getpid():  # it has joined before, in this process
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
