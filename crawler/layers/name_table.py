"""Looks up host names before requests to the hosts are given to workers.

A lookup may hang for a minute. Meanwhile the host waits in the frontier, as it does for
its robots.txt. So no worker is blocked.

Rule: this table looks a host's name up once, and again after a failure. A later request
whose cached address has expired looks the name up itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from heapq import heappop, heappush

import anyio

from crawler.errors import FetchError

#: Maximum number of lookups in progress that began less than SLOW_SECONDS ago. Older
#: lookups are not counted, so that slow names do not delay other names.
MAX_LOOKUPS = 128
#: Seconds after which a lookup is slow, and no longer counts for MAX_LOOKUPS.
SLOW_SECONDS = 1.0
#: Maximum number of all lookups in progress, because each occupies a thread of the
#: resolver.
MAX_HANGING = 512
#: Seconds for which a failed lookup also fails the next requests to the host.
FAILURE_SECONDS = 1.0


class NameTable:
    """Looks up host names with `look_up`, which raises FetchError; `clock` is the event
    loop's clock.

    `wait_for` starts a lookup, and `run` does the work. After a failed lookup the
    host's next requests fail in `check`, without another lookup.
    """

    def __init__(
        self,
        look_up: Callable[[str], Awaitable[None]],
        clock: Callable[[], float],
        *,
        most: int = MAX_LOOKUPS,
    ) -> None:
        self._look_up = look_up
        self._clock = clock
        self._most = most
        #: Names of hosts whose requests may be sent, because their lookup has ended.
        self.ready: set[str] = set()
        self._waiting: dict[str, list[Callable[[], None]]] = {}
        self._queue: list[tuple[int, int, str]] = []
        self._begun = self._out = 0
        #: Hosts whose lookup began less than a second ago.
        self._young: set[str] = set()
        #: By host whose lookup failed: until when requests to the host fail, and with
        #: which error.
        self.failures: dict[str, tuple[float, FetchError]] = {}
        #: Set when there may be room for another lookup. `run` starts the lookups,
        #: because a timer's callback cannot start a task.
        self._may_begin = asyncio.Event()

    def __len__(self) -> int:
        """The number of hosts that wait for their lookup."""
        return len(self._waiting)

    def wait_for(self, host: str, priority: int, then: Callable[[], None]) -> None:
        """Look up the host's name, and call `then` when requests to the host may be
        sent."""
        waiting = self._waiting.get(host)
        if waiting is not None:
            waiting.append(then)
            return
        self._waiting[host] = [then]
        self._begun += 1
        heappush(self._queue, (-priority, self._begun, host))
        self._may_begin.set()

    def check(self, host: str, url: str) -> None:
        """Raise FetchError if a lookup of the host failed less than a second ago."""
        if host not in self.failures:
            return
        until, exc = self.failures[host]
        self.ready.discard(host)
        if self._clock() > until:
            del self.failures[host]
            return
        raise FetchError(
            exc.reason,
            exc.detail,
            url=url,
            blame=exc.blame,
            is_lasting=exc.is_lasting,
            is_free=exc.is_free,
        )

    async def run(self) -> None:
        """Run the lookups of waiting names, until cancelled."""
        async with anyio.create_task_group() as tasks:
            while True:
                while self._queue and self._has_room():
                    _, _, host = heappop(self._queue)
                    self._out += 1
                    self._young.add(host)
                    tasks.start_soon(self._ask, host)
                self._may_begin.clear()
                await self._may_begin.wait()

    def _has_room(self) -> bool:
        return len(self._young) < self._most and self._out < MAX_HANGING

    def _grown_old(self, host: str) -> None:
        self._young.discard(host)
        self._may_begin.set()

    async def _ask(self, host: str) -> None:
        self.failures.pop(host, None)
        loop = asyncio.get_running_loop()
        timer = loop.call_later(SLOW_SECONDS, self._grown_old, host)
        try:
            await self._look_up(host)
        except FetchError as exc:
            self.failures[host] = self._clock() + FAILURE_SECONDS, exc
        finally:
            timer.cancel()
        self._out -= 1
        self._young.discard(host)
        self.ready.add(host)
        for then in self._waiting.pop(host):
            then()
        self._may_begin.set()
