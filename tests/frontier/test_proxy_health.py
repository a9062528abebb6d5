"""Failing proxies are paused longer each time; a ban applies to one host."""

from __future__ import annotations

import pytest

from crawler.frontier.proxy_health import ProxyHealth

A, B, HOST = "http://a:1", "http://b:1", "site.example"


def test_a_proxy_is_paused_longer_after_each_failure_up_to_a_maximum() -> None:
    health, now, rests = ProxyHealth(), 100.0, []
    for _ in range(10):
        health.failed(A, now)
        health.failed(A, now)  # it was on its way already
        until = health.usable_at(A, HOST)
        rests.append(until - now)
        now = until

    assert rests == [5, 10, 20, 40, 80, 160, 320, 600, 600, 600]


def test_a_success_resets_the_failures_of_a_proxy() -> None:
    health = ProxyHealth()
    health.failed(A, 0.0)
    health.banned(A, HOST, 0.0)

    health.succeeded(A, HOST)

    assert health.usable_at(A, HOST) == 0


def test_a_ban_applies_only_to_its_host() -> None:
    health = ProxyHealth()

    health.banned(A, HOST, 0.0)

    assert health.usable_at(A, HOST) == 60
    assert health.usable_at(A, "other.example") == 0


@pytest.mark.parametrize(
    ("now", "expected"), [(0.0, (None, 5.0)), (5.0, (A, 5.0)), (1.0, (None, 5.0))]
)
def test_the_first_usable_proxy_is_returned_or_the_time_of_the_next_one(
    now: float, expected: tuple[str | None, float]
) -> None:
    health = ProxyHealth()
    health.failed(A, 0.0)
    health.banned(B, HOST, 0.0)

    assert health.first([A, B], HOST, now) == expected
