"""Decides when the requests of a spider's `fetch`, which are not in the frontier (the
queue of the crawl), may be sent.

A turn is the permission to send one request to a host now. The requests keep the pace
of their host. They go before the host's queued requests, because a half-finished page
waits for them. They count against the limit on requests of their kind (`Request.kind`,
such as "browser").

Rule: `wake` hands out the turns, and costs nothing while no request waits.
"""

from __future__ import annotations

import asyncio
from collections import deque

from crawler.frontier.host_pace import HostPace
from crawler.frontier.kind_lines import KindLines
from crawler.layers import rates
from crawler.request import Entry


class OwnTurns:
    """Hands out the turns of hosts (rights to send one request) to waiting requests of
    a spider's `fetch`, the longest wait first.

    At the end of a request to a host the scheduler calls `wake` for the host.
    """

    def __init__(
        self,
        hosts: HostPace,
        rate: rates.TotalRate | None,
        kinds: KindLines[Entry] | None = None,
    ) -> None:
        self._hosts = hosts
        self._rate = rate
        self._kinds = kinds
        self._loop = asyncio.get_running_loop()
        #: By host: the requests that wait, each with its kind (`Request.kind`, such as
        #: "browser").
        self._waiting: dict[str, deque[tuple[asyncio.Future[None], str]]] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}

    @property
    def has_waiting(self) -> bool:
        """Whether a request waits for its turn (the right to be sent to its host)."""
        return bool(self._waiting)

    async def take(self, host: str, kind: str = "") -> None:
        """Wait until a request may be sent to the host: take a turn (the right to send
        one request), and count the request against the limit on its kind (such as
        "browser"). The caller gives both back."""
        turn: asyncio.Future[None] = self._loop.create_future()
        self._waiting.setdefault(host, deque()).append((turn, kind))
        self.wake(host)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._hosts.give_back(host, self._loop.time(), asked=False)
                if self._kinds is not None:
                    self._kinds.give_back(kind)
            raise
        finally:
            self._drop_over(host)

    def wake_all(self) -> None:
        """Give turns (rights to be sent now) to all waiting requests that may have one.
        Called when the crawl-wide rate allows a request, or when a request with a
        limited kind (such as "browser") has ended."""
        for host in list(self._waiting):
            self.wake(host)

    def wake(self, host: str) -> None:
        """If a request may be sent to the host now, let the first waiting request be
        sent."""
        self._drop_over(host)
        queue = self._waiting.get(host)
        following = self._first(queue) if queue else None
        if not queue or following is None:
            # the limit on the kind of request (such as "browser") is reached;
            # `wake_all` is called when such a request ends
            return
        if self._rate is not None and not self._rate.allows:
            self._rate.ask()
            return
        now = self._loop.time()
        at = self._hosts.ready_at(host, now)
        if at is None:
            # the host is at its limit of parallel requests; when one of them ends,
            # `wake` is called
            return
        if at > now:
            self._wake_at(host, at)
            return
        if self._rate is not None:
            self._rate.allows = False
        self._hosts.take(host, now)
        turn, kind = following
        queue.remove(following)
        if self._kinds is not None:
            self._kinds.take(kind)
        turn.set_result(None)
        self.wake(host)

    def _first(
        self, queue: deque[tuple[asyncio.Future[None], str]]
    ) -> tuple[asyncio.Future[None], str] | None:
        """Return the first waiting request whose kind (such as "browser") is below its
        limit of requests in flight."""
        for waiting in queue:
            turn, kind = waiting
            if not turn.done() and (self._kinds is None or self._kinds.has_place(kind)):
                return waiting
        return None

    def _wake_at(self, host: str, at: float) -> None:
        timer = self._timers.pop(host, None)
        if timer is not None:
            timer.cancel()
        self._timers[host] = self._loop.call_at(at, self.wake, host)

    def _drop_over(self, host: str) -> None:
        """Remove the cancelled requests to the host; forget the host if no request
        waits for it."""
        queue = self._waiting.get(host)
        while queue and queue[0][0].done():
            queue.popleft()
        if queue is not None and not queue:
            del self._waiting[host]
            timer = self._timers.pop(host, None)
            if timer is not None:
                timer.cancel()
