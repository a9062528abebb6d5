"""The entries of one host."""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heappush
from math import inf

from crawler.frontier.host_queue import NOTHING, HostQueue


@dataclass(slots=True)
class Page:
    fingerprint: int
    host: str = "a.example"
    url: str = "https://a.example/"
    priority: int = 0
    depth: int = 0
    sequence: int = 0
    due: float = 0.0
    kind: str = ""


def test_a_host_has_one_lane_for_each_scheme() -> None:
    host: HostQueue[Page] = HostQueue("a.example", "https")

    plain = host.lane("http:")

    assert host.lane("https") is host
    assert host.lane("http:") is plain
    assert [*host.lanes()] == [host, plain]


def test_each_kind_with_a_ceiling_has_its_own_lane() -> None:
    host: HostQueue[Page] = HostQueue("a.example", "https")

    lane = host.lane("https", "browser")

    assert host.lane("https", "browser") is lane
    assert host.lane("http:", "browser") is not lane
    assert len([*host.lanes()]) == 3


def test_a_hold_applies_to_all_present_and_future_lanes_of_an_origin() -> None:
    host: HostQueue[Page] = HostQueue("a.example", "https")
    known = host.lane("http:", "browser")

    host.hold("http:", 50.0)

    assert host.held_until == host.lane("https", "browser").held_until == 0.0
    assert known.held_until == host.lane("http:", "player").held_until == 50.0


def test_a_held_lane_returns_entries_again_when_it_opens() -> None:
    host: HostQueue[Page] = HostQueue("a.example", "https")
    host.held_until = 50.0
    assert host.next_time() == inf

    heappush(host.later, (80.0, 1, 7))
    assert host.next_time() == 80.0

    heappush(host.ready, (0, 0, 1, 1, Page(8)))
    assert host.next_time() == 50.0


def test_a_host_without_entries_and_holds_is_empty() -> None:
    host: HostQueue[Page] = HostQueue("a.example", "https")
    assert host.is_empty(1.0)

    host.lane("http:").held_until = 5.0

    assert not host.is_empty(4.9)
    assert host.is_empty(5.0)


def test_the_last_place_is_the_worst_place_of_all_lanes() -> None:
    host: HostQueue[Page] = HostQueue("a.example", "https")
    assert host.last({}) == NOTHING

    first, last = (0, 1, 1, 1, Page(1)), (0, 3, 2, 2, Page(2))
    heappush(host.ready, first)
    heappush(host.lane("http:").later, (9.0, 2, 2))

    assert host.last({1: first, 2: last}) == (0, 3, 2)
    assert host.fingerprints() == {1, 2}
    assert host.count_ready() == 1
