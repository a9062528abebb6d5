"""When a circuit breaker opens, for how long, and when it gives up."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.frontier.circuit_breaker import (
    MAX_PAUSES,
    STRAIGHT_FAILURES,
    BreakerState,
    CircuitBreaker,
)


def opened(now: float = 0.0) -> CircuitBreaker:
    """A breaker that has just opened: its pause ends a minute later."""
    breaker = CircuitBreaker()
    for _ in range(STRAIGHT_FAILURES):
        breaker.fail(now)
    return breaker


def given_up() -> CircuitBreaker:
    breaker = opened()
    for _ in range(MAX_PAUSES):
        breaker.fail(breaker.open_until)
    return breaker


def test_a_new_breaker_is_closed() -> None:
    breaker = CircuitBreaker()

    assert breaker.state is BreakerState.CLOSED
    assert (breaker.open_until, breaker.pauses) == (0.0, 0)
    assert not breaker.is_given_up


def test_the_tenth_failure_in_a_row_begins_a_pause_of_a_minute() -> None:
    breaker = CircuitBreaker()

    pauses = [breaker.fail(100.0 + number) for number in range(10)]

    assert pauses == [0.0] * 9 + [60.0]
    assert breaker.state is BreakerState.OPEN
    assert breaker.open_until == 109.0 + 60.0
    assert breaker.pauses == 1


def test_a_success_resets_the_number_of_failures() -> None:
    breaker = CircuitBreaker()
    for _ in range(9):
        breaker.fail(1.0)

    breaker.succeed()

    assert [breaker.fail(2.0) for _ in range(10)] == [0.0] * 9 + [60.0]


@pytest.mark.parametrize(
    ("seconds", "pause"),
    [
        pytest.param(0.0, 0.0, id="as it opens"),
        pytest.param(59.9, 0.0, id="just before the pause ends"),
        pytest.param(60.0, 120.0, id="as the pause ends"),
        pytest.param(3600.0, 120.0, id="long after it"),
    ],
)
def test_a_failure_after_the_pause_begins_a_pause_of_twice_the_length(
    seconds: float, pause: float
) -> None:
    breaker = opened(1000.0)

    assert breaker.fail(1000.0 + seconds) == pause
    assert breaker.open_until == (1000.0 + seconds + pause if pause else 1060.0)


def test_a_failure_after_three_pauses_in_a_row_gives_up() -> None:
    breaker, pauses = opened(), [60.0]
    while not breaker.is_given_up:
        pauses.append(breaker.fail(breaker.open_until))

    assert pauses == [60.0, 120.0, 240.0, 0.0]
    assert breaker.state is BreakerState.GIVEN_UP


def test_a_breaker_that_gave_up_begins_no_pause() -> None:
    breaker = given_up()

    assert [breaker.fail(1e6 + number) for number in range(20)] == [0.0] * 20
    assert breaker.is_given_up


@pytest.mark.parametrize(
    "breaker",
    [
        pytest.param(CircuitBreaker(), id="closed"),
        pytest.param(opened(), id="open"),
        pytest.param(given_up(), id="given up, by an answer that was on its way"),
    ],
)
def test_a_success_closes_the_breaker_and_resets_the_length_of_the_pause(
    breaker: CircuitBreaker,
) -> None:
    breaker.succeed()

    assert breaker.state is BreakerState.CLOSED
    assert breaker.pauses == 0
    assert [breaker.fail(1e6) for _ in range(10)] == [0.0] * 9 + [60.0]


STEPS = st.lists(st.tuples(st.booleans(), st.sampled_from([0.0, 1.0, 61.0, 300.0])))


@given(STEPS)
def test_pauses_never_overlap_and_grow_until_a_success(
    steps: list[tuple[bool, float]],
) -> None:
    breaker, now = CircuitBreaker(), 0.0
    series: list[tuple[float, float]] = []  # begin and length of pauses in a row
    for is_failure, seconds in steps:
        now += seconds
        if not is_failure:
            breaker.succeed()
            series.clear()
        elif pause := breaker.fail(now):
            series.append((now, pause))

        assert len(series) == breaker.pauses <= MAX_PAUSES
        assert breaker.open_until == (sum(series[-1]) if series else breaker.open_until)
        for (begun, pause), (later, longer) in pairwise(series):
            assert later >= begun + pause
            assert longer == 2 * pause
