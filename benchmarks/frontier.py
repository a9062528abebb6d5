"""What the next request costs, by how many hosts wait.

    python -m benchmarks.frontier

Each step takes the next request, ends one that is out and queues a new one for its
host, on a clock that stands still but where nothing may go. Needs the project
importable, nothing else.
"""

import gc
import statistics
import time
from collections import deque
from dataclasses import dataclass
from itertools import count

from crawler.frontier.frontier import Frontier
from crawler.frontier.host_pace import HostPace, Pace

_HOSTS = [100, 1_000, 10_000, 50_000]
_ENTRIES = 200_000
_STEPS = 100_000
_OUT = 32
_ROUNDS = 3
_PACES = {
    "no rate": Pace(per_host=4, rate=0),
    "8 a second a host": Pace(per_host=4, rate=8),
}


@dataclass(slots=True, eq=False)
class _Entry:
    fingerprint: int
    sequence: int
    host: str
    url: str
    priority: int = 0
    depth: int = 0
    due: float = 0.0


class _Crawl:
    """A frontier with as many entries, however many hosts they are spread over."""

    def __init__(self, hosts: int, pace: Pace) -> None:
        self._numbers = count(1)
        self._frontier: Frontier[_Entry] = Frontier(
            HostPace(lambda _: pace), window=2 * _ENTRIES
        )
        self._names = [f"host-{number}.example" for number in range(hosts)]
        for number in range(_ENTRIES):
            self._push(self._names[number % hosts])
        self._out: deque[str] = deque()
        self._now = 0.0

    def step(self) -> None:
        entry = self._frontier.pop(self._now)
        while entry is None:
            if self._out:
                self._frontier.release(self._out.popleft(), self._now)
            later = self._frontier.next_time(self._now)
            if later is not None:
                self._now = max(self._now, later)
            entry = self._frontier.pop(self._now)
        self._out.append(entry.host)
        if len(self._out) > _OUT:
            self._frontier.release(self._out.popleft(), self._now)
        self._push(entry.host)

    def _push(self, host: str) -> None:
        number = next(self._numbers)
        url = f"https://{host}/{number}"
        self._frontier.push(_Entry(number, number, host, url))


def _microseconds(hosts: int, pace: Pace) -> float:
    crawl = _Crawl(hosts, pace)
    gc.collect()
    gc.freeze()
    for _ in range(_STEPS // 10):
        crawl.step()
    began = time.process_time()
    for _ in range(_STEPS):
        crawl.step()
    spent = time.process_time() - began
    gc.unfreeze()
    return spent / _STEPS * 1e6


def main() -> None:
    """Print microseconds of CPU a step, medians, and the ratio to 100 hosts."""
    for name, pace in _PACES.items():
        print(f"{name}, {_ENTRIES:,} requests queued")
        first = 0.0
        for hosts in _HOSTS:
            spent = statistics.median(
                _microseconds(hosts, pace) for _ in range(_ROUNDS)
            )
            first = first or spent
            print(f"{hosts:10,} hosts{spent:8.2f} µs{spent / first:7.2f} x")


if __name__ == "__main__":
    main()
