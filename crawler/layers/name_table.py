"""Names of hosts, looked up before their requests are given to workers.

A lookup may hang for a minute. Its host waits in the frontier meanwhile, as a host does
whose robots.txt is not here yet, so that no worker waits for it.

Rule: a name is looked up here once, and again after a failure. What has become outdated
since then is looked up by the exchange itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from heapq import heappop, heappush

import anyio
from anyio.abc import TaskGroup

from crawler.errors import FetchError

#: Lookups that begin at a time. One that takes a second counts no more, so that names
#: which hang do not hold up others; but each holds a thread of the resolver.
MAX_LOOKUPS, SLOW_SECONDS, MAX_HANGING = 128, 1.0, 512
#: Seconds for which a failure stands for the requests that were given out with it.
FAILURE_SECONDS = 1.0


class NameTable:
    """Looks names up by `look_up`, which raises FetchError; `clock` is the loop's.

    `wait_for` begins, `run` does the work. Of a host that failed the next requests
    fail by `check`, without a lookup of their own.
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
        #: Hosts, as entries name them, whose requests may be given out.
        self.ready: set[str] = set()
        self._waiting: dict[str, list[Callable[[], None]]] = {}
        self._queue: list[tuple[int, int, str]] = []
        self._begun = self._out = 0
        #: Hosts whose lookup began less than a second ago.
        self._young: set[str] = set()
        #: By host: until when its requests fail, and why.
        self.failures: dict[str, tuple[float, FetchError]] = {}
        self._tasks: TaskGroup | None = None

    def __len__(self) -> int:
        """How many hosts wait for their names."""
        return len(self._waiting)

    def wait_for(self, host: str, priority: int, then: Callable[[], None]) -> None:
        """Look the host's name up, and call `then` when its requests may go."""
        waiting = self._waiting.get(host)
        if waiting is not None:
            waiting.append(then)
            return
        self._waiting[host] = [then]
        self._begun += 1
        heappush(self._queue, (-priority, self._begun, host))
        self._begin()

    def check(self, host: str, url: str) -> None:
        """FetchError if the host's name could not be looked up a moment ago."""
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
        """Do the lookups, until cancelled."""
        async with anyio.create_task_group() as self._tasks:
            self._begin()
            await anyio.sleep_forever()

    def _begin(self) -> None:
        while self._tasks is not None and self._queue and self._has_room():
            _, _, host = heappop(self._queue)
            self._out += 1
            self._young.add(host)
            self._tasks.start_soon(self._ask, host)

    def _has_room(self) -> bool:
        return len(self._young) < self._most and self._out < MAX_HANGING

    def _grown_old(self, host: str) -> None:
        self._young.discard(host)
        self._begin()

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
        self._begin()
