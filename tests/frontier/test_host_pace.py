"""The pace of each host: requests in flight and intervals."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.frontier.circuit_breaker import MAX_PAUSES, STRAIGHT_FAILURES
from crawler.frontier.exchange import Exchange, PaceChange, Sign
from crawler.frontier.host_pace import HostPace, Pace
from crawler.frontier.pace_policy import EXCUSED_SECONDS, LONGEST_INTERVAL

HOST = "a.example"
#: Troubles are remembered for an hour.
MEMORY = 3600.0


def hosts_of(per_host: int = 4, rate: float = 0.0) -> HostPace:
    return HostPace(lambda host: Pace(per_host, rate))


def fetch(hosts: HostPace, now: float, host: str = HOST) -> None:
    hosts.take(host, now)
    hosts.give_back(host, now)


def answered(hosts: HostPace, now: float) -> None:
    hosts.observe(Exchange(HOST, Sign.ANSWERED), now)


def broken(hosts: HostPace, now: float) -> None:
    hosts.observe(Exchange(HOST, Sign.BROKEN), now)


def silent(hosts: HostPace, now: float) -> bool:
    """No answer; whether the host is given up by it."""
    return hosts.observe(Exchange(HOST, Sign.SILENT), now).is_given_up


def refused(
    hosts: HostPace, now: float, page: int | None = None, after: float | None = None
) -> bool:
    """429 or 503; whether it is excused."""
    exchange = Exchange(HOST, Sign.REFUSED, page=page, retry_after=after)
    return hosts.observe(exchange, now).is_excused


def paused_until(hosts: HostPace, now: float) -> float:
    ready = hosts.ready_at(HOST, now)
    return 0.0 if ready is None else ready


def wait(hosts: HostPace, now: float) -> float:
    """Seconds until the host may be asked after a request now."""
    fetch(hosts, now)
    ready = hosts.ready_at(HOST, now)
    assert ready is not None
    return ready - now


def test_a_new_host_may_receive_a_request_at_once() -> None:
    assert hosts_of(rate=1.0).ready_at(HOST, 5.0) == 0.0


def test_a_host_gives_no_more_turns_than_its_ceiling() -> None:
    hosts = hosts_of(per_host=2)

    assert hosts.take(HOST, 1.0) is not None
    assert hosts.take(HOST, 1.0) is None
    assert hosts.ready_at(HOST, 99.0) is None
    hosts.give_back(HOST, 2.0)
    assert hosts.ready_at(HOST, 2.0) is not None


def test_a_late_request_does_not_make_the_next_one_earlier() -> None:
    hosts = hosts_of(rate=10.0)
    hosts.take(HOST, 1.0)

    assert hosts.take(HOST, 1.35) == pytest.approx(1.45)


def test_each_host_has_its_own_pace() -> None:
    paces = {"slow": Pace(1, 0.5), "quick": Pace(8, 0)}
    hosts = HostPace(paces.__getitem__)

    assert hosts.take("slow", 10.0) is None
    hosts.give_back("slow", 10.0)
    assert hosts.ready_at("slow", 10.0) == 12.0
    assert hosts.take("quick", 10.0) == 10.0


def test_a_turn_without_a_request_is_returned() -> None:
    hosts = hosts_of(rate=1.0)
    fetch(hosts, 1.0)
    hosts.take(HOST, 2.0)

    hosts.give_back(HOST, 2.4, asked=False)

    assert hosts.ready_at(HOST, 2.4) == 2.0


def test_a_turn_is_not_returned_if_another_request_may_have_been_sent_since() -> None:
    hosts = hosts_of(rate=1.0)
    hosts.take(HOST, 1.0)
    hosts.take(HOST, 2.0)

    hosts.give_back(HOST, 2.5, asked=False)

    assert hosts.ready_at(HOST, 2.5) == 3.0


def test_the_last_turn_is_returned_by_its_ticket_with_others_in_flight() -> None:
    hosts = hosts_of(rate=1.0)
    hosts.take(HOST, 1.0, ticket=7)
    hosts.take(HOST, 2.0, ticket=8)

    hosts.give_back(HOST, 2.5, asked=False, ticket=8)
    assert hosts.ready_at(HOST, 2.5) == 2.0

    hosts.give_back(HOST, 2.5, asked=False, ticket=7)
    assert hosts.ready_at(HOST, 2.5) == 2.0


def test_a_shorter_pause_does_not_end_the_pause_of_a_host() -> None:
    hosts = hosts_of()

    hosts.pause(HOST, 70.0, 10.0)
    hosts.pause(HOST, 30.0, 20.0)

    assert hosts.ready_at(HOST, 20.0) == 70.0


def test_overlapping_pauses_count_once() -> None:
    hosts = hosts_of()
    hosts.pause(HOST, 20.0, 10.0)
    hosts.pause(HOST, 25.0, 15.0)
    assert hosts.paused_for(HOST, 18.0) == pytest.approx(8.0)
    hosts.pause(HOST, 60.0, 50.0)

    assert hosts.paused_for(HOST, 50.0) == pytest.approx(15.0)
    assert hosts.paused_for(HOST, 99.0) == pytest.approx(25.0)
    assert hosts.paused_for("other", 99.0) == 0.0


def test_crawl_delay_applies_from_the_request_that_read_it() -> None:
    hosts = hosts_of(rate=8.0)
    hosts.take(HOST, 10.0)

    hosts.crawl_delay(HOST, 2.5)

    assert hosts.ready_at(HOST, 10.2) == 12.5


def test_crawl_delay_is_limited_and_never_makes_a_host_faster() -> None:
    hosts = hosts_of(rate=0.5)
    hosts.crawl_delay(HOST, 0.1)
    assert wait(hosts, 100.0) == 2.0

    hosts.crawl_delay(HOST, 86400.0)
    assert wait(hosts, 200.0) == 60.0

    hosts.crawl_delay(HOST, 0.0)
    assert wait(hosts, 300.0) == 2.0


@pytest.mark.parametrize(
    ("seconds", "interval"),
    [
        pytest.param(0.5, 0.5, id="under a second"),
        pytest.param(0.0, 0.0, id="none"),
        pytest.param(-1.0, 0.0, id="less than none"),
    ],
)
def test_without_a_rate_only_the_crawl_delay_applies(
    seconds: float, interval: float
) -> None:
    hosts = hosts_of(rate=0.0)
    hosts.crawl_delay(HOST, seconds)

    assert wait(hosts, 100.0) == interval


def test_crawl_delay_is_kept_after_the_host_was_idle() -> None:
    hosts = hosts_of(rate=8.0)
    fetch(hosts, 1.0)
    hosts.crawl_delay(HOST, 5.0)
    for number in range(5):
        fetch(hosts, 100.0 + number, host=f"h{number}")

    assert wait(hosts, 1000.0) == 5.0


def test_each_failure_doubles_the_interval_up_to_a_minute() -> None:
    hosts = hosts_of(rate=2.0)
    intervals = []
    now = 1000.0
    for _ in range(9):
        broken(hosts, now)
        intervals.append(wait(hosts, now))
        now += 100.0

    assert intervals[:4] == [1.0, 2.0, 4.0, 8.0]
    assert intervals[-1] == LONGEST_INTERVAL


def test_failures_at_the_same_time_double_the_interval_once() -> None:
    hosts = hosts_of(rate=2.0)

    for _ in range(4):
        broken(hosts, 1000.0)

    assert wait(hosts, 1000.0) == 1.0


def test_a_host_without_a_rate_slows_down_too() -> None:
    hosts = hosts_of()

    broken(hosts, 1000.0)

    assert 0.1 < wait(hosts, 1000.0) < 1.0


def test_a_host_has_its_usual_pace_again_after_a_quiet_minute() -> None:
    hosts = hosts_of(rate=8.0)
    now = 1000.0
    for _ in range(4):
        broken(hosts, now)
        now += 10.0
    assert wait(hosts, now) == 2.0

    answered(hosts, now + 1.0)
    answered(hosts, now + 62.0)

    assert wait(hosts, now + 62.0) == 0.125


def test_refusals_between_good_responses_still_slow_a_host_down() -> None:
    hosts = hosts_of(rate=8.0)
    now = 1000.0
    for _ in range(6):
        broken(hosts, now)
        answered(hosts, now + 1.9)
        now += 2.0

    assert wait(hosts, now) > 1.0


def test_good_responses_speed_a_host_up_step_by_step() -> None:
    hosts = hosts_of(rate=1.0)
    for now in (1000.0, 1010.0, 1020.0):
        broken(hosts, now)
    before = wait(hosts, 1030.0)

    answered(hosts, 1030.0)

    assert 1.0 < wait(hosts, 1030.0) < before


def test_ten_requests_without_a_response_pause_a_host_for_a_minute() -> None:
    hosts = hosts_of()
    for number in range(STRAIGHT_FAILURES):
        assert paused_until(hosts, 1000.0) < 1001.0
        silent(hosts, 1000.0 + number / 100)

    assert paused_until(hosts, 1001.0) == pytest.approx(1060.09)


def test_a_silent_host_is_paused_longer_each_time_and_then_given_up() -> None:
    hosts = hosts_of()
    now, pauses = 1000.0, []
    for _ in range(STRAIGHT_FAILURES - 1):
        silent(hosts, now)
    for _ in range(MAX_PAUSES):
        assert not silent(hosts, now)
        until = paused_until(hosts, now)
        pauses.append(until - now)
        now = until

    assert pauses == [60.0, 120.0, 240.0]
    assert silent(hosts, now)
    assert hosts.is_given_up(HOST)
    assert hosts.ready_at(HOST, now) == 0.0


def test_failures_during_a_pause_change_nothing() -> None:
    hosts = hosts_of()
    for _ in range(STRAIGHT_FAILURES):
        silent(hosts, 1000.0)
    until = paused_until(hosts, 1000.0)
    for _ in range(MAX_PAUSES + 2):
        assert not silent(hosts, 1001.0)

    assert paused_until(hosts, 1001.0) == until


def test_a_response_ends_a_series_of_failures() -> None:
    hosts = hosts_of()
    for _ in range(STRAIGHT_FAILURES - 1):
        silent(hosts, 1000.0)

    answered(hosts, 1001.0)
    silent(hosts, 1002.0)

    assert paused_until(hosts, 1002.0) < 1060.0


def test_a_response_after_the_pauses_restores_a_host() -> None:
    hosts, now = hosts_of(), 1000.0
    for _ in range(STRAIGHT_FAILURES):
        silent(hosts, now)
    now = paused_until(hosts, now)

    answered(hosts, now)
    for _ in range(STRAIGHT_FAILURES - 1):
        assert not silent(hosts, now)

    assert paused_until(hosts, now) < now + 60.0


def test_a_429_or_503_pauses_its_host_for_its_retry_after() -> None:
    hosts = hosts_of()
    answered(hosts, 999.0)

    refused(hosts, 1000.0, page=7, after=120.0)

    assert paused_until(hosts, 1000.0) == 1120.0


def test_a_429_or_503_without_retry_after_pauses_its_host_briefly() -> None:
    hosts = hosts_of()

    refused(hosts, 1000.0, page=7)

    assert paused_until(hosts, 1000.0) == 1001.0


def test_failures_that_are_not_caused_by_the_host_change_nothing() -> None:
    hosts = hosts_of(rate=2.0)

    for _ in range(20):
        hosts.observe(Exchange(HOST, Sign.NOTHING), 1000.0)

    assert wait(hosts, 1000.0) == 0.5


@pytest.mark.parametrize(
    ("rate", "is_charged"),
    [
        pytest.param(0.5, False, id="two seconds apart"),
        pytest.param(4.0, True, id="a quarter of a second apart"),
    ],
)
def test_a_second_request_of_a_visit_is_charged_only_if_the_interval_is_short(
    rate: float, is_charged: bool
) -> None:
    hosts = hosts_of(rate=rate)
    hosts.take(HOST, 1000.0)

    assert hosts.charge(HOST, 1000.1) is is_charged
    hosts.give_back(HOST, 1000.2)

    assert hosts.ready_at(HOST, 1000.2) == (1000.5 if is_charged else 1002.0)


def test_no_second_request_of_a_visit_is_charged_during_a_pause() -> None:
    hosts = hosts_of()
    hosts.take(HOST, 1000.0)
    hosts.pause(HOST, 1010.0, 1000.0)

    assert not hosts.charge(HOST, 1001.0)


# -- one site under two names


WWW = f"www.{HOST}"


def test_a_site_with_and_without_www_has_one_rate() -> None:
    hosts, now, times = HostPace(lambda host: Pace(4, 2.0)), 1000.0, []
    for host in (HOST, WWW, WWW, HOST, HOST, WWW):
        now = max(now, hosts.ready_at(host, now) or 0.0)
        hosts.take(host, now)
        hosts.give_back(host, now)
        times.append(now - 1000.0)

    assert times == [0.0, 0.5, 1.0, 1.5, 2.0, 2.5]


def test_a_site_with_and_without_www_has_one_ceiling() -> None:
    hosts = HostPace(lambda host: Pace(2, 0))
    hosts.take(HOST, 1000.0)
    hosts.take(WWW, 1000.0)

    assert hosts.ready_at(HOST, 1000.0) is None
    assert hosts.ready_at(WWW, 1000.0) is None
    assert hosts.give_back(HOST, 1000.0) == WWW
    assert hosts.ready_at(WWW, 1000.0) == 1000.0


def test_a_turn_without_a_request_is_returned_for_both_names() -> None:
    hosts = HostPace(lambda host: Pace(4, 1.0))
    hosts.take(HOST, 1000.0)
    hosts.take(WWW, 1001.0)
    assert hosts.ready_at(HOST, 1001.0) == 1002.0

    hosts.give_back(WWW, 1001.0, asked=False)

    assert hosts.ready_at(HOST, 1001.0) == 1001.0
    assert hosts.ready_at(WWW, 1001.0) == 1001.0


def test_a_refusal_pauses_both_names_but_silence_only_the_silent_one() -> None:
    hosts = HostPace(lambda host: Pace(4, 0))
    hosts.take(HOST, 1000.0)
    refused(hosts, 1000.0, after=30.0)

    assert hosts.ready_at(WWW, 1000.0) == 1030.0
    for _ in range(10):
        hosts.take(WWW, 1031.0)
        hosts.observe(Exchange(WWW, Sign.SILENT), 1031.0)
        hosts.give_back(WWW, 1031.0)
    ready = hosts.ready_at(WWW, 1031.0)
    assert ready is not None
    assert ready > 1060.0
    assert (hosts.ready_at(HOST, 1040.0) or 0.0) < 1040.0


def test_other_names_share_no_pace() -> None:
    hosts = HostPace(lambda host: Pace(1, 1.0))
    hosts.take(WWW, 1000.0)

    for other in ("other.example", f"api.{HOST}", f"www.{WWW}", f"{HOST}:8080"):
        assert hosts.ready_at(other, 1000.0) == 0.0


def test_names_that_share_a_pace_are_forgotten_like_others() -> None:
    hosts = HostPace(lambda host: Pace(1, 1.0))
    for number in range(1000):
        now = 1000.0 + 10 * number
        for host in (f"h{number}.example", f"www.h{number}.example"):
            now = max(now, hosts.ready_at(host, now) or 0.0)
            hosts.take(host, now)
            hosts.give_back(host, now)

    assert len(hosts) < 10


def test_the_listener_is_called_for_each_change_of_pace_only() -> None:
    told: list[PaceChange] = []
    hosts = HostPace(lambda host: Pace(4, 1.0), tell=told.append)

    answered(hosts, 1000.0)
    broken(hosts, 1000.0)
    broken(hosts, 1000.5)  # together with the one before
    refused(hosts, 1001.0, after=30.0)
    answered(hosts, 1040.0)

    slowed, paused, eased = told
    assert slowed == PaceChange(HOST, 2.0, sign=Sign.BROKEN)
    assert paused == PaceChange(HOST, 2.0, pause=30.0, sign=Sign.REFUSED)
    assert eased == PaceChange(HOST, 1.0, sign=Sign.ANSWERED)


def test_the_listener_is_called_when_a_host_is_given_up() -> None:
    told: list[PaceChange] = []
    hosts, now = HostPace(lambda host: Pace(4, 1.0), tell=told.append), 1000.0

    while not silent(hosts, now):
        now += 1000.0

    assert told[-1] == PaceChange(HOST, 0.0, is_given_up=True, sign=Sign.SILENT)
    assert [change.is_given_up for change in told[:-1]] == [False] * (len(told) - 1)


def test_refusals_do_not_count_as_tries_for_a_quarter_of_an_hour() -> None:
    hosts = hosts_of()

    assert refused(hosts, 1000.0)
    assert refused(hosts, 1000.0 + EXCUSED_SECONDS - 1)
    assert not refused(hosts, 1000.0 + EXCUSED_SECONDS)


def test_refusals_of_only_one_page_count_as_tries() -> None:
    hosts = hosts_of()
    hosts.take(HOST, 999.0)
    answered(hosts, 999.0)

    assert not refused(hosts, 1000.0, page=7)
    assert not refused(hosts, 1010.0, page=7)
    assert refused(hosts, 1020.0, page=8)
    assert refused(hosts, 1030.0, page=7)
    assert not refused(hosts, 1000.0 + EXCUSED_SECONDS, page=7)


def test_refusals_of_a_host_that_never_responded_are_excused_for_its_one_page() -> None:
    hosts = hosts_of()

    assert refused(hosts, 1000.0, page=7)
    assert refused(hosts, 1800.0, page=7)
    assert not refused(hosts, 1000.0 + EXCUSED_SECONDS, page=7)


def test_a_host_that_rarely_responds_still_counts_as_refusing_everything() -> None:
    hosts = hosts_of()
    refused(hosts, 1000.0)
    answered(hosts, 1001.0)

    assert refused(hosts, 1002.0)


def test_a_refusal_among_good_responses_counts_for_its_page() -> None:
    hosts = hosts_of()
    refused(hosts, 1000.0)
    for _ in range(3):
        answered(hosts, 1001.0)

    assert not refused(hosts, 1002.0)
    assert refused(hosts, 1003.0)
    assert not refused(hosts, 1002.0 + EXCUSED_SECONDS)


def test_busy_counts_hosts_with_a_request_in_flight() -> None:
    hosts = hosts_of()
    hosts.take("a", 1.0)
    hosts.take("a", 1.0)
    hosts.take("b", 1.0)
    assert hosts.busy == 2

    hosts.give_back("a", 2.0)
    hosts.give_back("b", 2.0)
    assert hosts.busy == 1


def test_idle_hosts_are_forgotten() -> None:
    hosts = hosts_of(rate=8.0)
    for number in range(10_000):
        fetch(hosts, number / 100, host=f"h{number}")

    assert len(hosts) < 100


def test_failures_are_remembered_for_an_hour() -> None:
    hosts = hosts_of(rate=8.0)
    for number in range(100):
        hosts.observe(Exchange(f"h{number}", Sign.SILENT), 1.0)
    for number in range(100):
        fetch(hosts, 10.0 + number, host="other")
    assert len(hosts) > 100

    for number in range(100):
        fetch(hosts, 20.0 + MEMORY + number, host=f"o{number}")
    assert len(hosts) < 10


TROUBLES: dict[str, Callable[[HostPace, float], None]] = {
    "take": lambda hosts, now: None,
    "back": lambda hosts, now: None,
    "unasked": lambda hosts, now: None,
    "slow": broken,
    "fine": answered,
    "pause": lambda hosts, now: hosts.pause(HOST, now + 1.0, now),
}


@given(
    rate=st.sampled_from([0.0, 0.5, 8.0, 64.0]),
    steps=st.lists(
        st.tuples(
            st.sampled_from([*TROUBLES]),
            st.floats(0, 2),
        ),
        max_size=60,
    ),
)
def test_interval_and_ceiling_hold_in_any_sequence_of_calls(
    rate: float, steps: list[tuple[str, float]]
) -> None:
    hosts, now = hosts_of(per_host=3, rate=rate), 1.0
    asked: list[float] = []
    out: list[float] = []
    for number, (step, seconds) in enumerate(steps):
        now += seconds
        ready = hosts.ready_at(HOST, now)
        assert (ready is None) == (len(out) == 3)
        if step == "take" and ready is not None and ready <= now:
            hosts.take(HOST, now, ticket=hash(now))
            out.append(now)
        elif step in ("back", "unasked") and out:
            taken = out.pop(number % len(out))
            is_asked = step == "back"
            asked += [taken] * is_asked
            hosts.give_back(HOST, now, asked=is_asked, ticket=hash(taken))
        else:
            TROUBLES[step](hosts, now)

    for before, after in pairwise(sorted(asked + out)):
        assert after - before >= (1 / rate if rate else 0.0) - 1e-9
