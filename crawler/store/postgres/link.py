"""A worker's database connection; a lost connection is opened again.

Rule: a statement that was sent is never cancelled, because then it would be unknown
whether the statement was committed.
"""

from __future__ import annotations

import asyncio
import math
import os
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

import anyio
from psycopg import errors

from crawler.errors import StoreError
from crawler.store.postgres.server import Connection, PostgresServer

MISSING = (
    "the database has lost the run (a failover to a replica without it, a restored "
    "backup, or its tables were dropped)"
)

T = TypeVar("T")
Work = Callable[[Connection], Awaitable[T]]

#: Seconds between two attempts of `steadily`.
PAUSE = 1.0
#: The usual number of attempts of `steadily`.
ATTEMPTS = 60


class RunMissing(StoreError):
    """The database has no tables of the run. The next renewal of the lease, or
    the next commit, raises LeaseLost."""


class Locked(StoreError):
    """Another session has held a lock for too long."""


class WorkerLink:
    """A connection of a worker, which only one operation at a time may use.

    A statement waits for a lock for at most `lock_timeout` seconds; None: the server's
    setting, usually without an end.
    """

    def __init__(
        self, server: PostgresServer, lock_timeout: float | None = None
    ) -> None:
        self._server = server
        self._lock_timeout = lock_timeout
        self._busy = anyio.Lock()
        self._connection: Connection | None = None
        #: Number of seconds for which the server has not responded when the connection
        #: was cut; 0: the connection was not cut.
        self._silent = 0.0

    async def once(self, work: Work[T], *, limit: float = math.inf) -> T:
        """Call `work` with the connection, and return its result. Raise StoreError if
        the call may be tried again, or takes more than `limit` seconds."""
        async with self._busy:
            with anyio.CancelScope(shield=True):
                done = [await self._within(limit, work)]
        return done[0]

    async def steadily(
        self, work: Work[T], *, attempts: int = ATTEMPTS, limit: float = math.inf
    ) -> T:
        """Call `work` until it succeeds, and return its result; `work` must be safe to
        repeat.

        After `attempts` failed attempts `work` is tried once more, and its error is
        raised. The second attempt comes at once; before later ones there is a pause,
        because the server may be unavailable.
        """
        for attempt in range(attempts):
            try:
                return await self.once(work, limit=limit)
            except RunMissing:
                raise
            except StoreError:
                if attempt:
                    await anyio.sleep(PAUSE)
        return await self.once(work, limit=limit)

    def cut(self, seconds: float) -> None:
        """Break the connection if an operation uses it, because the server has not
        responded for so many seconds. The operation raises StoreError."""
        connection = self._connection
        if not self._busy.locked() or connection is None or connection.closed:
            return
        self._silent = seconds
        with suppress(OSError), socket.socket(fileno=os.dup(connection.fileno())) as it:
            it.shutdown(socket.SHUT_RDWR)

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def _within(self, limit: float, work: Work[T]) -> T:
        if limit == math.inf:
            return await self._do(work)
        timer = asyncio.get_running_loop().call_later(limit, self.cut, limit)
        try:
            return await self._do(work)
        finally:
            timer.cancel()

    async def _do(self, work: Work[T]) -> T:
        try:
            with self._server.translated():
                try:
                    return await work(await self._connected())
                except (errors.UndefinedTable, errors.InvalidSchemaName) as exc:
                    raise RunMissing(MISSING) from exc
                except errors.LockNotAvailable as exc:
                    raise Locked(str(self._server.error_of(exc))) from exc
        except StoreError as exc:
            silent, self._silent = self._silent, 0.0
            # After a failed statement the server skips the statements behind it in the
            # pipeline. psycopg may believe that one of these is prepared, so this
            # connection is not used again.
            await self.close()
            if silent:
                raise StoreError(
                    f"the database {self._server.text} has not responded for "
                    f"{silent:g} s"
                ) from exc
            raise

    async def _connected(self) -> Connection:
        connection = self._connection
        if connection is None or connection.closed:
            await self.close()
            connection = self._connection = await self._server.connect(
                self._lock_timeout
            )
        return connection
