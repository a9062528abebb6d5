"""The connection of a worker: one at a time, made anew when it is lost.

Rule: what is sent is not cancelled half-way, for then it would not be known what has
landed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio

from crawler.errors import StoreError
from crawler.store.postgres.server import Connection, PostgresServer

T = TypeVar("T")
Work = Callable[[Connection], Awaitable[T]]

#: Seconds between two attempts, and how many attempts `steadily` makes.
PAUSE, ATTEMPTS = 1.0, 60


class WorkerLink:
    """Lets one piece of work at a time use the connection."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self._busy = anyio.Lock()
        self._connection: Connection | None = None

    async def once(self, work: Work[T]) -> T:
        """The result of `work`; StoreError: the same may be tried again."""
        async with self._busy:
            with anyio.CancelScope(shield=True):
                done = [await self._do(work)]
        return done[0]

    async def steadily(self, work: Work[T]) -> T:
        """The result of `work`, which changes nothing if it is done twice; a server
        that is away is waited for."""
        for _ in range(ATTEMPTS):
            try:
                return await self.once(work)
            except StoreError:
                await anyio.sleep(PAUSE)
        return await self.once(work)

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def _do(self, work: Work[T]) -> T:
        with self._server.translated():
            return await work(await self._connected())

    async def _connected(self) -> Connection:
        connection = self._connection
        if connection is None or connection.closed:
            await self.close()
            connection = self._connection = await self._server.connect()
        return connection
