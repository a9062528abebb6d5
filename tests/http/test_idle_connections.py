"""Idle connections in the order in which they became idle."""

from __future__ import annotations

from crawler.http.idle_connections import IdleConnections
from crawler.http.timeout_wheel import TimeoutWheel
from tests.http.stills import Still, origin


def idle(wheel: TimeoutWheel, *times: float) -> tuple[IdleConnections, list[Still]]:
    kept, made = IdleConnections(wheel), [Still(origin()) for _ in times]
    for connection, time in zip(made, times, strict=True):
        kept.add(connection)
        connection.idle_since = time
    return kept, made


async def test_the_connection_that_was_idle_longest_is_the_oldest() -> None:
    wheel = TimeoutWheel(lambda now: False)
    kept, (first, second) = idle(wheel, 1.0, 2.0)

    assert kept.oldest() is first
    kept.discard(first)

    assert kept.oldest() is second
    assert len(kept) == 1
    wheel.stop()


async def test_a_connection_expires_exactly_after_its_seconds() -> None:
    wheel = TimeoutWheel(lambda now: False)
    kept, (first, _) = idle(wheel, 1.0, 2.0)

    assert kept.expired(5.9, 5.0) is None
    assert kept.expired(6.0, 5.0) is first
    assert IdleConnections(wheel).expired(6.0, 5.0) is None
    wheel.stop()


async def test_a_connection_frees_its_memory_once_after_a_second() -> None:
    wheel = TimeoutWheel(lambda now: False)
    kept, made = idle(wheel, 10.0, 10.9, 11.5)

    kept.slim(now=12.0)
    assert [each.slimmed for each in made] == [1, 1, 0]

    kept.slim(now=13.0)
    assert [each.slimmed for each in made] == [1, 1, 1]
    wheel.stop()


async def test_a_connection_that_is_not_idle_can_be_discarded_again() -> None:
    wheel = TimeoutWheel(lambda now: False)
    kept, (only,) = idle(wheel, 1.0)

    kept.discard(only)
    kept.discard(only)

    assert len(kept) == 0
    wheel.stop()
