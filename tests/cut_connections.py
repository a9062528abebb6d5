"""A proxy before PostgreSQL's socket that cuts a connection at a statement.

A statement is a Query or an Execute message of the client. The proxy cuts before it has
passed the statement on; after the server has done it, and before the client has the
answer; or late: the client is cut off, and the server gets the statement only once the
client is back with another connection.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import StrEnum
from pathlib import Path

_QUERY, _EXECUTE = b"Q", b"E"
_FLUSH = b"H\0\0\0\4"
_SYNC = b"S\0\0\0\4"
#: What ends one Execute: complete, empty, suspended.
_ENDS = (b"C", b"I", b"s")


class When(StrEnum):
    """When a connection is cut."""

    BEFORE = "before"
    AFTER = "after"
    LATE = "late"


class CuttingProxy:
    """Passes on what client and server say, and cuts once it is told to."""

    def __init__(self, folder: Path, port: str = "5432") -> None:
        self._server = str(folder / f".s.PGSQL.{port}")
        #: Statements since `arm`; whether the connection was cut since then.
        self.statements = 0
        self.has_cut = False
        self._at = 0
        self._when = When.BEFORE
        #: Ends the wait of a statement that is late.
        self._is_back = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    def arm(self, at: int = 0, when: When = When.BEFORE) -> None:
        """Cut at the statement with this number, counted from now on; 0: at none."""
        self.statements, self.has_cut = 0, False
        self._at, self._when = at, when

    async def connected(
        self, client: asyncio.StreamReader, answers: asyncio.StreamWriter
    ) -> None:
        self._is_back.set()
        server, requests = await asyncio.open_unix_connection(self._server)
        connection = _Connection(client, answers, server, requests)
        back = asyncio.create_task(connection.answer())
        try:
            requests.write(await connection.first_message())
            while True:
                kind, message = await connection.message()
                if kind in (_QUERY, _EXECUTE):
                    self.statements += 1
                    if self.statements == self._at:
                        await self._cut(connection, kind, message)
                        return
                connection.send(kind, message)
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            back.cancel()
            for writer in (answers, requests):
                writer.close()

    async def _cut(self, connection: _Connection, kind: bytes, message: bytes) -> None:
        self.has_cut = True
        self._is_back.clear()
        connection.is_cut = True
        if self._when is When.AFTER:
            connection.send(kind, message + (_FLUSH if kind == _EXECUTE else b""))
            await connection.until_done()
        connection.answers.transport.abort()
        if self._when is When.LATE:
            # Also the rest that the client has sent in one go: here only its Sync.
            await self._is_back.wait()
            await asyncio.sleep(0.02)
            connection.send(kind, message + (_SYNC if kind == _EXECUTE else b""))
            await connection.until_done()


class _Connection:
    def __init__(
        self,
        client: asyncio.StreamReader,
        answers: asyncio.StreamWriter,
        server: asyncio.StreamReader,
        requests: asyncio.StreamWriter,
    ) -> None:
        self._client, self.answers = client, answers
        self._server, self._requests = server, requests
        #: Statements that the server has not ended, and who waits for that.
        self._open: deque[bytes] = deque()
        self._done = asyncio.Event()
        self.is_cut = False

    async def first_message(self) -> bytes:
        size = await self._client.readexactly(4)
        return size + await self._client.readexactly(int.from_bytes(size) - 4)

    async def message(self) -> tuple[bytes, bytes]:
        return await _message(self._client)

    def send(self, kind: bytes, message: bytes) -> None:
        if kind in (_QUERY, _EXECUTE):
            self._open.append(kind)
        self._requests.write(message)

    async def until_done(self) -> None:
        while self._open:
            self._done.clear()
            await self._done.wait()

    async def answer(self) -> None:
        """Pass answers on, and see which statements they end."""
        try:
            while True:
                kind, message = await _message(self._server)
                if kind == b"E":
                    self._open.clear()
                elif kind == b"Z" and _QUERY in self._open:
                    self._open.remove(_QUERY)
                elif kind in _ENDS and self._open and self._open[0] == _EXECUTE:
                    self._open.popleft()
                self._done.set()
                if not self.is_cut:
                    self.answers.write(message)
        except (asyncio.IncompleteReadError, ConnectionError):
            self._open.clear()
            self._done.set()
            self.answers.close()


async def _message(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    head = await reader.readexactly(5)
    body = await reader.readexactly(int.from_bytes(head[1:]) - 4)
    return head[:1], head + body


@asynccontextmanager
async def cutting(folder: Path, server: Path) -> AsyncIterator[CuttingProxy]:
    """A proxy with its socket in `folder`, before the server with its own there."""
    proxy = CuttingProxy(server)
    path = str(folder / ".s.PGSQL.5432")
    async with await asyncio.start_unix_server(proxy.connected, path):
        yield proxy
