"""Turns for requests that do not wait in the frontier: those of `self.fetch`.

They keep the pace of their host like all others. They go before the host's queued
entries, for a page that is half done waits for them.

Rule: the turns are handed out by `wake`, which costs nothing while nobody waits.
"""

from __future__ import annotations

import asyncio
from collections import deque

from crawler.frontier.host_pace import HostPace
from crawler.layers import rates


class OwnTurns:
    """Hands out turns of hosts, first come, first served.

    `released` is told when a turn is over, for others that wait for the same host.
    """

    def __init__(self, hosts: HostPace, rate: rates.TotalRate | None) -> None:
        self._hosts = hosts
        self._rate = rate
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}

    @property
    def has_waiting(self) -> bool:
        """Whether somebody waits for a turn."""
        return bool(self._waiting)

    async def take(self, host: str) -> None:
        """Return when a turn of the host was taken; `HostPace.give_back` ends it."""
        turn: asyncio.Future[None] = self._loop.create_future()
        self._waiting.setdefault(host, deque()).append(turn)
        self.wake(host)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._hosts.give_back(host, self._loop.time(), asked=False)
            raise
        finally:
            self._drop_over(host)

    def wake_all(self) -> None:
        """Something has changed, such as the crawl-wide rate."""
        for host in list(self._waiting):
            self.wake(host)

    def wake(self, host: str) -> None:
        """The host may have a turn free: give it to the first that waits."""
        self._drop_over(host)
        queue = self._waiting.get(host)
        if not queue:
            return
        if self._rate is not None and not self._rate.allows:
            self._rate.ask()
            return
        now = self._loop.time()
        at = self._hosts.ready_at(host, now)
        if at is None:
            return  # all its turns are out; `wake` comes with the next one
        if at > now:
            self._wake_at(host, at)
            return
        if self._rate is not None:
            self._rate.allows = False
        self._hosts.take(host, now)
        queue.popleft().set_result(None)
        self.wake(host)

    def _wake_at(self, host: str, at: float) -> None:
        timer = self._timers.pop(host, None)
        if timer is not None:
            timer.cancel()
        self._timers[host] = self._loop.call_at(at, self.wake, host)

    def _drop_over(self, host: str) -> None:
        """Forget those that were cancelled, and hosts for which nobody waits."""
        queue = self._waiting.get(host)
        while queue and queue[0].done():
            queue.popleft()
        if queue is not None and not queue:
            del self._waiting[host]
            timer = self._timers.pop(host, None)
            if timer is not None:
                timer.cancel()
