"""The routes that are usable, with one circuit breaker for each failing route."""

from __future__ import annotations

from crawler.frontier.circuit_breaker import MAX_PAUSES, STRAIGHT_FAILURES
from crawler.frontier.way_health import WayHealth

WAY, OTHER = "http://proxy.example:3128", "http://other.example:3128"


def failing(ways: WayHealth, times: int, now: float, way: str = WAY) -> None:
    for _ in range(times):
        ways.failed(way, now)


def test_a_route_without_failures_is_usable_at_any_time() -> None:
    ways = WayHealth()
    ways.succeeded(WAY)

    assert ways.usable_at(WAY) == ways.usable_at("") == 0.0
    assert not ways.is_given_up(WAY)


def test_ten_failures_in_a_row_pause_only_their_own_route() -> None:
    ways = WayHealth()
    failing(ways, STRAIGHT_FAILURES - 1, 100.0)
    failing(ways, 1, 100.0, OTHER)
    assert ways.usable_at(WAY) == 0.0

    failing(ways, 1, 101.0)

    assert ways.usable_at(WAY) == 161.0
    assert ways.usable_at(OTHER) == 0.0


def test_a_success_resets_the_failures_of_a_route() -> None:
    ways = WayHealth()
    failing(ways, STRAIGHT_FAILURES, 100.0)

    ways.succeeded(WAY)
    failing(ways, STRAIGHT_FAILURES - 1, 101.0)

    assert ways.usable_at(WAY) == 0.0


def test_a_route_is_given_up_after_its_pauses() -> None:
    ways = WayHealth()
    failing(ways, STRAIGHT_FAILURES, 100.0)
    for _ in range(MAX_PAUSES):
        assert not ways.is_given_up(WAY)
        ways.failed(WAY, ways.usable_at(WAY))

    assert ways.is_given_up(WAY)
    assert not ways.is_given_up(OTHER)


def test_above_the_maximum_the_oldest_failing_route_is_forgotten() -> None:
    ways = WayHealth()
    for number in range(10_000):
        failing(ways, STRAIGHT_FAILURES, 100.0, f"w{number}")
    assert ways.usable_at("w0") > 0

    ways.failed("another", 100.0)

    assert ways.usable_at("w0") == 0.0
    assert ways.usable_at("w1") > 0
