"""How failures change the pace of a host: the table of `Backoff`, and its parts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.frontier.circuit_breaker import MAX_PAUSES, STRAIGHT_FAILURES
from crawler.frontier.exchange import NO_CONSEQUENCE, Exchange, Sign, Verdict
from crawler.frontier.pace_policy import Backoff, RefusalSeries, Slowdown

FIRST_PAUSE = 5.0
#: What the policy promises, in numbers.
FIRST_INTERVAL, LONGEST_INTERVAL = 0.25, 60.0
KEPT, HALF_LIFE = 0.9, 15.0
EXCUSED_SECONDS, CLEAN_ANSWERS = 15 * 60.0, 3


def exchange(
    sign: Sign, page: int | None = None, after: float | None = None
) -> Exchange:
    return Exchange("a.example", sign, page=page, retry_after=after)


# -- the interval


@pytest.mark.parametrize(
    ("usual", "interval"),
    [
        pytest.param(0.0, FIRST_INTERVAL, id="a host without a rate"),
        pytest.param(0.1, FIRST_INTERVAL, id="a quick one"),
        pytest.param(0.125, FIRST_INTERVAL, id="half the first interval"),
        pytest.param(2.0, 4.0, id="a slow one"),
        pytest.param(45.0, LONGEST_INTERVAL, id="up to a minute"),
    ],
)
def test_the_first_failure_doubles_the_usual_interval(
    usual: float, interval: float
) -> None:
    slowdown = Slowdown()

    slowdown.grow(100.0, usual)

    assert slowdown.interval == interval


@pytest.mark.parametrize(
    ("seconds", "interval"),
    [
        pytest.param(0.0, 4.0, id="together"),
        pytest.param(3.9, 4.0, id="before the interval is over"),
        pytest.param(4.0, 8.0, id="as it is over"),
        pytest.param(500.0, 8.0, id="long after it"),
    ],
)
def test_failures_within_one_interval_double_it_once(
    seconds: float, interval: float
) -> None:
    slowdown = Slowdown()
    slowdown.grow(100.0, 2.0)

    slowdown.grow(100.0 + seconds, 2.0)

    assert slowdown.interval == interval


@pytest.mark.parametrize("seconds", [0.0, 1.0, HALF_LIFE, 20.0])
def test_a_good_response_shortens_the_interval_by_a_tenth_and_time_by_half(
    seconds: float,
) -> None:
    slowdown = Slowdown()
    slowdown.grow(100.0, 4.0)

    slowdown.shrink(100.0 + seconds, 0.0)

    assert slowdown.interval == pytest.approx(8.0 * KEPT * 0.5 ** (seconds / HALF_LIFE))


def test_two_good_responses_shorten_the_interval_as_their_times_say() -> None:
    slowdown = Slowdown()
    slowdown.grow(100.0, 4.0)

    slowdown.shrink(110.0, 0.0)
    slowdown.shrink(115.0, 0.0)

    assert slowdown.interval == pytest.approx(8.0 * KEPT * KEPT * 0.5)


@pytest.mark.parametrize(
    ("usual", "is_over"),
    [
        pytest.param(0.0, False, id="longer than the least"),
        pytest.param(3.5, False, id="longer than usual"),
        pytest.param(3.6, True, id="as long as usual"),
        pytest.param(9.0, True, id="shorter than usual"),
    ],
)
def test_the_backoff_ends_at_the_usual_interval(usual: float, is_over: bool) -> None:
    slowdown = Slowdown()
    slowdown.grow(100.0, 2.0)

    slowdown.shrink(100.0, usual)

    assert slowdown.interval == (0.0 if is_over else pytest.approx(3.6))


def test_without_a_rate_the_backoff_ends_below_half_the_first_interval() -> None:
    slowdown = Slowdown()
    slowdown.grow(100.0, 0.0)

    intervals = []
    while slowdown.interval:
        intervals.append(slowdown.interval)
        slowdown.shrink(100.0, 0.0)

    assert intervals[-1] * KEPT <= FIRST_INTERVAL / 2 < intervals[-1]


def test_a_response_without_an_earlier_failure_changes_nothing() -> None:
    slowdown = Slowdown()

    slowdown.shrink(100.0, 2.0)
    slowdown.grow(100.0, 2.0)

    assert slowdown.interval == 4.0


@given(
    usual=st.floats(0, 100),
    steps=st.lists(st.tuples(st.booleans(), st.floats(0, 100))),
)
def test_an_interval_is_none_or_between_the_usual_one_and_a_minute(
    usual: float, steps: list[tuple[bool, float]]
) -> None:
    slowdown, now = Slowdown(), 1000.0
    for is_trouble, seconds in steps:
        now += seconds
        before = slowdown.interval
        if is_trouble:
            slowdown.grow(now, usual)
            assert slowdown.interval >= min(before, LONGEST_INTERVAL)
        else:
            slowdown.shrink(now, usual)
            assert slowdown.interval <= before
        least = min(usual, LONGEST_INTERVAL)
        assert slowdown.interval == 0 or least <= slowdown.interval <= LONGEST_INTERVAL


# -- refusals


def series(*steps: str | tuple[int | None, float]) -> list[bool]:
    """Whether each refusal is excused; a step is `answered` or a page at a time."""
    refusals, excused = RefusalSeries(), []
    for step in steps:
        if isinstance(step, str):
            refusals.answered()
        else:
            excused.append(refusals.refused(*step))
    return excused


A, CLEAN = "answered", ("answered",) * CLEAN_ANSWERS
LAST = EXCUSED_SECONDS - 1


@pytest.mark.parametrize(
    ("steps", "excused"),
    [
        pytest.param([(7, 0), (8, 1), (7, LAST)], [True] * 3, id="a whole host"),
        pytest.param([(None, 0), (None, LAST)], [True, True], id="of no page"),
        pytest.param(
            [(7, 5), (8, 5 + LAST), (8, 5 + EXCUSED_SECONDS)],
            [True, True, False],
            id="for a quarter of an hour from the first on",
        ),
        pytest.param([A, (7, 0), (7, 1)], [False, False], id="one page alone"),
        pytest.param(
            [A, (7, 0), (8, 1), (7, 2)], [False, True, True], id="more than one page"
        ),
        pytest.param([(7, 0), (7, 1)], [True, True], id="a host that never answered"),
        pytest.param(
            [(7, 0), A, (7, 1)], [True, False], id="the only page, once it answers"
        ),
        pytest.param(
            [(7, 0), (8, 1), A, A, (7, 2)],
            [True, True, True],
            id="among some clean answers",
        ),
        pytest.param(
            [(7, 0), (8, 1), *CLEAN, (9, 2), (9, 3)],
            [True, True, False, False],
            id="one page among many clean answers",
        ),
        pytest.param(
            [(7, 0), (8, 1), *CLEAN, (9, 2), (7, 3)],
            [True, True, False, True],
            id="a new series of many pages",
        ),
        pytest.param(
            [(7, 0), *CLEAN, (7, 10), (8, 5 + EXCUSED_SECONDS)],
            [True, False, True],
            id="a new series has a quarter of an hour of its own",
        ),
        pytest.param([A, (None, 0)], [True], id="after an answer, of no page"),
        pytest.param(
            [(None, 0), *CLEAN, (None, 1), (None, 2)],
            [True, False, True],
            id="of no page among clean answers",
        ),
        pytest.param(
            [(7, 0), A, A, (8, 1), A, (7, 2)],
            [True, True, True],
            id="a refusal lets clean answers count from the beginning",
        ),
    ],
)
def test_refusals_do_not_count_as_tries_if_the_host_refuses_everything(
    steps: list[str | tuple[int | None, float]], excused: list[bool]
) -> None:
    assert series(*steps) == excused


# -- the table


def backoff() -> Backoff:
    return Backoff(lambda: FIRST_PAUSE)


@pytest.mark.parametrize(
    ("sign", "interval", "troubled_at"),
    [
        pytest.param(Sign.ANSWERED, 0.0, None, id="answered"),
        pytest.param(Sign.REFUSED, 2.0, 100.0, id="refused"),
        pytest.param(Sign.BROKEN, 2.0, 100.0, id="broken"),
        pytest.param(Sign.SILENT, 2.0, 100.0, id="silent"),
        pytest.param(Sign.NOTHING, 0.0, None, id="nothing"),
    ],
)
def test_each_failure_is_recorded_and_doubles_the_interval(
    sign: Sign, interval: float, troubled_at: float | None
) -> None:
    health = backoff()

    health.observe(exchange(sign), 100.0, 1.0)

    assert (health.interval, health.troubled_at) == (interval, troubled_at)
    assert not health.is_given_up


@pytest.mark.parametrize(
    ("sign", "given_up"),
    [(Sign.REFUSED, False), (Sign.BROKEN, False), (Sign.SILENT, True)],
)
def test_only_missing_responses_open_the_breaker_and_give_a_host_up(
    sign: Sign, given_up: bool
) -> None:
    health, now, pauses = backoff(), 100.0, []
    for _ in range(STRAIGHT_FAILURES + MAX_PAUSES):
        verdict, pause = health.observe(exchange(sign, page=7, after=0.0), now, 1.0)
        pauses.append(pause)
        now += 1000.0

    assert health.is_given_up is verdict.is_given_up is given_up
    paused = [60.0, 120.0, 240.0, 0.0] if given_up else [0.0] * 4
    assert pauses == [0.0] * (STRAIGHT_FAILURES - 1) + paused


def test_a_host_that_was_given_up_has_no_interval() -> None:
    health, now = backoff(), 100.0
    while not health.is_given_up:
        health.observe(exchange(Sign.SILENT), now, 1.0)
        now += 1000.0

    assert health.interval == 0.0


def test_a_response_after_failures_closes_the_breaker_and_shortens_the_interval() -> (
    None
):
    health = backoff()
    for _ in range(STRAIGHT_FAILURES - 1):
        health.observe(exchange(Sign.SILENT), 100.0, 1.0)

    result = health.observe(exchange(Sign.ANSWERED), 100.0, 1.0)
    _, pause = health.observe(exchange(Sign.SILENT), 100.5, 1.0)

    assert result == (NO_CONSEQUENCE, 0.0)
    assert pause == 0.0
    assert health.interval == pytest.approx(2.0 * KEPT)
    assert health.troubled_at == 100.5


@pytest.mark.parametrize(
    ("answered", "after", "expected"),
    [
        pytest.param(False, None, (True, FIRST_PAUSE), id="the host's, no Retry-After"),
        pytest.param(False, 30.0, (True, 30.0), id="the host's, with Retry-After"),
        pytest.param(False, 0.0, (True, 0.0), id="a Retry-After of no time"),
        pytest.param(True, None, (False, 0.0), id="the page's, no Retry-After"),
        pytest.param(True, 30.0, (False, 30.0), id="the page's, with Retry-After"),
    ],
)
def test_a_refusal_pauses_a_host_for_its_retry_after_or_the_first_wait(
    answered: bool, after: float | None, expected: tuple[bool, float]
) -> None:
    health = backoff()
    if answered:
        health.observe(exchange(Sign.ANSWERED), 99.0, 1.0)

    verdict, pause = health.observe(exchange(Sign.REFUSED, 7, after), 100.0, 1.0)

    assert (verdict, pause) == (Verdict(is_excused=expected[0]), expected[1])


def test_a_retry_policy_without_a_pause_pauses_a_host_for_a_second() -> None:
    assert Backoff().observe(exchange(Sign.REFUSED), 100.0, 1.0)[1] == 1.0


@given(st.lists(st.sampled_from([Sign.ANSWERED, Sign.NOTHING])))
def test_without_failures_a_host_keeps_its_pace(signs: list[Sign]) -> None:
    health = backoff()

    results = {health.observe(exchange(sign), 100.0, 1.0) for sign in signs}

    assert results <= {(NO_CONSEQUENCE, 0.0)}
    assert (health.interval, health.troubled_at) == (0.0, None)
