"""Limits on the requests in flight by kind ("ceilings"), and the queues of the hosts
that wait.

A kind is `Request.kind`, for example "browser". Each kind with a limit has its own
queue of hosts. The queue of a kind at its limit is not searched, so the cost does not
grow with the number of waiting hosts.

Rule: no I/O, no clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from heapq import heappush
from math import inf
from typing import Generic

from crawler.frontier.host_queue import READY, E, HostQueue, OriginQueue, QueueKey
from crawler.frontier.ready_queue import RankedFifo


class KindLines(Generic[E]):
    """Counts the requests in flight by kind (such as "browser"), and keeps a queue of
    hosts for each kind with a limit.

    `ceilings` has the maximum number of requests in flight by kind. A kind without a
    limit has no queue in this object: its hosts are in a common queue, `others`.
    """

    def __init__(self, ceilings: Mapping[str, int]) -> None:
        self._free = dict(ceilings)
        self._lines: dict[str, RankedFifo[HostQueue[E]]] = {
            kind: RankedFifo() for kind in ceilings
        }

    def bounded(self, kind: str) -> str | None:
        """Return `kind` (such as "browser") if a limit applies to its requests in
        flight, else None."""
        return kind if kind in self._free else None

    def has_place(self, kind: str) -> bool:
        """Return whether the limit on this kind of requests (such as "browser") allows
        a further request in flight."""
        return self._free.get(kind, 1) > 0

    def take(self, kind: str) -> None:
        """Count the start of a request of this kind (such as "browser")."""
        if kind in self._free:
            self._free[kind] -= 1

    def give_back(self, kind: str) -> None:
        """Count the end of a request of this kind (such as "browser")."""
        if kind in self._free:
            self._free[kind] += 1

    def push(
        self, host: HostQueue[E], lane: OriginQueue[E], kind: str, place: QueueKey[E]
    ) -> None:
        """Add an entry that is due to its queue at the host. If the host may receive a
        request now, put the host into the queue of this kind of requests (such as
        "browser")."""
        is_best = not lane.ready or place[0] < lane.ready[0][0]
        heappush(lane.ready, place)
        if is_best and host.state is READY:
            self._lines[kind].push(place[0], host.stamp, host)

    def line_up(
        self,
        host: HostQueue[E],
        now: float,
        others: RankedFifo[HostQueue[E]],
        most: int,
    ) -> None:
        """Put a host into the queue of each kind of request that it has (such as
        "browser"), and into `others` if it has requests of a kind without a limit.

        Outdated records are removed from a queue with more than `most` records.
        """
        host.rank = inf
        for lane in host.lanes():
            if not lane.ready or lane.held_until > now:
                continue
            rank = lane.ready[0][0]
            if lane.kind is not None:
                line = self._lines[lane.kind]
                line.push(rank, host.stamp, host)
                if len(line) > most:
                    line.tidy(lambda stamp, host: stamp == host.stamp)
            elif rank < host.rank:
                host.rank = rank
                others.push(rank, host.stamp, host)

    def count_open(self, others: RankedFifo[HostQueue[E]]) -> int:
        """Return an upper estimate of the number of hosts in `others` and in the queues
        of kinds of requests (such as "browser") that are below their limit. Outdated
        records count, too."""
        open_lines = (
            line for kind, line in self._lines.items() if self._free[kind] > 0
        )
        return len(others) + sum(map(len, open_lines))

    def next_line(self, others: RankedFifo[HostQueue[E]]) -> RankedFifo[HostQueue[E]]:
        """Return `others`, or the queue of a kind of requests (such as "browser") below
        its limit: the queue whose first host has the lowest rank (negative priority).
        Of equal ranks, the host that was queued first counts."""
        best, found = others.first_place(), others
        for kind, line in self._lines.items():
            if self._free[kind] > 0:
                place = line.first_place()
                if place is not None and (best is None or place < best):
                    best, found = place, line
        return found

    def open_lane(self, host: HostQueue[E], now: float) -> OriginQueue[E] | None:
        """Return the host's queue (of one origin and one kind of requests) with the
        next entry, among the kinds (such as "browser") that are below their limit; None
        if there is no such queue."""
        best: OriginQueue[E] | None = None
        for lane in host.lanes():
            is_full = lane.kind is not None and self._free[lane.kind] <= 0
            if not lane.ready or lane.held_until > now or is_full:
                continue
            if best is None or lane.ready[0] < best.ready[0]:
                best = lane
        return best
